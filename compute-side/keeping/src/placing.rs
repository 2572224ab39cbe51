//! Which device takes a piece.

use crate::{Candidate, piece::Piece};
use quern_primitives::{
    device::Region,
    ids::{AccountId, BlockNumber, DeviceId},
    limits::REVIEW_PERIOD_BLOCKS,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a choice depends on beside the piece.
pub(crate) struct Choice<'a> {
    pub(crate) here: &'a BTreeMap<DeviceId, Candidate>,
    /// Bytes that each is about to take.
    pub(crate) promised: &'a BTreeMap<DeviceId, u64>,
    /// Accounts that have, or are to have, other pieces of the same stripe, and where their devices stand.
    pub(crate) beside: &'a BTreeSet<AccountId>,
    pub(crate) regions: &'a BTreeSet<Region>,
    /// How many pieces of the contract accounts have, or are to have.
    pub(crate) shares: &'a BTreeMap<&'a AccountId, usize>,
    /// Whether an account may have several pieces of a stripe: not at once, for others may be on their way.
    pub(crate) may_be_beside: bool,
    pub(crate) now: BlockNumber,
}

impl Choice<'_> {
    /// Whether a device missed a piece not long ago. It may have been off for an hour, or keep nothing of what it
    /// takes; as soon as its holding is over it would else be the best again for the very piece that it missed.
    fn has_missed(&self, candidate: &Candidate) -> bool {
        let missed = candidate.missed_at;
        missed.is_some_and(|at| self.now.saturating_sub(at) <= REVIEW_PERIOD_BLOCKS)
    }
}

/// Who takes a piece of so many bytes: one that has room and is of an account that has nothing of the same stripe, in a
/// region where nothing of it is if there is one. Where all accounts have something of the stripe, and after a while of
/// any that does not have this very piece: better two pieces with one account than one with none. Of those that are as
/// good in this, who missed a piece in the review period is the last. Of the others it is one of the account that has the
/// fewest pieces of the contract, so that no machine that goes takes much of it along; of these the best by rank.
pub(crate) fn choose(piece: &Piece, bytes: u64, choice: &Choice<'_>) -> Option<DeviceId> {
    let of_piece: BTreeSet<&AccountId> = piece.accounts().collect();
    let may = choice.here.values().filter(|it| {
        let promised = choice.promised.get(&it.device).copied().unwrap_or_default();
        let has_room = it.free_bytes.saturating_sub(promised) >= bytes;
        let rests = piece.rests.get(&it.device);
        let is_asked = piece.takers.contains_key(&it.device)
            || piece.held.contains_key(&it.device)
            || piece.refused.contains(&it.device)
            || rests.is_some_and(|until| *until > choice.now);
        has_room && !is_asked && !of_piece.contains(&it.account)
    });
    let best = may.min_by_key(|it| {
        let is_beside = choice.beside.contains(&it.account);
        let is_near = choice.regions.contains(&it.region);
        (
            is_beside,
            choice.has_missed(it),
            is_near,
            choice.shares.get(&it.account).copied().unwrap_or_default(),
            it.rank,
            it.device,
        )
    });
    let best = best.filter(|it| choice.may_be_beside || !choice.beside.contains(&it.account));
    best.map(|it| it.device)
}
