//! What a batch's verdicts make together, added up in steps.
//!
//! The verdicts come in the order of the tree, all of them. Their root is computed on the way and compared
//! with the batch's at the end, so no verdict needs a proof of its own, and none can be left out, added
//! or changed. Whoever adds something else has wasted their own bond.

use crate::{
    evidence::LEAF_BYTES_MAX,
    facts::{BatchFacts, Facts},
    proof::whole,
    ruling::{Offence, Refusal, Ruling, convict_batch, unfounded},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use quern_job_rules::tasks;
use quern_primitives::{
    amount::Amount,
    batch::{DeviceChange, Payout},
    device::RecordChange,
    ids::{AccountId, DeviceId, TaskIndex},
    limits::{DEVICES_PER_BATCH_MAX, PAYEES_PER_BATCH_MAX},
    merkle::Frontier,
    verdict::{Finding, Verdict},
};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// Verdicts that are added in one step.
pub const STEP_VERDICTS_MAX: u32 = 256;

/// The bytes of a step's verdicts, in the order of the tree.
pub type Step = BoundedVec<BoundedVec<u8, ConstU32<LEAF_BYTES_MAX>>, ConstU32<STEP_VERDICTS_MAX>>;

/// A sum that grows. At most 37 kB.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Sum {
    /// The tree of the verdicts so far.
    tree: Frontier,
    /// Sum of the prices.
    spent: Amount,
    /// Pay per account, accounts ascending.
    payouts: BoundedVec<Payout, ConstU32<PAYEES_PER_BATCH_MAX>>,
    /// Change per device, devices ascending.
    devices: BoundedVec<DeviceChange, ConstU32<DEVICES_PER_BATCH_MAX>>,
    /// Something came that no batch can say: what is no verdict of its place, more accounts or devices
    /// than a batch has, or a sum above any amount.
    is_impossible: bool,
}

impl Sum {
    /// Verdicts added so far.
    pub fn verdicts(&self) -> u32 {
        self.tree.count()
    }

    /// Whether all of the batch's verdicts were added.
    pub fn is_complete(&self, batch: &BatchFacts) -> bool {
        self.tree.count() == batch.verdicts
    }

    /// Adds the next verdicts of the batch.
    pub fn add(&mut self, step: &Step, facts: &Facts) -> Result<(), Refusal> {
        let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
        let before = self.tree.count();
        let added = u32::try_from(step.len()).map_err(|_| Refusal::Step)?;
        let after = before.checked_add(added).ok_or(Refusal::Step)?;
        if step.is_empty() || after > batch.verdicts {
            return Err(Refusal::Step);
        }
        let tasks = tasks::validate(&batch.tasks, facts.job.submission.tasks);
        let tasks = tasks.map_err(|_| Refusal::Undecidable)?;
        let skipped = usize::try_from(before).map_err(|_| Refusal::Step)?;
        let mut next = tasks.iter().skip(skipped);
        for bytes in step {
            self.is_impossible |= !self.tree.push(bytes);
            let added = match (next.next(), whole::<Verdict>(bytes)) {
                (Some(task), Some(verdict)) => self.add_verdict(task, &verdict, facts),
                _ => None,
            };
            self.is_impossible |= added.is_none();
        }
        Ok(())
    }

    fn add_verdict(&mut self, task: TaskIndex, verdict: &Verdict, facts: &Facts) -> Option<()> {
        if verdict.job != facts.job_id || verdict.task != task {
            return None;
        }
        self.spent = self.spent.checked_add(verdict.price)?;
        for found in &verdict.replicas {
            if found.pay > 0 {
                self.add_pay(&found.account, found.pay)?;
            }
            self.add_finding(&found.device, found.finding)?;
        }
        Some(())
    }

    fn add_pay(&mut self, account: &AccountId, pay: Amount) -> Option<()> {
        match self.payouts.binary_search_by(|it| it.account.cmp(account)) {
            Ok(place) => {
                let payout = self.payouts.get_mut(place)?;
                payout.amount = payout.amount.checked_add(pay)?;
                Some(())
            }
            Err(place) => {
                let payout = Payout {
                    account: account.clone(),
                    amount: pay,
                };
                self.payouts.try_insert(place, payout).ok()
            }
        }
    }

    fn add_finding(&mut self, device: &DeviceId, finding: Finding) -> Option<()> {
        let place = match self.devices.binary_search_by(|it| it.device.cmp(device)) {
            Ok(place) => place,
            Err(place) => {
                let change = DeviceChange {
                    device: *device,
                    change: RecordChange::default(),
                };
                self.devices.try_insert(place, change).ok()?;
                place
            }
        };
        let change = &mut self.devices.get_mut(place)?.change;
        let count = match finding {
            Finding::Accepted => &mut change.accepted,
            Finding::Incorrect => &mut change.incorrect,
            Finding::Failed => &mut change.failed,
            Finding::Delayed => &mut change.delayed,
        };
        *count = count.checked_add(1)?;
        Some(())
    }

    /// Compares what all verdicts make with what the batch says.
    pub fn conclude(&self, facts: &Facts) -> Result<Ruling, Refusal> {
        let batch = facts.batch.as_ref().ok_or(Refusal::NotPending)?;
        if !self.is_complete(batch) {
            return Err(Refusal::Unfinished);
        }
        // Something else than the batch's verdicts was added up: that says nothing of the batch.
        if self.tree.root() != batch.verdicts_root {
            return Ok(unfounded(facts));
        }
        let is_right = !self.is_impossible
            && self.spent == batch.spent
            && *self.payouts == batch.payouts
            && *self.devices == batch.devices;
        match is_right {
            true => Ok(unfounded(facts)),
            false => convict_batch(facts, Offence::Payouts),
        }
    }
}
