//! What the scheduler tells of itself: how devices and jobs stand, and the rule that keeps each
//! waiting.

use super::{Core, Tick, device::Known, job::ActiveJob, scheduler::needs};
use quern_grid::{Flag, Withheld, dispatch::ReplicaState, needs::Lack};
use quern_jobs_api::{
    Claimed, DEVICE_POOLS_MAX, DeviceExplanation, DevicePool, DeviceState, FAULT_RATES,
    GRID_JOBS_MAX, GridState, JobExplanation, JobForDevice, JobInGrid, MachineFacts, Matching,
    Measured, Phase, Reason, ReplicaExplanation, ReplicaStage, ScoreParts, TaskExplanation,
    TaskStage, WaitingFor,
};
use quern_primitives::{
    device::Class,
    ids::{DeviceId, JobId, TaskIndex},
    job::Preferences,
};
use quern_protocol::{Line, Machine, State};
use std::collections::{BTreeMap, BTreeSet};

/// Devices looked at to say what keeps a job waiting, best first.
const LOOKED_AT_MAX: usize = 10_000;

impl Core {
    /// Where a job stands, and what keeps it waiting. None if it is not known here, or over.
    pub fn explain_job(&self, now: Tick, id: JobId) -> Option<JobExplanation> {
        let active = self.jobs.get(&id)?;
        let status = self.status_of(active);
        let counts = self.scheduler.dispatch.counts(id);
        let mut reasons = Vec::new();
        match status.waiting_for {
            Some(waiting) => reasons.push(waits_for(waiting)),
            None if status.phase == Phase::Computing => {
                reasons.extend(self.why_no_task_starts(active));
                let is_open = counts.open.iter().any(|open| *open > 0);
                if reasons.is_empty() && is_open {
                    reasons = self.what_keeps_devices_from(now, id);
                }
            }
            None => {}
        }
        Some(JobExplanation {
            target_devices: counts.devices,
            connected_accounts: self.devices.connected_accounts() as u32,
            open: counts.open.iter().map(|open| *open as u32).collect(),
            running: counts.running as u32,
            status,
            reasons,
        })
    }

    /// Where a task stands, and what keeps it waiting. None if job or task are not known here.
    pub fn explain_task(&self, now: Tick, id: JobId, task: TaskIndex) -> Option<TaskExplanation> {
        let active = self.jobs.get(&id)?;
        let stage = match active.stage(task)? {
            (false, _) => TaskStage::Untouched,
            (true, true) => TaskStage::Closed,
            (true, false) => TaskStage::Open,
        };
        let states = self.scheduler.dispatch.replicas(id, task);
        let replicas: Vec<_> = (0..)
            .zip(&states)
            .filter_map(|(replica, state)| {
                let state = self.replica_stage(now, state)?;
                Some(ReplicaExplanation { replica, state })
            })
            .collect();
        let is_open = |state: &ReplicaState| matches!(state, ReplicaState::Open { .. });
        let is_running = |state: &ReplicaState| matches!(state, ReplicaState::Running { .. });
        let mut reasons = Vec::new();
        if stage != TaskStage::Closed {
            reasons.extend(self.why_no_task_starts(active));
            if reasons.is_empty() && states.iter().any(is_open) {
                reasons = self.what_keeps_devices_from(now, id);
            }
            let running = states.iter().filter(|state| is_running(state)).count();
            if running > 0 {
                reasons.push(Reason {
                    rule: "running".into(),
                    words: format!("{running} of its replicas are being computed"),
                    devices: Some(running as u32),
                });
            }
        }
        Some(TaskExplanation {
            job: id,
            task,
            stage,
            replicas,
            reasons,
        })
    }

