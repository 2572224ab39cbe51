//! A whole grid in virtual time, around the decisions of the real masternode and the real workers.
//!
//! ```text
//!  devices                      network                     masternode
//! ┌───────────────────┐   late, lost, twice, cut   ┌──────────────────────┐
//! │ the workers' core │◄──────────────────────────►│ the masternode's core│
//! └───────────────────┘                            └──────┬───────┬───────┘
//!                                              disk: later,│       │chain: the rules
//!                                                or never  ▼       ▼ of jobs and money
//! ```
//!
//! Both cores are the ones that ship, driven as their shells drive them: devices connect, say hello,
//! fetch, run, sign and report; the masternode's effects are carried out one after the other, and it
//! may die between any two of them, or after the last. What it had appended and not written is lost
//! then. Receipts are signed and checked, and results are sealed and committed to; only programs do
//! not run, and keys are not sealed to devices.
//!
//! # What is checked
//!
//! After every step, from the jobs' logs, the disk and the chain alone ([`Violation`] says it in
//! words): money is neither made nor lost, and accounts get what verdicts say; no task is decided or
//! settled twice; no wrong answer is accepted without a majority for it; no account has two replicas
//! of a task, or two shares of its pay, and nobody has one without the accepted answer; no task is given
//! before its input is on disk, or to a device that lets it have too little memory; no device
//! holds more than it may, has a task of a job that asks for other devices or for a larger bond, or is
//! given one that was never registered, has told that it is to be left alone, is in quarantine, or has to
//! wait after faults; after a fault a device holds one task at a time; a task in doubt goes to a trusted
//! device that could have it, and what has a lane to an account of it; nothing is given of a job or
//! task that is over; the masternode remembers no more devices than it may; nothing is
//! acknowledged, sent or erased before the disk has what it relies on. Whoever waits is told why: a device
//! that asks in vain has a rule for each job of which something is open, which agrees with what the chain
//! says of the device and with the logs, and at many a step each open task of a job of which nobody computes
//! anything has a reason. And at the end: every job is over, every report that was acknowledged on a
//! settled job is in a verdict, and each job's log, as signed blocks, is held to the rules with each of its
//! batches (`quern-recheck`), as anybody may hold it who has the chain beside it.
//!
//! There is one masternode. Its core, disk and books are one each in the world, and a device has one
//! connection at a time: a second masternode would want each of them twice. What a worker does with
//! several at a time is for the tests of its own core.
//!
//! # Once more
//!
//! A run follows from its [`Config`] alone. [`run`] says a digest of everything that happened; two runs
//! of one configuration have the same, and the same lines ([`Look`]), on every platform.
//!
//! | module | what it does |
//! | --- | --- |
//! | `config` | what a run is made of |
//! | `world` | what will happen, in order |
//! | `office` | the masternode, with `disk` and `chain` |
//! | `owners` | what owners hand in, and when |
//! | `machine` | a device |
//! | `network`, `weather` | what comes between them, and what goes wrong |
//! | `work`, `sizes` | tasks and their right answers, and how large they are |
//! | `asks` | what jobs ask of devices |
//! | `audit`, `violation` | what must never happen |
//! | `rules` | whether the logs hold at the end |
//! | `dishonest` | whether lies of the coordinator in them are found |
//! | `explained` | whether whoever waits is told why |
//! | `late` | what is done about devices that are late |
//! | `cause` | why jobs ended |
//! | `deaths` | between which effects deaths came |
//! | `conduct` | what became of devices, and when those that mean harm must be out |
//! | `trace`, `words`, `changes` | what happened |

mod asks;
mod audit;
mod benchmarks;
mod cause;
mod chain;
mod changes;
mod conduct;
mod config;
mod deaths;
mod dishonest;
mod disk;
mod explained;
mod late;
mod machine;
mod network;
mod office;
mod owners;
mod recomputing;
mod rules;
mod sizes;
mod trace;
mod violation;
mod weather;
mod words;
mod work;
mod world;

