//! What an asker may have of a job, and why not: nothing here changes the queues.

use super::{
    JobQueue, Known, TaskState,
    ends::{End, of_task},
};
use crate::{
    Tick, Tuning,
    dispatch::{
        Asker, Queued, ReplicaState, Withheld,
        lane::{Lanes, NARROW_MS},
        pool::{Item, Place, PoolQueue, Walk},
    },
    pools::PoolNumber,
};
use quern_primitives::{
    ids::{ReplicaIndex, TaskIndex},
    lanes::Draw,
    limits::REPLICAS_PER_TASK_MAX,
};
use std::collections::BTreeSet;

/// Running replicas looked at for one backup, of tasks with as many backups: so many that are overdue,
/// and as many others.
const BACKUPS_LOOKED_AT_MAX: usize = 512;

/// How many times as long as a fast device one may take that computes again what runs.
const TIMES_THE_FAST: u64 = 2;

/// How long a replica is over its time before it counts as overdue, in milliseconds: below it is noise
/// of network and start.
const OVERDUE_MS_MIN: u64 = 5_000;

/// Where an open replica stands that an asker may have.
#[derive(Clone, Copy, Debug)]
pub(in crate::dispatch) struct Spot {
    pub(super) pool: PoolNumber,
    pub(super) place: Place,
    pub(super) item: Item,
}

/// What an asker finds who looks for its next replica.
pub(in crate::dispatch) struct Search {
    /// Where that stands, or why there is none for it.
    pub(in crate::dispatch) found: Result<Spot, Withheld>,
    /// Whether the pools' queues were looked at; not if it gets nothing of the job whatever stands there.
    pub(super) has_looked: bool,
    /// The walks through those queues in which something stands.
    pub(super) walks: Vec<(PoolNumber, Walk)>,
}

