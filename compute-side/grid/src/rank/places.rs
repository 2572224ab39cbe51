//! Free places, of which the k-th is found and taken in O(log n).
//!
//! A bit a place, and above the words of 64 places a tree whose nodes hold how many places are free
//! before each of their children. Such sums are searched and changed by a few vector instructions, and
//! nothing here branches on what is found, so that the processor works on several places at once.
//! The lower levels count in 16 bits, which halves what there is to do. All of it stays in the
//! processor's cache for a million places.
//!
//! Most devices take the first free place. These are only counted: as the places that are left at the
//! front stay the first ones whoever takes others, the k-th free place is the one that the tree has
//! at k plus their number.

/// Words of a node of the lowest level.
const WORDS: usize = 32;

/// Nodes of the lowest level in one of the middle: as many as 16 bits can count places of.
const NODES: usize = 15;

const LOW_PLACES: usize = 64 * WORDS;
const MIDDLE_PLACES: usize = LOW_PLACES * NODES;

/// Before what has no places: so many that it stays more than any place however often it is changed.
const NOWHERE: i32 = 1 << 30;

/// Free places of a node before each of its children. Signed, for processors compare signed numbers
/// in vectors.
type Low = [i16; WORDS];
type Middle = [i16; 16];

/// Places that are free or taken.
pub(super) struct Places {
    /// One bit a place, set while it is free or was taken as the first.
    words: Vec<u64>,
    low: Vec<Low>,
    middle: Vec<Middle>,
    /// In groups of eight, the last one filled up with more than there can be.
    top: Vec<[i32; 8]>,
    /// How many places were taken as the first.
    taken_first: u32,
    /// What is left of the word in which the first free place is, and which one it is.
    front: (u64, usize),
}

impl Places {
    /// So many free places.
    pub(super) fn new(places: usize) -> Self {
        let mut words = vec![u64::MAX; places.div_ceil(64).max(1)];
        if let Some(last) = words.last_mut() {
            *last = match places % 64 {
                0 if places > 0 => u64::MAX,
                rest => (1 << rest) - 1,
            };
        }
        let lows = words.len().div_ceil(WORDS);
        let middles = lows.div_ceil(NODES);
        // All places are free. What has no places stands behind all that have.
        let low = std::array::from_fn(|child| (64 * child) as i16);
        let middle = std::array::from_fn(|child| match child < NODES {
            true => (LOW_PLACES * child) as i16,
            false => i16::MAX,
        });
        let top = |group: usize| {
            std::array::from_fn(|child| match 8 * group + child {
                child if child < middles => (MIDDLE_PLACES * child) as i32,
                _ => NOWHERE,
            })
        };
        Self {
            front: (words[0], 0),
            low: vec![low; lows],
            middle: vec![middle; middles],
            top: (0..middles.div_ceil(8)).map(top).collect(),
            taken_first: 0,
            words,
        }
    }

    /// Takes the first free place. There must be one.
    pub(super) fn take_first(&mut self) -> usize {
        while self.front.0 == 0 {
            self.front.1 += 1;
            self.front.0 = self.words[self.front.1];
        }
        let (left, word) = &mut self.front;
        let bit = left.trailing_zeros();
        *left &= *left - 1;
        self.taken_first += 1;
        64 * *word + bit as usize
    }

    /// Takes the free place that has so many free ones before it. There must be one.
    pub(super) fn take(&mut self, before: u32) -> usize {
        // Sums wrap, for checks of each addition would keep them from being done in vectors; none can
        // overflow.
        let mut before = before.wrapping_add(self.taken_first) as i32;
        let mut behind = 0_i32;
        for group in &self.top {
            let found = group.iter().map(|sum| i32::from(*sum > before));
            behind = behind.wrapping_add(found.fold(0, i32::wrapping_add));
        }
        let child = (8 * self.top.len() as i32 - 1).wrapping_sub(behind);
        before = before.wrapping_sub(self.top[child as usize / 8][child as usize % 8]);
        let mut from_here = child;
        for group in &mut self.top {
            let mut at = 0_i32;
            for sum in group.iter_mut() {
                *sum = sum.wrapping_sub(i32::from(at > from_here));
                at = at.wrapping_add(1);
            }
            from_here = from_here.wrapping_sub(8);
        }
        let node = child as usize;
        let (child, before) = take_child(&mut self.middle[node], before as i16);
        let node = NODES * node + child;
        let (child, before) = take_child(&mut self.low[node], before);
        let word = WORDS * node + child;
        let bit = nth_set_bit(self.words[word], before as u32);
        self.words[word] &= !(1 << bit);
        if word == self.front.1 {
            self.front.0 &= !(1 << bit);
        }
        64 * word + bit as usize
    }
}

