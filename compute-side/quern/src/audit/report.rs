//! What an audit of a job tells.

use super::job::KEPT_MAX;
use crate::{
    context::Context,
    dispute::{
        begin::{Filed, may_win, may_win_by, show_chain},
        file::EvidenceFile,
    },
    output::{Output, fields, patiently},
    units::{counted, counted_as, grouped},
    verify::proof::Shown,
};
use anyhow::Context as _;
use quern_ledger::Chain;
use quern_primitives::{
    AccountId, GenesisHash, JobId, TaskIndex,
    amount::display,
    batch::{BatchRecord, BatchState},
    ids::BatchSequence,
    job::Escrow,
};
use quern_recheck::{Difference, Filing, Losing, OnChain};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Differences that people are shown; programs are told all that are kept.
const SHOWN_MAX: usize = 20;

/// A log as far as it was read.
#[derive(Debug, Serialize)]
pub(super) struct Log {
    /// Who wrote it.
    pub(super) coordinator: AccountId,
    /// Where it is from.
    pub(super) from: String,
    pub(super) blocks: u64,
    pub(super) entries: u64,
    pub(super) verdicts: u64,
    /// How many replicas were given in how many lanes, as it claims; in one are those that were for all.
    pub(super) given_in: BTreeMap<u8, u64>,
}

impl Log {
    /// In how many lanes replicas were given, the most lanes first.
    fn lanes_in_words(&self) -> String {
        let parts = self
            .given_in
            .iter()
            .rev()
            .map(|(lanes, count)| match lanes {
                1 => format!("{} to all", grouped(*count)),
                lanes => format!("{} in {lanes} lanes", grouped(*count)),
            });
        let parts: Vec<_> = parts.collect();
        match parts.is_empty() {
            true => "nothing".into(),
            false => parts.join(", "),
        }
    }
}

/// What is told beside differences.
#[derive(Debug, Default, Serialize)]
pub(super) struct Findings {
    /// Batches of the log that the chain has not settled.
    pub(super) unsettled: Vec<BatchSequence>,
    /// Batches of which no log tells that can be had, or not yet.
    pub(super) untold: Vec<BatchSequence>,
    /// Tasks that were computed again.
    pub(super) re_executed: Vec<TaskIndex>,
    /// Why tasks that should have been were not.
    pub(super) not_re_executed: Vec<String>,
    /// What could not be checked.
    pub(super) left_out: Vec<String>,
}

/// Of a job's batches so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pending: u64,
    #[serde(rename = "final")]
    made_final: u64,
    struck: u64,
}

/// One difference.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// What it is, for programs.
    code: &'static str,
    /// What it is, in words.
    says: String,
    batch: Option<BatchSequence>,
    /// The entries of the log that show it.
    positions: Vec<u64>,
    /// Whether the chain can be shown it, and would not refuse it or find it unfounded: false until its rules
    /// were asked.
    disputable: bool,
    /// Why it cannot.
    why_not: Option<String>,
    /// Why the chain's rules could not be asked.
    unasked: Option<String>,
    /// What the chain is shown, as it is written into a file.
    evidence: Option<EvidenceFile>,
    /// Where that was written.
    file: Option<PathBuf>,
    /// What came of disputing it.
    disputed: Option<Filed>,
}

/// What came of the audit of a job.
#[derive(Debug, Serialize)]
pub(super) struct JobReport {
    job: JobId,
    genesis: GenesisHash,
    /// The block by whose state the chain was read.
    proven_by: Shown,
    batches: Counts,
    money: Escrow,
    /// Those of the job's coordinators, in the order of their turns.
    logs: Vec<Log>,
    #[serde(flatten)]
    findings: Findings,
    /// How many differences there are.
    pub(super) difference_count: u64,
    differences: Vec<Told>,
    /// Why not all that can be disputed was, if that failed.
    undisputed: Option<String>,
    /// Whether there are none, as far as the log tells of the job's batches.
    pub(super) holds: bool,
}

impl Counts {
    fn of<'a>(records: impl Iterator<Item = &'a BatchRecord>) -> Self {
        let mut counts = Self::default();
        for record in records {
            let count = match record.state {
                BatchState::Pending { .. } => &mut counts.pending,
                BatchState::Final { .. } => &mut counts.made_final,
                BatchState::Struck { .. } => &mut counts.struck,
            };
            *count += 1;
        }
        counts
    }
}

/// Batches in words, if there are any.
fn named(batches: &[BatchSequence]) -> Option<String> {
    let numbers: Vec<_> = batches.iter().map(u32::to_string).collect();
    (!numbers.is_empty()).then(|| format!("batches {}", numbers.join(", ")))
}

