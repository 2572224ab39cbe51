//! What must be there before a task is given, and which tasks are idle.

use super::*;
use quern_masternode::core::{ReportFacts, Token};
use quern_protocol::{Exchange, State};

/// A device tells how much memory a task may have on it.
fn allows(case: &mut Case, device: u8, mib: u64) {
    let state = State {
        task_memory_mib: Some(mib),
        ..State::default()
    };
    let told = Event::Exchange {
        device: key(device).id(),
        token: Token(1),
        exchange: Exchange {
            state: Some(state),
            ..Exchange::default()
        },
        facts: ReportFacts::default(),
    };
    case.audit.hear(Tick(1), &told);
}

#[test]
fn a_task_given_before_its_shard_is_on_disk_is_found() {
    let mut case = Case::new(1);
    case.audit.await_shards(case.work.id, 10);
    case.audit.store(&case.work.id, &[3, 5]);
    assert_eq!(case.give(3, 0, 0), Ok(()));
    let missing = Err(Violation::ShardMissing {
        job: 0,
        task: 4,
        device: 1,
    });
    assert_eq!(case.give(4, 0, 1), missing);
    case.audit.store(&case.work.id, &[4]);
    assert_eq!(case.give(4, 0, 1), Ok(()));
}

#[test]
fn a_task_for_a_device_that_has_told_of_too_little_memory_is_found() {
    let mut case = Case::new(1);
    let unasked = Err(Violation::Unasked {
        job: 0,
        task: 0,
        device: 0,
        asked: "more memory",
    });
    allows(&mut case, 0, 63);
    assert_eq!(case.give(0, 0, 0), unasked);
    allows(&mut case, 0, 64);
    assert_eq!(case.give(0, 0, 0), Ok(()));
    // A masternode that was started since does not know of it.
    allows(&mut case, 1, 63);
    case.audit.begin_anew(&case.disk);
    assert_eq!(case.give(1, 0, 1), Ok(()));
}

#[test]
fn tasks_are_idle_while_nobody_computes_anything_of_their_job() {
    let mut case = Case::new(1);
    let idle = |case: &Case| -> Vec<TaskIndex> { case.audit.idle_tasks(&case.work).collect() };
    assert_eq!(idle(&case), (0..10).collect::<Vec<_>>());
    assert_eq!(case.give(2, 0, 0), Ok(()));
    assert!(idle(&case).is_empty());
    assert_eq!(case.answer(2, 0, 0, Says::TheTruth), Ok(()));
    let others: Vec<_> = (0..10).filter(|task| *task != 2).collect();
    assert_eq!(idle(&case), others);
    assert_eq!(case.judge(2, Says::TheTruth, &[0]), Ok(()));
    assert_eq!(idle(&case), others);
}
