//! `quern audit job`: one job, from its log to what the chain paid.

use super::{
    again::{Amount, Computed, NotHereError, Own},
    facts::{on_chain, roots_of},
    progress::Progress,
    receipts::GivenReceipts,
    report::{Findings, JobReport, Log},
    turns::{Elsewhere, Following, Found, LogsFrom, differences},
};
use crate::{
    context::Context,
    job::JobName,
    masternodes::MasternodeArgs,
    output::{count_bar, patiently},
    units::counted,
    verify::proof::shown_by,
};
use anyhow::Context as _;
use clap::Args;
use quern_ledger::{Chain, Proven};
use quern_light::{Header, Trust};
use quern_owner::{JobFolder, Masternode};
use quern_primitives::{
    GenesisHash, JobId, TaskIndex, ids::Digest, job::Agreement, log::SignedAcknowledgement,
    receipt::Answer,
};
use quern_recheck::{AuditedTurn, Inputs, JobAudited, OnChain, Turn};
use quern_shards::{keys::JobKey, manifest::ValidatedManifest};
use quern_worker::acknowledgements;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};
use tokio::sync::OnceCell;

/// Differences that are kept, and of which it is looked up what the chain would be shown.
pub(super) const KEPT_MAX: usize = 64;

/// What is audited, and how.
#[derive(Args, Debug)]
pub(crate) struct JobArgs {
    #[command(flatten)]
    name: JobName,
    /// Read a log of the job from this file [default: from the masternodes that wrote it, or have a copy]. A
    /// job that was taken over has one of each of its coordinators: give it several times
    #[arg(long, value_name = "FILE", conflicts_with = "masternode")]
    log: Vec<PathBuf>,
    /// The folder of the job's sealed shards, if they are not in the job's own; `quern job submit
    /// --keep-shards` keeps them there
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
    /// The seed from which it was drawn which devices of an adaptive job are believed alone, as its owner
    /// gives it (`quern job show JOB --trust-seed`)
    #[arg(long, value_name = "HEX")]
    trust_seed: Option<Digest>,
    /// The file in which a worker keeps what masternodes acknowledged, `acknowledgements` in its data
    /// folder: what it has of the job is looked for in the verdicts. May be given several times
    #[arg(long, value_name = "FILE")]
    words: Vec<PathBuf>,
    /// A receipt of the job, as `quern job receipts` saves it: the verdict in it is compared with that of the
    /// log. May be given several times
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
    #[command(flatten)]
    how: HowArgs,
}

/// What holds for one job and for many.
#[derive(Args, Clone, Debug)]
pub(crate) struct HowArgs {
    #[command(flatten)]
    masternode: MasternodeArgs,
    /// The hash of the chain's first block, from wherever you trust it [default: as the node says]
    #[arg(long, value_name = "HEX")]
    genesis: Option<GenesisHash>,
    /// Compute so many of a job's tasks again, drawn by chance: a number, or a percentage as 5%. Only the
    /// job's owner can, who has its key and its sealed shards [default: 3 if these are here, else 0]
    #[arg(long, value_name = "COUNT|PERCENT%")]
    re_execute: Option<Amount>,
    /// Write what can be disputed into this folder, a file for each dispute
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// Dispute at once what can be disputed; each takes the bond of a dispute from --account, which is
    /// lost if nothing is wrong
    #[arg(long)]
    file_disputes: bool,
}

/// Who audits, and by what.
pub(super) struct Auditor<'a> {
    pub(super) context: &'a Context,
    pub(super) chain: Chain,
    pub(super) proven: Proven,
    pub(super) genesis: GenesisHash,
    how: HowArgs,
    /// Those that can be reached, once they were asked.
    masternodes: OnceCell<Vec<Arc<Masternode>>>,
}

/// What only a job's owner has of it.
#[derive(Default)]
pub(super) struct OwnersPart {
    folder: Option<JobFolder>,
    pub(super) manifest: Option<ValidatedManifest>,
    pub(super) key: Option<JobKey>,
    pub(super) trust_seed: Option<[u8; 32]>,
    /// Why what is here cannot be used, if something is.
    unusable: Option<String>,
}

