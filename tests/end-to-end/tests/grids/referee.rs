//! What two devices differ on the masternode computes, and the owner gets what comes out.

use super::attribution::acting;
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Owner, case, run, terms, wasm};
use quern_local_grid::OWNER;
use quern_owner::{Draft, Input};
use quern_primitives::{
    device::Record,
    job::{Agreement, Job, JobEnd, JobState},
};
use quern_shards::{cut::Split, manifest::Assembly};
use std::fs;

/// The workers, counted from zero: one that is honest, and two of which each tells lies of its own.
const HONEST: usize = 0;
const LIAR: usize = 1;
const OTHER_LIAR: usize = 2;

/// Bytes of a task's input: a line.
const LINE_BYTES: u32 = 4;

#[test]
fn what_two_devices_differ_on_the_masternode_computes() {
    run(async {
        let folder = tempfile::tempdir()?;
        let own = folder.path();
        let workers = [
            acting(own, HONEST, "--share 0")?,
            acting(own, LIAR, "--lie random --seed 1")?,
            acting(own, OTHER_LIAR, "--lie random --seed 2")?,
        ];
        let workers = Vec::from(workers.map(Some));
        let mut bench = Bench::start_as(|plan| plan.workers = workers).await?;
        let outcome = referee(&mut bench).await;
        bench.conclude(outcome).await
    });
}

async fn referee(bench: &mut Bench) -> anyhow::Result<()> {
    leave(bench, OTHER_LIAR).await?;
    case("one honest device is enough", one_is_right(bench)).await?;
    leave(bench, HONEST).await?;
    restart(bench, OTHER_LIAR)?;
    let name = "where no device is right the owner has the right result and pays nobody";
    case(name, nobody_is_right(bench)).await?;
    bench.conserves_money().await
}

async fn leave(bench: &mut Bench, number: usize) -> anyhow::Result<()> {
    let worker = bench.grid.workers.get_mut(number);
    worker.context("there is no such worker")?.part.stop().await;
    Ok(())
}

fn restart(bench: &mut Bench, number: usize) -> anyhow::Result<()> {
    let worker = bench.grid.workers.get_mut(number);
    worker.context("there is no such worker")?.part.restart()?;
    Ok(())
}

/// What the chain remembers of a worker's device.
pub(super) async fn record(bench: &Bench, number: usize) -> anyhow::Result<Record> {
    let worker = bench.grid.workers.get(number);
    let worker = worker.context("there is no such worker")?;
    Ok(bench.device(worker.device).await?.device.record)
}

/// A job that copies these lines, a task for each, and on which two must agree. Fails unless all of it is
/// settled and its result is what was read. Returns the job as it ended.
pub(super) async fn copied(bench: &Bench, name: &str, lines: &str) -> anyhow::Result<Job> {
    let path = bench.folder().join(name);
    fs::write(&path, lines)?;
    let mut terms = terms(bench.in_blocks(900).await?);
    terms.agreement = Agreement::Unanimous;
    terms.fuel_per_task_max = 300_000_000;
    let draft = Draft {
        // A task takes a while, so that no two devices are through with all before the others are asked.
        program: wasm::assemble(&wasm::counts_and_copies(30_000_000))?,
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
    let owner = Owner::new(bench, OWNER)?;
    let folder = owner.hand_in(&draft).await?;
    owner.upload(&folder).await?;
    let closed = bench.closed(folder.job()).await?;
    let end = JobEnd::AllSettled;
    ensure!(
        closed.state == JobState::Completed { end },
        "{:?}",
        closed.state
    );
    let result = owner.result(&folder).await?;
    ensure!(
        result == lines.as_bytes(),
        "the result is another: {result:?}"
    );
    Ok(closed)
}

async fn one_is_right(bench: &Bench) -> anyhow::Result<()> {
    let closed = copied(bench, "two-lines", "one\ntwo\n").await?;
    ensure!(closed.escrow.paid > 0, "nobody was paid");
    let (honest, liar) = (record(bench, HONEST).await?, record(bench, LIAR).await?);
    ensure!(
        (honest.accepted, honest.incorrect) == (2, 0),
        "the honest one is not found right: {honest:?}"
    );
    ensure!(
        (liar.accepted, liar.incorrect) == (0, 2),
        "the liar is not found wrong: {liar:?}"
    );
    Ok(())
}

async fn nobody_is_right(bench: &Bench) -> anyhow::Result<()> {
    let closed = copied(bench, "one-line", "yes\n").await?;
    let escrow = closed.escrow;
    ensure!(
        escrow.paid == 0 && escrow.refunded == escrow.deposited,
        "somebody was paid: {escrow:?}"
    );
    let [one, other] = [record(bench, LIAR).await?, record(bench, OTHER_LIAR).await?];
    ensure!(
        (one.incorrect, other.incorrect) == (3, 1),
        "not both are found wrong: {one:?} {other:?}"
    );
    Ok(())
}
