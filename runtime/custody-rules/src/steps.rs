//! What follows from a miss: a warning, then containment, then a penalty.
//!
//! Each step answers for a challenge that was opened after the step before. A device that is off for an hour,
//! and is asked for a hundred pieces meanwhile, is warned and not punished for what it could not know of.

use core::fmt;
use quern_primitives::{
    amount::{Amount, permille_of},
    custody::{Standing, Step, Terms},
    ids::BlockNumber,
    limits::REVIEW_PERIOD_BLOCKS,
};

/// What a device's standing is after it missed a challenge, and which step that is. A warning is forgotten
/// when a review period has gone on since.
pub fn after_miss(
    standing: &Standing,
    opened_at: BlockNumber,
    now: BlockNumber,
) -> (Standing, Step) {
    let warned_at = standing
        .warned_at
        .filter(|at| now.saturating_sub(*at) <= REVIEW_PERIOD_BLOCKS);
    let missed = Standing {
        missed_at: now,
        ..*standing
    };
    match (standing.contained_at, warned_at) {
        (Some(at), _) if opened_at > at => (missed, Step::Penalty),
        (None, Some(at)) if opened_at > at => {
            let contained_at = Some(now);
            let contained = Standing {
                contained_at,
                ..missed
            };
            (contained, Step::Containment)
        }
        (None, None) => {
            let warned_at = Some(now);
            (
                Standing {
                    warned_at,
                    ..missed
                },
                Step::Warning,
            )
        }
        (Some(_), _) | (None, Some(_)) => (missed, Step::Known),
    }
}

/// What a bond loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Penalty {
    /// What who opened the challenge gets of it.
    pub winner: Amount,
    /// What is burnt of it.
    pub burnt: Amount,
}

impl Penalty {
    /// What a step takes of an account's bond, and never more than there is of it.
    pub fn of(step: Step, terms: &Terms, bond: Amount) -> Self {
        if step != Step::Penalty {
            return Self::default();
        }
        let slash = terms.slash.min(bond);
        let winner = permille_of(slash, terms.winner_permille);
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

/// Why a device is not reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewError {
    /// It is not contained.
    NotContained,
    /// It missed something not long ago.
    TooEarly {
        /// The first block in which it may be reviewed.
        from: BlockNumber,
    },
}

impl fmt::Display for ReviewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotContained => {
                f.write_str("the device is not contained; there is nothing to review")
            }
            Self::TooEarly { from } => write!(
                f,
                "the device missed something not long ago; have it reviewed from block {from} on"
            ),
        }
    }
}

impl core::error::Error for ReviewError {}

/// What the standing of a contained device is when its account has it reviewed: a new one, once it has missed
/// nothing for a review period.
pub fn review(standing: &Standing, now: BlockNumber) -> Result<Standing, ReviewError> {
    if standing.contained_at.is_none() {
        return Err(ReviewError::NotContained);
    }
    let from = standing.missed_at.saturating_add(REVIEW_PERIOD_BLOCKS);
    if now < from {
        return Err(ReviewError::TooEarly { from });
    }
    Ok(Standing::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WEEK: BlockNumber = REVIEW_PERIOD_BLOCKS;

    /// The steps of challenges, each opened and missed at these blocks.
    fn steps(misses: &[(BlockNumber, BlockNumber)]) -> (Standing, Vec<Step>) {
        let mut standing = Standing::default();
        let steps = misses.iter().map(|(opened_at, now)| {
            let (after, step) = after_miss(&standing, *opened_at, *now);
            standing = after;
            step
        });
        let steps = steps.collect();
        (standing, steps)
    }

    #[test]
    fn who_misses_again_and_again_is_warned_contained_and_then_pays_each_time() {
        let (standing, steps) = steps(&[(0, 10), (11, 20), (21, 30), (22, 31)]);
        let expected = [
            Step::Warning,
            Step::Containment,
            Step::Penalty,
            Step::Penalty,
        ];
        assert_eq!(steps, expected);
        assert_eq!(
            (standing.warned_at, standing.contained_at),
            (Some(10), Some(20))
        );
    }

    #[test]
    fn a_hundred_pieces_missed_in_one_hour_are_one_warning() {
        let misses: Vec<_> = (0..100).map(|opened| (opened, 100 + opened)).collect();
        let (standing, steps) = steps(&misses);
        assert_eq!(steps[0], Step::Warning);
        assert!(steps[1..].iter().all(|step| *step == Step::Known));
        assert_eq!(standing.contained_at, None);
    }

    #[test]
    fn a_warning_is_forgotten_after_a_week_and_containment_is_not() {
        let (_, forgotten) = steps(&[(0, 10), (11, 11 + WEEK)]);
        assert_eq!(forgotten, [Step::Warning, Step::Warning]);
        let (_, remembered) = steps(&[(0, 10), (11, 10 + WEEK)]);
        assert_eq!(remembered, [Step::Warning, Step::Containment]);
        let (_, contained) = steps(&[(0, 10), (11, 20), (21, 20 + 9 * WEEK)]);
        assert_eq!(contained[2], Step::Penalty);
    }

    #[test]
    fn a_review_gives_a_new_standing_once_nothing_was_missed_for_a_week() {
        let (warned, _) = steps(&[(0, 10)]);
        assert_eq!(review(&warned, 9 * WEEK), Err(ReviewError::NotContained));
        let (contained, _) = steps(&[(0, 10), (11, 20), (21, 30)]);
        let from = 30 + WEEK;
        assert_eq!(
            review(&contained, from - 1),
            Err(ReviewError::TooEarly { from })
        );
        assert_eq!(review(&contained, from), Ok(Standing::default()));
    }

    fn terms(slash: Amount, winner_permille: u16) -> Terms {
        Terms {
            period_blocks: 1,
            answer_blocks: 1,
            notice_periods: 1,
            rate: 1,
            holders_permille: 0,
            operators_permille: 0,
            challenge_bond: 1,
            slash,
            winner_permille,
        }
    }

    proptest! {
        #[test]
        fn a_penalty_is_never_above_the_bond_and_its_parts_add_up(
            bond: u128, slash: u128, permille: u16,
        ) {
            let terms = terms(slash, permille);
            let penalty = Penalty::of(Step::Penalty, &terms, bond);
            prop_assert_eq!(penalty.winner.checked_add(penalty.burnt), Some(bond.min(slash)));
            if permille < 1_000 && penalty.slash() > 0 {
                prop_assert!(penalty.burnt > 0);
            }
            for step in [Step::Known, Step::Warning, Step::Containment] {
                prop_assert_eq!(Penalty::of(step, &terms, bond), Penalty::default());
            }
        }

        #[test]
        fn no_step_comes_without_the_one_before(
            misses in prop::collection::vec((0u32..40, 0u32..40), 0..12),
        ) {
            let mut now = 0;
            let misses: Vec<_> = misses.into_iter().map(|(back, on)| {
                now += on * (WEEK / 20);
                (now.saturating_sub(back * (WEEK / 20)), now)
            }).collect();
            let (_, steps) = steps(&misses);
            let first = |step| steps.iter().position(|it| *it == step);
            if let Some(penalty) = first(Step::Penalty) {
                prop_assert!(first(Step::Containment).is_some_and(|it| it < penalty));
            }
            if let Some(containment) = first(Step::Containment) {
                prop_assert!(first(Step::Warning).is_some_and(|it| it < containment));
            }
        }
    }
}
