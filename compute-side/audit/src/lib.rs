//! The ledger played again: where every unit of money is, by the chain's own events.
//!
//! ```text
//! read(events)                 what moved money in a block, each movement from one purse to another,
//!                              and what it was for
//! Replay::begin(snapshot)      the money as it was before the first block that is read
//!   .take(block)               the block's movements, held to the laws below
//!   .compare_totals(totals)    what the chain says of all money
//!   .compare(snapshot)         what it says of each account and each job
//!   .differences()             what does not fit, with block, transaction and the numbers of both sides
//! ```
//!
//! The laws:
//!
//! - money leaves a purse that has it, and what is taken as a fee is given out in the same transaction;
//! - *issuance = genesis + minted - burnt* at every block, and is the sum of all balances. Only a recorded
//!   purchase mints;
//! - out of a bond money goes back to who put it up, or it is lost: then an event of the pallet that keeps
//!   the bond says so;
//! - what is held on an account as escrow is the sum over its open jobs, and for each job
//!   *deposited = paid + network + refunded + held*;
//! - each batch follows the one before without a gap, pays what it says that it pays, and settles only
//!   tasks that were not settled before;
//! - a job that ended holds nothing and moves nothing.
//!
//! Nobody is believed here: what the chain says of a job in an event is compared with what moved, and a
//! movement that no event explains is a difference. A difference is data and no error; the replay goes on
//! behind it with what moved.
//!
//! The state is one entry for each account that has money and one for each job there ever was; an open job
//! has a bit for each task as well. Blocks are forgotten once they are taken, and no more than
//! [`DIFFERENCES_MAX`] differences are kept; the others are counted.

// Money is counted here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

mod compare;
mod difference;
mod event;
mod jobs;
mod movement;
mod replay;
mod snapshot;
mod tasks;

pub use difference::{Difference, Place, Side, TotalName};
pub use event::{Event, read};
pub use movement::{
    Block, Entry, Finalised, Kind, Movement, Note, Purse, Reason, Settled, Settlement, Statement,
    Struck, What,
};
pub use replay::{DIFFERENCES_MAX, Replay};
pub use snapshot::{Account, JobAccount, PendingAccount, Snapshot};
pub use tasks::{Tasks, TasksError};
