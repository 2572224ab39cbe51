//! Devices and jobs spelled out, and the target subset as a filter over a list of all devices.

use super::*;
use crate::{
    pools::{PoolLimits, Target},
    ranking::{Abilities, Ranking},
};
use proptest::prelude::*;

/// What a job requires, with nothing packed. Kinds are those that will do; none where any will.
#[derive(Clone, Debug)]
struct Requires {
    hardware: Option<Vec<Hardware>>,
    regions: Option<Vec<Region>>,
    lines: Option<Vec<Option<Connection>>>,
    trusted: bool,
    gpu: bool,
    class: Class,
    version_min: u16,
    points_min: u16,
    gain: u128,
    memory_bytes: u64,
}

/// What a device has.
#[derive(Clone, Debug)]
struct Has {
    hardware: Hardware,
    region: Region,
    line: Option<Connection>,
    is_trusted: bool,
    has_gpu: bool,
    classes: Vec<Class>,
    version: u16,
    processor: Score,
    bond: u128,
    /// None where it does not say.
    memory_mib: Option<u64>,
}

/// An amount as its first binary digits and zeros, so many that nothing but zeros is lost, or else
/// rounded; none where rounding up makes more than there is.
fn rounded(amount: u128, digits: u32, up: bool) -> Option<u128> {
    let mut step: u128 = 1;
    while amount / step >= 1 << digits {
        step *= 2;
    }
    let steps = match up {
        true => amount.div_ceil(step),
        false => amount / step,
    };
    steps.checked_mul(step)
}

/// In MiB, up to what counts as any.
fn memory(mib: u64, up: bool) -> u128 {
    const ANY: u128 = 240 * 1_024;
    rounded(mib.into(), 4, up).map_or(ANY, |mib| mib.min(ANY))
}

impl Requires {
    /// Whatever a device lacks, in the order in which it is told.
    fn lacking(&self, device: &Has) -> Vec<Lack> {
        fn is_wrong<K: PartialEq>(allowed: &Option<Vec<K>>, kind: &K) -> bool {
            allowed.as_ref().is_some_and(|kinds| !kinds.contains(kind))
        }
        let points = (device.processor.points().floor() as u16).min(511);
        let covered = rounded(device.bond, 6, false);
        let allowed = device.memory_mib.unwrap_or(u64::MAX);
        let needed_mib = self.memory_bytes.div_ceil(1 << 20);
        let lacks = [
            (Lack::Class, !device.classes.contains(&self.class)),
            (Lack::Version, device.version < self.version_min),
            (Lack::Trust, self.trusted && !device.is_trusted),
            (Lack::Region, is_wrong(&self.regions, &device.region)),
            (Lack::Hardware, is_wrong(&self.hardware, &device.hardware)),
            (Lack::Gpu, self.gpu && !device.has_gpu),
            (Lack::Connection, is_wrong(&self.lines, &device.line)),
            (Lack::Processor, points < self.points_min),
            (
                Lack::Memory,
                memory(allowed, false) < memory(needed_mib, true),
            ),
            (
                Lack::Bond,
                rounded(self.gain, 6, true).is_none_or(|gain| covered < Some(gain)),
            ),
        ];
        let lacking = lacks.into_iter().filter(|(_, lacks)| *lacks);
        lacking.map(|(lack, _)| lack).collect()
    }

    fn needs(&self) -> Needs {
        fn allowed<K: Kind>(kinds: &Option<Vec<K>>) -> Allowed<K> {
            let only = |kinds: &Vec<K>| Allowed::only(kinds.iter().copied());
            kinds.as_ref().map_or(Allowed::ANY, only)
        }
        Needs {
            hardware: allowed(&self.hardware),
            regions: allowed(&self.regions),
            connections: allowed(&self.lines),
            trusted: self.trusted,
            gpu: self.gpu,
            class: self.class,
            version_min: self.version_min,
            processor_points_min: self.points_min,
            cover: Cover::for_gain(self.gain),
            memory: Memory::for_task(self.memory_bytes),
        }
    }
}

impl Has {
    fn abilities(&self) -> Abilities {
        let profile = Profile {
            hardware: self.hardware,
            region: self.region,
            connection: self.line,
            is_trusted: self.is_trusted,
            has_gpu: self.has_gpu,
            classes: self.classes.clone(),
            version: self.version,
            processor: self.processor,
            cover: Cover::of_bond(self.bond),
            memory: self.memory_mib.map_or(Memory::ANY, Memory::of_device),
        };
        Abilities {
            traits: profile.pack(),
            ..Abilities::default()
        }
    }
}

const HARDWARE: [Hardware; 5] = [
    Hardware::Unknown,
    Hardware::Mobile,
    Hardware::Laptop,
    Hardware::Desktop,
    Hardware::Server,
];

const REGIONS: [Region; 4] = [
    Region::Unknown,
    Region::Americas,
    Region::Europe,
    Region::AsiaPacific,
];

const LINES: [Option<Connection>; 7] = [
    None,
    Some(Connection::Fibre),
    Some(Connection::Cable),
    Some(Connection::Dsl),
    Some(Connection::Satellite),
    Some(Connection::Mobile),
    Some(Connection::Other),
];

const CLASSES: [Class; 2] = [Class::Pinned, Class::Portable];

