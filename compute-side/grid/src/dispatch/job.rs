//! The open and running replicas of one job.

mod accepted;
mod accounts;
mod dealing;
mod doubted;
mod ends;
mod search;

use super::{
    Asker, Claimed, Given, Holder, JobTerms, ReplicaState, Withheld,
    anew::Found,
    lane::{Lanes, vain::InVain},
    pool::{Place, Queues},
};
use crate::{
    Tick, Tuning,
    pools::{PoolNumber, Target},
};
use accepted::Accepted;
use doubted::Waiting;
use ends::End;
use quern_primitives::ids::{JobId, ReplicaId, ReplicaIndex, TaskIndex};
use search::{Search, Spot};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// In place of the number of a device that is gone for good: no device has it.
const NOBODY: u32 = u32::MAX;

/// One replica of a task that has no verdict.
#[derive(Clone, Copy, Debug)]
struct Replica {
    /// The pool it stands in while it is open.
    pool: u32,
    /// Its place there.
    place: Place,
    /// Who holds or has finished it; nobody while it is open.
    holder: Option<Holder>,
}

/// A task that has no verdict.
#[derive(Clone, Debug, Default)]
struct TaskState {
    replicas: Vec<Replica>,
    /// Devices that may not have it again.
    excluded: Vec<u32>,
    /// Backups that run.
    backups: u8,
    /// As one of how many backups what runs of it stands among the ends, if it does.
    among_ends: Option<u8>,
    /// When it came in doubt, if it did: a device failed on it, or two answers differed.
    doubted: Option<Tick>,
    /// Its turn among the tasks in doubt of which something is open, if it is one.
    turn: Option<u64>,
    /// Whether nobody but trusted devices gets it while it is in doubt, even where there is none.
    is_reserved: bool,
    /// Whether a device has answered it, also if what it answered was not to be had.
    is_answered: bool,
}

impl TaskState {
    fn is_open(&self) -> bool {
        self.replicas.iter().any(|it| it.holder.is_none())
    }

    fn is_touched_by(&self, account: u32) -> bool {
        let holds = |it: &Replica| it.holder.is_some_and(|holder| holder.account == account);
        self.replicas.iter().any(holds)
    }

    fn replica_mut(&mut self, replica: ReplicaIndex) -> Option<&mut Replica> {
        self.replicas.get_mut(usize::from(replica))
    }
}

/// A replica that a device computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Running {
    since: Tick,
    /// When it should be finished.
    end: Tick,
    is_backup: bool,
}

impl Running {
    /// When it will be finished: what is overdue is taken to need as long again as it already took.
    fn ends_at(&self, now: Tick) -> Tick {
        match self.end < now {
            true => now.plus_ms(now.since(self.since)),
            false => self.end,
        }
    }
}

/// What says which open replicas a device may have.
#[derive(Clone, Debug)]
pub(super) struct Known {
    tasks: BTreeMap<TaskIndex, TaskState>,
    lanes: Lanes,
    pub(super) target: Target,
    /// Trusted devices of the target subset.
    trusted: Vec<Holder>,
    /// Tasks in doubt of which something is open.
    waiting: Waiting,
}

/// One job's queues.
#[derive(Clone, Debug)]
pub(super) struct JobQueue {
    id: JobId,
    pub(super) terms: JobTerms,
    pub(super) known: Known,
    /// Accounts with a device in the target subset.
    pub(super) accounts: u32,
    /// From which ranking the target is.
    pub(super) found: Found,
    pools: Queues,
    /// Accounts that found nothing lately.
    in_vain: InVain,
    running: BTreeMap<(TaskIndex, ReplicaIndex), Running>,
    /// What runs of tasks that may have one more backup.
    ends: BTreeSet<End>,
    /// Backups of one task at a time.
    backups_max: u8,
    /// Replicas that could not be handed out.
    resting: BTreeSet<(TaskIndex, ReplicaIndex)>,
    /// Tasks in doubt.
    doubted: BTreeSet<TaskIndex>,
    pub(super) open: usize,
    /// Tasks that are queued later, because what they read is not here yet.
    to_come: u32,
    /// When a replica was last taken, or opened while none was.
    last_taken: Tick,
    /// When a device last took one of its own pool or below, or one opened while none was.
    last_taken_in_turn: Tick,
    /// Replicas dealt so far.
    dealt: Place,
    accepted: Accepted,
}

