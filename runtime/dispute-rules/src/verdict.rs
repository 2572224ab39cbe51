//! Whether a verdict is one that the rules give, and whether its receipts bear it out.
//!
//! Only what no honest log can say is held against a verdict. Who was given a replica, and when others
//! are asked, is the coordinator's to choose.

use crate::{
    evidence::{Certified, Input, Leaf},
    facts::{BatchFacts, Facts},
    ruling::{Offence, ReceiptLie, Refusal, Ruling, VerdictLie, convict_batch, unfounded},
    signatures::Signatures,
    trust::may_be_trusted,
};
use alloc::{collections::BTreeSet, vec::Vec};
use codec::Encode;
use quern_job_rules::{pay::Tariff, tasks};
use quern_joblog::Entry;
pub use quern_primitives::receipt::receipt_digest;
use quern_primitives::{
    amount::Amount,
    ids::TaskIndex,
    job::Agreement,
    limits::REPLICAS_PER_TASK_MAX,
    receipt::{Exit, SignedReceipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};

/// Accounts that agree where all must.
const UNANIMOUS_MIN: usize = 2;

/// Accounts of which more than half decide where no referee can be had.
const VOTERS_MIN: usize = 3;

/// Accounts by whose answers, or failures, a referee comes to be asked.
const REFEREED_MIN: usize = 2;

/// The task whose verdict has this place in the batch's tree.
pub(crate) fn task_at(place: u32, batch: &BatchFacts, facts: &Facts) -> Option<TaskIndex> {
    let tasks = tasks::validate(&batch.tasks, facts.job.submission.tasks).ok()?;
    tasks.iter().nth(usize::try_from(place).ok()?)
}

/// What a task costs, and what each device that agreed is paid for it.
fn due(facts: &Facts, verdict: &Verdict, accepted: usize) -> Option<(Amount, Amount)> {
    let tariff = Tariff::of_job(&facts.job).ok()?;
    let accepted = u8::try_from(accepted).ok()?;
    let price = match verdict.answer.exit {
        Exit::Success if accepted > 0 => tariff.price(verdict.answer.fuel),
        _ => 0,
    };
    Some((price, tariff.pays(price, accepted)))
}

/// What is wrong with the bytes at one place of a batch's tree, as far as they tell themselves.
pub fn lie_in(bytes: &[u8], task: TaskIndex, facts: &Facts) -> Option<VerdictLie> {
    let Some(verdict) = crate::proof::whole::<Verdict>(bytes) else {
        return Some(VerdictLie::Malformed);
    };
    if verdict.job != facts.job_id {
        return Some(VerdictLie::OtherJob);
    }
    if verdict.task != task {
        return Some(VerdictLie::OtherTask);
    }
    if verdict.answer.exit != Exit::Success {
        return Some(VerdictLie::Failing);
    }
    if !are_possible(&verdict.replicas) {
        return Some(VerdictLie::Replicas);
    }
    let accounts = |finding| {
        let is_so = |it: &&ReplicaFinding| it.finding == finding;
        let found = verdict.replicas.iter().filter(is_so);
        found.map(|it| &it.account).collect::<BTreeSet<_>>().len()
    };
    let voices = Voices {
        accepted: accounts(Finding::Accepted),
        incorrect: accounts(Finding::Incorrect),
        failed: accounts(Finding::Failed),
    };
    let accepted = voices.accepted;
    let agreement = facts.job.submission.agreement;
    if !is_backed(agreement, verdict.ground, voices) {
        return Some(VerdictLie::Backing);
    }
    // A job of the chain has a tariff; where there is none nothing is held against anybody.
    let (price, pay) = due(facts, &verdict, accepted)?;
    if verdict.price != price {
        return Some(VerdictLie::Price);
    }
    let is_paid = |it: &ReplicaFinding| {
        it.pay
            == match it.finding {
                Finding::Accepted => pay,
                Finding::Incorrect | Finding::Failed | Finding::Delayed => 0,
            }
    };
    (!verdict.replicas.iter().all(is_paid)).then_some(VerdictLie::Pay)
}

/// Whether a task can have had these replicas: no more than it may, each with a receipt if it answered
/// and only then, and of those that answered no replica, device or account twice.
fn are_possible(replicas: &[ReplicaFinding]) -> bool {
    let is_answer =
        |it: &&ReplicaFinding| matches!(it.finding, Finding::Accepted | Finding::Incorrect);
    let answers: Vec<_> = replicas.iter().filter(is_answer).collect();
    let numbers: BTreeSet<_> = answers.iter().map(|it| it.replica).collect();
    let devices: BTreeSet<_> = answers.iter().map(|it| it.device).collect();
    let accounts: BTreeSet<_> = answers.iter().map(|it| &it.account).collect();
    replicas.len() <= usize::from(REPLICAS_PER_TASK_MAX)
        && replicas
            .iter()
            .all(|it| it.replica < REPLICAS_PER_TASK_MAX && is_answer(&it) == it.receipt.is_some())
        && [numbers.len(), devices.len(), accounts.len()] == [answers.len(); 3]
}

/// How many accounts were found to be what; no account answered twice ([`are_possible`]).
#[derive(Clone, Copy, Debug)]
struct Voices {
    accepted: usize,
    incorrect: usize,
    failed: usize,
}

/// Whether an answer can have been accepted on this ground with these voices.
fn is_backed(agreement: Agreement, ground: Ground, voices: Voices) -> bool {
    let Voices {
        accepted,
        incorrect,
        failed,
    } = voices;
    let all = accepted.saturating_add(incorrect);
    let are_most = accepted.saturating_mul(2) > all;
    let is_unanimous = incorrect == 0 && accepted >= UNANIMOUS_MIN;
    let is_alone = incorrect == 0 && accepted == 1;
    match (agreement, ground) {
        (Agreement::Single, Ground::Trusted) => is_alone,
        (Agreement::Single, Ground::Unanimous) => is_unanimous,
        (Agreement::Single, Ground::Majority) => are_most,
        (Agreement::Majority { .. }, Ground::Majority) => {
            accepted >= usize::from(agreement.quorum()) && are_most
        }
        (Agreement::Adaptive, Ground::Trusted) => is_alone,
        (Agreement::Unanimous | Agreement::Adaptive, Ground::Unanimous) => is_unanimous,
        (Agreement::Unanimous | Agreement::Adaptive, Ground::Vote) => all >= VOTERS_MIN && are_most,
        // It is asked where answers differ, where all say that the program fails, and where several devices
        // could not open what it could: never about what one device says. Whether there is a report is
        // another question, see [`crate::Question::Report`].
        (_, Ground::Referee) => (incorrect > 0 && all >= REFEREED_MIN) || failed >= REFEREED_MIN,
        _ => false,
    }
}

/// A verdict by itself.
pub(crate) fn alone(leaf: &Leaf, facts: &Facts) -> Result<Ruling, Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    leaf.is_in(batch)?;
    let task = task_at(leaf.place, batch, facts).ok_or(Refusal::NotInBatch)?;
    let lie = lie_in(&leaf.bytes, task, facts).or_else(|| wrong_trust(leaf, facts));
    match lie {
        Some(lie) => convict_batch(facts, Offence::Verdict(lie)),
        None => Ok(unfounded(facts)),
    }
}

