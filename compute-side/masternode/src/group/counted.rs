//! What the chain has counted of jobs that other masternodes coordinate, as the copies of their logs have it: from
//! that the core draws what falls to this one to be computed again.
//!
//! A batch may be counted before its log has come to a member that was not asked for its certificate, or was slow. So
//! what was counted is awaited for some blocks; the draw is by the block that counted it, whenever the log comes.
//! A log is read on from where it was left, and no further than what is awaited, so what is kept of it in memory is
//! what its coordinator keeps.

use super::copies::{self, Writer};
use crate::{
    core::{CountedBatch, Engines, Entry, News, Seat},
    daemon::{Command, Shared},
    locks::lock,
    store::{Store, StoreError},
};
use quern_job_rules::tasks;
use quern_joblog::SignedBlock;
use quern_ledger::{ChainError, State};
use quern_primitives::{
    BlockNumber, Digest, JobId, TaskIndex,
    batch::Batch,
    group::Group,
    ids::{AccountId, BatchSequence, NodeKey},
    job::Job,
    limits::PENDING_BATCHES_PER_JOB_MAX,
    verdict::Verdict,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

/// How many blocks a log is waited for that has a counted batch; then nothing of the batch is drawn here.
const AWAITED_BLOCKS_MAX: BlockNumber = 100;

/// Jobs of which a counted batch is awaited, as owners are told of it.
pub(crate) struct Awaited {
    /// Whether anything is drawn here.
    is_on: bool,
    /// What it would be computed with.
    engines: Engines,
    jobs: Mutex<BTreeSet<JobId>>,
}

impl Awaited {
    /// A masternode that computes nothing itself draws nothing.
    pub(crate) fn new(is_on: bool, engines: Engines) -> Self {
        Self {
            is_on,
            engines,
            jobs: Mutex::default(),
        }
    }

    /// Whether this masternode computes again what is drawn.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether something of a job that another masternode coordinates may still be drawn here, of which the core was
    /// not told.
    pub(crate) fn may_come(&self, id: JobId, job: &Job) -> bool {
        let is_drawn = self.is_on && job.terms.re_execution_permille > 0;
        is_drawn && (job.state.goes_on() || lock(&self.jobs).contains(&id))
    }
}

/// The copies of logs, as far as they were read for it.
#[derive(Default)]
pub(crate) struct Counting(BTreeMap<(JobId, u8), Copied>);

/// One of them.
#[derive(Default)]
struct Copied {
    /// The block of the log that is read next.
    next: u64,
    /// Batches before this one are drawn from, or were counted before anything was looked for.
    first: BatchSequence,
    /// Tasks that are not judged yet, of which a device has a replica with another engine than this masternode's.
    foreign: BTreeSet<TaskIndex>,
    /// Verdicts that are in no batch, on what this masternode would compute with the same engine.
    judged: BTreeMap<TaskIndex, Verdict>,
    /// What batches have, until the chain has counted them.
    batched: BTreeMap<BatchSequence, Vec<Verdict>>,
    /// Batches that the chain has counted.
    awaited: BTreeMap<BatchSequence, Counted>,
}

/// How a batch was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    /// The block that counted it.
    at: BlockNumber,
    /// The block at which that was seen.
    seen: BlockNumber,
    seat: Seat,
}

impl Counting {
    /// Has the core draw from what the chain has counted of a job since it was last looked at. To be called before
    /// what the chain says of the job now is remembered.
    pub(crate) async fn look(
        &mut self,
        shared: &Arc<Shared>,
        state: &State,
        id: JobId,
        job: &Job,
    ) -> Result<(), ChainError> {
        if !shared.awaited.is_on || job.terms.re_execution_permille == 0 {
            return Ok(());
        }
        // What was counted before the job was known here is not drawn here.
        let first = shared
            .job(id)
            .map_or(job.next_batch, |known| known.next_batch);
        if first < job.next_batch {
            self.counted(shared, state, id, first..job.next_batch)
                .await?;
        }
        let seen = state.block().number;
        let places: Vec<u8> = self.of(id).map(|(place, _)| place).collect();
        for place in places {
            self.read(shared, (id, place), job, seen).await;
        }
        let is_awaited = self.of(id).any(|(_, copied)| !copied.awaited.is_empty());
        if !is_awaited {
            lock(&shared.awaited.jobs).remove(&id);
        }
        Ok(())
    }

