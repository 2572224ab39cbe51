//! Cutting an input into the pieces that become shards.
//!
//! A seal is bound to the number of shards, so that number must be known before the first is
//! sealed. [`CutPlan::scan`] reads the input once and keeps only the lengths; [`CutPlan::pieces`]
//! reads it again and gives the pieces one by one. So an input of any size is cut in the memory of
//! one shard. Where one can seek in the input, [`CutPlan::find`] plans the same and reads next to
//! nothing. Where everything fits in memory anyway, [`Cutter`] gives the pieces in one pass.

mod seeking;

use quern_primitives::limits::{SHARD_BYTES_MAX, TASKS_PER_JOB_MAX};
use std::{
    fmt,
    io::{self, Read},
    str::FromStr,
};

/// Bytes of a shard unless the owner says otherwise.
pub const SHARD_BYTES_DEFAULT: u32 = 8 * 1024 * 1024;

/// Where an input may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Behind line feeds only. A line that is longer than a shard is an error, never cut.
    Lines,
    /// Anywhere; every piece but the last has exactly a shard's bytes.
    Bytes,
    /// Nowhere; the whole input is one piece.
    None,
}

/// A text names no way to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected lines, bytes or none")]
pub struct ParseSplitError;

impl FromStr for Split {
    type Err = ParseSplitError;

    fn from_str(text: &str) -> Result<Self, ParseSplitError> {
        match text {
            "lines" => Ok(Self::Lines),
            "bytes" => Ok(Self::Bytes),
            "none" => Ok(Self::None),
            _ => Err(ParseSplitError),
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines",
            Self::Bytes => "bytes",
            Self::None => "none",
        })
    }
}

/// Why an input was not cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The input could not be read.
    #[error("the input could not be read at byte {offset}")]
    Read {
        /// Where.
        offset: u64,
        /// What the input said.
        #[source]
        source: io::Error,
    },
    /// There is nothing in the input.
    #[error("the input is empty; give one with at least one byte")]
    Empty,
    /// The wanted shard size is none that a shard can have.
    #[error("a shard has from 1 to {max} bytes, not {found}; choose another size")]
    ShardBytes {
        /// The size wanted.
        found: u32,
        /// The largest.
        max: u32,
    },
    /// A line does not fit into a shard.
    #[error(
        "the line that starts at byte {offset} is longer than a shard of {shard_bytes} bytes; \
         take larger shards or split by bytes"
    )]
    LineTooLong {
        /// Where the line starts.
        offset: u64,
        /// The shard size.
        shard_bytes: u32,
    },
    /// The input does not fit into one shard, and may not be cut.
    #[error("the input is longer than one shard's {max} bytes; split it by lines or bytes")]
    InputTooLong {
        /// The largest shard.
        max: u32,
    },
    /// The input makes more pieces than a job has tasks.
    #[error("the input makes more than {max} shards; take larger ones or split the job")]
    TooManyShards {
        /// The most shards.
        max: u32,
    },
    /// A prepared piece does not fit into a shard.
    #[error(
        "piece {index} has {found} bytes where a shard has at most {max}; prepare smaller ones"
    )]
    PieceTooLong {
        /// The piece, counted from zero.
        index: u32,
        /// Its length.
        found: u64,
        /// The largest shard.
        max: u32,
    },
    /// The input is not as long as it was when it was scanned.
    #[error("the input changed its length at shard {index} while it was read; cut it anew")]
    InputChanged {
        /// The shard that came out wrong; the number of shards if there is more behind the last.
        index: u32,
    },
}

/// Cuts an input in one pass; an iterator over the pieces. Ends after the first error.
#[derive(Debug)]
pub struct Cutter<R> {
    input: R,
    split: Split,
    /// The most bytes of a piece.
    piece_bytes_max: u32,
    /// What was read beyond the last cut.
    carry: Vec<u8>,
    /// Where the next piece starts.
    offset: u64,
    pieces: u32,
    ended: bool,
}

impl<R: Read> Cutter<R> {
    /// Starts to cut into pieces of at most `shard_bytes` (which [`Split::None`] does not use).
    pub fn new(input: R, split: Split, shard_bytes: u32) -> Result<Self, CutError> {
        let piece_bytes_max = piece_bytes_max(split, shard_bytes)?;
        let carry = Vec::new();
        Ok(Self {
            input,
            split,
            piece_bytes_max,
            carry,
            offset: 0,
            pieces: 0,
            ended: false,
        })
    }

    fn next_piece(&mut self) -> Result<Option<Vec<u8>>, CutError> {
        let max = self.piece_bytes_max as usize;
        let mut piece = std::mem::take(&mut self.carry);
        // One byte more shows whether the input goes on.
        read_up_to(&mut self.input, max + 1, &mut piece, self.offset)?;
        if piece.is_empty() {
            return if self.pieces == 0 {
                Err(CutError::Empty)
            } else {
                Ok(None)
            };
        }
        if self.pieces == TASKS_PER_JOB_MAX {
            return Err(CutError::TooManyShards {
                max: TASKS_PER_JOB_MAX,
            });
        }
        if piece.len() > max {
            self.carry = piece.split_off(self.place_to_cut(&piece[..max])?);
        }
        self.pieces += 1;
        self.offset += piece.len() as u64;
        Ok(Some(piece))
    }

