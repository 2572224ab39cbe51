//! What follows from a dispute.

use crate::{
    facts::{Facts, Member},
    penalty::Penalty,
    question::Question,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use quern_primitives::{
    amount::Amount,
    ids::{AccountId, BatchSequence, DeviceId, Digest, ReplicaIndex, TaskIndex},
    receipt::Receipt,
};
use scale_info::TypeInfo;

/// What was proved.
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
pub enum Offence {
    /// A verdict of the batch is none that the rules give.
    #[codec(index = 0)]
    Verdict(VerdictLie),
    /// A receipt that the verdict names does not bear it out.
    #[codec(index = 1)]
    Receipt(ReceiptLie),
    /// A receipt that the verdict names is not of a replica that was given to its device.
    #[codec(index = 2)]
    Unassigned,
    /// The log that was certified has another verdict on the task.
    #[codec(index = 3)]
    OtherVerdict,
    /// Two blocks were signed for one place of a log, or one that names another at the place of one.
    #[codec(index = 4)]
    TwoBlocks,
    /// Two blocks for one place of a log were certified.
    #[codec(index = 5)]
    TwoCertificates,
    /// Two verdicts on one task were written down.
    #[codec(index = 6)]
    TwoVerdicts,
    /// Two batches of one number were written down.
    #[codec(index = 7)]
    TwoBatches,
    /// What the batch spends, pays or adds to records is not what its verdicts make.
    #[codec(index = 8)]
    Payouts,
    /// Work that was acknowledged is not in the verdict.
    #[codec(index = 9)]
    Omission,
    /// What the batch rests on was not shown in time.
    #[codec(index = 10)]
    Silence,
    /// A replica was given to a device that could not have it.
    #[codec(index = 11)]
    Assignment,
    /// A device signed two different answers for one replica.
    #[codec(index = 12)]
    TwoAnswers,
    /// A device signed an answer that is not the one that referees computed.
    #[codec(index = 13)]
    WrongAnswer,
    /// A masternode signed an answer that is not the one that most of its job's group computed.
    #[codec(index = 14)]
    FalseReport,
    /// The batch was settled otherwise than its coordinator wrote it down.
    #[codec(index = 15)]
    OtherBatch,
    /// A replica was given in a lane in which its account is not, or in as many lanes as there never are.
    #[codec(index = 16)]
    OtherLane,
}

/// Why a verdict is none that the rules give.
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
pub enum VerdictLie {
    /// What is in the batch's tree is no verdict.
    #[codec(index = 0)]
    Malformed,
    /// It is of another job.
    #[codec(index = 1)]
    OtherJob,
    /// Another task's verdict has its place.
    #[codec(index = 2)]
    OtherTask,
    /// That a program fails is never settled.
    #[codec(index = 3)]
    Failing,
    /// Its replicas cannot be: too many, one twice, two of one account, or with a receipt where there is
    /// none.
    #[codec(index = 4)]
    Replicas,
    /// Too few receipts are named for its ground and the job's agreement, or the agreement has no such
    /// ground.
    #[codec(index = 5)]
    Backing,
    /// A device was believed alone that the draw says is not.
    #[codec(index = 6)]
    Trust,
    /// It is not the price.
    #[codec(index = 7)]
    Price,
    /// A replica is not paid its share.
    #[codec(index = 8)]
    Pay,
}

/// Why a receipt does not bear a verdict out.
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
pub enum ReceiptLie {
    /// It is of another job, task, replica, device, program or class.
    #[codec(index = 0)]
    Other,
    /// It is about another input.
    #[codec(index = 1)]
    Input,
    /// It states more than the task's limits allow.
    #[codec(index = 2)]
    OverLimit,
    /// Its device did not sign it.
    #[codec(index = 3)]
    Signature,
    /// It gives another answer than its device is found to have given.
    #[codec(index = 4)]
    Answer,
}

/// Who is guilty.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub enum Guilty {
    /// A masternode.
    #[codec(index = 0)]
    Masternode(AccountId),
    /// A worker, for a device of its.
    #[codec(index = 1)]
    Worker {
        /// The account that answers for the device.
        account: AccountId,
        /// The device.
        device: DeviceId,
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
    },
}

/// What one conviction is for; nobody is convicted of it twice. Within a job.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub enum Place {
    /// A batch.
    #[codec(index = 0)]
    Batch(BatchSequence),
    /// What a masternode signed twice: who forks a log forks it at every place that follows.
    #[codec(index = 1)]
    Signer(AccountId),
    /// A receipt that was left out.
    #[codec(index = 2)]
    Receipt(Digest),
    /// What a device signed for a replica.
    #[codec(index = 3)]
    Replica(TaskIndex, ReplicaIndex, DeviceId),
    /// What a masternode says that came out of a task.
    #[codec(index = 4)]
    Report(TaskIndex, AccountId),
}

/// A guilty account and what it loses.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Sentence {
    /// Who.
    pub guilty: Guilty,
    /// What of its bond.
    pub penalty: Penalty,
}

/// A proved lie and all that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conviction {
    /// What was proved.
    pub offence: Offence,
    /// What it is for.
    pub place: Place,
    /// The batch that is struck with all that follow it, if one is.
    pub strike: Option<BatchSequence>,
    /// Who pays, each account once.
    pub sentences: Vec<Sentence>,
}

/// What follows from evidence that is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is proved.
    Convicted(Conviction),
    /// Nothing is wrong with what was disputed: who disputed loses this of its bond, of which the
    /// winner's part is the coordinator's.
    Unfounded(Penalty),
    /// The chain has to add up first; see [`crate::Sum`].
    Adding(BatchSequence),
    /// The coordinator has to show something first.
    Asked(BatchSequence, Question),
}

