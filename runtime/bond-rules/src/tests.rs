//! A bond against one that keeps each unit by itself.

use super::*;
use proptest::prelude::*;
use sp_core::ConstU32;
use std::collections::BTreeMap;

/// Amounts on their way out that may be.
const MOST: u32 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Bond(Amount),
    /// So much is let go until a block.
    Unbond(Amount, u32),
    Withdraw(u32),
    Take(Amount),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u128..20).prop_map(Step::Bond),
        3 => (1u128..10, 0u32..6).prop_map(|(amount, at)| Step::Unbond(amount, at)),
        1 => (0u32..6).prop_map(Step::Withdraw),
        1 => (0u128..25).prop_map(Step::Take),
    ]
}

#[derive(Default)]
struct Bond {
    active: Amount,
    unbonding: BoundedVec<Unbonding<u32>, ConstU32<MOST>>,
}

/// When each unit comes free: at once that which is active.
type Units = Vec<Option<u32>>;

fn count(units: &Units) -> (Amount, Vec<(u32, Amount)>) {
    let active = units.iter().filter(|unit| unit.is_none()).count();
    let mut leaving = BTreeMap::new();
    for at in units.iter().flatten() {
        *leaving.entry(*at).or_default() += 1;
    }
    (active as Amount, leaving.into_iter().collect())
}

/// Does the same to the units, one after the other. Returns what a bond should answer.
fn apply(units: &mut Units, step: Step) -> Result<Amount, NoRoom> {
    match step {
        Step::Bond(amount) => {
            units.extend((0..amount).map(|_| None));
            Ok(amount)
        }
        Step::Unbond(amount, at) => {
            let (active, leaving) = count(units);
            let is_new = leaving.iter().all(|(known, _)| *known != at);
            if is_new && leaving.len() == MOST as usize {
                return Err(NoRoom);
            }
            let amount = amount.min(active);
            for _ in 0..amount {
                if let Some(unit) = units.iter_mut().find(|unit| unit.is_none()) {
                    *unit = Some(at);
                }
            }
            Ok(amount)
        }
        Step::Withdraw(now) => {
            let before = units.len();
            units.retain(|unit| unit.is_none_or(|at| at > now));
            Ok((before - units.len()) as Amount)
        }
        Step::Take(wanted) => {
            let before = units.len();
            for _ in 0..wanted {
                // The active ones are before all others, and the last to be free before those.
                let first = units
                    .iter()
                    .enumerate()
                    .max_by_key(|(_, unit)| unit.map_or(u32::MAX, |at| at));
                if let Some((place, _)) = first {
                    units.remove(place);
                }
            }
            Ok((before - units.len()) as Amount)
        }
    }
}

fn step_of(bond: &mut Bond, step: Step) -> Result<Amount, NoRoom> {
    match step {
        Step::Bond(amount) => {
            bond.active += amount;
            Ok(amount)
        }
        Step::Unbond(amount, at) => {
            let amount = amount.min(bond.active);
            // Nothing is let go of nothing, which the pallets refuse beforehand.
            if amount == 0 && bond.unbonding.iter().all(|part| part.withdrawable_at != at) {
                let has_room = bond.unbonding.len() < MOST as usize;
                return if has_room { Ok(0) } else { Err(NoRoom) };
            }
            push(&mut bond.unbonding, amount, at)?;
            bond.active -= amount;
            Ok(amount)
        }
        Step::Withdraw(now) => Ok(take_due(&mut bond.unbonding, now)),
        Step::Take(wanted) => Ok(take(&mut bond.active, &mut bond.unbonding, wanted)),
    }
}

proptest! {
    #[test]
    fn a_bond_is_what_one_that_keeps_each_unit_by_itself_is(
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let (mut bond, mut units) = (Bond::default(), Units::new());
        for step in steps {
            prop_assert_eq!(step_of(&mut bond, step), apply(&mut units, step));
            let (active, leaving) = count(&units);
            let parts = bond.unbonding.iter().map(|part| (part.withdrawable_at, part.amount));
            prop_assert_eq!(bond.active, active);
            prop_assert_eq!(parts.collect::<Vec<_>>(), leaving);
            prop_assert_eq!(held(bond.active, &bond.unbonding), Some(units.len() as Amount));
        }
    }
}

#[test]
fn more_than_can_exist_is_not_held() {
    let part = Unbonding {
        amount: Amount::MAX,
        withdrawable_at: 1,
    };
    assert_eq!(held(1, &[part]), None);
    assert_eq!(held(0, &[part]), Some(Amount::MAX));
}
