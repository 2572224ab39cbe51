//! Computing: what is begun, claimed, let go, and what becomes of what came out.

use super::Rules;
use crate::{
    event::{Bytes, Effect, Output, Why},
    keys::Keys,
    limits::{REST_MS, RESTING_MAX},
    message::{Claimed, Made, Message, PeerId, Statement},
    pieces::root_of,
    tick::Tick,
    weight::Weights,
};
use quern_primitives::{Digest, payload::Signed};
use quern_swarm_file::PieceIndex;
use std::collections::BTreeSet;

/// A piece that is being computed here.
#[derive(Clone, Debug)]
pub(super) struct Working {
    pub(super) slot: u8,
    pub(super) why: Why,
    pub(super) since: Tick,
    pub(super) renew_at: Tick,
}

impl<K: Keys> Rules<K> {
    /// Whether it could compute more than it does.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_merged && !self.is_holding && self.working.len() < usize::from(self.slots)
    }

    pub(super) fn take_up_work(&mut self, out: &mut Vec<Effect>) {
        while self.is_idle() && self.look_from <= self.now {
            let Some((piece, why)) = self.choose() else {
                // Not with each of a hundred messages that come at once.
                self.look_from = self.now.plus_ms(self.pace.look_again_ms() / 10);
                return;
            };
            let taken: BTreeSet<u8> = self.working.values().map(|it| it.slot).collect();
            let Some(slot) = (0..self.slots).find(|slot| !taken.contains(slot)) else {
                return;
            };
            let renew_at = self.claim(piece, slot);
            let working = Working {
                slot,
                why,
                since: self.now,
                renew_at,
            };
            self.working.insert(piece, working);
            out.push(Effect::Compute { piece, why });
        }
    }

    pub(super) fn renew_claims(&mut self) {
        let now = self.now;
        let due = self.working.iter().filter(|(_, it)| it.renew_at <= now);
        let due: Vec<(PieceIndex, u8)> = due.map(|(piece, it)| (*piece, it.slot)).collect();
        for (piece, slot) in due {
            let renew_at = self.claim(piece, slot);
            if let Some(working) = self.working.get_mut(&piece) {
                working.renew_at = renew_at;
            }
        }
    }

    /// Claims a piece. Tells when that is to be renewed: at two thirds of its time.
    fn claim(&mut self, piece: PieceIndex, slot: u8) -> Tick {
        let ttl_ms = self.pace.claim_ms();
        let claim = Claimed {
            piece,
            slot,
            number: self.next_number,
            ttl_ms: u32::try_from(ttl_ms).unwrap_or(u32::MAX),
            by: self.me,
        };
        self.next_number = self.next_number.saturating_add(1);
        let word = self.keys.sign(claim, &self.genesis);
        self.claims.take(self.now, word, true);
        self.outbox.say(Message::Claim(word));
        self.now.plus_ms(ttl_ms.saturating_mul(2) / 3)
    }

    /// Somebody else claims a piece. Whoever has the smaller weight for it lets go, if it has hardly begun.
    /// For strangers half of the time of a piece is given up in all until one is computed to its end, and
    /// only if there is something else to take: keys cost nothing, and who makes up one after the other
    /// could else have everybody let go of everything.
    pub(super) fn let_go_of_claimed(&mut self, claim: &Claimed, out: &mut Vec<Effect>) {
        if !self.has_hardly_begun(claim.piece) {
            return;
        }
        let theirs = Weights::of(&self.task.digest, &claim.by).at(claim.piece);
        if theirs <= self.weights.at(claim.piece) {
            return;
        }
        if !self.belief.standing(&claim.by).is_believed() {
            let since = self.working.get(&claim.piece).map(|it| it.since);
            let spent_ms = since.map_or(0, |since| self.now.since(since));
            let given_up_ms = self.given_up_ms.saturating_add(spent_ms);
            if given_up_ms >= self.pace.let_go_ms() || !self.has_other_work() {
                return;
            }
            self.given_up_ms = given_up_ms;
        }
        self.abandon(claim.piece, out);
    }

    /// Somebody has a piece that is being computed here.
    pub(super) fn let_go_of_made(&mut self, piece: PieceIndex, out: &mut Vec<Effect>) {
        let is_new = self
            .working
            .get(&piece)
            .is_some_and(|it| it.why == Why::New);
        if is_new && self.has_hardly_begun(piece) && self.pieces.made.has(piece) {
            self.abandon(piece, out);
        }
    }

    fn has_hardly_begun(&self, piece: PieceIndex) -> bool {
        let working = self.working.get(&piece);
        working.is_some_and(|it| self.now.since(it.since) < self.pace.let_go_ms())
    }

    fn abandon(&mut self, piece: PieceIndex, out: &mut Vec<Effect>) {
        if self.working.remove(&piece).is_some() {
            self.look_from = self.now;
            out.push(Effect::Abandon(piece));
        }
    }

    pub(super) fn computed(
        &mut self,
        piece: PieceIndex,
        output: Option<Output>,
        out: &mut Vec<Effect>,
    ) {
        let Some(working) = self.working.remove(&piece) else {
            return;
        };
        self.look_from = self.now;
        let Some(output) = output.filter(|it| it.bytes <= self.task.piece_bytes_max) else {
            self.rest(piece);
            return;
        };
        self.pace.took(self.now.since(working.since));
        self.given_up_ms = 0;
        let count = match working.why {
            Why::New => &mut self.computed,
            Why::Check => &mut self.checked,
        };
        *count = count.saturating_add(1);
        self.mine.insert(piece, output.root);
        let made = Made {
            piece,
            bytes: output.bytes,
            root: output.root,
            by: self.me,
        };
        self.hold_others_to(&made, out);
        self.keep_what_came_out(made, out);
    }

    /// Says of everybody who made the piece before whether the same came out.
    fn hold_others_to(&mut self, mine: &Made, out: &mut Vec<Effect>) {
        let makers = self.pieces.get(mine.piece).map(|it| it.makers.clone());
        let makers = makers.unwrap_or_default();
        let mut has_agreed = false;
        for word in &makers {
            let Made { root, by, .. } = word.payload;
            if by == self.me {
                continue;
            }
            if root == mine.root {
                // Who comes second with the same root may only have repeated it.
                if !has_agreed {
                    self.state((mine.piece, by), root, true, out);
                }
                has_agreed = true;
            } else if self.task.is_exact {
                self.state((mine.piece, by), root, false, out);
            } else {
                self.have_compared(mine, word, out);
            }
        }
    }

    /// Has a command compare what came out with what is on the disk.
    fn have_compared(&mut self, mine: &Made, word: &Signed<Made>, out: &mut Vec<Effect>) {
        let piece = self.pieces.get(mine.piece).filter(|it| it.is_stored);
        let held = piece.and_then(|it| it.held.as_ref()).map(root_of);
        let has_room = self.comparing.len() < crate::limits::COMPARED_MAX;
        let key = (mine.piece, word.payload.root);
        if held == Some(key.1) && has_room && !self.comparing.contains_key(&key) {
            self.comparing.insert(key, *mine);
            out.push(Effect::Compare {
                piece: key.0,
                root: key.1,
            });
        }
    }

    pub(super) fn compared(
        &mut self,
        piece: PieceIndex,
        root: Digest,
        same: bool,
        out: &mut Vec<Effect>,
    ) {
        let Some(mine) = self.comparing.remove(&(piece, root)) else {
            return;
        };
        let makers = self.pieces.get(piece).map(|it| it.makers.clone());
        let makers = makers.unwrap_or_default();
        let maker = makers.iter().find(|it| it.payload.root == root);
        if let Some(maker) = maker {
            self.state((piece, maker.payload.by), root, same, out);
        }
        self.keep_what_came_out(mine, out);
    }

    /// Stores what came out, where there is nothing as good.
    fn keep_what_came_out(&mut self, made: Made, out: &mut Vec<Effect>) {
        let Some(piece) = self.pieces.get(made.piece) else {
            return;
        };
        let is_held = piece.held.is_some();
        let word = match piece.maker(&self.belief) {
            None => {
                let word = self.keys.sign(made, &self.genesis);
                self.pieces.add(self.now, word, &self.belief);
                word
            }
            // Others made it, and the same is here already: nobody need send it.
            Some(word) if !is_held && word.payload.root == made.root => *word,
            Some(_) => return,
        };
        self.end_fetch(made.piece);
        self.pieces.hold(word, false);
        let bytes = Bytes::Computed;
        out.push(Effect::Store { made: word, bytes });
    }

    pub(super) fn stored(&mut self, piece: PieceIndex) {
        let held = self.pieces.get(piece).and_then(|it| it.held);
        if let Some(word) = held {
            self.pieces.hold(word, true);
            self.outbox.say(Message::Have(word));
        }
    }

    pub(super) fn rest(&mut self, piece: PieceIndex) {
        if self.resting.len() < RESTING_MAX {
            self.resting.insert(piece, self.now.plus_ms(REST_MS));
        }
    }

    /// Says what this peer found when it computed another's piece.
    pub(super) fn state(
        &mut self,
        (piece, of): (PieceIndex, PeerId),
        root: Digest,
        holds: bool,
        out: &mut Vec<Effect>,
    ) {
        let statement = Statement {
            piece,
            root,
            of,
            holds,
            by: self.me,
        };
        if self.belief.knows(&statement) {
            return;
        }
        let word = self.keys.sign(statement, &self.genesis);
        if self.belief.take(word) {
            out.push(Effect::Keep(word));
            self.outbox.say(Message::Checked(word));
            self.judge(statement, out);
        }
    }
}
