//! What a job asks of the devices that compute it, and what a device has of that.
//!
//! What devices have is packed into one word each ([`Traits`]), so that a million of them are looked
//! through in a millisecond.

#[cfg(test)]
mod model;

use crate::{Score, measure::Connection};
use quern_primitives::device::{Class, Hardware, Region};
use std::{fmt, marker::PhantomData};

/// One of a few kinds, each with a bit of a device's word.
pub trait Kind: Copy {
    /// Its bit.
    fn bit(self) -> u64;
}

impl Kind for Hardware {
    fn bit(self) -> u64 {
        1 << self as u64
    }
}

impl Kind for Region {
    fn bit(self) -> u64 {
        1 << (5 + self as u64)
    }
}

impl Kind for Option<Connection> {
    fn bit(self) -> u64 {
        1 << (9 + self.map_or(0, |connection| 1 + connection as u64))
    }
}

const TRUSTED: u64 = 1 << 16;
const GPU: u64 = 1 << 17;

fn class_bit(class: Class) -> u64 {
    match class {
        Class::Pinned => 1 << 18,
        Class::Portable => 1 << 19,
    }
}

const BOND_SHIFT: u32 = 20;
const VERSION_SHIFT: u32 = 32;
const PROCESSOR_SHIFT: u32 = 48;
/// A processor has 500 points at the most.
const PROCESSOR_MASK: u64 = 0x1ff;
const MEMORY_SHIFT: u32 = 57;
const MEMORY_MASK: u64 = 0x7f;

/// The kinds that will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Allowed<K> {
    bits: u64,
    kind: PhantomData<K>,
}

impl<K: Kind> Allowed<K> {
    /// Any, also one that is not known.
    pub const ANY: Self = Self {
        bits: u64::MAX,
        kind: PhantomData,
    };

    /// These and no others; one that is not known will do only if it is among them.
    pub fn only(kinds: impl IntoIterator<Item = K>) -> Self {
        Self {
            bits: kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()),
            kind: PhantomData,
        }
    }

    /// Whether this one will do.
    pub fn has(&self, kind: K) -> bool {
        self.bits & kind.bit() != 0
    }
}

impl<K: Kind> Default for Allowed<K> {
    fn default() -> Self {
        Self::ANY
    }
}

impl<K> fmt::Debug for Allowed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits {
            u64::MAX => f.write_str("any"),
            bits => write!(f, "only {bits:#b}"),
        }
    }
}

/// A small floating-point number: below twice `2^DIGITS` the amount itself, above that its first
/// `DIGITS + 1` binary digits and how many follow. Larger amounts have larger codes, `2^DIGITS` to each
/// doubling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Code<const DIGITS: u32>(u16);

impl<const DIGITS: u32> Code<DIGITS> {
    /// The codes of one power of two.
    const STEPS: u16 = 1 << DIGITS;

    /// The largest that stands for no more than this.
    fn below(amount: u128) -> Self {
        let digits = u128::BITS - amount.leading_zeros();
        let cut = digits.saturating_sub(DIGITS + 1);
        // So few digits are left, and the cut is less than 128.
        let first = (amount >> cut) as u16;
        Self(cut as u16 * Self::STEPS + first)
    }

    /// The smallest that stands for no less than this.
    fn above(amount: u128) -> Self {
        let below = Self::below(amount);
        match below.amount() < amount {
            true => Self(below.0 + 1),
            false => below,
        }
    }

    /// What it stands for; the largest amount there is, if that is too much.
    fn amount(self) -> u128 {
        let (first, cut) = match self.0 / Self::STEPS {
            0 => (self.0, 0),
            power => (Self::STEPS + self.0 % Self::STEPS, power - 1),
        };
        let step = 1u128.checked_shl(cut.into());
        step.and_then(|step| step.checked_mul(first.into()))
            .unwrap_or(u128::MAX)
    }
}

/// How much a bond covers, in steps of at most a thirty-second: what is bonded is rounded down, what
/// is asked for is rounded up, so nobody is let in who should not be. It fits twelve bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cover(Code<5>);

impl Cover {
    /// What a bond of this amount covers.
    pub fn of_bond(amount: u128) -> Self {
        Self(Code::below(amount))
    }

    /// What a device must cover that could gain this amount.
    pub fn for_gain(amount: u128) -> Self {
        Self(Code::above(amount))
    }

