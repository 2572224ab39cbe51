//! Devices at the masternode: who is there, what each holds, who waits for an answer.

use super::{
    Core, Effect, Entry, OutputPlace, ReleaseCause, Tick, Ticket, Token,
    job::{Admission, Holding},
    output_facts, replica_of,
};
use quern_primitives::{
    device::Class,
    ids::{AccountId, DeviceId, Digest, JobId},
    view::DeviceView,
};
use quern_protocol::{
    Discard, DiscardReason, Exchange, HandBackReason, Hello, Output, Refusal, ReplicaId, Report,
    limits,
};
use std::collections::{BTreeMap, VecDeque};

/// How often silence and overtime are looked for, in milliseconds.
const CHECK_MS: u64 = 500;

/// What to say to an exchange. The shell adds keys and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkPlan {
    /// Reports that are on disk.
    pub acknowledged: Vec<ReplicaId>,
    /// Replicas to drop.
    pub discard: Vec<Discard>,
    /// New replicas.
    pub assignments: Vec<PlannedAssignment>,
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
    until: Tick,
}

/// A device the chain admits.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) account: AccountId,
    /// The classes it computes in, with the grid's engines.
    classes: Vec<Class>,
    connected: bool,
    pub(super) last_heard: Tick,
    pub(super) in_hand: Vec<ReplicaId>,
    /// Reports written but not yet on disk.
    unconfirmed: Vec<(Ticket, ReplicaId)>,
    acknowledged: Vec<ReplicaId>,
    discard: Vec<Discard>,
    parked: VecDeque<Parked>,
}

impl Known {
    fn has_news(&self) -> bool {
        !self.acknowledged.is_empty() || !self.discard.is_empty()
    }

    fn room(&self) -> usize {
        limits::TASKS_IN_HAND_MAX.saturating_sub(self.in_hand.len())
    }

    fn discard(&mut self, id: ReplicaId, reason: DiscardReason) {
        if self.discard.len() < limits::ACKNOWLEDGEMENTS_MAX {
            self.discard.push(Discard { id, reason });
        }
    }

    /// Acknowledges a report that was taken before, once it is on disk.
    fn acknowledge_again(&mut self, id: ReplicaId, ticket: Ticket, persisted: Ticket) {
        let waits = self.unconfirmed.iter().any(|(_, waiting)| *waiting == id);
        if waits || self.acknowledged.contains(&id) {
            return;
        }
        if ticket <= persisted {
            self.acknowledged.push(id);
        } else {
            self.unconfirmed.push((ticket, id));
        }
    }

    fn take_news(&mut self) -> WorkPlan {
        let most = self.acknowledged.len().min(limits::ACKNOWLEDGEMENTS_MAX);
        WorkPlan {
            acknowledged: self.acknowledged.drain(..most).collect(),
            discard: std::mem::take(&mut self.discard),
            assignments: vec![],
            ask_again_ms: limits::HEARTBEAT.as_millis() as u32,
        }
    }
}

/// All devices that are or lately were here.
#[derive(Default)]
pub(super) struct Devices(BTreeMap<DeviceId, Known>);

impl Devices {
    pub(super) fn get(&self, device: &DeviceId) -> Option<&Known> {
        self.0.get(device)
    }

    pub(super) fn get_mut(&mut self, device: &DeviceId) -> Option<&mut Known> {
        self.0.get_mut(device)
    }

    pub(super) fn connected(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.0
            .iter()
            .filter(|(_, known)| known.connected)
            .map(|(device, _)| *device)
    }

    /// Distinct accounts with a connected device.
    pub(super) fn connected_accounts(&self) -> usize {
        let mut accounts: Vec<_> = self
            .0
            .values()
            .filter(|known| known.connected)
            .map(|known| &known.account)
            .collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts.len()
    }

    pub(super) fn gone(&mut self, device: &DeviceId, now: Tick) {
        if let Some(known) = self.get_mut(device) {
            known.connected = false;
            known.parked.clear();
            known.last_heard = known.last_heard.max(now);
        }
    }

    /// What was written is on disk: it may be acknowledged.
    pub(super) fn confirm(&mut self, through: Ticket) {
        for known in self.0.values_mut() {
            let written = known
                .unconfirmed
                .extract_if(.., |(ticket, _)| *ticket <= through);
            known.acknowledged.extend(written.map(|(_, id)| id));
        }
    }

