//! How an owner shows a masternode that a job is theirs: by a token that follows from the job's key.
//!
//! Who may have the job's key is who may upload the job's data and fetch its results. A masternode
//! was handed the key, checked against the commitment on the chain, so it can make the token itself
//! and compare. The token tells nothing of the key, and a token for one chain, job and masternode is
//! none for another.

use super::{Delegation, JobKey};
use crate::derive::{derive, same_bytes};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Shows the masternode of a delegation that its bearer has the job's key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct OwnerToken([u8; 32]);

impl OwnerToken {
    /// The token with these bytes, whoever sent them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to send to the masternode it is for.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }
}

/// Takes the same time wherever the tokens differ.
impl PartialEq for OwnerToken {
    fn eq(&self, other: &Self) -> bool {
        same_bytes(&self.0, &other.0)
    }
}

impl Eq for OwnerToken {}

impl fmt::Debug for OwnerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerToken(not shown)")
    }
}

impl JobKey {
    /// What shows the masternode of this delegation that one has the key.
    pub fn owner_token(&self, purpose: &Delegation) -> OwnerToken {
        let token = derive(
            self.expose(),
            "quern/job-key/1/owner-token",
            &[
                &purpose.genesis.0,
                &purpose.job.0,
                AsRef::<[u8; 32]>::as_ref(&purpose.masternode),
            ],
        );
        OwnerToken(*token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{AccountId, GenesisHash, JobId};

    fn purpose() -> Delegation {
        Delegation {
            genesis: GenesisHash([0x11; 32]),
            job: JobId([0x22; 32]),
            masternode: AccountId::new([0x88; 32]),
        }
    }

    /// Computed by another implementation of HKDF, from the places and keys of `docs/format.md`.
    #[test]
    fn the_token_is_the_one_that_another_implementation_computes() {
        let expected = [
            0x55, 0x26, 0xad, 0xf9, 0x14, 0x53, 0x15, 0xe0, 0x0e, 0x81, 0x5d, 0x28, 0x1d, 0x6c,
            0xe4, 0x29, 0xf1, 0x25, 0xd8, 0x86, 0xbe, 0x50, 0x05, 0xa1, 0xa3, 0xa1, 0xf0, 0xcd,
            0x61, 0xc0, 0x66, 0x7a,
        ];
        let token = JobKey::from_bytes([0x77; 32]).owner_token(&purpose());
        assert_eq!(token.to_bytes(), expected);
    }

    #[test]
    fn a_token_is_for_one_key_chain_job_and_masternode() {
        let key = JobKey::from_bytes([0x77; 32]);
        let token = key.owner_token(&purpose());
        assert_eq!(token, OwnerToken::from_bytes(token.to_bytes()));
        let elsewhere = [
            Delegation {
                genesis: GenesisHash([9; 32]),
                ..purpose()
            },
            Delegation {
                job: JobId([9; 32]),
                ..purpose()
            },
            Delegation {
                masternode: AccountId::new([9; 32]),
                ..purpose()
            },
        ];
        for purpose in &elsewhere {
            assert_ne!(key.owner_token(purpose), token);
        }
        let other = JobKey::from_bytes([0x78; 32]);
        assert_ne!(other.owner_token(&purpose()), token);
    }

    #[test]
    fn a_token_does_not_print_and_is_neither_key_nor_commitment() {
        let key = JobKey::from_bytes([0x77; 32]);
        let token = key.owner_token(&purpose());
        assert_eq!(format!("{token:?}"), "OwnerToken(not shown)");
        assert_ne!(token.to_bytes(), *key.expose());
        assert_ne!(token.to_bytes(), key.commitment(&purpose().job).0);
    }
}
