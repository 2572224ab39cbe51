//! What a task may be worth, so that cheating with it loses.
//!
//! Those who cheat with a task hold the `k` replicas that it starts with. Each brings the reward `r` and,
//! if its answer is found to be wrong, costs the bond `S` of a device. What they gain beside it is at most
//! `V`, what the owner pays for the task. A share `a` of tasks is computed again. Computing costs a cheat
//! nothing, so cheating loses if
//!
//! ```text
//! a > V / (k (S + r) + V),  that is  V (1 - a) < a k (S + r)
//! ```
//!
//! The rewards together are the task's bounty in equal shares, rounded down: `k r > w V - k`, where `w` is
//! the workers' share. With `a` and `w` in thousandths it follows that cheating loses with every task of
//!
//! ```text
//! V <= 1000 a k (S - 1) / (1000000 - a (1000 + w))
//! ```
//!
//! rounded down. Where the divisor is not above zero, so much is computed again that it loses with any.
//!
//! With `a = 0` no answer is looked at again: nothing makes cheating lose, so a bound would refuse every
//! job, and there is none.

use quern_primitives::{amount::Amount, job::Agreement, params::Params};

const PERMILLE: Amount = 1_000;

/// The most that a task may cost which is judged like this, so that cheating with it loses. None if
/// there is no bound.
pub fn value_max(params: &Params, agreement: Agreement) -> Option<Amount> {
    let again = Amount::from(params.re_execution_permille);
    if again == 0 {
        return None;
    }
    let workers = Amount::from(params.workers_permille);
    // Neither can overflow: both are of 16 bits. Below zero there is no bound.
    let gains = PERMILLE
        .saturating_mul(PERMILLE)
        .checked_sub(again.saturating_mul(PERMILLE.saturating_add(workers)))?;
    let at_stake = params.bond_per_device.saturating_sub(1);
    // A product that is larger than any amount makes the bound smaller than it could be.
    let loses = PERMILLE
        .saturating_mul(again)
        .saturating_mul(agreement.replicas().into())
        .saturating_mul(at_stake);
    loses.checked_div(gains)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::pay;
    use proptest::prelude::*;
    use quern_primitives::amount::BYTECHIP;

    const THREE: Agreement = Agreement::Majority { replicas: 3 };

    fn params(again: u16, workers: u16, bond: Amount) -> Params {
        Params {
            re_execution_permille: again,
            workers_permille: workers,
            bond_per_device: bond,
            ..Params::FIRST
        }
    }

    #[test]
    fn on_a_new_chain_two_that_must_agree_may_have_tasks_of_two_bytechips_and_more() {
        // 1000 × 100 × 2 × (10 BC - 1) / (1000000 - 100 × 1700).
        let most = value_max(&Params::FIRST, Agreement::Unanimous).unwrap();
        assert_eq!(most, 2_409_638_553);
        let single = value_max(&Params::FIRST, Agreement::Single).unwrap();
        assert_eq!(single, most / 2);
        assert_eq!(value_max(&Params::FIRST, Agreement::Adaptive), Some(single));
        assert_eq!(value_max(&Params::FIRST, THREE), Some(3_614_457_830));
    }

    #[test]
    fn where_nothing_is_computed_again_there_is_no_bound() {
        assert_eq!(value_max(&params(0, 700, BYTECHIP), THREE), None);
        assert_eq!(value_max(&params(0, 700, 1), THREE), None);
    }

    #[test]
    fn where_all_is_computed_again_there_is_no_bound_either() {
        assert_eq!(value_max(&params(1_000, 500, 1), THREE), None);
        // 588 thousandths and seven tenths to workers are just below it, 589 just above.
        assert!(value_max(&params(588, 700, BYTECHIP), THREE).is_some());
        assert_eq!(value_max(&params(589, 700, BYTECHIP), THREE), None);
    }

    #[test]
    fn a_bond_of_one_unit_protects_nothing() {
        assert_eq!(value_max(&params(10, 700, 1), THREE), Some(0));
    }

    #[test]
    fn a_bond_that_nobody_can_have_bounds_all_the_same() {
        assert!(value_max(&params(10, 700, Amount::MAX), THREE).is_some());
    }

    /// Whether cheating with a task of this value loses, in whole numbers and with the rewards that are
    /// really paid.
    fn loses(params: &Params, agreement: Agreement, value: Amount) -> bool {
        let (a, k) = (
            Amount::from(params.re_execution_permille),
            agreement.replicas(),
        );
        let reward = pay::pays(value, k, params.terms());
        value * (1_000 - a) < a * Amount::from(k) * (params.bond_per_device + reward)
    }

    pub(crate) fn agreement() -> impl Strategy<Value = Agreement> {
        prop_oneof![
            Just(Agreement::Single),
            Just(Agreement::Unanimous),
            Just(Agreement::Adaptive),
            (1u8..=7).prop_map(|half| Agreement::Majority {
                replicas: 2 * half + 1
            }),
        ]
    }

    proptest! {
        #[test]
        fn with_every_task_up_to_the_bound_cheating_loses_and_with_dearer_ones_it_wins(
            again in 1u16..=400, workers in 500u16..=900, bond in BYTECHIP..=10_000 * BYTECHIP,
            agreement in agreement(), part in 0u128..=1_000,
        ) {
            let params = params(again, workers, bond);
            let most = value_max(&params, agreement).unwrap();
            for value in [most, most / 1_000 * part] {
                prop_assert!(loses(&params, agreement, value), "{value} of {most}");
            }
            // What rounding takes from the bound is less than a millionth.
            let dearer = most + most / 1_000_000 + 1;
            prop_assert!(!loses(&params, agreement, dearer), "{dearer}");
        }

        #[test]
        fn the_bound_holds_to_the_unit_for_small_bonds(
            again in 1u16..=1_000, workers in 500u16..=900, bond in 1u128..2_000,
            agreement in agreement(),
        ) {
            let params = params(again, workers, bond);
            let Some(most) = value_max(&params, agreement) else { return Ok(()) };
            for value in (0..=most).rev().take(200) {
                prop_assert!(loses(&params, agreement, value), "{value} of {most}");
            }
        }
    }
}
