//! What a masternode tells of its grid: the devices that it knows, as its scheduler sees them.
//!
//! All of it is told to anybody who asks. It says which devices of which accounts are connected,
//! what machines they are and how they are, how good they are thought to be, and how far each job is.
//! It says nothing of what is computed: no program, no argument, no data, no result and no key; nor
//! any network address.
//!
//! What a device says of itself ([`Claimed`]) stands beside what the masternode measured
//! ([`Measured`]), and what is not known is absent.

use crate::JobStatus;
use quern_primitives::{
    amount::{Amount, as_string},
    device::Class,
    ids::{AccountId, BlockNumber, DeviceId, JobId},
    job::{Agreement, ByteLevel, Preferences},
    params::Terms,
};
use serde::{Deserialize, Serialize};

/// Devices in one answer. It may have fewer, as many as fit; who wants the rest goes on behind the
/// [position](DeviceState::position) of the last that came, until an answer has none.
pub const GRID_DEVICES_MAX: u32 = 1_024;

/// Jobs in one answer: those that are served first. 1,024 take some 600 kB of JSON.
pub const GRID_JOBS_MAX: usize = 1_024;

/// Pools that are told of one device: those of the jobs that are served first.
pub const DEVICE_POOLS_MAX: usize = 16;

/// Counts of devices by how often they fail: one for each number of faulty tasks among a device's last
/// 20, from 0 to 20.
pub const FAULT_RATES: usize = 21;

/// One device as the scheduler sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceState {
    /// Its position in the list of all devices, from 0. A ranked one's is its rank less one.
    #[serde(default)]
    pub position: u32,
    /// The device.
    pub device: DeviceId,
    /// The worker account it belongs to.
    pub account: AccountId,
    /// Whether it is connected to this masternode.
    pub connected: bool,
    /// Its place in the ranking, from 1; 0 when it is not ranked.
    pub byte_rank: u32,
    /// Devices ranked.
    pub ranked: u32,
    /// Whole seconds since devices were ranked last. The place is of then, and the score of now: between
    /// two rankings one may have more points than another that stands before it. None before the first.
    #[serde(default)]
    pub ranked_s_ago: Option<u64>,
    /// The capacity score as it is now: the sum of the parts, 0 to 2700.
    pub score: f64,
    /// The parts of the score.
    pub parts: ScoreParts,
    /// The fault rate, from 0 to 1.
    pub fault_rate: f64,
    /// Of its last 20 tasks, those with any fault.
    pub faulty_tasks: u32,
    /// Why it gets nothing at the moment, in words; empty if nothing is against it.
    pub flags: Vec<String>,
    /// Whether it won the lottery and stands higher for a day.
    pub lifted: bool,
    /// Tasks it holds.
    pub in_hand: u32,
    /// Tasks it may hold.
    pub in_hand_max: u32,
    /// Name and version of its worker.
    pub software: String,
    /// The classes that it computes, each once; empty if it has not told since this masternode started.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// What machine it is.
    pub machine: MachineFacts,
    /// How it is, as it says itself.
    pub claimed: Claimed,
    /// What this masternode measured.
    pub measured: Measured,
    /// Where it stands in the jobs that are queued, at most [`DEVICE_POOLS_MAX`].
    pub pools: Vec<DevicePool>,
}

/// The six parts of a device's capacity score, in points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreParts {
    /// How fast the processor ran the benchmark, 1 to 500.
    pub processor: f64,
    /// What kind of line it has, 0 to 300.
    pub network_category: f64,
    /// How fast it transfers, 0 to 1000.
    pub network_speed: f64,
    /// How even these transfers are, 0 to 300.
    pub network_stability: f64,
    /// How much memory is free, 0 to 300.
    pub free_ram: f64,
    /// How much of the processor is free, 0 to 300.
    pub free_cpu: f64,
}

