//! Disputes: what is shown of a lie, who pays, and what waits for more.
//!
//! The leaves of batches' trees are no verdicts here but one byte each, [`LEAF`], if the root is that of
//! such a tree at all. So whoever shows one proves a lie, and so does whoever adds them all up.

use super::{
    Answer, Fee, Ledger, Refusal, Sender,
    batches::{self, Fate, Settled},
    groups,
    jobs::{Job, Phase},
    money::Purpose,
    need,
};
use quern_dispute_rules::{Evidence, Reply};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, JobId, TaskIndex, ids::BatchSequence, merkle::Tree,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is in the place of each verdict.
pub(crate) const LEAF: [u8; 1] = [7];

/// Disputes of one batch that may be open.
const OPEN_PER_BATCH_MAX: usize = 64;

/// The root of a tree of so many leaves.
pub(crate) fn root_of(leaves: u32) -> Digest {
    Tree::new((0..leaves).map(|_| LEAF)).root()
}

/// What evidence shows, beside the evidence itself.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// What is at a place of the batch's tree, with a proof as it is in a tree of the batch's size.
    Leaf,
    /// That the batch does not add up.
    Sum,
    /// That nobody shows a task's verdict.
    Withheld(TaskIndex),
    /// Two blocks that one key signed for one place.
    Fork(DeviceId),
    /// Two answers of a device for one replica.
    Answers(DeviceId, TaskIndex),
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
    Replica(TaskIndex, DeviceId),
}

#[derive(Default)]
pub(crate) struct Disputes {
    pub(crate) open: BTreeMap<u64, Dispute>,
    pub(crate) next: u64,
    pub(crate) proved: BTreeSet<(JobId, Place)>,
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
    let who = sender.account()?;
    match call {
        Call::Dispute {
            job, batch, shown, ..
        } => dispute(ledger, who, job, *batch as usize, shown)?,
        Call::Step { dispute, leaves } => step(ledger, &who, *dispute, leaves)?,
        Call::Answer { dispute, place, .. } => reply(ledger, *dispute, *place)?,
        Call::Expire(dispute) => expire(ledger, *dispute)?,
    }
    Ok(Fee::Charged)
}

fn dispute(
    ledger: &mut Ledger,
    who: AccountId,
    job: &JobId,
    batch: usize,
    shown: &Shown,
) -> Result<(), Refusal> {
    let known = ledger.jobs.jobs.get(job);
    let known = known.filter(|job| !matches!(job.phase, Phase::Over(_)));
    let known = known.ok_or(Refusal::Named("JobUnknown"))?;
    let pending = batch_of(ledger, job, batch).ok_or(Refusal::Named("NotPending"));
    // What is wrong with the evidence comes first, then the bond, then what was proved before.
    match shown {
        Shown::Leaf => {
            let (_, settled) = pending?;
            let fits = settled.batch.verdicts_root == root_of(settled.tasks);
            need(fits, "NotInBatch")?;
            can_pay(ledger, &who)?;
            convict_batch(ledger, &who, job, batch, true);
            Ok(())
        }
        Shown::Sum => {
            pending?;
            let matter = Matter::Adding {
                leaves: 0,
                are_right: true,
            };
            open(ledger, who, job, batch, matter)
        }
        Shown::Withheld(task) => {
            let (known, settled) = pending?;
            let tasks = batches::named(&settled.batch.tasks, known.submission.tasks)?;
            need(tasks.contains(task), "NotInBatch")?;
            open(ledger, who, job, batch, Matter::Asked(*task))
        }
        Shown::Fork(key) => {
            let group = known.group.as_ref();
            let mut members = group.iter().flat_map(|group| &group.members);
            let member = members.find(|(_, known)| known == key);
            let (guilty, _) = member.cloned().ok_or(Refusal::Named("NobodyAnswers"))?;
            can_pay(ledger, &who)?;
            let is_new = ledger
                .disputes
                .proved
                .insert((*job, Place::Signer(guilty.clone())));
            need(is_new, "ProvedBefore")?;
            slash_masternodes(ledger, &who, std::slice::from_ref(&guilty));
            groups::convicted(ledger, job, &guilty);
            Ok(())
        }
        Shown::Answers(device, task) => {
            let registered = ledger.workforce.devices.get(device);
            let registered = registered.map(|device| device.account.clone());
            let last = ledger.workforce.last_owners.get(device);
            let last = last.filter(|(_, until)| ledger.now < *until);
            let guilty = registered.or(last.map(|(account, _)| account.clone()));
            let guilty = guilty.ok_or(Refusal::Named("NobodyAnswers"))?;
            can_pay(ledger, &who)?;
            let place = Place::Replica(*task, *device);
            let is_new = ledger.disputes.proved.insert((*job, place));
            need(is_new, "ProvedBefore")?;
            slash_worker(ledger, &who, &guilty, device);
            Ok(())
        }
    }
}

