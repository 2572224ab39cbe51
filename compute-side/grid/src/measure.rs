//! What a device says of itself and what was measured of it, checked.
//!
//! [`Readings`] are numbers as they come: from a message, a division by a time that was too short,
//! a sensor that is not there. [`Vitals`] hold what is left of them: finite, within bounds, and
//! absent where nothing is known. What is dropped on the way is told as a [`BadReading`].

#[cfg(test)]
mod model;

use crate::{LineSpeed, Tick};
use std::{
    fmt,
    num::{NonZeroU16, NonZeroU32},
};

/// The kind of line that a device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Connection {
    /// Optical fibre.
    Fibre,
    /// Television cable.
    Cable,
    /// Telephone line.
    Dsl,
    /// Satellite.
    Satellite,
    /// Mobile telephone.
    Mobile,
    /// None of these.
    Other,
}

/// What a device reports every half minute, and what the masternode measured, unchecked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Readings {
    /// The kind of line.
    pub connection: Option<Connection>,
    /// Speed of the last transfer to the device, in megabits a second.
    pub down_mbps: Option<f64>,
    /// Speed of the last transfer from the device, in megabits a second.
    pub up_mbps: Option<f64>,
    /// Round trip to the device, in milliseconds.
    pub latency_ms: Option<f64>,
    /// The benchmark's rate, in fuel per millisecond.
    pub processor_rate: Option<f64>,
    /// Free memory, in megabytes.
    pub free_ram_mb: Option<f64>,
    /// Free storage, in megabytes.
    pub free_storage_mb: Option<f64>,
    /// Free share of the processor, in percent.
    pub free_cpu_percent: Option<f64>,
    /// Charge of the battery, in percent; absent without a battery.
    pub battery_percent: Option<f64>,
    /// Whether it is being charged.
    pub is_charging: Option<bool>,
    /// The processor's temperature, in degrees Celsius.
    pub temperature_celsius: Option<f64>,
}

/// What a reading was of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Speed to the device.
    Down,
    /// Speed from the device.
    Up,
    /// Round trip.
    Latency,
    /// The benchmark's rate.
    ProcessorRate,
    /// Free memory.
    FreeRam,
    /// Free storage.
    FreeStorage,
    /// Free share of the processor.
    FreeCpu,
    /// Charge of the battery.
    Battery,
    /// The processor's temperature.
    Temperature,
}

impl Quantity {
    /// The least and the most that is believed. The upper ends are an order of magnitude above the
    /// best that is sold.
    fn bounds(self) -> (f64, f64) {
        match self {
            Self::Down | Self::Up => (0.0, 4_000_000.0),
            Self::Latency => (0.0, 600_000.0),
            Self::ProcessorRate => (0.0, 4_000_000_000.0),
            Self::FreeRam => (0.0, 1e9),
            Self::FreeStorage => (0.0, 1e12),
            Self::FreeCpu | Self::Battery => (0.0, 100.0),
            Self::Temperature => (-90.0, 250.0),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Down => "download speed",
            Self::Up => "upload speed",
            Self::Latency => "latency",
            Self::ProcessorRate => "processor rate",
            Self::FreeRam => "free memory",
            Self::FreeStorage => "free storage",
            Self::FreeCpu => "free processor",
            Self::Battery => "battery charge",
            Self::Temperature => "core temperature",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Down | Self::Up => "Mbit/s",
            Self::Latency => "ms",
            Self::ProcessorRate => "fuel/ms",
            Self::FreeRam | Self::FreeStorage => "MB",
            Self::FreeCpu | Self::Battery => "%",
            Self::Temperature => "°C",
        }
    }
}

/// A reading that is not believed. It counts as absent.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "the {what} of {value} {unit} is not believed and counts as unknown; it must be from {least} to {most}",
    what = quantity.words(), unit = quantity.unit(),
    least = quantity.bounds().0, most = quantity.bounds().1
)]
pub struct BadReading {
    /// Of what.
    pub quantity: Quantity,
    /// What was read.
    pub value: f64,
}

/// Minutes of which speeds are remembered.
const SPEEDS: usize = 10;

/// How long one remembered speed stands for: a minute. Half minutes would say hardly more, and of both
/// directions they would take twice the memory of each of a million devices.
const SPEED_MS: u64 = 60_000;

