//! What a device gets of a job when it asks.

use super::*;
use sha2::{Digest as _, Sha256};

impl Job {
    /// What one replica takes: what the terms say, or, from three on, the mean of those accepted.
    fn work(&self) -> u64 {
        let accepted = self.accepted.iter().map(|it| it.0);
        let sum = accepted.fold(0, |sum: u64, work| sum.saturating_add(work));
        match self.accepted.len() {
            0..3 => self.terms.work.max(1),
            count => (sum / count as u64).max(1),
        }
    }

    /// What its line takes: what the terms say comes to it, and what they say goes from it, or, from three on,
    /// the mean of those accepted.
    fn line_ms(&self, asker: &Asker<'_>) -> u64 {
        let results = self.accepted.iter().map(|it| it.1);
        let sum = results.fold(0, |sum: u64, bytes| sum.saturating_add(bytes));
        let up = match self.accepted.len() {
            0..3 => self.terms.bytes.up,
            count => sum / count as u64,
        };
        asker.line.takes_ms(TaskBytes {
            up,
            ..self.terms.bytes
        })
    }

    pub(super) fn takes_ms(&self, speed: u32) -> u64 {
        match speed {
            0 => self.work() / self.target.usual_speed(),
            speed => self.work() / u64::from(speed),
        }
    }

    /// How many lanes there are, if there are any; and as few as there may be.
    pub(super) fn lanes(&self) -> Option<[u64; 2]> {
        let fewest = u64::from(self.terms.replicas.max(1));
        let accounts = u64::from(self.accounts);
        if !(2..=32).contains(&fewest) || accounts < 8 * fewest {
            return None;
        }
        let powers = [1, 2, 4, 8, 16, 32].into_iter();
        let enough = powers.filter(|lanes| accounts >= 8 * lanes);
        Some([enough.fold(fewest, u64::max), fewest])
    }

    /// A draw of eight bytes by account, spread over the tasks, as the documentation of the lanes says; with
    /// fewer lanes for a large account, and with `is_wide` also with as few as replicas.
    fn is_of_lane(&self, asker: &Asker<'_>, name: Name, is_wide: bool) -> bool {
        let all = self.numbers_of_lanes(asker, name);
        all.is_none_or(|[all, own, fewest]| all.1 || own.1 || (is_wide && fewest.1))
    }

    /// The greatest number of lanes of which one leaves a replica to an asker; 1 if none does.
    fn given_in(&self, asker: &Asker<'_>, name: Name) -> u8 {
        let all = self.numbers_of_lanes(asker, name);
        let its = all.into_iter().flatten().filter(|(_, is_its)| *is_its);
        its.map(|(lanes, _)| lanes as u8).max().unwrap_or(1)
    }

    /// The number of all lanes, of those for a large account and of the fewest, each with whether they leave
    /// a replica to an asker; none if there are no lanes.
    fn numbers_of_lanes(
        &self,
        asker: &Asker<'_>,
        (task, replica): Name,
    ) -> Option<[(u64, bool); 3]> {
        let [lanes, fewest] = self.lanes()?;
        let account: &[u8; 32] = asker.account_id.as_ref();
        let text = [b"quern/lane/1".as_slice(), &self.terms.seed, account].concat();
        let digest: [u8; 32] = Sha256::digest(text).into();
        let draw = u64::from_le_bytes(digest[..8].try_into().unwrap());
        let mut z = draw ^ u64::from(task).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let is_in = |lanes: u64| z % lanes == u64::from(replica) % lanes;
        let parts = u64::from(self.target.parts_of(asker.account));
        let powers = [1, 2, 4, 8, 16, 32].into_iter();
        let fitting = powers.filter(|own| *own <= lanes && 2 * own <= parts);
        let own = fitting.fold(fewest, u64::max);
        Some([lanes, own, fewest].map(|it| (it, is_in(it))))
    }

    /// How long a fast device takes.
    fn fast_ms(&self) -> u64 {
        self.work() / u64::from(self.target.speed_of_the_fast.max(1))
    }

