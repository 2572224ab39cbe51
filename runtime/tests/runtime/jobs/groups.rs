//! Who is drawn for a job: one that can be reached, and a group of which the next goes on.

use super::{batch, certified_by, genesis_of, job, publish_endpoints, running, submission, tasks};
use crate::chain::Chain;
use quern_primitives::{
    AccountId, Amount, JobId,
    job::{JobState, job_id},
    params::Parameter,
};
use quern_runtime::{
    Balances, Finality, Jobs, Runtime,
    genesis::{BOND, DEV, LOCAL},
};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave};

#[test]
fn a_job_waits_for_a_masternode_that_can_be_reached() {
    let mut chain = Chain::start(LOCAL);
    chain.does(
        Bob,
        quern_jobs::Call::submit {
            submission: submission(1),
        },
    );
    let id = job_id(&genesis_of(&mut chain), &Bob.to_account_id(), &[1; 16]);
    chain.blocks(3);
    assert_eq!(job(&mut chain, id).state, JobState::Submitted);
    publish_endpoints(&mut chain, &Charlie.to_account_id());
    chain.blocks(1);
    let coordinator = Charlie.to_account_id();
    assert_eq!(job(&mut chain, id).state, JobState::Running { coordinator });
}

#[test]
fn every_masternode_is_drawn_for_some_job() {
    let mut chain = Chain::start(LOCAL);
    let mut drawn = Vec::new();
    for salt in 0..40 {
        let (_, coordinator) = running(&mut chain, salt);
        drawn.push(coordinator);
    }
    for masternode in [Alice, Bob, Charlie, Dave] {
        assert!(drawn.contains(&masternode), "{masternode} was never drawn");
    }
}

fn set(chain: &mut Chain, parameter: Parameter, value: Amount) {
    chain.decide(quern_params::Call::set { parameter, value });
}

/// A chain of three masternodes with groups of three and a short stall, and a job with its members.
fn with_a_group() -> (Chain, JobId, Vec<AccountId>) {
    let mut chain = Chain::start(DEV);
    for operator in [Bob, Charlie] {
        let account = operator.to_account_id();
        chain.decide(quern_roster::Call::add_masternode { account });
        let amount = BOND;
        chain.does(operator, quern_roster::Call::bond { amount });
    }
    set(&mut chain, Parameter::GroupSize, 3);
    set(&mut chain, Parameter::Stall, 15);
    let (id, _) = running(&mut chain, 1);
    let group = chain.read(|| Jobs::group(&id)).unwrap();
    let members = group.members.into_iter().map(|member| member.account);
    (chain, id, members.collect())
}

#[test]
fn a_batch_of_a_group_is_settled_with_certificates_of_more_than_half_of_it() {
    let (mut chain, id, members) = with_a_group();
    assert_eq!(members.len(), 3);
    let genesis = genesis_of(&mut chain);
    let coordinator = Sr25519Keyring::from_account_id(&members[0]).unwrap();
    let batch = batch(id, 0, tasks(1), 220_000, vec![], vec![]);
    let certified = certified_by(&genesis, batch.clone(), &members[..1]);
    let results = chain.block(vec![(
        coordinator,
        quern_jobs::Call::settle { certified }.into(),
    )]);
    let too_few = quern_jobs::Error::<Runtime>::TooFewCertificates;
    assert_eq!(results, [Ok(Err(too_few.into()))]);
    let certified = certified_by(&genesis, batch, &members[..2]);
    chain.does(coordinator, quern_jobs::Call::settle { certified });
    let kept = chain.read(|| Jobs::pending_batch(&id, 0)).unwrap();
    assert_eq!(kept.certified_by, vec![0, 1]);
}

#[test]
fn a_masternode_without_a_bond_is_in_no_group() {
    let (mut chain, _, members) = with_a_group();
    let last = Sr25519Keyring::from_account_id(&members[2]).unwrap();
    chain.does(last, quern_roster::Call::unbond { amount: 1 });
    let (id, _) = running(&mut chain, 2);
    let group = chain.read(|| Jobs::group(&id)).unwrap();
    assert_eq!(group.members.len(), 2);
    assert_eq!(group.place_of(&members[2]), None);
}

#[test]
fn a_silent_coordinator_is_followed_by_the_next_of_its_group() {
    let (mut chain, id, members) = with_a_group();
    let next = Sr25519Keyring::from_account_id(&members[1]).unwrap();
    let take_over = quern_jobs::Call::take_over { job: id };
    let early = chain.block(vec![(next, take_over.clone().into())]);
    let not_stalled = quern_jobs::Error::<Runtime>::NotStalled;
    assert_eq!(early, [Ok(Err(not_stalled.into()))]);
    let since = chain.read(|| Jobs::group(&id)).unwrap().since;
    while chain.read(Finality::clock) < since + 15 {
        chain.blocks(1);
    }
    let free = chain.read(|| Balances::free_balance(&members[1]));
    chain.does(next, take_over);
    assert_eq!(chain.read(|| Balances::free_balance(&members[1])), free);
    let coordinator = members[1].clone();
    assert_eq!(job(&mut chain, id).state, JobState::Running { coordinator });
    let genesis = genesis_of(&mut chain);
    let batch = batch(id, 0, tasks(1), 220_000, vec![], vec![]);
    let certified = certified_by(&genesis, batch, &members[..2]);
    chain.does(next, quern_jobs::Call::settle { certified });
}
