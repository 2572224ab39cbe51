//! Headers of final blocks, as many of them as are kept.

use quern_light::{BlockHash, Header};
use std::collections::BTreeMap;

/// Headers that were shown to be those of final blocks. Where there are too many, the one goes that was
/// not used for longest. Were it any other, one that was only just proven could be gone before somebody
/// reads by it, as soon as a chain is longer than what is kept.
pub(crate) struct Headers {
    most: usize,
    /// How often a header was put in or asked for.
    uses: u64,
    /// Each with its last use.
    known: BTreeMap<BlockHash, (Header, u64)>,
    /// The same in the order of their last use.
    by_use: BTreeMap<u64, BlockHash>,
}

impl Headers {
    /// None yet, and never more than so many.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            uses: 0,
            known: BTreeMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    /// Keeps a header.
    pub(crate) fn put(&mut self, header: Header) {
        let (hash, now) = (header.hash(), self.next_use());
        if let Some((_, before)) = self.known.insert(hash, (header, now)) {
            self.by_use.remove(&before);
        }
        self.by_use.insert(now, hash);
        while self.known.len() > self.most {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                return;
            };
            self.known.remove(&oldest);
        }
    }

    /// The header of a block, if it is kept.
    pub(crate) fn get(&mut self, block: &BlockHash) -> Option<&Header> {
        let now = self.next_use();
        let (header, last) = self.known.get_mut(block)?;
        self.by_use.remove(last);
        *last = now;
        self.by_use.insert(now, *block);
        Some(header)
    }

    fn next_use(&mut self) -> u64 {
        self.uses = self.uses.saturating_add(1);
        self.uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(number: u32) -> Header {
        Header {
            parent: BlockHash([1; 32]),
            number,
            state_root: [2; 32],
            extrinsics_root: [3; 32],
            digest: vec![],
        }
    }

    fn keeps(headers: &mut Headers, number: u32) -> bool {
        let found = headers.get(&header(number).hash());
        found.is_some_and(|found| found.number == number)
    }

    #[test]
    fn a_header_that_was_only_just_proven_is_kept_however_many_went_before_it() {
        let mut headers = Headers::new(16);
        for number in 0..1_000 {
            headers.put(header(number));
            // Others are proven meanwhile.
            for other in 1..8 {
                headers.put(header(10_000 + 8 * number + other));
            }
            assert!(keeps(&mut headers, number), "{number}");
        }
        assert_eq!((headers.known.len(), headers.by_use.len()), (16, 16));
        assert!(!keeps(&mut headers, 1));
    }

    #[test]
    fn a_header_that_is_used_again_and_again_outlives_those_that_are_not() {
        let mut headers = Headers::new(4);
        headers.put(header(0));
        for number in 1..100 {
            headers.put(header(number));
            assert!(keeps(&mut headers, 0), "{number}");
        }
        // To be proven again is a use as well, and no second header.
        headers.put(header(0));
        assert_eq!((headers.known.len(), headers.by_use.len()), (4, 4));
    }
}
