//! Why the machine may not be used, in words that name the setting.

use super::clock::{Month, WeekMinute};
use crate::machine::Link;
use std::{fmt, mem};

/// Whether the machine may be used now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Available,
    /// It may not, for each of these reasons; there is at least one.
    Withheld(Vec<Withheld>),
}

impl Verdict {
    /// Whether it may.
    pub fn is_available(&self) -> bool {
        *self == Self::Available
    }

    /// What holds it back; nothing if it may be used.
    pub fn reasons(&self) -> &[Withheld] {
        match self {
            Self::Available => &[],
            Self::Withheld(reasons) => reasons,
        }
    }

    /// Whether the same rules hold it back in both, whatever the figures.
    pub fn is_like(&self, other: &Self) -> bool {
        let rules = |verdict: &Self| -> Vec<_> {
            verdict.reasons().iter().map(mem::discriminant).collect()
        };
        rules(self) == rules(other)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_available() {
            return formatter.write_str("the machine may be used");
        }
        for (place, reason) in self.reasons().iter().enumerate() {
            let between = if place == 0 { "" } else { "; " };
            write!(formatter, "{between}{reason}")?;
        }
        Ok(())
    }
}

/// A rule of the settings that holds the machine back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// It is outside the hours.
    #[error("outside `availability.hours`, which begin again on {opens_at}")]
    OutsideHours {
        /// When hours begin next.
        opens_at: WeekMinute,
    },
    /// The network is of a kind that may not be used, or not known.
    #[error("{}, and `availability.networks` does not allow that", network(*.found))]
    NetworkNotAllowed {
        /// What it is.
        found: Option<Link>,
    },
    /// The month's data are used up.
    #[error(
        "{} MB moved in {month}, of the {} of `availability.data_mb_per_month`",
        .bytes / MEGABYTE, .bytes_max / MEGABYTE
    )]
    DataCapReached {
        /// The month.
        month: Month,
        /// Bytes moved in it.
        bytes: u64,
        /// Bytes that may be.
        bytes_max: u64,
    },
    /// The battery is low, and the machine is not known to run on external power.
    #[error(
        "the battery is at {}.{} %, below the {} of `availability.battery_percent_min`, and the \
         machine is not known to be plugged in",
        .permille / 10, .permille % 10, .permille_min / 10
    )]
    BatteryLow {
        /// Its charge, in thousandths.
        permille: u16,
        /// The least it may be.
        permille_min: u16,
    },
    /// The cores are too hot.
    #[error(
        "the cores have {} °C; above the {} of `availability.temperature_c_max` the machine is not \
         used until they have {}",
        tenths(*.decicelsius), tenths(*.decicelsius_max), tenths(cooled(*.decicelsius_max))
    )]
    TooHot {
        /// Their temperature, in tenths of a degree Celsius.
        decicelsius: i16,
        /// The most it may be.
        decicelsius_max: i16,
    },
    /// A person uses the machine, or may, for all that is known.
    #[error("{}, and `availability.only_when_idle` wants {} minutes without input", input(*.idle_s), .idle_s_min / 60)]
    InUse {
        /// Seconds since it was last touched; `None` if that is not known.
        idle_s: Option<u64>,
        /// Seconds it must not have been.
        idle_s_min: u64,
    },
    /// Other programs use the machine, or may, for all that is known.
    #[error("{}, and `availability.only_when_idle` allows {} %", load(*.permille), .permille_max / 10)]
    Busy {
        /// The part of the processor's time that they take, in thousandths.
        permille: Option<u16>,
        /// The part that they may take.
        permille_max: u16,
    },
}

impl Withheld {
    /// Whether the machine is wanted back, or in danger, so that not even a task that runs may end.
    pub fn is_urgent(&self) -> bool {
        match self {
            Self::BatteryLow { .. }
            | Self::TooHot { .. }
            | Self::InUse { .. }
            | Self::Busy { .. } => true,
            Self::OutsideHours { .. }
            | Self::NetworkNotAllowed { .. }
            | Self::DataCapReached { .. } => false,
        }
    }
}

/// Bytes of a megabyte, as data plans count.
pub(super) const MEGABYTE: u64 = 1_000_000;

/// How much cooler than the limit the cores must be, in tenths of a degree, once they have passed
/// it: a machine that is not used cools at once, and would otherwise be used and not used in turn.
const COOLER_DECICELSIUS: i16 = 50;

/// The temperature at which a machine that was too hot is so no more.
pub(super) fn cooled(decicelsius_max: i16) -> i16 {
    decicelsius_max.saturating_sub(COOLER_DECICELSIUS)
}

fn network(found: Option<Link>) -> String {
    match found {
        Some(link) => format!("the network is {link}"),
        None => "the network's kind is not known".into(),
    }
}

fn tenths(value: i16) -> String {
    format!("{:.1}", f32::from(value) / 10.0)
}

fn input(idle_s: Option<u64>) -> String {
    match idle_s {
        Some(idle_s) => format!("somebody used the machine {idle_s} seconds ago"),
        None => "whether somebody uses the machine is not known (what is joined by Bluetooth tells nothing)".into(),
    }
}

fn load(permille: Option<u16>) -> String {
    match permille {
        Some(permille) => format!(
            "other programs take {}.{} % of the processor",
            permille / 10,
            permille % 10
        ),
        None => "what other programs take of the processor is not known".into(),
    }
}
