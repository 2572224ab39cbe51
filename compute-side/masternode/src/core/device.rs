//! Devices at the masternode: who is there, what each holds, who waits for an answer.

mod acknowledging;
mod present;
mod reporting;
mod turns;
mod waking;

pub use acknowledging::Acknowledged;

use super::{
    Core, Effect, ReleaseCause, ReportFacts, Tick, Ticket, Token,
    telemetry::{BenchmarkPlan, Telemetry},
};
pub(super) use waking::Waking;

use present::Present;
use quern_grid::Flag;
use quern_primitives::{
    ids::{AccountId, BlockNumber, DeviceId, JobId},
    view::DeviceView,
};
use quern_protocol::{
    Discard, DiscardReason, Exchange, HandBackReason, Hello, Refusal, ReplicaId, limits,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use turns::Turns;
use waking::Vain;

/// What to say to an exchange. The shell adds keys and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkPlan {
    /// Reports that are on disk.
    pub acknowledged: Vec<Acknowledged>,
    /// Replicas to report now.
    pub reveals: Vec<ReplicaId>,
    /// Replicas to drop.
    pub discard: Vec<Discard>,
    /// New replicas.
    pub assignments: Vec<PlannedAssignment>,
    /// A benchmark to run.
    pub benchmark: Option<BenchmarkPlan>,
    /// When to ask again, in milliseconds.
    pub ask_again_ms: u32,
}

/// A replica given to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedAssignment {
    /// The replica.
    pub id: ReplicaId,
    /// The place of the assignment in the job's log.
    pub log_position: u64,
    /// How long the device may take, in milliseconds.
    pub time_ms: u64,
}

/// An exchange held open while there is no work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked {
    pub(super) token: Token,
    want: u8,
    /// Whether it is open for what may be asked for, although it wants nothing.
    waits: bool,
    since: Tick,
    until: Tick,
}

/// A device the chain admits.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) account: AccountId,
    /// Its number in the scheduler.
    pub(super) number: u32,
    pub(super) telemetry: Telemetry,
    pub(super) connected: bool,
    pub(super) last_heard: Tick,
    pub(super) in_hand: Vec<ReplicaId>,
    /// So many tasks that it had in hand others have done since it was last heard.
    pub(super) overtaken: u32,
    /// The block of which what the chain says of it was read.
    pub(super) seen_at: BlockNumber,
    /// How many answers of it were accepted in a row, as the chain last had it; none after a fault that was
    /// found here since.
    pub(super) accepted_in_a_row: u32,
    /// Reports written but not yet on disk.
    unconfirmed: Vec<(Ticket, Acknowledged)>,
    acknowledged: Vec<Acknowledged>,
    /// What it is asked to reveal and was not told of.
    reveals: Vec<ReplicaId>,
    discard: Vec<Discard>,
    parked: VecDeque<Parked>,
    /// When it was last tried for work and got none.
    vain: Option<Vain>,
    /// When the core is woken for it.
    armed: Option<Tick>,
}

impl Known {
    /// When it is silent, if it is not heard of again.
    pub(super) fn silent_at(&self) -> Tick {
        self.last_heard
            .plus_ms(limits::SILENCE_MAX.as_millis() as u64)
    }

    /// When something is to be done for it if nothing happens before.
    fn next_time(&self) -> Tick {
        let silent = self.silent_at();
        let parked = self.parked.iter().map(|parked| parked.until);
        parked.fold(silent, Tick::min)
    }

    fn has_news(&self) -> bool {
        !self.acknowledged.is_empty() || !self.reveals.is_empty() || !self.discard.is_empty()
    }

    fn room(&self) -> usize {
        limits::TASKS_IN_HAND_MAX.saturating_sub(self.in_hand.len())
    }

    fn discard(&mut self, id: ReplicaId, reason: DiscardReason) {
        if self.discard.len() < limits::ACKNOWLEDGEMENTS_MAX {
            self.discard.push(Discard { id, reason });
        }
    }

    fn take_news(&mut self) -> WorkPlan {
        let most = |told: usize| told.min(limits::ACKNOWLEDGEMENTS_MAX);
        let (acknowledged, reveals) = (most(self.acknowledged.len()), most(self.reveals.len()));
        WorkPlan {
            acknowledged: self.acknowledged.drain(..acknowledged).collect(),
            reveals: self.reveals.drain(..reveals).collect(),
            discard: std::mem::take(&mut self.discard),
            assignments: vec![],
            benchmark: None,
            ask_again_ms: limits::HEARTBEAT.as_millis() as u32,
        }
    }
}

