//! What a coordinator has to show when it is asked.
//!
//! That something is nowhere cannot be shown, so the coordinator is asked for it, and has lost when the
//! time is over. Anybody may reply for it: who certified the batch has the log. A reply that holds ends
//! the dispute, and who asked has lost.

use crate::{
    evidence::{Leaf, Withheld},
    facts::Facts,
    ruling::{Offence, Place, Refusal, Ruling, convict_member, unfounded},
    signatures::Signatures,
    verdict::{receipt_digest, task_at},
};
use alloc::{boxed::Box, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use quern_job_rules::tasks;
use quern_primitives::{
    ids::{AccountId, Digest, NodeKey, TaskIndex},
    limits::REFEREES_MAX,
    log::{Acknowledgement, RefereeReport, SignedAcknowledgement, SignedRefereeReport},
    payload::NodeSignature,
    receipt::{Answer, SignedReceipt},
};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// What is asked of a batch's coordinator.
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
pub enum Question {
    /// The verdict that names what was acknowledged.
    #[codec(index = 0)]
    Omission {
        /// What was acknowledged.
        acknowledgement: Acknowledgement,
    },
    /// The verdict of a task.
    #[codec(index = 1)]
    Verdict {
        /// The task.
        task: TaskIndex,
    },
    /// A receipt.
    #[codec(index = 2)]
    Receipt {
        /// Its digest.
        receipt: Digest,
    },
    /// A referee's report.
    #[codec(index = 3)]
    Report {
        /// The task.
        task: TaskIndex,
        /// What it has to say.
        answer: Answer,
    },
}

/// What is shown for it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub enum Reply {
    /// A verdict of the batch.
    #[codec(index = 0)]
    Verdict(Leaf),
    /// A receipt.
    #[codec(index = 1)]
    Receipt(Box<SignedReceipt>),
    /// A report, and whose it is.
    #[codec(index = 2)]
    Report {
        /// The report.
        report: Box<SignedRefereeReport>,
        /// Who signed it.
        node: NodeKey,
    },
    /// A report that several have signed, as the job asks for.
    #[codec(index = 3)]
    Reports {
        /// The report.
        report: Box<RefereeReport>,
        /// Who signed it, ascending by their keys.
        signed: BoundedVec<(NodeKey, NodeSignature), ConstU32<REFEREES_MAX>>,
    },
}

impl Reply {
    /// A report that those have signed who are named with their signatures, in any order. What is beyond the
    /// number of referees is left out.
    pub fn reports(report: RefereeReport, mut signed: Vec<(NodeKey, NodeSignature)>) -> Self {
        signed.sort_unstable_by_key(|(node, _)| *node);
        Self::Reports {
            report: Box::new(report),
            signed: BoundedVec::truncate_from(signed),
        }
    }
}

/// Work that was acknowledged, and that the batch is said to leave out.
pub(crate) fn omission<S: Signatures>(
    acknowledgement: &SignedAcknowledgement,
    leaf: Option<&Leaf>,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    let said = acknowledgement.payload;
    if said.job != facts.job_id {
        return Err(Refusal::OtherJob);
    }
    let tasks = tasks::validate(&batch.tasks, facts.job.submission.tasks);
    let tasks = tasks.map_err(|_| Refusal::Undecidable)?;
    if !tasks.iter().any(|task| task == said.task) {
        return Err(Refusal::NotInBatch);
    }
    // Who coordinated before answers for nothing that another coordinator settled.
    let member = facts.member(&batch.coordinator);
    let member = member.ok_or(Refusal::NobodyAnswers)?;
    let signed = acknowledgement.signed();
    let signed = signed.filter(|signed| signatures.is_nodes(signed, &member.node, &facts.genesis));
    signed.ok_or(Refusal::NotSigned)?;
    let Some(leaf) = leaf else {
        let acknowledgement = said;
        let question = Question::Omission { acknowledgement };
        return Ok(Ruling::Asked(batch.sequence, question));
    };
    leaf.is_in(batch)?;
    if task_at(leaf.place, batch, facts) != Some(said.task) {
        return Err(Refusal::Unrelated);
    }
    match names(leaf, &said) {
        true => Ok(unfounded(facts)),
        false => Ok(convict_member(
            facts,
            member,
            Offence::Omission,
            Place::Receipt(said.receipt),
        )),
    }
}

/// Whether the verdict names the receipt that was acknowledged.
fn names(leaf: &Leaf, said: &Acknowledgement) -> bool {
    leaf.verdict().is_some_and(|verdict| {
        verdict.replicas.iter().any(|found| {
            found.replica == said.replica
                && found.device == said.device
                && found.receipt == Some(said.receipt)
        })
    })
}

