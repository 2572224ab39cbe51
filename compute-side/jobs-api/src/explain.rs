//! Why something waits: the rules that keep a job, a task or a device waiting, and what happens next.
//!
//! A rule has a name that stays the same ([`Rule`]) and words that may change ([`Reason::words`]), and
//! beside it stands what can be done about it ([`Reason::next`]). What happens next by itself has a name
//! and words too ([`StepKind`], [`Step::words`]). All of it is what the scheduler itself decides by at
//! the moment it is asked.
//!
//! A verdict is told as receipt files tell it: who was found to have done what, and what each is paid.
//! Of the answer it has the keyed hash, the length and the fuel.

use crate::{DeviceState, JobStatus};
use quern_primitives::{
    amount::{Amount, as_string},
    ids::{BatchSequence, DeviceId, JobId, ReplicaIndex, TaskIndex},
    verdict::Verdict,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Connected devices looked at to say what keeps a job or a task waiting: a sample, the best ranked of
/// those that the job could go to, and for contrast some that it could not go to. Each costs the
/// masternode a walk through the queues of the first jobs, and whoever asks pays nothing.
pub const EXPLAINED_DEVICES_MAX: usize = 256;

/// Jobs that a device is told about: those that are served first.
pub const EXPLAINED_JOBS_MAX: usize = 64;

/// Devices that one reason names: the first that were looked at.
pub const REASON_DEVICES_MAX: usize = 16;

/// A rule that keeps something waiting. In JSON its name is in snake case; it stays the same where the
/// words may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    // Of a job.
    /// The chain has not drawn the job's coordinator.
    CoordinatorNotDrawn,
    /// Parts of the job are not uploaded.
    Upload,
    /// No device is connected.
    NoDevices,
    /// The connected devices that the job could go to are of fewer accounts than a task needs.
    Accounts,
    /// The chain has not finalised the last batch.
    Chain,
    /// A task of the job cannot be settled; the job ends.
    Failed,
    /// The job's deadline is too near for anything to be given out.
    Deadline,
    /// The job's owner cancelled it.
    Cancelled,

    // Of a task.
    /// A replica is being computed.
    Running,
    /// The task's answer is sure; the rest is waited for.
    Certain,
    /// A device is about to be found at fault, and a trusted one is to be heard before.
    SecondOpinion,
    /// Its answers differ, and a masternode computes it again.
    Referee,
    /// Devices could not open what the task reads.
    Unopened,
    /// A device has committed itself to a result, and waits for others to commit.
    Commitments,
    /// The masternode could not hand a replica out, and it rests.
    Resting,
    /// The task has its verdict, which waits for others to fill its batch.
    Batch,

    // Of a device, whatever it could get.
    /// It is not connected.
    Disconnected,
    /// More than half of its last 20 tasks had a fault.
    RepeatedFailures,
    /// It had three faults in a row and waits.
    WaitingAfterFaults,
    /// Its battery has less charge than its owner allows while it is not plugged in.
    BatteryLow,
    /// Its processor is too hot.
    TooHot,
    /// Its worker does not offer it at this hour.
    OutsideHours,
    /// Its worker does not allow the network that it is on.
    NetworkNotAllowed,
    /// It has transferred as much as its worker allows.
    DataCapReached,
    /// Somebody is using it.
    InUse,
    /// Its account's bond does not cover it.
    Unbonded,
    /// Its account is banned.
    Banned,
    /// It holds as many tasks as it may.
    HandsFull,
    /// It gave a task back, came back without it, failed on it, or had three in a row until others had done
    /// them, and pauses.
    Pausing,
    /// An accepted answer of it turned out to be wrong when the task was computed again.
    Contradicted,
    /// As many of its answers as it may have are without a verdict.
    AwaitingVerdicts,
    /// It computes a benchmark first.
    Benchmarked,
    /// It was sent a benchmark and did not answer it rightly, and counts as slow. That is a note: what
    /// it is kept from for being slow has a rule of its own.
    BenchmarkOwed,
    /// A figure that it told is not believed. That is a note: it keeps it from nothing.
    ReadingNotBelieved,

    // Of a device and a job or a task.
    /// There is no job.
    NoJob,
    /// No replica is open.
    NothingOpen,
    /// What is open is queued for pools above its own.
    Pool,
    /// Its pool takes no part in jobs of this level.
    Level,
    /// Its account computes or computed the task already.
    Account,
    /// It failed on several tasks of the job that have no verdict yet.
    Unjudged,
    /// It lost the task before: it failed, was late, or gave it back often.
    FailedBefore,
    /// What is open is drawn for other accounts, and for all if none of them comes.
    Lane,
    /// What is open is kept for fast or trusted devices, for some seconds yet.
    KeptForFast,
    /// What is open failed elsewhere or was answered in two ways, and a trusted device is to try it
    /// first.
    KeptForTrusted,
    /// The rest of the grid will have it done sooner.
    OthersSooner,
    /// Nothing is open, and what runs is computed again by faster devices, as long as they are to be had.
    FasterFirst,
    /// It would get something first that is served before.
    OthersFirst,
    /// Nothing: it gets a replica when it asks for work next.
    NotAsked,
    /// The job is for other kinds of machine.
    Hardware,
    /// The job is for other regions.
    Region,
    /// The job is for other kinds of line.
    Line,
    /// The job is for devices that the council verified.
    Trusted,
    /// The job needs a GPU.
    Gpu,
    /// It does not compute in the job's class.
    Class,
    /// Its worker is too old.
    Version,
    /// Its processor is too slow.
    Processor,
    /// It lets a task have less memory than one of the job may need.
    Memory,
    /// Its account's bond is too small.
    Bond,

    /// A rule that this version does not know by name; its words say what it is.
    #[serde(other)]
    Other,
}