/// All devices that are or lately were here.
#[derive(Default)]
pub(super) struct Devices {
    known: BTreeMap<DeviceId, Known>,
    /// Those of them that are connected.
    present: Present,
    /// Those with an exchange held open.
    turns: Turns,
    /// When the core is woken for each.
    timers: BTreeSet<(Tick, DeviceId)>,
    /// Those with news, whose exchange is to be answered.
    to_answer: BTreeSet<DeviceId>,
    /// Whose reports wait to be on disk, by the entry that holds the report. One that is gone meanwhile
    /// is left in it until then.
    unwritten: BTreeSet<(Ticket, DeviceId)>,
}

impl Devices {
    pub(super) fn get(&self, device: &DeviceId) -> Option<&Known> {
        self.known.get(device)
    }

    pub(super) fn get_mut(&mut self, device: &DeviceId) -> Option<&mut Known> {
        self.known.get_mut(device)
    }

    pub(super) fn connected(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.known
            .iter()
            .filter(|(_, known)| known.connected)
            .map(|(device, _)| *device)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&DeviceId, &Known)> {
        self.known.iter()
    }

    pub(super) fn gone(&mut self, device: &DeviceId, now: Tick) {
        self.set_connected(device, false);
        if let Some(known) = self.get_mut(device) {
            known.parked.clear();
            known.last_heard = known.last_heard.max(now);
        }
        self.rearm(device);
    }

    fn insert(&mut self, device: DeviceId, known: Known) {
        self.remove(&device);
        if known.connected {
            self.present.add(&known.account);
        }
        let unconfirmed = known.unconfirmed.iter();
        self.unwritten
            .extend(unconfirmed.map(|(ticket, _)| (*ticket, device)));
        self.known.insert(device, known);
        self.rearm(&device);
    }

    /// Sets a device's timer and its turn anew, after it was heard or its exchanges changed.
    fn rearm(&mut self, device: &DeviceId) {
        let Some(known) = self.known.get_mut(device) else {
            return;
        };
        self.turns.renew(*device, known);
        let next = known.next_time();
        if known.armed == Some(next) {
            return;
        }
        if let Some(before) = known.armed.replace(next) {
            self.timers.remove(&(before, *device));
        }
        self.timers.insert((next, *device));
    }

    /// Devices whose time has come.
    fn due(&self, now: Tick) -> impl Iterator<Item = DeviceId> {
        let due = self.timers.iter().take_while(move |(at, _)| *at <= now);
        due.map(|(_, device)| *device)
    }

    pub(super) fn remove(&mut self, device: &DeviceId) -> Option<Known> {
        let known = self.known.remove(device)?;
        if known.connected {
            self.present.remove(&known.account);
        }
        self.turns.forget(known.number);
        if let Some(armed) = known.armed {
            self.timers.remove(&(armed, *device));
        }
        self.to_answer.remove(device);
        Some(known)
    }

    /// Takes a replica from a device, which is told to drop it.
    pub(super) fn take_from(&mut self, device: &DeviceId, id: ReplicaId, reason: DiscardReason) {
        if let Some(known) = self.known.get_mut(device) {
            known.in_hand.retain(|held| *held != id);
            known.discard(id, reason);
            self.to_answer.insert(*device);
        }
    }

    /// Others have done a task that a device has in hand. Nothing of that counts once it is heard again.
    pub(super) fn overtaken(&mut self, device: &DeviceId) {
        if let Some(known) = self.known.get_mut(device) {
            known.overtaken = known.overtaken.saturating_add(1);
        }
    }

    /// A replica is not in a device's hand any more.
    pub(super) fn put_down(&mut self, device: &DeviceId, id: ReplicaId) {
        if let Some(known) = self.known.get_mut(device) {
            known.in_hand.retain(|held| *held != id);
        }
    }

    /// A device is to reveal what it committed itself to.
    pub(super) fn ask_to_reveal(&mut self, device: DeviceId, id: ReplicaId) {
        let known = self.known.get_mut(&device);
        if let Some(known) = known.filter(|known| !known.reveals.contains(&id)) {
            known.reveals.push(id);
            self.to_answer.insert(device);
        }
    }

    /// Has a device's exchange answered at once, so that it tells again how it is.
    pub(super) fn ask_again(&mut self, device: DeviceId, now: Tick) {
        let parked = self.known.get_mut(&device);
        if let Some(parked) = parked.and_then(|known| known.parked.front_mut()) {
            parked.until = now;
            self.to_answer.insert(device);
            self.rearm(&device);
        }
    }

