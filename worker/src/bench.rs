//! One task from sealed shard to signed receipt, and the thread on which tasks are done one after
//! the other.
//!
//! ```text
//!  shard's key ── HPKE, this device's secret ──► key ──┬─► opens the shard ──► input
//!                                                      │                        │ sandbox
//!  receipt ◄── signed ◄── commitment, chunk root ◄── sealed ◄── result ◄────────┘
//! ```

use crate::{
    core::{Fault, Finished, Sealed},
    device::DeviceSecrets,
    held::HeldShard,
    kept::Elsewhere,
    limits::KEEP_FROM_MS,
    reports::{Kept, Reports},
};
use quern_primitives::{
    ids::{DeviceId, Digest, GenesisHash, RevealSalt},
    log::{Commitment, SignedCommitment},
    payload::DeviceKey,
    receipt::{Receipt, SignedReceipt},
};
use quern_protocol::{Assignment, ReplicaId, TaskLimits, limits::INLINE_RESULT_BYTES_MAX};
use quern_sandbox::{
    Cancel, Exit as RunExit, Invocation, Limits, Outcome, Program, RunError, TaskAnswer,
    engine_digest,
};
use quern_shards::{
    context::{ResultContext, ShardContext},
    keys::{HandOver, Letterbox, SealedKey, ShardKey},
    question::{Allowed, question_commitment},
    result::seal_result,
    seal,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What runs programs. The shipped worker has one, [`Sandbox`]; the seam is here so that a test can
/// make a device that lies.
pub trait Executor: Send + 'static {
    /// Runs a program once.
    fn run(
        &mut self,
        program: &Program,
        invocation: &Invocation,
        limits: &Limits,
        cancel: &Cancel,
    ) -> Result<Outcome, RunError>;

    /// What the device commits itself to for the task that was run last, where its receipt opens this.
    fn commitment(&mut self, opens: Digest) -> Digest {
        opens
    }
}

impl Executor for Box<dyn Executor> {
    fn run(
        &mut self,
        program: &Program,
        invocation: &Invocation,
        limits: &Limits,
        cancel: &Cancel,
    ) -> Result<Outcome, RunError> {
        self.as_mut().run(program, invocation, limits, cancel)
    }

    fn commitment(&mut self, opens: Digest) -> Digest {
        self.as_mut().commitment(opens)
    }
}

/// What a worker does its work with.
pub struct Machinery {
    /// What runs programs.
    pub executor: Box<dyn Executor>,
    /// Where pieces are read that are not where they were kept.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
}

impl Machinery {
    /// That of the shipped worker.
    pub fn shipped() -> Self {
        Self {
            executor: Box::new(Sandbox),
            elsewhere: None,
        }
    }
}

/// Runs programs in the sandbox, and says what came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sandbox;

impl Executor for Sandbox {
    fn run(
        &mut self,
        program: &Program,
        invocation: &Invocation,
        limits: &Limits,
        cancel: &Cancel,
    ) -> Result<Outcome, RunError> {
        program.run(invocation, limits, cancel)
    }
}

/// A task with all that it needs.
pub struct Errand {
    /// What the masternode says about it.
    pub assignment: Assignment,
    /// The masternode.
    pub masternode: DeviceId,
    /// The sealed shard.
    pub shard: HeldShard,
    /// The program.
    pub program: Program,
    /// Random bytes that hide its result in the commitment to it.
    pub salt: RevealSalt,
    /// Stops it.
    pub cancel: Cancel,
}

/// Does tasks.
pub struct Bench<E> {
    signing: DeviceKey,
    device: DeviceId,
    letterbox: Letterbox,
    genesis: GenesisHash,
    executor: E,
    reports: Option<Reports>,
}

