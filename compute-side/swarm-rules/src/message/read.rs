//! Bytes as messages: lengths first.

use codec::{Decode, DecodeAll};

/// Why bytes from a peer are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than a message of its kind may have.
    #[error("a message of {bytes} bytes is over the limit of {limit} of its kind")]
    Long {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Not the encoding of a message of this version.
    #[error(
        "not a message of {}; the peer may run another version",
        super::PROTOCOL
    )]
    Malformed,
    /// A list in it is longer than it may be.
    #[error("{field} holds {found}, over the limit of {limit}")]
    OverLimit {
        /// Which.
        field: &'static str,
        /// How much it holds.
        found: usize,
        /// How much it may hold.
        limit: usize,
    },
}

/// A message whose lists can be held to their limits.
pub(crate) trait Limited: Decode {
    fn check(&self) -> Result<(), DecodeError>;
}

pub(crate) fn decode<M: Limited>(bytes: &[u8], limit: usize) -> Result<M, DecodeError> {
    if bytes.len() > limit {
        let bytes = bytes.len();
        return Err(DecodeError::Long { bytes, limit });
    }
    let message = M::decode_all(&mut &bytes[..]).map_err(|_| DecodeError::Malformed)?;
    message.check()?;
    Ok(message)
}

pub(crate) fn at_most(field: &'static str, found: usize, limit: usize) -> Result<(), DecodeError> {
    match found > limit {
        true => Err(DecodeError::OverLimit {
            field,
            found,
            limit,
        }),
        false => Ok(()),
    }
}
