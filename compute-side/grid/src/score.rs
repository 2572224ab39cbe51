//! How much a device can do: the capacity score, 0 to 2700 points, a sum of six parts.
//!
//! | part | range | when unknown |
//! | --- | --- | --- |
//! | processor | 1 to 500 | 250 |
//! | network category | 0 to 300 | 100 |
//! | network speed | 0 to 1000 | 100 |
//! | network stability | 0 to 300 | 100 |
//! | free RAM | 0 to 300 | 100 |
//! | free CPU | 0 to 300 | 100 |
//!
//! Formulas and constants are those of the ByteNite white paper, version 2.1, but for the
//! processor's: there it is a published benchmark's figure, here the rate at which the device ran a
//! program that the masternode sent and timed. The network's speed is scored for each direction by
//! itself, as its formula has it; one that is unknown counts half of the usual 100 points. Exponentials
//! are taken from `libm`, whose results are the same on every machine.

#[cfg(test)]
mod model;

use crate::measure::{Connection, Vitals};
use std::fmt;

/// Points in millionths. Whole numbers compare the same everywhere, and none of them is NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u32);

/// Millionths in a point.
const MILLIONTHS: f64 = 1_000_000.0;

impl Score {
    /// The most that a device can have.
    pub const MAX: Self = Self(2_700_000_000);

    /// So many points, between 0 and `most`; what is no number counts nothing.
    fn of(points: f64, most: f64) -> Self {
        let points = if points.is_nan() { 0.0 } else { points };
        Self((points.clamp(0.0, most) * MILLIONTHS) as u32)
    }

    /// So many millionths of a point, at most [`Score::MAX`].
    pub fn from_millionths(millionths: u32) -> Self {
        Self(millionths).min(Self::MAX)
    }

    /// In millionths of a point.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// In points.
    pub fn points(self) -> f64 {
        f64::from(self.0) / MILLIONTHS
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.points())
    }
}

/// The six parts of a device's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// How fast the processor ran the benchmark.
    pub processor: Score,
    /// What kind of line the device has.
    pub network_category: Score,
    /// How fast it transfers.
    pub network_speed: Score,
    /// How even these transfers are.
    pub network_stability: Score,
    /// How much memory is free.
    pub free_ram: Score,
    /// How much of the processor is free.
    pub free_cpu: Score,
}

impl Parts {
    /// The parts of a device. `reference_rate` is the benchmark's rate, in fuel per millisecond,
    /// that is worth 250 points.
    pub fn of(vitals: &Vitals, reference_rate: u32) -> Self {
        let known = |value: Option<Score>, unknown: f64| value.unwrap_or(Score::of(unknown, 500.0));
        let rate = vitals.processor_rate().filter(|_| reference_rate > 0);
        Self {
            processor: known(rate.map(|rate| processor(rate, reference_rate)), 250.0),
            network_category: known(vitals.connection.map(network_category), 100.0),
            network_speed: network_speed(vitals.down_mbps(), vitals.up_mbps()),
            network_stability: known(
                vitals
                    .speed_variation()
                    .map(|it| network_stability(it.into())),
                100.0,
            ),
            free_ram: known(vitals.free_ram_mb().map(|mb| free_ram(mb.into())), 100.0),
            free_cpu: known(vitals.free_cpu_percent().map(free_cpu), 100.0),
        }
    }

    /// The capacity score: their sum.
    pub fn total(&self) -> Score {
        let parts = [
            self.processor,
            self.network_category,
            self.network_speed,
            self.network_stability,
            self.free_ram,
            self.free_cpu,
        ];
        Score::from_millionths(
            parts
                .iter()
                .fold(0, |sum: u32, part| sum.saturating_add(part.0)),
        )
    }
}

/// 250 points for the reference rate, in proportion otherwise, 1 to 500.
pub fn processor(rate: u32, reference_rate: u32) -> Score {
    let points = 250.0 * f64::from(rate) / f64::from(reference_rate.max(1));
    Score::of(points.max(1.0), 500.0)
}

/// By the kind of line.
pub fn network_category(connection: Connection) -> Score {
    let points = match connection {
        Connection::Fibre | Connection::Cable | Connection::Dsl => 300.0,
        Connection::Satellite => 100.0,
        Connection::Mobile | Connection::Other => 0.0,
    };
    Score::of(points, 300.0)
}

/// From the speeds down and up, in megabits a second, as far as they are known. The first megabits
/// count most, and those upwards more than those downwards.
pub fn network_speed(down_mbps: Option<f64>, up_mbps: Option<f64>) -> Score {
    const LARGEST: f64 = 1_000.0;
    const UNKNOWN: f64 = 100.0;
    const RATE: f64 = 0.006_019_86;
    const UPWARDS: f64 = 1.666_666_67;
    // Of one direction.
    let half = |mbps: Option<f64>, weight: f64| match mbps {
        Some(mbps) => LARGEST / 2.0 * -libm::expm1(-RATE * (weight * mbps).max(0.0)),
        None => UNKNOWN / 2.0,
    };
    Score::of(half(down_mbps, 1.0) + half(up_mbps, UPWARDS), LARGEST)
}

