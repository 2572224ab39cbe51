//! The files of a job: sealed manifest, program, sealed shards, and results too large for the
//! store. Each is received in order into a `.part` file, so that an upload resumes from the file's
//! length; it gets its name only after its digest was checked. All of them together have so much room
//! on the disk as the operator gives them; a piece that finds none is refused unwritten. Small shards are
//! kept in memory too.

mod room;
mod small;

use quern_jobs_api::{ApiError, PIECE_BYTES_MAX};
use quern_primitives::{DeviceId, Digest, JobId, TaskIndex, ids::ReplicaIndex};
use quern_shards::chunks::ChunkHasher;
use room::{Need, Room};
use small::Small;
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes read at a time when a file is checked.
const READ_BYTES: usize = 1024 * 1024;

/// How the name of a file ends that is being received.
const PART: &str = "part";

/// Pieces that are written at the same time, at most; those of one item wait for each other.
const WRITERS: usize = 64;

/// A thing of a job that is kept in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    /// The sealed manifest.
    Manifest,
    /// The program.
    Program,
    /// A sealed shard.
    Shard(TaskIndex),
    /// A sealed result.
    Result(TaskIndex, ReplicaIndex, DeviceId),
}

impl Item {
    fn need(self) -> Need {
        match self {
            Self::Manifest | Self::Program | Self::Shard(_) => Need::Input,
            Self::Result(..) => Need::Result,
        }
    }
}

/// The files of all jobs.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    folder: PathBuf,
    writers: Arc<[Mutex<()>]>,
    room: Arc<Room>,
    small: Arc<Small>,
}

/// What happened to a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// More is to come.
    Partly(u64),
    /// All bytes are here, unchecked.
    Whole,
}

impl Vault {
    /// The vault in a folder, made if it is not there, for so many bytes. What is there is counted.
    pub(crate) fn open(folder: &Path, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let vault = Self {
            folder: folder.to_owned(),
            writers: (0..WRITERS).map(|_| Mutex::new(())).collect(),
            room: Arc::new(Room::new(bytes_max)),
            small: Arc::default(),
        };
        for found in entries(folder)? {
            if let Some(job) = job_named(&found.file_name()) {
                vault.count(job)?;
            }
        }
        Ok(vault)
    }

    fn count(&self, job: JobId) -> io::Result<()> {
        let folder = self.job_folder(job);
        self.count_files(job, &folder, Need::Input)?;
        self.count_files(job, &folder.join("shards"), Need::Input)?;
        for task in entries(&self.results(job))? {
            self.count_files(job, &task.path(), Need::Result)?;
        }
        Ok(())
    }

    /// Counts the files of a folder, not those of folders in it.
    fn count_files(&self, job: JobId, folder: &Path, need: Need) -> io::Result<()> {
        for found in entries(folder)? {
            let (path, facts) = (found.path(), found.metadata()?);
            match is_part(&path) {
                _ if !facts.is_file() => {}
                true => self.room.found_part(path, facts.len()),
                false => self.room.found(job, need, facts.len()),
            }
        }
        Ok(())
    }

    /// Bytes that the files of all jobs take of the disk, in whole blocks.
    pub(crate) fn bytes(&self) -> u64 {
        self.room.bytes()
    }

    /// Bytes held of an item: all of it once it is checked, else what was received.
    pub(crate) fn held(&self, job: JobId, item: Item) -> u64 {
        let length = |path| fs::metadata(path).map(|facts| facts.len()).ok();
        length(self.path(job, item))
            .or_else(|| length(self.part(job, item)))
            .unwrap_or(0)
    }

    /// Whether an item is here and checked.
    pub(crate) fn has(&self, job: JobId, item: Item) -> bool {
        self.path(job, item).exists()
    }

