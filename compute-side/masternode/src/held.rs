//! Holds what a device shows of a shard to the shard that is here.
//!
//! That reads the drawn chunks and no more. Before a device is told that it shows something else, all of the shard is
//! held to its root, for its file may have been damaged since it was checked: then it is this masternode that is wrong.

use crate::{
    core::Shown,
    vault::{Item, Vault},
};
use quern_primitives::Digest;
use quern_shards::held::{HELD_CHUNKS_MAX, Showing};
use std::{io, ops::Range};

/// Bytes of a shard that is read at once, for all of its chunks are shown.
const READ_AT_ONCE_MAX: u64 = HELD_CHUNKS_MAX as u64 * quern_shards::chunks::CHUNK_BYTES as u64;

/// What there is to what a device shows. Reads files.
pub(crate) fn look(vault: &Vault, showing: &Showing, shown: &Digest) -> Shown {
    let (job, task) = (showing.job, showing.task);
    let unreadable = |error: io::Error| {
        tracing::error!(%job, task, %error, "a shard cannot be read; restore its file");
        Shown::Unreadable
    };
    match answer(vault, showing) {
        Ok(answer) if answer == *shown => Shown::Right,
        Ok(_) => match vault.chunk_root(job, Item::Shard(task)) {
            Ok(root) if root == showing.root => Shown::Wrong,
            Ok(_) => {
                tracing::error!(%job, task, "a shard is damaged; restore its file");
                Shown::Unreadable
            }
            Err(error) => unreadable(error),
        },
        Err(error) => unreadable(error),
    }
}

/// What a device is to show that has the shard.
fn answer(vault: &Vault, showing: &Showing) -> io::Result<Digest> {
    let item = Item::Shard(showing.task);
    let too_large = |_| io::Error::from(io::ErrorKind::InvalidInput);
    if showing.sealed_bytes <= READ_AT_ONCE_MAX {
        let bytes = usize::try_from(showing.sealed_bytes).map_err(too_large)?;
        let sealed = vault.read_exactly(showing.job, item, bytes)?;
        return showing.answer_of(&sealed).map_err(io::Error::other);
    }
    showing.answer(|Range { start, end }| {
        let length = usize::try_from(end.saturating_sub(start)).map_err(too_large)?;
        let bytes = vault.read(showing.job, item, start, length)?;
        match bytes.len() == length {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{DeviceId, GenesisHash, JobId};
    use quern_shards::chunks::{CHUNK_BYTES, chunk_root};
    use std::fs;
    use tempfile::TempDir;

    const JOB: JobId = JobId([1; 32]);
    const TASK: u32 = 3;

    fn shard(bytes: usize) -> Vec<u8> {
        let byte = |i: usize| ((i.wrapping_mul(i) >> 7) ^ i) as u8;
        (0..bytes).map(byte).collect()
    }

    /// A vault with a shard, which is to be shown.
    fn with(sealed: &[u8]) -> (TempDir, Vault, Showing) {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), u64::MAX).unwrap();
        let (item, bytes) = (Item::Shard(TASK), sealed.len() as u64);
        vault.append(JOB, item, 0, bytes, sealed).unwrap();
        vault.keep(JOB, item).unwrap();
        let showing = Showing {
            genesis: GenesisHash([2; 32]),
            job: JOB,
            task: TASK,
            replica: 1,
            device: DeviceId([4; 32]),
            log_position: 77,
            root: chunk_root(sealed),
            sealed_bytes: bytes,
        };
        (folder, vault, showing)
    }

    #[test]
    fn who_has_the_shard_shows_it_however_large_it_is() {
        for bytes in [1, 300, 4_096, 32_768, 32_769, 200_000] {
            let sealed = shard(bytes);
            let (_folder, vault, showing) = with(&sealed);
            let shown = showing.answer_of(&sealed).unwrap();
            assert_eq!(look(&vault, &showing, &shown), Shown::Right, "{bytes}");
        }
    }

    #[test]
    fn who_does_not_have_the_shard_is_found_out() {
        for bytes in [300, 200_000] {
            let sealed = shard(bytes);
            let (_folder, vault, showing) = with(&sealed);
            let zeros = showing.answer_of(&vec![0; bytes]).unwrap();
            // What another device showed, it saw beforehand, or the shard's own name is no answer.
            let of_another = Showing {
                device: DeviceId([5; 32]),
                ..showing
            };
            let earlier = Showing {
                log_position: 76,
                ..showing
            };
            let of_another = of_another.answer_of(&sealed).unwrap();
            let earlier = earlier.answer_of(&sealed).unwrap();
            for shown in [zeros, of_another, earlier, showing.root, Digest::default()] {
                assert_eq!(look(&vault, &showing, &shown), Shown::Wrong);
            }
        }
    }

    #[test]
    fn no_device_is_at_fault_for_a_shard_that_is_damaged_here() {
        for bytes in [3 * CHUNK_BYTES, 200_000] {
            let sealed = shard(bytes);
            let (folder, vault, showing) = with(&sealed);
            let shown = showing.answer_of(&sealed).unwrap();
            let path = folder.path().join(hex::encode(JOB.0)).join("shards/3");
            let (_, drawn) = showing.chunks().pop().unwrap();
            let mut damaged = sealed.clone();
            damaged[drawn.start as usize] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(look(&vault, &showing, &shown), Shown::Unreadable);
            fs::write(&path, &sealed[..drawn.start as usize]).unwrap();
            assert_eq!(look(&vault, &showing, &shown), Shown::Unreadable);
            fs::remove_file(&path).unwrap();
            assert_eq!(look(&vault, &showing, &shown), Shown::Unreadable);
        }
    }
}
