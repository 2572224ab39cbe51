//! The masternode's command line.

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use quern_masternode::{Config, run};
use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

/// Takes jobs in, hands tasks to devices, compares their answers, and settles on the chain.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The settings file.
    #[arg(long, short, default_value = "masternode.toml")]
    config: PathBuf,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    match carry_out(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody to tell that standard error is closed.
            let _ = std::io::stderr().write_all(failure(&error).as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// What went wrong and why, a line each, without what an error above has said already.
fn failure(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    let mut text = format!("error: {said}\n");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) {
            text.push_str(&format!("  because: {cause}\n"));
        }
        said = cause;
    }
    text
}

async fn carry_out(arguments: Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A file shows the codes of colours as they are.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match arguments.log {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    let config = Config::read(&arguments.config)?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("cannot listen for the signal to stop")?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping");
    };
    run(config, Box::pin(stop)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_with_its_causes_once_each_and_no_backtrace() {
        let full = anyhow::anyhow!("the disk is full");
        let error = full
            .context("cannot write x")
            .context("cannot write x here");
        let told = "error: cannot write x here\n  because: the disk is full\n";
        assert_eq!(failure(&error), told);
    }
}
