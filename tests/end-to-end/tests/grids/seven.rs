//! Three of ten devices mean harm, in up to seven ways, where all must agree, as is usual: every result is
//! right, none of them is paid for what it did, and each gets nothing any more within as many tasks as the
//! rules say.

use super::{
    attribution::acting,
    referee::{copied, record},
};
use anyhow::{Context as _, bail, ensure};
use quern_end_to_end::{Bench, Quern, case, run};
use quern_grid::faults::out::tasks_until_waiting;
use quern_local_grid::OWNER;
use quern_masternode::core::unjudged_max;
use quern_primitives::{Amount, device::Record};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Tasks of a job: about two replicas for each device of the larger grid. No two tasks of all jobs read the
/// same, so that an old answer is never right again.
const TASKS: usize = 48;

/// Jobs after which it is over, whoever is not out: a line has three digits.
const JOBS_MAX: usize = 1_000 / TASKS;

/// Rules that keep a device from everything after faults.
const OUT: [&str; 2] = ["waiting_after_faults", "repeated_failures"];

/// How long a device pauses at the most that gave a task back or failed on it, in seconds: one that pauses for
/// longer let others do three of its tasks in a row.
const PAUSE_S_MAX: u64 = 5 * 60;

/// The chance that is left that a device is not out when the model says so. Each of these is at fault with
/// every task once it has begun, so it is none.
const DOUBT: f64 = 1e-9;

/// A way to mean harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Random,
    Lazy,
    Copying,
    Selective,
    Late,
    Silent,
    TwoFaced,
}

impl Way {
    const ALL: [Self; 7] = [
        Self::Random,
        Self::Lazy,
        Self::Copying,
        Self::Selective,
        Self::Late,
        Self::Silent,
        Self::TwoFaced,
    ];

    /// As the arguments of a lying worker, of which those that copy find there what others tell.
    fn manners(self, told: &Path) -> String {
        match self {
            Self::Random => "--lie random --seed 11".to_owned(),
            Self::Lazy => "--lie lazy".to_owned(),
            Self::Copying => format!("--lie copy --patience 10 --shared {}", told.display()),
            Self::Selective => format!("--lie random --seed 12 --after {}", self.honest_tasks()),
            Self::Late => "--lie late".to_owned(),
            Self::Silent => "--lie silent".to_owned(),
            Self::TwoFaced => "--lie two-faced".to_owned(),
        }
    }

    /// Tasks of which it gives the right answer before it begins.
    fn honest_tasks(self) -> u32 {
        match self {
            // It gives this one again and again.
            Self::Lazy => 1,
            Self::Selective => 3,
            Self::Random | Self::Copying | Self::Late | Self::Silent | Self::TwoFaced => 0,
        }
    }

    /// The faults of this kind on a record.
    fn faults(self, record: &Record) -> u64 {
        match self {
            Self::Random | Self::Lazy | Self::Selective => record.incorrect,
            Self::Copying | Self::TwoFaced => record.failed,
            Self::Late | Self::Silent => record.delayed,
        }
    }

    /// Whether a verdict names it with each of its tasks. Whoever is silent is named only where others did not
    /// do the task before it was taken for silent, as they mostly do near a job's end. What it was silent with
    /// otherwise puts it out as well.
    fn is_always_named(self) -> bool {
        !matches!(self, Self::Late | Self::Silent)
    }

    /// How many tasks it may have been given before it was out: those of which the verdicts put it out, but
    /// for the last, and as many as it may have without a verdict.
    fn tasks_max(self) -> anyhow::Result<u64> {
        let until_out = tasks_until_waiting(1.0, DOUBT).context("no number can be named")?;
        let unjudged = unjudged_max(self.honest_tasks() as usize) as u64;
        Ok(u64::from(self.honest_tasks()) + u64::from(until_out) - 1 + unjudged)
    }
}

/// A device that means harm: the number of its worker, counted from zero, and how.
type Harm = (usize, Way);

#[test]
fn who_is_lazy_or_silent_or_answers_at_random_is_out_soon_and_no_result_is_wrong() {
    harmed(5, &[Way::Lazy, Way::Random, Way::Silent]);
}

#[test]
#[ignore = "more than twenty workers take minutes; `cargo xtask test --nightly` runs it"]
fn with_three_of_ten_hostile_in_seven_ways_no_result_is_wrong_and_each_is_out() {
    harmed(16, &Way::ALL);
}

/// Holds a grid of so many honest workers, and one for each of these ways.
fn harmed(honest: usize, ways: &[Way]) {
    run(async {
        let folder = tempfile::tempdir()?;
        let own = folder.path();
        let told = own.join("told");
        fs::create_dir(&told)?;
        let workers = workers(own, &told, honest, ways)?;
        let bench = Bench::start_as(|plan| plan.workers = workers).await?;
        let harm: Vec<Harm> = (honest..).zip(ways.iter().copied()).collect();
        let outcome = seven(&bench, honest, &harm).await;
        bench.conclude(outcome).await
    });
}

