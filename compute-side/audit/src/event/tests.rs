use super::*;
use codec::Encode;

const A: AccountId = AccountId::new([1; 32]);
const B: AccountId = AccountId::new([2; 32]);
const TREASURY: AccountId = AccountId::new([3; 32]);
const JOB: JobId = JobId([9; 32]);

/// An event that owns its fields.
#[derive(Clone)]
struct Owned {
    transaction: Option<u32>,
    pallet: &'static str,
    name: &'static str,
    fields: Vec<u8>,
    held_for: Option<&'static str>,
}

fn event(pallet: &'static str, name: &'static str, fields: impl Encode) -> Owned {
    Owned {
        transaction: Some(1),
        pallet,
        name,
        fields: fields.encode(),
        held_for: None,
    }
}

/// Out of an escrow.
fn pay(from: &AccountId, to: &AccountId, amount: Amount) -> Owned {
    Owned {
        held_for: Some("Jobs"),
        ..event("Balances", "TransferOnHold", ([16_u8, 0], from, to, amount))
    }
}

fn hold(pallet: &'static str, name: &'static str, who: &AccountId, amount: Amount) -> Owned {
    Owned {
        held_for: Some(pallet),
        ..event("Balances", name, ([0_u8, 0], who, amount))
    }
}

fn finalised(job: JobId, sequence: u32, workers: Amount, shares: [Amount; 2]) -> Owned {
    let fields = (job, sequence, 1_u32, workers, shares[0], shares[1]);
    event("Jobs", "BatchFinalised", fields)
}

fn read_all(events: &[Owned]) -> Vec<Entry> {
    let borrowed: Vec<_> = events
        .iter()
        .map(|it| Event {
            transaction: it.transaction,
            pallet: it.pallet,
            name: it.name,
            fields: &it.fields,
            held_for: it.held_for,
        })
        .collect();
    read(&borrowed)
}

/// Kind, amount, job and batch of each movement.
fn found(events: &[Owned]) -> Vec<(Kind, Amount, Option<JobId>, Option<BatchSequence>)> {
    let entries = read_all(events);
    let movements = entries.iter().filter_map(Entry::movement);
    movements
        .map(|it| (it.kind, it.amount, it.job, it.batch))
        .collect()
}

#[test]
fn of_several_batches_in_one_transaction_each_payment_is_told_its_own() {
    let other = JobId([8; 32]);
    let events = [
        pay(&A, &B, 5),
        pay(&A, &A, 2),
        finalised(JOB, 3, 7, [4, 1]),
        pay(&A, &B, 2),
        pay(&A, &A, 2),
        pay(&A, &TREASURY, 1),
        pay(&B, &A, 4),
        finalised(other, 0, 4, [0, 2]),
        pay(&B, &TREASURY, 2),
        hold("Jobs", "Released", &B, 6),
        event("Jobs", "JobEnded", (other, JobEnd::AllSettled, 6_u128)),
    ];
    let (this, that) = (Some(JOB), Some(other));
    assert_eq!(
        found(&events),
        [
            (Kind::WorkerPay, 5, this, Some(3)),
            (Kind::WorkerPay, 2, this, Some(3)),
            (Kind::OperatorPay, 2, this, Some(3)),
            (Kind::OperatorPay, 2, this, Some(3)),
            (Kind::TreasuryShare, 1, this, Some(3)),
            (Kind::WorkerPay, 4, that, Some(0)),
            (Kind::TreasuryShare, 2, that, Some(0)),
            (Kind::EscrowReleased, 6, that, None),
        ]
    );
}

/// The kinds of payments behind the event of a batch that pays nine units to operators and three to the treasury.
fn kinds_behind(payments: &[(&AccountId, Amount)]) -> Vec<Kind> {
    let mut events = vec![finalised(JOB, 3, 0, [9, 3])];
    events.extend(payments.iter().map(|(to, amount)| pay(&A, to, *amount)));
    found(&events).iter().map(|it| it.0).collect()
}

#[test]
fn operators_are_paid_in_equal_parts_each_account_one() {
    use Kind::{EscrowPaid, EscrowReleased, OperatorPay, TreasuryShare};
    let (c, treasury) = (AccountId::new([4; 32]), (&TREASURY, 3));
    let parts = kinds_behind(&[(&A, 3), (&B, 3), (&c, 3), treasury]);
    assert_eq!(
        parts,
        [OperatorPay, OperatorPay, OperatorPay, TreasuryShare]
    );
    let alone = kinds_behind(&[(&B, 9), treasury]);
    assert_eq!(alone, [OperatorPay, TreasuryShare]);
    // Unequal ones, a second one for the same account, and what is no whole number of parts.
    let unequal = kinds_behind(&[(&B, 3), (&c, 6), treasury]);
    assert_eq!(unequal, [OperatorPay, EscrowPaid, OperatorPay]);
    let twice = kinds_behind(&[(&B, 3), (&B, 3), (&c, 3)]);
    assert_eq!(twice, [OperatorPay, EscrowPaid, OperatorPay]);
    let uneven = kinds_behind(&[(&B, 4), (&A, 5)]);
    assert_eq!(uneven, [EscrowPaid, EscrowReleased]);
    // More than a group has members.
    let accounts: Vec<_> = (10..19).map(|byte| AccountId::new([byte; 32])).collect();
    let nine: Vec<_> = accounts.iter().map(|account| (account, 1)).collect();
    assert_eq!(kinds_behind(&nine), [EscrowPaid; 9]);
}

