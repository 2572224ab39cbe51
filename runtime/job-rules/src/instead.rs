//! What the chain would take in place of a job whose tasks are worth too much.
//!
//! A task costs the more the more fuel it may use, and the more replicas it has; it may cost more only where more
//! of them have to lie. So lower fuel always helps, and another agreement seldom: a second device that must agree
//! costs a part of the first, and its bond counts in full; of three one costs and does not count. Owners ask before
//! they submit; the chain itself only refuses.

use crate::quote::{QuoteError, quote};
use quern_primitives::{
    ids::BlockNumber,
    job::{Agreement, Prices, Submission},
    limits::REPLICAS_PER_TASK_MAX,
    params::Params,
};

/// What would be taken, if something would that differs in nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instead {
    /// The most fuel that a task may use.
    pub fuel_per_task_max: Option<u64>,
    /// The agreement of several that begins with the fewest replicas, of those that would be taken.
    pub agreement: Option<Agreement>,
}

impl Instead {
    /// What would be taken in place of a submission that is [worth too
    /// much](QuoteError::TaskWorthTooMuch).
    pub fn of(submission: &Submission, prices: &Prices, params: &Params, now: BlockNumber) -> Self {
        let is_taken = |submission: &Submission| {
            let quoted = quote(submission, prices, params, now);
            !matches!(quoted, Err(QuoteError::TaskWorthTooMuch { .. }))
        };
        let with_fuel = |fuel_per_task_max: u64| {
            is_taken(&Submission {
                fuel_per_task_max,
                ..submission.clone()
            })
        };
        let with_agreement = |agreement: &Agreement| {
            is_taken(&Submission {
                agreement: *agreement,
                ..submission.clone()
            })
        };
        Self {
            fuel_per_task_max: most_taken(submission.fuel_per_task_max, with_fuel),
            agreement: of_several().find(with_agreement),
        }
    }
}

/// The agreements of several, those with the fewest replicas first.
fn of_several() -> impl Iterator<Item = Agreement> {
    let majorities = (1..=REPLICAS_PER_TASK_MAX).map(|replicas| Agreement::Majority { replicas });
    core::iter::once(Agreement::Unanimous)
        .chain(majorities)
        .filter(|it| it.is_valid() && it.replicas() > 1)
}

/// The greatest number above zero and below one that is refused, up to which all are taken; none if all are
/// refused.
fn most_taken(refused: u64, is_taken: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut taken, mut refused) = (0_u64, refused);
    while refused.saturating_sub(taken) > 1 {
        let middle = taken.midpoint(refused);
        match is_taken(middle) {
            true => taken = middle,
            false => refused = middle,
        }
    }
    (taken > 0).then_some(taken)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{pay::PRICES_AT_GENESIS, quote::tests::submission, value::tests::agreement};
    use proptest::prelude::*;

    fn two_must_agree(fuel_per_task_max: u64) -> Submission {
        Submission {
            agreement: Agreement::Unanimous,
            fuel_per_task_max,
            ..submission()
        }
    }

    fn instead(submission: &Submission, params: &Params) -> Instead {
        Instead::of(submission, &PRICES_AT_GENESIS, params, 10)
    }

    #[test]
    fn where_little_is_missing_a_second_that_must_agree_helps_and_else_only_less_fuel() {
        // One costs 0.01 BC for 10⁹ units of fuel, and may cost half a ByteChip; two cost 0.016 BC, and may cost
        // twice as much.
        let single = Submission {
            agreement: Agreement::Single,
            ..two_must_agree(60_000_000_000)
        };
        let both = instead(&single, &Params::FIRST).agreement;
        assert_eq!(both, Some(Agreement::Unanimous));
        // Three cost more than two, and no more of them have to lie.
        let three = Submission {
            agreement: Agreement::Majority { replicas: 3 },
            ..two_must_agree(60_000_000_000)
        };
        let fewer = instead(&three, &Params::FIRST).agreement;
        assert_eq!(fewer, Some(Agreement::Unanimous));
        // Of five that cost 0.034 BC three have to.
        let fuel_per_task_max = Some(62_499_999_999);
        let expected = Instead {
            fuel_per_task_max,
            agreement: None,
        };
        let little = instead(&two_must_agree(64_000_000_000), &Params::FIRST);
        assert_eq!(little, expected);
        let much = instead(&two_must_agree(10_000_000_000_000), &Params::FIRST);
        assert_eq!(much, expected);
    }

    #[test]
    fn where_even_the_cheapest_task_is_worth_too_much_nothing_helps() {
        let worthless = Params {
            bond_per_device: 1,
            ..Params::FIRST
        };
        let none = Instead {
            fuel_per_task_max: None,
            agreement: None,
        };
        assert_eq!(instead(&submission(), &worthless), none);
    }

    proptest! {
        #[test]
        fn what_is_named_is_taken_and_nothing_that_is_nearer_to_what_was_asked_for(
            agreement in agreement(),
            fuel in 1u64..1_000_000_000_000,
            bond in 2u128..20_000_000_000,
            again in 0u16..=1_000,
        ) {
            let params = Params {
                bond_per_device: bond,
                re_execution_permille: again,
                ..Params::FIRST
            };
            let submission = Submission { agreement, ..two_must_agree(fuel) };
            let asked = |submission: &Submission| {
                quote(submission, &PRICES_AT_GENESIS, &params, 10)
            };
            let is_refused = matches!(asked(&submission), Err(QuoteError::TaskWorthTooMuch { .. }));
            prop_assume!(is_refused);
            let instead = instead(&submission, &params);
            let with_fuel = |fuel_per_task_max| Submission {
                fuel_per_task_max,
                ..submission.clone()
            };
            let taken = instead.fuel_per_task_max.unwrap_or(0);
            prop_assert!(taken < fuel);
            prop_assert!(taken == 0 || asked(&with_fuel(taken)).is_ok());
            prop_assert!(asked(&with_fuel(taken + 1)).is_err());
            let majority = |replicas| Agreement::Majority { replicas };
            let others = (1..=REPLICAS_PER_TASK_MAX).map(majority);
            for other in others.chain([Agreement::Unanimous]) {
                let more = Submission { agreement: other, ..submission.clone() };
                let is_named = instead.agreement == Some(other);
                prop_assert!(!is_named || asked(&more).is_ok());
                let named = instead.agreement.map_or(u8::MAX, |named| named.replicas());
                let is_nearer = (2..named).contains(&other.replicas());
                prop_assert!(!is_nearer || asked(&more).is_err());
            }
        }
    }
}
