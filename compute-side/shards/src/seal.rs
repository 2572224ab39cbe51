//! Sealing and opening: AES-256-GCM in segments (the STREAM construction), committed to its key
//! and bound to its place.
//!
//! A sealed thing is a header of [`HEADER_BYTES`] and then segments of [`SEGMENT_BYTES`] of
//! plaintext with a tag of [`TAG_BYTES`] each; the last one is shorter or as long, and there is one
//! even if there is no plaintext. The header says in clear what the thing is bound to (all of it is
//! public anyway), so that a mistake is named for what it is. It is also part of the key
//! commitment and of every segment's associated data, so a false header opens nothing.
//!
//! - **One key, one message.** The key that encrypts follows from the given key, a salt and the
//!   header; a key used twice with different salts is two keys.
//! - **Committed.** GCM alone can be made to open under two keys. The header carries a hash of key
//!   and header, checked before anything is decrypted.
//! - **Nothing is released before it is authentic.** A segment is authentic by its tag; that it is
//!   at its place and the last one where it should be is part of its nonce; how many there are
//!   follows from the length in the header.

mod header;
mod opener;
mod sealer;
mod stream;

pub(crate) use header::{Expected, ExpectedLength};
pub use header::{HEADER_BYTES, SealSalt};
pub(crate) use opener::open_subject;
pub use opener::{OpenError, Opener, open};
pub(crate) use sealer::seal_subject;
pub use sealer::{SealError, Sealed, Sealer, seal};
pub use stream::{OpenIntoError, SealedFacts, open_into, seal_into};

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use aes_gcm::{Aes256Gcm, aead::Buffer};
use header::Header;

/// Plaintext bytes of every segment but the last.
pub const SEGMENT_BYTES: usize = 64 * 1024;

/// Bytes that a segment grows by when it is sealed.
pub const TAG_BYTES: usize = 16;

/// The length of a sealed thing with this much plaintext.
pub const fn sealed_bytes(plaintext_bytes: u64) -> u64 {
    HEADER_BYTES as u64 + plaintext_bytes + segment_count(plaintext_bytes) * TAG_BYTES as u64
}

/// The number of segments: at least one, so that an empty shard is authentic too.
const fn segment_count(plaintext_bytes: u64) -> u64 {
    let full = plaintext_bytes.div_ceil(SEGMENT_BYTES as u64);
    if full == 0 { 1 } else { full }
}

/// The cipher at one place in a sealed thing.
struct Segments {
    cipher: StreamBE32<Aes256Gcm>,
    /// The encoded header, which is every segment's associated data.
    header: [u8; HEADER_BYTES],
    plaintext_bytes: u64,
    next: u64,
}

/// A segment did not open.
struct NotAuthentic;

impl Segments {
    fn new(header: &Header, key: &[u8; 32]) -> Self {
        // The key serves this one message, so the part of the nonce that tells messages apart can
        // be zero.
        let cipher = StreamBE32::new(key.into(), &Default::default());
        let plaintext_bytes = header.plaintext_bytes;
        Self {
            cipher,
            header: header.encode(),
            plaintext_bytes,
            next: 0,
        }
    }

    fn remain(&self) -> bool {
        self.next < segment_count(self.plaintext_bytes)
    }

    fn next_is_last(&self) -> bool {
        self.next + 1 == segment_count(self.plaintext_bytes)
    }

    /// Plaintext bytes of the next segment.
    fn next_bytes(&self) -> usize {
        let passed = self.next * SEGMENT_BYTES as u64;
        let left = self.plaintext_bytes.saturating_sub(passed);
        // The smaller of the two fits, because a segment does.
        usize::try_from(left).map_or(SEGMENT_BYTES, |left| left.min(SEGMENT_BYTES))
    }

    /// Appends the next segment, sealed.
    fn seal_onto(&mut self, plaintext: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(plaintext);
        self.seal_from(start, out);
    }

    /// Seals the next segment where it lies: what `bytes` has from `start` on.
    fn seal_from(&mut self, start: usize, bytes: &mut Vec<u8>) {
        debug_assert_eq!(
            bytes.len() - start,
            self.next_bytes(),
            "a segment has its own length"
        );
        self.cipher
            .encrypt_in_place(
                self.position(),
                self.next_is_last(),
                &self.header,
                &mut Tail { vec: bytes, start },
            )
            .expect("a segment is far below GCM's limit of 64 GiB, and a vector takes the tag");
        self.next += 1;
    }

    /// Appends the next segment's plaintext; leaves `out` as it was if the segment is not
    /// authentic.
    fn open_onto(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), NotAuthentic> {
        let start = out.len();
        out.extend_from_slice(sealed);
        self.open_from(start, out)
    }

    /// Opens the next segment where it lies: what `bytes` has from `start` on. If it is not
    /// authentic, nothing is left of it.
    fn open_from(&mut self, start: usize, bytes: &mut Vec<u8>) -> Result<(), NotAuthentic> {
        let opened = self.cipher.decrypt_in_place(
            self.position(),
            self.next_is_last(),
            &self.header,
            &mut Tail { vec: bytes, start },
        );
        if opened.is_err() {
            bytes.truncate(start);
            return Err(NotAuthentic);
        }
        self.next += 1;
        Ok(())
    }

    fn position(&self) -> u32 {
        u32::try_from(self.next).expect("kinds are bounded far below 2^32 segments (256 TiB)")
    }
}

/// The end of a vector, as the buffer that the cipher works in; so that a segment is worked on
/// where it will stay.
struct Tail<'a> {
    vec: &'a mut Vec<u8>,
    start: usize,
}

impl AsRef<[u8]> for Tail<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.vec[self.start..]
    }
}

impl AsMut<[u8]> for Tail<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.vec[self.start..]
    }
}

impl Buffer for Tail<'_> {
    fn extend_from_slice(&mut self, bytes: &[u8]) -> aes_gcm::aead::Result<()> {
        self.vec.extend_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, length: usize) {
        self.vec.truncate(self.start + length);
    }
}

#[cfg(test)]
mod tests;