/// The programs of the workers. Where somebody copies, the honest ones let everybody know what they commit
/// themselves to, as if the network did not keep it.
fn workers(
    own: &Path,
    told: &Path,
    honest: usize,
    ways: &[Way],
) -> anyhow::Result<Vec<Option<PathBuf>>> {
    let open = format!("--share 0 --publish --shared {}", told.display());
    let mut workers = Vec::new();
    for number in 0..honest {
        let program = match ways.contains(&Way::Copying) {
            true => Some(acting(own, number, &open)?),
            false => None,
        };
        workers.push(program);
    }
    for (number, way) in (honest..).zip(ways) {
        workers.push(Some(acting(own, number, &way.manners(told))?));
    }
    Ok(workers)
}

async fn seven(bench: &Bench, honest: usize, harm: &[Harm]) -> anyhow::Result<()> {
    let before = bench.workers_money().await?;
    let name = "every result is right until all that mean harm are out";
    let jobs = case(name, put_out(bench, harm)).await?;
    let name = "each was out within its number of tasks, and paid nothing for them";
    case(name, found_out(bench, harm, &before)).await?;
    let name = "whoever is out gets nothing of the next job";
    case(name, kept_out(bench, harm, jobs)).await?;
    let name = "nobody honest is blamed";
    case(name, unblamed(bench, honest)).await?;
    bench.conserves_money().await
}

/// The lines of a job, which no other has.
fn lines(job: usize) -> String {
    let first = job * TASKS;
    (first..first + TASKS)
        .map(|line| format!("{line:03}\n"))
        .collect()
}

/// Has one job after the other computed until everybody who means harm is out. Fails if a result is not what
/// was read. Returns how many jobs that took.
async fn put_out(bench: &Bench, harm: &[Harm]) -> anyhow::Result<usize> {
    let mut waiting = harm.to_vec();
    for job in 0..JOBS_MAX - 1 {
        copied(bench, &format!("job-{job}"), &lines(job)).await?;
        let mut still = Vec::new();
        for (number, way) in waiting {
            if !is_out(bench, number).await? {
                still.push((number, way));
            }
        }
        waiting = still;
        if waiting.is_empty() {
            return Ok(job + 1);
        }
    }
    bail!("these are not out: {waiting:?}")
}

/// Whether the masternode tells a device that it gets nothing because of its faults, or because others had to
/// do what it took.
async fn is_out(bench: &Bench, number: usize) -> anyhow::Result<bool> {
    let worker = bench.grid.workers.get(number);
    let device = worker.context("there is no such worker")?.device;
    let quern = Quern::new(bench, OWNER)?;
    let told = quern
        .does(&["explain", "device", &device.to_string()])
        .await?;
    let reasons = told["reasons"].as_array().into_iter().flatten();
    let mut rules = reasons.filter_map(|reason| reason["rule"].as_str());
    let steps = told["next"].as_array().into_iter().flatten();
    let mut pauses = steps.filter(|step| step["step"] == "pause_ends");
    let is_long = |pause: &Value| pause["in_s"].as_u64().is_some_and(|s| s > PAUSE_S_MAX);
    Ok(rules.any(|rule| OUT.contains(&rule)) || pauses.any(is_long))
}

async fn found_out(bench: &Bench, harm: &[Harm], before: &[Amount]) -> anyhow::Result<()> {
    let after = bench.workers_money().await?;
    let money = |number: usize| before.get(number).zip(after.get(number));
    for (number, way) in harm {
        let record = record(bench, *number).await?;
        let (faults, honest) = (way.faults(&record), u64::from(way.honest_tasks()));
        let judged = record.accepted + record.incorrect + record.failed + record.delayed;
        ensure!(
            record.accepted <= honest && faults + record.accepted == judged,
            "{way:?} is found to be something else: {record:?}"
        );
        let (least, most) = (tasks_until_waiting(1.0, DOUBT), way.tasks_max()?);
        let is_enough = least.is_some_and(|least| faults >= u64::from(least));
        ensure!(
            (is_enough || !way.is_always_named()) && judged <= most,
            "{way:?} was not out within {most} tasks: {record:?}"
        );
        let (before, after) = money(*number).context("there is no such worker")?;
        ensure!(
            (after == before) == (record.accepted == 0) && after >= before,
            "{way:?} had {before} and has {after}: {record:?}"
        );
    }
    Ok(())
}

async fn kept_out(bench: &Bench, harm: &[Harm], jobs: usize) -> anyhow::Result<()> {
    let mut before = Vec::new();
    for (number, way) in harm {
        // Ten minutes are over for whoever was out first, on a machine that is busy enough.
        if is_out(bench, *number).await? {
            before.push((*number, *way, record(bench, *number).await?));
        }
    }
    ensure!(!before.is_empty(), "nobody is out any more");
    copied(bench, "the-last", &lines(jobs)).await?;
    for (number, way, before) in before {
        if is_out(bench, number).await? {
            let after = record(bench, number).await?;
            ensure!(
                after == before,
                "{way:?} got something: {after:?}, and {before:?} before"
            );
        }
    }
    Ok(())
}

async fn unblamed(bench: &Bench, honest: usize) -> anyhow::Result<()> {
    for number in 0..honest {
        let record = record(bench, number).await?;
        ensure!(
            (record.incorrect, record.failed) == (0, 0),
            "an honest device is blamed: {record:?}"
        );
    }
    Ok(())
}
