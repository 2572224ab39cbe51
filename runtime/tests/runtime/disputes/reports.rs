//! What a masternode says that came out of a task, where most of its job's group computed something else.

use super::{
    BOND, Error, burnt,
    case::{Case, answer, bonded, node},
    fee, free, other_answer, pay_of, proved, shows,
};
use crate::chain::Chain;
use quern_dispute_rules::{
    Evidence,
    evidence::FalseReport,
    ruling::{Offence, Place},
};
use quern_primitives::{
    Amount,
    amount::BYTECHIP,
    batch::BatchState,
    group::Group,
    job::{JobEnd, JobState},
};
use quern_runtime::{
    Block, Jobs, Runtime, apis::runtime_decl_for_quern_api::QuernApi, genesis::LOCAL,
};
use sp_keyring::Sr25519Keyring::Ferdie;

/// A job with a group of three, before anything of it is settled.
fn started() -> (Chain, Case, Group) {
    let mut chain = Chain::start(LOCAL);
    let case = Case::start(&mut chain);
    let group = chain.read(|| Jobs::group(&case.id)).unwrap();
    assert_eq!(group.members.len(), 3);
    (chain, case, group)
}

/// The member at a place says of a task what did not come out, and others what did.
fn false_report(case: &Case, group: &Group, accused: u8, others: &[u8]) -> Evidence {
    let key = |place: u8| node(&group.member(place).unwrap().account);
    let (lie, truth) = (case.report(0, other_answer()), case.report(0, answer(0)));
    let word = |place: &u8| {
        let signed = key(*place).sign(truth, &case.genesis);
        (*place, signed.signature)
    };
    let referees: Vec<_> = others.iter().map(word).collect();
    Evidence::FalseReport(Box::new(FalseReport {
        node: key(accused).public(),
        said: key(accused).sign(lie, &case.genesis),
        answer: truth.answer,
        referees: referees.try_into().unwrap(),
    }))
}

fn bonds(chain: &mut Chain, group: &Group) -> Vec<Amount> {
    let members = group.members.iter();
    members
        .map(|member| bonded(chain, &member.account))
        .collect()
}

#[test]
fn a_referee_that_two_others_contradict_pays_with_its_bond_and_the_batch_pays_its_workers() {
    let (mut chain, case, group) = started();
    case.settle(&mut chain);
    let ferdie = Ferdie.to_account_id();
    let (had, burnt_before) = (free(&mut chain, &ferdie), burnt(&mut chain));
    // It certified the batch as well; who certified it with it pays nothing.
    let evidence = || false_report(&case, &group, 1, &[0, 2]);
    assert_eq!(shows(&mut chain, evidence()), Ok(()));
    assert_eq!(proved(&mut chain), Some((Offence::FalseReport, None)));
    let fee = fee(&mut chain);
    // All of the bond is gone, and who showed it has what a device's wrong answer brings.
    let part = 2 * BYTECHIP;
    assert_eq!(free(&mut chain, &ferdie), had - fee + part);
    assert_eq!(burnt(&mut chain), burnt_before + BOND - part);
    assert_eq!(bonds(&mut chain, &group), [BOND, 0, BOND]);
    let now = chain.read(|| Jobs::group(&case.id)).unwrap();
    let out: Vec<bool> = now.members.iter().map(|member| member.is_out).collect();
    assert_eq!((out, now.turn), (vec![false, true, false], 0));
    let told = chain.read(|| <Runtime as QuernApi<Block>>::convictions(case.id, None, 9));
    let guilty = group.members[1].account.clone();
    assert_eq!(told[0].place, Place::Report(0, guilty));
    let again = shows(&mut chain, evidence());
    assert_eq!(again, Err(Error::ProvedBefore.into()));

    chain.pass_window();
    let sequence = case.batch.sequence;
    let record = chain.read(|| Jobs::batch(&case.id, sequence)).unwrap();
    assert!(matches!(record.state, BatchState::Final { .. }));
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    let end = JobEnd::AllSettled;
    assert_eq!(job.state, JobState::Completed { end });
    assert_eq!(job.escrow.paid, pay_of(&case));
}

#[test]
fn a_coordinator_that_signs_a_false_report_is_turned_out_and_the_next_goes_on() {
    let (mut chain, case, group) = started();
    let evidence = false_report(&case, &group, 0, &[1, 2]);
    assert_eq!(shows(&mut chain, evidence), Ok(()));
    assert_eq!(proved(&mut chain), Some((Offence::FalseReport, None)));
    assert_eq!(bonds(&mut chain, &group), [0, BOND, BOND]);
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    let coordinator = group.members[1].account.clone();
    assert_eq!(job.state, JobState::Running { coordinator });
}

#[test]
fn no_member_pays_for_what_one_other_says_nor_for_what_it_says_itself() {
    let (mut chain, case, group) = started();
    for others in [&[0u8][..], &[2], &[0, 1], &[1, 2], &[0, 1, 2]] {
        let refused = shows(&mut chain, false_report(&case, &group, 1, others));
        assert_eq!(refused, Err(Error::NotSigned.into()), "{others:?}");
    }
    assert_eq!(bonds(&mut chain, &group), [BOND; 3]);
}
