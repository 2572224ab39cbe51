//! How many replicas make a job as certain as its owner wants it.
//!
//! A job of `m` tasks has `M` replicas, `r = M / m` for each task on average. The model is section
//! 10 of the grid's specification: the devices that take part are sorted from the least to the most
//! reliable, `p_1 >= p_2 >= ... >= p_M`, task `i` runs on the devices `i`, `i + m`, `i + 2m` and so
//! on, and the job fails if some task fails on all of its devices. Devices fail independently of
//! each other.
//!
//! # Which devices take part
//!
//! The `M` most reliable ones. The specification's examples decide it: in the second all 10,000
//! devices take part, which leaves it open, but in the third there are any number of devices at 35 %
//! beside them, and were those to take part before better ones, r would have to be above 12 and not
//! below 5. So `P` is what a grid can reach that gives its best devices to the job; whoever knows
//! that other devices will serve plans with a fleet of those.
//!
//! With more replicas than devices, every device runs one before any runs another, and of a round
//! that does not go all the way round the most reliable devices get theirs. Sorted as above, the
//! replicas of one device stand side by side and are never more than `m`, as long as `r` is not
//! above the number of devices: so no device gets two replicas of a task. Tasks then share devices.
//! Whatever makes a device fail several of its tasks together makes it less likely than `P` that
//! some task fails everywhere, as events that all depend on fate in one direction are positively
//! correlated (Harris' inequality). `P` remains a bound.
//!
//! # More replicas never hurt
//!
//! Counted from the most reliable device, a task has every `m`-th place: tasks are the residue
//! classes of places modulo `m`, whatever `M` is. One replica more inserts one place, and the
//! `t`-th best of more places is at least as reliable as the `t`-th best of fewer. So every class
//! has, place for place, devices at least as reliable as before, and one class a further one: `P`
//! does not rise with `M`, for this choice of devices and for every other that only adds devices.
//! (It does rise where a larger `M` stands for other devices altogether, such as new random draws
//! for every `r`.) The least `r` is therefore found by halving an interval, with some 50
//! evaluations at most, and is exact up to the rounding of `P` itself.

pub mod alike;
mod fleet;
mod probability;
#[cfg(test)]
mod tests;

pub use fleet::{DEVICES_MAX, DeviceGroup, Fleet, FleetError, GROUPS_MAX};
pub use probability::{FailureProbability, FailureProbabilityError};

/// Tasks in a plan.
pub const TASKS_MAX: u64 = 1 << 32;

/// Replicas for each task in a plan. With [`TASKS_MAX`] that makes 2^52 replicas, which `f64` still
/// counts one by one.
pub const FACTOR_MAX: u64 = 1 << 20;

/// Points of a curve.
pub const CURVE_POINTS_MAX: u64 = 100_000;

/// A job's tasks and the devices they may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    tasks: u64,
    fleet: Fleet,
    /// Replicas that a task may have.
    factor_max: u64,
}

/// There is nothing to plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The job has no tasks.
    #[error("a job without tasks needs no replicas; plan with at least one task")]
    NoTasks,
    /// The job has too many tasks.
    #[error("{tasks} tasks are too many for a plan; plan with at most {TASKS_MAX}")]
    TooManyTasks {
        /// How many it has.
        tasks: u64,
    },
    /// A task may not even have one replica.
    #[error("a task needs a device; allow at least one replica for each")]
    NoReplicas,
}

/// A number of replicas is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ReplicasError {
    /// The replicas of a task are no number.
    #[error("r must be a number; give one from 1 to {most}")]
    NotANumber {
        /// The most there can be.
        most: u64,
    },
    /// Some task would have no replica.
    #[error("with r = {factor} some task has no device at all; give r from 1 to {most}")]
    BelowOne {
        /// What was given.
        factor: f64,
        /// The most there can be.
        most: u64,
    },
    /// There are not as many accounts or devices.
    #[error(
        "with r = {factor} some task gets more than the {most} replicas that it can have, each on a device of another account; give r from 1 to {most}"
    )]
    AboveMost {
        /// What was given.
        factor: f64,
        /// The most there can be.
        most: u64,
    },
    /// Too few or too many.
    #[error("{replicas} replicas cannot be dealt; there must be from {least} to {most}")]
    Outside {
        /// What was given.
        replicas: u64,
        /// One for each task.
        least: u64,
        /// As many for each task as it may have.
        most: u64,
    },
}

/// No number of replicas does what is asked.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LeastError {
    /// It shall be certain that nothing fails.
    #[error(
        "no number of replicas makes failure impossible; accept a probability above 0, such as 1e-9"
    )]
    Certainty,
    /// All that a task may have are not enough.
    #[error(
        "a failure probability of {accepted} is out of reach: with {most} replicas for each task, the most there can be, it is {reachable}; accept that much, or find more or better devices"
    )]
    OutOfReach {
        /// What was asked for.
        accepted: FailureProbability,
        /// The least there is.
        reachable: FailureProbability,
        /// The replicas for each task with which it is reached.
        most: u64,
    },
}

/// A curve cannot be drawn.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CurveError {
    /// There are too few points or too many.
    #[error("a curve cannot have {points} points; ask for 2 to {CURVE_POINTS_MAX}")]
    Points {
        /// What was asked for.
        points: u64,
    },
    /// It ends before it begins.
    #[error("the curve would end with {to} replicas, before it begins with {from}; exchange them")]
    Backwards {
        /// The first number of replicas.
        from: u64,
        /// The last.
        to: u64,
    },
    /// An end is outside of what can be.
    #[error(transparent)]
    Replicas(#[from] ReplicasError),
}

