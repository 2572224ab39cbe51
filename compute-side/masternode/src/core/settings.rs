//! What the core is told once, at the start.

use super::SettleLimits;
use quern_grid::{FleetSettings, LineSpeed, TaskBytes, Tuning};
use quern_primitives::{
    device::Class,
    ids::{BlockNumber, Digest, GenesisHash, NodeKey},
    job::Submission,
    limits,
};
use quern_protocol::Refusal;

/// Fuel per millisecond that the slowest useful device burns, usually.
const FUEL_PER_MS_MIN: u64 = 1_000_000;

/// Time a replica has at the least, usually: the largest program takes the slowest useful line 54 seconds.
const REPLICA_MS_MIN: u64 = 60_000;

/// The engine of each class, as receipts name it. Answers are compared bit for bit, so all devices
/// of a grid run the same one; which one is the masternode's to say, never a device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engines {
    /// Of [`Class::Pinned`].
    pub pinned: Digest,
    /// Of [`Class::Portable`].
    pub portable: Digest,
}

impl Engines {
    /// The engine of a class.
    pub fn of(&self, class: Class) -> Digest {
        match class {
            Class::Pinned => self.pinned,
            Class::Portable => self.portable,
        }
    }

    /// Whether a device runs these engines: it offers at least one, and each is the right one.
    pub fn check(&self, offered: &[(Class, Digest)]) -> Result<(), Refusal> {
        let wrong = offered
            .iter()
            .find(|(class, engine)| self.of(*class) != *engine)
            .map(|(class, _)| *class);
        let none = offered.is_empty().then(Class::default);
        match wrong.or(none) {
            None => Ok(()),
            Some(class) => Err(Refusal::WrongEngine {
                class,
                wanted: self.of(class),
            }),
        }
    }
}

/// Settings of the core.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The chain.
    pub genesis: GenesisHash,
    /// The network key with which the blocks of jobs' logs are signed.
    pub node: NodeKey,
    /// The engines that devices must run.
    pub engines: Engines,
    /// When and how large batches are.
    pub settle: SettleLimits,
    /// How tasks are dealt and watched.
    pub tuning: Tuning,
    /// How devices are scored and when they are too hot.
    pub fleet: FleetSettings,
    /// Fuel per millisecond that the slowest useful device burns; a replica's time follows from it.
    pub fuel_per_ms_min: u64,
    /// Time a replica has at the least, for fetching the program and starting.
    pub replica_ms_min: u64,
    /// How long another device may take up the last replica of a task whose answer is sure without
    /// it, in milliseconds.
    pub certain_ms: u64,
    /// So much longer than a replica may take the referee's word on a task is waited for, in milliseconds.
    pub referee_wait_ms: u64,
    /// Whether settled tasks are drawn to be computed again, as many as their jobs' terms say.
    pub re_executes: bool,
    /// Blocks before a job's deadline in which no replica is given out any more, so that what was
    /// given out can still be settled.
    pub deadline_margin_blocks: BlockNumber,
}

impl Settings {
    /// How long a replica of a job may be out at the least, in milliseconds: as long as it may compute, the
    /// program included, and as the slowest useful line takes for the largest input and result that it may
    /// have.
    pub fn replica_ms(&self, submission: &Submission) -> u64 {
        let bytes = TaskBytes {
            down: submission.input_bytes.min(limits::SHARD_BYTES_MAX.into()),
            up: submission.result_bytes_max.into(),
        };
        self.computing_ms(submission.fuel_per_task_max)
            .saturating_add(LineSpeed::SLOWEST.takes_ms(bytes))
    }

    /// How long a replica may compute that may use so much fuel, in milliseconds.
    pub fn computing_ms(&self, fuel_max: u64) -> u64 {
        self.replica_ms_min
            .saturating_add(fuel_max / self.fuel_per_ms_min.max(1))
    }

    /// How long a task may take that is computed again, until its turn comes included, in milliseconds.
    pub fn recomputing_ms(&self, fuel_max: u64) -> u64 {
        self.computing_ms(fuel_max)
            .saturating_add(self.referee_wait_ms)
    }

    /// What a member of a group takes another one to wait at the least for its word on a task, in milliseconds,
    /// whatever that one says. It is a quarter of what a replica may take, and so less than what is left to whom is
    /// asked last.
    pub(crate) fn referee_ms_min(fuel_max: u64) -> u64 {
        REPLICA_MS_MIN.saturating_add(fuel_max / FUEL_PER_MS_MIN) / 4
    }

    /// The usual settings: ten minutes for the referee; batches of up to 4,096 verdicts, usually at least
    /// every 6 seconds; devices that burn at least 1,000,000 units of fuel a millisecond, a tenth of what
    /// a core of 3 GHz does.
    pub fn new(genesis: GenesisHash, node: NodeKey, engines: Engines) -> Self {
        Self {
            genesis,
            node,
            engines,
            settle: SettleLimits::default(),
            tuning: Tuning::default(),
            fleet: FleetSettings::default(),
            fuel_per_ms_min: FUEL_PER_MS_MIN,
            replica_ms_min: REPLICA_MS_MIN,
            certain_ms: 30_000,
            referee_wait_ms: 600_000,
            re_executes: true,
            deadline_margin_blocks: 10,
        }
    }
}
