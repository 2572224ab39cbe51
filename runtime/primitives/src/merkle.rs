//! Merkle trees in which leaves, nodes and roots cannot be confused.
//!
//! A leaf is `SHA-256(0x00 ‖ index ‖ data)`, a node `SHA-256(0x01 ‖ left ‖ right)`, and the root
//! `SHA-256(0x02 ‖ count ‖ top node)`, index and count as 4 bytes little-endian. A node without a
//! right neighbour moves up unchanged. The index is inside the leaf and the count inside the root,
//! so a proof holds for one place in one tree of one size, and its length follows from both.

use crate::{hash::sha256, ids::Digest};
use alloc::{vec, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

mod span;

pub use span::{CHUNK_BYTES, SPAN_BYTES, SPAN_CHUNKS, SPAN_PROOF_HASHES_MAX, SpanProof};

/// Hashes in the longest proof: a tree has at most 2^32 leaves.
pub const PROOF_HASHES_MAX: usize = 32;

const LEAF: u8 = 0;
const NODE: u8 = 1;
const ROOT: u8 = 2;

/// The hash of the leaf that holds `data` at `index`.
pub fn leaf(index: u32, data: &[u8]) -> Digest {
    Digest(sha256(&[&[LEAF], &index.to_le_bytes(), data]))
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest(sha256(&[&[NODE], &left.0, &right.0]))
}

fn root(count: u32, top: &Digest) -> Digest {
    Digest(sha256(&[&[ROOT], &count.to_le_bytes(), &top.0]))
}

/// The node at the end of the way up from the one at `place` of a level of `width` nodes; `None` when
/// there are too few or too many siblings for it.
fn climb(from: Digest, place: u32, width: u32, siblings: &[Digest]) -> Option<Digest> {
    let mut siblings = siblings.iter();
    let (mut place, mut width) = (place, width);
    let mut hash = from;
    while width > 1 {
        let is_alone = place == width.saturating_sub(1) && place % 2 == 0;
        if !is_alone {
            let sibling = siblings.next()?;
            hash = if place % 2 == 0 {
                node(&hash, sibling)
            } else {
                node(sibling, &hash)
            };
        }
        place /= 2;
        width = width.div_ceil(2);
    }
    siblings.next().is_none().then_some(hash)
}

/// A tree over all of its leaves, kept so that proofs can be drawn from it.
///
/// ```
/// use quern_primitives::merkle::{Tree, leaf};
/// let tree = Tree::new([&b"first"[..], b"second", b"third"]);
/// let proof = tree.proof(2).expect("there is a third leaf");
/// assert!(proof.holds(&tree.root(), b"third"));
/// assert!(!proof.holds(&tree.root(), b"first"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Leaves first, the single top node last; of an empty tree one empty level.
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// A tree whose leaves hold these data, in order. At most 2^32 - 1 leaves.
    pub fn new<D: AsRef<[u8]>>(data: impl IntoIterator<Item = D>) -> Self {
        let leaves = (0..)
            .zip(data)
            .map(|(index, data)| leaf(index, data.as_ref()))
            .collect();
        Self::from_leaves(leaves)
    }

    /// A tree over leaves already hashed with [`leaf`], each with its own index.
    pub fn from_leaves(leaves: Vec<Digest>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node(left, right),
                    [alone, ..] => *alone,
                    [] => Digest::default(),
                })
                .collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// Number of leaves.
    pub fn count(&self) -> u32 {
        let leaves = self.levels.first().map_or(0, Vec::len);
        u32::try_from(leaves).unwrap_or(u32::MAX)
    }

    /// The root. An empty tree's is the hash of a zero count over a zero node; no proof holds
    /// against it.
    pub fn root(&self) -> Digest {
        root(self.count(), &self.top())
    }

    fn top(&self) -> Digest {
        let top = self.levels.last().and_then(|level| level.first());
        top.copied().unwrap_or_default()
    }

    /// The proof for the leaf at `index`, if there is one.
    pub fn proof(&self, index: u32) -> Option<Proof> {
        let count = self.count();
        if index >= count {
            return None;
        }
        Some(Proof {
            index,
            count,
            siblings: self.siblings(0, index),
        })
    }

    /// The nodes beside the way up from the one at `place` of a level, lowest first.
    fn siblings(&self, level: usize, place: u32) -> Vec<Digest> {
        let mut place = place as usize;
        let mut siblings = Vec::new();
        for level in self.levels.iter().skip(level) {
            siblings.extend(level.get(place ^ 1).filter(|_| level.len() > 1));
            place /= 2;
        }
        siblings
    }
}

/// That some data are the leaf at one index of a tree with a known root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Proof {
    /// The leaf's place, less than `count`.
    pub index: u32,
    /// The tree's number of leaves.
    pub count: u32,
    /// The nodes beside the path from leaf to top, lowest first; exactly as many as index and
    /// count demand.
    pub siblings: Vec<Digest>,
}

impl MaxEncodedLen for Proof {
    fn max_encoded_len() -> usize {
        4 + 4 + 1 + 32 * PROOF_HASHES_MAX
    }
}

impl Proof {
    /// Whether `data` are the leaf at this proof's index under `expected`.
    pub fn holds(&self, expected: &Digest, data: &[u8]) -> bool {
        self.root_over(data).is_some_and(|root| root == *expected)
    }

