//! What is known of a device, from a list of all that was told of it.

use super::*;
use proptest::prelude::*;

/// A transfer in one direction: in which minute it counts, and its speed in megabits a second.
type Transfer = (u64, f64);

/// Of each minute that has a transfer, of the ten up to the newest there ever was: the mean speed of its
/// transfers, and how many they are.
fn means(transfers: &[Transfer], newest: u64) -> Vec<(f64, usize)> {
    let mut means = vec![];
    for then in newest.saturating_sub(9)..=newest {
        let of_then = transfers.iter().filter(|(at, _)| *at == then);
        let speeds: Vec<f64> = of_then.map(|(_, mbps)| *mbps).collect();
        if !speeds.is_empty() {
            let sum: f64 = speeds.iter().sum();
            means.push((sum / speeds.len() as f64, speeds.len()));
        }
    }
    means
}

/// Standard deviation of all of them, each in parts of the mean of its direction: these have the mean 1.
fn variation(ways: &[Vec<(f64, usize)>]) -> f64 {
    let mut parts = vec![];
    for means in ways {
        let mean = means.iter().map(|(speed, _)| speed).sum::<f64>() / means.len() as f64;
        parts.extend(means.iter().map(|(speed, _)| speed / mean));
    }
    let squares = parts.iter().map(|part| (part - 1.0).powi(2));
    (squares.sum::<f64>() / parts.len() as f64).sqrt()
}

proptest! {
    #[test]
    fn the_variation_is_that_of_the_minutes_of_the_last_ten_each_direction_beside_its_mean(
        transfers in prop::collection::vec((
            prop_oneof![
                2 => 0u64..10_000,
                6 => 10_000u64..100_000,
                2 => 100_000u64..700_000,
                1 => Just(60_000),
            ],
            prop_oneof![8 => Just(0u64), 1 => 0u64..700_000, 1 => Just(u64::MAX)],
            any::<bool>(),
            prop_oneof![
                8 => (1u16..=256).prop_map(f64::from),
                4 => 0.001..4_000_000.0f64,
                1 => prop::sample::select(vec![0.0, -1.0, 4_000_001.0, f64::NAN, f64::INFINITY]),
            ],
        ), 0..60),
        is_at_the_end: bool,
    ) {
        let mut vitals = Vitals::default();
        let mut lists: [Vec<Transfer>; 2] = [vec![], vec![]];
        let (mut newest, mut clock) = ([0u64; 2], 0u64);
        if is_at_the_end {
            clock = 60_000 * u64::from(u32::MAX) - 1_000_000;
        }
        for (passed_ms, back_ms, is_up, mbps) in transfers {
            clock = clock.saturating_add(passed_ms);
            let now = clock.saturating_sub(back_ms);
            let (down_mbps, up_mbps) = match is_up {
                true => (None, Some(mbps)),
                false => (Some(mbps), None),
            };
            let told = Readings { down_mbps, up_mbps, ..Readings::default() };
            vitals.update(Tick(now), &told);
            // None goes further than the last minute that can be told.
            let minute = (now / 60_000).min(u32::MAX.into());
            for list in &mut lists {
                list.retain(|(then, _)| minute.saturating_sub(*then) < 10);
            }
            // No speed is no transfer, and neither is what is not believed.
            if mbps > 0.0 && mbps <= 4_000_000.0 {
                // A clock that jumps back counts into the newest minute of its direction.
                let way = usize::from(is_up);
                newest[way] = minute.max(newest[way]);
                lists[way].push((newest[way], mbps));
            }
            // One minute alone varies around nothing.
            let mut ways = vec![means(&lists[0], newest[0]), means(&lists[1], newest[1])];
            ways.retain(|means| means.len() >= 2);
            let Some(found) = vitals.speed_variation() else {
                prop_assert!(ways.is_empty(), "{ways:?}");
                continue;
            };
            prop_assert!(!ways.is_empty(), "{found}");
            // Each speed is cut to seven binary digits behind its first, once for each transfer.
            let transfers = ways.iter().flatten().map(|(_, transfers)| *transfers);
            let cut = transfers.max().unwrap_or(1) as f64 / 128.0;
            let expected = variation(&ways);
            let bound = cut * (1.0 + 2.0 * expected) / (1.0 - cut).max(0.1);
            prop_assert!(
                (f64::from(found) - expected).abs() <= bound + 1e-4 * (1.0 + expected),
                "{found} {expected} {ways:?}"
            );
        }
    }
}

