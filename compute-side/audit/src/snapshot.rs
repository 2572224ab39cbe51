//! What the chain says of all money at one block.

use crate::{Reason, Tasks, tasks};
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId, ids::BatchSequence, job::Escrow, view::Totals,
};
use std::collections::BTreeMap;

/// An account's money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What it can spend.
    pub free: Amount,
    /// What is held, by reason; none of them zero.
    pub held: BTreeMap<Reason, Amount>,
}

/// A job's money, and how far it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobAccount {
    /// Who pays.
    pub owner: AccountId,
    /// Its money.
    pub escrow: Escrow,
    /// Whether money may still be held for it.
    pub open: bool,
    /// The batch that comes next.
    pub next_batch: BatchSequence,
    /// How many of its tasks are settled.
    pub settled_tasks: u32,
    /// Which, while it is open; see [`crate::Tasks`].
    pub settled: Vec<u8>,
    /// Its batches that are not final yet.
    pub pending: BTreeMap<BatchSequence, PendingAccount>,
}

/// A batch that is not final yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingAccount {
    /// The tasks it settles.
    pub tasks: Tasks,
    /// For worker accounts.
    pub workers: Amount,
    /// For operators and treasury.
    pub network: Amount,
}

impl PendingAccount {
    /// What it spends.
    pub(crate) fn spent(&self) -> Amount {
        // What does not fit an amount is more than there can be, and differs from what is set aside.
        self.workers.saturating_add(self.network)
    }
}

/// All money at the end of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The block.
    pub block: BlockNumber,
    /// The sums that the chain keeps.
    pub totals: Totals,
    /// Each account with money.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Each job there ever was.
    pub jobs: BTreeMap<JobId, JobAccount>,
}

impl Account {
    /// All it has; none if that is more than an amount can be.
    pub fn total(&self) -> Option<Amount> {
        sum(self.held.values().copied().chain([self.free]))
    }

    /// What is held for a reason.
    pub fn held_for(&self, reason: &Reason) -> Amount {
        self.held.get(reason).copied().unwrap_or(0)
    }

    /// Whether it has nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.free == 0 && self.held.values().all(|amount| *amount == 0)
    }
}

impl JobAccount {
    /// Whether `deposited = paid + network + refunded + pending + held`.
    pub(crate) fn is_conserved(&self) -> bool {
        self.accounted() == Some(self.escrow.deposited)
    }

    /// What became of what was deposited.
    pub(crate) fn accounted(&self) -> Option<Amount> {
        let Escrow {
            deposited: _,
            paid,
            network,
            refunded,
            pending,
            held,
        } = self.escrow;
        sum([paid, network, refunded, pending, held])
    }

    /// What is held of it on its owner's account.
    pub(crate) fn on_hold(&self) -> Amount {
        // Parts of what exists; what does not fit an amount differs from what the account has.
        self.escrow.held.saturating_add(self.escrow.pending)
    }

    /// Whether its pending batches are what is pending of its money.
    pub(crate) fn is_set_aside(&self) -> bool {
        let batches = self.pending.values().map(PendingAccount::spent);
        sum(batches) == Some(self.escrow.pending)
    }

    /// Whether the settled tasks that are named are as many as are counted.
    pub(crate) fn counts_its_tasks(&self) -> bool {
        !self.open || tasks::count(&self.settled) == self.settled_tasks
    }
}

/// The sum of amounts; none if it is more than an amount can be.
pub(crate) fn sum(amounts: impl IntoIterator<Item = Amount>) -> Option<Amount> {
    amounts
        .into_iter()
        .try_fold(0, |sum: Amount, amount| sum.checked_add(amount))
}
