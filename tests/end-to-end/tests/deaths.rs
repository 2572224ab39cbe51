//! What a job survives.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Owner, adds_up, run, say, small_picture};
use quern_local_grid::OWNER;
use quern_primitives::job::{JobEnd, JobState};

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

    let seen = bench.decided(job, 2).await?;
    say(&format!(
        "  the worker is killed at {} decided tasks",
        seen.decided
    ));
    bench.grid.workers[0].part.kill().await;
    bench.grid.workers[0].part.restart()?;
    let seen = bench.decided(job, 6).await?;
    say(&format!(
        "  the masternode is killed at {} decided tasks",
        seen.decided
    ));
    let masternode = bench.grid.masternode.as_mut();
    let masternode = masternode.context("the grid has a masternode")?;
    masternode.kill().await;
    masternode.restart()?;
    let seen = bench.decided(job, 10).await?;
    say(&format!(
        "  the node is killed at {} decided tasks",
        seen.decided
    ));
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