    /// Appends a piece that starts at `offset` to an item of `total` bytes. Of several pieces for one
    /// place only the first is taken. There must be room for all of the item, though none is kept for
    /// it; or of a result, whose `total` is only what it may have at most, for all that is here.
    pub(crate) fn append(
        &self,
        job: JobId,
        item: Item,
        offset: u64,
        total: u64,
        piece: &[u8],
    ) -> Result<Received, ApiError> {
        let _alone = self.writer(job, item);
        if self.has(job, item) {
            return Ok(Received::Partly(total));
        }
        let mut held = self.held(job, item);
        if held > total {
            // No piece can mend what is longer than the whole.
            self.drop_part(job, item);
            held = 0;
        }
        if offset != held {
            return Err(ApiError::OutOfOrder { expected: held });
        }
        let length = held.saturating_add(piece.len() as u64);
        if length > total || piece.len() > PIECE_BYTES_MAX {
            return Err(ApiError::TooLong { limit: total });
        }
        let may_become = match item.need() {
            Need::Input => total,
            Need::Result => length,
        };
        let part = self.part(job, item);
        self.room.take(part, length, may_become, item.need())?;
        self.write(job, item, piece)
            .map_err(|_| ApiError::Storage)?;
        Ok(if length == total {
            Received::Whole
        } else {
            Received::Partly(length)
        })
    }