    /// Forgets the jobs that are not among these.
    pub(crate) fn keep(&mut self, jobs: &BTreeSet<JobId>, shared: &Shared) {
        self.0.retain(|(job, _), _| jobs.contains(job));
        lock(&shared.awaited.jobs).retain(|job| jobs.contains(job));
    }

    fn of(&self, id: JobId) -> impl Iterator<Item = (u8, &Copied)> {
        let places = (id, u8::MIN)..=(id, u8::MAX);
        self.0
            .range(places)
            .map(|((_, place), copied)| (*place, copied))
    }

    /// The chain has counted batches. Each is looked for in the log of who settled it, which may be another one than
    /// who has its turn now.
    async fn counted(
        &mut self,
        shared: &Shared,
        state: &State,
        id: JobId,
        batches: std::ops::Range<BatchSequence>,
    ) -> Result<(), ChainError> {
        let Some(group) = state.group(id).await? else {
            return Ok(());
        };
        let (me, node) = (shared.account.id(), shared.node.public());
        let seen = state.block().number;
        let mut counted: BTreeMap<u8, Vec<_>> = BTreeMap::new();
        for sequence in batches.clone() {
            let record = state.batch(id, sequence).await?;
            // Of what is final the chain does not keep who settled it. It was counted long ago.
            let pending = state.pending_batch(id, sequence).await?;
            let (Some(record), Some(pending)) = (record, pending) else {
                continue;
            };
            let settler = group.place_of(&pending.coordinator);
            let seat = settler.and_then(|place| Some((place, seat(&group, place, &me, &node)?)));
            if let Some((place, seat)) = seat {
                let at = record.settled_at;
                let of_it = counted.entry(place).or_default();
                of_it.push((sequence, Counted { at, seen, seat }));
            }
        }
        if !counted.is_empty() {
            // Before the job is remembered as one that goes on no more.
            lock(&shared.awaited.jobs).insert(id);
        }
        for (place, counted) in counted {
            let copied = self.0.entry((id, place)).or_insert_with(|| Copied {
                first: batches.start,
                ..Copied::default()
            });
            copied.wait_for(counted);
        }
        Ok(())
    }

    /// Reads on in a log, and tells the core of those batches that are there by now.
    async fn read(
        &mut self,
        shared: &Arc<Shared>,
        (id, place): (JobId, u8),
        job: &Job,
        seen: BlockNumber,
    ) {
        let Some(copied) = self.0.get_mut(&(id, place)) else {
            return;
        };
        if copied.awaited.is_empty() {
            return;
        }
        // Should reading fail altogether, it begins anew.
        let anew = copied.anew();
        let (store, mut reading) = (shared.store.clone(), std::mem::replace(copied, anew));
        let known = Known {
            tasks: job.submission.tasks,
            engine: shared.awaited.engines.of(job.submission.class),
        };
        let read = tokio::task::spawn_blocking(move || {
            let read = reading.read(&store, (id, place), known);
            (reading, read)
        });
        let Ok((reading, read)) = read.await else {
            tracing::error!(job = %id, "reading the copy of a log broke off");
            return;
        };
        *copied = reading;
        let notes = match read {
            Ok(notes) => notes,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(job = %id, error, "the copy of a log cannot be read");
                return;
            }
        };
        for (counted, verdicts) in copied.ready() {
            let news = News::Counted(Box::new(CountedBatch {
                job: job.clone(),
                block: counted.at,
                verdicts,
                seat: counted.seat,
                notes,
            }));
            let command = Command::Elsewhere { job: id, news };
            // An error says that the masternode stops.
            drop(shared.commands.send(command).await);
        }
        for batch in copied.give_up(seen) {
            tracing::warn!(job = %id, batch, "the log of a batch that was settled did not come; nothing of it is computed again here");
        }
    }
}

