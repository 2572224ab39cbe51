//! In which pool's queue a replica stands: it is dealt to one when it is new, and again when its pool is
//! no more or takes part no more.

use super::{JobQueue, Known, Replica};
use crate::{
    Tick,
    dispatch::{
        lane::Lanes,
        pool::{Item, Place, Queues},
    },
    pools::{PoolNumber, Target},
};
use quern_primitives::{
    ids::{ReplicaIndex, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
};
use std::collections::BTreeSet;

impl JobQueue {
    /// Takes over new pools. What is open in one that is no more, or takes part no more, is dealt again;
    /// all else stays where it is.
    pub(in crate::dispatch) fn retarget(&mut self, target: Target, accounts: u32) {
        let before = std::mem::replace(&mut self.known.target, target);
        self.accounts = accounts;
        // After a restart jobs are queued before any account is here.
        let lanes = Lanes::new(self.terms.seed, self.terms.replicas, accounts);
        if std::mem::replace(&mut self.known.lanes, lanes) != lanes {
            self.pools.look_at_all_again();
        }
        self.let_look_again(&before);
        let pools = self.known.target.pools().max(1);
        let part = self.known.target.taking_part();
        if pools != self.pools.count() || before.taking_part() != part {
            self.deal_again(pools);
        }
    }

    /// Accounts whose part of the devices is so much larger or smaller than before that other lanes are
    /// theirs look at everything again.
    fn let_look_again(&mut self, before: &Target) {
        let Known { target, lanes, .. } = &self.known;
        let has_others = |account: &u32| {
            let [before, now] = [before, target].map(|it| lanes.of(it.parts_of(*account)));
            before != now
        };
        let all = before.large().chain(target.large());
        let accounts: BTreeSet<u32> = all.filter(has_others).collect();
        if !accounts.is_empty() {
            self.pools.forget_accounts(&accounts);
        }
    }

    /// Deals what has lost its pool. There are so many pools now.
    fn deal_again(&mut self, pools: PoolNumber) {
        let Known { tasks, target, .. } = &mut self.known;
        let (target, part) = (&*target, target.taking_part());
        let before = std::mem::replace(&mut self.pools, Queues::new(pools));
        // Pools are filled from the bottom, so it is at the top that they come and go.
        let pools_before = before.count();
        let is_now = |pool: PoolNumber| {
            let pool = (pool + pools).checked_sub(pools_before);
            pool.filter(|pool| part.contains(pool))
        };
        let lost = self.pools.take_over(before, is_now);
        for replica in tasks.values_mut().flat_map(|state| &mut state.replicas) {
            let pool = is_now(replica.pool);
            replica.pool = pool.unwrap_or_else(|| dealt_to(target, replica.place));
        }
        if lost.is_empty() {
            return;
        }
        self.pools.look_at_all_again();
        for (turn, (place, item)) in (0..).zip(lost) {
            let pool = dealt_to(target, turn);
            self.pools.open(pool, place, item);
            let state = tasks.get_mut(&item.task);
            if let Some(replica) = state.and_then(|state| state.replica_mut(item.replica)) {
                replica.pool = pool;
            }
        }
    }

    /// One more replica of a task, neither open nor held yet; none if there are as many as a task may
    /// have.
    pub(super) fn new_replica(&mut self, task: TaskIndex) -> Option<ReplicaIndex> {
        let state = self.known.tasks.get_mut(&task)?;
        let number = ReplicaIndex::try_from(state.replicas.len()).ok()?;
        if number >= REPLICAS_PER_TASK_MAX {
            return None;
        }
        let place = self.dealt;
        self.dealt += 1;
        state.replicas.push(Replica {
            pool: dealt_to(&self.known.target, place),
            place,
            holder: None,
        });
        self.note_ends(task);
        Some(number)
    }

    /// Opens a replica in the pool that it was dealt to.
    pub(super) fn open(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        since: Tick,
        is_rescue: bool,
    ) {
        let Some(state) = self.known.tasks.get_mut(&task) else {
            return;
        };
        let Some(it) = state.replica_mut(replica).copied() else {
            return;
        };
        let item = Item {
            task,
            replica,
            since,
            is_rescue,
            passed: None,
            vain: None,
        };
        self.pools.open(it.pool, it.place, item);
        if self.open == 0 {
            self.last_taken = self.last_taken.max(since);
            self.last_taken_in_turn = self.last_taken_in_turn.max(since);
        }
        self.open += 1;
        self.known.note_doubt(task);
    }

    /// Opens a replica that its holder has let go of.
    pub(super) fn reopen(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        is_rescue: bool,
        now: Tick,
    ) {
        // The account may have the task's other replicas again too.
        self.look_again(task);
        self.open(task, replica, now, is_rescue);
    }

    /// A task may be for an account again that has passed what is open of it.
    pub(super) fn look_again(&mut self, task: TaskIndex) {
        let state = self.known.tasks.get(&task);
        for it in state.into_iter().flat_map(|state| &state.replicas) {
            self.pools.look_again(it.pool, it.place);
        }
    }
}

/// The pool to which a replica is dealt whose turn it is: one after the other of those that take part.
fn dealt_to(target: &Target, turn: Place) -> PoolNumber {
    let pools = target.taking_part();
    let count = u64::from(pools.end - pools.start).max(1);
    pools.start + (turn % count) as PoolNumber
}
