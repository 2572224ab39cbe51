//! The vault over a bucket, whose server is `s3s-fs` in this process.

use super::{tests::vault_in, *};
use quern_bucket_server::{BUCKET, ID, SECRET, Server, certificate_of};
use quern_depot::Settings;
use std::{fs, os::unix::fs::PermissionsExt as _};
use tempfile::TempDir;

const JOB: JobId = JobId([1; 32]);

/// The vault of a masternode whose settings name the bucket of a server.
async fn vault_of(data_dir: &Path, server: &Server) -> Vault {
    let key_file = data_dir.join("bucket.keys");
    let keys = format!("aws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n");
    fs::write(&key_file, keys).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    // Nobody is asked with TLS, but somebody has to be named.
    let ca_file = data_dir.join("ca.pem");
    fs::write(&ca_file, certificate_of("nobody")).unwrap();
    let settings = Settings::Bucket {
        url: server.url("http", BUCKET),
        region: None,
        key_file: Some(key_file),
        ca_file: Some(ca_file),
        most_bytes: 1 << 30,
        parts_most_bytes: None,
    };
    let depot = settings.resolve(&data_dir.join(JOBS)).unwrap();
    Vault::open(data_dir, depot).await.unwrap()
}

fn bytes_of(text: &'static [u8]) -> Bytes {
    Bytes::from_static(text)
}

fn result(replica: ReplicaIndex) -> Item {
    Item::Result(7, replica, DeviceId([replica; 32]))
}

/// The files of a job below a folder.
fn files(folder: &Path) -> Vec<String> {
    let job = folder.join(hex::encode(JOB.0));
    let mut files = vec![];
    let mut folders = vec![job.clone()];
    while let Some(folder) = folders.pop() {
        for found in fs::read_dir(folder).into_iter().flatten() {
            let path = found.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path.strip_prefix(&job).unwrap().display().to_string()),
            }
        }
    }
    files.sort();
    files
}

async fn start() -> (TempDir, Server, Vault) {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start().await);
    let vault = vault_of(folder.path(), &server).await;
    (folder, server, vault)
}

#[tokio::test]
async fn what_was_checked_is_in_the_bucket_and_what_is_on_its_way_here_and_both_outlive_a_restart()
{
    let (folder, server, vault) = start().await;
    vault
        .put(JOB, Item::Program, bytes_of(b"program"))
        .await
        .unwrap();
    let append = async |vault: &Vault, offset, piece| {
        let piece = bytes_of(piece);
        vault.append(JOB, Item::Shard(3), offset, 6, piece).await
    };
    assert_eq!(append(&vault, 0, b"abc").await, Ok(Received::Partly(3)));
    let jobs = folder.path().join(JOBS);
    assert_eq!(files(&server.objects()), ["program.wasm"]);
    assert_eq!(files(&jobs), ["shards/3.part"]);

    let vault = vault_of(folder.path(), &server).await;
    assert_eq!(vault.begun_shards(JOB), [3].into());
    assert_eq!(vault.kept_shards(JOB).await.unwrap(), [].into());
    assert_eq!(vault.held(JOB, Item::Program).await.unwrap(), 7);
    assert_eq!(append(&vault, 3, b"def").await, Ok(Received::Whole));
    let content = Content::of(b"abcdef");
    vault.keep(JOB, Item::Shard(3), content).await.unwrap();
    let late = append(&vault, 6, b"x").await;
    assert_eq!(late, Ok(Received::Kept(6)));
    assert_eq!(vault.kept_shards(JOB).await.unwrap(), [3].into());
    let read = vault.read(JOB, Item::Shard(3), 2..5).await;
    assert_eq!(read.unwrap(), b"cde");
    let all = vault.read_all(JOB, Item::Shard(3)).await;
    assert_eq!(all.unwrap(), b"abcdef");
    assert_eq!(files(&jobs), Vec::<String>::new());
}

#[tokio::test]
async fn of_a_decided_task_the_accepted_result_stays_and_of_an_erased_job_nothing() {
    let (folder, server, vault) = start().await;
    for replica in [0, 1, 2] {
        let piece = bytes_of(b"result");
        let received = vault.append(JOB, result(replica), 0, 100, piece).await;
        assert_eq!(received, Ok(Received::Partly(6)));
    }
    let root = Some(Content::of(b"result").root);
    for replica in [0, 1, 1] {
        assert_eq!(vault.delivered(JOB, result(replica), 6).await, root);
    }
    assert_eq!(vault.delivered(JOB, result(2), 7).await, None);
    vault
        .put(JOB, Item::Shard(7), bytes_of(b"shard"))
        .await
        .unwrap();
    let vault = vault_of(folder.path(), &server).await;
    assert!(vault.may_have_results(JOB, 7) && !vault.may_have_results(JOB, 6));
    let kept = Some((1, DeviceId([1; 32])));
    vault.keep_result(JOB, 7, kept).await.unwrap();
    let accepted = format!("results/7/1-{}", "01".repeat(32));
    assert_eq!(files(&server.objects()), [accepted.as_str(), "shards/7"]);
    assert_eq!(files(&folder.path().join(JOBS)), Vec::<String>::new());
    vault.erase_inputs(JOB).await.unwrap();
    assert_eq!(files(&server.objects()), [accepted]);
    vault.sweep(|_, _| false).await;
    assert_eq!(files(&server.objects()), Vec::<String>::new());
    assert_eq!(vault.bytes(), 0);
}

#[tokio::test]
async fn the_files_of_a_masternode_that_gets_a_bucket_are_brought_there() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start().await);
    let before = vault_in(folder.path(), u64::MAX).await;
    before
        .put(JOB, Item::Shard(3), bytes_of(b"shard"))
        .await
        .unwrap();
    before.begin_attempt(JOB, 3).unwrap();
    drop(before);
    let vault = vault_of(folder.path(), &server).await;
    let read = vault.read_exactly(JOB, Item::Shard(3), 5).await;
    assert_eq!(read.unwrap(), b"shard");
    assert_eq!(files(&server.objects()), ["shards/3"]);
    assert_eq!(vault.begin_attempt(JOB, 3).unwrap(), 1);
}
