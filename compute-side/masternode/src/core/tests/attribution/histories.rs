//! Random histories of a few tasks and devices, a trusted one among them or none: after each thing that happens
//! all that was taken back, given out and held against devices is what the list of all facts says.

use super::{
    facts::{Deed, Did, Facts, Holder, has_passed},
    scene::{Happens, Scene, happens, history_of, scene},
};
use crate::core::{
    End, Entry, Event, ReleaseCause, Tick,
    tests::{
        worker,
        world::{Habit, JOB, World, settings},
    },
};
use proptest::prelude::*;
use quern_grid::dispatch::ReplicaState;
use quern_primitives::{
    ids::{AccountId, DeviceId, ReplicaIndex, TaskIndex},
    job::Agreement,
    receipt::Exit,
    verdict::{Finding, Ground, Verdict},
};
use quern_protocol::{HandBackReason, ReplicaId};
use std::collections::BTreeMap;

const TASKS: u32 = 2;

/// What is due is done so much later at the most, in milliseconds.
const CHECK_MS: u64 = 500;

const TEN_SECONDS_MS: u64 = 10_000;
const FIVE_MINUTES_MS: u64 = 300_000;
const TEN_MINUTES_MS: u64 = 600_000;

/// How long a device has to be here, idle, until every queue knows it, in milliseconds: devices are ranked each
/// half a minute.
const KNOWN_MS: u64 = 31_000;

/// How often devices speak that are alive, in seconds.
const HEARTBEAT_S: u64 = 5;

struct Story {
    world: World,
    agreement: Agreement,
    /// T1 and T2 of every task, in milliseconds.
    timeouts: (u64, u64),
    log: Vec<(Tick, Entry)>,
    deeds: Vec<Deed>,
    accounts: BTreeMap<DeviceId, AccountId>,
    /// How the tasks of each device ended that the chain remembers, each with whether it was a fault, the newest
    /// last.
    earlier: Vec<Vec<bool>>,
    lives: Vec<bool>,
    /// When something last happened before.
    before: Tick,
}