/// Whether a device is said to be believed that never was.
fn wrong_trust(leaf: &Leaf, facts: &Facts) -> Option<VerdictLie> {
    let verdict = leaf.verdict()?;
    let is_drawn =
        facts.job.submission.agreement == Agreement::Adaptive && verdict.ground == Ground::Trusted;
    let device = facts.device.as_ref()?;
    // The facts are about the only device that answered, see [`crate::Evidence::subject`].
    let mut replicas = verdict.replicas.iter();
    let believed = replicas.find(|it| it.finding == Finding::Accepted)?;
    let may_be = may_be_trusted(
        facts.seed.as_ref(),
        verdict.task,
        &believed.device,
        device.accepted,
    );
    (is_drawn && !may_be).then_some(VerdictLie::Trust)
}

/// A verdict of the batch that names a receipt, and what it finds of it.
fn naming(
    leaf: &Leaf,
    receipt: &SignedReceipt,
    facts: &Facts,
) -> Result<(Verdict, ReplicaFinding), Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    leaf.is_in(batch)?;
    let verdict = leaf.verdict().ok_or(Refusal::Unrelated)?;
    let digest = receipt_digest(receipt);
    let found = verdict
        .replicas
        .iter()
        .find(|it| it.receipt == Some(digest))
        .cloned()
        .ok_or(Refusal::Unrelated)?;
    Ok((verdict, found))
}

