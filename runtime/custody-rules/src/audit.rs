//! Private audits: an owner asks for scattered bytes, and the holder shows that it has them without the owner
//! keeping them.
//!
//! Before it hands a piece out the owner makes a number of audits, hashes for each what the answer will be, and
//! commits to the tree over these hashes. The holder gets the leaves and not the audits. Later it is sent an
//! audit, reads the bytes, and answers with the *pre-leaf*, of which a leaf is the hash, and the leaf's path.
//! Each audit serves once, in the order of the tree.
//!
//! An owner may have committed to anything, so a missed audit proves nothing: it is a ground to open a public
//! [`challenge`](crate::challenge), at the owner's own risk.

use crate::proof::{self, ProofError};
use alloc::vec::Vec;
use core::fmt;
use quern_primitives::{
    custody::{Audit, AuditAnswer, PieceEntry},
    hash::{number, sha256},
    ids::Digest,
    limits::{AUDIT_DEPTH_MAX, AUDIT_SECTIONS_MAX, SECTION_BYTES_MAX},
    merkle::Tree,
};
use sha2::{Digest as _, Sha256};

/// Why an audit asks for nothing that a piece has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditError {
    /// It has no section, or more than [`AUDIT_SECTIONS_MAX`].
    Sections {
        /// How many.
        found: u16,
    },
    /// A section has no bytes, or more than [`SECTION_BYTES_MAX`].
    SectionBytes {
        /// How many.
        found: u8,
    },
    /// The piece is shorter than a section.
    Piece {
        /// Its bytes.
        bytes: u64,
    },
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sections { found } => write!(
                f,
                "the audit has {found} sections; ask for 1 to {AUDIT_SECTIONS_MAX}"
            ),
            Self::SectionBytes { found } => write!(
                f,
                "a section has {found} bytes; ask for 1 to {SECTION_BYTES_MAX}"
            ),
            Self::Piece { bytes } => write!(
                f,
                "the piece has {bytes} bytes; ask for sections that are no longer"
            ),
        }
    }
}

impl core::error::Error for AuditError {}

/// Where the sections of an audit begin in a piece of so many bytes. They are scattered over all places at
/// which a section fits, and may overlap.
pub fn sections(audit: &Audit, piece_bytes: u64) -> Result<Vec<u64>, AuditError> {
    let Audit {
        seed,
        sections,
        section_bytes,
        ..
    } = *audit;
    if !(1..=AUDIT_SECTIONS_MAX).contains(&sections) {
        return Err(AuditError::Sections { found: sections });
    }
    if !(1..=SECTION_BYTES_MAX).contains(&section_bytes) {
        return Err(AuditError::SectionBytes {
            found: section_bytes,
        });
    }
    let too_short = AuditError::Piece { bytes: piece_bytes };
    let last = piece_bytes
        .checked_sub(section_bytes.into())
        .ok_or(too_short)?;
    let places = last.saturating_add(1);
    let start = |section: u32| {
        let number = number(&[b"quern/mask/1", &seed, &section.to_le_bytes()]);
        number.checked_rem(places)
    };
    let starts: Option<Vec<u64>> = (0..sections.into()).map(start).collect();
    starts.ok_or(too_short)
}

/// Hashes what an audit asks for, section by section in their order.
#[derive(Clone, Debug)]
pub struct PreLeaf(Sha256);

impl PreLeaf {
    /// Of no sections yet.
    pub fn new(audit: &Audit) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"quern/pre-leaf/1");
        hasher.update(audit.salt);
        Self(hasher)
    }

    /// Takes the next section.
    pub fn section(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// The pre-leaf.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The pre-leaf of an audit over a piece that is all at hand.
pub fn pre_leaf(audit: &Audit, piece: &[u8]) -> Result<Digest, AuditError> {
    let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
    let too_short = AuditError::Piece { bytes };
    let mut hash = PreLeaf::new(audit);
    for start in sections(audit, bytes)? {
        let start = usize::try_from(start).ok();
        let end = start.and_then(|it| it.checked_add(audit.section_bytes.into()));
        let section = start
            .zip(end)
            .and_then(|(start, end)| piece.get(start..end))
            .ok_or(too_short)?;
        hash = hash.section(section);
    }
    Ok(hash.finish())
}

/// What the holder is given of an audit, and the tree is over.
pub fn leaf(pre_leaf: &Digest) -> Digest {
    Digest(sha256(&[b"quern/challenge-leaf/1", &pre_leaf.0]))
}

/// The tree over the leaves of a piece's audits, from which the holder draws its proofs.
pub fn tree(leaves: impl IntoIterator<Item = Digest>) -> Tree {
    Tree::new(leaves)
}

/// How often so many leaves are halved until one is left, rounded up. Root and depth are what is committed
/// to; the root holds the number itself.
pub fn depth(leaves: u32) -> u8 {
    let above = leaves.checked_next_power_of_two();
    let depth = above.map_or(u32::BITS, u32::trailing_zeros);
    u8::try_from(depth).unwrap_or(u8::MAX)
}

/// Why an answer to an audit is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAnswerError {
    /// The tree has not the depth that was committed to, or more levels than there may be.
    Depth {
        /// What was committed to.
        expected: u8,
        /// What follows from the proof's number of leaves.
        found: u8,
    },
    /// The pre-leaf is not that of this audit.
    Proof(ProofError),
}

impl fmt::Display for AuditAnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth { expected, found } => write!(
                f,
                "the proof's tree has {found} levels where {expected} were committed to, of at most \
                 {AUDIT_DEPTH_MAX}; draw it from the tree that the owner sent"
            ),
            Self::Proof(_) => f.write_str(
                "the answer is not that of this audit; open a public challenge if the piece should be \
                 there",
            ),
        }
    }
}

impl core::error::Error for AuditAnswerError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Depth { .. } => None,
            Self::Proof(source) => Some(source),
        }
    }
}

/// Whether this answers the audit at place `index` of a piece. Who asks counts the places: each serves once.
pub fn check(entry: &PieceEntry, index: u32, answer: &AuditAnswer) -> Result<(), AuditAnswerError> {
    let AuditAnswer { pre_leaf, proof } = answer;
    // The root holds the number of leaves, so the proof's is as good as any until the root is compared.
    let found = depth(proof.count);
    if found != entry.audit_depth || found > AUDIT_DEPTH_MAX {
        return Err(AuditAnswerError::Depth {
            expected: entry.audit_depth,
            found,
        });
    }
    let leaf = leaf(pre_leaf);
    proof::check(proof, index, proof.count, &entry.audit_root, &leaf.0)
        .map_err(AuditAnswerError::Proof)
}

#[cfg(test)]
mod tests;
