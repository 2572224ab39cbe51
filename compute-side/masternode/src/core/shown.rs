//! Devices that show that they have the shards of what they were given.
//!
//! A device shows it before it begins, by what [`quern_shards::held`] has of the shard; the shell holds that to the
//! shard that is here. Until it has, its replica counts as being fetched, whatever it tells: no step forward comes of
//! it, and after T2 another device gets the task as well. Nor is a commitment or a report of it taken.
//!
//! What it shows wrongly is its failure, as a receipt that does not hold is. What cannot be held to anything, because
//! the shard cannot be read here, is not: it is taken as if it had been shown. Which replicas were shown the log does
//! not say; after a restart a device shows those that it has not committed itself to again, as it does with each
//! exchange.

use super::{Core, Effect, ReleaseCause, Tick};
use quern_primitives::ids::DeviceId;
use quern_protocol::{DiscardReason, ReplicaId};
use std::collections::BTreeMap;

/// What there is to what a device shows of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It is what the shard gives that is here.
    Right,
    /// It is not.
    Wrong,
    /// The shard cannot be read here.
    Unreadable,
}

impl Core {
    /// Whether it is to be seen what a device shows of the shard of a replica: it holds it, by the assignment at this
    /// place of the log, and has not shown that it has the shard.
    pub fn awaits_shown(&self, device: &DeviceId, id: ReplicaId, log_position: u64) -> bool {
        let ReplicaId { job, task, replica } = id;
        let active = self.jobs.get(&job);
        let holding = active.and_then(|active| active.holding(task, replica));
        holding.is_some_and(|holding| {
            let is_meant = holding.device == *device && holding.log_position == log_position;
            is_meant && !holding.is_shown
        })
    }

    /// Takes in what came of what a device shows, for each replica with the place of its assignment in the log.
    pub(super) fn shown(
        &mut self,
        now: Tick,
        device: DeviceId,
        shown: &BTreeMap<(ReplicaId, u64), Shown>,
        out: &mut Vec<Effect>,
    ) {
        for ((id, log_position), shown) in shown {
            // The device may have lost it since it was looked at, or shown it before.
            if !self.awaits_shown(&device, *id, *log_position) {
                continue;
            }
            match shown {
                Shown::Right | Shown::Unreadable => {
                    if let Some(active) = self.jobs.get_mut(&id.job) {
                        active.set_shown(*id);
                    }
                }
                Shown::Wrong => {
                    let reason = DiscardReason::NotShown;
                    self.devices.take_from(&device, *id, reason);
                    self.release_at(now, *id, device, ReleaseCause::Failed, out);
                }
            }
        }
    }
}
