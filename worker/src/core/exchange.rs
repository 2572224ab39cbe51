//! When to say something to a masternode, and what.

use super::{
    Core, Tick,
    event::Effect,
    session::Session,
    task::{self, Stage},
};
use crate::limits::{BATCH_MS, POLL_MS, PROGRESS_MS, UNACKNOWLEDGED_MAX};
use quern_primitives::ids::DeviceId;
use quern_protocol::{Exchange, Held, ReplicaId, Request, State};
use std::collections::BTreeMap;

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

impl Core {
    /// When an exchange with this masternode is due if nothing happens before; a time that has
    /// passed means now.
    pub(super) fn exchange_due_at(&self, masternode: &DeviceId, session: &Session) -> Option<Tick> {
        if !session.may_send() {
            return None;
        }
        let at_once = !session.hand_backs.is_empty()
            || session.benchmark_answer.is_some()
            || session.unavailable_for.is_some();
        let at_once = at_once.then(Tick::default);
        let batch_until = self.batch_until(masternode);
        let in_batch = |at: Tick| batch_until.map_or(at, |until| at.max(until));
        let reports = self
            .outgoing
            .values()
            .filter(|outgoing| outgoing.masternode == *masternode)
            .filter_map(|outgoing| outgoing.due_at())
            .min()
            .map(in_batch);
        let wish = self.wish_due_at(masternode, session).map(in_batch);
        let only_waits = self.only_waits() && self.owes(masternode);
        let poll = (session.is_quiet() && (only_waits || self.awaits(masternode)))
            .then(|| session.said_at.after(POLL_MS));
        let progress = task::has_moved(&self.tasks, masternode, session.told_progress())
            .then(|| session.said_at.after(PROGRESS_MS));
        [
            at_once,
            reports,
            wish,
            poll,
            progress,
            self.offer_due_at(session),
            session.heartbeat_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Until when a new report waits for that of another task in the sandbox's queue, to share an
    /// exchange with it.
    fn batch_until(&self, masternode: &DeviceId) -> Option<Tick> {
        let more_is_coming = self.tasks.iter().any(|task| task.stage == Stage::Queued);
        let first_made_at = self
            .outgoing
            .values()
            .filter(|outgoing| outgoing.masternode == *masternode && outgoing.is_new())
            .map(|outgoing| outgoing.made_at)
            .min()?;
        more_is_coming.then(|| first_made_at.after(BATCH_MS))
    }

    /// Whether nothing but acknowledgements is waited for.
    fn only_waits(&self) -> bool {
        !self.outgoing.is_empty()
            && (self.stopping.is_some()
                || self.settings.once
                || self.outgoing.len() >= UNACKNOWLEDGED_MAX)
    }

    /// Whether this masternode has a commitment and has not asked for the report.
    fn awaits(&self, masternode: &DeviceId) -> bool {
        let mut outgoing = self.outgoing.values();
        outgoing.any(|report| report.masternode == *masternode && report.waits())
    }

    /// Whether reports go out without being asked for: the worker stops, or has no room for more.
    pub(super) fn cannot_wait(&self) -> bool {
        self.stopping.is_some() || self.outgoing.len() >= UNACKNOWLEDGED_MAX
    }

    /// Reports all that waits to be asked for, if the worker cannot wait.
    pub(super) fn reveal_unasked(&mut self, now: Tick) {
        if self.cannot_wait() {
            let waiting = self.outgoing.values_mut().filter(|report| report.waits());
            waiting.for_each(|report| report.ask(now));
        }
    }

    pub(super) fn send_due_exchanges(&mut self, now: Tick) {
        let masternodes: Vec<DeviceId> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.may_send())
            .map(|(masternode, _)| *masternode)
            .collect();
        for masternode in masternodes {
            while let Some(session) = self.sessions.get(&masternode)
                && self
                    .exchange_due_at(&masternode, session)
                    .is_some_and(|at| at <= now)
            {
                self.send_exchange(now, masternode);
            }
        }
    }

    fn send_exchange(&mut self, now: Tick, masternode: DeviceId) {
        let (want, is_busy) = (self.want_from(&masternode), self.is_busy());
        let number = self.number();
        let progress = task::progress(&self.tasks, &masternode).collect();
        let cannot_wait = self.cannot_wait();
        let outgoing = &mut self.outgoing;
        let commitments = task::take_commitments(outgoing, &masternode, now, cannot_wait);
        let reports = task::take_reports(outgoing, &masternode, now);
        let committed = commitments.iter().map(|(held, _)| *held);
        let reported = reports.iter().map(|(held, _)| *held);
        let held = task::held(&self.tasks, &masternode).chain(committed);
        // Each once: what is committed may be reported in the same breath.
        let holds: BTreeMap<ReplicaId, Held> =
            held.chain(reported).map(|held| (held.id, held)).collect();
        let waits = self.awaits(&masternode);
        let Some(session) = self.sessions.get_mut(&masternode) else {
            return;
        };
        let told = self.offer.news_since(session.told_reading());
        let state = told.map(|state| State {
            task_memory_mib: Some(self.settings.memory_bytes_max / MIB),
            ..state.clone()
        });
        let exchange = Exchange {
            holds: holds.into_values().collect(),
            commitments: commitments.into_iter().map(|(_, it)| it).collect(),
            reports: reports.into_iter().map(|(_, it)| it).collect(),
            progress,
            want,
            waits,
            is_busy,
            state,
            ..Exchange::default()
        };
        let reading = self.offer.reading();
        if let Some((connection, exchange)) = session.send(now, number, reading, exchange) {
            let request = Request::Exchange(exchange);
            self.effects.push(Effect::Ask {
                masternode,
                connection,
                number,
                request,
            });
        }
    }
}
