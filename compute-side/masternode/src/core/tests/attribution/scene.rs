//! What there is at the beginning of a history of tasks and devices, and what may happen then.

use crate::core::tests::world::{Habit, MAJORITY};
use proptest::prelude::*;
use quern_grid::Tuning;
use quern_primitives::{device::History, job::Agreement};
use quern_protocol::HandBackReason;

/// What happens, to the device of this number where it is about one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happens {
    /// It asks for so many tasks.
    Asks(usize, u8),
    /// It computes what it has, well or badly, and reports.
    Answers(usize, Habit),
    GivesBack(usize, HandBackReason),
    /// It loses what it has, and says nothing of it.
    Loses(usize),
    Goes(usize),
    Comes(usize),
    /// It lives or falls silent, as long as nothing else is heard of it.
    Lives(usize, bool),
    /// So many seconds pass, in which those that live speak.
    Seconds(u64),
    /// So many milliseconds pass in which nobody does anything.
    Jumps(u64),
}

pub(super) fn happens() -> impl Strategy<Value = Happens> {
    let who = || 0usize..6;
    let habit = prop_oneof![
        4 => Just(Habit::Honest),
        2 => Just(Habit::Lies(99)),
        1 => Just(Habit::Lies(98)),
        2 => Just(Habit::Traps),
    ];
    let reason = prop_oneof![
        3 => Just(HandBackReason::Stopping),
        1 => Just(HandBackReason::NoRoom),
        1 => Just(HandBackReason::TooSlow),
        3 => Just(HandBackReason::BadInput),
    ];
    let seconds = prop_oneof![6 => 1u64..6, 4 => 10u64..30, 2 => 55u64..75];
    let jump = prop_oneof![
        4 => Just(0),
        4 => Just(1),
        4 => Just(500),
        2 => Just(17_000),
        1 => Just(600_000),
        1 => Just(24 * 3_600_000),
        1 => Just(u64::MAX),
    ];
    prop_oneof![
        20 => (who(), 1u8..3).prop_map(|(who, want)| Happens::Asks(who, want)),
        12 => (who(), habit).prop_map(|(who, habit)| Happens::Answers(who, habit)),
        6 => (who(), reason).prop_map(|(who, reason)| Happens::GivesBack(who, reason)),
        3 => who().prop_map(Happens::Loses),
        2 => who().prop_map(Happens::Goes),
        4 => who().prop_map(Happens::Comes),
        3 => (who(), any::<bool>()).prop_map(|(who, lives)| Happens::Lives(who, lives)),
        10 => seconds.prop_map(Happens::Seconds),
        3 => jump.prop_map(Happens::Jumps),
    ]
}

/// What there is at the beginning.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) agreement: Agreement,
    /// T1 and T2 of every task, in milliseconds.
    pub(super) timeouts: (u64, u64),
    /// The devices, each with its account, whether it is trusted, and how many faults the chain remembers.
    pub(super) devices: Vec<(u8, bool, u32)>,
}

pub(super) fn scene() -> impl Strategy<Value = Scene> {
    let agreement = prop_oneof![Just(Agreement::Single), Just(MAJORITY)];
    let account = prop_oneof![1 => Just(1u8), 4 => 2u8..7];
    let faults = prop_oneof![8 => Just(0u32), 1 => Just(2), 1 => Just(3), 2 => Just(10)];
    let device = (account, prop::bool::weighted(0.25), faults);
    let devices = prop_oneof![
        1 => prop::collection::vec(device.clone(), 1),
        9 => prop::collection::vec(device, 2..7),
    ];
    // Those of today, longer ones, and both at once: T1 before half, T2 before two thirds of what a replica has here.
    let usual = Tuning::default();
    let usual = (usual.delayed_ms_min, usual.stale_ms_min);
    let timeouts = prop_oneof![Just(usual), Just((5_000, 40_000)), Just((25_000, 25_000))];
    let all = (agreement, timeouts, devices);
    all.prop_map(|(agreement, timeouts, devices)| Scene {
        agreement,
        timeouts,
        devices,
    })
}

/// As the chain remembers it: many faults have an accepted answer after them.
pub(super) fn history_of(faults: u32) -> History {
    let failed = (1 << faults) - 1;
    History {
        failed: if faults > 3 { failed << 1 } else { failed },
        ..History::default()
    }
}
