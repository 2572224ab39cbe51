//! The rules once more, written apart from the code under test and as plainly as they can be said:
//! money as rational numbers of unbounded size, tasks as a set, a job as a pot.

use sp_core::U256;
use std::collections::BTreeSet;

/// A fraction, never reduced.
#[derive(Clone, Copy)]
pub(crate) struct Ratio(U256, U256);

impl Ratio {
    pub(crate) fn new(numerator: u128, denominator: u128) -> Self {
        Self(numerator.into(), denominator.into())
    }

    pub(crate) fn times(self, other: Self) -> Self {
        Self(self.0 * other.0, self.1 * other.1)
    }

    pub(crate) fn max(self, other: Self) -> Self {
        if self.0 * other.1 >= other.0 * self.1 {
            self
        } else {
            other
        }
    }

    pub(crate) fn floor(self) -> u128 {
        (self.0 / self.1).as_u128()
    }
}

/// The price of a task, factor by factor as the rule reads.
pub(crate) fn price(
    gigafuel: u128,
    task_min: u128,
    level_permille: u32,
    replica_permille: u32,
    replicas: u8,
    fuel: u64,
) -> u128 {
    let replicas_permille = 1_000 + u128::from(replica_permille) * (u128::from(replicas) - 1);
    Ratio::new(fuel.into(), 1_000_000_000)
        .times(Ratio::new(gigafuel, 1))
        .max(Ratio::new(task_min, 1))
        .times(Ratio::new(level_permille.into(), 1_000))
        .times(Ratio::new(replicas_permille, 1_000))
        .floor()
}

pub(crate) fn seven_tenths(amount: u128) -> u128 {
    Ratio::new(amount, 1).times(Ratio::new(7, 10)).floor()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Working,
    Closing {
        until: u32,
    },
    /// Nothing more is settled; `timely` if the job would go on if a batch fell, for as long as it would
    /// have anyway: `until`, if it was closing.
    Done {
        timely: bool,
        until: Option<u32>,
    },
    Over,
}

/// Where the money of a job has gone so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pots {
    pub(crate) held: u128,
    pub(crate) workers: u128,
    pub(crate) network: u128,
    pub(crate) owner: u128,
}

/// A batch without its encoding.
#[derive(Clone, Debug)]
pub(crate) struct PlainBatch {
    pub(crate) from_coordinator: bool,
    pub(crate) sequence: u32,
    pub(crate) tasks: BTreeSet<u32>,
    pub(crate) spent: u128,
    /// Payee and amount, in the order given.
    pub(crate) payouts: Vec<(u8, u128)>,
}

/// A job, told as a story of a pot and a set of open tasks.
pub(crate) struct Model {
    pub(crate) phase: Phase,
    pub(crate) pots: Pots,
    pub(crate) deadline: u32,
    pub(crate) task_cap: u128,
    pub(crate) open_tasks: BTreeSet<u32>,
    pub(crate) batches: u32,
    /// Batches that are not final, the oldest first.
    pub(crate) pending: Vec<PlainBatch>,
    /// How many were struck.
    pub(crate) struck: usize,
}

impl Model {
    pub(crate) fn new(tasks: u32, task_cap: u128, deadline: u32) -> Self {
        Self {
            phase: Phase::Waiting,
            pots: Pots {
                held: task_cap * u128::from(tasks),
                ..Pots::default()
            },
            deadline,
            task_cap,
            open_tasks: (0..tasks).collect(),
            batches: 0,
            pending: Vec::new(),
            struck: 0,
        }
    }

    /// What pending batches spend.
    pub(crate) fn set_aside(&self) -> u128 {
        self.pending.iter().map(|batch| batch.spent).sum()
    }

    pub(crate) fn draw(&mut self) -> bool {
        let may = self.phase == Phase::Waiting;
        if may {
            self.phase = Phase::Working;
        }
        may
    }

