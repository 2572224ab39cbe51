//! Proofs for many chunks at once: a *span* is 64 chunks side by side that have a node of their own.

use super::{Tree, climb, leaf, root};
use crate::ids::Digest;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

#[cfg(test)]
mod tests;

/// Bytes of a chunk, which is what a leaf holds where a tree is over the bytes of one thing; the last
/// may be shorter.
pub const CHUNK_BYTES: usize = 4096;

/// Levels between a leaf and the node over its span.
const SPAN_LEVELS: u32 = 6;

/// Chunks of a span; the last may have fewer.
pub const SPAN_CHUNKS: u32 = 1 << SPAN_LEVELS;

/// Bytes of a span, 256 KiB; the last may be shorter.
pub const SPAN_BYTES: usize = CHUNK_BYTES << SPAN_LEVELS;

/// Hashes in the longest proof of a span: a tree has at most 2^32 leaves.
pub const SPAN_PROOF_HASHES_MAX: u32 = 32 - SPAN_LEVELS;

/// That some bytes are the chunks of one span of a tree with a known root.
///
/// Span `i` has the chunks from `64 × i`, so its node is one of the tree's own, and siblings are needed
/// from there upwards only. That node is computed from the leaves, and leaves have their index in them:
/// no other span's bytes lead to the root.
///
/// ```
/// use quern_primitives::merkle::{CHUNK_BYTES, SPAN_BYTES, Tree};
/// let bytes = vec![7; SPAN_BYTES + 5];
/// let tree = Tree::new(bytes.chunks(CHUNK_BYTES));
/// let proof = tree.span_proof(1).expect("there is a second span");
/// assert!(proof.holds(&tree.root(), &[7; 5]));
/// assert!(!proof.holds(&tree.root(), &[7; 4]));
/// ```
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct SpanProof {
    /// The span's place.
    pub span: u32,
    /// The tree's number of chunks.
    pub count: u32,
    /// The nodes beside the path from the span's node to the top, lowest first; exactly as many as span
    /// and count demand.
    pub siblings: BoundedVec<Digest, ConstU32<SPAN_PROOF_HASHES_MAX>>,
}

impl SpanProof {
    /// Whether `bytes` are this proof's span under `expected`: all of it, and not a byte more. Who knows
    /// how many bytes the whole thing has compares `count` with it as well.
    pub fn holds(&self, expected: &Digest, bytes: &[u8]) -> bool {
        self.root_over(bytes).is_some_and(|root| root == *expected)
    }

    /// The root under which `bytes` are this proof's span; none if there is no such span, if it has
    /// another number of chunks, or if there are not as many siblings as it demands.
    pub fn root_over(&self, bytes: &[u8]) -> Option<Digest> {
        let first = self.span.checked_mul(SPAN_CHUNKS)?;
        let end = first.saturating_add(SPAN_CHUNKS).min(self.count);
        let chunks = end.checked_sub(first).filter(|chunks| *chunks > 0)?;
        // Only the last chunk of all may be short.
        let is_as_long = if end == self.count {
            bytes.len().div_ceil(CHUNK_BYTES) == chunks as usize
        } else {
            bytes.len() == SPAN_BYTES
        };
        if !is_as_long {
            return None;
        }
        let leaves = (first..end).zip(bytes.chunks(CHUNK_BYTES));
        let leaves = leaves.map(|(index, chunk)| leaf(index, chunk)).collect();
        // An aligned span has a tree of its own below its node, with the same rule for odd nodes.
        let over = Tree::from_leaves(leaves).top();
        let spans = self.count.div_ceil(SPAN_CHUNKS);
        let top = climb(over, self.span, spans, &self.siblings)?;
        Some(root(self.count, &top))
    }
}

impl Tree {
    /// The proof for a span, if there is one at this place. It holds for the span's bytes if the leaves
    /// hold chunks of [`CHUNK_BYTES`].
    pub fn span_proof(&self, span: u32) -> Option<SpanProof> {
        let count = self.count();
        if span >= count.div_ceil(SPAN_CHUNKS) {
            return None;
        }
        let siblings = self.siblings(SPAN_LEVELS as usize, span);
        Some(SpanProof {
            span,
            count,
            siblings: siblings.try_into().ok()?,
        })
    }
}
