//! `quern swarm`: a task that a group computes together with no server. What is handed around is one
//! file, which says all of it.

mod create;
mod file;
mod join;
mod show;
mod status;

pub(crate) use join::CELL;

use crate::context::Context;
use clap::{Args, Subcommand};
use quern_swarm_file::ValidatedTaskFile;
use std::path::{Path, PathBuf};

/// What can be done with swarms.
#[derive(Subcommand, Debug)]
pub(crate) enum SwarmCommand {
    /// Write the task file of a new swarm
    Create(Box<create::CreateArgs>),
    /// Show what a task file says, and what it would run
    Show(TaskArgs),
    /// Compute a task together with others, put the output together, and share on until you end it
    Join(Box<join::JoinArgs>),
    /// Share what is here of a swarm, and fetch the rest, without computing
    Seed(join::SeedArgs),
    /// How far a swarm is here, whether its peer runs or not
    Status(TaskPlace),
}

#[derive(Args, Debug)]
pub(crate) struct TaskArgs {
    /// The task file
    #[arg(value_name = "TASK")]
    task: PathBuf,
}

/// A task, and where on this machine its swarm is.
#[derive(Args, Clone, Debug)]
pub(crate) struct TaskPlace {
    /// The task file
    #[arg(value_name = "TASK")]
    task: PathBuf,
    /// The swarm's folder, for pieces and output [default: one by the swarm's name, in the home folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl TaskPlace {
    fn task(&self) -> &Path {
        &self.task
    }

    /// The folder of the task file, in which what it names beside it lies.
    fn beside(&self) -> PathBuf {
        let above = self.task.parent().map(Path::to_owned);
        above.unwrap_or_default()
    }

    /// Reads the task file, and says where its swarm is.
    fn read(&self, context: &Context) -> anyhow::Result<(ValidatedTaskFile, PathBuf)> {
        let task = file::read(&self.task)?;
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => context.swarms().join(hex::encode(task.digest().0)),
        };
        Ok((task, folder))
    }
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &SwarmCommand) -> anyhow::Result<()> {
    match command {
        SwarmCommand::Create(args) => create::run(context, args).await,
        SwarmCommand::Show(args) => show::run(context, &args.task),
        SwarmCommand::Join(args) => join::join(context, args).await,
        SwarmCommand::Seed(args) => join::seed(context, args).await,
        SwarmCommand::Status(place) => status::run(context, place),
    }
}
