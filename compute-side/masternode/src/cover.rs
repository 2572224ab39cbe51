//! Which batches the masternode's bond covers now, and which wait.
//!
//! The chain settles nothing with which more would be settled and not final than the bond covers
//! (`docs/adr/0024-exposure.md`), and refuses it for a fee. So a batch is held to what the bond has left, beside
//! those that are on their way; one that it does not cover waits until earlier batches are final, or more is
//! bonded.

use quern_primitives::{
    JobId,
    amount::{Amount, display},
    ids::BatchSequence,
    view::MasternodeBondView,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

/// Names a batch.
pub(crate) type BatchName = (JobId, BatchSequence);

/// What is on its way, and what waits.
#[derive(Debug, Default)]
pub(crate) struct Cover {
    /// What the batches spend that are begun and that no final block has yet. There are no more of them than
    /// transactions may be on their way.
    spending: BTreeMap<BatchName, Amount>,
    /// Of jobs that have come to a halt the batch that waits.
    waiting: BTreeMap<JobId, BatchSequence>,
}

/// The chain would refuse a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uncovered {
    /// What it spends.
    spent: Amount,
    /// What the bond covers beside the rest.
    room: Amount,
    /// What it covers if all is final.
    at_most: Amount,
}

impl fmt::Display for Uncovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spent, room) = (display(self.spent), display(self.room));
        write!(
            f,
            "the batch spends {spent}, and the masternode's bond covers {room} beside what is settled and not \
             final; "
        )?;
        match self.spent <= self.at_most {
            true => f.write_str(
                "it waits until that is final, or more is bonded with `quern masternode bond`",
            ),
            false => write!(
                f,
                "the whole bond covers {}, so it is settled only if more is bonded with `quern masternode bond`",
                display(self.at_most)
            ),
        }
    }
}

impl std::error::Error for Uncovered {}

impl Cover {
    /// A batch is begun that spends so much. Gives what the others spend that are on their way.
    pub(crate) fn begin(&mut self, batch: BatchName, spent: Amount) -> Amount {
        self.spending.insert(batch, spent);
        let others = self.spending.iter().filter(|(name, _)| **name != batch);
        others.fold(0, |sum: Amount, (_, spent)| sum.saturating_add(*spent))
    }