/// Minutes after which a speed is not known any more: an hour.
const SPEED_LASTS: u32 = 60;

/// What is known of how a device is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vitals {
    /// The kind of line.
    pub connection: Option<Connection>,
    /// Speed to the device, in kilobits a second.
    down_kbps: Perhaps,
    /// Speed from the device, in kilobits a second.
    up_kbps: Perhaps,
    /// Round trip, in microseconds.
    latency_us: Perhaps,
    /// The benchmark's rate, in fuel per millisecond.
    processor_rate: Perhaps,
    /// Free memory, in megabytes.
    free_ram_mb: Perhaps,
    /// Free storage, in gigabytes.
    free_storage_gb: Perhaps,
    /// Free share of the processor, in thousandths.
    free_cpu_permille: PerhapsShare,
    /// Charge of the battery, in thousandths.
    pub battery_permille: Option<u16>,
    /// Whether it is being charged.
    pub is_charging: Option<bool>,
    /// The processor's temperature, in tenths of a degree Celsius.
    pub temperature_decicelsius: Option<i16>,
    /// The last speeds to the device.
    downs: Speeds,
    /// The last speeds from the device.
    ups: Speeds,
}

impl Vitals {
    /// Takes readings in. What is absent in them stays as it was, unless it is too old; what is not
    /// believed becomes unknown and is returned.
    pub fn update(&mut self, now: Tick, readings: &Readings) -> Vec<BadReading> {
        self.forget_old(now);
        let mut bad = Vec::new();
        let mut check = |quantity: Quantity, value: Option<f64>| -> Option<Option<f64>> {
            let value = value?;
            let (least, most) = quantity.bounds();
            // Not a number is in no range.
            if (least..=most).contains(&value) {
                return Some(Some(value));
            }
            bad.push(BadReading { quantity, value });
            Some(None)
        };
        let down = check(Quantity::Down, readings.down_mbps);
        let up = check(Quantity::Up, readings.up_mbps);
        let latency = check(Quantity::Latency, readings.latency_ms);
        let rate = check(Quantity::ProcessorRate, readings.processor_rate);
        let ram = check(Quantity::FreeRam, readings.free_ram_mb);
        let storage = check(Quantity::FreeStorage, readings.free_storage_mb);
        let cpu = check(Quantity::FreeCpu, readings.free_cpu_percent);
        let battery = check(Quantity::Battery, readings.battery_percent);
        let temperature = check(Quantity::Temperature, readings.temperature_celsius);

        // The bounds keep every product below within its type.
        let keep = |known: &mut Perhaps, told: Option<Option<f64>>, factor: f64| {
            if let Some(value) = told {
                *known = Perhaps::of(value.map(|value| (value * factor) as u32));
            }
        };
        keep(&mut self.down_kbps, down, 1_000.0);
        keep(&mut self.up_kbps, up, 1_000.0);
        keep(&mut self.latency_us, latency, 1_000.0);
        keep(&mut self.processor_rate, rate, 1.0);
        keep(&mut self.free_ram_mb, ram, 1.0);
        keep(&mut self.free_storage_gb, storage, 0.001);
        if let Some(cpu) = cpu {
            self.free_cpu_permille = PerhapsShare::of(cpu.map(|percent| (percent * 10.0) as u16));
        }
        if let Some(battery) = battery {
            self.battery_permille = battery.map(|percent| (percent * 10.0) as u16);
        }
        if let Some(temperature) = temperature {
            self.temperature_decicelsius = temperature.map(|celsius| (celsius * 10.0) as i16);
        }
        self.connection = readings.connection.or(self.connection);
        self.is_charging = readings.is_charging.or(self.is_charging);
        for (speeds, told) in [(&mut self.downs, down), (&mut self.ups, up)] {
            if let Some(Some(mbps)) = told {
                speeds.remember(minute(now), mbps as f32);
            }
        }
        bad
    }

    /// Forgets what was measured too long ago: a speed after an hour; for how even speeds are, those
    /// of more than ten minutes ago.
    pub fn forget_old(&mut self, now: Tick) {
        let ways = [
            (&mut self.down_kbps, &mut self.downs),
            (&mut self.up_kbps, &mut self.ups),
        ];
        for (kbps, speeds) in ways {
            if speeds.forget_old(minute(now)) >= SPEED_LASTS {
                *kbps = Perhaps::default();
            }
        }
    }

