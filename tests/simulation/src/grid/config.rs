//! What a run is made of. The same configuration gives the same run, byte for byte.

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

/// What goes wrong, each with a rate in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Devices that take ten times as long as they should, also for a benchmark: they are known to be slow.
    pub slow: u32,
    /// Devices that take ten times as long for tasks as their benchmark says.
    pub sluggish: u32,
    /// Devices on which three in ten tasks halt for twenty minutes, while they go on giving signs of life.
    pub halting: u32,
    /// Devices on which half of all tasks fail.
    pub failing: u32,
    /// Devices that hand every task back at once, as if its input did not open.
    pub refusing: u32,
    /// Devices that make their answers up, each its own.
    pub lying: u32,
    /// Devices that make their answers up, all the same.
    pub colluding: u32,
    /// Devices that make their answers up, all the same, and at once.
    pub rushing: u32,
    /// Machines that make their answers up, and change their identity every minute: the device they
    /// were is retired, and they come back as another one.
    pub shifting: u32,
    /// Times a minute that a device goes away.
    pub churn: u32,
    /// Times a minute that a device's owner needs it.
    pub busy: u32,
    /// Times a minute that a device's battery runs low.
    pub battery: u32,
    /// Times a minute that a device gets too hot.
    pub heat: u32,
    /// Times a minute that a device's clock jumps: on, or back, and then it stands still until the time
    /// has come that it told before.
    pub jump: u32,
    /// Times a minute that the masternode's clock jumps: on, or back.
    pub leap: u32,
    /// Messages that are lost.
    pub loss: u32,
    /// Messages that come twice.
    pub duplicate: u32,
    /// Times a minute that some devices are cut off.
    pub partition: u32,
    /// Times a minute that the masternode dies.
    pub crash: u32,
    /// Transactions that do not get into a block.
    pub unsettled: u32,
    /// Replicas that cannot be handed out because a file cannot be read.
    pub unreadable: u32,
    /// Devices that are banned.
    pub ban: u32,
    /// Jobs that their owner cancels.
    pub cancel: u32,
    /// Jobs that cannot be computed: their inputs do not open, or one of them does not, their program
    /// traps, or too few devices have what they ask for.
    pub unsound: u32,
    /// Tasks that an honest device gets wrong, each in a way of its own; one that the council has verified
    /// gets none wrong.
    pub erring: u32,
}

