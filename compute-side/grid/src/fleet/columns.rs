//! What the ranking reads of each device, by the device's number: one record each that lies in one line
//! of the processor's cache, so that whoever looks up a part of it has it all.

use crate::{
    FaultRate, Flags, Score, Tick,
    needs::Traits,
    pools::{Rank, Ranked, Ranking},
    rank::Candidate,
};
use std::collections::BTreeMap;

/// Not ranked.
const UNRANKED: Rank = Rank::MAX;

/// What is known of one device.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Record {
    traits: Traits,
    capacity: Score,
    speed: u32,
    rank: Rank,
    /// Flags that do not pass with time.
    flags: Flags,
    faults: FaultRate,
    /// Whether there is a device of this number.
    is_present: bool,
}

const _: () = assert!(size_of::<Record>() == 32);

impl Default for Record {
    fn default() -> Self {
        Self {
            traits: Traits::default(),
            capacity: Score::default(),
            speed: 0,
            rank: UNRANKED,
            flags: Flags::NONE,
            faults: FaultRate::default(),
            is_present: true,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    records: Vec<Record>,
    /// Until when each waits that has to after faults in a row.
    waits: BTreeMap<u32, Tick>,
}

impl Columns {
    /// One device more, at the end.
    pub(super) fn grow(&mut self) {
        self.records.push(Record::default());
    }

    /// A device is gone.
    pub(super) fn clear(&mut self, number: u32) {
        self.waits.remove(&number);
        if let Some(record) = self.records.get_mut(number as usize) {
            *record = Record {
                is_present: false,
                ..Record::default()
            };
        }
    }

    /// A number is used again.
    pub(super) fn reuse(&mut self, number: u32) {
        if let Some(record) = self.records.get_mut(number as usize) {
            *record = Record::default();
        }
    }

    pub(super) fn set_traits(&mut self, number: u32, traits: Traits) {
        if let Some(record) = self.records.get_mut(number as usize) {
            record.traits = traits;
        }
    }

    pub(super) fn set_faults(&mut self, number: u32, faults: FaultRate, waits: Option<Tick>) {
        if let Some(record) = self.records.get_mut(number as usize) {
            record.faults = faults;
        }
        match waits {
            Some(until) => drop(self.waits.insert(number, until)),
            None => drop(self.waits.remove(&number)),
        }
    }

    pub(super) fn set(&mut self, number: u32, capacity: Score, speed: u32, flags: Flags) {
        if let Some(record) = self.records.get_mut(number as usize) {
            (record.capacity, record.speed, record.flags) = (capacity, speed, flags);
        }
    }

    /// Flags that do not pass with time.
    pub(super) fn flags(&self, number: u32) -> Flags {
        self.get(number).map_or(Flags::NONE, |record| record.flags)
    }

    /// Whether a device waits after faults in a row.
    pub(super) fn waits(&self, number: u32, now: Tick) -> bool {
        self.waits.get(&number).is_some_and(|until| now < *until)
    }

    /// What a ranking takes over of a device.
    pub(super) fn ranked(&self, number: u32) -> Ranked {
        let record = self.get(number).copied().unwrap_or_default();
        Ranked {
            traits: record.traits,
            capacity: record.capacity,
            speed: record.speed,
        }
    }

    pub(super) fn rank_of(&self, number: u32) -> Option<Rank> {
        let rank = self.get(number)?.rank;
        (rank != UNRANKED).then_some(rank)
    }

    fn get(&self, number: u32) -> Option<&Record> {
        self.records.get(number as usize)
    }

    /// Devices without a flag, by number. The others are unranked from now on.
    pub(super) fn candidates(&mut self, now: Tick) -> impl Iterator<Item = Candidate> {
        let Self { records, waits } = self;
        let waits_on =
            move |number: u32| waits.get(&number).is_some_and(|until: &Tick| now < *until);
        (0..)
            .zip(records)
            .filter_map(move |(device, record): (u32, &mut Record)| {
                // Without a fault lately, no device waits.
                let is_ranked = record.is_present
                    && record.flags.is_empty()
                    && (record.faults == FaultRate::default() || !waits_on(device));
                if !is_ranked {
                    record.rank = UNRANKED;
                    return None;
                }
                Some(Candidate {
                    device,
                    score: record.capacity,
                    faults: record.faults,
                })
            })
    }

    /// Takes over a new order of all candidates, best first, and writes down what jobs ask about.
    pub(super) fn rank(&mut self, order: Vec<u32>, ranking: &mut Ranking) {
        let records = &mut self.records;
        ranking.refill(order, |rank, number| {
            let record = &mut records[number as usize];
            record.rank = rank;
            Ranked {
                traits: record.traits,
                capacity: record.capacity,
                speed: record.speed,
            }
        });
    }
}
