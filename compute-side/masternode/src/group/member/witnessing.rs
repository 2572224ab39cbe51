//! Settled tasks that a member computes for another one that accuses a device.

use super::Members;
use crate::{core::Truth, daemon::Shared};
use codec::Encode as _;
use quern_jobs_api::{Blob, GroupError, WitnessRequest, Witnessing};
use quern_ledger::ChainError;
use quern_primitives::{
    JobId, TaskIndex,
    group::Group,
    ids::NodeKey,
    payload::{NodeSignature, Signature as _, SignedPayload as _},
};

impl Members {
    /// Computes a settled task for another member that accuses a device, and tells how far that is.
    pub(crate) async fn witness(
        &self,
        request: WitnessRequest,
        signature: &[u8],
    ) -> Result<Witnessing, GroupError> {
        let _place = self.answering.try_acquire().map_err(|_| GroupError::Busy)?;
        let (shared, own) = (&self.shared, self.shared.node.public());
        let digest = request.signing_digest(&shared.genesis);
        let signature = signature.try_into().map(NodeSignature);
        let is_signed = signature.is_ok_and(|it| it.holds(&digest, &request.asker));
        if !is_signed || request.witness != own || request.asker == own {
            return Err(GroupError::NotAsked);
        }
        let (job, task) = (request.job, request.task);
        let group = match is_pending(shared, job, task).await {
            Ok(Some(group)) => group,
            Ok(None) => return Err(GroupError::NotPending),
            Err(_) => return Err(GroupError::Starting),
        };
        let has_say = |key: &NodeKey| {
            let mut members = group.members.iter();
            members.any(|member| member.node == *key && !member.is_out)
        };
        if !has_say(&own) {
            return Err(GroupError::NotMember);
        }
        if !has_say(&request.asker) {
            return Err(GroupError::NotAsked);
        }
        let told = self.accuser.look(job, task).await?;
        Ok(witnessing(told.as_deref()))
    }
}

/// The group of a job of which a pending batch settles a task.
async fn is_pending(
    shared: &Shared,
    job: JobId,
    task: TaskIndex,
) -> Result<Option<Group>, ChainError> {
    let state = shared.chain.at_finalised().await?;
    let Some(known) = state.job(job).await? else {
        return Ok(None);
    };
    for (sequence, _) in state.pending_of(job).await? {
        let Some(batch) = state.pending_batch(job, sequence).await? else {
            continue;
        };
        let set = quern_job_rules::tasks::validate(&batch.tasks, known.submission.tasks);
        if set.is_ok_and(|set| set.iter().any(|it| it == task)) {
            return state.group(job).await;
        }
    }
    Ok(None)
}

/// As it is told to who asked.
fn witnessing(truth: Option<&Truth>) -> Witnessing {
    match truth {
        None => Witnessing::Computing,
        Some(truth) => Witnessing::Computed {
            report: Blob(truth.report.encode()),
        },
    }
}
