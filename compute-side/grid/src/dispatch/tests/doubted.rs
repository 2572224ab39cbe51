//! Tasks in doubt: who tries them next.

use super::*;

/// Ten minutes, for which a replica is kept at the most.
const KEPT_MS: u64 = 600_000;

/// The same device, and the council has verified it.
fn take_trusted(
    device: &Device,
    dispatch: &mut Dispatch,
    now: Tick,
) -> Result<(TaskIndex, ReplicaIndex), Withheld> {
    let id = account(device.account);
    let profile = Profile {
        classes: vec![Class::Pinned],
        is_trusted: true,
        ..Profile::default()
    };
    let asker = Asker {
        traits: profile.pack(),
        ..device.asker(&id)
    };
    take(dispatch, &asker, now).map(|given| (given.id.task, given.id.replica))
}

/// A device of an account.
fn holder(account: u32, device: u32) -> Holder {
    Holder { account, device }
}

/// A job of so many tasks. Device 1 answered the first, that the program fails; one more replica of it
/// is open.
fn doubted(tasks: TaskIndex, trusted: &[Holder]) -> Dispatch {
    let mut dispatch = dispatch(plain(), tasks, 1, &[1]);
    dispatch.set_trusted(JOB, trusted.to_vec());
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    dispatch.finish(id_of(0, 0));
    dispatch.doubt(JOB, 0, NOW);
    assert_eq!(dispatch.add_replicas(JOB, 0, 1, NOW), [1]);
    dispatch
}

#[test]
fn what_failed_waits_for_a_trusted_device_which_gets_it_before_all_else() {
    let mut dispatch = doubted(3, &[holder(9, 9)]);
    assert_eq!(
        device(2).lacks(&dispatch, 0, NOW),
        Some(Withheld::KeptForTheTrusted)
    );
    assert_eq!(device(2).take(&mut dispatch, NOW), Ok((1, 0)));
    assert_eq!(take_trusted(&device(9), &mut dispatch, NOW), Ok((0, 1)));
    assert_eq!(take_trusted(&device(9), &mut dispatch, NOW), Ok((2, 0)));
}

#[test]
fn a_trusted_device_of_a_lower_pool_gets_what_failed_too() {
    let tuning = Tuning {
        pool_capacity_min: 0,
        pool_size_min: 1,
        ..Tuning::published()
    };
    let mut dispatch = dispatch(tuning, 6, 1, &[3, 2, 1]);
    dispatch.set_trusted(JOB, vec![holder(9, 9)]);
    let at = |rank, number| Device {
        rank: Some(rank),
        ..device(number)
    };
    assert_eq!(at(0, 1).take(&mut dispatch, NOW), Ok((0, 0)));
    dispatch.release(id_of(0, 0), true, NOW);
    assert_eq!(take_trusted(&at(2, 8), &mut dispatch, NOW), Ok((2, 0)));
    dispatch.doubt(JOB, 0, NOW);
    assert_eq!(at(0, 2).take(&mut dispatch, NOW), Ok((3, 0)));
    assert_eq!(take_trusted(&at(2, 9), &mut dispatch, NOW), Ok((0, 0)));
}

#[test]
fn where_no_trusted_device_could_have_it_any_other_account_gets_what_failed() {
    // None; one whose account had the task; and one that lost it before.
    for trusted in [vec![], vec![holder(1, 7)], vec![holder(9, 9)]] {
        let mut dispatch = doubted(1, &trusted);
        dispatch.exclude(JOB, 0, 9);
        assert_eq!(device(2).take(&mut dispatch, NOW), Ok((0, 1)));
    }
}

#[test]
fn a_trusted_device_that_does_not_take_what_failed_holds_up_nobody_for_long() {
    let mut dispatch = doubted(1, &[holder(9, 9)]);
    let soon = NOW.plus_ms(KEPT_MS - 1);
    for now in [NOW, soon] {
        let told = device(2).take(&mut dispatch, now);
        assert_eq!(told, Err(Withheld::KeptForTheTrusted));
    }
    let late = NOW.plus_ms(KEPT_MS);
    assert_eq!(device(2).take(&mut dispatch, late), Ok((0, 1)));
}

