//! Free places, of which the k-th is found and taken in O(log n).
//!
//! A bit a place, and above the words of 64 places a tree in which every node has 32 children and
//! holds how many places are free before each of them. Such sums are searched and changed by a few
//! vector instructions, and nothing here branches on what is found, so that the processor
//! works on several places at once. All of it stays in its cache for a million places.

/// Children of a node.
const WIDTH: usize = 32;

/// Free places of a node before each of its children. Signed, for processors compare signed numbers
/// in vectors; there are fewer than 2^26 places.
type Before = [i32; WIDTH];

/// Places that are free or taken.
pub(super) struct Places {
    /// One bit a place, set while it is free.
    words: Vec<u64>,
    /// The tree, level by level, the root's level first. Child c of node n is node 32 n + c of the
    /// next level, or word 32 n + c below the last.
    levels: Vec<Vec<Before>>,
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
        let mut counts: Vec<u32> = words.iter().map(|word| word.count_ones()).collect();
        let mut levels = Vec::new();
        loop {
            levels.push(counts.chunks(WIDTH).map(before_each).collect());
            counts = counts
                .chunks(WIDTH)
                .map(|counts| counts.iter().sum())
                .collect();
            if counts.len() == 1 {
                break;
            }
        }
        levels.reverse();
        Self { words, levels }
    }

    /// Takes the free place that has so many free ones before it. There must be one.
    pub(super) fn take(&mut self, before: u32) -> usize {
        let (mut node, mut before) = (0, before as i32);
        for level in &mut self.levels {
            let sums = &mut level[node];
            // The child is the last one with no more free places before it. Sums wrap, for checks of
            // each addition would keep them from being done in vectors; none can overflow.
            let behind = sums.iter().map(|sum| i32::from(*sum > before));
            let behind = behind.fold(0, i32::wrapping_add);
            let child = (WIDTH as i32 - 1).wrapping_sub(behind);
            before = before.wrapping_sub(sums[child as usize % WIDTH]);
            let mut at: i32 = 0;
            for sum in sums.iter_mut() {
                *sum = sum.wrapping_sub(i32::from(at > child));
                at = at.wrapping_add(1);
            }
            node = WIDTH * node + child as usize;
        }
        let bit = nth_set_bit(self.words[node], before as u32);
        self.words[node] &= !(1 << bit);
        64 * node + bit as usize
    }
}

fn before_each(counts: &[u32]) -> Before {
    let mut sum = 0;
    std::array::from_fn(|child| {
        let before = sum;
        sum += counts.get(child).copied().unwrap_or_default() as i32;
        before
    })
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

    proptest! {
        #[test]
        fn places_are_taken_as_from_a_list(wanted in prop::collection::vec(any::<u32>(), 1..3_000)) {
            let mut places = Places::new(wanted.len());
            let mut list: Vec<usize> = (0..wanted.len()).collect();
            for wanted in wanted {
                // Some at random, some at either end.
                let before = match wanted % 4 {
                    0 => 0,
                    1 => list.len() - 1,
                    _ => wanted as usize % list.len(),
                };
                prop_assert_eq!(places.take(before as u32), list.remove(before));
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
