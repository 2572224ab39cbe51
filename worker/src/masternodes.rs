//! Where the masternodes are: from the chain, or from the settings.

use crate::{
    limits::{MASTERNODES_MAX, PAUSE_MS_MAX},
    settings::{Masternode, Source},
};
use quern_ledger::{Chain, ChainError};
use quern_primitives::{GenesisHash, limits::ADDRESSES_PER_MASTERNODE_MAX, view::MasternodeView};
use std::time::Duration;

/// How long one node of the chain may take to answer before the next is asked.
const NODE_TIMEOUT: Duration = Duration::from_secs(20);

/// The first pause after the chain could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

/// The chain and its masternodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The chain.
    pub genesis: GenesisHash,
    /// Its masternodes, those that can be reached.
    pub masternodes: Vec<Masternode>,
}

/// Why the masternodes are not known.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// A node failed to answer.
    #[error(
        "cannot learn the masternodes from the chain node at {url}, which `chain` in the settings names"
    )]
    Chain {
        /// The node.
        url: String,
        /// What went wrong.
        source: ChainError,
    },
    /// A node took too long.
    #[error(
        "the chain node at {url}, which `chain` in the settings names, does not answer; is it running, and is it the right address?"
    )]
    Silent {
        /// The node.
        url: String,
    },
    /// There is no node to ask.
    #[error("no chain node is named in the settings; set `chain`")]
    NoNode,
    /// The node is of another chain than before.
    #[error(
        "the node at {url} is of another chain ({found}) than this worker works for ({expected}); restart the worker if that is wanted"
    )]
    OtherChain {
        /// The node.
        url: String,
        /// The chain so far.
        expected: GenesisHash,
        /// The node's chain.
        found: GenesisHash,
    },
}

/// Looks masternodes up, again and again.
pub struct Directory {
    source: Source,
    /// The connection to the node that answered last, with its URL.
    chain: Option<(String, Chain)>,
    genesis: Option<GenesisHash>,
    node_timeout: Duration,
}

impl Directory {
    /// A directory over this source.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            chain: None,
            genesis: None,
            node_timeout: NODE_TIMEOUT,
        }
    }

    /// Asks for the masternodes until somebody answers.
    pub(crate) async fn look_up_at_last(&mut self) -> Network {
        let mut pause = PAUSE;
        loop {
            match self.look_up().await {
                Ok(network) => return network,
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, source, pause_s = pause.as_secs(), "no masternodes yet");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(PAUSE_MS_MAX));
        }
    }

    /// Whether asking again can give another answer.
    pub fn can_change(&self) -> bool {
        matches!(self.source, Source::Chain(_))
    }

    /// The masternodes now, as the chain's last finalised block has them.
    pub async fn look_up(&mut self) -> Result<Network, LookUpError> {
        let urls = match &self.source {
            Source::Given {
                genesis,
                masternodes,
            } => {
                return Ok(Network {
                    genesis: *genesis,
                    masternodes: masternodes.clone(),
                });
            }
            Source::Chain(urls) => urls.clone(),
        };
        if let Some((url, chain)) = self.chain.take()
            && let Ok(network) = self.ask(&url, chain).await
        {
            return Ok(network);
        }
        let mut failed = LookUpError::NoNode;
        for url in urls {
            let found = match tokio::time::timeout(self.node_timeout, Chain::connect(&url)).await {
                Ok(Ok(chain)) => self.ask(&url, chain).await,
                Ok(Err(source)) => Err(LookUpError::Chain { url, source }),
                Err(_) => Err(LookUpError::Silent { url }),
            };
            match found {
                Ok(network) => return Ok(network),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The connection to the node that answered last, if there is one.
    pub fn chain(&self) -> Option<Chain> {
        self.chain.as_ref().map(|(_, chain)| chain.clone())
    }

    async fn ask(&mut self, url: &str, chain: Chain) -> Result<Network, LookUpError> {
        let found = chain.genesis();
        let expected = *self.genesis.get_or_insert(found);
        if expected != found {
            return Err(LookUpError::OtherChain {
                url: url.into(),
                expected,
                found,
            });
        }
        let asked = async { chain.at_finalised().await?.masternodes().await };
        let views = match tokio::time::timeout(self.node_timeout, asked).await {
            Ok(Ok(views)) => views,
            Ok(Err(source)) => {
                return Err(LookUpError::Chain {
                    url: url.into(),
                    source,
                });
            }
            Err(_) => return Err(LookUpError::Silent { url: url.into() }),
        };
        self.chain = Some((url.into(), chain));
        let masternodes = views
            .into_iter()
            .filter_map(reachable)
            .take(MASTERNODES_MAX)
            .collect();
        Ok(Network {
            genesis: found,
            masternodes,
        })
    }
}

/// A masternode with those of its addresses that are any; `None` if there is none.
fn reachable(view: MasternodeView) -> Option<Masternode> {
    let addresses: Vec<_> = view
        .device_addresses
        .iter()
        .take(ADDRESSES_PER_MASTERNODE_MAX as usize)
        .filter_map(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok())
        .collect();
    if addresses.is_empty() {
        tracing::debug!(account = %view.account, "a masternode publishes no address that can be used");
        return None;
    }
    Some(Masternode {
        network_key: view.network_key,
        addresses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{AccountId, DeviceId, SealingKey};

    fn view(addresses: &[&str]) -> MasternodeView {
        MasternodeView {
            account: AccountId::new([1; 32]),
            network_key: DeviceId([2; 32]),
            sealing_key: SealingKey([3; 32]),
            device_addresses: addresses
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect(),
            jobs_api: vec![],
        }
    }

    #[test]
    fn addresses_that_are_none_are_left_out() {
        let found = reachable(view(&["nowhere", "/ip4/127.0.0.1/tcp/1"])).unwrap();
        assert_eq!(found.addresses, ["/ip4/127.0.0.1/tcp/1".parse().unwrap()]);
        assert_eq!(reachable(view(&["nowhere", "\u{0}"])), None);
        assert_eq!(reachable(view(&[])), None);
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_named() {
        let source = Source::Chain(vec!["ws://127.0.0.1:9".into()]);
        let node_timeout = Duration::from_millis(200);
        let mut directory = Directory {
            node_timeout,
            ..Directory::new(source)
        };
        let error = directory.look_up().await.unwrap_err();
        let text = error.to_string();
        let named = "ws://127.0.0.1:9, which `chain` in the settings names";
        assert!(text.contains(named), "{text}");
    }
}
