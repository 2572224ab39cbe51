//! Near a job's end: who computes again what runs, and what of it.

use super::*;
use std::collections::BTreeSet;

/// The device of this number, of an account of its own.
fn holder(number: u32) -> Holder {
    Holder {
        account: number,
        device: number,
    }
}

#[test]
fn an_idle_device_backs_up_what_ends_last_and_what_is_overdue() {
    let tuning = Tuning {
        backs_up: true,
        ..plain()
    };
    let mut dispatch = dispatch(tuning, 2, 1, &[1_000, 100]);
    let slow = Device {
        speed: 100,
        ..device(1)
    };
    assert_eq!(slow.take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(device(2).take(&mut dispatch, NOW), Ok((1, 0)));
    // It is given the slow device's; who comes next would be no sooner than it.
    let idle = device(3);
    assert_eq!(idle.take(&mut dispatch, NOW), Ok((0, 1)));
    assert_eq!(
        device(4).take(&mut dispatch, NOW),
        Err(Withheld::NothingOpen)
    );
    // All but the slow one should have ended after 10 s; half a minute later they are overdue.
    let later = NOW.plus_ms(30_000);
    assert_eq!(device(4).take(&mut dispatch, later), Ok((0, 2)));
    assert_eq!(device(5).take(&mut dispatch, later), Ok((1, 1)));
    // No task has more than two backups.
    let later = NOW.plus_ms(60_000);
    assert_eq!(device(6).take(&mut dispatch, later), Ok((1, 2)));
    let told = device(7).take(&mut dispatch, later);
    assert_eq!(told, Err(Withheld::NothingOpen));
    // A verdict ends all of it.
    dispatch.close(JOB, 0);
    dispatch.close(JOB, 1);
    assert_eq!(dispatch.counts(JOB).running, 0);
}

#[test]
fn the_slow_back_nothing_up_as_long_as_faster_ones_take_something() {
    let tuning = Tuning {
        spares_the_slow: true,
        backs_up: true,
        ..plain()
    };
    // A fast device takes ten seconds, a phone a minute.
    let mut dispatch = dispatch(tuning, 1, 1, &[1_000; 10]);
    let fast_ms =
        10_000_000 / u64::from(target(&[1_000; 10], &tuning.pool_limits()).speed_of_the_fast);
    assert!((10_000..=11_500).contains(&fast_ms), "{fast_ms}");
    let phone = |number| Device {
        speed: 160,
        ..device(number)
    };
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    let id = account(2);
    let spared = Withheld::FasterComeFirst {
        mine_ms: 62_500,
        most_ms: 2 * fast_ms,
    };
    // It is overdue for long, so the phone would be sooner. Who is faster gets it.
    let last = NOW.plus_ms(2 * fast_ms + tuning.lane_ms);
    let told = dispatch.explain(JOB, &phone(2).asker(&id), last);
    assert_eq!(told, Some(spared));
    assert_eq!(phone(2).take(&mut dispatch, last), Err(spared));
    assert_eq!(device(3).take(&mut dispatch.clone(), last), Ok((0, 1)));
    // Nobody faster comes. Then it gets it as soon as that is worth it.
    assert_eq!(
        phone(2).take(&mut dispatch, last.plus_ms(1)),
        Err(Withheld::NothingOpen)
    );
    let later = NOW.plus_ms(100_000);
    assert_eq!(phone(2).take(&mut dispatch, later), Ok((0, 1)));
    // A fast one may have it beside the phone, and then nobody.
    assert_eq!(device(3).take(&mut dispatch, later), Ok((0, 2)));
    let told = device(4).take(&mut dispatch, later.plus_ms(3_600_000));
    assert_eq!(told, Err(Withheld::NothingOpen));
}

#[test]
fn a_backup_takes_less_than_two_thirds_of_the_time_until_a_task_has_its_answers() {
    let tuning = Tuning {
        backs_up: true,
        ..plain()
    };
    let of_speed = |number, speed| Device {
        speed,
        ..device(number)
    };
    // Two of one task are computed, which take 12 and 15 s.
    let slow = |missing| {
        let mut dispatch = dispatch(tuning, 1, 2, &[1_000; 10]);
        assert_eq!(of_speed(1, 833).take(&mut dispatch, NOW), Ok((0, 0)));
        assert_eq!(of_speed(2, 666).take(&mut dispatch, NOW), Ok((0, 1)));
        if missing == 1 {
            dispatch.finish(id_of(0, 0));
        }
        dispatch
    };
    // The second counts, whether both answers are missing or the first is there. It takes 15,015 ms, of which
    // 10,010 are two thirds.
    for missing in [2, 1] {
        let too_slow = of_speed(3, 999).take(&mut slow(missing), NOW);
        assert_eq!(too_slow, Err(Withheld::NothingOpen), "{missing}");
        let fast = of_speed(3, 1_000).take(&mut slow(missing), NOW);
        assert_eq!(fast, Ok((0, 2)), "{missing}");
    }
    // With the answer of the fast one and the first of the others nobody waits for the last: it is 12 s.
    let mut backed_up = slow(2);
    assert_eq!(of_speed(3, 1_000).take(&mut backed_up, NOW), Ok((0, 2)));
    let told = of_speed(4, 1_200).take(&mut backed_up.clone(), NOW);
    assert_eq!(told, Err(Withheld::NothingOpen));
    assert_eq!(of_speed(4, 1_300).take(&mut backed_up, NOW), Ok((0, 3)));
}

#[test]
fn what_has_its_backups_keeps_no_other_task_from_one() {
    let tuning = Tuning {
        backs_up: true,
        ..plain()
    };
    let tasks = 3_000;
    let mut dispatch = dispatch(tuning, tasks, 1, &[1_000; 10]);
    for number in 0..tasks {
        let slow = Device {
            speed: 1,
            ..device(number)
        };
        assert!(slow.take(&mut dispatch, NOW).is_ok());
    }
    // The fast have one each, and whoever comes next another task's, until all have one.
    let backed_up = (0..tasks).map(|number| {
        let fast = device(10_000 + number).take(&mut dispatch, NOW);
        fast.unwrap().0
    });
    let backed_up: BTreeSet<TaskIndex> = backed_up.collect();
    assert_eq!(backed_up.len(), tasks as usize);
    assert!(device(50_000).take(&mut dispatch, NOW).is_err());
}

#[test]
fn what_may_have_no_backup_keeps_no_other_task_from_one() {
    let tuning = Tuning {
        backs_up: true,
        ..plain()
    };
    let tasks = 1_201;
    let mut dispatch = dispatch(tuning, tasks, 1, &[1_000; 10]);
    for number in 0..tasks {
        let slow = Device {
            speed: 1,
            ..device(number)
        };
        assert!(slow.take(&mut dispatch, NOW).is_ok());
    }
    // All but the first, which is looked at last: of one half a trusted device is asked, and one has as many
    // replicas as a task may have.
    dispatch.set_trusted(JOB, vec![holder(99_999)]);
    for task in 1..tasks {
        if task.is_multiple_of(2) {
            dispatch.doubt(JOB, task, NOW);
            continue;
        }
        for replica in dispatch.add_replicas(JOB, task, ReplicaIndex::MAX, NOW) {
            let holder = holder(100_000 + u32::from(replica));
            assert!(dispatch.claim(id_of(task, replica), holder, Claimed::Answered));
        }
    }
    assert_eq!(device(10_000).take(&mut dispatch, NOW), Ok((0, 1)));
}

#[test]
fn a_task_whose_backup_runs_no_more_may_have_another_one() {
    let tuning = Tuning {
        backs_up: true,
        backups_max: 1,
        ..plain()
    };
    let of_speed = |number, speed| Device {
        speed,
        ..device(number)
    };
    let mut backed_up = dispatch(tuning, 1, 2, &[1_000; 10]);
    assert_eq!(of_speed(1, 1).take(&mut backed_up, NOW), Ok((0, 0)));
    assert_eq!(of_speed(2, 1).take(&mut backed_up, NOW), Ok((0, 1)));
    assert_eq!(of_speed(3, 100).take(&mut backed_up, NOW), Ok((0, 2)));
    let told = device(4).take(&mut backed_up.clone(), NOW);
    assert_eq!(told, Err(Withheld::NothingOpen));
    // It is answered, or cannot be handed out.
    let ended: [fn(&mut Dispatch); 2] = [|it| it.finish(id_of(0, 2)), |it| it.rest(id_of(0, 2))];
    for end in ended {
        let mut dispatch = backed_up.clone();
        end(&mut dispatch);
        assert_eq!(device(4).take(&mut dispatch, NOW), Ok((0, 3)));
        let told = device(5).take(&mut dispatch, NOW);
        assert_eq!(told, Err(Withheld::NothingOpen));
    }
    // Whoever gets what was given back has a replica like others.
    backed_up.release(id_of(0, 2), false, NOW);
    assert_eq!(device(4).take(&mut backed_up, NOW), Ok((0, 2)));
    assert_eq!(device(5).take(&mut backed_up, NOW), Ok((0, 3)));
}

#[test]
fn a_backup_that_is_given_back_stays_open() {
    let tuning = Tuning {
        backs_up: true,
        ..plain()
    };
    let mut dispatch = dispatch(tuning, 1, 1, &[1_000, 100]);
    let slow = Device {
        speed: 100,
        ..device(1)
    };
    assert_eq!(slow.take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(device(2).take(&mut dispatch, NOW), Ok((0, 1)));
    dispatch.release(id_of(0, 1), false, NOW);
    assert_eq!(device(3).take(&mut dispatch, NOW), Ok((0, 1)));
}
