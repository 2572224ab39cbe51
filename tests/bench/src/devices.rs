//! Devices as a masternode's grid has them, made up: what they are, and how they live on between two
//! rankings.

use quern_grid::{
    Ending, Fleet, FleetFull, FleetSettings, Score, Tick, lottery::Draw, measure::Readings,
    needs::Profile,
};
use quern_primitives::{
    AccountId, DeviceId,
    device::{Class, Hardware, Region},
    limits::DAY_BLOCKS,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::ops::RangeInclusive;

/// Devices for each account, on average.
const DEVICES_PER_ACCOUNT: u32 = 3;

/// Free memory of a machine, in megabytes.
const FREE_RAM_MB: RangeInclusive<f64> = 0.0..=16_000.0;

/// Free share of a machine's processor, in percent.
const FREE_CPU_PERCENT: RangeInclusive<f64> = 0.0..=100.0;

/// How far either goes up or down between two rankings at the most, as a share of its range.
const WALK: f64 = 0.03;

/// Of so many devices one goes between two rankings, and another one comes: one in a hundred comes or
/// goes.
const ONE_GOES_OF: u32 = 200;

/// Of so many devices one has a fault between two rankings.
const ONE_FAILS_OF: u32 = 1_000;

/// Of so many devices one is trusted.
const ONE_IS_TRUSTED_OF: u32 = 20;

/// Where devices stand, and what kinds of machine they are: as many of each.
const REGIONS: [Region; 4] = [
    Region::Unknown,
    Region::Americas,
    Region::Europe,
    Region::AsiaPacific,
];
const KINDS: [Hardware; 4] = [
    Hardware::Mobile,
    Hardware::Laptop,
    Hardware::Desktop,
    Hardware::Server,
];

/// The lottery's draw. The last task of each device ended up to two days before it.
const DRAW: Draw = Draw::new([3; 32], 100);

/// A device's machine.
pub(crate) struct Machine {
    id: DeviceId,
    number: u32,
    free_ram_mb: f64,
    free_cpu_percent: f64,
}

impl Machine {
    /// A machine that nobody knew before becomes known, with all that can be known of it; of two
    /// machines one had faults lately. `count` is how many there are in all.
    pub(crate) fn come(
        fleet: &mut Fleet,
        now: Tick,
        count: u32,
        chance: &mut StdRng,
    ) -> Result<Self, FleetFull> {
        let profile = Profile {
            hardware: KINDS[chance.random_range(0..KINDS.len())],
            region: REGIONS[chance.random_range(0..REGIONS.len())],
            is_trusted: chance.random_ratio(1, ONE_IS_TRUSTED_OF),
            classes: vec![Class::Pinned],
            ..Profile::default()
        };
        let id = DeviceId(chance.random());
        let account = account(chance.random_range(0..count / DEVICES_PER_ACCOUNT));
        let machine = Self {
            id,
            number: fleet.admit(id, &account, &profile)?,
            free_ram_mb: chance.random_range(FREE_RAM_MB),
            free_cpu_percent: chance.random_range(FREE_CPU_PERCENT),
        };
        let measured = Readings {
            processor_rate: Some(chance.random_range(5e5..2e7)),
            down_mbps: Some(chance.random_range(0.1..1_000.0)),
            up_mbps: Some(chance.random_range(0.1..100.0)),
            ..machine.state()
        };
        fleet.update(machine.number, now, &measured);
        for _ in 0..chance.random_range(0..6u32).saturating_sub(2) {
            fleet.note(machine.number, now, Ending::FAILED);
            fleet.note(machine.number, now, Ending::COMPLETED);
        }
        Ok(machine)
    }

    /// What it tells every thirty seconds.
    fn state(&self) -> Readings {
        Readings {
            free_ram_mb: Some(self.free_ram_mb),
            free_cpu_percent: Some(self.free_cpu_percent),
            ..Readings::default()
        }
    }

    /// Half a minute passes.
    fn walk(&mut self, chance: &mut StdRng) {
        self.free_ram_mb = walked(self.free_ram_mb, &FREE_RAM_MB, chance);
        self.free_cpu_percent = walked(self.free_cpu_percent, &FREE_CPU_PERCENT, chance);
    }
}

fn walked(from: f64, range: &RangeInclusive<f64>, chance: &mut StdRng) -> f64 {
    let whole = range.end() - range.start();
    let to = from + chance.random_range(-WALK..=WALK) * whole;
    to.clamp(*range.start(), *range.end())
}

/// An account by its number.
pub(crate) fn account(number: u32) -> AccountId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    AccountId::new(bytes)
}

/// So many devices, and the machines behind them.
pub(crate) struct Devices {
    pub(crate) fleet: Fleet,
    machines: Vec<Machine>,
    chance: StdRng,
}

impl Devices {
    /// Devices that are known and were never ranked, and the winners among them of a lottery.
    pub(crate) fn new(count: u32) -> Result<Self, FleetFull> {
        let mut chance = StdRng::seed_from_u64(1);
        let mut fleet = Fleet::new(FleetSettings::default());
        let come = |_| Machine::come(&mut fleet, Tick(0), count, &mut chance);
        let machines: Vec<_> = (0..count).map(come).collect::<Result<_, _>>()?;
        let wins = |machine: &&Machine| {
            let idle = chance.random_range(0..2 * DAY_BLOCKS);
            let lot = DRAW.lot(&machine.id, DRAW.block() - idle);
            lot.is_some_and(|lot| lot.wins())
        };
        let winners = machines.iter().filter(wins).map(|machine| machine.id);
        fleet.lift(winners.collect());
        Ok(Self {
            fleet,
            machines,
            chance,
        })
    }

    /// Their scores, in the order of their machines.
    pub(crate) fn scores(&self) -> Vec<Score> {
        let report = |machine: &Machine| self.fleet.report(machine.number, Tick(0));
        let reports = self.machines.iter().filter_map(report);
        reports.map(|report| report.score).collect()
    }

    /// Half a minute passes: every machine tells how it is, which is nearly as it was; some fail, some
    /// go, and as many come. One owes its benchmark, so the next ranking looks who is slow.
    pub(crate) fn live(&mut self, now: Tick) -> Result<(), FleetFull> {
        let Self {
            fleet,
            machines,
            chance,
        } = self;
        let count = machines.len() as u32;
        for machine in machines.iter_mut() {
            if chance.random_ratio(1, ONE_GOES_OF) {
                fleet.forget(&machine.id);
                *machine = Machine::come(fleet, now, count, chance)?;
                continue;
            }
            machine.walk(chance);
            fleet.tell(machine.number, now, &machine.state());
            if chance.random_ratio(1, ONE_FAILS_OF) {
                fleet.note(machine.number, now, Ending::FAILED);
            }
        }
        if let Some(machine) = machines.first() {
            fleet.owes_benchmark(machine.number);
        }
        Ok(())
    }
}
