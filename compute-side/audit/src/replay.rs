//! The money of all accounts and jobs, moved as the chain's events tell.

use crate::{
    Account, Block, Difference, Entry, Finalised, Kind, Movement, Place, Purse, Reason, Side,
    Snapshot, TotalName, What,
    compare::{check, compare, compare_totals},
    snapshot::sum,
};
use quern_primitives::{AccountId, Amount, BlockNumber, JobId, ids::BatchSequence, view::Totals};
use std::collections::{BTreeMap, BTreeSet};

/// Differences that are kept; more are only counted. One cause makes many of them, and the first tell
/// it.
pub const DIFFERENCES_MAX: usize = 1_000;

/// The money of all accounts and jobs.
#[derive(Clone, Debug)]
pub struct Replay {
    pub(crate) now: Snapshot,
    /// What is held for the open jobs of each account that has any.
    pub(crate) owners: BTreeMap<AccountId, Amount>,
    /// The sum of all balances.
    balances: Amount,
    /// By how much that was off when it was last told, modulo 2^128.
    told_off: Amount,
    differences: Differences,
}

/// What does not fit, in the order in which it was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Differences {
    kept: Vec<Difference>,
    count: u64,
}

/// One transaction of a block, or what a block does at one time by itself.
pub(crate) struct Turn<'a> {
    pub(crate) at: Place,
    pub(crate) block: &'a Block,
    /// Taken as fees.
    taken: Amount,
    /// Given out of that.
    given: Amount,
    /// Accounts whose escrow changed.
    pub(crate) owners: BTreeSet<AccountId>,
    /// Jobs whose money changed.
    pub(crate) jobs: BTreeSet<JobId>,
    /// Jobs that were opened.
    pub(crate) opened: BTreeSet<JobId>,
    /// What workers and network got, by batch.
    pub(crate) paid: BTreeMap<(JobId, BatchSequence), [Amount; 2]>,
    /// What went back, by job.
    pub(crate) refunded: BTreeMap<JobId, Amount>,
    /// The batches that became final.
    pub(crate) finalised: Vec<Finalised>,
}

impl Differences {
    pub(crate) fn add(&mut self, difference: Difference) {
        self.count = self.count.saturating_add(1);
        if self.kept.len() < DIFFERENCES_MAX {
            self.kept.push(difference);
        }
    }
}

impl Replay {
    /// From the money as it is at the end of a block. What does not fit in that is a difference
    /// already.
    pub fn begin(mut snapshot: Snapshot) -> Self {
        let mut differences = Differences::default();
        check(&snapshot, &mut differences);
        // Movements tell the pallet for which money is held, and not whether for a contract or a challenge.
        let custody = snapshot.totals.custody();
        (snapshot.totals.contracts, snapshot.totals.challenges) = (custody, 0);
        let mut owners = BTreeMap::new();
        for job in snapshot.jobs.values().filter(|job| job.open) {
            let held: &mut Amount = owners.entry(job.owner.clone()).or_default();
            *held = held.saturating_add(job.on_hold());
        }
        let totals = snapshot.accounts.values().map(Account::total);
        let balances = totals
            .collect::<Option<Vec<_>>>()
            .and_then(sum)
            .unwrap_or(Amount::MAX);
        let told_off = balances.wrapping_sub(snapshot.totals.issuance);
        Self {
            now: snapshot,
            owners,
            balances,
            told_off,
            differences,
        }
    }

    /// The last block that was taken.
    pub fn block(&self) -> BlockNumber {
        self.now.block
    }

    /// The sums, as the movements make them; what is held for challenges is counted with what is held for
    /// contracts.
    pub fn totals(&self) -> &Totals {
        &self.now.totals
    }

    /// The sum of all balances, free and held.
    pub fn balances(&self) -> Amount {
        self.balances
    }

    /// The money of all accounts and jobs, as the movements make it.
    pub fn snapshot(&self) -> &Snapshot {
        &self.now
    }

    /// What does not fit, the first [`DIFFERENCES_MAX`].
    pub fn differences(&self) -> &[Difference] {
        &self.differences.kept
    }

