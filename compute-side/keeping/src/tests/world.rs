//! The world of these tests. Time is a block; what is asked is answered some blocks later, by draws of a seed.

mod chain;

use crate::{Candidate, Event, Keeping, Order, OrderId, Outcome, Seen};
use chain::Chain;
use quern_custody_rules::{
    life,
    pay::{period_at, until},
};
use quern_primitives::{
    Digest,
    custody::{Held, Terms, contract_id},
    device::Region,
    ids::{AccountId, BlockNumber, ContractId, DeviceId, GenesisHash, Period, PieceIndex},
};
use quern_shards::stored::{Layout, PieceList, Plan};
use std::collections::{BTreeMap, BTreeSet};

const PERIOD: BlockNumber = 100;
const OWNER: AccountId = AccountId::new([1; 32]);

pub(crate) const TERMS: Terms = Terms {
    period_blocks: PERIOD,
    answer_blocks: 20,
    notice_periods: 1,
    rate: 1 << 40,
    holders_permille: 700,
    operators_permille: 200,
    challenge_bond: 50,
    slash: 1_000,
    winner_permille: 500,
};

/// What a device does with what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It keeps it.
    Honest,
    /// It signs, and erases it.
    KeepsNothing,
}

pub(crate) struct Device {
    pub(crate) manner: Manner,
    pub(crate) is_here: bool,
    pub(crate) has: BTreeSet<PieceIndex>,
    account: AccountId,
}

pub(crate) struct Member {
    keeping: Keeping,
    here: BTreeSet<PieceIndex>,
    /// It neither sees nor does anything.
    pub(crate) is_silent: bool,
    under_way: BTreeMap<(BlockNumber, u64), (OrderId, Order)>,
    consents: BTreeMap<(PieceIndex, DeviceId), Period>,
}

pub(crate) struct World {
    draws: u64,
    clock: BlockNumber,
    id: ContractId,
    list: PieceList,
    pub(crate) devices: BTreeMap<DeviceId, Device>,
    pub(crate) members: Vec<Member>,
    pub(crate) chain: Chain,
    /// When devices last missed a piece.
    pub(crate) missed: BTreeMap<DeviceId, BlockNumber>,
    /// What a device had at the beginning of each period.
    had: BTreeSet<(Held, Period)>,
    /// Pieces that were made of others.
    pub(crate) made: usize,
    count: u64,
}

impl World {
    /// A contract of one stripe, or of three mirrored pieces, for so many periods, with devices of an account each.
    pub(crate) fn new(
        seed: u64,
        layout: Layout,
        devices: u8,
        members: usize,
        periods: u32,
    ) -> Self {
        let bytes = match layout {
            Layout::Mirrored { .. } => 3 * (32 << 20),
            Layout::Coded { .. } => 4 << 20,
        };
        let plan = Plan::of(layout, bytes).unwrap();
        let roots: Vec<Digest> = (0..plan.pieces())
            .map(|at| Digest([at as u8 + 1; 32]))
            .collect();
        let list = PieceList::new(plan, &roots).unwrap();
        let offer = list.offer([7; 16], periods);
        let contract = life::open(OWNER, offer, TERMS, 1 << 60, 1).unwrap();
        let id = contract_id(&GenesisHash([9; 32]), &OWNER, &offer.salt);
        let members = (0..members)
            .map(|place| Member {
                keeping: Keeping::new(id, place as u8, plan),
                here: BTreeSet::new(),
                is_silent: false,
                under_way: BTreeMap::new(),
                consents: BTreeMap::new(),
            })
            .collect();
        let mut world = Self {
            draws: seed,
            clock: 1,
            id,
            list,
            devices: (1..=devices)
                .map(|number| {
                    let device = Device {
                        manner: Manner::Honest,
                        is_here: true,
                        has: BTreeSet::new(),
                        account: AccountId::new([100 + number; 32]),
                    };
                    (DeviceId([number; 32]), device)
                })
                .collect(),
            members,
            chain: Chain {
                last_escrow: contract.escrow,
                contract: Some(contract),
                holdings: BTreeMap::new(),
                challenges: BTreeMap::new(),
                standings: BTreeMap::new(),
                releases: BTreeMap::new(),
                challenges_ever: 0,
                paid: BTreeSet::new(),
                taken: BTreeMap::new(),
            },
            missed: BTreeMap::new(),
            had: BTreeSet::new(),
            made: 0,
            count: 0,
        };
        // Every member of the group was handed all pieces.
        for member in 0..world.members.len() {
            for piece in 0..plan.pieces() {
                world.members[member].here.insert(piece);
                world.tell(member, Event::Brought(piece));
            }
            let here: Vec<DeviceId> = world.devices.keys().copied().collect();
            for device in here {
                let candidate = world.candidate(&device);
                world.tell(member, Event::Here(candidate));
            }
        }
        world
    }

