//! Which number has which name, in little memory.
//!
//! A name is 32 bytes, and they stand with what is known of whom it names. Here stand the first eight
//! with the number, so that those few are found whose names begin alike. Names are public keys or
//! digests: to have even two that begin alike takes thousands of millions of attempts.

use std::collections::BTreeSet;

/// Numbers by the first eight bytes of their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Index(BTreeSet<[u32; 3]>);

impl Index {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number that has a name. `has` says whether one has that very name.
    pub(super) fn find(&self, name: &[u8; 32], has: impl Fn(u32) -> bool) -> Option<u32> {
        let alike = self.0.range(entry(name, 0)..=entry(name, u32::MAX));
        alike.map(|[.., number]| *number).find(|it| has(*it))
    }

    /// A number has a name from now on that none has.
    pub(super) fn insert(&mut self, name: &[u8; 32], number: u32) {
        self.0.insert(entry(name, number));
    }

    /// A number has its name no more.
    pub(super) fn remove(&mut self, name: &[u8; 32], number: u32) {
        self.0.remove(&entry(name, number));
    }
}

fn entry(name: &[u8; 32], number: u32) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, ..] = *name;
    let [first, second] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
    [first, second, number]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Names of which many begin alike, and some with all that is looked at first.
        #[test]
        fn names_are_found_as_in_a_map(
            steps in prop::collection::vec((0u8..3, 0u8..3, 0u8..3, 0u8..3, 0u32..8), 0..200)
        ) {
            let (mut index, mut map) = (Index::default(), BTreeMap::new());
            for (what, first, eighth, ninth, number) in steps {
                let mut name = [u8::MAX; 32];
                (name[0], name[7], name[8]) = (first, eighth, ninth);
                let found = index.find(&name, |it| map.get(&name) == Some(&it));
                prop_assert_eq!(found, map.get(&name).copied());
                match (what, found) {
                    (0, Some(number)) => {
                        index.remove(&name, number);
                        map.remove(&name);
                    }
                    (1 | 2, None) if !map.values().any(|it| *it == number) => {
                        index.insert(&name, number);
                        map.insert(name, number);
                    }
                    _ => {}
                }
                prop_assert_eq!(index.len(), map.len());
            }
        }
    }
}
