//! Answering disputes, and ending those whose time is over.

use super::{AnswerArgs, OpenArgs, file, list::NotOpen};
use crate::{
    context::Context,
    output::{Output, submit},
};
use quern_dispute_rules::open::DisputeId;
use quern_ledger::Call;
use quern_primitives::BlockNumber;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    Answered,
    Ended,
}

#[derive(Debug, Serialize)]
struct Ended {
    done: Done,
    dispute: DisputeId,
    block: BlockNumber,
    transaction: String,
}

/// Why a dispute is not ended.
#[derive(Debug, thiserror::Error)]
#[error(
    "dispute {dispute} can be answered until height {until} is final, and {clock} is; wait until then"
)]
struct TimeRemains {
    dispute: DisputeId,
    until: BlockNumber,
    clock: BlockNumber,
}

pub(super) async fn answer(context: &Context, args: &AnswerArgs) -> anyhow::Result<()> {
    let dispute = args.dispute.dispute;
    let reply = Box::new(file::reply(&args.reply)?);
    let call = Call::AnswerDispute { dispute, reply };
    end(context, dispute, Done::Answered, &call, "answering").await
}

pub(super) async fn expire(context: &Context, args: &OpenArgs) -> anyhow::Result<()> {
    let dispute = args.dispute;
    let state = context.chain().await?.at_finalised().await?;
    let view = state.dispute(dispute).await?.ok_or(NotOpen { dispute })?;
    let (clock, until) = (state.finality().await?.clock, view.dispute.until);
    let batch = view.dispute.batch;
    // A dispute over a batch that was struck is dropped at any time.
    let is_pending = state
        .pending_batch(batch.job, batch.sequence)
        .await?
        .is_some();
    if is_pending && clock <= until {
        let remains = TimeRemains {
            dispute,
            until,
            clock,
        };
        return Err(remains.into());
    }
    let call = Call::ExpireDispute(dispute);
    end(context, dispute, Done::Ended, &call, "ending the dispute").await
}

async fn end(
    context: &Context,
    dispute: DisputeId,
    done: Done,
    call: &Call,
    what: &'static str,
) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let settled = submit(&chain, &account, call, what).await?;
    context.show(&Ended {
        done,
        dispute,
        block: settled.block.number,
        transaction: format!("0x{}", hex::encode(settled.transaction)),
    })
}

impl Output for Ended {
    fn people(&self) -> String {
        let done = match self.done {
            Done::Answered => "answered",
            Done::Ended => "ended",
        };
        format!("dispute {} is {done} in block {}", self.dispute, self.block)
    }
}