/// What is known of a job whose log is read.
#[derive(Clone, Copy)]
struct Known {
    tasks: u32,
    /// This masternode's engine of the job's class.
    engine: Digest,
}

impl Copied {
    /// One of which nothing was read, that waits for the same.
    fn anew(&self) -> Self {
        Self {
            first: self.first,
            awaited: self.awaited.clone(),
            ..Self::default()
        }
    }

    /// The chain has counted these batches.
    fn wait_for(&mut self, counted: Vec<(BatchSequence, Counted)>) {
        let fresh = counted
            .into_iter()
            .filter(|(sequence, _)| *sequence >= self.first);
        self.awaited.extend(fresh);
    }

    /// Reads on until all that is awaited is there, or to the log's end. Gives how many notes of the job are on
    /// disk.
    fn read(
        &mut self,
        store: &Store,
        (id, place): (JobId, u8),
        known: Known,
    ) -> Result<u64, StoreError> {
        let from = self.next;
        let read = copies::read_from(store, id, Writer::Member(place), from, |block| {
            self.take(block, known);
            !self.is_all_here()
        });
        self.next = read?;
        // What the core has noted of the job may be on its way.
        store.wait_until_written();
        store.read_log(id)?.count_notes()
    }

    fn is_all_here(&self) -> bool {
        let mut awaited = self.awaited.keys();
        awaited.all(|sequence| self.batched.contains_key(sequence))
    }

    /// Takes the next block.
    fn take(&mut self, block: &SignedBlock, Known { tasks, engine }: Known) {
        for entry in &block.entries {
            match entry {
                Entry::Assigned {
                    task, engine: its, ..
                } if *task < tasks && *its != engine => {
                    self.foreign.insert(*task);
                }
                // What another engine makes of it is not to be held against this one.
                Entry::Judged { verdict }
                    if verdict.task < tasks && !self.foreign.remove(&verdict.task) =>
                {
                    self.judged.insert(verdict.task, verdict.clone());
                }
                Entry::Batched { batch } => self.batch(batch, tasks),
                _ => {}
            }
        }
    }

    fn batch(&mut self, batch: &Batch, tasks: u32) {
        let Ok(set) = tasks::validate(&batch.tasks, tasks) else {
            return;
        };
        let verdicts = set.iter().filter_map(|task| self.judged.remove(&task));
        let verdicts: Vec<_> = verdicts.collect();
        // No honest coordinator has more of them that are not final.
        let is_full = self.batched.len() >= PENDING_BATCHES_PER_JOB_MAX as usize;
        if batch.sequence >= self.first && !is_full {
            self.batched.insert(batch.sequence, verdicts);
        }
    }

    /// What was counted and is here, once.
    fn ready(&mut self) -> Vec<(Counted, Vec<Verdict>)> {
        let batched = &self.batched;
        let ready = self
            .awaited
            .extract_if(.., |it, _| batched.contains_key(it));
        let ready: Vec<_> = ready.collect();
        let mut all = Vec::new();
        for (sequence, counted) in ready {
            self.first = self.first.max(sequence.saturating_add(1));
            all.extend(self.batched.remove(&sequence).map(|it| (counted, it)));
        }
        all
    }

    /// Batches that are awaited for too long, once.
    fn give_up(&mut self, seen: BlockNumber) -> Vec<BatchSequence> {
        let is_late = |it: &Counted| it.seen.saturating_add(AWAITED_BLOCKS_MAX) < seen;
        let late = self.awaited.extract_if(.., |_, it| is_late(it));
        late.map(|(sequence, _)| sequence).collect()
    }
}

