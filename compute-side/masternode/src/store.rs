//! What the masternode remembers: job logs, sealed results, delegated keys (sealed), in redb.
//!
//! All entries that wait are closed as signed blocks and written in one transaction, by a thread of their
//! own; what waits for the disk is told when it is there. A `kill -9` at any moment leaves the last
//! finished transaction.
//!
//! A write that fails, whoever wrote, is the writer's last word, and stops the masternode: from then
//! on it could acknowledge nothing.

mod ended;
mod followed;
mod log;
mod winners;

pub(crate) use followed::{Base, OWN};
pub(crate) use log::JobLog;

use crate::core::{Effect, Entry, Note, Noted, REFEREE_REPLICA, Ticket};
use codec::{Decode, DecodeAll, Encode};
use ended::{CLOSED, ENDS};
use log::{Growing, LOG, NOTES, encode_note, key};
use quern_joblog::LogFault;
use quern_primitives::{
    DeviceId, GenesisHash, JobId, TaskIndex, ids::ReplicaIndex, job::Job, payload::NodeSecret,
};
use quern_shards::keys::OwnerToken;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Entries waiting to be written; whoever adds more waits.
const QUEUE_MAX: usize = 65_536;

/// How long the first entry of a group waits for more. Devices go on without their
/// acknowledgements, and each group costs a write of the tree's changed pages and a sync.
const GROUP_WAIT: Duration = Duration::from_millis(10);

/// Replica and device to sealed result; that of the referee under its own name.
const OUTPUTS: TableDefinition<[u8; 69], &[u8]> = TableDefinition::new("outputs/1");
/// Job name to what else is known of it.
const JOBS: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("jobs/1");
/// Job name to the token that its owner shows. It stays when the key goes: results are fetched later.
const TOKENS: TableDefinition<[u8; 32], [u8; 32]> = TableDefinition::new("tokens/1");
/// The chain this file belongs to, and how it keeps logs.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta/1");

/// Under this name is the version of the way in which logs are kept.
const LOGS: &str = "logs";

/// Signed blocks, and notes beside them.
const VERSION: [u8; 1] = [6];

/// A sealed key: what it is encapsulated in, and the key with its tag.
pub(crate) type SealedParts = ([u8; 32], [u8; 48]);

/// What is remembered of a job beside its log.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct JobRecord {
    /// The job as the chain last had it.
    pub(crate) job: Job,
    /// The job's key as the owner sealed it to this masternode.
    pub(crate) delegated_key: Option<([u8; 32], [u8; 48])>,
}

impl JobRecord {
    /// Forgets the key of a job that the chain closed.
    fn keep_key_while_open(&mut self) {
        if !self.job.state.is_open() {
            self.delegated_key = None;
        }
    }
}

/// Why the store does not open or answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be read or written.
    #[error(
        "the masternode's store cannot be used; is the disk full, or another masternode using it?"
    )]
    Database(#[source] Arc<redb::Error>),
    /// The file is another chain's.
    #[error(
        "the store belongs to the chain {found}, the node is on {expected}; use another data directory"
    )]
    OtherChain {
        /// The chain of the node.
        expected: GenesisHash,
        /// The chain of the store.
        found: GenesisHash,
    },
    /// An entry does not decode.
    #[error("the store's {what} does not decode; it was written by another version")]
    Foreign {
        /// What it is.
        what: &'static str,
        /// What the decoder says.
        source: codec::Error,
    },
    /// The status of a closed job does not read.
    #[error("the store's status of a closed job does not read; it was written by another version")]
    Status(#[source] Arc<serde_json::Error>),
    /// The file was written by a version that kept logs in another way.
    #[error("the store was written by another version; use another data directory")]
    OtherVersion,
    /// A job's log on disk is none, or somebody else wrote it.
    #[error("the log of job {job} is damaged; restore the data directory from a backup")]
    Log {
        /// The job.
        job: JobId,
        /// What is wrong with it.
        #[source]
        fault: Box<LogFault>,
    },
    /// An entry is not the next one of its log.
    #[error(
        "entry {position} of the log of job {job} came where entry {expected} is next; nothing more is written, start again"
    )]
    Gap {
        /// The job.
        job: JobId,
        /// The place that is next.
        expected: u64,
        /// The entry's.
        position: u64,
    },
    /// An entry fits into no block.
    #[error(
        "an entry of {bytes} bytes of the log of job {job} fits into no block; this is a fault, report it"
    )]
    TooLarge {
        /// The job.
        job: JobId,
        /// Its bytes.
        bytes: usize,
    },
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(Arc::new(error.into()))
    }
}

/// The masternode's memory. Clones share it.
#[derive(Clone)]
pub struct Store {
    genesis: GenesisHash,
    database: Arc<Database>,
    queue: mpsc::SyncSender<Write>,
}

enum Write {
    Entry {
        ticket: Ticket,
        job: JobId,
        position: u64,
        entry: Box<Entry>,
        output: Option<Vec<u8>>,
    },
    Note {
        job: JobId,
        noted: Box<Noted>,
        output: Option<(DeviceId, Vec<u8>)>,
    },
    DropOutputs {
        job: JobId,
        task: TaskIndex,
        keep: Vec<(ReplicaIndex, DeviceId)>,
    },
    /// Somebody waits until all that came before it is on disk.
    Awaited(mpsc::SyncSender<()>),
    /// Somebody else could not write.
    Failed(StoreError),
}

