//! A device: the worker's own core, on a machine that is simulated.

mod character;
mod ends;
mod life;
mod silence;
mod storage;
mod transfers;

use super::{
    Way,
    asks::{ALLOWED_MIB, Facts, MIB, accounts_wanted, one_of},
    chain::{Chain, FIRST_BLOCK},
    config::Config,
    deaths::Place,
    network::Link,
    words::Names,
    work::{ENGINE, GENESIS, Made, Says, Work},
};
use crate::population::{self, DeviceSpec, spread};
use character::Character;
use ends::Death;
use quern_primitives::{
    amount::{Amount, BYTECHIP},
    device::{Class, Device, Line, Region},
    ids::{AccountId, BlockNumber, DeviceId, Digest, RevealSalt, SealingKey, TaskIndex},
    log::{Commitment, SignedCommitment},
    payload::DeviceKey,
    receipt::Receipt,
};
use quern_protocol::{Assignment, Held, ReplicaId, Response, State};
use quern_shards::{
    context::ResultContext,
    result::{result_commitment, seal_result},
};
use quern_worker::core::{Core, CoreSettings, Fault, Finished, Sealed, Tick};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};
use storage::Storage;

/// The masternode's network key.
const MASTERNODE: DeviceId = DeviceId([5; 32]);

/// What shows that a shard is where it should be: of shards there are no bytes here.
pub(super) const SHOWN: Digest = Digest([0x5d; 32]);

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

/// How often a run halts on a device on which some do, in thousandths; and for how long, in milliseconds. A
/// masternode takes the task back before, unless an ordinary desktop would need half a minute for it.
const HALTING_PERMILLE: u32 = 300;
const HALTED_MS: u64 = 20 * 60_000;

/// How long a device says that it is at a task that means never to answer, in milliseconds: longer than any
/// job takes.
const FEIGNED_MS: u64 = 7 * 24 * 60 * 60_000;

/// Of so many tasks one has a result that is delivered in pieces.
const IN_PIECES: TaskIndex = 7;

/// Charge and temperature of a machine that is weak, in thousandths and in tenths of a degree Celsius.
const LOW_PERMILLE: u16 = 50;
const HOT_DECICELSIUS: i16 = 950;

/// The least charge and the highest temperature with which machines are used, in the same units.
const PERMILLE_MIN: u16 = 100;
const DECICELSIUS_MAX: i16 = 900;

/// What the speeds of lines and memory are drawn from beside the seed, so that they change nobody's luck.
const APART: u64 = 0x6c69_6e65_7321_2121;

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
    RunsLow,
    IsCharged,
    GetsHot,
    CoolsDown,
    /// It begins a task, and says nothing any more for a while.
    FallsSilent,
    /// Its clock jumps.
    Jumps,
    /// It becomes another device.
    Shifts,
    Leaves,
}

/// A device.
#[derive(Clone)]
pub(super) struct Machine {
    number: u32,
    /// The number of the device that this machine was first.
    first: u32,
    pub(super) id: DeviceId,
    key: DeviceKey,
    spec: DeviceSpec,
    /// How fast its line is to it and from it, in megabits a second.
    mbps: [f64; 2],
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
    is_low: bool,
    is_hot: bool,
    /// How far its clock has jumped since it was switched on, in milliseconds.
    jumped_ms: i64,
    /// The latest time that its clock told.
    latest: u64,
    /// What it was given, until it has run.
    given: BTreeMap<ReplicaId, Assignment>,
    /// The sandbox's queue; what runs is not in it.
    queue: VecDeque<ReplicaId>,
    running: Option<Running>,
    /// The number of the benchmark's run, while one runs.
    benchmarking: Option<u64>,
    /// Counts runs, so that the end of one that was stopped is told apart.
    runs: u64,
    /// Tasks that it has run to their end.
    answered: u32,
    /// What outlives its worker.
    storage: Storage,
    /// It dies among what it does next.
    dies_soon: Option<(Death, Place)>,
}

/// What runs in the sandbox.
#[derive(Clone, Copy, Debug)]
struct Running {
    id: ReplicaId,
    /// The number of its run.
    run: u64,
    /// When it began, in milliseconds of the world's time.
    since: u64,
}