#[test]
fn what_is_reserved_is_for_trusted_devices_also_where_there_is_none() {
    let late = NOW.plus_ms(KEPT_MS);
    let mut dispatch = doubted(1, &[]);
    assert!(!dispatch.reserve(JOB, 0, true));
    let told = device(2).take(&mut dispatch, late);
    assert_eq!(told, Err(Withheld::KeptForTheTrusted));
    let mut other = dispatch.clone();
    assert_eq!(take_trusted(&device(9), &mut other, late), Ok((0, 1)));
    assert!(dispatch.reserve(JOB, 0, false));
    assert!(!dispatch.reserve(JOB, 0, false));
    assert_eq!(device(2).take(&mut dispatch, late), Ok((0, 1)));
    assert!(!dispatch.reserve(JOB, 7, true));
}

#[test]
fn a_trusted_device_is_waited_for_while_it_may_come_or_could_have_the_task_or_has_it() {
    let later = NOW.plus_ms(30_000);
    let mut dispatch = doubted(1, &[]);
    assert!(dispatch.waits_for_trusted(JOB, 0, NOW.plus_ms(29_999)));
    assert!(!dispatch.waits_for_trusted(JOB, 0, later));
    dispatch.set_trusted(JOB, vec![holder(9, 9)]);
    assert!(dispatch.waits_for_trusted(JOB, 0, later));
    assert!(!dispatch.waits_for_trusted(JOB, 0, NOW.plus_ms(KEPT_MS)));
    assert_eq!(take_trusted(&device(9), &mut dispatch, later), Ok((0, 1)));
    assert!(dispatch.waits_for_trusted(JOB, 0, NOW.plus_ms(KEPT_MS)));
    dispatch.finish(id_of(0, 1));
    assert!(!dispatch.waits_for_trusted(JOB, 0, NOW.plus_ms(KEPT_MS)));
    dispatch.close(JOB, 0);
    assert!(!dispatch.waits_for_trusted(JOB, 0, NOW));
}

/// Of so many tasks device 1 answered each, that the program fails; one more replica of each is open.
fn all_doubted(tasks: TaskIndex) -> Dispatch {
    let mut dispatch = dispatch(plain(), tasks, 1, &[1]);
    for task in 0..tasks {
        assert_eq!(device(1).take(&mut dispatch, NOW), Ok((task, 0)));
        dispatch.finish(id_of(task, 0));
        dispatch.doubt(JOB, task, NOW);
        assert_eq!(dispatch.add_replicas(JOB, task, 1, NOW), [1]);
    }
    dispatch
}

#[test]
fn of_many_doubts_as_many_are_kept_as_a_busy_trusted_device_can_take_and_the_rest_is_for_all() {
    let mut dispatch = all_doubted(1_000);
    dispatch.set_trusted(JOB, vec![holder(9, 9)]);
    assert!(dispatch.waits_for_trusted(JOB, 1, NOW.plus_ms(30_000)));
    assert!(!dispatch.waits_for_trusted(JOB, 2, NOW.plus_ms(30_000)));
    // Two honest devices compute all but two of them, while the trusted one takes nothing.
    for task in 2..1_000 {
        assert_eq!(device(2 + task % 2).take(&mut dispatch, NOW), Ok((task, 1)));
    }
    let kept = Err(Withheld::KeptForTheTrusted);
    assert_eq!(device(2).take(&mut dispatch, NOW), kept);
    let kept_until = |dispatch: &Dispatch, task| {
        let queued = dispatch.queued(id_of(task, 1), NOW);
        queued.unwrap().kept_until
    };
    assert!(kept_until(&dispatch, 0).is_some());
    // One that opens again stands behind those that have waited for longer.
    dispatch.release(id_of(500, 1), false, NOW);
    assert_eq!(kept_until(&dispatch, 500), None);
    assert_eq!(take_trusted(&device(9), &mut dispatch, NOW), Ok((0, 1)));
    assert_eq!(take_trusted(&device(9), &mut dispatch, NOW), Ok((1, 1)));
    // Its account has neither of them any more, and could have this one.
    assert_eq!(device(2).take(&mut dispatch, NOW), kept);
    assert_eq!(take_trusted(&device(9), &mut dispatch, NOW), Ok((500, 1)));
}

#[test]
fn a_trusted_device_gets_what_is_reserved_before_all_else_that_is_in_doubt() {
    let mut dispatch = all_doubted(300);
    dispatch.set_trusted(JOB, vec![holder(9, 9)]);
    assert!(!dispatch.reserve(JOB, 299, true));
    assert_eq!(take_trusted(&device(9), &mut dispatch, NOW), Ok((299, 1)));
    assert_eq!(take_trusted(&device(9), &mut dispatch, NOW), Ok((0, 1)));
}

