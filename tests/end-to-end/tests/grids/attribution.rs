//! What devices get for being what they are: verified by the council, broken, fast or slow.
//!
//! Three of the workers are honest and begin no task while there is a file, so that what is looked at
//! lasts as long as it is looked at, on any machine.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, case, run, says, wasm};
use quern_local_grid::{GridWorker, OPERATOR, OWNER, find_program};
use quern_primitives::{
    Amount,
    device::{History, Record},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The workers, counted from zero: the one that the council verifies, the one that can open no input, the
/// one that has time, and the one that is slow.
const VERIFIED: usize = 0;
const BROKEN: usize = 1;
const FAST: usize = 2;
const SLOW: usize = 3;

/// Fuel of a task that is taken back from who has it only after two minutes, and of which two are expected
/// to take less than one also on a slow machine.
const LONG_FUEL: u64 = 60_000_000_000;

/// With what a task may use [`LONG_FUEL`] that the bond of one device covers.
const CHEAP: [&str; 2] = ["--level", "low"];

/// Fuel of a task that is soon overdue, and is taken back after more than a minute.
const SHORT_FUEL: u64 = 20_000_000_000;

/// What the jobs read, a line of four bytes for each task where it is cut.
const TEXT: &str = "one\ntwo\n";

/// The program of most jobs, and what it reads.
const COPYING: (&str, &str) = (wasm::COPIES, TEXT);

/// What the job reads of nine tasks, of which three pools are dealt three each.
const DEALT: &str = "1st\n2nd\n3rd\n4th\n5th\n6th\n7th\n8th\n9th\n";

/// Those that are left of them when two devices hold two each: more than a pool is dealt.
const LEFT_BY_TWO: u32 = 5;

/// Pause between two looks at something that takes its time.
const PAUSE: Duration = Duration::from_millis(300);

#[test]
fn what_a_device_is_decides_what_it_gets() {
    run(async {
        let folder = tempfile::tempdir()?;
        let own = folder.path();
        let workers = [
            honest(own, VERIFIED)?,
            acting(own, BROKEN, "--lie refuse")?,
            honest(own, FAST)?,
            honest(own, SLOW)?,
        ];
        let workers = Vec::from(workers.map(Some));
        let mut bench = Bench::start_as(|plan| plan.workers = workers).await?;
        let outcome = attribution(&mut bench, own).await;
        bench.conclude(outcome).await
    });
}

async fn attribution(bench: &mut Bench, own: &Path) -> anyhow::Result<()> {
    case("the council verifies a device", verified(bench)).await?;
    let name = "what is for verified devices no other gets";
    let theirs = case(name, for_the_verified(bench, own)).await?;
    let name =
        "what a device cannot open is kept for a verified one, which shows whose fault it was";
    case(name, attributed(bench, own, &theirs)).await?;
    let name = "what a slow device has a fast one computes too, and nobody is blamed";
    case(
        name,
        computed_twice(bench, own, [SLOW, FAST], SHORT_FUEL, None),
    )
    .await?;
    let name = "a program that fails on a verified device too ends its job, and nobody is blamed";
    case(name, failed_twice(bench)).await?;
    bench.conserves_money().await
}

/// The file for which a worker begins no task.
fn hold(folder: &Path, worker: usize) -> PathBuf {
    folder.join(format!("hold-{worker}"))
}

/// A program that is an honest worker, which begins no task while there is its file.
pub(super) fn honest(folder: &Path, worker: usize) -> anyhow::Result<PathBuf> {
    let manners = format!("--share 0 --hold {:?}", hold(folder, worker));
    acting(folder, worker, &manners)
}

/// A program that is a worker with these manners.
pub(super) fn acting(folder: &Path, worker: usize, manners: &str) -> anyhow::Result<PathBuf> {
    let program = find_program(None, "quern-lying-worker")?;
    let path = folder.join(format!("worker-{worker}"));
    fs::write(
        &path,
        format!("#!/bin/sh\nexec {program:?} \"$@\" {manners}\n"),
    )?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

fn worker(bench: &mut Bench, number: usize) -> anyhow::Result<&mut GridWorker> {
    let worker = bench.grid.workers.get_mut(number);
    worker.context("there is no such worker")
}

/// The name of a worker's device.
fn device(bench: &Bench, number: usize) -> anyhow::Result<String> {
    let worker = bench.grid.workers.get(number);
    Ok(worker
        .context("there is no such worker")?
        .device
        .to_string())
}

async fn leave(bench: &mut Bench, workers: &[usize]) -> anyhow::Result<()> {
    for number in workers {
        worker(bench, *number)?.part.stop().await;
    }
    Ok(())
}

/// Submits a job of one replica for each task, of a program and a text, and uploads it. Returns its name.
async fn submitted(
    bench: &Bench,
    name: &str,
    (program, text): (&str, &str),
    fuel: u64,
    more: &[&str],
) -> anyhow::Result<String> {
    let file = |ending: &str, bytes: &[u8]| -> anyhow::Result<String> {
        let path = bench.folder().join(format!("{name}.{ending}"));
        fs::write(&path, bytes)?;
        Ok(path.display().to_string())
    };
    let program = file("wasm", &wasm::assemble(program)?)?;
    let (input, fuel) = (file("txt", text.as_bytes())?, fuel.to_string());
    let submit = [
        "job",
        "submit",
        "--yes",
        "--anyway",
        "--single",
        "--fuel",
        &fuel,
        "--program",
        &program,
        "--input",
        &input,
    ];
    let quern = Quern::new(bench, OWNER)?;
    let answer = quern.does(&[&submit[..], more].concat()).await?;
    let job = answer["job"].as_str().context("the job has no name")?;
    Ok(job.to_owned())
}

/// Waits until a worker's device holds so many tasks.
async fn holds(bench: &Bench, number: usize, tasks: u32) -> anyhow::Result<()> {
    let (quern, device) = (Quern::new(bench, OWNER)?, device(bench, number)?);
    loop {
        let shown = quern.does(&["device", "show", &device]).await?;
        if shown["grid"]["in_hand"] == json!(tasks) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until a task of a job is told to stand so, and returns what is told. Fails if it is decided before.
async fn stands(
    bench: &Bench,
    job: &str,
    task: u32,
    wanted: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let (quern, task) = (Quern::new(bench, OWNER)?, task.to_string());
    loop {
        let told = quern.does(&["explain", "task", job, &task]).await?;
        if wanted(&told) {
            return Ok(told);
        }
        let stages = ["not_uploaded", "untouched", "open"];
        let is_undecided = stages.iter().any(|stage| told["stage"] == *stage);
        ensure!(is_undecided, "it is decided: {told}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the only replica of a job's first task is late, and fails unless it is as late as is said: one
/// that is looked at too rarely has gone on from delayed to stale.
async fn is_late_at_first(bench: &Bench, job: &str, lateness: &str) -> anyhow::Result<()> {
    let is_late = |told: &Value| {
        let lateness = told["replicas"][0]["lateness"].as_str();
        lateness.is_some_and(|lateness| lateness != "on_time")
    };
    let told = stands(bench, job, 0, is_late).await?;
    says(&told["replicas"][0], &json!({ "lateness": lateness }))
}

/// Waits until a job is over. Returns what its workers were paid.
async fn completed(bench: &Bench, job: &str) -> anyhow::Result<Amount> {
    let quern = Quern::new(bench, OWNER)?;
    let (code, told) = quern.tells(&["job", "watch", job]).await?;
    let end = told.last().context("nothing is told")?;
    ensure!(code == 0, "watching ended with {code}: {end}");
    says(end, &json!({ "end": "all_settled" }))?;
    // Results do not wait for it, but payment does.
    let over = quern.over(job).await?;
    let paid = over["escrow"]["paid"].as_str();
    Ok(paid.context("nothing was paid")?.parse()?)
}

/// What the chain remembers of a worker's device.
async fn record(bench: &Bench, number: usize) -> anyhow::Result<(Record, History)> {
    let worker = bench.grid.workers.get(number);
    let worker = worker.context("there is no such worker")?;
    let known = bench.device(worker.device).await?.device;
    Ok((known.record, known.history))
}

async fn verified(bench: &mut Bench) -> anyhow::Result<()> {
    let device = device(bench, VERIFIED)?;
    let quern = Quern::new(bench, OPERATOR)?;
    let verify = ["council", "propose", "verify-device", &device];
    says(&quern.does(&verify).await?, &json!({ "done": "made" }))?;
    let shown = quern.does(&["device", "show", &device]).await?;
    says(&shown, &json!({ "verified": true }))?;
    // One that went on would be looked up again within half a minute.
    leave(bench, &[VERIFIED]).await?;
    worker(bench, VERIFIED)?.part.restart()?;
    Ok(())
}

/// Returns the job, whose tasks the verified device holds.
async fn for_the_verified(bench: &Bench, own: &Path) -> anyhow::Result<String> {
    fs::write(hold(own, VERIFIED), "")?;
    let two_tasks = ["--trusted", "--split", "lines", "--shard-size", "4"];
    let two_tasks = [&two_tasks[..], &CHEAP[..]].concat();
    let job = submitted(bench, "theirs", COPYING, LONG_FUEL, &two_tasks).await?;
    holds(bench, VERIFIED, 2).await?;
    let quern = Quern::new(bench, OWNER)?;
    let shown = quern.does(&["job", "show", &job]).await?;
    let only = json!({ "tasks": 2, "running": 2, "devices": 1 });
    says(&shown["at_coordinator"], &only)?;
    let explained = quern.does(&["explain", "job", &job]).await?;
    says(&explained, &json!({ "target_devices": 1 }))?;
    Ok(job)
}

/// The verified device has its hands full, and the broken one is alone beside it, until it has given the
/// task back. Then one comes that has time.
async fn attributed(bench: &mut Bench, own: &Path, theirs: &str) -> anyhow::Result<()> {
    leave(bench, &[FAST, SLOW]).await?;
    let one_task = [&["--split", "none"][..], &CHEAP[..]].concat();
    let job = submitted(bench, "doubted", COPYING, LONG_FUEL, &one_task).await?;
    let is_given_back = |told: &Value| {
        let replica = &told["replicas"][0];
        told["stage"] == "open" && replica["stage"] == "open"
    };
    stands(bench, &job, 0, is_given_back).await?;
    worker(bench, FAST)?.part.restart()?;
    let fast = device(bench, FAST)?;
    let is_kept_from_the_fast = |told: &Value| {
        let reasons = told["reasons"].as_array().into_iter().flatten();
        let mut kept = reasons.filter(|reason| reason["rule"] == "kept_for_trusted");
        let is_named = |reason: &Value| {
            let named = reason["device_ids"].as_array();
            named.is_some_and(|named| named.contains(&json!(fast)))
        };
        kept.any(is_named)
    };
    stands(bench, &job, 0, is_kept_from_the_fast).await?;
    fs::remove_file(hold(own, VERIFIED))?;

    for job in [theirs, &job] {
        completed(bench, job).await?;
    }
    let of_none = (Record::default(), History::default());
    let (of_verified, _) = record(bench, VERIFIED).await?;
    ensure!(
        (of_verified.accepted, of_verified.failed) == (3, 0),
        "the verified device did something else: {of_verified:?}"
    );
    let (of_broken, history) = record(bench, BROKEN).await?;
    ensure!(
        (of_broken.accepted, of_broken.failed) == (0, 1) && history.faulty_tasks() == 1,
        "the broken device is not found at fault: {of_broken:?}"
    );
    let of_fast = record(bench, FAST).await?;
    ensure!(of_fast == of_none, "something else came of it: {of_fast:?}");
    Ok(())
}

/// One is alone when the program fails on it. Then the verified one comes, on which it fails too: that is as
/// many as it takes, and not because one of them is verified.
async fn failed_twice(bench: &mut Bench) -> anyhow::Result<()> {
    leave(bench, &[SLOW]).await?;
    let two_tasks = ["--split", "lines", "--shard-size", "4"];
    let failing = (wasm::TRAPS_ON_T, TEXT);
    let before = [record(bench, FAST).await?, record(bench, VERIFIED).await?];
    let job = submitted(bench, "failing", failing, SHORT_FUEL, &two_tasks).await?;
    let has_failed_once = |told: &Value| {
        let stage = |replica: usize| told["replicas"][replica]["stage"].as_str();
        (stage(0), stage(1)) == (Some("answered"), Some("open"))
    };
    stands(bench, &job, 1, has_failed_once).await?;
    worker(bench, VERIFIED)?.part.restart()?;
    let quern = Quern::new(bench, OWNER)?;
    let (_, told) = quern.tells(&["job", "watch", &job]).await?;
    let end = told.last().context("nothing is told")?;
    ensure!(
        end["end"]["program_failed"]["task"] == 1,
        "it ended otherwise: {end}"
    );
    quern.over(&job).await?;
    let after = [record(bench, FAST).await?, record(bench, VERIFIED).await?];
    let blame = |(record, history): &(Record, History)| {
        let found = (record.failed, record.delayed, record.incorrect);
        (found, history.faulty_tasks())
    };
    ensure!(
        after.each_ref().map(blame) == before.each_ref().map(blame),
        "somebody is blamed: {after:?}, and {before:?} before"
    );
    Ok(())
}

/// A task that one of two workers holds the other one computes as well, and nobody else is there. The first is
/// slow, and does not begin it; a task may use so much fuel. Where it is said how late the first is to be at
/// first, the other one comes when it is. Returns what is told of the task while both have it.
pub(super) async fn computed_twice(
    bench: &mut Bench,
    own: &Path,
    [slow, fast]: [usize; 2],
    fuel: u64,
    at_first: Option<&str>,
) -> anyhow::Result<Value> {
    let all: Vec<usize> = (0..bench.grid.workers.len()).collect();
    leave(bench, &all).await?;
    for number in [slow, fast] {
        fs::write(hold(own, number), "")?;
    }
    worker(bench, slow)?.part.restart()?;
    // With pools a device that has left counts as one for a while, and another may be in the lowest, which
    // has no part in a job of another level.
    let one_task = ["--split", "none", "--level", "high"];
    let job = submitted(bench, "slow", COPYING, fuel, &one_task).await?;
    holds(bench, slow, 1).await?;
    if let Some(lateness) = at_first {
        is_late_at_first(bench, &job, lateness).await?;
    }
    let (before, of_slow) = (bench.workers_money().await?, record(bench, slow).await?);
    let (of_fast, _) = record(bench, fast).await?;
    worker(bench, fast)?.part.restart()?;
    let both = BTreeSet::from([device(bench, slow)?, device(bench, fast)?]);
    let is_with_both = |told: &Value| {
        let replicas = told["replicas"].as_array().into_iter().flatten();
        let running = replicas.filter(|replica| replica["stage"] == "running");
        let devices = running.filter_map(|replica| replica["device"].as_str());
        devices.map(str::to_owned).collect::<BTreeSet<_>>() == both
    };
    let told = stands(bench, &job, 0, is_with_both).await?;
    fs::remove_file(hold(own, fast))?;

    let paid = completed(bench, &job).await?;
    let after = bench.workers_money().await?;
    let mut expected = before;
    *expected.get_mut(fast).context("there is no fast one")? += paid;
    ensure!(
        after == expected && paid > 0,
        "others were paid: {after:?}, not {expected:?}"
    );
    let (now, _) = record(bench, fast).await?;
    ensure!(
        now.accepted == of_fast.accepted + 1,
        "it did not answer: {now:?}, and {of_fast:?} before"
    );
    let now = record(bench, slow).await?;
    ensure!(
        now == of_slow,
        "the slow one is blamed: {now:?}, and {of_slow:?} before"
    );
    let faulty = of_slow.1.faulty_tasks();
    let slow = device(bench, slow)?;
    let shown = Quern::new(bench, OWNER)?
        .does(&["device", "show", &slow])
        .await?;
    says(
        &shown["grid"],
        &json!({ "connected": true, "faulty_tasks": faulty }),
    )?;
    Ok(told)
}

/// On a grid of three pools with a device each, those of the lower two hold what they take. So the third of
/// them finds nothing more in its own queue, and computes what the others were dealt.
///
/// It is the one that stands first, and takes from the pools below it. Should another have passed it since it
/// was looked at, it gets all of that too, but only when nobody finds anything in turn any more. So this shows
/// that queues are not all that their devices get; that who stands higher inherits at once, the tests of the
/// queues show.
pub(super) async fn taken_beyond_its_pool(
    bench: &Bench,
    own: &Path,
    fuel: u64,
) -> anyhow::Result<()> {
    let devices = Quern::new(bench, OWNER)?.does(&["grid", "devices"]).await?;
    let workers = &bench.grid.workers;
    let is_first = |worker: &GridWorker| devices[0]["device"] == worker.device.to_string();
    let first = workers.iter().position(is_first);
    let first = first.context("no worker has the first device")?;
    let lower = || (0..workers.len()).filter(|number| *number != first);
    for number in lower() {
        fs::write(hold(own, number), "")?;
    }
    let (before, _) = record(bench, first).await?;
    let tasks = ["--split", "lines", "--shard-size", "4", "--level", "high"];
    let job = submitted(bench, "dealt", (wasm::COPIES, DEALT), fuel, &tasks).await?;
    bench.decided(job.parse()?, LEFT_BY_TWO).await?;
    for number in lower() {
        fs::remove_file(hold(own, number))?;
    }
    completed(bench, &job).await?;
    let (after, _) = record(bench, first).await?;
    let computed = after.accepted - before.accepted;
    ensure!(
        computed >= u64::from(LEFT_BY_TWO),
        "it computed no more than it was dealt: {after:?}, and {before:?} before"
    );
    Ok(())
}
