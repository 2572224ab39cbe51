//! The referee's room: computes a task as a device would, from what the coordinator has of the job.
//!
//! Program, limits, class, arguments and seed are those that a device is given, and the answer is made
//! of what comes out as a device makes it: the same keyed hash, length and fuel. The result is sealed
//! under this masternode's own name, as a device seals it under its; so the owner opens it in the same
//! way where no device gave it.

use crate::{
    context::{JobContext, task_limits},
    core::{NoReferee, Purpose, REFEREE_REPLICA, Truth, name_of},
    locks::lock,
    vault::{GetError, Item, Vault},
};
use quern_depot::{AppendError, PutError};
use quern_primitives::{
    DeviceId, GenesisHash, JobId, ProgramHash, TaskIndex, device::Class, job::Submission,
    log::RefereeReport, payload::NodeSecret, receipt::Answer,
};
use quern_protocol::{Output, TaskLimits, limits::INLINE_RESULT_BYTES_MAX};
use quern_sandbox::{
    Cancel, Engine, EngineError, Exit, Invocation, InvocationError, Limits, Program, ProgramError,
    RunError, TaskAnswer,
};
use quern_shards::{
    chunks::chunk_root,
    keys::{ShardKey, UnwrapError},
    result::{SealedResult, seal_result},
    seal::{self, OpenError, SealError},
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// Stack of a thread that compiles a program, as the threads have it that run one.
const COMPILE_STACK_BYTES: usize = 4 * 1024 * 1024;

/// How often who waits for a program looks whether it is still waited for itself.
const LOOK: Duration = Duration::from_millis(50);

/// Compiled programs that are kept: those used last.
const COMPILED_MAX: usize = 4;

/// A task that was begun so often and never came to an end is not begun again: a program whose compilation
/// ends the process would end it at each start.
const ATTEMPTS_MAX: u64 = 5;

/// Bytes of a mebibyte.
const MIB_BYTES: u64 = 1024 * 1024;

/// Why a task is not computed here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefereeError {
    /// The masternode is set to compute nothing.
    #[error("referee_parallel is 0: this masternode computes no tasks itself")]
    SwitchedOff,
    /// The job's manifest or key is not here.
    #[error("the job is not open here")]
    NotOpen,
    /// There is no such task.
    #[error("the job's manifest names no such task")]
    NoSuchTask,
    /// The shard's key is not the one that was wrapped.
    #[error("the shard's key does not unwrap; its owner sealed the manifest wrongly")]
    Key(#[source] UnwrapError),
    /// The shard's file is gone or damaged.
    #[error("the sealed shard cannot be read; restore its file")]
    Shard(#[source] GetError),
    /// The shard is another than the manifest names.
    #[error("the sealed shard is not the one that was uploaded; restore its file")]
    OtherShard,
    /// The shard does not open.
    #[error("the shard does not open; its owner sealed it wrongly")]
    Sealed(#[source] OpenError),
    /// The program's file is gone.
    #[error("the program cannot be read; restore its file")]
    Program(#[source] GetError),
    /// The program is another than the job names.
    #[error("the program is not the one that was uploaded; restore its file")]
    OtherProgram,
    /// The program does not compile.
    #[error("the program does not compile")]
    Compile(#[source] ProgramError),
    /// The arguments are none that a program can be given.
    #[error("the task's arguments cannot be passed")]
    Arguments(#[source] InvocationError),
    /// The job allows its tasks more memory than the operator allows here.
    #[error(
        "a task of the job may need {needed_mib} MiB, and referee_memory_mib is {allowed_mib}: raise it if the machine has as much to spare"
    )]
    Memory {
        /// What a task may need.
        needed_mib: u64,
        /// What it may have.
        allowed_mib: u64,
    },
    /// It was begun again and again.
    #[error(
        "the masternode ended {ATTEMPTS_MAX} times while it computed the task; if the machine ran out of memory, set referee_memory_mib lower or give it more"
    )]
    NeverEnds,
    /// That it is begun cannot be noted.
    #[error("cannot note that the task is computed; is the disk full?")]
    Note(#[source] io::Error),
    /// This machine does not run tasks of the class.
    #[error("this machine does not run tasks of the job's class")]
    Engine(#[source] EngineError),
    /// This machine failed.
    #[error("this machine could not run the task")]
    Run(#[source] RunError),
    /// A thread could not be started, or ended without a word.
    #[error("the thread that computes the task ended; the log of the machine may say why")]
    Thread,
    /// It took too long, or was told to stop.
    #[error("the task {0}")]
    GivenUp(Exit),
    /// The job has other masternodes, and none of them computed it, or fewer than have to say the same.
    #[error("too few other masternodes of the job's group computed the task: {why}")]
    Nobody {
        /// What each said.
        why: String,
    },
    /// Several masternodes of the group computed it, as the job asks for, and they differ.
    #[error(
        "masternodes of the job's group computed the task, and no two of them got the same: {why}"
    )]
    Split {
        /// What the others said.
        why: String,
    },
    /// The result cannot be sealed.
    #[error("the result cannot be sealed")]
    Seal(#[source] SealError),
    /// The result finds no room.
    #[error("there is no room for the result; raise disk_bytes_max, or most_bytes of the depot")]
    Room(#[source] PutError<Infallible>),
    /// The result cannot be written.
    #[error("the result cannot be written; is the disk full?")]
    Write(#[source] PutError<Infallible>),
}

impl From<&RefereeError> for NoReferee {
    fn from(error: &RefereeError) -> Self {
        match error {
            RefereeError::SwitchedOff => Self::None,
            RefereeError::NotOpen
            | RefereeError::NoSuchTask
            | RefereeError::Key(_)
            | RefereeError::Shard(_)
            | RefereeError::OtherShard
            | RefereeError::Sealed(_)
            | RefereeError::Program(_)
            | RefereeError::OtherProgram
            | RefereeError::Compile(_)
            | RefereeError::Arguments(_) => Self::Data,
            RefereeError::Memory { .. }
            | RefereeError::NeverEnds
            | RefereeError::Note(_)
            | RefereeError::Engine(_)
            | RefereeError::Run(_)
            | RefereeError::Thread
            | RefereeError::Seal(_)
            | RefereeError::Room(_)
            | RefereeError::Write(_) => Self::Machine,
            RefereeError::GivenUp(_) => Self::Late,
            RefereeError::Nobody { .. } => Self::Nobody,
            RefereeError::Split { .. } => Self::Split,
        }
    }
}

/// A task to be computed.
pub(crate) struct Brief<'a> {
    /// Manifest and key of its job.
    pub(crate) context: &'a JobContext,
    /// What its job allows.
    pub(crate) submission: &'a Submission,
    /// The task.
    pub(crate) task: TaskIndex,
    /// What for: whether the result is kept follows from it.
    pub(crate) purpose: Purpose,
    /// Of a check, the answer that was accepted, if the result is to be kept where another one comes out.
    pub(crate) accepted: Option<Answer>,
    /// How long it may take.
    pub(crate) time_ms: u64,
}

impl Brief<'_> {
    fn job(&self) -> JobId {
        self.context.manifest.job()
    }
}

impl Programs {
    /// A program that was compiled, which is then the one used last.
    fn known(&mut self, class: Class, hash: ProgramHash) -> Option<Program> {
        let mut compiled = self.compiled.iter();
        let at = compiled.position(|(of, known, _)| (*of, *known) == (class, hash))?;
        let known = self.compiled.remove(at)?;
        let program = known.2.clone();
        self.compiled.push_back(known);
        Some(program)
    }

    /// Keeps one that was compiled.
    fn keep(&mut self, class: Class, hash: ProgramHash, program: Program) {
        if self.compiled.len() >= COMPILED_MAX {
            self.compiled.pop_front();
        }
        self.compiled.push_back((class, hash, program));
    }

    /// The engine of a class.
    fn engine(&mut self, class: Class) -> Result<Engine, EngineError> {
        if let Some(engine) = self.engines.get(&class) {
            return Ok(engine.clone());
        }
        let engine = Engine::new(class)?;
        self.engines.insert(class, engine.clone());
        Ok(engine)
    }
}

/// Computes tasks again.
pub(crate) struct Referee {
    /// The masternode's network key, with which its word is signed.
    node: NodeSecret,
    genesis: GenesisHash,
    /// Under which its results are sealed: this masternode's name on the network.
    name: DeviceId,
    vault: Vault,
    /// Where a thread that computes waits for the vault.
    runtime: Handle,
    /// Memory that a task may have here. One that takes more than the machine has would take the masternode
    /// with it, again and again.
    memory_mib: u64,
    programs: Arc<Mutex<Programs>>,
    compiler: Arc<Compiler>,
}

/// Whether a program is being compiled.
#[derive(Default)]
struct Compiler {
    is_busy: Mutex<bool>,
    freed: Condvar,
}

/// The right to compile, which one thread has at a time: it takes all cores, and more memory than a task.
struct Turn(Arc<Compiler>);

impl Turn {
    /// Waits for it for a moment. None if somebody else has it still.
    fn take(compiler: &Arc<Compiler>) -> Option<Self> {
        let is_busy = lock(&compiler.is_busy);
        let waited = compiler
            .freed
            .wait_timeout_while(is_busy, LOOK, |is_busy| *is_busy);
        let (mut is_busy, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *is_busy {
            return None;
        }
        *is_busy = true;
        Some(Self(compiler.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.0.is_busy) = false;
        self.0.freed.notify_one();
    }
}

/// How long somebody waits.
struct Patience<'a> {
    cancel: &'a Cancel,
    until: Option<Instant>,
}

impl Patience<'_> {
    /// Fails if it is over.
    fn check(&self) -> Result<(), RefereeError> {
        if self.cancel.is_cancelled() {
            return Err(RefereeError::GivenUp(Exit::Cancelled));
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(RefereeError::GivenUp(Exit::WallTime));
        }
        Ok(())
    }
}

/// What is ready to run.
#[derive(Default)]
struct Programs {
    engines: BTreeMap<Class, Engine>,
    /// The one used last at the end.
    compiled: VecDeque<(Class, ProgramHash, Program)>,
}

impl Referee {
    /// A referee with this network key on a chain, which finds jobs' files in the vault, and lets a task have
    /// so much memory. It waits for the vault in the runtime in which this is called.
    pub(crate) fn new(
        node: NodeSecret,
        genesis: GenesisHash,
        vault: Vault,
        memory_mib: u64,
    ) -> Self {
        Self {
            runtime: Handle::current(),
            name: name_of(&node.public()),
            node,
            genesis,
            vault,
            memory_mib,
            programs: Arc::default(),
            compiler: Arc::default(),
        }
    }

    /// Computes a task, on the calling thread, which is none of the runtime's.
    pub(crate) fn compute(
        &self,
        brief: &Brief<'_>,
        cancel: &Cancel,
    ) -> Result<Truth, RefereeError> {
        if cancel.is_cancelled() {
            return Err(RefereeError::GivenUp(Exit::Cancelled));
        }
        let needed_mib = brief.submission.memory_bytes_max.div_ceil(MIB_BYTES);
        if needed_mib > self.memory_mib {
            let allowed_mib = self.memory_mib;
            return Err(RefereeError::Memory {
                needed_mib,
                allowed_mib,
            });
        }
        let (job, task) = (brief.job(), brief.task);
        let before = self.vault.begin_attempt(job, task);
        if before.map_err(RefereeError::Note)? >= ATTEMPTS_MAX {
            return Err(RefereeError::NeverEnds);
        }
        let computed = self.begun(brief, cancel);
        if let Err(error) = self.vault.end_attempt(job, task) {
            // It then counts as one that did not end.
            tracing::warn!(%job, task, %error, "cannot note that a task was computed");
        }
        computed
    }

    fn begun(&self, brief: &Brief<'_>, cancel: &Cancel) -> Result<Truth, RefereeError> {
        let (key, input) = self.open(brief)?;
        let answer = self.run(brief, input, cancel)?;
        let manifest = &brief.context.manifest;
        let context = manifest
            .result_context(brief.task, REFEREE_REPLICA, self.name)
            .ok_or(RefereeError::NoSuchTask)?;
        let sealed = seal_result(&key, &context, &answer.result).map_err(RefereeError::Seal)?;
        self.truth(brief, &answer, sealed, cancel)
    }

    /// The key of a task's shard, and what is in the shard, checked against the manifest.
    fn open(&self, brief: &Brief<'_>) -> Result<(ShardKey, Vec<u8>), RefereeError> {
        let (task, manifest) = (brief.task, &brief.context.manifest);
        let (Some(shard), Some(context), Some(key)) = (
            manifest.shard(task),
            manifest.shard_context(task),
            manifest.shard_key(&brief.context.key, task),
        ) else {
            return Err(RefereeError::NoSuchTask);
        };
        let key = key.map_err(RefereeError::Key)?;
        let (item, bytes) = (Item::Shard(task), shard.sealed_bytes());
        let read = self.vault.read_exactly(brief.job(), item, bytes);
        let sealed = self.runtime.block_on(read).map_err(RefereeError::Shard)?;
        if chunk_root(&sealed) != shard.chunk_root {
            return Err(RefereeError::OtherShard);
        }
        let input = seal::open(&key, &context, &sealed).map_err(RefereeError::Sealed)?;
        Ok((key, input))
    }

    fn run(
        &self,
        brief: &Brief<'_>,
        input: Vec<u8>,
        cancel: &Cancel,
    ) -> Result<TaskAnswer, RefereeError> {
        let (task, manifest) = (brief.task, &brief.context.manifest);
        let program = self.program(brief, cancel)?;
        let invocation = Invocation::of_task(&brief.job(), task, input, manifest.arguments(task))
            .map_err(RefereeError::Arguments)?;
        let TaskLimits {
            fuel,
            memory_bytes,
            result_bytes,
            time_ms,
        } = task_limits(brief.submission, brief.time_ms);
        let limits = Limits::of_task(fuel, memory_bytes, result_bytes, time_ms);
        let outcome = program.run(&invocation, &limits, cancel);
        let outcome = outcome.map_err(RefereeError::Run)?;
        outcome.into_answer().map_err(RefereeError::GivenUp)
    }

    /// The job's program, compiled. Who has theirs already does not wait while another one is.
    fn program(&self, brief: &Brief<'_>, cancel: &Cancel) -> Result<Program, RefereeError> {
        let (class, hash) = (brief.submission.class, brief.submission.program);
        let patience = Patience {
            cancel,
            until: Instant::now().checked_add(Duration::from_millis(brief.time_ms)),
        };
        loop {
            if let Some(known) = self.known(class, hash) {
                return Ok(known);
            }
            patience.check()?;
            let Some(turn) = Turn::take(&self.compiler) else {
                continue;
            };
            // Who had it before may have compiled the same.
            return match self.known(class, hash) {
                Some(known) => Ok(known),
                None => self.compile(brief, turn, &patience),
            };
        }
    }

    fn known(&self, class: Class, hash: ProgramHash) -> Option<Program> {
        lock(&self.programs).known(class, hash)
    }

    /// Compiles the job's program, on a thread of its own: a compilation cannot be stopped, but who waits
    /// for it can be. What is compiled is kept all the same.
    fn compile(
        &self,
        brief: &Brief<'_>,
        turn: Turn,
        patience: &Patience<'_>,
    ) -> Result<Program, RefereeError> {
        let (class, hash) = (brief.submission.class, brief.submission.program);
        let read = self.vault.read_all(brief.job(), Item::Program);
        let module = self.runtime.block_on(read).map_err(RefereeError::Program)?;
        if ProgramHash(Sha256::digest(&module).into()) != hash {
            return Err(RefereeError::OtherProgram);
        }
        let engine = lock(&self.programs).engine(class);
        let engine = engine.map_err(RefereeError::Engine)?;
        let programs = self.programs.clone();
        let (tell, told) = mpsc::sync_channel(1);
        let work = move || {
            let compiled = engine.compile(&module);
            if let Ok(program) = &compiled {
                lock(&programs).keep(class, hash, program.clone());
            }
            drop(turn);
            // Who asked may have gone.
            drop(tell.send(compiled));
        };
        let thread = thread::Builder::new().name("referee-compile".into());
        let started = thread.stack_size(COMPILE_STACK_BYTES).spawn(work);
        started.map_err(|_| RefereeError::Thread)?;
        loop {
            match told.recv_timeout(LOOK) {
                Ok(compiled) => return compiled.map_err(RefereeError::Compile),
                Err(RecvTimeoutError::Timeout) => patience.check()?,
                // A fault of the compiler may cost an answer, but not the masternode.
                Err(RecvTimeoutError::Disconnected) => return Err(RefereeError::Thread),
            }
        }
    }

    /// What is told of a task that was computed. A result that is too large to be told is written first.
    fn truth(
        &self,
        brief: &Brief<'_>,
        answer: &TaskAnswer,
        sealed: SealedResult,
        cancel: &Cancel,
    ) -> Result<Truth, RefereeError> {
        let bytes = sealed.bytes.len();
        let found = Answer {
            result_commitment: sealed.commitment,
            result_bytes: answer.result.len() as u64,
            fuel: answer.fuel,
            exit: answer.exit,
        };
        let is_kept = match brief.purpose {
            Purpose::Referee => true,
            Purpose::Check => brief.accepted.is_some_and(|accepted| accepted != found),
        };
        let output = if !is_kept {
            Output::Inline(vec![])
        } else if bytes <= INLINE_RESULT_BYTES_MAX {
            Output::Inline(sealed.bytes)
        } else {
            if cancel.is_cancelled() {
                return Err(RefereeError::GivenUp(Exit::Cancelled));
            }
            let kept = (brief.job(), brief.task, self.name);
            let keeping = keep_result(&self.vault, kept, sealed.bytes);
            match self.runtime.block_on(keeping) {
                Ok(()) => Output::Delivered {
                    bytes: bytes as u64,
                },
                // That the accepted answer is wrong is to be known all the same.
                Err(error) if brief.purpose == Purpose::Check => {
                    let (job, task) = (brief.job(), brief.task);
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%job, task, error, "what came out of a task is not kept for its owner");
                    Output::Inline(vec![])
                }
                Err(error) => return Err(error),
            }
        };
        let report = RefereeReport {
            job: brief.job(),
            task: brief.task,
            question: brief
                .context
                .question(brief.task)
                .ok_or(RefereeError::NoSuchTask)?,
            answer: found,
        };
        Ok(Truth {
            report: self.node.sign(report, &self.genesis),
            node: self.node.public(),
            output_root: sealed.chunk_root,
            output,
            others: vec![],
        })
    }
}

/// Writes a result that the masternode of this name has sealed, unless the same was written before a crash.
pub(crate) async fn keep_result(
    vault: &Vault,
    (job, task, name): (JobId, TaskIndex, DeviceId),
    sealed: Vec<u8>,
) -> Result<(), RefereeError> {
    let item = Item::Result(task, REFEREE_REPLICA, name);
    let put = vault.put(job, item, sealed.into()).await;
    put.map_err(|error| match error {
        PutError::Append(AppendError::NoRoom { .. }) => RefereeError::Room(error),
        _ => RefereeError::Write(error),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
