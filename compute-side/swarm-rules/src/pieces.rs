//! What is known of each piece: who made it, whether it is here, and where it can be had.

use crate::{
    belief::{Belief, Standing},
    bits::Bits,
    limits::MADES_PER_PIECE_MAX,
    message::{Made, PeerId},
    tick::Tick,
    weight::mixed,
};
use quern_primitives::{Digest, payload::Signed};
use quern_swarm_file::PieceIndex;
use std::collections::{BTreeMap, BTreeSet};

/// A piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct Piece {
    /// Who made it, in the order in which it was heard.
    pub(crate) makers: Vec<Signed<Made>>,
    /// Whose it is that is on the disk, or on its way there.
    pub(crate) held: Option<Signed<Made>>,
    /// Whether it is on the disk.
    pub(crate) is_stored: bool,
    /// Since when nobody is known to be here who has it.
    pub(crate) out_of_reach_since: Tick,
}

impl Piece {
    /// The maker to go by: one that counts, else the first that is not out.
    pub(crate) fn maker(&self, belief: &Belief) -> Option<&Signed<Made>> {
        let standing = |it: &Signed<Made>| belief.standing(&it.payload.by);
        if let [only] = self.makers.as_slice() {
            return Some(only).filter(|it| !standing(it).is_out());
        }
        let believed = self.makers.iter().find(|it| standing(it).is_believed());
        believed.or_else(|| self.makers.iter().find(|it| !standing(it).is_out()))
    }
}

/// All pieces of the task.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    all: Vec<Piece>,
    /// Those of which a maker is known who is not out.
    pub(crate) made: Bits,
    /// Those that are on the disk.
    pub(crate) stored: Bits,
    /// Those that are made and not here.
    wanted: BTreeSet<PieceIndex>,
    /// Those that more than one made.
    contested: BTreeSet<PieceIndex>,
    stored_count: u32,
    made_sum: u64,
    stored_sum: u64,
    /// How many pieces each key is the maker of that is gone by.
    by_maker: BTreeMap<PeerId, u32>,
}

