//! What a member signs: a batch, or that a job cannot go on, as its own copy of the log has it.

use super::{Follower, Members, Part};
use crate::{core::Entry, group::About};
use quern_joblog::{Certificate, SignedBlock};
use quern_jobs_api::GroupError;
use quern_primitives::{Digest, GenesisHash, JobId, ids::BatchSequence};
use quern_recheck::{Asking, EndFault, Unrefereed, UnrefereedFault, check_unrefereed, is_closing};
use std::time::Instant;

impl Members {
    /// Signs a batch, or the end of a job that cannot go on, if it is what follows from the copy of the log
    /// that is here, all of which is checked before. It is on disk before it is given out; under one number
    /// of one log nothing else is ever given out, neither for a batch nor for the end.
    pub(crate) async fn certify(
        &self,
        id: JobId,
        about: About,
        sequence: BatchSequence,
        (index, head): (u64, Digest),
    ) -> Result<[u8; 64], GroupError> {
        let _place = self.answering.try_acquire().map_err(|_| GroupError::Busy)?;
        let part = self.part(id).await?;
        let follower = self.follower(id, part.turn);
        let mut follower = follower.lock().await;
        let follower = self.opened(&mut follower, id, &part).await?;
        let next = follower.replay.next_index();
        if index >= next {
            return Err(GroupError::Behind { next });
        }
        self.check(follower, id, &part).await?;
        let found = found(follower, about, sequence)?;
        let certificate = agreed(found, (sequence, index, head)).ok_or_else(|| other(about))?;
        self.check_unrefereed(id, &part, unrefereed(follower, about, sequence))
            .await?;
        self.give_once(id, &part, about, certificate).await
    }

    /// That this masternode saw itself what the log says of these tasks: that no referee can be had.
    async fn check_unrefereed(
        &self,
        id: JobId,
        part: &Part,
        tasks: Vec<Unrefereed>,
    ) -> Result<(), GroupError> {
        if tasks.is_empty() {
            return Ok(());
        }
        // Who asks and does not wait for what comes out is not certified before it has.
        let (mut computing, now) = (tasks.iter().map(|(task, _)| *task), Instant::now());
        if let Some(task) = computing.find(|task| self.refereeings.is_awaited(id, *task, now)) {
            let why = format!("task {task} is still computed here; ask again in a moment");
            return Err(GroupError::Unrefereed { why });
        }
        // Who has no say any more counts as one of the group, as for whoever reads the log.
        let are_several = part.job.submission.referees.quorum(part.others) > 1;
        // A copy of a log may be read a little earlier or later than it was written, so it is looked at again.
        let closing = is_closing(&part.job, part.at).then_some(Asking::Closing);
        let (shared, turn) = (self.shared.clone(), part.turn);
        let checked = tokio::task::spawn_blocking(move || {
            for unrefereed in tasks {
                let seen = shared.store.asking(id, turn, unrefereed.0);
                let seen = seen.map_err(|_| GroupError::Storage)?.or(closing);
                check_unrefereed(unrefereed, seen, are_several).map_err(not_seen)?;
            }
            Ok(())
        });
        checked.await.map_err(|_| GroupError::Storage)?
    }

    /// Signs something, and remembers that before it is given out.
    async fn give_once(
        &self,
        id: JobId,
        part: &Part,
        about: About,
        certificate: Certificate,
    ) -> Result<[u8; 64], GroupError> {
        let signed = self.shared.node.sign(certificate, &self.shared.genesis);
        let (shared, turn) = (self.shared.clone(), part.turn);
        let kept = tokio::task::spawn_blocking(move || shared.store.certify_once(turn, &signed));
        let kept = kept.await.map_err(|_| GroupError::Storage)?;
        let kept = kept.map_err(|_| GroupError::Storage)?;
        if kept.payload != certificate {
            return Err(other(about));
        }
        let (by, number) = (&part.coordinator.account, certificate.sequence);
        match about {
            About::Batch => tracing::info!(job = %id, batch = number, %by, "certified a batch"),
            About::End => tracing::info!(job = %id, %by, "certified that a job cannot go on"),
        }
        Ok(kept.signature.0)
    }
}

