//! The code over one block of each piece: those that are missing from those that are held.

use super::{CoderError, Stripe};
use reed_solomon_simd::{
    engine::DefaultEngine,
    rate::{HighRateDecoder, HighRateEncoder, RateDecoder, RateEncoder},
};

/// One block of the piece at some place.
pub(super) struct Block {
    /// Whether it is read, and not made.
    pub(super) is_held: bool,
    pub(super) bytes: Vec<u8>,
}

/// Both halves of the code, each only if something is to be made by it. Always by the crate's *high
/// rate*: which rate it takes by default hangs on what is faster, and the rate is part of our format.
pub(super) struct Coder {
    shards: usize,
    parity: usize,
    block_bytes: usize,
    decoder: Option<HighRateDecoder<DefaultEngine>>,
    encoder: Option<HighRateEncoder<DefaultEngine>>,
}

impl Coder {
    /// A coder for blocks of so many bytes, an even number; it makes shards, or parity, or both.
    pub(super) fn new(
        stripe: &Stripe,
        block_bytes: usize,
        makes_shards: bool,
        makes_parity: bool,
    ) -> Result<Self, CoderError> {
        let (shards, parity) = (stripe.shards(), stripe.parity());
        let decoder = makes_shards
            .then(|| HighRateDecoder::new(shards, parity, block_bytes, DefaultEngine::new(), None));
        let encoder = makes_parity
            .then(|| HighRateEncoder::new(shards, parity, block_bytes, DefaultEngine::new(), None));
        Ok(Self {
            shards,
            parity,
            block_bytes,
            decoder: decoder.transpose()?,
            encoder: encoder.transpose()?,
        })
    }

    /// Makes the blocks that are not held. There is one for every place, all of the same length, and as
    /// many are held as there are shards. Parity needs all shards, so these are made first.
    pub(super) fn complete(&mut self, blocks: &mut [Block]) -> Result<(), CoderError> {
        let block_bytes = blocks.first().map_or(0, |block| block.bytes.len());
        if block_bytes != self.block_bytes {
            self.resize(block_bytes)?;
        }
        self.make_shards(blocks)?;
        self.make_parity(blocks)
    }

    fn resize(&mut self, block_bytes: usize) -> Result<(), CoderError> {
        let (shards, parity) = (self.shards, self.parity);
        if let Some(decoder) = &mut self.decoder {
            decoder.reset(shards, parity, block_bytes)?;
        }
        if let Some(encoder) = &mut self.encoder {
            encoder.reset(shards, parity, block_bytes)?;
        }
        self.block_bytes = block_bytes;
        Ok(())
    }

    fn make_shards(&mut self, blocks: &mut [Block]) -> Result<(), CoderError> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(());
        };
        for (place, block) in blocks.iter().enumerate().filter(|(_, it)| it.is_held) {
            match place.checked_sub(self.shards) {
                None => decoder.add_original_shard(place, &block.bytes)?,
                Some(parity) => decoder.add_recovery_shard(parity, &block.bytes)?,
            }
        }
        let restored = decoder.decode()?;
        for (place, block) in blocks.iter_mut().enumerate().take(self.shards) {
            if let Some(bytes) = restored.restored_original(place) {
                block.bytes.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn make_parity(&mut self, blocks: &mut [Block]) -> Result<(), CoderError> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        for block in blocks.iter().take(self.shards) {
            encoder.add_original_shard(&block.bytes)?;
        }
        let coded = encoder.encode()?;
        let parity = blocks.iter_mut().skip(self.shards);
        for (block, bytes) in parity.zip(coded.recovery_iter()) {
            if !block.is_held {
                block.bytes.copy_from_slice(bytes);
            }
        }
        Ok(())
    }
}