impl JobQueue {
    pub(super) fn new(
        id: JobId,
        terms: JobTerms,
        target: Target,
        accounts: u32,
        found: Found,
        backups_max: u8,
    ) -> Self {
        Self {
            id,
            accounts,
            found,
            pools: Queues::new(target.pools()),
            known: Known {
                tasks: BTreeMap::new(),
                lanes: Lanes::new(terms.seed, terms.replicas, accounts),
                target,
                trusted: Vec::new(),
                waiting: Waiting::default(),
            },
            terms,
            in_vain: InVain::default(),
            running: BTreeMap::new(),
            ends: BTreeSet::new(),
            backups_max,
            resting: BTreeSet::new(),
            doubted: BTreeSet::new(),
            open: 0,
            to_come: 0,
            last_taken: Tick::default(),
            last_taken_in_turn: Tick::default(),
            dealt: 0,
            accepted: Accepted::default(),
        }
    }

    /// Queues a task with its first replicas; one that is queued stays as it is.
    pub(super) fn push(&mut self, task: TaskIndex, replicas: ReplicaIndex, now: Tick) {
        if let Entry::Vacant(place) = self.known.tasks.entry(task) {
            place.insert(TaskState::default());
            self.add_replicas(task, replicas, now);
        }
    }

    /// So many tasks are queued later.
    pub(super) fn expect(&mut self, tasks: u32) {
        self.to_come = tasks;
    }

    /// Adds replicas to a task, dealt in equal numbers to the pools that take part. Returns those added.
    pub(super) fn add_replicas(
        &mut self,
        task: TaskIndex,
        replicas: ReplicaIndex,
        now: Tick,
    ) -> Vec<ReplicaIndex> {
        let mut added = Vec::new();
        for _ in 0..replicas {
            let Some(replica) = self.new_replica(task) else {
                break;
            };
            self.open(task, replica, now, false);
            added.push(replica);
        }
        added
    }

    /// Adds a replica that a fast or trusted device shall have, unless more are out or open already
    /// than the task still needs answers.
    pub(super) fn rescue(&mut self, task: TaskIndex, now: Tick) -> Option<ReplicaIndex> {
        if !self.wants_rescue(task) {
            return None;
        }
        let replica = self.new_replica(task)?;
        self.open(task, replica, now, true);
        Some(replica)
    }

    /// Replicas that are computed.
    pub(super) fn running_count(&self) -> usize {
        self.running.len()
    }

    /// Gives the open replica that the asker finds, and notes what it passed. A job that is served before
    /// may keep devices from this one.
    pub(super) fn take(
        &mut self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
        is_behind: bool,
    ) -> Result<Given, Withheld> {
        let Search {
            found,
            has_looked,
            walks,
        } = self.search(asker, now, tuning);
        for (pool, walk) in &walks {
            self.pools.note(*pool, asker.account, walk, now);
        }
        let is_in_vain = has_looked && walks.iter().all(|(_, walk)| walk.is_in_vain);
        match found {
            Ok(_) => self.in_vain.goes(asker.account),
            Err(_) if is_in_vain => self.comes_in_vain(asker, now, tuning, is_behind),
            Err(_) => {}
        }
        let Spot { pool, place, item } = found?;
        self.pools.close(pool, place);
        self.open -= 1;
        if pool >= self.known.target.pool_of(asker.rank) {
            self.last_taken_in_turn = now;
        }
        Ok(self.start(item.task, item.replica, asker, now, false))
    }

    /// A device found nothing in the queues: whatever there is, is for others.
    fn comes_in_vain(&mut self, asker: &Asker<'_>, now: Tick, tuning: &Tuning, is_behind: bool) {
        let Some(lanes) = self.known.lanes.count() else {
            return;
        };
        let (account, within_ms) = (asker.account, tuning.lane_ms);
        let are_many = self.in_vain.comes(account, lanes.into(), within_ms, now);
        if are_many || (!is_behind && self.stands_still(now, tuning)) {
            let from = self.looks_from(asker, now, tuning);
            let kept = self.kept(now);
            let view = self.known.view(asker, kept, now, tuning);
            self.pools.widen(from, now, |item| view.may_have(item));
        }
    }

    /// Whether nobody has taken anything for longer than two tasks take.
    fn stands_still(&self, now: Tick, tuning: &Tuning) -> bool {
        self.is_long_ago(self.last_taken, now, tuning)
    }

    /// From which pool down a device looks for its next replica: its own. But of what a pool's devices
    /// have lost or their accounts have worked on none of them may have anything, nor may those above.
    /// So when no device has found anything in its turn for longer than two tasks take, all that take
    /// part look everywhere.
    fn looks_from(&self, asker: &Asker<'_>, now: Tick, tuning: &Tuning) -> PoolNumber {
        match self.is_long_ago(self.last_taken_in_turn, now, tuning) {
            true => 0,
            false => self.known.target.pool_of(asker.rank),
        }
    }

