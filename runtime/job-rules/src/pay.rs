//! What a task costs, and what those who did it get.
//!
//! With fuel `f`, the price of a task is
//!
//! ```text
//! max(f × gigafuel / 10⁹, task_min) × level / 1000 × (1000 + replica × (replicas − 1)) / 1000
//! ```
//!
//! taken as one fraction and rounded down, in the owner's favour. Fuel beyond the owner's limit is
//! never charged, so the price at that limit is the task's cap. `replicas` are those that a task starts
//! with: two where two must agree, one where agreement is adaptive. Those that are added, because
//! answers differ or a device is not believed alone, cost the owner nothing more: those who agree share
//! the bounty by one more.

use core::fmt;
use quern_primitives::{
    amount::{Amount, BYTECHIP, floor_of},
    job::{ByteLevel, Job, Prices, Submission},
    params::Terms,
};

/// The prices a chain starts with unless its specification says otherwise: 0.01 ByteChips for 10⁹
/// units of fuel, at least 0.0001 a task, six tenths more for each further replica.
pub const PRICES_AT_GENESIS: Prices = Prices {
    gigafuel: BYTECHIP / 100,
    task_min: BYTECHIP / 10_000,
    replica_permille: 600,
    low_permille: 800,
    high_permille: 1_300,
};

/// The most that 10⁹ units of fuel may cost: a thousand ByteChips. With it the dearest task that
/// the limits allow costs less than 10¹⁹ units, and the dearest job less than 10²⁴.
pub const GIGAFUEL_MAX: Amount = 1_000 * BYTECHIP;

/// The lowest least price of a task. Above zero, so that no job is free: a free job would fill the
/// chain at nobody's cost.
pub const TASK_MIN_MIN: Amount = 1_000;

/// The highest least price of a task: a thousand ByteChips.
pub const TASK_MIN_MAX: Amount = 1_000 * BYTECHIP;

/// A further replica never costs more than the first.
pub const REPLICA_PERMILLE_MAX: u32 = 1_000;

/// A level never costs less than a tenth of the balanced price.
pub const LEVEL_PERMILLE_MIN: u32 = 100;

/// A level never costs more than ten times the balanced price.
pub const LEVEL_PERMILLE_MAX: u32 = 10_000;

const PERMILLE: u32 = 1_000;
const GIGA: u128 = 1_000_000_000;

/// A price is out of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PricesError {
    /// `gigafuel` is above [`GIGAFUEL_MAX`].
    Gigafuel,
    /// `task_min` is not between [`TASK_MIN_MIN`] and [`TASK_MIN_MAX`].
    TaskMin,
    /// `replica_permille` is above [`REPLICA_PERMILLE_MAX`].
    Replica,
    /// `low_permille` is not between [`LEVEL_PERMILLE_MIN`] and 1000.
    Low,
    /// `high_permille` is not between 1000 and [`LEVEL_PERMILLE_MAX`].
    High,
}

impl fmt::Display for PricesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gigafuel => write!(f, "set gigafuel to at most {GIGAFUEL_MAX} units"),
            Self::TaskMin => {
                write!(
                    f,
                    "set task_min between {TASK_MIN_MIN} and {TASK_MIN_MAX} units"
                )
            }
            Self::Replica => write!(f, "set replica_permille to at most {REPLICA_PERMILLE_MAX}"),
            Self::Low => {
                write!(
                    f,
                    "set low_permille between {LEVEL_PERMILLE_MIN} and {PERMILLE}"
                )
            }
            Self::High => {
                write!(
                    f,
                    "set high_permille between {PERMILLE} and {LEVEL_PERMILLE_MAX}"
                )
            }
        }
    }
}

impl core::error::Error for PricesError {}

/// Whether the council may set these prices.
pub fn check_prices(prices: &Prices) -> Result<(), PricesError> {
    let rules = [
        (prices.gigafuel <= GIGAFUEL_MAX, PricesError::Gigafuel),
        (
            (TASK_MIN_MIN..=TASK_MIN_MAX).contains(&prices.task_min),
            PricesError::TaskMin,
        ),
        (
            prices.replica_permille <= REPLICA_PERMILLE_MAX,
            PricesError::Replica,
        ),
        (
            (LEVEL_PERMILLE_MIN..=PERMILLE).contains(&prices.low_permille),
            PricesError::Low,
        ),
        (
            (PERMILLE..=LEVEL_PERMILLE_MAX).contains(&prices.high_permille),
            PricesError::High,
        ),
    ];
    rules
        .into_iter()
        .try_for_each(|(holds, error)| if holds { Ok(()) } else { Err(error) })
}

