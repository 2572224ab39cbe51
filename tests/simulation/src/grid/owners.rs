//! Owners who hand their jobs in: what every task needs at once, and the shards one after the other, in
//! any order. Either may come first.
//!
//! A shard is checked and on disk before the masternode's core is told of it, and the masternode may die
//! in between. An owner who hears nothing hands the same shards in again.

use super::{
    asks::one_of,
    violation::Violation,
    world::{Coming, UPLOAD_AGAIN_MS, World},
};
use quern_masternode::core::Event;
use quern_primitives::ids::{JobId, TaskIndex};
use rand::{RngExt as _, rngs::StdRng, seq::SliceRandom as _};

/// The most time that an owner lets pass between two requests, in milliseconds: one of these. Those who
/// let none pass hand all shards in at once.
const LAG_MS: [u64; 4] = [0, 200, 4_000, 20_000];

/// In about so many requests the others hand their shards in.
const REQUESTS: u32 = 8;

/// Of a thousand times that shards come to disk, where masternodes die at all, one dies so often before
/// its core is told.
const DIES_PERMILLE: u32 = 100;

/// What an owner has still to hand in.
pub(super) struct Owner {
    /// The tasks whose shards are left, the next one last.
    left: Vec<TaskIndex>,
    /// So many are handed in at a time at the most.
    at_once: u32,
    lag_ms: u64,
}

impl Owner {
    /// The owner of a job of so many tasks.
    pub(super) fn new(tasks: TaskIndex, chance: &mut StdRng) -> Self {
        let lag_ms = one_of(LAG_MS, chance);
        let mut left: Vec<TaskIndex> = (0..tasks).collect();
        left.shuffle(chance);
        let at_once = match lag_ms {
            0 => tasks,
            _ => (2 * tasks / REQUESTS).max(1),
        };
        Self {
            left,
            at_once,
            lag_ms,
        }
    }
}

impl World<'_> {
    /// The owner hands in what every task of a job needs.
    pub(super) fn uploads(&mut self, job: JobId) -> Result<(), Violation> {
        let Some(work) = self.works.get(&job) else {
            return Ok(());
        };
        if !self.takes_uploads(&job) {
            self.uploads_again(job, Coming::Uploads(job));
            return Ok(());
        }
        let plan = work.plan(self.disk.shards(&job));
        self.disk.uploaded.insert(job);
        self.office_step(Event::Uploaded { job, plan })
    }

    /// The owner hands in some of the shards that are left.
    pub(super) fn uploads_shards(&mut self, job: JobId) -> Result<(), Violation> {
        if !self.takes_uploads(&job) || self.goes_wrong(self.config.faults.loss) {
            self.uploads_again(job, Coming::Shards(job));
            return Ok(());
        }
        let Some(owner) = self.owners.get(&job) else {
            return Ok(());
        };
        let count = match owner.lag_ms {
            0 => owner.at_once,
            _ => self.chance.random_range(1..=owner.at_once),
        };
        let kept = owner.left.len().saturating_sub(count as usize);
        let (lag_ms, shards) = (owner.lag_ms, owner.left[kept..].to_vec());
        self.disk.store(job, &shards);
        self.audit.store(&job, &shards);
        let dies = self.config.faults.crash > 0 && self.goes_wrong(DIES_PERMILLE);
        if dies {
            let number = self.names.job(&job);
            self.happening(&format!("{} shards of j{number} are on disk", shards.len()));
            self.dies();
            self.uploads_again(job, Coming::Shards(job));
            return Ok(());
        }
        let times = 1 + u32::from(self.goes_wrong(self.config.faults.duplicate));
        let life = self.office.life;
        for _ in 0..times {
            let tasks = shards.clone();
            self.office_step(Event::Shards { job, tasks })?;
        }
        if self.office.life != life {
            self.uploads_again(job, Coming::Shards(job));
            return Ok(());
        }
        let in_ms = self.chance.random_range(0..=lag_ms);
        if let Some(owner) = self.owners.get_mut(&job) {
            owner.left.truncate(kept);
            if kept > 0 {
                self.clock.plan(in_ms, Coming::Shards(job));
            }
        }
        Ok(())
    }

    /// Whether the masternode is there, and knows that the job is its own.
    fn takes_uploads(&self, job: &JobId) -> bool {
        self.office.core.is_some() && self.disk.remembered.contains(job)
    }

    /// An owner tries again, unless the job is over.
    fn uploads_again(&mut self, job: JobId, what: Coming) {
        let known = self.chain.jobs.get(&job);
        if known.is_some_and(|known| known.job.state.is_open()) {
            self.clock.plan(UPLOAD_AGAIN_MS, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn an_owner_has_every_shard_once_and_not_in_their_order() {
        for seed in 0..20 {
            let mut owner = Owner::new(100, &mut StdRng::seed_from_u64(seed));
            assert!(owner.at_once > 0);
            assert!(!owner.left.is_sorted());
            owner.left.sort_unstable();
            assert!(owner.left.iter().copied().eq(0..100));
        }
    }
}
