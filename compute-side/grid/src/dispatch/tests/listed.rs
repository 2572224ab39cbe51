//! A job's queues as lists: nothing is remembered but what was dealt and what became of it, and all of
//! it is walked from the front whenever somebody asks.

mod search;

use super::*;
use crate::pools::PoolNumber;

/// A replica of a task.
type Name = (TaskIndex, ReplicaIndex);

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stands {
    Open {
        since: Tick,
        is_rescue: bool,
        /// When somebody first passed it who was not fast enough yet.
        passed: Option<Tick>,
        /// When so many passed it in vain that other lanes may have it later.
        vain: Option<Tick>,
    },
    Running {
        since: Tick,
        end: Tick,
        is_backup: bool,
    },
    Answered,
    Resting,
}

#[derive(Clone, Copy, Debug)]
struct Replica {
    /// How many were dealt before it.
    turn: usize,
    pool: usize,
    stands: Stands,
    /// Who has it or had it; nobody while it is open.
    by: Option<Holder>,
}

impl Replica {
    fn is_open(&self) -> bool {
        matches!(self.stands, Stands::Open { .. })
    }

    fn is_running(&self) -> bool {
        matches!(self.stands, Stands::Running { .. })
    }
}

#[derive(Clone, Debug)]
struct Task {
    number: TaskIndex,
    replicas: Vec<Replica>,
    /// Devices that may not have it again.
    excluded: Vec<u32>,
    /// When it came in doubt.
    doubted: Option<Tick>,
    /// Whether, while it is in doubt, it is for trusted devices even if there is none.
    is_reserved: bool,
    /// Whether anybody ever answered it.
    is_answered: bool,
}

impl Task {
    fn is_touched_by(&self, account: u32) -> bool {
        let is_of = |it: &Replica| it.by.is_some_and(|by| by.account == account);
        self.replicas.iter().any(is_of)
    }

    /// Whether nothing of its past keeps it from a device.
    fn is_for(&self, holder: Holder) -> bool {
        !self.is_touched_by(holder.account) && !self.excluded.contains(&holder.device)
    }
}

/// A job with everything that was dealt of it.
#[derive(Clone, Debug)]
pub(super) struct Job {
    id: JobId,
    terms: JobTerms,
    target: Target,
    accounts: u32,
    tasks: Vec<Task>,
    dealt: usize,
    /// Tasks that are said to be queued later.
    to_come: u32,
    /// The work of each answer that was accepted, and the bytes of its result.
    accepted: Vec<(u64, u64)>,
    /// When something was last taken, or opened while nothing was.
    last_taken: Tick,
    /// When something was last taken by a device of its pool or one above, or opened while nothing was.
    last_taken_in_turn: Tick,
    /// Trusted devices of the target subset.
    trusted: Vec<Holder>,
    /// Tasks in doubt of which something is open, in the order in which they became so.
    waiting: Vec<TaskIndex>,
    /// Accounts that found nothing, and when.
    in_vain: Vec<(u32, Tick)>,
}

impl Job {
    pub(super) fn new(id: JobId, terms: JobTerms, target: Target, accounts: u32) -> Self {
        Self {
            id,
            terms,
            target,
            accounts,
            tasks: vec![],
            dealt: 0,
            to_come: 0,
            accepted: vec![],
            last_taken: Tick::default(),
            last_taken_in_turn: Tick::default(),
            trusted: vec![],
            waiting: vec![],
            in_vain: vec![],
        }
    }

    pub(super) fn id(&self) -> JobId {
        self.id
    }

    pub(super) fn level(&self) -> ByteLevel {
        self.terms.level
    }

    fn pools(&self) -> usize {
        self.target.pools().max(1) as usize
    }

    /// Whether the devices of a pool get something of the job: of one of a high level all do; of a
    /// balanced one all but those of the lowest pool, where there are three; of a low one those of the
    /// lower half of the pools.
    fn takes_part(&self, pool: usize) -> bool {
        let pools = self.pools();
        match self.terms.level {
            ByteLevel::High => true,
            ByteLevel::Balanced => pools < 3 || pool < pools - 1,
            ByteLevel::Low => pool >= pools / 2,
        }
    }

    /// The pool whose turn it is.
    fn pool_at(&self, turn: usize) -> usize {
        let pools = (0..self.pools()).filter(|pool| self.takes_part(*pool));
        let pools: Vec<usize> = pools.collect();
        pools[turn % pools.len()]
    }

