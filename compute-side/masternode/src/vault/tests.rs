//! The vault over a folder, and what it finds in the folder of a masternode that had no depot.

use super::*;
use quern_primitives::limits::REPLICAS_PER_TASK_MAX;
use std::fs;

const JOB: JobId = JobId([1; 32]);
const OTHER: JobId = JobId([2; 32]);
const ITEM: Item = Item::Shard(3);

/// Bytes of a block of the disk.
const BLOCK_BYTES: u64 = 4_096;

/// The vault of a masternode with a folder of its own, over a depot in it.
pub(crate) async fn vault_in(data_dir: &Path, most_bytes: u64) -> Vault {
    let folder = data_dir.join(JOBS);
    let depot = Config::Folder { folder, most_bytes };
    Vault::open(data_dir, depot).await.unwrap()
}

async fn vault() -> (tempfile::TempDir, Vault) {
    vault_of(u64::MAX).await
}

async fn vault_of(most_bytes: u64) -> (tempfile::TempDir, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path(), most_bytes).await;
    (folder, vault)
}

impl Vault {
    /// Appends a piece to something of a job.
    async fn add(
        &self,
        job: JobId,
        item: Item,
        offset: u64,
        total: u64,
        piece: &[u8],
    ) -> Result<Received, ApiError> {
        let piece = Bytes::copy_from_slice(piece);
        self.append(job, item, offset, total, piece).await
    }

    async fn has(&self, job: JobId, item: Item) -> bool {
        self.length(job, item).await.unwrap().is_some()
    }

    async fn holds(&self, job: JobId, item: Item) -> u64 {
        self.held(job, item).await.unwrap()
    }
}

async fn put(vault: &Vault, item: Item) {
    vault.put(JOB, item, (&b"abc"[..]).into()).await.unwrap();
}

fn result(task: TaskIndex, replica: ReplicaIndex) -> Item {
    Item::Result(task, replica, DeviceId([replica; 32]))
}

#[tokio::test]
async fn pieces_are_taken_in_order_and_an_upload_resumes_where_it_stopped() {
    let (folder, vault) = vault().await;
    let first = vault.add(JOB, ITEM, 0, 6, b"abc").await;
    assert_eq!(first, Ok(Received::Partly(3)));
    for offset in [0, 2, 4] {
        let error = vault.add(JOB, ITEM, offset, 6, b"d").await.unwrap_err();
        assert_eq!(error, ApiError::OutOfOrder { expected: 3 });
    }
    let vault = vault_in(folder.path(), u64::MAX).await;
    assert_eq!(vault.holds(JOB, ITEM).await, 3);
    let second = vault.add(JOB, ITEM, 3, 6, b"def").await;
    assert_eq!(second, Ok(Received::Whole));
    assert!(!vault.has(JOB, ITEM).await, "unchecked bytes have no name");
    assert_eq!(vault.received(JOB, ITEM).await.unwrap(), b"abcdef");
}

#[tokio::test]
async fn a_piece_beyond_the_end_or_longer_than_a_piece_is_refused_unwritten() {
    let (_folder, vault) = vault().await;
    let over = vault.add(JOB, ITEM, 0, 2, b"abc").await;
    assert_eq!(over, Err(ApiError::TooLong { limit: 2 }));
    let limit = 10 * PIECE_BYTES_MAX as u64;
    let long = vec![0; PIECE_BYTES_MAX + 1];
    let long = vault.add(JOB, ITEM, 0, limit, &long).await;
    assert_eq!(long, Err(ApiError::TooLong { limit }));
    assert_eq!(vault.holds(JOB, ITEM).await, 0);
}

