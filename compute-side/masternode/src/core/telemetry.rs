//! What devices tell of themselves, and what the masternode measures of them.
//!
//! Machine and state are claimed: they decide what a device is asked to do, and no money. Speeds are
//! those of real transfers, the round trip that of the masternode's own pings, and the processor's rate
//! that of a benchmark: a program that is sent with an input nobody knew before, and timed until its
//! answer is here. Only an answer that the masternode computed itself beforehand counts.
//!
//! An input is given to one device only, once: whoever came to know it could have the answer computed
//! and give it at once when the same input came again. A rate is known from the last benchmark that was
//! sent, and from no earlier one, so that a device keeps none by not answering. Only where it declines
//! that one, or its connection ends meanwhile, what was known before holds on; how often it may is said in
//! [`super::benchmarks`].

use super::{Bond, Core, Effect, Tick, device::Known, scheduler::connection};
use quern_grid::{
    Flag, Score,
    measure::{BadReading, Readings},
    needs::{Cover, Memory, Profile},
};
use quern_primitives::{
    device::Class,
    ids::{BlockNumber, DeviceId},
    view::DeviceView,
};
use quern_protocol::{BenchmarkAnswer, Exchange, Hello, Machine, Refusal, State, Unavailable};
use quern_recheck::HEIGHT_LAG_MAX;
use std::collections::BTreeSet;

/// How long a device has for a benchmark before its rate stays unknown, in milliseconds.
const BENCHMARK_MS_MAX: u64 = 60_000;

/// How long a measured rate is good, in milliseconds: six hours.
const BENCHMARK_EVERY_MS: u64 = 6 * 3_600_000;

/// How long a device that did not answer a benchmark rightly waits for the next, in milliseconds.
const BENCHMARK_AGAIN_MS: u64 = 3_600_000;

/// How long a device may be busy whenever it asks for work while a benchmark is due, in milliseconds.
/// After that it gets no more tasks until it was free for one.
const BUSY_MS_MAX: u64 = 3_600_000;

/// How much of a benchmark's time is the way to the device and back, and not computing, at the most:
/// one part of so many. The device has a hand in the round trip, for it may be slow to answer pings,
/// and a lie about it makes it seem faster by a third and no more. As a fast processor takes a third of
/// a second, nobody within 80 milliseconds of the masternode, there and back, loses anything by that.
/// With less, who is fast seems slow, and slower the farther away: near a job's end it is then given
/// no backup that it would have done in time.
const WAY_PARTS: u64 = 4;

/// Figures of a device that were not believed, and are shown.
const BAD_READINGS_MAX: usize = 16;

/// A benchmark for a device; the shell adds the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchmarkPlan {
    /// Comes back with the answer.
    pub number: u64,
    /// What the program reads.
    pub input: [u8; 16],
    /// What it burns.
    pub fuel: u64,
}

/// What the masternode measured of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// A transfer to the device.
    Down {
        /// How much.
        bytes: u64,
        /// In what time, in milliseconds.
        ms: u64,
    },
    /// A transfer from the device.
    Up {
        /// How much.
        bytes: u64,
        /// In what time, in milliseconds.
        ms: u64,
    },
    /// The time to the device and back: the least of the last few pings, in milliseconds.
    RoundTrip {
        /// So long.
        ms: u64,
    },
}

/// A benchmark that the masternode has computed itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// What the program reads.
    pub input: [u8; 16],
    /// What it writes.
    pub output: [u8; 8],
    /// What it burns.
    pub fuel: u64,
}

/// Where a device stands with the benchmark.
#[derive(Clone, Copy, Debug)]
enum Benchmarking {
    /// It gets one from then on.
    Due(Tick),
    /// It computes one.
    Runs {
        number: u64,
        challenge: Challenge,
        sent: Tick,
        before: Before,
    },
}

/// What was known of a device's processor when it was sent a benchmark.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// Nothing: it owed an earlier one.
    Owed,
    /// Its rate, if any.
    Rate(Option<u32>),
}

