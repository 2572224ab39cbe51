//! Which pieces of others are computed again, and when all that is here can be relied on.

use super::{Rules, choosing::Barred};
use crate::{
    belief::Standing,
    claims::name,
    event::{Effect, Why},
    keys::Keys,
    limits::{CHECK_ONE_IN, CHECK_ONE_IN_WARY, CREDIT_CHECKS, CREDIT_PIECES, FIRST_CHECKS},
    message::PeerId,
    weight::{Weights, mixed},
};
use quern_swarm_file::PieceIndex;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

impl<K: Keys> Rules<K> {
    /// A piece of which words differ.
    pub(super) fn open_work(&self) -> Option<PieceIndex> {
        let mut open = self.open.iter().map(|(piece, _)| *piece);
        open.find(|piece| self.is_testable(*piece) && self.is_free(*piece, Barred::ByBelieved))
    }

    /// A check that does not wait any more.
    pub(super) fn overdue_check(&mut self) -> Option<PieceIndex> {
        let on_credit = self.strangers_by_weight().into_iter().filter(|key| {
            let pieces = self.pieces.by_maker().get(key);
            pieces.is_some_and(|pieces| *pieces >= CREDIT_PIECES)
        });
        let on_credit: Vec<PeerId> = on_credit.collect();
        match self.owed_for_work() >= CREDIT_CHECKS {
            true => self.owed_check(),
            false => self.piece_of_one(&on_credit, Barred::ByAnybody),
        }
    }

    /// A check that is owed: of strangers first, then of whom the fewest have checked.
    pub(super) fn owed_check(&mut self) -> Option<PieceIndex> {
        let strangers = self.strangers_by_weight();
        let firsts = match strangers.is_empty() {
            true => 0,
            false => FIRST_CHECKS.saturating_sub(self.checked),
        };
        if firsts.max(self.owed_for_work()) == 0 {
            return None;
        }
        let strangers = self.piece_of_one(&strangers, Barred::ByAnybody);
        strangers.or_else(|| {
            let tests = self.belief.tests();
            let mut vouched = self.makers(|it| it == Standing::Vouched);
            let weights = |key: &PeerId| Weights::of(&self.task.digest, key).at(0);
            vouched.sort_by_key(|key| (tests.get(key).copied().unwrap_or(0), weights(key)));
            self.piece_of_one(&vouched, Barred::ByAnybody)
        })
    }

    /// A piece of a stranger whose claims keep others from something new. That it computes at all is seen
    /// by that; who has made nothing keeps nobody.
    pub(super) fn check_of_claimant(&mut self) -> Option<PieceIndex> {
        let mut barring = BTreeSet::new();
        for piece in self.claims.pieces().filter(|it| !self.pieces.made.has(*it)) {
            barring.extend(self.claims.of(self.now, piece).copied());
        }
        let mut strangers = self.strangers_by_weight();
        strangers.retain(|key| barring.contains(key));
        self.piece_of_untested(&strangers)
    }

    /// A piece of a stranger without whose pieces nothing can be merged.
    pub(super) fn check_of_needed(&mut self) -> Option<PieceIndex> {
        let strangers = self.strangers_by_weight();
        let untested = self.piece_of_untested(&strangers);
        untested.or_else(|| self.piece_of_one(&strangers, Barred::ByBelieved))
    }

    /// Whether every piece that is here is vouched for, nothing stands against it, and no check is owed.
    pub(super) fn is_all_sure(&mut self, out: &mut Vec<Effect>) -> bool {
        let is_checking = self.working.values().any(|it| it.why == Why::Check);
        let is_quiet = self.open.is_empty() && self.comparing.is_empty() && !is_checking;
        if !is_quiet || !self.makers(|it| it == Standing::Stranger).is_empty() {
            return false;
        }
        if self.owed_check().is_some() {
            return false;
        }
        self.hold_to_believed(out)
    }

