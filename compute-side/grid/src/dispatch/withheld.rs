//! Why a device gets nothing.

use crate::needs::Lack;
use std::fmt;

/// Why a device gets nothing, of one task, of one job or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// There is no job.
    NoJob,
    /// No replica is open.
    NothingOpen,
    /// None is open in the device's pool or in one below it.
    NothingInPool,
    /// The device's pool does not take part in a job of this level.
    OtherLevel,
    /// The device lacks something that the job asks for.
    Lacks(Lack),
    /// All that is open is of tasks that the device's account works or worked on.
    TouchedByAccount,
    /// The device failed on the task before.
    Excluded,
    /// What is open is of another lane, and for all some seconds after it was passed in vain.
    OtherLane,
    /// What is open was given back for a fault, and is kept for a fast or trusted device for some
    /// seconds yet.
    KeptForTheFast,
    /// What is open failed elsewhere or was answered in two ways, and is kept for a trusted device.
    KeptForTheTrusted,
    /// The rest of the grid will have it done sooner.
    OthersAreSooner {
        /// How long the device would take, in milliseconds.
        mine_ms: u64,
        /// How long the others will take for all that is left and one more, in milliseconds.
        others_ms: u64,
    },
    /// Nothing is open, and what runs is computed again by faster devices, as long as they are to be had.
    FasterComeFirst {
        /// How long the device would take, in milliseconds.
        mine_ms: u64,
        /// How long one may take at the most, in milliseconds.
        most_ms: u64,
    },
    /// The device would get something that is served before.
    OthersComeFirst,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: &u64| *ms as f64 / 1_000.0;
        match self {
            Self::NoJob => f.write_str("no job has anything to compute"),
            Self::NothingOpen => f.write_str("no replica is open: all are given out"),
            Self::NothingInPool => {
                f.write_str("what is open is queued for pools above the device's")
            }
            Self::OtherLevel => {
                f.write_str("the device's pool takes no part in jobs of this level")
            }
            Self::Lacks(lack) => lack.fmt(f),
            Self::TouchedByAccount => f.write_str(
                "its account computes or computed what is open already; \
                 two replicas of a task never go to one account",
            ),
            Self::Excluded => f.write_str(
                "the device lost what is open before: it failed, was late, or gave it back often",
            ),
            Self::OtherLane => {
                f.write_str("what is open is drawn for other accounts, and for all if none comes")
            }
            Self::KeptForTheFast => f.write_str(
                "what is open was late or failed elsewhere and is kept for fast or trusted devices, \
                 for some seconds yet",
            ),
            Self::KeptForTheTrusted => f.write_str(
                "what is open failed elsewhere or was answered in two ways, and a trusted device is \
                 to try it first",
            ),
            Self::OthersAreSooner { mine_ms, others_ms } => write!(
                f,
                "the device would take {:.1} s for a task, the rest of the grid {:.1} s for all that is left",
                seconds(mine_ms),
                seconds(others_ms)
            ),
            Self::FasterComeFirst { mine_ms, most_ms } => write!(
                f,
                "no replica is open; who computes again what others have may take {:.1} s for a task, \
                 and the device would take {:.1} s",
                seconds(most_ms),
                seconds(mine_ms)
            ),
            Self::OthersComeFirst => {
                f.write_str("the device would get something first that is served before")
            }
        }
    }
}
