//! A chain as plainly as it can be said: balances in an array, jobs in a list. It tells of each thing
//! that happens the events that the chain would tell of it.

use crate::told::{Told, Transaction};
use codec::Encode;
use quern_audit::{Account, JobAccount, PendingAccount, Reason, Snapshot, Tasks};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, JobId,
    ids::ContractId,
    job::{Escrow, JobEnd},
    view::Totals,
};
use std::collections::BTreeMap;

/// The accounts: 0 to 3 do things, then the treasury, then who makes the blocks.
const PEOPLE: usize = 4;
pub(crate) const TREASURY: usize = 4;
const AUTHOR: usize = 5;

/// What each begins with.
pub(crate) const ENDOWMENT: Amount = 100_000;

/// Tasks of each job.
const TASKS: u32 = 12;

/// A thing to do: what, by whom, with whom, how much.
pub(crate) type Wish = (u8, u8, u8, u32);

#[derive(Clone, Debug)]
struct Job {
    id: JobId,
    owner: usize,
    escrow: Escrow,
    open: bool,
    batches: u32,
    settled: Vec<u8>,
    count: u32,
    /// Batches that are not final, the oldest first.
    pending: Vec<Batch>,
}

/// A batch that is not final.
#[derive(Clone, Debug)]
struct Batch {
    sequence: u32,
    tasks: u32,
    parts: [(usize, Amount); 2],
    /// Who shares what is for operators; the treasury has what does not divide.
    masternodes: Vec<usize>,
    operators: Amount,
    treasury: Amount,
    bits: Vec<u8>,
}

impl Batch {
    fn workers(&self) -> Amount {
        self.parts.iter().map(|(_, part)| part).sum()
    }

    fn spent(&self) -> Amount {
        self.workers() + self.operators + self.treasury
    }
}

/// The whole of it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    free: [Amount; 6],
    held: BTreeMap<(usize, &'static str), Amount>,
    minted: Amount,
    burnt: Amount,
    jobs: Vec<Job>,
    payouts: Vec<(u64, usize, Amount)>,
    purchases: u64,
    numbers: u64,
}

/// The pallet that keeps one of the bonds, by an amount.
fn bond(amount: Amount) -> &'static str {
    match amount % 3 {
        0 => "Workforce",
        1 => "Roster",
        _ => "Disputes",
    }
}

pub(crate) fn account(who: usize) -> AccountId {
    AccountId::new([who as u8 + 1; 32])
}

impl World {
    pub(crate) fn new() -> Self {
        let mut free = [ENDOWMENT; 6];
        free[TREASURY] = 0;
        Self {
            free,
            held: BTreeMap::new(),
            minted: 0,
            burnt: 0,
            jobs: vec![],
            payouts: vec![],
            purchases: 0,
            numbers: 0,
        }
    }

    /// Does what is wished, if it is lawful; each wish is a transaction with a fee around it.
    pub(crate) fn transact(&mut self, (what, by, with, amount): Wish) -> Option<Transaction> {
        let (by, with) = (usize::from(by) % PEOPLE, usize::from(with) % PEOPLE);
        let mut done = Transaction::default();
        let (taken, back) = (Amount::from(amount % 9), Amount::from(amount % 4));
        let back = back.min(taken);
        if self.free[by] < taken {
            return None;
        }
        self.free[by] -= taken;
        if taken > 0 {
            done.told.push(Told::Withdraw(by, taken));
        }
        let amount = Amount::from(amount % 5_000) + 1;
        let before = self.clone();
        if self.act(what, by, with, amount, &mut done).is_none() {
            // A call that fails changes nothing but the fee.
            *self = before;
            done.told.truncate(usize::from(taken > 0));
            done.settles.clear();
        }
        if taken > 0 {
            self.share_fee(by, taken, back, &mut done);
        }
        Some(done)
    }

    fn share_fee(&mut self, by: usize, taken: Amount, back: Amount, done: &mut Transaction) {
        let fee = taken - back;
        let author = fee / 3 * 2;
        for (who, part) in [(by, back), (TREASURY, fee - author), (AUTHOR, author)] {
            self.free[who] += part;
            done.told.push(Told::Deposit(who, part));
        }
        let paid = (account(by), fee, 0_u128).encode();
        let name = "TransactionFeePaid";
        done.told.push(Told::Said("TransactionPayment", name, paid));
    }

