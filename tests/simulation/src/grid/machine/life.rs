//! What a device does and what happens to it.

use super::{
    AtDevice, Character, DECICELSIUS_MAX, Death, HOT_DECICELSIUS, LOW_PERMILLE, MASTERNODE,
    PERMILLE_MIN, Running, registered, transfers::Way,
};
use crate::{
    grid::{
        deaths::kind_at_device,
        network::KEEPALIVE_MS,
        violation::Violation,
        work::{Says, benchmark_output},
        world::{Coming, World},
    },
    population::exponential,
};
use quern_primitives::ids::TaskIndex;
use quern_protocol::{Assignment, Benchmark, ReplicaId, Unavailable, limits::TASKS_IN_HAND_MAX};
use quern_worker::{
    availability::{Verdict, Withheld},
    core::{Core, Effect, Event, Fault, Sealed},
};
use rand::RngExt as _;
use std::ops::Range;

/// How long fetching a task takes, in milliseconds.
const FETCH_MS: Range<u64> = 50..600;

/// How often a failing device fails, in thousandths of what it fetches and of what it runs.
const FAILING_PERMILLE: u32 = 300;

/// How often a machine is looked at, in milliseconds.
const LOOK_MS: u64 = 30_000;

/// How long its owner uses a machine, in milliseconds, on average.
const BUSY_MS: f64 = 45_000.0;

/// How long a battery is low, and a machine too hot, in milliseconds, on average.
const UNFIT_MS: f64 = 45_000.0;

/// How often a machine changes its identity that does so, in milliseconds.
const SHIFT_MS: u64 = 60_000;