impl fmt::Display for Rule {
    /// Its name, as in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What keeps something waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule.
    pub rule: Rule,
    /// The rule, and what it says here.
    pub words: String,
    /// How many devices it keeps from the work, where it is about devices; of those that were
    /// [looked at](Sample).
    pub devices: Option<u32>,
    /// Which, at most [`REASON_DEVICES_MAX`] of them.
    pub device_ids: Vec<DeviceId>,
    /// What whoever asked can do about it, as [`Rule::next`] has it: the owner where a job or a task is
    /// explained, the worker where a device is.
    #[serde(default)]
    pub next: Option<String>,
}

/// Which devices were looked at to say what keeps something waiting: none where that is no device's
/// matter, and at most [`EXPLAINED_DEVICES_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// So many.
    pub looked_at: u32,
    /// Of so many that are connected.
    pub connected: u32,
}

/// What will happen by itself. In JSON its name is in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A replica's device is asked again, if it shows no step forward before.
    AskedAgain,
    /// One more replica of the task is opened for a fast or trusted device.
    Rescued,
    /// A replica is taken from its device and opened for others.
    TakenBack,
    /// A device is asked to reveal what it committed itself to, although others have not committed.
    AskedToReveal,
    /// An open replica is for every device, whatever its lane and however fast.
    OpenToAll,
    /// An open replica that is kept for trusted devices is for others too.
    UntrustedToo,
    /// Slow devices are spared no more, if nobody takes anything of the job before.
    SlowToo,
    /// A replica that rested is open again.
    Woken,
    /// Devices are ranked again, at the latest, and others may be the better ones then.
    Ranked,
    /// The task is decided without the replicas that nobody has.
    DecidedWithoutRest,
    /// The referee is waited for no more.
    RefereeGivenUp,
    /// The verdict goes into a batch, at the latest.
    Batched,
    /// The batch is sent again, if the chain has not counted it before.
    SentAgain,
    /// A device that waits after faults may take a task again.
    WaitEnds,
    /// The pause of a device is over, and it may take tasks again.
    PauseEnds,
    /// The oldest answer of a device that has too many without a verdict counts no more.
    AnswerEnds,
    /// Something that this version does not know by name; its words say what it is.
    #[serde(other)]
    Other,
}

/// What will happen by itself, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What.
    pub step: StepKind,
    /// In so many seconds, rounded up.
    pub in_s: u64,
    /// To which replica, if it is about one.
    pub replica: Option<ReplicaIndex>,
    /// What, in words.
    pub words: String,
}

/// Where a job stands at the scheduler, and what keeps it waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobExplanation {
    /// How far it is.
    pub status: JobStatus,
    /// Devices that meet what it asks for.
    pub target_devices: u32,
    /// Accounts that have a device connected.
    pub connected_accounts: u32,
    /// Replicas that wait in each of its pools, from the top.
    pub open: Vec<u32>,
    /// Replicas that are being computed.
    pub running: u32,
    /// What keeps it waiting; nothing if nothing does.
    pub reasons: Vec<Reason>,
    /// The devices looked at for that.
    #[serde(default)]
    pub devices: Sample,
    /// What happens next by itself, soonest first.
    #[serde(default)]
    pub next: Vec<Step>,
}