    /// A batch waits for the bond. Says whether its job comes to a halt with it, so that the operator is told
    /// once, and not of each attempt.
    pub(crate) fn waits(&mut self, batch: BatchName) -> bool {
        self.spending.remove(&batch);
        match self.waiting.entry(batch.0) {
            Entry::Vacant(entry) => {
                entry.insert(batch.1);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// A batch is not on its way any more, and was not settled.
    pub(crate) fn given_up(&mut self, batch: BatchName) {
        self.spending.remove(&batch);
    }

    /// A final block has a batch. Says whether its job goes on with it, after a halt.
    pub(crate) fn settled(&mut self, batch: BatchName) -> bool {
        self.spending.remove(&batch);
        let (job, sequence) = batch;
        // Those before the one that waits were on their way already.
        let waited = self.waiting.get(&job).is_some_and(|at| sequence >= *at);
        if waited {
            self.waiting.remove(&job);
        }
        waited
    }
}

/// Whether a bond covers a batch that spends so much, beside what is settled and not final and what the `others`
/// spend that are on their way. Which of those is counted already is not known here, so some may be counted twice
/// for a moment; the batch is tried again.
pub(crate) fn check_covered(
    bond: &MasternodeBondView,
    spent: Amount,
    others: Amount,
) -> Result<(), Uncovered> {
    let room = bond.room().saturating_sub(others);
    let at_most = bond.covers(bond.held());
    match spent <= room {
        true => Ok(()),
        false => Err(Uncovered {
            spent,
            room,
            at_most,
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{amount::BYTECHIP, view::UnbondingView};

    const JOB: JobId = JobId([1; 32]);
    const OTHER: JobId = JobId([2; 32]);

    fn bond(active: Amount, open: Amount) -> MasternodeBondView {
        MasternodeBondView {
            active: active * BYTECHIP,
            unbonding: vec![],
            least: 0,
            open: open * BYTECHIP,
            per_exposure_permille: 1_000,
            is_masternode: true,
            is_reachable: true,
        }
    }

    #[test]
    fn a_batch_is_covered_by_what_nothing_else_needs_of_the_bond() {
        let spent = 10 * BYTECHIP;
        assert!(check_covered(&bond(10, 0), spent, 0).is_ok());
        assert!(check_covered(&bond(10, 1), spent, 0).is_err());
        assert!(check_covered(&bond(30, 10), spent, spent).is_ok());
        assert!(check_covered(&bond(30, 10), spent, spent + 1).is_err());
        // What is on its way out still answers.
        let leaving = UnbondingView {
            amount: 5 * BYTECHIP,
            withdrawable_at: 9,
        };
        let unbonding = MasternodeBondView {
            unbonding: vec![leaving],
            ..bond(5, 0)
        };
        assert!(check_covered(&unbonding, spent, 0).is_ok());
        assert!(check_covered(&bond(5, 9), 1, 0).is_err(), "it was slashed");
        // Where the council asks for half as much again.
        let dear = MasternodeBondView {
            per_exposure_permille: 1_500,
            ..bond(15, 4)
        };
        assert!(check_covered(&dear, 6 * BYTECHIP, 0).is_ok());
        assert!(check_covered(&dear, 6 * BYTECHIP + 1, 0).is_err());
    }

    #[test]
    fn whoever_bonded_too_little_for_one_batch_is_told_that_waiting_does_not_help() {
        let spent = 10 * BYTECHIP;
        let waits = check_covered(&bond(15, 10), spent, 0).unwrap_err();
        let told = waits.to_string();
        assert!(told.contains("spends 10 BC") && told.contains("bond covers 5 BC beside"));
        assert!(told.contains("it waits until that is final"), "{told}");
        let never = check_covered(&bond(9, 0), spent, 0).unwrap_err();
        let told = never.to_string();
        assert!(told.contains("the whole bond covers 9 BC"), "{told}");
        assert!(!told.contains("waits until"), "{told}");
    }

    #[test]
    fn what_is_on_its_way_counts_until_a_final_block_has_it_or_it_is_given_up() {
        let mut cover = Cover::default();
        assert_eq!(cover.begin((JOB, 0), 3), 0);
        assert_eq!(cover.begin((OTHER, 0), 4), 3);
        assert_eq!(cover.begin((JOB, 1), 5), 7);
        assert_eq!(cover.begin((JOB, 1), 5), 7, "its own is none of the others");
        cover.settled((JOB, 0));
        cover.given_up((OTHER, 0));
        assert_eq!(cover.begin((JOB, 2), 1), 5);
        cover.waits((JOB, 1));
        assert_eq!(cover.begin((JOB, 3), 1), 1);
        assert_eq!(cover.begin((JOB, 4), Amount::MAX), 2);
        assert_eq!(cover.begin((JOB, 5), 1), Amount::MAX);
    }

    #[test]
    fn that_a_batch_waits_is_told_once_for_each_time_that_its_job_comes_to_a_halt() {
        let mut cover = Cover::default();
        assert!(cover.waits((JOB, 1)));
        assert!(!cover.waits((JOB, 1)) && !cover.waits((JOB, 2)));
        assert!(cover.waits((OTHER, 0)));
        assert!(!cover.settled((JobId([3; 32]), 0)), "it did not wait");
        assert!(!cover.settled((JOB, 0)), "it was on its way before");
        assert!(!cover.waits((JOB, 1)), "so the job still halts");
        assert!(cover.settled((JOB, 1)) && !cover.settled((JOB, 2)));
        assert!(cover.waits((JOB, 3)));
    }
}
