//! The queue of one capacity pool.

use super::Withheld;
use crate::Tick;
use quern_primitives::ids::{ReplicaIndex, TaskIndex};
use std::collections::BTreeMap;

/// A place in a queue. A replica that opens again keeps the place it had.
pub(super) type Place = u64;

/// Items passed in one pull whose time may yet come for the asker. So many are open only for a while:
/// what they wait for is over after some seconds.
const LOOK_MAX: usize = 4_096;

/// An open replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) task: TaskIndex,
    pub(super) replica: ReplicaIndex,
    /// Since when it is open.
    pub(super) since: Tick,
    /// Whether it was given back for a fault, and a fast or trusted device shall have it.
    pub(super) is_rescue: bool,
    /// When it was first passed by somebody who may have it only after a while.
    pub(super) passed: Option<Tick>,
}

impl Item {
    /// From when on any device may have it, once somebody has passed it who may not have it before.
    pub(super) fn open_to_all_at(&self, patience_ms: u64) -> Option<Tick> {
        Some(self.passed?.plus_ms(patience_ms))
    }
}

/// Whether an account will have to pass over an item the next time too: it works or worked on the task,
/// and that stays so until somebody gives a replica back; or the task is in doubt, and what is open of
/// it is looked at apart from the queue. All other reasons may pass with time, or are of a device alone.
fn lasts(why: &Withheld) -> bool {
    matches!(
        why,
        Withheld::TouchedByAccount | Withheld::KeptForTheTrusted
    )
}

/// Whether patience with an item begins when it is first passed for this.
fn begins_patience(why: &Withheld) -> bool {
    matches!(
        why,
        Withheld::OtherLane | Withheld::KeptForTheFast | Withheld::KeptForTheTrusted
    )
}

/// Open replicas, first come first served.
#[derive(Clone, Debug, Default)]
pub(super) struct PoolQueue {
    items: BTreeMap<Place, Item>,
    /// For each account a place before which it always passes. Without it, pulls would walk over
    /// the same items again and again.
    cursors: BTreeMap<u32, Place>,
    /// Behind every place that was ever taken here, and so behind every cursor.
    end: Place,
}

impl PoolQueue {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn get(&self, place: Place) -> Option<&Item> {
        self.items.get(&place)
    }

    /// The turn of the item at this place, counted from 1.
    pub(super) fn turn(&self, place: Place) -> usize {
        self.items.range(..=place).count()
    }

    pub(super) fn open(&mut self, place: Place, item: Item) {
        self.items.insert(place, item);
        // Nobody has passed what stands behind all others. While a job is uploaded that is so of every
        // replica, and there may be many accounts.
        if place < self.end {
            self.look_again(place);
        }
        self.end = self.end.max(place + 1);
    }

    pub(super) fn close(&mut self, place: Place) {
        self.items.remove(&place);
    }

    /// An item may be for an account again that has passed it.
    pub(super) fn look_again(&mut self, place: Place) {
        self.cursors
            .values_mut()
            .for_each(|cursor| *cursor = place.min(*cursor));
    }

    /// Any item may be for any account again.
    pub(super) fn look_at_all_again(&mut self) {
        self.cursors.clear();
    }

    /// The first item that an account's device may have, for a pull: it is noted which are passed.
    pub(super) fn first(
        &mut self,
        account: u32,
        now: Tick,
        may_have: impl Fn(&Item) -> Result<(), Withheld>,
    ) -> Option<(Place, Item)> {
        let start = self.cursors.get(&account).copied().unwrap_or_default();
        let (mut cursor, mut passed_now, mut found) = (start, 0, None);
        for (place, item) in self.items.range_mut(start..) {
            let Err(why) = may_have(item) else {
                found = Some((*place, *item));
                break;
            };
            if begins_patience(&why) {
                item.passed.get_or_insert(now);
            }
            match lasts(&why) {
                true if passed_now == 0 => cursor = place + 1,
                true => {}
                false => passed_now += 1,
            }
            if passed_now >= LOOK_MAX {
                break;
            }
        }
        if cursor > start {
            self.cursors.insert(account, cursor);
        }
        found
    }

    /// The first item.
    pub(super) fn front(&self) -> Option<&Item> {
        self.items.values().next()
    }

    /// The first item that an account's device may have; the same walk as for a pull, with nothing
    /// changed.
    pub(super) fn find(
        &self,
        account: u32,
        may_have: impl Fn(&Item) -> Result<(), Withheld>,
    ) -> Option<&Item> {
        let start = self.cursors.get(&account).copied().unwrap_or_default();
        self.items
            .range(start..)
            .take(LOOK_MAX)
            .find_map(|(_, item)| may_have(item).is_ok().then_some(item))
    }

    /// Takes everything out, in order.
    pub(super) fn drain(&mut self) -> Vec<(Place, Item)> {
        std::mem::take(self).items.into_iter().collect()
    }
}
