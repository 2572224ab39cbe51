//! What a job asks of the devices that compute it, and what a device has of that.
//!
//! What devices have is packed into one word each ([`Traits`]), so that a million of them are looked
//! through in a millisecond.

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

/// How much a bond covers, in steps of at most a thirty-second: what is bonded is rounded down, what
/// is asked for is rounded up, so nobody is let in who should not be.
///
/// It is a small floating-point number: below 64 the amount itself, above that its first six binary
/// digits and how many follow. Larger amounts have larger codes, and each fits twelve bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cover(u16);

/// Binary digits that a code keeps behind the first.
const COVER_DIGITS: u32 = 5;

/// The codes of one power of two.
const COVER_STEPS: u16 = 1 << COVER_DIGITS;

impl Cover {
    /// What a bond of this amount covers.
    pub fn of_bond(amount: u128) -> Self {
        let digits = u128::BITS - amount.leading_zeros();
        let cut = digits.saturating_sub(COVER_DIGITS + 1);
        // Six digits are left, and the cut is at most 122.
        let first = (amount >> cut) as u16;
        Self(cut as u16 * COVER_STEPS + first)
    }

    /// What a device must cover that could gain this amount.
    pub fn for_gain(amount: u128) -> Self {
        let below = Self::of_bond(amount);
        match below.bond_min() < amount {
            true => Self(below.0 + 1),
            false => below,
        }
    }

    /// The least bond that covers as much; the largest amount there is, if none does.
    pub fn bond_min(self) -> u128 {
        let (first, cut) = match self.0 / COVER_STEPS {
            0 => (self.0, 0),
            power => (COVER_STEPS + self.0 % COVER_STEPS, power - 1),
        };
        let step = 1u128.checked_shl(cut.into());
        step.and_then(|step| step.checked_mul(first.into()))
            .unwrap_or(u128::MAX)
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
}

impl Profile {
    /// Packed into one word.
    pub fn pack(&self) -> Traits {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let classes = self
            .classes
            .iter()
            .fold(0, |bits, class| bits | class_bit(*class));
        let processor = self.processor.millionths() / 1_000_000;
        Traits(
            self.hardware.bit()
                | self.region.bit()
                | self.connection.bit()
                | flag(self.is_trusted, TRUSTED)
                | flag(self.has_gpu, GPU)
                | classes
                | u64::from(self.cover.0) << BOND_SHIFT
                | u64::from(self.version) << VERSION_SHIFT
                | u64::from(processor) << PROCESSOR_SHIFT,
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
            & (field(BOND_SHIFT, 0xfff) >= u64::from(self.cover.0))
            & (field(VERSION_SHIFT, 0xffff) >= u64::from(self.version_min))
            & (field(PROCESSOR_SHIFT, 0xffff) >= u64::from(self.processor_points_min))
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
        let checks: [(Lack, Traits, Self); 9] = [
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
        assert!(all.0 < 1 << 12 && all < Cover::for_gain(u128::MAX));
        assert_eq!(Cover::for_gain(u128::MAX).bond_min(), u128::MAX);
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
        fn needs_are_met_exactly_when_nothing_is_lacking(
            bits in any::<u64>(), regions in 0u8..16, trusted: bool, version_min in 0u16..4, bond: u64
        ) {
            let kinds = [Region::Unknown, Region::Americas, Region::Europe, Region::AsiaPacific];
            let regions = kinds.into_iter().filter(|kind| regions >> (*kind as u8) & 1 == 1);
            let needs = Needs {
                regions: Allowed::only(regions),
                trusted,
                version_min,
                cover: Cover::for_gain(bond.into()),
                ..Needs::default()
            };
            let device = Traits(bits);
            // Every device is of some kind.
            prop_assume!(bits & 0b11111 != 0 && bits & 0b1111 << 5 != 0 && bits & 0b111_1111 << 9 != 0);
            prop_assert_eq!(needs.are_met_by(device), needs.lacking_in(device).is_none());
        }
    }
}
