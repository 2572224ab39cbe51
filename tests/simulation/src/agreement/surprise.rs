//! How far a count is from what was expected of it.

use std::f64::consts::SQRT_2;

/// Standard deviations that a count may be off.
pub const SIGMAS: f64 = 3.0;

/// Where fewer are expected a count is not distributed as normal numbers are.
const FEW: f64 = 100.0;

/// A variance below this is one that rounding made of none.
const NO_VARIANCE: f64 = 1e-12;

/// What is expected of one trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The mean of what is counted.
    pub mean: f64,
    /// Its variance.
    pub variance: f64,
    /// Whether a trial counts as one or none.
    is_chance: bool,
}

impl Expected {
    /// Something happens with this probability.
    pub fn chance(probability: f64) -> Self {
        Self {
            mean: probability,
            variance: probability * (1.0 - probability),
            is_chance: true,
        }
    }

    /// A number with this mean and this mean of its square.
    pub fn number(mean: f64, of_square: f64) -> Self {
        Self {
            mean,
            variance: (of_square - mean * mean).max(0.0),
            is_chance: false,
        }
    }

    /// Whether there is no luck in it.
    pub fn is_sure(&self) -> bool {
        self.variance < NO_VARIANCE
    }

    /// The standard deviation of the mean of so many trials.
    pub fn sigma(&self, trials: u64) -> f64 {
        (self.variance / trials as f64).sqrt()
    }

    /// By how many standard deviations the mean of so many trials is above the one expected; none where
    /// there is no luck in it.
    pub fn z(&self, sum: u64, trials: u64) -> Option<f64> {
        let measured = sum as f64 / trials as f64;
        (!self.is_sure()).then(|| (measured - self.mean) / self.sigma(trials))
    }

    /// How likely a sum is so far or farther on its side of what is expected. 0 where there is no luck in
    /// it and it is another one.
    pub fn tail(&self, sum: u64, trials: u64) -> f64 {
        let Some(z) = self.z(sum, trials) else {
            let off = (sum as f64 - self.mean * trials as f64).abs();
            return if off < 0.5 { 1.0 } else { 0.0 };
        };
        // The rarer of the two things that may happen is counted.
        let (rare, chance) = match self.mean <= 0.5 {
            true => (sum, self.mean),
            false => (trials.saturating_sub(sum), 1.0 - self.mean),
        };
        match self.is_chance && chance * trials as f64 <= FEW {
            true => binomial_tail(rare, trials, chance),
            false => normal_tail(z),
        }
    }

    /// Whether a sum is no farther off than [`SIGMAS`].
    pub fn is_within(&self, sum: u64, trials: u64) -> bool {
        self.tail(sum, trials) >= normal_tail(SIGMAS)
    }
}

/// How likely a normal number is farther on its side of the mean than so many standard deviations.
pub fn normal_tail(z: f64) -> f64 {
    libm::erfc(z.abs() / SQRT_2) / 2.0
}

/// Standard deviations that are exceeded with this probability, on one side.
pub fn sigmas(tail: f64) -> f64 {
    let (mut near, mut far) = (0.0, 40.0);
    for _ in 0..100 {
        let middle = (near + far) / 2.0;
        match normal_tail(middle) > tail {
            true => near = middle,
            false => far = middle,
        }
    }
    near
}

/// How likely something that happens with a small probability happens so often or oftener, if this is
/// more than expected, and else so seldom or seldomer.
pub fn binomial_tail(count: u64, trials: u64, probability: f64) -> f64 {
    // None at all; not 0, for few are expected.
    let mut term = libm::exp(trials as f64 * libm::log1p(-probability));
    let odds = probability / (1.0 - probability);
    let (mut below, mut at) = (0.0, 0);
    while at < count.min(trials) {
        below += term;
        term *= (trials - at) as f64 / (at + 1) as f64 * odds;
        at += 1;
    }
    match count as f64 > probability * trials as f64 {
        true => (1.0 - below).max(0.0),
        false => below + term,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_sigmas_are_exceeded_on_one_side_by_135_in_100_000() {
        assert!((normal_tail(3.0) - 0.001_349_898).abs() < 1e-9);
        assert!((sigmas(normal_tail(3.0)) - 3.0).abs() < 1e-9);
        assert_eq!(normal_tail(-2.0), normal_tail(2.0));
    }

    #[test]
    fn few_are_counted_one_by_one() {
        // Of three tosses: none 1/8, at the most one 1/2, two or more 1/2, all 1/8.
        for (count, tail) in [(0, 0.125), (1, 0.5), (2, 0.5), (3, 0.125)] {
            assert!((binomial_tail(count, 3, 0.5) - tail).abs() < 1e-12);
        }
        // Twenty were expected of a million: 34 are too many and 33 are not.
        let rare = Expected::chance(20e-6);
        assert!(rare.is_within(33, 1_000_000) && rare.is_within(8, 1_000_000));
        assert!(!rare.is_within(36, 1_000_000) && !rare.is_within(7, 1_000_000));
        // The same of what is nearly always so.
        let often = Expected::chance(1.0 - 20e-6);
        assert!(often.is_within(1_000_000 - 33, 1_000_000));
        assert!(!often.is_within(1_000_000 - 36, 1_000_000));
    }

    #[test]
    fn many_are_measured_in_standard_deviations() {
        let half = Expected::chance(0.5);
        assert!((half.z(501_500, 1_000_000).unwrap_or(0.0) - 3.0).abs() < 1e-9);
        assert!(half.is_within(501_499, 1_000_000) && !half.is_within(501_501, 1_000_000));
        assert!(half.is_within(498_501, 1_000_000) && !half.is_within(498_499, 1_000_000));
        // A number that is 1 or 3, as likely.
        let number = Expected::number(2.0, 5.0);
        assert!((number.variance - 1.0).abs() < 1e-12);
        assert!(number.is_within(20_290, 10_000) && !number.is_within(20_310, 10_000));
    }

    #[test]
    fn what_is_sure_has_to_be_so() {
        for sure in [Expected::chance(0.0), Expected::number(0.0, 0.0)] {
            assert!(sure.is_sure() && sure.z(0, 10).is_none());
            assert!(sure.is_within(0, 1_000_000) && !sure.is_within(1, 1_000_000));
        }
        assert!(Expected::number(2.0, 4.0).is_within(2_000, 1_000));
        assert!(!Expected::number(2.0, 4.0).is_within(2_001, 1_000));
    }
}
