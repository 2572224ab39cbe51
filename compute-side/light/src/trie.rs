//! Proofs of the state. The state after a block is a trie of keys and values, of which each node is
//! named by its hash; the header has that of the root. A proof is the nodes on the way to a value, or
//! to where it would be.
//!
//! The form of the nodes is the SDK's (`sp-trie`), both of its versions. It is read here and not by the
//! SDK's own crate, because that one brings along what serves its metrics over a network.

use crate::{
    limits::{TRIE_BYTES_MAX, TRIE_NODE_BYTES_MAX, TRIE_NODES_MAX},
    reading::{self, Malformed, hash},
};
use codec::{Compact, Decode};
use std::collections::BTreeMap;

mod walk;

pub use walk::Stretch;

/// Nodes of the state's trie under one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrieProof {
    root: [u8; 32],
    nodes: BTreeMap<[u8; 32], Vec<u8>>,
}

/// Why nodes prove nothing of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieFault {
    /// There are too many.
    #[error("the proof has {nodes} nodes, which is more than {most}; ask for fewer values at once")]
    TooMany {
        /// How many there are.
        nodes: usize,
        /// How many there may be.
        most: usize,
    },
    /// They are too long.
    #[error("the proof's nodes have more than {most} bytes; ask for fewer values at once")]
    TooLong {
        /// How many bytes they may have.
        most: usize,
    },
    /// One is there twice.
    #[error("the proof has a node twice; fetch it again")]
    Twice,
    /// The root is not among them.
    #[error("the proof is one of another state than the header's; fetch both again")]
    OtherState,
}

/// Why a proof does not tell what is at a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// A node that leads to it is not there.
    #[error("the proof does not lead to this value; ask for one that does")]
    Missing,
    /// A node does not read.
    #[error("a node of the state does not read: {what}")]
    Node {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The value is not what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// There are more values than are read at once.
    #[error("the state has more than {most} values there; ask for fewer at once")]
    TooMany {
        /// How many are read.
        most: usize,
    },
}

impl TrieProof {
    /// Nodes of the state with this root, in any order.
    pub fn new(
        root: [u8; 32],
        nodes: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, TrieFault> {
        let (mut by_hash, mut bytes) = (BTreeMap::new(), 0_usize);
        for node in nodes {
            bytes = bytes.saturating_add(node.len());
            if node.len() > TRIE_NODE_BYTES_MAX || bytes > TRIE_BYTES_MAX {
                return Err(TrieFault::TooLong {
                    most: TRIE_BYTES_MAX,
                });
            }
            if by_hash.insert(hash(&node), node).is_some() {
                return Err(TrieFault::Twice);
            }
            if by_hash.len() > TRIE_NODES_MAX {
                return Err(TrieFault::TooMany {
                    nodes: by_hash.len(),
                    most: TRIE_NODES_MAX,
                });
            }
        }
        if !by_hash.contains_key(&root) {
            return Err(TrieFault::OtherState);
        }
        Ok(Self {
            root,
            nodes: by_hash,
        })
    }

    /// What is at a key; `None` if the state has nothing there.
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, ValueFault> {
        let path: Vec<u8> = key
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 0x0f])
            .collect();
        let (mut node, mut rest) = (self.node(&self.root)?, &path[..]);
        loop {
            let Node {
                partial,
                value,
                children,
            } = Node::read(node)?;
            let Some(behind) = rest.strip_prefix(&partial[..]) else {
                return Ok(None);
            };
            let Some((step, behind)) = behind.split_first() else {
                return self.value_of(value);
            };
            let child = children.into_iter().find(|(place, _)| place == step);
            let Some((_, child)) = child else {
                return Ok(None);
            };
            node = match child {
                Child::Inline(node) => node,
                Child::Hash(hash) => self.node(&hash)?,
            };
            rest = behind;
        }
    }

    /// What is at a key, read as what it is; `None` if the state has nothing there.
    pub fn value<T: Decode>(&self, key: &[u8]) -> Result<Option<T>, ValueFault> {
        let Some(bytes) = self.get(key)? else {
            return Ok(None);
        };
        let value = reading::whole("the value", bytes, TRIE_NODE_BYTES_MAX)?;
        Ok(Some(value))
    }

    fn node(&self, hash: &[u8; 32]) -> Result<&[u8], ValueFault> {
        let node = self.nodes.get(hash).ok_or(ValueFault::Missing)?;
        Ok(node)
    }

    fn value_of<'a>(&'a self, value: Option<Held<'a>>) -> Result<Option<&'a [u8]>, ValueFault> {
        match value {
            None => Ok(None),
            Some(Held::Inline(bytes)) => Ok(Some(bytes)),
            Some(Held::Hash(hash)) => self.node(&hash).map(Some),
        }
    }
}

