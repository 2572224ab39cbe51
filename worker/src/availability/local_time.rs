//! Reads the machine's clock in its time zone.
//!
//! A clock that shows no possible time is taken as the nearest possible one; a zone that the machine
//! does not tell as UTC. Hours of which a change to summer time leaves out some, or repeats some,
//! are neither an error nor an exception: the clock shows what it shows.

use super::clock::{Month, WallClock, WeekMinute, Weekday};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the machine's clock shows now.
pub fn now() -> WallClock {
    wall_clock(SystemTime::now(), TimeZone::system())
}

/// The name of the machine's time zone, to be told to the owner once; `None` if it is not known and
/// hours are UTC, or if it has no name.
pub fn time_zone() -> Option<String> {
    let zone = TimeZone::try_system().ok()?;
    zone.iana_name().map(str::to_owned)
}

pub(super) fn wall_clock(now: SystemTime, zone: TimeZone) -> WallClock {
    let nearest = if now < UNIX_EPOCH {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    let zoned: Zoned = Timestamp::try_from(now).unwrap_or(nearest).to_zoned(zone);
    let weekday = usize::from(zoned.weekday().to_monday_zero_offset().unsigned_abs());
    WallClock::new(
        Month::new(zoned.year().into(), zoned.month().unsigned_abs()),
        WeekMinute::at(
            Weekday::ALL[weekday % 7],
            zoned.hour().unsigned_abs(),
            zoned.minute().unsigned_abs(),
        ),
    )
}
