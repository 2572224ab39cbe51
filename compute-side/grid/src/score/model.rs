//! The six parts as the published formulas have them, in whole numbers, with e^(-x) from its series.

use super::*;
use crate::{Tick, measure::Readings};
use proptest::prelude::*;

/// One, in fixed point.
const ONE: i128 = 1 << 56;

/// A thousandth of a point has a thousand of these.
const POINT: i128 = 1_000_000;

/// e^(-x) for the fraction x = above / below, no less than zero: the series of e^(-x / 256), squared
/// eight times.
fn exp_of_minus(above: i128, below: i128) -> i128 {
    if above > 50 * below {
        return 0;
    }
    let x = above * ONE / below / 256;
    let (mut sum, mut term) = (ONE, ONE);
    for n in 1..20 {
        term = -term * x / ONE / n;
        sum += term;
    }
    (0..8).fold(sum, |power, _| power * power / ONE)
}

/// L/2 (1 - e^(-k x)) + L/2 (1 - e^(-k u y)); L = 1000, k = 0.00601986, u = 1.66666667; 50 in place of
/// what is not known.
fn speed(down_kbps: Option<u32>, up_kbps: Option<u32>) -> i128 {
    const K: i128 = 601_986;
    const U: i128 = 166_666_667;
    let e8 = 100_000_000;
    let half = |power: i128| 500 * POINT * (ONE - power) / ONE;
    let down = |kbps: u32| half(exp_of_minus(K * i128::from(kbps), e8 * 1_000));
    let up = |kbps: u32| half(exp_of_minus(K * U * i128::from(kbps), e8 * e8 * 1_000));
    down_kbps.map_or(50 * POINT, down) + up_kbps.map_or(50 * POINT, up)
}

/// max(0, 300 (1 - e^(-k (x - 256)))); k = 0.00143048.
fn ram(mb: u32) -> i128 {
    let above = 143_048 * (i128::from(mb) - 256).max(0);
    300 * POINT * (ONE - exp_of_minus(above, 100_000_000)) / ONE
}

/// max(0, a x^2 + b x + c); a = -0.03333333, b = 7, c = -66.66666667; no more than 300.
fn cpu(permille: u32) -> i128 {
    let p = i128::from(permille);
    // In hundredths of what the constants are given in, x being ten times as large.
    let e10 = -3_333_333 * p * p + 7_000_000_000 * p - 666_666_666_700;
    (e10 / 10_000).clamp(0, 300 * POINT)
}

/// 250 x rate / reference rate, from 1 to 500.
fn benchmark(rate: u32, reference: u32) -> i128 {
    let millionths = 250 * POINT * i128::from(rate) / i128::from(reference.max(1));
    millionths.clamp(POINT, 500 * POINT)
}

/// 300 max(0, 1 - sigma/mu), sigma/mu in thousandths.
fn stability(permille: i128) -> i128 {
    300 * POINT * (1_000 - permille).max(0) / 1_000
}

fn category(connection: Connection) -> i128 {
    use Connection::*;
    POINT
        * match connection {
            Fibre | Cable | Dsl => 300,
            Satellite => 100,
            Mobile | Other => 0,
        }
}

fn is_near(score: Score, millionths: i128, off: i128) -> bool {
    (i128::from(score.millionths()) - millionths).abs() <= off
}

fn any_connection() -> impl Strategy<Value = Connection> {
    use Connection::*;
    prop::sample::select(vec![Fibre, Cable, Dsl, Satellite, Mobile, Other])
}

/// Of a number that is small, large, or at an end.
fn up_to(most: u32) -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 0..=most.min(2_000),
        4 => 0..=most,
        1 => Just(0),
        1 => Just(most),
    ]
}

/// Computed with sixty digits.
#[test]
fn values_computed_with_many_digits_are_met() {
    let is = |score: Score, points: f64| (score.points() - points).abs() < 1.5e-6;
    for (down, up, points) in [
        (0.0, 0.0, 0.0),
        (0.001, 0.001, 0.008_026_446),
        (1.0, 1.0, 7.992_356_662),
        (10.0, 0.0, 29.211_241_140),
        (0.0, 10.0, 47.731_016_884),
        (25.0, 5.0, 94.323_625_027),
        (100.0, 40.0, 391.422_046_598),
        (1_000.0, 1_000.0, 998.763_034_219),
        (4_000_000.0, 4_000_000.0, 1_000.0),
    ] {
        let found = network_speed(Some(down), Some(up));
        assert!(is(found, points), "{down} {up}");
    }
    for (mb, points) in [
        (0.0, 0.0),
        (256.0, 0.0),
        (257.0, 0.428_837_205),
        (300.0, 18.300_371_907),
        (512.0, 91.991_364_710),
        (4_096.0, 298.765_409_576),
        (16_384.0, 299.999_999_971),
    ] {
        assert!(is(free_ram(mb), points), "{mb}");
    }
    for (percent, points) in [
        (9.9, 0.0),
        (10.0, 0.000_000_330),
        (10.1, 0.633_000_337),
        (25.0, 87.500_002_080),
        (33.3, 129.470_337_026),
        (75.0, 270.833_352_080),
        (99.9, 299.966_366_597),
    ] {
        assert!(is(free_cpu(percent), points), "{percent}");
    }
}

