//! Justifications: that more than two thirds of the validators signed that a block is final.
//!
//! A validator votes for the newest block that it wants to be final, so a vote for a later block is
//! one for each before it. A justification names the block that it makes final, has the votes, and the
//! headers by which those for later blocks lead back to it.

use crate::{
    authorities::{AuthorityId, AuthoritySet},
    header::{BlockHash, Header},
    limits::{
        FINALITY_BYTES_MAX, JUSTIFICATION_BYTES_MAX, LINE_HEADERS_MAX, PRECOMMITS_MAX,
        VOTE_HEADERS_MAX,
    },
    reading::{self, Malformed},
};
use codec::{Decode, Encode, Error, Input, Output};
use quern_primitives::BlockNumber;
use sp_core::{Pair as _, ed25519};
use std::collections::{BTreeMap, BTreeSet};

/// A signed vote.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Precommit {
    /// The block that it is for.
    pub target: BlockHash,
    /// That block's height.
    pub number: BlockNumber,
    /// The validator's signature.
    pub signature: [u8; 64],
    /// The validator.
    pub id: AuthorityId,
}

impl Precommit {
    /// What is signed, in a round of voting of a set: `1` for this kind of vote, block, height, round
    /// and the set's number.
    pub fn signed(target: &BlockHash, number: BlockNumber, round: u64, set: u64) -> Vec<u8> {
        (1_u8, target, number, round, set).encode()
    }

    fn is_signed(&self, round: u64, set: u64) -> bool {
        ed25519::Pair::verify(
            &ed25519::Signature::from_raw(self.signature),
            Self::signed(&self.target, self.number, round, set),
            &ed25519::Public::from_raw(self.id.0),
        )
    }
}

/// That a block is final, as its validators signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Justification {
    /// The round of voting.
    pub round: u64,
    /// The block that it makes final.
    pub target: BlockHash,
    /// That block's height.
    pub number: BlockNumber,
    /// The votes.
    pub precommits: Vec<Precommit>,
    /// Headers of blocks behind the earliest that is voted for, as far as votes need them.
    pub headers: Vec<Header>,
}

/// Why a justification makes nothing final.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JustificationFault {
    /// It is about another block.
    #[error("the justification is one for block {found}, not for {wanted}")]
    OtherBlock {
        /// The block that it is about.
        found: BlockHash,
        /// The block that it should be about.
        wanted: BlockHash,
    },
    /// Somebody voted who is no validator of this set.
    #[error("{id} voted, who is no validator of set {set}")]
    Stranger {
        /// Who.
        id: AuthorityId,
        /// The set.
        set: u64,
    },
    /// It is signed in the name of another set of validators.
    #[error("the justification is one of set {found} of the validators, not of set {set}")]
    OtherSet {
        /// The set that signed.
        found: u64,
        /// The set that should have.
        set: u64,
    },
    /// A signature does not hold.
    #[error("the signature of validator {id} does not hold")]
    Signature {
        /// Whose.
        id: AuthorityId,
    },
    /// A vote is for a block that does not lead back to the others.
    #[error(
        "validator {id} voted for block {target}, which the justification does not lead back from"
    )]
    Ancestry {
        /// Whose vote.
        id: AuthorityId,
        /// For which block.
        target: BlockHash,
    },
    /// There are headers that no vote needs, or the same twice.
    #[error("the justification has headers that no vote needs")]
    UnusedHeaders,
    /// Too few validators voted for the block.
    #[error("validators of weight {weight} voted for the block, and {needed} make it final")]
    TooFew {
        /// The weight of those who did.
        weight: u64,
        /// The weight that is needed.
        needed: u64,
    },
}

