//! Devices that take a task and say nothing any more.

use super::{AtDevice, Character};
use crate::grid::{
    network::KEEPALIVE_MS,
    violation::Violation,
    world::{Coming, World},
};

impl World<'_> {
    /// A device that has begun a task says nothing any more, until the masternode has noticed. One that is
    /// silent has gone, and comes back without the task; one that is late goes on computing, and has the
    /// answer then.
    pub(super) fn falls_silent(&mut self, device: u32) -> Result<(), Violation> {
        let character = self.machine(device).character;
        let Some(silent_ms) = character.silent_ms() else {
            return Ok(());
        };
        self.happening(&format!("d{device} falls silent"));
        if character == Character::Late {
            self.machine(device).cuts += 1;
            self.plan_at_device(device, KEEPALIVE_MS, AtDevice::HearsNothing);
            self.clock.plan(silent_ms, Coming::CutEnds(vec![device]));
            return Ok(());
        }
        if let Some(link) = self.machine(device).link() {
            self.clock.plan(KEEPALIVE_MS, Coming::LinkEnds(link));
        }
        self.machine(device).turns_off();
        self.clock.plan(silent_ms, Coming::Returns(device));
        Ok(())
    }
}
