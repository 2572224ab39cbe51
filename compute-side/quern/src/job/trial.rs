//! Running a job's first task on this machine before anything is spent.

use crate::units::Size;
use quern_owner::Input;
use quern_primitives::limits;
use quern_sandbox::{
    Cancel, Engine, EngineError, Exit, Invocation, InvocationError, Limits, ProgramError, RunError,
    TrapKind, inspect,
};
use quern_shards::cut::{CutError, CutPlan};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
    time::Duration,
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

/// Bytes of a program's diagnostics that an error shows.
const DIAGNOSTICS_SHOWN: usize = 1_000;

/// Why a program or its first task is not fit to be submitted. Nothing was spent.
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
    #[error(
        "this machine cannot try the job's first task; submit it untried with --no-trial and --fuel"
    )]
    Engine(#[from] EngineError),
    /// The arguments are none that a program can be given.
    #[error(transparent)]
    Invocation(#[from] InvocationError),
    /// This machine failed.
    #[error(
        "this machine could not try the job's first task; submit it untried with --no-trial and --fuel"
    )]
    Machine(#[from] RunError),
    /// It does not end.
    #[error("the first task used up {fuel} units of fuel without coming to an end; mend the program if it loops for ever, else allow more with --fuel (at most {max})", max = limits::TASK_FUEL_MAX)]
    Endless {
        /// What it might use.
        fuel: u64,
    },
    /// It takes too long for a trial.
    #[error("the first task still ran after {} s; cut smaller shards, or submit it untried with --no-trial and --fuel", TRIAL_TIME.as_secs())]
    Slow,
    /// It writes too much.
    #[error("the first task writes more than {}; mend the program if it prints without end, else allow more with --result-max (at most {})", Size(*bytes), Size(limits::RESULT_BYTES_MAX.into()))]
    Output {
        /// What it might write.
        bytes: u64,
    },
    /// It wants too much memory.
    #[error("the first task asks for more than {} of memory; allow more with --memory (at most {})", Size(*bytes), Size(limits::TASK_MEMORY_BYTES_MAX))]
    Memory {
        /// What it might have.
        bytes: u64,
    },
    /// It fails.
    #[error("the first task left with exit code {code}, and a task that fails has no result; mend the program or its arguments{}", diagnostics.as_said())]
    Code {
        /// Its exit code.
        code: i32,
        /// What it wrote to standard error.
        diagnostics: Diagnostics,
    },
    /// It traps.
    #[error("the first task trapped ({kind}), and a task that fails has no result; mend the program or its arguments{}", diagnostics.as_said())]
    Trap {
        /// Why.
        kind: TrapKind,
        /// What it wrote to standard error.
        diagnostics: Diagnostics,
    },
    /// The job is not tried, and nothing says what a task may use.
    #[error("without a trial nothing tells how much fuel a task needs; give a limit with --fuel")]
    NoFuel,
}

/// The end of what a program wrote to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostics(Vec<u8>);

impl Diagnostics {
    fn as_said(&self) -> String {
        let from = self.0.len().saturating_sub(DIAGNOSTICS_SHOWN);
        let text = String::from_utf8_lossy(&self.0[from..]);
        // What a program writes must not steer the terminal.
        let plain = |letter: &char| *letter == '\n' || !letter.is_control();
        let text: String = text.trim().chars().filter(plain).collect();
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
    /// Fuel the first task used.
    pub(crate) fuel: u64,
    /// Memory it had.
    pub(crate) memory_bytes: u64,
    /// Bytes of its result.
    pub(crate) result_bytes: u64,
}

impl Trial {
    /// The limit of fuel that the trial suggests, if the largest shard is so many times as long as
    /// the first.
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
    let engine = Engine::new(spec.class)?;
    let compiled = engine.compile(program);
    let program = compiled.map_err(|source| TrialError::Program {
        path: spec.program.clone(),
        source,
    })?;
    let shard = first_shard(&spec.input, plan)?;
    let invocation = Invocation::new(shard, [0; 32]).with_arguments(spec.arguments.clone())?;
    let limits = Limits {
        fuel: spec.fuel.unwrap_or(TRIAL_FUEL),
        memory_bytes_max: spec.memory_bytes_max,
        output_bytes_max: spec.result_bytes_max.into(),
        wall_time: TRIAL_TIME,
    };
    let outcome = program.run(&invocation, &limits, &Cancel::new())?;
    let diagnostics = Diagnostics(outcome.diagnostics);
    match outcome.exit {
        Exit::Success => Ok(Trial {
            fuel: outcome.fuel_used,
            memory_bytes: outcome.memory_bytes,
            result_bytes: outcome.output.len() as u64,
        }),
        Exit::OutOfFuel => Err(TrialError::Endless { fuel: limits.fuel }),
        Exit::MemoryLimit => Err(TrialError::Memory {
            bytes: limits.memory_bytes_max,
        }),
        Exit::OutputLimit => Err(TrialError::Output {
            bytes: limits.output_bytes_max,
        }),
        Exit::Code(code) => Err(TrialError::Code { code, diagnostics }),
        Exit::Trap(kind) => Err(TrialError::Trap { kind, diagnostics }),
        Exit::WallTime | Exit::Cancelled => Err(TrialError::Slow),
    }
}

fn first_shard(input: &Input, plan: &CutPlan) -> Result<Vec<u8>, TrialError> {
    match input {
        Input::File { path, .. } => {
            let file = BufReader::new(File::open(path).map_err(at(path))?);
            plan.pieces(file)
                .next()
                .unwrap_or(Err(CutError::Empty))
                .map_err(Into::into)
        }
        Input::Prepared(paths) => {
            let first = paths.first().ok_or(CutError::Empty)?;
            fs::read(first).map_err(at(first))
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> TrialError + '_ {
    move |source| TrialError::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
