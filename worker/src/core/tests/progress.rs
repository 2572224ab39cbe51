//! What masternodes hear of tasks in hand, and how often they hear anything.

use super::*;
use crate::limits::{HEARTBEAT_MS_MIN, PROGRESS_MS};

#[test]
fn a_task_at_another_stage_is_told_of_without_waiting_for_the_heartbeat() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    // That it is fetched first, the masternode knows.
    assert_eq!(core.next_wakeup(), Some(Tick(5_000)));
    prepared(&mut core, 100, &[2]);
    assert_eq!(core.next_wakeup(), Some(Tick(PROGRESS_MS)));
    let (number, exchange) = the_exchange(&core.step(Tick(PROGRESS_MS), Event::Woken));
    let stages = |exchange: &Exchange| -> Vec<(u32, Stage)> {
        let progress = exchange.progress.iter();
        progress.map(|it| (it.id.task, it.stage)).collect()
    };
    assert_eq!(
        stages(&exchange),
        [(1, Stage::Fetching), (2, Stage::Running)]
    );
    answer(&mut core, 501, HOME, connection, number, gives(&[]));

    // The one that was fetched first runs first, whichever was assigned first.
    prepared(&mut core, 502, &[1]);
    let (_, exchange) = the_exchange(&core.step(Tick(2 * PROGRESS_MS), Event::Woken));
    assert_eq!(stages(&exchange), [(2, Stage::Running), (1, Stage::Ready)]);
}

#[test]
fn a_task_that_takes_less_than_a_moment_costs_no_message_of_its_own() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1]);
    let (_, exchange) = the_exchange(&core.step(Tick(PROGRESS_MS - 1), ran(1)));
    assert_eq!(exchange.reports.len(), 1);
}

#[test]
fn every_heartbeat_tells_of_every_task_in_hand() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1, 2]);
    let mut now = 0;
    for _ in 0..5 {
        now = core.next_wakeup().unwrap().0.max(now);
        let (number, exchange) = the_exchange(&core.step(Tick(now), Event::Woken));
        assert_eq!(exchange.progress.len(), 2);
        answer(&mut core, now, HOME, connection, number, gives(&[]));
    }
    assert_eq!(now, PROGRESS_MS + 4 * 5_000);
}

#[test]
fn a_heartbeat_is_no_more_often_than_every_half_second_and_no_rarer_than_every_five() {
    for (wanted, given) in [
        (0, HEARTBEAT_MS_MIN),
        (499, 500),
        (750, 750),
        (5_001, 5_000),
        (u32::MAX, 5_000),
    ] {
        let mut core = worker();
        let connection = connect(&mut core, 0, HOME);
        let welcome = Some(Response::Welcome(Welcome {
            heartbeat_ms: wanted,
        }));
        let (number, _) = the_exchange(&answer(&mut core, 0, HOME, connection, 0, welcome));
        answer(&mut core, 0, HOME, connection, number, gives(&[1, 2]));
        // It has all that it wants, and nothing to say.
        assert_eq!(core.next_wakeup(), Some(Tick(given)), "{wanted}");
        let (_, exchange) = the_exchange(&core.step(Tick(given), Event::Woken));
        assert_eq!((exchange.want, exchange.progress.len()), (0, 2));
    }
}
