//! Ranking a million devices, and making a job's pools and queues over them, beside sorting their
//! scores alone.
//!
//! A grid is ranked every half minute, or sooner, and what changes between two rankings is what changes
//! in a grid: see [`crate::devices`]. With each ranking the masternode notes which devices are trusted,
//! and that is timed with it. The first ranking of a grid is a row of its own: the devices stand in the
//! order of their coming then, which says nothing of how good they are. Where jobs are queued a ranking
//! leaves them with what they have, and the first of them that is asked for something looks its devices
//! up anew; the others have their turns later.
//!
//! Pools and queues are made for a job that asks for much and for one that asks for nothing, and the row
//! is the one that takes longer.

use crate::{
    devices::Devices,
    report::{Bar, Row, title},
};
use quern_grid::{
    Dispatch, Fleet, JobTerms, TaskBytes, Tick, Tuning,
    needs::{Allowed, Needs},
};
use quern_primitives::{
    JobId,
    device::{Hardware, Region},
    job::ByteLevel,
};
use std::{hint::black_box, time::Instant};

pub(crate) const RANK: &str = "rank_1m_devices_ms";
pub(crate) const QUEUED: &str = "rank_1m_100_jobs_ms";
pub(crate) const AFRESH: &str = "rank_1m_afresh_ms";
pub(crate) const POOLS: &str = "pools_1m_devices_ms";
pub(crate) const SCHEDULE: &str = "schedule_job_10k_tasks_ms";

/// What the times are held against, which is a row itself.
pub(crate) const SORT: &str = "sort_1m_scores_ms";
const SORT_IN_WORDS: &str =
    "sort_1m_scores_ms: the standard library's unstable sort of their scores";

const DEVICES: u32 = 1_000_000;
const QUICK_DEVICES: u32 = 50_000;
const TASKS: u32 = 10_000;

/// Of each task, as most jobs have it.
const REPLICAS: u8 = 3;

/// Jobs that are queued while devices are ranked again.
const JOBS: u8 = 100;

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
        afresh.time(|| ranked(&mut fleet, Tick(0)));
    }
    devices.fleet.rank(Tick(0));

    let published = Tuning::published();
    let mut queued = Dispatch::new(Tuning::default());
    let asking = terms(a_quarter());
    (0..JOBS).for_each(|job| add_job(&mut queued, &devices.fleet, JobId([job; 32]), asking));
    let [mut rank, mut with_jobs] = [Fastest::default(); 2];
    // Each of a job that asks for much, and of one that asks for nothing.
    let jobs = [asking, terms(Needs::default())];
    let [mut pools, mut schedule] = [[Fastest::default(); 2]; 2];
    let mut now = Tick(0);
    for _ in 0..ROUNDS {
        now = now.plus_ms(ROUND_MS);
        devices.live(now)?;
        sort.time(sorting(&devices));
        rank.time(|| ranked(&mut devices.fleet, now));
        now = now.plus_ms(ROUND_MS);
        devices.live(now)?;
        with_jobs.time(|| ranked_with_jobs(&mut devices.fleet, &mut queued, now));
        for (terms, pools) in jobs.iter().zip(&mut pools) {
            let limits = published.pool_limits();
            pools.time(|| drop(black_box(devices.fleet.target_for(terms, &limits))));
        }
        for (terms, schedule) in jobs.iter().zip(&mut schedule) {
            schedule.time(|| drop(black_box(scheduled(&devices.fleet, *terms, published))));
        }
    }
    let slower = |[one, other]: [Fastest; 2]| Fastest(one.0.max(other.0));
    let of_sort = |name, time: Fastest, most| {
        let time = (time.0, "ms");
        Row::new(name, time, (SORT_IN_WORDS, sort.0)).with_bar(Bar::RatioAtMost(most))
    };
    Ok(vec![
        Row::new(SORT, (sort.0, "ms"), (SORT_IN_WORDS, sort.0)),
        of_sort(RANK, rank, 3.0),
        // The ranking, and one look at who may have a job.
        of_sort(QUEUED, with_jobs, 4.0),
        of_sort(AFRESH, afresh, 3.0),
        of_sort(POOLS, slower(pools), 1.0),
        of_sort(SCHEDULE, slower(schedule), 2.0),
    ])
}

/// What it takes to rank so many devices for the first time, in milliseconds.
pub(crate) fn afresh_ms(count: u32) -> anyhow::Result<f64> {
    let devices = Devices::new(count)?;
    let mut afresh = Fastest::default();
    for _ in 0..ROUNDS {
        let mut fleet = devices.fleet.clone();
        afresh.time(|| ranked(&mut fleet, Tick(0)));
    }
    Ok(afresh.0)
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

/// Ranks devices, and notes which of them are trusted.
fn ranked(fleet: &mut Fleet, now: Tick) {
    fleet.rank(now);
    let trusted: Vec<u32> = fleet.ranking().trusted().collect();
    black_box(trusted);
}

/// The same where jobs are queued, of which each is asked for something then.
fn ranked_with_jobs(fleet: &mut Fleet, dispatch: &mut Dispatch, now: Tick) {
    ranked(fleet, now);
    dispatch.ranked(fleet.ranking().len());
    let limits = dispatch.tuning().pool_limits();
    let jobs: Vec<JobId> = dispatch.jobs().collect();
    for job in jobs {
        dispatch.catch_up(job, now, |terms| Some(fleet.target_for(terms, &limits)));
    }
}

/// Two of the four regions and two of the four kinds of machine: a quarter of the devices will do, without
/// an order among them.
fn a_quarter() -> Needs {
    Needs {
        hardware: Allowed::only([Hardware::Desktop, Hardware::Server]),
        regions: Allowed::only([Region::Americas, Region::Europe]),
        ..Needs::default()
    }
}

fn terms(needs: Needs) -> JobTerms {
    JobTerms {
        level: ByteLevel::Balanced,
        needs,
        replicas: REPLICAS,
        work: 1_000_000_000,
        bytes: TaskBytes::default(),
        seed: [0; 32],
    }
}

/// Queues a job without a task, over devices that are ranked.
fn add_job(dispatch: &mut Dispatch, fleet: &Fleet, job: JobId, terms: JobTerms) {
    let limits = dispatch.tuning().pool_limits();
    let (target, accounts) = fleet.target_for(&terms, &limits);
    dispatch.add_job(job, terms, target, accounts);
}

/// Target subset, pools and queues of a job over devices that are ranked.
fn scheduled(fleet: &Fleet, terms: JobTerms, tuning: Tuning) -> Dispatch {
    let job = JobId([1; 32]);
    let mut dispatch = Dispatch::new(tuning);
    add_job(&mut dispatch, fleet, job, terms);
    (0..TASKS).for_each(|task| dispatch.push(job, task, Tick(0)));
    dispatch
}