    /// Whether the slow are to leave things to others: so many accounts are left without one as a task
    /// needs, and somebody took something as lately as two fast devices one after the other take, and as a
    /// replica waits for its lane.
    fn spares_the_slow(&self, now: Tick, tuning: &Tuning) -> bool {
        let patience_ms = self.fast_ms().saturating_mul(2);
        let patience_ms = patience_ms.saturating_add(tuning.lane_ms);
        tuning.spares_the_slow
            && self.accounts.saturating_sub(1) >= u32::from(self.terms.replicas)
            && now <= self.last_taken.plus_ms(patience_ms)
    }

    /// Whether the others have one task more done sooner than this device.
    fn others_are_sooner(&self, asker: &Asker<'_>, now: Tick, tuning: &Tuning) -> Option<Withheld> {
        let mine_ms = asker.backlog_ms.saturating_add(self.takes_ms(asker.speed));
        let to_come = u64::from(self.to_come) * u64::from(self.terms.replicas);
        let left = self.open() as u64 + to_come + self.running() as u64 / 2;
        let others_ms = left.saturating_mul(self.work()) / self.target.speed_of_all().max(1);
        let others_ms = others_ms.saturating_add(self.fast_ms());
        let is_spared = self.spares_the_slow(now, tuning) && mine_ms > others_ms;
        is_spared.then_some(Withheld::OthersAreSooner { mine_ms, others_ms })
    }

    /// Whether an open replica of a task in doubt is for trusted devices: for ten minutes at the most,
    /// if the task is one of the first that one of them could have and whose time is not over, two for
    /// each of them.
    fn is_kept(&self, task: &Task, since: Tick, now: Tick) -> bool {
        let is_in_time = |task: &Task, since: Tick| {
            let from = task.doubted.map(|doubted| since.max(doubted));
            from.is_some_and(|from| now < from.plus_ms(600_000))
        };
        let could_be_taken = |task: &&Task| {
            let is_open_in_time = |it: &Replica| match it.stands {
                Stands::Open { since, .. } => is_in_time(task, since),
                _ => false,
            };
            let may_be_kept = task.is_reserved || task.replicas.iter().any(is_open_in_time);
            may_be_kept && self.trusted.iter().any(|it| task.is_for(*it))
        };
        let in_turn = self.in_turn();
        let waiting = in_turn.iter().filter_map(|task| self.task(*task));
        let mut kept = waiting.filter(could_be_taken).take(2 * self.trusted.len());
        is_in_time(task, since) && kept.any(|it| it.number == task.number)
    }

    /// The tasks in doubt and open, those first that are reserved.
    fn in_turn(&self) -> Vec<TaskIndex> {
        let mut tasks = self.waiting.clone();
        tasks.sort_by_key(|task| self.task(*task).is_none_or(|it| !it.is_reserved));
        tasks
    }

    /// For half a minute; and while a trusted device computes it or it is kept for one.
    pub(in crate::dispatch::tests) fn waits_for_trusted(&self, task: TaskIndex, now: Tick) -> bool {
        let Some(task) = self.task(task) else {
            return false;
        };
        let is_waited_for = |it: &Replica| match it.stands {
            Stands::Open { since, .. } => self.is_kept(task, since, now),
            Stands::Running { .. } => it.by.is_some_and(|by| self.trusted.contains(&by)),
            Stands::Answered | Stands::Resting => false,
        };
        task.doubted.is_some_and(|since| now.since(since) < 30_000)
            || task.replicas.iter().any(is_waited_for)
    }

