//! State that is believed because it is proven.
//!
//! Everything else in this room believes the node. What is read here is believed only with a proof: the
//! node may be anybody's. What is trusted is the hash of the chain's first block, or of another one that
//! is final.
//!
//! ```text
//! Proven::new(chain, trust)      asks who the validators were there, with a proof
//!   .newest() / .at_height(n)    a header that they, or those who followed them, made final
//!   .value(block, key)           what the state after it has at a key, or that it has nothing
//!   .page(block, prefix, after)  all that it has at keys that begin alike, piece by piece
//!   .file(n, keys)               all of that as a file, for who has no node
//! ```

use crate::{
    Chain,
    chain::{ChainError, Hash, no_answer, no_state},
    headers::Headers,
};
use codec::{Decode, Encode as _};
use quern_light::{
    BlockHash, ChainProof, ChainProofFault, Finality, FollowFault, Follower, HandOver, Header,
    Malformed, Start, Stretch, TrieFault, TrieProof, Trust, ValueFault, chain_proof::follower_of,
    keys, keys::Key, limits::HAND_OVERS_MAX,
};
use quern_primitives::{BlockNumber, GenesisHash};
use subxt::rpcs::{client::RpcParams, methods::legacy::Bytes};
use tokio::sync::Mutex;

/// Headers that are remembered as final.
const HEADERS_KEPT_MAX: usize = 65_536;

/// Values of one page. With the way to each it is some thousand nodes, of which a proof may have
/// [`quern_light::limits::TRIE_NODES_MAX`].
pub const PAGE_VALUES: usize = 256;

/// A piece of the state: all values at keys that begin alike, behind one key and up to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The keys in order, each with its value.
    pub entries: Vec<(Key, Vec<u8>)>,
    /// Where the next page goes on; none if there is nothing behind it.
    pub next: Option<Key>,
}

