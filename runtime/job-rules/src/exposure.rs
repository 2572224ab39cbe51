//! What a masternode has settled and could still lose, held to what it has bonded.
//!
//! A batch that is settled is *open* until it is final or struck. Who lies in it gains no more than what it
//! spends, and whether somebody lied is known for good only when the window is over. So all that a masternode has
//! open, in all jobs together, is never more than its bond, active and on its way out:
//!
//! ```text
//! open <= bonded + slashed
//! ```
//!
//! Two acts could break that, and both are refused: to settle more than the bond has room for, and to take out
//! of the bond what is needed. They are held to what the council asks for, [`BondPerExposure`], which is all that
//! is open or a multiple of it. If the council asks for more, what is open stays, and nothing more is settled until
//! the bond covers it. A third act cannot be refused: a bond is slashed for one batch while others, of other jobs,
//! are open. So it is remembered what was slashed, as long as something is open, and nothing more is settled until
//! the bond covers all of it again. The batches that are open stay as they are: the workers whose pay is in them
//! have done nothing wrong.

use core::fmt;
use quern_primitives::{
    amount::Amount,
    batch::{BondPerExposure, Exposure},
};

/// What a masternode has bonded, active and on its way out, and what the council asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bond {
    /// What is bonded.
    pub bonded: Amount,
    /// What must be bonded for what is open.
    pub per_exposure: BondPerExposure,
}

impl Bond {
    /// What may be settled beside what is open.
    fn room(&self, exposure: &Exposure) -> Amount {
        let covered = self.per_exposure.covered(self.bonded);
        covered.saturating_sub(exposure.open)
    }
}

/// Why a batch is not settled: with it, more would be open than is bonded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboveBond {
    /// What may still be settled.
    pub room: Amount,
}

impl fmt::Display for AboveBond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the bond covers {} units beside what is not final; settle no more than that, wait until a batch \
             is final, or bond more",
            self.room
        )
    }
}

impl core::error::Error for AboveBond {}

/// The exposure once a batch that spends so much is settled as well.
pub fn settled(exposure: &Exposure, bond: &Bond, spent: Amount) -> Result<Exposure, AboveBond> {
    let room = bond.room(exposure);
    let open = exposure.open.checked_add(spent);
    let open = open.filter(|_| spent <= room).ok_or(AboveBond { room })?;
    let slashed = match open <= bond.bonded {
        // All of it is covered again.
        true => 0,
        // That is not so where nothing is spent.
        false => exposure.slashed,
    };
    Ok(Exposure { open, slashed })
}

/// The exposure once a batch that spends so much is final or struck.
pub fn over(exposure: &Exposure, spent: Amount) -> Exposure {
    Exposure {
        // What was settled before the chain kept any of this is no part of it.
        open: exposure.open.saturating_sub(spent),
        slashed: exposure.slashed,
    }
}

/// The exposure once so much was taken of the bond.
pub fn slashed(exposure: &Exposure, amount: Amount) -> Exposure {
    Exposure {
        open: exposure.open,
        // Both were held at a time or one after the other; what does not fit covers no less.
        slashed: exposure.slashed.saturating_add(amount),
    }
}

