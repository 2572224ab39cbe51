//! Batches that were settled, beside what their coordinator wrote down.

use crate::{
    honest::{agreements, ruled},
    lies::{accounts, assert_batch_struck, offence, usual},
    world::{HERE, SEQUENCE, World, honest, member},
};
use proptest::prelude::*;
use quern_dispute_rules::{Evidence, Refusal, Ruling, ruling::Offence};
use quern_joblog::Entry;
use quern_primitives::{
    batch::Batch,
    ids::{AccountId, Digest, JobId},
};

/// A world in whose log, written by this member, a batch stands last, and the evidence that shows it. What the
/// chain settled stays.
pub(crate) fn written_down(world: &World, batch: Batch, writer: usize) -> (World, Evidence) {
    let mut world = world.clone();
    let position = world.entries.len() as u64;
    world.entries.push(Entry::Batched { batch });
    world.write_log_by(writer);
    world.settle();
    let evidence = Evidence::OtherBatch {
        batch: world.name(),
        entry: Box::new(world.logged(position)),
    };
    (world, evidence)
}

/// The evidence of an honest world.
pub(crate) fn as_settled(world: &World) -> Evidence {
    written_down(world, world.batch.clone(), 0).1
}

/// A world whose batch pays more than its log says.
pub(crate) fn with_other_batch() -> (World, Evidence) {
    let world = usual();
    let mut other = world.batch.clone();
    other.payouts[0].amount -= 1;
    written_down(&world, other, 0)
}

#[test]
fn a_batch_that_was_settled_otherwise_than_its_log_has_it_is_struck_whatever_differs() {
    type Change = fn(&mut Batch);
    let changes: [Change; 9] = [
        |it| it.job = JobId([4; 32]),
        |it| it.log.last -= 1,
        |it| it.verdicts_root = Digest([66; 32]),
        |it| it.tasks.bits[0] ^= 0x80,
        |it| it.spent += 1,
        |it| it.payouts[0].amount += 1,
        |it| it.payouts[0].account = AccountId::new([7; 32]),
        |it| it.devices[0].change.accepted += 1,
        |it| it.devices.truncate(it.devices.len() - 1),
    ];
    for change in changes {
        let world = usual();
        let mut other = world.batch.clone();
        change(&mut other);
        let (world, evidence) = written_down(&world, other, 0);
        assert_batch_struck(ruled(&world, &evidence), Offence::OtherBatch);
    }
}

#[test]
fn who_certified_a_batch_with_another_block_does_not_pay_for_what_its_coordinator_wrote_there() {
    let (mut world, evidence) = with_other_batch();
    let batch = world.facts.batch.as_mut().unwrap();
    // An earlier head of the same log is no word on this batch.
    batch.heads.push(Digest([66; 32]));
    let ruling = ruled(&world, &evidence);
    assert_eq!(offence(&ruling), Some(Offence::OtherBatch), "{ruling:?}");
    let ruling = ruling.unwrap();
    assert_eq!(accounts(&ruling), [member(0)]);
    assert!(matches!(ruling, Ruling::Convicted(it) if it.strike.is_none()));
}

#[test]
fn a_batch_that_nobody_but_its_coordinator_certified_is_struck_wherever_the_other_is_written() {
    let (mut world, evidence) = with_other_batch();
    let batch = world.facts.batch.as_mut().unwrap();
    batch.heads = vec![Digest([66; 32])];
    batch.certifiers = vec![member(0)];
    let ruling = ruled(&world, &evidence);
    assert_eq!(offence(&ruling), Some(Offence::OtherBatch), "{ruling:?}");
    let ruling = ruling.unwrap();
    assert_eq!(accounts(&ruling), [member(0)]);
    assert!(matches!(ruling, Ruling::Convicted(it) if it.strike == Some(SEQUENCE)));
}

#[test]
fn a_batch_that_the_coordinator_before_wrote_down_and_never_settled_is_held_against_nobody() {
    let world = usual();
    let mut other = world.batch.clone();
    other.spent += 1;
    let (world, evidence) = written_down(&world, other, 1);
    assert_eq!(ruled(&world, &evidence), Err(Refusal::NotSigned));
}

#[test]
fn what_is_no_batch_of_its_number_or_not_in_its_block_is_refused() {
    let (world, evidence) = with_other_batch();
    let Evidence::OtherBatch { batch, entry } = evidence else {
        unreachable!()
    };
    let refused = |world: &World, change: &dyn Fn(&mut Evidence)| {
        let entry = entry.clone();
        let mut evidence = Evidence::OtherBatch { batch, entry };
        change(&mut evidence);
        ruled(world, &evidence).unwrap_err()
    };
    let mut later = world.batch.clone();
    later.sequence += 1;
    let (_, of_later) = written_down(&usual(), later, 0);
    let later = refused(&world, &|it| *it = of_later.clone());
    assert_eq!(later, Refusal::Unrelated);
    let first = Box::new(world.logged(0));
    let no_batch = refused(&world, &|it| {
        let entry = first.clone();
        *it = Evidence::OtherBatch { batch, entry };
    });
    assert_eq!(no_batch, Refusal::Unrelated);
    let moved = refused(&world, &|it| {
        let Evidence::OtherBatch { entry, .. } = it else {
            unreachable!()
        };
        entry.place ^= 1;
    });
    assert_eq!(moved, Refusal::NotInLog);
    let mut gone = world.clone();
    gone.facts.batch = None;
    assert_eq!(refused(&gone, &|_| {}), Refusal::NotPending);
    let mut of_another = world.clone();
    of_another.facts.group.remove(0);
    assert_eq!(refused(&of_another, &|_| {}), Refusal::NobodyAnswers);
    let mut elsewhere = world.clone();
    elsewhere.facts.genesis = crate::world::ELSEWHERE;
    assert_eq!(refused(&elsewhere, &|_| {}), Refusal::NotSigned);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn who_says_that_an_honest_batch_is_not_its_log_s_loses_the_bond(
        agreement in agreements(), tasks in 1u32..12, seed: u64,
    ) {
        let world = honest(agreement, tasks, seed);
        let (certified, evidence) = written_down(&world, world.batch.clone(), 0);
        for world in [&world, &certified] {
            let ruling = ruled(world, &evidence);
            prop_assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
        }
        let batch = certified.facts.batch.as_ref().unwrap();
        let head = certified.blocks.last().unwrap().header.payload.hash(&HERE);
        prop_assert_eq!(batch.heads.last(), Some(&head));
    }
}
