#![allow(clippy::unwrap_used, clippy::panic)]

mod benchmarks;
mod committing;
mod giving_back;
mod holding;
mod memory;
mod offering;
mod progress;
mod stopping;
mod world;

use super::*;
use crate::{
    availability::Withheld,
    limits::{PATIENCE_MS, POLL_MS, REPEAT_MS},
};
use proptest::prelude::*;
use quern_protocol::{
    Discard, DiscardReason, Exchange, HandBack, HandBackReason, Stage, Work,
    limits::{COMMITMENTS_MAX, TASKS_IN_HAND_MAX},
};
use world::{World, assignment, finished, held, id, masternode, measured, settings};

const HOME: DeviceId = masternode(1);
const AWAY: DeviceId = masternode(2);

/// A worker that has just been let in by a masternode, and the exchange it began with.
fn open(core: &mut Core, now: u64) -> (u64, Exchange) {
    let connection = connect(core, now, HOME);
    let welcome = Some(Response::Welcome(Welcome {
        heartbeat_ms: 5_000,
    }));
    let effects = answer(core, now, HOME, connection, 0, welcome);
    (connection, the_exchange(&effects).1)
}

fn connect(core: &mut Core, now: u64, masternode: DeviceId) -> u64 {
    let effects = core.step(Tick(now), Event::Woken);
    let connection = effects
        .iter()
        .find_map(|effect| match effect {
            Effect::Connect {
                masternode: to,
                connection,
            } if *to == masternode => Some(*connection),
            _ => None,
        })
        .expect("the worker connects");
    let effects = core.step(
        Tick(now),
        Event::Connected {
            masternode,
            connection,
        },
    );
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Ask {
            number: 0,
            request: Request::Hello(_),
            ..
        }
    )));
    connection
}

fn answer(
    core: &mut Core,
    now: u64,
    masternode: DeviceId,
    connection: u64,
    number: u64,
    answer: Option<Response>,
) -> Vec<Effect> {
    core.step(
        Tick(now),
        Event::Answered {
            masternode,
            connection,
            number,
            answer,
        },
    )
}

fn work(work: Work) -> Option<Response> {
    Some(Response::Work(work))
}

fn gives(tasks: &[u32]) -> Option<Response> {
    let assignments = tasks.iter().map(|task| assignment(*task)).collect();
    work(Work {
        assignments,
        ..Work::default()
    })
}

fn exchanges(effects: &[Effect]) -> Vec<(u64, Exchange)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ask {
                number,
                request: Request::Exchange(exchange),
                ..
            } => Some((*number, exchange.clone())),
            _ => None,
        })
        .collect()
}

fn the_exchange(effects: &[Effect]) -> (u64, Exchange) {
    match &exchanges(effects)[..] {
        [one] => one.clone(),
        other => panic!("expected one exchange, not {other:?} in {effects:?}"),
    }
}

fn listed(core: &mut Core, masternodes: &[DeviceId]) {
    core.on_masternodes(Tick(0), masternodes);
}

fn worker() -> Core {
    let mut core = Core::new(settings(), vec![]);
    listed(&mut core, &[HOME]);
    core
}

/// A worker on a machine that was looked at first, and is held back for these reasons.
fn worker_on(reasons: &[Withheld]) -> Core {
    let mut core = Core::new(settings(), vec![]);
    core.step(Tick(0), measured(reasons));
    listed(&mut core, &[HOME]);
    core
}

fn ran(task: u32) -> Event {
    Event::Ran {
        finished: finished(task),
    }
}

fn prepared(core: &mut Core, now: u64, tasks: &[u32]) {
    for task in tasks {
        let effects = core.step(Tick(now), Event::Prepared { held: held(*task) });
        assert!(effects.contains(&Effect::Run { id: id(*task) }));
    }
}

#[test]
fn a_worker_that_was_let_in_asks_for_two_tasks() {
    let mut core = worker();
    let (_, exchange) = open(&mut core, 0);
    assert_eq!(
        exchange,
        Exchange {
            want: 2,
            ..Exchange::default()
        }
    );
}

#[test]
fn the_exchange_that_reports_asks_for_the_next_task() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    let effects = answer(&mut core, 0, HOME, connection, 2, gives(&[1]));
    // One place is left, and asked for at once.
    let (number, exchange) = the_exchange(&effects);
    assert_eq!(exchange.want, 1);
    answer(&mut core, 5, HOME, connection, number, gives(&[]));
    prepared(&mut core, 6, &[1]);
    let (_, exchange) = the_exchange(&core.step(Tick(9), ran(1)));
    assert_eq!((exchange.reports.len(), exchange.want), (1, 2));
}

