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

mod places;
mod radix;
#[cfg(test)]
mod tests;

use crate::{FaultRate, Score};
use places::Places;

/// A device that is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number, below 2^26.
    pub device: u32,
    /// Its capacity score.
    pub score: Score,
    /// Its fault rate.
    pub faults: FaultRate,
}

/// Bits of a packed candidate that hold its fault rate.
const RATE_BITS: u32 = 6;

/// Ranks devices: the first has ByteRank 1. `id` gives what devices of one score are ordered by,
/// ascending; `wins` says who is lifted by the lottery, and `lift` by how many places.
pub fn rank<K: Ord>(
    candidates: impl IntoIterator<Item = Candidate>,
    id: impl Fn(u32) -> K,
    wins: impl Fn(u32) -> bool,
    lift: u32,
) -> Vec<u32> {
    let sorted = by_score(candidates, id);
    let mut order = push(&sorted);
    lift_winners(&mut order, wins, lift as usize);
    order
}

/// A candidate in one word: its score, reversed so that the best is first, its number and its fault
/// rate. So nothing else needs to be looked up while the ranking is made.
fn pack(candidate: &Candidate) -> u64 {
    let score = u64::from(!candidate.score.millionths());
    let device = u64::from(candidate.device & (u32::MAX >> RATE_BITS));
    score << 32 | device << RATE_BITS | u64::from(candidate.faults.sixtieths())
}

fn device_of(packed: u64) -> u32 {
    packed as u32 >> RATE_BITS
}

fn rate_of(packed: u64) -> FaultRate {
    FaultRate::from_sixtieths(packed as u8 & ((1 << RATE_BITS) - 1))
}

/// Packed candidates by score descending and id ascending.
fn by_score<K: Ord>(
    candidates: impl IntoIterator<Item = Candidate>,
    id: impl Fn(u32) -> K,
) -> Vec<u64> {
    let packed = candidates.into_iter().map(|it| pack(&it)).collect();
    let mut sorted = radix::sort_by_upper_half(packed);
    // Ids are looked at only where scores are equal.
    for run in sorted.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
        if run.len() > 1 {
            run.sort_by_cached_key(|packed| id(device_of(*packed)));
        }
    }
    sorted
}

/// Pushes each device down by its fault rate.
fn push(sorted: &[u64]) -> Vec<u32> {
    let mut order = vec![0; sorted.len()];
    let mut free = Places::new(sorted.len(), 1 << RATE_BITS);
    for (above, packed) in sorted.iter().enumerate() {
        // The i-th from the bottom has i - 1 below it.
        let i = (sorted.len() - above) as u32;
        let rate = rate_of(*packed);
        let place = match rate.of(i).min(i - 1) {
            0 => free.take_first(),
            place => free.take(rate.sixtieths(), place),
        };
        order[place] = device_of(*packed);
    }
    order
}

/// Lifts each winner, in order from the top, never past the top. Those it passes stand one lower;
/// whoever stands below it stays, so one walk from the top meets every winner where it stands.
fn lift_winners(order: &mut [u32], wins: impl Fn(u32) -> bool, lift: usize) {
    for place in 0..order.len() {
        if wins(order[place]) {
            order[place.saturating_sub(lift)..=place].rotate_right(1);
        }
    }
}
