//! A job's shards, as its owner sends them.
//!
//! A shard comes in pieces, is checked when the last of them is on disk, gets its name, and is *here* from
//! then on. A masternode that goes down between two of these, or whose disk fails there, is left with a shard
//! whose bytes are all on disk and that is not here. Nobody checks it but whoever takes its next piece; so its
//! owner, who was never told that it was taken, is told that nothing of it is here, and sends again.

use crate::vault::{Content, Item, KeepError, Received, Vault, not_stored};
use bytes::Bytes;
use quern_jobs_api::{ApiError, ShardOffer};
use quern_primitives::{JobId, TaskIndex};
use quern_shards::{chunks::chunk_root, manifest::ShardEntry};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Which shards of a job are here.
#[derive(Debug)]
pub(crate) struct Incoming {
    job: JobId,
    shards: Mutex<Shards>,
}

#[derive(Debug)]
struct Shards {
    /// Those that are not here.
    missing: BTreeSet<TaskIndex>,
    /// Those that came since the core last took them, each once.
    arrived: Vec<TaskIndex>,
}

impl Shards {
    /// Whether one has arrived, and is the first since the core last took them.
    fn receive(&mut self, task: TaskIndex) -> bool {
        if !self.missing.remove(&task) {
            return false;
        }
        self.arrived.push(task);
        self.arrived.len() == 1
    }
}

/// What came of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Bytes of its shard that are on disk.
    pub(crate) bytes: u64,
    /// Whether whoever owns the core is to be told that shards have arrived. Otherwise none has, or the core
    /// was told of others and has not come for them, and finds this one among them.
    pub(crate) tells: bool,
}

impl Incoming {
    /// Of a job with so many tasks: those whose shards have a name in the vault are here.
    pub(crate) fn new(job: JobId, tasks: u32, kept: &BTreeSet<TaskIndex>) -> Self {
        let missing = (0..tasks).filter(|task| !kept.contains(task));
        let shards = Shards {
            missing: missing.collect(),
            arrived: vec![],
        };
        Self {
            job,
            shards: Mutex::new(shards),
        }
    }

    fn shards(&self) -> MutexGuard<'_, Shards> {
        // A panic while the lock was held leaves lists that are still right.
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a task's shard is not here.
    pub(crate) fn is_missing(&self, task: TaskIndex) -> bool {
        self.shards().missing.contains(&task)
    }

    /// Tasks whose shards are not here.
    pub(crate) fn missing(&self) -> BTreeSet<TaskIndex> {
        self.shards().missing.clone()
    }

    /// Whether every shard is here.
    pub(crate) fn is_complete(&self) -> bool {
        self.shards().missing.is_empty()
    }

    /// The shards that have arrived since this was last asked.
    pub(crate) fn take_arrived(&self) -> Vec<TaskIndex> {
        std::mem::take(&mut self.shards().arrived)
    }

    /// From where the owner goes on with each of these shards, but for those of which nothing is here.
    pub(crate) async fn offers<'a>(
        &self,
        vault: &Vault,
        shards: impl Iterator<Item = (TaskIndex, &'a ShardEntry)>,
    ) -> Result<Vec<ShardOffer>, ApiError> {
        let begun = vault.begun_shards(self.job);
        let mut offers = Vec::new();
        for (task, shard) in shards {
            // The disk is asked for those alone that are on their way.
            let bytes = match !self.is_missing(task) || begun.contains(&task) {
                true => self.held(vault, task, shard).await?,
                false => 0,
            };
            offers.extend((bytes > 0).then_some(ShardOffer { task, bytes }));
        }
        Ok(offers)
    }

