//! How long a job takes on a whole grid, beside the fluid bound: total work divided by the total
//! speed of the devices. No policy can be faster than that without luck.
//!
//! Devices pull, compute and report as workers do; the scheduler under test is that of `compute-side/grid`.
//! Two baselines have no queue to pull from: there every task is given to a device beforehand, at
//! random or in equal parts, and goes to another one only when its device fails.
//!
//! By default devices differ in speed alone, and what goes wrong is noticed at once or by silence.
//! [`Conditions`] say what else may be the matter.

mod grid;
mod pull;
mod push;

pub use grid::{Faulty, Stalling};

use crate::population::{self, DESKTOP_SPEED};
use quern_grid::{Policy, Score, Tuning, measure::Readings};
use rand::{SeedableRng as _, rngs::StdRng};

/// What the chance of readings and uneven faults is drawn from beside the seed, so that the same seed
/// gives devices the same speeds and luck under all conditions.
const APART: u64 = 0x6469_6666_6572_2121;

/// What the sizes of tasks are drawn from beside the seed, where they differ.
const SIZES: u64 = 0x756e_6576_656e_2121;

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
    pub fn all() -> [(&'static str, Self); 7] {
        let merged = Tuning {
            policy: Policy::MergedPools,
            ..Tuning::default()
        };
        let backups_alone = Tuning {
            spares_the_slow: false,
            ..merged
        };
        [
            ("default", Self::Pull(Tuning::default())),
            ("pools as published", Self::Pull(Tuning::published())),
            ("merged pools, backups", Self::Pull(merged)),
            ("merged pools, backups alone", Self::Pull(backups_alone)),
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
    /// Devices, each of an account of its own unless a firm has some.
    pub devices: u32,
    /// Tasks for each device.
    pub tasks_per_device: u32,
    /// What a task takes an ordinary desktop, in seconds; where tasks differ it is the mean.
    pub task_s: f64,
    /// How likely an execution goes wrong.
    pub faulty: Faulty,
}

/// What is the matter on a grid beside speeds and faults that are alike on all devices. By default
/// nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Whether devices differ in what is known of them and in how likely they fail: lines, memory and
    /// load, and few of them fail often while most seldom do. The scenario's faults are the mean.
    pub devices_differ: bool,
    /// Executions that stall.
    pub stalling: Stalling,
    /// Replicas of each task beside the first, all of which must be answered. Where tasks are given to
    /// devices beforehand each is given once.
    pub more_replicas: u8,
    /// How widely the work of tasks is spread: the standard deviation of its logarithm. With 0 all tasks
    /// are equal. Whoever gives out tasks knows only what those took that have their answers.
    pub task_spread: f64,
}

impl Conditions {
    /// A grid as it might be: devices differ, one execution in a hundred halts, and one in twenty
    /// shares its device with somebody.
    pub const LIFELIKE: Self = Self {
        devices_differ: true,
        stalling: Stalling {
            halts: 0.01,
            slows: 0.05,
        },
        more_replicas: 0,
        task_spread: 0.0,
    };

    /// The same with tasks that differ as the tiles of a picture do: half of them take less than three
    /// quarters of the mean, and one in a hundred more than four and a half times that.
    pub const UNEVEN: Self = Self {
        task_spread: 0.8,
        ..Self::LIFELIKE
    };
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
    /// How often a device was asked again after T1, for each task.
    pub asked_again_per_task: f64,
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
    run_under(&Conditions::default(), scenario, contestant, seed)
}

/// Runs a job under certain conditions.
pub fn run_under(
    conditions: &Conditions,
    scenario: &Scenario,
    contestant: &Contestant,
    seed: u64,
) -> Outcome {
    run_beside_a_firm(0, conditions, scenario, contestant, seed)
}

/// The same where so many of the devices are of one account. Whoever gives tasks to devices beforehand
/// does not look at that.
pub fn run_beside_a_firm(
    devices: u32,
    conditions: &Conditions,
    scenario: &Scenario,
    contestant: &Contestant,
    seed: u64,
) -> Outcome {
    let mut grid = grid(conditions, scenario, seed);
    grid.firm = devices;
    let tasks = scenario.devices * scenario.tasks_per_device;
    grid.sizes = sizes(tasks, conditions.task_spread, seed);
    let speed: f64 = grid.devices.iter().map(|it| it.speed).sum();
    let replicas = match contestant {
        Contestant::Pull(_) => conditions.more_replicas.saturating_add(1),
        Contestant::Random | Contestant::EqualSplit => 1,
    };
    let bound_s = grid.total(tasks) * f64::from(replicas) / speed / 1_000.0;
    let (makespan_ms, asked_again) = match contestant {
        Contestant::Pull(tuning) => pull::run(&mut grid, (tasks, replicas), *tuning),
        Contestant::Random => (push::run(&mut grid, tasks, push::Deal::Random), 0),
        Contestant::EqualSplit => (push::run(&mut grid, tasks, push::Deal::Equal), 0),
    };
    let per_task = |count: u64| count as f64 / f64::from(tasks);
    Outcome {
        makespan_s: makespan_ms as f64 / 1_000.0,
        bound_s,
        executions_per_task: per_task(grid.executions),
        asked_again_per_task: per_task(asked_again),
        history: grid.history(),
    }
}

/// How large each task is beside the mean; nothing where all are equal.
fn sizes(tasks: u32, spread: f64, seed: u64) -> Vec<f64> {
    let mut chance = StdRng::seed_from_u64(seed ^ SIZES);
    match spread > 0.0 {
        true => (0..tasks)
            .map(|_| population::spread(spread, &mut chance))
            .collect(),
        false => vec![],
    }
}

/// The median of the devices' capacity scores, as the scheduler sees them.
pub fn median_capacity(conditions: &Conditions, scenario: &Scenario, seed: u64) -> Score {
    let scores = pull::capacities(&mut grid(conditions, scenario, seed));
    scores.get(scores.len() / 2).copied().unwrap_or_default()
}

fn grid(conditions: &Conditions, scenario: &Scenario, seed: u64) -> grid::Grid {
    let mut chance = StdRng::seed_from_u64(seed);
    let devices = population::devices(scenario.devices, &mut chance);
    let mut apart = StdRng::seed_from_u64(seed ^ APART);
    let mean = scenario.faulty.chance;
    let differences = devices
        .iter()
        .map(|device| match conditions.devices_differ {
            true => (
                population::readings(device.hardware, &mut apart),
                population::uneven_faults(mean, &mut apart),
            ),
            false => (Readings::default(), mean),
        })
        .unzip();
    let work = scenario.task_s * 1_000.0 * DESKTOP_SPEED;
    grid::Grid::new(devices, differences, work, conditions.stalling, chance)
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
    fn every_contestant_ends_where_devices_differ_and_executions_stall() {
        let often = Conditions {
            stalling: Stalling {
                halts: 0.1,
                slows: 0.2,
            },
            ..Conditions::LIFELIKE
        };
        for (name, contestant) in Contestant::all() {
            let scenario = scenario(20, 0.1);
            let outcome = run_under(&often, &scenario, &contestant, 5);
            assert!(outcome.ratio() > 0.97, "{name}: {outcome:?}");
            assert!(outcome.makespan_s < 7.0 * 86_400.0, "{name}: {outcome:?}");
            let pulls = matches!(contestant, Contestant::Pull(_));
            let is_asked = outcome.asked_again_per_task > 0.0;
            assert_eq!(pulls, is_asked, "{name}: {outcome:?}");
            let again = run_under(&often, &scenario, &contestant, 5);
            assert_eq!(outcome, again, "{name}");
        }
    }

    #[test]
    fn a_stale_task_is_computed_by_another_device_as_well() {
        let halting = Conditions {
            stalling: Stalling {
                halts: 0.2,
                slows: 0.0,
            },
            ..Conditions::default()
        };
        // Nothing is computed twice but for its timeout.
        let until_stale = |percent| {
            Contestant::Pull(Tuning {
                delayed_percent: percent,
                stale_percent: percent,
                ..plain_queue()
            })
        };
        let executions = |contestant: Contestant| {
            run_under(&halting, &scenario(20, 0.0), &contestant, 2).executions_per_task
        };
        assert_eq!(executions(Contestant::EqualSplit), 1.0);
        let (soon, late) = (executions(until_stale(150)), executions(until_stale(1_000)));
        assert!(late >= 1.0 && soon > late, "{soon} {late}");
    }

    #[test]
    fn where_tasks_differ_the_bound_is_of_what_they_take_and_every_contestant_ends() {
        let uneven = Conditions {
            task_spread: 0.8,
            ..Conditions::default()
        };
        let scenario = scenario(50, 0.05);
        for (name, contestant) in Contestant::all() {
            let outcome = run_under(&uneven, &scenario, &contestant, 3);
            assert!(outcome.ratio() > 0.97, "{name}: {outcome:?}");
            let again = run_under(&uneven, &scenario, &contestant, 3);
            assert_eq!(outcome, again, "{name}");
            // A thousand tasks are nearly what so many of the mean are, and not just that.
            let even = run(&scenario, &contestant, 3).bound_s;
            let more = outcome.bound_s / even;
            assert!(more != 1.0 && (0.85..1.15).contains(&more), "{more}");
        }
    }

    #[test]
    fn half_of_uneven_tasks_take_less_than_three_quarters_of_the_mean() {
        let sizes = sizes(10_000, Conditions::UNEVEN.task_spread, 1);
        let share = |is_it: fn(&&f64) -> bool| sizes.iter().filter(is_it).count() as f64 / 1e4;
        assert!((0.47..0.53).contains(&share(|size| **size < 0.726)));
        assert!((0.005..0.02).contains(&share(|size| **size > 4.5)));
        assert!((0.9..1.1).contains(&(sizes.iter().sum::<f64>() / 1e4)));
        assert!(super::sizes(10_000, 0.0, 1).is_empty());
    }

    #[test]
    fn on_a_lifelike_grid_the_default_takes_less_than_two_fifths_longer_than_the_bound() {
        let best = Contestant::Pull(Tuning::default());
        let scenario = scenario(300, 0.05);
        let outcome = run_under(&Conditions::LIFELIKE, &scenario, &best, 1);
        assert!(outcome.ratio() < 1.4, "{outcome:?}");
        assert!(outcome.executions_per_task < 1.2, "{outcome:?}");
    }

    #[test]
    fn where_tasks_differ_and_executions_stall_the_default_ends_before_one_plain_queue() {
        let ratio = |tuning| {
            let contestant = Contestant::Pull(tuning);
            run_under(&Conditions::UNEVEN, &scenario(100, 0.05), &contestant, 1).ratio()
        };
        let (best, plain) = (ratio(Tuning::default()), ratio(plain_queue()));
        assert!(best < plain, "{best} {plain}");
    }

    #[test]
    fn a_task_of_three_replicas_is_computed_three_times_and_the_job_ends() {
        let thrice = Conditions {
            more_replicas: 2,
            ..Conditions::default()
        };
        for contestant in [Tuning::default(), plain_queue()].map(Contestant::Pull) {
            let outcome = run_under(&thrice, &scenario(30, 0.1), &contestant, 6);
            assert!(outcome.executions_per_task >= 3.0, "{outcome:?}");
            assert!((0.97..3.0).contains(&outcome.ratio()), "{outcome:?}");
        }
    }

    /// What it costs that an account has one replica of a task at the most (decision 8).
    #[test]
    #[ignore = "some hundred devices take some seconds; `cargo xtask test --nightly` runs them"]
    fn a_firm_with_half_of_a_large_grid_computes_one_of_three_replicas_of_every_task() {
        let thrice = Conditions {
            more_replicas: 2,
            ..Conditions::default()
        };
        let scenario = Scenario {
            tasks_per_device: 8,
            ..scenario(510, 0.0)
        };
        let best = Contestant::Pull(Tuning::default());
        let ratio = |firm| run_beside_a_firm(firm, &thrice, &scenario, &best, 8).ratio();
        let (without, with) = (ratio(0), ratio(255));
        assert!(without < 1.5, "{without}");
        // The other half computes two thirds of it all: four thirds of the time, were both as fast.
        let expected = 1.1 * without..1.6 * without;
        assert!(expected.contains(&with), "{without} {with}");
    }

    #[test]
    fn devices_that_differ_are_as_fast_as_those_that_do_not() {
        let differ = Conditions {
            devices_differ: true,
            ..Conditions::default()
        };
        let (alike, scenario) = (Conditions::default(), scenario(50, 0.0));
        let bound = |conditions: &Conditions| {
            run_under(conditions, &scenario, &Contestant::EqualSplit, 4).bound_s
        };
        assert_eq!(bound(&alike), bound(&differ));
        let median = |conditions: &Conditions| median_capacity(conditions, &scenario, 4);
        assert!(median(&alike) < median(&differ));
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