    /// How a device stands with every queued job. None if it is not known here.
    pub fn explain_device(&self, now: Tick, device: &DeviceId) -> Option<DeviceExplanation> {
        let number = self.scheduler.fleet.number(device)?;
        let state = self.device_state(now, number)?;
        let mut reasons: Vec<_> = self
            .scheduler
            .fleet
            .flags(number, now)
            .iter()
            .map(|flag| Reason {
                rule: flag_rule(flag).into(),
                words: flag.to_string(),
                devices: None,
            })
            .collect();
        let known = self.devices.get(device);
        if reasons.is_empty() && state.in_hand >= state.in_hand_max {
            reasons.push(Reason {
                rule: "hands_full".into(),
                words: format!(
                    "it holds {} tasks, and may hold {}",
                    state.in_hand, state.in_hand_max
                ),
                devices: None,
            });
        }
        if known.is_some_and(|known| known.telemetry.is_benchmarked(now)) {
            reasons.push(Reason {
                rule: "benchmarked".into(),
                words: "it computes the benchmark first".into(),
                devices: None,
            });
        }
        if let Some(known) = known {
            reasons.extend(known.telemetry.bad.iter().map(|bad| Reason {
                rule: "reading_not_believed".into(),
                words: bad.to_string(),
                devices: None,
            }));
        }
        let backlog_ms = known.map_or(0, |known| self.backlog_ms(now, known));
        let jobs = self.scheduler.dispatch.jobs().take(GRID_JOBS_MAX);
        let jobs = jobs
            .map(|job| {
                let withheld = self.scheduler.explain(job, number, backlog_ms, now);
                let reason = withheld.map(reason);
                JobForDevice { job, reason }
            })
            .collect();
        Some(DeviceExplanation {
            state,
            jobs,
            reasons,
        })
    }

    /// The grid at a glance.
    pub fn grid_state(&self, _now: Tick) -> GridState {
        let queued = self.scheduler.dispatch.jobs();
        let others = self.jobs.keys().copied();
        let mut seen = BTreeSet::new();
        let jobs = queued
            .chain(others)
            .filter(|id| seen.insert(*id))
            .filter_map(|id| {
                let active = self.jobs.get(&id)?;
                Some(JobInGrid {
                    job: id,
                    level: active.job.submission.level,
                    status: self.status_of(active),
                    target_devices: self.scheduler.dispatch.counts(id).devices,
                })
            })
            .take(GRID_JOBS_MAX)
            .collect();
        GridState {
            block: self.block,
            devices: self.devices.connected().count() as u32,
            accounts: self.devices.connected_accounts() as u32,
            ranked: self.scheduler.fleet.ranking().len(),
            jobs,
        }
    }

    /// Up to so many devices from a position on: those that are ranked by rank, then the others by
    /// identity.
    pub fn grid_devices(&self, now: Tick, first: u32, most: u32) -> Vec<DeviceState> {
        let fleet = &self.scheduler.fleet;
        let ranked = fleet.ranking().devices().iter().copied();
        let is_ranked = |number: u32| fleet.rank_of(number).is_some();
        let others = self
            .devices
            .all()
            .map(|(_, known)| known.number)
            .filter(|number| !is_ranked(*number));
        ranked
            // Since the last ranking it may be forgotten.
            .filter(|number| is_ranked(*number))
            .chain(others)
            .skip(first as usize)
            .take(most as usize)
            .filter_map(|number| self.device_state(now, number))
            .collect()
    }

    /// How many ranked devices have which fault rate, in sixtieths.
    pub fn grid_rates(&self) -> Vec<u32> {
        let fleet = &self.scheduler.fleet;
        let mut counts = vec![0; FAULT_RATES];
        for number in fleet.ranking().devices() {
            let rate = fleet
                .faults(*number)
                .map(|faults| faults.rate().sixtieths());
            if let Some(count) = rate.and_then(|rate| counts.get_mut(usize::from(rate))) {
                *count += 1;
            }
        }
        counts
    }

    /// How many of the connected devices meet what a job would ask for.
    pub fn grid_matching(&self, preferences: &Preferences, class: Class) -> Matching {
        let needs = needs(preferences, class);
        let mut matching = Matching::default();
        let mut accounts = BTreeSet::new();
        for (_, known) in self.devices.all().filter(|(_, known)| known.connected) {
            matching.of += 1;
            if needs.are_met_by(self.scheduler.fleet.traits(known.number)) {
                matching.devices += 1;
                accounts.insert(&known.account);
            }
        }
        matching.accounts = accounts.len() as u32;
        matching
    }

    /// Why nothing of a job is given out at all.
    fn why_no_task_starts(&self, active: &ActiveJob) -> Option<Reason> {
        let margin = self.settings.deadline_margin_blocks;
        if active.takes_work(self.block, margin) {
            return None;
        }
        let (rule, words) = match active.failed {
            Some(_) => (
                "failed",
                "one of its tasks cannot be settled; the job ends".to_owned(),
            ),
            None => (
                "deadline",
                format!(
                    "it is at block {}, and within {margin} blocks of its deadline {} nothing is \
                     given out any more",
                    self.block, active.job.submission.deadline
                ),
            ),
        };
        Some(Reason {
            rule: rule.into(),
            words,
            devices: None,
        })
    }

