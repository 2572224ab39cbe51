//! Who takes pieces, what is brought here for that, and what is erased.

use super::Keeping;
use crate::{
    Order, OrderId,
    limits::{AGAIN_PERMILLE, FETCHING_MAX, PLACING_MAX, TURN_PERMILLE},
    mending::{Way, way},
    piece::{Piece, Stage, Taker},
    placing::{Choice, choose},
};
use quern_primitives::{
    custody::{Held, Place},
    device::Region,
    ids::{AccountId, DeviceId, PieceIndex},
};
use std::collections::{BTreeMap, BTreeSet};

type Out = Vec<(OrderId, Order)>;

impl Keeping {
    /// Notes since when fewer hold a piece than shall.
    pub(super) fn count_short(&mut self) {
        let Some(now) = self.now() else { return };
        let (next, copies) = (now.next(), usize::from(now.contract.offer.copies));
        let (clock, has_time) = (now.clock, now.has_time());
        let gone: BTreeSet<DeviceId> = self
            .absent
            .keys()
            .copied()
            .filter(|device| self.is_gone(device))
            .collect();
        for piece in &mut self.pieces {
            let lasting = piece.lasting(next, |device| gone.contains(device)).count();
            match lasting < copies && has_time {
                true => {
                    piece.short_since.get_or_insert(clock);
                }
                false => piece.short_since = None,
            }
        }
    }

    /// Gives pieces to devices, and has brought here what is to be given and is not here: of the stripe first of which
    /// the fewest pieces are left.
    pub(super) fn place_all(&mut self, out: &mut Out) {
        let Some(now) = self.now() else { return };
        let copies = usize::from(now.contract.offer.copies);
        let waits = now.part(TURN_PERMILLE).saturating_mul(self.place.into());
        let clock = now.clock;
        let short = self.short();
        for piece in short {
            let Some(known) = self.pieces.get(piece as usize) else {
                continue;
            };
            let is_turn = known
                .short_since
                .is_some_and(|since| clock >= since.saturating_add(waits));
            if !is_turn {
                continue;
            }
            if known.is_here {
                let wanted = copies
                    .saturating_sub(self.holders(piece))
                    .saturating_sub(known.takers.len());
                (0..wanted).for_each(|_| self.place(piece, out));
            } else if known.takers.is_empty() {
                self.bring(piece, out);
            }
        }
    }

    /// Pieces that too few hold, those of the stripe first that has the fewest to spare.
    fn short(&self) -> Vec<PieceIndex> {
        let is_held = |piece: PieceIndex| self.holders(piece) > 0;
        let spare = |piece: PieceIndex| {
            let stripe = self.plan.spot(piece).map_or(0, |spot| spot.stripe);
            let held = self
                .plan
                .pieces_of(stripe)
                .filter(|it| is_held(*it))
                .count();
            held.saturating_sub(self.plan.shards_of(stripe).len())
        };
        let all = (0..).zip(&self.pieces);
        let short = all.filter(|(_, known)| known.short_since.is_some());
        let mut short: Vec<PieceIndex> = short.map(|(piece, _)| piece).collect();
        short.sort_by_cached_key(|piece| (spare(*piece), *piece));
        short
    }

    fn place(&mut self, piece: PieceIndex, out: &mut Out) {
        let patience = self.now().map_or(0, |now| now.part(AGAIN_PERMILLE));
        let takers = self.pieces.iter().map(|it| it.takers.len()).sum::<usize>();
        let bytes = self.plan.piece_bytes(piece);
        let (Some(known), Some(bytes)) = (self.pieces.get(piece as usize), bytes) else {
            return;
        };
        if takers >= PLACING_MAX {
            return;
        }
        let may_be_beside = known
            .short_since
            .is_some_and(|since| self.clock >= since.saturating_add(patience));
        let (beside, regions) = self.beside(piece);
        let choice = Choice {
            here: &self.here,
            promised: &self.promised(),
            beside: &beside,
            regions: &regions,
            shares: &self.shares(),
            may_be_beside,
            now: self.clock,
        };
        let Some(device) = choose(known, bytes, &choice) else {
            return;
        };
        let account = self.here.get(&device).map(|it| it.account.clone());
        let Some(account) = account else { return };
        self.order(Order::Take { piece, device }, out);
        let taker = Taker {
            account,
            stage: Stage::Taking,
            since: self.clock,
        };
        if let Some(known) = self.pieces.get_mut(piece as usize) {
            known.takers.insert(device, taker);
        }
    }

