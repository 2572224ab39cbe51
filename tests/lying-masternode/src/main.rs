//! A masternode that lies in what it signs, for tests of those who are to find that out. It is the
//! masternode but for that: what it decides by, hands out and acknowledges is what an honest one would. It
//! lies once in each job, at the first place where it can, and all that follows from the lie is made to fit
//! it, so that the chain takes the batch.

mod lies;

use anyhow::Context as _;
use clap::Parser;
use lies::{Liar, Lie};
use quern_masternode::{Config, run_altered};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The masternode, but it lies.
#[derive(Parser)]
#[command(name = "quern-lying-masternode", version)]
struct Arguments {
    /// The settings file
    #[arg(long, short)]
    config: PathBuf,
    /// What it lies about
    #[arg(long, value_enum)]
    lie: Lie,
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
    let liar = Box::new(Liar::new(arguments.lie));
    run_altered(config, liar, Box::pin(stop)).await
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
