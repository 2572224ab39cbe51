//! Masternodes' words that they have taken a report.
//!
//! Whether a word is signed is looked at before it is told here. A word about another receipt than this
//! device sent is no word for its work: the report is dropped, for it is not wanted, and nothing is counted
//! or kept.

use super::{
    Core, Tick,
    event::{Effect, Notice},
};
use codec::Encode as _;
use quern_primitives::{
    ids::{DeviceId, Digest},
    log::SignedAcknowledgement,
    receipt::SignedReceipt,
};
use quern_protocol::{DiscardReason, ReplicaId};
use sha2::{Digest as _, Sha256};

/// What a receipt is named by: SHA-256 of the encoded signed receipt.
fn digest_of(receipt: &SignedReceipt) -> Digest {
    Digest(receipt.using_encoded(|bytes| Sha256::digest(bytes).into()))
}

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
        let is_meant = self.outgoing.get(&id).is_some_and(|outgoing| {
            let receipt = &outgoing.finished.receipt;
            receipt.payload.device == said.device && digest_of(receipt) == said.receipt
        });
        if !self.forget(&masternode, &id) {
            return;
        }
        let notice = match is_meant {
            true => {
                self.acknowledged += 1;
                self.effects.push(Effect::Keep { masternode, word });
                Notice::Acknowledged { id }
            }
            false => {
                let reason = DiscardReason::Invalid;
                Notice::Discarded { id, reason }
            }
        };
        self.effects.push(Effect::Tell(notice));
    }
}