/// Of what there are readings, with the least and the most that is believed, and how finely it is kept.
const QUANTITIES: [(Quantity, f64, f64, f64); 9] = [
    (Quantity::Down, 0.0, 4e6, 0.001),
    (Quantity::Up, 0.0, 4e6, 0.001),
    (Quantity::Latency, 0.0, 6e5, 0.001),
    (Quantity::ProcessorRate, 0.0, 4e9, 1.0),
    (Quantity::FreeRam, 0.0, 1e9, 1.0),
    (Quantity::FreeStorage, 0.0, 1e12, 1e3),
    (Quantity::FreeCpu, 0.0, 100.0, 0.1),
    (Quantity::Battery, 0.0, 100.0, 0.1),
    (Quantity::Temperature, -90.0, 250.0, 0.1),
];

/// A reading of each of them, and the two that are no numbers.
type Told = ([Option<f64>; 9], Option<Connection>, Option<bool>);

#[derive(Clone, Debug)]
enum Happening {
    Told(Told),
    /// Somebody looks, and nothing is told.
    Look,
    ForgetState,
    ForgetRate,
    RestoreRate(Option<u32>),
}

/// All that happened, each with the minute in which it did.
#[derive(Debug, Default)]
struct History(Vec<(u64, Happening)>);

impl History {
    /// What was last told of a quantity, unless that was not believed or is forgotten.
    fn known(&self, place: usize) -> Option<f64> {
        let (quantity, least, most, _) = QUANTITIES[place];
        let is_believed = |value: f64| value >= least && value <= most;
        let is_rate = quantity == Quantity::ProcessorRate;
        let is_speed = matches!(quantity, Quantity::Down | Quantity::Up);
        let is_measured = is_rate || is_speed || quantity == Quantity::Latency;
        // The newest transfer so far; one takes place at some speed.
        let (mut known, mut newest) = (None, 0);
        for (minute, happening) in &self.0 {
            if matches!(happening, Happening::Told(_) | Happening::Look)
                && is_speed
                && *minute >= newest + 60
            {
                known = None;
            }
            match happening {
                Happening::Told((values, ..)) => {
                    if let Some(value) = values[place] {
                        known = is_believed(value).then_some(value);
                        if known.is_some() && value > 0.0 {
                            newest = newest.max(*minute);
                        }
                    }
                }
                Happening::ForgetState if !is_measured => known = None,
                Happening::ForgetRate if is_rate => known = None,
                Happening::RestoreRate(rate) if is_rate => known = rate.map(f64::from),
                _ => {}
            }
        }
        known
    }

    /// What was last told of something that is no number, since all of that was forgotten.
    fn last<T>(&self, of: impl Fn(&Told) -> Option<T>) -> Option<T> {
        let is_forgetting = |it: &&(u64, Happening)| matches!(it.1, Happening::ForgetState);
        let since = self.0.iter().rev().take_while(|it| !is_forgetting(it));
        let mut told = since.filter_map(|(_, happening)| match happening {
            Happening::Told(told) => of(told),
            _ => None,
        });
        told.next()
    }
}

fn readings((values, connection, is_charging): Told) -> Readings {
    let [
        down,
        up,
        latency,
        rate,
        ram,
        storage,
        cpu,
        battery,
        temperature,
    ] = values;
    Readings {
        connection,
        down_mbps: down,
        up_mbps: up,
        latency_ms: latency,
        processor_rate: rate,
        free_ram_mb: ram,
        free_storage_mb: storage,
        free_cpu_percent: cpu,
        battery_percent: battery,
        is_charging,
        temperature_celsius: temperature,
    }
}

/// What is known, in the units of the readings.
fn found(vitals: &Vitals) -> [Option<f64>; 9] {
    [
        vitals.down_mbps(),
        vitals.up_mbps(),
        vitals.latency_ms(),
        vitals.processor_rate().map(f64::from),
        vitals.free_ram_mb().map(f64::from),
        vitals.free_storage_gb().map(|gb| f64::from(gb) * 1e3),
        vitals.free_cpu_percent(),
        vitals.battery_permille.map(|it| f64::from(it) / 10.0),
        vitals.temperature_celsius(),
    ]
}

