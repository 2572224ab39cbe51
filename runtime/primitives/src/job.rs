//! A job: what its owner submits, and what the chain keeps of it.

mod preferences;

pub use preferences::{HardwareSet, LineSet, Preferences, RegionSet};

use crate::{
    amount::Amount,
    device::Class,
    hash::sha256,
    ids::{
        AccountId, BatchSequence, BlockNumber, Digest, GenesisHash, JobId, ProgramHash, SealingKey,
        TaskIndex,
    },
    limits,
    params::Terms,
    receipt::Exit,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A number the owner picks so that two of their jobs never share a name.
pub type Salt = [u8; 16];

/// A job's name: SHA-256 over a tag, the chain's genesis, the owner and the owner's salt. The owner
/// knows it before submitting, because the job's sealed data are bound to it.
pub fn job_id(genesis: &GenesisHash, owner: &AccountId, salt: &Salt) -> JobId {
    let owner: &[u8; 32] = owner.as_ref();
    JobId(sha256(&[b"quern/job-id/1", &genesis.0, owner, salt]))
}

/// How many devices' word is wanted for an answer.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Agreement {
    /// One replica, believed. Cheap, fast, and no protection against a lying device.
    Single,
    /// An odd number of replicas on devices of different accounts; the answer given by more than
    /// half of them is accepted.
    Majority {
        /// Replicas of each task: odd, from 3 to [`limits::REPLICAS_PER_TASK_MAX`].
        replicas: u8,
    },
    /// Two replicas on devices of different accounts, whose answer is accepted if it is one. If they
    /// differ, a referee computes the task; only where none can be had, it is voted.
    #[default]
    Unanimous,
    /// One replica, whose device is believed the more often the more of its answers were accepted in a
    /// row, see [`limits::TRUSTED_ROW_MIN`]. Where it is not, a second is asked for, and it goes on as
    /// with [`Self::Unanimous`].
    Adaptive,
}

impl Agreement {
    /// Replicas that each task starts with.
    pub fn replicas(&self) -> u8 {
        match self {
            Self::Single | Self::Adaptive => 1,
            Self::Majority { replicas } => *replicas,
            Self::Unanimous => 2,
        }
    }

    /// The fewest equal answers, from different accounts, that can make an answer accepted.
    pub fn quorum(&self) -> u8 {
        (self.replicas() / 2).saturating_add(1)
    }

    /// Whether devices commit themselves to their results before any of them reveals one. Where one device
    /// is asked at first there is nobody who could copy, and nobody to wait for.
    pub fn commits(&self) -> bool {
        match self {
            Self::Single => false,
            Self::Majority { .. } | Self::Unanimous | Self::Adaptive => true,
        }
    }

    /// Whether the number of replicas is one that can decide.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Single | Self::Unanimous | Self::Adaptive => true,
            Self::Majority { replicas } => {
                *replicas >= 3 && replicas % 2 == 1 && *replicas <= limits::REPLICAS_PER_TASK_MAX
            }
        }
    }
}

/// How many masternodes compute a task that devices differ on.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Referees {
    /// One, which is believed.
    #[default]
    One,
    /// Three, of which two have to say the same.
    Three,
}

impl Referees {
    /// How many are asked at a time, if the job's group has as many beside the one that asks.
    pub fn asked(self) -> usize {
        match self {
            Self::One => 1,
            Self::Three => limits::REFEREES_MAX as usize,
        }
    }

    /// How many have to say the same for it to be the truth, where the job's group has so many masternodes
    /// beside the one that asks: two of three, which is more than half of those that answered, whether two
    /// of them did or all. Where there is one other its word alone counts, and where there is none the
    /// asking one's own.
    pub fn quorum(self, others: usize) -> usize {
        match (self, others) {
            (Self::One, _) | (Self::Three, 0 | 1) => 1,
            (Self::Three, _) => limits::REFEREES_AGREEING_MIN as usize,
        }
    }
}

/// How much the owner pays for being served sooner.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum ByteLevel {
    /// Cheaper, later.
    Low,
    /// The usual.
    #[default]
    Balanced,
    /// Dearer, sooner.
    High,
}