    /// Why a device may not have an open replica.
    fn why_not(
        &mut self,
        name: Name,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Option<Withheld> {
        let is_trusted = asker.traits.is_trusted();
        let is_good = is_trusted || asker.speed >= self.target.speed_of_the_fast;
        let Stands::Open {
            since,
            is_rescue,
            passed,
            vain,
        } = self.replica(name)?.stands
        else {
            return Some(Withheld::NothingOpen);
        };
        let is_over = |since: Option<Tick>, ms| since.map_or(0, |since| now.since(since)) >= ms;
        let is_of_lane =
            self.is_of_lane(asker, name, is_over(vain, 1_000)) || is_over(vain, tuning.lane_ms);
        let is_for_the_fast = is_rescue && !is_over(passed, tuning.lane_ms);
        let task = self.task(name.0)?;
        let is_doubted = task.doubted.is_some();
        let is_kept = is_doubted && (task.is_reserved || self.is_kept(task, since, now));
        if task.is_touched_by(asker.account) {
            return Some(Withheld::TouchedByAccount);
        } else if task.excluded.contains(&asker.device) {
            return Some(Withheld::Excluded);
        } else if is_doubted && is_trusted {
            return None;
        } else if is_kept {
            return Some(Withheld::KeptForTheTrusted);
        } else if is_for_the_fast && !is_good {
            // It is passed, for the first time or once more.
            if let Some(Stands::Open { passed, .. }) = self.replica(name).map(|it| &mut it.stands) {
                passed.get_or_insert(now);
            }
            return Some(Withheld::KeptForTheFast);
        }
        (!is_of_lane).then_some(Withheld::OtherLane)
    }

    /// An account found nothing but what others may have. Whether as many did so within the time that a
    /// replica waits for its lane as there are lanes, or the job stands still and has not to wait for
    /// another one.
    fn is_in_vain(&mut self, account: u32, now: Tick, tuning: &Tuning, is_behind: bool) -> bool {
        let Some([lanes, _]) = self.lanes() else {
            return false;
        };
        self.in_vain
            .retain(|(_, at)| now.since(*at) <= tuning.lane_ms);
        // No more are remembered than matter.
        let is_known = self.in_vain.iter().any(|(of, _)| *of == account);
        if is_known || (self.in_vain.len() as u64) < lanes {
            self.in_vain.retain(|(of, _)| *of != account);
            self.in_vain.push((account, now));
        }
        let are_many = self.in_vain.len() as u64 >= lanes;
        are_many || (!is_behind && self.stands_still(now, tuning))
    }

    /// Nothing was taken for twice as long as a task takes, and as long again as a replica waits.
    fn stands_still(&self, now: Tick, tuning: &Tuning) -> bool {
        let two_ms = self.takes_ms(0).saturating_mul(2);
        let until = self.last_taken.plus_ms(two_ms).plus_ms(tuning.lane_ms);
        now > until
    }

    /// A device of this pool takes a replica: in its turn, if that stands in the pool or below.
    fn note_turn(&mut self, name: Name, own: usize, now: Tick) {
        if self.replica(name).is_some_and(|it| it.pool >= own) {
            self.last_taken_in_turn = now;
        }
    }

    /// The pools in which a device may find something: its own and those below; all when nobody found
    /// anything there for as long.
    fn pools_of(&self, asker: &Asker<'_>, now: Tick, tuning: &Tuning) -> std::ops::Range<usize> {
        let two_ms = self.takes_ms(0).saturating_mul(2);
        let until = self.last_taken_in_turn.plus_ms(two_ms);
        let is_in_vain = now > until.plus_ms(tuning.lane_ms);
        let own = self.target.pool_of(asker.rank) as usize;
        match is_in_vain {
            true => 0..self.pools(),
            false => own..self.pools(),
        }
    }

    /// Somebody computes something of it, and it does not stand still.
    pub(in crate::dispatch::tests) fn is_served(&self, now: Tick, tuning: &Tuning) -> bool {
        self.running() > 0 && !self.stands_still(now, tuning)
    }

    /// The first open replica of a task in doubt that a device may have, in the order in which the tasks
    /// wait. To look is not to pass.
    fn doubted_for(&self, asker: &Asker<'_>, now: Tick, tuning: &Tuning) -> Option<Name> {
        let pools = match asker.traits.is_trusted() {
            true => 0..self.pools(),
            false => self.pools_of(asker, now, tuning),
        };
        let of_task = |task: &TaskIndex| {
            let numbered = (0..).zip(&self.task(*task).unwrap().replicas);
            let open = numbered.filter(|(_, it)| it.is_open() && pools.contains(&it.pool));
            let names: Vec<Name> = open.map(|(replica, _)| (*task, replica)).collect();
            names
        };
        let may_have = |name: &Name| {
            let mut as_well = self.clone();
            as_well.why_not(*name, asker, now, tuning).is_none()
        };
        self.in_turn().iter().flat_map(of_task).find(may_have)
    }

    /// What is in doubt first; then the first that the device may have, of its own pool or of those
    /// below, pool by pool; or every reason why it may not have one.
    pub(in crate::dispatch::tests) fn take(
        &mut self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
        is_behind: bool,
    ) -> Result<Given, Vec<Withheld>> {
        if let Some(lack) = self.terms.needs.lacking_in(asker.traits) {
            return Err(vec![Withheld::Lacks(lack)]);
        }
        if self.open() == 0 {
            return Err(vec![Withheld::NothingOpen]);
        }
        let doubted = self.doubted_for(asker, now, tuning);
        let is_wanted = doubted.is_some() && asker.traits.is_trusted();
        let own = self.target.pool_of(asker.rank) as usize;
        if !is_wanted && !self.takes_part(own) {
            return Err(vec![Withheld::OtherLevel]);
        }
        let sooner = self.others_are_sooner(asker, now, tuning);
        if let Some(why) = sooner.filter(|_| !is_wanted) {
            return Err(vec![why]);
        }
        let found_something = |of: &(u32, Tick)| of.0 == asker.account;
        if let Some(name) = doubted {
            self.in_vain.retain(|it| !found_something(it));
            self.note_turn(name, own, now);
            return Ok(self.start(name, asker, now, false));
        }
        let pools = self.pools_of(asker, now, tuning);
        let mut queue: Vec<_> = self
            .all()
            .filter(|(.., it)| it.is_open() && pools.contains(&it.pool))
            .map(|(task, replica, it)| (it.pool, it.turn, (task.number, replica)))
            .collect();
        queue.sort_unstable();
        let (mut reasons, mut of_other_lanes) = (vec![], vec![]);
        for (.., name) in queue {
            let Some(why) = self.why_not(name, asker, now, tuning) else {
                self.in_vain.retain(|it| !found_something(it));
                self.note_turn(name, own, now);
                return Ok(self.start(name, asker, now, false));
            };
            if why == Withheld::OtherLane {
                of_other_lanes.push(name);
            }
            reasons.push(why);
        }
        if self.is_in_vain(asker.account, now, tuning, is_behind) {
            for name in of_other_lanes {
                if let Some(Stands::Open { vain, .. }) = self.replica(name).map(|it| &mut it.stands)
                {
                    vain.get_or_insert(now);
                }
            }
        }
        if reasons.is_empty() {
            reasons.push(Withheld::NothingInPool);
        }
        Err(reasons)
    }

    /// Where nothing is open: one more replica of the first task that takes more than half as long again as
    /// this device would, of those more than five seconds over their time from the longest over it, then
    /// of those within it from the last. Not for one that takes more than twice as long as the fast, while
    /// the slow are spared.
    pub(in crate::dispatch::tests) fn back_up(
        &mut self,
        asker: &Asker<'_>,
        now: Tick,
        tuning: &Tuning,
    ) -> Result<Given, Withheld> {
        let own = self.target.pool_of(asker.rank) as usize;
        let is_for_asker = self.takes_part(own) && self.terms.needs.are_met_by(asker.traits);
        if self.open() > 0 || self.to_come > 0 || self.running() == 0 || !is_for_asker {
            return Err(Withheld::NothingOpen);
        }
        let mine_ms = asker.backlog_ms.saturating_add(self.takes_ms(asker.speed));
        let most_ms = self.fast_ms().saturating_mul(2);
        if mine_ms > most_ms && self.spares_the_slow(now, tuning) {
            return Err(Withheld::FasterComeFirst { mine_ms, most_ms });
        }
        let mut running: Vec<_> = self
            .all()
            .filter_map(|(task, replica, it)| match it.stands {
                Stands::Running { since, end, .. } => Some((end, task.number, replica, since)),
                _ => None,
            })
            .collect();
        running.sort_unstable();
        let is_overdue = |end: &Tick| now.since(*end) > 5_000;
        let overdue = running.iter().filter(|(end, ..)| is_overdue(end));
        let in_time = running.iter().rev().filter(|(end, ..)| *end >= now);
        // One for its lane; of what is overdue by a task's time and as long as a replica waits for a lane,
        // one for others, and when it has waited as long again any.
        let wide_after_ms = tuning.lane_ms.saturating_add(self.takes_ms(0));
        let is_its = |task: &Task, due: Tick| {
            let next = (task.number, task.replicas.len() as ReplicaIndex);
            let is_wide = now.since(due) >= wide_after_ms;
            now.since(due) >= wide_after_ms.saturating_add(tuning.lane_ms)
                || self.is_of_lane(asker, next, is_wide)
        };
        let done_in_ms = mine_ms.saturating_add(self.line_ms(asker));
        let is_late = |end: Tick| 3 * u128::from(done_in_ms) < 2 * u128::from(end.since(now));
        let is_for = |(due, task, _, since): &&(Tick, TaskIndex, ReplicaIndex, Tick)| {
            let task = self.task(*task).unwrap();
            is_late(ends_at(*since, *due, now))
                && is_late(task.answered_at(self.terms.replicas, now))
                && task.may_be_backed_up_by(asker, tuning, !self.trusted.is_empty())
                && is_its(task, *due)
        };
        let task = overdue.chain(in_time).find(is_for);
        let task = task.ok_or(Withheld::NothingOpen)?.1;
        let replica = self.deal(task, false, now).unwrap();
        Ok(self.start((task, replica), asker, now, true))
    }

    fn start(&mut self, name: Name, asker: &Asker<'_>, now: Tick, is_backup: bool) -> Given {
        let (expected_ms, line_ms) = (self.takes_ms(asker.speed), self.line_ms(asker));
        let since = now.plus_ms(asker.backlog_ms);
        self.last_taken = now;
        let it = self.replica(name).unwrap();
        it.by = Some(asker.holder());
        it.stands = Stands::Running {
            since,
            end: since.plus_ms(line_ms.saturating_add(expected_ms)),
            is_backup,
        };
        Given {
            id: ReplicaId {
                job: self.id,
                task: name.0,
                replica: name.1,
            },
            is_backup,
            lanes: self.given_in(asker, name),
            expected_ms,
            line_ms,
        }
    }
}

/// When a replica is finished that is computed since then and was due then: what is over its time is taken
/// to need as long again as it already took.
fn ends_at(since: Tick, due: Tick, now: Tick) -> Tick {
    if due < now {
        now.plus_ms(now.since(since))
    } else {
        due
    }
}

impl Task {
    /// When it has so many answers, or as many as come of what runs if these are fewer.
    fn answered_at(&self, needed: u8, now: Tick) -> Tick {
        let is_answered = |it: &&Replica| it.stands == Stands::Answered;
        let answered = self.replicas.iter().filter(is_answered).count();
        let end = |it: &Replica| match it.stands {
            Stands::Running { since, end, .. } => Some(ends_at(since, end, now)),
            _ => None,
        };
        let mut ends: Vec<Tick> = self.replicas.iter().filter_map(end).collect();
        ends.sort_unstable();
        let missing = usize::from(needed).saturating_sub(answered).max(1);
        ends[missing.min(ends.len()) - 1]
    }

    /// Whether a device may back it up: it is new to the task, of which no trusted device is asked and which
    /// has neither as many backups nor as many replicas as it may have.
    fn may_be_backed_up_by(&self, asker: &Asker<'_>, tuning: &Tuning, are_trusted: bool) -> bool {
        let is_backup = |it: &&Replica| match it.stands {
            Stands::Running { is_backup, .. } => is_backup,
            _ => false,
        };
        let backups = self.replicas.iter().filter(is_backup).count();
        backups < usize::from(tuning.backups_max)
            && self.replicas.len() < 15
            && (self.doubted.is_none() || (!are_trusted && !self.is_reserved && !self.is_answered))
            && self.is_for(asker.holder())
    }
}
