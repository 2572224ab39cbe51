//! Virtual time: what happens next.

use quern_grid::Tick;
use std::{cmp::Reverse, collections::BinaryHeap};

/// Things that will happen, soonest first; those of one moment in the order in which they were
/// planned.
#[derive(Clone, Debug)]
pub struct Clock<E> {
    now: Tick,
    planned: u64,
    coming: BinaryHeap<Reverse<Coming<E>>>,
}

#[derive(Clone, Debug)]
struct Coming<E> {
    at: (Tick, u64),
    what: E,
}

impl<E> PartialEq for Coming<E> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<E> Eq for Coming<E> {}

impl<E> PartialOrd for Coming<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Coming<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl<E> Default for Clock<E> {
    fn default() -> Self {
        Self {
            now: Tick::default(),
            planned: 0,
            coming: BinaryHeap::new(),
        }
    }
}

impl<E> Clock<E> {
    /// The present.
    pub fn now(&self) -> Tick {
        self.now
    }

    /// Plans something so many milliseconds from now.
    pub fn plan(&mut self, in_ms: u64, what: E) {
        let at = (self.now.plus_ms(in_ms), self.planned);
        self.planned += 1;
        self.coming.push(Reverse(Coming { at, what }));
    }

    /// Goes on to the next thing; nothing if nothing is planned.
    pub fn advance(&mut self) -> Option<E> {
        let Reverse(Coming { at, what }) = self.coming.pop()?;
        self.now = at.0;
        Some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_in_their_order_and_those_of_one_moment_as_planned() {
        let mut clock = Clock::default();
        for (in_ms, what) in [(5, "c"), (1, "a"), (5, "d"), (2, "b")] {
            clock.plan(in_ms, what);
        }
        let mut seen = Vec::new();
        while let Some(what) = clock.advance() {
            seen.push((clock.now().0, what));
        }
        assert_eq!(seen, [(1, "a"), (2, "b"), (5, "c"), (5, "d")]);
    }
}
