//! A job's coordinator, as its owner talks to it.

use crate::{
    folder::{FolderError, JobFolder},
    log::{FetchLogError, LogPart, fetch_log},
    private::at,
};
use jsonrpsee::{
    core::client::{Error as RpcError, Subscription},
    ws_client::{WsClient, WsClientBuilder},
};
use quern_jobs_api::{
    ApiError, Blob, DelegatedKey, JobStatus, JobsApiClient, MESSAGE_BYTES_MAX, Offer, OwnerToken,
    PIECE_BYTES_MAX,
};
use quern_ledger::{Chain, ChainError};
use quern_primitives::{
    GenesisHash, JobId, TaskIndex,
    job::{Job, JobState},
    view::MasternodeView,
};
use quern_shards::keys::{Delegation, HandOverError, delegate};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

/// How long a coordinator may take to answer one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a coordinator may take to learn of a job that the chain has given it.
const TAKE_UP_PATIENCE: Duration = Duration::from_secs(60);

/// How often the upload of one file starts again from where the coordinator says that it is. Each
/// time a piece got lost on its way, or another program of the same owner uploads too.
const RESUMES_MAX: u32 = 16;

/// What a masternode answered instead of a result.
#[derive(Debug, thiserror::Error)]
pub enum ApiFailure {
    /// It refused, and says why.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// It did not answer.
    #[error("the masternode does not answer; it may be restarting, run the command again")]
    NoAnswer(#[source] RpcError),
}

impl From<RpcError> for ApiFailure {
    fn from(error: RpcError) -> Self {
        if let RpcError::Call(refusal) = &error
            && let Some(data) = refusal.data()
            && let Ok(refused) = serde_json::from_str(data.get())
        {
            return Self::Refused(refused);
        }
        Self::NoAnswer(error)
    }
}

/// Why a job's coordinator could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The chain does not know the job.
    #[error(
        "the chain knows no job {job}; `quern job list` shows yours, and --node names a node of another chain"
    )]
    NoSuchJob {
        /// The job.
        job: JobId,
    },
    /// The job is over, and who coordinated it is not to be found.
    #[error(
        "the job is over, and no masternode that answers keeps anything of it; `quern job show` says how it ended"
    )]
    Over {
        /// How it stands.
        state: Box<JobState>,
    },
    /// The chain has drawn no coordinator, or the one drawn says nowhere where it is.
    #[error(
        "no masternode has taken the job after {blocks} blocks; if the chain has masternodes that run, wait, else cancel with `quern job cancel`"
    )]
    NotTaken {
        /// How many blocks were waited.
        blocks: u32,
    },
    /// All was sent, or need not be sent again, and yet the masternode has not all of it.
    #[error(
        "the masternode took all shards and says that some are not there; they stay here, run `quern job resume`"
    )]
    Incomplete,
    /// The coordinator cannot be reached.
    #[error(
        "the coordinator at {url} cannot be reached; it may be restarting, run the command again"
    )]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What went wrong.
        source: Box<RpcError>,
    },
    /// The coordinator refused or failed.
    #[error(transparent)]
    Api(#[from] ApiFailure),
    /// The coordinator published a key that protects nothing.
    #[error(transparent)]
    Key(#[from] HandOverError),
    /// The job's folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The node failed to answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Blocks to wait for a coordinator. One is drawn in the block after the submission.
const DRAW_PATIENCE_BLOCKS: u32 = 30;

/// What is uploaded so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadProgress {
    /// Bytes that are there.
    pub bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// A connection to a job's coordinator.
pub struct Coordinator {
    client: WsClient,
    view: MasternodeView,
    genesis: GenesisHash,
    job: JobId,
}

impl Coordinator {
    /// Finds a job's coordinator on the chain, waiting until one is drawn, and connects to it.
    pub async fn of(chain: &Chain, job: JobId) -> Result<Self, CoordinatorError> {
        let mut blocks = chain.finalised().await?;
        for _ in 0..DRAW_PATIENCE_BLOCKS {
            let state = chain.at_finalised().await?;
            let known = state
                .job(job)
                .await?
                .ok_or(CoordinatorError::NoSuchJob { job })?;
            if let Some(account) = known.state.coordinator() {
                let views = state.masternodes().await?;
                if let Some(view) = views.into_iter().find(|view| view.account == *account) {
                    return Self::connect(chain, job, view).await;
                }
            }
            if !known.state.is_open() {
                // Results of an ended job are still at the masternode that coordinated it.
                return Self::of_ended(chain, job, known).await;
            }
            blocks.next().await?;
        }
        Err(CoordinatorError::NotTaken {
            blocks: DRAW_PATIENCE_BLOCKS,
        })
    }

    /// The chain no longer says who coordinated an ended job, so each masternode is asked.
    async fn of_ended(chain: &Chain, job: JobId, ended: Job) -> Result<Self, CoordinatorError> {
        for view in chain.at_finalised().await?.masternodes().await? {
            if let Ok(coordinator) = Self::connect(chain, job, view).await
                && coordinator.status().await.is_ok()
            {
                return Ok(coordinator);
            }
        }
        Err(CoordinatorError::Over {
            state: Box::new(ended.state),
        })
    }

    /// Every masternode that has something of a job: who coordinates it, and who did before.
    pub async fn each_of(chain: &Chain, job: JobId) -> Result<Vec<Self>, CoordinatorError> {
        let mut found = Vec::new();
        for view in chain.at_finalised().await?.masternodes().await? {
            if let Ok(coordinator) = Self::connect(chain, job, view).await
                && coordinator.status().await.is_ok()
            {
                found.push(coordinator);
            }
        }
        Ok(found)
    }

    pub(crate) async fn connect(
        chain: &Chain,
        job: JobId,
        view: MasternodeView,
    ) -> Result<Self, CoordinatorError> {
        let url = String::from_utf8_lossy(&view.jobs_api).into_owned();
        let client = WsClientBuilder::default()
            .max_request_size(MESSAGE_BYTES_MAX)
            .max_response_size(MESSAGE_BYTES_MAX)
            .request_timeout(REQUEST_TIMEOUT)
            .build(&url)
            .await
            .map_err(|source| CoordinatorError::Unreachable {
                url,
                source: Box::new(source),
            })?;
        Ok(Self {
            client,
            view,
            genesis: chain.genesis(),
            job,
        })
    }

    /// The masternode.
    pub fn view(&self) -> &MasternodeView {
        &self.view
    }

    /// The connection, for what is asked rarely.
    pub fn client(&self) -> &WsClient {
        &self.client
    }

    /// How far the job is.
    pub async fn status(&self) -> Result<JobStatus, ApiFailure> {
        Ok(self.client.status(self.job).await?)
    }

    /// How far the job is, whenever that changes.
    pub async fn watch(&self) -> Result<Subscription<JobStatus>, ApiFailure> {
        Ok(self.client.watch(self.job).await?)
    }

    /// The blocks of the job's log from the one with index `from` on, as many as come at once. See
    /// [`fetch_log`].
    pub async fn log(&self, from: u64) -> Result<LogPart, FetchLogError> {
        fetch_log(&self.client, self.job, from).await
    }

    /// What shows the coordinator that the job is of who has this folder; it wants to see it with
    /// each piece that is uploaded, and whenever results are fetched.
    pub fn token(&self, folder: &JobFolder) -> Result<OwnerToken, FolderError> {
        folder.owner_token(self.genesis, self.view.account.clone())
    }

    /// Uploads key, manifest, program and shards: what is not there yet. The job starts before the
    /// shards come, and each becomes a task as soon as it is there.
    pub async fn upload(
        &self,
        folder: &JobFolder,
        progress: impl FnMut(UploadProgress),
    ) -> Result<(), CoordinatorError> {
        let offer = self.begin(folder).await?;
        self.upload_program(folder, &offer).await?;
        self.upload_shards(folder, progress).await
    }

    /// Uploads the shards that are not there yet, after [`Coordinator::begin`]. Without the program
    /// nothing of them is given out.
    pub async fn upload_shards(
        &self,
        folder: &JobFolder,
        mut progress: impl FnMut(UploadProgress),
    ) -> Result<(), CoordinatorError> {
        let token = self.token(folder)?;
        let manifest = folder.manifest(self.genesis)?;
        let mut held: BTreeMap<TaskIndex, u64> = BTreeMap::new();
        let mut first = 0;
        while first < manifest.tasks() {
            let offer = self
                .client
                .offer(self.job, first)
                .await
                .map_err(ApiFailure::from)?;
            held.extend(offer.shards.iter().map(|shard| (shard.task, shard.bytes)));
            first = first.saturating_add(4_096);
        }
        let total_bytes = manifest
            .shards()
            .iter()
            .map(|shard| shard.sealed_bytes())
            .sum();
        let mut done = UploadProgress {
            bytes: 0,
            total_bytes,
        };
        for (task, shard) in (0..).zip(manifest.shards()) {
            let from = held.get(&task).copied().unwrap_or(0);
            if from < shard.sealed_bytes() {
                send_file(&folder.shard(task), from, |offset, piece| {
                    self.client.put_shard(self.job, token, task, offset, piece)
                })
                .await?;
            }
            done.bytes += shard.sealed_bytes();
            progress(done);
        }
        // What it said that it has was not sent again. Only when it says that all is there, each shard checked
        // against the manifest, is there no need of another copy.
        let offer = self.client.offer(self.job, 0).await;
        match offer.map_err(ApiFailure::from)?.shards_complete {
            true => Ok(()),
            false => Err(CoordinatorError::Incomplete),
        }
    }

    /// Uploads what comes first: the job's key, and then the manifest. Returns what was there before.
    pub async fn begin(&self, folder: &JobFolder) -> Result<Offer, CoordinatorError> {
        let offer = self.first_offer().await?;
        self.delegate_key(folder).await?;
        self.upload_manifest(folder, &offer).await?;
        Ok(offer)
    }

    /// The coordinator may need a moment to learn from the chain that the job is its own.
    async fn first_offer(&self) -> Result<Offer, CoordinatorError> {
        let begun = tokio::time::Instant::now();
        loop {
            match self
                .client
                .offer(self.job, 0)
                .await
                .map_err(ApiFailure::from)
            {
                Err(ApiFailure::Refused(ApiError::NotCoordinator | ApiError::Starting))
                    if begun.elapsed() < TAKE_UP_PATIENCE =>
                {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                offer => return Ok(offer?),
            }
        }
    }

    async fn upload_manifest(
        &self,
        folder: &JobFolder,
        offer: &Offer,
    ) -> Result<(), CoordinatorError> {
        let token = self.token(folder)?;
        send_file(
            &folder.manifest_file(),
            offer.manifest_bytes,
            |offset, piece| self.client.put_manifest(self.job, token, offset, piece),
        )
        .await
    }

    /// Uploads the program, from where the coordinator says that it is.
    pub async fn upload_program(
        &self,
        folder: &JobFolder,
        offer: &Offer,
    ) -> Result<(), CoordinatorError> {
        let token = self.token(folder)?;
        send_file(&folder.program(), offer.program_bytes, |offset, piece| {
            self.client.put_program(self.job, token, offset, piece)
        })
        .await
    }

    async fn delegate_key(&self, folder: &JobFolder) -> Result<(), CoordinatorError> {
        let purpose = Delegation {
            genesis: self.genesis,
            job: self.job,
            masternode: self.view.account.clone(),
        };
        let key = folder.key()?;
        let sealed = delegate(&key, &self.view.sealing_key, &purpose, &mut rand::rng())?;
        let key = DelegatedKey {
            encapsulated: Blob(sealed.encapsulated.to_vec()),
            ciphertext: Blob(sealed.ciphertext.to_vec()),
        };
        Ok(self
            .client
            .delegate_key(self.job, key)
            .await
            .map_err(ApiFailure::from)?)
    }
}

/// Sends a file from an offset on. The last piece is the first that is short; a file of whole pieces
/// ends with an empty one. When a piece does not follow what the coordinator holds, it says what it
/// holds, and the file is sent from there.
async fn send_file<F>(
    path: &Path,
    from: u64,
    mut put: impl FnMut(u64, Blob) -> F,
) -> Result<(), CoordinatorError>
where
    F: Future<Output = Result<u64, RpcError>>,
{
    let mut file = File::open(path).map_err(at(path))?;
    let file_bytes = file.metadata().map_err(at(path))?.len();
    let (mut offset, mut resumes) = (from, 0);
    file.seek(SeekFrom::Start(offset)).map_err(at(path))?;
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES_MAX);
        let read = (&mut file)
            .take(PIECE_BYTES_MAX as u64)
            .read_to_end(&mut piece);
        let length = read.map_err(at(path))?;
        match put(offset, Blob(piece)).await.map_err(ApiFailure::from) {
            Ok(_) if length < PIECE_BYTES_MAX => return Ok(()),
            Ok(_) => offset += length as u64,
            Err(ApiFailure::Refused(ApiError::OutOfOrder { expected }))
                if expected <= file_bytes && resumes < RESUMES_MAX =>
            {
                resumes += 1;
                offset = expected;
                file.seek(SeekFrom::Start(offset)).map_err(at(path))?;
            }
            Err(failure) => return Err(failure.into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// A file of two whole pieces and a short one.
    fn file() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let length = 2 * PIECE_BYTES_MAX + 5;
        let bytes: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        (folder, path, bytes)
    }

    fn out_of_order(expected: u64) -> RpcError {
        RpcError::Call(ApiError::OutOfOrder { expected }.into())
    }

    /// What a coordinator says that takes pieces in order.
    fn take(held: &RefCell<Vec<u8>>, offset: u64, piece: &[u8]) -> Result<u64, RpcError> {
        let mut held = held.borrow_mut();
        if offset != held.len() as u64 {
            return Err(out_of_order(held.len() as u64));
        }
        held.extend_from_slice(piece);
        Ok(held.len() as u64)
    }

    #[tokio::test]
    async fn a_file_is_sent_from_where_the_coordinator_says_that_it_is() {
        let (_folder, path, bytes) = file();
        // It holds more, or less, than was thought; or all, and has not looked at it.
        let all = bytes.len();
        for (thought, holds) in [
            (0, PIECE_BYTES_MAX + 7),
            (PIECE_BYTES_MAX as u64, 3),
            (0, all),
        ] {
            let held = RefCell::new(bytes[..holds].to_vec());
            let sent = send_file(&path, thought, |offset, piece| {
                let taken = take(&held, offset, &piece.0);
                async move { taken }
            });
            sent.await.unwrap();
            assert!(*held.borrow() == bytes, "{thought} {holds}");
        }
    }

    #[tokio::test]
    async fn a_coordinator_that_never_goes_on_is_given_up() {
        let (_folder, path, _) = file();
        let asked = Cell::new(0);
        let sent = send_file(&path, 0, |_, _| {
            asked.set(asked.get() + 1);
            async { Err(out_of_order(9)) }
        });
        let refused = sent.await.unwrap_err();
        assert!(matches!(
            refused,
            CoordinatorError::Api(ApiFailure::Refused(ApiError::OutOfOrder { expected: 9 }))
        ));
        assert_eq!(asked.get(), RESUMES_MAX + 1);
    }
}
