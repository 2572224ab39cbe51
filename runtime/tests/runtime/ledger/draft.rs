//! Drafts random calls. A draft looks at the ledger, so that about half of the calls are such as
//! can be accepted; each then has a chance to be spoilt in one place, and some are any.

mod disputes;
mod evidence;
mod jobs;
mod telling;

use super::{
    chance::Chance,
    model::{
        Call, Ledger, Sender, bytechip,
        jobs::GRACE,
        money,
        params::{self, Numbers},
        roster, workforce,
    },
};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, GenesisHash, SealingKey,
    device::{Hardware, Possession, Region},
    params::Parameter,
    payload::{DeviceKey, DeviceSignature, NodeSecret},
};

/// In how many of a hundred sequences the cast is lonely.
pub(crate) const LONELY_PERCENT: u64 = 8;

/// In how many of a hundred drafts one thing is spoilt.
const SPOILT_PERCENT: u64 = 20;

/// Before how many of a hundred calls a pending batch is struck, if there is one.
pub(crate) const STRIKE_PERCENT: u64 = 1;

/// Salts that owners pick from, so that names meet.
const SALTS: u64 = 24;

const COUNCIL_SEATS: u32 = 4;

/// Who acts: accounts with money, accounts that only receive, and devices.
pub(crate) struct Cast {
    /// With money; the first four are masternodes at first.
    pub(crate) people: Vec<AccountId>,
    pub(crate) strangers: Vec<AccountId>,
    pub(crate) devices: Vec<DeviceKey>,
    /// Network keys that masternodes publish.
    pub(crate) nodes: Vec<NodeSecret>,
    pub(crate) genesis: GenesisHash,
    /// There is one owner and one worker, and no masternode can be reached, so that jobs and payouts
    /// pile up to what one account may have.
    pub(crate) is_lonely: bool,
}

