//! `quern-simulate grid` as a process: what it prints and writes follows from its arguments alone.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A small grid on a bad day.
const GRID: [&str; 11] = [
    "grid",
    "--devices",
    "14",
    "--tasks",
    "12",
    "--task-s",
    "4",
    "--faults",
    "rough",
    "--faults-s",
    "60",
];

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quern-simulate"))
        .args(GRID)
        .args(arguments)
        .output()
        .unwrap()
}

/// What it prints, if it ends well.
fn printed(arguments: &[&str]) -> String {
    let output = simulate(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it prints of a seed, and what it writes of it.
fn traced(folder: &TempDir, seed: &str, name: &str) -> (String, String) {
    let file = folder.path().join(name);
    let words = printed(&["--seed", seed, "--trace", text(&file)]);
    (words, fs::read_to_string(file).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The number of a step's line; none of a line that tells what came of a step, or of the run.
fn step(line: &str) -> Option<u64> {
    line.split(' ').next()?.parse().ok()
}

#[test]
fn one_seed_prints_and_writes_the_same_bytes_and_another_one_others() {
    let folder = tempfile::tempdir().unwrap();
    let first = traced(&folder, "7", "first");
    assert!(first.0.starts_with("seed 7: "), "{}", first.0);
    assert_eq!(first, traced(&folder, "7", "second"));
    assert_eq!(first.0, printed(&["--seed", "7"]));
    let other = traced(&folder, "8", "other");
    assert_ne!(first.1, other.1);
    // Several seeds are run one by one.
    let both = printed(&["--seed", "7", "--seeds", "2"]);
    assert_eq!(both, first.0 + &other.0);
}

#[test]
fn a_written_run_is_replayed_and_one_that_was_changed_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (words, trace) = traced(&folder, "9", "run");
    let file = folder.path().join("run");
    // The file says which run it is; the grid of the arguments does not count.
    let replayed = printed(&["--replay", text(&file)]);
    assert_eq!(words, format!("seed 9: {replayed}"));

    let lines: Vec<&str> = trace.lines().collect();
    let middle = lines.len() / 2;
    let changed = trace.replacen(lines[middle], "something else", 1);
    let shorter = lines[..middle].join("\n");
    let longer = format!("{trace}and so on\n");
    let headless = lines[1..].join("\n");
    for (text_of, told) in [
        (changed, "is not the one in"),
        (shorter, "expected: the end"),
        (longer, "the run ends before the one in"),
        (headless, "is no trace"),
    ] {
        fs::write(&file, text_of).unwrap();
        let output = simulate(&["--replay", text(&file)]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.contains(told),
            "{told}: {errors}"
        );
    }
}

#[test]
fn what_must_not_happen_is_told_with_its_log_and_happens_again_at_the_same_step() {
    let folder = tempfile::tempdir().unwrap();
    // An audit that knows a rule which masternodes do not know.
    let output = Command::new(env!("CARGO_BIN_EXE_quern-simulate"))
        .current_dir(folder.path())
        .args(GRID)
        .args(["--seed", "12", "--seeds", "3", "--audited-in-hand", "1"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(
        words.starts_with("seed 12: ") && words.lines().count() == 1,
        "{words}"
    );
    let errors = String::from_utf8(output.stderr).unwrap();
    let violation = "was given a task more while it held 1";
    for told in [violation, "--seed 12", "--audited-in-hand 1"] {
        assert!(errors.contains(told), "{told}: {errors}");
    }
    let command = "quern-simulate grid --replay grid-12.trace --until ";
    let (_, step_told) = errors.split_once(command).unwrap();
    let step_told: u64 = step_told.lines().next().unwrap().parse().unwrap();
    let file = folder.path().join("grid-12.trace");
    let trace = fs::read_to_string(&file).unwrap();
    assert_eq!(trace.lines().filter_map(step).max(), Some(step_told));

    // The file says which run it is, and the step is printed with what comes of it.
    let until = step_told.to_string();
    for arguments in [
        &["--replay", text(&file)][..],
        &["--replay", text(&file), "--until", until.as_str()][..],
        &["--replay", text(&file), "--step"][..],
    ] {
        let output = simulate(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(errors.contains(violation), "{arguments:?}: {errors}");
        let words = String::from_utf8(output.stdout).unwrap();
        let steps: Vec<u64> = words.lines().filter_map(step).collect();
        let expected = match arguments.len() {
            2 => vec![],
            3 => (1..=step_told).collect(),
            _ => vec![step_told],
        };
        assert_eq!(steps, expected, "{arguments:?}");
    }
}

#[test]
fn numbers_that_mean_nothing_are_refused_with_what_to_write_instead() {
    for (line, told) in [
        ("makespan --faults nan", "from 0 to 0.9"),
        ("makespan --faults inf", "from 0 to 0.9"),
        ("makespan --faults -0.1", "from 0 to 0.9"),
        ("makespan --faults 1", "from 0 to 0.9"),
        ("makespan --faults often", "`often`"),
        ("makespan --devices 0", "--devices"),
        ("makespan --seeds 0", "--seeds"),
        ("grid --replicas 4", "odd number from 3 to 15"),
        ("grid --seeds 0", "--seeds"),
        ("grid --until 0", "--until"),
        ("experiment --out x --faults nan", "--faults"),
        ("tune --out x --devices 1", "--devices"),
        ("agreement --out x --tasks 999", "--tasks"),
        ("agreement --tasks 1000", "--out"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_quern-simulate"))
            .args(line.split(' '))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {errors}");
        assert!(errors.contains(told), "{line}: {errors}");
    }
}

#[test]
fn step_by_step_it_stops_after_the_step_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (_, trace) = traced(&folder, "10", "run");
    let words = printed(&["--seed", "10", "--step", "--until", "120"]);
    let (lines, last) = words.trim_end().rsplit_once('\n').unwrap();
    assert!(last.starts_with("seed 10: "), "{last}");
    let steps: Vec<u64> = lines.lines().filter_map(step).collect();
    assert_eq!(steps, (1..=120).collect::<Vec<u64>>());
    assert!(
        lines.lines().any(|line| line.starts_with("  = ")),
        "changes"
    );
    // Without the changes it is how the trace begins.
    let told = lines.lines().filter(|line| !line.starts_with("  = "));
    let written = trace
        .lines()
        .skip(1)
        .take_while(|line| step(line) != Some(121));
    assert!(told.eq(written));

    // Without `--step` only the last step is printed; a replay stops there as well.
    let last_step = printed(&["--seed", "10", "--until", "120"]);
    let steps: Vec<u64> = last_step.lines().filter_map(step).collect();
    assert_eq!(steps, [120]);
    let file = folder.path().join("run");
    let replayed = printed(&["--replay", text(&file), "--until", "120"]);
    assert_eq!(last_step.replace("seed 10: ", ""), replayed);
}
