//! What a masternode of a contract's group does so that its pieces are kept: which device takes which piece, who is
//! asked to prove it, whose word is gathered for the chain, who is challenged there, and what is made again of others.
//!
//! | module | what it says |
//! | --- | --- |
//! | [`limits`] | every bound, and why |
//! | `event` | what happens, and what is to be done |
//! | `piece` | what is known of a piece: who holds it, and how far it is with who is to |
//! | `placing` | which device takes a piece |
//! | `proving` | a period: who has proved what |
//! | `mending` | what is brought here, made again and erased |
//! | `keeping` | all of it: events in, effects out |
//!
//! All of it is pure: no clock, no chance, no input or output. What the chain says comes with [`Event::Seen`], of
//! finalised blocks alone, and time is that of the chain's clock of finality: a period is a part of it, and nothing
//! here is in a hurry of seconds. Whoever carries out an [`Order`] tells what came of it, once, however long that
//! takes; what was not heard of is an outcome too.
//!
//! # A piece's way
//!
//! ```text
//! Brought ─► Take ─► Has ─► Sign ─► Signed ─► Hold ─► Seen: it is held ─► Erase, once as many hold it as shall
//!                                                       │ each period
//!                                   Prove ─► Proved ─► Certify ─► Seen: it is paid
//!                                     └► not in time ─► Challenge ─► Seen: answered, or not held any more
//!                                                                        └► Fetch or Make ─► Take …
//! ```
//!
//! # Several masternodes
//!
//! Every member of the group runs this and sees the same chain. The first in the order of the group acts at once, each
//! further one only where nothing has become of it for a while ([`limits::TURN_PERMILLE`] of a period each): what it
//! would do then is not yet done. That two act at the same time harms nobody, since the chain takes each thing once.

mod event;
mod keeping;
pub mod limits;
mod mending;
mod piece;
mod placing;
mod proving;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

pub use event::{Candidate, Event, Order, OrderId, Outcome, Seen};
pub use keeping::Keeping;
