//! A command in a cell.

use super::{Helper, PrepareError, Stop, Trouble};
use crate::{
    disk::{Folder, forget},
    inputs,
};
use quern_cell::{
    Cells, Command as CellCommand, DISK_BYTES_MIN, Ending, Limits, MEMORY_BYTES_MIN,
    PROCESSES_USUAL, probe,
};
use quern_swarm_file::{Check, Command, ValidatedTaskFile, WorkItem};
use std::{fs::File, path::Path};

/// A command, with what all pieces have in common, and the cells in which it runs.
#[derive(Debug)]
pub(crate) struct Commands {
    cells: Cells,
    piece: CellCommand,
    check: Option<CellCommand>,
}

impl Commands {
    pub(super) fn of(
        task: &ValidatedTaskFile,
        command: &Command,
        beside: &Path,
        helper: &Helper,
    ) -> Result<Self, PrepareError> {
        let inputs = inputs::find(task, beside)?;
        let limits = Limits {
            seconds: command.limits.seconds,
            // A cell needs some of each for itself, on every machine alike.
            memory_bytes: command.limits.memory_bytes.max(MEMORY_BYTES_MIN),
            disk_bytes: command.limits.disk_bytes.max(DISK_BYTES_MIN),
            output_bytes: task.file().piece_bytes_max.get().into(),
            processes: PROCESSES_USUAL,
        };
        let piece = CellCommand::new(command.shell.as_str(), limits)?.with_inputs(inputs)?;
        let check = match &task.file().check {
            Check::Exact => None,
            Check::By(shell) => Some(CellCommand::new(shell.as_str(), limits)?),
        };
        let found = probe(helper);
        match found.cells {
            Some(cells) => Ok(Self {
                cells,
                piece,
                check,
            }),
            None => Err(PrepareError::NoCell { found }),
        }
    }

    /// Runs it for a piece. Says whether it did, and was not ended from elsewhere.
    pub(super) fn run(&self, item: &WorkItem, into: &Path, stop: &Stop) -> Result<bool, Trouble> {
        let command = self.piece.clone().with_environment(item.environment())?;
        match self.outcome(&command, File::create(into)?, stop)? {
            Some((Ending::Success, _)) => Ok(true),
            Some((ending, diagnostics)) => Err(Trouble::Command {
                ending,
                diagnostics,
            }),
            None => Ok(false),
        }
    }

    pub(super) fn compare(
        &self,
        one: &Path,
        other: &Path,
        (folder, stop): (&Folder, &Stop),
    ) -> Result<Option<bool>, Trouble> {
        let Some(check) = &self.check else {
            return Ok(Some(false));
        };
        let paths = [
            (std::path::absolute(one)?, "1"),
            (std::path::absolute(other)?, "2"),
        ];
        let command = check
            .clone()
            .with_arguments(["1", "2"])?
            .with_inputs(paths)?;
        // What it says besides nobody reads.
        let aside = folder.coming();
        let outcome = self.outcome(&command, File::create(&aside)?, stop);
        forget(&aside);
        Ok(outcome?.map(|(ending, _)| ending == Ending::Success))
    }

    /// How a command ended, and what it said; none if it was ended from elsewhere.
    fn outcome(
        &self,
        command: &CellCommand,
        output: File,
        stop: &Stop,
    ) -> Result<Option<(Ending, Vec<u8>)>, Trouble> {
        if stop.is_stopped() {
            return Ok(None);
        }
        let running = self.cells.start(command, output).map_err(Trouble::Cell)?;
        stop.is_for(running.cancel());
        let outcome = running.wait().map_err(Trouble::Cell)?;
        Ok(match outcome.ending {
            Ending::Cancelled => None,
            ending => Some((ending, outcome.diagnostics)),
        })
    }
}