impl<E: Executor> Bench<E> {
    /// A bench that keeps nothing on disk: results too large for a report are a [`Fault::NoRoom`].
    pub fn new(secrets: &DeviceSecrets, genesis: GenesisHash, executor: E) -> Self {
        Self {
            signing: secrets.signing_key(),
            device: secrets.id(),
            letterbox: Letterbox::new(secrets.sealing_secret().clone()),
            genesis,
            executor,
            reports: None,
        }
    }

    /// The same bench, which keeps on disk what is too large for a report, took long, or is what the device
    /// commits itself to.
    pub(crate) fn keeping(mut self, reports: Reports) -> Self {
        self.reports = Some(reports);
        self
    }

    /// Does one task. `None` if it was cancelled.
    pub fn work(&mut self, errand: &Errand) -> Option<Result<Finished, Fault>> {
        if errand.cancel.is_cancelled() {
            return None;
        }
        self.try_work(errand).transpose()
    }

    fn try_work(&mut self, errand: &Errand) -> Result<Option<Finished>, Fault> {
        let started = Instant::now();
        let (key, input) = self.open(&errand.assignment, errand.shard.sealed())?;
        let Some(answer) = self.run(errand, input)? else {
            return Ok(None);
        };
        let (receipt, sealed) = self.seal(&errand.assignment, &key, &answer, errand.salt)?;
        let commits = errand.assignment.commits;
        let commitment = commits.then(|| self.commit(&receipt.payload));
        self.keep(errand, (receipt, commitment), sealed, started.elapsed())
            .map(Some)
    }

    /// Receives the shard's key and opens the shard.
    fn open(
        &mut self,
        assignment: &Assignment,
        shard: &[u8],
    ) -> Result<(ShardKey, Vec<u8>), Fault> {
        let ReplicaId { job, task, .. } = assignment.id;
        let facts = &assignment.shard;
        let purpose = HandOver {
            genesis: self.genesis,
            job,
            index: task,
            device: self.device,
        };
        let sealed_key = SealedKey {
            encapsulated: assignment.key.encapsulated,
            ciphertext: assignment.key.ciphertext,
        };
        let key = self
            .letterbox
            .receive(&purpose, &sealed_key)
            .map_err(bad_input(assignment))?;
        let context = ShardContext {
            genesis: self.genesis,
            job,
            program: assignment.program,
            index: task,
            count: facts.count,
            plaintext_bytes: facts.plaintext_bytes,
        };
        let input = seal::open(&key, &context, shard).map_err(bad_input(assignment))?;
        Ok((key, input))
    }

    /// Runs the program. `None` if it was cancelled.
    fn run(&mut self, errand: &Errand, input: Vec<u8>) -> Result<Option<TaskAnswer>, Fault> {
        let assignment = &errand.assignment;
        let ReplicaId { job, task, .. } = assignment.id;
        let arguments = assignment.arguments.iter().cloned();
        let invocation =
            Invocation::of_task(&job, task, input, arguments).map_err(bad_input(assignment))?;
        let TaskLimits {
            fuel,
            memory_bytes,
            result_bytes,
            time_ms,
        } = assignment.limits;
        let limits = Limits::of_task(fuel, memory_bytes, result_bytes, time_ms);
        let outcome = match self
            .executor
            .run(&errand.program, &invocation, &limits, &errand.cancel)
        {
            Ok(outcome) => outcome,
            Err(error @ RunError::Limit(_)) => return Err(bad_input(assignment)(error)),
            Err(error) => {
                tracing::warn!(id = ?assignment.id, %error, "this machine could not run a task");
                return Err(Fault::NoRoom);
            }
        };
        match outcome.into_answer() {
            Ok(answer) => Ok(Some(answer)),
            Err(RunExit::Cancelled) => Ok(None),
            Err(_) => Err(Fault::TooSlow),
        }
    }