    pub(crate) fn settle(&mut self, now: u32, batch: &PlainBatch) -> bool {
        let paid: u128 = batch.payouts.iter().map(|(_, amount)| amount).sum();
        let payees: Vec<u8> = batch.payouts.iter().map(|(payee, _)| *payee).collect();
        let payees_sorted: Vec<u8> = BTreeSet::from_iter(payees.clone()).into_iter().collect();
        let may = self.coordinator_may_act(now)
            && batch.from_coordinator
            && batch.sequence == self.batches
            && !batch.tasks.is_empty()
            && batch.tasks.is_subset(&self.open_tasks)
            && batch.spent <= self.task_cap * batch.tasks.len() as u128
            && batch.spent <= self.pots.held
            && payees == payees_sorted
            && batch.payouts.iter().all(|(_, amount)| *amount > 0)
            && paid * 10 <= batch.spent * 7;
        if may {
            self.open_tasks = &self.open_tasks - &batch.tasks;
            self.batches += 1;
            self.pots.held -= batch.spent;
            self.pending.push(batch.clone());
            if self.open_tasks.is_empty() {
                let until = self.closing_until();
                self.phase = Phase::Done {
                    timely: true,
                    until,
                };
            }
        }
        may
    }

    pub(crate) fn finalise(&mut self) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let batch = self.pending.remove(0);
        let paid: u128 = batch.payouts.iter().map(|(_, amount)| amount).sum();
        self.pots.workers += paid;
        self.pots.network += batch.spent - paid;
        if let (Phase::Done { .. }, true) = (self.phase, self.pending.is_empty()) {
            self.give_back();
        }
        true
    }

    /// All pending batches fall but the oldest so many.
    pub(crate) fn strike(&mut self, now: u32, kept: usize, goes_on: bool) -> bool {
        if kept >= self.pending.len() {
            return false;
        }
        for batch in self.pending.split_off(kept) {
            self.open_tasks.extend(batch.tasks);
            self.pots.held += batch.spent;
            self.struck += 1;
        }
        let in_time = match self.phase {
            Phase::Closing { until } => now <= until,
            Phase::Done { timely, until } => timely && now <= until.unwrap_or(self.deadline),
            _ => now <= self.deadline,
        };
        match self.closing_until() {
            Some(until) if goes_on && in_time => self.phase = Phase::Closing { until },
            None if goes_on && in_time => self.phase = Phase::Working,
            _ => self.close(false, true),
        }
        true
    }

    /// Nothing more is settled. What is held goes back now, or when the last batch is final.
    fn close(&mut self, timely: bool, now: bool) {
        let until = self.closing_until();
        if now || self.pending.is_empty() {
            self.give_back();
        }
        if !self.pending.is_empty() {
            self.phase = Phase::Done { timely, until };
        }
    }

    /// Until when a job can be settled that its owner has cancelled.
    fn closing_until(&self) -> Option<u32> {
        match self.phase {
            Phase::Closing { until } => Some(until),
            Phase::Done { until, .. } => until,
            Phase::Waiting | Phase::Working | Phase::Over => None,
        }
    }

    pub(crate) fn fail(
        &mut self,
        now: u32,
        from_coordinator: bool,
        task: u32,
        fails: bool,
    ) -> bool {
        let may = self.coordinator_may_act(now)
            && from_coordinator
            && fails
            && self.open_tasks.contains(&task);
        if may {
            self.close(true, false);
        }
        may
    }

    pub(crate) fn cancel(&mut self, now: u32, from_owner: bool, grace: u32) -> bool {
        let in_time = from_owner && now <= self.deadline;
        match self.phase {
            Phase::Waiting if in_time => self.give_back(),
            Phase::Working if in_time => {
                self.phase = Phase::Closing {
                    until: (now + grace).min(self.deadline),
                };
            }
            _ => return false,
        }
        true
    }

    pub(crate) fn refund(&mut self, now: u32) -> bool {
        let may = match self.phase {
            Phase::Waiting | Phase::Working => now > self.deadline,
            Phase::Closing { until } => now > until,
            Phase::Done { until, .. } => self.pots.held > 0 && now > until.unwrap_or(self.deadline),
            Phase::Over => false,
        };
        if may {
            // What was over in time stays so, but is past its time now.
            self.close(false, true);
        }
        may
    }

    fn coordinator_may_act(&self, now: u32) -> bool {
        match self.phase {
            Phase::Working => now <= self.deadline,
            Phase::Closing { until } => now <= until,
            Phase::Waiting | Phase::Done { .. } | Phase::Over => false,
        }
    }

    fn give_back(&mut self) {
        self.pots.owner += self.pots.held;
        self.pots.held = 0;
        self.phase = Phase::Over;
    }
}
