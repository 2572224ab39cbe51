//! How many tasks that do nothing a worker does in a second, and what each costs it. Measures, and
//! promises nothing:
//! `cargo test -p quern-worker --test worker rate:: -- --ignored --nocapture`

use crate::office::{Device, Office};
use quern_worker::device::DeviceSecrets;
use std::time::{Duration, Instant};
use tokio::process::Command;

const TASKS: u32 = 20_000;

const NOTHING: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// Processor time that a process has used: the 14th and 15th fields of its `stat`, in hundredths of
/// a second.
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[tokio::test]
#[ignore = "it measures, for some seconds"]
async fn tasks_that_do_nothing_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = DeviceSecrets::random();
    secrets.save(&folder.path().join("device.key")).unwrap();
    let device = Device {
        id: secrets.id(),
        sealing_key: secrets.sealing_key(),
    };
    let mut office = Office::open(device).await;
    let program = wat::parse_str(NOTHING).unwrap();
    for task in 0..TASKS {
        office.add(task, &program, b"");
    }
    let settings = office.settings().replace("debug", "info");
    std::fs::write(folder.path().join("worker.toml"), settings).unwrap();
    let worker = Command::new(env!("CARGO_BIN_EXE_quern-worker"))
        .arg("run")
        .current_dir(folder.path())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let process = worker.id().unwrap();
    office
        .until("the first task", |office| !office.acknowledged.is_empty())
        .await;
    let (start, worker_before) = (Instant::now(), processor_time(process));
    let office_before = processor_time(std::process::id());
    office
        .until("all tasks", |office| {
            office.acknowledged.len() == TASKS as usize
        })
        .await;
    let seconds = start.elapsed().as_secs_f64();
    let each = |used: Duration| used.as_micros() as f64 / f64::from(TASKS);
    println!(
        "{:.0} tasks/s; processor time of each: worker {:.0} us, the test's masternode {:.0} us",
        f64::from(TASKS) / seconds,
        each(processor_time(process) - worker_before),
        each(processor_time(std::process::id()) - office_before),
    );
}
