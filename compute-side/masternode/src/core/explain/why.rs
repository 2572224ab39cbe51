//! The rules that keep something waiting and the steps that come by themselves: the name and the words
//! of each, here and nowhere else.
//!
//! The words of flags, of what a device lacks and of why the queues give it nothing are those of
//! `quern_grid`, where these are decided. What can be done about a rule stands with the rules
//! themselves ([`Rule::next`]).

use crate::core::{Bond, Tick, bonds, impasse::Impasse};
use quern_grid::{Flag, Withheld, measure::BadReading, needs::Lack};
use quern_jobs_api::{
    REASON_DEVICES_MAX, Reader, Reason, Rule, Step, StepKind, WaitingFor, counted, counted_as,
};
use quern_primitives::{
    amount::Amount,
    ids::{BatchSequence, BlockNumber, DeviceId, ReplicaIndex, TaskIndex},
};
use std::{collections::BTreeMap, fmt};

/// What keeps something waiting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Why {
    /// What its owner is told of the job.
    Waits(WaitingFor),
    /// A task of the job cannot be settled.
    JobFailed { task: TaskIndex, why: Impasse },
    /// This task cannot be settled.
    EndsJob(Impasse),
    /// The owner cancelled the job, which is settled until that block.
    Cancelled { until: BlockNumber },
    /// The job is that near its deadline.
    Deadline {
        block: BlockNumber,
        margin: BlockNumber,
        deadline: BlockNumber,
    },
    /// A replica of the task is out.
    Running,
    /// The answer is sure; the rest is waited for.
    Certain,
    /// The answer of so many tasks of the job is.
    CertainOfJob { tasks: usize },
    /// A trusted device is to be heard before anybody is blamed.
    SecondOpinion,
    /// The task is computed again, because devices differ on it.
    Referee,
    /// Devices of so many accounts could not open the task's input.
    Unopened { accounts: usize },
    /// A device has committed itself, and is asked to reveal, or not yet.
    Committed { asked: bool },
    /// A replica could not be handed out.
    Resting,
    /// The verdict is in no batch.
    InNoBatch,
    /// The verdict is in a batch that the chain has not counted.
    InBatch { sequence: BatchSequence },
    /// Something keeps the device from any work.
    Flagged(Flag),
    /// The device holds as many tasks as it may.
    HandsFull { most: u8 },
    /// The device gave a task back, came back without it, failed on it, or had three in a row until others
    /// had done them.
    Pausing,
    /// An accepted answer of the device turned out to be wrong.
    Contradicted,
    /// The device failed on several tasks of the job that have no verdict.
    Unjudged,
    /// So many answers of the device have no verdict.
    AwaitsVerdicts { answers: usize },
    /// The device computes a benchmark.
    Benchmarked,
    /// The device was not free for a benchmark for long, and gets nothing before it is.
    NeverFree,
    /// A note: the device was sent a benchmark and has not answered it rightly.
    BenchmarkOwed,
    /// A note: a figure that the device told is not believed.
    NotBelieved(BadReading),
    /// The queues give the device nothing.
    Withheld(Withheld),
    /// They do so because too little is bonded for it; the bond is that of its account.
    BondTooSmall { needed: Amount, bond: Option<Bond> },
    /// So many jobs that are served before this one have something open.
    JobsBefore { jobs: usize },
    /// Nothing: the device has not asked.
    NotAsked,
}

