//! A job's masternodes among themselves: each hands its log on to the others as it grows, and asks for their
//! word on a batch, or that a job cannot go on; each follows the others' logs, and holds them to the rules by
//! its own view of the chain; and who has its turn goes on when the one before is silent.
//!
//! | module | what it is about |
//! | --- | --- |
//! | `accusing` | what the chain is shown of a device or a referee that masternodes contradict |
//! | `witnesses` | what others of a group compute of such a task |
//! | `witnessed` | what of that an owner is told |
//! | `computations` | tasks that are computed for others |
//! | `doubles` | two answers of a device for one replica |
//! | `counted` | what of it the chain has counted, from which is drawn what is computed again here |
//! | `copies` | logs on this masternode's disk, block by block |
//! | `lies` | what the chain is shown of a log that breaks a rule |
//! | `member` | a log that another masternode writes: kept, rechecked, certified |
//! | `view` | what the chain says, for that recheck |
//! | `peers` | the other members, as a coordinator talks to them |
//! | `referees` | tasks that other members compute for a coordinator |
//! | `jury` | whom of them it asks, and whether what they say decides |
//! | `turns` | taking a job over |

mod accusing;
mod computations;
mod copies;
mod counted;
mod doubles;
mod jury;
mod lies;
mod member;
mod peers;
mod referees;
mod turns;
mod view;
mod witnessed;
mod witnesses;

pub(crate) use accusing::Accuser;
pub(crate) use counted::{Awaited, Counting};
pub(crate) use member::Members;
pub(crate) use peers::{Peers, replicate, urls};
pub(crate) use referees::referee;
pub(crate) use turns::{SettledError, settled_before, take_turns};
pub(crate) use witnessed::Witnessed;

use quern_jobs_api::GroupError;
use quern_primitives::JobId;

/// What a member is asked to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A batch.
    Batch,
    /// That a job cannot go on.
    End,
}

/// What other members are told where something of a job cannot be read; why, the operator is.
fn not_read(job: JobId, error: &(dyn std::error::Error + 'static)) -> GroupError {
    tracing::warn!(%job, error, "cannot read a job's files");
    GroupError::Storage
}
