//! What an owner hands in: manifest, program, shards and the job's key.

use super::{Api, PAGE};
use crate::{
    context::JobContext,
    daemon::{Command, Shared},
    vault::{Content, Item, Received, Vault, not_stored},
    watcher::open_context,
};
use quern_jobs_api::{
    ApiError, Blob, DelegatedKey, MANIFEST_BYTES_MAX, Offer, OwnerToken, PIECE_BYTES_MAX,
    ShardOffer,
};
use quern_primitives::{BlockNumber, JobId, ProgramHash, TaskIndex, job::Job, limits};
use quern_shards::{
    keys::{Delegation, SealedKey, accept_delegation},
    manifest,
};
use sha2::{Digest as _, Sha256};

pub(super) async fn offer(api: &Api, job: JobId, first: TaskIndex) -> Result<Offer, ApiError> {
    api.open_job(job).await?;
    let delegated = api.blocking(move |shared| {
        let key = shared.store.delegated_key(job);
        key.map_err(|_| ApiError::Storage)
    });
    let key = delegated.await?.is_some();
    let (vault, context) = (&api.shared.vault, api.shared.context(job));
    let held = async |item| {
        let held = vault.held(job, item).await;
        held.map_err(|error| not_stored(job, &error))
    };
    Ok(Offer {
        manifest_bytes: held(Item::Manifest).await?,
        program_bytes: held(Item::Program).await?,
        shards: match &context {
            Some(context) => shards_held(vault, context, first).await?,
            None => vec![],
        },
        shards_complete: context.is_some_and(|job| job.incoming.is_complete()),
        key,
    })
}

/// From where the owner goes on with each shard, from task `first` on, as many as are told at once.
async fn shards_held(
    vault: &Vault,
    context: &JobContext,
    first: TaskIndex,
) -> Result<Vec<ShardOffer>, ApiError> {
    let tasks = context.manifest.tasks();
    let last = tasks.min(first.saturating_add(PAGE as u32));
    let shards = (first..last).filter_map(|task| Some((task, context.manifest.shard(task)?)));
    context.incoming.offers(vault, shards).await
}

pub(super) async fn put_manifest(
    api: &Api,
    id: JobId,
    token: OwnerToken,
    offset: u64,
    piece: Blob,
) -> Result<u64, ApiError> {
    let (at, job) = api.open_job_as_of(id).await?;
    let own = api.clone();
    api.apart(async move {
        own.owned(id, token).await?;
        let (vault, item) = (&own.shared.vault, Item::Manifest);
        let limit = MANIFEST_BYTES_MAX as u64;
        let bytes = match append(vault, (id, item), (offset, limit), piece).await? {
            Appended::Partly(held) => return Ok(held),
            Appended::Kept(bytes) => bytes,
            Appended::Whole(bytes) => {
                let submission = job.submission.clone();
                let checked = own.blocking(move |_| {
                    let checked = manifest::check_digest(&submission, &bytes);
                    Ok(checked.is_ok().then(|| Content::of(&bytes)))
                });
                let Some(content) = checked.await? else {
                    vault.drop_received(id, item).await;
                    return Err(ApiError::WrongManifest);
                };
                keep(vault, (id, item), content).await?;
                take_up(&own, id, (at, &job)).await?;
                content.bytes
            }
        };
        start_if_possible(&own.shared, id).await?;
        Ok(bytes)
    })
    .await
}

pub(super) async fn put_program(
    api: &Api,
    job: JobId,
    token: OwnerToken,
    offset: u64,
    piece: Blob,
) -> Result<u64, ApiError> {
    let program = api.open_job(job).await?.submission.program;
    let own = api.clone();
    api.apart(async move {
        own.owned(job, token).await?;
        let (vault, item) = (&own.shared.vault, Item::Program);
        let limit = u64::from(limits::PROGRAM_BYTES_MAX);
        let bytes = match append(vault, (job, item), (offset, limit), piece).await? {
            Appended::Partly(held) => return Ok(held),
            Appended::Kept(bytes) => bytes,
            Appended::Whole(bytes) => {
                let checked = own.blocking(move |_| check_program(program, &bytes)).await;
                let content = match checked {
                    Ok(content) => content,
                    Err(error) => {
                        vault.drop_received(job, item).await;
                        return Err(error);
                    }
                };
                keep(vault, (job, item), content).await?;
                content.bytes
            }
        };
        start_if_possible(&own.shared, job).await?;
        Ok(bytes)
    })
    .await
}

/// What a program is, if it is the job's and devices can run it, so that no device is asked in vain.
fn check_program(program: ProgramHash, bytes: &[u8]) -> Result<Content, ApiError> {
    if ProgramHash(Sha256::digest(bytes).into()) != program {
        return Err(ApiError::WrongProgram);
    }
    quern_sandbox::inspect(bytes).map_err(|error| ApiError::BadProgram {
        reason: error.to_string(),
    })?;
    Ok(Content::of(bytes))
}

/// What came of a piece of something whose length shows at its end.
enum Appended {
    /// So many bytes are here, and more is to come.
    Partly(u64),
    /// All of it has come, and is to be checked.
    Whole(Vec<u8>),
    /// It was here before, in so many bytes.
    Kept(u64),
}

/// Appends a piece at an offset to something that has at most so many bytes. The last piece is the first short one.
async fn append(
    vault: &Vault,
    (job, item): (JobId, Item),
    (offset, limit): (u64, u64),
    piece: Blob,
) -> Result<Appended, ApiError> {
    let is_last = piece.0.len() < PIECE_BYTES_MAX;
    match vault
        .append(job, item, offset, limit, piece.0.into())
        .await?
    {
        Received::Kept(bytes) => Ok(Appended::Kept(bytes)),
        Received::Partly(held) if !is_last => Ok(Appended::Partly(held)),
        Received::Partly(_) | Received::Whole => {
            let bytes = vault.received(job, item).await;
            let bytes = bytes.map_err(|error| not_stored(job, &error))?;
            Ok(Appended::Whole(bytes))
        }
    }
}

