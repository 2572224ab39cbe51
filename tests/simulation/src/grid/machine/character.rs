//! What kinds of devices there are.

use crate::grid::{
    Way,
    conduct::{LYING_PERMILLE, SEASONED},
    config::Faults,
    work::Says,
};
use quern_primitives::ids::TaskIndex;
use quern_protocol::limits;
use rand::{RngExt as _, rngs::StdRng};

/// How long a device is silent that means to be, in milliseconds: twice what a masternode bears.
const SILENT_MS: u64 = 2 * limits::SILENCE_MAX.as_millis() as u64;

/// What kind of device it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Character {
    Honest,
    Slow,
    /// Is slow in tasks, and not in benchmarks.
    Sluggish,
    /// Halts in the middle of some tasks.
    Halting,
    Failing,
    /// Says of every task at once that its input does not open.
    Refusing,
    Lying,
    Colluding,
    /// Tells the common lie of every task at once.
    Rushing,
    /// Lies, and changes its identity every minute.
    Shifting,
    /// Commits itself to one answer, and reveals another.
    TwoFaced,
    /// Commits itself to what another device did.
    Copying,
    /// Gives one answer to every task, at once.
    Lazy,
    /// Is honest until it has [a name](SEASONED), and then lies at [most tasks](LYING_PERMILLE).
    Selective,
    /// Says nothing while it has a task, and answers later.
    Late,
    /// Goes away with a task, and comes back without it.
    Silent,
    /// Says of every task that it is at it, and never answers.
    Feigning,
}

impl Character {
    pub(super) fn drawn(faults: &Faults, chance: &mut StdRng) -> Self {
        let kinds = [
            (Self::Slow, faults.slow),
            (Self::Failing, faults.failing),
            (Self::Refusing, faults.refusing),
            (Self::Lying, faults.lying),
            (Self::Colluding, faults.colluding),
            (Self::Rushing, faults.rushing),
            (Self::Shifting, faults.shifting),
            (Self::Sluggish, faults.sluggish),
            (Self::Halting, faults.halting),
            (Self::TwoFaced, faults.two_faced),
            (Self::Copying, faults.copying),
            (Self::Lazy, faults.lazy),
            (Self::Selective, faults.selective),
            (Self::Late, faults.late),
            (Self::Silent, faults.silent),
            (Self::Feigning, faults.feigning),
        ];
        let mut drawn = chance.random_range(0..1_000u32);
        for (kind, permille) in kinds {
            if drawn < permille {
                return kind;
            }
            drawn -= permille;
        }
        Self::Honest
    }

    /// Whether the worst that it does is to be late, and it does not mean to.
    pub(super) fn is_only_late(self) -> bool {
        matches!(self, Self::Slow | Self::Sluggish | Self::Halting)
    }

    pub(super) fn says(self, device: u32, task: TaskIndex) -> Says {
        match self {
            Self::Honest
            | Self::Slow
            | Self::Sluggish
            | Self::Halting
            | Self::Failing
            | Self::Refusing
            | Self::TwoFaced
            | Self::Copying
            | Self::Selective
            | Self::Late
            | Self::Silent
            | Self::Feigning => Says::TheTruth,
            Self::Lazy => Says::OneAnswer(device),
            Self::Lying | Self::Shifting => Says::OwnLie(device),
            Self::Colluding if task.is_multiple_of(5) => Says::ItTraps,
            Self::Colluding | Self::Rushing => Says::CommonLie,
        }
    }

    /// Whether it lies at a task, of those that it has the truth of, when it has answered so many.
    pub(super) fn betrays(self, answered: u32, chance: &mut StdRng) -> bool {
        self == Self::Selective
            && answered >= SEASONED
            && chance.random_range(0..1_000u32) < LYING_PERMILLE
    }

    /// Whether it answers without computing anything.
    pub(super) fn computes_nothing(self) -> bool {
        matches!(self, Self::Rushing | Self::Lazy)
    }

    /// For how long it falls silent with a task, in milliseconds, if it does: so long that the masternode
    /// takes that for silence, and gives the task to others.
    pub(super) fn silent_ms(self) -> Option<u64> {
        matches!(self, Self::Late | Self::Silent).then_some(SILENT_MS)
    }

    /// In which of the seven ways it means harm, if it is one of these.
    pub(super) fn way(self) -> Option<Way> {
        match self {
            Self::Lying => Some(Way::Random),
            Self::Lazy => Some(Way::Lazy),
            Self::Copying => Some(Way::Copying),
            Self::Selective => Some(Way::Selective),
            Self::Late => Some(Way::Late),
            Self::Silent => Some(Way::Silent),
            Self::TwoFaced => Some(Way::TwoFaced),
            Self::Honest
            | Self::Slow
            | Self::Sluggish
            | Self::Halting
            | Self::Failing
            | Self::Refusing
            | Self::Colluding
            | Self::Rushing
            | Self::Shifting
            | Self::Feigning => None,
        }
    }
}
