//! Free places, of which the k-th is found and taken in a few steps.
//!
//! A bit a place, and a finger for each group of devices that are pushed alike: the word in which the
//! last place of the group was found, and how many places are free before it. As the devices of a
//! group want places in a steady order, the next one is in the same word or in one beside it. Whoever
//! takes a place before a finger's word is counted off it. Where a place is far away nevertheless,
//! whole blocks of words are passed at once.
//!
//! Most devices take the first free place. These are only counted: as the places that are left at the
//! front stay the first ones whoever takes others, the k-th free place is the one at k plus their
//! number.

/// Words that are passed at once where a place is far away.
const BLOCK: usize = 64;

/// Places that are free or taken.
pub(super) struct Places {
    /// One bit a place, set while it is free or was taken as the first.
    words: Vec<u64>,
    /// Set bits of each block of words.
    blocks: Vec<u32>,
    /// One for each group that took a place.
    fingers: Vec<Finger>,
    /// Which finger each group has.
    groups: Vec<Option<u8>>,
    /// How many places were taken as the first.
    taken_first: u32,
    /// What is left of the word in which the first free place is, and which one it is.
    front: (u64, usize),
}

/// Where a group's last place was.
#[derive(Clone, Copy, Default)]
struct Finger {
    word: u32,
    /// Set bits of all words before it.
    before: u32,
}

impl Places {
    /// So many free places, for so many groups.
    pub(super) fn new(places: usize, groups: u8) -> Self {
        let mut words = vec![u64::MAX; places.div_ceil(64).max(1)];
        if let Some(last) = words.last_mut() {
            *last = match places % 64 {
                0 if places > 0 => u64::MAX,
                rest => (1 << rest) - 1,
            };
        }
        let set = |block: &[u64]| block.iter().map(|word| word.count_ones()).sum();
        Self {
            blocks: words.chunks(BLOCK).map(set).collect(),
            front: (words[0], 0),
            fingers: Vec::new(),
            groups: vec![None; usize::from(groups)],
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

    /// Takes the free place that has so many free ones before it, for a device of a group. There must
    /// be one.
    pub(super) fn take(&mut self, group: u8, before: u32) -> usize {
        let finger = self.finger(group);
        let place = before + self.taken_first;
        let (word, before) = self.walk(self.fingers[finger], place);
        let bit = nth_set_bit(self.words[word], place - before);
        self.words[word] &= !(1 << bit);
        self.blocks[word / BLOCK] -= 1;
        if word == self.front.1 {
            self.front.0 &= !(1 << bit);
        }
        let found = Finger {
            word: word as u32,
            before,
        };
        self.fingers[finger] = found;
        for finger in &mut self.fingers {
            finger.before -= u32::from(finger.word > found.word);
        }
        64 * word + bit as usize
    }

    /// Which finger a group has.
    fn finger(&mut self, group: u8) -> usize {
        let new = self.fingers.len() as u8;
        let finger = *self.groups[usize::from(group)].get_or_insert(new);
        if finger == new {
            self.fingers.push(Finger::default());
        }
        usize::from(finger)
    }

    /// From a finger to the word that has the set bit with so many before it, and how many are before
    /// this word.
    fn walk(&self, from: Finger, place: u32) -> (usize, u32) {
        let (mut word, mut before) = (from.word as usize, from.before);
        while before > place {
            let block = match word % BLOCK {
                0 => self.blocks[word / BLOCK - 1],
                _ => before,
            };
            if before - block > place {
                word -= BLOCK;
                before -= block;
            } else {
                word -= 1;
                before -= self.words[word].count_ones();
            }
        }
        loop {
            let block = match word % BLOCK {
                0 => self.blocks[word / BLOCK],
                _ => u32::MAX - before,
            };
            if before + block <= place {
                word += BLOCK;
                before += block;
                continue;
            }
            let set = self.words[word].count_ones();
            if before + set > place {
                return (word, before);
            }
            word += 1;
            before += set;
        }
    }
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
    fn places_near_and_far_are_taken_as_from_a_list() {
        let count = 5 * 64 * BLOCK + 70;
        let mut places = Places::new(count, 3);
        let mut list: Vec<u32> = (0..count as u32).collect();
        let mut state = 1_u32;
        while !list.is_empty() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let before = (state >> 8) as usize % list.len();
            match state >> 30 {
                0 => assert_eq!(places.take_first(), list.remove(0) as usize),
                group => assert_eq!(
                    places.take(group as u8 - 1, before as u32),
                    list.remove(before) as usize
                ),
            }
        }
    }

    proptest! {
        #[test]
        fn places_are_taken_as_from_a_list(wanted in prop::collection::vec(any::<u32>(), 1..3_000)) {
            let mut places = Places::new(wanted.len(), 7);
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
                    _ => places.take(before as u8 % 7, before as u32),
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
