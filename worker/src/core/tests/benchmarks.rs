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
fn a_benchmark_waits_for_the_running_task_and_the_next_task_for_the_benchmark() {
    let (mut core, connection) = busy();
    let effects = answer(&mut core, 1, HOME, connection, 99, gives_benchmark(7));
    assert_eq!(started(&effects), NONE);
    // The next task is ready, and must not get in first.
    let effects = core.step(Tick(2), Event::Prepared { id: id(2) });
    assert!(!effects.contains(&Effect::Run { id: id(2) }));

    let effects = core.step(Tick(3), ran(1));
    let order: Vec<&Effect> = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Benchmark { .. } | Effect::Run { .. }))
        .collect();
    assert!(
        matches!(order[..], [Effect::Benchmark { .. }, Effect::Run { .. }]),
        "{order:?}"
    );
}

#[test]
fn a_new_benchmark_replaces_one_that_has_not_started() {
    let (mut core, connection) = busy();
    answer(&mut core, 1, HOME, connection, 98, gives_benchmark(7));
    answer(&mut core, 2, HOME, connection, 99, gives_benchmark(8));
    let effects = core.step(Tick(3), ran(1));
    assert_eq!(started(&effects), [8]);
    // One that comes while it runs starts when it has ended.
    let effects = answer(&mut core, 4, HOME, connection, 97, gives_benchmark(9));
    assert_eq!(started(&effects), NONE);
    assert_eq!(started(&core.step(Tick(5), benchmarked(8))), [9]);
}

#[test]
fn between_two_benchmarks_there_is_a_task_if_one_is_ready() {
    let (mut core, connection) = busy();
    answer(&mut core, 1, HOME, connection, 99, gives_benchmark(7));
    core.step(Tick(2), ran(1));
    answer(&mut core, 3, HOME, connection, 98, gives_benchmark(8));
    let effects = core.step(Tick(4), Event::Prepared { id: id(2) });
    assert!(effects.contains(&Effect::Run { id: id(2) }));
    assert_eq!(started(&core.step(Tick(5), benchmarked(7))), NONE);
    assert_eq!(started(&core.step(Tick(6), ran(2))), [8]);
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
    assert_eq!(exchange.benchmark, None);
    answer(&mut core, 1_001, HOME, connection, 0, gives_benchmark(8));
    // The older one still runs, and its end says nothing to the masternode.
    let effects = core.step(Tick(1_002), benchmarked(7));
    assert_eq!(started(&effects), [8]);
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
    assert_eq!(started(&core.step(Tick(2), measured(&[]))), NONE);

    let (mut core, connection) = busy();
    answer(&mut core, 1, HOME, connection, 99, gives_benchmark(7));
    core.step(Tick(2), measured(&[outside_hours()]));
    assert_eq!(started(&core.step(Tick(3), ran(1))), NONE);
}

#[test]
fn a_person_who_is_back_does_not_wait_for_a_benchmark() {
    let mut core = worker();
    let (connection, _) = open(&mut core, 0);
    answer(&mut core, 1, HOME, connection, 2, gives_benchmark(7));
    let effects = core.step(Tick(2), measured(&[in_use(0)]));
    assert!(effects.contains(&Effect::StopBenchmark));
    let effects = core.step(Tick(3), Event::Stop);
    assert!(effects.contains(&Effect::StopBenchmark));
}

#[test]
fn a_stopping_worker_begins_no_benchmark() {
    let (mut core, connection) = busy();
    answer(&mut core, 1, HOME, connection, 99, gives_benchmark(7));
    core.step(Tick(2), Event::Stop);
    assert_eq!(started(&core.step(Tick(3), ran(1))), NONE);
    let effects = answer(&mut core, 4, HOME, connection, 98, gives_benchmark(8));
    assert_eq!(started(&effects), NONE);
}
