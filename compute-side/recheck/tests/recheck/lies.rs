//! One lie each, in a log that is honest otherwise, signed by its coordinator like the rest.

mod first;

use crate::{
    author::{Story, receipt, story},
    world::{DEVICES, FUEL_MAX, HERE, JOB, LANE_SEED, account, device_key, follow, node, referee},
};
use quern_joblog::{Entry, RefereeWord};
use quern_primitives::{
    batch::Batch,
    ids::{Digest, GenesisHash, JobId, RevealSalt},
    job::Agreement,
    lanes::Draw,
    log::RefereeReport,
    payload::NodeSecret,
    receipt::{Exit, Receipt},
    verdict::Verdict,
};
use quern_recheck::{
    AssignmentFault, BatchFault, CommitmentFault, Dispute, RecheckFault, RefereeFault, RevealFault,
    VerdictFault,
};
use quern_verdict::ReceiptFault;

pub(crate) fn honest() -> Story {
    story(Agreement::Unanimous, 8, 11)
}

/// The place of the first entry that is such a one.
pub(crate) fn place(entries: &[Entry], is_one: impl Fn(&Entry) -> bool) -> usize {
    entries.iter().position(is_one).unwrap()
}

pub(crate) fn is_revealed(entry: &Entry) -> bool {
    matches!(entry, Entry::Revealed { .. })
}

fn is_assigned(entry: &Entry) -> bool {
    matches!(entry, Entry::Assigned { .. })
}

fn is_batched(entry: &Entry) -> bool {
    matches!(entry, Entry::Batched { .. })
}

/// A verdict that pays somebody.
pub(crate) fn is_paid(entry: &Entry) -> bool {
    matches!(entry, Entry::Judged { verdict } if verdict.price > 0)
}

/// What is said of a log in which one entry was changed.
fn refused(
    is_one: impl Fn(&Entry) -> bool,
    change: impl FnOnce(&mut Entry),
) -> (u64, RecheckFault) {
    let mut story = honest();
    let place = place(&story.entries, is_one);
    change(&mut story.entries[place]);
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    (place as u64, fault)
}

fn refused_verdict(change: impl FnOnce(&mut Verdict)) -> VerdictFault {
    let (place, fault) = refused(is_paid, |entry| {
        let Entry::Judged { verdict } = entry else {
            panic!("{entry:?}");
        };
        change(verdict);
    });
    assert_eq!(fault.dispute(), Some(Dispute::Unbacked));
    assert!(fault.positions().len() > 2, "with what was heard");
    match fault {
        RecheckFault::Verdict { position, why, .. } if position == place => why,
        other => panic!("{other:?}"),
    }
}

fn refused_batch(change: impl FnOnce(&mut Batch)) -> RecheckFault {
    refused(is_batched, |entry| {
        let Entry::Batched { batch } = entry else {
            panic!("{entry:?}");
        };
        change(batch);
    })
    .1
}

