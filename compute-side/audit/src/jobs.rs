//! The money of jobs, and what the chain says of it in its events.

use crate::{
    Difference, Finalised, JobAccount, Kind, Movement, PendingAccount, Replay, Settled, Side,
    Statement, Struck,
    replay::{Turn, add},
    snapshot::sum,
};
use quern_primitives::{AccountId, Amount, JobId, job::Escrow};
use std::collections::BTreeMap;

impl Replay {
    /// Money of a job moved.
    pub(crate) fn moved_of(&mut self, job: JobId, movement: &Movement, turn: &mut Turn<'_>) {
        let Some(owner) = movement.from.account() else {
            return;
        };
        turn.jobs.insert(job);
        if movement.kind == Kind::EscrowHeld {
            self.open(job, owner, movement.amount, turn);
        } else {
            self.spend(job, owner, movement, turn);
        }
    }

    fn open(&mut self, job: JobId, owner: &AccountId, amount: Amount, turn: &mut Turn<'_>) {
        let at = turn.at;
        if self.now.jobs.contains_key(&job) {
            self.differ(Difference::JobTwice { at, job });
            return;
        }
        turn.opened.insert(job);
        let opened = JobAccount {
            owner: owner.clone(),
            escrow: Escrow {
                deposited: amount,
                held: amount,
                ..Escrow::default()
            },
            open: true,
            next_batch: 0,
            settled_tasks: 0,
            settled: vec![],
            pending: BTreeMap::new(),
        };
        self.now.jobs.insert(job, opened);
        let held = self.owners.entry(owner.clone()).or_default();
        if !add(held, amount) {
            self.differ(Difference::TooLarge { at });
        }
    }

    /// Money of a job leaves its escrow.
    fn spend(&mut self, job: JobId, owner: &AccountId, movement: &Movement, turn: &mut Turn<'_>) {
        let (at, amount) = (turn.at, movement.amount);
        let known = self.now.jobs.get_mut(&job).filter(|it| it.owner == *owner);
        let Some(known) = known else {
            self.differ(Difference::NoSuchJob { at, job });
            return;
        };
        let was_open = known.open;
        let escrow = &mut known.escrow;
        // What is not there makes the sum more than the deposit, which is told behind the transaction. A
        // batch is paid from what is set aside for it, the owner from the rest.
        let is_pay = movement.batch.is_some();
        let part = match is_pay {
            true => &mut escrow.pending,
            false => &mut escrow.held,
        };
        let taken = amount.min(*part);
        *part = part.saturating_sub(taken);
        if is_pay {
            let totals = &mut self.now.totals;
            totals.pending = totals.pending.saturating_sub(taken);
        }
        let mut fits = match movement.kind {
            Kind::WorkerPay => add(&mut escrow.paid, amount),
            Kind::OperatorPay | Kind::TreasuryShare => add(&mut escrow.network, amount),
            _ => add(&mut escrow.refunded, amount),
        };
        match (movement.kind, movement.batch) {
            (Kind::WorkerPay, Some(batch)) => {
                let [workers, _] = turn.paid.entry((job, batch)).or_default();
                fits &= add(workers, amount);
            }
            (Kind::OperatorPay | Kind::TreasuryShare, Some(batch)) => {
                let [_, network] = turn.paid.entry((job, batch)).or_default();
                fits &= add(network, amount);
            }
            _ => fits &= add(turn.refunded.entry(job).or_default(), amount),
        }
        self.release(owner, taken);
        if !fits {
            self.differ(Difference::TooLarge { at });
        }
        if !was_open {
            self.differ(Difference::JobOver { at, job });
        }
    }

    /// So much less is held for the open jobs of an account.
    fn release(&mut self, owner: &AccountId, amount: Amount) {
        let held = self.owners.get(owner).copied().unwrap_or(0);
        match held.saturating_sub(amount) {
            0 => self.owners.remove(owner),
            left => self.owners.insert(owner.clone(), left),
        };
    }

