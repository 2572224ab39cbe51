//! That no referee can be had is certified by who saw it alone.

use crate::{
    author::{Story, answer, story},
    world::follow,
};
use quern_job_rules::tasks;
use quern_joblog::{End, Entry, RefereeWord};
use quern_primitives::job::{Agreement, JobState};
use quern_recheck::{Asking, CLOSING_BLOCKS, UnrefereedFault, check_unrefereed, is_closing};
use std::collections::BTreeSet;

/// The tasks of which a log says that no referee can be had.
fn without_referee(story: &Story) -> BTreeSet<u32> {
    let word = |entry: &Entry| match entry {
        Entry::Refereed {
            task,
            word: RefereeWord::None,
        } => Some(*task),
        _ => None,
    };
    story.entries.iter().filter_map(word).collect()
}

#[test]
fn the_tasks_of_each_batch_are_told_that_are_without_a_referee_s_word_with_what_was_accepted() {
    let (mut batched, mut ended) = (0, 0);
    for seed in 0..60 {
        let story = story(Agreement::Unanimous, 12, seed);
        let without = without_referee(&story);
        let recheck = follow(&story.facts, &story.entries, 5).unwrap();
        for batch in &story.batches {
            let set = tasks::validate(&batch.tasks, 12).unwrap();
            let expected: Vec<_> = set.iter().filter(|task| without.contains(task)).collect();
            let told = recheck.unrefereed(batch.sequence);
            assert_eq!(
                told.iter().map(|(task, _)| *task).collect::<Vec<_>>(),
                expected
            );
            for (task, accepted) in told {
                let judged = story.entries.iter().find_map(|entry| match entry {
                    Entry::Judged { verdict } if verdict.task == *task => Some(verdict.answer),
                    _ => None,
                });
                assert_eq!(*accepted, judged);
            }
            batched += told.len();
        }
        if let Some(End::Undecided { task }) = recheck.end() {
            assert_eq!(recheck.unrefereed_end(), Some((task, None)));
            ended += 1;
        }
    }
    assert!(
        batched > 0 && ended > 0,
        "{batched} in batches, {ended} ends"
    );
}

#[test]
fn in_a_group_of_one_nobody_has_to_have_been_asked() {
    let found = (0..60).find_map(|seed| {
        let story = story(Agreement::Unanimous, 12, seed);
        let is_voted = story.entries.iter().all(|entry| {
            // What another one says counts in a larger group only.
            !matches!(entry, Entry::Refereed { word, .. } if *word != RefereeWord::None)
        });
        (is_voted && !without_referee(&story).is_empty()).then_some(story)
    });
    let mut story = found.unwrap();
    story.facts.others = 0;
    let recheck = follow(&story.facts, &story.entries, 5).unwrap();
    for batch in &story.batches {
        assert_eq!(recheck.unrefereed(batch.sequence), []);
    }
}

#[test]
fn who_was_not_asked_certifies_no_vote_and_who_was_does() {
    let accepted = Some(answer(3, 1));
    for said in [accepted, None] {
        let check = |seen| check_unrefereed((3, said), seen, false);
        assert_eq!(check(None), Err(UnrefereedFault::NotAsked { task: 3 }));
        assert_eq!(check(Some(Asking::Asked)), Ok(()));
        assert_eq!(check(Some(Asking::Closing)), Ok(()));
    }
}

#[test]
fn who_gave_its_word_certifies_a_vote_only_for_what_it_computed() {
    let (own, other) = (answer(3, 0), answer(3, 1));
    let seen = Some(Asking::Told(own));
    let contradicted = Err(UnrefereedFault::Contradicted { task: 3 });
    for are_several in [true, false] {
        let check = |accepted| check_unrefereed((3, accepted), seen, are_several);
        assert_eq!(check(Some(own)), Ok(()));
        assert_eq!(check(Some(other)), contradicted);
    }
    // That nothing is accepted follows where its word alone is not enough.
    assert_eq!(check_unrefereed((3, None), seen, true), Ok(()));
    assert_eq!(check_unrefereed((3, None), seen, false), contradicted);
}

#[test]
fn near_the_end_of_a_job_nobody_is_asked_any_more() {
    let mut job = story(Agreement::Single, 1, 0).facts.job;
    let last = job.submission.deadline;
    assert!(!is_closing(&job, last - CLOSING_BLOCKS - 1));
    assert!(is_closing(&job, last - CLOSING_BLOCKS));
    job.state = JobState::Cancelling {
        coordinator: crate::world::COORDINATOR,
        until: 100,
    };
    assert!(!is_closing(&job, 99 - CLOSING_BLOCKS));
    assert!(is_closing(&job, 100 - CLOSING_BLOCKS));
}
