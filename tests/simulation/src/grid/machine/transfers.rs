//! Transfers as the masternode measures them: what a device fetches, and what it delivers in pieces.

use crate::{
    grid::{violation::Violation, world::World},
    population::spread,
};
use quern_masternode::core::{Event, Measured};
use quern_protocol::limits::PIECE_BYTES_MAX;

/// What is moved at a time, in bytes: two pieces, of less no speed is measured.
const BYTES: u64 = 2 * PIECE_BYTES_MAX as u64;

/// How much the speed of one line varies: the deviation of its logarithm.
const JITTER: f64 = 0.2;

/// Which way something is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToDevice,
    FromDevice,
}

impl World<'_> {
    /// Something was moved to a device or from it, and the masternode has seen how long it took, if the
    /// device is connected.
    pub(super) fn moves(&mut self, device: u32, way: Way) -> Result<(), Violation> {
        let machine = &self.machines[device as usize];
        let is_seen = machine.cuts == 0 && machine.link().is_some();
        if !is_seen || !self.office.greeted.contains(&device) {
            return Ok(());
        }
        let [down, up] = machine.mbps;
        let (id, mbps) = match way {
            Way::ToDevice => (machine.id, down),
            Way::FromDevice => (machine.id, up),
        };
        let mbps = mbps * spread(JITTER, &mut self.chance);
        let ms = ((BYTES * 8) as f64 / 1_000.0 / mbps) as u64;
        let (bytes, ms) = (BYTES, ms.max(1));
        let measured = match way {
            Way::ToDevice => Measured::Down { bytes, ms },
            Way::FromDevice => Measured::Up { bytes, ms },
        };
        let device = id;
        self.office_step(Event::Measured { device, measured })
    }
}
