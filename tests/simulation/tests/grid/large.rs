//! Grids on which there are accounts enough for lanes.

use super::hold;
use quern_simulation::grid::{Config, Faults, Outcome, Scheduling};

/// A grid on which a job has more accounts than a task may have replicas, and tasks for each device; the job
/// can be computed.
fn large(devices: u32, tasks_each: u32, faults: Faults) -> Config {
    Config {
        devices,
        tasks: devices * tasks_each,
        faults: Faults {
            unsound: 0,
            ..faults
        },
        scheduling: Scheduling::Best,
        asking: 0,
        ..Config::default()
    }
}

/// Runs it: every job that its owner does not cancel ends settled, or for a reason that has a name.
fn hold_large(config: &Config) -> Outcome {
    let outcome = hold(config);
    let causes = &outcome.causes;
    assert!(
        outcome.is_all_explained(),
        "{config}: {outcome}: {causes:?}"
    );
    if config.faults.colluding == 0 {
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
    }
    outcome
}

#[test]
fn jobs_of_some_hundred_devices_end_settled_or_for_a_cause_that_has_a_name() {
    for faults in [Faults::MILD, Faults::HOSTILE] {
        hold_large(&large(300, 5, faults));
    }
}

#[test]
fn a_job_of_two_thousand_devices_ends_settled() {
    hold_large(&large(2_000, 1, Faults::MILD));
}

#[test]
fn on_bad_days_replicas_go_to_accounts_in_their_lanes() {
    let in_lanes = (630..634).map(|seed| {
        let config = Config {
            bondless: 0,
            faults_s: 120,
            seed,
            ..large(60, 2, Faults::ROUGH)
        };
        hold(&config).counts.in_lanes
    });
    assert!(in_lanes.sum::<u64>() > 0);
}

#[test]
#[ignore = "some hundred devices take some seconds; `cargo xtask test --nightly` runs them"]
fn devices_that_answer_at_once_and_alike_capture_no_more_tasks_than_lanes_leave_to_chance() {
    let faults = Faults {
        rushing: 5,
        ..Faults::NONE
    };
    for seed in 600..604 {
        let config = Config {
            bondless: 0,
            // The share that is worked out below is one of tasks that are alike.
            uneven: 0,
            seed,
            ..large(600, 4, faults)
        };
        let counts = hold(&config).counts;
        // Two accounts get two of three replicas with 2.34 % where there are sixteen lanes, as for half of
        // these devices. Near the end the last 128 replicas may be for more than their lanes.
        let (rushing, tasks) = (counts.rushing as f64, f64::from(config.tasks));
        let pairs = rushing * (rushing - 1.0) / 2.0;
        let mean = pairs * 0.0234 * tasks;
        let most = mean + 4.0 * mean.sqrt() + 128.0 / 3.0;
        assert!(counts.lies > 0 || counts.rushing == 0, "{config}: {counts}");
        assert!(counts.wrong_answers as f64 <= most, "{config}: {counts}");
    }
}

#[test]
#[ignore = "a thousand devices take some seconds; `cargo xtask test --nightly` runs them"]
fn a_thousand_devices_settle_twenty_tasks_each() {
    for faults in [Faults::NONE, Faults::MILD, Faults::HOSTILE] {
        hold_large(&large(1_000, 20, faults));
    }
}

#[test]
#[ignore = "five thousand devices take minutes; `cargo xtask test --nightly` runs them"]
fn five_thousand_devices_settle_as_many_tasks_as_a_job_may_have() {
    // A job of thirteen each has 65,000: the chain takes 65,536.
    for faults in [Faults::NONE, Faults::MILD, Faults::HOSTILE] {
        hold_large(&large(5_000, 13, faults));
    }
}
