//! All that proves values of the state after a block, in one file: the block's header, the nodes of its
//! state that lead to the values, and what shows that the block is final. It can be kept and checked
//! without a node, against the hash of the chain's first block or that of a header that is trusted.

use crate::{
    authorities::{AuthoritySet, AuthoritySetFault},
    follower::{FollowFault, Follower},
    header::{BlockHash, Header, LineFault},
    justification::Finality,
    keys,
    limits::{HAND_OVERS_MAX, LINE_HEADERS_MAX},
    reading::{Malformed, as_hex},
    trie::{TrieFault, TrieProof, ValueFault},
};
use codec::Encode as _;
use quern_primitives::{BlockNumber, GenesisHash};
use serde::{Deserialize, Serialize};

/// The version of the file's form.
const VERSION: u8 = 1;

/// Proof of the state after one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainProof {
    /// The version of the form: 1.
    version: u8,
    /// The chain.
    genesis: GenesisHash,
    /// The header of the block, encoded.
    #[serde(with = "as_hex")]
    header: Vec<u8>,
    /// Headers of its descendants, encoded, each the child of the one before. The last one, or the block
    /// itself if there are none, has the justification.
    #[serde(with = "as_hex::list")]
    headers: Vec<Vec<u8>>,
    /// The justification, encoded.
    #[serde(with = "as_hex")]
    justification: Vec<u8>,
    /// The first validators, if they are in the file.
    start: Option<Start>,
    /// Every change of the validators up to those who signed the justification, in order.
    hand_overs: Vec<HandOver>,
    /// Nodes of the state after the block.
    #[serde(with = "as_hex::list")]
    nodes: Vec<Vec<u8>>,
}

/// What proves who the first validators are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The header of the chain's first block, encoded.
    #[serde(with = "as_hex")]
    pub header: Vec<u8>,
    /// Nodes of the state after it, which lead to the validators.
    #[serde(with = "as_hex::list")]
    pub nodes: Vec<Vec<u8>>,
}

/// What proves that one set of validators followed another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// The header of the last block of the older set, encoded; it tells of the newer one.
    #[serde(with = "as_hex")]
    pub header: Vec<u8>,
    /// Its justification, encoded.
    #[serde(with = "as_hex")]
    pub justification: Vec<u8>,
}

/// What an auditor knows, and need not have proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The hash of the chain's first block.
    Genesis(GenesisHash),
    /// The hash of a header that is final.
    Header(BlockHash),
}

/// How it was shown that a block is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By the signatures of the validators.
    Signed {
        /// The number of their set, which is how often they have changed.
        set: u64,
        /// How many there are in it.
        validators: usize,
    },
    /// By a trusted header, so many blocks behind it.
    Header {
        /// Blocks between them; none if it is the same.
        behind: BlockNumber,
    },
}

/// A block that is final, and what of its state is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenBlock {
    /// Its header.
    pub header: Header,
    /// How it was shown to be final.
    pub way: Way,
    state: TrieProof,
}

