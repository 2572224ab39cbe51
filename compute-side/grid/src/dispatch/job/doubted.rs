//! Tasks in doubt, because a device failed on them or two answers differ: a trusted device is to show
//! whether a device, the program or the grid is at fault.
//!
//! What is open of such a task is looked at apart from the queues and before them, so that a second
//! opinion does not wait behind the rest of the job. A trusted device may have it at once, whatever its
//! pool and lane; others only where it is not kept for a trusted one, and then by the rules of the
//! queues.
//!
//! No more tasks are kept than the trusted devices can take that could have one, two each: those that
//! have been in doubt and open for longest, of which something is to be kept yet. So who brings many tasks
//! in doubt stops no job. And what is looked at for one device has an end: behind it tasks in doubt are in
//! the queues like any other.
//!
//! Where what follows hangs on a trusted device, as when somebody is about to be blamed, the caller
//! reserves a task: nobody else gets it, and it stands before all that are only in doubt.

use super::{
    Holder, JobQueue, Known, Replica, TaskState,
    search::{Spot, View},
};
use crate::{Tick, pools::PoolNumber};
use quern_primitives::ids::TaskIndex;
use std::collections::{BTreeMap, BTreeSet};

/// How long an open replica is kept for trusted devices at the most, in milliseconds: ten minutes. One
/// that has not taken it up by then is busy elsewhere, and no job stands still for it.
const KEPT_MS_MAX: u64 = 10 * 60_000;

/// How long after the doubt began a trusted device may still come before there is none, in
/// milliseconds: when a masternode has just started, nobody is there yet.
const ARRIVAL_MS: u64 = 30_000;

/// Tasks in doubt and open that are looked at for one device, and so kept for trusted ones, at the most;
/// and as many that are reserved.
const LOOKED_AT_MAX: usize = 128;

/// Tasks that are kept for each trusted device: as many as it may hold.
const KEPT_FOR_EACH: usize = 2;

/// Tasks in doubt of which something is open, by their turns: those that are reserved, and the others.
/// Each stands behind all others of its kind when it becomes one of them: so one that is looked at is so
/// until it is none of them any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    reserved: BTreeMap<u64, TaskIndex>,
    others: BTreeMap<u64, TaskIndex>,
    turns: u64,
}

impl Waiting {
    fn add(&mut self, task: TaskIndex, is_reserved: bool) -> u64 {
        let turn = self.turns;
        self.turns += 1;
        match is_reserved {
            true => self.reserved.insert(turn, task),
            false => self.others.insert(turn, task),
        };
        turn
    }

    pub(super) fn remove(&mut self, turn: u64) {
        self.reserved.remove(&turn);
        self.others.remove(&turn);
    }

    /// Those that are looked at for one device: so many of either kind.
    fn first(&self) -> impl Iterator<Item = TaskIndex> {
        let reserved = self.reserved.values().take(LOOKED_AT_MAX);
        let others = self.others.values().take(LOOKED_AT_MAX);
        reserved.chain(others).copied()
    }
}

impl Known {
    /// Puts a task among those in doubt of which something is open, or takes it out, after either may
    /// have changed.
    pub(super) fn note_doubt(&mut self, task: TaskIndex) {
        let Some(state) = self.tasks.get_mut(&task) else {
            return;
        };
        let waits = state.doubted.is_some() && state.is_open();
        match state.turn {
            None if waits => state.turn = Some(self.waiting.add(task, state.is_reserved)),
            Some(turn) if !waits => {
                state.turn = None;
                self.waiting.remove(turn);
            }
            _ => {}
        }
    }
}

impl TaskState {
    /// Until when a replica that is open since then is for trusted devices alone, if the task is kept
    /// for them; none if it is not in doubt.
    pub(super) fn kept_until(&self, open_since: Tick) -> Option<Tick> {
        Some(open_since.max(self.doubted?).plus_ms(KEPT_MS_MAX))
    }

    /// Whether one of these devices could have it.
    fn is_for_one_of(&self, devices: &[Holder]) -> bool {
        let could_have_it =
            |it: &Holder| !self.is_touched_by(it.account) && !self.excluded.contains(&it.device);
        devices.iter().any(could_have_it)
    }
}

