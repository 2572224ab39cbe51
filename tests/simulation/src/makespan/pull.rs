//! Devices that pull from the scheduler.

use super::grid::{Course, FETCH_MS, Grid, Halt, SILENCE_MS};
use crate::clock::Clock;
use quern_grid::{
    Asker, Dispatch, Ending, Flag, Fleet, FleetSettings, Given, JobTerms, Score, Tick, Tuning,
    dispatch::ReplicaState,
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

/// When a job is given up, in milliseconds: after a week.
const GIVEN_UP_MS: u64 = 7 * 24 * 60 * 60_000;

/// How many times the fuel that a task uses it may use.
const FUEL_MAX_TIMES: u64 = 4;

/// Fuel per millisecond of the slowest useful device, and the time that a replica has at the least in
/// milliseconds; as masternodes have them.
const SLOWEST_SPEED: u64 = 1_000_000;
const REPLICA_MS_MIN: u64 = 60_000;

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
    /// What a device runs halts.
    Halts { device: u32, life: u32, halt: Halt },
    /// It goes on by itself.
    GoesOn { device: u32, life: u32 },
    /// A timeout of a replica has come.
    Lapses {
        device: u32,
        replica: (TaskIndex, ReplicaIndex),
        lapse: Lapse,
    },
    /// Devices are ranked.
    Rank,
}

/// Timeouts of a replica.
#[derive(Clone, Copy)]
enum Lapse {
    /// T1: without a step forward for so long, its device is asked again.
    Delayed,
    /// T2: somebody else gets the task as well.
    Stale,
    /// Its device loses it.
    Over,
}

/// A replica that a device holds.
#[derive(Clone, Copy)]
struct Held {
    task: TaskIndex,
    replica: ReplicaIndex,
    /// Its last step forward: that it was given, or that it began to run.
    stepped: Tick,
    /// T1, in milliseconds.
    delayed_ms: u64,
}

impl Held {
    fn is(&self, replica: (TaskIndex, ReplicaIndex)) -> bool {
        (self.task, self.replica) == replica
    }
}

/// A device as it is now.
#[derive(Clone, Default)]
struct Worker {
    /// What it holds; the first runs.
    in_hand: VecDeque<Held>,
    /// When the first will end, as far as anybody can tell.
    expected_end: Tick,
    /// Counts its absences and other breaks, so that what was planned before one is not done after
    /// it.
    life: u32,
    is_away: bool,
    /// How it goes on if what it ran has halted, and which replica that was.
    halted: Option<(Halt, (TaskIndex, ReplicaIndex))>,
    /// Whether it is waiting to ask again.
    waits: bool,
}

struct Run<'a> {
    grid: &'a mut Grid,
    clock: Clock<Event>,
    fleet: Fleet,
    dispatch: Dispatch,
    workers: Vec<Worker>,
    accounts: Vec<AccountId>,
    open: BTreeSet<TaskIndex>,
    asked_again: u64,
}

/// Returns the makespan in milliseconds and how often devices were asked again.
pub(super) fn run(grid: &mut Grid, tasks: u32, tuning: Tuning) -> (u64, u64) {
    let mut run = Run::new(grid, tuning);
    run.begin(tasks);
    while let Some(event) = run.clock.advance() {
        run.happens(event);
        if run.open.is_empty() || run.clock.now().0 > GIVEN_UP_MS {
            break;
        }
    }
    (run.clock.now().0, run.asked_again)
}

/// The capacity scores that the scheduler sees, lowest first.
pub(super) fn capacities(grid: &mut Grid) -> Vec<Score> {
    let run = Run::new(grid, Tuning::default());
    let devices = 0..run.workers.len() as u32;
    let mut scores: Vec<_> = devices
        .filter_map(|device| Some(run.fleet.report(device, Tick(0))?.score))
        .collect();
    scores.sort_unstable();
    scores
}

