//! Devices as they are out there: phones, laptops, desktops and servers, each kind spread widely.
//!
//! Speeds are relative to an ordinary desktop. Shares and means are a guess at who joins such a
//! grid, in the spirit of the volunteers' computers that BOINC projects report: most are laptops and
//! desktops, some phones, a few servers, and within a kind the fastest tenth is about two and a half
//! times as fast as the slowest. Exponentials and the like are taken from `libm`, so that a seed gives
//! the same devices on every platform.

use quern_grid::{
    FleetSettings,
    measure::{Connection, Readings},
};
use quern_primitives::device::Hardware;
use rand::{RngExt as _, rngs::StdRng};
use std::f64::consts::TAU;

/// Fuel per millisecond of an ordinary desktop. Tasks are as long as a desktop takes for them, so nothing
/// hangs on the unit.
pub const DESKTOP_SPEED: f64 = 20_000_000.0;

/// How devices are scored here: a desktop has half of the points for its processor.
pub fn fleet_settings() -> FleetSettings {
    FleetSettings {
        reference_rate: DESKTOP_SPEED as u32,
        ..FleetSettings::default()
    }
}

/// Kinds of device: how many of a hundred there are, and their mean speed beside a desktop's.
const KINDS: [(Hardware, u32, f64); 4] = [
    (Hardware::Mobile, 20, 0.2),
    (Hardware::Laptop, 40, 0.6),
    (Hardware::Desktop, 30, 1.0),
    (Hardware::Server, 10, 1.6),
];

/// How widely speeds are spread within a kind: the standard deviation of their logarithm.
const SPREAD: f64 = 0.35;

/// How far a measured speed is from the true one: the standard deviation of its logarithm.
const MEASURING_ERROR: f64 = 0.05;

/// How widely faults are spread where devices differ in them: the standard deviation of the logarithm
/// of their likelihood. One device in a hundred then has six times the mean, every second one less
/// than two thirds of it.
const FAULT_SPREAD: f64 = 1.0;

/// How likely executions go wrong on the worst device.
const FAULT_MAX: f64 = 0.9;

/// How widely speeds of lines and free memory are spread within a kind, in the same measure.
const READINGS_SPREAD: f64 = 0.5;

/// Lines of homes: of a hundred, and mean speeds down and up in megabits a second.
const LINES: [(Connection, u32, f64, f64); 4] = [
    (Connection::Fibre, 35, 300.0, 150.0),
    (Connection::Cable, 35, 150.0, 20.0),
    (Connection::Dsl, 25, 50.0, 10.0),
    (Connection::Satellite, 5, 50.0, 8.0),
];

/// What phones have that are not at home.
const MOBILE: (Connection, u32, f64, f64) = (Connection::Mobile, 100, 40.0, 10.0);

/// A device.
#[derive(Clone, Copy, Debug)]
pub struct DeviceSpec {
    /// What kind of machine it is.
    pub hardware: Hardware,
    /// How fast it computes, in fuel per millisecond.
    pub speed: f64,
    /// How fast it seemed to be when it was measured.
    pub measured: f64,
}

/// So many devices.
pub fn devices(count: u32, chance: &mut StdRng) -> Vec<DeviceSpec> {
    (0..count).map(|_| device(chance)).collect()
}

/// What is known of a device of this kind, but for its processor: half of the phones are on a mobile
/// network, servers on fibre, all else on the lines of homes.
pub fn readings(hardware: Hardware, chance: &mut StdRng) -> Readings {
    let is_mobile = hardware == Hardware::Mobile && chance.random();
    let line = match hardware {
        _ if is_mobile => MOBILE,
        Hardware::Server => LINES[0],
        _ => drawn(LINES, |line| line.1, chance),
    };
    let free_ram_mb = match hardware {
        Hardware::Mobile => 1_500.0,
        Hardware::Server => 32_000.0,
        Hardware::Desktop => 8_000.0,
        Hardware::Laptop | Hardware::Unknown => 4_000.0,
    };
    let mut about = |mean: f64| Some(mean * spread(READINGS_SPREAD, chance));
    Readings {
        connection: Some(line.0),
        down_mbps: about(line.2),
        up_mbps: about(line.3),
        free_ram_mb: about(free_ram_mb),
        free_cpu_percent: Some(chance.random_range(50.0..100.0)),
        ..Readings::default()
    }
}

