//! `quern audit totals`: the money of the chain, movement by movement.

use super::{BlocksArgs, books::Books};
use crate::{
    context::Context,
    output::{Output, count_bar, fields, patiently},
    trust::TrustArgs,
    units::{counted, grouped},
    verify::proof::{Shown, shown_by},
};
use clap::Args;
use quern_audit::{DIFFERENCES_MAX, Difference, Entry, Replay};
use quern_ledger::BlockStream;
use quern_primitives::{
    Amount, BlockNumber, GenesisHash,
    amount::{as_string, display},
    job::Escrow,
    view::Totals,
};
use serde::Serialize;
use std::{ops::RangeInclusive, process::ExitCode};

/// Differences that people are shown; programs are told all that are kept.
const SHOWN_MAX: usize = 20;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct TotalsArgs {
    #[command(flatten)]
    blocks: BlocksArgs,
    #[command(flatten)]
    trust: TrustArgs,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Audited {
    from: BlockNumber,
    to: BlockNumber,
    /// Movements of money in these blocks.
    movements: u64,
    /// Accounts with money behind the last.
    accounts: usize,
    /// Jobs there ever were.
    jobs: usize,
    /// Of them those that are open.
    open_jobs: usize,
    /// The sums, as the movements make them.
    #[serde(flatten)]
    totals: Totals,
    /// The sum of all balances.
    #[serde(with = "as_string")]
    balances: Amount,
    /// The money of all jobs together.
    of_jobs: Escrow,
    /// How many differences there are, those that are not listed too.
    difference_count: u64,
    differences: Vec<Difference>,
    /// The last block, if the node had to prove what it said of it.
    proven_by: Option<Shown>,
    /// The chain's first block, if that is what the proof begins with.
    begins_with: Option<GenesisHash>,
    /// Whether there is none.
    conserved: bool,
}

/// Plays the ledger again; fails if anything differs.
pub(super) async fn run(context: &Context, args: &TotalsArgs) -> anyhow::Result<ExitCode> {
    let chain = context.chain().await?;
    // Proofs begin with no other block: a node of another chain has none.
    let genesis = chain.genesis();
    let proven = args.trust.proven(&chain).await?;
    let newest = match &proven {
        Some(proven) => proven.newest().await?.number,
        None => chain.at_finalised().await?.block().number,
    };
    let blocks = args.blocks.of(newest)?;
    let last = *blocks.end();
    let bar = count_bar("blocks");
    let of_bar = bar.clone();
    let stream = chain.blocks(blocks.clone()).telling(move |now| {
        of_bar.set_length(now.all);
        of_bar.set_position(now.done);
    });
    let (stream, books) = match &proven {
        Some(proven) => {
            let stream = stream.proven_by(proven.clone());
            (stream, Books::Proven(proven.clone()))
        }
        None => (stream, Books::OfNode(chain)),
    };
    let audited = audit(&books, blocks, stream).await;
    bar.finish_and_clear();
    let mut audited = audited?;
    if let Some(proven) = &proven {
        let header = proven.at_height(last).await?;
        audited.proven_by = Some(shown_by(proven, &header).await);
        audited.begins_with = Some(genesis);
    }
    context.show(&audited)?;
    Ok(match audited.conserved {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

async fn audit(
    books: &Books,
    blocks: RangeInclusive<BlockNumber>,
    mut stream: BlockStream,
) -> anyhow::Result<Audited> {
    let (from, to) = blocks.into_inner();
    let before = books.snapshot(from.saturating_sub(1));
    let mut replay = Replay::begin(patiently("reading the accounts", before).await?);
    let mut movements: u64 = 0;
    while let Some(read) = stream.next().await? {
        let totals = *replay.totals();
        let moved = read
            .money
            .entries
            .iter()
            .filter_map(Entry::movement)
            .count();
        movements = movements.saturating_add(moved as u64);
        replay.take(&read.money);
        // Where the sums change the chain is asked at once, so that a difference names its block.
        if *replay.totals() != totals {
            replay.compare_totals(&books.totals(read.block.number).await?);
        }
    }
    let behind = books.snapshot(to);
    replay.compare(&patiently("reading the accounts", behind).await?);
    Ok(Audited::new(from, movements, &replay))
}

impl Audited {
    fn new(from: BlockNumber, movements: u64, replay: &Replay) -> Self {
        let now = replay.snapshot();
        let mut of_jobs = Escrow::default();
        for job in now.jobs.values() {
            let Escrow {
                deposited,
                paid,
                network,
                refunded,
                pending,
                held,
            } = job.escrow;
            // Parts of what exists, each of which the replay has added up without leaving an amount.
            of_jobs.deposited = of_jobs.deposited.saturating_add(deposited);
            of_jobs.paid = of_jobs.paid.saturating_add(paid);
            of_jobs.network = of_jobs.network.saturating_add(network);
            of_jobs.refunded = of_jobs.refunded.saturating_add(refunded);
            of_jobs.pending = of_jobs.pending.saturating_add(pending);
            of_jobs.held = of_jobs.held.saturating_add(held);
        }
        Self {
            from,
            to: replay.block(),
            movements,
            accounts: now.accounts.len(),
            jobs: now.jobs.len(),
            open_jobs: now.jobs.values().filter(|job| job.open).count(),
            totals: *replay.totals(),
            balances: replay.balances(),
            of_jobs,
            difference_count: replay.difference_count(),
            differences: replay.differences().to_vec(),
            proven_by: None,
            begins_with: None,
            conserved: replay.difference_count() == 0,
        }
    }
}

impl Output for Audited {
    fn people(&self) -> String {
        let (totals, jobs) = (&self.totals, &self.of_jobs);
        let table = fields(&[
            ("at genesis", display(totals.genesis)),
            ("bought", display(totals.minted)),
            ("burnt", display(totals.burnt)),
            ("in existence", display(totals.issuance)),
            ("on all accounts", display(self.balances)),
            ("of it in escrow", display(totals.escrow)),
            ("of it bonded by workers", display(totals.bonds)),
            (
                "of it bonded by operators",
                display(totals.masternode_bonds),
            ),
            ("of it for disputes", display(totals.disputes)),
            ("of it for payouts", display(totals.payouts)),
            ("of it for stored data", display(totals.custody())),
            ("deposited for jobs", display(jobs.deposited)),
            ("of it paid", display(jobs.paid)),
            ("of it to the network", display(jobs.network)),
            ("of it refunded", display(jobs.refunded)),
            ("of it pending", display(jobs.pending)),
            ("of it still held", display(jobs.held)),
        ]);
        let mut lines = vec![
            table,
            format!(
                "{} in blocks {} to {}; {}, {}, {} of them open",
                counted(self.movements, "movement"),
                self.from,
                self.to,
                counted(self.accounts, "account"),
                counted(self.jobs, "job"),
                grouped(self.open_jobs)
            ),
        ];
        let shown = self.differences.iter().take(SHOWN_MAX);
        lines.extend(shown.map(|difference| format!("✗ {difference}")));
        let hidden = self.difference_count.saturating_sub(SHOWN_MAX as u64);
        if hidden > 0 {
            lines.push(format!(
                "and {} more; --json lists the first {DIFFERENCES_MAX}",
                grouped(hidden)
            ));
        }
        lines.extend(self.proven_by.map(|shown| format!("✓ {}", shown.words())));
        lines.push(match self.begins_with {
            Some(block) => format!(
                "– taken as true: that the chain is the one that begins with block {block}, and that its events mean what the node's description of the runtime says"
            ),
            None => "– taken as true: all that the node says; nothing of it was proven".to_owned(),
        });
        lines.push(match self.conserved {
            true => "✓ conserved: every movement and every balance fits".to_owned(),
            false => format!("✗ NOT conserved, differences: {}", self.difference_count),
        });
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_audit::Snapshot;

    fn audited(totals: Totals) -> Audited {
        let mut replay = Replay::begin(Snapshot::default());
        replay.compare_totals(&totals);
        Audited::new(1, 0, &replay)
    }

    #[test]
    fn money_that_adds_up_is_called_conserved_and_nothing_else_is() {
        let whole = audited(Totals::default());
        assert!(whole.conserved && whole.people().ends_with("every balance fits"));
        assert!(whole.people().contains("nothing of it was proven"));
        let other = Totals {
            burnt: 7,
            ..Totals::default()
        };
        let differs = audited(other);
        let text = differs.people();
        assert!(!differs.conserved, "{text}");
        assert!(text.contains("what was burnt is 0 BC by the movements, and 0.000000007 BC"));
        assert!(text.ends_with("NOT conserved, differences: 1"), "{text}");
    }

    #[test]
    fn with_which_block_the_proofs_begin_is_told_to_who_compares_it() {
        let mut proven = audited(Totals::default());
        proven.begins_with = Some(GenesisHash([0x5a; 32]));
        let text = proven.people();
        assert!(text.contains(&"5a".repeat(32)), "{text}");
        assert!(!text.contains("nothing of it was proven"), "{text}");
    }
}
