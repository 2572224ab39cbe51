//! What the loser loses, and who gets it.
//!
//! A slash is never above the bond. The winner gets thousandths of it, rounded down; the rest is burnt.
//! The parts always add up to the slash.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use quern_primitives::amount::{Amount, permille_of};
use scale_info::TypeInfo;

/// What a bond loses.
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
pub struct Penalty {
    /// What the winner gets of it.
    pub winner: Amount,
    /// What is burnt of it.
    pub burnt: Amount,
}

impl Penalty {
    /// Takes `wanted` from a bond, or all of it if that is less.
    pub fn of(bond: Amount, wanted: Amount, winner_permille: u16) -> Self {
        Self::rewarding(bond, wanted, Amount::MAX, winner_permille)
    }

    /// The same, but the winner gets thousandths of no more than `rewarded`.
    pub fn rewarding(bond: Amount, wanted: Amount, rewarded: Amount, winner_permille: u16) -> Self {
        let slash = bond.min(wanted);
        let winner = permille_of(slash.min(rewarded), winner_permille);
        Self {
            winner,
            // Thousandths, a thousand of them at most, are no more than the whole.
            burnt: slash.saturating_sub(winner),
        }
    }

    /// What the bond loses together.
    pub fn slash(&self) -> Amount {
        // Both are parts of one amount.
        self.winner.saturating_add(self.burnt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_small_bond_is_split_as_the_fraction_says() {
        for bond in 0..=300u128 {
            for wanted in [0, 1, 7, 150, 299, 300, 301] {
                for permille in 0..=1_001u16 {
                    let penalty = Penalty::of(bond, wanted, permille);
                    let slash = bond.min(wanted);
                    let thousandths = u128::from(permille.min(1_000));
                    assert_eq!(penalty.winner, slash * thousandths / 1_000);
                    assert_eq!(penalty.winner + penalty.burnt, slash);
                }
            }
        }
    }

    #[test]
    fn the_largest_bond_is_split_without_a_remainder_lost() {
        for permille in 0..=1_000 {
            let penalty = Penalty::of(Amount::MAX, Amount::MAX, permille);
            assert_eq!(penalty.winner.checked_add(penalty.burnt), Some(Amount::MAX));
        }
        assert_eq!(Penalty::of(Amount::MAX, Amount::MAX, 1_000).burnt, 0);
    }

    #[test]
    fn who_has_no_bond_loses_none() {
        assert_eq!(Penalty::of(0, 10, 500), Penalty::default());
    }

    #[test]
    fn who_shows_what_is_rewarded_less_takes_no_less_from_the_bond() {
        let penalty = |bond, rewarded| Penalty::rewarding(bond, 700, rewarded, 500);
        let (winner, burnt) = (15, 685);
        assert_eq!(penalty(1_000, 30), Penalty { winner, burnt });
        let (winner, burnt) = (10, 10);
        assert_eq!(penalty(20, 30), Penalty { winner, burnt });
        assert_eq!(penalty(1_000, 900), Penalty::of(1_000, 700, 500));
    }

    proptest! {
        #[test]
        fn the_parts_of_a_slash_add_up_whatever_of_it_is_rewarded(
            bond: u128, wanted: u128, rewarded: u128, permille: u16,
        ) {
            let penalty = Penalty::rewarding(bond, wanted, rewarded, permille);
            prop_assert_eq!(penalty.winner.checked_add(penalty.burnt), Some(bond.min(wanted)));
            prop_assert!(penalty.winner <= rewarded);
        }

        #[test]
        fn a_slash_is_never_above_the_bond_and_its_parts_add_up(
            bond: u128, wanted: u128, permille: u16,
        ) {
            let penalty = Penalty::of(bond, wanted, permille);
            prop_assert_eq!(penalty.winner.checked_add(penalty.burnt), Some(bond.min(wanted)));
            prop_assert!(penalty.slash() <= bond);
            if permille < 1_000 && penalty.slash() > 0 {
                prop_assert!(penalty.burnt > 0);
            }
        }
    }
}
