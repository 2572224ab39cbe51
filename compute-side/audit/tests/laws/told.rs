//! What a transaction of the world tells: the events and blocks that the replay reads of it, and what
//! plain addition makes of it.

use crate::world::{ENDOWMENT, TREASURY, account};
use codec::Encode;
use quern_audit::{Block, Event, Settlement, Tasks, read};
use quern_primitives::{Amount, JobId};
use std::collections::BTreeMap;

/// Money that moves, as an event of the balances tells it, or what is said beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Transfer(usize, usize, Amount),
    Withdraw(usize, Amount),
    Deposit(usize, Amount),
    Minted(usize, Amount),
    Held(&'static str, usize, Amount),
    Released(&'static str, usize, Amount),
    BurnedHeld(&'static str, usize, Amount),
    OnHold(usize, usize, Amount),
    Lost(&'static str, usize, usize, Amount),
    Reserved(usize, Amount),
    Unreserved(usize, Amount),
    Said(&'static str, &'static str, Vec<u8>),
}

/// A transaction: what it tells, and the tasks that it settled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) told: Vec<Told>,
    pub(crate) settles: Vec<(JobId, u32, u32, Vec<u8>)>,
}

impl Told {
    /// Pallet, name, fields, and for what it is held.
    fn event(&self) -> (&'static str, &'static str, Vec<u8>, Option<&'static str>) {
        let plain = |name, who: usize, amount: Amount| {
            ("Balances", name, (account(who), amount).encode(), None)
        };
        let held = |name, pallet, who: usize, amount: Amount| {
            let fields = ([0_u8, 0], account(who), amount).encode();
            ("Balances", name, fields, Some(pallet))
        };
        match *self {
            Self::Transfer(from, to, amount) => {
                let fields = (account(from), account(to), amount).encode();
                ("Balances", "Transfer", fields, None)
            }
            Self::Withdraw(who, amount) => plain("Withdraw", who, amount),
            Self::Deposit(who, amount) => plain("Deposit", who, amount),
            Self::Minted(who, amount) => plain("Minted", who, amount),
            Self::Reserved(who, amount) => plain("Reserved", who, amount),
            Self::Unreserved(who, amount) => plain("Unreserved", who, amount),
            Self::Held(pallet, who, amount) => held("Held", pallet, who, amount),
            Self::Released(pallet, who, amount) => held("Released", pallet, who, amount),
            Self::BurnedHeld(pallet, who, amount) => held("BurnedHeld", pallet, who, amount),
            Self::OnHold(from, to, amount) => {
                let fields = ([16_u8, 0], account(from), account(to), amount).encode();
                ("Balances", "TransferOnHold", fields, Some("Jobs"))
            }
            Self::Lost(pallet, from, to, amount) => {
                let fields = ([16_u8, 0], account(from), account(to), amount).encode();
                ("Balances", "TransferOnHold", fields, Some(pallet))
            }
            Self::Said(pallet, name, ref fields) => (pallet, name, fields.clone(), None),
        }
    }

    /// The amount, if money moves.
    pub(crate) fn amount(&mut self) -> Option<&mut Amount> {
        match self {
            Self::Transfer(_, _, amount)
            | Self::OnHold(_, _, amount)
            | Self::Lost(_, _, _, amount)
            | Self::Held(_, _, amount)
            | Self::Released(_, _, amount)
            | Self::BurnedHeld(_, _, amount)
            | Self::Withdraw(_, amount)
            | Self::Deposit(_, amount)
            | Self::Minted(_, amount)
            | Self::Reserved(_, amount)
            | Self::Unreserved(_, amount) => Some(amount),
            Self::Said(..) => None,
        }
    }

    /// Another account, if money moves.
    pub(crate) fn who(&mut self) -> Option<&mut usize> {
        match self {
            Self::Transfer(_, who, _)
            | Self::OnHold(_, who, _)
            | Self::Lost(_, who, _, _)
            | Self::Held(_, who, _)
            | Self::Released(_, who, _)
            | Self::BurnedHeld(_, who, _)
            | Self::Withdraw(who, _)
            | Self::Deposit(who, _)
            | Self::Minted(who, _)
            | Self::Reserved(who, _)
            | Self::Unreserved(who, _) => Some(who),
            Self::Said(..) => None,
        }
    }
}

/// A block of these transactions.
pub(crate) fn block(number: u32, transactions: &[Transaction]) -> Block {
    let (mut events, mut settlements) = (Vec::new(), Vec::new());
    for (place, transaction) in transactions.iter().enumerate() {
        let place = place as u32;
        events.extend(transaction.told.iter().map(|told| (place, told.event())));
        for (job, sequence, first, bits) in &transaction.settles {
            settlements.push(Settlement {
                transaction: place,
                job: *job,
                sequence: *sequence,
                tasks: Tasks::new(*first, bits.clone()).unwrap(),
            });
        }
    }
    let events: Vec<_> = events
        .iter()
        .map(|(place, (pallet, name, fields, held_for))| Event {
            transaction: Some(*place),
            pallet,
            name,
            fields,
            held_for: *held_for,
        })
        .collect();
    Block {
        number,
        entries: read(&events),
        settlements,
    }
}

/// Where all money is after these movements, by nothing but addition; none if more leaves a purse than
/// is in it.
pub(crate) fn fold(blocks: &[Vec<Transaction>]) -> Option<BTreeMap<(usize, &'static str), Amount>> {
    let free = "free";
    let mut purses: BTreeMap<(usize, &'static str), Amount> = BTreeMap::new();
    for who in (0..6).filter(|who| *who != TREASURY) {
        purses.insert((who, free), ENDOWMENT);
    }
    for told in blocks.iter().flatten().flat_map(|it| &it.told) {
        let (from, to, amount) = match *told {
            Told::Transfer(from, to, amount) => (Some((from, free)), Some((to, free)), amount),
            Told::Withdraw(who, amount) => (Some((who, free)), None, amount),
            Told::Deposit(who, amount) | Told::Minted(who, amount) => {
                (None, Some((who, free)), amount)
            }
            Told::Held(pallet, who, amount) => (Some((who, free)), Some((who, pallet)), amount),
            Told::Released(pallet, who, amount) => (Some((who, pallet)), Some((who, free)), amount),
            Told::BurnedHeld(pallet, who, amount) => (Some((who, pallet)), None, amount),
            Told::OnHold(from, to, amount) => (Some((from, "Jobs")), Some((to, free)), amount),
            Told::Lost(pallet, from, to, amount) => {
                (Some((from, pallet)), Some((to, free)), amount)
            }
            Told::Reserved(who, amount) => (Some((who, free)), Some((who, "")), amount),
            Told::Unreserved(who, amount) => (Some((who, "")), Some((who, free)), amount),
            Told::Said(..) => continue,
        };
        if let Some(from) = from {
            let money = purses.entry(from).or_default();
            *money = money.checked_sub(amount)?;
        }
        if let Some(to) = to {
            *purses.entry(to).or_default() += amount;
        }
    }
    purses.retain(|_, amount| *amount > 0);
    Some(purses)
}
