//! The runtime as a whole: blocks made and run by it, as on a chain.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod bad_input;
mod chain;
mod consensus;
mod custody;
mod disputes;
mod genesis;
mod jobs;
mod ledger;
mod money;
mod params;
mod proofs;
mod weights;