impl Cast {
    pub(crate) fn new(people: Vec<AccountId>, genesis: GenesisHash, is_lonely: bool) -> Self {
        Self {
            is_lonely,
            people,
            strangers: vec![AccountId::new([7; 32]), AccountId::new([8; 32])],
            devices: (1..=6)
                .map(|seed| DeviceKey::from_seed(&[seed; 32]))
                .collect(),
            nodes: (101..=116)
                .map(|seed| NodeSecret::from_seed(&[seed; 32]))
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
        &self.people[4..if self.is_lonely { 5 } else { 7 }]
    }

    fn workers(&self) -> &[AccountId] {
        &self.people[7..if self.is_lonely { 8 } else { 11 }]
    }
}

/// What happens before the next call: how many blocks later the next block is. Where a job will stall while
/// somebody could still take it over, nothing happens until then now and then.
pub(crate) fn blocks(chance: &mut Chance, ledger: &Ledger) -> u32 {
    let stalls_in = jobs::stalls_in(ledger);
    let waits = if stalls_in.is_some() { 35 } else { 0 };
    match chance.weighted(&[70, 20, 6, 5, waits]) {
        0 => 1,
        1 => chance.between(2, 20),
        2 => GRACE,
        3 => workforce::WEEK,
        _ => stalls_in.unwrap_or(1),
    }
}

/// The next call and who sends it.
pub(crate) fn call(chance: &mut Chance, ledger: &Ledger, cast: &Cast) -> (Sender, Call) {
    let mut draft = Draft {
        chance,
        ledger,
        cast,
    };
    match draft.chance.weighted(&[3, 13, 16, 27, 41, 2, 12]) {
        0 => draft.transfer(),
        1 => draft.roster(),
        2 => draft.bytechip(),
        3 => draft.workforce(),
        4 => draft.jobs(),
        5 => draft.params(),
        _ => draft.disputes(),
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
        let publishes = if self.cast.is_lonely { 0 } else { 30 };
        let due = self.withdrawing();
        let withdraws = if due.is_empty() { 3 } else { 30 };
        let weights = [publishes, 12, 8, 10, 10, 8, 8, 10, 10, withdraws];
        let (sender, call) = match self.chance.weighted(&weights) {
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
            6 => {
                let verified: Vec<_> = roster.verified.iter().copied().collect();
                let device = self.chance.one_of(&verified).unwrap_or(device);
                (self.council(), roster::Call::UnverifyDevice(device))
            }
            kind => {
                let due = self.chance.one_of(&due).filter(|_| kind == 9);
                let account = match self.spoils() {
                    true => self.anyone(),
                    false => due.unwrap_or(account),
                };
                let call = self.masternode_bond(kind, &account);
                (Sender::Account(account), call)
            }
        };
        (sender, Call::Roster(call))
    }

    /// Those of whose bonds, as masternodes, something can be withdrawn.
    fn withdrawing(&self) -> Vec<AccountId> {
        let (now, roster) = (self.ledger.now, &self.ledger.roster);
        let is_due = |account: &&AccountId| {
            let (_, leaving) = roster.bond_of(account);
            leaving.first().is_some_and(|(from, _)| *from <= now)
        };
        self.cast.people.iter().filter(is_due).cloned().collect()
    }

    /// A masternode's bond grows by parts of what it must be, and shrinks by less, so that most have one.
    fn masternode_bond(&mut self, kind: usize, account: &AccountId) -> roster::Call {
        let part = self.ledger.params.masternode_bond.div_ceil(4);
        let times = Amount::from(self.chance.below(5));
        match kind {
            7 => roster::Call::Bond(part * times),
            8 if self.spoils() => {
                let (active, _) = self.ledger.roster.bond_of(account);
                roster::Call::Unbond(active + 1)
            }
            8 => roster::Call::Unbond(part.div_ceil(2) * times),
            _ => roster::Call::WithdrawUnbonded,
        }
    }

    fn publish(&mut self) -> (Sender, Call) {
        let roster = &self.ledger.roster;
        let masternodes: Vec<_> = roster.masternodes.iter().cloned().collect();
        let mut new = masternodes.clone();
        new.retain(|account| !roster.reachable.contains_key(account));
        let new = self.chance.one_of(&new).filter(|_| self.chance.percent(70));
        let account = match self.spoils() {
            true => self.anyone(),
            false => new.unwrap_or_else(|| self.pick(&masternodes)),
        };
        let node = self.chance.below(self.cast.nodes.len() as u64) as usize;
        let mut device_addresses = vec![b"/ip4/127.0.0.1/tcp/1".to_vec(); 2];
        let mut jobs_api = b"http://127.0.0.1:2".to_vec();
        let mut network_key = DeviceId(self.cast.nodes[node].public().0);
        if self.spoils() {
            match self.chance.below(4) {
                0 => device_addresses.clear(),
                1 => jobs_api.clear(),
                2 => device_addresses[1] = vec![0xff, 0xfe],
                _ => network_key = DeviceId([0; 32]),
            }
        }
        let call = roster::Call::PublishEndpoints {
            network_key,
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
        let answers = if self.cast.is_lonely { 2 } else { 14 };
        let (sender, call) = match self.chance.weighted(&[2, 3, 24, 44, answers, answers]) {
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

    /// A parameter and a value near the first one, so that the ledger goes on as before.
    fn params(&mut self) -> (Sender, Call) {
        let parameter = self.pick(Parameter::ALL);
        let (first, kind) = (Numbers::default(), self.chance.below(4));
        let mut below = |end: u64| Amount::from(self.chance.below(end));
        let value = match (parameter, kind) {
            (Parameter::WorkersShare, _) => 500 + below(402),
            (Parameter::OperatorsShare, _) => 50 + below(352),
            (Parameter::ReExecution, 0) => 0,
            (Parameter::ReExecution, 1) => below(1_002),
            (Parameter::ReExecution, _) => 50 + below(200),
            (Parameter::BondPerDevice, _) => first.bond / 10 * below(16),
            (Parameter::Window, _) => below(12),
            (Parameter::BondPerMasternode, _) => first.masternode_bond / 10 * below(16),
            (Parameter::GroupSize, _) => below(9),
            (Parameter::DisputeBond, _) => first.dispute_bond / 10 * below(16),
            (Parameter::WinnersShare, _) => below(902),
            (Parameter::AnswerTime, _) => 10 + below(40),
            (Parameter::Stall, _) => 10 + below(40),
            (Parameter::StoragePrice, _) => first.storage / 10 * below(16),
            (Parameter::StoragePeriod, _) => 10 + below(40),
            (Parameter::StorageNotice, _) => below(722),
            (Parameter::ChallengeTime, _) => 10 + below(892),
            (Parameter::ChallengeBond, _) => first.challenge_bond / 10 * below(16),
            (Parameter::MissedPiece, _) => first.missed / 10 * below(16),
            // Mostly what most bonds have room for.
            (Parameter::BondPerExposure, 0) => 900 + below(9_200),
            (Parameter::BondPerExposure, _) => 950 + below(500),
        };
        let value = match self.spoils() {
            true => self.pick(&[0, 10_000_000_000_001, Amount::MAX]),
            false => value,
        };
        let call = params::Call::Set { parameter, value };
        (self.council(), Call::Params(call))
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
                    times => self.ledger.params.bond.div_ceil(2) * Amount::from(times),
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
            2 => {
                let due = self.chance.one_of(&self.due_workers());
                let due = due.filter(|_| !self.spoils());
                (due.unwrap_or(who), workforce::Call::WithdrawUnbonded)
            }
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
                let (device, owner) = self.reviewable().unwrap_or((device, owner));
                let call = Call::Workforce(workforce::Call::Review(device));
                return match self.chance.percent(30) {
                    true => (self.council(), call),
                    false => (Sender::Account(self.reviewer(owner)), call),
                };
            }
        };
        (Sender::Account(sender), Call::Workforce(call))
    }

    /// Workers of whose bonds something can be withdrawn.
    fn due_workers(&self) -> Vec<AccountId> {
        let bonds = self.ledger.workforce.bonds.iter();
        let first = |bond: &workforce::Bond| bond.leaving.keys().next().copied();
        let due = bonds.filter(|(_, bond)| first(bond).is_some_and(|at| at <= self.ledger.now));
        due.map(|(account, _)| account.clone()).collect()
    }

    /// A device in quarantine, mostly.
    fn reviewable(&mut self) -> Option<(DeviceId, AccountId)> {
        let devices = self.ledger.workforce.devices.iter();
        let quarantined = devices.filter(|(_, device)| device.past.is_quarantined());
        let quarantined: Vec<_> = quarantined
            .map(|(id, device)| (*id, device.account.clone()))
            .collect();
        let found = self.chance.one_of(&quarantined);
        found.filter(|_| !self.chance.percent(SPOILT_PERCENT))
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
        let device = self
            .chance
            .one_of(&free)
            .filter(|_| !any.0[0].is_multiple_of(8));
        let device = match self.chance.below(40) {
            // Everybody can sign under that key.
            0 => DeviceId([0; 32]),
            _ => device.unwrap_or(any),
        };
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
}
