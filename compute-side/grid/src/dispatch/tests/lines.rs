//! What a line takes for a task counts in what its device is expected to take.

use super::*;

const MB: u64 = 1_000_000;

/// A job of one task, of which so much goes over the line; a device of the usual speed computes it for ten
/// seconds.
fn job(tuning: Tuning, bytes: TaskBytes) -> Dispatch {
    let mut dispatch = Dispatch::new(tuning);
    let terms = JobTerms { bytes, ..terms(1) };
    let target = target(&[1_000], &tuning.pool_limits());
    dispatch.add_job(JOB, terms, target, 9);
    dispatch.push(JOB, 0, NOW);
    dispatch
}

/// A device of the usual speed with a line of so many megabits a second, as much each way.
fn take_over(
    dispatch: &mut Dispatch,
    number: u32,
    mbps: u32,
    now: Tick,
) -> Result<Given, Withheld> {
    let id = account(number);
    let asker = Asker {
        line: LineSpeed::measured(Some(1_000 * mbps), Some(1_000 * mbps)),
        ..device(number).asker(&id)
    };
    take(dispatch, &asker, now)
}

#[test]
fn what_a_task_brings_to_its_device_takes_time_on_the_line() {
    let bytes = TaskBytes {
        down: 10 * MB,
        up: 0,
    };
    for (mbps, line_ms) in [(8, 10_000), (80, 1_000)] {
        let given = take_over(&mut job(plain(), bytes), 1, mbps, NOW).unwrap();
        assert_eq!((given.expected_ms, given.line_ms), (10_000, line_ms));
    }
}

#[test]
fn what_it_takes_from_its_device_is_as_large_as_accepted_results_say() {
    let mut dispatch = job(plain(), TaskBytes { down: MB, up: 0 });
    let line_ms = |dispatch: &Dispatch| {
        let given = take_over(&mut dispatch.clone(), 1, 8, NOW);
        given.unwrap().line_ms
    };
    dispatch.accept(JOB, 1, 4 * MB);
    dispatch.accept(JOB, 1, 4 * MB);
    assert_eq!(line_ms(&dispatch), 1_000, "two answers are too few");
    dispatch.accept(JOB, 1, 10 * MB);
    assert_eq!(line_ms(&dispatch), 7_000);
}

#[test]
fn who_still_fetches_its_input_is_not_overdue() {
    let tuning = Tuning {
        backs_up: true,
        ..plain()
    };
    // Twenty seconds to fetch, and ten to compute.
    let bytes = TaskBytes {
        down: 20 * MB,
        up: 0,
    };
    let mut dispatch = job(tuning, bytes);
    assert!(take_over(&mut dispatch, 1, 8, NOW).is_ok());
    // With a line as slow another one would be no sooner. With a fast one it would.
    let slow = take_over(&mut dispatch, 2, 8, NOW.plus_ms(16_000));
    assert_eq!(slow, Err(Withheld::NothingOpen));
    let fast = take_over(&mut dispatch.clone(), 2, 800, NOW);
    assert!(fast.is_ok_and(|given| given.is_backup));
    let late = take_over(&mut dispatch, 2, 8, NOW.plus_ms(60_000));
    assert!(late.is_ok_and(|given| given.is_backup));
}
