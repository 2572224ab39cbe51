//! The entries of a job's log: every step that must survive a crash.

use super::NoReferee;
use codec::{Decode, Encode};
use quern_primitives::{
    batch::Batch,
    ids::{AccountId, DeviceId, Digest, ReplicaIndex, TaskIndex},
    log::SignedCommitment,
    receipt::{Answer, SignedReceipt},
    verdict::Verdict,
};

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Entry {
    /// A replica was given to a device.
    Assigned {
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: DeviceId,
        /// The account that is paid for it.
        account: AccountId,
        /// The engine it runs, which is the grid's.
        engine: Digest,
    },
    /// A replica was taken back unfinished.
    Released {
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: DeviceId,
        /// Why.
        cause: ReleaseCause,
    },
    /// A device answered, and its receipt holds.
    Reported {
        /// The receipt.
        receipt: SignedReceipt,
        /// Where the sealed result is.
        output: OutputPlace,
    },
    /// Replicas were added to a task that could not be decided.
    Added {
        /// The task.
        task: TaskIndex,
        /// How many.
        replicas: u8,
    },
    /// The judge decided.
    Judged {
        /// The verdict.
        verdict: Verdict,
    },
    /// Verdicts were put into a batch.
    Batched {
        /// The batch as it is sent.
        batch: Batch,
    },
    /// No answer has a majority, and none would get one from as many devices as a task may have:
    /// the job ends.
    Undecided {
        /// The task.
        task: TaskIndex,
    },
    /// What the task reads opens on no device, because its input or its key is wrong: the job ends.
    Unopened {
        /// The task.
        task: TaskIndex,
    },
    /// The device that was just given a replica is believed alone.
    Trusted {
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: DeviceId,
        /// How many answers of it were accepted in a row.
        accepted_in_a_row: u32,
    },
    /// The task was computed again, because devices differ on it; that decides.
    Refereed {
        /// The task.
        task: TaskIndex,
        /// What comes out.
        answer: Answer,
        /// Under whose name the result is sealed.
        referee: DeviceId,
        /// The chunk root of the sealed result.
        output_root: Digest,
        /// Where the sealed result is.
        output: OutputPlace,
    },
    /// The task could not be computed again: it is decided without.
    Unrefereed {
        /// The task.
        task: TaskIndex,
        /// Why.
        why: NoReferee,
    },
    /// A task whose answer was accepted and settled was computed again, and another answer came out.
    Contradicted {
        /// The task.
        task: TaskIndex,
        /// The accepted answer.
        accepted: Answer,
        /// What comes out.
        recomputed: Answer,
        /// Who gave the accepted answer, each with the digest of its receipt.
        receipts: Vec<(DeviceId, Digest)>,
    },
    /// A device committed itself to what came out of a replica.
    Committed {
        /// The commitment.
        commitment: SignedCommitment,
    },
}

/// Why a replica was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ReleaseCause {
    /// The device gave it back; no fault.
    HandedBack,
    /// The device came back without it; no fault beyond the lost time.
    Forgotten,
    /// The device is no longer admitted.
    Barred,
    /// The device was silent, or ran over the replica's time, or did not reveal what it committed itself
    /// to.
    Late,
    /// What the device answered is no answer to what it was given, or does not open its commitment.
    Failed,
    /// The device gave the task back, or came back without it, as often as it may; no fault, but it
    /// does not have the task again.
    HandedBackOften,
    /// The masternode itself could not hand it out; nobody's fault.
    Withheld,
    /// The device says that what it was given is not the right thing, or does not open.
    BadInput {
        /// Whether the council had verified the device.
        trusted: bool,
    },
}

impl ReleaseCause {
    /// Whether the device is kept from having the task again.
    pub fn excludes(&self) -> bool {
        match self {
            Self::Barred
            | Self::Late
            | Self::Failed
            | Self::HandedBackOften
            | Self::BadInput { .. } => true,
            Self::HandedBack | Self::Forgotten | Self::Withheld => false,
        }
    }

    /// Whether the device gave the task back, or came back without it, and is not at fault.
    pub fn is_hand_back(&self) -> bool {
        matches!(
            self,
            Self::HandedBack | Self::Forgotten | Self::HandedBackOften
        )
    }

    /// Whether the device failed on the task, so that a trusted one is to try it.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed | Self::BadInput { .. })
    }

    /// Whether the device gets nothing else for a while.
    pub fn pauses(&self) -> bool {
        self.is_hand_back() || self.is_failure()
    }
}

/// Where a sealed result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum OutputPlace {
    /// Written with the entry.
    Inline {
        /// Its length.
        bytes: u64,
    },
    /// In a file, delivered in pieces.
    File {
        /// Its length.
        bytes: u64,
    },
}

impl OutputPlace {
    /// The sealed result's length.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Inline { bytes } | Self::File { bytes } => *bytes,
        }
    }
}
