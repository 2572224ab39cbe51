//! `quern plan`: how many replicas make a job as certain as its owner wants it.

mod curve;
mod devices;
mod draws;
mod examples;
mod live;
mod report;

pub(crate) use report::factor_in_words;

use crate::{context::Context, masternodes::MasternodeArgs, output::patiently};
use clap::Args;
use curve::Picture;
use devices::{Devices, DevicesError, fleet};
use draws::Draws;
use quern_grid::replication::{
    CURVE_POINTS_MAX, CurveError, FailureProbability, FailureProbabilityError, Fleet, Plan,
    PlanError, ReplicasError,
};
use quern_primitives::limits::REPLICAS_PER_TASK_MAX;
use report::{Live, Planned};
use std::{path::PathBuf, str::FromStr};

#[derive(Args, Clone, Debug)]
#[command(mut_group("DeviceOptions", |asks| {
    asks.requires("live").conflicts_with_all(["failure", "devices", "example"])
}))]
pub(crate) struct PlanArgs {
    /// The job's tasks
    #[arg(
        long,
        value_name = "M",
        required_unless_present = "example",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    tasks: Option<u64>,
    /// How likely a device fails with a task, any number of them being alike: 0.0005 or 0.05%
    #[arg(
        long,
        value_name = "P",
        required_unless_present_any = ["devices", "live", "example"],
        conflicts_with_all = ["devices", "live"],
        allow_hyphen_values = true
    )]
    failure: Option<FailureProbability>,
    /// Devices by how likely they fail: 700@4% any@35%, or drawn with a deviation: 900@30%~13.4%
    #[arg(
        long,
        value_name = "N@P",
        num_args = 1..,
        value_delimiter = ',',
        conflicts_with = "live"
    )]
    devices: Vec<Devices>,
    /// Devices as they are: those that the masternodes have ranked, by the faults of their last 20 tasks
    #[arg(long)]
    live: bool,
    /// Ask the masternode at this address [default: those that the chain names]
    #[arg(
        long,
        value_name = "URL",
        requires = "live",
        conflicts_with_all = ["failure", "devices", "example"]
    )]
    masternode: Option<String>,
    #[command(flatten)]
    asks: live::Asks,
    /// How sure the job shall be, such as 99%; less than half is read as the failure accepted
    #[arg(
        long,
        value_name = "D",
        required_unless_present_any = ["replication", "example"],
        conflicts_with = "replication",
        allow_hyphen_values = true
    )]
    confidence: Option<Confidence>,
    /// Instead of the fewest replicas for a confidence, tell what this many for each task achieve
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    replication: Option<Factor>,
    /// How many accounts there are: no two replicas of a task go to devices of one [default: 15; with
    /// --live those that have a device connected]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    accounts: Option<u64>,
    /// Points of the curve in the table [default: at quarters, halves or whole numbers of r]
    #[arg(
        long,
        value_name = "K",
        value_parser = clap::value_parser!(u64).range(2..=CURVE_POINTS_MAX)
    )]
    points: Option<u64>,
    /// Save the curve as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Which draws devices with a deviation get
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// One of the examples published with the formula, its figures beside those found here
    #[arg(
        long,
        value_name = "1|2|3",
        value_parser = clap::value_parser!(u8).range(1..=3),
        conflicts_with_all = [
            "tasks", "failure", "devices", "live", "confidence", "replication", "points"
        ]
    )]
    example: Option<u8>,
}

/// What is asked for cannot be planned as it was given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanInputError {
    /// The devices make no fleet.
    #[error(transparent)]
    Devices(#[from] DevicesError),
    /// There is nothing to plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The replicas are not to be had.
    #[error(transparent)]
    Replicas(#[from] ReplicasError),
    /// The curve cannot be drawn.
    #[error(transparent)]
    Curve(#[from] CurveError),
    /// The grid is empty.
    #[error(
        "no masternode that answers has a ranked device that meets what is asked for; ask for less, start workers, or plan with --failure or --devices"
    )]
    NoDevices,
}

/// Devices to plan with.
#[derive(Clone, Debug)]
struct Source {
    fleet: Fleet,
    /// The most replicas that a task can have.
    accounts: u64,
    /// Where they are, if they are those of a grid.
    masternode: Option<String>,
}

/// How many replicas each task has, on average: 1 at the least.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Factor(f64);

/// A text is no number of replicas for each task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no number of replicas for each task; write one from 1 on, such as 2 or 1.9985"
)]
struct ParseFactorError {
    /// What was written.
    text: String,
}

