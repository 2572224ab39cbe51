//! In which order a peer computes what is missing.

use crate::weight::Weights;
use quern_swarm_file::PieceIndex;

/// The missing pieces, in a peer's order: those of which it is first, by its weight, the lightest first;
/// then those of which one other is before it, then two, and so on, and within each those first that the
/// first of it comes to last, which are the heaviest of that one. So a helper meets whom it helps at the
/// end and not on the way.
pub(crate) fn order(
    missing: impl Iterator<Item = PieceIndex>,
    me: &Weights,
    others: &[Weights],
) -> Vec<PieceIndex> {
    let mut ranked: Vec<_> = missing
        .map(|piece| {
            let own = me.at(piece);
            let heavier = others.iter().map(|it| it.at(piece)).filter(|it| *it > own);
            let (before, heaviest) = heavier.fold((0u32, None), |(before, heaviest), weight| {
                (before.saturating_add(1), heaviest.max(Some(weight)))
            });
            let within = heaviest.map_or(own, |weight| !weight);
            (before, within, piece)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, _, piece)| piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::PeerId;
    use quern_primitives::Digest;
    use std::collections::BTreeSet;

    fn peers(count: u8) -> Vec<Weights> {
        (0..count)
            .map(|peer| Weights::of(&Digest([9; 32]), &PeerId::from([peer; 32])))
            .collect()
    }

    fn order_of(peer: usize, peers: &[Weights], pieces: u32) -> Vec<PieceIndex> {
        let others = peers.iter().filter(|it| **it != peers[peer]);
        let others: Vec<Weights> = others.copied().collect();
        order(0..pieces, &peers[peer], &others)
    }

    #[test]
    fn who_knows_the_same_peers_begins_with_pieces_that_nobody_else_begins_with() {
        let peers = peers(8);
        let mut begun = BTreeSet::new();
        for peer in 0..8 {
            // Twelve of about sixteen.
            for piece in order_of(peer, &peers, 128).into_iter().take(8) {
                assert!(begun.insert(piece), "{piece} is begun twice");
            }
        }
    }

    #[test]
    fn a_helper_begins_where_the_first_ends() {
        let peers = peers(2);
        let (mine, other) = (order_of(0, &peers, 64), order_of(1, &peers, 64));
        assert_eq!(mine.len(), 64);
        let reversed: Vec<PieceIndex> = other.iter().rev().copied().collect();
        assert_eq!(mine, reversed, "of two each comes from another end");
    }

    #[test]
    fn every_missing_piece_is_there_once() {
        let peers = peers(5);
        let order: BTreeSet<PieceIndex> = order_of(3, &peers, 100).into_iter().collect();
        assert_eq!(order, (0..100).collect());
    }
}
