//! Devices that compute, and what goes wrong on them.

use crate::population::{DeviceSpec, exponential, spread};
use rand::{RngExt as _, rngs::StdRng};

/// How long a device without a sign of life is taken to be there, in milliseconds.
pub(super) const SILENCE_MS: u64 = 17_000;

/// How long a device that has gone stays away, in milliseconds, on average: a restart.
const AWAY_MS: f64 = 30_000.0;

/// What fetching a task takes that was not fetched before, in milliseconds.
pub(super) const FETCH_MS: u64 = 500;

/// How much executions of one task on one device differ: the deviation of their time's logarithm.
const JITTER: f64 = 0.03;

/// How likely an execution goes wrong, at any moment of it. In half of the faulty ones the device
/// says so at once; in the other half it goes away, and comes back half a minute later without what
/// it had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faulty {
    /// From 0 to 1.
    pub chance: f64,
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
}

/// Devices, and the luck they have.
pub(super) struct Grid {
    pub(super) devices: Vec<DeviceSpec>,
    /// What a task takes, in fuel.
    pub(super) work: f64,
    faulty: Faulty,
    pub(super) chance: StdRng,
    pub(super) executions: u64,
    history: u64,
}

impl Grid {
    pub(super) fn new(devices: Vec<DeviceSpec>, work: f64, faulty: Faulty, chance: StdRng) -> Self {
        Self {
            devices,
            work,
            faulty,
            chance,
            executions: 0,
            history: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Starts a task on a device.
    pub(super) fn execute(&mut self, device: u32) -> Course {
        self.executions += 1;
        let usual = self.work / self.devices[device as usize].speed;
        let time = usual * spread(JITTER, &mut self.chance);
        let after_ms = (time as u64).max(1);
        if self.chance.random::<f64>() >= self.faulty.chance {
            return Course::Answers { after_ms };
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