impl Why {
    pub(super) fn rule(&self) -> Rule {
        match self {
            Self::Waits(waiting) => match waiting {
                WaitingFor::Upload => Rule::Upload,
                WaitingFor::Devices => Rule::NoDevices,
                WaitingFor::Accounts { .. } => Rule::Accounts,
                WaitingFor::Chain | WaitingFor::Certificates { .. } | WaitingFor::Finality => {
                    Rule::Chain
                }
            },
            Self::JobFailed { .. } | Self::EndsJob(_) => Rule::Failed,
            Self::Cancelled { .. } => Rule::Cancelled,
            Self::Deadline { .. } => Rule::Deadline,
            Self::Running => Rule::Running,
            Self::Certain | Self::CertainOfJob { .. } => Rule::Certain,
            Self::SecondOpinion => Rule::SecondOpinion,
            Self::Referee => Rule::Referee,
            Self::Unopened { .. } => Rule::Unopened,
            Self::Committed { .. } => Rule::Commitments,
            Self::Resting => Rule::Resting,
            Self::InNoBatch => Rule::Batch,
            Self::InBatch { .. } => Rule::Chain,
            Self::Flagged(flag) => match flag {
                Flag::Disconnected => Rule::Disconnected,
                Flag::RepeatedFailures => Rule::RepeatedFailures,
                Flag::Waiting => Rule::WaitingAfterFaults,
                Flag::BatteryLow => Rule::BatteryLow,
                Flag::TooHot => Rule::TooHot,
                Flag::OutsideHours => Rule::OutsideHours,
                Flag::NetworkNotAllowed => Rule::NetworkNotAllowed,
                Flag::DataCapReached => Rule::DataCapReached,
                Flag::InUse => Rule::InUse,
                Flag::Unbonded => Rule::Unbonded,
                Flag::Banned => Rule::Banned,
            },
            Self::HandsFull { .. } => Rule::HandsFull,
            Self::JobsBefore { .. } => Rule::OthersFirst,
            Self::Pausing => Rule::Pausing,
            Self::Contradicted => Rule::Contradicted,
            Self::Unjudged => Rule::Unjudged,
            Self::AwaitsVerdicts { .. } => Rule::AwaitingVerdicts,
            Self::Benchmarked | Self::NeverFree => Rule::Benchmarked,
            Self::BenchmarkOwed => Rule::BenchmarkOwed,
            Self::NotBelieved(_) => Rule::ReadingNotBelieved,
            Self::Withheld(withheld) => match withheld {
                Withheld::NoJob => Rule::NoJob,
                Withheld::NothingOpen => Rule::NothingOpen,
                Withheld::NothingInPool => Rule::Pool,
                Withheld::OtherLevel => Rule::Level,
                Withheld::TouchedByAccount => Rule::Account,
                Withheld::Excluded => Rule::FailedBefore,
                Withheld::OtherLane => Rule::Lane,
                Withheld::KeptForTheFast => Rule::KeptForFast,
                Withheld::KeptForTheTrusted => Rule::KeptForTrusted,
                Withheld::OthersAreSooner { .. } => Rule::OthersSooner,
                Withheld::FasterComeFirst { .. } => Rule::FasterFirst,
                Withheld::OthersComeFirst => Rule::OthersFirst,
                Withheld::Lacks(lack) => match lack {
                    Lack::Hardware => Rule::Hardware,
                    Lack::Region => Rule::Region,
                    Lack::Connection => Rule::Line,
                    Lack::Trust => Rule::Trusted,
                    Lack::Gpu => Rule::Gpu,
                    Lack::Class => Rule::Class,
                    Lack::Version => Rule::Version,
                    Lack::Processor => Rule::Processor,
                    Lack::Memory => Rule::Memory,
                    Lack::Bond => Rule::Bond,
                },
            },
            Self::BondTooSmall { .. } => Rule::Bond,
            Self::NotAsked => Rule::NotAsked,
        }
    }

