use super::*;
use codec::Encode;
use quern_primitives::{Digest, job::JobEnd};

const ME: AccountId = AccountId::new([1; 32]);
const OTHER: AccountId = AccountId::new([2; 32]);
const JOB: JobId = JobId([9; 32]);

const NOTHING: [(What, Amount); 0] = [];

/// A reason for holding money: the numbers of a pallet and of one of its reasons.
const REASON: [u8; 2] = [16, 0];

fn event(pallet: &str, name: &str, fields: impl Encode) -> ChainEvent {
    ChainEvent {
        pallet: pallet.to_owned(),
        name: name.to_owned(),
        transaction: Some(1),
        bytes: fields.encode(),
        text: String::new(),
        held_for: None,
    }
}

/// An event of held money, which a pallet holds.
fn hold(pallet: &str, name: &str, who: &AccountId, amount: Amount) -> ChainEvent {
    ChainEvent {
        held_for: Some(pallet.to_owned()),
        ..event("Balances", name, (REASON, who, amount))
    }
}

fn from_escrow(from: &AccountId, to: &AccountId, amount: Amount) -> ChainEvent {
    ChainEvent {
        held_for: Some("Jobs".to_owned()),
        ..event("Balances", "TransferOnHold", (REASON, from, to, amount))
    }
}

/// A batch that pays so much to workers, and to its masternodes.
fn finalised(job: JobId, batch: BatchSequence, workers: Amount, operators: Amount) -> ChainEvent {
    let fields = (job, batch, 1_u32, workers, operators, 0_u128);
    event("Jobs", "BatchFinalised", fields)
}

fn found(events: &[ChainEvent]) -> Vec<(What, Amount)> {
    let entries = entries(&ME, events).into_iter();
    entries.map(|entry| (entry.what, entry.amount)).collect()
}

#[test]
fn each_movement_is_told_from_the_account_s_side() {
    let transfer = |from: &AccountId, to: &AccountId| {
        found(&[event("Balances", "Transfer", (from, to, 5_u128))])
    };
    assert_eq!(transfer(&ME, &OTHER), [(What::Sent, 5)]);
    assert_eq!(transfer(&OTHER, &ME), [(What::Received, 5)]);
    assert_eq!(transfer(&OTHER, &OTHER), NOTHING);
    for (pallet, name, what) in [
        ("Jobs", "Held", What::Escrowed),
        ("Jobs", "Released", What::Released),
        ("Workforce", "Held", What::Bonded),
        ("Workforce", "Released", What::Withdrawn),
        ("Bytechip", "Held", What::PayoutAsked),
        ("Bytechip", "BurnedHeld", What::PayoutMade),
        ("Bytechip", "Released", What::PayoutReturned),
        ("Session", "Held", What::Deposited),
        ("Session", "Released", What::DepositReturned),
    ] {
        let of = |who| found(&[hold(pallet, name, who, 7)]);
        assert_eq!(of(&ME), [(what, 7)], "{pallet} {name}");
        assert_eq!(of(&OTHER), NOTHING, "{pallet} {name}");
    }
    let reserved = |name| found(&[event("Balances", name, (&ME, 3_u128))]);
    assert_eq!(reserved("Reserved"), [(What::Deposited, 3)]);
    assert_eq!(reserved("Unreserved"), [(What::DepositReturned, 3)]);
    let unbonded = event("Workforce", "Unbonded", (&ME, 4_u128, 100_u32));
    assert_eq!(found(&[unbonded]), [(What::Unbonded, 4)]);
}

#[test]
fn what_a_movement_was_for_is_told_by_what_stands_behind_it() {
    let told = |movement: ChainEvent, name: &str, fields: Vec<u8>| {
        let pallet = if name.starts_with("Job") {
            "Jobs"
        } else {
            "Bytechip"
        };
        let behind = ChainEvent {
            bytes: fields,
            ..event(pallet, name, ())
        };
        // Another transaction's tells nothing.
        let later = ChainEvent {
            transaction: Some(2),
            ..behind.clone()
        };
        assert_eq!(entries(&ME, &[movement.clone(), later])[0].job, None);
        entries(&ME, &[movement, behind]).remove(0)
    };
    let job = (JOB, &ME, 8_u128).encode();
    let escrowed = told(hold("Jobs", "Held", &ME, 8), "JobSubmitted", job);
    assert_eq!((escrowed.what, escrowed.job), (What::Escrowed, Some(JOB)));
    let ended = (JOB, JobEnd::OwnerCancelled, 8_u128).encode();
    let released = told(hold("Jobs", "Released", &ME, 8), "JobEnded", ended);
    assert_eq!((released.what, released.job), (What::Released, Some(JOB)));
    let payout = (3_u64, &ME, 4_u128, Digest::default()).encode();
    let asked = told(hold("Bytechip", "Held", &ME, 4), "PayoutRequested", payout);
    assert_eq!(asked.with.as_deref(), Some("payout 3"));
    let minted = event("Balances", "Minted", (&ME, 9_u128));
    let bought = (b"bank-1".to_vec(), &ME, 100_u64, 9_u128).encode();
    let bought = told(minted, "PurchaseRecorded", bought);
    assert_eq!(
        (bought.what, bought.with.as_deref()),
        (What::Bought, Some("bank-1"))
    );
}