#[test]
fn what_is_settled_or_struck_moves_nothing_and_is_said() {
    let settled = (JOB, 3_u32, 1_u32, 10_u128, 7_u128, 2_u128, 1_u128, 99_u32);
    let entries = read_all(&[
        event("Jobs", "BatchSettled", settled),
        event("Jobs", "BatchStruck", (JOB, 3_u32, 1_u32, 10_u128)),
        hold("Jobs", "Released", &A, 5),
        event("Jobs", "JobSettling", (JOB, JobEnd::DeadlinePassed, 5_u128)),
    ]);
    let said: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Said(statement) => Some(statement.clone()),
            What::Moved(_) => None,
        })
        .collect();
    let (job, sequence, tasks, spent) = (JOB, 3, 1, 10);
    let expected = [
        Statement::Settled(Settled {
            job,
            sequence,
            tasks,
            spent,
            workers: 7,
            operators: 2,
            treasury: 1,
        }),
        Statement::Struck(Struck {
            job,
            sequence,
            tasks,
            spent,
        }),
        Statement::Settling { job, refunded: 5 },
    ];
    assert_eq!(said, expected);
    let moved: Vec<_> = entries.iter().filter_map(Entry::movement).collect();
    assert_eq!((moved.len(), moved[0].job), (1, Some(JOB)));
}

#[test]
fn a_payment_that_does_not_fit_its_batch_is_left_unexplained() {
    let too_much = [pay(&A, &B, 8), finalised(JOB, 0, 7, [2, 0]), pay(&A, &B, 3)];
    assert_eq!(
        found(&too_much),
        [
            (Kind::EscrowPaid, 8, None, None),
            (Kind::EscrowPaid, 3, None, None)
        ]
    );
    let of_two_owners = [pay(&A, &B, 3), pay(&B, &A, 4), finalised(JOB, 0, 7, [0, 0])];
    let kinds = found(&of_two_owners);
    assert!(kinds.iter().all(|it| it.0 == Kind::EscrowPaid), "{kinds:?}");
}

#[test]
fn an_escrow_is_its_job_s_and_a_payout_has_its_number() {
    let submitted = |amount: Amount| event("Jobs", "JobSubmitted", (JOB, &A, amount));
    let held = hold("Jobs", "Held", &A, 8);
    let job_of = |events: &[Owned]| found(events)[0].2;
    assert_eq!(job_of(&[held.clone(), submitted(8)]), Some(JOB));
    assert_eq!(job_of(&[held.clone(), submitted(9)]), None);
    let later = Owned {
        transaction: Some(2),
        ..submitted(8)
    };
    assert_eq!(job_of(&[held, later]), None);

    let asked = event(
        "Bytechip",
        "PayoutRequested",
        (7_u64, &A, 4_u128, Digest::default()),
    );
    let made = event(
        "Bytechip",
        "PayoutCompleted",
        (7_u64, &A, 4_u128, b"bank".to_vec()),
    );
    let entries = read_all(&[
        hold("Bytechip", "Held", &A, 4),
        asked,
        hold("Bytechip", "BurnedHeld", &A, 4),
        made,
    ]);
    let notes: Vec<_> = entries.iter().filter_map(Entry::movement).collect();
    assert_eq!(notes[0].note, Some(Note::Payout(7)));
    assert_eq!(
        (notes[1].note.clone(), notes[1].kind),
        (Some(Note::Payout(7)), Kind::PayoutBurnt)
    );
    let bought = (b"bank-1".to_vec(), &A, 100_u64, 9_u128);
    let bought = read_all(&[
        event("Balances", "Minted", (&A, 9_u128)),
        event("Bytechip", "PurchaseRecorded", bought),
    ]);
    let movement = bought[0].movement();
    assert_eq!(movement.map(|it| it.kind), Some(Kind::Purchase));
}

#[test]
fn what_comes_back_of_a_fee_is_told_from_the_author_s_share() {
    let deposit = |who: &AccountId, amount: Amount| event("Balances", "Deposit", (who, amount));
    let events = [
        event("Balances", "Withdraw", (&A, 10_u128)),
        deposit(&A, 4),
        deposit(&B, 0),
        deposit(&TREASURY, 2),
        deposit(&A, 4),
        event(
            "TransactionPayment",
            "TransactionFeePaid",
            (&A, 6_u128, 0_u128),
        ),
    ];
    let kinds: Vec<_> = found(&events).iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(
        kinds,
        [
            (Kind::FeeTaken, 10),
            (Kind::FeeReturned, 4),
            (Kind::FeeShared, 2),
            (Kind::FeeShared, 4),
        ]
    );
}

#[test]
fn an_event_of_the_balances_that_is_not_understood_is_named() {
    let unread = |event: Owned| match read_all(&[event]).remove(0).what {
        What::Said(Statement::Unread { event }) => event,
        other => format!("{other:?}"),
    };
    let set = event("Balances", "BalanceSet", (&A, 1_u128));
    assert_eq!(unread(set), "Balances.BalanceSet");
    let short = event("Balances", "Transfer", &A);
    assert_eq!(unread(short), "Balances.Transfer");
    let longer = event("Jobs", "JobSubmitted", (JOB, &A, 1_u128, 0_u8));
    assert_eq!(unread(longer), "Jobs.JobSubmitted");
    let nameless = event("Balances", "Held", ([0_u8, 0], &A, 1_u128));
    assert_eq!(unread(nameless), "Balances.Held");
    let nothing = [
        event("Balances", "Endowed", (&A, 1_u128)),
        event("System", "ExtrinsicSuccess", 7_u32),
    ];
    assert!(read_all(&nothing).is_empty());
}
