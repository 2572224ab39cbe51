//! What one peer of a swarm does: what it computes, claims, fetches, checks and believes, so that a group
//! computes a task with no server. Every peer runs the same rules, and none decides for another.
//!
//! | module | what it says |
//! | --- | --- |
//! | [`limits`] | every bound, and why |
//! | [`message`] | what peers say to each other, and how it is read |
//! | `event` | what happens, and what is to be done |
//! | `keys` | signing and checking |
//! | `weight`, `order` | in which order each computes what is missing |
//! | `claims` | who computes what now |
//! | `pace` | how long a piece takes |
//! | `pieces` | who made what, and what is here |
//! | `belief` | whose pieces count, and who was caught |
//! | `neighbours` | who is connected, and whom to connect to |
//! | `rules` | all of it: events in, effects out |
//!
//! All of it is pure: no clock, no chance but what follows from a seed, no input or output. It sees no byte
//! of a piece: whoever carries out the effects hashes what comes and what came out.
//!
//! # A piece's way
//!
//! ```text
//! Compute ─► Computed ─► Store ─► Stored ─► Have ─► others: Fetch ─► Fetched ─► Store ─► Stored ─► Have
//!    │                                       │
//!    └ Claim: nobody else begins it          └ at the latest when nothing is missing, some are computed
//!                                              again: Checked, and so it is known whose pieces count
//! ```
//!
//! Effects are carried out in order. A piece is announced when it is on the disk, and what was found of
//! another's is kept before it is said; so whatever was said is still there after a break.
//!
//! This room knows nothing of sockets, disks, processes or the chain.

// What strangers send decides here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

mod belief;
mod bits;
mod claims;
mod event;
mod keys;
pub mod limits;
pub mod message;
mod neighbours;
mod order;
mod pace;
mod pieces;
mod rules;
mod tick;
mod weight;

pub use belief::Standing;
pub use event::{Bytes, Effect, Event, Fault, FetchFault, Output, Why};
pub use keys::Keys;
pub use message::PeerId;
pub use rules::{Progress, Rules, Setup, Task};
pub use tick::Tick;
