//! Checking a receipt by proofs: of a file, without a node, or of a node that is not believed.

use super::{Asked, ReceiptError, read_at_most};
use crate::units::counted;
use quern_ledger::{Chain, ChainError, Proven, ProvenError};
use quern_light::{
    BlockHash, ChainProof, ChainProofFault, Header, Malformed, ProvenBlock, Trust, ValueFault, Way,
    keys, limits::HEADER_BYTES_MAX,
};
use quern_owner::{verify_accounts, verify_paid, verify_set_aside};
use quern_primitives::{
    BlockNumber, DeviceId, GenesisHash, JobId,
    batch::{BatchRecord, BatchState, PendingBatch},
    device::Device,
    ids::BatchSequence,
    job::Job,
    verdict::{ReceiptFile, ReplicaFinding},
    view::DeviceView,
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Bytes of a proof's file: what it may prove with, twice for the digits, and as much again.
const PROOF_FILE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a header's file.
const HEADER_FILE_BYTES_MAX: u64 = 4 * HEADER_BYTES_MAX as u64;

/// The name of the file that proves a batch, in the folder of its receipts.
pub(crate) fn file_name(batch: BatchSequence) -> String {
    format!("batch-{batch}.chain-proof.json")
}

/// What a proof has to have, to check the receipts of a batch with these devices: which chain it is,
/// what that says of batch and job, and whose the devices were.
pub(crate) fn keys_for<'a>(
    job: JobId,
    batch: BatchSequence,
    devices: impl IntoIterator<Item = &'a DeviceId>,
) -> Vec<keys::Key> {
    let mut all = vec![keys::genesis(), keys::batch(&job, batch), keys::job(&job)];
    all.extend(devices.into_iter().map(keys::device));
    all
}

/// A block that was shown to be final, and how.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) block: BlockNumber,
    pub(crate) hash: BlockHash,
    pub(crate) by: Way,
}

/// Why a proof proves nothing of a receipt.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProofError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReceiptError),
    /// It is none.
    #[error("{path} is no proof; `quern job receipts` saves them beside the receipts")]
    NotAProof {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// What should be a header is none.
    #[error(
        "`{text}` is no header: give its hash, 64 hexadecimal digits, or a file with these or with the encoded header in hexadecimal"
    )]
    NotAHeader { text: String },
    /// What should be a header does not read.
    #[error("the header in {path} does not read")]
    BrokenHeader { path: PathBuf, source: Malformed },
    /// It proves nothing.
    #[error("the proof {path} does not hold")]
    DoesNotHold {
        path: PathBuf,
        source: ChainProofFault,
    },
    /// It is about something else.
    #[error("the proof {path} is not about this receipt; name the right one with --proof")]
    AboutElse { path: PathBuf, source: ValueFault },
}

/// The trusted header that a text names: by its hash, or by a file.
pub(super) fn trusted_header(text: &str) -> Result<BlockHash, ProofError> {
    if let Ok(hash) = text.parse() {
        return Ok(hash);
    }
    let not_a_header = || ProofError::NotAHeader {
        text: text.to_owned(),
    };
    let path = Path::new(text);
    let bytes = read_at_most(path, HEADER_FILE_BYTES_MAX)?;
    let content = String::from_utf8(bytes).map_err(|_| not_a_header())?;
    let content = content.trim().trim_matches('"');
    if let Ok(hash) = content.parse() {
        return Ok(hash);
    }
    let digits = content.strip_prefix("0x").unwrap_or(content);
    let header = hex::decode(digits).map_err(|_| not_a_header())?;
    let header = Header::read(&header).map_err(|source| ProofError::BrokenHeader {
        path: path.to_owned(),
        source,
    })?;
    Ok(header.hash())
}

/// Checks what the chain says of a receipt by a file, beside the receipt unless it is named.
pub(super) fn by_file(
    receipt: &Path,
    proof: Option<&Path>,
    file: &ReceiptFile,
    trust: Trust,
) -> Result<Asked, ProofError> {
    let path = proof.map_or_else(
        || receipt.with_file_name(file_name(file.batch)),
        Path::to_owned,
    );
    let bytes = read_at_most(&path, PROOF_FILE_BYTES_MAX)?;
    let proof: ChainProof = match serde_json::from_slice(&bytes) {
        Ok(proof) => proof,
        Err(source) => return Err(ProofError::NotAProof { path, source }),
    };
    let block = match proof.check(trust) {
        Ok(block) => block,
        Err(source) => return Err(ProofError::DoesNotHold { path, source }),
    };
    by_block(file, &block).map_err(|source| ProofError::AboutElse { path, source })
}