/// A point of the curve P(r).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Replicas of all tasks together, `M`.
    pub replicas: u64,
    /// Replicas for each task on average, `r`.
    pub factor: f64,
    /// The probability that some task fails on all of its devices, `P`.
    pub failure: FailureProbability,
}

impl Plan {
    /// A plan for `tasks` tasks on devices of the fleet. No two replicas of a task go to one
    /// account, so a task has at most `accounts` replicas, nor more than there are devices.
    pub fn new(tasks: u64, fleet: Fleet, accounts: u64) -> Result<Self, PlanError> {
        check_tasks(tasks)?;
        let factor_max = accounts.min(fleet.devices()).min(FACTOR_MAX);
        if factor_max == 0 {
            return Err(PlanError::NoReplicas);
        }
        Ok(Self {
            tasks,
            fleet,
            factor_max,
        })
    }

    /// The job's tasks, `m`.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        self.tasks
    }

    /// The devices.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The most replicas that a task can have.
    #[must_use]
    pub fn factor_max(&self) -> u64 {
        self.factor_max
    }

    /// The most replicas that the job can have.
    #[must_use]
    pub fn replicas_max(&self) -> u64 {
        self.tasks * self.factor_max
    }

    /// The whole number of replicas for a replication factor, `M = floor(r m)`.
    ///
    /// The factor that [`Plan::factor`] gives for a number of replicas stands for that number, though
    /// its product may be a hair less.
    pub fn replicas(&self, factor: f64) -> Result<u64, ReplicasError> {
        let most = self.factor_max;
        if factor.is_nan() {
            return Err(ReplicasError::NotANumber { most });
        }
        if factor < 1.0 {
            return Err(ReplicasError::BelowOne { factor, most });
        }
        if factor > most as f64 {
            return Err(ReplicasError::AboveMost { factor, most });
        }
        let product = factor * self.tasks as f64;
        let nearest = libm::round(product) as u64;
        if self.factor(nearest) == factor {
            return Ok(nearest);
        }
        Ok(libm::floor(product) as u64)
    }

    /// The replication factor of a number of replicas, `r = M / m`.
    #[must_use]
    pub fn factor(&self, replicas: u64) -> f64 {
        replicas as f64 / self.tasks as f64
    }

    /// The probability that some task fails on all of its devices, `P(r)`.
    pub fn failure(&self, replicas: u64) -> Result<FailureProbability, ReplicasError> {
        let (least, most) = (self.tasks, self.replicas_max());
        if !(least..=most).contains(&replicas) {
            return Err(ReplicasError::Outside {
                replicas,
                least,
                most,
            });
        }
        Ok(self.failure_of(replicas))
    }

    /// The least failure probability that there is, with as many replicas as tasks can have.
    #[must_use]
    pub fn least_failure(&self) -> FailureProbability {
        self.failure_of(self.replicas_max())
    }

    /// The fewest replicas with which the job fails with at most the accepted probability.
    pub fn least_replicas(&self, accepted: FailureProbability) -> Result<u64, LeastError> {
        if accepted == FailureProbability::NEVER {
            return Err(LeastError::Certainty);
        }
        let reachable = self.least_failure();
        if reachable > accepted {
            return Err(LeastError::OutOfReach {
                accepted,
                reachable,
                most: self.factor_max,
            });
        }
        // Enough are `enough` replicas, and one fewer than `least` are not or cannot be.
        let (mut least, mut enough) = (self.tasks, self.replicas_max());
        while least < enough {
            let middle = least + (enough - least) / 2;
            if self.failure_of(middle) <= accepted {
                enough = middle;
            } else {
                least = middle + 1;
            }
        }
        Ok(enough)
    }

    /// The curve from a number of replicas to another, both included, at evenly spaced numbers of
    /// replicas; every number only once where there are fewer of them than points.
    pub fn curve(&self, from: u64, to: u64, points: u64) -> Result<Vec<CurvePoint>, CurveError> {
        if !(2..=CURVE_POINTS_MAX).contains(&points) {
            return Err(CurveError::Points { points });
        }
        if from > to {
            return Err(CurveError::Backwards { from, to });
        }
        self.failure(from)?;
        self.failure(to)?;
        let steps = (points - 1).min(to - from).max(1);
        // Whole steps and what is left are taken apart, as their product might be too large.
        let (step, rest) = ((to - from) / steps, (to - from) % steps);
        let mut curve: Vec<_> = (0..=steps)
            .map(|index| self.point(from + step * index + rest * index / steps))
            .collect();
        curve.dedup_by_key(|point| point.replicas);
        Ok(curve)
    }

    fn point(&self, replicas: u64) -> CurvePoint {
        CurvePoint {
            replicas,
            factor: self.factor(replicas),
            failure: self.failure_of(replicas),
        }
    }

    fn failure_of(&self, replicas: u64) -> FailureProbability {
        let ln_all_done = self.fleet.deal(replicas).ln_all_done(self.tasks);
        FailureProbability::where_ln_success(ln_all_done)
    }
}

fn check_tasks(tasks: u64) -> Result<(), PlanError> {
    match tasks {
        0 => Err(PlanError::NoTasks),
        1..=TASKS_MAX => Ok(()),
        _ => Err(PlanError::TooManyTasks { tasks }),
    }
}
