//! What is here and what is coming, and what follows from a wish. Nothing here waits, and time is an argument.

use super::duties::Facts;
use crate::kept::{PieceName, ShowError};
use quern_custody_rules::pay::period_at;
use quern_primitives::{
    custody::{HoldConsent, PieceEntry, Terms},
    ids::{AccountId, GenesisHash, Period},
    payload::DeviceKey,
};
use quern_protocol::keep::{Answer, Reason, Wish};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Pieces that are fetched at a time.
pub(super) const COMING_MAX: usize = 8;

/// A piece of which no masternode wants any more that it comes, for so long, is given up.
const WANTED_FOR: Duration = Duration::from_secs(600);

/// So long a piece stays that the chain does not say that this device holds: until then whoever had it taken can
/// have it signed for, and the chain told.
pub(super) const UNHELD_FOR: Duration = Duration::from_secs(3_600);

/// What the chain said longer ago is not gone by.
const FACTS_MAX: Duration = Duration::from_secs(300);

/// Behind the next period a consent is signed for none but this many: a look at the chain may be as old.
const PERIODS_AHEAD: Period = 1;

/// What is done about a wish.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing but to answer.
    Say(Answer),
    /// To say how much is here of a piece that is being fetched.
    Coming(PieceName),
    /// To fetch a piece, and say so.
    Fetch { name: PieceName, entry: PieceEntry },
    /// To show chunks of a piece.
    Show { name: PieceName, chunks: Vec<u32> },
    /// To erase a piece.
    Erase(PieceName),
}

/// A piece that is coming.
struct Coming {
    entry: PieceEntry,
    /// When a masternode last wanted it.
    wanted_at: Instant,
}

/// A piece that is here.
struct Here {
    /// What was told of it when it was taken; none if that cannot be read any more.
    entry: Option<PieceEntry>,
    bytes: u64,
    /// Whether it was found not to be what it was. It is shown to nobody and signed for no more, and goes when it is not
    /// held.
    is_damaged: bool,
    /// Since when the chain was not seen to say that it is held, nor it was signed for.
    unheld_since: Option<Instant>,
    /// When it was signed for last.
    signed_at: Option<Instant>,
}

impl Here {
    fn of(entry: Option<PieceEntry>, bytes: u64, unheld_since: Option<Instant>) -> Self {
        Self {
            entry,
            bytes,
            is_damaged: entry.is_none(),
            unheld_since,
            signed_at: None,
        }
    }

    fn was_signed_for(&self, now: Instant) -> bool {
        self.signed_at
            .is_some_and(|at| now.duration_since(at) < UNHELD_FOR)
    }
}

/// All pieces.
pub(super) struct Pieces {
    key: DeviceKey,
    genesis: GenesisHash,
    bytes_max: u64,
    here: BTreeMap<PieceName, Here>,
    coming: BTreeMap<PieceName, Coming>,
    /// On which terms a piece is to be signed for, as a masternode told last: as many as there are pieces here or coming.
    told: BTreeMap<PieceName, Terms>,
}

