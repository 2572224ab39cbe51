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
    bytes: u64,
    /// Since when the chain was not seen to say that it is held.
    unheld_since: Option<Instant>,
}

/// All pieces.
pub(super) struct Pieces {
    key: DeviceKey,
    genesis: GenesisHash,
    bytes_max: u64,
    here: BTreeMap<PieceName, Here>,
    coming: BTreeMap<PieceName, Coming>,
    /// What is to be signed for a piece, as a masternode told it last: as many as there are pieces here or coming.
    told: BTreeMap<PieceName, (Terms, PieceEntry)>,
}

impl Pieces {
    /// These are here, with their bytes.
    pub(super) fn new(
        (key, genesis): (DeviceKey, GenesisHash),
        bytes_max: u64,
        kept: Vec<(PieceName, u64)>,
    ) -> Self {
        let here = kept.into_iter().map(|(name, bytes)| {
            let unheld_since = None;
            (
                name,
                Here {
                    bytes,
                    unheld_since,
                },
            )
        });
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
            } => Decision::Say(self.sign((contract, piece), account, since, facts)),
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
                // What the chain says is not known: then it may hold it.
                match facts.is_none_or(|facts| facts.held.contains(&name)) {
                    true => Decision::Say(Answer::No(Reason::Held)),
                    false => Decision::Erase(name),
                }
            }
        }
    }

    fn take(&mut self, name: PieceName, terms: Terms, entry: PieceEntry, now: Instant) -> Decision {
        let told = self.told.get(&name).map(|(_, entry)| *entry);
        let is_other = told.is_some_and(|told| told != entry);
        if let Some(coming) = self.coming.get_mut(&name) {
            if is_other {
                return Decision::Say(Answer::No(Reason::NotSo));
            }
            coming.wanted_at = now;
            self.told.insert(name, (terms, entry));
            return Decision::Coming(name);
        }
        if let Some(here) = self.here.get(&name) {
            if is_other || here.bytes != entry.bytes {
                return Decision::Say(Answer::No(Reason::NotSo));
            }
            self.told.insert(name, (terms, entry));
            return Decision::Say(Answer::Has);
        }
        if self.room_bytes() < entry.bytes {
            return Decision::Say(Answer::No(Reason::NoRoom));
        }
        if self.coming.len() >= COMING_MAX {
            return Decision::Say(Answer::No(Reason::Busy));
        }
        self.told.insert(name, (terms, entry));
        let wanted_at = now;
        self.coming.insert(name, Coming { entry, wanted_at });
        Decision::Fetch { name, entry }
    }

    fn sign(
        &self,
        name: PieceName,
        account: AccountId,
        since: Period,
        facts: Option<&Facts>,
    ) -> Answer {
        let told = self.told.get(&name);
        let Some((terms, entry)) = told.filter(|_| self.here.contains_key(&name)) else {
            return Answer::No(Reason::NotHere);
        };
        let Some(facts) = facts else {
            return Answer::No(Reason::Busy);
        };
        let next = period_at(terms, facts.clock).saturating_add(1);
        let is_near = (next..=next.saturating_add(PERIODS_AHEAD)).contains(&since);
        if facts.account.as_ref() != Some(&account) || !is_near {
            return Answer::No(Reason::NotSo);
        }
        let consent = HoldConsent {
            contract: name.0,
            device: self.key.id(),
            account,
            since,
            entry: *entry,
            terms: *terms,
        };
        Answer::Signed(self.key.sign(consent, &self.genesis).signature)
    }

    /// A piece is here now. Returns what is told of it, if it was still wanted.
    pub(super) fn arrived(&mut self, name: PieceName, now: Instant) -> Option<PieceEntry> {
        let Coming { entry, .. } = self.coming.remove(&name)?;
        let here = Here {
            bytes: entry.bytes,
            unheld_since: Some(now),
        };
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
        let Some(facts) = facts else {
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

/// What is said where a piece is not shown.
pub(super) fn reason_of(error: &ShowError) -> Reason {
    match error {
        ShowError::NotHere(_) => Reason::NotHere,
        ShowError::Damaged(_) => Reason::Damaged,
        ShowError::NoSuchChunks(_) => Reason::NotSo,
        ShowError::Disk(..) => Reason::Busy,
    }
}