    /// The chain says something.
    pub(crate) fn said(&mut self, statement: &Statement, turn: &mut Turn<'_>) {
        let at = turn.at;
        match statement {
            Statement::Submitted { job, owner, escrow } => {
                self.submitted(*job, owner, *escrow, turn);
            }
            Statement::Settled(settled) => self.settled(*settled, turn),
            Statement::Finalised(finalised) => self.finalised(*finalised, turn),
            Statement::Struck(struck) => self.struck(*struck, turn),
            Statement::Settling { job, refunded } => {
                turn.jobs.insert(*job);
                let moved = turn.refunded.get(job).copied().unwrap_or(0);
                self.hold_to(*refunded, moved, Side::Refunded, *job, turn);
            }
            Statement::Ended { job, refunded } => self.ended(*job, *refunded, turn),
            Statement::Unread { event } => self.differ(Difference::Unread {
                at,
                event: event.clone(),
            }),
            // It stays held, as what it was.
            Statement::Unbonded { .. } => {}
        }
    }

    fn submitted(&mut self, job: JobId, owner: &AccountId, said: Amount, turn: &Turn<'_>) {
        let at = turn.at;
        let known = self.now.jobs.get(&job).filter(|it| it.owner == *owner);
        let Some(moved) = known.map(|it| it.escrow.deposited) else {
            self.differ(Difference::NoSuchJob { at, job });
            return;
        };
        if !turn.opened.contains(&job) {
            self.differ(Difference::JobTwice { at, job });
        }
        self.hold_to(said, moved, Side::Deposited, job, turn);
    }

    fn settled(&mut self, settled: Settled, turn: &mut Turn<'_>) {
        let (at, job) = (turn.at, settled.job);
        turn.jobs.insert(job);
        let parts = [settled.workers, settled.operators, settled.treasury];
        let parts = sum(parts).unwrap_or(Amount::MAX);
        self.hold_to(settled.spent, parts, Side::Network, job, turn);
        let sets = sets_of(&settled, turn);
        let Some(known) = self.now.jobs.get_mut(&job) else {
            self.differ(Difference::NoSuchJob { at, job });
            return;
        };
        let (was_open, expected, batch) = (known.open, known.next_batch, settled.sequence);
        known.next_batch = batch.saturating_add(1);
        known.settled_tasks = known.settled_tasks.saturating_add(settled.tasks);
        let mut twice = Vec::new();
        if let [only] = sets.as_slice() {
            twice = only.add_to(&mut known.settled);
        }
        let pending = PendingAccount {
            tasks: sets.first().map(|set| (*set).clone()).unwrap_or_default(),
            workers: settled.workers,
            network: settled.operators.saturating_add(settled.treasury),
        };
        known.pending.insert(batch, pending);
        // What is not held makes the sum more than the deposit, which is told behind the transaction.
        let escrow = &mut known.escrow;
        escrow.held = escrow.held.saturating_sub(settled.spent);
        let fits = add(&mut escrow.pending, settled.spent)
            & add(&mut self.now.totals.pending, settled.spent);
        if !fits {
            self.differ(Difference::TooLarge { at });
        }
        if !was_open {
            self.differ(Difference::JobOver { at, job });
        }
        if batch != expected {
            self.differ(Difference::Sequence {
                at,
                job,
                expected,
                found: batch,
            });
        }
        if sets.len() != 1 {
            self.differ(Difference::TasksUnknown {
                at,
                job,
                batch,
                tasks: settled.tasks,
                found: sets.len(),
            });
        }
        for task in twice {
            self.differ(Difference::SettledTwice {
                at,
                job,
                batch,
                task,
            });
        }
    }

    /// A batch is final: what it paid was set aside for it.
    fn finalised(&mut self, finalised: Finalised, turn: &mut Turn<'_>) {
        let (at, job, batch) = (turn.at, finalised.job, finalised.sequence);
        turn.jobs.insert(job);
        turn.finalised.push(finalised);
        let known = self.now.jobs.get_mut(&job);
        let Some(pending) = known.and_then(|known| known.pending.remove(&batch)) else {
            self.differ(Difference::NotPending { at, job, batch });
            return;
        };
        self.hold_to(finalised.workers, pending.workers, Side::Paid, job, turn);
        let network = sum([finalised.operators, finalised.treasury]).unwrap_or(Amount::MAX);
        self.hold_to(network, pending.network, Side::Network, job, turn);
    }

