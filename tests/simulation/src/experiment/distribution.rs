//! Makespans of all policies on several grids, in tables and pictures.
//!
//! All tasks of a grid are one job here. With 10,000 devices that is 200,000 tasks, which the chain
//! refuses as one job: it takes 65,536 at most (`TASKS_PER_JOB_MAX`).

use super::{
    DEVICES_MAX, FAULTS_PERCENT_MAX, How, SEEDS_MAX, behind,
    case::{Case, GridKind, in_a_column},
    losses, picture,
    runs::Runs,
    summary::Summary,
    thousands, write,
};
use anyhow::Context as _;
use clap::Args;
use quern_simulation::makespan::{Contestant, Outcome};
use std::{collections::BTreeSet, fs};

/// The simpler policies, as contestants are called.
pub(super) const SIMPLER: [&str; 3] = ["one plain queue", "random", "equal split"];

/// What the default is called as a contestant.
pub(super) const DEFAULT: &str = "default";

/// What is run unless it is said otherwise.
const DEVICES: [u32; 2] = [1_000, 10_000];
const FAULTS_PERCENT: [u32; 3] = [0, 5, 20];
const LIFELIKE: [u32; 1] = [1_000];
const UNEVEN: [u32; 1] = [1_000];
const BRIEF: [u32; 1] = [1_000];
const REDUNDANT: [u32; 2] = [300, 1_000];

#[derive(Args, Clone, Debug)]
pub(crate) struct DistributionArgs {
    #[command(flatten)]
    how: How,
    /// Numbers of devices, a grid each
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_values_t = DEVICES,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    devices: Vec<u32>,
    /// How likely an execution goes wrong, in percent, on each grid
    #[arg(
        long,
        value_name = "P,P",
        value_delimiter = ',',
        default_values_t = FAULTS_PERCENT,
        value_parser = clap::value_parser!(u32).range(0..=FAULTS_PERCENT_MAX)
    )]
    faults: Vec<u32>,
    /// Numbers of devices of grids on which devices differ in everything and executions stall
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_values_t = LIFELIKE,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    lifelike: Vec<u32>,
    /// Numbers of devices of such grids on which tasks differ as well
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_values_t = UNEVEN,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    uneven: Vec<u32>,
    /// Numbers of devices of lifelike grids with tasks of 10 and of 1 s
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_values_t = BRIEF,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    brief: Vec<u32>,
    /// Numbers of devices of grids on which three devices must answer each task
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_values_t = REDUNDANT,
        value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
    )]
    redundant: Vec<u32>,
    /// Runs of each policy on each grid
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX)
    )]
    seeds: u64,
}

/// A grid with what each policy made of it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) devices: u32,
    pub(super) kind: GridKind,
    pub(super) faults: Vec<u32>,
    pub(super) rows: Vec<Row>,
}

/// What a policy made of a grid.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) policy: &'static str,
    /// For each level of faults.
    pub(super) cells: Vec<Summary>,
    /// For each level of faults the makespan of every run, with the fluid bound as 1, in the order of
    /// the seeds.
    pub(super) ratios: Vec<Vec<f64>>,
}

/// The file of all runs.
const RUNS: &str = "distribution-runs.csv";

/// Where all numbers are, for the end of a region.
const FILES: &str = "All numbers are in [distribution.csv](distribution.csv), those of every run in \
                     [distribution-runs.csv](distribution-runs.csv).\n";

/// Makes all runs that are missing, and tables and pictures of them all. Fails when all of that is
/// written, if the default is behind another policy or further from the bound than it may be.
pub(crate) fn run(args: &DistributionArgs) -> anyhow::Result<()> {
    let groups = written(args)?;
    behind::check(&groups)?;
    Ok(())
}

/// Makes all runs that are missing, and writes tables and pictures of them all.
fn written(args: &DistributionArgs) -> anyhow::Result<Vec<Group>> {
    let how = &args.how;
    fs::create_dir_all(&how.out)
        .with_context(|| format!("cannot make the folder {}", how.out.display()))?;
    let groups = groups(args)?;
    write(&how.out.join("distribution.csv"), &table(&groups))?;
    let mut text = String::new();
    for group in &groups {
        let file = group.picture_file();
        write(&how.out.join(&file), &picture::svg(group)?)?;
        let title = group.title();
        let words = format!("### {title}\n\n{}\n![{title}]({file})\n\n", group.words());
        text.push_str(&words);
    }
    text.push_str(FILES);
    how.write_region("distribution", &text)?;
    how.write_region("worst", &behind::table(&groups))?;
    let lost = losses::in_words(&groups);
    how.write_region("losses", &lost)?;
    println!("{}\n\n{}", text.trim(), lost.trim());
    Ok(groups)
}

