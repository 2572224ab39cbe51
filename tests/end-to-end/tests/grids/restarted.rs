//! A grid of one machine that is ended, and started again in its folder.

use anyhow::ensure;
use quern_end_to_end::run;
use quern_jobs_api::JobsApiClient as _;
use quern_local_grid::{LocalGrid, Plan};
use quern_owner::Masternode;

const WORKERS: usize = 2;

#[test]
fn a_grid_that_is_started_again_says_where_its_masternode_is_now_and_has_its_workers() {
    run(async {
        let folder = tempfile::tempdir()?;
        let mut plan = Plan::new(folder.path().join("grid"));
        plan.workers = vec![None; WORKERS];
        let first = LocalGrid::start(&plan, |_| {}).await?;
        first.stop().await;
        // The chain still tells where the masternode was then.
        let again = LocalGrid::start(&plan, |_| {}).await?;
        let outcome = has_its_workers(&again).await;
        again.stop().await;
        outcome
    });
}

async fn has_its_workers(grid: &LocalGrid) -> anyhow::Result<()> {
    let masternode = Masternode::connect(grid.jobs_api()).await?;
    let connected = masternode.client().about().await?.devices;
    ensure!(
        connected as usize == WORKERS && !grid.lacks_workers(),
        "{connected} devices are connected"
    );
    Ok(())
}
