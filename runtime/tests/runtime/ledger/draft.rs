//! Drafts random calls. A draft looks at the ledger, so that about half of the calls are such as
//! can be accepted; each then has a chance to be spoilt in one place, and some are any.

use super::{
    chance::Chance,
    model::{
        Call, Ledger, Sender, bytechip,
        jobs::{self, GRACE, Job, LIFETIME_LEAST, LIFETIME_MOST, Phase},
        money, roster,
        workforce::{self, BOND_PER_DEVICE},
    },
};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, GenesisHash, JobId, ProgramHash, SealingKey,
    batch::{Batch, DeviceChange, LogRange, Payout, TaskSet},
    device::{Class, Hardware, Possession, RecordChange, Region},
    job::{Agreement, ByteLevel, Failure, Preferences, Prices, Submission},
    payload::{DeviceKey, DeviceSignature},
    receipt::Exit,
};

/// In how many of a hundred drafts one thing is spoilt.
const SPOILT_PERCENT: u64 = 16;

/// Salts that owners pick from, so that names meet.
const SALTS: u64 = 24;

const COUNCIL_SEATS: u32 = 4;

/// Who acts: accounts with money, accounts that only receive, and devices.
pub(crate) struct Cast {
    /// With money; the first four are masternodes at first.
    pub(crate) people: Vec<AccountId>,
    pub(crate) strangers: Vec<AccountId>,
    pub(crate) devices: Vec<DeviceKey>,
    pub(crate) genesis: GenesisHash,
}

impl Cast {
    pub(crate) fn new(people: Vec<AccountId>, genesis: GenesisHash) -> Self {
        Self {
            people,
            strangers: vec![AccountId::new([7; 32]), AccountId::new([8; 32])],
            devices: (1..=6)
                .map(|seed| DeviceKey::from_seed(&[seed; 32]))
                .collect(),
            genesis,
        }
    }

    /// Everybody whose money is looked at, but for the treasury.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.people.iter().chain(&self.strangers)
    }

    /// The names that devices have in drafts; the last is of none that could register.
    pub(crate) fn device_ids(&self) -> Vec<DeviceId> {
        let known = self.devices.iter().map(DeviceKey::id);
        known.chain([DeviceId([0xfe; 32])]).collect()
    }

    // Owners, workers and bystanders are different people, so that what they do piles up.
    fn masternodes(&self) -> &[AccountId] {
        &self.people[..6]
    }

    fn owners(&self) -> &[AccountId] {
        &self.people[4..7]
    }

    fn workers(&self) -> &[AccountId] {
        &self.people[7..11]
    }
}

/// What happens before the next call: how many blocks later the next block is.
pub(crate) fn blocks(chance: &mut Chance) -> u32 {
    match chance.weighted(&[70, 20, 6, 4]) {
        0 => 1,
        1 => chance.between(2, 20),
        2 => GRACE,
        _ => workforce::WEEK,
    }
}

/// The next call and who sends it.
pub(crate) fn call(chance: &mut Chance, ledger: &Ledger, cast: &Cast) -> (Sender, Call) {
    let mut draft = Draft {
        chance,
        ledger,
        cast,
    };
    match draft.chance.weighted(&[3, 14, 16, 27, 40]) {
        0 => draft.transfer(),
        1 => draft.roster(),
        2 => draft.bytechip(),
        3 => draft.workforce(),
        _ => draft.jobs(),
    }
}

struct Draft<'a> {
    chance: &'a mut Chance,
    ledger: &'a Ledger,
    cast: &'a Cast,
}

