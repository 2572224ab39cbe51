//! What is known of one masternode.

use super::{Tick, backoff::Backoff};
use crate::limits::{
    ASK_AGAIN_MS, EXCHANGES_IN_FLIGHT_MAX, HEARTBEAT_MS_MIN, PAUSE_MS_MAX, PAUSE_MS_MIN,
    REFUSED_PAUSE_MS_MAX, REFUSED_PAUSE_MS_MIN,
};
use quern_protocol::{
    BenchmarkAnswer, Exchange, HandBack, Progress, Refusal, Welcome, Work,
    limits::{HEARTBEAT, TASKS_IN_HAND_MAX},
};

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) link: Link,
    /// Replicas to give back with the next exchange.
    pub(super) hand_backs: Vec<HandBack>,
    /// What came of a benchmark, to go with the next exchange.
    pub(super) benchmark_answer: Option<BenchmarkAnswer>,
    /// The number of one that is declined, to go with the next exchange.
    pub(super) unavailable_for: Option<u64>,
    /// When something was last said over the connection that stands.
    pub(super) said_at: Tick,
    /// When it may be asked for work.
    pub(super) ask_at: Tick,
    in_flight: Vec<Flight>,
    /// The number of the exchange sent last.
    newest: u64,
    /// What was said over the connection that stands of the tasks in hand.
    told_progress: Vec<Progress>,
    /// The last reading of the machine that was told over it; 0 before the first.
    told_reading: u64,
    heartbeat_ms: u64,
    /// Connections in a row that failed, or over which the device was refused.
    failures: u32,
}

/// The connection with a masternode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// There is none; one is to be made then.
    Waiting { until: Tick },
    /// It is being made.
    Connecting { connection: u64 },
    /// It stands, and the hello is on its way.
    Greeting { connection: u64 },
    /// The device was let in.
    Open { connection: u64 },
}

/// An exchange without an answer yet.
#[derive(Clone, Copy, Debug)]
struct Flight {
    number: u64,
    sent_at: Tick,
    want: u8,
    /// It gives replicas back, or declines a benchmark.
    gives_back: bool,
}

impl Link {
    /// Whether this is the connection of that number.
    pub(super) fn is(&self, number: u64) -> bool {
        match self {
            Self::Waiting { .. } => false,
            Self::Connecting { connection }
            | Self::Greeting { connection }
            | Self::Open { connection } => *connection == number,
        }
    }

    /// Whether it is time to make one.
    pub(super) fn is_due(&self, now: Tick) -> bool {
        matches!(self, Self::Waiting { until } if *until <= now)
    }
}