impl<'a> Run<'a> {
    fn new(grid: &'a mut Grid, tuning: Tuning) -> Self {
        let mut fleet = Fleet::new(FleetSettings::default());
        let mut accounts = Vec::new();
        let devices = grid.devices.iter().zip(&grid.readings);
        for (number, (spec, known)) in (0u32..).zip(devices) {
            let mut name = [0; 32];
            name[..4].copy_from_slice(&number.to_be_bytes());
            let profile = Profile {
                hardware: spec.hardware,
                classes: vec![Class::Pinned],
                ..Profile::default()
            };
            let account = AccountId::new(name);
            // There are as many devices as were asked for, which is fewer than a fleet takes.
            if let Ok(device) = fleet.admit(DeviceId(name), &account, &profile) {
                let readings = Readings {
                    processor_rate: Some(spec.measured),
                    ..*known
                };
                fleet.update(device, Tick(0), &readings);
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
            asked_again: 0,
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
            Event::Halts { device, life, halt } if self.workers[device as usize].life == life => {
                let worker = &mut self.workers[device as usize];
                if let Some(held) = worker.in_hand.front() {
                    worker.halted = Some((halt, (held.task, held.replica)));
                    let event = Event::GoesOn { device, life };
                    self.clock.plan(halt.for_ms, event);
                }
            }
            Event::GoesOn { device, life } if self.workers[device as usize].life == life => {
                self.goes_on(device);
            }
            Event::Lapses {
                device,
                replica,
                lapse,
            } => self.lapses(device, replica, lapse),
            Event::Rank => {
                self.fleet.rank(self.clock.now());
                let target = self.target();
                self.dispatch.retarget(JOB, target, self.fleet.accounts());
                self.clock.plan(RANK_MS, Event::Rank);
            }
            // What was planned before an absence or another break.
            Event::Ends { .. }
            | Event::GoesAway { .. }
            | Event::Missed { .. }
            | Event::Halts { .. }
            | Event::GoesOn { .. } => {}
        }
    }

    /// What had halted goes on, or what comes after it if the device lost it meanwhile.
    fn goes_on(&mut self, device: u32) {
        let worker = &mut self.workers[device as usize];
        worker.life += 1;
        let life = worker.life;
        let Some((halt, replica)) = worker.halted.take() else {
            return;
        };
        let held = worker.in_hand.front();
        if held.is_some_and(|held| held.is(replica)) {
            let answers = true;
            let event = Event::Ends {
                device,
                life,
                answers,
            };
            self.clock.plan(halt.rest_ms, event);
        } else {
            self.run_next(device, 0);
            self.ask(device);
        }
    }

    /// As masternodes do it: a delayed replica's device is asked again, a stale one's task goes to a
    /// fast device as well, and only when its time is over a device loses it.
    fn lapses(&mut self, device: u32, replica: (TaskIndex, ReplicaIndex), lapse: Lapse) {
        let now = self.clock.now();
        let worker = &mut self.workers[device as usize];
        let place = worker.in_hand.iter().position(|held| held.is(replica));
        let Some(place) = place.filter(|_| self.open.contains(&replica.0)) else {
            return;
        };
        let held = worker.in_hand[place];
        match lapse {
            // It has made a step forward since.
            Lapse::Delayed if now < held.stepped.plus_ms(held.delayed_ms) => {}
            Lapse::Delayed => {
                self.asked_again += 1;
                let halted = worker
                    .halted
                    .filter(|(halt, it)| halt.heeds && *it == replica);
                if halted.is_some() {
                    self.goes_on(device);
                }
            }
            Lapse::Stale => {
                let replicas = self.dispatch.replicas(JOB, replica.0);
                let is_helped = replicas.iter().any(|state| match state {
                    ReplicaState::Open { .. } => true,
                    ReplicaState::Running { is_backup, .. } => *is_backup,
                    ReplicaState::Answered { .. } | ReplicaState::Resting => false,
                });
                if !is_helped {
                    self.dispatch.rescue(JOB, replica.0, now);
                }
            }
            Lapse::Over => {
                worker.in_hand.remove(place);
                let runs_next = place == 0 && !worker.is_away && worker.halted.is_none();
                self.dispatch
                    .release((JOB, replica.0, replica.1), true, now);
                self.fleet.note(device, now, Ending::DELAYED);
                if runs_next {
                    self.workers[device as usize].life += 1;
                    self.run_next(device, 0);
                    self.ask(device);
                }
            }
        }
    }

    /// Plans a replica's timeouts, where executions stall.
    fn watch(&mut self, device: u32, given: &Given) {
        if !self.grid.stalls() {
            return;
        }
        let fuel_max = FUEL_MAX_TIMES.saturating_mul(self.grid.work as u64);
        let over_ms = REPLICA_MS_MIN.saturating_add(fuel_max / SLOWEST_SPEED);
        let lapses = [
            (given.timeouts.delayed_ms, Lapse::Delayed),
            (given.timeouts.stale_ms, Lapse::Stale),
            (over_ms, Lapse::Over),
        ];
        for (in_ms, lapse) in lapses {
            let replica = (given.task, given.replica);
            let event = Event::Lapses {
                device,
                replica,
                lapse,
            };
            self.clock.plan(in_ms.min(over_ms), event);
        }
    }

    fn loses_all(&mut self, device: u32) {
        let now = self.clock.now();
        let held = std::mem::take(&mut self.workers[device as usize].in_hand);
        for Held { task, replica, .. } in held {
            if self.open.contains(&task) {
                self.dispatch.release((JOB, task, replica), true, now);
                self.fleet.note(device, now, Ending::DELAYED);
            }
        }
    }

    fn ends(&mut self, device: u32, answers: bool) {
        let now = self.clock.now();
        let Some(held) = self.workers[device as usize].in_hand.pop_front() else {
            return;
        };
        let Held { task, replica, .. } = held;
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
        while let Some(held) = worker.in_hand.front() {
            if self.open.contains(&held.task) {
                break;
            }
            worker.in_hand.pop_front();
        }
        let Some(held) = worker.in_hand.front_mut() else {
            return;
        };
        held.stepped = self.clock.now().plus_ms(fetch_ms);
        let (replica, delayed_ms) = ((held.task, held.replica), held.delayed_ms);
        let life = worker.life;
        let takes = self.grid.work / self.grid.devices[device as usize].measured;
        let worker = &mut self.workers[device as usize];
        worker.expected_end = self.clock.now().plus_ms(fetch_ms + takes as u64);
        if self.grid.stalls() {
            let event = Event::Lapses {
                device,
                replica,
                lapse: Lapse::Delayed,
            };
            self.clock.plan(fetch_ms.saturating_add(delayed_ms), event);
        }
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
            Course::Halts { after_ms, halt } => {
                let event = Event::Halts { device, life, halt };
                self.clock.plan(fetch_ms + after_ms, event);
            }
        }
    }

    fn ask(&mut self, device: u32) {
        let worker = &self.workers[device as usize];
        if worker.is_away || worker.halted.is_some() {
            return;
        }
        let now = self.clock.now();
        let most = usize::from(self.fleet.in_hand_max(device, now));
        while self.workers[device as usize].in_hand.len() < most {
            let Some(given) = self.take(device) else {
                break;
            };
            self.watch(device, &given);
            let worker = &mut self.workers[device as usize];
            worker.in_hand.push_back(Held {
                task: given.task,
                replica: given.replica,
                stepped: now,
                delayed_ms: given.timeouts.delayed_ms,
            });
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
