//! The real programs are killed at random while jobs flow: nothing is paid twice, nothing that was
//! acknowledged is lost, and every job ends with the right result.
//!
//! A part is ended as `kill -9` does and started again at once, whatever the others do at that moment: the
//! validator may be down when the masternode starts, and the masternode when a worker does. Which part is
//! next, and how much happens before, follows from a seed, which the test tells and `QUERN_KILLS_SEED`
//! takes again. What the parts do meanwhile does not follow from it.
//!
//! A process that is killed leaves to the system whatever it wrote. That is not what is left when a machine
//! loses its power.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, DEADLINE, Dice, Quern, case, run_within, say, says};
use quern_ledger::Chain;
use quern_local_grid::{OPERATOR, Part, WORKERS_MAX, find_program};
use serde_json::json;
use std::{
    cell::Cell,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use watch::Watch;

mod flow;
mod insisting;
mod settled;
mod watch;

/// How often the test kills that belongs to every change.
const KILLS_OF_A_CHANGE: u64 = 10;

/// How often the long one does, unless [`COUNT`] says otherwise.
const KILLS_OF_A_NIGHT: u64 = 100;

/// The variable that says how often the long test kills.
const COUNT: &str = "QUERN_KILLS";

/// The variable with the seed by which it is decided who is killed when.
const SEED: &str = "QUERN_KILLS_SEED";

/// The owners, each with a job at a time that is not decided.
const OWNERS: [&str; 2] = ["//Ferdie", "//Alice//stash"];

/// Of so many kills three are the validator's, three the masternode's, and the rest workers'.
const DEALT: usize = 10;

/// Events between two kills, at most: acknowledged tasks and finalised blocks.
const EVENTS_MAX: u64 = 6;

/// Looks from the last of them to the kill, at most, so that it may come at any moment between two.
const LOOKS_MAX: u64 = 6;

/// How long a kill may take in the long test, with what is waited for before it. It takes three seconds.
const KILL_PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn ten_kills_at_random_lose_nothing_and_pay_nothing_twice() {
    killed(Ok(KILLS_OF_A_CHANGE));
}

#[test]
#[ignore = "a hundred kills take some minutes; `cargo xtask test --nightly` runs them"]
fn a_hundred_kills_at_random_lose_nothing_and_pay_nothing_twice() {
    killed(number(COUNT).map(|kills| kills.unwrap_or(KILLS_OF_A_NIGHT)));
}

fn killed(kills: anyhow::Result<u64>) {
    let most = kills.as_ref().copied().unwrap_or_default();
    let most = KILL_PATIENCE.saturating_mul(u32::try_from(most).unwrap_or(u32::MAX));
    run_within(DEADLINE.saturating_add(most), async {
        let (kills, seed) = (kills?, number(SEED)?.map_or_else(clock, Ok)?);
        say(&format!("{kills} kills; again with {SEED}={seed}"));
        let folder = tempfile::tempdir()?;
        let workers = (0..WORKERS_MAX).map(|number| telling(folder.path(), number).map(Some));
        let workers: Vec<_> = workers.collect::<anyhow::Result<_>>()?;
        let mut bench = Bench::start_as(|plan| {
            plan.workers = workers;
            plan.settle_wait_seconds = 1;
        })
        .await?;
        let outcome = flowing(&mut bench, kills, seed).await;
        let outcome = outcome.with_context(|| format!("again with {SEED}={seed}"));
        bench.conclude(outcome).await
    });
}

/// The number that a variable holds, if it is set.
fn number(variable: &str) -> anyhow::Result<Option<u64>> {
    let Some(text) = std::env::var_os(variable) else {
        return Ok(None);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number
        .map(Some)
        .with_context(|| format!("{variable} is no number; leave it out, or give one"))
}

/// A seed, if none is given.
fn clock() -> anyhow::Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(since.as_micros() as u64)
}

/// A program that is the shipped worker, and says which tasks were acknowledged.
fn telling(folder: &Path, worker: usize) -> anyhow::Result<PathBuf> {
    let program = find_program(None, "quern-worker")?;
    let path = folder.join(format!("worker-{worker}"));
    // It becomes the worker, so that whoever kills it kills that.
    let filter = "warn,quern_worker=info,quern_worker::shell::notices=debug";
    fs::write(
        &path,
        format!("#!/bin/sh\nexec env RUST_LOG={filter} {program:?} \"$@\" --json\n"),
    )?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Whom to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Node,
    Masternode,
    /// The worker of this number, counted from zero.
    Worker(usize),
}

impl Victim {
    fn part(self, bench: &mut Bench) -> anyhow::Result<&mut Part> {
        let grid = &mut bench.grid;
        match self {
            Self::Node => Ok(&mut grid.node),
            Self::Masternode => grid.masternode.as_mut().context("there is no masternode"),
            Self::Worker(number) => {
                let worker = grid.workers.get_mut(number);
                Ok(&mut worker.context("there is no such worker")?.part)
            }
        }
    }
}

/// Whom to kill next, for ever: of each ten as many of a kind, in any order.
struct Victims {
    dice: Dice,
    dealt: Vec<Victim>,
}

impl Victims {
    fn next_one(&mut self) -> Victim {
        if self.dealt.is_empty() {
            let dice = &mut self.dice;
            let mut deal = |place| match place {
                0..3 => Victim::Node,
                3..6 => Victim::Masternode,
                _ => Victim::Worker(dice.below(WORKERS_MAX as u64) as usize),
            };
            let mut dealt: Vec<_> = (0..DEALT).map(&mut deal).collect();
            dice.shuffle(&mut dealt);
            self.dealt = dealt;
        }
        self.dealt.pop().unwrap_or(Victim::Node)
    }
}

async fn flowing(bench: &mut Bench, kills: u64, seed: u64) -> anyhow::Result<()> {
    let before = bench.workers_money().await?;
    let mut watch = Watch::new(bench);
    let (chain, folder) = (bench.chain.clone(), bench.folder().to_owned());
    let is_over = Cell::new(false);
    let owners = OWNERS.map(|account| flow::Owner::new(account, &chain, &folder, seed));
    let [one, other] = owners;
    let (one, other) = (one?, other?);
    let killing = async {
        let dice = Dice::new(seed);
        let done = kill(bench, &mut watch, kills, dice).await;
        is_over.set(true);
        done
    };
    // All in one task, which lends the grid to nobody but who kills.
    let (jobs, others, ()) = tokio::try_join!(one.flow(&is_over), other.flow(&is_over), killing)?;
    let jobs = [jobs, others].concat();
    say(&format!(
        "{kills} kills, {} jobs, {}",
        jobs.len(),
        watch.told()
    ));

    let name = "every job ends, with the right result";
    case(name, flow::all_end(&chain, &jobs)).await?;
    // The last word of each worker is written by now: its tasks were settled long ago.
    watch.look().await?;
    let settled = settled::of_all(&chain, &jobs);
    let settled = case("every verdict is settled once, as its proof says", settled).await?;
    let name = "no acknowledged task is missing from the batches";
    case(name, async { settled.has_all(bench, &watch.acknowledged) }).await?;
    let name = "each worker's account has what the verdicts say, and no more";
    case(name, settled.paid_exactly(bench, &before)).await?;
    case("nobody honest is blamed", blameless(bench)).await?;
    case("the ledger is played again", played_again(bench)).await?;
    bench.conserves_money().await
}

/// Kills so often, and starts again.
async fn kill(
    bench: &mut Bench,
    watch: &mut Watch,
    kills: u64,
    mut dice: Dice,
) -> anyhow::Result<()> {
    let mut victims = Victims {
        dice: Dice::new(dice.next_number()),
        dealt: Vec::new(),
    };
    for number in 1..=kills {
        let victim = victims.next_one();
        let (events, looks) = (1 + dice.below(EVENTS_MAX), dice.below(LOOKS_MAX + 1));
        let after = async {
            watch.until_back(victim).await?;
            watch.until_more(events).await?;
            watch.looks(looks).await
        };
        let after = after.await;
        let name = format!("kill {number} of {kills}, of {victim:?}");
        goes_on(bench).with_context(|| name.clone())?;
        after.with_context(|| name.clone())?;
        victim.part(bench)?.kill().await;
        watch.killed(victim)?;
        victim.part(bench)?.restart()?;
    }
    for victim in everybody() {
        let back = watch.until_back(victim).await;
        goes_on(bench)?;
        back?;
    }
    Ok(())
}

/// All parts of the grid.
fn everybody() -> impl Iterator<Item = Victim> {
    let workers = (0..WORKERS_MAX).map(Victim::Worker);
    [Victim::Node, Victim::Masternode]
        .into_iter()
        .chain(workers)
}

/// Fails if a part has ended by itself: each survives whatever happens to the others.
fn goes_on(bench: &mut Bench) -> anyhow::Result<()> {
    for victim in everybody() {
        victim.part(bench)?.goes_on()?;
    }
    Ok(())
}

/// Fails if a device is found wrong or failing. None of them is, and killing them makes none so.
async fn blameless(bench: &Bench) -> anyhow::Result<()> {
    for worker in &bench.grid.workers {
        let record = bench.device(worker.device).await?.device.record;
        ensure!(
            record.incorrect == 0 && record.failed == 0,
            "{} is found at fault: {record:?}",
            worker.part.name()
        );
    }
    Ok(())
}

/// Fails unless `quern audit totals` finds every unit of the whole chain, and no task settled twice.
async fn played_again(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OPERATOR)?;
    let audited = quern.does(&["audit", "totals"]).await?;
    says(
        &audited,
        &json!({ "from": 1, "conserved": true, "difference_count": 0, "open_jobs": 0 }),
    )
}

/// Fails unless the money of the last finalised block adds up. None if the validator does not answer.
async fn money_adds_up(chain: &Chain) -> anyhow::Result<Option<()>> {
    let Ok(state) = chain.at_finalised().await else {
        return Ok(None);
    };
    let Ok(totals) = state.totals().await else {
        return Ok(None);
    };
    ensure!(
        totals.conserves_money(),
        "money appeared or vanished: {totals:?}"
    );
    Ok(Some(()))
}
