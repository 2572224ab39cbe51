//! The connection to a node.

use crate::{State, slot};
use quern_primitives::{BlockNumber, GenesisHash};
use std::{sync::Arc, time::Duration};
use subxt::{
    OnlineClient, SubstrateConfig,
    backend::LegacyBackend,
    config::RpcConfigFor,
    rpcs::{
        client::{ReconnectingRpcClient, RpcClient, reconnecting_rpc_client::ExponentialBackoff},
        methods::{LegacyRpcMethods, legacy::NumberOrHex},
    },
};

pub(crate) type Client = OnlineClient<SubstrateConfig>;
pub(crate) type Hash = subxt::utils::H256;

/// A node's answer is no longer than this: the largest is a page of jobs.
const RESPONSE_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// A request that the node has not answered after so long has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest pause between two attempts to reach a node that is away. A node that is started again is
/// there within seconds; who has long been waiting for it must not wait much longer.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// The first pause, in milliseconds; each is so many times as long as the one before.
const RECONNECT_PAUSE_MS: u64 = 10;

/// Entries of a storage that are asked for at a time: a node answers up to 1,000. Of devices, which
/// take 250 bytes each, that is 250 kB as a node writes it out.
const STORAGE_PAGE: u32 = 512;

/// What a node says when it is asked for a state that it has discarded. It has no code of its own.
const DISCARDED: &str = "State already discarded";

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
    /// There is no such block.
    #[error("the chain has no block {block} yet; is the node still catching up?")]
    NoBlock {
        /// The block.
        block: BlockNumber,
    },
    /// The block is too old for the node to know the state after it.
    #[error(
        "the node has discarded the state of block {block}; ask one that runs with `--state-pruning archive`"
    )]
    Discarded {
        /// The block.
        block: BlockNumber,
        /// What the node says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The node tells of more of something than is taken in.
    #[error(
        "the node tells of more than {most} of {what}, which is more than there should be; ask another node"
    )]
    TooMany {
        /// What was asked.
        what: &'static str,
        /// How many are taken in.
        most: usize,
    },
    /// The node's word is not believed here, and it does not prove it.
    #[error("the node does not prove {what} of block {block}; ask another node")]
    Unproven {
        /// What it says.
        what: &'static str,
        /// Of which block.
        block: BlockNumber,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
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

/// As [`no_answer`], where what was asked for is the state of a block.
pub(crate) fn no_state<E>(what: &'static str, block: BlockNumber) -> impl FnOnce(E) -> ChainError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| {
        let source = error.into();
        if source.to_string().contains(DISCARDED) {
            ChainError::Discarded { block, source }
        } else {
            ChainError::NoAnswer { what, source }
        }
    }
}

/// The pauses between attempts to reach a node that is away; they have no end.
fn reconnect_pauses() -> ExponentialBackoff {
    ExponentialBackoff::from_millis(RECONNECT_PAUSE_MS).max_delay(RECONNECT_PAUSE_MAX)
}

/// A connection to a node, which mends itself when the node comes back. Clones share it.
#[derive(Clone)]
pub struct Chain {
    pub(crate) client: Client,
    pub(crate) rpc: LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>,
    /// For what has no name among those methods.
    pub(crate) client_rpc: RpcClient,
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
            .retry_policy(reconnect_pauses())
            .build(url.to_owned())
            .await
            .map_err(|error| unreachable(error.into()))?;
        let rpc = RpcClient::new(inner);
        // Each of this backend's questions stands alone, so that a node that comes back after a
        // crash answers the next one. The newer backends hold on to blocks that it has forgotten.
        let backend = LegacyBackend::builder()
            .storage_page_size(STORAGE_PAGE)
            .build(rpc.clone());
        let client = Client::from_backend(Arc::new(backend))
            .await
            .map_err(|error| unreachable(error.into()))?;
        let genesis = GenesisHash(client.genesis_hash().0);
        Ok(Self {
            client,
            rpc: LegacyRpcMethods::new(rpc.clone()),
            client_rpc: rpc,
            genesis,
        })
    }

    /// The hash of the chain's first block.
    pub fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    /// Whether this is a development chain, on which well-known accounts hold every office.
    pub async fn is_development(&self) -> Result<bool, ChainError> {
        Ok(self.kind().await? == "Development")
    }

    /// Whether this chain is one for trying things out, all of it on one machine: a development chain,
    /// or one of several validators whose keys everybody has.
    pub async fn is_for_trials(&self) -> Result<bool, ChainError> {
        let kind = self.kind().await?;
        Ok(["Development", "Local"].contains(&kind.as_str()))
    }

    /// What its specification says that it is for.
    async fn kind(&self) -> Result<String, ChainError> {
        self.rpc
            .system_chain_type()
            .await
            .map_err(no_answer("the kind of chain"))
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
            .map_err(no_state("a finalised block", block.number))?;
        Ok(State::new(at))
    }

    /// The state of the finalised block at a height.
    pub async fn at_height(&self, number: BlockNumber) -> Result<State, ChainError> {
        let at = self
            .client
            .at_block(number)
            .await
            .map_err(no_state("a finalised block", number))?;
        Ok(State::new(at))
    }

    /// The hash of the block at a height.
    pub async fn block_hash(&self, number: BlockNumber) -> Result<[u8; 32], ChainError> {
        let height = NumberOrHex::Number(number.into());
        let hash = self
            .rpc
            .chain_get_block_hash(Some(height))
            .await
            .map_err(no_answer("the hash of a block"))?;
        hash.map(|hash| hash.0)
            .ok_or(ChainError::NoBlock { block: number })
    }

    /// When a block was made, in milliseconds since the beginning of 1970: when its slot began. It is
    /// told by the block's header, which every node keeps. The chain's first block has no slot and
    /// so no time.
    pub async fn made_at(&self, number: BlockNumber) -> Result<Option<u64>, ChainError> {
        let claim = self.slot_of(number).await?;
        Ok(claim.map(|claim| claim.began_at))
    }

    /// What the verifiable random function of a block's slot gave its author, who could not choose it; none of a
    /// chain's first block, or of one whose slot has no such function.
    pub async fn random_output(&self, number: BlockNumber) -> Result<Option<[u8; 32]>, ChainError> {
        let claim = self.slot_of(number).await?;
        Ok(claim.and_then(|claim| claim.output))
    }

    /// What the header of a block says of its slot.
    async fn slot_of(&self, number: BlockNumber) -> Result<Option<slot::Claim>, ChainError> {
        let hash = self.block_hash(number).await?;
        let header = self
            .rpc
            .chain_get_header(Some(Hash::from(hash)))
            .await
            .map_err(no_answer("the header of a block"))?;
        let header = header.ok_or(ChainError::NoBlock { block: number })?;
        slot::of(&header.digest.logs)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_comes_back_is_reached_within_seconds_however_long_it_was_away() {
        let mut pauses = reconnect_pauses();
        assert_eq!(pauses.next(), Some(Duration::from_millis(10)));
        assert_eq!(pauses.nth(1_000), Some(RECONNECT_PAUSE_MAX));
    }

    #[test]
    fn a_discarded_state_is_told_from_a_node_that_does_not_answer() {
        let discarded = "Client error: UnknownBlock: State already discarded for 0x12 (4003)";
        let error = no_state("a finalised block", 7)(discarded);
        assert!(matches!(error, ChainError::Discarded { block: 7, .. }));
        assert!(error.to_string().contains("--state-pruning archive"));
        let error = no_state("a finalised block", 7)("connection reset");
        assert!(matches!(error, ChainError::NoAnswer { .. }));
    }
}
