//! Fetching, checking, opening and assembling a job's results, while the job runs.
//!
//! Results are fetched in the order in which their tasks are decided, opened, checked, and kept in the
//! job's folder. The output is put together in the order of the tasks, as soon as its next part is
//! there. Whoever goes on after a crash fetches what is missing in the folder.

use crate::{
    coordinator::{ApiFailure, Coordinator},
    folder::{FolderError, JobFolder},
    private::at,
};
use jsonrpsee::core::client::Error as RpcError;
use quern_jobs_api::{ApiError, Blob, JobsApiClient, TaskResult};
use quern_primitives::{AccountId, GenesisHash, TaskIndex};
use quern_shards::{
    assemble::{AssembleError, Assembler, Placed},
    chunks::chunk_root,
    keys::{JobKey, UnwrapError},
    manifest::ValidatedManifest,
    result::{OpenResultError, open_result},
    seal::sealed_bytes,
};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
};

/// Bytes of results that are held in memory until those before them are here. Others are read again
/// from the job's folder.
const HELD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why results were not collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The coordinator refused or failed.
    #[error(transparent)]
    Api(#[from] ApiFailure),
    /// The job's folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Not all tasks are decided.
    #[error("task {task} has no accepted answer yet; `quern job watch` tells how far the job is")]
    NotDone {
        /// The first task without an answer.
        task: TaskIndex,
    },
    /// The coordinator names a length that no result of this job has. Nothing was fetched.
    #[error(
        "the coordinator says that the result of task {task} has {result_bytes} bytes, {sealed_bytes} sealed; the job allows {result_bytes_max}. Nothing was fetched; tell the council about the coordinator"
    )]
    Length {
        /// The task.
        task: TaskIndex,
        /// Plaintext bytes, as the coordinator says.
        result_bytes: u64,
        /// Sealed bytes, as the coordinator says.
        sealed_bytes: u64,
        /// Plaintext bytes that a result of the job may have.
        result_bytes_max: u64,
    },
    /// The bytes are not the ones that the device signed for.
    #[error(
        "the result of task {task} is not the one its device signed; fetch it again, and tell the council about the coordinator if it stays so"
    )]
    Altered {
        /// The task.
        task: TaskIndex,
    },
    /// The key of a shard does not unwrap.
    #[error("the key of task {task} is damaged; restore the job's folder from a backup")]
    Key {
        /// The task.
        task: TaskIndex,
        /// What is wrong.
        source: UnwrapError,
    },
    /// A result does not open.
    #[error(
        "the result of task {task} does not open; fetch it again, and tell the council about the coordinator if it stays so"
    )]
    Open {
        /// The task.
        task: TaskIndex,
        /// What is wrong.
        source: OpenResultError,
    },
    /// Results do not fit together.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The output cannot be written.
    #[error("the output cannot be written; is the disk full?")]
    Output(#[source] io::Error),
}

/// How much of a job's results is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectProgress {
    /// Results that are in the job's folder, opened and checked.
    pub downloaded: u32,
    /// Results that there will be: the job's tasks.
    pub tasks: u32,
}

/// Fetches a job's results as they are decided, and puts the output together meanwhile.
pub struct Collector<W> {
    folder: JobFolder,
    manifest: ValidatedManifest,
    key: JobKey,
    result_bytes_max: u64,
    /// The tasks whose result is in the folder.
    here: BTreeSet<TaskIndex>,
    /// Results that the coordinator has told of.
    told: u32,
    /// The coordinator that told of them: another one begins anew.
    told_by: Option<AccountId>,
    output: Option<Output<W>>,
}

/// The output, as far as it is put together.
struct Output<W> {
    assembler: Assembler,
    to: W,
    bytes: u64,
}

impl<W: Write> Collector<W> {
    /// Begins, or goes on with what is in the job's folder: what is there of the beginning of the output
    /// is written to it at once. Without an output results are fetched and kept.
    pub fn new(
        genesis: GenesisHash,
        folder: &JobFolder,
        output: Option<W>,
    ) -> Result<Self, CollectError> {
        let manifest = folder.manifest(genesis)?;
        let tasks = manifest.tasks();
        let mut here = folder.tasks_with_result()?;
        here.retain(|task| *task < tasks);
        let output = output.map(|to| Output {
            assembler: Assembler::new(tasks, HELD_BYTES_MAX),
            to,
            bytes: 0,
        });
        let mut collector = Self {
            folder: folder.clone(),
            key: folder.key()?,
            result_bytes_max: folder.submission()?.result_bytes_max.into(),
            manifest,
            here,
            told: 0,
            told_by: None,
            output,
        };
        collector.assemble()?;
        Ok(collector)
    }

