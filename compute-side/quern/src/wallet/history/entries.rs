//! What a block's events tell of an account's money.
//!
//! The movements are those of the pallet that keeps the balances, all of which it tells; what stands
//! beside them in the same transaction says what they were for. So the entries of all blocks add up to
//! what the account has, whatever moved it.

use codec::Decode;
use quern_ledger::ChainEvent;
use quern_primitives::{AccountId, Amount, JobId, amount::as_string, ids::BatchSequence};
use serde::Serialize;

/// One movement of an account's money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    /// What it was.
    pub(super) what: What,
    /// How much.
    #[serde(with = "as_string")]
    pub(super) amount: Amount,
    /// Where the money was, if it was this account's.
    pub(super) from: Option<Purse>,
    /// Where it is now, if it is this account's.
    pub(super) to: Option<Purse>,
    /// The other account, the payment's reference or the payout's number, if there is one.
    pub(super) with: Option<String>,
    /// The job for which it was.
    pub(super) job: Option<JobId>,
    /// The batch of that job that paid it.
    pub(super) batch: Option<BatchSequence>,
}

/// A part of an account's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purse {
    /// What can be spent.
    Free,
    /// What is held: escrow, bond, payouts, deposits.
    Held,
}

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Sent,
    Received,
    Fee,
    FeesShared,
    Bought,
    Escrowed,
    PaidFromEscrow,
    Earned,
    Released,
    Bonded,
    Unbonded,
    Withdrawn,
    PayoutAsked,
    PayoutMade,
    PayoutReturned,
    Deposited,
    DepositReturned,
}

/// A fee is taken before a transaction runs, and what was too much of it comes back behind.
struct Refund {
    transaction: Option<usize>,
    amount: Amount,
}

/// What a block's events tell of an account's money, in their order.
pub(super) fn entries(account: &AccountId, events: &[ChainEvent]) -> Vec<Entry> {
    let (mut entries, mut refund) = (Vec::new(), None);
    for (place, event) in events.iter().enumerate() {
        // Of the same transaction, or of what the block itself does at one time.
        let same = |other: &&ChainEvent| other.transaction == event.transaction;
        let behind = events.iter().skip(place).skip(1).take_while(same);
        match (event.pallet.as_str(), event.name.as_str()) {
            ("Balances", "Withdraw") => {
                let Some((fee, rest)) = charged(account, event, behind) else {
                    continue;
                };
                entries.push(Entry::of(What::Fee, fee));
                refund = Some(Refund {
                    transaction: event.transaction,
                    amount: rest,
                });
            }
            ("Balances", "Deposit") => {
                let Some(amount) = amount_of(account, event) else {
                    continue;
                };
                let is_refund = refund.take_if(|refund| {
                    refund.transaction == event.transaction && refund.amount == amount
                });
                if is_refund.is_none() {
                    entries.push(Entry::of(What::FeesShared, amount));
                }
            }
            ("Balances", "TransferOnHold") => entries.extend(paid(account, event, events)),
            ("Balances", _) => entries.extend(moved(account, event, behind)),
            ("Workforce", "Unbonded") => {
                let amount = amount_of(account, event);
                entries.extend(amount.map(|amount| Entry::of(What::Unbonded, amount)));
            }
            _ => {}
        }
    }
    entries.retain(|entry| entry.amount > 0);
    entries
}

/// Of what was taken beforehand for a transaction of this account, its fee and what comes back.
fn charged<'a>(
    account: &AccountId,
    event: &ChainEvent,
    behind: impl Iterator<Item = &'a ChainEvent>,
) -> Option<(Amount, Amount)> {
    let taken = amount_of(account, event)?;
    // The fee that was paid; the tip is a part of it.
    let paid = next(behind, "TransactionPayment", "TransactionFeePaid");
    let paid = paid.filter(|(who, _): &(AccountId, Amount)| who == account);
    let fee = paid.map_or(taken, |(_, fee)| fee);
    Some((fee, taken.saturating_sub(fee)))
}

/// A payment out of an escrow. One that goes to the job's own owner is two movements.
fn paid(account: &AccountId, event: &ChainEvent, events: &[ChainEvent]) -> Vec<Entry> {
    let Some((_reason, from, to, amount)) =
        decode::<([u8; 2], AccountId, AccountId, Amount)>(event)
    else {
        return vec![];
    };
    let side = |what, who: &AccountId, other: &AccountId| {
        if who != account {
            return None;
        }
        let (job, batch) = only_batch(events, event.transaction).unzip();
        Some(Entry {
            with: Some(other.to_string()),
            job,
            batch,
            ..Entry::of(what, amount)
        })
    };
    let sides = [
        side(What::PaidFromEscrow, &from, &to),
        side(What::Earned, &to, &from),
    ];
    sides.into_iter().flatten().collect()
}