/// What is given beside the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// Where the sealed shards are, if they are not in the job's folder.
    shards: Option<PathBuf>,
    /// Whether it is one of many jobs. Of these most are other owners', so what cannot be done for one is
    /// said, and is no failure.
    is_of_many: bool,
    trust_seed: Option<[u8; 32]>,
    /// What masternodes acknowledged of the job.
    words: Vec<SignedAcknowledgement>,
    /// Receipts of the job.
    receipts: GivenReceipts,
}

impl Given {
    /// What is given for one of many jobs.
    pub(super) fn of_many(shards: Option<PathBuf>) -> Self {
        Self {
            shards,
            is_of_many: true,
            ..Self::default()
        }
    }
}

/// Audits a job; fails if anything differs.
pub(super) async fn run(context: &Context, args: &JobArgs) -> anyhow::Result<ExitCode> {
    let job = context.job(args.name.text())?;
    let auditor = Auditor::new(context, &args.how).await?;
    let newest = patiently("asking the chain for proofs", auditor.proven.newest()).await?;
    let given = Given {
        shards: args.shards.clone(),
        is_of_many: false,
        trust_seed: args.trust_seed.map(|seed| seed.0),
        words: words_of(&args.words, job)?,
        receipts: GivenReceipts::read(&args.receipt, job)?,
    };
    let from = match args.log.is_empty() {
        false => LogsFrom::Files(args.log.clone()),
        true => LogsFrom::Masternodes,
    };
    let bar = count_bar("blocks");
    let progress = Progress::of_job(&bar);
    let report = auditor.audit(job, &newest, &from, &given, &progress);
    let report = report.await;
    bar.finish_and_clear();
    let report = report?;
    context.show(&report)?;
    Ok(report.exit_code())
}

impl<'a> Auditor<'a> {
    pub(super) async fn new(context: &'a Context, how: &HowArgs) -> anyhow::Result<Self> {
        let chain = context.chain().await?;
        let genesis = how.genesis.unwrap_or_else(|| chain.genesis());
        let trusted = Proven::new(chain.clone(), Trust::Genesis(genesis));
        let proven = patiently("asking the chain for proofs", trusted).await?;
        Ok(Self {
            context,
            chain,
            proven,
            genesis,
            how: how.clone(),
            masternodes: OnceCell::new(),
        })
    }

    /// The masternodes that can be reached. That the node names them is no matter: what they send is held to
    /// what is proven.
    pub(super) async fn reached(&self) -> anyhow::Result<&[Arc<Masternode>]> {
        let reached = self.masternodes.get_or_try_init(|| async {
            let state = self.chain.at_finalised().await?;
            let reached = self.how.masternode.reach_by(&state).await?.reached;
            anyhow::Ok(reached.into_iter().map(Arc::new).collect())
        });
        Ok(reached.await?)
    }