/// What machine a device is, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// The operating system.
    pub operating_system: Option<String>,
    /// Who made the processor.
    pub processor_maker: Option<String>,
    /// The processor's family.
    pub processor_family: Option<String>,
    /// The processor's model.
    pub processor_model: Option<String>,
    /// Cores.
    pub cores: Option<u64>,
    /// The graphics processor.
    pub gpu: Option<String>,
    /// Memory.
    pub ram_mib: Option<u64>,
    /// Storage.
    pub storage_mib: Option<u64>,
}

/// How a device is, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claimed {
    /// The kind of line: `fibre`, `cable`, `dsl`, `satellite`, `mobile` or `other`.
    pub line: Option<String>,
    /// Memory that is free.
    pub free_ram_mib: Option<u64>,
    /// Storage that is free.
    pub free_storage_mib: Option<u64>,
    /// How much of the processor is free.
    pub free_cpu_percent: Option<f64>,
    /// Memory that its owner lets one task have.
    #[serde(default)]
    pub task_memory_mib: Option<u64>,
    /// What is left in the battery, if there is one.
    pub battery_percent: Option<f64>,
    /// Whether it runs on external power, if it has a battery.
    pub is_charging: Option<bool>,
    /// How hot the processor is.
    pub temperature_celsius: Option<f64>,
}

/// What a masternode measured of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// How fast the device receives, in megabits a second.
    pub down_mbps: Option<f64>,
    /// How fast it sends.
    pub up_mbps: Option<f64>,
    /// How long a message takes there and back.
    pub latency_ms: Option<f64>,
    /// How fast it ran the benchmark, in fuel per millisecond.
    pub processor_rate: Option<u32>,
    /// Whether it was sent a benchmark and has not answered it rightly. Then it counts as slow.
    #[serde(default)]
    pub owes_benchmark: bool,
}

/// The pool of a job that a device stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePool {
    /// The job.
    pub job: JobId,
    /// The pool, counted from 1 at the top.
    pub pool: u32,
    /// How many pools the job has.
    pub pools: u32,
}

/// The grid at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridState {
    /// The last finalised block that this masternode knows of.
    pub block: BlockNumber,
    /// Devices connected.
    pub devices: u32,
    /// Accounts that have a device connected.
    pub accounts: u32,
    /// Devices ranked.
    pub ranked: u32,
    /// Whole seconds since they were; none before the first time.
    #[serde(default)]
    pub ranked_s_ago: Option<u64>,
    /// How tasks are dealt and watched.
    pub scheduling: Scheduling,
    /// The last day's lottery that this masternode drew or gave up. What it drew on the same day before
    /// it started again counts; none if there is neither, as on the chain's first day.
    pub last_draw: Option<LastDraw>,
    /// What this masternode computed again since it started.
    #[serde(default)]
    pub recomputations: Recomputations,
    /// The jobs that are not over, those that are served first at the beginning; at most
    /// [`GRID_JOBS_MAX`].
    pub jobs: Vec<JobInGrid>,
}

/// How a masternode deals tasks and watches them, as its settings have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduling {
    /// How tasks are dealt to devices.
    pub dealing: Dealing,
    /// What a pool has at the least; none where there are no pools.
    pub pools: Option<PoolsAtLeast>,
    /// Whether a device is passed over for a task that the others will have done sooner.
    pub spares_the_slow: bool,
    /// Whether idle devices compute the slowest tasks again near a job's end.
    pub backs_up: bool,
    /// T1 in hundredths of the time that a task is expected to take: without a sign of progress for so
    /// long its device is asked again.
    pub delayed_percent: u32,
    /// T2 in the same: after so long another device gets the task as well, and after two thirds of the time that
    /// a replica may be out at the latest, unless more is expected of it.
    pub stale_percent: u32,
    /// T1 at the least, in milliseconds, but half of that time at the most.
    pub delayed_ms_min: u64,
    /// T2 at the least, in milliseconds.
    pub stale_ms_min: u64,
}

/// How tasks are dealt to devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dealing {
    /// One queue for all devices of a job.
    OneQueue,
    /// Capacity pools, a small top pool merged into the next.
    MergedPools,
    /// Capacity pools as published.
    Pools,
}