    /// Whether what is here is what those made who count. Where two of them differ it is to be computed,
    /// and where a stranger's is here it gives way.
    fn hold_to_believed(&mut self, out: &mut Vec<Effect>) -> bool {
        let mut others = Vec::new();
        for (index, piece) in self.pieces.indexed() {
            let believed = |by: &PeerId| self.belief.standing(by).is_believed();
            let mut makers = piece.makers.iter().map(|it| it.payload);
            let Some(first) = makers.find(|it| believed(&it.by)) else {
                continue;
            };
            let differs = makers.any(|it| believed(&it.by) && it.root != first.root);
            if differs && self.task.is_exact && self.is_testable(index) {
                self.open.insert((index, first.by));
            }
            let held = piece.held.map(|it| it.payload);
            if let Some(held) = held.filter(|it| !believed(&it.by)) {
                others.push((index, held.root));
            }
        }
        for (piece, root) in &others {
            self.replace(*piece, root, out);
        }
        self.open.is_empty() && self.pieces.all_stored()
    }

    /// Checks that are owed for what was computed here.
    fn owed_for_work(&self) -> u64 {
        let one_in = match self.belief.is_wary() {
            true => CHECK_ONE_IN_WARY,
            false => CHECK_ONE_IN,
        };
        let owed = self.computed.checked_div(one_in).unwrap_or(0);
        owed.saturating_sub(self.checked)
    }

    /// Whether something is learned by computing a piece here.
    fn is_testable(&self, piece: PieceIndex) -> bool {
        let is_here = self.pieces.get(piece).is_some_and(|it| it.is_stored);
        !self.mine.contains_key(&piece) && (self.task.is_exact || is_here)
    }

    /// Keys by which pieces are gone by, and that stand so.
    fn makers(&self, stands: impl Fn(Standing) -> bool) -> Vec<PeerId> {
        let makers = self
            .pieces
            .by_maker()
            .iter()
            .filter(|(_, count)| **count > 0);
        let makers = makers.map(|(key, _)| *key).filter(|key| *key != self.me);
        makers
            .filter(|key| stands(self.belief.standing(key)))
            .collect()
    }

    /// Strangers that made something, the one of the greatest weight for this peer first. So peers spread
    /// over whom they check.
    fn strangers_by_weight(&self) -> Vec<PeerId> {
        let mut strangers = self.makers(|it| it == Standing::Stranger);
        let me = name(&self.me);
        strangers.sort_by_key(|key| Reverse(mixed(name(key) ^ mixed(me))));
        strangers
    }

    /// A piece of the first of these keys that has one to check.
    fn piece_of_one(&mut self, keys: &[PeerId], by: Barred) -> Option<PieceIndex> {
        if keys.is_empty() {
            return None;
        }
        let mut testable: BTreeMap<PeerId, Vec<PieceIndex>> =
            keys.iter().map(|key| (*key, Vec::new())).collect();
        for (index, piece) in self.pieces.indexed() {
            let maker = piece.maker(&self.belief).map(|it| it.payload.by);
            let pieces = maker.and_then(|maker| testable.get_mut(&maker));
            if let Some(pieces) = pieces
                && self.is_testable(index)
                && self.is_free(index, by)
            {
                pieces.push(index);
            }
        }
        let mut pieces = keys.iter().filter_map(|key| testable.get(key));
        let pieces = pieces.find(|pieces| !pieces.is_empty())?;
        self.draws.one_of(pieces).copied()
    }

    /// The same, of a key of which nobody computes a piece already.
    fn piece_of_untested(&mut self, keys: &[PeerId]) -> Option<PieceIndex> {
        let mut tested = BTreeSet::new();
        for piece in self.claims.pieces() {
            let maker = self.pieces.get(piece).and_then(|it| it.maker(&self.belief));
            if let Some(maker) = maker.filter(|_| self.is_barred(piece, Barred::ByAnybody)) {
                tested.insert(maker.payload.by);
            }
        }
        let untested = keys.iter().filter(|key| !tested.contains(key));
        let untested: Vec<PeerId> = untested.copied().collect();
        self.piece_of_one(&untested, Barred::ByAnybody)
    }
}
