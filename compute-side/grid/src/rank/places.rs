//! Free places, of which the k-th is found and taken in a few steps.
//!
//! A bit a place, and a finger for each group of devices that are pushed alike: the word in which the
//! last place of the group was found, and how many places are free before it. As the devices of a
//! group want places in a steady order, the next one is in the same word or in one beside it. Whoever
//! takes a place before a finger's word is counted off it. Where a place is far away nevertheless,
//! whole blocks of words are passed at once.

/// Groups of devices, at most.
pub(super) const GROUPS: usize = 64;

/// Words that are passed at once where a place is far away.
const BLOCK: usize = 64;

/// Fingers that are counted off at once, as many as the compiler makes one loop's step of.
const LANES: usize = 4;

/// Places that are free or taken.
pub(super) struct Places {
    /// One bit a place, set while it is free.
    words: Vec<u64>,
    /// Set bits of each word.
    set: Vec<u8>,
    /// Set bits of each block of words.
    blocks: Vec<u32>,
    /// Which finger each group has that took a place.
    fingers: [Option<u8>; GROUPS],
    fingers_used: u8,
    /// For each finger, the word in which its group's last place was.
    at: [i32; GROUPS],
    /// For each finger, the set bits of all words before that one.
    before: [i32; GROUPS],
}

impl Places {
    /// So many free places, fewer than 2^31.
    pub(super) fn new(places: usize) -> Self {
        let mut words = vec![u64::MAX; places.div_ceil(64).max(1)];
        if let Some(last) = words.last_mut() {
            *last = match places % 64 {
                0 if places > 0 => u64::MAX,
                rest => (1 << rest) - 1,
            };
        }
        let set: Vec<u8> = words.iter().map(|word| word.count_ones() as u8).collect();
        let sum = |block: &[u8]| block.iter().map(|set| u32::from(*set)).sum();
        Self {
            blocks: set.chunks(BLOCK).map(sum).collect(),
            words,
            set,
            fingers: [None; GROUPS],
            fingers_used: 0,
            at: [0; GROUPS],
            before: [0; GROUPS],
        }
    }

    /// Takes the free place that has so many free ones before it, for a device of a group. There must
    /// be one.
    #[inline]
    pub(super) fn take(&mut self, group: u8, place: u32) -> usize {
        let finger = self.finger(usize::from(group) % GROUPS);
        let from = (self.at[finger] as usize, self.before[finger] as u32);
        let (word, before) = self.walk(from, place);
        let bits = &mut self.words[word];
        let bit = nth_set_bit(*bits, place - before);
        *bits &= !(1 << bit);
        self.set[word] -= 1;
        self.blocks[word / BLOCK] -= 1;
        self.count_off(finger as i32, (word as i32, before as i32));
        64 * word + bit as usize
    }

    /// Puts a finger to a word, and counts the place that was taken there off all fingers behind. All
    /// fingers are written, and none by itself: so what is written is what is read the next time, many
    /// at once.
    #[inline]
    fn count_off(&mut self, finger: i32, (word, word_before): (i32, i32)) {
        let used = usize::from(self.fingers_used).next_multiple_of(LANES);
        let used = used.min(GROUPS);
        let fingers = self.at[..used].iter_mut().zip(&mut self.before[..used]);
        for (number, (at, before)) in (0..).zip(fingers) {
            let is_this = number == finger;
            // One less for those behind: the sign of the distance.
            let less = word.wrapping_sub(*at) >> 31;
            *before = if is_this {
                word_before
            } else {
                before.wrapping_add(less)
            };
            *at = if is_this { word } else { *at };
        }
    }

    /// Which finger a group has.
    #[inline]
    fn finger(&mut self, group: usize) -> usize {
        if let Some(finger) = self.fingers[group] {
            return usize::from(finger);
        }
        let new = self.fingers_used;
        self.fingers[group] = Some(new);
        self.fingers_used += 1;
        usize::from(new)
    }

    /// From a finger to the word that has the set bit with so many before it, and how many are before
    /// this word.
    #[inline]
    fn walk(&self, (mut word, mut before): (usize, u32), place: u32) -> (usize, u32) {
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
                before -= u32::from(self.set[word]);
            }
        }
        loop {
            let set = u32::from(self.set[word]);
            if before + set > place {
                return (word, before);
            }
            if word.is_multiple_of(BLOCK) && before + self.blocks[word / BLOCK] <= place {
                before += self.blocks[word / BLOCK];
                word += BLOCK;
            } else {
                before += set;
                word += 1;
            }
        }
    }

    /// Tells of every place that is free yet, in order.
    pub(super) fn each_free(&self, mut tell: impl FnMut(usize)) {
        for (at, word) in self.words.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                tell(64 * at + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }
}

/// The place of the set bit that has so many set ones below it: Vigna's selection in a word. Nothing
/// in it overflows, and it is asked for too often to have that checked.
#[inline]
fn nth_set_bit(word: u64, before: u32) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    // Set bits up to each byte and with it, a byte each.
    let pairs = word.wrapping_sub(word >> 1 & 0x5555_5555_5555_5555);
    let fours = (pairs & 0x3333_3333_3333_3333).wrapping_add(pairs >> 2 & 0x3333_3333_3333_3333);
    let bytes = fours.wrapping_add(fours >> 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let sums = bytes.wrapping_mul(ONES);
    // A top bit for each byte that has no more of them than are to be passed.
    let passed = (u64::from(before).wrapping_mul(ONES) | TOPS).wrapping_sub(sums) & TOPS;
    let byte = (passed >> 7).wrapping_mul(ONES) >> 56 << 3;
    let rest = before.wrapping_sub((sums << 8 >> byte & 0xff) as u32);
    let bits = (word >> byte & 0xff) as usize;
    byte as u32 | u32::from(IN_BYTE[rest as usize & 7][bits])
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
        let mut places = Places::new(count);
        let mut list: Vec<u32> = (0..count as u32).collect();
        let mut state = 1_u32;
        while !list.is_empty() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let before = match state >> 30 {
                0 => 0,
                _ => (state >> 8) as usize % list.len(),
            };
            let group = (state >> 28) as u8 % 7;
            let taken = places.take(group, before as u32);
            assert_eq!(taken, list.remove(before) as usize);
        }
    }

    proptest! {
        #[test]
        fn places_are_taken_as_from_a_list(
            wanted in prop::collection::vec(any::<u32>(), 1..3_000), left in 0usize..3_000,
        ) {
            let mut places = Places::new(wanted.len());
            let mut list: Vec<usize> = (0..wanted.len()).collect();
            for wanted in wanted.iter().skip(left) {
                // Some at random, some at either end.
                let before = match wanted % 5 {
                    0 | 1 => 0,
                    2 => list.len() - 1,
                    _ => *wanted as usize % list.len(),
                };
                let group = (*wanted >> 16) as u8 % GROUPS as u8;
                prop_assert_eq!(places.take(group, before as u32), list.remove(before));
            }
            let mut free = vec![];
            places.each_free(|place| free.push(place));
            prop_assert_eq!(free, list);
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
