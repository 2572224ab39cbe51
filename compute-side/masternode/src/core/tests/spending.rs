//! What a batch spends at most.

use super::world::{World, settings};
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
