//! What follows from what was said: who is vouched for, who is out, and what has to be computed to know.

use super::Rules;
use crate::{
    belief::{Ruling, Standing, Work},
    event::{Effect, Fault},
    keys::Keys,
    message::{Made, PeerId, Statement},
};
use quern_primitives::Digest;
use quern_swarm_file::PieceIndex;
use std::collections::BTreeSet;

/// What follows from one statement.
#[derive(Debug, Default)]
struct Finding {
    vouched: Option<PeerId>,
    /// With whether it was seen here.
    convicted: Vec<(PeerId, bool)>,
    /// Whether it is to be computed here.
    is_open: bool,
}

impl<K: Keys> Rules<K> {
    /// Draws what follows from a statement, and from all that follows from that.
    pub(super) fn judge(&mut self, statement: Statement, out: &mut Vec<Effect>) {
        let mut open = vec![statement];
        let mut is_changed = false;
        let mut fallen = BTreeSet::new();
        while let Some(statement) = open.pop() {
            let finding = self.find(&statement);
            let work = (statement.piece, statement.of);
            match finding.is_open {
                true => drop(self.open.insert(work)),
                false => drop(self.open.remove(&work)),
            }
            if let Some(key) = finding.vouched.filter(|key| self.belief.vouch(*key)) {
                is_changed = true;
                open.extend(self.belief.said_by(&key));
            }
            for (key, seen_here) in finding.convicted {
                if self.belief.convict(key, seen_here) {
                    is_changed = true;
                    fallen.insert(key);
                    // Whoever was vouched for by it, or accused by it, is a stranger again.
                    self.open.clear();
                    open = self.belief.said_by_trusted();
                }
            }
        }
        if is_changed {
            self.follow_standings(&fallen, out);
        }
    }

    /// The same for a piece as a key made it, of which it is heard only now.
    pub(super) fn judge_work(&mut self, made: &Made, out: &mut Vec<Effect>) {
        let work = (made.piece, made.by);
        let mine = self.mine.get(&made.piece);
        if self.task.is_exact && mine.is_some_and(|it| *it != made.root) {
            self.state(work, made.root, false, out);
            return;
        }
        let first = self.belief.about(work, made.root).next().copied();
        if let Some(statement) = first {
            self.judge(statement, out);
        }
    }

    /// Ends everything with a key that signed two results of one piece.
    pub(super) fn convict(&mut self, key: PeerId, seen_here: bool, out: &mut Vec<Effect>) {
        if self.belief.convict(key, seen_here) {
            self.open.clear();
            for statement in self.belief.said_by_trusted() {
                self.judge(statement, out);
            }
            self.follow_standings(&BTreeSet::from([key]), out);
        }
    }

    fn find(&self, statement: &Statement) -> Finding {
        let Statement {
            piece, root, of, ..
        } = *statement;
        let work = (piece, of);
        let mut finding = Finding::default();
        let own = self.belief.own(work, root);
        if let Some(verdict) = own.or_else(|| self.known_to_hold(piece, &root)) {
            let wrong = self
                .belief
                .about(work, root)
                .filter(|it| it.holds != verdict);
            let wrong = wrong.filter(|it| it.by != self.me);
            finding.convicted = wrong.map(|it| (it.by, true)).collect();
            match own {
                Some(true) => finding.vouched = Some(of),
                Some(false) if self.is_signed(work, &root) => finding.convicted.push((of, true)),
                _ => {}
            }
            if own.is_some() {
                return finding;
            }
        }
        // What a key never signed is nothing to accuse it of.
        let is_signed = self.is_signed(work, &root);
        let standing = self.belief.standing(&of);
        match self.belief.ruling(work, root) {
            Ruling::Holds => finding.vouched = Some(of),
            Ruling::Fails if is_signed => finding.convicted.push((of, false)),
            // Whoever is out already needs no more against it; if somebody speaks for it, it may be wrongly.
            Ruling::Alone => finding.is_open = is_signed && !standing.is_out(),
            Ruling::Split => finding.is_open = is_signed && standing != Standing::Caught,
            _ => {}
        }
        finding
    }

    /// Whether the same came out here; nothing if that is not known.
    fn known_to_hold(&self, piece: PieceIndex, root: &Digest) -> Option<bool> {
        let mine = self.mine.get(&piece)?;
        (mine == root).then_some(true)
    }

    fn is_signed(&self, (piece, of): Work, root: &Digest) -> bool {
        let makers = self.pieces.get(piece).map(|it| &it.makers);
        let mut made = makers.into_iter().flatten().map(|it| &it.payload);
        made.any(|made| made.by == of && made.root == *root)
    }

    /// What follows for pieces and connections from who counts now.
    fn follow_standings(&mut self, fallen: &BTreeSet<PeerId>, out: &mut Vec<Effect>) {
        self.look_from = self.now;
        // Whoever is vouched for now is gone by already where nobody else made the same.
        if !fallen.is_empty() || self.pieces.contested().next().is_some() {
            self.pieces.recount_all(&self.belief);
            self.order_by = None;
            self.fetch_from = None;
        }
        for key in fallen {
            if !self.belief.standing(key).is_out() {
                continue;
            }
            self.claims.forget_key(key);
            self.neighbours.forget(key);
            if self.neighbours.get(key).is_some() {
                out.push(Effect::Drop(*key, Fault::Lied));
            }
            self.discard_pieces_of(key, out);
        }
    }

    fn discard_pieces_of(&mut self, key: &PeerId, out: &mut Vec<Effect>) {
        let held = self.pieces.indexed().filter_map(|(piece, it)| {
            let held = it.held.as_ref()?.payload;
            (held.by == *key).then_some((piece, held.root))
        });
        let held: Vec<(PieceIndex, Digest)> = held.collect();
        for (piece, root) in held {
            self.replace(piece, &root, out);
        }
    }

    /// What is here under a key that does not count is here under another, or not at all.
    pub(super) fn replace(&mut self, piece: PieceIndex, root: &Digest, out: &mut Vec<Effect>) {
        let Some(known) = self.pieces.get(piece) else {
            return;
        };
        let is_stored = known.is_stored;
        let maker = known.maker(&self.belief).copied();
        match maker.filter(|it| it.payload.root == *root && is_stored) {
            Some(made) => {
                let bytes = crate::event::Bytes::There;
                self.pieces.hold(made, true);
                out.push(Effect::Store { made, bytes });
            }
            None => {
                self.is_merged = false;
                self.pieces.lose(self.now, piece);
                out.push(Effect::Discard(piece));
            }
        }
    }
}
