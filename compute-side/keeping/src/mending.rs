//! What is brought here, made again and erased.

use crate::piece::Piece;
use quern_primitives::ids::{DeviceId, PieceIndex};
use quern_shards::stored::Plan;

/// What would have a piece's bytes here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From one of these, who hold it and are here.
    From(Vec<DeviceId>),
    /// Made of these, which are here.
    Of(Vec<PieceIndex>),
    /// By bringing these first, each from one of its holders, of which enough are here or can be had.
    Behind(Vec<(PieceIndex, Vec<DeviceId>)>),
}

/// How a piece can be had that is not here; none if it cannot be now. `present` says who holds a piece and is here.
pub(crate) fn way(
    plan: &Plan,
    pieces: &[Piece],
    piece: PieceIndex,
    present: impl Fn(PieceIndex) -> Vec<DeviceId>,
) -> Option<Way> {
    let own = present(piece);
    if !own.is_empty() {
        return Some(Way::From(own));
    }
    let stripe = plan.spot(piece)?.stripe;
    let needed = plan.shards_of(stripe).len();
    let others: Vec<PieceIndex> = plan.pieces_of(stripe).filter(|it| *it != piece).collect();
    if others.is_empty() {
        return None;
    }
    let is_here = |it: &PieceIndex| pieces.get(*it as usize).is_some_and(|it| it.is_here);
    let here: Vec<PieceIndex> = others.iter().copied().filter(is_here).collect();
    if here.len() >= needed {
        return Some(Way::Of(here.into_iter().take(needed).collect()));
    }
    let missing = needed.saturating_sub(here.len());
    let absent = others.iter().copied().filter(|it| !is_here(it));
    let found = absent.map(|it| (it, present(it)));
    let found: Vec<_> = found
        .filter(|(_, from)| !from.is_empty())
        .take(missing)
        .collect();
    (found.len() == missing).then_some(Way::Behind(found))
}
