//! Shard keys in shares: each member of a job's group has one of every key, so many of them give it,
//! and fewer tell nothing of it.
//!
//! Shamir's scheme over GF(2^8), byte by byte. A key is what a random polynomial is at zero; the member
//! at place `p` of the group, counted from zero, has what it is at `p + 1`. With one share fewer than
//! are needed every key is as likely as before: that is counted out in the tests, for coefficients that
//! are not even are seen by nobody from outside.
//!
//! Over a member's shares of all keys stands a Merkle root, and over the roots of all members another
//! one, the *shares root*, which the chain names. So a member knows its package for the right one, and a
//! share that it hands on for another than it received shows.

mod field;
mod package;
mod recovering;
mod roots;

pub use package::{
    ExpectedPackage, HeldShares, PACKAGE_BYTES_MAX, PackageDecodeError, PackageError, SharePackage,
};
pub use recovering::{Received, RecoverError, Recovered, recover};
pub use roots::{ShareProof, SharedPlace, member_root, shares_root};

use super::{OwnerToken, ShardKey, TrustSeed};
use crate::{derive::same_bytes, rand_core::CryptoRng};
use quern_primitives::{Digest, JobId, limits::GROUP_MEMBERS_MAX};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Members that give a key at the least. A single one that did could read everything.
pub const NEEDED_MIN: u8 = 2;

/// Among how many members keys are split, and how many of them give one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    needed: u8,
    members: u8,
}

/// Why keys are not split so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// The group is too small or none that there is.
    #[error("keys are split among {min} to {max} members, not {found}; take another group")]
    Members {
        /// Members wanted.
        found: u8,
        /// The fewest.
        min: u8,
        /// The most.
        max: u32,
    },
    /// Too few or too many of them.
    #[error("of {members} members {min} to all give a key, not {found}; choose another number")]
    Needed {
        /// How many were to be needed.
        found: u8,
        /// The fewest.
        min: u8,
        /// The members.
        members: u8,
    },
}

impl Threshold {
    /// `needed` of `members`.
    pub fn new(needed: u8, members: u8) -> Result<Self, ThresholdError> {
        let (min, max) = (NEEDED_MIN, GROUP_MEMBERS_MAX);
        if members < min || u32::from(members) > max {
            let found = members;
            return Err(ThresholdError::Members { found, min, max });
        }
        if needed < min || needed > members {
            return Err(ThresholdError::Needed {
                found: needed,
                min,
                members,
            });
        }
        Ok(Self { needed, members })
    }

    /// More than half of the members, unless an owner says otherwise.
    pub fn usual(members: u8) -> Result<Self, ThresholdError> {
        Self::new((members / 2).saturating_add(1), members)
    }

    /// Members that give a key.
    pub fn needed(&self) -> u8 {
        self.needed
    }

    /// Members that have a share.
    pub fn members(&self) -> u8 {
        self.members
    }
}

/// One member's share of one key. It is wiped when it is dropped, and does not print.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeyShare([u8; 32]);

impl KeyShare {
    /// The share with these bytes, whoever sent them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to seal for a device; never to print.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Takes the same time wherever the shares differ.
impl PartialEq for KeyShare {
    fn eq(&self, other: &Self) -> bool {
        same_bytes(&self.0, &other.0)
    }
}

impl Eq for KeyShare {}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyShare(not shown)")
    }
}

/// Splits a key; the shares are in the order of the members' places.
pub fn split(key: &ShardKey, threshold: Threshold, rng: &mut impl CryptoRng) -> Vec<KeyShare> {
    split_bytes(key.expose(), threshold, rng)
        .into_iter()
        .map(|share| KeyShare(*share))
        .collect()
}

/// Splits some bytes, each by a polynomial of its own. The coefficients are drawn from the highest to
/// the lowest, one for all bytes after the other; each is any byte, zero too.
fn split_bytes<const N: usize>(
    secret: &[u8; N],
    threshold: Threshold,
    rng: &mut impl CryptoRng,
) -> Vec<Zeroizing<[u8; N]>> {
    let mut shares = vec![Zeroizing::new([0; N]); threshold.members.into()];
    let mut coefficients = Zeroizing::new([0; N]);
    for _ in 1..threshold.needed {
        rng.fill_bytes(&mut coefficients[..]);
        raise(&mut shares, &coefficients);
    }
    raise(&mut shares, secret);
    shares
}