/// How likely executions go wrong on a device, where few devices fail often and most seldom.
pub fn uneven_faults(mean: f64, chance: &mut StdRng) -> f64 {
    (mean * spread(FAULT_SPREAD, chance)).min(FAULT_MAX)
}

/// One of several, of which there are so many of a hundred.
fn drawn<T: Copy, const N: usize>(
    all: [T; N],
    of_a_hundred: impl Fn(&T) -> u32,
    chance: &mut StdRng,
) -> T {
    let mut drawn = chance.random_range(0..100);
    let mut found = all[0];
    for it in all {
        found = it;
        if drawn < of_a_hundred(&it) {
            break;
        }
        drawn -= of_a_hundred(&it);
    }
    found
}

fn device(chance: &mut StdRng) -> DeviceSpec {
    let (hardware, _, mean) = drawn(KINDS, |kind| kind.1, chance);
    let speed = DESKTOP_SPEED * mean * spread(SPREAD, chance);
    DeviceSpec {
        hardware,
        speed,
        measured: speed * spread(MEASURING_ERROR, chance),
    }
}

/// A factor whose logarithm is normally distributed, with mean 1.
pub fn spread(deviation: f64, chance: &mut StdRng) -> f64 {
    libm::exp(deviation * normal(chance) - deviation * deviation / 2.0)
}

/// A normally distributed number, by the method of Box and Muller.
fn normal(chance: &mut StdRng) -> f64 {
    let (radius, angle) = (1.0 - chance.random::<f64>(), chance.random::<f64>());
    libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(TAU * angle)
}

/// A number that is exponentially distributed with this mean.
pub fn exponential(mean: f64, chance: &mut StdRng) -> f64 {
    -mean * libm::log(1.0 - chance.random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn the_grid_s_mean_speed_is_that_of_its_kinds() {
        let mut chance = StdRng::seed_from_u64(1);
        let devices = devices(20_000, &mut chance);
        let mean = devices.iter().map(|it| it.speed).sum::<f64>() / 20_000.0 / DESKTOP_SPEED;
        let expected = 0.2 * 0.2 + 0.4 * 0.6 + 0.3 * 1.0 + 0.1 * 1.6;
        assert!((mean - expected).abs() < 0.02, "{mean}");
        assert!(
            devices
                .iter()
                .all(|it| it.speed > 0.0 && it.speed.is_finite())
        );
    }

    #[test]
    fn uneven_faults_have_the_mean_that_is_asked_for_and_most_are_below_it() {
        let mut chance = StdRng::seed_from_u64(2);
        let faults: Vec<f64> = (0..20_000)
            .map(|_| uneven_faults(0.05, &mut chance))
            .collect();
        let mean = faults.iter().sum::<f64>() / 20_000.0;
        assert!((mean - 0.05).abs() < 0.003, "{mean}");
        let below = faults.iter().filter(|it| **it < 0.05).count();
        assert!((12_000..16_000).contains(&below), "{below}");
        assert!(faults.iter().all(|it| (0.0..=FAULT_MAX).contains(it)));
        assert_eq!(uneven_faults(0.0, &mut chance), 0.0);
    }

    #[test]
    fn every_reading_is_believed() {
        use quern_grid::{Tick, measure::Vitals};
        let mut chance = StdRng::seed_from_u64(3);
        for (hardware, ..) in KINDS {
            for _ in 0..1_000 {
                let mut vitals = Vitals::default();
                let bad = vitals.update(Tick(0), &readings(hardware, &mut chance));
                assert!(bad.is_empty(), "{bad:?}");
            }
        }
    }
}