/// Whether the bond covers what is open, with what was taken of it meanwhile. It always does.
pub fn is_covered(exposure: &Exposure, bonded: Amount) -> bool {
    exposure.open <= bonded.saturating_add(exposure.slashed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A bond for which what is open needs as much.
    fn bond(bonded: Amount) -> Bond {
        let per_exposure = BondPerExposure(1_000);
        Bond {
            bonded,
            per_exposure,
        }
    }

    fn open(open: Amount) -> Exposure {
        Exposure { open, slashed: 0 }
    }

    #[test]
    fn no_more_is_settled_than_is_bonded_and_all_of_that_may_be() {
        assert_eq!(settled(&open(0), &bond(10), 10), Ok(open(10)));
        assert_eq!(settled(&open(4), &bond(10), 6), Ok(open(10)));
        assert_eq!(settled(&open(4), &bond(10), 7), Err(AboveBond { room: 6 }));
        assert_eq!(settled(&open(10), &bond(10), 1), Err(AboveBond { room: 0 }));
        assert_eq!(settled(&open(10), &bond(10), 0), Ok(open(10)));
        assert_eq!(settled(&open(0), &bond(0), 1), Err(AboveBond { room: 0 }));
        let told = AboveBond { room: 6 }.to_string();
        assert!(told.starts_with("the bond covers 6 units"), "{told}");
    }

    #[test]
    fn what_is_final_or_struck_makes_room() {
        assert_eq!(over(&open(10), 4), open(6));
        assert_eq!(over(&open(10), 10), open(0));
        assert_eq!(over(&open(3), 4), open(0));
        assert_eq!(bond(10).room(&over(&open(10), 4)), 4);
    }

    #[test]
    fn after_a_slash_nothing_is_settled_until_the_bond_covers_all_that_is_open_again() {
        let after = slashed(&open(10), 8);
        assert!(is_covered(&after, 2) && !is_covered(&after, 1));
        assert_eq!(settled(&after, &bond(2), 1), Err(AboveBond { room: 0 }));
        // One batch becomes final, and the operator bonds more.
        let after = over(&after, 5);
        assert_eq!(settled(&after, &bond(5), 1), Err(AboveBond { room: 0 }));
        assert_eq!(settled(&after, &bond(6), 1), Ok(open(6)));
    }

    #[test]
    fn a_batch_that_spends_nothing_is_settled_whatever_is_open() {
        let after = slashed(&open(10), 8);
        assert_eq!(settled(&after, &bond(2), 0), Ok(after));
    }

    #[test]
    fn where_the_council_asks_for_more_a_bond_covers_less_and_what_is_open_stays() {
        let asks = |permille| Bond {
            bonded: 30,
            per_exposure: BondPerExposure(permille),
        };
        assert_eq!(settled(&open(0), &asks(3_000), 10), Ok(open(10)));
        assert_eq!(
            settled(&open(0), &asks(3_000), 11),
            Err(AboveBond { room: 10 })
        );
        // What was open before, and the bond does not cover any more.
        assert_eq!(
            settled(&open(20), &asks(3_000), 1),
            Err(AboveBond { room: 0 })
        );
        assert_eq!(settled(&over(&open(20), 15), &asks(3_000), 5), Ok(open(10)));
        // Less than all is never asked for.
        assert_eq!(settled(&open(0), &asks(1), 31), Err(AboveBond { room: 30 }));
    }

    /// What may happen to one bond.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Bond(Amount),
        Withdraw(Amount),
        Settle(Amount),
        /// The batch at this place, of those that are open, is over.
        Over(usize),
        Slash(Amount),
        /// The council asks for so much from now on.
        Ask(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0u128..50).prop_map(Step::Bond),
            2 => (0u128..50).prop_map(Step::Withdraw),
            6 => (0u128..30).prop_map(Step::Settle),
            4 => (0usize..8).prop_map(Step::Over),
            1 => (0u128..60).prop_map(Step::Slash),
            1 => (1_000u16..4_000).prop_map(Step::Ask),
        ]
    }

    proptest! {
        #[test]
        fn what_is_open_is_the_sum_of_the_batches_and_never_more_than_is_bonded_and_was_slashed(
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let (mut bonded, mut batches) = (0u128, Vec::<Amount>::new());
            let (mut kept, mut is_short) = (Exposure::default(), false);
            let mut per_exposure = BondPerExposure(1_000);
            for step in steps {
                match step {
                    Step::Bond(amount) => bonded += amount,
                    Step::Withdraw(amount) => {
                        let rest = bonded.checked_sub(amount);
                        bonded = rest.filter(|rest| *rest >= per_exposure.needed(kept.open)).unwrap_or(bonded);
                    }
                    Step::Settle(spent) => {
                        let sum: Amount = batches.iter().sum();
                        let permille = u128::from(per_exposure.0);
                        let is_covered = |sum: Amount| sum * permille <= bonded * 1_000;
                        match settled(&kept, &Bond { bonded, per_exposure }, spent) {
                            Ok(more) => {
                                kept = more;
                                batches.push(spent);
                                prop_assert!(spent == 0 || is_covered(sum + spent));
                            }
                            Err(above) => {
                                prop_assert!(above.room == 0 || is_covered(sum + above.room));
                                prop_assert!(above.room < spent && !is_covered(sum + above.room + 1));
                            }
                        }
                    }
                    Step::Over(place) if place < batches.len() => {
                        kept = over(&kept, batches.remove(place));
                    }
                    Step::Over(_) => {}
                    Step::Slash(amount) => {
                        let taken = amount.min(bonded);
                        bonded -= taken;
                        kept = slashed(&kept, taken);
                        is_short = true;
                    }
                    Step::Ask(permille) => per_exposure = BondPerExposure(permille),
                }
                prop_assert_eq!(kept.open, batches.iter().sum::<Amount>());
                prop_assert!(is_covered(&kept, bonded), "{:?} of {}", kept, bonded);
                // Only a slash can leave it short, and only until it is covered once.
                is_short &= kept.open > bonded;
                prop_assert!(is_short || kept.open <= bonded, "{:?} of {}", kept, bonded);
            }
        }

        #[test]
        fn no_amount_is_too_large(open: u128, was: u128, bonded: u128, spent: u128, permille: u16) {
            let exposure = Exposure { open, slashed: was };
            let bond = Bond { bonded, per_exposure: BondPerExposure(permille) };
            if let Ok(more) = settled(&exposure, &bond, spent) {
                prop_assert!(spent == 0 || more.open <= bond.per_exposure.covered(bonded));
            }
            prop_assert!(over(&exposure, spent).open <= open);
            prop_assert!(slashed(&exposure, spent).slashed >= was);
            let all = Exposure { open, slashed: u128::MAX };
            prop_assert!(is_covered(&all, bonded));
        }
    }
}
