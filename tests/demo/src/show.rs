//! What the demo prints.

use crate::outcome::Outcome;
use indicatif::{ProgressBar, ProgressStyle};
use quern_jobs_api::{counted, grouped};
use quern_primitives::{
    amount::display,
    batch::{BatchRecord, BatchState},
    job::Escrow,
    view::{Quote, Totals},
};
use std::{
    fmt::Write as _,
    io::Write as _,
    pin::pin,
    time::{Duration, Instant},
};

/// Columns that a line has at the most, but for one that holds something which is to be typed or which has
/// no blank.
const COLUMNS: usize = 80;

/// Columns of the time before each line.
const TIME: usize = 10;

/// Columns of the name before what is told of it.
const NAME: usize = 13;

/// How long nothing may be told.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// The terminal.
pub(crate) struct Show {
    started: Instant,
    /// How long nothing may be told.
    silence: Duration,
}

impl Show {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            silence: SILENCE,
        }
    }

    pub(crate) fn title(&self, text: &str) {
        self.line("");
        self.line(text);
        self.line(&"─".repeat(text.chars().count().min(COLUMNS - TIME)));
    }

    /// A line, or as many as it takes where it is long.
    pub(crate) fn line(&self, text: &str) {
        self.whole(&wrapped(text));
    }

    /// A line of any length, for what is to be typed as it stands.
    pub(crate) fn whole(&self, text: &str) {
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
                "worker {}     {}: {} ({})",
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
                "caught       worker {} gave {}, on its record on the chain",
                outcome.number,
                counted(outcome.record.incorrect, "wrong answer")
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
        if sequence == 0 {
            self.line(
                "settlement   each batch, in which block it was settled, and by what transaction",
            );
        }
        let words = batch_in_words(sequence, batch);
        self.whole(&format!("{:NAME$}{words}", ""));
        // Too long to stand behind anything.
        self.whole(&format!("0x{}", hex::encode(transaction)));
    }

    /// Waits for something, and says so; with something that turns if that is seen, else at least every ten
    /// seconds.
    pub(crate) async fn during<T>(&self, what: &'static str, work: impl Future<Output = T>) -> T {
        let bar = self.spinner(what);
        if bar.is_hidden() {
            self.line(what);
        }
        let is_seen = !bar.is_hidden();
        let done = self.while_it_lasts(what, is_seen, work).await;
        bar.finish_and_clear();
        done
    }

    /// Waits for something that tells its steps itself, and says that it lasts where it tells none for long.
    pub(crate) async fn while_it_lasts<T>(
        &self,
        what: &'static str,
        is_seen: bool,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = pin!(work);
        let since = Instant::now();
        loop {
            if let Ok(done) = tokio::time::timeout(self.silence, &mut work).await {
                return done;
            }
            if !is_seen {
                let seconds = counted(since.elapsed().as_secs(), "second");
                self.line(&format!("{what}, {seconds} so far"));
            }
        }
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
        let bar = bar("{msg} {wide_bar} {bytes}/{total_bytes}").with_message(what);
        if bar.is_hidden() {
            self.line(what);
        }
        bar
    }

    pub(crate) fn tasks(&self) -> ProgressBar {
        bar("{pos}/{len} tiles {wide_bar} {msg} {elapsed}")
    }

    fn spinner(&self, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// What a batch settled and when, short enough for a line behind time and name.
fn batch_in_words(sequence: u32, batch: &BatchRecord) -> String {
    let state = match batch.state {
        BatchState::Pending { due } => format!("due {due}"),
        BatchState::Final { at } => format!("final {at}"),
        BatchState::Struck { .. } => "struck".to_owned(),
    };
    format!(
        "batch {sequence:>2}  {:>2} {:<5}  {:>14}  in {}, {state}",
        grouped(batch.tasks),
        if batch.tasks == 1 { "tile" } else { "tiles" },
        display(batch.paid),
        batch.settled_at,
    )
}

/// A text in lines, broken at blanks, that find room behind the time. Lines behind the first stand below
/// what the first tells of its name.
fn wrapped(text: &str) -> String {
    let room = COLUMNS - TIME;
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let (mut lines, mut used, mut is_begun) = (String::new(), 0, false);
    // A part is a word with the blanks before it, some of which lead from a name to what is told of it.
    for part in text.split_inclusive(' ') {
        let word = part.trim_end().chars().count();
        if is_begun && used + word > room {
            lines.truncate(lines.trim_end().len());
            let _ = write!(lines, "\n{:1$}", "", TIME + NAME);
            used = NAME;
        }
        lines.push_str(part);
        used += part.chars().count();
        is_begun |= used > NAME;
    }
    lines
}

fn bar(template: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{Digest, batch::LogRange};

    fn batch(tasks: u32, paid: u128, state: BatchState) -> BatchRecord {
        BatchRecord {
            verdicts_root: Digest::default(),
            log: LogRange::default(),
            block: 0,
            head: Digest::default(),
            tasks,
            spent: 0,
            paid,
            settled_at: 1_234,
            state,
        }
    }

    #[test]
    fn a_batch_s_line_and_its_transaction_fit_in_eighty_columns() {
        for state in [
            BatchState::Pending { due: 1_240 },
            BatchState::Final { at: 1_240 },
            BatchState::Struck { at: 1_240 },
        ] {
            let line = batch_in_words(12, &batch(80, 12_123_456_789, state));
            let columns = TIME + NAME + line.chars().count();
            assert!(columns <= COLUMNS, "{columns} columns: {line}");
        }
        let transaction = format!("0x{}", hex::encode([7; 32]));
        assert!(TIME + transaction.len() <= COLUMNS);
        let one = batch_in_words(0, &batch(1, 0, BatchState::Final { at: 7 }));
        assert!(one.contains(" 1 tile "), "{one}");
    }

    #[test]
    fn a_long_line_is_broken_at_blanks_and_nothing_of_it_is_lost() {
        let short = "quote        at most 3 BC";
        assert_eq!(wrapped(short), short);
        let long = "worker 1     12.5 BC: an equal share of each tile it agreed on (60), nothing for tiles it was late with (2) (5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty)";
        let text = wrapped(long);
        for (number, line) in text.lines().enumerate() {
            let time = if number == 0 { TIME } else { 0 };
            assert!(time + line.chars().count() <= COLUMNS, "{text}");
            assert!(number == 0 || line.starts_with(&" ".repeat(TIME + NAME)));
        }
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&text), words(long));
    }

    #[tokio::test]
    async fn what_lasts_long_comes_to_its_end_all_the_same() {
        let show = Show {
            silence: Duration::from_millis(2),
            ..Show::new()
        };
        let lasting = tokio::time::sleep(10 * show.silence);
        let done = show.during("waiting", async {
            lasting.await;
            7
        });
        assert_eq!(done.await, 7);
    }
}