impl Draft<'_> {
    fn spoils(&mut self) -> bool {
        self.chance.percent(SPOILT_PERCENT)
    }

    fn anyone(&mut self) -> AccountId {
        self.pick(&self.cast.people)
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        self.chance.one_of(all).expect("there is one")
    }

    /// The council with enough of its seats, mostly.
    fn council(&mut self) -> Sender {
        match self.spoils() {
            false => Sender::Council {
                yes: self.chance.between(3, COUNCIL_SEATS),
                seats: COUNCIL_SEATS,
            },
            true if self.chance.percent(50) => Sender::Council {
                yes: self.chance.between(1, 2),
                seats: COUNCIL_SEATS,
            },
            true => Sender::Account(self.anyone()),
        }
    }

    fn transfer(&mut self) -> (Sender, Call) {
        let from = self.anyone();
        let everybody: Vec<AccountId> = self.cast.accounts().cloned().collect();
        let to = self.pick(&everybody);
        let free = self.ledger.money.free(&from);
        let amount = match self.spoils() {
            true => free + 1,
            // Not all of it: an account without money is forgotten, with what it signed.
            false => 1 + free / 1_000,
        };
        let amount = if amount > free / 2 { free + 1 } else { amount };
        let call = money::Call::Transfer { to, amount };
        (Sender::Account(from), Call::Money(call))
    }

    fn roster(&mut self) -> (Sender, Call) {
        let roster = &self.ledger.roster;
        let all = self.cast.masternodes();
        let account = self.pick(all);
        let device = self.pick(&self.cast.device_ids());
        let (sender, call) = match self.chance.weighted(&[30, 12, 8, 10, 10, 8, 8]) {
            0 => return self.publish(),
            1 => (self.council(), roster::Call::AddMasternode(account)),
            2 => (self.council(), roster::Call::RemoveMasternode(account)),
            3 => {
                let account = self.anyone();
                (self.council(), roster::Call::Ban(account))
            }
            4 => {
                let banned: Vec<_> = roster.banned.iter().cloned().collect();
                let account = self.chance.one_of(&banned).unwrap_or(account);
                (self.council(), roster::Call::LiftBan(account))
            }
            5 => (self.council(), roster::Call::VerifyDevice(device)),
            _ => (self.council(), roster::Call::UnverifyDevice(device)),
        };
        (sender, Call::Roster(call))
    }

    fn publish(&mut self) -> (Sender, Call) {
        let masternodes: Vec<_> = self.ledger.roster.masternodes.iter().cloned().collect();
        let account = match self.spoils() {
            true => self.anyone(),
            false => self.pick(&masternodes),
        };
        let seed = u8::try_from(self.chance.below(256)).unwrap();
        let mut device_addresses = vec![b"/ip4/127.0.0.1/tcp/1".to_vec(); 2];
        let mut jobs_api = b"http://127.0.0.1:2".to_vec();
        if self.spoils() {
            match self.chance.below(3) {
                0 => device_addresses.clear(),
                1 => jobs_api.clear(),
                _ => device_addresses[1] = vec![0xff, 0xfe],
            }
        }
        let call = roster::Call::PublishEndpoints {
            network_key: DeviceId([seed; 32]),
            device_addresses,
            jobs_api,
        };
        (Sender::Account(account), Call::Roster(call))
    }

    fn bytechip(&mut self) -> (Sender, Call) {
        let treasurer = match self.spoils() {
            true => self.anyone(),
            false => self.ledger.bytechip.treasurer.clone(),
        };
        let treasurer = Sender::Account(treasurer);
        let reference = match self.chance.below(20) {
            0 => Vec::new(),
            // Few enough that some are used twice.
            _ => format!("payment {}", self.chance.below(60)).into_bytes(),
        };
        let open: Vec<u64> = self.ledger.bytechip.open.keys().copied().collect();
        let next = self.ledger.bytechip.next_payout;
        let id = self.chance.one_of(&open).unwrap_or(next);
        let id = if self.spoils() { next + 1 } else { id };
        let (sender, call) = match self.chance.weighted(&[1, 2, 24, 44, 17, 12]) {
            0 => {
                let account = self.anyone();
                (self.council(), bytechip::Call::SetTreasurer(account))
            }
            1 => {
                let rate = self.chance.between(0, 400);
                (self.council(), bytechip::Call::SetRate(rate))
            }
            2 => {
                let call = bytechip::Call::RecordPurchase {
                    reference,
                    buyer: self.anyone(),
                    cents: self.chance.below(20) * self.chance.below(5_000),
                };
                (treasurer, call)
            }
            3 => {
                let who = self.pick(self.cast.workers());
                let free = self.ledger.money.free(&who);
                let amount = match self.chance.below(12) {
                    0 => 0,
                    1 => free,
                    2 => Amount::MAX,
                    part => free / (100 * Amount::from(part)),
                };
                let destination = Digest([u8::try_from(id % 256).unwrap(); 32]);
                let call = bytechip::Call::RequestPayout {
                    amount,
                    destination,
                };
                (Sender::Account(who), call)
            }
            4 => (treasurer, bytechip::Call::CompletePayout { id, reference }),
            _ => (treasurer, bytechip::Call::ReturnPayout { id }),
        };
        (sender, Call::Bytechip(call))
    }

    fn workforce(&mut self) -> (Sender, Call) {
        let who = self.pick(self.cast.workers());
        let workforce = &self.ledger.workforce;
        let owned = workforce.devices.iter();
        let owned: Vec<_> = owned
            .map(|(id, device)| (*id, device.account.clone()))
            .collect();
        let own = self.chance.one_of(&owned);
        let own = own.filter(|_| !self.chance.percent(SPOILT_PERCENT));
        let any = self.pick(&self.cast.device_ids());
        let (device, owner) = own.unwrap_or((any, who.clone()));
        let active = workforce.active(&who);
        let (sender, call) = match self.chance.weighted(&[22, 16, 10, 22, 8, 8, 14]) {
            0 => {
                let free = self.ledger.money.free(&who);
                let amount = match self.chance.below(12) {
                    0 => 0,
                    1 => free,
                    times => BOND_PER_DEVICE / 2 * Amount::from(times),
                };
                (who, workforce::Call::Bond(amount))
            }
            1 => {
                let amount = match self.chance.below(10) {
                    0 => 0,
                    1 => active + 1,
                    2 => active,
                    part => active / (2 * Amount::from(part)),
                };
                (who, workforce::Call::Unbond(amount))
            }
            2 => (who, workforce::Call::WithdrawUnbonded),
            3 => return self.register(who),
            4 => {
                let sealing_key = SealingKey([9; 32]);
                let possession = self.possession(&owner, device, sealing_key);
                let call = workforce::Call::RotateSealingKey {
                    device,
                    sealing_key,
                    possession,
                };
                (owner, call)
            }
            5 => (owner, workforce::Call::RetireDevice(device)),
            _ => {
                let call = Call::Workforce(workforce::Call::Review(device));
                return match self.chance.percent(30) {
                    true => (self.council(), call),
                    false => (Sender::Account(self.reviewer(owner)), call),
                };
            }
        };
        (Sender::Account(sender), Call::Workforce(call))
    }

    fn reviewer(&mut self, owner: AccountId) -> AccountId {
        if self.spoils() { self.anyone() } else { owner }
    }

    fn register(&mut self, who: AccountId) -> (Sender, Call) {
        let workforce = &self.ledger.workforce;
        let all = self.cast.devices.iter().map(DeviceKey::id);
        let free: Vec<DeviceId> = all
            .filter(|id| !workforce.devices.contains_key(id))
            .collect();
        let any = self.pick(&self.cast.device_ids());
        let device = self.chance.one_of(&free).filter(|_| any.0[0] % 8 != 0);
        let device = device.unwrap_or(any);
        let sealing_key = SealingKey([u8::try_from(self.chance.below(3)).unwrap(); 32]);
        let call = workforce::Call::RegisterDevice {
            device,
            sealing_key,
            region: Region::Europe,
            hardware: Hardware::Server,
            possession: self.possession(&who, device, sealing_key),
        };
        (Sender::Account(who), Call::Workforce(call))
    }

    /// The device's consent; sometimes to another account, key or chain.
    fn possession(
        &mut self,
        account: &AccountId,
        device: DeviceId,
        sealing_key: SealingKey,
    ) -> DeviceSignature {
        let key = self.cast.devices.iter().find(|key| key.id() == device);
        let Some(key) = key else {
            return DeviceSignature([1; 64]);
        };
        let mut payload = Possession {
            account: account.clone(),
            device,
            sealing_key,
        };
        let mut genesis = self.cast.genesis;
        if self.spoils() {
            match self.chance.below(3) {
                0 => payload.account = AccountId::new([0; 32]),
                1 => payload.sealing_key = SealingKey([77; 32]),
                _ => genesis = GenesisHash([1; 32]),
            }
        }
        key.sign(payload, &genesis).signature
    }

    fn jobs(&mut self) -> (Sender, Call) {
        let call = match self.chance.weighted(&[18, 50, 6, 8, 16, 2]) {
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
                let now = self.ledger.now;
                let (id, _) = self.job(|job| job.until().is_some_and(|until| until < now));
                jobs::Call::Refund(id)
            }
            _ => {
                let prices = self.prices();
                let call = jobs::Call::SetPrices(prices);
                return (self.council(), Call::Jobs(call));
            }
        };
        (Sender::Account(self.anyone()), Call::Jobs(call))
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
        let mut wanted = Submission {
            salt: [u8::try_from(self.chance.below(SALTS)).unwrap(); 16],
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
            class: Class::Pinned,
            preferences: Preferences::default(),
            level: self.pick(&[ByteLevel::Low, ByteLevel::Balanced, ByteLevel::High]),
            deadline,
            price_max: Amount::MAX,
            owner_sealing_key: SealingKey([5; 32]),
        };
        if self.spoils() {
            self.spoil_submission(&mut wanted);
        }
        let call = jobs::Call::Submit(Box::new(wanted));
        (Sender::Account(owner), Call::Jobs(call))
    }

    fn spoil_submission(&mut self, wanted: &mut Submission) {
        let now = self.ledger.now;
        match self.chance.below(17) {
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
        let call = jobs::Call::CloseFailed { job: id, task, why };
        (sender, Call::Jobs(call))
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
        (sender, Call::Jobs(jobs::Call::Settle(Box::new(batch))))
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
        let payouts = self.payouts(spent);
        let devices = self.changes(open.len());
        Batch {
            job: id,
            sequence: job.map_or(0, |job| u32::try_from(job.batches.len()).unwrap()),
            log: LogRange { first: 3, last: 9 },
            verdicts_root: Digest([u8::try_from(self.chance.below(256)).unwrap(); 32]),
            tasks: set_of(&open),
            spent,
            payouts: payouts.try_into().unwrap(),
            devices: devices.try_into().unwrap(),
        }
    }

    fn payouts(&mut self, spent: Amount) -> Vec<Payout> {
        let mut left = spent / 10 * 7 + spent % 10 * 7 / 10;
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
        match self.chance.below(13) {
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
                let amount = self.pick(&[batch.spent, Amount::MAX]) / 10 * 8 + 1;
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
                batch.spent = batch.spent.min(cap);
            }
        }
    }
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
