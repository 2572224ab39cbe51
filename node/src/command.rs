//! From a command line to what it does.

use crate::{
    chain_spec,
    cli::{Cli, Subcommand},
    service::{self, Parts},
};
use quern_runtime::opaque::Block;
use sc_cli::{ChainSpec, SubstrateCli};
use std::{error::Error, fmt::Write, sync::Arc};

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "Quern node".into()
    }

    fn impl_version() -> String {
        env!("SUBSTRATE_CLI_IMPL_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        "Quern".into()
    }

    fn support_url() -> String {
        "the README of this program's source".into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    /// The chain that a node or a subcommand runs.
    fn load_spec(&self, id: &str) -> Result<Box<dyn ChainSpec>, String> {
        match chain_spec::load_with_state(id) {
            Ok(spec) => Ok(Box::new(spec)),
            Err(error) => Err(with_causes(&error)),
        }
    }
}

/// What the SDK tells of every block its author makes, beside that it was imported: only with a
/// `--log` of one's own.
const QUIETER: [&str; 2] = ["sc_basic_authorship=warn", "slots=warn"];

/// Reads the command line and does what it says.
///
/// # Errors
///
/// Those of the node or of the subcommand, as the SDK tells them.
pub fn run() -> sc_cli::Result<()> {
    let mut cli = Cli::from_args();
    match cli.subcommand.take() {
        None => run_node(cli),
        Some(subcommand) => run_subcommand(&cli, &subcommand),
    }
}

fn run_node(mut cli: Cli) -> sc_cli::Result<()> {
    // Before the operator's own, which win.
    cli.run
        .shared_params
        .log
        .splice(..0, QUIETER.map(String::from));
    let cache = cli.compiled_runtimes.clone();
    cli.create_runner(&cli.run)?
        .run_node_until_exit(|config| async move { service::run(config, cache.as_deref()) })
        .map_err(sc_cli::Error::Service)
}

fn run_subcommand(cli: &Cli, subcommand: &Subcommand) -> sc_cli::Result<()> {
    let cache = cli.compiled_runtimes.as_deref();
    match subcommand {
        Subcommand::Key(command) => command.run(cli),
        Subcommand::Sign(command) => command.run(),
        Subcommand::Verify(command) => command.run(),
        Subcommand::ExportChainSpec(command) => {
            let spec = chain_spec::load(&command.chain).map_err(|error| with_causes(&error))?;
            command.run(Box::new(spec))
        }
        Subcommand::ChainInfo(command) => cli
            .create_runner(command)?
            .sync_run(|config| command.run::<Block>(&config)),
        Subcommand::CheckBlock(command) => cli.create_runner(command)?.async_run(|config| {
            let Parts {
                client,
                import_queue,
                task_manager,
                ..
            } = service::parts(&config, cache)?;
            Ok((command.run(client, import_queue), task_manager))
        }),
        Subcommand::ExportBlocks(command) => cli.create_runner(command)?.async_run(|config| {
            let Parts {
                client,
                task_manager,
                ..
            } = service::parts(&config, cache)?;
            Ok((command.run(client, config.database), task_manager))
        }),
        Subcommand::ImportBlocks(command) => cli.create_runner(command)?.async_run(|config| {
            let Parts {
                client,
                import_queue,
                task_manager,
                ..
            } = service::parts(&config, cache)?;
            Ok((command.run(client, import_queue), task_manager))
        }),
        Subcommand::ExportState(command) => cli.create_runner(command)?.async_run(|config| {
            let Parts {
                client,
                task_manager,
                ..
            } = service::parts(&config, cache)?;
            Ok((command.run(client, config.chain_spec), task_manager))
        }),
        Subcommand::Revert(command) => cli.create_runner(command)?.async_run(|config| {
            let Parts {
                client,
                backend,
                task_manager,
                ..
            } = service::parts(&config, cache)?;
            Ok((
                command.run(client, backend, Some(Box::new(revert_consensus))),
                task_manager,
            ))
        }),
        Subcommand::PurgeChain(command) => cli
            .create_runner(command)?
            .sync_run(|config| command.run(config.database)),
        #[cfg(feature = "runtime-benchmarks")]
        Subcommand::Benchmark(command) => benchmark(cli, command),
    }
}

/// Takes back what BABE and GRANDPA remember of the reverted blocks beside the chain.
fn revert_consensus(
    client: Arc<service::Client>,
    backend: Arc<service::Backend>,
    blocks: quern_primitives::BlockNumber,
) -> sc_cli::Result<()> {
    sc_consensus_babe::revert(client.clone(), backend, blocks)?;
    sc_consensus_grandpa::revert(client, blocks)?;
    Ok(())
}

/// Measures calls or the machine. The SDK's other measurements need transactions of a chain's own
/// making, and nothing here is set by them.
#[cfg(feature = "runtime-benchmarks")]
fn benchmark(cli: &Cli, command: &frame_benchmarking_cli::BenchmarkCmd) -> sc_cli::Result<()> {
    use frame_benchmarking_cli::{BenchmarkCmd, SUBSTRATE_REFERENCE_HARDWARE};
    use sp_runtime::traits::HashingFor;
    cli.create_runner(command)?
        .sync_run(|config| match command {
            BenchmarkCmd::Pallet(command) => {
                command.run_with_spec::<HashingFor<Block>, ()>(Some(config.chain_spec))
            }
            BenchmarkCmd::Machine(command) => {
                command.run(&config, SUBSTRATE_REFERENCE_HARDWARE.clone())
            }
            _ => Err(
                "this program measures with `benchmark pallet` and `benchmark machine` only".into(),
            ),
        })
}

/// An error and all its causes in one line; the SDK's interfaces take errors as text.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