/// Why nothing is proven.
#[derive(Debug, thiserror::Error)]
pub enum ProvenError {
    /// The node failed to answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// What the node sent does not read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// What the node sent shows no block to be final.
    #[error("the node's proof does not hold; ask another node")]
    Follow(#[from] FollowFault),
    /// The node's chain is another one than that whose first block is trusted.
    #[error(
        "the node follows the chain that begins with block {found}, and not the one that begins with {wanted}; ask a node of that one"
    )]
    OtherChain {
        /// The first block that is trusted.
        wanted: GenesisHash,
        /// That of the node's chain, as it says.
        found: GenesisHash,
    },
    /// The validators of the trusted block are not proven.
    #[error("the node does not prove who the validators were; ask another node")]
    Validators(#[source] ChainProofFault),
    /// A file of what the node sent does not hold.
    #[error("the node's proof does not hold; ask another node")]
    File(#[source] ChainProofFault),
    /// A proof is none of the state it should be of.
    #[error("the node's proof of the state of block {at} does not hold; ask another node")]
    State {
        /// The block.
        at: BlockHash,
        /// Why.
        source: TrieFault,
    },
    /// A proof does not tell what is at a key.
    #[error("the node's proof of the state of block {at} does not hold; ask another node")]
    Value {
        /// The block.
        at: BlockHash,
        /// Why.
        source: ValueFault,
    },
    /// The node named keys that do not follow.
    #[error("the node named keys that are not behind each other; ask another node")]
    OtherKeys {
        /// The block.
        at: BlockHash,
    },
    /// The node sent another header than that of the block.
    #[error("the node sent another header than that of block {wanted}; ask another node")]
    OtherHeader {
        /// The block that was asked for.
        wanted: BlockHash,
        /// The block whose header came.
        found: BlockHash,
    },
    /// The node has no such block.
    #[error("the node does not have block {block}; ask another node")]
    NoHeader {
        /// The block.
        block: BlockHash,
    },
    /// The node named a block of another height than was asked for.
    #[error("the node named block {found} as the one at height {wanted}; ask another node")]
    OtherHeight {
        /// The height that was asked for.
        wanted: BlockNumber,
        /// That of the block.
        found: BlockNumber,
    },
    /// The block is not final yet.
    #[error("block {block} is not final yet; wait for it, or ask another node")]
    NotFinal {
        /// The block.
        block: BlockNumber,
    },
    /// The block is before the trusted one, and so signed by nobody who is known.
    #[error("block {block} is before the trusted block {trusted}; trust an earlier one")]
    BeforeTrusted {
        /// The block.
        block: BlockNumber,
        /// The trusted one.
        trusted: BlockNumber,
    },
    /// Nobody showed that the block is final.
    #[error("block {at} was not shown to be final; ask for it by its height first")]
    NotProven {
        /// The block.
        at: BlockHash,
    },
    /// There are more changes of the validators than are followed.
    #[error("the validators changed more than {HAND_OVERS_MAX} times; trust a later block")]
    TooManyHandOvers,
    /// A file is asked for that begins with the chain's first block, and another one is trusted.
    #[error("a file begins with the chain's first block; trust its hash instead of another one's")]
    NotFromGenesis,
}

/// Reads a chain's state with proofs, by a node that is not trusted.
pub struct Proven {
    pub(crate) chain: Chain,
    /// The chain's first block and what proves its validators, if that is what is trusted.
    start: Option<(GenesisHash, Start)>,
    known: Mutex<Known>,
}

/// What was proven so far.
struct Known {
    /// The validators: those of the trusted block, and behind these after each change that was followed.
    sets: Vec<Follower>,
    /// The changes: one fewer.
    hand_overs: Vec<HandOver>,
    /// Headers of final blocks.
    headers: Headers,
}

impl Proven {
    /// Begins at what is trusted. The node must still have the state after that block: of the chain's
    /// first one, nodes with `--state-pruning archive` have.
    pub async fn new(chain: Chain, trust: Trust) -> Result<Self, ProvenError> {
        // A node of another chain would only not have the block, which says less of what to do.
        if let Trust::Genesis(wanted) = trust
            && wanted != chain.genesis()
        {
            let found = chain.genesis();
            return Err(ProvenError::OtherChain { wanted, found });
        }
        let at = match trust {
            Trust::Genesis(genesis) => genesis.into(),
            Trust::Header(header) => header,
        };
        let header = header(&chain, at).await?;
        let validators = [keys::authorities(), keys::authority_set_id()];
        let nodes = nodes(&chain, at, header.number, &validators).await?;
        let (follower, start) = match trust {
            Trust::Genesis(genesis) => {
                let start = Start {
                    header: header.encode(),
                    nodes,
                };
                let follower = start.follower(genesis);
                (follower, Some((genesis, start)))
            }
            Trust::Header(_) => (follower_of(&header, nodes), None),
        };
        let follower = follower.map_err(ProvenError::Validators)?;
        let mut headers = Headers::new(HEADERS_KEPT_MAX);
        headers.put(header);
        let known = Known {
            sets: vec![follower],
            hand_overs: Vec::new(),
            headers,
        };
        Ok(Self {
            chain,
            start,
            known: Mutex::new(known),
        })
    }

    /// The newest block that the node says to be final, with its proof.
    pub async fn newest(&self) -> Result<Header, ProvenError> {
        let what = "the newest final block";
        let hash = self.chain.rpc.chain_get_finalized_head().await;
        let hash = hash.map_err(no_answer(what))?;
        let newest = header(&self.chain, BlockHash(hash.0)).await?;
        self.prove(newest).await.map(|(header, ..)| header)
    }

    /// The block at a height, with the proof that it is final.
    pub async fn at_height(&self, number: BlockNumber) -> Result<Header, ProvenError> {
        let hash = BlockHash(self.chain.block_hash(number).await?);
        let kept = self.known.lock().await.headers.get(&hash).cloned();
        if let Some(header) = kept {
            return of_height(header, number);
        }
        let header = of_height(header(&self.chain, hash).await?, number)?;
        self.prove(header).await.map(|(header, ..)| header)
    }

    /// The number of the set of validators who sign blocks at a height, and how many there are in it, as
    /// far as their changes were followed.
    pub async fn signers_at(&self, height: BlockNumber) -> (u64, usize) {
        let known = self.known.lock().await;
        let place = signers(&known.sets, height).unwrap_or(0);
        let set = known.sets.get(place);
        set.map_or((0, 0), |set| (set.set().id(), set.set().len()))
    }

    /// What the state after a final block has at a key; `None` if it is proven that it has nothing. The
    /// block is one that [`Self::newest`] or [`Self::at_height`] gave, or the trusted one.
    pub async fn value<T: Decode>(
        &self,
        at: BlockHash,
        key: &[u8],
    ) -> Result<Option<T>, ProvenError> {
        let state = self.state(at, &[key.to_vec()]).await?;
        state
            .value(key)
            .map_err(|source| ProvenError::Value { at, source })
    }

    /// The state after such a block, as far as it has these keys or has them not.
    pub async fn state(&self, at: BlockHash, keys: &[Key]) -> Result<TrieProof, ProvenError> {
        let (root, number) = self.root(at).await?;
        let nodes = nodes(&self.chain, at, number, keys).await?;
        TrieProof::new(root, nodes).map_err(|source| ProvenError::State { at, source })
    }

    /// What the state after such a block has at keys that begin with a prefix, behind a key or from the
    /// first one on: at most [`PAGE_VALUES`] of them. It is proven that the node left none out.
    pub async fn page(
        &self,
        at: BlockHash,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> Result<Page, ProvenError> {
        let (_, number) = self.root(at).await?;
        let asked = self.chain.rpc.state_get_keys_paged(
            prefix,
            u32::try_from(PAGE_VALUES).unwrap_or(u32::MAX),
            after,
            Some(Hash::from(at.0)),
        );
        let keys = asked.await.map_err(no_state("keys of the state", number))?;
        let next = next_of(&keys, prefix, after).ok_or(ProvenError::OtherKeys { at })?;
        // The ways to where the page begins show what is beside them.
        let mut asked = keys;
        asked.push(prefix.to_vec());
        asked.extend(after.map(<[u8]>::to_vec));
        let state = self.state(at, &asked).await?;
        let stretch = Stretch {
            prefix,
            after,
            up_to: next.as_deref(),
        };
        let entries = state
            .entries(&stretch, PAGE_VALUES)
            .map_err(|source| ProvenError::Value { at, source })?;
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key, value.to_vec()));
        Ok(Page {
            entries: entries.collect(),
            next,
        })
    }

    /// The root of the state after a final block, and its height.
    async fn root(&self, at: BlockHash) -> Result<([u8; 32], BlockNumber), ProvenError> {
        let mut known = self.known.lock().await;
        let header = known.headers.get(&at);
        header
            .map(|header| (header.state_root, header.number))
            .ok_or(ProvenError::NotProven { at })
    }

    /// All that proves what the state after the block at a height has at these keys, or that it has
    /// nothing there, from the chain's first block on. It was checked.
    pub async fn file(&self, number: BlockNumber, keys: &[Key]) -> Result<ChainProof, ProvenError> {
        let (genesis, start) = self.start.as_ref().ok_or(ProvenError::NotFromGenesis)?;
        let hash = BlockHash(self.chain.block_hash(number).await?);
        let header = of_height(header(&self.chain, hash).await?, number)?;
        let (header, finality, hand_overs) = self.prove(header).await?;
        let nodes = nodes(&self.chain, hash, number, keys).await?;
        let start = Some(start.clone());
        let file = ChainProof::new(*genesis, &header, &finality, start, hand_overs, nodes);
        let block = file.check(Trust::Genesis(*genesis));
        let block = block.map_err(ProvenError::File)?;
        for key in keys {
            let value = block.bytes(key);
            value.map_err(|source| ProvenError::Value { at: hash, source })?;
        }
        Ok(file)
    }

    /// Has the node prove that the block with this header is final. With the proof come the changes of
    /// the validators up to those who signed it.
    async fn prove(
        &self,
        header: Header,
    ) -> Result<(Header, Finality, Vec<HandOver>), ProvenError> {
        let block = header.number;
        let answer = self.ask("quern_finality", block).await?;
        let finality = Finality::read(&answer.ok_or(ProvenError::NotFinal { block })?)?;
        let signed = finality.headers.last().map_or(block, |last| last.number);
        let mut known = self.known.lock().await;
        self.follow(&mut known, signed).await?;
        let Some(changes) = signers(&known.sets, signed) else {
            let trusted = known.sets.first().map_or(0, Follower::height);
            return Err(ProvenError::BeforeTrusted { block, trusted });
        };
        let set = known.sets.get(changes);
        let set = set.ok_or(ProvenError::TooManyHandOvers)?;
        set.finality(&header, &finality)?;
        let hand_overs = known.hand_overs.iter().take(changes).cloned().collect();
        // Those that lead to the signed one are final as well, and need no proof of their own.
        for header in finality.headers.iter().chain([&header]) {
            known.headers.put(header.clone());
        }
        Ok((header, finality, hand_overs))
    }

    /// Follows the changes of the validators up to those who sign blocks at this height.
    async fn follow(&self, known: &mut Known, height: BlockNumber) -> Result<(), ProvenError> {
        while let Some(newest) = known.sets.last().filter(|set| set.height() < height) {
            let Some(answer) = self.ask("quern_handOver", newest.height()).await? else {
                return Ok(());
            };
            let Finality {
                justification,
                headers,
                ..
            } = Finality::read(&answer)?;
            // Of today's validators the last block tells of no others.
            let Some(header) = headers.first().filter(|header| {
                let behind = header.number < height;
                behind && !matches!(newest.set().after(header), Ok(None))
            }) else {
                return Ok(());
            };
            let mut next = newest.clone();
            next.hand_over(header, &justification)?;
            if known.hand_overs.len() >= HAND_OVERS_MAX {
                return Err(ProvenError::TooManyHandOvers);
            }
            known.hand_overs.push(HandOver {
                header: header.encode(),
                justification,
            });
            known.sets.push(next);
        }
        Ok(())
    }

    async fn ask(
        &self,
        method: &'static str,
        block: BlockNumber,
    ) -> Result<Option<Vec<u8>>, ProvenError> {
        let what = "the request for a proof of finality";
        let mut params = RpcParams::new();
        params.push(block).map_err(no_answer(what))?;
        let answer: Option<Bytes> = self
            .chain
            .client_rpc
            .request(method, params)
            .await
            .map_err(no_answer(what))?;
        Ok(answer.map(|answer| answer.0))
    }
}

