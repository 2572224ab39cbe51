//! Logs of those who go on with a job of which others have settled a part.

use crate::{
    lies::{honest, why_of_batch},
    world::{blocks, recheck},
};
use quern_joblog::{End, Entry};
use quern_recheck::{BatchFault, OrderFault, RecheckFault};

#[test]
fn a_task_that_was_settled_before_the_log_began_is_in_no_batch_of_it() {
    let story = honest();
    let tasks = story.facts.job.submission.tasks;
    let settled = quern_job_rules::tasks::validate(&story.batches[0].tasks, tasks).unwrap();
    let task = settled.iter().next().unwrap();
    let mut behind = recheck(&story.facts).behind_settled([task].into());
    let blocks = blocks(&story.entries, 6);
    let faults = blocks.iter().map(|block| behind.take(&block.to_bytes()));
    let fault = faults.filter_map(Result::err).next().unwrap();
    assert_eq!(why_of_batch(fault), BatchFault::SettledBefore { task });
}

#[test]
fn a_job_is_done_when_the_rest_is_settled_that_was_not_before() {
    let story = honest();
    let tasks = story.facts.job.submission.tasks;
    let end = Entry::Ended { end: End::Done };
    let log = blocks(&[story.entries[0].clone(), end], 2);
    let follow = |settled: u32| {
        let mut behind = recheck(&story.facts).behind_settled((0..settled).collect());
        behind.take(&log[0].to_bytes())
    };
    assert_eq!(follow(tasks), Ok(()));
    let why = OrderFault::NoSuchEnd;
    assert_eq!(
        follow(tasks - 1),
        Err(RecheckFault::Order { position: 1, why })
    );
}