/// A receipt that a verdict names.
pub(crate) fn with_receipt<S: Signatures>(
    leaf: &Leaf,
    receipt: &SignedReceipt,
    input: Option<&Input>,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let (verdict, found) = naming(leaf, receipt, facts)?;
    if input.is_some_and(|input| !input.is_of(verdict.task, facts)) {
        return Err(Refusal::Unrelated);
    }
    match lie_of(receipt, input, &verdict, &found, facts, signatures) {
        Some(lie) => convict_batch(facts, Offence::Receipt(lie)),
        None => Ok(unfounded(facts)),
    }
}

fn lie_of<S: Signatures>(
    receipt: &SignedReceipt,
    input: Option<&Input>,
    verdict: &Verdict,
    found: &ReplicaFinding,
    facts: &Facts,
    signatures: &S,
) -> Option<ReceiptLie> {
    let said = &receipt.payload;
    let submission = &facts.job.submission;
    let is_assigned = said.job == facts.job_id
        && said.task == verdict.task
        && said.replica == found.replica
        && said.device == found.device
        && said.program == submission.program
        && said.class == submission.class;
    if !is_assigned {
        return Some(ReceiptLie::Other);
    }
    if input.is_some_and(|input| said.input_root != input.root) {
        return Some(ReceiptLie::Input);
    }
    let bytes_max = match said.exit {
        Exit::Success => submission.result_bytes_max.into(),
        _ => 0,
    };
    if said.fuel > submission.fuel_per_task_max || said.result_bytes > bytes_max {
        return Some(ReceiptLie::OverLimit);
    }
    if !signatures.is_devices(receipt, &said.device, &facts.genesis) {
        return Some(ReceiptLie::Signature);
    }
    let is_accepted = found.finding == Finding::Accepted;
    (is_accepted != (said.answer() == verdict.answer)).then_some(ReceiptLie::Answer)
}

/// A receipt that a verdict names, and the entry that should have given its replica.
pub(crate) fn with_assignment<S: Signatures>(
    leaf: &Leaf,
    receipt: &SignedReceipt,
    entry: &Certified,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let (_, found) = naming(leaf, receipt, facts)?;
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    let said = &receipt.payload;
    if entry.position_in(batch, facts, signatures)? != said.log_position {
        return Err(Refusal::Unrelated);
    }
    let is_given = entry.logged.assigned().is_some_and(|given| {
        given.task == said.task
            && given.replica == said.replica
            && given.device == said.device
            && given.engine == said.engine
            && given.account == found.account
    });
    match is_given {
        true => Ok(unfounded(facts)),
        false => convict_batch(facts, Offence::Unassigned),
    }
}

/// A verdict of the batch, and the one on the same task in the log.
pub(crate) fn with_log<S: Signatures>(
    leaf: &Leaf,
    entry: &Certified,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
    leaf.is_in(batch)?;
    let task = task_at(leaf.place, batch, facts).ok_or(Refusal::NotInBatch)?;
    entry.position_in(batch, facts, signatures)?;
    match entry.logged.entry() {
        Some(Entry::Judged { verdict }) if verdict.task == task => {
            match verdict.encode() == *leaf.bytes {
                true => Ok(unfounded(facts)),
                false => convict_batch(facts, Offence::OtherVerdict),
            }
        }
        _ => Err(Refusal::Unrelated),
    }
}
