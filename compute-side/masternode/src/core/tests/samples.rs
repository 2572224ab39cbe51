//! Settled tasks that are computed again: what is drawn, when it is computed, and what follows.

use super::{
    ledger::Ledger,
    worker::{found, truth},
    world::{Habit, JOB, Refereeing, World, seed_of, settings},
};
use crate::core::{
    Effect, Entry, KeptResult, NoReferee, Note, OutputPlace, Purpose, Settings, Truth, name_of,
};
use quern_jobs_api::{Recomputations, Rule};
use quern_primitives::{
    ids::{DeviceId, JobId},
    job::{Agreement, JobEnd, JobState},
    receipt::{Answer, Exit},
};
use quern_protocol::Output;
use quern_verdict::is_re_executed;

const OTHER: JobId = JobId([8; 32]);

/// A job of so many tasks, of which so many of a thousand are computed again, and two devices of this
/// habit. Each verdict has a batch of its own.
fn world(tasks: u32, permille: u16, habit: Habit) -> World {
    world_with(settings(), tasks, permille, habit)
}

/// The same under these settings.
fn world_with(mut settings: Settings, tasks: u32, permille: u16, habit: Habit) -> World {
    settings.settle.verdicts_max = 1;
    let mut ledger = Ledger::new(tasks, Agreement::Unanimous);
    ledger.job.terms.re_execution_permille = permille;
    let mut world = World::of(settings, ledger, &[]);
    world.referee = Refereeing::Slow;
    world.join(1, habit);
    world.join(2, habit);
    world
}

/// Both devices answer a task.
fn compute(world: &mut World) {
    (0..2).for_each(|worker| {
        world.ask(worker, 1);
    });
    (0..2).for_each(|worker| world.report(worker));
}

fn counts(world: &World) -> Recomputations {
    world.core.grid_state(world.now).recomputations
}

fn has_dropped_inputs(world: &World) -> bool {
    world.effects.contains(&Effect::DropInputs { job: JOB })
}

fn contradicted(world: &World) -> Vec<Note> {
    let notes = world.noted();
    let notes = notes.filter(|note| matches!(note, Note::Contradicted { .. }));
    notes.cloned().collect()
}

/// One task is computed and settled, and the job is over.
fn settled(permille: u16, habit: Habit) -> World {
    let mut world = world(1, permille, habit);
    compute(&mut world);
    world.next_block();
    let end = JobEnd::AllSettled;
    assert_eq!(world.ledger.job.state, JobState::Completed { end });
    world.next_block();
    assert_eq!(world.core.status(JOB), None);
    world
}

#[test]
fn a_masternode_that_computes_nothing_draws_nothing_whatever_the_terms_say() {
    let mut settings = settings();
    settings.re_executes = false;
    let mut world = world_with(settings, 1, 1_000, Habit::Lies(99));
    compute(&mut world);
    world.next_block();
    world.next_block();
    assert!(has_dropped_inputs(&world), "nothing is kept for a draw");
    world.next_block();
    world.read_seeds();
    assert!(world.asked.is_empty());
}

#[test]
fn a_coalition_that_agreed_on_a_wrong_answer_is_found_and_gets_nothing_for_a_day() {
    let mut world = settled(1_000, Habit::Lies(99));
    let paid = world.ledger.paid.clone();
    assert_eq!(paid.len(), 2, "they were paid");
    assert!(!has_dropped_inputs(&world), "the data are kept");
    world.next_block();
    world.read_seeds();
    let asked: Vec<_> = world.asked.iter().copied().collect();
    assert_eq!(asked, [(JOB, 0, Purpose::Check)]);
    assert!(!has_dropped_inputs(&world));
    assert!(world.answer_asked());
    let entries = contradicted(&world);
    let [
        Note::Contradicted {
            task: 0,
            accepted,
            report,
            receipts,
            ..
        },
    ] = &entries[..]
    else {
        panic!("{entries:?}");
    };
    assert_ne!(*accepted, report.payload.answer);
    assert_eq!(report.payload.answer, truth(0).answer());
    let mut devices: Vec<_> = receipts.iter().map(|(device, _)| *device).collect();
    devices.sort_unstable();
    let mut expected = [0, 1].map(|worker| world.workers[worker].id());
    expected.sort_unstable();
    assert_eq!(devices, expected);
    assert!(has_dropped_inputs(&world), "now they go");
    assert_eq!(counts(&world).contradicted, 1);
    assert_eq!(world.ledger.paid, paid, "nothing that was paid moves");

    world.add_job(OTHER);
    let device = world.workers[0].id();
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand, []);
    let told = world.core.explain_device(world.now, &device).unwrap();
    assert!(told.reasons.iter().any(|it| it.rule == Rule::Contradicted));
    world.wait(24 * 3_600_000);
    world.hello(0);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1, "a day later");
}

