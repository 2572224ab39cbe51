//! The whole worker, in this process, against a masternode of the tests over real loopback sockets,
//! with real shards and the real sandbox.

use crate::office::{Device, Office, id};
use quern_primitives::{
    device::Class,
    ids::Digest,
    receipt::{Exit, Receipt},
};
use quern_protocol::{
    Benchmark, BenchmarkAnswer, Discard, DiscardReason, HandBack, HandBackReason, Output, Refusal,
    WORKER_VERSION,
    limits::{INLINE_RESULT_BYTES_MAX, INLINE_SHARD_BYTES_MAX, TASKS_IN_HAND_MAX},
};
use quern_worker::{
    bench::Machinery,
    device::DeviceSecrets,
    settings::Settings,
    shell::{self, Ended, WorkerError},
};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};

/// Writes what it reads.
const ECHO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_start")
        (loop $more
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const 65536))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (if (i32.load (i32.const 8)) (then
                (i32.store (i32.const 4) (i32.load (i32.const 8)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (br $more))))))"#;

/// Writes the first half of the 16 bytes that it reads.
const HALF: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 16))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.const 8))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Counts so far that it takes some seconds.
const LONG: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_start") (local $i i64)
        (loop $more
            (local.set $i (i64.add (local.get $i) (i64.const 1)))
            (br_if $more (i64.lt_u (local.get $i) (i64.const 4000000000))))))"#;

/// Never ends.
const ENDLESS: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_start") (loop $more (br $more))))"#;

/// Divides by zero.
const TRAP: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_start") (drop (i32.div_u (i32.const 1) (i32.const 0)))))"#;

fn program(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Bytes in which no two stretches are alike.
fn patterned(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| ((i.wrapping_mul(i) >> 7) ^ i).to_le_bytes()[0])
        .collect()
}

/// A folder with a device's keys, and a masternode that knows the device.
async fn prepared() -> (TempDir, Office) {
    let folder = tempfile::tempdir().unwrap();
    let secrets = DeviceSecrets::random();
    secrets.save(&folder.path().join("device.key")).unwrap();
    let device = Device {
        id: secrets.id(),
        sealing_key: secrets.sealing_key(),
    };
    let office = Office::open(device).await;
    std::fs::write(folder.path().join("worker.toml"), office.settings()).unwrap();
    (folder, office)
}

/// A worker that runs.
struct Worker {
    stop: mpsc::Sender<()>,
    ended: JoinHandle<Result<Ended, WorkerError>>,
}

impl Worker {
    fn start(folder: &TempDir, once: bool) -> Self {
        let settings = Settings::load(&folder.path().join("worker.toml")).unwrap();
        let (stop, stopped) = mpsc::channel(2);
        let (_, reread) = mpsc::channel(1);
        let run = shell::run(settings, once, Machinery::shipped(), stopped, reread);
        let ended = tokio::spawn(run);
        Self { stop, ended }
    }

    async fn stop(self, office: &mut Office) -> Ended {
        self.stop.send(()).await.unwrap();
        office.during(self.ended).await.unwrap().unwrap()
    }
}

fn receipt(office: &Office, task: u32) -> &Receipt {
    let (_, report) = office
        .reports
        .iter()
        .find(|(of, _)| *of == id(task))
        .unwrap();
    &report.receipt.payload
}

#[tokio::test]
async fn a_device_reveals_what_it_committed_itself_to_and_not_before_it_is_asked() {
    let (folder, mut office) = prepared().await;
    (office.commits, office.asks) = (true, false);
    office.add(1, &program(ECHO), b"hello");
    let large = patterned(INLINE_RESULT_BYTES_MAX * 3);
    office.add(2, &program(ECHO), &large);
    let worker = Worker::start(&folder, false);
    office
        .until("the commitments", |office| office.commitments.len() == 2)
        .await;
    assert_eq!(office.reports, []);
    office.asks = true;
    office.answer_held();
    office
        .until("the acknowledgements", |office| {
            office.acknowledged.len() == 2
        })
        .await;
    assert_eq!(office.result(id(1)), b"hello");
    assert_eq!(office.result(id(2)), large);
    for commitment in &office.commitments {
        let receipt = receipt(&office, commitment.payload.task);
        assert_eq!(receipt.commitment(), commitment.payload.commitment);
        assert_eq!(receipt.log_position, commitment.payload.log_position);
    }
    let salts = [1, 2].map(|task| receipt(&office, task).salt);
    assert_ne!(salts[0], salts[1]);
    worker.stop(&mut office).await;
}

