//! What shows a masternode that a device has the sealed shard of a task that it was given: a hash over a few of its
//! chunks, which are drawn anew for each replica that is given out.
//!
//! The hashes of chunks are no secret: whoever shows a chunk shows its neighbours' hashes with it. So the chunks' bytes
//! are hashed here, behind a seed that nobody knows before the replica is given out. Nothing that was computed of the
//! shard beforehand helps, and one answer is of no use for another device, replica, or place in the log. The masternode
//! has the shard too and computes the same, so 32 bytes are sent for each task, and no chunk.
//!
//! It shows that whoever answered had these chunks. It shows nothing of the others, nor that they are still there a
//! moment later, nor that the device has them itself and not somebody whom it asks; and it shows it to the masternode
//! alone.

use quern_primitives::{
    DeviceId, Digest, GenesisHash, JobId, TaskIndex, draw::Draw, hash::sha256, ids::ReplicaIndex,
    merkle::CHUNK_BYTES,
};
use std::ops::Range;

/// Chunks of a shard that are shown, of one that has more: who has none of it is found out always, who has half of it
/// 255 times in 256, and who has nine tenths of it 57 times in 100.
pub const HELD_CHUNKS_MAX: u32 = 8;

/// Which chunks are shown. Of a shard with 9 chunks about 17 numbers are needed; that 256 are not enough happens once in
/// 10^26 times.
const CHUNKS: Draw<'_> = Draw {
    tag: b"quern/held-chunk/1",
    most: HELD_CHUNKS_MAX,
    draws_max: 256,
};

/// A replica that was given to a device, which is to show that it has the sealed shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Showing {
    /// The chain.
    pub genesis: GenesisHash,
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device.
    pub device: DeviceId,
    /// The place of the assignment in the job's log.
    pub log_position: u64,
    /// The chunk root of the sealed shard.
    pub root: Digest,
    /// Its length.
    pub sealed_bytes: u64,
}

/// A shard has another length than the one that is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shard has {found} bytes where {expected} belong; fetch it again")]
pub struct OtherLength {
    /// Bytes that belong there.
    pub expected: u64,
    /// Bytes that were given.
    pub found: u64,
}

impl Showing {
    /// The chunks that are to be shown, each with the place of its bytes in the sealed shard: all of a shard that has
    /// no more than [`HELD_CHUNKS_MAX`], else as many different ones, in the order in which they are drawn.
    pub fn chunks(&self) -> Vec<(u32, Range<u64>)> {
        let chunk_bytes = CHUNK_BYTES as u64;
        let count = self.sealed_bytes.div_ceil(chunk_bytes);
        let drawn = CHUNKS.different(&self.seed(), u32::try_from(count).unwrap_or(u32::MAX));
        let span = |chunk: u32| {
            let start = u64::from(chunk).saturating_mul(chunk_bytes);
            let end = start.saturating_add(chunk_bytes).min(self.sealed_bytes);
            (chunk, start..end)
        };
        drawn.into_iter().map(span).collect()
    }

    /// What shows them, of a shard whose chunks are read one by one. Each is to have exactly the bytes of its place.
    ///
    /// # Errors
    ///
    /// The first that reading gives.
    pub fn answer<B: AsRef<[u8]>, E>(
        &self,
        mut read: impl FnMut(Range<u64>) -> Result<B, E>,
    ) -> Result<Digest, E> {
        let chunks = self.chunks().into_iter();
        let chunks = chunks.map(|(chunk, span)| Ok((chunk.to_le_bytes(), read(span)?)));
        let chunks = chunks.collect::<Result<Vec<_>, E>>()?;
        let seed = self.seed();
        let mut parts: Vec<&[u8]> = vec![b"quern/held-answer/1", &seed.0];
        for (chunk, bytes) in &chunks {
            parts.extend([chunk.as_slice(), bytes.as_ref()]);
        }
        Ok(Digest(sha256(&parts)))
    }

    /// What shows them, of a shard that is all at hand.
    ///
    /// # Errors
    ///
    /// When it has another length than the one that is to be shown.
    pub fn answer_of(&self, sealed: &[u8]) -> Result<Digest, OtherLength> {
        let other_length = || OtherLength {
            expected: self.sealed_bytes,
            found: sealed.len() as u64,
        };
        if sealed.len() as u64 != self.sealed_bytes {
            return Err(other_length());
        }
        self.answer(|span| {
            let place = |at| usize::try_from(at).map_err(|_| other_length());
            let span = place(span.start)?..place(span.end)?;
            sealed.get(span).ok_or_else(other_length)
        })
    }

