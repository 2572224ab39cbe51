//! What must never happen.

use quern_job_rules::{life::LifeError, settlement::BatchError};
use quern_primitives::{
    amount::Amount,
    ids::{BatchSequence, ReplicaIndex, TaskIndex},
};
use quern_protocol::DecodeError;

/// Something that must never happen, and did. Jobs, devices and accounts have the numbers that they
/// have in the trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// One of the programs that run in it panicked.
    #[error("a program panicked: {why}")]
    Panicked {
        /// What it said.
        why: String,
    },
    /// A job's escrow is not what went in.
    #[error("the money of job {job} does not add up: {deposited} went in, {accounted} is there")]
    Escrow {
        /// The job.
        job: u32,
        /// What its owner put in.
        deposited: Amount,
        /// Paid, refunded and held together.
        accounted: Amount,
    },
    /// Money was made or lost.
    #[error("money was made or lost: {issued} was issued, {accounted} is there")]
    Money {
        /// What there must be.
        issued: Amount,
        /// What there is.
        accounted: Amount,
    },
    /// What accounts got is not what left the escrow for them.
    #[error("job {job} paid {left} out of its escrow, and its accounts got {got}")]
    Payouts {
        /// The job.
        job: u32,
        /// What left the escrow.
        left: Amount,
        /// What arrived.
        got: Amount,
    },
    /// An account was not paid what the verdicts say.
    #[error("by the verdicts of job {job} account {account} gets {owed}, and it got {paid}")]
    Pay {
        /// The job.
        job: u32,
        /// The account.
        account: u32,
        /// What the verdicts of settled tasks say.
        owed: Amount,
        /// What it got.
        paid: Amount,
    },
    /// A job that is over holds money.
    #[error("job {job} is over and still holds {held}")]
    Held {
        /// The job.
        job: u32,
        /// How much.
        held: Amount,
    },
    /// A task was settled again.
    #[error("task {task} of job {job} was settled twice")]
    SettledTwice {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
    },
    /// The chain will never take a batch that has its turn.
    #[error("batch {sequence} of job {job} has its turn, and the chain will never take it: {why}")]
    BatchRefused {
        /// The job.
        job: u32,
        /// The batch.
        sequence: BatchSequence,
        /// What the chain says.
        why: BatchError,
    },
    /// The chain will never take a job's end.
    #[error("the chain will never end job {job} for task {task}: {why}")]
    EndRefused {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// What the chain says.
        why: LifeError,
    },
    /// A batch was sent that is not on disk, or not like this.
    #[error("batch {sequence} of job {job} was sent and is not on disk, or is another one there")]
    SentUnwritten {
        /// The job.
        job: u32,
        /// The batch.
        sequence: BatchSequence,
    },
    /// A batch does not follow the one before it.
    #[error("batch {sequence} of job {job} was composed where batch {expected} is next")]
    BatchOutOfOrder {
        /// The job.
        job: u32,
        /// The batch.
        sequence: BatchSequence,
        /// The number it should have.
        expected: BatchSequence,
    },
    /// A job ended because an input opens nowhere, and that is not shown.
    #[error(
        "job {job} ended because the input of task {task} opens nowhere, which {accounts} accounts \
         say while {answered} answered"
    )]
    EndUnfounded {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// Accounts that could not open it.
        accounts: usize,
        /// Replicas answered.
        answered: usize,
    },
    /// Something was done that relies on a task's end before that was on disk.
    #[error("the end of task {task} of job {job} was acted upon before it was on disk")]
    EndUnwritten {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
    },
    /// A job's log has a gap.
    #[error("place {position} of the log of job {job} was written where place {expected} is next")]
    LogGap {
        /// The job.
        job: u32,
        /// The place.
        position: u64,
        /// The next free one.
        expected: u64,
    },
    /// An account has two replicas of a task.
    #[error("account {account} has replicas {first} and {second} of task {task} of job {job}")]
    TwoReplicas {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The account.
        account: u32,
        /// What it had.
        first: ReplicaIndex,
        /// What it got.
        second: ReplicaIndex,
    },
    /// A replica was given while somebody has it or has answered it.
    #[error("replica {replica} of task {task} of job {job} was given a second time")]
    GivenTwice {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
    },
    /// Something of a job was given that is not being computed.
    #[error("task {task} of job {job} was given to device {device}, and the job is not running")]
    ClosedJobGiven {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
    },
    /// A task was given that has its verdict.
    #[error("task {task} of job {job} was given to device {device}, and it is decided")]
    DecidedTaskGiven {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
    },
    /// A task was given to a device that has not what its job asks for.
    #[error("task {task} of job {job} was given to device {device}, and the job asks for {asked}")]
    Unasked {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
        /// What the device has not.
        asked: &'static str,
    },
    /// A task was given before its input was there.
    #[error("task {task} of job {job} was given to device {device} before its shard was on disk")]
    ShardMissing {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
    },
    /// A device asked in vain again and again, and no rule says why.
    #[error(
        "device {device} asked for work in vain while something of job {job} is open, and no rule \
         says why"
    )]
    Unexplained {
        /// The job.
        job: u32,
        /// The device.
        device: u32,
    },
    /// A rule is told that does not agree with what the chain says of a device.
    #[error(
        "rule {rule} is told to keep device {device} from job {job}, and by what the chain says of \
         the device it is another one"
    )]
    ExplainedOtherwise {
        /// The job.
        job: u32,
        /// The device.
        device: u32,
        /// The rule's name.
        rule: String,
    },
    /// A rule is told again and again that does not agree with the jobs' logs.
    #[error(
        "rule {rule} is told again and again to keep device {device} from work, and by the logs of the \
         jobs nothing of that kind does"
    )]
    ToldUnfounded {
        /// The device.
        device: u32,
        /// The rule's name.
        rule: String,
    },
    /// An open task waits, and no rule says why.
    #[error("nobody computes anything of job {job}, task {task} is open, and no rule says why")]
    Unreasoned {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
    },
    /// A device committed itself to an answer that was not on its disk: killed, it could not open it.
    #[error("device {device} committed itself to an answer to task {task} that it had not written")]
    CommittedUnwritten {
        /// The device.
        device: u32,
        /// The task.
        task: TaskIndex,
    },
    /// A device was killed between dropping a report and writing the word for which it was dropped.
    #[error(
        "device {device} has neither the report of task {task} nor the masternode's word that it has taken \
         it"
    )]
    WordLost {
        /// The device.
        device: u32,
        /// The task.
        task: TaskIndex,
    },
    /// A task was given to a device that the chain never knew.
    #[error("task {task} of job {job} was given to device {device}, which was never registered")]
    Unregistered {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
    },
    /// A task was given to a device that is to be left alone.
    #[error("task {task} of job {job} was given to device {device}, and {why}")]
    Unfit {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
        /// What it has told of itself, in words.
        why: &'static str,
    },
    /// A task was given to a device that is in quarantine.
    #[error("task {task} of job {job} was given to device {device}, which is in quarantine")]
    Quarantined {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
    },
    /// A task was given to a device that has to wait.
    #[error(
        "task {task} of job {job} was given to device {device}, which has to wait after {faults} \
         faults in a row"
    )]
    Waits {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
        /// Its faults since its last accepted answer.
        faults: u32,
    },
    /// A task in doubt was given to a device that is not trusted while a trusted one could have it.
    #[error(
        "task {task} of job {job} is in doubt and was given to device {device} while the trusted \
         device {trusted} could have it"
    )]
    TrustedPassedOver {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device that got it.
        device: u32,
        /// One that should have.
        trusted: u32,
    },
    /// A replica was given to an account of another lane.
    #[error(
        "replica {replica} of task {task} of job {job} was given to account {account} while it was \
         for another lane"
    )]
    OtherLane {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The account.
        account: u32,
    },
    /// The masternode remembers more devices than it may.
    #[error("the masternode remembers {known} devices, more than its settings have it")]
    TooManyKnown {
        /// How many.
        known: usize,
    },
    /// A device was given more than it may hold.
    #[error("device {device} was given a task more while it held {held}")]
    TooManyGiven {
        /// The device.
        device: u32,
        /// How many it held.
        held: u32,
    },
    /// A device was given a second task after a fault.
    #[error(
        "device {device} was given a task more while it held {held}, and its last task was a fault"
    )]
    TooManyAfterFault {
        /// The device.
        device: u32,
        /// How many it held.
        held: u32,
    },
    /// A device holds more than it may.
    #[error("device {device} holds {held} tasks")]
    TooManyInHand {
        /// The device.
        device: u32,
        /// How many.
        held: usize,
    },
    /// A report was taken from a device that does not hold the replica.
    #[error(
        "device {device} answered replica {replica} of task {task} of job {job} without having it"
    )]
    ReportUnheld {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: u32,
    },
    /// A report was taken that does not open what its device committed itself to.
    #[error(
        "device {device} answered replica {replica} of task {task} of job {job} and not what it committed itself to"
    )]
    ReportUncommitted {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: u32,
    },
    /// A wrong answer was accepted without a majority for it.
    #[error(
        "a wrong answer to task {task} of job {job} was accepted, which {votes} of {heard} accounts gave"
    )]
    WrongAnswer {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// Accounts that gave it.
        votes: usize,
        /// Accounts that answered.
        heard: usize,
    },
    /// A device is paid for an answer that it did not give.
    #[error("device {device} is paid for task {task} of job {job} without the accepted answer")]
    PaidUnearned {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The device.
        device: u32,
    },
    /// An account has two shares of a task's pay.
    #[error("account {account} is paid twice for task {task} of job {job}")]
    PaidTwice {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The account.
        account: u32,
    },
    /// A task has two ends.
    #[error("task {task} of job {job} was decided twice")]
    DecidedTwice {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
    },
    /// A right answer was said to have turned out wrong.
    #[error("the right answer to task {task} of job {job} was said to be another than comes out")]
    ContradictedTruth {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
    },
    /// What an owner is told to come out of a task, in the place of a wrong answer, does not, or is not kept.
    #[error(
        "a wrong answer to task {task} of job {job} is to be replaced by what does not come out, or is not kept"
    )]
    CorrectedFalsely {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
    },
    /// A report was acknowledged that is not on disk.
    #[error(
        "the report of device {device} on replica {replica} of task {task} of job {job} was \
         acknowledged and is not on disk"
    )]
    AcknowledgedUnwritten {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: u32,
    },
    /// A job's log does not hold.
    #[error("the log of job {job} does not pass: {why}")]
    Rules {
        /// The job.
        job: u32,
        /// What is wrong.
        why: String,
    },
    /// A report was acknowledged and is in no verdict of a job that was settled as a whole.
    #[error(
        "the report of device {device} on replica {replica} of task {task} of job {job} was \
         acknowledged and is in no verdict"
    )]
    AcknowledgedLost {
        /// The job.
        job: u32,
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: u32,
    },
    /// A message breaks a limit of the wire.
    #[error("a message breaks a limit of the wire: {why}")]
    Message {
        /// Which.
        why: DecodeError,
    },
    /// A job does not end although its deadline has passed.
    #[error("job {job} does not end although its deadline has passed")]
    NeverEnds {
        /// The job.
        job: u32,
    },
}
