//! Saving a job's log.

use super::JobName;
use crate::{
    context::Context,
    output::{Output, OutputFile, count_bar, fields},
    units::{Size, grouped},
};
use clap::Args;
use quern_joblog::{LogFault, Replay, file, follow};
use quern_jobs_api::ApiError;
use quern_owner::{ApiFailure, Coordinator, FetchLogError, LogPart};
use quern_primitives::{AccountId, Digest, JobId, ids::NodeKey};
use serde::Serialize;
use std::{
    io::{BufWriter, Write as _},
    path::PathBuf,
    time::Duration,
};

/// So often a masternode that is busy is asked again, and how long is waited before each time.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Args, Clone, Debug)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    name: JobName,
    /// Write the log to this file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Why a log is not saved.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum SaveError {
    /// There is nothing of it.
    #[error(
        "the coordinator tells nothing of the log yet: a block is told when all that it speaks of is decided; try again later"
    )]
    Nothing,
    /// What it tells is no log.
    #[error(
        "what the coordinator tells is no log of the job: {0}; keep what it sent, and dispute it"
    )]
    Fault(LogFault),
}

/// A log that was saved.
#[derive(Debug, Serialize)]
struct Saved {
    job: JobId,
    file: PathBuf,
    /// Who told it.
    coordinator: AccountId,
    /// Whose key the last block is signed with.
    signer: NodeKey,
    blocks: u64,
    entries: u64,
    bytes: u64,
    /// The hash of the last block.
    head: Digest,
    /// When that was made, in milliseconds since 1970.
    time_ms: u64,
}

pub(crate) async fn run(context: &Context, args: &LogArgs) -> anyhow::Result<()> {
    let job = context.job(&args.name.job)?;
    let chain = context.chain().await?;
    let coordinator = Coordinator::of(&chain, job).await?;
    let genesis = chain.genesis();
    let (output, mut writer) = OutputFile::create(&args.out)?;
    writer.write_all(&file::head(&genesis, &job))?;
    let mut bytes = file::head(&genesis, &job).len() as u64;
    let bar = count_bar("blocks");
    let (mut replay, mut next) = (None, 0);
    loop {
        let LogPart { blocks, total } = part(&coordinator, next).await?;
        bar.set_length(total);
        if blocks.is_empty() {
            break;
        }
        for block in blocks {
            let framed = file::framed(&block);
            let followed = follow(&mut replay, genesis, job, &block.to_bytes());
            followed.map_err(SaveError::Fault)?;
            bytes += framed.len() as u64;
            writer.write_all(&framed)?;
            next += 1;
        }
        bar.set_position(next);
    }
    bar.finish_and_clear();
    let replay = replay.ok_or(SaveError::Nothing)?;
    let account = coordinator.view().account.clone();
    let file = end(output, writer)?;
    context.show(&Saved::new(
        account,
        &replay,
        file,
        bytes + file::END.len() as u64,
    ))
}

fn end(output: OutputFile, mut writer: BufWriter<std::fs::File>) -> anyhow::Result<PathBuf> {
    writer.write_all(&file::END)?;
    output.keep(writer)
}

/// The next blocks, from a masternode that may be busy.
async fn part(coordinator: &Coordinator, from: u64) -> Result<LogPart, FetchLogError> {
    let mut tries = 0;
    loop {
        match coordinator.log(from).await {
            Err(FetchLogError::Api(ApiFailure::Refused(ApiError::Busy))) if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            part => return part,
        }
    }
}

impl Saved {
    fn new(coordinator: AccountId, replay: &Replay, file: PathBuf, bytes: u64) -> Self {
        Self {
            job: replay.job(),
            file,
            coordinator,
            signer: replay.signer(),
            blocks: replay.next_index(),
            entries: replay.next_position(),
            bytes,
            head: replay.head(),
            time_ms: replay.time_ms(),
        }
    }
}

impl Output for Saved {
    fn people(&self) -> String {
        fields(&[
            ("job", self.job.to_string()),
            ("file", self.file.display().to_string()),
            ("size", Size(self.bytes).to_string()),
            ("told by", self.coordinator.to_string()),
            ("signed by", self.signer.to_string()),
            ("blocks", grouped(self.blocks)),
            ("entries", grouped(self.entries)),
            ("head", self.head.to_string()),
        ])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_joblog::{Entry, LogBuilder};
    use quern_primitives::{GenesisHash, payload::NodeSecret};

    #[test]
    fn what_was_saved_is_told_with_the_head_that_it_reaches() {
        let (genesis, job) = (GenesisHash([1; 32]), JobId([2; 32]));
        let key = NodeSecret::from_seed(&[3; 32]);
        let coordinator = AccountId::new([4; 32]);
        let mut log = LogBuilder::new(genesis, job, key.clone());
        let opened = Entry::Opened {
            coordinator: coordinator.clone(),
            node: key.public(),
            at: 5,
        };
        log.append(opened, 6).unwrap();
        let block = log.cut(6).unwrap();
        let mut replay = None;
        follow(&mut replay, genesis, job, &block.to_bytes()).unwrap();
        let saved = Saved::new(coordinator, &replay.unwrap(), "a.log".into(), 400);
        assert_eq!((saved.blocks, saved.entries, saved.time_ms), (1, 1, 6));
        assert_eq!(saved.head, block.header.payload.hash(&genesis));
        let told = serde_json::to_value(&saved).unwrap();
        assert_eq!(told["bytes"], 400);
        assert!(saved.people().contains("a.log"));
    }
}
