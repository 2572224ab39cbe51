//! How long a job takes where answers are judged: on a [`grid`] with masternode and workers as they ship.
//!
//! [`makespan`](crate::makespan) drives the scheduler alone, and its devices answer rightly or not at all.
//! Here an execution that goes wrong gives a wrong answer. The masternode's core gives what is in doubt to
//! trusted devices, hears one of them before it blames somebody, and settles on the chain: what that costs a
//! job is in its makespan. As enough answers decide a task, it may be less than the fluid bound, which is for
//! as many as are asked for at first.

use crate::{
    grid::{self, Config, Faults, Scheduling, Violation},
    makespan::{Outcome, Scenario},
};
use quern_job_rules::quote::QuoteError;

/// Why nothing can be said of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgedError {
    /// The chain does not take the job.
    #[error(transparent)]
    Refused(#[from] QuoteError),
    /// Something happened that must never happen.
    #[error("{0}")]
    Broken(Box<Violation>),
    /// The job ended, and not all of it is settled.
    #[error("the job is not settled: {outcome}")]
    Unsettled {
        /// What came of it.
        outcome: Box<grid::Outcome>,
    },
}

/// Runs a job of so many replicas to its last settlement, on a grid of which so many of a thousand devices are
/// trusted. The same seed gives the same devices whatever else is asked for. How often devices were asked
/// again is not counted.
pub fn run(
    scenario: &Scenario,
    replicas: u8,
    trusted_permille: u32,
    seed: u64,
) -> Result<Outcome, JudgedError> {
    let faults = Faults {
        erring: (scenario.faulty.chance * 1_000.0).round() as u32,
        ..Faults::NONE
    };
    run_with(faults, scenario, replicas, trusted_permille, seed)
}

/// Runs a job whose tasks have one replica to its last settlement, where devices fail and no answer is wrong.
/// Twice as many devices as the scenario says fail at half of all that they get, three tenths of it before
/// anything runs and two half-way, and say so. So of what is given out as much goes wrong as the scenario says at
/// the most, and less where a device is given less because it failed. To the scheduler alone all devices are
/// alike, and an execution goes wrong at any moment, in half of the cases because its device goes away.
pub fn run_failing(scenario: &Scenario, seed: u64) -> Result<Outcome, JudgedError> {
    let faults = Faults {
        failing: (scenario.faulty.chance * 2_000.0).round() as u32,
        ..Faults::NONE
    };
    run_with(faults, scenario, 1, 0, seed)
}

/// The same where this goes wrong, and nothing else.
fn run_with(
    faults: Faults,
    scenario: &Scenario,
    replicas: u8,
    trusted_permille: u32,
    seed: u64,
) -> Result<Outcome, JudgedError> {
    let tasks = scenario.devices.saturating_mul(scenario.tasks_per_device);
    let config = Config {
        devices: scenario.devices,
        tasks,
        replicas,
        task_s: scenario.task_s as u32,
        seed,
        faults,
        faults_s: 0,
        scheduling: Scheduling::Best,
        trusted: trusted_permille,
        asking: 0,
        bondless: 0,
        // As where the scheduler is driven alone.
        uneven: 0,
        ..Config::default()
    };
    let outcome = grid::run_unseen(&config)?;
    if let Some(violation) = outcome.violation {
        return Err(JudgedError::Broken(Box::new(violation)));
    }
    if !outcome.is_all_settled() {
        let outcome = Box::new(outcome);
        return Err(JudgedError::Unsettled { outcome });
    }
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    Ok(Outcome {
        makespan_s: seconds(outcome.lasted_ms),
        bound_s: seconds(outcome.bound_ms),
        executions_per_task: outcome.counts.given as f64 / f64::from(tasks),
        asked_again_per_task: 0.0,
        history: outcome.history,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::makespan::{self, Contestant, Faulty};
    use quern_grid::Tuning;

    fn scenario(faults: f64) -> Scenario {
        Scenario {
            devices: 40,
            tasks_per_device: 4,
            task_s: 20.0,
            faulty: Faulty { chance: faults },
        }
    }

    #[test]
    fn a_job_takes_as_long_as_the_executions_that_decide_its_tasks() {
        let quiet = run(&scenario(0.0), 3, 0, 4).unwrap();
        assert!((2.0..4.0).contains(&quiet.executions_per_task), "{quiet:?}");
        // Two right answers decide a task.
        assert!(quiet.ratio() > 0.6, "{quiet:?}");
        assert_eq!(run(&scenario(0.0), 3, 0, 4).unwrap(), quiet);
    }

    /// How much longer a whole grid takes for a job than the scheduler alone, where this share of all executions
    /// fails.
    fn times(faults: f64) -> f64 {
        let scenario = Scenario {
            devices: 100,
            tasks_per_device: 20,
            task_s: 60.0,
            faulty: Faulty { chance: faults },
        };
        let best = Contestant::Pull(Tuning::default());
        let (mut shipped, mut alone) = (0.0, 0.0);
        for seed in 0..3 {
            let outcome = run_failing(&scenario, seed).unwrap();
            shipped += outcome.ratio();
            alone += makespan::run(&scenario, &best, seed).ratio();
        }
        shipped / alone
    }

    /// What the defaults are chosen by ([`makespan`]) has to be near what grids do.
    #[test]
    fn a_whole_grid_takes_about_as_long_for_a_job_as_the_scheduler_alone() {
        // Messages take time, shards come one after the other, and the last settlement is waited for.
        let times = times(0.0);
        assert!((0.95..1.10).contains(&times), "{times}");
    }

    #[test]
    fn a_whole_grid_takes_about_as_long_as_the_scheduler_alone_where_one_execution_in_twenty_fails()
    {
        let times = times(0.05);
        assert!((0.95..1.10).contains(&times), "{times}");
    }

    #[test]
    fn where_some_are_trusted_errors_cost_executions_that_they_cost_nobody_else() {
        let executions = |trusted: u32| -> f64 {
            let run = |seed| run(&scenario(0.15), 3, trusted, seed).unwrap();
            let all = (4..8).map(|seed| run(seed).executions_per_task);
            all.sum::<f64>() / 4.0
        };
        // Two right answers beside a wrong one decide alone; to hear somebody else is one execution more.
        let (alone, heard) = (executions(0), executions(100));
        assert!(heard > alone + 0.03, "{alone} {heard}");
    }
}