    /// Audits one job by the state after a block and by its logs.
    pub(super) async fn audit(
        &self,
        job: JobId,
        at: &Header,
        from: &LogsFrom,
        given: &Given,
        progress: &Progress,
    ) -> anyhow::Result<JobReport> {
        let settled = on_chain(&self.proven, at.hash(), &job).await?;
        let mut findings = Findings::default();
        let mut owners = self.owners_part(job, &settled, &mut findings);
        owners.trust_seed = owners.trust_seed.or(given.trust_seed);
        let own = self.own(&owners, given, &mut findings)?;
        let watched = match &own {
            Some(_) => {
                let amount = self.how.re_execute.unwrap_or_default();
                amount.draw(settled.job.submission.tasks, rand::random)
            }
            None => BTreeSet::new(),
        };
        let logs = self.logs(job, at.hash(), &settled, from);
        let following = Following {
            job,
            turns: patiently("asking the masternodes", logs).await?,
            settled: &settled,
            owners: &owners,
            words: &given.words,
            verdicts: given.receipts.settled(&settled)?,
            watched,
        };
        let (audited, elsewhere) = self.follow(&following, progress).await?;
        findings.of_engines(&elsewhere);
        let knows_trust = owners.trust_seed.is_some();
        findings.of(&audited, settled.job.submission.agreement, knows_trust);
        let mut recomputed = Vec::new();
        if own.is_some() && !elsewhere.is_empty() {
            let why = "devices had another engine than this program";
            anyhow::ensure!(
                !self.must_re_execute(given),
                "no task can be computed again here: {why}"
            );
            findings.not_re_executed.push(why.into());
        } else if let Some(own) = own {
            let computed = Computed::of(own, &answers(&audited), progress).await;
            match computed.failed {
                Some(error) if self.must_re_execute(given) => return Err(error),
                Some(error) => findings.not_re_executed.push(format!("{error:#}")),
                None => {}
            }
            findings.re_executed = computed.tasks;
            findings.not_re_executed.extend(computed.left_out);
            recomputed = computed.differences;
        }
        let roots = match &owners.manifest {
            Some(manifest) => roots_of(manifest),
            None => audited.roots.clone(),
        };
        let mut found: Vec<Found<'_>> = differences(&audited);
        found.extend(recomputed.iter().map(|it| (None, it)));
        let filings = self.filings(&following, &found, &roots).await?;
        let mut report = JobReport::new(
            job,
            shown_by(&self.proven, at).await,
            self.genesis,
            &settled,
            logs_of(&following, &audited),
            findings,
        );
        for ((number, difference), filing) in found.iter().zip(filings) {
            let turn = number.and_then(|number| audited.turns.get(number));
            match turn {
                Some(it) => report.tell(difference, &settled.of_turn(&it.turn), &filing),
                None => report.tell(difference, &settled, &filing),
            }
        }
        report.difference_count = found.len() as u64;
        report.ask_court(&self.chain).await;
        if let Some(folder) = &self.how.evidence {
            report.write_evidence(folder)?;
        }
        if self.how.file_disputes {
            let filed = report.file(self.context, &self.chain).await;
            match filed {
                // What was found is worth more than what came of showing it.
                Err(error) if given.is_of_many => report.could_not_dispute(&error),
                filed => filed?,
            }
        }
        Ok(report)
    }

    /// What this machine has of the job, if its owner submitted it from here.
    fn owners_part(&self, job: JobId, settled: &OnChain, findings: &mut Findings) -> OwnersPart {
        let Ok(folder) = self.context.job_folder(job) else {
            return OwnersPart::default();
        };
        let read = || {
            let manifest = folder.manifest(self.genesis)?;
            anyhow::Ok((manifest, folder.key()?))
        };
        let why = match read() {
            // A folder of another submission of this name there is none; one that was changed may be.
            Ok((manifest, key)) if is_of(&manifest, settled) => {
                return OwnersPart {
                    folder: Some(folder),
                    manifest: Some(manifest),
                    trust_seed: Some(*key.trust_seed(&job).expose()),
                    key: Some(key),
                    unusable: None,
                };
            }
            Ok(_) => "is not that of the job".to_owned(),
            Err(error) => format!("cannot be used: {error:#}"),
        };
        let why = format!("the manifest in {} {why}", folder.path().display());
        let what = format!("what the job's owner could look at: {why}");
        findings.left_out.push(what);
        OwnersPart {
            unusable: Some(why),
            ..OwnersPart::default()
        }
    }

    /// Whether tasks are computed again where that is possible.
    pub(super) fn re_executes(&self) -> bool {
        !self.how.re_execute.is_some_and(Amount::is_nothing)
    }

    /// Whether it is an error that tasks cannot be computed again: somebody asked for it, of this very job.
    fn must_re_execute(&self, given: &Given) -> bool {
        !given.is_of_many && self.how.re_execute.is_some()
    }

