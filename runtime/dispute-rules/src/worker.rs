//! What devices signed, and what they could not have been given.
//!
//! Who pays for a device is the account that the register names for it, and no other. Where all that covered it is
//! gone a first proved lie is still noted in the device's record; a second one there would cost nobody anything, and
//! is refused, or a key with nothing left could fill the chain with lies about itself.
//!
//! A worker pays for a wrong answer only if more than half of the group computed another one, from the
//! very input, with the very engine, and asked the very same that the device says it was: a device that was
//! given something else, or that one masternode contradicts, pays nothing.

use crate::{
    evidence::{Certified, WrongAnswer},
    facts::{BatchFacts, DeviceFacts, Facts},
    proof::Assigned,
    referees::are_most_referees,
    ruling::{Offence, Refusal, Ruling, convict_batch, convict_worker, unfounded},
    signatures::Signatures,
};
use quern_primitives::{
    ids::AccountId,
    lanes::{self, Draw, OPEN_TO_ALL},
    limits::REPLICAS_PER_TASK_MAX,
    receipt::SignedReceipt,
};

/// A replica was given to a device that could not have it.
pub(crate) fn assignment<S: Signatures>(
    entry: &Certified,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let (given, batch) = given_in_batch(entry, facts, signatures)?;
    let cannot_be = given.task >= facts.job.submission.tasks
        || given.replica >= REPLICAS_PER_TASK_MAX
        || given.at > batch.settled_at;
    if cannot_be {
        return convict_batch(facts, Offence::Assignment);
    }
    match &facts.device {
        // None of its name was ever registered.
        None => convict_batch(facts, Offence::Assignment),
        Some(DeviceFacts {
            registered: Some((account, since)),
            ..
        }) if *since <= given.at => match *account == given.account {
            true => Ok(unfounded(facts)),
            false => convict_batch(facts, Offence::Assignment),
        },
        // It belonged to somebody else then, and the chain has forgotten to whom.
        Some(_) => Err(Refusal::Undecidable),
    }
}

/// A replica was given in a lane in which its account is not, or in as many lanes as no task of the job has.
///
/// In how many lanes it was given is the coordinator's word, which nobody could contradict: it knew how many
/// accounts there were, and who came in vain. So what was for all is no lie. Whether the account is in the
/// lane that is claimed follows from the seed alone.
pub(crate) fn lane<S: Signatures>(
    entry: &Certified,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let (given, _) = given_in_batch(entry, facts, signatures)?;
    let replicas = facts.job.submission.agreement.replicas();
    let is_its = match given.lanes {
        lanes if !lanes::can_be(lanes, replicas) => false,
        OPEN_TO_ALL => true,
        lanes => {
            let seed = facts.lane_seed.ok_or(Refusal::Undecidable)?;
            Draw::of(&seed.0, &given.account).is_for(given.task, given.replica, lanes)
        }
    };
    match is_its {
        true => Ok(unfounded(facts)),
        false => convict_batch(facts, Offence::OtherLane),
    }
}

/// An assignment that stands behind the head that was certified with a batch. Whoever certified that has
/// followed the log from its beginning, so each of these batches answers for it, wherever the stretch
/// begins and ends that it names: that is its coordinator's word, and could leave out what is held against it.
fn given_in_batch<'a, S: Signatures>(
    entry: &Certified,
    facts: &'a Facts,
    signatures: &S,
) -> Result<(Assigned, &'a BatchFacts), Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    entry.position_behind(batch, facts, signatures)?;
    let given = entry.logged.assigned().ok_or(Refusal::Unrelated)?;
    Ok((given, batch))
}

/// Two answers of one device for one replica.
pub(crate) fn answers<S: Signatures>(
    first: &SignedReceipt,
    second: &SignedReceipt,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let (one, other) = (&first.payload, &second.payload);
    if one.job != facts.job_id || other.job != facts.job_id {
        return Err(Refusal::OtherJob);
    }
    let is_one_replica = one.task == other.task
        && one.replica == other.replica
        && one.device == other.device
        && one.program == other.program
        && one.input_root == other.input_root
        && one.class == other.class
        && one.engine == other.engine
        && one.question == other.question
        && one.log_position == other.log_position;
    let submission = &facts.job.submission;
    let is_of_job = one.task < submission.tasks
        && one.replica < REPLICAS_PER_TASK_MAX
        && one.program == submission.program
        && one.class == submission.class;
    if !is_one_replica || !is_of_job || one.answer() == other.answer() {
        return Err(Refusal::Unrelated);
    }
    let account = account_of(facts).ok_or(Refusal::NobodyAnswers)?;
    let is_signed =
        |receipt: &SignedReceipt| signatures.is_devices(receipt, &one.device, &facts.genesis);
    if !is_signed(first) || !is_signed(second) {
        return Err(Refusal::NotSigned);
    }
    let account = account.clone();
    convict_worker(
        facts,
        account,
        one,
        Offence::TwoAnswers,
        facts.stakes.device_slash,
    )
}

/// Who answers for a device's key is who registered it: that took the key's own consent. Retiring it
/// changes nothing as long as there is a bond to answer with.
fn account_of(facts: &Facts) -> Option<&AccountId> {
    facts.device.as_ref()?.answers.as_ref()
}

/// An answer that is not what more than half of the group computed.
pub(crate) fn wrong_answer<S: Signatures>(
    it: &WrongAnswer,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    let (said, report) = (&it.receipt.payload, &it.report);
    let submission = &facts.job.submission;
    if said.job != facts.job_id || report.job != facts.job_id {
        return Err(Refusal::OtherJob);
    }
    let position = it.assignment.position_in(batch, facts, signatures)?;
    let given = it.assignment.logged.assigned();
    let given = given.ok_or(Refusal::Unrelated)?;
    let is_about_it = position == said.log_position
        && given.task == said.task
        && given.replica == said.replica
        && given.device == said.device
        && given.engine == said.engine
        && report.task == said.task
        && report.question == said.question
        && said.program == submission.program
        && said.class == submission.class
        && said.input_root == it.input.root
        && it.input.is_of(said.task, facts);
    if !is_about_it {
        return Err(Refusal::Unrelated);
    }
    if !signatures.is_devices(&it.receipt, &said.device, &facts.genesis) {
        return Err(Refusal::NotSigned);
    }
    if !are_most_referees(report, &it.referees, facts, signatures) {
        return Err(Refusal::NotSigned);
    }
    if said.answer() == report.answer {
        return Ok(unfounded(facts));
    }
    // Whose device it is says the register, and not the coordinator that wrote the entry: it could name anybody.
    let account = account_of(facts).ok_or(Refusal::NobodyAnswers)?;
    if *account != given.account {
        return Err(Refusal::Undecidable);
    }
    convict_worker(
        facts,
        given.account,
        said,
        Offence::WrongAnswer,
        facts.stakes.wrong_answer_slash,
    )
}
