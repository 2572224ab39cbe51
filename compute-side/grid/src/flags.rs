//! Flags: why a device gets nothing at all at the moment. A flagged device has ByteRank 0.

#[cfg(test)]
mod model;

use crate::{Faults, measure::Vitals};
use std::fmt;

/// Below this charge a device that is not being charged is left alone, in thousandths.
const BATTERY_PERMILLE_MIN: u16 = 100;

/// The core temperature above which the published design leaves a device alone, in tenths of a degree
/// Celsius: 120 degrees Fahrenheit.
pub const TEMPERATURE_DECICELSIUS_PUBLISHED: i16 = 489;

/// A reason to give a device nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Flag {
    /// Not heard of for several heartbeats.
    Disconnected,
    /// More faults than are borne, see [`Faults::is_repeated`], or the chain has it in quarantine; until a
    /// review.
    RepeatedFailures,
    /// Three faults in a row; for a time.
    Waiting,
    /// Its battery has less than a tenth of its charge, or than its owner allows, and the machine is not plugged in.
    /// That a machine that is plugged in is an exception is ours.
    BatteryLow,
    /// Its processor is too hot.
    TooHot,
    /// Its worker wants it for other things at this hour.
    OutsideHours,
    /// It is on a network that its worker does not allow.
    NetworkNotAllowed,
    /// It has transferred as much as its worker allows.
    DataCapReached,
    /// Somebody is using it.
    InUse,
    /// Its account's bond does not cover it.
    Unbonded,
    /// Its account is banned.
    Banned,
}

impl Flag {
    const ALL: [Self; 11] = [
        Self::Disconnected,
        Self::RepeatedFailures,
        Self::Waiting,
        Self::BatteryLow,
        Self::TooHot,
        Self::OutsideHours,
        Self::NetworkNotAllowed,
        Self::DataCapReached,
        Self::InUse,
        Self::Unbonded,
        Self::Banned,
    ];

    fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "it is not connected",
            Self::RepeatedFailures => {
                "more than half of its last 20 tasks had a fault; ask for a review"
            }
            Self::Waiting => "it had three faults in a row and waits",
            Self::BatteryLow => "its battery is low and is not being charged",
            Self::TooHot => "its processor is too hot",
            Self::OutsideHours => "its worker does not offer it at this hour",
            Self::NetworkNotAllowed => "its worker does not allow the network it is on",
            Self::DataCapReached => "it has transferred as much as its worker allows",
            Self::InUse => "somebody uses the machine",
            Self::Unbonded => "its account's bond does not cover it",
            Self::Banned => "its account is banned by the council",
        })
    }
}

/// Reasons to give a device nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(pub(crate) u16);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this is one of them.
    pub fn has(self, flag: Flag) -> bool {
        self.0 & flag.bit() != 0
    }

    /// With this one, if it applies.
    #[must_use]
    pub fn with(self, flag: Flag, applies: bool) -> Self {
        Self(self.0 | if applies { flag.bit() } else { 0 })
    }

    /// Without this one.
    #[must_use]
    pub fn without(self, flag: Flag) -> Self {
        Self(self.0 & !flag.bit())
    }

    /// Those of either.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// All of them, in the order of [`Flag`].
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |flag| self.has(*flag))
    }

    /// Those that follow from how a device is and what went wrong on it, but for
    /// [`Flag::Waiting`], which passes with time. A temperature or charge that is not known raises
    /// none.
    pub fn of(vitals: &Vitals, faults: &Faults, temperature_decicelsius_max: i16) -> Self {
        let is_low = |charge| charge < BATTERY_PERMILLE_MIN && vitals.is_charging != Some(true);
        let is_hot = |temperature| temperature > temperature_decicelsius_max;
        Self::NONE
            .with(Flag::RepeatedFailures, faults.is_repeated())
            .with(
                Flag::BatteryLow,
                vitals.battery_permille.is_some_and(is_low),
            )
            .with(
                Flag::TooHot,
                vitals.temperature_decicelsius.is_some_and(is_hot),
            )
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        let add = |all: Self, flag| all.with(flag, true);
        flags.into_iter().fold(Self::NONE, add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tick, faults::Ending, measure::Readings};

    fn flags(readings: Readings) -> Flags {
        let mut vitals = Vitals::default();
        vitals.update(Tick(0), &readings);
        Flags::of(
            &vitals,
            &Faults::default(),
            TEMPERATURE_DECICELSIUS_PUBLISHED,
        )
    }

    #[test]
    fn a_device_of_which_nothing_is_known_has_no_flag() {
        assert!(flags(Readings::default()).is_empty());
    }

    #[test]
    fn a_nearly_empty_battery_counts_only_while_it_is_not_charged() {
        let at = |percent, charging| {
            flags(Readings {
                battery_percent: Some(percent),
                is_charging: Some(charging),
                ..Readings::default()
            })
        };
        assert_eq!(at(9.9, false), Flags::from_iter([Flag::BatteryLow]));
        assert!(at(10.0, false).is_empty());
        assert!(at(5.0, true).is_empty());
    }

    #[test]
    fn a_processor_above_120_degrees_fahrenheit_is_too_hot() {
        let at = |celsius| {
            flags(Readings {
                temperature_celsius: Some(celsius),
                ..Readings::default()
            })
        };
        assert!(at(48.8).is_empty());
        assert!(at(49.0).has(Flag::TooHot));
    }

    #[test]
    fn faults_raise_their_flags_and_lower_them() {
        let mut faults = Faults::default();
        (0..11).for_each(|_| faults.note(Tick(0), Ending::FAILED));
        let vitals = Vitals::default();
        let raised = Flags::of(&vitals, &faults, 0);
        assert_eq!(raised, Flags::from_iter([Flag::RepeatedFailures]));
        faults.review();
        assert!(Flags::of(&vitals, &faults, 0).is_empty());
    }

    #[test]
    fn every_flag_has_a_bit_and_words_of_its_own() {
        let all = Flags::from_iter(Flag::ALL);
        assert_eq!(all.iter().count(), Flag::ALL.len());
        let words: std::collections::BTreeSet<_> =
            all.iter().map(|flag| flag.to_string()).collect();
        assert_eq!(words.len(), Flag::ALL.len());
    }
}
