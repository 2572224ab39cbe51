//! Saving, beside a job's receipts, what proves each of their batches without a node.

use crate::{
    output::count_bar,
    verify::proof::{file_name, keys_for},
};
use anyhow::Context as _;
use quern_ledger::{Chain, Proven};
use quern_light::Trust;
use quern_primitives::{DeviceId, JobId, ids::BatchSequence, verdict::ReceiptFile};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The batches of some receipts, and the devices in their verdicts.
#[derive(Debug, Default)]
pub(super) struct Batches(BTreeMap<BatchSequence, BTreeSet<DeviceId>>);

/// What of the batches was proven.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// Where the proofs are.
    pub(super) saved: Vec<PathBuf>,
    /// Why there is none of the others, if there are others.
    pub(super) why_not: Option<String>,
}

impl Batches {
    /// Remembers what has to be proven for a receipt.
    pub(super) fn add(&mut self, file: &ReceiptFile) {
        let devices = file.verdict.replicas.iter().map(|found| found.device);
        self.0.entry(file.batch).or_default().extend(devices);
    }

    /// Has the node prove each batch as of the block that settled it, and saves the proofs. A node that
    /// cannot is no failure: the receipts are there, and can be checked otherwise.
    pub(super) async fn save(
        &self,
        chain: &Chain,
        job: JobId,
        folder: &Path,
    ) -> anyhow::Result<Proofs> {
        let mut proofs = Proofs::default();
        if self.0.is_empty() {
            return Ok(proofs);
        }
        let trust = Trust::Genesis(chain.genesis());
        let proven = match Proven::new(chain.clone(), trust).await {
            Ok(proven) => proven,
            Err(error) => {
                proofs.why_not = Some(in_words(&error.into()));
                return Ok(proofs);
            }
        };
        let bar = count_bar("proofs");
        bar.set_length(self.0.len() as u64);
        for (batch, devices) in &self.0 {
            let path = folder.join(file_name(*batch));
            match prove(chain, &proven, job, *batch, devices).await {
                Ok(proof) => {
                    fs::write(&path, proof)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                    proofs.saved.push(path);
                }
                Err(error) => proofs.why_not = Some(in_words(&error)),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(proofs)
    }
}

/// What proves a batch, as it is written.
async fn prove(
    chain: &Chain,
    proven: &Proven,
    job: JobId,
    batch: BatchSequence,
    devices: &BTreeSet<DeviceId>,
) -> anyhow::Result<String> {
    let settled = chain.at_finalised().await?.batch(job, batch).await?;
    let settled = settled.with_context(|| format!("the node tells of no batch {batch}"))?;
    let keys = keys_for(job, batch, devices);
    let proof = proven.file(settled.settled_at, &keys).await?;
    Ok(serde_json::to_string(&proof)?)
}

/// An error with what led to it, on one line.
fn in_words(error: &anyhow::Error) -> String {
    format!("{error:#}")
}