impl Store {
    /// Opens the store in a folder, or makes it. Blocks of logs are signed with this key; `on_disk` is
    /// told the last ticket written, and `on_failure` the first write that failed, after which nothing more
    /// is written.
    pub fn open(
        folder: &Path,
        genesis: GenesisHash,
        key: NodeSecret,
        on_disk: impl Fn(Ticket) + Send + 'static,
        on_failure: impl Fn(StoreError) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let database = Arc::new(Database::create(folder.join("masternode.redb"))?);
        prepare(&database, genesis)?;
        let (queue, waiting) = mpsc::sync_channel(QUEUE_MAX);
        let writer = database.clone();
        let growing = Growing::new(genesis, key);
        thread::Builder::new()
            .name("store".into())
            .spawn(move || write_all(&writer, growing, &waiting, &on_disk, &on_failure))
            .map_err(redb::Error::Io)?;
        Ok(Self {
            genesis,
            database,
            queue,
        })
    }

    /// Hands an effect of the core to the writer, if it is one for the disk.
    pub fn carry_out(&self, effect: Effect) {
        let write = match effect {
            Effect::Append {
                ticket,
                job,
                position,
                entry,
                output,
            } => Write::Entry {
                ticket,
                job,
                position,
                entry,
                output,
            },
            Effect::Note { job, noted, output } => Write::Note { job, noted, output },
            Effect::KeepOutputs {
                job,
                task,
                accepted,
            } => Write::DropOutputs {
                job,
                task,
                keep: accepted,
            },
            _ => return,
        };
        // The writer ends only after it reported its failure, which stops the masternode.
        let _ = self.queue.send(write);
    }

    /// Waits until all that the core wanted written before is on disk. False if it cannot be written.
    pub(crate) fn wait_until_written(&self) -> bool {
        let (written, waiting) = mpsc::sync_channel(1);
        // An error, here or there, says that the writer has ended.
        self.queue.send(Write::Awaited(written)).is_ok() && waiting.recv().is_ok()
    }

    /// The sealed result of a replica, if it is kept here.
    pub(crate) fn output(
        &self,
        job: JobId,
        task: TaskIndex,
        replica: ReplicaIndex,
        device: DeviceId,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.database.begin_read()?;
        let table = read.open_table(OUTPUTS)?;
        Ok(table
            .get(output_key(job, task, replica, device))?
            .map(|bytes| bytes.value().to_vec()))
    }

    /// All jobs remembered.
    pub(crate) fn jobs(&self) -> Result<Vec<(JobId, JobRecord)>, StoreError> {
        let read = self.database.begin_read()?;
        let table = read.open_table(JOBS)?;
        table
            .iter()?
            .map(|entry| {
                let (job, bytes) = entry?;
                Ok((JobId(job.value()), decode_record(bytes.value())?))
            })
            .collect()
    }

    /// What is remembered of a job; none if it is not known.
    pub(crate) fn record(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        let table = self.database.begin_read()?.open_table(JOBS)?;
        let record = table.get(job.0)?.map(|bytes| decode_record(bytes.value()));
        record.transpose()
    }

    /// Remembers jobs as the chain has them; on disk when this returns. However many they are, the
    /// disk is waited for once.
    pub(crate) fn remember_jobs(&self, jobs: &[(JobId, &Job)]) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.reported(self.write_jobs(jobs))
    }

    fn write_jobs(&self, jobs: &[(JobId, &Job)]) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        for (id, job) in jobs {
            write_job(&write, *id, Some(job), |record| record.job = (*job).clone())?;
        }
        write.commit()?;
        Ok(())
    }

    /// Remembers the key that a job's owner delegated and the token that follows from it, and the job
    /// if it is new; on disk when this returns. The key of a job that the chain closed is not remembered.
    pub(crate) fn remember_key(
        &self,
        id: JobId,
        job: &Job,
        key: ([u8; 32], [u8; 48]),
        token: &OwnerToken,
    ) -> Result<(), StoreError> {
        let remember = || -> Result<(), StoreError> {
            self.write_token(id, token)?;
            self.change_job(id, Some(job), |record| record.delegated_key = Some(key))?;
            if self.closed(id)?.is_some() {
                self.change_job(id, None, JobRecord::keep_key_while_open)?;
            }
            Ok(())
        };
        self.reported(remember())
    }

    fn write_token(&self, id: JobId, token: &OwnerToken) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        write.open_table(TOKENS)?.insert(id.0, token.to_bytes())?;
        write.commit()?;
        Ok(())
    }

    /// The key that a job's owner delegated, until the chain closes the job.
    pub(crate) fn delegated_key(&self, job: JobId) -> Result<Option<SealedParts>, StoreError> {
        Ok(self.record(job)?.and_then(|record| record.delegated_key))
    }

    /// The token that a job's owner shows, if the owner ever delegated the key.
    pub(crate) fn token(&self, job: JobId) -> Result<Option<OwnerToken>, StoreError> {
        let table = self.database.begin_read()?.open_table(TOKENS)?;
        let token = table.get(job.0)?;
        Ok(token.map(|bytes| OwnerToken::from_bytes(bytes.value())))
    }

    /// Has the masternode stopped if a write failed.
    fn reported<T>(&self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &written {
            // An error says that the writer has reported another failure and ended.
            let _ = self.queue.send(Write::Failed(error.clone()));
        }
        written
    }

    /// Reads and writes in one transaction: several tasks may have news of one job, and none may
    /// undo what another has acknowledged. A job that is not known is remembered if it is given.
    fn change_job(
        &self,
        id: JobId,
        if_new: Option<&Job>,
        change: impl FnOnce(&mut JobRecord),
    ) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        write_job(&write, id, if_new, change)?;
        write.commit()?;
        Ok(())
    }

    /// Forgets a job, its log and its results.
    pub(crate) fn erase(&self, job: JobId) -> Result<(), StoreError> {
        self.reported(self.write_erasure(job))
    }

    fn write_erasure(&self, job: JobId) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        write.open_table(JOBS)?.remove(job.0)?;
        write.open_table(CLOSED)?.remove(job.0)?;
        write.open_table(ENDS)?.remove(job.0)?;
        write.open_table(TOKENS)?.remove(job.0)?;
        for table in [LOG, NOTES] {
            write
                .open_table(table)?
                .retain_in(key(job, 0)..=key(job, u64::MAX), |_, _| false)?;
        }
        let (first, last) = (
            output_key(job, 0, 0, DeviceId([0; 32])),
            output_key(job, TaskIndex::MAX, ReplicaIndex::MAX, DeviceId([255; 32])),
        );
        write
            .open_table(OUTPUTS)?
            .retain_in(first..=last, |_, _| false)?;
        followed::erase(&write, job)?;
        write.commit()?;
        Ok(())
    }
}

