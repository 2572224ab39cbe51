//! From verdicts to batches: when to settle, what fits into one batch, and sending it again until
//! the chain counts it.

use super::{
    Core, Effect, Entry, Settings, Tick, Ticket,
    job::{ActiveJob, Unsettled},
};
use codec::Encode;
use quern_job_rules::tasks;
use quern_primitives::{
    amount::Amount,
    batch::{Batch, DeviceChange, LogRange, Payout},
    device::RecordChange,
    ids::{AccountId, BatchSequence, DeviceId, JobId},
    job::JobState,
    limits,
    merkle::Tree,
    verdict::{Finding, Verdict},
};
use std::collections::BTreeMap;

/// When and how large batches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettleLimits {
    /// Verdicts in one batch, at most [`limits::VERDICTS_PER_BATCH_MAX`].
    pub verdicts_max: usize,
    /// What a batch of several verdicts spends at most. The chain settles nothing that the masternode's bond does
    /// not cover, so this is a part of that.
    pub spent_max: Amount,
    /// A verdict waits no longer than this for others to fill its batch, in milliseconds; twice as long with
    /// each 32 batches of its job that are not final.
    pub wait_ms: u64,
    /// Batches that the chain has not counted are sent again after so long, in milliseconds.
    pub retry_ms: u64,
    /// Batches of a job that are on their way at a time. Verdicts wait while there are as many, so
    /// that the slower the chain is, the fuller batches are. A job of as many tasks as there may be fills
    /// as many batches, so full ones never wait for each other.
    pub in_flight_max: usize,
}

impl Default for SettleLimits {
    fn default() -> Self {
        Self {
            verdicts_max: limits::VERDICTS_PER_BATCH_MAX as usize,
            spent_max: Amount::MAX,
            wait_ms: 6_000,
            retry_ms: 30_000,
            in_flight_max: FULL_BATCHES_PER_JOB_MAX,
        }
    }
}

/// Full batches that a job can have: 16.
const FULL_BATCHES_PER_JOB_MAX: usize =
    limits::TASKS_PER_JOB_MAX.div_ceil(limits::VERDICTS_PER_BATCH_MAX) as usize;

/// Verdicts wait twice as long for others with each so many batches of the job that are not final.
///
/// The chain keeps [`limits::PENDING_BATCHES_PER_JOB_MAX`], for as long as the window is. With a window
/// of 300 blocks, ten minutes, the waits settle down at 6 to 12 seconds, with some 50 of them pending;
/// where it is a day, at 10 minutes, in the place of none at all for most of the day.
const BATCHES_PER_DOUBLED_WAIT: usize = 32;

impl ActiveJob {
    pub(super) fn next_wakeup(&self, settings: &Settings) -> Option<Tick> {
        // It only waits for its last batch to be final.
        if !self.job.state.goes_on() {
            return None;
        }
        let fresh = self.next_batch_at(&settings.settle);
        let ends = self.in_flight.is_empty() && self.failed.is_some();
        let pending = (self.sent > 0 || ends).then_some(self.next_try);
        let certain = self.next_certain(settings.certain_ms);
        [fresh, pending, self.next_look(), certain]
            .into_iter()
            .flatten()
            .min()
    }

    /// When verdicts that wait go into a batch at the latest, if any waits and there is room for one.
    pub(super) fn next_batch_at(&self, settle: &SettleLimits) -> Option<Tick> {
        let waiting = self.unsettled.front().filter(|_| self.has_room(settle));
        waiting.map(|oldest| oldest.since.plus_ms(self.wait_ms(settle)))
    }

    /// How long a verdict waits for others, as things are.
    fn wait_ms(&self, settle: &SettleLimits) -> u64 {
        let doublings =
            (self.kept_batches() / BATCHES_PER_DOUBLED_WAIT).min(u64::BITS as usize - 1);
        settle.wait_ms.saturating_mul(1 << doublings)
    }

    /// Batches that are not final, those on their way among them.
    fn kept_batches(&self) -> usize {
        let pending = self.job.pending_batches as usize;
        self.in_flight.len().saturating_add(pending)
    }

    /// Whether another batch may be on its way. The chain keeps only so many of a job that are not
    /// final; until the oldest is, verdicts wait, and batches get fuller.
    fn has_room(&self, settle: &SettleLimits) -> bool {
        self.in_flight.len() < settle.in_flight_max
            && self.kept_batches() < limits::PENDING_BATCHES_PER_JOB_MAX as usize
    }