/// Which of these sets, each with the block that told of it, signs the block at a height; none if it is
/// not behind the first of them. A set's last block tells of the next one, and is its own.
fn signers(sets: &[Follower], height: BlockNumber) -> Option<usize> {
    sets.partition_point(|set| set.height() < height)
        .checked_sub(1)
}

/// Where a page ends, of which the node names these keys: with the last one if it is full, and if it is not,
/// with the last that there is. None if the keys do not begin with the prefix or do not follow each other,
/// because then the next page would be no further.
fn next_of(keys: &[Key], prefix: &[u8], after: Option<&[u8]>) -> Option<Option<Key>> {
    let begins = |key: &Key| key.starts_with(prefix);
    let is_behind = |key: &Key| after.is_none_or(|after| key.as_slice() > after);
    let follows = keys.is_sorted_by(|before, after| before < after)
        && keys.len() <= PAGE_VALUES
        && keys.iter().all(begins)
        && keys.first().is_none_or(is_behind);
    let is_full = keys.len() == PAGE_VALUES;
    follows.then(|| keys.last().filter(|_| is_full).cloned())
}

/// A header, of which nothing is known but that its hash is right.
async fn header(chain: &Chain, block: BlockHash) -> Result<Header, ProvenError> {
    let told = chain.rpc.chain_get_header(Some(Hash::from(block.0))).await;
    let told = told.map_err(no_answer("the header of a block"))?;
    let told = told.ok_or(ProvenError::NoHeader { block })?;
    let header = Header::read(&told.encode())?;
    let found = header.hash();
    if found != block {
        let wanted = block;
        return Err(ProvenError::OtherHeader { wanted, found });
    }
    Ok(header)
}

