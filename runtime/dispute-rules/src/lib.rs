//! The rules of disputes, as pure functions: whether signed data prove that somebody lied, who, and
//! what that costs. The pallet keeps bonds and open disputes and does what a [`Ruling`] names; whoever
//! thinks of a dispute asks the same functions first.
//!
//! | module | question it answers |
//! | --- | --- |
//! | [`evidence`] | what can be shown, and how large it may be |
//! | [`facts`] | what does the chain tell of job, batch, group and device? |
//! | [`mod@decide`] | what follows from evidence and facts? |
//! | [`proof`] | is this a verdict of the batch, is this an entry of the log that was certified? |
//! | [`verdict`] | is a verdict one that the rules give? |
//! | [`question`] | what has a coordinator to show when it is asked, and did it? |
//! | [`sum`] | do a batch's payouts follow from its verdicts? |
//! | [`penalty`] | how much does the loser lose, and who gets it? |
//! | [`ruling`] | the answers to all of these |
//! | [`open`] | what is kept of a dispute that is not decided at once |
//!
//! Nobody is convicted by what somebody else could have made: all that convicts is signed by who is
//! convicted, or hangs on a root that they put on the chain. Evidence about another job, place or chain
//! is refused and costs its sender the fee; evidence that is in order and proves nothing costs the bond.
//!
//! Signatures are checked by what is passed in ([`Signatures`]), because the chain has a faster way than
//! its clients.

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

pub mod decide;
pub mod evidence;
pub mod facts;
pub mod open;
pub mod penalty;
pub mod proof;
pub mod question;
mod referees;
pub mod ruling;
mod signatures;
pub mod sum;
mod trust;
mod twice;
pub mod verdict;
mod worker;

pub use decide::decide;
pub use evidence::{Evidence, Subject};
pub use facts::Facts;
pub use question::{Question, Reply};
pub use referees::referees_needed;
pub use ruling::{Refusal, Ruling};
pub use signatures::{Ed25519, Signatures};
pub use sum::Sum;
