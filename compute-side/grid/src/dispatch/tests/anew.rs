//! When a job's devices are found anew.

use super::*;

/// Of so many devices, one job's take 25 milliseconds.
const MANY: u32 = 1_000_000;

fn job(n: u8) -> JobId {
    JobId([n; 32])
}

/// Jobs of these numbers, with one task of two replicas each; the number is in the seed.
fn jobs(tuning: Tuning, numbers: impl IntoIterator<Item = u8>) -> Dispatch {
    let mut dispatch = Dispatch::new(tuning);
    for n in numbers {
        let terms = JobTerms {
            seed: [n; 32],
            ..terms(2)
        };
        dispatch.add_job(job(n), terms, Target::default(), 0);
        dispatch.push(job(n), 0, NOW);
    }
    dispatch
}

/// A device asks; told are the jobs that were found anew, and what it was given.
fn ask(
    dispatch: &mut Dispatch,
    device: &Device,
    now: Tick,
    target: &Target,
) -> (Vec<u8>, Result<JobId, Withheld>) {
    let id = account(device.account);
    let mut found = Vec::new();
    let given = dispatch.take_anew(&device.asker(&id), now, |terms| {
        found.push(terms.seed[0]);
        Some((target.clone(), 1))
    });
    (found, given.map(|given| given.id.job))
}

fn one_pool() -> Target {
    target(&[1], &plain().pool_limits())
}

#[test]
fn a_ranking_finds_nobody_and_each_job_that_is_asked_is_found_once() {
    let mut dispatch = jobs(plain(), [1, 2, 3]);
    let target = one_pool();
    for _ in 0..5 {
        dispatch.ranked(1);
    }
    assert_eq!(dispatch.target(job(1)), Some(&Target::default()));
    // The first job has something for it, so the others are not asked.
    let first = ask(&mut dispatch, &device(1), NOW, &target);
    assert_eq!(first, (vec![1], Ok(job(1))));
    assert_eq!(dispatch.target(job(1)), Some(&target));
    let up_to_date = [1, 2, 3].map(|n| dispatch.is_up_to_date(job(n)));
    assert_eq!(up_to_date, [true, false, false]);
    let second = ask(&mut dispatch, &device(1), NOW, &target);
    assert_eq!(second, (vec![2], Ok(job(2))));
    let again = ask(&mut dispatch, &device(2), NOW, &target);
    assert_eq!(again, (vec![], Ok(job(1))));
    dispatch.ranked(1);
    // Nothing is open of the first job any more, and nobody asks it for that.
    let next = ask(&mut dispatch, &device(3), NOW, &target);
    assert_eq!(next, (vec![2], Ok(job(2))));
}

#[test]
fn a_job_is_not_found_for_who_lacks_what_it_needs_and_is_when_it_is_asked_about() {
    let mut dispatch = Dispatch::new(plain());
    let mut terms = terms(1);
    terms.needs.trusted = true;
    dispatch.add_job(JOB, terms, Target::default(), 0);
    dispatch.push(JOB, 0, NOW);
    dispatch.ranked(1);
    let told = ask(&mut dispatch, &device(1), NOW, &one_pool());
    assert_eq!(told, (vec![], Err(Withheld::Lacks(Lack::Trust))));
    assert!(!dispatch.is_up_to_date(JOB));
    dispatch.catch_up(JOB, NOW, |_| Some((one_pool(), 1)));
    assert!(dispatch.is_up_to_date(JOB));
    assert_eq!(dispatch.accounts(JOB), Some(1));
    dispatch.catch_up(JOB, NOW, |_| panic!("it is up to date"));
}

#[test]
fn an_idle_device_that_may_back_something_up_asks_for_that_and_before_the_end_does_not() {
    let tuning = Tuning {
        backs_up: true,
        ..plain()
    };
    let mut dispatch = jobs(tuning, [1]);
    let (target, later) = (one_pool(), NOW.plus_ms(3_600_000));
    for number in 1..3 {
        assert!(device(number).take(&mut dispatch, NOW).is_ok());
    }
    dispatch.ranked(1);
    dispatch.expect(job(1), 1);
    let told = ask(&mut dispatch, &device(3), later, &target);
    assert_eq!(told, (vec![], Err(Withheld::NothingOpen)));
    dispatch.expect(job(1), 0);
    let told = ask(&mut dispatch, &device(3), later, &target);
    assert_eq!(told, (vec![1], Ok(job(1))));
}

#[test]
fn where_many_devices_are_ranked_jobs_take_turns_and_no_job_is_left_out() {
    let numbers = 1..=5;
    let mut dispatch = jobs(plain(), numbers.clone());
    for _ in numbers.clone() {
        assert!(device(1).take(&mut dispatch, NOW).is_ok());
    }
    // From now on it gets nothing, and so asks all of them each time.
    let mut turns = Vec::new();
    for ms in 0..2_500 {
        dispatch.ranked(MANY);
        let now = NOW.plus_ms(ms);
        let (found, given) = ask(&mut dispatch, &device(1), now, &one_pool());
        assert_eq!(given, Err(Withheld::TouchedByAccount));
        turns.extend(found.into_iter().map(|n| (ms, n)));
    }
    assert!(turns.is_sorted_by(|one, next| one.0 + 25 <= next.0));
    assert_eq!(turns.len(), 100);
    for n in numbers {
        assert_eq!(turns.iter().filter(|turn| turn.1 == n).count(), 20, "{n}");
    }
}

