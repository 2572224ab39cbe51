//! What can be shown.
//!
//! Sizes are bounded by type: a verdict's bytes by [`LEAF_BYTES_MAX`], an entry's by
//! [`ENTRY_BYTES_MAX`], a way through the log by [`LINKS_MAX`], proofs by the depth of their trees.

use crate::{facts::GROUP_MEMBERS_MAX, question::Question};
use alloc::boxed::Box;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use quern_joblog::{EntryProof, Fork};
use quern_primitives::{
    ids::{BatchSequence, DeviceId, Digest, JobId, NodeKey, TaskIndex},
    log::{
        Header, RefereeReport, SignedAcknowledgement, SignedCertificate, SignedHeader,
        SignedRefereeReport,
    },
    merkle::Proof,
    payload::NodeSignature,
    receipt::{Answer, SignedReceipt},
    verdict::{Finding, Ground, Verdict},
};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// Bytes of a verdict as evidence. The longest that the rules give, of fifteen replicas, has 1,832.
pub const LEAF_BYTES_MAX: u32 = 2_048;

/// Hashes that prove a verdict: a batch has at most 2^12.
pub const LEAF_HASHES_MAX: u32 = 12;

/// Bytes of a log's entry as evidence. The longest, a batch with full lists, has 46 kB.
pub const ENTRY_BYTES_MAX: u32 = 48 * 1_024;

/// Hashes that prove an entry: a block has at most 2^10.
pub const ENTRY_HASHES_MAX: u32 = 10;

/// Hashes that prove a shard's root: a job has at most 2^16 tasks.
pub const INPUT_HASHES_MAX: u32 = 16;

/// Headers from an entry to the next head that was certified, by the short way: in a log of fewer than
/// 2^33 blocks there are 94 at the most, see [`Header::skipped_to`]. 96 headers are 15 kB.
pub const LINKS_MAX: u32 = 96;

/// A batch of a job.
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
pub struct BatchName {
    /// The job.
    pub job: JobId,
    /// The batch.
    pub sequence: BatchSequence,
}

/// What is at one place of a batch's tree: a verdict, or whatever the coordinator put there.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Leaf {
    /// Its bytes.
    pub bytes: BoundedVec<u8, ConstU32<LEAF_BYTES_MAX>>,
    /// Its place, counted from zero.
    pub place: u32,
    /// The nodes beside the path to the root, lowest first.
    pub siblings: BoundedVec<Digest, ConstU32<LEAF_HASHES_MAX>>,
}

/// The chunk root of a task's shard, as the owner submitted it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Input {
    /// The root.
    pub root: Digest,
    /// The nodes beside the path to the job's root, lowest first.
    pub siblings: BoundedVec<Digest, ConstU32<INPUT_HASHES_MAX>>,
}

/// An entry under a block's header. A small form of [`EntryProof`] that knows its limits.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Logged {
    /// The header.
    pub header: SignedHeader,
    /// The entry's bytes.
    pub entry: BoundedVec<u8, ConstU32<ENTRY_BYTES_MAX>>,
    /// Its place in the block, counted from zero.
    pub place: u32,
    /// The nodes beside the path to the header's root, lowest first.
    pub siblings: BoundedVec<Digest, ConstU32<ENTRY_HASHES_MAX>>,
}

/// An entry of a log that was certified.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Certified {
    /// The entry.
    pub logged: Logged,
    /// Headers of blocks that follow, lowest first, up to one whose hash was certified; none if that is
    /// the entry's own. Each names the one before as its `previous` or as its `skip`.
    pub links: BoundedVec<Header, ConstU32<LINKS_MAX>>,
}

/// That a device's answer is not what referees computed.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct WrongAnswer {
    /// The batch whose log has the assignment.
    pub batch: BatchName,
    /// What the device signed.
    pub receipt: SignedReceipt,
    /// What the device had to read.
    pub input: Input,
    /// The entry that gave it the replica.
    pub assignment: Certified,
    /// What was computed.
    pub report: RefereeReport,
    /// Who computed it: places in the group, ascending, and their signatures.
    pub referees: BoundedVec<(u8, NodeSignature), ConstU32<GROUP_MEMBERS_MAX>>,
}