#[test]
fn what_was_kept_for_long_enough_takes_no_place_of_what_is_to_be_kept_yet() {
    let mut dispatch = all_doubted(2);
    dispatch.set_trusted(JOB, vec![holder(9, 9)]);
    let late = NOW.plus_ms(KEPT_MS);
    dispatch.push(JOB, 2, late);
    assert_eq!(device(1).take(&mut dispatch, late), Ok((2, 0)));
    dispatch.finish(id_of(2, 0));
    dispatch.doubt(JOB, 2, late);
    assert_eq!(dispatch.add_replicas(JOB, 2, 1, late), [1]);
    let old = late.plus_ms(30_000);
    let waits = |task| dispatch.waits_for_trusted(JOB, task, old);
    assert_eq!([waits(0), waits(1), waits(2)], [false, false, true]);
}

#[test]
fn what_is_reserved_no_more_is_found_behind_any_number_of_tasks_that_are() {
    let mut dispatch = all_doubted(300);
    (0..300).for_each(|task| assert!(!dispatch.reserve(JOB, task, true)));
    let kept = Err(Withheld::KeptForTheTrusted);
    assert_eq!(device(2).take(&mut dispatch, NOW), kept);
    assert!(dispatch.reserve(JOB, 299, false));
    assert_eq!(device(2).take(&mut dispatch, NOW), Ok((299, 1)));
}

/// A slow device computes a job's only task; an idle one may compute it again unless something is changed.
fn slow_alone() -> Dispatch {
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
    dispatch
}

#[test]
fn nobody_idle_confirms_what_a_trusted_device_is_asked_about() {
    let is_backed_up = |mut dispatch: Dispatch| device(2).take(&mut dispatch, NOW).is_ok();
    let mut dispatch = slow_alone();
    assert!(is_backed_up(dispatch.clone()));
    dispatch.set_trusted(JOB, vec![holder(9, 9)]);
    assert!(is_backed_up(dispatch.clone()), "nobody is asked yet");
    dispatch.doubt(JOB, 0, NOW);
    assert!(!is_backed_up(dispatch.clone()));
    // The trusted device goes, and another comes.
    dispatch.forget_device(9);
    assert!(is_backed_up(dispatch.clone()));
    dispatch.set_trusted(JOB, vec![holder(8, 8)]);
    assert!(!is_backed_up(dispatch));
}

#[test]
fn what_a_device_failed_on_is_backed_up_where_nobody_is_trusted_and_nobody_has_answered() {
    let is_backed_up = |mut dispatch: Dispatch| device(2).take(&mut dispatch, NOW).is_ok();
    let mut failed = slow_alone();
    failed.doubt(JOB, 0, NOW);
    assert!(is_backed_up(failed.clone()));
    // Whoever is to be blamed by it waits for a trusted device to come.
    let mut reserved = failed.clone();
    reserved.reserve(JOB, 0, true);
    assert!(!is_backed_up(reserved.clone()));
    reserved.reserve(JOB, 0, false);
    assert!(is_backed_up(reserved));
    // What was answered is in doubt for its answer.
    let of_third = holder(3, 3);
    assert_eq!(failed.add_replicas(JOB, 0, 1, NOW), [1]);
    assert!(failed.claim(id_of(0, 1), of_third, Claimed::Answered));
    assert!(!is_backed_up(failed));
}

#[test]
fn an_answer_that_is_not_to_be_had_opens_its_replica_for_others() {
    let mut dispatch = dispatch(plain(), 1, 1, &[1]);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    dispatch.retract(id_of(0, 0), true, NOW);
    assert!(!dispatch.has_open(), "it runs");
    dispatch.finish(id_of(0, 0));
    dispatch.release(id_of(0, 0), true, NOW);
    assert!(!dispatch.has_open(), "it was answered");
    dispatch.retract(id_of(0, 0), true, NOW);
    dispatch.retract(id_of(0, 0), true, NOW);
    assert_eq!(device(1).lacks(&dispatch, 0, NOW), Some(Withheld::Excluded));
    assert_eq!(device(2).take(&mut dispatch, NOW), Ok((0, 0)));
}
