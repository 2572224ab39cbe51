//! What a batch spends at most, and what becomes of one that the masternode's bond does not cover.

use super::{
    ledger::Purse,
    world::{World, settings},
};
use quern_job_rules::tasks;
use quern_primitives::{amount::Amount, job::Agreement};

/// How many tasks each batch has, and what it spends, of a job of four if a batch may spend so much.
fn batches_that_spend(most: Amount) -> Vec<(u32, Amount)> {
    let mut settings = settings();
    settings.settle.spent_max = most;
    let mut world = World::with(settings, 4, Agreement::Single, &[1]);
    for _ in 0..2 {
        world.ask(0, 2);
        world.report(0);
    }
    world.next_block();
    let batches = world.ledger.batches.iter();
    let told = batches.map(|batch| (tasks::count(&batch.tasks.bits), batch.spent));
    told.collect()
}

#[test]
fn a_batch_of_several_tasks_spends_no_more_than_it_may_and_a_task_alone_is_one_whatever_it_costs() {
    let whole = batches_that_spend(Amount::MAX);
    assert_eq!(whole.len(), 1, "{whole:?}");
    let (_, spent) = whole[0];
    assert_eq!(batches_that_spend(spent), whole, "all of it may be spent");
    let most = spent / 2;
    let parts = batches_that_spend(most);
    assert!(parts.len() > 1, "{parts:?}");
    assert!(
        parts
            .iter()
            .all(|(tasks, spent)| *tasks == 1 || *spent <= most),
        "{parts:?} of {most}"
    );
    assert_eq!(parts.iter().map(|(_, spent)| spent).sum::<Amount>(), spent);
    let single = batches_that_spend(0).into_iter().map(|(tasks, _)| tasks);
    assert_eq!(single.collect::<Vec<_>>(), [1; 4]);
}

/// A job of four tasks, each a batch of its own, all computed, none of them final. The masternode has bonded so many
/// times what one spends at most, and looks before it sends a batch.
fn with_bond_for(batches: Amount) -> World {
    let each = batches_that_spend(0).into_iter();
    let spent = each.map(|(_, spent)| spent).max().unwrap();
    let mut settings = settings();
    settings.settle.spent_max = 0;
    let mut world = World::with(settings, 4, Agreement::Single, &[1]);
    world.ledger.waits = true;
    world.ledger.bonded = batches * spent;
    world.purse = Some(Purse::default());
    for _ in 0..2 {
        world.ask(0, 2);
        world.report(0);
    }
    world.next_block();
    world
}

/// Each time that the operator was told: whether the job came to a halt, or went on.
fn halts(world: &World) -> &[bool] {
    world.purse.as_ref().map_or(&[], |purse| &purse.halts)
}

#[test]
fn a_batch_waits_that_the_bond_does_not_cover_and_goes_on_when_earlier_ones_are_final() {
    let mut world = with_bond_for(2);
    world.wait(10_000);
    world.next_block();
    world.wait(10_000);
    assert_eq!(world.ledger.batches.len(), 2, "the bond is for two");
    assert_eq!(halts(&world), [true], "the operator is told once");
    for settled in [3, 4] {
        assert!(world.ledger.finalise_oldest());
        world.next_block();
        world.wait(30_000);
        assert_eq!(world.ledger.batches.len(), settled);
        world.next_block();
        world.wait(10_000);
        assert_eq!(world.ledger.batches.len(), settled, "one for one");
    }
    assert_eq!(world.ledger.above_bond, 0, "nothing is sent in vain");
    assert_eq!(halts(&world), [true, false, true, false]);
    let sequences = world.ledger.batches.iter().map(|batch| batch.sequence);
    assert_eq!(sequences.collect::<Vec<_>>(), [0, 1, 2, 3]);
    world.ledger.finalise();
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    assert_eq!(world.ledger.exposure.open, 0);
    world.check_money();
}

#[test]
fn a_batch_that_waits_goes_on_when_more_is_bonded() {
    let mut world = with_bond_for(1);
    world.wait(10_000);
    assert_eq!(world.ledger.batches.len(), 1);
    world.ledger.bonded *= 4;
    world.wait(30_000);
    world.next_block();
    assert_eq!(world.ledger.batches.len(), 4);
    assert_eq!(
        (world.ledger.above_bond, halts(&world)),
        (0, [true, false].as_slice())
    );
}

#[test]
fn a_masternode_that_does_not_look_is_refused_by_the_chain_and_its_job_waits_as_well() {
    let mut world = with_bond_for(2);
    world.purse = None;
    world.wait(30_000);
    world.next_block();
    assert_eq!(world.ledger.batches.len(), 2);
    assert!(world.ledger.above_bond > 0, "the chain holds to it");
    world.ledger.finalise();
    world.next_block();
    world.wait(30_000);
    assert_eq!(world.ledger.batches.len(), 4);
}

#[test]
fn nothing_more_is_settled_behind_a_slash_until_the_bond_covers_all_that_is_open() {
    let mut world = with_bond_for(2);
    let spent = world.ledger.batches[0].spent;
    world.ledger.exposure = quern_job_rules::exposure::slashed(&world.ledger.exposure, spent);
    world.ledger.bonded -= spent;
    world.ledger.finalise_oldest();
    world.next_block();
    world.wait(10_000);
    assert_eq!(world.ledger.batches.len(), 2, "one is open, and bonded for");
    world.ledger.finalise_oldest();
    world.next_block();
    world.wait(30_000);
    assert_eq!(world.ledger.batches.len(), 3);
    assert_eq!(world.ledger.above_bond, 0);
}
