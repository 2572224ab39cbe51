//! What a period of a piece costs, and who gets what of it.
//!
//! The price is the rate times the piece's bytes, rounded down. It is paid for a period in which the holder has
//! proved the piece, once, and as long as the period is not too far back; what is never paid stays in the
//! escrow. Holder and operators get thousandths of it, rounded down, and the treasury the rest.

use core::fmt;
use quern_primitives::{
    amount::{Amount, floor_of},
    custody::{Contract, Escrow, Holding, PaidPeriods, Terms},
    ids::{BlockNumber, Period},
    limits::PAYABLE_PERIODS,
};

/// The rate is for so many bytes.
const RATED_BYTES: Amount = 1 << 30;

/// The period that a block of the clock of finality is in. Terms that may be have periods of a block or more.
pub fn period_at(terms: &Terms, now: BlockNumber) -> Period {
    now.checked_div(terms.period_blocks).unwrap_or_default()
}

/// What a period of so many bytes costs; none if that is more than any amount.
pub fn price(terms: &Terms, bytes: u64) -> Option<Amount> {
    let all = terms.rate.checked_mul(bytes.into())?;
    all.checked_div(RATED_BYTES)
}

/// The parts of a price. They always add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// What the holder's account gets.
    pub holder: Amount,
    /// What the operators get.
    pub operators: Amount,
    /// What the treasury gets.
    pub treasury: Amount,
}

impl Split {
    /// Divides a price; none if the terms give away more than there is.
    pub fn of(price: Amount, terms: &Terms) -> Option<Self> {
        let holder = floor_of(price, terms.holders_permille);
        let operators = floor_of(price, terms.operators_permille);
        let treasury = price.checked_sub(holder)?.checked_sub(operators)?;
        Some(Self {
            holder,
            operators,
            treasury,
        })
    }
}

/// Why a period of a piece is not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayError {
    /// It has not begun.
    NotYet {
        /// The period that it is now.
        now: Period,
    },
    /// It is too far back.
    TooLate {
        /// The first period that is not.
        from: Period,
    },
    /// The piece was not held then.
    NotHeld {
        /// The first period in which it was.
        since: Period,
        /// The first in which it was not any more.
        until: Period,
    },
    /// It is paid.
    Paid,
    /// The escrow has less than it should; nothing moves.
    Escrow,
}

impl fmt::Display for PayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet { now } => {
                write!(f, "it is period {now}; wait until the one to pay begins")
            }
            Self::TooLate { from } => {
                write!(
                    f,
                    "periods are paid from {from} on; leave out what is before"
                )
            }
            Self::NotHeld { since, until } => write!(
                f,
                "the piece is held from period {since} until {until}; name one of these"
            ),
            Self::Paid => f.write_str("the period is paid already; leave it out"),
            Self::Escrow => f.write_str("the escrow is short of what is reserved; report this"),
        }
    }
}

impl core::error::Error for PayError {}

/// A period that is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The contract afterwards.
    pub contract: Contract,
    /// The holding afterwards.
    pub holding: Holding,
    /// Who gets what.
    pub split: Split,
}

/// Pays a period of a piece that the holder has proved.
pub fn pay(
    contract: &Contract,
    holding: &Holding,
    period: Period,
    now: BlockNumber,
) -> Result<Payment, PayError> {
    check_payable(contract, holding, period, now)?;
    let split = Split::of(holding.price, &contract.terms).ok_or(PayError::Escrow)?;
    let escrow = paid_out(&contract.escrow, holding.price, &split).ok_or(PayError::Escrow)?;
    Ok(Payment {
        contract: Contract {
            escrow,
            ..contract.clone()
        },
        holding: Holding {
            paid: with(&holding.paid, period).ok_or(PayError::Escrow)?,
            ..holding.clone()
        },
        split,
    })
}

/// Whether a period of a piece may be paid now.
fn check_payable(
    contract: &Contract,
    holding: &Holding,
    period: Period,
    now: BlockNumber,
) -> Result<(), PayError> {
    let now = period_at(&contract.terms, now);
    if period > now {
        return Err(PayError::NotYet { now });
    }
    if !is_payable(period, now) {
        let from = now.saturating_sub(PAYABLE_PERIODS).saturating_add(1);
        return Err(PayError::TooLate { from });
    }
    let (since, until) = (holding.since, until(contract, holding));
    if !(since..until).contains(&period) {
        return Err(PayError::NotHeld { since, until });
    }
    if is_paid(&holding.paid, period) {
        return Err(PayError::Paid);
    }
    Ok(())
}

/// Whether a period that has begun is not too far back.
pub(crate) fn is_payable(period: Period, now: Period) -> bool {
    now.saturating_sub(period) < PAYABLE_PERIODS
}

/// The first period in which a piece is not held any more.
pub fn until(contract: &Contract, holding: &Holding) -> Period {
    holding.until.unwrap_or(contract.ends)
}

