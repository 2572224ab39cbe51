//! Connections between devices and the masternode, and what they do to messages.
//!
//! A request is answered or not; one that is not is given up after a while. Messages arrive in any
//! order, are lost, and come twice, the second time as late as some seconds after the first; none comes
//! over a connection that has ended.

use super::{
    machine::AtDevice,
    office::{Asked, REQUEST_MS},
    violation::Violation,
    world::{Coming, World},
};
use quern_protocol::{Message as _, Request, Response};
use rand::RngExt as _;

/// How much the time of a message varies, in milliseconds.
const JITTER_MS: u64 = 10;

/// How much later a message comes for the second time at the most, in milliseconds.
const TWICE_MS: u64 = 8_000;

/// A closed connection is noticed so much later than what was said over it, in milliseconds.
const LINGER_MS: u64 = 2 * JITTER_MS;

/// A connection over which nothing comes is given up after so long, in milliseconds.
pub(super) const KEEPALIVE_MS: u64 = 15_000;

/// A connection that nobody answers is given up after so long, in milliseconds.
const CONNECT_MS: u64 = 10_000;

/// A connection of a device in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) device: u32,
    pub(super) life: u32,
    pub(super) connection: u64,
}

/// A request on its way.
pub(super) struct Sent {
    link: Link,
    number: u64,
    request: Request,
}

