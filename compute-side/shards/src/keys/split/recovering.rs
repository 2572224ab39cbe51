//! A device's part: the key from the shares that it was handed, and whose share was false.

use super::{CombineError, KeyShare, ShareProof, SharedPlace, Threshold, check_members, combine};
use crate::keys::ShardKey;
use quern_primitives::{Digest, TaskIndex};

/// A share as a device was handed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The place of the member that handed it over.
    pub member: u8,
    /// The share.
    pub share: KeyShare,
    /// That it is the one the owner gave this member.
    pub proof: ShareProof,
}

/// A key, and who did not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The key.
    pub key: ShardKey,
    /// The places of the members whose share or its proof is another than the owner's, ascending.
    pub false_members: Vec<u8>,
}

/// Why a device has no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// Fewer shares than give a key.
    #[error("{found} shares came where {needed} give the key; ask further members")]
    TooFew {
        /// Shares that give a key.
        needed: u8,
        /// How many came.
        found: usize,
    },
    /// A share is of no member, or of one that has another already.
    #[error(transparent)]
    Members(#[from] CombineError),
    /// Members handed over other shares than they received.
    #[error("the shares of members {members:?} are not those under the shares root; ask others")]
    FalseShares {
        /// Their places, ascending.
        members: Vec<u8>,
    },
    /// Enough shares are the owner's, and they do not give the key.
    #[error("the owner has split the key of shard {index} falsely; report bad input")]
    FalseSplit {
        /// The shard.
        index: TaskIndex,
        /// The places of the members whose shares are false beside, ascending.
        false_members: Vec<u8>,
    },
}

/// Tries the shares that came, those of honest members first, until some of them give a key that
/// `opens` says is the right one: that is for the commitment in the shard's header to say. It is asked
/// for 35 keys at the most, four out of seven.
pub fn recover(
    threshold: Threshold,
    shares_root: &Digest,
    (index, count): (TaskIndex, u32),
    received: &[Received],
    mut opens: impl FnMut(&ShardKey) -> bool,
) -> Result<Recovered, RecoverError> {
    let (needed, found) = (threshold.needed(), received.len());
    check_members(threshold, received.iter().map(|it| it.member))?;
    if found < usize::from(needed) {
        return Err(RecoverError::TooFew { needed, found });
    }
    let is_true = |it: &&Received| {
        let place = SharedPlace {
            index,
            count,
            member: it.member,
            members: threshold.members(),
        };
        it.proof.holds(shares_root, &place, &it.share)
    };
    let (honest, others): (Vec<&Received>, Vec<&Received>) = received.iter().partition(is_true);
    let mut false_members: Vec<u8> = others.iter().map(|it| it.member).collect();
    false_members.sort_unstable();
    let are_enough = honest.len() >= usize::from(needed);
    let all: Vec<&Received> = honest.into_iter().chain(others).collect();
    for chosen in choices(&all, needed) {
        let key = combine(threshold, &chosen)?;
        if opens(&key) {
            return Ok(Recovered { key, false_members });
        }
    }
    Err(if are_enough {
        RecoverError::FalseSplit {
            index,
            false_members,
        }
    } else {
        RecoverError::FalseShares {
            members: false_members,
        }
    })
}

/// Every choice of so many shares, of the first ones first. There are seven at the most.
fn choices<'a>(
    shares: &'a [&'a Received],
    needed: u8,
) -> impl Iterator<Item = Vec<(u8, &'a KeyShare)>> {
    let all = 1u32.checked_shl(u32::try_from(shares.len()).unwrap_or(u32::MAX));
    (0..all.unwrap_or_default())
        .filter(move |mask| mask.count_ones() == u32::from(needed))
        .map(move |mask| {
            let shares = (0u32..).zip(shares);
            shares
                .filter(|(place, _)| mask >> place & 1 == 1)
                .map(|(_, it)| (it.member, &it.share))
                .collect()
        })
}

#[cfg(test)]
mod tests;
