//! Devices and referees that masternodes contradict, in jobs of whose group this masternode is.
//!
//! On one masternode's word nobody loses a bond. So once a batch that settles the task is pending, as many members
//! compute it as are more than half of the group, and two at the least; and where all of them get the same, each
//! device that was asked the same and signed another answer is shown to the chain, with the bond of a dispute from
//! this masternode's account.
//!
//! The referee may be the one that lies. Where something else comes out here than it says, the others are asked for
//! what comes out at them; and where as many get the same as it takes, its report is shown to the chain, with the
//! receipts of who answered as it says. What a member says that is only asked to bear another one out accuses it of
//! nothing: it need not follow the log, which says with which engine the task is computed.
//!
//! Where the log of a job has a referee's word against a device, the members that follow the log accuse it, one
//! after the other until one has: each waits a little longer, and whose turn is first follows from the task. The
//! referee's word is in the log, and one that is not the referee computes the task itself. Where a settled task
//! that was drawn comes out otherwise at its coordinator, the coordinator accuses. What is missing of the words of
//! others is asked for.

use super::{
    copies::{self, Writer},
    doubles::Compared,
    lies::{LieError, on_chain, send},
    witnesses::{self, Witness},
};
use crate::{
    daemon::{Room, Shared},
    store::StoreError,
};
use quern_dispute_rules::{Evidence, open::ConvictionView, referees_needed, ruling::Place};
use quern_jobs_api::GroupError;
use quern_ledger::{Call, State, SubmitError};
use quern_primitives::{
    AccountId, BlockNumber, Digest, JobId, TaskIndex,
    group::Group,
    ids::{BatchSequence, NodeKey},
    log::SignedRefereeReport,
    payload::NodeSignature,
    receipt::SignedReceipt,
};
use quern_recheck::{Accusing, check_evidence};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

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
    /// This masternode, which coordinates the job and computed again what was settled.
    Own(SignedRefereeReport),
}

impl By {
    fn writer(&self) -> Writer {
        match self {
            Self::Referee { place, .. } => Writer::Member(*place),
            Self::Own(_) => Writer::Own,
        }
    }
}

/// The words of members on a task.
pub(super) struct GroupWords {
    /// What all of them must have computed.
    pub(super) report: SignedRefereeReport,
    /// How many it takes.
    pub(super) needed: usize,
    /// By their places.
    pub(super) given: BTreeMap<u8, NodeSignature>,
    /// Members that give none, or computed something else.
    pub(super) refused: BTreeSet<u8>,
}

impl GroupWords {
    /// Begins with the word of the member at a place. The log's referee is not asked where it said something else.
    fn begun(
        accusing: &Accusing,
        group: &Group,
        (place, report): (u8, SignedRefereeReport),
    ) -> Self {
        let is_contradicted = accusing.false_report(&[]).is_some();
        let referee = accusing.referee().filter(|_| is_contradicted);
        let referee = referee.and_then(|(_, node)| place_of(group, node));
        Self {
            report,
            needed: referees_needed(group.members.len()),
            given: [(place, report.signature)].into(),
            refused: referee.into_iter().collect(),
        }
    }

