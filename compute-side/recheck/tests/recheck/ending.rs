//! That a job cannot go on is certified if its log shows it, and of no other log.

use crate::{
    author::{batch_of, story},
    honest::{assigned, failing},
    world::{Facts, JOB, blocks, device_key, follow, recheck},
};
use quern_joblog::{End, Entry, RefereeWord, ReleaseCause};
use quern_primitives::{
    batch::{CertifiedEnd, LogRange},
    job::{Agreement, Failure},
    receipt::Exit,
};
use quern_recheck::{EndFault, OrderFault, RecheckFault};

fn facts() -> Facts {
    Facts::new(Agreement::Unanimous, 1)
}

#[test]
fn that_a_program_fails_is_certified_over_the_last_block_with_the_number_of_the_next_batch() {
    let log = blocks(&failing(), 3);
    for first in [0, 5] {
        let mut recheck = recheck(&facts()).from_batch(first);
        for block in &log {
            recheck.take(&block.to_bytes()).unwrap();
        }
        let end = CertifiedEnd {
            job: JOB,
            task: 0,
            why: Failure::Program(Exit::Trap),
            index: log.len() as u64 - 1,
            head: recheck.replay().head(),
            certificates: Default::default(),
        };
        assert_eq!(recheck.failure(), Ok(end.certificate(first)));
        assert_ne!(recheck.failure(), Ok(end.certificate(first + 1)));
        let undecided = CertifiedEnd {
            why: Failure::Undecided,
            ..end
        };
        assert_ne!(recheck.failure(), Ok(undecided.certificate(first)));
    }
}

#[test]
fn a_job_that_goes_on_or_is_done_has_not_failed() {
    let mut open = failing();
    open.pop();
    let recheck = follow(&facts(), &open, 3).unwrap();
    assert_eq!(
        recheck.failure(),
        Err(EndFault::NoFailure),
        "it is not said yet"
    );
    let end = End::Closed;
    let closed: Vec<_> = open.into_iter().chain([Entry::Ended { end }]).collect();
    let recheck = follow(&facts(), &closed, 3).unwrap();
    assert_eq!(recheck.failure(), Err(EndFault::NoFailure));
    let done = (0..).map(|seed| story(Agreement::Unanimous, 2, seed));
    let is_done = |entry: &Entry| matches!(entry, Entry::Ended { end: End::Done });
    let done = done
        .filter(|story| story.entries.iter().any(is_done))
        .map(|story| follow(&story.facts, &story.entries, 9).unwrap());
    let failure = done.take(1).map(|recheck| recheck.failure());
    assert!(failure.eq([Err(EndFault::NoFailure)]));
}

#[test]
fn an_end_that_does_not_follow_is_not_certified() {
    let mut entries = failing();
    entries.pop();
    let end = End::Undecided { task: 0 };
    entries.push(Entry::Ended { end });
    let mut recheck = recheck(&facts());
    let followed = blocks(&entries, 3)
        .iter()
        .try_for_each(|block| recheck.take(&block.to_bytes()));
    assert!(matches!(
        followed,
        Err(RecheckFault::Order {
            why: OrderFault::NoSuchEnd,
            ..
        })
    ));
    assert_eq!(recheck.failure(), Err(EndFault::Log(followed.unwrap_err())));
}

/// A log of two tasks, of which the second is judged and in no batch, and the first opens on no device.
fn half_done() -> (Facts, Vec<Entry>) {
    let is_of_first = |entry: &Entry| match entry {
        Entry::Assigned { task, .. } | Entry::Added { task, .. } => *task == 0,
        _ => false,
    };
    let begun = (0..).find_map(|seed| {
        let story = story(Agreement::Unanimous, 2, seed);
        let is_verdict = |entry: &Entry| matches!(entry, Entry::Judged { .. });
        let judged = story.entries.iter().position(is_verdict)?;
        let before = &story.entries[..=judged];
        (!before.iter().any(is_of_first)).then(|| (story.facts, before.to_vec()))
    });
    let (facts, mut entries) = begun.unwrap();
    let word = RefereeWord::None;
    let end = End::Unopened { task: 0 };
    entries.extend([
        assigned(0, 1),
        Entry::Released {
            task: 0,
            replica: 0,
            device: device_key(1).id(),
            cause: ReleaseCause::BadInput { trusted: false },
        },
        Entry::Refereed { task: 0, word },
        Entry::Ended { end },
    ]);
    (facts, entries)
}

#[test]
fn nobody_ends_a_job_before_the_work_that_was_accepted_is_settled() {
    let (facts, mut entries) = half_done();
    let recheck = follow(&facts, &entries, 4).unwrap();
    assert_eq!(recheck.failure(), Err(EndFault::Owed { task: 1 }));
    let judged = entries.iter().find_map(|entry| match entry {
        Entry::Judged { verdict } => Some(verdict.clone()),
        _ => None,
    });
    let last = entries.len() as u64 - 1;
    let batch = batch_of(&[judged.unwrap()], 0, LogRange { first: 0, last });
    entries.push(Entry::Batched { batch });
    let recheck = follow(&facts, &entries, 4).unwrap();
    let end = CertifiedEnd {
        job: JOB,
        task: 0,
        why: Failure::Undecided,
        index: recheck.replay().next_index() - 1,
        head: recheck.replay().head(),
        certificates: Default::default(),
    };
    assert_eq!(recheck.failure(), Ok(end.certificate(1)));
}
