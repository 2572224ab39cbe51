//! What does not fit, and the numbers that show it.

use crate::Reason;
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId, TaskIndex,
    amount::{as_string, display},
    ids::BatchSequence,
};
use serde::Serialize;
use std::fmt;

/// Where in the chain something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The block.
    pub block: BlockNumber,
    /// The transaction's place in it, unless the block itself did it.
    pub transaction: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transaction {
            Some(transaction) => write!(f, "block {}, transaction {transaction}", self.block),
            None => write!(f, "block {}", self.block),
        }
    }
}

/// One of the sums that the chain keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TotalName {
    /// All that exists.
    Issuance,
    /// What existed at genesis.
    Genesis,
    /// What purchases added.
    Minted,
    /// What ceased to exist.
    Burnt,
    /// What is held for open jobs.
    Escrow,
    /// What is held as workers' bonds.
    Bonds,
    /// What is held as masternodes' bonds.
    MasternodeBonds,
    /// What is held as bonds of open disputes.
    Disputes,
    /// What is held for payouts.
    Payouts,
    /// What is held for open contracts to keep data, and as bonds of open challenges.
    Custody,
    /// What batches spend that are not final yet.
    Pending,
    /// The sum of all balances.
    Balances,
}

/// A part of an account's or of a job's money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What an account can spend.
    Free,
    /// What is held on an account.
    Held(Reason),
    /// What the owner put into a job.
    Deposited,
    /// What workers got of a job.
    Paid,
    /// What operators and treasury got of a job.
    Network,
    /// What went back to a job's owner.
    Refunded,
    /// What is still held for a job.
    StillHeld,
    /// What a job's batches spend that are not final yet.
    Pending,
    /// How many batches a job has.
    Batches,
    /// How many of a job's tasks are settled.
    SettledTasks,
}

