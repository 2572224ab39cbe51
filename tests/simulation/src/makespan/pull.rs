//! Devices that pull from the scheduler.
//!
//! What decides is what masternodes run: ranking, pools and queues of `compute-side/grid` with the
//! rules for who gets what, for backups and for rescues, and the core's own watch over replicas that are
//! out. Here stands only what the core does between them: it asks a delayed replica's device again,
//! opens one more of a stale task, takes back what is over its time or went with its device, blames
//! nobody before the task's verdict, and has all others drop a task that has one.

use super::grid::{Course, FETCH_MS, Grid, Halt, SILENCE_MS};
use crate::{clock::Clock, population};
use quern_grid::{
    Asker, Dispatch, Ending, Flag, Fleet, JobTerms, LineSpeed, Score, TaskBytes, Tick, Tuning,
    dispatch::ReplicaState,
    measure::Readings,
    needs::{Needs, Profile},
};
use quern_masternode::core::{Engines, Lapse, Settings, Watch};
use quern_primitives::{
    device::Class,
    ids::{AccountId, DeviceId, Digest, GenesisHash, JobId, NodeKey, ReplicaId, TaskIndex},
    job::ByteLevel,
};
use quern_protocol::Stage;
use std::collections::{BTreeMap, VecDeque};

const JOB: JobId = JobId([1; 32]);

/// How often devices are ranked at the least, in milliseconds.
const RANK_MS: u64 = 30_000;

/// How soon after a ranking the next may follow, in milliseconds.
const RANK_AGAIN_MS: u64 = 1_000;

/// How soon an idle device asks again, in milliseconds.
const ASK_AGAIN_MS: u64 = 1_000;

/// When a job is given up, in milliseconds: after a week.
const GIVEN_UP_MS: u64 = 7 * 24 * 60 * 60_000;

/// How many times the fuel that a task uses it may use; where tasks differ the mean, unless the largest
/// uses more. Until some are finished that is what a masternode knows of how long tasks take.
const FUEL_MAX_TIMES: u64 = 4;

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
    /// A device was asked for a replica that it knows nothing of, and has not named it since.
    Unnamed { device: u32, id: ReplicaId },
    /// A replica that a device holds is to be looked at.
    Look { device: u32, id: ReplicaId },
    /// Devices are ranked.
    Rank,
}

/// A replica that a device holds.
#[derive(Clone, Copy)]
struct Held {
    id: ReplicaId,
    watch: Watch,
    /// When it is looked at, as planned.
    look: Tick,
}

/// A device as it is now.
#[derive(Clone, Default)]
struct Worker {
    /// What it holds; the first runs.
    in_hand: VecDeque<Held>,
    /// Counts its absences and other breaks, so that what was planned before one is not done after
    /// it.
    life: u32,
    is_away: bool,
    /// How it goes on if what it ran has halted, and which replica that was.
    halted: Option<(Halt, ReplicaId)>,
    /// Whether it is waiting to ask again.
    waits: bool,
}

struct Run<'a> {
    grid: &'a mut Grid,
    clock: Clock<Event>,
    fleet: Fleet,
    dispatch: Dispatch,
    last_ranked: Tick,
    /// When devices are ranked next.
    rank_due: Tick,
    workers: Vec<Worker>,
    /// How long a device may have a replica by itself, in milliseconds.
    replica_ms: u64,
    /// Answers that each task needs.
    replicas: u8,
    /// Tasks without a verdict.
    left: u32,
    /// Who answered tasks without a verdict.
    answered: BTreeMap<TaskIndex, Vec<u32>>,
    /// Who failed on tasks without a verdict, and how.
    blamed: BTreeMap<TaskIndex, Vec<(u32, Ending)>>,
    asked_again: u64,
}

