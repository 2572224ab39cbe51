//! Reports: taken if they are what they should be, written down, and told to the judge.

use super::Acknowledged;
use crate::core::{
    Core, Effect, Entry, OutputPlace, ReleaseCause, ReportFacts, Tick, job::Admission, replica_of,
};
use quern_primitives::{
    ids::{DeviceId, Digest},
    receipt::Exit,
};
use quern_protocol::{DiscardReason, Output, ReplicaId, Report};
use quern_verdict::receipt_digest;
use std::collections::BTreeMap;

impl Core {
    pub(super) fn report(
        &mut self,
        now: Tick,
        device: DeviceId,
        report: Report,
        facts: &ReportFacts,
        out: &mut Vec<Effect>,
    ) {
        let id = replica_of(&report.receipt);
        let output = output_facts(&report.output, &id, &facts.delivered);
        let question = facts.questions.get(&id).copied();
        let verdict = match self.jobs.get(&id.job) {
            None => Err(DiscardReason::JobOver),
            Some(active) => {
                let facts = (output, question);
                active.admit(&report.receipt, device, facts, &self.settings.genesis)
            }
        };
        let Some(known) = self.devices.get_mut(&device) else {
            return;
        };
        match verdict {
            Ok(Admission::Repeated(place)) => {
                let persisted = self.persisted;
                self.devices.acknowledge_again(device, place, id, persisted);
            }
            Err(reason) => {
                known.discard(id, reason);
                if reason.is_fault() {
                    self.release_at(now, id, device, ReleaseCause::Failed, out);
                }
            }
            Ok(Admission::New) => {
                known.in_hand.retain(|held| *held != id);
                let (output, place) = match report.output {
                    Output::Inline(bytes) => {
                        let place = OutputPlace::Inline {
                            bytes: bytes.len() as u64,
                        };
                        (Some(bytes), place)
                    }
                    Output::Delivered { bytes } => (None, OutputPlace::File { bytes }),
                };
                let entry = Entry::Revealed {
                    receipt: report.receipt.clone(),
                    output: place,
                };
                let digest = receipt_digest(&report.receipt);
                let (ticket, position) = self.append(id.job, entry, output, out);
                let told = Acknowledged {
                    id,
                    position,
                    receipt: Some(digest),
                };
                self.devices.confirm_later(device, ticket, told);
                if let Some(active) = self.jobs.get_mut(&id.job) {
                    active.reported((ticket, position), &report.receipt, digest);
                }
                if report.receipt.payload.exit != Exit::Success {
                    self.pauses.begin(now, device);
                }
                let active = self.jobs.get(&id.job);
                let open = active.and_then(|active| active.open(id.task));
                let is_doubted = open.is_some_and(|open| open.is_doubted);
                self.scheduler.dispatch.finish(id);
                if is_doubted {
                    self.doubt(now, id.job, id.task);
                }
                self.judge(now, id.job, id.task, out);
                self.weigh_input(now, id.job, id.task, out);
            }
        }
    }
}

/// How a report's sealed result reached the masternode, with what it turned out to be.
fn output_facts(
    output: &Output,
    id: &ReplicaId,
    delivered: &BTreeMap<ReplicaId, (u64, Digest)>,
) -> Option<(u64, Digest)> {
    match output {
        Output::Inline(bytes) => {
            Some((bytes.len() as u64, quern_shards::chunks::chunk_root(bytes)))
        }
        Output::Delivered { bytes } => delivered
            .get(id)
            .copied()
            .filter(|(length, _)| length == bytes),
    }
}
