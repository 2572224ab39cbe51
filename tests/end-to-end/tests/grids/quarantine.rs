//! A device that gives wrong answers is in quarantine, and its account has it reviewed once a week.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Owner, Quern, case, refused, run, says, terms, wasm};
use quern_ledger::Call;
use quern_local_grid::{OWNER, WORKERS, find_program};
use quern_owner::{Draft, Input, JobFolder};
use quern_primitives::{
    JobId,
    device::History,
    job::{JobEnd, JobState},
    limits::REVIEW_PERIOD_BLOCKS,
    view::DeviceView,
};
use quern_shards::{cut::Split, manifest::Assembly};
use serde_json::{Value, json};
use std::fs;

/// The worker that lies, counted from zero; those before it are honest.
const LIAR: usize = 2;

/// The owner of the second job.
const SECOND_OWNER: &str = "//Alice//stash";

/// Tasks of a job. The liar is wrong at each, and in quarantine after eleven.
const TASKS: u32 = 12;

/// Bytes of a task's input: a line.
const LINE_BYTES: u32 = 4;

#[test]
fn a_device_that_lies_gets_nothing_until_its_account_has_it_reviewed() {
    run(async {
        let liar = find_program(None, "quern-lying-worker")?;
        let mut bench = Bench::start_as(|plan| plan.workers = vec![None, None, Some(liar)]).await?;
        let outcome = quarantine(&mut bench).await;
        bench.conclude(outcome).await
    });
}

async fn quarantine(bench: &mut Bench) -> anyhow::Result<()> {
    honest_leave(bench).await;
    let jobs = tokio::try_join!(hand_in(bench, OWNER), hand_in(bench, SECOND_OWNER));
    let (first, second) = jobs?;
    case("its lies are found out", found_out(bench, &first)).await?;
    let kept = kept_from_work(bench, &second);
    case("in quarantine it gets nothing and is told why", kept).await?;
    let name = "its account has it reviewed, and nobody else";
    case(name, reviewed(bench)).await?;
    let works = works_again(bench, &second);
    case("after the review it gets work, and lies again", works).await?;
    let name = "a second review within the week is refused";
    case(name, reviewed_lately(bench)).await?;
    bench.conserves_money().await
}

/// A task is judged when all have answered. While the liar is alone it answers every task before it
/// can be judged for the first, so that it is not made to wait after three faults in a row.
async fn honest_leave(bench: &mut Bench) {
    for worker in bench.grid.workers.iter_mut().take(LIAR) {
        worker.part.stop().await;
    }
}

fn honest_return(bench: &mut Bench) -> anyhow::Result<()> {
    for worker in bench.grid.workers.iter_mut().take(LIAR) {
        worker.part.restart()?;
    }
    Ok(())
}

/// The liar's device as the chain knows it.
async fn liar(bench: &Bench) -> anyhow::Result<DeviceView> {
    let worker = bench.grid.workers.get(LIAR).context("there is no liar")?;
    bench.device(worker.device).await
}

/// `quern` as the liar's account types it.
fn quern(bench: &Bench) -> anyhow::Result<Quern> {
    Quern::new(bench, WORKERS[LIAR])
}

/// The input of a job, and its result.
fn lines() -> String {
    (0..TASKS).map(|line| format!("{line:03}\n")).collect()
}

/// A job of a task for each line, on the chain and not uploaded.
async fn hand_in(bench: &Bench, account: &str) -> anyhow::Result<JobFolder> {
    let path = bench
        .folder()
        .join(format!("lines-{}", account.replace('/', "_")));
    fs::write(&path, lines())?;
    let mut terms = terms(bench.in_blocks(900).await?);
    terms.fuel_per_task_max = 300_000_000;
    let draft = Draft {
        program: wasm::assemble(wasm::COPIES)?,
        input: Input::File {
            path,
            split: Split::Lines,
            shard_bytes: LINE_BYTES,
        },
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms,
    };
    Owner::new(bench, account)?.hand_in(&draft).await
}

/// Waits for the liar's answers to a job, then for those of the others, and for the job's end. Fails
/// unless the liar was found wrong at every task, of this job and of those before, and is in
/// quarantine for it.
async fn judged(bench: &mut Bench, job: JobId, jobs: u32) -> anyhow::Result<()> {
    bench.when(job, |status| status.replicas >= TASKS).await?;
    honest_return(bench)?;
    let closed = bench.closed(job).await?;
    let end = JobEnd::AllSettled;
    ensure!(
        closed.state == JobState::Completed { end },
        "{:?}",
        closed.state
    );
    let view = liar(bench).await?;
    let (record, history) = (&view.device.record, &view.device.history);
    ensure!(
        record.incorrect == u64::from(jobs * TASKS) && record.accepted == 0,
        "its lies are not found out: {record:?}"
    );
    ensure!(
        view.quarantined && !view.may_work() && history.faulty_tasks() == TASKS,
        "it is not in quarantine: {view:?}"
    );
    Ok(())
}

