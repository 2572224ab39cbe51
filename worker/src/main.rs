//! The worker that is shipped. It runs programs in the sandbox and reports what came of it; there is
//! nothing else it can do.

use clap::Parser;
use quern_worker::{
    bench::Machinery,
    cli::{self, ClaimsCommand, Cli, Command, CommandError},
};
use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    cli::exit(carry_out(Cli::parse().command))
}

fn carry_out(command: Command) -> Result<ExitCode, CommandError> {
    let told = match command {
        Command::Run(args) => return cli::run(&args, Machinery::shipped()),
        Command::Init(args) => {
            let made = cli::init(&args.config)?;
            format!(
                "settings     {}\ndevice key   {}\ndevice       {}\nsealing key  {}\n\n\
                 Register the device with `quern device register`, then start it with \
                 `quern-worker run`.\n",
                made.settings.display(),
                made.device_key.display(),
                made.device,
                made.sealing_key,
            )
        }
        Command::ShowKey(args) => {
            let (device, sealing_key) = cli::show_key(&args.config)?;
            format!("device       {device}\nsealing key  {sealing_key}\n")
        }
        Command::Claims(ClaimsCommand::Show(args)) => cli::show_claims(&args.config)?,
        Command::Claims(ClaimsCommand::Account(args)) => {
            let account = cli::claims_account(&args.config)?;
            format!(
                "account      {account}\n\nSend it the bonds of some disputes with `quern wallet \
                 send`, and start the worker again.\n"
            )
        }
    };
    match io::stdout().write_all(told.as_bytes()) {
        // That nobody reads any more is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Tell(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
