//! One job at its coordinator.

mod case;
mod elsewhere;
mod held;
mod pledged;
mod sure;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use super::{
    End, Entry, Line, Note, Tick, Ticket, impasse::Impasse, input::Unopened, name_of,
    opinion::Opinions, watch::Watch,
};
pub(super) use pledged::Pledging;
use quern_job_rules::pay::Tariff;
use quern_primitives::{
    amount::Amount,
    batch::Batch,
    ids::{
        AccountId, BatchSequence, BlockNumber, DeviceId, Digest, GenesisHash, JobId, NodeKey,
        ReplicaIndex, TaskIndex,
    },
    job::{Job, JobState},
    limits,
    receipt::SignedReceipt,
    verdict::Verdict,
};
use quern_protocol::DiscardReason;
use quern_recheck::HEIGHT_LAG_MAX;
use quern_shards::{keys::TrustSeed, seal::sealed_bytes};
use quern_verdict::{Case, Expected, check_receipt, receipt_digest};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use sure::Certain;

/// In so many finalised blocks, one after the other, the chain must tell of fewer batches of a job than it
/// had counted before it is believed: one that is read twice may be old, and these are not. Where a chain
/// has one validator, that may forget its last blocks when it is killed.
const FORGOTTEN_BLOCKS: u32 = 3;

/// What a job's devices must be told and held to, from its checked manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPlan {
    /// The chunk root of each sealed shard, in task order.
    pub input_roots: Vec<Digest>,
    /// The tasks whose shard is not on disk here, as the disk says and not the job's log.
    pub missing: BTreeSet<TaskIndex>,
    /// The tasks that the chain had settled when this was looked up, whoever coordinated then.
    pub settled: BTreeSet<TaskIndex>,
    /// Drawn after the job was committed; which accounts may have which replica follows from it.
    pub seed: [u8; 32],
    /// What a device fetches for a task at the most, in bytes: the program and the largest sealed shard.
    pub fetch_bytes_max: u64,
    /// Which devices are believed alone is drawn from it. It follows from the job's key, and no device
    /// can have it.
    pub trust_seed: TrustSeed,
}

/// A replica that is out.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    pub(super) device: DeviceId,
    pub(super) account: AccountId,
    pub(super) engine: Digest,
    pub(super) log_position: u64,
    pub(super) watch: Watch,
    /// Whether its device has shown that it has the shard.
    pub(super) is_shown: bool,
    /// What its device has committed itself to.
    pub(super) pledge: Option<Pledge>,
}

/// What a device has committed itself to and not revealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pledge {
    commitment: Digest,
    /// Of the entry that holds it.
    ticket: Ticket,
    /// Whether the device is asked to reveal it.
    pub(super) is_asked: bool,
}

/// A task before the judge, with who has reported.
#[derive(Clone, Debug)]
pub(super) struct OpenTask {
    pub(super) case: Case,
    pub(super) reported: BTreeMap<ReplicaIndex, Reporter>,
    /// Devices that may not have the task again, each with its account.
    pub(super) excluded: Vec<(DeviceId, AccountId)>,
    /// Whether a device failed on it, or two answers differ, so that a trusted device is to try it.
    pub(super) is_doubted: bool,
    /// Accounts with a device that could not open its input, at most
    /// [`ACCOUNTS_MAX`](super::input::ACCOUNTS_MAX).
    pub(super) unopened: BTreeSet<AccountId>,
    /// Whether such a device was trusted.
    pub(super) is_unopened_by_trusted: bool,
    /// The replica whose device is believed alone, until it is heard or gives it back.
    pub(super) believed: Option<ReplicaIndex>,
    /// Under whose name the referee's result is sealed, once there is its word.
    pub(super) referee: Option<DeviceId>,
    /// Whether there is none and none will come.
    pub(super) is_unrefereed: bool,
}

impl OpenTask {
    /// Whether the referee has given its word, or none will come: it is not asked twice.
    pub(super) fn was_referee_asked(&self) -> bool {
        self.is_unrefereed || self.referee.is_some()
    }
}

/// Who answered for a replica.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    pub(super) device: DeviceId,
    pub(super) account: AccountId,
    /// Of the entry that holds the report.
    place: Place,
}