fn one_of<K: Copy + fmt::Debug + 'static>(kinds: &'static [K]) -> impl Strategy<Value = K> {
    prop::sample::select(kinds)
}

/// Some of the kinds, all of them or none; or any.
fn some_of<K: Copy + fmt::Debug + 'static>(
    kinds: &'static [K],
) -> impl Strategy<Value = Option<Vec<K>>> {
    let some = prop::sample::subsequence(kinds, 0..=kinds.len());
    prop_oneof![3 => Just(None), 2 => some.prop_map(Some)]
}

/// Of all sizes, and where there is something to round.
fn amount() -> impl Strategy<Value = u128> {
    prop_oneof![
        4 => 0u128..300,
        4 => (any::<u128>(), 0u32..128).prop_map(|(amount, size)| amount >> size),
        1 => Just(0),
        1 => Just(u128::MAX),
    ]
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..100,
        4 => (any::<u64>(), 0u32..64).prop_map(|(size, smaller)| size >> smaller),
        1 => Just(245_760),
        1 => Just(u64::MAX),
    ]
}

fn bytes() -> impl Strategy<Value = u64> {
    let near = |(mib, more): (u64, u64)| (mib << 20).saturating_add(more);
    prop_oneof![
        4 => (0u64..100, 0u64..2).prop_map(near),
        4 => size(),
        1 => (245_759u64..245_761, 0u64..2).prop_map(near),
    ]
}

fn points() -> impl Strategy<Value = Score> {
    prop_oneof![
        6 => (0u32..=500_000_000).prop_map(Score::from_millionths),
        1 => Just(Score::MAX),
    ]
}

fn requires() -> impl Strategy<Value = Requires> {
    // Mostly of what many devices have, so that some have all of it.
    let version = prop_oneof![6 => 0u16..3, 1 => any::<u16>(), 1 => Just(u16::MAX)];
    let points = prop_oneof![6 => 0u16..100, 1 => 490u16..520, 1 => any::<u16>()];
    let gain = prop_oneof![3 => Just(0), 2 => amount()];
    let memory = prop_oneof![3 => Just(0), 2 => bytes()];
    let rare = || prop::bool::weighted(0.2);
    (
        (some_of(&HARDWARE), some_of(&REGIONS), some_of(&LINES)),
        (rare(), rare(), one_of(&CLASSES)),
        (version, points, gain, memory),
    )
        .prop_map(|(kinds, flags, least)| Requires {
            hardware: kinds.0,
            regions: kinds.1,
            lines: kinds.2,
            trusted: flags.0,
            gpu: flags.1,
            class: flags.2,
            version_min: least.0,
            points_min: least.1,
            gain: least.2,
            memory_bytes: least.3,
        })
}

fn has() -> impl Strategy<Value = Has> {
    let version = prop_oneof![6 => 0u16..4, 1 => any::<u16>(), 1 => Just(u16::MAX)];
    let classes = prop::sample::subsequence(&CLASSES, 0..=2);
    (
        (one_of(&HARDWARE), one_of(&REGIONS), one_of(&LINES)),
        (any::<bool>(), any::<bool>(), classes),
        (version, points(), amount(), prop::option::of(size())),
    )
        .prop_map(|(kinds, flags, numbers)| Has {
            hardware: kinds.0,
            region: kinds.1,
            line: kinds.2,
            is_trusted: flags.0,
            has_gpu: flags.1,
            classes: flags.2,
            version: numbers.0,
            processor: numbers.1,
            bond: numbers.2,
            memory_mib: numbers.3,
        })
}

proptest! {
    /// Each in a pool of its own, so that the pools tell who is in the subset.
    #[test]
    fn the_target_subset_is_what_a_filter_leaves_of_all_devices(
        requires in requires(), devices in prop::collection::vec(has(), 0..40)
    ) {
        let ranking = Ranking::new(devices.iter().map(Has::abilities));
        let limits = PoolLimits { capacity_min: 0, size_min: 1, merge_top: false };
        let target = Target::of(&ranking, &requires.needs(), &limits);
        let ranked = (0u32..).zip(&devices);
        let subset: Vec<u32> = ranked
            .filter(|(_, device)| requires.lacking(device).is_empty())
            .map(|(rank, _)| rank)
            .collect();
        prop_assert_eq!((target.devices, target.pools() as usize), (subset.len() as u32, subset.len()));
        for (pool, rank) in (0..).zip(subset) {
            prop_assert_eq!(target.pool_of(Some(rank)), pool);
        }
    }

    #[test]
    fn a_device_is_told_the_first_thing_that_it_lacks(requires in requires(), device in has()) {
        let (needs, traits) = (requires.needs(), device.abilities().traits);
        let lacking = requires.lacking(&device);
        prop_assert_eq!(needs.lacking_in(traits), lacking.first().copied());
        prop_assert_eq!(needs.are_met_by(traits), lacking.is_empty());
    }
}

/// The random jobs above are worth what they find: some devices have all of it, and each thing is what
/// some device lacks first.
#[test]
fn random_jobs_find_devices_and_miss_everything() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut found = std::collections::BTreeSet::new();
    for _ in 0..2_000 {
        let (requires, device) = (requires(), has()).new_tree(&mut runner).unwrap().current();
        found.insert(requires.lacking(&device).first().copied());
    }
    assert_eq!(found.len(), 11, "{found:?}");
}