/// Changes what is remembered of a job. One that is not known is remembered if it is given.
fn write_job(
    write: &WriteTransaction,
    id: JobId,
    if_new: Option<&Job>,
    change: impl FnOnce(&mut JobRecord),
) -> Result<(), StoreError> {
    let mut jobs = write.open_table(JOBS)?;
    let known = jobs.get(id.0)?.map(|bytes| decode_record(bytes.value()));
    let fresh = || {
        Some(JobRecord {
            job: if_new?.clone(),
            delegated_key: None,
        })
    };
    if let Some(mut record) = known.transpose()?.or_else(fresh) {
        change(&mut record);
        jobs.insert(id.0, record.encode().as_slice())?;
    }
    Ok(())
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Status(Arc::new(error))
}

fn prepare(database: &Database, genesis: GenesisHash) -> Result<(), StoreError> {
    let write = database.begin_write()?;
    write.open_table(LOG)?;
    write.open_table(NOTES)?;
    write.open_table(OUTPUTS)?;
    write.open_table(JOBS)?;
    write.open_table(CLOSED)?;
    write.open_table(ENDS)?;
    write.open_table(TOKENS)?;
    write.open_table(winners::WINNERS)?;
    followed::prepare(&write)?;
    {
        let mut meta = write.open_table(META)?;
        let known = meta.get("genesis")?.map(|bytes| bytes.value().to_vec());
        match known.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
            Some(found) if found != genesis.0 => {
                return Err(StoreError::OtherChain {
                    expected: genesis,
                    found: GenesisHash(found),
                });
            }
            Some(_) => {
                let version = meta.get(LOGS)?.map(|bytes| bytes.value().to_vec());
                if version.as_deref() != Some(VERSION.as_slice()) {
                    return Err(StoreError::OtherVersion);
                }
            }
            None => {
                meta.insert("genesis", genesis.0.as_slice())?;
                meta.insert(LOGS, VERSION.as_slice())?;
            }
        }
    }
    write.commit()?;
    Ok(())
}

/// Writes whatever waits in one transaction, until nobody can add more.
fn write_all(
    database: &Database,
    mut growing: Growing,
    waiting: &mpsc::Receiver<Write>,
    on_disk: &impl Fn(Ticket),
    on_failure: &impl Fn(StoreError),
) {
    while let Ok(first) = waiting.recv() {
        // Nobody unparks this thread; waiting on the queue would wake it for every entry.
        thread::park_timeout(GROUP_WAIT);
        let group: Vec<_> = std::iter::once(first)
            .chain(waiting.try_iter().take(QUEUE_MAX))
            .collect();
        match write_group(database, &mut growing, group) {
            Ok(Some(last)) => on_disk(last),
            Ok(None) => {}
            Err(error) => return on_failure(error),
        }
    }
}

