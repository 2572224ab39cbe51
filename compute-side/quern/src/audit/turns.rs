//! The logs of a job, one of each coordinator that had a turn: who tells them, and what comes of all together.

use super::{
    facts::{Gathered, roots_of},
    group::{GroupOf, base_at, group_of},
    job::{Auditor, KEPT_MAX, OwnersPart},
    logs::{LogSource, Next, NoLogError, Told, longest_copy, own_logs},
    progress::Progress,
};
use quern_dispute_rules::evidence::Leaf;
use quern_joblog::{Entry, SignedBlock};
use quern_light::BlockHash;
use quern_owner::Masternode;
use quern_primitives::{
    JobId, TaskIndex,
    ids::{BatchSequence, Digest},
    job::JobEnd,
    log::SignedAcknowledgement,
};
use quern_recheck::{
    AuditedTurn, Base, Coordinator, Difference, Filing, JobAudit, JobAudited, OnChain, Showing,
    Turn, Turns, Wanted, stands,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

/// Where the logs of a job are looked for.
pub(super) enum LogsFrom {
    /// In these files, and nowhere else.
    Files(Vec<PathBuf>),
    /// At masternodes: first at those that wrote them, then at the others.
    Masternodes,
}

/// One turn of a job, and where its log is read, if anybody has it.
pub(super) struct TurnLog {
    pub(super) turn: Turn,
    pub(super) source: Option<LogSource>,
    /// Whether what is not in it is missing, and not only untold here.
    is_whole: bool,
}

/// What is needed to follow the logs of a job.
pub(super) struct Following<'a> {
    pub(super) job: JobId,
    pub(super) turns: Vec<TurnLog>,
    pub(super) settled: &'a OnChain,
    pub(super) owners: &'a OwnersPart,
    pub(super) words: &'a [SignedAcknowledgement],
    pub(super) verdicts: Vec<(BatchSequence, Leaf)>,
    pub(super) watched: BTreeSet<TaskIndex>,
}

/// Other engines than this program's, and how many replicas were given for each.
pub(super) type Elsewhere = BTreeMap<Digest, u64>;

/// A difference, with the number of the turn in whose log it is, if it is in one.
pub(super) type Found<'a> = (Option<usize>, &'a Difference);

