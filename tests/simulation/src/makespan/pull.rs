//! Devices that pull from the scheduler.

use super::grid::{Course, FETCH_MS, Grid, SILENCE_MS};
use crate::clock::Clock;
use quern_grid::{
    Asker, Dispatch, Ending, Flag, Fleet, FleetSettings, Given, JobTerms, Tick, Tuning,
    measure::Readings,
    needs::{Needs, Profile},
    pools::Target,
};
use quern_primitives::{
    device::Class,
    ids::{AccountId, DeviceId, JobId, ReplicaIndex, TaskIndex},
    job::ByteLevel,
};
use std::collections::{BTreeSet, VecDeque};

const JOB: JobId = JobId([1; 32]);

/// How often devices are ranked, in milliseconds.
const RANK_MS: u64 = 30_000;

/// How soon an idle device asks again, in milliseconds.
const ASK_AGAIN_MS: u64 = 1_000;

enum Event {
    /// An idle device asks.
    Ask(u32),
    /// A device is done with what it ran, or failed.
    Ends {
        device: u32,
        life: u32,
        answers: bool,
    },
    /// A device goes away for so long.
    GoesAway { device: u32, life: u32, for_ms: u64 },
    /// The masternode misses a device.
    Missed { device: u32, life: u32 },
    /// A device comes back.
    ComesBack(u32),
    /// Devices are ranked.
    Rank,
}

/// A device as it is now.
#[derive(Clone, Default)]
struct Worker {
    /// What it holds; the first runs.
    in_hand: VecDeque<(TaskIndex, ReplicaIndex)>,
    /// When the first will end, as far as anybody can tell.
    expected_end: Tick,
    /// Counts its absences, so that what was planned before one is not done after it.
    life: u32,
    is_away: bool,
    /// Whether it is waiting to ask again.
    waits: bool,
}

struct Run {
    grid: Grid,
    clock: Clock<Event>,
    fleet: Fleet,
    dispatch: Dispatch,
    workers: Vec<Worker>,
    accounts: Vec<AccountId>,
    open: BTreeSet<TaskIndex>,
}

pub(super) fn run(grid: Grid, tasks: u32, tuning: Tuning) -> (u64, u64, u64) {
    let mut run = Run::new(grid, tuning);
    run.begin(tasks);
    while let Some(event) = run.clock.advance() {
        run.happens(event);
        if run.open.is_empty() {
            break;
        }
    }
    (run.clock.now().0, run.grid.executions, run.grid.history())
}

impl Run {
    fn new(grid: Grid, tuning: Tuning) -> Self {
        let mut fleet = Fleet::new(FleetSettings::default());
        let mut accounts = Vec::new();
        for (number, spec) in (0u32..).zip(&grid.devices) {
            let mut name = [0; 32];
            name[..4].copy_from_slice(&number.to_be_bytes());
            let profile = Profile {
                hardware: spec.hardware,
                classes: vec![Class::Pinned],
                ..Profile::default()
            };
            let account = AccountId::new(name);
            // There are as many devices as were asked for, which is fewer than a fleet takes.
            if let Ok(known) = fleet.admit(DeviceId(name), &account, &profile) {
                let readings = Readings {
                    processor_rate: Some(spec.measured),
                    ..Readings::default()
                };
                fleet.update(known, Tick(0), &readings);
            }
            accounts.push(account);
        }
        Self {
            workers: vec![Worker::default(); grid.devices.len()],
            grid,
            clock: Clock::default(),
            fleet,
            dispatch: Dispatch::new(tuning),
            accounts,
            open: BTreeSet::new(),
        }
    }

    fn begin(&mut self, tasks: u32) {
        self.fleet.rank(Tick(0));
        let terms = JobTerms {
            level: ByteLevel::Balanced,
            needs: Needs::default(),
            replicas: 1,
            work: self.grid.work as u64,
            seed: [0; 32],
        };
        let target = self.target();
        self.dispatch
            .add_job(JOB, terms, target, self.fleet.accounts());
        for task in 0..tasks {
            self.dispatch.push(JOB, task, Tick(0));
            self.open.insert(task);
        }
        for device in 0..self.workers.len() as u32 {
            self.ask_later(device, 0);
        }
        self.clock.plan(RANK_MS, Event::Rank);
    }