    /// Every replica, with its task and its number.
    fn all(&self) -> impl Iterator<Item = (&Task, ReplicaIndex, &Replica)> {
        self.tasks.iter().flat_map(|task| {
            let numbered = (0..).zip(&task.replicas);
            numbered.map(move |(number, it)| (task, number, it))
        })
    }

    fn open(&self) -> usize {
        self.all().filter(|(.., it)| it.is_open()).count()
    }

    /// Whether something is open for who has what this device has.
    pub(super) fn has_open_for(&self, asker: &Asker<'_>) -> bool {
        self.open() > 0 && self.terms.needs.lacking_in(asker.traits).is_none()
    }

    /// Whether nothing is or will be, and who has what this device has may compute again what runs.
    pub(super) fn only_runs_for(&self, asker: &Asker<'_>) -> bool {
        let is_suitable = self.terms.needs.lacking_in(asker.traits).is_none();
        self.open() == 0 && self.to_come == 0 && self.running() > 0 && is_suitable
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    fn running(&self) -> usize {
        self.all().filter(|(.., it)| it.is_running()).count()
    }

    fn task(&self, task: TaskIndex) -> Option<&Task> {
        self.tasks.iter().find(|it| it.number == task)
    }

    fn task_mut(&mut self, task: TaskIndex) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|it| it.number == task)
    }

    fn replica(&mut self, (task, replica): Name) -> Option<&mut Replica> {
        self.task_mut(task)?.replicas.get_mut(usize::from(replica))
    }

    /// What opens where nothing was open could not be taken before.
    fn opened(&mut self, now: Tick) {
        if self.open() == 1 {
            self.last_taken = self.last_taken.max(now);
            self.last_taken_in_turn = self.last_taken_in_turn.max(now);
        }
    }

    /// Deals one more replica of a task to the pool whose turn it is; none above fifteen.
    fn deal(&mut self, task: TaskIndex, is_rescue: bool, now: Tick) -> Option<ReplicaIndex> {
        let turn = self.dealt;
        let pool = self.pool_at(turn);
        let it = self.task_mut(task).filter(|it| it.replicas.len() < 15)?;
        it.replicas.push(Replica {
            turn,
            pool,
            stands: Stands::Open {
                since: now,
                is_rescue,
                passed: None,
                vain: None,
            },
            by: None,
        });
        let number = it.replicas.len() - 1;
        self.dealt += 1;
        Some(number as ReplicaIndex)
    }

    pub(super) fn push(&mut self, task: TaskIndex, now: Tick) {
        if self.task(task).is_none() {
            self.tasks.push(Task {
                number: task,
                replicas: vec![],
                excluded: vec![],
                doubted: None,
                is_reserved: false,
                is_answered: false,
            });
            self.add(task, self.terms.replicas, now);
        }
    }

    pub(super) fn add(&mut self, task: TaskIndex, count: u8, now: Tick) -> Vec<ReplicaIndex> {
        let mut added = vec![];
        for _ in 0..count {
            if let Some(replica) = self.deal(task, false, now) {
                self.opened(now);
                added.push(replica);
            }
        }
        added
    }

    /// One more, unless more are open or held than the task still needs answers.
    pub(super) fn rescue(&mut self, task: TaskIndex, now: Tick) -> Option<ReplicaIndex> {
        let all = &self.task(task)?.replicas;
        let is_answered = |it: &&Replica| it.stands == Stands::Answered;
        let answered = all.iter().filter(is_answered).count();
        let needed = usize::from(self.terms.replicas).saturating_sub(answered);
        if all.len() - answered > needed {
            return None;
        }
        let added = self.deal(task, true, now)?;
        self.opened(now);
        Some(added)
    }

    /// A pool is the same one as long as there are as many below it. What is open in one that is no
    /// more, or takes part no more, is dealt anew in the order in which it was dealt; what is not open
    /// will open where it would have been dealt to. All else stays.
    pub(super) fn retarget(&mut self, target: Target, accounts: u32) {
        let before = self.pools();
        (self.target, self.accounts) = (target, accounts);
        let is_now = |pool: usize| {
            let below = before - 1 - pool;
            let pool = (self.pools() - 1).checked_sub(below)?;
            self.takes_part(pool).then_some(pool)
        };
        let now: Vec<Option<usize>> = (0..before).map(is_now).collect();
        // Enough of them for whatever is dealt anew.
        let dealt: Vec<usize> = (0..self.dealt).map(|turn| self.pool_at(turn)).collect();
        let replicas = self.tasks.iter_mut().flat_map(|task| &mut task.replicas);
        let (mut open, held): (Vec<_>, Vec<_>) = replicas.partition(|it| it.is_open());
        open.sort_by_key(|it| it.turn);
        let mut again = dealt.iter();
        for it in open {
            it.pool = now[it.pool].unwrap_or_else(|| *again.next().unwrap());
        }
        for it in held {
            it.pool = now[it.pool].unwrap_or(dealt[it.turn]);
        }
    }

    pub(super) fn set_trusted(&mut self, trusted: Vec<Holder>) {
        self.trusted = trusted;
    }

    pub(super) fn claim(&mut self, name: Name, by: Holder, claimed: Claimed) -> bool {
        let usual_ms = self.takes_ms(0);
        let Some(it) = self.replica(name).filter(|it| it.is_open()) else {
            return false;
        };
        it.by = Some(by);
        it.stands = match claimed {
            Claimed::Running { since } => Stands::Running {
                since,
                end: since.plus_ms(usual_ms),
                is_backup: false,
            },
            Claimed::Answered => Stands::Answered,
        };
        self.note_answer(name);
        true
    }

    /// A replica that somebody computes.
    fn computed(&mut self, name: Name) -> Option<&mut Replica> {
        self.replica(name).filter(|it| it.is_running())
    }

    pub(super) fn finish(&mut self, name: Name) {
        if let Some(it) = self.computed(name) {
            it.stands = Stands::Answered;
            self.note_answer(name);
        }
    }

    fn note_answer(&mut self, (task, replica): Name) {
        if let Some(task) = self.task_mut(task) {
            task.is_answered |= task.replicas[usize::from(replica)].stands == Stands::Answered;
        }
    }

    pub(super) fn accept(&mut self, work: u64, result_bytes: u64) {
        self.accepted.push((work, result_bytes));
    }

    pub(super) fn expect(&mut self, tasks: u32) {
        self.to_come = tasks;
    }

    pub(super) fn release(&mut self, name: Name, fault: bool, now: Tick) {
        if let Some(by) = self.computed(name).and_then(|it| it.by) {
            self.take_back(name, by, fault, now);
        }
    }

    /// What was answered is not to be had.
    pub(super) fn retract(&mut self, name: Name, fault: bool, now: Tick) {
        let is_answered = |it: &&mut Replica| it.stands == Stands::Answered;
        let answered = self.replica(name).filter(is_answered);
        if let Some(by) = answered.and_then(|it| it.by) {
            self.take_back(name, by, fault, now);
        }
    }

    fn take_back(&mut self, name: Name, by: Holder, fault: bool, now: Tick) {
        self.reopen(name, now);
        let it = self.task_mut(name.0).unwrap();
        if fault {
            it.excluded.push(by.device);
        }
        // Where nobody else has it or had it, all of it is open now.
        let nobody_has_it = it.replicas.iter().all(Replica::is_open);
        if let Some(Stands::Open { is_rescue, .. }) = self.replica(name).map(|it| &mut it.stands) {
            *is_rescue = fault && nobody_has_it;
        }
    }

    pub(super) fn rest(&mut self, name: Name) {
        if let Some(it) = self.computed(name) {
            it.stands = Stands::Resting;
        }
    }

    pub(super) fn wake(&mut self, name: Name, now: Tick) {
        let is_resting = |it: &&mut Replica| it.stands == Stands::Resting;
        if self.replica(name).filter(is_resting).is_some() {
            self.reopen(name, now);
        }
    }

    fn reopen(&mut self, name: Name, now: Tick) {
        let it = self.replica(name).unwrap();
        it.by = None;
        it.stands = Stands::Open {
            since: now,
            is_rescue: false,
            passed: None,
            vain: None,
        };
        self.opened(now);
    }

    pub(super) fn doubt(&mut self, task: TaskIndex, now: Tick) {
        if let Some(it) = self.task_mut(task) {
            it.doubted = it.doubted.or(Some(now));
        }
    }

    /// Something happened: who came to be in doubt and open stands behind all that were before.
    pub(super) fn wait_in_turn(&mut self) {
        let waits =
            |task: &&Task| task.doubted.is_some() && task.replicas.iter().any(Replica::is_open);
        let all = self.tasks.iter().filter(waits).map(|it| it.number);
        let all: Vec<TaskIndex> = all.collect();
        self.waiting.retain(|task| all.contains(task));
        let new = all.into_iter().filter(|task| !self.waiting.contains(task));
        let new: Vec<TaskIndex> = new.collect();
        self.waiting.extend(new);
    }

    pub(super) fn reserve(&mut self, task: TaskIndex, is_reserved: bool) -> bool {
        let Some(it) = self.task_mut(task) else {
            return false;
        };
        let was_reserved = it.is_reserved;
        it.is_reserved = is_reserved;
        if was_reserved != is_reserved {
            // It stands behind all others of its kind.
            self.waiting.retain(|it| *it != task);
            self.wait_in_turn();
        }
        was_reserved && !is_reserved
    }

    pub(super) fn exclude(&mut self, task: TaskIndex, device: u32) {
        if let Some(it) = self.task_mut(task) {
            it.excluded.push(device);
        }
    }

    /// Nobody has this device's number from now on.
    pub(super) fn forget_device(&mut self, device: u32) {
        self.trusted.retain(|it| it.device != device);
        for task in &mut self.tasks {
            task.excluded.retain(|it| *it != device);
            let holders = task.replicas.iter_mut().filter_map(|it| it.by.as_mut());
            for by in holders.filter(|by| by.device == device) {
                by.device = u32::MAX;
            }
        }
    }

    pub(super) fn close(&mut self, task: TaskIndex) {
        self.tasks.retain(|it| it.number != task);
    }

    /// Whether an account has or had a replica of a task.
    pub(super) fn is_touched(&self, task: TaskIndex, account: u32) -> bool {
        let task = self.task(task);
        task.is_some_and(|task| task.is_touched_by(account))
    }

    pub(super) fn replicas(&self, task: TaskIndex) -> Vec<ReplicaState> {
        let replicas = self.task(task).map(|task| &task.replicas);
        let state = |it: &Replica| {
            let device = it.by.map_or(u32::MAX, |by| by.device);
            match it.stands {
                Stands::Open { since, .. } => ReplicaState::Open {
                    pool: it.pool as PoolNumber,
                    since,
                },
                Stands::Running {
                    since,
                    end,
                    is_backup,
                } => ReplicaState::Running {
                    device,
                    since,
                    end,
                    is_backup,
                },
                Stands::Answered => ReplicaState::Answered { device },
                Stands::Resting => ReplicaState::Resting,
            }
        };
        replicas.into_iter().flatten().map(state).collect()
    }

    /// Where an open replica stands in its pool's queue, if its task is not in doubt.
    pub(super) fn queued(&self, (task, replica): Name, lane_ms: u64) -> Option<Queued> {
        let task = self.task(task).filter(|task| task.doubted.is_none())?;
        let it = task.replicas.get(usize::from(replica))?;
        let Stands::Open {
            is_rescue,
            passed,
            vain,
            ..
        } = it.stands
        else {
            return None;
        };
        // Both have to come that keep it from anybody.
        let kept = [(is_rescue, passed), (self.lanes().is_some(), vain)];
        let kept = kept.iter().filter(|(is_kept, _)| *is_kept);
        let since: Vec<Option<Tick>> = kept.map(|(_, since)| *since).collect();
        let all_came = since.iter().all(Option::is_some);
        let last = since.into_iter().flatten().max().filter(|_| all_came);
        let queue = self.all().map(|(.., it)| it);
        let queue = queue.filter(|other| other.is_open() && other.pool == it.pool);
        let turns: Vec<usize> = queue.map(|it| it.turn).collect();
        Some(Queued {
            turn: turns.iter().filter(|turn| **turn <= it.turn).count(),
            of: turns.len(),
            is_rescue,
            open_to_all_at: last.map(|last| last.plus_ms(lane_ms)),
            kept_until: None,
        })
    }

    pub(super) fn counts(&self) -> JobCounts {
        let open_in = |pool: usize| {
            let is_there = |it: &Replica| it.is_open() && it.pool == pool;
            self.all().filter(|(.., it)| is_there(it)).count()
        };
        JobCounts {
            open: (0..self.pools()).map(open_in).collect(),
            running: self.running(),
            devices: self.target.devices,
        }
    }
}
