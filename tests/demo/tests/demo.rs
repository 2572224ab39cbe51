//! The demo itself, as `cargo xtask demo` starts it, with few samples of each pixel.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use quern_local_grid::{Record, find_program, stop_recorded};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// How long one demo may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// Pause between two looks at what is awaited.
const PAUSE: Duration = Duration::from_millis(20);

/// What a report holds, and nothing else.
const KEYS: [&str; 14] = [
    "tasks",
    "replicas",
    "settled_tasks",
    "batches",
    "escrow",
    "paid_workers",
    "network_share",
    "refunded",
    "liar_account",
    "liar_paid",
    "liar_faults_on_chain",
    "result_sha256",
    "reference_sha256",
    "seconds",
];

fn demo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quern-demo"));
    command
        .args(["--samples", "1", "--folder"])
        .arg(folder)
        .current_dir(repository())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap().to_owned()
}

/// The processes that name a folder among their arguments; none of a grid in it is without.
fn processes_in(folder: &Path) -> BTreeSet<String> {
    let name = folder.display().to_string();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        // A process may end while it is looked at.
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&name) {
            found.insert(line);
        }
    }
    found
}

fn amount(report: &Value, key: &str) -> u128 {
    let text = report[key].as_str().unwrap_or_default();
    text.parse()
        .unwrap_or_else(|_| panic!("`{key}` is no amount: {text}"))
}

fn check(report: &Value) {
    let keys: BTreeSet<_> = report
        .as_object()
        .unwrap()
        .keys()
        .map(|key| &**key)
        .collect();
    assert_eq!(keys, BTreeSet::from(KEYS));
    let number = |key: &str| report[key].as_u64().unwrap();
    assert!(number("tasks") >= 60, "{report}");
    assert_eq!(number("settled_tasks"), number("tasks"));
    assert!(number("replicas") >= 3 * number("tasks"), "{report}");
    assert!(number("batches") >= 1 && number("batches") <= number("tasks"));
    assert_eq!(
        amount(report, "paid_workers")
            + amount(report, "network_share")
            + amount(report, "refunded"),
        amount(report, "escrow")
    );
    assert!(amount(report, "paid_workers") > 0);
    assert_eq!(report["liar_paid"], "0");
    assert!(number("liar_faults_on_chain") > 0);
    assert!(report["liar_account"].as_str().unwrap().starts_with('5'));
    assert_eq!(report["result_sha256"], report["reference_sha256"]);
    assert_eq!(report["result_sha256"].as_str().unwrap().len(), 64);
    let seconds = report["seconds"].as_object().unwrap();
    let keys: Vec<_> = seconds.keys().map(String::as_str).collect();
    assert_eq!(keys, ["build", "grid_ready", "job", "settled"]);
    for key in ["grid_ready", "job", "settled"] {
        assert!(seconds[key].as_f64().unwrap() > 0.0, "{report}");
    }
}

#[tokio::test]
async fn a_demo_that_is_kept_reports_what_came_of_it_and_runs_until_it_is_taken_down() {
    let folder = tempfile::tempdir().unwrap();
    let demo_folder = folder.path().join("demo");
    let ran = demo(&demo_folder).arg("--keep").output();
    let ran = tokio::time::timeout(PATIENCE, ran).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{told}");
    assert!(demo_folder.join("quern.png").is_file(), "{told}");
    let report = fs::read(demo_folder.join("report.json")).unwrap();
    check(&serde_json::from_slice(&report).unwrap());
    // Long lines are broken at blanks.
    let words: Vec<_> = told.split_whitespace().collect();
    let unbroken = words.join(" ");
    for words in [
        "settlement",
        "quern verify",
        "gave another answer than the accepted one",
        "the receipt holds",
        "an equal share of each tile it agreed on",
        "worker 4 gave",
        "in existence",
        "waiting until the chain has paid every batch",
        "rendering the same picture in one process",
        "quern dev down",
    ] {
        assert!(
            unbroken.contains(words),
            "nothing is told of `{words}`:\n{told}"
        );
    }

    for line in told.lines().filter(|line| line.contains(" batch ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }

    let grid = demo_folder.join("grid");
    let record = Record::read(&grid).unwrap();
    assert_eq!(record.processes.len(), 6, "{record:?}");
    assert!(record.processes.iter().all(|process| process.is_running()));
    // As they are told, so they work, wherever they are typed.
    for words in ["  verify       ", "end it with  "] {
        let mut lines = told.lines();
        let command = lines.find_map(|line| line.split_once(words)).unwrap().1;
        let typed = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .output();
        let typed = tokio::time::timeout(PATIENCE, typed).await.unwrap();
        let typed = typed.unwrap();
        let said = String::from_utf8_lossy(&typed.stderr);
        assert!(typed.status.success(), "{command}: {said}");
    }
    assert_eq!(processes_in(folder.path()), BTreeSet::new());
    // Nothing is left to be stopped a second time.
    assert!(stop_recorded(&grid).await.is_err());
}

/// Reads what a program says until there are these words in it.
async fn until_told(running: &mut Child, words: &str) -> Lines<BufReader<ChildStdout>> {
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let told = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(words) {
                return;
            }
        }
        panic!("the program ended before it said `{words}`");
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    lines
}

/// Asks a program to stop, as a service manager does, and waits for its end.
async fn stopped(mut running: Child) -> Option<i32> {
    let id = i32::try_from(running.id().unwrap()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE, running.wait()).await;
    ended.unwrap().unwrap().code()
}

#[tokio::test]
async fn a_demo_that_is_told_to_stop_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = demo(&folder.path().join("demo")).spawn().unwrap();
    // Kept, so that the demo has somebody to talk to.
    let _lines = until_told(&mut running, "submitted").await;
    assert!(processes_in(folder.path()).len() >= 7);
    assert_eq!(stopped(running).await, Some(130));
    assert_eq!(processes_in(folder.path()), BTreeSet::new());
}

#[tokio::test]
async fn a_demo_that_is_told_to_stop_while_its_grid_starts_leaves_no_process_behind() {
    for step in ["starting the validator", "starting the masternode"] {
        let folder = tempfile::tempdir().unwrap();
        let mut running = demo(&folder.path().join("demo")).spawn().unwrap();
        let _lines = until_told(&mut running, step).await;
        assert_eq!(stopped(running).await, Some(130), "{step}");
        assert_eq!(processes_in(folder.path()), BTreeSet::new(), "{step}");
    }
}

#[tokio::test]
async fn a_grid_that_is_told_to_stop_while_it_starts_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let running = Command::new(find_program(None, "quern").unwrap())
        .args(["dev", "up", "--folder"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let node_runs = async {
        let is_node = |line: &String| line.contains("quern-node");
        while !processes_in(folder.path()).iter().any(is_node) {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, node_runs).await.unwrap();
    assert_eq!(stopped(running).await, Some(1));
    assert_eq!(processes_in(folder.path()), BTreeSet::new());
    assert!(Record::read(folder.path()).is_err());
}
