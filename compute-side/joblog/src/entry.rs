//! The entries of a job's log: its queues as changes, and what was said and decided about each task.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use quern_primitives::{
    batch::Batch,
    ids::{AccountId, BlockNumber, DeviceId, Digest, NodeKey, ReplicaIndex, TaskIndex},
    limits::REFEREES_AGREEING_MIN,
    log::{RefereeStatement, RefereeStatements, SignedCommitment, SignedRefereeReport},
    receipt::SignedReceipt,
    verdict::Verdict,
};
use scale_info::TypeInfo;

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Entry {
    /// A coordinator begins: the first entry of a log, and of the first block of each masternode that
    /// takes the job over.
    #[codec(index = 0)]
    Opened {
        /// The coordinator.
        coordinator: AccountId,
        /// The network key with which it signs the blocks from this one on.
        node: NodeKey,
        /// The finalised block at which the chain names it.
        at: BlockNumber,
    },
    /// Tasks can be given out: their shards are here and were checked.
    #[codec(index = 1)]
    Queued {
        /// The first of them.
        first: TaskIndex,
        /// How many follow each other from there, at least one.
        tasks: u32,
    },
    /// A replica was given to a device.
    #[codec(index = 2)]
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
        /// The finalised block at which the chain says so of device and account.
        at: BlockNumber,
        /// In how many lanes it was given, see [`quern_primitives::lanes`]: the greatest number of which the
        /// account was in the replica's; 1 if the replica was for all.
        lanes: u8,
    },
    /// A device committed itself to a result.
    #[codec(index = 3)]
    Committed {
        /// The commitment.
        commitment: SignedCommitment,
    },
    /// A device answered, its receipt holds, and it opens the device's commitment, if devices commit
    /// themselves where the task is one of this job.
    #[codec(index = 4)]
    Revealed {
        /// The receipt.
        receipt: SignedReceipt,
        /// Where the sealed result is.
        output: OutputPlace,
    },
    /// A replica was taken back unfinished.
    #[codec(index = 5)]
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
    /// Replicas were added to a task: as backups, or because it could not be decided.
    #[codec(index = 6)]
    Added {
        /// The task.
        task: TaskIndex,
        /// How many.
        replicas: u8,
    },
    /// A task that waited for a referee waits no more.
    #[codec(index = 7)]
    Refereed {
        /// The task.
        task: TaskIndex,
        /// What came of it.
        word: RefereeWord,
    },
    /// The judge decided.
    #[codec(index = 8)]
    Judged {
        /// The verdict.
        verdict: Verdict,
    },
    /// Verdicts were put into a batch.
    #[codec(index = 9)]
    Batched {
        /// The batch as it is sent.
        batch: Batch,
    },
    /// The job ends; nothing but batches of what was judged follows.
    #[codec(index = 10)]
    Ended {
        /// Why.
        end: End,
    },
}

impl Entry {
    /// The task it is about, if it is about one.
    pub fn task(&self) -> Option<TaskIndex> {
        match self {
            Self::Opened { .. } | Self::Queued { .. } | Self::Batched { .. } => None,
            Self::Assigned { task, .. }
            | Self::Released { task, .. }
            | Self::Added { task, .. }
            | Self::Refereed { task, .. } => Some(*task),
            Self::Committed { commitment } => Some(commitment.payload.task),
            Self::Revealed { receipt, .. } => Some(receipt.payload.task),
            Self::Judged { verdict } => Some(verdict.task),
            Self::Ended { end } => end.task(),
        }
    }
}

/// What came of asking a referee.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[allow(
    clippy::large_enum_variant,
    reason = "other entries are as large, and there is one for each task that devices differ on"
)]
pub enum RefereeWord {
    /// A masternode has computed the task.
    #[codec(index = 0)]
    Computed {
        /// Its report.
        report: SignedRefereeReport,
        /// The network key that signed it.
        node: NodeKey,
    },
    /// None can be had, its word is out for too long, or several differ.
    #[codec(index = 1)]
    None,
    /// Several masternodes have computed the task, as the job asks for, and enough of them got the same.
    #[codec(index = 2)]
    Several {
        /// What each of them says.
        statements: RefereeStatements,
    },
}