    fn target(&self) -> Target {
        let limits = self.dispatch.tuning().pool_limits();
        Target::of(self.fleet.ranking(), &Needs::default(), &limits)
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Ask(device) => {
                self.workers[device as usize].waits = false;
                self.ask(device);
            }
            Event::Ends {
                device,
                life,
                answers,
            } if self.workers[device as usize].life == life => self.ends(device, answers),
            Event::GoesAway {
                device,
                life,
                for_ms,
            } if self.workers[device as usize].life == life => {
                let worker = &mut self.workers[device as usize];
                worker.is_away = true;
                worker.life += 1;
                let life = worker.life;
                self.clock.plan(for_ms, Event::ComesBack(device));
                self.clock.plan(SILENCE_MS, Event::Missed { device, life });
            }
            Event::Missed { device, life } if self.workers[device as usize].life == life => {
                self.loses_all(device);
                self.fleet.set_flags(device, [(Flag::Disconnected, true)]);
            }
            Event::ComesBack(device) => {
                // It comes back without what it had.
                self.loses_all(device);
                let worker = &mut self.workers[device as usize];
                worker.is_away = false;
                worker.life += 1;
                self.fleet.set_flags(device, [(Flag::Disconnected, false)]);
                self.ask(device);
            }
            Event::Rank => {
                self.fleet.rank(self.clock.now());
                let target = self.target();
                self.dispatch.retarget(JOB, target);
                self.clock.plan(RANK_MS, Event::Rank);
            }
            // What was planned before an absence.
            Event::Ends { .. } | Event::GoesAway { .. } | Event::Missed { .. } => {}
        }
    }

    fn loses_all(&mut self, device: u32) {
        let now = self.clock.now();
        let held = std::mem::take(&mut self.workers[device as usize].in_hand);
        for (task, replica) in held {
            if self.open.contains(&task) {
                self.dispatch.release((JOB, task, replica), true, now);
                self.fleet.note(device, now, Ending::DELAYED);
            }
        }
    }

    fn ends(&mut self, device: u32, answers: bool) {
        let now = self.clock.now();
        let Some((task, replica)) = self.workers[device as usize].in_hand.pop_front() else {
            return;
        };
        self.grid.record([
            now.0,
            device.into(),
            u64::from(task) << 1 | u64::from(answers),
        ]);
        if answers {
            self.dispatch
                .finish(JOB, task, replica, self.grid.work as u64);
            self.fleet.note(device, now, Ending::COMPLETED);
            if self.open.remove(&task) {
                self.dispatch.close(JOB, task);
            }
        } else {
            self.fleet.note(device, now, Ending::FAILED);
            if self.open.contains(&task) {
                self.dispatch.release((JOB, task, replica), true, now);
            }
        }
        self.run_next(device, 0);
        self.ask(device);
    }

    /// Starts what it holds, unless somebody else has answered that meanwhile.
    fn run_next(&mut self, device: u32, fetch_ms: u64) {
        let worker = &mut self.workers[device as usize];
        while let Some((task, _)) = worker.in_hand.front() {
            if self.open.contains(task) {
                break;
            }
            worker.in_hand.pop_front();
        }
        if worker.in_hand.is_empty() {
            return;
        }
        let life = worker.life;
        let takes = self.grid.work / self.grid.devices[device as usize].measured;
        let worker = &mut self.workers[device as usize];
        worker.expected_end = self.clock.now().plus_ms(fetch_ms + takes as u64);
        match self.grid.execute(device) {
            Course::Answers { after_ms } => {
                let answers = true;
                self.clock.plan(
                    fetch_ms + after_ms,
                    Event::Ends {
                        device,
                        life,
                        answers,
                    },
                );
            }
            Course::Fails { after_ms } => {
                let answers = false;
                self.clock.plan(
                    fetch_ms + after_ms,
                    Event::Ends {
                        device,
                        life,
                        answers,
                    },
                );
            }
            Course::GoesAway { after_ms, for_ms } => {
                let event = Event::GoesAway {
                    device,
                    life,
                    for_ms,
                };
                self.clock.plan(fetch_ms + after_ms, event);
            }
        }
    }

    fn ask(&mut self, device: u32) {
        if self.workers[device as usize].is_away {
            return;
        }
        let now = self.clock.now();
        let most = usize::from(self.fleet.in_hand_max(device, now));
        while self.workers[device as usize].in_hand.len() < most {
            let Some(given) = self.take(device) else {
                break;
            };
            let worker = &mut self.workers[device as usize];
            worker.in_hand.push_back((given.task, given.replica));
            if worker.in_hand.len() == 1 {
                self.run_next(device, FETCH_MS);
            }
        }
        if self.workers[device as usize].in_hand.is_empty() {
            self.ask_later(device, ASK_AGAIN_MS);
        }
    }

    fn take(&mut self, device: u32) -> Option<Given> {
        let now = self.clock.now();
        let worker = &self.workers[device as usize];
        let backlog_ms = match worker.in_hand.is_empty() {
            true => FETCH_MS,
            false => worker.expected_end.since(now),
        };
        let asker = Asker {
            device,
            account: device,
            account_id: &self.accounts[device as usize],
            traits: self.fleet.traits(device),
            rank: self.fleet.rank_of(device),
            speed: self.fleet.speed(device),
            backlog_ms,
        };
        self.dispatch.take(&asker, now).ok()
    }

    fn ask_later(&mut self, device: u32, in_ms: u64) {
        let worker = &mut self.workers[device as usize];
        if !worker.waits {
            worker.waits = true;
            self.clock.plan(in_ms, Event::Ask(device));
        }
    }
}