    /// Accounts that have, or are to have, another piece of the same stripe, and where their devices stand.
    fn beside(&self, piece: PieceIndex) -> (BTreeSet<AccountId>, BTreeSet<Region>) {
        let stripe = self.plan.spot(piece).map_or(0, |spot| spot.stripe);
        let others = self.plan.pieces_of(stripe);
        let others = others.filter_map(|it| self.pieces.get(it as usize));
        let (mut accounts, mut regions) = (BTreeSet::new(), BTreeSet::new());
        for other in others {
            accounts.extend(other.accounts().cloned());
            let devices = other.held.keys().chain(other.takers.keys());
            let here = devices.filter_map(|device| self.here.get(device));
            regions.extend(here.map(|it| it.region));
        }
        (accounts, regions)
    }

    /// How many pieces accounts have, or are to have.
    fn shares(&self) -> BTreeMap<&AccountId, usize> {
        let mut shares: BTreeMap<&AccountId, usize> = BTreeMap::new();
        for account in self.pieces.iter().flat_map(Piece::accounts) {
            let count = shares.entry(account).or_default();
            *count = count.saturating_add(1);
        }
        shares
    }

    /// Bytes that devices are to take and do not hold yet.
    fn promised(&self) -> BTreeMap<DeviceId, u64> {
        let mut promised: BTreeMap<DeviceId, u64> = BTreeMap::new();
        for (piece, known) in (0..).zip(&self.pieces) {
            let bytes = self.plan.piece_bytes(piece).unwrap_or_default();
            // Who has it says itself what is left.
            let taking = known.takers.iter();
            let taking = taking.filter(|(_, taker)| taker.stage == Stage::Taking);
            for (device, _) in taking {
                let sum = promised.entry(*device).or_default();
                *sum = sum.saturating_add(bytes);
            }
        }
        promised
    }

    /// Has a piece brought here, or those that it is made of.
    fn bring(&mut self, piece: PieceIndex, out: &mut Out) {
        match way(&self.plan, &self.pieces, piece, |it| self.present(it)) {
            Some(Way::From(from)) => self.fetch(piece, from, out),
            Some(Way::Of(of)) if self.may_bring(piece) => {
                let id = self.order(Order::Make { piece, of }, out);
                self.is_brought_by(piece, id);
            }
            Some(Way::Behind(others)) => {
                for (piece, from) in others {
                    self.fetch(piece, from, out);
                }
            }
            Some(Way::Of(_)) | None => {}
        }
    }

    /// Who holds a piece and is here.
    fn present(&self, piece: PieceIndex) -> Vec<DeviceId> {
        let held = self.pieces.get(piece as usize).map(|it| &it.held);
        let period = self.now().map_or(0, |now| now.period);
        let held = held.into_iter().flatten();
        let holding = held.filter(|(_, it)| it.until.is_none_or(|until| until >= period));
        let here = holding.filter(|(device, _)| self.here.contains_key(device));
        here.map(|(device, _)| *device).collect()
    }

    fn fetch(&mut self, piece: PieceIndex, from: Vec<DeviceId>, out: &mut Out) {
        if self.may_bring(piece) {
            let id = self.order(Order::Fetch { piece, from }, out);
            self.is_brought_by(piece, id);
        }
    }

    fn may_bring(&self, piece: PieceIndex) -> bool {
        let bringing = self.pieces.iter().filter(|it| it.bringing.is_some());
        let known = self.pieces.get(piece as usize);
        let rests = self.bring_from.get(&piece);
        bringing.count() < FETCHING_MAX
            && known.is_some_and(|it| !it.is_here && it.bringing.is_none())
            && rests.is_none_or(|from| *from <= self.clock)
    }

    fn is_brought_by(&mut self, piece: PieceIndex, id: OrderId) {
        if let Some(known) = self.pieces.get_mut(piece as usize) {
            known.bringing = Some(id);
        }
    }

