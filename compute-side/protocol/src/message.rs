//! What devices and masternodes say.

mod checks;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub(crate) use checks::at_most;

use crate::{Benchmark, BenchmarkAnswer, Machine, State, limits};
use codec::{Decode, Encode};
use quern_primitives::{
    device::Class,
    ids::{BatchSequence, Digest, JobId, ProgramHash, ReplicaId, TaskIndex},
    log::{Acknowledgements, SignedCommitment},
    merkle::Proof,
    receipt::SignedReceipt,
    verdict::Verdict,
};

/// What a device asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// First on every connection.
    Hello(Hello),
    /// Reports, news and a wish for work; also the heartbeat.
    Exchange(Exchange),
    /// A piece of a shard or program.
    Fetch(Fetch),
    /// A piece of a result.
    Deliver(Deliver),
    /// What was found of tasks that a batch settles.
    Show(Show),
}

/// What a masternode answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Response {
    /// To a hello: come in.
    Welcome(Welcome),
    /// To anything: no, and why.
    Refused(Refusal),
    /// To an exchange.
    Work(Work),
    /// To a fetch.
    Piece(Piece),
    /// To a deliver: so many bytes of the result are here now.
    Delivered {
        /// Bytes received so far, from the start without a gap.
        received_bytes: u64,
        /// Drawn for this answer.
        mark: Mark,
    },
    /// To a question what was found: the verdicts that there are. One that is not there is not shown.
    Shown(Vec<ShownVerdict>),
}

/// How a device introduces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// Name and version of its software, for people.
    pub software: Vec<u8>,
    /// The classes it can run, with the digest of each one's engine.
    pub engines: Vec<(Class, Digest)>,
    /// What it still holds from an earlier connection. Everything else it was given is taken back.
    pub in_hand: Vec<ReplicaId>,
    /// The version of its worker, as jobs ask about it; see [`crate::WORKER_VERSION`].
    pub version: u16,
    /// What its machine is.
    pub machine: Machine,
}

/// The answer to a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// How often to exchange at the least, in milliseconds.
    pub heartbeat_ms: u32,
}

/// Why a masternode will not serve a device. The device shows it to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
pub enum Refusal {
    /// The chain does not know the device.
    #[error("the device is not registered; run `quern device register`")]
    NotRegistered,
    /// The account's bond does not cover its devices.
    #[error(
        "the account's bond does not cover its devices; bond more with `quern device bond AMOUNT`"
    )]
    NotBonded,
    /// The device's account is banned.
    #[error("the device's account is banned by the council")]
    Banned,
    /// There was no hello on this connection.
    #[error("the first message of a connection must be a hello")]
    NoHello,
    /// The device names another engine than this grid's, or none. Answers of two engines cannot be
    /// compared.
    #[error(
        "this grid runs {class:?} programs in engine {wanted}, the worker in another or in none; update the worker"
    )]
    WrongEngine {
        /// The class in question.
        class: Class,
        /// The digest of this grid's engine for it.
        wanted: Digest,
    },
    /// The masternode serves as many devices as it can.
    #[error("the masternode is full; try another, or later")]
    Full,
    /// The masternode has not caught up with the chain.
    #[error("the masternode is starting; try again in a moment")]
    Starting,
    /// The request names something the device was not given.
    #[error("the device was not given this task")]
    NotAssigned,
    /// The request names bytes that do not exist.
    #[error("there are no such bytes")]
    NoSuchContent,
}

/// Reports, news and a wish for work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Exchange {
    /// What shows that the device has the shards of replicas that it was given. Taken first.
    pub holds: Vec<Held>,
    /// What the device commits itself to. Taken before the reports.
    pub commitments: Vec<SignedCommitment>,
    /// Finished replicas, new ones and those not yet acknowledged.
    pub reports: Vec<Report>,
    /// What the replicas in hand are doing.
    pub progress: Vec<Progress>,
    /// Replicas given back undone.
    pub handed_back: Vec<HandBack>,
    /// How many more replicas the device wants now.
    pub want: u8,
    /// Whether the device waits to be asked to reveal something, so that the answer may be held back
    /// although nothing is wanted.
    pub waits: bool,
    /// Whether a benchmark could not begin at once: the sandbox has something to do, whichever
    /// masternode it is for, or is about to, or the machine is not offered.
    pub is_busy: bool,
    /// How its machine is, if that was read since the masternode was last told.
    pub state: Option<State>,
    /// What came of a benchmark.
    pub benchmark: Option<BenchmarkAnswer>,
    /// The number of a benchmark that the device was not free for when it came, or not until it had
    /// ended.
    pub unavailable_for: Option<u64>,
}

/// What shows that a device has the shard of a replica that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Held {
    /// The replica.
    pub id: ReplicaId,
    /// The place of the assignment in the job log.
    pub log_position: u64,
    /// The hash over chunks of the sealed shard that are drawn from both, from the device and from the shard's root, as
    /// `quern_shards::held` has it.
    pub shown: Digest,
}

/// One finished replica. Where devices commit themselves it is the reveal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Report {
    /// The device's signed statement.
    pub receipt: SignedReceipt,
    /// The sealed result.
    pub output: Output,
}

/// Where a sealed result is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Output {
    /// Here.
    Inline(Vec<u8>),
    /// Delivered before, in so many bytes.
    Delivered {
        /// The sealed result's length.
        bytes: u64,
    },
}

/// What a replica in hand is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Progress {
    /// The replica.
    pub id: ReplicaId,
    /// What the device does with it.
    pub stage: Stage,
}

/// What a device does with a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Stage {
    /// Its shard or program is being fetched.
    Fetching,
    /// It waits for the one that runs.
    Ready,
    /// It runs.
    Running,
    /// Its result is being delivered.
    Delivering,
}