impl Session {
    pub(super) fn new(now: Tick) -> Self {
        Self {
            link: Link::Waiting { until: now },
            hand_backs: Vec::new(),
            benchmark_answer: None,
            unavailable_for: None,
            said_at: now,
            ask_at: now,
            in_flight: Vec::new(),
            newest: 0,
            told_progress: Vec::new(),
            told_reading: 0,
            heartbeat_ms: default_heartbeat_ms(),
            failures: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_connection().is_some()
    }

    /// The connection over which the device was let in.
    pub(super) fn open_connection(&self) -> Option<u64> {
        match self.link {
            Link::Open { connection } => Some(connection),
            _ => None,
        }
    }

    pub(super) fn told_progress(&self) -> &[Progress] {
        &self.told_progress
    }

    pub(super) fn told_reading(&self) -> u64 {
        self.told_reading
    }

    /// Whether the masternode was told over this connection what the device holds.
    pub(super) fn was_greeted(&self) -> bool {
        matches!(self.link, Link::Greeting { .. } | Link::Open { .. })
    }

    pub(super) fn open(&mut self, now: Tick, connection: u64, welcome: Welcome) {
        self.link = Link::Open { connection };
        self.failures = 0;
        self.said_at = now;
        self.ask_at = now;
        let wanted_ms = u64::from(welcome.heartbeat_ms);
        self.heartbeat_ms = wanted_ms.clamp(HEARTBEAT_MS_MIN, default_heartbeat_ms());
    }

    /// The connection is gone. Replicas to give back are taken back by the masternode anyway,
    /// because the next hello does not name them. A benchmark is timed over its connection.
    pub(super) fn disconnect(&mut self, now: Tick, backoff: &mut Backoff) {
        self.failures = self.failures.saturating_add(1);
        let pause = backoff.pause_ms(self.failures, PAUSE_MS_MIN, PAUSE_MS_MAX);
        self.link = Link::Waiting {
            until: now.after(pause),
        };
        self.in_flight.clear();
        self.hand_backs.clear();
        self.benchmark_answer = None;
        self.unavailable_for = None;
        self.told_progress.clear();
        self.told_reading = 0;
    }

    /// The masternode does not serve the device for now. Called after [`Session::disconnect`];
    /// returns the pause.
    pub(super) fn refuse(&mut self, now: Tick, refusal: Refusal, backoff: &mut Backoff) -> u64 {
        let min = match refusal {
            Refusal::Starting | Refusal::NoHello => PAUSE_MS_MIN,
            _ => REFUSED_PAUSE_MS_MIN,
        };
        let pause = backoff.pause_ms(self.failures, min, REFUSED_PAUSE_MS_MAX);
        self.link = Link::Waiting {
            until: now.after(pause),
        };
        pause
    }

    /// Whether an exchange may be sent now.
    pub(super) fn may_send(&self) -> bool {
        self.is_open() && self.in_flight.len() < EXCHANGES_IN_FLIGHT_MAX
    }

    /// Whether no exchange waits for its answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// When the newest wish for work was sent, if it is not answered yet and no newer exchange took
    /// it back.
    pub(super) fn wish_sent_at(&self) -> Option<Tick> {
        self.in_flight
            .last()
            .filter(|flight| flight.want > 0)
            .map(|flight| flight.sent_at)
    }

    /// When the next heartbeat is due.
    pub(super) fn heartbeat_at(&self) -> Option<Tick> {
        (self.is_open() && self.is_quiet()).then(|| self.said_at.after(self.heartbeat_ms))
    }

    /// Whether all that was to be given back is known to have arrived, or cannot be said any more.
    pub(super) fn has_said_all(&self) -> bool {
        !self.is_open()
            || (self.hand_backs.is_empty()
                && self.unavailable_for.is_none()
                && !self.in_flight.iter().any(|flight| flight.gives_back))
    }

    /// Completes the next exchange with what is to be given back and answered, and names the
    /// connection to send it over. It tells of the machine up to this reading.
    pub(super) fn send(
        &mut self,
        now: Tick,
        number: u64,
        reading: u64,
        mut exchange: Exchange,
    ) -> Option<(u64, Exchange)> {
        let connection = self.open_connection()?;
        let given = self.hand_backs.len().min(TASKS_IN_HAND_MAX);
        exchange.handed_back = self.hand_backs.drain(..given).collect();
        exchange.benchmark = self.benchmark_answer.take();
        exchange.unavailable_for = self.unavailable_for.take();
        self.in_flight.push(Flight {
            number,
            sent_at: now,
            want: exchange.want,
            gives_back: !exchange.handed_back.is_empty() || exchange.unavailable_for.is_some(),
        });
        self.newest = number;
        self.said_at = now;
        self.told_reading = reading;
        self.told_progress.clone_from(&exchange.progress);
        Some((connection, exchange))
    }

    /// Takes the answer to an exchange.
    pub(super) fn answered(&mut self, now: Tick, number: u64, work: &Work) {
        let Some(place) = self
            .in_flight
            .iter()
            .position(|flight| flight.number == number)
        else {
            return;
        };
        let flight = self.in_flight.remove(place);
        // An older exchange is let go when a newer one comes; that says nothing about work.
        let is_overtaken = flight.number != self.newest;
        if !work.assignments.is_empty() {
            self.ask_at = now;
        } else if flight.want > 0 && !is_overtaken {
            let pause = u64::from(work.ask_again_ms);
            self.ask_at = now.after(pause.clamp(*ASK_AGAIN_MS.start(), *ASK_AGAIN_MS.end()));
        }
    }
}

fn default_heartbeat_ms() -> u64 {
    u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX)
}