    /// The job is over: whoever holds a replica of it should drop it.
    pub(super) fn drop_job(&mut self, job: JobId) {
        for (device, known) in &mut self.known {
            let dropped: Vec<_> = known.in_hand.extract_if(.., |id| id.job == job).collect();
            if !dropped.is_empty() {
                self.to_answer.insert(*device);
            }
            dropped
                .into_iter()
                .for_each(|id| known.discard(id, DiscardReason::JobOver));
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Devices that were silent for too long.
    pub(super) fn silent(&self, now: Tick) -> Vec<DeviceId> {
        let is_silent = |device: &DeviceId| {
            let known = self.known.get(device);
            known.is_some_and(|known| known.silent_at() <= now)
        };
        self.due(now).filter(is_silent).collect()
    }
}

impl Core {
    /// A device is here, of which the chain said this at a block.
    pub(super) fn hello(
        &mut self,
        now: Tick,
        (at, mut view): (BlockNumber, DeviceView),
        hello: &Hello,
        out: &mut Vec<Effect>,
    ) {
        if let Err(refusal) = self.settings.engines.check(&hello.engines) {
            self.turn_away(now, view.id, refusal, out);
            return;
        }
        view.device.history = self.history_of(&view);
        self.benchmark_broken_off(now, view.id);
        let processor = self.scheduler.fleet.processor(&view.id);
        let told = Telemetry::told(&view, hello, processor);
        let telemetry = match self.devices.get(&view.id) {
            Some(known) => told.after(&known.telemetry),
            None => told,
        };
        let admitted = self
            .scheduler
            .admit(now, view.id, &view.device, telemetry.profile());
        let Ok(number) = admitted else {
            self.turn_away(now, view.id, Refusal::Full, out);
            return;
        };
        self.benchmarks.know(number);
        self.kept.know(number);
        self.take_back(&view.id);
        let here = [
            (Flag::Disconnected, false),
            (Flag::Unbonded, false),
            (Flag::Banned, false),
            (Flag::RepeatedFailures, view.quarantined),
        ];
        self.scheduler.fleet.set_flags(number, here);
        self.scheduler.changed(now);
        let earlier = self.devices.remove(&view.id);
        let (mut in_hand, unconfirmed, acknowledged) = earlier
            .map(|known| (known.in_hand, known.unconfirmed, known.acknowledged))
            .unwrap_or_default();
        let forgotten: Vec<_> = in_hand
            .extract_if(.., |id| !hello.in_hand.contains(id))
            .collect();
        let mut known = Known {
            seen_at: at,
            accepted_in_a_row: view.device.record.accepted_in_a_row,
            account: view.device.account,
            number,
            telemetry,
            connected: true,
            last_heard: now,
            in_hand,
            overtaken: 0,
            unconfirmed,
            acknowledged,
            // It says again what it committed itself to, and is asked again then.
            reveals: vec![],
            discard: vec![],
            parked: VecDeque::new(),
            vain: None,
            armed: None,
        };
        for id in &hello.in_hand {
            if !known.in_hand.contains(id) {
                // After a restart of the masternode the log still knows who holds what.
                let job = self.jobs.get(&id.job);
                let holding = job.and_then(|job| job.holding(id.task, id.replica));
                let place = job.and_then(|job| job.reported_with(id.task, id.replica, &view.id));
                let holding = holding.filter(|holding| holding.device == view.id);
                match (holding.is_some(), place) {
                    // What it has committed itself to is not in its hand.
                    _ if holding.is_some_and(|holding| holding.pledge.is_some()) => {}
                    (true, _) if known.room() > 0 => known.in_hand.push(*id),
                    (false, Some(place)) => known.acknowledge_again(*id, place, self.persisted),
                    _ => known.discard(*id, DiscardReason::NotAssigned),
                }
            }
        }
        // What the log says it holds and it does not know of any more.
        let lost: Vec<_> = self
            .jobs
            .values()
            .flat_map(|active| active.held_by(&view.id))
            .filter(|id| !hello.in_hand.contains(id) && !forgotten.contains(id))
            .collect();
        self.devices.insert(view.id, known);
        for id in forgotten.into_iter().chain(lost) {
            self.release(id, view.id, ReleaseCause::Forgotten, out);
        }
    }

    pub(super) fn exchange(
        &mut self,
        now: Tick,
        device: DeviceId,
        token: Token,
        exchange: Exchange,
        facts: &ReportFacts,
        out: &mut Vec<Effect>,
    ) {
        let Some(known) = self.devices.get_mut(&device) else {
            out.push(Effect::Refuse {
                token,
                refusal: Refusal::NoHello,
            });
            return;
        };
        known.last_heard = now;
        known.overtaken = 0;
        let number = known.number;
        if self.devices.set_connected(&device, true) {
            let here = [(Flag::Disconnected, false)];
            self.scheduler.fleet.set_flags(number, here);
            self.scheduler.changed(now);
        }
        self.shown(now, device, &facts.shown, out);
        self.told(now, device, &exchange);
        for commitment in exchange.commitments {
            self.commit(now, device, commitment, out);
        }
        for report in exchange.reports {
            self.report(now, device, report, facts, out);
        }
        for returned in exchange.handed_back {
            let known = self.devices.get(&device);
            let trusted = known.is_some_and(|known| known.telemetry.profile().is_trusted);
            let cause = match returned.reason {
                HandBackReason::Stopping | HandBackReason::NoRoom => ReleaseCause::HandedBack,
                HandBackReason::TooSlow => ReleaseCause::Late,
                HandBackReason::BadInput => ReleaseCause::BadInput { trusted },
            };
            self.release(returned.id, device, cause, out);
        }
        self.take_unnamed(now, device, &exchange.progress, out);
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        let until = now.plus_ms(limits::HOLD.as_millis() as u64);
        // One that only waits is answered when a newer one comes.
        let waiting = known.parked.iter().position(|parked| parked.want == 0);
        if let Some(older) = waiting.and_then(|place| known.parked.remove(place)) {
            let work = known.take_news();
            self.reply(older, device, work, out);
        }
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        if known.parked.len() >= limits::TASKS_IN_HAND_MAX
            && let Some(oldest) = known.parked.pop_front()
        {
            let work = known.take_news();
            self.reply(oldest, device, work, out);
        }
        let rank = self.scheduler.fleet.rank_of(number);
        self.devices.turns.stands(number, rank);
        if let Some(known) = self.devices.get_mut(&device) {
            known.parked.push_back(Parked {
                token,
                want: exchange.want,
                waits: exchange.waits,
                since: now,
                until,
            });
        }
        self.devices.rearm(&device);
        self.answer_device(now, device, out);
    }

    pub(super) fn barred(
        &mut self,
        now: Tick,
        device: DeviceId,
        refusal: Refusal,
        out: &mut Vec<Effect>,
    ) {
        if self.devices.get(&device).is_some() {
            out.push(Effect::Dismiss { device });
            self.turn_away(now, device, refusal, out);
        }
    }

    /// Forgets a device that is not served any more, and gives to others what it holds, also what
    /// only the log knows of.
    fn turn_away(&mut self, now: Tick, device: DeviceId, refusal: Refusal, out: &mut Vec<Effect>) {
        let known = self.devices.remove(&device);
        if let Some(known) = &known {
            let flags = [
                (Flag::Disconnected, true),
                (Flag::Unbonded, refusal == Refusal::NotBonded),
                (Flag::Banned, refusal == Refusal::Banned),
            ];
            self.scheduler.fleet.set_flags(known.number, flags);
            self.scheduler.changed(now);
        }
        for parked in known.into_iter().flat_map(|known| known.parked) {
            out.push(Effect::Refuse {
                token: parked.token,
                refusal,
            });
        }
        let held: Vec<_> = self
            .jobs
            .values()
            .flat_map(|active| active.held_by(&device))
            .collect();
        for id in held {
            self.release_at(now, id, device, ReleaseCause::Barred, out);
        }
        self.lay_by(now, &device);
    }

    /// Answers a device's exchanges that work or news has come for, or whose time is over. Returns how
    /// many replicas it was given.
    fn answer_device(&mut self, now: Tick, device: DeviceId, out: &mut Vec<Effect>) -> usize {
        let mut given = 0;
        while let Some(known) = self.devices.get_mut(&device)
            && let Some(parked) = known.parked.front().copied()
        {
            let room = known.room().min(parked.want.into());
            let benchmark = self.benchmark_for(now, device, room);
            let wants_work = parked.want > 0;
            let is_held = wants_work || parked.waits;
            let mut assignments = vec![];
            if wants_work && !self.is_in_vain(now, &device) {
                assignments = self.assign(now, device, room, out);
                given += assignments.len();
                if assignments.is_empty() {
                    self.tried_in_vain(now, &device);
                }
            }
            let Some(known) = self.devices.get_mut(&device) else {
                break;
            };
            let has_work = !assignments.is_empty() || benchmark.is_some();
            if !has_work && !known.has_news() && is_held && parked.until > now {
                break;
            }
            known.parked.pop_front();
            let mut work = known.take_news();
            work.benchmark = benchmark;
            self.devices.rearm(&device);
            if wants_work && assignments.is_empty() {
                work.ask_again_ms = 0;
            }
            work.assignments = assignments;
            self.reply(parked, device, work, out);
        }
        given
    }
}
