//! Randomness that follows from a seed.

use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"quern/sandbox-random/1";
const BLOCK_BYTES: usize = 32;

/// The stream of bytes that programs draw: block `i` is SHA-256 of a domain tag, the seed and `i`
/// as 8 little-endian bytes. How a program cuts its draws does not change the stream.
#[derive(Debug)]
pub(crate) struct SeedStream {
    seed: [u8; 32],
    next_block: u64,
    block: [u8; BLOCK_BYTES],
    taken: usize,
}

impl SeedStream {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        SeedStream {
            seed,
            next_block: 0,
            block: [0; BLOCK_BYTES],
            taken: BLOCK_BYTES,
        }
    }

    /// Fills `bytes` with what comes next.
    pub(crate) fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.taken == BLOCK_BYTES {
                self.draw_block();
            }
            let some = bytes.len().min(BLOCK_BYTES - self.taken);
            let (now, later) = bytes.split_at_mut(some);
            now.copy_from_slice(&self.block[self.taken..self.taken + some]);
            self.taken += some;
            bytes = later;
        }
    }

    fn draw_block(&mut self) {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(self.seed);
        hash.update(self.next_block.to_le_bytes());
        self.block = hash.finalize().into();
        self.next_block = self.next_block.wrapping_add(1);
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_stream_is_the_same_however_it_is_cut(seed: [u8; 32], cuts in prop::collection::vec(0usize..100, 0..10)) {
            let mut whole = vec![0; cuts.iter().sum()];
            SeedStream::new(seed).fill(&mut whole);
            let mut stream = SeedStream::new(seed);
            let mut pieces = Vec::new();
            for cut in cuts {
                let mut piece = vec![0; cut];
                stream.fill(&mut piece);
                pieces.extend(piece);
            }
            prop_assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn another_seed_gives_another_stream() {
        let draw = |seed| {
            let mut bytes = [0; 64];
            SeedStream::new([seed; 32]).fill(&mut bytes);
            bytes
        };
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1)[..32], draw(1)[32..]);
    }
}
