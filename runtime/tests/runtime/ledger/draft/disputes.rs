//! Drafts of calls about disputes that are open, and what is disputed.

use super::{Draft, SPOILT_PERCENT};
use crate::ledger::{
    model::{
        Call, Sender,
        batches::{self, Fate},
        disputes::{self, Dispute, Matter},
        jobs::{Job, Phase},
    },
    told::LEAF,
};
use quern_dispute_rules::{
    Reply,
    evidence::{BatchName, Leaf},
};
use quern_primitives::{
    AccountId, Digest, JobId, ProgramHash, TaskIndex,
    device::Class,
    ids::BatchSequence,
    merkle::Tree,
    payload::DeviceKey,
    receipt::{Exit, Receipt, SignedReceipt},
};

/// A batch of a job, and what the model has of it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) job: JobId,
    pub(super) batch: BatchSequence,
    pub(super) known: Option<Job>,
}

impl Target {
    pub(super) fn name(&self) -> BatchName {
        BatchName {
            job: self.job,
            sequence: self.batch,
        }
    }

    /// Its tasks, if there is such a batch.
    pub(super) fn tasks(&self) -> Vec<TaskIndex> {
        let settled = self.known.as_ref();
        let settled = settled.and_then(|job| Some((job, job.batches.get(self.batch as usize)?)));
        let named = settled.and_then(|(job, settled)| {
            batches::named(&settled.batch.tasks, job.submission.tasks).ok()
        });
        named.unwrap_or_default().into_iter().collect()
    }
}

