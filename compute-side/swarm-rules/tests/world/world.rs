//! The simulator.

mod links;
mod sham;

use links::Links;
use quern_primitives::{Digest, payload::Signed};
use quern_swarm_file::PeerAddress;
use quern_swarm_rules::{
    Bytes, Effect, Event, FetchFault, Output, PeerId, Rules, Setup, Task, Tick, Why,
    message::{Made, Message, Statement},
};
pub(crate) use sham::Sham;
use std::collections::{BTreeMap, BTreeSet};

/// The time of a piece.
pub(crate) const ROUND_MS: u64 = 10_000;

pub(crate) const TASK: Digest = Digest([7; 32]);

/// What a peer does with what it computes, and with what it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// Everything that it makes, and everything that it says of others, is made up by itself.
    MakesUp,
    /// The same, but all of this kind make up the same, so that they praise each other.
    Conspires,
    /// It computes as it should, and makes up one piece in five.
    Seldom,
    /// It computes as it should, and accuses others of what it hears.
    Accuses,
}

/// How the world is.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) seed: u64,
    pub(crate) pieces: u32,
    pub(crate) manners: Vec<Manner>,
    pub(crate) hop_ms: u64,
    /// One message in so many is lost; none if it is zero.
    pub(crate) lost_one_in: u64,
    pub(crate) degree_max: usize,
    /// How many others each knows of from the start.
    pub(crate) known: usize,
    /// Whether all are of one owner, who trusts them.
    pub(crate) are_trusted: bool,
}

impl Terms {
    pub(crate) fn honest(seed: u64, pieces: u32, peers: usize) -> Self {
        Self {
            seed,
            pieces,
            manners: vec![Manner::Honest; peers],
            hop_ms: ROUND_MS / 20,
            lost_one_in: 10,
            degree_max: 30,
            known: peers,
            are_trusted: false,
        }
    }
}

/// A peer, with what outlasts its breaks.
pub(crate) struct Peer {
    pub(crate) manner: Manner,
    pub(crate) rules: Option<Rules<Sham>>,
    pub(crate) disk: BTreeMap<u32, Signed<Made>>,
    pub(crate) merged_at: Option<u64>,
    pub(crate) whole_at: Option<u64>,
    key: Sham,
    said: Vec<Signed<Statement>>,
    /// What is under way to the disk.
    storing: BTreeMap<u32, Signed<Made>>,
    /// What is computed: since when, why, and how it is named in what is to come.
    working: BTreeMap<u32, (u64, Why, u64)>,
    /// Changes with each break, so that what was to come does not.
    life: u64,
    up_since: u64,
    wakes_at: Option<u64>,
}

#[derive(Debug)]
enum Happening {
    Starts,
    Wakes,
    Happens(Event),
    /// A message over a link as it stood then.
    Says(usize, u64, Message),
    Ends(u32, u64),
    Dials(usize),
    Brings(Signed<Made>, usize),
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Milliseconds of honest peers on new pieces and on checks, those given up too.
    pub(crate) new_ms: u64,
    pub(crate) check_ms: u64,
    /// Checks that came to their end.
    pub(crate) checks: u64,
    /// What honest peers said, and how many words of others they passed on.
    pub(crate) messages: u64,
    pub(crate) words: u64,
    /// New pieces begun though somebody up had heard that they are there.
    pub(crate) begun_again: u64,
    pub(crate) discarded: u64,
    pub(crate) honest_dropped: u64,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) terms: Terms,
    pub(crate) peers: Vec<Peer>,
    pub(crate) counts: Counts,
    links: Links,
    by_id: BTreeMap<PeerId, usize>,
    ahead: BTreeMap<(u64, u64), (usize, u64, Happening)>,
    count: u64,
    draws: u64,
    /// Who heard, in which life, that a piece is on a disk, and when.
    told: BTreeMap<u32, Vec<(usize, u64, u64)>>,
}