    /// The rules that keep connected devices from a job that has open replicas, with how many devices
    /// each keeps from it; the rule that keeps most of them first.
    fn what_keeps_devices_from(&self, now: Tick, id: JobId) -> Vec<Reason> {
        let mut kept: BTreeMap<String, Reason> = BTreeMap::new();
        let mut keep = |reason: Reason| {
            let known = kept.entry(reason.rule.clone()).or_insert(reason);
            known.devices = Some(known.devices.unwrap_or(0) + 1);
        };
        let connected = self.devices.all().filter(|(_, known)| known.connected);
        for (_, known) in connected.take(LOOKED_AT_MAX) {
            if let Some(reason) = self.what_keeps(now, id, known) {
                keep(reason);
            }
        }
        let mut reasons: Vec<_> = kept.into_values().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.devices));
        reasons
    }

    fn what_keeps(&self, now: Tick, id: JobId, known: &Known) -> Option<Reason> {
        let fleet = &self.scheduler.fleet;
        if let Some(flag) = fleet.flags(known.number, now).iter().next() {
            return Some(Reason {
                rule: flag_rule(flag).into(),
                words: flag.to_string(),
                devices: None,
            });
        }
        if known.in_hand.len() >= usize::from(fleet.in_hand_max(known.number, now)) {
            return Some(Reason {
                rule: "hands_full".into(),
                words: "it holds as many tasks as it may".into(),
                devices: None,
            });
        }
        let backlog_ms = self.backlog_ms(now, known);
        let withheld = self.scheduler.explain(id, known.number, backlog_ms, now)?;
        Some(reason(withheld))
    }

    fn replica_stage(&self, now: Tick, state: &ReplicaState) -> Option<ReplicaStage> {
        let fleet = &self.scheduler.fleet;
        let seconds = |ms: u64| ms / 1_000;
        Some(match *state {
            ReplicaState::Open { pool, since } => ReplicaStage::Open {
                pool: pool + 1,
                since_s: seconds(now.since(since)),
            },
            ReplicaState::Running {
                device,
                since,
                end,
                is_backup,
            } => {
                let (left, over) = (seconds(end.since(now)), seconds(now.since(end)));
                ReplicaStage::Running {
                    device: fleet.device(device)?,
                    since_s: seconds(now.since(since)),
                    due_in_s: i64::try_from(left)
                        .unwrap_or(i64::MAX)
                        .saturating_sub_unsigned(over),
                    backup: is_backup,
                }
            }
            ReplicaState::Answered { device } => ReplicaStage::Answered {
                device: fleet.device(device)?,
            },
            ReplicaState::Resting => ReplicaStage::Resting,
        })
    }

    fn device_state(&self, now: Tick, number: u32) -> Option<DeviceState> {
        let fleet = &self.scheduler.fleet;
        let (device, (_, account)) = (fleet.device(number)?, fleet.account(number)?);
        let report = fleet.report(number, now)?;
        let known = self.devices.get(&device);
        let (parts, vitals) = (&report.parts, &report.vitals);
        let rank = fleet.rank_of(number);
        let pools = self
            .scheduler
            .dispatch
            .jobs()
            .filter_map(|job| {
                let target = self.scheduler.dispatch.target(job)?;
                Some(DevicePool {
                    job,
                    pool: target.pool_of(rank) + 1,
                    pools: target.pools().max(1),
                })
            })
            .take(DEVICE_POOLS_MAX)
            .collect();
        Some(DeviceState {
            device,
            account: account.clone(),
            connected: known.is_some_and(|known| known.connected),
            byte_rank: report.byte_rank,
            ranked: fleet.ranking().len(),
            score: report.score.points(),
            parts: ScoreParts {
                processor: parts.processor.points(),
                network_category: parts.network_category.points(),
                network_speed: parts.network_speed.points(),
                network_stability: parts.network_stability.points(),
                free_ram: parts.free_ram.points(),
                free_cpu: parts.free_cpu.points(),
            },
            fault_rate: report.fault_rate.as_fraction(),
            faulty_tasks: report.faulty_tasks,
            flags: report.flags.iter().map(|flag| flag.to_string()).collect(),
            lifted: report.is_lifted,
            in_hand: known.map_or(0, |known| known.in_hand.len() as u32),
            in_hand_max: fleet.in_hand_max(number, now).into(),
            software: known.map_or_else(String::new, |known| known.telemetry.software.clone()),
            machine: known.map_or_else(MachineFacts::default, |known| {
                facts(&known.telemetry.machine)
            }),
            claimed: known.map_or_else(Claimed::default, |known| claimed(&known.telemetry.state)),
            measured: Measured {
                down_mbps: vitals.down_mbps(),
                up_mbps: vitals.up_mbps(),
                latency_ms: vitals.latency_ms(),
                processor_rate: vitals.processor_rate(),
            },
            pools,
        })
    }
}

