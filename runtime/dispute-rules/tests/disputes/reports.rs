//! What a masternode says that came out of a task, and what most of its group computed.

use crate::{
    honest::{false_report, ruled},
    lies::{BOND, SLASH, UNANIMOUS, accounts, offence},
    world::{ELSEWHERE, HERE, JOB, World, answer, honest, member, node},
};
use quern_dispute_rules::{
    Ed25519, Evidence, Refusal, Ruling, decide,
    evidence::FalseReport,
    facts::Member,
    referees_needed,
    ruling::{Offence, Place},
};
use quern_primitives::{
    ids::{Digest, JobId},
    limits::GROUP_MEMBERS_MAX,
    log::RefereeReport,
    payload::NodeSignature,
};

const TASK: u32 = 1;

fn world() -> World {
    honest(UNANIMOUS, 3, 1)
}

/// The second of three says something else than came out at the first and the third.
fn lie() -> FalseReport {
    match false_report(TASK, 7, 0) {
        Evidence::FalseReport(it) => *it,
        other => panic!("{other:?}"),
    }
}

fn shown(world: &World, it: FalseReport) -> Result<Ruling, Refusal> {
    ruled(world, &Evidence::FalseReport(Box::new(it)))
}

fn report(value: u8) -> RefereeReport {
    RefereeReport {
        job: JOB,
        task: TASK,
        question: Digest([46; 32]),
        answer: answer(TASK, value),
    }
}

/// The words of these members on a report.
fn signed(report: RefereeReport, places: &[u8]) -> Vec<(u8, NodeSignature)> {
    let sign = |place: &u8| {
        let signed = node(usize::from(*place)).sign(report, &HERE);
        (*place, signed.signature)
    };
    places.iter().map(sign).collect()
}

#[test]
fn a_referee_that_most_of_its_group_contradict_pays_alone_and_the_batch_stands() {
    let ruling = shown(&world(), lie());
    assert_eq!(offence(&ruling), Some(Offence::FalseReport), "{ruling:?}");
    let ruling = ruling.unwrap();
    assert_eq!(accounts(&ruling), [member(1)]);
    let Ruling::Convicted(conviction) = ruling else {
        unreachable!()
    };
    // Who certified the batch could not see that the report is false.
    assert_eq!(conviction.strike, None);
    assert_eq!(conviction.place, Place::Report(TASK, member(1)));
    let penalty = conviction.sentences[0].penalty;
    // All that a masternode's lie costs, and to the winner what a device's would bring.
    assert_eq!((penalty.winner, penalty.burnt), (15, SLASH - 15));
}

#[test]
fn a_false_report_convicts_although_the_batch_that_rests_on_it_is_final() {
    let mut world = world();
    world.facts.batch = None;
    let ruling = shown(&world, lie());
    assert_eq!(offence(&ruling), Some(Offence::FalseReport), "{ruling:?}");
}

#[test]
fn no_member_is_convicted_by_fewer_than_more_than_half_of_its_group_nor_by_its_own_word() {
    for members in 1..=GROUP_MEMBERS_MAX as u8 {
        let mut world = world();
        let places: Vec<u8> = (0..members).collect();
        let group = places.iter().map(|place| usize::from(*place));
        let group = group.map(|place| Member {
            account: member(place),
            node: node(place).public(),
            bond: BOND,
        });
        world.facts.group = group.collect();
        let words = signed(report(0), &places);
        let needed = referees_needed(places.len());
        assert!(needed * 2 > places.len() && needed >= 2);
        for accused in [0, members - 1] {
            let node = node(usize::from(accused));
            for subset in 0u32..1 << members {
                let is_in = |place: u8| subset & (1 << place) != 0;
                let referees = words.iter().filter(|(place, _)| is_in(*place));
                let referees: Vec<_> = referees.copied().collect();
                let is_enough = referees.len() >= needed && !is_in(accused);
                let it = FalseReport {
                    node: node.public(),
                    said: node.sign(report(7), &HERE),
                    answer: answer(TASK, 0),
                    referees: referees.try_into().unwrap(),
                };
                let ruling = shown(&world, it);
                match is_enough {
                    true => assert_eq!(offence(&ruling), Some(Offence::FalseReport)),
                    false => assert_eq!(ruling, Err(Refusal::NotSigned)),
                }
            }
        }
    }
}

