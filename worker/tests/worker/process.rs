//! The shipped program as a process: its exit codes, signals, and what survives a kill.

use crate::office::{Device, Office, id};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use quern_protocol::Unavailable;
use quern_worker::{
    availability::{self, Weekday},
    device::DeviceSecrets,
};
use std::{
    path::Path,
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs for more than a second, so that its report is worth keeping, and writes nothing.
const LONG: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_start") (local $i i64)
        (loop $more
            (local.set $i (i64.add (local.get $i) (i64.const 1)))
            (br_if $more (i64.lt_u (local.get $i) (i64.const 4000000000))))))"#;

const SHORT: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

fn program(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quern-worker"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .kill_on_drop(true);
    command
}

fn run(folder: &TempDir, arguments: &[&str]) -> Child {
    command(folder.path(), arguments)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn output(folder: &TempDir, arguments: &[&str]) -> (bool, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command(folder.path(), arguments).output().await.unwrap();
    (
        status.success(),
        String::from_utf8([stdout, stderr].concat()).unwrap(),
    )
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill(Pid::from_raw(id), signal).unwrap();
}

async fn ended(office: &mut Office, mut child: Child) -> ExitStatus {
    office.during(child.wait()).await.unwrap()
}

/// Serves until the worker's log says this.
async fn told(office: &mut Office, log: &mut Lines<BufReader<ChildStderr>>, words: &str) {
    let said = async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains(words) {
                return;
            }
        }
        panic!("the worker ended");
    };
    let in_time = office.during(tokio::time::timeout(PATIENCE, said)).await;
    assert!(in_time.is_ok(), "waited in vain for {words:?}");
}

/// A day some days from now, so that it is another one whenever the test ends, and the setting by
/// which the machine may be used on that day alone.
fn another_day() -> (String, String) {
    let today = availability::now().week_minute().weekday();
    let day = Weekday::ALL[(today as usize + 3) % 7].to_string();
    let hours = format!("hours = [{:?}]\n", day[..3].to_lowercase());
    (day, hours)
}

async fn prepared() -> (TempDir, Office) {
    let folder = tempfile::tempdir().unwrap();
    let (made, told) = output(&folder, &["init"]).await;
    assert!(made, "{told}");
    let secrets = DeviceSecrets::load(&folder.path().join("device.key")).unwrap();
    let device = Device {
        id: secrets.id(),
        sealing_key: secrets.sealing_key(),
    };
    let office = Office::open(device).await;
    std::fs::write(folder.path().join("worker.toml"), office.settings()).unwrap();
    (folder, office)
}

#[tokio::test]
async fn the_key_is_shown_as_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let (made, told) = output(&folder, &["init", "--config", "mine.toml"]).await;
    assert!(made && told.contains("quern device register"), "{told}");
    let (shown, key) = output(&folder, &["show-key", "--config", "mine.toml"]).await;
    let secrets = DeviceSecrets::load(&folder.path().join("device.key")).unwrap();
    assert!(shown && key.contains(&secrets.id().to_string()), "{key}");
    assert!(key.contains(&secrets.sealing_key().to_string()), "{key}");
    assert!(told.contains(&secrets.id().to_string()));
}

#[tokio::test]
async fn without_settings_it_says_how_to_make_them() {
    let folder = tempfile::tempdir().unwrap();
    let (ran, told) = output(&folder, &["run"]).await;
    assert!(!ran && told.contains("quern-worker init"), "{told}");
}

#[tokio::test]
async fn once_ends_well_when_one_task_is_acknowledged() {
    let (folder, mut office) = prepared().await;
    office.add(1, &program(SHORT), b"");
    let child = run(&folder, &["run", "--once", "--json"]);
    assert!(ended(&mut office, child).await.success());
    assert!(office.acknowledged.contains(&id(1)));
}

