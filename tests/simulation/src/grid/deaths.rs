//! Between which effects deaths come. Whoever carries effects out may die before any of them, or after the
//! last. Most effects are of few kinds, so that deaths that come anywhere hardly ever come beside one of the
//! others: those that are aimed wait for one of a kind that is drawn. Of what kinds the two were that a death
//! came between is noted, and nothing hangs on that.

use super::world::World;
use quern_masternode::core::Effect as Office;
use quern_worker::core::Effect as Worker;
use rand::{RngExt as _, rngs::StdRng};
use std::collections::BTreeSet;

/// All kinds of what a masternode carries out.
pub(super) const AT_OFFICE: [&str; 14] = [
    "Append",
    "Note",
    "Answer",
    "Refuse",
    "Dismiss",
    "Settle",
    "CloseFailed",
    "KeepOutputs",
    "Recompute",
    "StopRecomputing",
    "ReadSeed",
    "DropInputs",
    "Changed",
    "Closed",
];

/// All kinds of what a worker carries out.
pub(super) const AT_DEVICE: [&str; 14] = [
    "Connect",
    "Close",
    "Ask",
    "Opened",
    "Prepare",
    "Run",
    "Deliver",
    "Abandon",
    "Benchmark",
    "StopBenchmark",
    "Keep",
    "Forget",
    "Tell",
    "Leave",
];

/// Where a death comes that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere among the next effects.
    Anywhere,
    /// Right before the next effect of a kind.
    Before(&'static str),
    /// Right after it.
    After(&'static str),
}

impl Place {
    /// Before which of effects of these kinds it comes, or behind the last, if it comes among them.
    pub(super) fn among(self, kinds: &[&'static str], chance: &mut StdRng) -> Option<usize> {
        let first = |kind| kinds.iter().position(|it| *it == kind);
        match self {
            Self::Anywhere if kinds.is_empty() => None,
            Self::Anywhere => Some(chance.random_range(0..=kinds.len())),
            Self::Before(kind) => first(kind),
            Self::After(kind) => first(kind).map(|place| place + 1),
        }
    }
}

impl World<'_> {
    /// Where the next death comes of somebody who carries out effects of these kinds.
    pub(super) fn place_of_death(&mut self, kinds: &[&'static str]) -> Place {
        if !self.goes_wrong(self.config.faults.aimed) {
            return Place::Anywhere;
        }
        let kind = kinds[self.chance.random_range(0..kinds.len())];
        match self.chance.random::<bool>() {
            true => Place::Before(kind),
            false => Place::After(kind),
        }
    }
}

/// Kinds of effects by their names, of all masternodes' lives or of all workers'.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deaths {
    /// What there was to carry out.
    pub wanted: BTreeSet<&'static str>,
    /// What was carried out last when a death came.
    pub last: BTreeSet<&'static str>,
    /// What would have been next.
    pub next: BTreeSet<&'static str>,
}

impl Deaths {
    /// Somebody is to carry out effects of these kinds, in this order, and dies before the one at this place,
    /// if at all.
    pub(super) fn note(&mut self, kinds: &[&'static str], dies_at: Option<usize>) {
        self.wanted.extend(kinds);
        let Some(place) = dies_at else {
            return;
        };
        let last = place.checked_sub(1).and_then(|last| kinds.get(last));
        self.last.extend(last);
        self.next.extend(kinds.get(place));
    }

    /// Takes in what was noted in another run.
    pub fn join(&mut self, other: &Self) {
        self.wanted.extend(&other.wanted);
        self.last.extend(&other.last);
        self.next.extend(&other.next);
    }
}

/// The kind of what a masternode carries out.
pub(super) fn kind_at_office(effect: &Office) -> &'static str {
    match effect {
        Office::Append { .. } => "Append",
        Office::Note { .. } => "Note",
        Office::Answer { .. } => "Answer",
        Office::Refuse { .. } => "Refuse",
        Office::Dismiss { .. } => "Dismiss",
        Office::Settle { .. } => "Settle",
        Office::CloseFailed { .. } => "CloseFailed",
        Office::KeepOutputs { .. } => "KeepOutputs",
        Office::Recompute { .. } => "Recompute",
        Office::StopRecomputing { .. } => "StopRecomputing",
        Office::ReadSeed { .. } => "ReadSeed",
        Office::DropInputs { .. } => "DropInputs",
        Office::Changed { .. } => "Changed",
        Office::Closed { .. } => "Closed",
    }
}

/// The kind of what a worker carries out.
pub(super) fn kind_at_device(effect: &Worker) -> &'static str {
    match effect {
        Worker::Connect { .. } => "Connect",
        Worker::Close { .. } => "Close",
        Worker::Ask { .. } => "Ask",
        Worker::Opened { .. } => "Opened",
        Worker::Prepare { .. } => "Prepare",
        Worker::Run { .. } => "Run",
        Worker::Deliver { .. } => "Deliver",
        Worker::Abandon { .. } => "Abandon",
        Worker::Benchmark { .. } => "Benchmark",
        Worker::StopBenchmark => "StopBenchmark",
        Worker::Keep { .. } => "Keep",
        Worker::Forget { .. } => "Forget",
        Worker::Tell(_) => "Tell",
        Worker::Leave => "Leave",
    }
}
