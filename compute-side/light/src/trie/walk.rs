//! Proofs that nothing was left out. That a value is in the state is proven by the nodes that lead to it;
//! that there are no others is proven by walking over all nodes between two keys: each is there, or the
//! proof is refused.

use super::{Child, Node, TrieProof, ValueFault};
use crate::{keys::Key, limits::TRIE_NODES_MAX};

/// Nodes that are looked at in one walk: each of the proof, and those within others, of which a node has
/// sixteen at most and few have any.
const VISITS_MAX: usize = 4 * TRIE_NODES_MAX;

/// Half bytes of a key, of 512 bytes. The longest that are walked over are hashes of a few names and things
/// of 32 bytes.
const KEY_HALVES_MAX: usize = 1_024;

/// A stretch of the keys that begin alike, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch<'a> {
    /// With what they begin.
    pub prefix: &'a [u8],
    /// The stretch begins behind this key; with the first one if there is none.
    pub after: Option<&'a [u8]>,
    /// It ends with this key; with the last one if there is none.
    pub up_to: Option<&'a [u8]>,
}

/// A stretch in half bytes, as the trie goes.
struct Bounds {
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
    up_to: Option<Vec<u8>>,
}

impl Bounds {
    fn of(stretch: &Stretch<'_>) -> Self {
        Self {
            prefix: halves(stretch.prefix),
            after: stretch.after.map(halves),
            up_to: stretch.up_to.map(halves),
        }
    }

    /// Whether some key that begins with this path may be in the stretch.
    fn may_have(&self, path: &[u8]) -> bool {
        let begins_alike = path.starts_with(&self.prefix) || self.prefix.starts_with(path);
        // What is before a key and does not lead to it leads to nothing behind it.
        let is_behind = |after: &Vec<u8>| path > after.as_slice() || after.starts_with(path);
        let is_within = |up_to: &Vec<u8>| path <= up_to.as_slice();
        begins_alike
            && self.after.as_ref().is_none_or(is_behind)
            && self.up_to.as_ref().is_none_or(is_within)
    }

    /// Whether the key that is this path is in the stretch.
    fn has(&self, path: &[u8]) -> bool {
        path.starts_with(&self.prefix)
            && self
                .after
                .as_ref()
                .is_none_or(|after| path > after.as_slice())
            && self
                .up_to
                .as_ref()
                .is_none_or(|up_to| path <= up_to.as_slice())
    }
}

impl TrieProof {
    /// All keys of a stretch with their values, in order. It is proven that there are no others: if a node
    /// is not there that may lead to one, that is [`ValueFault::Missing`].
    pub fn entries(
        &self,
        stretch: &Stretch<'_>,
        most: usize,
    ) -> Result<Vec<(Key, &[u8])>, ValueFault> {
        let bounds = Bounds::of(stretch);
        let (mut found, mut visits) = (Vec::new(), 0_usize);
        // What comes next is last.
        let mut open: Vec<(Vec<u8>, Child<'_>)> = vec![(Vec::new(), Child::Hash(self.root))];
        while let Some((mut path, child)) = open.pop() {
            visits = visits.saturating_add(1);
            if visits > VISITS_MAX {
                return Err(ValueFault::TooMany { most });
            }
            let node = match child {
                Child::Inline(node) => node,
                Child::Hash(hash) => self.node(&hash)?,
            };
            let Node {
                partial,
                value,
                children,
            } = Node::read(node)?;
            path.extend(partial);
            if !bounds.may_have(&path) {
                continue;
            }
            if path.len() > KEY_HALVES_MAX {
                return Err(ValueFault::Node {
                    what: "its key is too long",
                });
            }
            if value.is_some() && bounds.has(&path) {
                if found.len() >= most {
                    return Err(ValueFault::TooMany { most });
                }
                let key = whole_bytes(&path)?;
                let value = self.value_of(value)?.unwrap_or_default();
                found.push((key, value));
            }
            for (step, child) in children.into_iter().rev() {
                let mut next = path.clone();
                next.push(step);
                if bounds.may_have(&next) {
                    open.push((next, child));
                }
            }
        }
        Ok(found)
    }
}

fn halves(key: &[u8]) -> Vec<u8> {
    key.iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .collect()
}

fn whole_bytes(path: &[u8]) -> Result<Key, ValueFault> {
    let (pairs, rest) = path.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ValueFault::Node {
            what: "its key ends within a byte",
        });
    }
    Ok(pairs.iter().map(|&[high, low]| (high << 4) | low).collect())
}

#[allow(clippy::unwrap_used)]
#[cfg(test)]
mod tests;