impl JobQueue {
    /// Why an asker would get nothing now; nothing if it would.
    pub(in crate::dispatch) fn explain(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Option<Withheld> {
        match self.search(asker, now, tuning).found.err()? {
            // What runs may be for it.
            Withheld::NothingOpen if tuning.backs_up => self.slow_one(asker, now, tuning).err(),
            why => Some(why),
        }
    }

    /// Why an asker would not get an open replica of this task next; nothing if it would.
    pub(in crate::dispatch) fn explain_task(
        &self,
        task: TaskIndex,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Option<Withheld> {
        let search = self.search(asker, now, tuning);
        match search.found {
            Ok(next) if next.item.task == task => return None,
            Err(why) if !search.has_looked => return Some(why),
            _ => {}
        }
        let replicas = self.known.tasks.get(&task).map(|state| &state.replicas);
        let open = replicas
            .into_iter()
            .flatten()
            .filter(|it| it.holder.is_none());
        let from = self.looks_from(asker, now, tuning);
        let view = self.known.view(asker, self.kept(now), now, tuning);
        let mut why = Withheld::NothingOpen;
        let mut first_reason = None;
        for it in open {
            why = Withheld::NothingInPool;
            let item = self.pools.item(it.pool, it.place);
            let Some(item) = item.filter(|_| it.pool >= from) else {
                continue;
            };
            match view.may_have(item) {
                Ok(()) => return Some(Withheld::OthersComeFirst),
                Err(reason) => {
                    first_reason.get_or_insert(reason);
                }
            }
        }
        Some(first_reason.unwrap_or(why))
    }

    /// Looks for the replica that an asker gets next: the first of a task in doubt, or else of its
    /// pool's queue, or else of those of the pools below; of all pools' when nobody finds anything so.
    pub(in crate::dispatch) fn search(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Search {
        let mut search = Search {
            found: Err(Withheld::NothingInPool),
            has_looked: false,
            walks: Vec::new(),
        };
        search.found = self.find(asker, now, tuning, &mut search);
        search
    }

    fn find(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
        search: &mut Search,
    ) -> Result<Spot, Withheld> {
        if let Some(lack) = self.terms.needs.lacking_in(asker.traits) {
            return Err(Withheld::Lacks(lack));
        }
        if self.open == 0 {
            return Err(Withheld::NothingOpen);
        }
        let is_trusted = asker.traits.is_trusted();
        let refusal = self.refusal(asker, now, tuning);
        if let Some(why) = refusal.filter(|_| !is_trusted) {
            return Err(why);
        }
        let view = self.known.view(asker, self.kept(now), now, tuning);
        let from = self.looks_from(asker, now, tuning);
        if let Some(spot) = self.doubted_for(&view, from) {
            return Ok(spot);
        }
        // Who is not wanted for being trusted is asked like the others.
        if let Some(why) = refusal {
            return Err(why);
        }
        search.has_looked = true;
        for (pool, queue) in self.pools.occupied(from) {
            let walk = queue.walk(asker.account, |item| view.may_have(item));
            let found = walk.found;
            search.walks.push((pool, walk));
            if let Some((place, item)) = found {
                return Ok(Spot { pool, place, item });
            }
        }
        Err(view.why_none(self.pools.occupied(from)))
    }

    /// Whether something is open for devices that have what this one has.
    pub(in crate::dispatch) fn has_open_for(&self, asker: &Asker<'_>) -> bool {
        self.open > 0 && self.terms.needs.are_met_by(asker.traits)
    }

    /// Whether idle devices that have what this one has may compute again what runs. While tasks are to
    /// come the end is not near, and who is idle is wanted for them.
    pub(in crate::dispatch) fn is_near_end_for(&self, asker: &Asker<'_>) -> bool {
        let is_near_end = self.open == 0 && self.to_come == 0 && !self.running.is_empty();
        is_near_end && self.terms.needs.are_met_by(asker.traits)
    }

    /// Why an asker gets nothing out of the queues, whatever stands there.
    fn refusal(&self, asker: &Asker<'_>, now: Tick, tuning: &Tuning) -> Option<Withheld> {
        match self.known.target.has_part(asker.rank) {
            true => self.others_are_sooner(asker, now, tuning),
            false => Some(Withheld::OtherLevel),
        }
    }

    /// Where an open replica waits; nothing if it is not open.
    pub(in crate::dispatch) fn queued(
        &self,
        task: TaskIndex,
        replica: ReplicaIndex,
        now: Tick,
        tuning: &Tuning,
    ) -> Option<Queued> {
        let state = self.known.tasks.get(&task)?;
        let it = state.replicas.get(usize::from(replica))?;
        let pool = self.pools.get(it.pool)?;
        let item = self.pools.item(it.pool, it.place)?;
        let kept_until = state
            .kept_until(item.since)
            .filter(|_| self.kept(now).contains(&task));
        // While it is for trusted devices alone, its lane and the fast do not matter.
        let is_kept = kept_until.is_some() || (state.doubted.is_some() && state.is_reserved);
        let has_lanes = self.known.lanes.count().is_some();
        let open_to_all_at = item.open_to_all_at(has_lanes, tuning.lane_ms);
        Some(Queued {
            turn: pool.turn(it.place),
            of: pool.len(),
            is_rescue: item.is_rescue,
            open_to_all_at: open_to_all_at.filter(|_| !is_kept),
            kept_until: kept_until.filter(|_| !state.is_reserved),
        })
    }

    /// Whether a task gets one more replica when a device of it is stale: not if more are out or open
    /// already than it still needs answers.
    pub(in crate::dispatch) fn wants_rescue(&self, task: TaskIndex) -> bool {
        let replicas = self.replicas(task);
        let is_full = replicas.len() >= usize::from(REPLICAS_PER_TASK_MAX);
        if is_full || !self.known.tasks.contains_key(&task) {
            return false;
        }
        let is_answered = |state: &&ReplicaState| matches!(state, ReplicaState::Answered { .. });
        let answered = replicas.iter().filter(is_answered).count();
        let needed = usize::from(self.terms.replicas);
        replicas.len() - answered <= needed.saturating_sub(answered)
    }

    /// How long a fast device takes for a replica, in milliseconds.
    fn fast_ms(&self) -> u64 {
        self.work() / u64::from(self.known.target.speed_of_the_fast).max(1)
    }

    /// Until when the slow are spared, if nobody takes anything before; none if they are not.
    pub(in crate::dispatch) fn spares_until(&self, tuning: &Tuning) -> Option<Tick> {
        // Where a task needs every account, nobody else will have it done sooner.
        let others = self.accounts.saturating_sub(1);
        if !tuning.spares_the_slow || others < u32::from(self.terms.replicas) {
            return None;
        }
        // Where nobody has taken anything for so long, the others are not to be had.
        let patience_ms = self.fast_ms().saturating_mul(2);
        let patience_ms = patience_ms.saturating_add(tuning.lane_ms);
        Some(self.last_taken.plus_ms(patience_ms))
    }

    /// Whether the rest of the grid would have one more task done sooner than this device.
    fn others_are_sooner(&self, asker: &Asker<'_>, now: Tick, tuning: &Tuning) -> Option<Withheld> {
        if now > self.spares_until(tuning)? {
            return None;
        }
        let work = self.work();
        let mine_ms = asker.backlog_ms.saturating_add(self.takes_ms(asker.speed));
        // What runs is half done on average, and what is to come is not begun: a job that is still being
        // uploaded is not near its end because little of it is open.
        let to_come = u64::from(self.to_come) * u64::from(self.terms.replicas);
        let replicas = self.open as u64 + to_come + self.running.len() as u64 / 2;
        let all_ms = replicas.saturating_mul(work) / self.known.target.speed_of_all().max(1);
        let others_ms = all_ms.saturating_add(self.fast_ms());
        (mine_ms > others_ms).then_some(Withheld::OthersAreSooner { mine_ms, others_ms })
    }

    /// Whether faster devices shall compute again what runs, and not one that takes so long: while somebody
    /// takes something, they are to be had.
    fn faster_come_first(&self, mine_ms: u64, now: Tick, tuning: &Tuning) -> Option<Withheld> {
        let most_ms = self.fast_ms().saturating_mul(TIMES_THE_FAST);
        let is_spared = mine_ms > most_ms && now <= self.spares_until(tuning)?;
        is_spared.then_some(Withheld::FasterComeFirst { mine_ms, most_ms })
    }

    /// When a task will have the answers that it needs, as far as its running replicas tell.
    fn answered_at(&self, task: TaskIndex, state: &TaskState, now: Tick) -> Option<Tick> {
        let resting = self.resting.range(of_task(task)).count();
        let running = self.running.range(of_task(task));
        let mut ends: Vec<Tick> = running.map(|(_, it)| it.ends_at(now)).collect();
        let held = state.replicas.iter().filter(|it| it.holder.is_some());
        let answered = held.count().saturating_sub(ends.len() + resting);
        let needed = usize::from(self.terms.replicas).saturating_sub(answered);
        ends.sort_unstable();
        ends.truncate(needed.max(1));
        ends.last().copied()
    }

    /// A task that runs, and that an idle device will have done well before who has it, or why it gets none.
    pub(in crate::dispatch) fn slow_one(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Result<TaskIndex, Withheld> {
        if !self.is_near_end_for(asker) || !self.known.target.has_part(asker.rank) {
            return Err(Withheld::NothingOpen);
        }
        let computes_ms = asker.backlog_ms.saturating_add(self.takes_ms(asker.speed));
        let takes_ms = computes_ms.saturating_add(self.line_ms(asker));
        if let Some(why) = self.faster_come_first(computes_ms, now, tuning) {
            return Err(why);
        }
        // To end a little sooner is not worth an execution: it takes two thirds of the time at the most.
        let is_late = |end: Tick| {
            let left_ms = u128::from(end.since(now));
            3 * u128::from(takes_ms) < 2 * left_ms
        };
        let late_from = now.plus_ms(takes_ms.saturating_mul(3) / 2);
        // The overdue first, then those that end last. A little over its time is nothing yet.
        let long_ago = Tick(now.0.saturating_sub(OVERDUE_MS_MIN));
        let lanes = self.known.lanes_of(asker.account);
        let draw = lanes.draw(asker.account_id);
        let is_for = |(_, due, task, replica): &&End| {
            let (Some(state), Some(running)) = (
                self.known.tasks.get(task),
                self.running.get(&(*task, *replica)),
            ) else {
                return false;
            };
            // A backup is for its lane like any replica. Long after its time it waits as one does that
            // was passed in vain.
            let overdue_ms = now.since(*due);
            let patience_ms = tuning.lane_ms.saturating_add(self.takes_ms(0));
            let is_wide = overdue_ms >= patience_ms;
            let is_for_all = overdue_ms >= patience_ms.saturating_add(tuning.lane_ms);
            let next = state.replicas.len() as ReplicaIndex;
            !state.is_touched_by(asker.account)
                && !state.excluded.contains(&asker.device)
                && (is_for_all || lanes.admit(draw, *task, next, is_wide))
                && is_late(running.ends_at(now))
                // Others may have it done as well: backups, or more devices than need to answer.
                && self.answered_at(*task, state, now).is_some_and(is_late)
        };
        let counts = 0..self.backups_max.min(REPLICAS_PER_TASK_MAX);
        let overdue = counts.clone().filter_map(|backups| {
            let end = (backups, long_ago, 0, 0);
            let all = self.ends.range((backups, Tick::default(), 0, 0)..end);
            all.take(BACKUPS_LOOKED_AT_MAX).find(is_for)
        });
        let late = counts.filter_map(|backups| {
            let last = (backups, Tick(u64::MAX), TaskIndex::MAX, ReplicaIndex::MAX);
            let all = self.ends.range((backups, late_from, 0, 0)..=last);
            all.rev().take(BACKUPS_LOOKED_AT_MAX).find(is_for)
        });
        let due = |(_, due, task, replica): &&End| (*due, *task, *replica);
        let found = overdue.min_by_key(due);
        let found = found.or_else(|| late.max_by_key(due));
        found
            .map(|(_, _, task, _)| *task)
            .ok_or(Withheld::NothingOpen)
    }
}

/// What decides whether an asker may have an item.
pub(super) struct View<'a> {
    known: &'a Known,
    pub(super) asker: &'a Asker<'a>,
    /// The lanes for its account.
    lanes: Lanes,
    draw: Draw,
    /// Tasks of which what is open is kept for trusted devices.
    kept: BTreeSet<TaskIndex>,
    /// Whether the asker is fast or trusted.
    is_good: bool,
    now: Tick,
    patience_ms: u64,
}

impl Known {
    /// The lanes of the job's tasks as they are for an account, by its number.
    pub(super) fn lanes_of(&self, account: u32) -> Lanes {
        self.lanes.of(self.target.parts_of(account))
    }

    /// What decides for this asker, while so much is kept for trusted devices.
    pub(super) fn view<'a>(
        &'a self,
        asker: &'a Asker<'a>,
        kept: BTreeSet<TaskIndex>,
        now: Tick,
        tuning: &Tuning,
    ) -> View<'a> {
        let lanes = self.lanes_of(asker.account);
        View {
            known: self,
            asker,
            lanes,
            draw: lanes.draw(asker.account_id),
            kept,
            is_good: asker.traits.is_trusted() || asker.speed >= self.target.speed_of_the_fast,
            now,
            patience_ms: tuning.lane_ms,
        }
    }
}

impl View<'_> {
    /// Why the asker may have nothing that is open in these pools: what keeps it from the first.
    pub(super) fn why_none<'a>(
        &self,
        mut pools: impl Iterator<Item = (PoolNumber, &'a PoolQueue)>,
    ) -> Withheld {
        let first = |(_, pool): (_, &PoolQueue)| self.may_have(pool.front()?).err();
        let why = pools.find_map(first);
        why.unwrap_or(Withheld::NothingInPool)
    }

