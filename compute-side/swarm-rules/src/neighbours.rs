//! Who is connected, what each has, and whom to connect to.

use crate::{
    bits::Bits,
    event::{Effect, Fault},
    limits::{
        ADDRESSES_MAX, ADDRESSES_PER_MESSAGE_MAX, ASKED_IN_VAIN_MAX, DIAL_AGAIN_MS,
        FETCHES_PER_NEIGHBOUR_MAX, NEIGHBOURS_MAX, OPENED, SLOTS_MAX,
    },
    message::{Hello, Message, PeerId},
    pieces::number,
    tick::Tick,
    weight::Draws,
};
use quern_primitives::Digest;
use quern_swarm_file::{PeerAddress, PieceIndex};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who is connected.
#[derive(Clone, Debug)]
pub(crate) struct Neighbour {
    pub(crate) hello: Option<Hello>,
    pub(crate) opened: bool,
    /// How many bitfields may come: the first, and those that were asked for.
    pub(crate) bitfields_due: u32,
    pub(crate) has: Bits,
    pub(crate) has_sum: u64,
    /// When it is asked again for what was lost.
    pub(crate) asking: Asking,
    /// From when on it is answered what it asks for again.
    pub(crate) resend_from: Tick,
    /// Pieces that are on their way from it.
    pub(crate) fetching: BTreeSet<PieceIndex>,
}

/// When somebody is asked again for what was lost. Two who do not count the same keys never know the same:
/// who was asked and brings nothing new is asked less and less often.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asking {
    from: Tick,
    /// How often in a row nothing new came of it.
    in_vain: u32,
}

impl Asking {
    pub(crate) fn has_brought(&mut self) {
        *self = Self::default();
    }

    /// Whether it can be asked now. If so it can be asked again after a while.
    pub(crate) fn asks(&mut self, now: Tick, pause_ms: u64) -> bool {
        if self.from > now {
            return false;
        }
        let fold = 1u64.checked_shl(self.in_vain).unwrap_or(u64::MAX);
        self.from = now.plus_ms(pause_ms.saturating_mul(fold));
        self.in_vain = self.in_vain.saturating_add(1).min(ASKED_IN_VAIN_MAX);
        true
    }
}

impl Neighbour {
    /// It has this piece.
    pub(crate) fn has_now(&mut self, piece: PieceIndex) {
        if self.has.insert(piece) {
            self.has_sum ^= number(piece);
        }
    }

    /// It does not have it after all.
    pub(crate) fn has_not(&mut self, piece: PieceIndex) {
        if self.has.remove(piece) {
            self.has_sum ^= number(piece);
        }
    }

    pub(crate) fn set_bits(&mut self, bits: Bits) {
        self.has_sum = bits.iter().map(number).fold(0, |sum, it| sum ^ it);
        self.has = bits;
        self.bitfields_due = self.bitfields_due.saturating_sub(1);
    }

    /// Whether a piece can be asked of it.
    pub(crate) fn can_give(&self, piece: PieceIndex) -> bool {
        self.fetching.len() < FETCHES_PER_NEIGHBOUR_MAX && self.has.has(piece)
    }

    /// Takes its hello.
    pub(crate) fn greet(&mut self, hello: Hello, task: &Digest) -> Result<(), Fault> {
        if hello.task != *task {
            return Err(Fault::OtherTask);
        }
        if self.hello.is_some() {
            return Err(Fault::HelloAgain);
        }
        if !(1..=SLOTS_MAX).contains(&hello.slots) {
            let slots = hello.slots;
            return Err(Fault::Slots { slots });
        }
        self.hello = Some(hello);
        Ok(())
    }
}

/// An address, and when it may be dialled.
#[derive(Clone, Debug)]
struct Known {
    address: PeerAddress,
    from: Tick,
    is_dialled: bool,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    me: PeerId,
    pieces: u32,
    all: BTreeMap<PeerId, Neighbour>,
    book: BTreeMap<PeerId, Known>,
    /// When there may be somebody to dial: looking for one goes through the whole book.
    dial_at: Option<Tick>,
    draws: Draws,
}

impl Neighbours {
    pub(crate) fn new(me: PeerId, pieces: u32, seed: u64) -> Self {
        Self {
            me,
            pieces,
            all: BTreeMap::new(),
            book: BTreeMap::new(),
            dial_at: None,
            draws: Draws::new(seed),
        }
    }

    pub(crate) fn get(&self, peer: &PeerId) -> Option<&Neighbour> {
        self.all.get(peer)
    }

    pub(crate) fn get_mut(&mut self, peer: &PeerId) -> Option<&mut Neighbour> {
        self.all.get_mut(peer)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PeerId, &Neighbour)> {
        self.all.iter()
    }

    /// Those that have said hello: whom anything is said to.
    pub(crate) fn greeted(&self) -> impl Iterator<Item = PeerId> {
        let greeted = self.all.iter().filter(|(_, it)| it.hello.is_some());
        greeted.map(|(peer, _)| *peer)
    }

    /// Whether somebody who is connected has a piece.
    pub(crate) fn anybody_has(&self, piece: PieceIndex) -> bool {
        self.all.values().any(|it| it.has.has(piece))
    }

