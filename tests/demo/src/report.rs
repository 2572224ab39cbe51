//! The demo's report, for programs.

use serde::Serialize;
use std::path::Path;

/// What the demo measured. Amounts are decimal strings of the smallest unit.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) tasks: u32,
    pub(crate) replicas: u32,
    pub(crate) settled_tasks: u32,
    pub(crate) batches: u32,
    pub(crate) escrow: String,
    pub(crate) paid_workers: String,
    pub(crate) network_share: String,
    pub(crate) refunded: String,
    pub(crate) liar_account: String,
    pub(crate) liar_paid: String,
    pub(crate) liar_faults_on_chain: u64,
    /// Wrong answers on the records of all other devices.
    #[serde(skip)]
    pub(crate) honest_faults_on_chain: u64,
    pub(crate) result_sha256: String,
    pub(crate) reference_sha256: String,
    pub(crate) seconds: Seconds,
}

/// How long the parts took.
#[derive(Serialize)]
pub(crate) struct Seconds {
    /// Building; not known when the demo is started by hand.
    pub(crate) build: Option<f64>,
    pub(crate) grid_ready: f64,
    pub(crate) job: f64,
    pub(crate) settled: f64,
}

impl Report {
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(
            path,
            serde_json::to_string_pretty(self)? + "\n",
        )?)
    }
}
