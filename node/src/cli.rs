//! The command line.

use std::path::PathBuf;

/// The validator of a Quern chain.
#[derive(Debug, clap::Parser)]
pub(crate) struct Cli {
    /// What to do instead of running a node.
    #[command(subcommand)]
    pub(crate) subcommand: Option<Subcommand>,

    /// Where to keep compiled runtimes, instead of beside the database. Nodes on one machine may
    /// share a folder; then only the first of them takes the seconds to compile.
    #[arg(long, value_name = "PATH", env = "QUERN_COMPILED_RUNTIMES")]
    pub(crate) compiled_runtimes: Option<PathBuf>,

    /// How to run the node.
    #[command(flatten)]
    pub(crate) run: sc_cli::RunCmd,
}

/// What the program does beside running a node.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
    /// Make, inspect and store keys.
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),

    /// Sign a message with a secret key.
    Sign(sc_cli::SignCmd),

    /// Verify a signature of a message.
    Verify(sc_cli::VerifyCmd),

    /// Write a chain's specification; with `--raw` its first block's whole state, which is what
    /// the nodes of a lasting chain should start from.
    #[command(visible_alias = "build-spec")]
    ExportChainSpec(sc_cli::ExportChainSpecCmd),

    /// Tell how far the chain in the database is.
    ChainInfo(sc_cli::ChainInfoCmd),

    /// Tell whether the database has a block. One whose state it keeps was checked when it came, and
    /// is not run again.
    CheckBlock(sc_cli::CheckBlockCmd),

    /// Write blocks to a file.
    ExportBlocks(sc_cli::ExportBlocksCmd),

    /// Read blocks from a file.
    ImportBlocks(sc_cli::ImportBlocksCmd),

    /// Write the state of a block as a specification that a chain can start from.
    ExportState(sc_cli::ExportStateCmd),

    /// Take back the newest blocks, as far as they are not final.
    Revert(sc_cli::RevertCmd),

    /// Remove the chain from the database.
    PurgeChain(sc_cli::PurgeChainCmd),

    /// Measure the runtime's calls.
    #[cfg(feature = "runtime-benchmarks")]
    #[command(subcommand)]
    Benchmark(Box<frame_benchmarking_cli::BenchmarkCmd>),
}
