//! Whose pieces count: keys that one vouches for, keys that were caught, and who contradicts whom.
//!
//! ```text
//!            own computing agrees, or who is vouched for says so
//!  Stranger ────────────────────────────────────────────────────► Vouched
//!     │  own computing differs, or two who are vouched for say so    │
//!     └────────────────────────► Caught ◄────────────────────────────┘
//! ```
//!
//! Where words stand against words, or against a key that nobody else accuses, the piece in question is to be
//! computed here: one of the two is caught then.

use crate::{
    claims::{bucket, is_wanted, name, small},
    limits::{KEYS_MAX, STATEMENTS_OF_STRANGERS_MAX, STATEMENTS_PER_KEY_MAX, WORDS_TO_CONVICT},
    message::{BUCKETS, PeerId, Statement},
    weight::mixed,
};
use quern_primitives::{Digest, payload::Signed};
use quern_swarm_file::PieceIndex;
use std::collections::{BTreeMap, BTreeSet};

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It was named as trusted from the start, or is one's own.
    Trusted,
    /// It made a piece that holds.
    Vouched,
    /// Nothing is known of it.
    Stranger,
    /// It lied, as others say that are vouched for.
    Accused,
    /// It lied, as was seen here.
    Caught,
}

impl Standing {
    /// Whether its words and pieces count.
    pub fn is_believed(self) -> bool {
        matches!(self, Self::Trusted | Self::Vouched)
    }

    /// Whether neither do.
    pub fn is_out(self) -> bool {
        matches!(self, Self::Accused | Self::Caught)
    }
}

/// A piece as one key made it.
pub(crate) type Work = (PieceIndex, PeerId);

/// What the words of others about a piece of a key come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Nobody who counts says anything.
    Silent,
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// One alone says that it does not.
    Alone,
    /// They differ.
    Split,
}

/// Everything that was said, and what follows.
#[derive(Clone, Debug)]
pub(crate) struct Belief {
    me: PeerId,
    standings: BTreeMap<PeerId, Standing>,
    by_signer: BTreeMap<PeerId, BTreeMap<Work, Signed<Statement>>>,
    about: BTreeMap<Work, BTreeSet<PeerId>>,
    statements_of_strangers: usize,
    is_wary: bool,
}

impl Belief {
    pub(crate) fn new(me: PeerId, trusted: &BTreeSet<PeerId>) -> Self {
        let trusted = trusted.iter().copied().chain([me]).take(KEYS_MAX / 2);
        Self {
            me,
            standings: trusted.map(|key| (key, Standing::Trusted)).collect(),
            by_signer: BTreeMap::new(),
            about: BTreeMap::new(),
            statements_of_strangers: 0,
            is_wary: false,
        }
    }

    pub(crate) fn standing(&self, key: &PeerId) -> Standing {
        self.standings
            .get(key)
            .copied()
            .unwrap_or(Standing::Stranger)
    }

    /// Whether anybody was caught.
    pub(crate) fn is_wary(&self) -> bool {
        self.is_wary
    }

    /// Whether a statement is there already, word for word or another of its signer on the same.
    pub(crate) fn knows(&self, statement: &Statement) -> bool {
        let of_signer = self.by_signer.get(&statement.by);
        of_signer.is_some_and(|it| it.contains_key(&(statement.piece, statement.of)))
    }

    /// Takes a statement over, if there is room. What follows from it, [`Self::ruling`] tells.
    pub(crate) fn take(&mut self, word: Signed<Statement>) -> bool {
        let Statement { piece, of, by, .. } = word.payload;
        let standing = self.standing(&by);
        let is_stranger = !standing.is_believed();
        let has_room = by == self.me
            || !is_stranger
            || self.statements_of_strangers < STATEMENTS_OF_STRANGERS_MAX;
        if standing == Standing::Caught || of == by || self.knows(&word.payload) || !has_room {
            return false;
        }
        let of_signer = self.by_signer.entry(by).or_default();
        if by != self.me && of_signer.len() >= STATEMENTS_PER_KEY_MAX {
            return false;
        }
        of_signer.insert((piece, of), word);
        self.about.entry((piece, of)).or_default().insert(by);
        if is_stranger {
            self.statements_of_strangers = self.statements_of_strangers.saturating_add(1);
        }
        true
    }

    /// The statements about a piece as a key made it, under this root.
    pub(crate) fn about(&self, work: Work, root: Digest) -> impl Iterator<Item = &Statement> {
        let signers = self.about.get(&work).into_iter().flatten();
        let words = signers.filter_map(move |by| self.by_signer.get(by)?.get(&work));
        words
            .map(|word| &word.payload)
            .filter(move |it| it.root == root)
    }

    /// What those who count say of a piece as a key made it.
    pub(crate) fn ruling(&self, work: Work, root: Digest) -> Ruling {
        let counted = self
            .about(work, root)
            .filter(|it| self.standing(&it.by).is_believed());
        let (mut holds, mut fails) = (0usize, 0usize);
        for statement in counted {
            let count = if statement.holds {
                &mut holds
            } else {
                &mut fails
            };
            *count = count.saturating_add(1);
        }
        match (holds, fails) {
            (0, 0) => Ruling::Silent,
            (_, 0) => Ruling::Holds,
            (0, many) if many >= WORDS_TO_CONVICT => Ruling::Fails,
            (0, _) => Ruling::Alone,
            _ => Ruling::Split,
        }
    }

