//! Who makes blocks final: the validators' keys for GRANDPA with their weights, and how a header
//! tells of their change.

use crate::{
    header::{DigestItem, Header},
    limits::AUTHORITIES_MAX,
    reading::{self, Malformed},
};
use codec::{Decode, Encode, Error, Input};
use quern_primitives::BlockNumber;
use std::{collections::BTreeMap, fmt};

/// GRANDPA's four letters in a digest.
const GRANDPA: [u8; 4] = *b"FRNK";

/// A validator's Ed25519 key for GRANDPA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct AuthorityId(pub [u8; 32]);

impl fmt::Display for AuthorityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for AuthorityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The validators who make blocks final, until a block tells of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthoritySet {
    id: u64,
    weights: BTreeMap<AuthorityId, u64>,
    total: u64,
}

/// Why a list of validators makes no set, or a header's change none that can be followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritySetFault {
    /// The list does not read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nobody is in it, or nobody with a weight.
    #[error("there is no validator in the set")]
    Empty,
    /// Somebody is in it twice.
    #[error("validator {id} is in the set twice")]
    Twice {
        /// Who.
        id: AuthorityId,
    },
    /// A validator has no weight, or all weights together are more than there can be.
    #[error("the weights of the validators are out of bounds")]
    Weight,
    /// The numbers of sets are used up.
    #[error("there can be no set behind the last number")]
    Last,
    /// A header has a change that was forced upon the chain, which nobody has signed.
    #[error(
        "block {number} has a change of the validators that was forced, and so is proven by nobody; name a later block that you trust"
    )]
    Forced {
        /// The block.
        number: BlockNumber,
    },
    /// A header has a change that takes effect later. This chain has none such.
    #[error(
        "block {number} has a change of the validators in {delay} blocks, which cannot be followed; name a later block that you trust"
    )]
    Delayed {
        /// The block.
        number: BlockNumber,
        /// In how many blocks.
        delay: BlockNumber,
    },
}

/// A list of validators with their weights, as the chain encodes it.
struct Listed(Vec<(AuthorityId, u64)>);

impl Decode for Listed {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        reading::list(input, AUTHORITIES_MAX, "there are too many validators").map(Self)
    }
}

/// What GRANDPA tells in a digest, as far as it is of concern.
enum Told {
    Change { next: Listed, delay: BlockNumber },
    Forced,
    Other,
}

impl Decode for Told {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        match input.read_byte()? {
            1 => Ok(Self::Change {
                next: Listed::decode(input)?,
                delay: Decode::decode(input)?,
            }),
            2 => {
                let _: (BlockNumber, Listed, BlockNumber) = Decode::decode(input)?;
                Ok(Self::Forced)
            }
            3 => u64::decode(input).map(|_| Self::Other),
            4 | 5 => BlockNumber::decode(input).map(|_| Self::Other),
            _ => Err("it is of an unknown kind".into()),
        }
    }
}

impl AuthoritySet {
    /// The set with this number; the first of a chain has 0.
    pub fn new(id: u64, listed: Vec<(AuthorityId, u64)>) -> Result<Self, AuthoritySetFault> {
        let (mut weights, mut total) = (BTreeMap::new(), 0_u64);
        for (authority, weight) in listed {
            total = total
                .checked_add(weight)
                .filter(|_| weight > 0)
                .ok_or(AuthoritySetFault::Weight)?;
            if weights.insert(authority, weight).is_some() {
                return Err(AuthoritySetFault::Twice { id: authority });
            }
        }
        if weights.is_empty() {
            return Err(AuthoritySetFault::Empty);
        }
        Ok(Self { id, weights, total })
    }

    /// The set with this number, as it is in the state (`Grandpa.Authorities`).
    pub fn read(id: u64, bytes: &[u8]) -> Result<Self, AuthoritySetFault> {
        // 40 bytes each, and a few for their number.
        let most = AUTHORITIES_MAX.saturating_mul(40).saturating_add(4);
        let Listed(listed) = reading::whole("the list of validators", bytes, most)?;
        Self::new(id, listed)
    }

    /// The set's number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How many validators there are.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there are none, which never is so.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// A validator's weight.
    pub fn weight(&self, id: &AuthorityId) -> Option<u64> {
        self.weights.get(id).copied()
    }

    /// The weight that makes a block final: the least that is more than two thirds of all, by GRANDPA's
    /// own formula `W - floor((W - 1) / 3)`.
    pub fn threshold(&self) -> u64 {
        self.total.saturating_sub(self.total.saturating_sub(1) / 3)
    }