/// The other movements. `behind` is what stands behind the event in the same transaction.
fn moved<'a>(
    account: &AccountId,
    event: &ChainEvent,
    behind: impl Iterator<Item = &'a ChainEvent>,
) -> Option<Entry> {
    let name = event.name.as_str();
    if name == "Transfer" {
        let (from, to, amount) = decode::<(AccountId, AccountId, Amount)>(event)?;
        let (what, other) = match (from == *account, to == *account) {
            (true, _) => (What::Sent, to),
            (false, true) => (What::Received, from),
            (false, false) => return None,
        };
        return Some(Entry {
            with: Some(other.to_string()),
            ..Entry::of(what, amount)
        });
    }
    let amount = match name {
        "Minted" | "Reserved" | "Unreserved" => amount_of(account, event)?,
        "Held" | "Released" | "BurnedHeld" => held_amount_of(account, event)?,
        _ => return None,
    };
    let (what, told) = match (name, event.held_for.as_deref()) {
        ("Minted", _) => (What::Bought, Told::Purchase),
        ("Held", Some("Jobs")) => (What::Escrowed, Told::Job("JobSubmitted")),
        ("Released", Some("Jobs")) => (What::Released, Told::Job("JobEnded")),
        ("Held", Some("Workforce")) => (What::Bonded, Told::Nothing),
        ("Released", Some("Workforce")) => (What::Withdrawn, Told::Nothing),
        ("Held", Some("Bytechip")) => (What::PayoutAsked, Told::Payout("PayoutRequested")),
        ("Released", Some("Bytechip")) => (What::PayoutReturned, Told::Payout("PayoutReturned")),
        ("BurnedHeld", _) => (What::PayoutMade, Told::Payout("PayoutCompleted")),
        // For session keys, signers and proxies.
        ("Held" | "Reserved", _) => (What::Deposited, Told::Nothing),
        _ => (What::DepositReturned, Told::Nothing),
    };
    let mut entry = Entry::of(what, amount);
    match told {
        Told::Nothing => {}
        Told::Job(name) => entry.job = next(behind, "Jobs", name),
        Told::Payout(name) => {
            let number: Option<u64> = next(behind, "Bytechip", name);
            entry.with = number.map(|number| format!("payout {number}"));
        }
        Told::Purchase => {
            let reference: Option<Vec<u8>> = next(behind, "Bytechip", "PurchaseRecorded");
            entry.with = reference.map(|reference| {
                let reference = String::from_utf8_lossy(&reference);
                reference.escape_debug().to_string()
            });
        }
    }
    Some(entry)
}

/// Which event behind a movement says what it was for.
enum Told {
    Nothing,
    Job(&'static str),
    Payout(&'static str),
    Purchase,
}

/// What the next of these events that has this name begins with.
fn next<'a, T: Decode>(
    mut behind: impl Iterator<Item = &'a ChainEvent>,
    pallet: &str,
    name: &str,
) -> Option<T> {
    decode(behind.find(|event| event.pallet == pallet && event.name == name)?)
}

/// The batch that a transaction settled. One that settles several does not tell which payment is of
/// which.
fn only_batch(events: &[ChainEvent], transaction: Option<usize>) -> Option<(JobId, BatchSequence)> {
    let mut settled = events.iter().filter(|event| {
        event.transaction == transaction && event.pallet == "Jobs" && event.name == "BatchSettled"
    });
    match (settled.next(), settled.next()) {
        (Some(only), None) => decode(only),
        _ => None,
    }
}

/// How much an event of this account is about.
fn amount_of(account: &AccountId, event: &ChainEvent) -> Option<Amount> {
    let (who, amount) = decode::<(AccountId, Amount)>(event)?;
    (who == *account).then_some(amount)
}

/// How much held money an event of this account is about.
fn held_amount_of(account: &AccountId, event: &ChainEvent) -> Option<Amount> {
    let (_reason, who, amount) = decode::<([u8; 2], AccountId, Amount)>(event)?;
    (who == *account).then_some(amount)
}

/// An event's first fields.
fn decode<T: Decode>(event: &ChainEvent) -> Option<T> {
    T::decode(&mut &event.bytes[..]).ok()
}

impl Entry {
    fn of(what: What, amount: Amount) -> Self {
        let (from, to) = what.purses();
        Self {
            what,
            amount,
            from,
            to,
            with: None,
            job: None,
            batch: None,
        }
    }
}

impl What {
    /// From which part of the account's money to which; nothing stands for what is not the account's.
    fn purses(self) -> (Option<Purse>, Option<Purse>) {
        use Purse::{Free, Held};
        match self {
            Self::Sent | Self::Fee => (Some(Free), None),
            Self::Received | Self::FeesShared | Self::Bought | Self::Earned => (None, Some(Free)),
            Self::Escrowed | Self::Bonded | Self::PayoutAsked | Self::Deposited => {
                (Some(Free), Some(Held))
            }
            Self::Released | Self::Withdrawn | Self::PayoutReturned | Self::DepositReturned => {
                (Some(Held), Some(Free))
            }
            Self::PaidFromEscrow | Self::PayoutMade => (Some(Held), None),
            // It covers no device any more, and can be withdrawn later.
            Self::Unbonded => (Some(Held), Some(Held)),
        }
    }

    /// For people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Fee => "transaction fee",
            Self::FeesShared => "share of fees",
            Self::Bought => "bought",
            Self::Escrowed => "into escrow",
            Self::PaidFromEscrow => "paid from escrow",
            Self::Earned => "earned",
            Self::Released => "back from escrow",
            Self::Bonded => "bonded",
            Self::Unbonded => "being unbonded",
            Self::Withdrawn => "back from the bond",
            Self::PayoutAsked => "payout asked for",
            Self::PayoutMade => "payout made",
            Self::PayoutReturned => "payout returned",
            Self::Deposited => "deposit held",
            Self::DepositReturned => "deposit returned",
        }
    }
}

#[cfg(test)]
mod tests;