    /// What is needed to compute tasks again; none if nobody wants it, or nobody can. It is an error if it
    /// has to be done and cannot be.
    fn own(
        &self,
        owners: &OwnersPart,
        given: &Given,
        findings: &mut Findings,
    ) -> anyhow::Result<Option<Own>> {
        if !self.re_executes() {
            return Ok(None);
        }
        let own = match (&owners.folder, &owners.manifest, &owners.unusable) {
            (Some(folder), Some(manifest), _) => {
                Own::of(folder, manifest.clone(), given.shards.as_deref())
            }
            (_, _, Some(why)) => Err(NotHereError::Unusable { why: why.clone() }),
            _ => Err(NotHereError::Key),
        };
        let why_not = match own {
            Ok(own) => return Ok(Some(own)),
            Err(why_not) => anyhow::Error::from(why_not),
        };
        if self.must_re_execute(given) {
            return Err(why_not.context("no task can be computed again here"));
        }
        findings.not_re_executed.push(format!("{why_not:#}"));
        Ok(None)
    }
}

/// The accepted answers of the tasks that are computed again, as the last log has them that has one.
fn answers(audited: &JobAudited) -> BTreeMap<TaskIndex, Answer> {
    let logs = audited.turns.iter().filter_map(|it| it.log.as_ref());
    let answers = logs.flat_map(|(_, audited)| &audited.answers);
    answers.map(|(task, answer)| (*task, *answer)).collect()
}

/// The logs as they were read.
fn logs_of(following: &Following<'_>, audited: &JobAudited) -> Vec<Log> {
    let turns = following.turns.iter().zip(&audited.turns);
    let log = turns.filter_map(|(from, it)| {
        let (_, audited) = it.log.as_ref()?;
        Some(Log {
            coordinator: it.turn.coordinator.account.clone(),
            from: from.source.as_ref()?.words(),
            blocks: audited.blocks,
            entries: audited.entries,
            verdicts: audited.verdicts,
            given_in: audited.given_in.clone(),
        })
    });
    log.collect()
}

/// What of a turn's log could not be looked at.
fn not_all_of(audited: &AuditedTurn) -> Option<String> {
    let Turn {
        coordinator,
        first,
        end,
    } = &audited.turn;
    let account = &coordinator.account;
    match &audited.log {
        Some((_, log)) if log.is_whole => None,
        Some(_) => Some(format!(
            "what stands in the log of {account} behind the entry that breaks a rule, but for what the chain settled of it"
        )),
        None if first < end => Some(format!(
            "the log of {account}, which settled batches {first} to {}: nobody has it who was asked",
            end.saturating_sub(1)
        )),
        None => Some(format!(
            "the log of {account}, which has settled nothing: nobody has it who was asked"
        )),
    }
}

