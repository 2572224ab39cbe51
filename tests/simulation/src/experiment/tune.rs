//! The sweeps that the scheduler's settings come from: the pools' C_min and s_min, the timeouts T1
//! and T2, what these are at the least, and how long a replica waits for its lane. And what two
//! conditions cost that no setting changes.
//!
//! The last two settings matter where tasks are short, so they are swept with tasks of several lengths,
//! on small grids: all that `tune` runs is to be done in about twenty minutes on two processors.

use super::{
    DEVICES_MAX, FAULTS_PERCENT_MAX, How, SEEDS_MAX,
    case::{Case, GridKind, TASK_S},
    conditions::Condition,
    runs::Runs,
    sweep::{At, Barred, HEAD, Sweep},
    write,
};
use anyhow::Context as _;
use clap::Args;
use quern_grid::{Policy, Tuning};
use quern_protocol::limits;
use quern_simulation::makespan::{Contestant, median_capacity};
use std::fs;

/// Settings of the pools that are compared, as far as C_min < median(C) x s_min.
const POOL_CAPACITIES_MIN: [u64; 6] = [2_000, 4_000, 8_000, 16_000, 32_000, 64_000];
const POOL_SIZES_MIN: [u64; 5] = [4, 8, 16, 32, 64];

/// Timeouts that are compared, in hundredths of a task's expected time, as far as T1 < T2.
const DELAYED_PERCENTS: [u64; 3] = [125, 150, 200];
const STALE_PERCENTS: [u64; 6] = [150, 200, 250, 300, 350, 400];

/// Those of them that are too long.
const TOO_LONG: Barred = Barred {
    is_it: |(_, stale)| stale >= 400,
    because: "who takes four times as long as expected is too slow, and until T2 the task would be such a \
              device's alone",
};

/// What tasks take an ordinary desktop where their length matters, in seconds.
const TASKS_S: [u32; 3] = [1, 10, 60];

/// T1 and T2 at the least that are compared, in seconds, as far as T1 < T2.
const DELAYED_S_MIN: [u64; 4] = [2, 5, 15, 30];
const STALE_S_MIN: [u64; 4] = [15, 25, 60, 120];

/// Those of them that are too short.
const TOO_SHORT: Barred = Barred {
    is_it: |(_, stale)| stale < limits::SILENCE_FOUND.as_secs(),
    because: "who falls silent as soon as it has a task is found to be after 23 seconds, and where another has \
              done the task by then nobody is blamed",
};

/// How long replicas wait for their lanes that is compared, in seconds.
const LANES_S: [u64; 5] = [0, 1, 3, 10, 30];

/// By how much longer a makespan may be for timeouts that cost less, in percent. The pools' settings are to
/// be those with the shortest.
const SAVES_FOR_PERCENT: f64 = 1.0;

/// Of so many runs of each condition one is made where masternode and workers are those that ship: a whole grid
/// takes long, and says with few runs what it says with many.
const RUNS_FOR_ONE_JUDGED: u64 = 3;

/// What the makespan does not tell of lanes.
const LANES_BUY: &str =
    "lanes are there against accounts that act together, which no makespan tells";

/// The file of all runs, and what is found in them, for programs.
const RUNS: &str = "tuning-runs.csv";
const TABLE: &str = "tuning.csv";

/// Where all numbers are, for the end of the region.
const FILES: &str = "All numbers are in [tuning.csv](tuning.csv), those of every run in \
                     [tuning-runs.csv](tuning-runs.csv).\n";

#[derive(Args, Clone, Debug)]
pub(crate) struct TuneArgs {
    #[command(flatten)]
    how: How,
    /// Devices of the grid
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    devices: u32,
    /// Devices of the grids on which tasks of several lengths are computed
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    small: u32,
    /// Devices of the grid on which half of them are of one account
    #[arg(
        long,
        value_name = "N",
        default_value_t = 510,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    firm: u32,
    /// Devices of the whole grids, masternode and workers as they ship, on which answers are judged
    #[arg(
        long,
        value_name = "N",
        default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    judged: u32,
    /// How likely an execution goes wrong, in percent
    #[arg(
        long,
        value_name = "P",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(0..=FAULTS_PERCENT_MAX)
    )]
    faults: u32,
    /// Runs of each setting under each policy with pools, and of each condition; twice as many of each
    /// setting under the default, and a third of each condition in which answers are judged
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX)
    )]
    seeds: u64,
}

