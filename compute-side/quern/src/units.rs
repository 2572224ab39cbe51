//! Sizes, spans of time, days, prices and payments as people write them.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
pub(crate) use quern_jobs_api::{counted, counted_as, grouped};
use quern_primitives::{
    Amount,
    amount::{self, ParseAmountError},
    limits::PAYMENT_REFERENCE_BYTES_MAX,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// Seconds from one block to the next.
pub(crate) const BLOCK_SECONDS: u64 = 2;

/// A number of bytes, written as `8MiB`, `64kB` or `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// A text is no number of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseSizeError {
    /// Something other than digits and a unit.
    #[error("`{text}` is no size; write it as 8MiB, 64kB or 4096")]
    NotASize {
        /// What was written.
        text: String,
    },
    /// More than any size here.
    #[error("`{text}` is more than any size can be")]
    TooLarge {
        /// What was written.
        text: String,
    },
}

const SIZE_UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let (digits, unit) = number_and_unit(text.trim());
        let not_a_size = || ParseSizeError::NotASize {
            text: text.to_owned(),
        };
        let too_large = || ParseSizeError::TooLarge {
            text: text.to_owned(),
        };
        let known = SIZE_UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()));
        let (_, bytes) = known.ok_or_else(not_a_size)?;
        if digits.is_empty() {
            return Err(not_a_size());
        }
        let number: u64 = digits.parse().map_err(|_| too_large())?;
        number.checked_mul(*bytes).map(Self).ok_or_else(too_large)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        for (unit, bytes) in binary {
            if self.0 >= bytes {
                let (whole, tenths) = (self.0 / bytes, self.0 % bytes * 10 / bytes);
                return match tenths {
                    0 => write!(f, "{whole} {unit}"),
                    _ => write!(f, "{whole}.{tenths} {unit}"),
                };
            }
        }
        write!(f, "{} bytes", self.0)
    }
}

/// A span of time, written as `2h`, `90m`, `1h30m`, `45s` or `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its length.
    pub(crate) seconds: u64,
}

/// A text is no span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseSpanError {
    /// Something other than numbers with units.
    #[error("`{text}` is no span of time; write it as 2h, 90m, 1h30m, 45s or 2d")]
    NotASpan {
        /// What was written.
        text: String,
    },
    /// Longer than any span here.
    #[error("`{text}` is longer than any job may take")]
    TooLong {
        /// What was written.
        text: String,
    },
}

impl Span {
    /// The blocks that it takes, the begun last one included.
    pub(crate) fn blocks(self) -> u64 {
        self.seconds.div_ceil(BLOCK_SECONDS)
    }
}

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        let not_a_span = || ParseSpanError::NotASpan {
            text: text.to_owned(),
        };
        let too_long = || ParseSpanError::TooLong {
            text: text.to_owned(),
        };
        let (mut rest, mut seconds) = (text.trim(), 0u64);
        if rest.is_empty() {
            return Err(not_a_span());
        }
        while !rest.is_empty() {
            let (digits, behind) = number_and_unit(rest);
            let mut letters = behind.chars();
            let unit = match letters.next() {
                Some('s') => 1,
                Some('m') => 60,
                Some('h') => 3_600,
                Some('d') => 86_400,
                _ => return Err(not_a_span()),
            };
            if digits.is_empty() {
                return Err(not_a_span());
            }
            let number: u64 = digits.parse().map_err(|_| too_long())?;
            let part = number.checked_mul(unit).ok_or_else(too_long)?;
            seconds = seconds.checked_add(part).ok_or_else(too_long)?;
            rest = letters.as_str().trim_start();
        }
        Ok(Self { seconds })
    }
}

/// A span of whole blocks in words, such as `about 1 h 30 min`.
pub(crate) fn span_of_blocks(blocks: u64) -> String {
    let seconds = blocks.saturating_mul(BLOCK_SECONDS);
    match (
        seconds / 86_400,
        seconds / 3_600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    ) {
        (0, 0, 0, seconds) => format!("about {seconds} s"),
        (0, 0, minutes, _) => format!("about {minutes} min"),
        (0, hours, minutes, _) => format!("about {hours} h {minutes} min"),
        (days, hours, ..) => format!("about {days} d {hours} h"),
    }
}

/// A day of the calendar, in UTC, written as `2026-10-05`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(Date);

/// A text is no day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no day; write it as 2026-10-05")]
pub(crate) struct ParseDayError {
    text: String,
}

impl Day {
    /// The day of a time in milliseconds since the beginning of 1970. One that is behind the calendar's
    /// end is of its last day.
    pub(crate) fn of_ms(ms: u64) -> Self {
        let time = i64::try_from(ms).ok();
        let time = time.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let time = time.unwrap_or(Timestamp::MAX);
        Self(time.to_zoned(TimeZone::UTC).date())
    }
}

impl FromStr for Day {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Self, ParseDayError> {
        let error = || ParseDayError {
            text: text.to_owned(),
        };
        // The calendar reads other forms too, with a time behind the day.
        let fits = |(place, letter): (usize, u8)| match place {
            4 | 7 => letter == b'-',
            _ => letter.is_ascii_digit(),
        };
        if text.len() != 10 || !text.bytes().enumerate().all(fits) {
            return Err(error());
        }
        text.parse().map(Self).map_err(|_| error())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An amount of ByteChips, written as `12.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price(pub(crate) Amount);

impl FromStr for Price {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Self, ParseAmountError> {
        amount::parse(text).map(Self)
    }
}

/// US dollars, written as `10` or `10.50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dollars {
    /// Its worth.
    pub(crate) cents: u64,
}

/// A text is no sum of dollars.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no sum of dollars; write it as 10 or 10.50")]
pub(crate) struct ParseDollarsError {
    text: String,
}

impl FromStr for Dollars {
    type Err = ParseDollarsError;

