//! The queues of a job's pools.

use super::{Item, Place, PoolQueue, Walk};
use crate::{Tick, dispatch::Withheld, pools::PoolNumber};
use std::collections::BTreeSet;

/// The queue of each pool, and which of them hold something: of thousands only a few do near a job's
/// end, when most devices ask.
#[derive(Clone, Debug)]
pub(in crate::dispatch) struct Queues {
    /// From the top.
    queues: Vec<PoolQueue>,
    occupied: BTreeSet<PoolNumber>,
}

impl Queues {
    /// So many empty ones, and one at the least.
    pub(in crate::dispatch) fn new(pools: PoolNumber) -> Self {
        Self {
            queues: vec![PoolQueue::default(); pools.max(1) as usize],
            occupied: BTreeSet::new(),
        }
    }

    /// How many pools there are.
    pub(in crate::dispatch) fn count(&self) -> PoolNumber {
        self.queues.len() as PoolNumber
    }

    /// The queue of a pool.
    pub(in crate::dispatch) fn get(&self, pool: PoolNumber) -> Option<&PoolQueue> {
        self.queues.get(pool as usize)
    }

    /// An open replica of a pool.
    pub(in crate::dispatch) fn item(&self, pool: PoolNumber, place: Place) -> Option<&Item> {
        self.get(pool)?.items.get(&place)
    }

    /// The queues that hold something, from this pool down.
    pub(in crate::dispatch) fn occupied(
        &self,
        from: PoolNumber,
    ) -> impl Iterator<Item = (PoolNumber, &PoolQueue)> {
        let occupied = self.occupied.range(from..);
        occupied.filter_map(|pool| Some((*pool, self.get(*pool)?)))
    }

    /// How many open replicas each pool has, from the top.
    pub(in crate::dispatch) fn lengths(&self) -> impl Iterator<Item = usize> {
        self.queues.iter().map(PoolQueue::len)
    }

    /// A replica opens.
    pub(in crate::dispatch) fn open(&mut self, pool: PoolNumber, place: Place, item: Item) {
        if let Some(queue) = self.queues.get_mut(pool as usize) {
            queue.open(place, item);
            self.occupied.insert(pool);
        }
    }

    /// A replica is open no more.
    pub(in crate::dispatch) fn close(&mut self, pool: PoolNumber, place: Place) {
        if let Some(queue) = self.queues.get_mut(pool as usize) {
            queue.close(place);
            if queue.items.is_empty() {
                self.occupied.remove(&pool);
            }
        }
    }

    /// Notes what an account's device passed in a pool.
    pub(in crate::dispatch) fn note(
        &mut self,
        pool: PoolNumber,
        account: u32,
        walk: &Walk,
        now: Tick,
    ) {
        if let Some(queue) = self.queues.get_mut(pool as usize) {
            queue.note(account, walk, now);
        }
    }

    /// An item may be for an account again that has passed it.
    pub(in crate::dispatch) fn look_again(&mut self, pool: PoolNumber, place: Place) {
        if let Some(queue) = self.queues.get_mut(pool as usize) {
            queue.look_again(place);
        }
    }

    /// Any item may be for any account again.
    pub(in crate::dispatch) fn look_at_all_again(&mut self) {
        self.queues
            .iter_mut()
            .for_each(PoolQueue::look_at_all_again);
    }

    /// Where these accounts stood says nothing any more.
    pub(in crate::dispatch) fn forget_accounts(&mut self, accounts: &BTreeSet<u32>) {
        for queue in &mut self.queues {
            queue.forget_accounts(accounts);
        }
    }

    /// From this pool down, the first items of other lanes than this device's wait for others too from
    /// now on.
    pub(in crate::dispatch) fn widen(
        &mut self,
        from: PoolNumber,
        now: Tick,
        may_have: impl Fn(&Item) -> Result<(), Withheld>,
    ) {
        for pool in self.occupied.range(from..) {
            if let Some(queue) = self.queues.get_mut(*pool as usize) {
                queue.widen(now, &may_have);
            }
        }
    }

    /// Takes over the queues of other pools, each by the number that it has now. Returns what was in
    /// those that have none, in order.
    pub(in crate::dispatch) fn take_over(
        &mut self,
        before: Self,
        is_now: impl Fn(PoolNumber) -> Option<PoolNumber>,
    ) -> Vec<(Place, Item)> {
        let mut lost = Vec::new();
        for (pool, mut queue) in (0..).zip(before.queues) {
            let place =
                is_now(pool).and_then(|pool| Some((pool, self.queues.get_mut(pool as usize)?)));
            match place {
                Some((pool, place)) => {
                    if queue.len() > 0 {
                        self.occupied.insert(pool);
                    }
                    *place = queue;
                }
                None => lost.extend(queue.drain()),
            }
        }
        lost.sort_unstable_by_key(|(place, _)| *place);
        lost
    }
}
