//! Which of the exchanges held open are answered, and in what order.
//!
//! A replica that opens is for one device, so not everybody is tried for it. Devices are tried by rank,
//! and those of none behind them as their exchanges came, until as many replicas are taken as were
//! opened. A device's identity can be chosen, and decides nothing. Where something changed for all, as
//! when devices were ranked, all are tried in that order. Either way it ends for now with the 64th that
//! gets nothing, and goes on behind that one a little later: however many wait, a step takes no longer.
//! Those that wait ask again every few seconds, and are tried then, so a device far behind waits no
//! longer than that even where something changes all the time.
//!
//! Who was tried and got nothing is not tried again for 100 milliseconds, unless something changed: a
//! replica was opened, devices were ranked, or the device itself is another one to the scheduler than it
//! was.

use super::{Devices, turns::Turn};
use crate::core::{Core, Effect, Tick};
use quern_grid::needs::Traits;
use quern_primitives::ids::DeviceId;

/// How long a device that got nothing is not tried again while nothing changes, in milliseconds.
const REST_MS: u64 = 100;

/// Devices that are tried in vain at a time; the others are tried [`REST_MS`] later. So something that
/// nobody here may have keeps nobody else waiting.
const VAIN_MAX: usize = 64;

/// What changed for those who wait.
#[derive(Default)]
pub(in crate::core) struct Waking {
    /// Whether something changed that every exchange held open may wait for, and nobody was tried since.
    has_changed: bool,
    /// Counts the changes.
    changes: u64,
    /// Replicas that were opened and for which not every device was tried.
    opened: usize,
    /// How far devices were tried for these.
    for_opened: Option<Round>,
    /// How far all are tried for what changed for all, however much is open.
    for_all: Option<Round>,
}

/// Devices are tried in their turns, some at a time.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// The one that was tried last.
    tried: Option<(Turn, DeviceId)>,
    /// When the next are tried.
    next: Tick,
}

impl Waking {
    /// So many replicas are open that were not.
    pub(in crate::core) fn opened(&mut self, replicas: usize) {
        if replicas > 0 {
            self.changes += 1;
            self.opened = self.opened.saturating_add(replicas);
            // The first are tried at once.
            self.for_opened = Some(Round::default());
        }
    }

    /// Something changed for every device: they are tried when what happened is taken in.
    pub(in crate::core) fn changed_for_all(&mut self) {
        self.has_changed = true;
    }

    /// Begins with the first, if something changed for all.
    fn begin_for_all(&mut self) {
        if std::mem::take(&mut self.has_changed) {
            self.changes += 1;
            self.for_all = Some(Round::default());
        }
    }

    /// So many replicas were given to devices that were tried.
    fn given(&mut self, replicas: usize) {
        self.opened = self.opened.saturating_sub(replicas);
    }

    /// When the next devices are tried.
    pub(in crate::core) fn next_wakeup(&self) -> Option<Tick> {
        let rounds = [self.for_opened, self.for_all];
        rounds.into_iter().flatten().map(|round| round.next).min()
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
}

impl Core {
    /// Devices were ranked: one may be in another pool now, and its flags may have passed.
    pub(in crate::core) fn try_as_ranked(&mut self) {
        self.devices.ranked(&self.scheduler.fleet);
        self.waking.changed_for_all();
    }

    /// Answers every held-open exchange that work or news has come for, or whose time is over.
    pub(in crate::core) fn answer_parked(&mut self, now: Tick, out: &mut Vec<Effect>) {
        self.hand_out(now, out);
        let mut to_answer = std::mem::take(&mut self.devices.to_answer);
        to_answer.extend(self.devices.due(now));
        let mut turns: Vec<_> = to_answer
            .into_iter()
            .filter_map(|device| Some((self.devices.turn_of(&device)?, device)))
            .collect();
        turns.sort_unstable();
        for (_, device) in turns {
            self.answer_device(now, device, out);
        }
    }

    /// Tries devices: all for what changed for all, and as many as there are replicas for what was opened.
    fn hand_out(&mut self, now: Tick, out: &mut Vec<Effect>) {
        self.waking.begin_for_all();
        let is_due = |round: &Round| round.next <= now;
        if let Some(round) = self.waking.for_all.filter(is_due) {
            // Also where nothing is open: one may compute again what runs, or be sent a benchmark.
            let (given, rest) = self.try_in_turn(now, round, usize::MAX, out);
            self.waking.given(given);
            self.waking.for_all = rest.filter(|_| !self.scheduler.dispatch.is_empty());
        }
        while let Some(round) = self.waking.for_opened.filter(is_due) {
            let is_open = self.scheduler.dispatch.has_open();
            let most = if is_open { self.waking.opened } else { 0 };
            let changes = self.waking.changes;
            let (given, rest) = self.try_in_turn(now, round, most, out);
            self.waking.given(given);
            // To give one out may have opened another, which is for those that were tried before too.
            if self.waking.changes != changes {
                continue;
            }
            self.waking.for_opened = rest;
            if rest.is_none() {
                self.waking.opened = 0;
            }
        }
    }

    /// Tries devices in their turns until so many replicas are given, or as many devices as may be at a
    /// time got nothing. Returns how many were given, and how it goes on, if it does.
    fn try_in_turn(
        &mut self,
        now: Tick,
        round: Round,
        most: usize,
        out: &mut Vec<Effect>,
    ) -> (usize, Option<Round>) {
        let Round { mut tried, .. } = round;
        let (mut given, mut vain) = (0_usize, 0);
        while given < most
            && vain < VAIN_MAX
            && let Some(next) = self.devices.turns.after(tried)
        {
            tried = Some(next);
            let (_, device) = next;
            // One that asked since the last change was tried then.
            if self.was_tried(&device) {
                continue;
            }
            let replicas = self.answer_device(now, device, out);
            given = given.saturating_add(replicas);
            vain += usize::from(replicas == 0);
        }
        let goes_on = given < most && self.devices.turns.after(tried).is_some();
        let next = now.plus_ms(REST_MS);
        (given, goes_on.then_some(Round { tried, next }))
    }

    /// What a device is to the scheduler now.
    fn facts_of(&self, now: Tick, device: &DeviceId) -> Option<DeviceFacts> {
        let (known, fleet) = (self.devices.get(device)?, &self.scheduler.fleet);
        let gets_nothing = self.awaits_verdicts(device, known).is_some()
            || known.telemetry.is_benchmarked(now)
            || self.pauses.until(device, now).is_some();
        Some(DeviceFacts {
            in_hand: known.in_hand.len(),
            in_hand_max: self.in_hand_max(now, device),
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
            let most = usize::from(self.in_hand_max(now, device));
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
        let waiting = self.devices.turns.all().map(|(_, device)| device);
        waiting.filter(|it| would_get(it).is_some()).collect()
    }

    /// Fails unless those that wait are kept as a walk over all devices finds them, and nothing of those that are
    /// not here.
    pub(in crate::core) fn check_turns(&self) {
        let found = self.devices.all().filter_map(|(device, known)| {
            let parked = known.parked.front().filter(|parked| parked.want > 0)?;
            let rank = self.scheduler.fleet.rank_of(known.number);
            let turn = (rank.unwrap_or(u32::MAX), parked.since, parked.token);
            Some((turn, *device))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        assert!(self.devices.turns.all().eq(found));
        let here: std::collections::BTreeSet<u32> =
            self.devices.all().map(|(_, known)| known.number).collect();
        assert!(self.devices.turns.placed().eq(here));
    }
}
