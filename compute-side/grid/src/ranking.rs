//! All devices in the order of the last ranking, with what ranking and jobs ask about each.
//!
//! What is asked of every device at once is one small record each, and the records lie in the order of
//! the ranking: those that are ranked first, the others behind. A job's pools are found by walking
//! along them. The next ranking, which is much like the last, walks along them too, instead of
//! looking up a million devices all over memory; it leaves the new order in a second set of records,
//! and the two change places.
//!
//! The order is that of the last ranking; what is known of a device is always the latest.

use crate::{
    FaultRate, Flags, Score, Tick,
    needs::{Needs, Traits},
    rank::{self, Candidate},
};
use std::{collections::BTreeMap, mem};

/// A place in the ranking, from 0; ByteRank less one.
pub type Rank = u32;

/// What jobs ask about a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ranked {
    /// What it has.
    pub traits: Traits,
    /// Its capacity score.
    pub capacity: Score,
    /// How fast it computes, in fuel per millisecond.
    pub speed: u32,
}

/// What is known of one device.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    traits: Traits,
    capacity: Score,
    speed: u32,
    number: u32,
    /// Flags that do not pass with time.
    flags: Flags,
    faults: FaultRate,
    state: State,
}

const _: () = assert!(size_of::<Record>() == 24);

/// Yes or no to three questions.
#[derive(Clone, Copy, Debug, Default)]
struct State(u8);

impl State {
    /// There is a device of this number.
    const PRESENT: u8 = 1;
    /// The last ranking ranked it.
    const RANKED: u8 = 2;
    /// The lottery lifts it.
    const LIFTED: u8 = 4;

    fn is(self, state: u8) -> bool {
        self.0 & state != 0
    }

    fn set(&mut self, state: u8, is: bool) {
        self.0 = self.0 & !state | if is { state } else { 0 };
    }
}

/// Devices in the order of the last ranking.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    /// Ranked devices in rank order, then all others.
    records: Vec<Record>,
    /// Memory for the next order.
    spare: Vec<Record>,
    /// Where each device's record is, by the device's number.
    slots: Vec<u32>,
    ranked: u32,
    /// Until when each waits that has to after faults in a row.
    waits: BTreeMap<u32, Tick>,
}

impl Ranking {
    /// Devices 0, 1, 2, ... ranked in this order.
    pub fn new(devices: impl IntoIterator<Item = Ranked>) -> Self {
        let mut ranking = Self::default();
        for (number, device) in (0..).zip(devices) {
            ranking.grow();
            ranking.set_traits(number, device.traits);
            ranking.set(number, device.capacity, device.speed, Flags::NONE);
            ranking.ranked += 1;
        }
        for record in &mut ranking.records {
            record.state.set(State::RANKED, true);
        }
        ranking
    }

    /// Devices ranked.
    pub fn len(&self) -> u32 {
        self.ranked
    }

    /// Whether nobody is ranked.
    pub fn is_empty(&self) -> bool {
        self.ranked == 0
    }

    /// The ranked devices by number, best first.
    pub fn devices(&self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator + '_ {
        self.ranked().iter().map(|record| record.number)
    }

