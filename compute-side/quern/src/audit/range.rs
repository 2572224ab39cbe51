//! `quern audit range`: every job that was settled in some blocks.

use super::{
    BlocksError,
    facts::AllBatches,
    job::{Auditor, Given, HowArgs},
    report::JobReport,
};
use crate::{
    context::Context,
    output::{Output, count_bar, patiently},
    verify::proof::{Shown, shown_by},
};
use clap::Args;
use indicatif::ProgressBar;
use quern_light::Header;
use quern_primitives::{
    BlockNumber, JobId,
    batch::{BatchRecord, BatchState},
};
use serde::Serialize;
use std::{ops::RangeInclusive, process::ExitCode, str::FromStr};

/// Jobs of which all that differs is told.
const JOBS_TOLD_MAX: usize = 256;

/// Parts of the way through all batches that the bar shows.
const PARTS: u64 = 1_000;

#[derive(Args, Debug)]
pub(crate) struct RangeArgs {
    /// The blocks: 100..200 are those from 100 up to and with 200, 100.. those from 100 on
    #[arg(value_name = "A..B")]
    blocks: Blocks,
    #[command(flatten)]
    how: HowArgs,
}

/// Blocks as they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Blocks {
    from: BlockNumber,
    to: Option<BlockNumber>,
}

/// A text names no blocks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("give two blocks as 100..200, or the first alone as 100..")]
struct NoBlocks;

impl FromStr for Blocks {
    type Err = NoBlocks;

    fn from_str(text: &str) -> Result<Self, NoBlocks> {
        let (from, to) = text.split_once("..").ok_or(NoBlocks)?;
        let number = |text: &str| text.trim().parse().map_err(|_| NoBlocks);
        let to = match to.trim() {
            "" => None,
            to => Some(number(to)?),
        };
        Ok(Self {
            from: number(from)?,
            to,
        })
    }
}

impl Blocks {
    /// The blocks, on a chain of which so many are final.
    fn of(self, last: BlockNumber) -> Result<RangeInclusive<BlockNumber>, BlocksError> {
        let (from, to) = (self.from, self.to.unwrap_or(last));
        match to.max(from) {
            block if block > last => Err(BlocksError::NotFinal { block, last }),
            _ if from > to => Err(BlocksError::Reversed { from, to }),
            _ => Ok(from..=to),
        }
    }
}

/// A job that could not be audited.
#[derive(Debug, Serialize)]
struct Unaudited {
    job: JobId,
    why: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct RangeReport {
    from: BlockNumber,
    to: BlockNumber,
    /// The block by whose state the chain was read.
    proven_by: Shown,
    /// Jobs of which a batch was settled, made final or struck in these blocks.
    jobs: u64,
    /// Such batches.
    batches: u64,
    /// Verdicts in the logs of these jobs.
    verdicts: u64,
    /// How many of the jobs do not hold.
    differing_count: u64,
    /// The first of them.
    differing: Vec<JobReport>,
    /// How many could not be audited.
    unaudited_count: u64,
    /// The first of them.
    unaudited: Vec<Unaudited>,
    /// Whether all were audited, and hold.
    holds: bool,
}

/// Audits all jobs of some blocks; fails if one does not hold.
pub(super) async fn run(context: &Context, args: &RangeArgs) -> anyhow::Result<ExitCode> {
    let auditor = Auditor::new(context, &args.how).await?;
    let newest = patiently("asking the chain for proofs", auditor.proven.newest()).await?;
    let blocks = args.blocks.of(newest.number)?;
    let bar = count_bar("of all batches");
    bar.set_length(PARTS);
    let report = audit(&auditor, blocks, &newest, &bar).await;
    bar.finish_and_clear();
    let report = report?;
    context.show(&report)?;
    Ok(report.exit_code())
}

async fn audit(
    auditor: &Auditor<'_>,
    blocks: RangeInclusive<BlockNumber>,
    newest: &Header,
    bar: &ProgressBar,
) -> anyhow::Result<RangeReport> {
    let mut report = RangeReport::new(&blocks, shown_by(&auditor.proven, newest).await);
    let mut all = AllBatches::new(&auditor.proven, newest.hash());
    // The batches of a job follow each other, so one job is known at a time.
    let mut current: Option<(JobId, u64)> = None;
    while let Some((job, record)) = all.next().await? {
        bar.set_position(all.parts_done(PARTS));
        if !is_in(&record, &blocks) {
            continue;
        }
        match &mut current {
            Some((known, batches)) if *known == job => *batches += 1,
            known => {
                let before = known.replace((job, 1));
                report.take(auditor, newest, before, bar).await;
            }
        }
    }
    report.take(auditor, newest, current, bar).await;
    report.holds = report.differing_count == 0 && report.unaudited_count == 0;
    Ok(report)
}

/// Whether something became of a batch in these blocks.
fn is_in(record: &BatchRecord, blocks: &RangeInclusive<BlockNumber>) -> bool {
    let ended = match record.state {
        BatchState::Pending { .. } => None,
        BatchState::Final { at } | BatchState::Struck { at } => Some(at),
    };
    blocks.contains(&record.settled_at) || ended.is_some_and(|at| blocks.contains(&at))
}

impl RangeReport {
    fn new(blocks: &RangeInclusive<BlockNumber>, proven_by: Shown) -> Self {
        Self {
            from: *blocks.start(),
            to: *blocks.end(),
            proven_by,
            jobs: 0,
            batches: 0,
            verdicts: 0,
            differing_count: 0,
            differing: Vec::new(),
            unaudited_count: 0,
            unaudited: Vec::new(),
            holds: true,
        }
    }