    /// Has those who are to hold a piece go on.
    pub(super) fn take_on(&mut self, out: &mut Out) {
        let Some(now) = self.now() else { return };
        let (next, clock) = (now.next(), now.clock);
        let (has_time, patience) = (now.has_time(), now.part(AGAIN_PERMILLE));
        let mut orders = Vec::new();
        for (piece, known) in (0..).zip(&mut self.pieces) {
            let here = &self.here;
            if known.short_since.is_none() {
                // Another member was quicker, or who seemed gone came back: the chain would take no more.
                known.takers.clear();
            }
            known.takers.retain(|device, taker| {
                let is_lost = !here.contains_key(device)
                    && matches!(taker.stage, Stage::Has | Stage::Signed(_));
                has_time && !is_lost
            });
            for (device, taker) in &mut known.takers {
                let rests = known.rests.get(device);
                match taker.stage {
                    // What the chain does not show after a while is told again, with another consent.
                    Stage::Told if clock > taker.since.saturating_add(patience) => {
                        taker.stage = Stage::Has;
                    }
                    Stage::Signed(since) if since != next => taker.stage = Stage::Has,
                    Stage::Signed(since) => orders.push((piece, *device, Some(since))),
                    _ => {}
                }
                if taker.stage == Stage::Has && rests.is_none_or(|until| *until <= clock) {
                    orders.push((piece, *device, None));
                }
            }
        }
        for (piece, device, signed) in orders {
            let (order, stage) = match signed {
                Some(since) => {
                    let order = Order::Hold {
                        piece,
                        device,
                        since,
                    };
                    (order, Stage::Holding)
                }
                None => {
                    let order = Order::Sign {
                        piece,
                        device,
                        since: next,
                    };
                    (order, Stage::Signing)
                }
            };
            self.order(order, out);
            let known = self.pieces.get_mut(piece as usize);
            if let Some(taker) = known.and_then(|it| it.takers.get_mut(&device)) {
                taker.stage = stage;
                taker.since = clock;
            }
        }
    }

    /// Says of devices that are gone that they are, once a period: the chain ends what they hold when more than half of
    /// the group say so within one.
    pub(super) fn release_gone(&mut self, out: &mut Out) {
        let Some(now) = self.now() else { return };
        let (period, contract) = (now.period, self.id);
        let mut gone = Vec::new();
        for (piece, known) in (0..).zip(&self.pieces) {
            for (device, holding) in &known.held {
                let held = Held {
                    piece,
                    device: *device,
                };
                let is_told = self.released.get(&held) == Some(&period);
                if holding.until.is_none() && !is_told && self.is_gone(device) {
                    gone.push(held);
                }
            }
        }
        for held in gone {
            self.released.insert(held, period);
            let place = Place {
                contract,
                piece: held.piece,
                holder: held.device,
            };
            self.order(Order::Release(place), out);
        }
        let pieces = &self.pieces;
        self.released.retain(|held, _| {
            let known = pieces.get(held.piece as usize);
            known.is_some_and(|known| known.held.contains_key(&held.device))
        });
    }

    /// Erases what is here of stripes of which nothing is short.
    pub(super) fn erase_placed(&mut self, out: &mut Out) {
        let giving = self.orders.values().filter_map(|order| match order {
            Order::Take { piece, .. } => Some(*piece),
            _ => None,
        });
        let giving: BTreeSet<PieceIndex> = giving.collect();
        for stripe in 0..self.plan.stripes() {
            let of_stripe = self.plan.pieces_of(stripe);
            let known = |piece: PieceIndex| self.pieces.get(piece as usize);
            let is_quiet = |piece: PieceIndex| {
                known(piece).is_some_and(|it| {
                    it.short_since.is_none()
                        && it.takers.is_empty()
                        && it.bringing.is_none()
                        && !giving.contains(&piece)
                })
            };
            // What is not held by anybody for want of time is not erased before the contract is over.
            let is_held = |piece: PieceIndex| self.holders(piece) > 0;
            if of_stripe.clone().all(|it| is_quiet(it) && is_held(it)) {
                let here: Vec<PieceIndex> = of_stripe
                    .filter(|it| known(*it).is_some_and(|it| it.is_here))
                    .collect();
                for piece in here {
                    self.erase(piece, out);
                }
            }
        }
    }

    /// Erases everything: the contract is over.
    pub(super) fn erase_all(&mut self, out: &mut Out) {
        let here = (0..).zip(&self.pieces);
        let here: Vec<PieceIndex> = here
            .filter(|(_, known)| known.is_here)
            .map(|(piece, _)| piece)
            .collect();
        for piece in here {
            self.erase(piece, out);
        }
    }

    fn erase(&mut self, piece: PieceIndex, out: &mut Out) {
        self.is_here(piece, false);
        self.order(Order::Erase(piece), out);
    }
}
