//! What can be wrong with what a log says, and which dispute that is.

use quern_job_rules::tasks::TaskSetError;
use quern_joblog::LogFault;
use quern_primitives::{
    amount::Amount,
    batch::LogRange,
    device::RecordChange,
    ids::{AccountId, BatchSequence, DeviceId, Digest, ReplicaIndex, TaskIndex},
    log::{SignedAcknowledgement, SignedCommitment},
    receipt::SignedReceipt,
    verdict::Verdict,
};
use quern_verdict::ReceiptFault;

/// The disputes that a fault can become, as the chain numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dispute {
    /// A verdict is not backed by valid receipts of assigned devices.
    Unbacked = 1,
    /// Two things were signed for one place, or two verdicts for one task.
    Twice = 2,
    /// A batch does not say what follows from its verdicts.
    Payouts = 3,
    /// Work that was acknowledged was left out.
    Omission = 4,
    /// A device was given what it could not be given.
    Assignment = 5,
}

/// What is wrong with a job's log, or with a batch of it. Positions are those of entries: with the block
/// that has one anybody can make the proof of it, see [`quern_joblog::SignedBlock::prove`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecheckFault {
    /// The blocks themselves do not follow.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The roots of the shards are not those of the job.
    #[error("the shards' roots are not those that the job was submitted with; read its manifest")]
    InputRoots,
    /// The job's price is larger than any amount, so it is no job of the chain.
    #[error("the job has no tariff; read it from the chain again")]
    NoTariff,
    /// An entry cannot stand where it stands.
    #[error("the entry at position {position} cannot stand there: {why}")]
    Order {
        /// The entry.
        position: u64,
        /// Why not.
        why: OrderFault,
    },
    /// A replica went to a device that could not have it.
    #[error(
        "replica {replica} of task {task}, at position {position}, could not go to {device}: {why}"
    )]
    Assignment {
        /// The entry.
        position: u64,
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: DeviceId,
        /// Why not.
        why: AssignmentFault,
    },
    /// A receipt is not one of the replica that was given.
    #[error("the receipt at position {position} does not hold: {why}")]
    Reveal {
        /// The entry.
        position: u64,
        /// The entry that gave the replica, if its device has it.
        assigned: Option<u64>,
        /// The receipt.
        receipt: Box<SignedReceipt>,
        /// Why not.
        why: RevealFault,
    },
    /// A commitment is not one of the replica that was given.
    #[error("the commitment at position {position} does not hold: {why}")]
    Commitment {
        /// The entry.
        position: u64,
        /// The entry that gave the replica, if its device has it.
        assigned: Option<u64>,
        /// The commitment.
        commitment: Box<SignedCommitment>,
        /// Why not.
        why: CommitmentFault,
    },
    /// A referee's word does not hold.
    #[error("the referee's word on task {task} at position {position} does not hold: {why}")]
    Referee {
        /// The entry.
        position: u64,
        /// The task.
        task: TaskIndex,
        /// Why not.
        why: RefereeFault,
    },
    /// A verdict is not what the judge says over what was heard.
    #[error("the verdict on task {task} at position {position} is not the judge's: {why}")]
    Verdict {
        /// The entry.
        position: u64,
        /// The task.
        task: TaskIndex,
        /// The verdict.
        verdict: Box<Verdict>,
        /// Why not.
        why: VerdictFault,
        /// The entries that were heard on the task.
        evidence: Vec<u64>,
    },
    /// A task has two verdicts.
    #[error("task {task} is judged at position {first} and again at {second}; dispute it")]
    JudgedTwice {
        /// The task.
        task: TaskIndex,
        /// The first verdict.
        first: u64,
        /// The second.
        second: u64,
    },
    /// A batch does not say what follows from the log.
    #[error("batch {sequence} does not follow from the log: {why}")]
    Batch {
        /// The entry, if the log has it.
        position: Option<u64>,
        /// The batch.
        sequence: BatchSequence,
        /// Why not.
        why: BatchFault,
        /// The entries of its verdicts.
        evidence: Vec<u64>,
    },
    /// Another batch has this number in the log.
    #[error("the log has another batch {sequence}, at position {first}; dispute it")]
    TwoBatches {
        /// The batch.
        sequence: BatchSequence,
        /// The entry that has the first.
        first: u64,
        /// The entry that has the second, if the log has that too.
        second: Option<u64>,
    },
    /// Work that the coordinator acknowledged is not where it said, or not in the task's verdict.
    #[error(
        "the receipt that was acknowledged, at position {position}, is left out; claim the omission"
    )]
    Omitted {
        /// Where it should be.
        position: u64,
        /// What the coordinator signed.
        acknowledgement: Box<SignedAcknowledgement>,
    },
    /// There is no block to certify.
    #[error("the log has no block yet; fetch it first")]
    NothingToCertify,
}

