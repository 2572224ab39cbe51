//! Things that are fetched, and sets of their spans.

use quern_primitives::{
    ids::Digest,
    limits::{SPAN_BYTES, SPANS_MAX},
};

const WORDS: usize = SPANS_MAX as usize / 64;

/// What is fetched by its name: so many bytes under a chunk root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    root: Digest,
    bytes: u64,
}

impl Thing {
    /// Nothing if it has no bytes, or more than [`SPANS_MAX`] spans.
    pub fn new(root: Digest, bytes: u64) -> Option<Self> {
        let bytes_max = u64::from(SPANS_MAX) * u64::from(SPAN_BYTES);
        (1..=bytes_max)
            .contains(&bytes)
            .then_some(Self { root, bytes })
    }

    /// Its chunk root.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many spans it has: 1 to [`SPANS_MAX`].
    pub fn spans(&self) -> u32 {
        let spans = self.bytes.div_ceil(SPAN_BYTES.into());
        u32::try_from(spans).unwrap_or(SPANS_MAX)
    }

    /// Bytes of one of its spans; none of one that it does not have.
    pub fn span_bytes(&self, span: u32) -> u64 {
        let before = u64::from(span).saturating_mul(SPAN_BYTES.into());
        self.bytes.saturating_sub(before).min(SPAN_BYTES.into())
    }
}

/// Some of a thing's spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanSet {
    count: u32,
    words: [u64; WORDS],
}

impl SpanSet {
    /// None of a thing's spans.
    pub fn none(thing: &Thing) -> Self {
        Self {
            count: thing.spans(),
            words: [0; WORDS],
        }
    }

    /// All of a thing's spans.
    pub fn all(thing: &Thing) -> Self {
        let mut set = Self::none(thing);
        (0..set.count).for_each(|span| set.insert(span));
        set
    }

    /// Reads a bitmap, the first span in the lowest bit of the first byte. It has one form: as many bytes
    /// as the thing's spans take, and no bit behind the last span.
    pub fn from_bitmap(thing: &Thing, bitmap: &[u8]) -> Option<Self> {
        let mut set = Self::none(thing);
        if bitmap.len() != set.count.div_ceil(8) as usize {
            return None;
        }
        let bits = bitmap
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        for (span, is_set) in (0..).zip(bits) {
            if is_set && span >= set.count {
                return None;
            }
            if is_set {
                set.insert(span);
            }
        }
        Some(set)
    }

    /// The bitmap that [`from_bitmap`](Self::from_bitmap) reads.
    pub fn to_bitmap(&self) -> Vec<u8> {
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes());
        bytes.take(self.count.div_ceil(8) as usize).collect()
    }

    /// How many spans the thing has.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether a span is among them.
    pub fn has(&self, span: u32) -> bool {
        self.words
            .get(span as usize / 64)
            .is_some_and(|word| word >> (span % 64) & 1 == 1)
    }

    /// Adds a span, if the thing has it.
    pub fn insert(&mut self, span: u32) {
        if span < self.count
            && let Some(word) = self.words.get_mut(span as usize / 64)
        {
            *word |= 1 << (span % 64);
        }
    }

    /// Takes a span away.
    pub fn remove(&mut self, span: u32) {
        if let Some(word) = self.words.get_mut(span as usize / 64) {
            *word &= !(1 << (span % 64));
        }
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = *self;
        for (word, with) in both.words.iter_mut().zip(other.words) {
            *word &= with;
        }
        both
    }

    /// How many are among them.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether all are.
    pub fn is_whole(&self) -> bool {
        self.len() == self.count
    }

    /// Those among them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).step_by(64).zip(self.words).flat_map(|(first, word)| {
            let rests = std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)));
            let rests = rests.take_while(|rest| *rest != 0);
            rests.map(move |rest| first + rest.trailing_zeros())
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn thing(bytes: u64) -> Thing {
        Thing::new(Digest([1; 32]), bytes).unwrap()
    }

    #[test]
    fn a_thing_has_one_span_at_least_and_not_more_than_the_most() {
        let span = u64::from(SPAN_BYTES);
        assert_eq!(Thing::new(Digest([1; 32]), 0), None);
        assert_eq!(Thing::new(Digest([1; 32]), 512 * span + 1), None);
        assert_eq!(thing(1).spans(), 1);
        assert_eq!(thing(span).spans(), 1);
        assert_eq!(thing(span + 1).spans(), 2);
        assert_eq!(thing(512 * span).spans(), 512);
        assert_eq!(SpanSet::all(&thing(512 * span)).len(), 512);
    }

    #[test]
    fn the_last_span_is_as_long_as_what_is_left() {
        let it = thing(u64::from(SPAN_BYTES) + 7);
        let lengths: Vec<u64> = (0..4).map(|span| it.span_bytes(span)).collect();
        assert_eq!(lengths, [u64::from(SPAN_BYTES), 7, 0, 0]);
    }

    #[test]
    fn a_bitmap_with_a_bit_behind_the_last_span_or_of_another_length_is_none() {
        let it = thing(3 * u64::from(SPAN_BYTES));
        assert_eq!(SpanSet::from_bitmap(&it, &[0b111]).unwrap().len(), 3);
        assert_eq!(SpanSet::from_bitmap(&it, &[0b1000]), None);
        assert_eq!(SpanSet::from_bitmap(&it, &[]), None);
        assert_eq!(SpanSet::from_bitmap(&it, &[0b111, 0]), None);
    }

    proptest! {
        #[test]
        fn a_bitmap_is_read_if_and_only_if_it_is_written_so(
            bytes in 1..600 * u64::from(SPAN_BYTES),
            bitmap in proptest::collection::vec(any::<u8>(), 0..70),
        ) {
            let Some(it) = Thing::new(Digest([1; 32]), bytes) else { return Ok(()) };
            let sized: Vec<u8> = bitmap.iter().copied().cycle()
                .take(if bitmap.is_empty() { 0 } else { it.spans().div_ceil(8) as usize })
                .collect();
            for bitmap in [bitmap, sized] {
                if let Some(set) = SpanSet::from_bitmap(&it, &bitmap) {
                    prop_assert_eq!(set.to_bitmap(), bitmap);
                    let spans: Vec<u32> = (0..it.spans()).filter(|span| set.has(*span)).collect();
                    prop_assert_eq!(set.iter().collect::<Vec<_>>(), spans);
                    prop_assert_eq!(set.iter().count() as u32, set.len());
                }
            }
            let lengths: u64 = (0..it.spans()).map(|span| it.span_bytes(span)).sum();
            prop_assert_eq!(lengths, bytes);
        }
    }
}
