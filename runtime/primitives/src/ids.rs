//! Names of things. A name is 32 bytes of its own type, so that a job cannot stand where a device
//! is wanted. What is counted within a job or a task has a number.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// An account on the chain; owns jobs, bonds stakes, receives pay.
pub type AccountId = sp_core::crypto::AccountId32;

/// A height of the chain.
pub type BlockNumber = u32;

/// A task's place in its job, counted from zero; also the index of the shard it works on.
pub type TaskIndex = u32;

/// A replica's place in its task, counted from zero.
pub type ReplicaIndex = u8;

/// A batch's place in its job, counted from zero.
pub type BatchSequence = u32;

/// A piece's place in its contract, counted from zero.
pub type PieceIndex = u32;

/// A stretch of the chain's clock of finality, counted from its beginning: of a contract whose periods
/// have `n` blocks, period `p` is the blocks from `p × n` on.
pub type Period = u32;

/// A text is not the hexadecimal form of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 64 hexadecimal digits, with or without a leading 0x")
    }
}

impl core::error::Error for ParseIdError {}

/// Reads 64 hexadecimal digits, with or without `0x` before them.
pub fn parse_hex32(text: &str) -> Result<[u8; 32], ParseIdError> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if digits.len() != 64 {
        return Err(ParseIdError);
    }
    let mut bytes = [0u8; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else {
            return Err(ParseIdError);
        };
        let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low)) else {
            return Err(ParseIdError);
        };
        *byte = (high << 4) | low;
    }
    Ok(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
            Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
        )]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl core::str::FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex32(text).map(Self)
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        #[cfg(feature = "std")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "std")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// A SHA-256 digest.
    Digest
}
id! {
    /// The hash of the chain's first block; part of everything that is signed, so that nothing
    /// signed for one chain is valid on another.
    GenesisHash
}
id! {
    /// A job's name, see [`crate::job::job_id`].
    JobId
}
id! {
    /// The name of a contract about custody, see [`crate::custody::contract_id`].
    ContractId
}
id! {
    /// The SHA-256 digest of a program's bytes.
    ProgramHash
}
id! {
    /// A device's name: its Ed25519 public key, which signs its receipts and authenticates its
    /// connections.
    DeviceId
}
id! {
    /// A masternode's network key: the Ed25519 public key that is its identity among peers, which its
    /// operator published on the chain, and which signs what the masternode answers for.
    NodeKey
}
id! {
    /// What hides a result in the commitment to it: random bytes that only its device knows before it
    /// reveals, see [`crate::log::Commitment::to`].
    RevealSalt
}
id! {
    /// An X25519 public key to which data keys are sealed.
    SealingKey
}

/// The encodings of Ed25519's points whose order divides eight, lowest byte first and without the sign of
/// x in the highest bit: 0, 1, p - 1, p and p + 1, where p = 2^255 - 19, and the two of order eight.
const SMALL_ORDERS: [[u8; 32]; 7] = [
    [0; 32],
    [
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// Whether this is the encoding of such a point, whatever its sign.
fn is_small_order(key: &[u8; 32]) -> bool {
    let mut unsigned = *key;
    let [.., highest] = &mut unsigned;
    *highest &= 0x7f;
    SMALL_ORDERS.contains(&unsigned)
}

impl DeviceId {
    /// Whether this is one of the few Ed25519 keys under which everybody can sign anything, because the
    /// point's order divides eight. No device has such a key, so nothing is signed by it.
    pub fn is_small_order(&self) -> bool {
        is_small_order(&self.0)
    }
}

impl NodeKey {
    /// Whether this is one of the few Ed25519 keys under which everybody can sign anything, because the
    /// point's order divides eight. No masternode has such a key, so nothing is signed by it.
    pub fn is_small_order(&self) -> bool {
        is_small_order(&self.0)
    }
}

/// One replica of one task of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ReplicaId {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The replica.
    pub replica: ReplicaIndex,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        let id = JobId(core::array::from_fn(|i| i as u8 * 7));
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        assert_eq!(
            id.to_string()[2..].to_uppercase().parse::<JobId>().unwrap(),
            id
        );
    }

    #[test]
    fn a_text_of_another_length_or_alphabet_is_no_id() {
        for text in [
            "",
            "0x",
            "12",
            &"0".repeat(63),
            &"0".repeat(65),
            &"g".repeat(64),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(ParseIdError), "{text}");
        }
    }
}
