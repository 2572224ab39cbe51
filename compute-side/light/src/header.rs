//! Headers: what they say, their hash, and lines of them from child to child.

use crate::{
    limits::{DIGEST_ITEM_BYTES_MAX, DIGEST_ITEMS_MAX, HEADER_BYTES_MAX},
    reading::{self, Malformed, hash},
};
use codec::{Compact, Decode, Encode, Error, Input, Output};
use quern_primitives::{
    BlockNumber, GenesisHash,
    ids::{ParseIdError, parse_hex32},
};
use std::{borrow::Cow, fmt, str::FromStr};

/// The hash of a block's header, which names the block.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct BlockHash(pub [u8; 32]);

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlockHash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse_hex32(text).map(Self)
    }
}

impl From<GenesisHash> for BlockHash {
    fn from(genesis: GenesisHash) -> Self {
        Self(genesis.0)
    }
}

impl serde::Serialize for BlockHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for BlockHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a header tells beside roots and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestItem {
    /// For nobody in particular.
    Other(Vec<u8>),
    /// From the runtime to a part of consensus, which is named by four letters.
    Consensus([u8; 4], Vec<u8>),
    /// The author's signature.
    Seal([u8; 4], Vec<u8>),
    /// From a part of consensus to the runtime.
    PreRuntime([u8; 4], Vec<u8>),
    /// The runtime was replaced.
    RuntimeEnvironmentUpdated,
}

/// A block's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The block before.
    pub parent: BlockHash,
    /// The block's height.
    pub number: BlockNumber,
    /// The root of the state after the block.
    pub state_root: [u8; 32],
    /// The root of the block's transactions.
    pub extrinsics_root: [u8; 32],
    /// What else it tells.
    pub digest: Vec<DigestItem>,
}

/// Why headers are no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// A header does not name the one before it as its parent.
    #[error("block {number} is no child of the one before it; the headers are not of one chain")]
    Parent {
        /// The block that does not fit.
        number: BlockNumber,
    },
    /// A header's height is not one more than that of the one before it.
    #[error("block {number} follows block {before}; the headers are not of one chain")]
    Number {
        /// The block that does not fit.
        number: BlockNumber,
        /// The block before it.
        before: BlockNumber,
    },
}

impl Header {
    /// Reads a header that ends where the bytes end.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        reading::whole("a header", bytes, HEADER_BYTES_MAX)
    }

    /// What names the block.
    pub fn hash(&self) -> BlockHash {
        BlockHash(self.using_encoded(hash))
    }

    /// Goes from this header along its descendants, each the child of the one before.
    pub fn line(&self, descendants: &[Self]) -> Result<(), LineFault> {
        let (mut number, mut parent) = (self.number, self.hash());
        for header in descendants {
            if header.parent != parent {
                return Err(LineFault::Parent {
                    number: header.number,
                });
            }
            if number.checked_add(1) != Some(header.number) {
                return Err(LineFault::Number {
                    number: header.number,
                    before: number,
                });
            }
            (number, parent) = (header.number, header.hash());
        }
        Ok(())
    }
}

impl Encode for Header {
    fn encode_to<O: Output + ?Sized>(&self, output: &mut O) {
        self.parent.encode_to(output);
        Compact(self.number).encode_to(output);
        self.state_root.encode_to(output);
        self.extrinsics_root.encode_to(output);
        self.digest.encode_to(output);
    }
}

impl Decode for Header {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        Ok(Self {
            parent: BlockHash::decode(input)?,
            number: Compact::<BlockNumber>::decode(input)?.0,
            state_root: Decode::decode(input)?,
            extrinsics_root: Decode::decode(input)?,
            digest: reading::list(input, DIGEST_ITEMS_MAX, "the digest has too many items")?,
        })
    }
}

impl Encode for DigestItem {
    fn encode_to<O: Output + ?Sized>(&self, output: &mut O) {
        match self {
            Self::Other(bytes) => (0_u8, bytes).encode_to(output),
            Self::Consensus(engine, bytes) => (4_u8, engine, bytes).encode_to(output),
            Self::Seal(engine, bytes) => (5_u8, engine, bytes).encode_to(output),
            Self::PreRuntime(engine, bytes) => (6_u8, engine, bytes).encode_to(output),
            Self::RuntimeEnvironmentUpdated => 8_u8.encode_to(output),
        }
    }
}

