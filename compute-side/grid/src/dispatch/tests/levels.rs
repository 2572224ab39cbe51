//! Levels: which pools take part in a job.

use super::*;

/// One device in each pool.
fn tuning() -> Tuning {
    Tuning {
        pool_capacity_min: 0,
        pool_size_min: 1,
        ..Tuning::published()
    }
}

/// A job of this level and so many tasks over four pools.
fn dispatch_of(level: ByteLevel, tasks: TaskIndex) -> Dispatch {
    let tuning = tuning();
    let mut dispatch = Dispatch::new(tuning);
    let target = target_of(&[4, 3, 2, 1], level, &tuning.pool_limits());
    let terms = JobTerms { level, ..terms(1) };
    dispatch.add_job(JOB, terms, target, 4);
    (0..tasks).for_each(|task| dispatch.push(JOB, task, NOW));
    dispatch
}

/// A device at this rank, of an account of its own.
fn at(rank: Rank) -> Device {
    Device {
        rank: Some(rank),
        ..device(rank)
    }
}

#[test]
fn a_job_is_dealt_to_the_pools_of_its_level_and_no_device_of_another_gets_anything() {
    for (level, open) in [
        (ByteLevel::High, [3, 3, 3, 3]),
        (ByteLevel::Balanced, [4, 4, 4, 0]),
        (ByteLevel::Low, [0, 0, 6, 6]),
    ] {
        let dispatch = dispatch_of(level, 12);
        assert_eq!(dispatch.counts(JOB).open, open);
        for (rank, open) in (0..).zip(open) {
            let taken = at(rank).take(&mut dispatch.clone(), NOW);
            let told = at(rank).lacks(&dispatch, 0, NOW);
            match open {
                0 => {
                    assert_eq!(taken, Err(Withheld::OtherLevel));
                    assert_eq!(told, Some(Withheld::OtherLevel));
                }
                _ => assert!(taken.is_ok()),
            }
        }
    }
}

#[test]
fn a_device_of_another_level_s_pool_backs_nothing_up() {
    let tuning = Tuning {
        backs_up: true,
        ..tuning()
    };
    let mut dispatch = Dispatch::new(tuning);
    let level = ByteLevel::Low;
    let target = target_of(&[1_000, 1_000, 1, 1], level, &tuning.pool_limits());
    let terms = JobTerms { level, ..terms(1) };
    dispatch.add_job(JOB, terms, target, 4);
    dispatch.push(JOB, 0, NOW);
    let slow = Device { speed: 1, ..at(2) };
    assert_eq!(slow.take(&mut dispatch, NOW), Ok((0, 0)));
    assert!(at(0).take(&mut dispatch, NOW).is_err());
    assert_eq!(at(3).take(&mut dispatch, NOW), Ok((0, 1)));
}

#[test]
fn a_new_ranking_with_one_pool_is_for_everybody_whatever_the_level() {
    let mut dispatch = dispatch_of(ByteLevel::Low, 2);
    assert_eq!(at(0).take(&mut dispatch, NOW), Err(Withheld::OtherLevel));
    let one = target_of(&[4, 3, 2, 1], ByteLevel::Low, &plain().pool_limits());
    retarget(&mut dispatch, JOB, one, 4);
    assert_eq!(at(0).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(at(3).take(&mut dispatch, NOW), Ok((1, 0)));
}