/// Whether a number is another one, cut to so much.
fn is_cut(cut: f64, whole: f64, to: f64) -> bool {
    let rounding = 1e-12 * (1.0 + whole.abs());
    cut.abs() <= whole.abs() + rounding && (whole - cut).abs() < to + rounding
}

fn told() -> impl Strategy<Value = Told> {
    let values = QUANTITIES.map(|(_, least, most, _)| {
        let absurd = vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e300,
            -1e300,
            least - 0.001,
            most + 0.001,
        ];
        prop_oneof![
            6 => Just(None),
            4 => (least..most).prop_map(Some),
            2 => (0.0..100.0f64).prop_map(Some),
            1 => prop::sample::select(vec![Some(0.0), Some(-0.0), Some(least), Some(most)]),
            1 => prop::sample::select(absurd).prop_map(Some),
        ]
    });
    let connection = prop::sample::select(vec![Connection::Fibre, Connection::Mobile]);
    let weighted = prop::option::weighted(0.3, connection);
    (values, weighted, any::<Option<bool>>())
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => told().prop_map(Happening::Told),
        3 => Just(Happening::Look),
        2 => Just(Happening::ForgetState),
        1 => Just(Happening::ForgetRate),
        1 => prop::option::of(0..u32::MAX).prop_map(Happening::RestoreRate),
    ]
}

proptest! {
    #[test]
    fn what_is_known_is_what_was_last_told_and_believed_and_is_not_forgotten(
        happenings in prop::collection::vec((
            prop_oneof![
                6 => 0u64..100_000,
                2 => Just(60_000),
                2 => 0u64..4_000_000,
                2 => prop::sample::select(vec![3_540_000, 3_599_999, 3_600_000u64]),
            ],
            prop_oneof![8 => Just(0u64), 1 => 0u64..4_000_000, 1 => Just(u64::MAX)],
            happening(),
        ), 0..40),
        is_at_the_end: bool,
    ) {
        let (mut vitals, mut history) = (Vitals::default(), History::default());
        let mut clock = if is_at_the_end { 60_000 * u64::from(u32::MAX) - 4_000_000 } else { 0 };
        for (passed_ms, back_ms, happening) in happenings {
            clock += passed_ms;
            let now = clock.saturating_sub(back_ms);
            // None goes further than the last minute that can be told.
            let minute = (now / 60_000).min(u32::MAX.into());
            history.0.push((minute, happening.clone()));
            match happening {
                Happening::Told(told) => {
                    let bad = vitals.update(Tick(now), &readings(told));
                    let bad = bad.iter().map(|it| (it.quantity, it.value.to_bits()));
                    let all = QUANTITIES.iter().zip(told.0);
                    let absurd = all.filter_map(|((quantity, least, most, _), value)| {
                        let value = value?;
                        let is_absurd = value.is_nan() || value < *least || value > *most;
                        is_absurd.then_some((*quantity, value.to_bits()))
                    });
                    prop_assert_eq!(bad.collect::<Vec<_>>(), absurd.collect::<Vec<_>>());
                }
                Happening::Look => vitals.forget_old(Tick(now)),
                Happening::ForgetState => {
                    let variation = vitals.speed_variation();
                    vitals.forget_state();
                    prop_assert_eq!(vitals.speed_variation(), variation);
                }
                Happening::ForgetRate => vitals.forget_rate(),
                Happening::RestoreRate(rate) => vitals.restore_rate(rate),
            }
            for (place, found) in found(&vitals).into_iter().enumerate() {
                let (quantity, .., to) = QUANTITIES[place];
                let is_it = match (found, history.known(place)) {
                    (Some(found), Some(known)) => is_cut(found, known, to),
                    (found, known) => found.is_none() && known.is_none(),
                };
                prop_assert!(is_it, "{quantity:?}: {found:?} after {history:?}");
            }
            prop_assert_eq!(vitals.connection, history.last(|told| told.1));
            prop_assert_eq!(vitals.is_charging, history.last(|told| told.2));
        }
    }
}
