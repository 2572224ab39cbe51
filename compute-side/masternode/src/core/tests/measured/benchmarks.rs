//! Benchmarks that are declined, put off, or asked for again and again.

use super::*;
use quern_jobs_api::Rule;

fn decline(world: &mut World, worker: usize, number: u64) {
    let exchange = Exchange {
        unavailable_for: Some(number),
        ..Exchange::default()
    };
    world.send(worker, exchange);
}

/// A device that computes for another masternode wants a task.
fn busy(world: &mut World) {
    let exchange = Exchange {
        want: 1,
        is_busy: true,
        ..Exchange::default()
    };
    world.send(0, exchange);
}

fn minutes(world: &mut World, minutes: usize) {
    (0..minutes).for_each(|_| minute(world));
}

/// Goes, and comes back after it was taken to be gone for good.
fn goes_and_comes(world: &mut World, ms: u64) {
    let device = world.workers[0].id();
    world.feed(Event::Gone { device });
    world.wait(ms);
    assert!(!world.core.is_here(&device));
    world.hello(0);
}

/// The rules that a device is told of.
fn rules(world: &World) -> Vec<Rule> {
    let device = world.workers[0].id();
    let explained = world.core.explain_device(world.now, &device).unwrap();
    explained.reasons.iter().map(|it| it.rule).collect()
}

#[test]
fn a_device_that_declines_owes_nothing_and_is_as_fast_as_it_was_known_to_be() {
    let mut world = idle(&[1]);
    challenge(&mut world, 1);
    world.ask(0, 1);
    assert_eq!(points(&world, 0), 1.0, "while it computes");
    let number = given(&world, 0)[0].number;
    decline(&mut world, 0, number + 1);
    assert_eq!(points(&world, 0), 1.0, "it was not sent that");
    decline(&mut world, 0, number);
    assert_eq!((points(&world, 0), rate(&world, 0)), (250.0, None));
    minute(&mut world);
    benchmark(&mut world, 0, 100);
    assert_eq!(points(&world, 0), 125.0);
    minutes(&mut world, 2);
    share(&mut world, 1_000, 0);
    share(&mut world, 500, 0);
    challenge(&mut world, 3);
    world.ask(0, 1);
    let number = given(&world, 0)[2].number;
    assert_eq!(rate(&world, 0), None);
    decline(&mut world, 0, number);
    assert_eq!(rate(&world, 0), Some(10_000_000));
    assert_eq!(points(&world, 0), 125.0);
    assert!(!rules(&world).contains(&Rule::BenchmarkOwed));
}

#[test]
fn a_benchmark_that_is_declined_after_its_time_is_owed() {
    let mut world = idle(&[1]);
    challenge(&mut world, 1);
    world.ask(0, 1);
    let number = given(&world, 0)[0].number;
    minute(&mut world);
    decline(&mut world, 0, number);
    assert_eq!(points(&world, 0), 1.0);
}

#[test]
fn who_declines_more_than_three_times_in_six_hours_owes_the_benchmark_and_is_told() {
    let mut world = idle(&[1]);
    for times in 0..4_usize {
        challenge(&mut world, 1);
        world.ask(0, 1);
        assert!(!rules(&world).contains(&Rule::BenchmarkOwed));
        let number = given(&world, 0)[times].number;
        decline(&mut world, 0, number);
        let owes = times == 3;
        let expected = if owes { 1.0 } else { 250.0 };
        assert_eq!(points(&world, 0), expected);
        assert_eq!(seen(&world, 0).owes_benchmark, owes);
        minutes(&mut world, 1 << times);
    }
    assert!(rules(&world).contains(&Rule::BenchmarkOwed));
    benchmark(&mut world, 0, 100);
    assert_eq!(points(&world, 0), 125.0);
    assert!(!rules(&world).contains(&Rule::BenchmarkOwed));
}

/// A device loses its connection, which the masternode may have seen, and comes over another.
fn comes_over_another(world: &mut World, is_seen: bool) {
    let device = world.workers[0].id();
    if is_seen {
        world.feed(Event::Gone { device });
    }
    world.hello(0);
}

/// A device is not heard of for so long that it is taken to be gone for good, and then comes again.
fn is_silent_and_comes(world: &mut World) {
    world.wait(limits::SILENCE_MAX.as_millis() as u64 + 1_000);
    let device = world.workers[0].id();
    assert!(!world.core.is_here(&device));
    world.hello(0);
}

#[test]
fn a_benchmark_that_a_lost_connection_breaks_off_counts_like_one_that_is_declined() {
    let ways: [fn(&mut World); 3] = [
        |world| comes_over_another(world, false),
        |world| comes_over_another(world, true),
        is_silent_and_comes,
    ];
    for breaks_off in ways {
        let mut world = idle(&[1]);
        for times in 0..4_usize {
            challenge(&mut world, 1);
            world.ask(0, 1);
            assert_eq!(given(&world, 0).len(), times + 1);
            assert_eq!(points(&world, 0), 1.0, "while it computes");
            breaks_off(&mut world);
            let owes = times == 3;
            assert_eq!(points(&world, 0), if owes { 1.0 } else { 250.0 });
            assert_eq!(rules(&world).contains(&Rule::BenchmarkOwed), owes);
            minutes(&mut world, 1 << times);
        }
    }
}

