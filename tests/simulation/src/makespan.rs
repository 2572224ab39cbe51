//! How long a job takes on a whole grid, beside the fluid bound: total work divided by the total
//! speed of the devices. No policy can be faster than that without luck.
//!
//! Devices pull, compute and report as workers do; the scheduler under test is that of `compute-side/grid`.
//! Two baselines have no queue to pull from: there every task is given to a device beforehand, at
//! random or in equal parts, and goes to another one only when its device fails.

mod grid;
mod pull;
mod push;

pub use grid::Faulty;

use crate::population::{self, DESKTOP_SPEED};
use quern_grid::{Policy, Tuning};
use rand::{SeedableRng as _, rngs::StdRng};

/// How tasks get to devices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contestant {
    /// Devices pull, by these rules.
    Pull(Tuning),
    /// Each task is given beforehand to a device drawn at random.
    Random,
    /// Each device is given beforehand as many tasks as any other.
    EqualSplit,
}

impl Contestant {
    /// Those that are compared, with what they are called.
    pub fn all() -> [(&'static str, Self); 6] {
        let merged = Tuning {
            policy: Policy::MergedPools,
            ..Tuning::default()
        };
        [
            ("default", Self::Pull(Tuning::default())),
            ("pools as published", Self::Pull(Tuning::published())),
            ("merged pools, backups", Self::Pull(merged)),
            ("one plain queue", Self::Pull(plain_queue())),
            ("random", Self::Random),
            ("equal split", Self::EqualSplit),
        ]
    }
}

/// First come, first served, and nothing else.
pub fn plain_queue() -> Tuning {
    Tuning {
        policy: Policy::OneQueue,
        ..Tuning::published()
    }
}

/// A job on a grid.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Devices, each of an account of its own.
    pub devices: u32,
    /// Tasks for each device.
    pub tasks_per_device: u32,
    /// What a task takes an ordinary desktop, in seconds.
    pub task_s: f64,
    /// How likely an execution goes wrong.
    pub faulty: Faulty,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How long it took, in seconds of virtual time.
    pub makespan_s: f64,
    /// The fluid bound, in seconds.
    pub bound_s: f64,
    /// Executions for each task.
    pub executions_per_task: f64,
    /// A digest of everything that happened, in order.
    pub history: u64,
}

impl Outcome {
    /// The makespan, with the fluid bound as 1.
    pub fn ratio(&self) -> f64 {
        self.makespan_s / self.bound_s
    }
}

/// Runs a job. The same seed gives the same devices and luck to every contestant.
pub fn run(scenario: &Scenario, contestant: &Contestant, seed: u64) -> Outcome {
    let mut chance = StdRng::seed_from_u64(seed);
    let devices = population::devices(scenario.devices, &mut chance);
    let work = scenario.task_s * 1_000.0 * DESKTOP_SPEED;
    let tasks = scenario.devices * scenario.tasks_per_device;
    let speed: f64 = devices.iter().map(|it| it.speed).sum();
    let bound_s = f64::from(tasks) * work / speed / 1_000.0;
    let grid = grid::Grid::new(devices, work, scenario.faulty, chance);
    let (makespan_ms, executions, history) = match contestant {
        Contestant::Pull(tuning) => pull::run(grid, tasks, *tuning),
        Contestant::Random => push::run(grid, tasks, push::Deal::Random),
        Contestant::EqualSplit => push::run(grid, tasks, push::Deal::Equal),
    };
    Outcome {
        makespan_s: makespan_ms as f64 / 1_000.0,
        bound_s,
        executions_per_task: executions as f64 / f64::from(tasks),
        history,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(devices: u32, faults: f64) -> Scenario {
        Scenario {
            devices,
            tasks_per_device: 20,
            task_s: 60.0,
            faulty: Faulty { chance: faults },
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_history() {
        let scenario = scenario(60, 0.1);
        for (name, contestant) in Contestant::all() {
            let (first, second) = (
                run(&scenario, &contestant, 7),
                run(&scenario, &contestant, 7),
            );
            assert_eq!(first, second, "{name}");
            let other = run(&scenario, &contestant, 8);
            assert_ne!(first.history, other.history, "{name}");
        }
    }

    #[test]
    fn no_contestant_beats_the_fluid_bound_and_all_of_them_end() {
        for faults in [0.0, 0.3] {
            for (name, contestant) in Contestant::all() {
                let outcome = run(&scenario(50, faults), &contestant, 3);
                assert!(outcome.ratio() > 0.97, "{name}: {outcome:?}");
                assert!(outcome.executions_per_task >= 1.0, "{name}: {outcome:?}");
            }
        }
    }

    #[test]
    fn the_default_keeps_close_to_the_bound() {
        let outcome = run(
            &scenario(300, 0.05),
            &Contestant::Pull(Tuning::default()),
            1,
        );
        assert!(outcome.ratio() <= 1.10, "{outcome:?}");
    }
}
