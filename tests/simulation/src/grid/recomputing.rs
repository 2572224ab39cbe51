//! What the masternode computes again itself: the truth, after a while.

use super::{
    office::AtOffice,
    rules::node,
    violation::Violation,
    work::{GENESIS, Work},
    world::World,
};
use quern_masternode::core::{Event, NoReferee, Truth};
use quern_primitives::{
    ids::{BlockNumber, Digest, JobId, TaskIndex},
    log::RefereeReport,
};
use quern_protocol::Output;

/// How long it takes to read what draws follow from, in milliseconds.
const SEED_MS: u64 = 10;

impl World<'_> {
    /// The masternode begins to compute a task again, which takes as long as on a usual device.
    pub(super) fn recomputes(&mut self, job: JobId, task: TaskIndex) {
        self.office.recomputations += 1;
        let number = self.office.recomputations;
        self.office.recomputing.insert((job, task), number);
        let in_ms = u64::from(self.config.task_s) * 1_000;
        self.plan_at_office(in_ms, AtOffice::Recomputed { job, task, number });
    }

    /// It has computed a task again, and finds the truth.
    pub(super) fn recomputed(
        &mut self,
        job: JobId,
        task: TaskIndex,
        number: u64,
    ) -> Result<(), Violation> {
        let asked = self.office.recomputing.get(&(job, task));
        if asked != Some(&number) {
            return Ok(());
        }
        self.office.recomputing.remove(&(job, task));
        let work = self.works.get(&job).filter(|work| !work.never_opens(task));
        let report = |work: &Work| RefereeReport {
            job,
            task,
            question: Digest([46; 32]),
            answer: work.truth(task),
        };
        let truth = work.map(|work| Truth {
            report: node().sign(report(work), &GENESIS),
            node: node().public(),
            output_root: Digest::default(),
            // Nobody looks at its bytes.
            output: Output::Inline(vec![0]),
            others: vec![],
        });
        let outcome = Box::new(truth.ok_or(NoReferee::Data));
        self.office_step(Event::Recomputed { job, task, outcome })
    }

    /// What draws of what was counted in a block follow from is to be read.
    pub(super) fn reads_seed(&mut self, block: BlockNumber) {
        self.plan_at_office(SEED_MS, AtOffice::Seeded { block });
    }

    /// It is read.
    pub(super) fn seeded(&mut self, block: BlockNumber) -> Result<(), Violation> {
        let seed = seed_of(block);
        self.office_step(Event::Seed { block, seed })
    }
}

/// What draws of what was counted in a block follow from; for no two blocks it is the same.
fn seed_of(block: BlockNumber) -> Digest {
    let mut seed = Digest::default();
    seed.0[..4].copy_from_slice(&block.to_le_bytes());
    seed
}
