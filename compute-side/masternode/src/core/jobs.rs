//! The jobs that are known here, and when the core is to be woken for each.
//!
//! After each event the core says when it wants to be woken, and settles what is due. Nobody runs over
//! all jobs for that: those that were lent to be changed are looked at again, once, and the others are
//! as they were. An event costs a look at each job that it touches, and each look the logarithm of how
//! many jobs there are.

use super::{Settings, Tick, job::ActiveJob};
use quern_primitives::ids::JobId;
use std::collections::{BTreeMap, BTreeSet, btree_map};

/// All jobs that are known here and not closed.
#[derive(Default)]
pub(super) struct Jobs {
    known: BTreeMap<JobId, ActiveJob>,
    /// Those that may be otherwise than when they were last looked at.
    touched: BTreeSet<JobId>,
    /// When the core is woken for each that wants it.
    armed: BTreeMap<JobId, Tick>,
    /// The same, the next one first.
    times: BTreeSet<(Tick, JobId)>,
    /// Those of which something is to be settled.
    to_settle: BTreeSet<JobId>,
    /// How many looks there were.
    #[cfg(test)]
    pub(super) looks: usize,
}

impl Jobs {
    pub(super) fn get(&self, id: &JobId) -> Option<&ActiveJob> {
        self.known.get(id)
    }

    /// A job to be changed; [`Jobs::refresh`] finds out when it is to be looked at.
    pub(super) fn get_mut(&mut self, id: &JobId) -> Option<&mut ActiveJob> {
        let job = self.known.get_mut(id)?;
        self.touched.insert(*id);
        Some(job)
    }

    /// The same; one that is not known is made.
    pub(super) fn get_or_insert_with(
        &mut self,
        id: JobId,
        new: impl FnOnce() -> ActiveJob,
    ) -> &mut ActiveJob {
        self.touched.insert(id);
        self.known.entry(id).or_insert_with(new)
    }

    pub(super) fn insert(&mut self, id: JobId, job: ActiveJob) {
        self.touched.insert(id);
        self.known.insert(id, job);
    }

    pub(super) fn remove(&mut self, id: &JobId) -> Option<ActiveJob> {
        self.touched.remove(id);
        self.to_settle.remove(id);
        if let Some(at) = self.armed.remove(id) {
            self.times.remove(&(at, *id));
        }
        self.known.remove(id)
    }

    pub(super) fn contains_key(&self, id: &JobId) -> bool {
        self.known.contains_key(id)
    }

    pub(super) fn iter(&self) -> btree_map::Iter<'_, JobId, ActiveJob> {
        self.known.iter()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &JobId> {
        self.known.keys()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &ActiveJob> {
        self.known.values()
    }

    /// Looks again at the jobs that may be otherwise. What is said below of times and of what is to be
    /// settled is true from then on, until a job is changed.
    pub(super) fn refresh(&mut self, settings: &Settings) {
        while let Some(id) = self.touched.pop_first() {
            let Some(job) = self.known.get(&id) else {
                continue;
            };
            #[cfg(test)]
            {
                self.looks += 1;
            }
            match job.wants_settling() {
                true => self.to_settle.insert(id),
                false => self.to_settle.remove(&id),
            };
            let next = job.next_wakeup(settings);
            let before = match next {
                Some(at) => self.armed.insert(id, at),
                None => self.armed.remove(&id),
            };
            if let Some(at) = before {
                self.times.remove(&(at, id));
            }
            if let Some(at) = next {
                self.times.insert((at, id));
            }
        }
    }

    /// When something of a job is to be done next.
    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        self.times.first().map(|(at, _)| *at)
    }

    /// The jobs of which something is to be done now.
    pub(super) fn due(&self, now: Tick) -> Vec<JobId> {
        let due = self.times.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, id)| *id).collect()
    }

    /// The jobs of which something is to be settled, now or later.
    pub(super) fn to_settle(&self) -> Vec<JobId> {
        self.to_settle.iter().copied().collect()
    }

    /// What is kept in order is what running over all jobs finds.
    #[cfg(test)]
    pub(super) fn check(&self, settings: &Settings) {
        assert!(self.touched.is_empty(), "a job is not looked at again");
        let times = |(id, job): (&JobId, &ActiveJob)| Some((job.next_wakeup(settings)?, *id));
        let times: BTreeSet<_> = self.known.iter().filter_map(times).collect();
        assert_eq!(self.times, times);
        let armed = self.armed.iter().map(|(id, at)| (*at, *id));
        assert!(armed.collect::<BTreeSet<_>>() == times);
        let to_settle = self.known.iter().filter(|(_, job)| job.wants_settling());
        assert!(self.to_settle.iter().eq(to_settle.map(|(id, _)| id)));
        self.known.values().for_each(ActiveJob::check_held);
    }
}