/// The sealed results that are written with a note, each with the name under which it is sealed.
fn sealed_with_notes(world: &World) -> Vec<(DeviceId, Vec<u8>)> {
    let effects = world.effects.iter();
    let sealed = effects.filter_map(|effect| match effect {
        Effect::Note { output, .. } => output.clone(),
        _ => None,
    });
    sealed.collect()
}

#[test]
fn what_comes_out_instead_of_a_wrong_answer_is_kept_for_the_owner_under_the_name_of_who_computed_it()
 {
    let mut world = settled(1_000, Habit::Lies(99));
    world.next_block();
    world.read_seeds();
    assert!(world.answer_asked());
    let entries = contradicted(&world);
    let [Note::Contradicted { node, kept, .. }] = &entries[..] else {
        panic!("{entries:?}");
    };
    let truth = truth(0);
    let Output::Inline(sealed) = truth.output else {
        panic!("it is small");
    };
    assert_eq!(name_of(node), name_of(&truth.node));
    let bytes = sealed.len() as u64;
    let expected = KeptResult {
        output_root: truth.output_root,
        output: OutputPlace::Inline { bytes },
    };
    assert_eq!(*kept, Some(expected));
    assert_eq!(sealed_with_notes(&world), [(name_of(node), sealed)]);
}

#[test]
fn a_large_result_that_comes_out_instead_is_said_to_be_in_its_file() {
    let mut world = settled(1_000, Habit::Lies(99));
    world.next_block();
    world.read_seeds();
    world.asked.clear();
    let large = Truth {
        output: Output::Delivered { bytes: 5_000_000 },
        ..truth(0)
    };
    world.tell_referee(JOB, 0, Ok(large));
    let entries = contradicted(&world);
    let [Note::Contradicted { kept, .. }] = &entries[..] else {
        panic!("{entries:?}");
    };
    let place = kept.map(|kept| kept.output);
    assert_eq!(place, Some(OutputPlace::File { bytes: 5_000_000 }));
    assert!(sealed_with_notes(&world).is_empty());
}

#[test]
fn where_the_program_fails_instead_nothing_is_kept() {
    let mut world = settled(1_000, Habit::Honest);
    world.next_block();
    world.read_seeds();
    world.asked.clear();
    let answer = Answer {
        exit: Exit::Trap,
        ..truth(0).answer()
    };
    world.tell_referee(JOB, 0, Ok(found(0, answer)));
    let entries = contradicted(&world);
    let [Note::Contradicted { kept: None, .. }] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert!(sealed_with_notes(&world).is_empty());
}

#[test]
fn a_job_may_be_contradicted_until_all_that_is_drawn_of_it_is_computed_also_when_it_is_closed() {
    let mut world = world(1, 1_000, Habit::Honest);
    assert!(
        world.core.may_be_contradicted(JOB),
        "nothing is settled yet"
    );
    compute(&mut world);
    (0..2).for_each(|_| world.next_block());
    assert_eq!(world.core.status(JOB), None, "it is closed");
    assert!(world.core.may_be_contradicted(JOB), "nothing is drawn yet");
    world.next_block();
    world.read_seeds();
    assert!(world.core.may_be_contradicted(JOB), "it is being computed");
    assert!(world.answer_asked());
    assert!(!world.core.may_be_contradicted(JOB));
    assert!(!world.core.may_be_contradicted(OTHER), "nobody knows it");
}

#[test]
fn a_job_of_which_nothing_is_computed_again_is_never_contradicted() {
    let world = world(1, 0, Habit::Honest);
    assert!(!world.core.may_be_contradicted(JOB));
}

