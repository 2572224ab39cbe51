//! Sorting words by their upper half.

/// Upper bits by which words are first parted. Of a million words each part then fits the processor's
/// nearer caches, where the rest is done.
const FIRST_BITS: u32 = 10;

/// Bits of each of the two passes that sort a part: the rest of the upper half.
const BITS: u32 = (32 - FIRST_BITS) / 2;

const _: () = assert!(FIRST_BITS + 2 * BITS == 32);

/// Words from which on a part is sorted by counting. For fewer the counters cost more than they spare.
const COUNTED_MIN: usize = 256;

/// Sorts words by their upper 32 bits, moving them to the second slice, which is as long as the first.
/// Tells of stretch after stretch that is sorted, from the least words on, each with the first slice
/// up to where the stretch ends: that much of it is free from then on. Words of one upper half are all
/// in one stretch, in any order. However the words are chosen, it takes no longer than sorting them by
/// comparisons would.
pub(super) fn by_upper_half(
    words: &mut [u64],
    sorted: &mut [u64],
    mut tell: impl FnMut(&mut [u64], &mut [u64]),
) {
    let mut ends = [0; 1 << FIRST_BITS];
    pass(words, sorted, &mut ends, 64 - FIRST_BITS);
    let mut begin = 0;
    for end in ends {
        let range = begin..end as usize;
        begin = range.end;
        let (part, spare) = (&mut sorted[range.clone()], &mut words[range]);
        if part.len() < COUNTED_MIN {
            part.sort_unstable();
        } else {
            pass(part, spare, &mut [0; 1 << BITS], 32);
            pass(spare, part, &mut [0; 1 << BITS], 32 + BITS);
        }
        tell(part, &mut words[..begin]);
    }
}

/// Moves words to where their bits from a shift on put them, of which there are so many that each
/// value has a counter. Those that are equal in these bits stay in their order. Each counter, zero
/// before, says afterwards where the words of its value end.
fn pass<const VALUES: usize>(
    from: &[u64],
    to: &mut [u64],
    counters: &mut [u32; VALUES],
    shift: u32,
) {
    let value = |word: u64| (word >> shift) as usize % VALUES;
    for word in from {
        counters[value(*word)] += 1;
    }
    let mut next = 0;
    for counter in counters.iter_mut() {
        next += *counter;
        *counter = next - *counter;
    }
    for word in from {
        let place = &mut counters[value(*word)];
        to[*place as usize] = *word;
        *place += 1;
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
            let (mut from, mut sorted, mut told) = (words, expected.clone(), vec![]);
            by_upper_half(&mut from, &mut sorted, |part, free| {
                told.extend_from_slice(part);
                assert_eq!(free.len(), told.len());
                free.fill(u64::MAX);
            });
            prop_assert_eq!(&told, &sorted);
            let upper = |words: &[u64]| words.iter().map(|word| word >> 32).collect::<Vec<_>>();
            prop_assert_eq!(upper(&told), upper(&expected));
            told.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(told, expected);
        }
    }
}
