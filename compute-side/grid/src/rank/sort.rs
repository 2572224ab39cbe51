//! Sorting words by their upper half.

/// Upper bits by which words are first parted. Of a million words each part then fits the processor's
/// nearest cache, where the rest is done.
const FIRST_BITS: u32 = 10;

/// Bits of each of the two passes that sort a part: the rest of the upper half.
const LAST_BITS: u32 = (32 - FIRST_BITS) / 2;
const NEXT_BITS: u32 = 32 - FIRST_BITS - LAST_BITS;

const NEXT_SHIFT: u32 = 32 + LAST_BITS;

/// Words from which on a part is sorted by counting. For fewer the counters cost more than they spare.
const COUNTED_MIN: usize = 256;

/// How many words there are of each value of the first bits.
pub(crate) struct Firsts([u32; 1 << FIRST_BITS]);

impl Default for Firsts {
    fn default() -> Self {
        Self([0; 1 << FIRST_BITS])
    }
}

impl Firsts {
    /// Counts a word.
    #[inline]
    pub(crate) fn count(&mut self, word: u64) {
        let place = (word >> (64 - FIRST_BITS)) as usize % (1 << FIRST_BITS);
        self.0[place] = self.0[place].wrapping_add(1);
    }

    /// Moves words, which all were counted, to the second slice, which is as long as the first: those of
    /// the least value of the first bits to its front, and so on. Says where those of each value end.
    pub(super) fn part(
        self,
        words: &[u64],
        parted: &mut [u64],
    ) -> impl Iterator<Item = usize> + use<> {
        let Self(mut counters) = self;
        move_by(words, parted, &mut counters, 64 - FIRST_BITS);
        counters.into_iter().map(|end| end as usize)
    }
}

/// Sorts words that are alike in their first bits by their upper 32 bits; those that are equal in them come
/// in any order. `room` is memory as long as the words. However the words are chosen, it takes no longer
/// than sorting them by comparisons would.
pub(super) fn by_the_rest(words: &mut [u64], room: &mut [u64]) {
    if words.len() < COUNTED_MIN {
        words.sort_unstable();
        return;
    }
    let mut last = [0_u32; 1 << LAST_BITS];
    let mut next = [0_u32; 1 << NEXT_BITS];
    for word in words.iter() {
        let of_last = &mut last[(word >> 32) as usize % (1 << LAST_BITS)];
        *of_last = of_last.wrapping_add(1);
        let of_next = &mut next[(word >> NEXT_SHIFT) as usize % (1 << NEXT_BITS)];
        *of_next = of_next.wrapping_add(1);
    }
    // They stay in their order, so the last bits come first.
    move_by(words, room, &mut last, 32);
    move_by(room, words, &mut next, NEXT_SHIFT);
}

/// Moves words to where their bits from a shift on put them, of which each value has a counter that says how
/// many there are. Those that are equal in these bits stay in their order. Each counter says afterwards
/// where the words of its value end.
fn move_by<const VALUES: usize>(
    from: &[u64],
    to: &mut [u64],
    counters: &mut [u32; VALUES],
    shift: u32,
) {
    let mut next = 0_u32;
    for counter in counters.iter_mut() {
        let count = *counter;
        *counter = next;
        next = next.wrapping_add(count);
    }
    for word in from {
        let place = &mut counters[(word >> shift) as usize % VALUES];
        to[*place as usize] = *word;
        *place = place.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_are_sorted_as_a_stable_sort_sorts_them(
            words in prop::collection::vec(
                prop_oneof![
                    1 => any::<u64>(),
                    1 => 0u64..8 << 32,
                    // Many in one part, so that it is sorted by counting.
                    4 => (0u64..1 << 60).prop_map(|word| word & !(0x3f << 54) | 5 << 60),
                ],
                0..2_000,
            )
        ) {
            let mut expected = words.clone();
            expected.sort_by_key(|word| word >> 32);
            let mut firsts = Firsts::default();
            words.iter().for_each(|word| firsts.count(*word));
            let (mut sorted, mut room) = (words.clone(), vec![u64::MAX; words.len()]);
            let mut begin = 0;
            for end in firsts.part(&words, &mut sorted) {
                by_the_rest(&mut sorted[begin..end], &mut room[begin..end]);
                begin = end;
            }
            prop_assert_eq!(begin, words.len());
            let upper = |words: &[u64]| words.iter().map(|word| word >> 32).collect::<Vec<_>>();
            prop_assert_eq!(upper(&sorted), upper(&expected));
            sorted.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }
}
