//! All devices that a masternode knows: what is known of each, and their ranking.
//!
//! What the ranking reads of each device stands in columns, so that a million of them are ranked in
//! the time of a few sorts; the rest stands in one record each. A device has a number as long as it
//! is known; the numbers of forgotten ones are given to new ones. Accounts keep theirs.

mod accounts;
mod columns;
#[cfg(test)]
mod tests;

use crate::{
    Ending, FaultRate, Faults, Flag, Flags, Score, Tick,
    lottery::{Draw, LIFT, WON_FOR_MS},
    measure::{BadReading, Readings, Vitals},
    needs::{Profile, Traits},
    pools::{Rank, Ranking},
    rank::rank,
    score::Parts,
};
use accounts::Accounts;
use columns::Columns;
use quern_primitives::ids::{AccountId, DeviceId};
use std::collections::BTreeMap;

/// Devices that one masternode knows at most: at 300 bytes each, 1.2 GB.
pub const DEVICES_MAX: usize = 1 << 22;

/// Why a device is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the masternode knows as many devices or accounts as it can; try another masternode")]
pub struct FleetFull;

/// Settings of scores and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetSettings {
    /// The benchmark's rate that is worth 250 points, in fuel per millisecond.
    pub reference_rate: u32,
    /// The core temperature above which a device is left alone, in tenths of a degree Celsius.
    pub temperature_decicelsius_max: i16,
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            reference_rate: 20_000_000,
            // Ours: at the published limit most machines stop as soon as they compute.
            temperature_decicelsius_max: 900,
        }
    }
}

/// What is known of one device, beside the columns.
#[derive(Clone, Debug)]
struct Known {
    id: DeviceId,
    account: u32,
    vitals: Vitals,
    faults: Faults,
    /// Flags that do not follow from the rest: bond, ban, connection, what its owner wants.
    raised: Flags,
}

/// What is known of a device, to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceReport {
    /// Its ByteRank; 0 if it is not ranked.
    pub byte_rank: u32,
    /// Its capacity score.
    pub score: Score,
    /// The score's parts.
    pub parts: Parts,
    /// Its fault rate.
    pub fault_rate: FaultRate,
    /// Of the last 20 tasks, those with any fault.
    pub faulty_tasks: u32,
    /// Why it gets nothing, if it gets nothing.
    pub flags: Flags,
    /// Until when it waits after faults in a row.
    pub waits_until: Option<Tick>,
    /// How it is.
    pub vitals: Vitals,
    /// Whether a lottery win lifts it.
    pub is_lifted: bool,
}

/// All devices that a masternode knows.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    settings: FleetSettings,
    numbers: BTreeMap<DeviceId, u32>,
    known: Vec<Option<Known>>,
    free: Vec<u32>,
    accounts: Accounts,
    columns: Columns,
    /// Winners of the lottery, and until when each stands higher.
    lifted: BTreeMap<u32, Tick>,
    ranking: Ranking,
}

impl Fleet {
    /// Without a device.
    pub fn new(settings: FleetSettings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Takes a device in, or takes over what it has. Returns its number.
    pub fn admit(
        &mut self,
        id: DeviceId,
        account: &AccountId,
        profile: &Profile,
    ) -> Result<u32, FleetFull> {
        let number = match self.numbers.get(&id) {
            Some(number) => *number,
            None => self.insert(id, account)?,
        };
        let at = number as usize;
        if let Some(known) = &mut self.known[at]
            && self.accounts.id(known.account) != Some(account)
        {
            let new = self.accounts.hold(account)?;
            self.accounts.release(known.account);
            known.account = new;
        }
        self.columns.set_traits(number, profile.pack());
        self.renew(number);
        Ok(number)
    }

    fn insert(&mut self, id: DeviceId, account: &AccountId) -> Result<u32, FleetFull> {
        if self.numbers.len() >= DEVICES_MAX {
            return Err(FleetFull);
        }
        let known = Known {
            id,
            account: self.accounts.hold(account)?,
            vitals: Vitals::default(),
            faults: Faults::default(),
            raised: Flags::NONE,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.known[number as usize] = Some(known);
                self.columns.reuse(number);
                number
            }
            None => {
                self.known.push(Some(known));
                self.columns.grow();
                (self.known.len() - 1) as u32
            }
        };
        self.numbers.insert(id, number);
        Ok(number)
    }

