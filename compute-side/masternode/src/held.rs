//! Holds what a device shows of a shard to the shard that is here.
//!
//! That reads the drawn chunks and no more. Before a device is told that it shows something else, all of the shard is
//! held to its root, for its file may have been damaged since it was checked: then it is this masternode that is wrong.

use crate::{
    core::Shown,
    vault::{Item, Vault},
};
use quern_depot::GetError;
use quern_primitives::Digest;
use quern_shards::{
    chunks::chunk_root,
    held::{HELD_CHUNKS_MAX, Showing},
};
use std::{collections::BTreeMap, error::Error, ops::Range};

/// Bytes of a shard that is read at once, for all of its chunks are shown.
const READ_AT_ONCE_MAX: u64 = HELD_CHUNKS_MAX as u64 * quern_shards::chunks::CHUNK_BYTES as u64;

/// What there is to what a device shows. Reads of the depot.
pub(crate) async fn look(vault: &Vault, showing: &Showing, shown: &Digest) -> Shown {
    let (job, task) = (showing.job, showing.task);
    let unreadable = |error: GetError| {
        let error = &error as &dyn Error;
        tracing::error!(%job, task, error, "a shard cannot be read; restore its file");
        Shown::Unreadable
    };
    match answer(vault, showing).await {
        Ok(answer) if answer == Some(*shown) => Shown::Right,
        Ok(_) => match all(vault, showing).await {
            Ok(sealed) if chunk_root(&sealed) == showing.root => Shown::Wrong,
            Ok(_) => {
                tracing::error!(%job, task, "a shard is damaged; restore its file");
                Shown::Unreadable
            }
            Err(error) => unreadable(error),
        },
        Err(error) => unreadable(error),
    }
}

/// All of the shard.
async fn all(vault: &Vault, showing: &Showing) -> Result<Vec<u8>, GetError> {
    let item = Item::Shard(showing.task);
    vault
        .read_exactly(showing.job, item, showing.sealed_bytes)
        .await
}

/// What a device is to show that has the shard. None if the shard that is here has another length.
async fn answer(vault: &Vault, showing: &Showing) -> Result<Option<Digest>, GetError> {
    if showing.sealed_bytes <= READ_AT_ONCE_MAX {
        let sealed = all(vault, showing).await?;
        return Ok(showing.answer_of(&sealed).ok());
    }
    let item = Item::Shard(showing.task);
    let mut read = BTreeMap::new();
    for (_, span) in showing.chunks() {
        let bytes = vault.read(showing.job, item, span.clone()).await?;
        read.insert(span.start, bytes);
    }
    let found = |span: Range<u64>| read.get(&span.start).ok_or(());
    Ok(showing.answer(found).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::vault::{JOBS, tests::vault_in};
    use quern_primitives::{DeviceId, GenesisHash, JobId};
    use quern_shards::chunks::CHUNK_BYTES;
    use std::fs;
    use tempfile::TempDir;

    const JOB: JobId = JobId([1; 32]);
    const TASK: u32 = 3;

    fn shard(bytes: usize) -> Vec<u8> {
        let byte = |i: usize| ((i.wrapping_mul(i) >> 7) ^ i) as u8;
        (0..bytes).map(byte).collect()
    }

    /// A vault with a shard, which is to be shown.
    async fn with(sealed: &[u8]) -> (TempDir, Vault, Showing) {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault_in(folder.path(), u64::MAX).await;
        let bytes = sealed.len() as u64;
        let content = sealed.to_vec().into();
        vault.put(JOB, Item::Shard(TASK), content).await.unwrap();
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

    #[tokio::test]
    async fn who_has_the_shard_shows_it_however_large_it_is() {
        for bytes in [1, 300, 4_096, 32_768, 32_769, 200_000] {
            let sealed = shard(bytes);
            let (_folder, vault, showing) = with(&sealed).await;
            let shown = showing.answer_of(&sealed).unwrap();
            assert_eq!(
                look(&vault, &showing, &shown).await,
                Shown::Right,
                "{bytes}"
            );
        }
    }

    #[tokio::test]
    async fn who_does_not_have_the_shard_is_found_out() {
        for bytes in [300, 200_000] {
            let sealed = shard(bytes);
            let (_folder, vault, showing) = with(&sealed).await;
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
                assert_eq!(look(&vault, &showing, &shown).await, Shown::Wrong);
            }
        }
    }

    #[tokio::test]
    async fn no_device_is_at_fault_for_a_shard_that_is_damaged_here() {
        for bytes in [3 * CHUNK_BYTES, 200_000] {
            let sealed = shard(bytes);
            let (folder, vault, showing) = with(&sealed).await;
            let shown = showing.answer_of(&sealed).unwrap();
            let job = folder.path().join(JOBS).join(hex::encode(JOB.0));
            let path = job.join("shards/3");
            let (_, drawn) = showing.chunks().pop().unwrap();
            let mut damaged = sealed.clone();
            damaged[drawn.start as usize] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(look(&vault, &showing, &shown).await, Shown::Unreadable);
            fs::write(&path, &sealed[..drawn.start as usize]).unwrap();
            assert_eq!(look(&vault, &showing, &shown).await, Shown::Unreadable);
            fs::remove_file(&path).unwrap();
            assert_eq!(look(&vault, &showing, &shown).await, Shown::Unreadable);
        }
    }
}
