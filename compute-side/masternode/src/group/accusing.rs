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
//! comes out otherwise at its coordinator, the coordinator accuses. What is missing of the words of others is asked
//! for.

use super::{
    copies::{self, Writer},
    doubles::Compared,
    lies::{LieError, on_chain, send},
    witnesses::{self, Witness},
};
use crate::{
    daemon::{Room, Shared},
    locks::lock,
    store::StoreError,
};
use quern_dispute_rules::{Evidence, open::ConvictionView, referees_needed, ruling::Place};
use quern_jobs_api::GroupError;
use quern_ledger::{Call, State, SubmitError};
use quern_primitives::{
    AccountId, BlockNumber, Digest, JobId, TaskIndex,
    group::Group,
    ids::{BatchSequence, NodeKey},
    log::{RefereeStatement, SignedRefereeReport},
    payload::NodeSignature,
    receipt::SignedReceipt,
};
use quern_recheck::{Accusing, check_evidence};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
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
    /// Begins with one word and those of the log's referees that say the same, if one of these is of the group.
    /// Referees that said something else are not asked.
    fn begun(
        group: &Group,
        first: RefereeStatement,
        referees: &[RefereeStatement],
    ) -> Option<Self> {
        let is_same = |it: &&RefereeStatement| it.report.payload == first.report.payload;
        let agreeing = referees.iter().filter(is_same).chain([&first]);
        let given: BTreeMap<_, _> = agreeing
            .filter_map(|it| Some((place_of(group, &it.node)?, it.report.signature)))
            .collect();
        let others = referees.iter().filter(|it| !is_same(it));
        let refused = others
            .filter_map(|it| place_of(group, &it.node))
            .filter(|place| !given.contains_key(place))
            .collect();
        (!given.is_empty()).then_some(Self {
            report: first.report,
            needed: referees_needed(group.members.len()),
            given,
            refused,
        })
    }

    /// The word of a member that computes the task after it has read the log. Where something else comes out than is
    /// said, it begins again with its own word and of the log's referees that said so.
    fn hear(&mut self, group: &Group, own: RefereeStatement, referees: &[RefereeStatement]) {
        if own.report.payload == self.report.payload {
            if let Some(place) = place_of(group, &own.node) {
                self.refused.remove(&place);
                self.given.insert(place, own.report.signature);
            }
        } else if let Some(begun) = Self::begun(group, own, referees) {
            *self = begun;
        }
    }

    /// How many have given theirs, or may yet.
    fn within_reach(&self, group: &Group) -> usize {
        let members = (0u8..).zip(&group.members);
        let may = members.filter(|(place, member)| {
            let is_given = self.given.contains_key(place);
            is_given || !(member.is_out || self.refused.contains(place))
        });
        may.count()
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
        let Some(first) = accusing.agreeing().first().copied() else {
            return Ok(never("no referee computed the task"));
        };
        if let Some(words) = &progress.words {
            accusing = held_to(accusing, words, me);
        }
        let proved = state.convictions(job).await.map_err(LieError::from)?;
        if !is_anything_left(&accusing, (&group, task), &proved) {
            return Ok(never(
                "of each answer that is contradicted somebody is convicted already",
            ));
        }
        if progress.words.is_none() {
            progress.words = GroupWords::begun(&group, first, accusing.referees());
        }
        let Some(words) = &mut progress.words else {
            return Ok(never("who computed it is not of the job's group"));
        };
        let gathered = self
            .gather((job, task), &group, accusing.referees(), words)
            .await?;
        if let By::Own(_) = suspicion.by {
            // The job's owner is told them, whether or not they are enough for the chain.
            shared.witnessed.note((job, task), &group, words);
        }
        if let Some(outcome) = gathered {
            return Ok(outcome);
        }
        // These may be the words of others than the log's referees.
        let accusing = held_to(accusing, words, me);
        let signed: Vec<_> = words.given.iter().map(|(at, it)| (*at, *it)).collect();
        let devices = accusing
            .accused()
            .filter(|receipt| !is_convicted(receipt, &proved))
            .filter_map(|receipt| accusing.evidence(receipt, &signed, &suspicion.roots));
        let referees = accusing.false_reports(&signed);
        let all: Vec<Evidence> = referees.into_iter().chain(devices).collect();
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
        referees: &[RefereeStatement],
        words: &mut GroupWords,
    ) -> Result<Option<Outcome>, AccusingError> {
        let node = self.shared.node.public();
        let Some(own) = place_of(group, &node) else {
            return Ok(Some(never("this masternode is not of the job's group")));
        };
        // Where a job asks for three referees, they may be enough.
        if words.given.len() >= words.needed {
            return Ok(None);
        }
        if !words.given.contains_key(&own) {
            let Some(truth) = self.look(job, task)? else {
                return Ok(Some(Outcome::Soon));
            };
            let report = truth.report;
            if report.payload != words.report.payload {
                tracing::error!(
                    %job,
                    task,
                    "what a referee of the job says it computed is not what comes out here; one of the two machines, or their operators, is not to be trusted"
                );
            }
            // The others say which: as many as agree with this one convict the referee.
            words.hear(group, RefereeStatement { report, node }, referees);
        }
        if words.given.len() >= words.needed {
            return Ok(None);
        }
        let coming = witnesses::ask(&self.shared, (job, task), group, words).await;
        let coming = coming.map_err(LieError::from)?;
        if words.given.len() >= words.needed {
            return Ok(None);
        }
        let are_too_few = words.within_reach(group) < words.needed;
        Ok(Some(match (coming, are_too_few) {
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

/// Devices and the log's referees are held to what the words say, which is what comes out here where that is not what
/// the log says.
fn held_to(accusing: Accusing, words: &GroupWords, me: NodeKey) -> Accusing {
    let mut agreeing = accusing.agreeing().iter();
    match agreeing.any(|it| it.report.payload == words.report.payload) {
        true => accusing,
        false => accusing.contradicted_by(words.report, me),
    }
}

/// Whether anything of a task is left to be shown: what a device answered, or what one of the log's referees says, for
/// which nobody is convicted yet. What a convicted referee says is held against nobody.
fn is_anything_left(
    accusing: &Accusing,
    (group, task): (&Group, TaskIndex),
    proved: &[ConvictionView],
) -> bool {
    let is_proved = |account: &AccountId| {
        let place = Place::Report(task, account.clone());
        proved.iter().any(|it| it.place == place)
    };
    let is_convicted_referee = |referee: &RefereeStatement| {
        let mut members = group.members.iter();
        members.any(|member| member.node == referee.node && is_proved(&member.account))
    };
    if accusing.agreeing().iter().any(is_convicted_referee) {
        return false;
    }
    let mut contradicted = accusing.dissenting().into_iter();
    contradicted.any(|referee| !is_convicted_referee(&referee))
        || accusing
            .accused()
            .any(|receipt| !is_convicted(receipt, proved))
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

    /// What a member says, one value for each answer.
    fn says(member: u8, fuel: u64) -> RefereeStatement {
        let report = RefereeReport {
            job: JobId([1; 32]),
            task: 3,
            question: Digest([2; 32]),
            answer: Answer {
                result_commitment: Digest([1; 32]),
                result_bytes: 10,
                fuel,
                exit: Exit::Success,
            },
        };
        let secret = NodeSecret::from_seed(&[member; 32]);
        RefereeStatement {
            report: secret.sign(report, &GenesisHash([1; 32])),
            node: NodeKey([member; 32]),
        }
    }

    fn words(of: &[RefereeStatement]) -> BTreeMap<u8, NodeSignature> {
        let of = of.iter().map(|it| (it.node.0[0], it.report.signature));
        of.collect()
    }

    #[test]
    fn who_contradicts_a_referee_begins_with_its_own_word_and_does_not_ask_the_referee() {
        let group = group(4);
        let (said, own) = (says(1, 7), says(2, 8));
        let mut begun = GroupWords::begun(&group, said, &[said]).unwrap();
        assert_eq!((begun.needed, &begun.given), (3, &words(&[said])));
        assert!(begun.refused.is_empty());
        begun.hear(&group, own, &[said]);
        assert_eq!(begun.report, own.report);
        assert_eq!(begun.given, words(&[own]));
        assert_eq!(begun.refused, BTreeSet::from([1]));
        assert_eq!(begun.within_reach(&group), 3);
    }

    #[test]
    fn the_words_of_all_referees_of_a_log_count_that_agree_and_who_differs_is_not_asked() {
        let group = group(5);
        let referees = [says(3, 9), says(2, 7), says(1, 7), says(77, 7)];
        let mut begun = GroupWords::begun(&group, referees[1], &referees).unwrap();
        assert_eq!(begun.given, words(&referees[1..3]));
        assert_eq!(begun.refused, BTreeSet::from([3]));
        begun.hear(&group, says(4, 7), &referees);
        assert_eq!(begun.given.len(), referees_needed(group.members.len()));
        // One that says the same now is refused no more.
        begun.hear(&group, says(3, 7), &referees);
        assert!(begun.refused.is_empty() && begun.given.contains_key(&3));
        let stranger = says(77, 7);
        assert!(GroupWords::begun(&group, stranger, &[stranger]).is_none());
    }

    #[test]
    fn who_contradicts_most_referees_of_a_log_counts_the_one_that_says_the_same() {
        let group = group(5);
        let (referees, own) = ([says(1, 7), says(2, 7), says(3, 9)], says(4, 9));
        let mut begun = GroupWords::begun(&group, referees[0], &referees).unwrap();
        begun.hear(&group, own, &referees);
        assert_eq!(begun.given, words(&[referees[2], own]));
        assert_eq!(begun.refused, BTreeSet::from([1, 2]));
        // And so where it is that one itself.
        let mut begun = GroupWords::begun(&group, referees[0], &referees).unwrap();
        begun.hear(&group, referees[2], &referees);
        assert_eq!(begun.given, words(&referees[2..]));
        assert_eq!(begun.refused, BTreeSet::from([1, 2]));
    }

    #[test]
    fn who_is_out_is_within_reach_only_if_it_has_given_its_word() {
        let mut group = group(4);
        group.members[2].is_out = true;
        let given = |member| GroupWords::begun(&group, says(member, 7), &[]).unwrap();
        assert_eq!(given(2).within_reach(&group), 4);
        assert_eq!(given(1).within_reach(&group), 3);
        let mut without = given(1);
        without.refused.extend([2, 3]);
        assert_eq!(without.within_reach(&group), 2);
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