impl Pieces {
    pub(crate) fn new(count: u32) -> Self {
        Self {
            all: (0..count).map(|_| Piece::default()).collect(),
            made: Bits::none(count),
            stored: Bits::none(count),
            wanted: BTreeSet::new(),
            contested: BTreeSet::new(),
            stored_count: 0,
            made_sum: 0,
            stored_sum: 0,
            by_maker: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, piece: PieceIndex) -> Option<&Piece> {
        usize::try_from(piece).ok().and_then(|at| self.all.get(at))
    }

    pub(crate) fn get_mut(&mut self, piece: PieceIndex) -> Option<&mut Piece> {
        usize::try_from(piece)
            .ok()
            .and_then(|at| self.all.get_mut(at))
    }

    pub(crate) fn indexed(&self) -> impl Iterator<Item = (PieceIndex, &Piece)> {
        (0..).zip(&self.all)
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn all_stored(&self) -> bool {
        self.stored_count == self.count()
    }

    /// Pieces that are made and not here.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = PieceIndex> {
        self.wanted.iter().copied()
    }

    pub(crate) fn is_wanted(&self, piece: PieceIndex) -> bool {
        self.wanted.contains(&piece)
    }

    /// Pieces that nobody made who is not out.
    pub(crate) fn missing(&self) -> impl Iterator<Item = PieceIndex> {
        (0..self.count()).filter(|piece| !self.made.has(*piece))
    }

    /// How many pieces have each key as their maker.
    pub(crate) fn by_maker(&self) -> &BTreeMap<PeerId, u32> {
        &self.by_maker
    }

    pub(crate) fn made_sum(&self) -> u64 {
        self.made_sum
    }

    pub(crate) fn stored_sum(&self) -> u64 {
        self.stored_sum
    }

    /// Adds a maker, if there is room. One that counts takes the place of one that does not.
    pub(crate) fn add(&mut self, now: Tick, word: Signed<Made>, belief: &Belief) -> bool {
        let before = self.maker_of(word.payload.piece, belief);
        let Some(piece) = self.get_mut(word.payload.piece) else {
            return false;
        };
        if piece.makers.len() >= MADES_PER_PIECE_MAX {
            let standing = belief.standing(&word.payload.by);
            let worse = |it: &Signed<Made>| -> Standing { belief.standing(&it.payload.by) };
            let mut places = piece.makers.iter();
            let Some(at) = places.rposition(|it| worse(it) > standing) else {
                return false;
            };
            piece.makers.remove(at);
        }
        piece.makers.push(word);
        if before.is_none() {
            piece.out_of_reach_since = now;
        }
        if piece.makers.len() > 1 {
            self.contested.insert(word.payload.piece);
        }
        self.recount(word.payload.piece, before, belief);
        true
    }

    /// The piece is here, or on its way to the disk, as this.
    pub(crate) fn hold(&mut self, word: Signed<Made>, is_stored: bool) {
        let index = word.payload.piece;
        let Some(piece) = self.get_mut(index) else {
            return;
        };
        piece.held = Some(word);
        piece.is_stored |= is_stored;
        let is_stored = piece.is_stored;
        self.wanted.remove(&index);
        if is_stored && self.stored.insert(index) {
            self.stored_count = self.stored_count.saturating_add(1);
            self.stored_sum ^= number(index);
        }
    }

    /// The piece is not here any more.
    pub(crate) fn lose(&mut self, now: Tick, index: PieceIndex) {
        let Some(piece) = self.get_mut(index) else {
            return;
        };
        piece.held = None;
        piece.is_stored = false;
        piece.out_of_reach_since = now;
        if self.stored.remove(index) {
            self.stored_count = self.stored_count.saturating_sub(1);
            self.stored_sum ^= number(index);
        }
        if self.made.has(index) {
            self.wanted.insert(index);
        }
    }

    /// Pieces that more than one made.
    pub(crate) fn contested(&self) -> impl Iterator<Item = PieceIndex> {
        self.contested.iter().copied()
    }

    /// Goes by other makers where that follows from who counts now.
    pub(crate) fn recount_all(&mut self, belief: &Belief) {
        self.by_maker.clear();
        for index in 0..self.count() {
            let maker = self.maker_of(index, belief);
            self.set_made(index, maker.is_some());
            if let Some(maker) = maker {
                let count = self.by_maker.entry(maker).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    fn maker_of(&self, index: PieceIndex, belief: &Belief) -> Option<PeerId> {
        let maker = self.get(index)?.maker(belief);
        maker.map(|it| it.payload.by)
    }

    fn recount(&mut self, index: PieceIndex, before: Option<PeerId>, belief: &Belief) {
        let after = self.maker_of(index, belief);
        self.set_made(index, after.is_some());
        if before == after {
            return;
        }
        if let Some(count) = before.and_then(|it| self.by_maker.get_mut(&it)) {
            *count = count.saturating_sub(1);
        }
        if let Some(after) = after {
            let count = self.by_maker.entry(after).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn set_made(&mut self, index: PieceIndex, is_made: bool) {
        let is_changed = match is_made {
            true => self.made.insert(index),
            false => self.made.remove(index),
        };
        if is_changed {
            self.made_sum ^= number(index);
        }
        let is_held = self.get(index).is_some_and(|it| it.held.is_some());
        match is_made && !is_held {
            true => self.wanted.insert(index),
            false => self.wanted.remove(&index),
        };
    }
}

/// The root of a maker's word.
pub(crate) fn root_of(word: &Signed<Made>) -> Digest {
    word.payload.root
}

/// A number for a piece, to be summed.
pub(crate) fn number(piece: PieceIndex) -> u64 {
    mixed(u64::from(piece).wrapping_add(0x9e37_79b9_7f4a_7c15))
}
