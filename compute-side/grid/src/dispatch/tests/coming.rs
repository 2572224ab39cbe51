//! Jobs that are queued task by task, as their shards come.

use super::*;

#[test]
fn a_job_of_which_tasks_are_to_come_is_not_near_its_end() {
    let tuning = Tuning {
        spares_the_slow: true,
        backs_up: true,
        ..plain()
    };
    let of_speed = |speed, number| Device {
        speed,
        ..device(number)
    };
    let (slow, fast) = (|n| of_speed(100, n), |n| of_speed(10_000, n));
    let mut dispatch = dispatch(tuning, 2, 1, &[10_000; 20]);
    dispatch.expect(JOB, 5_000);
    // Little is open, but there is enough for everybody.
    assert_eq!(slow(1).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(fast(2).take(&mut dispatch, NOW), Ok((1, 0)));
    // Who is idle waits for what is to come.
    assert_eq!(fast(3).take(&mut dispatch, NOW), Err(Withheld::NothingOpen));
    // The last one has come.
    dispatch.push(JOB, 2, NOW);
    dispatch.expect(JOB, 0);
    assert!(matches!(
        slow(4).take(&mut dispatch, NOW),
        Err(Withheld::OthersAreSooner { .. })
    ));
    assert_eq!(fast(3).take(&mut dispatch, NOW), Ok((2, 0)));
    assert_eq!(
        fast(5).take(&mut dispatch, NOW),
        Ok((0, 1)),
        "a backup of what the slow one has"
    );
}

#[test]
fn a_task_that_comes_late_is_for_accounts_that_passed_what_came_before() {
    let mut dispatch = dispatch(plain(), 2, 2, &[1]);
    // Its account passes what it has, and its cursor stands behind it.
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((1, 0)));
    assert_eq!(
        device(1).take(&mut dispatch, NOW),
        Err(Withheld::TouchedByAccount)
    );
    dispatch.push(JOB, 2, NOW);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((2, 0)));
}