#[tokio::test]
async fn a_small_task_comes_back_sealed_committed_and_signed() {
    let (folder, mut office) = prepared().await;
    office.add(1, &program(ECHO), b"hello");
    let worker = Worker::start(&folder, false);
    office
        .until("the acknowledgement", |office| {
            office.acknowledged.contains(&id(1))
        })
        .await;

    assert_eq!(office.result(id(1)), b"hello");
    let receipt = receipt(&office, 1);
    let assignment = &office.tasks[&id(1)].assignment;
    assert_eq!((receipt.exit, receipt.result_bytes), (Exit::Success, 5));
    assert_eq!(receipt.input_root, assignment.shard.root);
    assert_eq!(receipt.program, assignment.program);
    assert_eq!(receipt.log_position, assignment.log_position);
    assert_eq!(
        receipt.engine,
        Digest(quern_sandbox::engine_digest(Class::Portable))
    );
    assert!(receipt.fuel > 0);
    assert_eq!(
        worker.stop(&mut office).await,
        Ended::Cleanly { acknowledged: 1 }
    );
    assert_eq!(office.in_hand.len() + office.hand_backs.len(), 0);
}

#[tokio::test]
async fn a_benchmark_is_run_and_answered_and_tasks_go_on() {
    let (folder, mut office) = prepared().await;
    let benchmark = |number, program| Benchmark {
        number,
        program,
        input: *b"0123456789abcdef",
        fuel: 1_000_000,
    };
    office.benchmark = Some(benchmark(7, program(HALF)));
    let worker = Worker::start(&folder, false);
    office
        .until("a state", |office| !office.states.is_empty())
        .await;
    assert_eq!(office.hellos[0].version, WORKER_VERSION);
    assert_eq!(office.states[0].unavailable, []);
    let mut engines = office.hellos[0].engines.iter();
    if engines.any(|(class, _)| *class == Class::Pinned) {
        office
            .until("the answer", |office| !office.benchmark_answers.is_empty())
            .await;
        let answer = BenchmarkAnswer {
            number: 7,
            output: *b"01234567",
        };
        assert_eq!(office.benchmark_answers, [answer]);
    }
    // One that fails is not answered, and stands in nobody's way.
    office.benchmark = Some(benchmark(8, program(TRAP)));
    office.add(1, &program(ECHO), b"hello");
    office
        .until("the acknowledgement", |office| {
            office.acknowledged.contains(&id(1)) && office.benchmark.is_none()
        })
        .await;
    worker.stop(&mut office).await;
    let late = office
        .benchmark_answers
        .iter()
        .any(|answer| answer.number == 8);
    assert!(!late);
}

#[tokio::test]
async fn many_tasks_go_through_with_never_more_than_two_in_hand() {
    let (folder, mut office) = prepared().await;
    let program = program(ECHO);
    for task in 0..200 {
        office.add(task, &program, &patterned(task as usize));
    }
    let worker = Worker::start(&folder, false);
    office
        .until("200 acknowledgements", |office| {
            office.acknowledged.len() == 200
        })
        .await;
    for task in 0..200 {
        assert_eq!(office.result(id(task)), patterned(task as usize));
    }
    assert_eq!(office.reports.len(), 200, "nothing was repeated");
    assert_eq!(office.most_in_hand, TASKS_IN_HAND_MAX);
    assert_eq!(office.hand_backs, []);
    worker.stop(&mut office).await;
}

#[tokio::test]
async fn large_shards_and_results_travel_in_pieces_and_go_on_after_a_cut() {
    let (folder, mut office) = prepared().await;
    let input = patterned(1_500_000);
    assert!(input.len() > INLINE_SHARD_BYTES_MAX && input.len() > INLINE_RESULT_BYTES_MAX);
    // A program, six pieces of the shard, a question and six pieces of the result: cut within the
    // shard, and then within the result.
    office.add(1, &program(ECHO), &input);
    office.cut_after_pieces = Some(3);
    let worker = Worker::start(&folder, false);
    office
        .until("the first cut", |office| office.disconnections == 1)
        .await;
    let before = office.pieces;
    office.cut_after_pieces = Some(8);
    office
        .until("the second cut", |office| office.disconnections == 2)
        .await;
    office
        .until("the acknowledgement", |office| {
            office.acknowledged.contains(&id(1))
        })
        .await;

    assert_eq!(office.result(id(1)), input);
    assert_eq!(office.hellos.len(), 3);
    assert_eq!(
        office.hellos[1].in_hand,
        [id(1)],
        "the task was kept through the cut"
    );
    assert!(
        office.pieces - before < 20,
        "what was there was not transferred again"
    );
    let (_, report) = office.reports.first().unwrap();
    assert!(matches!(report.output, Output::Delivered { .. }));
    // Each piece but the first two of a connection shows the mark of the one before those on their
    // way, and each piece of the result that of the answer before it.
    let marked = (office.fetches_marked, office.deliveries_marked);
    assert!(marked.0 >= 3 && marked.1 >= 6, "{marked:?}");
    worker.stop(&mut office).await;
    let reports = std::fs::read_dir(folder.path().join("data/reports")).unwrap();
    assert_eq!(reports.count(), 0, "an acknowledged result is not kept");
}