#[tokio::test]
async fn sigterm_ends_it_well_with_nothing_left_in_hand() {
    let (folder, mut office) = prepared().await;
    office.add(1, &program(LONG), b"");
    office.add(2, &program(LONG), b"");
    let child = run(&folder, &["run"]);
    office
        .until("the first task running", |office| {
            office.running == Some(id(1))
        })
        .await;
    signal(&child, Signal::SIGTERM);
    assert!(ended(&mut office, child).await.success());
    assert_eq!(office.in_hand.len(), 0);
    assert_eq!((office.acknowledged.len(), office.hand_backs.len()), (1, 1));
}

#[tokio::test]
async fn a_killed_worker_opens_what_it_committed_itself_to_when_it_is_started_again() {
    let (folder, mut office) = prepared().await;
    (office.commits, office.asks) = (true, false);
    office.add(1, &program(SHORT), b"");
    let child = run(&folder, &["run"]);
    office
        .until("the commitment", |office| !office.commitments.is_empty())
        .await;
    signal(&child, Signal::SIGKILL);
    assert!(!ended(&mut office, child).await.success());

    office.asks = true;
    let child = run(&folder, &["run"]);
    office
        .until("the acknowledgement", |office| {
            office.acknowledged.contains(&id(1))
        })
        .await;
    assert_eq!(office.hellos.last().unwrap().in_hand, [id(1)]);
    assert_eq!(office.commitments.first(), office.commitments.last());
    let (_, report) = office.reports.first().unwrap();
    let opened = report.receipt.payload.commitment();
    assert_eq!(opened, office.commitments[0].payload.commitment);
    signal(&child, Signal::SIGINT);
    assert!(ended(&mut office, child).await.success());
}

