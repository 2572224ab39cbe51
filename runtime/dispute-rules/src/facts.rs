//! What the chain tells the rules. Whoever calls has read it from the chain's state, or from finalised
//! blocks with proofs.

use alloc::vec::Vec;
use quern_primitives::{
    amount::Amount,
    batch::{Batch, DeviceChange, LogRange, Payout, TaskSet},
    ids::{AccountId, BatchSequence, BlockNumber, Digest, GenesisHash, JobId, NodeKey},
    job::Job,
};

pub use quern_primitives::limits::GROUP_MEMBERS_MAX;

/// A masternode that may have to answer for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its operator's account.
    pub account: AccountId,
    /// The network key with which it signs for this job.
    pub node: NodeKey,
    /// What it has bonded.
    pub bond: Amount,
}

/// A batch that is not final yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchFacts {
    /// Its place in the job.
    pub sequence: BatchSequence,
    /// Merkle root over the encoded verdicts, in task order.
    pub verdicts_root: Digest,
    /// How many there are: as many as tasks.
    pub verdicts: u32,
    /// What it says that they cost together.
    pub spent: Amount,
    /// The stretch of the log since the batch before.
    pub log: LogRange,
    /// The block that settled it.
    pub settled_at: BlockNumber,
    /// Who settled it.
    pub coordinator: AccountId,
    /// Who certified it, by a certificate that names the batch's digest and the last of its heads; the
    /// coordinator may be among them.
    pub certifiers: Vec<AccountId>,
    /// Hashes of log blocks that more than half of the group certified, the batch's own last. The log
    /// of the batch goes through those of them that its coordinator wrote.
    pub heads: Vec<Digest>,
    /// The tasks that it settles.
    pub tasks: TaskSet,
    /// What it pays.
    pub payouts: Vec<Payout>,
    /// How it changes devices' records.
    pub devices: Vec<DeviceChange>,
}

/// A device that is or was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// The account it belongs to and the block since which it does; `None` if it is retired.
    pub registered: Option<(AccountId, BlockNumber)>,
    /// The account that answers for what it signed: the one it belongs to, or, if it is retired, the one
    /// that it belonged to last, as long as what covered it is held.
    pub answers: Option<AccountId>,
    /// Answers of it that were accepted, ever.
    pub accepted: u64,
    /// Whether a lie of it was proved before.
    pub is_convicted: bool,
}

/// What is at stake, as the council has set it when a dispute is decided, and not when the job was
/// submitted. A bond is no term of a job: one bond answers for all that an account does, and what it must
/// be now is what whoever goes on computing and coordinating has agreed to by staying. What is taken is
/// never more than is bonded. Who disputes loses what it put up itself, whatever was set since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stakes {
    /// What a masternode loses for a lie, if its bond is as large; for a batch that falls as much as that spends,
    /// if that is more.
    pub masternode_slash: Amount,
    /// What a worker loses for two answers of one of its devices, if its bond is as large.
    pub device_slash: Amount,
    /// The same for an answer that most of the group contradicts.
    pub wrong_answer_slash: Amount,
    /// What who disputes puts up.
    pub dispute_bond: Amount,
    /// The winner's part of a slash, in thousandths; more than all of it is all of it.
    pub winner_permille: u16,
}

/// What the chain says about what a piece of evidence is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The chain.
    pub genesis: GenesisHash,
    /// The job's name.
    pub job_id: JobId,
    /// The job.
    pub job: Job,
    /// The batch that [`crate::Subject::batch`] names, while it is pending.
    pub batch: Option<BatchFacts>,
    /// The job's group, in the order of the draw; at most [`GROUP_MEMBERS_MAX`].
    pub group: Vec<Member>,
    /// The keys of all masternodes that may say what a task's result is.
    pub referees: Vec<NodeKey>,
    /// The device that [`crate::Subject::device`] names; `None` if none of its name was ever
    /// registered.
    pub device: Option<DeviceFacts>,
    /// What the account has bonded that answers for the device.
    pub worker_bond: Amount,
    /// What the lanes of the job's tasks follow from, once the block after the draw has it.
    pub lane_seed: Option<Digest>,
    /// What says which device is believed alone with which task. It follows from the job's key, so the chain
    /// does not have it and tells none; who has it from the owner finds more.
    pub seed: Option<[u8; 32]>,
    /// What is at stake.
    pub stakes: Stakes,
}

impl BatchFacts {
    /// Whether the chain settled a batch of this job just as it is written down here.
    pub fn is_of(&self, job_id: &JobId, written: &Batch) -> bool {
        let Batch {
            job,
            sequence,
            log,
            verdicts_root,
            tasks,
            spent,
            payouts,
            devices,
        } = written;
        job == job_id
            && *sequence == self.sequence
            && *log == self.log
            && *verdicts_root == self.verdicts_root
            && *tasks == self.tasks
            && *spent == self.spent
            && **payouts == *self.payouts
            && **devices == *self.devices
    }
}

impl Facts {
    /// The member of the group with this key.
    pub fn member_with(&self, node: &NodeKey) -> Option<&Member> {
        self.group.iter().find(|member| member.node == *node)
    }

    /// How many masternodes have to say the same of a task on which devices differ, as the job asks for and
    /// its group allows. Who has no say any more counts: it had one when the task was computed.
    pub fn referees_wanted(&self) -> usize {
        let others = self.group.len().saturating_sub(1);
        self.job.submission.referees.quorum(others)
    }

    /// The member of the group with this account.
    pub fn member(&self, account: &AccountId) -> Option<&Member> {
        self.group.iter().find(|member| member.account == *account)
    }
}