impl Auditor<'_> {
    /// The turns of a job by the state after a block, with their logs. It is an error if there is none.
    pub(super) async fn logs(
        &self,
        job: JobId,
        at: BlockHash,
        settled: &OnChain,
        from: &LogsFrom,
    ) -> anyhow::Result<Vec<TurnLog>> {
        let group = group_of(&self.proven, at, &job, settled).await?;
        let logs = match from {
            LogsFrom::Files(files) => in_files(files, job, &group, self).await?,
            LogsFrom::Masternodes => self.at_masternodes(job, &group, settled).await?,
        };
        Ok(logs)
    }

    async fn at_masternodes(
        &self,
        job: JobId,
        group: &GroupOf,
        settled: &OnChain,
    ) -> anyhow::Result<Vec<TurnLog>> {
        let reached: &[Arc<Masternode>] = self.reached().await?;
        let (own, last_error) = own_logs(reached, job).await;
        let mut logs = Vec::new();
        let turns = turns_or(group, own.first())?;
        let all = turns.iter().count();
        for (number, turn) in (1..).zip(turns.iter()) {
            let is_last = number == all;
            let node = turn.coordinator.node;
            let mut of_turn: Vec<_> = own
                .iter()
                .filter(|it| it.is_by(&node, &self.genesis))
                .collect();
            of_turn.sort_by_key(|told| told.total);
            let written = of_turn.last().map(|told| (told.source.clone(), told.total));
            let copy = match (&written, group.place_of(&turn.coordinator.account)) {
                (Some((_, total)), _) if tells_enough(settled, (turn, is_last), *total) => None,
                (_, Some(place)) => longest_copy(reached, job, (place, node), &self.genesis).await,
                (_, None) => None,
            };
            let most = written.as_ref().map_or(0, |(_, total)| *total);
            let copy = copy.filter(|copy| copy.total > most);
            let source = copy.map(|copy| copy.source);
            let source = source.or(written.map(|(source, _)| source));
            logs.push(TurnLog::new(turn, source));
        }
        finish(logs, || {
            let asked = reached.len();
            let nowhere = NoLogError::Nowhere { job, asked };
            match last_error {
                Some(error) => anyhow::Error::from(error).context(nowhere),
                None => nowhere.into(),
            }
        })
    }

    /// Follows all logs to their ends.
    pub(super) async fn follow(
        &self,
        following: &Following<'_>,
        progress: &Progress,
    ) -> anyhow::Result<(JobAudited, Elsewhere)> {
        let mut turns = Vec::new();
        let mut elsewhere = Elsewhere::new();
        for of_turn in &following.turns {
            let turn = of_turn.turn.clone();
            let log = match &of_turn.source {
                Some(source) => {
                    let followed = self.follow_one(following, of_turn, source, progress);
                    let (base, audited, given) = followed.await?;
                    for (engine, replicas) in given {
                        let sum = elsewhere.entry(engine).or_default();
                        *sum = sum.saturating_add(replicas);
                    }
                    Some((base, audited))
                }
                None => None,
            };
            turns.push(AuditedTurn { turn, log });
        }
        let knows_roots = following.owners.manifest.is_some();
        let audited = JobAudited::of(following.settled, knows_roots, turns);
        Ok((audited, elsewhere))
    }

    async fn follow_one(
        &self,
        following: &Following<'_>,
        of_turn: &TurnLog,
        source: &LogSource,
        progress: &Progress,
    ) -> anyhow::Result<(Base, quern_recheck::Audited, Elsewhere)> {
        let (settled, owners) = (following.settled, following.owners);
        let newest = self.proven.newest().await?.number;
        let mut facts = Gathered::new(self.genesis, following.job, settled.job.clone(), newest);
        if let (Some(manifest), Some(key)) = (&owners.manifest, &owners.key) {
            facts = facts.of_owner(manifest.clone(), key.clone());
        }
        let mut reader = source.open(self.genesis, following.job)?;
        let mut next = reader.next().await?;
        let base = self.base(following.job, &of_turn.turn, &next).await?;
        let roots = owners.manifest.as_ref().map(roots_of);
        let writer = of_turn.turn.coordinator.node;
        let audit = JobAudit::new(facts.clone(), settled.clone(), roots, writer)?;
        let audit = audit.of_turn(&of_turn.turn, &base);
        let audit = audit.watching(following.watched.clone());
        let audit = audit.expecting(following.words.iter().cloned());
        let mut audit = audit.comparing(following.verdicts.iter().cloned());
        audit = match source {
            _ if !of_turn.is_whole => audit.as_far_as_told(),
            LogSource::File(_) => audit,
            LogSource::Masternode(_) | LogSource::Copy(..) => audit.heard(),
        };
        if let Some(seed) = owners.trust_seed {
            audit = audit.with_trust_seed(seed);
        }
        loop {
            match next {
                Next::Block(block) => {
                    facts.look_at_engine(&block);
                    facts.gather(&self.proven, &Wanted::by(&block)).await?;
                    audit.take(&block);
                    progress.block();
                }
                Next::Broken(fault) => audit.broken(fault),
                Next::End => break,
            }
            if audit.is_cut() {
                break;
            }
            next = reader.next().await?;
        }
        Ok((base, audit.finish(), facts.elsewhere()))
    }

    /// What the chain had settled when the log began, at the height that its first entry names.
    async fn base(&self, job: JobId, turn: &Turn, first: &Next) -> anyhow::Result<Base> {
        let opened = match first {
            Next::Block(block) => opened_by(block),
            Next::Broken(_) | Next::End => None,
        };
        let base = match opened {
            Some((_, at)) if turn.first > 0 => base_at(&self.proven, at, &job).await?,
            // Nothing was settled before.
            _ => None,
        };
        Ok(base.unwrap_or_else(|| Base {
            first: turn.first,
            ..Base::default()
        }))
    }

    /// For each difference what the chain would be shown, or why it would not. The logs are read again for
    /// it, each for those that are in it: nothing is shown of a batch but what its own coordinator signed.
    pub(super) async fn filings(
        &self,
        following: &Following<'_>,
        differences: &[Found<'_>],
        roots: &[Digest],
    ) -> anyhow::Result<Vec<Filing>> {
        let some = differences.iter().take(KEPT_MAX);
        let mut showings: Vec<_> = some
            .map(|(number, difference)| {
                let turn = number.and_then(|number| following.turns.get(number));
                let showing = match turn {
                    Some(TurnLog { turn, .. }) => {
                        let own = following.settled.of_turn(turn);
                        let showing = Showing::of(following.job, difference, &own);
                        showing.map(|it| it.signed_by(turn.coordinator.node, self.genesis))
                    }
                    None => Showing::of(following.job, difference, following.settled),
                };
                (*number, showing)
            })
            .collect();
        for (number, of_turn) in following.turns.iter().enumerate() {
            let own = |of: &Option<usize>| *of == Some(number);
            let Some(source) = &of_turn.source else {
                continue;
            };
            if !showings
                .iter()
                .any(|(of, showing)| own(of) && showing.is_ok())
            {
                continue;
            }
            let mut reader = source.open(self.genesis, following.job)?;
            while let Next::Block(block) = reader.next().await? {
                let shown = showings.iter_mut().filter(|(of, _)| own(of));
                shown
                    .filter_map(|(_, showing)| showing.as_mut().ok())
                    .for_each(|showing| showing.take(&block));
            }
        }
        let filings = showings.into_iter().map(|(_, showing)| match showing {
            Ok(showing) => showing.filing(roots),
            Err(why) => Filing::Cannot(why),
        });
        Ok(filings.collect())
    }
}