pub use cause::Cause;
pub use conduct::{Conduct, Way};
pub use config::{Config, Faults, FaultsError, Scheduling};
pub use deaths::Deaths;
pub use dishonest::{Dishonesty, Said, run_and_lie};
pub use trace::{CHANGE, Look};
pub use violation::Violation;

use quern_job_rules::quote::QuoteError;
use quern_primitives::job::{JobEnd, JobState};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};
use world::World;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// A digest of everything that happened, in order.
    pub history: u64,
    /// How many steps it took.
    pub steps: u64,
    /// How long it took, in milliseconds of virtual time.
    pub lasted_ms: u64,
    /// How long all devices together take to compute each task as often as its job asks for at first, in
    /// milliseconds. Where answers decide before the last replica is given out, a run may take less.
    pub bound_ms: u64,
    /// How each job ended.
    pub ends: Vec<JobState>,
    /// Why, for each of them.
    pub causes: Vec<Cause>,
    /// How often what happened.
    pub counts: Counts,
    /// Between which effects the masternode died.
    pub office_deaths: Deaths,
    /// Between which effects workers died.
    pub worker_deaths: Deaths,
    /// What became of each device, in the order of their numbers.
    pub conduct: Vec<Conduct>,
    /// What must never happen, and did: the run ended with it.
    pub violation: Option<Violation>,
}

impl Outcome {
    /// Whether every task of every job is settled.
    pub fn is_all_settled(&self) -> bool {
        let end = JobEnd::AllSettled;
        let settled = JobState::Completed { end };
        self.ends.iter().all(|state| *state == settled)
    }

    /// Whether every job that its owner did not cancel is settled, or ended for a reason that has a name.
    pub fn is_all_explained(&self) -> bool {
        self.causes.iter().all(|cause| *cause != Cause::Unexplained)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for state in &self.ends {
            let end = match state {
                JobState::Completed { end } => match end {
                    JobEnd::AllSettled => "settled",
                    JobEnd::ProgramFailed { .. } => "its program failed",
                    JobEnd::Undecided { .. } => "undecided",
                    JobEnd::OwnerCancelled | JobEnd::DeadlinePassed => "completed",
                    JobEnd::BatchStruck => "a batch was struck",
                },
                JobState::Cancelled => "cancelled",
                JobState::Expired => "expired",
                JobState::Submitted
                | JobState::Running { .. }
                | JobState::Cancelling { .. }
                | JobState::Settling { .. } => "open",
            };
            write!(f, "{separator}{end}")?;
            separator = ", ";
        }
        let (seconds, rest) = (self.lasted_ms / 1_000, self.lasted_ms % 1_000);
        let Self {
            steps,
            history,
            counts,
            ..
        } = self;
        write!(
            f,
            " after {seconds}.{rest:03} s in {steps} steps, history {history:016x}: {counts}"
        )
    }
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Replicas given to devices.
    pub given: u64,
    /// Reports taken.
    pub reports: u64,
    /// Answers that devices made up or got wrong.
    pub lies: u64,
    /// Verdicts on a wrong answer. Each had a majority.
    pub wrong_answers: u64,
    /// Deaths of the masternode.
    pub crashes: u64,
    /// Times that some devices were cut off.
    pub partitions: u64,
    /// Times that the masternode was cut off from the chain.
    pub severed: u64,
    /// Times that a device stopped, was killed or lost its power.
    pub departures: u64,
    /// Times that one was killed or its power went, among what it was about to do.
    pub killed: u64,
    /// Messages lost.
    pub lost: u64,
    /// Messages that came twice.
    pub doubled: u64,
    /// Transactions that did not get into a block.
    pub transactions_lost: u64,
    /// Replicas that could not be handed out.
    pub withheld: u64,
    /// Devices that won the daily lottery.
    pub winners: u64,
    /// Times that a battery ran low or a machine got too hot.
    pub unfit: u64,
    /// Times that a clock jumped.
    pub jumps: u64,
    /// Times that a machine became another device.
    pub identities: u64,
    /// Hellos of devices that the chain does not know.
    pub strangers: u64,
    /// Tasks of which a device said at once that their input does not open.
    pub refused: u64,
    /// Times that somebody waited, and was told why.
    pub explained: u64,
    /// Devices that make their answers up, all the same, and at once.
    pub rushing: u64,
    /// Runs of tasks that halted.
    pub halted: u64,
    /// Times that a device was asked again what it does, because a replica showed no step forward for the
    /// time T1. Only who waits for more work hears of that; the others tell within five seconds.
    pub asked_again: u64,
    /// Replicas that were added because one was out for the time T2; where its task is in doubt as well they
    /// are not counted.
    pub rescued: u64,
    /// Replicas that were added for an idle device to have a task done sooner than who has it.
    pub backed_up: u64,
    /// Replicas that were given to accounts in whose lane they are, where there are lanes for sure.
    pub in_lanes: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            given,
            reports,
            lies,
            wrong_answers,
            crashes,
            partitions,
            severed,
            departures,
            killed,
            lost,
            doubled,
            transactions_lost,
            withheld,
            winners,
            unfit,
            jumps,
            identities,
            strangers,
            refused,
            explained,
            rushing,
            halted,
            asked_again,
            rescued,
            backed_up,
            in_lanes,
        } = self;
        write!(
            f,
            "{given} replicas given, {withheld} not handed out, {refused} refused, {reports} reports, \
             {lies} lies, {wrong_answers} wrong answers with a majority, {crashes} deaths, {partitions} \
             partitions, {severed} from the chain, {departures} departures, {killed} without warning, {unfit} times low or hot, {jumps} clocks that \
             jumped, {identities} identities changed and {strangers} hellos of unknown ones, {lost} \
             messages lost and {doubled} doubled, {transactions_lost} transactions lost, {winners} \
             winners of the lottery, {explained} waits explained, {rushing} devices that rushed, \
             {halted} runs halted, {asked_again} devices asked again, {rescued} stale tasks helped out, \
             {backed_up} backed up, {in_lanes} replicas given in their lanes"
        )
    }
}

