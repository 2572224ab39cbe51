//! A job that was taken over: who coordinated it before wrote a log of its own, from its first position on, and
//! its heads were certified.

use crate::{
    honest::ruled,
    lanes::in_another_lane,
    lies::{assert_batch_struck, usual, with_assignment, with_other_verdict, without_assignment},
    world::{HERE, World},
};
use quern_dispute_rules::{Evidence, Refusal, evidence::Certified, ruling::Offence};
use quern_joblog::Entry;
use quern_primitives::ids::{AccountId, DeviceId};

/// The entry that a piece of evidence shows.
fn shown(evidence: &mut Evidence) -> &mut Certified {
    match evidence {
        Evidence::Unassigned { entry, .. }
        | Evidence::OtherVerdict { entry, .. }
        | Evidence::Assignment { entry, .. }
        | Evidence::OtherLane { entry, .. } => entry,
        other => panic!("{other:?} shows no entry"),
    }
}

/// When a head was certified.
#[derive(Clone, Copy, Debug)]
enum When {
    /// With the batch.
    With,
    /// With one before it.
    Before,
}

/// An honest batch, and the evidence of a lie in the log of this member whose head was certified then.
fn after_a_log_by(
    writer: usize,
    when: When,
    (mut lying, mut evidence): (World, Evidence),
) -> (World, Evidence) {
    lying.write_log_by(writer);
    let entry = shown(&mut evidence);
    *entry = lying.certified(entry.logged.position().unwrap());
    let head = lying.blocks.last().unwrap().header.payload.hash(&HERE);
    let mut world = usual();
    let batch = world.facts.batch.as_mut().unwrap();
    match when {
        When::With => batch.heads.push(head),
        When::Before => batch.heads.insert(0, head),
    }
    (world, evidence)
}

#[test]
fn what_the_coordinator_before_wrote_is_held_against_nobody_who_came_after() {
    let other_assignment = |entry: &mut Entry| {
        if let Entry::Assigned { account, .. } = entry {
            *account = AccountId::new([7; 32]);
        }
    };
    let false_assignment = |entry: &mut Entry| {
        if let Entry::Assigned { device, .. } = entry {
            *device = DeviceId([66; 32]);
        }
    };
    let lies = || {
        [
            (without_assignment(other_assignment), Offence::Unassigned),
            (with_assignment(false_assignment), Offence::Assignment),
            (in_another_lane(), Offence::OtherLane),
        ]
    };
    for when in [When::With, When::Before] {
        for (lie, _) in lies() {
            let (world, evidence) = after_a_log_by(1, when, lie);
            assert_eq!(ruled(&world, &evidence), Err(Refusal::NotInLog));
        }
    }
    // What it wrote itself is.
    for (lie, offence) in lies() {
        let (world, evidence) = after_a_log_by(0, When::With, lie);
        assert_batch_struck(ruled(&world, &evidence), offence);
    }
    // An assignment is held only against the batches whose own head leads to it; that a replica was given to
    // nobody, against those after it as well.
    for (lie, offence) in lies() {
        let (world, evidence) = after_a_log_by(0, When::Before, lie);
        match offence {
            Offence::Unassigned => assert_batch_struck(ruled(&world, &evidence), offence),
            _ => assert_eq!(ruled(&world, &evidence), Err(Refusal::NotInLog)),
        }
    }
}

#[test]
fn a_verdict_that_the_coordinator_before_gave_and_never_settled_is_not_the_batch_s() {
    let told = |writer, when| {
        let (mut lying, evidence) = with_other_verdict();
        // Its log has the other verdict, and the batch the one that is right.
        let verdict = lying.verdicts[0].clone();
        for entry in &mut lying.entries {
            if let Entry::Judged { verdict: logged } = entry
                && logged.task == verdict.task
            {
                *logged = verdict.clone();
            }
        }
        let (world, evidence) = after_a_log_by(writer, when, (lying, evidence));
        let Evidence::OtherVerdict { batch, entry, .. } = evidence else {
            unreachable!()
        };
        let leaf = world.leaf(0);
        ruled(&world, &Evidence::OtherVerdict { batch, leaf, entry })
    };
    for when in [When::With, When::Before] {
        assert_eq!(told(1, when), Err(Refusal::NotInLog));
        assert_batch_struck(told(0, when), Offence::OtherVerdict);
    }
}
