//! What does not fit between a job's log, the rules and the chain.

use crate::fault::{BatchFault, RecheckFault};
use core::fmt;
use quern_dispute_rules::evidence::Leaf;
use quern_primitives::{
    ids::{BatchSequence, TaskIndex},
    receipt::Answer,
};

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The log breaks a rule.
    #[error(transparent)]
    Rule(#[from] RecheckFault),
    /// The chain settled a batch of which the log tells nothing.
    #[error("the chain settled batch {sequence}, and the log has no such batch")]
    NotInLog {
        /// The batch.
        sequence: BatchSequence,
    },
    /// The chain should have a record of a batch.
    #[error("the chain says that the job has batch {sequence}, and has no record of it")]
    NoRecord {
        /// The batch.
        sequence: BatchSequence,
    },
    /// The chain settled a batch otherwise than the log has it.
    #[error("the {part} of batch {sequence}: {log} by the log, {chain} on the chain")]
    Batch {
        /// The batch.
        sequence: BatchSequence,
        /// The entry that has it.
        position: u64,
        /// What differs.
        part: Part,
        /// What the log makes of it.
        log: String,
        /// What the chain has.
        chain: String,
    },
    /// A batch settled another verdict on a task than the log has, as the one shows that was given out of it.
    #[error(
        "the verdict on task {task} that batch {sequence} settled is not that of the log, at position {position}"
    )]
    OtherVerdict {
        /// The batch.
        sequence: BatchSequence,
        /// The task.
        task: TaskIndex,
        /// The entry that has the log's.
        position: u64,
        /// The batch's.
        leaf: Box<Leaf>,
    },
    /// What a coordinator went on from by the chain is not what those before it had settled by their logs.
    #[error(
        "who settles from batch {first} on began with batch {base}{}",
        on_which_task(.task)
    )]
    OtherBase {
        /// The first batch of its turn.
        first: BatchSequence,
        /// The one that was to come next when its log began.
        base: BatchSequence,
        /// The first task that is settled by one of both alone.
        task: Option<TaskIndex>,
    },
    /// The job's sums are not those of its batches.
    #[error("the job's {of}: {batches} by its batches, {chain} on the chain")]
    Sum {
        /// Which.
        of: SumOf,
        /// What its batches make.
        batches: u128,
        /// What the chain has.
        chain: u128,
    },
    /// Two devices say that they read different shards for one task.
    #[error("the receipts of task {task} at positions {first} and {second} name different inputs")]
    TwoInputs {
        /// The task.
        task: TaskIndex,
        /// The one receipt.
        first: u64,
        /// The other.
        second: u64,
    },
    /// What the devices say that they read is not what the job was submitted with.
    #[error("the inputs that the receipts name are not the shards that the job was submitted with")]
    OtherInputs,
    /// A task was computed again, and something else came out.
    #[error(
        "task {task}, computed again, gives {} with {} bytes and {} fuel, and accepted was {} with {} bytes and {} fuel",
        .computed.result_commitment, .computed.result_bytes, .computed.fuel,
        .accepted.result_commitment, .accepted.result_bytes, .accepted.fuel
    )]
    Recomputed {
        /// The task.
        task: TaskIndex,
        /// The answer that was accepted.
        accepted: Answer,
        /// The one that came out.
        computed: Answer,
    },
}

/// What of a batch differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The root over its verdicts.
    Root,
    /// The stretch of the log.
    Log,
    /// The hash of the log's last block on which it rests.
    Head,
    /// Its tasks.
    Tasks,
    /// What it spends.
    Spent,
    /// What of it is the workers'.
    Workers,
    /// Who is paid how much.
    Payouts,
    /// How the devices' records change.
    Devices,
    /// What workers, operators and treasury get.
    Split,
}

impl Part {
    /// Whether the coordinator writes it down with the batch. The rest follows from that, or is the log's own.
    pub fn is_written_down(self) -> bool {
        !matches!(self, Self::Head | Self::Split)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Log => "stretch of the log",
            Self::Head => "head of the log",
            Self::Tasks => "tasks",
            Self::Spent => "spending",
            Self::Workers => "pay of all workers",
            Self::Payouts => "payouts",
            Self::Devices => "changes of records",
            Self::Split => "split",
        })
    }
}

