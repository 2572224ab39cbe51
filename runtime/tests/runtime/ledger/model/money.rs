//! Balances and what is held of them.

use super::{Answer, Fee, Ledger, Refusal, Sender};
use quern_primitives::{AccountId, Amount};
use std::collections::BTreeMap;

/// The least that an account keeps free of what it holds for something.
const KEPT_FREE: Amount = 1;

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Transfer { to: AccountId, amount: Amount },
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        "money.transfer"
    }
}

/// What money is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    Escrow,
    Bond,
    MasternodeBond,
    Payout,
}

/// One account's money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purse {
    pub(crate) free: Amount,
    held: BTreeMap<Purpose, Amount>,
}

impl Purse {
    pub(crate) fn held(&self, purpose: Purpose) -> Amount {
        self.held.get(&purpose).copied().unwrap_or(0)
    }

    pub(crate) fn all(&self) -> Amount {
        self.free + self.held.values().sum::<Amount>()
    }
}

/// Everybody's money.
pub(crate) struct Money {
    pub(crate) purses: BTreeMap<AccountId, Purse>,
}

impl Money {
    pub(crate) fn new(people: &[AccountId], endowment: Amount) -> Self {
        let purse = Purse {
            free: endowment,
            ..Purse::default()
        };
        let purses = people.iter().map(|person| (person.clone(), purse.clone()));
        Self {
            purses: purses.collect(),
        }
    }

    pub(crate) fn free(&self, who: &AccountId) -> Amount {
        self.purses.get(who).map_or(0, |purse| purse.free)
    }

    pub(crate) fn all(&self) -> Amount {
        self.purses.values().map(Purse::all).sum()
    }

    pub(crate) fn all_held(&self, purpose: Purpose) -> Amount {
        let purses = self.purses.values();
        purses.map(|purse| purse.held(purpose)).sum()
    }

    pub(crate) fn give(&mut self, who: &AccountId, amount: Amount) {
        if amount > 0 {
            self.purses.entry(who.clone()).or_default().free += amount;
        }
    }

    pub(crate) fn hold(
        &mut self,
        who: &AccountId,
        purpose: Purpose,
        amount: Amount,
    ) -> Result<(), Refusal> {
        let purse = self.purses.get_mut(who).ok_or(Refusal::Funds)?;
        if amount > purse.free.saturating_sub(KEPT_FREE) {
            return Err(Refusal::Funds);
        }
        purse.free -= amount;
        *purse.held.entry(purpose).or_default() += amount;
        Ok(())
    }

    /// Takes money that is held out of the purse; whose it is then is the caller's to say.
    pub(crate) fn take_held(&mut self, who: &AccountId, purpose: Purpose, amount: Amount) {
        let purse = self.purses.get_mut(who).expect("it holds money");
        let held = purse.held.entry(purpose).or_default();
        *held = held
            .checked_sub(amount)
            .expect("no more is taken than held");
    }

    pub(crate) fn release(&mut self, who: &AccountId, purpose: Purpose, amount: Amount) {
        self.take_held(who, purpose, amount);
        self.give(who, amount);
    }
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    let from = sender.account()?;
    let Call::Transfer { to, amount } = call;
    if *amount > ledger.money.free(&from) {
        return Err(Refusal::Funds);
    }
    // The drafts never empty an account, so nothing more is to be known of that here.
    ledger.money.purses.get_mut(&from).expect("it pays").free -= amount;
    ledger.money.give(to, *amount);
    Ok(Fee::Charged)
}