    /// Keeps others from writing to the item.
    fn writer(&self, job: JobId, item: Item) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        (job, item).hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % WRITERS as u64).unwrap_or(0);
        self.writers[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, job: JobId, item: Item, piece: &[u8]) -> io::Result<()> {
        let path = self.part(job, item);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?
            .write_all(piece)
    }

    /// The chunk root of what is here of an item, checked or not.
    pub(crate) fn chunk_root(&self, job: JobId, item: Item) -> io::Result<Digest> {
        let path = if self.has(job, item) {
            self.path(job, item)
        } else {
            self.part(job, item)
        };
        let mut file = File::open(path)?;
        let mut hasher = ChunkHasher::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish().root()),
                read => hasher.update(&buffer[..read]),
            }
        }
    }

    /// The received bytes of an item that is small enough to be held in memory.
    pub(crate) fn received(&self, job: JobId, item: Item) -> io::Result<Vec<u8>> {
        fs::read(self.part(job, item))
    }

    /// The item was checked: it gets its name, and is on disk when this returns. It may be said twice.
    pub(crate) fn keep(&self, job: JobId, item: Item) -> io::Result<()> {
        let (part, path) = (self.part(job, item), self.path(job, item));
        let _alone = self.writer(job, item);
        if !path.exists() {
            let file = File::open(&part)?;
            file.sync_all()?;
            let bytes = file.metadata()?.len();
            fs::rename(&part, &path)?;
            self.room.keep(&part, job, item.need(), bytes);
        }
        path.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    /// A result that its device says it has delivered in so many bytes: its chunk root, if they are
    /// all here. It is kept from then on, until it is erased. Reads the whole file.
    pub(crate) fn delivered(&self, job: JobId, item: Item, bytes: u64) -> Option<Digest> {
        if self.held(job, item) != bytes {
            return None;
        }
        let root = self.chunk_root(job, item).ok()?;
        // It is kept already if the device says so twice at a time, or if the masternode went down
        // before the report was on disk.
        let kept = self.has(job, item) || self.keep(job, item).is_ok() || self.has(job, item);
        kept.then_some(root)
    }

    /// The item turned out wrong: what was received is dropped.
    pub(crate) fn drop_part(&self, job: JobId, item: Item) {
        let part = self.part(job, item);
        // A part that cannot be removed is refused again when it is next checked.
        if found(fs::remove_file(&part)).is_ok() {
            self.room.drop_part(&part);
        }
    }

    /// Bytes of an item from `offset`, at most `length`.
    pub(crate) fn read(
        &self,
        job: JobId,
        item: Item,
        offset: u64,
        length: usize,
    ) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(job, item))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether a shard is small enough to be [remembered](Self::remember).
    pub(crate) fn is_small(shard: &[u8]) -> bool {
        shard.len() <= small::SHARD_BYTES_MAX
    }

    /// A whole shard that was checked and [kept](Vault::keep): in memory too, if it is small.
    pub(crate) fn remember(&self, job: JobId, task: TaskIndex, shard: &[u8]) {
        self.small.keep(job, task, shard);
    }

    /// All of an item that has so many bytes. One that has fewer is an error; what is behind them is
    /// not looked at.
    pub(crate) fn read_exactly(&self, job: JobId, item: Item, bytes: usize) -> io::Result<Vec<u8>> {
        if let Item::Shard(task) = item
            && let Some(shard) = self.small.get(&job, task, bytes)
        {
            return Ok(shard);
        }
        let mut file = File::open(self.path(job, item))?;
        let mut all = vec![0; bytes];
        file.read_exact(&mut all)?;
        Ok(all)
    }

    /// All of an item whose length is not known.
    pub(crate) fn read_all(&self, job: JobId, item: Item) -> io::Result<Vec<u8>> {
        fs::read(self.path(job, item))
    }

    /// Erases the results of a task, except one.
    pub(crate) fn keep_result(
        &self,
        job: JobId,
        task: TaskIndex,
        kept: Option<(ReplicaIndex, DeviceId)>,
    ) -> io::Result<()> {
        let kept = kept.map(|(replica, device)| result_name(replica, device));
        for file in entries(&self.results(job).join(task.to_string()))? {
            if Some(file.file_name()) != kept.as_ref().map(Into::into) {
                let (path, bytes) = (file.path(), file.metadata()?.len());
                fs::remove_file(&path)?;
                match is_part(&path) {
                    true => self.room.drop_part(&path),
                    false => self.room.drop_result(job, bytes),
                }
            }
        }
        Ok(())
    }

    /// Whether any result of a job was delivered in pieces.
    pub(crate) fn has_results(&self, job: JobId) -> bool {
        self.results(job).exists()
    }

    /// Notes that a task begins to be computed here, and says how often it did before without coming to an
    /// end. What is noted outlives the masternode, if not the machine's power.
    pub(crate) fn begin_attempt(&self, job: JobId, task: TaskIndex) -> io::Result<u64> {
        let path = self.attempt(job, task);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let before = file.metadata()?.len();
        file.write_all(&[0])?;
        Ok(before)
    }

    /// A task that was computed here has come to an end, whatever came of it.
    pub(crate) fn end_attempt(&self, job: JobId, task: TaskIndex) -> io::Result<()> {
        found(fs::remove_file(self.attempt(job, task)))
    }

    /// Erases what devices needed to compute a job: manifest, program and shards.
    pub(crate) fn erase_inputs(&self, job: JobId) -> io::Result<()> {
        let folder = self.job_folder(job);
        for file in ["manifest", "manifest.part", "program.wasm", "program.part"] {
            found(fs::remove_file(folder.join(file)))?;
        }
        found(fs::remove_dir_all(folder.join("shards")))?;
        found(fs::remove_dir_all(self.attempts(job)))?;
        self.small.forget(&job);
        self.room.drop_inputs(job, &folder, &self.results(job));
        Ok(())
    }

    /// Erases everything of a job.
    pub(crate) fn erase(&self, job: JobId) -> io::Result<()> {
        let folder = self.job_folder(job);
        found(fs::remove_dir_all(&folder))?;
        self.small.forget(&job);
        self.room.drop_job(job, &folder);
        Ok(())
    }

    fn results(&self, job: JobId) -> PathBuf {
        self.job_folder(job).join("results")
    }

    /// A few bytes for each task that is computed here, which are not counted.
    fn attempts(&self, job: JobId) -> PathBuf {
        self.job_folder(job).join("attempts")
    }

    fn attempt(&self, job: JobId, task: TaskIndex) -> PathBuf {
        self.attempts(job).join(task.to_string())
    }

    fn job_folder(&self, job: JobId) -> PathBuf {
        self.folder.join(hex::encode(job.0))
    }

    fn path(&self, job: JobId, item: Item) -> PathBuf {
        let folder = self.job_folder(job);
        match item {
            Item::Manifest => folder.join("manifest"),
            Item::Program => folder.join("program.wasm"),
            Item::Shard(task) => folder.join("shards").join(task.to_string()),
            Item::Result(task, replica, device) => self
                .results(job)
                .join(task.to_string())
                .join(result_name(replica, device)),
        }
    }

    fn part(&self, job: JobId, item: Item) -> PathBuf {
        self.path(job, item).with_extension(PART)
    }
}

