//! Lanes: how long a replica is for its own, and what they are for: accounts that act together, are
//! first, and take all that they can.

use super::*;
use std::ops::Range;

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
        let taken = race(&mut dispatch, first..first + self.accounts, self.tasks());
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

/// How many replicas of each task these accounts get, when they all ask at once, over and over until nobody
/// of them gets anything.
fn race(dispatch: &mut Dispatch, accounts: Range<u32>, tasks: TaskIndex) -> Vec<usize> {
    let mut taken = vec![0; tasks as usize];
    let mut askers: Vec<u32> = accounts.collect();
    while !askers.is_empty() {
        askers.retain(|number| match device(*number).take(dispatch, NOW) {
            Ok((task, _)) => {
                taken[task as usize] += 1;
                true
            }
            Err(_) => false,
        });
    }
    taken
}

/// How likely two accounts may have two of three replicas of a task, where there are 32 lanes and each of
/// them is also in one of so many: over all that their draws may be.
fn chance_of_two(own: u32) -> f64 {
    let may_have = |draw: u32| (0..3).filter(move |lane| draw % 32 == *lane || draw % own == *lane);
    // A multiple of 32 and of three.
    let all = || 0..3 * 32u32;
    let pairs = all().flat_map(|one| all().map(move |other| (one, other)));
    let get_two = |(one, other): &(u32, u32)| {
        may_have(*one).any(|of_one| may_have(*other).any(|of_other| of_one != of_other))
    };
    pairs.filter(get_two).count() as f64 / f64::from(96 * 96)
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
    let captured = chance_of_two(3);
    assert!((captured - 0.707).abs() < 0.001, "{captured}");
}

/// Two accounts beside 254 that have a device each: how many devices each of the two has at the least, how
/// many of its size would have all devices, and of how many lanes it is in one too.
const LARGE: [(u32, u32, u32); 5] = [
    (1, 64, 32),
    (5, 52, 16),
    (9, 30, 8),
    (19, 15, 4),
    (43, 7, 3),
];

#[test]
fn two_large_accounts_may_capture_what_is_told_and_less_than_their_devices_in_small_ones() {
    let told = [0.59, 2.34, 9.38, 37.5, 70.7];
    let in_small_ones = [0.59, 17.39, 40.11, 78.92, 98.88];
    for ((devices, parts, own), (told, in_small)) in
        LARGE.into_iter().zip(told.into_iter().zip(in_small_ones))
    {
        let of_its_size = |devices: u32| (254 + 2 * devices) / devices;
        assert_eq!(of_its_size(devices).min(64), parts);
        let is_so = |chance: f64, told: f64| (100.0 * chance - told).abs() < 0.01;
        let chance = chance_of_two(own);
        assert!(is_so(chance, told), "{devices}: {chance}");
        let small = Coalition {
            accounts: 2 * devices,
            replicas: 3,
        };
        let of_small = small.chance(32);
        assert!(is_so(of_small, in_small), "{devices}: {of_small}");
        assert!(chance <= of_small + 1e-9);
    }
}

/// A job of three replicas among so many accounts as make 32 lanes, of which these are large.
fn beside_large(tasks: TaskIndex, large: &[(u32, u32)]) -> Dispatch {
    let mut dispatch = Dispatch::new(plain());
    dispatch.add_job(JOB, terms(3), target_with(large), MANY as u32);
    (0..tasks).for_each(|task| dispatch.push(JOB, task, NOW));
    dispatch
}

fn target_with(large: &[(u32, u32)]) -> Target {
    let target = target(&[1_000; MANY], &plain().pool_limits());
    target.with_large(large.iter().copied())
}

