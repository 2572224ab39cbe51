//! `quern audit`: checking the chain by what it tells itself, and jobs by their logs.

mod again;
mod books;
mod facts;
mod group;
mod job;
mod logs;
mod progress;
mod range;
mod receipts;
mod report;
mod totals;
mod turns;

use crate::context::Context;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use quern_primitives::BlockNumber;
use std::{fmt, ops::RangeInclusive, process::ExitCode};

/// What can be audited.
#[derive(Subcommand, Debug)]
pub(crate) enum AuditCommand {
    /// One job: whether its log keeps the rules, and whether the chain paid what follows from it. What the
    /// chain says is believed with proofs only
    Job(Box<job::JobArgs>),
    /// Every job of which a batch was settled, made final or struck in some blocks, as `job` does it
    Range(Box<range::RangeArgs>),
    /// All money of the chain, movement by movement: whether it adds up at every block. The node is believed
    /// with proofs only, unless --trust-node says otherwise
    Totals(totals::TotalsArgs),
}

/// What was to be audited could not be, so nothing is said of whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unchecked;

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it could not be checked")
    }
}

/// Which blocks are read.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct BlocksArgs {
    /// Begin with this block; the first that does anything is 1
    #[arg(
        long,
        value_name = "BLOCK",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    from: BlockNumber,
    /// End with this block [default: the last that is final]
    #[arg(long, value_name = "BLOCK")]
    to: Option<BlockNumber>,
}

/// Why there are no such blocks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlocksError {
    /// They are not final yet.
    #[error("block {block} is not final yet, the last that is is {last}; name one up to that")]
    NotFinal {
        /// The block.
        block: BlockNumber,
        /// The last that is final.
        last: BlockNumber,
    },
    /// They end before they begin.
    #[error("block {to} is before block {from}; give the lower number with --from")]
    Reversed {
        /// Where they begin.
        from: BlockNumber,
        /// Where they end.
        to: BlockNumber,
    },
}

impl BlocksArgs {
    /// The blocks, on a chain of which so many are final.
    pub(crate) fn of(self, last: BlockNumber) -> Result<RangeInclusive<BlockNumber>, BlocksError> {
        let (from, to) = (self.from, self.to.unwrap_or(last));
        if to > last {
            return Err(BlocksError::NotFinal { block: to, last });
        }
        if from > last {
            return Err(BlocksError::NotFinal { block: from, last });
        }
        if from > to {
            return Err(BlocksError::Reversed { from, to });
        }
        Ok(from..=to)
    }
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Job(args) => job::run(context, args).await.context(Unchecked),
        AuditCommand::Range(args) => range::run(context, args).await.context(Unchecked),
        AuditCommand::Totals(args) => totals::run(context, args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_those_that_are_final_in_their_order() {
        let of = |from, to| BlocksArgs { from, to }.of(9);
        assert_eq!(of(1, None), Ok(1..=9));
        assert_eq!(of(4, Some(4)), Ok(4..=4));
        let not_final = |block| Err(BlocksError::NotFinal { block, last: 9 });
        assert_eq!(of(1, Some(10)), not_final(10));
        assert_eq!(of(12, None), not_final(12));
        let reversed = BlocksError::Reversed { from: 5, to: 4 };
        assert_eq!(of(5, Some(4)), Err(reversed));
    }
}