impl World<'_> {
    /// A device is switched on.
    pub(in crate::grid) fn returns(&mut self, device: u32) -> Result<(), Violation> {
        self.happening(&format!("d{device} comes"));
        let now = self.clock.now().0;
        let machine = self.machine(device);
        let kept = machine.storage.restored();
        machine.core = Some(Core::new(machine.settings(), kept));
        machine.started = now;
        machine.is_in_use = false;
        machine.is_low = false;
        machine.is_hot = false;
        machine.jumped_ms = 0;
        machine.latest = 0;
        let shifts = machine.character == Character::Shifting;
        let faults = self.config.faults;
        self.plan_next_at(device, faults.churn, AtDevice::Leaves);
        self.plan_next_at(device, faults.busy, AtDevice::OwnerComes);
        self.plan_next_at(device, faults.battery, AtDevice::RunsLow);
        self.plan_next_at(device, faults.heat, AtDevice::GetsHot);
        self.plan_next_at(device, faults.jump, AtDevice::Jumps);
        if shifts && self.is_rough() {
            self.plan_at_device(device, SHIFT_MS, AtDevice::Shifts);
        }
        self.plan_at_device(device, 0, AtDevice::Looks);
        self.device_step(device, Event::Masternodes(vec![MASTERNODE]))
    }

    pub(in crate::grid) fn at_device(
        &mut self,
        device: u32,
        what: AtDevice,
    ) -> Result<(), Violation> {
        let masternode = MASTERNODE;
        match what {
            AtDevice::Wakes { at } => {
                let machine = self.machine(device);
                if machine.wake_at != Some(at) {
                    return Ok(());
                }
                machine.wake_at = None;
                self.device_step(device, Event::Woken)
            }
            AtDevice::Connected { connection } => self.connected(device, connection),
            AtDevice::Disconnected { connection } => self.disconnected(device, connection),
            AtDevice::HearsNothing => {
                let machine = self.machine(device);
                if machine.cuts == 0 {
                    return Ok(());
                }
                let Some(link) = machine.link() else {
                    return Ok(());
                };
                self.clock.plan(0, Coming::LinkEnds(link));
                self.disconnected(device, link.connection)
            }
            AtDevice::Answered {
                connection,
                number,
                answer,
            } => {
                let answered = Event::Answered {
                    masternode,
                    connection,
                    number,
                    answer: answer.map(|answer| *answer),
                };
                self.device_step(device, answered)
            }
            AtDevice::Prepared { id, fault } => {
                if fault.is_none() {
                    self.moves(device, Way::ToDevice)?;
                }
                let event = match fault {
                    None => Event::Prepared {
                        held: self.machine(device).held(id),
                    },
                    Some(fault) => Event::Failed { id, fault },
                };
                self.device_step(device, event)
            }
            AtDevice::Ends { run, fault } => self.run_ends(device, run, fault),
            AtDevice::Delivered { id } => self.delivers(device, id),
            AtDevice::Benchmarked { run, output } => {
                if self.machine(device).benchmarking != Some(run) {
                    return Ok(());
                }
                self.machine(device).benchmarking = None;
                self.device_step(device, Event::Benchmarked { output })?;
                self.runs_next(device);
                Ok(())
            }
            AtDevice::Looks => {
                self.plan_at_device(device, LOOK_MS, AtDevice::Looks);
                self.looks(device)
            }
            AtDevice::OwnerComes => {
                self.machine(device).is_in_use = true;
                let in_ms = exponential(BUSY_MS, &mut self.chance) as u64;
                self.plan_at_device(device, in_ms, AtDevice::OwnerGoes);
                self.looks(device)
            }
            AtDevice::OwnerGoes => {
                self.machine(device).is_in_use = false;
                self.plan_next_at(device, self.config.faults.busy, AtDevice::OwnerComes);
                self.looks(device)
            }
            AtDevice::RunsLow => {
                self.machine(device).is_low = true;
                self.weakens(device, AtDevice::IsCharged)
            }
            AtDevice::IsCharged => {
                self.machine(device).is_low = false;
                self.plan_next_at(device, self.config.faults.battery, AtDevice::RunsLow);
                self.looks(device)
            }
            AtDevice::GetsHot => {
                self.machine(device).is_hot = true;
                self.weakens(device, AtDevice::CoolsDown)
            }
            AtDevice::CoolsDown => {
                self.machine(device).is_hot = false;
                self.plan_next_at(device, self.config.faults.heat, AtDevice::GetsHot);
                self.looks(device)
            }
            AtDevice::Jumps => {
                self.clock_jumps(device);
                Ok(())
            }
            AtDevice::Shifts => {
                self.shifts(device);
                Ok(())
            }
            AtDevice::FallsSilent => self.falls_silent(device),
            AtDevice::Leaves => self.leaves(device),
        }
    }

    /// Tells a device something, and does what it wants, unless it dies meanwhile.
    pub(super) fn device_step(&mut self, device: u32, event: Event) -> Result<(), Violation> {
        let now = self.clock.now().0;
        let machine = self.machine(device);
        let tick = machine.tick(now);
        let Some(core) = &mut machine.core else {
            return Ok(());
        };
        let promises = machine.storage.promises(&event);
        let effects = core.step(tick, event);
        let held = core.in_hand().count();
        if held > TASKS_IN_HAND_MAX {
            return Err(Violation::TooManyInHand { device, held });
        }
        let leaves = effects.contains(&Effect::Leave);
        let kinds: Vec<_> = effects.iter().map(kind_at_device).collect();
        let death = self.death(device, &kinds);
        let lives = death.map_or(effects.len(), |(at, _)| at);
        for effect in effects.into_iter().take(lives) {
            self.do_at_device(device, effect)?;
        }
        match death {
            Some((_, death)) => {
                self.dies_at_device(device, death);
                if death == Death::PowerCut {
                    return Ok(());
                }
            }
            None if leaves => self.goes(device),
            None => self.plan_wake(device),
        }
        self.machine(device).storage.check(device, &promises)
    }

    fn plan_wake(&mut self, device: u32) {
        let now = self.clock.now().0;
        let machine = self.machine(device);
        let due = machine.core.as_ref().and_then(Core::next_wakeup);
        let Some(due) = due else {
            return;
        };
        let at = machine.when(due).max(now + 1);
        if machine.wake_at.is_none_or(|planned| at < planned) {
            machine.wake_at = Some(at);
            self.plan_at_device(device, at - now, AtDevice::Wakes { at });
        }
    }

    fn do_at_device(&mut self, device: u32, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Connect { connection, .. } => self.connects(device, connection),
            Effect::Close { .. } => self.hangs_up(device),
            Effect::Ask {
                connection,
                number,
                request,
                ..
            } => {
                let storage = &self.machine(device).storage;
                storage.check_commits(device, &request)?;
                self.sends(device, connection, number, request)?;
            }
            Effect::Keep { word, .. } => self.machine(device).storage.keep_word(&word),
            Effect::Forget { id } => self.machine(device).storage.forget(&id),
            Effect::Prepare { assignment, .. } => self.prepares(device, *assignment),
            Effect::Run { id } => {
                self.machine(device).queue.push_back(id);
                self.runs_next(device);
            }
            Effect::Deliver { id } => {
                let in_ms = self.chance.random_range(FETCH_MS);
                self.plan_at_device(device, in_ms, AtDevice::Delivered { id });
            }
            Effect::Abandon { id } => {
                let machine = self.machine(device);
                machine.given.remove(&id);
                machine.queue.retain(|queued| *queued != id);
                if machine.running.is_some_and(|running| running.id == id) {
                    machine.running = None;
                    self.runs_next(device);
                }
            }
            Effect::Benchmark { benchmark } => self.runs_benchmark(device, &benchmark),
            Effect::StopBenchmark => {
                let run = self.machine(device).next_run();
                self.machine(device).benchmarking = Some(run);
                let output = None;
                self.plan_at_device(device, 0, AtDevice::Benchmarked { run, output });
            }
            // The owner and the end of a life are seen to elsewhere, or not at all.
            _ => {}
        }
        Ok(())
    }

    fn connected(&mut self, device: u32, connection: u64) -> Result<(), Violation> {
        let machine = self.machine(device);
        if machine.connection != Some(connection) {
            return Ok(());
        }
        if machine.cuts > 0 || self.office.core.is_none() {
            return self.disconnected(device, connection);
        }
        let machine = self.machine(device);
        machine.is_connected = true;
        if let Some(link) = machine.link() {
            self.office.links.entry(device).or_default().insert(link);
        }
        let connected = Event::Connected {
            masternode: MASTERNODE,
            connection,
        };
        self.device_step(device, connected)
    }

    fn disconnected(&mut self, device: u32, connection: u64) -> Result<(), Violation> {
        let machine = self.machine(device);
        if machine.connection != Some(connection) {
            return Ok(());
        }
        machine.connection = None;
        machine.is_connected = false;
        let disconnected = Event::Disconnected {
            masternode: MASTERNODE,
            connection,
        };
        self.device_step(device, disconnected)
    }

    fn prepares(&mut self, device: u32, assignment: Assignment) {
        let id = assignment.id;
        let refuses = self.machine(device).character == Character::Refusing;
        let in_ms = match refuses || self.machine(device).character.computes_nothing() {
            true => 0,
            false => self.chance.random_range(FETCH_MS),
        };
        self.counts.refused += u64::from(refuses);
        let fails = refuses || self.fails(device);
        let work = self.works.get(&id.job);
        let fails = fails || work.is_some_and(|work| work.never_opens(id.task));
        self.machine(device).given.insert(id, assignment);
        let fault = fails.then_some(Fault::BadInput);
        self.plan_at_device(device, in_ms, AtDevice::Prepared { id, fault });
    }

    /// Whether something fails on a device that does not do well.
    fn fails(&mut self, device: u32) -> bool {
        self.machine(device).character == Character::Failing
            && self.chance.random_range(0..1_000u32) < FAILING_PERMILLE
    }

    /// Starts the next task in the sandbox's queue, if none runs.
    fn runs_next(&mut self, device: u32) {
        let since = self.clock.now().0;
        let fails = self.fails(device);
        let machine = &mut self.machines[device as usize];
        if machine.running.is_some() || machine.benchmarking.is_some() {
            return;
        }
        let next = machine.queue.pop_front();
        let assignment = next.and_then(|id| machine.given.get(&id));
        let Some(assignment) = assignment else {
            return;
        };
        let Some(work) = self.works.get(&assignment.id.job) else {
            return;
        };
        let fuel = work.fuel(assignment.id.task);
        let time_ms = assignment.limits.time_ms;
        let takes_ms = match machine.character.computes_nothing() {
            true => 1,
            false => machine.task_ms(fuel, &mut self.chance),
        };
        let id = assignment.id;
        let halts_ms = machine.halts_ms(&mut self.chance);
        self.counts.halted += u64::from(halts_ms.is_some());
        let (in_ms, fault) = match halts_ms {
            // Nothing on the device notices.
            Some(ms) => (ms, None),
            None if fails => (takes_ms / 2, Some(Fault::NoRoom)),
            None if takes_ms > time_ms => (time_ms, Some(Fault::TooSlow)),
            None => (takes_ms, None),
        };
        let run = machine.next_run();
        machine.running = Some(Running { id, run, since });
        let falls_silent = machine.character.silent_ms().is_some();
        self.plan_at_device(device, in_ms, AtDevice::Ends { run, fault });
        if falls_silent {
            self.plan_at_device(device, 0, AtDevice::FallsSilent);
        }
    }

    fn run_ends(&mut self, device: u32, run: u64, fault: Option<Fault>) -> Result<(), Violation> {
        let now = self.clock.now().0;
        let machine = self.machine(device);
        let Some(running) = machine.running.take_if(|running| running.run == run) else {
            return Ok(());
        };
        let id = running.id;
        let assignment = machine.given.remove(&id);
        let says = self.says(device, id.task);
        let work = self.works.get(&id.job);
        let machine = &self.machines[device as usize];
        let finished = assignment
            .zip(work)
            .filter(|_| fault.is_none())
            .and_then(|(assignment, work)| machine.answer(work, &assignment, says));
        let event = match finished {
            Some(finished) => {
                self.counts.lies += u64::from(says != Says::TheTruth);
                let machine = self.machine(device);
                machine.answered += 1;
                let took_ms = now.saturating_sub(running.since);
                let storage = &mut machine.storage;
                storage.keep_if_worth_it(MASTERNODE, &finished, took_ms);
                Event::Ran { finished }
            }
            None => {
                let fault = fault.unwrap_or(Fault::NoRoom);
                Event::Failed { id, fault }
            }
        };
        self.device_step(device, event)?;
        self.runs_next(device);
        Ok(())
    }

    /// What a device says of a task that it has run: what it always says, if it makes no error.
    fn says(&mut self, device: u32, task: TaskIndex) -> Says {
        let permille = self.config.faults.erring;
        let errs = permille > 0 && self.chance.random_range(0..1_000u32) < permille;
        let machine = &self.machines[device as usize];
        let betrays = machine
            .character
            .betrays(machine.answered, &mut self.chance);
        match machine.says(task) {
            Says::TheTruth if betrays || (errs && !machine.facts.is_trusted) => {
                Says::OwnLie(machine.first)
            }
            says => says,
        }
    }

    fn runs_benchmark(&mut self, device: u32, benchmark: &Benchmark) {
        let machine = &mut self.machines[device as usize];
        let in_ms = machine.benchmark_ms(benchmark.fuel, &mut self.chance);
        let run = machine.next_run();
        machine.benchmarking = Some(run);
        let output = match machine.character {
            Character::Lying | Character::Shifting => [0; 8],
            _ => benchmark_output(&benchmark.input),
        };
        let output = Some(output);
        self.plan_at_device(device, in_ms, AtDevice::Benchmarked { run, output });
    }

    /// The last piece of a result is at the masternode, or the connection broke before.
    fn delivers(&mut self, device: u32, id: ReplicaId) -> Result<(), Violation> {
        let machine = &self.machines[device as usize];
        let Some(link) = machine.link() else {
            // It is delivered again over the next connection.
            return Ok(());
        };
        let unreachable = Event::Failed {
            id,
            fault: Fault::Unreachable,
        };
        let is_open = self.office.greeted.contains(&device)
            && self
                .office
                .links
                .get(&device)
                .is_some_and(|it| it.contains(&link));
        let event = match &self.office.core {
            Some(core) if machine.cuts == 0 && is_open => {
                let owed = machine.core.as_ref().and_then(|core| {
                    let mut owed = core.unacknowledged();
                    owed.find(|(_, finished)| finished.id() == id)
                });
                match (owed, core.given(&machine.id, id)) {
                    (Some((_, finished)), Some(_)) => {
                        let root = finished.receipt.payload.output_root;
                        let bytes = match &finished.sealed {
                            Sealed::Kept { bytes } => *bytes,
                            Sealed::Here(sealed) => sealed.len() as u64,
                        };
                        let delivered = &mut self.disk.delivered;
                        delivered.insert((machine.id, id), (bytes, root));
                        Event::Delivered { id }
                    }
                    _ => {
                        let fault = Fault::NotAssigned;
                        Event::Failed { id, fault }
                    }
                }
            }
            _ => unreachable,
        };
        if matches!(event, Event::Delivered { .. }) {
            self.moves(device, Way::FromDevice)?;
        }
        self.device_step(device, event)
    }

    /// Sees how the machine is, and whether its owner needs it.
    fn looks(&mut self, device: u32) -> Result<(), Violation> {
        let machine = self.machine(device);
        let mut state = machine.state.clone();
        let mut withheld = Vec::new();
        if machine.is_in_use {
            state.unavailable.push(Unavailable::InUse);
            withheld.push(Withheld::InUse {
                idle_s: Some(0),
                idle_s_min: 600,
            });
        }
        // Every second owner leaves it to masternodes what becomes of a weak machine.
        let has_rules = machine.first.is_multiple_of(2);
        if machine.is_low {
            state.battery_permille = Some(LOW_PERMILLE);
            state.is_charging = Some(false);
            if has_rules {
                state.unavailable.push(Unavailable::BatteryLow);
                withheld.push(Withheld::BatteryLow {
                    permille: LOW_PERMILLE,
                    permille_min: PERMILLE_MIN,
                });
            }
        }
        if machine.is_hot {
            state.temperature_decicelsius = Some(HOT_DECICELSIUS);
            if has_rules {
                state.unavailable.push(Unavailable::TooHot);
                withheld.push(Withheld::TooHot {
                    decicelsius: HOT_DECICELSIUS,
                    decicelsius_max: DECICELSIUS_MAX,
                });
            }
        }
        let verdict = match withheld.is_empty() {
            true => Verdict::Available,
            false => Verdict::Withheld(withheld),
        };
        self.device_step(device, Event::Measured { state, verdict })
    }

    /// A machine is not to be used, until this.
    fn weakens(&mut self, device: u32, until: AtDevice) -> Result<(), Violation> {
        self.counts.unfit += 1;
        let in_ms = exponential(UNFIT_MS, &mut self.chance) as u64;
        self.plan_at_device(device, in_ms, until);
        self.looks(device)
    }

    /// A device's clock is put on, or back.
    fn clock_jumps(&mut self, device: u32) {
        let jump_ms = self.jump_ms();
        self.happening(&format!("the clock of d{device} jumps by {jump_ms} ms"));
        self.machine(device).jumped_ms += jump_ms;
        self.plan_wake(device);
        self.plan_next_at(device, self.config.faults.jump, AtDevice::Jumps);
    }

    /// A machine becomes another device: the one it was is retired, and owes answers that never come.
    /// Its account registers the new one as long as it has money for another bond; after that the
    /// chain does not know who comes.
    fn shifts(&mut self, device: u32) {
        self.counts.identities += 1;
        let number = self.machines.len() as u32;
        if let Some(link) = self.machine(device).link() {
            self.clock.plan(KEEPALIVE_MS, Coming::LinkEnds(link));
        }
        self.machine(device).turns_off();
        let old = &self.machines[device as usize];
        let new = old.as_another(&self.config, number);
        self.names.add_device(new.id, number);
        self.chain.retire(&old.id);
        let registered = registered(&new.facts, 0);
        let is_registered = self.chain.replace(new.id, registered, new.facts.bond());
        let words = match is_registered {
            true => "is retired, and comes back as",
            false => "is retired, and comes back unregistered as",
        };
        if is_registered {
            self.audit.know(new.id, new.facts.clone());
        }
        self.machines.push(new);
        self.happening(&format!("d{device} {words} d{number}"));
        self.clock.plan(0, Coming::Returns(number));
    }
}
