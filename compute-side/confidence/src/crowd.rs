//! Who may compute a task, and how likely a coalition among them gets it.

use crate::{InputError, adaptive::trust, share};

/// The accounts that may compute a job, and how many of them work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    eligible: u32,
    colluding: u32,
}

impl Crowd {
    /// So many accounts, of which so many collude.
    pub fn new(eligible: u32, colluding: u32) -> Result<Self, InputError> {
        if eligible == 0 {
            Err(InputError::NobodyEligible)
        } else if colluding > eligible {
            Err(InputError::TooManyColluding {
                colluding,
                eligible,
            })
        } else {
            Ok(Self {
                eligible,
                colluding,
            })
        }
    }

    /// So many accounts, of which a tenth is assumed to collude, rounded up.
    pub fn assumed(eligible: u32) -> Result<Self, InputError> {
        Self::new(eligible, eligible.div_ceil(10))
    }

    /// The accounts that may compute, n.
    #[must_use]
    pub fn eligible(&self) -> u32 {
        self.eligible
    }

    /// Those that collude, c.
    #[must_use]
    pub fn colluding(&self) -> u32 {
        self.colluding
    }

    /// The chance that all `replicas` of a task fall to the coalition, `P_u = C(c,u) / C(n,u)`: the
    /// product of `(c - i) / (n - i)`, which keeps its digits however large n is. 0 where there are more
    /// replicas than accounts that collude.
    pub fn all_colluding(&self, replicas: u8) -> Result<f64, InputError> {
        if replicas == 0 {
            return Err(InputError::NoReplicas);
        }
        if u32::from(replicas) > self.colluding {
            return Ok(0.0);
        }
        let ratio =
            |drawn: u32| f64::from(self.colluding - drawn) / f64::from(self.eligible - drawn);
        Ok((0..u32::from(replicas)).map(ratio).product())
    }

    /// The chance that more than half of `replicas` fall to the coalition, which then outvotes the
    /// others.
    pub fn outvoted(&self, replicas: u8) -> Result<f64, InputError> {
        if u32::from(replicas) > self.eligible {
            return Err(InputError::TooFewEligible {
                replicas,
                eligible: self.eligible,
            });
        }
        most_of(replicas, |drawn, theirs| {
            // Where none of theirs is left, none of the chances that are multiplied here is above 0.
            let left = self.colluding.saturating_sub(theirs);
            f64::from(left) / f64::from(self.eligible - drawn)
        })
    }

    /// The chance that a task whose device has so many answers accepted in a row, and whose agreement is
    /// adaptive, is answered by the coalition alone: its device is theirs, and is believed alone, or the
    /// second one is theirs too.
    #[must_use]
    pub fn believed(&self, accepted: u32) -> f64 {
        let (n, c) = (f64::from(self.eligible), f64::from(self.colluding));
        let second = match self.eligible > 1 {
            true => (c - 1.0).max(0.0) / (n - 1.0),
            false => 1.0,
        };
        let alone = trust(accepted);
        c / n * (alone + (1.0 - alone) * second)
    }
}

/// The chance that more than half of `replicas` fall to a coalition that has this share of very many
/// accounts: for three, `3 p² (1 - p) + p³`.
pub fn outvoted_at(colluding: f64, replicas: u8) -> Result<f64, InputError> {
    let p = share("the share that colludes", colluding)?;
    most_of(replicas, |_, _| p)
}

