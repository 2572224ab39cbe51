//! What owners are told of accepted answers that were found to be wrong.

use super::{Api, Audience, check_owner};
use crate::daemon::{Answered, Command, Question, Reply};
use quern_jobs_api::{ApiError, CORRECTIONS_MAX, Corrections, OwnerToken};
use quern_primitives::{JobId, job::Job};
use tokio::sync::oneshot;

/// The corrections from the one at `first` on, and whether more may come.
pub(super) async fn told(
    api: &Api,
    job: JobId,
    token: OwnerToken,
    first: u32,
) -> Result<Corrections, ApiError> {
    let _place = api.statuses.place()?;
    // Nobody else has the core asked anything.
    api.blocking(move |shared| match shared.job(job) {
        Some(_) => check_owner(shared, job, token),
        None => Err(ApiError::NotCoordinator),
    })
    .await?;
    // It is asked before the notes are read, and whoever is told that no more come gets all that there are: also
    // one that was just found and is on its way to the disk.
    let may_come = may_come(api, job).await?;
    if !may_come {
        api.blocking(|shared| match shared.store.wait_until_written() {
            true => Ok(()),
            false => Err(ApiError::Storage),
        })
        .await?;
    }
    let corrections = api.outcome(job, Audience::Owner(token), move |outcome, log, shared| {
        let mut corrections = outcome.corrections(log, first, CORRECTIONS_MAX)?;
        for correction in &mut corrections {
            // What others of the group computed, as far as it was asked for since the last start.
            let others = shared.witnessed.of(job, correction.task);
            let others = others.into_iter().filter(|other| {
                let mut known = correction.words.iter();
                known.all(|word| {
                    word.node != other.node && word.report.payload == other.report.payload
                })
            });
            let others: Vec<_> = others.collect();
            correction.words.extend(others);
        }
        Ok(corrections)
    });
    let is_drawn = |known: Job| known.terms.re_execution_permille > 0;
    let is_drawn = api.shared.job(job).is_some_and(is_drawn);
    Ok(Corrections {
        corrections: corrections.await?,
        may_come,
        re_executes: api.shared.awaited.is_on() || !is_drawn,
    })
}

/// Whether an accepted answer of a job may still be found to be wrong here: where another masternode coordinates the
/// job, as long as the core is still to be told of something that was settled, and else as the core says.
async fn may_come(api: &Api, job: JobId) -> Result<bool, ApiError> {
    let shared = &api.shared;
    let anothers = shared.job(job).filter(|_| shared.is_of_another(job));
    if anothers.is_some_and(|known| shared.awaited.may_come(job, &known)) {
        return Ok(true);
    }
    let (answer, answered) = oneshot::channel();
    let question = Question::Corrections(job);
    let command = Command::Ask { question, answer };
    // An error says that the masternode stops; then nobody answers either.
    drop(api.shared.commands.send(command).await);
    match answered.await {
        Ok(Answered {
            reply: Reply::Corrections(may_come),
            ..
        }) => Ok(may_come),
        _ => Err(ApiError::Starting),
    }
}