    /// Somebody is connected. Of an equal connection that there is already nothing is kept.
    pub(crate) fn join(&mut self, peer: PeerId, opened: bool) -> Result<(), Fault> {
        if let Some(known) = self.book.get_mut(&peer) {
            known.is_dialled = false;
        }
        if self.all.len() >= NEIGHBOURS_MAX && !self.all.contains_key(&peer) {
            return Err(Fault::Full);
        }
        let neighbour = Neighbour {
            hello: None,
            opened,
            bitfields_due: 1,
            has: Bits::none(self.pieces),
            has_sum: 0,
            asking: Asking::default(),
            resend_from: Tick::default(),
            fetching: BTreeSet::new(),
        };
        self.all.insert(peer, neighbour);
        Ok(())
    }

    /// Somebody is not. Tells which pieces were on their way.
    pub(crate) fn leave(&mut self, now: Tick, peer: &PeerId) -> Option<Neighbour> {
        if let Some(known) = self.book.get_mut(peer) {
            known.is_dialled = false;
            // What has just ended may stand again soon.
            known.from = now.plus_ms(DIAL_AGAIN_MS / 10);
        }
        self.dial_at = Some(now);
        self.all.remove(peer)
    }

    /// An address was found or told.
    pub(crate) fn found(&mut self, address: PeerAddress) {
        let peer = PeerId::from(*address.peer());
        let is_known = self.book.contains_key(&peer);
        if peer == self.me || (self.book.len() >= ADDRESSES_MAX && !is_known) {
            return;
        }
        let fresh = Known {
            address: address.clone(),
            from: Tick::default(),
            is_dialled: false,
        };
        self.book.entry(peer).or_insert(fresh).address = address;
        if !is_known {
            self.dial_at = Some(Tick::default());
        }
    }

    /// Nobody was there.
    pub(crate) fn dial_failed(&mut self, now: Tick, peer: &PeerId) {
        if let Some(known) = self.book.get_mut(peer) {
            known.is_dialled = false;
            known.from = now.plus_ms(DIAL_AGAIN_MS);
        }
        self.dial_at = Some(now);
    }

    /// Forgets where somebody is.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.book.remove(peer);
    }

    /// Opens connections, until there are as many as there shall be, with some of those that are known at
    /// random.
    pub(crate) fn dial(&mut self, now: Tick, out: &mut Vec<Effect>) {
        if self.dial_at.is_none_or(|at| at > now) {
            return;
        }
        let opened = self.all.values().filter(|it| it.opened).count();
        let dialled = self.book.values().filter(|it| it.is_dialled).count();
        let open = NEIGHBOURS_MAX.saturating_sub(self.all.len());
        let lacking = OPENED
            .saturating_sub(opened.saturating_add(dialled))
            .min(open);
        self.dial_at = self.first_that_waits(now);
        for _ in 0..lacking {
            let candidates = self.book.iter().filter(|(peer, it)| {
                !it.is_dialled && it.from <= now && !self.all.contains_key(*peer)
            });
            let candidates: Vec<PeerId> = candidates.map(|(peer, _)| *peer).collect();
            let Some(peer) = self.draws.one_of(&candidates) else {
                return;
            };
            if let Some(known) = self.book.get_mut(peer) {
                known.is_dialled = true;
                out.push(Effect::Dial(known.address.clone()));
            }
        }
    }

    /// When to look again whom to dial.
    pub(crate) fn dial_at(&self) -> Option<Tick> {
        self.dial_at
    }

    /// When the first may be dialled who may not yet.
    fn first_that_waits(&self, now: Tick) -> Option<Tick> {
        let waiting = self
            .book
            .iter()
            .filter(|(peer, it)| !it.is_dialled && it.from > now && !self.all.contains_key(*peer));
        let first = waiting.map(|(_, it)| it.from).min();
        first.filter(|_| self.all.len() < NEIGHBOURS_MAX)
    }

    /// Gives up one connection that was opened, if there are others to open.
    pub(crate) fn replace_one(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let is_spare = |peer: &PeerId| !self.all.contains_key(peer);
        let has_others = self
            .book
            .iter()
            .any(|(peer, it)| it.from <= now && is_spare(peer));
        let opened = self.all.iter().filter(|(_, it)| it.opened);
        let opened: Vec<PeerId> = opened.map(|(peer, _)| *peer).collect();
        if !has_others || opened.len() < OPENED {
            return;
        }
        if let Some(peer) = self.draws.one_of(&opened) {
            out.push(Effect::Part(*peer));
        }
    }

    /// Addresses to tell.
    pub(crate) fn addresses(&mut self) -> Message {
        let start = self
            .draws
            .below(u64::try_from(self.book.len()).unwrap_or(0));
        let start = usize::try_from(start).unwrap_or(0);
        let known = self.book.values().cycle().skip(start).take(self.book.len());
        let told = known.take(ADDRESSES_PER_MESSAGE_MAX);
        Message::Peers(
            told.map(|it| it.address.as_str().as_bytes().to_vec())
                .collect(),
        )
    }

    pub(crate) fn book_len(&self) -> usize {
        self.book.len()
    }
}