    /// The root under which `data` are the leaf at this proof's index; none if there is no such place, or
    /// not as many siblings as it demands.
    pub fn root_over(&self, data: &[u8]) -> Option<Digest> {
        if self.index >= self.count {
            return None;
        }
        let top = climb(
            leaf(self.index, data),
            self.index,
            self.count,
            &self.siblings,
        )?;
        Some(root(self.count, &top))
    }
}

/// A tree that is built leaf by leaf and kept as the few nodes from which its root follows.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Frontier {
    count: u32,
    /// The tops of the full trees side by side, largest first: one for each bit of the count.
    tops: BoundedVec<Digest, ConstU32<{ PROOF_HASHES_MAX as u32 }>>,
}

impl Frontier {
    /// Number of leaves.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Appends the leaf that holds `data`; false if the tree is full, and then nothing changes.
    pub fn push(&mut self, data: &[u8]) -> bool {
        let Some(count) = self.count.checked_add(1) else {
            return false;
        };
        let mut top = leaf(self.count, data);
        // Two trees of one size become one.
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.tops.pop() {
                top = node(&left, &top);
            }
        }
        self.count = count;
        self.tops.try_push(top).is_ok()
    }

    /// The root, as [`Tree::root`] has it for the same leaves.
    pub fn root(&self) -> Digest {
        let tops = self.tops.iter().rev().copied();
        let top = tops.reduce(|right, left| node(&left, &right));
        root(self.count, &top.unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree_of(count: u32) -> Tree {
        Tree::new((0..count).map(|i| i.to_be_bytes()))
    }

    #[test]
    fn a_proof_holds_for_its_leaf_and_no_other() {
        for count in 1..70 {
            let tree = tree_of(count);
            for index in 0..count {
                let proof = tree.proof(index).unwrap();
                for candidate in 0..count {
                    assert_eq!(
                        proof.holds(&tree.root(), &candidate.to_be_bytes()),
                        candidate == index,
                        "{candidate} of {count} against the proof of {index}"
                    );
                }
            }
            assert_eq!(tree.proof(count), None);
        }
    }

    #[test]
    fn the_empty_tree_proves_nothing() {
        let tree = tree_of(0);
        let forged = Proof {
            index: 0,
            count: 0,
            siblings: vec![],
        };
        assert_eq!(tree.proof(0), None);
        assert!(!forged.holds(&tree.root(), b""));
    }

    #[test]
    fn a_tree_built_leaf_by_leaf_has_the_same_root() {
        let mut frontier = Frontier::default();
        for count in 0..300 {
            assert_eq!(frontier.root(), tree_of(count).root(), "{count}");
            assert_eq!(frontier.count(), count);
            assert!(frontier.push(&count.to_be_bytes()));
        }
    }

    #[test]
    fn a_node_cannot_stand_for_a_leaf() {
        let tree = tree_of(4);
        let inner = tree.levels[1].clone();
        let as_leaf: Vec<u8> = [inner[0].0, inner[1].0].concat();
        for count in 1..5 {
            for index in 0..count {
                let forged = Proof {
                    index,
                    count,
                    siblings: vec![],
                };
                assert!(!forged.holds(&tree.root(), &as_leaf));
            }
        }
    }

    proptest! {
        #[test]
        fn a_changed_proof_does_not_hold(
            count in 1u32..200, pick: prop::sample::Index, what in 0..5, byte: prop::sample::Index,
        ) {
            let tree = tree_of(count);
            let index = pick.index(count as usize) as u32;
            let mut proof = tree.proof(index).unwrap();
            match what {
                0 => proof.index = proof.index.wrapping_add(1),
                1 => proof.count += 1,
                2 => proof.siblings.push(Digest::default()),
                3 => if proof.siblings.pop().is_none() { return Ok(()) },
                _ => match proof.siblings.len() {
                    0 => return Ok(()),
                    n => proof.siblings[byte.index(n)].0[0] ^= 1,
                },
            }
            prop_assert!(!proof.holds(&tree.root(), &index.to_be_bytes()));
        }

        #[test]
        fn random_proofs_never_panic_nor_hold(
            index: u32, count: u32, siblings in prop::collection::vec(any::<[u8; 32]>(), 0..40),
        ) {
            let siblings = siblings.into_iter().map(Digest).collect();
            let forged = Proof { index, count, siblings };
            prop_assert!(!forged.holds(&tree_of(9).root(), b"x"));
        }

        #[test]
        fn an_independent_library_builds_the_same_tree(count in 1u32..130) {
            #[derive(Clone)]
            struct Rules;
            impl rs_merkle::Hasher for Rules {
                type Hash = [u8; 32];
                fn hash(data: &[u8]) -> [u8; 32] {
                    sha256(&[data])
                }
                fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
                    match right {
                        Some(right) => node(&Digest(*left), &Digest(*right)).0,
                        None => *left,
                    }
                }
            }
            let tree = tree_of(count);
            let leaves: Vec<_> = tree.levels[0].iter().map(|digest| digest.0).collect();
            let other = rs_merkle::MerkleTree::<Rules>::from_leaves(&leaves);
            prop_assert_eq!(root(count, &Digest(other.root().unwrap())), tree.root());
        }
    }
}
