//! Answers disputes over this masternode's batches in time, and ends those whose time is over.
//!
//! Whoever is asked and does not answer loses its bond, so this looks at every few blocks; who certified a
//! batch has its log as well and answers for its coordinator. A dispute that is over and that nobody ends
//! keeps a batch from being final.

use crate::{
    daemon::Shared,
    receipts::{Log, Outcome},
    store::StoreError,
};
use quern_dispute_rules::{
    Question, Reply,
    evidence::BatchName,
    open::{DisputeId, DisputeView, Matter},
};
use quern_jobs_api::ApiError;
use quern_ledger::{Call, ChainError, State, SubmitError};
use quern_primitives::{BlockNumber, JobId, limits::GROUP_MEMBERS_MAX};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Blocks between two looks: ten seconds. The shortest time for an answer is three times as long.
const LOOK_BLOCKS: BlockNumber = 5;

/// Blocks after which what was sent is sent again, if the dispute is still there: a transaction has got
/// into a block by then, or into none.
const AGAIN_BLOCKS: BlockNumber = 10;

/// Disputes that are looked after at a time; those whose time is over first come first.
const AT_A_TIME_MAX: usize = 32;

/// How long to wait before the chain is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// What is to be done about a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    /// Show what it asks for.
    Answer(DisputeId, BatchName, Question),
    /// End it, because its time is over.
    Expire(DisputeId),
}

/// When each dispute was last dealt with.
#[derive(Default)]
struct Tried(BTreeMap<DisputeId, BlockNumber>);

impl Tried {
    /// What is to be done at a height of the clock of finality, of all open disputes, by a masternode that
    /// has the logs of these jobs, of some of which only as copies. What is urgent comes first. What another
    /// masternode wrote that one answers for first, if it is not silent.
    fn due(
        &mut self,
        mut open: Vec<DisputeView>,
        (jobs, copied): (&BTreeSet<JobId>, &BTreeSet<JobId>),
        (clock, block): (BlockNumber, BlockNumber),
    ) -> Vec<Deed> {
        let known: BTreeSet<DisputeId> = open.iter().map(|view| view.id).collect();
        self.0.retain(|id, _| known.contains(id));
        open.retain(|view| jobs.contains(&view.dispute.batch.job));
        open.sort_by_key(|view| (view.dispute.until, view.id));
        let mut deeds = Vec::new();
        for view in open {
            let last = self.0.get(&view.id);
            let is_tried = last.is_some_and(|last| block < last.saturating_add(AGAIN_BLOCKS));
            if is_tried || deeds.len() >= AT_A_TIME_MAX {
                continue;
            }
            let deed = match view.dispute.matter {
                _ if clock > view.dispute.until => Deed::Expire(view.id),
                Matter::Asked(question) => Deed::Answer(view.id, view.dispute.batch, question),
                Matter::Adding => continue,
            };
            let is_first_look = self.0.insert(view.id, block).is_none();
            if !is_first_look || !copied.contains(&view.dispute.batch.job) {
                deeds.push(deed);
            }
        }
        deeds
    }
}

