//! A chain with devices, and how a log is written and followed on it.

use quern_job_rules::pay::PRICES_AT_GENESIS;
use quern_joblog::{Entry, LogBuilder, Replay, SignedBlock};
use quern_primitives::{
    device::Class,
    ids::{
        AccountId, BlockNumber, DeviceId, Digest, GenesisHash, JobId, NodeKey, ProgramHash,
        SealingKey,
    },
    job::{Agreement, ByteLevel, Escrow, Job, JobState, Preferences, Referees, Submission},
    lanes::{self, Draw, LANES_MAX},
    merkle::Tree,
    params::Terms,
    payload::{DeviceKey, NodeSecret},
};
use quern_recheck::{ChainFacts, DeviceFacts, Recheck, RecheckFault};

pub(crate) const HERE: GenesisHash = GenesisHash([1; 32]);
pub(crate) const JOB: JobId = JobId([2; 32]);
pub(crate) const SEED: [u8; 32] = [3; 32];
pub(crate) const LANE_SEED: Digest = Digest([5; 32]);
pub(crate) const COORDINATOR: AccountId = AccountId::new([4; 32]);
pub(crate) const FUEL_MAX: u64 = 1_000_000_000_000;

/// From this height on the job has another coordinator.
pub(crate) const TAKEN_OVER_AT: BlockNumber = 500;

/// Devices of the grid: two of each account.
pub(crate) const DEVICES: usize = 40;

/// What has no chance in it but a seed.
#[derive(Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

pub(crate) fn node() -> NodeSecret {
    NodeSecret::from_seed(&[5; 32])
}

pub(crate) fn referee() -> NodeSecret {
    NodeSecret::from_seed(&[6; 32])
}

/// Who takes the job over at [`TAKEN_OVER_AT`].
pub(crate) fn successor() -> NodeSecret {
    NodeSecret::from_seed(&[14; 32])
}

pub(crate) fn device_key(device: usize) -> DeviceKey {
    DeviceKey::from_seed(&[100 + device as u8; 32])
}

pub(crate) fn account(device: usize) -> AccountId {
    AccountId::new([50 + device as u8 / 2; 32])
}

/// The chain of these tests: nothing on it changes.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) job: Job,
    devices: Vec<DeviceId>,
    /// Masternodes beside the one that writes the log.
    pub(crate) others: usize,
    /// What the job's lanes follow from, if that is known.
    pub(crate) lane_seed: Option<Digest>,
}

impl Facts {
    pub(crate) fn new(agreement: Agreement, tasks: u32) -> Self {
        let submission = Submission {
            salt: [7; 16],
            program: ProgramHash([8; 32]),
            manifest: Digest([9; 32]),
            shards_root: Tree::new(roots(tasks)).root(),
            key_commitment: Digest([10; 32]),
            tasks,
            input_bytes: 1_000,
            fuel_per_task_max: FUEL_MAX,
            memory_bytes_max: 1_000_000,
            result_bytes_max: 1_000,
            agreement,
            referees: Referees::One,
            class: Class::Pinned,
            preferences: Preferences::default(),
            level: ByteLevel::Balanced,
            deadline: 1_000,
            price_max: 1_000_000_000_000,
            owner_sealing_key: SealingKey([11; 32]),
        };
        let job = Job {
            owner: AccountId::new([12; 32]),
            submission,
            prices: PRICES_AT_GENESIS,
            terms: Terms::FIRST,
            submitted_at: 1,
            state: JobState::Running {
                coordinator: COORDINATOR,
            },
            escrow: Escrow::default(),
            settled_tasks: 0,
            next_batch: 0,
            pending_batches: 0,
        };
        let devices = (0..DEVICES).map(|device| device_key(device).id()).collect();
        Self {
            job,
            devices,
            others: 2,
            lane_seed: Some(LANE_SEED),
        }
    }

    /// Answers of a device accepted in a row.
    pub(crate) fn row(device: usize) -> u32 {
        if device < 10 { 5 } else { 20 }
    }
}

