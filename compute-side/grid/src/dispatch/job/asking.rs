//! What an asker may have of a job, and why not: nothing here changes the queues.

use super::{JobQueue, TaskState};
use crate::{
    Tick, Tuning,
    dispatch::{
        Asker, Withheld,
        lane::Lanes,
        pool::{Item, Pass},
    },
    pools::Target,
};
use quern_primitives::{
    ids::{ReplicaIndex, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
};
use std::collections::BTreeMap;

/// Running replicas looked at for one backup.
const BACKUPS_LOOKED_AT_MAX: usize = 64;

/// How long a replica is over its time before it counts as overdue, in milliseconds: below it is noise
/// of network and start.
const OVERDUE_MS_MIN: u64 = 5_000;

impl JobQueue {
    /// Why an asker would get nothing now; nothing if it would.
    pub(in crate::dispatch) fn explain(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Option<Withheld> {
        if let Some(lack) = self.terms.needs.lacking_in(asker.traits) {
            return Some(Withheld::Lacks(lack));
        }
        if tuning.backs_up && self.slow_one(asker, now, tuning).is_some() {
            return None;
        }
        if self.open == 0 {
            return Some(Withheld::NothingOpen);
        }
        if let Some(why) = self.others_are_sooner(asker, now, tuning) {
            return Some(why);
        }
        let own = self.target.pool_of(asker.rank) as usize;
        let view = View::of((&self.tasks, &self.lanes, &self.target), asker, now, tuning);
        let mut why = Withheld::NothingInPool;
        for pool in self.pools.iter().skip(own) {
            let mut first_reason = None;
            let is_found = pool.has_one(asker.account, |item| {
                view.may_have(&mut { *item }).map_err(|(pass, reason)| {
                    first_reason.get_or_insert(reason);
                    pass
                })
            });
            if is_found {
                return None;
            }
            why = first_reason.unwrap_or(why);
        }
        Some(why)
    }

    /// Whether the rest of the grid would have one more task done sooner than this device.
    pub(super) fn others_are_sooner(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Option<Withheld> {
        // Where a task needs every account, nobody else will have it done sooner.
        let others = self.accounts.saturating_sub(1);
        if !tuning.spares_the_slow || others < u32::from(self.terms.replicas) {
            return None;
        }
        let work = self.work();
        let mine_ms = asker.backlog_ms.saturating_add(self.takes_ms(asker.speed));
        // What runs is half done on average.
        let replicas = self.open as u64 + self.running.len() as u64 / 2;
        let all_ms = replicas.saturating_mul(work) / self.target.speed_of_all().max(1);
        let last_ms = work / u64::from(self.target.speed_of_the_fast).max(1);
        let others_ms = all_ms.saturating_add(last_ms);
        // Where nobody has taken anything for so long, the others are not to be had.
        if now.since(self.last_taken) > last_ms.saturating_mul(2).saturating_add(tuning.lane_ms) {
            return None;
        }
        (mine_ms > others_ms).then_some(Withheld::OthersAreSooner { mine_ms, others_ms })
    }

    /// A task that runs, and that an idle device will have done sooner than who has it.
    pub(super) fn slow_one(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Option<TaskIndex> {
        if self.open > 0 || !self.terms.needs.are_met_by(asker.traits) {
            return None;
        }
        let takes_ms = asker.backlog_ms.saturating_add(self.takes_ms(asker.speed));
        let mine = now.plus_ms(takes_ms);
        // The overdue first, then those that end last. A little over its time is nothing yet.
        let long_ago = Tick(now.0.saturating_sub(OVERDUE_MS_MIN));
        let overdue = self.ends.range(..(long_ago, 0, 0));
        let overdue = overdue.take(BACKUPS_LOOKED_AT_MAX);
        let late = self
            .ends
            .range((now, 0, 0)..)
            .rev()
            .take(BACKUPS_LOOKED_AT_MAX);
        let is_for = |(end, task, replica): &&(Tick, TaskIndex, ReplicaIndex)| {
            let (Some(state), Some(running)) =
                (self.tasks.get(task), self.running.get(&(*task, *replica)))
            else {
                return false;
            };
            // What is overdue is taken to need as long again as it already took.
            let end = match *end < now {
                true => now.plus_ms(now.since(running.since)),
                false => *end,
            };
            mine < end
                && state.backups < tuning.backups_max
                && state.replicas.len() < usize::from(REPLICAS_PER_TASK_MAX)
                && !state.is_touched_by(asker.account)
                && !state.excluded.contains(&asker.device)
        };
        overdue.chain(late).find(is_for).map(|(_, task, _)| *task)
    }
}

/// What decides whether an asker may have an item.
pub(super) struct View<'a> {
    tasks: &'a BTreeMap<TaskIndex, TaskState>,
    asker: &'a Asker<'a>,
    lanes: &'a Lanes,
    draw: u64,
    /// Whether the asker is fast or trusted.
    is_good: bool,
    now: Tick,
    patience_ms: u64,
}

impl<'a> View<'a> {
    pub(super) fn of(
        (tasks, lanes, target): (&'a BTreeMap<TaskIndex, TaskState>, &'a Lanes, &'a Target),
        asker: &'a Asker<'a>,
        now: Tick,
        tuning: &Tuning,
    ) -> Self {
        Self {
            tasks,
            asker,
            lanes,
            draw: lanes.draw(asker.account_id),
            is_good: asker.traits.is_trusted() || asker.speed >= target.speed_of_the_fast,
            now,
            patience_ms: tuning.lane_ms,
        }
    }

    pub(super) fn may_have(&self, item: &mut Item) -> Result<(), (Pass, Withheld)> {
        let Some(state) = self.tasks.get(&item.task) else {
            return Err((Pass::Now, Withheld::NothingInPool));
        };
        if state.is_touched_by(self.asker.account) {
            return Err((Pass::Always, Withheld::TouchedByAccount));
        }
        if state.excluded.contains(&self.asker.device) {
            return Err((Pass::Now, Withheld::Excluded));
        }
        let reason = match item.is_rescue && !self.is_good {
            true => Withheld::KeptForTheFast,
            false if self.lanes.admit(self.draw, item.task, item.replica) => return Ok(()),
            false => Withheld::OtherLane,
        };
        // Patience begins when somebody first passes it who could have it otherwise, not when it is
        // queued: what has waited long for its turn is not for everybody because of that.
        let passed = *item.passed.get_or_insert(self.now);
        match self.now.since(passed) < self.patience_ms {
            true => Err((Pass::Now, reason)),
            false => Ok(()),
        }
    }
}
