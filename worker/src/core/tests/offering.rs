//! What the machine's owner decides: what is asked for, given back and told.

use super::{
    world::{in_use, outside_hours},
    *,
};
use quern_protocol::Unavailable;

/// A worker with one task that runs, one that waits behind it, and no exchange in flight.
fn busy() -> (Core, u64) {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1, 2]);
    (core, connection)
}

fn gave_back(exchange: &Exchange) -> Vec<(u32, HandBackReason)> {
    let given = exchange.handed_back.iter();
    given.map(|given| (given.id.task, given.reason)).collect()
}

fn notices(effects: &[Effect]) -> Vec<&Notice> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(notice) => Some(notice),
            _ => None,
        })
        .collect()
}

#[test]
fn a_machine_outside_its_hours_asks_for_nothing_and_says_why() {
    let mut core = worker_on(&[outside_hours()]);
    let (connection, exchange) = open(&mut core, 0);
    assert_eq!(exchange.want, 0);
    let state = exchange.state.unwrap();
    assert_eq!(state.unavailable, [Unavailable::OutsideHours]);
    answer(&mut core, 1, HOME, connection, 2, gives(&[]));
    // Nothing but signs of life, and that it takes no benchmark, until the hours begin.
    assert_eq!(core.next_wakeup(), Some(Tick(5_000)));
    let (number, exchange) = the_exchange(&core.step(Tick(5_000), Event::Woken));
    let sign_of_life = Exchange {
        is_busy: true,
        ..Exchange::default()
    };
    assert_eq!(exchange, sign_of_life);
    answer(&mut core, 5_001, HOME, connection, number, gives(&[]));

    let effects = core.step(Tick(6_000), measured(&[]));
    assert_eq!(notices(&effects), [&Notice::Available]);
    let (_, exchange) = the_exchange(&effects);
    assert_eq!(exchange.want, 2);
    assert_eq!(exchange.state.unwrap().unavailable, []);
}

#[test]
fn a_wish_that_is_out_is_taken_back_when_the_machine_is_withheld() {
    let mut core = worker();
    let (connection, wish) = open(&mut core, 0);
    assert_eq!(wish.want, 2);
    let (number, exchange) = the_exchange(&core.step(Tick(10), measured(&[outside_hours()])));
    assert_eq!(exchange.want, 0);
    // A task that was on its way is not begun.
    let effects = answer(&mut core, 11, HOME, connection, 2, gives(&[1]));
    let not_begun = |effect: &Effect| !matches!(effect, Effect::Prepare { .. });
    assert!(effects.iter().all(not_begun));
    let given = gave_back(&the_exchange(&effects).1);
    assert_eq!(given, [(1, HandBackReason::Stopping)]);
    answer(&mut core, 12, HOME, connection, number, gives(&[]));
    assert_eq!(core.in_hand().count(), 0);
}

#[test]
fn outside_the_hours_the_running_task_ends_and_the_waiting_one_is_given_back() {
    let (mut core, connection) = busy();
    let effects = core.step(Tick(10), measured(&[outside_hours()]));
    assert!(effects.contains(&Effect::Abandon { id: id(2) }));
    assert!(!effects.contains(&Effect::Abandon { id: id(1) }));
    let (number, exchange) = the_exchange(&effects);
    assert_eq!(gave_back(&exchange), [(2, HandBackReason::Stopping)]);
    answer(&mut core, 11, HOME, connection, number, gives(&[]));

    let (_, exchange) = the_exchange(&core.step(Tick(20), ran(1)));
    assert_eq!((exchange.reports.len(), exchange.want), (1, 0));
}

#[test]
fn a_person_who_is_back_gets_the_whole_machine_at_once() {
    let (mut core, _) = busy();
    let effects = core.step(Tick(10), measured(&[outside_hours(), in_use(0)]));
    for task in [1, 2] {
        assert!(effects.contains(&Effect::Abandon { id: id(task) }));
    }
    let (_, exchange) = the_exchange(&effects);
    assert_eq!(
        gave_back(&exchange),
        [2, 1].map(|task| (task, HandBackReason::Stopping))
    );
    assert_eq!(core.in_hand().count(), 0);
}

#[test]
fn a_task_that_was_left_to_end_is_given_back_when_a_person_comes() {
    let (mut core, connection) = busy();
    let (number, _) = the_exchange(&core.step(Tick(10), measured(&[outside_hours()])));
    answer(&mut core, 11, HOME, connection, number, gives(&[]));
    let effects = core.step(Tick(20), measured(&[outside_hours(), in_use(0)]));
    let given = gave_back(&the_exchange(&effects).1);
    assert_eq!(given, [(1, HandBackReason::Stopping)]);
    // Its run may end before it hears of it.
    let effects = core.step(Tick(21), ran(1));
    assert!(effects.contains(&Effect::Forget { id: id(1) }));
}