#[tokio::test]
async fn a_program_that_fails_is_reported_as_failing() {
    let (folder, mut office) = prepared().await;
    office.add(1, &program(TRAP), b"");
    office.add(2, &program(ENDLESS), b"");
    let task = office.tasks.get_mut(&id(2)).unwrap();
    task.assignment.limits.fuel = 1_000_000;
    let worker = Worker::start(&folder, false);
    office
        .until("both reports", |office| office.acknowledged.len() == 2)
        .await;
    assert_eq!(receipt(&office, 1).exit, Exit::Trap);
    assert_eq!(receipt(&office, 2).exit, Exit::OutOfFuel);
    for task in [1, 2] {
        assert_eq!(receipt(&office, task).result_bytes, 0);
        assert_eq!(office.result(id(task)), b"");
    }
    worker.stop(&mut office).await;
}

#[tokio::test]
async fn what_is_not_what_was_assigned_is_given_back() {
    let (folder, mut office) = prepared().await;
    let echo = program(ECHO);
    // A shard altered on its way, inside the assignment and in pieces.
    office.add(1, &echo, b"hello");
    let task = office.tasks.get_mut(&id(1)).unwrap();
    task.assignment.inline_shard.as_mut().unwrap()[210] ^= 1;
    office.add(2, &echo, &patterned(100_000));
    office.tasks.get_mut(&id(2)).unwrap().shard[50_000] ^= 1;
    // A key for another device; a shard said to be of another length; bytes that are no program.
    office.add(3, &echo, b"hello");
    office
        .tasks
        .get_mut(&id(3))
        .unwrap()
        .assignment
        .key
        .encapsulated[0] ^= 1;
    office.add(4, &echo, b"hello");
    office
        .tasks
        .get_mut(&id(4))
        .unwrap()
        .assignment
        .shard
        .plaintext_bytes = 6;
    office.add(5, b"no program", b"hello");
    office.add(6, &echo, b"hello");
    let worker = Worker::start(&folder, false);
    office
        .until("the good one, and all others given back", |office| {
            office.acknowledged.contains(&id(6)) && office.hand_backs.len() >= 5
        })
        .await;
    let mut given: Vec<_> = office
        .hand_backs
        .iter()
        .map(|given| (given.id.task, given.reason))
        .collect();
    given.sort_by_key(|(task, _)| *task);
    assert_eq!(
        given,
        [1, 2, 3, 4, 5].map(|task| (task, HandBackReason::BadInput))
    );
    assert_eq!(office.reports.len(), 1);
    worker.stop(&mut office).await;
}

#[tokio::test]
async fn a_task_that_takes_too_long_is_given_back() {
    let (folder, mut office) = prepared().await;
    office.add(1, &program(ENDLESS), b"");
    let task = office.tasks.get_mut(&id(1)).unwrap();
    task.assignment.limits.time_ms = 50;
    task.assignment.limits.fuel = 10_000_000_000_000;
    let worker = Worker::start(&folder, false);
    office
        .until("the task back", |office| !office.hand_backs.is_empty())
        .await;
    assert_eq!(office.hand_backs[0].reason, HandBackReason::TooSlow);
    worker.stop(&mut office).await;
}

