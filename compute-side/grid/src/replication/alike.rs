//! Closed forms for devices that are all alike.
//!
//! The published ones say the same as [`Plan`](super::Plan) with one group of devices, and are how the
//! formulas are written down; the plan is checked against them. [`outvoted`] is ours, and says what no
//! plan does: how often those that fail are a majority.

use super::{
    FailureProbability, PlanError, ReplicasError, check_tasks, probability::ln_of_complement,
};

/// The probability that some task fails on all of its devices:
/// `1 - (1 - p^(a+1))^(M - am) (1 - p^a)^((a+1)m - M)` for `M` replicas of `m` tasks, `a` being the
/// whole part of `M / m`.
pub fn failure(
    tasks: u64,
    replicas: u64,
    device: FailureProbability,
) -> Result<FailureProbability, ReplicasError> {
    let most = tasks.saturating_mul(super::FACTOR_MAX);
    if tasks == 0 || !(tasks..=most).contains(&replicas) {
        return Err(ReplicasError::Outside {
            replicas,
            least: tasks,
            most,
        });
    }
    let (each, more) = (replicas / tasks, replicas % tasks);
    let ln_done = |replicas: u64| ln_of_complement(replicas as f64 * device.ln());
    let mut ln_all_done = (tasks - more) as f64 * ln_done(each);
    // No task with more replicas is no factor, even if such a task were certain to fail.
    if more > 0 {
        ln_all_done += more as f64 * ln_done(each + 1);
    }
    Ok(FailureProbability::where_ln_success(ln_all_done))
}

/// The probability that some task is decided by those of its devices that fail, if all that fail with a
/// task do so alike: `1 - (1 - q)^m`, `q` being the probability that at least a quorum of a task's `n`
/// replicas fail, `sum over k >= quorum of C(n, k) p^k (1 - p)^(n - k)`.
pub fn outvoted(
    tasks: u64,
    (replicas, quorum): (u8, u8),
    device: FailureProbability,
) -> Result<FailureProbability, PlanError> {
    check_tasks(tasks)?;
    let (fails, works) = (device.get(), 1.0 - device.get());
    // In how many ways so many of the replicas can fail, C(n, k).
    let mut ways = 1.0;
    let mut decided = 0.0;
    for failed in 0..=replicas {
        let (failing, working) = (f64::from(failed), f64::from(replicas - failed));
        if failed >= quorum {
            decided += ways * libm::pow(fails, failing) * libm::pow(works, working);
        }
        ways *= working / (failing + 1.0);
    }
    // Rounding may bring the sum a hair above what is certain.
    let ln_none = tasks as f64 * libm::log1p(-f64::min(decided, 1.0));
    Ok(FailureProbability::where_ln_success(ln_none))
}

/// The fewest replicas, below two for each task, with which some task fails everywhere with at most
/// the `accepted` probability: `m + ceil(ln((1 - delta) / (1 - p)^m) / ln(1 + p))`. None if two for
/// each task are not too many.
pub fn least_replicas_below_two(
    tasks: u64,
    device: FailureProbability,
    accepted: FailureProbability,
) -> Result<Option<u64>, PlanError> {
    check_tasks(tasks)?;
    let ln_done = libm::log1p(-device.get());
    let wanted = libm::log1p(-accepted.get()) - tasks as f64 * ln_done;
    // One replica each will do; so it does for devices that never fail, which divide by zero below.
    if wanted <= 0.0 {
        return Ok(Some(tasks));
    }
    let more = libm::ceil(wanted / libm::log1p(device.get()));
    // The comparison keeps the conversion exact.
    Ok((more < tasks as f64).then(|| tasks + more as u64))
}
