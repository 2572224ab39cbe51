//! The agreement that costs least of those that keep a bound.
//!
//! What a job costs grows with the replicas that a task begins with, so agreements are tried in that order. More
//! replicas do not always make a wrong answer seldomer: three of which two decide are wrong more often than two
//! that must agree. So none is left out for being between two others.

use crate::{Crowd, InputError, ReExecution, Statement, share, statement::percent};
use quern_primitives::{job::Agreement, limits::REPLICAS_PER_TASK_MAX};
use serde::Serialize;
use std::fmt;

/// How likely a wrong answer to a task may be accepted and stay.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Bound(f64);

impl Bound {
    /// So likely at the most, from 0 to 1.
    pub fn new(wrong_at_most: f64) -> Result<Self, InputError> {
        share("the probability of a wrong answer", wrong_at_most).map(Self)
    }

    /// The probability.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether what can be said of a job keeps it.
    #[must_use]
    pub fn is_kept_by(self, said: &Statement) -> bool {
        said.wrong_and_final <= self.0
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&percent(self.0))
    }
}

/// All agreements that there are, those that cost less before those that cost more. Of the two with one replica,
/// which cost the same, the adaptive one is first: it believes a device alone only sometimes.
pub fn by_cost() -> impl Iterator<Item = Agreement> {
    let few = [Agreement::Adaptive, Agreement::Single, Agreement::Unanimous];
    let majorities = (3..=REPLICAS_PER_TASK_MAX).map(|replicas| Agreement::Majority { replicas });
    few.into_iter()
        .chain(majorities)
        .filter(Agreement::is_valid)
}

/// The accounts of which a task needs devices: as many as it has replicas at first, and two where the first one
/// may not be believed alone.
#[must_use]
pub fn accounts_for(agreement: Agreement) -> u8 {
    match agreement {
        Agreement::Adaptive => Agreement::Unanimous.replicas(),
        Agreement::Single | Agreement::Majority { .. } | Agreement::Unanimous => {
            agreement.replicas()
        }
    }
}

/// What can be said where a job is computed by one of these crowds: which one is drawn, so the one counts that
/// makes a wrong answer the likeliest. Crowds with fewer accounts than a task needs compute nothing of it; none
/// if all are such.
pub fn at_worst(
    agreement: Agreement,
    crowds: impl IntoIterator<Item = Crowd>,
    again: ReExecution,
) -> Result<Option<Statement>, InputError> {
    let mut worst: Option<Statement> = None;
    for crowd in crowds {
        if crowd.eligible() < u32::from(accounts_for(agreement)) {
            continue;
        }
        let said = Statement::new(agreement, crowd, again)?;
        let is_worse = worst
            .as_ref()
            .is_none_or(|worst| said.wrong_and_final > worst.wrong_and_final);
        if is_worse {
            worst = Some(said);
        }
    }
    Ok(worst)
}

/// Looks for the agreement that costs least of those that keep a bound. Which accounts may compute a job hangs on
/// what a task costs, and so on the agreement: whoever looks asks about each that [`Search::ask_next`] names, until
/// [`Search::take`] says that one keeps it.
#[derive(Clone, Debug)]
pub struct Search {
    bound: Bound,
    left: Vec<Agreement>,
    least: Option<Statement>,
}

/// No agreement keeps the bound.
#[derive(Clone, Debug, PartialEq)]
pub struct OutOfReach {
    /// What was asked for.
    pub bound: Bound,
    /// What comes nearest; none if of no agreement anything could be said.
    pub least: Option<Statement>,
}

impl Search {
    /// Begins with the agreement that costs least.
    #[must_use]
    pub fn new(bound: Bound) -> Self {
        let mut left: Vec<_> = by_cost().collect();
        left.reverse();
        Self {
            bound,
            left,
            least: None,
        }
    }

    /// The next agreement to be asked about; none if none is left.
    pub fn ask_next(&mut self) -> Option<Agreement> {
        self.left.pop()
    }

    /// Takes what can be said of the job with the agreement that was named last, and says whether that keeps the
    /// bound. Of a job that nobody can compute nothing can be said, and nothing is kept.
    pub fn take(&mut self, said: Option<&Statement>) -> bool {
        let Some(said) = said else {
            return false;
        };
        let is_less = self
            .least
            .as_ref()
            .is_none_or(|least| said.wrong_and_final < least.wrong_and_final);
        if is_less {
            self.least = Some(*said);
        }
        self.bound.is_kept_by(said)
    }