    /// The set that follows a final block with this header, if its header tells of one. Of several
    /// changes in a header the first counts.
    pub fn after(&self, header: &Header) -> Result<Option<Self>, AuthoritySetFault> {
        let mut change = None;
        for item in &header.digest {
            let DigestItem::Consensus(GRANDPA, bytes) = item else {
                continue;
            };
            let told: Told = reading::whole("a change of the validators", bytes, bytes.len())?;
            match told {
                Told::Forced => {
                    let number = header.number;
                    return Err(AuthoritySetFault::Forced { number });
                }
                Told::Change { next, delay } => change = change.or(Some((next, delay))),
                Told::Other => {}
            }
        }
        match change {
            None => Ok(None),
            Some((Listed(next), 0)) => {
                let id = self.id.checked_add(1).ok_or(AuthoritySetFault::Last)?;
                Self::new(id, next).map(Some)
            }
            Some((_, delay)) => Err(AuthoritySetFault::Delayed {
                number: header.number,
                delay,
            }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::header::BlockHash;

    fn id(byte: u8) -> AuthorityId {
        AuthorityId([byte; 32])
    }

    fn equals(count: u8) -> AuthoritySet {
        AuthoritySet::new(4, (0..count).map(|byte| (id(byte), 1)).collect()).unwrap()
    }

    fn telling(items: Vec<Vec<u8>>) -> Header {
        let digest = items
            .into_iter()
            .map(|bytes| DigestItem::Consensus(GRANDPA, bytes));
        Header {
            parent: BlockHash([1; 32]),
            number: 9,
            state_root: [2; 32],
            extrinsics_root: [3; 32],
            digest: digest.collect(),
        }
    }

    fn change(byte: u8, delay: BlockNumber) -> Vec<u8> {
        (1_u8, vec![(id(byte), 1_u64)], delay).encode()
    }

    #[test]
    fn more_than_two_thirds_make_a_block_final() {
        let needed = [1, 2, 3, 4, 5, 6, 7, 10, 100].map(|count| equals(count).threshold());
        assert_eq!(needed, [1, 2, 3, 3, 4, 5, 5, 7, 67]);
        for count in 1..=100 {
            let set = equals(count);
            let (all, most) = (u64::from(count), set.threshold());
            assert!(most * 3 > all * 2 && (most - 1) * 3 <= all * 2, "{count}");
        }
    }

    #[test]
    fn a_set_reads_back_and_every_flaw_is_named() {
        let listed = vec![(id(1), 1_u64), (id(2), 5)];
        let set = AuthoritySet::read(7, &listed.encode()).unwrap();
        assert_eq!((set.id(), set.len(), set.threshold()), (7, 2, 5));
        assert_eq!((set.weight(&id(2)), set.weight(&id(3))), (Some(5), None));
        let of = |listed: &[(AuthorityId, u64)]| AuthoritySet::new(0, listed.to_vec());
        assert_eq!(of(&[]), Err(AuthoritySetFault::Empty));
        assert_eq!(of(&[(id(1), 0)]), Err(AuthoritySetFault::Weight));
        let overflow = of(&[(id(1), u64::MAX), (id(2), 1)]);
        assert_eq!(overflow, Err(AuthoritySetFault::Weight));
        let twice = of(&[(id(1), 1), (id(1), 2)]);
        assert_eq!(twice, Err(AuthoritySetFault::Twice { id: id(1) }));
        let bytes = listed.encode();
        for cut in 0..bytes.len() {
            assert!(AuthoritySet::read(0, &bytes[..cut]).is_err(), "{cut}");
        }
        assert!(AuthoritySet::read(0, &[&bytes[..], &[0]].concat()).is_err());
        let crowd: Vec<_> = (0..=AUTHORITIES_MAX as u64)
            .map(|n| ([0_u8; 32], n))
            .collect();
        assert!(AuthoritySet::read(0, &crowd.encode()).is_err());
    }

    #[test]
    fn the_first_change_in_a_header_counts() {
        let set = equals(3);
        assert_eq!(set.after(&telling(vec![])).unwrap(), None);
        let paused = (4_u8, 7_u32).encode();
        let header = telling(vec![paused, change(8, 0), change(9, 0)]);
        let next = set.after(&header).unwrap().unwrap();
        assert_eq!((next.id(), next.weight(&id(8))), (5, Some(1)));
        assert_eq!(next.weight(&id(9)), None);
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        let set = equals(3);
        let after = |items| set.after(&telling(items)).unwrap_err();
        let (number, delay) = (9, 3);
        let delayed = after(vec![change(8, 3)]);
        assert_eq!(delayed, AuthoritySetFault::Delayed { number, delay });
        let forced = (2_u8, 5_u32, vec![(id(8), 1_u64)], 0_u32).encode();
        let forced = after(vec![change(8, 0), forced]);
        assert_eq!(forced, AuthoritySetFault::Forced { number });
        let cut = change(8, 0)[..9].to_vec();
        assert!(matches!(after(vec![cut]), AuthoritySetFault::Malformed(_)));
        assert!(matches!(
            after(vec![vec![77]]),
            AuthoritySetFault::Malformed(_)
        ));
        let last = AuthoritySet::new(u64::MAX, vec![(id(1), 1)]).unwrap();
        let after = last.after(&telling(vec![change(8, 0)]));
        assert_eq!(after, Err(AuthoritySetFault::Last));
    }
}