/// What is to be said, as far as a copy of a log was checked; none if it has no such batch.
fn found(
    follower: &Follower,
    about: About,
    sequence: BatchSequence,
) -> Result<Option<Certificate>, GroupError> {
    match about {
        About::Batch => Ok(follower.batches.get(&sequence).copied()),
        About::End => {
            let checked = follower.checked.as_ref();
            let failure = checked.map(|checked| checked.recheck.failure());
            failure.transpose().map_err(not_ended)
        }
    }
}

/// The tasks without a referee's word on which it rests.
fn unrefereed(follower: &Follower, about: About, sequence: BatchSequence) -> Vec<Unrefereed> {
    let checked = follower.checked.as_ref();
    checked.map_or_else(Vec::new, |checked| match about {
        About::Batch => checked.recheck.unrefereed(sequence).to_vec(),
        About::End => checked.recheck.unrefereed_end().into_iter().collect(),
    })
}

fn not_seen(fault: UnrefereedFault) -> GroupError {
    GroupError::Unrefereed {
        why: fault.to_string(),
    }
}

/// Something else was found, or certified.
fn other(about: About) -> GroupError {
    match about {
        About::Batch => GroupError::OtherBatch,
        About::End => GroupError::OtherEnd,
    }
}

/// Why the end of a job is not certified.
fn not_ended(fault: EndFault) -> GroupError {
    let why = fault.to_string();
    match fault {
        EndFault::Log(_) => GroupError::Differs { why },
        EndFault::NoFailure | EndFault::Owed { .. } => GroupError::NotEnded { why },
    }
}

/// What is to be said of the batches that a block has.
pub(super) fn words_on(
    block: &SignedBlock,
    genesis: &GenesisHash,
) -> Vec<(BatchSequence, Certificate)> {
    let header = &block.header.payload;
    let (index, head) = (header.index, header.hash(genesis));
    let batches = block.entries.iter().filter_map(|entry| match entry {
        Entry::Batched { batch } => Some((batch.sequence, Certificate::of(batch, index, head))),
        _ => None,
    });
    batches.collect()
}

/// What was found, if it has the number and rests on the block that are asked about.
fn agreed(found: Option<Certificate>, asked: (BatchSequence, u64, Digest)) -> Option<Certificate> {
    found.filter(|it| (it.sequence, it.index, it.head) == asked)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{HERE, batch, log};
    use super::*;
    use quern_recheck::RecheckFault;

    #[test]
    fn a_batch_is_certified_with_the_block_that_has_it_and_with_no_other() {
        let block = SignedBlock::read(&log(3)[2]).unwrap();
        let words = words_on(&block, &HERE);
        let head = block.header.payload.hash(&HERE);
        assert_eq!(words, [(4, Certificate::of(&batch(4), 2, head))]);
        let found = Some(words[0].1);
        assert_eq!(agreed(found, (4, 2, head)), found);
        assert_eq!(agreed(found, (4, 3, head)), None);
        assert_eq!(agreed(found, (4, 2, Digest([9; 32]))), None);
        assert_eq!(agreed(None, (4, 2, head)), None);
    }

    #[test]
    fn an_end_is_certified_under_the_number_that_follows_from_the_log_and_under_no_other() {
        let end = Certificate::of(&batch(5), 7, Digest([8; 32]));
        assert_eq!(agreed(Some(end), (5, 7, end.head)), Some(end));
        for number in [4, 6] {
            assert_eq!(agreed(Some(end), (number, 7, end.head)), None);
        }
    }

    #[test]
    fn a_log_that_breaks_a_rule_is_told_from_one_that_shows_no_failure() {
        let wrong = not_ended(RecheckFault::InputRoots.into());
        assert!(matches!(wrong, GroupError::Differs { .. }));
        for fault in [EndFault::NoFailure, EndFault::Owed { task: 3 }] {
            let why = fault.to_string();
            assert_eq!(not_ended(fault), GroupError::NotEnded { why });
        }
    }
}
