//! How many replicas a job takes that shall fail with no more than a given probability.
//!
//! Devices take replicas as they ask for them, whoever comes first. So a replica counts as failing as
//! often as the devices that may compute the job do on average; that the most reliable of them took all
//! is only what there is at best.

use crate::{
    grid::live::{LiveError, LiveGrid, mean_failure},
    plan::factor_in_words,
    units::counted,
};
use quern_grid::replication::{
    FailureProbability, Fleet, LeastError, Plan, PlanError, ReplicasError, alike,
};
use quern_primitives::{job::Agreement, limits::REPLICAS_PER_TASK_MAX};
use serde::{Serialize, Serializer};

/// What was found for a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Found {
    /// What the owner accepts.
    #[serde(serialize_with = "as_number")]
    accepted_failure: FailureProbability,
    /// The fewest replicas for each task on average that would do, r.
    least_factor: f64,
    #[serde(skip)]
    least_replicas: u64,
    #[serde(skip)]
    tasks: u64,
    /// Replicas for each task that are taken: the next number that an agreement allows.
    replicas: u8,
    /// What they achieve where any device takes any replica.
    #[serde(serialize_with = "as_number")]
    failure: FailureProbability,
    /// The same, if all devices that fail with a task fail or lie alike: then more than half of a task's
    /// devices decide. Two must both, so of two it is no more often; what they differ on counts as
    /// decided rightly, as a referee decides it.
    #[serde(serialize_with = "as_number")]
    failure_if_alike: FailureProbability,
    /// What they would if the most reliable devices took all.
    #[serde(serialize_with = "as_number")]
    failure_at_best: FailureProbability,
    /// The masternode whose devices were counted on.
    masternode: String,
    /// Of how many masternodes it is the one that takes the most replicas.
    masternodes: usize,
}