/// The chunk roots of the job's shards.
pub(crate) fn roots(tasks: u32) -> Vec<Digest> {
    (0..tasks)
        .map(|task| Digest([200 + task as u8; 32]))
        .collect()
}

impl ChainFacts for Facts {
    fn genesis(&self) -> GenesisHash {
        HERE
    }

    fn job_id(&self) -> JobId {
        JOB
    }

    fn job(&self) -> &Job {
        &self.job
    }

    fn coordinator(&self, at: BlockNumber) -> Option<(AccountId, NodeKey)> {
        match at {
            0..2 => None,
            2..TAKEN_OVER_AT => Some((COORDINATOR, node().public())),
            TAKEN_OVER_AT.. => Some((account(0), successor().public())),
        }
    }

    fn may_referee(&self, by: &NodeKey, writer: &NodeKey) -> bool {
        let group = [referee().public(), node().public(), successor().public()];
        group.contains(by) && by != writer
    }

    fn others(&self) -> Option<usize> {
        Some(self.others)
    }

    fn device(&self, device: &DeviceId, _: BlockNumber) -> Option<DeviceFacts> {
        let number = self.devices.iter().position(|it| it == device)?;
        Some(DeviceFacts {
            account: account(number),
            // The last two are not to be given work, and no honest coordinator gives them any.
            may_work: number < DEVICES - 2,
            accepted_in_a_row: Self::row(number),
        })
    }

    fn engine(&self, _: Class) -> Digest {
        Digest([13; 32])
    }

    fn lane_seed(&self) -> Option<Digest> {
        self.lane_seed
    }

    fn question(&self, _: u32) -> Option<Digest> {
        Some(Digest([46; 32]))
    }
}

/// The most lanes of which one has a replica for an account.
pub(crate) fn lanes_for(job: &Job, by: &AccountId, task: u32, replica: u8) -> u8 {
    let (draw, replicas) = (
        Draw::of(&LANE_SEED.0, by),
        job.submission.agreement.replicas(),
    );
    let can_be = (1..=LANES_MAX)
        .rev()
        .filter(|it| lanes::can_be(*it, replicas));
    let mut its = can_be.filter(|it| draw.is_for(task, replica, *it));
    its.next().unwrap()
}

/// Entries as signed blocks of so many.
pub(crate) fn blocks(entries: &[Entry], per_block: usize) -> Vec<SignedBlock> {
    blocks_by(node(), entries, per_block)
}

/// The same, signed by somebody else.
pub(crate) fn blocks_by(by: NodeSecret, entries: &[Entry], per_block: usize) -> Vec<SignedBlock> {
    let mut builder = LogBuilder::new(HERE, JOB, by);
    entries
        .chunks(per_block)
        .map(|entries| {
            for entry in entries {
                builder.append(entry.clone(), 1).unwrap();
            }
            builder.cut(1).unwrap()
        })
        .collect()
}

pub(crate) fn recheck(facts: &Facts) -> Recheck<Facts> {
    believing(facts).with_trust_seed(SEED)
}

/// The same by who does not have the seed of trust.
pub(crate) fn believing(facts: &Facts) -> Recheck<Facts> {
    let tasks = facts.job.submission.tasks;
    Recheck::new(facts.clone(), roots(tasks), node().public()).unwrap()
}

/// Follows entries in blocks of so many.
pub(crate) fn follow(
    facts: &Facts,
    entries: &[Entry],
    per_block: usize,
) -> Result<Recheck<Facts>, RecheckFault> {
    let mut recheck = recheck(facts);
    for block in blocks(entries, per_block) {
        recheck.take(&block.to_bytes())?;
    }
    Ok(recheck)
}

/// A log that was followed without asking whether it is right.
pub(crate) fn replayed(entries: &[Entry]) -> Replay {
    let mut replay = Replay::new(HERE, JOB, node().public());
    for block in blocks(entries, 7) {
        replay.take(&block.to_bytes()).unwrap();
    }
    replay
}
