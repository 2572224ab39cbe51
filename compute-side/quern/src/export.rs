//! `quern export`: what the chain tells, for other programs.

mod ledger;

use crate::context::Context;
use clap::Subcommand;

/// What can be exported.
#[derive(Subcommand, Debug)]
pub(crate) enum ExportCommand {
    /// Every movement of money, one a row; docs/format.md says what the columns are. The node is believed with
    /// proofs only, unless --trust-node says otherwise
    Ledger(ledger::LedgerArgs),
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &ExportCommand) -> anyhow::Result<()> {
    match command {
        ExportCommand::Ledger(args) => ledger::run(context, args).await,
    }
}