#[tokio::test]
async fn what_was_checked_is_read_and_never_written_again() {
    let (_folder, vault) = vault().await;
    vault.add(JOB, ITEM, 0, 6, b"abcdef").await.unwrap();
    let unread = vault.read_all(JOB, ITEM).await;
    assert!(unread.is_err(), "unchecked bytes are not read");
    let content = Content::of(b"abcdef");
    vault.keep(JOB, ITEM, content).await.unwrap();
    let late = vault.add(JOB, ITEM, 6, 6, b"x").await;
    assert_eq!(late, Ok(Received::Kept(6)));
    assert_eq!(vault.read(JOB, ITEM, 2..5).await.unwrap(), b"cde");
    assert_eq!(vault.read(JOB, ITEM, 6..6).await.unwrap(), b"");
    assert!(vault.read(JOB, ITEM, 5..7).await.is_err());
    assert_eq!(vault.read_exactly(JOB, ITEM, 6).await.unwrap(), b"abcdef");
    assert_eq!(vault.read_all(JOB, ITEM).await.unwrap(), b"abcdef");
}

#[tokio::test]
async fn a_result_is_kept_once_its_device_says_that_it_is_whole() {
    let (_folder, vault) = vault().await;
    let item = result(3, 0);
    assert_eq!(vault.delivered(JOB, item, 6).await, None);
    vault.add(JOB, item, 0, 7, b"abc").await.unwrap();
    let half = vault.delivered(JOB, item, 6).await;
    assert_eq!(half, None, "a half is missing");
    vault.add(JOB, item, 3, 7, b"def").await.unwrap();
    let root = Some(Content::of(b"abcdef").root);
    let (one, two) = tokio::join!(vault.delivered(JOB, item, 6), vault.delivered(JOB, item, 6));
    assert_eq!((one, two), (root, root), "twice at a time");
    assert_eq!(vault.delivered(JOB, item, 6).await, root, "and again");
    assert_eq!(vault.delivered(JOB, item, 5).await, None);
    assert_eq!(vault.read_all(JOB, item).await.unwrap(), b"abcdef");
}

#[tokio::test]
async fn what_turned_out_wrong_is_dropped_and_starts_anew() {
    let (_folder, vault) = vault().await;
    vault.add(JOB, ITEM, 0, 3, b"abc").await.unwrap();
    vault.drop_received(JOB, ITEM).await;
    let anew = vault.add(JOB, ITEM, 0, 3, b"xyz").await;
    assert_eq!(anew, Ok(Received::Whole));
}

#[tokio::test]
async fn what_is_kept_twice_is_there_and_counts_once() {
    let (_folder, vault) = vault().await;
    let content = Content::of(b"abcdef");
    let nothing = vault.keep(JOB, ITEM, content).await;
    assert!(matches!(nothing, Err(KeepError::Nothing { .. })));
    vault.add(JOB, ITEM, 0, 6, b"abcdef").await.unwrap();
    for _ in 0..2 {
        vault.keep(JOB, ITEM, content).await.unwrap();
        assert_eq!(vault.bytes(), BLOCK_BYTES);
    }
    put(&vault, ITEM).await;
    assert_eq!(vault.read_all(JOB, ITEM).await.unwrap(), b"abcdef");
}

#[tokio::test]
async fn of_a_decided_task_only_the_accepted_result_stays() {
    let (_folder, vault) = vault().await;
    assert!(!vault.may_have_results(JOB, 1));
    vault.keep_result(JOB, 1, None).await.unwrap();
    for (task, replica) in [(1, 0), (1, 1), (1, ReplicaIndex::MAX), (11, 0)] {
        put(&vault, result(task, replica)).await;
    }
    vault.add(JOB, result(1, 3), 0, 6, b"abc").await.unwrap();
    assert!(vault.may_have_results(JOB, 1));
    let kept = Some((1, DeviceId([1; 32])));
    vault.keep_result(JOB, 1, kept).await.unwrap();
    let mut held = vec![];
    for replica in [0, 1, ReplicaIndex::MAX, 3] {
        held.push(vault.holds(JOB, result(1, replica)).await);
    }
    assert_eq!(held, [0, 3, 0, 0], "a half delivered one is erased too");
    assert!(vault.has(JOB, result(11, 0)).await);
    vault.keep_result(JOB, 1, None).await.unwrap();
    assert!(!vault.has(JOB, result(1, 1)).await);
}

