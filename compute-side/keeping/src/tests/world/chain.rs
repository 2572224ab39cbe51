//! The chain of this world, by the rules of custody.

use super::{OWNER, TERMS, World, randomness};
use crate::Outcome;
use quern_custody_rules::{
    challenge::{self, Opener},
    holding::{self, Facts},
    life, pay,
    pay::period_at,
};
use quern_primitives::{
    custody::{Challenge, Contract, Escrow, Held, HoldConsent, Holding, Place, Standing},
    ids::{AccountId, DeviceId, Period, PieceIndex},
};
use std::collections::{BTreeMap, BTreeSet};

/// What it keeps.
pub(crate) struct Chain {
    pub(crate) contract: Option<Contract>,
    pub(crate) last_escrow: Escrow,
    pub(super) holdings: BTreeMap<Held, Holding>,
    pub(super) challenges: BTreeMap<Held, Challenge>,
    pub(super) standings: BTreeMap<DeviceId, Standing>,
    pub(super) releases: BTreeMap<(Held, Period), BTreeSet<usize>>,
    pub(crate) challenges_ever: usize,
    /// Which periods of what were paid to whom.
    pub(crate) paid: BTreeSet<(Held, Period)>,
    pub(super) taken: BTreeMap<Held, Period>,
}

impl Chain {
    pub(crate) fn taken_by(&self, device: &DeviceId) -> usize {
        self.taken
            .keys()
            .filter(|held| held.device == *device)
            .count()
    }
}

impl World {
    pub(super) fn hold(&mut self, piece: PieceIndex, device: DeviceId, since: Period) -> Outcome {
        let Some(contract) = self.chain.contract.clone() else {
            return Outcome::Failed;
        };
        let held = Held { piece, device };
        let consent = HoldConsent {
            contract: self.id,
            device,
            account: self.devices[&device].account.clone(),
            since,
            entry: self.list.entries()[piece as usize],
            terms: TERMS,
        };
        let period = period_at(&TERMS, self.clock);
        let of_piece = self
            .chain
            .holdings
            .iter()
            .filter(|(it, _)| it.piece == piece);
        let lasting = of_piece.filter(|(_, it)| it.until.is_none_or(|until| until > period + 1));
        let facts = Facts {
            standing: self
                .chain
                .standings
                .get(&device)
                .copied()
                .unwrap_or_default(),
            holders: lasting.count() as u8,
            is_known: self.chain.holdings.contains_key(&held),
        };
        let path = self.list.path(piece).unwrap();
        match holding::hold(&contract, &consent, &path, &facts, self.clock, |_| true) {
            Ok((contract, holding)) => {
                self.chain.contract = Some(contract);
                self.chain.taken.insert(held, holding.since);
                self.chain.holdings.insert(held, holding);
                Outcome::Done
            }
            Err(holding::HoldError::Contained | holding::HoldError::Known) => Outcome::Refused,
            Err(_) => Outcome::Failed,
        }
    }

    pub(super) fn pay(&mut self, held: Held, period: Period) {
        let contract = self.chain.contract.as_ref();
        let holding = self.chain.holdings.get(&held);
        let (Some(contract), Some(holding)) = (contract, holding) else {
            return;
        };
        if let Ok(paid) = pay::pay(contract, holding, period, self.clock) {
            self.chain.contract = Some(paid.contract);
            self.chain.holdings.insert(held, paid.holding);
            self.chain.paid.insert((held, period));
        }
    }

    pub(super) fn challenge(&mut self, place: &Place) -> bool {
        let held = Held {
            piece: place.piece,
            device: place.holder,
        };
        let (Some(contract), Some(holding)) = (
            self.chain.contract.clone(),
            self.chain.holdings.get(&held).cloned(),
        ) else {
            return false;
        };
        let period = period_at(&TERMS, self.clock);
        let by = Opener {
            account: &OWNER,
            is_member: true,
        };
        let opened = challenge::open(
            &contract,
            &holding,
            place,
            &randomness(period),
            by,
            self.clock,
        );
        let Ok((contract, holding, challenge)) = opened else {
            return false;
        };
        self.chain.challenges_ever += 1;
        self.chain.contract = Some(contract);
        self.chain.holdings.insert(held, holding);
        self.chain.challenges.insert(held, challenge);
        true
    }

    /// Holders that are here and have what they are challenged for show so.
    pub(super) fn answer_on_chain(&mut self) {
        let challenged: Vec<Held> = self.chain.challenges.keys().copied().collect();
        for held in challenged {
            let known = &self.devices[&held.device];
            if !known.is_here || !known.has.contains(&held.piece) {
                continue;
            }
            let challenge = self.chain.challenges.remove(&held).unwrap();
            let period = challenge.period;
            if let Some(contract) = &mut self.chain.contract {
                contract.challenges -= 1;
            }
            if let Some(holding) = self.chain.holdings.get_mut(&held) {
                holding.is_challenged = false;
                holding.proved_in = Some(period);
            }
            self.pay(held, period);
        }
    }

    pub(super) fn miss_what_is_over(&mut self) {
        let over: Vec<Held> = self
            .chain
            .challenges
            .iter()
            .filter(|(_, it)| self.clock > it.due)
            .map(|(held, _)| *held)
            .collect();
        for held in over {
            let place = Place {
                contract: self.id,
                piece: held.piece,
                holder: held.device,
            };
            let challenge = self.chain.challenges.remove(&held).unwrap();
            let (Some(contract), Some(holding)) = (
                self.chain.contract.clone(),
                self.chain.holdings.get(&held).cloned(),
            ) else {
                continue;
            };
            let standing = self.chain.standings.entry(held.device).or_default();
            let missed = challenge::miss(
                &contract, &holding, &place, &challenge, standing, 5_000, self.clock,
            )
            .unwrap();
            *standing = missed.standing;
            self.chain.contract = Some(missed.contract);
            self.chain.holdings.insert(held, missed.holding);
            self.missed.insert(held.device, self.clock);
            if self.devices[&held.device].is_here {
                self.comes(&held.device);
            }
        }
    }

    pub(super) fn release(&mut self, member: usize, place: &Place) {
        let held = Held {
            piece: place.piece,
            device: place.holder,
        };
        let period = period_at(&TERMS, self.clock);
        let words = self.chain.releases.entry((held, period)).or_default();
        words.insert(member);
        let is_group = 2 * words.len() > self.members.len();
        let (Some(contract), Some(holding)) =
            (&self.chain.contract, self.chain.holdings.get(&held))
        else {
            return;
        };
        let released = holding::release(
            contract,
            holding,
            &AccountId::new([0; 32]),
            is_group,
            self.clock,
        );
        if let Ok((contract, holding)) = released {
            self.chain.contract = Some(contract);
            self.chain.holdings.insert(held, holding);
        }
    }

    /// Whatever is over is forgotten and closed, as somebody will ask for.
    pub(super) fn close(&mut self) {
        let Some(contract) = self.chain.contract.clone() else {
            return;
        };
        let mut contract = contract;
        let all: Vec<Held> = self.chain.holdings.keys().copied().collect();
        for held in all {
            let holding = &self.chain.holdings[&held];
            if let Ok(after) = holding::forget(&contract, holding, self.clock) {
                contract = after;
                self.chain.holdings.remove(&held);
            }
        }
        self.chain.last_escrow = contract.escrow;
        match life::close(&contract, self.clock) {
            Ok((closed, _)) => {
                self.chain.last_escrow = closed.escrow;
                self.chain.contract = None;
                self.chain.holdings.clear();
            }
            Err(_) => self.chain.contract = Some(contract),
        }
    }
}
