//! A log that another masternode writes, as a member of its job's group keeps and checks it.
//!
//! Blocks are taken from whoever brings them, if the coordinator's key has signed them. They are on disk
//! before it is said that they are here. Each is held to the rules in full: with every device's signature,
//! with what this masternode's own node says, with the shards of the manifest, and with the draw of who is
//! believed alone. Only what passes is certified.

mod refereeing;
mod settled;
mod witnessing;
mod word;

use super::{
    accusing::{Accuser, By},
    computations::Computations,
    lies::{Lie, show},
    view::{ChainView, Unread},
};
use crate::{
    core::{Engines, Entry},
    daemon::{Room, Shared},
    locks::lock,
    store::{Base, StoreError},
};
use quern_joblog::{Certificate, LogFault, RefereeWord, Replay, SignedBlock};
use quern_jobs_api::{GroupError, LOG_PAGE_BLOCKS_MAX, LOG_PAGE_BYTES_MAX};
use quern_ledger::ChainError;
use quern_primitives::{
    BlockNumber, JobId, TaskIndex,
    group::{Group, Member},
    ids::BatchSequence,
    job::Job,
    verdict::{Finding, Ground},
};
use quern_recheck::{Asking, Recheck, RecheckFault, Wanted, is_closing};
use settled::Comparing;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use word::words_on;

/// Questions of other masternodes that are answered at a time.
const ANSWERING_MAX: usize = 16;

/// Bytes of the copy of one log: 65,536 tasks of many replicas fit.
const COPY_BYTES_MAX: u64 = 1 << 30;

/// How long it is believed what the chain said of a group.
const GROUP_GOOD_FOR: Duration = Duration::from_secs(2);

/// Groups, and logs that are followed, of which that is remembered; with more it is looked up again.
const REMEMBERED_MAX: usize = 1_024;

/// Blocks of a copy that are read at a time.
const BLOCKS_AT_ONCE: usize = 64;

/// One log, opened once it is asked for.
type Held = Arc<AsyncMutex<Option<Follower>>>;

/// The logs that are followed here.
pub(crate) struct Members {
    shared: Arc<Shared>,
    engines: Engines,
    /// Whether lies are shown to the chain.
    disputes: bool,
    answering: Semaphore,
    groups: Mutex<BTreeMap<JobId, (Instant, Part)>>,
    /// By job and by the place of who writes the log.
    followers: Mutex<BTreeMap<(JobId, u8), Held>>,
    /// Tasks that are computed for coordinators.
    refereeings: Arc<Computations>,
    accuser: Arc<Accuser>,
    room: Arc<Room>,
    comparing: Arc<Comparing>,
}

/// The part that this masternode has in a job.
#[derive(Clone, Debug)]
struct Part {
    job: Job,
    /// The block of which that was read.
    at: BlockNumber,
    /// The place of who coordinates, and who that is.
    turn: u8,
    coordinator: Member,
    /// How many masternodes the group has beside that one, those that have no say any more among them.
    others: usize,
}

/// A block that does not follow, and why not.
type Refused = (LogFault, Vec<u8>);

/// One log as far as it is here.
struct Follower {
    /// What is on disk.
    replay: Replay,
    bytes: u64,
    checked: Option<Checked>,
    /// Why nothing of it is certified, for good.
    fault: Option<String>,
    /// What this masternode says of the batches that it has checked.
    batches: BTreeMap<BatchSequence, Certificate>,
}

/// One log as far as it was held to the rules.
struct Checked {
    recheck: Recheck<ChainView>,
    view: ChainView,
    base: Base,
    next: u64,
}

impl Members {
    /// A masternode that `disputes` shows lies to the chain, and computes tasks in the room.
    pub(crate) fn new(
        shared: Arc<Shared>,
        engines: Engines,
        disputes: bool,
        (room, accuser): (Arc<Room>, Arc<Accuser>),
    ) -> Self {
        Self {
            shared,
            engines,
            disputes,
            answering: Semaphore::new(ANSWERING_MAX),
            groups: Mutex::default(),
            followers: Mutex::default(),
            refereeings: Arc::default(),
            accuser,
            room,
            comparing: Arc::default(),
        }
    }

