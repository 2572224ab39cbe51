//! What a run is made of. The same configuration gives the same run, byte for byte.

mod faults;

pub use faults::{Faults, FaultsError};

use clap::{Args, Parser, ValueEnum};
use quern_grid::{Policy, Tuning};
use quern_primitives::limits::REPLICAS_PER_TASK_MAX;
use quern_protocol::limits::TASKS_IN_HAND_MAX;
use std::{fmt, str::FromStr};

/// A run's configuration.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Devices
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub devices: u32,
    /// Tasks of each job
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub tasks: u32,
    /// Replicas of each task: 1, 2 that must agree, or an odd number from 3 to 15
    #[arg(long, default_value_t = 3, value_parser = replicas)]
    pub replicas: u8,
    /// Jobs
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: u32,
    /// What a task takes an ordinary desktop, in seconds; where tasks differ in size it is their mean
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=240))]
    pub task_s: u32,
    /// What all luck is drawn from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// What goes wrong: none, mild, rough or hostile, or rates in thousandths such as
    /// rough,loss=20,crash=500
    #[arg(long, default_value_t = Faults::default())]
    pub faults: Faults,
    /// How long networks, disks, power and the masternode have their faults, in seconds; slow, failing
    /// and lying devices stay what they are
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub faults_s: u32,
    /// How the masternode gives tasks out
    #[arg(long, value_enum, default_value_t)]
    pub scheduling: Scheduling,
    /// Devices that the council has verified, of a thousand
    #[arg(long, default_value_t = TRUSTED, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub trusted: u32,
    /// Jobs that ask for certain devices, of a thousand
    #[arg(long, default_value_t = ASKING, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub asking: u32,
    /// Accounts whose bond covers no job's tasks, of a thousand
    #[arg(long, default_value_t = BONDLESS, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub bondless: u32,
    /// Jobs whose tasks differ in size, up to twentyfold, of a thousand; their mean is as usual
    #[arg(long, default_value_t = UNEVEN, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub uneven: u32,
    /// A rule that is broken on purpose, so that it can be seen what is told then: what the audit
    /// takes for the most tasks that a device may hold, if not what masternodes do
    #[arg(long, hide = true, value_parser = clap::value_parser!(u32).range(..TASKS_IN_HAND_MAX as i64))]
    pub audited_in_hand: Option<u32>,
}

/// A text is no number of replicas that a job may ask for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a task has 1 replica, 2 that must agree, or an odd number from 3 to {most}; `{given}` is none of \
     these",
    most = REPLICAS_PER_TASK_MAX
)]
struct ReplicasError {
    given: String,
}

fn replicas(text: &str) -> Result<u8, ReplicasError> {
    let may_be = |replicas: &u8| {
        *replicas == 2 || (*replicas <= REPLICAS_PER_TASK_MAX && !replicas.is_multiple_of(2))
    };
    let replicas = text.parse().ok().filter(may_be);
    replicas.ok_or_else(|| ReplicasError {
        given: text.to_owned(),
    })
}

/// What is usual, of a thousand.
const TRUSTED: u32 = 200;
const ASKING: u32 = 500;
const BONDLESS: u32 = 100;
const UNEVEN: u32 = 300;

impl Default for Config {
    fn default() -> Self {
        Self {
            devices: 100,
            tasks: 1_000,
            replicas: 3,
            jobs: 1,
            task_s: 20,
            seed: 0,
            faults: Faults::default(),
            faults_s: 300,
            scheduling: Scheduling::default(),
            trusted: TRUSTED,
            asking: ASKING,
            bondless: BONDLESS,
            uneven: UNEVEN,
            audited_in_hand: None,
        }
    }
}

/// As the arguments of `quern-simulate grid` that give the same run.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            devices,
            tasks,
            replicas,
            jobs,
            task_s,
            seed,
            faults,
            faults_s,
            scheduling,
            trusted,
            asking,
            bondless,
            uneven,
            audited_in_hand,
        } = self;
        write!(
            f,
            "--devices {devices} --tasks {tasks} --replicas {replicas} --jobs {jobs} \
             --task-s {task_s} --seed {seed} --faults {faults} --faults-s {faults_s} \
             --scheduling {scheduling} --trusted {trusted} --asking {asking} --bondless {bondless} \
             --uneven {uneven}"
        )?;
        match audited_in_hand {
            Some(most) => write!(f, " --audited-in-hand {most}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Config {
    type Err = clap::Error;

    fn from_str(arguments: &str) -> Result<Self, clap::Error> {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            config: Config,
        }
        let arguments = std::iter::once("grid").chain(arguments.split_whitespace());
        Ok(Line::try_parse_from(arguments)?.config)
    }
}

/// How the masternode gives tasks out: the settings that an operator may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Scheduling {
    /// One of the others, drawn by the seed
    #[default]
    Drawn,
    /// As masternodes do unless they are told otherwise: one queue
    Best,
    /// Capacity pools as published
    PublishedPools,
    /// Capacity pools, a small top pool merged into the next, and backups
    MergedPools,
}

impl Scheduling {
    /// One that says how: this one, or the one of this number.
    pub(super) fn or_drawn(self, number: u32) -> Self {
        match (self, number % 3) {
            (Self::Drawn, 0) => Self::Best,
            (Self::Drawn, 1) => Self::PublishedPools,
            (Self::Drawn, _) => Self::MergedPools,
            (named, _) => named,
        }
    }

    /// How tasks are dealt and watched, as a masternode's settings have it.
    pub(super) fn tuning(self) -> Tuning {
        match self {
            Self::Drawn | Self::Best => Tuning::default(),
            Self::PublishedPools => Tuning::published(),
            Self::MergedPools => Tuning {
                policy: Policy::MergedPools,
                ..Tuning::default()
            },
        }
    }
}

impl fmt::Display for Scheduling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drawn => "drawn",
            Self::Best => "best",
            Self::PublishedPools => "published-pools",
            Self::MergedPools => "merged-pools",
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_reads_back_as_it_is_written() {
        for (_, faults) in Faults::NAMED {
            let config = Config {
                devices: 7,
                replicas: 5,
                seed: u64::MAX,
                faults,
                trusted: 1_000,
                uneven: 0,
                audited_in_hand: Some(1),
                ..Config::default()
            };
            assert_eq!(config.to_string().parse::<Config>().unwrap(), config);
        }
        for scheduling in Scheduling::value_variants() {
            let config = Config {
                scheduling: *scheduling,
                ..Config::default()
            };
            assert_eq!(config.to_string().parse::<Config>().unwrap(), config);
        }
        assert_eq!("".parse::<Config>().unwrap(), Config::default());
    }

    #[test]
    fn numbers_that_make_no_grid_are_refused() {
        for arguments in [
            "--devices 0",
            "--devices nan",
            "--tasks -1",
            "--jobs 257",
            "--task-s 0",
            "--seed 1.5",
            "--faults-s 86401",
            "--trusted 1001",
            "--asking inf",
            "--bondless -1",
            "--uneven 1001",
            "--audited-in-hand 2",
        ] {
            assert!(arguments.parse::<Config>().is_err(), "{arguments}");
        }
        for given in ["0", "4", "16", "17", "-1", "3.0", "nan", "999"] {
            let error = replicas(given).unwrap_err().to_string();
            assert!(error.contains("odd number from 3 to 15"), "{error}");
            assert!(error.contains(&format!("`{given}`")), "{error}");
        }
        assert_eq!(
            [1, 2, 3, 15].map(|it| replicas(&it.to_string()).unwrap()),
            [1, 2, 3, 15]
        );
    }
}
