//! The table `[availability]` of the settings file.

use super::{Availability, Hours, HoursError, OnlyWhenIdle, withheld::MEGABYTE};
use crate::machine::Link;
use quern_primitives::device::Line;
use serde::Deserialize;

/// The table with every key, its default and what it means, for the settings file that
/// `quern-worker init` writes.
pub const TEMPLATE: &str = r#"
[availability]
# What is changed in this table is followed while the worker runs, within 30 seconds, or at once when
# it gets the signal SIGHUP. All above it is taken when the worker starts.

# When the machine may be used: days, times, or both, in the machine's own time zone. A span that
# ends before it begins goes on until the next day. Without this key: always.
# hours = ["mon-fri 18:00-08:00", "sat-sun"]

# The kinds of network it may use: "ethernet", "wireless", "mobile". Without this key: all.
# networks = ["ethernet", "wireless"]

# What the line is that the network leads to, which cannot be seen from inside: "fibre", "cable",
# "dsl", "satellite", "mobile" or "other". It counts for the device's score.
# line = "fibre"

# Data it may send and receive in a calendar month, in MB. Without this key: any.
# data_mb_per_month = 100000

# The part of the processor's time, of all its threads together, and of the memory that tasks may
# have, in percent, from 1 to 100. A task runs on one thread; where that is more than its part of the
# time, it runs and rests in turn. Tasks that may need more than the memory are not taken.
cpu_percent = 100
memory_percent = 100

# Below this charge of its battery, in percent, from 0 to 100, the machine is not used unless it is plugged in.
battery_percent_min = 10

# Nor above this temperature of its cores, in degrees Celsius, from 20 to 110. When it was passed
# they must be 5 degrees cooler before the machine is used again.
temperature_c_max = 90

# Only when nobody uses the machine: so many minutes without input, from 1 to 1440, while other
# programs take at most so much of the processor, in percent. Without this key: always.
# only_when_idle = { minutes = 10, load_percent_max = 25 }
"#;

/// The limit of the cores' temperature, in degrees Celsius. It is ours: the grid's own flag is at
/// 120 °F, 48.9 °C, which most machines pass whenever they compute, and a healthy one must not be
/// withheld for being busy. Processors slow themselves down from about 95 on.
const TEMPERATURE_C_MAX: f64 = 90.0;

/// Why preferences cannot be used. Every message names the key and the mend.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AvailabilityError {
    /// The hours are none.
    #[error(transparent)]
    Hours(#[from] HoursError),
    /// No network is allowed.
    #[error(
        "`availability.networks` is empty, so that the machine could never be used; remove the key to allow every network"
    )]
    NoNetwork,
    /// A number is not in its range.
    #[error("`availability.{key}` is {found}; set it to between {least} and {most}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Its value.
        found: f64,
        /// The least it may be.
        least: f64,
        /// The most it may be.
        most: f64,
    },
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entry {
    hours: Option<Vec<String>>,
    networks: Option<Vec<Link>>,
    line: Line,
    data_mb_per_month: Option<u64>,
    cpu_percent: u64,
    memory_percent: u64,
    battery_percent_min: u64,
    temperature_c_max: f64,
    only_when_idle: Option<IdleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct IdleEntry {
    minutes: u64,
    load_percent_max: u64,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            hours: None,
            networks: None,
            line: Line::Unknown,
            data_mb_per_month: None,
            cpu_percent: 100,
            memory_percent: 100,
            battery_percent_min: 10,
            temperature_c_max: TEMPERATURE_C_MAX,
            only_when_idle: None,
        }
    }
}

impl Default for IdleEntry {
    fn default() -> Self {
        Self {
            minutes: 10,
            load_percent_max: 25,
        }
    }
}

impl Default for Availability {
    fn default() -> Self {
        Self {
            hours: None,
            networks: None,
            line: Line::Unknown,
            data_bytes_per_month_max: None,
            cpu_percent: 100,
            memory_percent: 100,
            only_when_idle: None,
            battery_permille_min: 100,
            temperature_decicelsius_max: decicelsius(TEMPERATURE_C_MAX),
        }
    }
}

impl TryFrom<Entry> for Availability {
    type Error = AvailabilityError;

    fn try_from(entry: Entry) -> Result<Self, AvailabilityError> {
        let hours = entry.hours.map(|hours| Hours::parse(&hours)).transpose()?;
        if entry.networks.as_ref().is_some_and(Vec::is_empty) {
            return Err(AvailabilityError::NoNetwork);
        }
        let data_bytes_per_month_max = match entry.data_mb_per_month {
            // A thousand petabytes: no line moves more, and the product fits.
            Some(megabytes) => {
                let megabytes = within("data_mb_per_month", megabytes, 1, 1_000_000_000_000)?;
                Some(megabytes * MEGABYTE)
            }
            None => None,
        };
        let temperature = entry.temperature_c_max;
        // A text in place of the number is refused before; "nan" is a number, and in no range.
        if !(20.0..=110.0).contains(&temperature) {
            return Err(AvailabilityError::OutOfRange {
                key: "temperature_c_max",
                found: temperature,
                least: 20.0,
                most: 110.0,
            });
        }
        Ok(Self {
            hours,
            networks: entry.networks,
            line: entry.line,
            data_bytes_per_month_max,
            cpu_percent: percent("cpu_percent", entry.cpu_percent, 1)?,
            memory_percent: percent("memory_percent", entry.memory_percent, 1)?,
            only_when_idle: entry.only_when_idle.map(idle).transpose()?,
            battery_permille_min: 10
                * u16::from(percent(
                    "battery_percent_min",
                    entry.battery_percent_min,
                    0,
                )?),
            temperature_decicelsius_max: decicelsius(temperature),
        })
    }
}

fn idle(entry: IdleEntry) -> Result<OnlyWhenIdle, AvailabilityError> {
    let minutes = within("only_when_idle.minutes", entry.minutes, 1, 24 * 60)?;
    let load = percent("only_when_idle.load_percent_max", entry.load_percent_max, 1)?;
    Ok(OnlyWhenIdle {
        input_idle_s_min: minutes * 60,
        others_permille_max: u16::from(load) * 10,
    })
}

fn percent(key: &'static str, found: u64, least: u64) -> Result<u8, AvailabilityError> {
    let percent = within(key, found, least, 100)?;
    Ok(u8::try_from(percent).unwrap_or(100))
}

fn within(key: &'static str, found: u64, least: u64, most: u64) -> Result<u64, AvailabilityError> {
    if (least..=most).contains(&found) {
        Ok(found)
    } else {
        Err(AvailabilityError::OutOfRange {
            key,
            found: found as f64,
            least: least as f64,
            most: most as f64,
        })
    }
}

/// Tenths of a degree, of a temperature that was checked.
fn decicelsius(celsius: f64) -> i16 {
    (celsius * 10.0).round() as i16
}
