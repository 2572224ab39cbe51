//! Devices that are there and late: on some a task halts while they go on giving signs of life, and some are
//! slower than their benchmark says.

use super::{hold, small};
use quern_simulation::grid::{Config, Faults, Scheduling};

/// How long a task halts, in milliseconds.
const HALTED_MS: u64 = 20 * 60_000;

/// A grid with some tasks for each device, under each scheduling and with one replica or three in turn.
fn late(seed: u64, faults: Faults) -> Config {
    use Scheduling::{Best, MergedPools, PublishedPools};
    Config {
        devices: 30,
        tasks: 60,
        replicas: [1, 3][seed as usize % 2],
        jobs: 1,
        task_s: 10,
        scheduling: [Best, MergedPools, PublishedPools][seed as usize % 3],
        asking: 0,
        bondless: 0,
        ..small(seed, faults)
    }
}

#[test]
fn who_is_late_is_asked_again_and_helped_out_and_backed_up_and_every_task_is_settled() {
    let faults = Faults {
        sluggish: 200,
        halting: 300,
        ..Faults::NONE
    };
    let (mut asked_again, mut rescued, mut backed_up) = (0, 0, 0);
    for seed in 640..652 {
        let config = late(seed, faults);
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        let counts = outcome.counts;
        // The published design has no backups.
        let is_published = config.scheduling == Scheduling::PublishedPools;
        assert!(!is_published || counts.backed_up == 0, "{config}: {counts}");
        asked_again += counts.asked_again;
        rescued += counts.rescued;
        backed_up += counts.backed_up;
    }
    assert!(
        asked_again > 0 && rescued > 0 && backed_up > 0,
        "{asked_again} {rescued} {backed_up}"
    );
}

#[test]
fn a_job_does_not_wait_until_a_task_that_halted_goes_on() {
    let faults = Faults {
        halting: 150,
        ..Faults::NONE
    };
    let mut halted = 0;
    for seed in 652..658 {
        let config = Config {
            scheduling: Scheduling::Best,
            // Where tasks differ a large one may itself take so long on a phone.
            uneven: 0,
            ..late(seed, faults)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        assert!(outcome.lasted_ms < HALTED_MS, "{config}: {outcome}");
        halted += outcome.counts.halted;
    }
    assert!(halted > 0);
}

/// The eighth way to mean harm, beside [the seven](super::seven). It costs others time and nothing else, and
/// no verdict names who was not heard: so nobody is blamed for it.
#[test]
fn who_says_it_is_at_it_and_never_answers_is_given_little_and_holds_up_nobody() {
    let faults = Faults {
        feigning: 200,
        ..Faults::NONE
    };
    let mut feigned = 0;
    for seed in 670..676 {
        let config = Config {
            tasks: 30 * 40,
            replicas: 2,
            scheduling: Scheduling::Best,
            uneven: 0,
            ..late(seed, faults)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        for conduct in &outcome.conduct {
            let is_blamed = conduct.incorrect + conduct.failed > 0;
            assert!(!is_blamed, "{config}: {conduct:?}");
            // Three in a row, what it has in hand beside, some that others had done before it was stale, and two
            // after each wait: of ten minutes, of twenty, and twice as long each further time.
            let waits = (outcome.lasted_ms / (10 * 60_000) + 1).ilog2();
            if conduct.accepted == 0 {
                assert!(conduct.given <= 8 + 2 * waits, "{config}: {conduct:?}");
                feigned += u32::from(conduct.given >= 3);
            }
        }
    }
    assert!(feigned > 0, "nobody was put out");
}

#[test]
fn late_devices_are_helped_out_though_the_masternode_dies_and_devices_are_cut_off_meanwhile() {
    let faults = Faults {
        sluggish: 200,
        halting: 300,
        partition: 1_000,
        crash: 2_000,
        ..Faults::NONE
    };
    let (mut halted, mut asked_again, mut rescued, mut backed_up) = (0, 0, 0, 0);
    for seed in 658..670 {
        let config = late(seed, faults);
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        let counts = outcome.counts;
        // A day on which only one of both happened does not count.
        if counts.crashes > 0 && counts.partitions > 0 {
            halted += counts.halted;
            asked_again += counts.asked_again;
            rescued += counts.rescued;
            backed_up += counts.backed_up;
        }
    }
    assert!(
        halted > 0 && asked_again > 0 && rescued > 0 && backed_up > 0,
        "{halted} {asked_again} {rescued} {backed_up}"
    );
}
