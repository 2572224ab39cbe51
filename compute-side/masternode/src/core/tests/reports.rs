//! Reports: which count, which do not, and when they are acknowledged.

use super::{
    worker::name,
    world::{GENESIS, Habit, MAJORITY, World},
};
use crate::core::{Acknowledged, Entry};
use quern_primitives::{
    device::Class,
    ids::{Digest, GenesisHash, JobId, ProgramHash},
    job::Agreement,
    payload::DeviceKey,
    receipt::{Exit, Receipt},
};
use quern_protocol::{DiscardReason, Exchange, Output, Report};
use quern_verdict::receipt_digest;

/// Makes a receipt wrong.
type Change = fn(&mut Receipt);

fn reported(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Revealed { .. }))
}

#[test]
fn a_report_is_acknowledged_only_once_it_is_on_disk() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.ask(0, 1);
    world.disk_is_quick = false;
    world.report(0);
    world.ask(0, 1);
    assert!(world.workers[0].acknowledged.is_empty());
    world.write(usize::MAX);
    assert_eq!(world.workers[0].acknowledged.len(), 1);
}

#[test]
fn a_report_repeated_is_acknowledged_once_and_counted_once() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.ask(0, 1);
    world.compute(0);
    let report = world.workers[0].reports[0].clone();
    world.disk_is_quick = false;
    for _ in 0..3 {
        world.send(
            0,
            Exchange {
                reports: vec![report.clone()],
                ..Exchange::default()
            },
        );
    }
    world.write(usize::MAX);
    world.ask(0, 0);
    world.ask(0, 0);
    assert_eq!(world.workers[0].acknowledged.len(), 1);
    assert_eq!(reported(&world), 1);
}

#[test]
fn a_report_repeated_after_a_new_hello_still_waits_for_the_disk() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.ask(0, 1);
    world.disk_is_quick = false;
    world.report(0);
    world.wait(60_000);
    world.hello(0);
    world.ask(0, 1);
    assert!(world.workers[0].acknowledged.is_empty());
    assert_eq!(
        world.workers[0].reports.len(),
        1,
        "the device keeps its report"
    );
    world.write(usize::MAX);
    assert_eq!(world.workers[0].acknowledged.len(), 1);
}

#[test]
fn a_report_that_a_crash_lost_is_taken_again() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.disk_is_quick = false;
    world.report(0);
    world.restart();
    world.disk_is_quick = true;
    world.hello(0);
    world.ask(0, 0);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    assert_eq!(reported(&world), 1);
}

#[test]
fn a_verdict_that_a_crash_lost_is_found_again() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.disk_is_quick = false;
    world.report(0);
    world.write(1);
    world.restart();
    world.disk_is_quick = true;
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    world.check_money();
}

#[test]
fn a_receipt_with_any_wrong_field_is_discarded_and_the_task_goes_to_another() {
    let changes: [Change; 10] = [
        |r| r.program = ProgramHash([0; 32]),
        |r| r.input_root = Digest([0; 32]),
        |r| r.question = Digest([0; 32]),
        |r| r.output_root = Digest([0; 32]),
        |r| r.class = Class::Portable,
        |r| r.engine = Digest([0; 32]),
        |r| r.log_position += 1,
        |r| r.fuel = u64::MAX,
        |r| r.result_bytes += 1,
        |r| r.exit = Exit::Trap,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut world = World::new(1, Agreement::Single, &[1, 2]);
        world.ask(0, 1);
        let worker = &world.workers[0];
        let output = worker.output();
        let mut receipt = worker.receipt(&worker.in_hand[0], &output);
        change(&mut receipt);
        let report = worker.sign(receipt, output);
        expect_discarded(&mut world, report, DiscardReason::Invalid, number);
        world.ask(0, 1);
        assert!(world.workers[0].in_hand.is_empty(), "change {number}");
        world.ask(1, 1);
        assert_eq!(world.workers[1].in_hand.len(), 1, "change {number}");
    }
}

