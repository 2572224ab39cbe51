//! What a task may be worth, so that cheating with it loses.
//!
//! Those who cheat with a task hold as many of its replicas as decide it, `k`: of a majority just a quorum, for
//! the more of them lie, the more bonds they risk. What they may gain is what the owner pays for the task, `V`, outside
//! of the grid, and the workers' part `w` of it, which they are paid: some of it for work that others did, or that
//! they would have done and now save. That pay they keep whether they are found out or not. A share `a` of tasks is
//! computed again; then they gain nothing outside, and each device whose answer is wrong costs its account a bond. Of
//! that a part goes to who shows it, and that may be an accomplice: what they lose for certain is what is burnt of a
//! bond, `B`. So cheating loses, whatever honest work would cost and bring, if
//!
//! ```text
//! V (1 - a) + w V < a k B
//! ```
//!
//! That is the condition of [decision 9](../../../docs/adr/0009-agreement.md) where work costs all that it brings, with
//! pay that is kept, and with what cannot come back in the place of the whole bond; so where this holds that one does.
//! With `a` and `w` in thousandths it holds for every task of
//!
//! ```text
//! V <= (a k B - 1) / (1000 - a + w)
//! ```
//!
//! rounded down.
//!
//! Where nothing is computed again nothing makes cheating lose, so with `a = 0` no task may cost anything. The table of
//! [`quern_primitives::params`] has no such value.

use quern_primitives::{
    amount::{Amount, permille_of},
    job::Agreement,
    params::Params,
};

const PERMILLE: Amount = 1_000;

/// What is burnt of the bond that a wrong answer costs, whoever shows it.
pub fn burnt_of_bond(params: &Params) -> Amount {
    let bond = params.bond_per_device;
    // A part of it, so not more.
    bond.saturating_sub(permille_of(bond, params.winner_permille))
}

/// The most that a task may cost which is judged like this, so that cheating with it loses.
pub fn value_max(params: &Params, agreement: Agreement) -> Amount {
    let again = Amount::from(params.re_execution_permille);
    // A product that is larger than any amount makes the bound smaller than it could be.
    let loses = again
        .saturating_mul(agreement.quorum().into())
        .saturating_mul(burnt_of_bond(params));
    let gains = PERMILLE
        .saturating_sub(again)
        .saturating_add(params.workers_permille.into());
    // Workers have a part of what is spent, so somebody gains something.
    loses.saturating_sub(1).checked_div(gains).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use quern_primitives::{amount::BYTECHIP, params::Parameter};

    const THREE: Agreement = Agreement::Majority { replicas: 3 };

    fn params(again: u16, winner: u16, bond: Amount) -> Params {
        Params {
            re_execution_permille: again,
            winner_permille: winner,
            bond_per_device: bond,
            ..Params::FIRST
        }
    }

    #[test]
    fn on_a_new_chain_two_that_must_agree_may_have_tasks_of_a_bytechip_less_a_unit() {
        // (100 × 2 × 8 BC - 1) / 1600: of the bond of 10 BC eight are burnt.
        let most = value_max(&Params::FIRST, Agreement::Unanimous);
        assert_eq!(most, BYTECHIP - 1);
        let single = value_max(&Params::FIRST, Agreement::Single);
        assert_eq!(single, BYTECHIP / 2 - 1);
        assert_eq!(value_max(&Params::FIRST, Agreement::Adaptive), single);
        // Of three that answer two decide.
        assert_eq!(value_max(&Params::FIRST, THREE), most);
    }

    #[test]
    fn every_share_that_the_council_can_set_bounds_what_a_task_may_cost() {
        let row = Parameter::ReExecution.row();
        assert!(row.least > 0);
        for again in [row.least, row.first, row.most] {
            let again = u16::try_from(again).unwrap();
            let most = value_max(&params(again, 200, 10 * BYTECHIP), THREE);
            assert!(most > 0 && most < 24 * BYTECHIP, "{again}: {most}");
        }
    }

    #[test]
    fn where_nothing_is_computed_again_no_task_may_cost_anything() {
        assert_eq!(value_max(&params(0, 500, BYTECHIP), THREE), 0);
    }

    #[test]
    fn where_all_is_computed_again_what_a_cheat_saves_is_still_less_than_what_is_burnt() {
        let all = value_max(&params(1_000, 500, BYTECHIP), THREE);
        assert_eq!(all, (BYTECHIP * 1_000 - 1) / 700);
    }

    #[test]
    fn a_bond_of_which_nothing_is_burnt_protects_nothing() {
        assert_eq!(value_max(&params(10, 1_000, BYTECHIP), THREE), 0);
        assert_eq!(value_max(&params(10, 500, 0), THREE), 0);
    }

    #[test]
    fn a_bond_that_nobody_can_have_bounds_all_the_same() {
        assert!(value_max(&params(10, 500, Amount::MAX), THREE) < Amount::MAX);
    }

    /// What a coalition of so many replicas has in the end that cheats with a task, and has one of its own show it
    /// where it is found out: what it gains outside, all the pay, and the winner's part, less its bonds. In
    /// thousandths, over the share of tasks that is computed again.
    fn cheats(params: &Params, value: Amount, held: u8) -> i128 {
        let again = i128::from(params.re_execution_permille);
        let held = i128::from(held);
        let pay = permille_of(value, params.workers_permille) as i128;
        let bond = params.bond_per_device as i128;
        // As a court has it: the winner's part is rounded down.
        let winner = bond * i128::from(params.winner_permille) / 1_000;
        let stays = pay + value as i128;
        let is_found = pay + held * (winner - bond);
        (1_000 - again) * stays + again * is_found
    }

    /// Whether cheating loses for every coalition that can decide the task, also where honest work costs all that it
    /// brings.
    fn loses(params: &Params, agreement: Agreement, value: Amount) -> bool {
        (agreement.quorum()..=agreement.replicas()).all(|held| cheats(params, value, held) < 0)
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
        fn with_every_task_up_to_the_bound_cheating_loses_and_with_dearer_ones_it_does_not(
            again in 1u16..=1_000, winner in 0u16..=900, workers in 500u16..=900,
            bond in 1..=10_000 * BYTECHIP, agreement in agreement(), part in 0u128..=1_000,
        ) {
            let params = Params { workers_permille: workers, ..params(again, winner, bond) };
            let most = value_max(&params, agreement);
            for value in [most, most / 1_000 * part] {
                prop_assert!(loses(&params, agreement, value), "{value} of {most}");
            }
            // The pay is rounded down, which is worth less than a unit.
            prop_assert!(!loses(&params, agreement, most + 3), "{most}");
        }

        #[test]
        fn the_bound_holds_to_the_unit_for_small_bonds(
            again in 1u16..=1_000, winner in 0u16..=900, bond in 2u128..2_000, agreement in agreement(),
        ) {
            let params = params(again, winner, bond);
            let most = value_max(&params, agreement);
            for value in (0..=most).rev().take(200) {
                prop_assert!(loses(&params, agreement, value), "{value} of {most}");
            }
        }
    }
}
