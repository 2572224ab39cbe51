//! Two things that one masternode signed for one place, or of which it signed one and settled the other.
//!
//! An honest masternode follows one log of a job, writes at most one part of it without a break (a member
//! of a group has one turn), and writes down each verdict and each batch once. So two are a lie, whatever
//! is in them. So are a block and a later one that names another in its place, as the one it follows or
//! skips to, or other positions than it leaves: a block is signed with all that it says of those before.
//! Who only certified one of two branches did nothing wrong.

use crate::{
    evidence::Logged,
    facts::{Facts, Member},
    ruling::{self, Offence, Refusal, Ruling, convict_batch, convict_member, unfounded},
    signatures::Signatures,
};
use quern_joblog::{Entry, Fork};
use quern_primitives::{
    ids::{BatchSequence, NodeKey, TaskIndex},
    log::{SignedCertificate, SignedHeader},
};

/// What an entry may be that there is one of.
#[derive(PartialEq, Eq)]
enum Place {
    Verdict(TaskIndex),
    Batch(BatchSequence),
}

fn answers<'a>(node: &NodeKey, facts: &'a Facts) -> Result<&'a Member, Refusal> {
    facts.member_with(node).ok_or(Refusal::NobodyAnswers)
}

fn signer(member: &Member) -> ruling::Place {
    ruling::Place::Signer(member.account.clone())
}

/// Whether these are two blocks of the job that no log has both, both signed by this masternode.
fn is_fork<S: Signatures>(
    fork: &Fork,
    node: &NodeKey,
    facts: &Facts,
    signatures: &S,
) -> Result<(), Refusal> {
    let (first, second) = (&fork.first.payload, &fork.second.payload);
    if first.job != facts.job_id || second.job != facts.job_id {
        return Err(Refusal::OtherJob);
    }
    if !fork.are_apart(&facts.genesis) {
        return Err(Refusal::Unrelated);
    }
    let is_signed = |header: &SignedHeader| signatures.is_nodes(header, node, &facts.genesis);
    match is_signed(&fork.first) && is_signed(&fork.second) {
        true => Ok(()),
        false => Err(Refusal::NotSigned),
    }
}

/// Two blocks.
pub(crate) fn blocks<S: Signatures>(
    fork: &Fork,
    node: &NodeKey,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let member = answers(node, facts)?;
    is_fork(fork, node, facts, signatures)?;
    Ok(convict_member(
        facts,
        member,
        Offence::TwoBlocks,
        signer(member),
    ))
}

/// Two certificates, of both branches of a fork. That both branches are of one writer is asked for
/// because a member that goes on with another coordinator may certify another block of one index.
pub(crate) fn certificates<S: Signatures>(
    (first, second): (&SignedCertificate, &SignedCertificate),
    member: &NodeKey,
    (fork, writer): (&Fork, &NodeKey),
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let guilty = answers(member, facts)?;
    is_fork(fork, writer, facts, signatures)?;
    // A certificate is of one place.
    if fork.second.payload.index != fork.place {
        return Err(Refusal::Unrelated);
    }
    for (certificate, header) in [(first, &fork.first), (second, &fork.second)] {
        let said = &certificate.payload;
        if said.job != facts.job_id {
            return Err(Refusal::OtherJob);
        }
        let is_of = said.index == fork.place && said.head == header.payload.hash(&facts.genesis);
        if !is_of {
            return Err(Refusal::Unrelated);
        }
        if !signatures.is_nodes(certificate, member, &facts.genesis) {
            return Err(Refusal::NotSigned);
        }
    }
    Ok(convict_member(
        facts,
        guilty,
        Offence::TwoCertificates,
        signer(guilty),
    ))
}

/// Two entries of which there is one.
pub(crate) fn entries<S: Signatures>(
    (first, second): (&Logged, &Logged),
    node: &NodeKey,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let member = answers(node, facts)?;
    let headers = [&first.header, &second.header];
    if headers.iter().any(|it| it.payload.job != facts.job_id) {
        return Err(Refusal::OtherJob);
    }
    let place = place_of(first).ok_or(Refusal::Unrelated)?;
    if place_of(second).as_ref() != Some(&place) {
        return Err(Refusal::Unrelated);
    }
    let positions = first.position().zip(second.position());
    let (one, other) = positions.ok_or(Refusal::NotInLog)?;
    // One entry, shown twice, is one.
    if one == other && first.entry == second.entry {
        return Err(Refusal::Unrelated);
    }
    let is_signed = |header: &&SignedHeader| signatures.is_nodes(*header, node, &facts.genesis);
    if !headers.iter().all(is_signed) {
        return Err(Refusal::NotSigned);
    }
    let offence = match place {
        Place::Verdict(_) => Offence::TwoVerdicts,
        Place::Batch(_) => Offence::TwoBatches,
    };
    Ok(convict_member(facts, member, offence, signer(member)))
}

/// A batch that was settled, and one of its number that its coordinator wrote down.
///
/// A coordinator writes a batch down before it settles it, and goes on with what it signed, so the two are one.
/// Who coordinated before may have written down a batch of this number that never came to be: that is held
/// against nobody, so the header must be signed by who settled this one.
///
/// Who certified the batch signed for it together with the block that has it. In any other block the entry
/// is its writer's alone; then the batch stands, unless nobody but its writer has answered for it.
pub(crate) fn batches<S: Signatures>(
    written: &Logged,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    let header = &written.header;
    if header.payload.job != facts.job_id {
        return Err(Refusal::OtherJob);
    }
    let Some(Entry::Batched { batch: other }) = written.entry() else {
        return Err(Refusal::Unrelated);
    };
    if other.sequence != batch.sequence {
        return Err(Refusal::Unrelated);
    }
    written.position().ok_or(Refusal::NotInLog)?;
    let writer = facts.member(&batch.coordinator);
    let writer = writer.ok_or(Refusal::NobodyAnswers)?;
    if !signatures.is_nodes(header, &writer.node, &facts.genesis) {
        return Err(Refusal::NotSigned);
    }
    if batch.is_of(&facts.job_id, &other) {
        return Ok(unfounded(facts));
    }
    let head = header.payload.hash(&facts.genesis);
    let is_certified_with_it = batch.heads.last() == Some(&head);
    let mut certifiers = batch.certifiers.iter();
    let is_its_own_word = certifiers.all(|it| *it == batch.coordinator);
    let offence = Offence::OtherBatch;
    match is_certified_with_it || is_its_own_word {
        true => convict_batch(facts, offence),
        false => Ok(convict_member(facts, writer, offence, signer(writer))),
    }
}

fn place_of(logged: &Logged) -> Option<Place> {
    match logged.entry()? {
        Entry::Judged { verdict } => Some(Place::Verdict(verdict.task)),
        Entry::Batched { batch } => Some(Place::Batch(batch.sequence)),
        _ => None,
    }
}