/// What an owner hands in. Data and program travel beside the chain; here are their digests.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Submission {
    /// Makes the job's name unique among the owner's, see [`job_id`].
    pub salt: Salt,
    /// The program that every task runs.
    pub program: ProgramHash,
    /// Digest of the sealed manifest: arguments, shard sizes, roots and wrapped keys.
    pub manifest: Digest,
    /// Merkle root over the chunk roots of the job's sealed shards.
    pub shards_root: Digest,
    /// Commits to the job's key without telling it.
    pub key_commitment: Digest,
    /// Tasks, which is also the number of shards; from 1 to [`limits::TASKS_PER_JOB_MAX`].
    pub tasks: u32,
    /// Plaintext bytes of all shards together.
    pub input_bytes: u64,
    /// Fuel one task may use; escrow covers it for every task.
    pub fuel_per_task_max: u64,
    /// Memory one task may use.
    pub memory_bytes_max: u64,
    /// Plaintext bytes one task's result may have.
    pub result_bytes_max: u32,
    /// How many devices must agree on an answer.
    pub agreement: Agreement,
    /// How many masternodes have to compute a task on which they do not.
    #[cfg_attr(feature = "std", serde(default))]
    pub referees: Referees,
    /// Which machines may be compared with each other.
    pub class: Class,
    /// What is asked of the devices beside it.
    pub preferences: Preferences,
    /// Price and priority.
    pub level: ByteLevel,
    /// The last block in which the job may be settled; after it anyone may call the refund.
    pub deadline: BlockNumber,
    /// The quote the owner saw. Submission fails when the chain's own quote is higher.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub price_max: Amount,
    /// The owner's X25519 key, for what is sealed to the owner alone.
    pub owner_sealing_key: SealingKey,
}

/// Why a job ended.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum JobEnd {
    /// Every task is settled.
    AllSettled,
    /// The devices agree that the program itself fails; the rest of the job would only fail too.
    ProgramFailed {
        /// The first task on which it failed.
        task: TaskIndex,
        /// How it failed.
        exit: Exit,
    },
    /// The owner cancelled, and what was finished is settled.
    OwnerCancelled,
    /// The deadline passed.
    DeadlinePassed,
    /// No answer to a task has a majority, and none would get one from as many devices as a task
    /// may have.
    Undecided {
        /// The task.
        task: TaskIndex,
    },
    /// A batch was proved wrong, and no masternode was left to go on.
    BatchStruck,
}

/// Why a job cannot go on, as its coordinator says of one task.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub enum Failure {
    /// The devices agree that the program fails on it, and how.
    Program(Exit),
    /// No answer has a majority, and none would get one from as many devices as a task may have. Who
    /// is wrong is not known, so nobody is found at fault.
    Undecided,
}

/// Where a job stands. Each state has a deadline, and is left for a reason that is on record.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "state", rename_all = "snake_case")
)]
pub enum JobState {
    /// In escrow; the coordinator is drawn in the next block.
    Submitted,
    /// Being computed.
    Running {
        /// The masternode in charge.
        coordinator: AccountId,
    },
    /// Cancelled by its owner; the coordinator may still settle what was finished.
    Cancelling {
        /// The masternode in charge.
        coordinator: AccountId,
        /// The last block in which it may settle.
        until: BlockNumber,
    },
    /// Nothing more of it is settled; it is over when the last of its batches is final.
    Settling {
        /// The masternode in charge.
        coordinator: AccountId,
        /// Why nothing more is settled, and so how it will have ended.
        end: JobEnd,
        /// The last block in which anything may be settled after a batch was struck, if its owner had
        /// cancelled it before; what is left of it is not computed.
        cancelled: Option<BlockNumber>,
    },
    /// Over: the work was done, or it was found that it cannot be.
    Completed {
        /// Which of these.
        end: JobEnd,
    },
    /// Over: the owner cancelled.
    Cancelled,
    /// Over: the deadline passed first.
    Expired,
}

impl JobState {
    /// Whether money is still held for the job.
    pub fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Submitted
                | Self::Running { .. }
                | Self::Cancelling { .. }
                | Self::Settling { .. }
        )
    }

    /// Whether tasks may still be computed and settled.
    pub fn goes_on(&self) -> bool {
        matches!(
            self,
            Self::Submitted | Self::Running { .. } | Self::Cancelling { .. }
        )
    }

    /// How it ended, or will have ended when its last batch is final; none while it goes on.
    pub fn end(&self) -> Option<JobEnd> {
        match self {
            Self::Submitted | Self::Running { .. } | Self::Cancelling { .. } => None,
            Self::Settling { end, .. } | Self::Completed { end } => Some(*end),
            Self::Cancelled => Some(JobEnd::OwnerCancelled),
            Self::Expired => Some(JobEnd::DeadlinePassed),
        }
    }

    /// The last block in which anything may be settled, if the owner has cancelled it and it is open.
    pub fn cancelled(&self) -> Option<BlockNumber> {
        match self {
            Self::Cancelling { until, .. } => Some(*until),
            Self::Settling { cancelled, .. } => *cancelled,
            _ => None,
        }
    }

    /// The masternode in charge, while there is one.
    pub fn coordinator(&self) -> Option<&AccountId> {
        match self {
            Self::Running { coordinator }
            | Self::Cancelling { coordinator, .. }
            | Self::Settling { coordinator, .. } => Some(coordinator),
            _ => None,
        }
    }
}