/// Why it is not certified that a job cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndFault {
    /// The log itself breaks a rule.
    #[error(transparent)]
    Log(#[from] RecheckFault),
    /// It goes on, or ended otherwise.
    #[error("the log does not say that the job cannot go on; follow it further")]
    NoFailure,
    /// Somebody's work would be lost.
    #[error("task {task} has a verdict that no batch has; settle it first")]
    Owed {
        /// The task.
        task: TaskIndex,
    },
}

impl RecheckFault {
    /// The dispute that it is, if the chain decides it. The rest is a log that cannot be followed, and is
    /// not certified.
    pub fn dispute(&self) -> Option<Dispute> {
        match self {
            Self::Log(LogFault::Forked(_)) | Self::JudgedTwice { .. } | Self::TwoBatches { .. } => {
                Some(Dispute::Twice)
            }
            // The first block of a log names no other.
            Self::Log(
                LogFault::Unlinked { index }
                | LogFault::Skipped { index }
                | LogFault::Positions { index, .. },
            ) => (*index > 0).then_some(Dispute::Twice),
            Self::Batch { why, .. } => match why {
                BatchFault::SettledBefore { .. } | BatchFault::OutOfOrder { .. } => {
                    Some(Dispute::Twice)
                }
                BatchFault::NoVerdict { .. } => Some(Dispute::Unbacked),
                BatchFault::OtherJob => None,
                _ => Some(Dispute::Payouts),
            },
            Self::Reveal { .. }
            | Self::Commitment { .. }
            | Self::Referee { .. }
            | Self::Verdict { .. } => Some(Dispute::Unbacked),
            Self::Assignment { .. } => Some(Dispute::Assignment),
            Self::Omitted { .. } => Some(Dispute::Omission),
            Self::Log(_)
            | Self::InputRoots
            | Self::NoTariff
            | Self::Order { .. }
            | Self::NothingToCertify => None,
        }
    }