/// What a device told.
#[derive(Clone, Debug)]
pub(super) struct Telemetry {
    pub(super) software: String,
    pub(super) machine: Machine,
    pub(super) state: State,
    /// What its account has bonded.
    pub(super) bond: Bond,
    /// What was not believed of the last state and of measurements, newest last.
    pub(super) bad: Vec<BadReading>,
    profile: Profile,
    benchmarking: Benchmarking,
    /// It said last that a benchmark could not begin at once.
    is_busy: bool,
    /// Since when a benchmark is due and could not be sent, whenever it asked for work.
    busy_since: Option<Tick>,
}

impl Telemetry {
    /// What a device told that says hello, of whose score the processor has that part.
    pub(super) fn told(view: &DeviceView, hello: &Hello, processor: Score) -> Self {
        let device = &view.device;
        Self {
            software: String::from_utf8_lossy(&hello.software).into_owned(),
            machine: hello.machine.clone(),
            state: State::default(),
            bond: Bond::default(),
            bad: vec![],
            profile: Profile {
                hardware: device.hardware,
                region: device.region,
                connection: None,
                is_trusted: view.verified,
                has_gpu: hello.machine.gpu.is_some(),
                classes: hello.engines.iter().map(|(class, _)| *class).collect(),
                version: hello.version,
                processor,
                cover: Cover::default(),
                memory: Memory::ANY,
            },
            benchmarking: Benchmarking::Due(Tick::default()),
            is_busy: false,
            busy_since: None,
        }
    }

    /// With what is known from an earlier connection. On another machine, or where one was not
    /// answered, a benchmark is due.
    pub(super) fn after(mut self, earlier: &Self) -> Self {
        self.state = earlier.state.clone();
        self.bad.clone_from(&earlier.bad);
        self.profile.connection = earlier.profile.connection;
        self.profile.memory = earlier.profile.memory;
        if let Benchmarking::Due(_) = earlier.benchmarking
            && self.machine == earlier.machine
        {
            self.benchmarking = earlier.benchmarking;
        }
        self.busy_since = earlier.busy_since;
        self
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The classes that it offered in its hello, each once.
    pub(super) fn classes(&self) -> Vec<Class> {
        let offered: BTreeSet<Class> = self.profile.classes.iter().copied().collect();
        offered.into_iter().collect()
    }

    /// Whether the device gets nothing before a benchmark: it computes one, or was not free for one
    /// for long.
    pub(super) fn is_benchmarked(&self, now: Tick) -> bool {
        self.computes_benchmark(now) || self.was_never_free(now)
    }

    /// Whether the device was not free for a benchmark for so long that it gets nothing before it is.
    pub(super) fn was_never_free(&self, now: Tick) -> bool {
        let is_long = |since: Tick| now.since(since) >= BUSY_MS_MAX;
        self.busy_since.is_some_and(is_long)
    }

    /// Whether the device computes a benchmark.
    pub(super) fn computes_benchmark(&self, now: Tick) -> bool {
        match self.benchmarking {
            Benchmarking::Runs { sent, .. } => now.since(sent) < BENCHMARK_MS_MAX,
            Benchmarking::Due(_) => false,
        }
    }

    /// The number of the benchmark that it was sent last, if nothing came of it yet.
    fn runs(&self) -> Option<u64> {
        match self.benchmarking {
            Benchmarking::Runs { number, .. } => Some(number),
            Benchmarking::Due(_) => None,
        }
    }

    fn is_benchmark_due(&self, now: Tick) -> bool {
        match self.benchmarking {
            // One that was never answered is no reason to keep the device from work for another.
            Benchmarking::Runs { sent, .. } => now.since(sent) >= BENCHMARK_AGAIN_MS,
            Benchmarking::Due(due) => due <= now,
        }
    }

    /// Takes over how the machine is. When its tasks are let have another part of the processor's time
    /// than the last benchmark had, another is due, and what comes of one that runs tells nothing.
    fn learn(&mut self, state: &State) {
        let before = self.state.task_cpu_permille;
        if before.is_some() && before != state.task_cpu_permille {
            self.benchmarking = Benchmarking::Due(Tick::default());
        }
        self.state = state.clone();
    }

    /// What the benchmark burned, and in how many milliseconds, if this answers it rightly.
    fn answered(&mut self, now: Tick, answer: &BenchmarkAnswer) -> Option<(u64, u64)> {
        let Benchmarking::Runs {
            number,
            challenge,
            sent,
            ..
        } = self.benchmarking
        else {
            return None;
        };
        if number != answer.number {
            return None;
        }
        let is_right = challenge.output == answer.output && now.since(sent) < BENCHMARK_MS_MAX;
        let pause = match is_right {
            true => BENCHMARK_EVERY_MS,
            false => BENCHMARK_AGAIN_MS,
        };
        self.benchmarking = Benchmarking::Due(now.plus_ms(pause));
        is_right.then(|| (challenge.fuel, now.since(sent)))
    }

    /// What was known before the benchmark that is declined, if it runs and its time is not over.
    fn declined(&mut self, now: Tick, declined: u64) -> Option<Before> {
        let Benchmarking::Runs {
            number,
            sent,
            before,
            ..
        } = self.benchmarking
        else {
            return None;
        };
        if number != declined || now.since(sent) >= BENCHMARK_MS_MAX {
            return None;
        }
        self.benchmarking = Benchmarking::Due(now);
        Some(before)
    }

    fn doubt(&mut self, bad: Vec<BadReading>) {
        self.bad.extend(bad);
        let excess = self.bad.len().saturating_sub(BAD_READINGS_MAX);
        self.bad.drain(..excess);
    }
}

impl Core {
    /// Takes in what an exchange tells beside reports: how the machine is, how far replicas are, and
    /// what a benchmark came to.
    pub(super) fn told(&mut self, now: Tick, device: DeviceId, exchange: &Exchange) {
        for progress in &exchange.progress {
            if let Some(active) = self.jobs.get_mut(&progress.id.job) {
                active.progressed(progress.id, &device, progress.stage, now);
            }
        }
        if let Some(state) = &exchange.state {
            self.told_state(now, device, state);
        }
        if let Some(answer) = &exchange.benchmark {
            self.benchmark_answered(now, device, answer);
        }
        if let Some(number) = exchange.unavailable_for {
            self.benchmark_declined(now, device, number);
        }
        self.told_busy(now, device, exchange);
    }

