//! The `quern_*` methods that prove finality to who trusts no node.
//!
//! The SDK's own `grandpa_proveFinality` answers with the justification of the last block of a set of
//! validators, which may be a hundred thousand headers away. Here are the two questions it is made of:
//! who followed upon whom, and that a block is final by the nearest justification there is. The answers
//! have the form of the SDK's, and prove themselves; `compute-side/light` checks them. An answer may take
//! two thousand looks into the database, so each is found on a thread of its own and holds up no other.

use crate::service::{Backend, Client};
use jsonrpsee::{
    core::RpcResult,
    proc_macros::rpc,
    types::{ErrorObject, ErrorObjectOwned},
};
use quern_primitives::BlockNumber;
use quern_runtime::opaque::{Block, Hash, Header};
use sc_client_api::BlockBackend;
use sc_consensus_grandpa::{
    FinalityProof, FinalityProofError, FinalityProofProvider, GRANDPA_ENGINE_ID,
};
use sp_blockchain::HeaderBackend;
use sp_core::{Bytes, Encode};
use std::sync::Arc;

/// Blocks that are looked through for a justification. One in 512 has one at the least, unless none
/// does up to the newest final one, whose justification is kept apart.
const BLOCKS_LOOKED_AT_MAX: BlockNumber = 1_024;

#[rpc(server, namespace = "quern")]
pub(crate) trait ProofsApi {
    /// That the block at a height is final: the nearest justification of it or of a descendant, and
    /// the headers up to that one. Nothing if the block is not final.
    #[method(name = "finality", blocking)]
    fn finality(&self, block: BlockNumber) -> RpcResult<Option<Bytes>>;

    /// The last block of the set of validators who make the block behind a height final: its
    /// justification, and its header alone. Of today's set it is the newest final block, which tells
    /// of no other set. Nothing if no block behind that height is final.
    #[method(name = "handOver", blocking)]
    fn hand_over(&self, height: BlockNumber) -> RpcResult<Option<Bytes>>;
}

/// A proof was not given. The codes are stable.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    /// The database does not answer.
    #[error("the node's database does not answer ({0}); ask another node")]
    Database(#[from] sp_blockchain::Error),
    /// The SDK has no proof.
    #[error("the node has no proof ({0}); ask another node")]
    NoProof(#[from] FinalityProofError),
    /// A final block is not in the database.
    #[error("the node does not have block {block}; ask another one")]
    NoBlock {
        /// The block.
        block: BlockNumber,
    },
    /// No justification is near.
    #[error(
        "the node has no justification within {BLOCKS_LOOKED_AT_MAX} blocks of block {block}; ask another one"
    )]
    NoneNear {
        /// The block.
        block: BlockNumber,
    },
}

impl From<Unproven> for ErrorObjectOwned {
    fn from(error: Unproven) -> Self {
        let code = match &error {
            Unproven::Database(_) | Unproven::NoProof(_) => 7_004,
            Unproven::NoBlock { .. } => 7_005,
            Unproven::NoneNear { .. } => 7_006,
        };
        ErrorObject::owned(code, error.to_string(), None::<()>)
    }
}

/// The SDK's answers.
type Provider = FinalityProofProvider<Backend, Block>;

/// Answers the methods from the chain.
pub(crate) struct Proofs {
    client: Arc<Client>,
    provider: Arc<Provider>,
}

impl Proofs {
    /// Answers from this chain.
    pub(crate) fn new(client: Arc<Client>, provider: Arc<Provider>) -> Self {
        Self { client, provider }
    }

    fn nearest(&self, block: BlockNumber) -> Result<Option<FinalityProof<Header>>, Unproven> {
        let newest = self.client.info().finalized_number;
        if block > newest {
            return Ok(None);
        }
        let last = newest.min(block.saturating_add(BLOCKS_LOOKED_AT_MAX));
        let mut headers = Vec::new();
        for number in block..=last {
            let hash = self.hash(number)?;
            if number > block {
                headers.push(self.header(number, hash)?);
            }
            if let Some(justification) = self.justification(hash)? {
                return Ok(Some(FinalityProof {
                    block: hash,
                    justification,
                    unknown_headers: headers,
                }));
            }
        }
        if last < newest {
            return Err(Unproven::NoneNear { block });
        }
        Ok(self.provider.prove_finality_proof(block, true)?)
    }

    fn last_of_set(&self, height: BlockNumber) -> Result<Option<FinalityProof<Header>>, Unproven> {
        let behind = height.saturating_add(1);
        if behind > self.client.info().finalized_number {
            return Ok(None);
        }
        let Some(mut proof) = self.provider.prove_finality_proof(behind, false)? else {
            return Ok(None);
        };
        let block = self.client.number(proof.block)?.unwrap_or(behind);
        proof.unknown_headers = vec![self.header(block, proof.block)?];
        Ok(Some(proof))
    }

    fn hash(&self, block: BlockNumber) -> Result<Hash, Unproven> {
        let hash = self.client.hash(block)?;
        hash.ok_or(Unproven::NoBlock { block })
    }

    fn header(&self, block: BlockNumber, hash: Hash) -> Result<Header, Unproven> {
        let header = self.client.header(hash)?;
        header.ok_or(Unproven::NoBlock { block })
    }

    fn justification(&self, hash: Hash) -> Result<Option<Vec<u8>>, Unproven> {
        let kept = self.client.justifications(hash)?;
        Ok(kept.and_then(|kept| kept.into_justification(GRANDPA_ENGINE_ID)))
    }
}

impl ProofsApiServer for Proofs {
    fn finality(&self, block: BlockNumber) -> RpcResult<Option<Bytes>> {
        Ok(self.nearest(block)?.map(|proof| proof.encode().into()))
    }

    fn hand_over(&self, height: BlockNumber) -> RpcResult<Option<Bytes>> {
        Ok(self.last_of_set(height)?.map(|proof| proof.encode().into()))
    }
}