    /// As it is told to this reader, about no device in particular.
    pub(super) fn reason(&self, reader: Reader) -> Reason {
        let rule = self.rule();
        Reason {
            rule,
            words: self.to_string(),
            devices: None,
            device_ids: vec![],
            next: rule.next(reader).map(str::to_owned),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waits(WaitingFor::Upload) => {
                f.write_str("the masternode does not have all parts of the job yet; it takes them while they are uploaded")
            }
            Self::Waits(WaitingFor::Devices) => f.write_str("no device is connected"),
            Self::Waits(WaitingFor::Accounts { needed: 1, .. }) => {
                f.write_str("no device is connected that the job could go to")
            }
            Self::Waits(WaitingFor::Accounts { connected, needed }) => write!(
                f,
                "each task needs devices of {}, and {} one connected that the job could go to; a task is \
                 decided without the rest some time after so many agree that the rest could not change it",
                counted(*needed, "account"),
                counted_as(*connected, "has", "have")
            ),
            Self::Waits(WaitingFor::Chain) => f.write_str(
                "what there is to decide is decided; the chain has not finalised the last batch",
            ),
            Self::Waits(WaitingFor::Certificates { here, needed }) => write!(
                f,
                "the next batch waits for certificates of the job's masternodes: {here} of {needed}"
            ),
            Self::Waits(WaitingFor::Finality) => f.write_str(
                "nothing more of the job is settled; it is over when its last batch is final",
            ),
            Self::JobFailed { task, why } => write!(
                f,
                "task {task} of the job cannot be settled, and the job ends: {}",
                why.words()
            ),
            Self::EndsJob(why) => write!(f, "{}; the job ends", why.words()),
            Self::Cancelled { until } => write!(
                f,
                "its owner cancelled the job: nothing more is given out, and what is finished is \
                 settled until block {until}"
            ),
            Self::Deadline {
                block,
                margin,
                deadline,
            } => write!(
                f,
                "it is at block {block}, and within {margin} blocks of the job's deadline {deadline} \
                 nothing is given out any more"
            ),
            Self::Running => f.write_str("a replica of it is being computed"),
            Self::Certain => f.write_str(
                "its answer is sure; the replicas that are missing are waited for a little longer",
            ),
            Self::CertainOfJob { tasks: 1 } => f.write_str(
                "the answer of a task is sure; the replicas that are missing are waited for a little longer",
            ),
            Self::CertainOfJob { tasks } => write!(
                f,
                "the answers of {tasks} tasks are sure; the replicas that are missing are waited for a little longer",
            ),
            Self::SecondOpinion => f.write_str(
                "a device is about to be found at fault, and a trusted one is to be heard before, for \
                 some minutes",
            ),
            Self::Referee => f.write_str(
                "its answers differ, or are that the program fails, or it is said to open nowhere, and it \
                 waits for the referee: a masternode computes it again, and what comes out decides",
            ),
            Self::Unopened { accounts: 1 } => f.write_str(
                "a device could not open what it reads; if it opens nowhere, the job ends",
            ),
            Self::Unopened { accounts } => write!(
                f,
                "devices of {} could not open what it reads; if it opens nowhere, the job ends",
                counted(*accounts, "account")
            ),
            Self::Committed { asked: true } => f.write_str(
                "enough devices have computed it and committed themselves, and are asked what came out",
            ),
            Self::Committed { asked: false } => f.write_str(
                "a device has computed a replica of it, and what came out is told once others have committed \
                 themselves too: it waits for others to commit",
            ),
            Self::Resting => f.write_str(
                "the masternode could not hand a replica of it out; its operator finds why in its \
                 log",
            ),
            Self::InNoBatch => f.write_str("it has its verdict, which goes into the next batch"),
            Self::InBatch { sequence } => write!(
                f,
                "its verdict is in batch {sequence}, which the chain has not finalised yet"
            ),
            Self::Flagged(flag) => flag.fmt(f),
            Self::HandsFull { most: 1 } => f.write_str(
                "the device holds one task, and after a fault it may hold no more until it has \
                 completed one",
            ),
            Self::HandsFull { most } => {
                write!(f, "the device holds {}, as many as it may", counted(*most, "task"))
            }
            Self::Pausing => f.write_str(
                "the device gave a task back, came back without it, failed on it, or had three in a row \
                 until others had done them, and pauses; each time twice as long, until an answer of it is \
                 accepted, or the job ends on which it failed",
            ),
            Self::Contradicted => f.write_str(
                "an answer of the device was accepted, and another one came out when the masternode computed \
                 the task again; it gets nothing here for a day",
            ),
            Self::Unjudged => f.write_str(
                "the device failed on three tasks of the job that have no verdict yet; it gets no other of \
                 it until one of them has its verdict, or for an hour from the first",
            ),
            Self::AwaitsVerdicts { answers } => write!(
                f,
                "{} no verdict yet, and it gets nothing more until some \
                 have one, or are ten minutes old; with each that is accepted it may have more",
                counted_as(
                    *answers,
                    "answer of the device has",
                    "answers of the device have"
                )
            ),
            Self::Benchmarked => f.write_str("the device computes a benchmark first"),
            Self::NeverFree => f.write_str(
                "whenever the device asked in the last hour it had something to do; it computes a \
                 benchmark first, as soon as it has not",
            ),
            Self::BenchmarkOwed => f.write_str(
                "the device was sent a benchmark and did not answer it rightly: it counts as slow until \
                 it answers one",
            ),
            Self::NotBelieved(bad) => bad.fmt(f),
            Self::Withheld(withheld) => withheld.fmt(f),
            Self::BondTooSmall { needed, bond } => f.write_str(&bonds::in_words(*needed, *bond)),
            Self::JobsBefore { jobs } => write!(
                f,
                "{} before it, as of a higher level or earlier",
                counted_as(
                    *jobs,
                    "job that has something open is served",
                    "jobs that have something open are served"
                )
            ),
            Self::NotAsked => {
                f.write_str("nothing keeps the device from it: it gets it when it asks next")
            }
        }
    }
}