/// Whoever disputes has the bond, also if it comes back at once.
fn can_pay(ledger: &Ledger, who: &AccountId) -> Result<(), Refusal> {
    let has = ledger.money.free(who).saturating_sub(1);
    need(has >= ledger.params.dispute_bond, "BondTooSmall")
}

fn open(
    ledger: &mut Ledger,
    by: AccountId,
    job: &JobId,
    batch: usize,
    matter: Matter,
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
    let are_right = are_right && leaves.iter().all(|leaf| *leaf == LEAF);
    if after < settled.tasks {
        dispute.matter = Matter::Adding {
            leaves: after,
            are_right,
        };
        ledger.disputes.open.insert(id, dispute);
        return Ok(());
    }
    let is_batchs = are_right && settled.batch.verdicts_root == root_of(after);
    close(ledger, id, &dispute);
    if is_batchs {
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
    let fits = settled.batch.verdicts_root == root_of(settled.tasks);
    need(fits && place < settled.tasks, "NotInBatch")?;
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

/// Nothing is wrong: the bond is shared by who settled the batch and nobody.
fn lose(ledger: &mut Ledger, dispute: &Dispute) {
    let (_, settled) = batch_of(ledger, &dispute.job, dispute.batch).expect("it is pending");
    let coordinator = settled.by.clone();
    let part = match coordinator == dispute.by {
        true => 0,
        false => dispute.bond * ledger.params.winner / 1_000,
    };
    let money = &mut ledger.money;
    money.take_held(&dispute.by, Purpose::Dispute, dispute.bond);
    money.give(&coordinator, part);
    ledger.bytechip.burnt += dispute.bond - part;
}

/// A batch is wrong: who settled it pays, and who certified it too if they should have seen it.
fn convict_batch(
    ledger: &mut Ledger,
    winner: &AccountId,
    job: &JobId,
    batch: usize,
    with_certifiers: bool,
) {
    let (known, settled) = batch_of(ledger, job, batch).expect("it is pending");
    let group = known.group.as_ref().expect("it was drawn");
    let certificates = settled.certified.certificates.iter();
    let certified: BTreeSet<usize> = certificates
        .filter(|_| with_certifiers)
        .map(|(place, _)| usize::from(*place))
        .collect();
    let members = group.members.iter().enumerate();
    let guilty =
        members.filter(|(place, (who, _))| *who == settled.by || certified.contains(place));
    let guilty: Vec<AccountId> = guilty.map(|(_, (who, _))| who.clone()).collect();
    slash_masternodes(ledger, winner, &guilty);
    ledger.disputes.proved.insert((*job, Place::Batch(batch)));
    batches::strike(ledger, job, batch);
}

/// What of a slash the winner gets: nothing if the winner is guilty too.
fn part(ledger: &Ledger, slash: Amount, is_guilty: bool) -> Amount {
    match is_guilty {
        true => 0,
        false => slash * ledger.params.winner / 1_000,
    }
}

fn slash_masternodes(ledger: &mut Ledger, winner: &AccountId, guilty: &[AccountId]) {
    for who in guilty {
        let slash = ledger.params.masternode_bond;
        let slash = slash.min(ledger.roster.held(who));
        let paid = part(ledger, slash, guilty.contains(winner));
        ledger.roster.take(who, slash);
        if slash > 0 {
            ledger.roster.short.insert(who.clone());
        }
        ledger.money.take_held(who, Purpose::MasternodeBond, slash);
        ledger.money.give(winner, paid);
        ledger.bytechip.burnt += slash - paid;
    }
}

fn slash_worker(ledger: &mut Ledger, winner: &AccountId, who: &AccountId, device: &DeviceId) {
    let slash = ledger.params.bond.min(ledger.workforce.held(who));
    let paid = part(ledger, slash, winner == who);
    if slash == 0 {
        return;
    }
    ledger.workforce.take(who, slash);
    ledger.money.take_held(who, Purpose::Bond, slash);
    ledger.money.give(winner, paid);
    ledger.bytechip.burnt += slash - paid;
    let workforce = &mut ledger.workforce;
    let registered = workforce.devices.get_mut(device);
    let registered = registered.map(|device| &mut device.past);
    if let Some(past) = registered.or(workforce.retired.get_mut(device)) {
        past.convicted += 1;
    }
}
