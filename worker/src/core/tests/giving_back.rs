//! What a worker gives back, and why.

use super::*;

#[test]
fn a_third_task_is_given_back() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    let effects = answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2, 3]));
    let (_, exchange) = the_exchange(&effects);
    let hand_back = HandBack {
        id: id(3),
        reason: HandBackReason::NoRoom,
    };
    assert_eq!(exchange.handed_back, [hand_back]);
    assert_eq!(core.in_hand().collect::<Vec<_>>(), [id(1), id(2)]);
}

#[test]
fn a_task_over_this_machines_memory_is_given_back() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    let mut large = assignment(1);
    large.limits.memory_bytes = settings().memory_bytes_max + 1;
    let given = work(Work {
        assignments: vec![large],
        ..Work::default()
    });
    let (_, exchange) = the_exchange(&answer(&mut core, 0, HOME, connection, 2, given));
    let hand_back = HandBack {
        id: id(1),
        reason: HandBackReason::NoRoom,
    };
    assert_eq!(exchange.handed_back, [hand_back]);
}

#[test]
fn a_task_that_cannot_be_done_is_given_back_with_the_reason() {
    for (fault, reason) in [
        (Fault::BadInput, Some(HandBackReason::BadInput)),
        (Fault::TooSlow, Some(HandBackReason::TooSlow)),
        (Fault::NotAssigned, None),
    ] {
        let mut core = worker();
        let (connection, _) = open(&mut core, 0);
        answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
        let effects = core.step(Tick(0), Event::Failed { id: id(1), fault });
        assert!(effects.contains(&Effect::Abandon { id: id(1) }));
        let given = reason.map(|reason| HandBack { id: id(1), reason });
        assert_eq!(the_exchange(&effects).1.handed_back, Vec::from_iter(given));
    }
}
