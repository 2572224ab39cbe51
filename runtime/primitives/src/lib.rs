//! The words that the chain and its clients share, so that neither can drift from the other:
//! ids, amounts, digests, Merkle trees, signed payloads, and the records of jobs, devices,
//! receipts, verdicts and batches.
//!
//! Everything here is plain data with one encoding (SCALE), usable without the standard library.
//! There are no rules: what a job may do next is in `quern-job-rules`, what an answer is worth in
//! `quern-verdict`.
//!
//! | module | words |
//! | --- | --- |
//! | [`amount`] | ByteChips and their smallest unit |
//! | [`ids`] | 32-byte names: job, device, program, digest; and which replica of which task |
//! | [`limits`] | every bound on a collection or message that chain and clients agree on |
//! | [`draw`] | different numbers that follow from a seed |
//! | [`merkle`] | trees over shards, chunks and verdicts; proofs for one leaf or a span of chunks |
//! | [`params`] | what the council may set, its table, and what a job keeps of it |
//! | [`payload`] | what is signed, with domain tag and genesis |
//! | [`job`] | a job as submitted and as kept by the chain |
//! | [`device`] | devices, their classes, their record and their history |
//! | [`receipt`] | what a device signs about one replica |
//! | [`verdict`] | the outcome of one task |
//! | [`batch`] | many verdicts settled by one transaction, and who certified them |
//! | [`group`] | the masternodes of a job, and whose turn it is |
//! | [`lanes`] | which replica of a task is at first for which accounts |
//! | [`custody`] | contracts to keep data, challenges, and what becomes of who does not keep them |
//! | [`log`] | what masternodes sign about a job's log |
//! | [`view`] | what the chain answers when it is asked |

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

extern crate alloc;

pub mod amount;
pub mod batch;
pub mod custody;
pub mod device;
pub mod draw;
pub mod group;
pub mod hash;
pub mod ids;
pub mod job;
pub mod lanes;
pub mod limits;
pub mod log;
pub mod merkle;
pub mod params;
pub mod payload;
pub mod receipt;
pub mod verdict;
pub mod view;

pub use amount::Amount;
pub use ids::{
    AccountId, BlockNumber, ContractId, DeviceId, Digest, GenesisHash, JobId, NodeKey, Period,
    PieceIndex, ProgramHash, SealingKey, TaskIndex,
};