#[test]
fn large_accounts_that_race_to_tasks_together_capture_what_is_left_to_chance_and_no_more() {
    let tasks = REPLICAS / 3;
    for (_, parts, own) in LARGE {
        let mut captured = 0;
        for first in (1..).step_by(2).take(RACES as usize) {
            let pair = first..first + 2;
            let large: Vec<(u32, u32)> = pair.clone().map(|it| (it, parts)).collect();
            let taken = race(&mut beside_large(tasks, &large), pair, tasks);
            captured += taken.iter().filter(|it| **it == 2).count();
        }
        let (trials, chance) = (f64::from(tasks * RACES), chance_of_two(own));
        let deviation = (trials * chance * (1.0 - chance)).sqrt();
        // Who may have two replicas of a task takes the first, though it may be the only one for the other.
        let least = trials * (chance - if own == 3 { 0.03 } else { 0.0 });
        let expected = least - 4.0 * deviation..=trials * chance + 4.0 * deviation;
        assert!(expected.contains(&(captured as f64)), "{own}: {captured}");
    }
}

#[test]
fn an_account_with_a_large_part_of_the_devices_may_have_so_large_a_part_of_the_replicas() {
    let tasks = REPLICAS / 3;
    for (_, parts, own) in LARGE {
        let taken = takes_all(&mut beside_large(tasks, &[(1, parts)]), 1, NOW);
        let chance = 3.0 / f64::from(own);
        let deviation = (f64::from(tasks) * chance * (1.0 - chance)).sqrt();
        let off = (taken as f64 - f64::from(tasks) * chance).abs();
        assert!(off <= 4.0 * deviation, "{own}: {taken}");
    }
}

#[test]
fn an_account_that_has_become_large_finds_what_it_passed_before_and_its_number_says_no_more() {
    let tasks = REPLICAS / 3;
    let mut dispatch = beside_large(tasks, &[]);
    let small = takes_all(&mut dispatch, 1, NOW);
    assert!(small < 60, "{small}");
    retarget(
        &mut dispatch,
        JOB,
        target_with(&[(1, 2), (2, 2)]),
        MANY as u32,
    );
    assert_eq!(small + takes_all(&mut dispatch, 1, NOW), tasks as usize);
    // The other one goes, and somebody else gets its number.
    dispatch.forget_accounts(&mut std::collections::BTreeSet::from([2]));
    let of_the_next = takes_all(&mut dispatch, 2, NOW);
    assert!(of_the_next < 60, "{of_the_next}");
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
    assert!(open_to_all(&dispatch, JOB, tasks).is_empty());
}

/// Replicas of a job that some time will be for all.
fn open_to_all(
    dispatch: &Dispatch,
    job: JobId,
    tasks: TaskIndex,
) -> Vec<(TaskIndex, ReplicaIndex)> {
    let all = (0..tasks).flat_map(|task| (0..3).map(move |replica| (task, replica)));
    let is_open_to_all = |(task, replica): &(TaskIndex, ReplicaIndex)| {
        let (task, replica) = (*task, *replica);
        let queued = dispatch.queued(ReplicaId { job, task, replica }, NOW);
        queued.is_some_and(|it| it.open_to_all_at.is_some())
    };
    all.filter(is_open_to_all).collect()
}

/// How many replicas a device gets until there is nothing more for it.
fn takes_all(dispatch: &mut Dispatch, number: u32, now: Tick) -> usize {
    (0..)
        .take_while(|_| device(number).take(dispatch, now).is_ok())
        .count()
}

