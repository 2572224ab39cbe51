//! The attack that the key commitment is there against: GHASH is linear, so one free block can be
//! chosen such that the tags under two keys are equal.

use aes_gcm::aes::{
    Aes256,
    cipher::{BlockCipherEncrypt, KeyInit},
};

/// One block and a tag that are authentic under both keys as the only segment of a sealed
/// thing with this header.
pub(super) fn ciphertext(first: &[u8; 32], second: &[u8; 32], header: &[u8]) -> Vec<u8> {
    let [first, second] = [first, second].map(|key| Tag::new(key, header));
    let differing = first.of_zero_block ^ second.of_zero_block;
    let block = times(differing, inverse(first.factor ^ second.factor));
    let tag = first.of_zero_block ^ times(block, first.factor);
    [block.to_be_bytes(), tag.to_be_bytes()].concat()
}

/// The tag as a function of the one block: `of_zero_block + block * factor`.
struct Tag {
    of_zero_block: u128,
    factor: u128,
}

impl Tag {
    fn new(key: &[u8; 32], header: &[u8]) -> Self {
        let aes = Aes256::new(key.into());
        let encrypt = |block: u128| {
            let mut block = block.to_be_bytes().into();
            aes.encrypt_block(&mut block);
            u128::from_be_bytes(block.into())
        };
        let hash_key = encrypt(0);
        // Seven zero bytes, segment 0, last: then GCM's own counter, which starts at 1.
        let mask = encrypt(1 << 32 | 1);
        let mut hash = 0;
        for block in header.chunks(16) {
            let mut padded = [0; 16];
            padded[..block.len()].copy_from_slice(block);
            hash = times(hash ^ u128::from_be_bytes(padded), hash_key);
        }
        let bits = |bytes: usize| bytes as u128 * 8;
        hash = times(hash, hash_key);
        hash = times(hash ^ bits(header.len()) << 64 ^ bits(16), hash_key);
        Self {
            of_zero_block: hash ^ mask,
            factor: times(hash_key, hash_key),
        }
    }
}

/// Multiplication in GCM's field, the lowest power in the highest bit.
fn times(left: u128, mut right: u128) -> u128 {
    let mut product = 0;
    for power in (0..128).rev() {
        if left >> power & 1 == 1 {
            product ^= right;
        }
        let carry = right & 1;
        right >>= 1;
        right ^= carry * (0xe1 << 120);
    }
    product
}

/// `x` to the power 2^128 - 2.
fn inverse(x: u128) -> u128 {
    let mut square = x;
    let mut inverse = 1 << 127;
    for _ in 1..128 {
        square = times(square, square);
        inverse = times(inverse, square);
    }
    inverse
}
