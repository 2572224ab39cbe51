//! A disk that takes no more. The test starts itself again where files may have only so many bytes (`RLIMIT_FSIZE`):
//! what the system then says, and writes half of, is what it is on a full disk.

use crate::world::{World, bytes, shard, soon};
use bytes::Bytes;
use quern_depot::{AppendError, Content, DiskError, Received, StoreError};
use std::{env, process::Command};

/// What tells the test that it is the one that was started again.
const HERE: &str = "QUERN_DEPOT_FULL_DISK";

/// Bytes that a file may have there.
const FILE_BYTES_MAX: usize = 64 * 1024;

#[test]
fn a_full_disk_takes_no_piece_by_half_and_what_came_before_goes_on() {
    let this = "full_disk::a_full_disk_takes_no_piece_by_half_and_what_came_before_goes_on";
    if env::var_os(HERE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        return runtime.block_on(soon(fill()));
    }
    // `ulimit -f` counts blocks of 512 bytes; the signal that goes with it would end the process.
    let script = format!(
        "trap '' XFSZ; ulimit -f {}; exec \"$0\" --exact {this} --nocapture",
        FILE_BYTES_MAX / 512
    );
    let done = Command::new("sh")
        .args(["-c", &script])
        .arg(env::current_exe().unwrap())
        .env(HERE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(told.contains("1 passed"), "{told}");
}

async fn fill() {
    let world = World::of_folder(1 << 30).await;
    let (depot, limit) = (&world.depot, 3 * FILE_BYTES_MAX as u64);
    let bytes = bytes(FILE_BYTES_MAX);
    let (first, second) = (bytes.slice(..50_000), bytes.slice(..30_000));
    let taken = depot.append(shard(0), 0, limit, first.clone()).await;
    assert!(matches!(taken, Ok(Received::Partly(50_000))));
    let counted = depot.bytes();
    for _ in 0..2 {
        let error = depot.append(shard(0), 50_000, limit, second.clone()).await;
        let is_full = matches!(
            &error,
            Err(AppendError::Store(StoreError::Disk(DiskError::Full { .. })))
        );
        assert!(is_full, "{error:?}");
        assert_eq!(depot.received(shard(0)).await.unwrap(), Some(50_000));
        assert_eq!(depot.bytes(), counted);
    }
    assert_eq!(depot.read_received(shard(0)).await.unwrap(), first);
    let fits = Bytes::from_static(b"more");
    let taken = depot.append(shard(0), 50_000, 50_004, fits).await.unwrap();
    assert_eq!(taken, Received::Whole);
    let content = Content::of(&[&first[..], b"more"].concat());
    depot.keep(shard(0), content).await.unwrap();
}
