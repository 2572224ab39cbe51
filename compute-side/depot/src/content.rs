//! What bytes are held to before they get a name.

use quern_primitives::Digest;
use quern_shards::chunks::ChunkHasher;
use std::io::{self, Read};

/// Bytes read at a time where a file is hashed.
const READ_BYTES: usize = 256 * 1024;

/// How many bytes there are, and which: the chunk root over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many.
    pub bytes: u64,
    /// The root of the tree over their chunks.
    pub root: Digest,
}

impl Content {
    /// Of bytes that are all at hand.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Of all that can be read.
    pub(crate) fn read(mut bytes: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match bytes.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(read) => hasher.update(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Computes a content of bytes that come one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Hasher {
    chunks: ChunkHasher,
    bytes: u64,
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.chunks.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
    }

    pub(crate) fn finish(self) -> Content {
        Content {
            bytes: self.bytes,
            root: self.chunks.finish().root(),
        }
    }
}
