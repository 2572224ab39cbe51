//! Who gets what of the money a batch spends.
//!
//! The job's terms say how many thousandths are for workers and how many for operators; the rest is the
//! treasury's. Workers and operators round down. The treasury gets every remainder: of this division, of
//! the shares of single tasks, and of bounties that nobody earned.

use crate::pay;
use core::fmt;
use quern_primitives::{
    amount::{Amount, floor_of},
    batch::Shares,
    params::Terms,
};

/// The parts of what a batch spends. They always add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    spent: Amount,
    workers: Amount,
    operators: Amount,
    treasury: Amount,
}

/// The payouts are more than the workers' part of what is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkersOverShare {
    /// The sum of the payouts.
    pub workers: Amount,
    /// The most they may be.
    pub most: Amount,
}

impl fmt::Display for WorkersOverShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, most } = self;
        write!(
            f,
            "the payouts are {workers} units; pay at most {most}, the workers' share of the spent"
        )
    }
}

impl core::error::Error for WorkersOverShare {}

impl Split {
    /// Divides `spent`, of which the verdicts give `workers` to worker accounts, by a job's terms.
    pub fn of(spent: Amount, workers: Amount, terms: Terms) -> Result<Self, WorkersOverShare> {
        let most = pay::bounty(spent, terms);
        let over_share = WorkersOverShare { workers, most };
        if workers > most {
            return Err(over_share);
        }
        let operators = floor_of(spent, terms.operators_permille);
        // Of terms that the council may set there is always enough for both.
        let treasury = spent
            .checked_sub(workers)
            .and_then(|rest| rest.checked_sub(operators));
        Ok(Self {
            spent,
            workers,
            operators,
            treasury: treasury.ok_or(over_share)?,
        })
    }

    /// What leaves the job's escrow.
    pub fn spent(&self) -> Amount {
        self.spent
    }

    /// What worker accounts get.
    pub fn workers(&self) -> Amount {
        self.workers
    }

    /// What the job's operators get.
    pub fn operators(&self) -> Amount {
        self.operators
    }

    /// What the treasury gets.
    pub fn treasury(&self) -> Amount {
        self.treasury
    }

    /// The parts, as the chain keeps them of a batch that is not final yet.
    pub fn shares(&self) -> Shares {
        Shares {
            workers: self.workers,
            operators: self.operators,
            treasury: self.treasury,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_units_split_seventy_twenty_ten() {
        let split = Split::of(100, 70, Terms::FIRST).unwrap();
        assert_eq!(
            (split.workers(), split.operators(), split.treasury()),
            (70, 20, 10)
        );
    }

    #[test]
    fn what_workers_do_not_get_is_the_treasurys() {
        let split = Split::of(100, 10, Terms::FIRST).unwrap();
        assert_eq!(
            (split.workers(), split.operators(), split.treasury()),
            (10, 20, 70)
        );
    }

    #[test]
    fn remainders_are_the_treasurys() {
        // Workers get at most 69 of 99, operators 19.
        let split = Split::of(99, 69, Terms::FIRST).unwrap();
        assert_eq!(
            (split.workers(), split.operators(), split.treasury()),
            (69, 19, 11)
        );
        let split = Split::of(1, 0, Terms::FIRST).unwrap();
        assert_eq!(
            (split.workers(), split.operators(), split.treasury()),
            (0, 0, 1)
        );
    }

    #[test]
    fn workers_never_get_more_than_their_share() {
        assert_eq!(
            Split::of(99, 70, Terms::FIRST),
            Err(WorkersOverShare {
                workers: 70,
                most: 69
            })
        );
        assert_eq!(
            Split::of(0, 1, Terms::FIRST),
            Err(WorkersOverShare {
                workers: 1,
                most: 0
            })
        );
    }

    #[test]
    fn the_terms_of_the_job_say_what_each_gets() {
        let terms = Terms {
            workers_permille: 900,
            operators_permille: 50,
            ..Terms::FIRST
        };
        let split = Split::of(1_000, 900, terms).unwrap();
        assert_eq!((split.operators(), split.treasury()), (50, 50));
        assert!(Split::of(1_000, 901, terms).is_err());
    }

    #[test]
    fn terms_that_give_away_more_than_there_is_split_nothing() {
        let terms = Terms {
            workers_permille: 900,
            operators_permille: 900,
            ..Terms::FIRST
        };
        assert!(Split::of(1_000, 900, terms).is_err());
    }

    #[test]
    fn nothing_spent_splits_into_nothing() {
        assert_eq!(Split::of(0, 0, Terms::FIRST), Ok(Split::default()));
    }
}
