//! What shows masternodes that shards are here, and when it is said.

use super::{
    committing::committed,
    world::{finished, held},
    *,
};
use crate::limits::PROGRESS_MS;

/// A worker that has two tasks, of which the first is prepared. With its connection.
fn holding() -> (Core, u64) {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 100, &[1]);
    (core, connection)
}

#[test]
fn a_shard_is_shown_from_when_it_is_here_and_with_each_exchange() {
    let (mut core, connection) = holding();
    let (number, exchange) = the_exchange(&core.step(Tick(PROGRESS_MS), Event::Woken));
    assert_eq!(exchange.holds, [held(1)], "the other is being fetched");
    answer(&mut core, 501, HOME, connection, number, gives(&[]));
    prepared(&mut core, 502, &[2]);
    let (_, exchange) = the_exchange(&core.step(Tick(2 * PROGRESS_MS), Event::Woken));
    assert_eq!(exchange.holds, [held(1), held(2)]);
}

#[test]
fn a_task_that_takes_less_than_a_moment_is_shown_with_its_report() {
    let (mut core, _) = holding();
    let (_, exchange) = the_exchange(&core.step(Tick(101), ran(1)));
    assert_eq!(exchange.reports, [finished(1).report()]);
    assert_eq!(exchange.holds, [held(1)]);
}

#[test]
fn what_was_shown_before_goes_with_commitment_and_report_again() {
    let (mut core, connection) = holding();
    let (number, _) = the_exchange(&core.step(Tick(PROGRESS_MS), Event::Woken));
    answer(&mut core, 501, HOME, connection, number, gives(&[]));
    let finished = committed(1);
    let (number, exchange) = the_exchange(&core.step(Tick(600), Event::Ran { finished }));
    assert_eq!(exchange.commitments.len(), 1);
    assert_eq!(exchange.holds, [held(1)]);
    let reveals = Work {
        reveals: vec![id(1)],
        ..Work::default()
    };
    let effects = answer(&mut core, 601, HOME, connection, number, work(reveals));
    let (_, exchange) = the_exchange(&effects);
    assert_eq!(exchange.reports.len(), 1);
    assert_eq!(exchange.holds, [held(1)]);
}

#[test]
fn what_is_committed_and_reported_in_one_breath_is_shown_once() {
    let (mut core, connection) = holding();
    core.step(Tick(101), Event::Stop);
    let finished = committed(1);
    let effects = core.step(Tick(102), Event::Ran { finished });
    let (_, exchange) = the_exchange(&effects);
    assert_eq!((exchange.commitments.len(), exchange.reports.len()), (1, 1));
    assert_eq!(exchange.holds, [held(1)]);
    let _ = connection;
}

#[test]
fn after_a_reconnection_and_a_restart_it_is_shown_again() {
    let (mut core, connection) = holding();
    core.step(
        Tick(200),
        Event::Disconnected {
            masternode: HOME,
            connection,
        },
    );
    let connection = connect(&mut core, 2_000, HOME);
    let welcome = Some(Response::Welcome(Welcome {
        heartbeat_ms: 5_000,
    }));
    answer(&mut core, 2_000, HOME, connection, 0, welcome);
    // It wants nothing, so it speaks when it has something to tell.
    let effects = core.step(Tick(2_000 + PROGRESS_MS), Event::Woken);
    assert_eq!(the_exchange(&effects).1.holds, [held(1)]);

    let restored = Restored {
        masternode: HOME,
        finished: finished(7),
    };
    let mut core = Core::new(settings(), vec![restored]);
    listed(&mut core, &[HOME]);
    let (_, exchange) = open(&mut core, 0);
    assert_eq!(exchange.reports.len(), 1);
    assert_eq!(exchange.holds, [held(7)]);
}

#[test]
fn nothing_is_shown_to_another_masternode() {
    let mut core = Core::new(settings(), vec![]);
    listed(&mut core, &[HOME, AWAY]);
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1]));
    prepared(&mut core, 1, &[1]);
    assert_eq!(task::held(&core.tasks, &HOME).count(), 1);
    assert_eq!(task::held(&core.tasks, &AWAY).count(), 0);
}