#[tokio::test]
async fn of_a_closed_job_only_results_stay() {
    let (_folder, vault) = vault().await;
    let inputs = [
        Item::Manifest,
        Item::Program,
        Item::Shard(0),
        Item::Shard(1),
    ];
    for item in inputs {
        put(&vault, item).await;
    }
    put(&vault, result(0, 0)).await;
    vault.begin_attempt(JOB, 1).unwrap();
    for _ in 0..2 {
        vault.erase_inputs(JOB).await.unwrap();
        for item in inputs {
            assert_eq!(vault.holds(JOB, item).await, 0);
        }
        assert!(vault.has(JOB, result(0, 0)).await);
    }
    assert!(vault.may_have_results(JOB, 0));
    assert_eq!(vault.begin_attempt(JOB, 1).unwrap(), 0);
}

#[tokio::test]
async fn an_erased_job_leaves_others_alone_and_may_be_erased_twice() {
    let (_folder, vault) = vault().await;
    put(&vault, Item::Program).await;
    put(&vault, result(0, 0)).await;
    let bytes = (&b"abc"[..]).into();
    vault.put(OTHER, Item::Program, bytes).await.unwrap();
    vault.erase(JOB).await.unwrap();
    vault.erase(JOB).await.unwrap();
    assert!(!vault.has(JOB, Item::Program).await);
    assert!(!vault.may_have_results(JOB, 0));
    assert!(vault.has(OTHER, Item::Program).await);
}

#[tokio::test]
async fn which_shards_are_here_and_which_have_begun_to_come_is_told_at_once() {
    let (folder, vault) = vault().await;
    for item in [Item::Shard(1), Item::Shard(9), Item::Program, result(4, 0)] {
        put(&vault, item).await;
    }
    vault.add(JOB, ITEM, 0, 6, b"abc").await.unwrap();
    vault.add(JOB, result(5, 0), 0, 6, b"abc").await.unwrap();
    for vault in [vault, vault_in(folder.path(), u64::MAX).await] {
        let kept = vault.kept_shards(JOB).await.unwrap();
        assert_eq!(kept, [1, 9].into());
        assert_eq!(vault.begun_shards(JOB), [3].into());
        assert_eq!(vault.kept_shards(OTHER).await.unwrap(), [].into());
    }
}

#[tokio::test]
async fn a_sweep_erases_what_nothing_needs_any_more() {
    let (_folder, vault) = vault().await;
    for item in [Item::Manifest, ITEM, result(3, 0)] {
        put(&vault, item).await;
    }
    vault.add(OTHER, ITEM, 0, 6, b"abc").await.unwrap();
    vault
        .sweep(|job, item| job == JOB && !item.is_input())
        .await;
    assert!(vault.has(JOB, result(3, 0)).await);
    assert_eq!(vault.bytes(), BLOCK_BYTES);
}

/// Bytes of so many blocks of the disk.
fn blocks(count: u64) -> u64 {
    count * BLOCK_BYTES
}

/// A piece that takes so many blocks.
fn piece(count: u64) -> Vec<u8> {
    vec![0; blocks(count) as usize]
}

#[tokio::test]
async fn a_shard_that_finds_no_room_is_refused_unwritten_and_smaller_ones_still_fit() {
    // A quarter is for results: 90 blocks for uploads.
    let (_folder, vault) = vault_of(blocks(120)).await;
    let (small, large) = (Item::Shard(0), Item::Shard(1));
    let first = vault.add(JOB, ITEM, 0, blocks(50), &piece(50)).await;
    assert_eq!(first, Ok(Received::Whole));
    let refused = vault.add(JOB, large, 0, blocks(41), b"abc").await;
    assert_eq!(refused, Err(ApiError::NoRoom { bytes: blocks(41) }));
    assert_eq!(vault.holds(JOB, large).await, 0);
    let fits = vault.add(JOB, small, 0, blocks(40), &piece(40)).await;
    assert_eq!(fits, Ok(Received::Whole));
    assert_eq!(vault.bytes(), blocks(90));
}

