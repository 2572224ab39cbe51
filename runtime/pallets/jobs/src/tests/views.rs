//! What others ask of jobs.

use super::*;
use quern_job_rules::quote::QuoteError;
use quern_primitives::{
    AccountId, JobId,
    job::{Job, Submission},
    limits::{JOBS_AWAITING_PER_OWNER_MAX, JOBS_PER_PAGE_MAX},
};
use std::collections::BTreeSet;

/// All pages that there are, each after the last job of the one before.
fn pages(ask: impl Fn(Option<JobId>) -> Vec<(JobId, Job)>) -> Vec<Vec<JobId>> {
    let (mut pages, mut last) = (Vec::new(), None);
    loop {
        let page: Vec<JobId> = ask(last).into_iter().map(|(id, _)| id).collect();
        let Some(id) = page.last() else { return pages };
        last = Some(*id);
        pages.push(page);
    }
}

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
        let pages = pages(|last| Jobs::jobs_of(&OWNER, last, 3));
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
        let seen: Vec<JobId> = pages.into_iter().flatten().collect();
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
        let jobs_of = |by: &AccountId| Jobs::jobs_coordinated_by(by, None, u32::MAX);
        assert_eq!(jobs_of(&coordinator), [(id, job(id))]);
        let other = MASTERNODES
            .into_iter()
            .find(|other| *other != coordinator)
            .unwrap();
        assert!(jobs_of(&other).is_empty());
        free_of_charge(Jobs::settle(
            signed(&coordinator),
            certified(batch(id, 0, 0..10)),
        ));
        assert_eq!(jobs_of(&coordinator).len(), 1, "it waits for its batch");
        pass_window();
        assert!(jobs_of(&coordinator).is_empty());
    });
}

#[test]
fn a_coordinators_jobs_come_in_pages_each_once() {
    on_new_chain(|| {
        let only = &MASTERNODES[0];
        MasternodeList::set(&vec![only.clone()]);
        let mut ids = BTreeSet::new();
        for number in 0..150 {
            if number % JOBS_AWAITING_PER_OWNER_MAX as u16 == 0 {
                next_block();
            }
            for owner in [OWNER, OTHER_OWNER] {
                free_of_charge(Jobs::submit(signed(&owner), salted(number)));
                ids.insert(id_of(&owner, &salted(number)));
            }
        }
        next_block();
        let largest = JOBS_PER_PAGE_MAX as usize;
        for (limit, length) in [(u32::MAX, largest), (100, 100)] {
            let pages = pages(|last| Jobs::jobs_coordinated_by(only, last, limit));
            assert_eq!(pages[0].len(), length);
            assert_eq!(pages.len(), 300_usize.div_ceil(length));
            let seen: Vec<JobId> = pages.into_iter().flatten().collect();
            assert_eq!(seen.len(), 300);
            assert_eq!(BTreeSet::from_iter(seen), ids);
        }
    });
}

#[test]
fn a_page_starts_after_a_job_that_is_over_meanwhile() {
    on_new_chain(|| {
        MasternodeList::set(&vec![MASTERNODES[0].clone()]);
        for number in 0..4 {
            free_of_charge(Jobs::submit(signed(&OWNER), salted(number)));
        }
        next_block();
        let jobs_after = |last: Option<JobId>| -> Vec<JobId> {
            let jobs = Jobs::jobs_coordinated_by(&MASTERNODES[0], last, u32::MAX);
            jobs.into_iter().map(|(id, _)| id).collect()
        };
        let all = jobs_after(None);
        free_of_charge(Jobs::settle(
            signed(&MASTERNODES[0]),
            certified(batch(all[1], 0, 0..10)),
        ));
        pass_window();
        assert_eq!(jobs_after(Some(all[1])), all[2..]);
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