/// A task's price does not fit an amount. Cannot happen with prices that [`check_prices`] allows
/// and a submission within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceOverflow;

impl fmt::Display for PriceOverflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the price is larger than any amount; lower the fuel limit")
    }
}

impl core::error::Error for PriceOverflow {}

/// What the tasks of one job cost. Made once a job: a tariff that exists can price any fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tariff {
    rates: Rates,
    fuel_max: u64,
    task_cap: Amount,
    terms: Terms,
}

impl Tariff {
    /// What the tasks of this submission would cost at these prices, and by these terms pay.
    pub fn of_submission(
        prices: &Prices,
        terms: Terms,
        submission: &Submission,
    ) -> Result<Self, PriceOverflow> {
        let rates = Rates::new(prices, submission).ok_or(PriceOverflow)?;
        let fuel_max = submission.fuel_per_task_max;
        let task_cap = rates.price(fuel_max).ok_or(PriceOverflow)?;
        Ok(Self {
            rates,
            fuel_max,
            task_cap,
            terms,
        })
    }

    /// What the tasks of this job cost and pay, at the prices and by the terms it was submitted under.
    pub fn of_job(job: &Job) -> Result<Self, PriceOverflow> {
        Self::of_submission(&job.prices, job.terms, &job.submission)
    }

    /// The price of an accepted task whose agreeing replicas used this much fuel: never above
    /// [`Self::task_cap`], rounded down.
    pub fn price(&self, fuel: u64) -> Amount {
        // The price grows with fuel and was computed at the limit, so below it nothing overflows.
        self.rates
            .price(fuel.min(self.fuel_max))
            .unwrap_or(self.task_cap)
    }

    /// The most that one task can cost.
    pub fn task_cap(&self) -> Amount {
        self.task_cap
    }

    /// The bounty of a task of this price, see [`bounty`].
    pub fn bounty(&self, price: Amount) -> Amount {
        bounty(price, self.terms)
    }

    /// What each of the `agreeing` devices of a task of this price gets, see [`pays`].
    pub fn pays(&self, price: Amount, agreeing: u8) -> Amount {
        pays(price, agreeing, self.terms)
    }
}

/// The bounty of a task: the workers' share of its price, rounded down. The most that all workers of a
/// batch may get is the bounty of what the batch spends.
pub fn bounty(price: Amount, terms: Terms) -> Amount {
    floor_of(price, terms.workers_permille)
}

/// What each of the `agreeing` devices of a task gets: an equal share of the bounty, rounded down.
/// Nobody agreeing, nobody is paid.
pub fn pays(price: Amount, agreeing: u8, terms: Terms) -> Amount {
    bounty(price, terms)
        .checked_div(agreeing.into())
        .unwrap_or(0)
}

/// The numbers of the formula at the top of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates {
    gigafuel: Amount,
    task_min: Amount,
    level_permille: u32,
    replicas_permille: u32,
}

impl Rates {
    fn new(prices: &Prices, submission: &Submission) -> Option<Self> {
        let level_permille = match submission.level {
            ByteLevel::Low => prices.low_permille,
            ByteLevel::Balanced => PERMILLE,
            ByteLevel::High => prices.high_permille,
        };
        let further = u32::from(submission.agreement.replicas()).saturating_sub(1);
        let replicas_permille = prices
            .replica_permille
            .checked_mul(further)?
            .checked_add(PERMILLE)?;
        Some(Self {
            gigafuel: prices.gigafuel,
            task_min: prices.task_min,
            level_permille,
            replicas_permille,
        })
    }

