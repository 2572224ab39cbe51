//! Whether something is at its place of a tree. What the place is, and how many there are, the one who asks
//! knows; a proof that says otherwise is refused by name.

use core::fmt;
use quern_primitives::{custody::ShortProof, ids::Digest};

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// It is for another place.
    Index {
        /// The place that was asked for.
        expected: u32,
        /// The proof's.
        found: u32,
    },
    /// It is for a tree of another size.
    Count {
        /// Leaves that there are.
        expected: u32,
        /// The proof's.
        found: u32,
    },
    /// It has hashes left over, or too few, or its place is none of the tree.
    Siblings {
        /// So many it has.
        found: u32,
    },
    /// It leads to another root.
    NotUnderRoot,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { expected, found } => {
                write!(f, "the proof is for place {found}; show place {expected}")
            }
            Self::Count { expected, found } => write!(
                f,
                "the proof is for a tree of {found} leaves, and there are {expected}; draw it from the \
                 whole tree"
            ),
            Self::Siblings { found } => write!(
                f,
                "{found} hashes do not lead from this place to the top; give exactly those beside the \
                 path"
            ),
            Self::NotUnderRoot => {
                f.write_str("the proof leads to another root; show what was committed to")
            }
        }
    }
}

impl core::error::Error for ProofError {}

/// Whether `data` are the leaf at place `index` of `count` under a root. What costs no hashing is looked at
/// first, so a proof never costs more than one in a tree of `count` leaves.
pub fn check(
    proof: &ShortProof,
    index: u32,
    count: u32,
    root: &Digest,
    data: &[u8],
) -> Result<(), ProofError> {
    if proof.index != index {
        return Err(ProofError::Index {
            expected: index,
            found: proof.index,
        });
    }
    if proof.count != count {
        return Err(ProofError::Count {
            expected: count,
            found: proof.count,
        });
    }
    let found = u32::try_from(proof.siblings.len()).unwrap_or(u32::MAX);
    match proof.root_over(data) {
        None => Err(ProofError::Siblings { found }),
        Some(over) if over != *root => Err(ProofError::NotUnderRoot),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::merkle::Tree;
    use std::vec::Vec;

    const COUNT: u32 = 11;

    fn tree() -> Tree {
        Tree::new((0..COUNT).map(|leaf| leaf.to_be_bytes()))
    }

    fn proof(tree: &Tree, index: u32) -> ShortProof {
        tree.proof(index).unwrap().try_into().unwrap()
    }

    fn checked(proof: &ShortProof, index: u32) -> Result<(), ProofError> {
        check(proof, index, COUNT, &tree().root(), &index.to_be_bytes())
    }

    #[test]
    fn each_leaf_is_at_its_own_place_alone() {
        for index in 0..COUNT {
            let own = proof(&tree(), index);
            for asked in 0..COUNT {
                let expected = match asked == index {
                    true => Ok(()),
                    false => Err(ProofError::Index {
                        expected: asked,
                        found: index,
                    }),
                };
                assert_eq!(checked(&own, asked), expected);
            }
        }
    }

    #[test]
    fn a_forged_place_count_or_path_is_refused_by_name() {
        for index in 0..COUNT {
            let own = proof(&tree(), index);
            let length = own.siblings.len() as u32;
            let siblings = |found| Err(ProofError::Siblings { found });
            for other in (0..COUNT).filter(|other| *other != index) {
                let moved = ShortProof {
                    index,
                    ..proof(&tree(), other)
                };
                let refused = checked(&moved, index);
                let is_named = refused == siblings(moved.siblings.len() as u32)
                    || refused == Err(ProofError::NotUnderRoot);
                assert!(is_named, "{refused:?}");
            }
            for found in [0, 1, COUNT - 1, COUNT + 1, u32::MAX] {
                let forged = ShortProof {
                    count: found,
                    ..own.clone()
                };
                let refused = Err(ProofError::Count {
                    expected: COUNT,
                    found,
                });
                assert_eq!(checked(&forged, index), refused);
            }
            let mut longer = own.clone();
            longer.siblings.try_push(Digest::default()).unwrap();
            assert_eq!(checked(&longer, index), siblings(length + 1));
            let mut shorter = own.clone();
            shorter.siblings.pop();
            assert_eq!(checked(&shorter, index), siblings(length - 1));
            for at in 0..own.siblings.len() {
                let mut changed: Vec<_> = own.siblings.to_vec();
                changed[at].0[31] ^= 1;
                let changed = ShortProof {
                    siblings: changed.try_into().unwrap(),
                    ..own.clone()
                };
                assert_eq!(checked(&changed, index), Err(ProofError::NotUnderRoot));
            }
        }
    }

    #[test]
    fn another_tree_of_the_same_size_is_under_no_root_but_its_own() {
        let other = Tree::new((0..COUNT).map(|leaf| (leaf + 1).to_be_bytes()));
        for index in 0..COUNT {
            let refused = check(
                &proof(&other, index),
                index,
                COUNT,
                &tree().root(),
                &(index + 1).to_be_bytes(),
            );
            assert_eq!(refused, Err(ProofError::NotUnderRoot));
        }
    }

    #[test]
    fn a_tree_without_leaves_has_no_place() {
        let none = ShortProof {
            index: 0,
            count: 0,
            siblings: Default::default(),
        };
        let refused = check(&none, 0, 0, &Tree::from_leaves(Vec::new()).root(), b"");
        assert_eq!(refused, Err(ProofError::Siblings { found: 0 }));
    }
}
