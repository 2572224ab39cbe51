//! Devices that a referee contradicts, in jobs that other masternodes coordinate.
//!
//! On one masternode's word nobody loses a bond. So in a group of three the member that is neither the coordinator
//! nor the referee computes the task as well, once a batch that settles it is pending; and where both computed the
//! same, each device that was asked the same and signed another answer is shown to the chain, with the bond of a
//! dispute from this masternode's account.

use super::lies::{LieError, on_chain, send};
use crate::{
    core::Purpose,
    daemon::{Errand, Room, Shared},
    referee::RefereeError,
    store::StoreError,
};
use quern_joblog::SignedBlock;
use quern_jobs_api::LOG_PAGE_BYTES_MAX;
use quern_ledger::{Call, SubmitError};
use quern_primitives::{
    BlockNumber, Digest, JobId, TaskIndex,
    ids::{BatchSequence, NodeKey},
    log::SignedRefereeReport,
    payload::NodeSignature,
};
use quern_recheck::{Accusing, check_evidence};
use quern_sandbox::Cancel;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Pause between two looks at whether the chain has settled the task.
const LOOK: Duration = Duration::from_secs(6);

/// How long the task may take here, in milliseconds. Windows are about as long.
const TIME_MS: u64 = 10 * 60 * 1_000;

/// Blocks of a copy that are read at a time.
const BLOCKS_AT_ONCE: usize = 64;

/// Tasks at a time that are looked after, and of which one is computed. With more at a time the rest goes free.
const SUSPICIONS_MAX: usize = 256;

/// Members of a group in which two masternodes convict: the coordinator, the referee and a third. Of two nobody is
/// left beside the referee, and of more than three these two are not more than half.
const GROUP: usize = 3;

/// The tasks of which devices are to be shown to the chain, each once.
pub(super) struct Suspicions {
    known: Mutex<BTreeSet<Name>>,
    /// A permit for the one that is computed: referees and recomputations wait behind no more.
    computing: Semaphore,
}

/// A job, the place of who wrote the log, and a task.
type Name = (JobId, u8, TaskIndex);

impl Default for Suspicions {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            computing: Semaphore::new(1),
        }
    }
}

impl Suspicions {
    /// Whether a task is to be looked after: it is not yet, and there is room.
    fn begin(&self, name: Name) -> bool {
        let mut known = lock(&self.known);
        known.len() < SUSPICIONS_MAX && known.insert(name)
    }

    fn end(&self, name: &Name) {
        lock(&self.known).remove(name);
    }
}

/// A task of which the log says that a device gave another answer than the referee.
pub(super) struct Suspicion {
    pub(super) job: JobId,
    /// The place of who wrote the log in the job's group.
    pub(super) place: u8,
    /// The first batch of that log.
    pub(super) first: BatchSequence,
    pub(super) task: TaskIndex,
    /// The chunk roots of the job's shards.
    pub(super) roots: Vec<Digest>,
}