/// Where an entry is: its ticket, and its place in the job's log.
pub(super) type Place = (Ticket, u64);

/// Where a task stands.
#[derive(Clone, Debug)]
enum Task {
    /// Nobody has touched it.
    Untouched,
    /// Before the judge.
    Open(Box<OpenTask>),
    /// It has its verdict, or will have none. Who reported is remembered, for repeated reports.
    Closed(Vec<(ReplicaIndex, DeviceId, Place)>),
}

/// Whether a report is taken.
pub(super) enum Admission {
    New,
    /// It was taken before, with this entry.
    Repeated(Place),
}

/// How much was written of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Entries of its log.
    pub(super) log: u64,
    /// Notes beside it.
    pub(super) notes: u64,
}

/// What a job's log says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    /// The network key with which its blocks are signed, once it is opened.
    pub(super) by: Option<NodeKey>,
    /// The highest block of the chain to which an assignment refers.
    pub(super) at: BlockNumber,
    /// Why the job ended, once that is written.
    pub(super) end: Option<End>,
}

impl Written {
    /// Whether what the chain said of a device at a block is too old to be referred to.
    pub(super) fn is_past(&self, at: BlockNumber) -> bool {
        at.saturating_add(HEIGHT_LAG_MAX) < self.at
    }
}

/// Counts for the owner's progress.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) touched: u32,
    pub(super) decided: u32,
    pub(super) replicas: u32,
    pub(super) incorrect: u32,
    pub(super) refereed: u32,
    pub(super) voted: u32,
    pub(super) contradicted: u32,
    pub(super) fuel: u64,
    pub(super) spent: Amount,
}

/// A verdict that is in no batch.
#[derive(Clone, Debug)]
pub(super) struct Unsettled {
    /// Of the entry that holds it.
    pub(super) ticket: Ticket,
    /// Since when it waits for one.
    pub(super) since: Tick,
    pub(super) verdict: Verdict,
}

/// One job at its coordinator.
pub(super) struct ActiveJob {
    pub(super) id: JobId,
    pub(super) job: Job,
    plan: Option<JobPlan>,
    /// Tasks without a verdict whose shard has not come, since the job has its plan.
    pub(super) missing: BTreeSet<TaskIndex>,
    tariff: Option<Tariff>,
    /// One for each task, once there is something to remember of any; until then none. To name a
    /// job of many tasks on the chain costs its owner next to nothing, and must cost as little here.
    tasks: Vec<Task>,
    pub(super) held: BTreeMap<(TaskIndex, ReplicaIndex), Holding>,
    /// The same by who has it.
    holders: BTreeMap<DeviceId, BTreeSet<(TaskIndex, ReplicaIndex)>>,
    /// When each replica that is out is looked at next.
    watched: BTreeSet<(Tick, TaskIndex, ReplicaIndex)>,
    /// Tasks whose answer is sure although not every replica was heard.
    pub(super) certain: Certain,
    /// Tasks before the judge whose input a device could not open.
    pub(super) unopened: Unopened,
    /// Tasks on which a trusted device is to be heard before anybody is blamed.
    pub(super) opinions: Opinions,
    pub(super) lengths: Lengths,
    pub(super) written: Written,
    /// The tasks that the log says can be given out; none as long as it says so of none.
    queued: Vec<bool>,
    /// The first place of the log that no batch covers.
    pub(super) batched_log: u64,
    pub(super) counters: Counters,
    /// Verdicts that are in no batch, in the order in which they were made.
    pub(super) unsettled: VecDeque<Unsettled>,
    /// Batches that the chain has not counted, in order; the first has the sequence number that the
    /// chain expects next.
    pub(super) in_flight: VecDeque<(Ticket, Batch)>,
    /// The verdicts of these batches, as far as they may be computed again.
    pub(super) batched: BTreeMap<BatchSequence, Vec<Verdict>>,
    /// Batches that the chain has settled and not made final.
    pub(super) pending: VecDeque<Batch>,
    /// How many of those in flight were sent, since all were last sent again.
    pub(super) sent: usize,
    /// When what the chain has not taken is sent again.
    pub(super) next_try: Tick,
    /// In how many blocks one after the other the chain told of fewer batches than it had counted.
    told_less: u32,
    /// A task that cannot be settled, once that is sure, and why. It ends the job.
    pub(super) failed: Option<(Ticket, TaskIndex, Impasse)>,
}

