//! What happens on a grid whose parts are killed, as its chain and its logs tell.

use super::{Victim, insisting::PATIENCE, money_adds_up};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, say};
use quern_ledger::{Chain, FinalisedBlock};
use quern_primitives::ids::{JobId, ReplicaId};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Pause between two looks at the logs.
const PAUSE: Duration = Duration::from_millis(40);

/// Looks at the logs for each at the chain.
const LOGS_PER_CHAIN: u64 = 4;

/// How long the validator may take to answer a look before it is taken to be down.
const ANSWER: Duration = Duration::from_secs(2);

/// What a masternode says when it has started.
const READY: &str = "masternode is ready";

/// What a worker says when a masternode lets it in, and when its answer is acknowledged.
const LET_IN: &str = "let in";
const ACKNOWLEDGED: &str = "acknowledged";

/// A task's answer that a worker, counted from zero, was told is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Acknowledged {
    pub(super) worker: usize,
    pub(super) id: ReplicaId,
}

/// What was seen.
pub(super) struct Watch {
    chain: Chain,
    masternode: LogTail,
    workers: Vec<LogTail>,
    /// The answers of which workers were told that they are kept.
    pub(super) acknowledged: BTreeSet<Acknowledged>,
    looks: u64,
    last: Option<FinalisedBlock>,
    /// Finalised blocks that were seen, and how often the last one was gone again.
    blocks: u64,
    forgotten: u64,
    /// How often the masternode was ready, and each worker let in.
    ready: u64,
    let_in: Vec<u64>,
    /// What each part had shown of this when it was killed last.
    killed: Vec<(Victim, u64)>,
}

impl Watch {
    pub(super) fn new(bench: &Bench) -> Self {
        let folder = bench.grid.folder();
        let workers = &bench.grid.workers;
        Self {
            chain: bench.chain.clone(),
            masternode: LogTail::new(&folder.join("masternode.log")),
            workers: workers
                .iter()
                .map(|worker| LogTail::new(worker.part.log()))
                .collect(),
            acknowledged: BTreeSet::new(),
            looks: 0,
            last: None,
            blocks: 0,
            forgotten: 0,
            ready: 0,
            let_in: vec![0; workers.len()],
            killed: Vec::new(),
        }
    }

    /// What was seen, in words.
    pub(super) fn told(&self) -> String {
        format!(
            "{} acknowledged tasks, {} finalised blocks, {} times a killed validator had forgotten some",
            self.acknowledged.len(),
            self.blocks,
            self.forgotten
        )
    }

    /// A part was killed, and is not started again yet.
    pub(super) fn killed(&mut self, victim: Victim) -> anyhow::Result<()> {
        // What it said before is no sign that it is back.
        self.look_at_logs()?;
        let shown = self.shown_by(victim);
        self.killed.retain(|(other, _)| *other != victim);
        self.killed.push((victim, shown));
        Ok(())
    }

    /// How often a part has shown that it works.
    fn shown_by(&self, victim: Victim) -> u64 {
        match victim {
            Victim::Node => self.blocks,
            Victim::Masternode => self.ready,
            Victim::Worker(number) => self.let_in.get(number).copied().unwrap_or(0),
        }
    }

    /// Waits until a part works that was killed before.
    pub(super) async fn until_back(&mut self, victim: Victim) -> anyhow::Result<()> {
        let killed = self.killed.iter().find(|(other, _)| *other == victim);
        let Some((_, shown)) = killed.copied() else {
            return Ok(());
        };
        let is_back = |watch: &Self| watch.shown_by(victim) > shown;
        self.until(&format!("{victim:?} comes back"), is_back).await
    }

    /// Waits until so much more has happened: tasks that were acknowledged, and blocks.
    pub(super) async fn until_more(&mut self, events: u64) -> anyhow::Result<()> {
        let happened = |watch: &Self| watch.blocks + watch.acknowledged.len() as u64;
        let wanted = happened(self) + events;
        let is_more = |watch: &Self| happened(watch) >= wanted;
        self.until("something happens", is_more).await
    }