    fn act(
        &mut self,
        what: u8,
        by: usize,
        with: usize,
        amount: Amount,
        done: &mut Transaction,
    ) -> Option<()> {
        match what % 19 {
            0 => {
                self.free[by] = self.free[by].checked_sub(amount)?;
                self.free[with] += amount;
                done.told.push(Told::Transfer(by, with, amount));
            }
            1 => {
                self.free[with] += amount;
                self.minted += amount;
                self.purchases += 1;
                let reference = self.purchases.encode();
                done.told.push(Told::Minted(with, amount));
                let fields = (reference, account(with), 1_u64, amount).encode();
                done.told
                    .push(Told::Said("Bytechip", "PurchaseRecorded", fields));
            }
            2 => self.hold("Workforce", by, amount, done)?,
            3 => self.release("Workforce", by, amount, done)?,
            4 => {
                self.hold("Bytechip", by, amount, done)?;
                let number = self.numbers;
                self.numbers += 1;
                self.payouts.push((number, by, amount));
                let fields = (number, account(by), amount, Digest::default()).encode();
                done.told
                    .push(Told::Said("Bytechip", "PayoutRequested", fields));
            }
            5 => self.answer(with, amount.is_multiple_of(2), done)?,
            6 => {
                self.free[by] = self.free[by].checked_sub(amount)?;
                *self.held.entry((by, "")).or_default() += amount;
                done.told.push(Told::Reserved(by, amount));
            }
            7 => {
                let held = self.held.get_mut(&(by, ""))?;
                *held = held.checked_sub(amount)?;
                self.free[by] += amount;
                done.told.push(Told::Unreserved(by, amount));
            }
            8 => self.submit(by, amount * 3, done)?,
            9 => {
                // Several in one transaction, as one call of several makes them.
                let mut any = None;
                for place in 0..self.jobs.len() {
                    if self.jobs[place].open && !(place + with).is_multiple_of(3) {
                        any = self.settle(place, with, amount, done).or(any);
                    }
                }
                any?;
            }
            10 => {
                let idle = |job: &Job| job.open && job.owner == by && job.pending.is_empty();
                let place = self.jobs.iter().position(idle)?;
                self.end(place, done);
            }
            11 => {
                let mut any = None;
                for place in 0..self.jobs.len() {
                    any = self.finalise(place, done).or(any);
                }
                any?;
            }
            12 => self.hold(bond(amount), by, amount, done)?,
            13 => self.release(bond(amount), by, amount, done)?,
            14 => self.slash(bond(amount), by, with, amount, done)?,
            15 => self.hold("Custody", by, amount, done)?,
            16 => self.release("Custody", by, amount, done)?,
            17 => {
                let held = self.held.get_mut(&(by, "Custody"))?;
                *held = held.checked_sub(amount)?;
                self.free[with] += amount;
                done.told.push(Told::Lost("Custody", by, with, amount));
                let rest = amount / 2;
                let fields = (
                    ContractId([3; 32]),
                    4_u32,
                    1_u32,
                    amount - rest,
                    rest,
                    0_u128,
                );
                done.told
                    .push(Told::Said("Custody", "PeriodPaid", fields.encode()));
            }
            _ => {
                let pending = |job: &Job| !job.pending.is_empty();
                let place = self.jobs.iter().position(pending)?;
                self.strike(place, done)?;
            }
        }
        Some(())
    }

    fn hold(
        &mut self,
        pallet: &'static str,
        who: usize,
        amount: Amount,
        done: &mut Transaction,
    ) -> Option<()> {
        self.free[who] = self.free[who].checked_sub(amount)?;
        *self.held.entry((who, pallet)).or_default() += amount;
        done.told.push(Told::Held(pallet, who, amount));
        Some(())
    }

    fn release(
        &mut self,
        pallet: &'static str,
        who: usize,
        amount: Amount,
        done: &mut Transaction,
    ) -> Option<()> {
        let held = self.held.get_mut(&(who, pallet))?;
        *held = held.checked_sub(amount)?;
        self.free[who] += amount;
        done.told.push(Told::Released(pallet, who, amount));
        Some(())
    }

