//! The machine: events in, effects out.

mod checking;
mod choosing;
mod comparing;
mod fetching;
mod hearing;
mod judging;
mod saying;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod working;

use crate::{
    belief::{Belief, Standing, Work},
    claims::Claims,
    event::{Effect, Event, Fault},
    keys::Keys,
    limits::{PEERS_MS, REPLACE_MS, SLOTS_MAX},
    message::{Made, PeerId, Statement},
    neighbours::Neighbours,
    pace::Pace,
    pieces::Pieces,
    tick::Tick,
    weight::{Draws, Weights},
};
use quern_primitives::{Digest, ids::GenesisHash, payload::Signed};
use quern_swarm_file::{Check, PieceIndex, ValidatedTaskFile};
use saying::Outbox;
use std::collections::{BTreeMap, BTreeSet};
use working::Working;

/// What the rules know of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The swarm's name.
    pub digest: Digest,
    /// How many pieces there are.
    pub pieces: u32,
    /// Bytes that a piece may have.
    pub piece_bytes_max: u32,
    /// Whether two results are the same only if their bytes are; else a command says it.
    pub is_exact: bool,
}

impl From<&ValidatedTaskFile> for Task {
    fn from(file: &ValidatedTaskFile) -> Self {
        Self {
            digest: file.digest(),
            pieces: file.file().pieces.get(),
            piece_bytes_max: file.file().piece_bytes_max.get(),
            is_exact: file.file().check == Check::Exact,
        }
    }
}

/// What a peer begins with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The task.
    pub task: Task,
    /// How many pieces it computes at a time: 1 to [`SLOTS_MAX`]. A peer with none fetches, checks nothing
    /// and vouches for whom it trusts.
    pub slots: u8,
    /// Keys whose pieces it takes without checking: machines of the same owner.
    pub trusted: BTreeSet<PeerId>,
    /// Greater than the number of every claim that this key ever made: milliseconds of a clock will do.
    pub first_number: u64,
    /// What it draws by: which pieces it checks. Nobody else must know it.
    pub seed: u64,
    /// What is on its disk, and is under its root.
    pub held: Vec<Signed<Made>>,
    /// What it found of others' pieces before: what [`Effect::Keep`] kept.
    pub said: Vec<Signed<Statement>>,
}

/// One peer of a swarm.
#[derive(Debug)]
pub struct Rules<K> {
    keys: K,
    me: PeerId,
    task: Task,
    /// The task's digest where the chain has its genesis.
    genesis: GenesisHash,
    slots: u8,
    weights: Weights,
    now: Tick,
    pieces: Pieces,
    claims: Claims,
    belief: Belief,
    neighbours: Neighbours,
    pace: Pace,
    draws: Draws,
    working: BTreeMap<PieceIndex, Working>,
    next_number: u64,
    /// Roots of what was computed here.
    mine: BTreeMap<PieceIndex, Digest>,
    /// What a check command is asked, and whether what came out is to be stored if they differ.
    comparing: BTreeMap<(PieceIndex, Digest), Made>,
    /// Works of which words differ: they are to be computed here.
    open: BTreeSet<Work>,
    /// Missing pieces in this peer's order, and by whom that goes.
    order: Vec<PieceIndex>,
    order_by: Option<BTreeSet<PeerId>>,
    fetching: BTreeMap<PieceIndex, (PeerId, Signed<Made>)>,
    /// Pieces of which something was heard in this step; none if all that are wanted are looked at.
    fetch_from: Option<Vec<PieceIndex>>,
    resting: BTreeMap<PieceIndex, Tick>,
    /// Milliseconds of work that it gave up for strangers since it last computed a piece to its end.
    given_up_ms: u64,
    /// Pieces that this peer computed because nobody had them, and because somebody had.
    computed: u64,
    checked: u64,
    is_merged: bool,
    /// Whether it computes nothing yet.
    is_holding: bool,
    /// When it looks for something to compute again.
    look_from: Tick,
    outbox: Outbox,
    compare_at: Tick,
    peers_at: Tick,
    replace_at: Tick,
}

impl<K: Keys> Rules<K> {
    /// A peer that has heard of nobody.
    pub fn new(keys: K, setup: Setup) -> Self {
        let task = setup.task;
        let me = keys.id();
        let mut rules = Self {
            keys,
            me,
            task,
            genesis: GenesisHash(task.digest.0),
            slots: setup.slots.min(SLOTS_MAX),
            weights: Weights::of(&task.digest, &me),
            now: Tick::default(),
            pieces: Pieces::new(task.pieces),
            claims: Claims::default(),
            belief: Belief::new(me, &setup.trusted),
            neighbours: Neighbours::new(me, task.pieces, setup.seed),
            pace: Pace::default(),
            draws: Draws::new(setup.seed ^ 0x7377_6172_6d21),
            working: BTreeMap::new(),
            next_number: setup.first_number,
            mine: BTreeMap::new(),
            comparing: BTreeMap::new(),
            open: BTreeSet::new(),
            order: Vec::new(),
            order_by: None,
            fetching: BTreeMap::new(),
            fetch_from: None,
            resting: BTreeMap::new(),
            given_up_ms: 0,
            computed: 0,
            checked: 0,
            is_merged: false,
            is_holding: false,
            look_from: Tick::default(),
            outbox: Outbox::default(),
            compare_at: Tick::default(),
            peers_at: Tick::default(),
            replace_at: Tick(REPLACE_MS),
        };
        rules.resume(&setup);
        rules
    }

