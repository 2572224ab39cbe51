//! What an owner is told of how certain answers are, and what makes cheating lose.
//!
//! Of `n` accounts that may compute a job `c` work together. A task's `u` replicas are drawn among all;
//! the chance that all of them fall to the coalition is
//!
//! ```text
//! P_u = C(c, u) / C(n, u), and 0 where u > c
//! ```
//!
//! A share `a` of all accepted tasks is computed again, which finds a wrong answer with probability `d`
//! (1 for programs that always give the same output). So a wrong answer is accepted and stays with
//! probability `P_u (1 - a d)` at the most, provided that a split is never outvoted.
//!
//! An owner may say how likely that may be; [`Search`] finds the agreement that costs least of those that keep it.
//!
//! Everything here is told to people, and decides nothing but what an owner is offered. Money that is paid never passes through it:
//! it computes with floating-point numbers.

mod adaptive;
mod crowd;
mod search;
mod stakes;
mod statement;

pub use adaptive::{expected_extra, expected_extra_of_first, trust};
pub use crowd::{Crowd, outvoted_at};
pub use search::{Bound, OutOfReach, Search, accounts_for, at_worst, by_cost};
pub use stakes::Stakes;
pub use statement::{ReExecution, Statement};

/// An assumption is out of its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InputError {
    /// There is nobody to draw from.
    #[error(
        "no account may compute the job, so nothing can be said of it; ask again when some may"
    )]
    NobodyEligible,
    /// More collude than there are.
    #[error(
        "of accounts that collude there cannot be {colluding} where {eligible} may compute; assume at most as many"
    )]
    TooManyColluding {
        /// How many were assumed to.
        colluding: u32,
        /// How many there are.
        eligible: u32,
    },
    /// A task without replicas has no answer.
    #[error("a task without replicas has no answer; ask for one at the least")]
    NoReplicas,
    /// There are fewer accounts than replicas.
    #[error(
        "each replica of a task needs an account of its own: {replicas} are needed, and {eligible} may compute; ask for fewer, or wait for more"
    )]
    TooFewEligible {
        /// The replicas.
        replicas: u8,
        /// How many accounts there are.
        eligible: u32,
    },
    /// A share or probability is none.
    #[error("{what} is {value}; give a number from 0 to 1")]
    NoShare {
        /// Of what.
        what: &'static str,
        /// What was given.
        value: f64,
    },
    /// An amount is negative or no number.
    #[error("{what} is {value}; give an amount that is not below 0")]
    NoAmount {
        /// Of what.
        what: &'static str,
        /// What was given.
        value: f64,
    },
}

/// A number from 0 to 1.
fn share(what: &'static str, value: f64) -> Result<f64, InputError> {
    match (0.0..=1.0).contains(&value) {
        // A negative zero becomes a plain one.
        true => Ok(value + 0.0),
        false => Err(InputError::NoShare { what, value }),
    }
}

/// An amount that is not negative.
fn amount(what: &'static str, value: f64) -> Result<f64, InputError> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(value + 0.0),
        false => Err(InputError::NoAmount { what, value }),
    }
}
