//! A device: the worker's own core, on a machine that is simulated.

mod life;

use super::{
    asks::{Facts, accounts_wanted, one_of},
    chain::{Chain, FIRST_BLOCK},
    config::{Config, Faults},
    network::Link,
    words::Names,
    work::{ENGINE, GENESIS, Made, Says, Work},
};
use crate::population::{self, DeviceSpec, spread};
use quern_primitives::{
    amount::{Amount, BYTECHIP},
    device::{Class, Device, History, Record, Region},
    ids::{AccountId, DeviceId, SealingKey, TaskIndex},
    payload::DeviceKey,
    receipt::Receipt,
};
use quern_protocol::{Assignment, Line, ReplicaId, Response, State};
use quern_shards::{context::ResultContext, result::seal_result};
use quern_worker::core::{Core, CoreSettings, Fault, Finished, Restored, Sealed};
use rand::{RngExt as _, rngs::StdRng};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

/// Of a thousand devices, so many belong to the account of the one before.
const SHARED_PERMILLE: u32 = 200;

/// Where devices stand: one in seven does not say.
const REGIONS: [Region; 7] = [
    Region::Unknown,
    Region::Americas,
    Region::Americas,
    Region::Europe,
    Region::Europe,
    Region::AsiaPacific,
    Region::AsiaPacific,
];

/// What is bonded for each device of an account: more than any task may bring, or less than all do.
const BONDS: [Amount; 2] = [1_000_000 * BYTECHIP, 1];

/// How far devices are from the masternode, in milliseconds.
const LATENCY_MS: Range<u64> = 3..80;

/// How much executions of one task on one device differ: the deviation of their time's logarithm.
const JITTER: f64 = 0.03;

/// How much longer a slow device takes.
const SLOWNESS: f64 = 10.0;

/// Of so many tasks one has a result that is delivered in pieces.
const IN_PIECES: TaskIndex = 7;

/// What kind of device it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Character {
    Honest,
    Slow,
    Failing,
    Lying,
    Colluding,
}

impl Character {
    fn drawn(faults: &Faults, chance: &mut StdRng) -> Self {
        let kinds = [
            (Self::Slow, faults.slow),
            (Self::Failing, faults.failing),
            (Self::Lying, faults.lying),
            (Self::Colluding, faults.colluding),
        ];
        let mut drawn = chance.random_range(0..1_000u32);
        for (kind, permille) in kinds {
            if drawn < permille {
                return kind;
            }
            drawn -= permille;
        }
        Self::Honest
    }

    fn says(self, device: u32, task: TaskIndex) -> Says {
        match self {
            Self::Honest | Self::Slow | Self::Failing => Says::TheTruth,
            Self::Lying => Says::OwnLie(device),
            Self::Colluding if task.is_multiple_of(5) => Says::ItTraps,
            Self::Colluding => Says::CommonLie,
        }
    }
}

/// What happens at a device.
pub(super) enum AtDevice {
    Wakes {
        at: u64,
    },
    Connected {
        connection: u64,
    },
    Disconnected {
        connection: u64,
    },
    /// Nothing has come over its connection for long, if it is cut off still.
    HearsNothing,
    Answered {
        connection: u64,
        number: u64,
        answer: Option<Box<Response>>,
    },
    Prepared {
        id: ReplicaId,
        fault: Option<Fault>,
    },
    Ends {
        run: u64,
        fault: Option<Fault>,
    },
    Delivered {
        id: ReplicaId,
    },
    Benchmarked {
        run: u64,
        output: Option<[u8; 8]>,
    },
    Looks,
    OwnerComes,
    OwnerGoes,
    Leaves,
}

/// A device.
pub(super) struct Machine {
    number: u32,
    pub(super) id: DeviceId,
    key: DeviceKey,
    spec: DeviceSpec,
    pub(super) facts: Facts,
    character: Character,
    pub(super) latency_ms: u64,
    state: State,
    seed: u64,
    /// Counts how often it was switched off.
    pub(super) life: u32,
    /// None while it is off.
    core: Option<Core>,
    started: u64,
    /// When it is next woken.
    wake_at: Option<u64>,
    /// The connection that it makes or has.
    pub(super) connection: Option<u64>,
    pub(super) is_connected: bool,
    /// How many partitions cut it off.
    pub(super) cuts: u32,
    is_in_use: bool,
    /// What it was given, until it has run.
    given: BTreeMap<ReplicaId, Assignment>,
    /// The sandbox's queue; what runs is not in it.
    queue: VecDeque<ReplicaId>,
    /// What runs, and the number of its run.
    running: Option<(ReplicaId, u64)>,
    /// The number of the benchmark's run, while one runs.
    benchmarking: Option<u64>,
    /// Counts runs, so that the end of one that was stopped is told apart.
    runs: u64,
    /// Reports that are kept while it is off.
    kept: Vec<Restored>,
}