/// No number of replicas is found.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum FindError {
    /// Nobody tells how often devices fail.
    #[error(
        "no masternode with a ranked device answers, so nothing tells how often devices fail; give a number of devices for each task with --replicas instead"
    )]
    NoRates,
    /// None that an agreement allows does.
    #[error(
        "a failure probability of {accepted} is out of reach at {masternode}: with {each} for each task, the most that {there} there allow, it is {reachable}; accept that much, or give a number of devices with --replicas",
        each = counted(*most, "replica"),
        there = counted(*accounts, "account")
    )]
    OutOfReach {
        /// What was asked for.
        accepted: FailureProbability,
        /// The least there is.
        reachable: FailureProbability,
        /// The replicas for each task with which it is reached.
        most: u8,
        /// The accounts that have a device for the job.
        accounts: u64,
        /// Where.
        masternode: String,
    },
    /// Nothing is accepted.
    #[error(transparent)]
    Least(#[from] LeastError),
    /// There is nothing to plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The replicas are not to be had.
    #[error(transparent)]
    Replicas(#[from] ReplicasError),
    /// A masternode tells nonsense.
    #[error(transparent)]
    Live(#[from] LiveError),
}

impl Found {
    /// Finds the replicas of a job. Which masternode it gets is drawn, so of several grids the one
    /// counts that takes the most.
    pub(crate) fn of(
        tasks: u32,
        accepted: FailureProbability,
        grids: &[LiveGrid],
    ) -> Result<Self, FindError> {
        let mut worst: Option<Self> = None;
        let mut masternodes = 0;
        for grid in grids {
            let Some(fleet) = grid.fleet()? else {
                continue;
            };
            masternodes += 1;
            let found = Self::at(tasks, accepted, grid, fleet)?;
            let is_worse = worst.as_ref().is_none_or(|worst| {
                (found.replicas, found.failure) > (worst.replicas, worst.failure)
            });
            if is_worse {
                worst = Some(found);
            }
        }
        let worst = worst.ok_or(FindError::NoRates)?;
        Ok(Self {
            masternodes,
            ..worst
        })
    }

    /// Finds them for one grid.
    fn at(
        tasks: u32,
        accepted: FailureProbability,
        grid: &LiveGrid,
        fleet: Fleet,
    ) -> Result<Self, FindError> {
        // That no account has a device for the job is told beside this; here it counts like one.
        let accounts = u64::from(grid.matching.accounts).max(1);
        let most = accounts
            .min(fleet.devices())
            .min(REPLICAS_PER_TASK_MAX.into());
        let mean = mean_failure(&fleet)?;
        let plan = Plan::new(tasks.into(), Fleet::alike(mean), most)?;
        let at_best = Plan::new(tasks.into(), fleet, most)?;
        let mut most = (1, FailureProbability::ALWAYS);
        for replicas in allowed(plan.factor_max()) {
            let taken = plan.tasks() * u64::from(replicas);
            let failure = plan.failure(taken)?;
            if failure <= accepted {
                let least_replicas = plan.least_replicas(accepted)?;
                let votes = (replicas, agreement(replicas).quorum());
                return Ok(Self {
                    accepted_failure: accepted,
                    least_factor: plan.factor(least_replicas),
                    least_replicas,
                    tasks: plan.tasks(),
                    replicas,
                    failure,
                    failure_if_alike: alike::outvoted(plan.tasks(), votes, mean)?,
                    failure_at_best: at_best.failure(taken)?,
                    masternode: grid.url.clone(),
                    masternodes: 1,
                });
            }
            most = (replicas, failure);
        }
        // Nothing is out of the question before anything is out of reach.
        if accepted == FailureProbability::NEVER {
            return Err(LeastError::Certainty.into());
        }
        Err(FindError::OutOfReach {
            accepted,
            reachable: most.1,
            most: most.0,
            accounts,
            masternode: grid.url.clone(),
        })
    }

    /// The agreement that is taken.
    pub(crate) fn agreement(&self) -> Agreement {
        agreement(self.replicas)
    }

    /// What was found and taken, in words.
    pub(crate) fn in_words(&self) -> String {
        let at = match self.masternodes {
            1 => format!("at {}", self.masternode),
            several => format!("at {}, the worst of {several} masternodes", self.masternode),
        };
        let alike = match self.agreement() {
            Agreement::Single => String::new(),
            Agreement::Unanimous => format!(
                "; counted are tasks that fail on both of their devices, and where both give the same wrong answer, they decide: if all that fail did so alike, it would be {}; where they differ, or both say that the program fails, a referee computes the task; where none can be had, two that agree are believed, and what they differ on is put to the vote",
                self.failure_if_alike
            ),
            agreement => format!(
                "; counted are tasks that fail on all their devices, and where {} of the {} fail or lie alike, they decide: if all that fail did so alike, it would be {}",
                agreement.quorum(),
                self.replicas,
                self.failure_if_alike
            ),
        };
        format!(
            "to fail with at most {} takes r = {} by the mean share of faulty tasks {at}; {} for each task are taken, which makes it {}, at best {}{alike}",
            self.accepted_failure,
            factor_in_words(self.least_replicas, self.tasks),
            counted(self.replicas, "device"),
            self.failure,
            self.failure_at_best
        )
    }
}

/// The agreement of so many replicas for each task.
fn agreement(replicas: u8) -> Agreement {
    match replicas {
        1 => Agreement::Single,
        2 => Agreement::Unanimous,
        replicas => Agreement::Majority { replicas },
    }
}

/// The numbers of replicas that an agreement allows, up to `most`: one, two that must agree, or an odd
/// number, of which more than half must.
fn allowed(most: u64) -> impl Iterator<Item = u8> {
    (1..=REPLICAS_PER_TASK_MAX)
        .filter(|replicas| agreement(*replicas).is_valid())
        .take_while(move |replicas| u64::from(*replicas) <= most)
}

fn as_number<S: Serializer>(
    probability: &FailureProbability,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(probability.get())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::live::tests::grid;

    fn p(value: f64) -> FailureProbability {
        FailureProbability::new(value).unwrap()
    }

    #[test]
    fn the_next_number_that_an_agreement_allows_is_taken() {
        // 1 of 20 on all devices: with two replicas of 100 tasks P is 22 %, with three 1.2 %.
        let grids = [grid("ws://here", 10, &[(1, 1_000)])];
        let found = Found::of(100, p(0.1), &grids).unwrap();
        assert_eq!(found.agreement(), Agreement::Majority { replicas: 3 });
        assert!(found.least_factor > 2.0 && found.least_factor < 3.0);
        assert!(found.failure <= p(0.013) && found.failure >= p(0.012));
        let words = found.in_words();
        for part in [
            "at most 10 % takes r = 2.",
            "at ws://here;",
            "3 devices for each task are taken",
            "makes it 1.24",
            "where 2 of the 3 fail or lie alike, they decide: if all",
            "alike, it would be 51.7 %",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["replicas"], 3);
        assert_eq!(json["accepted_failure"], 0.1);
        // All are alike, so it makes no difference who takes them.
        assert_eq!(json["failure_at_best"], json["failure"]);
        // Two of three fail with 0.725 %.
        let if_alike = json["failure_if_alike"].as_f64().unwrap();
        assert!((0.51..0.52).contains(&if_alike), "{if_alike}");
    }

    #[test]
    fn where_two_do_they_must_agree_and_two_accounts_are_enough() {
        // 1 of 20 on both devices: of 10 tasks one fails in 40 % with one replica, in 2.5 % with two.
        let grids = [grid("ws://here", 2, &[(1, 2)])];
        let found = Found::of(10, p(0.2), &grids).unwrap();
        assert_eq!(found.agreement(), Agreement::Unanimous);
        assert!(found.least_factor > 1.0 && found.least_factor < 2.0);
        assert!((0.0247..0.0248).contains(&found.failure.get()));
        // Both must fail alike to decide, and both fail as often as that.
        assert!((found.failure_if_alike.get() - found.failure.get()).abs() < 1e-15);
        let words = found.in_words();
        for part in [
            "takes r = 1.6 ",
            "2 devices for each task are taken",
            "makes it 2.472 %",
            "both give the same wrong answer, they decide",
            "alike, it would be 2.472 %",
            "where they differ, or both say that the program fails, a referee",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["replicas"], 2);
    }

    #[test]
    fn an_agreement_is_of_one_of_two_or_of_an_odd_number() {
        let all: Vec<_> = allowed(u64::MAX).collect();
        assert_eq!(all, [1, 2, 3, 5, 7, 9, 11, 13, 15]);
        for (most, last) in [(1, 1), (2, 2), (4, 3), (14, 13)] {
            assert_eq!(allowed(most).last(), Some(last));
        }
        for replicas in all {
            assert_eq!(agreement(replicas).replicas(), replicas);
        }
    }

    #[test]
    fn any_device_takes_a_replica_and_that_the_best_do_is_only_what_there_is_at_best() {
        let grids = [grid("ws://here", 10, &[(0, 500), (4, 500)])];
        let found = Found::of(10, p(0.05), &grids).unwrap();
        assert_eq!(found.agreement(), Agreement::Majority { replicas: 3 });
        // The mean is 11.25 %, of which the third power ten times is 1.4 %.
        assert!((0.014..0.0145).contains(&found.failure.get()));
        assert!(found.failure_at_best < p(1.6e-4));
        assert!(found.in_words().contains("%, at best 0.01"));
    }

    #[test]
    fn one_replica_does_where_devices_fail_seldom_enough() {
        let found = Found::of(1, p(0.03), &[grid("a", 3, &[(0, 3)])]).unwrap();
        assert_eq!(found.agreement(), Agreement::Single);
        assert_eq!(found.least_factor, 1.0);
        // One that fails decides, however many fail alike.
        assert!((found.failure_if_alike.get() - found.failure.get()).abs() < 1e-15);
    }

    #[test]
    fn what_no_allowed_number_reaches_is_refused_with_the_least_there_is() {
        // One of ten tasks fails on a device. Four accounts allow four replicas, but four cannot decide.
        for (accounts, most, there_is) in [
            (1, 1, ["1 replica for each task", "1 account ", "is 10 %"]),
            (2, 2, ["2 replicas for each task", "2 accounts", "is 1 %"]),
            (4, 3, ["3 replicas for each task", "4 accounts", "is 0.1 %"]),
        ] {
            let grids = [grid("ws://here", accounts, &[(2, 100)])];
            let error = Found::of(1, p(0.0005), &grids).unwrap_err();
            let FindError::OutOfReach { most: found, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(*found, most);
            let text = error.to_string();
            for part in there_is.into_iter().chain(["--replicas"]) {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        let grids = [grid("ws://here", 2, &[(2, 100)])];
        let never = Found::of(1, FailureProbability::NEVER, &grids).unwrap_err();
        assert_eq!(never, FindError::Least(LeastError::Certainty));
    }

    #[test]
    fn without_rates_replicas_are_asked_for() {
        for grids in [vec![], vec![grid("a", 0, &[])]] {
            let error = Found::of(1, p(0.01), &grids).unwrap_err();
            assert_eq!(error, FindError::NoRates);
            assert!(error.to_string().contains("--replicas"));
        }
    }

    #[test]
    fn of_several_masternodes_the_one_counts_that_takes_the_most() {
        let grids = [
            grid("good", 15, &[(1, 1_000)]),
            grid("bad", 15, &[(7, 1_000)]),
            grid("empty", 0, &[]),
        ];
        let found = Found::of(10, p(0.01), &grids).unwrap();
        assert_eq!(found.masternode, "bad");
        assert!(found.in_words().contains("the worst of 2 masternodes"));
        assert!(found.replicas > 3);
    }
}