    /// How many differences there are, those that are not kept too.
    pub fn difference_count(&self) -> u64 {
        self.differences.count
    }

    /// Takes the next block.
    pub fn take(&mut self, block: &Block) {
        let expected = self.now.block.saturating_add(1);
        if block.number != expected {
            self.differ(Difference::Gap {
                expected,
                found: block.number,
            });
        }
        self.now.block = block.number;
        let of_one = |one: &Entry, next: &Entry| one.transaction == next.transaction;
        for entries in block.entries.chunk_by(of_one) {
            let transaction = entries.first().and_then(|entry| entry.transaction);
            let at = Place {
                block: block.number,
                transaction,
            };
            let mut turn = Turn::new(at, block);
            for entry in entries {
                match &entry.what {
                    What::Moved(movement) => self.moved(movement, &mut turn),
                    What::Said(statement) => self.said(statement, &mut turn),
                }
            }
            self.end(&turn);
        }
        self.hold_to_issuance(block.number);
    }

    /// Compares what the chain says of all money at the end of the last block.
    pub fn compare_totals(&mut self, totals: &Totals) {
        compare_totals(
            self.now.block,
            &self.now.totals,
            totals,
            &mut self.differences,
        );
    }

    /// Compares what the chain says of each account and each job at the end of the last block.
    pub fn compare(&mut self, chain: &Snapshot) {
        if chain.block != self.now.block {
            self.differ(Difference::Gap {
                expected: self.now.block,
                found: chain.block,
            });
        }
        check(chain, &mut self.differences);
        compare(&self.now, chain, &mut self.differences);
    }

    pub(crate) fn differ(&mut self, difference: Difference) {
        self.differences.add(difference);
    }

    fn moved(&mut self, movement: &Movement, turn: &mut Turn<'_>) {
        let Movement {
            from, to, amount, ..
        } = movement;
        self.take_out(from, *amount, turn);
        self.put_in(to, *amount, turn);
        if is_unexplained(movement) {
            self.differ(Difference::Unexplained {
                at: turn.at,
                kind: movement.kind.name(),
                amount: *amount,
            });
        }
        if let Some(job) = movement.job {
            self.moved_of(job, movement, turn);
        }
        for purse in [from, to] {
            if let (true, Some(account)) = (purse.is_escrow(), purse.account()) {
                turn.owners.insert(account.clone());
            }
        }
    }

    fn take_out(&mut self, purse: &Purse, amount: Amount, turn: &mut Turn<'_>) {
        let (account, side) = match purse {
            Purse::Passing => {
                let fits = add(&mut turn.given, amount);
                return self.note_size(fits, turn.at);
            }
            Purse::Nowhere => {
                let totals = &mut self.now.totals;
                let fits = add(&mut totals.issuance, amount) & add(&mut totals.minted, amount);
                return self.note_size(fits, turn.at);
            }
            Purse::Free(account) => (account, Side::Free),
            Purse::Held(account, reason) => (account, Side::Held(reason.clone())),
        };
        let known = self.now.accounts.entry(account.clone()).or_default();
        let money = purse_of(known, purse);
        let has = *money;
        // What is not there cannot be taken away.
        let taken = amount.min(has);
        *money = has.saturating_sub(taken);
        known.held.retain(|_, amount| *amount > 0);
        if known.is_empty() {
            self.now.accounts.remove(account);
        }
        self.balances = self.balances.saturating_sub(taken);
        if let Some(total) = self.total_of(purse) {
            *total = total.saturating_sub(taken);
        }
        if taken < amount {
            self.differ(Difference::Overdrawn {
                at: turn.at,
                account: account.clone(),
                side,
                has,
                taken: amount,
            });
        }
    }

    fn put_in(&mut self, purse: &Purse, amount: Amount, turn: &mut Turn<'_>) {
        let fits = match purse {
            Purse::Passing => add(&mut turn.taken, amount),
            Purse::Nowhere => {
                let totals = &mut self.now.totals;
                let left = totals.issuance.checked_sub(amount);
                totals.issuance = left.unwrap_or(0);
                add(&mut totals.burnt, amount) & left.is_some()
            }
            Purse::Free(account) | Purse::Held(account, _) => {
                let known = self.now.accounts.entry(account.clone()).or_default();
                let fits = add(purse_of(known, purse), amount) & add(&mut self.balances, amount);
                let counted = self.total_of(purse).is_none_or(|total| add(total, amount));
                fits & counted
            }
        };
        self.note_size(fits, turn.at);
    }