    /// Those of them that are trusted, by number, best first.
    pub fn trusted(&self) -> impl Iterator<Item = u32> + '_ {
        let is_trusted = |record: &&Record| record.traits.is_trusted();
        let trusted = self.ranked().iter().filter(is_trusted);
        trusted.map(|record| record.number)
    }

    /// What jobs ask about the ranked devices, best first. A device that was forgotten since has
    /// nothing any more.
    pub(crate) fn asked(&self) -> impl DoubleEndedIterator<Item = Ranked> + ExactSizeIterator + '_ {
        self.ranked().iter().map(Record::asked)
    }

    /// The fault rates of the ranked devices that meet a job's needs, best device first.
    pub fn rates<'a>(&'a self, needs: &'a Needs) -> impl Iterator<Item = FaultRate> + 'a {
        let suit = move |record: &&Record| needs.are_met_by(record.traits);
        self.ranked().iter().filter(suit).map(|it| it.faults)
    }

    /// All devices by number from this position on: the ranked ones, best first, then the others. A
    /// position stays until the next ranking; that of a device that is forgotten is passed over.
    pub fn listed(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let listed = self.records.get(first as usize..).unwrap_or_default();
        let is_present = |record: &&Record| record.state.is(State::PRESENT);
        listed.iter().filter(is_present).map(|it| it.number)
    }

    /// A device's position among all, from 0.
    pub fn position_of(&self, number: u32) -> Option<u32> {
        self.slots.get(number as usize).copied()
    }

    fn ranked(&self) -> &[Record] {
        self.records.get(..self.ranked as usize).unwrap_or_default()
    }

    /// One device more, at the end.
    pub(crate) fn grow(&mut self) {
        let number = self.slots.len() as u32;
        self.slots.push(self.records.len() as u32);
        self.records.push(Record::new(number, State::PRESENT));
    }

    /// A device is gone.
    pub(crate) fn clear(&mut self, number: u32) {
        self.waits.remove(&number);
        self.change(number, |record| *record = Record::new(number, 0));
    }

    /// A number is used again.
    pub(crate) fn reuse(&mut self, number: u32) {
        self.change(number, |record| {
            *record = Record::new(number, State::PRESENT)
        });
    }

    pub(crate) fn set_traits(&mut self, number: u32, traits: Traits) {
        self.change(number, |record| record.traits = traits);
    }

    pub(crate) fn set_faults(&mut self, number: u32, faults: FaultRate, waits: Option<Tick>) {
        self.change(number, |record| record.faults = faults);
        match waits {
            Some(until) => drop(self.waits.insert(number, until)),
            None => drop(self.waits.remove(&number)),
        }
    }

    pub(crate) fn set_lifted(&mut self, number: u32, is_lifted: bool) {
        self.change(number, |record| record.state.set(State::LIFTED, is_lifted));
    }

    pub(crate) fn set(&mut self, number: u32, capacity: Score, speed: u32, flags: Flags) {
        self.change(number, |record| {
            (record.capacity, record.speed, record.flags) = (capacity, speed, flags);
        });
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut Record)) {
        let slot = self.slots.get(number as usize);
        if let Some(record) = slot.and_then(|slot| self.records.get_mut(*slot as usize)) {
            change(record);
        }
    }

    fn get(&self, number: u32) -> Option<&Record> {
        let slot = self.slots.get(number as usize)?;
        self.records.get(*slot as usize)
    }

    /// Flags that do not pass with time.
    pub(crate) fn flags(&self, number: u32) -> Flags {
        self.get(number).map_or(Flags::NONE, |record| record.flags)
    }

    /// Whether a device waits after faults in a row.
    pub(crate) fn waits(&self, number: u32, now: Tick) -> bool {
        self.waits.get(&number).is_some_and(|until| now < *until)
    }

    /// Whether the lottery lifts a device.
    pub(crate) fn is_lifted(&self, number: u32) -> bool {
        self.get(number)
            .is_some_and(|record| record.state.is(State::LIFTED))
    }

    /// What jobs ask about a device.
    pub(crate) fn asked_of(&self, number: u32) -> Ranked {
        self.get(number).map(Record::asked).unwrap_or_default()
    }

    /// Where a device stands.
    pub(crate) fn rank_of(&self, number: u32) -> Option<Rank> {
        let slot = *self.slots.get(number as usize)?;
        let record = self.records.get(slot as usize)?;
        record.state.is(State::RANKED).then_some(slot)
    }

    /// Ranks all devices that have no flag. `id` gives what devices of one score are ordered by,
    /// ascending; those that the lottery lifts stand so many places higher.
    pub(crate) fn rank<K: Ord>(&mut self, now: Tick, id: impl Fn(u32) -> K, lift: u32) {
        let Self {
            records,
            spare,
            slots,
            ranked,
            waits,
        } = self;
        for record in records.iter_mut() {
            let waits_on = || waits.get(&record.number).is_some_and(|until| now < *until);
            // Without a fault lately, no device waits.
            let is_ranked = record.state.is(State::PRESENT)
                && record.flags.is_empty()
                && (record.faults == FaultRate::default() || !waits_on());
            record.state.set(State::RANKED, is_ranked);
        }
        let is_ranked = |record: &Record| record.state.is(State::RANKED);
        let candidates = (0..).zip(&*records).filter(|(_, it)| is_ranked(it));
        let order = rank::rank(
            candidates.map(|(slot, record)| Candidate {
                device: slot,
                score: record.capacity,
                faults: record.faults,
            }),
            |slot| id(records[slot as usize].number),
            |slot| records[slot as usize].state.is(State::LIFTED),
            lift,
        );
        spare.clear();
        spare.reserve_exact(records.len());
        spare.extend(order.iter().map(|slot| records[*slot as usize]));
        spare.extend(records.iter().filter(|it| !is_ranked(it)));
        for (slot, record) in (0..).zip(&*spare) {
            slots[record.number as usize] = slot;
        }
        *ranked = order.len() as u32;
        mem::swap(records, spare);
    }
}

impl Record {
    fn new(number: u32, state: u8) -> Self {
        Self {
            number,
            state: State(state),
            ..Self::default()
        }
    }

    fn asked(&self) -> Ranked {
        Ranked {
            traits: self.traits,
            capacity: self.capacity,
            speed: self.speed,
        }
    }
}
