//! The project's tasks: set-up, build, demo, tests, bench, weights, chain specifications.
//!
//! This program runs before anything heavy is built, because it sets the machine up for the rest.
//! It therefore stays small: four dependencies, none of them ours.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to the person at the terminal is what this program is for"
)]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod build;
mod cargo;
mod chain;
mod ci;
mod coverage;
mod fuzz;
mod places;
mod run;
mod setup;
mod stand_ins;
mod steps;
mod weights;
mod wrapper;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Quern's tasks, each enough on a fresh machine"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Bring what the build needs: targets and components of the toolchain, protoc, dependencies
    Setup,
    /// Set up, then build every program of the workspace and the programs of the sandbox
    Build {
        /// Those to install instead, which are slower to build and quicker: into target/release
        #[arg(long)]
        release: bool,
    },
    /// Build, then compute the main job on a local grid and show what came of it
    Demo {
        /// Leave the grid running when the demo is done
        #[arg(long)]
        keep: bool,
        /// Passed on to quern-demo
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        passed_on: Vec<String>,
    },
    /// Build, then run every test, the documentation's examples among them
    Test {
        /// Also run the tests marked as long, property tests with more cases and the pallets'
        /// benchmarks, and build what is installed
        #[arg(long)]
        nightly: bool,
    },
    /// Build, then measure; writes target/bench/report.json
    Bench {
        /// Names of measurements and options, passed on to quern-bench; without, all of them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        passed_on: Vec<String>,
    },
    /// Build, then kill a grid's parts at random, as `kill -9` does, and see whether anything is lost
    Kills {
        /// How often something is killed
        #[arg(long, default_value_t = 200)]
        count: u64,
        /// Whom and when; each run says what it took
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Everything a change has to pass: formatting, house rules, build, lints, documentation, tests
    Ci,
    /// Let libFuzzer loose on the decoders that take bytes from strangers
    Fuzz {
        /// One of the folders of tests/fuzz/corpus; without, all of them, two at a time
        target: Option<String>,
        /// How long each is fuzzed
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Write into tests/fuzz/corpus what honest people say, and fuzz nothing
        #[arg(long)]
        seed_corpus: bool,
        /// Fuzz, then keep in tests/fuzz/corpus some of the fewest inputs that lead as far as all
        #[arg(long)]
        minimise: bool,
    },
    /// Measure the pallets' calls and write their weights
    Weights {
        /// Folders below runtime/pallets; without, all of them
        pallets: Vec<String>,
    },
    /// Generate chain-spec/*.json from the node
    ChainSpec {
        /// Write nothing; fail if a file is not what the node would generate
        #[arg(long)]
        check: bool,
    },
    /// Build the programs of the sandbox into target/programs
    Programs,
}

fn main() -> ExitCode {
    let outcome = if let Some(call) = wrapper::Call::heard(std::env::args_os()) {
        call.carry_out().map(ExitCode::from)
    } else if let Some(call) = coverage::Call::heard(std::env::args_os()) {
        call.carry_out().map(ExitCode::from)
    } else {
        carry_out(Arguments::parse().task).map(|()| ExitCode::SUCCESS)
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(task: Task) -> Result<()> {
    let places = places::Places::find()?;
    let mut steps = steps::Steps::start();
    match task {
        Task::Setup => setup::all(&places, &mut steps).map(drop),
        Task::Build { release } => {
            let what = match release {
                true => build::What::Installed,
                false => build::What::Programs,
            };
            build::all(&places, &mut steps, what).map(drop)
        }
        Task::Demo { keep, passed_on } => run::demo(&places, &mut steps, keep, &passed_on),
        Task::Test { nightly } => run::tests(&places, &mut steps, nightly),
        Task::Bench { passed_on } => run::bench(&places, &mut steps, &passed_on),
        Task::Kills { count, seed } => run::kills(&places, &mut steps, count, seed),
        Task::Ci => ci::all(&places, &mut steps),
        Task::Fuzz {
            target,
            seconds,
            seed_corpus,
            minimise,
        } => {
            let wish = match (seed_corpus, minimise) {
                (true, _) => fuzz::Wish::Seed,
                (false, minimise) => fuzz::Wish::Fuzz { seconds, minimise },
            };
            fuzz::task(&places, &mut steps, target.as_deref(), wish)
        }
        Task::Weights { pallets } => weights::measure(&places, &mut steps, &pallets),
        Task::ChainSpec { check } => chain::specifications(&places, &mut steps, check),
        Task::Programs => {
            let cargo = setup::toolchain_only(&places, &mut steps)?;
            build::programs(&places, &cargo, &mut steps)
        }
    }
}
