//! What the masternode does about devices that are late: it asks them again, opens one more replica for
//! another device, or gives an idle one the same.

use super::{office::Asked, world::World};
use quern_jobs_api::ReplicaStage;
use quern_masternode::core::WorkPlan;
use quern_primitives::ids::{JobId, TaskIndex};
use quern_protocol::limits;

/// How long an exchange is held open for which there is nothing, in milliseconds.
const HOLD_MS: u64 = limits::HOLD.as_millis() as u64;

impl World<'_> {
    /// Whether a device that waits for more work is told that there is none before its exchange was held open
    /// for long: it is to ask anew, and so tell what it does.
    pub(super) fn asks_again(&self, asked: &Asked, plan: &WorkPlan) -> bool {
        let tells = !plan.acknowledged.is_empty() || !plan.reveals.is_empty();
        let has_news = tells || !plan.discard.is_empty();
        let has_work = !plan.assignments.is_empty() || plan.benchmark.is_some();
        // Who wants nothing, or asks once more than it may at a time, is told when to ask next.
        let is_in_vain = plan.ask_again_ms == 0 && !has_news && !has_work;
        is_in_vain && self.audit.now().since(asked.tick) < HOLD_MS
    }

    /// A task gets more replicas. If it is in doubt, they may be for the judge or for a trusted device; any
    /// other gets one because somebody is late.
    pub(super) fn adds(&mut self, job: JobId, task: TaskIndex) {
        let Some(core) = &self.office.core else {
            return;
        };
        if self.audit.is_doubted(&job, task) {
            return;
        }
        let told = core.explain_task(self.audit.now(), job, task);
        let added = told.and_then(|told| told.replicas.last().map(|it| it.state));
        match added {
            Some(ReplicaStage::Running { backup: true, .. }) => self.counts.backed_up += 1,
            _ => self.counts.rescued += 1,
        }
    }
}
