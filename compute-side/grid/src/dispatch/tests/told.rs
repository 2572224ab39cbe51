//! What is told of the queues, and that to ask changes nothing.

use super::*;

#[test]
fn asking_why_changes_nothing() {
    let mut dispatch = dispatch(plain(), 1, 1, &[1]);
    let id = account(1);
    let asker = Asker {
        device: 1,
        account: 1,
        account_id: &id,
        traits: traits(),
        rank: None,
        speed: 1,
        line: LineSpeed::SLOWEST,
        backlog_ms: 0,
    };
    assert_eq!(dispatch.explain(JOB, &asker, NOW), None);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(
        dispatch.explain(JOB, &asker, NOW),
        Some(Withheld::NothingOpen)
    );
    assert_eq!(
        dispatch.explain(JobId([7; 32]), &asker, NOW),
        Some(Withheld::NoJob)
    );
}

#[test]
fn what_keeps_a_device_from_a_task_is_said_of_that_very_task() {
    let mut dispatch = dispatch(plain(), 2, 2, &[1]);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    let lacks = |dispatch: &Dispatch, number, task| device(number).lacks(dispatch, task, NOW);
    let touched = Some(Withheld::TouchedByAccount);
    assert_eq!(lacks(&dispatch, 1, 0), touched);
    assert_eq!(lacks(&dispatch, 1, 1), None);
    assert_eq!(lacks(&dispatch, 2, 0), None);
    assert_eq!(lacks(&dispatch, 2, 1), Some(Withheld::OthersComeFirst));
    dispatch.release(id_of(0, 0), true, NOW);
    assert_eq!(lacks(&dispatch, 1, 0), Some(Withheld::Excluded));
    dispatch.close(JOB, 0);
    assert_eq!(lacks(&dispatch, 2, 0), Some(Withheld::NothingOpen));
    assert_eq!(lacks(&dispatch, 2, 1), None);
    dispatch.remove_job(JOB);
    assert_eq!(lacks(&dispatch, 2, 1), Some(Withheld::NoJob));
}

#[test]
fn a_task_in_a_pool_above_is_not_for_a_device_and_a_job_served_before_comes_first() {
    let pools = Tuning {
        pool_capacity_min: 1,
        pool_size_min: 1,
        ..Tuning::published()
    };
    let mut dispatch = dispatch(pools, 2, 1, &[1, 1]);
    let at = |rank| Device {
        rank: Some(rank),
        ..device(1)
    };
    assert_eq!(at(0).lacks(&dispatch, 0, NOW), None);
    let above = Some(Withheld::NothingInPool);
    assert_eq!(at(1).lacks(&dispatch, 0, NOW), above);
    assert_eq!(at(1).lacks(&dispatch, 1, NOW), None);
    let urgent = JobTerms {
        level: ByteLevel::High,
        ..terms(1)
    };
    let other = JobId([2; 32]);
    let target = target(&[1, 1], &pools.pool_limits());
    dispatch.add_job(other, urgent, target, 2);
    let id = account(1);
    let next = |dispatch: &Dispatch, barred: Option<JobId>| {
        let asker = at(1).asker(&id);
        dispatch.next_job(&asker, NOW, |job| Some(job) == barred)
    };
    assert_eq!(next(&dispatch, None), Some(JOB), "it has no task yet");
    assert_eq!(dispatch.jobs_before(JOB), 0);
    dispatch.push(other, 0, NOW);
    dispatch.push(other, 1, NOW);
    assert_eq!(at(1).lacks(&dispatch, 1, NOW), None, "by itself");
    assert_eq!(next(&dispatch, None), Some(other));
    assert_eq!(next(&dispatch, Some(other)), Some(JOB));
    assert_eq!([JOB, other].map(|job| dispatch.jobs_before(job)), [1, 0]);
    assert_eq!(
        dispatch.jobs_before(JobId([9; 32])),
        0,
        "of none that is queued"
    );
}

#[test]
fn of_which_job_a_device_gets_something_next_is_looked_for_in_sixteen_from_which_it_is_not_barred()
{
    let mut dispatch = Dispatch::new(plain());
    let job = |number| JobId([number; 32]);
    for number in 1..=17 {
        let target = target(&[1], &plain().pool_limits());
        dispatch.add_job(job(number), terms(1), target, 1);
    }
    let id = account(1);
    let next = |dispatch: &Dispatch, barred| {
        let asker = device(1).asker(&id);
        dispatch.next_job(&asker, NOW, |it| it == job(barred))
    };
    dispatch.push(job(17), 0, NOW);
    assert_eq!(next(&dispatch, 0), None, "sixteen before it are looked at");
    assert_eq!(next(&dispatch, 1), Some(job(17)));
    dispatch.push(job(16), 0, NOW);
    assert_eq!(next(&dispatch, 0), Some(job(16)));
    assert_eq!(
        [15, 16, 17].map(|it| dispatch.jobs_before(job(it))),
        [0, 0, 1]
    );
}

#[test]
fn an_open_replica_has_its_turn_and_a_time_from_which_it_is_for_all() {
    let mut dispatch = dispatch(plain(), 3, 1, &[5_000]);
    let turn = |dispatch: &Dispatch, task| {
        let queued = dispatch.queued(id_of(task, 0), NOW);
        queued.map(|it| (it.turn, it.of, it.is_rescue, it.open_to_all_at))
    };
    assert_eq!(turn(&dispatch, 1), Some((2, 3, false, None)));
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(turn(&dispatch, 0), None);
    assert_eq!(turn(&dispatch, 1), Some((1, 2, false, None)));
    dispatch.release(id_of(0, 0), true, NOW);
    assert_eq!(turn(&dispatch, 0), Some((1, 3, true, None)));
    let kept = Some(Withheld::KeptForTheFast);
    assert_eq!(device(2).lacks(&dispatch, 0, NOW), kept);
    // It passes over the first and takes the second.
    assert_eq!(device(2).take(&mut dispatch, NOW), Ok((1, 0)));
    let to_all = NOW.plus_ms(plain().lane_ms);
    assert_eq!(turn(&dispatch, 0), Some((1, 2, true, Some(to_all))));
    assert_eq!(device(2).lacks(&dispatch, 0, to_all), None);
}

#[test]
fn it_is_known_until_when_the_slow_are_spared() {
    let dispatch_of = |tuning| dispatch(tuning, 3, 1, &[1_000; 3]);
    assert_eq!(dispatch_of(plain()).spares_until(JOB), None);
    let dispatch = dispatch_of(Tuning::default());
    let until = dispatch.spares_until(JOB).unwrap();
    let slow = Device {
        speed: 1,
        ..device(9)
    };
    let why = slow.lacks(&dispatch, 0, until);
    assert!(matches!(why, Some(Withheld::OthersAreSooner { .. })));
    assert_eq!(slow.lacks(&dispatch, 0, until.plus_ms(1)), None);
}
