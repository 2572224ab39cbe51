//! Reading what a stranger sends: whole, and no more of it than there may be.

use codec::{Compact, Decode, Error, Input};
use sp_crypto_hashing::blake2_256;

/// Why bytes are not what they should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There are too many of them.
    #[error("{what} has {bytes} bytes, which is more than {most}; ask another node")]
    TooLong {
        /// What it should be.
        what: &'static str,
        /// How many there are.
        bytes: usize,
        /// How many are read at most.
        most: usize,
    },
    /// They are cut off, or not what they should be.
    #[error("{what} does not decode; it is cut off or damaged, fetch it again")]
    Broken {
        /// What it should be.
        what: &'static str,
        /// What the decoder says.
        source: Error,
    },
    /// There is something behind it.
    #[error("{bytes} bytes follow {what}; fetch it again")]
    Trailing {
        /// What it should be.
        what: &'static str,
        /// How many follow.
        bytes: usize,
    },
}

/// Reads something that ends where the bytes end.
pub(crate) fn whole<T: Decode>(
    what: &'static str,
    bytes: &[u8],
    most: usize,
) -> Result<T, Malformed> {
    if bytes.len() > most {
        return Err(Malformed::TooLong {
            what,
            bytes: bytes.len(),
            most,
        });
    }
    let mut rest = bytes;
    let read = T::decode(&mut rest).map_err(|source| Malformed::Broken { what, source })?;
    match rest.len() {
        0 => Ok(read),
        bytes => Err(Malformed::Trailing { what, bytes }),
    }
}

/// Reads a list that may have so many items at most.
pub(crate) fn list<T: Decode, I: Input>(
    input: &mut I,
    most: usize,
    too_many: &'static str,
) -> Result<Vec<T>, Error> {
    let count = counted(input, most, too_many)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(T::decode(input)?);
    }
    Ok(items)
}

/// Reads bytes of which there may be so many at most.
pub(crate) fn bytes<I: Input>(
    input: &mut I,
    most: usize,
    too_many: &'static str,
) -> Result<Vec<u8>, Error> {
    let count = counted(input, most, too_many)?;
    // Nothing is set aside for bytes that do not come.
    if input.remaining_len()?.is_some_and(|left| left < count) {
        return Err("it is cut off".into());
    }
    let mut bytes = vec![0; count];
    input.read(&mut bytes)?;
    Ok(bytes)
}

fn counted<I: Input>(input: &mut I, most: usize, too_many: &'static str) -> Result<usize, Error> {
    let Compact(count) = Compact::<u32>::decode(input)?;
    usize::try_from(count)
        .ok()
        .filter(|count| *count <= most)
        .ok_or_else(|| too_many.into())
}

/// The hash by which the chain names blocks and the nodes of its state.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    blake2_256(bytes)
}

/// Bytes as `0x` and hexadecimal digits in JSON.
pub(crate) mod as_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::borrow::Cow;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("0x{}", hex::encode(bytes)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        let digits = text
            .strip_prefix("0x")
            .ok_or_else(|| D::Error::custom("bytes begin with 0x"))?;
        hex::decode(digits).map_err(D::Error::custom)
    }

    /// The same for a list of them.
    pub(crate) mod list {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        struct Hex(#[serde(with = "super")] Vec<u8>);

        pub(crate) fn serialize<S: Serializer>(
            items: &[Vec<u8>],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.collect_seq(items.iter().map(|bytes| Hex(bytes.clone())))
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<Vec<u8>>, D::Error> {
            let items = Vec::<Hex>::deserialize(from)?;
            Ok(items.into_iter().map(|Hex(bytes)| bytes).collect())
        }
    }
}