impl Pieces {
    /// These are here, with their bytes and what was told of them.
    pub(super) fn new(
        (key, genesis): (DeviceKey, GenesisHash),
        bytes_max: u64,
        kept: impl IntoIterator<Item = (PieceName, u64, Option<PieceEntry>)>,
    ) -> Self {
        let here = kept
            .into_iter()
            .map(|(name, bytes, entry)| (name, Here::of(entry, bytes, None)));
        Self {
            key,
            genesis,
            bytes_max,
            here: here.collect(),
            coming: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// Bytes that may still be kept.
    pub(super) fn room_bytes(&self) -> u64 {
        let here = self.here.values().map(|it| it.bytes);
        let coming = self.coming.values().map(|it| it.entry.bytes);
        let taken = here.chain(coming).fold(0u64, u64::saturating_add);
        self.bytes_max.saturating_sub(taken)
    }

    /// What follows from a wish.
    pub(super) fn decide(&mut self, wish: Wish, facts: Option<&Facts>, now: Instant) -> Decision {
        match wish {
            Wish::Room => Decision::Say(Answer::Room {
                bytes: self.room_bytes(),
            }),
            Wish::Take {
                contract,
                terms,
                entry,
            } => self.take((contract, entry.piece), terms, entry, now),
            Wish::Sign {
                contract,
                piece,
                account,
                since,
            } => Decision::Say(self.sign((contract, piece), (account, since), facts, now)),
            Wish::Prove {
                contract,
                piece,
                chunks,
            } => Decision::Show {
                name: (contract, piece),
                chunks,
            },
            Wish::Drop { contract, piece } => {
                let name = (contract, piece);
                // What the chain says is not known, or not yet: then it may hold it.
                let here = self.here.get(&name);
                let is_signed = here.is_some_and(|here| here.was_signed_for(now));
                let may_hold = fresh(facts, now).is_none_or(|facts| facts.held.contains(&name));
                match may_hold || is_signed {
                    true => Decision::Say(Answer::No(Reason::Held)),
                    false => Decision::Erase(name),
                }
            }
        }
    }

    fn take(&mut self, name: PieceName, terms: Terms, entry: PieceEntry, now: Instant) -> Decision {
        let no = |reason| Decision::Say(Answer::No(reason));
        if let Some(coming) = self.coming.get_mut(&name) {
            if coming.entry != entry {
                return no(Reason::NotSo);
            }
            coming.wanted_at = now;
            self.told.insert(name, terms);
            return Decision::Coming(name);
        }
        if let Some(here) = self.here.get(&name) {
            if here.is_damaged {
                return no(Reason::Damaged);
            }
            // Only what was held to the same root is the same piece.
            if here.entry != Some(entry) {
                return no(Reason::NotSo);
            }
            self.told.insert(name, terms);
            return Decision::Say(Answer::Has);
        }
        if self.room_bytes() < entry.bytes {
            return no(Reason::NoRoom);
        }
        if self.coming.len() >= COMING_MAX {
            return no(Reason::Busy);
        }
        self.told.insert(name, terms);
        let wanted_at = now;
        self.coming.insert(name, Coming { entry, wanted_at });
        Decision::Fetch { name, entry }
    }

    fn sign(
        &mut self,
        name: PieceName,
        (account, since): (AccountId, Period),
        facts: Option<&Facts>,
        now: Instant,
    ) -> Answer {
        let (Some(terms), Some(here)) = (self.told.get(&name), self.here.get_mut(&name)) else {
            return Answer::No(Reason::NotHere);
        };
        let Some(entry) = here.entry.filter(|_| !here.is_damaged) else {
            return Answer::No(Reason::Damaged);
        };
        let Some(facts) = fresh(facts, now) else {
            return Answer::No(Reason::Busy);
        };
        let next = period_at(terms, facts.clock).saturating_add(1);
        let is_near = (next..=next.saturating_add(PERIODS_AHEAD)).contains(&since);
        if facts.account.as_ref() != Some(&account) || !is_near {
            return Answer::No(Reason::NotSo);
        }
        // From now on the chain may say any time that it is held.
        here.signed_at = Some(now);
        here.unheld_since = Some(now);
        let consent = HoldConsent {
            contract: name.0,
            device: self.key.id(),
            account,
            since,
            entry,
            terms: *terms,
        };
        Answer::Signed(self.key.sign(consent, &self.genesis).signature)
    }

    /// Whether a piece is here.
    pub(super) fn is_here(&self, name: &PieceName) -> bool {
        self.here.contains_key(name)
    }

    /// A piece was found not to be what it was, or not to be there.
    pub(super) fn is_damaged(&mut self, name: &PieceName) {
        if let Some(here) = self.here.get_mut(name) {
            here.is_damaged = true;
        }
    }

    /// A piece is here now. Returns what is told of it, if it was still wanted.
    pub(super) fn arrived(&mut self, name: PieceName, now: Instant) -> Option<PieceEntry> {
        let Coming { entry, .. } = self.coming.remove(&name)?;
        let here = Here::of(Some(entry), entry.bytes, Some(now));
        self.here.insert(name, here);
        Some(entry)
    }

    /// A piece does not come.
    pub(super) fn failed(&mut self, name: &PieceName) {
        self.coming.remove(name);
        self.told.remove(name);
    }

    /// A piece is not here any more.
    pub(super) fn erased(&mut self, name: &PieceName) {
        self.here.remove(name);
        self.failed(name);
    }

    /// Pieces that nobody waits for any more.
    pub(super) fn given_up(&self, now: Instant) -> Vec<PieceName> {
        let is_given_up = |coming: &Coming| now.duration_since(coming.wanted_at) > WANTED_FOR;
        let coming = self.coming.iter().filter(|(_, it)| is_given_up(it));
        coming.map(|(name, _)| *name).collect()
    }

    /// Pieces that may go: the chain has not said for long enough that they are held. Where it says nothing, all stay.
    pub(super) fn not_held(&mut self, facts: Option<&Facts>, now: Instant) -> Vec<PieceName> {
        let Some(facts) = fresh(facts, now) else {
            return Vec::new();
        };
        let mut may_go = Vec::new();
        for (name, here) in &mut self.here {
            if facts.held.contains(name) {
                here.unheld_since = None;
            } else {
                let since = *here.unheld_since.get_or_insert(now);
                if now.duration_since(since) > UNHELD_FOR {
                    may_go.push(*name);
                }
            }
        }
        may_go
    }
}

/// What the chain said, if that is not too long ago.
fn fresh(facts: Option<&Facts>, now: Instant) -> Option<&Facts> {
    facts.filter(|facts| now.saturating_duration_since(facts.seen_at) <= FACTS_MAX)
}

/// What is said where a piece is not shown.
pub(super) fn reason_of(error: &ShowError) -> Reason {
    match error {
        ShowError::NotHere(_) => Reason::NotHere,
        ShowError::Damaged(_) => Reason::Damaged,
        ShowError::NoSuchChunks(_) => Reason::NotSo,
        ShowError::Disk(..) => Reason::Busy,
    }
}
