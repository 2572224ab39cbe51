//! What a member of the group gets from the owner: a share of every key, and with it what it needs
//! beside. It opens nothing.

use super::{
    KeyShare, ShareProof, Threshold, ThresholdError,
    roots::{shares_root, tree_of},
};
use crate::keys::{OwnerToken, TrustSeed};
use codec::{Decode, Encode};
use quern_primitives::{
    Digest, JobId, TaskIndex,
    limits::{GROUP_MEMBERS_MAX, TASKS_PER_JOB_MAX},
    merkle::Tree,
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of the longest package: 65,536 shares of 32 bytes, and 324 beside.
pub const PACKAGE_BYTES_MAX: usize =
    FIXED_BYTES + 32 * (GROUP_MEMBERS_MAX as usize + TASKS_PER_JOB_MAX as usize);

/// Version, job, member, needed, members, token, seed.
const FIXED_BYTES: usize = 1 + 32 + 1 + 1 + 1 + 32 + 32;

const VERSION: u8 = 1;

/// A member's package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharePackage {
    /// The job.
    pub job: JobId,
    /// The member's place in the group.
    pub member: u8,
    /// How many of how many members give a key.
    pub threshold: Threshold,
    /// What the owner shows this member.
    pub owner_token: OwnerToken,
    /// From which is drawn whom it believes alone.
    pub trust_seed: TrustSeed,
    /// The roots over each member's shares, in the order of their places.
    pub roots: Vec<Digest>,
    /// This member's shares, in the order of the shards.
    pub shares: Vec<KeyShare>,
}

/// What stands at the front of a package.
#[derive(Encode, Decode, Zeroize, ZeroizeOnDrop)]
struct Fixed {
    version: u8,
    job: [u8; 32],
    member: u8,
    needed: u8,
    members: u8,
    owner_token: [u8; 32],
    trust_seed: [u8; 32],
}

/// Why bytes are no package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageDecodeError {
    /// It is longer than any package.
    #[error("the package has {found} bytes where {max} are allowed; refuse it")]
    TooLong {
        /// Its bytes.
        found: usize,
        /// The most bytes.
        max: usize,
    },
    /// It ends before its first share does.
    #[error("the package ends after {found} bytes, before its first share; fetch it anew")]
    Truncated {
        /// Its bytes.
        found: usize,
    },
    /// It is of another version.
    #[error("the package has version {found}; this program reads version 1; update it")]
    UnknownVersion {
        /// The version.
        found: u8,
    },
    /// Keys are not split so.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// The member's place is none of the group.
    #[error("the package is for member {member} of {members}; the owner must make it anew")]
    NoSuchMember {
        /// The place.
        member: u8,
        /// The group's members.
        members: u8,
    },
    /// The last share is not whole.
    #[error("{count} bytes follow the last share; fetch the package anew")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
}

impl SharePackage {
    /// The bytes, to be sealed to the member.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let fixed = Fixed {
            version: VERSION,
            job: self.job.0,
            member: self.member,
            needed: self.threshold.needed(),
            members: self.threshold.members(),
            owner_token: self.owner_token.to_bytes(),
            trust_seed: *self.trust_seed.expose(),
        };
        // As long as it becomes, so that nothing is left behind where it was shorter.
        let hashes = self.roots.len().saturating_add(self.shares.len());
        let bytes = FIXED_BYTES.saturating_add(hashes.saturating_mul(32));
        let mut encoded = Zeroizing::new(Vec::with_capacity(bytes));
        fixed.encode_to(&mut *encoded);
        for root in &self.roots {
            encoded.extend_from_slice(&root.0);
        }
        for share in &self.shares {
            encoded.extend_from_slice(share.expose());
        }
        encoded
    }

    /// Reads a package, whoever made it. What it says is not looked at; [`HeldShares::check`] does.
    pub fn decode(encoded: &[u8]) -> Result<Self, PackageDecodeError> {
        use PackageDecodeError as E;
        let (found, max) = (encoded.len(), PACKAGE_BYTES_MAX);
        if found > max {
            return Err(E::TooLong { found, max });
        }
        // The version stands first, so that a later shape is named for what it is.
        if let Some(&found) = encoded.first().filter(|version| **version != VERSION) {
            return Err(E::UnknownVersion { found });
        }
        let mut rest = encoded;
        let fixed = Fixed::decode(&mut rest).map_err(|_| E::Truncated { found })?;
        let (member, members) = (fixed.member, fixed.members);
        let threshold = Threshold::new(fixed.needed, members)?;
        if member >= members {
            return Err(E::NoSuchMember { member, members });
        }
        let (hashes, trailing) = rest.as_chunks::<32>();
        let (roots, shares) = hashes
            .split_at_checked(members.into())
            .filter(|(_, shares)| !shares.is_empty())
            .ok_or(E::Truncated { found })?;
        if !trailing.is_empty() {
            let count = trailing.len();
            return Err(E::TrailingBytes { count });
        }
        Ok(Self {
            job: JobId(fixed.job),
            member,
            threshold,
            owner_token: OwnerToken::from_bytes(fixed.owner_token),
            trust_seed: TrustSeed::from_bytes(fixed.trust_seed),
            roots: roots.iter().copied().map(Digest).collect(),
            shares: shares.iter().copied().map(KeyShare::from_bytes).collect(),
        })
    }
}

