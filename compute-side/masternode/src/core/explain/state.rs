//! How the grid and each of its devices stand.

use crate::core::{Core, Tick, bonds, scheduler::needs};
use quern_grid::{
    Flag, Policy, Tuning,
    needs::{Cover, Memory, Needs},
};
use quern_jobs_api::{
    Asking, Claimed, DEVICE_POOLS_MAX, Dealing, DevicePool, DeviceState, FAULT_RATES,
    GRID_JOBS_MAX, GridState, JobInGrid, MachineFacts, Matching, Measured, PoolsAtLeast,
    Recomputations, Scheduling, ScoreParts,
};
use quern_primitives::device::Line;
use quern_protocol::{Machine, State};
use std::collections::BTreeSet;

/// Flags that do not pass by themselves: a device that has one counts on no job.
const LASTING: [Flag; 3] = [Flag::RepeatedFailures, Flag::Unbonded, Flag::Banned];

impl Core {
    /// The grid at a glance, but for the last lottery: of its draw the core hears only who won.
    pub fn grid_state(&self, now: Tick) -> GridState {
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
            devices: self.devices.connected_devices(),
            accounts: self.devices.connected_accounts() as u32,
            ranked: self.scheduler.fleet.ranking().len(),
            ranked_s_ago: self.scheduler.ranked_s_ago(now),
            scheduling: scheduling(&self.settings.tuning),
            last_draw: None,
            recomputations: self.recomputations(),
            jobs,
        }
    }

    /// What was computed again since the start, and what waits for it.
    fn recomputations(&self) -> Recomputations {
        Recomputations {
            waiting: self.referee.waiting(),
            to_check: self.referee.samples.waiting(),
            ..self.referee.counts
        }
    }

    /// How many devices are connected and admitted.
    pub fn connected_count(&self) -> u32 {
        self.devices.connected_devices()
    }

    /// Up to so many devices from a position in the list of all that are known: those that are ranked by
    /// rank, then the others.
    pub fn grid_devices(&self, now: Tick, first: u32, most: u32) -> Vec<DeviceState> {
        let listed = self.scheduler.fleet.ranking().listed(first);
        listed
            .filter_map(|number| self.device_state(now, number))
            .take(most as usize)
            .collect()
    }

    /// How many of the ranked devices that meet what a job would ask for had how many faulty tasks among
    /// their last 20.
    pub fn grid_rates(&self, asking: &Asking) -> Vec<u32> {
        let needs = needs_of(asking);
        let mut counts = vec![0; FAULT_RATES];
        for faulty in self.scheduler.fleet.ranking().faulty_tasks(&needs) {
            if let Some(count) = counts.get_mut(usize::from(faulty)) {
                *count += 1;
            }
        }
        counts
    }

    /// How many of the connected devices meet what a job would ask for, and may have something of it: now,
    /// or when what is against them has passed.
    pub fn grid_matching(&self, asking: &Asking) -> Matching {
        let needs = needs_of(asking);
        let any_bond = Needs {
            cover: Cover::default(),
            ..needs
        };
        let any_memory = Needs {
            memory: Memory::default(),
            ..needs
        };
        let mut matching = Matching {
            bond: bonds::needed(bonds::gain(asking.task, asking.agreement, asking.terms)),
            ..Matching::default()
        };
        let mut accounts = BTreeSet::new();
        for (_, known) in self.devices.all().filter(|(_, known)| known.connected) {
            matching.of += 1;
            let flags = self.scheduler.fleet.flags(known.number, self.latest);
            if LASTING.into_iter().any(|flag| flags.has(flag)) {
                continue;
            }
            let traits = self.scheduler.fleet.traits(known.number);
            if needs.are_met_by(traits) {
                matching.devices += 1;
                accounts.insert(&known.account);
            } else if any_bond.are_met_by(traits) {
                matching.short_of_bond += 1;
            } else if any_memory.are_met_by(traits) {
                matching.short_of_memory += 1;
            }
        }
        matching.accounts = accounts.len() as u32;
        matching
    }

    /// A device as the scheduler sees it; nothing if it is forgotten.
    pub(super) fn device_state(&self, now: Tick, number: u32) -> Option<DeviceState> {
        let fleet = &self.scheduler.fleet;
        let (device, (_, account)) = (fleet.device(number)?, fleet.account(number)?);
        let report = fleet.report(number, now)?;
        let known = self.devices.get(&device);
        let (parts, vitals) = (&report.parts, &report.vitals);
        let (traits, rank) = (fleet.traits(number), fleet.rank_of(number));
        let dispatch = &self.scheduler.dispatch;
        // Who is not ranked stands in none, nor who lacks what a job asks for.
        let jobs = dispatch.jobs().filter(|_| rank.is_some());
        let pools = jobs
            .filter(|job| dispatch.is_for(*job, traits, rank))
            .filter_map(|job| {
                let target = dispatch.target(job)?;
                Some(DevicePool {
                    job,
                    pool: target.pool_of(rank) + 1,
                    pools: target.pools().max(1),
                })
            })
            .take(DEVICE_POOLS_MAX)
            .collect();
        Some(DeviceState {
            position: fleet.ranking().position_of(number).unwrap_or_default(),
            device,
            account: account.clone(),
            connected: known.is_some_and(|known| known.connected),
            byte_rank: report.byte_rank,
            ranked: fleet.ranking().len(),
            ranked_s_ago: self.scheduler.ranked_s_ago(now),
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
            in_hand_max: self.in_hand_max(now, &device).into(),
            software: known.map_or_else(String::new, |known| known.telemetry.software.clone()),
            classes: known.map_or_else(Vec::new, |known| known.telemetry.classes()),
            machine: known.map_or_else(MachineFacts::default, |known| {
                facts(&known.telemetry.machine)
            }),
            claimed: known.map_or_else(Claimed::default, |known| claimed(&known.telemetry.state)),
            measured: Measured {
                down_mbps: vitals.down_mbps(),
                up_mbps: vitals.up_mbps(),
                latency_ms: vitals.latency_ms(),
                processor_rate: vitals.processor_rate(),
                owes_benchmark: self.has_not_answered(now, number, known),
            },
            pools,
        })
    }
}

