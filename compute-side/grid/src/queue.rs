//! The pull queue.
//!
//! Entries are tasks with their open replicas, ordered by priority and arrival. A walk from the
//! front for every pull would be quadratic when the front holds tasks that the asking account has
//! touched already, so each account has a cursor: before it, nothing is open to the account. A
//! replica that opens again before a cursor moves that cursor back. Pulls are then amortised
//! O(log n) in the number of queued tasks.

use quern_primitives::{
    ids::{AccountId, DeviceId, JobId, ReplicaIndex, TaskIndex},
    job::ByteLevel,
};
use std::collections::BTreeMap;

/// A place in the queue: priority first (lower is sooner), then arrival.
type Place = (u8, u64);

/// A task with open replicas, or with replicas that may open again.
#[derive(Clone, Debug)]
struct Entry {
    job: JobId,
    task: TaskIndex,
    /// Open replicas, ascending.
    open: Vec<ReplicaIndex>,
    /// Who holds or has finished a replica.
    holders: Vec<(ReplicaIndex, AccountId)>,
    /// Devices that may not have this task again.
    excluded: Vec<DeviceId>,
}

impl Entry {
    fn is_open_to(&self, account: &AccountId, device: &DeviceId) -> bool {
        !self.open.is_empty()
            && !self.holders.iter().any(|(_, holder)| holder == account)
            && !self.excluded.contains(device)
    }
}

/// Tasks of a job by how far their replicas are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks of which no replica was taken.
    pub untouched: u32,
    /// Open replicas.
    pub open_replicas: u32,
}

/// Why a device that asks gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// No replica is open at all.
    NothingQueued,
    /// All open replicas are of tasks that the device's account already works on or worked on.
    AllTouchedByAccount,
}

/// Open replicas of all jobs, in the order in which they are given out.
#[derive(Clone, Debug, Default)]
pub struct PullQueue {
    entries: BTreeMap<Place, Entry>,
    places: BTreeMap<(JobId, TaskIndex), Place>,
    /// For each account, a place before which nothing is open to it.
    cursors: BTreeMap<AccountId, Place>,
    arrivals: u64,
}

