//! How a device's life ends: it stops, its worker is killed, or its power goes.

use super::{AtDevice, Machine};
use crate::{
    grid::{
        deaths::{AT_DEVICE, Place},
        network::KEEPALIVE_MS,
        violation::Violation,
        world::{Coming, World},
    },
    population::exponential,
};
use quern_worker::core::Event;
use rand::RngExt as _;

/// How long a device is away, in milliseconds, on average.
const AWAY_MS: f64 = 45_000.0;

/// What ends a worker that did not stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    Killed,
    PowerCut,
}

impl World<'_> {
    /// A device stops, or dies among what it does next.
    pub(super) fn leaves(&mut self, device: u32) -> Result<(), Violation> {
        self.counts.departures += 1;
        let stops = self.chance.random::<bool>();
        let place = self.place_of_death(&AT_DEVICE);
        if place != Place::Anywhere {
            // What it waits for may never come.
            self.plan_next_at(device, self.config.faults.churn, AtDevice::Leaves);
        }
        if !stops || place != Place::Anywhere {
            let death = match self.chance.random::<bool>() {
                true => Death::Killed,
                false => Death::PowerCut,
            };
            self.machine(device).dies_soon = Some((death, place));
        }
        if stops {
            self.happening(&format!("d{device} stops"));
            return self.device_step(device, Event::Stop);
        }
        Ok(())
    }

    /// How a device dies among effects of these kinds that it is about to carry out, and before which of them,
    /// if it does.
    pub(super) fn death(&mut self, device: u32, kinds: &[&'static str]) -> Option<(usize, Death)> {
        let soon = self.machine(device).dies_soon;
        let death =
            soon.and_then(|(death, place)| Some((place.among(kinds, &mut self.chance)?, death)));
        if death.is_some() {
            self.machine(device).dies_soon = None;
        }
        self.worker_deaths.note(kinds, death.map(|(at, _)| at));
        death
    }

    pub(super) fn dies_at_device(&mut self, device: u32, death: Death) {
        let words = match death {
            Death::Killed => format!("d{device} is killed"),
            Death::PowerCut => format!("the power of d{device} goes"),
        };
        self.happening(&words);
        self.counts.killed += 1;
        if death == Death::PowerCut {
            self.machine(device).storage.lose_unsynced();
        }
        if let Some(link) = self.machine(device).link() {
            let is_noticed = self.chance.random::<bool>();
            let in_ms = if is_noticed { 0 } else { KEEPALIVE_MS };
            self.clock.plan(in_ms, Coming::LinkEnds(link));
        }
        self.switches_off(device);
    }

    /// A worker that has stopped writes what it owes.
    pub(super) fn goes(&mut self, device: u32) {
        let machine = self.machine(device);
        if let Some(core) = &machine.core {
            for (masternode, finished) in core.unacknowledged() {
                machine.storage.keep(*masternode, finished);
            }
        }
        self.switches_off(device);
    }

    /// A device is off, for a while.
    fn switches_off(&mut self, device: u32) {
        self.machine(device).turns_off();
        let in_ms = exponential(AWAY_MS, &mut self.chance) as u64;
        self.clock.plan(in_ms, Coming::Returns(device));
    }
}

impl Machine {
    /// A device is off. What it had not written is lost.
    pub(super) fn turns_off(&mut self) {
        self.core = None;
        self.life += 1;
        self.wake_at = None;
        self.connection = None;
        self.is_connected = false;
        self.dies_soon = None;
        self.given.clear();
        self.queue.clear();
        self.running = None;
        self.benchmarking = None;
    }
}