#[test]
fn pay_names_job_and_batch_wherever_in_the_transaction_it_stands() {
    let names = |events: &[ChainEvent]| -> Vec<_> {
        let entries = entries(&ME, events).into_iter();
        entries
            .map(|entry| (entry.what, entry.job, entry.batch))
            .collect()
    };
    let pay = || from_escrow(&OTHER, &ME, 7);
    let earned = (What::Earned, Some(JOB), Some(3));
    let whole = [pay(), finalised(JOB, 3, 7, 7), pay()];
    assert_eq!(names(&whole), [earned, earned]);
    let of_mine = [from_escrow(&ME, &OTHER, 7), finalised(JOB, 3, 7, 0)];
    assert_eq!(
        names(&of_mine),
        [(What::PaidFromEscrow, Some(JOB), Some(3))]
    );
    // Two batches in one transaction each have the payments that fit them.
    let other = JobId([8; 32]);
    let two = [
        pay(),
        finalised(JOB, 3, 7, 0),
        pay(),
        pay(),
        finalised(other, 0, 14, 0),
    ];
    let of_other = (What::Earned, Some(other), Some(0));
    assert_eq!(names(&two), [earned, of_other, of_other]);
    // What fits none is of none.
    let unknown: (What, Option<JobId>, Option<BatchSequence>) = (What::Earned, None, None);
    assert_eq!(names(&[pay(), finalised(JOB, 3, 8, 0)]), [unknown]);
    // An owner may be paid for a part of the own job.
    let own = [from_escrow(&ME, &ME, 7), finalised(JOB, 3, 7, 0)];
    let own = entries(&ME, &own);
    assert_eq!(own.len(), 2);
    assert_eq!((own[0].from, own[0].to), (Some(Purse::Held), None));
    assert_eq!((own[1].from, own[1].to), (None, Some(Purse::Free)));
}

#[test]
fn a_fee_is_what_was_not_given_back_and_the_author_s_share_is_no_refund() {
    let deposit = |who: &AccountId, amount: Amount| event("Balances", "Deposit", (who, amount));
    let paid = |who: &AccountId, fee: Amount| {
        let fields = (who, fee, 0_u128);
        event("TransactionPayment", "TransactionFeePaid", fields)
    };
    let taken = event("Balances", "Withdraw", (&ME, 10_u128));
    // Who pays may be the author of the block as well.
    let all = [
        taken.clone(),
        deposit(&ME, 4),
        deposit(&OTHER, 2),
        deposit(&ME, 4),
        paid(&ME, 6),
    ];
    assert_eq!(found(&all), [(What::Fee, 6), (What::FeesShared, 4)]);
    // A call that costs nothing leaves nothing.
    let free = [taken.clone(), deposit(&ME, 10), paid(&ME, 0)];
    assert_eq!(found(&free), NOTHING);
    let of_another = ChainEvent {
        transaction: Some(2),
        ..deposit(&ME, 4)
    };
    let two = [taken, deposit(&ME, 4), paid(&ME, 6), of_another];
    assert_eq!(found(&two), [(What::Fee, 6), (What::FeesShared, 4)]);
    let others = event("Balances", "Withdraw", (&OTHER, 10_u128));
    let of_others = [others, deposit(&OTHER, 4), deposit(&ME, 4), paid(&OTHER, 6)];
    assert_eq!(found(&of_others), [(What::FeesShared, 4)]);
}

#[test]
fn events_of_unknown_shape_are_passed_over() {
    let unknown = [
        event("Balances", "Transfer", &ME),
        event("Balances", "Endowed", (&ME, 1_u128)),
        event("Jobs", "JobSubmitted", (JOB, &ME, 1_u128)),
    ];
    assert_eq!(found(&unknown), NOTHING);
}
