//! How pieces make files: in order, each file of the first `parts` pieces of what is left.

use crate::limits::PIECES_MAX;
use std::ops::Range;

/// A piece's place among all pieces, counted from zero.
pub type PieceIndex = u32;

/// A file's place among the files that the pieces make, counted from zero.
pub type FileIndex = u32;

/// Which pieces make which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Of each file, the piece behind its last one.
    ends: Vec<PieceIndex>,
}

/// What is told to one execution of the command or module: which piece it shall write, and where in the
/// files that is. The index of each is counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkItem {
    /// The piece.
    pub piece: PieceIndex,
    /// The file that it is part of.
    pub file: FileIndex,
    /// Its place among the parts of that file.
    pub part: u32,
    /// How many pieces there are in all.
    pub pieces: u32,
}

impl Layout {
    /// The layout of files of so many parts each, if they are no more than pieces can be.
    pub(crate) fn of(parts: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut end: PieceIndex = 0;
        let mut ends = Vec::new();
        for parts in parts {
            end = end.checked_add(parts).filter(|end| *end <= PIECES_MAX)?;
            ends.push(end);
        }
        Some(Self { ends })
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> u32 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// How many files there are.
    pub fn files(&self) -> usize {
        self.ends.len()
    }

    /// The pieces of a file, in the order in which they are put together; none if there is no such file.
    pub fn pieces_of(&self, file: FileIndex) -> Option<Range<PieceIndex>> {
        let file = usize::try_from(file).ok()?;
        let end = *self.ends.get(file)?;
        let begin = match file.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        Some(begin..end)
    }

    /// What is told to who computes a piece; none if there is no such piece.
    pub fn work_item(&self, piece: PieceIndex) -> Option<WorkItem> {
        let file = self.ends.partition_point(|end| *end <= piece);
        let file = FileIndex::try_from(file).ok()?;
        let pieces = self.pieces_of(file)?;
        Some(WorkItem {
            piece,
            file,
            part: piece.checked_sub(pieces.start)?,
            pieces: self.pieces(),
        })
    }
}

impl WorkItem {
    /// The variables that a command or module finds it in.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("QUERN_PIECE", self.piece.to_string()),
            ("QUERN_FILE", self.file.to_string()),
            ("QUERN_PART", self.part.to_string()),
            ("QUERN_PIECES", self.pieces.to_string()),
        ]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_work_item_is_told_by_four_variables() {
        let layout = Layout::of([2, 3]).unwrap();
        let variables = layout.work_item(4).unwrap().environment();
        let told: Vec<String> = variables
            .map(|(name, value)| format!("{name}={value}"))
            .into();
        let wanted = [
            "QUERN_PIECE=4",
            "QUERN_FILE=1",
            "QUERN_PART=2",
            "QUERN_PIECES=5",
        ];
        assert_eq!(told, wanted);
        assert_eq!(layout.work_item(5), None);
        assert_eq!(layout.pieces_of(2), None);
    }

    #[test]
    fn more_pieces_than_there_can_be_have_no_layout() {
        assert_eq!(Layout::of([PIECES_MAX]).unwrap().pieces(), PIECES_MAX);
        assert_eq!(Layout::of([PIECES_MAX, 1]), None);
        assert_eq!(Layout::of([u32::MAX, u32::MAX]), None);
    }

    proptest! {
        #[test]
        fn pieces_are_dealt_to_files_one_by_one(
            parts in proptest::collection::vec(1u32..9, 0..12),
        ) {
            let layout = Layout::of(parts.iter().copied()).unwrap();
            let mut piece = 0;
            for (file, parts) in (0..).zip(&parts) {
                prop_assert_eq!(layout.pieces_of(file), Some(piece..piece + parts));
                for part in 0..*parts {
                    let pieces = layout.pieces();
                    let wanted = WorkItem { piece, file, part, pieces };
                    prop_assert_eq!(layout.work_item(piece), Some(wanted));
                    piece += 1;
                }
            }
            prop_assert_eq!(layout.pieces(), piece);
            prop_assert_eq!(layout.files(), parts.len());
            prop_assert_eq!(layout.work_item(piece), None);
            prop_assert_eq!(layout.work_item(u32::MAX), None);
        }
    }
}
