//! How a worker leaves: finishes, gives back, waits to be heard.

use super::*;
use crate::limits::FAREWELL_MS;

#[test]
fn a_stopping_worker_finishes_what_runs_gives_back_the_rest_and_waits_to_be_heard() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1]);
    let effects = core.step(Tick(10), Event::Stop);
    assert!(effects.contains(&Effect::Abandon { id: id(2) }));
    let (number, exchange) = the_exchange(&effects);
    let hand_back = HandBack {
        id: id(2),
        reason: HandBackReason::Stopping,
    };
    assert_eq!((exchange.want, exchange.handed_back), (0, vec![hand_back]));
    answer(&mut core, 11, HOME, connection, number, gives(&[]));

    let (number, exchange) = the_exchange(&core.step(Tick(20), ran(1)));
    assert_eq!((exchange.want, exchange.reports.len()), (0, 1));
    answer(&mut core, 21, HOME, connection, number, gives(&[]));
    // Not acknowledged yet: it asks again soon.
    assert_eq!(core.next_wakeup(), Some(Tick(20 + POLL_MS)));
    let (number, _) = the_exchange(&core.step(Tick(20 + POLL_MS), Event::Woken));
    let acknowledged = work(Work {
        acknowledged: world::words(&finished(1).receipt),
        ..Work::default()
    });
    let effects = answer(&mut core, 130, HOME, connection, number, acknowledged);
    assert_eq!(effects.last(), Some(&Effect::Leave));
}

#[test]
fn a_stopping_worker_does_not_wait_for_ever() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1, 2]);
    core.step(Tick(0), Event::Stop);
    core.step(
        Tick(1),
        Event::Disconnected {
            masternode: HOME,
            connection,
        },
    );
    let grace = settings().stop_grace_ms;
    let effects = core.step(Tick(grace), Event::Woken);
    assert!(effects.contains(&Effect::Abandon { id: id(1) }));
    assert_eq!(
        effects.last(),
        Some(&Effect::Leave),
        "nothing is owed to anybody"
    );
}

#[test]
fn what_is_not_acknowledged_in_time_is_left_to_be_kept() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1]));
    prepared(&mut core, 0, &[1]);
    core.step(Tick(1), ran(1));
    core.step(Tick(2), Event::Stop);
    core.step(
        Tick(3),
        Event::Disconnected {
            masternode: HOME,
            connection,
        },
    );
    let mut now = 3;
    loop {
        now = core.next_wakeup().unwrap().0.max(now);
        let effects = core.step(Tick(now), Event::Woken);
        if effects.last() == Some(&Effect::Leave) {
            break;
        }
        for effect in effects {
            if let Effect::Connect {
                masternode,
                connection,
            } = effect
            {
                core.step(
                    Tick(now),
                    Event::Disconnected {
                        masternode,
                        connection,
                    },
                );
            }
        }
    }
    assert_eq!(now, 2 + FAREWELL_MS);
    assert_eq!(core.unacknowledged().count(), 1);
}

#[test]
fn once_means_one_task_and_an_end_when_it_is_acknowledged() {
    let mut core = Core::new(
        CoreSettings {
            once: true,
            ..settings()
        },
        vec![],
    );
    listed(&mut core, &[HOME]);
    let (connection, exchange) = open(&mut core, 0);
    assert_eq!(exchange.want, 1);
    let effects = answer(&mut core, 0, HOME, connection, 2, gives(&[1]));
    assert_eq!(exchanges(&effects), []);
    prepared(&mut core, 0, &[1]);
    let (number, exchange) = the_exchange(&core.step(Tick(1), ran(1)));
    assert_eq!(exchange.want, 0);
    let acknowledged = work(Work {
        acknowledged: world::words(&finished(1).receipt),
        ..Work::default()
    });
    let effects = answer(&mut core, 2, HOME, connection, number, acknowledged);
    assert_eq!(effects.last(), Some(&Effect::Leave));
}
