//! What a block's events tell of an account's money.
//!
//! The movements are those that `quern-audit` reads, here seen from the account's side. All that moves is
//! among them, so the entries of all blocks add up to what the account has, whatever moved it.

use quern_audit::{
    Entry as OfMoney, Kind, Movement, Note, Purse as PurseOfMoney, Statement, What as Told,
};
use quern_ledger::{ChainEvent, movements};
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
    DisputeBegun,
    DisputeEnded,
    Slashed,
    Won,
    Stored,
    StoredBack,
    PaidForStorage,
    EarnedByStorage,
}

/// What a block's events tell of an account's money, in their order.
pub(super) fn entries(account: &AccountId, events: &[ChainEvent]) -> Vec<Entry> {
    let told = movements(events);
    let mut entries = Vec::new();
    for one in &told {
        match &one.what {
            Told::Moved(movement) => {
                let back = || returned(&told, one.transaction, account);
                entries.extend(of_movement(account, movement, back));
            }
            Told::Said(Statement::Unbonded {
                account: whose,
                amount,
            }) if whose == account => entries.push(Entry::of(What::Unbonded, *amount)),
            Told::Said(_) => {}
        }
    }
    entries.retain(|entry| entry.amount > 0);
    entries
}

/// What comes back to an account of what was taken beforehand for a transaction.
fn returned(told: &[OfMoney], transaction: Option<u32>, account: &AccountId) -> Amount {
    let of_it = told.iter().filter(|it| it.transaction == transaction);
    let back = of_it.filter_map(OfMoney::movement).filter(|movement| {
        movement.kind == Kind::FeeReturned && movement.to.account() == Some(account)
    });
    back.fold(0, |sum: Amount, it| sum.saturating_add(it.amount))
}

/// A movement from an account's side; `back` is what comes back of a fee. A payment out of an escrow
/// that goes to the job's own owner is two movements.
fn of_movement(
    account: &AccountId,
    movement: &Movement,
    back: impl FnOnce() -> Amount,
) -> Vec<Entry> {
    let amount = movement.amount;
    let [is_from, is_to] =
        [&movement.from, &movement.to].map(|purse| purse.account() == Some(account));
    let pay = |what, other: &PurseOfMoney| Entry {
        with: other.account().map(AccountId::to_string),
        job: movement.job,
        batch: movement.batch,
        ..Entry::of(what, amount)
    };
    let what = match movement.kind {
        Kind::Transfer => match (is_from, is_to) {
            (true, _) => return vec![pay(What::Sent, &movement.to)],
            (false, true) => return vec![pay(What::Received, &movement.from)],
            (false, false) => return vec![],
        },
        Kind::WorkerPay | Kind::OperatorPay | Kind::TreasuryShare | Kind::EscrowPaid => {
            let paid = is_from.then(|| pay(What::PaidFromEscrow, &movement.to));
            let earned = is_to.then(|| pay(What::Earned, &movement.from));
            return paid.into_iter().chain(earned).collect();
        }
        Kind::CustodyPaid => {
            let paid = is_from.then(|| pay(What::PaidForStorage, &movement.to));
            let earned = is_to.then(|| pay(What::EarnedByStorage, &movement.from));
            return paid.into_iter().chain(earned).collect();
        }
        Kind::FeeTaken if is_from => {
            return vec![Entry::of(What::Fee, amount.saturating_sub(back()))];
        }
        // It is a part of the fee's own entry.
        Kind::FeeTaken | Kind::FeeReturned | Kind::Burnt | Kind::Other => return vec![],
        Kind::FeeShared => What::FeesShared,
        Kind::Purchase | Kind::Minted => What::Bought,
        Kind::EscrowHeld => What::Escrowed,
        Kind::EscrowReleased => What::Released,
        Kind::BondHeld | Kind::MasternodeBondHeld => What::Bonded,
        Kind::BondReleased | Kind::MasternodeBondReleased => What::Withdrawn,
        Kind::DisputeHeld => What::DisputeBegun,
        Kind::DisputeReleased => What::DisputeEnded,
        Kind::SlashBurnt => What::Slashed,
        Kind::SlashPaid if is_from => What::Slashed,
        Kind::SlashPaid => What::Won,
        Kind::CustodyHeld => What::Stored,
        Kind::CustodyReleased => What::StoredBack,
        Kind::PayoutHeld => What::PayoutAsked,
        Kind::PayoutReleased => What::PayoutReturned,
        Kind::PayoutBurnt => What::PayoutMade,
        Kind::DepositHeld => What::Deposited,
        Kind::DepositReleased => What::DepositReturned,
    };
    if !is_from && !is_to {
        return vec![];
    }
    let with = movement.note.as_ref().and_then(|note| match note {
        Note::Payout(number) => Some(format!("payout {number}")),
        Note::Reference(reference) => {
            let reference = String::from_utf8_lossy(reference);
            Some(reference.escape_debug().to_string())
        }
        Note::Lost | Note::Kept => None,
    });
    vec![Entry {
        with,
        job: movement.job,
        ..Entry::of(what, amount)
    }]
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
            Self::Received
            | Self::FeesShared
            | Self::Bought
            | Self::Earned
            | Self::EarnedByStorage
            | Self::Won => (None, Some(Free)),
            Self::Escrowed
            | Self::Bonded
            | Self::PayoutAsked
            | Self::Deposited
            | Self::Stored
            | Self::DisputeBegun => (Some(Free), Some(Held)),
            Self::Released
            | Self::Withdrawn
            | Self::PayoutReturned
            | Self::DepositReturned
            | Self::StoredBack
            | Self::DisputeEnded => (Some(Held), Some(Free)),
            Self::PaidFromEscrow | Self::PayoutMade | Self::PaidForStorage | Self::Slashed => {
                (Some(Held), None)
            }
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
            Self::DisputeBegun => "put up for a dispute",
            Self::DisputeEnded => "back from a dispute",
            Self::Slashed => "lost of a bond",
            Self::Won => "won of a bond",
            Self::Stored => "put up for stored data",
            Self::StoredBack => "back from stored data",
            Self::PaidForStorage => "paid for stored data",
            Self::EarnedByStorage => "earned by stored data",
        }
    }
}

#[cfg(test)]
mod tests;