impl DistributionArgs {
    fn grids(&self) -> Vec<(u32, GridKind)> {
        let kinds = [
            (&self.devices, GridKind::Alike),
            (&self.lifelike, GridKind::Lifelike),
            (&self.uneven, GridKind::Uneven),
            (&self.brief, GridKind::Brief),
            (&self.brief, GridKind::Momentary),
            (&self.redundant, GridKind::Redundant),
        ];
        let of_kind = |(devices, kind): (&Vec<u32>, GridKind)| {
            let devices = in_order(devices).into_iter();
            devices.map(move |devices| (devices, kind))
        };
        kinds.into_iter().flat_map(of_kind).collect()
    }

    /// All runs, by grid, by policy, by faults.
    fn cases(&self) -> Vec<Case> {
        let faults = in_order(&self.faults);
        let mut cases = Vec::new();
        for (devices, kind) in self.grids() {
            for (policy, contestant) in Contestant::all() {
                for &faults_percent in &faults {
                    cases.extend((0..self.seeds).map(|seed| Case {
                        devices,
                        faults_percent,
                        kind,
                        task_s: kind.task_s(),
                        policy: policy.into(),
                        contestant,
                        seed,
                    }));
                }
            }
        }
        cases
    }
}

fn groups(args: &DistributionArgs) -> anyhow::Result<Vec<Group>> {
    let (faults, contestants) = (in_order(&args.faults), Contestant::all());
    let mut runs = Runs::read(args.how.out.join(RUNS))?;
    let outcomes = runs.complete(&args.cases(), &args.how)?;
    let mut levels = outcomes.chunks(args.seeds as usize);
    let mut row = |policy| {
        let levels: Vec<&[Outcome]> = levels.by_ref().take(faults.len()).collect();
        let ratios = |runs: &&[Outcome]| runs.iter().map(Outcome::ratio).collect();
        Row {
            policy,
            cells: levels.iter().map(|runs| Summary::of(runs)).collect(),
            ratios: levels.iter().map(ratios).collect(),
        }
    };
    let group = |(devices, kind)| Group {
        devices,
        kind,
        faults: faults.clone(),
        rows: contestants.iter().map(|&(policy, _)| row(policy)).collect(),
    };
    Ok(args.grids().into_iter().map(group).collect())
}

fn in_order(numbers: &[u32]) -> Vec<u32> {
    let once: BTreeSet<u32> = numbers.iter().copied().collect();
    once.into_iter().collect()
}

/// All groups for programs.
fn table(groups: &[Group]) -> String {
    let mut text = "devices,grid,faults_percent,policy,runs,mean,standard_deviation,best,worst,\
                    executions_per_task,asked_again_per_task\n"
        .to_owned();
    for group in groups {
        for row in &group.rows {
            for (faults, cell) in group.faults.iter().zip(&row.cells) {
                let Summary {
                    runs,
                    mean,
                    deviation,
                    best,
                    worst,
                    executions_per_task,
                    asked_again_per_task,
                } = cell;
                let (devices, kind) = (group.devices, group.kind.name());
                let policy = in_a_column(row.policy);
                text.push_str(&format!("{devices},{kind},{faults},{policy},{runs},"));
                text.push_str(&format!("{mean:.6},{deviation:.6},{best:.6},{worst:.6},"));
                text.push_str(&format!(
                    "{executions_per_task:.6},{asked_again_per_task:.6}\n"
                ));
            }
        }
    }
    text
}

impl Group {
    pub(super) fn title(&self) -> String {
        let devices = thousands(self.devices.into());
        format!("{devices} devices{}", self.kind.in_words())
    }

    fn picture_file(&self) -> String {
        match self.kind {
            GridKind::Alike => format!("distribution-{}.svg", self.devices),
            kind => format!("distribution-{}-{}.svg", self.devices, kind.name()),
        }
    }

