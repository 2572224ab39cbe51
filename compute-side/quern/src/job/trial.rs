//! Running tasks of a job on this machine before anything is spent.

use crate::units::Size;
use quern_owner::Input;
use quern_primitives::{TaskIndex, limits};
use quern_sandbox::{
    Cancel, Engine, EngineError, Exit, Invocation, InvocationError, Limits, Outcome, Program,
    ProgramError, RunError, TrapKind, inspect,
};
use quern_shards::cut::{CutError, CutPlan};
use serde::Serialize;
use std::{
    fmt,
    fs::{self, File},
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::spec::JobSpec;

/// Fuel of a trial when the owner sets no limit; about nine seconds of a fast core.
const TRIAL_FUEL: u64 = 100_000_000_000;

/// How long a trial may take on this machine.
const TRIAL_TIME: Duration = Duration::from_secs(600);

/// The least default of a task's fuel.
const FUEL_MIN: u64 = 10_000_000;

/// The default of a task's fuel, in trials' fuel: shards are seldom of equal weight.
const FUEL_FACTOR: u64 = 4;

/// Bytes of a program's diagnostics that are shown.
const DIAGNOSTICS_SHOWN: usize = 1_000;

/// Why a program or a task of it is not fit to be submitted. Nothing was spent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrialError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program is none that the grid runs.
    #[error("the grid cannot run {path}")]
    Program {
        /// The program.
        path: PathBuf,
        /// What is wrong.
        source: ProgramError,
    },
    /// The input cannot be cut.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// This machine cannot run tasks of the class.
    #[error("this machine cannot try the job; submit it untried with --no-trial and --fuel")]
    Engine(#[from] EngineError),
    /// The arguments are none that a program can be given.
    #[error(transparent)]
    Invocation(#[from] InvocationError),
    /// This machine failed.
    #[error("this machine could not try the job; submit it untried with --no-trial and --fuel")]
    Machine(#[from] RunError),
    /// It does not end.
    #[error("{task} used up {fuel} units of fuel without coming to an end; mend the program if it loops for ever, else allow more with --fuel (at most {max})", max = limits::TASK_FUEL_MAX)]
    Endless {
        /// The task.
        task: TaskName,
        /// What it might use.
        fuel: u64,
    },
    /// It takes too long for a trial.
    #[error("{task} still ran after {} s; cut smaller shards, or submit it untried with --no-trial and --fuel", TRIAL_TIME.as_secs())]
    Slow {
        /// The task.
        task: TaskName,
    },
    /// It writes too much.
    #[error("{task} writes more than {}; mend the program if it prints without end, else allow more with --result-max (at most {})", Size(*bytes), Size(limits::RESULT_BYTES_MAX.into()))]
    Output {
        /// The task.
        task: TaskName,
        /// What it might write.
        bytes: u64,
    },
    /// It wants too much memory.
    #[error("{task} asks for more than {} of memory; allow more with --memory (at most {})", Size(*bytes), Size(limits::TASK_MEMORY_BYTES_MAX))]
    Memory {
        /// The task.
        task: TaskName,
        /// What it might have.
        bytes: u64,
    },
    /// It fails.
    #[error("{task} left with exit code {code}, and a task that fails has no result; mend the program or its arguments{}", diagnostics.as_said())]
    Code {
        /// The task.
        task: TaskName,
        /// Its exit code.
        code: i32,
        /// What it wrote to standard error.
        diagnostics: Diagnostics,
    },
    /// It traps.
    #[error("{task} trapped ({kind}), and a task that fails has no result; mend the program or its arguments{}", diagnostics.as_said())]
    Trap {
        /// The task.
        task: TaskName,
        /// Why.
        kind: TrapKind,
        /// What it wrote to standard error.
        diagnostics: Diagnostics,
    },
    /// The job is not tried, and nothing says what a task may use.
    #[error("without a trial nothing tells how much fuel a task needs; give a limit with --fuel")]
    NoFuel,
}

/// A task as it is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskName(pub(crate) TaskIndex);

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("the first task"),
            later => write!(f, "task {later}"),
        }
    }
}

/// The end of what a program wrote to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostics(Vec<u8>);