fn is_part(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == PART)
}

/// The job whose folder has this name.
fn job_named(name: &OsStr) -> Option<JobId> {
    let mut job = JobId([0; 32]);
    hex::decode_to_slice(name.to_str()?, &mut job.0).ok()?;
    Some(job)
}

/// What is in a folder; nothing if it is not there.
fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        entries => entries?.collect(),
    }
}

fn result_name(replica: ReplicaIndex, device: DeviceId) -> String {
    format!("{replica}-{}", hex::encode(device.0))
}

/// What is not there need not be erased.
fn found(erased: io::Result<()>) -> io::Result<()> {
    match erased {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{room::BLOCK_BYTES, *};
    use quern_shards::chunks::chunk_root;

    const JOB: JobId = JobId([1; 32]);
    const OTHER: JobId = JobId([2; 32]);
    const ITEM: Item = Item::Shard(3);

    fn vault() -> (tempfile::TempDir, Vault) {
        vault_of(u64::MAX)
    }

    fn vault_of(bytes_max: u64) -> (tempfile::TempDir, Vault) {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(&folder.path().join("jobs"), bytes_max).unwrap();
        (folder, vault)
    }

    #[test]
    fn pieces_are_taken_in_order_and_an_upload_resumes_where_it_stopped() {
        let (folder, vault) = vault();
        assert_eq!(
            vault.append(JOB, ITEM, 0, 6, b"abc"),
            Ok(Received::Partly(3))
        );
        for offset in [0, 2, 4] {
            let error = vault.append(JOB, ITEM, offset, 6, b"d").unwrap_err();
            assert_eq!(error, ApiError::OutOfOrder { expected: 3 });
        }
        let vault = Vault::open(&folder.path().join("jobs"), u64::MAX).unwrap();
        assert_eq!(vault.held(JOB, ITEM), 3);
        assert_eq!(vault.append(JOB, ITEM, 3, 6, b"def"), Ok(Received::Whole));
        assert!(!vault.has(JOB, ITEM), "unchecked bytes have no name");
        assert_eq!(vault.chunk_root(JOB, ITEM).unwrap(), chunk_root(b"abcdef"));
    }

    #[test]
    fn a_piece_beyond_the_end_or_longer_than_a_piece_is_refused_unwritten() {
        let (_folder, vault) = vault();
        let over = vault.append(JOB, ITEM, 0, 2, b"abc");
        assert_eq!(over, Err(ApiError::TooLong { limit: 2 }));
        let limit = 10 * PIECE_BYTES_MAX as u64;
        let long = vault.append(JOB, ITEM, 0, limit, &vec![0; PIECE_BYTES_MAX + 1]);
        assert_eq!(long, Err(ApiError::TooLong { limit }));
        assert_eq!(vault.held(JOB, ITEM), 0);
    }

    #[test]
    fn what_was_checked_is_read_and_never_written_again() {
        let (_folder, vault) = vault();
        vault.append(JOB, ITEM, 0, 6, b"abcdef").unwrap();
        assert!(
            vault.read_all(JOB, ITEM).is_err(),
            "unchecked bytes are not read"
        );
        vault.keep(JOB, ITEM).unwrap();
        assert_eq!(vault.append(JOB, ITEM, 6, 6, b"x"), Ok(Received::Partly(6)));
        assert_eq!(vault.read(JOB, ITEM, 2, 3).unwrap(), b"cde");
        assert_eq!(vault.read(JOB, ITEM, 9, 3).unwrap(), b"");
        assert_eq!(vault.read_exactly(JOB, ITEM, 6).unwrap(), b"abcdef");
        let root = vault.chunk_root(JOB, ITEM).unwrap();
        assert_eq!(
            root,
            chunk_root(b"abcdef"),
            "the root is known also once it is kept"
        );
    }

    #[test]
    fn a_result_is_kept_once_its_device_says_that_it_is_whole() {
        let (_folder, vault) = vault();
        let item = Item::Result(3, 0, DeviceId([7; 32]));
        assert_eq!(vault.delivered(JOB, item, 6), None);
        vault.append(JOB, item, 0, 6, b"abc").unwrap();
        assert_eq!(vault.delivered(JOB, item, 6), None, "a half is missing");
        vault.append(JOB, item, 3, 6, b"def").unwrap();
        for _ in 0..2 {
            let root = Some(chunk_root(b"abcdef"));
            assert_eq!(
                vault.delivered(JOB, item, 6),
                root,
                "however often it says so"
            );
        }
        assert_eq!(vault.delivered(JOB, item, 5), None);
        assert_eq!(vault.read_all(JOB, item).unwrap(), b"abcdef");
    }

    #[test]
    fn what_turned_out_wrong_is_dropped_and_starts_anew() {
        let (_folder, vault) = vault();
        vault.append(JOB, ITEM, 0, 3, b"abc").unwrap();
        vault.drop_part(JOB, ITEM);
        assert_eq!(vault.append(JOB, ITEM, 0, 3, b"xyz"), Ok(Received::Whole));
    }

    #[test]
    fn what_is_kept_twice_is_there_and_counts_once() {
        let (_folder, vault) = vault();
        assert!(vault.keep(JOB, ITEM).is_err(), "nothing came");
        vault.append(JOB, ITEM, 0, 6, b"abcdef").unwrap();
        for _ in 0..2 {
            vault.keep(JOB, ITEM).unwrap();
            assert_eq!(vault.bytes(), BLOCK_BYTES);
        }
        assert_eq!(vault.read_all(JOB, ITEM).unwrap(), b"abcdef");
    }

    fn put(vault: &Vault, item: Item) {
        vault.append(JOB, item, 0, 3, b"abc").unwrap();
        vault.keep(JOB, item).unwrap();
    }

    #[test]
    fn of_a_decided_task_only_the_accepted_result_stays() {
        let (_folder, vault) = vault();
        let result = |task, replica| Item::Result(task, replica, DeviceId([replica; 32]));
        assert!(!vault.has_results(JOB));
        vault.keep_result(JOB, 1, None).unwrap();
        for (task, replica) in [(1, 0), (1, 1), (1, 2), (11, 0)] {
            put(&vault, result(task, replica));
        }
        vault.append(JOB, result(1, 3), 0, 6, b"abc").unwrap();
        assert!(vault.has_results(JOB));
        vault
            .keep_result(JOB, 1, Some((1, DeviceId([1; 32]))))
            .unwrap();
        let held = [0, 1, 2, 3].map(|replica| vault.held(JOB, result(1, replica)));
        assert_eq!(held, [0, 3, 0, 0], "a half delivered one is erased too");
        assert!(vault.has(JOB, result(11, 0)));
        vault.keep_result(JOB, 1, None).unwrap();
        assert!(!vault.has(JOB, result(1, 1)));
    }

    #[test]
    fn of_a_closed_job_only_results_stay() {
        let (_folder, vault) = vault();
        let result = Item::Result(0, 0, DeviceId([0; 32]));
        let inputs = [
            Item::Manifest,
            Item::Program,
            Item::Shard(0),
            Item::Shard(1),
        ];
        inputs.into_iter().for_each(|item| put(&vault, item));
        put(&vault, result);
        for _ in 0..2 {
            vault.erase_inputs(JOB).unwrap();
            assert!(inputs.into_iter().all(|item| vault.held(JOB, item) == 0));
            assert!(vault.has(JOB, result));
        }
    }

    #[test]
    fn an_erased_job_leaves_others_alone_and_may_be_erased_twice() {
        let (_folder, vault) = vault();
        for job in [JOB, OTHER] {
            vault.append(job, Item::Program, 0, 3, b"abc").unwrap();
            vault.keep(job, Item::Program).unwrap();
        }
        vault.erase(JOB).unwrap();
        vault.erase(JOB).unwrap();
        assert!(!vault.has(JOB, Item::Program) && vault.has(OTHER, Item::Program));
    }

    /// Bytes of so many blocks of the disk.
    fn blocks(count: u64) -> u64 {
        count * BLOCK_BYTES
    }

    /// A piece that takes so many blocks.
    fn piece(count: u64) -> Vec<u8> {
        vec![0; blocks(count) as usize]
    }

    #[test]
    fn a_shard_that_finds_no_room_is_refused_unwritten_and_smaller_ones_still_fit() {
        // A quarter is for results: 90 blocks for uploads.
        let (_folder, vault) = vault_of(blocks(120));
        let (small, large) = (Item::Shard(0), Item::Shard(1));
        let first = vault.append(JOB, ITEM, 0, blocks(50), &piece(50));
        assert_eq!(first, Ok(Received::Whole));
        let refused = vault.append(JOB, large, 0, blocks(41), b"abc");
        assert_eq!(refused, Err(ApiError::NoRoom { bytes: blocks(41) }));
        assert_eq!(vault.held(JOB, large), 0);
        let fits = vault.append(JOB, small, 0, blocks(40), &piece(40));
        assert_eq!(fits, Ok(Received::Whole));
        assert_eq!(vault.bytes(), blocks(90));
    }

    #[test]
    fn uploads_that_are_begun_and_not_ended_keep_no_room_from_others() {
        let (_folder, vault) = vault_of(blocks(120));
        let begun = |task, offset| vault.append(JOB, Item::Shard(task), offset, blocks(70), b"a");
        for round in 0..3 {
            for task in 0..20 {
                assert_eq!(begun(task, round), Ok(Received::Partly(round + 1)));
            }
            let taken = vault.bytes();
            assert_eq!(taken, blocks(20), "a byte now and then keeps no more");
        }
        let whole = vault.append(OTHER, ITEM, 0, blocks(70), &piece(70));
        assert_eq!(whole, Ok(Received::Whole));
        vault.keep(OTHER, ITEM).unwrap();
        let refused = Err(ApiError::NoRoom { bytes: blocks(69) });
        assert_eq!(begun(0, 3), refused, "who goes on asks for room anew");
        assert_eq!(vault.held(JOB, Item::Shard(0)), 3, "what came stays");
        assert!(vault.has(OTHER, ITEM));
        vault.erase(OTHER).unwrap();
        assert_eq!(begun(0, 3), Ok(Received::Partly(4)));
    }

    #[test]
    fn of_uploads_that_do_not_all_fit_one_is_ended_and_the_others_go_on_when_there_is_room() {
        let (_folder, vault) = vault_of(blocks(120));
        let append =
            |job, offset, count| vault.append(job, ITEM, blocks(offset), blocks(60), &piece(count));
        assert_eq!(append(JOB, 0, 20), Ok(Received::Partly(blocks(20))));
        assert_eq!(append(OTHER, 0, 30), Ok(Received::Partly(blocks(30))));
        assert_eq!(append(JOB, 20, 20), Ok(Received::Partly(blocks(40))));
        let refused = Err(ApiError::NoRoom { bytes: blocks(30) });
        assert_eq!(append(OTHER, 30, 20), refused);
        assert_eq!(append(JOB, 40, 20), Ok(Received::Whole));
        vault.keep(JOB, ITEM).unwrap();
        assert_eq!(append(OTHER, 30, 20), refused);
        vault.erase(JOB).unwrap();
        assert_eq!(append(OTHER, 30, 30), Ok(Received::Whole));
    }

    #[test]
    fn results_find_room_when_uploads_find_none_and_count_as_they_come() {
        let (_folder, vault) = vault_of(blocks(120));
        let upload = vault.append(JOB, ITEM, 0, blocks(90), &piece(90));
        assert_eq!(upload, Ok(Received::Whole));
        let result = |replica| Item::Result(0, replica, DeviceId([replica; 32]));
        for replica in 0..2 {
            let received = vault.append(JOB, result(replica), 0, blocks(1_000), &piece(15));
            assert_eq!(received, Ok(Received::Partly(blocks(15))));
        }
        let refused = vault.append(JOB, result(0), blocks(15), blocks(1_000), b"x");
        assert_eq!(refused, Err(ApiError::NoRoom { bytes: blocks(1) }));
        vault.keep_result(JOB, 0, None).unwrap();
        assert_eq!(vault.bytes(), blocks(90));
    }

    #[test]
    fn what_is_dropped_or_erased_makes_room() {
        let (_folder, vault) = vault_of(blocks(100));
        let result = Item::Result(1, 0, DeviceId([0; 32]));
        vault.append(JOB, ITEM, 0, 100, b"abc").unwrap();
        vault.drop_part(JOB, ITEM);
        assert_eq!(vault.bytes(), 0);
        for item in [Item::Manifest, Item::Program, Item::Shard(0), result] {
            put(&vault, item);
        }
        vault.append(JOB, ITEM, 0, 100, b"abc").unwrap();
        vault
            .append(JOB, Item::Result(1, 1, DeviceId([1; 32])), 0, 9, b"ab")
            .unwrap();
        assert_eq!(vault.bytes(), blocks(6));
        vault
            .keep_result(JOB, 1, Some((0, DeviceId([0; 32]))))
            .unwrap();
        assert_eq!(vault.bytes(), blocks(5));
        vault.erase_inputs(JOB).unwrap();
        assert_eq!(vault.bytes(), blocks(1), "the result stays");
        vault.erase(JOB).unwrap();
        vault.erase(JOB).unwrap();
        assert_eq!(vault.bytes(), 0);
    }

    #[test]
    fn an_item_counts_with_the_blocks_of_what_is_there_before_it_is_checked_and_after() {
        let (_folder, vault) = vault_of(blocks(100));
        let (item, total) = (Item::Manifest, blocks(50));
        vault.append(JOB, item, 0, total, &piece(1)).unwrap();
        assert_eq!(vault.bytes(), blocks(1));
        vault.append(JOB, item, blocks(1), total, b"a").unwrap();
        assert_eq!(vault.bytes(), blocks(2));
        vault.keep(JOB, item).unwrap();
        assert_eq!(vault.bytes(), blocks(2));
    }

    #[test]
    fn what_is_there_at_the_start_is_counted() {
        let (folder, vault) = vault_of(blocks(100));
        let result = Item::Result(1, 0, DeviceId([0; 32]));
        for item in [Item::Manifest, Item::Program, Item::Shard(0), result] {
            put(&vault, item);
        }
        vault.append(JOB, ITEM, 0, blocks(10), b"ab").unwrap();
        let vault = Vault::open(&folder.path().join("jobs"), blocks(20)).unwrap();
        assert_eq!(vault.bytes(), blocks(5));
        vault.append(JOB, ITEM, 2, blocks(10), b"c").unwrap();
        assert_eq!(vault.bytes(), blocks(5));
        let refused = vault.append(JOB, Item::Shard(5), 0, blocks(11), b"a");
        assert_eq!(refused, Err(ApiError::NoRoom { bytes: blocks(11) }));
        vault.erase(JOB).unwrap();
        assert_eq!(vault.bytes(), 0);
    }
}
