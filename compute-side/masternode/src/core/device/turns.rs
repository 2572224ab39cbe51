//! The devices that wait, in the order in which they are tried for work: by their rank, those of none
//! behind the others, and of equal ones by when their exchange came. That is kept as exchanges come and
//! are answered, for many may wait, and of those a few get what opens.

use super::{Devices, Known};
use crate::core::{Tick, Token};
use quern_grid::ranking::Rank;
use quern_primitives::ids::DeviceId;
use std::{collections::BTreeSet, ops::Bound};

/// When it is a device's turn among those that wait: the least is first.
pub(super) type Turn = (Rank, Tick, Token);

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns(BTreeSet<(Turn, DeviceId)>);

impl Turns {
    /// The one behind this one, or the first of all.
    pub(super) fn after(&self, last: Option<(Turn, DeviceId)>) -> Option<(Turn, DeviceId)> {
        let behind = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.0.range((behind, Bound::Unbounded)).next().copied()
    }

    /// A device waits as what is known of it says now, or does not wait.
    pub(super) fn renew(&mut self, device: DeviceId, known: &mut Known) {
        let turn = known.turn_for_work();
        if known.turn == turn {
            return;
        }
        self.forget(device, known);
        known.turn = turn;
        self.0.extend(turn.map(|turn| (turn, device)));
    }

    /// A device does not wait any more.
    pub(super) fn forget(&mut self, device: DeviceId, known: &mut Known) {
        if let Some(before) = known.turn.take() {
            self.0.remove(&(before, device));
        }
    }

    /// All of them, in order.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (Turn, DeviceId)> + '_ {
        self.0.iter().copied()
    }
}

impl Known {
    /// When it is its turn to be answered, by its rank and by the first of its exchanges. None if none is
    /// held open.
    pub(super) fn turn_now(&self) -> Option<Turn> {
        let parked = self.parked.front()?;
        Some((self.rank, parked.since, parked.token))
    }

    /// When it is its turn to be tried for work. None if it does not wait for any.
    fn turn_for_work(&self) -> Option<Turn> {
        let wants_work = self.parked.front().is_some_and(|parked| parked.want > 0);
        self.turn_now().filter(|_| wants_work)
    }
}

impl Devices {
    /// Devices were ranked: those that wait have their turns by that from now on. Of the others each has
    /// its rank told when it waits.
    pub(in crate::core) fn ranked(&mut self, rank_of: impl Fn(u32) -> Option<Rank>) {
        let Self { known, turns, .. } = self;
        let before = std::mem::take(&mut turns.0);
        let renewed = before.into_iter().filter_map(|(_, device)| {
            let known = known.get_mut(&device)?;
            known.rank = rank_of(known.number).unwrap_or(Rank::MAX);
            known.turn = known.turn_for_work();
            Some((known.turn?, device))
        });
        turns.0 = renewed.collect();
    }
}
