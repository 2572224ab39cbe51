//! What the machine's owner is told, in the log.

use crate::core::Notice;

/// Bytes of a MiB.
const MIB: u64 = 1024 * 1024;

/// Tells the machine's owner.
pub(super) fn log(notice: &Notice) {
    match notice {
        Notice::Welcomed { masternode } => tracing::info!(%masternode, "let in"),
        Notice::Refused {
            masternode,
            refusal,
            pause_ms,
        } => {
            tracing::warn!(%masternode, again_in_ms = pause_ms, "refused: {refusal}");
        }
        Notice::Acknowledged { id } => tracing::info!(?id, "acknowledged"),
        Notice::Discarded { id, reason } if reason.is_fault() => {
            tracing::warn!(
                job = %id.job, task = id.task, ?reason,
                "the masternode refuses what this machine shows or reports; if it says so often, look at the machine's memory"
            );
        }
        Notice::Discarded { id, reason } => {
            tracing::debug!(job = %id.job, task = id.task, ?reason, "not wanted any more");
        }
        Notice::NotDone { id, fault } => {
            tracing::warn!(job = %id.job, task = id.task, "a task was not done: {fault}");
        }
        Notice::TooLarge {
            id,
            memory_bytes,
            memory_bytes_max,
        } => tracing::warn!(
            job = %id.job,
            task = id.task,
            "not taken: a task of this job may need {} MiB of memory, and `limits.memory_mib` and \
             `availability.memory_percent` leave {} MiB to one",
            memory_bytes.div_ceil(MIB),
            memory_bytes_max / MIB,
        ),
        Notice::Withheld { verdict } => tracing::info!("withheld: {verdict}"),
        Notice::Available => tracing::info!("available again"),
        Notice::Stopping { finishes: Some(id) } => {
            tracing::info!(job = %id.job, task = id.task, "stopping when the running task has ended");
        }
        Notice::Stopping { finishes: None } => tracing::info!("stopping"),
    }
}