impl ActiveJob {
    pub(super) fn new(id: JobId, job: Job) -> Self {
        Self {
            id,
            tariff: Tariff::of_job(&job).ok(),
            job,
            plan: None,
            missing: BTreeSet::new(),
            tasks: Vec::new(),
            held: BTreeMap::new(),
            holders: BTreeMap::new(),
            watched: BTreeSet::new(),
            certain: Certain::default(),
            unopened: Unopened::default(),
            opinions: Opinions::default(),
            lengths: Lengths::default(),
            written: Written::default(),
            queued: Vec::new(),
            batched_log: 0,
            counters: Counters::default(),
            unsettled: VecDeque::new(),
            in_flight: VecDeque::new(),
            pending: VecDeque::new(),
            batched: BTreeMap::new(),
            sent: 0,
            next_try: Tick::default(),
            told_less: 0,
            failed: None,
        }
    }

    /// Takes over what the chain says. Batches that it has counted are not waited for any more; the
    /// others have so much time again before they are sent again. So are those that it had counted and
    /// does not know any more.
    pub(super) fn learn(&mut self, job: Job, now: Tick, retry_ms: u64) {
        if job.next_batch < self.job.next_batch {
            // Read before what is known; batches that were counted must not be composed again.
            self.told_less = self.told_less.saturating_add(1);
            if self.told_less < FORGOTTEN_BLOCKS {
                return;
            }
            self.take_back(job.next_batch, now);
        }
        self.told_less = 0;
        let is_counted = |(_, batch): &mut (Ticket, Batch)| batch.sequence < job.next_batch;
        while let Some((_, batch)) = self.in_flight.pop_front_if(is_counted) {
            self.pending.push_back(batch);
            self.sent = self.sent.saturating_sub(1);
            self.next_try = match self.in_flight.is_empty() {
                true => now,
                false => now.plus_ms(retry_ms),
            };
        }
        self.job = job;
    }

    /// The chain has gone back behind batches that it had counted: they are on their way again.
    fn take_back(&mut self, next_batch: BatchSequence, now: Tick) {
        let is_gone = |batch: &mut Batch| batch.sequence >= next_batch;
        while let Some(batch) = self.pending.pop_back_if(is_gone) {
            self.in_flight.push_front((Ticket::default(), batch));
        }
        self.sent = 0;
        self.next_try = now;
    }

    /// The first batch that may still be pending; those before are final. Of a job of which a batch was
    /// struck, that is so of those behind it.
    pub(super) fn pending_from(&self) -> BatchSequence {
        let job = &self.job;
        job.next_batch.saturating_sub(job.pending_batches)
    }

    /// Takes the batches that have become final: now the chain remembers their devices' tasks.
    pub(super) fn take_final(&mut self) -> Vec<Batch> {
        let from = self.pending_from();
        let is_final = |batch: &mut Batch| batch.sequence < from;
        std::iter::from_fn(|| self.pending.pop_front_if(is_final)).collect()
    }

    /// Starts computing. False when it started before or cannot start.
    pub(super) fn start(&mut self, mut plan: JobPlan) -> bool {
        let fits = plan.input_roots.len() == self.task_count() as usize;
        if self.plan.is_some() || !fits || !self.job.state.is_open() {
            return false;
        }
        self.make_room();
        self.missing = std::mem::take(&mut plan.missing);
        // What has its verdict reads nothing any more.
        let state = |task: &TaskIndex| self.tasks.get(*task as usize);
        self.missing
            .retain(|task| matches!(state(task), Some(Task::Untouched | Task::Open(_))));
        self.plan = Some(plan);
        true
    }

    /// Makes room for the job's tasks, if there is none; tasks that are remembered stay as they are.
    fn make_room(&mut self) {
        let tasks = self.task_count() as usize;
        self.tasks.resize(tasks, Task::Untouched);
    }

    pub(super) fn has_plan(&self) -> bool {
        self.plan.is_some()
    }

    /// What a device fetches for a task of it at the most, in bytes; 0 until the job starts.
    pub(super) fn fetch_bytes_max(&self) -> u64 {
        self.plan.as_ref().map_or(0, |plan| plan.fetch_bytes_max)
    }