    /// How much of a full piece, behind which the input goes on, is taken.
    fn place_to_cut(&self, piece: &[u8]) -> Result<usize, CutError> {
        match self.split {
            Split::Bytes => Ok(piece.len()),
            Split::None => Err(CutError::InputTooLong {
                max: SHARD_BYTES_MAX,
            }),
            Split::Lines => piece.iter().rposition(|byte| *byte == b'\n').map_or(
                Err(CutError::LineTooLong {
                    offset: self.offset,
                    shard_bytes: self.piece_bytes_max,
                }),
                |line_feed| Ok(line_feed + 1),
            ),
        }
    }
}

impl<R: Read> Iterator for Cutter<R> {
    type Item = Result<Vec<u8>, CutError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_piece().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The most bytes of a piece, if a shard can have that size.
fn piece_bytes_max(split: Split, shard_bytes: u32) -> Result<u32, CutError> {
    match (split, shard_bytes) {
        (_, 1..=SHARD_BYTES_MAX) if split != Split::None => Ok(shard_bytes),
        (_, 1..=SHARD_BYTES_MAX) => Ok(SHARD_BYTES_MAX),
        (_, found) => Err(CutError::ShardBytes {
            found,
            max: SHARD_BYTES_MAX,
        }),
    }
}

/// Where an input is to be cut: at least one piece, at most [`TASKS_PER_JOB_MAX`], none longer than
/// [`SHARD_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutPlan {
    lengths: Vec<u32>,
    input_bytes: u64,
}

impl CutPlan {
    /// Reads the input through and plans its cuts, in the memory of one piece.
    pub fn scan(input: impl Read, split: Split, shard_bytes: u32) -> Result<Self, CutError> {
        let mut plan = Self::without_pieces();
        for piece in Cutter::new(input, split, shard_bytes)? {
            plan.add(piece?.len() as u64)?;
        }
        Ok(plan)
    }

    /// The plan for pieces that an application's partitioner prepared, cut at key frames, tiles or
    /// records of its own. A piece may be empty if the task needs nothing but its arguments.
    pub fn prepared<P: AsRef<[u8]>>(pieces: &[P]) -> Result<Self, CutError> {
        Self::of_lengths(pieces.iter().map(|piece| piece.as_ref().len() as u64))
    }

    /// The plan for consecutive pieces of these lengths.
    pub fn of_lengths(lengths: impl IntoIterator<Item = u64>) -> Result<Self, CutError> {
        let mut plan = Self::without_pieces();
        for length in lengths {
            plan.add(length)?;
        }
        plan.unless_empty()
    }

    /// The number of pieces, which is the job's number of tasks.
    pub fn count(&self) -> u32 {
        // `add` admits no more than TASKS_PER_JOB_MAX.
        u32::try_from(self.lengths.len()).unwrap_or(TASKS_PER_JOB_MAX)
    }

    /// Bytes of all pieces together.
    pub fn input_bytes(&self) -> u64 {
        self.input_bytes
    }

    /// The pieces' lengths, in order.
    pub fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// Reads the input again and gives its pieces, an iterator. An input that is no longer as long
    /// as planned is an error.
    pub fn pieces<R: Read>(&self, input: R) -> Pieces<'_, R> {
        Pieces {
            input,
            plan: self,
            next: 0,
            offset: 0,
            ended: false,
        }
    }

    /// What a plan begins as, which is none yet.
    fn without_pieces() -> Self {
        Self {
            lengths: Vec::new(),
            input_bytes: 0,
        }
    }

    fn unless_empty(self) -> Result<Self, CutError> {
        match self.lengths.is_empty() {
            true => Err(CutError::Empty),
            false => Ok(self),
        }
    }

    fn add(&mut self, length: u64) -> Result<(), CutError> {
        let index = self.count();
        if index == TASKS_PER_JOB_MAX {
            return Err(CutError::TooManyShards {
                max: TASKS_PER_JOB_MAX,
            });
        }
        let fitting = u32::try_from(length)
            .ok()
            .filter(|length| *length <= SHARD_BYTES_MAX);
        let Some(fitting) = fitting else {
            return Err(CutError::PieceTooLong {
                index,
                found: length,
                max: SHARD_BYTES_MAX,
            });
        };
        self.lengths.push(fitting);
        self.input_bytes += length;
        Ok(())
    }
}

/// The pieces of an input that was planned before; see [`CutPlan::pieces`].
#[derive(Debug)]
pub struct Pieces<'a, R> {
    input: R,
    plan: &'a CutPlan,
    next: u32,
    offset: u64,
    ended: bool,
}

impl<R: Read> Pieces<'_, R> {
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>, CutError> {
        let index = self.next;
        let length = self
            .plan
            .lengths
            .get(index as usize)
            .map_or(0, |length| *length as usize);
        let is_behind_last = index == self.plan.count();
        let mut piece = Vec::new();
        let wanted = if is_behind_last { 1 } else { length };
        read_up_to(&mut self.input, wanted, &mut piece, self.offset)?;
        if piece.len() != length {
            return Err(CutError::InputChanged { index });
        }
        self.next += 1;
        self.offset += length as u64;
        Ok((!is_behind_last).then_some(piece))
    }
}

impl<R: Read> Iterator for Pieces<'_, R> {
    type Item = Result<Vec<u8>, CutError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_piece().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Reads until `out` has `length` bytes or the input ends.
fn read_up_to(
    input: &mut impl Read,
    length: usize,
    out: &mut Vec<u8>,
    offset: u64,
) -> Result<(), CutError> {
    let wanted = length.saturating_sub(out.len());
    out.reserve_exact(wanted);
    let before = out.len() as u64;
    input
        .take(wanted as u64)
        .read_to_end(out)
        .map(drop)
        .map_err(|source| CutError::Read {
            offset: offset + before,
            source,
        })
}

#[cfg(test)]
mod tests;
