//! The Merkle tree over a sealed thing's bytes, and the one over a job's shards.
//!
//! A sealed thing is seen as chunks of [`CHUNK_BYTES`], the last one shorter. The root over them,
//! its *chunk root*, is what receipts and manifest name it by, and a chunk with its proof can be
//! checked alone. Chunks are small so that an answer to a custody challenge is: 4 KiB and at most
//! 14 hashes for any result, where 64 KiB would fill a block with thirty of them. The hashing of
//! nodes then costs 5 % beside that of the bytes.

use quern_primitives::{
    Digest,
    merkle::{Proof, Tree, leaf},
};
use std::io::{self, Read};

pub use quern_primitives::merkle::CHUNK_BYTES;

/// The number of chunks of a sealed thing.
pub fn chunk_count(sealed_bytes: u64) -> u64 {
    sealed_bytes.div_ceil(CHUNK_BYTES as u64)
}

/// The chunk root of sealed bytes that are all at hand.
pub fn chunk_root(sealed: &[u8]) -> Digest {
    ChunkTree::of(sealed).root()
}

/// The Merkle root over the chunk roots of a job's shards, in order; on the chain it stands for
/// the job's whole input.
pub fn shards_root<'a>(chunk_roots: impl IntoIterator<Item = &'a Digest>) -> Digest {
    Tree::new(chunk_roots).root()
}

/// Builds a chunk tree from bytes that come in stretches of any length. Holds less than one chunk
/// and 32 bytes for each chunk passed.
#[derive(Clone, Debug, Default)]
pub struct ChunkHasher {
    partial: Vec<u8>,
    leaves: Vec<Digest>,
    next: u32,
}

impl ChunkHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A hasher that has seen nothing, with room for all leaves over so many bytes and for the chunk
    /// that is not full, so that taking them allocates nothing. Whoever calls has bounded them.
    pub(crate) fn for_bytes(bytes: u64) -> Self {
        let leaves = usize::try_from(chunk_count(bytes)).unwrap_or_default();
        Self {
            partial: Vec::with_capacity(CHUNK_BYTES),
            leaves: Vec::with_capacity(leaves),
            next: 0,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        if !self.partial.is_empty() {
            let missing = (CHUNK_BYTES - self.partial.len()).min(bytes.len());
            let (first, rest) = bytes.split_at(missing);
            self.partial.extend_from_slice(first);
            bytes = rest;
            if self.partial.len() < CHUNK_BYTES {
                return;
            }
            self.add(leaf(self.next, &self.partial));
            self.partial.clear();
        }
        let (chunks, rest) = bytes.as_chunks::<CHUNK_BYTES>();
        for chunk in chunks {
            self.add(leaf(self.next, chunk));
        }
        self.partial.extend_from_slice(rest);
    }

    /// The tree over all bytes taken.
    pub fn finish(mut self) -> ChunkTree {
        if !self.partial.is_empty() {
            self.add(leaf(self.next, &self.partial));
        }
        ChunkTree(Tree::from_leaves(self.leaves))
    }

    fn add(&mut self, leaf: Digest) {
        self.leaves.push(leaf);
        // Sealed things are bounded far below 2^32 chunks (16 TiB).
        self.next += 1;
    }
}

/// Passes a sealed thing on as it is read, and hashes it while it is in the cache: whoever opens it out
/// of this knows at its end whether it was the one under a chunk root. Holds what [`ChunkHasher`] holds.
#[derive(Debug)]
pub struct HashingReader<R> {
    input: R,
    chunks: ChunkHasher,
}

impl<R: Read> HashingReader<R> {
    /// Nothing is read yet.
    pub fn new(input: R) -> Self {
        let chunks = ChunkHasher::new();
        Self { input, chunks }
    }

    /// The tree over all bytes that were read.
    pub fn finish(self) -> ChunkTree {
        self.chunks.finish()
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(out)?;
        let (bytes, _) = out.split_at(read.min(out.len()));
        self.chunks.update(bytes);
        Ok(read)
    }
}

/// The tree over a sealed thing's chunks, from which proofs can be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkTree(Tree);

impl ChunkTree {
    /// The tree over bytes that are all at hand.
    pub fn of(sealed: &[u8]) -> Self {
        let mut hasher = ChunkHasher::new();
        hasher.update(sealed);
        hasher.finish()
    }

    /// The chunk root.
    pub fn root(&self) -> Digest {
        self.0.root()
    }

    /// The number of chunks.
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// The proof for one chunk, if there is one at this index.
    pub fn proof(&self, index: u32) -> Option<Proof> {
        self.0.proof(index)
    }
}

