//! A job's shards, as its owner sends them.
//!
//! A shard comes in pieces, is checked when the last of them is on disk, gets its name, and is *here* from
//! then on. A masternode that goes down between two of these, or whose disk fails there, is left with a shard
//! whose bytes are all on disk and that is not here. Nobody checks it but whoever takes its next piece; so its
//! owner, who was never told that it was taken, is told that nothing of it is here, and sends again.

use crate::vault::{Item, Received, Vault};
use quern_jobs_api::ApiError;
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
    pub(crate) fn new(job: JobId, tasks: u32, vault: &Vault) -> Self {
        let missing = (0..tasks).filter(|task| !vault.has(job, Item::Shard(*task)));
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

    fn is_missing(&self, task: TaskIndex) -> bool {
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

    /// Bytes of a shard from which its owner goes on. All of them only if the shard is here: who has sent all
    /// sends no more. When the masternode went down before the shard was checked it is none, and the piece
    /// that comes then leads to the check.
    pub(crate) fn held(&self, vault: &Vault, task: TaskIndex, shard: &ShardEntry) -> u64 {
        let held = vault.held(self.job, Item::Shard(task));
        if held >= shard.sealed_bytes() && self.is_missing(task) {
            return 0;
        }
        held
    }

    /// Takes a piece of a shard. With the last one the shard is checked and kept.
    pub(crate) fn take(
        &self,
        vault: &Vault,
        (task, shard): (TaskIndex, &ShardEntry),
        offset: u64,
        piece: &[u8],
    ) -> Result<Taken, ApiError> {
        let (job, total, item) = (self.job, shard.sealed_bytes(), Item::Shard(task));
        match vault.append(job, item, offset, total, piece)? {
            Received::Partly(bytes) if bytes < total => {
                return Ok(Taken {
                    bytes,
                    tells: false,
                });
            }
            _ => {}
        }
        if self.is_missing(task) {
            // One that has its name was checked, and may still not be here: its disk failed just then.
            if !vault.has(job, item) {
                self.check(vault, (task, shard), piece)?;
            }
            vault.keep(job, item).map_err(|_| ApiError::Storage)?;
            // What was checked is on disk, and may be of another piece than this one.
            if piece.len() as u64 == total
                && Vault::is_small(piece)
                && chunk_root(piece) == shard.chunk_root
            {
                vault.remember(job, task, piece);
            }
        }
        Ok(Taken {
            bytes: total,
            tells: self.shards().receive(task),
        })
    }

    /// Holds a shard whose bytes are all on disk to the manifest. One that is another is dropped.
    fn check(
        &self,
        vault: &Vault,
        (task, shard): (TaskIndex, &ShardEntry),
        piece: &[u8],
    ) -> Result<(), ApiError> {
        let item = Item::Shard(task);
        let root = vault.chunk_root(self.job, item);
        if root.map_err(|_| ApiError::Storage)? == shard.chunk_root {
            return Ok(());
        }
        vault.drop_part(self.job, item);
        // A piece without bytes is not at fault for those before it, which a loss of power may have damaged.
        Err(match piece.is_empty() {
            true => ApiError::OutOfOrder { expected: 0 },
            false => ApiError::WrongShard { task },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::Digest;
    use quern_shards::{
        keys::{WRAPPED_KEY_BYTES, WrappedKey},
        seal,
    };
    use std::{fs, path::Path};

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
    fn start(folder: &Path) -> (Vault, Incoming) {
        let vault = Vault::open(folder, u64::MAX).unwrap();
        let incoming = Incoming::new(JOB, TASKS, &vault);
        (vault, incoming)
    }

    /// An owner goes on with a shard as `quern job resume` does, in pieces of so many bytes; returns how often
    /// the core is told of it.
    fn resume(
        (vault, incoming): &(Vault, Incoming),
        (entry, bytes): &(ShardEntry, Vec<u8>),
        piece_bytes: usize,
    ) -> Result<usize, ApiError> {
        let mut offset = incoming.held(vault, TASK, entry) as usize;
        let (mut told, mut resumes) = (0, 0);
        while offset < bytes.len() || resumes > 0 {
            let end = bytes.len().min(offset + piece_bytes);
            let piece = &bytes[offset..end];
            match incoming.take(vault, (TASK, entry), offset as u64, piece) {
                Ok(taken) => told += usize::from(taken.tells),
                Err(ApiError::OutOfOrder { expected }) if resumes < 3 => {
                    (offset, resumes) = (expected as usize, resumes + 1);
                    continue;
                }
                Err(error) => return Err(error),
            }
            if piece.len() < piece_bytes {
                break;
            }
            offset = end;
        }
        Ok(told)
    }

    #[test]
    fn a_shard_comes_here_wherever_the_masternode_goes_down_while_it_is_taken() {
        let sent = shard();
        let (entry, bytes) = &sent;
        let all = bytes.len();
        // After some of the bytes, after all of them, and after the check.
        for held in [0, 1, all - 1, all, all + 1] {
            for piece_bytes in [1, 7, all, all + 1] {
                let folder = tempfile::tempdir().unwrap();
                let (vault, before) = start(folder.path());
                let (item, total) = (Item::Shard(TASK), entry.sealed_bytes());
                let piece = &bytes[..held.min(all)];
                vault.append(JOB, item, 0, total, piece).unwrap();
                if held > all {
                    vault.keep(JOB, item).unwrap();
                }
                drop((vault, before));

                let started = start(folder.path());
                let told = resume(&started, &sent, piece_bytes).unwrap();
                let (vault, incoming) = started;
                let case = format!("{held} bytes were there, {piece_bytes} come at a time");
                assert_eq!(told, usize::from(held <= all), "{case}");
                assert!(!incoming.is_missing(TASK), "{case}");
                assert_eq!(incoming.held(&vault, TASK, entry), total, "{case}");
                assert_eq!(vault.read_all(JOB, item).unwrap(), *bytes, "{case}");
                let arrived = incoming.take_arrived();
                assert_eq!(arrived.len(), told, "{case}");
                assert_eq!(incoming.missing().len(), TASKS as usize - 1, "{case}");
            }
        }
    }

    #[test]
    fn a_shard_whose_disk_failed_when_it_got_its_name_is_here_once_its_owner_goes_on() {
        let sent = shard();
        let (entry, bytes) = &sent;
        let folder = tempfile::tempdir().unwrap();
        let started = start(folder.path());
        let (vault, incoming) = &started;
        let item = Item::Shard(TASK);
        vault
            .append(JOB, item, 0, entry.sealed_bytes(), bytes)
            .unwrap();
        vault.keep(JOB, item).unwrap();
        assert_eq!(incoming.held(vault, TASK, entry), 0, "nobody was told");
        assert_eq!(resume(&started, &sent, 100), Ok(1));
        assert_eq!(resume(&started, &sent, 100), Ok(0), "it is here");
    }

    #[test]
    fn what_is_left_damaged_is_dropped_and_its_owner_sends_all_of_it() {
        let sent = shard();
        let bytes = &sent.1;
        let folder = tempfile::tempdir().unwrap();
        let started = start(folder.path());
        let path = folder.path().join(hex::encode(JOB.0)).join("shards");
        fs::create_dir_all(&path).unwrap();
        let zeros = vec![0; bytes.len()];
        fs::write(path.join(TASK.to_string()).with_extension("part"), zeros).unwrap();
        assert_eq!(resume(&started, &sent, 100), Ok(1));
    }

    #[test]
    fn a_shard_that_is_another_one_is_refused_and_not_here() {
        let (mut entry, bytes) = shard();
        entry.chunk_root = Digest([9; 32]);
        let folder = tempfile::tempdir().unwrap();
        let started = start(folder.path());
        let (vault, incoming) = &started;
        for _ in 0..2 {
            let refused = resume(&started, &(entry, bytes.clone()), 100);
            assert_eq!(refused, Err(ApiError::WrongShard { task: TASK }));
            assert_eq!(incoming.held(vault, TASK, &entry), 0);
            assert_eq!(vault.bytes(), 0);
        }
        assert!(incoming.is_missing(TASK) && !incoming.is_complete());
    }

    #[test]
    fn a_small_shard_is_handed_out_from_memory_and_another_piece_for_its_place_is_not() {
        let (entry, bytes) = shard();
        let folder = tempfile::tempdir().unwrap();
        let (vault, incoming) = start(folder.path());
        let (item, total) = (Item::Shard(TASK), entry.sealed_bytes());
        // Its bytes are on disk when a piece with others comes.
        vault.append(JOB, item, 0, total, &bytes).unwrap();
        vault.keep(JOB, item).unwrap();
        let other = vec![9; bytes.len()];
        incoming.take(&vault, (TASK, &entry), 0, &other).unwrap();
        let read = || vault.read_exactly(JOB, item, bytes.len());
        assert_eq!(read().unwrap(), bytes);
        let path = folder.path().join(hex::encode(JOB.0)).join("shards");
        fs::remove_file(path.join(TASK.to_string())).unwrap();
        assert!(read().is_err(), "it was on disk alone");

        let (vault, incoming) = start(folder.path());
        incoming.take(&vault, (TASK, &entry), 0, &bytes).unwrap();
        fs::remove_file(path.join(TASK.to_string())).unwrap();
        let read = || vault.read_exactly(JOB, item, bytes.len());
        assert_eq!(read().unwrap(), bytes);
        vault.erase_inputs(JOB).unwrap();
        assert!(read().is_err(), "the job is over");
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
