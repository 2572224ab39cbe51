//! What the chain says of devices beside admitting them: what is bonded for them, that they are
//! registered no more, and who won the lottery.
//!
//! A device that was here stays known, with its faults and what was measured of it, until its account
//! retires it. Where as many are known as may be, one that comes takes the place of the one that is
//! disconnected longest.

use super::{Bond, Core, Effect, Tick};
use quern_primitives::{
    ids::{BlockNumber, DeviceId},
    view::DeviceView,
};
use quern_protocol::{Hello, Refusal};
use std::collections::BTreeSet;

impl Core {
    /// Takes in a device that said hello, with what the chain said of it at a block and what its account has
    /// bonded.
    pub(super) fn greeted(
        &mut self,
        now: Tick,
        (at, view): (BlockNumber, DeviceView),
        bond: Bond,
        hello: &Hello,
        out: &mut Vec<Effect>,
    ) {
        let device = view.id;
        if self.check_engines(&hello.engines).is_ok()
            && let Some(other) = self.scheduler.fleet.in_the_way_of(&device)
        {
            self.forget_device(now, other, Refusal::Full, out);
        }
        self.hello(now, (at, view), hello, out);
        self.bonded(now, device, bond);
    }

    /// Whether a device is here: it said hello and was taken in.
    pub fn is_here(&self, device: &DeviceId) -> bool {
        let known = self.devices.get(device);
        known.is_some_and(|known| known.connected)
    }

    /// Whether a device was here and is remembered.
    pub fn is_known(&self, device: &DeviceId) -> bool {
        self.scheduler.fleet.number(device).is_some()
    }

    /// Devices that are remembered: never more than the settings have it.
    pub fn known_devices(&self) -> usize {
        self.scheduler.fleet.len()
    }

    /// The chain says that a device is not registered.
    pub(super) fn retired(&mut self, now: Tick, device: DeviceId, out: &mut Vec<Effect>) {
        self.forget_device(now, device, Refusal::NotRegistered, out);
    }

    /// Forgets a device for good; what it holds is given to others.
    fn forget_device(
        &mut self,
        now: Tick,
        device: DeviceId,
        refusal: Refusal,
        out: &mut Vec<Effect>,
    ) {
        self.barred(now, device, refusal, out);
        self.pauses.forget(&device);
        self.answers.forget(&device);
        if let Some(number) = self.scheduler.fleet.number(&device) {
            self.benchmarks.forget(number);
            self.kept.forget(number);
        }
        if self.scheduler.forget(&device) {
            self.scheduler.changed(now);
        }
    }

    /// A day's lottery is drawn: its winners stand higher until the day is over.
    pub(super) fn lottery(&mut self, now: Tick, winners: BTreeSet<DeviceId>, ends_at: BlockNumber) {
        if self.block < ends_at {
            self.scheduler.lift(winners, ends_at);
            self.scheduler.changed(now);
        }
    }
}
