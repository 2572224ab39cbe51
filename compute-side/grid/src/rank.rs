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

/// Bits of a packed candidate that hold its fault rate.
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
    /// number and the rest. So nothing else needs to be looked up while the ranking is made.
    pub(crate) fn pack(&self) -> u64 {
        let score = u64::from(!self.score.millionths());
        let device = self.device % DEVICES_MAX as u32;
        let lifted = if self.is_lifted { LIFTED } else { 0 };
        score << 32
            | u64::from(device) << DEVICE_SHIFT
            | lifted
            | u64::from(self.faults.sixtieths())
    }
}

/// The number of a packed candidate.
pub(crate) fn device_of(packed: u64) -> u32 {
    packed as u32 >> DEVICE_SHIFT
}

fn score_of(packed: u64) -> Score {
    Score::from_millionths(!(packed >> 32) as u32)
}

fn rate_of(packed: u64) -> FaultRate {
    FaultRate::from_sixtieths((packed & RATES) as u8)
}

/// Ranks packed candidates. Leaves their lower halves in `order`, the first with ByteRank 1. `room` is
/// memory; it and `order` are as long as the candidates. `id` gives what devices of one score are
/// ordered by, ascending; `lift` by how many places the lottery lifts. Returns the median of the
/// scores, of an even number the lower of the two in the middle; zero if there are none.
pub(crate) fn rank<K: Ord>(
    candidates: &mut [u64],
    order: &mut [u64],
    room: &mut [u64],
    id: impl Fn(u32) -> K,
    lift: u32,
) -> Score {
    let (mut clean, mut faulty, mut above) = (0, 0, 0_u64);
    let (mut median, middle) = (Score::default(), candidates.len() / 2);
    sort::by_upper_half(candidates, order, |stretch, free| {
        order_ties(stretch, &id);
        let in_the_middle = middle.checked_sub(above as usize);
        if let Some(packed) = in_the_middle.and_then(|place| stretch.get(place)) {
            median = score_of(*packed);
        }
        for packed in stretch {
            // The score is of no more use, but how many stand above is.
            let entry = above << 32 | *packed & u64::from(u32::MAX);
            above += 1;
            // To write it to both lists costs less than to choose: which one it is cannot be foreseen.
            free[clean] = entry;
            room[faulty] = entry;
            let is_clean = *packed & RATES == 0;
            clean += usize::from(is_clean);
            faulty += usize::from(!is_clean);
        }
    });
    push(&candidates[..clean], &room[..faulty], order);
    lift_winners(order, lift as usize);
    median
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

/// Pushes each device down by its fault rate: those without a fault, and the others. Entries say in
/// their upper half how many stand above, and come in this order.
fn push(clean: &[u64], faulty: &[u64], order: &mut [u64]) {
    let mut free = Places::new(order.len());
    for (faulty_above, entry) in (0..).zip(faulty) {
        let above = (entry >> 32) as u32;
        // The i-th from the bottom has i - 1 below it.
        let i = order.len() as u32 - above;
        let rate = rate_of(*entry);
        let place = rate.of(i).min(i - 1);
        let clean_above = above - faulty_above;
        let place = free.take(rate.sixtieths(), clean_above + place);
        order[place] = *entry;
    }
    let mut clean = clean.iter();
    free.each_free(|place| {
        if let Some(entry) = clean.next() {
            order[place] = *entry;
        }
    });
}

/// Lifts each winner, in order from the top, never past the top. Those it passes stand one lower;
/// whoever stands below it stays, so one walk from the top meets every winner where it stands.
fn lift_winners(order: &mut [u64], lift: usize) {
    for place in 0..order.len() {
        if order[place] & LIFTED != 0 {
            order[place.saturating_sub(lift)..=place].rotate_right(1);
        }
    }
}
