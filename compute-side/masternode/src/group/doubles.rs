//! Devices that sign two answers for one replica.
//!
//! A program's answer to a task is one, so a device that reports another one than it did before lies, whichever of
//! them is right. Both receipts convict it by themselves: they are shown to the chain, with the bond of a dispute
//! from this masternode's account.

use super::{
    accusing::Accuser,
    lies::{LieError, send},
};
use crate::locks::lock;
use quern_dispute_rules::Evidence;
use quern_ledger::{Call, SubmitError};
use quern_primitives::{
    BlockNumber, DeviceId, JobId, TaskIndex, ids::ReplicaIndex, receipt::SignedReceipt,
};
use quern_recheck::check_evidence;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// Replicas of which receipts are compared at a time. With more at a time the rest is not looked at.
const COMPARED_MAX: usize = 64;

/// A replica that a device was given.
type Name = (JobId, TaskIndex, ReplicaIndex, DeviceId);

/// The replicas of which receipts are compared.
#[derive(Default)]
pub(super) struct Compared(Mutex<BTreeSet<Name>>);

impl Compared {
    fn begin(&self, name: Name) -> bool {
        let mut compared = lock(&self.0);
        compared.len() < COMPARED_MAX && compared.insert(name)
    }

    fn end(&self, name: &Name) {
        let mut compared = lock(&self.0);
        compared.remove(name);
    }
}

impl Accuser {
    /// Compares a receipt with the one at this place of its job's log, with which the device reported before.
    pub(crate) fn compare(self: &Arc<Self>, position: u64, receipt: &SignedReceipt) {
        let said = &receipt.payload;
        let name = (said.job, said.task, said.replica, said.device);
        if !self.is_on() || !self.compared().begin(name) {
            return;
        }
        let (accuser, receipt) = (self.clone(), receipt.clone());
        tokio::spawn(async move {
            let (job, task, _, device) = name;
            match accuser.look_twice(position, receipt).await {
                Ok(Some(block)) => {
                    tracing::warn!(%job, task, %device, block, "two answers of a device for one replica were shown to the chain");
                }
                Ok(None) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%job, task, %device, error, "two answers of a device for one replica could not be shown");
                }
            }
            accuser.compared().end(&name);
        });
    }

    /// The block in which both receipts were shown, if they are two answers.
    async fn look_twice(
        &self,
        position: u64,
        second: SignedReceipt,
    ) -> Result<Option<BlockNumber>, LieError> {
        let (shared, job) = (self.shared().clone(), second.payload.job);
        let store = shared.store.clone();
        let read = tokio::task::spawn_blocking(move || store.read_log(job)?.receipt_at(position));
        let first = read.await.map_err(|_| LieError::Unread)??;
        let Some(first) = first.filter(|it| it.payload.answer() != second.payload.answer()) else {
            return Ok(None);
        };
        let evidence = Evidence::Answers {
            first: Box::new(first),
            second: Box::new(second),
        };
        let state = shared.chain.at_finalised().await?;
        let facts = state
            .court_facts(&evidence.subject(), shared.genesis)
            .await?;
        let proved = state.convictions(job).await?;
        if let Err(losing) = check_evidence(&evidence, &[], facts.as_ref(), &proved) {
            tracing::debug!(%job, %losing, "two receipts of a device for one replica prove nothing");
            return Ok(None);
        }
        match send(&shared, &Call::Dispute(Box::new(evidence))).await {
            Ok(block) => Ok(Some(block)),
            // Somebody else was first, or the chain knows better.
            Err(SubmitError::Refused { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_replica_is_compared_once_at_a_time_and_no_more_than_there_is_room_for() {
        let compared = Compared::default();
        let name = |replica| (JobId([1; 32]), 0, replica, DeviceId([2; 32]));
        assert!(compared.begin(name(0)) && !compared.begin(name(0)));
        let more = (1..).map(name).take_while(|name| compared.begin(*name));
        assert_eq!(more.count(), COMPARED_MAX - 1);
        compared.end(&name(0));
        assert!(compared.begin(name(200)));
    }
}