/// What settings are compared on.
#[derive(Clone, Copy, Debug)]
struct Grid {
    devices: u32,
    kind: GridKind,
    /// What a task takes an ordinary desktop, in seconds.
    task_s: u32,
}

/// A policy under which settings are compared, with so many runs of each.
#[derive(Clone, Copy, Debug)]
struct Under {
    policy: &'static str,
    tuning: Tuning,
    seeds: u64,
}

/// Makes all runs that are missing, and says which settings are best: those that cost least where the
/// makespan is about the shortest.
pub(crate) fn run(args: &TuneArgs) -> anyhow::Result<()> {
    sweep(args, args.sweeps(), args.conditions())
}

fn sweep(args: &TuneArgs, sweeps: Vec<Sweep>, conditions: Vec<Condition>) -> anyhow::Result<()> {
    let how = &args.how;
    fs::create_dir_all(&how.out)
        .with_context(|| format!("cannot make the folder {}", how.out.display()))?;
    let mut runs = Runs::read(how.out.join(RUNS))?;
    let outcomes = runs.complete(&cases(&sweeps, &conditions), how)?;
    let mut rest = outcomes.as_slice();
    let (mut text, mut table) = (String::new(), HEAD.to_owned());
    for sweep in sweeps {
        let (name, heading) = (sweep.name.clone(), sweep.heading.clone());
        let (mine, others) = rest.split_at(sweep.cases().len());
        rest = others;
        let found = sweep
            .compare(mine)
            .with_context(|| format!("there are no settings of {name} to compare"))?;
        table.push_str(&found.lines());
        let (conclusion, cells, grids) = (found.conclusion(), found.table(), found.grids());
        text.push_str(&format!("### {heading}\n\n"));
        text.push_str(&format!("{conclusion}\n\n{cells}{grids}\n"));
    }
    for condition in conditions {
        let (mine, others) = rest.split_at(condition.cases().len());
        rest = others;
        table.push_str(&condition.lines(mine));
        text.push_str(&condition.in_words(mine));
    }
    text.push_str(FILES);
    write(&how.out.join(TABLE), &table)?;
    how.write_region("tuning", &text)?;
    println!("{}", text.trim());
    Ok(())
}

/// All runs, in the order in which they are compared.
fn cases(sweeps: &[Sweep], conditions: &[Condition]) -> Vec<Case> {
    let of_conditions = conditions.iter().flat_map(Condition::cases);
    let all = sweeps.iter().flat_map(Sweep::cases).chain(of_conditions);
    all.collect()
}

impl TuneArgs {
    fn sweeps(&self) -> Vec<Sweep> {
        let mut all = Vec::from(self.pools());
        all.push(self.timeouts());
        all.push(self.floors());
        all.extend(TASKS_S.map(|task_s| self.lanes(task_s)));
        all
    }

    /// Pools as published, and with the merged top pool and backups: each for itself, because one whose runs
    /// differ by more would drown the other.
    fn pools(&self) -> [Sweep; 2] {
        let merged = Tuning {
            policy: Policy::MergedPools,
            ..Tuning::default()
        };
        let policies = [
            ("pools as published", Tuning::published()),
            ("merged pools, backups", merged),
        ];
        policies.map(|(policy, tuning)| {
            let seeds = self.seeds;
            self.pools_under(Under {
                policy,
                tuning,
                seeds,
            })
        })
    }