    /// The entries that prove it, by position, ascending.
    pub fn positions(&self) -> Vec<u64> {
        let mut positions = match self {
            Self::Log(_) | Self::InputRoots | Self::NoTariff | Self::NothingToCertify => vec![],
            Self::Order { position, .. }
            | Self::Assignment { position, .. }
            | Self::Referee { position, .. }
            | Self::Omitted { position, .. } => vec![*position],
            Self::Reveal {
                position, assigned, ..
            }
            | Self::Commitment {
                position, assigned, ..
            } => assigned.iter().copied().chain([*position]).collect(),
            Self::JudgedTwice { first, second, .. } => vec![*first, *second],
            Self::TwoBatches { first, second, .. } => {
                second.iter().copied().chain([*first]).collect()
            }
            Self::Verdict {
                position, evidence, ..
            } => evidence.iter().copied().chain([*position]).collect(),
            Self::Batch {
                position, evidence, ..
            } => evidence.iter().copied().chain(*position).collect(),
        };
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

/// Why an entry cannot stand where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderFault {
    /// The log, or a coordinator's part of it, does not begin with who writes it.
    #[error("a coordinator begins with its name")]
    NotOpened,
    /// The coordinator has begun already.
    #[error("the coordinator has begun already")]
    OpenedTwice,
    /// The chain names another coordinator or key.
    #[error("the chain names another coordinator")]
    OtherCoordinator,
    /// It refers to an older block of the chain than one like it before, and an assignment to one that is
    /// much older.
    #[error("it refers to a block of the chain that is too old after what was referred to before")]
    ChainBackwards,
    /// The job has no such task.
    #[error("the job has no such task")]
    NoSuchTask,
    /// The task is queued already.
    #[error("the task is queued already")]
    QueuedTwice,
    /// The task is not queued.
    #[error("the task is not queued")]
    NotQueued,
    /// The task has its verdict.
    #[error("the task has its verdict")]
    AlreadyJudged,
    /// The device does not have the replica.
    #[error("the device does not have the replica")]
    NotHeld,
    /// A task may not have as many replicas.
    #[error("a task may not have as many replicas")]
    TooManyReplicas,
    /// The job has ended.
    #[error("the job has ended")]
    AfterEnd,
    /// The job does not end for this.
    #[error("what the log says so far is no such end")]
    NoSuchEnd,
}

/// Why a device could not have a replica.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentFault {
    /// It was not registered.
    #[error("it was not registered then")]
    Unregistered,
    /// It was another account's.
    #[error("it belonged to {expected}")]
    OtherAccount {
        /// Whose it was.
        expected: AccountId,
    },
    /// It was banned or convicted, or its bond did not cover it.
    #[error("it was not to be given work")]
    MayNotWork,
    /// The engine is not the grid's for the job's class.
    #[error("the engine is not the grid's")]
    OtherEngine,
    /// The task has no such replica.
    #[error("the task has no such replica")]
    NoSuchReplica,
    /// Another device has the replica, or has answered it.
    #[error("the replica is taken")]
    Taken,
    /// Its account has another replica of the task.
    #[error("its account has another replica of the task")]
    SameAccount,
    /// It lost the task before.
    #[error("it lost the task before")]
    Excluded,
    /// A task of the job never has so many lanes.
    #[error("a task of the job never has {lanes} lanes")]
    NoSuchLanes {
        /// How many the log claims.
        lanes: u8,
    },
    /// Its account is not in the replica's lane, by the job's seed.
    #[error("its account is not in the replica's lane of {lanes}")]
    OtherLane {
        /// How many there were, as the log claims.
        lanes: u8,
    },
}

impl AssignmentFault {
    /// Whether it is about lanes, which the chain can tell whoever has the device.
    pub fn is_of_lanes(&self) -> bool {
        matches!(self, Self::NoSuchLanes { .. } | Self::OtherLane { .. })
    }
}

/// Why a receipt is not one of its replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevealFault {
    /// Its device does not have the replica.
    #[error("its device does not have the replica")]
    NotAssigned,
    /// It states something else than was assigned, or is not signed.
    #[error(transparent)]
    Receipt(#[from] ReceiptFault),
    /// It does not open what its device committed itself to, or there should be something to open and is
    /// not.
    #[error("it does not open its device's commitment")]
    Commitment,
}

/// Why a commitment is not one of its replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentFault {
    /// Its device does not have the replica.
    #[error("its device does not have the replica")]
    NotAssigned,
    /// It names another job or assignment.
    #[error("it names another job or assignment")]
    Other,
    /// The device has committed itself already.
    #[error("its device has committed itself already")]
    Twice,
    /// The signature is not the device's over it for this chain.
    #[error("the signature does not hold")]
    Signature,
}

