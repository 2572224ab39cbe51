//! Planning cuts without reading all of an input.

use super::{CutError, CutPlan, Split, piece_bytes_max};
use std::io::{self, Read, Seek, SeekFrom};

/// How much is read at once where a line's end is looked for.
const STRETCH_BYTES: u64 = 64 * 1024;

impl CutPlan {
    /// Plans the cuts that [`CutPlan::scan`] plans, of an input in which one can seek. Of lines only
    /// what is before each cut is read, back to where one ends; of bytes nothing.
    pub fn find(
        mut input: impl Read + Seek,
        split: Split,
        shard_bytes: u32,
    ) -> Result<Self, CutError> {
        let max = piece_bytes_max(split, shard_bytes)?;
        let input_bytes = input
            .seek(SeekFrom::End(0))
            .map_err(|source| CutError::Read { offset: 0, source })?;
        let mut plan = Self::without_pieces();
        let mut stretch = Vec::new();
        while plan.input_bytes < input_bytes {
            let offset = plan.input_bytes;
            let is_last = input_bytes - offset <= u64::from(max);
            let length = match split {
                _ if is_last => input_bytes - offset,
                Split::Bytes => max.into(),
                Split::None => return Err(CutError::InputTooLong { max }),
                Split::Lines => line_end(&mut input, offset, max, &mut stretch)
                    .map_err(|source| CutError::Read { offset, source })?
                    .ok_or(CutError::LineTooLong {
                        offset,
                        shard_bytes,
                    })?,
            };
            plan.add(length)?;
        }
        plan.unless_empty()
    }
}

/// How many of the `max` bytes from `offset` on are up to the last line feed in them.
fn line_end(
    input: &mut (impl Read + Seek),
    offset: u64,
    max: u32,
    stretch: &mut Vec<u8>,
) -> io::Result<Option<u64>> {
    let mut end = u64::from(max);
    while end > 0 {
        let start = end.saturating_sub(STRETCH_BYTES);
        input.seek(SeekFrom::Start(offset + start))?;
        stretch.clear();
        input.by_ref().take(end - start).read_to_end(stretch)?;
        if let Some(place) = stretch.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(start + place as u64 + 1));
        }
        end = start;
    }
    Ok(None)
}