/// Where a task stands at the scheduler, what keeps it waiting, and what happens next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskExplanation {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The most that those share who give the accepted answer: the bounty of a task that burns all the
    /// fuel it may.
    #[serde(default, with = "as_string")]
    pub bounty_max: Amount,
    /// How long a replica is expected to take on a device of the usual speed, in milliseconds; none
    /// once the task has its verdict, or while nothing of its job is given out.
    #[serde(default)]
    pub expected_ms: Option<u64>,
    /// Where it stands.
    pub stage: TaskStage,
    /// Its replicas that were not answered yet, those beyond what its agreement asks for among them.
    /// None once it has its verdict.
    pub missing: u32,
    /// Its replicas, while it has no verdict.
    pub replicas: Vec<ReplicaExplanation>,
    /// Its verdict, if it has one and the masternode can read it.
    pub verdict: Option<Verdict>,
    /// The batch that its verdict is in.
    pub batch: Option<BatchSequence>,
    /// What keeps it waiting; nothing if nothing does. While a replica is open, what keeps each
    /// device that is looked at from it, each device under the first rule that does; the rule that
    /// keeps most of them first.
    pub reasons: Vec<Reason>,
    /// The devices looked at for that.
    #[serde(default)]
    pub devices: Sample,
    /// What happens next by itself, soonest first.
    pub next: Vec<Step>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStage {
    /// Its shard, or something that every task of its job needs, is not uploaded, so nothing of it is
    /// given out.
    NotUploaded,
    /// No replica of it was given out yet.
    Untouched,
    /// A replica of it was given out, and it has no verdict yet.
    Open,
    /// It has its verdict, which is in no batch yet.
    Decided,
    /// Its verdict is in a batch that the chain has not counted yet, in a finalised block.
    Batched,
    /// Its verdict is settled on the chain, in a finalised block.
    Settled,
    /// It cannot be settled, and ends its job.
    EndsJob,
}

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaExplanation {
    /// The replica.
    pub replica: ReplicaIndex,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ReplicaStage,
}

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum ReplicaStage {
    /// It waits for a device.
    Open {
        /// In this pool's queue, counted from 1 at the top.
        pool: u32,
        /// Its turn in the queue, counted from 1.
        turn: u32,
        /// Replicas in the queue.
        of: u32,
        /// For so many seconds.
        since_s: u64,
        /// Whether a fast or trusted device shall have it, because another was late or failed.
        rescue: bool,
    },
    /// A device computes it.
    Running {
        /// Which.
        device: DeviceId,
        /// For so many seconds; not known if the job hands out nothing any more.
        since_s: Option<u64>,
        /// It should be answered in so many seconds; below 0 when it is overdue.
        due_in_s: i64,
        /// Whether another device computes the same already.
        backup: bool,
        /// How late it is.
        lateness: Lateness,
    },
    /// A device answered it.
    Answered {
        /// Which.
        device: DeviceId,
    },
    /// A device has computed it and committed itself to what came out.
    Committed {
        /// Which.
        device: DeviceId,
        /// Whether it is asked to reveal that; if not it waits for others to commit.
        asked: bool,
    },
    /// The masternode could not hand it out, and it rests for a while.
    Resting,
}

/// How late a replica is that a device computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lateness {
    /// It is not.
    OnTime,
    /// There was no step forward for the time T1, and its device was asked again.
    Delayed,
    /// It has been out for the time T2, and another device may have the task as well.
    Stale,
}

/// How a device stands with the jobs that are queued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceExplanation {
    /// The device.
    pub state: DeviceState,
    /// What each job would give it, in the order in which they are served; at most
    /// [`EXPLAINED_JOBS_MAX`].
    pub jobs: Vec<JobForDevice>,
    /// How many jobs are queued.
    #[serde(default)]
    pub queued_jobs: u32,
    /// What keeps it from any work; nothing if nothing does.
    pub reasons: Vec<Reason>,
    /// What happens next by itself, soonest first.
    pub next: Vec<Step>,
}

