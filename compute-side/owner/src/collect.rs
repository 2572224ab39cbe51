//! Fetching, checking, opening and assembling a job's results.

use crate::{
    coordinator::{ApiFailure, Coordinator},
    folder::{FolderError, JobFolder},
};
use quern_jobs_api::{ApiError, JobsApiClient, OwnerToken, TaskResult};
use quern_primitives::{GenesisHash, TaskIndex};
use quern_shards::{
    assemble::{AssembleError, Assembler, Placed},
    chunks::chunk_root,
    keys::UnwrapError,
    result::{OpenResultError, open_result},
    seal::sealed_bytes,
};
use std::io::{self, Write};

/// Bytes of results that are held until those before them are here.
const HELD_BYTES_MAX: u64 = 256 * 1024 * 1024;

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
    #[error("the key of task {task} is damaged")]
    Key {
        /// The task.
        task: TaskIndex,
        /// What is wrong.
        source: UnwrapError,
    },
    /// A result does not open.
    #[error("the result of task {task} does not open")]
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
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
}

/// Writes a job's results, opened and checked, one behind the other in task order. `progress` hears
/// how many tasks of how many are written. Returns the bytes written.
pub async fn collect(
    coordinator: &Coordinator,
    genesis: GenesisHash,
    folder: &JobFolder,
    output: &mut impl Write,
    mut progress: impl FnMut(u32, u32),
) -> Result<u64, CollectError> {
    let manifest = folder.manifest(genesis)?;
    let key = folder.key()?;
    let token = coordinator.token(folder)?;
    let result_bytes_max = u64::from(folder.submission()?.result_bytes_max);
    let tasks = manifest.tasks();
    let mut assembler = Assembler::new(tasks, HELD_BYTES_MAX);
    let mut written = 0;
    while assembler.next_task() < tasks {
        let next = assembler.next_task();
        let page = coordinator
            .client()
            .results(folder.job(), token, next)
            .await
            .map_err(ApiFailure::from)?;
        if page.first().is_none_or(|result| result.task != next) {
            return Err(missing(coordinator, folder, token, next).await);
        }
        for result in page {
            let task = result.task;
            if task != assembler.next_task() {
                break;
            }
            check_length(&result, result_bytes_max)?;
            let sealed = fetch(coordinator, folder, token, &result).await?;
            let context = manifest.result_context(task, result.replica, result.device);
            let shard_key = manifest.shard_key(&key, task);
            let (Some(context), Some(shard_key)) = (context, shard_key) else {
                return Err(CollectError::Altered { task });
            };
            let shard_key = shard_key.map_err(|source| CollectError::Key { task, source })?;
            let plaintext = open_result(&shard_key, &context, &result.result_commitment, &sealed)
                .map_err(|source| CollectError::Open { task, source })?;
            if let Placed::Ready(ready) = assembler.place(task, plaintext)? {
                for bytes in ready {
                    written += bytes.len() as u64;
                    output.write_all(&bytes).map_err(CollectError::Output)?;
                }
            }
            progress(assembler.next_task(), tasks);
        }
    }
    output.flush().map_err(CollectError::Output)?;
    Ok(written)
}

/// Why a task has no result: its program fails, or it is not done.
async fn missing(
    coordinator: &Coordinator,
    folder: &JobFolder,
    token: OwnerToken,
    task: TaskIndex,
) -> CollectError {
    let asked = coordinator
        .client()
        .read_result(folder.job(), token, task, 0)
        .await
        .map_err(ApiFailure::from);
    match asked {
        Err(failed @ ApiFailure::Refused(ApiError::ProgramFailed { .. })) => failed.into(),
        _ => CollectError::NotDone { task },
    }
}

/// Whether a result can be as long as the coordinator says, before any of it is fetched: what is
/// fetched is held in memory until it can be checked.
fn check_length(result: &TaskResult, result_bytes_max: u64) -> Result<(), CollectError> {
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

async fn fetch(
    coordinator: &Coordinator,
    folder: &JobFolder,
    token: OwnerToken,
    result: &TaskResult,
) -> Result<Vec<u8>, CollectError> {
    let mut sealed = Vec::new();
    while (sealed.len() as u64) < result.sealed_bytes {
        let (job, offset) = (folder.job(), sealed.len() as u64);
        let piece = coordinator
            .client()
            .read_result(job, token, result.task, offset)
            .await;
        let piece = piece.map_err(ApiFailure::from)?.0;
        if piece.is_empty() {
            return Err(CollectError::Altered { task: result.task });
        }
        sealed.extend_from_slice(&piece);
    }
    match chunk_root(&sealed) == result.output_root {
        true => Ok(sealed),
        false => Err(CollectError::Altered { task: result.task }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{DeviceId, Digest};

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