    /// Forgets how fast the processor is.
    pub fn forget_rate(&mut self) {
        self.processor_rate = Perhaps::default();
    }

    /// Takes over how fast the processor was known to be, in fuel per millisecond.
    pub(crate) fn restore_rate(&mut self, rate: Option<u32>) {
        self.processor_rate = Perhaps::of(rate);
    }

    /// Forgets what devices tell of themselves every half minute: what the next state does not tell is
    /// not known any more.
    pub fn forget_state(&mut self) {
        *self = Self {
            down_kbps: self.down_kbps,
            up_kbps: self.up_kbps,
            latency_us: self.latency_us,
            processor_rate: self.processor_rate,
            downs: self.downs,
            ups: self.ups,
            ..Self::default()
        };
    }

    /// Speed to the device, in megabits a second.
    pub fn down_mbps(&self) -> Option<f64> {
        self.down_kbps.get().map(|kbps| f64::from(kbps) / 1_000.0)
    }

    /// Speed from the device, in megabits a second.
    pub fn up_mbps(&self) -> Option<f64> {
        self.up_kbps.get().map(|kbps| f64::from(kbps) / 1_000.0)
    }

    /// How fast its line is.
    pub fn line(&self) -> LineSpeed {
        LineSpeed::measured(self.down_kbps.get(), self.up_kbps.get())
    }

    /// Round trip, in milliseconds.
    pub fn latency_ms(&self) -> Option<f64> {
        self.latency_us.get().map(|us| f64::from(us) / 1_000.0)
    }

    /// The benchmark's rate, in fuel per millisecond.
    pub fn processor_rate(&self) -> Option<u32> {
        self.processor_rate.get()
    }

    /// Free memory, in megabytes.
    pub fn free_ram_mb(&self) -> Option<u32> {
        self.free_ram_mb.get()
    }

    /// Free storage, in gigabytes.
    pub fn free_storage_gb(&self) -> Option<u32> {
        self.free_storage_gb.get()
    }

    /// Free share of the processor, in percent.
    pub fn free_cpu_percent(&self) -> Option<f64> {
        self.free_cpu_permille
            .get()
            .map(|permille| f64::from(permille) / 10.0)
    }

    /// The processor's temperature, in degrees Celsius.
    pub fn temperature_celsius(&self) -> Option<f64> {
        self.temperature_decicelsius
            .map(|tenths| f64::from(tenths) / 10.0)
    }

    /// Standard deviation over mean of the speeds in the last ten minutes, to the device and from it, each in
    /// parts of the mean of its own direction; absent while fewer than two minutes of either are known.
    ///
    /// The published formula is over all speeds, without a word of directions. Most lines are several times
    /// faster one way: together and as they are, the speeds of the most even line would seem uneven. In parts
    /// of its direction's mean each has the mean 1, so all of them have one deviation, in which a direction
    /// weighs as much as is known of it.
    pub fn speed_variation(&self) -> Option<f32> {
        let ways = [self.downs.squares(), self.ups.squares()];
        let count: usize = ways.iter().map(|(count, _)| count).sum();
        let squares: f32 = ways.iter().map(|(_, squares)| squares).sum();
        (count > 0).then(|| libm::sqrtf(squares / count as f32))
    }
}

/// The speeds of the last ten minutes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Speeds {
    /// The mean of each minute's.
    means: [Speed; SPEEDS],
    /// How many transfers the newest of them is the mean of.
    transfers: u16,
    /// Its minute.
    newest: u32,
}

impl Speeds {
    /// Takes in a transfer of this minute.
    fn remember(&mut self, minute: u32, mbps: f32) {
        if mbps <= 0.0 {
            return;
        }
        // A clock that jumps back counts into the newest minute.
        let minute = minute.max(self.newest);
        let passed = minute - self.newest;
        if passed > 0 || self.transfers == 0 {
            let stale = passed.min(SPEEDS as u32);
            for gone in 0..stale {
                self.means[place(minute - gone)] = Speed::default();
            }
            self.newest = minute;
            self.transfers = 1;
            self.means[place(minute)] = Speed::of(mbps);
        } else {
            self.transfers = self.transfers.saturating_add(1);
            let mean = &mut self.means[place(minute)];
            *mean = Speed::of(mean.mbps() + (mbps - mean.mbps()) / f32::from(self.transfers));
        }
    }

