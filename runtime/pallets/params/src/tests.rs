//! The pallet's tests. The table itself is tested where it is.

mod model;

use crate::{Current, Error, Event, mock::*};
use frame_support::{assert_noop, assert_ok};
use quern_primitives::{
    amount::BYTECHIP,
    params::{self, Parameter},
};
use sp_runtime::DispatchError;

fn council() -> RuntimeOrigin {
    RuntimeOrigin::root()
}

#[test]
fn a_new_chain_has_the_first_value_of_every_line() {
    on_new_chain(|| assert_eq!(Params::current(), params::Params::FIRST));
}

#[test]
fn the_council_sets_one_parameter_and_the_others_stay() {
    on_new_chain(|| {
        let bond = 25 * BYTECHIP;
        assert_ok!(Params::set(council(), Parameter::BondPerDevice, bond));
        let expected = params::Params {
            bond_per_device: bond,
            ..params::Params::FIRST
        };
        assert_eq!(Params::current(), expected);
        let event = Event::ParameterSet {
            parameter: Parameter::BondPerDevice,
            before: 10 * BYTECHIP,
            value: bond,
        };
        System::assert_last_event(RuntimeEvent::Params(event));
    });
}

#[test]
fn nobody_else_sets_anything() {
    on_new_chain(|| {
        for origin in [RuntimeOrigin::signed(1), RuntimeOrigin::none()] {
            let call = Params::set(origin, Parameter::ReExecution, 1);
            assert_noop!(call, DispatchError::BadOrigin);
        }
    });
}

#[test]
fn a_value_beyond_its_bounds_is_refused() {
    on_new_chain(|| {
        for parameter in Parameter::ALL.iter().copied() {
            for value in [parameter.row().most + 1, u128::MAX] {
                let call = Params::set(council(), parameter, value);
                assert_noop!(call, Error::<Test>::OutOfBounds);
            }
        }
        let call = Params::set(council(), Parameter::BondPerDevice, 0);
        assert_noop!(call, Error::<Test>::OutOfBounds);
    });
}

#[test]
fn shares_that_leave_nothing_to_the_treasury_are_refused() {
    on_new_chain(|| {
        let call = Params::set(council(), Parameter::WorkersShare, 800);
        assert_noop!(call, Error::<Test>::SharesTooLarge);
        assert_ok!(Params::set(council(), Parameter::OperatorsShare, 150));
        assert_ok!(Params::set(council(), Parameter::WorkersShare, 800));
    });
}

#[test]
fn values_that_nobody_could_set_are_found() {
    genesis(&[]).execute_with(|| {
        Current::<Test>::put(params::Params {
            workers_permille: 999,
            ..params::Params::FIRST
        });
        assert!(Params::do_try_state().is_err());
    });
}

#[test]
fn a_genesis_names_the_values_that_are_not_the_first_ones() {
    let values = [
        ("re-execution", 1),
        ("workers-share", 800),
        ("operators-share", 150),
    ];
    genesis(&values).execute_with(|| {
        let expected = params::Params {
            re_execution_permille: 1,
            workers_permille: 800,
            operators_permille: 150,
            ..params::Params::FIRST
        };
        assert_eq!(Params::current(), expected);
    });
}

#[test]
#[should_panic(expected = "the genesis sets `day`, which is no parameter")]
fn a_genesis_with_an_unknown_name_is_refused() {
    genesis(&[("day", 1)]);
}

#[test]
#[should_panic(expected = "the genesis has a value out of its bounds")]
fn a_genesis_with_a_value_out_of_bounds_is_refused() {
    genesis(&[("re-execution", 1_001)]);
}