    /// Seals the result to those who have the shard's key, and signs the receipt.
    fn seal(
        &self,
        assignment: &Assignment,
        key: &ShardKey,
        answer: &TaskAnswer,
        salt: RevealSalt,
    ) -> Result<(SignedReceipt, Vec<u8>), Fault> {
        let ReplicaId { job, task, replica } = assignment.id;
        let context = ResultContext {
            genesis: self.genesis,
            job,
            program: assignment.program,
            task,
            tasks: assignment.shard.count,
            replica,
            device: self.device,
        };
        let sealed = seal_result(key, &context, &answer.result).map_err(bad_input(assignment))?;
        let receipt = Receipt {
            job,
            task,
            replica,
            device: self.device,
            program: assignment.program,
            input_root: assignment.shard.root,
            question: asked(assignment, key),
            result_commitment: sealed.commitment,
            output_root: sealed.chunk_root,
            result_bytes: answer.result.len() as u64,
            fuel: answer.fuel,
            exit: answer.exit,
            class: assignment.class,
            engine: Digest(engine_digest(assignment.class)),
            log_position: assignment.log_position,
            salt,
        };
        Ok((self.signing.sign(receipt, &self.genesis), sealed.bytes))
    }

    /// Commits the device to what a receipt says.
    fn commit(&mut self, receipt: &Receipt) -> SignedCommitment {
        let commitment = Commitment {
            job: receipt.job,
            task: receipt.task,
            replica: receipt.replica,
            device: receipt.device,
            log_position: receipt.log_position,
            commitment: self.executor.commitment(receipt.commitment()),
        };
        self.signing.sign(commitment, &self.genesis)
    }

    fn keep(
        &self,
        errand: &Errand,
        (receipt, commitment): (SignedReceipt, Option<SignedCommitment>),
        sealed: Vec<u8>,
        took: Duration,
    ) -> Result<Finished, Fault> {
        let shown = errand.shard.shown();
        let is_large = sealed.len() > INLINE_RESULT_BYTES_MAX;
        let took_long = took >= Duration::from_millis(KEEP_FROM_MS);
        let bytes = sealed.len() as u64;
        // Whoever is killed must still open what it committed itself to. What took less than it takes to
        // see to it that a power cut is survived as well is left to the system to write.
        let is_synced = is_large || took_long;
        let is_kept = is_synced || commitment.is_some();
        let reports = self.reports.as_ref().filter(|_| is_kept);
        let keep = |reports: &Reports, sealed: Vec<u8>| {
            let kept = Kept {
                masternode: errand.masternode,
                shown,
                receipt: receipt.clone(),
                commitment,
                sealed,
            };
            reports.keep(errand.assignment.id, kept, is_synced)
        };
        if is_large {
            let kept = keep(reports.ok_or(Fault::NoRoom)?, sealed);
            kept.map_err(|error| {
                tracing::error!(%error, "a result cannot be written; is the disk full?");
                Fault::NoRoom
            })?;
            return Ok(Finished {
                shown,
                receipt,
                commitment,
                sealed: Sealed::Kept { bytes },
            });
        }
        if let Some(reports) = reports
            && let Err(error) = keep(reports, sealed.clone())
        {
            tracing::warn!(%error, "a report is not kept; if the worker is killed it is lost");
        }
        Ok(Finished {
            shown,
            receipt,
            commitment,
            sealed: Sealed::Here(sealed),
        })
    }
}

/// What an assignment asks beside its input, as its receipt states it.
fn asked(assignment: &Assignment, key: &ShardKey) -> Digest {
    let ReplicaId { job, task, .. } = assignment.id;
    let limits = &assignment.limits;
    let allowed = Allowed {
        fuel: limits.fuel,
        memory_bytes: limits.memory_bytes,
        result_bytes: limits.result_bytes,
    };
    question_commitment(key, (&job, task), &assignment.arguments, &allowed)
}

fn bad_input<E: std::fmt::Display>(assignment: &Assignment) -> impl Fn(E) -> Fault {
    let id = assignment.id;
    move |error| {
        tracing::warn!(?id, %error, "a task cannot be done as it was assigned");
        Fault::BadInput
    }
}
