//! The connection to a node.

use crate::State;
use quern_primitives::{BlockNumber, GenesisHash};
use std::{sync::Arc, time::Duration};
use subxt::{
    OnlineClient, SubstrateConfig,
    backend::LegacyBackend,
    config::RpcConfigFor,
    rpcs::{
        client::{ReconnectingRpcClient, RpcClient},
        methods::LegacyRpcMethods,
    },
};

pub(crate) type Client = OnlineClient<SubstrateConfig>;
pub(crate) type Hash = subxt::utils::H256;

/// A node's answer is no longer than this: the largest is a page of jobs.
const RESPONSE_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// A request that the node has not answered after so long has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the chain could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The node cannot be reached.
    #[error("no node answers at {url}; is it running, and is its RPC port the right one?")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The node failed to answer a request.
    #[error("the node did not answer {what}; it may be restarting, try again")]
    NoAnswer {
        /// What was asked.
        what: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The node answered something else than what was asked for.
    #[error(
        "the node's answer to {what} does not decode; node and program are of different versions, update the older one"
    )]
    Foreign {
        /// What was asked.
        what: &'static str,
        /// What the decoder says.
        source: codec::Error,
    },
    /// The connection ended for good.
    #[error("the node closed the connection")]
    Closed,
}

pub(crate) fn no_answer<E>(what: &'static str) -> impl FnOnce(E) -> ChainError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| ChainError::NoAnswer {
        what,
        source: error.into(),
    }
}

/// A connection to a node, which mends itself when the node comes back. Clones share it.
#[derive(Clone)]
pub struct Chain {
    pub(crate) client: Client,
    pub(crate) rpc: LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>,
    genesis: GenesisHash,
}

/// A finalised block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalisedBlock {
    /// Its height.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Chain {
    /// Connects to a node's WebSocket, such as `ws://127.0.0.1:9944`.
    pub async fn connect(url: &str) -> Result<Self, ChainError> {
        let unreachable = |source| ChainError::Unreachable {
            url: url.to_owned(),
            source,
        };
        let inner = ReconnectingRpcClient::builder()
            .max_response_size(RESPONSE_BYTES_MAX)
            .request_timeout(REQUEST_TIMEOUT)
            .build(url.to_owned())
            .await
            .map_err(|error| unreachable(error.into()))?;
        let rpc = RpcClient::new(inner);
        // Each of this backend's questions stands alone, so that a node that comes back after a
        // crash answers the next one. The newer backends hold on to blocks that it has forgotten.
        let backend = LegacyBackend::builder().build(rpc.clone());
        let client = Client::from_backend(Arc::new(backend))
            .await
            .map_err(|error| unreachable(error.into()))?;
        let genesis = GenesisHash(client.genesis_hash().0);
        Ok(Self {
            client,
            rpc: LegacyRpcMethods::new(rpc),
            genesis,
        })
    }

    /// The hash of the chain's first block.
    pub fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    /// Whether this is a development chain, on which well-known accounts hold every office.
    pub async fn is_development(&self) -> Result<bool, ChainError> {
        let kind = self
            .rpc
            .system_chain_type()
            .await
            .map_err(no_answer("the kind of chain"))?;
        Ok(kind == "Development")
    }

    /// The state of the last finalised block. Everything asked of it is of that block.
    pub async fn at_finalised(&self) -> Result<State, ChainError> {
        let at = self
            .client
            .at_current_block()
            .await
            .map_err(no_answer("the last finalised block"))?;
        Ok(State::new(at))
    }

    /// The state of a finalised block.
    pub async fn at(&self, block: FinalisedBlock) -> Result<State, ChainError> {
        let at = self
            .client
            .at_block(Hash::from(block.hash))
            .await
            .map_err(no_answer("a finalised block"))?;
        Ok(State::new(at))
    }

    /// The state of the finalised block at a height.
    pub async fn at_height(&self, number: BlockNumber) -> Result<State, ChainError> {
        let at = self
            .client
            .at_block(number)
            .await
            .map_err(no_answer("a finalised block"))?;
        Ok(State::new(at))
    }

    /// Finalised blocks from now on.
    pub async fn finalised(&self) -> Result<FinalisedBlocks, ChainError> {
        let blocks = self
            .client
            .stream_blocks()
            .await
            .map_err(no_answer("the stream of finalised blocks"))?;
        Ok(FinalisedBlocks(blocks))
    }
}

/// A stream of finalised blocks. A node that finalises several at once reports each.
pub struct FinalisedBlocks(subxt::client::Blocks<SubstrateConfig>);

impl FinalisedBlocks {
    /// The next block, when there is one.
    pub async fn next(&mut self) -> Result<FinalisedBlock, ChainError> {
        let block = self
            .0
            .next()
            .await
            .ok_or(ChainError::Closed)?
            .map_err(no_answer("the stream of finalised blocks"))?;
        let number = BlockNumber::try_from(block.number()).unwrap_or(BlockNumber::MAX);
        Ok(FinalisedBlock {
            number,
            hash: block.hash().0,
        })
    }
}
