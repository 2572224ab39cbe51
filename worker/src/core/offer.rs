//! Whether the machine is offered, and what masternodes are told of how it is.
//!
//! While its owner's rules hold the machine back nothing is asked for: a wish that is out is taken
//! back, and tasks that only wait are given back at once, as when the worker stops. Connections
//! stand, so that masternodes hear why, and that it is over.
//!
//! The task that runs may end if nothing but the hour, the network or the data moved holds the
//! machine back: it was begun while that was allowed, and its work would be lost. A person who is
//! back, programs that need the processor, a hot machine or an empty battery cannot wait
//! ([`Withheld::is_urgent`]): then it is given back, too, and a benchmark is declined. What has run
//! is reported and delivered whatever holds the machine back; it is owed. Only over a network that is
//! not allowed nothing large is sent: a result that does not fit into a report waits for another one.

use super::{
    Core, Tick,
    event::{Effect, Notice},
    session::Session,
    task::Stage,
};
use crate::availability::{Verdict, Withheld};
use quern_primitives::ids::DeviceId;
use quern_protocol::{HandBackReason, State};

/// What was seen of the machine last.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    verdict: Verdict,
    /// `None` before the first reading.
    state: Option<State>,
    /// Counts readings.
    reading: u64,
    /// The reading from which on the reasons, and what a task may have, are what they are.
    changed_with: u64,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            verdict: Verdict::Available,
            state: None,
            reading: 0,
            changed_with: 0,
        }
    }
}

impl Offer {
    /// Whether the owner's rules hold the machine back.
    pub(super) fn is_withheld(&self) -> bool {
        !self.verdict.is_available()
    }

    /// Whether the network may be used for results that do not fit into a report.
    pub(super) fn may_deliver(&self) -> bool {
        let mut reasons = self.verdict.reasons().iter();
        !reasons.any(|it| matches!(it, Withheld::NetworkNotAllowed { .. }))
    }

    /// The number of the last reading.
    pub(super) fn reading(&self) -> u64 {
        self.reading
    }

    /// A task may have another part of the machine than was told: masternodes hear of it at once. Before
    /// the first reading none was told.
    pub(super) fn note_other_part(&mut self) {
        if self.state.is_some() {
            self.reading += 1;
            self.changed_with = self.reading;
        }
    }

    /// How the machine is, for whom this reading was the last it was told of.
    pub(super) fn news_since(&self, reading: u64) -> Option<&State> {
        self.state.as_ref().filter(|_| reading < self.reading)
    }
}

impl Core {
    /// When a masternode is to be told that the machine is offered no longer, or again, or that a task
    /// may have more or less of it. How the machine is goes along with whatever else is said.
    pub(super) fn offer_due_at(&self, session: &Session) -> Option<Tick> {
        (session.told_reading() < self.offer.changed_with).then(Tick::default)
    }

    pub(super) fn on_measured(&mut self, state: State, verdict: Verdict) {
        let offer = &mut self.offer;
        offer.reading += 1;
        let reasons = offer.state.as_ref().map(|last| last.unavailable.as_slice());
        if reasons.unwrap_or_default() != state.unavailable {
            offer.changed_with = offer.reading;
        }
        let is_news = !verdict.is_like(&offer.verdict);
        let might_deliver = offer.may_deliver();
        offer.state = Some(state);
        offer.verdict = verdict.clone();
        if !might_deliver {
            self.deliver(|_| true);
        }
        if is_news {
            let notice = match &verdict {
                Verdict::Available => Notice::Available,
                Verdict::Withheld(_) => Notice::Withheld {
                    verdict: verdict.clone(),
                },
            };
            self.effects.push(Effect::Tell(notice));
        }
        if self.offer.is_withheld() {
            self.withhold(verdict.reasons().iter().any(Withheld::is_urgent));
        }
    }

    /// Has the results delivered that are owed to these masternodes, as far as they are reached and the network may be
    /// used for it.
    pub(super) fn deliver(&mut self, to: impl Fn(&DeviceId) -> bool) {
        if !self.offer.may_deliver() {
            return;
        }
        let is_reached = |masternode: &DeviceId| {
            let session = self.sessions.get(masternode);
            session.is_some_and(Session::is_open) && to(masternode)
        };
        let owed = self
            .outgoing
            .iter()
            .filter(|(_, outgoing)| !outgoing.is_delivered() && is_reached(&outgoing.masternode));
        let owed = owed.map(|(id, _)| Effect::Deliver { id: *id });
        self.effects.extend(owed);
    }

    fn withhold(&mut self, is_urgent: bool) {
        self.give_back_waiting();
        if is_urgent {
            self.give_back(HandBackReason::Stopping, |task| task.stage == Stage::Queued);
            self.stop_benchmark();
        }
    }
}
