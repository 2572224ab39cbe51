//! What a node says happened in a block, which whoever adds up the money reads.

use crate::{memory, oracle};
use codec::{Decode, DecodeAll as _, Encode};
use quern_audit::{Event, What, read};
use quern_primitives::{AccountId, Amount, JobId, amount::BYTECHIP};

/// Pallets and events of theirs, by the number with which an input names them.
const NAMES: [(&str, &str); 34] = [
    ("Balances", "Transfer"),
    ("Balances", "Withdraw"),
    ("Balances", "Deposit"),
    ("Balances", "Minted"),
    ("Balances", "Burned"),
    ("Balances", "Issued"),
    ("Balances", "Rescinded"),
    ("Balances", "Reserved"),
    ("Balances", "Unreserved"),
    ("Balances", "ReserveRepatriated"),
    ("Balances", "Held"),
    ("Balances", "Released"),
    ("Balances", "BurnedHeld"),
    ("Balances", "TransferOnHold"),
    ("Balances", "TransferAndHold"),
    ("Balances", "DustLost"),
    ("Balances", "Endowed"),
    ("Jobs", "JobSubmitted"),
    ("Jobs", "BatchSettled"),
    ("Jobs", "BatchFinalised"),
    ("Jobs", "BatchStruck"),
    ("Jobs", "JobSettling"),
    ("Jobs", "JobEnded"),
    ("Workforce", "Unbonded"),
    ("Workforce", "BondSlashed"),
    ("Roster", "BondSlashed"),
    ("Disputes", "DisputeLost"),
    ("Bytechip", "PurchaseRecorded"),
    ("Bytechip", "PayoutRequested"),
    ("Bytechip", "PayoutCompleted"),
    ("Bytechip", "PayoutReturned"),
    ("TransactionPayment", "TransactionFeePaid"),
    ("Custody", "PeriodPaid"),
    ("Custody", "ChallengeAnswered"),
];

/// For which pallets money is held, and one that holds none.
const HOLDERS: [&str; 6] = [
    "Jobs",
    "Workforce",
    "Roster",
    "Disputes",
    "System",
    "Custody",
];

/// An event as an input has it.
#[derive(Decode, Encode)]
struct Told {
    transaction: Option<u8>,
    name: u8,
    held_for: Option<u8>,
    fields: Vec<u8>,
}

/// Reads a block's events. Whatever a node makes up, none is counted more than once, and nothing moves nothing.
pub(crate) fn events(bytes: &[u8]) {
    let Ok(told) = Vec::<Told>::decode_all(&mut &bytes[..]) else {
        return;
    };
    let named = |told: &Told| {
        let (pallet, name) = *NAMES.get(usize::from(told.name))?;
        Some((pallet, name))
    };
    let events: Vec<Event<'_>> = told
        .iter()
        .filter_map(|told| {
            let (pallet, name) = named(told)?;
            let holder = told.held_for.map(usize::from);
            Some(Event {
                transaction: told.transaction.map(Into::into),
                pallet,
                name,
                fields: &told.fields,
                held_for: holder.and_then(|it| HOLDERS.get(it).copied()),
            })
        })
        .collect();
    let (entries, held) = memory::most(|| read(&events));
    oracle::held_no_more_than(held, bytes, events.len().saturating_mul(ENTRY_BYTES_MAX));
    assert!(entries.len() <= events.len(), "more is told than happened");
    for entry in entries {
        if let What::Moved(movement) = entry.what {
            assert!(movement.amount > 0, "nothing moved: {movement:?}");
        }
    }
}

/// What is held for each event that is read, at the most, and what is beside where a list of them grows.
const ENTRY_BYTES_MAX: usize = 1_024;

/// A job is submitted, and its owner pays the fee.
pub(crate) fn honest() -> Vec<Vec<u8>> {
    let (owner, author) = (AccountId::new([1; 32]), AccountId::new([2; 32]));
    let of = |name: &str| {
        let place = NAMES.iter().position(|(_, its)| *its == name);
        place
            .and_then(|it| u8::try_from(it).ok())
            .unwrap_or(u8::MAX)
    };
    let told = |name: &str, held_for: Option<u8>, fields: Vec<u8>| Told {
        transaction: Some(1),
        name: of(name),
        held_for,
        fields,
    };
    let (fee, quote): (Amount, Amount) = (1_000, 5 * BYTECHIP);
    let block = vec![
        told("Withdraw", None, (&owner, fee).encode()),
        told("Held", Some(0), (0u8, 0u8, &owner, quote).encode()),
        told(
            "JobSubmitted",
            None,
            (JobId([3; 32]), &owner, quote).encode(),
        ),
        told("Deposit", None, (&author, fee).encode()),
        told(
            "TransactionFeePaid",
            None,
            (&owner, fee, 0 as Amount).encode(),
        ),
    ];
    vec![block.encode()]
}