/// A job's money. `paid + network + refunded + pending + held = deposited`, always.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Escrow {
    /// What the owner put in.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub deposited: Amount,
    /// What workers got.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub paid: Amount,
    /// What operators and treasury got.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub network: Amount,
    /// What went back to the owner.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub refunded: Amount,
    /// What settled batches spend that are not final yet. Nobody has it, and nothing of it goes back.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub pending: Amount,
    /// What is still held, beside that.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub held: Amount,
}

/// The prices a job was submitted under; later changes do not touch it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Prices {
    /// Price of 10^9 units of fuel at level balanced with one replica.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub gigafuel: Amount,
    /// Least price of an accepted task at level balanced with one replica, whatever its fuel.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub task_min: Amount,
    /// Thousandths added to the price by each replica after the first.
    pub replica_permille: u32,
    /// Thousandths of the balanced price at level low.
    pub low_permille: u32,
    /// Thousandths of the balanced price at level high.
    pub high_permille: u32,
}

/// A job as the chain keeps it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Job {
    /// Who pays.
    pub owner: AccountId,
    /// What was submitted.
    pub submission: Submission,
    /// The prices that hold for it.
    pub prices: Prices,
    /// The terms that hold for its money.
    pub terms: Terms,
    /// When it was submitted.
    pub submitted_at: BlockNumber,
    /// Where it stands.
    pub state: JobState,
    /// Its money.
    pub escrow: Escrow,
    /// Tasks settled so far, also by batches that are not final yet.
    pub settled_tasks: u32,
    /// The sequence number that the next batch must have; also the number of batches so far, those
    /// that were struck among them.
    pub next_batch: BatchSequence,
    /// Batches that are settled and not final yet.
    pub pending_batches: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    fn majority(replicas: u8) -> Agreement {
        Agreement::Majority { replicas }
    }

    #[test]
    fn an_agreement_is_encoded_by_its_place_in_the_list() {
        let encoded: Vec<_> = [
            Agreement::Single,
            majority(3),
            Agreement::Unanimous,
            Agreement::Adaptive,
        ]
        .iter()
        .map(Encode::encode)
        .collect();
        assert_eq!(encoded, [vec![0], vec![1, 3], vec![2], vec![3]]);
        assert!(Agreement::decode(&mut &[4u8][..]).is_err());
    }

    #[test]
    fn who_names_no_agreement_has_two_devices_that_must_agree() {
        let agreement = Agreement::default();
        assert_eq!(agreement, Agreement::Unanimous);
        assert_eq!((agreement.replicas(), agreement.quorum()), (2, 2));
    }

    #[test]
    fn an_adaptive_job_begins_with_one_replica_that_may_be_enough() {
        let agreement = Agreement::Adaptive;
        assert_eq!((agreement.replicas(), agreement.quorum()), (1, 1));
        assert!(agreement.is_valid());
    }

    #[test]
    fn who_asks_for_no_referees_has_one_and_three_are_encoded_behind_it() {
        assert_eq!(Referees::default(), Referees::One);
        let encoded = [Referees::One, Referees::Three].map(|it| it.encode());
        assert_eq!(encoded, [vec![0], vec![1]]);
        assert!(Referees::decode(&mut &[2u8][..]).is_err());
    }

    #[test]
    fn one_referee_is_believed_and_of_three_two_wherever_there_are_two() {
        for others in 0..10 {
            assert_eq!(Referees::One.quorum(others), 1);
            let quorum = Referees::Three.quorum(others);
            assert_eq!(quorum, others.clamp(1, 2));
            // However many of those that are asked answer, it is more than half of them.
            let answering = Referees::Three.asked().min(others.max(1));
            assert!(2 * quorum > answering);
        }
        assert_eq!(
            [Referees::One, Referees::Three].map(Referees::asked),
            [1, 3]
        );
    }

    #[test]
    fn only_an_odd_number_of_at_least_three_is_a_majority() {
        for replicas in 0..=u8::MAX {
            let can_decide = (3..=limits::REPLICAS_PER_TASK_MAX).contains(&replicas);
            let is_odd = replicas & 1 == 1;
            assert_eq!(majority(replicas).is_valid(), can_decide && is_odd);
        }
        assert_eq!(majority(5).quorum(), 3);
    }
}