    /// Takes an amount from a bond: a third goes to another account, if it is one, and the rest is gone.
    fn slash(
        &mut self,
        pallet: &'static str,
        who: usize,
        winner: usize,
        amount: Amount,
        done: &mut Transaction,
    ) -> Option<()> {
        let held = self.held.get_mut(&(who, pallet))?;
        *held = held.checked_sub(amount)?;
        let paid = if who == winner { 0 } else { amount / 3 };
        let burnt = amount - paid;
        self.free[winner] += paid;
        self.burnt += burnt;
        if paid > 0 {
            done.told.push(Told::Lost(pallet, who, winner, paid));
        }
        done.told.push(Told::BurnedHeld(pallet, who, burnt));
        let (account, winner) = (account(who), account(winner));
        let (name, fields) = match pallet {
            "Workforce" => {
                let fields = (account, DeviceId([1; 32]), winner, paid, burnt);
                ("BondSlashed", fields.encode())
            }
            "Roster" => ("BondSlashed", (account, amount, winner, burnt).encode()),
            _ => {
                let batch = (JobId([100; 32]), 0_u32);
                ("DisputeLost", (account, batch, (paid, burnt)).encode())
            }
        };
        done.told.push(Told::Said(pallet, name, fields));
        Some(())
    }

    fn answer(&mut self, which: usize, pay: bool, done: &mut Transaction) -> Option<()> {
        let place = which.checked_rem(self.payouts.len())?;
        let (number, who, amount) = self.payouts.remove(place);
        if !pay {
            self.release("Bytechip", who, amount, done)?;
            let fields = (number, account(who), amount).encode();
            let said = Told::Said("Bytechip", "PayoutReturned", fields);
            done.told.push(said);
            return Some(());
        }
        *self.held.get_mut(&(who, "Bytechip"))? -= amount;
        self.burnt += amount;
        done.told.push(Told::BurnedHeld("Bytechip", who, amount));
        let fields = (number, account(who), amount, number.encode()).encode();
        let said = Told::Said("Bytechip", "PayoutCompleted", fields);
        done.told.push(said);
        Some(())
    }

    fn submit(&mut self, owner: usize, amount: Amount, done: &mut Transaction) -> Option<()> {
        self.hold("Jobs", owner, amount, done)?;
        let id = JobId([self.jobs.len() as u8 + 100; 32]);
        self.jobs.push(Job {
            id,
            owner,
            escrow: Escrow {
                deposited: amount,
                held: amount,
                ..Escrow::default()
            },
            open: true,
            batches: 0,
            settled: vec![],
            count: 0,
            pending: vec![],
        });
        let fields = (id, account(owner), amount).encode();
        done.told.push(Told::Said("Jobs", "JobSubmitted", fields));
        Some(())
    }

    /// Settles one to three tasks that are not. What the batch spends is set aside.
    fn settle(
        &mut self,
        place: usize,
        with: usize,
        amount: Amount,
        done: &mut Transaction,
    ) -> Option<()> {
        let job = self.jobs[place].clone();
        let is_open = |task: &u32| {
            job.settled.get(*task as usize / 8).copied().unwrap_or(0) >> (task % 8) & 1 == 0
        };
        let tasks: Vec<u32> = (0..TASKS)
            .filter(is_open)
            .take(1 + amount as usize % 3)
            .collect();
        tasks.first()?;
        let spent = (amount % 997).min(job.escrow.held);
        let workers = spent * 7 / 10;
        let operators = spent * 2 / 10;
        let mut bits = vec![0_u8; 2];
        for task in &tasks {
            bits[*task as usize / 8] |= 1 << (task % 8);
        }
        let batch = Batch {
            sequence: job.batches,
            tasks: tasks.len() as u32,
            parts: [(with, workers / 2), (3 - with, workers - workers / 2)],
            masternodes: [AUTHOR, 3, 0][..1 + with % 3].to_vec(),
            operators,
            treasury: spent - workers - operators,
            bits: bits.clone(),
        };
        done.settles.push((job.id, job.batches, 0, bits.clone()));
        let fields = (
            job.id,
            job.batches,
            batch.tasks,
            spent,
            workers,
            operators,
            batch.treasury,
            99_u32,
        );
        let said = Told::Said("Jobs", "BatchSettled", fields.encode());
        done.told.push(said);
        let known = &mut self.jobs[place];
        known.batches += 1;
        known.count += batch.tasks;
        known.settled.resize(2, 0);
        for (old, new) in known.settled.iter_mut().zip(&bits) {
            *old |= new;
        }
        known.escrow.pending += spent;
        known.escrow.held -= spent;
        known.pending.push(batch);
        Some(())
    }