/// This masternode's place among those of a group that have a say and did not settle a batch; none if it is not among
/// them.
fn seat(group: &Group, settler: u8, me: &AccountId, node: &NodeKey) -> Option<Seat> {
    let members = (0u8..).zip(&group.members);
    let others = members.filter(|(place, member)| *place != settler && !member.is_out);
    let others: Vec<_> = others.map(|(_, member)| member).collect();
    let mut mine = others.iter();
    let place = mine.position(|member| member.account == *me && member.node == *node)?;
    Some(Seat {
        place: u32::try_from(place).ok()?,
        of: u32::try_from(others.len()).ok()?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_joblog::LogBuilder;
    use quern_primitives::{
        Digest, GenesisHash,
        batch::LogRange,
        group::Member,
        ids::DeviceId,
        payload::NodeSecret,
        receipt::{Answer, Exit},
        verdict::Ground,
    };

    const HERE: GenesisHash = GenesisHash([1; 32]);
    const JOB: JobId = JobId([2; 32]);
    const TASKS: u32 = 9;
    const SEAT: Seat = Seat { place: 0, of: 2 };
    const KNOWN: Known = Known {
        tasks: TASKS,
        engine: Digest([6; 32]),
    };

    fn judged(task: TaskIndex) -> Entry {
        Entry::Judged {
            verdict: Verdict {
                job: JOB,
                task,
                answer: Answer {
                    result_commitment: Digest([1; 32]),
                    result_bytes: 2,
                    fuel: 3,
                    exit: Exit::Success,
                },
                ground: Ground::Unanimous,
                price: 0,
                replicas: Default::default(),
            },
        }
    }

    fn batched(sequence: BatchSequence, of: &[TaskIndex]) -> Entry {
        let batch = Batch {
            job: JOB,
            sequence,
            log: LogRange { first: 0, last: 0 },
            verdicts_root: Digest([8; 32]),
            tasks: tasks::collect(of.iter().copied()).unwrap(),
            spent: 0,
            payouts: Default::default(),
            devices: Default::default(),
        };
        Entry::Batched { batch }
    }

    /// A log with these entries, a block each.
    fn blocks(entries: impl IntoIterator<Item = Entry>) -> Vec<Vec<u8>> {
        let mut log = LogBuilder::new(HERE, JOB, NodeSecret::from_seed(&[3; 32]));
        let blocks = entries.into_iter().map(|entry| {
            log.append(entry, 1).unwrap();
            log.cut(1).unwrap().to_bytes()
        });
        blocks.collect()
    }

    fn counted(sequence: BatchSequence, seen: BlockNumber) -> (BatchSequence, Counted) {
        let counted = Counted {
            at: sequence.saturating_add(20),
            seen,
            seat: SEAT,
        };
        (sequence, counted)
    }

    /// The tasks of what is ready, with the block that counted them.
    fn ready(copied: &mut Copied) -> Vec<(BlockNumber, Vec<TaskIndex>)> {
        let ready = copied.ready().into_iter();
        let tasks = |verdicts: Vec<Verdict>| verdicts.iter().map(|it| it.task).collect();
        ready
            .map(|(it, verdicts)| (it.at, tasks(verdicts)))
            .collect()
    }

    #[test]
    fn what_was_counted_is_told_once_the_log_is_here_by_the_block_that_counted_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(
            folder.path(),
            HERE,
            NodeSecret::from_seed(&[4; 32]),
            |_| {},
            |_| {},
        );
        let store = store.unwrap();
        let all = blocks([
            judged(1),
            judged(4),
            judged(0),
            batched(5, &[1, 4]),
            judged(7),
            batched(6, &[0]),
            batched(7, &[7]),
        ]);
        let mut copied = Copied {
            first: 5,
            ..Copied::default()
        };
        copied.wait_for(vec![counted(4, 30), counted(5, 30), counted(6, 31)]);
        store.follow((JOB, 0), 0, &all[..3]).unwrap();
        copied.read(&store, (JOB, 0), KNOWN).unwrap();
        assert!(
            ready(&mut copied).is_empty(),
            "its batches are not here yet"
        );
        store.follow((JOB, 0), 3, &all[3..]).unwrap();
        assert_eq!(copied.read(&store, (JOB, 0), KNOWN).unwrap(), 0);
        assert_eq!(
            ready(&mut copied),
            [(25, vec![1, 4]), (26, vec![0])],
            "and nothing of batch 4, which was counted before"
        );
        assert!(copied.awaited.is_empty() && copied.is_all_here());
        // It is told once, whoever counts it again, and the rest when it is counted.
        copied.wait_for(vec![counted(6, 32), counted(7, 32)]);
        copied.read(&store, (JOB, 0), KNOWN).unwrap();
        assert_eq!(ready(&mut copied), [(27, vec![7])]);
        assert!(copied.judged.is_empty() && copied.batched.is_empty());
    }

    #[test]
    fn a_log_that_does_not_come_is_waited_for_some_blocks() {
        let mut copied = Copied::default();
        copied.wait_for(vec![counted(0, 30), counted(1, 40)]);
        let late = 30 + AWAITED_BLOCKS_MAX;
        assert!(copied.give_up(late).is_empty());
        assert_eq!(copied.give_up(late + 1), [0]);
        assert_eq!(copied.awaited.len(), 1);
    }

    #[test]
    fn a_log_of_too_many_batches_and_tasks_takes_no_more_memory_than_an_honest_one() {
        let mut copied = Copied::default();
        let most = PENDING_BATCHES_PER_JOB_MAX;
        copied.wait_for(vec![counted(BatchSequence::MAX, 30)]);
        let entries = (0..=most).flat_map(|number| [judged(1), batched(number, &[1])]);
        for block in blocks(entries.chain([judged(TASKS)])) {
            copied.take(&SignedBlock::read(&block).unwrap(), KNOWN);
        }
        assert_eq!(copied.batched.len(), most as usize);
        assert!(copied.judged.is_empty());
    }

    #[test]
    fn those_who_have_a_say_and_do_not_coordinate_have_a_place_each() {
        let member = |number: u8| Member {
            account: AccountId::new([number; 32]),
            node: NodeKey([number; 32]),
            is_out: number == 3,
        };
        let group = Group {
            members: (0..5).map(member).collect::<Vec<_>>().try_into().unwrap(),
            turn: 1,
            since: 0,
            lane_seed: None,
        };
        let seat_of = |number: u8| {
            let (account, node) = (AccountId::new([number; 32]), NodeKey([number; 32]));
            seat(&group, group.turn, &account, &node).map(|seat| (seat.place, seat.of))
        };
        let seats: Vec<_> = (0..6).map(seat_of).collect();
        let expected = [Some((0, 3)), None, Some((1, 3)), None, Some((2, 3)), None];
        assert_eq!(seats, expected);
        // With another key than it was drawn with it has no say.
        let account = AccountId::new([0; 32]);
        let other_key = seat(&group, group.turn, &account, &NodeKey([9; 32]));
        assert_eq!(other_key, None);
    }

    #[test]
    fn what_a_device_computed_with_another_engine_is_not_computed_again_here() {
        let assigned = |task, engine| Entry::Assigned {
            task,
            replica: 0,
            device: DeviceId([4; 32]),
            account: AccountId::new([5; 32]),
            engine,
            at: 1,
            lanes: 1,
        };
        let (own, other) = (KNOWN.engine, Digest([7; 32]));
        let mut copied = Copied::default();
        copied.wait_for(vec![counted(0, 30)]);
        let entries = [
            assigned(1, own),
            assigned(2, own),
            assigned(2, other),
            assigned(3, other),
            judged(1),
            judged(2),
            judged(3),
            batched(0, &[1, 2, 3]),
        ];
        for block in blocks(entries) {
            copied.take(&SignedBlock::read(&block).unwrap(), KNOWN);
        }
        assert_eq!(ready(&mut copied), [(20, vec![1])]);
        assert!(copied.foreign.is_empty());
    }

    #[test]
    fn reading_that_broke_off_begins_anew_and_waits_for_the_same() {
        let mut copied = Copied {
            next: 7,
            first: 3,
            ..Copied::default()
        };
        copied.wait_for(vec![counted(2, 30), counted(4, 30)]);
        let anew = copied.anew();
        assert_eq!((anew.next, anew.first), (0, 3));
        assert_eq!(anew.awaited.keys().collect::<Vec<_>>(), [&4]);
    }
}
