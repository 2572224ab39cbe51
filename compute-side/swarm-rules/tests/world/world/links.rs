//! Who is connected with whom. A link that is opened again is another.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Links {
    of: BTreeMap<usize, BTreeSet<usize>>,
    names: BTreeMap<(usize, usize), u64>,
    count: u64,
}

impl Links {
    pub(super) fn open(&mut self, one: usize, other: usize) {
        self.count += 1;
        self.names.insert(pair(one, other), self.count);
        self.of.entry(one).or_default().insert(other);
        self.of.entry(other).or_default().insert(one);
    }

    pub(super) fn between(&self, one: usize, other: usize) -> Option<u64> {
        self.names.get(&pair(one, other)).copied()
    }

    pub(super) fn of(&self, one: usize) -> Vec<usize> {
        self.of.get(&one).into_iter().flatten().copied().collect()
    }

    pub(super) fn degree(&self, one: usize) -> usize {
        self.of.get(&one).map_or(0, BTreeSet::len)
    }

    pub(super) fn cut(&mut self, one: usize, other: usize) -> bool {
        for (from, to) in [(one, other), (other, one)] {
            self.of.entry(from).or_default().remove(&to);
        }
        self.names.remove(&pair(one, other)).is_some()
    }

    pub(super) fn cut_all(&mut self, one: usize) -> Vec<usize> {
        let others = self.of(one);
        for other in &others {
            self.cut(one, *other);
        }
        others
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}