async fn found_out(bench: &mut Bench, folder: &JobFolder) -> anyhow::Result<()> {
    Owner::new(bench, OWNER)?.upload(folder).await?;
    judged(bench, folder.job(), 1).await?;
    let result = Owner::new(bench, OWNER)?.result(folder).await?;
    ensure!(result == lines().as_bytes(), "a lie is in the result");
    Ok(())
}

async fn kept_from_work(bench: &mut Bench, folder: &JobFolder) -> anyhow::Result<()> {
    honest_leave(bench).await;
    let coordinator = Owner::new(bench, SECOND_OWNER)?.upload(folder).await?;
    let (quern, device) = (quern(bench)?, liar(bench).await?.id.to_string());
    let is_why = |reason: &Value| reason["rule"] == "repeated_failures";
    let says_why = |explained: &Value| {
        let mut reasons = explained["reasons"].as_array().into_iter().flatten();
        reasons.any(is_why)
    };

    let shown = quern.does(&["device", "show", &device]).await?;
    says(&shown, &json!({ "id": device, "quarantined": true }))?;
    let record = &shown["device"]["record"];
    says(record, &json!({ "incorrect": TASKS, "accepted": 0 }))?;
    says(&shown["grid"], &json!({ "connected": true, "in_hand": 0 }))?;
    let flag = shown["grid"]["flags"][0].as_str().unwrap_or_default();
    ensure!(
        flag.contains("ask for a review"),
        "no flag says so: {shown}"
    );

    let explained = quern.does(&["explain", "device", &device]).await?;
    ensure!(says_why(&explained), "it is not told why: {explained}");
    let job = folder.job().to_string();
    let explained = quern.does(&["explain", "task", &job, "0"]).await?;
    ensure!(says_why(&explained), "the job is not told: {explained}");
    let status = coordinator.status().await?;
    ensure!(
        (status.tasks, status.waiting, status.replicas) == (TASKS, TASKS, 0),
        "it got something: {status:?}"
    );
    Ok(())
}

async fn reviewed(bench: &Bench) -> anyhow::Result<()> {
    let (quern, device) = (quern(bench)?, liar(bench).await?.id);
    let name = device.to_string();
    let review = ["device", "review", &name];
    let stranger = Quern::new(bench, OWNER)?;
    stranger
        .refuses(1, &["the device belongs to", "--account"], &review)
        .await?;
    let call = Call::ReviewDevice(device);
    let theirs = Owner::new(bench, OWNER)?.call(&call).await;
    refused(theirs, "Workforce.NotDeviceOwner")?;

    let answer = quern.does(&review).await?;
    says(&answer, &json!({ "device": name, "forgotten": TASKS }))?;
    let block = answer["block"].as_u64().context("no block")?;
    let again = block + u64::from(REVIEW_PERIOD_BLOCKS);
    says(&answer, &json!({ "reviewable_from": again }))?;
    let view = liar(bench).await?;
    ensure!(
        !view.quarantined && view.may_work() && view.device.history == History::default(),
        "the review did not help: {view:?}"
    );
    let incorrect = view.device.record.incorrect;
    ensure!(
        incorrect == u64::from(TASKS),
        "its record is gone: {view:?}"
    );

    quern
        .refuses(1, &["not in quarantine", "0 had a fault"], &review)
        .await?;
    let own = Owner::new(bench, WORKERS[LIAR])?.call(&call).await;
    refused(own, "Workforce.NotQuarantined")
}

async fn works_again(bench: &mut Bench, folder: &JobFolder) -> anyhow::Result<()> {
    // Who has mended a machine starts its worker. One that went on would be looked up again within
    // half a minute.
    let worker = bench.grid.workers.get_mut(LIAR);
    let part = &mut worker.context("there is no liar")?.part;
    part.stop().await;
    part.restart()?;
    judged(bench, folder.job(), 2).await
}

async fn reviewed_lately(bench: &Bench) -> anyhow::Result<()> {
    let device = liar(bench).await?.id;
    let name = device.to_string();
    let words = ["was reviewed in block", "once a week", "the council may"];
    quern(bench)?
        .refuses(1, &words, &["device", "review", &name])
        .await?;
    let owner = Owner::new(bench, WORKERS[LIAR])?;
    let call = Call::ReviewDevice(device);
    refused(owner.call(&call).await, "Workforce.ReviewedLately")?;
    let view = liar(bench).await?;
    ensure!(view.quarantined, "it is out of quarantine: {view:?}");
    Ok(())
}
