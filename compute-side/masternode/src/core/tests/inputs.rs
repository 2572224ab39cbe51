//! When a job ends because what it reads opens nowhere, told from its log and from who was here.

use super::{
    worker::PORTABLE_ENGINE,
    world::{Habit, JOB, World},
};
use crate::core::{End, Entry, Event, ReleaseCause, Tick};
use proptest::prelude::*;
use quern_primitives::{
    device::Class,
    ids::{AccountId, DeviceId, TaskIndex},
    job::Agreement,
};
use quern_protocol::HandBackReason;
use std::collections::{BTreeMap, BTreeSet};

const TASKS: TaskIndex = 4;

/// How far the clock goes at a time, in milliseconds: less than a device may be silent.
const STEP_MS: u64 = 10_000;
const HALF_A_MINUTE_MS: u64 = 30_000;
const TEN_MINUTES_MS: u64 = 600_000;
const HOUR_MS: u64 = 3_600_000;

/// What may happen, to a device or to all.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Asks(usize, u8),
    Reports(usize),
    CannotOpen(usize),
    GivesBack(usize),
    Goes(usize),
    Comes(usize),
    /// So many steps of the clock.
    Passes(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let worker = 0..Story::DEVICES;
    let few = prop_oneof![6 => 1..5u64, 1 => 55..65u64];
    prop_oneof![
        8 => (worker.clone(), 1..3u8).prop_map(|(worker, want)| Happens::Asks(worker, want)),
        1 => worker.clone().prop_map(Happens::Reports),
        6 => worker.clone().prop_map(Happens::CannotOpen),
        1 => worker.clone().prop_map(Happens::GivesBack),
        1 => worker.clone().prop_map(Happens::Goes),
        3 => worker.prop_map(Happens::Comes),
        4 => few.prop_map(Happens::Passes),
    ]
}

/// What the log tells of a task.
#[derive(Default)]
struct Told {
    /// Accounts of which a device could not open it.
    accounts: BTreeSet<AccountId>,
    /// When the first could not.
    doubted: Option<Tick>,
    /// Replicas that are out.
    out: usize,
    /// Devices that do not get it again.
    excluded: Vec<DeviceId>,
    is_judged: bool,
}

/// Tasks of which one answer is enough, and no device that is trusted.
struct Story {
    world: World,
    /// Which devices are here.
    here: Vec<bool>,
    /// When each entry of the log was written.
    written: Vec<Tick>,
    /// When a task was first seen to wait for one account more that could have it: at all, and when the clock
    /// went on.
    waits: BTreeMap<TaskIndex, (Tick, Option<Tick>)>,
}

impl Story {
    /// Two of one account, four of others, and one that does not compute what the job is.
    const DEVICES: usize = 7;

    fn new() -> Self {
        let mut world = World::new(TASKS, Agreement::Single, &[1, 1, 2, 3, 4, 5]);
        world.join_as(6, Habit::Honest, |worker| {
            worker.engines = vec![(Class::Portable, PORTABLE_ENGINE)];
        });
        world.wait(1_000);
        let written = world.log().map(|_| world.now).collect();
        Self {
            world,
            here: vec![true; Self::DEVICES],
            written,
            waits: BTreeMap::new(),
        }
    }

    fn told(&self, log: &[&Entry], task: TaskIndex) -> Told {
        let mut told = Told::default();
        for (entry, at) in log.iter().zip(&self.written) {
            match entry {
                Entry::Assigned { task: of, .. } if *of == task => told.out += 1,
                Entry::Released {
                    task: of,
                    device,
                    cause,
                    ..
                } if *of == task => {
                    told.out -= 1;
                    if let ReleaseCause::BadInput { .. } = cause {
                        told.accounts.insert(self.account_of(device));
                        told.doubted.get_or_insert(*at);
                    }
                    // Whoever gave it back once may have it again.
                    if *cause != ReleaseCause::HandedBack && *cause != ReleaseCause::Forgotten {
                        told.excluded.push(*device);
                    }
                }
                Entry::Revealed { receipt, .. } if receipt.payload.task == task => told.out -= 1,
                Entry::Judged { verdict } if verdict.task == task => told.is_judged = true,
                _ => {}
            }
        }
        told
    }

    fn account_of(&self, device: &DeviceId) -> AccountId {
        let mut workers = self.world.workers.iter();
        let worker = workers.find(|worker| worker.id() == *device);
        worker.unwrap().account.clone()
    }

    /// Of how many tasks a device said that they do not open, which nobody has judged, and which will still
    /// count in ten minutes.
    fn failures(&self, log: &[&Entry], device: DeviceId) -> usize {
        let mut failed = BTreeSet::new();
        let then = self.world.now.plus_ms(TEN_MINUTES_MS);
        for (entry, at) in log.iter().zip(&self.written) {
            match entry {
                Entry::Released {
                    task,
                    device: by,
                    cause: ReleaseCause::BadInput { .. },
                    ..
                } if *by == device && then.since(*at) < HOUR_MS => {
                    failed.insert(*task);
                }
                Entry::Judged { verdict } => {
                    failed.remove(&verdict.task);
                }
                _ => {}
            }
        }
        failed.len()
    }

    /// Whether somebody is here who could have a task, and whose account did not say that it does not open.
    fn one_more_could_try(&self, log: &[&Entry], told: &Told) -> bool {
        (0..Self::DEVICES).any(|number| {
            let worker = &self.world.workers[number];
            self.here[number]
                && worker
                    .engines
                    .iter()
                    .any(|(class, _)| *class == Class::Pinned)
                && !told.accounts.contains(&worker.account)
                && !told.excluded.contains(&worker.id())
                && self.failures(log, worker.id()) < 3
        })
    }