impl fmt::Display for TotalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuance => "all that exists",
            Self::Genesis => "what existed at genesis",
            Self::Minted => "what was minted",
            Self::Burnt => "what was burnt",
            Self::Escrow => "what is in escrow",
            Self::Bonds => "what is bonded",
            Self::MasternodeBonds => "what is bonded for masternodes",
            Self::Disputes => "what is put up for disputes",
            Self::Payouts => "what is held for payouts",
            Self::Custody => "what is held for data that is kept",
            Self::Pending => "what is pending",
            Self::Balances => "the sum of all balances",
        })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Free => "free money",
            Self::Held(reason) => return write!(f, "money held as {}", reason.name()),
            Self::Deposited => "deposit",
            Self::Paid => "workers' pay",
            Self::Network => "network's share",
            Self::Refunded => "refund",
            Self::StillHeld => "money still held",
            Self::Pending => "pending money",
            Self::Batches => "batches",
            Self::SettledTasks => "settled tasks",
        })
    }
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// Another block came than the one that follows.
    #[error("block {found} came where block {expected} follows")]
    Gap {
        /// The block that follows.
        expected: BlockNumber,
        /// The one that came.
        found: BlockNumber,
    },
    /// An event about money is not understood.
    #[error("{at}: the event {event} moves money in a way that is not understood")]
    Unread {
        /// Where.
        at: Place,
        /// Its pallet and its name.
        event: String,
    },
    /// More left a purse than was in it.
    #[error("{at}: {} left the {side} of {account}, which had {}", display(*taken), display(*has))]
    Overdrawn {
        /// Where.
        at: Place,
        /// Whose purse.
        account: AccountId,
        /// Which of the account's.
        side: Side,
        /// What was in it.
        #[serde(with = "as_string")]
        has: Amount,
        /// What left it.
        #[serde(with = "as_string")]
        taken: Amount,
    },
    /// A sum is more than an amount can be.
    #[error("{at}: a sum is larger than any amount")]
    TooLarge {
        /// Where.
        at: Place,
    },
    /// Money moved, and nothing tells what for.
    #[error("{at}: {} moved ({kind}), and no event tells what for", display(*amount))]
    Unexplained {
        /// Where.
        at: Place,
        /// What kind of movement it looks like.
        kind: &'static str,
        /// How much.
        #[serde(with = "as_string")]
        amount: Amount,
    },
    /// What was taken as fees was not given out, or more was given out.
    #[error("{at}: {} was taken for fees, and {} was given out", display(*taken), display(*given))]
    NotPassedOn {
        /// Where.
        at: Place,
        /// What was taken.
        #[serde(with = "as_string")]
        taken: Amount,
        /// What was given out.
        #[serde(with = "as_string")]
        given: Amount,
    },
    /// An event about a job says another amount than moved.
    #[error("{at}: the chain says {} of job {job} as {side}, and {} moved", display(*said), display(*moved))]
    Said {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
        /// Which part of its money.
        side: Side,
        /// What is said.
        #[serde(with = "as_string")]
        said: Amount,
        /// What moved.
        #[serde(with = "as_string")]
        moved: Amount,
    },
    /// There is no such job, or not with this owner.
    #[error("{at}: job {job} was not submitted by the account whose escrow it is paid from")]
    NoSuchJob {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
    },
    /// A job was submitted a second time.
    #[error("{at}: job {job} is submitted a second time")]
    JobTwice {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
    },
    /// Something happened to a job that is over.
    #[error("{at}: job {job} is over")]
    JobOver {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
    },
    /// A job is over and money is held for it.
    #[error("{at}: job {job} is over, and {} is held for it", display(*held))]
    StillHeld {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
        /// How much.
        #[serde(with = "as_string")]
        held: Amount,
    },
    /// A job's money does not add up.
    #[error("{at}: {} was deposited for job {job}, and {} is accounted for", display(*deposited), display(*accounted))]
    NotConserved {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
        /// What was deposited.
        #[serde(with = "as_string")]
        deposited: Amount,
        /// What was paid, went to the network, was refunded and is held.
        #[serde(with = "as_string")]
        accounted: Amount,
    },
    /// A batch does not follow the job's last one.
    #[error("{at}: batch {found} of job {job} is settled where {expected} follows")]
    Sequence {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
        /// The batch that follows.
        expected: BatchSequence,
        /// The one that was settled.
        found: BatchSequence,
    },
    /// A task was settled before.
    #[error("{at}: batch {batch} of job {job} settles task {task}, which was settled before")]
    SettledTwice {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
        /// The batch.
        batch: BatchSequence,
        /// The task.
        task: TaskIndex,
    },
    /// No transaction, or more than one, names the tasks that a batch settled.
    #[error(
        "{at}: batch {batch} of job {job} settled {tasks} tasks, and {found} calls of the transaction name as many"
    )]
    TasksUnknown {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
        /// The batch.
        batch: BatchSequence,
        /// How many tasks the chain says.
        tasks: u32,
        /// How many different sets of so many tasks there are.
        found: usize,
    },
    /// A batch became final or was struck that was not pending.
    #[error("{at}: batch {batch} of job {job} became final or was struck, and was not pending")]
    NotPending {
        /// Where.
        at: Place,
        /// The job.
        job: JobId,
        /// The batch.
        batch: BatchSequence,
    },
    /// What is held on an account as escrow is not the sum over its open jobs.
    #[error("{at}: {} is held on {account} as escrow, and {} for its open jobs", display(*held), display(*jobs))]
    Escrow {
        /// Where.
        at: Place,
        /// The account.
        account: AccountId,
        /// What is held on it.
        #[serde(with = "as_string")]
        held: Amount,
        /// What is held for its open jobs.
        #[serde(with = "as_string")]
        jobs: Amount,
    },
    /// `genesis + minted - burnt` is not what exists, or that is not the sum of all balances.
    #[error("{at}: {} exists, and by {law} it should be {}", display(*issuance), display(*expected))]
    Issuance {
        /// Where.
        at: Place,
        /// What does not hold.
        law: TotalName,
        /// What should exist.
        #[serde(with = "as_string")]
        expected: Amount,
        /// What exists.
        #[serde(with = "as_string")]
        issuance: Amount,
    },
    /// The chain says another sum than the movements make.
    #[error("as of block {block}, {name} is {} by the movements, and {} by the chain", display(*replayed), display(*chain))]
    Total {
        /// As of which block.
        block: BlockNumber,
        /// Which sum.
        name: TotalName,
        /// By the movements.
        #[serde(with = "as_string")]
        replayed: Amount,
        /// By the chain.
        #[serde(with = "as_string")]
        chain: Amount,
    },
    /// The chain says that an account has something else than the movements make.
    #[error("as of block {block}, the {side} of {account} is {} by the movements, and {} by the chain", display(*replayed), display(*chain))]
    Account {
        /// As of which block.
        block: BlockNumber,
        /// The account.
        account: AccountId,
        /// Which part of its money.
        side: Side,
        /// By the movements.
        #[serde(with = "as_string")]
        replayed: Amount,
        /// By the chain.
        #[serde(with = "as_string")]
        chain: Amount,
    },
    /// The chain says something else of a job than the movements make.
    #[error(
        "as of block {block}, the {side} of job {job} is {replayed} by the movements, and {chain} by the chain, in units of money or counted"
    )]
    Job {
        /// As of which block.
        block: BlockNumber,
        /// The job.
        job: JobId,
        /// What of it.
        side: Side,
        /// By the movements.
        #[serde(with = "as_string")]
        replayed: Amount,
        /// By the chain.
        #[serde(with = "as_string")]
        chain: Amount,
    },
    /// A job is open by one and over by the other, or one does not know it, or not with this owner.
    #[error(
        "as of block {block}, movements and chain do not agree whether job {job} is there, whose it is, or whether it is open"
    )]
    JobState {
        /// As of which block.
        block: BlockNumber,
        /// The job.
        job: JobId,
    },
}
