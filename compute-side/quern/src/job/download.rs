//! Downloading the results of a job while it is followed.

use super::{
    corrections::Asked,
    elsewhere::{Destination, FileName},
};
use crate::{
    output::{OutputFile, tell},
    units::Size,
};
use anyhow::Context as _;
use quern_ledger::Chain;
use quern_owner::{CollectError, CollectProgress, Collector, Coordinator, JobFolder};
use quern_primitives::JobId;
use serde::Serialize;
use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};
use tokio::sync::watch;

/// Downloads the results of a job, into its folder and on from there into the output.
pub(crate) struct Download {
    folder: JobFolder,
    collector: Collector<BufWriter<File>>,
    output: Option<(OutputFile, Destination)>,
    coordinator: Option<Coordinator>,
    /// Whether the job ran when it was first looked at.
    has_begun: bool,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Downloaded {
    #[serde(skip)]
    tasks: u32,
    /// Results that are here; none if they were not asked for.
    downloaded: Option<u32>,
    /// Where they stay, one file for each task, if they were not put together.
    results: Option<PathBuf>,
    output: Option<FileName>,
    output_bytes: Option<u64>,
    /// What is known of accepted answers that are wrong.
    #[serde(flatten)]
    asked: Asked,
    /// Where results are kept that may still be replaced.
    #[serde(skip)]
    folder: Option<JobFolder>,
    /// Where the output is put together, and goes from there.
    #[serde(skip)]
    destination: Option<Destination>,
}

impl Download {
    /// Of a job that was submitted from here, with where the result goes if it is wanted. It begins with
    /// what was downloaded before.
    pub(crate) fn new(
        chain: &Chain,
        folder: JobFolder,
        output: Option<Destination>,
    ) -> anyhow::Result<Self> {
        let (output, writer) = match output {
            Some(destination) => {
                let (output, writer) = OutputFile::create(&destination.path(&folder))?;
                (Some((output, destination)), Some(writer))
            }
            None => (None, None),
        };
        Ok(Self {
            collector: Collector::new(chain.genesis(), &folder, writer)?,
            folder,
            output,
            coordinator: None,
            has_begun: false,
        })
    }

    /// How much is here.
    pub(super) fn progress(&self) -> CollectProgress {
        self.collector.progress()
    }

    /// Downloads what is decided whenever something changes, until nobody tells of changes any more.
    /// Where the coordinator does not answer it is asked again with the next change.
    pub(super) async fn beside(
        &mut self,
        chain: &Chain,
        mut changes: watch::Receiver<()>,
        progress: &impl Fn(CollectProgress),
    ) {
        while changes.changed().await.is_ok() {
            self.has_begun = true;
            if let Err(error) = self.fetch(chain, progress).await
                && !may_pass(&error)
            {
                // It is tried once more when the job is over, and told then.
                return;
            }
        }
    }

    async fn fetch(
        &mut self,
        chain: &Chain,
        progress: &impl Fn(CollectProgress),
    ) -> anyhow::Result<()> {
        let coordinator = match self.coordinator.take() {
            Some(coordinator) => coordinator,
            None => Coordinator::of(chain, self.folder.job()).await?,
        };
        self.collector.fetch(&coordinator, progress).await?;
        // A connection over which something failed is not used again.
        self.coordinator = Some(coordinator);
        Ok(())
    }

