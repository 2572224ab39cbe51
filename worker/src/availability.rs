//! Whether the machine may be used now: its owner's preferences, and the decision that follows.
//!
//! | module | what it does |
//! | --- | --- |
//! | `entry` | the table `[availability]` of the settings file, with its defaults |
//! | [`Hours`] | weekly hours |
//! | [`WallClock`] | what a clock on the wall shows: month, weekday, time of day |
//! | [`DataUsed`] | bytes moved in a month; [`DataUsedFile`] keeps them |
//! | [`Withheld`] | every reason that holds the machine back, in words |
//!
//! [`Availability::judge`] is pure and remembers nothing, so nothing that once went wrong with the
//! clock can hold the machine back later: whatever the clock shows now decides. What the verdict
//! before was counts for the temperature alone, see [`Availability::judge_after`].
//!
//! # What is not known
//!
//! A rule that the owner wrote, and that cannot be checked, holds the machine back: allowed networks
//! on a machine that does not tell its network, idleness on one that does not tell input or load.
//! Battery and temperature are different, for most machines without these figures have no battery,
//! or no sensor, and the rules stand by default: there a charge or heat that is absent holds nothing back.

mod clock;
mod data_used;
mod entry;
mod hours;
mod local_time;
#[cfg(test)]
mod tests;
mod withheld;

pub use clock::{Month, WallClock, WeekMinute, Weekday};
pub use data_used::{DataUsed, DataUsedError, DataUsedFile};
pub use entry::{AvailabilityError, TEMPLATE};
pub use hours::{Hours, HoursError};
pub use local_time::{now, time_zone};
pub use withheld::{Verdict, Withheld};

use crate::machine::{Link, State};
use quern_primitives::device::Line;
use serde::Deserialize;
use withheld::cooled;

/// How much of the machine may be used, and when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "entry::Entry")]
pub struct Availability {
    /// The hours of the week; always, if there are none.
    pub hours: Option<Hours>,
    /// The kinds of network that may be used; all, if none are named.
    pub networks: Option<Vec<Link>>,
    /// What the line is that the machine's network leads to; unknown if its owner does not say.
    pub line: Line,
    /// Bytes a calendar month that may be moved, both ways together.
    pub data_bytes_per_month_max: Option<u64>,
    /// The part of the processor's time, of all its threads together, that tasks may take, in percent.
    pub cpu_percent: u8,
    /// The part of the memory that tasks may have, in percent.
    pub memory_percent: u8,
    /// The machine is used only while nobody uses it.
    pub only_when_idle: Option<OnlyWhenIdle>,
    /// The least charge of the battery, in thousandths, while the machine does not run on external power.
    pub battery_permille_min: u16,
    /// The highest temperature of the cores, in tenths of a degree Celsius.
    pub temperature_decicelsius_max: i16,
}

/// When the machine counts as idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnlyWhenIdle {
    /// How long nobody must have touched it, in seconds.
    pub input_idle_s_min: u64,
    /// How much of the processor's time other programs may take, in thousandths.
    pub others_permille_max: u16,
}

impl Availability {
    /// Whether the machine may be used: at this time, in this state, with these data moved.
    pub fn judge(&self, now: WallClock, state: &State, used: &DataUsed) -> Verdict {
        self.judge_after(&Verdict::Available, now, state, used)
    }

    /// The same for a machine that this was the verdict on a moment ago: one that was too hot must
    /// be some degrees cooler than the limit.
    pub fn judge_after(
        &self,
        last: &Verdict,
        now: WallClock,
        state: &State,
        used: &DataUsed,
    ) -> Verdict {
        let reasons: Vec<Withheld> = [
            self.hours_hold(now),
            self.network_holds(state),
            self.data_hold(now, used),
            self.battery_holds(state),
            self.heat_holds(last, state),
            self.input_holds(state),
            self.load_holds(state),
        ]
        .into_iter()
        .flatten()
        .collect();
        if reasons.is_empty() {
            Verdict::Available
        } else {
            Verdict::Withheld(reasons)
        }
    }

