//! Drafts of what is disputed.

use super::{Draft, SPOILT_PERCENT};
use crate::ledger::model::{
    Call, Sender,
    batches::{self, Fate},
    disputes::{self, Dispute, LEAF, Matter, Shown},
    jobs::{Job, Phase},
};
use quern_dispute_rules::{
    Evidence, Reply,
    evidence::{BatchName, Leaf, Withheld},
};
use quern_joblog::Fork;
use quern_primitives::{
    AccountId, DeviceId, Digest, JobId, NodeKey, ProgramHash, TaskIndex,
    device::Class,
    ids::BatchSequence,
    log::{Header, SignedHeader},
    merkle::Tree,
    payload::{DeviceKey, NodeSecret},
    receipt::{Exit, Receipt, SignedReceipt},
};

/// A batch of a job, and what the model has of it.
#[derive(Clone)]
struct Target {
    job: JobId,
    batch: BatchSequence,
    known: Option<Job>,
}

impl Target {
    fn name(&self) -> BatchName {
        BatchName {
            job: self.job,
            sequence: self.batch,
        }
    }

    /// Its tasks, if there is such a batch.
    fn tasks(&self) -> Vec<TaskIndex> {
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
        match self.chance.weighted(&[14, often(12), often(8), often(8)]) {
            0 => self.dispute(),
            1 => self.step(),
            2 => self.reply(),
            _ => self.expire(),
        }
    }