/// All devices of a run, registered.
pub(super) fn all(
    config: &Config,
    names: &mut Names,
    chain: &mut Chain,
    chance: &mut StdRng,
) -> Vec<Machine> {
    let mut machines = Vec::new();
    let mut apart = StdRng::seed_from_u64(config.seed ^ APART);
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
        let key = key(config, number);
        let id = key.id();
        let mut name = [0xac; 32];
        name[..4].copy_from_slice(&account.to_be_bytes());
        let owner = AccountId::new(name);
        names.add_device(id, number);
        names.add_account(owner.clone(), account);
        let facts = Facts {
            account: owner,
            is_trusted: chance.random_range(0..1_000u32) < config.trusted,
            region: one_of(REGIONS, chance),
            hardware: spec.hardware,
            is_covered,
            memory_mib: one_of(ALLOWED_MIB, &mut apart),
        };
        // Some time in the day before the run, for the lottery; never if it is 0.
        let last_task = chance.random_range(0..=FIRST_BLOCK);
        let device = registered(&facts, last_task);
        chain.register(id, device, facts.is_trusted, facts.bond());
        let character = match Character::drawn(&config.faults, chance) {
            // The council verifies nobody who fails or lies.
            drawn if drawn.is_only_late() || !facts.is_trusted => drawn,
            _ => Character::Honest,
        };
        machines.push(Machine {
            number,
            first: number,
            id,
            key,
            spec,
            mbps: mbps(spec, &mut apart),
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
            is_low: false,
            is_hot: false,
            jumped_ms: 0,
            latest: 0,
            given: BTreeMap::new(),
            queue: VecDeque::new(),
            running: None,
            benchmarking: None,
            runs: 0,
            answered: 0,
            storage: Storage::default(),
            dies_soon: None,
        });
    }
    machines
}

/// The key of the device with this number.
fn key(config: &Config, number: u32) -> DeviceKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&config.seed.to_le_bytes());
    seed[8..12].copy_from_slice(&number.to_le_bytes());
    DeviceKey::from_seed(&seed)
}

/// A device as its account registers it, of which the last batch that named it was in this block.
fn registered(facts: &Facts, last_task: BlockNumber) -> Device {
    let (account, key) = (facts.account.clone(), SealingKey([1; 32]));
    Device {
        last_task,
        ..Device::new(account, key, facts.region, facts.hardware)
    }
}

impl Facts {
    /// What its account bonds for a device.
    fn bond(&self) -> Amount {
        BONDS[usize::from(!self.is_covered)]
    }
}

/// How fast a machine's line is to it and from it, in megabits a second.
fn mbps(spec: DeviceSpec, chance: &mut StdRng) -> [f64; 2] {
    let known = population::readings(spec.hardware, chance);
    [known.down_mbps, known.up_mbps].map(|mbps| mbps.unwrap_or(1.0))
}

/// How long so much fuel takes at a speed in fuel per millisecond, in milliseconds.
fn takes_ms(fuel: u64, speed: f64, chance: &mut StdRng) -> u64 {
    let usual = fuel as f64 / speed;
    ((usual * spread(JITTER, chance)) as u64).max(1)
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
        line: LINES[chance.random_range(0..LINES.len() as u32) as usize],
        free_ram_mib: Some(chance.random_range(500..16_000)),
        free_storage_mib: Some(chance.random_range(1_000..500_000)),
        free_cpu_permille: Some(chance.random_range(300..=1_000)),
        ..State::default()
    }
}

/// Why a machine that tells this is to be left alone, if it is.
pub(super) fn unfit(state: &State) -> Option<&'static str> {
    let charge = state.battery_permille.unwrap_or(PERMILLE_MIN);
    let is_low = charge < PERMILLE_MIN && state.is_charging != Some(true);
    let is_hot = state.temperature_decicelsius > Some(DECICELSIUS_MAX);
    match () {
        () if !state.unavailable.is_empty() => Some("its worker does not offer it"),
        () if is_low => Some("its battery is low"),
        () if is_hot => Some("it is too hot"),
        () => None,
    }
}

impl Machine {
    /// The machine, which is off, as a device of another number that owes nothing.
    fn as_another(&self, config: &Config, number: u32) -> Self {
        let key = key(config, number);
        Self {
            number,
            id: key.id(),
            key,
            cuts: 0,
            storage: Storage::default(),
            ..self.clone()
        }
    }

    /// What its clock tells now: milliseconds since it was switched on, and never less than before.
    fn tick(&mut self, now: u64) -> Tick {
        let elapsed = now.saturating_sub(self.started);
        let told = elapsed.saturating_add_signed(self.jumped_ms);
        self.latest = self.latest.max(told);
        Tick(self.latest)
    }

