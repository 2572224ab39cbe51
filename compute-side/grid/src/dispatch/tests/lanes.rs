//! Lanes: how long a replica is for its own, and what they are for: accounts that act together, are
//! first, and take all that they can.

use super::*;

/// Accounts of a grid that has as many lanes as there may be: 32.
const MANY: usize = 256;

/// Replicas of a race, few enough that one device looks at all of them.
const REPLICAS: TaskIndex = 900;

/// Races, each of other accounts.
const RACES: u32 = 10;

/// So many accounts of a grid act together on a job of so many replicas.
struct Coalition {
    accounts: u32,
    replicas: ReplicaIndex,
}

impl Coalition {
    /// Answers that decide a task.
    fn quorum(&self) -> usize {
        usize::from(self.replicas) / 2 + 1
    }

    fn tasks(&self) -> TaskIndex {
        REPLICAS / TaskIndex::from(self.replicas)
    }

    /// Of how many tasks they get a quorum among so many accounts, when they all ask at once, over and
    /// over until nobody of them gets anything.
    fn captures(&self, of: u32, first: u32) -> usize {
        let speeds = vec![1_000; of as usize];
        let mut dispatch = dispatch(plain(), self.tasks(), self.replicas, &speeds);
        let mut taken = vec![0; self.tasks() as usize];
        let mut asking: Vec<u32> = (first..first + self.accounts).collect();
        while !asking.is_empty() {
            asking.retain(|number| match device(*number).take(&mut dispatch, NOW) {
                Ok((task, _)) => {
                    taken[task as usize] += 1;
                    true
                }
                Err(_) => false,
            });
        }
        taken.iter().filter(|it| **it >= self.quorum()).count()
    }

    /// How likely so many throws at lanes hit as many different ones that have a replica as decide a
    /// task.
    fn chance(&self, lanes: u32) -> f64 {
        let replicas = usize::from(self.replicas);
        let mut hit = vec![0.0; replicas + 1];
        hit[0] = 1.0;
        for _ in 0..self.accounts {
            for many in (0..=replicas).rev() {
                let next = |many: usize| (replicas - many) as f64 / f64::from(lanes);
                let before = many.checked_sub(1);
                let one_more = before.map_or(0.0, |before| hit[before] * next(before));
                hit[many] = hit[many] * (1.0 - next(many)) + one_more;
            }
        }
        hit[self.quorum()..].iter().sum()
    }
}

#[test]
fn accounts_that_race_to_tasks_together_capture_no_more_quorums_than_lanes_leave_to_chance() {
    // Replicas, accounts that act together, all accounts, and the lanes that they make.
    for (replicas, accounts, of, lanes) in [
        (3, 2, 24, 3),
        (3, 2, 64, 8),
        (3, 2, 256, 32),
        (3, 8, 256, 32),
        (5, 4, 40, 5),
        (15, 8, 120, 15),
        (15, 20, 256, 32),
    ] {
        let coalition = Coalition { accounts, replicas };
        // With one account less than lanes need there are none, and a quorum gets every task.
        let too_few = 8 * u32::from(replicas) - 1;
        let tasks = coalition.tasks();
        assert_eq!(coalition.captures(too_few, 1), tasks as usize);
        // Each task is one trial: four standard deviations from the mean.
        let races = (0..RACES).map(|race| coalition.captures(of, 1 + race * accounts));
        let captured = races.sum::<usize>() as f64;
        let (trials, chance) = (f64::from(tasks * RACES), coalition.chance(lanes));
        let deviation = (trials * chance * (1.0 - chance)).sqrt();
        let off = (captured - trials * chance).abs();
        assert!(off <= 4.0 * deviation, "{replicas} {of}: {captured}");
    }
}

#[test]
fn the_chance_of_two_accounts_to_get_two_of_three_replicas_is_what_the_documents_say() {
    let percent = |lanes| {
        let coalition = Coalition {
            accounts: 2,
            replicas: 3,
        };
        let hundredths = coalition.chance(lanes) * 10_000.0;
        hundredths.round() / 100.0
    };
    let told = [66.67, 37.5, 9.38, 2.34, 0.59];
    assert_eq!([3, 4, 8, 16, 32].map(percent), told);
    // After a second in vain, with three lanes beside the 32: both take a replica, and not the same one.
    let may_have = |draw: u32| (0..3).filter(move |lane| draw % 32 == *lane || draw % 3 == *lane);
    let all = || 0..3 * 32u32;
    let pairs = all().flat_map(|one| all().map(move |other| (one, other)));
    let get_two = |(one, other): &(u32, u32)| {
        may_have(*one).any(|of_one| may_have(*other).any(|of_other| of_one != of_other))
    };
    let captured = pairs.filter(get_two).count() as f64 / f64::from(96 * 96);
    assert!((captured - 0.707).abs() < 0.001, "{captured}");
}

#[test]
fn where_there_is_much_to_do_nobody_idles_for_lanes_and_every_replica_stays_with_its_own() {
    let tasks = 1_000;
    let mut dispatch = dispatch(plain(), tasks, 3, &[1_000; MANY]);
    for hour in 0..4 {
        let now = NOW.plus_ms(hour * 3_600_000);
        for number in 0..MANY as u32 {
            assert!(device(number).take(&mut dispatch, now).is_ok());
        }
    }
    assert!(open_to_all(&dispatch, tasks).is_empty());
}