/// Why a dispute is not dealt with. It is tried again.
#[derive(Debug, thiserror::Error)]
enum DisputeError {
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was asked for is not in it.
    #[error("the log does not say what the dispute asks for")]
    Log(#[from] ApiError),
    /// The task that reads it stopped.
    #[error("the log was not read to its end")]
    Unread,
    /// The chain did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Looks after disputes until the masternode stops.
pub(crate) async fn look_after(shared: Arc<Shared>) {
    let mut tried = Tried::default();
    loop {
        if let Err(error) = follow(&shared, &mut tried).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the chain tells of no disputes; trying again");
        }
        if shared.commands.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(shared: &Arc<Shared>, tried: &mut Tried) -> Result<(), ChainError> {
    let mut blocks = shared.chain.finalised().await?;
    let mut looked: Option<BlockNumber> = None;
    loop {
        if shared.commands.is_closed() {
            return Ok(());
        }
        let state = shared.chain.at(blocks.next().await?).await?;
        let block = state.block().number;
        if looked.is_none_or(|last| block >= last.saturating_add(LOOK_BLOCKS)) {
            looked = Some(block);
            look(shared, tried, &state).await?;
        }
    }
}

/// Deals with what is due now.
async fn look(shared: &Arc<Shared>, tried: &mut Tried, state: &State) -> Result<(), ChainError> {
    let open = state.disputes(None).await?;
    if open.is_empty() {
        tried.0.clear();
        return Ok(());
    }
    let (jobs, copied) = match with_logs(shared) {
        Ok(jobs) => jobs,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cannot read which jobs there are");
            return Ok(());
        }
    };
    let now = (state.finality().await?.clock, state.block().number);
    for deed in tried.due(open, (&jobs, &copied), now) {
        // Each in its own time: one that waits for its block keeps no other back.
        let shared = shared.clone();
        tokio::spawn(async move {
            match carry_out(&shared, &deed).await {
                Ok(Some(block)) => tracing::info!(?deed, block, "dealt with a dispute"),
                Ok(None) => tracing::warn!(?deed, "the log has nothing that answers a dispute"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(?deed, error, "could not deal with a dispute; trying again");
                }
            }
        });
    }
    Ok(())
}

/// The jobs of which there are logs here, and those of which they are only copies.
fn with_logs(shared: &Shared) -> Result<(BTreeSet<JobId>, BTreeSet<JobId>), StoreError> {
    let (mut all, mut copied) = (BTreeSet::new(), BTreeSet::new());
    for (job, _) in shared.store.jobs()? {
        all.insert(job);
        if shared.store.read_log(job)?.length()? == 0 {
            copied.insert(job);
        }
    }
    Ok((all, copied))
}

/// Gives the block in which it was done; none if there is nothing to show.
async fn carry_out(shared: &Arc<Shared>, deed: &Deed) -> Result<Option<BlockNumber>, DisputeError> {
    let call = match deed {
        Deed::Expire(dispute) => Call::ExpireDispute(*dispute),
        Deed::Answer(dispute, batch, question) => {
            let Some(reply) = reply(shared, *batch, *question).await? else {
                return Ok(None);
            };
            Call::AnswerDispute {
                dispute: *dispute,
                reply: Box::new(reply),
            }
        }
    };
    let sent = {
        let _turn = shared.sending.lock().await;
        shared.chain.send(&shared.account, &call).await?
    };
    let settled = sent.settled().await?;
    Ok(Some(settled.block.number))
}

/// Reads what answers a question from the job's log.
async fn reply(
    shared: &Arc<Shared>,
    batch: BatchName,
    question: Question,
) -> Result<Option<Reply>, DisputeError> {
    let shared = shared.clone();
    let read = tokio::task::spawn_blocking(move || {
        let shown = in_log(&shared.store.read_log(batch.job)?, batch, &question)?;
        if shown.is_some() {
            return Ok::<_, DisputeError>(shown);
        }
        // Another masternode's batch, of which this one has the log as well.
        let places = 0..u8::try_from(GROUP_MEMBERS_MAX).unwrap_or(u8::MAX);
        // Of two turns the later one settled a batch that both logs have.
        for place in places.rev() {
            let copy = shared.store.followed(batch.job, place)?;
            if let Some(shown) = in_log(&copy, batch, &question)? {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    });
    read.await.map_err(|_| DisputeError::Unread)?
}

/// What a log has that answers a question.
fn in_log(
    log: &impl Log,
    batch: BatchName,
    question: &Question,
) -> Result<Option<Reply>, ApiError> {
    let mut outcome = Outcome::default();
    outcome.catch_up(log)?;
    outcome.reply(log, batch.sequence, question)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_dispute_rules::open::Dispute;
    use quern_primitives::AccountId;

    const OURS: JobId = JobId([1; 32]);
    const THEIRS: JobId = JobId([2; 32]);

    fn view(id: DisputeId, job: JobId, until: BlockNumber, matter: Matter) -> DisputeView {
        DisputeView {
            id,
            dispute: Dispute {
                disputer: AccountId::new([9; 32]),
                bond: 5,
                batch: BatchName { job, sequence: 3 },
                until,
                matter,
            },
            verdicts: 0,
        }
    }

    fn asked(id: DisputeId, job: JobId, until: BlockNumber) -> DisputeView {
        view(id, job, until, Matter::Asked(Question::Verdict { task: 7 }))
    }

    fn answer(id: DisputeId) -> Deed {
        let batch = BatchName {
            job: OURS,
            sequence: 3,
        };
        Deed::Answer(id, batch, Question::Verdict { task: 7 })
    }

    fn ours() -> BTreeSet<JobId> {
        [OURS].into()
    }

    #[test]
    fn what_is_asked_of_ones_own_jobs_is_answered_and_what_is_over_is_ended() {
        let mut tried = Tried::default();
        let open = vec![
            asked(1, OURS, 100),
            asked(2, THEIRS, 100),
            asked(3, OURS, 40),
            view(4, OURS, 100, Matter::Adding),
            view(5, OURS, 49, Matter::Adding),
        ];
        let due = tried.due(open, (&ours(), &BTreeSet::new()), (50, 60));
        assert_eq!(due, [Deed::Expire(3), Deed::Expire(5), answer(1)]);
    }

    #[test]
    fn what_another_masternode_wrote_it_answers_for_first() {
        let mut tried = Tried::default();
        let mut due = |now| tried.due(vec![asked(1, OURS, 100)], (&ours(), &ours()), now);
        assert_eq!(due((50, 60)), []);
        assert_eq!(due((55, 65)), []);
        assert_eq!(due((60, 70)), [answer(1)], "it is silent");
    }

    #[test]
    fn nothing_is_sent_twice_before_it_can_be_in_a_block_and_all_again_after_that() {
        let mut tried = Tried::default();
        let open = || vec![asked(1, OURS, 100)];
        assert_eq!(
            tried.due(open(), (&ours(), &BTreeSet::new()), (50, 60)),
            [answer(1)]
        );
        assert_eq!(tried.due(open(), (&ours(), &BTreeSet::new()), (55, 65)), []);
        assert_eq!(
            tried.due(open(), (&ours(), &BTreeSet::new()), (60, 70)),
            [answer(1)]
        );
        // One that is over is forgotten.
        assert_eq!(tried.due(vec![], (&ours(), &BTreeSet::new()), (61, 71)), []);
        assert_eq!(tried.0.len(), 0);
    }

    #[test]
    fn with_too_many_at_a_time_the_most_urgent_come_first() {
        let mut tried = Tried::default();
        let open = |count: u64| -> Vec<_> {
            let one = |id| asked(id, OURS, 1_000 - id as u32);
            (0..count).map(one).collect()
        };
        let all = 2 * AT_A_TIME_MAX as u64;
        let first = tried.due(open(all), (&ours(), &BTreeSet::new()), (50, 60));
        assert_eq!(first.len(), AT_A_TIME_MAX);
        assert_eq!(first[0], answer(all - 1));
        let second = tried.due(open(all), (&ours(), &BTreeSet::new()), (51, 61));
        assert_eq!(second.len(), AT_A_TIME_MAX);
        assert!(first.iter().all(|deed| !second.contains(deed)));
    }
}
