//! The sweeps that the scheduler's settings come from: the pools' C_min and s_min, and the timeouts T1
//! and T2.

use super::{
    DEVICES_MAX, FAULTS_PERCENT_MAX, How, SEEDS_MAX,
    case::{Case, GridKind},
    runs::Runs,
    sweep::{At, HEAD, Sweep},
    write,
};
use anyhow::Context as _;
use clap::Args;
use quern_grid::{Policy, Tuning};
use quern_simulation::makespan::{Contestant, median_capacity, plain_queue};
use std::fs;

/// Settings of the pools that are compared, as far as C_min < median(C) x s_min.
const POOL_CAPACITIES_MIN: [u64; 6] = [2_000, 4_000, 8_000, 16_000, 32_000, 64_000];
const POOL_SIZES_MIN: [u64; 5] = [4, 8, 16, 32, 64];

/// Timeouts that are compared, in hundredths of a task's expected time, as far as T1 < T2.
const DELAYED_PERCENTS: [u64; 5] = [125, 150, 200, 300, 400];
const STALE_PERCENTS: [u64; 6] = [150, 200, 300, 400, 600, 800];

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
    /// How likely an execution goes wrong, in percent
    #[arg(
        long,
        value_name = "P",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(0..=FAULTS_PERCENT_MAX)
    )]
    faults: u32,
    /// Runs of each setting under each policy
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX)
    )]
    seeds: u64,
}

/// Makes all runs that are missing, and says which settings are best.
pub(crate) fn run(args: &TuneArgs) -> anyhow::Result<()> {
    sweep(args, vec![args.pools(), args.timeouts()])
}

fn sweep(args: &TuneArgs, sweeps: Vec<Sweep>) -> anyhow::Result<()> {
    let how = &args.how;
    fs::create_dir_all(&how.out)
        .with_context(|| format!("cannot make the folder {}", how.out.display()))?;
    let mut runs = Runs::read(how.out.join("tuning-runs.csv"))?;
    let all: Vec<Case> = sweeps.iter().flat_map(Sweep::cases).collect();
    let outcomes = runs.complete(&all, how)?;
    let mut rest = outcomes.as_slice();
    let (mut text, mut table) = (String::new(), HEAD.to_owned());
    for sweep in sweeps {
        let (name, [one, other]) = (sweep.name, sweep.axes);
        let (mine, others) = rest.split_at(sweep.cases().len());
        rest = others;
        let found = sweep
            .compare(mine)
            .with_context(|| format!("there are no settings of {name} to compare"))?;
        table.push_str(&found.lines());
        let (conclusion, cells) = (found.conclusion(), found.table());
        text.push_str(&format!("### {one} and {other}\n\n"));
        text.push_str(&format!("{conclusion}\n\n{cells}\n"));
    }
    text.push_str(FILES);
    write(&how.out.join("tuning.csv"), &table)?;
    how.write_region("tuning", &text)?;
    println!("{}", text.trim());
    Ok(())
}

impl TuneArgs {
    /// Pools as published, and with the merged top pool and backups, on a lifelike grid.
    fn pools(&self) -> Sweep {
        let tuned = Tuning::default();
        let today = (tuned.pool_capacity_min, tuned.pool_size_min.into());
        let merged = Tuning {
            policy: Policy::MergedPools,
            ..tuned
        };
        let policies = [
            ("pools as published", Tuning::published()),
            ("merged pools, backups", merged),
        ];
        let kind = GridKind::Lifelike;
        let scenario = self.case(kind, "", Contestant::Random, 0).scenario();
        let median = median_capacity(&kind.conditions(), &scenario, 0).points();
        let admits = |(capacity, size): At| (capacity as f64) < median * size as f64;
        let settings = pairs(&POOL_CAPACITIES_MIN, &POOL_SIZES_MIN, admits, today);
        let set = |(capacity, size): At, tuning: Tuning| Tuning {
            pool_capacity_min: capacity,
            pool_size_min: size as u32,
            ..tuning
        };
        Sweep {
            name: "pools",
            axes: ["C_min", "s_min"],
            today,
            settings: self.settings(kind, settings, &policies, set),
        }
    }

