//! Devices and referees that masternodes contradict, in jobs of whose group this masternode is.
//!
//! On one masternode's word nobody loses a bond. So once a batch that settles the task is pending, as many members
//! compute it as are more than half of the group, and two at the least; and where all of them get the same, each
//! device that was asked the same and signed another answer is shown to the chain, with the bond of a dispute from
//! this masternode's account.
//!
//! A referee may be the one that lies. Where something else comes out here than it says, or than two others of the log
//! do, the others are asked for what comes out at them; and where as many get the same as it takes, its report is
//! shown to the chain, with the receipts of who answered otherwise than they computed. What a member says that is only
//! asked to bear another one out accuses it of nothing: it need not follow the log, which says with which engine the
//! task is computed.
//!
//! Where the log of a job has a referee's word against a device, the members that follow the log accuse it, one
//! after the other until one has: each waits a little longer, and whose turn is first follows from the task. The
//! referee's word is in the log, and one that is not the referee computes the task itself, unless the log has the
//! words of as many as it takes: of a job that asks for three referees it may. Where a settled task that was drawn
//! comes out otherwise at its coordinator, or at the member that it fell to, who found it accuses. What is missing of
//! the words of others is asked for.
//!
//! Here is who accuses, and when; in `words` what the others say, and in `shown` what of it the chain is shown.

mod shown;
mod words;

use super::{
    copies::{self, Writer},
    doubles::Compared,
    lies::{LieError, on_chain},
    witnesses::Witness,
};
use crate::{
    daemon::{Room, Shared},
    locks::lock,
    store::StoreError,
};
use quern_dispute_rules::referees_needed;
use quern_jobs_api::GroupError;
use quern_ledger::State;
use quern_primitives::{
    BlockNumber, Digest, JobId, TaskIndex,
    group::Group,
    ids::{BatchSequence, NodeKey},
    log::SignedRefereeReport,
};
use quern_recheck::Accusing;
use shown::{all_evidence, held_to, is_anything_left};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

pub(super) use words::GroupWords;

/// Pause between two looks at whether the chain has settled the task.
const LOOK: Duration = Duration::from_secs(6);

/// The same while a task is computed, here or by others.
const SOON: Duration = Duration::from_secs(1);

/// How long each member waits for the one before it to accuse.
const TURN: Duration = Duration::from_secs(12);

/// Tasks at a time that are looked after. With more the rest goes free.
const SUSPICIONS_MAX: usize = 256;

/// Has devices shown to the chain, and computes tasks for others that do.
pub(crate) struct Accuser {
    shared: Arc<Shared>,
    room: Arc<Room>,
    /// Whether anything is shown to the chain.
    is_on: bool,
    known: Mutex<BTreeSet<Name>>,
    witness: Arc<Witness>,
    compared: Compared,
}

/// The place of a log's block, and its hash.
type Head = (u64, Digest);

/// A job, whose log speaks of the task, and the task.
type Name = (JobId, Option<u8>, TaskIndex);

/// A task of which a device gave another answer than a masternode computed.
struct Suspicion {
    job: JobId,
    task: TaskIndex,
    by: By,
    /// The chunk roots of the job's shards.
    roots: Vec<Digest>,
}

/// Who contradicts the device.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// A referee, as a log says that another member writes.
    Referee {
        /// The place of who writes it in the job's group.
        place: u8,
        /// The first batch of that log.
        first: BatchSequence,
    },
    /// This masternode, which computed again what was settled: as coordinator, or because it fell to it.
    Own(SignedRefereeReport),
}

