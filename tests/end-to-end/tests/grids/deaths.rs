//! What a job survives.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Owner, adds_up, run, say, small_picture};
use quern_jobs_api::JobStatus;
use quern_local_grid::OWNER;
use quern_primitives::{
    JobId,
    job::{JobEnd, JobState},
};

#[test]
fn a_job_survives_the_death_of_a_worker_the_masternode_and_the_node() {
    run(async {
        let mut bench = Bench::start(4).await?;
        let outcome = deaths(&mut bench).await;
        bench.conclude(outcome).await
    });
}

async fn deaths(bench: &mut Bench) -> anyhow::Result<()> {
    let deadline = bench.in_blocks(600).await?;
    let (draft, expected) = small_picture(bench.folder(), deadline)?;
    let before = bench.workers_money().await?;
    let folder = {
        let owner = Owner::new(bench, OWNER)?;
        let folder = owner.hand_in(&draft).await?;
        owner.upload(&folder).await?;
        folder
    };
    let job = folder.job();

    bench.decided(job, 2).await?;
    kill_a_worker_at_work(bench, job).await?;
    at_work(&bench.decided(job, 6).await?, "the masternode")?;
    let masternode = bench.grid.masternode.as_mut();
    let masternode = masternode.context("the grid has a masternode")?;
    masternode.kill().await;
    masternode.restart()?;
    at_work(&bench.decided(job, 10).await?, "the node")?;
    bench.grid.node.kill().await;
    bench.grid.node.restart()?;

    let closed = bench.closed(job).await?;
    let end = JobEnd::AllSettled;
    ensure!(
        closed.state == JobState::Completed { end },
        "{:?}",
        closed.state
    );
    let result = Owner::new(bench, OWNER)?.result(&folder).await?;
    ensure!(result == expected, "the picture is another one");
    adds_up(&closed.escrow)?;
    let after = bench.workers_money().await?;
    let paid: u128 = after
        .iter()
        .zip(&before)
        .map(|(after, before)| after - before)
        .sum();
    ensure!(
        paid == closed.escrow.paid,
        "workers got {paid}, the chain paid {}",
        closed.escrow.paid
    );
    bench.conserves_money().await
}

/// Says at what point a part is killed. Fails if the job is over, because then its death shows
/// nothing.
fn at_work(seen: &JobStatus, part: &str) -> anyhow::Result<()> {
    ensure!(
        seen.decided < seen.tasks,
        "the job is over before {part} could be killed at work"
    );
    say(&format!(
        "{part} is killed at {} of {} decided tasks",
        seen.decided, seen.tasks
    ));
    Ok(())
}

/// Kills a worker, and fails unless it had a task in hand.
async fn kill_a_worker_at_work(bench: &mut Bench, job: JobId) -> anyhow::Result<()> {
    let workers = u32::try_from(bench.grid.workers.len())?;
    loop {
        bench.when(job, |status| status.devices == workers).await?;
        bench.grid.workers[0].part.kill().await;
        // What a device holds stays its own until it is missed, which takes some seconds.
        let left = bench.when(job, |_| true).await?;
        bench.grid.workers[0].part.restart()?;
        at_work(&left, "a worker")?;
        if left.devices == workers {
            return Ok(());
        }
    }
}