    /// Makes a job's oldest batch final, and ends the job with the last of all tasks.
    fn finalise(&mut self, place: usize, done: &mut Transaction) -> Option<()> {
        let known = &mut self.jobs[place];
        known.pending.first()?;
        let batch = known.pending.remove(0);
        let (id, owner) = (known.id, known.owner);
        known.escrow.paid += batch.workers();
        known.escrow.network += batch.operators + batch.treasury;
        known.escrow.pending -= batch.spent();
        let is_done = known.count == TASKS && known.pending.is_empty();
        for (who, part) in batch.parts {
            self.pay(owner, who, part, done);
        }
        let all = batch.masternodes.len() as Amount;
        let each = batch.operators / all;
        let treasury = batch.treasury + batch.operators % all;
        let fields = (
            id,
            batch.sequence,
            batch.tasks,
            batch.workers(),
            each * all,
            treasury,
        );
        let said = Told::Said("Jobs", "BatchFinalised", fields.encode());
        done.told.push(said);
        for masternode in batch.masternodes {
            self.pay(owner, masternode, each, done);
        }
        self.pay(owner, TREASURY, treasury, done);
        if is_done {
            self.end(place, done);
        }
        Some(())
    }

    /// Strikes a job's newest batch.
    fn strike(&mut self, place: usize, done: &mut Transaction) -> Option<()> {
        let known = &mut self.jobs[place];
        let batch = known.pending.pop()?;
        known.escrow.pending -= batch.spent();
        known.escrow.held += batch.spent();
        known.count -= batch.tasks;
        for (old, struck) in known.settled.iter_mut().zip(&batch.bits) {
            *old &= !struck;
        }
        let fields = (known.id, batch.sequence, batch.tasks, batch.spent());
        let said = Told::Said("Jobs", "BatchStruck", fields.encode());
        done.told.push(said);
        Some(())
    }

    fn pay(&mut self, owner: usize, who: usize, amount: Amount, done: &mut Transaction) {
        if amount > 0 {
            *self.held.get_mut(&(owner, "Jobs")).unwrap() -= amount;
            self.free[who] += amount;
            done.told.push(Told::OnHold(owner, who, amount));
        }
    }

    fn end(&mut self, place: usize, done: &mut Transaction) {
        let job = self.jobs[place].clone();
        let rest = job.escrow.held;
        if rest > 0 {
            self.release("Jobs", job.owner, rest, done).unwrap();
        }
        let known = &mut self.jobs[place];
        known.open = false;
        known.settled.clear();
        known.escrow.refunded += rest;
        known.escrow.held = 0;
        let fields = (job.id, JobEnd::AllSettled, rest).encode();
        done.told.push(Told::Said("Jobs", "JobEnded", fields));
    }

    /// What the chain would say of all money.
    pub(crate) fn snapshot(&self, block: u32) -> Snapshot {
        let of = |pallet: &str| {
            let parts = self
                .held
                .iter()
                .filter(|((_, held_for), _)| *held_for == pallet);
            parts.map(|(_, amount)| *amount).sum::<Amount>()
        };
        let genesis = 5 * ENDOWMENT;
        let totals = Totals {
            issuance: genesis + self.minted - self.burnt,
            genesis,
            minted: self.minted,
            burnt: self.burnt,
            escrow: of("Jobs"),
            pending: self.jobs.iter().map(|job| job.escrow.pending).sum(),
            bonds: of("Workforce"),
            payouts: of("Bytechip"),
            masternode_bonds: of("Roster"),
            disputes: of("Disputes"),
            contracts: of("Custody") - of("Custody") / 3,
            challenges: of("Custody") / 3,
        };
        let mut accounts = BTreeMap::new();
        for (who, free) in self.free.iter().enumerate() {
            let held = self
                .held
                .iter()
                .filter(|((of, _), held)| *of == who && **held > 0);
            let held = held.map(|((_, pallet), amount)| (reason(pallet), *amount));
            let known = Account {
                free: *free,
                held: held.collect(),
            };
            if known.total() != Some(0) {
                accounts.insert(account(who), known);
            }
        }
        let jobs = self.jobs.iter().map(|job| {
            let known = JobAccount {
                owner: account(job.owner),
                escrow: job.escrow,
                open: job.open,
                next_batch: job.batches,
                settled_tasks: job.count,
                settled: job.settled.clone(),
                pending: job.pending.iter().map(pending).collect(),
            };
            (job.id, known)
        });
        Snapshot {
            block,
            totals,
            accounts,
            jobs: jobs.collect(),
        }
    }
}

fn pending(batch: &Batch) -> (u32, PendingAccount) {
    let account = PendingAccount {
        tasks: Tasks::new(0, batch.bits.clone()).unwrap(),
        workers: batch.workers(),
        network: batch.operators + batch.treasury,
    };
    (batch.sequence, account)
}

fn reason(pallet: &str) -> Reason {
    match pallet {
        "" => Reason::Deposit,
        pallet => Reason::of_pallet(pallet),
    }
}