#[test]
fn a_device_that_was_measured_keeps_its_rate_when_a_lost_connection_breaks_the_next_off() {
    let mut world = idle(&[1]);
    share(&mut world, 1_000, 0);
    benchmark(&mut world, 0, 100);
    minute(&mut world);
    share(&mut world, 500, 0);
    challenge(&mut world, 2);
    world.ask(0, 1);
    assert_eq!(rate(&world, 0), None);
    comes_over_another(&mut world, true);
    assert_eq!(rate(&world, 0), Some(10_000_000));
    minutes(&mut world, 2);
    challenge(&mut world, 3);
    world.ask(0, 1);
    assert_eq!(given(&world, 0).len(), 3, "and it is measured next");
}

#[test]
fn a_device_that_computes_for_another_masternode_is_sent_no_benchmark_and_gets_tasks() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    challenge(&mut world, 1);
    busy(&mut world);
    assert!(given(&world, 0).is_empty());
    assert_eq!(world.workers[0].in_hand.len(), 1);
    assert_eq!(points(&world, 0), 250.0);
    world.report(0);
    world.ask(0, 1);
    assert_eq!(given(&world, 0).len(), 1, "now it is free");
}

#[test]
fn who_was_not_free_for_an_hour_gets_no_more_tasks_until_it_is_measured() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    challenge(&mut world, 1);
    busy(&mut world);
    world.report(0);
    minutes(&mut world, 30);
    // To go in between does not help.
    goes_and_comes(&mut world, 20_000);
    minutes(&mut world, 29);
    busy(&mut world);
    assert_eq!(world.workers[0].in_hand.len(), 1, "not an hour yet");
    world.report(0);
    minute(&mut world);
    busy(&mut world);
    assert!(world.workers[0].in_hand.is_empty());
    assert_eq!(rules(&world), [Rule::Benchmarked]);
    assert_eq!(points(&world, 0), 250.0, "it owes nothing");
    world.ask(0, 1);
    let number = given(&world, 0)[0].number;
    world.wait(100);
    answer(&mut world, 0, number, OUTPUT);
    assert_eq!(points(&world, 0), 125.0);
    busy(&mut world);
    assert!(!world.workers[0].in_hand.is_empty());
}

#[test]
fn who_always_has_a_task_in_hand_gets_no_more_after_an_hour_until_it_is_measured() {
    let mut world = World::new(200, Agreement::Single, &[1]);
    benchmark(&mut world, 0, 100);
    minute(&mut world);
    // With another part of the processor it is to be measured again.
    share(&mut world, 1_000, 0);
    share(&mut world, 500, 0);
    challenge(&mut world, 1);
    busy(&mut world);
    world.ask(0, 1);
    let mut turns = 0;
    while given(&world, 0).len() < 2 {
        world.wait(12_500);
        world.ask(0, 0);
        world.wait(12_500);
        // Of two tasks it reports the first, and wants another.
        let second = world.workers[0].in_hand.split_off(1);
        world.compute(0);
        world.workers[0].in_hand.extend(second);
        world.ask(0, 1);
        turns += 1;
    }
    // An hour, and the task that it had besides.
    assert_eq!(turns, 3_600 / 25 + 1);
}

#[test]
fn a_device_that_was_never_measured_holds_one_task_until_it_is() {
    let mut world = World::new(200, Agreement::Single, &[1]);
    world.ask(0, 2);
    assert_eq!(world.workers[0].in_hand.len(), 2, "nobody is measured here");
    world.report(0);
    challenge(&mut world, 1);
    busy(&mut world);
    world.ask(0, 2);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    let full = Rule::HandsFull;
    assert!(rules(&world).contains(&full));
    world.report(0);
    world.ask(0, 2);
    let number = given(&world, 0)[0].number;
    world.wait(100);
    answer(&mut world, 0, number, OUTPUT);
    world.ask(0, 2);
    assert_eq!(world.workers[0].in_hand.len(), 2);
}

#[test]
fn a_device_that_is_silent_again_and_again_gets_no_more_benchmarks_for_that() {
    let mut world = idle(&[1]);
    (0..9).for_each(|input| challenge(&mut world, input));
    let mut given_at = vec![];
    for turn in 0..30 {
        world.ask(0, 1);
        if given(&world, 0).len() > given_at.len() {
            given_at.push(20 * turn);
        }
        goes_and_comes(&mut world, 20_000);
    }
    assert_eq!(given_at, [0, 60, 180, 420]);
}

#[test]
fn a_device_that_was_never_measured_gets_the_next_benchmark_before_one_that_was() {
    let mut world = idle(&[1, 2]);
    benchmark(&mut world, 0, 100);
    minute(&mut world);
    share(&mut world, 1_000, 0);
    share(&mut world, 500, 0);
    world.hello(1);
    world.ask(1, 1);
    challenge(&mut world, 2);
    world.ask(0, 1);
    assert_eq!(given(&world, 0).len(), 1);
    world.ask(1, 1);
    assert_eq!(given(&world, 1).len(), 1);
    challenge(&mut world, 3);
    world.wait(10_000);
    world.ask(0, 1);
    assert_eq!(given(&world, 0).len(), 2);
}
