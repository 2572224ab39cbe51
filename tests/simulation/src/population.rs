//! Devices as they are out there: phones, laptops, desktops and servers, each kind spread widely.
//!
//! Speeds are relative to an ordinary desktop. Shares and means are a guess at who joins such a
//! grid, in the spirit of the volunteers' computers that BOINC projects report: most are laptops and
//! desktops, some phones, a few servers, and within a kind the fastest tenth is about two and a half
//! times as fast as the slowest.

use quern_primitives::device::Hardware;
use rand::{RngExt as _, rngs::StdRng};
use std::f64::consts::TAU;

/// Fuel per millisecond of an ordinary desktop.
pub const DESKTOP_SPEED: f64 = 20_000_000.0;

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

fn device(chance: &mut StdRng) -> DeviceSpec {
    let mut drawn = chance.random_range(0..100);
    let mut kind = KINDS[0];
    for it in KINDS {
        kind = it;
        if drawn < it.1 {
            break;
        }
        drawn -= it.1;
    }
    let (hardware, _, mean) = kind;
    let speed = DESKTOP_SPEED * mean * spread(SPREAD, chance);
    DeviceSpec {
        hardware,
        speed,
        measured: speed * spread(MEASURING_ERROR, chance),
    }
}

/// A factor whose logarithm is normally distributed, with mean 1.
pub fn spread(deviation: f64, chance: &mut StdRng) -> f64 {
    (deviation * normal(chance) - deviation * deviation / 2.0).exp()
}

/// A normally distributed number, by the method of Box and Muller.
fn normal(chance: &mut StdRng) -> f64 {
    let (radius, angle) = (1.0 - chance.random::<f64>(), chance.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

/// A number that is exponentially distributed with this mean.
pub fn exponential(mean: f64, chance: &mut StdRng) -> f64 {
    -mean * (1.0 - chance.random::<f64>()).ln()
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
}
