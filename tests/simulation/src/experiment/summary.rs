//! Many runs in a few numbers.

use quern_simulation::makespan::Outcome;

/// Standard errors of a mean within which it cannot be told from nothing.
const STANDARD_ERRORS: f64 = 2.0;

/// What came of runs that differ in their seeds alone. Times are makespans with the fluid bound as 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) runs: usize,
    pub(super) mean: f64,
    /// The standard deviation of one run, estimated from all.
    pub(super) deviation: f64,
    pub(super) best: f64,
    pub(super) worst: f64,
    pub(super) executions_per_task: f64,
    pub(super) asked_again_per_task: f64,
}

impl Summary {
    pub(super) fn of(outcomes: &[Outcome]) -> Self {
        let ratios: Vec<f64> = outcomes.iter().map(Outcome::ratio).collect();
        let (mean, deviation) = mean_and_deviation(&ratios);
        let over_runs = |of: fn(&Outcome) -> f64| {
            let all: Vec<f64> = outcomes.iter().map(of).collect();
            mean_and_deviation(&all).0
        };
        Self {
            runs: outcomes.len(),
            mean,
            deviation,
            best: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            worst: ratios.iter().copied().fold(0.0, f64::max),
            executions_per_task: over_runs(|it| it.executions_per_task),
            asked_again_per_task: over_runs(|it| it.asked_again_per_task),
        }
    }

    /// As tables have it.
    pub(super) fn in_words(&self) -> String {
        let Self {
            mean,
            deviation,
            worst,
            ..
        } = self;
        format!("{mean:.3} ± {deviation:.3} ({worst:.3})")
    }
}

#[cfg(test)]
impl Summary {
    /// Of three runs that took the same.
    pub(super) fn of_three(mean: f64) -> Self {
        Self {
            runs: 3,
            mean,
            deviation: 0.0,
            best: mean,
            worst: mean,
            executions_per_task: 1.0,
            asked_again_per_task: 0.0,
        }
    }
}

/// The mean, and the standard deviation of one value estimated from all; 0 from one alone.
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|it| (it - mean) * (it - mean)).sum();
    let deviation = match values.len() {
        0 | 1 => 0.0,
        _ => (squares / (count - 1.0)).sqrt(),
    };
    (mean, deviation)
}

/// By how much the mean of these differences must exceed nothing to say that there is one.
pub(super) fn standard_errors(differences: &[f64]) -> f64 {
    let (_, deviation) = mean_and_deviation(differences);
    STANDARD_ERRORS * deviation / (differences.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_mean_deviation_and_both_ends() {
        let outcome = |makespan_s| Outcome {
            makespan_s,
            bound_s: 10.0,
            executions_per_task: makespan_s / 10.0,
            asked_again_per_task: 0.5,
            history: 0,
        };
        let summary = Summary::of(&[20.0, 40.0, 60.0].map(outcome));
        let expected = Summary {
            runs: 3,
            mean: 4.0,
            deviation: 2.0,
            best: 2.0,
            worst: 6.0,
            executions_per_task: 4.0,
            asked_again_per_task: 0.5,
        };
        assert_eq!(summary, expected);
        assert_eq!(summary.in_words(), "4.000 ± 2.000 (6.000)");
        assert_eq!(Summary::of(&[outcome(20.0)]).deviation, 0.0);
    }
}
