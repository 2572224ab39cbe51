//! When cheating loses.
//!
//! A coalition holds `k` replicas of a task. Each brings a reward `r` and costs `c` to compute; a wrong
//! answer brings an outside gain `V`, and if it is found, each device loses `S`. With a share `a` of
//! tasks computed again, cheating brings less than honest work where
//!
//! ```text
//! (1 - a)(k r + V) - a k S < k (r - c),  that is  a > (k c + V) / (k (S + r) + V)
//! ```
//!
//! Where the reward is kept although a lie is found, it is on both sides: `r` is nothing then. And where a part of
//! what is taken goes to who shows the lie, that may be an accomplice: `S` is what is lost for certain.

use crate::{InputError, amount, share};

/// What is at stake in a task, in any one unit of money.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stakes {
    replicas: f64,
    reward: f64,
    cost: f64,
    slash: f64,
}

impl Stakes {
    /// A coalition that holds so many replicas, of which each is paid `reward`, costs `cost` to compute,
    /// and loses `slash` if its answer is found to be wrong.
    pub fn new(replicas: u8, reward: f64, cost: f64, slash: f64) -> Result<Self, InputError> {
        if replicas == 0 {
            return Err(InputError::NoReplicas);
        }
        Ok(Self {
            replicas: replicas.into(),
            reward: amount("the reward of a replica", reward)?,
            cost: amount("the cost of a replica", cost)?,
            slash: amount("what a device loses", slash)?,
        })
    }

    /// The share of tasks above which computing them again makes cheating lose that gains so much
    /// outside. None if no share does.
    pub fn least_share(&self, gain: f64) -> Result<Option<f64>, InputError> {
        let gain = amount("the gain outside", gain)?;
        let wins = self.replicas * self.cost + gain;
        let loses = self.replicas * (self.slash + self.reward) + gain;
        // A share has to be above it, so it must be below 1; and nothing is lost where nothing is at
        // stake.
        Ok((wins < loses).then(|| wins / loses))
    }

    /// The gain outside up to which cheating loses if this share of tasks is computed again, which is
    /// the most that a task may be worth: `k (a (S + r) - c) / (1 - a)`. None if there is no such bound,
    /// because every task is computed again; 0 if not even honest work pays.
    pub fn value_max(&self, computed_again: f64) -> Result<Option<f64>, InputError> {
        let a = share("the share that is computed again", computed_again)?;
        let margin = a * (self.slash + self.reward) - self.cost;
        if margin <= 0.0 {
            return Ok(Some(0.0));
        }
        let value = self.replicas * margin / (1.0 - a);
        Ok(value.is_finite().then_some(value))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_a_gain_outside_the_cost_is_weighed_against_bond_and_reward() {
        // (2 × 0.5) / (2 × (10 + 1)).
        let stakes = Stakes::new(2, 1.0, 0.5, 10.0).unwrap();
        let least = stakes.least_share(0.0).unwrap().unwrap();
        assert!((least - 1.0 / 22.0).abs() < 1e-15);
        // (1 + 4) / (22 + 4).
        let least = stakes.least_share(4.0).unwrap().unwrap();
        assert!((least - 5.0 / 26.0).abs() < 1e-15);
    }

    #[test]
    fn a_task_is_worth_no_more_than_what_the_bonds_make_lose() {
        let stakes = Stakes::new(2, 1.0, 0.5, 10.0).unwrap();
        // 2 × (0.1 × 11 - 0.5) / 0.9.
        let most = stakes.value_max(0.1).unwrap().unwrap();
        assert!((most - 1.2 / 0.9).abs() < 1e-12);
        assert_eq!(stakes.value_max(0.0), Ok(Some(0.0)));
        assert_eq!(stakes.value_max(1.0), Ok(None));
    }

    #[test]
    fn where_work_costs_more_than_there_is_to_lose_no_share_helps() {
        let stakes = Stakes::new(1, 1.0, 5.0, 2.0).unwrap();
        assert_eq!(stakes.least_share(0.0), Ok(None));
        assert_eq!(stakes.value_max(1.0), Ok(Some(0.0)));
        let nothing = Stakes::new(1, 0.0, 0.0, 0.0).unwrap();
        assert_eq!(nothing.least_share(0.0), Ok(None));
    }

    #[test]
    fn what_is_no_amount_is_refused_by_name() {
        assert_eq!(Stakes::new(0, 1.0, 1.0, 1.0), Err(InputError::NoReplicas));
        for wrong in [-1.0, f64::NAN, f64::INFINITY] {
            let error = Stakes::new(1, wrong, 1.0, 1.0).unwrap_err();
            assert!(error.to_string().contains("reward"), "{error}");
            assert!(Stakes::new(1, 1.0, wrong, 1.0).is_err());
            assert!(Stakes::new(1, 1.0, 1.0, wrong).is_err());
            let stakes = Stakes::new(1, 1.0, 1.0, 1.0).unwrap();
            assert!(stakes.least_share(wrong).is_err() && stakes.value_max(wrong).is_err());
        }
    }

    proptest! {
        #[test]
        fn the_most_a_task_may_be_worth_is_what_its_share_just_makes_lose(
            k in 1u8..15, r in 0.001..100.0f64, c in 0.0..10.0f64, s in 0.0..1_000.0f64,
            a in 0.001..0.99f64,
        ) {
            let stakes = Stakes::new(k, r, c, s).unwrap();
            let most = stakes.value_max(a).unwrap().unwrap();
            if most > 0.0 {
                let least = stakes.least_share(most).unwrap().unwrap();
                prop_assert!((least - a).abs() < 1e-9, "{least} {a}");
            }
        }

        #[test]
        fn more_to_gain_takes_more_and_more_to_lose_takes_less(
            k in 1u8..15, r in 0.0..100.0f64, c in 0.0..1.0f64, s in 1.0..1_000.0f64,
            v in 0.0..1_000.0f64, more in 0.0..1_000.0f64,
        ) {
            let least = |slash, gain| {
                Stakes::new(k, r, c, slash).unwrap().least_share(gain).unwrap().unwrap_or(1.0)
            };
            prop_assert!(least(s, v + more) + 1e-12 >= least(s, v));
            prop_assert!(least(s + more, v) <= least(s, v) + 1e-12);
            // By the difference that the formula is made of: at this share cheating brings as much.
            let (a, k) = (least(s, v), f64::from(k));
            if a < 1.0 {
                let cheats = (1.0 - a) * (k * r + v) - a * k * s;
                let works = k * (r - c);
                prop_assert!((cheats - works).abs() < 1e-6 * (1.0 + k * (r + s) + v));
            }
        }
    }
}
