//! Masternodes' words that they have taken a report.
//!
//! Whether a word is signed is looked at before it is told here. A word about another receipt than this
//! device sent is no word for its work: the report is dropped, for it is not wanted, and nothing is counted
//! or kept. A word is kept before its report is dropped, so that whoever is killed in between has one of them.

use super::{
    Core, Tick,
    event::{Effect, Notice},
};
use quern_primitives::{ids::DeviceId, log::SignedAcknowledgement, receipt::receipt_digest};
use quern_protocol::{DiscardReason, ReplicaId};

impl Core {
    /// A masternode says that it has taken reports.
    pub(super) fn on_acknowledged(
        &mut self,
        now: Tick,
        masternode: DeviceId,
        words: Vec<SignedAcknowledgement>,
    ) {
        for word in words {
            self.acknowledge(masternode, word);
        }
        if self.settings.once && self.acknowledged > 0 {
            self.begin_stop(now);
        }
    }

    fn acknowledge(&mut self, masternode: DeviceId, word: SignedAcknowledgement) {
        let said = &word.payload;
        let id = ReplicaId {
            job: said.job,
            task: said.task,
            replica: said.replica,
        };
        let outgoing = self.outgoing.get(&id);
        let Some(outgoing) = outgoing.filter(|it| it.masternode == masternode) else {
            return;
        };
        let receipt = &outgoing.finished.receipt;
        let is_meant =
            receipt.payload.device == said.device && receipt_digest(receipt) == said.receipt;
        if is_meant {
            self.acknowledged += 1;
            self.effects.push(Effect::Keep { masternode, word });
        }
        self.forget(&masternode, &id);
        let notice = match is_meant {
            true => Notice::Acknowledged { id },
            false => Notice::Discarded {
                id,
                reason: DiscardReason::Invalid,
            },
        };
        self.effects.push(Effect::Tell(notice));
    }
}
