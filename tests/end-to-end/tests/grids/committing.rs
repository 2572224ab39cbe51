//! Devices that commit themselves to one answer and reveal another, or to what another one did: what they
//! answer counts for nothing, and the owner gets what is right.

use super::{
    attribution::acting,
    claims::nothing_is_claimed,
    referee::{copied, record},
};
use anyhow::ensure;
use quern_end_to_end::{Bench, case, run};

/// The workers, counted from zero: two that are honest, one that is two-faced, and two of which the second
/// to have a task copies from the first.
const HONEST: [usize; 2] = [0, 1];
const TWO_FACED: usize = 2;
const COPYING: [usize; 2] = [3, 4];

#[test]
fn what_does_not_open_its_commitment_counts_for_nothing() {
    run(async {
        let folder = tempfile::tempdir()?;
        let own = folder.path();
        let copies = format!("--lie copy --shared {}", own.display());
        let workers = [
            acting(own, HONEST[0], "--share 0")?,
            acting(own, HONEST[1], "--share 0")?,
            acting(own, TWO_FACED, "--lie two-faced")?,
            acting(own, COPYING[0], &copies)?,
            acting(own, COPYING[1], &copies)?,
        ];
        let workers = Vec::from(workers.map(Some));
        let bench = Bench::start_as(|plan| plan.workers = workers).await?;
        let outcome = committing(&bench).await;
        bench.conclude(outcome).await
    });
}

async fn committing(bench: &Bench) -> anyhow::Result<()> {
    let name = "what does not open its commitment is paid nothing, and the result is right";
    case(name, opened(bench)).await?;
    let name = "no worker claims anything of a masternode that settles all that it acknowledged";
    case(name, nothing_is_claimed(bench)).await?;
    bench.conserves_money().await
}

async fn opened(bench: &Bench) -> anyhow::Result<()> {
    let lines: String = (100..140).map(|line| format!("{line}\n")).collect();
    let closed = copied(bench, "lines", &lines).await?;
    ensure!(closed.escrow.paid > 0, "nobody was paid");
    for honest in HONEST {
        let record = record(bench, honest).await?;
        let faults = record.failed + record.incorrect + record.delayed;
        ensure!(faults == 0, "an honest device is blamed: {record:?}");
    }
    let two_faced = record(bench, TWO_FACED).await?;
    ensure!(
        two_faced.failed > 0 && two_faced.accepted == 0,
        "it is not found out: {two_faced:?}"
    );
    for copying in COPYING {
        let record = record(bench, copying).await?;
        ensure!(record.incorrect == 0, "its answers are right: {record:?}");
    }
    Ok(())
}
