//! A log as a file.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 4 | `QRNL` |
//! | 1 | version, 3 |
//! | 32 | genesis hash of the chain |
//! | 32 | job |
//! | | each block: its length (4, little-endian) and its bytes |
//! | 4 | 0: the end |
//!
//! A log that still grows is exported as it stands, with an end. Nothing follows the end. `docs/format.md`
//! says the same, and what is in a block.

use crate::{
    block::{BLOCK_BYTES_MAX, SIGNED_HEADER_BYTES, SignedBlock, read_header},
    fault::LogFault,
    replay::Replay,
};
use alloc::vec::Vec;
use quern_primitives::ids::{GenesisHash, JobId};

/// What a file of a log begins with, its version included.
const MAGIC: [u8; 5] = *b"QRNL\x03";

/// The end of a file.
pub const END: [u8; 4] = [0; 4];

/// The beginning of a file.
pub fn head(genesis: &GenesisHash, job: &JobId) -> Vec<u8> {
    [MAGIC.as_slice(), &genesis.0, &job.0].concat()
}

/// A block as it stands in a file.
pub fn framed(block: &SignedBlock) -> Vec<u8> {
    let bytes = block.to_bytes();
    // No block is nearly as long.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [length.to_le_bytes().as_slice(), &bytes].concat()
}

/// A whole file.
pub fn write<'a>(
    genesis: &GenesisHash,
    job: &JobId,
    blocks: impl IntoIterator<Item = &'a SignedBlock>,
) -> Vec<u8> {
    let mut file = head(genesis, job);
    blocks
        .into_iter()
        .for_each(|block| file.extend(framed(block)));
    file.extend(END);
    file
}

/// A file that is read piece by piece, however its pieces are cut. One block is kept at a time.
#[derive(Clone, Debug)]
pub struct Reader<C, I> {
    chunks: I,
    /// The piece at hand, and how much of it was read.
    chunk: Option<(C, usize)>,
    block: Vec<u8>,
    genesis: GenesisHash,
    job: JobId,
    has_ended: bool,
}

impl<C: AsRef<[u8]>, I: Iterator<Item = C>> Reader<C, I> {
    /// Reads the beginning of a file.
    pub fn new(chunks: impl IntoIterator<IntoIter = I>) -> Result<Self, LogFault> {
        let mut reader = Self {
            chunks: chunks.into_iter(),
            chunk: None,
            block: Vec::new(),
            genesis: GenesisHash::default(),
            job: JobId::default(),
            has_ended: false,
        };
        reader.fill(MAGIC.len())?;
        if reader.block != MAGIC {
            return Err(LogFault::NotALog);
        }
        reader.genesis = GenesisHash(reader.array()?);
        reader.job = JobId(reader.array()?);
        Ok(reader)
    }

    /// The chain that the file names.
    pub fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    /// The job that the file names.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// The next block's bytes; `None` behind the last one, when nothing follows the end.
    pub fn next_block(&mut self) -> Result<Option<&[u8]>, LogFault> {
        if self.has_ended {
            return Ok(None);
        }
        let bytes = u32::from_le_bytes(self.array()?);
        let length = bytes as usize;
        if length == 0 {
            self.has_ended = true;
            return match self.copy(1) {
                0 => Ok(None),
                _ => Err(LogFault::Trailing),
            };
        }
        if length < SIGNED_HEADER_BYTES {
            return Err(LogFault::Truncated);
        }
        if length > BLOCK_BYTES_MAX {
            return Err(LogFault::TooLong { bytes });
        }
        self.fill(length)?;
        Ok(Some(&self.block))
    }

    /// Follows the whole file; what each block has is handed on.
    pub fn replay<E: From<LogFault>>(
        &mut self,
        replay: &mut Replay,
        mut each: impl FnMut(SignedBlock) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.genesis != replay.genesis() {
            return Err(LogFault::OtherChain.into());
        }
        if self.job != replay.job() {
            return Err(LogFault::OtherJob { job: self.job }.into());
        }
        while let Some(bytes) = self.next_block()? {
            match replay.take(bytes) {
                Ok(block) => each(block)?,
                Err(LogFault::Gap { expected, index }) => {
                    return Err(self.missing(expected, index).into());
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }

    /// Whether what is missing was left out, or comes later.
    fn missing(&mut self, expected: u64, index: u64) -> LogFault {
        while let Ok(Some(bytes)) = self.next_block() {
            let is_expected =
                read_header(bytes).is_ok_and(|(header, _)| header.payload.index == expected);
            if is_expected {
                return LogFault::Reordered { expected, index };
            }
        }
        LogFault::Gap { expected, index }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LogFault> {
        self.fill(N)?;
        self.block
            .as_slice()
            .try_into()
            .map_err(|_| LogFault::Truncated)
    }

    /// Has the next so many bytes at hand, and these alone.
    fn fill(&mut self, bytes: usize) -> Result<(), LogFault> {
        match self.copy(bytes) {
            copied if copied == bytes => Ok(()),
            _ => Err(LogFault::Truncated),
        }
    }

    /// Has up to so many bytes at hand; how many there are.
    fn copy(&mut self, bytes: usize) -> usize {
        self.block.clear();
        while self.block.len() < bytes {
            let Some((chunk, read)) = &mut self.chunk else {
                match self.chunks.next() {
                    Some(chunk) => self.chunk = Some((chunk, 0)),
                    None => break,
                }
                continue;
            };
            let rest = chunk.as_ref().get(*read..).unwrap_or_default();
            let wanted = bytes.saturating_sub(self.block.len());
            match rest.get(..wanted) {
                Some(part) => {
                    self.block.extend_from_slice(part);
                    *read = read.saturating_add(wanted);
                }
                None => {
                    self.block.extend_from_slice(rest);
                    self.chunk = None;
                }
            }
        }
        self.block.len()
    }
}