    fn from_str(text: &str) -> Result<Self, ParseDollarsError> {
        let error = || ParseDollarsError {
            text: text.to_owned(),
        };
        let (whole, cents) = text.trim().split_once('.').unwrap_or((text.trim(), "00"));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || cents.len() != 2 || !digits(whole) || !digits(cents) {
            return Err(error());
        }
        let whole: u64 = whole.parse().map_err(|_| error())?;
        let cents: u64 = cents.parse().map_err(|_| error())?;
        let cents = whole
            .checked_mul(100)
            .and_then(|all| all.checked_add(cents));
        cents.map(|cents| Self { cents }).ok_or_else(error)
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:02}", self.cents / 100, self.cents % 100)
    }
}

/// The reference of a payment, such as a bank's transaction id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference(pub(crate) String);

/// A text is no reference of a payment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payment's reference has from 1 to {PAYMENT_REFERENCE_BYTES_MAX} bytes, not {found}")]
pub(crate) struct ParseReferenceError {
    found: usize,
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        match text.len() {
            found if found == 0 || found > PAYMENT_REFERENCE_BYTES_MAX as usize => {
                Err(ParseReferenceError { found })
            }
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// The digits at the start of a text, and what is behind them.
fn number_and_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Reads from a text, or from a whole number as if it were written out.
struct Written<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a text with a number and its unit")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! read_as_written {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Written(std::marker::PhantomData))
            }
        }
    )*};
}

read_as_written!(Size, Span, Price);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let size = |text: &str| text.parse::<Size>().unwrap().0;
        assert_eq!(size("8MiB"), 8 << 20);
        assert_eq!(size(" 8 mib "), 8 << 20);
        assert_eq!(size("64kB"), 64_000);
        assert_eq!(size("4096"), 4_096);
        assert_eq!(size("100GB"), 100_000_000_000);
        assert_eq!(Size(1_536).to_string(), "1.5 KiB");
        assert_eq!(Size(0).to_string(), "0 bytes");
    }

    #[test]
    fn what_is_no_size_is_refused_in_words() {
        for text in ["", "MiB", "-1", "1.5MiB", "8 MiBs", "0x10"] {
            let error = text.parse::<Size>().unwrap_err();
            assert!(matches!(error, ParseSizeError::NotASize { .. }), "{text}");
            assert!(error.to_string().contains("8MiB"), "{error}");
        }
        for text in ["99999999999999999999", "18446744073709551615kB"] {
            let error = text.parse::<Size>().unwrap_err();
            assert!(matches!(error, ParseSizeError::TooLarge { .. }), "{text}");
        }
    }

    #[test]
    fn spans_read_as_people_write_them_and_end_with_a_whole_block() {
        let span = |text: &str| text.parse::<Span>().unwrap();
        assert_eq!(span("2h").blocks(), 3_600);
        assert_eq!(span("1h30m").seconds, 5_400);
        assert_eq!(span("1d 1s").seconds, 86_401);
        assert_eq!(span("3s").blocks(), 2);
        assert_eq!(span_of_blocks(2_700), "about 1 h 30 min");
    }

    #[test]
    fn what_is_no_span_is_refused_in_words() {
        for text in ["", "2", "h", "2w", "2h3", "-2h"] {
            let error = text.parse::<Span>().unwrap_err();
            assert!(matches!(error, ParseSpanError::NotASpan { .. }), "{text}");
        }
        let error = "999999999999999999999d".parse::<Span>().unwrap_err();
        assert!(matches!(error, ParseSpanError::TooLong { .. }));
    }

    #[test]
    fn days_are_those_of_the_calendar_in_utc() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        assert_eq!(Day::of_ms(0), day("1970-01-01"));
        assert_eq!(Day::of_ms(1_760_000_000_000), day("2025-10-09"));
        assert_eq!(Day::of_ms(86_400_000 - 1), day("1970-01-01"));
        assert_eq!(Day::of_ms(86_400_000).to_string(), "1970-01-02");
        assert!(day("2024-02-29") < day("2024-03-01"));
        assert_eq!(Day::of_ms(u64::MAX), day("9999-12-30"));
        for text in [
            "",
            "2026-13-01",
            "2025-02-29",
            "5.10.2026",
            "2026-10-5",
            "2026-10-05T00:00",
            "+2026-1-05",
        ] {
            let error = text.parse::<Day>().unwrap_err().to_string();
            assert!(error.ends_with("write it as 2026-10-05"), "{error}");
        }
    }

    #[test]
    fn dollars_are_whole_cents() {
        assert_eq!("10".parse::<Dollars>().unwrap().cents, 1_000);
        assert_eq!("0.05".parse::<Dollars>().unwrap().cents, 5);
        assert_eq!(Dollars { cents: 1_005 }.to_string(), "$10.05");
        for text in [
            "",
            ".50",
            "1.5",
            "1.505",
            "-1",
            "1,50",
            "999999999999999999999",
        ] {
            assert!(text.parse::<Dollars>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_reference_is_neither_empty_nor_too_long() {
        let bank = Reference("bank-1".to_owned());
        assert_eq!("bank-1".parse::<Reference>().unwrap(), bank);
        for text in [String::new(), "x".repeat(65)] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains("from 1 to 64 bytes"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,40}") {
            let _ = text.parse::<Size>();
            let _ = text.parse::<Span>();
            let _ = text.parse::<Price>();
            let _ = text.parse::<Dollars>();
            let _ = text.parse::<Day>();
        }

        #[test]
        fn every_plain_number_of_bytes_reads_as_itself(bytes: u64) {
            prop_assert_eq!(bytes.to_string().parse::<Size>().unwrap().0, bytes);
        }
    }
}
