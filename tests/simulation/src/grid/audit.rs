//! Holds what the masternode does against what it must never do.
//!
//! Most of it is read off the jobs' logs as they grow: who has what, who answered, what was decided.
//! Who may have what follows from that, from what devices told the masternode, and from the chain's
//! words. Nothing here is taken from the masternode's own memory.

mod ends;
mod given;
mod lanes;
mod needed;
mod presence;
mod standing;
mod told;

use super::{
    asks::Facts, disk::Disk, machine::unfit, violation::Violation, words::Names, work::Work,
};
use ends::{check_answer, check_shares, check_unopened};
use presence::Presence;
use quern_grid::Tuning;
use quern_job_rules::tasks;
use quern_masternode::core::{End, Entry, Event, RefereeWord, ReleaseCause, Tick};
use quern_primitives::{
    batch::{Batch, TaskSet},
    ids::{AccountId, BatchSequence, DeviceId, Digest, JobId, ReplicaIndex, TaskIndex},
    receipt::{Answer, Exit},
    verdict::Verdict,
};
use quern_protocol::{ReplicaId, limits::TASKS_IN_HAND_MAX};
use standing::Standing;
use std::collections::{BTreeMap, BTreeSet};

/// Who answered for a replica, and what.
struct Heard {
    device: DeviceId,
    account: AccountId,
    answer: Answer,
    /// The place of the report in the log.
    position: u64,
}

/// A job, as its log has it.
#[derive(Default)]
struct Books {
    held: BTreeMap<(TaskIndex, ReplicaIndex), (DeviceId, AccountId)>,
    heard: BTreeMap<(TaskIndex, ReplicaIndex), Heard>,
    /// What who has a replica has committed itself to.
    committed: BTreeMap<(TaskIndex, ReplicaIndex), Digest>,
    /// Accounts that could not open a task's input, each with whether a trusted device of it could not.
    unopened: BTreeMap<TaskIndex, BTreeMap<AccountId, bool>>,
    /// How many replicas each task got beside those that its job asks for at first.
    added: BTreeMap<TaskIndex, ReplicaIndex>,
    /// Tasks with an end, and its place in the log.
    ended: BTreeMap<TaskIndex, u64>,
    /// The place of each batch.
    batches: Vec<u64>,
    /// What each batch settles, and how many of them the masternode knows to be counted.
    settles: Vec<TaskSet>,
    counted: usize,
    /// Who gave the accepted answer to a task.
    accepted: BTreeMap<TaskIndex, Vec<DeviceId>>,
    /// Whose answers to a task were faults.
    blamed: Vec<(TaskIndex, DeviceId)>,
    /// Tasks on which a device failed or answers differ, and since when.
    doubted: BTreeMap<TaskIndex, Tick>,
    /// Tasks of which the referee's word could not be had.
    unrefereed: BTreeSet<TaskIndex>,
    /// Accounts from which a task was taken back.
    lost: BTreeSet<(TaskIndex, AccountId)>,
    /// How often each device failed on a task of it.
    failures: BTreeMap<DeviceId, usize>,
    /// When the job started in this life of the masternode, and its first tasks were queued; its
    /// beginning if that is not known.
    uploaded: Option<Tick>,
    /// When replicas were opened again.
    opened: BTreeMap<(TaskIndex, ReplicaIndex), Tick>,
    /// Since when something of it was given again and again, never longer apart than a replica waits for
    /// its lane; and when it was last.
    given: Option<(Tick, Tick)>,
}

impl Books {
    /// Who has a replica of the task, or answered for one.
    fn accounts(&self, task: TaskIndex) -> impl Iterator<Item = (ReplicaIndex, &AccountId)> {
        let all = (task, 0)..=(task, ReplicaIndex::MAX);
        let held = self.held.range(all.clone());
        let held = held.map(|((_, replica), (_, account))| (*replica, account));
        let heard = self.heard.range(all);
        held.chain(heard.map(|((_, replica), heard)| (*replica, &heard.account)))
    }

    /// Whether a replica was never given to anybody, as long as its task has no end.
    fn nobody_had(&self, task: TaskIndex, replica: ReplicaIndex) -> bool {
        let it = (task, replica);
        !self.held.contains_key(&it)
            && !self.heard.contains_key(&it)
            && !self.opened.contains_key(&it)
    }

