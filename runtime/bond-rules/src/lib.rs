//! The rules that all bonds share, workers' and masternodes': what is taken out of one waits before it can be
//! withdrawn, and answers until then like what is active.
//!
//! A bond is an active part and what is on its way out: some amounts, in the order in which they come free.
//! What the active part is for, who may take of it and where that goes is for the pallets to say; they keep the
//! bonds.

#![cfg_attr(not(feature = "std"), no_std)]
// Money is decided here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use quern_primitives::Amount;
use scale_info::TypeInfo;
use sp_core::{Get, bounded::BoundedVec};

/// An amount on its way out of a bond.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Unbonding<BlockNumber> {
    /// How much.
    pub amount: Amount,
    /// The first block in which it can be withdrawn.
    pub withdrawable_at: BlockNumber,
}

/// As many amounts are on their way out as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// All that is held for a bond: the active part and what is on its way out. `None` when that is more than
/// can exist.
pub fn held<BlockNumber>(active: Amount, unbonding: &[Unbonding<BlockNumber>]) -> Option<Amount> {
    let mut parts = unbonding.iter();
    parts.try_fold(active, |sum, part| sum.checked_add(part.amount))
}

/// Adds an amount to what is on its way out; joins it to another that comes free in the same block.
pub fn push<BlockNumber: Copy + PartialOrd, Most: Get<u32>>(
    unbonding: &mut BoundedVec<Unbonding<BlockNumber>, Most>,
    amount: Amount,
    withdrawable_at: BlockNumber,
) -> Result<(), NoRoom> {
    let is_sooner = |part: &Unbonding<BlockNumber>| part.withdrawable_at < withdrawable_at;
    let place = unbonding.partition_point(is_sooner);
    if let Some(part) = unbonding.get_mut(place)
        && part.withdrawable_at == withdrawable_at
    {
        // Parts of one bond, and the bond as a whole is an amount.
        part.amount = part.amount.saturating_add(amount);
        return Ok(());
    }
    let part = Unbonding {
        amount,
        withdrawable_at,
    };
    unbonding.try_insert(place, part).map_err(|_| NoRoom)
}

/// Takes out what can be withdrawn at `now`, and returns how much it is.
pub fn take_due<BlockNumber: Copy + PartialOrd, Most>(
    unbonding: &mut BoundedVec<Unbonding<BlockNumber>, Most>,
    now: BlockNumber,
) -> Amount {
    let mut due: Amount = 0;
    unbonding.retain(|part| {
        let stays = part.withdrawable_at > now;
        if !stays {
            // Parts of one bond, and the bond as a whole is an amount.
            due = due.saturating_add(part.amount);
        }
        stays
    });
    due
}

/// Takes `wanted` out of a bond because somebody lied, or all there is if that is less, and returns how much
/// it is. What is active goes first, so that who lied is trusted with less at once; then what would come free
/// last.
pub fn take<BlockNumber, Most>(
    active: &mut Amount,
    unbonding: &mut BoundedVec<Unbonding<BlockNumber>, Most>,
    wanted: Amount,
) -> Amount {
    let mut rest = wanted;
    take_from(active, &mut rest);
    for part in unbonding.iter_mut().rev() {
        take_from(&mut part.amount, &mut rest);
    }
    unbonding.retain(|part| part.amount > 0);
    wanted.saturating_sub(rest)
}

/// Moves as much of `wanted` as there is out of a part.
fn take_from(part: &mut Amount, wanted: &mut Amount) {
    let taken = (*part).min(*wanted);
    *part = part.saturating_sub(taken);
    *wanted = wanted.saturating_sub(taken);
}

#[cfg(test)]
mod tests;