    /// How many pieces of each key those who count have computed too.
    pub(crate) fn tests(&self) -> BTreeMap<PeerId, u32> {
        let mut tests: BTreeMap<PeerId, u32> = BTreeMap::new();
        let signers = self.by_signer.iter();
        let believed = signers.filter(|(by, _)| self.standing(by).is_believed());
        for (_, of) in believed.flat_map(|(_, words)| words.keys()) {
            let count = tests.entry(*of).or_default();
            *count = count.saturating_add(1);
        }
        tests
    }

    /// What I found myself of a piece as a key made it.
    pub(crate) fn own(&self, work: Work, root: Digest) -> Option<bool> {
        let own = self.about(work, root).find(|it| it.by == self.me);
        own.map(|it| it.holds)
    }

    /// Everything that was said by keys that count from the start.
    pub(crate) fn said_by_trusted(&self) -> Vec<Statement> {
        let trusted = self
            .standings
            .iter()
            .filter(|(_, it)| **it == Standing::Trusted);
        trusted.flat_map(|(key, _)| self.said_by(key)).collect()
    }

    /// Vouches for a stranger. Says whether it was one.
    pub(crate) fn vouch(&mut self, key: PeerId) -> bool {
        if self.standing(&key) != Standing::Stranger || !self.set(key, Standing::Vouched) {
            return false;
        }
        let said = self.by_signer.get(&key).map_or(0, BTreeMap::len);
        self.statements_of_strangers = self.statements_of_strangers.saturating_sub(said);
        true
    }

    /// Everything that a key said, for who begins to count it.
    pub(crate) fn said_by(&self, key: &PeerId) -> Vec<Statement> {
        let words = self
            .by_signer
            .get(key)
            .into_iter()
            .flat_map(BTreeMap::values);
        words.map(|word| word.payload).collect()
    }

    /// Catches a key, by what was seen here or by the words of others. All that follows from words is
    /// forgotten with it, and is to be ruled anew. Says whether that is so.
    pub(crate) fn convict(&mut self, key: PeerId, seen_here: bool) -> bool {
        let to = if seen_here {
            Standing::Caught
        } else {
            Standing::Accused
        };
        if key == self.me || self.standing(&key) >= to {
            return false;
        }
        self.is_wary = true;
        if !self.set(key, to) {
            return false;
        }
        self.standings
            .retain(|_, it| matches!(it, Standing::Trusted | Standing::Caught) || *it == to);
        true
    }

    /// What it adds up to, by piece.
    pub(crate) fn sums(&self) -> [u32; BUCKETS] {
        let mut sums = [0; BUCKETS];
        for word in self.words() {
            let it = &word.payload;
            if let Some(sum) = sums.get_mut(bucket(it.piece)) {
                let work = mixed(name(&it.of) ^ u64::from(it.piece) << 32);
                *sum ^= small(work.rotate_left(1) ^ name(&it.by) ^ u64::from(it.holds));
            }
        }
        sums
    }

    pub(crate) fn in_buckets(&self, wanted: u16) -> impl Iterator<Item = &Signed<Statement>> {
        self.words()
            .filter(move |word| is_wanted(wanted, word.payload.piece))
    }

    fn words(&self) -> impl Iterator<Item = &Signed<Statement>> {
        self.by_signer.values().flat_map(BTreeMap::values)
    }

    /// Keys cost nothing, and so anybody can have thousands caught: of too many one is forgotten.
    fn set(&mut self, key: PeerId, to: Standing) -> bool {
        if self.standings.len() >= KEYS_MAX && !self.standings.contains_key(&key) {
            let mut out = self.standings.iter().filter(|(_, it)| it.is_out());
            let Some(forgotten) = out.next().map(|(key, _)| *key) else {
                return false;
            };
            self.standings.remove(&forgotten);
        }
        self.standings.insert(key, to);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::payload::DeviceSignature;

    fn id(number: u32) -> PeerId {
        let mut name = [0; 32];
        name[..4].copy_from_slice(&number.to_le_bytes());
        PeerId::from(name)
    }

    fn statement(piece: PieceIndex, of: u32, by: u32) -> Signed<Statement> {
        Signed {
            payload: Statement {
                piece,
                root: Digest([1; 32]),
                of: id(of),
                holds: true,
                by: id(by),
            },
            signature: DeviceSignature([0; 64]),
        }
    }

    #[test]
    fn thousands_of_keys_that_are_caught_keep_nobody_from_being_vouched_for() {
        let mut belief = Belief::new(id(0), &BTreeSet::new());
        for liar in 1..=5_000 {
            assert!(belief.convict(id(liar), true));
        }
        assert!(belief.standings.len() <= KEYS_MAX);
        assert!(belief.vouch(id(9_999)));
        assert_eq!(belief.standing(&id(9_999)), Standing::Vouched);
        assert_eq!(belief.standing(&id(0)), Standing::Trusted);
    }

    #[test]
    fn what_strangers_state_is_remembered_up_to_a_limit() {
        let mut belief = Belief::new(id(0), &BTreeSet::new());
        for by in 1..=100 {
            for piece in 0..200 {
                belief.take(statement(piece, 0, by));
            }
        }
        assert_eq!(belief.words().count(), STATEMENTS_OF_STRANGERS_MAX);
        // One that counts finds room, up to its own limit.
        belief.vouch(id(500));
        for piece in 0..2_000 {
            belief.take(statement(piece, 0, 500));
        }
        assert_eq!(belief.said_by(&id(500)).len(), STATEMENTS_PER_KEY_MAX);
    }
}