/// One step of evaluating at each member's point: times the point, and the next coefficients added.
fn raise<const N: usize>(shares: &mut [Zeroizing<[u8; N]>], coefficients: &[u8; N]) {
    for (point, share) in (1..=u8::MAX).zip(shares) {
        for (byte, coefficient) in share.iter_mut().zip(coefficients) {
            *byte = field::times(*byte, point) ^ coefficient;
        }
    }
}

/// Why shares give no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// Not as many shares as are needed.
    #[error("{found} shares are given where exactly {needed} give the key; take as many")]
    Count {
        /// Shares that give a key.
        needed: u8,
        /// How many there are.
        found: usize,
    },
    /// The group has no such member.
    #[error("there is no member {member} in a group of {members}; leave its share out")]
    NoSuchMember {
        /// The place.
        member: u8,
        /// The group's members.
        members: u8,
    },
    /// Two shares of one member.
    #[error("there are two shares of member {member}; take one of each")]
    Twice {
        /// The member's place.
        member: u8,
    },
}

/// The key that shares of as many members as are needed give, each with the member's place. Whether it
/// is the right one says the commitment in the shard's header: false shares give another key.
pub fn combine(threshold: Threshold, shares: &[(u8, &KeyShare)]) -> Result<ShardKey, CombineError> {
    let needed = threshold.needed;
    if shares.len() != usize::from(needed) {
        let found = shares.len();
        return Err(CombineError::Count { needed, found });
    }
    check_members(threshold, shares.iter().map(|(member, _)| *member))?;
    let points: Vec<u8> = shares
        .iter()
        .map(|(member, _)| member.saturating_add(1))
        .collect();
    let mut key = Zeroizing::new([0; 32]);
    for ((_, share), point) in shares.iter().zip(&points) {
        let weight = field::weight_at_zero(&points, *point);
        for (byte, part) in key.iter_mut().zip(share.expose()) {
            *byte ^= field::times(*part, weight);
        }
    }
    Ok(ShardKey::from_bytes(*key))
}

/// Whether each is a member of the group, and none is there twice.
fn check_members(
    threshold: Threshold,
    places: impl IntoIterator<Item = u8>,
) -> Result<(), CombineError> {
    let members = threshold.members;
    let mut is_there = vec![false; members.into()];
    for member in places {
        match is_there.get_mut(usize::from(member)) {
            None => return Err(CombineError::NoSuchMember { member, members }),
            Some(true) => return Err(CombineError::Twice { member }),
            Some(is_there) => *is_there = true,
        }
    }
    Ok(())
}

/// The shares of all keys of a job, as its owner makes them.
#[derive(Debug)]
pub struct SplitKeys {
    threshold: Threshold,
    /// Of each member the shares of all keys, in the order of the shards.
    shares: Vec<Vec<KeyShare>>,
    roots: Vec<Digest>,
}

impl SplitKeys {
    /// Splits the keys of a job's shards, in their order. It takes 32 bytes for each key and member.
    pub fn new<'a>(
        keys: impl IntoIterator<Item = &'a ShardKey>,
        threshold: Threshold,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut shares = vec![Vec::new(); threshold.members.into()];
        for key in keys {
            for (member, share) in shares.iter_mut().zip(split(key, threshold, rng)) {
                member.push(share);
            }
        }
        let roots = shares.iter().map(member_root).collect();
        Self {
            threshold,
            shares,
            roots,
        }
    }

    /// What the submission names.
    pub fn shares_root(&self) -> Digest {
        shares_root(&self.roots)
    }

    /// The package of the member at a place of the group, with what shows it who the owner is and from
    /// what is drawn whom it believes alone; `None` if there is no such place.
    pub fn package(
        &self,
        member: u8,
        job: JobId,
        owner_token: OwnerToken,
        trust_seed: TrustSeed,
    ) -> Option<SharePackage> {
        Some(SharePackage {
            job,
            member,
            threshold: self.threshold,
            owner_token,
            trust_seed,
            roots: self.roots.clone(),
            shares: self.shares.get(usize::from(member))?.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
