//! When a benchmark runs, and how it is answered.

use super::{
    world::{benchmark, in_use, output, outside_hours},
    *,
};
use quern_protocol::BenchmarkAnswer;

/// No benchmark. An empty list alone does not say of what it is one.
const NONE: [u64; 0] = [];

fn gives_benchmark(number: u64) -> Option<Response> {
    work(Work {
        benchmark: Some(benchmark(number)),
        ask_again_ms: 60_000,
        ..Work::default()
    })
}

fn started(effects: &[Effect]) -> Vec<u64> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Benchmark { benchmark } => Some(benchmark.number),
            _ => None,
        })
        .collect()
}

/// What a masternode is told, with the numbers of the exchanges.
fn told(effects: &[Effect], to: DeviceId) -> Vec<(u64, Exchange)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ask {
                masternode,
                number,
                request: Request::Exchange(exchange),
                ..
            } if *masternode == to => Some((*number, exchange.clone())),
            _ => None,
        })
        .collect()
}

fn benchmarked(number: u64) -> Event {
    Event::Benchmarked {
        output: Some(output(number)),
    }
}

/// A worker with a task that runs, another that is fetched, and no exchange in flight.
fn busy() -> (Core, u64) {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 0, HOME, connection, 2, gives(&[1, 2]));
    prepared(&mut core, 0, &[1]);
    (core, connection)
}

#[test]
fn an_idle_device_runs_a_benchmark_and_answers_at_once() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    let effects = answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    let Some(Effect::Benchmark { benchmark: given }) = effects
        .iter()
        .find(|effect| matches!(effect, Effect::Benchmark { .. }))
    else {
        panic!("no benchmark in {effects:?}")
    };
    assert_eq!(**given, benchmark(7));
    let (_, exchange) = the_exchange(&core.step(Tick(500), benchmarked(7)));
    let expected = BenchmarkAnswer {
        number: 7,
        output: output(7),
    };
    assert_eq!(exchange.benchmark, Some(expected));
}

#[test]
fn a_device_that_computes_for_one_masternode_is_busy_for_the_other_and_declines_its_benchmark() {
    let (mut core, _) = busy();
    listed(&mut core, &[HOME, AWAY]);
    let connection = connect(&mut core, 1, AWAY);
    let welcome = Some(Response::Welcome(Welcome {
        heartbeat_ms: 5_000,
    }));
    answer(&mut core, 1, AWAY, connection, 0, welcome);
    let effects = answer(&mut core, 2, AWAY, connection, 99, gives_benchmark(7));
    assert_eq!(started(&effects), NONE);
    let (number, declined) = told(&effects, AWAY).remove(0);
    assert_eq!(declined.unavailable_for, Some(7));
    assert!(declined.is_busy);
    answer(&mut core, 3, AWAY, connection, number, gives(&[]));

    // The task that is still fetched may run any moment.
    let (_, report) = told(&core.step(Tick(4), ran(1)), HOME).remove(0);
    assert!(report.is_busy);
    prepared(&mut core, 5, &[2]);
    core.step(Tick(6), ran(2));
    let (_, alive) = told(&core.step(Tick(5_002), Event::Woken), AWAY).remove(0);
    assert!(!alive.is_busy);
    let effects = answer(&mut core, 5_003, AWAY, connection, 99, gives_benchmark(8));
    assert_eq!(started(&effects), [8]);
}

#[test]
fn a_benchmark_that_comes_while_a_task_or_another_runs_is_declined_at_once() {
    let (mut core, connection) = busy();
    let effects = answer(&mut core, 1, HOME, connection, 99, gives_benchmark(7));
    assert_eq!(started(&effects), NONE);
    assert_eq!(the_exchange(&effects).1.unavailable_for, Some(7));

    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    let effects = answer(&mut core, 2, HOME, connection, 99, gives_benchmark(8));
    assert_eq!(started(&effects), NONE);
    let (_, exchange) = the_exchange(&effects);
    assert_eq!(exchange.unavailable_for, Some(8));
    assert!(exchange.is_busy);
    let (_, exchange) = the_exchange(&core.step(Tick(3), benchmarked(7)));
    assert_eq!(exchange.benchmark.map(|answer| answer.number), Some(7));
}

#[test]
fn a_task_that_comes_while_a_benchmark_runs_is_queued_behind_it() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    answer(&mut core, 2, HOME, connection, 99, gives(&[1]));
    prepared(&mut core, 3, &[1]);
}

#[test]
fn a_benchmark_without_an_answer_is_not_answered() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    let effects = core.step(Tick(2), Event::Benchmarked { output: None });
    assert_eq!(exchanges(&effects), []);
    let (_, exchange) = the_exchange(&core.step(Tick(5_001), Event::Woken));
    assert_eq!(exchange.benchmark, None);
}

#[test]
fn an_answer_does_not_go_over_another_connection() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    core.step(
        Tick(2),
        Event::Disconnected {
            masternode: HOME,
            connection,
        },
    );
    let (connection, exchange) = open(&mut core, 1_000);
    assert_eq!((exchange.benchmark, exchange.is_busy), (None, true));
    let effects = answer(&mut core, 1_001, HOME, connection, 0, gives_benchmark(8));
    assert_eq!(the_exchange(&effects).1.unavailable_for, Some(8));
    // The older one still runs, and its end says nothing to the masternode.
    let effects = core.step(Tick(1_002), benchmarked(7));
    let told = exchanges(&effects);
    let answers = told.iter().filter_map(|(_, exchange)| exchange.benchmark);
    assert_eq!(answers.count(), 0);
}

#[test]
fn a_machine_that_is_not_offered_runs_no_benchmark() {
    let mut core = worker_on(&[outside_hours()]);
    let (connection, _) = open(&mut core, 0);
    let effects = answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    assert_eq!(started(&effects), NONE);
    let (_, exchange) = the_exchange(&effects);
    assert_eq!(exchange.unavailable_for, Some(7));
    assert!(exchange.is_busy);
    assert_eq!(started(&core.step(Tick(2), measured(&[]))), NONE);
}

#[test]
fn a_person_who_is_back_does_not_wait_for_a_benchmark() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    let effects = core.step(Tick(2), measured(&[in_use(0)]));
    assert!(effects.contains(&Effect::StopBenchmark));
    let (_, exchange) = the_exchange(&effects);
    assert_eq!(exchange.unavailable_for, Some(7));
    // It had ended before it was stopped: what is declined has no answer.
    assert_eq!(exchanges(&core.step(Tick(3), benchmarked(7))), []);
}

#[test]
fn a_stopping_worker_declines_the_benchmark_that_runs_and_waits_to_be_heard() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    let effects = core.step(Tick(2), Event::Stop);
    assert!(effects.contains(&Effect::StopBenchmark));
    let (number, exchange) = the_exchange(&effects);
    assert_eq!(exchange.unavailable_for, Some(7));
    assert!(!effects.contains(&Effect::Leave));
    let effects = answer(&mut core, 3, HOME, connection, number, gives(&[]));
    assert_eq!(effects.last(), Some(&Effect::Leave));
}

#[test]
fn a_stopping_worker_begins_no_benchmark() {
    let (mut core, connection) = busy();
    core.step(Tick(2), Event::Stop);
    assert_eq!(started(&core.step(Tick(3), ran(1))), NONE);
    let effects = answer(&mut core, 4, HOME, connection, 98, gives_benchmark(8));
    assert_eq!(started(&effects), NONE);
}