    /// The pools' settings under one of the policies with pools, on a lifelike grid.
    fn pools_under(&self, under: Under) -> Sweep {
        let Under { policy, tuning, .. } = under;
        let today = (tuning.pool_capacity_min, tuning.pool_size_min.into());
        let kind = GridKind::Lifelike;
        let grid = self.grid(kind);
        let scenario = self.case(grid, "", Contestant::Random, 0).scenario();
        let median = median_capacity(&kind.conditions(), &scenario, 0).points();
        let admits = |(capacity, size): At| (capacity as f64) < median * size as f64;
        let settings = pairs(&POOL_CAPACITIES_MIN, &POOL_SIZES_MIN, admits, today);
        let set = |(capacity, size): At, tuning: Tuning| Tuning {
            pool_capacity_min: capacity,
            pool_size_min: size as u32,
            ..tuning
        };
        Sweep {
            name: policy.into(),
            heading: format!("C_min and s_min with {policy}"),
            axes: ["C_min", "s_min"],
            buys: None,
            saves_for_percent: None,
            barred: None,
            today,
            grids: vec![],
            settings: self.settings(grid, settings, under, set),
        }
    }

    /// Under the default, on a grid that stalls often, and on one where a task may be larger than usual and is
    /// late for no fault.
    fn timeouts(&self) -> Sweep {
        let tuned = Tuning::default();
        let today = (tuned.delayed_percent.into(), tuned.stale_percent.into());
        let under = self.by_default();
        let admits = |(delayed, stale): At| delayed < stale;
        let settings = pairs(&DELAYED_PERCENTS, &STALE_PERCENTS, admits, today);
        let set = |(delayed, stale): At, tuning: Tuning| Tuning {
            delayed_percent: delayed as u32,
            stale_percent: stale as u32,
            ..tuning
        };
        Sweep {
            name: "timeouts".into(),
            heading: "T1 % and T2 %".into(),
            axes: ["T1 %", "T2 %"],
            buys: None,
            saves_for_percent: Some(SAVES_FOR_PERCENT),
            barred: Some(TOO_LONG),
            today,
            grids: vec!["many executions stall".into(), "tasks are uneven".into()],
            settings: beside([GridKind::Stalling, GridKind::Uneven].map(|kind| {
                let grid = self.grid(kind);
                self.settings(grid, settings.clone(), under, set)
            })),
        }
    }

    /// T1 and T2 at the least, under the same policy on small grids that stall often, with tasks of each length:
    /// they are one setting for all of them, so what counts is the mean of all.
    fn floors(&self) -> Sweep {
        let tuned = Tuning::default();
        let today = (tuned.delayed_ms_min / 1_000, tuned.stale_ms_min / 1_000);
        let admits = |(delayed, stale): At| delayed < stale;
        let settings = pairs(&DELAYED_S_MIN, &STALE_S_MIN, admits, today);
        let set = |(delayed, stale): At, tuning: Tuning| Tuning {
            delayed_ms_min: delayed * 1_000,
            stale_ms_min: stale * 1_000,
            ..tuning
        };
        Sweep {
            name: "floors".into(),
            heading: "T1 and T2 at the least, in seconds".into(),
            axes: ["T1 s", "T2 s"],
            buys: None,
            saves_for_percent: Some(SAVES_FOR_PERCENT),
            barred: Some(TOO_SHORT),
            today,
            grids: TASKS_S
                .map(|task_s| format!("tasks take {task_s} s"))
                .into(),
            settings: beside(TASKS_S.map(|task_s| {
                let grid = self.small_grid(GridKind::Stalling, task_s);
                self.settings(grid, settings.clone(), self.by_default(), set)
            })),
        }
    }

    /// How long replicas wait for their lanes, under the same policy on such a grid, where three
    /// devices must answer each task.
    fn lanes(&self, task_s: u32) -> Sweep {
        let today = (Tuning::default().lane_ms / 1_000, u64::from(task_s));
        let settings = pairs(&LANES_S, &[task_s.into()], |_| true, today);
        let set = |(lane, _): At, tuning: Tuning| Tuning {
            lane_ms: lane * 1_000,
            ..tuning
        };
        let grid = self.small_grid(GridKind::Agreeing, task_s);
        Sweep {
            name: format!("lanes of {task_s} s"),
            heading: format!("How long a replica waits for its lane, with tasks of {task_s} s"),
            axes: ["lane s", "task s"],
            buys: Some(LANES_BUY),
            saves_for_percent: None,
            barred: None,
            today,
            grids: vec![],
            settings: self.settings(grid, settings, self.by_default(), set),
        }
    }