    /// A pending batch, mostly.
    fn target(&mut self) -> Target {
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

    fn dispute(&mut self) -> (Sender, Call) {
        let target = self.target();
        let (shown, evidence) = match self.chance.weighted(&[5, 12, 12, 5, 9]) {
            0 => self.wrong_leaf(&target),
            1 => (
                Shown::Sum,
                Evidence::Payouts {
                    batch: target.name(),
                },
            ),
            2 => self.withheld(&target),
            3 => self.fork(&target),
            _ => self.two_answers(&target),
        };
        let call = disputes::Call::Dispute {
            job: target.job,
            batch: target.batch,
            shown,
            evidence: Box::new(evidence),
        };
        // Coordinators now and then show their own lies.
        let own = target.known.and_then(|job| job.coordinator().cloned());
        let sender = own.filter(|_| self.chance.percent(10));
        let sender = sender.unwrap_or_else(|| self.anyone());
        (Sender::Account(sender), Call::Disputes(call))
    }

    fn wrong_leaf(&mut self, target: &Target) -> (Shown, Evidence) {
        let tasks = target.tasks().len().max(1) as u32;
        let place = self.chance.between(0, tasks - 1);
        let evidence = Evidence::Verdict {
            batch: target.name(),
            leaf: leaf(tasks, place),
        };
        (Shown::Leaf, evidence)
    }

    fn withheld(&mut self, target: &Target) -> (Shown, Evidence) {
        let task = self.chance.one_of(&target.tasks());
        let task = task.filter(|_| !self.chance.percent(SPOILT_PERCENT / 2));
        let task = task.unwrap_or_else(|| self.chance.between(0, 30));
        let evidence = Evidence::Withheld {
            batch: target.name(),
            what: Withheld::Verdict { task },
        };
        (Shown::Withheld(task), evidence)
    }

    /// Two blocks that one member of the job's group signed, mostly.
    fn fork(&mut self, target: &Target) -> (Shown, Evidence) {
        let group = target.known.as_ref().and_then(|job| job.group.as_ref());
        let keys: Vec<DeviceId> = group
            .iter()
            .flat_map(|group| group.members.iter().map(|(_, key)| *key))
            .collect();
        let key = self.chance.one_of(&keys);
        let key = key.filter(|_| !self.chance.percent(SPOILT_PERCENT));
        let nodes = &self.cast.nodes;
        let known = nodes.iter().find(|it| Some(DeviceId(it.public().0)) == key);
        let any = self.chance.below(nodes.len() as u64) as usize;
        let node = known.unwrap_or(&nodes[any]);
        let place = self.chance.below(40);
        let header = |time_ms| signed_header(node, target.job, place, time_ms, self.cast);
        let fork = Fork {
            place,
            first: header(1),
            second: header(2),
        };
        let public = node.public();
        let evidence = Evidence::Blocks {
            node: NodeKey(public.0),
            fork: Box::new(fork),
        };
        (Shown::Fork(DeviceId(public.0)), evidence)
    }

    fn two_answers(&mut self, target: &Target) -> (Shown, Evidence) {
        let known = &self.ledger.workforce.devices;
        let registered: Vec<usize> = (0..self.cast.devices.len())
            .filter(|place| known.contains_key(&self.cast.devices[*place].id()))
            .collect();
        let any = self.chance.below(self.cast.devices.len() as u64) as usize;
        let place = self.chance.one_of(&registered);
        let place = place.filter(|_| !self.chance.percent(SPOILT_PERCENT));
        let key = &self.cast.devices[place.unwrap_or(any)];
        // Few tasks, so that some lies are shown twice.
        let task = self.chance.between(0, 2);
        let receipt = |value| answer(key, target.job, task, value, self.cast);
        let evidence = Evidence::Answers {
            first: Box::new(receipt(1)),
            second: Box::new(receipt(2)),
        };
        (Shown::Answers(key.id(), task), evidence)
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
        let left = dispute.as_ref().map_or(1, |dispute| {
            let job = self.ledger.jobs.jobs.get(&dispute.job);
            let settled = job.and_then(|job| job.batches.get(dispute.batch));
            let tasks = settled.map_or(0, |settled| settled.tasks);
            match dispute.matter {
                Matter::Adding { leaves, .. } => tasks.saturating_sub(leaves),
                Matter::Asked(_) => tasks,
            }
        });
        let count = match self.chance.below(8) {
            0 => 0,
            1 => left + 1,
            2 | 3 => left.div_ceil(2),
            _ => left,
        };
        let byte = if self.chance.percent(25) { 8 } else { LEAF[0] };
        let by = dispute.map(|dispute| dispute.by);
        let sender = by.filter(|_| !self.chance.percent(SPOILT_PERCENT / 2));
        let sender = sender.unwrap_or_else(|| self.anyone());
        let call = disputes::Call::Step {
            dispute: id,
            leaves: vec![vec![byte]; count as usize],
        };
        (Sender::Account(sender), Call::Disputes(call))
    }

    fn reply(&mut self) -> (Sender, Call) {
        let clock = self.ledger.finality.clock();
        let is_asked = |dispute: &Dispute| {
            matches!(dispute.matter, Matter::Asked(_)) && clock <= dispute.until
        };
        let (id, dispute) = self.open(is_asked);
        let (tasks, place) = dispute.map_or((1, 0), |dispute| {
            let target = Target {
                job: dispute.job,
                batch: u32::try_from(dispute.batch).unwrap(),
                known: self.ledger.jobs.jobs.get(&dispute.job).cloned(),
            };
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
                let receipt = answer(&self.cast.devices[0], JobId([0; 32]), 0, 1, self.cast);
                (None, Reply::Receipt(Box::new(receipt)))
            }
            false => (Some(place), Reply::Verdict(leaf(tasks, place))),
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

/// What is at a place of a tree of so many leaves.
fn leaf(leaves: u32, place: u32) -> Leaf {
    let tree = Tree::new((0..leaves).map(|_| LEAF));
    Leaf {
        bytes: LEAF.to_vec().try_into().unwrap(),
        place,
        siblings: tree.proof(place).unwrap().siblings.try_into().unwrap(),
    }
}

fn signed_header(
    node: &NodeSecret,
    job: JobId,
    index: u64,
    time_ms: u64,
    cast: &super::Cast,
) -> SignedHeader {
    let header = Header {
        job,
        index,
        previous: Digest([1; 32]),
        skip: Digest([3; 32]),
        time_ms,
        first: 0,
        count: 1,
        bytes: 1,
        entries_root: Digest([2; 32]),
    };
    node.sign(header, &cast.genesis)
}

fn answer(
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