    fn price(&self, fuel: u64) -> Option<Amount> {
        let by_fuel = self.gigafuel.checked_mul(fuel.into())?;
        let least = self.task_min.checked_mul(GIGA)?;
        let numerator = by_fuel
            .max(least)
            .checked_mul(self.level_permille.into())?
            .checked_mul(self.replicas_permille.into())?;
        let permille = Amount::from(PERMILLE);
        numerator.checked_div(GIGA.checked_mul(permille)?.checked_mul(permille)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::quote::tests::submission;
    use quern_primitives::job::Agreement;

    fn tariff(level: ByteLevel, agreement: Agreement) -> Tariff {
        let submission = Submission {
            level,
            agreement,
            ..submission()
        };
        Tariff::of_submission(&PRICES_AT_GENESIS, Terms::FIRST, &submission).unwrap()
    }

    #[test]
    fn a_gigafuel_at_level_balanced_costs_its_price() {
        let tariff = tariff(ByteLevel::Balanced, Agreement::Single);
        assert_eq!(tariff.price(1_000_000_000), BYTECHIP / 100);
        assert_eq!(tariff.price(2_000_000_000), BYTECHIP / 50);
    }

    #[test]
    fn level_and_replicas_multiply_the_price() {
        let three = Agreement::Majority { replicas: 3 };
        let fuel = 1_000_000_000;
        // 0.01 × 1.3 × 2.2 and 0.01 × 0.8 × 2.2 ByteChips.
        assert_eq!(tariff(ByteLevel::High, three).price(fuel), 28_600_000);
        assert_eq!(tariff(ByteLevel::Low, three).price(fuel), 17_600_000);
    }

    #[test]
    fn two_that_must_agree_cost_six_tenths_more_than_one() {
        let fuel = 1_000_000_000;
        let price = |agreement| tariff(ByteLevel::Balanced, agreement).price(fuel);
        assert_eq!(price(Agreement::Unanimous), 16_000_000);
        assert_eq!(price(Agreement::Adaptive), price(Agreement::Single));
    }

    #[test]
    fn replicas_that_are_added_cost_the_owner_nothing_more() {
        let price = tariff(ByteLevel::Balanced, Agreement::Unanimous).price(1_234_567_891);
        for agreeing in 1..=15 {
            let paid = pays(price, agreeing, Terms::FIRST) * Amount::from(agreeing);
            assert!(
                paid <= bounty(price, Terms::FIRST)
                    && bounty(price, Terms::FIRST) - paid < agreeing.into()
            );
        }
    }

    #[test]
    fn an_accepted_task_costs_at_least_the_least_price() {
        let tariff = tariff(ByteLevel::Balanced, Agreement::Single);
        assert_eq!(tariff.price(0), BYTECHIP / 10_000);
        assert_eq!(tariff.price(1), BYTECHIP / 10_000);
    }

    #[test]
    fn fuel_beyond_the_owners_limit_is_not_charged() {
        let tariff = tariff(ByteLevel::Balanced, Agreement::Single);
        assert_eq!(tariff.price(u64::MAX), tariff.task_cap());
    }

    #[test]
    fn the_bounty_is_shared_by_those_who_agree_and_rounds_down() {
        assert_eq!(bounty(10, Terms::FIRST), 7);
        assert_eq!(bounty(9, Terms::FIRST), 6);
        assert_eq!(pays(10, 3, Terms::FIRST), 2);
        assert_eq!(pays(10, 0, Terms::FIRST), 0);
        assert_eq!(bounty(Amount::MAX, Terms::FIRST), Amount::MAX / 10 * 7 + 3);
    }

    #[test]
    fn prices_out_of_bounds_are_refused_by_name() {
        let good = PRICES_AT_GENESIS;
        assert_eq!(check_prices(&good), Ok(()));
        let cases = [
            (
                Prices {
                    gigafuel: GIGAFUEL_MAX + 1,
                    ..good
                },
                PricesError::Gigafuel,
            ),
            (
                Prices {
                    task_min: TASK_MIN_MIN - 1,
                    ..good
                },
                PricesError::TaskMin,
            ),
            (
                Prices {
                    task_min: TASK_MIN_MAX + 1,
                    ..good
                },
                PricesError::TaskMin,
            ),
            (
                Prices {
                    replica_permille: 1_001,
                    ..good
                },
                PricesError::Replica,
            ),
            (
                Prices {
                    low_permille: 99,
                    ..good
                },
                PricesError::Low,
            ),
            (
                Prices {
                    low_permille: 1_001,
                    ..good
                },
                PricesError::Low,
            ),
            (
                Prices {
                    high_permille: 999,
                    ..good
                },
                PricesError::High,
            ),
            (
                Prices {
                    high_permille: 10_001,
                    ..good
                },
                PricesError::High,
            ),
        ];
        for (prices, error) in cases {
            assert_eq!(check_prices(&prices), Err(error));
        }
    }

    #[test]
    fn absurd_prices_overflow_into_an_error() {
        let prices = Prices {
            gigafuel: Amount::MAX,
            ..PRICES_AT_GENESIS
        };
        assert_eq!(
            Tariff::of_submission(&prices, Terms::FIRST, &submission()),
            Err(PriceOverflow)
        );
        let prices = Prices {
            replica_permille: u32::MAX,
            ..PRICES_AT_GENESIS
        };
        let nine = Agreement::Majority { replicas: 9 };
        let submission = Submission {
            agreement: nine,
            ..submission()
        };
        assert_eq!(
            Tariff::of_submission(&prices, Terms::FIRST, &submission),
            Err(PriceOverflow)
        );
    }
}
