//! `quern dispute`: what is disputed of what was settled, what was proved, and showing the chain a lie.

pub(crate) mod begin;
mod end;
pub(crate) mod file;
mod list;
mod words;

use crate::context::Context;
use clap::{Args, Subcommand};
use quern_dispute_rules::open::DisputeId;
use std::path::PathBuf;

/// What can be done about disputes.
#[derive(Subcommand, Debug)]
pub(crate) enum DisputeCommand {
    /// The disputes that are open
    List(ListArgs),
    /// An open dispute: what is asked, by when, and of whom
    Show(OpenArgs),
    /// What was proved of a job
    Proved(JobArgs),
    /// Show the chain a lie. It takes a bond, which is lost if nothing is wrong
    File(FileArgs),
    /// Answer what a dispute asks, so that who began it loses
    Answer(AnswerArgs),
    /// End a dispute whose time is over
    Expire(OpenArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Only those of this job: its id, or the beginning of it
    #[arg(long)]
    job: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct OpenArgs {
    /// The dispute's number, as `quern dispute list` tells it
    dispute: DisputeId,
}

#[derive(Args, Debug)]
pub(crate) struct JobArgs {
    /// The job's id, or the beginning of it
    job: String,
}

#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// The evidence, as `quern audit` writes it
    evidence: PathBuf,
    /// Do not ask before the bond is taken
    #[arg(long, short)]
    yes: bool,
    /// Show it even if it loses by what the chain says now
    #[arg(long)]
    anyway: bool,
}

#[derive(Args, Debug)]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    dispute: OpenArgs,
    /// The answer: the bytes of a reply as hexadecimal digits, in a file
    reply: PathBuf,
}

pub(crate) async fn run(context: &Context, command: &DisputeCommand) -> anyhow::Result<()> {
    match command {
        DisputeCommand::List(args) => list::list(context, args).await,
        DisputeCommand::Show(args) => list::show(context, args).await,
        DisputeCommand::Proved(args) => list::proved(context, args).await,
        DisputeCommand::File(args) => begin::file(context, args).await,
        DisputeCommand::Answer(args) => end::answer(context, args).await,
        DisputeCommand::Expire(args) => end::expire(context, args).await,
    }
}