#[tokio::test]
async fn uploads_that_are_begun_and_not_ended_keep_no_room_from_others() {
    let (_folder, vault) = vault_of(blocks(120)).await;
    let begun = async |task, offset| {
        vault
            .add(JOB, Item::Shard(task), offset, blocks(70), b"a")
            .await
    };
    for round in 0..3 {
        for task in 0..20 {
            let taken = begun(task, round).await;
            assert_eq!(taken, Ok(Received::Partly(round + 1)));
        }
        let taken = vault.bytes();
        assert_eq!(taken, blocks(20), "a byte now and then keeps no more");
    }
    let whole = vault.add(OTHER, ITEM, 0, blocks(70), &piece(70)).await;
    assert_eq!(whole, Ok(Received::Whole));
    let content = Content::of(&piece(70));
    vault.keep(OTHER, ITEM, content).await.unwrap();
    let refused = Err(ApiError::NoRoom { bytes: blocks(69) });
    let asked = begun(0, 3).await;
    assert_eq!(asked, refused, "who goes on asks for room anew");
    let held = vault.holds(JOB, Item::Shard(0)).await;
    assert_eq!(held, 3, "what came stays");
    assert!(vault.has(OTHER, ITEM).await);
    vault.erase(OTHER).await.unwrap();
    assert_eq!(begun(0, 3).await, Ok(Received::Partly(4)));
}

#[tokio::test]
async fn of_uploads_that_do_not_all_fit_one_is_ended_and_the_others_go_on_when_there_is_room() {
    let (_folder, vault) = vault_of(blocks(120)).await;
    let append = async |job, offset, count| {
        vault
            .add(job, ITEM, blocks(offset), blocks(60), &piece(count))
            .await
    };
    let partly = |count| Ok(Received::Partly(blocks(count)));
    assert_eq!(append(JOB, 0, 20).await, partly(20));
    assert_eq!(append(OTHER, 0, 30).await, partly(30));
    assert_eq!(append(JOB, 20, 20).await, partly(40));
    let refused = Err(ApiError::NoRoom { bytes: blocks(30) });
    assert_eq!(append(OTHER, 30, 20).await, refused);
    assert_eq!(append(JOB, 40, 20).await, Ok(Received::Whole));
    let content = Content::of(&piece(60));
    vault.keep(JOB, ITEM, content).await.unwrap();
    assert_eq!(append(OTHER, 30, 20).await, refused);
    vault.erase(JOB).await.unwrap();
    assert_eq!(append(OTHER, 30, 30).await, Ok(Received::Whole));
}

#[tokio::test]
async fn results_find_room_when_uploads_find_none_and_count_as_they_come() {
    let (_folder, vault) = vault_of(blocks(120)).await;
    let upload = vault.add(JOB, ITEM, 0, blocks(90), &piece(90)).await;
    assert_eq!(upload, Ok(Received::Whole));
    for replica in 0..2 {
        let item = result(0, replica);
        let received = vault.add(JOB, item, 0, blocks(1_000), &piece(15)).await;
        assert_eq!(received, Ok(Received::Partly(blocks(15))));
    }
    let over = vault.add(JOB, result(0, 0), blocks(15), blocks(1_000), b"x");
    assert_eq!(over.await, Err(ApiError::NoRoom { bytes: blocks(1) }));
    vault.keep_result(JOB, 0, None).await.unwrap();
    assert_eq!(vault.bytes(), blocks(90));
}

