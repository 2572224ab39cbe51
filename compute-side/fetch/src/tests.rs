//! Fetching in virtual time: sources that are fast, slow, partial, lying, silent, busy, or come and go.

mod asking;
mod bounds;
mod properties;
mod script;
mod serving;
mod swarm;
mod world;

use crate::{Thing, limits::PART_BYTES_MAX};
use quern_primitives::{ids::Digest, limits::SPAN_BYTES};

const SPAN: u64 = SPAN_BYTES as u64;

/// A thing of so many spans, the last of them short.
fn thing(name: u8, spans: u64) -> Thing {
    Thing::new(Digest([name; 32]), spans * SPAN - 1_000).unwrap()
}

/// Numbers that look drawn, from a seed.
#[derive(Clone, Debug)]
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end.max(1)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// The most by which bytes that moved, each at its time, were over a rate in any stretch of time.
fn most_over(rate: u64, moved: &[(u64, u64)]) -> u64 {
    let (mut level, mut at, mut most) = (0, 0, 0);
    for (time, bytes) in moved {
        level = u64::saturating_sub(level, rate * (time - at)) + bytes * 1_000;
        at = *time;
        most = most.max(level);
    }
    most.div_ceil(1_000)
}

fn burst(rate: u64) -> u64 {
    (rate / 4).max(PART_BYTES_MAX)
}
