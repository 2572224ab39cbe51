//! A masternode that lies in what it signs, for tests of those who are to find that out, or whose days are
//! short, for tests that do not wait for one. It is the masternode but for that: what it decides by, hands
//! out and acknowledges is what an honest one would. It lies once in each job, at the first place where it
//! can, and all that follows from the lie is made to fit it, so that the chain takes the batch.

mod lies;

use anyhow::Context as _;
use clap::Parser;
use lies::{Liar, Lie};
use quern_grid::lottery::Calendar;
use quern_masternode::{Altering, Config, core::Entry, run_altered};
use quern_primitives::{BlockNumber, JobId, batch::Batch};
use std::{num::NonZero, path::PathBuf};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The masternode, but it lies, or its days are short.
#[derive(Parser)]
#[command(name = "quern-lying-masternode", version)]
struct Arguments {
    /// The settings file
    #[arg(long, short)]
    config: PathBuf,
    /// What it lies about
    #[arg(long, value_enum)]
    lie: Option<Lie>,
    /// How many blocks a day of the lottery has
    #[arg(long, value_name = "BLOCKS")]
    day_blocks: Option<NonZero<BlockNumber>>,
}

/// What is not as in a masternode.
struct Altered {
    liar: Option<Liar>,
    calendar: Calendar,
}

impl Altering for Altered {
    fn entry(&mut self, job: JobId, entry: Entry) -> Entry {
        match &mut self.liar {
            Some(liar) => liar.entry(job, entry),
            None => entry,
        }
    }

    fn batch(&mut self, batch: Batch) -> Batch {
        match &mut self.liar {
            Some(liar) => liar.batch(batch),
            None => batch,
        }
    }

    fn calendar(&self) -> Calendar {
        self.calendar
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let config = Config::read(&arguments.config)?;
    let mut terminate =
        signal(SignalKind::terminate()).context("cannot listen for the signal to stop")?;
    let stop = async move {
        terminate.recv().await;
    };
    let days = arguments.day_blocks.map(Calendar::of_days);
    let altered = Box::new(Altered {
        liar: arguments.lie.map(Liar::new),
        calendar: days.unwrap_or_default(),
    });
    run_altered(config, altered, Box::pin(stop)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
