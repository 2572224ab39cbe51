//! What a stripe is: how many shards, how long, and how many pieces of parity.

use crate::seal::sealed_bytes;
use quern_primitives::limits::SHARD_BYTES_MAX;

/// Shards and pieces of parity of one stripe together.
pub const STRIPE_PIECES_MAX: usize = 64;

/// Bytes of the longest piece: of the longest sealed shard, which is even.
pub const PIECE_BYTES_MAX: u64 = sealed_bytes(SHARD_BYTES_MAX as u64).next_multiple_of(2);

/// A stripe: shards that are coded together, and how many pieces of parity are made of them.
///
/// Its pieces have places: the shards in their order, then the parity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripe {
    lengths: Vec<u64>,
    parity: usize,
}

/// Why there is no such stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    /// No shards.
    #[error("a stripe needs a shard; give at least one")]
    NoShards,
    /// No parity.
    #[error("a stripe without parity restores nothing; take at least one piece of it")]
    NoParity,
    /// Too many pieces.
    #[error(
        "{shards} shards and {parity} pieces of parity are more than the {max} pieces of a stripe; \
         take fewer"
    )]
    TooManyPieces {
        /// Shards.
        shards: usize,
        /// Pieces of parity.
        parity: usize,
        /// The most of both together.
        max: usize,
    },
    /// A shard is longer than any sealed shard.
    #[error("shard {place} has {found} bytes where a sealed shard has at most {max}; refuse it")]
    TooLong {
        /// The shard.
        place: usize,
        /// Its bytes.
        found: u64,
        /// The most bytes.
        max: u64,
    },
    /// All shards are empty.
    #[error("no shard of the stripe has a byte; there is nothing to code")]
    Empty,
}

impl Stripe {
    /// The stripe of shards with these lengths in bytes, and so many pieces of parity.
    pub fn new(lengths: &[u64], parity: usize) -> Result<Self, StripeError> {
        let (shards, max) = (lengths.len(), STRIPE_PIECES_MAX);
        if shards == 0 {
            return Err(StripeError::NoShards);
        }
        if parity == 0 {
            return Err(StripeError::NoParity);
        }
        if shards.saturating_add(parity) > max {
            return Err(StripeError::TooManyPieces {
                shards,
                parity,
                max,
            });
        }
        let (too_long, max) = (|length: &u64| *length > PIECE_BYTES_MAX, PIECE_BYTES_MAX);
        if let Some(place) = lengths.iter().position(too_long) {
            let found = lengths.get(place).copied().unwrap_or_default();
            return Err(StripeError::TooLong { place, found, max });
        }
        if lengths.iter().all(|length| *length == 0) {
            return Err(StripeError::Empty);
        }
        Ok(Self {
            lengths: lengths.to_vec(),
            parity,
        })
    }

    /// Number of shards, which is how many pieces give all others.
    pub fn shards(&self) -> usize {
        self.lengths.len()
    }

    /// Number of pieces of parity, which is how many pieces may be lost.
    pub fn parity(&self) -> usize {
        self.parity
    }

    /// Number of pieces, shards and parity together.
    pub fn pieces(&self) -> usize {
        self.shards() + self.parity
    }

    /// Bytes of each piece of parity: of the longest shard, rounded up to an even number. For the code
    /// every shard is filled up with zeros to as many.
    pub fn parity_bytes(&self) -> u64 {
        let longest = self.lengths.iter().max().copied().unwrap_or_default();
        longest.next_multiple_of(2)
    }

    /// Bytes of the piece at a place; `None` if there is no such place.
    pub fn bytes_at(&self, place: usize) -> Option<u64> {
        match self.lengths.get(place) {
            Some(length) => Some(*length),
            None => (place < self.pieces()).then(|| self.parity_bytes()),
        }
    }
}
