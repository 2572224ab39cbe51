//! The worker's decisions: which masternode to ask, what to run next, what to repeat, when to stop.
//! Pure: events in, effects out; time and seed are arguments.
//!
//! # Sessions
//!
//! A worker keeps one session with every masternode it knows, because every job has a masternode of
//! its own and a device that talks to one of them leaves the other jobs waiting. Tasks in hand are
//! counted over all sessions. The wish for work is with one session at a time, so that several
//! masternodes do not fill the same place twice.
//!
//! # A task
//!
//! ```text
//!  assigned ── Prepare ─► prepared ── Run ─► ran ── (Deliver) ─► report ── Ask ─► acknowledged
//!     │                      │                │                    ▲        │
//!     └────── given back ◄───┴─ not possible ◄┘                    └ repeat ┘
//! ```
//!
//! A task is in hand until its report is made. A report is kept, and repeated after a reconnection,
//! until the masternode has acknowledged or discarded it.
//!
//! Once a task is prepared, each exchange shows the masternode that its shard is here, and so does the one
//! with its commitment or report: which of them arrives first does not matter then.
//!
//! Where others compute the same, a commitment goes before the report, which then waits until the
//! masternode asks for it. After a reconnection the commitment goes first again. A worker that stops, or
//! that has no room for more reports, does not wait.
//!
//! # Exchanges
//!
//! An exchange says how many more tasks the device wants now; a newer one replaces the wish of one
//! before it. The masternode counts what it has given by its own books and never gives more than a
//! device may hold, so two exchanges on their way do no harm. What comes over all the same is given
//! back.
//!
//! # The machine's owner
//!
//! [`Event::Measured`] says how the machine is and whether its owner's rules let it be used; `offer`
//! does what follows from it. [`Event::Allowed`] says how much memory one task may have; `memory`
//! sees to it. `benchmark` runs what masternodes send to learn how fast the machine is, or declines it.
//!
//! # Time
//!
//! Everything that happens at a time is decided by one function that says when it is due
//! (`exchange_due_at`, `wish_passes_at`); [`Core::next_wakeup`] is made of the same functions, so
//! it is never a time at which nothing happens.

mod acknowledged;
mod backoff;
mod benchmark;
mod event;
mod exchange;
mod memory;
mod offer;
mod session;
mod stop;
mod task;
#[cfg(test)]
mod tests;
mod wish;
mod work;

pub use event::{Effect, Event, Fault, Finished, Notice, Restored, Sealed};

use crate::limits::{MASTERNODES_MAX, UNACKNOWLEDGED_MAX};
use backoff::Backoff;
use offer::Offer;
use quern_primitives::{
    device::Class,
    ids::{DeviceId, Digest, JobId},
};
use quern_protocol::{
    Hello, Machine, Refusal, ReplicaId, Request, Response, WORKER_VERSION, Welcome,
};
use session::{Link, Session};
use std::collections::BTreeMap;
use stop::Stopping;
use task::{Outgoing, Task};
use wish::Wish;

/// Milliseconds since the worker's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub u64);