impl FromStr for Factor {
    type Err = ParseFactorError;

    fn from_str(text: &str) -> Result<Self, ParseFactorError> {
        // What is no number is in no range.
        let is_factor = |factor: &f64| (1.0..f64::INFINITY).contains(factor);
        let factor = text.trim().parse().ok().filter(is_factor);
        factor.map(Self).ok_or_else(|| ParseFactorError {
            text: text.to_owned(),
        })
    }
}

/// How sure an owner wants to be that no task fails on all of its devices, as the failure that is
/// accepted for that.
///
/// `99%` accepts 1 %. As nobody asks for a job that rather fails than not, less than half is taken
/// for the accepted failure itself, as the formula's delta is written: `1%` accepts 1 % as well.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Confidence {
    accepted: FailureProbability,
}

impl FromStr for Confidence {
    type Err = FailureProbabilityError;

    fn from_str(text: &str) -> Result<Self, FailureProbabilityError> {
        let given: FailureProbability = text.parse()?;
        let accepted = if given.get() < 0.5 {
            given
        } else {
            complement(given)?
        };
        Ok(Self { accepted })
    }
}

/// What is missing to 1, without what binary fractions add to decimal ones: 0.01 for 0.99.
fn complement(
    probability: FailureProbability,
) -> Result<FailureProbability, FailureProbabilityError> {
    let rest = 1.0 - probability.get();
    match format!("{rest:.15}").parse() {
        Ok(rounded) if rounded != FailureProbability::NEVER => Ok(rounded),
        _ => FailureProbability::new(rest),
    }
}

/// Plans, or shows an example. Thousands of drawn devices take their time.
pub(crate) async fn run(context: &Context, args: &PlanArgs) -> anyhow::Result<()> {
    let (args, seed) = (args.clone(), args.seed);
    if let Some(number) = args.example {
        let svg = args.svg;
        let compute = move || examples::example(number, seed, svg.as_deref());
        let example = patiently(
            "computing the example",
            tokio::task::spawn_blocking(compute),
        );
        return context.show(&example.await??);
    }
    let sources = match args.live {
        true => {
            let masternode = MasternodeArgs::at(args.masternode.clone());
            live::sources(context, &masternode, args.asks.check()?).await?
        }
        false => Vec::new(),
    };
    let compute = move || args.plan(sources);
    let planned = patiently("planning", tokio::task::spawn_blocking(compute));
    context.show(&planned.await??)
}

impl PlanArgs {
    /// Plans with the devices of these grids, or, if there are none, with those that are named.
    ///
    /// Which masternode a job gets is drawn, so of several grids the one counts that is worst for it.
    fn plan(&self, mut sources: Vec<Source>) -> anyhow::Result<Planned> {
        if sources.is_empty() {
            sources.push(Source {
                fleet: self.fleet().map_err(PlanInputError::from)?,
                accounts: REPLICAS_PER_TASK_MAX.into(),
                masternode: None,
            });
        }
        let masternodes = sources.len();
        // Clap requires the tasks unless an example is asked for; none are refused with a reason.
        let tasks = self.tasks.unwrap_or(0);
        let accepted = self.confidence.map(|confidence| confidence.accepted);
        let mut worst: Option<Choice> = None;
        for source in sources {
            let accounts = self.accounts.unwrap_or(source.accounts);
            let accounts = accounts.min(REPLICAS_PER_TASK_MAX.into());
            let plan = Plan::new(tasks, source.fleet, accounts).map_err(PlanInputError::from)?;
            let replicas = match (self.replication, accepted) {
                (Some(Factor(factor)), _) => plan.replicas(factor).map_err(PlanInputError::from)?,
                (None, Some(accepted)) => plan.least_replicas(accepted)?,
                (None, None) => plan.tasks(),
            };
            let choice = Choice {
                failure: plan.failure(replicas).map_err(PlanInputError::from)?,
                plan,
                replicas,
                masternode: source.masternode,
            };
            if worst
                .as_ref()
                .is_none_or(|worst| choice.is_worse_than(worst))
            {
                worst = Some(choice);
            }
        }
        let Choice {
            plan,
            replicas,
            masternode,
            ..
        } = worst.ok_or(PlanInputError::NoDevices)?;
        let planned = report::planned(&plan, replicas, accepted, self.points)?;
        if let Some(path) = &self.svg {
            Picture::of_plan(&plan, replicas, accepted)?.save(path)?;
        }
        let asking = self.asks.check()?;
        let live = masternode.map(|masternode| Live {
            masternode,
            masternodes,
            preferences: asking.preferences,
            class: asking.class,
        });
        Ok(planned.of_grid(live).saved_as(self.svg.clone()))
    }