/// Why a referee's word does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefereeFault {
    /// The task does not wait for a referee.
    #[error("the task does not wait for a referee")]
    NotWaiting,
    /// The report is about another job or task.
    #[error("the report is about another task")]
    Other,
    /// Who signed it is no referee of the job, or writes the log, though the job's group has others.
    #[error(
        "who signed it is no referee of the job, or judges it itself though others could compute the task"
    )]
    NoReferee,
    /// The signature is not the referee's over it for this chain.
    #[error("the signature does not hold")]
    Signature,
    /// The job asks for three referees, and one alone says it though the group has more; or it asks for one.
    #[error("the job asks for another number of referees, and its group has as many")]
    Number,
    /// One masternode is named twice.
    #[error("it names a masternode twice")]
    Twice,
    /// Of several no two say the same.
    #[error("no two of those who computed it say the same")]
    Split,
}

/// Why a verdict is not the judge's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerdictFault {
    /// Nothing is decided.
    #[error("what was heard decides nothing")]
    Undecided,
    /// It is another job's.
    #[error("it is another job's")]
    OtherJob,
    /// Another answer is accepted, or on another ground.
    #[error("the judge accepts another answer, or on another ground")]
    Answer,
    /// Replicas, devices, accounts, receipts or findings differ.
    #[error("the judge finds otherwise of the devices")]
    Findings,
    /// The price is not the job's for the fuel.
    #[error("the price is {expected} units")]
    Price {
        /// What the task costs.
        expected: Amount,
    },
    /// A replica is not paid its share.
    #[error("replica {replica} is paid {expected} units")]
    Pay {
        /// The replica.
        replica: ReplicaIndex,
        /// Its share.
        expected: Amount,
    },
}

/// Why a batch does not follow from the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    /// It is another job's.
    #[error("it is another job's")]
    OtherJob,
    /// It does not follow the batch before.
    #[error("the next batch is number {expected}")]
    OutOfOrder {
        /// The number that it should have.
        expected: BatchSequence,
    },
    /// Its set of tasks is not well formed.
    #[error(transparent)]
    Tasks(#[from] TaskSetError),
    /// A task has no verdict that can be settled.
    #[error("task {task} has no verdict that can be settled")]
    NoVerdict {
        /// The task.
        task: TaskIndex,
    },
    /// A task is in an earlier batch.
    #[error("task {task} is in an earlier batch")]
    SettledBefore {
        /// The task.
        task: TaskIndex,
    },
    /// It names another stretch of the log than the one since the last batch.
    #[error("it rests on positions {} to {}", .expected.first, .expected.last)]
    Range {
        /// The stretch.
        expected: LogRange,
    },
    /// The root is not that of its verdicts.
    #[error("the root of its verdicts is {expected}")]
    VerdictsRoot {
        /// The root.
        expected: Digest,
    },
    /// The sum is not that of its verdicts' prices.
    #[error("its verdicts cost {expected} units")]
    Spent {
        /// The sum.
        expected: Amount,
    },
    /// The sum of its verdicts is larger than any amount.
    #[error("the sum of its verdicts is larger than any amount")]
    Overflow,
    /// An account is paid something else than its verdicts' pays.
    #[error("{account} is paid {expected} units")]
    Payout {
        /// The account.
        account: AccountId,
        /// What its pays make.
        expected: Amount,
    },
    /// A device's record changes otherwise.
    #[error("the record of {device} changes by {expected:?}")]
    Device {
        /// The device.
        device: DeviceId,
        /// What its findings make.
        expected: RecordChange,
    },
    /// Accounts or devices are twice in it, or not in order.
    #[error("its lists are not ascending")]
    Unsorted,
}

/// Why an acknowledgement cannot be looked out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpectError {
    /// It is of another job.
    #[error("the acknowledgement is of another job")]
    OtherJob,
    /// The coordinator did not sign it.
    #[error("the coordinator did not sign the acknowledgement")]
    Signature,
    /// Another acknowledgement for its position is looked out for.
    #[error("the coordinator acknowledged something else for this position; keep both")]
    Taken,
    /// The log is past its position.
    #[error("the log is past the position; replay it from the beginning")]
    Passed,
    /// As many are looked out for as may be.
    #[error("too many acknowledgements at a time; replay the log for the rest")]
    TooMany,
}
