//! The whole chain's money.

use crate::{
    context::Context,
    output::{Output, fields, patiently},
};
use quern_primitives::{BlockNumber, amount::display, view::Totals};
use serde::Serialize;
use std::process::ExitCode;

#[derive(Debug, Serialize)]
struct Conservation {
    block: BlockNumber,
    #[serde(flatten)]
    totals: Totals,
    /// Whether `issuance = genesis + minted - burnt`.
    conserved: bool,
}

/// Shows the sums; fails if they do not add up.
pub(crate) async fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let asked = patiently("asking the chain", async {
        let state = context.chain().await?.at_finalised().await?;
        anyhow::Ok((state.block().number, state.totals().await?))
    });
    let (block, totals) = asked.await?;
    let conserved = totals.conserves_money();
    context.show(&Conservation {
        block,
        totals,
        conserved,
    })?;
    Ok(if conserved {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Output for Conservation {
    fn people(&self) -> String {
        let totals = &self.totals;
        let mark = if self.conserved { '✓' } else { '✗' };
        let table = fields(&[
            ("at genesis", display(totals.genesis)),
            ("bought", display(totals.minted)),
            ("burnt", display(totals.burnt)),
            ("in existence", display(totals.issuance)),
            ("of it in escrow", display(totals.escrow)),
            ("of that pending", display(totals.pending)),
            ("of it bonded by workers", display(totals.bonds)),
            (
                "of it bonded by operators",
                display(totals.masternode_bonds),
            ),
            ("of it for disputes", display(totals.disputes)),
            ("of it for payouts", display(totals.payouts)),
            ("of it for contracts", display(totals.contracts)),
            ("of it for challenges", display(totals.challenges)),
        ]);
        let word = if self.conserved {
            "equals"
        } else {
            "DOES NOT EQUAL"
        };
        let block = self.block;
        format!(
            "{table}\n{mark} at genesis + bought - burnt {word} in existence, as of block {block}"
        )
    }
}
