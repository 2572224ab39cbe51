//! A contract that says of a piece what its own root contradicts. The root over the chunks holds their number,
//! and the last chunk holds its bytes; so whoever received the piece can show that the length is another than
//! the contract's. Then nobody can be asked to hold it, and nobody is at fault but the owner.
//!
//! That the bytes somebody received have another *root* shows nothing of the owner, who may not have sent
//! them. Such bytes are not taken: without consent there is no challenge.

use core::fmt;
use quern_primitives::{
    custody::{PieceEntry, piece_chunks},
    merkle::{SPAN_BYTES, SpanProof},
};

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The root is over another number of chunks than there are in so many bytes.
    Chunks {
        /// Chunks of the bytes that the entry tells of; none if no piece has as many bytes.
        told: Option<u32>,
        /// Chunks under the root.
        rooted: u32,
    },
    /// The last span under the root has more or fewer bytes than are left for it.
    Bytes {
        /// What is left for it of the bytes that the entry tells of.
        told: u64,
        /// What it has.
        rooted: u64,
    },
}

/// Why bytes show nothing of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMismatch {
    /// They are no span under the entry's root.
    NotUnderRoot,
    /// They fit what the entry says.
    Fits,
}

impl fmt::Display for NoMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUnderRoot => {
                "the bytes are no span under the piece's root; do not take the piece"
            }
            Self::Fits => "the bytes fit what the contract says of the piece; show its last span",
        })
    }
}

impl core::error::Error for NoMismatch {}

/// What a span under an entry's root shows to be wrong with the entry.
pub fn mismatch(
    entry: &PieceEntry,
    span: &SpanProof,
    shown: &[u8],
) -> Result<Mismatch, NoMismatch> {
    if !span.holds(&entry.chunk_root, shown) {
        return Err(NoMismatch::NotUnderRoot);
    }
    let told = piece_chunks(entry.bytes);
    if told != Some(span.count) {
        let rooted = span.count;
        return Ok(Mismatch::Chunks { told, rooted });
    }
    let before = u64::from(span.span).checked_mul(SPAN_BYTES as u64);
    let left = before.and_then(|before| entry.bytes.checked_sub(before));
    let told = left.unwrap_or_default().min(SPAN_BYTES as u64);
    let rooted = u64::try_from(shown.len()).unwrap_or(u64::MAX);
    match told == rooted {
        true => Err(NoMismatch::Fits),
        false => Ok(Mismatch::Bytes { told, rooted }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{
        ids::Digest,
        merkle::{CHUNK_BYTES, Tree},
    };
    use std::vec::Vec;

    fn piece(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| (((at * at) >> 7) ^ at) as u8).collect()
    }

    fn entry(piece: &[u8]) -> (PieceEntry, Tree) {
        let tree = Tree::new(piece.chunks(CHUNK_BYTES));
        let entry = PieceEntry {
            version: PieceEntry::VERSION,
            piece: 0,
            chunk_root: tree.root(),
            bytes: piece.len() as u64,
            audit_root: Digest::default(),
            audit_depth: 0,
        };
        (entry, tree)
    }

    #[test]
    fn of_a_true_entry_no_span_shows_a_mismatch() {
        for bytes in [
            1,
            CHUNK_BYTES,
            SPAN_BYTES,
            SPAN_BYTES + 1,
            2 * SPAN_BYTES + 5_000,
        ] {
            let piece = piece(bytes);
            let (entry, tree) = entry(&piece);
            for (index, span) in (0..).zip(piece.chunks(SPAN_BYTES)) {
                let proof = tree.span_proof(index).unwrap();
                assert_eq!(mismatch(&entry, &proof, span), Err(NoMismatch::Fits));
                let other = &span[1..];
                let refused = mismatch(&entry, &proof, other);
                assert_eq!(refused, Err(NoMismatch::NotUnderRoot));
            }
        }
    }

    #[test]
    fn a_length_that_is_not_the_roots_is_shown_by_the_last_span() {
        let bytes = SPAN_BYTES + 5_000;
        let piece = piece(bytes);
        let (entry, tree) = entry(&piece);
        let last = tree.span_proof(1).unwrap();
        let told = |bytes| mismatch(&PieceEntry { bytes, ..entry }, &last, &piece[SPAN_BYTES..]);
        let rooted = 5_000;
        for wrong in [SPAN_BYTES + 4_999, SPAN_BYTES + 5_001, SPAN_BYTES + 8_192] {
            let told_bytes = (wrong - SPAN_BYTES) as u64;
            let expected = Mismatch::Bytes {
                told: told_bytes,
                rooted,
            };
            assert_eq!(told(wrong as u64), Ok(expected));
        }
        let rooted = 66;
        for (wrong, chunks) in [
            (0, None),
            (1, Some(1)),
            (SPAN_BYTES as u64 + 8_193, Some(67)),
        ] {
            let expected = Mismatch::Chunks {
                told: chunks,
                rooted,
            };
            assert_eq!(told(wrong), Ok(expected));
        }
        assert_eq!(told(bytes as u64), Err(NoMismatch::Fits));
    }
}