    /// Begins again with the word of another member, who computed something else than the others say.
    fn contradicted_by(&mut self, place: u8, report: SignedRefereeReport) {
        self.refused.extend(self.given.keys());
        self.given = [(place, report.signature)].into();
        self.report = report;
    }
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
        let name = match by.writer() {
            Writer::Own => (job, None, task),
            Writer::Member(place) => (job, Some(place), task),
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
    pub(super) fn look(&self, job: JobId, task: TaskIndex) -> super::computations::Progress {
        self.witness.look((&self.shared, &self.room), job, task)
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
        let (job, task, shared) = (suspicion.job, suspicion.task, &self.shared);
        let state = shared.chain.at_finalised().await.map_err(LieError::from)?;
        let group = state.group(job).await.map_err(LieError::from)?;
        let Some(group) = group else {
            return Ok(never("the chain has forgotten the job's group"));
        };
        let needed = referees_needed(group.members.len());
        if group.members.len() < needed {
            return Ok(never("of one masternode's word no account loses a bond"));
        }
        let pending = state.pending_of(job).await.map_err(LieError::from)?;
        let oldest = pending.iter().map(|(sequence, _)| *sequence).min();
        let oldest = oldest.unwrap_or(BatchSequence::MAX);
        let first = match suspicion.by {
            By::Referee { first, .. } => oldest.max(first),
            By::Own(_) => oldest,
        };
        let Some(known) = on_chain(&state, job, first).await? else {
            return Ok(never("the chain has forgotten the job"));
        };
        let Ok(accusing) = Accusing::of(job, task, &known) else {
            // What is settled and in no pending batch is final.
            let settled = state.settled_tasks(job).await.map_err(LieError::from)?;
            let is_to_come = known.job.state.is_open() && !settled.contains(&task);
            return Ok(match is_to_come {
                true => Outcome::Wait,
                false => never("the task's batch is not pending any more"),
            });
        };
        let me = shared.node.public();
        if !is_its_turn(suspicion, &group, &me, progress) {
            return Ok(Outcome::Wait);
        }
        let mut accusing = read(shared, suspicion, accusing).await?;
        if let Some(words) = &progress.words {
            accusing = accusing.contradicted_by(words.report, me);
        }
        let Some((report, node)) = accusing.report().copied() else {
            return Ok(never("no referee computed the task"));
        };
        let proved = state.convictions(job).await.map_err(LieError::from)?;
        if !is_anything_left(&accusing, (&group, task), &proved) {
            return Ok(never(
                "of each answer that is contradicted somebody is convicted already",
            ));
        }
        let Some(place) = place_of(&group, &node) else {
            return Ok(never("who computed it is not of the job's group"));
        };
        let words = progress
            .words
            .get_or_insert_with(|| GroupWords::begun(&accusing, &group, (place, report)));
        let gathered = self.gather((job, task), &group, words).await?;
        if let By::Own(_) = suspicion.by {
            // The job's owner is told them, whether or not they are enough for the chain.
            shared.witnessed.note((job, task), &group, words);
        }
        if let Some(outcome) = gathered {
            return Ok(outcome);
        }
        // These may be the words of others than the log's referee.
        let accusing = accusing.contradicted_by(words.report, me);
        let signed: Vec<_> = words.given.iter().map(|(at, it)| (*at, *it)).collect();
        let devices = accusing
            .accused()
            .filter(|receipt| !is_convicted(receipt, &proved))
            .filter_map(|receipt| accusing.evidence(receipt, &signed, &suspicion.roots));
        let referee = accusing.false_report(&signed);
        let all: Vec<Evidence> = referee.into_iter().chain(devices).collect();
        self.show(&state, all, &proved).await
    }

    /// Shows the chain what wins by its rules, and gives what came of it.
    async fn show(
        &self,
        state: &State,
        all: Vec<Evidence>,
        proved: &[ConvictionView],
    ) -> Result<Outcome, AccusingError> {
        let shared = &self.shared;
        let mut shown = Shown::default();
        for evidence in all {
            let subject = evidence.subject();
            let facts = state.court_facts(&subject, shared.genesis).await;
            let facts = facts.map_err(LieError::from)?;
            if let Err(losing) = check_evidence(&evidence, &[], facts.as_ref(), proved) {
                shown.why = losing.to_string();
                continue;
            }
            let is_of_referee = matches!(evidence, Evidence::FalseReport(_));
            match send(shared, &Call::Dispute(Box::new(evidence))).await {
                Ok(block) => {
                    (shown.lies, shown.last) = (shown.lies.saturating_add(1), block);
                    if is_of_referee {
                        let job = subject.job;
                        tracing::warn!(%job, block, "a referee's false report was shown to the chain");
                    }
                }
                // It costs the fee, and would cost it again.
                Err(refused @ SubmitError::Refused { .. }) => shown.why = refused.to_string(),
                Err(error) => return Err(LieError::from(error).into()),
            }
        }
        Ok(match shown.lies {
            0 => Outcome::Never(shown.why),
            lies => Outcome::Shown(lies, shown.last),
        })
    }

    /// Gathers words until they are enough; if they are not yet, what is to be done about it.
    async fn gather(
        &self,
        (job, task): (JobId, TaskIndex),
        group: &Group,
        words: &mut GroupWords,
    ) -> Result<Option<Outcome>, AccusingError> {
        let own = place_of(group, &self.shared.node.public());
        let Some(own) = own else {
            return Ok(Some(never("this masternode is not of the job's group")));
        };
        if !words.given.contains_key(&own) {
            let Some(truth) = self.look(job, task)? else {
                return Ok(Some(Outcome::Soon));
            };
            if truth.report.payload != words.report.payload {
                tracing::error!(
                    %job,
                    task,
                    "what a referee of the job says it computed is not what comes out here; one of the two machines, or their operators, is not to be trusted"
                );
                // The others say which: as many as agree with this one convict the referee.
                words.contradicted_by(own, truth.report);
            } else {
                words.given.insert(own, truth.report.signature);
            }
        }
        if words.given.len() >= words.needed {
            return Ok(None);
        }
        let coming = witnesses::ask(&self.shared, (job, task), group, words).await;
        let coming = coming.map_err(LieError::from)?;
        if words.given.len() >= words.needed {
            return Ok(None);
        }
        let voices = group.voices();
        let left = voices.saturating_sub(words.refused.len());
        Ok(Some(match (coming, left < words.needed) {
            (_, true) => never("too few others of the job's group computed the same"),
            (0, false) => Outcome::Wait,
            (_, false) => Outcome::Soon,
        }))
    }
}

/// What was shown to the chain.
struct Shown {
    lies: usize,
    last: BlockNumber,
    /// Why the others were not.
    why: String,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            lies: 0,
            last: BlockNumber::MIN,
            why: "the log does not have what it takes".to_owned(),
        }
    }
}