    /// A batch is struck: its tasks are unsettled again, and its money is held again.
    fn struck(&mut self, struck: Struck, turn: &mut Turn<'_>) {
        let (at, job, batch) = (turn.at, struck.job, struck.sequence);
        turn.jobs.insert(job);
        let known = self.now.jobs.get_mut(&job);
        let known = known.and_then(|known| Some((known.pending.remove(&batch)?, known)));
        let Some((pending, known)) = known else {
            self.differ(Difference::NotPending { at, job, batch });
            return;
        };
        pending.tasks.remove_from(&mut known.settled);
        known.settled_tasks = known.settled_tasks.saturating_sub(struck.tasks);
        let spent = pending.spent();
        let escrow = &mut known.escrow;
        escrow.pending = escrow.pending.saturating_sub(spent);
        let fits = add(&mut escrow.held, spent);
        let totals = &mut self.now.totals;
        totals.pending = totals.pending.saturating_sub(spent);
        if !fits {
            self.differ(Difference::TooLarge { at });
        }
        self.hold_to(struck.spent, spent, Side::Pending, job, turn);
    }

    fn ended(&mut self, job: JobId, refunded: Amount, turn: &mut Turn<'_>) {
        let at = turn.at;
        turn.jobs.insert(job);
        let Some(known) = self.now.jobs.get_mut(&job) else {
            self.differ(Difference::NoSuchJob { at, job });
            return;
        };
        let (was_open, held, owner) = (known.open, known.on_hold(), known.owner.clone());
        known.open = false;
        known.settled = Vec::new();
        turn.owners.insert(owner.clone());
        if !was_open {
            self.differ(Difference::JobOver { at, job });
        } else if held > 0 {
            self.release(&owner, held);
            self.differ(Difference::StillHeld { at, job, held });
        }
        let moved = turn.refunded.get(&job).copied().unwrap_or(0);
        self.hold_to(refunded, moved, Side::Refunded, job, turn);
    }

    /// What must be true of a transaction's jobs behind it.
    pub(crate) fn end_of_jobs(&mut self, turn: &Turn<'_>) {
        for finalised in &turn.finalised {
            let key = (finalised.job, finalised.sequence);
            let [workers, network] = turn.paid.get(&key).copied().unwrap_or_default();
            self.hold_to(finalised.workers, workers, Side::Paid, finalised.job, turn);
            let said = sum([finalised.operators, finalised.treasury]).unwrap_or(Amount::MAX);
            self.hold_to(said, network, Side::Network, finalised.job, turn);
        }
        for job in &turn.jobs {
            let known = self.now.jobs.get(job).filter(|it| !it.is_conserved());
            let Some(known) = known else {
                continue;
            };
            let difference = Difference::NotConserved {
                at: turn.at,
                job: *job,
                deposited: known.escrow.deposited,
                accounted: known.accounted().unwrap_or(Amount::MAX),
            };
            self.differ(difference);
        }
    }

    fn hold_to(&mut self, said: Amount, moved: Amount, side: Side, job: JobId, turn: &Turn<'_>) {
        if said != moved {
            self.differ(Difference::Said {
                at: turn.at,
                job,
                side,
                said,
                moved,
            });
        }
    }
}

/// The different sets of as many tasks as a batch settled that calls of its transaction name for it. A
/// transaction may try to settle a batch twice.
fn sets_of<'a>(settled: &Settled, turn: &Turn<'a>) -> Vec<&'a crate::Tasks> {
    let mut sets: Vec<&crate::Tasks> = Vec::new();
    for settlement in &turn.block.settlements {
        let is_its = Some(settlement.transaction) == turn.at.transaction
            && (settlement.job, settlement.sequence) == (settled.job, settled.sequence)
            && settlement.tasks.count() == settled.tasks;
        if is_its && !sets.contains(&&settlement.tasks) {
            sets.push(&settlement.tasks);
        }
    }
    sets
}