    /// Audits a job with so many batches in the blocks.
    async fn take(
        &mut self,
        auditor: &Auditor<'_>,
        newest: &Header,
        job: Option<(JobId, u64)>,
        bar: &ProgressBar,
    ) {
        let Some((job, batches)) = job else {
            return;
        };
        self.jobs += 1;
        self.batches += batches;
        let digits = job.to_string();
        bar.set_message(digits.chars().take(10).collect::<String>());
        // A bar of its own would be drawn over this one.
        let hidden = ProgressBar::hidden();
        let audited = async {
            let source = auditor.source(job).await?;
            let nothing = Given::nothing();
            auditor.audit(job, newest, &source, &nothing, &hidden).await
        };
        match audited.await {
            Ok(report) => {
                self.verdicts += report.verdicts();
                if !report.holds {
                    self.differing_count += 1;
                    if self.differing.len() < JOBS_TOLD_MAX {
                        self.differing.push(report);
                    }
                }
            }
            Err(error) => {
                self.unaudited_count += 1;
                if self.unaudited.len() < JOBS_TOLD_MAX {
                    let why = format!("{error:#}");
                    self.unaudited.push(Unaudited { job, why });
                }
            }
        }
    }

    /// Something that differs is worse than something that could not be checked.
    fn exit_code(&self) -> ExitCode {
        match (self.differing_count, self.unaudited_count) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(crate::EXIT_UNCHECKED),
            _ => ExitCode::FAILURE,
        }
    }
}

impl Output for RangeReport {
    fn people(&self) -> String {
        let mut lines: Vec<_> = self.differing.iter().map(Output::people).collect();
        lines.extend(
            self.unaudited
                .iter()
                .map(|it| format!("✗ job {} could not be checked: {}", it.job, it.why)),
        );
        lines.push(format!(
            "blocks {} to {}: {} batches of {} jobs, {} verdicts in their logs",
            self.from, self.to, self.batches, self.jobs, self.verdicts
        ));
        lines.push(format!("✓ {}", self.proven_by.words()));
        lines.push(match (self.differing_count, self.unaudited_count) {
            (0, 0) => "✓ all of them hold".into(),
            (differing, unaudited) => {
                format!("✗ {differing} jobs do NOT hold, {unaudited} could not be checked")
            }
        });
        lines.join("\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{Digest, batch::LogRange};

    #[test]
    fn blocks_are_given_as_two_numbers_or_one() {
        let blocks = |from, to| Ok(Blocks { from, to });
        assert_eq!("100..200".parse(), blocks(100, Some(200)));
        assert_eq!("7..".parse(), blocks(7, None));
        for text in ["", "7", "..7", "a..b", "1..-2", "1...5"] {
            assert_eq!(text.parse::<Blocks>(), Err(NoBlocks), "{text}");
        }
        let of = |text: &str| text.parse::<Blocks>().unwrap().of(50);
        assert_eq!(of("1..50"), Ok(1..=50));
        assert_eq!(of("20.."), Ok(20..=50));
        let reversed = BlocksError::Reversed { from: 9, to: 8 };
        assert_eq!(of("9..8"), Err(reversed));
        let not_final = |block| Err(BlocksError::NotFinal { block, last: 50 });
        assert_eq!(of("9..51"), not_final(51));
        assert_eq!(of("60.."), not_final(60));
    }

    #[test]
    fn a_batch_is_of_the_blocks_that_settled_it_or_made_an_end_of_it() {
        let record = |settled_at, state| BatchRecord {
            verdicts_root: Digest([1; 32]),
            log: LogRange::default(),
            block: 0,
            head: Digest([2; 32]),
            tasks: 1,
            spent: 1,
            paid: 1,
            settled_at,
            state,
        };
        let pending = record(10, BatchState::Pending { due: 15 });
        let is_final = record(10, BatchState::Final { at: 20 });
        let struck = record(10, BatchState::Struck { at: 20 });
        assert!(is_in(&pending, &(10..=10)) && !is_in(&pending, &(11..=30)));
        for ended in [is_final, struck] {
            assert!(is_in(&ended, &(5..=10)) && is_in(&ended, &(20..=20)));
            assert!(!is_in(&ended, &(11..=19)));
        }
    }
}
