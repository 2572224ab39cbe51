//! What devices signed: who pays for them, and when nobody does.

use crate::{
    conduct::{assert_one_pays, with_liar},
    honest::{ruled, wrong_answer},
    lies::UNANIMOUS,
    world::{HERE, account, device_key, honest, receipt},
};
use quern_dispute_rules::{
    Ed25519, Evidence, Refusal, Ruling, decide, penalty::Penalty, ruling::Offence,
};
use quern_primitives::{
    device::Class,
    ids::{Digest, ProgramHash},
    limits::REPLICAS_PER_TASK_MAX,
    receipt::Receipt,
};

#[test]
fn a_device_that_gives_two_answers_costs_its_account() {
    let world = honest(UNANIMOUS, 3, 1);
    let sign =
        |position, value| Box::new(device_key(2).sign(receipt(1, 0, 2, position, value), &HERE));
    let answers = |first, second| Evidence::Answers { first, second };
    let ruling = ruled(&world, &answers(sign(4, 0), sign(4, 1)));
    assert_one_pays(ruling, account(2), Offence::TwoAnswers);
    // Answered alike, or given to it twice: it may have been given something else the second time.
    for other in [sign(4, 0), sign(9, 0), sign(9, 1)] {
        let ruling = ruled(&world, &answers(sign(4, 0), other));
        assert_eq!(ruling, Err(Refusal::Unrelated));
    }
    let mut forged = sign(4, 1);
    forged.signature.0[5] ^= 1;
    let ruling = ruled(&world, &answers(sign(4, 0), forged));
    assert_eq!(ruling, Err(Refusal::NotSigned));
    let mut other_engine = receipt(1, 0, 2, 4, 1);
    other_engine.engine = Digest([1; 32]);
    let other_engine = Box::new(device_key(2).sign(other_engine, &HERE));
    let ruling = ruled(&world, &answers(sign(4, 0), other_engine));
    assert_eq!(ruling, Err(Refusal::Unrelated));
}

#[test]
fn who_retired_a_device_answers_for_it_until_nothing_is_held_for_it() {
    let world = honest(UNANIMOUS, 3, 1);
    let sign = |value| Box::new(device_key(2).sign(receipt(1, 0, 2, 4, value), &HERE));
    let (first, second) = (sign(0), sign(1));
    let evidence = Evidence::Answers { first, second };
    let mut facts = world.facts_for(evidence.subject().device);
    facts.device.as_mut().unwrap().registered = None;
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert_one_pays(ruling, account(2), Offence::TwoAnswers);
    facts.device.as_mut().unwrap().answers = None;
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert_eq!(ruling, Err(Refusal::NobodyAnswers));
}

#[test]
fn two_answers_to_what_the_job_never_asked_convict_nobody() {
    let world = honest(UNANIMOUS, 3, 1);
    let alter: [fn(&mut Receipt); 4] = [
        |it| it.task = 3,
        |it| it.replica = REPLICAS_PER_TASK_MAX,
        |it| it.program = ProgramHash([9; 32]),
        |it| it.class = Class::Portable,
    ];
    for alter in alter {
        let sign = |value| {
            let mut said = receipt(1, 0, 2, 4, value);
            alter(&mut said);
            Box::new(device_key(2).sign(said, &HERE))
        };
        let (first, second) = (sign(0), sign(1));
        let ruling = ruled(&world, &Evidence::Answers { first, second });
        assert_eq!(ruling, Err(Refusal::Unrelated));
    }
}

#[test]
fn a_device_of_which_nothing_is_left_is_convicted_once() {
    let (world, lie, device) = with_liar();
    let task = lie.payload.task;
    let sign = |value| Box::new(device_key(2).sign(receipt(1, 0, 2, 4, value), &HERE));
    let (first, second) = (sign(0), sign(1));
    let answers = Evidence::Answers { first, second };
    let wrong = wrong_answer(&world, task, &lie, 0);
    for (evidence, account, offence) in [
        (answers, account(2), Offence::TwoAnswers),
        (wrong, account(device), Offence::WrongAnswer),
    ] {
        let mut facts = world.facts_for(evidence.subject().device);
        facts.worker_bond = 0;
        let Ok(Ruling::Convicted(conviction)) = decide(&evidence, &facts, &Ed25519) else {
            panic!("it is noted in its record");
        };
        assert_eq!(conviction.sentences[0].penalty, Penalty::default());
        facts.device.as_mut().unwrap().is_convicted = true;
        let again = decide(&evidence, &facts, &Ed25519);
        assert_eq!(again, Err(Refusal::NothingLeft));
        // What there is goes, however often it was convicted.
        facts.worker_bond = world.facts.worker_bond;
        assert_one_pays(decide(&evidence, &facts, &Ed25519), account, offence);
    }
}

#[test]
fn an_account_that_the_register_does_not_name_pays_for_no_device() {
    let (world, lie, device) = with_liar();
    let evidence = wrong_answer(&world, lie.payload.task, &lie, 0);
    let mut facts = world.facts_for(evidence.subject().device);
    let known = facts.device.as_mut().unwrap();
    // The coordinator wrote down the one account; the device is the other's.
    known.registered = Some((account(device + 1), 2));
    known.answers = Some(account(device + 1));
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert_eq!(ruling, Err(Refusal::Undecidable));
    facts.device.as_mut().unwrap().answers = None;
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert_eq!(ruling, Err(Refusal::NobodyAnswers));
    facts.device = None;
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert_eq!(ruling, Err(Refusal::NobodyAnswers));
}
