//! A period: who is asked to prove, what is paid, who is challenged.

use super::{Keeping, Now};
use crate::{
    Order, OrderId,
    limits::{ASKED_MAX, CERTIFIED_MAX, CERTIFY_PERMILLE, CHALLENGE_PERMILLE, TURN_PERMILLE},
};
use quern_custody_rules::pay::{is_paid, until};
use quern_primitives::{
    custody::{Held, Holding, Place},
    ids::{DeviceId, Digest, Period},
};
use std::collections::BTreeSet;

type Out = Vec<(OrderId, Order)>;

/// A member's marks within a period, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// It begins to ask.
    pub(crate) asks: u32,
    /// It has paid what is proved.
    pub(crate) certifies: u32,
    /// It challenges who has not proved.
    pub(crate) challenges: u32,
}

impl Marks {
    /// The first member asks from the period's beginning on. The others wait whether it has those paid who prove, and
    /// have what is left of the period before challenges begin.
    pub(crate) fn of(place: u8) -> Self {
        let place = u32::from(place);
        if place == 0 {
            return Self {
                asks: 0,
                certifies: CERTIFY_PERMILLE,
                challenges: CHALLENGE_PERMILLE,
            };
        }
        let turns = place.saturating_mul(TURN_PERMILLE);
        let asks = CERTIFY_PERMILLE.saturating_add(turns).min(960);
        Self {
            asks,
            certifies: asks.saturating_add(TURN_PERMILLE / 2),
            // Behind the first's challenges, of which the chain takes one.
            challenges: CHALLENGE_PERMILLE.saturating_add(turns / 4).min(980),
        }
    }
}

impl Keeping {
    /// Asks for proofs, has paid what is proved, and challenges who has not proved.
    pub(super) fn prove_all(&mut self, out: &mut Out) {
        let Some(now) = self.now() else { return };
        let Some(proving) = &self.proving else { return };
        let (period, randomness) = (proving.period, proving.randomness);
        let marks = Marks::of(self.place);
        let reached = |permille| now.clock >= now.mark(permille);
        let (asks, certifies, challenges) = (
            reached(marks.asks),
            reached(marks.certifies),
            reached(marks.challenges),
        );
        if !asks {
            return;
        }
        let mut owed = self.owed(&now, period);
        owed.retain(|held| !proving.paid.contains(held));
        if let Some(proving) = &mut self.proving {
            proving.proved.retain(|held| owed.contains(held));
        }
        self.ask_all(&owed, (period, randomness), out);
        self.certify(&owed, period, certifies, out);
        if challenges {
            self.challenge(&owed, out);
        }
    }

    /// Who holds what in the period and is not paid for it.
    fn owed(&self, now: &Now<'_>, period: Period) -> BTreeSet<Held> {
        let is_owed = |holding: &Holding| {
            let held = holding.since..until(now.contract, holding);
            held.contains(&period) && !is_paid(&holding.paid, period)
        };
        let all = (0..).zip(&self.pieces).flat_map(|(piece, known)| {
            let held = known.held.iter();
            held.map(move |(device, holding)| (piece, *device, holding))
        });
        all.filter(|(_, _, holding)| is_owed(holding))
            .map(|(piece, device, _)| Held { piece, device })
            .collect()
    }

    /// Asks those who are here for what they have not proved, each device for one piece at a time.
    fn ask_all(
        &mut self,
        owed: &BTreeSet<Held>,
        (period, randomness): (Period, Digest),
        out: &mut Out,
    ) {
        let Some(proving) = &self.proving else { return };
        let mut busy: BTreeSet<DeviceId> = proving.asked.keys().map(|held| held.device).collect();
        let mut asked = Vec::new();
        for held in owed {
            if busy.len() >= ASKED_MAX {
                break;
            }
            let rests = proving.rests.get(held);
            let is_open = !proving.proved.contains(held)
                && !proving.is_being_paid(held)
                && !self.is_challenged(held)
                && rests.is_none_or(|until| *until <= self.clock);
            if is_open && self.here.contains_key(&held.device) && busy.insert(held.device) {
                asked.push(*held);
            }
        }
        for held in asked {
            let order = Order::Prove {
                held,
                period,
                randomness,
            };
            let id = self.order(order, out);
            if let Some(proving) = &mut self.proving {
                proving.asked.insert(held, id);
            }
        }
    }

    fn is_challenged(&self, held: &Held) -> bool {
        let known = self.pieces.get(held.piece as usize);
        let holding = known.and_then(|known| known.held.get(&held.device));
        holding.is_some_and(|holding| holding.is_challenged)
    }

    /// Has paid what is proved: as much as one call takes, or else all of it once nobody is left to prove, or the mark is
    /// reached.
    fn certify(&mut self, owed: &BTreeSet<Held>, period: Period, is_time: bool, out: &mut Out) {
        let Some(proving) = &self.proving else { return };
        if self.clock < self.certify_from {
            return;
        }
        let waiting = proving
            .proved
            .iter()
            .filter(|it| !proving.is_being_paid(it));
        let waiting: Vec<Held> = waiting.copied().take(CERTIFIED_MAX).collect();
        let is_left = |held: &&Held| {
            !proving.proved.contains(held)
                && !proving.is_being_paid(held)
                && !self.is_challenged(held)
                && self.here.contains_key(&held.device)
        };
        let nobody_is_left = owed.iter().find(is_left).is_none();
        let is_due = waiting.len() >= CERTIFIED_MAX || nobody_is_left || is_time;
        if waiting.is_empty() || !is_due {
            return;
        }
        let order = Order::Certify {
            period,
            proved: waiting.clone(),
        };
        let id = self.order(order, out);
        if let Some(proving) = &mut self.proving {
            proving.paying.insert(id, waiting);
        }
    }

    /// Challenges who has not proved, each once in a period.
    fn challenge(&mut self, owed: &BTreeSet<Held>, out: &mut Out) {
        let Some(proving) = &self.proving else { return };
        let open = owed.iter().copied().filter(|held| {
            !proving.proved.contains(held)
                && !proving.is_being_paid(held)
                && !proving.challenged.contains(held)
                && !self.is_challenged(held)
        });
        let open: Vec<Held> = open.collect();
        for held in open {
            let place = Place {
                contract: self.id,
                piece: held.piece,
                holder: held.device,
            };
            self.order(Order::Challenge(place), out);
            if let Some(proving) = &mut self.proving {
                proving.challenged.insert(held);
            }
        }
    }
}
