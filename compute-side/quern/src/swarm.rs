//! `quern swarm`: a task that a group computes together with no server. What is handed around is one
//! file, which says all of it.

mod create;
mod file;
mod show;

use crate::context::Context;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What can be done with swarms.
#[derive(Subcommand, Debug)]
pub(crate) enum SwarmCommand {
    /// Write the task file of a new swarm
    Create(Box<create::CreateArgs>),
    /// Show what a task file says, and what it would run
    Show(TaskArgs),
}

#[derive(Args, Debug)]
pub(crate) struct TaskArgs {
    /// The task file
    #[arg(value_name = "TASK")]
    task: PathBuf,
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &SwarmCommand) -> anyhow::Result<()> {
    match command {
        SwarmCommand::Create(args) => create::run(context, args).await,
        SwarmCommand::Show(args) => show::run(context, &args.task),
    }
}