    /// Forgets what is ten minutes old now. Returns how many minutes ago the newest was.
    fn forget_old(&mut self, now: u32) -> u32 {
        let since = now.saturating_sub(self.newest);
        let gone = since.min(SPEEDS as u32);
        for age in SPEEDS as u32 - gone..SPEEDS as u32 {
            if let Some(then) = self.newest.checked_sub(age) {
                self.means[place(then)] = Speed::default();
            }
        }
        if gone == SPEEDS as u32 {
            self.transfers = 0;
        }
        since
    }

    /// Of how many minutes the speed is known, and how far these are off their mean, in parts of it: the sum
    /// of the squares. A single one says nothing of how even they are, and does not count.
    fn squares(&self) -> (usize, f32) {
        let known = || {
            self.means
                .iter()
                .map(Speed::mbps)
                .filter(|speed| *speed > 0.0)
        };
        let count = known().count();
        if count < 2 {
            return (0, 0.0);
        }
        let mean = known().sum::<f32>() / count as f32;
        let off = |speed: f32| (speed - mean) / mean;
        let squares = known().map(|speed| off(speed) * off(speed)).sum::<f32>();
        (count, squares)
    }
}

/// The minute of a time; the last that can be told, if that is too late.
fn minute(now: Tick) -> u32 {
    u32::try_from(now.0 / SPEED_MS).unwrap_or(u32::MAX)
}

/// Where the speed of a minute is remembered.
fn place(minute: u32) -> usize {
    minute as usize % SPEEDS
}

/// A number that may be unknown, in four bytes: one more than it is. A million devices have six of
/// them each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Perhaps(Option<NonZeroU32>);

impl Perhaps {
    fn of(value: Option<u32>) -> Self {
        Self(value.and_then(|value| NonZeroU32::new(value.saturating_add(1))))
    }

    fn get(self) -> Option<u32> {
        self.0.map(|one_more| one_more.get() - 1)
    }
}

/// The same of a share in thousandths, in two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PerhapsShare(Option<NonZeroU16>);

impl PerhapsShare {
    fn of(value: Option<u16>) -> Self {
        Self(value.and_then(|value| NonZeroU16::new(value.saturating_add(1))))
    }

    fn get(self) -> Option<u16> {
        self.0.map(|one_more| one_more.get() - 1)
    }
}

/// A speed in megabits a second, to four parts in a thousand: the upper half of a float. A million
/// devices have twenty of them each. Zero where none was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Speed(u16);

impl Speed {
    fn of(mbps: f32) -> Self {
        // Rounded: a mean of many that were cut would sink to the least of them.
        Self((mbps.to_bits().saturating_add(1 << 15) >> 16) as u16)
    }

    fn mbps(&self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fibre => "fibre",
            Self::Cable => "cable",
            Self::Dsl => "DSL",
            Self::Satellite => "satellite",
            Self::Mobile => "mobile",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60_000;

    fn speed(mbps: f64) -> Readings {
        Readings {
            down_mbps: Some(mbps),
            ..Readings::default()
        }
    }

    #[test]
    fn what_is_not_believed_becomes_unknown_and_is_told() {
        let mut vitals = Vitals::default();
        let good = Readings {
            free_ram_mb: Some(2_048.0),
            free_cpu_percent: Some(50.0),
            ..Readings::default()
        };
        assert_eq!(vitals.update(Tick(0), &good), vec![]);
        assert_eq!(vitals.free_ram_mb(), Some(2_048));
        for nonsense in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            let readings = Readings {
                free_ram_mb: Some(nonsense),
                ..Readings::default()
            };
            let told = vitals.update(Tick(1), &readings);
            assert_eq!(told.len(), 1);
            assert!(told[0].to_string().contains("free memory"), "{}", told[0]);
            assert_eq!(vitals.free_ram_mb(), None);
            assert_eq!(vitals.free_cpu_percent(), Some(50.0));
        }
    }

    #[test]
    fn even_speeds_vary_nothing_and_uneven_ones_do() {
        let mut vitals = Vitals::default();
        vitals.update(Tick(0), &speed(10.0));
        assert_eq!(vitals.speed_variation(), None);
        vitals.update(Tick(MINUTE), &speed(10.0));
        assert_eq!(vitals.speed_variation(), Some(0.0));
        vitals.update(Tick(2 * MINUTE), &speed(40.0));
        // 10, 10, 40: mean 20, standard deviation 14.142.
        let variation = vitals.speed_variation().unwrap();
        assert!((variation * variation - 0.5).abs() < 0.02, "{variation}");
    }