    /// Bytes of a shard from which its owner goes on. All of them only if the shard is here: who has sent all
    /// sends no more. When the masternode went down before the shard was checked it is none, and the piece
    /// that comes then leads to the check.
    pub(crate) async fn held(
        &self,
        vault: &Vault,
        task: TaskIndex,
        shard: &ShardEntry,
    ) -> Result<u64, ApiError> {
        let total = shard.sealed_bytes();
        if !self.is_missing(task) {
            return Ok(total);
        }
        let received = vault.received_bytes(self.job, Item::Shard(task)).await;
        let received = received.map_err(|error| not_stored(self.job, &error))?;
        Ok(received.filter(|bytes| *bytes < total).unwrap_or(0))
    }

    /// Takes a piece of a shard. With the last one the shard is checked and kept.
    pub(crate) async fn take(
        &self,
        vault: &Vault,
        (task, shard): (TaskIndex, &ShardEntry),
        offset: u64,
        piece: Bytes,
    ) -> Result<Taken, ApiError> {
        let (job, total, item) = (self.job, shard.sealed_bytes(), Item::Shard(task));
        let received = vault
            .append(job, item, offset, total, piece.clone())
            .await?;
        if let Received::Partly(bytes) = received {
            return Ok(Taken {
                bytes,
                tells: false,
            });
        }
        if self.is_missing(task) {
            // One that has its name was checked, and may still not be here: its disk failed just then.
            if received == Received::Whole {
                self.keep(vault, (task, shard), &piece).await?;
            }
            // What was checked is on disk, and may be of another piece than this one.
            if piece.len() as u64 == total
                && Vault::is_small(&piece)
                && chunk_root(&piece) == shard.chunk_root
            {
                vault.remember(job, task, &piece);
            }
        }
        Ok(Taken {
            bytes: total,
            tells: self.shards().receive(task),
        })
    }

