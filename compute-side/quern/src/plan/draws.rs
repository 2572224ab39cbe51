//! Normal draws from a seed, the same on every machine.

use libm::{cos, log, sqrt};
use quern_grid::replication::{FailureProbability, FailureProbabilityError};

/// A sequence of draws: SplitMix64's numbers, shaped by Box and Muller.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    state: u64,
}

impl Draws {
    /// The sequence of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A probability drawn around a mean; what falls below 0 or above 1 is 0 or 1.
    pub(super) fn failure(
        &mut self,
        mean: f64,
        deviation: f64,
    ) -> Result<FailureProbability, FailureProbabilityError> {
        let radius = sqrt(-2.0 * log(self.uniform()));
        let normal = radius * cos(std::f64::consts::TAU * self.uniform());
        FailureProbability::new((mean + deviation * normal).clamp(0.0, 1.0))
    }

    /// Above 0, at most 1.
    fn uniform(&mut self) -> f64 {
        const STEPS: f64 = (1u64 << 53) as f64;
        ((self.next() >> 11) + 1) as f64 / STEPS
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_splitmix64_s() {
        // The reference implementation's first numbers for this seed.
        let mut draws = Draws::new(1_234_567);
        let numbers = [(); 3].map(|()| draws.next());
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn draws_have_the_mean_and_deviation_they_are_drawn_with() {
        let mut draws = Draws::new(1);
        let drawn: Vec<f64> = (0..100_000)
            .map(|_| draws.failure(0.5, 0.1).unwrap().get())
            .collect();
        let count = drawn.len() as f64;
        let mean = drawn.iter().sum::<f64>() / count;
        let variance = drawn.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
        assert!((mean - 0.5).abs() < 0.001, "{mean}");
        assert!((variance.sqrt() - 0.1).abs() < 0.001, "{variance}");
    }
}
