//! The queue of one capacity pool.

use super::Withheld;
use crate::Tick;
use quern_primitives::ids::{ReplicaIndex, TaskIndex};
use std::collections::{BTreeMap, BTreeSet};

/// A place in a queue. A replica that opens again keeps the place it had.
pub(super) type Place = u64;

/// Items passed in one pull whose time may yet come for the asker. One in as many as there are lanes is
/// for a device, so this many are passed by who had what there is for it, and by hardly anybody else.
const LOOK_MAX: usize = 1_024;

/// Items of other lanes that wait for all from then on that a device passed them in vain: the first ones
/// that it passed, and so the same ones for however many devices ask however often. What stands behind
/// them stays with its lanes.
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
    /// When it was first passed by somebody who may have it only after a while; for its lane alone, when
    /// it was first passed in vain.
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

/// A walk through a queue, from the first item that an account does not always pass. Nothing is changed
/// by it until it is noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    /// The first item that the account's device may have.
    pub(super) found: Option<(Place, Item)>,
    /// The account always passes what stands before.
    cursor: Place,
    /// Items that are kept for others: patience with them begins now.
    kept: Vec<Place>,
    /// Items of other lanes: patience with them begins now if the device finds nothing at all.
    other_lanes: Vec<Place>,
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

    /// These accounts are gone, and others may have their numbers.
    pub(super) fn forget_accounts(&mut self, accounts: &BTreeSet<u32>) {
        self.cursors
            .retain(|account, _| !accounts.contains(account));
    }

    /// Any item may be for any account again.
    pub(super) fn look_at_all_again(&mut self) {
        self.cursors.clear();
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
        let (mut passed_now, mut of_other_lanes) = (0, 0);
        for (place, item) in self.items.range(cursor..) {
            let Err(why) = may_have(item) else {
                walk.found = Some((*place, *item));
                break;
            };
            of_other_lanes += usize::from(why == Withheld::OtherLane);
            match why {
                _ if item.passed.is_some() => {}
                Withheld::KeptForTheFast | Withheld::KeptForTheTrusted => walk.kept.push(*place),
                Withheld::OtherLane if of_other_lanes <= PASSED_MAX => {
                    walk.other_lanes.push(*place);
                }
                _ => {}
            }
            match lasts(&why) {
                true if passed_now == 0 => walk.cursor = place + 1,
                true => {}
                false => passed_now += 1,
            }
            if passed_now >= LOOK_MAX {
                break;
            }
        }
        walk
    }

    /// Notes what an account's device passed, which found nothing at all if it came in vain.
    pub(super) fn note(&mut self, account: u32, walk: &Walk, is_in_vain: bool, now: Tick) {
        if walk.cursor > 0 {
            self.cursors.insert(account, walk.cursor);
        }
        let other_lanes = walk.other_lanes.iter().filter(|_| is_in_vain);
        for place in walk.kept.iter().chain(other_lanes) {
            if let Some(item) = self.items.get_mut(place) {
                item.passed.get_or_insert(now);
            }
        }
    }

    /// The first item.
    pub(super) fn front(&self) -> Option<&Item> {
        self.items.values().next()
    }

    /// Takes everything out, in order.
    pub(super) fn drain(&mut self) -> Vec<(Place, Item)> {
        std::mem::take(self).items.into_iter().collect()
    }
}