    /// Fetches what is still missing from whoever coordinated the job before: each keeps the results that it
    /// decided.
    async fn fetch_from_each(
        &mut self,
        chain: &Chain,
        progress: &impl Fn(CollectProgress),
    ) -> anyhow::Result<()> {
        if self.collector.is_whole() {
            return Ok(());
        }
        for coordinator in Coordinator::each_of(chain, self.folder.job()).await? {
            if let Err(error) = self.collector.fetch(&coordinator, progress).await
                && !matches!(error, CollectError::Api(_))
            {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Fetches the rest of a job that is over, and ends the output if all of it is there. `is_done` says
    /// that every task was.
    pub(super) async fn finish(
        mut self,
        chain: &Chain,
        is_done: bool,
        progress: &impl Fn(CollectProgress),
    ) -> anyhow::Result<Downloaded> {
        // Who looks at a job that has long been over may not want all of its results.
        let is_wanted = self.has_begun || self.output.is_some();
        if is_wanted && !self.collector.is_whole() {
            match self.fetch(chain, progress).await {
                // What is here of a job that ended early may be all that there is.
                Err(error) if !is_done && may_pass(&error) => {}
                fetched => fetched?,
            }
            self.fetch_from_each(chain, progress).await?;
        }
        let now = self.progress();
        let mut told = Downloaded {
            tasks: now.tasks,
            downloaded: Some(now.downloaded),
            results: (now.downloaded > 0).then(|| self.folder.results()),
            folder: (now.downloaded > 0).then(|| self.folder.clone()),
            ..Downloaded::default()
        };
        if let Some((output, destination)) = self.output
            && (is_done || self.collector.is_whole())
            && let Some((writer, bytes)) = self.collector.finish()?
        {
            output.keep(writer)?;
            told.output = Some(destination.name().clone());
            told.destination = Some(destination);
            told.output_bytes = Some(bytes);
            told.results = None;
        }
        Ok(told)
    }

    /// Tells where the results are that are here, if there are any.
    pub(super) fn tell_what_is_here(&self) {
        tell_what_is_here(&self.folder, self.progress());
    }
}

/// Whether it may help to try again: what the coordinator sent is in order, but it does not answer.
fn may_pass(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<CollectError>();
    matches!(error, None | Some(CollectError::Api(_)))
}

/// Tells where those results of a job are that are here, if there are any.
pub(super) fn tell_what_is_here(folder: &JobFolder, now: CollectProgress) {
    if now.downloaded > 0 {
        tell(&some_in_words(now.downloaded, now.tasks, &folder.results()));
    }
}

fn some_in_words(downloaded: u32, tasks: u32, results: &Path) -> String {
    let results = results.display();
    format!("{downloaded} of {tasks} results are in {results}, one file for each task")
}

/// Puts the results in a job's folder together anew, in the place of an output that is there already. It has
/// its name only when it is whole. Returns its bytes.
pub(super) fn put_together(
    chain: &Chain,
    folder: &JobFolder,
    output: &Path,
) -> anyhow::Result<u64> {
    let (output, writer) = OutputFile::create(output)?;
    let collector = Collector::new(chain.genesis(), folder, Some(writer))?;
    // There is one, for it was just given.
    let Some((writer, bytes)) = collector.finish()? else {
        return Ok(0);
    };
    output.keep(writer)?;
    Ok(bytes)
}

impl Downloaded {
    /// Takes the output to where it goes. Then waits until what was drawn of the settled tasks is computed again, and puts what comes out in the place of
    /// accepted results that are wrong. The output is there meanwhile; if a result is replaced it is put
    /// together anew.
    pub(super) async fn correct(&mut self, chain: &Chain) -> anyhow::Result<()> {
        let Some(folder) = self.folder.take() else {
            return Ok(());
        };
        let destination = self.destination.take();
        if let Some(destination) = &destination {
            destination.deliver(&folder).await?;
        }
        let asked = Asked::of(chain, &folder, true).await;
        self.asked = asked.with_context(|| match &self.output {
            Some(output) => format!(
                "{output} has the accepted results, of which some may have been found to be wrong"
            ),
            None => "the results that are here may have been found to be wrong".to_owned(),
        })?;
        if let Some(destination) = destination {
            if self.asked.has_replaced() {
                let path = destination.path(&folder);
                self.output_bytes = Some(put_together(chain, &folder, &path)?);
                destination.deliver(&folder).await?;
            }
            folder.drop_results()?;
        }
        Ok(())
    }

    /// What is to be said of accepted answers that are wrong, a line each.
    pub(crate) fn corrections(&self, job: JobId) -> Vec<String> {
        self.asked.lines(job)
    }

    /// Where the result is, or what there is of it; none if nothing is here.
    pub(crate) fn in_words(&self, job: JobId) -> Option<String> {
        if let (Some(output), Some(bytes)) = (&self.output, self.output_bytes) {
            return Some(format!("{} in {output}", Size(bytes)));
        }
        let (downloaded, results) = (self.downloaded?, self.results.as_ref()?);
        Some(match downloaded == self.tasks {
            true => format!(
                "all of it is here; `quern job result {job} --output FILE` puts it together"
            ),
            false => some_in_words(downloaded, self.tasks, results),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_jobs_api::ApiError;
    use quern_owner::ApiFailure;

    fn downloaded(downloaded: u32) -> Downloaded {
        Downloaded {
            tasks: 4,
            downloaded: Some(downloaded),
            results: (downloaded > 0).then(|| "jobs/02/results".into()),
            ..Downloaded::default()
        }
    }

    #[test]
    fn of_a_job_that_ended_early_it_is_said_where_its_results_are() {
        let job = JobId([2; 32]);
        let words = |told: Downloaded| told.in_words(job).unwrap_or_default();
        let some = words(downloaded(3));
        assert!(
            some.contains("3 of 4 results are in jobs/02/results"),
            "{some}"
        );
        let all = words(downloaded(4));
        assert!(all.contains("`quern job result 0x02"), "{all}");
        assert_eq!(words(downloaded(0)), "");
        assert_eq!(words(Downloaded::default()), "");
        let output = Downloaded {
            output: Some(FileName::Here("words.txt".into())),
            output_bytes: Some(5),
            results: None,
            ..downloaded(4)
        };
        let output = words(output);
        assert!(output.ends_with(" in words.txt"), "{output}");
    }

    #[test]
    fn a_coordinator_that_is_silent_is_asked_again_and_one_that_alters_results_is_not() {
        let starting = CollectError::Api(ApiFailure::Refused(ApiError::Starting));
        assert!(may_pass(&starting.into()));
        assert!(may_pass(&anyhow::anyhow!("it cannot be reached")));
        assert!(!may_pass(&CollectError::Altered { task: 1 }.into()));
    }
}