    /// Something of it is given.
    fn gives(&mut self, now: Tick) {
        let goes_on = |(_, last): &(Tick, Tick)| now.since(*last) < Tuning::default().lane_ms;
        let first = self.given.filter(goes_on).map_or(now, |(first, _)| first);
        self.given = Some((first, now));
    }
}

/// The books of all jobs.
#[derive(Default)]
pub(super) struct Audit {
    /// What the chain says of each device.
    devices: BTreeMap<DeviceId, Facts>,
    jobs: BTreeMap<JobId, Books>,
    /// Replicas that each device holds.
    in_hand: BTreeMap<DeviceId, u32>,
    /// When each device last had its hands full, if it has held fewer since.
    full: BTreeMap<DeviceId, Tick>,
    /// The most that it may hold, if that is another number than masternodes have it.
    in_hand_max: Option<u32>,
    /// Why a device is to be left alone, as it told the masternode in this life of it.
    unfit: BTreeMap<DeviceId, &'static str>,
    acknowledged: BTreeSet<(DeviceId, ReplicaId)>,
    /// The masternode's clock in this step and the one before, which never goes back.
    now: Tick,
    before: Tick,
    /// What faults the masternode must know of.
    standings: BTreeMap<DeviceId, Standing>,
    /// Who is there, as the masternode must know.
    presence: Presence,
    /// Whether jobs of some levels are for the devices of some pools alone.
    pub(super) has_pools: bool,
    /// Whether a device may be passed over for a task that others will have done sooner.
    pub(super) spares_the_slow: bool,
    /// Devices of which the masternode found that an accepted answer was wrong.
    pub(super) contradicted: BTreeSet<DeviceId>,
    /// On how many tasks in a row a device had nothing to show when they were decided, since an answer of it
    /// was accepted.
    stalls: BTreeMap<DeviceId, usize>,
    /// Wrong answers that had a majority.
    pub(super) wrong_answers: u64,
    /// Replicas that were given to accounts in whose lane they are, where there are lanes for sure.
    pub(super) in_lanes: u64,
    /// When shards of a job were last stored in this life of the masternode.
    last_stored: BTreeMap<JobId, Tick>,
    /// The tasks of each job whose shard is not on disk.
    awaited: BTreeMap<JobId, BTreeSet<TaskIndex>>,
    /// How much memory a device lets one task have, in MiB, as it told since its last hello.
    allowed_mib: BTreeMap<DeviceId, u64>,
}

impl Audit {
    /// Empty books. A device may hold so many replicas, or as many as masternodes have it.
    pub(super) fn new(in_hand_max: Option<u32>) -> Self {
        Self {
            in_hand_max,
            ..Self::default()
        }
    }

    /// The chain says this of a device.
    pub(super) fn know(&mut self, device: DeviceId, facts: Facts) {
        self.devices.insert(device, facts);
    }

    /// The masternode is told something, when its clock tells this.
    pub(super) fn hear(&mut self, clock: Tick, event: &Event) {
        self.before = self.now;
        self.now = self.now.max(clock);
        let now = self.now;
        match event {
            Event::Hello { view, .. } => {
                self.presence.says_hello(view.id, now);
                self.allowed_mib.remove(&view.id);
                let standing = self.standings.entry(view.id).or_default();
                standing.says_hello(now, &view.device);
            }
            Event::Rechecked { view, .. } => {
                let standing = self.standings.entry(view.id).or_default();
                standing.hears(&view.device);
            }
            Event::Exchange {
                device, exchange, ..
            } => {
                self.presence.says(device, now);
                if let Some(state) = &exchange.state {
                    self.presence.tells(device, now, unfit(state).is_none());
                    let allowed_mib = state.task_memory_mib;
                    self.allowed_mib
                        .extend(allowed_mib.map(|mib| (*device, mib)));
                }
            }
            Event::Gone { device } | Event::Barred { device, .. } => self.presence.goes(device),
            Event::Retired { device } => {
                self.presence.goes(device);
                let standing = self.standings.entry(*device).or_default();
                standing.retires();
            }
            Event::Uploaded { job, .. } => {
                let books = self.jobs.entry(*job).or_default();
                books.uploaded.get_or_insert(now);
            }
            Event::Finalised { jobs, .. } => {
                for (id, job) in jobs {
                    self.count(*id, job.next_batch);
                }
            }
            _ => {}
        }
    }

