//! A module in the sandbox.

use super::{PrepareError, Stop, Trouble};
use crate::{inputs, limits::MODULE_SECONDS_MAX};
use quern_primitives::Digest;
use quern_sandbox::{Class, Engine, Exit, Invocation, Limits, Program};
use quern_swarm_file::{Module, PieceIndex, ValidatedTaskFile, Wasm, WorkItem};
use sha2::{Digest as _, Sha256};
use std::{fs, path::Path, time::Duration};

/// A module that is compiled, with what all pieces have in common.
#[derive(Debug)]
pub(crate) struct Runs {
    program: Program,
    task: Digest,
    input: bytes::Bytes,
    arguments: Vec<Vec<u8>>,
    limits: Limits,
}

impl Runs {
    pub(super) fn of(
        task: &ValidatedTaskFile,
        module: &Module,
        beside: &Path,
    ) -> Result<Self, PrepareError> {
        let wasm = match &module.wasm {
            Wasm::Inside(wasm) => wasm.clone(),
            Wasm::Beside(file) => inputs::whole(file, beside)?,
        };
        // Peers have machines of all kinds, and what comes out must be the same on all of them.
        let program = Engine::new(Class::Portable)?.compile(&wasm)?;
        let arguments = module.arguments.iter();
        let runs = Self {
            program,
            task: task.digest(),
            input: inputs::joined(task, beside)?,
            arguments: arguments
                .map(|it| it.as_str().as_bytes().to_vec())
                .collect(),
            limits: Limits {
                fuel: module.limits.fuel,
                memory_bytes_max: module.limits.memory_bytes,
                output_bytes_max: task.file().piece_bytes_max.get().into(),
                wall_time: Duration::from_secs(MODULE_SECONDS_MAX),
            },
        };
        // What cannot be given to one piece cannot be given to any.
        if let Some(first) = task.layout().work_item(0) {
            runs.invocation(&first)?;
        }
        Ok(runs)
    }

    /// Runs it for a piece. Says whether it did, and was not ended from elsewhere.
    pub(super) fn run(&self, item: &WorkItem, into: &Path, stop: &Stop) -> Result<bool, Trouble> {
        let invocation = self.invocation(item)?;
        let ran = self.program.run(&invocation, &self.limits, stop.module());
        let outcome = ran.map_err(Trouble::Sandbox)?;
        match outcome.exit {
            Exit::Success => {
                fs::write(into, &outcome.output)?;
                Ok(true)
            }
            Exit::Cancelled => Ok(false),
            exit => Err(Trouble::Module(exit)),
        }
    }

    fn invocation(&self, item: &WorkItem) -> Result<Invocation, quern_sandbox::InvocationError> {
        Invocation::new(self.input.clone(), seed(&self.task, item.piece))
            .with_arguments(self.arguments.iter().cloned())?
            .with_environment(item.environment())
    }
}

/// The seed of all randomness that a module draws for a piece: SHA-256 over a tag, the task file's digest and
/// the piece (4 bytes, little-endian), so that all who compute it draw the same.
fn seed(task: &Digest, piece: PieceIndex) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"quern/swarm-seed/1");
    hasher.update(task.0);
    hasher.update(piece.to_le_bytes());
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_each_task_draws_otherwise() {
        let (one, other) = (Digest([1; 32]), Digest([2; 32]));
        assert_eq!(seed(&one, 1), seed(&one, 1));
        assert_ne!(seed(&one, 1), seed(&one, 2));
        assert_ne!(seed(&one, 1), seed(&other, 1));
    }
}