#[test]
fn a_receipt_about_what_the_device_was_not_given_is_discarded_and_harms_nobody() {
    let changes: [(Change, DiscardReason); 3] = [
        (|r| r.job = JobId([0; 32]), DiscardReason::JobOver),
        (|r| r.task += 1, DiscardReason::NotAssigned),
        (|r| r.replica += 1, DiscardReason::NotAssigned),
    ];
    for (number, (change, reason)) in changes.into_iter().enumerate() {
        let mut world = World::new(3, MAJORITY, &[1]);
        world.ask(0, 1);
        let worker = &world.workers[0];
        let output = worker.output();
        let mut receipt = worker.receipt(&worker.in_hand[0], &output);
        change(&mut receipt);
        let report = worker.sign(receipt, output);
        expect_discarded(&mut world, report, reason, number);
        assert_eq!(
            world.count(|entry| matches!(entry, Entry::Released { .. })),
            0
        );
    }
}

#[test]
fn a_receipt_signed_by_another_or_for_another_chain_is_discarded() {
    let signers = [(50, GENESIS), (1, GenesisHash([0; 32]))];
    for (number, (seed, genesis)) in signers.into_iter().enumerate() {
        let mut world = World::new(1, Agreement::Single, &[1]);
        world.ask(0, 1);
        let worker = &world.workers[0];
        let output = worker.output();
        let receipt = worker.receipt(&worker.in_hand[0], &output);
        let receipt = DeviceKey::from_seed(&[seed; 32]).sign(receipt, &genesis);
        let report = Report {
            receipt,
            output: Output::Inline(output),
        };
        expect_discarded(&mut world, report, DiscardReason::Invalid, number);
    }
}

#[test]
fn a_result_of_another_length_or_never_delivered_is_discarded() {
    for number in 0..2 {
        let mut world = World::new(1, Agreement::Single, &[1]);
        world.ask(0, 1);
        let worker = &world.workers[0];
        let mut output = worker.output();
        output.push(0);
        let mut report = worker.sign(worker.receipt(&worker.in_hand[0], &output), output.clone());
        if number == 1 {
            report.output = Output::Delivered {
                bytes: output.len() as u64 - 1,
            };
        }
        expect_discarded(&mut world, report, DiscardReason::Invalid, number);
    }
}

fn expect_discarded(world: &mut World, report: Report, reason: DiscardReason, number: usize) {
    let id = crate::core::replica_of(&report.receipt);
    world.send(
        0,
        Exchange {
            reports: vec![report],
            ..Exchange::default()
        },
    );
    assert_eq!(
        world.workers[0].discarded,
        [(id, reason)],
        "change {number}"
    );
    assert_eq!(reported(world), 0, "change {number}");
}

#[test]
fn three_different_answers_ask_for_more_replicas_until_one_has_a_majority() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.join(2, Habit::Lies(90));
    world.join(3, Habit::Lies(91));
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    (0..3).for_each(|worker| world.report(worker));
    assert_eq!(
        world.count(|entry| matches!(entry, Entry::Added { replicas: 2, .. })),
        1
    );
    for account in [4, 5] {
        let worker = world.join(account, Habit::Honest);
        world.ask(worker, 1);
        world.report(worker);
    }
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    assert_eq!(world.ledger.paid.len(), 3);
    world.check_money();
}

#[test]
fn an_acknowledgement_names_the_place_of_the_receipt_and_its_digest_once() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.ask(0, 1);
    world.workers[0].compute();
    let report = world.workers[0].reports[0].clone();
    // The first answer comes before the report is on disk, and the second one confirms it.
    world.ask(0, 0);
    world.ask(0, 0);
    let told = |world: &World| {
        let answers = world.workers[0].answers.iter();
        let told: Vec<_> = answers.flat_map(|work| work.acknowledged.clone()).collect();
        told
    };
    let place = world
        .log()
        .position(|entry| matches!(entry, Entry::Revealed { .. }));
    let first = Acknowledged {
        id: name(&report),
        position: place.unwrap() as u64,
        receipt: Some(receipt_digest(&report.receipt)),
    };
    assert_eq!(told(&world), [first]);
    // What it says again need not be what was taken, so the log is looked at.
    for _ in 0..2 {
        world.send(
            0,
            Exchange {
                reports: vec![report.clone()],
                ..Exchange::default()
            },
        );
    }
    let again = Acknowledged {
        receipt: None,
        ..first
    };
    assert_eq!(told(&world)[1..], [again, again]);
    world.restart();
    world.hello(0);
    world.send(
        0,
        Exchange {
            reports: vec![report],
            ..Exchange::default()
        },
    );
    assert_eq!(told(&world)[3..], [again], "also after a restart");
}