/// How the file of a trace begins; the run's configuration follows.
pub const HEADER: &str = "# quern-simulate grid ";

/// Runs a grid until every job is over, and longer by what the masternode takes to hear of it. The
/// chain's words if it does not take the jobs that are asked for.
pub fn run(config: &Config, look: Look<'_>) -> Result<Outcome, QuoteError> {
    let mut world = World::new(config, look)?;
    let violation = violation_of(|| world.go());
    Ok(world.outcome(violation))
}

/// What must not have happened, if something did. That a program panics is such a thing: the run is told of and shown
/// again like any other.
fn violation_of(go: impl FnOnce() -> Result<(), Violation>) -> Option<Violation> {
    match catch_unwind(AssertUnwindSafe(go)) {
        Ok(ended) => ended.err(),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
            let why = words.unwrap_or("it does not say why").to_owned();
            Some(Violation::Panicked { why })
        }
    }
}

/// The same, and nobody looks on.
pub fn run_unseen(config: &Config) -> Result<Outcome, QuoteError> {
    let look = Look {
        line: &mut |_| {},
        until: None,
        changes: false,
    };
    run(config, look)
}

/// Everything that happens in a run, as a file has it.
pub fn trace(config: &Config) -> Result<String, QuoteError> {
    let mut text = format!("{HEADER}{config}\n");
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    let look = Look {
        line: &mut line,
        until: None,
        changes: false,
    };
    run(config, look)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::panic)]
    fn a_program_that_panics_ends_a_run_with_what_it_said() {
        let why = "task 7 is nowhere".to_owned();
        let told = violation_of(|| panic!("task {} is nowhere", 7));
        assert_eq!(told, Some(Violation::Panicked { why }));
        let why = "no room".to_owned();
        assert_eq!(
            violation_of(|| panic!("no room")),
            Some(Violation::Panicked { why })
        );
        assert_eq!(violation_of(|| Ok(())), None);
    }
}
