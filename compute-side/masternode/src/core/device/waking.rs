//! Which of the exchanges held open are answered, and in what order.
//!
//! A replica that opens is for one device, so not everybody is tried for it. Devices are tried by rank,
//! and those of none behind them as their exchanges came, until as many replicas are taken as were
//! opened. A device's identity can be chosen, and decides nothing. Who was tried and got nothing is not
//! tried again for 100 milliseconds, unless something changed: a replica was opened, devices were
//! ranked, or the device itself is another one to the scheduler than it was.

use super::Devices;
use crate::core::{Core, Effect, Tick, Token};
use quern_grid::{needs::Traits, ranking::Rank};
use quern_primitives::ids::DeviceId;
use std::{cmp::Reverse, collections::BinaryHeap};

/// How long a device that got nothing is not tried again while nothing changes, in milliseconds.
const REST_MS: u64 = 100;

/// Devices that are tried in vain at a time for what was opened; the others are tried [`REST_MS`]
/// later. So something that nobody here may have keeps nobody else waiting.
const VAIN_MAX: usize = 64;

/// What changed for those who wait.
#[derive(Default)]
pub(in crate::core) struct Waking {
    /// Whether something changed that every exchange held open may wait for.
    is_for_all: bool,
    /// Replicas that were opened and for which not every device was tried.
    opened: usize,
    /// Counts the changes.
    changes: u64,
    /// When the next devices are tried for what was opened.
    next: Option<Tick>,
}

impl Waking {
    /// So many replicas are open that were not.
    pub(in crate::core) fn opened(&mut self, replicas: usize) {
        if replicas > 0 {
            self.opened = self.opened.saturating_add(replicas);
            self.changes += 1;
            // The first are tried at once.
            self.next = Some(Tick::default());
        }
    }

    /// Something changed for every device: all are tried when what happened is taken in.
    pub(in crate::core) fn changed_for_all(&mut self) {
        self.is_for_all = true;
    }

    /// Whether all are to be tried, as they are now.
    fn takes_all(&mut self) -> bool {
        let is_for_all = std::mem::take(&mut self.is_for_all);
        if is_for_all {
            self.changes += 1;
            self.ended();
        }
        is_for_all
    }

    fn ended(&mut self) {
        self.opened = 0;
        self.next = None;
    }

    /// When the next devices are tried.
    pub(in crate::core) fn next_wakeup(&self) -> Option<Tick> {
        self.next
    }
}

/// What a device gets depends on this, of the device itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DeviceFacts {
    /// Replicas in its hand.
    in_hand: usize,
    /// How many it may have there.
    in_hand_max: u8,
    /// Whether it gets nothing for now: it computes a benchmark, waits for verdicts, or pauses.
    gets_nothing: bool,
    /// Of how many jobs it gets nothing, because nobody has judged its failures there.
    unjudged_jobs: usize,
    /// How fast it computes, in fuel per millisecond; 0 if that is not known.
    speed: u32,
    /// What it has.
    traits: Traits,
}

/// A device was tried and got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vain {
    at: Tick,
    /// The count of changes then.
    changes: u64,
    /// What the device was then.
    facts: DeviceFacts,
}

impl Devices {
    /// Has a device's exchange looked at again: something of the device changed.
    pub(in crate::core) fn look_again(&mut self, device: DeviceId) {
        self.to_answer.insert(device);
    }

    /// Those with an exchange held open.
    fn waiting(&self) -> impl Iterator<Item = DeviceId> + '_ {
        let waiting = self.known.iter().filter(|(_, it)| !it.parked.is_empty());
        waiting.map(|(device, _)| *device)
    }
}

impl Core {
    /// Answers every held-open exchange that work or news has come for, or whose time is over.
    pub(in crate::core) fn answer_parked(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let mut waiting = std::mem::take(&mut self.devices.to_answer);
        if self.waking.takes_all() {
            waiting.extend(self.devices.waiting());
        } else {
            waiting.extend(self.devices.due(now));
        }
        let mut turns: Vec<_> = waiting
            .into_iter()
            .filter_map(|device| Some((self.turn_of(&device)?, device)))
            .collect();
        turns.sort_unstable();
        for (_, device) in turns {
            self.answer_device(now, device, out);
        }
        self.hand_out_opened(now, out);
    }