/// A job of so many tasks, each with so many replicas. Returns the makespan in milliseconds and how
/// often devices were asked again.
pub(super) fn run(grid: &mut Grid, (tasks, replicas): (u32, u8), tuning: Tuning) -> (u64, u64) {
    let mut run = Run::new(grid, tuning);
    run.replicas = replicas;
    run.begin(tasks);
    while let Some(event) = run.clock.advance() {
        run.happens(event);
        if run.left == 0 || run.clock.now().0 > GIVEN_UP_MS {
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
        let mut fleet = Fleet::new(population::fleet_settings());
        let devices = grid.devices.iter().zip(&grid.readings);
        for (number, (spec, known)) in (0u32..).zip(devices) {
            let name = |number: u32| {
                let mut name = [0; 32];
                name[..4].copy_from_slice(&number.to_be_bytes());
                name
            };
            let is_of_the_firm = number < grid.firm;
            let profile = Profile {
                hardware: spec.hardware,
                classes: vec![Class::Pinned],
                ..Profile::default()
            };
            let account = AccountId::new(name(if is_of_the_firm { 0 } else { number }));
            // There are as many devices as were asked for, which is fewer than a fleet takes.
            if let Ok(device) = fleet.admit(DeviceId(name(number)), &account, &profile) {
                let readings = Readings {
                    processor_rate: Some(spec.measured),
                    ..*known
                };
                fleet.update(device, Tick(0), &readings);
            }
        }
        Self {
            workers: vec![Worker::default(); grid.devices.len()],
            replica_ms: computing_ms(fuel_max(grid)),
            grid,
            clock: Clock::default(),
            fleet,
            dispatch: Dispatch::new(tuning),
            last_ranked: Tick(0),
            rank_due: Tick(0),
            replicas: 1,
            left: 0,
            answered: BTreeMap::new(),
            blamed: BTreeMap::new(),
            asked_again: 0,
        }
    }

    fn begin(&mut self, tasks: u32) {
        self.rank();
        // All pools take part: the other policies may use all devices.
        let terms = JobTerms {
            level: ByteLevel::High,
            needs: Needs::default(),
            replicas: self.replicas,
            work: fuel_max(self.grid),
            // Nothing goes over a line here but in the time that fetching takes.
            bytes: TaskBytes::default(),
            seed: [0; 32],
        };
        let limits = self.dispatch.tuning().pool_limits();
        let (target, accounts) = self.fleet.target_for(&terms, &limits);
        self.dispatch.add_job(JOB, terms, target, accounts);
        for task in 0..tasks {
            self.dispatch.push(JOB, task, Tick(0));
        }
        self.left = tasks;
        for device in 0..self.workers.len() as u32 {
            self.ask_later(device, 0);
        }
    }

    /// Ranks the devices, and plans when they are ranked again.
    fn rank(&mut self) {
        let now = self.clock.now();
        self.fleet.rank(now);
        self.dispatch.ranked(self.fleet.ranking().len());
        self.last_ranked = now;
        self.rank_due = now.plus_ms(RANK_MS);
        self.clock.plan(RANK_MS, Event::Rank);
    }

    /// Something changed that the ranking depends on.
    fn changed(&mut self) {
        let now = self.clock.now();
        let soonest = self.last_ranked.plus_ms(RANK_AGAIN_MS).max(now);
        if soonest < self.rank_due {
            self.rank_due = soonest;
            self.clock.plan(soonest.since(now), Event::Rank);
        }
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
                self.loses_all(device, Some(Ending::DELAYED));
                self.fleet.set_flags(device, [(Flag::Disconnected, true)]);
                self.changed();
            }
            Event::ComesBack(device) => {
                // It comes back without what it had; before it was missed that is no fault.
                self.loses_all(device, None);
                let worker = &mut self.workers[device as usize];
                worker.is_away = false;
                worker.life += 1;
                self.fleet.set_flags(device, [(Flag::Disconnected, false)]);
                self.changed();
                self.ask(device);
            }
            Event::Halts { device, life, halt } if self.workers[device as usize].life == life => {
                let worker = &mut self.workers[device as usize];
                if let Some(held) = worker.in_hand.front() {
                    worker.halted = Some((halt, held.id));
                    let event = Event::GoesOn { device, life };
                    self.clock.plan(halt.for_ms, event);
                }
            }
            Event::GoesOn { device, life } if self.workers[device as usize].life == life => {
                self.goes_on(device);
            }
            Event::Unnamed { device, id } => self.unnamed(device, id),
            Event::Look { device, id } => self.look(device, id),
            Event::Rank if self.clock.now() == self.rank_due => self.rank(),
            // What was planned before an absence, another break or another ranking.
            Event::Rank
            | Event::Ends { .. }
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
        let Some((halt, id)) = worker.halted.take() else {
            return;
        };
        let held = worker.in_hand.front();
        if held.is_some_and(|held| held.id == id) {
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

    /// Looks at a replica that is out. Only when its time is over its device loses it.
    fn look(&mut self, device: u32, id: ReplicaId) {
        let now = self.clock.now();
        let in_hand = &mut self.workers[device as usize].in_hand;
        let is_meant = |held: &Held| held.id == id && held.look == now;
        let Some(place) = in_hand.iter().position(is_meant) else {
            // The device has it no more, or it is looked at some other time.
            return;
        };
        let watch = &mut in_hand[place].watch;
        let lapse = match watch.next <= now {
            true => watch.look(now),
            false => Lapse::None,
        };
        if lapse != Lapse::Over {
            self.plan_look(device, place);
        }
        match lapse {
            Lapse::None => {}
            Lapse::Delayed => {
                self.asked_again += 1;
                if self.has_lost(device, id) {
                    self.clock
                        .plan(Watch::UNNAMED_MS, Event::Unnamed { device, id });
                }
            }
            Lapse::Stale => {
                self.dispatch.rescue(JOB, id.task, now);
            }
            Lapse::Over => {
                self.take_back(device, id, Some(Ending::DELAYED));
                self.drops(device, place);
            }
        }
    }

    /// Whether a device knows nothing of a replica any more that it was given.
    fn has_lost(&self, device: u32, id: ReplicaId) -> bool {
        let halted = self.workers[device as usize].halted;
        halted.is_some_and(|(halt, halted)| halt.is_lost && halted == id)
    }

    /// It is taken back without blame, if it is still out.
    fn unnamed(&mut self, device: u32, id: ReplicaId) {
        let in_hand = &self.workers[device as usize].in_hand;
        let place = in_hand.iter().position(|held| held.id == id);
        if let Some(place) = place.filter(|_| self.has_lost(device, id)) {
            self.take_back(device, id, None);
            self.drops(device, place);
        }
    }

    /// Plans when a replica is looked at next.
    fn plan_look(&mut self, device: u32, place: usize) {
        let held = &mut self.workers[device as usize].in_hand[place];
        held.look = held.watch.next;
        let (in_ms, id) = (held.look.since(self.clock.now()), held.id);
        self.clock.plan(in_ms, Event::Look { device, id });
    }

    /// A device is told to drop what it holds at this place. One that has halted with it, and knows of it,
    /// goes on with the next only when it goes on by itself.
    fn drops(&mut self, device: u32, place: usize) {
        let worker = &mut self.workers[device as usize];
        worker.in_hand.remove(place);
        let is_free = worker.halted.is_none_or(|(halt, _)| halt.is_lost);
        if place == 0 && is_free && !worker.is_away {
            worker.halted = None;
            worker.life += 1;
            self.run_next(device, 0);
        }
        self.ask(device);
    }

    /// A replica is open again that a device did not answer. Who is at fault does not get it again.
    fn take_back(&mut self, device: u32, id: ReplicaId, fault: Option<Ending>) {
        let now = self.clock.now();
        self.dispatch.release(id, fault.is_some(), now);
        if let Some(ending) = fault {
            let blamed = self.blamed.entry(id.task).or_default();
            blamed.push((device, ending));
        }
    }

    fn loses_all(&mut self, device: u32, fault: Option<Ending>) {
        let held = std::mem::take(&mut self.workers[device as usize].in_hand);
        for Held { id, .. } in held {
            self.take_back(device, id, fault);
        }
    }

    fn ends(&mut self, device: u32, answers: bool) {
        let now = self.clock.now();
        let Some(held) = self.workers[device as usize].in_hand.pop_front() else {
            return;
        };
        let task = held.id.task;
        self.grid.record([
            now.0,
            device.into(),
            u64::from(task) << 1 | u64::from(answers),
        ]);
        if answers {
            self.dispatch.finish(held.id);
            self.answers(device, task);
        } else {
            self.take_back(device, held.id, Some(Ending::FAILED));
        }
        self.run_next(device, 0);
        self.ask(device);
    }

    /// A device has answered a task, which has its verdict with the last answer that it needs.
    fn answers(&mut self, device: u32, task: TaskIndex) {
        let answered = self.answered.entry(task).or_default();
        answered.push(device);
        if answered.len() >= usize::from(self.replicas) {
            self.decided(task);
        }
    }

    /// A task has its verdict: what devices did with it is remembered, and who else holds it drops it.
    fn decided(&mut self, task: TaskIndex) {
        let now = self.clock.now();
        for (faulty, ending) in self.blamed.remove(&task).unwrap_or_default() {
            self.fleet.note(faulty, now, ending);
            self.changed();
        }
        for device in self.answered.remove(&task).unwrap_or_default() {
            self.fleet.note(device, now, Ending::COMPLETED);
        }
        self.dispatch.accept(JOB, self.grid.work_of(task) as u64, 0);
        let replicas = self.dispatch.replicas(JOB, task);
        self.dispatch.close(JOB, task);
        self.left -= 1;
        for replica in replicas {
            let ReplicaState::Running { device, .. } = replica else {
                continue;
            };
            let in_hand = &self.workers[device as usize].in_hand;
            if let Some(place) = in_hand.iter().position(|held| held.id.task == task) {
                self.drops(device, place);
            }
        }
    }

    /// Starts what it holds.
    fn run_next(&mut self, device: u32, fetch_ms: u64) {
        let worker = &mut self.workers[device as usize];
        let life = worker.life;
        let Some(held) = worker.in_hand.front_mut() else {
            return;
        };
        let begins = self.clock.now().plus_ms(fetch_ms);
        held.watch.progressed(Stage::Running, begins);
        let task = held.id.task;
        // When it is looked at too early the look is planned anew; too late must not be.
        if held.watch.next < held.look {
            self.plan_look(device, 0);
        }
        match self.grid.execute(device, task) {
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
            let Some(held) = self.take(device) else {
                break;
            };
            let worker = &mut self.workers[device as usize];
            let place = worker.in_hand.len();
            worker.in_hand.push_back(held);
            self.plan_look(device, place);
            if place == 0 {
                self.run_next(device, FETCH_MS);
            }
        }
        if self.workers[device as usize].in_hand.is_empty() {
            self.ask_later(device, ASK_AGAIN_MS);
        }
    }

    fn take(&mut self, device: u32) -> Option<Held> {
        let now = self.clock.now();
        let in_hand = &self.workers[device as usize].in_hand;
        let ends = in_hand.iter().map(|held| held.watch.expected.since(now));
        let backlog_ms = ends.max().unwrap_or(0);
        let (account, account_id) = self.fleet.account(device)?;
        let asker = Asker {
            device,
            account,
            account_id,
            traits: self.fleet.traits(device),
            rank: self.fleet.rank_of(device),
            speed: self.fleet.speed(device),
            line: LineSpeed::SLOWEST,
            backlog_ms,
        };
        let limits = self.dispatch.tuning().pool_limits();
        let find = |terms: &JobTerms| Some(self.fleet.target_for(terms, &limits));
        let given = self.dispatch.take_anew(&asker, now, find).ok()?;
        let takes_ms = given.expected_ms;
        let tuning = self.dispatch.tuning();
        let timeouts = tuning.timeouts(backlog_ms, takes_ms, self.replica_ms);
        Some(Held {
            id: given.id,
            watch: Watch::start(now, backlog_ms, takes_ms, timeouts),
            look: now,
        })
    }

    fn ask_later(&mut self, device: u32, in_ms: u64) {
        let worker = &mut self.workers[device as usize];
        if !worker.waits {
            worker.waits = true;
            self.clock.plan(in_ms, Event::Ask(device));
        }
    }
}

/// What a task may use, in fuel.
fn fuel_max(grid: &Grid) -> u64 {
    let usual = FUEL_MAX_TIMES.saturating_mul(grid.work as u64);
    usual.max(grid.largest() as u64)
}

/// How long masternodes let a device have a replica that may use so much fuel and brings nothing over its line,
/// in milliseconds.
fn computing_ms(fuel_max: u64) -> u64 {
    let engines = Engines {
        pinned: Digest::default(),
        portable: Digest::default(),
    };
    let node = NodeKey::default();
    Settings::new(GenesisHash::default(), node, engines).computing_ms(fuel_max)
}
