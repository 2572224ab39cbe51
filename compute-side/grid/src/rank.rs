//! ByteRank: the order in which devices are considered, best first.
//!
//! Devices without a flag stand by capacity score, ties by device id. Each is then pushed towards
//! the bottom in proportion to its fault rate, and each winner of the lottery is lifted.
//!
//! # The push
//!
//! With m devices, for i = 1 to m, the device at index m - i is pushed `floor(i R)` places down, R
//! its fault rate. Read from the bottom this is an insertion: the i-th device from the bottom goes
//! to place `floor(i R)` of the i - 1 below it. Later insertions only shift it. So, looked at
//! backwards, the last inserted device takes place `floor(m R)` of all m, the one before it the
//! `floor((m - 1) R)`-th of the places still free, and so on: m selections of the k-th free place,
//! each in O(log m), instead of a walk of a linked list.
//!
//! A device without a fault takes the first free place, and whoever comes after it takes none before.
//! So these need not take theirs one by one: for the others it is enough to count how many of them
//! are above, and in the end they fill what is left, in their order.

mod places;
mod sort;
#[cfg(test)]
mod tests;

use crate::{FaultRate, Score};
use places::{GROUPS, Places};
use sort::Firsts;

/// A device that is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its number, below [`DEVICES_MAX`].
    pub(crate) device: u32,
    /// Its capacity score.
    pub(crate) score: Score,
    /// Its fault rate.
    pub(crate) faults: FaultRate,
    /// Whether the lottery lifts it.
    pub(crate) is_lifted: bool,
}

/// Bits of an entry that hold a candidate's fault rate.
const RATE_BITS: u32 = 6;

const RATES: u64 = (1 << RATE_BITS) - 1;

const _: () = assert!(FaultRate::WHOLE as u64 <= RATES && 1 << RATE_BITS == GROUPS);

/// The bit of one that the lottery lifts.
const LIFTED: u64 = 1 << RATE_BITS;

const DEVICE_SHIFT: u32 = RATE_BITS + 1;

/// Devices that are ranked together, at most.
pub(crate) const DEVICES_MAX: usize = 1 << (u32::BITS - DEVICE_SHIFT);

impl Candidate {
    /// In one word: in the upper half its score, reversed so that the best is first, in the lower its
    /// [place in an order](Candidate::entry). So nothing else needs to be looked up while the ranking is
    /// made.
    fn pack(&self) -> u64 {
        u64::from(!self.score.millionths()) << 32 | self.entry()
    }

    /// As it stands in an order, in the lower half of a word: its number and the rest.
    pub(crate) fn entry(&self) -> u64 {
        let device = u64::from(self.device) % DEVICES_MAX as u64;
        let lifted = if self.is_lifted { LIFTED } else { 0 };
        device << DEVICE_SHIFT | lifted | u64::from(self.faults.sixtieths())
    }
}

/// The number of the device of an entry.
pub(crate) fn device_of(entry: u64) -> u32 {
    entry as u32 >> DEVICE_SHIFT
}

fn score_of(packed: u64) -> Score {
    Score::from_millionths(!(packed >> 32) as u32)
}

fn rate_of(entry: u64) -> FaultRate {
    FaultRate::from_sixtieths((entry & RATES) as u8)
}

/// Devices that are to be ranked, in any order.
pub(crate) struct Candidates<'a> {
    /// As many words as there may be of them, and in the first ones those that there are.
    packed: &'a mut [u64],
    count: usize,
    firsts: Firsts,
}

impl<'a> Candidates<'a> {
    /// None yet, in memory for so many.
    pub(crate) fn new(memory: &'a mut [u64]) -> Self {
        Self {
            packed: memory,
            count: 0,
            firsts: Firsts::default(),
        }
    }

