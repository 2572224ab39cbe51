//! Whether a device could have something of a job, in the words of the job's owner and of the device.

use super::*;
use proptest::prelude::*;
use quern_grid::{Score, needs::Profile};
use quern_primitives::job::{HardwareSet, LineSet, RegionSet};

/// What an owner asks for. Of kinds those that will do; any, if none is named.
#[derive(Clone, Debug)]
struct Asks {
    regions: Vec<Region>,
    hardware: Vec<Hardware>,
    lines: Vec<Line>,
    trusted: bool,
    gpu: bool,
    class: Class,
    version_min: u16,
    points_min: u16,
    /// What a task may need, in MiB, and what a device could gain: as powers of two, which nobody rounds.
    mib: u32,
    gain: u32,
}

/// What a device has.
#[derive(Clone, Debug)]
struct Has {
    region: Region,
    hardware: Hardware,
    line: Line,
    is_trusted: bool,
    has_gpu: bool,
    classes: Vec<Class>,
    version: u16,
    points: u16,
    /// As powers of two again.
    mib: u32,
    bond: u32,
}

impl Asks {
    fn is_for(&self, device: &Has) -> bool {
        fn will_do<K: PartialEq>(kinds: &[K], kind: K) -> bool {
            kinds.is_empty() || kinds.contains(&kind)
        }
        will_do(&self.regions, device.region)
            && will_do(&self.hardware, device.hardware)
            && will_do(&self.lines, device.line)
            && (device.is_trusted || !self.trusted)
            && (device.has_gpu || !self.gpu)
            && device.classes.contains(&self.class)
            && device.version >= self.version_min
            && device.points >= self.points_min
            && device.mib >= self.mib
            && device.bond >= self.gain
    }

    fn needs(&self) -> Needs {
        let preferences = Preferences {
            trusted: self.trusted,
            regions: RegionSet::only(self.regions.iter().copied()),
            hardware: HardwareSet::only(self.hardware.iter().copied()),
            lines: LineSet::only(self.lines.iter().copied()),
            gpu: self.gpu,
            processor_points_min: self.points_min,
            worker_version_min: self.version_min,
        };
        let memory = Memory::for_task(1 << 20 << self.mib);
        needs(&preferences, self.class, memory, 1 << self.gain)
    }
}

impl Has {
    fn profile(&self) -> Profile {
        Profile {
            hardware: self.hardware,
            region: self.region,
            connection: connection(self.line),
            is_trusted: self.is_trusted,
            has_gpu: self.has_gpu,
            classes: self.classes.clone(),
            version: self.version,
            processor: Score::from_millionths(1_000_000 * u32::from(self.points)),
            cover: Cover::of_bond(1 << self.bond),
            memory: Memory::of_device(1 << self.mib),
        }
    }
}

/// Any of the kinds will do, or some of them.
fn some_of<K: Copy + std::fmt::Debug + 'static>(
    kinds: &'static [K],
) -> impl Strategy<Value = Vec<K>> {
    let some = prop::sample::subsequence(kinds, 0..=kinds.len());
    prop_oneof![3 => Just(vec![]), 2 => some]
}

fn one_of<K: Copy + std::fmt::Debug + 'static>(kinds: &'static [K]) -> impl Strategy<Value = K> {
    prop::sample::select(kinds)
}

const CLASSES: [Class; 2] = [Class::Pinned, Class::Portable];

fn asks() -> impl Strategy<Value = Asks> {
    let rare = || prop::bool::weighted(0.2);
    let version = prop_oneof![6 => 0u16..3, 1 => any::<u16>()];
    let points = prop_oneof![6 => 0u16..100, 1 => 490u16..=500];
    (
        (some_of(&REGIONS), some_of(&HARDWARE), some_of(&LINES)),
        (rare(), rare(), one_of(&CLASSES)),
        (version, points, 0u32..13, 0u32..100),
    )
        .prop_map(|(kinds, flags, least)| Asks {
            regions: kinds.0,
            hardware: kinds.1,
            lines: kinds.2,
            trusted: flags.0,
            gpu: flags.1,
            class: flags.2,
            version_min: least.0,
            points_min: least.1,
            mib: least.2,
            gain: least.3,
        })
}

fn has() -> impl Strategy<Value = Has> {
    let version = prop_oneof![6 => 0u16..4, 1 => any::<u16>()];
    let classes = prop::sample::subsequence(&CLASSES, 1..=2);
    (
        (one_of(&REGIONS), one_of(&HARDWARE), one_of(&LINES)),
        (any::<bool>(), any::<bool>(), classes),
        (version, 0u16..=500, 6u32..14, 30u32..120),
    )
        .prop_map(|(kinds, flags, numbers)| Has {
            region: kinds.0,
            hardware: kinds.1,
            line: kinds.2,
            is_trusted: flags.0,
            has_gpu: flags.1,
            classes: flags.2,
            version: numbers.0,
            points: numbers.1,
            mib: numbers.2,
            bond: numbers.3,
        })
}

proptest! {
    #[test]
    fn a_device_could_have_something_of_a_job_exactly_if_it_has_all_that_the_owner_asks_for(
        asks in asks(), devices in prop::collection::vec(has(), 1..20),
    ) {
        for device in devices {
            let traits = device.profile().pack();
            prop_assert_eq!(asks.needs().are_met_by(traits), asks.is_for(&device), "{:?}", device);
        }
    }
}