    #[test]
    fn each_direction_varies_around_its_own_mean_and_both_count() {
        let both = |down, up| Readings {
            up_mbps: Some(up),
            ..speed(down)
        };
        let mut vitals = Vitals::default();
        vitals.update(Tick(0), &both(100.0, 10.0));
        assert_eq!(vitals.speed_variation(), None, "one of each");
        vitals.update(Tick(MINUTE), &both(100.0, 10.0));
        assert_eq!(
            vitals.speed_variation(),
            Some(0.0),
            "one is ten times another"
        );
        // 10, 10, 40: as above, and as many that are even halve the square of it.
        vitals.update(Tick(2 * MINUTE), &both(100.0, 40.0));
        let variation = vitals.speed_variation().unwrap();
        assert!((variation * variation - 0.25).abs() < 0.01, "{variation}");
        // A single transfer the other way changes nothing.
        let mut vitals = Vitals::default();
        vitals.update(Tick(0), &both(100.0, 10.0));
        let up = |mbps| Readings {
            up_mbps: Some(mbps),
            ..Readings::default()
        };
        vitals.update(Tick(MINUTE), &up(10.0));
        vitals.update(Tick(2 * MINUTE), &up(40.0));
        let variation = vitals.speed_variation().unwrap();
        assert!((variation * variation - 0.5).abs() < 0.02, "{variation}");
    }

    #[test]
    fn speeds_older_than_ten_minutes_are_forgotten() {
        let mut vitals = Vitals::default();
        vitals.update(Tick(0), &speed(1.0));
        vitals.update(Tick(9 * MINUTE), &speed(10.0));
        assert!(vitals.speed_variation().unwrap() > 0.5);
        vitals.update(Tick(10 * MINUTE), &speed(10.0));
        assert_eq!(vitals.speed_variation(), Some(0.0));
        vitals.update(Tick(100 * MINUTE), &speed(10.0));
        assert_eq!(vitals.speed_variation(), None);
    }

    #[test]
    fn a_speed_is_unknown_after_an_hour_and_how_even_speeds_are_after_ten_minutes() {
        const HOUR: u64 = 60 * MINUTE;
        let mut vitals = Vitals::default();
        vitals.update(Tick(0), &speed(10.0));
        let both = Readings {
            up_mbps: Some(5.0),
            ..speed(20.0)
        };
        vitals.update(Tick(MINUTE), &both);
        let known = |vitals: &Vitals| (vitals.down_mbps(), vitals.up_mbps());
        // Nothing is measured any more; what the device tells goes on.
        let told = |vitals: &mut Vitals, ms| {
            vitals.forget_state();
            vitals.update(Tick(ms), &Readings::default());
            vitals.speed_variation().is_some()
        };
        assert!(told(&mut vitals, 10 * MINUTE - 1));
        assert!(!told(&mut vitals, 10 * MINUTE), "only one is left");
        assert!(!told(&mut vitals, HOUR + MINUTE - 1));
        assert_eq!(known(&vitals), (Some(20.0), Some(5.0)));
        told(&mut vitals, HOUR + MINUTE);
        assert_eq!(known(&vitals), (None, None));
        vitals.update(Tick(2 * HOUR), &speed(30.0));
        assert_eq!(known(&vitals), (Some(30.0), None));
    }

    proptest! {
        #[test]
        fn no_readings_and_no_clock_make_a_score_leave_its_range(
            readings in prop::collection::vec((any::<u64>(), any::<f64>(), any::<f64>()), 0..40)
        ) {
            let mut vitals = Vitals::default();
            for (now, first, second) in readings {
                vitals.update(Tick(now), &Readings {
                    down_mbps: Some(first),
                    up_mbps: Some(second),
                    free_cpu_percent: Some(first),
                    processor_rate: Some(second),
                    temperature_celsius: Some(first),
                    ..Readings::default()
                });
                let total = crate::score::Parts::of(&vitals, 1_000).total();
                prop_assert!(total <= crate::Score::MAX);
                prop_assert!(vitals.speed_variation().is_none_or(f32::is_finite));
            }
        }
    }
}