/// The chance that more than half of so many draws are theirs. `next` is the chance that the next one is,
/// after so many draws of which so many were.
fn most_of(replicas: u8, next: impl Fn(u32, u32) -> f64) -> Result<f64, InputError> {
    if replicas == 0 {
        return Err(InputError::NoReplicas);
    }
    // How likely none, one, two... of those drawn so far are theirs.
    let mut chances = vec![1.0];
    for drawn in 0..u32::from(replicas) {
        let mut after = vec![0.0; chances.len() + 1];
        for (theirs, chance) in (0u32..).zip(&chances) {
            let p = next(drawn, theirs);
            after[theirs as usize] += chance * (1.0 - p);
            after[theirs as usize + 1] += chance * p;
        }
        chances = after;
    }
    let most = usize::from(replicas / 2) + 1;
    Ok(chances[most..].iter().sum())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-12 * other.abs().max(1e-300).max(1.0)
    }

    fn crowd(eligible: u32, colluding: u32) -> Crowd {
        Crowd::new(eligible, colluding).unwrap()
    }

    #[test]
    fn of_a_tenth_that_colludes_two_of_three_are_theirs_in_28_tasks_of_a_thousand() {
        let p = 0.1;
        let wrong = outvoted_at(p, 3).unwrap();
        assert!(near(wrong, 3.0 * p * p * (1.0 - p) + p * p * p));
        assert!(near(wrong, 0.028));
        // With a million accounts it makes no difference that none is drawn twice.
        let many = crowd(1_000_000, 100_000).outvoted(3).unwrap();
        assert!((many - 0.028).abs() < 1e-6, "{many}");
    }

    #[test]
    fn two_of_a_hundred_are_both_of_a_coalition_of_ten_once_in_110() {
        let both = crowd(100, 10).all_colluding(2).unwrap();
        assert!(near(both, 1.0 / 110.0));
    }

    #[test]
    fn a_coalition_smaller_than_the_replicas_never_has_all() {
        assert_eq!(crowd(100, 1).all_colluding(2), Ok(0.0));
        assert_eq!(crowd(1, 0).all_colluding(1), Ok(0.0));
        assert_eq!(crowd(1, 1).all_colluding(2), Ok(0.0));
        assert_eq!(crowd(5, 5).all_colluding(5), Ok(1.0));
    }

    #[test]
    fn digits_are_kept_with_a_million_accounts() {
        // 1/10 × 99999/999999, and so on, by exact fractions.
        let crowd = crowd(1_000_000, 100_000);
        let two = 100_000.0 * 99_999.0 / (1_000_000.0 * 999_999.0);
        assert!((crowd.all_colluding(2).unwrap() / two - 1.0).abs() < 1e-14);
        let many = crowd.all_colluding(u8::MAX).unwrap();
        assert!(many > 0.0 && many < 1e-250, "{many}");
        assert_eq!(
            Crowd::new(u32::MAX, u32::MAX).unwrap().all_colluding(9),
            Ok(1.0)
        );
    }

    #[test]
    fn a_tenth_is_assumed_rounded_up() {
        for (eligible, colluding) in [(1, 1), (4, 1), (10, 1), (11, 2), (100, 10), (101, 11)] {
            assert_eq!(Crowd::assumed(eligible).unwrap().colluding(), colluding);
        }
        assert_eq!(Crowd::assumed(0), Err(InputError::NobodyEligible));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(Crowd::new(3, 4).is_err());
        assert_eq!(crowd(3, 1).all_colluding(0), Err(InputError::NoReplicas));
        assert_eq!(crowd(3, 1).outvoted(0), Err(InputError::NoReplicas));
        assert!(crowd(3, 1).outvoted(5).is_err());
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(outvoted_at(wrong, 3).is_err());
        }
    }

    #[test]
    fn every_way_to_draw_from_a_small_crowd_is_counted() {
        for n in 1..=9u32 {
            for c in 0..=n {
                for u in 1..=n {
                    let (mut all, mut theirs, mut most) = (0u32, 0u32, 0u32);
                    // Accounts are bits, of which the lowest c collude.
                    for drawn in (0..1u32 << n).filter(|drawn| drawn.count_ones() == u) {
                        let colluding = (drawn & ((1 << c) - 1)).count_ones();
                        all += 1;
                        theirs += u32::from(colluding == u);
                        most += u32::from(colluding * 2 > u);
                    }
                    let crowd = crowd(n, c);
                    let share = |count: u32| f64::from(count) / f64::from(all);
                    let replicas = u8::try_from(u).unwrap();
                    assert!(near(crowd.all_colluding(replicas).unwrap(), share(theirs)));
                    assert!(near(crowd.outvoted(replicas).unwrap(), share(most)));
                }
            }
        }
    }

    #[test]
    fn a_device_without_a_record_is_backed_and_one_with_a_long_one_is_not() {
        let crowd = crowd(100, 10);
        let both = crowd.all_colluding(2).unwrap();
        assert!(near(crowd.believed(9), both));
        assert!(near(crowd.believed(10), 0.9 * 0.1 + 0.1 * both));
        assert!(crowd.believed(u32::MAX) > 0.0999);
        assert!(near(Crowd::new(1, 1).unwrap().believed(0), 1.0));
    }

    proptest! {
        #[test]
        fn chances_are_chances_and_go_the_right_way(
            n in 2u32..1_000_000, part in 0.0..1.0f64, u in 1u8..15
        ) {
            let c = (f64::from(n) * part) as u32;
            let p = |n, c, u| crowd(n, c).all_colluding(u).unwrap();
            let it = p(n, c, u);
            prop_assert!((0.0..=1.0).contains(&it));
            // More replicas, more honest accounts and fewer liars make it rarer.
            prop_assert!(p(n, c, u + 1) <= it);
            prop_assert!(p(n + 1, c, u) <= it);
            prop_assert!(p(n, (c + 1).min(n), u) >= it);
            if u32::from(u) <= n {
                let most = crowd(n, c).outvoted(u).unwrap();
                prop_assert!((0.0..=1.0 + 1e-12).contains(&most));
                prop_assert!(most + 1e-12 >= it, "who has all has more than half");
            }
            prop_assert!(crowd(n, c).believed(5) <= crowd(n, c).believed(50) + 1e-15);
        }
    }
}