    /// What is to be told when none is left.
    #[must_use]
    pub fn out_of_reach(self) -> OutOfReach {
        OutOfReach {
            bound: self.bound,
            least: self.least,
        }
    }
}

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.least {
            Some(least) => write!(
                f,
                "no agreement keeps a wrong and final answer to a task at {} or less; what comes nearest is {} with {}: {least}; accept that much, or ask again when more accounts may compute the job",
                self.bound,
                percent(least.wrong_and_final),
                name(least.agreement)
            ),
            None => write!(
                f,
                "whether an agreement keeps a wrong and final answer to a task at {} or less cannot be said, for nobody tells of enough accounts that may compute the job; name an agreement instead, or ask again when some may",
                self.bound
            ),
        }
    }
}

impl std::error::Error for OutOfReach {}

fn name(agreement: Agreement) -> String {
    match agreement {
        Agreement::Single => "one replica that is believed".into(),
        Agreement::Adaptive => "adaptive agreement".into(),
        Agreement::Unanimous => "two replicas that must agree".into(),
        Agreement::Majority { replicas } => format!("a majority of {replicas} replicas"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bound(at_most: f64) -> Bound {
        Bound::new(at_most).unwrap()
    }

    fn crowd(eligible: u32, colluding: u32) -> Crowd {
        Crowd::new(eligible, colluding).unwrap()
    }

    /// What is found for crowds that are the same whatever the agreement.
    fn cheapest(
        at_most: f64,
        crowds: &[Crowd],
        again: ReExecution,
    ) -> Result<Statement, OutOfReach> {
        let mut search = Search::new(bound(at_most));
        while let Some(agreement) = search.ask_next() {
            let said = at_worst(agreement, crowds.iter().copied(), again).unwrap();
            if search.take(said.as_ref()) {
                return Ok(said.unwrap());
            }
        }
        Err(search.out_of_reach())
    }

    fn found(at_most: f64, n: u32, c: u32) -> Agreement {
        let said = cheapest(at_most, &[crowd(n, c)], ReExecution::NONE);
        said.unwrap().agreement
    }

    #[test]
    fn the_fewest_replicas_are_taken_that_keep_the_bound() {
        assert_eq!(found(0.1, 100, 10), Agreement::Adaptive);
        assert_eq!(found(0.0999, 100, 10), Agreement::Unanimous);
        // Three are wrong more often than two, and are passed over.
        assert_eq!(found(0.0092, 100, 10), Agreement::Unanimous);
        assert_eq!(found(0.009, 100, 10), Agreement::Majority { replicas: 5 });
        assert_eq!(
            found(3e-5, 1_000, 100),
            Agreement::Majority { replicas: 15 }
        );
    }

    #[test]
    fn a_coalition_of_one_never_has_two_and_nobody_means_that_one_is_enough() {
        assert_eq!(found(0.0, 100, 1), Agreement::Unanimous);
        assert_eq!(found(0.0, 100, 0), Agreement::Adaptive);
        // Adaptive agreement needs a second account.
        assert_eq!(found(0.0, 1, 0), Agreement::Single);
        assert_eq!(found(1.0, 1, 1), Agreement::Single);
    }

    #[test]
    fn what_is_computed_again_makes_fewer_replicas_enough() {
        let crowds = [crowd(100, 10)];
        let with = |a| {
            let again = ReExecution::new(a, 1.0).unwrap();
            cheapest(0.05, &crowds, again).unwrap().agreement
        };
        assert_eq!(with(0.0), Agreement::Unanimous);
        assert_eq!(with(0.5), Agreement::Adaptive);
    }

    #[test]
    fn the_crowd_counts_that_makes_a_wrong_answer_the_likeliest() {
        let both = [crowd(1_000, 10), crowd(100, 10)];
        let said = cheapest(0.05, &both, ReExecution::NONE).unwrap();
        assert_eq!((said.agreement, said.eligible), (Agreement::Unanimous, 100));
        // One that cannot compute it does not count.
        let alone = [crowd(1_000, 10), crowd(1, 1)];
        let said = cheapest(0.05, &alone, ReExecution::NONE).unwrap();
        assert_eq!(
            (said.agreement, said.eligible),
            (Agreement::Adaptive, 1_000)
        );
    }

    #[test]
    fn what_none_keeps_is_refused_with_what_comes_nearest() {
        let refused = cheapest(1e-12, &[crowd(100, 10)], ReExecution::NONE).unwrap_err();
        let least = refused.least.unwrap();
        assert_eq!(least.agreement, Agreement::Majority { replicas: 15 });
        let text = refused.to_string();
        for part in [
            "at 1.00e-10 % or less",
            "with a majority of 15 replicas: a wrong answer",
            "c = 10, n = 100",
            "accept that much",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let refused = cheapest(0.5, &[], ReExecution::NONE).unwrap_err();
        assert_eq!(refused.least, None);
        assert!(refused.to_string().contains("cannot be said"), "{refused}");
    }

    #[test]
    fn a_bound_is_a_probability() {
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Bound::new(wrong).is_err());
        }
        assert_eq!(bound(0.001).to_string(), "0.1 %");
        assert_eq!(serde_json::to_value(bound(0.001)).unwrap(), 0.001);
    }

    #[test]
    fn agreements_are_each_there_once_in_the_order_of_what_they_cost() {
        let all: Vec<_> = by_cost().collect();
        // The price of a task grows by a part of the first replica's with each further one.
        let replicas: Vec<_> = all.iter().map(Agreement::replicas).collect();
        assert_eq!(replicas, [1, 1, 2, 3, 5, 7, 9, 11, 13, 15]);
        assert!(all.iter().all(Agreement::is_valid));
    }

    /// So many ways there are to choose k of n.
    fn ways(n: u32, k: u32) -> u128 {
        (0..k).fold(1, |ways: u128, i| match i < n {
            // Each product is of consecutive numbers, and so divisible.
            true => ways * u128::from(n - i) / u128::from(i + 1),
            false => 0,
        })
    }

    /// By counting all ways in which replicas can fall to accounts: in how many of how many the coalition wins.
    fn counted(agreement: Agreement, n: u32, c: u32) -> (u128, u128) {
        let u = u32::from(agreement.replicas());
        let needed = match agreement {
            Agreement::Majority { .. } => u / 2 + 1,
            _ => u,
        };
        let wins = (needed..=u).map(|theirs| ways(c, theirs) * ways(n - c, u - theirs));
        (wins.sum(), ways(n, u))
    }

    proptest! {
        #[test]
        fn what_is_found_keeps_the_bound_and_nothing_that_costs_less_does(
            n in 1u32..40, part in 0.0..=1.0f64, again in 0u32..=10, at_most in 0.0..0.3f64,
            finer in 0u32..6,
        ) {
            let c = ((f64::from(n) * part) as u32).min(n);
            let at_most = at_most / 10f64.powi(finer as i32);
            let re_execution = ReExecution::new(f64::from(again) / 10.0, 1.0).unwrap();
            let said = cheapest(at_most, &[crowd(n, c)], re_execution);
            // A slow reference: whole numbers as far as they go, over all agreements.
            let wrong = |agreement: Agreement| {
                let (wins, all) = counted(agreement, n, c);
                wins as f64 / all as f64 * f64::from(10 - again) / 10.0
            };
            let fits = |agreement: &Agreement| {
                let needed = match agreement {
                    Agreement::Adaptive => 2,
                    other => u32::from(other.replicas()),
                };
                needed <= n
            };
            let all: Vec<_> = by_cost().filter(fits).collect();
            // Where the two differ in the last digit, either may be right.
            prop_assume!(all.iter().all(|it| (wrong(*it) - at_most).abs() > 1e-12));
            let expected = all.iter().find(|it| wrong(**it) <= at_most);
            prop_assert_eq!(expected.copied(), said.as_ref().ok().map(|it| it.agreement));
            match said {
                Ok(said) => {
                    prop_assert!(said.wrong_and_final <= at_most);
                    prop_assert!((said.wrong_and_final - wrong(said.agreement)).abs() < 1e-12);
                }
                Err(refused) => {
                    let least = refused.least.unwrap().wrong_and_final;
                    prop_assert!(all.iter().all(|it| wrong(*it) >= least - 1e-12));
                }
            }
        }

        #[test]
        fn who_accepts_more_never_pays_for_more(
            n in 2u32..1_000, part in 0.0..1.0f64, at_most in 0.0..0.5f64, more in 0.0..0.5f64,
        ) {
            let crowds = [crowd(n, (f64::from(n) * part) as u32)];
            let replicas = |at_most| {
                let said = cheapest(at_most, &crowds, ReExecution::NONE);
                said.map_or(u8::MAX, |said| said.replicas)
            };
            prop_assert!(replicas(at_most + more) <= replicas(at_most));
        }
    }
}