    /// The default and one plain queue, which has no backups, on a grid that stalls often.
    fn timeouts(&self) -> Sweep {
        let tuned = Tuning::default();
        let today = (tuned.delayed_percent.into(), tuned.stale_percent.into());
        let policies = [("default", tuned), ("one plain queue", plain_queue())];
        let admits = |(delayed, stale): At| delayed < stale;
        let settings = pairs(&DELAYED_PERCENTS, &STALE_PERCENTS, admits, today);
        let set = |(delayed, stale): At, tuning: Tuning| Tuning {
            delayed_percent: delayed as u32,
            stale_percent: stale as u32,
            ..tuning
        };
        Sweep {
            name: "timeouts",
            axes: ["T1 %", "T2 %"],
            today,
            settings: self.settings(GridKind::Stalling, settings, &policies, set),
        }
    }

    fn settings(
        &self,
        kind: GridKind,
        settings: Vec<At>,
        policies: &[(&str, Tuning)],
        set: impl Fn(At, Tuning) -> Tuning,
    ) -> Vec<(At, Vec<Case>)> {
        let cases = |at: At| {
            let mut cases = Vec::new();
            for (policy, tuning) in policies {
                let contestant = Contestant::Pull(set(at, *tuning));
                let policy = format!("{policy} {} {}", at.0, at.1);
                cases
                    .extend((0..self.seeds).map(|seed| self.case(kind, &policy, contestant, seed)));
            }
            cases
        };
        settings.into_iter().map(|at| (at, cases(at))).collect()
    }

    fn case(&self, kind: GridKind, policy: &str, contestant: Contestant, seed: u64) -> Case {
        Case {
            devices: self.devices,
            faults_percent: self.faults,
            kind,
            policy: policy.into(),
            contestant,
            seed,
        }
    }
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
mod tests {
    use super::*;
    use std::{num::NonZeroUsize, path::Path};

    fn args(out: &Path, jobs: usize) -> TuneArgs {
        TuneArgs {
            how: How {
                out: out.to_owned(),
                jobs: NonZeroUsize::new(jobs),
                again: false,
            },
            devices: 20,
            faults: 5,
            seeds: 1,
        }
    }

    #[test]
    fn both_sweeps_say_what_is_best_in_the_same_bytes_however_many_runs_go_on_at_a_time() {
        let [one, two] = [1, 2].map(|jobs| {
            let folder = tempfile::tempdir().unwrap();
            let args = args(folder.path(), jobs);
            let mut sweeps = vec![args.pools(), args.timeouts()];
            // Some of the settings are enough to see it.
            sweeps.iter_mut().for_each(|it| it.settings.truncate(4));
            sweep(&args, sweeps).unwrap();
            let names = ["distribution.md", "tuning.csv", "tuning-runs.csv"];
            names.map(|name| fs::read_to_string(folder.path().join(name)).unwrap())
        });
        assert_eq!(one, two);
        for words in [
            "### C_min and s_min",
            "### T1 % and T2 %",
            "give the shortest",
        ] {
            assert!(one[0].contains(words), "{words}");
        }
    }

    #[test]
    fn every_setting_runs_alike_and_today_s_is_among_them() {
        let args = TuneArgs {
            seeds: 2,
            ..args(Path::new("nowhere"), 1)
        };
        for sweep in [args.pools(), args.timeouts()] {
            assert!(sweep.settings.iter().any(|(at, _)| *at == sweep.today));
            assert!(sweep.settings.len() > 5, "{}", sweep.name);
            assert!(sweep.settings.iter().all(|(_, cases)| cases.len() == 4));
        }
    }

    #[test]
    fn pairs_are_those_that_are_admitted_and_today_s() {
        let admits = |(first, second): At| first < second;
        let found = pairs(&[1, 2, 3], &[2, 3], admits, (9, 9));
        assert_eq!(found, [(1, 2), (1, 3), (2, 3), (9, 9)]);
        assert_eq!(pairs(&[1], &[2], admits, (1, 2)), [(1, 2)]);
    }
}