/// What keeps devices from something, by rule, as its owner is told.
#[derive(Default)]
pub(super) struct ByRule(BTreeMap<Rule, Reason>);

impl ByRule {
    pub(super) fn add(&mut self, why: &Why, device: DeviceId) {
        let rule = self.0.entry(why.rule());
        let reason = rule.or_insert_with(|| why.reason(Reader::Owner));
        reason.devices = Some(reason.devices.unwrap_or(0).saturating_add(1));
        if reason.device_ids.len() < REASON_DEVICES_MAX {
            reason.device_ids.push(device);
        }
    }

    /// The rule that keeps most devices first.
    pub(super) fn reasons(self) -> Vec<Reason> {
        let mut reasons: Vec<_> = self.0.into_values().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.devices));
        reasons
    }
}

/// Something that comes by itself at that time, to a replica if it is about one.
pub(super) fn step(now: Tick, at: Tick, kind: StepKind, replica: Option<ReplicaIndex>) -> Step {
    let words = match kind {
        StepKind::AskedAgain => "its device is asked again, if it shows no step forward before",
        StepKind::Rescued => "one more replica is opened, for a fast or trusted device",
        StepKind::TakenBack => "it is taken from its device and opened for others",
        StepKind::AskedToReveal => "what came out is asked for, whoever has committed by then",
        StepKind::OpenToAll => "it is for every device, whatever its lane and however fast",
        StepKind::UntrustedToo => "it is for devices that are not trusted too",
        StepKind::SlowToo => "slow devices get it too, if nobody takes anything of the job before",
        StepKind::Woken => "it is open again",
        StepKind::Ranked => "devices are ranked again, and others may be the better ones then",
        StepKind::DecidedWithoutRest => "the task is decided without the replicas that nobody has",
        StepKind::RefereeGivenUp => {
            "the referee is waited for no more: replicas are added, or the job ends"
        }
        StepKind::Batched => "its verdict goes into a batch, at the latest",
        StepKind::SentAgain => "the batch is sent again, if the chain has not counted it before",
        StepKind::WaitEnds => "its wait after faults is over, and it may take one task",
        StepKind::PauseEnds => "its pause is over, and it may take tasks",
        StepKind::AnswerEnds => "an answer of it is waited for no more, and it may take a task",
        StepKind::Other => "something happens",
    };
    Step {
        step: kind,
        in_s: at.since(now).div_ceil(1_000),
        replica,
        words: words.into(),
    }
}