impl TurnLog {
    fn new(turn: &Turn, source: Option<LogSource>) -> Self {
        Self {
            turn: turn.clone(),
            is_whole: source.as_ref().is_some_and(LogSource::is_whole),
            source,
        }
    }
}

/// All differences of a job, in the order in which they are told.
pub(super) fn differences(audited: &JobAudited) -> Vec<Found<'_>> {
    let of_turns = audited.turns.iter().enumerate().flat_map(|(number, it)| {
        let log = it.log.iter();
        let found = log.flat_map(|(_, audited)| &audited.differences);
        found.map(move |difference| (Some(number), difference))
    });
    let whole = audited.differences.iter().map(|it| (None, it));
    of_turns.chain(whole).collect()
}

/// The logs in files, each by whose it is. Of a job that one masternode alone coordinated a file is that one's
/// log, whatever stands in it.
async fn in_files(
    files: &[PathBuf],
    job: JobId,
    group: &GroupOf,
    auditor: &Auditor<'_>,
) -> anyhow::Result<Vec<TurnLog>> {
    let mut told = Vec::new();
    for path in files {
        let source = LogSource::File(path.clone());
        let first = match source.open(auditor.genesis, job)?.next().await? {
            Next::Block(block) => Some(block),
            Next::Broken(_) | Next::End => None,
        };
        told.push((path, source, first));
    }
    let first = told.iter().find_map(|(_, _, first)| first.as_deref());
    let turns = turns_of(group, first)?;
    let is_only = turns.iter().count() == 1 && told.len() == 1;
    let mut logs: Vec<_> = turns.iter().map(|turn| TurnLog::new(turn, None)).collect();
    for (path, source, first) in told {
        let is_by = |log: &&mut TurnLog| {
            let node = &log.turn.coordinator.node;
            let first = first.as_ref();
            first.is_some_and(|block| block.header.is_signed_by(node, &auditor.genesis))
        };
        let log = logs.iter_mut().find(|log| is_only || is_by(log));
        let nobodys = || NoLogError::Nobodys {
            path: path.clone(),
            job,
        };
        let log = log.ok_or_else(nobodys)?;
        *log = TurnLog::new(&log.turn.clone(), Some(source));
    }
    finish(logs, || NoLogError::Nowhere { job, asked: 0 }.into())
}

/// The logs, unless there is none at all. What a coordinator of before lacks may be with others.
fn finish(
    mut logs: Vec<TurnLog>,
    nowhere: impl FnOnce() -> anyhow::Error,
) -> anyhow::Result<Vec<TurnLog>> {
    if logs.iter().all(|log| log.source.is_none()) {
        return Err(nowhere());
    }
    let before = logs.len().saturating_sub(1);
    logs.iter_mut()
        .take(before)
        .for_each(|log| log.is_whole = false);
    Ok(logs)
}

/// Whether who wrote a log of so many blocks need not be helped out by others: it tells of all batches of its turn
/// that were not struck, or the job goes on and it is its turn now, and then nobody tells all.
fn tells_enough(settled: &OnChain, (turn, is_last): (&Turn, bool), blocks: u64) -> bool {
    let state = &settled.job.state;
    if (state.goes_on() && is_last) || state.end() == Some(JobEnd::BatchStruck) {
        return true;
    }
    let own = settled.batches.range(turn.first..turn.end);
    let standing = own.filter(|(_, record)| stands(record));
    let last = standing.map(|(_, record)| record.block).max();
    last.is_none_or(|last| last < blocks)
}

fn turns_or(group: &GroupOf, told: Option<&Told>) -> anyhow::Result<Turns> {
    turns_of(group, told.map(|told| &*told.first))
}

/// The turns that the chain names. Of a job that is over and of which nothing was settled it names none; then
/// whoever says that the log is its own is held to what the chain said then.
fn turns_of(group: &GroupOf, first: Option<&SignedBlock>) -> anyhow::Result<Turns> {
    if group.turns.iter().next().is_some() {
        return Ok(group.turns.clone());
    }
    let claimed = first.and_then(opened_by);
    Ok(Turns::of([], claimed.map(|(coordinator, _)| coordinator))?)
}

/// Who says of itself that it writes a log from this block on, and the height that it names.
fn opened_by(block: &SignedBlock) -> Option<(Coordinator, quern_primitives::BlockNumber)> {
    match block.entries.first()? {
        Entry::Opened {
            coordinator,
            node,
            at,
        } => {
            let (account, node) = (coordinator.clone(), *node);
            Some((Coordinator { account, node }, *at))
        }
        _ => None,
    }
}
