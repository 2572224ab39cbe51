//! Sorting words by their upper half.

/// Bits of one pass: its counters stay in the processor's nearest cache.
const BITS: u32 = 11;

/// Passes over the upper 32 bits.
const PASSES: usize = 3;

/// Sorts words by their upper 32 bits; words whose upper halves are equal stay in their order. Three
/// passes of counting, whatever the words are.
pub(super) fn sort_by_upper_half(words: Vec<u64>) -> Vec<u64> {
    let digit =
        |word: u64, pass: usize| (word >> (32 + BITS * pass as u32)) as usize & ((1 << BITS) - 1);
    let mut counts = vec![[0u32; PASSES]; 1 << BITS];
    for word in &words {
        for pass in 0..PASSES {
            counts[digit(*word, pass)][pass] += 1;
        }
    }
    let (mut from, mut to) = (words, Vec::new());
    to.resize(from.len(), 0);
    for pass in 0..PASSES {
        let mut next = 0;
        let mut places: Vec<u32> = counts
            .iter()
            .map(|counts| {
                next += counts[pass];
                next - counts[pass]
            })
            .collect();
        for word in &from {
            let place = &mut places[digit(*word, pass)];
            to[*place as usize] = *word;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_are_sorted_as_a_stable_sort_sorts_them(
            words in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..8 << 32], 0..500)
        ) {
            let mut expected = words.clone();
            expected.sort_by_key(|word| word >> 32);
            prop_assert_eq!(sort_by_upper_half(words), expected);
        }
    }
}
