//! What a payment buys.

use quern_primitives::{Amount, amount::BYTECHIP};

/// Cents of one dollar.
const CENTS_PER_DOLLAR: Amount = 100;

/// What one cent buys at a rate of one ByteChip for a dollar.
const UNITS_PER_CENT: Amount = BYTECHIP / CENTS_PER_DOLLAR;

const _: () = assert!(
    UNITS_PER_CENT * CENTS_PER_DOLLAR == BYTECHIP,
    "a hundredth of a ByteChip is a whole number of units, so no payment is rounded"
);

/// What `cents` US cents buy at `bytechips_per_dollar`: `cents x rate / 100` ByteChips, in the
/// smallest unit. Exact: a ByteChip has more decimal places than a dollar, so nothing is rounded.
/// `None` when the amount is larger than any that can exist.
pub fn bytechips_for(cents: u64, bytechips_per_dollar: u32) -> Option<Amount> {
    Amount::from(cents)
        .checked_mul(Amount::from(bytechips_per_dollar))?
        .checked_mul(UNITS_PER_CENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dollar_buys_two_hundred_bytechips_at_the_first_rate() {
        assert_eq!(bytechips_for(100, 200), Some(200 * BYTECHIP));
        assert_eq!(bytechips_for(1, 200), Some(2 * BYTECHIP));
        assert_eq!(bytechips_for(1, 1), Some(BYTECHIP / 100));
    }

    #[test]
    fn even_the_largest_payment_at_the_highest_rate_can_be_counted() {
        assert!(bytechips_for(u64::MAX, u32::MAX).is_some());
    }

    proptest! {
        #[test]
        fn two_payments_buy_what_one_of_their_sum_buys(one: u32, other: u32, rate: u32) {
            let apart = bytechips_for(one.into(), rate)
                .zip(bytechips_for(other.into(), rate))
                .map(|(one, other)| one + other);
            prop_assert_eq!(apart, bytechips_for(u64::from(one) + u64::from(other), rate));
        }
    }
}
