//! The devices that wait, in the order in which they are tried for work: by their rank, those of none
//! behind the others, and of equal ones by when their exchange came. That is kept as exchanges come and
//! are answered, for many may wait, and of those a few get what opens.
//!
//! Where each stands is kept by its number in the scheduler, beside that order: a new ranking changes all of it at
//! once, and to look up as many devices by their identities would take longer than the ranking itself. Only those
//! that are here have a place, for a masternode knows many more.

use super::{Devices, Known};
use crate::core::{Tick, Token};
use quern_grid::{Fleet, ranking::Rank};
use quern_primitives::ids::DeviceId;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

/// When it is a device's turn among those that wait: the least is first.
pub(super) type Turn = (Rank, Tick, Token);

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    order: BTreeSet<(Turn, DeviceId)>,
    /// By the devices' numbers, of those that are here.
    places: BTreeMap<u32, Place>,
}

/// Where a device stands.
#[derive(Clone, Copy)]
struct Place {
    /// In the last ranking, or in that of when its last exchange came if it was in none yet; the last of all if it
    /// is in none.
    rank: Rank,
    /// Since when it waits for work, if it does: it is in the order with that.
    waits: Option<(Tick, Token, DeviceId)>,
}

impl Place {
    const NONE: Self = Self {
        rank: Rank::MAX,
        waits: None,
    };

    fn turn(&self) -> Option<(Turn, DeviceId)> {
        let (since, token, device) = self.waits?;
        Some(((self.rank, since, token), device))
    }
}

impl Turns {
    /// The one behind this one, or the first of all.
    pub(super) fn after(&self, last: Option<(Turn, DeviceId)>) -> Option<(Turn, DeviceId)> {
        let behind = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((behind, Bound::Unbounded)).next().copied()
    }

    /// A device waits as what is known of it says now, or does not wait.
    pub(super) fn renew(&mut self, device: DeviceId, known: &Known) {
        let waits = known.waits_for_work();
        let waits = waits.map(|(since, token)| (since, token, device));
        self.change(known.number, |place| place.waits = waits);
    }

    /// A device stands there in the last ranking.
    pub(super) fn stands(&mut self, number: u32, rank: Option<Rank>) {
        self.change(number, |place| place.rank = rank.unwrap_or(Rank::MAX));
    }

    /// A device is not there any more; its number may be another's next.
    pub(super) fn forget(&mut self, number: u32) {
        let place = self.places.remove(&number);
        if let Some(before) = place.and_then(|place| place.turn()) {
            self.order.remove(&before);
        }
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut Place)) {
        let place = self.places.entry(number).or_insert(Place::NONE);
        let before = place.turn();
        change(place);
        let now = place.turn();
        if before != now {
            if let Some(before) = before {
                self.order.remove(&before);
            }
            self.order.extend(now);
        }
    }

    /// All have other ranks.
    fn ranked(&mut self, fleet: &Fleet) {
        for (number, place) in &mut self.places {
            place.rank = fleet.rank_of(*number).unwrap_or(Rank::MAX);
        }
        self.order = self.places.values().filter_map(Place::turn).collect();
    }

    fn rank_of(&self, number: u32) -> Rank {
        let place = self.places.get(&number);
        place.map_or(Rank::MAX, |place| place.rank)
    }

    /// The numbers of all that have a place.
    #[cfg(test)]
    pub(super) fn placed(&self) -> impl Iterator<Item = u32> + '_ {
        self.places.keys().copied()
    }

    /// All of them, in order.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (Turn, DeviceId)> + '_ {
        self.order.iter().copied()
    }
}

impl Known {
    /// Since when it waits for work. None if it does not wait for any.
    fn waits_for_work(&self) -> Option<(Tick, Token)> {
        let parked = self.parked.front().filter(|parked| parked.want > 0)?;
        Some((parked.since, parked.token))
    }
}

impl Devices {
    /// Devices were ranked: they have their turns by that from now on.
    pub(in crate::core) fn ranked(&mut self, fleet: &Fleet) {
        self.turns.ranked(fleet);
    }

    /// When it is a device's turn to be answered, by its rank and by the first of its exchanges. None if none is
    /// held open.
    pub(super) fn turn_of(&self, device: &DeviceId) -> Option<Turn> {
        let known = self.get(device)?;
        let parked = known.parked.front()?;
        Some((self.turns.rank_of(known.number), parked.since, parked.token))
    }
}