    /// The masternode knows that the chain has counted a job's batches before this one.
    fn count(&mut self, job: JobId, next: BatchSequence) {
        let Some(books) = self.jobs.get_mut(&job) else {
            return;
        };
        while books.counted < next as usize
            && let Some(set) = books.settles.get(books.counted)
        {
            books.counted += 1;
            let valid = tasks::validate(set, TaskIndex::MAX);
            let settled = valid.iter().flat_map(|tasks| tasks.iter());
            for device in settled
                .filter_map(|task| books.accepted.get(&task))
                .flatten()
            {
                let standing = self.standings.entry(*device).or_default();
                standing.counts_one();
            }
        }
    }

    /// A device has told the masternode how it is: fit, or why it is to be left alone.
    pub(super) fn hear_state(&mut self, device: DeviceId, unfit: Option<&'static str>) {
        match unfit {
            Some(why) => {
                self.unfit.insert(device, why);
            }
            None => {
                self.unfit.remove(&device);
            }
        }
    }

    /// An entry is appended at this place of a job's log.
    pub(super) fn append(
        &mut self,
        names: &Names,
        work: &Work,
        position: u64,
        entry: &Entry,
    ) -> Result<(), Violation> {
        match entry {
            Entry::Assigned {
                task,
                replica,
                device,
                account,
                ..
            } => {
                self.check_needed(names, work, *task, device)?;
                let given = (*task, *replica);
                let is_in_lane = self.check_given(names, work, given, device, account)?;
                self.in_lanes += u64::from(is_in_lane);
            }
            _ => self.check(names, work, entry)?,
        }
        if let Entry::Judged { verdict } = entry
            && verdict.answer != work.truth(verdict.task)
        {
            self.wrong_answers += 1;
        }
        self.enter(work.id, position, entry);
        Ok(())
    }

    /// The masternode died: what counts is what is written.
    pub(super) fn begin_anew(&mut self, disk: &Disk) {
        self.jobs.clear();
        self.last_stored.clear();
        self.in_hand.clear();
        self.full.clear();
        self.unfit.clear();
        self.allowed_mib.clear();
        (self.now, self.before) = (Tick::default(), Tick::default());
        self.presence = Presence::default();
        let blamed = std::mem::take(&mut self.standings).into_iter();
        let blamed = blamed.filter(|(_, standing)| standing.was_blamed);
        self.standings = blamed.map(|(id, _)| (id, Standing::blamed())).collect();
        for (job, log) in disk.logs() {
            for (position, entry) in (0u64..).zip(log) {
                self.enter(job, position, entry);
            }
            if disk.closed.contains(&job) {
                self.close(job);
            }
        }
        let standings = self.standings.values_mut();
        standings.for_each(Standing::begins_anew);
    }

    /// A job is over: nobody holds anything of it.
    pub(super) fn close(&mut self, job: JobId) {
        if let Some(books) = self.jobs.get_mut(&job) {
            let mut held = std::mem::take(&mut books.held);
            let committed = std::mem::take(&mut books.committed);
            held.retain(|replica, _| !committed.contains_key(replica));
            held.into_values()
                .for_each(|(device, _)| self.has_less(device));
        }
    }

    /// A report is acknowledged.
    pub(super) fn acknowledge(
        &mut self,
        names: &Names,
        disk: &Disk,
        device: DeviceId,
        id: ReplicaId,
    ) -> Result<(), Violation> {
        let books = self.jobs.get(&id.job);
        let heard = books.and_then(|books| books.heard.get(&(id.task, id.replica)));
        let is_written =
            heard.is_some_and(|heard| heard.device == device && disk.has(id.job, heard.position));
        if !is_written {
            return Err(Violation::AcknowledgedUnwritten {
                job: names.job(&id.job),
                task: id.task,
                replica: id.replica,
                device: names.device(&device),
            });
        }
        self.acknowledged.insert((device, id));
        Ok(())
    }

