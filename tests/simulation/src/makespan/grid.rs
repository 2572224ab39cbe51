//! Devices that compute, and what goes wrong on them.

use crate::population::{DeviceSpec, exponential, spread};
use quern_grid::measure::Readings;
use quern_primitives::ids::TaskIndex;
use quern_protocol::limits;
use rand::{RngExt as _, rngs::StdRng};

/// How long a device without a sign of life is taken to be there, in milliseconds.
pub(super) const SILENCE_MS: u64 = limits::SILENCE_MAX.as_millis() as u64;

/// How long a device that has gone stays away, in milliseconds, on average: a restart.
const AWAY_MS: f64 = 30_000.0;

/// What fetching a task takes that was not fetched before, in milliseconds.
pub(super) const FETCH_MS: u64 = 500;

/// How much executions of one task on one device differ: the deviation of their time's logarithm.
const JITTER: f64 = 0.03;

/// How long an execution that halts does so, in milliseconds, on average: twenty minutes.
const HALT_MS: f64 = 20.0 * 60_000.0;

/// How many times as long an execution takes at the most while its device is used for other things.
const SLOWDOWN_MAX: f64 = 4.0;

/// How likely an execution goes wrong, at any moment of it. In half of the faulty ones the device
/// says so at once; in the other half it goes away, and comes back half a minute later without what
/// it had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faulty {
    /// From 0 to 1.
    pub chance: f64,
}

/// Executions that stall: their device shows signs of life all the while, and is late. Without any,
/// no task comes to its second timeout: a device that goes away is missed sooner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stalling {
    /// How likely an execution halts somewhere, from 0 to 1, for twenty minutes on average. Of every
    /// other one its device knows nothing any more, as after a lost message: when it is asked again that
    /// is found, and two heartbeats later another device may have the replica.
    pub halts: f64,
    /// How likely its device is used for other things meanwhile, from 0 to 1, so that it takes up to
    /// four times as long.
    pub slows: f64,
}

/// How an execution will go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It is answered after so long.
    Answers { after_ms: u64 },
    /// It fails after so long.
    Fails { after_ms: u64 },
    /// The device goes away after so long, and stays away for so long.
    GoesAway { after_ms: u64, for_ms: u64 },
    /// It halts after so long.
    Halts { after_ms: u64, halt: Halt },
}

/// How an execution goes on that halts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Halt {
    /// It goes on by itself after so long.
    pub(super) for_ms: u64,
    /// It is answered so long after it went on.
    pub(super) rest_ms: u64,
    /// Whether its device knows nothing of it any more.
    pub(super) is_lost: bool,
}

/// Devices, and the luck they have.
pub(super) struct Grid {
    pub(super) devices: Vec<DeviceSpec>,
    /// What is known of each, but for its speed.
    pub(super) readings: Vec<Readings>,
    /// What a task takes, in fuel; where they differ it is the mean.
    pub(super) work: f64,
    /// How large each task is beside that; nothing where all are equal.
    pub(super) sizes: Vec<f64>,
    /// How likely an execution goes wrong on each.
    faulty: Vec<f64>,
    stalling: Stalling,
    pub(super) chance: StdRng,
    pub(super) executions: u64,
    /// So many devices, the first ones, are of one account; each other one is of its own.
    pub(super) firm: u32,
    history: u64,
}

impl Grid {
    /// Devices with what is known of each and how likely executions go wrong on each.
    pub(super) fn new(
        devices: Vec<DeviceSpec>,
        (readings, faulty): (Vec<Readings>, Vec<f64>),
        work: f64,
        stalling: Stalling,
        chance: StdRng,
    ) -> Self {
        Self {
            devices,
            readings,
            work,
            sizes: vec![],
            faulty,
            stalling,
            chance,
            executions: 0,
            firm: 0,
            history: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// What a task takes, in fuel.
    pub(super) fn work_of(&self, task: TaskIndex) -> f64 {
        let size = self.sizes.get(task as usize).copied();
        self.work * size.unwrap_or(1.0)
    }

    /// What so many tasks take together, in fuel.
    pub(super) fn total(&self, tasks: u32) -> f64 {
        match self.sizes.is_empty() {
            true => f64::from(tasks) * self.work,
            false => (0..tasks).map(|task| self.work_of(task)).sum(),
        }
    }

    /// What the largest task takes, in fuel.
    pub(super) fn largest(&self) -> f64 {
        let sizes = self.sizes.iter().copied();
        self.work * sizes.reduce(f64::max).unwrap_or(1.0)
    }

    /// Starts a task on a device.
    pub(super) fn execute(&mut self, device: u32, task: TaskIndex) -> Course {
        self.executions += 1;
        let usual = self.work_of(task) / self.devices[device as usize].speed;
        let time = usual * spread(JITTER, &mut self.chance) * self.slowdown();
        let after_ms = (time as u64).max(1);
        if self.chance.random::<f64>() >= self.faulty[device as usize] {
            return match self.happens(self.stalling.halts) {
                true => self.halts(time),
                false => Course::Answers { after_ms },
            };
        }
        let after_ms = (time * self.chance.random::<f64>()) as u64;
        if self.chance.random::<bool>() {
            return Course::Fails { after_ms };
        }
        Course::GoesAway {
            after_ms,
            for_ms: exponential(AWAY_MS, &mut self.chance) as u64,
        }
    }

    /// How many times as long an execution takes.
    fn slowdown(&mut self) -> f64 {
        match self.happens(self.stalling.slows) {
            true => self.chance.random_range(1.0..SLOWDOWN_MAX),
            false => 1.0,
        }
    }

    fn halts(&mut self, time: f64) -> Course {
        let before = time * self.chance.random::<f64>();
        let halt = Halt {
            for_ms: exponential(HALT_MS, &mut self.chance) as u64,
            rest_ms: (time - before) as u64,
            is_lost: self.chance.random(),
        };
        Course::Halts {
            after_ms: before as u64,
            halt,
        }
    }

    /// Whether something so likely happens. For what never does nothing is drawn, so that a grid
    /// without it has the luck that it always had.
    fn happens(&mut self, likely: f64) -> bool {
        likely > 0.0 && self.chance.random::<f64>() < likely
    }

    /// Takes something into the history: FNV-1a over its numbers.
    pub(super) fn record(&mut self, facts: [u64; 3]) {
        for byte in facts.iter().flat_map(|fact| fact.to_le_bytes()) {
            self.history = (self.history ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    pub(super) fn history(&self) -> u64 {
        self.history
    }
}