/// Gives what was checked its name. The same may have come again meanwhile.
async fn keep(vault: &Vault, (job, item): (JobId, Item), content: Content) -> Result<(), ApiError> {
    let kept = vault.keep(job, item, content).await;
    kept.map_err(|error| not_stored(job, &error))
}

pub(super) async fn put_shard(
    api: &Api,
    job: JobId,
    token: OwnerToken,
    task: TaskIndex,
    offset: u64,
    piece: Blob,
) -> Result<u64, ApiError> {
    api.open_job(job).await?;
    let own = api.clone();
    api.apart(async move {
        own.owned(job, token).await?;
        let shared = &own.shared;
        let context = shared.context(job).ok_or(ApiError::ManifestMissing)?;
        let shard = context.manifest.shard(task);
        let shard = shard.ok_or(ApiError::NoSuchTask { task })?;
        let taken = context
            .incoming
            .take(&shared.vault, (task, shard), offset, piece.0.into());
        let taken = taken.await?;
        if taken.tells {
            tell(shared, Command::Arrived { job }).await;
        }
        Ok(taken.bytes)
    })
    .await
}

pub(super) async fn delegate_key(api: &Api, id: JobId, key: DelegatedKey) -> Result<(), ApiError> {
    let (at, job) = api.open_job_as_of(id).await?;
    let encapsulated = key
        .encapsulated
        .0
        .try_into()
        .map_err(|_| ApiError::WrongKey)?;
    let ciphertext = key
        .ciphertext
        .0
        .try_into()
        .map_err(|_| ApiError::WrongKey)?;
    let own = api.clone();
    api.apart(async move {
        remember_key(&own, id, &job, (encapsulated, ciphertext)).await?;
        take_up(&own, id, (at, &job)).await?;
        start_if_possible(&own.shared, id).await
    })
    .await
}

/// Remembers the key that a job's owner delegates, if it is the one that the chain has the commitment of.
async fn remember_key(
    api: &Api,
    id: JobId,
    job: &Job,
    (encapsulated, ciphertext): ([u8; 32], [u8; 48]),
) -> Result<(), ApiError> {
    let job = job.clone();
    api.blocking(move |shared| {
        let masternode = shared.account.id();
        let purpose = Delegation {
            genesis: shared.genesis,
            job: id,
            masternode,
        };
        let sealed = SealedKey {
            encapsulated,
            ciphertext,
        };
        // Nobody but who has the key that the chain has the commitment of gets beyond this.
        let commitment = &job.submission.key_commitment;
        let key = accept_delegation(&shared.sealing, &purpose, commitment, &sealed)
            .map_err(|_| ApiError::WrongKey)?;
        let (token, sealed) = (key.owner_token(&purpose), (encapsulated, ciphertext));
        let known = shared.store.token(id).map_err(|_| ApiError::Storage)?;
        // An owner who goes on with an upload delegates again; nothing is written anew for it.
        if shared.context(id).is_none() || known.as_ref() != Some(&token) {
            shared
                .store
                .remember_key(id, &job, sealed, &token)
                .map_err(|_| ApiError::Storage)?;
        }
        Ok(())
    })
    .await
}

/// Starts the job if what every task of it needs is here. Shards may still come.
async fn start_if_possible(shared: &Shared, job: JobId) -> Result<(), ApiError> {
    let Some(context) = shared.context(job) else {
        return Ok(());
    };
    let program = context.program_bytes(&shared.vault).await;
    if program.map_err(|error| not_stored(job, &error))?.is_some() {
        tell(shared, Command::Uploaded { job }).await;
    }
    Ok(())
}

/// Tells whoever owns the core what is on disk, where the going of whoever asked interrupts nothing.
async fn tell(shared: &Shared, command: Command) {
    // An error says that the masternode stops.
    drop(shared.commands.send(command).await);
}

/// Opens a job's manifest once both it and the key are here. From then on shards are taken.
async fn take_up(api: &Api, id: JobId, (at, job): (BlockNumber, &Job)) -> Result<(), ApiError> {
    let shared = &api.shared;
    let delegated = api.blocking(move |shared| {
        let key = shared.store.delegated_key(id);
        key.map_err(|_| ApiError::Storage)
    });
    if let Some(key) = delegated.await?
        && shared.context(id).is_none()
        && has(&shared.vault, id, Item::Manifest).await?
    {
        shared.learn_of(id, at, job.clone());
        let context = open_context(shared, id, job, key).await;
        let context = context.map_err(|error| not_stored(id, &error))?;
        shared.put_context(id, context.ok_or(ApiError::WrongManifest)?);
    }
    // The chain may have closed the job meanwhile; its end is on disk before its key goes. Where another
    // masternode goes on with it, this one keeps all of it.
    let closed = api.blocking(move |shared| {
        let closed = shared.store.closed(id);
        closed.map_err(|_| ApiError::Storage)
    });
    if closed.await?.is_some() && !shared.is_of_another(id) {
        shared.drop_context(id);
        return Err(ApiError::Closed);
    }
    Ok(())
}

async fn has(vault: &Vault, job: JobId, item: Item) -> Result<bool, ApiError> {
    let length = vault.length(job, item).await;
    Ok(length.map_err(|error| not_stored(job, &error))?.is_some())
}
