//! What adaptive agreement costs, and when a device is believed alone.

use quern_primitives::limits::TRUSTED_ROW_MIN;

/// The probability that a device with so many answers accepted in a row is believed alone: 1 - 1/n, and
/// never below [`TRUSTED_ROW_MIN`].
#[must_use]
pub fn trust(accepted: u32) -> f64 {
    match accepted < TRUSTED_ROW_MIN {
        true => 0.0,
        false => 1.0 - 1.0 / f64::from(accepted),
    }
}

/// The executions that are expected beyond the first for a task whose device has so many answers
/// accepted in a row, where all agree: 1/n, or one below [`TRUSTED_ROW_MIN`].
#[must_use]
pub fn expected_extra(accepted: u32) -> f64 {
    match accepted < TRUSTED_ROW_MIN {
        true => 1.0,
        false => 1.0 / f64::from(accepted),
    }
}

/// The same for each of a new device's first `tasks`, on average, if all its answers are accepted. None
/// of no tasks.
#[must_use]
pub fn expected_extra_of_first(tasks: u32) -> Option<f64> {
    let sum: f64 = (0..tasks).map(expected_extra).sum();
    (tasks > 0).then(|| sum / f64::from(tasks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_in_n_is_computed_twice() {
        for (accepted, extra) in [(0, 1.0), (9, 1.0), (10, 0.1), (100, 0.01)] {
            assert_eq!(expected_extra(accepted), extra);
            assert!((trust(accepted) + extra - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn a_seasoned_device_costs_at_most_a_tenth_more() {
        assert!((10..10_000).all(|accepted| expected_extra(accepted) <= 0.1));
    }

    #[test]
    fn a_new_device_has_made_up_for_its_first_tasks_after_126() {
        assert_eq!(expected_extra_of_first(0), None);
        assert_eq!(expected_extra_of_first(10), Some(1.0));
        let first = |tasks| expected_extra_of_first(tasks).unwrap_or(f64::NAN);
        let enough = (1..1_000).find(|tasks| first(*tasks) <= 0.1);
        assert_eq!(enough, Some(126));
    }
}
