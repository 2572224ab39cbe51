//! A contract once more, told as plainly as it can be: each holding with all of its periods, each sum added up
//! anew whenever it is wanted.

use std::collections::{BTreeMap, BTreeSet};

/// Blocks in which a warning is remembered, and after which who was contained may be reviewed: a week.
const WEEK: u32 = 7 * 24 * 3_600 / 2;

/// A device and a piece.
pub(crate) type Key = (u8, u32);

#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    period: u32,
    opened: u32,
    due: u32,
    /// Parts that are not answered.
    missing: BTreeSet<u8>,
    by_owner: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Holding {
    price: u128,
    since: u32,
    until: Option<u32>,
    paid: BTreeSet<u32>,
    challenge: Option<Challenge>,
    proved_in: Option<u32>,
}

/// A contract over pieces of these bytes. Its terms are those of the tests, as numbers.
pub(crate) struct Model {
    pub(crate) now: u32,
    pub(crate) pieces: Vec<usize>,
    pub(crate) copies: usize,
    pub(crate) ends: u32,
    pub(crate) is_closed: bool,
    pub(crate) holdings: BTreeMap<Key, Holding>,
    /// When each device's challenges were opened and missed, since its last review.
    pub(crate) misses: BTreeMap<u8, Vec<(u32, u32)>>,
    pub(crate) deposited: u128,
    pub(crate) holders: BTreeMap<u8, u128>,
    /// What holders got of those who challenged them.
    pub(crate) comforts: BTreeMap<u8, u128>,
    pub(crate) network: u128,
    pub(crate) refunded: u128,
    /// What challenges brought or cost the owner and the member, above what they put up.
    pub(crate) owner: i128,
    pub(crate) member: i128,
    pub(crate) bonds: BTreeMap<u8, u128>,
    pub(crate) burnt: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Known,
    Warning,
    Containment,
    Penalty,
}

/// What a row of misses comes to: the last step, and whether the device is contained.
fn steps(misses: &[(u32, u32)]) -> (Step, bool) {
    let (mut warned, mut contained, mut step) = (None, None, Step::Known);
    for (opened, missed) in misses {
        if let Some(at) = warned
            && missed - at > WEEK
        {
            warned = None;
        }
        step = Step::Known;
        if let Some(at) = contained {
            if *opened > at {
                step = Step::Penalty;
            }
        } else if let Some(at) = warned {
            if *opened > at {
                (contained, step) = (Some(*missed), Step::Containment);
            }
        } else {
            (warned, step) = (Some(*missed), Step::Warning);
        }
    }
    (step, contained.is_some())
}

impl Model {
    pub(crate) fn new(pieces: &[usize], copies: usize, periods: u32, deposit: u128) -> Self {
        Self {
            now: 0,
            pieces: pieces.to_vec(),
            copies,
            ends: 1 + periods,
            is_closed: false,
            holdings: BTreeMap::new(),
            misses: BTreeMap::new(),
            deposited: deposit,
            holders: BTreeMap::new(),
            comforts: BTreeMap::new(),
            network: 0,
            refunded: 0,
            owner: 0,
            member: 0,
            bonds: BTreeMap::new(),
            burnt: 0,
        }
    }

    fn period(&self) -> u32 {
        self.now / 10
    }

    pub(crate) fn paid(&self) -> u128 {
        self.holders.values().sum()
    }

    pub(crate) fn held(&self) -> u128 {
        self.deposited - self.paid() - self.network - self.refunded
    }

    /// Period by period, what may still be paid of who holds something or did.
    pub(crate) fn reserved(&self) -> u128 {
        if self.is_closed {
            return 0;
        }
        let unpaid = |it: &Holding| {
            (it.since..it.until.unwrap_or(self.ends))
                .filter(|period| !it.paid.contains(period))
                .count() as u128
        };
        self.holdings.values().map(|it| it.price * unpaid(it)).sum()
    }

    pub(crate) fn running(&self) -> u128 {
        let running = self.holdings.values().filter(|it| it.until.is_none());
        running.map(|it| it.price).sum()
    }

    pub(crate) fn is_contained(&self, device: u8) -> bool {
        self.misses
            .get(&device)
            .is_some_and(|misses| steps(misses).1)
    }

    pub(crate) fn hold(&mut self, key: Key, is_true: bool) -> bool {
        let (device, piece) = key;
        let (since, bytes) = (self.period() + 1, self.pieces[piece as usize] as u128);
        let running = self
            .holdings
            .iter()
            .filter(|((_, other), holding)| *other == piece && holding.until.is_none());
        let price = 7_777_777 * bytes / (1024 * 1024 * 1024);
        if !is_true
            || since >= self.ends
            || self.is_contained(device)
            || self.holdings.contains_key(&key)
            || running.count() >= self.copies
            || price * u128::from(self.ends - since) > self.held() - self.reserved()
        {
            return false;
        }
        let holding = Holding {
            price,
            since,
            until: None,
            paid: BTreeSet::new(),
            challenge: None,
            proved_in: None,
        };
        self.holdings.insert(key, holding);
        true
    }

    pub(crate) fn release(&mut self, key: Key, is_entitled: bool) -> bool {
        let (period, ends) = (self.period(), self.ends);
        let Some(holding) = self.holdings.get_mut(&key) else {
            return false;
        };
        let may = is_entitled && holding.until.is_none() && period < ends;
        if may {
            holding.until = Some(ends.min(period + 3));
        }
        may
    }

