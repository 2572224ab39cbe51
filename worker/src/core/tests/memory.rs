//! How much memory one task may have, and what becomes of those that may need more.

use super::*;

const MIB: u64 = 1 << 20;

/// Tasks that may need so much memory.
fn gives_large(tasks: &[u32], mib: u64) -> Option<Response> {
    let large = |task: &u32| {
        let mut large = assignment(*task);
        large.limits.memory_bytes = mib * MIB;
        large
    };
    work(Work {
        assignments: tasks.iter().map(large).collect(),
        ..Work::default()
    })
}

fn allowed(mib: u64) -> Event {
    Event::Allowed {
        memory_bytes_max: mib * MIB,
    }
}

/// The tasks that the owner is told of, with what each may need and may have, in MiB.
fn told(effects: &[Effect]) -> Vec<(u32, u64, u64)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(Notice::TooLarge {
                id,
                memory_bytes,
                memory_bytes_max,
            }) => Some((id.task, memory_bytes / MIB, memory_bytes_max / MIB)),
            _ => None,
        })
        .collect()
}

fn gave_back(exchange: &Exchange) -> Vec<(u32, HandBackReason)> {
    let given = exchange.handed_back.iter();
    given.map(|given| (given.id.task, given.reason)).collect()
}

#[test]
fn the_owner_is_told_once_for_a_job_that_its_tasks_are_too_large() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    core.step(Tick(0), allowed(64));
    let effects = answer(&mut core, 1, HOME, connection, 2, gives_large(&[1, 2], 65));
    assert_eq!(told(&effects), [(1, 65, 64)]);
    let (number, exchange) = the_exchange(&effects);
    assert_eq!(
        gave_back(&exchange),
        [1, 2].map(|task| (task, HandBackReason::NoRoom))
    );
    assert_eq!(core.in_hand().count(), 0);
    // What fits exactly is taken.
    let fits = gives_large(&[3], 64);
    let effects = answer(&mut core, 2, HOME, connection, number, fits);
    assert_eq!(told(&effects), []);
    assert_eq!(core.in_hand().collect::<Vec<_>>(), [id(3)]);
}

#[test]
fn when_memory_is_taken_back_the_running_task_ends_and_a_waiting_one_is_given_back() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives_large(&[1, 2], 8));
    prepared(&mut core, 0, &[1, 2]);
    let effects = core.step(Tick(10), allowed(7));
    assert_eq!(told(&effects), [(2, 8, 7)]);
    assert!(effects.contains(&Effect::Abandon { id: id(2) }));
    let (number, exchange) = the_exchange(&effects);
    assert_eq!(gave_back(&exchange), [(2, HandBackReason::NoRoom)]);
    assert_eq!(core.in_hand().collect::<Vec<_>>(), [id(1)]);
    answer(&mut core, 11, HOME, connection, number, gives(&[]));
    let (_, exchange) = the_exchange(&core.step(Tick(20), ran(1)));
    assert_eq!(exchange.reports.len(), 1);
}

#[test]
fn what_the_owner_gives_again_is_used_again() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    core.step(Tick(0), allowed(7));
    let effects = core.step(Tick(1), allowed(8));
    assert_eq!(told(&effects), []);
    answer(&mut core, 2, HOME, connection, 2, gives_large(&[1], 8));
    assert_eq!(core.in_hand().collect::<Vec<_>>(), [id(1)]);
}

#[test]
fn masternodes_are_told_at_once_how_much_memory_a_task_may_have() {
    let mut core = worker_on(&[]);
    let (connection, exchange) = open(&mut core, 0);
    assert_eq!(exchange.state.unwrap().task_memory_mib, Some(1_024));
    answer(&mut core, 1, HOME, connection, 2, gives(&[]));
    let (_, exchange) = the_exchange(&core.step(Tick(10), allowed(100)));
    let state = exchange.state.unwrap();
    assert_eq!(state.task_memory_mib, Some(100));
    assert_eq!(state.free_ram_mib, Some(1_000), "the rest is told with it");
    assert_eq!(exchanges(&core.step(Tick(11), allowed(100))), []);
}