    /// The devices that are named.
    fn fleet(&self) -> Result<Fleet, DevicesError> {
        match self.failure {
            Some(failure) => Ok(Fleet::alike(failure)),
            None => fleet(&self.devices, &mut Draws::new(self.seed)),
        }
    }
}

/// What is planned for one grid.
struct Choice {
    plan: Plan,
    replicas: u64,
    failure: FailureProbability,
    masternode: Option<String>,
}

impl Choice {
    /// Whether it takes more replicas, or achieves less with as many.
    fn is_worse_than(&self, other: &Self) -> bool {
        (self.replicas, self.failure) > (other.replicas, other.failure)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;
    use quern_primitives::{device::Class, job::Preferences};

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        args: PlanArgs,
    }

    fn read(line: &str) -> Result<PlanArgs, clap::Error> {
        let words = ["plan"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args)
    }

    #[test]
    fn a_confidence_and_the_failure_it_accepts_say_the_same() {
        let accepted = |text: &str| text.parse::<Confidence>().unwrap().accepted.get();
        for text in ["99%", "0.99", "1%", "0.01"] {
            assert_eq!(accepted(text), 0.01, "{text}");
        }
        assert_eq!(accepted("50%"), 0.5);
        assert_eq!(accepted("100%"), 0.0);
        // The nearest binary fraction below 1 is not 1.
        assert!(accepted("0.9999999999999999") > 0.0);
        for text in ["101%", "-1%", "nan", "sure"] {
            assert!(text.parse::<Confidence>().is_err(), "{text}");
        }
    }

    #[test]
    fn plans_read_as_people_ask_for_them() {
        for line in [
            "--tasks 10000 --failure 0.0005 --confidence 1%",
            "--tasks 10000 --failure 0.05% --replication 1.9985",
            "--tasks 5000 --devices 700@4% 6800@0.1% 900@30%~13.4% --confidence 99%",
            "--tasks 5000 --devices 700@4%,any@35% --confidence 99% --points 20 --svg a.svg",
            "--tasks 5000 --devices 700:0.04 --devices 10:0.5 --confidence 0.01",
            "--tasks 5000 --live --confidence 99%",
            "--tasks 5000 --live --masternode ws://here --replication 2 --accounts 5",
            "--tasks 5000 --live --trusted --region europe,americas --class portable --confidence 99%",
            "--example 3 --seed 7",
        ] {
            assert!(read(line).is_ok(), "{line}: {:?}", read(line));
        }
        let args = read("--tasks 5 --devices 7@4% 3@1% --confidence 99%").unwrap();
        assert_eq!(args.fleet().unwrap().devices(), 10);
    }