    /// The least bond that covers as much; the largest amount there is, if none does.
    pub fn bond_min(self) -> u128 {
        self.0.amount()
    }
}

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// How much memory one task may have, or needs, in whole MiB and steps of at most an eighth: what a
/// device allows is rounded down, what a task needs is rounded up, so no device is given what it cannot
/// hold. It fits seven bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(Code<3>);

impl Memory {
    /// As much as any task may need: some 240 GiB, where a task has 4. So much a device counts as
    /// allowing that does not say.
    pub const ANY: Self = Self(Code(MEMORY_MASK as u16));

    /// What a device allows a task.
    pub fn of_device(mib: u64) -> Self {
        Self(Code::below(mib.into())).min(Self::ANY)
    }

    /// What a task needs that may have so many bytes.
    pub fn for_task(bytes: u64) -> Self {
        Self(Code::above(bytes.div_ceil(MIB).into())).min(Self::ANY)
    }

    /// The least that a device must allow, in MiB.
    pub fn mib_min(self) -> u64 {
        u64::try_from(self.0.amount()).unwrap_or(u64::MAX)
    }
}

/// What a device has, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(pub(crate) u64);

/// The same, spelled out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What kind of machine it is.
    pub hardware: Hardware,
    /// Where it stands.
    pub region: Region,
    /// What line it has, if that is known.
    pub connection: Option<Connection>,
    /// Whether the council verified it.
    pub is_trusted: bool,
    /// Whether it has a GPU.
    pub has_gpu: bool,
    /// In which classes it computes.
    pub classes: Vec<Class>,
    /// The version of its worker.
    pub version: u16,
    /// The processor's part of its score.
    pub processor: Score,
    /// What its bond covers.
    pub cover: Cover,
    /// How much memory it allows one task.
    pub memory: Memory,
}

impl Profile {
    /// Packed into one word.
    pub fn pack(&self) -> Traits {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let classes = self
            .classes
            .iter()
            .fold(0, |bits, class| bits | class_bit(*class));
        let processor = u64::from(self.processor.millionths() / 1_000_000);
        Traits(
            self.hardware.bit()
                | self.region.bit()
                | self.connection.bit()
                | flag(self.is_trusted, TRUSTED)
                | flag(self.has_gpu, GPU)
                | classes
                | u64::from(self.cover.0.0) << BOND_SHIFT
                | u64::from(self.version) << VERSION_SHIFT
                | processor.min(PROCESSOR_MASK) << PROCESSOR_SHIFT
                | u64::from(self.memory.0.0) << MEMORY_SHIFT,
        )
    }
}

impl Traits {
    /// Whether the council verified the device.
    pub fn is_trusted(self) -> bool {
        self.0 & TRUSTED != 0
    }
}

/// What a job asks of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Kinds of machine.
    pub hardware: Allowed<Hardware>,
    /// Regions.
    pub regions: Allowed<Region>,
    /// Kinds of line.
    pub connections: Allowed<Option<Connection>>,
    /// Verified devices only.
    pub trusted: bool,
    /// With a GPU only.
    pub gpu: bool,
    /// The class it is computed in.
    pub class: Class,
    /// The oldest version of the worker that can do it.
    pub version_min: u16,
    /// The least part that the processor may have of the score, in points.
    pub processor_points_min: u16,
    /// What the device's bond must cover.
    pub cover: Cover,
    /// How much memory it must allow a task.
    pub memory: Memory,
}

/// What a device lacks for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// The job is for other kinds of machine.
    Hardware,
    /// The job is for other regions.
    Region,
    /// The job is for other kinds of line.
    Connection,
    /// The job is for verified devices.
    Trust,
    /// The job needs a GPU.
    Gpu,
    /// It does not compute in the job's class.
    Class,
    /// Its worker is too old.
    Version,
    /// Its processor is too slow.
    Processor,
    /// It allows a task less memory than one of the job may need.
    Memory,
    /// Its bond does not cover what it could gain by a wrong answer.
    Bond,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hardware => "the job is for other kinds of machine",
            Self::Region => "the job is for other regions",
            Self::Connection => "the job is for other kinds of line",
            Self::Trust => "the job is for devices that the council verified",
            Self::Gpu => "the job needs a GPU",
            Self::Class => "the device does not compute in the job's class",
            Self::Version => "the device's worker is too old for the job; update it",
            Self::Processor => "the device's processor is too slow for the job",
            Self::Memory => "the device allows a task less memory than one of the job may need",
            Self::Bond => {
                "the account's bond is too small for what the job's tasks are worth; bond more"
            }
        })
    }
}