/// What a batch rests on and nobody has.
pub(crate) fn withheld(what: &Withheld, facts: &Facts) -> Result<Ruling, Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    match what {
        Withheld::Verdict { task } => {
            let tasks = tasks::validate(&batch.tasks, facts.job.submission.tasks);
            let tasks = tasks.map_err(|_| Refusal::Undecidable)?;
            if !tasks.iter().any(|it| it == *task) {
                return Err(Refusal::NotInBatch);
            }
        }
        Withheld::Receipt { leaf, .. } | Withheld::Report { leaf } => leaf.is_in(batch)?,
    }
    let question = what.question().ok_or(Refusal::Unrelated)?;
    Ok(Ruling::Asked(batch.sequence, question))
}

/// Whether a report answers for a task: it is about it, and says this.
fn says(report: &RefereeReport, task: TaskIndex, answer: &Answer, facts: &Facts) -> bool {
    report.job == facts.job_id && report.task == task && report.answer == *answer
}

/// Whether a key is that of the coordinator, which does not judge what it gives out.
fn is_own(node: &NodeKey, coordinator: &AccountId, facts: &Facts) -> bool {
    let member = facts.member(coordinator);
    member.is_some_and(|member| member.node == *node)
}

/// Whether enough masternodes have signed a report, none of them twice, and none of them the one that gave
/// the task out and judged it.
fn is_signed_by_enough<S: Signatures>(
    report: &RefereeReport,
    signed: &[(NodeKey, NodeSignature)],
    coordinator: &AccountId,
    facts: &Facts,
    signatures: &S,
) -> bool {
    let is_ascending = signed.is_sorted_by(|(one, _), (other, _)| one < other);
    let holds = |(node, signature): &(NodeKey, NodeSignature)| {
        let report = SignedRefereeReport {
            payload: *report,
            signature: *signature,
        };
        !is_own(node, coordinator, facts)
            && facts.referees.contains(node)
            && signatures.is_nodes(&report, node, &facts.genesis)
    };
    is_ascending && signed.len() >= facts.referees_wanted() && signed.iter().all(holds)
}

impl Question {
    /// What follows from a reply. One that does not answer is refused and changes nothing; that a
    /// receipt or verdict that was shown is itself a lie is a dispute of its own.
    pub fn replied<S: Signatures>(
        &self,
        reply: &Reply,
        facts: &Facts,
        signatures: &S,
    ) -> Result<Ruling, Refusal> {
        let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
        let is_answered = match (self, reply) {
            (Self::Omission { acknowledgement }, Reply::Verdict(leaf)) => {
                leaf.is_in(batch)?;
                task_at(leaf.place, batch, facts) == Some(acknowledgement.task)
                    && names(leaf, acknowledgement)
            }
            (Self::Verdict { task }, Reply::Verdict(leaf)) => {
                leaf.is_in(batch)?;
                task_at(leaf.place, batch, facts) == Some(*task)
            }
            (Self::Receipt { receipt }, Reply::Receipt(shown)) => receipt_digest(shown) == *receipt,
            (Self::Report { task, answer }, Reply::Report { report, node }) => {
                // In a group of its own there is nobody else.
                let may_say = facts.group.len() == 1 || !is_own(node, &batch.coordinator, facts);
                facts.referees_wanted() <= 1
                    && may_say
                    && says(&report.payload, *task, answer, facts)
                    && facts.referees.contains(node)
                    && signatures.is_nodes(report.as_ref(), node, &facts.genesis)
            }
            (Self::Report { task, answer }, Reply::Reports { report, signed }) => {
                let coordinator = &batch.coordinator;
                says(report, *task, answer, facts)
                    && is_signed_by_enough(report, signed, coordinator, facts, signatures)
            }
            _ => false,
        };
        match is_answered {
            true => Ok(unfounded(facts)),
            false => Err(Refusal::NoReply),
        }
    }

    /// What follows when the time is over. Only the coordinator was asked, so only it pays. Where the
    /// batch rests on what nobody showed, it is struck, also if nobody of the group answers for it any more.
    pub fn expired(&self, facts: &Facts) -> Result<Ruling, Refusal> {
        let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
        let member = facts.member(&batch.coordinator);
        let (member, offence, place) = match self {
            Self::Omission { acknowledgement } => {
                let member = member.ok_or(Refusal::NobodyAnswers)?;
                let place = Place::Receipt(acknowledgement.receipt);
                (Some(member), Offence::Omission, place)
            }
            Self::Verdict { .. } | Self::Receipt { .. } | Self::Report { .. } => {
                (member, Offence::Silence, Place::Batch(batch.sequence))
            }
        };
        Ok(convict_member(facts, member, offence, place))
    }
}