    /// Whether this masternode is of a job's group, and has a say in it.
    pub(crate) async fn is_member(&self, id: JobId) -> bool {
        matches!(self.part(id).await, Ok(_) | Err(GroupError::Coordinates))
    }

    /// Takes blocks of a job's log. Returns the index of the one that comes next.
    pub(crate) async fn append(&self, id: JobId, blocks: Vec<Vec<u8>>) -> Result<u64, GroupError> {
        let _place = self.answering.try_acquire().map_err(|_| GroupError::Busy)?;
        let bytes: usize = blocks.iter().map(Vec::len).sum();
        if blocks.len() > LOG_PAGE_BLOCKS_MAX || bytes > LOG_PAGE_BYTES_MAX {
            return Err(GroupError::TooLong);
        }
        let part = self.part(id).await?;
        let follower = self.follower(id, part.turn);
        let mut follower = follower.lock().await;
        let follower = self.opened(&mut follower, id, &part).await?;
        self.keep(follower, id, &part, blocks).await?;
        let next = follower.replay.next_index();
        // So that a batch need not wait for it. What comes of it is told to who asks for a certificate.
        if let Err(error) = self.check(follower, id, &part).await {
            tracing::debug!(job = %id, %error, "a log that is followed is not checked to its end");
        }
        Ok(next)
    }

    /// What part this masternode has in a job that another one coordinates now.
    async fn part(&self, id: JobId) -> Result<Part, GroupError> {
        let known = lock(&self.groups).get(&id).cloned();
        if let Some((since, part)) = known
            && since.elapsed() < GROUP_GOOD_FOR
        {
            return Ok(part);
        }
        let read = async {
            let state = self.shared.chain.at_finalised().await?;
            let at = state.block().number;
            Ok::<_, ChainError>((at, state.group(id).await?, state.job(id).await?))
        };
        let (at, group, job) = read.await.map_err(|_| GroupError::Starting)?;
        let (Some(group), Some(job)) = (group, job) else {
            return Err(GroupError::NotMember);
        };
        let part = part_in(&group, (at, job), &self.shared)?;
        let mut groups = lock(&self.groups);
        if groups.len() >= REMEMBERED_MAX {
            groups.clear();
        }
        groups.insert(id, (Instant::now(), part.clone()));
        Ok(part)
    }

    fn follower(&self, id: JobId, place: u8) -> Held {
        let mut followers = lock(&self.followers);
        if followers.len() >= REMEMBERED_MAX {
            // Those that somebody waits for stay; the others are read again from disk.
            followers.retain(|_, follower| Arc::strong_count(follower) > 1);
        }
        followers.entry((id, place)).or_default().clone()
    }

