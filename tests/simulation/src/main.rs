//! Experiments with the scheduler in virtual time, and with the judge.
#![allow(
    clippy::print_stdout,
    reason = "what an experiment found goes to standard output"
)]

mod experiment;
mod grid_runs;

use clap::{Parser, Subcommand};
use experiment::{AgreementArgs, DEVICES_MAX, DistributionArgs, SEEDS_MAX, TuneArgs};
use grid_runs::GridArgs;
use quern_simulation::makespan::{Contestant, Faulty, Scenario, run};
use std::str::FromStr;

/// How likely executions may go wrong at most: of more a job may never end.
const FAULTS_MAX: f64 = 0.9;

#[derive(Parser)]
#[command(name = "quern-simulate", about = "Grids of any size in virtual time")]
struct Arguments {
    #[command(subcommand)]
    experiment: Experiment,
}

#[derive(Subcommand)]
enum Experiment {
    /// How long one job takes under each policy, with the fluid bound as 1
    Makespan {
        /// Devices
        #[arg(
            long,
            default_value_t = 1_000,
            value_parser = clap::value_parser!(u32).range(2..=DEVICES_MAX)
        )]
        devices: u32,
        /// How likely an execution goes wrong, from 0 to 0.9
        #[arg(long, default_value = "0.05", allow_hyphen_values = true)]
        faults: Likelihood,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// How many seeds
        #[arg(
            long,
            default_value_t = 3,
            value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX)
        )]
        seeds: u64,
    },
    /// Whole grids, masternode and workers as they ship, in which nothing happens that must not
    Grid(GridArgs),
    /// All policies on several grids, in a page with tables and pictures
    #[command(name = "experiment")]
    Distribution(DistributionArgs),
    /// The settings of pools and timeouts that give the shortest makespan, and what lanes, a large account
    /// and second opinions cost
    Tune(TuneArgs),
    /// Coalitions of liars before the judge: how often they win and are found, beside the formulas
    Agreement(AgreementArgs),
}

/// How likely an execution goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Likelihood(f64);

/// A text does not say how likely something is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "how likely an execution goes wrong is a number from 0 to {most}; `{given}` is none",
    most = FAULTS_MAX
)]
struct LikelihoodError {
    given: String,
}

impl FromStr for Likelihood {
    type Err = LikelihoodError;

    fn from_str(text: &str) -> Result<Self, LikelihoodError> {
        // What is no number is in no range.
        let is_likely = |likelihood: &f64| (0.0..=FAULTS_MAX).contains(likelihood);
        let likelihood = text.parse().ok().filter(is_likely);
        likelihood.map(Self).ok_or_else(|| LikelihoodError {
            given: text.to_owned(),
        })
    }
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().experiment {
        Experiment::Makespan {
            devices,
            faults,
            seed,
            seeds,
        } => makespan(devices, faults.0, seed, seeds),
        Experiment::Grid(args) => grid_runs::grid(&args)?,
        Experiment::Distribution(args) => experiment::distribution(&args)?,
        Experiment::Tune(args) => experiment::tune(&args)?,
        Experiment::Agreement(args) => experiment::agreement(&args)?,
    }
    Ok(())
}

fn makespan(devices: u32, faults: f64, seed: u64, seeds: u64) {
    let scenario = Scenario {
        devices,
        tasks_per_device: 20,
        task_s: 60.0,
        faulty: Faulty { chance: faults },
    };
    for (name, contestant) in Contestant::all() {
        for seed in seed..seed.saturating_add(seeds) {
            let outcome = run(&scenario, &contestant, seed);
            println!(
                "{name:<24} seed {seed:>3}: {:>7.3} of the bound, {:.3} executions a task",
                outcome.ratio(),
                outcome.executions_per_task
            );
        }
    }
}