    /// What draws and answer follow from.
    fn seed(&self) -> Digest {
        Digest(sha256(&[
            b"quern/held-shard/1",
            &self.genesis.0,
            &self.job.0,
            &self.task.to_le_bytes(),
            &self.replica.to_le_bytes(),
            &self.device.0,
            &self.log_position.to_le_bytes(),
            &self.root.0,
            &self.sealed_bytes.to_le_bytes(),
        ]))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::chunks::{ChunkTree, chunk_root};
    use quern_primitives::merkle::leaf;
    use std::collections::BTreeSet;

    fn shard(bytes: usize) -> Vec<u8> {
        let byte = |i: usize| ((i.wrapping_mul(i) >> 7) ^ i) as u8;
        (0..bytes).map(byte).collect()
    }

    fn showing(sealed: &[u8]) -> Showing {
        Showing {
            genesis: GenesisHash([1; 32]),
            job: JobId([2; 32]),
            task: 3,
            replica: 1,
            device: DeviceId([4; 32]),
            log_position: 77,
            root: chunk_root(sealed),
            sealed_bytes: sealed.len() as u64,
        }
    }

    #[test]
    fn eight_chunks_are_drawn_and_all_of_a_small_shard() {
        for bytes in [0, 1, 4_096, 4_097, 30_000, 32_768, 32_769, 200_000] {
            let sealed = shard(bytes);
            let chunks = showing(&sealed).chunks();
            let count = bytes.div_ceil(CHUNK_BYTES);
            assert_eq!(chunks.len(), count.min(8), "of {bytes} bytes");
            let different: BTreeSet<_> = chunks.iter().map(|(chunk, _)| *chunk).collect();
            assert_eq!(different.len(), chunks.len());
            for (chunk, span) in chunks {
                let expected = sealed.chunks(CHUNK_BYTES).nth(chunk as usize).unwrap();
                let (start, end) = (span.start as usize, span.end as usize);
                assert_eq!(&sealed[start..end], expected);
            }
        }
    }

    #[test]
    fn whoever_reads_chunk_by_chunk_answers_as_who_has_it_all() {
        let sealed = shard(123_456);
        let showing = showing(&sealed);
        let read = |span: Range<u64>| {
            let bytes = &sealed[span.start as usize..span.end as usize];
            Ok::<_, std::io::Error>(bytes.to_vec())
        };
        let answer = showing.answer_of(&sealed).unwrap();
        assert_eq!(showing.answer(read).unwrap(), answer);
        let failed = showing.answer(|_| Err::<Vec<u8>, _>("no disk"));
        assert_eq!(failed, Err("no disk"));
    }

    #[test]
    fn a_shard_of_another_length_is_refused() {
        let sealed = shard(10_000);
        for found in [0, 9_999, 10_001] {
            let refused = showing(&sealed).answer_of(&shard(found));
            let expected = OtherLength {
                expected: 10_000,
                found: found as u64,
            };
            assert_eq!(refused, Err(expected));
        }
    }

    #[test]
    fn every_other_byte_of_what_is_shown_makes_another_answer() {
        let sealed = shard(20_000);
        let showing = showing(&sealed);
        let answer = showing.answer_of(&sealed).unwrap();
        for place in [0, 4_095, 4_096, 12_345, 19_999] {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_ne!(showing.answer_of(&altered).unwrap(), answer, "{place}");
        }
    }

    #[test]
    fn one_answer_is_of_no_use_elsewhere() {
        let sealed = shard(200_000);
        let own = showing(&sealed);
        let others = [
            Showing {
                genesis: GenesisHash([9; 32]),
                ..own
            },
            Showing {
                job: JobId([9; 32]),
                ..own
            },
            Showing { task: 4, ..own },
            Showing { replica: 2, ..own },
            Showing {
                device: DeviceId([9; 32]),
                ..own
            },
            Showing {
                log_position: 78,
                ..own
            },
            Showing {
                root: Digest([9; 32]),
                ..own
            },
        ];
        for other in others {
            assert_ne!(own.chunks(), other.chunks(), "{other:?}");
            assert_ne!(own.answer_of(&sealed), other.answer_of(&sealed));
        }
    }

    #[test]
    fn who_has_the_hashes_of_all_chunks_and_no_chunk_cannot_answer() {
        let sealed = shard(200_000);
        let showing = showing(&sealed);
        let answer = showing.answer_of(&sealed).unwrap();
        let hashes: Vec<_> = (0..)
            .zip(sealed.chunks(CHUNK_BYTES))
            .map(|(chunk, bytes)| leaf(chunk, bytes))
            .collect();
        let of_hashes = |span: Range<u64>| {
            let hash = hashes[span.start as usize / CHUNK_BYTES];
            Ok::<_, std::io::Error>(hash.0)
        };
        assert_ne!(showing.answer(of_hashes).unwrap(), answer);
        // The hashes are the tree's own all the same, and prove each chunk to who has it.
        assert_eq!(ChunkTree::of(&sealed).root(), showing.root);
    }

    #[test]
    fn who_lacks_half_of_a_shard_is_found_out_nearly_always() {
        let sealed = shard(64 * CHUNK_BYTES);
        let mut half = sealed.clone();
        half[32 * CHUNK_BYTES..].fill(0);
        let passes = (0..1_000).filter(|log_position| {
            let showing = Showing {
                log_position: *log_position,
                ..showing(&sealed)
            };
            showing.answer_of(&half) == showing.answer_of(&sealed)
        });
        // 32 over 8 of 64 over 8, once in 421 times.
        assert!(passes.count() <= 10);
    }
}
