//! One job at its coordinator.

mod held;
mod sure;

use super::{
    Entry, Tick, Ticket, impasse::Impasse, input::Unopened, opinion::Opinions, watch::Watch,
};
use quern_job_rules::pay::{self, Tariff};
use quern_primitives::{
    amount::Amount,
    batch::Batch,
    ids::{AccountId, BlockNumber, DeviceId, Digest, GenesisHash, JobId, ReplicaIndex, TaskIndex},
    job::{Job, JobState},
    limits,
    receipt::{Exit, SignedReceipt},
    verdict::{Finding, Verdict},
};
use quern_protocol::DiscardReason;
use quern_shards::seal::sealed_bytes;
use quern_verdict::{Case, Decision, Expected, Hearing, Testimony, check_receipt, receipt_digest};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use sure::Certain;

/// What a job's devices must be told and held to, from its checked manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPlan {
    /// The chunk root of each sealed shard, in task order.
    pub input_roots: Vec<Digest>,
    /// The tasks whose shard is not on disk here, as the disk says and not the job's log.
    pub missing: BTreeSet<TaskIndex>,
    /// Drawn after the job was committed; which accounts may have which replica follows from it.
    pub seed: [u8; 32],
}

/// A replica that is out.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    pub(super) device: DeviceId,
    pub(super) account: AccountId,
    pub(super) engine: Digest,
    pub(super) log_position: u64,
    pub(super) watch: Watch,
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
}

/// Who answered for a replica.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    pub(super) device: DeviceId,
    pub(super) account: AccountId,
    /// Of the entry that holds the report.
    ticket: Ticket,
}

/// Where a task stands.
#[derive(Clone, Debug)]
enum Task {
    /// Nobody has touched it.
    Untouched,
    /// Before the judge.
    Open(Box<OpenTask>),
    /// It has its verdict, or will have none. Who reported is remembered, for repeated reports.
    Closed(Vec<(ReplicaIndex, DeviceId, Ticket)>),
}

/// Whether a report is taken.
pub(super) enum Admission {
    New,
    /// It was taken before, with this entry.
    Repeated(Ticket),
}

