//! The machine: events in, effects out.

mod done;
mod holding;
pub(crate) mod periods;

use crate::{
    Candidate, Event, Order, OrderId, Seen,
    limits::{ABSENT_PERIODS, CALL_BLOCKS},
    piece::Piece,
    proving::Proving,
};
use quern_custody_rules::pay::period_at;
use quern_primitives::{
    custody::{Contract, Held},
    ids::{BlockNumber, ContractId, DeviceId, Period, PieceIndex},
};
use quern_shards::stored::Plan;
use std::collections::{BTreeMap, BTreeSet};

/// One contract, as a member of its group keeps it.
#[derive(Debug)]
pub struct Keeping {
    id: ContractId,
    /// This member's place in the group's order.
    place: u8,
    plan: Plan,
    pieces: Vec<Piece>,
    here: BTreeMap<DeviceId, Candidate>,
    /// Devices that are not here and hold something, and since when.
    absent: BTreeMap<DeviceId, BlockNumber>,
    clock: BlockNumber,
    contract: Option<Contract>,
    /// Whether the chain said so already, or it was not asked yet.
    is_closed: bool,
    proving: Option<Proving>,
    /// When what was not taken by the chain is tried again.
    certify_from: BlockNumber,
    /// In which period this member last said that a device is gone.
    released: BTreeMap<Held, Period>,
    /// When a piece is tried again that could not be brought here.
    bring_from: BTreeMap<PieceIndex, BlockNumber>,
    orders: BTreeMap<OrderId, Order>,
    next_order: u64,
}

/// The contract with what follows from it and the clock.
#[derive(Clone, Copy, Debug)]
struct Now<'a> {
    contract: &'a Contract,
    clock: BlockNumber,
    period: Period,
    /// The first block of the period.
    begins: BlockNumber,
}

impl Now<'_> {
    /// The block at so many thousandths of the period, not counting the blocks that calls take at its end.
    fn mark(&self, permille: u32) -> BlockNumber {
        let blocks = self.contract.terms.period_blocks;
        let blocks = blocks.saturating_sub(CALL_BLOCKS);
        self.begins.saturating_add(part(blocks, permille))
    }

    /// So many thousandths of a period, in blocks: one at the least, unless it is none.
    fn part(&self, permille: u32) -> BlockNumber {
        part(self.contract.terms.period_blocks, permille)
    }

    fn next(&self) -> Period {
        self.period.saturating_add(1)
    }

    /// Whether whoever takes a piece now holds it for a period at the least.
    fn has_time(&self) -> bool {
        self.next() < self.contract.ends
    }
}

/// So many thousandths of so many blocks, rounded up.
fn part(blocks: BlockNumber, permille: u32) -> BlockNumber {
    let blocks = u64::from(blocks).saturating_mul(permille.into());
    BlockNumber::try_from(blocks.div_ceil(1_000)).unwrap_or(BlockNumber::MAX)
}

impl Keeping {
    /// Nothing is seen of it yet, and nothing of it is here.
    pub fn new(id: ContractId, place: u8, plan: Plan) -> Self {
        let pieces = (0..plan.pieces()).map(|_| Piece::default()).collect();
        Self {
            id,
            place,
            plan,
            pieces,
            here: BTreeMap::new(),
            absent: BTreeMap::new(),
            clock: 0,
            contract: None,
            is_closed: false,
            proving: None,
            certify_from: 0,
            released: BTreeMap::new(),
            bring_from: BTreeMap::new(),
            orders: BTreeMap::new(),
            next_order: 0,
        }
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event) -> Vec<(OrderId, Order)> {
        let mut out = Vec::new();
        match event {
            Event::Seen(seen) => self.see(*seen),
            Event::Here(candidate) => {
                self.absent.remove(&candidate.device);
                self.here.insert(candidate.device, candidate);
            }
            Event::Gone(device) => {
                self.here.remove(&device);
                if self.holds_anything(&device) {
                    self.absent.entry(device).or_insert(self.clock);
                }
            }
            Event::Brought(piece) => self.is_here(piece, true),
            Event::Lost(piece) => self.is_here(piece, false),
            Event::Done(id, outcome) => self.done(id, outcome),
        }
        self.go_on(&mut out);
        out
    }

    /// How many devices hold a piece, and will in the next period too.
    pub fn holders(&self, piece: PieceIndex) -> usize {
        let next = self.now().map_or(0, |now| now.next());
        let piece = self.pieces.get(piece as usize);
        piece.map_or(0, |piece| {
            piece.lasting(next, |device| self.is_gone(device)).count()
        })
    }

    fn now(&self) -> Option<Now<'_>> {
        let contract = self.contract.as_ref()?;
        let period = period_at(&contract.terms, self.clock);
        Some(Now {
            contract,
            clock: self.clock,
            period,
            begins: period.saturating_mul(contract.terms.period_blocks),
        })
    }

    fn see(&mut self, seen: Seen) {
        let Seen {
            clock,
            contract,
            holdings,
            randomness,
        } = seen;
        self.clock = self.clock.max(clock);
        self.is_closed = contract.is_none();
        self.contract = contract;
        for piece in &mut self.pieces {
            piece.held.clear();
        }
        for (held, holding) in holdings {
            if let Some(piece) = self.pieces.get_mut(held.piece as usize) {
                piece.takers.remove(&held.device);
                piece.held.insert(held.device, holding);
            }
        }
        let holders: BTreeSet<DeviceId> = self
            .pieces
            .iter()
            .flat_map(|piece| piece.held.keys().copied())
            .collect();
        self.absent.retain(|device, _| holders.contains(device));
        for device in holders {
            if !self.here.contains_key(&device) {
                self.absent.entry(device).or_insert(self.clock);
            }
        }
        let period = self.now().map(|now| now.period);
        if self.proving.as_ref().map(|it| it.period) != period {
            self.proving = None;
        }
        if let Some((known, randomness)) = randomness
            && Some(known) == period
            && self.proving.is_none()
        {
            self.proving = Some(Proving::new(known, randomness));
        }
    }

    fn is_here(&mut self, piece: PieceIndex, is_here: bool) {
        if let Some(piece) = self.pieces.get_mut(piece as usize) {
            piece.is_here = is_here;
        }
    }

    fn holds_anything(&self, device: &DeviceId) -> bool {
        self.pieces
            .iter()
            .any(|piece| piece.held.contains_key(device))
    }

    /// Whether a device was not here for so long that it counts as gone.
    fn is_gone(&self, device: &DeviceId) -> bool {
        let Some(contract) = &self.contract else {
            return false;
        };
        let patience = contract.terms.period_blocks.saturating_mul(ABSENT_PERIODS);
        self.absent
            .get(device)
            .is_some_and(|since| self.clock.saturating_sub(*since) >= patience)
    }

    /// All that can be done now.
    fn go_on(&mut self, out: &mut Vec<(OrderId, Order)>) {
        if self.is_closed {
            self.erase_all(out);
            return;
        }
        if self.contract.is_none() {
            return;
        }
        self.count_short();
        self.place_all(out);
        self.take_on(out);
        self.prove_all(out);
        self.release_gone(out);
        self.erase_placed(out);
    }

    fn order(&mut self, order: Order, out: &mut Vec<(OrderId, Order)>) -> OrderId {
        let id = OrderId(self.next_order);
        self.next_order = self.next_order.saturating_add(1);
        self.orders.insert(id, order.clone());
        out.push((id, order));
        id
    }
}