    /// The log as it is on disk, read once.
    async fn opened<'a>(
        &self,
        follower: &'a mut Option<Follower>,
        id: JobId,
        part: &Part,
    ) -> Result<&'a mut Follower, GroupError> {
        if follower.is_none() {
            let (shared, turn, node) = (self.shared.clone(), part.turn, part.coordinator.node);
            let (at, job) = (part.at, part.job.clone());
            let read = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
                // So that it is erased when the job has long been over. Of one that this masternode
                // coordinated before that is remembered already.
                if shared.store.closed(id)?.is_none() {
                    shared.store.remember_jobs(&[(id, &job)])?;
                    shared.learn_of(id, at, job);
                }
                let copy = shared.store.followed(id, turn)?;
                let (mut replay, mut bytes) = (Replay::new(shared.genesis, id, node), 0u64);
                loop {
                    let page =
                        copy.page(replay.next_index(), BLOCKS_AT_ONCE, LOG_PAGE_BYTES_MAX)?;
                    if page.is_empty() {
                        return Ok((replay, bytes));
                    }
                    for block in page {
                        bytes = bytes.saturating_add(block.len() as u64);
                        replay.take(&block).map_err(|fault| StoreError::Log {
                            job: id,
                            fault: Box::new(fault),
                        })?;
                    }
                }
            });
            let read = read.await.map_err(|_| GroupError::Storage)?;
            let (replay, bytes) = read.map_err(|error| {
                let error = &error as &dyn std::error::Error;
                tracing::error!(job = %id, error, "the copy of a log cannot be read");
                GroupError::Storage
            })?;
            *follower = Some(Follower {
                replay,
                bytes,
                checked: None,
                fault: None,
                batches: BTreeMap::new(),
            });
        }
        follower.as_mut().ok_or(GroupError::Storage)
    }

    /// Writes down the blocks that are new here, if they follow.
    async fn keep(
        &self,
        follower: &mut Follower,
        id: JobId,
        part: &Part,
        blocks: Vec<Vec<u8>>,
    ) -> Result<(), GroupError> {
        if blocks.is_empty() {
            return Ok(());
        }
        let (mut replay, first) = (follower.replay.clone(), follower.replay.next_index());
        let followed = tokio::task::spawn_blocking(move || {
            let new = new_blocks(&mut replay, blocks);
            (replay, new)
        });
        let (replay, (new, refused)) = followed.await.map_err(|_| GroupError::Storage)?;
        let added: u64 = new.iter().map(|block| block.len() as u64).sum();
        let bytes = follower.bytes.saturating_add(added);
        if bytes > COPY_BYTES_MAX {
            return Err(GroupError::TooLong);
        }
        let (shared, turn) = (self.shared.clone(), part.turn);
        let written =
            tokio::task::spawn_blocking(move || shared.store.follow((id, turn), first, &new));
        let written = written.await.map_err(|_| GroupError::Storage)?;
        written.map_err(|_| GroupError::Storage)?;
        (follower.replay, follower.bytes) = (replay, bytes);
        match refused {
            None => Ok(()),
            Some((fault, block)) => Err(self.refuse(follower, id, part, fault, &block)),
        }
    }

    /// A block that does not follow is not kept. If its coordinator has signed another one for its place, or one
    /// that it should name and does not, both convict by themselves, whatever was settled.
    fn refuse(
        &self,
        follower: &mut Follower,
        id: JobId,
        part: &Part,
        fault: LogFault,
        block: &[u8],
    ) -> GroupError {
        let why = fault.to_string();
        let lie = RecheckFault::Log(fault);
        // It may be sent again and again.
        if follower.fault.is_none() && lie.dispute().is_some() {
            let refused = SignedBlock::read(block).ok();
            follower.fault = Some(self.found(id, part, (lie, refused), Base::default()));
        }
        GroupError::NotTheLog {
            coordinator: part.coordinator.account.clone(),
            why,
        }
    }

    /// Holds what is on disk to the rules, as far as it was not before.
    async fn check(
        &self,
        follower: &mut Follower,
        id: JobId,
        part: &Part,
    ) -> Result<(), GroupError> {
        if let Some(why) = follower.fault.clone() {
            return Err(GroupError::Differs { why });
        }
        loop {
            let mut checked = match follower.checked.take() {
                Some(checked) => checked,
                None => {
                    follower.batches.clear();
                    self.begin(id, part).await?
                }
            };
            let (shared, turn, next) = (self.shared.clone(), part.turn, checked.next);
            let page = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
                let copy = shared.store.followed(id, turn)?;
                copy.page(next, BLOCKS_AT_ONCE, LOG_PAGE_BYTES_MAX)
            });
            let page = page.await.map_err(|_| GroupError::Storage)?;
            let page = page.map_err(|_| GroupError::Storage)?;
            if page.is_empty() {
                follower.checked = Some(checked);
                return Ok(());
            }
            for bytes in page {
                let block = SignedBlock::read(&bytes).map_err(|fault| GroupError::Differs {
                    why: fault.to_string(),
                })?;
                let wanted = Wanted::by(&block);
                let gathered = checked.view.gather(&self.shared.chain, &wanted).await;
                if let Err(error) = gathered {
                    follower.checked = Some(checked);
                    return Err(unread(error));
                }
                let taken = tokio::task::spawn_blocking(move || {
                    let taken = checked.recheck.take(&bytes);
                    (checked, taken)
                });
                let (back, taken): (Checked, Result<(), RecheckFault>) =
                    taken.await.map_err(|_| GroupError::Storage)?;
                checked = back;
                if let Err(fault) = taken {
                    let why = self.found(id, part, (fault, None), checked.base);
                    follower.fault = Some(why.clone());
                    return Err(GroupError::Differs { why });
                }
                // If that fails the log is read again from its beginning.
                self.see_closing(id, part, &block).await?;
                checked.next = checked.next.saturating_add(1);
                self.suspect(id, part, &checked, &block);
                let batches = words_on(&block, &self.shared.genesis);
                if let Some((last, _)) = batches.last() {
                    self.compare(id, part, &checked, *last);
                }
                follower.batches.extend(batches);
            }
            follower.checked = Some(checked);
        }
    }

    /// Of what is written without a referee near a job's end it is remembered that nobody was asked any more.
    async fn see_closing(
        &self,
        id: JobId,
        part: &Part,
        block: &SignedBlock,
    ) -> Result<(), GroupError> {
        let without = block.entries.iter().filter_map(|entry| match entry {
            Entry::Refereed {
                task,
                word: RefereeWord::None,
            } => Some(*task),
            _ => None,
        });
        let without: Vec<_> = without.collect();
        if without.is_empty() || !is_closing(&part.job, part.at) {
            return Ok(());
        }
        let (shared, turn) = (self.shared.clone(), part.turn);
        let kept = tokio::task::spawn_blocking(move || {
            without.into_iter().try_for_each(|task| {
                shared
                    .store
                    .remember_asking((id, turn), task, Asking::Closing)
            })
        });
        let kept = kept.await.map_err(|_| GroupError::Storage)?;
        kept.map_err(|_| GroupError::Storage)
    }

    /// A log breaks a rule: whoever runs this hears of it, and so does the chain, once it has settled
    /// something that rests on it.
    fn found(
        &self,
        id: JobId,
        part: &Part,
        (fault, refused): (RecheckFault, Option<SignedBlock>),
        base: Base,
    ) -> String {
        let why = format!("{:#}", anyhow::Error::from(fault.clone()));
        let by = &part.coordinator.account;
        tracing::error!(
            job = %id,
            %by,
            error = why,
            "a coordinator's log breaks a rule, and no batch of it is certified; `quern audit job` shows what can be disputed"
        );
        let context = self.shared.context(id).filter(|_| self.disputes);
        if let Some(context) = context {
            let lie = Lie {
                job: id,
                place: part.turn,
                base,
                fault,
                refused,
                roots: context.input_roots(),
            };
            tokio::spawn(show(self.shared.clone(), lie));
        }
        why
    }

    /// Where a referee contradicts a device, what comes of it is shown to the chain.
    fn suspect(&self, id: JobId, part: &Part, checked: &Checked, block: &SignedBlock) {
        let by = By::Referee {
            place: part.turn,
            first: checked.base.first,
        };
        for task in contradicted(block) {
            self.accuser.begin(id, task, by);
        }
    }

    /// Begins to hold a log to the rules, with all that only the job's masternodes have.
    async fn begin(&self, id: JobId, part: &Part) -> Result<Checked, GroupError> {
        let context = self.shared.context(id).ok_or(GroupError::KeyMissing)?;
        let genesis = self.shared.genesis;
        let view = ChainView::new(genesis, id, part.job.clone(), self.engines);
        let view = view.with_context(context.clone());
        let base = self.base(id, part, &view).await?;
        let seed = *context.key.trust_seed(&id).expose();
        let recheck = Recheck::new(view.clone(), context.input_roots(), part.coordinator.node);
        let recheck = recheck.map_err(|fault| GroupError::Differs {
            why: fault.to_string(),
        })?;
        let recheck = recheck.with_trust_seed(seed).from_batch(base.first);
        Ok(Checked {
            recheck: recheck.behind_settled(base.settled.clone()),
            view,
            base,
            next: 0,
        })
    }

    /// What was settled before the log began. It is looked up at the height to which its first entry refers,
    /// at which its writer had its turn and had settled nothing yet.
    async fn base(&self, id: JobId, part: &Part, view: &ChainView) -> Result<Base, GroupError> {
        let turn = part.turn;
        if turn == 0 {
            return Ok(Base::default());
        }
        let store = &self.shared.store;
        let known = store.base(id, turn).map_err(|_| GroupError::Storage)?;
        if let Some(known) = known {
            return Ok(known);
        }
        let copy = store.followed(id, turn).map_err(|_| GroupError::Storage)?;
        let first = copy.page(0, 1, 0).map_err(|_| GroupError::Storage)?;
        let first = first.first().and_then(|block| opened_at(block));
        let at = first.ok_or(GroupError::Behind { next: 0 })?;
        let state = view
            .state_at(&self.shared.chain, at)
            .await
            .map_err(unread)?;
        let chain = |error| unread(Unread::Chain(error));
        let job = state.job(id).await.map_err(chain)?;
        let base = Base {
            first: job.map_or(0, |job| job.next_batch),
            settled: state.settled_tasks(id).await.map_err(chain)?,
        };
        let kept = store.remember_base((id, turn), &base);
        kept.map_err(|_| GroupError::Storage)?;
        Ok(base)
    }
}

