//! The queue of one capacity pool.

mod queues;

pub(super) use queues::Queues;

use super::Withheld;
use crate::Tick;
use quern_primitives::ids::{ReplicaIndex, TaskIndex};
use std::collections::{BTreeMap, BTreeSet};

/// A place in a queue. A replica that opens again keeps the place it had.
pub(super) type Place = u64;

/// Items in turn that one pull looks at, from where the account's last one ended. One in as many as there
/// are lanes is for a device, so this many are looked at for who had what there is for it, once, and for
/// hardly anybody else.
const LOOK_MAX: usize = 4_096;

/// Items that are looked at apart from their turn, and so in every pull. Where there are more, cursors
/// stay before them.
const ASIDE_MAX: usize = 1_024;

/// Items of other lanes that wait for others from then on that they are passed in vain: the first ones,
/// and so the same ones for however many devices ask however often. What stands behind them stays with
/// its lanes.
const PASSED_MAX: usize = 128;

/// An open replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) task: TaskIndex,
    pub(super) replica: ReplicaIndex,
    /// Since when it is open.
    pub(super) since: Tick,
    /// Whether it was given back for a fault, and a fast or trusted device shall have it.
    pub(super) is_rescue: bool,
    /// When it was first passed while it was kept for a fast device.
    pub(super) passed: Option<Tick>,
    /// When it was passed in vain, by so many that it is for other lanes too after a while.
    pub(super) vain: Option<Tick>,
}

impl Item {
    /// From when on any device may have it; none while that is not known, or if nothing ever kept it from
    /// any.
    pub(super) fn open_to_all_at(&self, has_lanes: bool, patience_ms: u64) -> Option<Tick> {
        let of_the_fast = match self.is_rescue {
            true => Some(self.passed?),
            false => None,
        };
        let of_its_lane = match has_lanes {
            true => Some(self.vain?),
            false => None,
        };
        Some(of_the_fast.max(of_its_lane)?.plus_ms(patience_ms))
    }

    /// Whether an account will have to pass over it the next time too, until it is looked at again: the
    /// account works or worked on the task; or it is in another lane; or the task is in doubt, and what
    /// is open of it is looked at before the queue. All other reasons may pass with time, or are of a
    /// device alone.
    fn lasts(&self, why: &Withheld) -> bool {
        match why {
            Withheld::TouchedByAccount => true,
            Withheld::OtherLane => self.vain.is_none() && !self.is_rescue,
            Withheld::KeptForTheTrusted => !self.is_rescue,
            _ => false,
        }
    }
}

/// A walk through a queue, from the first item that an account does not always pass. Nothing is changed
/// by it until it is noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    /// The first item that the account's device may have.
    pub(super) found: Option<(Place, Item)>,
    /// Whether everything was looked at, or passed before, and there is nothing for the device.
    pub(super) is_in_vain: bool,
    /// The account always passes what stands before, unless it is looked at apart.
    cursor: Place,
    /// Items that may yet be for the account's devices: from now on they are looked at apart.
    aside: Vec<Place>,
    /// Items that are kept for the fast: patience with them begins now.
    kept: Vec<Place>,
}

impl Walk {
    /// A device passes an item for this reason.
    fn passes(&mut self, place: Place, item: &Item, why: &Withheld) {
        if *why == Withheld::KeptForTheFast && item.passed.is_none() {
            self.kept.push(place);
        }
    }
}

/// Open replicas, first come first served.
#[derive(Clone, Debug, Default)]
pub(super) struct PoolQueue {
    items: BTreeMap<Place, Item>,
    /// Items that are looked at in every pull of an account whose cursor is behind them.
    aside: BTreeSet<Place>,
    /// For each account a place before which it always passes what is not aside. Without it, pulls would
    /// walk over the same items again and again.
    cursors: BTreeMap<u32, Place>,
    /// No cursor is behind this place.
    furthest: Place,
}

impl PoolQueue {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The turn of the item at this place, counted from 1.
    pub(super) fn turn(&self, place: Place) -> usize {
        self.items.range(..=place).count()
    }

