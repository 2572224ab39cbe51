//! Ranking a million devices, and making a job's pools and queues over them, beside sorting their
//! scores alone.
//!
//! A grid is ranked every half minute, or sooner, and what changes between two rankings is what changes
//! in a grid: see [`crate::devices`]. The first ranking of a grid is a row of its own: the devices stand
//! in the order of their coming then, which says nothing of how good they are.

use crate::{
    devices::Devices,
    report::{Bar, Row, title},
};
use quern_grid::{Dispatch, JobTerms, Tick, Tuning, needs::Needs, pools::Target};
use quern_primitives::{JobId, job::ByteLevel};
use std::{hint::black_box, time::Instant};

pub(crate) const RANK: &str = "rank_1m_devices_ms";
pub(crate) const AFRESH: &str = "rank_1m_afresh_ms";
pub(crate) const POOLS: &str = "pools_1m_devices_ms";
pub(crate) const SCHEDULE: &str = "schedule_job_10k_tasks_ms";

/// What the times are held against.
const SORT: &str = "sort_1m_scores_ms: the standard library's unstable sort of their scores";

const DEVICES: u32 = 1_000_000;
const QUICK_DEVICES: u32 = 50_000;
const TASKS: u32 = 10_000;

/// Each time is the shortest of so many, for what else the machine does only adds to it.
const ROUNDS: u64 = 9;

/// From one ranking to the next, in milliseconds.
const ROUND_MS: u64 = 30_000;

/// How many devices there are.
pub(crate) fn how_many(quick: bool) -> u32 {
    if quick { QUICK_DEVICES } else { DEVICES }
}

pub(crate) fn measure(quick: bool) -> anyhow::Result<Vec<Row>> {
    let count = how_many(quick);
    title(&format!("Ranking {count} devices"));
    let mut devices = Devices::new(count)?;
    let mut sort = Fastest::default();
    let mut afresh = Fastest::default();
    for _ in 0..ROUNDS {
        let mut fleet = devices.fleet.clone();
        sort.time(sorting(&devices));
        afresh.time(|| fleet.rank(Tick(0)));
    }
    devices.fleet.rank(Tick(0));

    let (published, needs) = (Tuning::published(), Needs::default());
    let [mut rank, mut pools, mut schedule] = [Fastest::default(); 3];
    for round in 1..=ROUNDS {
        let now = Tick(round * ROUND_MS);
        devices.live(now)?;
        sort.time(sorting(&devices));
        rank.time(|| devices.fleet.rank(now));
        pools.time(|| {
            let limits = published.pool_limits();
            black_box(Target::of(devices.fleet.ranking(), &needs, &limits));
        });
        schedule.time(|| drop(black_box(scheduled(&devices, published))));
    }
    let of_sort = |name, time: Fastest, most| {
        Row::new(name, (time.0, "ms"), (SORT, sort.0)).with_bar(Bar::RatioAtMost(most))
    };
    Ok(vec![
        of_sort(RANK, rank, 3.0),
        of_sort(AFRESH, afresh, 3.0),
        of_sort(POOLS, pools, 1.0),
        of_sort(SCHEDULE, schedule, 2.0),
    ])
}

/// The shortest time that something took so far, in milliseconds.
#[derive(Clone, Copy)]
struct Fastest(f64);

impl Default for Fastest {
    fn default() -> Self {
        Self(f64::INFINITY)
    }
}

impl Fastest {
    fn time(&mut self, work: impl FnOnce()) {
        let begun = Instant::now();
        work();
        self.0 = self.0.min(begun.elapsed().as_secs_f64() * 1_000.0);
    }
}

/// Sorts the scores of all devices, which are looked up beforehand.
fn sorting(devices: &Devices) -> impl FnOnce() {
    let mut scores = devices.scores();
    move || {
        scores.sort_unstable();
        black_box(&scores);
    }
}

/// Target subset, pools and queues of a job over devices that are ranked.
fn scheduled(devices: &Devices, tuning: Tuning) -> Dispatch {
    let terms = JobTerms {
        level: ByteLevel::Balanced,
        needs: Needs::default(),
        replicas: 1,
        work: 1_000_000_000,
        seed: [0; 32],
    };
    let (job, fleet) = (JobId([1; 32]), &devices.fleet);
    let target = Target::of(fleet.ranking(), &terms.needs, &tuning.pool_limits());
    let mut dispatch = Dispatch::new(tuning);
    dispatch.add_job(job, terms, target, fleet.accounts());
    (0..TASKS).for_each(|task| dispatch.push(job, task, Tick(0)));
    dispatch
}
