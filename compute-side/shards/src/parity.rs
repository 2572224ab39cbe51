//! Erasure coding: of a few sealed shards, a *stripe*, further pieces are made, and any as many pieces
//! as there are shards give all others back.
//!
//! Pieces are over sealed bytes, so whoever makes a lost one again needs no key, and each piece is
//! checked by the chunk root of its own. The code itself does not notice a piece that was altered: what
//! is made of one is wrong, which its root tells.
//!
//! Pieces pass in blocks of [`BLOCK_BYTES`]: one of each piece, and the coder's own, which are 12 for
//! four shards and two pieces of parity, and 192 at the most. Its tables take 8.5 MiB, once in a process.
//!
//! ```
//! use quern_shards::parity::{Held, Lost, Stripe, code_into, restore_into};
//! let stripe = Stripe::new(&[5, 3], 1)?;
//! let mut parity = Vec::new();
//! code_into(&stripe, [&b"hello"[..], b"you"], [&mut parity])?;
//!
//! let mut first = Vec::new();
//! let held = vec![Held { place: 1, input: &b"you"[..] }, Held { place: 2, input: &parity }];
//! restore_into(&stripe, held, vec![Lost { place: 0, output: &mut first }])?;
//! assert_eq!(first, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod coder;
mod pass;
mod stripe;

pub use pass::{Held, Lost, ParityError, code_into, restore_into};
pub use reed_solomon_simd::Error as CoderError;
pub use stripe::{PIECE_BYTES_MAX, STRIPE_PIECES_MAX, Stripe, StripeError};

/// Bytes of each piece that are coded at once: a multiple of the 64 in which the code orders them, so
/// that coding by blocks and coding as a whole give the same bytes.
pub const BLOCK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