    /// Whether the asker may have an item, or why not.
    pub(super) fn may_have(&self, item: &Item) -> Result<(), Withheld> {
        let Some(state) = self.known.tasks.get(&item.task) else {
            return Err(Withheld::NothingInPool);
        };
        if state.is_touched_by(self.asker.account) {
            return Err(Withheld::TouchedByAccount);
        }
        if state.excluded.contains(&self.asker.device) {
            return Err(Withheld::Excluded);
        }
        if state.doubted.is_some() {
            if self.asker.traits.is_trusted() {
                return Ok(());
            }
            let until = state.kept_until(item.since);
            let is_kept = until.is_some_and(|until| self.now < until);
            if state.is_reserved || (is_kept && self.kept.contains(&item.task)) {
                return Err(Withheld::KeptForTheTrusted);
            }
        }
        // Patience begins when somebody first passes it who could have it otherwise, and with its lane when
        // it was passed in vain; not when it is queued: what has waited long for its turn is not for
        // everybody because of that. What is kept for the fast no more has its lane still.
        let waits = |since: Option<Tick>, ms| since.map_or(0, |it| self.now.since(it)) < ms;
        if item.is_rescue && !self.is_good && waits(item.passed, self.patience_ms) {
            return Err(Withheld::KeptForTheFast);
        }
        let is_wide = !waits(item.vain, NARROW_MS);
        let is_own = self
            .lanes
            .admit(self.draw, item.task, item.replica, is_wide);
        match is_own || !waits(item.vain, self.patience_ms) {
            true => Ok(()),
            false => Err(Withheld::OtherLane),
        }
    }
}
