//! What the node answers beside the SDK's standard methods (`system_*`, `author_*`, `chain_*`,
//! `state_*`, `chainHead_*`, `transaction_*`): the next nonce of an account, fees, finality proofs
//! and our own `quern_*`.

mod proofs;
mod quern;

use crate::service::{Backend, Client, Pool};
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use proofs::{Proofs, ProofsApiServer};
use quern::{Quern, QuernApiServer};
use quern_primitives::BlockNumber;
use quern_runtime::opaque::{Block, Hash};
use sc_consensus_grandpa::{FinalityProofProvider, SharedAuthoritySet, SharedVoterState};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use std::sync::Arc;
use substrate_frame_rpc_system::{System, SystemApiServer};

/// The node's view of finality: the validators' set, their votes, and proofs.
pub(crate) type Finality = Grandpa<
    SharedAuthoritySet<Hash, BlockNumber>,
    SharedVoterState,
    Block,
    FinalityProofProvider<Backend, Block>,
>;

/// The methods of a node with this chain, these waiting transactions, this view of finality and these
/// proofs of it.
pub(crate) fn module(
    client: Arc<Client>,
    pool: Arc<Pool>,
    finality: Finality,
    proofs: Arc<FinalityProofProvider<Backend, Block>>,
) -> Result<RpcModule<()>, RegisterMethodError> {
    let mut module = RpcModule::new(());
    module.merge(System::new(client.clone(), pool).into_rpc())?;
    module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
    module.merge(finality.into_rpc())?;
    module.merge(Proofs::new(client.clone(), proofs).into_rpc())?;
    module.merge(Quern::new(client).into_rpc())?;
    Ok(module)
}
