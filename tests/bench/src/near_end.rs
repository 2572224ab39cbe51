//! How long the scheduler takes for an idle device near a job's end, when there is nothing for it to compute
//! again.
//!
//! Slow devices have all tasks of a job, and each task has a backup on a fast one, so nobody would have any
//! of them done sooner. Then others ask, as all idle devices of a grid do until the job has ended. How many
//! tasks run should not matter: it is held against the same while a thousand do.

use crate::{
    devices::account,
    report::{Bar, Row, title},
};
use anyhow::Context as _;
use quern_grid::{
    Asker, Dispatch, Fleet, FleetSettings, Given, JobTerms, LineSpeed, TaskBytes, Tick, Tuning,
    Withheld,
    measure::Readings,
    needs::{Needs, Profile, Traits},
};
use quern_primitives::{DeviceId, JobId, device::Class, ids::TaskIndex, job::ByteLevel};
use std::time::Instant;

pub(crate) const IDLE: &str = "idle_near_end_us_10k_tasks";

const TASKS: TaskIndex = 10_000;
const QUICK_TASKS: TaskIndex = 2_000;

/// Tasks of what it is held against.
const FEW: TaskIndex = 1_000;

/// Idle devices that ask.
const ASKERS: u32 = 500;

/// Each time is the shortest of so many, for what else the machine does only adds to it.
const ROUNDS: u32 = 5;

/// How fast devices are, in fuel per millisecond. A slow one takes three times as long as a fast one, of
/// which the fast take less than two thirds.
const FAST: u32 = 9_000_000;
const SLOW: u32 = FAST / 3;

/// What a task takes: a fast device a second.
const WORK: u64 = 9_000_000_000;

/// Devices that are ranked, all of them fast: so few that a slow one is not passed over.
const RANKED: u32 = 100;

const JOB: JobId = JobId([7; 32]);
const NOW: Tick = Tick(1_000);

pub(crate) fn measure(quick: bool) -> anyhow::Result<Row> {
    let tasks = if quick { QUICK_TASKS } else { TASKS };
    title(&format!("{tasks} tasks that run, near a job's end"));
    let reference = ("the same while 1,000 run", asked_in_vain_us(FEW)?);
    let row = Row::new(IDLE, (asked_in_vain_us(tasks)?, "us"), reference);
    // More of what is looked up is out of the processor's caches.
    Ok(row.with_bar(Bar::RatioAtMost(4.0)))
}

/// What it takes to find that there is nothing for an idle device while so many tasks run, in
/// microseconds.
fn asked_in_vain_us(tasks: TaskIndex) -> anyhow::Result<f64> {
    let mut grid = Grid::new(tasks)?;
    for number in 0..tasks {
        let given = grid.ask(number, SLOW).ok();
        given.context("a slow device got no task")?;
    }
    for number in tasks..2 * tasks {
        let given = grid.ask(number, FAST).ok();
        let given = given.context("a task that has no backup got none")?;
        anyhow::ensure!(given.is_backup, "a task was given to nobody before");
    }
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for number in 0..ASKERS {
            let given = grid.ask(2 * tasks + number, FAST);
            anyhow::ensure!(given.is_err(), "a task got a backup that is not sooner");
        }
        let us = begun.elapsed().as_secs_f64() * 1e6;
        fastest = fastest.min(us / f64::from(ASKERS));
    }
    Ok(fastest)
}

/// A job's queues, and what every device has.
struct Grid {
    dispatch: Dispatch,
    traits: Traits,
}

impl Grid {
    /// So many tasks of a job are open, of one replica each.
    fn new(tasks: TaskIndex) -> anyhow::Result<Self> {
        let profile = Profile {
            classes: vec![Class::Pinned],
            ..Profile::default()
        };
        let measured = Readings {
            processor_rate: Some(f64::from(FAST)),
            ..Readings::default()
        };
        let mut fleet = Fleet::new(FleetSettings::default());
        for number in 0..RANKED {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_le_bytes());
            let device = fleet.admit(DeviceId(id), &account(number), &profile)?;
            fleet.update(device, NOW, &measured);
        }
        fleet.rank(NOW);
        let terms = JobTerms {
            level: ByteLevel::High,
            needs: Needs::default(),
            replicas: 1,
            work: WORK,
            bytes: TaskBytes::default(),
            seed: [0; 32],
        };
        let mut dispatch = Dispatch::new(Tuning::default());
        let (target, accounts) = fleet.target_for(&terms, &dispatch.tuning().pool_limits());
        dispatch.add_job(JOB, terms, target, accounts);
        (0..tasks).for_each(|task| dispatch.push(JOB, task, NOW));
        let traits = profile.pack();
        Ok(Self { dispatch, traits })
    }

    /// A device asks that is of an account of its own and holds nothing.
    fn ask(&mut self, number: u32, speed: u32) -> Result<Given, Withheld> {
        let asker = Asker {
            device: number,
            account: number,
            account_id: &account(number),
            traits: self.traits,
            rank: None,
            speed,
            line: LineSpeed::SLOWEST,
            backlog_ms: 0,
        };
        self.dispatch.take_anew(&asker, NOW, |_| None)
    }
}