#[tokio::test]
async fn what_is_dropped_or_erased_makes_room() {
    let (_folder, vault) = vault_of(blocks(100)).await;
    vault.add(JOB, ITEM, 0, 100, b"abc").await.unwrap();
    vault.drop_received(JOB, ITEM).await;
    assert_eq!(vault.bytes(), 0);
    for item in [Item::Manifest, Item::Program, Item::Shard(0), result(1, 0)] {
        put(&vault, item).await;
    }
    vault.add(JOB, ITEM, 0, 100, b"abc").await.unwrap();
    vault.add(JOB, result(1, 1), 0, 9, b"ab").await.unwrap();
    assert_eq!(vault.bytes(), blocks(6));
    let kept = Some((0, DeviceId([0; 32])));
    vault.keep_result(JOB, 1, kept).await.unwrap();
    assert_eq!(vault.bytes(), blocks(5));
    vault.erase_inputs(JOB).await.unwrap();
    assert_eq!(vault.bytes(), blocks(1), "the result stays");
    vault.erase(JOB).await.unwrap();
    vault.erase(JOB).await.unwrap();
    assert_eq!(vault.bytes(), 0);
}

#[tokio::test]
async fn what_is_there_at_the_start_is_counted() {
    let (folder, vault) = vault_of(blocks(100)).await;
    for item in [Item::Manifest, Item::Program, Item::Shard(0), result(1, 0)] {
        put(&vault, item).await;
    }
    vault.add(JOB, ITEM, 0, blocks(10), b"ab").await.unwrap();
    let vault = vault_in(folder.path(), blocks(20)).await;
    assert_eq!(vault.bytes(), blocks(5));
    vault.add(JOB, ITEM, 2, blocks(10), b"c").await.unwrap();
    assert_eq!(vault.bytes(), blocks(5));
    let refused = vault.add(JOB, Item::Shard(5), 0, blocks(11), b"a").await;
    assert_eq!(refused, Err(ApiError::NoRoom { bytes: blocks(11) }));
    vault.erase(JOB).await.unwrap();
    assert_eq!(vault.bytes(), 0);
}

/// As a masternode left them that wrote its files itself.
#[tokio::test]
async fn the_files_of_a_masternode_that_had_no_depot_are_read_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("jobs").join("01".repeat(32));
    let device = DeviceId([9; 32]);
    let of_device = hex::encode(device.0);
    let greatest = REPLICAS_PER_TASK_MAX - 1;
    for (file, text) in [
        ("manifest".to_owned(), "manifest"),
        ("program.part".to_owned(), "prog"),
        ("shards/0".to_owned(), "shard 0"),
        ("shards/65535".to_owned(), "shard 65535"),
        ("shards/7.part".to_owned(), "sha"),
        (format!("results/7/{greatest}-{of_device}"), "result"),
        (format!("results/7/255-{of_device}"), "of a referee"),
        (format!("results/8/1-{of_device}.part"), "res"),
        ("attempts/7".to_owned(), "12"),
    ] {
        let path = job.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let vault = vault_in(folder.path(), u64::MAX).await;
    for (item, text) in [
        (Item::Manifest, "manifest"),
        (Item::Shard(0), "shard 0"),
        (Item::Shard(65_535), "shard 65535"),
        (Item::Result(7, greatest, device), "result"),
        (Item::Result(7, ReplicaIndex::MAX, device), "of a referee"),
    ] {
        let read = vault.read_all(JOB, item).await.unwrap();
        assert_eq!(read, text.as_bytes(), "{item:?}");
    }
    for (item, rest) in [
        (Item::Program, "ram"),
        (Item::Shard(7), "rd 7"),
        (Item::Result(8, 1, device), "ult"),
    ] {
        let held = vault.holds(JOB, item).await;
        let more = vault.add(JOB, item, held, 100, rest.as_bytes()).await;
        let all = held + rest.len() as u64;
        assert_eq!(more, Ok(Received::Partly(all)), "{item:?}");
    }
    assert_eq!(vault.bytes(), blocks(8));
    assert_eq!(vault.begin_attempt(JOB, 7).unwrap(), 2);
    vault.erase(JOB).await.unwrap();
    assert!(!job.exists(), "nothing of it is left");
}
