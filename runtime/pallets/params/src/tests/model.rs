//! Any sequence of calls against a model: a number for each name.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Least and most of each parameter, as the specification has them.
const BOUNDS: [(Parameter, u128, u128); 18] = [
    (Parameter::WorkersShare, 500, 900),
    (Parameter::OperatorsShare, 50, 400),
    (Parameter::ReExecution, 1, 1_000),
    (Parameter::BondPerDevice, 1, 10_000_000_000_000),
    (Parameter::Window, 1, 302_400),
    (Parameter::DisputeBond, 1, 1_000_000_000_000),
    (Parameter::WinnersShare, 0, 900),
    (Parameter::AnswerTime, 15, 43_200),
    (Parameter::BondPerMasternode, 1, 1_000_000_000_000_000),
    (Parameter::GroupSize, 1, 7),
    (Parameter::Stall, 15, 43_200),
    (Parameter::StoragePrice, 1, 1_000_000_000),
    (Parameter::StoragePeriod, 15, 302_400),
    (Parameter::StorageNotice, 0, 720),
    (Parameter::ChallengeTime, 15, 900),
    (Parameter::ChallengeBond, 1, 1_000_000_000_000),
    (Parameter::MissedPiece, 1, 10_000_000_000_000),
    (Parameter::BondPerExposure, 1_000, 10_000),
];

/// One parameter, and a value in or near its bounds.
fn step() -> impl Strategy<Value = (Parameter, u128)> {
    let near = (0..BOUNDS.len()).prop_flat_map(|place| {
        let (parameter, least, most) = BOUNDS[place];
        let value = prop_oneof![
            6 => least..=most,
            1 => Just(most + 1),
            1 => Just(least.saturating_sub(1)),
        ];
        (Just(parameter), value)
    });
    prop_oneof![
        20 => near,
        1 => ((0..BOUNDS.len()), any::<u128>()).prop_map(|(place, value)| (BOUNDS[place].0, value)),
    ]
}

proptest! {
    #[test]
    fn any_sequence_of_calls_leaves_what_the_model_says(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.9)), 1..60),
    ) {
        let mut model: BTreeMap<Parameter, u128> = BOUNDS
            .iter()
            .map(|(parameter, ..)| (*parameter, parameter.row().first))
            .collect();
        genesis(&[]).execute_with(|| {
            for ((parameter, value), is_council) in steps {
                let origin = if is_council { council() } else { RuntimeOrigin::signed(1) };
                let called = Params::set(origin, parameter, value);
                let fits = BOUNDS.iter().any(|(of, least, most)| {
                    *of == parameter && (*least..=*most).contains(&value)
                });
                let mut after = model.clone();
                after.insert(parameter, value);
                let leaves_a_part = fits
                    && after[&Parameter::WorkersShare] + after[&Parameter::OperatorsShare] <= 950;
                let expected = match (is_council, fits, leaves_a_part) {
                    (false, ..) => Err(DispatchError::BadOrigin),
                    (_, false, _) => Err(Error::<Test>::OutOfBounds.into()),
                    (_, _, false) => Err(Error::<Test>::SharesTooLarge.into()),
                    _ => {
                        model = after;
                        Ok(())
                    }
                };
                prop_assert_eq!(called, expected);
                for (parameter, value) in &model {
                    prop_assert_eq!(Params::current().get(*parameter), *value);
                }
                Params::do_try_state().unwrap();
            }
            Ok(())
        })?;
    }
}
