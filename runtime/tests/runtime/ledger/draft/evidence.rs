//! Drafts of evidence: of every kind, of lies and of what is right, and spoilt.

use super::{Cast, Draft, SPOILT_PERCENT, disputes::Target};
use crate::ledger::{
    model::{
        Call, Sender, disputes,
        disputes::{Found, Shown},
    },
    told::{
        ASSIGNED, BATCHED, JUDGED, LEAF, Lie, QUESTION, STRANGER, Told, answer, block_of, input_of,
        receipt_of,
    },
};
use quern_dispute_rules::{
    Evidence,
    evidence::{FalseReport, Leaf, Logged, Withheld, WrongAnswer},
};
use quern_joblog::{Entry, Fork};
use quern_primitives::{
    AccountId, DeviceId, Digest, JobId, TaskIndex,
    log::{
        Acknowledgement, Certificate, Header, RefereeReport, SignedAcknowledgement, SignedHeader,
    },
    payload::{NodeSecret, NodeSignature},
    receipt::receipt_digest,
};
use std::rc::Rc;

/// A device's answer, or a masternode's, and what else may have come out.
const SAID: u8 = 1;
const OTHER: u8 = 2;

/// In how many of a hundred disputes over a batch with a lie that lie is shown.
const SHOWN_PERCENT: u64 = 50;