impl Diagnostics {
    /// Its last lines, without what could steer the terminal.
    pub(crate) fn plain(&self) -> String {
        let from = self.0.len().saturating_sub(DIAGNOSTICS_SHOWN);
        let text = String::from_utf8_lossy(&self.0[from..]);
        let plain = |letter: &char| *letter == '\n' || !letter.is_control();
        text.trim().chars().filter(plain).collect()
    }

    fn as_said(&self) -> String {
        let text = self.plain();
        if text.is_empty() {
            text
        } else {
            format!("; it wrote:\n{text}")
        }
    }
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Trial {
    /// The task that was tried.
    pub(crate) task: TaskIndex,
    /// Fuel it used.
    pub(crate) fuel: u64,
    /// Memory it had.
    pub(crate) memory_bytes: u64,
    /// Bytes of its result.
    pub(crate) result_bytes: u64,
}

impl Trial {
    /// The limit of fuel that the trial suggests, if the largest shard is so many times as long as
    /// the one that was tried.
    pub(crate) fn fuel_suggested(&self, times_as_long: u64) -> u64 {
        self.fuel
            .saturating_mul(times_as_long)
            .saturating_mul(FUEL_FACTOR)
            .clamp(FUEL_MIN, limits::TASK_FUEL_MAX)
    }
}

/// Reads a program and checks that the grid can run it.
pub(crate) fn read_program(path: &Path) -> Result<Vec<u8>, TrialError> {
    // One byte more than a program may have is enough to say that it has too many.
    let file = File::open(path).map_err(at(path))?;
    let mut program = Vec::new();
    let read = file
        .take(u64::from(limits::PROGRAM_BYTES_MAX) + 1)
        .read_to_end(&mut program);
    read.map_err(at(path))?;
    inspect(&program).map_err(|source| TrialError::Program {
        path: path.to_owned(),
        source,
    })?;
    Ok(program)
}

/// Whether program and input are there, and the program is one. An input that is elsewhere is asked for when it is
/// fetched.
pub(crate) fn check_files(spec: &JobSpec) -> Result<(), TrialError> {
    read_program(&spec.program)?;
    if spec.elsewhere.is_some() {
        return Ok(());
    }
    let paths = match &spec.input {
        Input::File { path, .. } => std::slice::from_ref(path),
        Input::Prepared(paths) => paths,
    };
    paths.iter().try_for_each(|path| {
        File::open(path).map_err(at(path))?;
        Ok(())
    })
}

/// How the input is cut.
pub(crate) fn plan(input: &Input) -> Result<CutPlan, TrialError> {
    match input {
        Input::File {
            path,
            split,
            shard_bytes,
        } => {
            let file = File::open(path).map_err(at(path))?;
            Ok(CutPlan::scan(BufReader::new(file), *split, *shard_bytes)?)
        }
        Input::Prepared(paths) => {
            let length = |path: &PathBuf| Ok(fs::metadata(path).map_err(at(path))?.len());
            let lengths: Vec<_> = paths
                .iter()
                .map(length)
                .collect::<Result<_, TrialError>>()?;
            Ok(CutPlan::of_lengths(lengths)?)
        }
    }
}

/// Runs the first task under the job's limits.
pub(crate) fn run(spec: &JobSpec, program: &[u8], plan: &CutPlan) -> Result<Trial, TrialError> {
    let ready = Ready::new(spec, program)?;
    let mut first = shards(&spec.input, plan, &[0])?;
    let (task, shard) = first.next().unwrap_or(Err(CutError::Empty.into()))?;
    let run = ready.run(task, shard)?;
    run.check()?;
    Ok(run.trial())
}

/// A job's program, compiled as workers compile it, and what each run of it may use.
pub(crate) struct Ready {
    program: Program,
    arguments: Vec<Vec<u8>>,
    limits: Limits,
}

/// What a run of a task came to.
pub(crate) struct Run {
    task: TaskIndex,
    limits: Limits,
    pub(crate) outcome: Outcome,
    /// How long it took here.
    pub(crate) time: Duration,
}

impl Ready {
    /// Compiles a job's program.
    pub(crate) fn new(spec: &JobSpec, program: &[u8]) -> Result<Self, TrialError> {
        let engine = Engine::new(spec.class)?;
        let compiled = engine.compile(program);
        Ok(Self {
            program: compiled.map_err(|source| TrialError::Program {
                path: spec.program.clone(),
                source,
            })?,
            arguments: spec.arguments.clone(),
            limits: Limits {
                fuel: spec.fuel.unwrap_or(TRIAL_FUEL),
                memory_bytes_max: spec.memory_bytes_max,
                output_bytes_max: spec.result_bytes_max.into(),
                wall_time: TRIAL_TIME,
            },
        })
    }

