//! Weekly hours, such as `["mon-fri 18:00-08:00", "sat-sun"]`.
//!
//! An entry is days, times, or days and then times. Days are `mon` to `sun`, alone, as a range, or
//! several by commas; a range may go over the week's end. Times are `HH:MM-HH:MM`, several by
//! commas; one that ends no later than it begins goes on until the next day, and belongs to the day
//! on which it begins. Without times an entry is the whole day, without days every day.

use super::clock::{DAY_MINUTES, WEEK_MINUTES, WeekMinute};
use std::ops::Range;

/// Entries of the hours.
const ENTRIES_MAX: usize = 64;

/// Characters of an entry.
const ENTRY_CHARACTERS_MAX: usize = 128;

/// The days as they are written.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The minutes of the week in which the machine may be used. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Ranges of minutes counted from Monday's first, in order; none touches the next.
    open: Vec<Range<u16>>,
}

/// Why hours cannot be used. Every message shows the entry and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// There are none.
    #[error(
        "`availability.hours` is empty, so that the machine could never be used; remove the key to allow every hour"
    )]
    None,
    /// There are too many.
    #[error("`availability.hours` has {found} entries; write at most {ENTRIES_MAX}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// An entry is no days and times.
    #[error(
        "`availability.hours` holds {entry:?}; write days, times, or days and then times, such as \"mon-fri 18:00-08:00\""
    )]
    Form {
        /// The entry.
        entry: String,
    },
    /// A day is none.
    #[error(
        "`availability.hours` holds {entry:?}, where {day:?} is no day; write mon, tue, wed, thu, fri, sat or sun"
    )]
    Day {
        /// The entry.
        entry: String,
        /// What is no day.
        day: String,
    },
    /// A time is none.
    #[error(
        "`availability.hours` holds {entry:?}, where {time:?} is no span of time; write it like 18:00-08:00, from 00:00 to 24:00"
    )]
    Time {
        /// The entry.
        entry: String,
        /// What is no span.
        time: String,
    },
    /// A span begins where it ends.
    #[error(
        "`availability.hours` holds {entry:?}, where {time:?} begins when it ends; for the whole day write no time"
    )]
    NoTime {
        /// The entry.
        entry: String,
        /// The span.
        time: String,
    },
}

impl Hours {
    /// Reads entries.
    pub fn parse<Text: AsRef<str>>(entries: &[Text]) -> Result<Self, HoursError> {
        if entries.is_empty() {
            return Err(HoursError::None);
        }
        if entries.len() > ENTRIES_MAX {
            return Err(HoursError::TooMany {
                found: entries.len(),
            });
        }
        let mut spans = Vec::new();
        for entry in entries {
            let (days, times) = parse_entry(entry.as_ref())?;
            for day in days {
                let midnight = day * DAY_MINUTES;
                let of_week = |time: &Range<u16>| midnight + time.start..midnight + time.end;
                spans.extend(times.iter().map(of_week));
            }
        }
        Ok(Self {
            open: merged(spans),
        })
    }

    /// Whether the machine may be used in this minute.
    pub fn are_open(&self, at: WeekMinute) -> bool {
        let minute = at.minutes();
        let next = self.open.partition_point(|span| span.end <= minute);
        self.open
            .get(next)
            .is_some_and(|span| span.contains(&minute))
    }

    /// The next minute at which hours begin, from this one on; over the week's end if need be.
    pub fn open_next(&self, at: WeekMinute) -> WeekMinute {
        let next = self
            .open
            .iter()
            .find(|span| span.start >= at.minutes())
            .or(self.open.first());
        next.map_or(at, |span| WeekMinute::after_monday(span.start))
    }
}

