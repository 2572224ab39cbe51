//! `quern audit job` and `quern audit range` on the jobs that the other cases handed in: those hold, and what
//! is changed in a log is found.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, says};
use quern_joblog::{SignedBlock, file};
use quern_local_grid::OWNER;
use quern_owner::{Masternodes, fetch_log};
use quern_primitives::JobId;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Who handed in none of the jobs.
const STRANGER: &str = "//Eve";

pub(super) async fn audited(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    ranges(bench, &quern).await?;

    let job = settled(bench).await?;
    let name = job.to_string();
    let one = quern.does(&["audit", "job", &name]).await?;
    says(
        &one,
        &json!({ "job": name, "difference_count": 0, "holds": true }),
    )?;
    ensure!(one["batches"]["final"].as_u64() > Some(0), "{one}");

    let blocks = log_of(bench, job).await?;
    let log = file::write(&bench.chain.genesis(), &job, &blocks);
    let of_file = audit_of(bench, &quern, &name, "whole", &log).await?;
    says(&of_file.answer, &json!({ "holds": true }))?;
    ensure!(
        of_file.code == 0 && of_file.answer["logs"][0]["blocks"] == json!(blocks.len()),
        "{}",
        of_file.answer
    );

    // Not a bit of it can be turned over.
    let mut changed = log.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let of_changed = audit_of(bench, &quern, &name, "changed", &changed).await?;
    says(&of_changed.answer, &json!({ "holds": false }))?;
    ensure!(
        of_changed.code == 1 && of_changed.answer["differences"][0]["code"] == "log",
        "{}",
        of_changed.answer
    );

    // What the chain settled and the log leaves out is missed, and is too old to be disputed.
    let nothing = file::write(&bench.chain.genesis(), &job, &[]);
    let of_nothing = audit_of(bench, &quern, &name, "nothing", &nothing).await?;
    let first = &of_nothing.answer["differences"][0];
    says(
        first,
        &json!({ "code": "batch_not_in_log", "batch": 0, "disputable": false }),
    )?;
    ensure!(
        of_nothing.code == 1 && first["why_not"].as_str().is_some(),
        "{first}"
    );

    let file = bench.folder().join("whole.log").display().to_string();
    let unknown = JobId([0x5a; 32]).to_string();
    let words = ["could not be checked", "no job"];
    let arguments = ["audit", "job", &unknown, "--log", &file];
    quern.refuses(2, &words, &arguments).await?;
    let elsewhere = "5a".repeat(32);
    let arguments = ["audit", "job", &name, "--genesis", &elsewhere];
    quern.refuses(2, &words[..1], &arguments).await
}

/// All jobs are audited at once. Of those whose key and shards are here tasks are computed again; of each
/// other job it is said why none is, and a stranger is told so of all of them.
async fn ranges(bench: &Bench, owner: &Quern) -> anyhow::Result<()> {
    let whole = json!({
        "from": 1,
        "differing_count": 0,
        "differing": [],
        "unaudited_count": 0,
        "holds": true,
    });
    let count = |range: &Value, name: &str| range[name].as_u64().unwrap_or(0);

    let range = owner.does(&["audit", "range", "1.."]).await?;
    says(&range, &whole)?;
    let jobs = count(&range, "jobs");
    ensure!(
        jobs > 0 && count(&range, "batches") >= jobs && count(&range, "verdicts") > 0,
        "{range}"
    );
    let (again, missed) = (
        count(&range, "re_executed_count"),
        count(&range, "not_re_executed_count"),
    );
    ensure!(
        again > 0 && count(&range, "tasks_re_executed") >= again && again + missed >= jobs,
        "{range}"
    );

    let stranger = Quern::new(bench, STRANGER)?;
    let range = stranger
        .does(&["audit", "range", "1..", "--re-execute", "5%"])
        .await?;
    says(&range, &whole)?;
    says(
        &range,
        &json!({
            "tasks_re_executed": 0,
            "re_executed": [],
            "not_re_executed_count": range["jobs"],
        }),
    )?;
    let why = range["not_re_executed"][0]["why"].as_str();
    ensure!(
        why.is_some_and(|why| why.contains("its key is not here")),
        "{range}"
    );

    let none = ["audit", "range", "1..", "--re-execute", "0"];
    let range = owner.does(&none).await?;
    says(&range, &whole)?;
    says(
        &range,
        &json!({ "re_executes": false, "tasks_re_executed": 0, "not_re_executed": [] }),
    )
}

/// A job that is over and has a batch.
async fn settled(bench: &Bench) -> anyhow::Result<JobId> {
    let jobs = bench.chain.at_finalised().await?.snapshot().await?.jobs;
    let mut over = jobs
        .into_iter()
        .filter(|(_, job)| !job.open && job.next_batch > 0);
    let (job, _) = over.next().context("no job has a batch")?;
    Ok(job)
}

/// The whole log of a job, as its masternode gives it to anybody.
async fn log_of(bench: &Bench, job: JobId) -> anyhow::Result<Vec<SignedBlock>> {
    let masternodes = Masternodes::of(&bench.chain.at_finalised().await?).await?;
    let masternode = masternodes.reached.first().context("no masternode")?;
    let mut blocks = Vec::new();
    loop {
        let part = fetch_log(masternode.client(), job, blocks.len() as u64).await?;
        if part.blocks.is_empty() {
            ensure!(!blocks.is_empty(), "the log is empty");
            return Ok(blocks);
        }
        blocks.extend(part.blocks);
    }
}

/// Audits a job by a file with these bytes.
async fn audit_of(
    bench: &Bench,
    quern: &Quern,
    job: &str,
    name: &str,
    log: &[u8],
) -> anyhow::Result<quern_end_to_end::Ran> {
    let path: PathBuf = bench.folder().join(format!("{name}.log"));
    fs::write(&path, log)?;
    let path = path.display().to_string();
    let ran = quern.run(&["audit", "job", job, "--log", &path]).await?;
    ensure!(ran.answer["error"] == Value::Null, "{}", ran.answer);
    Ok(ran)
}
