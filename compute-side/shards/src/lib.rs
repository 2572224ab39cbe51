//! A job's data, from the owner's file to the assembled result: cutting, sealing, keys, results,
//! manifest, assembling. Pure: bytes and `Read`/`Write` in, bytes out; randomness is an argument.
//!
//! ```text
//!  owner    input ──cut──► pieces ──seal──► sealed shards ──chunk roots──► shards root ─► chain
//!                                    │ a key each                          manifest ────► digest
//!                                    └──wrap──► manifest, sealed under the job's key
//!  coordinator   job's key (delegated) ──unwrap──► shard key ──hand over──► one device
//!  device        shard key ──open──► piece ──program──► result ──seal──► own key per replica
//!  owner         job's key ──unwrap──► shard key ──open──► results ──assemble──► output
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | [`archive`] | a folder as one stream, which is cut and sealed as any input |
//! | [`cut`] | an input into pieces: lines, bytes, whole, or as an application prepared it |
//! | [`seal`] | pieces into sealed shards and back; the sealed format |
//! | [`chunks`] | the Merkle tree over a sealed thing's bytes, and over a job's shards |
//! | [`held`] | what shows that a device has the shard of a task that it was given |
//! | [`keys`] | shard keys, job keys, wrapping, handing over to devices and masternodes |
//! | [`result`] | results: a key per replica, and a commitment by which replicas are compared |
//! | [`manifest`] | what travels beside the chain, checked against what is on it |
//! | [`parity`] | further pieces of a few shards, of which any so many give all of them |
//! | [`stored`] | what strangers keep of a folder: how it is divided, and the list of its pieces |
//! | [`assemble`] | results that come in any order into bytes that leave in order |
//!
//! The format is written down byte by byte in `docs/format.md`, with vectors that a test holds.
//!
//! # Example
//!
//! ```
//! use quern_shards::{context::ShardContext, keys::ShardKey, seal};
//! # use quern_primitives::{GenesisHash, JobId, ProgramHash};
//! # let (genesis, job) = (GenesisHash([1; 32]), JobId([2; 32]));
//! # let program = ProgramHash([3; 32]);
//! # let (key, salt) = (ShardKey::from_bytes([4; 32]), seal::SealSalt([5; 16]));
//! let context = ShardContext { genesis, job, program, index: 0, count: 1, plaintext_bytes: 5 };
//! let sealed = seal::seal(&key, salt, &context, b"hello")?;
//! assert_eq!(seal::open(&key, &context, &sealed.bytes)?, b"hello");
//!
//! let elsewhere = ShardContext { job: JobId([9; 32]), ..context };
//! assert!(matches!(
//!     seal::open(&key, &elsewhere, &sealed.bytes),
//!     Err(seal::OpenError::OtherJob { .. })
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod archive;
pub mod assemble;
pub mod chunks;
pub mod context;
pub mod cut;
mod derive;
pub mod held;
pub mod keys;
pub mod manifest;
pub mod parity;
pub mod question;
mod reading;
pub mod result;
pub mod seal;
pub mod stored;
#[cfg(test)]
mod testing;
#[cfg(test)]
extern crate self as quern_shards; // `testing` names the crate as the tests outside it do.

/// The traits of random number generators that this crate's functions take.
pub use hpke::rand_core;