    /// Tries devices for what was opened, as many as there are replicas for.
    fn hand_out_opened(&mut self, now: Tick, out: &mut Vec<Effect>) {
        if self.waking.next.is_none_or(|next| now < next) {
            return;
        }
        if !self.scheduler.dispatch.has_open() {
            return self.waking.ended();
        }
        let mut turns: BinaryHeap<_> = self
            .devices
            .waiting()
            .filter(|device| !self.was_tried(device))
            .filter_map(|device| Some(Reverse((self.turn_of(&device)?, device))))
            .collect();
        let mut vain = 0;
        while self.waking.opened > 0
            && vain < VAIN_MAX
            && let Some(Reverse((_, device))) = turns.pop()
        {
            let given = self.answer_device(now, device, out);
            self.waking.opened = self.waking.opened.saturating_sub(given);
            vain += usize::from(given == 0);
        }
        match self.waking.opened > 0 && !turns.is_empty() {
            true => self.waking.next = Some(now.plus_ms(REST_MS)),
            false => self.waking.ended(),
        }
    }

    /// When it is a device's turn among those that wait: by its rank, and of equal ones by when its
    /// exchange came. None if it does not wait.
    fn turn_of(&self, device: &DeviceId) -> Option<(Rank, Tick, Token)> {
        let known = self.devices.get(device)?;
        let parked = known.parked.front()?;
        let rank = self.scheduler.fleet.rank_of(known.number);
        Some((rank.unwrap_or(Rank::MAX), parked.since, parked.token))
    }

    /// What a device is to the scheduler now.
    fn facts_of(&self, now: Tick, device: &DeviceId) -> Option<DeviceFacts> {
        let (known, fleet) = (self.devices.get(device)?, &self.scheduler.fleet);
        let gets_nothing = self.awaits_verdicts(device, known).is_some()
            || known.telemetry.is_benchmarked(now)
            || self.pauses.until(device, now).is_some();
        Some(DeviceFacts {
            in_hand: known.in_hand.len(),
            in_hand_max: fleet.in_hand_max(known.number, now),
            gets_nothing,
            unjudged_jobs: self.pauses.unjudged_jobs(device, now),
            speed: fleet.speed(known.number),
            traits: fleet.traits(known.number),
        })
    }

    /// Whether a device was tried in vain since anything changed for everybody.
    fn was_tried(&self, device: &DeviceId) -> bool {
        let vain = self.devices.get(device).and_then(|known| known.vain);
        vain.is_some_and(|vain| vain.changes == self.waking.changes)
    }

    /// Whether there is nothing to be had for a device, because it was tried in vain just now.
    pub(super) fn is_in_vain(&self, now: Tick, device: &DeviceId) -> bool {
        let Some(vain) = self.devices.get(device).and_then(|known| known.vain) else {
            return false;
        };
        self.was_tried(device)
            && now < vain.at.plus_ms(REST_MS)
            && self.facts_of(now, device) == Some(vain.facts)
    }

    /// Takes note that a device was tried and got nothing.
    pub(super) fn tried_in_vain(&mut self, now: Tick, device: &DeviceId) {
        let (facts, changes) = (self.facts_of(now, device), self.waking.changes);
        if let Some(known) = self.devices.get_mut(device) {
            known.vain = facts.map(|facts| Vain {
                at: now,
                changes,
                facts,
            });
        }
    }
}

#[cfg(test)]
impl Core {
    /// The devices that wait although they would get something, found by looking at every device and every
    /// job: none, if all are woken that are to be.
    pub(in crate::core) fn wait_in_spite(&self, now: Tick) -> Vec<DeviceId> {
        let would_get = |device: &DeviceId| {
            let known = self.devices.get(device)?;
            let wants = known.parked.front().is_some_and(|parked| parked.want > 0);
            let most = usize::from(self.scheduler.fleet.in_hand_max(known.number, now));
            let is_kept = self.pauses.until(device, now).is_some()
                || known.telemetry.is_benchmarked(now)
                || self.awaits_verdicts(device, known).is_some()
                || known.in_hand.len() >= most;
            let backlog_ms = self.backlog_ms(now, known);
            let mut jobs = self.scheduler.dispatch.jobs();
            let gets = |job| {
                let would = self.scheduler.explain(job, known.number, backlog_ms, now);
                would.is_none() && !self.pauses.is_unjudged(device, job, now)
            };
            (wants && !is_kept && jobs.any(gets)).then_some(())
        };
        let waiting = self.devices.waiting();
        waiting.filter(|it| would_get(it).is_some()).collect()
    }
}