#[test]
fn reports_of_two_short_tasks_share_an_exchange() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1, 2]);
    assert_eq!(exchanges(&core.step(Tick(0), ran(1))), []);
    let (_, exchange) = the_exchange(&core.step(Tick(0), ran(2)));
    assert_eq!((exchange.reports.len(), exchange.want), (2, 2));
}

#[test]
fn a_report_does_not_wait_long_for_the_other_task() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1, 2]);
    core.step(Tick(10), ran(1));
    assert_eq!(core.next_wakeup(), Some(Tick(11)));
    let (_, exchange) = the_exchange(&core.step(Tick(11), Event::Woken));
    assert_eq!((exchange.reports.len(), exchange.want), (1, 1));
    let stage = exchange.progress[0].stage;
    assert_eq!(stage, Stage::Running);
}

#[test]
fn a_report_is_repeated_after_a_reconnection_until_it_is_acknowledged() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1]));
    prepared(&mut core, 0, &[1]);
    let (number, first) = the_exchange(&core.step(Tick(1), ran(1)));
    answer(&mut core, 2, HOME, connection, number, gives(&[]));

    core.step(
        Tick(3),
        Event::Disconnected {
            masternode: HOME,
            connection,
        },
    );
    let (connection, again) = open(&mut core, 1_000);
    assert_eq!(again.reports, first.reports);
    assert_eq!(core.acknowledged(), 0);

    let acknowledged = work(Work {
        acknowledged: world::words(&finished(1).receipt),
        ..Work::default()
    });
    let newest = core.next_number;
    let effects = answer(&mut core, 1_001, HOME, connection, newest, acknowledged);
    // Whoever is killed in between has the report or the word.
    assert!(matches!(effects[0], Effect::Keep { .. }));
    assert_eq!(effects[1], Effect::Forget { id: id(1) });
    assert_eq!(core.acknowledged(), 1);
    assert_eq!(core.unacknowledged().count(), 0);
}

#[test]
fn a_hello_names_what_is_still_held() {
    let restored = Restored {
        masternode: HOME,
        finished: finished(7),
    };
    let mut core = Core::new(settings(), vec![restored]);
    listed(&mut core, &[HOME]);
    let effects = core.step(Tick(0), Event::Woken);
    assert_eq!(
        effects,
        [Effect::Connect {
            masternode: HOME,
            connection: 1
        }]
    );
    let connected = Event::Connected {
        masternode: HOME,
        connection: 1,
    };
    let effects = core.step(Tick(0), connected);
    let Effect::Ask {
        request: Request::Hello(hello),
        ..
    } = &effects[0]
    else {
        panic!("no hello in {effects:?}")
    };
    assert_eq!(hello.in_hand, [id(7)]);
}

#[test]
fn a_report_without_acknowledgement_is_repeated_on_a_standing_connection_too() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1]));
    prepared(&mut core, 0, &[1]);
    let mut now = 1;
    let mut sent = core.step(Tick(now), ran(1));
    let mut times = 0;
    while now < 2 * REPEAT_MS {
        for (number, exchange) in exchanges(&sent) {
            times += exchange.reports.len();
            let empty = work(Work {
                ask_again_ms: 4_000,
                ..Work::default()
            });
            answer(&mut core, now, HOME, connection, number, empty);
        }
        now = core.next_wakeup().unwrap().0;
        sent = core.step(Tick(now), Event::Woken);
    }
    assert_eq!(times, 2);
}

#[test]
fn a_discarded_task_is_abandoned_and_a_discarded_report_forgotten() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1, 2]);
    core.step(Tick(0), ran(1));
    let discard = [1, 2].map(|task| Discard {
        id: id(task),
        reason: DiscardReason::JobOver,
    });
    let all = work(Work {
        discard: discard.to_vec(),
        ..Work::default()
    });
    let effects = answer(&mut core, 5, HOME, connection, 99, all);
    assert!(effects.contains(&Effect::Forget { id: id(1) }));
    assert!(effects.contains(&Effect::Abandon { id: id(2) }));
    assert_eq!(core.in_hand().count() + core.unacknowledged().count(), 0);
    // The run may end before it hears of it; its result is dropped.
    let effects = core.step(Tick(6), ran(2));
    assert!(effects.contains(&Effect::Forget { id: id(2) }));
    assert_eq!(core.unacknowledged().count(), 0);
}