    /// For each level of faults the makespans of a policy; none if it did not run.
    pub(super) fn ratios(&self, policy: &str) -> Option<&Vec<Vec<f64>>> {
        let row = self.rows.iter().find(|row| row.policy == policy)?;
        Some(&row.ratios)
    }

    /// The table for people; the best of each column in bold.
    fn words(&self) -> String {
        let runs = self.rows.iter().flat_map(|row| &row.cells);
        let runs = runs.map(|cell| cell.runs).max().unwrap_or(0);
        let mut text = format!(
            "Makespan with the fluid bound as 1: the mean of {runs} runs ± their standard deviation, and \
             the worst in brackets. In bold the shortest of each column.\n\n"
        );
        let mut head = "| policy |".to_owned();
        let mut rule = "| --- |".to_owned();
        for percent in &self.faults {
            head.push_str(&format!(" {percent} % faults |"));
            rule.push_str(" ---: |");
        }
        text.push_str(&format!("{head}\n{rule}\n"));
        for row in &self.rows {
            text.push_str(&format!("| {} |", row.policy));
            for (column, cell) in row.cells.iter().enumerate() {
                let words = cell.in_words();
                match self.best(column, |_| true) < Some(cell.mean) {
                    true => text.push_str(&format!(" {words} |")),
                    false => text.push_str(&format!(" **{words}** |")),
                }
            }
            text.push('\n');
        }
        text.push_str("| *the default's mean to the best of the three simpler ones'* |");
        for column in 0..self.faults.len() {
            let ratio = self.to_best_simpler(DEFAULT, column);
            let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.3}"));
            text.push_str(&format!(" *{ratio}* |"));
        }
        text.push('\n');
        text
    }

    /// A policy's mean to that of the best of the simpler policies in a column; none if it did not run, or
    /// none of them.
    pub(super) fn to_best_simpler(&self, policy: &str, column: usize) -> Option<f64> {
        let its = self.best(column, |it| it == policy)?;
        let theirs = self.best(column, |it| SIMPLER.contains(&it))?;
        Some(its / theirs)
    }

    /// A policy's mean in a column; none if it did not run.
    pub(super) fn mean(&self, policy: &str, column: usize) -> Option<f64> {
        self.best(column, |it| it == policy)
    }

    /// A policy's mean to the shortest of a column; none if it did not run.
    pub(super) fn to_best(&self, policy: &str, column: usize) -> Option<f64> {
        let its = self.best(column, |it| it == policy)?;
        Some(its / self.best(column, |_| true)?)
    }

    /// The columns, by their numbers, and how many percent of executions go wrong in each.
    pub(super) fn columns(&self) -> impl Iterator<Item = (usize, u32)> {
        self.faults.iter().copied().enumerate()
    }

    /// All that ran.
    pub(super) fn policies(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().map(|row| row.policy)
    }

    /// The least mean in a column of the policies that are asked about.
    fn best(&self, column: usize, asked: impl Fn(&str) -> bool) -> Option<f64> {
        let rows = self.rows.iter().filter(|row| asked(row.policy));
        let means = rows.filter_map(|row| Some(row.cells.get(column)?.mean));
        means.reduce(f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{
        DOCS, PAGE,
        found::{self, files},
    };
    use clap::Parser;
    use std::{num::NonZeroUsize, path::Path};

    /// What the page says as long as nothing was found. Then it is asked for nothing else.
    const NOT_RUN: &str = "The first command has not been run yet.";

    /// The policies with pools, as contestants are called.
    const POOLED: [&str; 2] = [losses::PUBLISHED, "merged pools, backups"];

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: DistributionArgs,
    }

    fn args(out: &Path, jobs: usize) -> DistributionArgs {
        DistributionArgs {
            how: How {
                out: out.to_owned(),
                jobs: NonZeroUsize::new(jobs),
                again: false,
            },
            devices: vec![20],
            faults: vec![20, 0, 20],
            lifelike: vec![20],
            uneven: vec![20],
            brief: vec![20],
            redundant: vec![20],
            seeds: 2,
        }
    }

    #[test]
    fn the_same_files_come_of_it_however_many_runs_go_on_at_a_time() {
        let [one, two] = [1, 2].map(|jobs| {
            let folder = tempfile::tempdir().unwrap();
            written(&args(folder.path(), jobs)).unwrap();
            files(folder.path())
        });
        let names: Vec<&str> = one.keys().map(String::as_str).collect();
        let expected = [
            "distribution-20-brief.svg",
            "distribution-20-lifelike.svg",
            "distribution-20-momentary.svg",
            "distribution-20-redundant.svg",
            "distribution-20-uneven.svg",
            "distribution-20.svg",
            "distribution-runs.csv",
            "distribution.csv",
            "distribution.md",
        ];
        assert_eq!(names, expected);
        assert_eq!(one, two);
        let page = &one["distribution.md"];
        for words in [
            "](distribution-20.svg)",
            "](distribution.csv)",
            "| 20 devices on a lifelike grid | 20 % |",
            "### 20 devices on a lifelike grid with uneven tasks\n",
            "| 20 devices on a lifelike grid, three of which answer each task | 0 % |",
            "| 20 devices on a lifelike grid with tasks of 1 s | 20 % |",
            "Of 12 grids and levels of faults they lose to *one plain queue* on ",
        ] {
            assert!(page.contains(words), "{words}");
        }
        // Six grids, seven policies, two levels of faults, two seeds, and the head.
        assert_eq!(one["distribution-runs.csv"].lines().count(), 169);
        assert_eq!(one["distribution.csv"].lines().count(), 85);
    }

    #[test]
    fn what_was_run_is_not_run_again_unless_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let mut args = args(folder.path(), 2);
        written(&args).unwrap();
        let before = files(folder.path());
        // Half of it is lost, and the first run that is left is made to say something else.
        let path = folder.path().join("distribution-runs.csv");
        let lines: Vec<&str> = before["distribution-runs.csv"].lines().collect();
        let mut cells: Vec<&str> = lines[1].split(',').collect();
        cells[10] = "00000000deadbeef";
        let told = cells.join(",");
        fs::write(&path, [lines[0], &told, lines[2], "20,0,ali"].join("\n")).unwrap();
        written(&args).unwrap();
        let after = files(folder.path());
        let expected = before["distribution-runs.csv"].replace(lines[1], &told);
        assert_eq!(after["distribution-runs.csv"], expected);
        assert_eq!(after["distribution.md"], before["distribution.md"]);
        args.how.again = true;
        written(&args).unwrap();
        assert_eq!(files(folder.path()), before);
    }

    #[test]
    fn runs_that_are_not_asked_for_stay_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let all = args(folder.path(), 2);
        written(&all).unwrap();
        let before = files(folder.path());
        let fewer = DistributionArgs {
            faults: vec![0],
            ..all.clone()
        };
        written(&fewer).unwrap();
        let after = files(folder.path());
        assert_eq!(after["distribution.csv"].lines().count(), 43);
        written(&all).unwrap();
        assert_eq!(files(folder.path()), before);
    }

    #[test]
    fn all_is_written_before_it_fails_because_the_default_is_behind() {
        let folder = tempfile::tempdir().unwrap();
        let args = args(folder.path(), 2);
        let ended = run(&args);
        assert_eq!(files(folder.path()).len(), 9);
        let is_behind = behind::check(&written(&args).unwrap()).is_err();
        assert_eq!(ended.is_err(), is_behind, "{ended:?}");
    }

    /// What a folder says was found, in the runs that `args` ask for; none if its page says that nothing
    /// was. Fails where that does not follow from its runs, or these were not made with today's defaults.
    fn found(folder: &Path, args: &DistributionArgs) -> Result<Option<Vec<Group>>, String> {
        let cases = args.cases();
        found::again(folder, (RUNS, NOT_RUN), &cases, |copy| {
            let mut args = args.clone();
            args.how.out = copy.to_owned();
            written(&args).unwrap()
        })
    }

    #[test]
    fn the_page_was_made_with_the_defaults_of_today_which_are_nowhere_behind() {
        let Command { args } = Command::parse_from(["experiment", "--out", DOCS]);
        let groups = found(Path::new(DOCS), &args).unwrap();
        let groups = groups.expect("the page says what was found");
        assert_eq!(behind::check(&groups), Ok(()));
    }

    #[test]
    fn runs_that_the_page_was_made_of_come_out_as_they_did_when_they_are_made_again() {
        let Command { args } = Command::parse_from(["experiment", "--out", DOCS]);
        let mut cases = args.cases();
        cases.retain(|case| (case.devices, case.faults_percent, case.seed) == (1_000, 5, 0));
        // Every way to deal tasks that masternodes may be set to, and the default where all else differs.
        let policies = |kind: GridKind| match kind {
            GridKind::Alike => [&[DEFAULT][..], &POOLED].concat(),
            GridKind::Uneven => vec![DEFAULT],
            _ => vec![],
        };
        cases.retain(|case| policies(case.kind).contains(&&*case.policy));
        assert_eq!(cases.len(), 4);
        assert_eq!(found::repeats(Path::new(DOCS), RUNS, &cases), Ok(()));
    }

    #[test]
    fn a_page_that_was_made_with_other_defaults_or_written_by_hand_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let [page, runs] = [PAGE, RUNS].map(|name| folder.path().join(name));
        let args = args(folder.path(), 2);
        fs::write(&page, NOT_RUN).unwrap();
        assert!(found(folder.path(), &args).unwrap().is_none());
        fs::write(&page, "").unwrap();
        written(&args).unwrap();
        assert_eq!(found(folder.path(), &args).unwrap().unwrap().len(), 6);

        let [made, words] = [&runs, &page].map(|path| fs::read_to_string(path).unwrap());
        let mut cells: Vec<&str> = made.lines().nth(1).unwrap().split(',').collect();
        cells[5] = "00000000deadbeef";
        let other = made.replace(made.lines().nth(1).unwrap(), &cells.join(","));
        fs::write(&runs, other).unwrap();
        let told = found(folder.path(), &args).unwrap_err();
        assert_eq!(told, "1 runs were not made with these defaults");
        fs::write(&runs, made).unwrap();
        fs::write(&page, words.replace("| default |", "| the default |")).unwrap();
        let told = found(folder.path(), &args).unwrap_err();
        assert_eq!(told, "distribution.md does not follow from the runs");
        fs::write(&page, NOT_RUN).unwrap();
        assert!(found(folder.path(), &args).is_err());
    }

    #[test]
    fn a_run_that_came_out_otherwise_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (args, runs) = (args(folder.path(), 2), folder.path().join(RUNS));
        written(&args).unwrap();
        let all = args.cases();
        let repeats = || found::repeats(folder.path(), RUNS, &all[..2]);
        assert_eq!(repeats(), Ok(()));
        // What is in a file of runs may be the scheduler of another day, with nothing said of that.
        let made = fs::read_to_string(&runs).unwrap();
        let mut cells: Vec<&str> = made.lines().nth(2).unwrap().split(',').collect();
        cells[10] = "00000000deadbeef";
        let other = made.replace(made.lines().nth(2).unwrap(), &cells.join(","));
        fs::write(&runs, other).unwrap();
        let told = repeats().unwrap_err();
        assert!(
            told.starts_with("the run 20,0,alike,default,1 was "),
            "{told}"
        );
        assert!(told.contains("count MODEL up"), "{told}");
    }

    #[test]
    fn the_best_of_a_column_is_bold_and_the_default_stands_beside_the_simpler_ones() {
        let row = |policy, mean| Row {
            policy,
            cells: vec![Summary::of_three(mean)],
            ratios: vec![],
        };
        let group = Group {
            devices: 1_000,
            kind: GridKind::Alike,
            faults: vec![5],
            rows: vec![row("default", 1.5), row("random", 3.0), row("other", 1.25)],
        };
        let words = group.words();
        assert!(
            words.contains("| default | 1.500 ± 0.000 (1.500) |\n"),
            "{words}"
        );
        assert!(
            words.contains("| other | **1.250 ± 0.000 (1.250)** |\n"),
            "{words}"
        );
        assert!(words.ends_with("| *0.500* |\n"), "{words}");
        assert_eq!(group.title(), "1,000 devices");
    }

    #[test]
    fn all_that_are_compared_by_name_are_contestants() {
        let names = Contestant::all().map(|(name, _)| name);
        let pooled = POOLED.into_iter();
        for name in SIMPLER.into_iter().chain([DEFAULT]).chain(pooled) {
            assert!(names.contains(&name), "{name}");
        }
    }
}