#[test]
fn jobs_that_are_queued_when_time_begins_have_their_first_turns_one_after_the_other() {
    let numbers = 1..=3;
    let mut dispatch = jobs(plain(), numbers.clone());
    for _ in numbers {
        assert!(device(1).take(&mut dispatch, NOW).is_ok());
    }
    let mut turns = Vec::new();
    for ms in 0..100 {
        dispatch.ranked(MANY);
        let (found, _) = ask(&mut dispatch, &device(1), Tick(ms), &one_pool());
        turns.extend(found.into_iter().map(|n| (ms, n)));
    }
    assert_eq!(turns, [(0, 1), (25, 2), (50, 3), (75, 1)]);
}

#[test]
fn a_job_whose_turn_has_not_come_is_asked_with_what_is_known_from_before() {
    let mut dispatch = jobs(plain(), [1, 2]);
    dispatch.ranked(MANY);
    let lacking = |dispatch: &mut Dispatch, device: &Device| {
        let id = account(device.account);
        let asker = Asker {
            traits: Traits::default(),
            ..device.asker(&id)
        };
        dispatch.take_anew(&asker, NOW, |_| panic!("it lacks what is needed"))
    };
    let first = ask(&mut dispatch, &device(1), NOW, &one_pool());
    assert_eq!(first, (vec![1], Ok(job(1))));
    let second = ask(&mut dispatch, &device(1), NOW, &one_pool());
    assert_eq!(second, (vec![], Ok(job(2))));
    assert!(!dispatch.is_up_to_date(job(2)));
    // What a device has and what its account touched are those of now.
    assert!(matches!(
        lacking(&mut dispatch, &device(2)),
        Err(Withheld::Lacks(_))
    ));
    let touched = ask(&mut dispatch, &device(1), NOW, &one_pool());
    assert_eq!(touched, (vec![], Err(Withheld::TouchedByAccount)));
}

#[test]
fn with_pools_no_device_is_asked_by_where_it_would_have_stood_in_an_earlier_ranking() {
    let tuning = Tuning {
        pool_capacity_min: 0,
        pool_size_min: 1,
        ..Tuning::published()
    };
    let limits = tuning.pool_limits();
    let level = ByteLevel::Balanced;
    let mut dispatch = Dispatch::new(tuning);
    for n in 1..3 {
        let two = target_of(&[2, 1], level, &limits);
        dispatch.add_job(job(n), terms(1), two, 2);
        dispatch.push(job(n), 0, NOW);
    }
    // Last of two it had a part in both jobs, last of three it has none; and that is looked at for each.
    let three = target_of(&[3, 2, 1], level, &limits);
    dispatch.ranked(MANY);
    let last = Device {
        rank: Some(2),
        ..device(2)
    };
    let id = account(2);
    let mut found = 0;
    let told = dispatch.take_anew(&last.asker(&id), NOW, |_| {
        found += 1;
        Some((three.clone(), 3))
    });
    assert_eq!((told, found), (Err(Withheld::OtherLevel), 2));
}

#[test]
fn what_is_open_stays_in_its_pool_until_that_is_no_more() {
    let tuning = Tuning {
        pool_capacity_min: 0,
        pool_size_min: 1,
        ..Tuning::published()
    };
    let limits = tuning.pool_limits();
    let mut dispatch = dispatch(tuning, 6, 1, &[2, 1]);
    assert_eq!(dispatch.counts(JOB).open, [3, 3]);
    let open = |dispatch: &mut Dispatch, speeds: &[u32]| {
        retarget(dispatch, JOB, target(speeds, &limits), 0);
        dispatch.counts(JOB).open
    };
    // Pools come at the top, and whoever is there takes from below.
    assert_eq!(open(&mut dispatch, &[4, 3, 2, 1]), [0, 0, 3, 3]);
    let at = |rank| Device {
        rank: Some(rank),
        ..device(rank)
    };
    assert_eq!(at(0).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(at(3).take(&mut dispatch, NOW), Ok((1, 0)));
    // What was held opens in the pool that it was taken from.
    assert_eq!(open(&mut dispatch, &[3, 2, 1]), [0, 2, 2]);
    dispatch.release(id_of(1, 0), false, NOW);
    assert_eq!(dispatch.counts(JOB).open, [0, 2, 3]);
    // Only of the pool that goes is anything dealt again.
    assert_eq!(open(&mut dispatch, &[1]), [5]);
    let rest: Vec<_> = (0..5)
        .map(|_| at(0).take(&mut dispatch, NOW).map(|it| it.0))
        .collect();
    assert_eq!(rest, [Ok(1), Ok(2), Ok(3), Ok(4), Ok(5)]);
}