impl Draft<'_> {
    pub(super) fn dispute(&mut self) -> (Sender, Call) {
        let target = self.target();
        let (shown, evidence) = self.evidence(&target);
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

    fn evidence(&mut self, target: &Target) -> (Shown, Evidence) {
        let Some(told) = target.told() else {
            return self.of_nothing_told(target);
        };
        if let Some(lie) = told.lie.filter(|_| self.chance.percent(SHOWN_PERCENT)) {
            return match lie {
                Lie::Leaf | Lie::Price => self.verdict(target, &told),
                Lie::Receipt => self.receipt(target, &told),
                Lie::Account => self.unassigned(target, &told),
                Lie::Verdict => self.other_verdict(target, &told),
                Lie::Stranger => self.assignment(target, &told),
                Lie::Batch => self.other_batch(target, &told),
                Lie::Lane => self.other_lane(target, &told),
            };
        }
        let weights = [10, 12, 4, 4, 4, 3, 3, 4, 4, 7, 6, 3, 3, 3, 4, 3];
        match self.chance.weighted(&weights) {
            0 => (Shown::Sum, sum(target)),
            1 => self.withheld(target),
            2 => self.verdict(target, &told),
            3 => self.receipt(target, &told),
            4 => self.unassigned(target, &told),
            5 => self.other_verdict(target, &told),
            6 => self.assignment(target, &told),
            7 => self.other_batch(target, &told),
            8 => self.left_out(target, &told),
            9 => self.two_answers(target),
            10 => self.wrong_answer(target, &told),
            11 => self.fork(target),
            12 => self.certificates(target),
            13 => self.entries(target),
            14 => self.false_report(target),
            _ => self.other_lane(target, &told),
        }
    }

    /// What can be shown where nobody knows what the batch is made of, or there is none.
    fn of_nothing_told(&mut self, target: &Target) -> (Shown, Evidence) {
        match self.chance.weighted(&[6, 6, 4, 3, 3, 3, 3, 3]) {
            0 => (Shown::Sum, sum(target)),
            1 => self.withheld(target),
            2 => self.two_answers(target),
            3 => self.fork(target),
            4 => self.certificates(target),
            5 => self.entries(target),
            6 => self.false_report(target),
            _ => {
                let batch = target.name();
                let leaf = Leaf {
                    bytes: LEAF.to_vec().try_into().unwrap(),
                    place: 0,
                    siblings: Default::default(),
                };
                let shown = Shown::OfBatch(Found::NotInBatch);
                (shown, Evidence::Verdict { batch, leaf })
            }
        }
    }

    /// What is found, unless the leaf is spoilt.
    fn leaf(&mut self, told: &Told, place: u32, found: Found) -> (Leaf, Found) {
        let mut leaf = told.leaf(place);
        match self.chance.percent(SPOILT_PERCENT / 2) {
            false => (leaf, found),
            true => {
                leaf.bytes.try_push(1).unwrap();
                (leaf, Found::NotInBatch)
            }
        }
    }

    fn verdict(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let last = told.leaves.len() as u32 - 1;
        let place = match self.chance.percent(60) {
            true => 0,
            false => self.chance.between(0, last),
        };
        let is_lie = place > 0 || told.is(Lie::Leaf) || told.is(Lie::Price);
        let (leaf, found) = self.leaf(told, place, lie_if(is_lie));
        let batch = target.name();
        (Shown::OfBatch(found), Evidence::Verdict { batch, leaf })
    }

    fn receipt(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let found = match told.is(Lie::Leaf) {
            true => Found::Unrelated,
            false => lie_if(told.is(Lie::Receipt)),
        };
        let (leaf, found) = self.leaf(told, 0, found);
        let evidence = Evidence::Receipt {
            batch: target.name(),
            leaf,
            receipt: Box::new(told.receipt.clone()),
            input: None,
        };
        (Shown::OfBatch(found), evidence)
    }

    fn unassigned(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let (mut entry, mut found) = (told.certified(ASSIGNED), lie_if(told.is(Lie::Account)));
        match self.chance.below(10) {
            0 => (entry, found) = (told.certified(JUDGED), Found::Unrelated),
            1 => {
                entry.logged.header.payload.time_ms += 1;
                found = Found::NotInLog;
            }
            _ => {}
        }
        if told.is(Lie::Leaf) {
            found = Found::Unrelated;
        }
        let (leaf, found) = self.leaf(told, 0, found);
        let evidence = Evidence::Unassigned {
            batch: target.name(),
            leaf,
            receipt: Box::new(told.receipt.clone()),
            entry: Box::new(entry),
        };
        (Shown::OfBatch(found), evidence)
    }

    fn other_verdict(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let is_lie = told.is(Lie::Verdict) || told.is(Lie::Leaf);
        let (mut entry, mut found) = (told.certified(JUDGED), lie_if(is_lie));
        if self.chance.percent(10) {
            (entry, found) = (told.certified(BATCHED), Found::Unrelated);
        }
        let (leaf, found) = self.leaf(told, 0, found);
        let evidence = Evidence::OtherVerdict {
            batch: target.name(),
            leaf,
            entry: Box::new(entry),
        };
        (Shown::OfBatch(found), evidence)
    }

    fn assignment(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let is_strangers = told.is(Lie::Stranger) && self.chance.percent(70);
        let place = if is_strangers { STRANGER } else { ASSIGNED };
        let mut entry = told.certified(place);
        let given = entry.logged.assigned().unwrap();
        let mut found = Found::Lie;
        match self.chance.below(10) {
            0 => (entry, found) = (told.certified(JUDGED), Found::Unrelated),
            1 => {
                entry.logged.header.payload.time_ms += 1;
                found = Found::NotInLog;
            }
            _ => {}
        }
        let shown = Shown::Given {
            device: given.device,
            account: given.account,
            at: told.at,
            found,
        };
        let batch = target.name();
        let entry = Box::new(entry);
        (shown, Evidence::Assignment { batch, entry })
    }

    fn other_lane(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let (mut entry, mut found) = (told.certified(ASSIGNED), lie_if(told.is(Lie::Lane)));
        match self.chance.below(10) {
            0 => (entry, found) = (told.certified(JUDGED), Found::Unrelated),
            1 => {
                entry.logged.header.payload.time_ms += 1;
                found = Found::NotInLog;
            }
            _ => {}
        }
        let batch = target.name();
        let entry = Box::new(entry);
        let shown = Shown::OfBatch(found);
        (shown, Evidence::OtherLane { batch, entry })
    }

    /// What was certified with the batch, or what its coordinator signs beside that.
    fn other_batch(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let beside = self.coordinators_key(target);
        let written = told.logged(BATCHED).entry();
        let Some(Entry::Batched { mut batch }) = written else {
            panic!("it is a batch");
        };
        let is_certified = told.is(Lie::Batch) || self.chance.percent(50);
        let (entry, found) = match (is_certified, self.chance.below(10)) {
            (_, 0) => (told.logged(JUDGED), Found::Unrelated),
            (true, _) => (told.logged(BATCHED), lie_if(told.is(Lie::Batch))),
            (false, number) => {
                batch.spent += 1;
                let entries = vec![Entry::Batched { batch }];
                let (node, found) = match number {
                    1 => (stranger(), Found::NotSigned),
                    _ => (beside, Found::Lie),
                };
                let block = block_of(self.cast.genesis, target.job, &node, entries);
                (logged(&block, 0), found)
            }
        };
        let shown = Shown::Written {
            found,
            is_certified,
        };
        let batch = target.name();
        let entry = Box::new(entry);
        (shown, Evidence::OtherBatch { batch, entry })
    }

    /// The coordinator's word for a receipt that the verdict names, or for another.
    fn left_out(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let named = receipt_digest(&told.receipt);
        let (receipt, found) = match self.chance.percent(50) {
            true => (named, lie_if(told.is(Lie::Leaf))),
            // Few, so that some are shown twice.
            false => {
                let other = u8::try_from(self.chance.below(2)).unwrap();
                (Digest([other; 32]), Found::Lie)
            }
        };
        let said = Acknowledgement {
            job: target.job,
            task: told.task,
            replica: 0,
            device: told.receipt.payload.device,
            receipt,
            position: JUDGED,
        };
        let (leaf, found) = self.leaf(told, 0, found);
        let is_forged = self.chance.percent(SPOILT_PERCENT / 2);
        let (node, found) = match is_forged {
            true => (stranger(), Found::NotSigned),
            false => (self.coordinators_key(target), found),
        };
        let evidence = Evidence::Omission {
            batch: target.name(),
            acknowledgement: SignedAcknowledgement::alone(said, &node, &self.cast.genesis),
            leaf: Some(leaf),
        };
        (Shown::LeftOut { receipt, found }, evidence)
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

    /// The key with which who settled the batch signs for the job.
    fn coordinators_key(&self, target: &Target) -> NodeSecret {
        let key = target.coordinators_key();
        key.and_then(|key| self.node(&key)).unwrap_or_else(stranger)
    }

    fn node(&self, key: &DeviceId) -> Option<NodeSecret> {
        let mut nodes = self.cast.nodes.iter();
        nodes.find(|it| it.public().0 == key.0).cloned()
    }

    /// A key of one of a job's group, mostly; of one of the cast otherwise.
    fn members_key(&mut self, target: &Target) -> NodeSecret {
        let keys = target.keys();
        let key = self.chance.one_of(&keys);
        let key = key.filter(|_| !self.chance.percent(SPOILT_PERCENT));
        let known = key.and_then(|key| self.node(&key));
        let any = self.chance.below(self.cast.nodes.len() as u64) as usize;
        known.unwrap_or_else(|| self.cast.nodes[any].clone())
    }

    /// Two blocks that one member of the job's group signed, mostly.
    fn fork(&mut self, target: &Target) -> (Shown, Evidence) {
        let node = self.members_key(target);
        let fork = forked(&node, target.job, self.chance.below(40), self.cast);
        let public = node.public();
        let evidence = Evidence::Blocks {
            node: public,
            fork: Box::new(fork),
        };
        (Shown::Twice(DeviceId(public.0), Found::Lie), evidence)
    }

    /// Both branches of a fork, certified by one member.
    fn certificates(&mut self, target: &Target) -> (Shown, Evidence) {
        let (member, writer) = (self.members_key(target), self.members_key(target));
        let fork = forked(&writer, target.job, self.chance.below(40), self.cast);
        let found = match self.chance.below(8) {
            0 => Found::Unrelated,
            1 => Found::NotSigned,
            _ => Found::Lie,
        };
        let genesis = &self.cast.genesis;
        let certify = |header: &SignedHeader| {
            let certificate = Certificate {
                job: target.job,
                sequence: target.batch,
                index: header.payload.index,
                head: header.payload.hash(genesis),
                batch: Digest([8; 32]),
            };
            member.sign(certificate, genesis)
        };
        let (first, mut second) = (certify(&fork.first), certify(&fork.second));
        match found {
            Found::Unrelated => second = first,
            Found::NotSigned => second.signature.0[3] ^= 1,
            _ => {}
        }
        let evidence = Evidence::Certificates {
            member: member.public(),
            node: writer.public(),
            fork: Box::new(fork),
            first,
            second,
        };
        (Shown::Twice(DeviceId(member.public().0), found), evidence)
    }

    /// Two places where tasks are queued say nothing; two batches of one number do.
    fn entries(&mut self, target: &Target) -> (Shown, Evidence) {
        let node = self.members_key(target);
        let found = match self.chance.percent(SPOILT_PERCENT) {
            true => Found::Unrelated,
            false => Found::Lie,
        };
        let entry = match (
            target.told().map(|told| told.logged(BATCHED).entry()),
            found,
        ) {
            (Some(Some(batched)), Found::Lie) => batched,
            _ => Entry::Queued { first: 0, tasks: 1 },
        };
        let found = match entry {
            Entry::Batched { .. } => found,
            _ => Found::Unrelated,
        };
        let twice = vec![entry.clone(), entry];
        let block = block_of(self.cast.genesis, target.job, &node, twice);
        let evidence = Evidence::Entries {
            node: node.public(),
            first: Box::new(logged(&block, 0)),
            second: Box::new(logged(&block, 1)),
        };
        (Shown::Twice(DeviceId(node.public().0), found), evidence)
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
        let receipt = |value| match &target.known {
            Some(job) => receipt_of(key, (target.job, job), task, value, &self.cast.genesis),
            None => super::disputes::said(key, target.job, task, value, self.cast),
        };
        let evidence = Evidence::Answers {
            first: Box::new(receipt(SAID)),
            second: Box::new(receipt(OTHER)),
        };
        (Shown::Answers(key.id(), task), evidence)
    }

    /// What a device signed, against what as many members of the group say as there may have to be.
    fn wrong_answer(&mut self, target: &Target, told: &Told) -> (Shown, Evidence) {
        let job = target.known.as_ref().expect("it has a batch");
        let genesis = self.cast.genesis;
        let (input, is_jobs) = input_of(told.task, job.submission.tasks);
        let truth = if self.chance.percent(70) { OTHER } else { SAID };
        let report = RefereeReport {
            job: target.job,
            task: told.task,
            question: QUESTION,
            answer: answer(truth),
        };
        let referees = self.referees(target, report, None);
        let key = &self.cast.devices[told.device];
        let shown = Shown::Answered {
            device: key.id(),
            account: told.given_to.clone(),
            task: told.task,
            voices: referees.len(),
            found: match is_jobs {
                true => lie_if(truth != SAID),
                false => Found::Unrelated,
            },
        };
        let evidence = Evidence::WrongAnswer(Box::new(WrongAnswer {
            batch: target.name(),
            receipt: receipt_of(key, (target.job, job), told.task, SAID, &genesis),
            input,
            assignment: told.certified(ASSIGNED),
            report,
            referees: referees.try_into().unwrap(),
        }));
        (shown, evidence)
    }

    /// What a member says that came out of a task, against what the others say.
    fn false_report(&mut self, target: &Target) -> (Shown, Evidence) {
        let node = self.members_key(target);
        let key = DeviceId(node.public().0);
        let task: TaskIndex = self.chance.between(0, 2);
        let is_same = self.chance.percent(SPOILT_PERCENT / 2);
        let truth = if is_same { SAID } else { OTHER };
        let report = |value| RefereeReport {
            job: target.job,
            task,
            question: QUESTION,
            answer: answer(value),
        };
        let referees = self.referees(target, report(truth), Some(key));
        let shown = Shown::Reported {
            key,
            task,
            voices: referees.len(),
            found: match is_same {
                true => Found::Unrelated,
                false => Found::Lie,
            },
        };
        let evidence = Evidence::FalseReport(Box::new(FalseReport {
            node: node.public(),
            said: node.sign(report(SAID), &self.cast.genesis),
            answer: answer(truth),
            referees: referees.try_into().unwrap(),
        }));
        (shown, evidence)
    }

    /// The words of all of a group but of who has this key; mostly, for one may be missing.
    fn referees(
        &mut self,
        target: &Target,
        report: RefereeReport,
        but: Option<DeviceId>,
    ) -> Vec<(u8, NodeSignature)> {
        let mut words = Vec::new();
        for (place, key) in (0u8..).zip(target.keys()) {
            if let Some(node) = self.node(&key).filter(|_| Some(key) != but) {
                words.push((place, node.sign(report, &self.cast.genesis).signature));
            }
        }
        if self.chance.percent(SPOILT_PERCENT) {
            words.pop();
        }
        words
    }
}

impl Target {
    pub(super) fn told(&self) -> Option<Rc<Told>> {
        let batches = &self.known.as_ref()?.batches;
        batches.get(self.batch as usize)?.told.clone()
    }

    /// The keys of the job's group, in its order.
    fn keys(&self) -> Vec<DeviceId> {
        let group = self.known.as_ref().and_then(|job| job.group.as_ref());
        let members = group.iter().flat_map(|group| &group.members);
        members.map(|(_, key)| *key).collect()
    }

    fn coordinators_key(&self) -> Option<DeviceId> {
        let job = self.known.as_ref()?;
        let by: &AccountId = &job.batches.get(self.batch as usize)?.by;
        let mut members = job.group.as_ref()?.members.iter();
        members.find(|(who, _)| who == by).map(|(_, key)| *key)
    }
}

fn sum(target: &Target) -> Evidence {
    Evidence::Payouts {
        batch: target.name(),
    }
}

fn lie_if(is_lie: bool) -> Found {
    match is_lie {
        true => Found::Lie,
        false => Found::Right,
    }
}

/// A key that no masternode has.
fn stranger() -> NodeSecret {
    NodeSecret::from_seed(&[99; 32])
}

fn logged(block: &quern_joblog::SignedBlock, position: u64) -> Logged {
    Logged::new(block.prove(position).unwrap()).unwrap()
}

/// Two blocks for one place.
fn forked(node: &NodeSecret, job: JobId, place: u64, cast: &Cast) -> Fork {
    let header = |time_ms| {
        let header = Header {
            job,
            index: place,
            previous: Digest([1; 32]),
            skip: Digest([3; 32]),
            time_ms,
            first: 0,
            count: 1,
            bytes: 1,
            entries_root: Digest([2; 32]),
        };
        node.sign(header, &cast.genesis)
    };
    Fork {
        place,
        first: header(1),
        second: header(2),
    }
}
