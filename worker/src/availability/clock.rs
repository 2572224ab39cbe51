//! What a clock on the wall shows. Hours and months are the owner's, and so are the jumps of their
//! clock: nothing here is counted from one reading to the next.

use std::{fmt, str::FromStr};

/// Minutes of a day.
pub(super) const DAY_MINUTES: u16 = 24 * 60;

/// Minutes of a week.
pub(super) const WEEK_MINUTES: u16 = 7 * DAY_MINUTES;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weekday {
    /// The first.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The last.
    Sunday,
}

impl Weekday {
    /// All, in order.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

impl fmt::Display for Weekday {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// A minute of the week, counted from Monday's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeekMinute(u16);

impl WeekMinute {
    /// A day and a time of it; what is more than a day has is taken as the day's last minute.
    pub fn at(weekday: Weekday, hour: u8, minute: u8) -> Self {
        let of_day = u16::from(hour.min(23)) * 60 + u16::from(minute.min(59));
        Self(weekday as u16 * DAY_MINUTES + of_day)
    }

    /// So many minutes after Monday's first, weeks left out.
    pub(super) fn after_monday(minutes: u16) -> Self {
        Self(minutes % WEEK_MINUTES)
    }

    pub(super) fn minutes(self) -> u16 {
        self.0
    }

    /// The day.
    pub fn weekday(self) -> Weekday {
        Weekday::ALL[usize::from(self.0 / DAY_MINUTES) % 7]
    }
}

impl fmt::Display for WeekMinute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.0 % DAY_MINUTES;
        write!(
            formatter,
            "{} at {:02}:{:02}",
            self.weekday(),
            of_day / 60,
            of_day % 60
        )
    }
}

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: u16,
    month: u8,
}

impl Month {
    /// A month, from 1 to 12, of a year from 0 to 9999; nearer ones for what is outside.
    pub fn new(year: i32, month: u8) -> Self {
        Self {
            year: u16::try_from(year.clamp(0, 9_999)).unwrap_or(0),
            month: month.clamp(1, 12),
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

/// A text is no month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no month; write it like 2026-11")]
pub struct MonthError;

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let (year, month) = text.split_once('-').ok_or(MonthError)?;
        let year = year.parse().map_err(|_| MonthError)?;
        let month = month.parse().map_err(|_| MonthError)?;
        let found = Self::new(year, month);
        if found.to_string() == text {
            Ok(found)
        } else {
            Err(MonthError)
        }
    }
}

/// Month, weekday and time of day, in the owner's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    month: Month,
    week_minute: WeekMinute,
}

impl WallClock {
    /// What a clock shows.
    pub fn new(month: Month, week_minute: WeekMinute) -> Self {
        Self { month, week_minute }
    }

    /// The month.
    pub fn month(self) -> Month {
        self.month
    }

    /// Weekday and time.
    pub fn week_minute(self) -> WeekMinute {
        self.week_minute
    }
}