impl Tick {
    fn after(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

/// What a worker is told once.
#[derive(Clone, Debug)]
pub struct CoreSettings {
    /// Name and version of this software, as masternodes hear it.
    pub software: Vec<u8>,
    /// The classes this machine can run, with the digest of each one's engine.
    pub engines: Vec<(Class, Digest)>,
    /// What this machine is, as masternodes hear it.
    pub machine: Machine,
    /// Memory that one task may have on this machine, until [`Event::Allowed`] says otherwise.
    pub memory_bytes_max: u64,
    /// How long a stopping worker lets the running task go on, in milliseconds.
    pub stop_grace_ms: u64,
    /// Take work until one task is acknowledged, then stop.
    pub once: bool,
    /// What the jitter of pauses is drawn from.
    pub seed: u64,
}

/// The state of a worker.
#[derive(Clone, Debug)]
pub struct Core {
    settings: CoreSettings,
    sessions: BTreeMap<DeviceId, Session>,
    /// Tasks in hand; those in the sandbox's queue run in this order.
    tasks: Vec<Task>,
    /// Reports not acknowledged.
    outgoing: BTreeMap<ReplicaId, Outgoing>,
    wish: Wish,
    offer: Offer,
    /// The job of which the owner was last told that its tasks are too large for this machine.
    told_too_large: Option<JobId>,
    /// The benchmark that runs.
    benchmarking: Option<benchmark::Running>,
    backoff: Backoff,
    /// Counts connections and exchanges, so that news of an older one is told apart.
    next_number: u64,
    acknowledged: u64,
    stopping: Option<Stopping>,
    effects: Vec<Effect>,
}

impl Core {
    /// A worker that has just started, with the reports it still owed when it last stopped.
    pub fn new(settings: CoreSettings, restored: Vec<Restored>) -> Self {
        let backoff = Backoff::new(settings.seed);
        let outgoing = restored
            .into_iter()
            .take(UNACKNOWLEDGED_MAX)
            .map(
                |Restored {
                     masternode,
                     finished,
                 }| {
                    (
                        finished.id(),
                        Outgoing::new(masternode, finished, Tick::default()),
                    )
                },
            )
            .collect();
        Self {
            settings,
            sessions: BTreeMap::new(),
            tasks: Vec::new(),
            outgoing,
            wish: Wish::default(),
            offer: Offer::default(),
            told_too_large: None,
            benchmarking: None,
            backoff,
            next_number: 0,
            acknowledged: 0,
            stopping: None,
            effects: Vec::new(),
        }
    }

    /// Takes an event and says what is to be done about it, in this order.
    pub fn step(&mut self, now: Tick, event: Event) -> Vec<Effect> {
        self.on_event(now, event);
        self.advance(now);
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Woken`] is due if nothing else happens before.
    pub fn next_wakeup(&self) -> Option<Tick> {
        if self.has_left() {
            return None;
        }
        let sessions =
            self.sessions
                .iter()
                .filter_map(|(masternode, session)| match session.link {
                    Link::Waiting { until } => Some(until),
                    Link::Connecting { .. } | Link::Greeting { .. } => None,
                    Link::Open { .. } => self.exchange_due_at(masternode, session),
                });
        let stop = self.stopping.as_ref().map(Stopping::wakeup);
        let wish = self.wish_passes_at().map(|(at, _)| at);
        sessions.chain(stop).chain(wish).min()
    }

    /// Tasks that were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Replicas in hand.
    pub fn in_hand(&self) -> impl Iterator<Item = ReplicaId> {
        self.tasks.iter().map(|task| task.id)
    }

    /// The reports that are not acknowledged, with the masternode each is for: what is to be kept
    /// when the worker leaves.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (&DeviceId, &Finished)> {
        self.outgoing
            .values()
            .map(|outgoing| (&outgoing.masternode, &outgoing.finished))
    }

    fn on_event(&mut self, now: Tick, event: Event) {
        match event {
            Event::Woken => {}
            Event::Masternodes(masternodes) => self.on_masternodes(now, &masternodes),
            Event::Connected {
                masternode,
                connection,
            } => {
                self.on_connected(masternode, connection);
            }
            Event::Disconnected {
                masternode,
                connection,
            } => {
                self.on_disconnected(now, masternode, connection);
            }
            Event::Answered {
                masternode,
                connection,
                number,
                answer,
            } => {
                self.on_answered(now, masternode, connection, number, answer);
            }
            Event::Acknowledged { masternode, words } => {
                self.on_acknowledged(now, masternode, words);
            }
            Event::Prepared { held } => self.on_prepared(held),
            Event::Failed { id, fault } => self.on_failed(id, fault),
            Event::Ran { finished } => self.on_ran(now, finished),
            Event::Delivered { id } => self.on_delivered(now, id),
            Event::Measured { state, verdict } => self.on_measured(state, verdict),
            Event::Allowed { memory_bytes_max } => self.on_allowed(memory_bytes_max),
            Event::Benchmarked { output } => self.on_benchmarked(output),
            Event::Stop => self.begin_stop(now),
        }
    }

    /// Does all that is due.
    fn advance(&mut self, now: Tick) {
        if self.has_left() {
            return;
        }
        self.continue_stop(now);
        self.connect_due(now);
        self.pass_wish(now);
        self.reveal_unasked(now);
        self.send_due_exchanges(now);
        self.leave_if_done(now);
    }

    fn has_left(&self) -> bool {
        self.stopping.is_some_and(|stopping| stopping.has_left)
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn on_masternodes(&mut self, now: Tick, masternodes: &[DeviceId]) {
        for masternode in masternodes.iter().take(MASTERNODES_MAX) {
            self.sessions
                .entry(*masternode)
                .or_insert_with(|| Session::new(now));
        }
        // One that is no longer listed settles nothing any more: what it is owed is of no use.
        let gone: Vec<DeviceId> = self
            .sessions
            .keys()
            .filter(|known| !masternodes.contains(known))
            .copied()
            .collect();
        for masternode in gone {
            self.sessions.remove(&masternode);
            self.effects.push(Effect::Close { masternode });
        }
        self.drop_ownerless();
    }

    /// Drops tasks and reports whose masternode is not known any more.
    fn drop_ownerless(&mut self) {
        let Self {
            sessions,
            tasks,
            outgoing,
            effects,
            ..
        } = self;
        tasks.retain(|task| {
            let is_owned = sessions.contains_key(&task.masternode);
            if !is_owned {
                effects.push(Effect::Abandon { id: task.id });
            }
            is_owned
        });
        outgoing.retain(|id, report| {
            let is_owned = sessions.contains_key(&report.masternode);
            if !is_owned {
                effects.push(Effect::Forget { id: *id });
            }
            is_owned
        });
    }

    fn owes(&self, masternode: &DeviceId) -> bool {
        self.outgoing
            .values()
            .any(|outgoing| outgoing.masternode == *masternode)
    }

    fn connect_due(&mut self, now: Tick) {
        let due: Vec<DeviceId> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.link.is_due(now))
            .map(|(masternode, _)| *masternode)
            .collect();
        for masternode in due {
            let connection = self.number();
            if let Some(session) = self.sessions.get_mut(&masternode) {
                session.link = Link::Connecting { connection };
                self.effects.push(Effect::Connect {
                    masternode,
                    connection,
                });
            }
        }
    }

    fn on_connected(&mut self, masternode: DeviceId, connection: u64) {
        let in_hand = self.held_for(&masternode);
        let Some(session) = self
            .sessions
            .get_mut(&masternode)
            .filter(|session| session.link.is(connection))
        else {
            return;
        };
        session.link = Link::Greeting { connection };
        let request = Request::Hello(Hello {
            software: self.settings.software.clone(),
            engines: self.settings.engines.clone(),
            in_hand,
            version: WORKER_VERSION,
            machine: self.settings.machine.clone(),
        });
        self.effects.push(Effect::Ask {
            masternode,
            connection,
            number: 0,
            request,
        });
    }

    /// What the device still has of a masternode: tasks in hand and reports not acknowledged.
    fn held_for(&self, masternode: &DeviceId) -> Vec<ReplicaId> {
        let tasks = self
            .tasks
            .iter()
            .filter(|task| task.masternode == *masternode);
        let reports = self
            .outgoing
            .iter()
            .filter(|(_, report)| report.masternode == *masternode);
        let mut held: Vec<ReplicaId> = tasks
            .map(|task| task.id)
            .chain(reports.map(|(id, _)| *id))
            .collect();
        held.sort_unstable();
        held.dedup();
        held
    }

    fn on_disconnected(&mut self, now: Tick, masternode: DeviceId, connection: u64) {
        let Some(session) = self
            .sessions
            .get_mut(&masternode)
            .filter(|session| session.link.is(connection))
        else {
            return;
        };
        session.disconnect(now, &mut self.backoff);
        for outgoing in self
            .outgoing
            .values_mut()
            .filter(|out| out.masternode == masternode)
        {
            outgoing.set_unsent();
        }
    }

    fn close(&mut self, now: Tick, masternode: DeviceId, connection: u64) {
        self.on_disconnected(now, masternode, connection);
        self.effects.push(Effect::Close { masternode });
    }

    fn on_answered(
        &mut self,
        now: Tick,
        masternode: DeviceId,
        connection: u64,
        number: u64,
        answer: Option<Response>,
    ) {
        let Some(session) = self
            .sessions
            .get_mut(&masternode)
            .filter(|session| session.link.is(connection))
        else {
            return;
        };
        match (answer, &session.link) {
            (Some(Response::Welcome(welcome)), Link::Greeting { .. }) => {
                self.on_welcome(now, masternode, connection, welcome);
            }
            (Some(Response::Work(work)), Link::Open { .. }) => {
                session.answered(now, number, &work);
                if self.wish.holder == Some(masternode) {
                    let given = u32::try_from(work.assignments.len()).unwrap_or(u32::MAX);
                    self.wish.given = self.wish.given.saturating_add(given);
                }
                self.on_work(now, masternode, work);
            }
            (Some(Response::Refused(refusal)), _) => {
                self.on_refused(now, masternode, connection, refusal);
            }
            // No answer, or one that does not fit the question: begin anew.
            _ => self.close(now, masternode, connection),
        }
    }

    fn on_welcome(&mut self, now: Tick, masternode: DeviceId, connection: u64, welcome: Welcome) {
        if let Some(session) = self.sessions.get_mut(&masternode) {
            session.open(now, connection, welcome);
        }
        self.effects.push(Effect::Opened {
            masternode,
            connection,
        });
        self.effects
            .push(Effect::Tell(Notice::Welcomed { masternode }));
        // What was delivered in part, or before a crash of the masternode, is delivered again; it
        // says how much of it it has.
        self.deliver(|to| *to == masternode);
    }

    fn on_refused(&mut self, now: Tick, masternode: DeviceId, connection: u64, refusal: Refusal) {
        self.close(now, masternode, connection);
        if let Some(session) = self.sessions.get_mut(&masternode) {
            let pause_ms = session.refuse(now, refusal, &mut self.backoff);
            self.effects.push(Effect::Tell(Notice::Refused {
                masternode,
                refusal,
                pause_ms,
            }));
        }
    }
}
