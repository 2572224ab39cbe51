//! The judge: from what devices said about a task to the task's verdict.
//!
//! The judge is told which replicas exist and what came of each, and says whether an answer is
//! accepted, whether more replicas are needed, or whether it still waits. It knows nothing of
//! queues, time, networks or money; it cannot be talked to by devices.
//!
//! Where answers are counted ([`Agreement::Majority`]), one is accepted when more than half of the
//! accounts heard, and at least the agreement's quorum, gave it. The case stays open until every replica
//! is accounted for, or as many accounts have answered as the agreement asks for, so that those who were
//! right are all paid and those who were wrong are all found.
//!
//! Where they are compared ([`Agreement::Unanimous`], and [`Agreement::Adaptive`] beyond the device that is
//! believed alone), two accounts that agree decide. If any two differ the case wants a referee, whose
//! answer is computed and so decides alone. Only if none can be had is it voted, and the verdict says so.
//! That a program fails ends a job, so it takes two machines to say it, in every mode: of a referee too it
//! is believed only where a device gave the same answer.
//!
//! [`Agreement::Majority`]: quern_primitives::job::Agreement::Majority
//! [`Agreement::Unanimous`]: quern_primitives::job::Agreement::Unanimous
//! [`Agreement::Adaptive`]: quern_primitives::job::Agreement::Adaptive

// Money is decided here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

mod again;
mod case;
mod receipt;
mod trust;

pub use again::{SEED_BLOCKS, is_re_executed, re_executed_by, seed};
pub use case::{Case, Decision, Hearing, Testimony};
pub use quern_primitives::receipt::receipt_digest;
pub use receipt::{Expected, ReceiptFault, check_receipt, check_statement};
pub use trust::is_trusted_alone;
