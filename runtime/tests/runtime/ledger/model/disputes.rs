//! Disputes: what is shown of a lie, who pays, and what waits for more.
//!
//! Whether evidence bears out what it says is known to who drafts it, by what was told of the batch
//! ([`Told`](crate::ledger::told::Told)), and said here as what was [`Found`]. Who answers for that, whether the
//! chain can know it, what it costs and what follows is reckoned here.

mod slashes;

use super::{
    Answer, Fee, Ledger, Refusal, Sender,
    batches::{self, Fate, Settled},
    groups,
    jobs::{Job, Phase},
    money::Purpose,
    need,
};
use codec::Encode;
use quern_dispute_rules::{Evidence, Reply};
use quern_primitives::{AccountId, Amount, DeviceId, Digest, JobId, TaskIndex, ids::BatchSequence};
use slashes::{
    convict_batch, convict_member, convict_worker, has_something_to_lose, prove, slash_masternodes,
};
use std::collections::{BTreeMap, BTreeSet};

/// Disputes of one batch that may be open.
const OPEN_PER_BATCH_MAX: usize = 4_096;

/// So many masternodes must say the same at the least, that somebody pays for it.
const VOICES_LEAST: usize = 2;

/// The number of a kind of evidence.
pub(crate) type Kind = u8;

/// What evidence comes to, as far as it follows from what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Lie,
    /// Nothing is wrong.
    Right,
    NotInBatch,
    NotInLog,
    NotSigned,
    Unrelated,
}

impl Found {
    /// Whether there is a lie, if it is in order.
    fn is_lie(self) -> Result<bool, Refusal> {
        match self {
            Self::Lie => Ok(true),
            Self::Right => Ok(false),
            Self::NotInBatch => Err(Refusal::Named("NotInBatch")),
            Self::NotInLog => Err(Refusal::Named("NotInLog")),
            Self::NotSigned => Err(Refusal::Named("NotSigned")),
            Self::Unrelated => Err(Refusal::Named("Unrelated")),
        }
    }
}

/// What evidence shows, beside the evidence itself.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// Something of the batch for which all answer that stand behind it.
    OfBatch(Found),
    /// Another batch that its coordinator wrote down, in the block that was certified with it or in another.
    Written { found: Found, is_certified: bool },
    /// That the batch does not add up.
    Sum,
    /// That nobody shows a task's verdict.
    Withheld(TaskIndex),
    /// That a verdict leaves out a receipt which was acknowledged.
    LeftOut { receipt: Digest, found: Found },
    /// An entry that gives a replica to a device of an account, at a height.
    Given {
        device: DeviceId,
        account: AccountId,
        at: u32,
        /// A lie where that is open.
        found: Found,
    },
    /// Two things that one key signed of which there is one; or not.
    Twice(DeviceId, Found),
    /// Two answers of a device for one replica.
    Answers(DeviceId, TaskIndex),
    /// A device's answer, and what so many members of the group say that came out.
    Answered {
        device: DeviceId,
        account: AccountId,
        task: TaskIndex,
        voices: usize,
        found: Found,
    },
    /// What a masternode says that came out of a task, and that so many others of its group say otherwise.
    Reported {
        key: DeviceId,
        task: TaskIndex,
        voices: usize,
        found: Found,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Dispute {
        job: JobId,
        batch: BatchSequence,
        shown: Shown,
        evidence: Box<Evidence>,
    },
    Step {
        dispute: u64,
        leaves: Vec<Vec<u8>>,
    },
    Answer {
        dispute: u64,
        /// The place of what is shown; none if it is something else.
        place: Option<u32>,
        reply: Box<Reply>,
    },
    Expire(u64),
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Dispute { .. } => "disputes.dispute",
            Self::Step { .. } => "disputes.step",
            Self::Answer { .. } => "disputes.answer",
            Self::Expire(_) => "disputes.expire",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    /// So many leaves were added, and whether each was what the batch has.
    Adding { leaves: u32, are_right: bool },
    /// A task's verdict is asked for.
    Asked(TaskIndex),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispute {
    pub(crate) kind: Kind,
    pub(crate) by: AccountId,
    pub(crate) bond: Amount,
    pub(crate) job: JobId,
    pub(crate) batch: usize,
    pub(crate) until: u32,
    pub(crate) matter: Matter,
}

/// For what somebody was convicted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Batch(usize),
    Signer(AccountId),
    Receipt(Digest),
    Replica(TaskIndex, DeviceId),
    Report(TaskIndex, AccountId),
}

