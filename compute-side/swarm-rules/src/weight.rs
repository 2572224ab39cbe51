//! A weight for each piece and peer, which everybody reckons alike.

use crate::message::PeerId;
use quern_primitives::Digest;
use quern_swarm_file::PieceIndex;
use sha2::{Digest as _, Sha256};

const DOMAIN: &[u8] = b"quern/swarm-order/1";

/// What a peer's weights follow from. One digest for each peer and not one for each piece: a task may have
/// a million pieces, and each of thirty neighbours has a weight for every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weights {
    first: u64,
    second: u64,
}

impl Weights {
    /// Those of a peer in a task.
    pub(crate) fn of(task: &Digest, peer: &PeerId) -> Self {
        let digest = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(task.0)
            .chain_update(peer.0)
            .finalize();
        let (first, rest) = digest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let second = rest.first_chunk::<8>().unwrap_or(&[0; 8]);
        Self {
            first: u64::from_le_bytes(*first),
            second: u64::from_le_bytes(*second),
        }
    }

    /// Its weight for a piece.
    pub(crate) fn at(&self, piece: PieceIndex) -> u64 {
        mixed(mixed(self.first ^ u64::from(piece)) ^ self.second)
    }
}

/// The last step of SplitMix64: every bit of what comes in changes half of those that go out.
pub(crate) fn mixed(mut it: u64) -> u64 {
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

/// Numbers that look drawn, from a seed: SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`; zero if there is none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0).checked_rem(end).unwrap_or(0)
    }

    /// One of some things.
    pub(crate) fn one_of<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let at = self.below(u64::try_from(of.len()).unwrap_or(u64::MAX));
        usize::try_from(at).ok().and_then(|at| of.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_differ_by_task_peer_and_piece_and_are_the_same_everywhere() {
        let weights =
            |task: u8, peer: u8| Weights::of(&Digest([task; 32]), &PeerId::from([peer; 32]));
        assert_eq!(weights(1, 2), weights(1, 2));
        assert_ne!(weights(1, 2), weights(2, 2));
        assert_ne!(weights(1, 2), weights(1, 3));
        assert_ne!(weights(1, 2).at(0), weights(1, 2).at(1));
        // Whoever changes how they are reckoned changes the domain, or peers of two versions disagree.
        assert_eq!(weights(1, 2).at(7), 15_067_235_709_142_389_610);
    }

    #[test]
    fn each_peer_is_first_of_about_as_many_pieces() {
        let peers: Vec<Weights> = (0..8)
            .map(|peer| Weights::of(&Digest([1; 32]), &PeerId::from([peer; 32])))
            .collect();
        let mut firsts = [0u32; 8];
        for piece in 0..8_000 {
            let first = (0..8).max_by_key(|peer| peers[*peer].at(piece));
            firsts[first.unwrap_or(0)] += 1;
        }
        assert!(
            firsts.iter().all(|it| (900..1_100).contains(it)),
            "{firsts:?}"
        );
    }
}
