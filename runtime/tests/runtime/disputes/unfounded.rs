//! Disputes that prove nothing: what is right, what is shown too late, and floods of what is invalid.

use super::{
    Error, burnt,
    case::{Case, council_sets},
    fee, free, loses, pay_of, settled, shows, started, verdicts_of,
};
use quern_dispute_rules::Evidence;
use quern_primitives::{JobId, amount::BYTECHIP, params::Parameter};
use quern_runtime::{Disputes, Jobs, RuntimeCall};
use sp_keyring::Sr25519Keyring::{self, Ferdie};
use sp_runtime::ApplyExtrinsicResult;

// Wrong and late disputes.

#[test]
fn who_disputes_what_is_right_pays_the_coordinator_and_the_batch_pays_its_workers() {
    let (mut chain, case) = settled();
    let batch = case.name();
    for place in [0, 1] {
        let leaf = case.leaf(place);
        loses(&mut chain, &case, Evidence::Verdict { batch, leaf });
    }
    let receipt = Box::new(case.receipts[1].clone());
    let (leaf, input) = (case.leaf(0), None);
    let evidence = Evidence::Receipt {
        batch,
        leaf,
        receipt,
        input,
    };
    loses(&mut chain, &case, evidence);
    chain.pass_window();
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    assert_eq!(job.escrow.paid, pay_of(&case));
}

#[test]
fn a_lie_that_is_shown_too_late_stands() {
    let (mut chain, mut case) = started();
    case.verdicts[0].replicas.truncate(1);
    // Of two tasks one is settled, so that the job is not over.
    case.verdicts.truncate(1);
    case.write_batch();
    case.settle(&mut chain);
    chain.pass_window();
    let (batch, leaf) = (case.name(), case.leaf(0));
    let late = shows(&mut chain, Evidence::Verdict { batch, leaf });
    assert_eq!(late, Err(Error::NotPending.into()));
    assert_eq!(
        shows(&mut chain, Evidence::Payouts { batch }),
        Err(Error::NotPending.into())
    );
}

// Groups.

// Floods.

/// One of the many ways of showing nothing.
fn nothing(case: &Case, number: usize) -> (Evidence, Error) {
    let batch = case.name();
    let mut leaf = case.leaf(number % 2);
    match number % 6 {
        0 => {
            let mut batch = batch;
            batch.job = JobId([0x99; 32]);
            (Evidence::Payouts { batch }, Error::JobUnknown)
        }
        1 => {
            let mut batch = batch;
            batch.sequence = 70 + number as u32;
            (Evidence::Payouts { batch }, Error::NotPending)
        }
        2 => {
            leaf.place ^= 1;
            (Evidence::Verdict { batch, leaf }, Error::NotInBatch)
        }
        3 => {
            let mut acknowledgement = case.acknowledge(&case.receipts[0]);
            acknowledgement.signature.0[3] ^= 1;
            let evidence = Evidence::Omission {
                batch,
                acknowledgement,
                leaf: None,
            };
            (evidence, Error::NotSigned)
        }
        4 => {
            let first = Box::new(case.receipts[0].clone());
            let second = first.clone();
            (Evidence::Answers { first, second }, Error::Unrelated)
        }
        _ => {
            let mut entry = case.in_log(2);
            entry.logged.place += 1;
            let entry = Box::new(entry);
            (Evidence::Assignment { batch, entry }, Error::NotInLog)
        }
    }
}

/// So many invalid disputes in a row cost their sender, and the chain goes on.
fn flood(count: usize) {
    let (mut chain, case) = settled();
    let most = Parameter::AnswerTime.row().most;
    council_sets(&mut chain, Parameter::AnswerTime, most);
    let ferdie = Ferdie.to_account_id();
    let dispute = |evidence: Evidence| -> (Sr25519Keyring, RuntimeCall) {
        let evidence = Box::new(evidence);
        (Ferdie, quern_disputes::Call::dispute { evidence }.into())
    };
    // Keeps the batch pending behind its window.
    let batch = case.name();
    let held = chain.block(vec![dispute(Evidence::Payouts { batch })]);
    assert_eq!(held, [Ok(Ok(()))]);
    let mut sent = 0;
    while sent < count {
        let had = free(&mut chain, &ferdie);
        let some: Vec<_> = (sent..count.min(sent + 12))
            .map(|it| nothing(&case, it))
            .collect();
        sent += some.len();
        let (calls, errors): (Vec<_>, Vec<ApplyExtrinsicResult>) = some
            .into_iter()
            .map(|(evidence, error)| (dispute(evidence), Ok(Err(error.into()))))
            .unzip();
        // All of them have room, because none takes what a strike would.
        assert_eq!(chain.block(calls), errors);
        let paid = fee(&mut chain);
        assert!(paid > 0);
        assert_eq!(free(&mut chain, &ferdie), had - paid);
    }
    assert_eq!(burnt(&mut chain), 0);
    assert_eq!(chain.read(Disputes::total_held), 5 * BYTECHIP);
    let verdicts = verdicts_of(&case);
    chain.does(Ferdie, quern_disputes::Call::step { id: 0, verdicts });
    chain.pass_window();
    let job = chain.read(|| Jobs::job(&case.id)).unwrap();
    assert_eq!(job.escrow.paid, pay_of(&case));
}

#[test]
fn invalid_disputes_in_a_row_cost_their_sender_and_the_chain_goes_on() {
    flood(500);
}

#[test]
#[ignore = "takes minutes; `cargo xtask test --nightly` runs it"]
fn ten_thousand_invalid_disputes_in_a_row_cost_their_sender_and_the_chain_goes_on() {
    flood(10_000);
}

#[test]
fn who_has_not_the_bond_cannot_dispute() {
    let (mut chain, case) = settled();
    let poor = Sr25519Keyring::One;
    let send = pallet_balances::Call::transfer_allow_death {
        dest: sp_runtime::MultiAddress::Id(poor.to_account_id()),
        value: 4 * BYTECHIP,
    };
    chain.does(Ferdie, send);
    let (batch, leaf) = (case.name(), case.leaf(0));
    let evidence = Box::new(Evidence::Verdict { batch, leaf });
    let call = quern_disputes::Call::dispute { evidence };
    let refused = chain.block(vec![(poor, call.into())]);
    assert_eq!(refused, [Ok(Err(Error::BondTooSmall.into()))]);
}