#[derive(Default)]
pub(crate) struct Disputes {
    pub(crate) open: BTreeMap<u64, Dispute>,
    pub(crate) next: u64,
    pub(crate) proved: BTreeSet<(JobId, Place)>,
    /// What the last call came to, if it came to something: of evidence of this kind, and whether it convicted.
    pub(crate) ruled: Option<(Kind, bool)>,
}

impl Disputes {
    /// Whether a batch is kept from being final.
    pub(crate) fn keep_open(&self, job: &JobId, batch: usize) -> bool {
        self.count(job, batch) > 0
    }

    fn count(&self, job: &JobId, batch: usize) -> usize {
        let of_it = |it: &&Dispute| it.job == *job && it.batch == batch;
        self.open.values().filter(of_it).count()
    }
}

/// A job that has something to dispute, and a batch of it while that is pending.
fn batch_of<'a>(ledger: &'a Ledger, job: &JobId, batch: usize) -> Option<(&'a Job, &'a Settled)> {
    let job = ledger.jobs.jobs.get(job)?;
    let settled = job.batches.get(batch)?;
    matches!(settled.fate, Fate::Pending { .. }).then_some((job, settled))
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    ledger.disputes.ruled = None;
    let who = sender.account()?;
    match call {
        Call::Dispute {
            job,
            batch,
            shown,
            evidence,
        } => {
            let shown = (evidence.encode()[0], shown);
            let done = dispute(ledger, who, job, *batch as usize, shown);
            if done.is_err() {
                ledger.disputes.ruled = Some((shown.0, false));
            }
            done?;
        }
        Call::Step { dispute, leaves } => step(ledger, &who, *dispute, leaves)?,
        Call::Answer { dispute, place, .. } => reply(ledger, *dispute, *place)?,
        Call::Expire(dispute) => expire(ledger, *dispute)?,
    }
    Ok(Fee::Charged)
}

/// A batch that is disputed.
type About<'a> = (&'a JobId, usize);

fn dispute(
    ledger: &mut Ledger,
    who: AccountId,
    job: &JobId,
    batch: usize,
    (kind, shown): (Kind, &Shown),
) -> Result<(), Refusal> {
    let about = (job, batch);
    open_job(ledger, job)?;
    // What is wrong with the evidence comes first, then the bond, then what was proved before.
    let convicted = match shown {
        Shown::Sum => {
            pending(ledger, about)?;
            let matter = Matter::Adding {
                leaves: 0,
                are_right: true,
            };
            return open(ledger, who, about, (kind, matter));
        }
        Shown::Withheld(task) => {
            let (known, settled) = pending(ledger, about)?;
            let tasks = batches::named(&settled.batch.tasks, known.submission.tasks)?;
            need(tasks.contains(task), "NotInBatch")?;
            return open(ledger, who, about, (kind, Matter::Asked(*task)));
        }
        Shown::Twice(..) | Shown::Answers(..) | Shown::Reported { .. } => {
            of_signed(ledger, &who, job, shown)?;
            true
        }
        _ => of_batch(ledger, &who, about, shown)?,
    };
    if !convicted {
        unfounded(ledger, who, about)?;
    }
    ledger.disputes.ruled = Some((kind, convicted));
    Ok(())
}

fn open_job<'a>(ledger: &'a Ledger, job: &JobId) -> Result<&'a Job, Refusal> {
    let known = ledger.jobs.jobs.get(job);
    let known = known.filter(|job| !matches!(job.phase, Phase::Over(_)));
    known.ok_or(Refusal::Named("JobUnknown"))
}