#[tokio::test]
async fn a_killed_worker_reports_what_it_had_finished_when_it_is_started_again() {
    let (folder, mut office) = prepared().await;
    office.acknowledges = false;
    office.add(1, &program(LONG), b"");
    let child = run(&folder, &["run"]);
    office
        .until("the report", |office| !office.reports.is_empty())
        .await;
    signal(&child, Signal::SIGKILL);
    assert!(!ended(&mut office, child).await.success());

    office.acknowledges = true;
    let child = run(&folder, &["run"]);
    office
        .until("the acknowledgement", |office| {
            office.acknowledged.contains(&id(1))
        })
        .await;
    assert_eq!(office.hellos.last().unwrap().in_hand, [id(1)]);
    assert_eq!(office.reports.first(), office.reports.last());
    signal(&child, Signal::SIGINT);
    assert!(ended(&mut office, child).await.success());
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_a_task_starts_clean() {
    let (folder, mut office) = prepared().await;
    office.add(1, &program(LONG), b"");
    let child = run(&folder, &["run"]);
    office
        .until("the task running", |office| office.running == Some(id(1)))
        .await;
    signal(&child, Signal::SIGKILL);
    ended(&mut office, child).await;

    office.add(2, &program(SHORT), b"");
    let child = run(&folder, &["run", "--once"]);
    assert!(ended(&mut office, child).await.success());
    assert_eq!(office.hellos.last().unwrap().in_hand, []);
    assert!(office.acknowledged.contains(&id(2)));
}

#[tokio::test]
async fn a_worker_outside_its_hours_asks_for_nothing_and_says_why() {
    let (folder, mut office) = prepared().await;
    let (other_day, hours) = another_day();
    let settings = office.settings() + &hours;
    std::fs::write(folder.path().join("worker.toml"), settings).unwrap();
    office.add(1, &program(SHORT), b"");
    let child = command(folder.path(), &["run"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    office
        .until("signs of life", |office| office.wants.len() >= 3)
        .await;
    assert!(office.wants.iter().all(|want| *want == 0));
    assert_eq!(office.in_hand.len(), 0);
    let told = &office.states[0].unavailable;
    assert_eq!(*told, [Unavailable::OutsideHours]);

    signal(&child, Signal::SIGTERM);
    let ended = office.during(child.wait_with_output()).await.unwrap();
    assert!(ended.status.success());
    let log = String::from_utf8(ended.stderr).unwrap();
    let reason = format!("outside `availability.hours`, which begin again on {other_day}");
    assert!(log.contains(&format!("withheld: {reason}")), "{log}");
}

#[tokio::test]
async fn a_worker_without_terminal_and_display_knows_when_somebody_used_the_machine() {
    // Where interrupts are not to be seen, nothing tells of a keyboard, and this shows nothing.
    let interrupts = std::fs::read("/proc/interrupts");
    assert!(
        interrupts.is_ok(),
        "/proc/interrupts cannot be read, so it cannot be tried here: {:?}",
        interrupts.err()
    );
    let (folder, mut office) = prepared().await;
    let settings = office.settings() + "only_when_idle = {}\n";
    std::fs::write(folder.path().join("worker.toml"), settings).unwrap();
    // As a service has it: a session of its own, in which `setsid` gives its process to the worker.
    let child = Command::new("setsid")
        .args([env!("CARGO_BIN_EXE_quern-worker"), "run"])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    office
        .until("signs of life", |office| office.wants.len() >= 3)
        .await;
    assert!(office.wants.iter().all(|want| *want == 0));
    let told = &office.states[0].unavailable;
    assert_eq!(*told, [Unavailable::InUse]);

    signal(&child, Signal::SIGTERM);
    let ended = office.during(child.wait_with_output()).await.unwrap();
    assert!(ended.status.success());
    let log = String::from_utf8(ended.stderr).unwrap();
    // Its start counts as use, so for ten minutes this is what it says, whatever the machine does.
    assert!(
        log.contains("withheld: somebody used the machine "),
        "{log}"
    );
    assert!(
        !log.contains("whether somebody uses the machine is not known"),
        "{log}"
    );
}

#[tokio::test]
async fn preferences_that_change_are_followed_and_what_is_of_no_use_changes_nothing() {
    let (folder, mut office) = prepared().await;
    let (_, hours) = another_day();
    let settings = office.settings();
    let mut child = command(folder.path(), &["run"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let write = |text: &str| std::fs::write(folder.path().join("worker.toml"), text).unwrap();
    office
        .until("the wish for work", |office| office.wants.contains(&2))
        .await;

    write(&format!("{settings}{hours}"));
    signal(&child, Signal::SIGHUP);
    told(
        &mut office,
        &mut log,
        "withheld: outside `availability.hours`",
    )
    .await;

    let broken = format!("{settings}cpu_percent = \"much\"\n");
    write(&broken);
    signal(&child, Signal::SIGHUP);
    let line = broken.lines().count();
    let stays = format!("the preferences stay as they were: line {line} of ");
    told(&mut office, &mut log, &stays).await;

    let other = settings.replace("stop_grace_s = 20", "stop_grace_s = 10");
    assert_ne!(other, settings);
    write(&other);
    signal(&child, Signal::SIGHUP);
    let waits = "a change of `stop_grace_s` is followed when the worker is started again";
    told(&mut office, &mut log, waits).await;
    told(&mut office, &mut log, "available again").await;
    office
        .until("what masternodes hear", |office| {
            let mut heard = office.states.iter().map(|state| &state.unavailable);
            let is_over = heard.next_back().is_some_and(Vec::is_empty);
            is_over && heard.any(|reasons| *reasons == [Unavailable::OutsideHours])
        })
        .await;

    signal(&child, Signal::SIGTERM);
    assert!(ended(&mut office, child).await.success());
}

#[tokio::test]
async fn a_worker_whose_terminal_closes_goes_on() {
    let (folder, mut office) = prepared().await;
    let mut child = command(folder.path(), &["run"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    office
        .until("the wish for work", |office| office.wants.contains(&2))
        .await;
    // From now on nothing of its log can be written.
    drop(child.stderr.take());
    signal(&child, Signal::SIGHUP);
    office.add(1, &program(SHORT), b"");
    office
        .until("the acknowledgement", |office| {
            office.acknowledged.contains(&id(1))
        })
        .await;
    signal(&child, Signal::SIGTERM);
    assert!(ended(&mut office, child).await.success());
}
