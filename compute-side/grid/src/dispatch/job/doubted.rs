//! Tasks in doubt, because a device failed on them or two answers differ: a trusted device is to show
//! whether a device, the program or the grid is at fault.
//!
//! What is open of such a task is looked at apart from the queues and before them, so that a second
//! opinion does not wait behind the rest of the job. A trusted device may have it at once, whatever its
//! pool and lane; others only where no trusted device could have it, and then by the rules of the
//! queues.

use super::{Holder, JobQueue, TaskState};
use crate::{
    Tick, Tuning,
    dispatch::{
        Asker,
        pool::{Item, Place},
    },
};
use quern_primitives::ids::TaskIndex;

/// How long an open replica is kept for trusted devices at the most, in milliseconds: ten minutes. One
/// that has not taken it up by then is busy elsewhere, and no job stands still for it.
const KEPT_MS_MAX: u64 = 10 * 60_000;

/// How long after the doubt began a trusted device may still come before there is none, in
/// milliseconds: when a masternode has just started, nobody is there yet.
const ARRIVAL_MS: u64 = 30_000;

/// Tasks in doubt that are looked at for one device.
const LOOKED_AT_MAX: usize = 4_096;

impl TaskState {
    /// Whether a replica that is open since then is for trusted devices alone, because one of them
    /// could have it.
    pub(super) fn is_kept(&self, open_since: Tick, trusted: &[Holder], now: Tick) -> bool {
        let until = self.kept_until(open_since);
        until.is_some_and(|until| now < until) && self.is_for_one_of(trusted)
    }

    /// Until when a replica that is open since then is for trusted devices alone, while one of them
    /// could have it; none if the task is not in doubt.
    pub(super) fn kept_until(&self, open_since: Tick) -> Option<Tick> {
        Some(open_since.max(self.doubted?).plus_ms(KEPT_MS_MAX))
    }

    /// Whether one of these devices could have it.
    pub(super) fn is_for_one_of(&self, devices: &[Holder]) -> bool {
        let could_have_it =
            |it: &Holder| !self.is_touched_by(it.account) && !self.excluded.contains(&it.device);
        devices.iter().any(could_have_it)
    }
}

impl JobQueue {
    /// Takes over accounts and devices of trusted devices in the target subset.
    pub(in crate::dispatch) fn set_trusted(&mut self, trusted: Vec<(u32, u32)>) {
        let holder = |(account, device)| Holder { account, device };
        self.known.trusted = trusted.into_iter().map(holder).collect();
    }

    /// A device failed on a task, or two answers of it differ.
    pub(in crate::dispatch) fn doubt(&mut self, task: TaskIndex, now: Tick) {
        if let Some(state) = self.known.tasks.get_mut(&task) {
            state.doubted.get_or_insert(now);
            self.doubted.insert(task);
        }
    }

    /// Whether a task is in doubt.
    pub(in crate::dispatch) fn is_in_doubt(&self) -> bool {
        !self.doubted.is_empty()
    }

    /// Whether nobody but trusted devices gets a task in doubt, even where there is none. True if
    /// others may have it from now on who might not before.
    pub(in crate::dispatch) fn reserve(&mut self, task: TaskIndex, is_reserved: bool) -> bool {
        let state = self.known.tasks.get_mut(&task);
        state.is_some_and(|state| {
            let was_reserved = std::mem::replace(&mut state.is_reserved, is_reserved);
            was_reserved && !is_reserved
        })
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
        let is_kept = state
            .replicas
            .iter()
            .filter(|it| it.holder.is_none())
            .any(|it| state.is_kept(self.open_since(it), &self.known.trusted, now));
        is_young || is_computed || is_kept
    }

    /// The first open replica of a task in doubt that an asker may have, with its pool and place.
    pub(super) fn doubted_for(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Option<(usize, Place, Item)> {
        if self.doubted.is_empty() {
            return None;
        }
        let view = self.known.view(asker, now, tuning);
        // The rules of the queues: nobody but the trusted gets what waits for pools above its own.
        let own = match asker.traits.is_trusted() {
            true => 0,
            false => self.known.target.pool_of(asker.rank),
        };
        self.doubted
            .iter()
            .take(LOOKED_AT_MAX)
            .filter_map(|task| self.known.tasks.get(task))
            .flat_map(|state| &state.replicas)
            .filter(|it| it.holder.is_none() && it.pool >= own)
            .filter_map(|it| {
                let pool = self.pools.get(it.pool as usize)?;
                Some((it.pool as usize, it.place, *pool.get(it.place)?))
            })
            .find(|(_, _, item)| view.may_have(item).is_ok())
    }
}
