//! The checks of the messages' limits.

use super::{Assignment, Exchange, Output, Request, Response, ShownVerdict};
use crate::{Benchmark, DecodeError, Message, State, limits};
use quern_primitives::{limits as shared, merkle::PROOF_HASHES_MAX};

pub(crate) fn at_most(field: &'static str, found: usize, limit: usize) -> Result<(), DecodeError> {
    if found > limit {
        return Err(DecodeError::OverLimit {
            field,
            found: found as u64,
            limit: limit as u64,
        });
    }
    Ok(())
}

impl Message for Request {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Hello(hello) => {
                at_most(
                    "hello.software",
                    hello.software.len(),
                    limits::SOFTWARE_BYTES_MAX,
                )?;
                at_most("hello.engines", hello.engines.len(), 2)?;
                at_most(
                    "hello.in_hand",
                    hello.in_hand.len(),
                    limits::ACKNOWLEDGEMENTS_MAX,
                )?;
                hello.machine.check()
            }
            Self::Exchange(exchange) => exchange.check(),
            Self::Fetch(fetch) => at_most(
                "fetch.length",
                fetch.length as usize,
                limits::PIECE_BYTES_MAX as usize,
            ),
            Self::Deliver(deliver) => at_most(
                "deliver.bytes",
                deliver.bytes.len(),
                limits::PIECE_BYTES_MAX as usize,
            ),
            Self::Show(show) => at_most("show.tasks", show.tasks.len(), limits::SHOWN_MAX),
        }
    }
}

impl Exchange {
    fn check(&self) -> Result<(), DecodeError> {
        at_most("exchange.holds", self.holds.len(), limits::HOLDS_MAX)?;
        at_most(
            "exchange.commitments",
            self.commitments.len(),
            limits::COMMITMENTS_MAX,
        )?;
        at_most("exchange.reports", self.reports.len(), limits::REPORTS_MAX)?;
        at_most(
            "exchange.progress",
            self.progress.len(),
            limits::TASKS_IN_HAND_MAX,
        )?;
        at_most(
            "exchange.handed_back",
            self.handed_back.len(),
            limits::TASKS_IN_HAND_MAX,
        )?;
        at_most("exchange.want", self.want.into(), limits::TASKS_IN_HAND_MAX)?;
        self.state.iter().try_for_each(State::check)?;
        self.reports
            .iter()
            .try_for_each(|report| match &report.output {
                Output::Inline(bytes) => at_most(
                    "report.output",
                    bytes.len(),
                    limits::INLINE_RESULT_BYTES_MAX,
                ),
                Output::Delivered { .. } => Ok(()),
            })
    }
}

impl Message for Response {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Welcome(_) | Self::Refused(_) | Self::Delivered { .. } => Ok(()),
            Self::Piece(piece) => at_most(
                "piece.bytes",
                piece.bytes.len(),
                limits::PIECE_BYTES_MAX as usize,
            ),
            Self::Work(work) => {
                let acknowledged = work.acknowledged.iter();
                at_most(
                    "work.acknowledged",
                    // A list of none is still a signature to check.
                    acknowledged.map(|list| list.words.len().max(1)).sum(),
                    limits::ACKNOWLEDGEMENTS_MAX,
                )?;
                at_most(
                    "work.reveals",
                    work.reveals.len(),
                    limits::ACKNOWLEDGEMENTS_MAX,
                )?;
                at_most(
                    "work.discard",
                    work.discard.len(),
                    limits::ACKNOWLEDGEMENTS_MAX,
                )?;
                at_most(
                    "work.assignments",
                    work.assignments.len(),
                    limits::TASKS_IN_HAND_MAX,
                )?;
                work.benchmark.iter().try_for_each(Benchmark::check)?;
                work.assignments.iter().try_for_each(Assignment::check)
            }
            Self::Shown(shown) => {
                at_most("shown", shown.len(), limits::SHOWN_MAX)?;
                shown.iter().try_for_each(ShownVerdict::check)
            }
        }
    }
}

impl ShownVerdict {
    fn check(&self) -> Result<(), DecodeError> {
        at_most(
            "shown.replicas",
            self.verdict.replicas.len(),
            shared::REPLICAS_PER_TASK_MAX as usize,
        )?;
        at_most(
            "shown.siblings",
            self.proof.siblings.len(),
            PROOF_HASHES_MAX,
        )
    }
}

impl Assignment {
    fn check(&self) -> Result<(), DecodeError> {
        let argument_bytes = self.arguments.iter().map(Vec::len).sum();
        at_most(
            "assignment.arguments",
            self.arguments.len(),
            shared::ARGUMENTS_MAX as usize,
        )?;
        at_most(
            "assignment.arguments",
            argument_bytes,
            shared::ARGUMENT_BYTES_MAX as usize,
        )?;
        at_most(
            "assignment.program_bytes",
            self.program_bytes as usize,
            shared::PROGRAM_BYTES_MAX as usize,
        )?;
        at_most(
            "assignment.shard",
            self.shard.plaintext_bytes as usize,
            shared::SHARD_BYTES_MAX as usize,
        )?;
        at_most(
            "assignment.result",
            self.limits.result_bytes as usize,
            shared::RESULT_BYTES_MAX as usize,
        )?;
        at_most(
            "assignment.inline_shard",
            self.inline_shard.as_ref().map_or(0, Vec::len),
            limits::INLINE_SHARD_BYTES_MAX,
        )
    }
}