/// Checks a receipt by the state after one block, which proves what is read of it.
fn by_block(file: &ReceiptFile, block: &ProvenBlock) -> Result<Asked, ValueFault> {
    let shown = Shown {
        block: block.header.number,
        hash: block.header.hash(),
        by: block.way,
    };
    let job = &file.verdict.job;
    // Another chain settled nothing of this one's.
    let (mut settled, mut known): (Option<BatchRecord>, Option<Job>) = (None, None);
    let genesis: Option<GenesisHash> = block.value(&keys::genesis())?;
    if genesis == Some(file.genesis) {
        settled = block.value(&keys::batch(job, file.batch))?;
        known = block.value(&keys::job(job))?;
    }
    let mut asked = Asked {
        batch_state: settled.map(|batch| batch.state),
        shown: vec![shown],
        // A state that names no first block is of no chain of these.
        ..Asked::of_job(
            file,
            genesis.unwrap_or_default(),
            settled.as_ref(),
            known.as_ref(),
        )
    };
    let settled_at = settled.map(|batch| batch.settled_at);
    match settled_at {
        // Whose the devices were is told as of the block that settled the batch.
        Some(height) if height == shown.block => {
            let mut devices = Vec::new();
            for found in &file.verdict.replicas {
                let device: Option<Device> = block.value(&keys::device(&found.device))?;
                devices.extend(device.map(|device| seen(found, device)));
            }
            asked.checks.push(verify_accounts(file, &devices));
        }
        other => asked.discarded_block = other,
    }
    Ok(asked)
}

/// Checks a receipt by a node, of which nothing is believed that it does not prove.
pub(super) async fn by_node(
    chain: &Chain,
    file: &ReceiptFile,
    genesis: GenesisHash,
) -> Result<Asked, ProvenError> {
    let proven = Proven::new(chain.clone(), Trust::Genesis(genesis)).await?;
    let newest = proven.newest().await?;
    let (at, job) = (newest.hash(), &file.verdict.job);
    // Another chain settled nothing of this one's.
    let (mut settled, mut known): (Option<BatchRecord>, Option<Job>) = (None, None);
    if genesis == file.genesis {
        settled = proven.value(at, &keys::batch(job, file.batch)).await?;
        known = proven.value(at, &keys::job(job)).await?;
    }
    let mut asked = Asked {
        batch_state: settled.map(|batch| batch.state),
        shown: vec![shown_by(&proven, &newest).await],
        ..Asked::of_job(file, genesis, settled.as_ref(), known.as_ref())
    };
    if let Some(batch) = settled {
        match by_blocks(&proven, file, &batch, &mut asked).await {
            Ok(()) => {}
            Err(ProvenError::Chain(ChainError::Discarded { block, .. })) => {
                asked.discarded_block = Some(block);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(asked)
}

/// Checks what only the blocks prove in which the batch was settled, and became final. What they proved
/// before one of them is not to be had any more stays checked.
async fn by_blocks(
    proven: &Proven,
    file: &ReceiptFile,
    batch: &BatchRecord,
    asked: &mut Asked,
) -> Result<(), ProvenError> {
    let (header, devices) = devices_at(proven, file, batch.settled_at).await?;
    asked.shown.push(shown_by(proven, &header).await);
    asked.checks.push(verify_accounts(file, &devices));
    let (job, sequence) = (file.verdict.job, file.batch);
    match batch.state {
        BatchState::Pending { .. } => {
            // As it was settled: by now it may be final.
            let key = keys::pending_batch(&job, sequence);
            let pending: Option<PendingBatch> = proven.value(header.hash(), &key).await?;
            asked.checks.push(verify_set_aside(file, pending.as_ref()));
        }
        BatchState::Final { at } => {
            let payments = proven.payments_of(at, job, sequence).await?;
            asked.checks.push(verify_paid(file, payments.as_deref()));
            let header = proven.at_height(at).await?;
            asked.shown.push(shown_by(proven, &header).await);
        }
        // Nobody is paid for it, and that it stands does not hold already.
        BatchState::Struck { .. } => {}
    }
    Ok(())
}

/// Whose the devices of a verdict were at a height.
async fn devices_at(
    proven: &Proven,
    file: &ReceiptFile,
    block: BlockNumber,
) -> Result<(Header, Vec<DeviceView>), ProvenError> {
    let header = proven.at_height(block).await?;
    let mut devices = Vec::new();
    for found in &file.verdict.replicas {
        let key = keys::device(&found.device);
        let device: Option<Device> = proven.value(header.hash(), &key).await?;
        devices.extend(device.map(|device| seen(found, device)));
    }
    Ok((header, devices))
}

/// A block of which a node proved that it is final.
pub(crate) async fn shown_by(proven: &Proven, header: &Header) -> Shown {
    let (set, validators) = proven.signers_at(header.number).await;
    Shown {
        block: header.number,
        hash: header.hash(),
        by: Way::Signed { set, validators },
    }
}

/// A device as far as its account is of concern; the rest was not asked for.
fn seen(found: &ReplicaFinding, device: Device) -> DeviceView {
    DeviceView {
        id: found.device,
        device,
        bonded: false,
        banned: false,
        verified: false,
        quarantined: false,
    }
}

impl Shown {
    /// Whether it was shown by signatures, which begin with the chain's first block.
    pub(super) fn is_signed(&self) -> bool {
        matches!(self.by, Way::Signed { .. })
    }

    /// How the block was shown to be final, in words.
    pub(crate) fn words(&self) -> String {
        let how = match self.by {
            Way::Signed { set, validators } => format!(
                "more than two thirds of the {} of set {set} signed it, and each set was named by the one before it, from the chain's first block on",
                counted(validators, "validator")
            ),
            Way::Header { behind: 0 } => "it is the one that you trust".to_owned(),
            Way::Header { behind } => {
                format!(
                    "the one that you trust is its descendant, {} behind it",
                    counted(behind, "block")
                )
            }
        };
        format!("block {} ({}) is final: {how}", self.block, self.hash)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
