//! All devices in the order of the last ranking, with what ranking and jobs ask about each.
//!
//! What is asked of every device at once is one small record each, and the records lie in the order of
//! the ranking: those that are ranked first, the others behind. A job's pools are found by walking
//! along them. The next ranking, which is much like the last, walks along them too, instead of
//! looking up a million devices all over memory; it leaves the new order in a second set of records,
//! and the two change places.
//!
//! Until the new records are written, their memory is where the order is worked out: a ranking takes
//! no other. A device has it from its coming on, so the first ranking need not ask for it either.
//!
//! The order is that of the last ranking; what is known of a device is always the latest.

use crate::{
    FaultRate, Faults, Flags, Score, Tick, faults,
    needs::{Needs, Traits},
    pools::Speeds,
    rank::{self, Candidate, Candidates},
};
use std::{collections::BTreeMap, hint::black_box, mem, ops::Range};

/// A place in the ranking, from 0; ByteRank less one.
pub type Rank = u32;

/// What a device is able to, as far as jobs go by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// What it has.
    pub traits: Traits,
    /// Its capacity score.
    pub capacity: Score,
    /// How fast it computes, in fuel per millisecond.
    pub speed: u32,
}

/// What is known of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Record {
    traits: Traits,
    capacity: Score,
    speed: u32,
    number: u32,
    /// Flags that do not pass with time.
    flags: Flags,
    faults: FaultRate,
    /// Of its last tasks, those with any fault.
    faulty_tasks: u8,
    state: State,
}

/// Words that a record is packed into.
const WORDS: usize = 3;

/// A record as it lies in memory: what the device has; its score and its speed; its number, its flags,
/// its fault rate, its faulty tasks and its state.
type Packed = [u64; WORDS];

/// Bits of a packed record that hold its state.
const STATE_BITS: u32 = 5;

/// Bits that hold its faulty tasks, above these.
const TASKS_BITS: u32 = 5;

/// Bits that hold its fault rate, above these. The flags have the 16 above them.
const RATE_BITS: u32 = 6;

const _: () = assert!(
    STATE_BITS + TASKS_BITS + RATE_BITS == 16
        && faults::WINDOW < 1 << TASKS_BITS
        && (FaultRate::WHOLE as u32) < 1 << RATE_BITS
);

/// Yes or no to four questions, in its lowest bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State(u8);

impl State {
    /// There is a device of this number.
    const PRESENT: u8 = 1;
    /// At the last ranking there was none, or another one.
    const NEW: u8 = 2;
    /// The lottery lifts it.
    const LIFTED: u8 = 4;
    /// It has to wait after faults in a row, or had to until a while ago.
    const WAITS: u8 = 8;

    fn is(self, state: u8) -> bool {
        self.0 & state != 0
    }

    fn set(&mut self, state: u8, is: bool) {
        self.0 = self.0 & !state | if is { state } else { 0 };
    }
}

/// How far ahead records are read while they are put in a new order that is like the old one: so many
/// that most of those wanted next have come, and few enough for the processor to keep.
const AHEAD: usize = 32_768;

/// Words that memory gives at once.
const LINE: usize = 8;

/// Records that are put in order at a time.
const AT_A_TIME: usize = 1_024;

/// Devices in the order of the last ranking.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    /// Ranked devices in rank order, then all others.
    records: Vec<Packed>,
    /// As many for the next order.
    spare: Vec<Packed>,
    /// Where each device's record is, by the device's number.
    slots: Vec<u32>,
    ranked: u32,
    /// The median of the capacity scores of those that were ranked last.
    median: Score,
    /// The speeds of all devices.
    speeds: Speeds,
    /// The speed that nine in ten of those exceed that were ranked last.
    speed_of_the_slow: u32,
    /// The ranks of those that were trusted at the last ranking.
    trusted: Vec<Rank>,
    /// Until when each waits that has to after faults in a row.
    waits: BTreeMap<u32, Tick>,
}