    /// How much of one thread's time tasks may take, in hundredths from 1 to 100, where there are so
    /// many threads. One task runs at a time, on one thread, so the owner's share of all of them is all
    /// its own. A machine that does not tell its threads counts as one that has a single one.
    pub fn thread_percent(&self, threads: Option<u32>) -> u8 {
        let threads = threads.unwrap_or(1).max(1);
        let share = u32::from(self.cpu_percent).saturating_mul(threads);
        u8::try_from(share).map_or(100, |share| share.min(100))
    }

    /// Memory that all tasks together may have, of so much, in the same unit.
    pub fn memory_max(&self, memory: u64) -> u64 {
        let share = u128::from(memory) * u128::from(self.memory_percent) / 100;
        u64::try_from(share).unwrap_or(memory)
    }

    /// What the machine's network is, for its score: what was seen, made precise by what the owner
    /// says of the line. Unknown if neither is known.
    pub fn network(&self, seen: Option<Link>) -> Line {
        match seen {
            Some(Link::Mobile) => Line::Mobile,
            _ => self.line,
        }
    }

    fn hours_hold(&self, now: WallClock) -> Option<Withheld> {
        let hours = self.hours.as_ref()?;
        let at = now.week_minute();
        if hours.are_open(at) {
            return None;
        }
        Some(Withheld::OutsideHours {
            opens_at: hours.open_next(at),
        })
    }

    fn network_holds(&self, state: &State) -> Option<Withheld> {
        let allowed = self.networks.as_ref()?;
        // A cable or an antenna in the house may still lead to a telephone network.
        let found = match self.network(state.network) {
            Line::Mobile => Some(Link::Mobile),
            _ => state.network,
        };
        let is_allowed = found.is_some_and(|link| allowed.contains(&link));
        (!is_allowed).then_some(Withheld::NetworkNotAllowed { found })
    }

    fn data_hold(&self, now: WallClock, used: &DataUsed) -> Option<Withheld> {
        let bytes_max = self.data_bytes_per_month_max?;
        let bytes = used.in_month(now.month());
        (bytes >= bytes_max).then_some(Withheld::DataCapReached {
            month: now.month(),
            bytes,
            bytes_max,
        })
    }

    fn battery_holds(&self, state: &State) -> Option<Withheld> {
        let permille = state.battery_permille?;
        let permille_min = self.battery_permille_min;
        // What is being charged does not run empty; where that is not known it may.
        let is_low = permille < permille_min && state.charging != Some(true);
        is_low.then_some(Withheld::BatteryLow {
            permille,
            permille_min,
        })
    }

    fn heat_holds(&self, last: &Verdict, state: &State) -> Option<Withheld> {
        let decicelsius = state.temperature_decicelsius?;
        let decicelsius_max = self.temperature_decicelsius_max;
        let was_too_hot = last
            .reasons()
            .iter()
            .any(|reason| matches!(reason, Withheld::TooHot { .. }));
        let limit = if was_too_hot {
            cooled(decicelsius_max)
        } else {
            decicelsius_max
        };
        (decicelsius > limit).then_some(Withheld::TooHot {
            decicelsius,
            decicelsius_max,
        })
    }

    fn input_holds(&self, state: &State) -> Option<Withheld> {
        let idle_s_min = self.only_when_idle?.input_idle_s_min;
        let idle_s = state.input_idle_s;
        let is_idle = idle_s.is_some_and(|idle_s| idle_s >= idle_s_min);
        (!is_idle).then_some(Withheld::InUse { idle_s, idle_s_min })
    }

    fn load_holds(&self, state: &State) -> Option<Withheld> {
        let permille_max = self.only_when_idle?.others_permille_max;
        let permille = state.others_cpu_permille();
        let is_idle = permille.is_some_and(|permille| permille <= permille_max);
        (!is_idle).then_some(Withheld::Busy {
            permille,
            permille_max,
        })
    }
}
