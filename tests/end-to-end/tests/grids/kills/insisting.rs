//! Doing something again until it succeeds, because what it needs may be down.

use anyhow::Context as _;
use std::time::{Duration, Instant};

/// How long something is tried again. Far beyond what a part takes to come back on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// How long one attempt may take. What is sent to the chain is looked for there for two minutes.
const ATTEMPT: Duration = Duration::from_secs(150);

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(300);

/// Tries until it succeeds. Fails with what it failed with last.
pub(super) async fn insisting<T>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        let tried = tokio::time::timeout(ATTEMPT, attempt()).await;
        let failed = match tried.context("nobody answers").flatten() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if begun.elapsed() > PATIENCE {
            let seconds = PATIENCE.as_secs();
            return Err(failed.context(format!("{what} failed for {seconds} s")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