impl Decode for DigestItem {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let kind = input.read_byte()?;
        if kind == 8 {
            return Ok(Self::RuntimeEnvironmentUpdated);
        }
        let too_many = "an item of the digest is too long";
        if kind == 0 {
            return Ok(Self::Other(reading::bytes(
                input,
                DIGEST_ITEM_BYTES_MAX,
                too_many,
            )?));
        }
        let item = match kind {
            4 => Self::Consensus,
            5 => Self::Seal,
            6 => Self::PreRuntime,
            _ => return Err("an item of the digest is of an unknown kind".into()),
        };
        let engine = Decode::decode(input)?;
        Ok(item(
            engine,
            reading::bytes(input, DIGEST_ITEM_BYTES_MAX, too_many)?,
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            parent: BlockHash([1; 32]),
            number: 70_000,
            state_root: [2; 32],
            extrinsics_root: [3; 32],
            digest: vec![
                DigestItem::PreRuntime(*b"BABE", vec![4; 21]),
                DigestItem::Consensus(*b"FRNK", vec![5; 80]),
                DigestItem::RuntimeEnvironmentUpdated,
                DigestItem::Other(vec![]),
                DigestItem::Seal(*b"BABE", vec![6; 64]),
            ],
        }
    }

    fn child(of: &Header) -> Header {
        Header {
            parent: of.hash(),
            number: of.number + 1,
            ..header()
        }
    }

    #[test]
    fn the_sdk_s_own_header_reads_back_and_has_its_hash() {
        // The bytes that the SDK's own test of the format has, of block 2 with one item, `6`.
        let hashes = ["1", "3", "4"].map(|text| hash(text.as_bytes()));
        let header = Header {
            parent: BlockHash(hashes[0]),
            number: 2,
            state_root: hashes[1],
            extrinsics_root: hashes[2],
            digest: vec![DigestItem::Other(b"6".to_vec())],
        };
        let bytes = header.encode();
        let known = "92cdf578c47085a5992256f0dcf97d0b19f1f1c9de4d5fe30c3ace6191b6e5db08\
            581348337b0f3e148620173daaa5f94d00d881705dcbf0aa83efdaba61d2ede1eb\
            8649214997574e20c464388a172420d25403682bbbb80c496831c8cc1f8f0d0400\
            0436";
        assert_eq!(hex::encode(&bytes), known);
        assert_eq!(Header::read(&bytes).unwrap(), header);
        assert_eq!(header.hash().0, blake(&bytes));
    }

    fn blake(bytes: &[u8]) -> [u8; 32] {
        sp_crypto_hashing::blake2_256(bytes)
    }

    #[test]
    fn a_header_that_is_cut_off_or_goes_on_is_refused() {
        let bytes = header().encode();
        assert_eq!(Header::read(&bytes).unwrap(), header());
        for cut in 0..bytes.len() {
            let read = Header::read(&bytes[..cut]);
            assert!(matches!(read, Err(Malformed::Broken { .. })), "{cut}");
        }
        let more = [&bytes[..], &[0]].concat();
        assert!(matches!(
            Header::read(&more),
            Err(Malformed::Trailing { bytes: 1, .. })
        ));
        let long = vec![0; HEADER_BYTES_MAX + 1];
        assert!(matches!(
            Header::read(&long),
            Err(Malformed::TooLong { .. })
        ));
    }

    #[test]
    fn a_digest_of_too_many_or_too_long_items_is_refused() {
        let with = |digest| Header::read(&Header { digest, ..header() }.encode());
        let short = DigestItem::Other(vec![]);
        assert!(with(vec![short.clone(); DIGEST_ITEMS_MAX]).is_ok());
        assert!(with(vec![short; DIGEST_ITEMS_MAX + 1]).is_err());
        let long = |bytes| vec![DigestItem::Seal(*b"BABE", vec![0; bytes])];
        assert!(with(long(DIGEST_ITEM_BYTES_MAX)).is_ok());
        assert!(with(long(DIGEST_ITEM_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn only_children_of_children_are_a_line() {
        let first = header();
        let second = child(&first);
        let third = child(&second);
        assert_eq!(first.line(&[]), Ok(()));
        assert_eq!(first.line(&[second.clone(), third.clone()]), Ok(()));
        let gap = first.line(std::slice::from_ref(&third));
        assert_eq!(gap, Err(LineFault::Parent { number: 70_002 }));
        let jump = Header {
            number: 70_009,
            ..second
        };
        let jump = first.line(&[jump, third]);
        let (number, before) = (70_009, 70_000);
        assert_eq!(jump, Err(LineFault::Number { number, before }));
    }

    #[test]
    fn a_hash_reads_back_what_it_prints() {
        let text = header().hash().to_string();
        assert_eq!(text.parse::<BlockHash>().unwrap(), header().hash());
        let json = serde_json::to_string(&header().hash()).unwrap();
        let read: BlockHash = serde_json::from_str(&json).unwrap();
        assert_eq!(read, header().hash());
        assert!("0x12".parse::<BlockHash>().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_that_encodes_the_same_or_none(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            if let Ok(header) = Header::read(&bytes) {
                prop_assert_eq!(header.encode(), bytes);
            }
        }
    }
}