/// The header, if it is of the height that was asked for. The node says which block is at a height, and
/// that a block is final says nothing of whether it is the one that was meant.
fn of_height(header: Header, wanted: BlockNumber) -> Result<Header, ProvenError> {
    match header.number {
        found if found == wanted => Ok(header),
        found => Err(ProvenError::OtherHeight { wanted, found }),
    }
}

/// What the node sends as proof of the values at these keys.
async fn nodes(
    chain: &Chain,
    at: BlockHash,
    number: BlockNumber,
    keys: &[Key],
) -> Result<Vec<Vec<u8>>, ProvenError> {
    let keys = keys.iter().map(Vec::as_slice);
    let told = chain
        .rpc
        .state_get_read_proof(keys, Some(Hash::from(at.0)))
        .await
        .map_err(no_state("a proof of the state", number))?;
    Ok(told.proof.into_iter().map(|node| node.0).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_light::{AuthorityId, AuthoritySet};

    #[test]
    fn a_block_is_signed_by_the_set_that_was_told_of_before_it() {
        let set = |(id, height)| {
            let listed = vec![(AuthorityId([1; 32]), 1)];
            Follower::new(AuthoritySet::new(id, listed).unwrap(), height)
        };
        let sets: Vec<_> = [(0, 0), (1, 10), (2, 30)].into_iter().map(set).collect();
        let signed = [0, 1, 10, 11, 30, 31, 900].map(|height| signers(&sets, height));
        let expected = [None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(2)];
        assert_eq!(signed, expected);
        assert_eq!(signers(&[], 5), None);
    }

    #[test]
    fn a_page_goes_on_behind_its_last_key_and_only_forwards() {
        let keys: Vec<Key> = (0..=255_u8).map(|last| vec![7, last]).collect();
        let last = Some(vec![7, 255]);
        assert_eq!(next_of(&keys, &[7], None), Some(last.clone()));
        assert_eq!(next_of(&keys, &[7], Some(&[7])), Some(last));
        assert_eq!(next_of(&keys[1..], &[7], Some(&[7, 0])), Some(None));
        assert_eq!(next_of(&[], &[7], None), Some(None));
        assert_eq!(next_of(&keys, &[7], Some(&[7, 0])), None);
        assert_eq!(next_of(&keys, &[7, 0], None), None);
        let back = [vec![7, 2], vec![7, 1]];
        assert_eq!(next_of(&back, &[7], None), None);
        let twice = [vec![7, 2], vec![7, 2]];
        assert_eq!(next_of(&twice, &[7], None), None);
        let more: Vec<Key> = (0..300_u16).map(|key| key.to_be_bytes().to_vec()).collect();
        assert_eq!(next_of(&more, &[], None), None);
    }

    #[test]
    fn a_final_block_of_another_height_is_not_taken_for_the_one_that_was_asked_for() {
        let header = Header {
            parent: BlockHash([1; 32]),
            number: 50,
            state_root: [2; 32],
            extrinsics_root: [3; 32],
            digest: vec![],
        };
        assert_eq!(of_height(header.clone(), 50).unwrap(), header);
        for asked in [0, 49, 51, BlockNumber::MAX] {
            assert!(matches!(
                of_height(header.clone(), asked),
                Err(ProvenError::OtherHeight { wanted, found: 50 }) if wanted == asked
            ));
        }
    }
}
