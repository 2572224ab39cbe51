//! The worker that is shipped. It runs programs in the sandbox and reports what came of it; there is
//! nothing else it can do.

use clap::Parser;
use quern_worker::{
    bench::Sandbox,
    cli::{self, ClaimsCommand, Cli, Command},
};
use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Run(args) => Ok(cli::run(&args, Sandbox)?),
        Command::Init(args) => {
            let made = cli::init(&args.config)?;
            writeln!(
                io::stdout(),
                "settings     {}\ndevice key   {}\ndevice       {}\nsealing key  {}\n\n\
                 Register the device with `quern device register`, then start it with \
                 `quern-worker run`.",
                made.settings.display(),
                made.device_key.display(),
                made.device,
                made.sealing_key,
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Command::ShowKey(args) => {
            let (device, sealing_key) = cli::show_key(&args.config)?;
            writeln!(
                io::stdout(),
                "device       {device}\nsealing key  {sealing_key}"
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Claims(ClaimsCommand::Show(args)) => {
            write!(io::stdout(), "{}", cli::show_claims(&args.config)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Claims(ClaimsCommand::Account(args)) => {
            let account = cli::claims_account(&args.config)?;
            writeln!(
                io::stdout(),
                "account      {account}\n\nSend it the bonds of some disputes with `quern wallet \
                 send`, and start the worker again."
            )?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
