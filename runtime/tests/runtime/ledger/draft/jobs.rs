//! Drafts of what is asked of jobs.

use super::{Draft, SALTS, SPOILT_PERCENT};
use crate::ledger::{
    model::{
        Call, Ledger, Sender,
        groups::Group,
        jobs::{self, GRACE, Job, LIFETIME_LEAST, LIFETIME_MOST, Phase},
        workforce,
    },
    told::shards_root,
};
use codec::{Decode, Encode};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, JobId, ProgramHash, SealingKey,
    batch::{Batch, Certified, CertifiedEnd, DeviceChange, LogRange, Payout, TaskSet, Words},
    device::{Class, RecordChange},
    job::{Agreement, ByteLevel, Failure, Preferences, Prices, Referees, Submission},
    log::Certificate,
    payload::NodeSignature,
    receipt::Exit,
};
use std::rc::Rc;

/// By how many blocks the clock of finality is behind, where four validators take turns.
const CLOCK_LAG: u32 = 3;

impl Draft<'_> {
    pub(super) fn jobs(&mut self) -> (Sender, Call) {
        let now = self.ledger.now;
        let jobs = || self.ledger.jobs.jobs.values();
        // What no job is there for is tried now and then all the same.
        let often = |is_there: bool, weight: u64| if is_there { weight } else { 1 };
        let in_time = |job: &Job| job.until().is_some_and(|until| now <= until);
        let led = jobs().any(|job| job.coordinator().is_some() && in_time(job));
        let open = jobs().any(|job| job.until().is_some());
        let due = jobs().any(|job| job.until().is_some_and(|until| until < now));
        let pending = jobs().any(|job| !job.pending().is_empty());
        let stalled = jobs().any(|job| may_take_over(self.ledger, job).is_some());
        let weights = [
            22,
            often(led, 56),
            often(led, 5),
            often(open && !self.cast.is_lonely, 6),
            often(due && !self.cast.is_lonely, 16),
            often(pending && !self.cast.is_lonely, 6),
            2,
            match (stalled, led && !self.cast.is_lonely) {
                (true, _) => 48,
                (false, is_there) => often(is_there, 6),
            },
        ];
        let call = match self.chance.weighted(&weights) {
            0 => return self.submit(),
            1 => return self.settle(),
            2 => return self.close_failed(),
            3 => {
                let (id, job) = self.job(|job| !matches!(job.phase, Phase::Over(_)));
                let owner = job.map(|job| job.owner.clone());
                let sender = owner.filter(|_| !self.chance.percent(SPOILT_PERCENT));
                let sender = sender.unwrap_or_else(|| self.anyone());
                return (Sender::Account(sender), Call::Jobs(jobs::Call::Cancel(id)));
            }
            4 => {
                let (id, _) = self.job(|job| job.until().is_some_and(|until| until < now));
                jobs::Call::Refund(id)
            }
            5 => return self.finalise(),
            7 => return self.take_over(),
            _ => {
                let prices = self.prices();
                let call = jobs::Call::SetPrices(prices);
                return (self.council(), Call::Jobs(call));
            }
        };
        (Sender::Account(self.anyone()), Call::Jobs(call))
    }

    /// The oldest pending batch of a job, mostly; it may be early.
    fn finalise(&mut self) -> (Sender, Call) {
        let clock = self.ledger.finality.clock();
        let is_due = |job: &Job| job.pending().first().is_some_and(|(_, due)| *due <= clock);
        let (id, job) = self.job(is_due);
        let pending = job.map(|job| job.pending()).unwrap_or_default();
        let (place, _) = pending.first().copied().unwrap_or_default();
        let spoilt = if self.spoils() { 1 } else { 0 };
        let sequence = u32::try_from(place + spoilt).unwrap();
        let call = Call::Jobs(jobs::Call::Finalise(id, sequence));
        (Sender::Account(self.anyone()), call)
    }

    /// A later member of a group, mostly when nothing was settled for so long that it may.
    fn take_over(&mut self) -> (Sender, Call) {
        let ledger = self.ledger;
        let may = |job: &Job| may_take_over(ledger, job);
        let (id, job) = self.job(|job| may(job).is_some());
        let group = job.as_ref().and_then(|job| job.group.clone());
        let members = group.map(|group| group.members).unwrap_or_default();
        let any = self.chance.one_of(&members).map(|(account, _)| account);
        let by = job.and_then(|job| may(&job)).filter(|_| !self.spoils());
        let by = by.or(any).unwrap_or_else(|| self.anyone());
        (Sender::Account(by), Call::Jobs(jobs::Call::TakeOver(id)))
    }

    /// A job, one that is wanted if there is one and mostly; without any, a name of none.
    fn job(&mut self, wanted: impl Fn(&Job) -> bool) -> (JobId, Option<Job>) {
        let book = &self.ledger.jobs;
        let fitting: Vec<JobId> = book
            .order
            .iter()
            .filter(|id| wanted(&book.jobs[*id]))
            .copied()
            .collect();
        let any = self.chance.one_of(&book.order);
        let fitting = self.chance.one_of(&fitting);
        let id = fitting.filter(|_| !self.chance.percent(8)).or(any);
        match id {
            Some(id) if !self.chance.percent(3) => (id, book.jobs.get(&id).cloned()),
            _ => (JobId([0; 32]), None),
        }
    }

    fn submit(&mut self) -> (Sender, Call) {
        let owner = self.pick(self.cast.owners());
        let now = self.ledger.now;
        let deadline = match self.chance.weighted(&[60, 30, 10]) {
            0 => now + self.chance.between(LIFETIME_LEAST, 60),
            1 => now + self.chance.between(60, 3 * GRACE),
            _ => now + self.chance.between(workforce::WEEK, LIFETIME_MOST),
        };
        let salts = if self.cast.is_lonely { 250 } else { SALTS };
        let mut wanted = Submission {
            salt: [u8::try_from(self.chance.below(salts)).unwrap(); 16],
            program: ProgramHash([1; 32]),
            manifest: Digest([2; 32]),
            shards_root: Digest([3; 32]),
            key_commitment: Digest([4; 32]),
            tasks: self.chance.between(1, 20),
            input_bytes: 1_000,
            fuel_per_task_max: 1 + self.chance.below(1_000_000_000_000),
            memory_bytes_max: 64 * 1_024 * 1_024,
            result_bytes_max: 1_024 * 1_024,
            agreement: match self.chance.below(4) {
                0 => Agreement::Single,
                odd => Agreement::Majority {
                    replicas: u8::try_from(2 * odd + 1).unwrap(),
                },
            },
            referees: Referees::default(),
            class: match self.chance.percent(30) {
                true => Class::Portable,
                false => Class::Pinned,
            },
            preferences: Preferences::default(),
            level: self.pick(&[ByteLevel::Low, ByteLevel::Balanced, ByteLevel::High]),
            deadline,
            price_max: Amount::MAX,
            owner_sealing_key: SealingKey([5; 32]),
        };
        while !self.is_protected(&wanted) && !self.chance.percent(3) {
            wanted.fuel_per_task_max = wanted.fuel_per_task_max.div_ceil(4);
            if wanted.fuel_per_task_max == 1 {
                break;
            }
        }
        if self.spoils() {
            self.spoil_submission(&mut wanted);
        }
        wanted.shards_root = shards_root(wanted.tasks);
        let call = jobs::Call::Submit(Box::new(wanted));
        (Sender::Account(owner), Call::Jobs(call))
    }

    fn spoil_submission(&mut self, wanted: &mut Submission) {
        let now = self.ledger.now;
        match self.chance.below(18) {
            0 => wanted.tasks = 0,
            1 => wanted.tasks = 65_537,
            2 => wanted.input_bytes = 0,
            3 => wanted.input_bytes = u64::from(wanted.tasks) * 32 * 1_024 * 1_024 + 1,
            4 => {
                let replicas = self.pick(&[0, 1, 2, 4, 16, 17, 255]);
                wanted.agreement = Agreement::Majority { replicas };
            }
            5 => wanted.fuel_per_task_max = 0,
            6 => wanted.fuel_per_task_max = 10_000_000_000_001,
            7 => wanted.memory_bytes_max = 0,
            8 => wanted.memory_bytes_max = 4 * 1_024 * 1_024 * 1_024 + 1,
            9 => wanted.result_bytes_max = 64 * 1_024 * 1_024 + 1,
            10 => wanted.preferences.processor_points_min = 501,
            11 => wanted.deadline = now,
            12 => wanted.deadline = now + LIFETIME_LEAST - 1,
            13 => wanted.deadline = now + LIFETIME_MOST + 1,
            14 => {
                let cap = self.price(wanted);
                wanted.price_max = cap * Amount::from(wanted.tasks) - 1;
            }
            15 => {
                // Within the limits, and far above what anybody has.
                wanted.tasks = 65_536;
                wanted.input_bytes = 65_536;
                wanted.fuel_per_task_max = 10_000_000_000_000;
                wanted.agreement = Agreement::Majority { replicas: 15 };
            }
            16 => {
                // A region, a kind of machine or of line that there is not.
                let mut sets = [0u8; 3];
                sets[self.pick(&[0, 1, 2])] = 0x80;
                let encoded = (false, sets, false, 0u16, 0u16).encode();
                wanted.preferences = Preferences::decode(&mut &encoded[..]).unwrap();
            }
            _ => {
                // Just about what the owner has.
                let cap = self.price(wanted).max(1);
                let free = self.ledger.money.free(&self.cast.owners()[0]);
                let tasks = u32::try_from(free / cap).unwrap_or(u32::MAX);
                wanted.tasks = tasks.clamp(1, 65_536);
                wanted.input_bytes = 65_536;
            }
        }
    }

    /// Whether a task is not worth more than what makes cheating with it lose.
    fn is_protected(&self, wanted: &Submission) -> bool {
        let params = &self.ledger.params;
        params.protect(self.price(wanted), wanted.agreement.replicas() / 2 + 1)
    }

    fn price(&self, wanted: &Submission) -> Amount {
        let prices = &self.ledger.jobs.prices;
        jobs::price(prices, wanted, wanted.fuel_per_task_max)
    }

    fn prices(&mut self) -> Prices {
        let mut prices = Prices {
            gigafuel: Amount::from(self.chance.below(50_000_000)),
            task_min: 1_000 + Amount::from(self.chance.below(1_000_000)),
            replica_permille: self.chance.between(0, 1_000),
            low_permille: self.chance.between(100, 1_000),
            high_permille: self.chance.between(1_000, 10_000),
        };
        if self.chance.percent(40) {
            match self.chance.below(5) {
                0 => prices.gigafuel = 1_000_000_000_001,
                1 => prices.task_min = 999,
                2 => prices.replica_permille = 1_001,
                3 => prices.low_permille = 99,
                _ => prices.high_permille = 10_001,
            }
        }
        prices
    }

    /// Who speaks for a job: its coordinator, mostly.
    fn coordinator(&mut self, job: Option<&Job>) -> Sender {
        let known = job.and_then(|job| job.coordinator().cloned());
        let known = known.filter(|_| !self.chance.percent(4));
        Sender::Account(known.unwrap_or_else(|| self.anyone()))
    }

    fn close_failed(&mut self) -> (Sender, Call) {
        let (id, job) = self.job(|job| job.coordinator().is_some());
        let sender = self.coordinator(job.as_ref());
        let next = job.as_ref().map_or(0, |job| job.batches.len() as u32);
        let group = job.as_ref().and_then(|job| job.group.clone());
        let open = job.map(|job| job.open_tasks()).unwrap_or_default();
        let task = self.chance.one_of(&open).unwrap_or(0);
        let task = match self.spoils() {
            true => self.chance.between(0, 30),
            false => task,
        };
        let why = match self.chance.below(6) {
            0 => Failure::Program(Exit::Success),
            1 => Failure::Program(Exit::Code(3)),
            2 => Failure::Program(Exit::OutOfFuel),
            _ => Failure::Undecided,
        };
        let mut end = CertifiedEnd {
            job: id,
            task,
            why,
            index: self.chance.below(9),
            head: Digest([6; 32]),
            certificates: Default::default(),
        };
        if !self.spoils() {
            let voices = self.certifying(group.as_ref());
            let said = end.certificate(next);
            end.certificates = self.words(said, &voices, group.as_ref());
        }
        (sender, Call::Jobs(jobs::Call::CloseFailed(Box::new(end))))
    }

    fn settle(&mut self) -> (Sender, Call) {
        let now = self.ledger.now;
        let in_time = |job: &Job| job.until().is_some_and(|until| now <= until);
        let (id, job) = self.job(|job| job.coordinator().is_some() && in_time(job));
        let sender = self.coordinator(job.as_ref());
        let mut batch = self.batch(id, job.as_ref());
        if self.spoils() {
            self.spoil_batch(&mut batch, job.as_ref());
        }
        let told = self.told(&mut batch, job.as_ref());
        let group = job.and_then(|job| job.group);
        let head = match &told {
            Some(told) => told.head(&self.cast.genesis),
            None => batch.verdicts_root,
        };
        let mut certified = self.certified(batch, head, group.as_ref());
        if self.chance.percent(4) {
            self.spoil_certificates(&mut certified);
        }
        let call = jobs::Call::Settle(Box::new(certified), told.map(Rc::new));
        (sender, Call::Jobs(call))
    }

    /// A batch with the certificates of more than half of those who have a say.
    fn certified(&mut self, batch: Batch, head: Digest, group: Option<&Group>) -> Certified {
        let voices = self.certifying(group);
        let mut certified = Certified {
            index: self.chance.below(9),
            head,
            batch,
            certificates: Default::default(),
        };
        certified.certificates = self.words(certified.certificate(), &voices, group);
        certified
    }

    /// Places of more than half of those who have a say.
    fn certifying(&mut self, group: Option<&Group>) -> Vec<usize> {
        let mut voices = group.map(Group::voices).unwrap_or_default();
        let needed = voices.len() / 2 + 1;
        while voices.len() > needed && self.chance.percent(80) {
            let left_out = self.chance.below(voices.len() as u64) as usize;
            voices.remove(left_out);
        }
        voices
    }

    /// What the members at these places sign.
    fn words(&self, said: Certificate, voices: &[usize], group: Option<&Group>) -> Words {
        let words = voices.iter().map(|place| {
            let key = group.map(|group| group.members[*place].1);
            let mut nodes = self.cast.nodes.iter();
            let node = nodes.find(|node| Some(DeviceId(node.public().0)) == key);
            let node = node.expect("masternodes publish keys of the cast");
            let signature = node.sign(said, &self.cast.genesis).signature;
            (u8::try_from(*place).unwrap(), signature)
        });
        words.collect::<Vec<_>>().try_into().unwrap()
    }

    fn spoil_certificates(&mut self, certified: &mut Certified) {
        let certificates = &mut certified.certificates;
        match self.chance.below(6) {
            0 => certified.index += 1,
            1 => certified.head.0[0] ^= 1,
            2 => drop(certificates.pop()),
            3 => *certificates = reversed(certificates),
            4 => {
                let stranger = (6, NodeSignature([0; 64]));
                let _ = certificates.try_push(stranger);
            }
            _ => {
                if let Some((_, signature)) = certificates.last_mut() {
                    signature.0[0] ^= 1;
                }
            }
        }
    }

    /// A batch that fits its job, with the lists in their order.
    fn batch(&mut self, id: JobId, job: Option<&Job>) -> Batch {
        let mut open = job.map(Job::open_tasks).unwrap_or_default();
        let all_of_it = self.chance.percent(30);
        open.retain(|_| all_of_it || self.chance.percent(40));
        if open.is_empty() {
            let first = job.and_then(|job| job.open_tasks().first().copied());
            open.push(first.unwrap_or(0));
        }
        let cap = job.map_or(1, |job| job.cap);
        let most = cap * open.len() as Amount;
        let spent = match self.chance.below(6) {
            0 => most,
            1 => Amount::from(self.chance.below(12)).min(most),
            _ => most * Amount::from(self.chance.below(1_001)) / 1_000,
        };
        // What the coordinator's bond covers, or just more than that.
        let covered = job.and_then(Job::coordinator).map(|by| {
            let (open, bonded) = (self.ledger.jobs.open_of(by), self.ledger.roster.held(by));
            let covered = bonded * 1_000 / self.ledger.params.per_exposure;
            covered.saturating_sub(open)
        });
        let spent = match covered {
            Some(covered) if covered < spent && self.chance.percent(80) => covered,
            Some(covered) if covered < spent && self.chance.percent(50) => covered + 1,
            _ => spent,
        };
        let workers = job.map_or(700, |job| job.terms.workers);
        let payouts = self.payouts(spent, workers);
        let devices = self.changes(open.len());
        Batch {
            job: id,
            sequence: job.map_or(0, |job| u32::try_from(job.batches.len()).unwrap()),
            log: LogRange { first: 0, last: 9 },
            verdicts_root: Digest([u8::try_from(self.chance.below(256)).unwrap(); 32]),
            tasks: set_of(&open),
            spent,
            payouts: payouts.try_into().unwrap(),
            devices: devices.try_into().unwrap(),
        }
    }

    fn payouts(&mut self, spent: Amount, workers: Amount) -> Vec<Payout> {
        let mut left = spent / 1_000 * workers + spent % 1_000 * workers / 1_000;
        let everybody: Vec<AccountId> = self.cast.accounts().cloned().collect();
        let mut payees: Vec<AccountId> = (0..self.chance.below(5))
            .map(|_| self.pick(&everybody))
            .collect();
        payees.sort();
        payees.dedup();
        let mut payouts = Vec::new();
        for account in payees {
            let amount = match self.chance.below(3) {
                0 => left,
                part => left / (2 * Amount::from(part)),
            };
            if amount > 0 {
                payouts.push(Payout { account, amount });
            }
            left -= amount;
        }
        payouts
    }

    fn changes(&mut self, tasks: usize) -> Vec<DeviceChange> {
        let mut left = 15 * u32::try_from(tasks).unwrap();
        let mut ids = self.cast.device_ids();
        ids.sort();
        ids.retain(|_| self.chance.percent(40));
        let mut changes = Vec::new();
        for device in ids {
            let mut few = || {
                let count = self.chance.between(0, 9).min(left);
                left -= count;
                count
            };
            let change = RecordChange {
                accepted: few(),
                failed: few(),
                delayed: 0,
                incorrect: few(),
            };
            let delayed = if device.0[0] % 2 == 0 { few() } else { 0 };
            let change = RecordChange { delayed, ..change };
            if change != RecordChange::default() {
                changes.push(DeviceChange { device, change });
            }
        }
        changes
    }

    fn spoil_batch(&mut self, batch: &mut Batch, job: Option<&Job>) {
        let cap = job.map_or(1, |job| job.cap);
        match self.chance.below(15) {
            0 => batch.sequence += 1,
            1 => batch.log = LogRange { first: 9, last: 8 },
            2 => batch.tasks.bits = Default::default(),
            3 => batch.tasks.first += 4,
            4 => batch.tasks.first = u32::MAX - 7,
            5 => {
                // As much as all tasks can cost, for tasks that may be settled.
                let tasks = job.map_or(1, |job| job.submission.tasks);
                batch.tasks = set_of(&(0..tasks).collect::<Vec<_>>());
                batch.spent = cap * Amount::from(tasks);
            }
            6 => batch.spent += cap * 70_000,
            7 => batch.payouts = reversed(&batch.payouts),
            8 => {
                let account = AccountId::new([0xff; 32]);
                let payout = Payout { account, amount: 0 };
                let _ = batch.payouts.try_push(payout);
            }
            9 => {
                let account = AccountId::new([0xff; 32]);
                let amount = self.pick(&[batch.spent, Amount::MAX]) / 100 * 91 + 1;
                let _ = batch.payouts.try_push(Payout { account, amount });
            }
            10 => batch.devices = reversed(&batch.devices),
            11 => {
                let accepted = self.pick(&[0, 1, 1_000, u32::MAX]);
                let change = RecordChange {
                    accepted,
                    ..RecordChange::default()
                };
                let device = DeviceId([0xff; 32]);
                let _ = batch.devices.try_push(DeviceChange { device, change });
            }
            _ => {
                let done = job.and_then(|job| job.done.first().copied());
                batch.tasks = set_of(&[done.unwrap_or(0)]);
                batch.spent = 1;
                batch.payouts = Default::default();
                batch.devices = Default::default();
            }
        }
    }
}

