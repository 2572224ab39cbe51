//! `quern job`: handing jobs in, following them, and collecting what came of them.

mod batches;
mod confidence;
mod corrections;
mod download;
mod elsewhere;
mod ending;
mod follow;
mod impasse;
mod list;
mod log;
mod matching;
mod preferences;
mod proofs;
mod quote;
mod replicas;
mod result;
mod spec;
mod status;
mod submit;
mod trial;
mod trying;
mod worth;

pub(crate) use follow::in_words;
pub(crate) use impasse::{end_in_words, impasse_of};
pub(crate) use preferences::{ClassChoice, DeviceOptions, in_words as asked_in_words};
pub(crate) use spec::SpecError;

use crate::context::Context;
use clap::{Args, Subcommand};
use confidence::AssumedArgs;
use quern_primitives::job::{JobEnd, JobState};
use spec::{JobOptions, JobSpec};
use std::{path::PathBuf, process::ExitCode};

/// What can be done with jobs.
#[derive(Subcommand, Debug)]
pub(crate) enum JobCommand {
    /// Hand a job in: try it, price it, seal it, pay its escrow and upload it
    Submit(submit::SubmitArgs),
    /// Run a job's tasks here, in the sandbox that devices use: what they take, write and would cost
    Try(trying::TryArgs),
    /// What a job would cost at most, without handing it in
    Quote(quote::QuoteArgs),
    /// Follow a job until it is over, and download its results meanwhile
    Watch(follow::WatchArgs),
    /// Fetch, check and open a job's results
    Result(result::ResultArgs),
    /// Where a job stands, on the chain and at its coordinator
    #[command(visible_alias = "status")]
    Show(status::ShowArgs),
    /// The jobs of an account
    List(list::ListArgs),
    /// Cancel a job; what is finished, or sure by the answers that came, is paid, the rest comes back
    Cancel(JobName),
    /// Return what is left of a job that is past its deadline; anyone may
    Refund(JobName),
    /// Save the receipts of a job, for `quern verify`
    Receipts(result::ReceiptsArgs),
    /// Save the signed log of a job, which anybody may have
    Log(log::LogArgs),
    /// What of a job was settled, batch by batch, as the chain keeps it
    Batches(batches::BatchesArgs),
    /// Go on with a job whose submission or upload was interrupted
    Resume(submit::ResumeArgs),
}

/// A job by its name.
#[derive(Args, Clone, Debug)]
pub(crate) struct JobName {
    /// The job: its 64 digits, or the first few if it was submitted from here
    job: String,
}

impl JobName {
    /// As it was given.
    pub(crate) fn text(&self) -> &str {
        &self.job
    }
}

/// A job as options and a job file describe it.
#[derive(Args, Clone, Debug)]
pub(crate) struct DescribedArgs {
    /// A job file (TOML) with the same keys as these options, which override it
    #[arg(long, value_name = "FILE.toml")]
    file: Option<PathBuf>,
    #[command(flatten)]
    options: JobOptions,
}

/// The same job, with whether it is tried beforehand.
#[derive(Args, Clone, Debug)]
pub(crate) struct SpecArgs {
    #[command(flatten)]
    job: DescribedArgs,
    /// Submit without trying the first task on this machine
    #[arg(long)]
    no_trial: bool,
    #[command(flatten)]
    assumed: AssumedArgs,
}

impl SpecArgs {
    fn check(&self) -> Result<JobSpec, SpecError> {
        self.job.check()
    }
}

impl DescribedArgs {
    fn check(&self) -> Result<JobSpec, SpecError> {
        let options = self.options.clone();
        match &self.file {
            Some(path) => options.over(JobOptions::read(path)?).check(),
            None => options.check(),
        }
    }
}

/// Does what is asked. A job that was followed and is not done whole is no success.
pub(crate) async fn run(context: &Context, command: &JobCommand) -> anyhow::Result<ExitCode> {
    match command {
        JobCommand::Submit(args) => return submit::submit(context, args).await,
        JobCommand::Resume(args) => return submit::resume(context, args).await,
        JobCommand::Try(args) => return trying::run(context, args).await,
        JobCommand::Watch(args) => return follow::run(context, args).await,
        JobCommand::Batches(args) => return batches::run(context, args).await,
        JobCommand::Quote(args) => quote::run(context, args).await?,
        JobCommand::Result(args) => result::run(context, args).await?,
        JobCommand::Show(args) => status::run(context, args).await?,
        JobCommand::List(args) => list::run(context, args).await?,
        JobCommand::Cancel(name) => ending::cancel(context, name).await?,
        JobCommand::Refund(name) => ending::refund(context, name).await?,
        JobCommand::Receipts(args) => result::receipts(context, args).await?,
        JobCommand::Log(args) => log::run(context, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a job ended with every task done, or will when its last batch is final.
fn is_done(state: &JobState) -> bool {
    state.end() == Some(JobEnd::AllSettled)
}

/// The exit code for a job that was followed to its end.
fn exit_code(state: &JobState) -> ExitCode {
    match is_done(state) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