/// What is kept in these files of the work on a job.
fn words_of(files: &[PathBuf], job: JobId) -> anyhow::Result<Vec<SignedAcknowledgement>> {
    let mut words = Vec::new();
    for file in files {
        let kept = acknowledgements::read(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let kept = kept.into_iter().map(|kept| kept.word);
        words.extend(kept.filter(|word| word.payload.job == job));
    }
    Ok(words)
}

/// Whether a manifest is that of a job on the chain.
fn is_of(manifest: &ValidatedManifest, settled: &OnChain) -> bool {
    let submission = &settled.job.submission;
    manifest.program() == submission.program && manifest.tasks() == submission.tasks
}

impl Findings {
    /// What could not be looked at because devices had another engine than this program.
    pub(super) fn of_engines(&mut self, elsewhere: &Elsewhere) {
        for (engine, replicas) in elsewhere {
            self.left_out.push(format!(
                "whether {engine} was the grid's engine when {} {} given for it: this program has another; the \
                 version of quern that has it computes as the devices did",
                counted(*replicas, "replica"),
                if *replicas == 1 { "was" } else { "were" },
            ));
        }
    }

    /// What could not be looked at, by what came of the audit.
    fn of(&mut self, audited: &JobAudited, agreement: Agreement, knows_trust: bool) {
        self.untold.clone_from(&audited.untold);
        // Of what a coordinator of before did not settle nothing will come.
        let last = audited.turns.last().and_then(|it| it.log.as_ref());
        if let Some((_, log)) = last {
            self.unsettled.clone_from(&log.unsettled);
        }
        self.left_out
            .extend(audited.turns.iter().filter_map(not_all_of));
        let logs = audited.turns.iter().filter_map(|it| it.log.as_ref());
        let untold = logs.fold(0u64, |sum, (_, log)| sum.saturating_add(log.lanes_untold));
        if untold > 0 {
            self.left_out.push(format!(
                "whether the devices of {} are of the lane that the log says: the node does not have what the \
                 job's lanes follow from; ask one that keeps the state of all blocks, with --node",
                counted(untold, "replica")
            ));
        }
        if audited.inputs == Inputs::Unknown {
            self.left_out.push(
                "whether devices read the job's shards: some tasks have no receipt, and the manifest is its owner's"
                    .into(),
            );
        }
        if agreement == Agreement::Adaptive && !knows_trust {
            self.left_out.push(
                "whether devices that were believed alone were drawn for that: the seed is the owner's"
                    .into(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{AccountId, ids::NodeKey};
    use quern_recheck::{Audited, Base, Coordinator};
    use std::collections::BTreeMap;

    fn turn(number: u8, first: u32, end: u32) -> Turn {
        Turn {
            coordinator: Coordinator {
                account: AccountId::new([number; 32]),
                node: NodeKey([number; 32]),
            },
            first,
            end,
        }
    }

    #[test]
    fn a_log_that_nobody_has_is_said_to_be_missing_and_its_batches_to_be_untold() {
        let turns = [turn(1, 0, 2), turn(2, 2, 2)].map(|turn| AuditedTurn { turn, log: None });
        let audited = JobAudited {
            turns: turns.to_vec(),
            differences: vec![],
            untold: vec![0, 1],
            inputs: Inputs::Manifest,
            roots: vec![],
        };
        let mut findings = Findings::default();
        findings.of(&audited, Agreement::Unanimous, true);
        assert_eq!(findings.untold, [0, 1]);
        let said = findings.left_out.join("; ");
        assert!(
            said.contains("settled batches 0 to 1: nobody has it"),
            "{said}"
        );
        assert!(said.contains("which has settled nothing"), "{said}");
    }

    #[test]
    fn replicas_that_could_not_be_held_to_their_lanes_are_counted_over_all_logs() {
        let log = |lanes_untold| Audited {
            differences: vec![],
            blocks: 1,
            entries: 1,
            verdicts: 0,
            given_in: BTreeMap::new(),
            lanes_untold,
            batches: 0,
            unsettled: vec![],
            untold: vec![],
            is_whole: true,
            inputs: Inputs::Manifest,
            roots: vec![],
            answers: BTreeMap::new(),
            named_inputs: BTreeMap::new(),
            settled: BTreeMap::new(),
        };
        let said = |untold: [u64; 2]| {
            let turns = [turn(1, 0, 0), turn(2, 0, 0)].into_iter().zip(untold);
            let turns = turns.map(|(turn, untold)| AuditedTurn {
                turn,
                log: Some((Base::default(), log(untold))),
            });
            let audited = JobAudited {
                turns: turns.collect(),
                differences: vec![],
                untold: vec![],
                inputs: Inputs::Manifest,
                roots: vec![],
            };
            let mut findings = Findings::default();
            findings.of(&audited, Agreement::Unanimous, true);
            findings.left_out
        };
        assert_eq!(said([0, 0]), [] as [String; 0]);
        let told = said([3, 4]);
        assert_eq!(told.len(), 1, "one sentence for both logs: {told:?}");
        assert!(
            told[0].starts_with("whether the devices of 7 replicas"),
            "{told:?}"
        );
    }
}