/// That a masternode of a job's group did not compute what it signed.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct FalseReport {
    /// Who is accused.
    pub node: NodeKey,
    /// What the accused signed.
    pub said: SignedRefereeReport,
    /// What came out at others that were asked the same.
    pub answer: Answer,
    /// Who computed that: places in the group, ascending, and their signatures of the report that has it.
    pub referees: BoundedVec<(u8, NodeSignature), ConstU32<GROUP_MEMBERS_MAX>>,
}

/// What is shown to the chain.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub enum Evidence {
    /// A verdict of a batch is none that the rules give.
    #[codec(index = 0)]
    Verdict {
        /// The batch.
        batch: BatchName,
        /// The verdict.
        leaf: Leaf,
    },
    /// A receipt that a verdict names does not bear it out.
    #[codec(index = 1)]
    Receipt {
        /// The batch.
        batch: BatchName,
        /// The verdict.
        leaf: Leaf,
        /// The receipt.
        receipt: Box<SignedReceipt>,
        /// What it should have been about, if that is what is wrong.
        input: Option<Input>,
    },
    /// A receipt that a verdict names is not of the replica that the log gives where it says.
    #[codec(index = 2)]
    Unassigned {
        /// The batch.
        batch: BatchName,
        /// The verdict.
        leaf: Leaf,
        /// The receipt.
        receipt: Box<SignedReceipt>,
        /// The entry at the receipt's log position.
        entry: Box<Certified>,
    },
    /// The log has another verdict on a task than the batch.
    #[codec(index = 3)]
    OtherVerdict {
        /// The batch.
        batch: BatchName,
        /// The batch's verdict.
        leaf: Leaf,
        /// The log's.
        entry: Box<Certified>,
    },
    /// Two blocks were signed for one place of a job's log, or one that names another at the place of one.
    #[codec(index = 4)]
    Blocks {
        /// Who signed both.
        node: NodeKey,
        /// Both.
        fork: Box<Fork>,
    },
    /// Two blocks of one masternode for one place were certified by one member of the group.
    #[codec(index = 5)]
    Certificates {
        /// Who certified both.
        member: NodeKey,
        /// Who wrote both.
        node: NodeKey,
        /// The blocks.
        fork: Box<Fork>,
        /// The certificate of the first.
        first: SignedCertificate,
        /// The certificate of the second.
        second: SignedCertificate,
    },
    /// Two verdicts on one task, or two batches of one number, in what one masternode wrote.
    #[codec(index = 6)]
    Entries {
        /// Who wrote both.
        node: NodeKey,
        /// The one.
        first: Box<Logged>,
        /// The other.
        second: Box<Logged>,
    },
    /// What a batch spends, pays or adds to records is not what its verdicts make. The chain adds up.
    #[codec(index = 7)]
    Payouts {
        /// The batch.
        batch: BatchName,
    },
    /// Work that was acknowledged is in no verdict.
    #[codec(index = 8)]
    Omission {
        /// The batch that settles the task.
        batch: BatchName,
        /// What the coordinator signed.
        acknowledgement: SignedAcknowledgement,
        /// The task's verdict, if it is known; otherwise the coordinator has to show it.
        leaf: Option<Leaf>,
    },
    /// What a batch rests on is nowhere to be had. The coordinator has to show it.
    #[codec(index = 9)]
    Withheld {
        /// The batch.
        batch: BatchName,
        /// What.
        what: Withheld,
    },
    /// A replica was given to a device that could not have it.
    #[codec(index = 10)]
    Assignment {
        /// The batch whose log has it.
        batch: BatchName,
        /// The entry.
        entry: Box<Certified>,
    },
    /// A device signed two different answers for one replica.
    #[codec(index = 11)]
    Answers {
        /// The one.
        first: Box<SignedReceipt>,
        /// The other.
        second: Box<SignedReceipt>,
    },
    /// A device signed an answer that is not what referees computed.
    #[codec(index = 12)]
    WrongAnswer(Box<WrongAnswer>),
    /// A masternode signed an answer to a task that is not what more than half of its job's group computed.
    #[codec(index = 13)]
    FalseReport(Box<FalseReport>),
    /// A batch was settled otherwise than its coordinator wrote it down in its log.
    #[codec(index = 14)]
    OtherBatch {
        /// The batch.
        batch: BatchName,
        /// The entry that has the other one, under a header that the batch's own coordinator signed.
        entry: Box<Logged>,
    },
    /// A replica was given in a lane in which its account is not.
    #[codec(index = 15)]
    OtherLane {
        /// The batch whose log has it.
        batch: BatchName,
        /// The entry.
        entry: Box<Certified>,
    },
}

