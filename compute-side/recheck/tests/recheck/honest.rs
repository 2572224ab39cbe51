//! What is honest is accepted, whatever chance makes of it.

use crate::{
    author::{answer, commitment, receipt, story},
    world::{
        Dice, Facts, HERE, JOB, TAKEN_OVER_AT, account, blocks, device_key, follow, node, recheck,
        referee, successor,
    },
};
use codec::{Decode, Encode};
use proptest::prelude::*;
use quern_joblog::{End, Entry, LogBuilder, OutputPlace, RefereeWord, ReleaseCause};
use quern_primitives::{
    batch::{Batch, LogRange},
    ids::{Digest, GenesisHash},
    job::Agreement,
    log::{Acknowledgement, RefereeReport, SignedAcknowledgement},
    receipt::{Answer, Exit, SignedReceipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use quern_recheck::{
    BatchFault, OrderFault, ReceiptsFault, RecheckFault, RefereeFault, VerdictFault,
    verify_receipts,
};
use quern_verdict::receipt_digest;

pub(crate) fn agreements() -> impl Strategy<Value = Agreement> {
    prop_oneof![
        Just(Agreement::Single),
        Just(Agreement::Majority { replicas: 3 }),
        Just(Agreement::Unanimous),
        Just(Agreement::Adaptive),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_honest_log_is_accepted_and_its_batches_certified(
        agreement in agreements(), tasks in 1u32..12, seed: u64, per_block in 1usize..30,
    ) {
        let story = story(agreement, tasks, seed);
        let recheck = follow(&story.facts, &story.entries, per_block).unwrap();
        for batch in &story.batches {
            let certificate = recheck.batch(batch).unwrap();
            prop_assert_eq!(certificate.head, recheck.replay().head());
        }
        let judged = story.entries.iter().filter(|it| matches!(it, Entry::Judged { .. }));
        prop_assert_eq!(recheck.judged(), judged.count());
        prop_assert!(recheck.end().is_some());
    }

    #[test]
    fn a_batch_with_any_bit_changed_is_refused(
        seed: u64, place: prop::sample::Index, bit in 0u8..8, is_logged: bool,
    ) {
        let story = story(Agreement::Unanimous, 6, seed);
        let Some(batch) = story.batches.last() else { return Ok(()) };
        let before = story.entries.iter().rposition(|it| matches!(it, Entry::Batched { .. }));
        let length = if is_logged { story.entries.len() } else { before.unwrap() };
        let recheck = follow(&story.facts, &story.entries[..length], 9).unwrap();
        prop_assert!(recheck.batch(batch).is_ok());
        let mut bytes = batch.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(changed) = Batch::decode(&mut bytes.as_slice()) {
            prop_assert!(recheck.batch(&changed).is_err());
        }
    }

    #[test]
    fn a_verdict_or_batch_that_its_coordinator_signed_with_any_bit_changed_is_refused(
        agreement in agreements(), seed: u64, which: prop::sample::Index,
        place: prop::sample::Index, bit in 0u8..8,
    ) {
        let mut story = story(agreement, 4, seed);
        let sealed = |it: &Entry| matches!(it, Entry::Judged { .. } | Entry::Batched { .. });
        let places: Vec<_> = (0..story.entries.len())
            .filter(|place| sealed(&story.entries[*place]))
            .collect();
        if places.is_empty() {
            return Ok(());
        }
        let entry = &mut story.entries[places[which.index(places.len())]];
        let mut bytes = entry.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let Ok(changed) = Entry::decode(&mut bytes.as_slice()) else { return Ok(()) };
        *entry = changed;
        prop_assert!(follow(&story.facts, &story.entries, 10).is_err());
    }

    #[test]
    fn a_log_with_any_bit_changed_is_refused(
        seed: u64, place: prop::sample::Index, bit in 0u8..8,
    ) {
        let story = story(Agreement::Unanimous, 3, seed);
        let mut blocks: Vec<_> = blocks(&story.entries, 11)
            .iter()
            .map(|block| block.to_bytes())
            .collect();
        let block = place.index(blocks.len());
        let place = place.index(blocks[block].len());
        blocks[block][place] ^= 1 << bit;
        let mut recheck = recheck(&story.facts);
        let followed = blocks.iter().try_for_each(|block| recheck.take(block));
        prop_assert!(matches!(followed, Err(RecheckFault::Log(_))));
    }
}

#[test]
fn chance_brings_every_ground_and_every_kind_of_entry() {
    let mut grounds = Vec::new();
    let mut kinds = [false; 11];
    for seed in 0..60 {
        for agreement in [
            Agreement::Single,
            Agreement::Majority { replicas: 3 },
            Agreement::Unanimous,
            Agreement::Adaptive,
        ] {
            let story = story(agreement, 6, seed);
            follow(&story.facts, &story.entries, 10).unwrap();
            for entry in &story.entries {
                kinds[usize::from(entry.encode()[0])] = true;
                if let Entry::Judged { verdict } = entry
                    && !grounds.contains(&verdict.ground)
                {
                    grounds.push(verdict.ground);
                }
            }
        }
    }
    assert_eq!(kinds, [true; 11]);
    for ground in [
        Ground::Unanimous,
        Ground::Majority,
        Ground::Trusted,
        Ground::Referee,
        Ground::Vote,
    ] {
        assert!(grounds.contains(&ground), "{ground:?}");
    }
}

#[test]
fn a_block_that_does_not_follow_changes_nothing() {
    let story = story(Agreement::Unanimous, 4, 1);
    let blocks = blocks(&story.entries, 5);
    let mut recheck = recheck(&story.facts);
    for (number, block) in blocks.iter().enumerate() {
        if let Some(next) = blocks.get(number + 1) {
            assert!(recheck.take(&next.to_bytes()).is_err());
        }
        recheck.take(&block.to_bytes()).unwrap();
        assert!(recheck.take(&block.to_bytes()).is_err());
    }
    assert!(recheck.end().is_some());
}

#[test]
fn work_that_was_acknowledged_is_found_where_it_should_be() {
    let story = story(Agreement::Unanimous, 4, 2);
    let mut recheck = recheck(&story.facts);
    for (position, entry) in (0..).zip(&story.entries) {
        if let Entry::Revealed { receipt, .. } = entry {
            recheck.expect(acknowledged(receipt, position)).unwrap();
        }
    }
    for block in blocks(&story.entries, 5) {
        recheck.take(&block.to_bytes()).unwrap();
    }
}

pub(crate) fn acknowledged(receipt: &SignedReceipt, position: u64) -> SignedAcknowledgement {
    let acknowledgement = Acknowledgement {
        job: receipt.payload.job,
        task: receipt.payload.task,
        replica: receipt.payload.replica,
        device: receipt.payload.device,
        receipt: receipt_digest(receipt),
        position,
    };
    SignedAcknowledgement::alone(acknowledgement, &node(), &HERE)
}

#[test]
fn many_receipts_are_checked_where_they_lie() {
    let mut dice = Dice(1);
    let receipts: Vec<_> = (0..20)
        .map(|n| receipt(n, 0, dice.below(40), u64::from(n), 0).encode())
        .collect();
    let bytes = receipts.concat();
    assert_eq!(verify_receipts(&bytes, &HERE), Ok(20));
    assert_eq!(verify_receipts(&[], &HERE), Ok(0));
    assert_eq!(
        verify_receipts(&bytes, &GenesisHash([9; 32])),
        Err(ReceiptsFault::Signature { index: 0 })
    );
    assert_eq!(
        verify_receipts(&bytes[..bytes.len() - 1], &HERE),
        Err(ReceiptsFault::Malformed { index: 19 })
    );
    let mut changed = bytes;
    let place = receipts[0].len() * 3 + 40;
    changed[place] ^= 1;
    assert!(matches!(
        verify_receipts(&changed, &HERE),
        Err(ReceiptsFault::Signature { index: 3 })
    ));
}

/// A replica of task 0, given to a device.
pub(crate) fn assigned(replica: u8, device: usize) -> Entry {
    Entry::Assigned {
        task: 0,
        replica,
        device: device_key(device).id(),
        account: account(device),
        engine: Digest([13; 32]),
        at: 2,
        lanes: 1,
    }
}

/// What a device says of task 0 that it got with the entry at this place: that the program traps.
fn trapped(replica: u8, device: usize, position: u64) -> SignedReceipt {
    let mut payload = receipt(0, replica, device, position, 0).payload;
    payload.exit = Exit::Trap;
    payload.result_bytes = 0;
    device_key(device).sign(payload, &HERE)
}

/// A job of one task on which two devices agree that the program traps, as a referee finds too.
pub(crate) fn failing() -> Vec<Entry> {
    let mut entries = story(Agreement::Unanimous, 1, 1).entries;
    entries.truncate(2);
    let devices = [1, 3];
    let mut replicas = Vec::new();
    let (mut commitments, mut answers) = (Vec::new(), Vec::new());
    for (replica, device) in (0..).zip(devices) {
        let position = entries.len() as u64;
        entries.push(assigned(replica, device));
        let signed = trapped(replica, device, position);
        commitments.push(Entry::Committed {
            commitment: commitment(&signed.payload, device),
        });
        replicas.push(ReplicaFinding {
            replica,
            device: device_key(device).id(),
            account: account(device),
            finding: Finding::Accepted,
            receipt: Some(receipt_digest(&signed)),
            pay: 0,
        });
        answers.push(Entry::Revealed {
            receipt: signed,
            output: OutputPlace::File { bytes: 216 },
        });
    }
    let Entry::Revealed { receipt, .. } = &answers[0] else {
        panic!("no receipt");
    };
    let verdict = Verdict {
        job: JOB,
        task: 0,
        answer: receipt.payload.answer(),
        ground: Ground::Referee,
        price: 0,
        replicas,
    };
    entries.extend(commitments);
    entries.extend(answers);
    entries.push(refereed(verdict.answer));
    entries.push(Entry::Judged { verdict });
    entries.push(Entry::Ended {
        end: End::Program { task: 0 },
    });
    entries
}

#[test]
fn a_program_that_fails_on_two_devices_ends_the_job_and_is_never_settled() {
    let facts = Facts::new(Agreement::Unanimous, 1);
    let entries = failing();
    let recheck = follow(&facts, &entries, 3).unwrap();
    assert_eq!(recheck.end(), Some(End::Program { task: 0 }));
    let mut batch = story(Agreement::Unanimous, 1, 1).batches.remove(0);
    batch.log = LogRange {
        first: 0,
        last: entries.len() as u64 - 1,
    };
    assert!(matches!(
        recheck.batch(&batch),
        Err(RecheckFault::Batch {
            why: BatchFault::NoVerdict { task: 0 },
            ..
        })
    ));
}

/// The same log with another word of the referee, or none, and with another verdict.
fn failing_but(word: Option<Entry>, change: impl FnOnce(&mut Verdict)) -> Vec<Entry> {
    let mut entries = failing();
    let said = entries
        .iter()
        .position(|it| matches!(it, Entry::Refereed { .. }))
        .unwrap();
    match word {
        Some(word) => entries[said] = word,
        None => drop(entries.remove(said)),
    }
    let mut judged = entries.iter_mut().filter_map(|it| match it {
        Entry::Judged { verdict } => Some(verdict),
        _ => None,
    });
    change(judged.next().unwrap());
    entries
}

#[test]
fn that_a_program_fails_is_accepted_only_after_a_referee_was_asked() {
    let facts = Facts::new(Agreement::Unanimous, 1);
    let unanimous = |verdict: &mut Verdict| verdict.ground = Ground::Unanimous;
    let unasked = failing_but(None, unanimous);
    assert!(matches!(
        follow(&facts, &unasked, 9),
        Err(RecheckFault::Verdict {
            why: VerdictFault::Undecided,
            ..
        })
    ));
    let word = RefereeWord::None;
    let unavailable = failing_but(Some(Entry::Refereed { task: 0, word }), unanimous);
    let recheck = follow(&facts, &unavailable, 9).unwrap();
    assert_eq!(recheck.end(), Some(End::Program { task: 0 }));
}

#[test]
fn a_referee_that_computes_what_two_say_fails_finds_both_wrong() {
    let facts = Facts::new(Agreement::Unanimous, 1);
    let truth = answer(0, 0);
    let mut entries = failing_but(Some(refereed(truth)), |verdict| {
        verdict.answer = truth;
        for found in &mut verdict.replicas {
            found.finding = Finding::Incorrect;
        }
    });
    let over = follow(&facts, &entries, 9);
    assert!(matches!(
        over,
        Err(RecheckFault::Order {
            why: OrderFault::NoSuchEnd,
            ..
        })
    ));
    entries.pop();
    assert_eq!(follow(&facts, &entries, 9).unwrap().judged(), 1);
}

#[test]
fn a_referee_that_was_asked_is_heard_though_more_answers_came_meanwhile() {
    let majority = Agreement::Majority { replicas: 3 };
    let facts = Facts::new(majority, 1);
    let mut entries = story(majority, 1, 1).entries;
    entries.truncate(2);
    entries.push(Entry::Added {
        task: 0,
        replicas: 1,
    });
    let (mut commitments, mut answers) = (Vec::new(), Vec::new());
    for replica in 0..4 {
        let (device, position) = (2 * usize::from(replica), entries.len() as u64);
        entries.push(assigned(replica, device));
        let (receipt, output) = match replica < 2 {
            true => (
                trapped(replica, device, position),
                OutputPlace::File { bytes: 216 },
            ),
            false => (
                receipt(0, replica, device, position, 0),
                OutputPlace::Inline { bytes: 226 },
            ),
        };
        commitments.push(Entry::Committed {
            commitment: commitment(&receipt.payload, device),
        });
        answers.push(Entry::Revealed { receipt, output });
    }
    // Two against two: devices may decide it now, but the referee was asked before.
    entries.extend(commitments);
    entries.extend(answers);
    entries.push(refereed(answer(0, 0)));
    assert!(follow(&facts, &entries, 9).is_ok());
}

/// A referee's word on task 0.
fn refereed(answer: Answer) -> Entry {
    let report = RefereeReport {
        job: JOB,
        task: 0,
        question: Digest([46; 32]),
        answer,
    };
    Entry::Refereed {
        task: 0,
        word: RefereeWord::Computed {
            report: referee().sign(report, &HERE),
            node: referee().public(),
        },
    }
}

#[test]
fn where_a_majority_cannot_decide_a_referee_is_heard_once_and_not_believed_alone_that_it_fails() {
    let majority = Agreement::Majority { replicas: 3 };
    let facts = Facts::new(majority, 1);
    let mut entries = story(majority, 1, 1).entries;
    entries.truncate(2);
    entries.push(Entry::Added {
        task: 0,
        replicas: 12,
    });
    let (mut commitments, mut answers) = (Vec::new(), Vec::new());
    for replica in 0..15 {
        // Fifteen accounts give fifteen answers.
        let (device, position) = (2 * usize::from(replica), entries.len() as u64);
        entries.push(assigned(replica, device));
        let receipt = receipt(0, replica, device, position, replica);
        commitments.push(Entry::Committed {
            commitment: commitment(&receipt.payload, device),
        });
        answers.push(Entry::Revealed {
            receipt,
            output: OutputPlace::Inline { bytes: 226 },
        });
    }
    entries.extend(commitments);
    entries.extend(answers);
    let undecided = Entry::Ended {
        end: End::Undecided { task: 0 },
    };
    let fails = refereed(Answer {
        exit: Exit::Trap,
        ..answer(0, 0)
    });
    let ends = |word: &[Entry]| {
        let log = [&entries[..], word, std::slice::from_ref(&undecided)].concat();
        follow(&facts, &log, 9).map(|recheck| recheck.end())
    };
    assert_eq!(
        ends(std::slice::from_ref(&fails)).unwrap(),
        Some(End::Undecided { task: 0 })
    );
    assert!(
        matches!(
            ends(&[]),
            Err(RecheckFault::Order {
                why: OrderFault::NoSuchEnd,
                ..
            })
        ),
        "nothing is given up before a referee was asked"
    );
    assert!(matches!(
        ends(&[fails.clone(), fails]),
        Err(RecheckFault::Referee {
            why: RefereeFault::NotWaiting,
            ..
        })
    ));
    assert!(matches!(
        ends(&[refereed(answer(0, 0))]),
        Err(RecheckFault::Order {
            why: OrderFault::NoSuchEnd,
            ..
        })
    ));
}

#[test]
fn an_input_that_opens_nowhere_ends_the_job_only_if_a_device_and_no_referee_said_otherwise() {
    let facts = Facts::new(Agreement::Unanimous, 1);
    let mut given = failing();
    given.truncate(3);
    let end = Entry::Ended {
        end: End::Unopened { task: 0 },
    };
    let said = Entry::Released {
        task: 0,
        replica: 0,
        device: device_key(1).id(),
        cause: ReleaseCause::BadInput { trusted: false },
    };
    let in_vain = Entry::Refereed {
        task: 0,
        word: RefereeWord::None,
    };
    let computed = refereed(answer(0, 0));
    let told = |more: &[&Entry]| {
        let more = more.iter().map(|entry| (*entry).clone());
        let log: Vec<_> = given.iter().cloned().chain(more).collect();
        follow(&facts, &log, 3).map(|recheck| recheck.end())
    };
    for unfounded in [&[&end][..], &[&said, &end], &[&said, &computed, &end]] {
        assert!(matches!(
            told(unfounded),
            Err(RecheckFault::Order {
                why: OrderFault::NoSuchEnd,
                ..
            })
        ));
    }
    let end = told(&[&said, &in_vain, &end]).unwrap();
    assert_eq!(end, Some(End::Unopened { task: 0 }));
}

#[test]
fn a_referee_that_opens_what_devices_could_not_decides_and_they_have_failed() {
    let facts = Facts::new(Agreement::Unanimous, 1);
    let mut entries = failing();
    entries.truncate(4);
    let mut replicas = Vec::new();
    for (replica, device) in [(0, 1), (1, 3)] {
        entries.push(Entry::Released {
            task: 0,
            replica,
            device: device_key(device).id(),
            cause: ReleaseCause::BadInput { trusted: false },
        });
        replicas.push(ReplicaFinding {
            replica,
            device: device_key(device).id(),
            account: account(device),
            finding: Finding::Failed,
            receipt: None,
            pay: 0,
        });
    }
    let truth = answer(0, 0);
    entries.push(refereed(truth));
    let verdict = Verdict {
        job: JOB,
        task: 0,
        answer: truth,
        ground: Ground::Referee,
        price: 0,
        replicas,
    };
    entries.push(Entry::Judged { verdict });
    assert_eq!(follow(&facts, &entries, 9).unwrap().judged(), 1);
}

#[test]
fn who_takes_a_job_over_begins_with_its_name_and_goes_on_where_the_log_is() {
    let facts = Facts::new(Agreement::Unanimous, 1);
    let entries = failing();
    let (early, late) = entries.split_at(4);
    let mut recheck = follow(&facts, early, 2).unwrap();
    let unwritten = acknowledged(&receipt(0, 0, 1, 3, 0), 5);
    recheck.expect(unwritten.clone()).unwrap();
    let left = recheck.hand_over(successor().public());
    assert_eq!(left, [unwritten], "that stands against the one before");
    let written = |entries: &[Entry]| {
        let mut builder = LogBuilder::resume(recheck.replay(), successor());
        for entry in entries {
            builder.append(entry.clone(), 2).unwrap();
        }
        builder.cut(2).unwrap().to_bytes()
    };
    let opened = Entry::Opened {
        coordinator: account(0),
        node: successor().public(),
        at: TAKEN_OVER_AT,
    };
    let nameless = written(late);
    let named = written(&[vec![opened], late.to_vec()].concat());
    assert!(matches!(
        recheck.clone().take(&nameless),
        Err(RecheckFault::Order {
            position: 4,
            why: OrderFault::NotOpened
        })
    ));
    recheck.take(&named).unwrap();
    assert_eq!(recheck.judged(), 1);
}
