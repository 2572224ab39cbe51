//! Holds a job's log to the rules, so that who signs a batch beside its coordinator, and who audits it
//! years later, believes nothing that was not looked at.
//!
//! A [`Recheck`] follows the log block by block and computes everything anew that follows from it: who
//! may have a replica, whether a receipt is that replica's, what the judge says over exactly what was
//! heard, what is paid, and what a batch has to say. It is told what the chain says by [`ChainFacts`].
//! What does not come out the same is a [`RecheckFault`], which names the entries that prove it and the
//! dispute that it is.
//!
//! Which devices are believed alone is drawn from a seed that the chain does not have. Who has it from the
//! owner, or the job's key, gives it ([`Recheck::with_trust_seed`]), and then the draw is held to the rules
//! too. Who does not believes the coordinator as far as the device's record, which is on the chain, allows.
//!
//! A coordinator that rechecks its own log has checked each signature when it took the answer. It may leave
//! them out ([`Recheck::without_signatures`]); nobody else may.
//!
//! It keeps the cases that are open and the verdicts that no batch has; of what is settled it keeps
//! where the verdict stands. So a member of a job's group keeps up with the coordinator in memory that
//! does not grow with the log.
//!
//! A [`JobAudit`] does that for who audits a whole job, and holds what the chain settled to the log as
//! well; what does not fit is a [`Difference`], and a [`Showing`] makes of it what the chain is shown. A job
//! that was taken over has a log of each of its [`Turns`], and a [`JobAudited`] is made of all of them.
//! [`check_evidence`] says beforehand whether a bond would be lost with it.
//!
//! It knows nothing of the scheduler: to whom of those who may have a replica it is given, and when a
//! backup is made, is the coordinator's to choose.

// Money is decided here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

mod accusing;
mod audit;
mod compare;
mod court;
mod difference;
mod exhibits;
mod facts;
mod fault;
mod losing;
mod receipts;
mod recheck;
mod settle;
mod showing;
mod task;
mod turns;
mod unrefereed;

pub use accusing::Accusing;
pub use audit::{Audited, Inputs, JobAudit, writer_of};
pub use compare::{OnChain, stands};
pub use difference::{Difference, Part, SumOf};
pub use exhibits::{Exhibits, Shown};
pub use facts::{ChainFacts, DeviceFacts, HEIGHT_LAG_MAX, Wanted};
pub use fault::{
    AssignmentFault, BatchFault, CommitmentFault, Dispute, EndFault, ExpectError, OrderFault,
    RecheckFault, RefereeFault, RevealFault, VerdictFault,
};
pub use losing::{Losing, check_evidence};
pub use receipts::{ReceiptsFault, verify_receipts};
pub use recheck::{EXPECTED_MAX, Recheck};
pub use showing::{Filing, Showing, Unfiled};
pub use turns::{AuditedTurn, Base, Coordinator, JobAudited, Turn, Turns, TurnsError};
pub use unrefereed::{
    Asking, CLOSING_BLOCKS, Unrefereed, UnrefereedFault, check_unrefereed, is_closing,
};