    /// When its clock tells this time.
    fn when(&self, tick: Tick) -> u64 {
        let elapsed = tick.0.saturating_add_signed(-self.jumped_ms);
        self.started.saturating_add(elapsed)
    }

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
            memory_bytes_max: self.facts.memory_mib * MIB,
            stop_grace_ms: 30_000,
            once: false,
            seed: self.seed ^ u64::from(self.life),
        }
    }

    /// What it says of a task. As whatever device, it tells the same lie.
    fn says(&self, task: TaskIndex) -> Says {
        self.character.says(self.first, task)
    }

    fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    /// Whether it tells the common lie of every task at once.
    pub(super) fn rushes(&self) -> bool {
        self.character == Character::Rushing
    }

    /// In which of the seven ways it means harm, if it is one of these.
    pub(super) fn way(&self) -> Option<Way> {
        self.character.way()
    }

    /// How fast it computes tasks, in fuel per millisecond.
    pub(super) fn speed(&self) -> f64 {
        match self.character {
            Character::Sluggish => self.spec.speed / SLOWNESS,
            _ => self.benchmark_speed(),
        }
    }

    /// How fast it computes a benchmark, in the same unit.
    fn benchmark_speed(&self) -> f64 {
        match self.character {
            Character::Slow => self.spec.speed / SLOWNESS,
            _ => self.spec.speed,
        }
    }

    /// How long it takes for a task of so much fuel, in milliseconds.
    fn task_ms(&self, fuel: u64, chance: &mut StdRng) -> u64 {
        takes_ms(fuel, self.speed(), chance)
    }

    /// How long it takes for a benchmark of so much fuel, in milliseconds.
    fn benchmark_ms(&self, fuel: u64, chance: &mut StdRng) -> u64 {
        takes_ms(fuel, self.benchmark_speed(), chance)
    }

    /// For how long a task that it begins halts, in milliseconds, if it does.
    fn halts_ms(&self, chance: &mut StdRng) -> Option<u64> {
        match self.character {
            Character::Halting if chance.random_range(0..1_000u32) < HALTING_PERMILLE => {
                Some(HALTED_MS)
            }
            Character::Feigning => Some(FEIGNED_MS),
            _ => None,
        }
    }

    /// What shows that it has the shard of a task that it was given.
    fn held(&self, id: ReplicaId) -> Held {
        let given = self.given.get(&id);
        Held {
            id,
            log_position: given.map_or(0, |assignment| assignment.log_position),
            shown: SHOWN,
        }
    }

    /// What it answers to a task that it has run, of which it says this. None if its result cannot be
    /// sealed.
    fn answer(&self, work: &Work, assignment: &Assignment, says: Says) -> Option<Finished> {
        let ReplicaId { job, task, replica } = assignment.id;
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
            question: Digest([46; 32]),
            result_commitment: sealed.commitment,
            output_root: sealed.chunk_root,
            result_bytes: result.len() as u64,
            fuel,
            exit,
            class: assignment.class,
            engine: ENGINE,
            log_position: assignment.log_position,
            salt: self.salt(assignment.log_position),
        };
        let commits = assignment.commits;
        let commitment = commits.then(|| self.commits(work, &receipt));
        let bytes = sealed.bytes.len() as u64;
        Some(Finished {
            shown: SHOWN,
            receipt: self.key.sign(receipt, &GENESIS),
            commitment,
            sealed: match task % IN_PIECES {
                0 => Sealed::Kept { bytes },
                _ => Sealed::Here(sealed.bytes),
            },
        })
    }

    /// What it commits itself to before it states this.
    fn commits(&self, work: &Work, receipt: &Receipt) -> SignedCommitment {
        let commitment = match self.character {
            Character::TwoFaced => {
                let key = work.shard_key(receipt.task);
                let other = work.made(receipt.task, Says::OwnLie(self.first)).result;
                let other = result_commitment(&key, &receipt.job, receipt.task, &other);
                Commitment::to(&other, &receipt.salt, &self.id)
            }
            // Such a one has another device in it.
            Character::Copying => {
                let other = DeviceId([0xcc; 32]);
                Commitment::to(&receipt.result_commitment, &receipt.salt, &other)
            }
            _ => receipt.commitment(),
        };
        let commitment = Commitment {
            job: receipt.job,
            task: receipt.task,
            replica: receipt.replica,
            device: self.id,
            log_position: receipt.log_position,
            commitment,
        };
        self.key.sign(commitment, &GENESIS)
    }

    /// What hides its result in its commitment. It is drawn from its name and place of the log, for
    /// nobody guesses here.
    fn salt(&self, log_position: u64) -> RevealSalt {
        let mut salt = self.id.0;
        salt[..8].copy_from_slice(&log_position.to_le_bytes());
        RevealSalt(salt)
    }
}
