//! Who says that a masternode keeps a verdict to itself. The masternode shows it by itself, and who said so loses
//! its bond; one that is down while it is asked has lost its own when the time is over, and when it is back it
//! ends the dispute.

use super::lying::{Before, TASKS, WINDOW, batch, settled, struck};
use anyhow::{Context as _, ensure};
use quern_dispute_rules::{
    Evidence,
    evidence::{BatchName, Withheld},
    open::{ConvictionView, DisputeView},
    ruling::{Offence, Place},
};
use quern_end_to_end::{Bench, Quern, case, run, says};
use quern_ledger::Call;
use quern_local_grid::{OPERATOR, Part, development_account};
use quern_primitives::{BlockNumber, JobId, TaskIndex, batch::BatchState, job::Agreement};
use serde_json::json;
use std::time::Duration;

/// Who asks: no worker of the grid, and nobody's owner.
const ASKER: &str = "//Eve";

/// How long an answer may take, in blocks of two seconds.
const ANSWER_TIME: &str = "30";

/// Pause between two looks at something that takes its time.
const PAUSE: Duration = Duration::from_millis(300);

#[test]
fn a_masternode_that_is_asked_for_a_verdict_shows_it_and_one_that_is_down_loses_its_bond() {
    run(async {
        let mut bench = Bench::start_as(|plan| plan.settle_wait_seconds = 1).await?;
        let name = "a masternode is asked for verdicts";
        let outcome = case(name, asked(&mut bench)).await;
        bench.conclude(outcome).await
    });
}

async fn asked(bench: &mut Bench) -> anyhow::Result<()> {
    let council = Quern::new(bench, OPERATOR)?;
    for (parameter, value) in [("window", WINDOW), ("answer-time", ANSWER_TIME)] {
        let set = ["council", "propose", "set-parameter", parameter, value];
        says(&council.does(&set).await?, &json!({ "done": "made" }))?;
    }
    let (job, _) = settled(bench, Agreement::Single).await?;
    let record = batch(bench, job).await?.context("there is no batch")?;
    ensure!(record.tasks == TASKS, "it is settled in parts: {record:?}");

    // It has the verdict, and nobody does anything but the masternode.
    let before = Before::of(bench, ASKER).await?;
    ask_for(bench, job, 0).await?;
    ends(bench).await?;
    before.lost(bench).await?;
    let record = batch(bench, job).await?.context("there is no batch")?;
    ensure!(
        matches!(record.state, BatchState::Pending { .. }),
        "the batch does not stand: {record:?}"
    );
    ensure!(
        convictions(bench, job).await?.is_empty(),
        "nobody is guilty"
    );

    // Now it is not there until the time is over.
    let before = Before::of(bench, ASKER).await?;
    masternode(bench)?.kill().await;
    ask_for(bench, job, 1).await?;
    let disputes = open(bench).await?;
    let until = disputes
        .first()
        .context("no dispute is open")?
        .dispute
        .until;
    while clock(bench).await? <= until {
        ensure!(open(bench).await? == disputes, "somebody answered");
        tokio::time::sleep(PAUSE).await;
    }
    masternode(bench)?.restart()?;
    ends(bench).await?;
    before.convicted(bench).await?;
    let found = ConvictionView {
        place: Place::Batch(0),
        offence: Offence::Silence,
    };
    ensure!(
        convictions(bench, job).await? == [found],
        "of what is it guilty?"
    );
    struck(bench, job).await?;
    bench.conserves_money().await
}

/// Says to the chain that the masternode does not show its verdict on a task.
async fn ask_for(bench: &Bench, job: JobId, task: TaskIndex) -> anyhow::Result<()> {
    let evidence = Evidence::Withheld {
        batch: BatchName { job, sequence: 0 },
        what: Withheld::Verdict { task },
    };
    let asker = development_account(ASKER)?;
    let call = Call::Dispute(Box::new(evidence));
    bench.chain.submit(&asker, &call).await?;
    Ok(())
}

/// The open disputes.
async fn open(bench: &Bench) -> anyhow::Result<Vec<DisputeView>> {
    Ok(bench.chain.at_finalised().await?.disputes(None).await?)
}

/// Waits until no dispute is open.
async fn ends(bench: &Bench) -> anyhow::Result<()> {
    while !open(bench).await?.is_empty() {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// What was proved of a job.
async fn convictions(bench: &Bench, job: JobId) -> anyhow::Result<Vec<ConvictionView>> {
    Ok(bench.chain.at_finalised().await?.convictions(job).await?)
}

/// The height by which the time for answers is measured.
async fn clock(bench: &Bench) -> anyhow::Result<BlockNumber> {
    Ok(bench.chain.at_finalised().await?.finality().await?.clock)
}

fn masternode(bench: &mut Bench) -> anyhow::Result<&mut Part> {
    let masternode = bench.grid.masternode.as_mut();
    masternode.context("the grid has a masternode")
}
