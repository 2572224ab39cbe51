//! Proofs of the chain. Whoever has the hash of the chain's first block, or of any block that is
//! final, can have everything else from a node that is not trusted: what the node says is believed
//! only with a proof, and this room checks the proofs.
//!
//! ```text
//! genesis hash ─ header ─ state root ─ storage proof ─ the first validators
//!                                                        │ sign
//!            header with the next validators ◄───────────┘   one justification for each change
//!                                  │ sign
//!                        header ◄──┘ ─ parents ─ header ─ state root ─ storage proof ─ the value
//! ```
//!
//! | module | what it checks |
//! | --- | --- |
//! | [`header`] | headers: what they say, their hash, chains of them by parent |
//! | [`authorities`] | who makes blocks final, and the change of these in a header |
//! | [`justification`] | that more than two thirds of them signed that a block is final |
//! | [`follower`] | from one set of them to the next |
//! | [`trie`] | that a value is in the state under a header's root, or that there is none; that of a stretch of values none was left out |
//! | [`body`] | that these are a block's transactions |
//! | [`keys`] | where in the state a value is |
//! | [`money`] | what an account has, and what is held of it |
//! | [`chain_proof`] | all of that in one file |
//!
//! Here is no input and no output; `quern-ledger` fetches what is checked here.

// What a stranger sends is read here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

pub mod authorities;
pub mod body;
pub mod chain_proof;
pub mod follower;
pub mod header;
pub mod justification;
pub mod keys;
pub mod limits;
pub mod money;
mod reading;
pub mod trie;

pub use authorities::{AuthorityId, AuthoritySet, AuthoritySetFault};
pub use chain_proof::{ChainProof, ChainProofFault, HandOver, ProvenBlock, Start, Trust, Way};
pub use follower::{FollowFault, Follower};
pub use header::{BlockHash, DigestItem, Header, LineFault};
pub use justification::{Finality, Justification, JustificationFault};
pub use reading::Malformed;
pub use trie::{Stretch, TrieFault, TrieProof, ValueFault};