    pub(crate) fn pay(&mut self, key: Key, period: u32) -> bool {
        let (now, ends) = (self.period(), self.ends);
        let Some(holding) = self.holdings.get_mut(&key) else {
            return false;
        };
        let is_held = period >= holding.since && period < holding.until.unwrap_or(ends);
        if !is_held || period > now || now - period >= 64 || !holding.paid.insert(period) {
            return false;
        }
        let pay = holding.price * 7 / 10;
        self.network += holding.price - pay;
        *self.holders.entry(key.0).or_default() += pay;
        true
    }

    /// The numbers of the parts that a piece is shown in.
    fn parts(&self, piece: u32) -> BTreeSet<u8> {
        let chunks = self.pieces[piece as usize].div_ceil(4_096).min(32);
        (0..chunks.div_ceil(8) as u8).collect()
    }

    pub(crate) fn challenge(&mut self, key: Key, by_owner: bool, is_entitled: bool) -> bool {
        let (now, period, ends) = (self.now, self.period(), self.ends);
        let missing = self.parts(key.1);
        let Some(holding) = self.holdings.get_mut(&key) else {
            return false;
        };
        let is_held = period >= holding.since && period < holding.until.unwrap_or(ends);
        let is_new = holding.challenge.is_none() && holding.proved_in != Some(period);
        if !is_entitled || !is_held || !is_new {
            return false;
        }
        holding.challenge = Some(Challenge {
            period,
            opened: now,
            due: now + 15,
            missing,
            by_owner,
        });
        true
    }

    pub(crate) fn answer(&mut self, key: Key, part: u8, is_right: bool) -> bool {
        let now = self.now;
        let Some(holding) = self.holdings.get_mut(&key) else {
            return false;
        };
        let Some(open) = &mut holding.challenge else {
            return false;
        };
        if !is_right || now > open.due || !open.missing.remove(&part) {
            return false;
        }
        if open.missing.is_empty() {
            let open = open.clone();
            (holding.challenge, holding.proved_in) = (None, Some(open.period));
            self.pay(key, open.period);
            *self.comforts.entry(key.0).or_default() += 50;
            *self.gain_of(open.by_owner) -= 50;
        }
        true
    }

    fn gain_of(&mut self, by_owner: bool) -> &mut i128 {
        match by_owner {
            true => &mut self.owner,
            false => &mut self.member,
        }
    }

    pub(crate) fn miss(&mut self, key: Key, bond: u128) -> Option<Step> {
        let (now, ends) = (self.now, self.ends);
        let holding = self.holdings.get_mut(&key)?;
        let open = holding.challenge.clone().filter(|open| now > open.due)?;
        holding.challenge = None;
        let last_paid = holding.paid.last().map_or(0, |last| last + 1);
        let until = holding.until.unwrap_or(ends);
        holding.until = Some(until.min(open.period.max(last_paid)));
        let misses = self.misses.entry(key.0).or_default();
        misses.push((open.opened, now));
        let (step, _) = steps(misses);
        if step == Step::Penalty {
            let left = self.bonds.entry(key.0).or_insert(bond);
            let slash = 1_001.min(*left);
            *left -= slash;
            self.burnt += slash - slash / 2;
            *self.gain_of(open.by_owner) += (slash / 2) as i128;
        }
        Some(step)
    }

    pub(crate) fn renew(&mut self, is_owner: bool, periods: u32, deposit: u128) -> bool {
        let (now, ends) = (self.period(), self.ends + periods);
        let free = self.held() + deposit - self.reserved();
        let more = self.running() * u128::from(periods);
        let may = is_owner
            && now < self.ends
            && periods + deposit as u32 > 0
            && ends - now <= 366 * 24
            && more <= free;
        if may {
            self.deposited += deposit;
            self.ends = ends;
        }
        may
    }

    pub(crate) fn end(&mut self, is_owner: bool) -> bool {
        let ends = self.period() + 3;
        let may = is_owner && ends < self.ends;
        if may {
            self.ends = ends;
        }
        may
    }

    pub(crate) fn close(&mut self) -> bool {
        let now = self.period();
        let is_empty = self.holdings.is_empty();
        let is_challenged = self.holdings.values().any(|it| it.challenge.is_some());
        let may = now >= self.ends && (is_empty || now >= self.ends + 63) && !is_challenged;
        if may {
            self.refunded += self.held();
            self.is_closed = true;
        }
        may
    }

    pub(crate) fn forget(&mut self, key: Key) -> bool {
        let now = self.period();
        let Some(holding) = self.holdings.get(&key) else {
            return false;
        };
        let until = holding.until.unwrap_or(self.ends);
        let is_paid = (holding.since..until).all(|period| holding.paid.contains(&period));
        let may = now >= until && holding.challenge.is_none() && (is_paid || now >= until + 63);
        if may {
            self.holdings.remove(&key);
        }
        may
    }

    pub(crate) fn review(&mut self, device: u8) -> bool {
        let last = self.misses.get(&device).and_then(|misses| misses.last());
        let is_due = last.is_some_and(|(_, missed)| self.now >= missed + WEEK);
        let may = is_due && self.is_contained(device);
        if may {
            self.misses.remove(&device);
        }
        may
    }
}