    /// A batch is sent.
    pub(super) fn send(&self, names: &Names, disk: &Disk, batch: &Batch) -> Result<(), Violation> {
        let books = self.jobs.get(&batch.job);
        let position = books.and_then(|books| books.batches.get(batch.sequence as usize));
        let written = position.and_then(|at| disk.written(batch.job).get(*at as usize));
        match written {
            Some(Entry::Batched { batch: written }) if written == batch => Ok(()),
            _ => Err(Violation::SentUnwritten {
                job: names.job(&batch.job),
                sequence: batch.sequence,
            }),
        }
    }

    /// Something is done that relies on a task's end.
    pub(super) fn rely_on_end(
        &self,
        names: &Names,
        disk: &Disk,
        job: JobId,
        task: TaskIndex,
    ) -> Result<(), Violation> {
        let ended = self.jobs.get(&job).and_then(|books| books.ended.get(&task));
        if ended.is_some_and(|position| disk.has(job, *position)) {
            return Ok(());
        }
        let job = names.job(&job);
        Err(Violation::EndUnwritten { job, task })
    }

    fn check(&self, names: &Names, work: &Work, entry: &Entry) -> Result<(), Violation> {
        let job = names.job(&work.id);
        let empty = Books::default();
        let books = self.jobs.get(&work.id).unwrap_or(&empty);
        match entry {
            Entry::Revealed { receipt, .. } => {
                let payload = &receipt.payload;
                let (task, replica, device) = (payload.task, payload.replica, payload.device);
                let holder = books.held.get(&(task, replica));
                let device_number = names.device(&device);
                if holder.is_none_or(|(holder, _)| *holder != device) {
                    return Err(Violation::ReportUnheld {
                        job,
                        task,
                        replica,
                        device: device_number,
                    });
                }
                let commits = work.submission.agreement.commits();
                let committed = books.committed.get(&(task, replica)).copied();
                match committed == Some(payload.commitment()) || !commits {
                    true => Ok(()),
                    false => Err(Violation::ReportUncommitted {
                        job,
                        task,
                        replica,
                        device: device_number,
                    }),
                }
            }
            Entry::Judged { verdict } if !books.ended.contains_key(&verdict.task) => {
                check_answer(names, work, books, verdict)?;
                check_shares(names, work, books, verdict)
            }
            Entry::Judged {
                verdict: Verdict { task, .. },
            }
            | Entry::Ended {
                end: End::Undecided { task } | End::Unopened { task },
            } if books.ended.contains_key(task) => {
                Err(Violation::DecidedTwice { job, task: *task })
            }
            Entry::Ended {
                end: End::Unopened { task },
            } => check_unopened(names, work, books, *task),
            Entry::Batched { batch } if batch.sequence as usize != books.batches.len() => {
                Err(Violation::BatchOutOfOrder {
                    job,
                    sequence: batch.sequence,
                    expected: books.batches.len() as BatchSequence,
                })
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, job: JobId, position: u64, entry: &Entry) {
        let books = self.jobs.entry(job).or_default();
        match entry {
            Entry::Assigned {
                task,
                replica,
                device,
                account,
                ..
            } => {
                let holder = (*device, account.clone());
                books.held.insert((*task, *replica), holder);
                books.gives(self.now);
                *self.in_hand.entry(*device).or_default() += 1;
            }
            Entry::Released {
                task,
                replica,
                cause,
                ..
            } => {
                let holder = books.held.get(&(*task, *replica));
                if let (ReleaseCause::BadInput { trusted }, Some((_, account))) = (cause, holder) {
                    let accounts = books.unopened.entry(*task).or_default();
                    *accounts.entry(account.clone()).or_default() |= trusted;
                }
                if let Some((device, account)) = holder {
                    books.lost.insert((*task, account.clone()));
                    self.presence.pauses(device, self.now);
                }
                if matches!(cause, ReleaseCause::Failed | ReleaseCause::BadInput { .. }) {
                    books.doubted.entry(*task).or_insert(self.now);
                    if let Some((device, _)) = holder {
                        *books.failures.entry(*device).or_default() += 1;
                    }
                }
                books.opened.insert((*task, *replica), self.now);
                self.let_go(job, *task, *replica);
            }
            // It may have something else in its hand from now on.
            Entry::Committed { commitment } => {
                let said = &commitment.payload;
                let replica = (said.task, said.replica);
                let is_first = books.held.contains_key(&replica)
                    && books.committed.insert(replica, said.commitment).is_none();
                if is_first {
                    self.has_less(said.device);
                }
            }
            Entry::Revealed { receipt, .. } => {
                let payload = &receipt.payload;
                let replica = (payload.task, payload.replica);
                let holder = books.held.get(&replica);
                if let Some((device, account)) = holder.cloned() {
                    let answer = payload.answer();
                    let all = (payload.task, 0)..=(payload.task, ReplicaIndex::MAX);
                    let mut others = books.heard.range(all);
                    if answer.exit != Exit::Success || others.any(|(_, it)| it.answer != answer) {
                        books.doubted.entry(payload.task).or_insert(self.now);
                    }
                    if answer.exit != Exit::Success {
                        *books.failures.entry(device).or_default() += 1;
                    }
                    let heard = Heard {
                        device,
                        account,
                        answer,
                        position,
                    };
                    books.heard.insert(replica, heard);
                }
                self.let_go(job, payload.task, payload.replica);
            }
            Entry::Judged { verdict } => {
                books.ended.insert(verdict.task, position);
                self.blame(job, verdict);
                self.end(job, verdict.task, verdict.answer.exit == Exit::Success);
            }
            Entry::Ended {
                end: End::Undecided { task } | End::Unopened { task },
            } => {
                books.ended.insert(*task, position);
                self.end(job, *task, false);
            }
            Entry::Batched { batch } => {
                books.batches.push(position);
                books.settles.push(batch.tasks.clone());
            }
            Entry::Refereed {
                task,
                word: RefereeWord::None,
            } => {
                books.unrefereed.insert(*task);
            }
            // What follows from these is in other entries.
            Entry::Opened { .. }
            | Entry::Queued { .. }
            | Entry::Refereed { .. }
            | Entry::Ended { .. } => {}
            // It gives nobody anything yet.
            Entry::Added { task, replicas } => {
                let added = books.added.entry(*task).or_default();
                *added = added.saturating_add(*replicas);
            }
        }
    }

    /// A task has its end: nobody holds a replica of it any more; nor of its job, if it cannot go on.
    fn end(&mut self, job: JobId, task: TaskIndex, goes_on: bool) {
        if !goes_on {
            return self.close(job);
        }
        let Some(books) = self.jobs.get(&job) else {
            return;
        };
        let all = books.held.range((task, 0)..=(task, ReplicaIndex::MAX));
        let held: Vec<ReplicaIndex> = all.map(|((_, replica), _)| *replica).collect();
        for replica in held {
            self.stalls(job, task, replica);
            self.let_go(job, task, replica);
        }
    }

    /// A task was decided of which a device had a replica. Whether it had it for long the logs do not tell.
    fn stalls(&mut self, job: JobId, task: TaskIndex, replica: ReplicaIndex) {
        let Some(books) = self.jobs.get(&job) else {
            return;
        };
        let key = (task, replica);
        let held = books.held.get(&key);
        let Some((device, _)) = held.filter(|_| !books.committed.contains_key(&key)) else {
            return;
        };
        let in_a_row = self.stalls.entry(*device).or_default();
        *in_a_row += 1;
        if *in_a_row >= told::STALLS_MIN {
            self.presence.rests(device, self.now);
        }
    }

    fn let_go(&mut self, job: JobId, task: TaskIndex, replica: ReplicaIndex) {
        let Some(books) = self.jobs.get_mut(&job) else {
            return;
        };
        let was_in_hand = books.committed.remove(&(task, replica)).is_none();
        let held = books.held.remove(&(task, replica));
        if let Some((device, _)) = held.filter(|_| was_in_hand) {
            self.has_less(device);
        }
    }

    fn has_less(&mut self, device: DeviceId) {
        if let Some(held) = self.in_hand.get_mut(&device) {
            if *held >= TASKS_IN_HAND_MAX as u32 {
                self.full.insert(device, self.now);
            }
            *held = held.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
