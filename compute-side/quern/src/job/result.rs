//! Collecting a job's results and receipts.

use super::JobName;
use crate::{
    UsageError,
    context::Context,
    output::{Output, count_bar},
    units::Size,
};
use anyhow::Context as _;
use clap::Args;
use quern_jobs_api::{JobsApiClient as _, TaskReceipts};
use quern_ledger::Chain;
use quern_owner::{ApiFailure, Coordinator, JobFolder, collect};
use quern_primitives::{JobId, TaskIndex};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

#[derive(Args, Clone, Debug)]
pub(crate) struct ResultArgs {
    #[command(flatten)]
    name: JobName,
    /// Where the result goes [default: standard output, if that is no terminal]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
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
    output: PathBuf,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Saved {
    job: JobId,
    folder: PathBuf,
    receipts: Vec<PathBuf>,
}

pub(crate) async fn run(context: &Context, args: &ResultArgs) -> anyhow::Result<()> {
    let job = context.job(&args.name.job)?;
    let folder = context.job_folder(job)?;
    match &args.output {
        Some(output) => {
            let chain = context.chain().await?;
            let bytes = collect_to_file(&chain, &folder, output).await?;
            context.show(&Collected {
                job,
                output: output.clone(),
                bytes,
            })
        }
        None if context.is_json() || io::stdout().is_terminal() => Err(UsageError::NoOutput.into()),
        None => {
            let chain = context.chain().await?;
            let mut output = BufWriter::new(io::stdout());
            collect_to(&chain, &folder, &mut output).await?;
            Ok(())
        }
    }
}

/// Writes a job's result to a file, which has its name only when it is whole. Returns its bytes.
pub(crate) async fn collect_to_file(
    chain: &Chain,
    folder: &JobFolder,
    output: &Path,
) -> anyhow::Result<u64> {
    let mut part = output.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let cannot = || format!("cannot write the result to {}", output.display());
    let file = File::create(&part).with_context(cannot)?;
    let mut writer = BufWriter::new(file);
    match collect_to(chain, folder, &mut writer).await {
        Ok(bytes) => {
            writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()?;
            fs::rename(&part, output).with_context(cannot)?;
            Ok(bytes)
        }
        Err(error) => {
            // What is left over disturbs nobody but looks like a result.
            let _ = fs::remove_file(&part);
            Err(error)
        }
    }
}

async fn collect_to(
    chain: &Chain,
    folder: &JobFolder,
    output: &mut impl Write,
) -> anyhow::Result<u64> {
    let coordinator = Coordinator::of(chain, folder.job()).await?;
    let bar = count_bar("results");
    let bytes = collect(
        &coordinator,
        chain.genesis(),
        folder,
        output,
        |done, all| {
            bar.set_length(all.into());
            bar.set_position(done.into());
        },
    )
    .await;
    bar.finish_and_clear();
    Ok(bytes?)
}

/// Saves the receipts of all replicas of a job's settled tasks.
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
            save_task(&coordinator, job, &settled, &args.folder, &mut saved).await?;
            bar.set_position(u64::from(settled.task) + 1);
        }
        if args.task.is_some() {
            break;
        }
    }
    bar.finish_and_clear();
    context.show(&Saved {
        job,
        folder: args.folder.clone(),
        receipts: saved,
    })
}

/// Saves the receipts of all replicas of one task.
async fn save_task(
    coordinator: &Coordinator,
    job: JobId,
    settled: &TaskReceipts,
    folder: &Path,
    saved: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    let task = settled.task;
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
    }
    Ok(())
}

impl Output for Collected {
    fn people(&self) -> String {
        format!("{} in {}", Size(self.bytes), self.output.display())
    }
}

impl Output for Saved {
    fn people(&self) -> String {
        let folder = self.folder.display();
        match self.receipts.first() {
            None => "no task is settled yet; there are no receipts".into(),
            Some(first) => format!(
                "{} receipts in {folder}; check one with  quern verify {}",
                self.receipts.len(),
                first.display()
            ),
        }
    }
}