impl World<'_> {
    /// How long a message takes.
    fn latency_ms(&mut self, device: u32) -> u64 {
        let jitter = self.chance.random_range(0..JITTER_MS);
        self.machine(device).latency_ms + jitter
    }

    pub(super) fn plan_at_device(&mut self, device: u32, in_ms: u64, what: AtDevice) {
        let life = self.machine(device).life;
        self.clock
            .plan(in_ms, Coming::Device { device, life, what });
    }

    /// A device makes a connection.
    pub(super) fn connects(&mut self, device: u32, connection: u64) {
        let there_and_back = 2 * self.latency_ms(device);
        let machine = self.machine(device);
        machine.connection = Some(connection);
        machine.is_connected = false;
        let (in_ms, what) = match (machine.cuts > 0, self.office.core.is_some()) {
            (true, _) => (CONNECT_MS, AtDevice::Disconnected { connection }),
            (false, false) => (there_and_back, AtDevice::Disconnected { connection }),
            (false, true) => (there_and_back, AtDevice::Connected { connection }),
        };
        self.plan_at_device(device, in_ms, what);
    }

    /// A device ends its connection.
    pub(super) fn hangs_up(&mut self, device: u32) {
        let in_ms = self.latency_ms(device) + LINGER_MS;
        let machine = self.machine(device);
        if let Some(link) = machine.link() {
            let in_ms = if machine.cuts > 0 {
                KEEPALIVE_MS
            } else {
                in_ms
            };
            self.clock.plan(in_ms, Coming::LinkEnds(link));
        }
        let machine = self.machine(device);
        machine.connection = None;
        machine.is_connected = false;
    }

    /// A device will notice that a connection has ended at the masternode.
    pub(super) fn device_loses(&mut self, link: Link) {
        let Link {
            device,
            life,
            connection,
        } = link;
        let cuts = self.machine(device).cuts;
        let in_ms = match cuts {
            0 => self.latency_ms(device) + LINGER_MS,
            _ => KEEPALIVE_MS,
        };
        let what = AtDevice::Disconnected { connection };
        self.clock
            .plan(in_ms, Coming::Device { device, life, what });
    }

    /// The masternode notices that a connection has ended.
    pub(super) fn link_ends(&mut self, link: Link) -> Result<(), Violation> {
        let device = link.device;
        let Some(links) = self.office.links.get_mut(&device) else {
            return Ok(());
        };
        if !links.remove(&link) || !links.is_empty() {
            return Ok(());
        }
        self.office.links.remove(&device);
        self.office.greeted.remove(&device);
        let device = self.machine(device).id;
        self.office_step(quern_masternode::core::Event::Gone { device })
    }

    /// A device sends a request over its connection, if that stands.
    pub(super) fn sends(
        &mut self,
        device: u32,
        connection: u64,
        number: u64,
        request: Request,
    ) -> Result<(), Violation> {
        request.check().map_err(|why| Violation::Message { why })?;
        let link = self.machine(device).link();
        let Some(link) = link.filter(|link| link.connection == connection) else {
            return Ok(());
        };
        if self.loses(device) {
            self.never_heard(link, number);
            return Ok(());
        }
        if self.goes_wrong(self.config.faults.duplicate) {
            self.counts.doubled += 1;
            let later_ms = match self.chance.random::<bool>() {
                true => self.chance.random_range(0..TWICE_MS),
                false => 0,
            };
            self.sends_one(link, number, request.clone(), later_ms);
        }
        self.sends_one(link, number, request, 0);
        Ok(())
    }

    fn sends_one(&mut self, link: Link, number: u64, request: Request, later_ms: u64) {
        let in_ms = self.latency_ms(link.device) + later_ms;
        let sent = Sent {
            link,
            number,
            request,
        };
        self.clock.plan(in_ms, Coming::Request(Box::new(sent)));
    }

    /// A request comes to the masternode.
    pub(super) fn arrives(&mut self, sent: Sent) -> Result<(), Violation> {
        let Sent {
            link,
            number,
            request,
        } = sent;
        let device = link.device;
        let links = self.office.links.get(&device);
        let stands = links.is_some_and(|links| links.contains(&link));
        if !stands || self.machine(device).cuts > 0 {
            self.never_heard(link, number);
            return Ok(());
        }
        let asked = self.asked(link, number);
        match request {
            Request::Hello(hello) => self.hears_hello(asked, hello),
            Request::Exchange(exchange) => self.hears(asked, exchange),
            // Pieces are moved without messages here.
            _ => Ok(()),
        }
    }

    /// The masternode answers a request.
    pub(super) fn respond(&mut self, asked: Asked, response: Response) -> Result<(), Violation> {
        response.check().map_err(|why| Violation::Message { why })?;
        let device = asked.link.device;
        if self.loses(device) {
            self.never_heard(asked.link, asked.number);
            return Ok(());
        }
        if self.goes_wrong(self.config.faults.duplicate) {
            self.counts.doubled += 1;
            let in_ms = self.latency_ms(device);
            self.device_hears(asked, Some(response.clone()), in_ms);
        }
        let in_ms = self.latency_ms(device);
        self.device_hears(asked, Some(response), in_ms);
        Ok(())
    }

    /// A device hears an answer, or gives up waiting for one.
    pub(super) fn device_hears(&mut self, asked: Asked, answer: Option<Response>, in_ms: u64) {
        let Link {
            device,
            life,
            connection,
        } = asked.link;
        let what = AtDevice::Answered {
            connection,
            number: asked.number,
            answer: answer.map(Box::new),
        };
        self.clock
            .plan(in_ms, Coming::Device { device, life, what });
    }

    /// Whether a message to or from a device gets lost.
    fn loses(&mut self, device: u32) -> bool {
        let is_cut = self.machine(device).cuts > 0;
        let is_lost = is_cut || self.goes_wrong(self.config.faults.loss);
        self.counts.lost += u64::from(is_lost);
        is_lost
    }

    /// A request has no answer.
    fn never_heard(&mut self, link: Link, number: u64) {
        let asked = self.asked(link, number);
        self.device_hears(asked, None, REQUEST_MS);
    }

    /// A request of this number over a connection, as of now.
    fn asked(&self, link: Link, number: u64) -> Asked {
        let at = self.clock.now().0;
        Asked {
            link,
            number,
            at,
            tick: self.office.tick(at).max(self.audit.now()),
        }
    }
}
