//! Ranking a million devices, and making a job's pools and queues over them, beside sorting their
//! scores alone.

use crate::report::{Bar, Row, title};
use anyhow::Context as _;
use quern_grid::{
    Dispatch, Ending, Fleet, FleetSettings, JobTerms, Score, Tick, Tuning,
    measure::Readings,
    needs::{Needs, Profile},
    pools::Target,
};
use quern_primitives::{
    AccountId, DeviceId, JobId,
    device::{Class, Hardware, Region},
    job::ByteLevel,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{fs, hint::black_box, time::Instant};

pub(crate) const RANK: &str = "rank_1m_devices_ms";
pub(crate) const POOLS: &str = "pools_1m_devices_ms";
pub(crate) const SCHEDULE: &str = "schedule_job_10k_tasks_ms";
pub(crate) const BYTES: &str = "grid_bytes_per_device";

/// What the times are held against.
const SORT: &str = "sort_1m_scores_ms: the standard library's unstable sort of their scores";

const DEVICES: u32 = 1_000_000;
const QUICK_DEVICES: u32 = 50_000;
const TASKS: u32 = 10_000;

/// Each time is the shortest of so many, for what else the machine does only adds to it.
const ROUNDS: u32 = 9;

/// A page of memory, in bytes.
const PAGE_BYTES: u64 = 4_096;

pub(crate) fn measure(quick: bool) -> anyhow::Result<Vec<Row>> {
    let count = if quick { QUICK_DEVICES } else { DEVICES };
    title(&format!("Ranking {count} devices"));
    let before = resident_bytes()?;
    let mut fleet = fleet(count)?;
    fleet.rank(Tick(0));
    let bytes = resident_bytes()?.saturating_sub(before) as f64 / f64::from(count);

    let report = |number| fleet.report(number, Tick(0)).map(|report| report.score);
    let scores: Vec<Score> = (0..count).filter_map(report).collect();
    let (published, needs) = (Tuning::published(), Needs::default());
    let mut times = [f64::INFINITY; 4];
    let mut chance = StdRng::seed_from_u64(2);
    for _ in 0..ROUNDS {
        // As between two rankings of a running grid: every device has told how it is, and some failed.
        for number in 0..count {
            fleet.update(number, Tick(0), &state(&mut chance));
            if chance.random_range(0..100u32) == 0 {
                fleet.note(number, Tick(0), Ending::DELAYED);
            }
        }
        let mut sorted = scores.clone();
        let round = [
            millis(|| sorted.sort_unstable()),
            millis(|| fleet.rank(Tick(0))),
            millis(|| {
                let limits = published.pool_limits();
                black_box(Target::of(fleet.ranking(), &needs, &limits));
            }),
            millis(|| drop(black_box(schedule(&fleet, published)))),
        ];
        black_box(&sorted);
        for (best, time) in times.iter_mut().zip(round) {
            *best = best.min(time);
        }
    }
    let [sort, rank, pools, schedule] = times;
    let of_sort = |name, time, most| {
        Row::new(name, (time, "ms"), (SORT, sort)).with_bar(Bar::RatioAtMost(most))
    };
    Ok(vec![
        of_sort(RANK, rank, 3.0),
        of_sort(POOLS, pools, 1.0),
        of_sort(SCHEDULE, schedule, 2.0),
        Row::new(BYTES, (bytes, "bytes"), ("300 bytes", 300.0)).with_bar(Bar::RatioAtMost(1.0)),
    ])
}

/// Devices of which everything is known and a half of which had faults lately.
fn fleet(count: u32) -> anyhow::Result<Fleet> {
    let mut chance = StdRng::seed_from_u64(1);
    let mut fleet = Fleet::new(FleetSettings::default());
    for _ in 0..count {
        let profile = Profile {
            hardware: Hardware::Desktop,
            region: Region::Europe,
            classes: vec![Class::Pinned],
            ..Profile::default()
        };
        let mut account = [0; 32];
        account[..4].copy_from_slice(&chance.random_range(0..count / 3).to_le_bytes());
        let id = DeviceId(chance.random());
        let number = fleet.admit(id, &AccountId::new(account), &profile)?;
        let readings = Readings {
            processor_rate: Some(chance.random_range(1e6..4e7)),
            down_mbps: Some(chance.random_range(0.1..1_000.0)),
            up_mbps: Some(chance.random_range(0.1..100.0)),
            ..state(&mut chance)
        };
        fleet.update(number, Tick(0), &readings);
        for _ in 0..chance.random_range(0..6u32).saturating_sub(2) {
            fleet.note(number, Tick(0), Ending::FAILED);
            fleet.note(number, Tick(0), Ending::COMPLETED);
        }
    }
    Ok(fleet)
}

/// What a device tells every thirty seconds.
fn state(chance: &mut StdRng) -> Readings {
    Readings {
        free_ram_mb: Some(chance.random_range(0.0..16_000.0)),
        free_cpu_percent: Some(chance.random_range(0.0..100.0)),
        ..Readings::default()
    }
}

/// Target subset, pools and queues of a job over devices that are ranked.
fn schedule(fleet: &Fleet, tuning: Tuning) -> Dispatch {
    let terms = JobTerms {
        level: ByteLevel::Balanced,
        needs: Needs::default(),
        replicas: 1,
        work: 1_000_000_000,
        seed: [0; 32],
    };
    let job = JobId([1; 32]);
    let target = Target::of(fleet.ranking(), &terms.needs, &tuning.pool_limits());
    let mut dispatch = Dispatch::new(tuning);
    dispatch.add_job(job, terms, target, fleet.accounts());
    (0..TASKS).for_each(|task| dispatch.push(job, task, Tick(0)));
    dispatch
}

fn millis(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1_000.0
}

/// Memory of this process that is in use.
fn resident_bytes() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_whitespace().nth(1);
    let pages: u64 = pages.context("the kernel does not tell")?.parse()?;
    Ok(pages * PAGE_BYTES)
}