/// A replica given back undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HandBack {
    /// The replica.
    pub id: ReplicaId,
    /// Why.
    pub reason: HandBackReason,
}

/// Why a device gives a replica back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum HandBackReason {
    /// The worker stops, or its owner wants the machine.
    Stopping,
    /// The shard or program received is not the one assigned, or does not open.
    BadInput,
    /// The task ran longer than the device may run one.
    TooSlow,
    /// The machine lacks the memory or disk for it.
    NoRoom,
}

/// Random bytes that a masternode draws for each answer to a piece, and that the device shows with the
/// next one. Nobody can guess them, so a device that shows a mark has the answer it came with.
///
/// An answer has its mark behind the bytes of a piece, so that who has the mark has the bytes. A
/// delivery has it before them, so that none of them was sent before the last answer was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Mark(pub [u8; limits::MARK_BYTES]);

/// A piece of a shard or program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fetch {
    /// What is wanted.
    pub content: Content,
    /// Where the piece starts.
    pub offset: u64,
    /// How long it may be at most.
    pub length: u32,
    /// The mark of the newest piece of this content that has come over this connection; none before
    /// the first. Each piece is shown once, in the order of the pieces.
    pub received: Option<Mark>,
}

/// A thing that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Content {
    /// A program, by its hash.
    Program(ProgramHash),
    /// The sealed shard of a task the device was given.
    Shard {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
}

/// Bytes that were fetched.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Piece {
    /// The whole thing's length.
    pub total_bytes: u64,
    /// The bytes from the offset asked for; empty only at the end.
    pub bytes: Vec<u8>,
    /// Drawn for this answer.
    pub mark: Mark,
}

/// A piece of a sealed result, in order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Deliver {
    /// The replica whose result it is.
    pub id: ReplicaId,
    /// The mark of the last answer to a piece of this result over this connection; none before the
    /// first.
    pub follows: Option<Mark>,
    /// Where the piece starts; anything but the end of what was received is answered with what was
    /// received, and nothing is written.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A question what was found of tasks that a batch settles. The device has the masternode's word for an
/// answer to each, and looks for its receipt in their verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Show {
    /// The job.
    pub job: JobId,
    /// The batch, which the chain has.
    pub batch: BatchSequence,
    /// The tasks.
    pub tasks: Vec<TaskIndex>,
}

/// A verdict, and that a batch has it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ShownVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// That it is in the batch's tree.
    pub proof: Proof,
}

/// The answer to an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Work {
    /// Reports that are safely on disk, in a signed block of the job's log; the device may forget them, and
    /// keeps the masternode's word for it.
    pub acknowledged: Vec<Acknowledgements>,
    /// Replicas to report now, for enough devices have committed themselves.
    pub reveals: Vec<ReplicaId>,
    /// Replicas the device should drop, and why.
    pub discard: Vec<Discard>,
    /// New replicas, no more than wanted.
    pub assignments: Vec<Assignment>,
    /// When to ask again if there is nothing else to say, in milliseconds.
    pub ask_again_ms: u32,
    /// A benchmark to run at once, or to decline.
    pub benchmark: Option<Benchmark>,
}

/// A replica to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Discard {
    /// The replica.
    pub id: ReplicaId,
    /// Why.
    pub reason: DiscardReason,
}

/// Why a replica is not wanted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DiscardReason {
    /// The job is over.
    JobOver,
    /// The task has its verdict already.
    Decided,
    /// It is not, or no longer, this device's.
    NotAssigned,
    /// The report does not hold: bad signature, other engine, wrong digest, wrong length; or it does not
    /// open the device's commitment, or that does not hold.
    Invalid,
    /// The device showed wrongly that it has the shard, or committed itself or reported without having shown it.
    NotShown,
}

impl DiscardReason {
    /// Whether the device is at fault, and has failed at the replica.
    pub fn is_fault(self) -> bool {
        match self {
            Self::JobOver | Self::Decided | Self::NotAssigned => false,
            Self::Invalid | Self::NotShown => true,
        }
    }
}

/// One replica given to a device, with all it needs to start.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Assignment {
    /// The replica.
    pub id: ReplicaId,
    /// The program to run.
    pub program: ProgramHash,
    /// The program's length.
    pub program_bytes: u32,
    /// The program's arguments, without its own name.
    pub arguments: Vec<Vec<u8>>,
    /// The shard to run it on.
    pub shard: ShardFacts,
    /// The shard's key, sealed to this device.
    pub key: SealedKey,
    /// What the run may use.
    pub limits: TaskLimits,
    /// The determinism class to run in.
    pub class: Class,
    /// The place in the job log, for the receipt.
    pub log_position: u64,
    /// Whether the device is to commit itself to its result, and to report it when it is asked.
    pub commits: bool,
    /// The sealed shard itself, when it is small.
    pub inline_shard: Option<Vec<u8>>,
}

/// What a device must know of a sealed shard to check and open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ShardFacts {
    /// Merkle root over its chunks.
    pub root: Digest,
    /// Its sealed length.
    pub sealed_bytes: u64,
    /// Its plaintext length.
    pub plaintext_bytes: u64,
    /// Shards of the job, which the seal is bound to.
    pub count: u32,
}

/// A key sealed with HPKE.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SealedKey {
    /// The encapsulated key.
    pub encapsulated: [u8; 32],
    /// The sealed 32-byte key and its 16-byte tag.
    pub ciphertext: [u8; 48],
}

/// What a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TaskLimits {
    /// Fuel.
    pub fuel: u64,
    /// Memory.
    pub memory_bytes: u64,
    /// Plaintext bytes of the result.
    pub result_bytes: u32,
    /// How long it may run, in milliseconds.
    pub time_ms: u64,
}