/// What a pool has at the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolsAtLeast {
    /// Points of its devices' scores together, C_min. Where devices have few points it is less: below
    /// the median score times the devices.
    pub capacity: u64,
    /// Devices, s_min.
    pub devices: u32,
}

/// What came of a day's lottery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastDraw {
    /// The day, counted in days of blocks from the chain's first.
    pub day: u32,
    /// Of all registered devices those that won, and stand higher for the day. None if it could not be
    /// drawn, because this masternode's node has discarded the state of the day's first block.
    pub winners: Option<u32>,
}

/// What a masternode computed again since it started, to decide between answers that differ or to check
/// settled ones: all that is drawn of the jobs that it coordinates, and its part of what is drawn of those of whose
/// group it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recomputations {
    /// Tasks whose answers differed and that were decided so.
    pub refereed: u64,
    /// Tasks whose answers differed and that it could not compute, or not in time.
    pub unrefereed: u64,
    /// Tasks whose answers differ and that are being computed or wait for it.
    pub waiting: u32,
    /// Settled tasks whose answer came out again.
    pub confirmed: u64,
    /// Settled tasks of which another answer came out.
    pub contradicted: u64,
    /// Settled tasks that were drawn and that it could not compute.
    pub unchecked: u64,
    /// Of these, tasks of jobs that another masternode coordinates whose input is not here, or does not open.
    #[serde(default)]
    pub not_uploaded: u64,
    /// Settled tasks that were drawn and are being computed or wait for it.
    pub to_check: u32,
}

/// A job of a grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInGrid {
    /// The job.
    pub job: JobId,
    /// What its owner pays for being served sooner.
    pub level: ByteLevel,
    /// How far it is.
    pub status: JobStatus,
    /// Devices that meet what it asks for.
    pub target_devices: u32,
}

/// How many of the connected devices meet what a job asks for. One that nothing is given to until
/// somebody does something about it does not: it is in quarantine, banned, or not covered by a bond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matching {
    /// Devices that do.
    pub devices: u32,
    /// The accounts they belong to: a task has no more replicas.
    pub accounts: u32,
    /// Devices connected.
    pub of: u32,
    /// What must be bonded for each device, so that it covers what the device could gain by wrong
    /// answers.
    #[serde(with = "as_string")]
    pub bond: Amount,
    /// Devices that meet all else, and for which less is bonded.
    pub short_of_bond: u32,
    /// Devices that meet all else, and let a task have less memory.
    #[serde(default)]
    pub short_of_memory: u32,
}

