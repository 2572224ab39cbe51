//! What devices and masternodes say to each other. No networking: bytes in, checked messages out.
//!
//! # The flow
//!
//! The device always asks, the masternode always answers; a message is one request-response on an
//! authenticated connection, so the masternode knows which device asks.
//!
//! ```text
//! device                                   masternode
//!   │ Hello { in hand, engine, machine }   │
//!   ├─────────────────────────────────────►│  who is not registered, bonded and unbanned
//!   │◄─────────────────────────────────────┤  hears Refused and is disconnected
//!   │ Welcome                              │
//!   │                                      │
//!   │ Exchange { want 2 }                  │  held open for up to hold_ms
//!   ├─────────────────────────────────────►│  while there is no work
//!   │◄──────────────────── Work { tasks } ─┤
//!   │ Fetch { shard or program, offset }   │  only what did not fit into the assignment
//!   ├─────────────────────────────────────►│
//!   │◄───────────────────── Piece { mark } ┤
//!   │ Exchange { holds }                   │  before a task is begun, and with what comes of it
//!   ├─────────────────────────────────────►│
//!   │ Deliver { result, offset }           │  only results too large for a report
//!   ├─────────────────────────────────────►│
//!   │◄───────────────── Delivered { mark } ┤
//!   │ Exchange { commitments, want 1 }     │  where others compute the same
//!   ├─────────────────────────────────────►│
//!   │◄─────────── Work { reveals, tasks } ─┤  once enough have committed themselves
//!   │ Exchange { reports, want 1 }         │
//!   ├─────────────────────────────────────►│
//!   │◄───── Work { acknowledged, tasks } ──┤  what is acknowledged is on the masternode's disk
//! ```
//!
//! An acknowledgement is signed by the masternode and names the place of the receipt in the job's log, so
//! that a device can show that its work was left out. Whether it was, a device asks when the chain has a
//! batch with the task: [`Show`] is answered with the verdicts and the proofs that the batch has them. What
//! is not shown a device may demand on the chain, so a masternode answers as soon as it can.
//!
//! An exchange is also the heartbeat. A device keeps a report until it is acknowledged, in this or
//! a later answer, and repeats it after a reconnection; repeating is harmless. Every 30 seconds an
//! exchange tells how the machine is, and at once when its owner's rules begin or cease to hold it
//! back.
//!
//! # Who has the shard
//!
//! Once a device has all that a task needs, and before it begins, it shows that it has the shard ([`Held`]). It says so
//! with each exchange while the task is in its hand, and again with the commitment and the report, so that nothing
//! hangs on the order in which exchanges arrive. Until it has, the masternode takes the replica to be fetched still,
//! whatever the device tells of it, and takes neither commitment nor report for it. What is shown wrongly is a fault of
//! the device.
//!
//! # Commit, then reveal
//!
//! Where several devices compute the same, none of them is to learn of another's result before it has
//! one itself. So an assignment says whether its device is to commit itself. If it is, the device says
//! first what it [commits] itself to, and reports when [`Work::reveals`] names the replica. Commitments
//! and reveals travel with the exchanges that there are anyway; a device that has nothing else to say
//! leaves one open for it ([`Exchange::waits`]). A commitment is not acknowledged: whoever connects again
//! says it again, and waits to be asked again. A device that cannot wait, because it stops, may report
//! with its commitment; nobody loses by that but itself. What is assigned without a commitment is
//! reported at once.
//!
//! A result that is too large for a report is delivered before the commitment is sent. It is sealed under
//! a key that is its replica's and its device's alone, so that neither its bytes nor its root say whether
//! two devices have the same; see decision 14.
//!
//! [commits]: quern_primitives::log::Commitment::to
//!
//! # Pieces
//!
//! Whoever fetches or delivers in pieces shows with each one the [`Mark`] of the last answer, so that a
//! masternode sees for itself how fast the line is. Nothing is refused for want of one, or for a wrong
//! one; it is only measured by right ones.
//!
//! # Benchmarks
//!
//! A masternode may send a benchmark with its work, to a device that said with its last exchange that
//! it is not busy. The device runs it at once, and its answer comes with the next exchange. One that is
//! not free for it when it comes, or not until it has ended, says so instead with
//! [`Exchange::unavailable_for`].
//!
//! # Content by its name
//!
//! Bytes that have a name are fetched from whoever has them by a protocol of its own: [`fetch`]. So is what is said
//! about pieces that a device keeps for others: [`keep`].
//!
//! # Versions
//!
//! [`PROTOCOL`] names the version; peers that share none do not talk. Within a version the encoding
//! (SCALE) does not change.
//!
//! # Limits
//!
//! See [`limits`]. [`decode`] refuses what breaks one, before anything looks at the message.

pub mod fetch;
pub mod keep;
pub mod limits;
mod message;
mod telemetry;

pub use message::{
    Assignment, Content, Deliver, Discard, DiscardReason, Exchange, Fetch, HandBack,
    HandBackReason, Held, Hello, Mark, Output, Piece, Progress, Refusal, Report, Request, Response,
    SealedKey, ShardFacts, Show, ShownVerdict, Stage, TaskLimits, Welcome, Work,
};
pub use quern_primitives::ids::ReplicaId;
pub use telemetry::{Benchmark, BenchmarkAnswer, Machine, State, Unavailable};

use codec::{DecodeAll, Encode};

/// The protocol's name and version, as negotiated between peers.
pub const PROTOCOL: &str = "/quern/tasks/9";

/// The version of the worker, as jobs ask about it: raised when workers can do what they could not
/// before.
pub const WORKER_VERSION: u16 = 1;

/// Why bytes from a peer are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than a message may have.
    #[error(
        "a message of {bytes} bytes is over the limit of {}",
        limits::MESSAGE_BYTES_MAX
    )]
    TooLarge {
        /// The message's length.
        bytes: usize,
    },
    /// Not the encoding of a message of this version.
    #[error("not a message of {PROTOCOL}; the peer may run another version")]
    Malformed,
    /// A collection or field in it breaks its limit.
    #[error("{field} holds {found}, over the limit of {limit}")]
    OverLimit {
        /// Which field.
        field: &'static str,
        /// How much it holds.
        found: u64,
        /// How much it may hold.
        limit: u64,
    },
}

/// A message whose fields can be held against their limits.
pub trait Message: Encode + codec::Decode {
    /// Checks every collection and length in the message.
    fn check(&self) -> Result<(), DecodeError>;
}

/// Encodes a message for the wire. The encoding of a message that passes [`Message::check`] is
/// never longer than [`limits::MESSAGE_BYTES_MAX`].
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.encode()
}

/// Decodes and checks a peer's bytes.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, DecodeError> {
    if bytes.len() > limits::MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLarge { bytes: bytes.len() });
    }
    let message = M::decode_all(&mut &bytes[..]).map_err(|_| DecodeError::Malformed)?;
    message.check()?;
    Ok(message)
}
