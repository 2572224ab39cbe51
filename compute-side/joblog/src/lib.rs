//! The log of a job: what its coordinator did, in the order in which it did it, signed block by block.
//!
//! A log begins with the job's own genesis and goes on in blocks that name the hash of the block
//! before, and of one further back, so that few headers lead from any block to any earlier one. Who
//! has the blocks can replay them; who has one header and a few hashes can hold the coordinator to one
//! entry; and two headers that one coordinator signed for one place are a fork, which is evidence
//! against it.
//!
//! | module | what it is about |
//! | --- | --- |
//! | [`entry`] | the steps of a job |
//! | [`block`] | blocks: their bytes, and the proof of a single entry |
//! | [`build`] | the coordinator's side: append, cut, sign |
//! | [`way`] | which ancestors the next block may name, and the short way back to an earlier one |
//! | [`replay`] | everybody else's side: blocks in order, or what is wrong with them |
//! | [`mod@file`] | a log as a file, written and read in pieces |
//!
//! Nothing here says whether an entry is right, only that it stands where it stands:
//! `quern-recheck` holds a replayed log to the rules. What is signed is in
//! [`quern_primitives::log`], because the chain reads it too.

#![cfg_attr(not(feature = "std"), no_std)]
// The chain decides disputes with this: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

pub mod block;
#[cfg(feature = "std")]
pub mod build;
pub mod entry;
mod fault;
pub mod file;
pub mod replay;
pub mod way;

pub use block::{EntryProof, SignedBlock, writer_of};
#[cfg(feature = "std")]
pub use build::{Cut, LogBuilder};
pub use entry::{End, Entry, OutputPlace, RefereeWord, ReleaseCause};
pub use fault::{Fork, LogFault};
pub use quern_primitives::log::{Certificate, Header, SignedCertificate, SignedHeader};
pub use replay::{Replay, follow};
pub use way::{Ancestors, Way};