/// What part this masternode has in a group.
fn part_in(
    group: &Group,
    (at, job): (BlockNumber, Job),
    shared: &Shared,
) -> Result<Part, GroupError> {
    let place = group.place_of(&shared.account.id());
    let place = place.ok_or(GroupError::NotMember)?;
    let own = group.member(place).filter(|member| !member.is_out);
    // With another key than it was drawn with it has no say either.
    own.filter(|member| member.node == shared.node.public())
        .ok_or(GroupError::NotMember)?;
    if place == group.turn {
        return Err(GroupError::Coordinates);
    }
    let coordinator = group.coordinator().ok_or(GroupError::NotMember)?;
    Ok(Part {
        job,
        at,
        turn: group.turn,
        coordinator: coordinator.clone(),
        others: group.members.len().saturating_sub(1),
    })
}

/// The blocks of these that are behind what was followed, in order, up to one that does not follow; and what is
/// wrong with that one. What is here already is passed over.
fn new_blocks(replay: &mut Replay, blocks: Vec<Vec<u8>>) -> (Vec<Vec<u8>>, Option<Refused>) {
    let mut new = Vec::new();
    for block in blocks {
        match replay.take(&block) {
            Ok(_) => new.push(block),
            Err(LogFault::Repeated { .. }) => {}
            Err(fault) => return (new, Some((fault, block))),
        }
    }
    (new, None)
}