impl JobQueue {
    /// The tasks of which what is open is kept for trusted devices now.
    pub(super) fn kept(&self, now: Tick) -> BTreeSet<TaskIndex> {
        let known = &self.known;
        let could_be_taken = |task: &TaskIndex| {
            let state = known.tasks.get(task);
            state.is_some_and(|state| {
                self.may_be_kept(state, now) && state.is_for_one_of(&known.trusted)
            })
        };
        let most = known.trusted.len().saturating_mul(KEPT_FOR_EACH);
        let tasks = known.waiting.first().filter(could_be_taken);
        tasks.take(most).collect()
    }

    /// Whether the time is not over for which something of a task is kept at the most.
    fn may_be_kept(&self, state: &TaskState, now: Tick) -> bool {
        let mut open = state.replicas.iter().filter(|it| it.holder.is_none());
        let is_in_time = |it: &Replica| {
            let until = state.kept_until(self.open_since(it));
            until.is_some_and(|until| now < until)
        };
        state.is_reserved || open.any(is_in_time)
    }

    /// Whether a trusted device is here that could have a task.
    pub(in crate::dispatch) fn is_for_trusted(&self, task: TaskIndex) -> bool {
        let state = self.known.tasks.get(&task);
        state.is_some_and(|state| state.is_for_one_of(&self.known.trusted))
    }

    /// Takes over the trusted devices of the target subset.
    pub(in crate::dispatch) fn set_trusted(&mut self, trusted: Vec<Holder>) {
        let before = std::mem::replace(&mut self.known.trusted, trusted);
        self.note_ends_in_doubt(!before.is_empty());
    }

    /// A device failed on a task, or two answers of it differ.
    pub(in crate::dispatch) fn doubt(&mut self, task: TaskIndex, now: Tick) {
        if let Some(state) = self.known.tasks.get_mut(&task) {
            state.doubted.get_or_insert(now);
            self.doubted.insert(task);
            self.known.note_doubt(task);
            self.note_ends(task);
            // A trusted device may have it whatever its lane.
            self.look_again(task);
        }
    }

    /// Whether a task is in doubt.
    pub(in crate::dispatch) fn is_in_doubt(&self) -> bool {
        !self.doubted.is_empty()
    }

    /// Whether nobody but trusted devices gets a task in doubt, even where there is none, and they get it
    /// before what is not reserved. True if others may have it from now on who might not before.
    pub(in crate::dispatch) fn reserve(&mut self, task: TaskIndex, is_reserved: bool) -> bool {
        let Some(state) = self.known.tasks.get_mut(&task) else {
            return false;
        };
        let was_reserved = std::mem::replace(&mut state.is_reserved, is_reserved);
        if was_reserved != is_reserved
            && let Some(turn) = state.turn
        {
            self.known.waiting.remove(turn);
            state.turn = Some(self.known.waiting.add(task, is_reserved));
        }
        self.note_ends(task);
        let is_for_others = was_reserved && !is_reserved;
        if is_for_others {
            self.look_again(task);
        }
        is_for_others
    }

    /// Whether a trusted device computes a task in doubt, could have what is open of it, or may yet
    /// come.
    pub(in crate::dispatch) fn waits_for_trusted(&self, task: TaskIndex, now: Tick) -> bool {
        let Some(state) = self.known.tasks.get(&task) else {
            return false;
        };
        let is_young = state
            .doubted
            .is_some_and(|since| now.since(since) < ARRIVAL_MS);
        let is_computed = (0..).zip(&state.replicas).any(|(replica, it)| {
            self.running.contains_key(&(task, replica))
                && it.holder.is_some_and(|by| self.known.trusted.contains(&by))
        });
        let may_be_kept = state
            .replicas
            .iter()
            .filter(|it| it.holder.is_none())
            .filter_map(|it| state.kept_until(self.open_since(it)))
            .any(|until| now < until);
        is_young || is_computed || (may_be_kept && self.kept(now).contains(&task))
    }

    /// The first open replica of a task in doubt that an asker may have who looks from this pool down.
    pub(super) fn doubted_for(&self, view: &View<'_>, from: PoolNumber) -> Option<Spot> {
        // The rules of the queues: nobody but the trusted gets what waits for pools above.
        let from = match view.asker.traits.is_trusted() {
            true => 0,
            false => from,
        };
        self.known
            .waiting
            .first()
            .filter_map(|task| self.known.tasks.get(&task))
            .flat_map(|state| &state.replicas)
            .filter(|it| it.holder.is_none() && it.pool >= from)
            .filter_map(|it| {
                let (pool, place) = (it.pool, it.place);
                let item = *self.pools.item(pool, place)?;
                Some(Spot { pool, place, item })
            })
            .find(|spot| view.may_have(&spot.item).is_ok())
    }
}