proptest! {
    #[test]
    fn each_part_is_its_published_formula(
        (down_kbps, up_kbps) in (
            prop::option::of(up_to(4_000_000_000)),
            prop::option::of(up_to(4_000_000_000)),
        ),
        mb in up_to(1_000_000_000),
        permille in up_to(1_000),
        (rate, reference) in (up_to(u32::MAX), up_to(u32::MAX)),
        variation in up_to(3_000),
        connection in any_connection(),
    ) {
        let mbps = |kbps: Option<u32>| kbps.map(|kbps| f64::from(kbps) / 1_000.0);
        let found = network_speed(mbps(down_kbps), mbps(up_kbps));
        prop_assert!(is_near(found, speed(down_kbps, up_kbps), 2), "{found:?}");
        prop_assert!(is_near(free_ram(mb.into()), ram(mb), 2));
        let found = free_cpu(f64::from(permille) / 10.0);
        prop_assert!(is_near(found, cpu(permille), 2), "{found:?}");
        prop_assert!(is_near(processor(rate, reference), benchmark(rate, reference), 2));
        let found = network_stability(f64::from(variation) / 1_000.0);
        prop_assert!(is_near(found, stability(variation.into()), 2), "{found:?}");
        prop_assert!(is_near(network_category(connection), category(connection), 0));
    }

    /// Speeds, shares and rates that are kept as they are told; of two equally long transfers the
    /// deviation is half their difference, and the mean half their sum.
    #[test]
    fn a_score_is_the_sum_of_what_is_known_and_of_the_usual_for_what_is_not(
        connection in prop::option::of(any_connection()),
        down in prop::collection::vec(1u32..=128, 0..=2),
        up_eighths in prop::option::of(up_to(32_000_000)),
        mb in prop::option::of(up_to(1_000_000_000)),
        percent in prop::option::of(up_to(100)),
        rate in prop::option::of(up_to(4_000_000_000)),
        reference in prop_oneof![4 => Just(10_000_000u32), 1 => 1..=u32::MAX],
    ) {
        let mut vitals = Vitals::default();
        for (minute, mbps) in (0..).zip(&down) {
            let transfer = Readings { down_mbps: Some((*mbps).into()), ..Readings::default() };
            vitals.update(Tick(60_000 * minute), &transfer);
        }
        let told = Readings {
            connection,
            up_mbps: up_eighths.map(|eighths| f64::from(eighths) / 8.0),
            free_ram_mb: mb.map(f64::from),
            free_cpu_percent: percent.map(f64::from),
            processor_rate: rate.map(f64::from),
            ..Readings::default()
        };
        prop_assert_eq!(vitals.update(Tick(60_000), &told), vec![]);
        let found = Parts::of(&vitals, reference);
        let usual = 100 * POINT;
        let line = (down.last().map(|mbps| 1_000 * mbps), up_eighths.map(|it| 125 * it));
        let even = match *down {
            [one, two] => {
                let (difference, sum) = (i128::from(one.abs_diff(two)), i128::from(one + two));
                300 * POINT * (sum - difference) / sum
            }
            _ => usual,
        };
        let expected = [
            (found.processor, rate.map_or(250 * POINT, |rate| benchmark(rate, reference)), 2),
            (found.network_category, connection.map_or(usual, category), 0),
            (found.network_speed, speed(line.0, line.1), 2),
            // Speeds are remembered in few digits, these exactly; their deviation in some more.
            (found.network_stability, even, 100),
            (found.free_ram, mb.map_or(usual, ram), 2),
            (found.free_cpu, percent.map_or(usual, |percent| cpu(10 * percent)), 2),
        ];
        let mut sum = 0;
        for (part, (score, millionths, off)) in expected.into_iter().enumerate() {
            prop_assert!(is_near(score, millionths, off), "{part}: {score:?} {millionths}");
            sum += score.millionths();
        }
        prop_assert_eq!(found.total().millionths(), sum);
    }
}