    fn open(&mut self, place: Place, item: Item) {
        self.items.insert(place, item);
        self.look_again(place);
    }

    fn close(&mut self, place: Place) {
        self.items.remove(&place);
        self.aside.remove(&place);
    }

    /// An item may be for an account again that has passed it. What stands behind all others nobody has:
    /// while a job is uploaded that is so of every replica, and there may be many accounts.
    fn look_again(&mut self, place: Place) {
        let is_passed = place < self.furthest && self.items.contains_key(&place);
        if !is_passed || self.aside.contains(&place) {
            return;
        }
        match self.aside.len() < ASIDE_MAX {
            true => {
                self.aside.insert(place);
            }
            false => self
                .cursors
                .values_mut()
                .for_each(|cursor| *cursor = place.min(*cursor)),
        }
    }

    /// Where these accounts stood says nothing any more: they are gone, and others may have their numbers,
    /// or other lanes are theirs now.
    fn forget_accounts(&mut self, accounts: &BTreeSet<u32>) {
        self.cursors
            .retain(|account, _| !accounts.contains(account));
    }

    /// Any item may be for any account again.
    fn look_at_all_again(&mut self) {
        self.cursors.clear();
        self.aside.clear();
        self.furthest = 0;
    }

    /// Looks for the first item that an account's device may have.
    pub(super) fn walk(
        &self,
        account: u32,
        may_have: impl Fn(&Item) -> Result<(), Withheld>,
    ) -> Walk {
        let cursor = self.cursors.get(&account).copied().unwrap_or_default();
        let mut walk = Walk {
            cursor,
            ..Walk::default()
        };
        for place in self.aside.range(..cursor) {
            let Some(item) = self.items.get(place) else {
                continue;
            };
            let Err(why) = may_have(item) else {
                walk.found = Some((*place, *item));
                return walk;
            };
            walk.passes(*place, item, &why);
        }
        let room = ASIDE_MAX.saturating_sub(self.aside.len());
        let mut stays = false;
        for (looked_at, (place, item)) in self.items.range(cursor..).enumerate() {
            if looked_at == LOOK_MAX {
                return walk;
            }
            let Err(why) = may_have(item) else {
                walk.found = Some((*place, *item));
                return walk;
            };
            walk.passes(*place, item, &why);
            if !item.lasts(&why) && !self.aside.contains(place) {
                stays |= walk.aside.len() >= room;
                if !stays {
                    walk.aside.push(*place);
                }
            }
            if !stays {
                walk.cursor = place + 1;
            }
        }
        walk.is_in_vain = true;
        walk
    }

    /// Notes what an account's device passed.
    fn note(&mut self, account: u32, walk: &Walk, now: Tick) {
        if walk.cursor > 0 {
            self.cursors.insert(account, walk.cursor);
            self.furthest = self.furthest.max(walk.cursor);
        }
        self.aside.extend(&walk.aside);
        for place in &walk.kept {
            if let Some(item) = self.items.get_mut(place) {
                item.passed.get_or_insert(now);
            }
        }
    }

    /// So many came in vain that the first items of other lanes than this device's wait for others too
    /// from now on.
    fn widen(&mut self, now: Tick, may_have: impl Fn(&Item) -> Result<(), Withheld>) {
        let is_of_another =
            |(_, item): &(&Place, &Item)| may_have(item) == Err(Withheld::OtherLane);
        let first = self.items.iter().take(LOOK_MAX).filter(is_of_another);
        let first = first.take(PASSED_MAX);
        let new = first.filter(|(_, item)| item.vain.is_none());
        let new: Vec<Place> = new.map(|(place, _)| *place).collect();
        for place in new {
            if let Some(item) = self.items.get_mut(&place) {
                item.vain = Some(now);
            }
            self.look_again(place);
        }
    }

    /// The first item.
    pub(super) fn front(&self) -> Option<&Item> {
        self.items.values().next()
    }

    /// Takes everything out, in order.
    fn drain(&mut self) -> Vec<(Place, Item)> {
        std::mem::take(self).items.into_iter().collect()
    }
}