impl PullQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a task with its first replicas, 0 to `replicas` - 1, behind all of its priority. A
    /// task that is queued already stays as it is.
    pub fn push(&mut self, job: JobId, task: TaskIndex, replicas: ReplicaIndex, level: ByteLevel) {
        if self.places.contains_key(&(job, task)) {
            return;
        }
        let place = (priority(level), self.arrivals);
        self.arrivals += 1;
        let open = (0..replicas).collect();
        self.entries.insert(
            place,
            Entry {
                job,
                task,
                open,
                holders: vec![],
                excluded: vec![],
            },
        );
        self.places.insert((job, task), place);
        // A cursor among later priorities must not hide the task from its account.
        self.uncover(place);
    }

    /// Keeps a device from having a task, as it was before a restart.
    pub fn exclude(&mut self, job: JobId, task: TaskIndex, device: DeviceId) {
        if let Some(entry) = self.entry_mut(job, task) {
            entry.excluded.push(device);
        }
    }

    /// Gives the first replica that this device may have to it.
    pub fn take(
        &mut self,
        account: &AccountId,
        device: &DeviceId,
    ) -> Option<(JobId, TaskIndex, ReplicaIndex)> {
        let start = self.cursors.get(account).copied().unwrap_or_default();
        let mut passed_for_account = true;
        let mut cursor = start;
        let mut taken = None;
        for (place, entry) in self.entries.range_mut(start..) {
            if entry.is_open_to(account, device) {
                let replica = entry.open.remove(0);
                entry.holders.push((replica, account.clone()));
                taken = Some((entry.job, entry.task, replica));
                break;
            }
            // An entry from which only the device is excluded may suit another device of the
            // account, so the account's cursor must not pass it.
            let only_device = !entry.open.is_empty()
                && !entry.holders.iter().any(|(_, holder)| holder == account);
            passed_for_account &= !only_device;
            if passed_for_account {
                cursor = (place.0, place.1 + 1);
            }
        }
        self.cursors.insert(account.clone(), cursor);
        taken
    }

    /// Gives a certain replica to an account, as it was before a restart. False when it is not
    /// open.
    pub fn claim(
        &mut self,
        job: JobId,
        task: TaskIndex,
        replica: ReplicaIndex,
        account: &AccountId,
    ) -> bool {
        let Some(entry) = self.entry_mut(job, task) else {
            return false;
        };
        let Some(at) = entry.open.iter().position(|open| *open == replica) else {
            return false;
        };
        entry.open.remove(at);
        entry.holders.push((replica, account.clone()));
        true
    }

    /// Opens a replica again that was given out and not finished. With `exclude` that device will
    /// not get the task again.
    pub fn release(
        &mut self,
        job: JobId,
        task: TaskIndex,
        replica: ReplicaIndex,
        exclude: Option<DeviceId>,
    ) {
        let Some(entry) = self.entry_mut(job, task) else {
            return;
        };
        let Some(at) = entry.holders.iter().position(|(held, _)| *held == replica) else {
            return;
        };
        entry.holders.remove(at);
        entry.excluded.extend(exclude);
        self.open(job, task, replica);
    }

    /// Adds a replica to a task that is queued.
    pub fn add_replica(&mut self, job: JobId, task: TaskIndex, replica: ReplicaIndex) {
        self.open(job, task, replica);
    }

    /// Forgets a task: it has its verdict.
    pub fn remove(&mut self, job: JobId, task: TaskIndex) {
        if let Some(place) = self.places.remove(&(job, task)) {
            self.entries.remove(&place);
        }
    }

    /// Forgets a job with all its tasks.
    pub fn remove_job(&mut self, job: JobId) {
        let tasks: Vec<_> = self
            .places
            .range((job, 0)..=(job, TaskIndex::MAX))
            .map(|(key, _)| *key)
            .collect();
        tasks
            .into_iter()
            .for_each(|(job, task)| self.remove(job, task));
    }

    /// How far a job's queued tasks are.
    pub fn counts(&self, job: JobId) -> Counts {
        let entries = self.places.range((job, 0)..=(job, TaskIndex::MAX));
        entries
            .filter_map(|(_, place)| self.entries.get(place))
            .fold(Counts::default(), |counts, entry| Counts {
                untouched: counts.untouched + u32::from(entry.holders.is_empty()),
                open_replicas: counts.open_replicas + entry.open.len() as u32,
            })
    }

    /// Why a device that asked got nothing.
    pub fn shortage(&self) -> Shortage {
        if self.entries.values().all(|entry| entry.open.is_empty()) {
            Shortage::NothingQueued
        } else {
            Shortage::AllTouchedByAccount
        }
    }

    fn entry_mut(&mut self, job: JobId, task: TaskIndex) -> Option<&mut Entry> {
        self.entries.get_mut(self.places.get(&(job, task))?)
    }

    fn open(&mut self, job: JobId, task: TaskIndex, replica: ReplicaIndex) {
        let Some(place) = self.places.get(&(job, task)).copied() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&place) else {
            return;
        };
        if let Err(at) = entry.open.binary_search(&replica) {
            entry.open.insert(at, replica);
        }
        self.uncover(place);
    }

    /// Moves the cursors that have passed a place back to it.
    fn uncover(&mut self, place: Place) {
        self.cursors
            .values_mut()
            .for_each(|cursor| *cursor = place.min(*cursor));
    }
}