/// A rate's name and place.
type Kind = (&'static str, fn(&mut Faults) -> &mut u32);

/// All of them, in the order in which they are written.
const KINDS: [Kind; 25] = [
    ("slow", |it| &mut it.slow),
    ("sluggish", |it| &mut it.sluggish),
    ("halting", |it| &mut it.halting),
    ("failing", |it| &mut it.failing),
    ("refusing", |it| &mut it.refusing),
    ("lying", |it| &mut it.lying),
    ("colluding", |it| &mut it.colluding),
    ("rushing", |it| &mut it.rushing),
    ("shifting", |it| &mut it.shifting),
    ("churn", |it| &mut it.churn),
    ("busy", |it| &mut it.busy),
    ("battery", |it| &mut it.battery),
    ("heat", |it| &mut it.heat),
    ("jump", |it| &mut it.jump),
    ("leap", |it| &mut it.leap),
    ("loss", |it| &mut it.loss),
    ("duplicate", |it| &mut it.duplicate),
    ("partition", |it| &mut it.partition),
    ("crash", |it| &mut it.crash),
    ("unsettled", |it| &mut it.unsettled),
    ("unreadable", |it| &mut it.unreadable),
    ("ban", |it| &mut it.ban),
    ("cancel", |it| &mut it.cancel),
    ("unsound", |it| &mut it.unsound),
    ("erring", |it| &mut it.erring),
];

impl Faults {
    /// Nothing at all.
    pub const NONE: Self = Self {
        slow: 0,
        sluggish: 0,
        halting: 0,
        failing: 0,
        refusing: 0,
        lying: 0,
        colluding: 0,
        rushing: 0,
        shifting: 0,
        churn: 0,
        busy: 0,
        battery: 0,
        heat: 0,
        jump: 0,
        leap: 0,
        loss: 0,
        duplicate: 0,
        partition: 0,
        crash: 0,
        unsettled: 0,
        unreadable: 0,
        ban: 0,
        cancel: 0,
        unsound: 0,
        erring: 0,
    };

    /// A good day: some devices are slow or come and go, and a message is lost now and then.
    pub const MILD: Self = Self {
        slow: 30,
        sluggish: 20,
        halting: 10,
        failing: 20,
        lying: 20,
        churn: 50,
        busy: 50,
        battery: 30,
        heat: 20,
        jump: 20,
        loss: 5,
        duplicate: 5,
        unsettled: 50,
        ..Self::NONE
    };

    /// A bad day.
    pub const ROUGH: Self = Self {
        slow: 80,
        sluggish: 40,
        halting: 30,
        failing: 60,
        refusing: 20,
        lying: 60,
        colluding: 60,
        rushing: 10,
        shifting: 40,
        churn: 300,
        busy: 200,
        battery: 100,
        heat: 100,
        jump: 100,
        leap: 100,
        loss: 20,
        duplicate: 20,
        partition: 500,
        crash: 1_000,
        unsettled: 200,
        unreadable: 10,
        unsound: 30,
        ..Self::NONE
    };

    /// A day on which everything happens at once.
    pub const HOSTILE: Self = Self {
        slow: 120,
        sluggish: 60,
        halting: 50,
        failing: 100,
        refusing: 40,
        lying: 120,
        colluding: 120,
        rushing: 20,
        shifting: 100,
        churn: 1_000,
        busy: 500,
        battery: 300,
        heat: 300,
        jump: 300,
        leap: 500,
        loss: 50,
        duplicate: 50,
        partition: 2_000,
        crash: 4_000,
        unsettled: 400,
        unreadable: 30,
        ban: 30,
        cancel: 100,
        unsound: 100,
        erring: 20,
    };

    /// Those that have a name.
    pub const NAMED: [(&'static str, Self); 4] = [
        ("none", Self::NONE),
        ("mild", Self::MILD),
        ("rough", Self::ROUGH),
        ("hostile", Self::HOSTILE),
    ];
}

/// A text names no faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// There is no such kind of fault.
    #[error(
        "there are no faults `{name}`; name none, mild, rough, hostile, or one of {}",
        names()
    )]
    Unknown {
        /// What was named.
        name: String,
    },
    /// A rate is no number.
    #[error(
        "the rate of {name} is a whole number of thousandths, at most 1000000; `{rate}` is none"
    )]
    Rate {
        /// Whose.
        name: String,
        /// What was given.
        rate: String,
    },
}

/// The highest rate, in thousandths: a thousand times a minute.
const RATE_MAX: u32 = 1_000_000;

fn names() -> String {
    KINDS.map(|(name, _)| name).join(", ")
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rates = *self;
        let mut separator = "";
        for (name, rate) in KINDS {
            let rate = *rate(&mut rates);
            if rate > 0 {
                write!(f, "{separator}{name}={rate}")?;
                separator = ",";
            }
        }
        if *self == Self::NONE {
            f.write_str("none")?;
        }
        Ok(())
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::NONE;
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let (name, rate) = item.split_once('=').unwrap_or((item, ""));
            if let Some((_, named)) = Self::NAMED.iter().find(|(known, _)| *known == item) {
                faults = *named;
            } else if let Some((_, place)) = KINDS.iter().find(|(known, _)| *known == name) {
                let parsed = rate.parse::<u32>().ok().filter(|rate| *rate <= RATE_MAX);
                *place(&mut faults) = parsed.ok_or_else(|| FaultsError::Rate {
                    name: name.to_owned(),
                    rate: rate.to_owned(),
                })?;
            } else {
                return Err(FaultsError::Unknown {
                    name: name.to_owned(),
                });
            }
        }
        Ok(faults)
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
    fn rates_change_what_was_named_before_them() {
        let faults: Faults = "hostile,crash=0,loss=7".parse().unwrap();
        let expected = Faults {
            crash: 0,
            loss: 7,
            ..Faults::HOSTILE
        };
        assert_eq!(faults, expected);
        assert_eq!(faults.to_string().parse::<Faults>().unwrap(), faults);
    }

    #[test]
    fn what_is_no_fault_is_named() {
        let words = |text: &str| text.parse::<Faults>().unwrap_err().to_string();
        assert!(words("losses=3").contains("`losses`"));
        assert!(words("loss=often").contains("`often`"));
        assert!(words("loss").contains("rate of loss"));
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
