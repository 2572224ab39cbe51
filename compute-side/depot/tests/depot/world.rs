//! Depots in a folder of the test, over a folder or over a bucket.

use bytes::Bytes;
use futures::TryStreamExt as _;
use quern_bucket_server::{BUCKET, ID, SECRET, Server, certificate_of};
use quern_depot::{
    Address, BucketConfig, Config, Content, Depot, GetError, Item, Keys, Name, Patience, Roots,
    StoreError,
};
use quern_primitives::{DeviceId, JobId};
use std::{fs, ops::Range, path::PathBuf, time::Duration};
use tempfile::TempDir;

pub(crate) const JOB: JobId = JobId([1; 32]);
pub(crate) const OTHER: JobId = JobId([2; 32]);

/// More than anything here needs.
pub(crate) const PLENTY_BYTES: u64 = 1 << 40;

/// Bytes of a block of the disk.
pub(crate) const BLOCK_BYTES: u64 = 4_096;

/// Ends with a panic what takes too long.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(300), what).await;
    done.expect("it takes less than five minutes")
}

pub(crate) fn shard(task: u32) -> Name {
    Name {
        job: JOB,
        item: Item::Shard(task),
    }
}

pub(crate) fn of_other(item: Item) -> Name {
    Name { job: OTHER, item }
}

pub(crate) fn result(task: u32, replica: u8) -> Name {
    Name {
        job: JOB,
        item: Item::Result(task, replica, DeviceId([replica; 32])),
    }
}

/// Bytes without a pattern that blocks share.
pub(crate) fn bytes(length: usize) -> Bytes {
    (0..length as u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect()
}

/// A machine with a depot, and what lies under that.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) server: Option<Server>,
    pub(crate) most_bytes: u64,
    pub(crate) depot: Depot,
}

impl World {
    pub(crate) async fn of_folder(most_bytes: u64) -> Self {
        Self::of(None, most_bytes).await
    }

    pub(crate) async fn of_bucket() -> Self {
        Self::of(Some(Server::start().await), PLENTY_BYTES).await
    }

    async fn of(server: Option<Server>, most_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder, server.as_ref(), most_bytes);
        let depot = Depot::open(config).await.unwrap();
        Self {
            folder,
            server,
            most_bytes,
            depot,
        }
    }

    /// A server's bucket, asked without TLS: whom to trust does not matter, but is never nobody.
    pub(crate) fn bucket_of(server: &Server) -> BucketConfig {
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        fs::write(&ca_file, certificate_of("nobody")).unwrap();
        bucket(server, "http", Roots::of_file(&ca_file).unwrap())
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// The depot as it is after a restart.
    pub(crate) async fn reopened(&self) -> Depot {
        self.reopened_with(|_| {}).await.unwrap()
    }

    /// The depot with other settings of its bucket.
    pub(crate) async fn reopened_with(
        &self,
        change: impl FnOnce(&mut BucketConfig),
    ) -> Result<Depot, StoreError> {
        let mut config = config(&self.folder, self.server.as_ref(), self.most_bytes);
        if let Config::Bucket { bucket, .. } = &mut config {
            change(bucket);
        }
        Depot::open(config).await
    }

    /// Where whole things are as files.
    pub(crate) fn whole_things(&self) -> PathBuf {
        match &self.server {
            Some(server) => server.objects(),
            None => self.jobs(),
        }
    }

    /// The depot's own folder.
    pub(crate) fn jobs(&self) -> PathBuf {
        self.folder.path().join("jobs")
    }

    /// Puts something into the depot in two pieces, and has it kept.
    pub(crate) async fn keep(&self, name: Name, bytes: &Bytes) {
        self.upload(name, bytes).await;
        self.depot.keep(name, Content::of(bytes)).await.unwrap();
    }

    pub(crate) async fn upload(&self, name: Name, bytes: &Bytes) {
        let limit = bytes.len() as u64;
        let piece_bytes = (bytes.len() / 2).clamp(1, 8 << 20);
        let mut at = 0;
        while at < limit {
            let from = at as usize;
            let piece = bytes.slice(from..(from + piece_bytes).min(bytes.len()));
            at += piece.len() as u64;
            self.depot
                .append(name, at - piece.len() as u64, limit, piece)
                .await
                .unwrap();
        }
    }
}

pub(crate) fn wrong_keys() -> Keys {
    Keys::new(ID, "something-else", None).unwrap()
}

/// A server's bucket, which is not asked for long.
pub(crate) fn bucket(server: &Server, scheme: &str, roots: Roots) -> BucketConfig {
    BucketConfig {
        address: server.url(scheme, BUCKET).parse::<Address>().unwrap(),
        region: "us-east-1".to_owned(),
        keys: Keys::new(ID, SECRET, None).unwrap(),
        roots,
        patience: Patience {
            retries: 3,
            first_wait: Duration::from_millis(5),
            longest_wait: Duration::from_millis(20),
            until: Duration::from_secs(60),
        },
    }
}

fn config(folder: &TempDir, server: Option<&Server>, most_bytes: u64) -> Config {
    let folder = folder.path().join("jobs");
    match server {
        None => Config::Folder { folder, most_bytes },
        Some(server) => Config::Bucket {
            folder,
            bucket: Box::new(World::bucket_of(server)),
            most_bytes,
            parts_most_bytes: most_bytes,
        },
    }
}

/// Reads a range of something.
pub(crate) async fn read(
    depot: &Depot,
    name: Name,
    range: Range<u64>,
) -> Result<Vec<u8>, GetError> {
    let read: Vec<Bytes> = depot.get(name, range).await?.try_collect().await?;
    Ok(read.concat())
}

/// The same over a folder and over a bucket.
pub(crate) async fn on_both(test: impl AsyncFn(World)) {
    on_both_of(PLENTY_BYTES, test).await;
}

/// The same with so many bytes for everything.
pub(crate) async fn on_both_of(most_bytes: u64, test: impl AsyncFn(World)) {
    soon(test(World::of_folder(most_bytes).await)).await;
    let bucket = World::of(Some(Server::start().await), most_bytes).await;
    soon(test(bucket)).await;
}