/// Which sum of a job differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SumOf {
    /// What workers got.
    Paid,
    /// What operators and treasury got.
    Network,
    /// What pending batches spend.
    Pending,
    /// Tasks that are settled.
    Tasks,
    /// Batches that are pending.
    PendingBatches,
    /// What was paid, returned, is pending or held, which is what was deposited.
    Deposit,
}

impl fmt::Display for SumOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paid => "pay of workers",
            Self::Network => "pay of the network",
            Self::Pending => "pending money",
            Self::Tasks => "settled tasks",
            Self::PendingBatches => "pending batches",
            Self::Deposit => "deposit",
        })
    }
}

impl Difference {
    /// A name that does not change, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rule(fault) => rule_code(fault),
            Self::NotInLog { .. } => "batch_not_in_log",
            Self::NoRecord { .. } => "batch_without_record",
            Self::Batch { part, .. } => match part {
                Part::Root => "batch_root",
                Part::Log => "batch_log",
                Part::Head => "batch_head",
                Part::Tasks => "batch_tasks",
                Part::Spent => "batch_spent",
                Part::Workers => "batch_workers",
                Part::Payouts => "batch_payouts",
                Part::Devices => "batch_devices",
                Part::Split => "batch_split",
            },
            Self::OtherVerdict { .. } => "other_verdict",
            Self::OtherBase { .. } => "other_base",
            Self::Sum { of, .. } => match of {
                SumOf::Paid => "job_paid",
                SumOf::Network => "job_network",
                SumOf::Pending => "job_pending",
                SumOf::Tasks => "job_tasks",
                SumOf::PendingBatches => "job_pending_batches",
                SumOf::Deposit => "job_deposit",
            },
            Self::TwoInputs { .. } => "two_inputs",
            Self::OtherInputs => "other_inputs",
            Self::Recomputed { .. } => "recomputed",
        }
    }

    /// The batch that it names itself.
    pub fn batch(&self) -> Option<BatchSequence> {
        match self {
            Self::NotInLog { sequence }
            | Self::NoRecord { sequence }
            | Self::Batch { sequence, .. }
            | Self::OtherVerdict { sequence, .. }
            | Self::Rule(
                RecheckFault::Batch { sequence, .. } | RecheckFault::TwoBatches { sequence, .. },
            ) => Some(*sequence),
            Self::Rule(_)
            | Self::OtherBase { .. }
            | Self::Sum { .. }
            | Self::TwoInputs { .. }
            | Self::OtherInputs
            | Self::Recomputed { .. } => None,
        }
    }

    /// The entries of the log that show it, by position, ascending.
    pub fn positions(&self) -> Vec<u64> {
        match self {
            Self::Rule(fault) => fault.positions(),
            Self::Batch { position, .. } | Self::OtherVerdict { position, .. } => vec![*position],
            Self::TwoInputs { first, second, .. } => vec![*first, *second],
            Self::NotInLog { .. }
            | Self::NoRecord { .. }
            | Self::OtherBase { .. }
            | Self::Sum { .. }
            | Self::OtherInputs
            | Self::Recomputed { .. } => vec![],
        }
    }
}

fn on_which_task(task: &Option<TaskIndex>) -> String {
    match task {
        Some(task) => {
            format!(", and chain and logs differ on whether task {task} was settled then")
        }
        None => String::new(),
    }
}

fn rule_code(fault: &RecheckFault) -> &'static str {
    match fault {
        RecheckFault::Log(_) => "log",
        RecheckFault::InputRoots => "input_roots",
        RecheckFault::NoTariff => "no_tariff",
        RecheckFault::Order { .. } => "order",
        RecheckFault::Assignment { .. } => "assignment",
        RecheckFault::Reveal { .. } => "receipt",
        RecheckFault::Commitment { .. } => "commitment",
        RecheckFault::Referee { .. } => "referee",
        RecheckFault::Verdict { .. } => "verdict",
        RecheckFault::JudgedTwice { .. } => "judged_twice",
        RecheckFault::Batch { why, .. } => match why {
            BatchFault::Payout { .. } | BatchFault::Spent { .. } | BatchFault::Overflow => {
                "payouts"
            }
            _ => "batch",
        },
        RecheckFault::TwoBatches { .. } => "two_batches",
        RecheckFault::Omitted { .. } => "omitted",
        RecheckFault::NothingToCertify => "empty_log",
    }
}
