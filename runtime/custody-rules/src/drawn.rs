//! What a public challenge asks for. It follows from the chain's randomness, so nobody knows it before the
//! period begins, everybody knows it then, and nothing of it is stored.

use alloc::vec::Vec;
use quern_primitives::{
    custody::Place,
    draw::Draw,
    hash::sha256,
    ids::{Digest, Period},
    limits::{CHALLENGE_DRAWS_MAX, CHALLENGED_CHUNKS_MAX, CHUNKS_PER_PART_MAX},
};

/// Which chunks are asked for.
const CHUNKS: Draw<'_> = Draw {
    tag: b"quern/challenged-chunk/1",
    most: CHALLENGED_CHUNKS_MAX,
    draws_max: CHALLENGE_DRAWS_MAX,
};

/// What a challenge follows from: the chain's randomness of a period's first block, and who holds what.
pub fn seed(randomness: &Digest, place: &Place, period: Period) -> Digest {
    Digest(sha256(&[
        b"quern/public-challenge/1",
        &randomness.0,
        &place.contract.0,
        &place.piece.to_le_bytes(),
        &place.holder.0,
        &period.to_le_bytes(),
    ]))
}

/// The chunks that are asked for of a piece of `count` chunks, in the order in which they are shown. Of a piece
/// with no more than [`CHALLENGED_CHUNKS_MAX`] they are all of them, from the first; else as many different
/// ones as that, each drawn as likely as any other.
pub fn chunks(seed: &Digest, count: u32) -> Vec<u32> {
    CHUNKS.different(seed, count)
}

/// In how many parts so many chunks are shown.
pub fn parts(chunks: usize) -> usize {
    chunks.div_ceil(part_chunks())
}

/// The chunks of one part; none if there is no such part.
pub fn part(chunks: &[u32], part: u8) -> Option<&[u32]> {
    chunks.chunks(part_chunks()).nth(part.into())
}

fn part_chunks() -> usize {
    usize::try_from(CHUNKS_PER_PART_MAX).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::ids::{ContractId, DeviceId};
    use std::collections::BTreeSet;

    fn place() -> Place {
        Place {
            contract: ContractId([1; 32]),
            piece: 2,
            holder: DeviceId([3; 32]),
        }
    }

    #[test]
    fn all_of_a_small_piece_is_asked_for_and_32_chunks_of_a_large_one() {
        for count in (0..200).chain([8_192, 8_193, 16_384]) {
            for number in 0..20 {
                let drawn = chunks(&Digest([number; 32]), count);
                let different: BTreeSet<_> = drawn.iter().copied().collect();
                assert_eq!(different.len(), drawn.len());
                assert_eq!(drawn.len() as u32, count.min(32), "of {count}");
                assert!(different.last().is_none_or(|last| *last < count));
            }
        }
    }

    #[test]
    fn parts_are_the_whole_cut_into_eights() {
        for count in [1, 7, 8, 9, 31, 32, 33, 1_000] {
            let drawn = chunks(&Digest([5; 32]), count);
            let parts_of = parts(drawn.len());
            let shown: Vec<u32> = (0..parts_of as u8)
                .flat_map(|it| part(&drawn, it).unwrap().to_vec())
                .collect();
            assert_eq!(shown, drawn);
            assert_eq!(parts_of, drawn.len().div_ceil(8));
            assert_eq!(part(&drawn, parts_of as u8), None);
            assert!(parts_of <= 4);
        }
        assert_eq!(parts(0), 0);
    }

    #[test]
    fn another_period_place_or_randomness_asks_for_other_chunks() {
        let own = seed(&Digest([9; 32]), &place(), 7);
        let others = [
            seed(&Digest([8; 32]), &place(), 7),
            seed(&Digest([9; 32]), &place(), 8),
            seed(
                &Digest([9; 32]),
                &Place {
                    piece: 3,
                    ..place()
                },
                7,
            ),
            seed(
                &Digest([9; 32]),
                &Place {
                    holder: DeviceId([4; 32]),
                    ..place()
                },
                7,
            ),
            seed(
                &Digest([9; 32]),
                &Place {
                    contract: ContractId([4; 32]),
                    ..place()
                },
                7,
            ),
        ];
        for other in others {
            assert_ne!(own, other);
            assert_ne!(chunks(&own, 8_192), chunks(&other, 8_192));
        }
    }
}