#[test]
fn a_group_of_two_has_too_few_others_to_convict_one_of_them() {
    let mut world = world();
    world.facts.group.truncate(2);
    for words in [&[0u8][..], &[0, 1], &[0, 0]] {
        let mut it = lie();
        it.referees = signed(report(0), words).try_into().unwrap();
        assert_eq!(shown(&world, it), Err(Refusal::NotSigned), "{words:?}");
    }
}

#[test]
fn words_that_are_of_nobody_or_given_twice_or_turned_around_do_not_count() {
    let words = lie().referees.to_vec();
    let [first, second] = [words[0], words[1]];
    let unsigned = NodeSignature([0; 64]);
    let wrong = [
        vec![],
        vec![first],
        vec![first, first],
        vec![second, first],
        vec![first, (2, unsigned)],
        vec![first, (2, first.1)],
        vec![first, (9, second.1)],
        // The accused says both: its own word is not that of another.
        signed(report(0), &[0, 1]),
        signed(report(0), &[0, 1, 2]),
    ];
    for referees in wrong {
        let mut it = lie();
        it.referees = referees.try_into().unwrap();
        assert_eq!(shown(&world(), it), Err(Refusal::NotSigned));
    }
}

#[test]
fn who_was_asked_something_else_is_contradicted_by_nobody() {
    let changes: [fn(&mut RefereeReport); 3] = [
        |it| it.question.0[0] ^= 1,
        |it| it.task += 1,
        |it| it.job = JobId([9; 32]),
    ];
    for change in changes {
        // What the others signed is about something else than what the accused did.
        let mut other = report(0);
        change(&mut other);
        let mut it = lie();
        it.referees = signed(other, &[0, 2]).try_into().unwrap();
        assert_eq!(shown(&world(), it), Err(Refusal::NotSigned));
    }
    let mut of_another_job = report(7);
    of_another_job.job = JobId([9; 32]);
    let mut it = lie();
    it.said = node(1).sign(of_another_job, &HERE);
    assert_eq!(shown(&world(), it), Err(Refusal::OtherJob));
}

#[test]
fn what_the_accused_did_not_sign_for_this_chain_convicts_nobody() {
    let world = world();
    let mut of_another = lie();
    of_another.said = node(2).sign(report(7), &HERE);
    assert_eq!(shown(&world, of_another), Err(Refusal::NotSigned));
    let mut elsewhere = lie();
    elsewhere.said = node(1).sign(report(7), &ELSEWHERE);
    assert_eq!(shown(&world, elsewhere), Err(Refusal::NotSigned));
    let mut stranger = lie();
    stranger.node = node(9).public();
    stranger.said = node(9).sign(report(7), &HERE);
    assert_eq!(shown(&world, stranger), Err(Refusal::NobodyAnswers));
    // All of it on another chain.
    let mut facts = world.facts;
    facts.genesis = ELSEWHERE;
    let evidence = Evidence::FalseReport(Box::new(lie()));
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert_eq!(ruling, Err(Refusal::NotSigned));
}

#[test]
fn a_referee_that_says_what_the_others_do_is_accused_of_nothing() {
    let ruling = ruled(&world(), &false_report(TASK, 0, 0));
    assert_eq!(ruling, Err(Refusal::Unrelated));
    // Nor where all of them are wrong alike.
    let ruling = ruled(&world(), &false_report(TASK, 7, 7));
    assert_eq!(ruling, Err(Refusal::Unrelated));
}

#[test]
fn each_task_on_which_a_member_lied_is_a_place_of_its_own() {
    let place = |task| match ruled(&world(), &false_report(task, 7, 0)) {
        Ok(Ruling::Convicted(it)) => it.place,
        other => panic!("{other:?}"),
    };
    assert_ne!(place(0), place(1));
    // Another lie on the same task is not another place.
    let again = match ruled(&world(), &false_report(1, 8, 0)) {
        Ok(Ruling::Convicted(it)) => it.place,
        other => panic!("{other:?}"),
    };
    assert_eq!(place(1), again);
}
