//! SHA-256 over parts, one behind the other.
//!
//! The chain's runtime has it from the node that runs it, which hashes faster than the program that it runs;
//! everybody else has it from a library.

#[cfg(not(substrate_runtime))]
use sha2::{Digest as _, Sha256};

/// SHA-256 over some parts as if they were one.
#[cfg(not(substrate_runtime))]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// SHA-256 over some parts as if they were one.
#[cfg(substrate_runtime)]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    // The heap is the node's as well, so what is small is put together without it: a node of a tree has 65 bytes.
    let mut small = [0; 256];
    let mut left = small.as_mut_slice();
    for part in parts {
        let Some((place, rest)) = left.split_at_mut_checked(part.len()) else {
            return sp_io::hashing::sha2_256(&parts.concat());
        };
        place.copy_from_slice(part);
        left = rest;
    }
    let unused = left.len();
    let used = small.len().saturating_sub(unused);
    sp_io::hashing::sha2_256(small.get(..used).unwrap_or_default())
}

/// The first 8 bytes of such a hash, as a number. Of a remainder below 2^32 no value is favoured by more than one
/// in 2^32.
pub fn number(parts: &[&[u8]]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(parts);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_hashed_as_one() {
        // FIPS 180-4: the digest of "abc".
        let whole = sha256(&[b"abc"]);
        assert_eq!(whole.get(..4), Some(&[0xba, 0x78, 0x16, 0xbf][..]));
        assert_eq!(sha256(&[b"a", b"", b"bc"]), whole);
        assert_eq!(number(&[b"ab", b"c"]), 0xeacf_018f_bf16_78ba);
    }
}
