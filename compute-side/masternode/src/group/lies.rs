//! A log that breaks a rule, once the chain has settled a batch that rests on it: it is shown to the chain,
//! with the bond of a dispute from this masternode's account.
//!
//! A coordinator whose log was found out gets no certificate here. If it settles all the same, others have
//! certified it, and what proves the lie is in the copy of the log. The court's own rules are asked before,
//! so that no bond is put up for what the chain would call unfounded.

use super::copies::{self, Writer};
use crate::{
    daemon::Shared,
    store::{Base, StoreError},
};
use quern_dispute_rules::{
    evidence::LEAF_BYTES_MAX,
    open::Matter,
    sum::{STEP_VERDICTS_MAX, Step},
};
use quern_joblog::SignedBlock;
use quern_ledger::{Call, ChainError, State, SubmitError};
use quern_primitives::{Digest, JobId, ids::BatchSequence};
use quern_recheck::{Difference, Filing, OnChain, RecheckFault, Showing, Unfiled, check_evidence};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Pause between two looks at whether the chain has settled something that rests on a lie. The shortest
/// window of a chain with money at stake is many times as long.
pub(super) const LOOK: Duration = Duration::from_secs(6);

/// A lie that was found.
#[derive(Clone)]
pub(super) struct Lie {
    pub(super) job: JobId,
    /// The place of who wrote the log in the job's group.
    pub(super) place: u8,
    /// What was settled before that log began.
    pub(super) base: Base,
    pub(super) fault: RecheckFault,
    /// The block that does not follow, if that is the lie: it is not in the copy.
    pub(super) refused: Option<SignedBlock>,
    /// The chunk roots of the job's shards.
    pub(super) roots: Vec<Digest>,
}

/// Why it could not be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum LieError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error("the copy of the log was not read to its end")]
    Unread,
    #[error("a verdict of the log is longer than one may be")]
    TooLong,
}

/// What came of a look.
enum Outcome {
    /// Nothing that rests on it is settled yet.
    Wait,
    /// It was shown, in this block.
    Shown(u32),
    /// It never will be.
    Never(String),
}