/// Whether a period is paid. What is more than 64 periods before the newest that is counts as such.
pub fn is_paid(paid: &PaidPeriods, period: Period) -> bool {
    let age = paid.newest.checked_sub(period).filter(|_| paid.count > 0);
    let bit = |age| paid.bits.checked_shr(age).unwrap_or(1) & 1;
    age.is_some_and(|age| bit(age) == 1)
}

/// Adds a period that is not paid yet.
fn with(paid: &PaidPeriods, period: Period) -> Option<PaidPeriods> {
    let count = paid.count.checked_add(1)?;
    if paid.count > 0 && period <= paid.newest {
        let age = paid.newest.checked_sub(period)?;
        return Some(PaidPeriods {
            count,
            bits: paid.bits | 1u64.checked_shl(age)?,
            ..*paid
        });
    }
    let ahead = period.saturating_sub(paid.newest);
    Some(PaidPeriods {
        count,
        newest: period,
        bits: paid.bits.checked_shl(ahead).unwrap_or(0) | 1,
    })
}

fn paid_out(escrow: &Escrow, price: Amount, split: &Split) -> Option<Escrow> {
    let network = split.operators.checked_add(split.treasury)?;
    Some(Escrow {
        paid: escrow.paid.checked_add(split.holder)?,
        network: escrow.network.checked_add(network)?,
        held: escrow.held.checked_sub(price)?,
        reserved: escrow.reserved.checked_sub(price)?,
        ..*escrow
    })
}

/// What a price comes to over so many periods.
pub(crate) fn over(price: Amount, periods: u32) -> Option<Amount> {
    price.checked_mul(periods.into())
}

/// What is held and not reserved.
pub fn unreserved(escrow: &Escrow) -> Amount {
    // No more is ever reserved than is held.
    escrow.held.saturating_sub(escrow.reserved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn terms(rate: Amount) -> Terms {
        Terms {
            period_blocks: 10,
            answer_blocks: 5,
            notice_periods: 1,
            rate,
            holders_permille: 700,
            operators_permille: 200,
            challenge_bond: 1,
            slash: 1,
            winner_permille: 500,
        }
    }

    #[test]
    fn a_price_is_rate_times_bytes_rounded_down() {
        let gib = 1 << 30;
        assert_eq!(price(&terms(7), gib), Some(7));
        assert_eq!(price(&terms(7), gib / 7), Some(0));
        assert_eq!(price(&terms(7), gib / 7 + 1), Some(1));
        assert_eq!(price(&terms(3), gib / 2), Some(1));
        assert_eq!(price(&terms(0), gib), Some(0));
        assert_eq!(price(&terms(Amount::MAX), 1), Some(Amount::MAX >> 30));
        assert_eq!(price(&terms(Amount::MAX), 2), None);
    }

    #[test]
    fn what_rounding_leaves_is_the_treasurys() {
        let split = |price| Split::of(price, &terms(1)).unwrap();
        let parts = |holder, operators, treasury| Split {
            holder,
            operators,
            treasury,
        };
        assert_eq!(split(1_000), parts(700, 200, 100));
        assert_eq!(split(99), parts(69, 19, 11));
        assert_eq!(split(1), parts(0, 0, 1));
        assert_eq!(split(0), Split::default());
        let greedy = Terms {
            holders_permille: 900,
            ..terms(1)
        };
        assert_eq!(Split::of(1_000, &greedy), None);
    }

    proptest! {
        #[test]
        fn the_parts_of_a_price_add_up(price: u128, holders in 0u16..=1_000, operators in 0u16..=1_000) {
            let terms = Terms {
                holders_permille: holders,
                operators_permille: operators,
                ..terms(1)
            };
            let Some(Split { holder, operators: network, treasury }) = Split::of(price, &terms) else {
                prop_assert!(holders + operators > 1_000);
                return Ok(());
            };
            let sum = holder.checked_add(network).and_then(|sum| sum.checked_add(treasury));
            prop_assert_eq!(sum, Some(price));
        }

        #[test]
        fn each_period_is_paid_once_in_whatever_order(
            steps in prop::collection::vec((0u32..5, 0u32..PAYABLE_PERIODS), 1..80),
        ) {
            let (mut paid, mut plain) = (PaidPeriods::default(), BTreeSet::new());
            let mut now = PAYABLE_PERIODS;
            for (ahead, back) in steps {
                now += ahead;
                let period = now - back;
                prop_assert_eq!(is_paid(&paid, period), plain.contains(&period));
                if plain.insert(period) {
                    paid = with(&paid, period).unwrap();
                }
                prop_assert!(is_paid(&paid, period));
                prop_assert_eq!(paid.count as usize, plain.len());
                prop_assert_eq!(Some(&paid.newest), plain.last());
            }
        }
    }
}
