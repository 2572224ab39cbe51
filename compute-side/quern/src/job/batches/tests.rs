//! Tests of how a job's batches are chosen, summed and shown.

use super::*;
use quern_primitives::{Digest, amount::BYTECHIP, batch::LogRange};

fn row(batch: BatchSequence, tasks: u32, spent: Amount, paid: Amount) -> Row {
    Row {
        batch,
        record: BatchRecord {
            verdicts_root: Digest([batch as u8; 32]),
            log: LogRange { first: 1, last: 9 },
            block: 2,
            head: Digest([7; 32]),
            tasks,
            spent,
            paid,
            settled_at: 100 + batch,
            state: BatchState::Final { at: 200 },
        },
    }
}

/// Two batches that settle three tasks, and what the chain says of their job.
fn settled() -> (Escrow, Vec<Row>) {
    let escrow = Escrow {
        deposited: 20 * BYTECHIP,
        paid: 7 * BYTECHIP,
        network: 3 * BYTECHIP,
        refunded: 10 * BYTECHIP,
        pending: 0,
        held: 0,
    };
    let batches = vec![
        row(0, 1, 4 * BYTECHIP, 3 * BYTECHIP),
        row(1, 2, 6 * BYTECHIP, 4 * BYTECHIP),
    ];
    (escrow, batches)
}

fn listed(batches: Vec<Row>, adds_up: Option<bool>) -> Listed {
    Listed {
        job: JobId([5; 32]),
        block: 200,
        tasks: 4,
        settled_tasks: 3,
        settled_batches: 2,
        adds_up,
        batches,
    }
}

#[test]
fn batches_are_listed_from_where_one_asks_and_no_more_than_there_are() {
    assert_eq!(asked_for(0, 1_000, 3), Ok(0..3));
    assert_eq!(asked_for(1, 1, 3), Ok(1..2));
    assert_eq!(asked_for(2, u32::MAX, 3), Ok(2..3));
    assert_eq!(asked_for(0, 1_000, 0), Ok(0..0));
    assert_eq!(asked_for(3, 1, 3), Err(BatchesError::Behind { settled: 3 }));
    let error = asked_for(1, 1, 0).unwrap_err().to_string();
    assert!(error.contains("0 batches") && error.contains("--from"));
}

#[test]
fn all_batches_together_are_what_left_the_escrow() {
    let (escrow, batches) = settled();
    assert!(adds_up(&escrow, 3, &batches));
    assert!(adds_up(&Escrow::default(), 0, &[]));
    assert!(!adds_up(&escrow, 4, &batches), "a task is missing");
    assert!(!adds_up(&escrow, 1, &batches[..1]), "a batch is missing");
    let paid = Escrow {
        paid: escrow.paid + 1,
        network: escrow.network - 1,
        ..escrow
    };
    assert!(!adds_up(&paid, 3, &batches), "workers got something else");
    let network = Escrow {
        network: escrow.network + 1,
        ..escrow
    };
    assert!(!adds_up(&network, 3, &batches), "they cost something else");
    let mut others = batches.clone();
    others[1].record.state = BatchState::Pending { due: 300 };
    let pending = Escrow {
        paid: 3 * BYTECHIP,
        network: BYTECHIP,
        pending: 6 * BYTECHIP,
        ..escrow
    };
    assert!(adds_up(&pending, 3, &others));
    assert!(!adds_up(&escrow, 3, &others), "not all of it is paid");
    others[1].record.state = BatchState::Struck { at: 300 };
    let struck = Escrow {
        pending: 0,
        held: 6 * BYTECHIP,
        ..pending
    };
    assert!(
        adds_up(&struck, 1, &others),
        "what is struck counts nothing"
    );
    let vast = [row(0, 1, Amount::MAX, 0), row(1, 2, 1, 0)];
    assert!(!adds_up(&escrow, 3, &vast), "no amount holds the sum");
}

#[test]
fn a_batch_is_a_line_with_its_whole_root() {
    let text = listed(settled().1, Some(true)).people();
    assert!(text.contains("3 of 4 tasks"), "{text}");
    let root = Digest([1; 32]).to_string();
    let line = text.lines().find(|line| line.ends_with(&root)).unwrap();
    let cells: Vec<_> = line.split_whitespace().collect();
    assert_eq!(cells[..7], ["1", "101", "2", "6", "BC", "4", "BC"]);
    assert!(text.contains("✓ tasks, costs and pay add up"), "{text}");
    let wrong = listed(settled().1, Some(false)).people();
    assert!(wrong.contains("✗") && wrong.contains("DO NOT"), "{wrong}");
}

#[test]
fn a_part_of_the_batches_says_how_to_see_the_others() {
    let first = listed(settled().1[..1].to_vec(), None).people();
    assert!(first.contains("1 of 2 listed"), "{first}");
    assert!(first.contains("--from 1"), "{first}");
    let second = listed(settled().1[1..].to_vec(), None).people();
    assert!(second.contains("--from 0"), "{second}");
    let none = listed(vec![], Some(true)).people();
    assert!(!none.contains("root"), "{none}");
}

#[test]
fn programs_are_told_all_that_the_chain_keeps_of_a_batch() {
    let json = serde_json::to_value(listed(settled().1, Some(true))).unwrap();
    assert_eq!(json["settled_batches"], 2);
    assert_eq!(json["adds_up"], true);
    let batch = &json["batches"][1];
    assert_eq!(batch["batch"], 1);
    assert_eq!(batch["verdicts_root"], Digest([1; 32]).to_string());
    assert_eq!(batch["log"]["last"], 9);
    assert_eq!(batch["spent"], "6000000000");
    assert_eq!(batch["paid"], "4000000000");
    assert_eq!(batch["settled_at"], 101);
}