    /// Looks so many times.
    pub(super) async fn looks(&mut self, times: u64) -> anyhow::Result<()> {
        for _ in 0..times {
            self.look().await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            self.look().await?;
            if is_so(self) {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "in vain it is waited that {what}"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks at what the logs have more, and now and then at the chain. Fails if its money does not add up
    /// in a block that is seen for the first time.
    pub(super) async fn look(&mut self) -> anyhow::Result<()> {
        self.look_at_logs()?;
        self.looks += 1;
        if !self.looks.is_multiple_of(LOGS_PER_CHAIN) {
            return Ok(());
        }
        // One that takes longer is down, or busy.
        let seen = tokio::time::timeout(ANSWER, self.look_at_chain()).await;
        seen.unwrap_or(Ok(()))
    }

    fn look_at_logs(&mut self) -> anyhow::Result<()> {
        for line in self.masternode.more()? {
            self.ready += u64::from(line.contains(READY));
        }
        let logs = self.workers.iter_mut().zip(&mut self.let_in).enumerate();
        for (worker, (log, let_in)) in logs {
            for line in log.more()? {
                // What was written when it was killed may be half a line.
                let Ok(line) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                if line["message"] == LET_IN {
                    *let_in += 1;
                } else if line["message"] == ACKNOWLEDGED {
                    let id = line["id"].as_str().context("no task is named")?;
                    let id = replica(id).with_context(|| format!("{id} is no task"))?;
                    self.acknowledged.insert(Acknowledged { worker, id });
                }
            }
        }
        Ok(())
    }

    async fn look_at_chain(&mut self) -> anyhow::Result<()> {
        let Ok(state) = self.chain.at_finalised().await else {
            return Ok(());
        };
        let block = state.block();
        if self.last == Some(block) {
            return Ok(());
        }
        if money_adds_up(&self.chain).await?.is_none() {
            return Ok(());
        }
        if let Some(last) = self.last.filter(|last| last.number >= block.number) {
            self.forgotten += 1;
            say(&format!(
                "the validator had block {} finalised, and now has {}",
                last.number, block.number
            ));
        }
        self.last = Some(block);
        self.blocks += 1;
        Ok(())
    }
}

/// The task's replica that a log names.
fn replica(text: &str) -> Option<ReplicaId> {
    let field = |name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split([',', ' ', '}']).next()
    };
    Some(ReplicaId {
        job: field("job: ")?.parse::<JobId>().ok()?,
        task: field("task: ")?.parse().ok()?,
        replica: field("replica: ")?.parse().ok()?,
    })
}

/// A log that is read as it grows.
struct LogTail {
    path: PathBuf,
    read: u64,
    /// The beginning of a line whose end is not there.
    begun: Vec<u8>,
}

impl LogTail {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            read: 0,
            begun: Vec::new(),
        }
    }

    /// The lines that were added since the last look.
    fn more(&mut self) -> io::Result<Vec<String>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        self.read += file.read_to_end(&mut self.begun)? as u64;
        let end = self.begun.iter().rposition(|byte| *byte == b'\n');
        let Some(end) = end else {
            return Ok(vec![]);
        };
        let rest = self.begun.split_off(end + 1);
        let lines = std::mem::replace(&mut self.begun, rest);
        let lines = String::from_utf8_lossy(&lines);
        Ok(lines.lines().map(str::to_owned).collect())
    }
}

#[test]
fn a_log_names_the_task_that_was_acknowledged() {
    let id = ReplicaId {
        job: JobId([0xa5; 32]),
        task: 17,
        replica: 2,
    };
    assert_eq!(replica(&format!("{id:?}")), Some(id));
    assert_eq!(
        replica("ReplicaId { job: 0x12, task: 1, replica: 0 }"),
        None
    );
}

#[test]
fn a_log_is_read_line_by_line_as_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, "one\ntw").unwrap();
    let mut log = LogTail::new(&path);
    assert_eq!(log.more().unwrap(), ["one"]);
    std::fs::write(&path, "one\ntwo\n\nfour").unwrap();
    assert_eq!(log.more().unwrap(), ["two", ""]);
    assert!(log.more().unwrap().is_empty());
}
