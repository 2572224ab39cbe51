//! What goes wrong by itself: devices that come and go, partitions between them and the masternode and between
//! that and the chain, deaths of the masternode, clocks that jump.

use super::{
    deaths::AT_OFFICE,
    machine::AtDevice,
    network::KEEPALIVE_MS,
    violation::Violation,
    world::{Coming, World},
};
use crate::population::exponential;
use rand::RngExt as _;
use std::ops::Range;

/// A minute, in milliseconds.
const MINUTE_MS: f64 = 60_000.0;

/// How long short and long partitions last, in milliseconds: connections outlive only the short ones.
const CUT_MS: [Range<u64>; 2] = [500..10_000, 20_000..60_000];

/// How long the masternode hears nothing of the chain, in milliseconds: up to thirty blocks.
const SEVERED_MS: Range<u64> = 2_000..60_000;

/// How far clocks jump, in milliseconds.
const JUMP_MS: Range<i64> = 1_000..120_000;

/// Of a thousand devices, so many are in a partition.
const CUT_PERMILLE: Range<u32> = 50..500;

impl World<'_> {
    /// Plans what is to go wrong in this run.
    pub(super) fn plan_weather(&mut self) {
        let faults = self.config.faults;
        self.plan_next(faults.partition, Coming::CutBegins);
        self.plan_next(faults.severed, Coming::SeveredBegins);
        self.plan_next(faults.crash, Coming::Dies);
        self.plan_next(faults.leap, Coming::Leaps);
        for device in 0..self.config.devices {
            self.plan_some_time(faults.ban, Coming::Bans(device));
        }
        let jobs: Vec<_> = self.works.keys().copied().collect();
        for job in jobs {
            self.plan_some_time(faults.cancel, Coming::Cancels(job));
        }
    }

    /// Plans what happens once in so many of a thousand runs, at any time before the faults end.
    fn plan_some_time(&mut self, permille: u32, what: Coming) {
        let ends_ms = u64::from(self.config.faults_s) * 1_000;
        if self.goes_wrong(permille) {
            let in_ms = self.chance.random_range(0..ends_ms);
            self.clock.plan(in_ms, what);
        }
    }

    /// Plans the next of things that happen so many thousandths of a time a minute, until the faults
    /// end.
    fn plan_next(&mut self, permille: u32, what: Coming) {
        if let Some(in_ms) = self.next_in_ms(permille) {
            self.clock.plan(in_ms, what);
        }
    }

    /// The same of what happens to a device.
    pub(super) fn plan_next_at(&mut self, device: u32, permille: u32, what: AtDevice) {
        if let Some(in_ms) = self.next_in_ms(permille) {
            self.plan_at_device(device, in_ms, what);
        }
    }

    /// When something happens next, of those that happen so many thousandths of a time a minute; none
    /// if the faults end before.
    pub(super) fn next_in_ms(&mut self, permille: u32) -> Option<u64> {
        if permille == 0 {
            return None;
        }
        let mean_ms = MINUTE_MS * 1_000.0 / f64::from(permille);
        let in_ms = exponential(mean_ms, &mut self.chance) as u64 + 1;
        let ends_ms = u64::from(self.config.faults_s) * 1_000;
        (self.clock.now().0 + in_ms < ends_ms).then_some(in_ms)
    }

    /// The masternode is to die, unless it is dead.
    pub(super) fn dies_soon(&mut self) {
        let place = self.place_of_death(&AT_OFFICE);
        self.office.dies_soon = self.office.core.is_some().then_some(place);
        self.plan_next(self.config.faults.crash, Coming::Dies);
    }

    /// The masternode's clock is put on, or back.
    pub(super) fn leaps(&mut self) {
        let jump_ms = self.jump_ms();
        self.happening(&format!("the masternode's clock jumps by {jump_ms} ms"));
        self.office.jumped_ms += jump_ms;
        self.plan_next(self.config.faults.leap, Coming::Leaps);
    }

    /// How far a clock jumps, and which way.
    pub(super) fn jump_ms(&mut self) -> i64 {
        self.counts.jumps += 1;
        let jump_ms = self.chance.random_range(JUMP_MS);
        match self.chance.random::<bool>() {
            true => jump_ms,
            false => -jump_ms,
        }
    }

    /// Some devices are cut off from the masternode.
    pub(super) fn cut_begins(&mut self) {
        let permille = self.chance.random_range(CUT_PERMILLE);
        let mut cut = Vec::new();
        for device in 0..self.machines.len() as u32 {
            if self.chance.random_range(0..1_000u32) < permille {
                self.machine(device).cuts += 1;
                cut.push(device);
                self.plan_at_device(device, KEEPALIVE_MS, AtDevice::HearsNothing);
            }
        }
        self.counts.partitions += 1;
        self.happening(&format!("{} devices are cut off", cut.len()));
        let [short, long] = CUT_MS;
        let lasts = match self.chance.random::<bool>() {
            true => short,
            false => long,
        };
        let in_ms = self.chance.random_range(lasts);
        self.clock.plan(in_ms, Coming::CutEnds(cut));
        self.plan_next(self.config.faults.partition, Coming::CutBegins);
    }

    /// The masternode hears nothing of the chain from now on, and nothing that it sends gets there.
    pub(super) fn severed_begins(&mut self) {
        self.counts.severed += 1;
        self.is_severed = true;
        self.happening("the masternode is cut off from the chain");
        let in_ms = self.chance.random_range(SEVERED_MS);
        self.clock.plan(in_ms, Coming::SeveredEnds);
    }

    /// It is told of the last block; those between it never hears of.
    pub(super) fn severed_ends(&mut self) -> Result<(), Violation> {
        self.is_severed = false;
        self.happening("the masternode hears of the chain again");
        self.plan_next(self.config.faults.severed, Coming::SeveredBegins);
        self.tell_block()
    }

    pub(super) fn cut_ends(&mut self, devices: &[u32]) {
        for device in devices {
            let machine = self.machine(*device);
            machine.cuts = machine.cuts.saturating_sub(1);
        }
        self.happening(&format!("{} devices are back", devices.len()));
    }
}