#[test]
fn two_that_answer_at_once_capture_no_more_beside_honest_ones_than_lanes_leave_to_chance() {
    let tasks = 20_000;
    let mut dispatch = dispatch(plain(), tasks, 3, &[1_000; MANY]);
    let mut taken = vec![0; tasks as usize];
    // When each asks next; the first two act together.
    let all = (0..MANY as u32).map(|number| (NOW.plus_ms(u64::from(number) * 234), number));
    let mut asks: std::collections::BTreeSet<(Tick, u32)> = all.collect();
    let hour_later = NOW.plus_ms(3_600_000);
    while let Some((now, number)) = asks.pop_first().filter(|(now, _)| *now < hour_later) {
        let is_honest = number > 1;
        let in_ms = match device(number).take(&mut dispatch, now) {
            Ok((task, replica)) => {
                dispatch.finish(id_of(task, replica));
                taken[task as usize] += u32::from(!is_honest);
                // Honest ones take half a minute to one and a half.
                let drawn = u64::from(task) * 7_919 + u64::from(number) * 104_729;
                match is_honest {
                    true => 30_000 + drawn % 60_000,
                    false => 50,
                }
            }
            Err(why) => {
                assert!(!is_honest, "{number}: {why}");
                500
            }
        };
        asks.insert((now.plus_ms(in_ms), number));
    }
    // They had all of their lanes, and opened nobody else's; those would be the first.
    assert!(open_to_all(&dispatch, JOB, 7_000).is_empty());
    let pair = Coalition {
        accounts: 2,
        replicas: 3,
    };
    let (trials, chance) = (f64::from(tasks), pair.chance(32));
    let deviation = (trials * chance * (1.0 - chance)).sqrt();
    let captured = taken.iter().filter(|it| **it == 2).count() as f64;
    assert!(captured <= trials * chance + 4.0 * deviation, "{captured}");
}

#[test]
fn an_account_of_many_devices_finds_what_is_its_own_however_far_back() {
    let tasks = 20_000;
    let mut dispatch = dispatch(plain(), tasks, 3, &[1_000; MANY]);
    let of_the_firm = |number| Device {
        account: 1,
        ..device(number)
    };
    let all = (0..50).cycle().map(of_the_firm);
    let found = all.take_while(|it| it.take(&mut dispatch, NOW).is_ok());
    // One replica of three tasks in 32.
    let (trials, chance) = (f64::from(tasks), 3.0 / 32.0);
    let off = (found.count() as f64 - trials * chance).abs();
    assert!(off <= 4.0 * (trials * chance * (1.0 - chance)).sqrt());
}

#[test]
fn what_opens_again_is_found_in_its_turn_however_much_it_is() {
    // Its account passes the other replica of each, and its cursor stands behind all of them.
    let mut dispatch = dispatch(plain(), 3_000, 2, &[1]);
    assert_eq!(takes_all(&mut dispatch, 1, NOW), 3_000);
    // More than are looked at apart; each once, in an order of their own.
    for n in 0..1_500 {
        dispatch.release(id_of(n * 7 % 1_500, 0), false, NOW);
    }
    for task in 0..1_500 {
        assert_eq!(device(1).take(&mut dispatch, NOW), Ok((task, 0)));
    }
    assert!(device(1).take(&mut dispatch, NOW).is_err());
}

#[test]
fn who_had_all_of_its_lanes_opens_none_and_as_many_as_there_are_lanes_open_the_first() {
    let tasks = REPLICAS / 3;
    let mut dispatch = dispatch(plain(), tasks, 3, &[1_000; MANY]);
    for number in 0..31 {
        takes_all(&mut dispatch, number, NOW);
        for ms in 0..10 {
            assert!(device(number).take(&mut dispatch, NOW.plus_ms(ms)).is_err());
        }
        assert!(open_to_all(&dispatch, JOB, tasks).is_empty());
    }
    takes_all(&mut dispatch, 31, NOW);
    let opened = open_to_all(&dispatch, JOB, tasks);
    assert_eq!(opened.len(), 128);
    // However often it asks.
    for ms in 0..10 {
        assert!(device(31).take(&mut dispatch, NOW.plus_ms(ms)).is_err());
    }
    assert_eq!(open_to_all(&dispatch, JOB, tasks), opened);
}

#[test]
fn accounts_that_found_nothing_one_after_the_other_are_not_many() {
    let tasks = REPLICAS / 3;
    let mut dispatch = dispatch(plain(), tasks, 3, &[1_000; MANY]);
    for number in 0..32 {
        // Somebody takes something now and then, so the job does not stand still.
        let now = NOW.plus_ms(u64::from(number) * 10_001);
        takes_all(&mut dispatch, number, now);
        assert!(open_to_all(&dispatch, JOB, tasks).is_empty(), "{number}");
    }
}

