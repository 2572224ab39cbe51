//! What is computed next.

use super::Rules;
use crate::{
    event::Why, keys::Keys, limits::SLOTS_MAX, message::PeerId, order::order, weight::Weights,
};
use quern_swarm_file::PieceIndex;
use std::collections::BTreeSet;

/// Whose claims bar a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barred {
    /// Anybody's.
    ByAnybody,
    /// Those of keys that count.
    ByBelieved,
}

/// Peers by which the pieces are spread. In a larger swarm it goes by neighbours alone: what that loses
/// claims win back, and each peer more is another weight for every piece.
const SPREAD_MAX: usize = SLOTS_MAX as usize;

impl<K: Keys> Rules<K> {
    /// The next piece to compute, if there is one. Checks wait until there is nothing new to begin, for
    /// then they cost nobody time, unless too much was taken on credit.
    pub(super) fn choose(&mut self) -> Option<(PieceIndex, Why)> {
        let check = |piece| (piece, Why::Check);
        let new = |piece| (piece, Why::New);
        self.open_work()
            .map(check)
            .or_else(|| self.overdue_check().map(check))
            .or_else(|| self.next_missing(Barred::ByAnybody).map(new))
            .or_else(|| self.owed_check().map(check))
            .or_else(|| self.check_of_claimant().map(check))
            .or_else(|| self.next_missing(Barred::ByBelieved).map(new))
            .or_else(|| self.check_of_needed().map(check))
            .or_else(|| self.out_of_reach().map(new))
    }

    /// Whether somebody else claims a piece.
    pub(super) fn is_barred(&self, piece: PieceIndex, by: Barred) -> bool {
        let others = self
            .claims
            .of(self.now, piece)
            .filter(|key| **key != self.me);
        let mut standings = others.map(|key| self.belief.standing(key));
        standings.any(|it| it.is_believed() || (by == Barred::ByAnybody && !it.is_out()))
    }

    /// Whether a piece can be begun here: nobody claims it, and it does not rest.
    pub(super) fn is_free(&self, piece: PieceIndex, by: Barred) -> bool {
        !self.working.contains_key(&piece)
            && !self.resting.contains_key(&piece)
            && !self.is_barred(piece, by)
    }

    pub(super) fn has_other_work(&mut self) -> bool {
        self.next_missing(Barred::ByAnybody).is_some()
    }

    fn next_missing(&mut self, by: Barred) -> Option<PieceIndex> {
        self.keep_order();
        self.order
            .iter()
            .copied()
            .find(|piece| self.is_free(*piece, by))
    }

    /// A piece that is only hearsay: nobody who is connected has had it for two times of a piece.
    fn out_of_reach(&self) -> Option<PieceIndex> {
        let patience = self.pace.hearsay_ms();
        let mut wanted = self.pieces.wanted();
        wanted.find(|piece| {
            let since = self.pieces.get(*piece).map(|it| it.out_of_reach_since);
            !self.neighbours.anybody_has(*piece)
                && since.is_some_and(|since| self.now.since(since) >= patience)
                && self.is_free(*piece, Barred::ByBelieved)
        })
    }

    /// Brings the order up to date: it goes by the peers that are known to be here.
    fn keep_order(&mut self) {
        let mut known: BTreeSet<PeerId> = self.neighbours.greeted().collect();
        let claimants = self.claims.claimants(self.now);
        if known.union(&claimants).take(SPREAD_MAX).count() < SPREAD_MAX {
            known.extend(claimants);
        }
        known.retain(|key| *key != self.me && !self.belief.standing(key).is_out());
        if self.order_by.as_ref() != Some(&known) {
            let weights = known.iter().map(|key| Weights::of(&self.task.digest, key));
            let weights: Vec<Weights> = weights.collect();
            self.order = order(self.pieces.missing(), &self.weights, &weights);
            self.order_by = Some(known);
        }
        self.order.retain(|piece| !self.pieces.made.has(*piece));
    }
}