/// Replicas that some time will be for all.
fn open_to_all(dispatch: &Dispatch, tasks: TaskIndex) -> Vec<(TaskIndex, ReplicaIndex)> {
    let all = (0..tasks).flat_map(|task| (0..3).map(move |replica| (task, replica)));
    let is_open_to_all = |(task, replica): &(TaskIndex, ReplicaIndex)| {
        let queued = dispatch.queued(JOB, *task, *replica);
        queued.is_some_and(|it| it.open_to_all_at.is_some())
    };
    all.filter(is_open_to_all).collect()
}

#[test]
fn who_had_all_of_its_lanes_opens_the_first_replicas_to_all_and_no_more_however_often_it_asks() {
    let tasks = REPLICAS / 3;
    let mut dispatch = dispatch(plain(), tasks, 3, &[1_000; MANY]);
    while device(1).take(&mut dispatch, NOW).is_ok() {}
    let opened = open_to_all(&dispatch, tasks);
    assert_eq!(opened.len(), 128);
    assert!(opened.iter().all(|(task, _)| *task < 60));
    for ms in 1..10 {
        assert!(device(1).take(&mut dispatch, NOW.plus_ms(ms)).is_err());
    }
    assert_eq!(open_to_all(&dispatch, tasks), opened);
}

/// Which of so many devices would be given something.
fn given(dispatch: &Dispatch, now: Tick) -> Vec<u32> {
    (0..MANY as u32)
        .filter(|number| device(*number).take(&mut dispatch.clone(), now).is_ok())
        .collect()
}

#[test]
fn what_was_passed_in_vain_is_a_second_later_for_a_third_of_the_accounts_and_then_for_all() {
    let mut dispatch = dispatch(plain(), 1, 3, &[1_000; MANY]);
    for _ in 0..2 {
        let first = given(&dispatch, NOW)[0];
        assert!(device(first).take(&mut dispatch, NOW).is_ok());
    }
    // However long it has waited for its turn.
    let now = NOW.plus_ms(3_600_000);
    let own = given(&dispatch, now);
    assert!((1..=20).contains(&own.len()), "{own:?}");
    let vain = (0..MANY as u32).find(|number| !own.contains(number));
    assert!(device(vain.unwrap()).take(&mut dispatch, now).is_err());
    assert_eq!(given(&dispatch, now.plus_ms(999)), own);
    let wide = given(&dispatch, now.plus_ms(1_000));
    assert!(own.iter().all(|number| wide.contains(number)));
    assert!((60..=120).contains(&wide.len()), "{wide:?}");
    assert_eq!(given(&dispatch, now.plus_ms(9_999)), wide);
    let all = given(&dispatch, now.plus_ms(10_000));
    assert_eq!(all.len(), MANY - 2);
}

#[test]
fn a_backup_is_for_the_accounts_of_its_lane_until_its_holder_is_overdue_for_long() {
    let tuning = Tuning {
        backs_up: true,
        ..plain()
    };
    let mut dispatch = dispatch(tuning, 1, 2, &[1_000; MANY]);
    for _ in 0..2 {
        let slow = Device {
            speed: 1,
            ..device(given(&dispatch, NOW)[0])
        };
        assert!(slow.take(&mut dispatch, NOW).is_ok());
    }
    // Each has ten thousand seconds for it.
    let own = given(&dispatch, NOW);
    assert!((1..=20).contains(&own.len()), "{own:?}");
    let end = NOW.plus_ms(10_000_000);
    assert_eq!(given(&dispatch, end.plus_ms(9_999)), own);
    assert_eq!(given(&dispatch, end.plus_ms(10_000)).len(), MANY - 2);
}

#[test]
fn a_replica_of_another_lane_opens_after_some_seconds() {
    // As many lanes as replicas.
    let mut dispatch = dispatch(plain(), 1, 3, &[1_000; 31]);
    let first = device(1).take(&mut dispatch, NOW);
    let lane_of_first = first.unwrap().1;
    dispatch.release((JOB, 0, lane_of_first), false, NOW);
    // Accounts of other lanes get other replicas.
    let mut lanes = std::collections::BTreeSet::new();
    for n in 0..31 {
        let mut fresh = dispatch.clone();
        lanes.insert(device(n).take(&mut fresh, NOW).unwrap().1);
    }
    assert_eq!(lanes.len(), 3);
    // Two of one lane: the second waits.
    let same: Vec<u32> = (0..31)
        .filter(|n| device(*n).take(&mut dispatch.clone(), NOW).unwrap().1 == 0)
        .collect();
    assert_eq!(device(same[0]).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(
        device(same[1]).take(&mut dispatch, NOW),
        Err(Withheld::OtherLane)
    );
    let later = NOW.plus_ms(plain().lane_ms);
    assert_eq!(device(same[1]).take(&mut dispatch, later), Ok((0, 1)));
}

#[test]
fn a_task_that_waited_long_for_its_turn_is_still_for_its_lane() {
    let mut dispatch = dispatch(plain(), 1, 3, &[1_000; 31]);
    let long_after = NOW.plus_ms(3_600_000);
    let same: Vec<u32> = (0..31)
        .filter(|n| {
            let mut fresh = dispatch.clone();
            device(*n).take(&mut fresh, long_after).unwrap().1 == 0
        })
        .collect();
    assert_eq!(device(same[0]).take(&mut dispatch, long_after), Ok((0, 0)));
    assert_eq!(
        device(same[1]).take(&mut dispatch, long_after),
        Err(Withheld::OtherLane)
    );
}
