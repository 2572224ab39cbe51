//! What the masternode remembers: job logs, sealed results, delegated keys (sealed), in redb.
//!
//! All entries that wait are written in one transaction, by a thread of their own; what waits for
//! the disk is told when it is there. A `kill -9` at any moment leaves the last finished
//! transaction.
//!
//! A write that fails, whoever wrote, is the writer's last word, and stops the masternode: from then
//! on it could acknowledge nothing.

mod winners;

use crate::{
    core::{Effect, Entry, REFEREE_REPLICA, Ticket},
    receipts::Log,
};
use codec::{Decode, DecodeAll, Encode};
use quern_jobs_api::{ApiError, JobStatus};
use quern_primitives::{
    BlockNumber, DeviceId, GenesisHash, JobId, TaskIndex, ids::ReplicaIndex, job::Job,
};
use quern_shards::keys::OwnerToken;
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// Entries waiting to be written; whoever adds more waits.
const QUEUE_MAX: usize = 65_536;

/// How long the first entry of a group waits for more. Devices go on without their
/// acknowledgements, and each group costs a write of the tree's changed pages and a sync.
const GROUP_WAIT: Duration = Duration::from_millis(10);

/// Job name and place in its log to entry.
const LOG: TableDefinition<[u8; 36], &[u8]> = TableDefinition::new("log/1");
/// Replica and device to sealed result; that of the referee under its own name.
const OUTPUTS: TableDefinition<[u8; 69], &[u8]> = TableDefinition::new("outputs/1");
/// Job name to what else is known of it.
const JOBS: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("jobs/1");
/// Job name to what its owner is told of it since the chain closed it.
const CLOSED: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("closed/1");
/// Job name to the first block at which it was known to be closed.
const ENDS: TableDefinition<[u8; 32], u32> = TableDefinition::new("ends/1");
/// Job name to the token that its owner shows. It stays when the key goes: results are fetched later.
const TOKENS: TableDefinition<[u8; 32], [u8; 32]> = TableDefinition::new("tokens/1");
/// The chain this file belongs to.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta/1");

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

/// Why the store does not open or answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
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
    /// A job's log has as many entries as it may have.
    #[error(
        "the log of job {job} is full: place {position} is beyond the last, {}; start again when the chain has closed the job",
        u32::MAX
    )]
    LogFull {
        /// The job.
        job: JobId,
        /// The place of the entry that finds no room.
        position: u64,
    },
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(Arc::new(error.into()))
    }
}

/// The masternode's memory. Clones share it.
#[derive(Clone)]
pub(crate) struct Store {
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
    DropOutputs {
        job: JobId,
        task: TaskIndex,
        keep: Vec<(ReplicaIndex, DeviceId)>,
    },
    /// Somebody else could not write.
    Failed(StoreError),
}

impl Store {
    /// Opens the store in a folder, or makes it; `on_disk` is told the last ticket written, and
    /// `on_failure` the first write that failed, after which nothing more is written.
    pub(crate) fn open(
        folder: &Path,
        genesis: GenesisHash,
        on_disk: impl Fn(Ticket) + Send + 'static,
        on_failure: impl Fn(StoreError) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let database = Arc::new(Database::create(folder.join("masternode.redb"))?);
        prepare(&database, genesis)?;
        let (queue, waiting) = mpsc::sync_channel(QUEUE_MAX);
        let writer = database.clone();
        thread::Builder::new()
            .name("store".into())
            .spawn(move || write_all(&writer, &waiting, &on_disk, &on_failure))
            .map_err(redb::Error::Io)?;
        Ok(Self { database, queue })
    }