impl World {
    pub(crate) fn new(terms: Terms) -> Self {
        let keys: Vec<Sham> = (0..terms.manners.len())
            .map(|at| Sham::new(terms.seed, at))
            .collect();
        let by_id = keys
            .iter()
            .enumerate()
            .map(|(at, key)| (key.id(), at))
            .collect();
        let peers = keys
            .into_iter()
            .zip(&terms.manners)
            .map(|(key, manner)| Peer {
                manner: *manner,
                rules: None,
                disk: BTreeMap::new(),
                merged_at: None,
                whole_at: None,
                key,
                said: vec![],
                storing: BTreeMap::new(),
                working: BTreeMap::new(),
                life: 0,
                up_since: 0,
                wakes_at: None,
            });
        let mut world = Self {
            now: 0,
            peers: peers.collect(),
            counts: Counts::default(),
            links: Links::default(),
            by_id,
            ahead: BTreeMap::new(),
            count: 0,
            draws: terms.seed,
            told: BTreeMap::new(),
            terms,
        };
        for at in 0..world.peers.len() {
            let starts = world.below(ROUND_MS / 20);
            world.later(starts, at, Happening::Starts);
        }
        world
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.draws;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it ^ (it >> 31)) % end.max(1)
    }

    fn later(&mut self, ms: u64, at: usize, happening: Happening) {
        self.count += 1;
        let life = self.peers[at].life;
        self.ahead
            .insert((self.now + ms, self.count), (at, life, happening));
    }

    /// What a piece is, if it is computed as it should be.
    pub(crate) fn right(piece: u32) -> Digest {
        let mut root = [1; 32];
        root[..4].copy_from_slice(&piece.to_le_bytes());
        Digest(root)
    }

    pub(crate) fn honest(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|it| it.manner == Manner::Honest)
    }

    /// Goes on until something is so, or a time is over. Says whether it is so.
    pub(crate) fn run(&mut self, until_ms: u64, is_done: impl Fn(&Self) -> bool) -> bool {
        while !is_done(self) {
            let Some(((time, _), (at, life, happening))) = self.ahead.pop_first() else {
                return false;
            };
            if time > until_ms {
                self.ahead.insert((time, 0), (at, life, happening));
                self.now = until_ms;
                return false;
            }
            self.now = time;
            if self.peers[at].life == life {
                self.happen(at, happening);
            }
        }
        true
    }

    pub(crate) fn kill(&mut self, at: usize) {
        self.spend_all(at);
        let peer = &mut self.peers[at];
        peer.rules = None;
        peer.life += 1;
        peer.wakes_at = None;
        peer.storing.clear();
        peer.working.clear();
        for other in self.links.cut_all(at) {
            let gone = Event::Left(self.peers[at].key.id());
            self.later(self.terms.hop_ms, other, Happening::Happens(gone));
        }
    }

    pub(crate) fn revive(&mut self, at: usize) {
        if self.peers[at].rules.is_none() {
            self.start(at);
        }
    }

    pub(crate) fn is_up(&self, at: usize) -> bool {
        self.peers[at].rules.is_some()
    }

    fn start(&mut self, at: usize) {
        let trusted = match self.terms.are_trusted {
            true => self.by_id.keys().copied().collect(),
            false => BTreeSet::new(),
        };
        let seed = self.below(u64::MAX);
        let peer = &mut self.peers[at];
        let setup = Setup {
            task: Task {
                digest: TASK,
                pieces: self.terms.pieces,
                piece_bytes_max: 1 << 20,
                is_exact: true,
            },
            slots: 1,
            trusted,
            first_number: self.now + 1,
            seed,
            held: peer.disk.values().copied().collect(),
            said: peer.said.clone(),
        };
        peer.rules = Some(Rules::new(peer.key.clone(), setup));
        peer.up_since = self.now;
        let known: Vec<usize> = match self.terms.known >= self.peers.len() {
            true => (0..self.peers.len()).collect(),
            false => {
                let all = self.peers.len() as u64;
                (0..self.terms.known)
                    .map(|_| self.below(all) as usize)
                    .collect()
            }
        };
        for other in known.into_iter().filter(|it| *it != at) {
            let address = self.peers[other].key.address();
            self.step(at, Event::Found(address));
        }
        self.step(at, Event::Woke);
    }

    fn happen(&mut self, at: usize, happening: Happening) {
        match happening {
            Happening::Starts => self.start(at),
            Happening::Wakes => {
                if self.peers[at].wakes_at == Some(self.now) {
                    self.peers[at].wakes_at = None;
                    self.step(at, Event::Woke);
                }
            }
            Happening::Happens(event) => {
                if let Event::Stored { piece } = event {
                    let Some(made) = self.peers[at].storing.remove(&piece) else {
                        return;
                    };
                    self.peers[at].disk.insert(piece, made);
                    if self.peers[at].disk.len() == self.terms.pieces as usize {
                        self.peers[at].whole_at.get_or_insert(self.now);
                    }
                }
                self.step(at, event);
            }
            Happening::Says(from, link, message) => {
                if self.links.between(from, at) == Some(link) {
                    self.is_told(at, from, message);
                }
            }
            Happening::Ends(piece, name) => {
                let working = self.peers[at].working.get(&piece).copied();
                if let Some((_, why, _)) = working.filter(|it| it.2 == name) {
                    self.spend(at, piece);
                    if why == Why::Check && self.peers[at].manner == Manner::Honest {
                        self.counts.checks += 1;
                    }
                    let root = self.made_by(at, piece);
                    let output = Some(Output { bytes: 1_000, root });
                    self.step(at, Event::Computed { piece, output });
                }
            }
            Happening::Dials(other) => self.dials(at, other),
            Happening::Brings(made, from) => {
                let piece = made.payload.piece;
                let has = self.peers[from].disk.get(&piece).map(|it| it.payload.root);
                let comes =
                    self.links.between(at, from).is_some() && has == Some(made.payload.root);
                let from = self.peers[from].key.id();
                let fault = FetchFault::Gone;
                self.step(
                    at,
                    match comes {
                        true => Event::Fetched { piece, from },
                        false => Event::FetchFailed { piece, from, fault },
                    },
                );
            }
        }
    }

    fn dials(&mut self, at: usize, other: usize) {
        let (id, other_id) = (self.peers[at].key.id(), self.peers[other].key.id());
        let is_full = |it| self.links.degree(it) >= self.terms.degree_max;
        let is_out = |it: usize, of: &PeerId| {
            self.peers[it]
                .rules
                .as_ref()
                .is_none_or(|rules| rules.standing(of).is_out())
        };
        let fails = is_full(at) || is_full(other) || is_out(at, &other_id) || is_out(other, &id);
        if fails || self.links.between(at, other).is_some() {
            self.step(at, Event::DialFailed(other_id));
            return;
        }
        self.links.open(at, other);
        self.step(
            at,
            Event::Joined {
                peer: other_id,
                opened: true,
            },
        );
        if self.links.between(at, other).is_some() {
            self.step(
                other,
                Event::Joined {
                    peer: id,
                    opened: false,
                },
            );
        }
    }

    fn is_told(&mut self, at: usize, from: usize, message: Message) {
        if let Message::Have(word) = &message {
            let heard = (at, self.peers[at].life, self.now);
            self.told.entry(word.payload.piece).or_default().push(heard);
            let accuses = self.peers[at].manner == Manner::Accuses && self.below(4) == 0;
            if accuses {
                self.accuse(at, &word.payload);
            }
        }
        let from = self.peers[from].key.id();
        self.step(at, Event::Said(from, message));
    }

    /// Signs that a piece of another does not hold, though it does.
    fn accuse(&mut self, at: usize, made: &Made) {
        let key = self.peers[at].key.clone();
        let owner = self.by_id[&made.by];
        if owner == at || self.peers[owner].manner != Manner::Honest {
            return;
        }
        let word = key.sign_word(Statement {
            piece: made.piece,
            root: made.root,
            of: made.by,
            holds: false,
            by: key.id(),
        });
        for to in self.links.of(at) {
            let id = self.peers[to].key.id();
            self.carry_out(at, Effect::Send(id, Message::Checked(word)));
        }
    }

    fn made_by(&mut self, at: usize, piece: u32) -> Digest {
        let Digest(mut root) = Self::right(piece);
        let made_up = match self.peers[at].manner {
            Manner::Honest | Manner::Accuses => 0,
            Manner::MakesUp => 100 + (at % 100) as u8,
            Manner::Conspires => 99,
            Manner::Seldom => u8::from(self.below(5) == 0) * (100 + (at % 100) as u8),
        };
        root[31] ^= made_up;
        Digest(root)
    }

    fn step(&mut self, at: usize, event: Event) {
        let now = Tick(self.now);
        let Some(rules) = self.peers[at].rules.as_mut() else {
            return;
        };
        let effects = rules.step(now, event);
        let wakeup = rules.next_wakeup();
        assert!(wakeup.is_none_or(|it| it > now), "it would never sleep");
        for effect in effects {
            self.carry_out(at, effect);
        }
        let wakes_at = self.peers[at].wakes_at;
        if let Some(wakeup) = wakeup.filter(|it| wakes_at.is_none_or(|at| it.0 < at)) {
            self.peers[at].wakes_at = Some(wakeup.0);
            self.later(wakeup.0 - self.now, at, Happening::Wakes);
        }
    }

    fn carry_out(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Store { made, bytes } => {
                let piece = made.payload.piece;
                match bytes {
                    Bytes::There => drop(self.peers[at].disk.insert(piece, made)),
                    _ => drop(self.peers[at].storing.insert(piece, made)),
                }
                self.later(1, at, Happening::Happens(Event::Stored { piece }));
            }
            Effect::Discard(piece) => {
                self.counts.discarded += 1;
                self.peers[at].disk.remove(&piece);
                self.peers[at].storing.remove(&piece);
            }
            Effect::Compute { piece, why } => self.begins(at, piece, why),
            Effect::Abandon(piece) => self.spend(at, piece),
            Effect::Compare { .. } => panic!("bytes decide here"),
            Effect::Keep(word) => self.peers[at].said.push(word),
            Effect::Fetch { made, from } => {
                let from = self.by_id[&from];
                let ms = 2 * self.terms.hop_ms + ROUND_MS / 50;
                self.later(ms, at, Happening::Brings(made, from));
            }
            Effect::Send(to, message) => {
                let to = self.by_id[&to];
                let is_honest = self.peers[at].manner == Manner::Honest;
                self.counts.messages += u64::from(is_honest);
                if let Message::Heard(words) = &message
                    && is_honest
                {
                    self.counts.words += words.len() as u64;
                }
                let is_first = matches!(message, Message::Hello(_) | Message::Bitfield(_));
                let lost_one_in = self.terms.lost_one_in;
                if lost_one_in > 0 && !is_first && self.below(lost_one_in) == 0 {
                    return;
                }
                if let Some(link) = self.links.between(at, to) {
                    let ms = self.terms.hop_ms;
                    self.later(ms, to, Happening::Says(at, link, message));
                }
            }
            Effect::Dial(address) => {
                let other = self.by_id[&PeerId::from(*address.peer())];
                self.later(self.terms.hop_ms, at, Happening::Dials(other));
            }
            Effect::Part(other) => self.cut(at, &other),
            Effect::Drop(other, fault) => {
                let both = [at, self.by_id[&other]].map(|it| self.peers[it].manner);
                if both == [Manner::Honest; 2] && fault != quern_swarm_rules::Fault::Full {
                    self.counts.honest_dropped += 1;
                }
                self.cut(at, &other);
            }
            Effect::Merge => drop(self.peers[at].merged_at.get_or_insert(self.now)),
        }
    }

    fn cut(&mut self, at: usize, other: &PeerId) {
        let (id, place) = (self.peers[at].key.id(), self.by_id[other]);
        if self.links.cut(at, place) {
            self.later(0, at, Happening::Happens(Event::Left(*other)));
            self.later(
                self.terms.hop_ms,
                place,
                Happening::Happens(Event::Left(id)),
            );
        }
    }

    fn begins(&mut self, at: usize, piece: u32, why: Why) {
        let manner = self.peers[at].manner;
        if why == Why::New && manner == Manner::Honest && self.was_told(at, piece) {
            self.counts.begun_again += 1;
        }
        let round = match manner {
            Manner::MakesUp | Manner::Conspires => ROUND_MS / 10,
            _ => ROUND_MS,
        };
        let ms = round - round / 50 + self.below(round / 25);
        self.count += 1;
        let name = self.count;
        self.peers[at].working.insert(piece, (self.now, why, name));
        self.later(ms, at, Happening::Ends(piece, name));
    }

    /// Whether somebody who is up was told that a piece is stored, long enough ago for all to have heard of
    /// it since.
    fn was_told(&self, at: usize, piece: u32) -> bool {
        let heard_ms = 6 * self.terms.hop_ms;
        let told = self.told.get(&piece).into_iter().flatten();
        let is_settled = |since: u64| self.now.saturating_sub(since) > heard_ms;
        told.filter(|(who, life, when)| {
            let is_here = self.is_up(*who) && self.peers[*who].life == *life;
            is_here && is_settled(*when) && (*who == at || is_settled(self.peers[at].up_since))
        })
        .any(|_| self.peers.iter().any(|it| it.disk.contains_key(&piece)))
    }

    fn spend(&mut self, at: usize, piece: u32) {
        if let Some((since, why, _)) = self.peers[at].working.remove(&piece)
            && self.peers[at].manner == Manner::Honest
        {
            let spent = match why {
                Why::New => &mut self.counts.new_ms,
                Why::Check => &mut self.counts.check_ms,
            };
            *spent += self.now - since;
        }
    }

    pub(crate) fn spend_all(&mut self, at: usize) {
        for piece in self.peers[at].working.keys().copied().collect::<Vec<_>>() {
            self.spend(at, piece);
        }
    }

    /// Work on new pieces, and on checks, in parts of what the task needs.
    pub(crate) fn work(&mut self) -> (f64, f64) {
        for at in 0..self.peers.len() {
            self.spend_all(at);
        }
        let need = f64::from(self.terms.pieces) * ROUND_MS as f64;
        (
            self.counts.new_ms as f64 / need,
            self.counts.check_ms as f64 / need,
        )
    }

    pub(crate) fn assert_output_right(&self) {
        for peer in self.honest().filter(|it| it.merged_at.is_some()) {
            for piece in 0..self.terms.pieces {
                let root = peer.disk.get(&piece).map(|it| it.payload.root);
                assert_eq!(root, Some(Self::right(piece)), "piece {piece} is garbage");
            }
        }
    }
}

pub(crate) fn address_of(key: &PeerId) -> PeerAddress {
    let mut name = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    name.extend(key.0);
    let name = bs58::encode(name).into_string();
    format!("/ip4/192.0.2.1/tcp/4001/p2p/{name}")
        .parse()
        .unwrap()
}
