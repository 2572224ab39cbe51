//! What a job costs beside its work: from before it is submitted until a finalised block says that
//! it is settled, for a job of one task, less the time that task runs.

use crate::{
    report::{Row, say, title},
    world::{World, nothing},
};
use anyhow::ensure;
use quern_owner::Coordinator;
use quern_sandbox::{Cancel, Class, Engine, Exit, Invocation, Limits};
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "job_overhead_s";

/// Submission, draw of the coordinator, settlement: no two of them fit into one block.
const BLOCKS: f64 = 3.0;
const BLOCK_SECONDS: f64 = 2.0;

pub(crate) async fn measure(world: &World, quick: bool) -> anyhow::Result<Row> {
    title("A job of one task, from submission to its settlement in a finalised block");
    let run = tokio::task::spawn_blocking(run_time).await??;
    let mut seconds = Vec::new();
    for round in 1..=if quick { 1 } else { 5 } {
        let folder = world.nothing(1).await?;
        let start = Instant::now();
        world.submit(&folder).await?;
        let submitted = start.elapsed();
        let coordinator = Coordinator::of(&world.chain, folder.job()).await?;
        let drawn = start.elapsed();
        coordinator.upload(&folder, |_| {}).await?;
        let uploaded = start.elapsed();
        world.settled(folder.job()).await?;
        let closed = start.elapsed();
        say(&format!(
            "round {round}: submitted after {:.2} s, coordinator drawn {:.2} s, uploaded {:.2} s, settled and finalised {:.2} s; the task runs {} µs",
            submitted.as_secs_f64(),
            drawn.as_secs_f64(),
            uploaded.as_secs_f64(),
            closed.as_secs_f64(),
            run.as_micros(),
        ));
        seconds.push(closed.saturating_sub(run).as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    Ok(Row::new(
        NAME,
        (median, "s"),
        (
            "three 2-second blocks: submission, draw, settlement",
            BLOCKS * BLOCK_SECONDS,
        ),
    ))
}

/// How long the task's program runs in the sandbox, once it is compiled.
fn run_time() -> anyhow::Result<Duration> {
    let program = Engine::new(Class::Pinned)?.compile(&nothing()?)?;
    let invocation = Invocation::new(Vec::new(), [0; 32]);
    let start = Instant::now();
    let outcome = program.run(&invocation, &Limits::default(), &Cancel::new())?;
    let took = start.elapsed();
    ensure!(outcome.exit == Exit::Success, "the program failed");
    Ok(took)
}