fn pending<'a>(
    ledger: &'a Ledger,
    (job, batch): About<'_>,
) -> Result<(&'a Job, &'a Settled), Refusal> {
    batch_of(ledger, job, batch).ok_or(Refusal::Named("NotPending"))
}

/// What is held against a batch and is decided at once. Gives whether somebody is convicted.
fn of_batch(
    ledger: &mut Ledger,
    who: &AccountId,
    about: About<'_>,
    shown: &Shown,
) -> Result<bool, Refusal> {
    let (job, batch) = about;
    let (known, settled) = pending(ledger, about)?;
    let (by, is_alone) = (settled.by.clone(), is_its_own_word(known, settled));
    let needed = voices_needed(known);
    let is_lie = match shown {
        Shown::OfBatch(found) | Shown::Written { found, .. } | Shown::LeftOut { found, .. } => {
            found.is_lie()?
        }
        Shown::Given {
            device,
            account,
            at,
            found,
        } => {
            found.is_lie()?;
            could_not_have(ledger, device, account, *at)?
        }
        Shown::Answered { voices, found, .. } => {
            let is_lie = found.is_lie()?;
            need(*voices >= needed, "NotSigned")?;
            is_lie
        }
        other => panic!("{other:?} is about no batch"),
    };
    if let Shown::Answered {
        device, account, ..
    } = shown
        && is_lie
    {
        let answering = ledger.workforce.answering(ledger.now, device);
        let answering = answering.ok_or(Refusal::Named("NobodyAnswers"))?;
        need(answering == *account, "Undecidable")?;
        has_something_to_lose(ledger, account, device)?;
    }
    can_pay(ledger, who)?;
    if !is_lie {
        return Ok(false);
    }
    match shown {
        Shown::LeftOut { receipt, .. } => {
            convict_member(ledger, who, job, &by, Place::Receipt(*receipt))?;
        }
        Shown::Written { is_certified, .. } if !is_certified && !is_alone => {
            convict_member(ledger, who, job, &by, Place::Signer(by.clone()))?;
        }
        Shown::Answered {
            device,
            account,
            task,
            ..
        } => convict_worker(ledger, who, job, account, (device, *task))?,
        _ => convict_batch(ledger, who, job, batch, true),
    }
    Ok(true)
}

/// What convicts by what was signed, whatever the batch, if it is in order.
fn of_signed(
    ledger: &mut Ledger,
    who: &AccountId,
    job: &JobId,
    shown: &Shown,
) -> Result<(), Refusal> {
    let known = open_job(ledger, job)?;
    match shown {
        Shown::Twice(key, found) => {
            let guilty = member_of(known, key)?;
            found.is_lie()?;
            can_pay(ledger, who)?;
            let place = Place::Signer(guilty.clone());
            convict_member(ledger, who, job, &guilty, place)
        }
        Shown::Answers(device, task) => {
            need(*task < known.submission.tasks, "Unrelated")?;
            let guilty = ledger.workforce.answering(ledger.now, device);
            let guilty = guilty.ok_or(Refusal::Named("NobodyAnswers"))?;
            has_something_to_lose(ledger, &guilty, device)?;
            can_pay(ledger, who)?;
            convict_worker(ledger, who, job, &guilty, (device, *task))
        }
        Shown::Reported {
            key,
            task,
            voices,
            found,
        } => {
            let (guilty, needed) = (member_of(known, key)?, voices_needed(known));
            found.is_lie()?;
            need(*voices >= needed, "NotSigned")?;
            can_pay(ledger, who)?;
            prove(ledger, job, Place::Report(*task, guilty.clone()))?;
            // Who says so of others gets no more than for a device's answer.
            let most = ledger.params.bond;
            slash_masternodes(ledger, who, std::slice::from_ref(&guilty), 0, most);
            groups::convicted(ledger, job, &guilty);
            Ok(())
        }
        other => panic!("{other:?} is about a batch"),
    }
}

/// The member of a job's group with this key.
fn member_of(job: &Job, key: &DeviceId) -> Result<AccountId, Refusal> {
    let mut members = job.group.iter().flat_map(|group| &group.members);
    let member = members.find(|(_, known)| known == key);
    let member = member.map(|(who, _)| who.clone());
    member.ok_or(Refusal::Named("NobodyAnswers"))
}