    /// Takes the unsettled verdicts that a batch has.
    pub(super) fn take_batched(&mut self, batch: &Batch) -> Vec<Verdict> {
        let Ok(tasks) = tasks::validate(&batch.tasks, self.task_count()) else {
            return vec![];
        };
        let batched: std::collections::BTreeSet<_> = tasks.iter().collect();
        self.batched_log = batch.log.last.saturating_add(1);
        let has = |waiting: &Unsettled| batched.contains(&waiting.verdict.task);
        // A batch takes the verdicts that wait longest, so nobody looks at those behind them.
        let mut taken = Vec::new();
        while let Some(waiting) = self.unsettled.pop_front_if(|waiting| has(waiting)) {
            taken.push(waiting);
        }
        if taken.len() < batched.len() {
            let (others, rest) = self.unsettled.drain(..).partition::<Vec<_>, _>(has);
            self.unsettled = rest.into();
            taken.extend(others);
        }
        taken.into_iter().map(|waiting| waiting.verdict).collect()
    }

    /// The verdicts of batches before this one, which the chain has counted.
    pub(super) fn take_counted(&mut self, next_batch: BatchSequence) -> Vec<Verdict> {
        let counted = self.batched.extract_if(..next_batch, |_, _| true);
        counted.flat_map(|(_, verdicts)| verdicts).collect()
    }

    /// Whether there is a reason to settle now rather than to wait for more verdicts.
    fn is_due(&self, now: Tick, persisted: Ticket, settle: &SettleLimits) -> bool {
        let no_more_come = self.counters.decided == self.task_count()
            || self.failed.is_some()
            || !matches!(self.job.state, JobState::Running { .. });
        // The last verdicts go together, so they wait for the disk together.
        let is_written = self
            .unsettled
            .back()
            .is_none_or(|waiting| waiting.ticket <= persisted);
        let is_old = self.next_batch_at(settle).is_some_and(|at| at <= now);
        self.unsettled.len() >= settle.verdicts_max || is_old || (no_more_come && is_written)
    }

    /// The next batch: verdicts that are on disk, as many as fit, in task order.
    fn compose(&self, persisted: Ticket, settle: &SettleLimits) -> Option<Batch> {
        let mut draft = Draft::default();
        for waiting in &self.unsettled {
            if waiting.ticket > persisted
                || draft.verdicts.len() >= settle.verdicts_max
                || draft.spends_more_than(settle.spent_max, &waiting.verdict)
                || !draft.add(&waiting.verdict)
            {
                break;
            }
        }
        let last = self.lengths.log.saturating_sub(1);
        let log = LogRange {
            first: self.batched_log.min(last),
            last,
        };
        // The chain numbers batches on, also behind those that were struck.
        let sequence = self
            .in_flight
            .back()
            .map_or(self.job.next_batch, |(_, batch)| {
                batch.sequence.saturating_add(1)
            });
        draft.into_batch(self.id, sequence, log)
    }
}

/// A batch that is being filled.
#[derive(Default)]
struct Draft<'a> {
    verdicts: Vec<&'a Verdict>,
    spent: Amount,
    payouts: BTreeMap<AccountId, Amount>,
    devices: BTreeMap<DeviceId, RecordChange>,
}

impl<'a> Draft<'a> {
    /// Whether there are verdicts already, and with this one they cost more than `most`.
    fn spends_more_than(&self, most: Amount, verdict: &Verdict) -> bool {
        !self.verdicts.is_empty() && self.spent.saturating_add(verdict.price) > most
    }

    /// Adds a verdict unless a list of the batch would grow over its limit.
    fn add(&mut self, verdict: &'a Verdict) -> bool {
        let new_accounts = verdict
            .replicas
            .iter()
            .filter(|found| found.pay > 0 && !self.payouts.contains_key(&found.account));
        let new_devices = verdict
            .replicas
            .iter()
            .filter(|found| !self.devices.contains_key(&found.device));
        if self.payouts.len() + new_accounts.count() > limits::PAYEES_PER_BATCH_MAX as usize
            || self.devices.len() + new_devices.count() > limits::DEVICES_PER_BATCH_MAX as usize
        {
            return false;
        }
        for found in &verdict.replicas {
            if found.pay > 0 {
                let pay = self.payouts.entry(found.account.clone()).or_default();
                *pay = pay.saturating_add(found.pay);
            }
            let change = self.devices.entry(found.device).or_default();
            match found.finding {
                Finding::Accepted => change.accepted += 1,
                Finding::Incorrect => change.incorrect += 1,
                Finding::Failed => change.failed += 1,
                Finding::Delayed => change.delayed += 1,
            }
        }
        self.spent = self.spent.saturating_add(verdict.price);
        self.verdicts.push(verdict);
        true
    }

