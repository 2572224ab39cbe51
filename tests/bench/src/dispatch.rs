//! How many tasks a second go through the grid: given, run, reported with a signed receipt, judged,
//! written down, settled.

use crate::{
    bare,
    report::{Bar, Row, say, title},
    settling::BATCH_PER_BLOCK,
    usage::{self, Usage},
    world::{World, look},
};
use anyhow::Context as _;
use quern_owner::Coordinator;
use std::time::{Duration, Instant};

pub(crate) const DISPATCH: &str = "dispatch_noop_tasks_per_s";
pub(crate) const BARE: &str = "dispatch_vs_bare_tasks_per_s";
pub(crate) const SETTLED: &str = "dispatch_settled_tasks_per_s";
pub(crate) const NAMES: [&str; 3] = [DISPATCH, BARE, SETTLED];

/// Tasks a second at the least.
const DISPATCH_MIN: f64 = 3_000.0;

/// The least part of what one thread signs, checks and logs: a little less than was ever measured, 0.26.
const BARE_RATIO_MIN: f64 = 0.25;

/// So often that is timed, and the fastest is taken: what else the machine does only makes it slower.
const BARE_ROUNDS: usize = 3;

/// What HyperQueue starts on two cores: processes that do nothing, without result or receipt.
const HYPERQUEUE: f64 = 1_684.0;

/// A look at the job while it computes.
struct Moment {
    at: Instant,
    decided: u32,
    usage: Usage,
    /// Time the whole machine has been busy.
    machine: Duration,
}

/// What came of one job.
struct Course {
    tasks: u32,
    /// Before the program came, without which nothing is assigned.
    begun: Moment,
    /// The first look at which everything was decided.
    decided: Moment,
    /// The first look at which everything was settled in a finalised block.
    settled: Instant,
    /// Tasks that were settled when the last was decided.
    settled_when_decided: u32,
}

pub(crate) async fn measure(world: &World, quick: bool) -> anyhow::Result<Vec<Row>> {
    let tasks = if quick { 1_000 } else { 20_000 };
    title(&format!(
        "{tasks} tasks that do nothing, one replica each, two workers"
    ));
    let course = compute(world, tasks).await?;
    let folder = world.folder().to_owned();
    let bare = tokio::task::spawn_blocking(move || {
        let rounds = (0..BARE_ROUNDS).map(|_| bare::tasks_per_s(&folder, tasks));
        rounds.collect::<anyhow::Result<Vec<f64>>>()
    });
    let fastest = bare.await??.into_iter().fold(0.0, f64::max);
    Ok(course.tell(fastest))
}

async fn compute(world: &World, tasks: u32) -> anyhow::Result<Course> {
    let folder = world.nothing(tasks).await?;
    world.submit(&folder).await?;
    let coordinator = Coordinator::of(&world.chain, folder.job()).await?;
    let processes = world.processes();
    let moment = |at, decided| Moment {
        at,
        decided,
        usage: Usage::of(&processes),
        machine: usage::machine().unwrap_or_default(),
    };
    let (mut decided, mut settled) = (None, None);
    let mut settled_when_decided = 0;
    // What is seen may be a fifth of a second old, for so long a masternode tells a status again.
    let following = look(&coordinator, |answered, status| {
        if decided.is_none() && status.decided == status.tasks {
            decided = Some(moment(answered, status.decided));
            settled_when_decided = status.settled;
        }
        if status.settled == status.tasks {
            settled = Some(answered);
        }
        settled.is_some()
    });
    // The program comes last and holds the job back until then: what is timed begins when all that
    // there is to give out is here.
    let uploading = async {
        let start = Instant::now();
        let offer = coordinator.begin(&folder).await?;
        coordinator.upload_shards(&folder, |_| {}).await?;
        let begun = moment(Instant::now(), 0);
        coordinator.upload_program(&folder, &offer).await?;
        let seconds = start.elapsed().as_secs_f64();
        say(&format!("uploaded in {seconds:.1} s"));
        anyhow::Ok(begun)
    };
    let ((), begun) = tokio::try_join!(following, uploading)?;
    world.settled(folder.job()).await?;
    Ok(Course {
        tasks,
        begun,
        decided: decided.context("the job was never seen decided")?,
        settled: settled.context("the job was never seen settled")?,
        settled_when_decided,
    })
}

impl Course {
    /// With how many tasks a second one thread signs, checks and logs.
    fn tell(&self, bare: f64) -> Vec<Row> {
        let dispatch = self.decided.at - self.begun.at;
        let settling = self.settled - self.begun.at;
        say(&format!(
            "all decided after {:.2} s; {} of them settled by then, the last {:.2} s later",
            dispatch.as_secs_f64(),
            self.settled_when_decided,
            (self.settled - self.decided.at).as_secs_f64(),
        ));
        self.tell_usage(dispatch);
        let per_second = |time: Duration| f64::from(self.tasks) / time.as_secs_f64();
        vec![
            Row::new(
                DISPATCH,
                (per_second(dispatch), "tasks/s"),
                ("HyperQueue, `true` started a second, two cores", HYPERQUEUE),
            )
            .with_bar(Bar::ValueAtLeast(DISPATCH_MIN)),
            Row::new(
                BARE,
                (per_second(dispatch), "tasks/s"),
                ("receipts signed, checked and logged on one thread", bare),
            )
            .with_bar(Bar::RatioAtLeast(BARE_RATIO_MIN)),
            Row::new(
                SETTLED,
                (per_second(settling), "tasks/s"),
                (
                    "a full batch of 4,096 in every 2-second block",
                    BATCH_PER_BLOCK,
                ),
            ),
        ]
    }

    /// Where the processors' time went between the first assignment and the last verdict.
    fn tell_usage(&self, wall: Duration) {
        let used = self.decided.usage.since(&self.begun.usage);
        let tasks = f64::from(self.decided.decided - self.begun.decided);
        let each = |time: Duration| time.as_secs_f64() * 1e6 / tasks;
        say("\nprocess        thread            µs/task   sleeps/task");
        for (process, thread, used) in used.rows() {
            if each(used.time) >= 0.5 {
                say(&format!(
                    "{process:<14} {thread:<16} {:>8.1} {:>13.2}",
                    each(used.time),
                    used.sleeps as f64 / tasks
                ));
            }
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let all = wall * u32::try_from(cores).unwrap_or(u32::MAX);
        let busy = self.decided.machine.saturating_sub(self.begun.machine);
        let (ours, others) = (used.total(), busy.saturating_sub(used.total()));
        say(&format!("{:<31} {:>8.1}", "all of these", each(ours)));
        say(&format!("{:<31} {:>8.1}", "other programs", each(others)));
        let idle = all.saturating_sub(busy.max(ours));
        say(&format!(
            "{:<31} {:>8.1}  of the {:.1} that {cores} processors had",
            "idle",
            each(idle),
            each(all)
        ));
    }
}
