//! Collecting a job's results and receipts.

use super::{
    JobName,
    confidence::{self, AssumedArgs},
    corrections::Asked,
    download::{put_together, tell_what_is_here},
    elsewhere::{BucketArgs, Destination, FileName},
    proofs::Batches,
};
use crate::{
    UsageError,
    context::Context,
    output::{Output, OutputFile, count_bar, patiently, tell},
    units::{Size, counted},
};
use anyhow::Context as _;
use clap::Args;
use quern_confidence::{Bound, Statement};
use quern_jobs_api::{JobsApiClient as _, TaskReceipts};
use quern_ledger::Chain;
use quern_owner::{ApiFailure, Collector, Coordinator, JobFolder};
use quern_primitives::{JobId, TaskIndex, verdict::ReceiptFile};
use serde::Serialize;
use std::{
    fs,
    io::{self, BufWriter, IsTerminal as _},
    path::{Path, PathBuf},
};

#[derive(Args, Clone, Debug)]
pub(crate) struct ResultArgs {
    #[command(flatten)]
    name: JobName,
    /// Where the result goes: a file, an object of a bucket of yours (s3://BUCKET/KEY), or a URL that takes it by PUT
    /// [default: standard output, if that is no terminal]
    #[arg(long, short, value_name = "FILE", value_parser = FileName::parser())]
    output: Option<FileName>,
    #[command(flatten)]
    buckets: BucketArgs,
    /// Do not wait until settled tasks that were drawn are computed again; of answers that are found to be wrong
    /// later you hear when you ask again
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    assumed: AssumedArgs,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ReceiptsArgs {
    #[command(flatten)]
    name: JobName,
    /// Where the receipts go
    #[arg(long, value_name = "DIR", default_value = "receipts")]
    folder: PathBuf,
    /// Only the receipts of this task
    #[arg(long)]
    task: Option<TaskIndex>,
}

#[derive(Debug, Serialize)]
struct Collected {
    job: JobId,
    output: FileName,
    bytes: u64,
    /// What is known of accepted answers that are wrong.
    #[serde(flatten)]
    asked: Asked,
    #[serde(flatten)]
    said: Said,
}

/// What can be said of a job's answers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Said {
    /// How likely a wrong answer was accepted and stays, by the accounts that could compute the job now;
    /// none if nobody tells of enough.
    confidence: Option<Statement>,
    /// How likely it may be, if the owner said so.
    wrong_at_most: Option<Bound>,
}

#[derive(Debug, Serialize)]
struct Saved {
    job: JobId,
    folder: PathBuf,
    receipts: Vec<PathBuf>,
    /// What proves their batches without a node.
    proofs: Vec<PathBuf>,
    /// Why it is not there for all of them.
    unproven: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &ResultArgs) -> anyhow::Result<()> {
    let job = context.job(&args.name.job)?;
    let folder = context.job_folder(job)?;
    match &args.output {
        Some(output) => {
            let output = Destination::of(output, &args.buckets).await?;
            let chain = context.chain().await?;
            let (bytes, asked) = collect_into(&chain, &folder, &output, !args.now).await?;
            context.show(&Collected {
                job,
                output: output.name().clone(),
                bytes,
                asked,
                said: Said::of(&chain, &folder, args.assumed).await,
            })
        }
        None if context.is_json() || io::stdout().is_terminal() => Err(UsageError::NoOutput.into()),
        None => {
            let chain = context.chain().await?;
            let asked = collect(&chain, &folder, !args.now).await?;
            let output = BufWriter::new(io::stdout());
            Collector::new(chain.genesis(), &folder, Some(output))?.finish()?;
            folder.drop_results()?;
            asked.lines(job).iter().for_each(|line| tell(line));
            let said = Said::of(&chain, &folder, args.assumed).await;
            said.lines().iter().for_each(|line| tell(line));
            Ok(())
        }
    }
}

impl Said {
    /// Asks who may compute the job now. The result is here, whether or not anything can be said of it.
    async fn of(chain: &Chain, folder: &JobFolder, assumed: AssumedArgs) -> Self {
        let accepted = folder.accepted_wrong().unwrap_or_default();
        let colluders = accepted.and_then(|accepted| accepted.colluders);
        let assumed = AssumedArgs {
            colluders: assumed.colluders.or(colluders),
        };
        let asked = confidence::of_job(chain, folder.job(), assumed);
        let asked = patiently("asking who may compute the job", asked).await;
        Self {
            confidence: asked.unwrap_or_default(),
            wrong_at_most: accepted.and_then(|accepted| Bound::new(accepted.at_most).ok()),
        }
    }

    fn lines(&self) -> Vec<String> {
        let said = self.confidence.as_ref();
        let mut lines = vec![confidence::in_words(said)];
        let bound = self.wrong_at_most;
        lines.extend(bound.map(|bound| confidence::bound_in_words(bound, said)));
        lines
    }
}