fn facts(machine: &Machine) -> MachineFacts {
    let text = |text: &Option<Vec<u8>>| {
        let text = text.as_ref()?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    MachineFacts {
        operating_system: text(&machine.operating_system),
        processor_maker: text(&machine.processor_maker),
        processor_family: text(&machine.processor_family),
        processor_model: text(&machine.processor_model),
        cores: machine.cores.map(u64::from),
        gpu: text(&machine.gpu),
        ram_mib: machine.ram_mib,
        storage_mib: machine.storage_mib,
    }
}

fn claimed(state: &State) -> Claimed {
    let tenths = |permille: Option<u16>| permille.map(|it| f64::from(it) / 10.0);
    let line = |line: Line| match line {
        Line::Fibre => "fibre",
        Line::Cable => "cable",
        Line::Dsl => "dsl",
        Line::Satellite => "satellite",
        Line::Mobile => "mobile",
        Line::Other => "other",
    };
    Claimed {
        line: state.line.map(|it| line(it).to_owned()),
        free_ram_mib: state.free_ram_mib,
        free_storage_mib: state.free_storage_mib,
        free_cpu_percent: tenths(state.free_cpu_permille),
        battery_percent: tenths(state.battery_permille),
        is_charging: state.is_charging,
        temperature_celsius: state.temperature_decicelsius.map(|it| f64::from(it) / 10.0),
    }
}

fn waits_for(waiting: WaitingFor) -> Reason {
    let (rule, words) = match waiting {
        WaitingFor::Upload => (
            "upload",
            "parts of it are not uploaded yet; `quern job resume` goes on".to_owned(),
        ),
        WaitingFor::Devices => ("no_devices", "no device is connected".to_owned()),
        WaitingFor::Accounts { connected, needed } => (
            "accounts",
            format!(
                "each task needs devices of {needed} accounts, and {connected} have one connected"
            ),
        ),
        WaitingFor::Chain => (
            "chain",
            "every task is decided; the chain has not finalised the last batch".to_owned(),
        ),
    };
    Reason {
        rule: rule.into(),
        words,
        devices: None,
    }
}

fn reason(withheld: Withheld) -> Reason {
    let rule = match withheld {
        Withheld::NoJob => "no_job",
        Withheld::NothingOpen => "nothing_open",
        Withheld::NothingInPool => "pool",
        Withheld::TouchedByAccount => "account",
        Withheld::Excluded => "failed_before",
        Withheld::OtherLane => "lane",
        Withheld::KeptForTheFast => "kept_for_fast",
        Withheld::OthersAreSooner { .. } => "others_sooner",
        Withheld::Lacks(lack) => match lack {
            Lack::Hardware => "hardware",
            Lack::Region => "region",
            Lack::Connection => "line",
            Lack::Trust => "trusted",
            Lack::Gpu => "gpu",
            Lack::Class => "class",
            Lack::Version => "version",
            Lack::Processor => "processor",
            Lack::Bond => "bond",
        },
    };
    Reason {
        rule: rule.into(),
        words: withheld.to_string(),
        devices: None,
    }
}

fn flag_rule(flag: Flag) -> &'static str {
    match flag {
        Flag::Disconnected => "disconnected",
        Flag::RepeatedFailures => "repeated_failures",
        Flag::Waiting => "waiting_after_faults",
        Flag::BatteryLow => "battery_low",
        Flag::TooHot => "too_hot",
        Flag::OutsideHours => "outside_hours",
        Flag::NetworkNotAllowed => "network_not_allowed",
        Flag::DataCapReached => "data_cap_reached",
        Flag::InUse => "in_use",
        Flag::Unbonded => "unbonded",
        Flag::Banned => "banned",
    }
}