#[test]
fn one_masternode_cannot_acknowledge_or_discard_what_is_anothers() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1]);
    core.step(Tick(0), ran(1));
    listed(&mut core, &[HOME, AWAY]);
    let connection = connect(&mut core, 1, AWAY);
    let welcome = Some(Response::Welcome(Welcome {
        heartbeat_ms: 5_000,
    }));
    answer(&mut core, 1, AWAY, connection, 0, welcome);
    let discard = vec![Discard {
        id: id(2),
        reason: DiscardReason::JobOver,
    }];
    let lie = work(Work {
        acknowledged: world::words(&finished(1).receipt),
        discard,
        ..Work::default()
    });
    answer(&mut core, 2, AWAY, connection, 99, lie);
    assert_eq!(core.unacknowledged().count(), 1);
    assert_eq!(core.in_hand().collect::<Vec<_>>(), [id(2)]);
}

#[test]
fn a_large_result_is_delivered_before_its_report_and_stays_in_hand_until_then() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1]));
    prepared(&mut core, 0, &[1]);
    let mut large = finished(1);
    large.sealed = Sealed::Kept { bytes: 1 << 20 };
    let effects = core.step(Tick(1), Event::Ran { finished: large });
    assert!(effects.contains(&Effect::Deliver { id: id(1) }));
    assert!(
        exchanges(&effects)
            .iter()
            .all(|(_, exchange)| exchange.reports.is_empty())
    );
    assert_eq!(core.in_hand().count(), 1);
    let effects = core.step(Tick(50), Event::Delivered { id: id(1) });
    let sent: Vec<_> = exchanges(&effects);
    assert_eq!(
        sent.iter()
            .map(|(_, exchange)| exchange.reports.len())
            .sum::<usize>(),
        1
    );
    assert_eq!(core.in_hand().count(), 0);

    // After a reconnection the masternode may have lost it: it is asked again how much it has.
    core.step(
        Tick(60),
        Event::Disconnected {
            masternode: HOME,
            connection,
        },
    );
    let connection = connect(&mut core, 2_000, HOME);
    let welcome = Some(Response::Welcome(Welcome {
        heartbeat_ms: 5_000,
    }));
    let effects = answer(&mut core, 2_000, HOME, connection, 0, welcome);
    assert!(effects.contains(&Effect::Deliver { id: id(1) }));
    assert!(
        exchanges(&effects)
            .iter()
            .all(|(_, exchange)| exchange.reports.is_empty())
    );
}

#[test]
fn a_worker_with_nothing_to_say_gives_a_sign_of_life() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    assert_eq!(core.next_wakeup(), Some(Tick(5_000)));
    let (_, exchange) = the_exchange(&core.step(Tick(5_000), Event::Woken));
    assert_eq!((exchange.want, exchange.progress.len()), (0, 2));
}

#[test]
fn refusals_are_told_and_tried_again_with_growing_pauses() {
    let mut core = worker();
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let connection = connect(&mut core, now, HOME);
        let refused = Some(Response::Refused(Refusal::NotBonded));
        let effects = answer(&mut core, now, HOME, connection, 0, refused);
        assert!(effects.contains(&Effect::Close { masternode: HOME }));
        let told = effects.iter().find_map(|effect| match effect {
            Effect::Tell(Notice::Refused {
                refusal: Refusal::NotBonded,
                pause_ms,
                ..
            }) => Some(*pause_ms),
            _ => None,
        });
        assert_eq!(core.next_wakeup(), told.map(|pause| Tick(now + pause)));
        pauses.push(told.unwrap());
        now += told.unwrap();
    }
    assert!(pauses[7] > 20 * pauses[0], "{pauses:?}");
}

#[test]
fn a_masternode_that_stops_answering_is_left_and_found_again_with_all_that_is_in_hand() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    let (number, _) = the_exchange(&core.step(Tick(5_000), Event::Woken));
    let effects = answer(&mut core, 25_000, HOME, connection, number, None);
    assert!(effects.contains(&Effect::Close { masternode: HOME }));
    assert_eq!(core.in_hand().count(), 2);
    let again = core.next_wakeup().unwrap();
    assert!(again <= Tick(27_000), "{again:?}");
    let newer = connect(&mut core, again.0, HOME);
    assert_ne!(newer, connection);
    assert_eq!(core.in_hand().count(), 2);
}

#[test]
fn news_of_an_older_connection_are_no_news() {
    let mut core = worker();
    let (older, _) = open(&mut core, 0);
    core.step(
        Tick(1),
        Event::Disconnected {
            masternode: HOME,
            connection: older,
        },
    );
    let (newer, _) = open(&mut core, 1_000);
    assert_ne!(older, newer);
    let late = Event::Disconnected {
        masternode: HOME,
        connection: older,
    };
    assert_eq!(core.step(Tick(1_001), late), []);
    assert_eq!(answer(&mut core, 1_002, HOME, older, 2, gives(&[1])), []);
    assert_eq!(core.in_hand().count(), 0);
}