    /// The same, but that it computes nothing until [`Event::Begin`]: a newcomer that listens first does
    /// not begin what others are at.
    #[must_use]
    pub fn holding(mut self) -> Self {
        self.is_holding = true;
        self
    }

    /// What follows from an event.
    pub fn step(&mut self, now: Tick, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now);
        let now = self.now;
        self.resting.retain(|_, until| *until > now);
        let mut out = Vec::new();
        self.take_in(event, &mut out);
        self.take_up_work(&mut out);
        self.fetch_all(&mut out);
        self.keep_time(&mut out);
        self.merge_if_done(&mut out);
        self.neighbours.dial(self.now, &mut out);
        self.say_all(&mut out);
        out
    }

    /// When to wake it if nothing happens before: always later than the last step.
    pub fn next_wakeup(&self) -> Option<Tick> {
        let is_alone = self.neighbours.greeted().next().is_none();
        let timers = [self.compare_at, self.peers_at, self.replace_at];
        let timers = timers.into_iter().filter(|_| !is_alone);
        let renewals = self.working.values().map(|it| it.renew_at);
        let look = self
            .is_idle()
            .then(|| self.now.plus_ms(self.pace.look_again_ms()));
        let dial = self.neighbours.dial_at();
        let all = timers.chain(renewals).chain(look).chain(dial);
        all.min().map(|at| at.max(self.now.plus_ms(1)))
    }

    /// Whether a piece is here, under this root: so it can be given to whoever asks.
    pub fn serves(&self, piece: PieceIndex, root: &Digest) -> bool {
        let piece = self.pieces.get(piece).filter(|it| it.is_stored);
        let held = piece.and_then(|it| it.held.as_ref());
        held.is_some_and(|it| it.payload.root == *root)
    }

    /// How a key stands: one that is out is not to be let in.
    pub fn standing(&self, key: &PeerId) -> Standing {
        self.belief.standing(key)
    }

    /// Whether it knows who made whatever some neighbour has: so it begins nothing that is done.
    pub fn has_caught_up(&self) -> bool {
        let knows = |piece: PieceIndex| self.pieces.made.has(piece);
        let mut neighbours = self.neighbours.iter().map(|(_, it)| it);
        neighbours.any(|it| it.hello.is_some() && it.bitfields_due == 0 && it.has.iter().all(knows))
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            stored: self
                .pieces
                .stored
                .iter()
                .fold(0, |count: u32, _| count.saturating_add(1)),
            pieces: self.task.pieces,
            computed: self.computed,
            checked: self.checked,
            neighbours: self.neighbours.greeted().count(),
            is_merged: self.is_merged,
        }
    }

    fn resume(&mut self, setup: &Setup) {
        for word in &setup.said {
            if word.payload.by == self.me {
                self.belief.take(*word);
            }
        }
        for word in &setup.held {
            if word.payload.by == self.me {
                self.mine.insert(word.payload.piece, word.payload.root);
            }
            if self.pieces.add(self.now, *word, &self.belief) {
                self.pieces.hold(*word, true);
            }
        }
        for statement in self.belief.said_by_trusted() {
            if statement.holds {
                self.mine.insert(statement.piece, statement.root);
            }
            let mut out = Vec::new();
            self.judge(statement, &mut out);
        }
    }

    fn take_in(&mut self, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Joined { peer, opened } => self.joined(peer, opened, out),
            Event::Left(peer) => self.left(&peer),
            Event::Found(address) => self.neighbours.found(address),
            Event::DialFailed(peer) => self.neighbours.dial_failed(self.now, &peer),
            Event::Said(peer, message) => {
                if let Err(fault) = self.hear(peer, message, out) {
                    out.push(Effect::Drop(peer, fault));
                }
            }
            Event::Garbled(peer, error) => out.push(Effect::Drop(peer, Fault::Message(error))),
            Event::Computed { piece, output } => self.computed(piece, output, out),
            Event::Compared { piece, root, same } => self.compared(piece, root, same, out),
            Event::Fetched { piece, from } => self.fetched(piece, from, out),
            Event::FetchFailed { piece, from, fault } => self.fetch_failed(piece, from, fault, out),
            Event::Stored { piece } => self.stored(piece),
            Event::Begin => {
                self.is_holding = false;
                self.look_from = self.now;
            }
            Event::Woke => {}
        }
    }

    fn keep_time(&mut self, out: &mut Vec<Effect>) {
        self.renew_claims();
        if self.compare_at <= self.now {
            self.compare_at = self.now.plus_ms(self.pace.compare_ms());
            self.compare_with_all(out);
        }
        if self.peers_at <= self.now {
            self.peers_at = self.now.plus_ms(PEERS_MS);
            self.tell_addresses(out);
        }
        if self.replace_at <= self.now {
            self.replace_at = self.now.plus_ms(REPLACE_MS);
            self.neighbours.replace_one(self.now, out);
        }
    }

    fn merge_if_done(&mut self, out: &mut Vec<Effect>) {
        if !self.is_merged && self.pieces.all_stored() && self.is_all_sure(out) {
            self.is_merged = true;
            out.push(Effect::Merge);
        }
    }
}

/// How far a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Pieces that are on its disk.
    pub stored: u32,
    /// Pieces of the task.
    pub pieces: u32,
    /// Pieces that it computed because nobody had them.
    pub computed: u64,
    /// Pieces that it computed because somebody had them.
    pub checked: u64,
    /// Neighbours that said hello.
    pub neighbours: usize,
    /// Whether all were there and vouched for.
    pub is_merged: bool,
}