    /// Hands an effect of the core to the writer, if it is one for the disk.
    pub(crate) fn carry_out(&self, effect: Effect) {
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

    /// A job's whole log, in order.
    pub(crate) fn log(&self, job: JobId) -> Result<Vec<Entry>, StoreError> {
        self.read_log(job)?.read(0, usize::MAX)
    }

    /// A job's log as it is on disk now.
    pub(crate) fn read_log(&self, job: JobId) -> Result<JobLog, StoreError> {
        let table = self.database.begin_read()?.open_table(LOG)?;
        Ok(JobLog { job, table })
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
    /// if it is new; on disk when this returns. A closed job's key is not remembered.
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
                self.change_job(id, None, |record| record.delegated_key = None)?;
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
        let table = self.database.begin_read()?.open_table(JOBS)?;
        let record = table.get(job.0)?.map(|bytes| decode_record(bytes.value()));
        Ok(record.transpose()?.and_then(|record| record.delegated_key))
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

    /// Remembers how a job ended and forgets its key; on disk when this returns.
    pub(crate) fn close_job(&self, job: JobId, status: &JobStatus) -> Result<(), StoreError> {
        self.reported(self.write_end(job, status))
    }

    fn write_end(&self, job: JobId, status: &JobStatus) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        {
            let mut jobs = write.open_table(JOBS)?;
            let known = jobs.get(job.0)?.map(|bytes| decode_record(bytes.value()));
            if let Some(record) = known.transpose()? {
                let record = JobRecord {
                    delegated_key: None,
                    ..record
                };
                jobs.insert(job.0, record.encode().as_slice())?;
            }
            let status = serde_json::to_vec(status).map_err(unreadable)?;
            write.open_table(CLOSED)?.insert(job.0, status.as_slice())?;
        }
        write.commit()?;
        Ok(())
    }

    /// How a job ended, if the chain closed it.
    pub(crate) fn closed(&self, job: JobId) -> Result<Option<JobStatus>, StoreError> {
        let table = self.database.begin_read()?.open_table(CLOSED)?;
        let status = table.get(job.0)?;
        status
            .map(|bytes| serde_json::from_slice(bytes.value()).map_err(unreadable))
            .transpose()
    }

    /// The first block at which a closed job was known to be closed: this one, if none is remembered,
    /// and then it is on disk when this returns.
    pub(crate) fn closed_at(
        &self,
        job: JobId,
        block: BlockNumber,
    ) -> Result<BlockNumber, StoreError> {
        let table = self.database.begin_read()?.open_table(ENDS)?;
        if let Some(known) = table.get(job.0)? {
            return Ok(known.value());
        }
        self.reported(self.write_closed_at(job, block))?;
        Ok(block)
    }

    fn write_closed_at(&self, job: JobId, block: BlockNumber) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        write.open_table(ENDS)?.insert(job.0, block)?;
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
        write
            .open_table(LOG)?
            .retain_in(log_key(job, 0)..=log_key(job, u32::MAX), |_, _| false)?;
        let (first, last) = (
            output_key(job, 0, 0, DeviceId([0; 32])),
            output_key(job, TaskIndex::MAX, ReplicaIndex::MAX, DeviceId([255; 32])),
        );
        write
            .open_table(OUTPUTS)?
            .retain_in(first..=last, |_, _| false)?;
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

/// A job's log, to be read by place.
pub(crate) struct JobLog {
    job: JobId,
    table: ReadOnlyTable<[u8; 36], &'static [u8]>,
}

impl JobLog {
    fn read(&self, from: u32, most: usize) -> Result<Vec<Entry>, StoreError> {
        let places = log_key(self.job, from)..=log_key(self.job, u32::MAX);
        let entries = self.table.range(places)?.take(most);
        entries
            .map(|entry| decode_entry(entry?.1.value()))
            .collect()
    }

    fn read_one(&self, at: u32) -> Result<Option<Entry>, StoreError> {
        let entry = self.table.get(log_key(self.job, at))?;
        entry.map(|bytes| decode_entry(bytes.value())).transpose()
    }
}

impl Log for JobLog {
    fn entry(&self, at: u32) -> Result<Option<Entry>, ApiError> {
        self.read_one(at).map_err(|_| ApiError::Storage)
    }

    fn entries(&self, from: u32, most: usize) -> Result<Vec<Entry>, ApiError> {
        self.read(from, most).map_err(|_| ApiError::Storage)
    }
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Status(Arc::new(error))
}

fn decode_entry(mut bytes: &[u8]) -> Result<Entry, StoreError> {
    Entry::decode_all(&mut bytes).map_err(|source| StoreError::Foreign {
        what: "job log",
        source,
    })
}

fn prepare(database: &Database, genesis: GenesisHash) -> Result<(), StoreError> {
    let write = database.begin_write()?;
    write.open_table(LOG)?;
    write.open_table(OUTPUTS)?;
    write.open_table(JOBS)?;
    write.open_table(CLOSED)?;
    write.open_table(ENDS)?;
    write.open_table(TOKENS)?;
    write.open_table(winners::WINNERS)?;
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
            Some(_) => {}
            None => drop(meta.insert("genesis", genesis.0.as_slice())?),
        }
    }
    write.commit()?;
    Ok(())
}