/// Why a file proves nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainProofFault {
    /// It is of a later version.
    #[error("the proof is of version {version}, and this program reads version 1; update it")]
    Version {
        /// The version.
        version: u8,
    },
    /// It is one of another chain.
    #[error("the proof is one of the chain with genesis {found}, not of {wanted}")]
    OtherChain {
        /// The chain that it says it is of.
        found: GenesisHash,
        /// The chain that is trusted.
        wanted: GenesisHash,
    },
    /// There are too many of something.
    #[error("the proof has {count} {what}, which is more than {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Something does not read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The headers are of no one chain.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// The trusted header is none of those in the proof.
    #[error(
        "the proof does not lead to header {header}; it has those of blocks {first} to {last}, name one of these"
    )]
    Elsewhere {
        /// The trusted header.
        header: BlockHash,
        /// The first block in the proof.
        first: BlockNumber,
        /// The last one.
        last: BlockNumber,
    },
    /// The first validators are not in it.
    #[error(
        "the proof does not have the first validators; check it against a header that you trust"
    )]
    NoStart,
    /// What should be the chain's first block is another one.
    #[error("the proof begins with block {found}, which is not the chain's first one")]
    OtherStart {
        /// The block.
        found: BlockHash,
    },
    /// The first validators are not proven.
    #[error("the first validators are not proven")]
    Validators(#[source] ValueFault),
    /// The first validators are no set.
    #[error(transparent)]
    Set(#[from] AuthoritySetFault),
    /// A change of the validators, or the block, is not shown to be final.
    #[error(transparent)]
    Follow(#[from] FollowFault),
    /// The nodes are none of the block's state.
    #[error(transparent)]
    State(#[from] TrieFault),
}

impl Start {
    /// Who makes the blocks behind the chain's first one final, by the proof of that block's state.
    pub fn follower(&self, genesis: GenesisHash) -> Result<Follower, ChainProofFault> {
        let header = Header::read(&self.header)?;
        if header.hash() != BlockHash::from(genesis) || header.number != 0 {
            let found = header.hash();
            return Err(ChainProofFault::OtherStart { found });
        }
        follower_of(&header, self.nodes.iter().cloned())
    }
}

/// Who makes the blocks behind a trusted one final, by nodes of the state after it.
pub fn follower_of(
    header: &Header,
    nodes: impl IntoIterator<Item = Vec<u8>>,
) -> Result<Follower, ChainProofFault> {
    let state = TrieProof::new(header.state_root, nodes)?;
    // Where there is none the number is 0, as it is until the first change.
    let id = state.value::<u64>(&keys::authority_set_id());
    let id = id.map_err(ChainProofFault::Validators)?.unwrap_or(0);
    let listed = state.get(&keys::authorities());
    let listed = listed.map_err(ChainProofFault::Validators)?;
    let set = AuthoritySet::read(id, listed.unwrap_or_default())?;
    Ok(Follower::new(set, header.number))
}

impl ChainProof {
    /// Puts a file together, unchecked.
    pub fn new(
        genesis: GenesisHash,
        header: &Header,
        finality: &Finality,
        start: Option<Start>,
        hand_overs: Vec<HandOver>,
        nodes: Vec<Vec<u8>>,
    ) -> Self {
        Self {
            version: VERSION,
            genesis,
            header: header.encode(),
            headers: finality
                .headers
                .iter()
                .map(|header| header.encode())
                .collect(),
            justification: finality.justification.clone(),
            start,
            hand_overs,
            nodes,
        }
    }

    /// The chain that the file says that it is of.
    pub fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    /// Checks it all. What comes of it is true of the chain if what is trusted is, and if no more than
    /// a third of any set of its validators ever lied.
    pub fn check(&self, trust: Trust) -> Result<ProvenBlock, ChainProofFault> {
        self.check_form()?;
        let header = Header::read(&self.header)?;
        let headers = self.headers.iter().map(|bytes| Header::read(bytes));
        let headers = headers.collect::<Result<Vec<_>, _>>()?;
        let way = match trust {
            Trust::Header(trusted) => behind(&header, &headers, trusted)?,
            Trust::Genesis(genesis) => self.signed(genesis, &header, headers)?,
        };
        let state = TrieProof::new(header.state_root, self.nodes.iter().cloned())?;
        Ok(ProvenBlock { header, way, state })
    }

    fn check_form(&self) -> Result<(), ChainProofFault> {
        let version = self.version;
        if version != VERSION {
            return Err(ChainProofFault::Version { version });
        }
        let lists = [
            ("headers", self.headers.len(), LINE_HEADERS_MAX),
            (
                "changes of validators",
                self.hand_overs.len(),
                HAND_OVERS_MAX,
            ),
        ];
        match lists.into_iter().find(|(_, count, most)| count > most) {
            Some((what, count, most)) => Err(ChainProofFault::TooMany { what, count, most }),
            None => Ok(()),
        }
    }

    /// Follows the validators from the chain's first block to this one.
    fn signed(
        &self,
        genesis: GenesisHash,
        header: &Header,
        headers: Vec<Header>,
    ) -> Result<Way, ChainProofFault> {
        if self.genesis != genesis {
            return Err(ChainProofFault::OtherChain {
                found: self.genesis,
                wanted: genesis,
            });
        }
        let start = self.start.as_ref().ok_or(ChainProofFault::NoStart)?;
        let mut follower = start.follower(genesis)?;
        for change in &self.hand_overs {
            let of = Header::read(&change.header)?;
            follower.hand_over(&of, &change.justification)?;
        }
        let block = headers.last().unwrap_or(header).hash();
        let finality = Finality {
            block,
            justification: self.justification.clone(),
            headers,
        };
        follower.finality(header, &finality)?;
        Ok(Way::Signed {
            set: follower.set().id(),
            validators: follower.set().len(),
        })
    }
}

/// Shows that a block is the trusted one, or an ancestor of it.
fn behind(header: &Header, headers: &[Header], trusted: BlockHash) -> Result<Way, ChainProofFault> {
    header.line(headers)?;
    let mut line = std::iter::once(header).chain(headers);
    let last = headers.last().unwrap_or(header).number;
    match line.find(|block| block.hash() == trusted) {
        Some(block) => Ok(Way::Header {
            behind: block.number.saturating_sub(header.number),
        }),
        None => Err(ChainProofFault::Elsewhere {
            header: trusted,
            first: header.number,
            last,
        }),
    }
}

impl ProvenBlock {
    /// What is in the state after the block; `None` if it is proven that nothing is there.
    pub fn value<T: codec::Decode>(&self, key: &[u8]) -> Result<Option<T>, ValueFault> {
        self.state.value(key)
    }

    /// The same, as it is.
    pub fn bytes(&self, key: &[u8]) -> Result<Option<&[u8]>, ValueFault> {
        self.state.get(key)
    }
}

#[allow(clippy::unwrap_used)]
#[cfg(test)]
mod tests;
