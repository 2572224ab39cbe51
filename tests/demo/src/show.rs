//! What the demo prints.

use crate::outcome::Outcome;
use indicatif::{ProgressBar, ProgressStyle};
use quern_primitives::{
    amount::display,
    batch::{BatchRecord, BatchState},
    job::Escrow,
    view::{Quote, Totals},
};
use std::{
    io::Write as _,
    time::{Duration, Instant},
};

/// The terminal.
pub(crate) struct Show {
    started: Instant,
}

impl Show {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    pub(crate) fn title(&self, text: &str) {
        self.line("");
        self.line(text);
        self.line(&"─".repeat(text.chars().count()));
    }

    pub(crate) fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // A closed terminal does not stop the demo.
        let _ = match text.is_empty() {
            true => writeln!(out),
            false => writeln!(
                out,
                "{:>6.1} s  {text}",
                self.started.elapsed().as_secs_f64()
            ),
        };
    }

    pub(crate) fn quote(&self, quote: &Quote) {
        self.line(&format!(
            "quote        at most {}: {} to workers, {} to the network; what is not used comes back",
            display(quote.total),
            display(quote.workers),
            display(quote.network)
        ));
    }

    pub(crate) fn payments(&self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            self.line(&format!(
                "worker {}     {:>14}  {}  ({})",
                outcome.number,
                display(outcome.paid),
                outcome.why(),
                outcome.account
            ));
        }
    }

    pub(crate) fn caught(&self, outcomes: &[Outcome]) {
        let caught: Vec<_> = outcomes.iter().filter(|it| it.is_caught()).collect();
        if caught.is_empty() {
            self.line("caught       nobody; there is no wrong answer on a record on the chain");
        }
        for outcome in caught {
            self.line(&format!(
                "caught       worker {} gave {} wrong answers; all are on its record on the chain",
                outcome.number, outcome.record.incorrect
            ));
        }
    }

    pub(crate) fn comparison(&self, result: &str, reference: &str) {
        let (mark, words) = match result == reference {
            true => ('✓', "equals"),
            false => ('✗', "DIFFERS from"),
        };
        self.line(&format!(
            "             {mark} {words} the same scene rendered in one process, sha256 {}…",
            &result[..16]
        ));
    }

    pub(crate) fn batch(&self, sequence: u32, batch: &BatchRecord, transaction: &[u8; 32]) {
        let what = if sequence == 0 { "settlement" } else { "" };
        self.line(&format!(
            "{what:<12} batch {sequence:>2}: {:>2} tiles, {:>14} to workers, block {:>3}{}, 0x{}",
            batch.tasks,
            display(batch.paid),
            batch.settled_at,
            match batch.state {
                BatchState::Pending { due } => format!(", due {due}"),
                BatchState::Final { at } => format!(", final in {at}"),
                BatchState::Struck { .. } => ", struck".to_owned(),
            },
            hex::encode(transaction)
        ));
    }

    pub(crate) fn conservation(&self, escrow: &Escrow, totals: &Totals) {
        self.line(&format!(
            "job's money  {} paid + {} network + {} refunded = {} deposited",
            display(escrow.paid),
            display(escrow.network),
            display(escrow.refunded),
            display(escrow.deposited)
        ));
        self.line(&format!(
            "chain        {} at genesis + {} bought - {} burnt = {} in existence",
            display(totals.genesis),
            display(totals.minted),
            display(totals.burnt),
            display(totals.issuance)
        ));
    }

    pub(crate) fn bytes(&self, what: &'static str) -> ProgressBar {
        bar("{msg} {wide_bar} {bytes}/{total_bytes}").with_message(what)
    }

    pub(crate) fn tasks(&self) -> ProgressBar {
        bar("{pos}/{len} tiles {wide_bar} {msg} {elapsed}")
    }

    pub(crate) fn spinner(&self, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

fn bar(template: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
