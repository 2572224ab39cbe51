//! Transactions, from signing to the finalised block.

use crate::{
    Account, Call, Chain,
    call::Encoded,
    chain::{ChainError, FinalisedBlock, no_answer},
    trace::{Fate, LIFE_BLOCKS, Trace},
};
use quern_primitives::BlockNumber;
use subxt::{
    SubstrateConfig,
    client::OnlineClientAtBlockImpl,
    config::DefaultExtrinsicParamsBuilder,
    error::{BackendError, DispatchError, ExtrinsicError, RpcError, TransactionEventsError},
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

/// Why a transaction did nothing, or is not known to have done what it should.
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
    /// The transaction is in no block and will get into none; it may be sent again.
    #[error("{call} got lost on its way into a block ({reason}); send it again")]
    Lost {
        /// The call, as `Pallet.call`.
        call: String,
        /// What the node says.
        reason: String,
    },
    /// The connection broke once the transaction was sent, and the node did not come back in time
    /// to tell what became of it. Sent again, it could be done twice.
    #[error(
        "the connection to the node broke when {call} was on its way ({reason}); it may be in a block: look at `quern wallet history` before sending it again"
    )]
    Unknown {
        /// The call, as `Pallet.call`.
        call: String,
        /// How the connection broke.
        reason: String,
    },
    /// The node failed to answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

type Progress = TransactionProgress<SubstrateConfig, OnlineClientAtBlockImpl<SubstrateConfig>>;

/// A transaction in a node's pool.
pub struct Sent {
    chain: Chain,
    title: String,
    trace: Trace,
    /// What the node tells of it, or why it tells nothing.
    progress: Result<Progress, String>,
}

impl Chain {
    /// Signs a call, sends it, and waits until it is in a finalised block and succeeded.
    pub async fn submit(&self, signer: &Account, call: &Call) -> Result<Settled, SubmitError> {
        self.send(signer, call).await?.settled().await
    }