impl JobReport {
    pub(super) fn new(
        job: JobId,
        proven_by: Shown,
        genesis: GenesisHash,
        settled: &OnChain,
        logs: Vec<Log>,
        findings: Findings,
    ) -> Self {
        Self {
            job,
            genesis,
            proven_by,
            batches: Counts::of(settled.batches.values()),
            money: settled.job.escrow,
            logs,
            findings,
            difference_count: 0,
            differences: Vec::new(),
            undisputed: None,
            holds: true,
        }
    }

    /// Adds a difference, with what the chain could be shown of it.
    pub(super) fn tell(&mut self, difference: &Difference, settled: &OnChain, filing: &Filing) {
        let positions = difference.positions();
        let batch = difference.batch().or_else(|| {
            let first = positions.first()?;
            settled.batch_at(*first)
        });
        let (evidence, why_not) = match filing {
            Filing::Can { evidence, verdicts } => {
                let file = EvidenceFile::new(self.genesis, evidence, verdicts.iter().cloned());
                (Some(file), None)
            }
            Filing::Cannot(why) => (None, Some(why.to_string())),
        };
        self.holds = false;
        self.differences.push(Told {
            code: difference.code(),
            says: difference.to_string(),
            batch,
            positions,
            disputable: false,
            why_not,
            unasked: None,
            evidence,
            file: None,
            disputed: None,
        });
    }

    /// Which batches nobody outside the job's group can check, or not yet, if there are any. A batch that becomes final
    /// so was open to dispute for its group alone.
    pub(super) fn untold(&self) -> Option<String> {
        let batches = named(&self.findings.untold)?;
        Some(format!("no log that can be had tells of {batches}"))
    }

    /// What the command ends with.
    pub(super) fn exit_code(&self) -> ExitCode {
        match (self.holds, self.untold()) {
            (true, None) => ExitCode::SUCCESS,
            (true, Some(_)) => ExitCode::from(crate::EXIT_UNCHECKED),
            (false, _) => ExitCode::FAILURE,
        }
    }

    /// Verdicts that were looked at.
    pub(super) fn verdicts(&self) -> u64 {
        self.logs.iter().map(|log| log.verdicts).sum()
    }

    /// Tasks that were computed again, and why those that should have been were not.
    pub(super) fn re_execution(&self) -> (&[TaskIndex], &[String]) {
        (&self.findings.re_executed, &self.findings.not_re_executed)
    }

    /// Asks the court's own rules of each difference whether the chain would take what it can be shown.
    pub(super) async fn ask_court(&mut self, chain: &Chain) {
        if self.differences.iter().all(|told| told.evidence.is_none()) {
            return;
        }
        let asking = patiently("asking whether it can be disputed", async {
            let state = match chain.at_finalised().await {
                Ok(state) => state,
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    self.differences
                        .iter_mut()
                        .for_each(|told| told.could_not_ask(&error));
                    return;
                }
            };
            for told in &mut self.differences {
                let Some(evidence) = &told.evidence else {
                    continue;
                };
                match may_win_by(&state, chain.genesis(), evidence).await {
                    Ok(ruled) => told.ruled(ruled),
                    Err(error) => told.could_not_ask(&error),
                }
            }
        });
        asking.await;
    }

    /// Writes a file for each difference that can be disputed, or of which that could not be asked.
    pub(super) fn write_evidence(&mut self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let digits = hex::encode(self.job.0);
        for (number, told) in self.differences.iter_mut().enumerate() {
            let Some(evidence) = told.evidence.as_ref().filter(|_| told.why_not.is_none()) else {
                continue;
            };
            let path = folder.join(format!("{digits}-{number}.evidence.json"));
            fs::write(&path, serde_json::to_string_pretty(evidence)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
            told.file = Some(path);
        }
        Ok(())
    }

    /// Disputes each difference that can be, one after the other. What would lose is not shown, as when a
    /// batch fell with the one before.
    pub(super) async fn file(&mut self, context: &Context, chain: &Chain) -> anyhow::Result<()> {
        for told in &mut self.differences {
            let Some(evidence) = told.evidence.as_ref().filter(|_| told.why_not.is_none()) else {
                continue;
            };
            let ruled = may_win(chain, evidence).await?;
            if ruled.is_ok() {
                let account = context.account()?;
                let filed = show_chain(context, chain, &account, evidence, true).await?;
                told.disputed = Some(filed);
            }
            told.ruled(ruled);
        }
        Ok(())
    }

    /// A dispute could not be begun.
    pub(super) fn could_not_dispute(&mut self, error: &anyhow::Error) {
        self.undisputed = Some(format!("{error:#}"));
    }

    fn batches_in_words(&self) -> String {
        let Counts {
            pending,
            made_final,
            struck,
        } = self.batches;
        format!("{made_final} final, {pending} pending, {struck} struck")
    }
}