/// Counts for the owner's progress.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) touched: u32,
    pub(super) decided: u32,
    pub(super) replicas: u32,
    pub(super) incorrect: u32,
    pub(super) fuel: u64,
    pub(super) spent: Amount,
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
    log_length: u64,
    /// The first place of the log that no batch covers.
    pub(super) batched_log: u64,
    pub(super) counters: Counters,
    /// Verdicts that are in no batch, with the ticket of the entry that holds each.
    pub(super) unsettled: VecDeque<(Ticket, Verdict)>,
    pub(super) oldest_unsettled: Option<Tick>,
    /// Batches that the chain has not counted, in order; the first has the sequence number that the
    /// chain expects next.
    pub(super) in_flight: VecDeque<(Ticket, Batch)>,
    /// How many of them were sent, since all were last sent again.
    pub(super) sent: usize,
    /// When what the chain has not taken is sent again.
    pub(super) next_try: Tick,
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
            log_length: 0,
            batched_log: 0,
            counters: Counters::default(),
            unsettled: VecDeque::new(),
            oldest_unsettled: None,
            in_flight: VecDeque::new(),
            sent: 0,
            next_try: Tick::default(),
            failed: None,
        }
    }

    /// Takes over what the chain says. Batches that it has counted are not waited for any more; the
    /// others have so much time again before they are sent again.
    pub(super) fn learn(&mut self, job: Job, now: Tick, retry_ms: u64) {
        if job.next_batch < self.job.next_batch {
            // Read before what is known; batches that were counted must not be composed again.
            return;
        }
        let is_counted = |(_, batch): &mut (Ticket, Batch)| batch.sequence < job.next_batch;
        while self.in_flight.pop_front_if(is_counted).is_some() {
            self.sent = self.sent.saturating_sub(1);
            self.next_try = match self.in_flight.is_empty() {
                true => now,
                false => now.plus_ms(retry_ms),
            };
        }
        self.job = job;
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

    /// The seed of its lanes; zeros until the job starts.
    pub(super) fn seed(&self) -> [u8; 32] {
        self.plan.as_ref().map_or([0; 32], |plan| plan.seed)
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

    pub(super) fn next_position(&mut self) -> u64 {
        let position = self.log_length;
        self.log_length += 1;
        position
    }

    pub(super) fn log_length(&self) -> u64 {
        self.log_length
    }

    pub(super) fn task_count(&self) -> u32 {
        self.job.submission.tasks.min(limits::TASKS_PER_JOB_MAX)
    }

    /// Whether a report is what it should be.
    pub(super) fn admit(
        &self,
        receipt: &SignedReceipt,
        device: DeviceId,
        output: Option<(u64, Digest)>,
        genesis: &GenesisHash,
    ) -> Result<Admission, DiscardReason> {
        let payload = &receipt.payload;
        if let Some(ticket) = self.reported_with(payload.task, payload.replica, &device) {
            return Ok(Admission::Repeated(ticket));
        }
        let (Some(plan), false) = (&self.plan, self.failed.is_some()) else {
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
            class: submission.class,
            engine: holding.engine,
            log_position: holding.log_position,
            fuel_max: submission.fuel_per_task_max,
            result_bytes_max: submission.result_bytes_max.into(),
        };
        check_receipt(receipt, &expected, genesis).map_err(|_| DiscardReason::Invalid)?;
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
    ) -> Option<Ticket> {
        match self.tasks.get(task as usize)? {
            Task::Untouched => None,
            Task::Open(open) => {
                let reporter = open.reported.get(&replica)?;
                (reporter.device == *device).then_some(reporter.ticket)
            }
            Task::Closed(reported) => reported
                .iter()
                .find(|(known, by, _)| *known == replica && by == device)
                .map(|(.., ticket)| *ticket),
        }
    }

    pub(super) fn reported(&mut self, ticket: Ticket, receipt: &SignedReceipt) {
        let payload = &receipt.payload;
        let Some(holding) = self.let_go(payload.task, payload.replica) else {
            return;
        };
        let Some(open) = self.open_mut(payload.task) else {
            return;
        };
        let reporter = Reporter {
            device: payload.device,
            account: holding.account.clone(),
            ticket,
        };
        open.reported.insert(payload.replica, reporter);
        let testimony = Testimony::Answered {
            answer: payload.answer(),
            receipt: receipt_digest(receipt),
        };
        open.case
            .hear(payload.replica, payload.device, holding.account, testimony);
        open.is_doubted |= payload.exit != Exit::Success || open.case.is_divided();
        self.counters.replicas += 1;
    }

    /// Tasks on which the judge has something to say: a crash came between the last report and what
    /// the judge said of it, or their answer is sure and only the rest is waited for.
    pub(super) fn unjudged(&self) -> Vec<TaskIndex> {
        let waits = |task: &TaskIndex| {
            matches!(
                self.hearing(*task),
                Some(
                    Hearing::Decided(_)
                        | Hearing::NeedsMore { .. }
                        | Hearing::Undecidable
                        | Hearing::Open { certain: Some(_) }
                )
            )
        };
        (0..).take(self.tasks.len()).filter(waits).collect()
    }

    /// Where a task's case stands.
    pub(super) fn hearing(&self, task: TaskIndex) -> Option<Hearing> {
        let open = self.open(task)?;
        let outstanding = open
            .case
            .replicas()
            .saturating_sub(open.reported.len() as u8);
        Some(open.case.hearing(outstanding))
    }

    pub(super) fn add_replicas(&mut self, task: TaskIndex, replicas: u8) -> Vec<ReplicaIndex> {
        let Some(open) = self.open_mut(task) else {
            return vec![];
        };
        let first = open.case.replicas();
        open.case.add_replicas(replicas);
        (first..open.case.replicas()).collect()
    }

    /// Puts prices to a decision.
    pub(super) fn verdict(&self, task: TaskIndex, decision: Decision) -> Verdict {
        let answer = decision.answer;
        let mut replicas = decision.findings;
        let is_accepted = |finding: &Finding| *finding == Finding::Accepted;
        let agreeing = replicas
            .iter()
            .filter(|found| is_accepted(&found.finding))
            .count() as u8;
        let price = match (answer.exit, &self.tariff) {
            (Exit::Success, Some(tariff)) => tariff.price(answer.fuel),
            _ => 0,
        };
        for found in replicas
            .iter_mut()
            .filter(|found| is_accepted(&found.finding))
        {
            found.pay = pay::pays(price, agreeing);
        }
        Verdict {
            job: self.id,
            task,
            answer,
            price,
            replicas,
        }
    }

    /// Closes a task's case with its verdict.
    pub(super) fn judged(&mut self, ticket: Ticket, verdict: Verdict, now: Tick) {
        if !self.close_case(verdict.task) {
            return;
        }
        let incorrect = verdict
            .replicas
            .iter()
            .filter(|found| found.finding == Finding::Incorrect);
        self.counters.incorrect += incorrect.count() as u32;
        self.counters.decided += 1;
        self.counters.fuel = self.counters.fuel.saturating_add(verdict.answer.fuel);
        self.counters.spent = self.counters.spent.saturating_add(verdict.price);
        if verdict.answer.exit == Exit::Success {
            self.unsettled.push_back((ticket, verdict));
            self.oldest_unsettled.get_or_insert(now);
        } else {
            let why = Impasse::Program(verdict.answer.exit);
            self.failed.get_or_insert((ticket, verdict.task, why));
            self.let_everything_go();
        }
    }

    /// Closes a task's case without a verdict, because no answer can be accepted any more. Nobody is
    /// paid or blamed for it.
    pub(super) fn stuck(&mut self, ticket: Ticket, task: TaskIndex, why: Impasse) {
        if self.close_case(task) {
            self.failed.get_or_insert((ticket, task, why));
            self.let_everything_go();
        }
    }

    /// Remembers of a task before the judge only who reported. False if it is not before the judge.
    fn close_case(&mut self, task: TaskIndex) -> bool {
        let Some(state) = self.tasks.get_mut(task as usize) else {
            return false;
        };
        let Task::Open(open) = state else {
            return false;
        };
        let reported = open
            .reported
            .iter()
            .map(|(replica, by)| (*replica, by.device, by.ticket))
            .collect();
        *state = Task::Closed(reported);
        self.certain.end(task);
        self.unopened.remove(task);
        self.opinions.end(task);
        self.missing.remove(&task);
        true
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

    pub(super) fn open(&self, task: TaskIndex) -> Option<&OpenTask> {
        match self.tasks.get(task as usize)? {
            Task::Open(open) => Some(open),
            _ => None,
        }
    }

    fn open_mut(&mut self, task: TaskIndex) -> Option<&mut OpenTask> {
        match self.tasks.get_mut(task as usize)? {
            Task::Open(open) => Some(open),
            _ => None,
        }
    }

    fn open_or_new(&mut self, task: TaskIndex) -> Option<&mut OpenTask> {
        let agreement = self.job.submission.agreement;
        let state = self.tasks.get_mut(task as usize)?;
        if matches!(state, Task::Untouched) {
            let case = Case::new(agreement);
            *state = Task::Open(Box::new(OpenTask {
                case,
                reported: BTreeMap::new(),
                excluded: vec![],
                is_doubted: false,
                unopened: BTreeSet::new(),
                is_unopened_by_trusted: false,
            }));
            self.counters.touched += 1;
        }
        self.open_mut(task)
    }

    /// Rebuilds what an entry of the log says. Entries were written by this masternode; one that
    /// does not fit is passed over.
    pub(super) fn replay(&mut self, entry: Entry, now: Tick, replica_ms: u64) {
        // There are entries only of a job that was started, although it may not start again: because
        // it is over, or what was uploaded does not open any more.
        self.make_room();
        let log_position = self.next_position();
        match entry {
            Entry::Assigned {
                task,
                replica,
                device,
                account,
                engine,
            } => {
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
                    },
                );
            }
            Entry::Released {
                task,
                replica,
                cause,
                ..
            } => self.released(task, replica, cause),
            Entry::Reported { receipt, .. } => self.reported(Ticket::default(), &receipt),
            Entry::Added { task, replicas } => drop(self.add_replicas(task, replicas)),
            Entry::Judged { verdict } => {
                let task = verdict.task;
                self.judged(Ticket::default(), verdict, now);
                self.let_all_go(task);
            }
            Entry::Undecided { task } => {
                self.stuck(Ticket::default(), task, Impasse::Undecided);
            }
            Entry::Unopened { task } => self.stuck(Ticket::default(), task, Impasse::Unopened),
            Entry::Batched { batch } => {
                self.take_batched(&batch);
                if batch.sequence >= self.job.next_batch {
                    self.in_flight.push_back((Ticket::default(), batch));
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_job_rules::{life, quote};
    use quern_primitives::{
        device::Class,
        ids::{ProgramHash, SealingKey},
        job::{Agreement, ByteLevel, Preferences, Submission},
        receipt::Answer,
        verdict::ReplicaFinding,
    };

    const ACCOUNT: AccountId = AccountId::new([1; 32]);
    const DEVICE: DeviceId = DeviceId([2; 32]);
    const JOB: JobId = JobId([3; 32]);
    const TASKS: u32 = limits::TASKS_PER_JOB_MAX;

    /// A running job of as many tasks as a job may have.
    fn job() -> Job {
        let submission = Submission {
            salt: [4; 16],
            program: ProgramHash([5; 32]),
            manifest: Digest([6; 32]),
            shards_root: Digest([7; 32]),
            key_commitment: Digest([8; 32]),
            tasks: TASKS,
            input_bytes: TASKS.into(),
            fuel_per_task_max: 1_000_000,
            memory_bytes_max: 1024 * 1024,
            result_bytes_max: 1024,
            agreement: Agreement::Single,
            class: Class::Pinned,
            level: ByteLevel::Low,
            deadline: 1_000,
            price_max: Amount::MAX,
            owner_sealing_key: SealingKey([9; 32]),
            preferences: Preferences::default(),
        };
        let prices = pay::PRICES_AT_GENESIS;
        let quote = quote::quote(&submission, &prices, 10).unwrap();
        let job = life::open(ACCOUNT, submission, prices, &quote, 10);
        let drawn = life::Event::Drawn {
            coordinator: ACCOUNT,
        };
        life::apply(&job, 11, drawn).unwrap().job
    }

    fn plan(tasks: u32) -> JobPlan {
        JobPlan {
            input_roots: vec![Digest::default(); tasks as usize],
            missing: BTreeSet::new(),
            seed: [0; 32],
        }
    }

    fn assigned(task: TaskIndex) -> Entry {
        Entry::Assigned {
            task,
            replica: 0,
            device: DEVICE,
            account: ACCOUNT,
            engine: Digest::default(),
        }
    }

    fn judged(task: TaskIndex) -> Entry {
        let found = ReplicaFinding {
            replica: 0,
            device: DEVICE,
            account: ACCOUNT,
            finding: Finding::Accepted,
            receipt: None,
            pay: 70,
        };
        let answer = Answer {
            result_commitment: Digest::default(),
            result_bytes: 1,
            fuel: 5,
            exit: Exit::Success,
        };
        Entry::Judged {
            verdict: Verdict {
                job: JOB,
                task,
                answer,
                price: 100,
                replicas: vec![found],
            },
        }
    }

    fn replayed(job: Job) -> ActiveJob {
        let mut active = ActiveJob::new(JOB, job);
        for entry in [assigned(3), judged(3), assigned(TASKS - 1)] {
            active.replay(entry, Tick(0), 1_000);
        }
        active
    }

    #[test]
    fn a_job_that_the_chain_only_names_takes_no_room_for_its_tasks() {
        let mut active = ActiveJob::new(JOB, job());
        assert_eq!((active.task_count(), active.tasks.capacity()), (TASKS, 0));
        assert_eq!(active.reported_with(0, 0, &DEVICE), None);
        assert!(active.open(0).is_none() && active.hearing(0).is_none());
        assert!(active.unjudged().is_empty());
        assert!(!active.start(plan(TASKS - 1)), "a plan for fewer tasks");
        assert_eq!(active.tasks.capacity(), 0);
        assert!(active.start(plan(TASKS)));
        assert_eq!(active.tasks.len(), TASKS as usize);
        assert!(!active.start(plan(TASKS)), "it starts once");
    }

    #[test]
    fn a_log_is_replayed_although_its_job_does_not_start_again() {
        let over = life::apply(&job(), 1_001, life::Event::Refunded);
        for job in [job(), over.unwrap().job] {
            let active = replayed(job);
            assert!(!active.has_plan());
            let counters = active.counters;
            assert_eq!((counters.touched, counters.decided), (2, 1));
            assert_eq!((counters.fuel, counters.spent), (5, 100));
            assert_eq!(active.unsettled.len(), 1);
            assert!(active.is_held_by(TASKS - 1, &DEVICE));
        }
    }

    #[test]
    fn what_a_log_says_of_tasks_stays_when_the_job_starts_after_it() {
        let mut active = replayed(job());
        let missing = BTreeSet::from([2, 3]);
        assert!(active.start(JobPlan {
            missing,
            ..plan(TASKS)
        }));
        assert!(active.open(TASKS - 1).is_some());
        assert!(active.open(3).is_none(), "it has its verdict");
        assert_eq!(active.counters.touched, 2);
        assert_eq!(active.missing, BTreeSet::from([2]));
    }
}