    /// How much is here.
    pub fn progress(&self) -> CollectProgress {
        CollectProgress {
            downloaded: self.here.len() as u32,
            tasks: self.manifest.tasks(),
        }
    }

    /// Whether every result is here.
    pub fn is_whole(&self) -> bool {
        self.first_missing().is_none()
    }

    fn first_missing(&self) -> Option<TaskIndex> {
        (0..self.manifest.tasks()).find(|task| !self.here.contains(task))
    }

    /// Fetches the results of tasks that are decided and not here. `progress` hears of each. What was
    /// fetched stays when it fails; so it does when it is dropped.
    pub async fn fetch(
        &mut self,
        coordinator: &Coordinator,
        mut progress: impl FnMut(CollectProgress),
    ) -> Result<(), CollectError> {
        let (job, token) = (self.folder.job(), coordinator.token(&self.folder)?);
        let by = &coordinator.view().account;
        if self.told_by.as_ref() != Some(by) {
            self.told = 0;
            self.told_by = Some(by.clone());
        }
        // A coordinator that tells of more results than there are is not listened to.
        while self.told < self.manifest.tasks() {
            let page = coordinator
                .client()
                .results(job, token, self.told)
                .await
                .map_err(ApiFailure::from)?;
            if page.is_empty() {
                break;
            }
            for result in page {
                if !self.here.contains(&result.task) {
                    check_length(&result, self.result_bytes_max)?;
                    let (client, task) = (coordinator.client(), result.task);
                    let piece = |offset| client.read_result(job, token, task, offset);
                    let sealed = fetch(&result, piece).await?;
                    self.take(&result, &sealed)?;
                    progress(self.progress());
                }
                self.told = self.told.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Opens and checks a result, keeps it, and goes on with the output.
    fn take(&mut self, result: &TaskResult, sealed: &[u8]) -> Result<(), CollectError> {
        let task = result.task;
        let plaintext = open(&self.manifest, &self.key, result, sealed)?;
        self.folder.put_result(task, &plaintext)?;
        self.here.insert(task);
        if let Some(output) = &mut self.output {
            output.place(task, plaintext)?;
        }
        self.assemble()
    }

    /// Puts those results to the output that come next and are in the folder.
    fn assemble(&mut self) -> Result<(), CollectError> {
        let Some(output) = &mut self.output else {
            return Ok(());
        };
        loop {
            let next = output.assembler.next_task();
            if !self.here.contains(&next) {
                return Ok(());
            }
            let path = self.folder.result(next);
            output.place(next, fs::read(&path).map_err(at(&path))?)?;
        }
    }

    /// The output, if one was given and it is whole, with its bytes.
    pub fn finish(self) -> Result<Option<(W, u64)>, CollectError> {
        if let Some(task) = self.first_missing() {
            return Err(CollectError::NotDone { task });
        }
        let Some(mut output) = self.output else {
            return Ok(None);
        };
        output.to.flush().map_err(CollectError::Output)?;
        Ok(Some((output.to, output.bytes)))
    }

    /// Why results are missing: the program of one fails, or it is not done. None if none is missing.
    pub async fn why_missing(
        &self,
        coordinator: &Coordinator,
    ) -> Result<Option<CollectError>, CollectError> {
        let Some(task) = self.first_missing() else {
            return Ok(None);
        };
        let token = coordinator.token(&self.folder)?;
        let asked = coordinator
            .client()
            .read_result(self.folder.job(), token, task, 0)
            .await
            .map_err(ApiFailure::from);
        Ok(Some(match asked {
            Ok(_) | Err(ApiFailure::Refused(ApiError::NotDecided { .. })) => {
                CollectError::NotDone { task }
            }
            Err(failed) => failed.into(),
        }))
    }
}

impl<W: Write> Output<W> {
    /// Takes the result of a task. What is not next and finds no room is in the folder, and taken from
    /// there when its turn has come.
    fn place(&mut self, task: TaskIndex, result: Vec<u8>) -> Result<(), CollectError> {
        if let Placed::Ready(ready) = self.assembler.place(task, result)? {
            for bytes in ready {
                self.bytes += bytes.len() as u64;
                self.to.write_all(&bytes).map_err(CollectError::Output)?;
            }
        }
        Ok(())
    }
}

/// Writes a job's results, opened and checked, one behind the other in task order. `progress` hears
/// how many results of how many are here. Returns the bytes written. What was kept of them in the job's
/// folder goes when all are written.
pub async fn collect(
    coordinator: &Coordinator,
    genesis: GenesisHash,
    folder: &JobFolder,
    output: &mut impl Write,
    mut progress: impl FnMut(u32, u32),
) -> Result<u64, CollectError> {
    let mut collector = Collector::new(genesis, folder, Some(output))?;
    let told = |now: CollectProgress| progress(now.downloaded, now.tasks);
    collector.fetch(coordinator, told).await?;
    if let Some(why) = collector.why_missing(coordinator).await? {
        return Err(why);
    }
    let written = collector.finish()?;
    folder.drop_results()?;
    Ok(written.map_or(0, |(_, bytes)| bytes))
}

/// Opens a sealed result, if it is the one that a masternode tells of.
pub(crate) fn open(
    manifest: &ValidatedManifest,
    key: &JobKey,
    result: &TaskResult,
    sealed: &[u8],
) -> Result<Vec<u8>, CollectError> {
    let task = result.task;
    let context = manifest.result_context(task, result.replica, result.device);
    let shard_key = manifest.shard_key(key, task);
    let (Some(context), Some(shard_key)) = (context, shard_key) else {
        return Err(CollectError::Altered { task });
    };
    if chunk_root(sealed) != result.output_root {
        return Err(CollectError::Altered { task });
    }
    let shard_key = shard_key.map_err(|source| CollectError::Key { task, source })?;
    open_result(&shard_key, &context, &result.result_commitment, sealed)
        .map_err(|source| CollectError::Open { task, source })
}

/// Whether a result can be as long as the coordinator says, before any of it is fetched: what is
/// fetched is held in memory until it can be checked.
pub(crate) fn check_length(result: &TaskResult, result_bytes_max: u64) -> Result<(), CollectError> {
    let fits = result.result_bytes <= result_bytes_max
        && result.sealed_bytes == sealed_bytes(result.result_bytes);
    match fits {
        true => Ok(()),
        false => Err(CollectError::Length {
            task: result.task,
            result_bytes: result.result_bytes,
            sealed_bytes: result.sealed_bytes,
            result_bytes_max,
        }),
    }
}

/// Fetches a sealed result, whose length was checked, piece by piece.
pub(crate) async fn fetch<F>(
    result: &TaskResult,
    mut piece_from: impl FnMut(u64) -> F,
) -> Result<Vec<u8>, CollectError>
where
    F: Future<Output = Result<Blob, RpcError>>,
{
    let mut sealed = Vec::new();
    while (sealed.len() as u64) < result.sealed_bytes {
        let piece = piece_from(sealed.len() as u64).await;
        let piece = piece.map_err(ApiFailure::from)?.0;
        if piece.is_empty() {
            return Err(CollectError::Altered { task: result.task });
        }
        sealed.extend_from_slice(&piece);
    }
    Ok(sealed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::{GENESIS, TASKS, prepared, text};
    use quern_primitives::{DeviceId, Digest};
    use quern_shards::result::seal_result;

    /// What a device made of a task, and what the coordinator tells of it.
    fn made(folder: &JobFolder, task: TaskIndex) -> (TaskResult, Vec<u8>) {
        let (manifest, key) = (folder.manifest(GENESIS).unwrap(), folder.key().unwrap());
        let shard_key = manifest.shard_key(&key, task).unwrap().unwrap();
        let device = DeviceId([5; 32]);
        let context = manifest.result_context(task, 0, device).unwrap();
        let sealed = seal_result(&shard_key, &context, &text(task)).unwrap();
        let result = TaskResult {
            task,
            replica: 0,
            device,
            result_bytes: text(task).len() as u64,
            sealed_bytes: sealed.bytes.len() as u64,
            output_root: sealed.chunk_root,
            result_commitment: sealed.commitment,
        };
        (result, sealed.bytes)
    }

    fn take(collector: &mut Collector<Vec<u8>>, folder: &JobFolder, task: TaskIndex) {
        let (result, sealed) = made(folder, task);
        collector.take(&result, &sealed).unwrap();
    }

    /// What is put together so far.
    fn written(collector: &Collector<Vec<u8>>) -> &[u8] {
        &collector.output.as_ref().unwrap().to
    }

    fn texts(tasks: impl IntoIterator<Item = TaskIndex>) -> Vec<u8> {
        tasks.into_iter().flat_map(text).collect()
    }

    /// All orders of these tasks.
    fn orders(tasks: &[TaskIndex]) -> Vec<Vec<TaskIndex>> {
        if tasks.is_empty() {
            return vec![vec![]];
        }
        let beginning_with = |first: &TaskIndex| {
            let rest: Vec<_> = tasks.iter().copied().filter(|it| it != first).collect();
            let ends = orders(&rest).into_iter();
            let first = *first;
            ends.map(move |end| [vec![first], end].concat())
                .collect::<Vec<_>>()
        };
        tasks.iter().flat_map(beginning_with).collect()
    }

    #[test]
    fn results_that_come_in_any_order_are_put_together_in_the_order_of_their_tasks() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = prepared(jobs.path());
        for order in orders(&[0, 1, 2, 3]) {
            let mut collector = Collector::new(GENESIS, &folder, Some(Vec::new())).unwrap();
            for (before, task) in (0..).zip(&order) {
                assert_eq!(collector.progress().downloaded, before);
                assert!(!collector.is_whole());
                take(&mut collector, &folder, *task);
            }
            let whole = texts(0..TASKS);
            let length = whole.len() as u64;
            let finished = collector.finish().unwrap();
            assert_eq!(finished, Some((whole, length)), "{order:?}");
            folder.drop_results().unwrap();
        }
    }

    #[test]
    fn the_output_goes_on_as_soon_as_its_next_part_is_there() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = prepared(jobs.path());
        let mut collector = Collector::new(GENESIS, &folder, Some(Vec::new())).unwrap();
        for (task, until) in [(1, 0), (0, 2), (3, 2), (2, 4)] {
            take(&mut collector, &folder, task);
            assert_eq!(written(&collector), texts(0..until), "task {task}");
        }
    }

    #[test]
    fn what_is_in_the_folder_after_a_crash_is_gone_on_with() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = prepared(jobs.path());
        let mut collector = Collector::new(GENESIS, &folder, None).unwrap();
        take(&mut collector, &folder, 2);
        take(&mut collector, &folder, 0);
        drop(collector);
        fs::write(folder.results().join("1.77.part"), b"half of it").unwrap();
        let mut collector = Collector::new(GENESIS, &folder, Some(Vec::new())).unwrap();
        assert_eq!(collector.progress().downloaded, 2);
        assert_eq!(written(&collector), texts([0]));
        take(&mut collector, &folder, 1);
        assert_eq!(written(&collector), texts(0..3));
        take(&mut collector, &folder, 3);
        assert_eq!(written(&collector), texts(0..TASKS));
    }

    #[test]
    fn a_job_that_ends_early_leaves_the_results_that_there_are() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = prepared(jobs.path());
        let mut collector = Collector::new(GENESIS, &folder, Some(Vec::new())).unwrap();
        take(&mut collector, &folder, 0);
        take(&mut collector, &folder, 3);
        let refused = collector.finish();
        assert!(matches!(refused, Err(CollectError::NotDone { task: 1 })));
        for task in [0, 3] {
            assert_eq!(fs::read(folder.result(task)).unwrap(), text(task));
        }
    }