/// What a member knows from the chain of the package that it is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedPackage {
    /// The job.
    pub job: JobId,
    /// The member's place in the job's group.
    pub member: u8,
    /// The group's number of members.
    pub members: u8,
    /// The job's number of shards.
    pub shards: u32,
    /// The root over all shares, as the submission names it.
    pub shares_root: Digest,
}

/// Why a package is not the one that the chain names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// It is for another job.
    #[error("the package is for the job {found}, not {expected}; ask the owner for the right one")]
    OtherJob {
        /// The job.
        expected: JobId,
        /// The package's.
        found: JobId,
    },
    /// It is for another member.
    #[error(
        "the package is for member {found} of {found_of}, not {expected} of {expected_of}; ask the \
         owner for the right one"
    )]
    OtherMember {
        /// The member's place.
        expected: u8,
        /// The group's members.
        expected_of: u8,
        /// The package's place.
        found: u8,
        /// The package's members.
        found_of: u8,
    },
    /// It has not one share for each shard.
    #[error(
        "the package has {found} shares for {expected} shards; ask the owner for the right one"
    )]
    OtherCount {
        /// The job's shards.
        expected: u32,
        /// The package's shares.
        found: usize,
    },
    /// The members' roots are not those that the chain names.
    #[error("the package's roots have the root {found}, the job {expected}; refuse it")]
    OtherRoots {
        /// The job's shares root.
        expected: Digest,
        /// The package's.
        found: Digest,
    },
    /// The shares are not those whose root stands among the roots.
    #[error("the package's shares have the root {found}, which is to be {expected}; refuse it")]
    OtherShares {
        /// The root of this member.
        expected: Digest,
        /// That of its shares.
        found: Digest,
    },
}

/// A package that is the one the chain names, with what proves its shares.
#[derive(Clone, Debug)]
pub struct HeldShares {
    package: SharePackage,
    shares: Tree,
    members: Tree,
}

impl HeldShares {
    /// Holds a package to what is on the chain. It takes two hashes and 64 bytes a share, which are kept
    /// for the proofs.
    pub fn check(package: SharePackage, expected: &ExpectedPackage) -> Result<Self, PackageError> {
        use PackageError as E;
        if package.job != expected.job {
            let (expected, found) = (expected.job, package.job);
            return Err(E::OtherJob { expected, found });
        }
        let (found, found_of) = (package.member, package.threshold.members());
        if (found, found_of) != (expected.member, expected.members) {
            return Err(E::OtherMember {
                expected: expected.member,
                expected_of: expected.members,
                found,
                found_of,
            });
        }
        if u32::try_from(package.shares.len()) != Ok(expected.shards) {
            let (expected, found) = (expected.shards, package.shares.len());
            return Err(E::OtherCount { expected, found });
        }
        let found = shares_root(&package.roots);
        if found != expected.shares_root {
            let expected = expected.shares_root;
            return Err(E::OtherRoots { expected, found });
        }
        let (shares, members) = (tree_of(&package.shares), Tree::new(&package.roots));
        let named = package.roots.get(usize::from(package.member));
        let (expected, found) = (named.copied().unwrap_or_default(), shares.root());
        if expected != found {
            return Err(E::OtherShares { expected, found });
        }
        Ok(Self {
            package,
            shares,
            members,
        })
    }

    /// The package.
    pub fn package(&self) -> &SharePackage {
        &self.package
    }

    /// The share of one shard's key, and that it is the owner's; `None` if there is no such shard.
    pub fn share(&self, index: TaskIndex) -> Option<(&KeyShare, ShareProof)> {
        let share = self.package.shares.get(usize::try_from(index).ok()?)?;
        let proof = ShareProof {
            shard: self.shares.proof(index)?,
            member: self.members.proof(self.package.member.into())?,
        };
        Some((share, proof))
    }
}

#[cfg(test)]
mod tests;