fn never(why: &str) -> Outcome {
    Outcome::Never(why.to_owned())
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
        By::Own(_) => 0,
    };
    now.saturating_duration_since(since) >= TURN.saturating_mul(before)
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

/// Whether anything of a task is left to be shown: what a device answered, or what the log's referee says, for which
/// nobody is convicted yet. What a convicted referee says is held against nobody.
fn is_anything_left(
    accusing: &Accusing,
    (group, task): (&Group, TaskIndex),
    proved: &[ConvictionView],
) -> bool {
    let is_proved = |account: &AccountId| {
        let place = Place::Report(task, account.clone());
        proved.iter().any(|it| it.place == place)
    };
    let is_convicted_referee = accusing.referee().is_some_and(|(_, node)| {
        let mut members = group.members.iter();
        members.any(|member| member.node == *node && is_proved(&member.account))
    });
    let is_contradicted = accusing.false_report(&[]).is_some();
    match (is_contradicted, is_convicted_referee) {
        (true, false) => true,
        (false, true) => false,
        (true, true) | (false, false) => accusing
            .accused()
            .any(|receipt| !is_convicted(receipt, proved)),
    }
}

/// Whether somebody was convicted already for what a receipt says.
fn is_convicted(receipt: &SignedReceipt, proved: &[ConvictionView]) -> bool {
    let said = &receipt.payload;
    let place = Place::Replica(said.task, said.replica, said.device);
    proved.iter().any(|it| it.place == place)
}