/// From the standard deviation of the speeds of the last ten minutes divided by their mean.
pub fn network_stability(variation: f64) -> Score {
    Score::of(300.0 * (1.0 - variation), 300.0)
}

/// From free memory in megabytes; below 256 it is worth nothing.
pub fn free_ram(mb: f64) -> Score {
    const RATE: f64 = 0.001_430_48;
    Score::of(300.0 * -libm::expm1(-RATE * (mb - 256.0)), 300.0)
}

/// From the free share of the processor in percent; below 10 it is worth nothing.
pub fn free_cpu(percent: f64) -> Score {
    const A: f64 = -0.033_333_33;
    const B: f64 = 7.0;
    const C: f64 = -66.666_666_67;
    let percent = percent.clamp(0.0, 100.0);
    Score::of((A * percent + B) * percent + C, 300.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tick, measure::Readings};
    use proptest::prelude::*;

    /// Equal to so many decimals as the white paper's check values have.
    fn is(score: Score, points: f64, decimals: i32) -> bool {
        (score.points() - points).abs() <= 0.5 * 10f64.powi(-decimals)
    }

    /// The score of a line whose speed is known both ways.
    fn line(down_mbps: f64, up_mbps: f64) -> Score {
        network_speed(Some(down_mbps), Some(up_mbps))
    }

    #[test]
    fn the_check_values_of_the_white_paper_are_met() {
        assert!(is(line(46.0, 12.0), 177.6559, 4));
        assert!(is(line(200.0, 120.0), 700.0, 3));
        assert!(is(free_ram(1_024.0), 200.0, 3));
        assert!(is(free_ram(2_230.0), 282.1855, 4));
        assert!(is(free_cpu(50.0), 200.0, 3));
        assert!(is(free_cpu(100.0), 300.0, 3));
        assert_eq!(free_cpu(5.0), Score(0));
    }

    #[test]
    fn a_device_of_which_nothing_is_known_has_the_usual_score() {
        let parts = Parts::of(&Vitals::default(), 20_000_000);
        assert_eq!(parts.processor.points(), 250.0);
        assert_eq!(parts.total().points(), 750.0);
    }

    #[test]
    fn each_direction_of_a_line_counts_by_itself() {
        let half = |down, up| network_speed(down, up).points();
        assert_eq!(half(None, None), 100.0);
        assert_eq!(half(Some(0.0), None), 50.0);
        assert_eq!(half(None, Some(0.0)), 50.0);
        assert_eq!(half(Some(f64::INFINITY), None), 550.0);
        assert_eq!(half(None, Some(f64::INFINITY)), 550.0);
        let mut vitals = Vitals::default();
        let only_down = Readings {
            down_mbps: Some(46.0),
            ..Readings::default()
        };
        vitals.update(Tick(0), &only_down);
        let parts = Parts::of(&vitals, 20_000_000);
        assert_eq!(parts.network_speed, network_speed(Some(46.0), None));
        assert!(parts.network_speed.points() > 150.0);
    }

    #[test]
    fn the_processor_counts_by_its_rate_within_its_range() {
        assert_eq!(processor(20_000_000, 20_000_000).points(), 250.0);
        assert_eq!(processor(10_000_000, 20_000_000).points(), 125.0);
        assert_eq!(processor(u32::MAX, 1).points(), 500.0);
        assert_eq!(processor(0, 20_000_000).points(), 1.0);
    }

    #[test]
    fn what_is_no_number_counts_nothing() {
        for nonsense in [f64::NAN, f64::NEG_INFINITY, -1.0] {
            assert_eq!(line(nonsense, 0.0).points(), 0.0);
            assert_eq!(free_ram(nonsense).points(), 0.0);
            assert_eq!(free_cpu(nonsense).points(), 0.0);
        }
        assert_eq!(network_stability(f64::NAN).points(), 0.0);
        assert_eq!(line(f64::INFINITY, f64::INFINITY).points(), 1_000.0);
        assert_eq!(free_cpu(f64::INFINITY).points(), 300.0);
    }

    proptest! {
        #[test]
        fn more_is_never_worth_less(less in 0.0f64..100_000.0, more in 0.0f64..100_000.0) {
            let (less, more) = (less.min(more), less.max(more));
            prop_assert!(line(less, 1.0) <= line(more, 1.0));
            prop_assert!(line(1.0, less) <= line(1.0, more));
            prop_assert!(free_ram(less) <= free_ram(more));
            prop_assert!(free_cpu(less / 1_000.0) <= free_cpu(more / 1_000.0));
            prop_assert!(network_stability(less) >= network_stability(more));
        }

        #[test]
        fn every_part_stays_in_its_range(value in any::<f64>(), other in any::<f64>()) {
            prop_assert!(line(value, other).points() <= 1_000.0);
            prop_assert!(network_speed(None, Some(other)).points() <= 1_000.0);
            prop_assert!(free_ram(value).points() <= 300.0);
            prop_assert!(free_cpu(value).points() <= 300.0);
            prop_assert!(network_stability(value).points() <= 300.0);
        }
    }
}