/// The child of a node that has the place with so many free ones before it, and how many of these are
/// in the child. One of its places is taken.
fn take_child<const WIDTH: usize>(sums: &mut [i16; WIDTH], before: i16) -> (usize, i16) {
    // The child is the last one with no more free places before it.
    let behind = sums.iter().map(|sum| i16::from(*sum > before));
    let behind = behind.fold(0, i16::wrapping_add);
    let child = (WIDTH as i16 - 1).wrapping_sub(behind);
    let rest = before.wrapping_sub(sums[child as usize % WIDTH]);
    let mut at: i16 = 0;
    for sum in sums.iter_mut() {
        *sum = sum.wrapping_sub(i16::from(at > child));
        at = at.wrapping_add(1);
    }
    (child as usize, rest)
}

/// The place of the set bit that has so many set ones below it: Vigna's selection in a word.
fn nth_set_bit(word: u64, before: u32) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    // Set bits up to each byte and with it, a byte each.
    let pairs = word - (word >> 1 & 0x5555_5555_5555_5555);
    let fours = (pairs & 0x3333_3333_3333_3333) + (pairs >> 2 & 0x3333_3333_3333_3333);
    let bytes = (fours + (fours >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    let sums = bytes.wrapping_mul(ONES);
    // A top bit for each byte that has no more of them than are to be passed.
    let passed = (((u64::from(before) * ONES) | TOPS) - sums) & TOPS;
    let byte = (passed >> 7).wrapping_mul(ONES) >> 56 << 3;
    let rest = before - (sums << 8 >> byte & 0xff) as u32;
    let bits = (word >> byte & 0xff) as usize;
    byte as u32 + u32::from(IN_BYTE[rest as usize & 7][bits])
}

/// For each byte, the place of its first set bit, of its second, and so on.
const IN_BYTE: [[u8; 256]; 8] = {
    let mut table = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut found) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[found][byte] = bit as u8;
                found += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_level_of_the_tree_is_searched_and_changed() {
        let count = MIDDLE_PLACES + LOW_PLACES + 70;
        let mut places = Places::new(count);
        let mut list: Vec<u32> = (0..count as u32).collect();
        let mut state = 1_u32;
        while !list.is_empty() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let before = (state >> 8) as usize % list.len();
            if state >> 31 == 0 {
                assert_eq!(places.take_first(), list.remove(0) as usize);
            } else {
                assert_eq!(places.take(before as u32), list.remove(before) as usize);
            }
        }
    }

    proptest! {
        #[test]
        fn places_are_taken_as_from_a_list(wanted in prop::collection::vec(any::<u32>(), 1..3_000)) {
            let mut places = Places::new(wanted.len());
            let mut list: Vec<usize> = (0..wanted.len()).collect();
            for wanted in wanted {
                // Some at random, some at either end.
                let before = match wanted % 5 {
                    0 | 1 => 0,
                    2 => list.len() - 1,
                    _ => wanted as usize % list.len(),
                };
                let taken = match wanted % 5 {
                    0 => places.take_first(),
                    _ => places.take(before as u32),
                };
                prop_assert_eq!(taken, list.remove(before));
            }
        }

        #[test]
        fn the_nth_set_bit_is_the_one_that_counting_finds(word in any::<u64>(), n in 0u32..64) {
            for word in [word, u64::MAX, 1 << 63, word & 0xff] {
                let set: Vec<u32> = (0..64).filter(|bit| word >> bit & 1 == 1).collect();
                if let Some(bit) = set.get(n as usize) {
                    prop_assert_eq!(nth_set_bit(word, n), *bit);
                }
            }
        }
    }
}