/// What a job would ask of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// What its owner asks for.
    pub preferences: Preferences,
    /// The class it is computed in.
    pub class: Class,
    /// How many devices must agree on an answer.
    pub agreement: Agreement,
    /// The most that a task of it costs, from which the bond follows. While that is not known it is
    /// zero, and any bond will do.
    #[serde(with = "as_string")]
    pub task: Amount,
    /// Memory that a task of it may need, in bytes; zero where any will do.
    #[serde(default)]
    pub memory_bytes: u64,
    /// The terms of jobs that are submitted now, of which follows what a task pays.
    #[serde(default)]
    pub terms: Terms,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::Phase;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    /// The value as programs see it. What was read from that is the same value.
    pub(crate) fn told<T>(value: &T) -> Value
    where
        T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let text = serde_json::to_string(value).unwrap();
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value);
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn status() -> JobStatus {
        JobStatus {
            job: JobId([1; 32]),
            phase: Phase::Computing,
            tasks: 10,
            not_uploaded: 0,
            waiting: 8,
            running: 2,
            decided: 0,
            settled: 0,
            replicas: 3,
            incorrect: 0,
            refereed: 0,
            voted: 0,
            contradicted: 0,
            fuel: 5,
            spent: 7,
            devices: 2,
            waiting_for: None,
            impasse: None,
        }
    }

    pub(crate) fn device() -> DeviceState {
        DeviceState {
            position: 3,
            device: DeviceId([2; 32]),
            account: AccountId::new([3; 32]),
            connected: true,
            byte_rank: 4,
            ranked: 9,
            ranked_s_ago: Some(12),
            score: 1_532.25,
            parts: ScoreParts {
                processor: 250.5,
                ..ScoreParts::default()
            },
            fault_rate: 0.05,
            faulty_tasks: 1,
            flags: vec!["it is not connected".into()],
            lifted: false,
            in_hand: 1,
            in_hand_max: 2,
            software: "quern-worker 0.1.0".into(),
            classes: vec![Class::Pinned, Class::Portable],
            machine: MachineFacts {
                cores: Some(8),
                ..MachineFacts::default()
            },
            claimed: Claimed {
                line: Some("fibre".into()),
                ..Claimed::default()
            },
            measured: Measured {
                down_mbps: Some(46.5),
                ..Measured::default()
            },
            pools: vec![DevicePool {
                job: JobId([1; 32]),
                pool: 1,
                pools: 2,
            }],
        }
    }

    #[test]
    fn what_is_not_known_of_a_device_is_null_and_never_zero() {
        let told = told(&device());
        assert_eq!(told["measured"]["down_mbps"], 46.5);
        assert_eq!(told["measured"]["up_mbps"], Value::Null);
        assert_eq!(told["ranked_s_ago"], 12);
        assert_eq!(told["claimed"]["battery_percent"], Value::Null);
        assert_eq!(told["machine"]["gpu"], Value::Null);
        assert_eq!(told["parts"]["processor"], 250.5);
        assert_eq!(told["pools"][0]["pools"], 2);
        assert_eq!(told["classes"], serde_json::json!(["pinned", "portable"]));
    }

    #[test]
    fn a_grid_tells_its_jobs_with_their_level() {
        let grid = GridState {
            block: 77,
            devices: 4,
            accounts: 3,
            ranked: 4,
            ranked_s_ago: Some(12),
            scheduling: Scheduling {
                dealing: Dealing::MergedPools,
                pools: Some(PoolsAtLeast {
                    capacity: 8_000,
                    devices: 8,
                }),
                spares_the_slow: true,
                backs_up: true,
                delayed_percent: 200,
                stale_percent: 400,
                delayed_ms_min: 15_000,
                stale_ms_min: 60_000,
            },
            last_draw: Some(LastDraw {
                day: 3,
                winners: None,
            }),
            recomputations: Recomputations {
                refereed: 3,
                ..Recomputations::default()
            },
            jobs: vec![JobInGrid {
                job: JobId([1; 32]),
                level: ByteLevel::High,
                status: status(),
                target_devices: 2,
            }],
        };
        let seen = told(&grid);
        assert_eq!(seen["jobs"][0]["level"], "high");
        assert_eq!(seen["jobs"][0]["status"]["spent"], "7");
        assert_eq!(seen["scheduling"]["dealing"], "merged_pools");
        assert_eq!(seen["scheduling"]["pools"]["capacity"], 8_000);
        assert_eq!(seen["recomputations"]["refereed"], 3);
        assert_eq!(seen["last_draw"], json!({ "day": 3, "winners": null }));
    }

    #[test]
    fn what_a_job_would_ask_for_and_what_there_is_travel_with_amounts_as_text() {
        let matching = Matching {
            devices: 2,
            accounts: 1,
            of: 4,
            bond: 10_000_000_000,
            short_of_bond: 1,
            short_of_memory: 1,
        };
        let seen = told(&matching);
        assert_eq!(seen["bond"], "10000000000");
        assert_eq!(
            (&seen["of"], &seen["short_of_bond"]),
            (&json!(4), &json!(1))
        );
        let asking = Asking {
            preferences: Preferences::default(),
            class: Class::Pinned,
            agreement: Agreement::Majority { replicas: 3 },
            task: u128::MAX,
            memory_bytes: 1 << 30,
            terms: Terms::FIRST,
        };
        assert_eq!(told(&asking)["task"], u128::MAX.to_string());
        assert_eq!(told(&asking)["memory_bytes"], 1 << 30);
    }
}
