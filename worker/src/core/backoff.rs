//! Pauses that grow, with jitter, so that a grid's devices do not all come back at once.

/// A generator of pauses.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    state: u64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The pause after so many failures in a row: between half of `min_ms` doubled that often, and
    /// all of it, and never over `max_ms`.
    pub(super) fn pause_ms(&mut self, failures: u32, min_ms: u64, max_ms: u64) -> u64 {
        let doublings = failures.saturating_sub(1).min(32);
        let most = min_ms.saturating_mul(1 << doublings).min(max_ms);
        let half = most / 2;
        half + self.next() % (most - half + 1)
    }

    /// SplitMix64 by Guy Steele, Doug Lea and Christine Flood: plenty for spreading pauses.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pauses_grow_to_their_limit_and_never_pass_it(seed: u64, failures in 1u32..200) {
            let mut backoff = Backoff::new(seed);
            let pause = backoff.pause_ms(failures, 250, 30_000);
            let most = 250u64.saturating_mul(1 << (failures - 1).min(20)).min(30_000);
            prop_assert!((most / 2..=most).contains(&pause), "{pause} of {most}");
        }
    }

    #[test]
    fn two_seeds_pause_differently() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(seed);
            [(); 8].map(|()| backoff.pause_ms(5, 250, 30_000))
        };
        assert_ne!(pauses(1), pauses(2));
        assert_eq!(pauses(3), pauses(3));
    }
}