/// A value: the bytes themselves, or their hash, and then they are a node of their own.
enum Held<'a> {
    Inline(&'a [u8]),
    Hash([u8; 32]),
}

/// The node at the next step: the bytes themselves where they are few, or their hash.
enum Child<'a> {
    Inline(&'a [u8]),
    Hash([u8; 32]),
}

/// A node: a piece of the key, in half bytes, the value whose key ends there, and those whose keys go
/// on, by their next half byte.
struct Node<'a> {
    partial: Vec<u8>,
    value: Option<Held<'a>>,
    children: Vec<(u8, Child<'a>)>,
}

/// What the first byte of a node says that it is, beside the length of its piece of the key.
#[derive(Clone, Copy)]
struct Kind {
    is_branch: bool,
    has_value: bool,
    value_is_hashed: bool,
    /// Bits of the first byte that say all this; the others begin the length.
    bits: u32,
}

impl Kind {
    fn of(first: u8) -> Option<Self> {
        let kind = |is_branch, has_value, value_is_hashed, bits| Self {
            is_branch,
            has_value,
            value_is_hashed,
            bits,
        };
        match first {
            0b0100_0000..=0b0111_1111 => Some(kind(false, true, false, 2)),
            0b1000_0000..=0b1011_1111 => Some(kind(true, false, false, 2)),
            0b1100_0000..=0b1111_1111 => Some(kind(true, true, false, 2)),
            0b0010_0000..=0b0011_1111 => Some(kind(false, true, true, 3)),
            0b0001_0000..=0b0001_1111 => Some(kind(true, true, true, 4)),
            0..=0b0000_1111 => None,
        }
    }
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ValueFault> {
        // The trie of no values has one node.
        if bytes == [0] {
            return Ok(Self {
                partial: Vec::new(),
                value: None,
                children: Vec::new(),
            });
        }
        let mut rest = bytes;
        let first = take_byte(&mut rest)?;
        let kind = Kind::of(first).ok_or(ValueFault::Node {
            what: "it is of an unknown kind",
        })?;
        let partial = take_partial(&mut rest, first, kind.bits)?;
        let places = match kind.is_branch {
            true => u16::from_le_bytes(take_array(&mut rest)?),
            false => 0,
        };
        let value = match (kind.has_value, kind.value_is_hashed) {
            (false, _) => None,
            (true, false) => Some(Held::Inline(take_counted(&mut rest)?)),
            (true, true) => Some(Held::Hash(take_array(&mut rest)?)),
        };
        let mut children = Vec::new();
        for place in 0..16_u8 {
            if places.checked_shr(u32::from(place)).unwrap_or(0) & 1 == 0 {
                continue;
            }
            let child = take_counted(&mut rest)?;
            let child = match <[u8; 32]>::try_from(child) {
                Ok(hash) => Child::Hash(hash),
                Err(_) => Child::Inline(child),
            };
            children.push((place, child));
        }
        Ok(Self {
            partial,
            value,
            children,
        })
    }
}

const CUT: ValueFault = ValueFault::Node {
    what: "it is cut off",
};

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], ValueFault> {
    let (taken, behind) = rest.split_at_checked(count).ok_or(CUT)?;
    *rest = behind;
    Ok(taken)
}

fn take_byte(rest: &mut &[u8]) -> Result<u8, ValueFault> {
    let [byte] = take_array(rest)?;
    Ok(byte)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ValueFault> {
    let (taken, behind) = rest.split_first_chunk::<N>().ok_or(CUT)?;
    *rest = behind;
    Ok(*taken)
}

/// Bytes behind their number.
fn take_counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ValueFault> {
    let Compact(count) = Compact::<u32>::decode(rest).map_err(|_| CUT)?;
    take(rest, usize::try_from(count).map_err(|_| CUT)?)
}

/// A node's piece of the key. Its length begins in the first byte, and goes on in those behind as
/// long as they are full.
fn take_partial(rest: &mut &[u8], first: u8, bits: u32) -> Result<Vec<u8>, ValueFault> {
    let full = u8::MAX.checked_shr(bits).unwrap_or(0);
    let mut count = usize::from(first & full);
    if count == usize::from(full) {
        count = count.saturating_sub(1);
        loop {
            let more = take_byte(rest)?;
            count = count.saturating_add(usize::from(more));
            if more < u8::MAX {
                count = count.saturating_add(1);
                break;
            }
        }
    }
    let bytes = take(rest, count.div_ceil(2))?;
    let mut halves: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .collect();
    // Of an odd number the first half byte fills up and is none of them.
    if halves.len() > count && halves.remove(0) != 0 {
        return Err(ValueFault::Node {
            what: "its key is not filled up with zeros",
        });
    }
    Ok(halves)
}

#[allow(clippy::unwrap_used)]
#[cfg(test)]
pub(crate) mod tests;