/// More than half of a group.
fn voices_needed(job: &Job) -> usize {
    let members = job.group.as_ref().map_or(0, |group| group.members.len());
    (members / 2 + 1).max(VOICES_LEAST)
}

/// Whether nobody certified a batch but who settled it.
fn is_its_own_word(job: &Job, settled: &Settled) -> bool {
    let members = job.group.as_ref().map(|group| &group.members);
    let mut certified = settled.certified.certificates.iter();
    certified.all(|(place, _)| {
        let member = members.and_then(|members| members.get(usize::from(*place)));
        member.is_some_and(|(who, _)| *who == settled.by)
    })
}

/// Whether a device was not an account's at a height, if the chain still knows.
fn could_not_have(
    ledger: &Ledger,
    device: &DeviceId,
    account: &AccountId,
    at: u32,
) -> Result<bool, Refusal> {
    let workforce = &ledger.workforce;
    match workforce.devices.get(device) {
        Some(known) if known.since <= at => Ok(known.account != *account),
        Some(_) => Err(Refusal::Named("Undecidable")),
        None if workforce.retired.contains_key(device) => Err(Refusal::Named("Undecidable")),
        None => Ok(true),
    }
}

/// Nothing is wrong, which is known at once.
fn unfounded(ledger: &mut Ledger, by: AccountId, about: About<'_>) -> Result<(), Refusal> {
    let bond = ledger.params.dispute_bond;
    ledger.money.hold(&by, Purpose::Dispute, bond)?;
    take_bond(ledger, &by, bond, about);
    Ok(())
}

/// Whoever disputes has the bond, also if it comes back at once.
fn can_pay(ledger: &Ledger, who: &AccountId) -> Result<(), Refusal> {
    let has = ledger.money.free(who).saturating_sub(1);
    need(has >= ledger.params.dispute_bond, "BondTooSmall")
}

fn open(
    ledger: &mut Ledger,
    by: AccountId,
    (job, batch): About<'_>,
    (kind, matter): (Kind, Matter),
) -> Result<(), Refusal> {
    can_pay(ledger, &by)?;
    let clock = ledger.finality.clock();
    let (_, settled) = batch_of(ledger, job, batch).expect("it is pending");
    let in_time = matches!(settled.fate, Fate::Pending { due } if clock < due);
    need(in_time, "WindowOver")?;
    let has_room = ledger.disputes.count(job, batch) < OPEN_PER_BATCH_MAX;
    need(has_room, "TooManyDisputes")?;
    let bond = ledger.params.dispute_bond;
    ledger.money.hold(&by, Purpose::Dispute, bond)?;
    let id = ledger.disputes.next;
    ledger.disputes.next += 1;
    let dispute = Dispute {
        kind,
        by,
        bond,
        job: *job,
        batch,
        until: clock + u32::try_from(ledger.params.answer_time).unwrap(),
        matter,
    };
    ledger.disputes.open.insert(id, dispute);
    Ok(())
}

fn running(ledger: &Ledger, id: u64) -> Result<Dispute, Refusal> {
    let dispute = ledger.disputes.open.get(&id);
    let dispute = dispute.ok_or(Refusal::Named("DisputeUnknown"))?;
    need(ledger.finality.clock() <= dispute.until, "TimeOver")?;
    Ok(dispute.clone())
}

