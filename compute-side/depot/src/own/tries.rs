//! How often and how long the same is tried again.

use crate::bucket::Patience;
use std::time::Duration;
use tokio::time::Instant;

/// The tries that are left.
#[derive(Debug)]
pub(super) struct Tries {
    longest_wait: Duration,
    left: usize,
    wait: Duration,
    until: Instant,
}

impl Tries {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            longest_wait: patience.longest_wait,
            left: patience.retries,
            wait: patience.first_wait,
            until: Instant::now() + patience.until,
        }
    }

    /// Waits before the next one; false if there is none.
    pub(super) async fn next(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        let Some(left) = left.filter(|_| Instant::now() < self.until) else {
            return false;
        };
        self.left = left;
        tokio::time::sleep(self.wait).await;
        self.wait = self.wait.saturating_mul(2).min(self.longest_wait);
        true
    }
}
