//! What goes first where others compute the same, and what waits to be asked for.

use super::*;
use quern_primitives::{ids::GenesisHash, log::Commitment, payload::DeviceKey};

/// Whether the device commits itself where the task comes in a [`World`].
pub(super) fn commits(task: u32) -> bool {
    task.is_multiple_of(2)
}

/// What [`finished`] is of a task whose device commits itself.
pub(super) fn committed(task: u32) -> Finished {
    let finished = finished(task);
    let receipt = &finished.receipt.payload;
    let commitment = Commitment {
        job: receipt.job,
        task: receipt.task,
        replica: receipt.replica,
        device: receipt.device,
        log_position: receipt.log_position,
        commitment: receipt.commitment(),
    };
    let commitment = DeviceKey::from_seed(&[9; 32]).sign(commitment, &GenesisHash::default());
    Finished {
        commitment: Some(commitment),
        ..finished
    }
}

fn committing(task: u32) -> Event {
    Event::Ran {
        finished: committed(task),
    }
}

fn asks_for(tasks: &[u32]) -> Option<Response> {
    work(Work {
        reveals: tasks.iter().map(|task| id(*task)).collect(),
        ..Work::default()
    })
}

/// A worker that holds one task and has just run it; the exchange in which it said so.
fn ran_one(core: &mut Core) -> (u64, u64, Exchange) {
    let (connection, _) = open(core, 0);
    let effects = answer(core, 0, HOME, connection, 2, gives(&[1]));
    // The wish for another one is answered with nothing, so that nothing is on its way.
    let (number, _) = the_exchange(&effects);
    answer(core, 0, HOME, connection, number, gives(&[]));
    prepared(core, 0, &[1]);
    let (number, exchange) = the_exchange(&core.step(Tick(1), committing(1)));
    (connection, number, exchange)
}

#[test]
fn a_commitment_goes_first_and_the_report_waits_to_be_asked_for() {
    let mut core = worker();
    let (connection, number, exchange) = ran_one(&mut core);
    assert_eq!(exchange.commitments, [committed(1).commitment.unwrap()]);
    assert_eq!((exchange.reports.len(), exchange.waits), (0, true));
    assert_eq!(exchange.want, 2, "what is committed is not in hand");
    let effects = answer(&mut core, 2, HOME, connection, number, asks_for(&[1]));
    let (_, exchange) = the_exchange(&effects);
    assert_eq!(exchange.reports, [committed(1).report()]);
    assert_eq!((exchange.commitments.len(), exchange.waits), (0, false));
}

#[test]
fn nobody_else_asks_for_a_report() {
    let mut core = worker();
    ran_one(&mut core);
    let reveals = vec![id(1)];
    let from_another = Work {
        reveals,
        ..Work::default()
    };
    core.on_work(Tick(2), AWAY, from_another);
    assert!(core.outgoing[&id(1)].waits());
}

#[test]
fn whoever_only_waits_to_be_asked_leaves_an_exchange_open() {
    let mut core = worker();
    let (connection, number, _) = ran_one(&mut core);
    // Both places are taken, and nothing is said of either for a while.
    let effects = answer(&mut core, 2, HOME, connection, number, gives(&[2, 3]));
    assert_eq!(exchanges(&effects), []);
    let at = 1 + POLL_MS;
    assert_eq!(core.next_wakeup(), Some(Tick(at)));
    let (_, exchange) = the_exchange(&core.step(Tick(at), Event::Woken));
    assert_eq!((exchange.want, exchange.waits), (0, true));
    // It is open: nothing is said before there is news.
    assert!(core.next_wakeup().is_none_or(|next| next > Tick(at)));
}

#[test]
fn after_a_reconnection_the_commitment_goes_first_again() {
    let mut core = worker();
    let (connection, number, _) = ran_one(&mut core);
    let effects = answer(&mut core, 2, HOME, connection, number, asks_for(&[1]));
    assert_eq!(the_exchange(&effects).1.reports.len(), 1);
    core.step(
        Tick(3),
        Event::Disconnected {
            masternode: HOME,
            connection,
        },
    );
    let (_, again) = open(&mut core, 1_000);
    assert_eq!((again.commitments.len(), again.reports.len()), (1, 0));
}

#[test]
fn a_commitment_outlives_the_worker() {
    let restored = Restored {
        masternode: HOME,
        finished: committed(7),
    };
    let mut core = Core::new(settings(), vec![restored]);
    listed(&mut core, &[HOME]);
    let (connection, exchange) = open(&mut core, 0);
    assert_eq!(exchange.commitments, [committed(7).commitment.unwrap()]);
    assert_eq!(exchange.reports, []);
    let newest = core.next_number;
    let effects = answer(&mut core, 1, HOME, connection, newest, asks_for(&[7]));
    assert_eq!(the_exchange(&effects).1.reports, [committed(7).report()]);
}

#[test]
fn a_stopping_worker_reports_with_its_commitment_and_what_waits() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1, 2]);
    core.step(Tick(10), committing(1));
    let (number, exchange) = the_exchange(&core.step(Tick(11), Event::Woken));
    assert_eq!((exchange.commitments.len(), exchange.reports.len()), (1, 0));
    answer(&mut core, 12, HOME, connection, number, gives(&[]));
    core.step(Tick(13), Event::Stop);
    let (number, exchange) = the_exchange(&core.step(Tick(14), Event::Woken));
    assert_eq!((exchange.commitments.len(), exchange.reports.len()), (0, 1));
    answer(&mut core, 15, HOME, connection, number, gives(&[]));
    let (_, exchange) = the_exchange(&core.step(Tick(20), committing(2)));
    assert_eq!((exchange.commitments.len(), exchange.reports.len()), (1, 1));
}

#[test]
fn commitments_that_do_not_fit_into_an_exchange_go_with_the_next() {
    let restored = (0..COMMITMENTS_MAX as u32 + 3).map(|task| Restored {
        masternode: HOME,
        finished: committed(task),
    });
    let mut core = Core::new(settings(), restored.collect());
    listed(&mut core, &[HOME]);
    let connection = connect(&mut core, 0, HOME);
    let welcome = Some(Response::Welcome(Welcome {
        heartbeat_ms: 5_000,
    }));
    let said = exchanges(&answer(&mut core, 0, HOME, connection, 0, welcome));
    let commitments: Vec<_> = said.iter().map(|(_, it)| it.commitments.len()).collect();
    assert_eq!(commitments, [COMMITMENTS_MAX, 3]);
}