impl Story {
    fn new(scene: Scene) -> Self {
        let mut settings = settings();
        settings.tuning.delayed_percent = 0;
        settings.tuning.stale_percent = 0;
        let (delayed_ms, stale_ms) = scene.timeouts;
        settings.tuning.delayed_ms_min = delayed_ms;
        settings.tuning.stale_ms_min = stale_ms;
        let mut world = World::with(settings, TASKS, scene.agreement, &[]);
        world.ledger.takes = false;
        let mut story = Self {
            log: vec![],
            deeds: vec![],
            accounts: BTreeMap::new(),
            earlier: vec![],
            lives: vec![],
            before: world.now,
            agreement: scene.agreement,
            timeouts: scene.timeouts,
            world,
        };
        story.take_log();
        for (account, is_trusted, faults) in scene.devices {
            let worker = story.world.join_as(account, Habit::Honest, |worker| {
                worker.trusted = is_trusted;
                worker.history = history_of(faults);
            });
            let it = &story.world.workers[worker];
            let (by, account) = (it.id(), it.account.clone());
            story.accounts.insert(by, account);
            let mut earlier = vec![true; faults as usize];
            if faults > 3 {
                earlier.push(false);
            }
            story.earlier.push(earlier);
            story.lives.push(true);
            let (at, log) = (story.world.now, story.log.len());
            let did = Did::Came(vec![]);
            story.deeds.push(Deed { at, by, did, log });
        }
        story.world.wait(1_000);
        story.take_log();
        story
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            log: &self.log,
            deeds: &self.deeds,
            accounts: &self.accounts,
            agreement: self.agreement,
        }
    }

    /// Takes over what was written since, and returns how long the log was.
    fn take_log(&mut self) -> usize {
        let (before, now) = (self.log.len(), self.world.now);
        let new: Vec<Entry> = self.world.log().skip(before).cloned().collect();
        self.log.extend(new.into_iter().map(|entry| (now, entry)));
        before
    }

    fn id(&self, worker: usize) -> DeviceId {
        self.world.workers[worker].id()
    }

    fn worker(&self, device: &DeviceId) -> usize {
        let mut workers = self.world.workers.iter();
        workers.position(|it| it.id() == *device).unwrap()
    }

    fn in_hand_max(&self, facts: &Facts<'_>, device: &DeviceId, now: Tick) -> usize {
        facts.in_hand_max(device, &self.earlier[self.worker(device)], now)
    }

    /// A device does something, which is heard unless the masternode does not know it.
    fn act(
        &mut self,
        worker: usize,
        did: Did,
        act: impl FnOnce(&mut World),
    ) -> Result<(), TestCaseError> {
        let refused = |world: &World| world.workers[worker].refusals.len();
        let (by, at, log) = (self.id(worker), self.world.now, self.log.len());
        let is_known = self.world.core.devices.get(&by).is_some();
        let before = refused(&self.world);
        // It is told of before what follows from it is looked at.
        let deed = Deed { at, by, did, log };
        let is_heard = is_known || matches!(deed.did, Did::Came(_));
        if is_heard {
            self.deeds.push(deed.clone());
        }
        act(&mut self.world);
        let is_refused = refused(&self.world) > before;
        prop_assert!(is_heard != is_refused || matches!(deed.did, Did::Went));
        self.observe(is_heard.then_some(&deed))
    }

    fn happen(&mut self, happens: Happens) -> Result<(), TestCaseError> {
        let count = self.world.workers.len();
        match happens {
            Happens::Asks(who, want) => self.ask(who % count, want),
            Happens::Answers(who, habit) => {
                let who = who % count;
                self.world.workers[who].habit = habit;
                self.world.compute(who);
                self.ask(who, 0)
            }
            Happens::GivesBack(who, reason) => {
                let who = who % count;
                let names = self.world.workers[who].names();
                let did = Did::GaveBack(names, reason);
                self.act(who, did, |world| world.hand_back(who, reason))
            }
            Happens::Loses(who) => {
                self.world.workers[who % count].in_hand.clear();
                Ok(())
            }
            Happens::Goes(who) => {
                let (who, device) = (who % count, self.id(who % count));
                self.act(who, Did::Went, |world| world.feed(Event::Gone { device }))
            }
            Happens::Comes(who) => {
                let who = who % count;
                let it = &self.world.workers[who];
                let reports = it.reports.iter().map(worker::name);
                let names = it.names().into_iter().chain(reports).collect();
                self.act(who, Did::Came(names), |world| world.hello(who))
            }
            Happens::Lives(who, lives) => {
                self.lives[who % count] = lives;
                Ok(())
            }
            Happens::Seconds(seconds) => (1..=seconds).try_for_each(|second| {
                self.pass(1_000)?;
                let is_time = second % HEARTBEAT_S == 0;
                let mut alive = (0..count).filter(|_| is_time);
                alive.try_for_each(|who| match self.lives[who] {
                    true => self.ask(who, 0),
                    false => Ok(()),
                })
            }),
            Happens::Jumps(ms) => self.pass(ms),
        }
    }

    fn ask(&mut self, who: usize, want: u8) -> Result<(), TestCaseError> {
        let did = Did::Spoke(self.world.workers[who].names());
        self.act(who, did, |world| {
            world.ask(who, want);
        })
    }

    fn pass(&mut self, ms: u64) -> Result<(), TestCaseError> {
        self.world.now = self.world.now.plus_ms(ms);
        self.world.feed(Event::Tick);
        self.observe(None)
    }

    /// Something happened, which a device did if it is named.
    fn observe(&mut self, deed: Option<&Deed>) -> Result<(), TestCaseError> {
        let before = self.take_log();
        for place in before..self.log.len() {
            let facts = self.facts().before(place);
            match &self.log[place].1 {
                Entry::Released {
                    task,
                    replica,
                    device,
                    cause,
                } => self.check_loss(&facts, id_of(*task, *replica), device, *cause, deed)?,
                Entry::Assigned {
                    task,
                    replica,
                    device,
                    ..
                } => self.check_gift(&facts, *task, *replica, device)?,
                Entry::Judged { verdict } => self.check_verdict(&facts, verdict)?,
                Entry::Ended { end } => Self::check_end(&facts, *end)?,
                _ => {}
            }
        }
        self.check_standing(deed)?;
        self.before = self.world.now;
        Ok(())
    }

    /// A replica was taken back for a reason that the facts bear out.
    fn check_loss(
        &self,
        facts: &Facts<'_>,
        id: ReplicaId,
        device: &DeviceId,
        cause: ReleaseCause,
        deed: Option<&Deed>,
    ) -> Result<(), TestCaseError> {
        let now = self.world.now;
        let holders = facts.holders(id.task);
        let holder = holders.get(&id.replica);
        let holder = holder.filter(|it| it.device == *device);
        prop_assert!(holder.is_some(), "{id:?} is taken from who has it");
        let holder = holder.unwrap();
        let did = deed.filter(|it| it.by == *device).map(|it| &it.did);
        let gave_back = match did {
            Some(Did::GaveBack(ids, reason)) if ids.contains(&id) => Some(*reason),
            _ => None,
        };
        let has_lost = match did {
            Some(Did::Came(named)) => !named.contains(&id),
            Some(Did::Spoke(_) | Did::GaveBack(..)) => {
                let since = facts.unnamed_since(id, holder, self.timeouts);
                since.is_some_and(|since| has_passed(since, TEN_SECONDS_MS, now))
            }
            _ => false,
        };
        let is_free = |reason: &HandBackReason| {
            matches!(reason, HandBackReason::Stopping | HandBackReason::NoRoom)
        };
        let given_back = gave_back.as_ref().is_some_and(is_free);
        let times = facts.times_given_back(id.task, device);
        let over_ms = self.over_ms();
        let is_so = match cause {
            ReleaseCause::HandedBack => given_back && times < 2,
            ReleaseCause::Forgotten => has_lost && times < 2,
            ReleaseCause::HandedBackOften => (given_back || has_lost) && times == 2,
            ReleaseCause::Late => {
                gave_back == Some(HandBackReason::TooSlow)
                    || facts.is_silent(device, now)
                    || has_passed(holder.since, over_ms, now)
            }
            ReleaseCause::BadInput { trusted } => {
                let is_trusted = self.world.workers[self.worker(device)].trusted;
                gave_back == Some(HandBackReason::BadInput) && trusted == is_trusted
            }
            ReleaseCause::Failed | ReleaseCause::Barred | ReleaseCause::Withheld => false,
        };
        prop_assert!(is_so, "{id:?} of {device} at {now:?}: {cause:?}");
        Ok(())
    }

    /// A replica was given to a device that may have it, of those that may have it before others.
    fn check_gift(
        &self,
        facts: &Facts<'_>,
        task: TaskIndex,
        replica: ReplicaIndex,
        device: &DeviceId,
    ) -> Result<(), TestCaseError> {
        let now = self.world.now;
        prop_assert!(!facts.is_closed(task));
        prop_assert!(usize::from(replica) < facts.replicas(task));
        prop_assert!(!facts.holders(task).contains_key(&replica));
        prop_assert!(facts.answers(task).iter().all(|it| it.0 != replica));
        prop_assert!(!facts.is_excluded(task, device), "{device} lost {task}");
        prop_assert!(
            !facts.is_touched(task, device),
            "two of {task} on one account"
        );
        let in_hand = facts.in_hand(TASKS, device).len();
        let most = self.in_hand_max(facts, device, now);
        prop_assert!(in_hand < most, "{in_hand} of {most} in hand");
        let earlier = &self.earlier[self.worker(device)];
        prop_assert!(
            facts.faulty_tasks(device, earlier) <= 10,
            "it is in quarantine"
        );
        let until = facts.pauses_until(device);
        prop_assert!(until.is_none_or(|until| until <= now.0), "it pauses");
        // What is in doubt is for ten minutes for a trusted device that could have it.
        let since = facts.doubted(task).max(facts.open_since(task, replica));
        let is_kept = facts.doubted(task).is_some()
            && since.is_some_and(|since| !has_passed(since, TEN_MINUTES_MS, now));
        let is_trusted = self.world.workers[self.worker(device)].trusted;
        let could_have_it = self.idle_trusted(facts, task);
        prop_assert!(
            is_trusted || !is_kept || could_have_it.is_empty(),
            "{task} is for {could_have_it:?}"
        );
        Ok(())
    }

    /// Trusted devices that could have a task, and that were here and idle for so long that it is known
    /// everywhere.
    fn idle_trusted(&self, facts: &Facts<'_>, task: TaskIndex) -> Vec<DeviceId> {
        let trusted = self.world.workers.iter().filter(|it| it.trusted);
        let ids = trusted.map(|it| it.id());
        let could_have_it = |device: &DeviceId| {
            let earlier = &self.earlier[self.worker(device)];
            !facts.is_touched(task, device)
                && !facts.is_excluded(task, device)
                && facts.faulty_tasks(device, earlier) <= 10
                && self.idle_since(facts, device).is_some_and(|since| {
                    // Then it was known before what happens now.
                    let was_free = self.in_hand_max(facts, device, since) > 0;
                    was_free && has_passed(since, KNOWN_MS, self.before)
                })
        };
        ids.filter(could_have_it).collect()
    }

    /// Since when a device is here, has nothing in hand and does not pause.
    fn idle_since(&self, facts: &Facts<'_>, device: &DeviceId) -> Option<Tick> {
        if !facts.in_hand(TASKS, device).is_empty() {
            return None;
        }
        let mut here = None;
        let mut last: Option<Tick> = None;
        for deed in self.deeds.iter().filter(|it| it.by == *device) {
            let was_silent = last.is_some_and(|at| has_passed(at, 17_000, deed.at));
            here = match (&deed.did, here) {
                (Did::Went, _) => None,
                (_, Some(since)) if !was_silent => Some(since),
                _ => Some(deed.at),
            };
            last = Some(deed.at);
        }
        let here = here.filter(|_| !facts.is_silent(device, self.world.now))?;
        let is_its = |entry: &Entry| match entry {
            Entry::Assigned { device: by, .. } | Entry::Released { device: by, .. } => by == device,
            Entry::Revealed { receipt, .. } => receipt.payload.device == *device,
            Entry::Judged { verdict } => verdict.replicas.iter().any(|it| it.device == *device),
            _ => false,
        };
        let last = facts.log.iter().rev().find(|(_, entry)| is_its(entry));
        let last = last.map_or(Tick(0), |(at, _)| *at);
        let paused = facts.pauses_until(device).map_or(Tick(0), Tick);
        Some(here.max(last).max(paused))
    }

    /// A verdict finds of each device what it did, and blames nobody before a trusted device that could have
    /// the task had five minutes for it. That a program fails nobody is believed alone.
    fn check_verdict(&self, facts: &Facts<'_>, verdict: &Verdict) -> Result<(), TestCaseError> {
        let (task, answer) = (verdict.task, &verdict.answer);
        prop_assert!(!facts.is_closed(task));
        let found = verdict.replicas.iter().map(|it| (it.device, it.finding));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable_by_key(|(device, finding)| (*device, format!("{finding:?}")));
        prop_assert_eq!(&found, &facts.findings(task, answer));
        let voices = facts.voices(task, answer);
        let others = facts.answers(task).len() - voices;
        prop_assert!(voices > others, "{verdict:?}");
        if answer.exit != Exit::Success {
            prop_assert!(voices >= 2, "on one machine's word");
            return Ok(());
        }
        let is_blame =
            |it: &(DeviceId, Finding)| matches!(it.1, Finding::Incorrect | Finding::Failed);
        let since = facts.doubted(task);
        let is_unheard = found.iter().any(is_blame) && verdict.ground != Ground::Referee;
        let is_early = since.is_some_and(|at| !has_passed(at, FIVE_MINUTES_MS, self.world.now));
        let mut heard = facts.answers(task).into_iter().map(|(_, by, _)| by);
        let is_trusted = |by: DeviceId| self.world.workers[self.worker(&by)].trusted;
        if is_unheard && is_early && !heard.any(is_trusted) {
            let unheard = self.idle_trusted(facts, task);
            prop_assert!(unheard.is_empty(), "{unheard:?} was not asked");
        }
        Ok(())
    }

    /// No job ends because an input does not open on one machine's word.
    fn check_end(facts: &Facts<'_>, end: End) -> Result<(), TestCaseError> {
        if let End::Unopened { task } = end {
            prop_assert!(facts.unopened_by(task) >= 2);
            prop_assert!(facts.answers(task).is_empty() || facts.unopened_by(task) >= 15);
        }
        Ok(())
    }

    fn over_ms(&self) -> u64 {
        let submission = &self.world.ledger.job.submission;
        self.world.settings.replica_ms(submission)
    }

    /// Everything stands as the facts say.
    fn check_standing(&self, deed: Option<&Deed>) -> Result<(), TestCaseError> {
        let facts = self.facts();
        for task in 0..TASKS {
            self.check_task(&facts, task, deed)?;
        }
        for (worker, earlier) in self.world.workers.iter().zip(&self.earlier) {
            let (device, now) = (worker.id(), self.world.now);
            let core = &self.world.core;
            let in_hand = core.devices.get(&device).map(|known| &known.in_hand);
            if let Some(in_hand) = in_hand {
                let in_hand = in_hand.iter().map(|it| (it.task, it.replica));
                let mut in_hand: Vec<_> = in_hand.collect();
                in_hand.sort_unstable();
                prop_assert_eq!(&in_hand, &facts.in_hand(TASKS, &device));
                prop_assert!(in_hand.len() <= 2);
            }
            let fleet = &core.scheduler.fleet;
            let faults = fleet.number(&device).and_then(|it| fleet.faults(it));
            let faults = faults.copied().unwrap();
            let faulty_tasks = facts.faulty_tasks(&device, earlier);
            prop_assert_eq!(faults.faulty_tasks() as usize, faulty_tasks);
            prop_assert_eq!(faults.is_repeated(), faulty_tasks > 10);
            let most = facts.in_hand_max(&device, earlier, now);
            prop_assert_eq!(usize::from(faults.in_hand_max(now)), most);
        }
        Ok(())
    }

    /// What was taken back is open again, as long as the task has no verdict; and nothing is held that should
    /// have been taken back.
    fn check_task(
        &self,
        facts: &Facts<'_>,
        task: TaskIndex,
        deed: Option<&Deed>,
    ) -> Result<(), TestCaseError> {
        let now = self.world.now;
        let states = self.world.core.scheduler.dispatch.replicas(JOB, task);
        if facts.is_closed(task) {
            prop_assert!(states.is_empty());
            return Ok(());
        }
        let (holders, answers) = (facts.holders(task), facts.answers(task));
        prop_assert_eq!(states.len(), facts.replicas(task));
        for (replica, state) in (0..).zip(&states) {
            let is_held = holders.contains_key(&replica);
            let is_answered = answers.iter().any(|it| it.0 == replica);
            let is_so = match state {
                ReplicaState::Open { .. } => !is_held && !is_answered,
                ReplicaState::Running { .. } => is_held && !is_answered,
                ReplicaState::Answered { .. } => !is_held && is_answered,
                ReplicaState::Resting => false,
            };
            prop_assert!(is_so, "{replica} of {task}: {state:?}");
        }
        for (replica, holder) in &holders {
            self.check_held(facts, id_of(task, *replica), holder, deed)?;
            let is_stale = has_passed(holder.since, self.timeouts.1 + CHECK_MS, now);
            let is_rescued = states.len() > facts.first_replicas();
            prop_assert!(
                !is_stale || is_rescued,
                "{task} is stale, and nobody else's"
            );
        }
        Ok(())
    }

    /// Its device speaks, names it if it was asked about it, and its time is not over.
    fn check_held(
        &self,
        facts: &Facts<'_>,
        id: ReplicaId,
        holder: &Holder,
        deed: Option<&Deed>,
    ) -> Result<(), TestCaseError> {
        let now = self.world.now;
        let over_ms = self.over_ms().saturating_add(CHECK_MS);
        prop_assert!(!has_passed(holder.since, over_ms, now) || now.0 == u64::MAX);
        let last = facts.last_sign(&holder.device).unwrap();
        prop_assert!(!has_passed(last, 17_000 + CHECK_MS, now) || now.0 == u64::MAX);
        let spoke = deed.filter(|it| it.by == holder.device && it.log > holder.place);
        if spoke.is_some_and(|it| matches!(it.did, Did::Spoke(_) | Did::GaveBack(..))) {
            let (delayed_ms, stale_ms) = self.timeouts;
            let late = (delayed_ms + CHECK_MS, stale_ms + CHECK_MS);
            let since = facts.unnamed_since(id, holder, late);
            let is_lost = since.is_some_and(|since| has_passed(since, TEN_SECONDS_MS, now));
            prop_assert!(!is_lost, "{id:?} is lost");
        }
        Ok(())
    }
}

fn id_of(task: TaskIndex, replica: ReplicaIndex) -> ReplicaId {
    ReplicaId {
        job: JOB,
        task,
        replica,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn who_is_blamed_and_what_is_taken_back_and_given_out_is_what_all_facts_say(
        scene in scene(),
        happenings in prop::collection::vec(happens(), 1..60),
    ) {
        let mut story = Story::new(scene);
        for happening in happenings {
            story.happen(happening)?;
        }
    }
}