    /// The seed of its lanes; zeros until the job starts.
    pub(super) fn seed(&self) -> [u8; 32] {
        self.plan.as_ref().map_or([0; 32], |plan| plan.seed)
    }

    /// What is drawn from who is believed alone, once the job has started.
    pub(super) fn trust_seed(&self) -> Option<&TrustSeed> {
        self.plan.as_ref().map(|plan| &plan.trust_seed)
    }

    /// The tasks without a verdict.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = TaskIndex> {
        (0..)
            .zip(&self.tasks)
            .filter(|(_, state)| !matches!(state, Task::Closed(_)))
            .map(|(task, _)| task)
    }

    pub(super) fn takes_work(&self, block: BlockNumber, margin: BlockNumber) -> bool {
        matches!(self.job.state, JobState::Running { .. })
            && self.failed.is_none()
            && block.saturating_add(margin) < self.job.submission.deadline
    }

    /// The tasks among these of which the log does not say yet that they can be given out, as runs of
    /// tasks that follow each other. It is about to.
    pub(super) fn queue_first(
        &mut self,
        tasks: impl IntoIterator<Item = TaskIndex>,
    ) -> Vec<(TaskIndex, u32)> {
        let most = self.task_count() as usize;
        self.queued.resize(most, false);
        let mut runs: Vec<(TaskIndex, u32)> = Vec::new();
        for task in tasks {
            let Some(queued) = self.queued.get_mut(task as usize) else {
                continue;
            };
            if std::mem::replace(queued, true) {
                continue;
            }
            match runs.last_mut() {
                Some((first, count)) if first.saturating_add(*count) == task => *count += 1,
                _ => runs.push((task, 1)),
            }
        }
        runs
    }

    pub(super) fn task_count(&self) -> u32 {
        self.job.submission.tasks.min(limits::TASKS_PER_JOB_MAX)
    }

    /// Whether a report is what it should be. Where devices commit themselves it opens what its device
    /// did; whether it was asked for matters to nobody but the device.
    pub(super) fn admit(
        &self,
        receipt: &SignedReceipt,
        device: DeviceId,
        (output, question): (Option<(u64, Digest)>, Option<Digest>),
        genesis: &GenesisHash,
    ) -> Result<Admission, DiscardReason> {
        let payload = &receipt.payload;
        if let Some(place) = self.reported_with(payload.task, payload.replica, &device) {
            return Ok(Admission::Repeated(place));
        }
        let is_over = self.failed.is_some() || !self.job.state.goes_on();
        let (Some(plan), false) = (&self.plan, is_over) else {
            return Err(DiscardReason::JobOver);
        };
        let task = self
            .tasks
            .get(payload.task as usize)
            .ok_or(DiscardReason::NotAssigned)?;
        match task {
            Task::Untouched => return Err(DiscardReason::NotAssigned),
            Task::Closed(_) => return Err(DiscardReason::Decided),
            Task::Open(_) => {}
        }
        let holding = self
            .holding(payload.task, payload.replica)
            .filter(|holding| holding.device == device)
            .ok_or(DiscardReason::NotAssigned)?;
        let submission = &self.job.submission;
        let expected = Expected {
            job: self.id,
            task: payload.task,
            replica: payload.replica,
            device,
            program: submission.program,
            input_root: plan
                .input_roots
                .get(payload.task as usize)
                .copied()
                .unwrap_or_default(),
            question,
            class: submission.class,
            engine: holding.engine,
            log_position: holding.log_position,
            fuel_max: submission.fuel_per_task_max,
            result_bytes_max: submission.result_bytes_max.into(),
        };
        check_receipt(receipt, &expected, genesis).map_err(|_| DiscardReason::Invalid)?;
        holding.takes(payload, submission.agreement.commits())?;
        let sealed = sealed_bytes(payload.result_bytes);
        match output {
            Some((bytes, root)) if bytes == sealed && root == payload.output_root => {
                Ok(Admission::New)
            }
            _ => Err(DiscardReason::Invalid),
        }
    }

    /// The entry with which a device's report for a replica was taken, if it was.
    pub(super) fn reported_with(
        &self,
        task: TaskIndex,
        replica: ReplicaIndex,
        device: &DeviceId,
    ) -> Option<Place> {
        match self.tasks.get(task as usize)? {
            Task::Untouched => None,
            Task::Open(open) => {
                let reporter = open.reported.get(&replica)?;
                (reporter.device == *device).then_some(reporter.place)
            }
            Task::Closed(reported) => reported
                .iter()
                .find(|(known, by, _)| *known == replica && by == device)
                .map(|(.., place)| *place),
        }
    }

    /// Whether anybody touched a task, and whether it is closed; none if there is no such task.
    pub(super) fn stage(&self, task: TaskIndex) -> Option<(bool, bool)> {
        match self.tasks.get(task as usize) {
            Some(Task::Untouched) => Some((false, false)),
            Some(Task::Open(_)) => Some((true, false)),
            Some(Task::Closed(_)) => Some((true, true)),
            None => (task < self.task_count()).then_some((false, false)),
        }
    }

    /// Rebuilds what a line says. It was written by this masternode; one that does not fit is passed
    /// over.
    pub(super) fn replay(&mut self, line: Line, now: Tick, replica_ms: u64) {
        // There are lines only of a job that was started, although it may not start again: because
        // it is over, or what was uploaded does not open any more.
        self.make_room();
        match line {
            Line::Entry(entry) => self.replay_entry(entry, now, replica_ms),
            Line::Note(note) => {
                self.lengths.notes += 1;
                match note {
                    Note::Trusted { task, replica, .. } => self.trusts(task, replica),
                    Note::Contradicted { .. } => self.counters.contradicted += 1,
                    Note::Sealed { .. } | Note::Unrefereed { .. } => {}
                }
            }
        }
    }

    fn replay_entry(&mut self, entry: Entry, now: Tick, replica_ms: u64) {
        let log_position = self.lengths.log;
        self.lengths.log += 1;
        match entry {
            Entry::Opened { node, .. } => self.written.by = Some(node),
            Entry::Queued { first, tasks } => {
                let end = first.saturating_add(tasks);
                drop(self.queue_first(first..end.min(self.task_count())));
            }
            Entry::Assigned {
                task,
                replica,
                device,
                account,
                engine,
                at,
                lanes: _,
            } => {
                self.written.at = self.written.at.max(at);
                let watch = Watch::after_restart(now, replica_ms);
                self.assigned(
                    task,
                    replica,
                    Holding {
                        device,
                        account,
                        engine,
                        log_position,
                        watch,
                        is_shown: false,
                        pledge: None,
                    },
                );
            }
            Entry::Released {
                task,
                replica,
                cause,
                ..
            } => self.released(task, replica, cause),
            Entry::Committed { commitment } => {
                self.committed(Ticket::default(), &commitment.payload, now);
            }
            Entry::Revealed { receipt, .. } => {
                let place = (Ticket::default(), log_position);
                self.reported(place, &receipt, receipt_digest(&receipt));
            }
            Entry::Added { task, replicas } => drop(self.add_replicas(task, replicas)),
            Entry::Judged { verdict } => {
                let task = verdict.task;
                self.judged(Ticket::default(), verdict, now);
                self.let_all_go(task);
            }
            Entry::Ended { end } => {
                self.written.end = Some(end);
                let why = match end {
                    End::Undecided { .. } => Impasse::Undecided,
                    End::Unopened { .. } => Impasse::Unopened,
                    // The verdict that the program fails has been said, and the others end nothing here.
                    End::Program { .. } | End::Done | End::Closed => return,
                };
                if let Some(task) = end.task() {
                    self.stuck(Ticket::default(), task, why);
                }
            }
            Entry::Refereed { task, word } => match word.truth() {
                Some(truth) => {
                    self.refereed(task, truth.report.payload.answer, name_of(&truth.node));
                }
                None => self.unrefereed(task),
            },
            Entry::Batched { batch } => {
                let verdicts = self.take_batched(&batch);
                if batch.sequence >= self.job.next_batch {
                    self.batched.insert(batch.sequence, verdicts);
                    self.in_flight.push_back((Ticket::default(), batch));
                } else if batch.sequence >= self.pending_from() {
                    self.pending.push_back(batch);
                }
            }
        }
    }
}
