//! How far the audit of a job is, for who waits for it.

use crate::units::{counted, grouped};
use indicatif::ProgressBar;
use quern_primitives::JobId;

/// Digits of a job's name that stand behind a bar.
const DIGITS: usize = 10;

/// Where it is shown.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// The job's first digits, if the bar counts something else than parts of this job.
    of: Option<String>,
}

impl Progress {
    /// On a bar of the job's own.
    pub(super) fn of_job(bar: &ProgressBar) -> Self {
        Self {
            bar: bar.clone(),
            of: None,
        }
    }

    /// In the words behind a bar that counts something else: a second bar would be drawn over that.
    pub(super) fn behind(bar: &ProgressBar, job: JobId) -> Self {
        let digits: String = job.to_string().chars().take(DIGITS).collect();
        bar.set_message(digits.clone());
        Self {
            bar: bar.clone(),
            of: Some(digits),
        }
    }

    /// One more block of the log was followed.
    pub(super) fn block(&self) {
        if self.of.is_none() {
            self.bar.inc(1);
        }
    }

    /// Of so many tasks that are computed again so many are.
    pub(super) fn tasks(&self, done: usize, all: usize) {
        match &self.of {
            Some(digits) => {
                let words = format!(
                    "{digits}, computed again {} of {}",
                    grouped(done),
                    counted(all, "task")
                );
                self.bar.set_message(words);
            }
            None => {
                self.bar.set_prefix("tasks");
                self.bar.set_length(all as u64);
                self.bar.set_position(done as u64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_s_own_bar_counts_its_blocks_and_then_its_tasks() {
        let bar = ProgressBar::hidden();
        let progress = Progress::of_job(&bar);
        progress.block();
        progress.block();
        assert_eq!(bar.position(), 2);
        progress.tasks(1, 3);
        assert_eq!((bar.position(), bar.length()), (1, Some(3)));
        assert_eq!(bar.prefix(), "tasks");
    }

    #[test]
    fn a_bar_that_counts_something_else_is_not_moved_by_a_job() {
        let bar = ProgressBar::hidden();
        bar.set_position(7);
        let progress = Progress::behind(&bar, JobId([0xab; 32]));
        progress.block();
        assert_eq!(bar.message(), "0xabababab");
        progress.tasks(1, 3);
        assert_eq!(bar.position(), 7);
        assert_eq!(bar.message(), "0xabababab, computed again 1 of 3 tasks");
    }
}