/// The place of a network key in a job's group.
fn place_of(group: &Group, node: &NodeKey) -> Option<u8> {
    let mut members = group.members.iter();
    let place = members.position(|member| member.node == *node)?;
    u8::try_from(place).ok()
}

/// The log, as far as it speaks of the task.
async fn read(
    shared: &Arc<Shared>,
    suspicion: &Suspicion,
    mut accusing: Accusing,
) -> Result<Accusing, LieError> {
    let (store, job, writer) = (shared.store.clone(), suspicion.job, suspicion.by.writer());
    let own = match suspicion.by {
        By::Own(report) => Some((report, shared.node.public())),
        By::Referee { .. } => None,
    };
    let read = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
        copies::read(&store, job, writer, |block| accusing.take(block))?;
        Ok(match own {
            Some((report, node)) => accusing.contradicted_by(report, node),
            None => accusing,
        })
    });
    Ok(read.await.map_err(|_| LieError::Unread)??)
}

/// Whether a task is to be looked after: it is not yet, and there is room.
fn add(known: &Mutex<BTreeSet<Name>>, name: Name) -> bool {
    let mut known = lock(known);
    known.len() < SUSPICIONS_MAX && known.insert(name)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held leaves a set that is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{
        GenesisHash,
        group::Member,
        log::RefereeReport,
        payload::NodeSecret,
        receipt::{Answer, Exit},
    };

    fn group(members: u8) -> Group {
        let member = |number: u8| Member {
            account: AccountId::new([number; 32]),
            node: NodeKey([number; 32]),
            is_out: false,
        };
        let members: Vec<_> = (0..members).map(member).collect();
        Group {
            members: members.try_into().unwrap(),
            turn: 0,
            since: 0,
        }
    }

    #[test]
    fn members_accuse_one_after_the_other_and_who_is_first_follows_from_the_task() {
        let group = group(4);
        let order = |task| [1u8, 2, 3].map(|it| before(&group, 0, &NodeKey([it; 32]), task));
        assert_eq!(order(0), [0, 1, 2]);
        assert_eq!(order(1), [2, 0, 1]);
        assert_eq!(order(5), [1, 2, 0]);
        // Each is first somewhere, whoever wrote the log.
        assert_eq!(before(&group, 3, &NodeKey([0; 32]), 0), 0);
    }

    #[test]
    fn who_contradicts_a_referee_begins_with_its_own_word_and_does_not_ask_the_referee() {
        let sign = |member: u8, fuel| {
            let answer = Answer {
                result_commitment: Digest([1; 32]),
                result_bytes: 10,
                fuel,
                exit: Exit::Success,
            };
            let report = RefereeReport {
                job: JobId([1; 32]),
                task: 3,
                question: Digest([2; 32]),
                answer,
            };
            NodeSecret::from_seed(&[member; 32]).sign(report, &GenesisHash([1; 32]))
        };
        let (said, own) = (sign(1, 7), sign(2, 8));
        let mut words = GroupWords {
            report: said,
            needed: 2,
            given: BTreeMap::from([(1, said.signature)]),
            refused: BTreeSet::new(),
        };
        words.contradicted_by(2, own);
        assert_eq!(words.report, own);
        assert_eq!(words.given, BTreeMap::from([(2, own.signature)]));
        assert_eq!(words.refused, BTreeSet::from([1]));
    }

    #[test]
    fn each_task_is_looked_after_once_and_no_more_than_there_is_room_for() {
        let known = Mutex::default();
        let name = |task| (JobId([1; 32]), Some(0), task);
        assert!(add(&known, name(0)) && !add(&known, name(0)));
        assert!(add(&known, (JobId([1; 32]), None, 0)), "of another log");
        let more = (1..).map(name).take_while(|name| add(&known, *name));
        assert_eq!(more.count(), SUSPICIONS_MAX - 2);
        lock(&known).remove(&name(0));
        assert!(add(&known, name(SUSPICIONS_MAX as TaskIndex)));
    }
}