/// Writes a job's result to where it goes. Returns its bytes, and what is known of answers that are wrong.
async fn collect_into(
    chain: &Chain,
    folder: &JobFolder,
    output: &Destination,
    waits: bool,
) -> anyhow::Result<(u64, Asked)> {
    let path = output.path(folder);
    // Whether it can be written is found before anything is fetched.
    drop(OutputFile::create(&path)?);
    let asked = collect(chain, folder, waits).await?;
    let bytes = put_together(chain, folder, &path)?;
    output.deliver(folder).await?;
    folder.drop_results()?;
    Ok((bytes, asked))
}

/// Fetches what is not here of a job's results, and puts right ones in the place of those that were found to be
/// wrong, some of which are not known yet: with `waits` they are waited for.
async fn collect(chain: &Chain, folder: &JobFolder, waits: bool) -> anyhow::Result<Asked> {
    let mut collector = Collector::<io::Sink>::new(chain.genesis(), folder, None)?;
    if !collector.is_whole() {
        let coordinator = Coordinator::of(chain, folder.job()).await?;
        let bar = count_bar("results");
        let fetched = collector.fetch(&coordinator, |now| {
            bar.set_length(now.tasks.into());
            bar.set_position(now.downloaded.into());
        });
        let fetched = fetched.await;
        bar.finish_and_clear();
        fetched?;
        if let Some(why) = collector.why_missing(&coordinator).await? {
            tell_what_is_here(folder, collector.progress());
            return Err(why.into());
        }
    }
    Ok(Asked::of(chain, folder, waits).await?)
}

/// Saves the receipts of all replicas of a job's settled tasks, and what proves their batches.
pub(crate) async fn receipts(context: &Context, args: &ReceiptsArgs) -> anyhow::Result<()> {
    let job = context.job(&args.name.job)?;
    let chain = context.chain().await?;
    let coordinator = Coordinator::of(&chain, job).await?;
    fs::create_dir_all(&args.folder)
        .with_context(|| format!("cannot use the folder {}", args.folder.display()))?;
    let tasks = chain.at_finalised().await?.job(job).await?;
    let tasks = tasks.map_or(0, |known| known.submission.tasks);
    let bar = count_bar("tasks");
    bar.set_length(tasks.into());
    let (mut saved, mut next) = (Vec::new(), args.task.unwrap_or(0));
    let mut batches = Batches::default();
    loop {
        let page = coordinator
            .client()
            .receipts(job, next)
            .await
            .map_err(ApiFailure::from)?;
        let Some(last) = page.last() else { break };
        next = last.task.saturating_add(1);
        for settled in page {
            if args.task.is_some_and(|task| task != settled.task) {
                break;
            }
            let files = save_task(&coordinator, job, &settled, &args.folder, &mut saved).await?;
            files.iter().for_each(|file| batches.add(file));
            bar.set_position(u64::from(settled.task) + 1);
        }
        if args.task.is_some() {
            break;
        }
    }
    bar.finish_and_clear();
    let proofs = batches.save(&chain, job, &args.folder).await?;
    context.show(&Saved {
        job,
        folder: args.folder.clone(),
        receipts: saved,
        proofs: proofs.saved,
        unproven: proofs.why_not,
    })
}

/// Saves the receipts of all replicas of one task, and gives them.
async fn save_task(
    coordinator: &Coordinator,
    job: JobId,
    settled: &TaskReceipts,
    folder: &Path,
    saved: &mut Vec<PathBuf>,
) -> anyhow::Result<Vec<ReceiptFile>> {
    let task = settled.task;
    let mut files = Vec::new();
    for replica in &settled.replicas {
        let file = coordinator
            .client()
            .receipt(job, task, *replica)
            .await
            .map_err(ApiFailure::from)?;
        let path = folder.join(format!("task-{task}-replica-{replica}.json"));
        fs::write(&path, serde_json::to_string_pretty(&file)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        saved.push(path);
        files.push(file);
    }
    Ok(files)
}

impl Output for Collected {
    fn people(&self) -> String {
        let mut lines = vec![format!("{} in {}", Size(self.bytes), self.output)];
        lines.extend(self.asked.lines(self.job));
        lines.extend(self.said.lines());
        lines.join("\n")
    }
}

impl Output for Saved {
    fn people(&self) -> String {
        let folder = self.folder.display();
        let Some(first) = self.receipts.first() else {
            return "no task is settled yet; there are no receipts".into();
        };
        let receipts = counted(self.receipts.len(), "receipt");
        let mut lines = vec![format!(
            "{receipts} in {folder}; check one with  quern verify {}",
            first.display()
        )];
        if !self.proofs.is_empty() {
            let proofs = counted(self.proofs.len(), "proof");
            lines.push(format!(
                "{proofs} of their batches beside them; check one without a node with  quern verify --genesis HEX {}",
                first.display()
            ));
        }
        let unproven = self.unproven.as_ref();
        lines.extend(unproven.map(|why| format!("not every batch could be proven: {why}")));
        lines.join("\n")
    }
}
