//! Jobs that begin here: because their owner has uploaded what they need, or because this masternode goes on
//! with them.

use super::{Command, Grid, Shared, figures};
use crate::core::{Event, News};
use quern_jobs_api::Phase;
use quern_primitives::{JobId, TaskIndex, job::Job};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// How long to wait before the vault is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(10);

impl Grid {
    /// Those of these jobs, as the chain has them now, that another masternode coordinated before.
    pub(super) fn taken_over(&self, jobs: &[(JobId, Job)]) -> Vec<JobId> {
        let ids = jobs.iter().map(|(id, _)| *id);
        ids.filter(|id| self.shared.is_of_another(*id)).collect()
    }

    /// What this masternode has noted of them as a member is numbered on.
    pub(super) fn number_notes(&mut self, taken_over: &[JobId]) {
        for job in taken_over.iter().copied() {
            let log = self.shared.store.read_log(job);
            match log.and_then(|log| log.count_notes()) {
                Ok(notes) => {
                    let news = News::TakenOver { notes };
                    self.step(Event::Elsewhere { job, news });
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(%job, error, "what was noted of a job cannot be read");
                }
            }
        }
    }

    /// Begins those of them for which all that every task needs is here; the others wait for their owner.
    pub(super) fn begin_turns(&self, taken_over: Vec<JobId>) {
        for id in taken_over {
            tokio::spawn(begin_turn(self.shared.clone(), id));
        }
    }

    pub(super) fn uploaded(&mut self, job: JobId) {
        let known = self.shared.job_as_of(job);
        let Some((at, known)) = known.filter(|(_, known)| known.state.goes_on()) else {
            return;
        };
        if self.shared.is_of_another(job) {
            // It is kept for the turn that this masternode may have.
            return;
        }
        match self.core.status(job).map(|status| status.phase) {
            Some(Phase::Uploading) => {}
            // An owner may upload before the next block tells the core of the job.
            None => {
                // The log will say at which block the chain names this masternode.
                self.block = self.block.max(at);
                self.step(Event::Finalised {
                    block: self.block,
                    jobs: vec![(job, known.clone())],
                });
            }
            // It has started.
            Some(Phase::Computing | Phase::Settling | Phase::Closed) => return,
        }
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let (seed, settled) = figures::beginning_at_last(&shared, job, &known).await;
            let seeded = Command::Seeded { job, seed, settled };
            // An error says that the masternode stops.
            drop(shared.commands.send(seeded).await);
        });
    }

    /// A job starts. Which shards are missing is looked up here and not before: of those that come
    /// later the core is told after this.
    pub(super) fn seeded(&mut self, job: JobId, seed: [u8; 32], settled: BTreeSet<TaskIndex>) {
        if let Some(context) = self.shared.context(job) {
            let plan = context.plan(seed, settled);
            self.step(Event::Uploaded { job, plan });
        }
    }

    pub(super) fn arrived(&mut self, job: JobId) {
        if let Some(context) = self.shared.context(job) {
            let tasks = context.incoming.take_arrived();
            // Of another masternode's job it is looked up what is missing when this one's turn begins.
            if !self.shared.is_of_another(job) {
                self.step(Event::Shards { job, tasks });
            }
        }
    }
}

/// Begins a job that was taken over, if its manifest, key and program are here. Where the vault does not say, it is
/// asked again as long as the job goes on.
async fn begin_turn(shared: Arc<Shared>, id: JobId) {
    while !shared.commands.is_closed() && shared.job(id).is_some_and(|job| job.state.goes_on()) {
        let Some(context) = shared.context(id) else {
            return;
        };
        match context.program_bytes(&shared.vault).await {
            Ok(None) => return,
            Ok(Some(_)) => {
                // An error says that the masternode stops.
                return drop(shared.commands.send(Command::Uploaded { job: id }).await);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(job = %id, error, "cannot look for a job's program; trying again");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