fn priority(level: ByteLevel) -> u8 {
    match level {
        ByteLevel::High => 0,
        ByteLevel::Balanced => 1,
        ByteLevel::Low => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JOB: JobId = JobId([1; 32]);

    fn account(n: u8) -> AccountId {
        AccountId::new([n; 32])
    }

    fn device(n: u8) -> DeviceId {
        DeviceId([n; 32])
    }

    fn queue(tasks: TaskIndex, replicas: ReplicaIndex) -> PullQueue {
        let mut queue = PullQueue::new();
        (0..tasks).for_each(|task| queue.push(JOB, task, replicas, ByteLevel::Balanced));
        queue
    }

    #[test]
    fn tasks_are_given_out_first_come_first_served() {
        let mut queue = queue(2, 1);
        assert_eq!(queue.take(&account(1), &device(1)), Some((JOB, 0, 0)));
        assert_eq!(queue.take(&account(1), &device(1)), Some((JOB, 1, 0)));
        assert_eq!(queue.take(&account(1), &device(1)), None);
        assert_eq!(queue.shortage(), Shortage::NothingQueued);
    }

    #[test]
    fn two_replicas_of_a_task_never_go_to_one_account() {
        let mut queue = queue(1, 2);
        assert_eq!(queue.take(&account(1), &device(1)), Some((JOB, 0, 0)));
        assert_eq!(queue.take(&account(1), &device(2)), None);
        assert_eq!(queue.shortage(), Shortage::AllTouchedByAccount);
        assert_eq!(queue.take(&account(2), &device(3)), Some((JOB, 0, 1)));
    }

    #[test]
    fn a_released_replica_is_open_again_also_behind_a_cursor() {
        let mut queue = queue(3, 1);
        for task in 0..3 {
            assert_eq!(queue.take(&account(1), &device(1)), Some((JOB, task, 0)));
        }
        assert_eq!(queue.take(&account(2), &device(2)), None);
        queue.release(JOB, 1, 0, None);
        assert_eq!(queue.take(&account(2), &device(2)), Some((JOB, 1, 0)));
    }

    #[test]
    fn an_excluded_device_passes_over_the_task_but_its_account_does_not() {
        let mut queue = queue(2, 1);
        assert_eq!(queue.take(&account(1), &device(1)), Some((JOB, 0, 0)));
        queue.release(JOB, 0, 0, Some(device(1)));
        assert_eq!(queue.take(&account(1), &device(1)), Some((JOB, 1, 0)));
        assert_eq!(queue.take(&account(1), &device(2)), Some((JOB, 0, 0)));
    }

    #[test]
    fn a_higher_level_is_served_first() {
        let mut queue = queue(1, 1);
        let urgent = JobId([2; 32]);
        queue.push(urgent, 0, 1, ByteLevel::High);
        assert_eq!(queue.take(&account(1), &device(1)), Some((urgent, 0, 0)));
    }

    #[test]
    fn a_higher_level_that_comes_later_is_seen_by_accounts_that_passed_its_place() {
        let mut queue = queue(1, 2);
        assert_eq!(queue.take(&account(1), &device(1)), Some((JOB, 0, 0)));
        assert_eq!(queue.take(&account(1), &device(1)), None);
        let urgent = JobId([2; 32]);
        queue.push(urgent, 0, 1, ByteLevel::High);
        assert_eq!(queue.take(&account(1), &device(1)), Some((urgent, 0, 0)));
    }

    #[test]
    fn an_exclusion_taken_over_holds_for_the_device_alone() {
        let mut queue = queue(1, 1);
        queue.exclude(JOB, 0, device(1));
        assert_eq!(queue.take(&account(1), &device(1)), None);
        assert_eq!(queue.take(&account(1), &device(2)), Some((JOB, 0, 0)));
    }

    #[test]
    fn a_removed_job_is_gone() {
        let mut queue = queue(5, 3);
        queue.remove_job(JOB);
        assert_eq!(queue.take(&account(1), &device(1)), None);
        assert_eq!(queue.counts(JOB), Counts::default());
    }

    /// The same queue as a list that is walked from the front on every pull.
    #[derive(Default)]
    struct Walk(Vec<Entry>);

    impl Walk {
        fn take(&mut self, account: &AccountId, device: &DeviceId) -> Option<(JobId, u32, u8)> {
            let entry = self
                .0
                .iter_mut()
                .find(|entry| entry.is_open_to(account, device))?;
            let replica = entry.open.remove(0);
            entry.holders.push((replica, account.clone()));
            Some((entry.job, entry.task, replica))
        }
    }

    proptest! {
        #[test]
        fn cursors_change_nothing_but_the_speed(
            ops in prop::collection::vec((0u8..4, 0u8..5, 0u32..12, 0u8..3), 1..200)
        ) {
            let (mut queue, mut walk) = (PullQueue::new(), Walk::default());
            for (op, who, task, replica) in ops {
                match op {
                    0 => {
                        queue.push(JOB, task, 3, ByteLevel::Balanced);
                        if walk.0.iter().all(|entry| entry.task != task) {
                            walk.0.push(Entry {
                                job: JOB, task, open: vec![0, 1, 2], holders: vec![], excluded: vec![],
                            });
                        }
                    }
                    1 | 2 => {
                        let (account, device) = (account(who / 2), device(who));
                        prop_assert_eq!(queue.take(&account, &device), walk.take(&account, &device));
                    }
                    _ => {
                        let exclude = (who == 0).then(|| device(who));
                        queue.release(JOB, task, replica, exclude);
                        if let Some(entry) = walk.0.iter_mut().find(|entry| entry.task == task)
                            && let Some(at) = entry.holders.iter().position(|(r, _)| *r == replica)
                        {
                            entry.holders.remove(at);
                            entry.excluded.extend(exclude);
                            entry.open.push(replica);
                            entry.open.sort_unstable();
                        }
                    }
                }
            }
        }
    }
}
