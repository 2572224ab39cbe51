//! What others ask of jobs.

use super::*;
use quern_job_rules::quote::QuoteError;
use quern_primitives::{JobId, job::Submission};
use std::collections::BTreeSet;

#[test]
fn a_quote_is_what_submitting_would_hold_and_asks_no_agreement() {
    on_new_chain(|| {
        let unpriced = Submission {
            price_max: 0,
            ..submission()
        };
        let quote = Jobs::quote(&unpriced).unwrap();
        assert_eq!((quote.task, quote.total), (TASK_CAP, 10 * TASK_CAP));
        let agreed = Submission {
            price_max: quote.total,
            ..unpriced
        };
        free_of_charge(Jobs::submit(signed(&OWNER), agreed));
        assert_eq!(Jobs::escrow_of(&OWNER), quote.total);
        let empty = Submission {
            tasks: 0,
            ..submission()
        };
        assert_eq!(Jobs::quote(&empty), Err(QuoteError::NoTasks));
    });
}

#[test]
fn an_owners_jobs_come_in_pages_each_once() {
    on_new_chain(|| {
        let ids: BTreeSet<JobId> = (0..7)
            .map(|number| {
                free_of_charge(Jobs::submit(signed(&OWNER), salted(number)));
                id_of(&OWNER, &salted(number))
            })
            .collect();
        free_of_charge(Jobs::submit(signed(&OTHER_OWNER), submission()));
        let (mut seen, mut last) = (Vec::new(), None);
        loop {
            let page = Jobs::jobs_of(&OWNER, last, 3);
            assert!(page.len() <= 3);
            let Some((id, _)) = page.last() else { break };
            last = Some(*id);
            seen.extend(page.into_iter().map(|(id, _)| id));
        }
        assert_eq!(seen.len(), 7);
        assert_eq!(BTreeSet::from_iter(seen), ids);
        assert_eq!(Jobs::jobs_of(&OWNER, None, u32::MAX).len(), 7);
        assert!(Jobs::jobs_of(&STRANGER, None, 3).is_empty());
    });
}

#[test]
fn a_coordinator_sees_its_open_jobs_and_no_others() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let jobs = Jobs::jobs_coordinated_by(&coordinator);
        assert_eq!(jobs, [(id, job(id))]);
        let other = MASTERNODES
            .into_iter()
            .find(|other| *other != coordinator)
            .unwrap();
        assert!(Jobs::jobs_coordinated_by(&other).is_empty());
        free_of_charge(Jobs::settle(signed(&coordinator), batch(id, 0, 0..10)));
        assert!(Jobs::jobs_coordinated_by(&coordinator).is_empty());
    });
}

#[test]
fn what_there_is_not_is_answered_with_nothing() {
    on_new_chain(|| {
        let id = submitted();
        assert_eq!(Jobs::job(&JobId([7; 32])), None);
        assert!(Jobs::settled_tasks(&id).is_empty());
        assert_eq!(Jobs::batch(&id, 0), None);
        assert_eq!(Jobs::escrow_of(&STRANGER), 0);
    });
}