    /// Holds a shard whose bytes are all on disk to the manifest, and gives it its name. One that is another is
    /// dropped.
    async fn keep(
        &self,
        vault: &Vault,
        (task, shard): (TaskIndex, &ShardEntry),
        piece: &[u8],
    ) -> Result<(), ApiError> {
        let wanted = Content {
            bytes: shard.sealed_bytes(),
            root: shard.chunk_root,
        };
        match vault.keep(self.job, Item::Shard(task), wanted).await {
            Ok(()) => Ok(()),
            // A piece without bytes is not at fault for those before it, which a loss of power may have damaged.
            Err(KeepError::Wrong { .. }) if piece.is_empty() => {
                Err(ApiError::OutOfOrder { expected: 0 })
            }
            Err(KeepError::Wrong { .. }) => Err(ApiError::WrongShard { task }),
            Err(error) => Err(not_stored(self.job, &error)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::vault::{JOBS, tests::vault_in};
    use quern_primitives::Digest;
    use quern_shards::{
        keys::{WRAPPED_KEY_BYTES, WrappedKey},
        seal,
    };
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    const JOB: JobId = JobId([1; 32]);
    const TASK: TaskIndex = 3;
    const TASKS: u32 = 5;

    /// A shard, and its bytes.
    fn shard() -> (ShardEntry, Vec<u8>) {
        let plaintext_bytes = 9;
        let length = seal::sealed_bytes(u64::from(plaintext_bytes));
        let bytes: Vec<u8> = (0..length).map(|place| place as u8).collect();
        let entry = ShardEntry {
            plaintext_bytes,
            chunk_root: chunk_root(&bytes),
            key: WrappedKey([0; WRAPPED_KEY_BYTES]),
        };
        (entry, bytes)
    }

    /// What a masternode that starts finds in a folder.
    async fn start(folder: &Path) -> (Vault, Incoming) {
        let vault = vault_in(folder, u64::MAX).await;
        let kept = vault.kept_shards(JOB).await.unwrap();
        (vault, Incoming::new(JOB, TASKS, &kept))
    }

    /// Where shards are as files.
    fn shards_in(folder: &Path) -> PathBuf {
        folder.join(JOBS).join(hex::encode(JOB.0)).join("shards")
    }

    async fn append(vault: &Vault, total: u64, piece: &[u8]) {
        let (item, piece) = (Item::Shard(TASK), Bytes::copy_from_slice(piece));
        vault.append(JOB, item, 0, total, piece).await.unwrap();
    }

    /// An owner goes on with a shard as `quern job resume` does, in pieces of so many bytes; returns how often
    /// the core is told of it.
    async fn resume(
        (vault, incoming): &(Vault, Incoming),
        (entry, bytes): &(ShardEntry, Vec<u8>),
        piece_bytes: usize,
    ) -> Result<usize, ApiError> {
        let mut offset = incoming.held(vault, TASK, entry).await? as usize;
        let (mut told, mut resumes) = (0, 0);
        while offset < bytes.len() || resumes > 0 {
            let end = bytes.len().min(offset + piece_bytes);
            let piece = Bytes::copy_from_slice(&bytes[offset..end]);
            let length = piece.len();
            let taken = incoming.take(vault, (TASK, entry), offset as u64, piece);
            match taken.await {
                Ok(taken) => told += usize::from(taken.tells),
                Err(ApiError::OutOfOrder { expected }) if resumes < 3 => {
                    (offset, resumes) = (expected as usize, resumes + 1);
                    continue;
                }
                Err(error) => return Err(error),
            }
            if length < piece_bytes {
                break;
            }
            offset = end;
        }
        Ok(told)
    }

    #[tokio::test]
    async fn a_shard_comes_here_wherever_the_masternode_goes_down_while_it_is_taken() {
        let sent = shard();
        let (entry, bytes) = &sent;
        let all = bytes.len();
        // After some of the bytes, after all of them, and after the check.
        for held in [0, 1, all - 1, all, all + 1] {
            for piece_bytes in [1, 7, all, all + 1] {
                let folder = tempfile::tempdir().unwrap();
                let (vault, before) = start(folder.path()).await;
                let (item, total) = (Item::Shard(TASK), entry.sealed_bytes());
                append(&vault, total, &bytes[..held.min(all)]).await;
                if held > all {
                    vault.keep(JOB, item, Content::of(bytes)).await.unwrap();
                }
                drop((vault, before));

                let started = start(folder.path()).await;
                let told = resume(&started, &sent, piece_bytes).await.unwrap();
                let (vault, incoming) = started;
                let case = format!("{held} bytes were there, {piece_bytes} come at a time");
                assert_eq!(told, usize::from(held <= all), "{case}");
                assert!(!incoming.is_missing(TASK), "{case}");
                let here = incoming.held(&vault, TASK, entry).await;
                assert_eq!(here, Ok(total), "{case}");
                assert_eq!(vault.read_all(JOB, item).await.unwrap(), *bytes, "{case}");
                let arrived = incoming.take_arrived();
                assert_eq!(arrived.len(), told, "{case}");
                assert_eq!(incoming.missing().len(), TASKS as usize - 1, "{case}");
            }
        }
    }

    #[tokio::test]
    async fn a_shard_whose_disk_failed_when_it_got_its_name_is_here_once_its_owner_goes_on() {
        let sent = shard();
        let (entry, bytes) = &sent;
        let folder = tempfile::tempdir().unwrap();
        let started = start(folder.path()).await;
        let (vault, incoming) = &started;
        let item = Item::Shard(TASK);
        append(vault, entry.sealed_bytes(), bytes).await;
        vault.keep(JOB, item, Content::of(bytes)).await.unwrap();
        let held = incoming.held(vault, TASK, entry).await;
        assert_eq!(held, Ok(0), "nobody was told");
        assert_eq!(resume(&started, &sent, 100).await, Ok(1));
        assert_eq!(resume(&started, &sent, 100).await, Ok(0), "it is here");
    }

    #[tokio::test]
    async fn what_is_left_damaged_is_dropped_and_its_owner_sends_all_of_it() {
        let sent = shard();
        let bytes = &sent.1;
        let folder = tempfile::tempdir().unwrap();
        let started = start(folder.path()).await;
        let path = shards_in(folder.path());
        fs::create_dir_all(&path).unwrap();
        let zeros = vec![0; bytes.len()];
        fs::write(path.join(TASK.to_string()).with_extension("part"), zeros).unwrap();
        assert_eq!(resume(&started, &sent, 100).await, Ok(1));
    }

    #[tokio::test]
    async fn a_shard_that_is_another_one_is_refused_and_not_here() {
        let (mut entry, bytes) = shard();
        entry.chunk_root = Digest([9; 32]);
        let folder = tempfile::tempdir().unwrap();
        let started = start(folder.path()).await;
        let (vault, incoming) = &started;
        for _ in 0..2 {
            let refused = resume(&started, &(entry, bytes.clone()), 100).await;
            assert_eq!(refused, Err(ApiError::WrongShard { task: TASK }));
            assert_eq!(incoming.held(vault, TASK, &entry).await, Ok(0));
            assert_eq!(vault.bytes(), 0);
        }
        assert!(incoming.is_missing(TASK) && !incoming.is_complete());
    }

    #[tokio::test]
    async fn a_small_shard_is_handed_out_from_memory_and_another_piece_for_its_place_is_not() {
        let (entry, bytes) = shard();
        let folder = tempfile::tempdir().unwrap();
        let (vault, incoming) = start(folder.path()).await;
        let (item, total) = (Item::Shard(TASK), entry.sealed_bytes());
        // Its bytes are on disk when a piece with others comes.
        append(&vault, total, &bytes).await;
        vault.keep(JOB, item, Content::of(&bytes)).await.unwrap();
        let take = async |vault: &Vault, incoming: &Incoming, piece: &[u8]| {
            let piece = Bytes::copy_from_slice(piece);
            let taken = incoming.take(vault, (TASK, &entry), 0, piece).await;
            taken.unwrap();
        };
        take(&vault, &incoming, &vec![9; bytes.len()]).await;
        let read = async |vault: &Vault| vault.read_exactly(JOB, item, total).await;
        assert_eq!(read(&vault).await.unwrap(), bytes);
        let path = shards_in(folder.path()).join(TASK.to_string());
        fs::remove_file(&path).unwrap();
        assert!(read(&vault).await.is_err(), "it was on disk alone");

        let (vault, incoming) = start(folder.path()).await;
        take(&vault, &incoming, &bytes).await;
        fs::remove_file(&path).unwrap();
        assert_eq!(read(&vault).await.unwrap(), bytes);
        vault.erase_inputs(JOB).await.unwrap();
        assert!(read(&vault).await.is_err(), "the job is over");
    }

    #[tokio::test]
    async fn an_owner_is_told_of_the_shards_of_which_something_is_here_and_of_no_others() {
        let sent = shard();
        let (entry, bytes) = &sent;
        let folder = tempfile::tempdir().unwrap();
        let (vault, _) = start(folder.path()).await;
        let total = entry.sealed_bytes();
        append(&vault, total, &bytes[..5]).await;
        vault
            .put(JOB, Item::Shard(4), Bytes::copy_from_slice(bytes))
            .await
            .unwrap();
        let (vault, incoming) = start(folder.path()).await;
        let shards = (0..TASKS).map(|task| (task, entry));
        let offers = incoming.offers(&vault, shards).await.unwrap();
        let offer = |task, bytes| ShardOffer { task, bytes };
        assert_eq!(offers, [offer(TASK, 5), offer(4, total)]);
    }

    #[test]
    fn the_core_is_told_once_of_shards_that_it_has_not_come_for() {
        let mut shards = Shards {
            missing: (0..4).collect(),
            arrived: vec![],
        };
        assert!(shards.receive(2));
        assert!(!shards.receive(0), "it finds this one with the other");
        assert!(!shards.receive(2), "it is here already");
        assert_eq!(std::mem::take(&mut shards.arrived), [2, 0]);
        assert!(shards.receive(1));
        assert_eq!((shards.missing.len(), &*shards.arrived), (1, &[1][..]));
    }
}
