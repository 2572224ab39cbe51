//! The command line for owners, workers, operators and auditors.
//!
//! One file for each noun. Every command gathers its answer in one struct, which is rendered for
//! people or as JSON; what a command shows while it works goes to standard error.

mod audit;
mod context;
mod council;
mod dev;
mod device;
mod dispute;
mod explain;
mod export;
mod grid;
mod job;
mod keys;
mod keystore;
mod masternode;
mod masternodes;
mod output;
mod params;
mod plan;
mod store;
mod swarm;
mod totals;
mod treasury;
mod trust;
mod units;
mod verify;
mod wallet;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use context::{Context, ContextError, Globals};
use quern_worker::cli::{causes, failure};
use serde::Serialize;
use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

/// Exit code for a command that was not understood, as the argument parser has it.
const EXIT_USAGE: u8 = 2;

/// Exit code of an audit that could not be made, to be told from one that found something.
const EXIT_UNCHECKED: u8 = 2;

/// Compute on the Quern grid: hand in jobs, run workers, check what was paid.
#[derive(Parser, Debug)]
#[command(
    name = "quern",
    version,
    propagate_version = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Hand in jobs, follow them, collect their results
    #[command(subcommand)]
    Job(Box<job::JobCommand>),
    /// Check a receipt: who computed what, what it was found to be, what was paid
    Verify(verify::VerifyArgs),
    /// A whole grid on this machine: chain, masternode and workers
    #[command(subcommand)]
    Dev(dev::DevCommand),
    /// Devices of one's own: what a worker's bond and registration are
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// An operator's bond for its masternode
    #[command(subcommand)]
    Masternode(masternode::MasternodeCommand),
    /// Keys of accounts
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// An account's money
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// What the council decides: propose, vote, close
    #[command(subcommand)]
    Council(council::CouncilCommand),
    /// What the treasurer does: record payments, answer payouts
    #[command(subcommand)]
    Treasury(treasury::TreasuryCommand),
    /// A masternode's devices and jobs, as its scheduler sees them
    #[command(subcommand)]
    Grid(grid::GridCommand),
    /// Why a job, a task or a device waits: the scheduler's rules that keep it waiting
    #[command(subcommand)]
    Explain(explain::ExplainCommand),
    /// How many replicas make a job as certain as it shall be
    Plan(Box<plan::PlanArgs>),
    /// What the council can set, with bounds and present values
    Params,
    /// The whole chain's money, and whether it adds up
    Totals,
    /// Check the chain by what it tells itself, movement by movement
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// What is disputed of what was settled, and showing the chain a lie
    #[command(subcommand)]
    Dispute(dispute::DisputeCommand),
    /// Folders that strangers' machines keep, and give back
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Tasks that a group computes together with no server
    #[command(subcommand)]
    Swarm(swarm::SwarmCommand),
    /// What the chain tells, for other programs
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// A command that cannot be done as it was given.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    /// Nobody can be asked.
    #[error("there is no terminal to ask on whether it shall be done; say so with --yes")]
    Unconfirmed,
    /// A result would go to the terminal.
    #[error("say where the result shall go with --output FILE")]
    NoOutput,
}

fn main() -> ExitCode {
    // A part of a cell, before there is a second thread. Nobody types this.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|it| it == swarm::CELL) && arguments.next().is_none() {
        return quern_cell::inside();
    }
    let cli = match parsed() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody reads it if it cannot be written.
            let _ = error.print();
            let asked_for_json = std::env::args_os()
                .take_while(|argument| argument != "--")
                .any(|argument| argument == "--json");
            if asked_for_json && error.use_stderr() {
                print_failure(not_understood(&error), vec![]);
            }
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let json = Context::new(&cli.globals).is_ok_and(|context| context.is_json());
    match run(&cli) {
        Ok(code) => code,
        Err(error) => fail(&error, json),
    }
}

/// What is on the command line.
fn parsed() -> Result<Cli, clap::Error> {
    let mut command = with_negative_numbers(Cli::command());
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// A command that takes a negative number for the value that it is, and not for an option, so that whoever gives one
/// is told what may be given.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| {
            let takes_values = argument.get_action().takes_values();
            argument.allow_negative_numbers(takes_values)
        })
        .mut_subcommands(with_negative_numbers)
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    let context = Context::new(&cli.globals)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(dispatch(&context, &cli.command));
    // A trial run that nobody waits for any more is not waited for.
    runtime.shutdown_background();
    code
}