    fn into_batch(mut self, job: JobId, sequence: u32, log: LogRange) -> Option<Batch> {
        self.verdicts.sort_by_key(|verdict| verdict.task);
        let tasks = tasks::collect(self.verdicts.iter().map(|verdict| verdict.task)).ok()?;
        let spent = self
            .verdicts
            .iter()
            .try_fold(0, |sum: Amount, verdict| sum.checked_add(verdict.price))?;
        let payouts = self
            .payouts
            .into_iter()
            .map(|(account, amount)| Payout { account, amount });
        let devices = self
            .devices
            .into_iter()
            .map(|(device, change)| DeviceChange { device, change });
        Some(Batch {
            job,
            sequence,
            log,
            verdicts_root: Tree::new(self.verdicts.iter().map(|verdict| verdict.encode())).root(),
            tasks,
            spent,
            payouts: payouts.collect::<Vec<_>>().try_into().ok()?,
            devices: devices.collect::<Vec<_>>().try_into().ok()?,
        })
    }
}

impl Core {
    pub(super) fn not_settled(&mut self, now: Tick, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.next_try = job.next_try.min(now.plus_ms(2_000));
        }
    }

    /// Composes and sends what is due.
    pub(super) fn settle_due(&mut self, now: Tick, out: &mut Vec<Effect>) {
        self.jobs.refresh(&self.settings);
        for id in self.jobs.to_settle() {
            while self.compose_due(now, id, out) {}
            self.send_due(now, id, out);
        }
    }

    /// Composes a batch if one is due; false if none is.
    fn compose_due(&mut self, now: Tick, id: JobId, out: &mut Vec<Effect>) -> bool {
        let (persisted, settle) = (self.persisted, self.settings.settle);
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        if !job.has_room(&settle)
            || !job.job.state.goes_on()
            || job.unsettled.is_empty()
            || !job.is_due(now, persisted, &settle)
        {
            return false;
        }
        let Some(batch) = job.compose(persisted, &settle) else {
            return false;
        };
        let verdicts = job.take_batched(&batch);
        if self.settings.re_executes && job.job.terms.re_execution_permille > 0 {
            job.batched.insert(batch.sequence, verdicts);
        }
        let entry = Entry::Batched {
            batch: batch.clone(),
        };
        let (ticket, _) = self.append(id, entry, None, out);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.in_flight.push_back((ticket, batch));
        }
        true
    }

    fn send_due(&mut self, now: Tick, id: JobId, out: &mut Vec<Effect>) {
        let (persisted, retry_ms) = (self.persisted, self.settings.settle.retry_ms);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.job.state.goes_on() {
            return;
        }
        if job.next_try <= now {
            // The chain has not moved: all is sent again.
            job.sent = 0;
        }
        for (ticket, batch) in job.in_flight.iter().skip(job.sent) {
            if *ticket > persisted {
                break;
            }
            if job.sent == 0 {
                job.next_try = now.plus_ms(retry_ms);
            }
            job.sent += 1;
            out.push(Effect::Settle {
                batch: Box::new(batch.clone()),
            });
        }
        let is_settled = job.in_flight.is_empty() && job.unsettled.is_empty();
        if let Some((ticket, task, why)) = job.failed
            && is_settled
            && ticket <= persisted
            && job.next_try <= now
        {
            let why = why.failure();
            out.push(Effect::CloseFailed { job: id, task, why });
            job.next_try = now.plus_ms(retry_ms);
        }
    }
}

impl ActiveJob {
    /// Whether something of it is to be settled, or it is to be closed.
    pub(super) fn wants_settling(&self) -> bool {
        self.job.state.goes_on()
            && (!self.unsettled.is_empty() || !self.in_flight.is_empty() || self.failed.is_some())
    }
}
