//! Flags as a set, and those of a device as the published design lists them.

use super::*;
use crate::{
    Tick,
    faults::model::{History, ending},
    measure::Readings,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn flag() -> impl Strategy<Value = Flag> {
    prop::sample::select(Flag::ALL.to_vec())
}

proptest! {
    #[test]
    fn flags_are_a_set(
        changes in prop::collection::vec((flag(), 0u8..3, any::<bool>()), 0..40),
        others in prop::collection::vec(flag(), 0..6),
    ) {
        let (mut flags, mut set) = (Flags::NONE, BTreeSet::new());
        for (flag, what, applies) in changes {
            match what {
                0 => {
                    flags = flags.without(flag);
                    set.remove(&flag);
                }
                _ => {
                    flags = flags.with(flag, applies);
                    if applies {
                        set.insert(flag);
                    }
                }
            }
            prop_assert!(flags.iter().eq(set.iter().copied()));
            prop_assert_eq!(flags.is_empty(), set.is_empty());
            prop_assert!(Flag::ALL.iter().all(|flag| flags.has(*flag) == set.contains(flag)));
        }
        let both = flags.and(others.iter().copied().collect());
        set.extend(others);
        prop_assert_eq!(both, set.into_iter().collect::<Flags>());
    }

    /// Charge in thousandths and temperature in tenths of a degree, for they are known no finer.
    #[test]
    fn a_device_has_the_flags_that_its_charge_its_heat_and_its_faults_raise(
        charge in prop::option::of(prop_oneof![95u16..105, 0u16..=1_000]),
        is_charging in prop::option::of(any::<bool>()),
        heat in prop::option::of(prop_oneof![480i16..500, -900i16..=2_500]),
        heat_max in prop_oneof![Just(TEMPERATURE_DECICELSIUS_PUBLISHED), any::<i16>()],
        endings in prop::collection::vec(ending(), 0..40),
    ) {
        let mut vitals = Vitals::default();
        let readings = Readings {
            battery_percent: charge.map(|permille| f64::from(permille) / 10.0),
            is_charging,
            temperature_celsius: heat.map(|tenths| f64::from(tenths) / 10.0),
            ..Readings::default()
        };
        prop_assert_eq!(vitals.update(Tick(0), &readings), vec![]);
        let (mut faults, mut history) = (Faults::default(), History::default());
        for ending in endings {
            faults.note(Tick(0), ending);
            history.note(Tick(0), ending);
        }
        let mut expected = vec![];
        if history.is_repeated() {
            expected.push(Flag::RepeatedFailures);
        }
        if charge.is_some_and(|permille| permille < 100) && is_charging != Some(true) {
            expected.push(Flag::BatteryLow);
        }
        if heat.is_some_and(|tenths| tenths > heat_max) {
            expected.push(Flag::TooHot);
        }
        let found = Flags::of(&vitals, &faults, heat_max);
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }
}