/// What a coordinator may keep to itself.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub enum Withheld {
    /// The verdict of a task.
    #[codec(index = 0)]
    Verdict {
        /// The task.
        task: TaskIndex,
    },
    /// A receipt that a verdict names.
    #[codec(index = 1)]
    Receipt {
        /// The verdict.
        leaf: Leaf,
        /// Which of its findings, counted from zero.
        finding: u8,
    },
    /// The report on which a verdict rests whose ground is a referee.
    #[codec(index = 2)]
    Report {
        /// The verdict.
        leaf: Leaf,
    },
}

/// What the chain has to look up before it can decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The job.
    pub job: JobId,
    /// The batch, if it is about one.
    pub batch: Option<BatchSequence>,
    /// The device, if the answer depends on one.
    pub device: Option<DeviceId>,
}

impl Evidence {
    /// What it is about, as it says itself.
    pub fn subject(&self) -> Subject {
        let about = |batch: &BatchName| Subject {
            job: batch.job,
            batch: Some(batch.sequence),
            device: None,
        };
        let of_log = |job| Subject {
            job,
            batch: None,
            device: None,
        };
        match self {
            Self::Verdict { batch, leaf } => Subject {
                device: believed(leaf),
                ..about(batch)
            },
            Self::Receipt { batch, .. }
            | Self::Unassigned { batch, .. }
            | Self::OtherVerdict { batch, .. }
            | Self::Payouts { batch }
            | Self::Omission { batch, .. }
            | Self::Withheld { batch, .. }
            | Self::OtherBatch { batch, .. }
            // By the account that the entry names, whoever has the device now.
            | Self::OtherLane { batch, .. } => about(batch),
            Self::Blocks { fork, .. } | Self::Certificates { fork, .. } => {
                of_log(fork.first.payload.job)
            }
            Self::Entries { first, .. } => of_log(first.header.payload.job),
            Self::Assignment { batch, entry } => Subject {
                device: entry.logged.assigned().map(|it| it.device),
                ..about(batch)
            },
            Self::Answers { first, .. } => Subject {
                device: Some(first.payload.device),
                ..of_log(first.payload.job)
            },
            Self::WrongAnswer(it) => Subject {
                device: Some(it.receipt.payload.device),
                ..about(&it.batch)
            },
            // What was signed convicts by itself, whatever became of the batch that rests on it.
            Self::FalseReport(it) => of_log(it.said.payload.job),
        }
    }
}

/// The device that is believed alone, if a verdict says that one is.
fn believed(leaf: &Leaf) -> Option<DeviceId> {
    let verdict = leaf.verdict().filter(|it| it.ground == Ground::Trusted)?;
    let mut accepted = verdict.replicas.iter();
    let accepted = accepted.find(|found| found.finding == Finding::Accepted);
    accepted.map(|found| found.device)
}

impl Leaf {
    /// A verdict of a tree, with the proof of it; `None` if it is larger than evidence may be.
    pub fn new(verdict: &Verdict, proof: Proof) -> Option<Self> {
        Some(Self {
            bytes: verdict.encode().try_into().ok()?,
            place: proof.index,
            siblings: proof.siblings.try_into().ok()?,
        })
    }
}

impl Logged {
    /// An entry of a block with its proof; `None` if it is larger than evidence may be.
    pub fn new(proof: EntryProof) -> Option<Self> {
        Some(Self {
            header: proof.header,
            entry: proof.entry.encode().try_into().ok()?,
            place: proof.proof.index,
            siblings: proof.proof.siblings.try_into().ok()?,
        })
    }
}

impl Withheld {
    /// The question that it makes the chain ask; `None` if the verdict names no such thing.
    pub(crate) fn question(&self) -> Option<Question> {
        match self {
            Self::Verdict { task } => Some(Question::Verdict { task: *task }),
            Self::Receipt { leaf, finding } => {
                let verdict = leaf.verdict()?;
                let found = verdict.replicas.get(usize::from(*finding))?;
                Some(Question::Receipt {
                    receipt: found.receipt?,
                })
            }
            Self::Report { leaf } => {
                let verdict = leaf.verdict().filter(|it| it.ground == Ground::Referee)?;
                Some(Question::Report {
                    task: verdict.task,
                    answer: verdict.answer,
                })
            }
        }
    }
}