    /// Runs a task on its shard. The random numbers of all tasks are the same here: what follows from
    /// the job is not known before it is submitted.
    pub(crate) fn run(&self, task: TaskIndex, shard: Vec<u8>) -> Result<Run, TrialError> {
        let invocation = Invocation::new(shard, [0; 32]).with_arguments(self.arguments.clone())?;
        let begun = Instant::now();
        let outcome = self
            .program
            .run(&invocation, &self.limits, &Cancel::new())?;
        Ok(Run {
            task,
            limits: self.limits,
            outcome,
            time: begun.elapsed(),
        })
    }
}

impl Run {
    /// What it took.
    pub(crate) fn trial(&self) -> Trial {
        Trial {
            task: self.task,
            fuel: self.outcome.fuel_used,
            memory_bytes: self.outcome.memory_bytes,
            result_bytes: self.outcome.output.len() as u64,
        }
    }

    /// What it wrote to standard error.
    pub(crate) fn diagnostics(&self) -> Diagnostics {
        Diagnostics(self.outcome.diagnostics.clone())
    }

    /// Fails unless the task has a result.
    pub(crate) fn check(&self) -> Result<(), TrialError> {
        let (task, diagnostics) = (TaskName(self.task), self.diagnostics());
        let limits = &self.limits;
        match self.outcome.exit {
            Exit::Success => Ok(()),
            Exit::OutOfFuel => Err(TrialError::Endless {
                task,
                fuel: limits.fuel,
            }),
            Exit::MemoryLimit => Err(TrialError::Memory {
                task,
                bytes: limits.memory_bytes_max,
            }),
            Exit::OutputLimit => Err(TrialError::Output {
                task,
                bytes: limits.output_bytes_max,
            }),
            Exit::Code(code) => Err(TrialError::Code {
                task,
                code,
                diagnostics,
            }),
            Exit::Trap(kind) => Err(TrialError::Trap {
                task,
                kind,
                diagnostics,
            }),
            Exit::WallTime | Exit::Cancelled => Err(TrialError::Slow { task }),
        }
    }
}

/// A task and its shard.
type Sharded = Result<(TaskIndex, Vec<u8>), TrialError>;

/// The shards of these tasks, which ascend, read one after the other.
pub(crate) fn shards<'a>(
    input: &'a Input,
    plan: &'a CutPlan,
    tasks: &'a [TaskIndex],
) -> Result<Box<dyn Iterator<Item = Sharded> + 'a>, TrialError> {
    let shards: Box<dyn Iterator<Item = Sharded> + 'a> = match input {
        Input::File { path, .. } => {
            let file = BufReader::new(File::open(path).map_err(at(path))?);
            let pieces = (0..).zip(plan.pieces(file));
            let chosen = pieces.filter_map(move |(task, piece): (TaskIndex, _)| match piece {
                Ok(piece) => {
                    let is_chosen = tasks.binary_search(&task).is_ok();
                    is_chosen.then_some(Ok((task, piece)))
                }
                Err(error) => Some(Err(TrialError::Cut(error))),
            });
            // What is behind the last of them is not read.
            Box::new(chosen.take(tasks.len()))
        }
        Input::Prepared(paths) => Box::new(tasks.iter().filter_map(move |task| {
            let path = paths.get(*task as usize)?;
            let shard = fs::read(path).map_err(at(path));
            Some(shard.map(|shard| (*task, shard)))
        })),
    };
    Ok(shards)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> TrialError + '_ {
    move |source| TrialError::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
pub(super) mod tests;