/// Shows a lie to the chain as soon as that decides it; ends when it is shown, or will not be.
pub(super) async fn show(shared: Arc<Shared>, lie: Lie) {
    let job = lie.job;
    while !shared.commands.is_closed() {
        match look(&shared, &lie).await {
            Ok(Outcome::Wait) => {}
            Ok(Outcome::Shown(block)) => {
                tracing::warn!(%job, block, "a coordinator's lie was shown to the chain");
                return;
            }
            Ok(Outcome::Never(why)) => {
                tracing::warn!(%job, why, "a coordinator's lie is not shown to the chain");
                return;
            }
            // To be refused costs the fee, and would cost it each time. Another member may have shown it first.
            Err(LieError::Submit(refused @ SubmitError::Refused { .. })) => {
                let why = &refused as &dyn std::error::Error;
                tracing::warn!(%job, why, "a coordinator's lie is not shown to the chain");
                return;
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%job, error, "a coordinator's lie could not be shown; trying again");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(shared: &Arc<Shared>, lie: &Lie) -> Result<Outcome, LieError> {
    let (job, state) = (lie.job, shared.chain.at_finalised().await?);
    let Some(known) = on_chain(&state, job, lie.base.first).await? else {
        return Ok(Outcome::Never("the chain has forgotten the job".into()));
    };
    let is_open = known.job.state.is_open();
    let (evidence, verdicts) = match filing(shared, lie, known).await? {
        Ok(Filing::Can { evidence, verdicts }) => (evidence, verdicts),
        Ok(Filing::Cannot(Unfiled::NoBatch)) | Err(Unfiled::NoBatch) if is_open => {
            return Ok(Outcome::Wait);
        }
        Ok(Filing::Cannot(why)) | Err(why) => return Ok(Outcome::Never(why.to_string())),
    };
    let steps = steps(&verdicts).ok_or(LieError::TooLong)?;
    let facts = state
        .court_facts(&evidence.subject(), shared.genesis)
        .await?;
    let proved = state.convictions(job).await?;
    if let Err(losing) = check_evidence(&evidence, &steps, facts.as_ref(), &proved) {
        return Ok(Outcome::Never(losing.to_string()));
    }
    let block = send(shared, &Call::Dispute(evidence)).await?;
    if steps.is_empty() {
        return Ok(Outcome::Shown(block));
    }
    add_up(shared, job, steps).await.map(Outcome::Shown)
}

/// What the chain has of a job's batches, of a log that begins with this one; none if it has forgotten the job.
pub(super) async fn on_chain(
    state: &State,
    job: JobId,
    first: BatchSequence,
) -> Result<Option<OnChain>, LieError> {
    let Some(known) = state.job(job).await? else {
        return Ok(None);
    };
    let mut on_chain = OnChain {
        batches: BTreeMap::new(),
        kept: BTreeMap::new(),
        job: known,
    };
    // Those before are of another log.
    for sequence in first..on_chain.job.next_batch {
        let record = state.batch(job, sequence).await?;
        on_chain.batches.extend(record.map(|it| (sequence, it)));
    }
    for (sequence, _) in state.pending_of(job).await? {
        let batch = state.pending_batch(job, sequence).await?;
        on_chain.kept.extend(batch.map(|it| (sequence, it)));
    }
    Ok(Some(on_chain))
}

/// What the chain would be shown, from the copy of the log.
async fn filing(
    shared: &Arc<Shared>,
    lie: &Lie,
    on_chain: OnChain,
) -> Result<Result<Filing, Unfiled>, LieError> {
    let (shared, lie) = (shared.clone(), lie.clone());
    let read = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
        let difference = Difference::from(lie.fault);
        let mut showing = match Showing::of(lie.job, &difference, &on_chain) {
            Ok(showing) => showing,
            Err(why) => return Ok(Err(why)),
        };
        copies::read(&shared.store, lie.job, Writer::Member(lie.place), |block| {
            showing.take(block);
            true
        })?;
        lie.refused.iter().for_each(|block| showing.take(block));
        Ok(Ok(showing.filing(&lie.roots)))
    });
    Ok(read.await.map_err(|_| LieError::Unread)??)
}

/// Verdicts as the chain takes them, so many at a time.
fn steps(verdicts: &[Vec<u8>]) -> Option<Vec<Step>> {
    let step = |some: &[Vec<u8>]| -> Option<Step> {
        let mut step = Step::default();
        for leaf in some {
            let leaf = Some(leaf.clone()).filter(|it| it.len() <= LEAF_BYTES_MAX as usize)?;
            step.try_push(leaf.try_into().ok()?).ok()?;
        }
        Some(step)
    };
    let steps = verdicts.chunks(STEP_VERDICTS_MAX as usize).map(step);
    steps.collect()
}

/// Has the chain add up the verdicts of a dispute that was just begun. Gives the last block.
async fn add_up(shared: &Arc<Shared>, job: JobId, steps: Vec<Step>) -> Result<u32, LieError> {
    let state = shared.chain.at_finalised().await?;
    let (me, mut block) = (shared.account.id(), state.block().number);
    let open = state.disputes(Some(job)).await?;
    let own = open
        .into_iter()
        .find(|view| view.dispute.disputer == me && matches!(view.dispute.matter, Matter::Adding));
    let Some(own) = own else {
        return Ok(block);
    };
    let done = own.verdicts as usize;
    for verdicts in steps.into_iter().skip(done / STEP_VERDICTS_MAX as usize) {
        let call = Call::AddToDispute {
            dispute: own.id,
            verdicts,
        };
        block = send(shared, &call).await?;
    }
    Ok(block)
}

pub(super) async fn send(shared: &Shared, call: &Call) -> Result<u32, SubmitError> {
    let sent = {
        let _turn = shared.sending.lock().await;
        shared.chain.send(&shared.account, call).await?
    };
    Ok(sent.settled().await?.block.number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_added_up_in_steps_as_long_as_the_chain_takes_them() {
        let verdicts: Vec<Vec<u8>> = (0..=STEP_VERDICTS_MAX)
            .map(|number| number.to_be_bytes().to_vec())
            .collect();
        let steps = steps(&verdicts).unwrap();
        let lengths: Vec<usize> = steps.iter().map(|step| step.len()).collect();
        assert_eq!(lengths, [STEP_VERDICTS_MAX as usize, 1]);
        assert_eq!(steps[1][0].to_vec(), verdicts[STEP_VERDICTS_MAX as usize]);
        assert_eq!(super::steps(&[]), Some(vec![]));
        let long = vec![0; LEAF_BYTES_MAX as usize + 1];
        assert_eq!(super::steps(&[long]), None);
    }
}