    /// Whether a job ends for a task that stands like this: nobody has it, it is in doubt for so long that a
    /// trusted device had time to come, and more than two accounts could not open it; or two, and nobody else
    /// is here who could have it or has taken it for ten minutes since it waits.
    fn ends(&self, log: &[&Entry], told: &Told, waits_since: Option<Tick>) -> bool {
        let now = self.world.now;
        let is_over = |since: Tick| now.since(since) >= TEN_MINUTES_MS;
        let is_young = told
            .doubted
            .is_none_or(|since| now.since(since) < HALF_A_MINUTE_MS);
        let is_enough = match told.accounts.len() {
            0 | 1 => false,
            2 => !self.one_more_could_try(log, told) || waits_since.is_some_and(is_over),
            _ => true,
        };
        is_enough && !is_young && !told.is_judged && told.out == 0 && judged(log) < 3
    }

    /// Whether a task waits for one account more that could have it.
    fn waits_for_one_more(&self, log: &[&Entry], told: &Told) -> bool {
        told.accounts.len() == 2
            && told.out == 0
            && !told.is_judged
            && judged(log) < 3
            && self.one_more_could_try(log, told)
    }

    /// Something happened, or the clock went on. False once the job has ended.
    fn observe(&mut self, is_clock: bool) -> bool {
        let log: Vec<Entry> = self.world.log().cloned().collect();
        let log: Vec<&Entry> = log.iter().collect();
        let before = self.written.len();
        self.written.resize(log.len(), self.world.now);
        for end in before..=log.len() {
            let log = &log[..end];
            for task in 0..TASKS {
                let told = self.told(log, task);
                if self.waits_for_one_more(log, &told) {
                    let now = self.world.now;
                    self.waits.entry(task).or_insert((now, None));
                }
            }
        }
        for (place, entry) in log.iter().enumerate().skip(before) {
            match entry {
                Entry::Assigned { task, .. } => {
                    let told = self.told(&log[..place], *task);
                    let is_reserved = told.accounts.len() > 2 && judged(&log[..place]) < 3;
                    assert!(!is_reserved, "task {task} is for trusted devices");
                }
                Entry::Ended {
                    end: End::Unopened { task },
                } => {
                    let told = self.told(&log[..place], *task);
                    let since = self.waits.get(task).map(|(first, _)| *first);
                    let is_right = self.ends(&log[..place], &told, since);
                    assert!(is_right, "task {task} may open, and the job ends");
                    return false;
                }
                _ => {}
            }
        }
        for task in 0..TASKS {
            let told = self.told(&log, task);
            let is_before_the_judge = !told.accounts.is_empty() && !told.is_judged;
            if !is_before_the_judge || judged(&log) >= 3 {
                continue;
            }
            let core = &self.world.core;
            let active = core.jobs.get(&JOB).unwrap();
            let found = core.one_more_could_try(self.world.now, active, task);
            assert_eq!(found, self.one_more_could_try(&log, &told), "task {task}");
            if is_clock {
                let now = self.world.now;
                let is_waiting = self.waits_for_one_more(&log, &told);
                let waits = self.waits.get_mut(&task).filter(|_| is_waiting);
                let since = waits.map(|(_, clock)| *clock.get_or_insert(now));
                assert!(!self.ends(&log, &told, since), "task {task} opens nowhere");
            }
        }
        true
    }

    /// The clock goes on for devices that give signs of life. False once the job has ended.
    fn pass(&mut self) -> bool {
        self.world.wait(STEP_MS);
        let goes_on = self.observe(true);
        for worker in 0..Self::DEVICES {
            if self.here[worker] {
                self.world.ask(worker, 0);
            }
        }
        goes_on && self.observe(false)
    }

    /// False once the job has ended.
    fn happen(&mut self, happens: Happens) -> bool {
        let is_here = |worker: usize| self.here[worker];
        match happens {
            Happens::Asks(worker, want) if is_here(worker) => {
                self.world.ask(worker, want);
            }
            Happens::Reports(worker) if is_here(worker) => self.world.report(worker),
            Happens::CannotOpen(worker) if is_here(worker) => {
                self.world.hand_back(worker, HandBackReason::BadInput);
            }
            Happens::GivesBack(worker) if is_here(worker) => {
                self.world.hand_back(worker, HandBackReason::Stopping);
            }
            Happens::Goes(worker) if is_here(worker) => {
                self.here[worker] = false;
                let device = self.world.workers[worker].id();
                self.world.feed(Event::Gone { device });
            }
            Happens::Comes(worker) if !is_here(worker) => {
                self.here[worker] = true;
                self.world.hello(worker);
            }
            Happens::Passes(steps) => return (0..steps).all(|_| self.pass()),
            _ => {}
        }
        self.observe(false)
    }
}

/// How many tasks have their verdict.
fn judged(log: &[&Entry]) -> usize {
    let is_judged = |entry: &&&Entry| matches!(entry, Entry::Judged { .. });
    log.iter().filter(is_judged).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_job_ends_when_and_only_when_its_whole_story_says_that_a_task_opens_nowhere(
        happenings in prop::collection::vec(happens(), 1..60),
    ) {
        let mut story = Story::new();
        for happening in happenings {
            if !story.happen(happening) {
                break;
            }
        }
    }
}