    /// Takes note of whether a device that asks for work could be sent a benchmark that is due.
    fn told_busy(&mut self, now: Tick, device: DeviceId, exchange: &Exchange) {
        let is_due = self.is_benchmark_due(now, &device);
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        let telemetry = &mut known.telemetry;
        telemetry.is_busy = exchange.is_busy;
        if exchange.want > 0 && telemetry.state.unavailable.is_empty() {
            let has_hands_free = !exchange.is_busy && known.in_hand.is_empty();
            let puts_off = is_due && !has_hands_free && self.challenges.is_ready();
            telemetry.busy_since = self.benchmarks.heard(now, known.number, puts_off);
        }
    }

    fn told_state(&mut self, now: Tick, device: DeviceId, state: &State) {
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        let number = known.number;
        let flags = [
            (Flag::OutsideHours, Unavailable::OutsideHours),
            (Flag::NetworkNotAllowed, Unavailable::NetworkNotAllowed),
            (Flag::DataCapReached, Unavailable::DataCapReached),
            (Flag::InUse, Unavailable::InUse),
            (Flag::BatteryLow, Unavailable::BatteryLow),
            (Flag::TooHot, Unavailable::TooHot),
        ]
        .map(|(flag, reason)| (flag, state.unavailable.contains(&reason)));
        let readings = readings(state);
        let memory = state.task_memory_mib.map_or(Memory::ANY, Memory::of_device);
        let profile = &known.telemetry.profile;
        let is_other = (profile.connection, profile.memory) != (readings.connection, memory)
            || known.telemetry.state.unavailable != state.unavailable;
        known.telemetry.learn(state);
        known.telemetry.profile.connection = readings.connection;
        known.telemetry.profile.memory = memory;
        known.telemetry.bad.clear();
        let bad = self.scheduler.fleet.tell(number, now, &readings);
        known.telemetry.doubt(bad);
        self.scheduler.fleet.set_flags(number, flags);
        if is_other {
            self.renew_profile(now, device);
        }
    }

    /// Tells the scheduler what jobs may ask about.
    fn renew_profile(&mut self, now: Tick, device: DeviceId) {
        if let Some(known) = self.devices.get(&device) {
            let profile = known.telemetry.profile();
            // It is known, so there is room for it.
            let _ = self.scheduler.fleet.admit(device, &known.account, profile);
            self.scheduler.changed(now);
        }
    }