    /// One more.
    #[inline]
    pub(crate) fn push(&mut self, candidate: &Candidate) {
        let packed = candidate.pack();
        self.firsts.count(packed);
        self.packed[self.count] = packed;
        self.count += 1;
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Ranks them. Leaves their entries in the lower halves of the first words of `order`, the first with
    /// ByteRank 1. `room` is memory; it and `order` are at least as long as there are candidates. `id` gives
    /// what devices of one score are ordered by, ascending; `lift` by how many places the lottery lifts.
    /// Returns the median of the scores, of an even number the lower of the two in the middle; zero if there
    /// are none.
    pub(crate) fn rank<K: Ord>(
        self,
        order: &mut [u64],
        room: &mut [u64],
        id: impl Fn(u32) -> K,
        lift: u32,
    ) -> Score {
        let Self {
            packed,
            count,
            firsts,
        } = self;
        let (words, sorted, order) = (
            &mut packed[..count],
            &mut room[..count],
            &mut order[..count],
        );
        let ends = firsts.part(words, sorted);
        let (mut pushed, mut clean) = (Pushed::new(order), 0);
        let (mut median, mut begin) = (Score::default(), 0);
        for end in ends {
            // What is done to a part is done while the processor has it at hand.
            let part = &mut sorted[begin..end];
            sort::by_the_rest(part, &mut words[begin..end]);
            order_ties(part, &id);
            let in_the_middle = (count / 2).checked_sub(begin);
            if let Some(packed) = in_the_middle.and_then(|place| part.get(place)) {
                median = score_of(*packed);
            }
            let faulty = set_apart(part, begin as u32, &mut words[clean..end]);
            clean += part.len() - faulty;
            pushed.push(&part[..faulty]);
            begin = end;
        }
        pushed.fill(&words[..clean]);
        lift_winners(order, lift as usize);
        median
    }
}

/// Sets those with a fault apart, in a stretch above which so many stand: they go to its front, the others to
/// another one. The scores are of no more use, but how many stand above is: it is in the upper half of each
/// afterwards. Says how many have a fault.
fn set_apart(stretch: &mut [u64], above: u32, others: &mut [u64]) -> usize {
    let (mut clean, mut faulty) = (0, 0);
    for (place, above) in (0..stretch.len()).zip(u64::from(above)..) {
        let entry = above << 32 | stretch[place] & u64::from(u32::MAX);
        // To write it to both lists costs less than to choose: which one it is cannot be foreseen.
        others[clean] = entry;
        stretch[faulty] = entry;
        let is_clean = entry & RATES == 0;
        clean += usize::from(is_clean);
        faulty += usize::from(!is_clean);
    }
    faulty
}

/// Orders those of one score by their ids, which are looked at only there.
fn order_ties<K: Ord>(sorted: &mut [u64], id: impl Fn(u32) -> K) {
    let mut rest = sorted;
    let is_tied = |pair: &[u64]| pair[0] >> 32 == pair[1] >> 32;
    while let Some(first) = rest.windows(2).position(is_tied) {
        let (_, tied) = rest.split_at_mut(first);
        let score = tied[0] >> 32;
        let count = tied.partition_point(|packed| packed >> 32 == score);
        let (tied, behind) = tied.split_at_mut(count);
        tied.sort_by_cached_key(|packed| id(device_of(*packed)));
        rest = behind;
    }
}

/// An order in which devices stand that were pushed down by their fault rates, and places for the others.
struct Pushed<'a> {
    order: &'a mut [u64],
    free: Places,
    /// How many were pushed.
    count: u32,
}

impl<'a> Pushed<'a> {
    fn new(order: &'a mut [u64]) -> Self {
        Self {
            free: Places::new(order.len()),
            order,
            count: 0,
        }
    }

    /// Pushes the next ones of those with a fault, best first. Each says in its upper half how many stand
    /// above.
    fn push(&mut self, faulty: &[u64]) {
        for entry in faulty {
            let above = (entry >> 32) as u32;
            // The i-th from the bottom has i - 1 below it.
            let i = self.order.len() as u32 - above;
            let rate = rate_of(*entry);
            let place = rate.of(i).min(i - 1);
            let clean_above = above - self.count;
            let place = self.free.take(rate.sixtieths(), clean_above + place);
            self.order[place] = *entry;
            self.count += 1;
        }
    }

    /// Fills what is free with those without a fault, best first.
    fn fill(self, clean: &[u64]) {
        let Self { order, free, .. } = self;
        let mut clean = clean.iter();
        free.each_free(|place| {
            if let Some(entry) = clean.next() {
                order[place] = *entry;
            }
        });
    }
}

/// Entries that are looked at together for a winner.
const TOGETHER: usize = 32;

/// Lifts each winner, in order from the top, never past the top. Those it passes stand one lower;
/// whoever stands below it stays, so one walk from the top meets every winner where it stands.
fn lift_winners(order: &mut [u64], lift: usize) {
    for begin in (0..order.len()).step_by(TOGETHER) {
        let end = order.len().min(begin + TOGETHER);
        if order[begin..end].iter().fold(0, |all, entry| all | entry) & LIFTED == 0 {
            continue;
        }
        for place in begin..end {
            if order[place] & LIFTED != 0 {
                order[place.saturating_sub(lift)..=place].rotate_right(1);
            }
        }
    }
}