/// What a job would ask of devices, as the scheduler has it.
fn needs_of(asking: &Asking) -> Needs {
    let memory = Memory::for_task(asking.memory_bytes);
    let gain = bonds::gain(asking.task, asking.agreement, asking.terms);
    needs(&asking.preferences, asking.class, memory, gain)
}

/// How tasks are dealt and watched, as everybody is told.
fn scheduling(tuning: &Tuning) -> Scheduling {
    let pools = PoolsAtLeast {
        capacity: tuning.pool_capacity_min,
        devices: tuning.pool_size_min,
    };
    let (dealing, pools) = match tuning.policy {
        Policy::OneQueue => (Dealing::OneQueue, None),
        Policy::MergedPools => (Dealing::MergedPools, Some(pools)),
        Policy::Pools => (Dealing::Pools, Some(pools)),
    };
    Scheduling {
        dealing,
        pools,
        spares_the_slow: tuning.spares_the_slow,
        backs_up: tuning.backs_up,
        delayed_percent: tuning.delayed_percent,
        stale_percent: tuning.stale_percent,
        delayed_ms_min: tuning.delayed_ms_min,
        stale_ms_min: tuning.stale_ms_min,
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
    let line = match state.line {
        Line::Unknown => None,
        Line::Fibre => Some("fibre"),
        Line::Cable => Some("cable"),
        Line::Dsl => Some("dsl"),
        Line::Satellite => Some("satellite"),
        Line::Mobile => Some("mobile"),
        Line::Other => Some("other"),
    };
    Claimed {
        line: line.map(str::to_owned),
        free_ram_mib: state.free_ram_mib,
        free_storage_mib: state.free_storage_mib,
        free_cpu_percent: tenths(state.free_cpu_permille),
        task_memory_mib: state.task_memory_mib,
        battery_percent: tenths(state.battery_permille),
        is_charging: state.is_charging,
        temperature_celsius: state.temperature_decicelsius.map(|it| f64::from(it) / 10.0),
    }
}