pub(crate) fn why_of_batch(fault: RecheckFault) -> BatchFault {
    match fault {
        RecheckFault::Batch { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// What is said of a receipt that was changed and signed by its device again.
fn refused_receipt(genesis: GenesisHash, change: impl FnOnce(&mut Receipt)) -> RevealFault {
    let (place, fault) = refused(is_revealed, |entry| {
        let Entry::Revealed { receipt, .. } = entry else {
            panic!("{entry:?}");
        };
        let device = (0..DEVICES)
            .find(|it| device_key(*it).id() == receipt.payload.device)
            .unwrap();
        let mut payload = receipt.payload.clone();
        change(&mut payload);
        *receipt = device_key(device).sign(payload, &genesis);
    });
    assert_eq!(fault.dispute(), Some(Dispute::Unbacked));
    match fault {
        RecheckFault::Reveal { position, why, .. } if position == place => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_payout_that_was_moved_to_another_account_is_refused() {
    let fault = refused_batch(|batch| {
        let mut payouts = batch.payouts.to_vec();
        payouts[0].amount += 1;
        payouts[1].amount -= 1;
        batch.payouts = payouts.try_into().unwrap();
    });
    assert_eq!(fault.dispute(), Some(Dispute::Payouts));
    assert!(matches!(why_of_batch(fault), BatchFault::Payout { .. }));
    let left_out = refused_batch(|batch| {
        let mut payouts = batch.payouts.to_vec();
        payouts.pop();
        batch.payouts = payouts.try_into().unwrap();
    });
    assert!(matches!(why_of_batch(left_out), BatchFault::Payout { .. }));
    let unsorted = refused_batch(|batch| {
        let mut payouts = batch.payouts.to_vec();
        payouts.swap(0, 1);
        batch.payouts = payouts.try_into().unwrap();
    });
    assert_eq!(why_of_batch(unsorted), BatchFault::Unsorted);
}

#[test]
fn a_batch_whose_sums_are_wrong_is_refused() {
    let spent = refused_batch(|batch| batch.spent += 1);
    assert_eq!(spent.dispute(), Some(Dispute::Payouts));
    assert!(!spent.positions().is_empty());
    assert!(matches!(why_of_batch(spent), BatchFault::Spent { .. }));
    let devices = refused_batch(|batch| {
        let mut devices = batch.devices.to_vec();
        devices[0].change.incorrect += 1;
        batch.devices = devices.try_into().unwrap();
    });
    assert!(matches!(why_of_batch(devices), BatchFault::Device { .. }));
    let root = refused_batch(|batch| batch.verdicts_root.0[0] ^= 1);
    assert!(matches!(
        why_of_batch(root),
        BatchFault::VerdictsRoot { .. }
    ));
    let range = refused_batch(|batch| batch.log.last += 1);
    assert!(matches!(why_of_batch(range), BatchFault::Range { .. }));
    let order = refused_batch(|batch| batch.sequence += 1);
    assert_eq!(order.dispute(), Some(Dispute::Twice));
    assert_eq!(why_of_batch(order), BatchFault::OutOfOrder { expected: 0 });
    let job = refused_batch(|batch| batch.job = JobId([9; 32]));
    assert_eq!(why_of_batch(job), BatchFault::OtherJob);
}

#[test]
fn a_task_is_in_one_batch_only() {
    let mut story = honest();
    let mut again = story.batches.last().unwrap().clone();
    again.sequence += 1;
    story.entries.push(Entry::Batched { batch: again });
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert_eq!(fault.dispute(), Some(Dispute::Twice));
    assert!(matches!(
        why_of_batch(fault),
        BatchFault::SettledBefore { .. }
    ));
}

#[test]
fn two_batches_for_one_place_are_refused_in_the_log_and_beside_it() {
    let mut story = honest();
    let mut other = story.batches[0].clone();
    other.spent += 1;
    let place = place(&story.entries, is_batched) as u64;
    let expected = |second| RecheckFault::TwoBatches {
        sequence: 0,
        first: place,
        second,
    };
    let recheck = follow(&story.facts, &story.entries, 6).unwrap();
    assert_eq!(recheck.batch(&other), Err(expected(None)));
    let second = story.entries.len() as u64;
    story.entries.push(Entry::Batched { batch: other });
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert_eq!(fault, expected(Some(second)));
    assert_eq!(fault.positions(), [place, second]);
    assert_eq!(fault.dispute(), Some(Dispute::Twice));
}

#[test]
fn a_task_that_is_not_judged_cannot_be_settled() {
    let story = honest();
    let place = place(&story.entries, is_paid);
    let recheck = follow(&story.facts, &story.entries[..place], 6).unwrap();
    let fault = recheck.batch(&story.batches[0]).unwrap_err();
    assert_eq!(fault.dispute(), Some(Dispute::Unbacked));
    assert!(matches!(why_of_batch(fault), BatchFault::NoVerdict { .. }));
}

#[test]
fn a_verdict_that_is_not_backed_by_receipts_is_refused() {
    let mut story = honest();
    let judged = place(&story.entries, is_paid);
    let forged = story.entries[judged].clone();
    let task = forged.task();
    let heard = place(&story.entries, |it| is_revealed(it) && it.task() == task);
    story.entries.truncate(heard);
    story.entries.push(forged);
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert_eq!(fault.dispute(), Some(Dispute::Unbacked));
    assert!(matches!(
        fault,
        RecheckFault::Verdict {
            why: VerdictFault::Undecided,
            ..
        }
    ));
}

#[test]
fn a_verdict_that_says_anything_else_than_the_judge_is_refused() {
    let other = Digest([99; 32]);
    assert_eq!(
        refused_verdict(|it| it.answer.result_commitment = other),
        VerdictFault::Answer
    );
    assert_eq!(
        refused_verdict(|it| it.replicas[0].receipt = Some(other)),
        VerdictFault::Findings
    );
    assert_eq!(
        refused_verdict(|it| it.replicas[0].account = account(DEVICES + 20)),
        VerdictFault::Findings
    );
    assert_eq!(
        refused_verdict(|it| it.replicas.truncate(1)),
        VerdictFault::Findings
    );
    assert!(matches!(
        refused_verdict(|it| it.price += 1),
        VerdictFault::Price { .. }
    ));
    assert!(matches!(
        refused_verdict(|it| {
            let paid = it.replicas.iter_mut().find(|it| it.pay > 0);
            paid.unwrap().pay += 1;
        }),
        VerdictFault::Pay { .. }
    ));
    assert_eq!(
        refused_verdict(|it| it.job = JobId([9; 32])),
        VerdictFault::OtherJob
    );
}

#[test]
fn a_task_is_judged_once() {
    let mut story = honest();
    let first = place(&story.entries, is_paid);
    let end = place(&story.entries, |it| matches!(it, Entry::Ended { .. }));
    let again = story.entries[first].clone();
    let task = again.task().unwrap();
    story.entries.truncate(end);
    story.entries.push(again);
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert_eq!(fault.dispute(), Some(Dispute::Twice));
    assert_eq!(
        fault,
        RecheckFault::JudgedTwice {
            task,
            first: first as u64,
            second: end as u64,
        }
    );
}

#[test]
fn a_receipt_of_another_job_chain_program_or_place_is_refused() {
    let field = |field| RevealFault::Receipt(ReceiptFault::Field { field });
    let refused = |change: fn(&mut Receipt)| refused_receipt(HERE, change);
    assert_eq!(refused(|it| it.job.0[0] ^= 1), field("job"));
    assert_eq!(refused(|it| it.program.0[0] ^= 1), field("program"));
    assert_eq!(refused(|it| it.input_root.0[0] ^= 1), field("input root"));
    assert_eq!(refused(|it| it.question.0[0] ^= 1), field("question"));
    assert_eq!(refused(|it| it.engine.0[0] ^= 1), field("engine"));
    assert_eq!(refused(|it| it.log_position += 1), field("log position"));
    assert_eq!(
        refused(|it| it.fuel = FUEL_MAX + 1),
        RevealFault::Receipt(ReceiptFault::OverLimit { field: "fuel" })
    );
    assert_eq!(refused(|it| it.replica ^= 1), RevealFault::NotAssigned);
    assert_eq!(
        refused_receipt(GenesisHash([9; 32]), |_| {}),
        RevealFault::Receipt(ReceiptFault::Signature)
    );
}

#[test]
fn a_receipt_of_another_device_is_refused() {
    let (_, fault) = refused(is_revealed, |entry| {
        let Entry::Revealed { receipt: it, .. } = entry else {
            panic!("{entry:?}");
        };
        let was = it.payload.clone();
        let stranger = (0..DEVICES)
            .find(|device| device_key(*device).id() != was.device)
            .unwrap();
        *it = receipt(was.task, was.replica, stranger, was.log_position, 0);
    });
    assert!(matches!(
        fault,
        RecheckFault::Reveal {
            assigned: None,
            why: RevealFault::NotAssigned,
            ..
        }
    ));
}

#[test]
fn a_result_that_was_copied_after_the_commitment_is_refused() {
    let copied = refused_receipt(HERE, |it| it.result_commitment = Digest([77; 32]));
    assert_eq!(copied, RevealFault::Commitment);
    let other_salt = refused_receipt(HERE, |it| it.salt = RevealSalt([251; 32]));
    assert_eq!(other_salt, RevealFault::Commitment);
}

#[test]
fn a_result_without_a_commitment_is_refused() {
    let mut story = honest();
    let revealed = place(&story.entries, is_revealed);
    let Entry::Revealed { receipt, .. } = &story.entries[revealed] else {
        panic!("no receipt");
    };
    let payload = &receipt.payload;
    let (task, replica) = (payload.task, payload.replica);
    let committed = place(&story.entries, |it| {
        matches!(it, Entry::Committed { commitment }
            if (commitment.payload.task, commitment.payload.replica) == (task, replica))
    });
    // Something harmless stands in its place, so that all positions stay.
    story.entries[committed] = Entry::Added { task, replicas: 1 };
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert!(matches!(
        fault,
        RecheckFault::Reveal {
            why: RevealFault::Commitment,
            ..
        }
    ));
}

#[test]
fn a_commitment_is_its_devices_for_this_assignment() {
    let is_committed = |it: &Entry| matches!(it, Entry::Committed { .. });
    let why = |fault| match fault {
        RecheckFault::Commitment { why, .. } => why,
        other => panic!("{other:?}"),
    };
    let (_, forged) = refused(is_committed, |entry| {
        if let Entry::Committed { commitment } = entry {
            commitment.payload.commitment.0[0] ^= 1;
        }
    });
    assert_eq!(why(forged), CommitmentFault::Signature);
    let (_, moved) = refused(is_committed, |entry| {
        if let Entry::Committed { commitment } = entry {
            commitment.payload.log_position += 1;
        }
    });
    assert_eq!(why(moved), CommitmentFault::Other);
}

#[test]
fn a_device_gets_only_what_it_may_have() {
    let refused = |change: fn(&mut Entry)| {
        let (place, fault) = refused(is_assigned, change);
        assert_eq!(fault.dispute(), Some(Dispute::Assignment));
        assert_eq!(fault.positions(), [place]);
        match fault {
            RecheckFault::Assignment { why, .. } => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refused(|entry| if let Entry::Assigned { device, .. } = entry {
            device.0[0] ^= 1;
        }),
        AssignmentFault::Unregistered
    );
    assert!(matches!(
        refused(|entry| {
            if let Entry::Assigned {
                account: by, lanes, ..
            } = entry
            {
                (*by, *lanes) = (account(DEVICES + 20), 1);
            }
        }),
        AssignmentFault::OtherAccount { .. }
    ));
    assert_eq!(
        refused(|entry| {
            if let Entry::Assigned {
                device,
                account: by,
                lanes,
                ..
            } = entry
            {
                *device = device_key(DEVICES - 1).id();
                (*by, *lanes) = (account(DEVICES - 1), 1);
            }
        }),
        AssignmentFault::MayNotWork
    );
    assert_eq!(
        refused(|entry| if let Entry::Assigned { engine, .. } = entry {
            engine.0[0] ^= 1;
        }),
        AssignmentFault::OtherEngine
    );
    assert_eq!(
        refused(
            |entry| if let Entry::Assigned { replica, lanes, .. } = entry {
                (*replica, *lanes) = (9, 1);
            }
        ),
        AssignmentFault::NoSuchReplica
    );
    for claimed in [0, 3, 12, 33, 64, u8::MAX] {
        let (_, fault) = refused_assignment(|entry| {
            if let Entry::Assigned { lanes, .. } = entry {
                *lanes = claimed;
            }
        });
        assert_eq!(fault, AssignmentFault::NoSuchLanes { lanes: claimed });
    }
}

fn refused_assignment(change: impl FnOnce(&mut Entry)) -> (u64, AssignmentFault) {
    match refused(is_assigned, change) {
        (place, RecheckFault::Assignment { why, .. }) => (place, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_account_gets_nothing_in_a_lane_in_which_it_is_not() {
    for claimed in [2, 4, 8, 16, 32] {
        let is_of_another = |it: &Entry| match it {
            Entry::Assigned {
                task,
                replica,
                account,
                ..
            } => !Draw::of(&LANE_SEED.0, account).is_for(*task, *replica, claimed),
            _ => false,
        };
        let (position, fault) = refused(is_of_another, |entry| {
            if let Entry::Assigned { lanes, .. } = entry {
                *lanes = claimed;
            }
        });
        assert_eq!(fault.positions(), [position]);
        assert!(matches!(
            fault,
            RecheckFault::Assignment { why: AssignmentFault::OtherLane { lanes }, .. }
                if lanes == claimed
        ));
    }
}

#[test]
fn an_account_never_has_two_replicas_of_a_task() {
    let mut story = honest();
    let place = place(&story.entries, is_assigned);
    let Entry::Assigned {
        task,
        replica,
        device,
        account: by,
        engine,
        at,
        ..
    } = story.entries[place].clone()
    else {
        panic!("no assignment");
    };
    let twin = (0..DEVICES)
        .find(|it| account(*it) == by && device_key(*it).id() != device)
        .unwrap();
    story.entries.truncate(place + 1);
    story.entries.push(Entry::Assigned {
        task,
        replica: 1 - replica,
        device: device_key(twin).id(),
        account: by,
        engine,
        at,
        lanes: 1,
    });
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert!(matches!(
        fault,
        RecheckFault::Assignment {
            why: AssignmentFault::SameAccount,
            ..
        }
    ));
}

#[test]
fn a_referee_is_heard_where_one_is_wanted_and_if_it_is_one() {
    let is_computed = |it: &Entry| {
        matches!(
            it,
            Entry::Refereed {
                word: RefereeWord::Computed { .. },
                ..
            }
        )
    };
    let why = |fault| match fault {
        RecheckFault::Referee { why, .. } => why,
        other => panic!("{other:?}"),
    };
    // Nobody's, and the word of who writes the log and is of the group.
    for other in [NodeSecret::from_seed(&[77; 32]), node()] {
        let (_, other) = refused(is_computed, |entry| {
            if let Entry::Refereed {
                word: RefereeWord::Computed { report, node: by },
                ..
            } = entry
            {
                *report = other.sign(report.payload, &HERE);
                *by = other.public();
            }
        });
        assert_eq!(why(other), RefereeFault::NoReferee);
    }
    let (_, forged) = refused(is_computed, |entry| {
        if let Entry::Refereed {
            word: RefereeWord::Computed { report, .. },
            ..
        } = entry
        {
            report.payload.answer.fuel += 1;
        }
    });
    assert_eq!(why(forged), RefereeFault::Signature);
    let mut story = honest();
    let place = place(&story.entries, is_assigned);
    let task = story.entries[place].task().unwrap();
    let answer = crate::author::answer(task, 0);
    let report = RefereeReport {
        job: JOB,
        task,
        question: Digest([46; 32]),
        answer,
    };
    story.entries.truncate(place + 1);
    story.entries.push(Entry::Refereed {
        task,
        word: RefereeWord::Computed {
            report: referee().sign(report, &HERE),
            node: referee().public(),
        },
    });
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert_eq!(why(fault), RefereeFault::NotWaiting);
}

#[test]
fn a_coordinator_cannot_say_that_the_program_fails_where_it_did_not() {
    let refused = refused_verdict(|it| it.answer.exit = Exit::Trap);
    assert_eq!(refused, VerdictFault::Answer);
}