    #[test]
    fn a_result_that_was_altered_is_not_kept() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = prepared(jobs.path());
        let mut collector = Collector::new(GENESIS, &folder, Some(Vec::new())).unwrap();
        let (result, mut sealed) = made(&folder, 1);
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        let refused = collector.take(&result, &sealed);
        assert!(matches!(refused, Err(CollectError::Altered { task: 1 })));
        let lie = TaskResult {
            output_root: chunk_root(&sealed),
            ..result.clone()
        };
        let refused = collector.take(&lie, &sealed);
        assert!(matches!(refused, Err(CollectError::Open { task: 1, .. })));
        let of_no_task = TaskResult { task: 9, ..result };
        let refused = collector.take(&of_no_task, &sealed);
        assert!(matches!(refused, Err(CollectError::Altered { task: 9 })));
        assert_eq!(collector.progress().downloaded, 0);
        assert!(folder.tasks_with_result().unwrap().is_empty());
    }

    fn result(result_bytes: u64, sealed_bytes: u64) -> TaskResult {
        TaskResult {
            task: 3,
            replica: 0,
            device: DeviceId([1; 32]),
            result_bytes,
            sealed_bytes,
            output_root: Digest([2; 32]),
            result_commitment: Digest([3; 32]),
        }
    }

    #[test]
    fn a_result_as_long_as_the_job_allows_is_fetched() {
        for bytes in [0, 1, 65_536, 100_000] {
            let result = result(bytes, sealed_bytes(bytes));
            assert!(check_length(&result, 100_000).is_ok(), "{bytes}");
        }
    }

    #[test]
    fn a_coordinator_that_names_too_long_a_result_is_not_believed() {
        let limit = 1_000;
        let lies = [
            (limit + 1, sealed_bytes(limit + 1)),
            (limit, sealed_bytes(limit) + 1),
            (limit, u64::MAX),
            (u64::MAX, sealed_bytes(limit)),
            (5, 0),
        ];
        for (plain, sealed) in lies {
            let refused = check_length(&result(plain, sealed), limit);
            assert!(
                matches!(
                    refused,
                    Err(CollectError::Length { task: 3, result_bytes, sealed_bytes, result_bytes_max })
                        if (result_bytes, sealed_bytes, result_bytes_max) == (plain, sealed, limit)
                ),
                "{plain} {sealed}"
            );
        }
    }
}
