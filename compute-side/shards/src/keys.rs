//! Keys: one for each shard, one for the job, and how they travel.
//!
//! - A [`ShardKey`] is random. It seals one shard, and from it follow the keys of that task's
//!   results (see [`crate::result`]).
//! - A [`JobKey`] is random. The owner keeps it; it wraps the shard keys and seals the manifest.
//!   Its [commitment](JobKey::commitment) is on the chain, so that whoever is handed the key knows
//!   that it is the one.
//! - A [`StoreKey`] is random. Its owner keeps it; from it follow the keys of all shards that are kept under
//!   one contract, and no device or masternode is ever given any of them.
//! - A [`SealingSecret`] is a device's or masternode's own. Keys travel sealed to its public half
//!   (HPKE), bound to the one use they are meant for.
//! - An [`OwnerToken`] follows from the job's key. It opens nothing; it shows a masternode that its
//!   bearer has the key.
//! - A [`TrustSeed`] follows from the job's key too. It opens nothing; which device is believed alone is
//!   drawn from it.
//! - [Shares](split) of a shard's key are what the members of a group have where none alone is to read.
//!
//! Keys are wiped from memory when they are dropped and do not print.

mod hand_over;
mod owner;
mod receiver;
pub mod split;
mod trust;
mod wrap;

pub use hand_over::{
    Courier, Delegation, HandOver, HandOverError, Letterbox, ReceiveError, accept_delegation,
    delegate, hand_over, receive,
};
pub use owner::OwnerToken;
pub use receiver::{SealedKey, SealingSecret};
pub use trust::TrustSeed;
pub use wrap::{UnwrapError, WRAPPED_KEY_BYTES, WrappedKey, unwrap, wrap};

use crate::{
    derive::{DerivedKey, derive, same_bytes},
    rand_core::CryptoRng,
};
use quern_primitives::{Digest, JobId, ids::ContractId};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// A random key.
            pub fn random(rng: &mut impl CryptoRng) -> Self {
                let mut key = Self([0; 32]);
                rng.fill_bytes(&mut key.0);
                key
            }

            /// The key with these bytes, which the caller wipes.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes, to store or derive from; never to print or send.
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        /// Takes the same time wherever the keys differ.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                same_bytes(&self.0, &other.0)
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(not shown)"))
            }
        }
    };
}

secret! {
    /// The key of one shard.
    ShardKey
}
secret! {
    /// The key of one job, which opens everything of the job.
    JobKey
}

secret! {
    /// The key of one contract to keep data, which opens all that is kept under it. It is its owner's alone:
    /// nothing hands it on.
    StoreKey
}

impl StoreKey {
    /// The key that seals a shard of the contract.
    pub fn shard_key(&self, contract: &ContractId, index: u32) -> ShardKey {
        let fields: [&[u8]; 2] = [&contract.0, &index.to_le_bytes()];
        ShardKey(*derive(&self.0, "quern/store-key/1/shard", &fields))
    }
}

impl JobKey {
    /// What the chain keeps of the key: tells nothing about it, holds for no other key and is
    /// another for every job.
    pub fn commitment(&self, job: &JobId) -> Digest {
        Digest(*derive(&self.0, "quern/job-key/1/commitment", &[&job.0]))
    }

    /// Whether this is the key that was committed to.
    pub fn is_committed(&self, job: &JobId, commitment: &Digest) -> bool {
        same_bytes(&self.commitment(job).0, &commitment.0)
    }

    /// The key that seals the job's manifest.
    pub(crate) fn manifest_key(&self, job: &JobId) -> DerivedKey {
        derive(&self.0, "quern/job-key/1/manifest", &[&job.0])
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_str("0x")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;

    #[test]
    fn keys_do_not_print() {
        let mut rng = SeededRng::new(1);
        let printed = format!(
            "{:?} {:?}",
            ShardKey::random(&mut rng),
            JobKey::random(&mut rng)
        );
        assert_eq!(printed, "ShardKey(not shown) JobKey(not shown)");
    }

    #[test]
    fn a_store_key_seals_each_shard_of_each_contract_with_a_key_of_its_own() {
        let key = StoreKey::from_bytes([1; 32]);
        let (contract, elsewhere) = (ContractId([2; 32]), ContractId([3; 32]));
        let of_first = key.shard_key(&contract, 0);
        assert_eq!(of_first, key.shard_key(&contract, 0));
        let other = StoreKey::from_bytes([4; 32]);
        for another in [
            key.shard_key(&contract, 1),
            key.shard_key(&elsewhere, 0),
            other.shard_key(&contract, 0),
        ] {
            assert_ne!(of_first, another);
        }
    }

    #[test]
    fn a_job_key_is_known_by_its_commitment_for_its_job_only() {
        let mut rng = SeededRng::new(2);
        let (key, other) = (JobKey::random(&mut rng), JobKey::random(&mut rng));
        let (job, elsewhere) = (JobId([1; 32]), JobId([2; 32]));
        let commitment = key.commitment(&job);
        assert!(key.is_committed(&job, &commitment));
        assert!(!key.is_committed(&elsewhere, &commitment));
        assert!(!other.is_committed(&job, &commitment));
        assert_ne!(commitment.0, *key.expose());
    }
}
