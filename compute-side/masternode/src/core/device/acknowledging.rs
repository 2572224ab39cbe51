//! Acknowledging reports, each once the entry that holds it is on disk.

use super::{Devices, Known};
use crate::core::Ticket;
use quern_primitives::ids::DeviceId;
use quern_protocol::ReplicaId;

impl Known {
    /// Acknowledges a report that was taken before, once it is on disk.
    pub(super) fn acknowledge_again(&mut self, id: ReplicaId, ticket: Ticket, persisted: Ticket) {
        let waits = self.unconfirmed.iter().any(|(_, waiting)| *waiting == id);
        if waits || self.acknowledged.contains(&id) {
            return;
        }
        if ticket <= persisted {
            self.acknowledged.push(id);
        } else {
            self.unconfirmed.push((ticket, id));
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
            known.acknowledged.extend(written.map(|(_, id)| id));
            if known.acknowledged.len() > before {
                self.to_answer.insert(device);
            }
        }
    }

    /// A device's report was taken with this entry: it is acknowledged once that is on disk.
    pub(super) fn confirm_later(&mut self, device: DeviceId, ticket: Ticket, id: ReplicaId) {
        if let Some(known) = self.known.get_mut(&device) {
            known.unconfirmed.push((ticket, id));
            self.unwritten.insert((ticket, device));
        }
    }

    /// The same of a report that was taken before, and may be on disk.
    pub(in crate::core) fn acknowledge_again(
        &mut self,
        device: DeviceId,
        ticket: Ticket,
        id: ReplicaId,
        persisted: Ticket,
    ) {
        if let Some(known) = self.known.get_mut(&device) {
            known.acknowledge_again(id, ticket, persisted);
            if ticket > persisted {
                self.unwritten.insert((ticket, device));
            }
        }
    }
}
