//! Ending a job early, or after its deadline.

use super::{
    JobName,
    status::{escrow_in_words, refund_from, refund_in_words, state_in_words},
};
use crate::{
    context::Context,
    output::{Output, fields, submit},
};
use quern_ledger::Call;
use quern_owner::CoordinatorError;
use quern_primitives::{
    BlockNumber, JobId,
    job::{Escrow, JobState},
};
use serde::Serialize;

/// A job after its owner or a stranger acted on it.
#[derive(Debug, Serialize)]
struct Acted {
    job: JobId,
    block: BlockNumber,
    transaction: String,
    #[serde(flatten)]
    state: JobState,
    escrow: Escrow,
    /// If it is still open: the first block in which the rest can be returned.
    refund_from: Option<BlockNumber>,
}

pub(crate) async fn cancel(context: &Context, name: &JobName) -> anyhow::Result<()> {
    act(context, name, Call::CancelJob, "cancelling the job").await
}

pub(crate) async fn refund(context: &Context, name: &JobName) -> anyhow::Result<()> {
    act(context, name, Call::RefundJob, "calling the refund").await
}

async fn act(
    context: &Context,
    name: &JobName,
    call: impl Fn(JobId) -> Call,
    what: &'static str,
) -> anyhow::Result<()> {
    let job = context.job(&name.job)?;
    let account = context.account()?;
    let chain = context.chain().await?;
    let settled = submit(&chain, &account, &call(job), what).await?;
    let known = chain.at(settled.block).await?.job(job).await?;
    let known = known.ok_or(CoordinatorError::NoSuchJob { job })?;
    context.show(&Acted {
        job,
        block: settled.block.number,
        transaction: format!("0x{}", hex::encode(settled.transaction)),
        refund_from: refund_from(&known.state),
        state: known.state,
        escrow: known.escrow,
    })
}

impl Output for Acted {
    fn people(&self) -> String {
        let mut pairs = vec![
            ("job", self.job.to_string()),
            ("block", self.block.to_string()),
            ("state", state_in_words(&self.state)),
            ("money", escrow_in_words(&self.escrow)),
        ];
        if let Some(from) = self.refund_from {
            pairs.push(("next", refund_in_words(self.job, from)));
        }
        fields(&pairs)
    }
}