    /// Whether a device may be sent a benchmark, once it is free for one.
    pub(super) fn is_benchmark_due(&self, now: Tick, device: &DeviceId) -> bool {
        let known = self.devices.get(device);
        known.is_some_and(|known| {
            known.telemetry.is_benchmark_due(now)
                && self.benchmarks.rests_until(known.number) <= now
        })
    }

    /// A benchmark for a device that wants work, if it is to run one.
    pub(super) fn benchmark_for(
        &mut self,
        now: Tick,
        device: DeviceId,
        room: usize,
    ) -> Option<BenchmarkPlan> {
        let is_due = self.is_benchmark_due(now, &device);
        let known = self.devices.get_mut(&device)?;
        let telemetry = &mut known.telemetry;
        let is_idle = room > 0
            && known.in_hand.is_empty()
            && telemetry.state.unavailable.is_empty()
            && !telemetry.is_busy;
        if !is_idle || !is_due {
            return None;
        }
        let fleet = &self.scheduler.fleet;
        let before = match fleet.owes(known.number) {
            true => Before::Owed,
            false => Before::Rate(Some(fleet.speed(known.number)).filter(|rate| *rate > 0)),
        };
        let is_first = matches!(before, Before::Rate(None));
        let (number, challenge) = self.challenges.take(now, is_first)?;
        telemetry.benchmarking = Benchmarking::Runs {
            number,
            challenge,
            sent: now,
            before,
        };
        telemetry.busy_since = None;
        self.benchmarks.sent(now, known.number);
        self.owes_benchmark(now, device);
        Some(BenchmarkPlan {
            number,
            input: challenge.input,
            fuel: challenge.fuel,
        })
    }

    /// Whether a device owes a benchmark, and does not compute it now.
    pub(super) fn has_not_answered(&self, now: Tick, number: u32, known: Option<&Known>) -> bool {
        let computes = known.is_some_and(|known| known.telemetry.computes_benchmark(now));
        self.scheduler.fleet.owes(number) && !computes
    }

    /// How fast a device's processor is, is not known until it has answered; till then it counts as
    /// slow.
    fn owes_benchmark(&mut self, now: Tick, device: DeviceId) {
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        let fleet = &mut self.scheduler.fleet;
        fleet.owes_benchmark(known.number);
        known.telemetry.profile.processor = fleet.processor(&device);
        self.renew_profile(now, device);
    }

    fn benchmark_answered(&mut self, now: Tick, device: DeviceId, answer: &BenchmarkAnswer) {
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        let Some((fuel, took_ms)) = known.telemetry.answered(now, answer) else {
            return;
        };
        let number = known.number;
        let report = self.scheduler.fleet.report(number, now);
        let latency_ms = report.and_then(|report| report.vitals.latency_ms());
        let ms = computing_ms(took_ms, latency_ms.unwrap_or(0.0) as u64);
        let readings = Readings {
            processor_rate: Some(fuel as f64 / ms as f64),
            ..Readings::default()
        };
        let bad = self.scheduler.fleet.update(number, now, &readings);
        known.telemetry.doubt(bad);
        known.telemetry.profile.processor = self.scheduler.fleet.processor(&device);
        self.renew_profile(now, device);
        self.devices.look_again(device);
    }

    /// A device could not compute the benchmark that it was sent: it owes nothing for that, and is as
    /// fast as it was known to be, unless it declines too often.
    fn benchmark_declined(&mut self, now: Tick, device: DeviceId, number: u64) {
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        let Some(before) = known.telemetry.declined(now, number) else {
            return;
        };
        let is_excused = self.benchmarks.declined(now, known.number);
        if let (true, Before::Rate(rate)) = (is_excused, before) {
            let fleet = &mut self.scheduler.fleet;
            fleet.excuse(known.number, rate);
            known.telemetry.profile.processor = fleet.processor(&device);
            self.renew_profile(now, device);
        }
        self.devices.look_again(device);
    }

    /// A device's connection ended, or it comes over another, while it may be computing a benchmark: it
    /// has no answer to that over another one, which counts like declining.
    pub(super) fn benchmark_broken_off(&mut self, now: Tick, device: DeviceId) {
        let known = self.devices.get(&device);
        if let Some(number) = known.and_then(|known| known.telemetry.runs()) {
            self.benchmark_declined(now, device, number);
        }
    }

