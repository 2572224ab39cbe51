//! The worker that is shipped. It runs programs in the sandbox and reports what came of it; there is
//! nothing else it can do.

use clap::Parser;
use quern_worker::{
    bench::Sandbox,
    cli::{self, Cli, Command},
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
    }
}