    /// Whether two tasks might have been done since, one after the other, and a replica have waited for
    /// its lane.
    fn is_long_ago(&self, then: Tick, now: Tick, tuning: &Tuning) -> bool {
        let two_ms = self.takes_ms(0).saturating_mul(2);
        now > then.plus_ms(two_ms.saturating_add(tuning.lane_ms))
    }

    /// Whether devices are busy with it, which jobs behind it have to wait for.
    pub(super) fn is_served(&self, now: Tick, tuning: &Tuning) -> bool {
        !self.running.is_empty() && !self.stands_still(now, tuning)
    }

    /// Gives a task that runs to an idle device as well that will have it done sooner, or says why not.
    pub(super) fn back_up(
        &mut self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Result<Given, Withheld> {
        let task = self.slow_one(asker, now, tuning)?;
        let replica = self.new_replica(task).ok_or(Withheld::NothingOpen)?;
        if let Some(state) = self.known.tasks.get_mut(&task) {
            state.backups += 1;
        }
        self.note_ends(task);
        Ok(self.start(task, replica, asker, now, true))
    }

    fn start(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        asker: &Asker<'_>,
        now: Tick,
        is_backup: bool,
    ) -> Given {
        let (expected_ms, line_ms) = (self.takes_ms(asker.speed), self.line_ms(asker));
        let since = now.plus_ms(asker.backlog_ms);
        self.last_taken = now;
        self.hold(task, replica, asker.holder());
        self.run(
            task,
            replica,
            since,
            line_ms.saturating_add(expected_ms),
            is_backup,
        );
        let lanes = self.known.lanes_of(asker.account);
        let draw = lanes.draw(asker.account_id);
        Given {
            id: ReplicaId {
                job: self.id,
                task,
                replica,
            },
            is_backup,
            lanes: lanes.given_in(draw, task, replica),
            expected_ms,
            line_ms,
        }
    }

    fn hold(&mut self, task: TaskIndex, replica: ReplicaIndex, holder: Holder) {
        let state = self.known.tasks.get_mut(&task);
        if let Some(it) = state.and_then(|state| state.replica_mut(replica)) {
            it.holder = Some(holder);
        }
        self.known.note_doubt(task);
    }

    fn run(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        since: Tick,
        expected_ms: u64,
        is_backup: bool,
    ) {
        let running = Running {
            since,
            end: since.plus_ms(expected_ms),
            is_backup,
        };
        let state = self.known.tasks.get(&task);
        if let Some(backups) = state.and_then(|state| state.among_ends) {
            self.ends.insert((backups, running.end, task, replica));
        }
        self.running.insert((task, replica), running);
    }

    fn stop(&mut self, task: TaskIndex, replica: ReplicaIndex) -> Option<Running> {
        let running = self.running.remove(&(task, replica))?;
        if let Some(state) = self.known.tasks.get_mut(&task) {
            if let Some(backups) = state.among_ends {
                self.ends.remove(&(backups, running.end, task, replica));
            }
            state.backups = state.backups.saturating_sub(running.is_backup.into());
        }
        self.note_ends(task);
        Some(running)
    }

    /// Gives a certain open replica to a device, as it was before a restart. False when it is not open.
    pub(super) fn claim(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        holder: Holder,
        claimed: Claimed,
    ) -> bool {
        let Some(state) = self.known.tasks.get_mut(&task) else {
            return false;
        };
        let Some(it) = state.replica_mut(replica).filter(|it| it.holder.is_none()) else {
            return false;
        };
        self.pools.close(it.pool, it.place);
        self.open -= 1;
        self.hold(task, replica, holder);
        match claimed {
            Claimed::Running { since } => {
                let expected_ms = self.takes_ms(0);
                self.run(task, replica, since, expected_ms, false);
            }
            Claimed::Answered => self.answers(task),
        }
        true
    }

    /// A replica was answered. Its account still counts as having touched the task.
    pub(super) fn finish(&mut self, task: TaskIndex, replica: ReplicaIndex) {
        if self.stop(task, replica).is_some() {
            self.answers(task);
        }
    }

    /// An answer of so much work, with a result of so many bytes, was accepted for a task.
    pub(super) fn accept(&mut self, work: u64, result_bytes: u64) {
        self.accepted.note(work, result_bytes);
    }

    /// Opens a replica again that was given out and not answered. With `fault` that device will not
    /// get the task again; and if nobody else has it or had it, a fast or trusted device shall.
    pub(super) fn release(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        fault: bool,
        now: Tick,
    ) {
        // Otherwise it was answered, or nobody had it.
        if self.stop(task, replica).is_some() {
            self.take_back(task, replica, fault, now);
        }
    }

    /// Opens a replica again that was answered, for the answer is not to be had. Of one that runs, rests
    /// or is open nothing changes.
    pub(super) fn retract(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        fault: bool,
        now: Tick,
    ) {
        let it = (task, replica);
        if !self.running.contains_key(&it) && !self.resting.contains(&it) {
            self.take_back(task, replica, fault, now);
        }
    }

    /// Takes a replica from whoever holds it, and opens it again.
    fn take_back(&mut self, task: TaskIndex, replica: ReplicaIndex, fault: bool, now: Tick) {
        let Some(state) = self.known.tasks.get_mut(&task) else {
            return;
        };
        let Some(holder) = state.replica_mut(replica).and_then(|it| it.holder.take()) else {
            return;
        };
        if fault {
            state.excluded.push(holder.device);
        }
        let is_rescue = fault && state.replicas.iter().all(|it| it.holder.is_none());
        self.reopen(task, replica, is_rescue, now);
    }

    /// A replica is neither open nor computed for a while. Its last holder still counts as having
    /// touched the task.
    pub(super) fn rest(&mut self, task: TaskIndex, replica: ReplicaIndex) {
        if self.stop(task, replica).is_some() {
            self.resting.insert((task, replica));
        }
    }

    /// Opens a replica that rested.
    pub(super) fn wake(&mut self, task: TaskIndex, replica: ReplicaIndex, now: Tick) {
        if !self.resting.remove(&(task, replica)) {
            return;
        }
        let state = self.known.tasks.get_mut(&task);
        let replica_state = state.and_then(|state| state.replica_mut(replica));
        if replica_state.is_some_and(|it| it.holder.take().is_some()) {
            self.reopen(task, replica, false, now);
        }
    }

    /// Keeps a device from having a task.
    pub(super) fn exclude(&mut self, task: TaskIndex, device: u32) {
        if let Some(state) = self.known.tasks.get_mut(&task) {
            state.excluded.push(device);
        }
    }

    /// A device is gone for good: another one may have its number, and that is not who had these
    /// replicas, nor who failed on these tasks.
    pub(super) fn forget_device(&mut self, device: u32) {
        let had_trusted = !self.known.trusted.is_empty();
        self.known.trusted.retain(|it| it.device != device);
        self.note_ends_in_doubt(had_trusted);
        for state in self.known.tasks.values_mut() {
            state.excluded.retain(|it| *it != device);
            let holders = state.replicas.iter_mut();
            holders
                .filter_map(|it| it.holder.as_mut())
                .filter(|holder| holder.device == device)
                .for_each(|holder| holder.device = NOBODY);
        }
    }

    /// Forgets a task: it has its verdict.
    pub(super) fn close(&mut self, task: TaskIndex) {
        let Some(state) = self.known.tasks.remove(&task) else {
            return;
        };
        for (replica, it) in (0..).zip(state.replicas) {
            if it.holder.is_none() {
                self.pools.close(it.pool, it.place);
                self.open -= 1;
            }
            if let Some(running) = self.stop(task, replica)
                && let Some(backups) = state.among_ends
            {
                self.ends.remove(&(backups, running.end, task, replica));
            }
            self.resting.remove(&(task, replica));
        }
        self.doubted.remove(&task);
        if let Some(turn) = state.turn {
            self.known.waiting.remove(turn);
        }
    }

    /// Open replicas of each pool, from the top.
    pub(super) fn open_by_pool(&self) -> Vec<usize> {
        self.pools.lengths().collect()
    }

    /// For each replica of a task since when it is open, or until when it should be answered if it
    /// runs; nothing if it was answered.
    pub(super) fn replicas(&self, task: TaskIndex) -> Vec<ReplicaState> {
        let Some(state) = self.known.tasks.get(&task) else {
            return vec![];
        };
        (0..)
            .zip(&state.replicas)
            .map(
                |(number, it)| match (it.holder, self.running.get(&(task, number))) {
                    (None, _) => ReplicaState::Open {
                        pool: it.pool,
                        since: self.open_since(it),
                    },
                    (Some(holder), Some(running)) => ReplicaState::Running {
                        device: holder.device,
                        since: running.since,
                        end: running.end,
                        is_backup: running.is_backup,
                    },
                    (Some(_), None) if self.resting.contains(&(task, number)) => {
                        ReplicaState::Resting
                    }
                    (Some(holder), None) => ReplicaState::Answered {
                        device: holder.device,
                    },
                },
            )
            .collect()
    }

    fn open_since(&self, it: &Replica) -> Tick {
        let item = self.pools.item(it.pool, it.place);
        item.map_or(Tick::default(), |item| item.since)
    }
}
