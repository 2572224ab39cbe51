//! Acknowledging reports, each once the entry that holds it is on disk.

use super::{Devices, Known};
use crate::core::{Ticket, job::Place};
use quern_primitives::ids::{DeviceId, Digest};
use quern_protocol::ReplicaId;

/// A report that is on disk, as its device is to be told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The replica.
    pub id: ReplicaId,
    /// The place of the entry that holds the receipt in the job's log.
    pub position: u64,
    /// The receipt's digest, if the device was never told of it before; else the log has to be looked at,
    /// and not what the device says again.
    pub receipt: Option<Digest>,
}

impl Known {
    /// Acknowledges a report that was taken before, once it is on disk.
    pub(super) fn acknowledge_again(&mut self, id: ReplicaId, place: Place, persisted: Ticket) {
        let (ticket, position) = place;
        let waits = self.unconfirmed.iter().any(|(_, waiting)| waiting.id == id);
        if waits || self.acknowledged.iter().any(|told| told.id == id) {
            return;
        }
        let told = Acknowledged {
            id,
            position,
            receipt: None,
        };
        if ticket <= persisted {
            self.acknowledged.push(told);
        } else {
            self.unconfirmed.push((ticket, told));
        }
    }
}

impl Devices {
    /// What was written is on disk: it may be acknowledged.
    pub(in crate::core) fn confirm(&mut self, through: Ticket) {
        let is_written = |(ticket, _): &(Ticket, DeviceId)| *ticket <= through;
        while self.unwritten.first().is_some_and(is_written)
            && let Some((_, device)) = self.unwritten.pop_first()
        {
            let Some(known) = self.known.get_mut(&device) else {
                continue;
            };
            let written = known
                .unconfirmed
                .extract_if(.., |(ticket, _)| *ticket <= through);
            let before = known.acknowledged.len();
            known.acknowledged.extend(written.map(|(_, told)| told));
            if known.acknowledged.len() > before {
                self.to_answer.insert(device);
            }
        }
    }

    /// A device's report was taken with this entry: it is acknowledged once that is on disk.
    pub(super) fn confirm_later(&mut self, device: DeviceId, ticket: Ticket, told: Acknowledged) {
        if let Some(known) = self.known.get_mut(&device) {
            known.unconfirmed.push((ticket, told));
            self.unwritten.insert((ticket, device));
        }
    }

    /// The same of a report that was taken before, and may be on disk.
    pub(in crate::core) fn acknowledge_again(
        &mut self,
        device: DeviceId,
        place: Place,
        id: ReplicaId,
        persisted: Ticket,
    ) {
        if let Some(known) = self.known.get_mut(&device) {
            known.acknowledge_again(id, place, persisted);
            if place.0 > persisted {
                self.unwritten.insert((place.0, device));
            }
        }
    }
}
