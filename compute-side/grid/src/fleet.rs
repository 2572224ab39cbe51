//! All devices that a masternode knows: what is known of each, and their ranking.
//!
//! What the ranking reads of each device is a small record ([`crate::ranking`]), so that a million of
//! them are ranked in the time of a few sorts; the rest stands in a larger one. A device has a number
//! as long as it is known; the numbers of forgotten ones are given to new ones. Accounts keep theirs
//! until somebody says that nothing remembers them any more ([`Fleet::forget_accounts`]).

mod accounts;
mod away;
mod index;
#[cfg(test)]
mod tests;

use crate::{
    Ending, FaultRate, Faults, Flag, Flags, JobTerms, LineSpeed, Score, Tick,
    lottery::LIFT,
    measure::{BadReading, Readings, Vitals},
    needs::{Profile, Traits},
    pools::{PoolLimits, Target},
    rank,
    ranking::{Rank, Ranking},
    score::{self, Parts},
};
use accounts::Accounts;
use away::Away;
use index::Index;
use quern_primitives::ids::{AccountId, BlockNumber, DeviceId};
use std::collections::BTreeSet;

/// Devices that one masternode knows at most: at 300 bytes each, with what else it keeps of them, 1.3 GB.
pub const DEVICES_MAX: usize = 1 << 22;

const _: () = assert!(DEVICES_MAX <= rank::DEVICES_MAX);

/// In place of the block of a last review that was not told yet: none is later.
const UNTOLD: BlockNumber = BlockNumber::MAX;

/// Why a device is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the masternode knows as many devices or accounts as it can; try another masternode")]
pub struct FleetFull;

/// Settings of scores, flags and room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetSettings {
    /// The benchmark's rate that is worth 250 points, in fuel per millisecond.
    pub reference_rate: u32,
    /// The core temperature above which a device is left alone, in tenths of a degree Celsius.
    pub temperature_decicelsius_max: i16,
    /// Devices that are known at a time, at most; never more than [`DEVICES_MAX`].
    pub devices_max: usize,
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            // What a core of some 3 GHz makes of the benchmark that masternodes send.
            reference_rate: 10_000_000,
            // Ours: at the published limit most machines stop as soon as they compute.
            temperature_decicelsius_max: 900,
            devices_max: DEVICES_MAX,
        }
    }
}

