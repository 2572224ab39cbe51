//! A set of pieces: a bit for each, the first in the lowest bit of the first byte.

use crate::event::Fault;
use quern_swarm_file::PieceIndex;

/// A set of the pieces of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    pieces: u32,
    bytes: Vec<u8>,
}

impl Bits {
    /// The empty set.
    pub(crate) fn none(pieces: u32) -> Self {
        let bytes = usize::try_from(pieces.div_ceil(8)).unwrap_or(usize::MAX);
        Self {
            pieces,
            bytes: vec![0; bytes],
        }
    }

    /// A set that a peer sent. It is exactly as long as the task, and spare bits are zero.
    pub(crate) fn read(pieces: u32, bytes: &[u8]) -> Result<Self, Fault> {
        let none = Self::none(pieces);
        if bytes.len() != none.bytes.len() {
            return Err(Fault::BitfieldLength {
                bytes: bytes.len(),
                expected: none.bytes.len(),
            });
        }
        let spare = pieces.div_ceil(8).saturating_mul(8).saturating_sub(pieces);
        let allowed = u8::MAX.checked_shr(spare).unwrap_or(0);
        if bytes.last().is_some_and(|last| last & !allowed != 0) {
            return Err(Fault::BitfieldSpare);
        }
        Ok(Self {
            pieces,
            bytes: bytes.to_vec(),
        })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn has(&self, piece: PieceIndex) -> bool {
        let byte = usize::try_from(piece / 8)
            .ok()
            .and_then(|at| self.bytes.get(at));
        byte.is_some_and(|byte| byte & mask(piece) != 0)
    }

    /// Adds a piece. Says whether it was not there.
    pub(crate) fn insert(&mut self, piece: PieceIndex) -> bool {
        self.change(piece, |byte, mask| byte | mask)
    }

    /// Takes a piece away. Says whether it was there.
    pub(crate) fn remove(&mut self, piece: PieceIndex) -> bool {
        self.change(piece, |byte, mask| byte & !mask)
    }

    /// The pieces that are in it, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = PieceIndex> {
        (0..self.pieces).filter(|piece| self.has(*piece))
    }

    fn change(&mut self, piece: PieceIndex, to: impl FnOnce(u8, u8) -> u8) -> bool {
        if piece >= self.pieces {
            return false;
        }
        let at = usize::try_from(piece / 8).ok();
        let Some(byte) = at.and_then(|at| self.bytes.get_mut(at)) else {
            return false;
        };
        let before = *byte;
        *byte = to(before, mask(piece));
        *byte != before
    }
}

fn mask(piece: PieceIndex) -> u8 {
    1u8.checked_shl(piece % 8).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_bitfield_is_as_long_as_the_task_and_spare_bits_are_zero() {
        assert!(Bits::read(9, &[0xff, 0x01]).is_ok());
        assert_eq!(Bits::read(9, &[0xff, 0x02]), Err(Fault::BitfieldSpare));
        for bytes in [&[0xff][..], &[0, 0, 0]] {
            let fault = Fault::BitfieldLength {
                bytes: bytes.len(),
                expected: 2,
            };
            assert_eq!(Bits::read(9, bytes), Err(fault));
        }
        assert!(Bits::read(8, &[0xff]).is_ok(), "no bit is spare");
    }

    proptest! {
        #[test]
        fn it_is_a_set(pieces in 1u32..40, changes in proptest::collection::vec((0u32..50, any::<bool>()), 0..60)) {
            let mut bits = Bits::none(pieces);
            let mut set = BTreeSet::new();
            for (piece, is_added) in changes {
                let is_inside = piece < pieces;
                match is_added {
                    true => prop_assert_eq!(bits.insert(piece), is_inside && set.insert(piece)),
                    false => prop_assert_eq!(bits.remove(piece), set.remove(&piece)),
                }
            }
            prop_assert_eq!(bits.iter().collect::<BTreeSet<_>>(), set);
            prop_assert_eq!(Bits::read(pieces, bits.as_bytes()), Ok(bits));
        }
    }
}
