//! One pass over a stripe: the pieces that are held are read, and those that are wanted written.

use super::{
    BLOCK_BYTES, CoderError, Stripe,
    coder::{Block, Coder},
};
use crate::reading::read_up_to;
use std::io::{self, Read, Write};

/// A piece that somebody has.
#[derive(Debug)]
pub struct Held<R> {
    /// Its place in the stripe.
    pub place: usize,
    /// Its bytes: as many as [`Stripe::bytes_at`] says.
    pub input: R,
}

/// A piece that is to be made again.
#[derive(Debug)]
pub struct Lost<W> {
    /// Its place in the stripe.
    pub place: usize,
    /// Where it goes.
    pub output: W,
}

/// Why pieces were not made.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// Not as many pieces as there are shards.
    #[error("{found} pieces are given where exactly {needed} give all others; choose as many")]
    Pieces {
        /// The stripe's number of shards.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Not as many places for parity as there is.
    #[error(
        "{found} pieces of parity are wanted of a stripe that has {expected}; take all of them"
    )]
    Parity {
        /// The stripe's pieces of parity.
        expected: usize,
        /// How many are wanted.
        found: usize,
    },
    /// The stripe has no such place.
    #[error("there is no piece {place} in a stripe of {pieces}; name one that is there")]
    NoSuchPlace {
        /// The place.
        place: usize,
        /// The stripe's pieces.
        pieces: usize,
    },
    /// A piece is named more than once.
    #[error("piece {place} is named twice; name each once, as held or as lost")]
    Twice {
        /// The place.
        place: usize,
    },
    /// A piece could not be read.
    #[error("piece {place} could not be read; take another one")]
    Read {
        /// The place.
        place: usize,
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// A piece ends too early.
    #[error("piece {place} has fewer than its {expected} bytes; take another one")]
    TooShort {
        /// The place.
        place: usize,
        /// The bytes that it has to have.
        expected: u64,
    },
    /// A piece goes on.
    #[error("piece {place} has more than its {expected} bytes; take another one")]
    TooLong {
        /// The place.
        place: usize,
        /// The bytes that it has to have.
        expected: u64,
    },
    /// There is something behind the end of a shard that was made.
    #[error(
        "behind the {expected} bytes of shard {place} are others than zeros, so what it is made of does \
         not belong together; check each piece against its root"
    )]
    NotOfThisStripe {
        /// The shard's place.
        place: usize,
        /// The bytes that it has.
        expected: u64,
    },
    /// A piece could not be written.
    #[error("piece {place} could not be written; see to the destination and make it anew")]
    Write {
        /// The place.
        place: usize,
        /// What the destination said.
        #[source]
        source: io::Error,
    },
    /// The code refuses what it was given, which the checks before it should have.
    #[error("the code refuses the stripe")]
    Coder {
        /// What it said.
        #[from]
        source: CoderError,
    },
}

/// Makes a stripe's parity of its shards, which are read once, in their order, as are the outputs.
///
/// After an error the outputs have beginnings of pieces.
pub fn code_into<R: Read, W: Write>(
    stripe: &Stripe,
    shards: impl IntoIterator<Item = R>,
    parity: impl IntoIterator<Item = W>,
) -> Result<(), ParityError> {
    let held = shards.into_iter().enumerate();
    let held: Vec<_> = held.map(|(place, input)| Held { place, input }).collect();
    let lost = (stripe.shards()..).zip(parity);
    let lost: Vec<_> = lost.map(|(place, output)| Lost { place, output }).collect();
    if lost.len() != stripe.parity() {
        return Err(ParityError::Parity {
            expected: stripe.parity(),
            found: lost.len(),
        });
    }
    restore_into(stripe, held, lost)
}