/// Why it could not be tried.
#[derive(Debug, thiserror::Error)]
enum AccusingError {
    #[error(transparent)]
    Lie(#[from] LieError),
    #[error(transparent)]
    Referee(#[from] RefereeError),
}

impl AccusingError {
    /// Whether it would be so again.
    fn is_final(&self) -> bool {
        matches!(self, Self::Referee(_))
    }
}

/// What came of a look.
enum Outcome {
    /// No batch that settles the task is pending yet.
    Wait,
    /// So many devices were shown, the last in this block.
    Shown(usize, BlockNumber),
    /// None will be.
    Never(String),
}

/// Has a task looked after until its devices are shown to the chain that signed another answer than two
/// masternodes computed, or will not be.
pub(super) fn begin(
    shared: Arc<Shared>,
    room: Arc<Room>,
    suspicions: Arc<Suspicions>,
    suspicion: Suspicion,
) {
    let name = (suspicion.job, suspicion.place, suspicion.task);
    if suspicions.begin(name) {
        tokio::spawn(async move {
            accuse(&shared, &room, &suspicions, suspicion).await;
            suspicions.end(&name);
        });
    }
}

async fn accuse(shared: &Arc<Shared>, room: &Room, suspicions: &Suspicions, suspicion: Suspicion) {
    let (job, task) = (suspicion.job, suspicion.task);
    let mut computed = None;
    while !shared.commands.is_closed() {
        match look(shared, (room, suspicions), &suspicion, &mut computed).await {
            Ok(Outcome::Wait) => {}
            Ok(Outcome::Shown(devices, block)) => {
                tracing::warn!(%job, task, devices, block, "wrong answers were shown to the chain");
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
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(
    shared: &Arc<Shared>,
    (room, suspicions): (&Room, &Suspicions),
    suspicion: &Suspicion,
    computed: &mut Option<SignedRefereeReport>,
) -> Result<Outcome, AccusingError> {
    let (job, task) = (suspicion.job, suspicion.task);
    let state = shared.chain.at_finalised().await.map_err(LieError::from)?;
    let group = state.group(job).await.map_err(LieError::from)?;
    let members = group.iter().flat_map(|group| &group.members);
    let members: Vec<NodeKey> = members.map(|member| member.node).collect();
    if members.len() != GROUP {
        return Ok(never("two masternodes convict in a group of three alone"));
    }
    let pending = state.pending_of(job).await.map_err(LieError::from)?;
    let oldest = pending.iter().map(|(sequence, _)| *sequence).min();
    let first = oldest.unwrap_or(BatchSequence::MAX).max(suspicion.first);
    let Some(known) = on_chain(&state, job, first).await? else {
        return Ok(never("the chain has forgotten the job"));
    };
    let Ok(accusing) = Accusing::of(job, task, &known) else {
        // What is settled and in no pending batch is final.
        let settled = state.settled_tasks(job).await.map_err(LieError::from)?;
        return Ok(
            match known.job.state.is_open() && !settled.contains(&task) {
                true => Outcome::Wait,
                false => never("the task's batch is not pending any more"),
            },
        );
    };
    let accusing = read(shared, suspicion, accusing).await?;
    let Some((report, node)) = accusing.report().copied() else {
        return Ok(never("no referee computed the task"));
    };
    let Some(places) = places(&members, &node, &shared.node.public()) else {
        return Ok(never(
            "this masternode is the referee, or one of the two is no member",
        ));
    };
    let own = match computed {
        Some(own) => *own,
        None => {
            // Its turn may come when the batch is not pending any more.
            let Ok(_turn) = suspicions.computing.try_acquire() else {
                return Ok(Outcome::Wait);
            };
            let errand = Errand {
                job,
                task,
                purpose: Purpose::Check,
                time_ms: TIME_MS,
                cancel: Cancel::new(),
            };
            *computed.insert(room.compute(shared, errand).await?.report)
        }
    };
    if own.payload != report.payload {
        tracing::error!(
            %job,
            task,
            referee = ?node,
            "what a referee of the job says it computed is not what comes out here; one of the two machines, or their operators, is not to be trusted"
        );
        return Ok(never(
            "this masternode computed another answer than the referee",
        ));
    }
    let referees = signed(places, report.signature, own.signature);
    let proved = state.convictions(job).await.map_err(LieError::from)?;
    let (mut shown, mut last) = (0, 0);
    let mut why = "no device that was asked the same answered otherwise".to_owned();
    for receipt in accusing.accused() {
        let Some(evidence) = accusing.evidence(receipt, &referees, &suspicion.roots) else {
            "the log does not have what it takes".clone_into(&mut why);
            continue;
        };
        let facts = state.court_facts(&evidence.subject(), shared.genesis).await;
        let facts = facts.map_err(LieError::from)?;
        if let Err(losing) = check_evidence(&evidence, &[], facts.as_ref(), &proved) {
            why = losing.to_string();
            continue;
        }
        match send(shared, &Call::Dispute(Box::new(evidence))).await {
            Ok(block) => (shown, last) = (shown + 1, block),
            // It costs the fee, and would cost it again.
            Err(refused @ SubmitError::Refused { .. }) => why = refused.to_string(),
            Err(error) => return Err(LieError::from(error).into()),
        }
    }
    Ok(match shown {
        0 => Outcome::Never(why),
        shown => Outcome::Shown(shown, last),
    })
}

fn never(why: &str) -> Outcome {
    Outcome::Never(why.to_owned())
}

/// The copy of the log, as far as it speaks of the task.
async fn read(
    shared: &Arc<Shared>,
    suspicion: &Suspicion,
    mut accusing: Accusing,
) -> Result<Accusing, LieError> {
    let (shared, job, place) = (shared.clone(), suspicion.job, suspicion.place);
    let read = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
        let (copy, mut next) = (shared.store.followed(job, place)?, 0u64);
        loop {
            let page = copy.page(next, BLOCKS_AT_ONCE, LOG_PAGE_BYTES_MAX)?;
            if page.is_empty() || accusing.is_read(next) {
                return Ok(accusing);
            }
            for bytes in page {
                next = next.saturating_add(1);
                if let Ok(block) = SignedBlock::read(&bytes) {
                    accusing.take(&block);
                }
            }
        }
    });
    Ok(read.await.map_err(|_| LieError::Unread)??)
}

/// The places of the referee and of this masternode in the job's group, if they are two.
fn places(members: &[NodeKey], referee: &NodeKey, me: &NodeKey) -> Option<(u8, u8)> {
    let place = |key: &NodeKey| {
        let place = members.iter().position(|member| member == key)?;
        u8::try_from(place).ok()
    };
    let (theirs, own) = (place(referee)?, place(me)?);
    (theirs != own).then_some((theirs, own))
}

/// Both signatures in the order of their places.
fn signed(
    (theirs, own): (u8, u8),
    referee: NodeSignature,
    me: NodeSignature,
) -> [(u8, NodeSignature); 2] {
    let mut referees = [(theirs, referee), (own, me)];
    referees.sort_by_key(|(place, _)| *place);
    referees
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held leaves a set that is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_masternodes_accuse_and_never_one_by_itself() {
        let members = [1, 2, 3].map(|number| NodeKey([number; 32]));
        let [_, second, third] = members;
        assert_eq!(places(&members, &second, &third), Some((1, 2)));
        assert_eq!(places(&members, &third, &second), Some((2, 1)));
        assert_eq!(places(&members, &second, &second), None);
        assert_eq!(places(&members, &NodeKey([9; 32]), &second), None);
        let [one, other] = [1, 2].map(|number| NodeSignature([number; 64]));
        assert_eq!(signed((2, 0), one, other), [(0, other), (2, one)]);
    }

    #[test]
    fn each_task_is_looked_after_once_and_no_more_than_there_is_room_for() {
        let suspicions = Suspicions::default();
        let name = |task| (JobId([1; 32]), 0, task);
        assert!(suspicions.begin(name(0)) && !suspicions.begin(name(0)));
        let more = (1..).map(name).take_while(|name| suspicions.begin(*name));
        assert_eq!(more.count(), SUSPICIONS_MAX - 1);
        suspicions.end(&name(0));
        assert!(suspicions.begin(name(SUSPICIONS_MAX as TaskIndex)));
    }
}