#[test]
fn what_has_run_is_reported_and_delivered_whatever_holds_the_machine_back() {
    let (mut core, connection) = busy();
    let mut large = finished(1);
    large.sealed = Sealed::Kept { bytes: 1 << 20 };
    core.step(Tick(5), Event::Ran { finished: large });
    let (number, _) = the_exchange(&core.step(Tick(10), measured(&[in_use(0)])));
    assert_eq!(core.in_hand().collect::<Vec<_>>(), [id(1)]);
    answer(&mut core, 11, HOME, connection, number, gives(&[]));
    let effects = core.step(Tick(50), Event::Delivered { id: id(1) });
    let (_, exchange) = the_exchange(&effects);
    assert_eq!((exchange.reports.len(), exchange.want), (1, 0));
}

#[test]
fn a_large_result_waits_for_a_network_that_is_allowed_and_a_small_one_does_not() {
    let (mut core, connection) = busy();
    let elsewhere = Withheld::NetworkNotAllowed { found: None };
    let (number, _) = the_exchange(&core.step(Tick(5), measured(&[elsewhere])));
    answer(&mut core, 6, HOME, connection, number, gives(&[]));
    let deliver = Effect::Deliver { id: id(1) };
    let mut large = finished(1);
    large.sealed = Sealed::Kept { bytes: 1 << 20 };
    let effects = core.step(Tick(10), Event::Ran { finished: large });
    assert!(!effects.contains(&deliver));
    assert_eq!(core.in_hand().collect::<Vec<_>>(), [id(1)]);
    // A connection that comes anew changes nothing, for it may be over the same network.
    let effects = core.step(Tick(20), measured(&[elsewhere, outside_hours()]));
    assert!(!effects.contains(&deliver));
    let (number, _) = the_exchange(&effects);
    answer(&mut core, 21, HOME, connection, number, gives(&[]));
    let effects = core.step(Tick(30), measured(&[outside_hours()]));
    let (number, _) = the_exchange(&effects);
    answer(&mut core, 31, HOME, connection, number, gives(&[]));
    let owed = effects.iter().filter(|effect| **effect == deliver);
    assert_eq!(owed.count(), 1);
    let effects = core.step(Tick(50), Event::Delivered { id: id(1) });
    let (_, exchange) = the_exchange(&effects);
    assert_eq!(exchange.reports.len(), 1);

    let (mut core, connection) = busy();
    let (number, _) = the_exchange(&core.step(Tick(5), measured(&[elsewhere])));
    answer(&mut core, 6, HOME, connection, number, gives(&[]));
    let (_, exchange) = the_exchange(&core.step(Tick(10), ran(1)));
    assert_eq!(exchange.reports.len(), 1);
}

#[test]
fn the_owner_is_told_when_the_reasons_change_and_not_when_the_figures_do() {
    let mut core = worker();
    for (reasons, told) in [
        (vec![], 0),
        (vec![in_use(1)], 1),
        (vec![in_use(31)], 0),
        (vec![outside_hours(), in_use(61)], 1),
        (vec![], 1),
        (vec![], 0),
    ] {
        let effects = core.step(Tick(0), measured(&reasons));
        assert_eq!(notices(&effects).len(), told, "{reasons:?}");
    }
}

#[test]
fn a_reading_goes_once_with_the_next_exchange() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    // Nothing that the masternode must hear at once.
    let effects = core.step(Tick(10), measured(&[]));
    assert_eq!(exchanges(&effects), []);
    let (number, exchange) = the_exchange(&core.step(Tick(5_000), Event::Woken));
    assert_eq!(exchange.state.unwrap().free_ram_mib, Some(1_000));
    answer(&mut core, 5_001, HOME, connection, number, gives(&[]));
    let (_, exchange) = the_exchange(&core.step(Tick(10_000), Event::Woken));
    assert_eq!(exchange.state, None);
}

#[test]
fn after_a_reconnection_the_last_reading_is_told_again() {
    let mut core = worker_on(&[]);
    let (connection, exchange) = open(&mut core, 0);
    assert!(exchange.state.is_some());
    core.step(
        Tick(1),
        Event::Disconnected {
            masternode: HOME,
            connection,
        },
    );
    let (_, exchange) = open(&mut core, 1_000);
    assert!(exchange.state.is_some());
}

#[test]
fn a_hello_tells_what_the_machine_is() {
    let mut core = worker();
    let effects = core.step(Tick(0), Event::Woken);
    assert_eq!(effects.len(), 1);
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
    assert_eq!(hello.version, WORKER_VERSION);
    assert_eq!(hello.machine, settings().machine);
}
