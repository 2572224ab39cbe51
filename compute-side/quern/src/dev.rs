//! `quern dev`: a whole grid on this machine.

use crate::{
    context::Context,
    output::{Output, fields, spinner, table},
    units::{counted, counted_as},
};
use anyhow::bail;
use clap::{Args, Subcommand};
use quern_local_grid::{
    LocalGrid, OWNER, Plan, Process, Record, RecordError, WORKERS, stop_recorded, told_to_stop,
};
use serde::Serialize;
use std::path::PathBuf;

/// What can be done with a local grid.
#[derive(Subcommand, Debug)]
pub(crate) enum DevCommand {
    /// Start a validator, a masternode and workers, and leave them running
    Up(UpArgs),
    /// End the grid's processes; its chain stays and goes on with the next `up`
    Down(FolderArgs),
    /// Which of the grid's processes run
    Status(FolderArgs),
}

#[derive(Args, Debug)]
pub(crate) struct FolderArgs {
    /// The grid's folder [default: dev in the home folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Workers to start, each of an account of its own [default: 4]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=WORKERS.len() as i64))]
    workers: Option<u8>,
}

/// Workers of a grid, if nobody says how many.
const WORKERS_UNTOLD: u8 = 4;

#[derive(Debug, Serialize)]
struct Grid {
    folder: PathBuf,
    /// Whether it ran before this command.
    already_running: bool,
    /// Whether some worker was not connected when the others were waited for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lacks_workers: bool,
    node_url: String,
    jobs_api: String,
    processes: Vec<ProcessRow>,
    /// What to type to use the node, if it is not found by itself.
    #[serde(skip)]
    node_option: String,
    /// What to type to name the grid's folder, if it is not found by itself.
    #[serde(skip)]
    folder_option: String,
}

#[derive(Debug, Serialize)]
struct ProcessRow {
    name: String,
    id: u32,
    running: bool,
    log: PathBuf,
}

#[derive(Debug, Serialize)]
struct Down {
    folder: PathBuf,
    ended: usize,
}

/// The state of a grid, with its processes.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Status(Grid);

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &DevCommand) -> anyhow::Result<()> {
    match command {
        DevCommand::Up(args) => up(context, args).await,
        DevCommand::Down(args) => {
            let folder = folder(context, args)?;
            let bar = spinner("ending the grid's processes");
            let ended = stop_recorded(&folder).await;
            bar.finish_and_clear();
            context.show(&Down {
                folder,
                ended: ended?,
            })
        }
        DevCommand::Status(args) => {
            let folder = folder(context, args)?;
            let record = Record::read(&folder)?;
            context.show(&Status(grid(context, folder, record, true)))
        }
    }
}

