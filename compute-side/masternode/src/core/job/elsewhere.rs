//! Tasks that another masternode settled, before this one went on with their job.

use super::{ActiveJob, Task};

impl ActiveJob {
    /// Closes the tasks that another masternode settled before this one went on with the job: nobody
    /// computes them again. What this masternode's own log tells of stays as it is, so that has to be
    /// replayed before.
    pub(in crate::core) fn close_settled(&mut self) {
        let plan = self.plan.as_mut();
        let settled = plan.map(|plan| std::mem::take(&mut plan.settled));
        for task in settled.unwrap_or_default() {
            if let Some(state @ Task::Untouched) = self.tasks.get_mut(task as usize) {
                *state = Task::Closed(Vec::new());
                self.missing.remove(&task);
                self.counters.touched += 1;
                self.counters.decided += 1;
            }
        }
    }
}
