//! Purchases and payouts.

use super::{Answer, Fee, Ledger, Refusal, Sender, money::Purpose, need};
use quern_primitives::{AccountId, Amount, Digest};
use std::collections::BTreeMap;

/// Payouts of one account that may be open.
const OPEN_PAYOUTS_MAX: usize = 16;

/// Units of a hundredth of a ByteChip.
const UNITS_PER_HUNDREDTH: Amount = 10_000_000;

#[derive(Clone, Debug)]
pub(crate) enum Call {
    SetTreasurer(AccountId),
    SetRate(u32),
    RecordPurchase {
        reference: Vec<u8>,
        buyer: AccountId,
        cents: u64,
    },
    RequestPayout {
        amount: Amount,
        destination: Digest,
    },
    CompletePayout {
        id: u64,
        reference: Vec<u8>,
    },
    ReturnPayout {
        id: u64,
    },
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::SetTreasurer(_) => "bytechip.set_treasurer",
            Self::SetRate(_) => "bytechip.set_rate",
            Self::RecordPurchase { .. } => "bytechip.record_purchase",
            Self::RequestPayout { .. } => "bytechip.request_payout",
            Self::CompletePayout { .. } => "bytechip.complete_payout",
            Self::ReturnPayout { .. } => "bytechip.return_payout",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Purchase {
    pub(crate) buyer: AccountId,
    pub(crate) cents: u64,
    pub(crate) amount: Amount,
    pub(crate) at: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payout {
    pub(crate) account: AccountId,
    pub(crate) amount: Amount,
    pub(crate) destination: Digest,
    pub(crate) at: u32,
}

/// What the treasurer works with.
pub(crate) struct Treasury {
    pub(crate) treasurer: AccountId,
    pub(crate) bytechips_per_dollar: u32,
    pub(crate) purchases: BTreeMap<Vec<u8>, Purchase>,
    pub(crate) next_payout: u64,
    pub(crate) open: BTreeMap<u64, Payout>,
    /// By the transfer's reference, the payout it was for and the block.
    pub(crate) transfers: BTreeMap<Vec<u8>, (u64, u32)>,
    pub(crate) minted: Amount,
    pub(crate) burnt: Amount,
}

impl Treasury {
    pub(crate) fn new(treasurer: AccountId) -> Self {
        Self {
            treasurer,
            bytechips_per_dollar: 200,
            purchases: BTreeMap::new(),
            next_payout: 0,
            open: BTreeMap::new(),
            transfers: BTreeMap::new(),
            minted: 0,
            burnt: 0,
        }
    }

    pub(crate) fn held(&self) -> Amount {
        self.open.values().map(|payout| payout.amount).sum()
    }
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    match call {
        Call::SetTreasurer(account) => {
            sender.council()?;
            ledger.bytechip.treasurer = account.clone();
        }
        Call::SetRate(rate) => {
            sender.council()?;
            need(*rate > 0, "ZeroRate")?;
            ledger.bytechip.bytechips_per_dollar = *rate;
        }
        Call::RequestPayout {
            amount,
            destination,
        } => request(ledger, &sender.account()?, *amount, *destination)?,
        Call::RecordPurchase {
            reference,
            buyer,
            cents,
        } => {
            only_treasurer(ledger, sender)?;
            purchase(ledger, reference, buyer, *cents)?;
        }
        Call::CompletePayout { id, reference } => {
            only_treasurer(ledger, sender)?;
            need(!reference.is_empty(), "EmptyReference")?;
            let is_new = !ledger.bytechip.transfers.contains_key(reference);
            need(is_new, "ReferenceAlreadyUsed")?;
            let payout = close(ledger, *id)?;
            let Payout {
                account, amount, ..
            } = payout;
            ledger.money.take_held(&account, Purpose::Payout, amount);
            ledger.bytechip.burnt += amount;
            let made = (*id, ledger.now);
            ledger.bytechip.transfers.insert(reference.clone(), made);
        }
        Call::ReturnPayout { id } => {
            only_treasurer(ledger, sender)?;
            let payout = close(ledger, *id)?;
            let Payout {
                account, amount, ..
            } = payout;
            ledger.money.release(&account, Purpose::Payout, amount);
        }
    }
    Ok(Fee::Charged)
}

fn only_treasurer(ledger: &Ledger, sender: &Sender) -> Result<(), Refusal> {
    let is_treasurer = sender.account()? == ledger.bytechip.treasurer;
    need(is_treasurer, "NotTreasurer")
}

fn purchase(
    ledger: &mut Ledger,
    reference: &[u8],
    buyer: &AccountId,
    cents: u64,
) -> Result<(), Refusal> {
    need(cents > 0, "ZeroAmount")?;
    need(!reference.is_empty(), "EmptyReference")?;
    let is_new = !ledger.bytechip.purchases.contains_key(reference);
    need(is_new, "ReferenceAlreadyUsed")?;
    let rate = Amount::from(ledger.bytechip.bytechips_per_dollar);
    let amount = Amount::from(cents) * rate * UNITS_PER_HUNDREDTH;
    let issued = ledger.money.all().checked_add(amount);
    let minted = ledger.bytechip.minted.checked_add(amount);
    let (_, minted) = issued.zip(minted).ok_or(Refusal::Overflow)?;
    ledger.bytechip.minted = minted;
    ledger.money.give(buyer, amount);
    let purchase = Purchase {
        buyer: buyer.clone(),
        cents,
        amount,
        at: ledger.now,
    };
    ledger
        .bytechip
        .purchases
        .insert(reference.to_vec(), purchase);
    Ok(())
}

fn request(
    ledger: &mut Ledger,
    account: &AccountId,
    amount: Amount,
    destination: Digest,
) -> Result<(), Refusal> {
    need(amount > 0, "ZeroAmount")?;
    let held = ledger.bytechip.held().checked_add(amount);
    held.ok_or(Refusal::Overflow)?;
    let open = ledger.bytechip.open.values();
    let own = open.filter(|payout| payout.account == *account).count();
    need(own < OPEN_PAYOUTS_MAX, "TooManyOpenPayouts")?;
    ledger.money.hold(account, Purpose::Payout, amount)?;
    let payout = Payout {
        account: account.clone(),
        amount,
        destination,
        at: ledger.now,
    };
    let id = ledger.bytechip.next_payout;
    ledger.bytechip.next_payout += 1;
    ledger.bytechip.open.insert(id, payout);
    Ok(())
}

fn close(ledger: &mut Ledger, id: u64) -> Result<Payout, Refusal> {
    let payout = ledger.bytechip.open.remove(&id);
    payout.ok_or(Refusal::Named("PayoutNotOpen"))
}