#[tokio::test]
async fn a_report_is_repeated_until_it_is_acknowledged() {
    let (folder, mut office) = prepared().await;
    office.acknowledges = false;
    office.add(1, &program(ECHO), b"hello");
    let worker = Worker::start(&folder, false);
    for times in 1..4 {
        office
            .until("the report", |office| office.reports.len() == times)
            .await;
        let device = office.reports[0].1.receipt.payload.device;
        office.server.disconnect(device).await.unwrap();
        office
            .until("the disconnection", |office| office.disconnections == times)
            .await;
    }
    assert!(
        office
            .reports
            .iter()
            .all(|report| *report == office.reports[0])
    );
    office.acknowledges = true;
    office
        .until("the acknowledgement", |office| {
            office.acknowledged.contains(&id(1))
        })
        .await;
    assert_eq!(
        worker.stop(&mut office).await,
        Ended::Cleanly { acknowledged: 1 }
    );
}

#[tokio::test]
async fn a_discarded_task_is_stopped_and_its_place_is_free() {
    let (folder, mut office) = prepared().await;
    for task in [1, 2] {
        office.add(task, &program(ENDLESS), b"");
        office
            .tasks
            .get_mut(&id(task))
            .unwrap()
            .assignment
            .limits
            .fuel = 10_000_000_000_000;
    }
    let worker = Worker::start(&folder, false);
    office
        .until("both tasks taken", |office| office.in_hand.len() == 2)
        .await;
    for task in [1, 2] {
        office.in_hand.remove(&id(task));
        office.discards.push(Discard {
            id: id(task),
            reason: DiscardReason::JobOver,
        });
    }
    office.add(3, &program(ECHO), b"hello");
    office
        .until("the third task", |office| {
            office.acknowledged.contains(&id(3))
        })
        .await;
    assert_eq!(office.reports.len(), 1);
    worker.stop(&mut office).await;
}

#[tokio::test]
async fn a_refused_worker_tries_again() {
    let (folder, mut office) = prepared().await;
    office.refusal = Some(Refusal::Starting);
    office.add(1, &program(ECHO), b"hello");
    let worker = Worker::start(&folder, false);
    office
        .until("the first refusal", |office| office.disconnections == 1)
        .await;
    office.refusal = None;
    office
        .until("the acknowledgement", |office| {
            office.acknowledged.contains(&id(1))
        })
        .await;
    worker.stop(&mut office).await;
}

#[tokio::test]
async fn a_stopping_worker_finishes_the_running_task_and_gives_back_the_rest() {
    let (folder, mut office) = prepared().await;
    office.add(1, &program(LONG), b"");
    office.add(2, &program(LONG), b"");
    let worker = Worker::start(&folder, false);
    office
        .until("the first task running", |office| {
            office.running == Some(id(1))
        })
        .await;
    assert_eq!(
        worker.stop(&mut office).await,
        Ended::Cleanly { acknowledged: 1 }
    );
    assert_eq!(office.acknowledged.iter().collect::<Vec<_>>(), [&id(1)]);
    let given = HandBack {
        id: id(2),
        reason: HandBackReason::Stopping,
    };
    assert_eq!(office.hand_backs, [given]);
}

#[tokio::test]
async fn a_second_stop_is_at_once() {
    let (folder, mut office) = prepared().await;
    office.add(1, &program(ENDLESS), b"");
    office.tasks.get_mut(&id(1)).unwrap().assignment.limits.fuel = 10_000_000_000_000;
    let worker = Worker::start(&folder, false);
    office
        .until("the task running", |office| office.running == Some(id(1)))
        .await;
    worker.stop.send(()).await.unwrap();
    let second = worker.stop.clone();
    second.send(()).await.unwrap();
    let ended = office.during(worker.ended).await.unwrap().unwrap();
    assert_eq!(ended, Ended::AtOnce);
}

#[tokio::test]
async fn once_means_one_task() {
    let (folder, mut office) = prepared().await;
    for task in 0..3 {
        office.add(task, &program(ECHO), b"hello");
    }
    let worker = Worker::start(&folder, true);
    let ended = office.during(worker.ended).await.unwrap().unwrap();
    assert_eq!(ended, Ended::Cleanly { acknowledged: 1 });
    assert_eq!(office.reports.len(), 1);
}

#[tokio::test]
async fn replicas_of_a_task_agree_on_any_device() {
    let mut answers = Vec::new();
    for _ in 0..2 {
        let (folder, mut office) = prepared().await;
        office.add(1, &program(ECHO), &patterned(1_000));
        let worker = Worker::start(&folder, true);
        office.during(worker.ended).await.unwrap().unwrap();
        answers.push((
            receipt(&office, 1).answer(),
            receipt(&office, 1).output_root,
        ));
    }
    assert_eq!(answers[0].0, answers[1].0);
    assert_ne!(
        answers[0].1, answers[1].1,
        "each device seals its result for itself"
    );
}