    /// Takes in a device of which only a log knows, before it is here: it is disconnected. One that is
    /// known stays as it is. Returns its number.
    pub fn recall(&mut self, id: DeviceId, account: &AccountId) -> Result<u32, FleetFull> {
        if let Some(number) = self.numbers.get(&id) {
            return Ok(*number);
        }
        let number = self.insert(id, account)?;
        self.set_flags(number, [(Flag::Disconnected, true)]);
        Ok(number)
    }

    /// What went wrong on a device lately.
    pub fn faults(&self, number: u32) -> Option<&Faults> {
        self.get(number).map(|known| &known.faults)
    }

    /// Takes over what is remembered elsewhere of what went wrong on a device.
    pub fn restore_faults(&mut self, number: u32, faults: Faults) {
        if let Some(known) = self.get_mut(number) {
            known.faults = faults;
            self.columns.set_faults(number, faults.rate(), None);
            self.renew(number);
        }
    }

    /// Forgets a device. Until the next ranking its number stays in the old one.
    pub fn forget(&mut self, id: &DeviceId) {
        let Some(number) = self.numbers.remove(id) else {
            return;
        };
        if let Some(known) = self.known[number as usize].take() {
            self.accounts.release(known.account);
        }
        self.lifted.remove(&number);
        self.columns.clear(number);
        self.free.push(number);
    }

    /// Devices known.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether no device is known.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// A device's number.
    pub fn number(&self, id: &DeviceId) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// The device of a number.
    pub fn device(&self, number: u32) -> Option<DeviceId> {
        Some(self.get(number)?.id)
    }

    /// A device's account, with its number.
    pub fn account(&self, number: u32) -> Option<(u32, &AccountId)> {
        let account = self.get(number)?.account;
        Some((account, self.accounts.id(account)?))
    }

    /// How many accounts have a device.
    pub fn accounts(&self) -> u32 {
        self.accounts.present()
    }

    /// Takes readings of a device in. Returns those that are not believed.
    pub fn update(&mut self, number: u32, now: Tick, readings: &Readings) -> Vec<BadReading> {
        let Some(known) = self.get_mut(number) else {
            return vec![];
        };
        let bad = known.vitals.update(now, readings);
        self.renew(number);
        bad
    }

    /// Takes in what a device told of how it is: what is absent in it is not known any more. What the
    /// masternode measured stays.
    pub fn tell(&mut self, number: u32, now: Tick, state: &Readings) -> Vec<BadReading> {
        if let Some(known) = self.get_mut(number) {
            known.vitals.forget_state();
        }
        self.update(number, now, state)
    }

    /// Takes note of how a task ended on a device.
    pub fn note(&mut self, number: u32, now: Tick, ending: Ending) {
        if let Some(known) = self.get_mut(number) {
            known.faults.note(now, ending);
            let (waits, rate) = (known.faults.waits_until(now), known.faults.rate());
            self.columns.set_faults(number, rate, waits);
            self.renew(number);
        }
    }

    /// Forgets a device's faults, after a review.
    pub fn review(&mut self, number: u32) {
        if let Some(known) = self.get_mut(number) {
            known.faults.review();
            self.columns.set_faults(number, FaultRate::default(), None);
            self.renew(number);
        }
    }

    /// Raises flags of a device, or lowers them.
    pub fn set_flags(&mut self, number: u32, flags: impl IntoIterator<Item = (Flag, bool)>) {
        if let Some(known) = self.get_mut(number) {
            for (flag, raised) in flags {
                known.raised = known.raised.without(flag).with(flag, raised);
            }
            self.renew(number);
        }
    }

