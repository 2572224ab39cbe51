//! A task that has no verdict yet.

use crate::{
    court::{Court, Trust},
    facts::DeviceFacts,
    fault::{AssignmentFault, OrderFault},
};
use quern_joblog::ReleaseCause;
use quern_primitives::{
    ids::{AccountId, DeviceId, Digest, ReplicaIndex},
    job::Agreement,
    receipt::SignedReceipt,
};
use std::collections::{BTreeMap, BTreeSet};

/// Entries that are named with a verdict which they do not back: two for each replica that a task may
/// have, and those of referee, additions and devices that were late. The last are kept.
const EVIDENCE_MAX: usize = 64;

/// A replica in a device's hands.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) position: u64,
    pub(crate) device: DeviceId,
    pub(crate) account: AccountId,
    pub(crate) engine: Digest,
    pub(crate) trust: Trust,
    pub(crate) commitment: Option<Digest>,
}

/// A task before the judge.
#[derive(Clone, Debug)]
pub(crate) struct OpenTask {
    pub(crate) court: Court,
    given: BTreeMap<ReplicaIndex, Given>,
    answered: BTreeMap<ReplicaIndex, AccountId>,
    /// Devices that lost the task; never more than are registered.
    excluded: BTreeSet<DeviceId>,
    is_unopened: bool,
    evidence: Vec<u64>,
}

impl OpenTask {
    pub(crate) fn new(agreement: Agreement) -> Self {
        Self {
            court: Court::new(agreement),
            given: BTreeMap::new(),
            answered: BTreeMap::new(),
            excluded: BTreeSet::new(),
            is_unopened: false,
            evidence: Vec::new(),
        }
    }

    /// The entries on which its verdict rests.
    pub(crate) fn evidence(&self) -> Vec<u64> {
        self.evidence.clone()
    }

    /// Whether a device said that what it was given does not open.
    pub(crate) fn is_unopened(&self) -> bool {
        self.is_unopened
    }

    /// Notes an entry on which the verdict rests.
    pub(crate) fn note(&mut self, position: u64) {
        if self.evidence.len() >= EVIDENCE_MAX {
            self.evidence.remove(0);
        }
        self.evidence.push(position);
    }

    /// Gives a replica to a device that may have it.
    pub(crate) fn give(
        &mut self,
        replica: ReplicaIndex,
        given: Given,
        facts: Option<DeviceFacts>,
    ) -> Result<(), AssignmentFault> {
        let facts = facts.ok_or(AssignmentFault::Unregistered)?;
        if facts.account != given.account {
            return Err(AssignmentFault::OtherAccount {
                expected: facts.account,
            });
        }
        if !facts.may_work {
            return Err(AssignmentFault::MayNotWork);
        }
        if replica >= self.court.replicas() {
            return Err(AssignmentFault::NoSuchReplica);
        }
        if self.given.contains_key(&replica) || self.answered.contains_key(&replica) {
            return Err(AssignmentFault::Taken);
        }
        let held = self.given.values().map(|it| &it.account);
        if held
            .chain(self.answered.values())
            .any(|account| *account == given.account)
        {
            return Err(AssignmentFault::SameAccount);
        }
        if self.excluded.contains(&given.device) {
            return Err(AssignmentFault::Excluded);
        }
        self.given.insert(replica, given);
        Ok(())
    }

    /// The replica as this device holds it.
    pub(crate) fn held(&self, replica: ReplicaIndex, device: &DeviceId) -> Option<&Given> {
        self.given
            .get(&replica)
            .filter(|given| given.device == *device)
    }

    /// Its device commits itself.
    pub(crate) fn commit(&mut self, replica: ReplicaIndex, commitment: Digest) {
        if let Some(given) = self.given.get_mut(&replica) {
            given.commitment = Some(commitment);
        }
    }

    /// Its device has answered, and the receipt holds.
    pub(crate) fn answer(&mut self, position: u64, receipt: &SignedReceipt) {
        let replica = receipt.payload.replica;
        let Some(given) = self.given.remove(&replica) else {
            return;
        };
        self.note(given.position);
        self.note(position);
        self.answered.insert(replica, given.account.clone());
        self.court
            .answered(given.device, given.account, receipt, given.trust);
    }

    /// Takes a replica back.
    pub(crate) fn release(
        &mut self,
        position: u64,
        replica: ReplicaIndex,
        device: &DeviceId,
        cause: ReleaseCause,
    ) -> Result<(), OrderFault> {
        if self.held(replica, device).is_none() {
            return Err(OrderFault::NotHeld);
        }
        let Some(given) = self.given.remove(&replica) else {
            return Err(OrderFault::NotHeld);
        };
        if cause.excludes() {
            self.excluded.insert(given.device);
        }
        self.is_unopened |= matches!(cause, ReleaseCause::BadInput { .. });
        let assigned = given.position;
        if self
            .court
            .released(replica, given.device, given.account, cause)
        {
            self.note(assigned);
            self.note(position);
        }
        Ok(())
    }
}
