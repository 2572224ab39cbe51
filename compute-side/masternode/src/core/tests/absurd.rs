//! Devices that tell absurd things of themselves, and transfers that take no time or for ever.

use super::world::{MAJORITY, World};
use crate::core::{Event, Measured};
use proptest::{option, prelude::*};
use quern_jobs_api::{DeviceExplanation, Rule};
use quern_primitives::device::Line;
use quern_protocol::{
    Exchange, Hello, Machine, State, Unavailable,
    limits::{MACHINE_TEXT_BYTES_MAX, UNAVAILABLE_MAX},
};

/// A grid's best score.
const SCORE_MAX: f64 = 2_700.0;

/// Of a megabyte so many thousandths are a mebibyte.
const MIB: u128 = 1_048_576;

/// What a device is found to be that tells this of its machine and its state, and of which this was
/// measured.
fn told(machine: &Machine, state: &State, measured: &[Measured]) -> DeviceExplanation {
    let mut world = World::new(1, MAJORITY, &[1]).lacking([0]);
    let device = world.workers[0].id();
    let hello = Hello {
        engines: world.workers[0].engines.clone(),
        machine: machine.clone(),
        ..Hello::default()
    };
    world.feed(Event::Hello {
        at: world.block,
        view: Box::new(world.view(0)),
        bond: world.bond,
        hello,
    });
    for measured in measured {
        let measured = *measured;
        world.feed(Event::Measured { device, measured });
    }
    let exchange = Exchange {
        state: Some(state.clone()),
        want: 1,
        ..Exchange::default()
    };
    world.send(0, exchange);
    world.wait_all_alive(2_000);
    world.core.explain_device(world.now, &device).unwrap()
}

/// The state without what no machine has, and how much of it that was.
fn without_the_absurd(state: &State) -> (State, usize) {
    let mut state = state.clone();
    let mut absurd = 0;
    let mut drop_if = |is_absurd: bool, drop: &mut dyn FnMut()| {
        if is_absurd {
            absurd += 1;
            drop();
        }
    };
    let megabytes = |mib: u64| u128::from(mib) * MIB / 1_000_000;
    let more_than = |mib: Option<u64>, most| mib.is_some_and(|mib| megabytes(mib) >= most);
    let no_share = |permille: Option<u16>| permille.is_some_and(|permille| permille > 1_000);
    let no_heat = |tenths: Option<i16>| tenths.is_some_and(|it| !(-900..=2_500).contains(&it));
    let found = [
        more_than(state.free_ram_mib, 1_000_000_000),
        more_than(state.free_storage_mib, 1_000_000_000_000),
        no_share(state.free_cpu_permille),
        no_share(state.battery_permille),
        no_heat(state.temperature_decicelsius),
    ];
    drop_if(found[0], &mut || state.free_ram_mib = None);
    drop_if(found[1], &mut || state.free_storage_mib = None);
    drop_if(found[2], &mut || state.free_cpu_permille = None);
    drop_if(found[3], &mut || state.battery_permille = None);
    drop_if(found[4], &mut || state.temperature_decicelsius = None);
    (state, absurd)
}

prop_compose! {
    fn states()(
        line in prop_oneof![Just(Line::Unknown), Just(Line::Fibre), Just(Line::Mobile)],
        [free_ram_mib, free_storage_mib, task_memory_mib] in [sizes(), sizes(), sizes()],
        [free_cpu_permille, battery_permille, task_cpu_permille] in [shares(), shares(), shares()],
        is_charging in option::of(any::<bool>()),
        temperature_decicelsius in option::of(prop_oneof![
            Just(i16::MIN),
            Just(i16::MAX),
            -900..=2_500i16,
            any::<i16>(),
        ]),
        unavailable in prop::collection::vec(prop::sample::select(&REASONS[..]), 0..=UNAVAILABLE_MAX),
    ) -> State {
        State {
            line,
            free_ram_mib,
            free_storage_mib,
            free_cpu_permille,
            battery_permille,
            is_charging,
            temperature_decicelsius,
            task_memory_mib,
            task_cpu_permille,
            unavailable,
        }
    }
}

/// Every reason for which a machine is not offered.
const REASONS: [Unavailable; 6] = [
    Unavailable::OutsideHours,
    Unavailable::NetworkNotAllowed,
    Unavailable::DataCapReached,
    Unavailable::InUse,
    Unavailable::BatteryLow,
    Unavailable::TooHot,
];

prop_compose! {
    fn machines()(
        cores in option::of(prop_oneof![Just(0), Just(u16::MAX), any::<u16>()]),
        [ram_mib, storage_mib] in [sizes(), sizes()],
        [operating_system, processor_maker, processor_family, processor_model, gpu] in
            [names(), names(), names(), names(), names()],
    ) -> Machine {
        Machine {
            operating_system,
            processor_maker,
            processor_family,
            processor_model,
            cores,
            gpu,
            ram_mib,
            storage_mib,
        }
    }
}

/// Names of parts of a machine: any bytes, for who tells them may be anybody.
fn names() -> impl Strategy<Value = Option<Vec<u8>>> {
    option::of(prop::collection::vec(
        any::<u8>(),
        0..=MACHINE_TEXT_BYTES_MAX,
    ))
}

fn sizes() -> impl Strategy<Value = Option<u64>> {
    let sizes = prop_oneof![Just(0), Just(u64::MAX), 0..1_000_000u64, any::<u64>()];
    option::of(sizes)
}

fn shares() -> impl Strategy<Value = Option<u16>> {
    option::of(prop_oneof![
        Just(0),
        Just(u16::MAX),
        0..=1_000u16,
        any::<u16>()
    ])
}

fn transfers() -> impl Strategy<Value = Measured> {
    let extremes = || prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>()];
    prop_oneof![
        extremes().prop_map(|ms| Measured::RoundTrip { ms }),
        (extremes(), extremes()).prop_map(|(bytes, ms)| Measured::Down { bytes, ms }),
        (extremes(), extremes()).prop_map(|(bytes, ms)| Measured::Up { bytes, ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_absurd_counts_as_not_told_and_the_owner_hears_of_each(
        machine in machines(),
        state in states(),
    ) {
        let (rest, absurd) = without_the_absurd(&state);
        // What the machine is stands in no formula, so it changes nothing either.
        let expected = told(&Machine::default(), &rest, &[]);
        let found = told(&machine, &state, &[]);
        prop_assert_eq!(found.state.parts, expected.state.parts);
        prop_assert_eq!(&found.state.flags, &expected.state.flags);
        let notes = found.reasons.iter();
        let notes = notes.filter(|reason| reason.rule == Rule::ReadingNotBelieved);
        prop_assert_eq!(notes.count(), absurd);
    }

    #[test]
    fn nothing_that_is_told_or_measured_gives_a_score_that_is_no_score(
        machine in machines(),
        state in states(),
        measured in prop::collection::vec(transfers(), 0..4),
    ) {
        let found = told(&machine, &state, &measured).state;
        // Both are shown as they were told.
        prop_assert_eq!(found.machine.cores, machine.cores.map(u64::from));
        prop_assert_eq!(found.machine.ram_mib, machine.ram_mib);
        prop_assert_eq!(found.machine.storage_mib, machine.storage_mib);
        prop_assert_eq!(found.claimed.task_memory_mib, state.task_memory_mib);
        prop_assert!((0.0..=SCORE_MAX).contains(&found.score), "{}", found.score);
        prop_assert!((0.0..=1.0).contains(&found.fault_rate));
    }
}