/// Who could take a job over first, and from which height of the clock on.
fn first_to_take_over(ledger: &Ledger, job: &Job) -> Option<(AccountId, u32)> {
    let group = job.group.as_ref()?;
    let stall = u32::try_from(ledger.params.stall).unwrap();
    let masternodes = &ledger.roster.masternodes;
    let bonded = ledger.roster.bonded(ledger.params.masternode_bond);
    let later = group.voices().into_iter();
    let mut later = later.filter(|place| *place > group.turn);
    let place = later.find(|place| bonded.contains(&group.members[*place].0))?;
    let from = group.open_from(place, stall, (masternodes, &bonded));
    Some((group.members[place].0.clone(), from))
}

/// Who may take a job over now, if anybody may.
fn may_take_over(ledger: &Ledger, job: &Job) -> Option<AccountId> {
    let (by, from) = first_to_take_over(ledger, job)?;
    let in_time = job.until().is_some_and(|until| ledger.now <= until);
    (in_time && from <= ledger.finality.clock()).then_some(by)
}

/// In how many blocks the first job stalls that somebody could take over then, if one does.
pub(super) fn stalls_in(ledger: &Ledger) -> Option<u32> {
    let stalls_at = |job: &Job| {
        let (_, from) = first_to_take_over(ledger, job)?;
        let at = from + CLOCK_LAG;
        (ledger.now < at && at <= job.until()?).then_some(at)
    };
    let first = ledger.jobs.jobs.values().filter_map(stalls_at).min()?;
    Some(first - ledger.now)
}

/// Ascending tasks as a set in its shortest form.
fn set_of(tasks: &[u32]) -> TaskSet {
    let first = tasks[0] / 8 * 8;
    let mut bits = vec![0u8; (tasks[tasks.len() - 1] - first) as usize / 8 + 1];
    for task in tasks {
        bits[(task - first) as usize / 8] |= 1 << (task % 8);
    }
    TaskSet {
        first,
        bits: bits.try_into().unwrap(),
    }
}

/// The same list from its end.
fn reversed<T: Clone, L: TryFrom<Vec<T>> + std::ops::Deref<Target = Vec<T>>>(list: &L) -> L
where
    L::Error: std::fmt::Debug,
{
    let backwards: Vec<T> = list.iter().rev().cloned().collect();
    backwards.try_into().unwrap()
}
