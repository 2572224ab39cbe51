//! What a job asks of the devices that compute it.

use crate::device::{Hardware, Line, Region};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

macro_rules! set {
    ($(#[$doc:meta])* $name:ident of $kind:ident: $($member:ident)+) => {
        $(#[$doc])*
        ///
        /// In JSON it is a list of names.
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq,
            Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
        )]
        pub struct $name(u8);

        impl $name {
            /// Any, also one that is not told.
            pub const ANY: Self = Self(0);

            const ALL: &'static [$kind] = &[$($kind::$member),+];

            /// These and no others; one that is not told only if it is among them. None at all is
            /// the same as [`ANY`](Self::ANY).
            pub fn only(kinds: impl IntoIterator<Item = $kind>) -> Self {
                Self(kinds.into_iter().fold(0, |bits, kind| bits | Self::bit(kind)))
            }

            /// Whether this one will do.
            pub fn allows(self, kind: $kind) -> bool {
                self == Self::ANY || self.0 & Self::bit(kind) != 0
            }

            /// Those it names; none of them if any will do.
            pub fn named(self) -> impl Iterator<Item = $kind> {
                let all = Self::ALL.iter().copied();
                all.filter(move |kind| self.0 & Self::bit(*kind) != 0)
            }

            /// Whether every bit stands for a kind that there is.
            pub fn is_valid(self) -> bool {
                self == Self::only(self.named())
            }

            const fn bit(kind: $kind) -> u8 {
                1 << kind as u8
            }
        }

        #[cfg(feature = "std")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.named())
            }
        }

        #[cfg(feature = "std")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                alloc::vec::Vec::<$kind>::deserialize(deserializer).map(Self::only)
            }
        }
    };
}

set! {
    /// Regions that will do: one bit each, in the order of [`Region`]; no bit means any.
    RegionSet of Region: Unknown Americas Europe AsiaPacific
}
set! {
    /// Kinds of machine that will do: one bit each, in the order of [`Hardware`]; no bit means any.
    HardwareSet of Hardware: Unknown Mobile Laptop Desktop Server
}
set! {
    /// Kinds of line that will do: one bit each, in the order of [`Line`]; no bit means any.
    LineSet of Line: Unknown Fibre Cable Dsl Satellite Mobile Other
}

/// What a job asks of the devices that compute it, beside its class.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Preferences {
    /// Devices that the council verified only.
    pub trusted: bool,
    /// Allowed regions.
    pub regions: RegionSet,
    /// Allowed kinds of machine.
    pub hardware: HardwareSet,
    /// Allowed kinds of line.
    pub lines: LineSet,
    /// Devices with a GPU only.
    pub gpu: bool,
    /// The least part that the processor may have of a device's score, in points, at most
    /// [`limits::PROCESSOR_POINTS_MAX`](crate::limits::PROCESSOR_POINTS_MAX).
    pub processor_points_min: u16,
    /// The oldest version of the worker that will do.
    pub worker_version_min: u16,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use codec::DecodeAll;
    use proptest::prelude::*;

    fn regions(bits: u8) -> RegionSet {
        RegionSet::decode_all(&mut &[bits][..]).unwrap()
    }

    #[test]
    fn a_job_that_asks_for_nothing_takes_any_device() {
        let Preferences {
            regions,
            hardware,
            lines,
            ..
        } = Preferences::default();
        assert!(regions.allows(Region::Unknown) && regions.allows(Region::AsiaPacific));
        assert!(hardware.allows(Hardware::Unknown) && hardware.allows(Hardware::Server));
        assert!(lines.allows(Line::Unknown) && lines.allows(Line::Other));
    }

    #[test]
    fn what_is_not_told_does_not_do_where_something_is_asked_for() {
        let europe = RegionSet::only([Region::Europe]);
        assert!(europe.allows(Region::Europe));
        assert!(!europe.allows(Region::Unknown));
        assert!(RegionSet::only([Region::Unknown]).allows(Region::Unknown));
    }

    #[test]
    fn bits_are_in_the_order_of_the_kinds() {
        assert_eq!(RegionSet::only([Region::AsiaPacific]).encode(), [1u8 << 3]);
        assert_eq!(HardwareSet::only([Hardware::Server]).encode(), [1u8 << 4]);
        assert_eq!(LineSet::only([Line::Unknown]).encode(), [1u8]);
        assert_eq!(LineSet::only([Line::Other]).encode(), [1u8 << 6]);
    }

    #[test]
    fn bits_that_stand_for_no_kind_are_not_valid() {
        assert!(regions(0b1111).is_valid());
        assert!(!regions(0b1_0000).is_valid());
        assert!(!regions(0b1000_0001).is_valid());
        let lines = LineSet::decode_all(&mut &[1 << 7][..]).unwrap();
        assert!(!lines.is_valid());
        let hardware = HardwareSet::decode_all(&mut &[1 << 5][..]).unwrap();
        assert!(!hardware.is_valid());
    }

    proptest! {
        #[test]
        fn a_set_of_any_bits_allows_what_it_names_and_any_if_it_has_none(bits: u8) {
            let set = regions(bits);
            for kind in RegionSet::ALL {
                let allowed = bits == 0 || bits >> *kind as u8 & 1 == 1;
                prop_assert_eq!(set.allows(*kind), allowed);
            }
            let named: Vec<Region> = set.named().collect();
            prop_assert_eq!(RegionSet::only(named) == set, set.is_valid());
            prop_assert_eq!(set.is_valid(), bits < 16);
        }
    }
}
