//! The judge: from what devices said about a task to the task's verdict.
//!
//! The judge is told which replicas exist and what came of each, and says whether an answer is
//! accepted, whether more replicas are needed, or whether it still waits. It knows nothing of
//! queues, time, networks or money; it cannot be talked to by devices.
//!
//! An answer is accepted when more than half of the replicas heard, and at least the agreement's
//! quorum, gave it, each from another account. The case stays open until every replica is accounted
//! for, or as many accounts have answered as the agreement asks for, so that those who were right are
//! all paid and those who were wrong are all found.

// Money is decided here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

mod case;
mod receipt;

pub use case::{Case, Decision, Hearing, Testimony};
pub use receipt::{Expected, ReceiptFault, check_receipt, receipt_digest};