    fn draw(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.draws;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it ^ (it >> 31)) % below
    }

    fn candidate(&self, device: &DeviceId) -> Candidate {
        Candidate {
            device: *device,
            account: self.devices[device].account.clone(),
            region: Region::default(),
            free_bytes: 1 << 40,
            rank: u32::from(device.0[0]),
            missed_at: self.missed.get(device).copied(),
        }
    }

    pub(crate) fn pieces(&self) -> u32 {
        self.list.plan().pieces()
    }

    pub(crate) fn leaves(&mut self, device: &DeviceId) {
        self.devices.get_mut(device).unwrap().is_here = false;
        for member in 0..self.members.len() {
            self.tell(member, Event::Gone(*device));
        }
    }

    pub(crate) fn comes(&mut self, device: &DeviceId) {
        self.devices.get_mut(device).unwrap().is_here = true;
        for member in 0..self.members.len() {
            let candidate = self.candidate(device);
            self.tell(member, Event::Here(candidate));
        }
    }

    pub(crate) fn periods(&mut self, count: u32) {
        self.blocks(count * PERIOD);
    }

    pub(crate) fn blocks(&mut self, count: u32) {
        for _ in 0..count {
            self.block();
        }
    }

    fn block(&mut self) {
        self.clock += 1;
        let period = self.clock / PERIOD;
        if self.clock % PERIOD == 1 {
            let has = self.devices.iter();
            let has = has.flat_map(|(device, it)| it.has.iter().map(|piece| (*device, *piece)));
            let had: Vec<_> = has
                .map(|(device, piece)| (Held { piece, device }, period))
                .collect();
            self.had.extend(had);
        }
        self.answer_on_chain();
        self.miss_what_is_over();
        self.close();
        for member in 0..self.members.len() {
            if self.members[member].is_silent {
                continue;
            }
            let seen = Seen {
                clock: self.clock,
                contract: self.chain.contract.clone(),
                holdings: self.chain.holdings.clone(),
                // The second block of a period knows what its first one brought.
                randomness: (!self.clock.is_multiple_of(PERIOD))
                    .then(|| (period, randomness(period))),
            };
            self.tell(member, Event::Seen(Box::new(seen)));
            self.carry_out_due(member);
        }
    }

    fn tell(&mut self, member: usize, event: Event) {
        let orders = self.members[member].keeping.step(event);
        for (id, order) in orders {
            let at = self.clock + 1 + self.draw(3) as u32;
            self.count += 1;
            let key = (at, self.count);
            self.members[member].under_way.insert(key, (id, order));
        }
    }

    fn carry_out_due(&mut self, member: usize) {
        loop {
            let due = self.members[member].under_way.first_key_value();
            let Some(key) = due.map(|(key, _)| *key).filter(|(at, _)| *at <= self.clock) else {
                return;
            };
            let (id, order) = self.members[member].under_way.remove(&key).unwrap();
            let outcome = self.carry_out(member, order);
            self.tell(member, Event::Done(id, outcome));
        }
    }

    fn carry_out(&mut self, member: usize, order: Order) -> Outcome {
        let is = |ok: bool| if ok { Outcome::Done } else { Outcome::Failed };
        match order {
            Order::Take { piece, device } => {
                assert!(self.members[member].here.contains(&piece), "it is not here");
                let device = self.devices.get_mut(&device).unwrap();
                if device.is_here {
                    device.has.insert(piece);
                }
                is(device.is_here)
            }
            Order::Sign {
                piece,
                device,
                since,
            } => {
                let known = self.devices.get_mut(&device).unwrap();
                let signs = known.is_here && known.has.contains(&piece);
                if signs && known.manner == Manner::KeepsNothing {
                    known.has.remove(&piece);
                }
                if signs {
                    let consents = &mut self.members[member].consents;
                    consents.insert((piece, device), since);
                }
                is(signs)
            }
            Order::Hold {
                piece,
                device,
                since,
            } => {
                assert_eq!(self.members[member].consents[&(piece, device)], since);
                self.hold(piece, device, since)
            }
            Order::Prove {
                held,
                period,
                randomness: from,
            } => {
                assert_eq!(from, randomness(period));
                let known = &self.devices[&held.device];
                match (known.is_here, known.has.contains(&held.piece)) {
                    (true, true) => Outcome::Done,
                    (true, false) => Outcome::Refused,
                    (false, _) => Outcome::Failed,
                }
            }
            Order::Certify { period, proved } => {
                for held in proved {
                    self.pay(held, period);
                }
                Outcome::Done
            }
            Order::Challenge(place) => is(self.challenge(&place)),
            Order::Release(place) => {
                self.release(member, &place);
                Outcome::Done
            }
            Order::Fetch { piece, from } => {
                let has = |device: &DeviceId| {
                    let known = &self.devices[device];
                    known.is_here && known.has.contains(&piece)
                };
                let comes = from.iter().any(has);
                if comes {
                    self.members[member].here.insert(piece);
                    self.tell(member, Event::Brought(piece));
                }
                is(comes)
            }
            Order::Make { piece, of } => {
                let here = &mut self.members[member].here;
                assert!(of.iter().all(|it| here.contains(it)), "it is not here");
                let needed = self.list.plan().shards_of(0).len();
                assert!(of.len() >= needed && !of.contains(&piece));
                here.insert(piece);
                self.made += 1;
                self.tell(member, Event::Brought(piece));
                Outcome::Done
            }
            Order::Erase(piece) => {
                assert!(self.members[member].here.remove(&piece), "it is not here");
                if self.chain.contract.is_some() {
                    assert!(!self.holders(piece).is_empty(), "nobody else has it");
                }
                Outcome::Done
            }
        }
    }

    /// Who holds a piece now, and will in the next period.
    pub(crate) fn holders(&self, piece: PieceIndex) -> Vec<DeviceId> {
        let Some(contract) = &self.chain.contract else {
            return Vec::new();
        };
        let next = period_at(&TERMS, self.clock) + 1;
        let held = self.chain.holdings.iter();
        let lasting = held.filter(|(it, holding)| {
            it.piece == piece && until(contract, holding) > next.min(contract.ends - 1)
        });
        lasting.map(|(it, _)| it.device).collect()
    }

    pub(crate) fn holder_of(&self, piece: PieceIndex) -> DeviceId {
        self.holders(piece)[0]
    }

    pub(crate) fn paid_periods(&self, device: &DeviceId) -> usize {
        self.chain
            .paid
            .iter()
            .filter(|(held, _)| held.device == *device)
            .count()
    }

    pub(crate) fn is_nothing_here(&self) -> bool {
        let members = self.members.iter().filter(|it| !it.is_silent);
        members.into_iter().all(|member| member.here.is_empty())
    }

    pub(crate) fn assert_all_held(&self) {
        let copies = usize::from(self.list.plan().layout().copies());
        for piece in 0..self.pieces() {
            let holders = self.holders(piece);
            assert!(
                holders.len() >= copies,
                "piece {piece} is held by {} of {copies} in block {}",
                holders.len(),
                self.clock
            );
        }
    }

    /// Everything that was taken is paid for each period that is over, but the last.
    pub(crate) fn assert_paid_since_taken(&self) {
        let period = period_at(&TERMS, self.clock);
        assert!(!self.chain.taken.is_empty());
        for (held, since) in &self.chain.taken {
            for owed in *since..period {
                assert!(
                    self.chain.paid.contains(&(*held, owed)),
                    "{held:?} is not paid for {owed}"
                );
            }
        }
    }

    /// Enough of each stripe is somewhere.
    pub(crate) fn assert_recoverable(&self) {
        let plan = self.list.plan();
        for stripe in 0..plan.stripes() {
            let there = plan.pieces_of(stripe).filter(|piece| {
                let is_with = |device: &Device| device.has.contains(piece);
                self.devices.values().any(is_with)
                    || self
                        .members
                        .iter()
                        .any(|member| member.here.contains(piece))
            });
            assert!(
                there.count() >= plan.shards_of(stripe).len(),
                "stripe {stripe} is lost"
            );
        }
    }

    pub(crate) fn assert_nobody_paid_for_nothing(&self) {
        for (held, period) in &self.chain.paid {
            assert!(
                self.had.contains(&(*held, *period)),
                "{held:?} is paid for {period}, in which it had nothing"
            );
        }
    }
}

/// What the challenges of a period follow from.
fn randomness(period: Period) -> Digest {
    Digest([period as u8 ^ 0x5a; 32])
}
