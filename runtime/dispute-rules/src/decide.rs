//! What follows from evidence and facts.

use crate::{
    evidence::Evidence,
    facts::Facts,
    question, referees,
    ruling::{Refusal, Ruling},
    signatures::Signatures,
    twice, verdict, worker,
};

/// Decides what can be decided at once, and says what has to come first for the rest. The facts are those
/// that [`Evidence::subject`] asks for; if they are others, it is refused.
pub fn decide<S: Signatures>(
    evidence: &Evidence,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let subject = evidence.subject();
    if subject.job != facts.job_id {
        return Err(Refusal::OtherJob);
    }
    if let Some(sequence) = subject.batch {
        let batch = facts.batch.as_ref();
        batch
            .filter(|batch| batch.sequence == sequence)
            .ok_or(Refusal::NotPending)?;
    }
    match evidence {
        Evidence::Verdict { leaf, .. } => verdict::alone(leaf, facts),
        Evidence::Receipt {
            leaf,
            receipt,
            input,
            ..
        } => verdict::with_receipt(leaf, receipt, input.as_ref(), facts, signatures),
        Evidence::Unassigned {
            leaf,
            receipt,
            entry,
            ..
        } => verdict::with_assignment(leaf, receipt, entry, facts, signatures),
        Evidence::OtherVerdict { leaf, entry, .. } => {
            verdict::with_log(leaf, entry, facts, signatures)
        }
        Evidence::Blocks { node, fork } => twice::blocks(fork, node, facts, signatures),
        Evidence::Certificates {
            member,
            node,
            fork,
            first,
            second,
        } => twice::certificates((first, second), member, (fork, node), facts, signatures),
        Evidence::Entries {
            node,
            first,
            second,
        } => twice::entries((first, second), node, facts, signatures),
        Evidence::Payouts { batch } => Ok(Ruling::Adding(batch.sequence)),
        Evidence::Omission {
            acknowledgement,
            leaf,
            ..
        } => question::omission(acknowledgement, leaf.as_ref(), facts, signatures),
        Evidence::Withheld { what, .. } => question::withheld(what, facts),
        Evidence::Assignment { entry, .. } => worker::assignment(entry, facts, signatures),
        Evidence::Answers { first, second } => worker::answers(first, second, facts, signatures),
        Evidence::WrongAnswer(it) => worker::wrong_answer(it, facts, signatures),
        Evidence::FalseReport(it) => referees::false_report(it, facts, signatures),
        Evidence::OtherBatch { entry, .. } => twice::batches(entry, facts, signatures),
        Evidence::OtherLane { entry, .. } => worker::lane(entry, facts, signatures),
    }
}
