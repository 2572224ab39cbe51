//! Jobs whose tasks differ in size, up to twentyfold: what is expected of a task follows from the mean, so
//! devices with a large one are late though nothing is wrong with them.

use super::{hold, small};
use quern_simulation::grid::{Config, Faults, Scheduling, trace};

/// A grid with some tasks for each device, so that the mean of the first is known for most of them, under
/// each scheduling and with one replica or three in turn.
fn uneven(seed: u64, faults: Faults) -> Config {
    use Scheduling::{Best, MergedPools, PublishedPools};
    Config {
        devices: 20,
        tasks: 160,
        replicas: [1, 3][seed as usize % 2],
        jobs: 1,
        task_s: 20,
        scheduling: [Best, MergedPools, PublishedPools][seed as usize % 3],
        asking: 0,
        bondless: 0,
        uneven: 1_000,
        ..small(seed, faults)
    }
}

#[test]
fn who_has_a_large_task_is_asked_again_and_helped_out_and_every_task_is_settled() {
    let (mut asked_again, mut helped_out) = (0, 0);
    for seed in 680..692 {
        let config = uneven(seed, Faults::NONE);
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        let counts = outcome.counts;
        assert_eq!((counts.lies, counts.wrong_answers, counts.lost), (0, 0, 0));
        asked_again += counts.asked_again;
        helped_out += counts.rescued + counts.backed_up;
    }
    assert!(
        asked_again > 0 && helped_out > 0,
        "{asked_again} {helped_out}"
    );
}

#[test]
fn on_a_good_day_uneven_tasks_are_settled_and_on_the_worst_nothing_happens_that_must_not() {
    for seed in 692..698 {
        let config = uneven(seed, Faults::MILD);
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
    }
    for seed in 698..704 {
        hold(&uneven(seed, Faults::HOSTILE));
    }
}

#[test]
fn some_jobs_have_uneven_tasks_and_the_same_seed_the_same_ones() {
    let words = ", uneven tasks";
    let seeds = (704..724).filter(|seed| {
        let config = small(*seed, Faults::NONE);
        let whole = trace(&config).unwrap();
        assert_eq!(whole, trace(&config).unwrap(), "{config}");
        whole.contains(words)
    });
    let uneven = seeds.count();
    assert!((1..20).contains(&uneven), "{uneven}");
    let config = Config {
        uneven: 0,
        ..small(704, Faults::NONE)
    };
    assert!(!trace(&config).unwrap().contains(words));
}
