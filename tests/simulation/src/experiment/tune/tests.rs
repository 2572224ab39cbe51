use super::*;
use crate::experiment::{DOCS, PAGE, case::in_a_column, found};
use clap::Parser;
use std::{collections::BTreeSet, num::NonZeroUsize, path::Path};

/// What the page says as long as nothing was found. Then it is asked for nothing else.
const NOT_RUN: &str = "The second command has not been run yet.";

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: TuneArgs,
}

fn args(out: &Path, jobs: usize) -> TuneArgs {
    TuneArgs {
        how: How {
            out: out.to_owned(),
            jobs: NonZeroUsize::new(jobs),
            again: false,
        },
        devices: 20,
        small: 24,
        firm: 20,
        judged: 12,
        faults: 5,
        seeds: 1,
    }
}

#[test]
fn why_a_t2_is_too_short_names_the_time_that_is_meant() {
    let found = limits::SILENCE_FOUND.as_secs();
    assert!((TOO_SHORT.is_it)((0, found - 1)) && !(TOO_SHORT.is_it)((0, found)));
    let words = format!(" after {found} seconds,");
    assert!(TOO_SHORT.because.contains(&words), "{words}");
}

#[test]
fn all_sweeps_say_what_is_best_in_the_same_bytes_however_many_runs_go_on_at_a_time() {
    let [one, two] = [1, 2].map(|jobs| {
        let folder = tempfile::tempdir().unwrap();
        let args = args(folder.path(), jobs);
        let mut sweeps = args.sweeps();
        // Some of the settings are enough to see it.
        for sweep in &mut sweeps {
            let (mut kept, today) = (0, sweep.today);
            sweep.settings.retain(|(at, _)| {
                kept += 1;
                kept < 5 || *at == today
            });
        }
        sweep(&args, sweeps, args.conditions()).unwrap();
        let names = [PAGE, TABLE, RUNS];
        names.map(|name| fs::read_to_string(folder.path().join(name)).unwrap())
    });
    assert_eq!(one, two);
    for words in [
        "### C_min and s_min with pools as published\n",
        "### C_min and s_min with merged pools, backups\n",
        "### T1 % and T2 %",
        "### T1 and T2 at the least, in seconds\n",
        "| tasks take 10 s | ",
        "### How long a replica waits for its lane, with tasks of 1 s",
        "### One account with half of the devices",
        "| 12 devices, one in a hundred of them trusted |",
        "which no makespan tells.",
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
    let sweeps = args.sweeps();
    for sweep in &sweeps {
        assert!(sweep.settings.iter().any(|(at, _)| *at == sweep.today));
        assert!(sweep.settings.len() >= 5, "{}", sweep.name);
        // Two seeds, each once more under the default, and on several grids for the timeouts.
        let expected = match &*sweep.name {
            "pools as published" | "merged pools, backups" => 2,
            "timeouts" => 8,
            "floors" => 12,
            _ => 4,
        };
        let mut all = sweep.settings.iter().map(|(_, cases)| cases.len());
        assert!(all.all(|runs| runs == expected), "{}", sweep.name);
    }
    // Where a sweep tells its grids apart, a setting's runs are as many on each, one grid after the other.
    for (name, expected) in [
        (
            "timeouts",
            vec![
                ("many executions stall", GridKind::Stalling, TASK_S),
                ("tasks are uneven", GridKind::Uneven, TASK_S),
            ],
        ),
        (
            "floors",
            vec![
                ("tasks take 1 s", GridKind::Stalling, 1),
                ("tasks take 10 s", GridKind::Stalling, 10),
                ("tasks take 60 s", GridKind::Stalling, 60),
            ],
        ),
    ] {
        let sweep = sweeps.iter().find(|it| it.name == name).unwrap();
        let words: Vec<&str> = sweep.grids.iter().map(String::as_str).collect();
        let told: Vec<&str> = expected.iter().map(|it| it.0).collect();
        assert_eq!(words, told);
        for (_, cases) in &sweep.settings {
            let of_each = cases.chunks(cases.len() / expected.len());
            for (cases, (_, kind, task_s)) in of_each.zip(&expected) {
                let seeds: Vec<u64> = cases.iter().map(|it| it.seed).collect();
                assert_eq!(seeds, [0, 1, 2, 3]);
                assert!(
                    cases
                        .iter()
                        .all(|it| (it.kind, it.task_s) == (*kind, *task_s))
                );
            }
        }
    }
    // Runs are known by their names, so no two of them may share one.
    let all = cases(&sweeps, &args.conditions());
    let names: Vec<String> = all.iter().map(Case::name).collect();
    let once: BTreeSet<&String> = names.iter().collect();
    assert_eq!(once.len(), names.len());
}

/// The table of what a folder says was found, in the runs of these sweeps and of the conditions; none if
/// its page says that nothing was. Fails where that does not follow from its runs, or these were not made
/// with today's defaults.
fn found(folder: &Path, args: &TuneArgs, sweeps: Vec<Sweep>) -> Result<Option<String>, String> {
    let cases = cases(&sweeps, &args.conditions());
    found::again(folder, (RUNS, NOT_RUN), &cases, |copy| {
        let mut args = args.clone();
        args.how.out = copy.to_owned();
        let conditions = args.conditions();
        sweep(&args, sweeps, conditions).unwrap();
        fs::read_to_string(copy.join(TABLE)).unwrap()
    })
}

fn of_the_page() -> TuneArgs {
    Command::parse_from(["tune", "--out", DOCS]).args
}

#[test]
fn the_page_was_made_with_the_defaults_of_today_which_it_says_are_best() {
    let args = of_the_page();
    let table = found(Path::new(DOCS), &args, args.sweeps()).unwrap();
    let table = table.expect("the page says what was found");
    let is_best = |sweep: &Sweep| {
        let (first, second) = sweep.today;
        let row = format!("{},{first},{second},", in_a_column(&sweep.name));
        let row = table.lines().find(|line| line.starts_with(&row));
        row.unwrap().ends_with(",true")
    };
    // What something is bought for is not chosen by the makespan.
    for sweep in args.sweeps().iter().filter(|sweep| sweep.buys.is_none()) {
        assert!(is_best(sweep), "today's {} are not the best", sweep.name);
    }
}

#[test]
fn runs_of_several_replicas_that_the_page_was_made_of_come_out_as_they_did() {
    let args = of_the_page();
    let all = cases(&args.sweeps(), &args.conditions());
    // The small grids; the large ones are those of the other command.
    let is_of = |case: &&Case| case.kind == GridKind::Agreeing && case.task_s == TASK_S;
    let case = all.iter().find(is_of);
    assert!(case.is_some());
    assert_eq!(found::repeats(Path::new(DOCS), RUNS, case), Ok(()));
}

#[test]
#[ignore = "whole grids take some seconds; `cargo xtask test --nightly` runs them"]
fn the_first_runs_of_each_condition_come_out_as_they_did() {
    let conditions = of_the_page().conditions();
    let first = conditions.iter().flat_map(|condition| &condition.cases);
    let first = first.filter_map(|cases| cases.first());
    assert_eq!(found::repeats(Path::new(DOCS), RUNS, first), Ok(()));
}

#[test]
fn figures_that_were_edited_or_made_with_other_defaults_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), 2);
    let file = |name| folder.path().join(name);
    // Two settings of one sweep are enough to see it.
    let sweeps = || {
        let mut sweeps = args.sweeps();
        sweeps.truncate(1);
        sweeps.iter_mut().for_each(|it| it.settings.truncate(2));
        sweeps
    };
    let found = || found(folder.path(), &args, sweeps());
    fs::write(file(PAGE), NOT_RUN).unwrap();
    assert_eq!(found(), Ok(None));
    fs::write(file(RUNS), "").unwrap();
    assert!(found().is_err());
    fs::write(file(PAGE), "").unwrap();
    sweep(&args, sweeps(), args.conditions()).unwrap();
    let made = [PAGE, TABLE, RUNS].map(|name| fs::read_to_string(file(name)).unwrap());
    assert_eq!(found(), Ok(Some(made[1].clone())));

    let runs: Vec<&str> = made[2].lines().collect();
    let settings = runs[1].split(',').nth(5).unwrap();
    let otherwise = made[2].replacen(settings, "00000000deadbeef", 1);
    let of_a_condition = format!("{}\n", runs.last().unwrap());
    let edited = made[0].replacen("fluid bound", "bound", 1);
    let worse = made[1].replacen(",true", ",false", 1);
    let fewer = made[2].replace(&of_a_condition, "");
    for (name, text, told) in [
        (PAGE, edited, "distribution.md does not"),
        (TABLE, worse, "tuning.csv does not"),
        (RUNS, otherwise, "1 runs were not made with"),
        (RUNS, fewer, "1 runs were not made with"),
    ] {
        let before = fs::read_to_string(file(name)).unwrap();
        assert_ne!(text, before, "{name}");
        fs::write(file(name), text).unwrap();
        let error = found().unwrap_err();
        assert!(error.starts_with(told), "{error}");
        fs::write(file(name), before).unwrap();
    }
    assert_eq!(found(), Ok(Some(made[1].clone())));
}

#[test]
fn pairs_are_those_that_are_admitted_and_today_s() {
    let admits = |(first, second): At| first < second;
    let found = pairs(&[1, 2, 3], &[2, 3], admits, (9, 9));
    assert_eq!(found, [(1, 2), (1, 3), (2, 3), (9, 9)]);
    assert_eq!(pairs(&[1], &[2], admits, (1, 2)), [(1, 2)]);
}