/// Cuts spans at the week's end and joins those that touch.
fn merged(spans: Vec<Range<u16>>) -> Vec<Range<u16>> {
    let mut cut: Vec<Range<u16>> = Vec::new();
    for span in spans {
        cut.push(span.start..span.end.min(WEEK_MINUTES));
        if span.end > WEEK_MINUTES {
            cut.push(0..span.end - WEEK_MINUTES);
        }
    }
    cut.sort_by_key(|span| span.start);
    let mut merged: Vec<Range<u16>> = Vec::new();
    for span in cut {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

type Entry = (Vec<u16>, Vec<Range<u16>>);

fn parse_entry(text: &str) -> Result<Entry, HoursError> {
    let entry = || text.chars().take(ENTRY_CHARACTERS_MAX).collect::<String>();
    if text.chars().count() > ENTRY_CHARACTERS_MAX {
        return Err(HoursError::Form { entry: entry() });
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_time = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
    let (days, times) = match words[..] {
        [times] if is_time(times) => (None, Some(times)),
        [days] => (Some(days), None),
        [days, times] => (Some(days), Some(times)),
        _ => return Err(HoursError::Form { entry: entry() }),
    };
    let mut all_days = Vec::new();
    for range in days.unwrap_or("mon-sun").split(',') {
        let days = parse_days(range).ok_or_else(|| HoursError::Day {
            entry: entry(),
            day: range.to_owned(),
        })?;
        all_days.extend(days);
    }
    let mut all_times = Vec::new();
    for span in times.unwrap_or("00:00-24:00").split(',') {
        let time = || span.to_owned();
        let (start, end) = parse_times(span).ok_or_else(|| HoursError::Time {
            entry: entry(),
            time: time(),
        })?;
        if start == end {
            return Err(HoursError::NoTime {
                entry: entry(),
                time: time(),
            });
        }
        let days_later = if end < start { DAY_MINUTES } else { 0 };
        all_times.push(start..end + days_later);
    }
    Ok((all_days, all_times))
}

/// The days of a range, which may go over the week's end.
fn parse_days(text: &str) -> Option<impl Iterator<Item = u16>> {
    let day = |text: &str| {
        let lower = text.to_ascii_lowercase();
        DAYS.iter().position(|day| *day == lower)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    let count = (last + 7 - first) % 7 + 1;
    let days = (first..first + count).map(|day| day % 7);
    Some(days.filter_map(|day| u16::try_from(day).ok()))
}

/// Beginning and end of a span, in minutes of the day; only an end may be 24:00.
fn parse_times(text: &str) -> Option<(u16, u16)> {
    let (start, end) = text.split_once('-')?;
    let start = parse_time(start).filter(|start| *start < DAY_MINUTES)?;
    Some((start, parse_time(end)?))
}

fn parse_time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, lengths: Range<usize>| {
        let is_number =
            lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let hour = number(hour, 1..3)?;
    let minute = number(minute, 2..3).filter(|minute| *minute < 60)?;
    Some(hour * 60 + minute).filter(|time| *time <= DAY_MINUTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::availability::Weekday;
    use proptest::prelude::*;

    fn hours(entries: &[&str]) -> Hours {
        Hours::parse(entries).unwrap()
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let hours = hours(&["mon-fri 18:00-08:00", "sat-sun"]);
        for (weekday, hour, minute, is_open) in [
            (Weekday::Monday, 0, 0, false),
            (Weekday::Monday, 17, 59, false),
            (Weekday::Monday, 18, 0, true),
            (Weekday::Tuesday, 7, 59, true),
            (Weekday::Tuesday, 8, 0, false),
            (Weekday::Saturday, 12, 0, true),
            (Weekday::Sunday, 23, 59, true),
        ] {
            let at = WeekMinute::at(weekday, hour, minute);
            assert_eq!(hours.are_open(at), is_open, "{at}");
        }
        let monday = WeekMinute::at(Weekday::Monday, 9, 0);
        assert_eq!(hours.open_next(monday).to_string(), "Monday at 18:00");
    }

    #[test]
    fn hours_go_over_the_weeks_end() {
        let hours = hours(&["sun 22:00-06:00", "wed-tue 12:00-12:30"]);
        assert!(hours.are_open(WeekMinute::at(Weekday::Monday, 5, 59)));
        assert!(!hours.are_open(WeekMinute::at(Weekday::Monday, 6, 0)));
        for weekday in Weekday::ALL {
            assert!(hours.are_open(WeekMinute::at(weekday, 12, 29)));
        }
        // From the last minute of the week the next beginning is that of the next week.
        let last = WeekMinute::after_monday(WEEK_MINUTES - 1);
        assert_eq!(hours.open_next(last).to_string(), "Monday at 00:00");
    }

    #[test]
    fn times_without_days_are_every_days_and_midnight_can_be_an_end() {
        let all = hours(&["00:00-12:00,12:00-24:00"]);
        assert_eq!(all, hours(&["MON-SUN"]));
        assert_eq!(hours(&["mon 18:00-00:00"]), hours(&["mon 18:00-24:00"]));
        assert_eq!(
            hours(&["mon,wed  8:30-9:00"]),
            hours(&["mon 08:30-09:00", "wed 08:30-09:00"])
        );
    }

    #[test]
    fn nonsense_is_shown_with_its_mend() {
        for (entry, part, mend) in [
            ("", "\"\"", "mon-fri 18:00-08:00"),
            ("mon tue wed", "mon tue wed", "mon-fri 18:00-08:00"),
            ("someday", "someday", "write mon, tue"),
            ("mon-", "\"mon-\"", "write mon, tue"),
            ("mon,,tue", "\"\" is no day", "write mon, tue"),
            ("mon 25:00-26:00", "25:00-26:00", "from 00:00 to 24:00"),
            ("mon 24:00-25:00", "24:00-25:00", "from 00:00 to 24:00"),
            ("mon 24:00-08:00", "24:00-08:00", "from 00:00 to 24:00"),
            ("mon 10:60-12:00", "10:60-12:00", "from 00:00 to 24:00"),
            ("mon 10-12", "10-12", "like 18:00-08:00"),
            ("mon +1:00-+2:00", "+1:00-+2:00", "like 18:00-08:00"),
            ("mon 10:00", "10:00", "like 18:00-08:00"),
            ("mon 10:00-10:00", "10:00-10:00", "write no time"),
            ("18:00-08:00 mon", "18:00-08:00", "write mon, tue"),
        ] {
            let told = Hours::parse(&["sat", entry]).unwrap_err().to_string();
            assert!(
                told.contains(part) && told.contains(mend),
                "{entry}: {told}"
            );
        }
        let none: [&str; 0] = [];
        assert_eq!(Hours::parse(&none), Err(HoursError::None));
        let many = vec!["mon"; ENTRIES_MAX + 1];
        assert!(matches!(
            Hours::parse(&many),
            Err(HoursError::TooMany { .. })
        ));
        let long = "mon,".repeat(1_000_000);
        let told = Hours::parse(&[long]).unwrap_err().to_string();
        assert!(told.len() < 400, "{}", told.len());
    }

    /// An entry as it is meant: days, and spans of minutes of the day.
    #[derive(Clone, Debug)]
    struct Meant {
        days: Vec<(usize, usize)>,
        spans: Vec<(u16, u16)>,
    }

    impl Meant {
        fn text(&self) -> String {
            let days = self.days.iter().map(|(first, last)| {
                if first == last {
                    DAYS[*first].to_owned()
                } else {
                    format!("{}-{}", DAYS[*first], DAYS[*last])
                }
            });
            let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let spans = self
                .spans
                .iter()
                .map(|(start, end)| format!("{}-{}", time(*start), time(*end)));
            let (days, spans): (Vec<_>, Vec<_>) = (days.collect(), spans.collect());
            format!("{} {}", days.join(","), spans.join(","))
                .trim()
                .to_owned()
        }

        /// Opens minute after minute, from each day's beginning of a span to its end.
        fn open(&self, week: &mut [bool]) {
            for (first, last) in &self.days {
                let mut day = *first;
                loop {
                    let spans = if self.spans.is_empty() {
                        vec![(0, 1_440)]
                    } else {
                        self.spans.clone()
                    };
                    for (start, end) in spans {
                        let mut time = usize::from(start);
                        let mut minute = day * 1_440 + time;
                        loop {
                            week[minute % 10_080] = true;
                            minute += 1;
                            time += 1;
                            if time == usize::from(end) {
                                break;
                            }
                            if time == 1_440 {
                                time = 0;
                                if end == 0 {
                                    break;
                                }
                            }
                        }
                    }
                    if day == *last {
                        break;
                    }
                    day = (day + 1) % 7;
                }
            }
        }
    }

    fn meant() -> impl Strategy<Value = Meant> {
        let minute = prop_oneof![0_u16..1_440, Just(0), Just(1_439)];
        let end = prop_oneof![0_u16..=1_440, Just(0), Just(1_440)];
        let span = (minute, end).prop_filter("not empty", |(start, end)| start != end);
        (
            proptest::collection::vec((0_usize..7, 0_usize..7), 1..3),
            proptest::collection::vec(span, 0..3),
        )
            .prop_map(|(days, spans)| Meant { days, spans })
    }

    proptest! {
        #[test]
        fn hours_are_those_of_a_walk_through_every_minute(
            entries in proptest::collection::vec(meant(), 1..5),
        ) {
            let mut week = vec![false; 10_080];
            entries.iter().for_each(|entry| entry.open(&mut week));
            let texts: Vec<String> = entries.iter().map(Meant::text).collect();
            let hours = Hours::parse(&texts).unwrap();
            for minute in 0..10_080_u16 {
                let at = WeekMinute::after_monday(minute);
                prop_assert_eq!(hours.are_open(at), week[usize::from(minute)], "{} {:?}", at, texts);
            }
            // The beginnings are looked up from every closed minute, walking back through the week
            // twice so that the last one of the week is known.
            let mut next = None;
            for minute in (0..20_160_usize).rev() {
                let place = minute % 10_080;
                if week[place] {
                    next = Some(place);
                } else if minute < 10_080 {
                    let at = WeekMinute::after_monday(u16::try_from(place).unwrap());
                    let found = hours.open_next(at);
                    prop_assert_eq!(Some(usize::from(found.minutes())), next, "{} {:?}", at, texts);
                }
            }
        }

        #[test]
        fn no_text_upsets_the_worker(entries in proptest::collection::vec(".{0,20}", 0..4)) {
            let _ = Hours::parse(&entries);
        }

        #[test]
        fn nearly_right_text_does_not_either(
            entry in "(mon|tue|sun|,|-| ){0,5} ?[0-9:,-]{0,12}",
        ) {
            if let Ok(hours) = Hours::parse(&[entry]) {
                let open = (0..WEEK_MINUTES).any(|it| hours.are_open(WeekMinute::after_monday(it)));
                prop_assert!(open);
            }
        }
    }
}