impl Draft<'_> {
    pub(super) fn disputes(&mut self) -> (Sender, Call) {
        let is_open = !self.ledger.disputes.open.is_empty();
        let often = |weight: u64| if is_open { weight } else { 1 };
        let clock = self.ledger.finality.clock();
        let waits = |it: &Dispute| matches!(it.matter, Matter::Asked(_)) && clock <= it.until;
        // A question does not wait for long, so who may answer mostly does.
        let replies = match self.ledger.disputes.open.values().any(waits) {
            true => 30,
            false => often(4),
        };
        match self.chance.weighted(&[14, often(12), replies, often(8)]) {
            0 => self.dispute(),
            1 => self.step(),
            2 => self.reply(),
            _ => self.expire(),
        }
    }

    /// A pending batch, mostly.
    pub(super) fn target(&mut self) -> Target {
        let jobs = self.ledger.jobs.jobs.iter();
        let batches = |is_wanted: fn(&Fate) -> bool| -> Vec<(JobId, usize)> {
            let of = |(id, job): (&JobId, &Job)| {
                let places = job.batches.iter().enumerate();
                let wanted = places.filter(|(_, settled)| is_wanted(&settled.fate));
                let id = *id;
                wanted
                    .map(move |(place, _)| (id, place))
                    .collect::<Vec<_>>()
            };
            jobs.clone().flat_map(of).collect()
        };
        let pending = batches(|fate| matches!(fate, Fate::Pending { .. }));
        let all = batches(|_| true);
        let pending = self.chance.one_of(&pending);
        let any = self.chance.one_of(&all);
        let found = pending.filter(|_| !self.chance.percent(8)).or(any);
        let (job, place) = found.unwrap_or((JobId([0; 32]), 0));
        let known = self.ledger.jobs.jobs.get(&job).cloned();
        let over = if self.chance.percent(4) { 1 } else { 0 };
        Target {
            job,
            batch: u32::try_from(place + over).unwrap(),
            known,
        }
    }

    /// An open dispute of this kind, mostly; with its number.
    fn open(&mut self, wanted: impl Fn(&Dispute) -> bool) -> (u64, Option<Dispute>) {
        let open = &self.ledger.disputes.open;
        let fitting: Vec<u64> = open
            .iter()
            .filter(|(_, dispute)| wanted(dispute))
            .map(|(id, _)| *id)
            .collect();
        let all: Vec<u64> = open.keys().copied().collect();
        let fitting = self.chance.one_of(&fitting);
        let fitting = fitting.filter(|_| !self.chance.percent(10));
        let any = self.chance.one_of(&all);
        let id = fitting.or(any).unwrap_or(self.ledger.disputes.next);
        let id = if self.chance.percent(4) { id + 1 } else { id };
        (id, open.get(&id).cloned())
    }

    /// The next leaves of a batch that is added up, all of them mostly.
    fn step(&mut self) -> (Sender, Call) {
        let clock = self.ledger.finality.clock();
        let is_adding = |dispute: &Dispute| {
            matches!(dispute.matter, Matter::Adding { .. }) && clock <= dispute.until
        };
        let (id, dispute) = self.open(is_adding);
        let about = dispute.as_ref().and_then(|dispute| {
            let job = self.ledger.jobs.jobs.get(&dispute.job);
            let settled = job.and_then(|job| job.batches.get(dispute.batch))?;
            let added = match dispute.matter {
                Matter::Adding { leaves, .. } => leaves,
                Matter::Asked(_) => 0,
            };
            Some((settled, added))
        });
        let (left, all) = about.map_or((1, vec![]), |(settled, added)| {
            let told = settled.told.as_ref();
            let there = told.and_then(|told| told.leaves.get(added as usize..));
            let left = settled.tasks.saturating_sub(added);
            (left, there.map(<[_]>::to_vec).unwrap_or_default())
        });
        let count = match self.chance.below(8) {
            0 => 0,
            1 => left + 1,
            2 | 3 => left.div_ceil(2),
            _ => left,
        };
        let (count, is_spoilt) = (count as usize, self.chance.percent(25));
        let other = if is_spoilt { vec![8] } else { LEAF.to_vec() };
        let mut leaves = if is_spoilt { vec![] } else { all };
        leaves.resize(count, other);
        let by = dispute.map(|dispute| dispute.by);
        let sender = by.filter(|_| !self.chance.percent(SPOILT_PERCENT / 2));
        let sender = sender.unwrap_or_else(|| self.anyone());
        let call = disputes::Call::Step {
            dispute: id,
            leaves,
        };
        (Sender::Account(sender), Call::Disputes(call))
    }

    fn reply(&mut self) -> (Sender, Call) {
        let clock = self.ledger.finality.clock();
        let is_asked = |dispute: &Dispute| {
            matches!(dispute.matter, Matter::Asked(_)) && clock <= dispute.until
        };
        let (id, dispute) = self.open(is_asked);
        let target = dispute.as_ref().map(|dispute| Target {
            job: dispute.job,
            batch: u32::try_from(dispute.batch).unwrap(),
            known: self.ledger.jobs.jobs.get(&dispute.job).cloned(),
        });
        let (tasks, place) = dispute.zip(target.as_ref()).map_or((1, 0), |it| {
            let (dispute, target) = it;
            let tasks = target.tasks();
            let asked = tasks
                .iter()
                .position(|task| dispute.matter == Matter::Asked(*task));
            (tasks.len().max(1) as u32, asked.unwrap_or(0) as u32)
        });
        let place = match self.spoils() {
            true => self.chance.between(0, tasks - 1),
            false => place,
        };
        let (place, reply) = match self.chance.percent(6) {
            true => {
                let receipt = said(&self.cast.devices[0], JobId([0; 32]), 0, 1, self.cast);
                (None, Reply::Receipt(Box::new(receipt)))
            }
            false => (
                Some(place),
                Reply::Verdict(leaf(target.as_ref(), tasks, place)),
            ),
        };
        let call = disputes::Call::Answer {
            dispute: id,
            place,
            reply: Box::new(reply),
        };
        (Sender::Account(self.anyone()), Call::Disputes(call))
    }

    fn expire(&mut self) -> (Sender, Call) {
        let clock = self.ledger.finality.clock();
        let jobs = &self.ledger.jobs.jobs;
        let is_over = |dispute: &Dispute| {
            let job = jobs.get(&dispute.job);
            let is_gone = job.is_none_or(|job| {
                let settled = job.batches.get(dispute.batch);
                let is_pending = settled.is_some_and(|it| matches!(it.fate, Fate::Pending { .. }));
                matches!(job.phase, Phase::Over(_)) || !is_pending
            });
            is_gone || clock > dispute.until
        };
        let (id, _) = self.open(is_over);
        let sender: AccountId = self.anyone();
        let call = disputes::Call::Expire(id);
        (Sender::Account(sender), Call::Disputes(call))
    }
}

/// What is at a place of a batch's tree, or of one of so many leaves where nobody can show that.
fn leaf(target: Option<&Target>, leaves: u32, place: u32) -> Leaf {
    let told = target.and_then(Target::told);
    if let Some(told) = told.filter(|told| (place as usize) < told.leaves.len()) {
        return told.leaf(place);
    }
    let tree = Tree::new((0..leaves).map(|_| LEAF));
    Leaf {
        bytes: LEAF.to_vec().try_into().unwrap(),
        place,
        siblings: tree.proof(place).unwrap().siblings.try_into().unwrap(),
    }
}

/// What a device says of a task as if it had nothing to do with any log.
pub(super) fn said(
    key: &DeviceKey,
    job: JobId,
    task: TaskIndex,
    value: u8,
    cast: &super::Cast,
) -> SignedReceipt {
    let receipt = Receipt {
        job,
        task,
        replica: 0,
        device: key.id(),
        program: ProgramHash([1; 32]),
        input_root: Digest([1; 32]),
        question: Digest([46; 32]),
        result_commitment: Digest([value; 32]),
        output_root: Digest([2; 32]),
        result_bytes: 10,
        fuel: 5,
        exit: Exit::Success,
        class: Class::Pinned,
        engine: Digest([3; 32]),
        log_position: 4,
        salt: [90; 32].into(),
    };
    key.sign(receipt, &cast.genesis)
}
