//! The rules of custody, as pure functions: what may happen to a contract and to who holds its pieces, what
//! they are asked, whether an answer proves anything, and what follows if none comes. The pallet keeps the
//! state and moves the money that these functions name; owners, masternodes and holders ask the same ones.
//!
//! | module | question it answers |
//! | --- | --- |
//! | [`life`] | may a contract be opened, prolonged, ended, closed, and what goes back? |
//! | [`holding`] | may a device take a piece, give it up, be forgotten? |
//! | [`pay`] | what does a period of a piece cost, who gets what of it, and is it paid yet? |
//! | [`audit`] | what does an owner ask in private, and is that the answer? |
//! | [`drawn`] | which chunks does a public challenge ask for? |
//! | [`challenge`] | may a challenge be opened, is it answered, is it missed? |
//! | [`proof`] | is this at its place of that tree? |
//! | [`steps`] | what follows from a miss, and what does it cost? |
//! | [`mismatch`] | is a piece another than its contract says? |
//!
//! Time is the chain's clock of finality, in blocks. Amounts are whole units: prices and shares round down,
//! and what rounding leaves is the treasury's. Functions are total: on any input they answer with a value or
//! a typed error, and a value that is refused changes nothing.
//!
//! No money moves against a holder but after a challenge that it did not answer, drawn by the chain over the
//! root and length that it signed. Nothing that only an owner says counts against it.

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

pub mod audit;
pub mod challenge;
pub mod drawn;
pub mod holding;
pub mod life;
pub mod mismatch;
pub mod pay;
pub mod proof;
pub mod steps;
