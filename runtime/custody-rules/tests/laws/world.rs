//! What a pallet does around the rules: it keeps what they return and moves the money that they name.

use crate::{MEMBER, OPERATORS, OWNER, STRANGER, TREASURY, device};
use quern_custody_rules::{
    challenge::{self, AnswerError, Answered, Opener},
    holding::{self, Facts},
    life,
    pay::{self, PayError, Split},
    steps,
};
use quern_primitives::{
    amount::Amount,
    custody::{
        Answer, Challenge, Contract, Held, HoldConsent, Holding, Miss, Offer, Place, ShortProof,
        Standing, Step, Terms,
    },
    ids::{AccountId, ContractId, DeviceId, Digest},
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What everybody has at first, free and bonded.
pub(crate) const FREE: Amount = 1_000_000_000;
pub(crate) const BOND: Amount = 3_000;

pub(crate) const CONTRACT: ContractId = ContractId([9; 32]);

pub(crate) struct World {
    pub(crate) now: u32,
    pub(crate) free: BTreeMap<AccountId, Amount>,
    pub(crate) bonds: BTreeMap<AccountId, Amount>,
    pub(crate) burnt: Amount,
    pub(crate) contract: Contract,
    pub(crate) is_closed: bool,
    pub(crate) holdings: BTreeMap<Held, Holding>,
    pub(crate) challenges: BTreeMap<Held, Challenge>,
    pub(crate) standings: BTreeMap<DeviceId, Standing>,
    pub(crate) evidence: Vec<Miss>,
}

pub(crate) fn held(number: u8, piece: u32) -> Held {
    let device = device(number).0;
    Held { piece, device }
}

fn place(held: &Held) -> Place {
    Place {
        contract: CONTRACT,
        piece: held.piece,
        holder: held.device,
    }
}

/// The chain's randomness of a period's first block.
pub(crate) fn randomness(period: u32) -> Digest {
    Digest(Sha256::digest(period.to_le_bytes()).into())
}

impl World {
    pub(crate) fn new(offer: Offer, terms: Terms, deposit: Amount, devices: u8) -> Self {
        let others = [OWNER, MEMBER, STRANGER, TREASURY, OPERATORS];
        let holders = (0..devices).map(|number| device(number).1);
        let mut free: BTreeMap<_, _> = others.into_iter().map(|it| (it, FREE)).collect();
        free.extend(holders.clone().map(|it| (it, FREE)));
        *free.get_mut(&OWNER).unwrap() -= deposit;
        Self {
            now: 0,
            free,
            bonds: holders.map(|it| (it, BOND)).collect(),
            burnt: 0,
            contract: life::open(OWNER, offer, terms, deposit, 0).unwrap(),
            is_closed: false,
            holdings: BTreeMap::new(),
            challenges: BTreeMap::new(),
            standings: BTreeMap::new(),
            evidence: Vec::new(),
        }
    }

    /// All money there is, wherever it is.
    pub(crate) fn all_money(&self) -> Amount {
        let purses = self.free.values().chain(self.bonds.values());
        let put_up = self.challenges.values().map(|it| it.bond);
        purses.sum::<Amount>() + put_up.sum::<Amount>() + self.contract.escrow.held + self.burnt
    }

    /// What must hold of the contract's own numbers at any time.
    pub(crate) fn check(&self) {
        let escrow = &self.contract.escrow;
        let gone = escrow.paid + escrow.network + escrow.refunded;
        assert_eq!(escrow.deposited, gone + escrow.held);
        assert!(escrow.reserved <= escrow.held);
        if self.is_closed {
            return;
        }
        assert_eq!(self.contract.holdings as usize, self.holdings.len());
        assert_eq!(self.contract.challenges as usize, self.challenges.len());
        for (held, holding) in &self.holdings {
            let is_open = self.challenges.contains_key(held);
            assert_eq!(holding.is_challenged, is_open);
            assert!(pay::until(&self.contract, holding) <= self.contract.ends);
        }
    }

    fn give(&mut self, account: &AccountId, amount: Amount) {
        *self.free.get_mut(account).unwrap() += amount;
    }

    fn split(&mut self, account: &AccountId, split: Split) {
        self.give(account, split.holder);
        self.give(&OPERATORS, split.operators);
        self.give(&TREASURY, split.treasury);
    }

    pub(crate) fn hold(
        &mut self,
        consent: &HoldConsent,
        proof: &ShortProof,
        is_signed: bool,
    ) -> Result<(), holding::HoldError> {
        let held = Held {
            piece: consent.entry.piece,
            device: consent.device,
        };
        let holders = self
            .holdings
            .iter()
            .filter(|(other, holding)| other.piece == held.piece && holding.until.is_none());
        let facts = Facts {
            standing: self
                .standings
                .get(&held.device)
                .copied()
                .unwrap_or_default(),
            holders: holders.count() as u8,
            is_known: self.holdings.contains_key(&held),
        };
        let (contract, holding) =
            holding::hold(&self.contract, consent, proof, &facts, self.now, |_| {
                is_signed
            })?;
        self.contract = contract;
        self.holdings.insert(held, holding);
        Ok(())
    }

    pub(crate) fn release(&mut self, held: &Held, by: &AccountId, is_group: bool) -> bool {
        let Some(holding) = self.holdings.get(held) else {
            return false;
        };
        let released = holding::release(&self.contract, holding, by, is_group, self.now);
        let Ok((contract, holding)) = released else {
            return false;
        };
        self.contract = contract;
        self.holdings.insert(*held, holding);
        true
    }

    pub(crate) fn pay(&mut self, held: &Held, period: u32) -> Option<Result<(), PayError>> {
        let holding = self.holdings.get(held)?;
        let payment = match pay::pay(&self.contract, holding, period, self.now) {
            Ok(payment) => payment,
            Err(error) => return Some(Err(error)),
        };
        self.split(&payment.holding.account, payment.split);
        self.contract = payment.contract;
        self.holdings.insert(*held, payment.holding);
        Some(Ok(()))
    }

    pub(crate) fn challenge(&mut self, held: &Held, by: &AccountId) -> bool {
        let Some(holding) = self.holdings.get(held) else {
            return false;
        };
        let random = randomness(pay::period_at(&self.contract.terms, self.now));
        let by = Opener {
            account: by,
            is_member: *by == MEMBER,
        };
        let opened = challenge::open(&self.contract, holding, &place(held), &random, by, self.now);
        let Ok((contract, holding, challenge)) = opened else {
            return false;
        };
        *self.free.get_mut(by.account).unwrap() -= challenge.bond;
        self.contract = contract;
        self.holdings.insert(*held, holding);
        self.challenges.insert(*held, challenge);
        true
    }

    pub(crate) fn answer(
        &mut self,
        held: &Held,
        answer: &Answer,
    ) -> Option<Result<(), AnswerError>> {
        let (holding, open) = (self.holdings.get(held)?, self.challenges.get(held)?);
        match challenge::answer(&self.contract, holding, open, answer, self.now) {
            Err(error) => return Some(Err(error)),
            Ok(Answered::Part(open)) => {
                self.challenges.insert(*held, open);
            }
            Ok(Answered::Whole(passed)) => {
                self.challenges.remove(held);
                self.split(&passed.holding.account, passed.split);
                self.give(&passed.holding.account, passed.bond);
                self.contract = passed.contract;
                self.holdings.insert(*held, passed.holding);
            }
        }
        Some(Ok(()))
    }

    pub(crate) fn miss(&mut self, held: &Held) -> Option<Step> {
        let (holding, open) = (self.holdings.get(held)?, self.challenges.get(held)?);
        let (account, opener) = (holding.account.clone(), open.opener.clone());
        let standing = self
            .standings
            .get(&held.device)
            .copied()
            .unwrap_or_default();
        let bond = self.bonds[&account];
        let place = place(held);
        let missed = challenge::miss(
            &self.contract,
            holding,
            &place,
            open,
            &standing,
            bond,
            self.now,
        );
        let missed = missed.ok()?;
        *self.bonds.get_mut(&account).unwrap() -= missed.penalty.slash();
        self.give(&opener, missed.bond + missed.penalty.winner);
        self.burnt += missed.penalty.burnt;
        self.challenges.remove(held);
        self.contract = missed.contract;
        self.holdings.insert(*held, missed.holding);
        self.standings.insert(held.device, missed.standing);
        self.evidence.push(missed.evidence);
        Some(missed.evidence.step)
    }

    pub(crate) fn renew(&mut self, by: &AccountId, periods: u32, deposit: Amount) -> bool {
        let renewed = life::renew(&self.contract, by, periods, deposit, self.now);
        let Ok(contract) = renewed else {
            return false;
        };
        *self.free.get_mut(by).unwrap() -= deposit;
        self.contract = contract;
        true
    }

    pub(crate) fn end(&mut self, by: &AccountId) -> bool {
        let Ok(contract) = life::end(&self.contract, by, self.now) else {
            return false;
        };
        self.contract = contract;
        true
    }

    pub(crate) fn close(&mut self) -> bool {
        let Ok((contract, refund)) = life::close(&self.contract, self.now) else {
            return false;
        };
        self.give(&OWNER, refund);
        self.contract = contract;
        self.is_closed = true;
        true
    }

    pub(crate) fn forget(&mut self, held: &Held) -> bool {
        let Some(holding) = self.holdings.get(held) else {
            return false;
        };
        let Ok(contract) = holding::forget(&self.contract, holding, self.now) else {
            return false;
        };
        self.contract = contract;
        self.holdings.remove(held);
        true
    }

    pub(crate) fn review(&mut self, number: u8) -> bool {
        let device = device(number).0;
        let standing = self.standings.get(&device).copied().unwrap_or_default();
        let Ok(standing) = steps::review(&standing, self.now) else {
            return false;
        };
        self.standings.insert(device, standing);
        true
    }
}
