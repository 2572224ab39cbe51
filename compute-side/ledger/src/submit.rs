//! Transactions, from signing to the finalised block.

use crate::{
    Account, Call, Chain,
    call::Encoded,
    chain::{ChainError, FinalisedBlock, no_answer},
};
use quern_primitives::BlockNumber;
use subxt::{
    SubstrateConfig,
    client::OnlineClientAtBlockImpl,
    config::DefaultExtrinsicParamsBuilder,
    error::{DispatchError, TransactionEventsError},
    tx::{TransactionProgress, TransactionStatus},
};

/// A transaction that is in a finalised block and did what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The block.
    pub block: FinalisedBlock,
    /// The transaction's hash.
    pub transaction: [u8; 32],
}

/// Why a transaction did nothing.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The chain refused the call.
    #[error("the chain refused {call}: {error}{}{docs}", if docs.is_empty() { "" } else { ". " })]
    Refused {
        /// The call, as `Pallet.call`.
        call: String,
        /// The error's name, such as `Jobs.PriceOverMax`.
        error: String,
        /// What the runtime says of the error.
        docs: String,
    },
    /// The node would not take the transaction into its pool.
    #[error(
        "the node did not take {call}: {reason}; if the account has no money for fees, buy some with `quern wallet buy`"
    )]
    NotTaken {
        /// The call, as `Pallet.call`.
        call: String,
        /// What the node says.
        reason: String,
    },
    /// The transaction left the pool without getting into a block; it may be sent again.
    #[error("{call} got lost on its way into a block ({reason}); send it again")]
    Lost {
        /// The call, as `Pallet.call`.
        call: String,
        /// What the node says.
        reason: String,
    },
    /// The node failed to answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// A transaction in a node's pool.
pub struct Sent {
    chain: Chain,
    title: String,
    progress: TransactionProgress<SubstrateConfig, OnlineClientAtBlockImpl<SubstrateConfig>>,
}

impl Chain {
    /// Signs a call, sends it, and waits until it is in a finalised block and succeeded.
    pub async fn submit(&self, signer: &Account, call: &Call) -> Result<Settled, SubmitError> {
        self.send(signer, call).await?.settled().await
    }

    /// Signs a call and sends it; it is in the node's pool when this returns. Calls of an account
    /// that are sent one after the other get into blocks in that order, unless one is lost. Those
    /// sent at the same time may take each other's place, and one is then refused.
    pub async fn send(&self, signer: &Account, call: &Call) -> Result<Sent, SubmitError> {
        let (pallet, name, arguments) = call.parts();
        let title = format!("{pallet}.{name}");
        let nonce = self
            .rpc
            .system_account_next_index(&signer.0.public_key().to_account_id())
            .await
            .map_err(no_answer("the account's next transaction number"))?;
        let payload = subxt::tx::dynamic(pallet, name, Encoded(arguments));
        let params = DefaultExtrinsicParamsBuilder::new().nonce(nonce).build();
        let not_taken = |error: subxt::error::ExtrinsicError| SubmitError::NotTaken {
            call: title.clone(),
            reason: innermost(&error),
        };
        let mut transactions = self
            .client
            .tx()
            .await
            .map_err(no_answer("the last finalised block"))?;
        let progress = transactions
            .sign_and_submit_then_watch(&payload, &signer.0, params)
            .await
            .map_err(not_taken)?;
        Ok(Sent {
            chain: self.clone(),
            title,
            progress,
        })
    }

    async fn finalised_block(
        &self,
        hash: crate::chain::Hash,
    ) -> Result<FinalisedBlock, ChainError> {
        let at = self
            .client
            .at_block(hash)
            .await
            .map_err(no_answer("a finalised block"))?;
        let number = BlockNumber::try_from(at.block_number()).unwrap_or(BlockNumber::MAX);
        Ok(FinalisedBlock {
            number,
            hash: hash.0,
        })
    }
}

impl Sent {
    /// Waits until the transaction is in a finalised block and succeeded.
    pub async fn settled(mut self) -> Result<Settled, SubmitError> {
        let title = self.title;
        let lost = |reason: String| SubmitError::Lost {
            call: title.clone(),
            reason,
        };
        loop {
            let status = self
                .progress
                .next()
                .await
                .ok_or_else(|| lost("the node said no more".into()))?;
            match status.map_err(|error| lost(innermost(&error)))? {
                TransactionStatus::InFinalizedBlock(included) => {
                    let block = self.chain.finalised_block(included.block_hash()).await?;
                    match included.wait_for_success().await {
                        Ok(_) => {}
                        Err(TransactionEventsError::ExtrinsicFailed(error)) => {
                            return Err(refused(title, &error));
                        }
                        Err(error) => {
                            return Err(no_answer("the transaction's events")(error).into());
                        }
                    }
                    return Ok(Settled {
                        block,
                        transaction: included.extrinsic_hash().0,
                    });
                }
                TransactionStatus::Invalid { message }
                | TransactionStatus::Dropped { message }
                | TransactionStatus::Error { message } => return Err(lost(message)),
                _ => {}
            }
        }
    }
}

fn refused(call: String, error: &DispatchError) -> SubmitError {
    if let DispatchError::Module(module) = error
        && let Ok(details) = module.details()
    {
        let docs = details.variant.docs.join(" ").trim().to_owned();
        let error = format!("{}.{}", details.pallet.name(), details.variant.name);
        return SubmitError::Refused { call, error, docs };
    }
    SubmitError::Refused {
        call,
        error: error.to_string(),
        docs: String::new(),
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
