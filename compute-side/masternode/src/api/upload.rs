//! What an owner hands in: manifest, program, shards and the job's key.

use super::{Api, PAGE, check_owner};
use crate::{
    context::JobContext,
    daemon::{Command, Shared},
    vault::{Item, Received, Vault},
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
    let offer = api
        .blocking(move |shared| {
            let (vault, context) = (&shared.vault, shared.context(job));
            let shards = context
                .as_ref()
                .map_or_else(Vec::new, |context| shards_held(vault, context, first));
            let key = shared.store.delegated_key(job);
            Ok(Offer {
                manifest_bytes: vault.held(job, Item::Manifest),
                program_bytes: vault.held(job, Item::Program),
                shards,
                shards_complete: context
                    .as_ref()
                    .is_some_and(|job| job.incoming.is_complete()),
                key: key.map_err(|_| ApiError::Storage)?.is_some(),
            })
        })
        .await?;
    Ok(offer)
}

/// From where the owner goes on with each shard, from task `first` on, as many as are told at once.
fn shards_held(vault: &Vault, context: &JobContext, first: TaskIndex) -> Vec<ShardOffer> {
    let tasks = context.manifest.tasks();
    let last = tasks.min(first.saturating_add(PAGE as u32));
    let held = |task| {
        let shard = context.manifest.shard(task)?;
        let bytes = context.incoming.held(vault, task, shard);
        (bytes > 0).then_some(ShardOffer { task, bytes })
    };
    (first..last).filter_map(held).collect()
}

pub(super) async fn put_manifest(
    api: &Api,
    id: JobId,
    token: OwnerToken,
    offset: u64,
    piece: Blob,
) -> Result<u64, ApiError> {
    let (at, job) = api.open_job_as_of(id).await?;
    let held = api
        .blocking(move |shared| {
            check_owner(shared, id, token)?;
            let limit = MANIFEST_BYTES_MAX as u64;
            let item = Item::Manifest;
            let received = shared.vault.append(id, item, offset, limit, &piece.0)?;
            let bytes = match received {
                _ if shared.vault.has(id, item) => return Ok(shared.vault.held(id, item)),
                Received::Partly(held) if piece.0.len() == PIECE_BYTES_MAX => return Ok(held),
                _ => shared
                    .vault
                    .received(id, item)
                    .map_err(|_| ApiError::Storage)?,
            };
            // The last piece is the first short one.
            if manifest::check_digest(&job.submission, &bytes).is_err() {
                shared.vault.drop_part(id, item);
                return Err(ApiError::WrongManifest);
            }
            shared.vault.keep(id, item).map_err(|_| ApiError::Storage)?;
            take_up(shared, id, (at, &job))?;
            Ok(bytes.len() as u64)
        })
        .await?;
    start_if_possible(api, id).await?;
    Ok(held)
}

pub(super) async fn put_program(
    api: &Api,
    job: JobId,
    token: OwnerToken,
    offset: u64,
    piece: Blob,
) -> Result<u64, ApiError> {
    let submission = api.open_job(job).await?.submission;
    let held = api
        .blocking(move |shared| {
            check_owner(shared, job, token)?;
            let (limit, item) = (u64::from(limits::PROGRAM_BYTES_MAX), Item::Program);
            let received = shared.vault.append(job, item, offset, limit, &piece.0)?;
            let bytes = match received {
                _ if shared.vault.has(job, item) => return Ok(shared.vault.held(job, item)),
                Received::Partly(held) if piece.0.len() == PIECE_BYTES_MAX => return Ok(held),
                _ => shared
                    .vault
                    .received(job, item)
                    .map_err(|_| ApiError::Storage)?,
            };
            if ProgramHash(Sha256::digest(&bytes).into()) != submission.program {
                shared.vault.drop_part(job, item);
                return Err(ApiError::WrongProgram);
            }
            // It is given to devices only if they can run it, so that no device is asked in vain.
            if let Err(error) = quern_sandbox::inspect(&bytes) {
                shared.vault.drop_part(job, item);
                let reason = error.to_string();
                return Err(ApiError::BadProgram { reason });
            }
            shared
                .vault
                .keep(job, item)
                .map_err(|_| ApiError::Storage)?;
            Ok(bytes.len() as u64)
        })
        .await?;
    start_if_possible(api, job).await?;
    Ok(held)
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
    let held = api
        .blocking(move |shared| {
            check_owner(shared, job, token)?;
            let context = shared.context(job).ok_or(ApiError::ManifestMissing)?;
            let shard = context
                .manifest
                .shard(task)
                .ok_or(ApiError::NoSuchTask { task })?;
            let vault = &shared.vault;
            let taken = context
                .incoming
                .take(vault, (task, shard), offset, &piece.0)?;
            if taken.tells {
                tell(shared, Command::Arrived { job });
            }
            Ok(taken.bytes)
        })
        .await?;
    Ok(held)
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
        take_up(shared, id, (at, &job))
    })
    .await?;
    start_if_possible(api, id).await?;
    Ok(())
}

/// Starts the job if what every task of it needs is here. Shards may still come.
async fn start_if_possible(api: &Api, job: JobId) -> Result<(), ApiError> {
    api.blocking(move |shared| {
        if shared.context(job).is_some() && shared.vault.has(job, Item::Program) {
            tell(shared, Command::Uploaded { job });
        }
        Ok(())
    })
    .await
}

/// Tells whoever owns the core what is on disk, where the going of whoever asked interrupts nothing.
fn tell(shared: &Shared, command: Command) {
    // An error says that the masternode stops.
    drop(shared.commands.blocking_send(command));
}

/// Opens a job's manifest once both it and the key are here. From then on shards are taken.
fn take_up(shared: &Shared, id: JobId, (at, job): (BlockNumber, &Job)) -> Result<(), ApiError> {
    let key = shared.store.delegated_key(id);
    if let Some(key) = key.map_err(|_| ApiError::Storage)?
        && shared.vault.has(id, Item::Manifest)
        && shared.context(id).is_none()
    {
        shared.learn_of(id, at, job.clone());
        let context = open_context(shared, id, job, key);
        shared.put_context(id, context.ok_or(ApiError::WrongManifest)?);
    }
    // The chain may have closed the job meanwhile; its end is on disk before its key goes. Where another
    // masternode goes on with it, this one keeps all of it.
    let closed = shared.store.closed(id).map_err(|_| ApiError::Storage)?;
    if closed.is_some() && !shared.is_of_another(id) {
        shared.drop_context(id);
        return Err(ApiError::Closed);
    }
    Ok(())
}