fn step(ledger: &mut Ledger, who: &AccountId, id: u64, leaves: &[Vec<u8>]) -> Result<(), Refusal> {
    let mut dispute = running(ledger, id)?;
    need(dispute.by == *who, "NotDisputer")?;
    let Matter::Adding {
        leaves: before,
        are_right,
    } = dispute.matter
    else {
        return Err(Refusal::Named("NothingToAdd"));
    };
    let pending = batch_of(ledger, &dispute.job, dispute.batch);
    let (_, settled) = pending.ok_or(Refusal::Named("NotPending"))?;
    let after = before + leaves.len() as u32;
    let fits = !leaves.is_empty() && after <= settled.tasks;
    need(fits, "WrongStep")?;
    let told = settled.told.as_ref();
    let there = told.and_then(|told| told.leaves.get(before as usize..after as usize));
    let are_right = are_right && there == Some(leaves);
    let adds_up = told.is_some_and(|told| told.adds_up);
    if after < settled.tasks {
        dispute.matter = Matter::Adding {
            leaves: after,
            are_right,
        };
        ledger.disputes.open.insert(id, dispute);
        return Ok(());
    }
    close(ledger, id, &dispute);
    if are_right && !adds_up {
        ledger.disputes.ruled = Some((dispute.kind, true));
        ledger
            .money
            .release(&dispute.by, Purpose::Dispute, dispute.bond);
        convict_batch(ledger, &dispute.by, &dispute.job, dispute.batch, true);
    } else {
        lose(ledger, &dispute);
    }
    Ok(())
}

fn reply(ledger: &mut Ledger, id: u64, place: Option<u32>) -> Result<(), Refusal> {
    let dispute = running(ledger, id)?;
    let Matter::Asked(task) = dispute.matter else {
        return Err(Refusal::Named("NothingToAnswer"));
    };
    let pending = batch_of(ledger, &dispute.job, dispute.batch);
    let (job, settled) = pending.ok_or(Refusal::Named("NotPending"))?;
    let place = place.ok_or(Refusal::Named("NoReply"))?;
    need(
        settled.told.is_some() && place < settled.tasks,
        "NotInBatch",
    )?;
    let tasks = batches::named(&settled.batch.tasks, job.submission.tasks)?;
    let shown = tasks.into_iter().nth(place as usize);
    need(shown == Some(task), "NoReply")?;
    close(ledger, id, &dispute);
    lose(ledger, &dispute);
    Ok(())
}

fn expire(ledger: &mut Ledger, id: u64) -> Result<(), Refusal> {
    let dispute = ledger.disputes.open.get(&id).cloned();
    let dispute = dispute.ok_or(Refusal::Named("DisputeUnknown"))?;
    let is_pending = batch_of(ledger, &dispute.job, dispute.batch).is_some();
    if is_pending {
        need(ledger.finality.clock() > dispute.until, "TimeRemains")?;
    }
    close(ledger, id, &dispute);
    match dispute.matter {
        Matter::Adding { .. } if is_pending => lose(ledger, &dispute),
        Matter::Asked(_) if is_pending => {
            ledger.disputes.ruled = Some((dispute.kind, true));
            ledger
                .money
                .release(&dispute.by, Purpose::Dispute, dispute.bond);
            convict_batch(ledger, &dispute.by, &dispute.job, dispute.batch, false);
        }
        // What it was about is gone.
        Matter::Adding { .. } | Matter::Asked(_) => {
            ledger
                .money
                .release(&dispute.by, Purpose::Dispute, dispute.bond);
        }
    }
    Ok(())
}

fn close(ledger: &mut Ledger, id: u64, dispute: &Dispute) {
    ledger.disputes.open.remove(&id);
    ledger.jobs.touched.insert(dispute.job);
}

/// Nothing was wrong.
fn lose(ledger: &mut Ledger, dispute: &Dispute) {
    let about = (&dispute.job, dispute.batch);
    take_bond(ledger, &dispute.by, dispute.bond, about);
    ledger.disputes.ruled = Some((dispute.kind, false));
}

/// The bond of who lost is shared by who settled the batch and nobody.
fn take_bond(ledger: &mut Ledger, by: &AccountId, bond: Amount, (job, batch): About<'_>) {
    let (_, settled) = batch_of(ledger, job, batch).expect("it is pending");
    let coordinator = settled.by.clone();
    let part = match coordinator == *by {
        true => 0,
        false => bond * ledger.params.winner / 1_000,
    };
    let money = &mut ledger.money;
    money.take_held(by, Purpose::Dispute, bond);
    money.give(&coordinator, part);
    ledger.bytechip.burnt += bond - part;
}