    #[test]
    fn what_is_missing_contradictory_or_absurd_is_refused() {
        for line in [
            "",
            "--tasks 10 --failure 0.1",
            "--tasks 10 --confidence 99%",
            "--failure 0.1 --confidence 99%",
            "--tasks 10 --failure 0.1 --devices 7@4% --confidence 99%",
            "--tasks 10 --failure 0.1 --confidence 99% --replication 2",
            "--tasks -1 --failure 0.1 --confidence 99%",
            "--tasks 10 --failure nan --confidence 99%",
            "--tasks 10 --failure -0.1 --confidence 99%",
            "--tasks 10 --failure 1.1 --confidence 99%",
            "--tasks 10 --failure 0.1 --confidence 101%",
            "--tasks 10 --live --failure 0.1 --confidence 99%",
            "--tasks 10 --live --devices 7@4% --confidence 99%",
            "--tasks 0 --failure 0.1 --confidence 99%",
            "--tasks 10 --failure 0.1 --replication nan",
            "--tasks 10 --failure 0.1 --replication inf",
            "--tasks 10 --failure 0.1 --replication 0.99",
            "--tasks 10 --failure 0.1 --replication -2",
            "--tasks 10 --failure 0.1 --replication two",
            "--tasks 10 --failure 0.1 --confidence 99% --accounts 0",
            "--tasks 10 --failure 0.1 --confidence 99% --points 1",
            "--tasks 10 --failure 0.1 --confidence 99% --points 100001",
            "--tasks 10 --failure 0.1 --confidence 99% --seed 1.5",
            "--tasks 10 --failure 0.1 --masternode ws://here --confidence 99%",
            "--tasks 10 --failure 0.1 --trusted --confidence 99%",
            "--tasks 10 --devices 7@4% --region europe --confidence 99%",
            "--tasks 10 --failure 0.1 --class portable --confidence 99%",
            "--tasks 10 --live --region nowhere --confidence 99%",
            "--example 4",
            "--example 1 --tasks 10",
            "--example 1 --live",
            "--example 1 --gpu",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn of_several_grids_the_worst_counts_and_is_named() {
        let source = |failure: f64, masternode: &str| Source {
            fleet: Fleet::alike(FailureProbability::new(failure).unwrap()),
            accounts: 15,
            masternode: Some(masternode.into()),
        };
        let sources = || vec![source(0.05, "ws://good"), source(0.3, "ws://bad")];
        let args = read("--tasks 100 --live --confidence 99%").unwrap();
        let text = crate::output::Output::people(&args.plan(sources()).unwrap());
        assert!(text.contains("ws://bad, the worst of 2"), "{text}");
        let args = read("--tasks 100 --live --replication 2").unwrap();
        let text = crate::output::Output::people(&args.plan(sources()).unwrap());
        assert!(text.contains("ws://bad"), "{text}");
    }

    #[test]
    fn a_plan_for_the_grid_is_for_the_devices_that_the_job_asks_for() {
        let line = "--tasks 1 --live --replication 1 --trusted --region europe --class portable";
        let args = read(line).unwrap();
        let asking = args.asks.check().unwrap();
        assert!(asking.preferences.trusted && asking.class == Class::Portable);
        let source = Source {
            fleet: Fleet::alike(FailureProbability::new(0.1).unwrap()),
            accounts: 15,
            masternode: Some("ws://here".into()),
        };
        let planned = args.plan(vec![source]).unwrap();
        let text = crate::output::Output::people(&planned);
        let words = "verified by the council, in Europe, of the class portable";
        assert!(text.contains(words), "{text}");
        let json = serde_json::to_value(&planned).unwrap();
        assert_eq!(json["live"]["preferences"]["trusted"], true);
        assert_eq!(json["live"]["class"], "portable");
        let anything = read("--tasks 1 --live --replication 1").unwrap();
        let asking = anything.asks.check().unwrap();
        assert_eq!(asking.preferences, Preferences::default());
        assert_eq!(asking.class, Class::Pinned);
        let absurd = "--tasks 1 --live --replication 1 --processor-points-min 501";
        let error = read(absurd).unwrap().asks.check().unwrap_err();
        assert!(error.to_string().contains("at most 500"), "{error}");
    }

    #[test]
    fn live_devices_fail_with_the_share_of_their_last_tasks_that_was_faulty() {
        let failure = |faulty: usize| {
            let grid = crate::grid::live::tests::grid("ws://here", 15, &[(faulty, 100)]);
            let source = Source {
                fleet: grid.fleet().unwrap().unwrap(),
                accounts: 15,
                masternode: Some(grid.url),
            };
            let args = read("--tasks 1 --live --replication 3").unwrap();
            let planned = args.plan(vec![source]).unwrap();
            let text = crate::output::Output::people(&planned);
            assert!(text.contains("one task in 40"), "{text}");
            let json = serde_json::to_value(&planned).unwrap();
            assert_eq!(json["live"]["masternode"], "ws://here");
            json["failure"].as_f64().unwrap()
        };
        // Who fails every task has a fault rate of a third, and none of its tasks is done.
        assert_eq!(failure(20), 1.0);
        assert!((failure(10) - 0.125).abs() < 1e-12);
        assert!((failure(0) - 0.025f64.powi(3)).abs() < 1e-12);
    }

    #[test]
    fn a_task_has_no_more_replicas_than_there_are_accounts() {
        let source = || Source {
            fleet: Fleet::alike(FailureProbability::new(0.3).unwrap()),
            accounts: 2,
            masternode: Some("ws://here".into()),
        };
        let args = read("--tasks 100 --live --confidence 99%").unwrap();
        let error = args.plan(vec![source()]).unwrap_err().to_string();
        assert!(error.contains("with 2 replicas"), "{error}");
        let args = read("--tasks 100 --live --confidence 99% --accounts 15").unwrap();
        assert!(args.plan(vec![source()]).is_ok());
    }
}