async fn dispatch(context: &Context, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(args) => return verify::run(context, args).await,
        Command::Job(command) => return job::run(context, command).await,
        Command::Dev(command) => dev::run(context, command).await?,
        Command::Device(command) => device::run(context, command).await?,
        Command::Masternode(command) => masternode::run(context, command).await?,
        Command::Keys(command) => keys::run(context, command).await?,
        Command::Wallet(command) => wallet::run(context, command).await?,
        Command::Council(command) => council::run(context, command).await?,
        Command::Treasury(command) => treasury::run(context, command).await?,
        Command::Grid(command) => grid::run(context, command).await?,
        Command::Explain(command) => explain::run(context, command).await?,
        Command::Plan(args) => plan::run(context, args).await?,
        Command::Params => params::run(context).await?,
        Command::Totals => return totals::run(context).await,
        Command::Audit(command) => return audit::run(context, command).await,
        Command::Dispute(command) => dispute::run(context, command).await?,
        Command::Store(command) => store::run(context, command).await?,
        Command::Swarm(command) => swarm::run(context, command).await?,
        Command::Export(command) => export::run(context, command).await?,
        Command::Completions { shell } => {
            output::print(completions(*shell).trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The completion script for a shell.
fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "quern", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// What the argument parser does not understand, without the usage that it prints behind it.
fn not_understood(error: &clap::Error) -> String {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.kind() == DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; --help lists them".into();
    }
    let text = error.to_string();
    let said = text.split("\nUsage:").next().unwrap_or_default();
    let said = said
        .split("\nFor more information")
        .next()
        .unwrap_or_default();
    let said = said.strip_prefix("error:").unwrap_or(said);
    let on_one_line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = said.split("\n\n").map(on_one_line);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

/// Writes to standard output, as JSON, what went wrong. Standard error has it already.
fn print_failure(error: String, causes: Vec<String>) {
    #[derive(Serialize)]
    struct Failure {
        error: String,
        causes: Vec<String>,
    }
    if let Ok(text) = serde_json::to_string_pretty(&Failure { error, causes }) {
        // There is nobody to tell that standard output is closed.
        let _ = output::print(&text);
    }
}

/// Tells what went wrong and why; for programs as JSON on standard output as well.
fn fail(error: &anyhow::Error, json: bool) -> ExitCode {
    output::tell(failure(error.as_ref()).trim_end());
    if json {
        print_failure(error.to_string(), causes(error.as_ref()));
    }
    let usage = error.is::<UsageError>() || error.is::<job::SpecError>() || is_context_usage(error);
    if usage {
        ExitCode::from(EXIT_USAGE)
    } else if error.is::<audit::Unchecked>() {
        ExitCode::from(EXIT_UNCHECKED)
    } else {
        ExitCode::FAILURE
    }
}

fn is_context_usage(error: &anyhow::Error) -> bool {
    use ContextError::{
        NoAccount, NotAContract, NotAJob, NotAnAccount, WhichAccount, WhichContract, WhichJob,
    };
    error.downcast_ref::<ContextError>().is_some_and(|error| {
        matches!(
            error,
            NoAccount
                | WhichAccount { .. }
                | NotAnAccount { .. }
                | NotAJob { .. }
                | WhichJob { .. }
                | NotAContract { .. }
                | WhichContract { .. }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_shell_s_completions_know_every_command() {
        use clap::ValueEnum as _;
        for shell in clap_complete::Shell::value_variants() {
            let script = completions(*shell);
            for command in Cli::command().get_subcommands() {
                let name = command.get_name();
                assert!(script.contains(name), "{shell} does not know `{name}`");
            }
        }
    }

    #[test]
    fn what_the_parser_says_fits_a_line_and_names_what_is_wrong() {
        let said = |line: &str| match Cli::try_parse_from(line.split(' ')) {
            Ok(_) => String::new(),
            Err(error) => not_understood(&error),
        };
        let unknown = said("quern wallet balnce --json");
        assert!(
            unknown.contains("'balnce'") && unknown.contains("'balance'"),
            "{unknown}"
        );
        assert!(
            !unknown.contains("Usage") && !unknown.starts_with("error"),
            "{unknown}"
        );
        let missing = said("quern job show --json");
        assert!(missing.ends_with("<JOB>"), "{missing}");
        assert!(said("quern job").contains("--help"));
        assert!(said("quern device bond much").contains("much"));
    }

    #[test]
    fn a_negative_number_is_refused_as_the_value_that_it_is() {
        let lines = [
            ("quern plan --tasks -5", "'-5' for '--tasks"),
            ("quern dev up --workers -1", "'-1' for '--workers"),
            ("quern explain task 0x12 -3", "'-3' for '<TASK>'"),
        ];
        with_negative_numbers(Cli::command()).debug_assert();
        for (line, expected) in lines {
            let command = with_negative_numbers(Cli::command());
            let said = command.try_get_matches_from(line.split(' '));
            let said = said.map_or_else(|error| not_understood(&error), |_| String::new());
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn every_command_and_option_says_what_it_is() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no help");
            for argument in command.get_arguments() {
                let id = argument.get_id();
                let built_in = id == "help" || id == "version";
                assert!(
                    argument.get_help().is_some() || built_in,
                    "{name} {id} has no help"
                );
            }
            command
                .get_subcommands()
                .filter(|sub| sub.get_name() != "help")
                .for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let error = anyhow::anyhow!("the disk is full").context("cannot write x: the disk is full");
        assert!(causes(error.as_ref()).is_empty());
        let error = anyhow::anyhow!("the disk is full").context("cannot write x");
        assert_eq!(causes(error.as_ref()), ["the disk is full"]);
    }
}