    pub(super) fn measured(&mut self, now: Tick, device: &DeviceId, measured: Measured) {
        let Some(known) = self.devices.get_mut(device) else {
            return;
        };
        let mbps = |bytes: u64, ms: u64| Some(bytes as f64 * 8.0 / 1_000.0 / ms.max(1) as f64);
        let mut readings = Readings::default();
        match measured {
            Measured::Down { bytes, ms } => readings.down_mbps = mbps(bytes, ms),
            Measured::Up { bytes, ms } => readings.up_mbps = mbps(bytes, ms),
            Measured::RoundTrip { ms } => readings.latency_ms = Some(ms as f64),
        }
        let bad = self.scheduler.fleet.update(known.number, now, &readings);
        known.telemetry.doubt(bad);
    }

    /// Takes over what the account of a device that is here has bonded.
    pub(super) fn bonded(&mut self, now: Tick, device: DeviceId, bond: Bond) {
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        let telemetry = &mut known.telemetry;
        if std::mem::replace(&mut telemetry.bond, bond) != bond {
            telemetry.profile.cover = Cover::of_bond(bond.of_each());
            self.devices.look_again(device);
            self.renew_profile(now, device);
        }
    }

    /// Takes over what the chain says now of a device that is here. One that another account has
    /// registered meanwhile has to introduce itself again.
    pub(super) fn rechecked(
        &mut self,
        now: Tick,
        (at, view): (BlockNumber, &DeviceView),
        bond: Bond,
        out: &mut Vec<Effect>,
    ) {
        let Some(known) = self.devices.get_mut(&view.id) else {
            return;
        };
        if known.account != view.device.account {
            return self.barred(now, view.id, Refusal::Starting, out);
        }
        let number = known.number;
        // It may have got nothing because what was known of it was old.
        let was_old = at.saturating_sub(known.seen_at) > HEIGHT_LAG_MAX / 2;
        let is_newest = known.seen_at <= at;
        known.seen_at = known.seen_at.max(at);
        known.accepted_in_a_row = view.device.record.accepted_in_a_row;
        let profile = &mut known.telemetry.profile;
        let is_other = (profile.is_trusted, profile.region, profile.hardware)
            != (view.verified, view.device.region, view.device.hardware);
        profile.is_trusted = view.verified;
        profile.region = view.device.region;
        profile.hardware = view.device.hardware;
        let last_review = view.device.last_review;
        let is_reviewed = self.scheduler.fleet.reviewed(number, last_review);
        let history = self.history_of(view);
        self.scheduler.remember(now, number, &history);
        let is_told_anew = is_newest && self.scheduler.fleet.quarantine(number, view.quarantined);
        if is_other || is_reviewed || is_told_anew {
            self.waking.changed_for_all();
            self.renew_profile(now, view.id);
        }
        self.bonded(now, view.id, bond);
        if was_old {
            self.devices.look_again(view.id);
        }
    }

    pub(super) fn gone(&mut self, now: Tick, device: DeviceId) {
        self.benchmark_broken_off(now, device);
        self.devices.gone(&device, now);
        if let Some(known) = self.devices.get(&device) {
            let gone = [(Flag::Disconnected, true)];
            self.scheduler.fleet.set_flags(known.number, gone);
            self.scheduler.changed(now);
        }
    }
}

/// The part of a benchmark's time in which the device computed; see [`WAY_PARTS`].
fn computing_ms(took_ms: u64, round_trip_ms: u64) -> u64 {
    let way_ms = round_trip_ms.min(took_ms / WAY_PARTS);
    took_ms.saturating_sub(way_ms).max(1)
}

fn readings(state: &State) -> Readings {
    let mib = |mib: Option<u64>| mib.map(|mib| mib as f64 * 1.048_576);
    let tenths = |permille: Option<u16>| permille.map(|it| f64::from(it) / 10.0);
    Readings {
        connection: connection(state.line),
        free_ram_mb: mib(state.free_ram_mib),
        free_storage_mb: mib(state.free_storage_mib),
        free_cpu_percent: tenths(state.free_cpu_permille),
        battery_percent: tenths(state.battery_permille),
        is_charging: state.is_charging,
        temperature_celsius: state
            .temperature_decicelsius
            .map(|tenths| f64::from(tenths) / 10.0),
        ..Readings::default()
    }
}