    /// Signs a call and sends it; it is in the node's pool when this returns, unless the connection
    /// broke at that very moment, in which case [`Sent::settled`] finds out. Calls of an account
    /// that are sent one after the other get into blocks in that order, unless one is lost; so do those
    /// that clones of one [`Account`] send at the same time. Those of two programs may take each other's
    /// place, and one is then refused.
    pub async fn send(&self, signer: &Account, call: &Call) -> Result<Sent, SubmitError> {
        let (pallet, name, arguments) = call.parts();
        let title = format!("{pallet}.{name}");
        let account = signer.key.public_key().to_account_id();
        let _turn = signer.turn.lock().await;
        let nonce = self
            .rpc
            .system_account_next_index(&account)
            .await
            .map_err(no_answer("the account's next transaction number"))?;
        let payload = subxt::tx::dynamic(pallet, name, Encoded(arguments));
        let params = DefaultExtrinsicParamsBuilder::new()
            .nonce(nonce)
            .mortal(LIFE_BLOCKS.into())
            .build();
        let at = self.at_finalised().await?;
        let not_taken = |error: &ExtrinsicError| SubmitError::NotTaken {
            call: title.clone(),
            reason: innermost(error),
        };
        let signed = at
            .at
            .tx()
            .create_signed(&payload, &signer.key, params)
            .await
            .map_err(|error| not_taken(&error))?;
        let trace = Trace {
            account,
            nonce,
            signed_at: at.block().number,
            hash: signed.hash(),
            bytes: signed.encoded().to_vec(),
        };
        let progress = match signed.submit_and_watch().await {
            Ok(progress) => Ok(progress),
            Err(error) if is_refusal(&error) => return Err(not_taken(&error)),
            Err(error) => Err(innermost(&error)),
        };
        Ok(Sent {
            chain: self.clone(),
            title,
            trace,
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
    /// Waits until the transaction is in a finalised block and succeeded. If the node falls silent
    /// meanwhile, looks for the transaction in the blocks that may hold it, and gives it to a node that
    /// comes back without it.
    pub async fn settled(mut self) -> Result<Settled, SubmitError> {
        let progress = match &mut self.progress {
            Ok(progress) => progress,
            Err(reason) => {
                let reason = reason.clone();
                return self.looked_for(reason).await;
            }
        };
        loop {
            let status = match progress.next().await {
                Some(Ok(status)) => status,
                Some(Err(error)) => return self.looked_for(innermost(&error)).await,
                None => return self.looked_for("the node said no more".into()).await,
            };
            match status {
                TransactionStatus::InFinalizedBlock(included) => {
                    let transaction = included.extrinsic_hash().0;
                    match included.wait_for_success().await {
                        Ok(_) => {}
                        Err(TransactionEventsError::ExtrinsicFailed(error)) => {
                            return Err(refused(self.title, &error));
                        }
                        Err(error) => return self.looked_for(innermost(&error)).await,
                    }
                    return match self.chain.finalised_block(included.block_hash()).await {
                        Ok(block) => Ok(Settled { block, transaction }),
                        Err(error) => self.looked_for(innermost(&error)).await,
                    };
                }
                // One node's pool gave it up; others may have it, and a block may hold it.
                TransactionStatus::Invalid { message }
                | TransactionStatus::Dropped { message }
                | TransactionStatus::Error { message } => return self.looked_for(message).await,
                TransactionStatus::InBestBlock(_)
                | TransactionStatus::NoLongerInBestBlock
                | TransactionStatus::Validated
                | TransactionStatus::Broadcasted => {}
            }
        }
    }

    /// What became of the transaction, of which the node told no more for this reason.
    async fn looked_for(self, reason: String) -> Result<Settled, SubmitError> {
        let call = self.title.clone();
        match self.chain.fate(&self.trace).await {
            Fate::Included {
                failed: Some(error),
                ..
            } => Err(refused(call, &error)),
            Fate::Included { state, .. } => Ok(Settled {
                block: state.block(),
                transaction: self.trace.hash.0,
            }),
            Fate::Nowhere => Err(SubmitError::Lost { call, reason }),
            Fate::Unknown => Err(SubmitError::Unknown { call, reason }),
        }
    }
}

/// Whether the node itself refused a transaction, or it was never sent. Otherwise the node may have
/// it.
fn is_refusal(error: &ExtrinsicError) -> bool {
    match error {
        ExtrinsicError::ErrorSubmittingTransaction(BackendError::Rpc(RpcError::ClientError(
            subxt::rpcs::Error::User(error),
        ))) => !may_have_come_before(error),
        ExtrinsicError::ErrorSubmittingTransaction(_) => false,
        _ => true,
    }
}

/// What a node says of a transaction that is in its pool.
const ALREADY_IMPORTED: i32 = 1013;

/// What it says of one that is invalid; why, stands beside.
const INVALID: i32 = 1010;
/// That its number is used up.
const OUTDATED: &str = "Transaction is outdated";

/// Whether a node that refuses a transaction may have had it. What was sent when the connection broke is sent
/// again when it is back, and may have arrived the first time: then it is in the pool, or in a block.
fn may_have_come_before(error: &subxt::rpcs::UserError) -> bool {
    let why = error.data.as_ref().map_or("", |data| data.get());
    error.code == ALREADY_IMPORTED || (error.code == INVALID && why.contains(OUTDATED))
}

pub(crate) fn refused(call: String, error: &DispatchError) -> SubmitError {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn because(why: &str) -> Option<Box<subxt::rpcs::client::RawValue>> {
        subxt::rpcs::client::RawValue::from_string(format!("\"{why}\"")).ok()
    }

    fn not_submitted(error: subxt::rpcs::Error) -> ExtrinsicError {
        ExtrinsicError::ErrorSubmittingTransaction(error.into())
    }

    #[test]
    fn only_the_node_s_own_word_is_a_refusal() {
        let refusal = subxt::rpcs::UserError {
            code: 1010,
            message: "invalid transaction".into(),
            data: None,
        };
        assert!(is_refusal(&not_submitted(refusal.into())));
        let unpaid = subxt::rpcs::UserError {
            code: 1010,
            message: "Invalid Transaction".into(),
            data: because("Inability to pay some fees, e.g. account balance too low"),
        };
        assert!(is_refusal(&not_submitted(unpaid.into())));
        let broken = subxt::rpcs::Error::DisconnectedWillReconnect("reset".into());
        assert!(!is_refusal(&not_submitted(broken)));
        let silent = subxt::rpcs::Error::Client("no answer in 30 s".into());
        assert!(!is_refusal(&not_submitted(silent)));
    }

    #[test]
    fn what_arrived_before_the_connection_broke_is_not_refused_when_it_is_sent_again() {
        let in_the_pool = subxt::rpcs::UserError {
            code: 1013,
            message: "Transaction Already Imported".into(),
            data: None,
        };
        assert!(!is_refusal(&not_submitted(in_the_pool.into())));
        let in_a_block = subxt::rpcs::UserError {
            code: 1010,
            message: "Invalid Transaction".into(),
            data: because("Transaction is outdated"),
        };
        assert!(!is_refusal(&not_submitted(in_a_block.into())));
    }

    #[test]
    fn an_unknown_end_never_invites_to_send_twice() {
        let (call, reason) = ("Balances.transfer".to_owned(), "reset".to_owned());
        let unknown = SubmitError::Unknown { call, reason }.to_string();
        assert!(
            unknown.contains("`quern wallet history` before"),
            "{unknown}"
        );
    }
}