/// All devices of a run, registered.
pub(super) fn all(
    config: &Config,
    names: &mut Names,
    chain: &mut Chain,
    chance: &mut StdRng,
) -> Vec<Machine> {
    let mut machines = Vec::new();
    let (mut account, mut is_covered) = (0u32, true);
    let specs = population::devices(config.devices, chance);
    for (number, spec) in (0u32..).zip(specs) {
        let is_shared = number > 0 && chance.random_range(0..1_000u32) < SHARED_PERMILLE;
        if !is_shared {
            account += 1;
            // There are always enough for a job to go on.
            let may_lack = account > accounts_wanted(config.replicas);
            is_covered = chance.random_range(0..1_000u32) >= config.bondless || !may_lack;
        }
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&config.seed.to_le_bytes());
        seed[8..12].copy_from_slice(&number.to_le_bytes());
        let key = DeviceKey::from_seed(&seed);
        let id = key.id();
        let mut name = [0xac; 32];
        name[..4].copy_from_slice(&account.to_be_bytes());
        let owner = AccountId::new(name);
        names.add_device(id, number);
        names.add_account(owner.clone(), account);
        let facts = Facts {
            account: owner.clone(),
            is_trusted: chance.random_range(0..1_000u32) < config.trusted,
            region: one_of(REGIONS, chance),
            hardware: spec.hardware,
            is_covered,
        };
        let device = Device {
            account: owner,
            sealing_key: SealingKey([1; 32]),
            region: facts.region,
            hardware: facts.hardware,
            record: Record::default(),
            history: History::default(),
            // Some time in the day before the run, for the lottery; never if it is 0.
            last_task: chance.random_range(0..=FIRST_BLOCK),
            last_review: 0,
        };
        let bond = BONDS[usize::from(!is_covered)];
        chain.register(id, device, facts.is_trusted, bond);
        let character = match Character::drawn(&config.faults, chance) {
            // The council verifies nobody who fails or lies.
            Character::Failing | Character::Lying | Character::Colluding if facts.is_trusted => {
                Character::Honest
            }
            drawn => drawn,
        };
        machines.push(Machine {
            number,
            id,
            key,
            spec,
            facts,
            character,
            latency_ms: chance.random_range(LATENCY_MS),
            state: state(chance),
            seed: chance.random(),
            life: 0,
            core: None,
            started: 0,
            wake_at: None,
            connection: None,
            is_connected: false,
            cuts: 0,
            is_in_use: false,
            given: BTreeMap::new(),
            queue: VecDeque::new(),
            running: None,
            benchmarking: None,
            runs: 0,
            kept: vec![],
        });
    }
    machines
}

/// How a machine is.
fn state(chance: &mut StdRng) -> State {
    const LINES: [Line; 5] = [
        Line::Fibre,
        Line::Cable,
        Line::Dsl,
        Line::Mobile,
        Line::Other,
    ];
    State {
        line: Some(LINES[chance.random_range(0..LINES.len() as u32) as usize]),
        free_ram_mib: Some(chance.random_range(500..16_000)),
        free_storage_mib: Some(chance.random_range(1_000..500_000)),
        free_cpu_permille: Some(chance.random_range(300..=1_000)),
        ..State::default()
    }
}

impl Machine {
    /// The connection that it has.
    pub(super) fn link(&self) -> Option<Link> {
        let connection = self.connection.filter(|_| self.is_connected)?;
        Some(Link {
            device: self.number,
            life: self.life,
            connection,
        })
    }

    fn settings(&self) -> CoreSettings {
        CoreSettings {
            software: b"simulated".to_vec(),
            engines: vec![(Class::Pinned, ENGINE)],
            machine: quern_protocol::Machine::default(),
            memory_bytes_max: 1 << 30,
            stop_grace_ms: 30_000,
            once: false,
            seed: self.seed ^ u64::from(self.life),
        }
    }

    fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    /// How fast it computes, in fuel per millisecond.
    pub(super) fn speed(&self) -> f64 {
        match self.character {
            Character::Slow => self.spec.speed / SLOWNESS,
            _ => self.spec.speed,
        }
    }

    /// How long it takes for so much fuel, in milliseconds.
    fn takes_ms(&self, fuel: u64, chance: &mut StdRng) -> u64 {
        let usual = fuel as f64 / self.speed();
        ((usual * spread(JITTER, chance)) as u64).max(1)
    }

    /// What it answers to a task that it has run. None if its result cannot be sealed.
    fn answer(&self, work: &Work, assignment: &Assignment) -> Option<Finished> {
        let ReplicaId { job, task, replica } = assignment.id;
        let says = self.character.says(self.number, task);
        let Made { exit, fuel, result } = work.made(task, says);
        let context = ResultContext {
            genesis: GENESIS,
            job,
            program: assignment.program,
            task,
            tasks: assignment.shard.count,
            replica,
            device: self.id,
        };
        let sealed = seal_result(&work.shard_key(task), &context, &result).ok()?;
        let receipt = Receipt {
            job,
            task,
            replica,
            device: self.id,
            program: assignment.program,
            input_root: assignment.shard.root,
            result_commitment: sealed.commitment,
            output_root: sealed.chunk_root,
            result_bytes: result.len() as u64,
            fuel,
            exit,
            class: assignment.class,
            engine: ENGINE,
            log_position: assignment.log_position,
        };
        let bytes = sealed.bytes.len() as u64;
        Some(Finished {
            receipt: self.key.sign(receipt, &GENESIS),
            sealed: match task % IN_PIECES {
                0 => Sealed::Kept { bytes },
                _ => Sealed::Here(sealed.bytes),
            },
        })
    }
}