/// Writes whatever waits in one transaction, until nobody can add more.
fn write_all(
    database: &Database,
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
        match write_group(database, &group) {
            Ok(Some(last)) => on_disk(last),
            Ok(None) => {}
            Err(error) => return on_failure(error),
        }
    }
}

fn write_group(database: &Database, group: &[Write]) -> Result<Option<Ticket>, StoreError> {
    let write = database.begin_write()?;
    let mut last = None;
    {
        let mut log = write.open_table(LOG)?;
        let mut outputs = write.open_table(OUTPUTS)?;
        for item in group {
            match item {
                Write::Entry {
                    ticket,
                    job,
                    position,
                    entry,
                    output,
                } => {
                    let place = u32::try_from(*position).map_err(|_| StoreError::LogFull {
                        job: *job,
                        position: *position,
                    })?;
                    log.insert(log_key(*job, place), entry.encode().as_slice())?;
                    if let Some(bytes) = output
                        && let Some((task, replica, name)) = sealed_by(entry)
                    {
                        let key = output_key(*job, task, replica, name);
                        outputs.insert(key, bytes.as_slice())?;
                    }
                    last = Some(*ticket);
                }
                Write::DropOutputs { job, task, keep } => {
                    let first = output_key(*job, *task, 0, DeviceId([0; 32]));
                    let end = output_key(*job, *task, ReplicaIndex::MAX, DeviceId([255; 32]));
                    // One accepted result is enough: replicas of a task decrypt to the same bytes.
                    let kept = keep
                        .first()
                        .map(|(replica, device)| output_key(*job, *task, *replica, *device));
                    outputs.retain_in(first..=end, |key, _| Some(key) == kept)?;
                }
                // What came before it in the group was promised to nobody.
                Write::Failed(error) => return Err(error.clone()),
            }
        }
    }
    write.commit()?;
    Ok(last)
}

fn decode_record(mut bytes: &[u8]) -> Result<JobRecord, StoreError> {
    JobRecord::decode_all(&mut bytes).map_err(|source| StoreError::Foreign {
        what: "job record",
        source,
    })
}

fn log_key(job: JobId, position: u32) -> [u8; 36] {
    let mut key = [0; 36];
    key[..32].copy_from_slice(&job.0);
    key[32..].copy_from_slice(&position.to_be_bytes());
    key
}