impl Told {
    /// What the court's rules say of showing it.
    fn ruled(&mut self, ruled: Result<(), Losing>) {
        self.disputable = ruled.is_ok();
        self.why_not = ruled.err().map(|losing| losing.to_string());
        self.unasked = None;
    }

    /// They could not be asked.
    fn could_not_ask(&mut self, error: &anyhow::Error) {
        if self.evidence.is_some() {
            self.unasked = Some(format!("{error:#}"));
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("✗ {}: {}", self.code, self.says)];
        if let Some(batch) = self.batch {
            lines.push(format!("  batch {batch}"));
        }
        if !self.positions.is_empty() {
            let positions: Vec<_> = self.positions.iter().map(u64::to_string).collect();
            lines.push(format!("  entries of the log: {}", positions.join(", ")));
        }
        if let Some(why) = &self.unasked {
            lines.push(format!(
                "  whether the chain would take it could not be asked: {why}; `quern dispute file` asks before it shows it"
            ));
        }
        lines.push(match (&self.why_not, &self.disputed, &self.file) {
            (Some(why), ..) => format!("  it cannot be disputed: {why}"),
            (None, Some(filed), _) => format!("  {}", filed.people()),
            (None, None, Some(file)) if !self.disputable => {
                format!("  what is shown is in {}", file.display())
            }
            (None, None, None) if !self.disputable => {
                "  --evidence DIR writes what is shown".into()
            }
            (None, None, Some(file)) => format!(
                "  it can be disputed: quern dispute file {}",
                file.display()
            ),
            (None, None, None) => {
                "  it can be disputed: --evidence DIR writes what is shown, --file-disputes shows it"
                    .into()
            }
        });
        lines
    }
}

impl Output for JobReport {
    fn people(&self) -> String {
        let money = &self.money;
        let mut lines = vec![format!("job {}", self.job)];
        for log in &self.logs {
            lines.push(fields(&[
                ("coordinator", log.coordinator.to_string()),
                ("log", format!("from {}", log.from)),
                (
                    "of it",
                    format!(
                        "{}, {}, {}",
                        counted(log.blocks, "block"),
                        counted_as(log.entries, "entry", "entries"),
                        counted(log.verdicts, "verdict")
                    ),
                ),
                ("given out", log.lanes_in_words()),
            ]));
        }
        lines.push(fields(&[
            ("batches", self.batches_in_words()),
            ("deposited", display(money.deposited)),
            ("paid", display(money.paid)),
            ("to the network", display(money.network)),
            ("refunded", display(money.refunded)),
            ("pending", display(money.pending)),
            ("held", display(money.held)),
        ]));
        let again = &self.findings.re_executed;
        if !again.is_empty() {
            let tasks: Vec<_> = again.iter().map(TaskIndex::to_string).collect();
            lines.push(format!(
                "computed again: {} of {}, number {}",
                grouped(again.len()),
                counted(self.verdicts(), "task"),
                tasks.join(", ")
            ));
        }
        lines.push(format!("✓ {}", self.proven_by.words()));
        lines.push(format!(
            "– taken as true: that the chain is the one that begins with block {}",
            self.genesis
        ));
        if let Some(batches) = named(&self.findings.unsettled) {
            lines.push(format!("– in the log and not settled: {batches}"));
        }
        lines.extend(self.untold().map(|untold| format!("– {untold}")));
        let again = self.findings.not_re_executed.iter();
        lines.extend(
            again.map(|why| format!("– not checked: whether tasks give these results: {why}")),
        );
        let left_out = self.findings.left_out.iter();
        lines.extend(left_out.map(|what| format!("– not checked: {what}")));
        let shown = self.differences.iter().take(SHOWN_MAX);
        lines.extend(shown.flat_map(Told::lines));
        let hidden = self.difference_count.saturating_sub(SHOWN_MAX as u64);
        if hidden > 0 {
            lines.push(format!(
                "and {} more; --json lists the first {KEPT_MAX}",
                grouped(hidden)
            ));
        }
        let undisputed = self.undisputed.iter();
        lines.extend(undisputed.map(|why| format!("✗ not all that can be disputed is: {why}")));
        lines.push(match (self.holds, self.untold()) {
            (true, None) => {
                let does = match self.batches.pending {
                    0 => "paid what follows",
                    _ => "pays what follows once its batches are final",
                };
                format!("✓ the job holds: its log keeps the rules, and the chain {does}")
            }
            (true, Some(untold)) => format!(
                "– what is told of the job holds, and not all is told: {untold}; audit it again before their window is over"
            ),
            (false, _) => format!(
                "✗ the job does NOT hold, differences: {}",
                self.difference_count
            ),
        });
        lines.join("\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