fn write_group(
    database: &Database,
    growing: &mut Growing,
    group: Vec<Write>,
) -> Result<Option<Ticket>, StoreError> {
    let write = database.begin_write()?;
    let (mut last, mut awaiting) = (None, Vec::new());
    {
        let mut blocks = write.open_table(LOG)?;
        let mut notes = write.open_table(NOTES)?;
        let mut outputs = write.open_table(OUTPUTS)?;
        let time_ms = now_ms();
        for item in group {
            match item {
                Write::Entry {
                    ticket,
                    job,
                    position,
                    entry,
                    output,
                } => {
                    if let Some(bytes) = output
                        && let Entry::Revealed { receipt, .. } = &*entry
                    {
                        let given = &receipt.payload;
                        let key = output_key(job, given.task, given.replica, given.device);
                        outputs.insert(key, bytes.as_slice())?;
                    }
                    growing.append(&mut blocks, (job, position), *entry, time_ms)?;
                    last = Some(ticket);
                }
                Write::Note { job, noted, output } => {
                    if let Some((name, bytes)) = output
                        && let Note::Sealed { task, .. } | Note::Contradicted { task, .. } =
                            noted.note
                    {
                        let key = output_key(job, task, REFEREE_REPLICA, name);
                        outputs.insert(key, bytes.as_slice())?;
                    }
                    let place = key(job, noted.number);
                    notes.insert(place, encode_note(&noted).as_slice())?;
                }
                Write::DropOutputs { job, task, keep } => {
                    let first = output_key(job, task, 0, DeviceId([0; 32]));
                    let end = output_key(job, task, ReplicaIndex::MAX, DeviceId([255; 32]));
                    // One accepted result is enough: replicas of a task decrypt to the same bytes.
                    let kept = keep
                        .first()
                        .map(|(replica, device)| output_key(job, task, *replica, *device));
                    outputs.retain_in(first..=end, |key, _| Some(key) == kept)?;
                }
                Write::Awaited(written) => awaiting.push(written),
                // What came before it in the group was promised to nobody.
                Write::Failed(error) => return Err(error),
            }
        }
        growing.close(&mut blocks, time_ms)?;
    }
    write.commit()?;
    for written in awaiting {
        // Who waited may have gone.
        let _ = written.send(());
    }
    Ok(last)
}

/// The time, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let ms = since.map_or(0, |since| since.as_millis());
    u64::try_from(ms).unwrap_or(u64::MAX)
}

fn decode_record(mut bytes: &[u8]) -> Result<JobRecord, StoreError> {
    JobRecord::decode_all(&mut bytes).map_err(|source| StoreError::Foreign {
        what: "job record",
        source,
    })
}