/// Why it could not be tried.
#[derive(Debug, thiserror::Error)]
enum AccusingError {
    #[error(transparent)]
    Lie(#[from] LieError),
    #[error(transparent)]
    NotComputed(#[from] GroupError),
}

impl AccusingError {
    /// Whether it would be so again.
    fn is_final(&self) -> bool {
        matches!(self, Self::NotComputed(error) if *error != GroupError::Busy)
    }
}

/// What came of a look.
enum Outcome {
    /// Nothing can be done yet.
    Wait,
    /// Something is computed.
    Soon,
    /// So many lies were shown, the last in this block.
    Shown(usize, BlockNumber),
    /// None will be.
    Never(String),
}

/// What is remembered from one look to the next.
#[derive(Default)]
struct Progress {
    /// When a batch that settles the task was first seen to be pending.
    since: Option<Instant>,
    words: Option<GroupWords>,
}

impl Accuser {
    pub(crate) fn new(shared: Arc<Shared>, room: Arc<Room>, is_on: bool) -> Self {
        Self {
            shared,
            room,
            is_on,
            known: Mutex::default(),
            witness: Arc::default(),
            compared: Compared::default(),
        }
    }

    /// Whether anything is shown to the chain.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn compared(&self) -> &Compared {
        &self.compared
    }

    /// A settled task came out otherwise here than devices said that agreed on it.
    pub(crate) fn contradict(
        self: &Arc<Self>,
        job: JobId,
        task: TaskIndex,
        report: SignedRefereeReport,
    ) {
        self.begin(job, task, By::Own(report));
    }

    /// Has a task looked after until its devices are shown to the chain that signed another answer than enough
    /// masternodes computed, or will not be.
    pub(super) fn begin(self: &Arc<Self>, job: JobId, task: TaskIndex, by: By) {
        let Some(context) = self.shared.context(job).filter(|_| self.is_on) else {
            return;
        };
        let name = match by {
            By::Own(_) => (job, None, task),
            By::Referee { place, .. } => (job, Some(place), task),
        };
        if !add(&self.known, name) {
            return;
        }
        let (accuser, roots) = (self.clone(), context.input_roots());
        tokio::spawn(async move {
            let suspicion = Suspicion {
                job,
                task,
                by,
                roots,
            };
            accuser.accuse(&suspicion).await;
            lock(&accuser.known).remove(&name);
        });
    }

    /// What comes out of a task, once it is computed here.
    pub(super) async fn look(&self, job: JobId, task: TaskIndex) -> super::computations::Progress {
        let here = (&self.shared, &self.room);
        self.witness.look(here, job, task).await
    }

    async fn accuse(&self, suspicion: &Suspicion) {
        let (job, task) = (suspicion.job, suspicion.task);
        let mut progress = Progress::default();
        while !self.shared.commands.is_closed() {
            let pause = match self.try_once(suspicion, &mut progress).await {
                Ok(Outcome::Wait) => LOOK,
                Ok(Outcome::Soon) => SOON,
                Ok(Outcome::Shown(lies, block)) => {
                    tracing::warn!(%job, task, lies, block, "wrong answers were shown to the chain");
                    return;
                }
                Ok(Outcome::Never(why)) => {
                    tracing::info!(%job, task, why, "wrong answers are not shown to the chain");
                    return;
                }
                Err(error) => {
                    let is_final = error.is_final();
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%job, task, error, is_final, "wrong answers could not be shown");
                    if is_final {
                        return;
                    }
                    LOOK
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_once(
        &self,
        suspicion: &Suspicion,
        progress: &mut Progress,
    ) -> Result<Outcome, AccusingError> {
        let (job, shared) = (suspicion.job, &self.shared);
        let state = shared.chain.at_finalised().await.map_err(LieError::from)?;
        let group = state.group(job).await.map_err(LieError::from)?;
        let Some(group) = group else {
            return Ok(never("the chain has forgotten the job's group"));
        };
        if group.members.len() < referees_needed(group.members.len()) {
            return Ok(never("of one masternode's word no account loses a bond"));
        }
        let (accusing, settled) = match pending(&state, suspicion).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if !is_its_turn(suspicion, &group, &shared.node.public(), progress) {
            return Ok(Outcome::Wait);
        }
        let Some(accusing) = read(shared, suspicion, (&group, settled), accusing).await? else {
            return Ok(never("the log that the batch rests on is not here"));
        };
        self.bring((&state, &group), suspicion, accusing, progress)
            .await
    }

    /// Gathers the words of members on what the log says of a task, and shows the chain whom they contradict.
    async fn bring(
        &self,
        (state, group): (&State, &Group),
        suspicion: &Suspicion,
        mut accusing: Accusing,
        progress: &mut Progress,
    ) -> Result<Outcome, AccusingError> {
        let (job, task, shared) = (suspicion.job, suspicion.task, &self.shared);
        let me = shared.node.public();
        let Some(first) = accusing.agreeing().first().copied() else {
            return Ok(never("no referee computed the task"));
        };
        if let Some(words) = &progress.words {
            accusing = held_to(accusing, words, me);
        }
        let proved = state.convictions(job).await.map_err(LieError::from)?;
        if !is_anything_left(&accusing, (group, task), &proved) {
            return Ok(never(
                "of each answer that is contradicted somebody is convicted already",
            ));
        }
        if progress.words.is_none() {
            progress.words = GroupWords::begun(group, first, accusing.referees());
        }
        let Some(words) = &mut progress.words else {
            return Ok(never("who computed it is not of the job's group"));
        };
        let gathered = self
            .gather((job, task), group, accusing.referees(), words)
            .await?;
        if let By::Own(_) = suspicion.by {
            // The job's owner is told them, whether or not they are enough for the chain.
            shared.witnessed.note((job, task), group, words);
        }
        if let Some(outcome) = gathered {
            return Ok(outcome);
        }
        // These may be the words of others than the log's referees.
        let accusing = held_to(accusing, words, me);
        let all = all_evidence(&accusing, words, &suspicion.roots, &proved);
        self.show(state, all, &proved).await
    }
}

fn never(why: &str) -> Outcome {
    Outcome::Never(why.to_owned())
}

/// What the chain has of the batch that settles the task, while that is pending; otherwise what comes of the look.
async fn pending(
    state: &State,
    suspicion: &Suspicion,
) -> Result<Result<(Accusing, Head), Outcome>, LieError> {
    let (job, task) = (suspicion.job, suspicion.task);
    let pending = state.pending_of(job).await?;
    let oldest = pending.iter().map(|(sequence, _)| *sequence).min();
    let oldest = oldest.unwrap_or(BatchSequence::MAX);
    let first = match suspicion.by {
        By::Referee { first, .. } => oldest.max(first),
        By::Own(_) => oldest,
    };
    let Some(known) = on_chain(state, job, first).await? else {
        return Ok(Err(never("the chain has forgotten the job")));
    };
    let batch = known.pending_with(task);
    let record = batch.and_then(|sequence| known.batches.get(&sequence));
    if let (Ok(accusing), Some(record)) = (Accusing::of(job, task, &known), record) {
        return Ok(Ok((accusing, (record.block, record.head))));
    }
    // What is settled and in no pending batch is final.
    let settled = state.settled_tasks(job).await?;
    let is_to_come = known.job.state.is_open() && !settled.contains(&task);
    Ok(Err(match is_to_come {
        true => Outcome::Wait,
        false => never("the task's batch is not pending any more"),
    }))
}

/// Whether this member accuses now: those whose turn comes before had time enough.
fn is_its_turn(
    suspicion: &Suspicion,
    group: &Group,
    me: &NodeKey,
    progress: &mut Progress,
) -> bool {
    let now = Instant::now();
    let since = *progress.since.get_or_insert(now);
    let before = match suspicion.by {
        By::Referee { place, .. } => before(group, place, me, suspicion.task),
        By::Own(_) => before_who_found(group, me),
    };
    now.saturating_duration_since(since) >= TURN.saturating_mul(before)
}

/// How many accuse before a masternode that computed again what was settled: who coordinates the job may have found
/// the same, and if it has not, or does not say so, the member does.
fn before_who_found(group: &Group, me: &NodeKey) -> u32 {
    let coordinator = group.coordinator();
    u32::from(coordinator.is_some_and(|member| member.node != *me))
}

/// How many members accuse before this one where a log has a referee's word: who writes it does not.
fn before(group: &Group, writer: u8, me: &NodeKey, task: TaskIndex) -> u32 {
    let members = (0u8..).zip(&group.members);
    let others: Vec<_> = members
        .filter(|(place, member)| *place != writer && !member.is_out)
        .collect();
    let count = u32::try_from(others.len()).unwrap_or(u32::MAX).max(1);
    let mine = others.iter().position(|(_, member)| member.node == *me);
    let mine = mine.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    let first = task.checked_rem(count).unwrap_or(0);
    mine.saturating_add(count)
        .saturating_sub(first)
        .checked_rem(count)
        .unwrap_or(0)
}

/// The log that a batch rests on, as far as it speaks of the task; none if it is not here.
async fn read(
    shared: &Arc<Shared>,
    suspicion: &Suspicion,
    (group, settled): (&Group, Head),
    mut accusing: Accusing,
) -> Result<Option<Accusing>, LieError> {
    let (store, job, by) = (shared.store.clone(), suspicion.job, suspicion.by);
    let (genesis, node) = (shared.genesis, shared.node.public());
    let members = u8::try_from(group.members.len()).unwrap_or(u8::MAX);
    let read = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
        let writer = match by {
            By::Referee { place, .. } => Some(Writer::Member(place)),
            By::Own(_) => copies::writer_of_head(&store, &genesis, (job, members), settled)?,
        };
        let Some(writer) = writer else {
            return Ok(None);
        };
        copies::read(&store, job, writer, |block| accusing.take(block))?;
        Ok(Some(match by {
            By::Own(report) => accusing.contradicted_by(report, node),
            By::Referee { .. } => accusing,
        }))
    });
    Ok(read.await.map_err(|_| LieError::Unread)??)
}

/// Whether a task is to be looked after: it is not yet, and there is room.
fn add(known: &Mutex<BTreeSet<Name>>, name: Name) -> bool {
    let mut known = lock(known);
    known.len() < SUSPICIONS_MAX && known.insert(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
