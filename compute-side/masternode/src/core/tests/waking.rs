//! Who of those that wait gets a replica that opens, and how many are tried for it.

use super::world::{Habit, JOB, MAJORITY, World, settings};
use crate::core::{Event, Measured};
use proptest::prelude::*;
use quern_primitives::{ids::DeviceId, job::Agreement};
use quern_protocol::HandBackReason;

/// One task, which the first device has; and two more devices, the one with the lower key first.
fn scarce() -> (World, [usize; 2]) {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    let mut others = [2, 3].map(|account| world.join(account, Habit::Honest));
    others.sort_by_key(|worker| world.workers[*worker].id());
    (world, others)
}

fn hands(world: &World, workers: [usize; 2]) -> [usize; 2] {
    workers.map(|worker| world.workers[worker].in_hand.len())
}

/// A device has a line by which it stands above one of which nothing is known.
fn fast_line(world: &mut World, worker: usize) {
    let device: DeviceId = world.workers[worker].id();
    for measured in [
        Measured::Down {
            bytes: 100_000_000,
            ms: 1_000,
        },
        Measured::Up {
            bytes: 100_000_000,
            ms: 1_000,
        },
    ] {
        world.feed(Event::Measured { device, measured });
    }
}

#[test]
fn of_those_that_wait_the_one_that_is_ranked_higher_gets_it_and_not_the_lower_key() {
    let (mut world, [low, high]) = scarce();
    fast_line(&mut world, high);
    world.wait(1_000);
    world.ask(low, 1);
    world.ask(high, 1);
    world.hand_back(0, HandBackReason::Stopping);
    assert_eq!(hands(&world, [low, high]), [0, 1]);
}

#[test]
fn of_those_that_wait_a_winner_of_the_lottery_gets_it_before_one_that_would_stand_higher() {
    for wins in [false, true] {
        let (mut world, [winner, better]) = scarce();
        fast_line(&mut world, better);
        let won = wins.then(|| world.workers[winner].id());
        world.feed(Event::Lottery {
            winners: won.into_iter().collect(),
            ends_at: world.block + 2,
        });
        world.wait(1_000);
        world.ask(better, 1);
        world.ask(winner, 1);
        world.hand_back(0, HandBackReason::Stopping);
        let expected = if wins { [1, 0] } else { [0, 1] };
        assert_eq!(hands(&world, [winner, better]), expected);
    }
}

#[test]
fn of_those_that_are_not_ranked_the_one_that_waits_longer_gets_it_and_not_the_lower_key() {
    let (mut world, [low, high]) = scarce();
    world.ask(high, 1);
    world.ask(low, 1);
    world.hand_back(0, HandBackReason::Stopping);
    assert_eq!(hands(&world, [low, high]), [0, 1]);
}

#[test]
fn for_one_replica_that_opens_one_device_is_tried() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    for account in 2..40 {
        let worker = world.join(account, Habit::Honest);
        world.ask(worker, 1);
    }
    let before = world.core.scheduler.pulls;
    world.hand_back(0, HandBackReason::Stopping);
    assert_eq!(world.core.scheduler.pulls - before, 1);
    assert_eq!(world.workers[1].in_hand.len(), 1);
}

#[test]
fn who_got_nothing_is_not_tried_again_at_once() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    let before = world.core.scheduler.pulls;
    for _ in 0..5 {
        world.ask(1, 1);
    }
    assert_eq!(world.core.scheduler.pulls - before, 1);
    world.wait(100);
    world.ask(1, 1);
    assert_eq!(world.core.scheduler.pulls - before, 2);
}

#[test]
fn what_many_may_not_have_is_offered_to_some_of_them_at_a_time() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    // Their account has a replica already, that of the last has not.
    for account in std::iter::repeat_n(1, 80).chain([4]) {
        let worker = world.join(account, Habit::Honest);
        world.ask(worker, 1);
    }
    let before = world.core.scheduler.pulls;
    world.hand_back(1, HandBackReason::Stopping);
    assert_eq!(world.core.scheduler.pulls - before, 64);
    let last = world.workers.len() - 1;
    assert!(world.workers[last].in_hand.is_empty());
    world.wait(100);
    assert_eq!(world.workers[last].in_hand.len(), 1);
    assert_eq!(world.core.scheduler.pulls - before, 81);
}

/// A task that three have, and more devices that wait than are tried at a time, of an account that has a
/// replica already.
fn many_that_may_not() -> World {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    for account in std::iter::repeat_n(1, 80) {
        let worker = world.join(account, Habit::Honest);
        world.ask(worker, 1);
    }
    world
}

#[test]
fn after_a_ranking_those_that_wait_are_tried_some_at_a_time() {
    let mut world = many_that_may_not();
    let before = world.core.scheduler.pulls;
    world.wait(1_000);
    assert_eq!(world.core.scheduler.pulls - before, 64);
    world.wait(99);
    assert_eq!(world.core.scheduler.pulls - before, 64);
    world.wait(1);
    assert_eq!(world.core.scheduler.pulls - before, 80);
    world.wait(1_000);
    assert_eq!(world.core.scheduler.pulls - before, 80, "nothing changed");
}

#[test]
fn what_opens_while_all_are_tried_does_not_begin_that_anew() {
    let mut world = many_that_may_not();
    let before = world.core.scheduler.pulls;
    world.wait(1_000);
    assert_eq!(world.core.scheduler.pulls - before, 64);
    world.hand_back(1, HandBackReason::Stopping);
    assert_eq!(world.core.scheduler.pulls - before, 128);
    world.wait(100);
    assert_eq!(world.core.scheduler.pulls - before, 144);
}

#[test]
fn whose_answer_is_accepted_while_it_pauses_gets_what_is_open_at_once() {
    let mut world = World::new(2, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    world.report(0);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::Stopping);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty(), "it pauses");
    world.report(1);
    world.report(2);
    assert_eq!(world.workers[0].in_hand.len(), 1);
}

/// One thing that happens, to the device `who` where it is about one.
fn happen(world: &mut World, what: u8, who: usize, much: usize) {
    match what {
        0..=3 => {
            world.ask(who, 1 + much as u8 % 2);
        }
        4 | 5 => world.report(who),
        6 | 7 => world.hand_back(who, HandBackReason::Stopping),
        8 => {
            let device = world.workers[who].id();
            world.feed(Event::Gone { device });
        }
        9 => world.hello(who),
        10 => world.come([much as u32]),
        // So little that nobody is silent for too long in a whole story.
        _ => world.wait(much as u64 * 50),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Nothing comes by time alone here: nobody backs up, and no replica is kept for anybody.
    #[test]
    fn whatever_opens_nobody_waits_who_would_get_something(
        story in prop::collection::vec((0u8..13, 0usize..6, 0usize..8), 0..40),
        single: bool,
    ) {
        let agreement = if single { Agreement::Single } else { MAJORITY };
        let mut settings = settings();
        settings.tuning.backs_up = false;
        settings.tuning.spares_the_slow = false;
        settings.tuning.lane_ms = 0;
        let world = World::with(settings, 8, agreement, &[1, 2, 2, 3, 4, 5]);
        let mut world = world.lacking(4..8);
        for (what, who, much) in story {
            happen(&mut world, what, who, much);
            world.core.catch_up_jobs(world.now, Some(JOB));
            let waiting = world.core.wait_in_spite(world.now);
            prop_assert!(waiting.is_empty(), "{waiting:?}");
        }
    }
}