fn output_key(job: JobId, task: TaskIndex, replica: ReplicaIndex, device: DeviceId) -> [u8; 69] {
    let mut key = [0; 69];
    key[..32].copy_from_slice(&job.0);
    key[32..36].copy_from_slice(&task.to_be_bytes());
    key[36] = replica;
    key[37..].copy_from_slice(&device.0);
    key
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{
        core::{KeptResult, Line, OutputPlace, name_of},
        receipts::{Log as _, Position},
    };
    use quern_job_rules::pay::PRICES_AT_GENESIS;
    use quern_joblog::{End, Replay, SignedBlock};
    use quern_jobs_api::{Impasse, JobStatus, Phase, Trouble};
    use quern_primitives::{
        AccountId, Digest, ProgramHash, SealingKey,
        batch::{Batch, LogRange},
        device::Class,
        job::{Agreement, ByteLevel, Escrow, JobEnd, JobState, Preferences, Referees, Submission},
        limits::LOG_ENTRIES_PER_BLOCK_MAX,
        log::RefereeReport,
        params::Terms,
        payload::DeviceKey,
        receipt::{Answer, Exit, Receipt},
    };
    use quern_verdict::receipt_digest;
    use std::collections::BTreeSet;

    const HERE: GenesisHash = GenesisHash([1; 32]);
    const JOB: JobId = JobId([2; 32]);
    const OTHER: JobId = JobId([3; 32]);

    impl Store {
        /// What is remembered of a job.
        fn job(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
            let read = self.database.begin_read()?;
            let table = read.open_table(JOBS)?;
            table
                .get(job.0)?
                .map(|bytes| decode_record(bytes.value()))
                .transpose()
        }
    }

    fn open(folder: &Path) -> (Store, mpsc::Receiver<Ticket>) {
        let (on_disk, written) = mpsc::sync_channel(1_000);
        let store = Store::open(
            folder,
            HERE,
            node(),
            move |last| on_disk.send(last).unwrap_or_default(),
            |_| {},
        );
        (store.unwrap(), written)
    }

    fn key(seed: u8) -> DeviceKey {
        DeviceKey::from_seed(&[seed; 32])
    }

    /// The report of a device for task 0; the device's seed is its replica too.
    fn reported(job: JobId, device: u8) -> Entry {
        let receipt = Receipt {
            job,
            task: 0,
            replica: device,
            device: key(device).id(),
            program: ProgramHash([0; 32]),
            input_root: Digest([0; 32]),
            question: Digest([46; 32]),
            result_commitment: Digest([0; 32]),
            output_root: Digest([0; 32]),
            result_bytes: 1,
            fuel: 1,
            exit: Exit::Success,
            class: Class::Pinned,
            engine: Digest([0; 32]),
            log_position: 0,
            salt: [90; 32].into(),
        };
        let receipt = key(device).sign(receipt, &HERE);
        Entry::Revealed {
            receipt,
            output: OutputPlace::Inline { bytes: 1 },
        }
    }

    fn node() -> NodeSecret {
        NodeSecret::from_seed(&[4; 32])
    }

    /// What a log begins with.
    fn opened() -> Entry {
        Entry::Opened {
            coordinator: AccountId::new([5; 32]),
            node: node().public(),
            at: 1,
        }
    }

    fn entries(store: &Store, job: JobId) -> Vec<Entry> {
        let lines = store.lines(job).unwrap().into_iter();
        lines
            .filter_map(|line| match line {
                Line::Entry(entry) => Some(entry),
                Line::Note(_) => None,
            })
            .collect()
    }

    /// Appends an entry of a log; the first one says who writes it.
    fn append(store: &Store, ticket: u64, job: JobId, position: u64, device: u8) {
        let (entry, output) = match position {
            0 => (opened(), None),
            _ => (reported(job, device), Some(vec![device])),
        };
        store.carry_out(Effect::Append {
            ticket: Ticket(ticket),
            job,
            position,
            entry: Box::new(entry),
            output,
        });
    }

    fn wait_for(written: &mpsc::Receiver<Ticket>, ticket: u64) {
        while written.recv().unwrap() < Ticket(ticket) {}
    }

    /// Waits until the writer has ended and let go of the file.
    fn close((store, written): (Store, mpsc::Receiver<Ticket>)) {
        drop(store);
        while written.recv().is_ok() {}
    }

    #[test]
    fn what_was_announced_as_written_is_there_after_reopening_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        (0..300).for_each(|n| append(&store, n + 1, JOB, n, n as u8));
        append(&store, 301, OTHER, 0, 9);
        wait_for(&written, 301);
        close((store, written));
        let (store, _written) = open(folder.path());
        let reported = (1..300u64).map(|n| reported(JOB, n as u8));
        let expected: Vec<_> = std::iter::once(opened()).chain(reported).collect();
        assert_eq!(entries(&store, JOB), expected);
        assert_eq!(entries(&store, OTHER), [opened()]);
        let output = store.output(JOB, 0, 7, key(7).id()).unwrap();
        assert_eq!(output, Some(vec![7]));
    }

    /// A job's blocks, in order.
    fn blocks(store: &Store, job: JobId) -> Vec<SignedBlock> {
        let page = store.read_log(job).unwrap().page(0, 1_000, usize::MAX);
        let blocks = page.unwrap().into_iter();
        blocks
            .map(|bytes| SignedBlock::read(&bytes).unwrap())
            .collect()
    }

    #[test]
    fn what_is_announced_is_in_blocks_that_are_signed_and_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        // Each is waited for, so each is in a block of its own.
        for n in 0..3 {
            append(&store, n + 1, JOB, n, n as u8);
            wait_for(&written, n + 1);
        }
        let blocks = blocks(&store, JOB);
        let counts: Vec<_> = blocks.iter().map(|it| it.header.payload.count).collect();
        assert_eq!(counts, [1, 1, 1]);
        let mut replay = Replay::new(HERE, JOB, node().public());
        for block in &blocks {
            replay.take(&block.to_bytes()).unwrap();
        }
        let log = store.read_log(JOB).unwrap();
        assert_eq!(log.length().unwrap(), replay.next_index());
    }

    #[test]
    fn each_entry_is_in_the_block_that_is_told_and_none_is_beyond_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        // Two in one block, or each in its own.
        (0..6).for_each(|n| append(&store, n + 1, JOB, n, n as u8));
        wait_for(&written, 6);
        let log = store.read_log(JOB).unwrap();
        for block in blocks(&store, JOB) {
            let header = block.header.payload;
            for (position, _) in block.positions() {
                let head = log.head_at(position).unwrap();
                assert_eq!(head, Some((header.index, header.hash(&HERE))));
            }
        }
        assert_eq!(log.head_at(6).unwrap(), None);
        let nothing = store.read_log(OTHER).unwrap();
        assert_eq!(nothing.head_at(0).unwrap(), None);
    }

    #[test]
    fn the_last_block_is_told_when_the_log_has_ended_also_behind_batches() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        let told = || {
            let log = store.read_log(JOB).unwrap();
            log.head_behind_end().unwrap()
        };
        let last = || {
            let blocks = blocks(&store, JOB);
            let header = blocks.last()?.header.payload;
            Some((header.index, header.hash(&HERE)))
        };
        let put = |position: u64, entry: Entry| {
            store.carry_out(Effect::Append {
                ticket: Ticket(position + 1),
                job: JOB,
                position,
                entry: Box::new(entry),
                output: None,
            });
            wait_for(&written, position + 1);
        };
        assert_eq!(told(), None);
        put(0, opened());
        assert_eq!(told(), None);
        let end = End::Undecided { task: 0 };
        put(1, Entry::Ended { end });
        assert_eq!(told(), last());
        let batch = Batch {
            job: JOB,
            sequence: 0,
            log: LogRange { first: 0, last: 1 },
            verdicts_root: Digest([0; 32]),
            tasks: quern_job_rules::tasks::collect([1]).unwrap(),
            spent: 0,
            payouts: Default::default(),
            devices: Default::default(),
        };
        put(2, Entry::Batched { batch });
        assert_eq!(last().map(|(index, _)| index), Some(2));
        assert_eq!(told(), last());
    }

    #[test]
    fn what_comes_at_once_is_in_few_blocks_and_a_full_one_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        let most = u64::from(LOG_ENTRIES_PER_BLOCK_MAX);
        let count = 2 * most + 5;
        let queued = |n: u64| Entry::Queued {
            first: n as TaskIndex,
            tasks: 1,
        };
        for n in 0..count {
            store.carry_out(Effect::Append {
                ticket: Ticket(n + 1),
                job: JOB,
                position: n,
                entry: Box::new(if n == 0 { opened() } else { queued(n) }),
                output: None,
            });
        }
        wait_for(&written, count);
        let blocks = blocks(&store, JOB);
        let counts = blocks.iter().map(|it| it.header.payload.count);
        assert!(counts.clone().all(|count| u64::from(count) <= most));
        assert_eq!(counts.map(u64::from).sum::<u64>(), count);
        assert!(blocks.len() < 100, "{} blocks", blocks.len());
        assert_eq!(entries(&store, JOB).len() as u64, count);
    }

    #[test]
    fn a_log_goes_on_from_its_head_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        // Each is in a block of its own, so that the next ones skip to some that were written before.
        for n in 0..5 {
            append(&store, n + 1, JOB, n, n as u8);
            wait_for(&written, n + 1);
        }
        close((store, written));
        let (store, written) = open(folder.path());
        (5..9).for_each(|n| append(&store, n + 1, JOB, n, n as u8));
        wait_for(&written, 9);
        assert_eq!(entries(&store, JOB).len(), 9);
        let last = blocks(&store, JOB).pop().unwrap().header.payload;
        assert_eq!(last.first + u64::from(last.count), 9);
    }

    #[test]
    fn an_entry_that_is_not_the_next_one_is_not_written_and_nothing_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, failed) = open_to_fail(folder.path());
        append(&store, 1, JOB, 1, 1);
        match failed.recv().unwrap() {
            StoreError::Gap {
                job,
                expected,
                position,
            } => assert_eq!((job, expected, position), (JOB, 0, 1)),
            other => panic!("{other}"),
        }
        assert_eq!(entries(&store, JOB), []);
    }

    #[test]
    fn a_log_that_somebody_changed_is_not_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        (0..3).for_each(|n| append(&store, n + 1, JOB, n, n as u8));
        wait_for(&written, 3);
        let mut block = blocks(&store, JOB).remove(0).to_bytes();
        *block.last_mut().unwrap() ^= 1;
        let write = store.database.begin_write().unwrap();
        let mut table = write.open_table(LOG).unwrap();
        table.insert(super::key(JOB, 0), block.as_slice()).unwrap();
        drop(table);
        write.commit().unwrap();
        let damaged = store.lines(JOB).unwrap_err();
        assert!(matches!(damaged, StoreError::Log { .. }), "{damaged}");
    }

    #[test]
    fn a_log_is_read_by_place_and_not_beyond_its_job() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        (0..9).for_each(|n| append(&store, n + 1, JOB, n, n as u8));
        append(&store, 10, OTHER, 0, 9);
        wait_for(&written, 10);
        let log = store.read_log(JOB).unwrap();
        let length = u32::try_from(log.length().unwrap()).unwrap();
        let mut seen = Vec::new();
        for index in 0..length {
            for (at, entry) in log.block(index).unwrap().unwrap() {
                assert_eq!(log.entry(at), Ok(Some(entry.clone())));
                seen.push(entry);
            }
        }
        assert_eq!(seen, entries(&store, JOB));
        assert_eq!(log.block(length), Ok(None));
        let beyond = Position {
            block: length,
            byte: 224,
        };
        assert_eq!(log.entry(beyond), Ok(None));
        for position in 0..10u64 {
            let receipt = log.receipt_at(position).unwrap();
            let receipt = receipt.as_ref().map(receipt_digest);
            let expected = (1..9).contains(&position).then(|| {
                let Entry::Revealed { receipt, .. } = reported(JOB, position as u8) else {
                    panic!("it is a receipt");
                };
                receipt_digest(&receipt)
            });
            assert_eq!(receipt, expected, "{position}");
        }
    }

    #[test]
    fn a_page_of_a_log_has_no_more_blocks_and_bytes_than_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        for n in 0..4 {
            append(&store, n + 1, JOB, n, n as u8);
            wait_for(&written, n + 1);
        }
        let log = store.read_log(JOB).unwrap();
        let all = log.page(0, 100, usize::MAX).unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!(log.page(1, 2, usize::MAX).unwrap(), all[1..3]);
        assert_eq!(log.page(1, 9, 1).unwrap(), all[1..2], "one in any case");
        let two = all[1].len() + all[2].len();
        assert_eq!(log.page(1, 9, two).unwrap(), all[1..3]);
        assert_eq!(log.page(4, 9, 1).unwrap(), [] as [Vec<u8>; 0]);
    }

    #[test]
    fn the_referee_s_result_is_kept_where_no_device_has_it_and_else_goes() {
        let referee = DeviceId([7; 32]);
        let name = (REFEREE_REPLICA, referee);
        let device = (1, key(1).id());
        for (kept, stay) in [(name, [false, true]), (device, [true, false])] {
            let folder = tempfile::tempdir().unwrap();
            let (store, written) = open(folder.path());
            append(&store, 1, JOB, 0, 1);
            append(&store, 2, JOB, 1, 1);
            let noted = Noted {
                behind: 2,
                number: 0,
                note: Note::Sealed {
                    task: 0,
                    output_root: Digest([0; 32]),
                    output: OutputPlace::Inline { bytes: 1 },
                },
            };
            store.carry_out(Effect::Note {
                job: JOB,
                noted: Box::new(noted.clone()),
                output: Some((referee, vec![9])),
            });
            store.carry_out(Effect::KeepOutputs {
                job: JOB,
                task: 0,
                accepted: vec![kept],
            });
            append(&store, 3, OTHER, 0, 9);
            wait_for(&written, 3);
            let here = [device, name].map(|(replica, device)| {
                let output = store.output(JOB, 0, replica, device);
                output.unwrap().is_some()
            });
            assert_eq!(here, stay);
            assert_eq!(store.lines(JOB).unwrap()[2], Line::Note(noted.note));
        }
    }

    #[test]
    fn what_comes_out_instead_of_a_settled_answer_is_on_disk_beside_it_once_it_was_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        append(&store, 1, JOB, 0, 1);
        append(&store, 2, JOB, 1, 1);
        let answer = Answer {
            result_commitment: Digest([1; 32]),
            result_bytes: 1,
            fuel: 1,
            exit: Exit::Success,
        };
        let report = RefereeReport {
            job: JOB,
            task: 0,
            question: Digest([46; 32]),
            answer,
        };
        let name = name_of(&node().public());
        let note = Note::Contradicted {
            task: 0,
            accepted: answer,
            report: node().sign(report, &HERE),
            node: node().public(),
            kept: Some(KeptResult {
                output_root: Digest([0; 32]),
                output: OutputPlace::Inline { bytes: 1 },
            }),
            receipts: vec![],
        };
        store.carry_out(Effect::Note {
            job: JOB,
            noted: Box::new(Noted {
                behind: 2,
                number: 0,
                note: note.clone(),
            }),
            output: Some((name, vec![9])),
        });
        assert!(store.wait_until_written());
        let output = |replica, device| store.output(JOB, 0, replica, device).unwrap();
        assert_eq!(output(REFEREE_REPLICA, name), Some(vec![9]));
        assert_eq!(output(1, key(1).id()), Some(vec![1]));
        let log = store.read_log(JOB).unwrap();
        assert_eq!(log.note(0), Ok(Some(note)));
        assert_eq!(log.note(1), Ok(None));
        close((store, written));
    }

    #[test]
    fn only_the_first_accepted_result_is_kept_once_a_task_is_decided() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        (0..4).for_each(|n| append(&store, n + 1, JOB, n, n as u8));
        let accepted = vec![(2, key(2).id()), (3, key(3).id())];
        store.carry_out(Effect::KeepOutputs {
            job: JOB,
            task: 0,
            accepted,
        });
        (0..2).for_each(|n| append(&store, n + 5, OTHER, n, 1));
        wait_for(&written, 6);
        let kept = |n: u8| store.output(JOB, 0, n, key(n).id()).unwrap().is_some();
        assert_eq!([kept(1), kept(2), kept(3)], [false, true, false]);
        assert!(store.output(OTHER, 0, 1, key(1).id()).unwrap().is_some());
    }

    #[test]
    fn the_store_of_another_chain_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        close(open(folder.path()));
        let elsewhere = GenesisHash([8; 32]);
        match Store::open(folder.path(), elsewhere, node(), |_| {}, |_| {}).map(drop) {
            Err(StoreError::OtherChain { expected, found }) => {
                assert_eq!((expected, found), (elsewhere, HERE));
            }
            other => panic!("{other:?}"),
        }
    }

    /// What the store does not look into.
    fn a_job() -> Job {
        let submission = Submission {
            salt: [1; 16],
            program: ProgramHash([2; 32]),
            manifest: Digest([3; 32]),
            shards_root: Digest([4; 32]),
            key_commitment: Digest([5; 32]),
            tasks: 1,
            input_bytes: 100,
            fuel_per_task_max: 1,
            memory_bytes_max: 1,
            result_bytes_max: 1,
            agreement: Agreement::Single,
            referees: Referees::One,
            class: Class::Pinned,
            level: ByteLevel::Balanced,
            deadline: 10,
            price_max: 1,
            owner_sealing_key: SealingKey([6; 32]),
            preferences: Preferences::default(),
        };
        Job {
            owner: AccountId::new([7; 32]),
            submission,
            prices: PRICES_AT_GENESIS,
            terms: Terms::FIRST,
            submitted_at: 1,
            state: JobState::Running {
                coordinator: AccountId::new([7; 32]),
            },
            escrow: Escrow::default(),
            settled_tasks: 0,
            next_batch: 0,
            pending_batches: 0,
        }
    }

    #[test]
    fn a_closed_job_keeps_its_status_but_not_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        assert!(store.job(JOB).unwrap().is_none(), "it is not known");
        let (key, token) = (([1; 32], [2; 48]), OwnerToken::from_bytes([3; 32]));
        store.remember_key(JOB, &a_job(), key, &token).unwrap();
        assert_eq!(store.delegated_key(JOB).unwrap(), Some(key));
        let job = Job {
            next_batch: 7,
            ..a_job()
        };
        store.remember_jobs(&[(JOB, &job)]).unwrap();
        let record = store.job(JOB).unwrap().unwrap();
        assert_eq!((record.delegated_key, record.job), (Some(key), job));
        assert!(store.closed(JOB).unwrap().is_none());
        let status = JobStatus {
            job: JOB,
            phase: Phase::Closed,
            tasks: 1,
            not_uploaded: 0,
            waiting: 0,
            running: 0,
            decided: 1,
            settled: 1,
            replicas: 3,
            incorrect: 1,
            refereed: 0,
            voted: 0,
            contradicted: 0,
            fuel: 5,
            spent: u128::MAX,
            devices: 0,
            waiting_for: None,
            impasse: Some(Impasse {
                task: 0,
                why: Trouble::Unopened,
            }),
        };
        // Another masternode goes on with it, and this one still certifies.
        store.close_job(JOB, &status).unwrap();
        assert_eq!(store.delegated_key(JOB).unwrap(), Some(key));
        store.remember_key(JOB, &a_job(), key, &token).unwrap();
        assert_eq!(store.delegated_key(JOB).unwrap(), Some(key));
        // The chain closes it.
        let end = JobEnd::AllSettled;
        let job = Job {
            state: JobState::Completed { end },
            ..a_job()
        };
        store.remember_jobs(&[(JOB, &job)]).unwrap();
        store.close_job(JOB, &status).unwrap();
        close((store, written));
        let (store, _written) = open(folder.path());
        assert_eq!(store.closed(JOB).unwrap(), Some(status));
        let record = store.job(JOB).unwrap().unwrap();
        assert_eq!(record.delegated_key, None);
        assert_eq!(store.delegated_key(JOB).unwrap(), None);
        let known = store.token(JOB).unwrap();
        assert_eq!(known, Some(token), "its owner may still fetch results");
        assert_eq!(store.token(OTHER).unwrap(), None);
        store.erase(JOB).unwrap();
        assert!(store.closed(JOB).unwrap().is_none() && store.job(JOB).unwrap().is_none());
        assert_eq!(store.token(JOB).unwrap(), None);
    }

    #[test]
    fn who_won_the_last_lottery_is_there_after_reopening_and_who_won_before_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        assert_eq!(store.winners().unwrap(), None);
        let won: BTreeSet<_> = (1..100).map(|n| key(n).id()).collect();
        // The later one is no later in the order of days.
        store
            .remember_winners(9, &BTreeSet::from([key(200).id()]))
            .unwrap();
        store.remember_winners(8, &won).unwrap();
        close((store, written));
        let (store, written) = open(folder.path());
        assert_eq!(store.winners().unwrap(), Some((8, won)));
        store.remember_winners(10, &BTreeSet::new()).unwrap();
        close((store, written));
        let (store, _written) = open(folder.path());
        assert_eq!(store.winners().unwrap(), Some((10, BTreeSet::new())));
    }

    #[test]
    fn the_block_at_which_a_job_was_first_known_to_be_closed_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        assert_eq!(store.closed_at(JOB, 70).unwrap(), 70);
        close((store, written));
        let (store, _written) = open(folder.path());
        assert_eq!(store.closed_at(JOB, 900).unwrap(), 70);
        assert_eq!(store.closed_at(OTHER, 900).unwrap(), 900);
        store.erase(JOB).unwrap();
        assert_eq!(store.closed_at(JOB, 901).unwrap(), 901);
    }

    /// A store, and what it says of the first write that failed.
    fn open_to_fail(folder: &Path) -> (Store, mpsc::Receiver<StoreError>) {
        let (on_failure, failed) = mpsc::sync_channel(1);
        let store = Store::open(
            folder,
            HERE,
            node(),
            |_| {},
            move |error| on_failure.send(error).unwrap_or_default(),
        );
        (store.unwrap(), failed)
    }

    #[test]
    fn whoever_cannot_write_the_store_says_so_and_writes_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let (store, failed) = open_to_fail(folder.path());
        let write = store.database.begin_write().unwrap();
        write
            .open_table(JOBS)
            .unwrap()
            .insert(JOB.0, [1u8].as_slice())
            .unwrap();
        write.commit().unwrap();
        let refused = store.remember_jobs(&[(JOB, &a_job())]);
        assert!(matches!(refused, Err(StoreError::Foreign { .. })));
        let said = failed.recv().unwrap();
        assert!(matches!(said, StoreError::Foreign { .. }), "{said}");
        append(&store, 1, OTHER, 0, 1);
        assert!(failed.recv().is_err(), "the writer has ended");
        assert_eq!(entries(&store, OTHER), []);
    }

    #[test]
    fn an_erased_job_leaves_nothing_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        append(&store, 1, JOB, 0, 1);
        append(&store, 2, JOB, 1, 1);
        append(&store, 3, OTHER, 0, 1);
        wait_for(&written, 3);
        store.erase(JOB).unwrap();
        assert_eq!(store.lines(JOB).unwrap(), []);
        assert_eq!(store.output(JOB, 0, 1, key(1).id()).unwrap(), None);
        assert_eq!(entries(&store, OTHER).len(), 1);
    }
}
