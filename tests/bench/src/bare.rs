//! What a task costs before there is a grid: its device signs a receipt, that is checked, and what
//! happened to the task is on disk before it is acknowledged. Tasks that do nothing are held against it,
//! timed in the same run, since a machine that is slower is slower at both.
//!
//! It is no grid: one thread does it, one task after the other, and nothing is sent, sealed, run or
//! settled. The entries are those of a masternode's job log, and are synced as often as it does.

use anyhow::{Context as _, ensure};
use codec::Encode as _;
use quern_masternode::core::{Entry, OutputPlace};
use quern_primitives::{
    device::Class,
    ids::{AccountId, DeviceId, Digest, GenesisHash, JobId, ProgramHash, TaskIndex},
    payload::DeviceKey,
    receipt::{Answer, Exit, Receipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

/// How long a masternode waits for more entries before it writes and syncs.
const SYNC_EVERY: Duration = Duration::from_millis(10);

/// Bytes of a sealed result that is empty, written with its report.
const RESULT_BYTES: usize = 32;

const GENESIS: GenesisHash = GenesisHash([9; 32]);
const JOB: JobId = JobId([7; 32]);
const ACCOUNT: AccountId = AccountId::new([3; 32]);

/// How many tasks a second go through that, of so many.
pub(crate) fn tasks_per_s(folder: &Path, tasks: u32) -> anyhow::Result<f64> {
    let path = folder.join("bare.log");
    let taken = time(&path, tasks).context("cannot time signatures and log entries")?;
    std::fs::remove_file(&path)?;
    Ok(f64::from(tasks) / taken.as_secs_f64())
}

/// How long so many tasks take.
fn time(path: &Path, tasks: u32) -> anyhow::Result<Duration> {
    let mut file = File::create(path)?;
    let key = DeviceKey::from_seed(&[1; 32]);
    let device = key.id();
    let start = Instant::now();
    let (mut unwritten, mut synced) = (Vec::<u8>::new(), start);
    for task in 0..tasks {
        assigned(task, device).encode_to(&mut unwritten);
        let receipt = key.sign(receipt(task, device), &GENESIS);
        ensure!(
            receipt.is_signed_by(&device, &GENESIS),
            "the receipt of task {task} is not signed by its device"
        );
        let output = OutputPlace::Inline {
            bytes: RESULT_BYTES as u64,
        };
        Entry::Revealed { receipt, output }.encode_to(&mut unwritten);
        unwritten.extend([0; RESULT_BYTES]);
        judged(task, device).encode_to(&mut unwritten);
        if synced.elapsed() >= SYNC_EVERY || task + 1 == tasks {
            file.write_all(&unwritten)?;
            file.sync_data()?;
            unwritten.clear();
            synced = Instant::now();
        }
    }
    Ok(start.elapsed())
}

fn assigned(task: TaskIndex, device: DeviceId) -> Entry {
    Entry::Assigned {
        task,
        replica: 0,
        device,
        account: ACCOUNT,
        engine: Digest([6; 32]),
        at: 1,
        lanes: 1,
    }
}

fn receipt(task: TaskIndex, device: DeviceId) -> Receipt {
    let answer = answer();
    Receipt {
        job: JOB,
        task,
        replica: 0,
        device,
        program: ProgramHash([2; 32]),
        input_root: Digest([4; 32]),
        question: Digest([46; 32]),
        result_commitment: answer.result_commitment,
        output_root: Digest([5; 32]),
        result_bytes: answer.result_bytes,
        fuel: answer.fuel,
        exit: answer.exit,
        class: Class::Pinned,
        engine: Digest([6; 32]),
        log_position: u64::from(task) * 3,
        salt: [90; 32].into(),
    }
}

fn judged(task: TaskIndex, device: DeviceId) -> Entry {
    let found = ReplicaFinding {
        replica: 0,
        device,
        account: ACCOUNT,
        finding: Finding::Accepted,
        receipt: Some(Digest([8; 32])),
        pay: 1,
    };
    Entry::Judged {
        verdict: Verdict {
            job: JOB,
            task,
            answer: answer(),
            ground: Ground::Trusted,
            price: 1,
            replicas: vec![found],
        },
    }
}

fn answer() -> Answer {
    Answer {
        result_commitment: Digest([3; 32]),
        result_bytes: 0,
        fuel: 1,
        exit: Exit::Success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::{Decode as _, IoReader};

    #[test]
    fn each_task_leaves_three_entries_that_read_back() -> anyhow::Result<()> {
        let folder = std::env::temp_dir().join(format!("quern-bare-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let path = folder.join("log");
        time(&path, 5)?;
        let mut log = IoReader(File::open(&path)?);
        for task in 0..5 {
            let given = Entry::decode(&mut log)?;
            assert!(matches!(given, Entry::Assigned { task: it, .. } if it == task));
            let reported = Entry::decode(&mut log)?;
            assert!(matches!(reported, Entry::Revealed { .. }));
            <[u8; RESULT_BYTES]>::decode(&mut log)?;
            let judged = Entry::decode(&mut log)?;
            assert!(matches!(judged, Entry::Judged { .. }));
        }
        assert!(Entry::decode(&mut log).is_err());
        assert!(tasks_per_s(&folder, 5)? > 0.0);
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