    /// What one large account costs, and what it costs to hear a trusted device before one is blamed.
    fn conditions(&self) -> Vec<Condition> {
        let cases = |devices: u32, kinds: [GridKind; 2], seeds: u64| -> [Vec<Case>; 2] {
            kinds.map(|kind| {
                let grid = Grid {
                    devices,
                    ..self.grid(kind)
                };
                let contestant = Contestant::Pull(Tuning::default());
                let case = |seed| self.case(grid, "default", contestant, seed);
                (0..seeds).map(case).collect()
            })
        };
        let judged = (self.seeds / RUNS_FOR_ONE_JUDGED).max(1);
        vec![
            Condition {
                name: "one large account",
                heading: "One account with half of the devices",
                words: "Three devices must answer each task, and an account has one replica of it at the \
                        most: so the half that is of one account computes a third, and the others two.",
                cases: cases(self.firm, [GridKind::Thrice, GridKind::Firm], self.seeds),
            },
            Condition {
                name: "second opinions",
                heading: "Trusted devices that are heard before a device is blamed",
                words: "Masternode and workers are those that ship. Three devices must answer each task, and \
                        what goes wrong is answered wrongly; trusted devices answer rightly. All takes until \
                        the last settlement.",
                cases: cases(
                    self.judged,
                    [GridKind::Untrusted, GridKind::Trusted],
                    judged,
                ),
            },
        ]
    }

    fn settings(
        &self,
        grid: Grid,
        settings: Vec<At>,
        under: Under,
        set: impl Fn(At, Tuning) -> Tuning,
    ) -> Vec<(At, Vec<Case>)> {
        let Under {
            policy,
            tuning,
            seeds,
        } = under;
        let task_s = grid.task_s;
        let cases = |at: At| -> Vec<Case> {
            let contestant = Contestant::Pull(set(at, tuning));
            let policy = format!("{policy} {task_s} s {} {}", at.0, at.1);
            let case = |seed| self.case(grid, &policy, contestant, seed);
            (0..seeds).map(case).collect()
        };
        settings.into_iter().map(|at| (at, cases(at))).collect()
    }

    /// What masternodes run: all that is no setting of pools is chosen by it alone. A setting has as many runs
    /// under it as under both policies with pools.
    fn by_default(&self) -> Under {
        Under {
            policy: "default",
            tuning: Tuning::default(),
            seeds: 2 * self.seeds,
        }
    }

    /// The grid on which settings are compared whatever tasks take.
    fn grid(&self, kind: GridKind) -> Grid {
        Grid {
            devices: self.devices,
            kind,
            task_s: TASK_S,
        }
    }

    /// A small one, where tasks are so long.
    fn small_grid(&self, kind: GridKind, task_s: u32) -> Grid {
        Grid {
            devices: self.small,
            kind,
            task_s,
        }
    }

    fn case(&self, grid: Grid, policy: &str, contestant: Contestant, seed: u64) -> Case {
        Case {
            devices: grid.devices,
            faults_percent: self.faults,
            kind: grid.kind,
            task_s: grid.task_s,
            policy: policy.into(),
            contestant,
            seed,
        }
    }
}

/// The runs of each setting on one grid, then those on the next and so on, which are compared together.
fn beside<const N: usize>(grids: [Vec<(At, Vec<Case>)>; N]) -> Vec<(At, Vec<Case>)> {
    let both = |one: Vec<(At, Vec<Case>)>, other: Vec<(At, Vec<Case>)>| {
        let pairs = one.into_iter().zip(other);
        let beside = pairs.map(|((at, mut cases), (_, more))| {
            cases.extend(more);
            (at, cases)
        });
        beside.collect()
    };
    grids.into_iter().reduce(both).unwrap_or_default()
}

/// All pairs that are admitted, and today's whether it is or not.
fn pairs(first: &[u64], second: &[u64], admits: impl Fn(At) -> bool, today: At) -> Vec<At> {
    let all = first
        .iter()
        .flat_map(|first| second.iter().map(move |second| (*first, *second)));
    let mut pairs: Vec<At> = all.filter(|at| admits(*at)).collect();
    pairs.push(today);
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

#[cfg(test)]
mod tests;