/// Makes pieces that are lost, shards or parity, of exactly as many others as there are shards.
///
/// What comes out is right if all that goes in is, and not else: compare the root of each piece, before
/// and behind. After an error the outputs have beginnings of pieces.
pub fn restore_into<R: Read, W: Write>(
    stripe: &Stripe,
    mut held: Vec<Held<R>>,
    mut lost: Vec<Lost<W>>,
) -> Result<(), ParityError> {
    check_places(stripe, &held, &lost)?;
    let mut blocks: Vec<Block> = (0..stripe.pieces())
        .map(|place| Block {
            is_held: held.iter().any(|piece| piece.place == place),
            bytes: Vec::new(),
        })
        .collect();
    let makes_parity = lost.iter().any(|piece| piece.place >= stripe.shards());
    let makes_shards =
        !lost.is_empty() && blocks.iter().take(stripe.shards()).any(|it| !it.is_held);
    let (bytes, mut offset) = (stripe.parity_bytes(), 0);
    let mut coder = Coder::new(
        stripe,
        block_bytes(bytes, offset),
        makes_shards,
        makes_parity,
    )?;
    while offset < bytes {
        let length = block_bytes(bytes, offset);
        for block in &mut blocks {
            block.bytes.resize(length, 0);
        }
        for piece in &mut held {
            read_block(stripe, piece, offset, length, &mut blocks)?;
        }
        coder.complete(&mut blocks)?;
        for piece in &mut lost {
            write_block(stripe, piece, offset, &blocks)?;
        }
        offset = offset.saturating_add(length as u64);
    }
    for piece in &mut held {
        expect_end(stripe, piece)?;
    }
    for Lost { place, output } in &mut lost {
        let place = *place;
        let write = |source| ParityError::Write { place, source };
        output.flush().map_err(write)?;
    }
    Ok(())
}

/// Bytes of the block that begins at an offset of pieces with so many bytes.
fn block_bytes(bytes: u64, offset: u64) -> usize {
    let rest = bytes.saturating_sub(offset);
    usize::try_from(rest).map_or(BLOCK_BYTES, |rest| rest.min(BLOCK_BYTES))
}

fn check_places<R, W>(
    stripe: &Stripe,
    held: &[Held<R>],
    lost: &[Lost<W>],
) -> Result<(), ParityError> {
    let (needed, found, pieces) = (stripe.shards(), held.len(), stripe.pieces());
    if needed != found {
        return Err(ParityError::Pieces { needed, found });
    }
    let mut named = vec![false; pieces];
    let held = held.iter().map(|piece| piece.place);
    for place in held.chain(lost.iter().map(|piece| piece.place)) {
        match named.get_mut(place) {
            None => return Err(ParityError::NoSuchPlace { place, pieces }),
            Some(true) => return Err(ParityError::Twice { place }),
            Some(named) => *named = true,
        }
    }
    Ok(())
}

/// Reads what a piece has of a block, and fills it up with zeros.
fn read_block<R: Read>(
    stripe: &Stripe,
    piece: &mut Held<R>,
    offset: u64,
    length: usize,
    blocks: &mut [Block],
) -> Result<(), ParityError> {
    let place = piece.place;
    let Some((block, expected)) = blocks.get_mut(place).zip(stripe.bytes_at(place)) else {
        return Ok(());
    };
    let wanted = has_of_block(expected, offset, length);
    read_up_to(&mut piece.input, wanted, &mut block.bytes)
        .map_err(|source| ParityError::Read { place, source })?;
    if block.bytes.len() < wanted {
        return Err(ParityError::TooShort { place, expected });
    }
    block.bytes.resize(length, 0);
    Ok(())
}

/// Bytes that a piece of so many has from an offset on, up to a block's length.
fn has_of_block(bytes: u64, offset: u64, length: usize) -> usize {
    let rest = bytes.saturating_sub(offset);
    usize::try_from(rest).map_or(length, |rest| rest.min(length))
}

fn write_block<W: Write>(
    stripe: &Stripe,
    piece: &mut Lost<W>,
    offset: u64,
    blocks: &[Block],
) -> Result<(), ParityError> {
    let place = piece.place;
    let Some((block, expected)) = blocks.get(place).zip(stripe.bytes_at(place)) else {
        return Ok(());
    };
    let has = has_of_block(expected, offset, block.bytes.len());
    let (content, filling) = block.bytes.split_at_checked(has).unwrap_or_default();
    if filling.iter().any(|byte| *byte != 0) {
        return Err(ParityError::NotOfThisStripe { place, expected });
    }
    piece
        .output
        .write_all(content)
        .map_err(|source| ParityError::Write { place, source })
}

fn expect_end<R: Read>(stripe: &Stripe, piece: &mut Held<R>) -> Result<(), ParityError> {
    let place = piece.place;
    let mut further = Vec::new();
    read_up_to(&mut piece.input, 1, &mut further)
        .map_err(|source| ParityError::Read { place, source })?;
    if further.is_empty() {
        return Ok(());
    }
    let expected = stripe.bytes_at(place).unwrap_or_default();
    Err(ParityError::TooLong { place, expected })
}