    fn note_size(&mut self, fits: bool, at: Place) {
        if !fits {
            self.differ(Difference::TooLarge { at });
        }
    }

    /// The sum that counts what is held for the same reason.
    fn total_of(&mut self, purse: &Purse) -> Option<&mut Amount> {
        let totals = &mut self.now.totals;
        match purse.reason()? {
            Reason::Escrow => Some(&mut totals.escrow),
            Reason::Bond => Some(&mut totals.bonds),
            Reason::MasternodeBond => Some(&mut totals.masternode_bonds),
            Reason::Dispute => Some(&mut totals.disputes),
            Reason::Payout => Some(&mut totals.payouts),
            // Contracts and challenges are told apart by the chain alone; only the sum is compared.
            Reason::Custody => Some(&mut totals.contracts),
            Reason::Keys | Reason::Deposit | Reason::Other(_) => None,
        }
    }

    /// Holds a transaction to what must be true behind it.
    fn end(&mut self, turn: &Turn<'_>) {
        if turn.taken != turn.given {
            self.differ(Difference::NotPassedOn {
                at: turn.at,
                taken: turn.taken,
                given: turn.given,
            });
        }
        self.end_of_jobs(turn);
        for account in &turn.owners {
            let known = self.now.accounts.get(account);
            let held = known.map_or(0, |it| it.held_for(&Reason::Escrow));
            let jobs = self.owners.get(account).copied().unwrap_or(0);
            if held != jobs {
                self.differ(Difference::Escrow {
                    at: turn.at,
                    account: account.clone(),
                    held,
                    jobs,
                });
            }
        }
    }

    /// What exists is what the sums say, and what the accounts have. What is off once stays so, and is
    /// told when it changes.
    fn hold_to_issuance(&mut self, block: BlockNumber) {
        let issuance = self.now.totals.issuance;
        let off = self.balances.wrapping_sub(issuance);
        if off == self.told_off {
            return;
        }
        self.told_off = off;
        self.differ(Difference::Issuance {
            at: Place {
                block,
                transaction: None,
            },
            law: TotalName::Balances,
            expected: self.balances,
            issuance,
        });
    }
}

impl<'a> Turn<'a> {
    fn new(at: Place, block: &'a Block) -> Self {
        Self {
            at,
            block,
            taken: 0,
            given: 0,
            owners: BTreeSet::new(),
            jobs: BTreeSet::new(),
            opened: BTreeSet::new(),
            paid: BTreeMap::new(),
            refunded: BTreeMap::new(),
            finalised: Vec::new(),
        }
    }
}

/// What is in a purse of an account. What is no account's purse is never asked for.
fn purse_of<'a>(account: &'a mut Account, purse: &Purse) -> &'a mut Amount {
    match purse.reason() {
        Some(reason) => account.held.entry(reason.clone()).or_default(),
        None => &mut account.free,
    }
}

/// Adds to a sum; leaves it and returns false where it would be more than an amount can be.
pub(crate) fn add(sum: &mut Amount, amount: Amount) -> bool {
    let added = sum.checked_add(amount);
    *sum = added.unwrap_or(*sum);
    added.is_some()
}

/// Whether a movement needs an event beside it that tells what it was for, and there was none.
fn is_unexplained(movement: &Movement) -> bool {
    match movement.kind {
        Kind::Minted | Kind::EscrowPaid => true,
        Kind::EscrowHeld | Kind::EscrowReleased => movement.job.is_none(),
        Kind::CustodyPaid
        | Kind::PayoutHeld
        | Kind::PayoutReleased
        | Kind::PayoutBurnt
        | Kind::SlashPaid
        | Kind::SlashBurnt => movement.note.is_none(),
        // Fees that could be given to nobody end so; nothing else may.
        Kind::Burnt => movement.from != Purse::Passing,
        _ => false,
    }
}