impl Justification {
    /// Reads a justification that ends where the bytes end.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        reading::whole("a justification", bytes, JUSTIFICATION_BYTES_MAX)
    }

    /// Checks that this set of validators made the block with this header final.
    pub fn check(&self, header: &Header, set: &AuthoritySet) -> Result<(), JustificationFault> {
        let wanted = header.hash();
        if (self.target, self.number) != (wanted, header.number) {
            return Err(JustificationFault::OtherBlock {
                found: self.target,
                wanted,
            });
        }
        for vote in &self.precommits {
            self.check_signature(vote, set)?;
        }
        let voters = self.voters_for_target()?;
        // The sum of the weights of different validators is at most the set's whole.
        let weight = voters
            .iter()
            .filter_map(|id| set.weight(id))
            .fold(0_u64, u64::saturating_add);
        let needed = set.threshold();
        if weight < needed {
            return Err(JustificationFault::TooFew { weight, needed });
        }
        Ok(())
    }

    fn check_signature(
        &self,
        vote: &Precommit,
        set: &AuthoritySet,
    ) -> Result<(), JustificationFault> {
        let (id, round) = (vote.id, self.round);
        if set.weight(&id).is_none() {
            return Err(JustificationFault::Stranger { id, set: set.id() });
        }
        if vote.is_signed(round, set.id()) {
            return Ok(());
        }
        // Many validators stay from one set to the next, and sign for both.
        let others = [set.id().checked_sub(1), set.id().checked_add(1)];
        let found = others
            .into_iter()
            .flatten()
            .find(|other| vote.is_signed(round, *other));
        Err(match found {
            Some(found) => JustificationFault::OtherSet {
                found,
                set: set.id(),
            },
            None => JustificationFault::Signature { id },
        })
    }

    /// Who voted for the block that is to be final. One who voted for two different blocks has broken
    /// the rules, and counts as if it had voted for every block, once.
    fn voters_for_target(&self) -> Result<BTreeSet<AuthorityId>, JustificationFault> {
        let headers: BTreeMap<BlockHash, &Header> = self
            .headers
            .iter()
            .map(|header| (header.hash(), header))
            .collect();
        let base = self.precommits.iter().min_by_key(|vote| vote.number);
        let base = base.map(|vote| (vote.target, vote.number));
        let (mut used, mut voters) = (BTreeSet::new(), BTreeSet::new());
        let mut first_votes: BTreeMap<AuthorityId, BlockHash> = BTreeMap::new();
        for vote in &self.precommits {
            let way = base.and_then(|base| way_back(vote, base, &headers)).ok_or(
                JustificationFault::Ancestry {
                    id: vote.id,
                    target: vote.target,
                },
            )?;
            let first = *first_votes.entry(vote.id).or_insert(vote.target);
            if way.contains(&self.target) || first != vote.target {
                voters.insert(vote.id);
            }
            used.extend(way);
        }
        let needed = headers.keys().filter(|hash| used.contains(*hash)).count();
        let base_is_there = base.is_some_and(|(base, _)| headers.contains_key(&base));
        if needed != self.headers.len() || base_is_there {
            return Err(JustificationFault::UnusedHeaders);
        }
        Ok(voters)
    }
}

/// The blocks from the one that is voted for back to the earliest that is, both of them included.
fn way_back(
    vote: &Precommit,
    (base, base_number): (BlockHash, BlockNumber),
    headers: &BTreeMap<BlockHash, &Header>,
) -> Option<Vec<BlockHash>> {
    let (mut at, mut number) = (vote.target, vote.number);
    let mut way = vec![at];
    while at != base {
        let header = headers.get(&at).filter(|header| header.number == number)?;
        (at, number) = (header.parent, number.checked_sub(1)?);
        way.push(at);
    }
    (number == base_number).then_some(way)
}

impl Encode for Justification {
    fn encode_to<O: Output + ?Sized>(&self, output: &mut O) {
        self.round.encode_to(output);
        self.target.encode_to(output);
        self.number.encode_to(output);
        self.precommits.encode_to(output);
        self.headers.encode_to(output);
    }
}

impl Decode for Justification {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        Ok(Self {
            round: Decode::decode(input)?,
            target: Decode::decode(input)?,
            number: Decode::decode(input)?,
            precommits: reading::list(input, PRECOMMITS_MAX, "there are too many votes")?,
            headers: reading::list(input, VOTE_HEADERS_MAX, "there are too many headers")?,
        })
    }
}

/// What a node answers when it is asked to prove that a block is final: the justification of a later
/// one, or of the block itself, and the headers behind the block up to that one. It is what the SDK's
/// `grandpa_proveFinality` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    /// The block that has a justification.
    pub block: BlockHash,
    /// The justification, encoded.
    pub justification: Vec<u8>,
    /// The headers behind the block that was asked about, up to that one.
    pub headers: Vec<Header>,
}

impl Finality {
    /// Reads an answer that ends where the bytes end.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        reading::whole("a proof of finality", bytes, FINALITY_BYTES_MAX)
    }
}

impl Encode for Finality {
    fn encode_to<O: Output + ?Sized>(&self, output: &mut O) {
        self.block.encode_to(output);
        self.justification.encode_to(output);
        self.headers.encode_to(output);
    }
}

impl Decode for Finality {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let too_long = "the justification is too long";
        Ok(Self {
            block: Decode::decode(input)?,
            justification: reading::bytes(input, JUSTIFICATION_BYTES_MAX, too_long)?,
            headers: reading::list(input, LINE_HEADERS_MAX, "there are too many headers")?,
        })
    }
}

#[allow(clippy::unwrap_used)]
#[cfg(test)]
pub(crate) mod tests;