/// Bytes are not the chunk they are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The proof is for a tree of another size.
    #[error("the proof is for {found} chunks where the shard has {expected}; ask another source")]
    Count {
        /// Chunks that follow from the sealed length.
        expected: u64,
        /// Chunks of the proof's tree.
        found: u32,
    },
    /// The chunk is too short or too long for its place.
    #[error("the chunk has {found} bytes where {expected} belong; ask another source")]
    Length {
        /// Bytes that follow from the sealed length and the chunk's place.
        expected: u64,
        /// Bytes given.
        found: usize,
    },
    /// The proof does not lead to the root.
    #[error("the chunk is not under the root; ask another source")]
    NotUnderRoot,
}

/// Checks that `chunk` is the one at the proof's index of the sealed thing with this root and
/// length.
pub fn check_chunk(
    root: &Digest,
    sealed_bytes: u64,
    proof: &Proof,
    chunk: &[u8],
) -> Result<(), ChunkError> {
    let expected = chunk_count(sealed_bytes);
    if u64::from(proof.count) != expected {
        return Err(ChunkError::Count {
            expected,
            found: proof.count,
        });
    }
    let start = u64::from(proof.index) * CHUNK_BYTES as u64;
    let expected = sealed_bytes.saturating_sub(start).min(CHUNK_BYTES as u64);
    if chunk.len() as u64 != expected {
        return Err(ChunkError::Length {
            expected,
            found: chunk.len(),
        });
    }
    if proof.holds(root, chunk) {
        Ok(())
    } else {
        Err(ChunkError::NotUnderRoot)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::patterned;
    use proptest::prelude::*;

    #[test]
    fn every_chunk_is_proved_by_its_own_proof_and_no_other() {
        for length in [
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            5 * CHUNK_BYTES + 77,
        ] {
            let sealed = patterned(length);
            let tree = ChunkTree::of(&sealed);
            let (root, total) = (tree.root(), length as u64);
            assert_eq!(u64::from(tree.count()), chunk_count(total));
            for (index, chunk) in (0..).zip(sealed.chunks(CHUNK_BYTES)) {
                let proof = tree.proof(index).unwrap();
                assert_eq!(check_chunk(&root, total, &proof, chunk), Ok(()));
                let mut altered = chunk.to_vec();
                altered[0] ^= 1;
                let refused = check_chunk(&root, total, &proof, &altered);
                assert_eq!(refused, Err(ChunkError::NotUnderRoot));
                let elsewhere = Proof {
                    index: index ^ 1,
                    ..proof.clone()
                };
                assert!(check_chunk(&root, total, &elsewhere, chunk).is_err());
            }
        }
    }

    #[test]
    fn a_chunk_or_tree_of_another_size_is_refused_by_name() {
        let sealed = patterned(2 * CHUNK_BYTES + 10);
        let (tree, total) = (ChunkTree::of(&sealed), sealed.len() as u64);
        let last = tree.proof(2).unwrap();
        assert_eq!(
            check_chunk(&tree.root(), total, &last, &sealed[2 * CHUNK_BYTES..][..9]),
            Err(ChunkError::Length {
                expected: 10,
                found: 9
            })
        );
        let forged = Proof { count: 4, ..last };
        assert_eq!(
            check_chunk(&tree.root(), total, &forged, &sealed[2 * CHUNK_BYTES..]),
            Err(ChunkError::Count {
                expected: 3,
                found: 4
            })
        );
    }

    #[test]
    fn what_is_read_through_the_hasher_is_what_came_and_has_its_root() {
        let sealed = patterned(3 * CHUNK_BYTES + 77);
        let (first, rest) = sealed.split_at(CHUNK_BYTES + 1);
        let mut reader = HashingReader::new(first.chain(rest));
        let mut passed = Vec::new();
        reader.by_ref().take(5).read_to_end(&mut passed).unwrap();
        reader.read_to_end(&mut passed).unwrap();
        assert_eq!(passed, sealed);
        assert_eq!(reader.finish(), ChunkTree::of(&sealed));
    }

    proptest! {
        #[test]
        fn the_root_does_not_depend_on_how_the_bytes_arrive(
            length in 0usize..20_000, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = patterned(length);
            let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
            places.extend([0, length]);
            places.sort_unstable();
            let mut hasher = ChunkHasher::new();
            for pair in places.windows(2) {
                hasher.update(&bytes[pair[0]..pair[1]]);
            }
            let plain = Tree::new(bytes.chunks(CHUNK_BYTES));
            prop_assert_eq!(hasher.finish().root(), plain.root());
            prop_assert_eq!(chunk_root(&bytes), plain.root());
        }
    }
}
