//! Masternode and workers die between any two effects: beside which kinds of effects they did.

use super::{hold, small};
use quern_simulation::grid::{Config, Deaths, Faults};
use std::{collections::BTreeSet, ops::Range};

/// Kinds of effects that come too seldom for a few runs.
const RARE: [&str; 3] = ["Refuse", "StopBenchmark", "StopRecomputing"];

/// Between what the masternode died and between what workers did, in runs of several jobs.
fn deaths(seeds: Range<u64>, faults: Faults) -> [Deaths; 2] {
    let mut deaths = [Deaths::default(), Deaths::default()];
    for seed in seeds {
        let config = Config {
            replicas: [2, 1, 3][seed as usize % 3],
            jobs: 4,
            faults_s: 900,
            ..small(seed, faults)
        };
        let outcome = hold(&config);
        for (all, of) in deaths
            .iter_mut()
            .zip([outcome.office_deaths, outcome.worker_deaths])
        {
            all.join(&of);
        }
    }
    deaths
}

/// Of these kinds, those that are usual.
fn usual(kinds: &BTreeSet<&'static str>) -> Vec<&'static str> {
    let kinds = kinds.iter().copied();
    kinds.filter(|kind| !RARE.contains(kind)).collect()
}

/// A day on which jobs end in every way, and somebody dies all the time.
const DEADLY: Faults = Faults {
    lying: 150,
    rushing: 50,
    loss: 20,
    unsound: 600,
    crash: 2_500,
    churn: 1_000,
    aimed: 900,
    ..Faults::NONE
};

#[test]
fn masternode_and_workers_die_right_before_and_right_after_each_usual_kind_of_effect() {
    for (deaths, kinds) in deaths(1_000..1_060, DEADLY).iter().zip([12, 13]) {
        let wanted = usual(&deaths.wanted);
        assert_eq!(wanted.len(), kinds, "{wanted:?}");
        assert_eq!(usual(&deaths.last), wanted, "right after");
        assert_eq!(usual(&deaths.next), wanted, "right before");
    }
}

#[test]
#[ignore = "hundreds of grids take a minute; `cargo xtask test --nightly` runs them"]
fn masternode_and_workers_die_right_before_and_right_after_each_kind_of_effect() {
    let faults = Faults {
        ban: 100,
        cancel: 200,
        ..DEADLY
    };
    for deaths in deaths(2_000..2_600, faults) {
        assert_eq!(deaths.wanted.len(), 14, "{:?}", deaths.wanted);
        assert_eq!(deaths.last, deaths.wanted, "right after");
        assert_eq!(deaths.next, deaths.wanted, "right before");
    }
}