impl Ranking {
    /// Devices 0, 1, 2, ... ranked in this order.
    pub fn new(devices: impl IntoIterator<Item = Abilities>) -> Self {
        let mut ranking = Self::default();
        for (number, device) in (0..).zip(devices) {
            ranking.grow();
            ranking.set_traits(number, device.traits);
            ranking.set(number, device.capacity, device.speed, Flags::NONE);
            ranking.ranked += 1;
        }
        let mut scores: Vec<Score> = ranking.abilities().map(|it| it.capacity).collect();
        scores.sort_unstable();
        let middle = scores.len().saturating_sub(1) / 2;
        ranking.median = scores.get(middle).copied().unwrap_or_default();
        let is_trusted = |(_, packed): &(Rank, &Packed)| Record::unpack(packed).traits.is_trusted();
        let trusted = (0..).zip(&ranking.records).filter(is_trusted);
        ranking.trusted = trusted.map(|(rank, _)| rank).collect();
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
        let number = |packed: &Packed| Record::unpack(packed).number;
        self.ranked().iter().map(number)
    }

    /// Those of them that were trusted at the last ranking and are yet, by number, best first.
    pub fn trusted(&self) -> impl Iterator<Item = u32> + '_ {
        let record = |rank: &Rank| self.records.get(*rank as usize).map(Record::unpack);
        let is_yet = |it: &Record| it.traits.is_trusted() && !it.state.is(State::NEW);
        let trusted = self.trusted.iter().filter_map(record).filter(is_yet);
        trusted.map(|record| record.number)
    }

    /// What the ranked devices are able to, best first. A device that was forgotten since has nothing
    /// any more.
    pub(crate) fn abilities(
        &self,
    ) -> impl DoubleEndedIterator<Item = Abilities> + ExactSizeIterator + '_ {
        let abilities = |packed: &Packed| Record::unpack(packed).abilities();
        self.ranked().iter().map(abilities)
    }

    /// Every so many devices of these ranks one, by number and with what it is able to, best first.
    pub(crate) fn every(
        &self,
        step: usize,
        ranks: Range<usize>,
    ) -> impl Iterator<Item = (u32, Abilities)> + '_ {
        let ranked = self.ranked().get(ranks).unwrap_or_default();
        let records = ranked.iter().step_by(step.max(1)).map(Record::unpack);
        records.map(|record| (record.number, record.abilities()))
    }

    /// The median of the capacity scores of the ranked devices, as they were at the last ranking; of an
    /// even number the lower of the two in the middle. Zero if none was ranked.
    pub fn median(&self) -> Score {
        self.median
    }

    /// The speed that nine in ten of the ranked devices exceeded at the last ranking, of those whose speed was
    /// known; in fuel per millisecond and to 13 %. 0 if none was known.
    pub(crate) fn speed_of_the_slow(&self) -> u32 {
        self.speed_of_the_slow
    }

    /// Of each ranked device that meets a job's needs, best device first, how many of its last
    /// [`faults::WINDOW`] tasks had any fault.
    pub fn faulty_tasks<'a>(&'a self, needs: &'a Needs) -> impl Iterator<Item = u8> + 'a {
        let suit = move |record: &Record| needs.are_met_by(record.traits);
        let suitable = self.ranked().iter().map(Record::unpack).filter(suit);
        suitable.map(|record| record.faulty_tasks)
    }

    /// All devices by number from this position on: the ranked ones, best first, then the others. A
    /// position stays until the next ranking; that of a device that is forgotten is passed over.
    pub fn listed(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let listed = self.records.get(first as usize..).unwrap_or_default();
        let is_present = |record: &Record| record.state.is(State::PRESENT);
        let present = listed.iter().map(Record::unpack).filter(is_present);
        present.map(|record| record.number)
    }

    /// A device's position among all, from 0.
    pub fn position_of(&self, number: u32) -> Option<u32> {
        self.slots.get(number as usize).copied()
    }

    fn ranked(&self) -> &[Packed] {
        self.records.get(..self.ranked as usize).unwrap_or_default()
    }

    /// One device more, at the end.
    pub(crate) fn grow(&mut self) {
        let number = self.slots.len() as u32;
        self.slots.push(self.records.len() as u32);
        let record = Record::new(number, State::PRESENT);
        self.speeds.add(record.speed);
        self.records.push(record.pack());
        self.spare.push(Packed::default());
    }

    /// A device is gone.
    pub(crate) fn clear(&mut self, number: u32) {
        self.waits.remove(&number);
        self.change(number, |record| *record = Record::new(number, 0));
    }

    /// A number is used again.
    pub(crate) fn reuse(&mut self, number: u32) {
        self.change(number, |record| {
            *record = Record::new(number, State::PRESENT | State::NEW);
        });
    }

    pub(crate) fn set_traits(&mut self, number: u32, traits: Traits) {
        self.change(number, |record| record.traits = traits);
    }

    pub(crate) fn set_faults(&mut self, number: u32, now: Tick, faults: &Faults) {
        let waits = faults.waits_until(now);
        self.change(number, |record| {
            record.faults = faults.rate();
            record.faulty_tasks = faults.faulty_tasks() as u8;
            record.state.set(State::WAITS, waits.is_some());
        });
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
        if let Some(packed) = slot.and_then(|slot| self.records.get_mut(*slot as usize)) {
            let mut record = Record::unpack(packed);
            let speed = record.speed;
            change(&mut record);
            *packed = record.pack();
            if record.speed != speed {
                self.speeds.remove(speed);
                self.speeds.add(record.speed);
            }
        }
    }

    fn get(&self, number: u32) -> Option<Record> {
        let slot = self.slots.get(number as usize)?;
        self.records.get(*slot as usize).map(Record::unpack)
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

    /// What a device is able to.
    pub(crate) fn abilities_of(&self, number: u32) -> Abilities {
        self.get(number)
            .map(|record| record.abilities())
            .unwrap_or_default()
    }

    /// Where a device stands.
    pub(crate) fn rank_of(&self, number: u32) -> Option<Rank> {
        let slot = *self.slots.get(number as usize)?;
        let state = Record::unpack(self.ranked().get(slot as usize)?).state;
        (state.is(State::PRESENT) && !state.is(State::NEW)).then_some(slot)
    }

    /// Ranks all devices that have no flag. `id` gives what devices of one score are ordered by,
    /// ascending; those that the lottery lifts stand so many places higher.
    pub(crate) fn rank<K: Ord>(&mut self, now: Tick, id: impl Fn(u32) -> K, lift: u32) {
        let Self {
            records,
            spare,
            waits,
            ..
        } = self;
        let count = records.len();
        let (words, rooms) = spare.as_flattened_mut().split_at_mut(count);
        let (room, order) = rooms.split_at_mut(count);
        let mut candidates = Candidates::new(words);
        // Those that are not ranked stand at the end. Most are: of the others there is less to count.
        let (mut others, mut idle, mut trusted) = (count, Speeds::default(), 0);
        for (slot, packed) in (0..).zip(records.iter_mut()) {
            let mut record = Record::unpack(packed);
            if record.state.is(State::NEW) {
                record.state.set(State::NEW, false);
                *packed = record.pack();
            }
            let waits = |number| waits.get(number).is_some_and(|until| now < *until);
            let is_ranked = record.state.is(State::PRESENT)
                && record.flags.is_empty()
                && !(record.state.is(State::WAITS) && waits(&record.number));
            let candidate = Candidate {
                device: slot,
                score: record.capacity,
                faults: record.faults,
                is_lifted: record.state.is(State::LIFTED),
            };
            if is_ranked {
                candidates.push(&candidate);
                trusted += usize::from(record.traits.is_trusted());
            } else {
                idle.add(record.speed);
                others -= 1;
                order[others] = candidate.entry();
            }
        }
        // In the order in which they stood.
        order[others..].reverse();
        // Most stand near where they stood, unless there was no order before.
        let is_much_like_the_last = self.ranked > 0;
        self.ranked = candidates.len() as u32;
        self.median = candidates.rank(
            order,
            room,
            |slot| id(Record::unpack(&records[slot as usize]).number),
            lift,
        );
        let mut speeds = self.speeds.clone();
        speeds.subtract(&idle);
        self.speed_of_the_slow = speeds.exceeded_by_nine_in_ten();
        self.reorder(is_much_like_the_last, trusted);
    }

    /// Puts the records in the order that stands in the last third of the spare memory, so many of them
    /// ranked and trusted. They are written from the front on, three words each, where one word each is
    /// read: up to the last one that is read before it is written over.
    fn reorder(&mut self, is_much_like_the_last: bool, trusted: usize) {
        let Self { records, spare, .. } = self;
        let count = records.len();
        let words = spare.as_flattened_mut();
        for begin in (0..count).step_by(AT_A_TIME) {
            let end = count.min(begin + AT_A_TIME);
            if is_much_like_the_last {
                // In this order memory gives them sooner than in that of the ranking.
                let ahead = records.as_flattened().iter().skip(WORDS * (begin + AHEAD));
                let ahead = ahead.take(WORDS * AT_A_TIME).step_by(LINE);
                black_box(ahead.fold(0, |all, word| all ^ word));
            }
            let mut slots = [0; AT_A_TIME];
            let order = &words[(WORDS - 1) * count..];
            for (slot, packed) in slots.iter_mut().zip(&order[begin..end]) {
                *slot = rank::device_of(*packed);
            }
            let places = words[WORDS * begin..WORDS * end].chunks_exact_mut(WORDS);
            for (place, slot) in places.zip(slots) {
                place.copy_from_slice(&records[slot as usize]);
            }
        }
        mem::swap(records, spare);
        // Apart from the above, for then it is known early what is written where. Each rank is noted, and the
        // next one over it unless it was that of a trusted device: who is trusted nobody can guess.
        let (ranked, others) = self.records.split_at(self.ranked as usize);
        // The last place is for whoever comes behind the last of them.
        self.trusted.resize(trusted + 1, 0);
        let mut trusted = 0;
        for (slot, packed) in (0..).zip(ranked) {
            let record = Record::unpack(packed);
            self.slots[record.number as usize] = slot;
            self.trusted[trusted] = slot;
            trusted += usize::from(record.traits.is_trusted());
        }
        for (slot, packed) in (self.ranked..).zip(others) {
            self.slots[Record::unpack(packed).number as usize] = slot;
        }
        self.trusted.truncate(trusted);
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

    #[inline]
    fn pack(&self) -> Packed {
        [
            self.traits.0,
            u64::from(self.capacity.millionths()) << 32 | u64::from(self.speed),
            u64::from(self.number) << 32
                | u64::from(self.flags.0) << 16
                | u64::from(self.faults.sixtieths()) << (STATE_BITS + TASKS_BITS)
                | u64::from(self.faulty_tasks) << STATE_BITS
                | u64::from(self.state.0),
        ]
    }

    #[inline]
    fn unpack([traits, speeds, rest]: &Packed) -> Self {
        Self {
            traits: Traits(*traits),
            capacity: Score::from_millionths((speeds >> 32) as u32),
            speed: *speeds as u32,
            number: (rest >> 32) as u32,
            flags: Flags((rest >> 16) as u16),
            faults: FaultRate::from_sixtieths(low(rest >> (STATE_BITS + TASKS_BITS), RATE_BITS)),
            faulty_tasks: low(rest >> STATE_BITS, TASKS_BITS),
            state: State(low(*rest, STATE_BITS)),
        }
    }

    #[inline]
    fn abilities(&self) -> Abilities {
        Abilities {
            traits: self.traits,
            capacity: self.capacity,
            speed: self.speed,
        }
    }
}

/// The lowest of a word's bits, at most eight.
#[inline]
fn low(word: u64, bits: u32) -> u8 {
    (word & ((1 << bits) - 1)) as u8
}
