//! What pieces there are of a store: public, and checked against the root that the chain has.

use super::layout::{LayoutError, Plan};
use codec::{DecodeAll as _, Encode};
use quern_primitives::{
    Digest,
    custody::{Offer, PieceEntry, ShortProof},
    ids::PieceIndex,
    job::Salt,
    limits::PIECES_PER_CONTRACT_MAX,
    merkle::{Tree, leaf},
};

/// The only version there is.
const VERSION: u8 = 1;

/// Bytes of the longest list: 79 for each piece, and what is before them.
const LIST_BYTES_MAX: usize = 32 + 79 * PIECES_PER_CONTRACT_MAX as usize;

/// Why bytes are no list of pieces, or not that of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// They are longer than any list.
    #[error(
        "a list of pieces has at most {LIST_BYTES_MAX} bytes, not {found}; take the right file"
    )]
    TooLong {
        /// How many bytes there are.
        found: usize,
    },
    /// They are no list.
    #[error("these bytes are no list of pieces; take the right file, or ask another masternode")]
    Malformed,
    /// A version that this program does not know.
    #[error("the list of pieces has version {found}, this program knows {VERSION}; update it")]
    Version {
        /// The version.
        found: u8,
    },
    /// What it says of shards and stripes cannot be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// An entry is not what its place in the plan demands.
    #[error(
        "piece {piece} of the list is not at its place, or of another length; ask another masternode"
    )]
    Entry {
        /// Its place.
        piece: PieceIndex,
    },
    /// It is not the list that the contract names.
    #[error(
        "the contract names {expected}, and the list is that of {found}; ask another masternode"
    )]
    OtherRoot {
        /// The root on the chain.
        expected: Digest,
        /// The root of the list.
        found: Digest,
    },
}

/// The pieces of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceList {
    plan: Plan,
    entries: Vec<PieceEntry>,
}

impl PieceList {
    /// The list of pieces with these roots, in their order.
    pub fn new(plan: Plan, roots: &[Digest]) -> Result<Self, ListError> {
        let entries = (0..).zip(roots).map(|(piece, chunk_root)| PieceEntry {
            version: PieceEntry::VERSION,
            piece,
            chunk_root: *chunk_root,
            bytes: plan.piece_bytes(piece).unwrap_or_default(),
            audit_root: Digest::default(),
            audit_depth: 0,
        });
        let list = Self {
            plan,
            entries: entries.collect(),
        };
        list.check()?;
        Ok(list)
    }

    /// Reads a list that anybody may have made.
    pub fn decode(bytes: &[u8]) -> Result<Self, ListError> {
        let found = bytes.len();
        if found > LIST_BYTES_MAX {
            return Err(ListError::TooLong { found });
        }
        let (version, rest) = bytes.split_first().ok_or(ListError::Malformed)?;
        if *version != VERSION {
            return Err(ListError::Version { found: *version });
        }
        let mut rest = rest;
        let (plan, entries) =
            <(Plan, Vec<PieceEntry>)>::decode_all(&mut rest).map_err(|_| ListError::Malformed)?;
        let list = Self { plan, entries };
        list.check()?;
        Ok(list)
    }

    /// The list as bytes.
    pub fn encode(&self) -> Vec<u8> {
        (VERSION, self.plan, &self.entries).encode()
    }

    fn check(&self) -> Result<(), ListError> {
        self.plan.check()?;
        let expected = (0..self.plan.pieces()).map(|piece| (piece, self.plan.piece_bytes(piece)));
        let mut found = self.entries.iter();
        for (piece, bytes) in expected {
            let is_right = found.next().is_some_and(|entry| {
                entry.version == PieceEntry::VERSION
                    && entry.piece == piece
                    && Some(entry.bytes) == bytes
            });
            if !is_right {
                return Err(ListError::Entry { piece });
            }
        }
        match found.next() {
            None => Ok(()),
            Some(_) => Err(ListError::Entry {
                piece: self.plan.pieces(),
            }),
        }
    }

    /// That this is the list over which a contract has this root.
    pub fn check_root(&self, expected: &Digest) -> Result<(), ListError> {
        let (expected, found) = (*expected, self.tree().root());
        match expected == found {
            true => Ok(()),
            false => Err(ListError::OtherRoot { expected, found }),
        }
    }

    /// How the folder was divided.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What a contract says of each piece.
    pub fn entries(&self) -> &[PieceEntry] {
        &self.entries
    }

    fn tree(&self) -> Tree {
        let leaves = (0..).zip(&self.entries);
        Tree::from_leaves(
            leaves
                .map(|(piece, entry)| leaf(piece, &entry.encode()))
                .collect(),
        )
    }

    /// The path from a piece's entry to the contract's root; none if there is no such piece.
    pub fn path(&self, piece: PieceIndex) -> Option<ShortProof> {
        self.tree().proof(piece)?.try_into().ok()
    }

    /// What the chain is offered.
    pub fn offer(&self, salt: Salt, periods: u32) -> Offer {
        Offer {
            salt,
            pieces_root: self.tree().root(),
            pieces: self.plan.pieces(),
            copies: self.plan.layout().copies(),
            periods,
        }
    }
}