impl Needs {
    /// Whether a device has all that is asked for.
    pub fn are_met_by(&self, device: Traits) -> bool {
        let Traits(bits) = device;
        let field = |shift: u32, mask: u64| bits >> shift & mask;
        let all = class_bit(self.class)
            | if self.trusted { TRUSTED } else { 0 }
            | if self.gpu { GPU } else { 0 };
        const HARDWARE: u64 = 0b11111;
        const REGIONS: u64 = 0b1111 << 5;
        const CONNECTIONS: u64 = 0b111_1111 << 9;
        // No branches: this runs over every device that there is.
        (bits & self.hardware.bits & HARDWARE != 0)
            & (bits & self.regions.bits & REGIONS != 0)
            & (bits & self.connections.bits & CONNECTIONS != 0)
            & (bits & all == all)
            & (field(BOND_SHIFT, 0xfff) >= u64::from(self.cover.0.0))
            & (field(VERSION_SHIFT, 0xffff) >= u64::from(self.version_min))
            & (field(PROCESSOR_SHIFT, PROCESSOR_MASK) >= u64::from(self.processor_points_min))
            & (field(MEMORY_SHIFT, MEMORY_MASK) >= u64::from(self.memory.0.0))
    }

    /// The first thing that a device lacks, if it lacks any.
    pub fn lacking_in(&self, device: Traits) -> Option<Lack> {
        let with = |change: fn(&mut Self, &Self)| {
            let mut only = Self {
                class: self.class,
                ..Self::default()
            };
            change(&mut only, self);
            only
        };
        let any_class = Traits(device.0 | class_bit(self.class));
        let checks: [(Lack, Traits, Self); 10] = [
            (Lack::Class, device, with(|_, _| ())),
            (
                Lack::Version,
                any_class,
                with(|only, all| only.version_min = all.version_min),
            ),
            (
                Lack::Trust,
                any_class,
                with(|only, all| only.trusted = all.trusted),
            ),
            (
                Lack::Region,
                any_class,
                with(|only, all| only.regions = all.regions),
            ),
            (
                Lack::Hardware,
                any_class,
                with(|only, all| only.hardware = all.hardware),
            ),
            (Lack::Gpu, any_class, with(|only, all| only.gpu = all.gpu)),
            (
                Lack::Connection,
                any_class,
                with(|only, all| only.connections = all.connections),
            ),
            (
                Lack::Processor,
                any_class,
                with(|only, all| only.processor_points_min = all.processor_points_min),
            ),
            (
                Lack::Memory,
                any_class,
                with(|only, all| only.memory = all.memory),
            ),
            (
                Lack::Bond,
                any_class,
                with(|only, all| only.cover = all.cover),
            ),
        ];
        let lacks = |(_, device, needs): &&(Lack, Traits, Self)| !needs.are_met_by(*device);
        checks.iter().find(lacks).map(|(lack, ..)| *lack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quern_primitives::limits;

    fn profile() -> Profile {
        Profile {
            hardware: Hardware::Laptop,
            region: Region::Europe,
            connection: Some(Connection::Dsl),
            is_trusted: false,
            has_gpu: false,
            classes: vec![Class::Pinned],
            version: 3,
            processor: Score::from_millionths(250_000_000),
            cover: Cover::of_bond(1_000),
            memory: Memory::of_device(2_048),
        }
    }

    #[test]
    fn a_job_that_asks_for_nothing_takes_any_device_of_its_class() {
        assert!(Needs::default().are_met_by(profile().pack()));
        let nothing_known = Profile {
            classes: vec![Class::Pinned],
            ..Profile::default()
        };
        assert!(Needs::default().are_met_by(nothing_known.pack()));
    }

    #[test]
    fn what_a_device_lacks_is_named() {
        let lack = |change: fn(&mut Needs)| {
            let mut needs = Needs::default();
            change(&mut needs);
            needs.lacking_in(profile().pack())
        };
        assert_eq!(lack(|_| ()), None);
        assert_eq!(lack(|it| it.class = Class::Portable), Some(Lack::Class));
        assert_eq!(lack(|it| it.version_min = 4), Some(Lack::Version));
        assert_eq!(lack(|it| it.trusted = true), Some(Lack::Trust));
        assert_eq!(lack(|it| it.gpu = true), Some(Lack::Gpu));
        assert_eq!(
            lack(|it| it.processor_points_min = 251),
            Some(Lack::Processor)
        );
        assert_eq!(lack(|it| it.memory = Memory::for_task(2_048 * MIB)), None);
        let more = |it: &mut Needs| it.memory = Memory::for_task(2_048 * MIB + 1);
        assert_eq!(lack(more), Some(Lack::Memory));
        assert_eq!(lack(|it| it.cover = Cover::for_gain(993)), Some(Lack::Bond));
        assert_eq!(lack(|it| it.cover = Cover::for_gain(992)), None);
        let regions = |it: &mut Needs| it.regions = Allowed::only([Region::Americas]);
        assert_eq!(lack(regions), Some(Lack::Region));
        let hardware = |it: &mut Needs| it.hardware = Allowed::only([Hardware::Server]);
        assert_eq!(lack(hardware), Some(Lack::Hardware));
        let lines = |it: &mut Needs| it.connections = Allowed::only([Some(Connection::Fibre)]);
        assert_eq!(lack(lines), Some(Lack::Connection));
    }

    #[test]
    fn what_is_not_known_does_not_do_where_something_is_asked_for() {
        let unknown = Profile {
            classes: vec![Class::Pinned],
            ..Profile::default()
        };
        let needs = Needs {
            regions: Allowed::only([Region::Americas, Region::Europe, Region::AsiaPacific]),
            ..Needs::default()
        };
        assert_eq!(needs.lacking_in(unknown.pack()), Some(Lack::Region));
    }

    #[test]
    fn small_amounts_are_covered_by_themselves_and_no_bond_covers_more_than_there_is() {
        for amount in 0..64 {
            assert_eq!(Cover::for_gain(amount).bond_min(), amount);
            assert_eq!(Cover::of_bond(amount), Cover::for_gain(amount));
        }
        assert_eq!(Cover::for_gain(65).bond_min(), 66);
        let all = Cover::of_bond(u128::MAX);
        assert!(all.0.0 < 1 << 12 && all < Cover::for_gain(u128::MAX));
        assert_eq!(Cover::for_gain(u128::MAX).bond_min(), u128::MAX);
    }

    #[test]
    fn what_a_device_does_not_say_of_its_memory_is_enough_for_any_task() {
        let most = Memory::for_task(limits::TASK_MEMORY_BYTES_MAX);
        assert_eq!(most.mib_min(), 4_096);
        assert!(most < Memory::ANY);
        assert_eq!(Memory::of_device(u64::MAX), Memory::ANY);
        assert_eq!(Memory::for_task(u64::MAX), Memory::ANY);
        assert_eq!(Memory::for_task(1), Memory::of_device(1));
    }

    proptest! {
        #[test]
        fn a_bond_never_covers_more_than_it_is_and_little_less(
            (bond, gain) in (0..128u32, 1..128u32, any::<u128>(), any::<u128>())
                .prop_map(|(a, b, bond, gain)| (bond >> a, gain >> b))
        ) {
            let needed = Cover::for_gain(gain);
            prop_assert_eq!(Cover::of_bond(bond) >= needed, bond >= needed.bond_min());
            prop_assert!(needed.bond_min() >= gain);
            prop_assert!(needed.bond_min() - gain <= gain / 32);
        }

        #[test]
        fn no_device_is_given_more_than_its_memory_and_little_is_wasted(
            allowed in 0u64..8_192, needed in 0u64..8_192
        ) {
            let (device, task) = (Memory::of_device(allowed), Memory::for_task(needed * MIB));
            prop_assert!(device < task || allowed >= needed);
            prop_assert_eq!(device >= task, allowed >= task.mib_min());
            prop_assert!(task.mib_min() - needed <= needed / 8);
        }

        #[test]
        fn needs_are_met_exactly_when_nothing_is_lacking(
            bits in any::<u64>(), regions in 0u8..16, trusted: bool, version_min in 0u16..4, bond: u64,
            memory in 0u64..4_096,
        ) {
            let kinds = [Region::Unknown, Region::Americas, Region::Europe, Region::AsiaPacific];
            let regions = kinds.into_iter().filter(|kind| regions >> (*kind as u8) & 1 == 1);
            let needs = Needs {
                regions: Allowed::only(regions),
                trusted,
                version_min,
                cover: Cover::for_gain(bond.into()),
                memory: Memory::for_task(memory * MIB),
                ..Needs::default()
            };
            let device = Traits(bits);
            // Every device is of some kind.
            prop_assume!(bits & 0b11111 != 0 && bits & 0b1111 << 5 != 0 && bits & 0b111_1111 << 9 != 0);
            prop_assert_eq!(needs.are_met_by(device), needs.lacking_in(device).is_none());
        }
    }
}
