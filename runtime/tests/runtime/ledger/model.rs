//! The ledger as plain maps: what each call does and when it is refused, written from the
//! specification and from what the calls' documentation promises, with nothing of the rules' or the
//! pallets' code. A noun has a file: what is kept of it, its calls, and what they do.

pub(crate) mod batches;
pub(crate) mod bytechip;
pub(crate) mod disputes;
pub(crate) mod finality;
pub(crate) mod groups;
pub(crate) mod jobs;
pub(crate) mod money;
pub(crate) mod params;
pub(crate) mod roster;
pub(crate) mod workforce;

use bytechip::Treasury;
use disputes::Disputes;
use finality::Finality;
use jobs::JobBook;
use money::Money;
use params::Numbers;
use quern_primitives::{AccountId, Amount, GenesisHash};
use roster::Roster;
use workforce::Workforce;

/// Who a call comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// An account that signed it.
    Account(AccountId),
    /// A motion of the council, with so many of its seats for it.
    Council { yes: u32, seats: u32 },
}

impl Sender {
    /// The account that signed.
    pub(crate) fn account(&self) -> Result<AccountId, Refusal> {
        match self {
            Self::Account(account) => Ok(account.clone()),
            Self::Council { .. } => Err(Refusal::Origin),
        }
    }

    /// More than half of the council.
    pub(crate) fn council(&self) -> Result<(), Refusal> {
        match self {
            Self::Council { yes, seats } if 2 * yes > *seats => Ok(()),
            _ => Err(Refusal::Origin),
        }
    }
}

/// What may be asked of the ledger.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Money(money::Call),
    Roster(roster::Call),
    Bytechip(bytechip::Call),
    Workforce(workforce::Call),
    Jobs(jobs::Call),
    Params(params::Call),
    Disputes(disputes::Call),
}

impl Call {
    /// The noun and the call's own name, for counting.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Money(call) => call.name(),
            Self::Roster(call) => call.name(),
            Self::Bytechip(call) => call.name(),
            Self::Workforce(call) => call.name(),
            Self::Jobs(call) => call.name(),
            Self::Params(call) => call.name(),
            Self::Disputes(call) => call.name(),
        }
    }
}

/// Whether an accepted call costs its fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fee {
    Charged,
    Waived,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It came from somebody who may not make it.
    Origin,
    /// The called pallet's error of this name.
    Named(&'static str),
    /// The account has not that much free.
    Funds,
    /// No amount can count it.
    Overflow,
}

pub(crate) type Answer = Result<Fee, Refusal>;

/// A condition without which a call is refused with the pallet's error of this name.
pub(crate) fn need(holds: bool, otherwise: &'static str) -> Result<(), Refusal> {
    holds.then_some(()).ok_or(Refusal::Named(otherwise))
}

/// The whole ledger.
pub(crate) struct Ledger {
    pub(crate) genesis: GenesisHash,
    pub(crate) treasury_account: AccountId,
    /// The present block.
    pub(crate) now: u32,
    pub(crate) money: Money,
    pub(crate) roster: Roster,
    pub(crate) bytechip: Treasury,
    pub(crate) workforce: Workforce,
    pub(crate) jobs: JobBook,
    pub(crate) finality: Finality,
    pub(crate) params: Numbers,
    pub(crate) disputes: Disputes,
}

impl Ledger {
    /// The first block's state: everybody has the same free, the first few are masternodes and have
    /// their bond beside it, and the first of all is the treasurer.
    pub(crate) fn new(
        genesis: GenesisHash,
        treasury_account: AccountId,
        people: &[AccountId],
        masternodes: usize,
        endowment: Amount,
        bond: Amount,
    ) -> Self {
        let (mut money, mut roster) = (Money::new(people, endowment), Roster::default());
        for masternode in &people[..masternodes] {
            money.give(masternode, bond);
            roster.begin(&mut money, masternode, bond);
        }
        Self {
            genesis,
            treasury_account,
            now: 0,
            money,
            roster,
            bytechip: Treasury::new(people[0].clone()),
            workforce: Workforce::default(),
            jobs: JobBook::default(),
            finality: Finality::default(),
            params: Numbers::default(),
            disputes: Disputes::default(),
        }
    }

    /// What becomes of a call. One that is refused changes nothing.
    pub(crate) fn answer(&mut self, sender: &Sender, call: &Call) -> Answer {
        match call {
            Call::Money(call) => money::answer(self, sender, call),
            Call::Roster(call) => roster::answer(self, sender, call),
            Call::Bytechip(call) => bytechip::answer(self, sender, call),
            Call::Workforce(call) => workforce::answer(self, sender, call),
            Call::Jobs(call) => jobs::answer(self, sender, call),
            Call::Params(call) => params::answer(self, sender, call),
            Call::Disputes(call) => disputes::answer(self, sender, call),
        }
    }
}