    /// The job is over: whoever holds a replica of it should drop it.
    pub(super) fn drop_job(&mut self, job: JobId) {
        for known in self.0.values_mut() {
            let dropped: Vec<_> = known.in_hand.extract_if(.., |id| id.job == job).collect();
            dropped
                .into_iter()
                .for_each(|id| known.discard(id, DiscardReason::JobOver));
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        let silence = limits::SILENCE_MAX.as_millis() as u64;
        self.0
            .values()
            .flat_map(|known| {
                let silent = (known.connected || !known.in_hand.is_empty())
                    .then(|| known.last_heard.plus_ms(silence));
                known.parked.iter().map(|parked| parked.until).chain(silent)
            })
            .min()
    }

    fn next_expiry(&self) -> Option<Tick> {
        self.0
            .values()
            .flat_map(|known| known.parked.iter().map(|parked| parked.until))
            .min()
    }

    fn overdue(&self, now: Tick) -> Vec<DeviceId> {
        let silence = limits::SILENCE_MAX.as_millis() as u64;
        let silent = |known: &Known| known.last_heard.plus_ms(silence) <= now;
        self.0
            .iter()
            .filter(|(_, known)| silent(known))
            .map(|(device, _)| *device)
            .collect()
    }
}

impl Core {
    pub(super) fn hello(
        &mut self,
        now: Tick,
        view: DeviceView,
        hello: &Hello,
        out: &mut Vec<Effect>,
    ) {
        if let Err(refusal) = self.settings.engines.check(&hello.engines) {
            self.turn_away(now, view.id, refusal, out);
            return;
        }
        let earlier = self.devices.0.remove(&view.id);
        let (mut in_hand, unconfirmed, acknowledged) = earlier
            .map(|known| (known.in_hand, known.unconfirmed, known.acknowledged))
            .unwrap_or_default();
        let forgotten: Vec<_> = in_hand
            .extract_if(.., |id| !hello.in_hand.contains(id))
            .collect();
        let mut known = Known {
            account: view.device.account,
            classes: hello.engines.iter().map(|(class, _)| *class).collect(),
            connected: true,
            last_heard: now,
            in_hand,
            unconfirmed,
            acknowledged,
            discard: vec![],
            parked: VecDeque::new(),
        };
        for id in &hello.in_hand {
            if !known.in_hand.contains(id) {
                // After a restart of the masternode the log still knows who holds what.
                let job = self.jobs.get(&id.job);
                let holding = job.and_then(|job| job.holding(id.task, id.replica));
                let ticket = job.and_then(|job| job.reported_with(id.task, id.replica, &view.id));
                match (
                    holding.is_some_and(|holding| holding.device == view.id),
                    ticket,
                ) {
                    (true, _) if known.room() > 0 => known.in_hand.push(*id),
                    (false, Some(ticket)) => known.acknowledge_again(*id, ticket, self.persisted),
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
        self.devices.0.insert(view.id, known);
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
        delivered: &BTreeMap<ReplicaId, (u64, Digest)>,
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
        known.connected = true;
        for report in exchange.reports {
            self.report(now, device, report, delivered, out);
        }
        for returned in exchange.handed_back {
            let cause = match returned.reason {
                HandBackReason::Stopping | HandBackReason::NoRoom => ReleaseCause::HandedBack,
                HandBackReason::TooSlow => ReleaseCause::Late,
                HandBackReason::BadInput => ReleaseCause::Failed,
            };
            self.release(returned.id, device, cause, out);
        }
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        let until = now.plus_ms(limits::HOLD.as_millis() as u64);
        if known.parked.len() >= limits::TASKS_IN_HAND_MAX
            && let Some(oldest) = known.parked.pop_front()
        {
            let work = known.take_news();
            self.reply(oldest, device, work, out);
        }
        if let Some(known) = self.devices.get_mut(&device) {
            known.parked.push_back(Parked {
                token,
                want: exchange.want,
                until,
            });
        }
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
        let parked = self.devices.0.remove(&device).map(|known| known.parked);
        for parked in parked.into_iter().flatten() {
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
    }

    /// Answers every held-open exchange that work or news has come for, or whose time is over.
    pub(super) fn answer_parked(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let expired = self.devices.next_expiry().is_some_and(|until| until <= now);
        if !std::mem::take(&mut self.news) && !expired {
            return;
        }
        let waiting: Vec<_> = self
            .devices
            .0
            .iter()
            .filter(|(_, known)| !known.parked.is_empty())
            .map(|(device, _)| *device)
            .collect();
        waiting
            .into_iter()
            .for_each(|device| self.answer_device(now, device, out));
    }

    fn answer_device(&mut self, now: Tick, device: DeviceId, out: &mut Vec<Effect>) {
        while let Some(known) = self.devices.get_mut(&device)
            && let Some(parked) = known.parked.front().copied()
        {
            let room = known.room().min(parked.want.into());
            let assignments = self.assign(now, device, room, out);
            let Some(known) = self.devices.get_mut(&device) else {
                return;
            };
            let wants_nothing = parked.want == 0;
            if assignments.is_empty() && !known.has_news() && !wants_nothing && parked.until > now {
                return;
            }
            known.parked.pop_front();
            let mut work = known.take_news();
            if !wants_nothing && assignments.is_empty() {
                work.ask_again_ms = 0;
            }
            work.assignments = assignments;
            self.reply(parked, device, work, out);
        }
    }

    /// Gives up to `room` replicas to a device.
    fn assign(
        &mut self,
        now: Tick,
        device: DeviceId,
        room: usize,
        out: &mut Vec<Effect>,
    ) -> Vec<PlannedAssignment> {
        let Some(known) = self.devices.get(&device) else {
            return vec![];
        };
        let (account, classes) = (known.account.clone(), known.classes.clone());
        let mut assignments = Vec::new();
        while assignments.len() < room {
            let Some((job, task, replica)) = self.queue.take(&account, &device) else {
                break;
            };
            let id = ReplicaId { job, task, replica };
            let class = self
                .jobs
                .get(&job)
                .map(|active| active.job.submission.class)
                .filter(|class| classes.contains(class));
            let Some(class) = class else {
                // A device of another class can take nothing of this job.
                self.queue.release(job, task, replica, Some(device));
                break;
            };
            let engine = self.settings.engines.of(class);
            let entry = Entry::Assigned {
                task,
                replica,
                device,
                account: account.clone(),
                engine,
            };
            let (_, log_position) = self.append(job, entry, None, out);
            let fuel_max = self
                .jobs
                .get(&job)
                .map_or(0, |active| active.job.submission.fuel_per_task_max);
            let time_ms = self.settings.replica_ms(fuel_max);
            if let Some(active) = self.jobs.get_mut(&job) {
                let (account, until) = (account.clone(), now.plus_ms(time_ms));
                active.assigned(
                    task,
                    replica,
                    Holding {
                        device,
                        account,
                        engine,
                        log_position,
                        until,
                    },
                );
            }
            if let Some(known) = self.devices.get_mut(&device) {
                known.in_hand.push(id);
            }
            assignments.push(PlannedAssignment {
                id,
                log_position,
                time_ms,
            });
            out.push(Effect::Changed { job });
        }
        assignments
    }

    fn report(
        &mut self,
        now: Tick,
        device: DeviceId,
        report: Report,
        delivered: &BTreeMap<ReplicaId, (u64, Digest)>,
        out: &mut Vec<Effect>,
    ) {
        let id = replica_of(&report.receipt);
        let facts = output_facts(&report.output, &id, delivered);
        let verdict = match self.jobs.get(&id.job) {
            None => Err(DiscardReason::JobOver),
            Some(active) => active.admit(&report.receipt, device, facts, &self.settings.genesis),
        };
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        match verdict {
            Ok(Admission::Repeated(ticket)) => {
                known.acknowledge_again(id, ticket, self.persisted);
            }
            Err(reason) => {
                let was_given = known.in_hand.contains(&id);
                known.discard(id, reason);
                if was_given && reason == DiscardReason::Invalid {
                    self.release_at(now, id, device, ReleaseCause::Failed, out);
                }
            }
            Ok(Admission::New) => {
                known.in_hand.retain(|held| *held != id);
                let (output, place) = match report.output {
                    Output::Inline(bytes) => {
                        let place = OutputPlace::Inline {
                            bytes: bytes.len() as u64,
                        };
                        (Some(bytes), place)
                    }
                    Output::Delivered { bytes } => (None, OutputPlace::File { bytes }),
                };
                let entry = Entry::Reported {
                    receipt: report.receipt.clone(),
                    output: place,
                };
                let (ticket, _) = self.append(id.job, entry, output, out);
                if let Some(known) = self.devices.get_mut(&device) {
                    known.unconfirmed.push((ticket, id));
                }
                if let Some(active) = self.jobs.get_mut(&id.job) {
                    active.reported(ticket, &report.receipt);
                }
                self.judge(now, id.job, id.task, out);
            }
        }
    }

    /// Takes back what silent devices hold and what ran over its time.
    pub(super) fn release_overdue(&mut self, now: Tick, out: &mut Vec<Effect>) {
        if now < self.next_check {
            return;
        }
        self.next_check = now.plus_ms(CHECK_MS);
        for device in self.devices.overdue(now) {
            let Some(known) = self.devices.0.remove(&device) else {
                continue;
            };
            if known.connected {
                out.push(Effect::Dismiss { device });
            }
            for id in known.in_hand {
                self.release_at(now, id, device, ReleaseCause::Late, out);
            }
        }
        let overdue: Vec<_> = self
            .jobs
            .values()
            .flat_map(|job| job.overdue(now))
            .collect();
        for (id, device) in overdue {
            if let Some(known) = self.devices.get_mut(&device) {
                known.discard(id, DiscardReason::NotAssigned);
            }
            self.release_at(now, id, device, ReleaseCause::Late, out);
        }
        self.decide_certain(now, out);
    }
}