#[test]
fn the_wish_goes_to_the_next_masternode_when_one_has_no_work() {
    let mut core = worker();
    listed(&mut core, &[HOME, AWAY]);
    let mut connections = BTreeMap::new();
    let effects = core.step(Tick(0), Event::Woken);
    for effect in effects {
        let Effect::Connect {
            masternode,
            connection,
        } = effect
        else {
            continue;
        };
        connections.insert(masternode, connection);
    }
    let mut effects = Vec::new();
    for (masternode, connection) in connections.clone() {
        core.step(
            Tick(0),
            Event::Connected {
                masternode,
                connection,
            },
        );
        let welcome = Some(Response::Welcome(Welcome {
            heartbeat_ms: 5_000,
        }));
        effects.extend(answer(&mut core, 0, masternode, connection, 0, welcome));
    }
    let wants = |effects: &[Effect]| -> Vec<(DeviceId, u64, u8)> {
        effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Ask {
                    masternode,
                    number,
                    request: Request::Exchange(exchange),
                    ..
                } => Some((*masternode, *number, exchange.want)),
                _ => None,
            })
            .collect()
    };
    let told: Vec<_> = wants(&effects)
        .iter()
        .map(|(to, _, want)| (*to, *want))
        .collect();
    assert_eq!(told, [(HOME, 2)]);
    // The first keeps silent: after a while it is told that nothing is wanted of it any more.
    assert_eq!(core.next_wakeup(), Some(Tick(PATIENCE_MS)));
    let passed = wants(&core.step(Tick(PATIENCE_MS), Event::Woken));
    let mut told: Vec<_> = passed.iter().map(|(to, _, want)| (*to, *want)).collect();
    told.sort_unstable();
    assert_eq!(told, [(HOME, 0), (AWAY, 2)]);
    // The second says that it has no work; then the first is asked again.
    let (_, number, _) = passed.iter().find(|(to, ..)| *to == AWAY).unwrap();
    let none = work(Work {
        ask_again_ms: 4_000,
        ..Work::default()
    });
    let back = wants(&answer(
        &mut core,
        PATIENCE_MS + 5,
        AWAY,
        connections[&AWAY],
        *number,
        none,
    ));
    assert!(
        core.wish.holder == Some(HOME) || !back.is_empty(),
        "{back:?}"
    );
}

#[test]
fn an_exchange_that_a_newer_one_replaced_says_nothing_about_work() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    let effects = answer(&mut core, 0, HOME, connection, 2, gives(&[1]));
    let (older, _) = the_exchange(&effects);
    prepared(&mut core, 0, &[1]);
    // The older one is still held when the report comes.
    let (newer, exchange) = the_exchange(&core.step(Tick(50), ran(1)));
    assert_eq!((exchange.reports.len(), exchange.want), (1, 2));
    let nothing = || {
        work(Work {
            ask_again_ms: 5_000,
            ..Work::default()
        })
    };
    answer(&mut core, 51, HOME, connection, older, nothing());
    let given = work(Work {
        assignments: vec![assignment(2)],
        ..Work::default()
    });
    let effects = answer(&mut core, 52, HOME, connection, newer, given);
    assert_eq!(
        the_exchange(&effects).1.want,
        1,
        "the other place is asked for at once"
    );
}

#[test]
fn reports_to_a_masternode_that_is_none_any_more_are_forgotten() {
    let restored = Restored {
        masternode: AWAY,
        finished: finished(7),
    };
    let mut core = Core::new(settings(), vec![restored]);
    let effects = core.step(Tick(0), Event::Masternodes(vec![HOME]));
    assert!(effects.contains(&Effect::Forget { id: id(7) }));
    assert_eq!(core.unacknowledged().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Connections break, answers are held, tasks fail and are discarded, the machine's owner comes
    /// and goes, at any moment.
    #[test]
    fn whatever_happens_no_rule_is_broken(seed: u64, masternodes in 1u8..4, steps in 50usize..600) {
        let mut world = World::new(seed, masternodes);
        for _ in 0..steps {
            world.step();
            prop_assert!(world.core.in_hand().count() <= TASKS_IN_HAND_MAX);
        }
        // When trouble ends, everything that was done and not discarded is acknowledged.
        world.settle();
        prop_assert_eq!(world.core.unacknowledged().count(), 0);
        prop_assert_eq!(world.lost(), vec![]);
        // And a stop gives back all the rest.
        world.stop();
        prop_assert_eq!(world.core.in_hand().count(), 0);
        prop_assert_eq!(world.still_assigned(), vec![]);
    }
}
