//! ByteChips: balances, what transactions cost, and who gets it.

use crate::{
    Authorship, Balances, Bytechip, Runtime, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason,
    System,
};
use frame_support::{
    PalletId, parameter_types,
    traits::{
        ConstU8, ConstU32, ConstU128, Imbalance, OnUnbalanced, VariantCountOf,
        fungible::{Balanced, Credit},
    },
    weights::{ConstantMultiplier, Weight, WeightToFee, constants::WEIGHT_REF_TIME_PER_SECOND},
};
use pallet_transaction_payment::{ConstFeeMultiplier, FungibleAdapter, Multiplier};
use quern_primitives::{AccountId, Amount, amount::BYTECHIP};
use sp_runtime::traits::{AccountIdConversion, One};

/// The least an account may hold: one unit, so that any payment above zero can be received, and so
/// that dust cannot exist.
pub const EXISTENTIAL_DEPOSIT: Amount = 1;

/// Fee for a second of a block's execution time. A transfer (about 0.3 ms) costs 0.003 BC for it.
pub const FEE_PER_SECOND: Amount = 10 * BYTECHIP;

/// Fee for a byte of a transaction. A transfer (about 150 bytes) costs 0.0015 BC for it.
pub const FEE_PER_BYTE: Amount = BYTECHIP / 100_000;

/// The treasury's account follows from this name.
pub const TREASURY: PalletId = PalletId(*b"qn/trsry");

/// What the chain takes as deposit for keeping something: a share for every entry and one for every
/// byte. It is given back when the entry is removed.
pub const fn deposit(entries: u32, bytes: u32) -> Amount {
    entries as Amount * (BYTECHIP / 10) + bytes as Amount * (BYTECHIP / 1_000)
}

parameter_types! {
    /// The treasury's account.
    pub TreasuryAccount: AccountId = TREASURY.into_account_truncating();
    /// Fees do not move with demand: a call costs the same in every block, so clients can tell the
    /// cost beforehand. Who is in a hurry adds a tip.
    pub FeeMultiplier: Multiplier = Multiplier::one();
}

impl pallet_balances::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
    type Balance = Amount;
    type DustRemoval = Bytechip;
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type AccountStore = System;
    // Multisig and proxy reserve without a name; nothing locks, nothing freezes.
    type ReserveIdentifier = ();
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxLocks = ConstU32<0>;
    type MaxReserves = ConstU32<0>;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type DoneSlashHandler = ();
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = FungibleAdapter<Balances, ShareFees>;
    type WeightToFee = FeeForTime;
    type LengthToFee = ConstantMultiplier<Amount, ConstU128<FEE_PER_BYTE>>;
    type FeeMultiplierUpdate = ConstFeeMultiplier<FeeMultiplier>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
}

/// The fee for execution time, at [`FEE_PER_SECOND`], rounded down. A proof's size costs nothing,
/// because no proofs are made.
pub struct FeeForTime;

impl WeightToFee for FeeForTime {
    type Balance = Amount;

    fn weight_to_fee(weight: &Weight) -> Amount {
        let time = Amount::from(weight.ref_time());
        time.saturating_mul(FEE_PER_SECOND) / Amount::from(WEIGHT_REF_TIME_PER_SECOND)
    }
}

/// Shares fees: two thirds to who did the work (the block's author), the rest, with the remainder of the division, to the treasury. Tips go to
/// the author. Nothing is burnt, so fees never change the issuance.
pub struct ShareFees;

impl OnUnbalanced<Credit<AccountId, Balances>> for ShareFees {
    fn on_unbalanceds(mut fee_then_tip: impl Iterator<Item = Credit<AccountId, Balances>>) {
        let Some(fee) = fee_then_tip.next() else {
            return;
        };
        let author_part = fee.peek() / 3 * 2;
        let (mut to_author, to_treasury) = fee.split(author_part);
        if let Some(tip) = fee_then_tip.next() {
            to_author.subsume(tip);
        }
        pay(&TreasuryAccount::get(), to_treasury);
        match Authorship::author() {
            Some(author) => pay(&author, to_author),
            None => pay(&TreasuryAccount::get(), to_author),
        }
    }
}

/// Credits an account. With an existential deposit of one unit this fails for no amount above zero;
/// should it fail all the same, what could not be paid is burnt and counted.
fn pay(account: &AccountId, credit: Credit<AccountId, Balances>) {
    if let Err(unpaid) = Balances::resolve(account, credit) {
        Bytechip::on_unbalanced(unpaid);
    }
}
