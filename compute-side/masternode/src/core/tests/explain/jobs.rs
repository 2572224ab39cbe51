//! What a job waits for beside others.

use super::{JOB, World, rules};
use quern_jobs_api::{Reason, Rule};
use quern_primitives::{ids::JobId, job::Agreement};
use quern_protocol::HandBackReason;

#[test]
fn a_job_behind_another_is_told_of_that_and_only_the_first_would_give_a_device_something() {
    const LATER: JobId = JobId([200; 32]);
    let mut world = World::new(3, Agreement::Single, &[1]);
    world.add_job(LATER);
    let of_job = |world: &World, job| world.core.explain_job(world.now, job).unwrap().reasons;
    assert_eq!(rules(&of_job(&world, JOB)), [] as [Rule; 0]);
    let told = of_job(&world, LATER);
    assert_eq!(rules(&told), [Rule::OthersFirst; 2]);
    assert!(
        told[0].words.starts_with("1 job that has"),
        "{}",
        told[0].words
    );
    assert_eq!((told[0].devices, told[1].devices), (None, Some(1)));
    let device = world.workers[0].id();
    let of_device = |world: &World| {
        let told = world.core.explain_device(world.now, &device).unwrap();
        let jobs = told.jobs.into_iter();
        jobs.map(|it| (it.job, it.reason.map(|reason| reason.rule)))
            .collect::<Vec<_>>()
    };
    let later = (LATER, Some(Rule::OthersFirst));
    assert_eq!(of_device(&world), [(JOB, None), later]);

    // Its hands are full with the first, which still has something open.
    world.ask(0, 2);
    let told = of_job(&world, LATER);
    assert_eq!(rules(&told), [Rule::OthersFirst, Rule::HandsFull]);
    world.report(0);
    world.ask(0, 2);
    assert_eq!(rules(&of_job(&world, LATER)), [Rule::HandsFull]);
}

#[test]
fn a_job_of_which_something_runs_is_told_of_those_before_it_last() {
    const LATER: JobId = JobId([200; 32]);
    let mut world = World::new(3, Agreement::Single, &[1, 2]);
    world.add_job(LATER);
    let told = |world: &World| {
        let told = world.core.explain_job(world.now, LATER).unwrap();
        let before = |it: &Reason| (it.rule, it.devices) == (Rule::OthersFirst, None);
        let place = told.reasons.iter().position(before);
        (told.running, place, told.reasons.len())
    };
    assert!(matches!(told(&world), (0, Some(0), 2..)));

    // One device has two of the first job, the other its third and one of the later. Two come back.
    world.ask(0, 2);
    world.ask(1, 2);
    world.hand_back(0, HandBackReason::Stopping);
    let (running, place, reasons) = told(&world);
    assert!((running, place) == (1, Some(reasons - 1)) && reasons > 1);
}
