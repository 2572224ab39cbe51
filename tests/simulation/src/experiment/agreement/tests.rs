use super::*;
use crate::experiment::{DOCS, found::files};
use clap::Parser;
use quern_simulation::agreement::{Claim, Counts, Point, Policy, Rate, Setting};
use std::{path::Path, sync::LazyLock};

/// What the page says as long as the command was not run.
const NOT_RUN: &str = "The command has not been run yet.";

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: AgreementArgs,
}

fn args(out: &Path, tasks: u64, jobs: usize) -> AgreementArgs {
    AgreementArgs {
        tasks,
        seed: 1,
        out: out.to_owned(),
        jobs: NonZeroUsize::new(jobs),
        redraw: false,
    }
}

fn holds(tasks: u64) {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), tasks, 2);
    let found = measure(&args).unwrap();
    let judgement = Judgement::of(&found).unwrap();
    assert!(judgement.lucky > 400, "{judgement:?}");
    assert_eq!(judgement.faults(), [""; 0], "{judgement:?}");
    let spread = judgement.spread();
    assert!((0.8..1.2).contains(&spread), "{spread}");
}

#[test]
fn what_a_share_of_the_tasks_counts_is_what_the_formulas_say() {
    holds(10_000);
}

#[test]
#[ignore = "some hundred million tasks take some minutes; `cargo xtask test --nightly` runs them"]
fn what_a_million_tasks_a_point_count_is_what_the_formulas_say() {
    holds(1_000_000);
}

#[test]
fn the_same_files_come_of_it_however_many_points_are_tried_at_a_time() {
    let [one, two] = [1, 2].map(|jobs| {
        let folder = tempfile::tempdir().unwrap();
        let args = args(folder.path(), 1_000, jobs);
        written(&args, &measure(&args).unwrap()).unwrap();
        files(folder.path())
    });
    assert_eq!(one, two);
    let names: Vec<&str> = one.keys().map(String::as_str).collect();
    let expected = [
        "agreement-betrayal.svg",
        "agreement-caught.svg",
        "agreement-extra.svg",
        "agreement-stays.svg",
        "agreement.csv",
        "agreement.md",
    ];
    assert_eq!(names, expected);
    let page = &one["agreement.md"];
    for words in [
        "270 points of 1,000 tasks each, seed 1",
        "**unanimous and no referee**",
        "](agreement-stays.svg)",
        "| 50 % |",
        "| with 100 accepted in a row |",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let read = found::read(&one["agreement.csv"]).unwrap();
    assert_eq!(found::table(&read).unwrap(), one["agreement.csv"]);
}

/// All points with few tasks each, counted once for all tests.
static FEW: LazyLock<Vec<Found>> =
    LazyLock::new(|| measure(&args(Path::new("nowhere"), 1_000, 2)).unwrap());

/// What is told where one point was counted otherwise.
fn told_where(point: Point, change: impl Fn(&mut Found)) -> Vec<String> {
    let mut found = FEW.clone();
    let place = found.iter().position(|it| it.point == point).unwrap();
    change(&mut found[place]);
    Judgement::of(&found).unwrap().faults()
}

#[test]
fn what_is_beyond_is_told_unless_it_is_within_when_it_is_measured_again() {
    let point = Point::Task(Setting {
        policy: Policy::Unanimous,
        colluding: 30,
        re_executed_permille: 10,
    });
    let with = |first: u64, again: Option<u64>| {
        told_where(point, |it| {
            it.first.wrong = first;
            let counts = |wrong| Counts { wrong, ..it.first };
            it.again = again.map(counts);
        })
    };
    // 88 are expected, 9 are a standard deviation.
    assert_eq!(with(87, None), [""; 0]);
    let told = with(125, None);
    assert!(told.len() == 1 && told[0].contains("wrong"), "{told:?}");
    assert_eq!(with(125, Some(125)).len(), 1);
    assert_eq!(with(125, Some(87)), [""; 0]);
    // So far is none of several hundred, whatever is measured again.
    let told = with(160, Some(87));
    assert!(told.len() == 1 && told[0].contains("too many"), "{told:?}");
    // No honest device is blamed, not once.
    let told = told_where(point, |it| it.first.blamed = 1);
    assert!(told.len() == 1 && told[0].contains("no luck"), "{told:?}");
}

#[test]
fn honest_devices_that_cost_more_than_a_tenth_are_told() {
    let claims = Point::Seasoned.claims().unwrap();
    assert!(matches!(claims[..], [(Rate::Extra, Claim::AtMost(_))]));
    let told = told_where(Point::Seasoned, |it| it.first.extra = it.first.trials / 9);
    let is_told = told.len() == 1 && told[0].contains("above 10.0000 %");
    assert!(is_told, "{told:?}");
}

/// What was counted of all points, if the page says that they were tried.
fn of_the_page() -> Option<(AgreementArgs, Vec<Found>)> {
    let folder = Path::new(DOCS);
    let page = fs::read_to_string(folder.join(PAGE)).unwrap();
    let table = fs::read_to_string(folder.join(TABLE));
    if page.contains(NOT_RUN) {
        assert!(table.is_err(), "there is a table of what was not run");
        return None;
    }
    let args = Command::parse_from(["agreement", "--out", DOCS]).args;
    Some((args, found::read(&table.unwrap()).unwrap()))
}

#[test]
fn the_page_follows_from_what_was_counted_with_the_defaults_of_today() {
    let Some((args, found)) = of_the_page() else {
        return;
    };
    let copy = tempfile::tempdir().unwrap();
    let page = fs::read_to_string(Path::new(DOCS).join(PAGE)).unwrap();
    fs::write(copy.path().join(PAGE), page).unwrap();
    let args = AgreementArgs {
        out: copy.path().to_owned(),
        ..args
    };
    let judgement = written(&args, &found).unwrap();
    assert_eq!(judgement.faults(), [""; 0]);
    for (name, text) in files(copy.path()) {
        let stands = fs::read_to_string(Path::new(DOCS).join(&name)).ok();
        assert_eq!(stands, Some(text), "{name} does not follow from {TABLE}");
    }
}

#[test]
fn points_that_the_page_was_made_of_count_the_same_when_they_are_tried_again() {
    let Some((args, found)) = of_the_page() else {
        return;
    };
    let task = |policy, colluding, re_executed_permille| {
        Point::Task(Setting {
            policy,
            colluding,
            re_executed_permille,
        })
    };
    for point in [
        task(Policy::Unanimous, 30, 100),
        task(Policy::Adaptive { row: 10 }, 50, 10),
        Point::Seasoned,
        Point::Betrayal {
            row: 30,
            colluding: 10,
            re_executed_permille: 100,
        },
    ] {
        let stands = found.iter().find(|it| it.point == point).unwrap();
        // The table has the rates of which something has to hold, and not all that is counted.
        let again = Found {
            first: point.run(args.tasks, args.seed).unwrap(),
            ..stands.clone()
        };
        let lines = |it: &Found| found::lines(it).unwrap();
        assert_eq!(lines(stands), lines(&again));
    }
}