impl RefereeWord {
    /// What each of those says who computed the task.
    pub fn statements(&self) -> Vec<RefereeStatement> {
        match self {
            Self::None => Vec::new(),
            Self::Computed { report, node } => {
                let (report, node) = (*report, *node);
                [RefereeStatement { report, node }].into()
            }
            Self::Several { statements } => statements.to_vec(),
        }
    }

    /// Those who say what comes out of the task, the first of them first: of several two at the least, which is
    /// more than half, so that no others say as much. Whose words they are is not looked at.
    pub fn agreeing(&self) -> Vec<RefereeStatement> {
        let needed = match self {
            Self::Several { .. } => REFEREES_AGREEING_MIN as usize,
            Self::None | Self::Computed { .. } => 1,
        };
        let statements = self.statements();
        let alike = |one: &RefereeStatement| -> Vec<_> {
            let same = statements
                .iter()
                .filter(|it| it.report.payload == one.report.payload);
            same.copied().collect()
        };
        let mut alike = statements.iter().map(alike);
        let enough = alike.find(|same| same.len() >= needed);
        enough.unwrap_or_default()
    }

    /// What comes out of the task, as the first says of those who agree on it.
    pub fn truth(&self) -> Option<RefereeStatement> {
        self.agreeing().first().copied()
    }
}

/// Why a job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum End {
    /// Every task has its verdict.
    #[codec(index = 0)]
    Done,
    /// It is agreed that the program fails on a task.
    #[codec(index = 1)]
    Program {
        /// The task.
        task: TaskIndex,
    },
    /// No answer is accepted, and none would be from as many devices as a task may have.
    #[codec(index = 2)]
    Undecided {
        /// The task.
        task: TaskIndex,
    },
    /// What the task reads opens on no device, because its input or its key is wrong.
    #[codec(index = 3)]
    Unopened {
        /// The task.
        task: TaskIndex,
    },
    /// The owner cancelled it, or its deadline is past: the chain has closed it.
    #[codec(index = 4)]
    Closed,
}

impl End {
    /// The task for which it ends, if it is one task's fault.
    pub fn task(&self) -> Option<TaskIndex> {
        match self {
            Self::Done | Self::Closed => None,
            Self::Program { task } | Self::Undecided { task } | Self::Unopened { task } => {
                Some(*task)
            }
        }
    }
}

/// Why a replica was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum ReleaseCause {
    /// The device gave it back; no fault.
    #[codec(index = 0)]
    HandedBack,
    /// The device came back without it; no fault beyond the lost time.
    #[codec(index = 1)]
    Forgotten,
    /// The device is no longer admitted.
    #[codec(index = 2)]
    Barred,
    /// The device was silent, or ran over the replica's time, or did not reveal what it committed to.
    #[codec(index = 3)]
    Late,
    /// What the device showed or answered does not fit what it was given, or does not open its commitment.
    #[codec(index = 4)]
    Failed,
    /// The device gave the task back, or came back without it, as often as it may; no fault, but it
    /// does not have the task again.
    #[codec(index = 5)]
    HandedBackOften,
    /// The masternode itself could not hand it out; nobody's fault.
    #[codec(index = 6)]
    Withheld,
    /// The device says that what it was given is not the right thing, or does not open.
    #[codec(index = 7)]
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

    /// Whether the device failed on the task.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed | Self::BadInput { .. })
    }
}

/// Where a sealed result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum OutputPlace {
    /// Written with the entry.
    #[codec(index = 0)]
    Inline {
        /// Its length.
        bytes: u64,
    },
    /// In a file, delivered in pieces.
    #[codec(index = 1)]
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