/// The task of a sealed result that is written with an entry, and the replica and name under which it is
/// sealed.
fn sealed_by(entry: &Entry) -> Option<(TaskIndex, ReplicaIndex, DeviceId)> {
    match entry {
        Entry::Reported { receipt, .. } => {
            let receipt = &receipt.payload;
            Some((receipt.task, receipt.replica, receipt.device))
        }
        Entry::Refereed { task, referee, .. } => Some((*task, REFEREE_REPLICA, *referee)),
        _ => None,
    }
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
    use crate::core::OutputPlace;
    use quern_job_rules::pay::PRICES_AT_GENESIS;
    use quern_jobs_api::{Impasse, Phase, Trouble};
    use quern_primitives::{
        AccountId, Digest, ProgramHash, SealingKey,
        device::Class,
        job::{Agreement, ByteLevel, Escrow, JobState, Preferences, Submission},
        params::Terms,
        payload::DeviceKey,
        receipt::{Exit, Receipt},
    };
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
        Entry::Reported {
            receipt,
            output: OutputPlace::Inline { bytes: 1 },
        }
    }

    fn append(store: &Store, ticket: u64, job: JobId, position: u64, device: u8) {
        store.carry_out(Effect::Append {
            ticket: Ticket(ticket),
            job,
            position,
            entry: Box::new(reported(job, device)),
            output: Some(vec![device]),
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
        let expected: Vec<_> = (0..300u64).map(|n| reported(JOB, n as u8)).collect();
        assert_eq!(store.log(JOB).unwrap(), expected);
        assert_eq!(store.log(OTHER).unwrap().len(), 1);
        let output = store.output(JOB, 0, 7, key(7).id()).unwrap();
        assert_eq!(output, Some(vec![7]));
    }

    #[test]
    fn a_log_is_read_by_place_and_not_beyond_its_job() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        (0..9).for_each(|n| append(&store, n + 1, JOB, n, n as u8));
        append(&store, 10, OTHER, 0, 9);
        wait_for(&written, 10);
        let log = store.read_log(JOB).unwrap();
        assert_eq!(log.entry(4), Ok(Some(reported(JOB, 4))));
        assert_eq!(log.entry(9), Ok(None));
        assert_eq!(log.entries(7, 1), Ok(vec![reported(JOB, 7)]));
        assert_eq!(log.entries(8, 9), Ok(vec![reported(JOB, 8)]));
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
            store.carry_out(Effect::Append {
                ticket: Ticket(2),
                job: JOB,
                position: 1,
                entry: Box::new(Entry::Refereed {
                    task: 0,
                    answer: quern_primitives::receipt::Answer {
                        result_commitment: Digest([0; 32]),
                        result_bytes: 1,
                        fuel: 1,
                        exit: Exit::Success,
                    },
                    referee,
                    output_root: Digest([0; 32]),
                    output: OutputPlace::Inline { bytes: 1 },
                }),
                output: Some(vec![9]),
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
        }
    }

    #[test]
    fn only_the_first_accepted_result_is_kept_once_a_task_is_decided() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        (0..3).for_each(|n| append(&store, n + 1, JOB, n, n as u8));
        let accepted = vec![(1, key(1).id()), (2, key(2).id())];
        store.carry_out(Effect::KeepOutputs {
            job: JOB,
            task: 0,
            accepted,
        });
        append(&store, 4, OTHER, 0, 0);
        wait_for(&written, 4);
        let kept = |n: u8| store.output(JOB, 0, n, key(n).id()).unwrap().is_some();
        assert_eq!([kept(0), kept(1), kept(2)], [false, true, false]);
        assert!(store.output(OTHER, 0, 0, key(0).id()).unwrap().is_some());
    }

    #[test]
    fn the_store_of_another_chain_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        close(open(folder.path()));
        let elsewhere = GenesisHash([8; 32]);
        match Store::open(folder.path(), elsewhere, |_| {}, |_| {}).map(drop) {
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
            state: JobState::Expired,
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
        assert_eq!(store.log(OTHER).unwrap(), []);
    }

    #[test]
    fn a_log_that_is_full_overwrites_nothing_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (store, failed) = open_to_fail(folder.path());
        let position = u64::from(u32::MAX) + 1;
        append(&store, 1, JOB, position, 1);
        match failed.recv().unwrap() {
            StoreError::LogFull {
                job,
                position: found,
            } => assert_eq!((job, found), (JOB, position)),
            other => panic!("{other}"),
        }
        assert_eq!(store.log(JOB).unwrap(), []);
    }

    #[test]
    fn an_erased_job_leaves_nothing_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = open(folder.path());
        append(&store, 1, JOB, 0, 1);
        append(&store, 2, OTHER, 0, 1);
        wait_for(&written, 2);
        store.erase(JOB).unwrap();
        assert_eq!(store.log(JOB).unwrap(), []);
        assert_eq!(store.output(JOB, 0, 1, key(1).id()).unwrap(), None);
        assert_eq!(store.log(OTHER).unwrap().len(), 1);
    }
}