#[test]
fn a_job_that_stands_still_opens_and_one_behind_it_only_when_that_is_not_served_either() {
    let tasks = REPLICAS / 3;
    let mut dispatch = dispatch(plain(), tasks, 3, &[1_000; MANY]);
    let behind = JobId([9; 32]);
    let target = target(&[1_000; MANY], &plain().pool_limits());
    dispatch.add_job(behind, terms(3), target, MANY as u32);
    (0..tasks).for_each(|task| dispatch.push(behind, task, NOW));
    takes_all(&mut dispatch, 1, NOW);
    // A task takes ten seconds, so half a minute is long. Nothing is taken of the second job.
    let is_served = NOW.plus_ms(31_000);
    assert!(device(2).take(&mut dispatch, is_served).is_ok());
    let opened =
        |dispatch: &Dispatch| [JOB, behind].map(|job| open_to_all(dispatch, job, tasks).len());
    for (now, expected) in [
        (is_served, [0, 0]),
        (is_served.plus_ms(30_000), [0, 0]),
        (is_served.plus_ms(30_001), [128, 128]),
    ] {
        assert!(device(1).take(&mut dispatch, now).is_err());
        assert_eq!(opened(&dispatch), expected);
    }
}

#[test]
fn a_task_whose_device_never_answers_is_for_the_lane_of_its_rescue_and_for_no_partner() {
    let mut dispatch = dispatch(plain(), 1, 3, &[1_000; MANY]);
    for _ in 0..3 {
        let holder = given(&dispatch, NOW)[0];
        assert!(device(holder).take(&mut dispatch, NOW).is_ok());
    }
    assert_eq!(dispatch.rescue(JOB, 0, NOW), Some(3));
    let own = given(&dispatch, NOW);
    assert!((1..=20).contains(&own.len()), "{own:?}");
    let slow = |number| Device {
        speed: 1,
        ..device(number)
    };
    let kept = Err(Withheld::KeptForTheFast);
    let is_kept = |number: &u32| slow(*number).take(&mut dispatch.clone(), NOW) == kept;
    let partner = (0..MANY as u32).find(|number| is_kept(number) && !own.contains(number));
    let partner = slow(partner.unwrap());
    assert_eq!(partner.take(&mut dispatch, NOW), kept);
    // Not even where it is fast enough, or nobody faster has come for long.
    let later = NOW.plus_ms(plain().lane_ms);
    assert_eq!(partner.take(&mut dispatch, later), Err(Withheld::OtherLane));
    assert_eq!(given(&dispatch, later), own);
    assert_eq!(slow(own[0]).take(&mut dispatch, later), Ok((0, 3)));
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
    // However long it has waited for its turn. Nothing was taken for so long that one in vain is enough.
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
    // Others would take ten seconds for it.
    assert_eq!(given(&dispatch, end.plus_ms(19_999)), own);
    let wide = given(&dispatch, end.plus_ms(20_000));
    assert!(own.iter().all(|number| wide.contains(number)));
    assert!((80..=180).contains(&wide.len()), "{wide:?}");
    assert_eq!(given(&dispatch, end.plus_ms(29_999)), wide);
    assert_eq!(given(&dispatch, end.plus_ms(30_000)).len(), MANY - 2);
}

#[test]
fn a_replica_of_another_lane_opens_after_some_seconds() {
    // As many lanes as replicas.
    let mut dispatch = dispatch(plain(), 1, 3, &[1_000; 31]);
    let first = device(1).take(&mut dispatch, NOW);
    let lane_of_first = first.unwrap().1;
    dispatch.release(id_of(0, lane_of_first), false, NOW);
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
    // As many as there are lanes come in vain.
    for number in &same[1..4] {
        let told = device(*number).take(&mut dispatch, NOW);
        assert_eq!(told, Err(Withheld::OtherLane));
    }
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
