//! The `quern_*` methods: what owners and workers ask about their jobs, devices and money.
//!
//! Each is one call of the runtime's `QuernApi`, at the newest final block or the block that is
//! asked for; the node adds nothing to the answer. Amounts are decimal strings of the smallest unit.

use crate::service::Client;
use jsonrpsee::{
    core::RpcResult,
    proc_macros::rpc,
    types::{ErrorObject, ErrorObjectOwned},
};
use quern_job_rules::quote::QuoteError;
use quern_primitives::{
    AccountId, DeviceId, JobId,
    batch::BatchRecord,
    ids::BatchSequence,
    job::{Job, Submission},
    params::Params,
    view::{DeviceView, FinalityView, Quote, Totals, WalletView},
};
use quern_runtime::{
    apis::QuernApi as _,
    opaque::{Block, Hash},
};
use serde::{Deserialize, Serialize};
use sp_api::{ApiError, ApiRef, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use std::sync::Arc;

/// Jobs in one answer of `quern_jobsOf` when the caller names no number.
const JOBS_PER_PAGE: u32 = 64;

/// A job and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedJob {
    /// The job's name.
    id: JobId,
    /// What the chain keeps of it.
    #[serde(flatten)]
    job: Job,
}

#[rpc(server, namespace = "quern")]
pub(crate) trait QuernApi {
    /// What a job would cost at most, if it were submitted now.
    #[method(name = "quote")]
    fn quote(&self, submission: Submission, at: Option<Hash>) -> RpcResult<Quote>;

    /// A job, if there is one of this name.
    #[method(name = "job")]
    fn job(&self, id: JobId, at: Option<Hash>) -> RpcResult<Option<Job>>;

    /// The jobs of an account a page at a time, in the order of the storage's hashes, which tells
    /// nothing: those after `start_after`, at most `limit`.
    #[method(name = "jobsOf")]
    fn jobs_of(
        &self,
        account: AccountId,
        #[argument(rename = "startAfter")] start_after: Option<JobId>,
        limit: Option<u32>,
        at: Option<Hash>,
    ) -> RpcResult<Vec<NamedJob>>;

    /// A settled batch of a job: pending, with when it is due, final or struck.
    #[method(name = "batch")]
    fn batch(
        &self,
        job: JobId,
        sequence: BatchSequence,
        at: Option<Hash>,
    ) -> RpcResult<Option<BatchRecord>>;

    /// The chain's clock of finality, by which batches are due, and its window.
    #[method(name = "finalityClock")]
    fn finality_clock(&self, at: Option<Hash>) -> RpcResult<FinalityView>;

    /// A device, if it is registered.
    #[method(name = "device")]
    fn device(&self, id: DeviceId, at: Option<Hash>) -> RpcResult<Option<DeviceView>>;

    /// An account's money.
    #[method(name = "wallet")]
    fn wallet(&self, account: AccountId, at: Option<Hash>) -> RpcResult<WalletView>;

    /// The whole chain's money.
    #[method(name = "totals")]
    fn totals(&self, at: Option<Hash>) -> RpcResult<Totals>;

    /// What the council has set.
    #[method(name = "params")]
    fn params(&self, at: Option<Hash>) -> RpcResult<Params>;
}

/// A question was not answered. The codes are stable; the data of a refused quote say which bound
/// it broke and what the bound is.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    /// The chain would not take the job.
    #[error("the chain would not take this job: {0}")]
    QuoteRefused(QuoteError),
    /// The block is not of this chain, or has not arrived.
    #[error(
        "block {at:?} is not known to this node; leave it out to ask about the newest final one"
    )]
    UnknownBlock {
        /// The block that was asked for.
        at: Hash,
    },
    /// The runtime gave no answer, most likely because the block's state is no longer kept.
    #[error(
        "block {at:?} gives no answer ({source}); ask about a newer one, or a node that keeps all states"
    )]
    NoAnswer {
        /// The block that was asked for.
        at: Hash,
        /// What went wrong.
        source: ApiError,
    },
}