/// Why evidence is not judged. Who sent it loses the fee and nothing else.
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
pub enum Refusal {
    /// It is of another job than the facts.
    #[codec(index = 0)]
    OtherJob,
    /// The batch is not pending: it is final, was struck, or never was.
    #[codec(index = 1)]
    NotPending,
    /// What is said to be in the batch is not.
    #[codec(index = 2)]
    NotInBatch,
    /// What is said to be in the log is not in one that was certified, or not signed.
    #[codec(index = 3)]
    NotInLog,
    /// The parts are about different things, so nothing follows from them together.
    #[codec(index = 4)]
    Unrelated,
    /// It is not signed by who is accused.
    #[codec(index = 5)]
    NotSigned,
    /// Who is accused is no member of the job's group, or no account answers for the device.
    #[codec(index = 6)]
    NobodyAnswers,
    /// The chain does not know what it would need to decide it.
    #[codec(index = 7)]
    Undecidable,
    /// A step has no verdict, too many, or more than the batch has.
    #[codec(index = 8)]
    Step,
    /// Not all verdicts were added up yet.
    #[codec(index = 9)]
    Unfinished,
    /// The reply does not answer the question.
    #[codec(index = 10)]
    NoReply,
    /// The device is convicted already, and nothing is left of what covered it.
    #[codec(index = 11)]
    NothingLeft,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherJob => "the evidence is of another job; name that job",
            Self::NotPending => "the batch is not pending; it cannot be disputed any more",
            Self::NotInBatch => "the verdict is not under the batch's root; make its proof again",
            Self::NotInLog => {
                "the entry is not in a log that was certified; add the headers up to its head"
            }
            Self::Unrelated => "the parts are about different things; show two about one place",
            Self::NotSigned => "the accused did not sign it; show what they signed for this chain",
            Self::NobodyAnswers => "nobody of this job answers for it; name a member or a device",
            Self::Undecidable => "the chain does not know enough to decide it; show something else",
            Self::Step => "add between 1 and 256 verdicts a step, and no more than the batch has",
            Self::Unfinished => "verdicts of the batch are missing; add them first",
            Self::NoReply => "the reply does not answer the question; show what was asked for",
            Self::NothingLeft => {
                "the device is convicted already, and nothing is left of what covered it"
            }
        })
    }
}

impl core::error::Error for Refusal {}

/// The batch, its coordinator and all who certified it.
pub(crate) fn convict_batch(facts: &Facts, offence: Offence) -> Result<Ruling, Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    let is_guilty = |member: &&Member| {
        member.account == batch.coordinator || batch.certifiers.contains(&member.account)
    };
    // Each member is in the group once, so nobody pays twice.
    let sentences = facts.group.iter().filter(is_guilty);
    Ok(Ruling::Convicted(Conviction {
        offence,
        place: Place::Batch(batch.sequence),
        strike: Some(batch.sequence),
        sentences: sentences
            .map(|member| sentence_of(facts, member, batch.spent))
            .collect(),
    }))
}

/// One masternode, if there is one. The batch is struck if that is what it is for.
pub(crate) fn convict_member<'a>(
    facts: &Facts,
    member: impl Into<Option<&'a Member>>,
    offence: Offence,
    place: Place,
) -> Ruling {
    let strike = match place {
        Place::Batch(sequence) => Some(sequence),
        Place::Signer(_) | Place::Receipt(_) | Place::Replica(..) | Place::Report(..) => None,
    };
    let batch = facts.batch.as_ref().filter(|_| strike.is_some());
    let spent = batch.map_or(0, |batch| batch.spent);
    Ruling::Convicted(Conviction {
        offence,
        strike,
        place,
        sentences: member
            .into()
            .map(|member| sentence_of(facts, member, spent))
            .into_iter()
            .collect(),
    })
}

/// A worker, for a device; unless that costs nobody anything and says nothing new.
pub(crate) fn convict_worker(
    facts: &Facts,
    account: AccountId,
    said: &Receipt,
    offence: Offence,
    slash: Amount,
) -> Result<Ruling, Refusal> {
    let stakes = &facts.stakes;
    let is_convicted = facts.device.as_ref().is_some_and(|it| it.is_convicted);
    if is_convicted && facts.worker_bond == 0 {
        return Err(Refusal::NothingLeft);
    }
    let guilty = Guilty::Worker {
        account,
        device: said.device,
        task: said.task,
        replica: said.replica,
    };
    let penalty = Penalty::of(facts.worker_bond, slash, stakes.winner_permille);
    Ok(Ruling::Convicted(Conviction {
        offence,
        place: Place::Replica(said.task, said.replica, said.device),
        strike: None,
        sentences: [Sentence { guilty, penalty }].into(),
    }))
}

/// Nothing is wrong.
pub(crate) fn unfounded(facts: &Facts) -> Ruling {
    let stakes = &facts.stakes;
    Ruling::Unfounded(Penalty::of(
        stakes.dispute_bond,
        stakes.dispute_bond,
        stakes.winner_permille,
    ))
}

/// A masternode pays as much as what it had settled falsely would have spent, or what the council has set if that
/// is more.
fn sentence_of(facts: &Facts, member: &Member, spent: Amount) -> Sentence {
    let stakes = &facts.stakes;
    let slash = stakes.masternode_slash.max(spent);
    Sentence {
        guilty: Guilty::Masternode(member.account.clone()),
        penalty: Penalty::of(member.bond, slash, stakes.winner_permille),
    }
}
