//! What an owner's program does with a job, from the file on disk to the checked result.
//!
//! ```text
//! Draft ──prepare──► JobFolder ──submit──► on the chain ──upload──► at its coordinator
//!                        │                                              │
//!                        └──────── collect ◄── results, as decided ─────┘
//! ```
//!
//! Everything that is needed later is in the job's folder before anything is spent, so that each
//! step can be repeated after a crash: submitting finds that the job is on the chain, uploading
//! resumes where it stopped, collecting fetches the results that are not in the folder. Tasks are
//! computed while shards are uploaded, and results fetched while tasks are computed. Where a settled task is
//! computed again and another answer comes out, [`correct()`] puts that in the place of the accepted one.
//!
//! An input that is elsewhere, at a URL or in a bucket of the owner's, is fetched into a file first ([`fetch_input`]).
//!
//! A folder becomes an input by the [`archive`] module, which also restores one. What strangers keep of a folder the
//! [`store`] module makes, and makes a folder of again.
//!
//! What the coordinator gets, the other masternodes of the job's group get as well ([`Members`]): they check
//! its log before they certify a batch, and one of them goes on with the job if it is silent.

pub mod archive;
mod collect;
mod coordinator;
mod correct;
mod fetched;
mod folder;
mod input;
mod log;
mod masternodes;
mod members;
mod prepare;
mod private;
pub mod store;
mod submit;
#[cfg(test)]
mod testing;
mod verify;

pub use collect::{CollectError, CollectProgress, Collector, collect};
pub use coordinator::{ApiFailure, Coordinator, CoordinatorError, UploadProgress};
pub use correct::{CorrectError, Corrected, Corrections, NotBelieved, Outcome, Refused, correct};
pub use fetched::{FetchInputError, FetchedInput, fetch_input};
pub use folder::{AcceptedWrong, FolderError, JobFolder};
pub use input::{CutInput, Input, InputError, ShardReader, cores};
pub use log::{FetchLogError, LogPart, fetch_copied_log, fetch_log};
pub use masternodes::{Masternode, Masternodes, UnreachableError};
pub use members::Members;
pub use prepare::{Draft, PrepareError, Terms, prepare};
pub use submit::{SubmitJobError, submit};
pub use verify::{
    Check, CheckKind, verify_accounts, verify_agreement, verify_batch, verify_file, verify_paid,
    verify_price, verify_program, verify_set_aside, verify_standing,
};
