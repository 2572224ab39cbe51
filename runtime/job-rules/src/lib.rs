//! The rules of a job, as pure functions: what it may cost, who gets what of it, what may happen to
//! it next. The pallet keeps the state and moves the money that these functions name; the judge and
//! the clients compute with the same functions, so that nobody has to guess what the chain will say.
//!
//! | module | question it answers |
//! | --- | --- |
//! | [`quote`] | may this be submitted, and what will it cost at most? |
//! | [`pay`] | what does a task cost, and what does each of its devices get? |
//! | [`split`] | what of a batch goes to operators and to the treasury? |
//! | [`value`] | what may a task cost, so that cheating with it loses? |
//! | [`instead`] | what would be taken in place of a task that costs more? |
//! | [`tasks`] | which tasks does a batch name, and are they still open? |
//! | [`settlement`] | does a batch fit its job? |
//! | [`exposure`] | does the bond of who settles cover what can still be taken back? |
//! | [`group`] | who is drawn for a job, who certifies it, and who takes it over? |
//! | [`operators`] | who of a job's group is paid for a batch, and how much? |
//! | [`life`] | what may happen to a job now, and where does its money go then? |
//!
//! Amounts are whole units and never round against the owner: prices and workers' shares round
//! down, and what rounding leaves of money already spent goes to the treasury. Functions are total:
//! on any input, hostile or absurd, they answer with a value or a typed error.

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

pub mod exposure;
pub mod group;
pub mod instead;
pub mod life;
pub mod operators;
pub mod pay;
pub mod quote;
pub mod settlement;
pub mod split;
pub mod tasks;
pub mod value;