    /// Draws the lottery: `hours` says of each device how many it has had no task for. Returns the
    /// winners, who stand higher for a day.
    pub fn draw_lottery(
        &mut self,
        now: Tick,
        draw: &Draw,
        hours: impl Fn(&DeviceId) -> f64,
    ) -> Vec<DeviceId> {
        self.lifted.retain(|_, until| now < *until);
        let mut winners = Vec::new();
        for (number, known) in (0..).zip(&self.known) {
            let Some(known) = known else { continue };
            if draw.wins(&known.id, hours(&known.id)) {
                self.lifted.insert(number, now.plus_ms(WON_FOR_MS));
                winners.push(known.id);
            }
        }
        winners
    }

    /// Tasks that a device may hold now.
    pub fn in_hand_max(&self, number: u32, now: Tick) -> u8 {
        let known = self.get(number);
        known.map_or(0, |known| match self.flags(number, now).is_empty() {
            true => known.faults.in_hand_max(now),
            false => 0,
        })
    }

    /// Why a device gets nothing; none if it may get something.
    pub fn flags(&self, number: u32, now: Tick) -> Flags {
        let waits = self.columns.waits(number, now);
        self.columns.flags(number).with(Flag::Waiting, waits)
    }

    /// What a device has.
    pub fn traits(&self, number: u32) -> Traits {
        self.columns.ranked(number).traits
    }

    /// How fast a device computes, in fuel per millisecond; 0 if that is not known.
    pub fn speed(&self, number: u32) -> u32 {
        self.columns.ranked(number).speed
    }

    /// Where a device stands in the last ranking.
    pub fn rank_of(&self, number: u32) -> Option<Rank> {
        self.columns.rank_of(number)
    }

    /// The last ranking.
    pub fn ranking(&self) -> &Ranking {
        &self.ranking
    }

    /// Ranks all devices that have no flag.
    pub fn rank(&mut self, now: Tick) {
        let Self {
            columns,
            known,
            lifted,
            ..
        } = self;
        let id = |number: u32| {
            let known = known.get(number as usize)?.as_ref()?;
            Some(known.id)
        };
        let is_any_lifted = !lifted.is_empty();
        let is_lifted =
            |number: u32| is_any_lifted && lifted.get(&number).is_some_and(|until| now < *until);
        let order = rank(columns.candidates(now), id, is_lifted, LIFT);
        columns.rank(order, &mut self.ranking);
    }

    /// Whether a device won the lottery less than a day ago.
    fn is_lifted(&self, number: u32, now: Tick) -> bool {
        self.lifted.get(&number).is_some_and(|until| now < *until)
    }

    /// What is known of a device.
    pub fn report(&self, number: u32, now: Tick) -> Option<DeviceReport> {
        let known = self.get(number)?;
        Some(DeviceReport {
            byte_rank: self.rank_of(number).map_or(0, |rank| rank + 1),
            score: self.columns.ranked(number).capacity,
            parts: Parts::of(&known.vitals, self.settings.reference_rate),
            fault_rate: known.faults.rate(),
            faulty_tasks: known.faults.faulty_tasks(),
            flags: self.flags(number, now),
            waits_until: known.faults.waits_until(now),
            vitals: known.vitals.clone(),
            is_lifted: self.is_lifted(number, now),
        })
    }

    fn get(&self, number: u32) -> Option<&Known> {
        self.known.get(number as usize)?.as_ref()
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Known> {
        self.known.get_mut(number as usize)?.as_mut()
    }

    /// Brings a device's columns to what is known of it.
    fn renew(&mut self, number: u32) {
        let Some(known) = self.get(number) else {
            return;
        };
        let limit = self.settings.temperature_decicelsius_max;
        let capacity = Parts::of(&known.vitals, self.settings.reference_rate).total();
        let speed = known.vitals.processor_rate().unwrap_or_default();
        let flags = known
            .raised
            .and(Flags::of(&known.vitals, &known.faults, limit));
        self.columns.set(number, capacity, speed, flags);
    }
}
