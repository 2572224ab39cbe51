//! Shows devices the verdicts on what they did.
//!
//! A device that is shown nothing may demand it on the chain before the batch is final, and whoever is asked
//! there and does not answer loses its bond. So nobody is refused for want of a turn: who asks waits for one. Nor
//! is who is not let in, as it was retired, has too little bonded or does not say hello: what is told here is
//! settled, and anybody may know it. But these have a turn of their own, so that no stranger holds up a worker, and get
//! no place by it.

use super::state::Shared;
use crate::{receipts::Outcome, store::JobLog};
use quern_jobs_api::ApiError;
use quern_network::ReplyToken;
use quern_protocol::{Response, Show, ShownVerdict};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Logs that are read for devices at a time.
const READERS_MAX: usize = 4;

/// Logs that are read at a time for those who are not let in.
const STRANGERS_MAX: usize = 1;

/// A permit for each log that is read at a time.
pub(crate) struct Turns {
    let_in: Semaphore,
    strangers: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            let_in: Semaphore::new(READERS_MAX),
            strangers: Semaphore::new(STRANGERS_MAX),
        }
    }
}

/// Answers a device. Over one connection only so many questions wait at a time, so that a device does not
/// take all turns.
pub(super) async fn show(shared: Arc<Shared>, show: Show, is_let_in: bool, reply: ReplyToken) {
    let turns = match is_let_in {
        true => &shared.showing.let_in,
        false => &shared.showing.strangers,
    };
    let Ok(_turn) = turns.acquire().await else {
        return;
    };
    if !reply.is_wanted() {
        return;
    }
    let reading = shared.clone();
    let job = show.job;
    let read = tokio::task::spawn_blocking(move || verdicts(&reading, &show));
    let shown = match read.await {
        Ok(Ok(shown)) => shown,
        Ok(Err(error)) => {
            tracing::debug!(%job, %error, "a device is not shown what it asks for");
            vec![]
        }
        Err(error) => {
            tracing::error!(%job, %error, "a log was not read to its end");
            vec![]
        }
    };
    reply.reply(Response::Shown(shown));
}

fn verdicts(shared: &Shared, show: &Show) -> Result<Vec<ShownVerdict>, ApiError> {
    // A job that is not here has no log, and is not made a place for.
    if shared.job(show.job).is_none() {
        return Err(ApiError::NotCoordinator);
    }
    let log = shared.store.read_log(show.job);
    let log = log.map_err(|_| ApiError::Storage)?;
    let ask = |outcome: &mut Outcome, log: &JobLog| outcome.shown(log, show.batch, &show.tasks);
    shared.outcomes.ask(show.job, &log, ask)
}