/// Why a device would get nothing of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobForDevice {
    /// The job.
    pub job: JobId,
    /// Why; none if it would get a task now.
    pub reason: Option<Reason>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::tests::{device, status, told};
    use quern_primitives::{
        ids::{AccountId, Digest},
        receipt::{Answer, Exit},
        verdict::{Finding, Ground, ReplicaFinding},
    };
    use serde_json::{Value, json};

    fn reason() -> Reason {
        Reason {
            rule: Rule::Region,
            words: "it stands elsewhere".into(),
            devices: Some(3),
            device_ids: vec![DeviceId([2; 32])],
            next: Some("wait for devices there".into()),
        }
    }

    fn explanation(stage: TaskStage) -> TaskExplanation {
        TaskExplanation {
            job: JobId([1; 32]),
            task: 6,
            bounty_max: 7_000_000_000,
            expected_ms: Some(1_500),
            stage,
            missing: 0,
            replicas: vec![],
            verdict: None,
            batch: None,
            reasons: vec![],
            devices: Sample::default(),
            next: vec![],
        }
    }

    #[test]
    fn a_rule_is_written_as_it_is_named_and_one_that_is_not_known_is_read() {
        assert_eq!(told(&Rule::WaitingAfterFaults), "waiting_after_faults");
        assert_eq!(Rule::KeptForFast.to_string(), "kept_for_fast");
        let later: Rule = serde_json::from_value(json!("a_later_rule")).unwrap();
        assert_eq!(later, Rule::Other);
        assert_eq!(told(&StepKind::DecidedWithoutRest), "decided_without_rest");
        let later: StepKind = serde_json::from_value(json!("a_later_step")).unwrap();
        assert_eq!(later, StepKind::Other);
    }

    #[test]
    fn explanations_read_back_what_they_tell() {
        let job = JobExplanation {
            status: status(),
            target_devices: 4,
            connected_accounts: 3,
            open: vec![5, 0],
            running: 2,
            reasons: vec![reason()],
            devices: Sample {
                looked_at: 256,
                connected: 4_000,
            },
            next: vec![],
        };
        let seen = told(&job);
        let sample = json!({ "looked_at": 256, "connected": 4_000 });
        assert_eq!(seen["devices"], sample);
        assert_eq!(seen["reasons"][0]["rule"], "region");
        assert_eq!(seen["reasons"][0]["next"], "wait for devices there");
        assert_eq!(seen["open"], json!([5, 0]));
        let device = DeviceExplanation {
            state: device(),
            jobs: vec![
                JobForDevice {
                    job: JobId([1; 32]),
                    reason: None,
                },
                JobForDevice {
                    job: JobId([4; 32]),
                    reason: Some(reason()),
                },
            ],
            queued_jobs: 2,
            reasons: vec![],
            next: vec![],
        };
        let seen = told(&device);
        assert_eq!(seen["jobs"][0]["reason"], Value::Null);
        assert_eq!(seen["jobs"][1]["reason"]["devices"], 3);
        let ids = &seen["jobs"][1]["reason"]["device_ids"];
        assert_eq!(ids, &json!([DeviceId([2; 32])]));
    }

    #[test]
    fn a_replica_says_its_stage_beside_its_number() {
        let replica = |replica, state| ReplicaExplanation { replica, state };
        let mut task = explanation(TaskStage::Open);
        task.replicas = vec![
            replica(
                0,
                ReplicaStage::Open {
                    pool: 2,
                    turn: 3,
                    of: 120,
                    since_s: 30,
                    rescue: false,
                },
            ),
            replica(
                1,
                ReplicaStage::Running {
                    device: DeviceId([2; 32]),
                    since_s: Some(40),
                    due_in_s: -5,
                    backup: true,
                    lateness: Lateness::OnTime,
                },
            ),
            replica(
                2,
                ReplicaStage::Answered {
                    device: DeviceId([5; 32]),
                },
            ),
            replica(3, ReplicaStage::Resting),
        ];
        let seen = told(&task);
        assert_eq!(seen["bounty_max"], "7000000000");
        assert_eq!(seen["expected_ms"], 1_500);
        assert_eq!(seen["stage"], "open");
        assert_eq!(
            seen["replicas"][0],
            json!({
                "replica": 0, "stage": "open", "pool": 2, "turn": 3, "of": 120, "since_s": 30,
                "rescue": false,
            })
        );
        assert_eq!(seen["replicas"][1]["due_in_s"], -5);
        assert_eq!(seen["replicas"][1]["lateness"], "on_time");
        assert_eq!(seen["replicas"][2]["stage"], "answered");
        assert_eq!(
            seen["replicas"][3],
            json!({ "replica": 3, "stage": "resting" })
        );
    }

    #[test]
    fn a_settled_task_tells_its_verdict_and_its_batch_and_what_happens_next_has_a_time() {
        let found = ReplicaFinding {
            replica: 0,
            device: DeviceId([2; 32]),
            account: AccountId::new([3; 32]),
            finding: Finding::Accepted,
            receipt: None,
            pay: 70,
        };
        let mut task = explanation(TaskStage::Settled);
        task.batch = Some(4);
        task.verdict = Some(Verdict {
            job: task.job,
            task: task.task,
            answer: Answer {
                result_commitment: Digest([1; 32]),
                result_bytes: 1,
                fuel: 5,
                exit: Exit::Success,
            },
            ground: Ground::Majority,
            price: 100,
            replicas: vec![found],
        });
        task.next = vec![Step {
            step: StepKind::Ranked,
            in_s: 30,
            replica: None,
            words: "devices are ranked again".into(),
        }];
        let seen = told(&task);
        assert_eq!(seen["stage"], "settled");
        assert_eq!(seen["batch"], 4);
        assert_eq!(seen["verdict"]["price"], "100");
        assert_eq!(seen["verdict"]["replicas"][0]["finding"], "accepted");
        assert_eq!(seen["next"][0]["step"], "ranked");
        assert_eq!(seen["next"][0]["replica"], Value::Null);
    }
}
