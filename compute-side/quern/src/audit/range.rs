//! `quern audit range`: every job that was settled in some blocks.

use super::{
    BlocksError,
    facts::AllBatches,
    job::{Auditor, Given, HowArgs},
    progress::Progress,
    report::JobReport,
    turns::LogsFrom,
};
use crate::{
    context::Context,
    output::{Output, count_bar, patiently},
    units::{counted, counted_as, grouped},
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
use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

/// Jobs of which all that differs is told.
const JOBS_TOLD_MAX: usize = 256;

/// Parts of the way through all batches that the bar shows.
const PARTS: u64 = 1_000;

#[derive(Args, Debug)]
pub(crate) struct RangeArgs {
    /// The blocks: 100..200 are those from 100 up to and with 200, 100.. those from 100 on
    #[arg(value_name = "A..B")]
    blocks: Blocks,
    /// A folder with the sealed shards of jobs, those of each in a folder that has the job's 64 digits as
    /// its name [default: those in the jobs' own folders, where `quern job submit --keep-shards` keeps
    /// them]
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
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

/// A job that could not be audited, or of which not all could be.
#[derive(Debug, Serialize)]
struct Missed {
    job: JobId,
    why: String,
}

/// A job of which tasks were computed again.
#[derive(Debug, Serialize)]
struct ReExecuted {
    job: JobId,
    /// How many.
    tasks: usize,
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
    /// How many could not be audited, or not wholly.
    unaudited_count: u64,
    /// The first of them.
    unaudited: Vec<Missed>,
    /// Whether tasks are computed again where that is possible.
    re_executes: bool,
    /// Tasks that were computed again.
    tasks_re_executed: u64,
    /// Of how many jobs they are.
    re_executed_count: u64,
    /// The first of these.
    re_executed: Vec<ReExecuted>,
    /// Of how many jobs not all tasks that should have been were.
    not_re_executed_count: u64,
    /// The first of these.
    not_re_executed: Vec<Missed>,
    /// Whether all were audited, and hold.
    holds: bool,
}

/// By what each job is audited.
struct Means<'a> {
    auditor: &'a Auditor<'a>,
    newest: &'a Header,
    /// Where shards of jobs are, beside those in their own folders.
    shards: Option<&'a Path>,
    bar: &'a ProgressBar,
}

/// Audits all jobs of some blocks; fails if one does not hold.
pub(super) async fn run(context: &Context, args: &RangeArgs) -> anyhow::Result<ExitCode> {
    let auditor = Auditor::new(context, &args.how).await?;
    let newest = patiently("asking the chain for proofs", auditor.proven.newest()).await?;
    let blocks = args.blocks.of(newest.number)?;
    let bar = count_bar("of all batches");
    bar.set_length(PARTS);
    let means = Means {
        auditor: &auditor,
        newest: &newest,
        shards: args.shards.as_deref(),
        bar: &bar,
    };
    let report = audit(&means, blocks).await;
    bar.finish_and_clear();
    let report = report?;
    context.show(&report)?;
    Ok(report.exit_code())
}

async fn audit(
    means: &Means<'_>,
    blocks: RangeInclusive<BlockNumber>,
) -> anyhow::Result<RangeReport> {
    let Means {
        auditor, newest, ..
    } = means;
    let proven_by = shown_by(&auditor.proven, newest).await;
    let mut report = RangeReport::new(&blocks, proven_by, auditor.re_executes());
    let mut all = AllBatches::new(&auditor.proven, newest.hash());
    // The batches of a job follow each other, so one job is known at a time.
    let mut current: Option<(JobId, u64)> = None;
    while let Some((job, record)) = all.next().await? {
        means.bar.set_position(all.parts_done(PARTS));
        if !is_in(&record, &blocks) {
            continue;
        }
        match &mut current {
            Some((known, batches)) if *known == job => *batches += 1,
            known => {
                let before = known.replace((job, 1));
                report.take(means, before).await;
            }
        }
    }
    report.take(means, current).await;
    report.holds = report.differing_count == 0 && report.unaudited_count == 0;
    Ok(report)
}

/// The folder of a job's shards among those of many jobs, if it is there.
fn shards_of(shards: Option<&Path>, job: JobId) -> Option<PathBuf> {
    let of_job = shards?.join(hex::encode(job.0));
    of_job.is_dir().then_some(of_job)
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
    fn new(blocks: &RangeInclusive<BlockNumber>, proven_by: Shown, re_executes: bool) -> Self {
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
            re_executes,
            tasks_re_executed: 0,
            re_executed_count: 0,
            re_executed: Vec::new(),
            not_re_executed_count: 0,
            not_re_executed: Vec::new(),
            holds: true,
        }
    }

    /// Audits a job with so many batches in the blocks.
    async fn take(&mut self, means: &Means<'_>, job: Option<(JobId, u64)>) {
        let Some((job, batches)) = job else {
            return;
        };
        self.jobs += 1;
        self.batches += batches;
        let Means {
            auditor, newest, ..
        } = means;
        let progress = Progress::behind(means.bar, job);
        let given = Given::of_many(shards_of(means.shards, job));
        let audited = async {
            let from = LogsFrom::Masternodes;
            let audited = auditor.audit(job, newest, &from, &given, &progress);
            audited.await
        };
        match audited.await {
            Ok(report) => {
                self.verdicts += report.verdicts();
                let (tasks, why_not) = report.re_execution();
                self.computed_again(job, tasks.len(), why_not);
                if let Some(why) = report.untold().filter(|_| report.holds) {
                    self.miss(job, why);
                }
                if !report.holds {
                    self.differing_count += 1;
                    if self.differing.len() < JOBS_TOLD_MAX {
                        self.differing.push(report);
                    }
                }
            }
            Err(error) => self.miss(job, format!("{error:#}")),
        }
    }

    /// A job could not be audited, or not all of it.
    fn miss(&mut self, job: JobId, why: String) {
        self.unaudited_count += 1;
        if self.unaudited.len() < JOBS_TOLD_MAX {
            self.unaudited.push(Missed { job, why });
        }
    }

    /// So many tasks of a job were computed again, and for these reasons others were not.
    fn computed_again(&mut self, job: JobId, tasks: usize, why_not: &[String]) {
        if tasks > 0 {
            self.tasks_re_executed += tasks as u64;
            self.re_executed_count += 1;
            if self.re_executed.len() < JOBS_TOLD_MAX {
                self.re_executed.push(ReExecuted { job, tasks });
            }
        }
        if !why_not.is_empty() {
            self.not_re_executed_count += 1;
            if self.not_re_executed.len() < JOBS_TOLD_MAX {
                let why = why_not.join("; ");
                self.not_re_executed.push(Missed { job, why });
            }
        }
    }

    /// For each job why tasks of it were not computed again, as far as they are kept.
    fn why_not_again(&self) -> Vec<String> {
        let told = self.not_re_executed.iter().map(|it| {
            let Missed { job, why } = it;
            format!("– not checked: whether tasks of job {job} give their results: {why}")
        });
        let mut lines: Vec<_> = told.collect();
        let untold = self
            .not_re_executed_count
            .saturating_sub(lines.len() as u64);
        if untold > 0 {
            lines.push(format!(
                "– nor whether those of {} do",
                counted(untold, "more job")
            ));
        }
        lines
    }

    /// What was computed again, in one line. That nothing was is said as plainly, for then it rests on the
    /// receipts alone that results are right.
    fn again_in_words(&self) -> String {
        if !self.re_executes {
            return "– NO task was computed again: --re-execute 0 leaves it out".into();
        }
        match (self.re_executed_count, self.not_re_executed_count) {
            (0, _) => format!(
                "– NO task was computed again: of {} none could be here",
                counted(self.jobs, "job")
            ),
            (jobs, 0) => format!(
                "computed again: {} of {}",
                counted(self.tasks_re_executed, "task"),
                counted(jobs, "job")
            ),
            (jobs, missed) => format!(
                "computed again: {} of {}; of {} none, or not all that were drawn",
                counted(self.tasks_re_executed, "task"),
                counted(jobs, "job"),
                counted(missed, "job")
            ),
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
        lines.extend(self.why_not_again());
        lines.push(format!(
            "blocks {} to {}: {} of {}, {} in their logs",
            self.from,
            self.to,
            counted_as(self.batches, "batch", "batches"),
            counted(self.jobs, "job"),
            counted(self.verdicts, "verdict")
        ));
        // Where there are no jobs there is nothing to compute.
        if self.jobs > 0 {
            lines.push(self.again_in_words());
        }
        lines.push(format!("✓ {}", self.proven_by.words()));
        lines.push(match (self.differing_count, self.unaudited_count) {
            (0, 0) => "✓ all of them hold".into(),
            (differing, unaudited) => {
                let differing = counted_as(differing, "job does", "jobs do");
                format!(
                    "✗ {differing} NOT hold, {} could not be checked",
                    grouped(unaudited)
                )
            }
        });
        lines.join("\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;
    use quern_light::{BlockHash, Way};
    use quern_primitives::{Digest, batch::LogRange};

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        args: RangeArgs,
    }

    /// Of so many jobs, all of which hold.
    fn report(jobs: u64, re_executes: bool) -> RangeReport {
        let shown = Shown {
            block: 30,
            hash: BlockHash([5; 32]),
            by: Way::Header { behind: 0 },
        };
        let mut report = RangeReport::new(&(1..=30), shown, re_executes);
        report.jobs = jobs;
        report
    }

    fn why(text: &str) -> [String; 1] {
        [text.to_owned()]
    }

    #[test]
    fn a_range_takes_what_a_job_takes_for_computing_again_and_for_disputes() {
        let read = |line: &str| Line::try_parse_from(line.split(' '));
        let line = "range 5..9 --re-execute 5% --shards kept --file-disputes";
        let args = read(line).unwrap().args;
        assert_eq!(args.shards, Some(PathBuf::from("kept")));
        assert!(read("range 5.. --re-execute 2").is_ok());
        assert!(read("range 5.. --re-execute 101%").is_err());
    }

    #[test]
    fn what_was_computed_again_is_added_up_and_each_job_that_could_not_be_is_named() {
        let mut report = report(3, true);
        report.computed_again(JobId([1; 32]), 3, &[]);
        report.computed_again(JobId([2; 32]), 0, &why("its key is not here"));
        let reasons = ["task 4 takes too long here", "task 7 takes too long here"];
        report.computed_again(JobId([3; 32]), 2, &reasons.map(str::to_owned));
        let text = report.people();
        for said in [
            "computed again: 5 tasks of 2 jobs; of 2 jobs none, or not all that were drawn",
            "job 0x0202020202020202020202020202020202020202020202020202020202020202 give their \
             results: its key is not here",
            "task 4 takes too long here; task 7 takes too long here",
        ] {
            assert!(text.contains(said), "{text}");
        }
        assert!(text.ends_with("✓ all of them hold"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["tasks_re_executed"], 5);
        assert_eq!(json["re_executed_count"], 2);
        assert_eq!(json["re_executed"][0]["tasks"], 3);
        assert_eq!(json["not_re_executed_count"], 2);
        let named = &json["not_re_executed"][0];
        assert_eq!(named["job"], JobId([2; 32]).to_string());
        assert_eq!(named["why"], "its key is not here");
    }

    #[test]
    fn where_all_that_were_drawn_were_computed_again_no_job_is_named() {
        let mut report = report(1, true);
        report.computed_again(JobId([1; 32]), 3, &[]);
        let text = report.people();
        assert!(
            text.contains("computed again: 3 tasks of 1 job\n"),
            "{text}"
        );
        assert!(!text.contains("not checked"), "{text}");
    }

    #[test]
    fn where_nothing_can_be_computed_again_the_summary_says_so_plainly() {
        let mut report = report(2, true);
        for number in [1, 2] {
            report.computed_again(JobId([number; 32]), 0, &why("its key is not here"));
        }
        let text = report.people();
        let plainly = "NO task was computed again: of 2 jobs none could be here";
        assert!(text.contains(plainly), "{text}");
        assert_eq!(text.matches("its key is not here").count(), 2, "{text}");
        // What only owners can look at is no failure, as for one job.
        assert!(text.ends_with("✓ all of them hold"), "{text}");
    }

    #[test]
    fn where_nobody_wants_tasks_computed_again_that_is_said_and_no_job_is_named() {
        let text = report(2, false).people();
        let said = "NO task was computed again: --re-execute 0 leaves it out";
        assert!(text.contains(said), "{text}");
        assert!(!text.contains("not checked"), "{text}");
        let text = report(0, true).people();
        assert!(!text.contains("computed again"), "{text}");
    }

    #[test]
    fn of_very_many_jobs_the_first_are_named_and_the_others_counted() {
        let mut report = report(300, true);
        for number in 0..300 {
            let mut job = JobId([0; 32]);
            job.0[..4].copy_from_slice(&u32::to_be_bytes(number));
            report.computed_again(job, 1, &why("its key is not here"));
        }
        assert_eq!(report.tasks_re_executed, 300);
        assert_eq!(report.re_executed.len(), JOBS_TOLD_MAX);
        let text = report.people();
        assert!(
            text.contains("nor whether those of 44 more jobs do"),
            "{text}"
        );
    }

    #[test]
    fn shards_of_many_jobs_are_in_a_folder_for_each_or_in_the_job_s_own() {
        let kept = tempfile::tempdir().unwrap();
        let (here, elsewhere) = (JobId([0xab; 32]), JobId([0xcd; 32]));
        let of_job = kept.path().join("ab".repeat(32));
        std::fs::create_dir(&of_job).unwrap();
        assert_eq!(shards_of(Some(kept.path()), here), Some(of_job));
        assert_eq!(shards_of(Some(kept.path()), elsewhere), None);
        assert_eq!(shards_of(None, here), None);
    }

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