/// The tasks of which a block says that a referee's word stands against a device's.
fn contradicted(block: &SignedBlock) -> impl Iterator<Item = TaskIndex> + '_ {
    block.entries.iter().filter_map(|entry| match entry {
        Entry::Judged { verdict } if verdict.ground == Ground::Referee => {
            let mut found = verdict.replicas.iter();
            let is_against = found.any(|it| it.finding == Finding::Incorrect);
            is_against.then_some(verdict.task)
        }
        _ => None,
    })
}

/// The height of the chain at which a log says that its writer began.
fn opened_at(block: &[u8]) -> Option<BlockNumber> {
    let block = SignedBlock::read(block).ok()?;
    match block.entries.first()? {
        Entry::Opened { at, .. } => Some(*at),
        _ => None,
    }
}

fn unread(error: Unread) -> GroupError {
    GroupError::Unread {
        why: format!("{:#}", anyhow::Error::from(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_joblog::LogBuilder;
    use quern_primitives::{
        AccountId, Digest, GenesisHash,
        batch::{Batch, LogRange},
        payload::NodeSecret,
    };

    pub(super) const HERE: GenesisHash = GenesisHash([1; 32]);
    const JOB: JobId = JobId([2; 32]);

    fn node(number: u8) -> NodeSecret {
        NodeSecret::from_seed(&[number; 32])
    }

    fn opened(by: u8, at: u32) -> Entry {
        Entry::Opened {
            coordinator: AccountId::new([by; 32]),
            node: node(by).public(),
            at,
        }
    }

    pub(super) fn batch(sequence: BatchSequence) -> Batch {
        Batch {
            job: JOB,
            sequence,
            log: LogRange { first: 0, last: 0 },
            verdicts_root: Digest([8; 32]),
            tasks: quern_job_rules::tasks::collect([1]).unwrap(),
            spent: 0,
            payouts: Default::default(),
            devices: Default::default(),
        }
    }

    /// A log of three blocks, the last with a batch.
    pub(super) fn log(by: u8) -> Vec<Vec<u8>> {
        let mut log = LogBuilder::new(HERE, JOB, node(by));
        let mut blocks = Vec::new();
        let queued = Entry::Queued { first: 0, tasks: 2 };
        for entry in [opened(by, 7), queued, Entry::Batched { batch: batch(4) }] {
            log.append(entry, 1).unwrap();
            blocks.push(log.cut(1).unwrap().to_bytes());
        }
        blocks
    }

    fn replay() -> Replay {
        Replay::new(HERE, JOB, node(3).public())
    }

    #[test]
    fn blocks_that_are_here_are_passed_over_and_new_ones_are_kept() {
        let (mut replay, log) = (replay(), log(3));
        let first = new_blocks(&mut replay, log[..2].to_vec());
        assert_eq!(first, (log[..2].to_vec(), None));
        let rest = new_blocks(&mut replay, log.clone());
        assert_eq!(rest, (log[2..].to_vec(), None));
        assert_eq!(replay.next_index(), 3);
    }

    #[test]
    fn nobody_but_the_coordinator_adds_to_its_log() {
        let (mut replay, theirs) = (replay(), log(4));
        let taken = new_blocks(&mut replay, theirs.clone());
        let refused = (LogFault::WrongSigner { index: 0 }, theirs[0].clone());
        assert_eq!(taken, (vec![], Some(refused)));
        assert_eq!(replay.next_index(), 0);
    }

    #[test]
    fn what_follows_is_kept_where_a_block_behind_it_does_not() {
        let (mut replay, mut log) = (replay(), log(3));
        let block = SignedBlock::read(&log[2]).unwrap();
        let mut header = block.header.payload;
        header.skip.0[0] ^= 1;
        log[2] = SignedBlock {
            header: node(3).sign(header, &HERE),
            entries: block.entries,
        }
        .to_bytes();
        let refused = (LogFault::Skipped { index: 2 }, log[2].clone());
        let taken = new_blocks(&mut replay, log.clone());
        assert_eq!(taken, (log[..2].to_vec(), Some(refused)));
        assert_eq!(replay.next_index(), 2);
    }

    #[test]
    fn a_log_says_when_its_writer_began() {
        let log = log(3);
        assert_eq!(opened_at(&log[0]), Some(7));
        assert_eq!(opened_at(&log[1]), None);
        assert_eq!(opened_at(&[1, 2, 3]), None);
    }
}
