//! Handing a prepared job in.

use crate::folder::{FolderError, JobFolder};
use quern_job_rules::quote::QuoteError;
use quern_ledger::{Account, Call, Chain, ChainError, Settled, SubmitError};

/// Why a job was not submitted. Nothing was spent.
#[derive(Debug, thiserror::Error)]
pub enum SubmitJobError {
    /// The job's folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The chain would refuse it.
    #[error("the chain would not take the job: {0}")]
    Quote(QuoteError),
    /// The account does not hold the price.
    #[error("the job costs up to {}, the account has {}; buy more with `quern wallet buy`", quern_primitives::amount::display(*price), quern_primitives::amount::display(*free))]
    Balance {
        /// The price.
        price: u128,
        /// What the account can spend.
        free: u128,
    },
    /// The chain refused it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The node failed to answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Submits a prepared job, with its escrow, and waits until it is final. `None` when the chain has
/// it already.
pub async fn submit(
    chain: &Chain,
    owner: &Account,
    folder: &JobFolder,
) -> Result<Option<Settled>, SubmitJobError> {
    let state = chain.at_finalised().await?;
    if state.job(folder.job()).await?.is_some() {
        return Ok(None);
    }
    let submission = folder.submission()?;
    let quote = state
        .quote(&submission)
        .await?
        .map_err(SubmitJobError::Quote)?;
    let free = state.wallet(&owner.id()).await?.free;
    if free < quote.total {
        return Err(SubmitJobError::Balance {
            price: quote.total,
            free,
        });
    }
    let call = Call::SubmitJob(Box::new(submission));
    Ok(Some(chain.submit(owner, &call).await?))
}
