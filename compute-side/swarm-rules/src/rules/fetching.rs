//! Bringing pieces here: whatever somebody made is fetched from somebody who has it.

use super::Rules;
use crate::{
    claims::name,
    event::{Bytes, Effect, Fault, FetchFault},
    keys::Keys,
    limits::FETCHES_MAX,
    message::{Made, PeerId},
    weight::mixed,
};
use quern_primitives::payload::Signed;
use quern_swarm_file::PieceIndex;

impl<K: Keys> Rules<K> {
    /// Asks for what can be had. Looks only at pieces of which something was heard since, unless anything
    /// else has changed.
    pub(super) fn fetch_all(&mut self, out: &mut Vec<Effect>) {
        let heard = self.fetch_from.replace(Vec::new());
        let pieces = heard.unwrap_or_else(|| self.pieces.wanted().collect());
        for piece in pieces {
            if self.fetching.len() >= FETCHES_MAX {
                return;
            }
            if self.pieces.is_wanted(piece) && !self.fetching.contains_key(&piece) {
                self.fetch(piece, out);
            }
        }
    }

    /// Something was heard of a piece.
    pub(super) fn fetch_later(&mut self, piece: PieceIndex) {
        if let Some(pieces) = &mut self.fetch_from {
            pieces.push(piece);
        }
    }

    /// Asks for a piece whoever has it and is asked for the least.
    fn fetch(&mut self, piece: PieceIndex, out: &mut Vec<Effect>) {
        let have = self.neighbours.iter().filter(|(_, it)| it.can_give(piece));
        // Of equals each peer takes another.
        let weight = |it: &PeerId| mixed(name(it) ^ self.weights.at(piece));
        let least = have.min_by_key(|(peer, it)| (it.fetching.len(), weight(peer)));
        let Some(from) = least.map(|(peer, _)| *peer) else {
            return;
        };
        let known = self.pieces.get(piece);
        let Some(made) = known.and_then(|it| it.maker(&self.belief)).copied() else {
            return;
        };
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.fetching.insert(piece);
        }
        self.fetching.insert(piece, (from, made));
        out.push(Effect::Fetch { made, from });
    }

    pub(super) fn fetched(&mut self, piece: PieceIndex, from: PeerId, out: &mut Vec<Effect>) {
        let is_asked = self
            .fetching
            .get(&piece)
            .is_some_and(|(peer, _)| *peer == from);
        let Some((_, made)) = self.end_fetch(piece).filter(|_| is_asked) else {
            return;
        };
        let is_held = self.pieces.get(piece).is_none_or(|it| it.held.is_some());
        if is_held || self.belief.standing(&made.payload.by).is_out() {
            return;
        }
        self.pieces.hold(made, false);
        let bytes = Bytes::Fetched;
        out.push(Effect::Store { made, bytes });
    }

    pub(super) fn fetch_failed(
        &mut self,
        piece: PieceIndex,
        from: PeerId,
        fault: FetchFault,
        out: &mut Vec<Effect>,
    ) {
        if self
            .fetching
            .get(&piece)
            .is_none_or(|(peer, _)| *peer != from)
        {
            return;
        }
        self.end_fetch(piece);
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.has_not(piece);
        }
        if !self.neighbours.anybody_has(piece)
            && let Some(known) = self.pieces.get_mut(piece)
        {
            known.out_of_reach_since = self.now;
        }
        match fault {
            FetchFault::Gone => {}
            FetchFault::Wrong => out.push(Effect::Drop(from, Fault::PieceWrong)),
            FetchFault::Longer => out.push(Effect::Drop(from, Fault::PieceLonger)),
        }
    }

    /// A piece is not on its way any more.
    pub(super) fn end_fetch(&mut self, piece: PieceIndex) -> Option<(PeerId, Signed<Made>)> {
        let ended = self.fetching.remove(&piece);
        self.fetch_from = None;
        if let Some((from, _)) = &ended
            && let Some(neighbour) = self.neighbours.get_mut(from)
        {
            neighbour.fetching.remove(&piece);
        }
        ended
    }
}