/// What is known of one device, beside its record in the ranking.
#[derive(Clone, Debug)]
struct Known {
    id: DeviceId,
    account: u32,
    vitals: Vitals,
    faults: Faults,
    /// Flags that do not follow from the rest: bond, ban, connection, what its owner wants.
    raised: Flags,
    /// When it was last reviewed, as far as that was told.
    last_review: BlockNumber,
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
    numbers: Index,
    known: Vec<Option<Known>>,
    free: Vec<u32>,
    accounts: Accounts,
    /// Those that are disconnected.
    away: Away,
    /// Winners of the lottery, also those that are not known here.
    winners: BTreeSet<DeviceId>,
    /// Those that were sent a benchmark and have not answered it.
    owing: BTreeSet<u32>,
    /// The speed that nine in ten of those ranked last exceed whose speed was known; 0 if none was.
    speed_of_the_slow: u32,
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
        let number = match self.number(&id) {
            Some(number) => number,
            None => self.insert(id, account)?,
        };
        let (at, accounts_max) = (number as usize, self.accounts_max());
        if let Some(known) = &mut self.known[at]
            && self.accounts.id(known.account) != Some(account)
        {
            let new = self.accounts.hold(account, accounts_max)?;
            self.accounts.release(known.account);
            known.account = new;
        }
        self.ranking.set_traits(number, profile.pack());
        self.renew(number);
        Ok(number)
    }

    fn insert(&mut self, id: DeviceId, account: &AccountId) -> Result<u32, FleetFull> {
        if self.is_full() {
            return Err(FleetFull);
        }
        let known = Known {
            id,
            account: self.accounts.hold(account, self.accounts_max())?,
            vitals: Vitals::default(),
            faults: Faults::default(),
            raised: Flags::NONE,
            last_review: UNTOLD,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.known[number as usize] = Some(known);
                self.ranking.reuse(number);
                number
            }
            None => {
                self.known.push(Some(known));
                self.ranking.grow();
                (self.known.len() - 1) as u32
            }
        };
        self.numbers.insert(&id.0, number);
        if self.winners.contains(&id) {
            self.ranking.set_lifted(number, true);
        }
        Ok(number)
    }

    /// Devices that are known at a time, at most.
    fn room(&self) -> usize {
        self.settings.devices_max.min(DEVICES_MAX)
    }

    /// Accounts that have a number at a time, at most: half of them have devices.
    fn accounts_max(&self) -> usize {
        2 * self.room()
    }

    /// Whether no other device is taken in.
    fn is_full(&self) -> bool {
        self.len() >= self.room()
    }

    /// The device to forget before this one is taken in: where as many are known as may be, the one
    /// that is disconnected longest. None where there is room, or this one is known, or all others
    /// are connected.
    pub fn in_the_way_of(&self, id: &DeviceId) -> Option<DeviceId> {
        if !self.is_full() || self.number(id).is_some() {
            return None;
        }
        self.device(self.away.first()?)
    }

    /// Takes in a device of which only a log knows, before it is here: it is disconnected. One that is
    /// known stays as it is. Returns its number.
    pub fn recall(&mut self, id: DeviceId, account: &AccountId) -> Result<u32, FleetFull> {
        if let Some(number) = self.number(&id) {
            return Ok(number);
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
    pub fn restore_faults(&mut self, number: u32, now: Tick, faults: Faults) {
        if let Some(known) = self.get_mut(number) {
            known.faults = faults;
            self.ranking.set_faults(number, now, &faults);
            self.renew(number);
        }
    }

    /// Forgets a device. Until the next ranking its number stays in the old one, and then it may be
    /// another's.
    pub fn forget(&mut self, id: &DeviceId) {
        let Some(number) = self.number(id) else {
            return;
        };
        self.numbers.remove(&id.0, number);
        if let Some(known) = self.known[number as usize].take() {
            self.accounts.release(known.account);
        }
        self.away.take_out(number);
        self.owing.remove(&number);
        self.ranking.clear(number);
        self.free.push(number);
    }

    /// Devices known.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether no device is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A device's number.
    pub fn number(&self, id: &DeviceId) -> Option<u32> {
        let has = |number| self.get(number).is_some_and(|known| known.id == *id);
        self.numbers.find(&id.0, has)
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

    /// The numbers of the accounts that have no device, if they have to go before an account comes that
    /// has no number: there are twice as many as there may be devices. None while there is room.
    pub fn accounts_in_the_way(&self) -> Option<BTreeSet<u32>> {
        let is_full = self.accounts.len() >= self.accounts_max();
        is_full.then(|| self.accounts.without_device())
    }

    /// Forgets these accounts, if they have no device: their numbers may be others' from now on, so
    /// nothing may know these accounts by them.
    pub fn forget_accounts(&mut self, numbers: &BTreeSet<u32>) {
        numbers
            .iter()
            .for_each(|number| self.accounts.forget(*number));
    }

    /// Takes readings of a device in. Returns those that are not believed.
    pub fn update(&mut self, number: u32, now: Tick, readings: &Readings) -> Vec<BadReading> {
        let Some(known) = self.get_mut(number) else {
            return vec![];
        };
        let bad = known.vitals.update(now, readings);
        if readings.processor_rate.is_some() && known.vitals.processor_rate().is_some() {
            self.owing.remove(&number);
        }
        self.renew(number);
        bad
    }

    /// A device was sent a benchmark. Until a rate is known that it came to, it counts as slow: else
    /// who is slow would gain by not answering.
    pub fn owes_benchmark(&mut self, number: u32) {
        if let Some(known) = self.get_mut(number) {
            known.vitals.forget_rate();
            self.owing.insert(number);
            self.renew(number);
        }
    }

    /// Whether a device was sent a benchmark and no rate is known that it came to.
    pub fn owes(&self, number: u32) -> bool {
        self.owing.contains(&number)
    }

    /// A device owes the benchmark that it was sent last no more, without an answer: its rate is what
    /// it was before, if it was known.
    pub fn excuse(&mut self, number: u32, rate: Option<u32>) {
        if let Some(known) = self.get_mut(number) {
            known.vitals.restore_rate(rate);
            self.owing.remove(&number);
            self.renew(number);
        }
    }

    /// The processor's part of a device's score, also of one that is not known here.
    pub fn processor(&self, id: &DeviceId) -> Score {
        let number = self.number(id);
        let known = number.and_then(|number| Some((number, self.get(number)?)));
        let parts = match known {
            Some((number, known)) => self.parts(number, &known.vitals),
            None => Parts::of(&Vitals::default(), self.settings.reference_rate),
        };
        parts.processor
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
            let faults = known.faults;
            self.ranking.set_faults(number, now, &faults);
            self.renew(number);
        }
    }

    /// Takes over when a device was last reviewed. True if that was since it was last told; then its
    /// faults are forgotten.
    pub fn reviewed(&mut self, number: u32, last_review: BlockNumber) -> bool {
        let Some(known) = self.get_mut(number) else {
            return false;
        };
        let is_new = known.last_review < last_review;
        if is_new || known.last_review == UNTOLD {
            known.last_review = last_review;
        }
        if is_new {
            self.review(number);
        }
        is_new
    }

    /// Forgets a device's faults, after a review.
    pub fn review(&mut self, number: u32) {
        if let Some(known) = self.get_mut(number) {
            known.faults.review();
            // Without a fault the time is of no matter.
            self.ranking
                .set_faults(number, Tick::default(), &Faults::default());
            self.renew(number);
        }
    }

    /// Raises flags of a device, or lowers them.
    pub fn set_flags(&mut self, number: u32, flags: impl IntoIterator<Item = (Flag, bool)>) {
        if let Some(known) = self.get_mut(number) {
            for (flag, raised) in flags {
                known.raised = known.raised.without(flag).with(flag, raised);
            }
            match known.raised.has(Flag::Disconnected) {
                true => self.away.leave(number),
                false => self.away.take_out(number),
            }
            self.renew(number);
        }
    }

    /// Takes over whether the chain has a device in quarantine. Then it gets nothing, though by what it did
    /// since it may be out of it soon: whoever is given work is held to what the chain says. Whether that is
    /// another word than the last.
    pub fn quarantine(&mut self, number: u32, is_in_quarantine: bool) -> bool {
        let flag = Flag::RepeatedFailures;
        let raised = self.get(number).map(|known| known.raised);
        let is_other = raised.is_some_and(|raised| raised.has(flag) != is_in_quarantine);
        if is_other {
            self.set_flags(number, [(flag, is_in_quarantine)]);
        }
        is_other
    }

    /// Takes over who won the lottery, in place of who won it before. They stand higher from the next
    /// ranking on, and those that are not known yet once they are.
    pub fn lift(&mut self, winners: BTreeSet<DeviceId>) {
        let numbers = |winners: &BTreeSet<DeviceId>| -> Vec<u32> {
            winners.iter().filter_map(|id| self.number(id)).collect()
        };
        let (before, now) = (numbers(&self.winners), numbers(&winners));
        for (numbers, is_lifted) in [(before, false), (now, true)] {
            for number in numbers {
                self.ranking.set_lifted(number, is_lifted);
            }
        }
        self.winners = winners;
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
        let waits = self.ranking.waits(number, now);
        self.ranking.flags(number).with(Flag::Waiting, waits)
    }

    /// What a device has.
    pub fn traits(&self, number: u32) -> Traits {
        self.ranking.abilities_of(number).traits
    }

    /// How fast a device computes, in fuel per millisecond; 0 if that is not known. One that owes a
    /// benchmark is as slow as the slowest tenth of those whose speed is known.
    pub fn speed(&self, number: u32) -> u32 {
        match self.owing.contains(&number) {
            true => self.speed_of_the_slow,
            false => self.ranking.abilities_of(number).speed,
        }
    }

    /// How fast a device's line is.
    pub fn line(&self, number: u32) -> LineSpeed {
        let known = self.get(number);
        known.map_or(LineSpeed::SLOWEST, |known| known.vitals.line())
    }

    /// Where a device stands in the last ranking.
    pub fn rank_of(&self, number: u32) -> Option<Rank> {
        self.ranking.rank_of(number)
    }

    /// The last ranking.
    pub fn ranking(&self) -> &Ranking {
        &self.ranking
    }

    /// Ranks all devices that have no flag.
    pub fn rank(&mut self, now: Tick) {
        let Self { ranking, known, .. } = self;
        let id = |number: u32| {
            let known = known.get(number as usize)?.as_ref()?;
            Some(known.id)
        };
        ranking.rank(now, id, LIFT);
        // It is asked of these alone.
        if !self.owing.is_empty() {
            self.speed_of_the_slow = self.ranking.speed_of_the_slow();
        }
    }

    /// The devices of the last ranking that a job may have, and of how many accounts they are.
    pub fn target_for(&self, terms: &JobTerms, limits: &PoolLimits) -> (Target, u32) {
        let JobTerms {
            needs,
            level,
            replicas,
            ..
        } = terms;
        let mut target = Target::of_level(&self.ranking, needs, *level, limits);
        let account_of = |number: u32| Some(self.account(number)?.0);
        let accounts = target.accounts(&self.ranking, needs, account_of, self.accounts());
        // Where tasks have one replica there are no lanes, and nothing hangs on how large accounts are.
        if *replicas > 1 {
            target.find_large(&self.ranking, needs, account_of);
        }
        (target, accounts)
    }

    /// What is known of a device.
    pub fn report(&self, number: u32, now: Tick) -> Option<DeviceReport> {
        let known = self.get(number)?;
        let mut vitals = known.vitals.clone();
        vitals.forget_old(now);
        let parts = self.parts(number, &vitals);
        Some(DeviceReport {
            byte_rank: self.rank_of(number).map_or(0, |rank| rank + 1),
            score: parts.total(),
            parts,
            fault_rate: known.faults.rate(),
            faulty_tasks: known.faults.faulty_tasks(),
            flags: self.flags(number, now),
            waits_until: known.faults.waits_until(now),
            vitals,
            is_lifted: self.ranking.is_lifted(number),
        })
    }

    fn get(&self, number: u32) -> Option<&Known> {
        self.known.get(number as usize)?.as_ref()
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Known> {
        self.known.get_mut(number as usize)?.as_mut()
    }

    /// The parts of a device's score. Of one that owes a benchmark the processor counts least.
    fn parts(&self, number: u32, vitals: &Vitals) -> Parts {
        let rate = self.settings.reference_rate;
        let mut parts = Parts::of(vitals, rate);
        if self.owing.contains(&number) {
            parts.processor = score::processor(0, rate);
        }
        parts
    }

    /// Brings a device's record in the ranking to what is known of it.
    fn renew(&mut self, number: u32) {
        let Some(known) = self.get(number) else {
            return;
        };
        let limit = self.settings.temperature_decicelsius_max;
        let capacity = self.parts(number, &known.vitals).total();
        let speed = known.vitals.processor_rate().unwrap_or_default();
        let flags = known
            .raised
            .and(Flags::of(&known.vitals, &known.faults, limit));
        self.ranking.set(number, capacity, speed, flags);
    }
}