#[test]
fn who_computes_again_is_told_what_was_accepted() {
    let mut world = settled(1_000, Habit::Lies(99));
    world.next_block();
    world.read_seeds();
    let asked = world.effects.iter().find_map(|effect| match effect {
        Effect::Recompute { accepted, .. } => *accepted,
        _ => None,
    });
    let judged = world.log().find_map(|entry| match entry {
        Entry::Judged { verdict } => Some(verdict.answer),
        _ => None,
    });
    assert!(judged.is_some());
    assert_eq!(asked, judged);
}

#[test]
fn an_answer_that_comes_out_again_is_counted_and_no_more() {
    let mut world = settled(1_000, Habit::Honest);
    world.next_block();
    world.read_seeds();
    let entries = world.log().count();
    assert!(world.answer_asked());
    assert_eq!(counts(&world).confirmed, 1);
    assert_eq!(world.log().count(), entries);
    assert!(has_dropped_inputs(&world));
}

#[test]
fn what_cannot_be_computed_again_is_given_up() {
    let mut world = settled(1_000, Habit::Honest);
    world.next_block();
    world.read_seeds();
    world.asked.clear();
    world.tell_referee(JOB, 0, Err(NoReferee::Machine));
    assert_eq!((counts(&world).unchecked, counts(&world).to_check), (1, 0));
    assert!(has_dropped_inputs(&world));
}

#[test]
fn where_nothing_is_drawn_a_job_s_data_go_with_it() {
    let world = settled(0, Habit::Honest);
    assert!(has_dropped_inputs(&world));
    assert!(world.seeds.is_empty());
}

#[test]
fn the_draw_follows_from_the_block_that_counted_and_the_next_two() {
    let tasks = 40;
    let mut world = world(tasks, 300, Habit::Honest);
    world.referee = Refereeing::Truthful;
    let mut drawn = 0;
    for _ in 0..tasks {
        compute(&mut world);
        let judged = world.log().filter_map(|entry| match entry {
            Entry::Judged { verdict } => Some((verdict.task, verdict.ground)),
            _ => None,
        });
        let (task, ground) = judged.last().unwrap();
        // It is settled meanwhile, and this block is the first in which that is seen.
        world.next_block();
        let counted = world.block;
        world.next_block();
        assert!(world.seeds.is_empty(), "its blocks are not there");
        world.next_block();
        assert_eq!(world.seeds.make_contiguous(), [counted]);
        world.read_seeds();
        let seed = seed_of(counted);
        drawn += u64::from(is_re_executed(&seed, &JOB, task, ground, 300));
        assert_eq!(counts(&world).confirmed, drawn, "task {task}");
    }
    assert!((1..u64::from(tasks)).contains(&drawn));
}

#[test]
fn what_is_only_checked_waits_for_what_devices_differ_on() {
    let mut world = world(2, 1_000, Habit::Honest);
    compute(&mut world);
    (0..3).for_each(|_| world.next_block());
    world.read_seeds();
    let asked = |world: &World| world.asked.iter().copied().collect::<Vec<_>>();
    assert_eq!(asked(&world), [(JOB, 0, Purpose::Check)]);
    world.workers[1].habit = Habit::Lies(99);
    compute(&mut world);
    assert_eq!(asked(&world), [(JOB, 1, Purpose::Referee)]);
    assert!(world.answer_asked());
    assert_eq!(asked(&world), [(JOB, 0, Purpose::Check)], "then it goes on");
    assert!(world.answer_asked());
    assert_eq!((counts(&world).refereed, counts(&world).confirmed), (1, 1));
}

#[test]
fn what_the_referee_decided_is_not_computed_again() {
    let mut world = world(1, 1_000, Habit::Honest);
    world.workers[1].habit = Habit::Lies(99);
    compute(&mut world);
    assert!(world.answer_asked());
    (0..3).for_each(|_| world.next_block());
    world.read_seeds();
    assert!(world.asked.is_empty());
    assert!(has_dropped_inputs(&world));
}

#[test]
fn verdicts_in_a_batch_are_drawn_from_after_a_restart_too() {
    let mut world = world(1, 1_000, Habit::Honest);
    world.ledger.takes = false;
    compute(&mut world);
    world.restart();
    world.ledger.takes = true;
    (0..2).for_each(|worker| world.hello(worker));
    world.wait_all_alive(60_000);
    (0..3).for_each(|_| world.next_block());
    world.read_seeds();
    assert_eq!(world.asked.len(), 1);
}