async fn up(context: &Context, args: &UpArgs) -> anyhow::Result<()> {
    let folder = folder(context, &args.folder)?;
    match Record::read(&folder) {
        Ok(record) if record.processes.iter().all(Process::is_running) => {
            let running = grid(context, folder, record, true);
            running.check_workers(args.workers)?;
            return context.show(&running);
        }
        Ok(record) if record.processes.iter().any(Process::is_running) => bail!(
            "a part of the grid in {} has ended; end the rest with `quern dev down`, then start it again",
            folder.display()
        ),
        Ok(_) | Err(RecordError::None { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut plan = Plan::new(&folder);
    plan.workers = vec![None; args.workers.unwrap_or(WORKERS_UNTOLD).into()];
    let bar = spinner("starting the grid");
    let progress = |step: &str| bar.set_message(step.to_owned());
    let started = LocalGrid::start_unless(&plan, progress, told_to_stop()).await;
    bar.finish_and_clear();
    let Some(running) = started? else {
        bail!("told to stop; what had started is ended");
    };
    let lacks_workers = running.lacks_workers();
    let record = running.leave_running()?;
    context.show(&Grid {
        lacks_workers,
        ..grid(context, folder, record, false)
    })
}

fn folder(context: &Context, args: &FolderArgs) -> anyhow::Result<PathBuf> {
    // The parts of the grid have their own working folder, so its path must not depend on ours.
    let folder = args.folder.clone().unwrap_or_else(|| context.dev_folder());
    Ok(std::path::absolute(folder)?)
}

fn grid(context: &Context, folder: PathBuf, record: Record, already_running: bool) -> Grid {
    let row = |process: &Process| ProcessRow {
        name: process.name.clone(),
        id: process.id,
        running: process.is_running(),
        log: process.log.clone(),
    };
    let found = context.node_url() == record.node_url;
    let folder_option = match folder == context.dev_folder() {
        true => String::new(),
        false => format!(" --folder {}", folder.display()),
    };
    Grid {
        folder,
        folder_option,
        already_running,
        lacks_workers: false,
        processes: record.processes.iter().map(row).collect(),
        node_option: if found {
            String::new()
        } else {
            format!(" --node {}", record.node_url)
        },
        node_url: record.node_url,
        jobs_api: record.jobs_api,
    }
}

impl Grid {
    fn workers(&self) -> usize {
        let workers = self.processes.iter();
        let workers = workers.filter(|process| process.name.starts_with("worker"));
        workers.count()
    }

    /// Whether a grid that runs has as many workers as are asked for.
    fn check_workers(&self, asked: Option<u8>) -> anyhow::Result<()> {
        let (folder, running) = (&self.folder_option, self.workers());
        match asked {
            Some(asked) if usize::from(asked) != running => bail!(
                "the grid is running already, with {}; end it with `quern dev down{folder}`, and its chain goes on \
                 with `quern dev up{folder} --workers {asked}`",
                counted(running, "worker")
            ),
            _ => Ok(()),
        }
    }
}

impl Output for Grid {
    fn people(&self) -> String {
        let head = match self.already_running {
            true => format!(
                "the grid is running already, with {}",
                counted(self.workers(), "worker")
            ),
            false => "the grid is running, and stays so until `quern dev down`".into(),
        };
        let facts = fields(&[
            ("node", self.node_url.clone()),
            ("Jobs API", self.jobs_api.clone()),
            ("logs", self.folder.display().to_string()),
        ]);
        let (node, folder) = (&self.node_option, &self.folder_option);
        let lacking = match self.lacks_workers {
            true => "\n! not all workers are connected yet; their logs say why",
            false => "",
        };
        format!(
            "{head}{lacking}\n{facts}\n\nnext:\n  \
             quern{node} --account {OWNER} wallet balance\n  \
             quern{node} --account {OWNER} job submit --program FILE.wasm --input FILE --split lines --wait --output RESULT\n  \
             quern dev status{folder}"
        )
    }
}

impl Status {
    /// What to do if not all of the grid runs.
    fn next(&self) -> Option<String> {
        let Grid {
            processes,
            folder_option: folder,
            ..
        } = &self.0;
        let ended = processes.iter().filter(|process| !process.running).count();
        let up = format!("`quern dev up{folder}` starts it again, and its chain goes on");
        match ended {
            0 => None,
            all if all == processes.len() => Some(format!("nothing of the grid runs; {up}")),
            some => Some(format!(
                "{} of the grid ended, and the logs say why; `quern dev down{folder}` ends the rest, then {up}",
                counted(some, "part")
            )),
        }
    }
}

impl Output for Status {
    fn people(&self) -> String {
        let row = |process: &ProcessRow| {
            vec![
                process.name.clone(),
                if process.running { "running" } else { "ended" }.to_owned(),
                process.id.to_string(),
                process.log.display().to_string(),
            ]
        };
        let rows: Vec<_> = self.0.processes.iter().map(row).collect();
        let facts = fields(&[
            ("node", self.0.node_url.clone()),
            ("Jobs API", self.0.jobs_api.clone()),
        ]);
        let mut parts = vec![facts, table(&["part", "state", ">id", "log"], &rows)];
        parts.extend(self.next());
        parts.join("\n\n")
    }
}

impl Output for Down {
    fn people(&self) -> String {
        let ended = counted_as(self.ended, "process", "processes");
        format!(
            "{ended} ended; the chain stays in {}, and goes on with the next `quern dev up`; remove the folder to \
             begin anew",
            self.folder.display()
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A grid of which these parts run.
    fn grid(running: &[bool], folder_option: &str) -> Grid {
        let row = |running: &bool| ProcessRow {
            name: "part".into(),
            id: 7,
            running: *running,
            log: "part.log".into(),
        };
        Grid {
            folder: "grid".into(),
            already_running: true,
            lacks_workers: false,
            node_url: "ws://127.0.0.1:9944".into(),
            jobs_api: "ws://127.0.0.1:9955".into(),
            processes: running.iter().map(row).collect(),
            node_option: String::new(),
            folder_option: folder_option.into(),
        }
    }

    /// What is told of it.
    fn status(running: &[bool], folder_option: &str) -> String {
        Status(grid(running, folder_option)).people()
    }

    #[test]
    fn who_asks_for_other_workers_than_run_is_told_how_to_have_them() {
        let mut running = grid(&[true; 3], "");
        running.processes[2].name = "worker-1".into();
        assert!(running.check_workers(None).is_ok() && running.check_workers(Some(1)).is_ok());
        let error = running.check_workers(Some(6)).unwrap_err().to_string();
        for words in [
            "with 1 worker;",
            "`quern dev down`",
            "`quern dev up --workers 6`",
        ] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn a_grid_that_runs_needs_nothing() {
        let text = status(&[true, true], "");
        assert!(text.ends_with("part.log"), "{text}");
    }

    #[test]
    fn a_grid_of_which_nothing_runs_says_how_to_start_it_again() {
        let text = status(&[false, false], "");
        let last =
            "\n\nnothing of the grid runs; `quern dev up` starts it again, and its chain goes on";
        assert!(text.ends_with(last), "{text}");
        let elsewhere = status(&[false], " --folder /g");
        assert!(
            elsewhere.contains("`quern dev up --folder /g`"),
            "{elsewhere}"
        );
    }

    #[test]
    fn a_grid_that_runs_in_part_says_to_end_the_rest_first() {
        let text = status(&[true, false], "");
        assert!(text.contains("\n\n1 part of the grid ended"), "{text}");
        let (down, up) = (text.find("`quern dev down`"), text.find("`quern dev up`"));
        assert!(down.is_some() && down < up, "{text}");
    }
}