impl Unanswered {
    /// The JSON-RPC error code; those from -32768 to -32000 are JSON-RPC's own.
    fn code(&self) -> i32 {
        match self {
            Self::QuoteRefused(_) => 7_001,
            Self::UnknownBlock { .. } => 7_002,
            Self::NoAnswer { .. } => 7_003,
        }
    }
}

impl From<Unanswered> for ErrorObjectOwned {
    fn from(error: Unanswered) -> Self {
        let data = match &error {
            Unanswered::QuoteRefused(reason) => Some(*reason),
            _ => None,
        };
        ErrorObject::owned(error.code(), error.to_string(), data)
    }
}

/// Answers the methods from the chain.
pub(crate) struct Quern {
    client: Arc<Client>,
}

impl Quern {
    /// Answers from this chain.
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { client }
    }

    /// Asks the runtime at a block, the newest final one when none is named.
    fn ask<T>(
        &self,
        at: Option<Hash>,
        question: impl FnOnce(ApiRef<'_, Runtime>, Hash) -> Result<T, ApiError>,
    ) -> Result<T, Unanswered> {
        let at = at.unwrap_or_else(|| self.client.info().finalized_hash);
        if !matches!(self.client.number(at), Ok(Some(_))) {
            return Err(Unanswered::UnknownBlock { at });
        }
        question(self.client.runtime_api(), at)
            .map_err(|source| Unanswered::NoAnswer { at, source })
    }
}

/// The runtime's answers as the client gives them.
type Runtime = <Client as ProvideRuntimeApi<Block>>::Api;

impl QuernApiServer for Quern {
    fn quote(&self, submission: Submission, at: Option<Hash>) -> RpcResult<Quote> {
        let quote = self.ask(at, |runtime, at| runtime.quote(at, submission))?;
        Ok(quote.map_err(Unanswered::QuoteRefused)?)
    }

    fn job(&self, id: JobId, at: Option<Hash>) -> RpcResult<Option<Job>> {
        Ok(self.ask(at, |runtime, at| runtime.job(at, id))?)
    }

    fn jobs_of(
        &self,
        account: AccountId,
        start_after: Option<JobId>,
        limit: Option<u32>,
        at: Option<Hash>,
    ) -> RpcResult<Vec<NamedJob>> {
        let limit = limit.unwrap_or(JOBS_PER_PAGE);
        let jobs = self.ask(at, |runtime, at| {
            runtime.jobs_of(at, account, start_after, limit)
        })?;
        Ok(jobs
            .into_iter()
            .map(|(id, job)| NamedJob { id, job })
            .collect())
    }

    fn batch(
        &self,
        job: JobId,
        sequence: BatchSequence,
        at: Option<Hash>,
    ) -> RpcResult<Option<BatchRecord>> {
        Ok(self.ask(at, |runtime, at| runtime.batch(at, job, sequence))?)
    }

    fn finality_clock(&self, at: Option<Hash>) -> RpcResult<FinalityView> {
        Ok(self.ask(at, |runtime, at| runtime.finality(at))?)
    }

    fn device(&self, id: DeviceId, at: Option<Hash>) -> RpcResult<Option<DeviceView>> {
        Ok(self.ask(at, |runtime, at| runtime.device(at, id))?)
    }

    fn wallet(&self, account: AccountId, at: Option<Hash>) -> RpcResult<WalletView> {
        Ok(self.ask(at, |runtime, at| runtime.wallet(at, account))?)
    }

    fn totals(&self, at: Option<Hash>) -> RpcResult<Totals> {
        Ok(self.ask(at, |runtime, at| runtime.totals(at))?)
    }

    fn params(&self, at: Option<Hash>) -> RpcResult<Params> {
        Ok(self.ask(at, |runtime, at| runtime.params(at))?)
    }
}
