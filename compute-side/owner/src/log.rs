//! The log of a job, fetched from a masternode.

use crate::coordinator::ApiFailure;
use jsonrpsee::ws_client::WsClient;
use quern_joblog::{LogFault, SignedBlock};
use quern_jobs_api::{JobsApiClient, LOG_PAGE_BLOCKS_MAX, LogPage};
use quern_primitives::JobId;

/// Why a job's log was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchLogError {
    /// The masternode refused or failed.
    #[error(transparent)]
    Api(#[from] ApiFailure),
    /// What it sent are no blocks of the log.
    #[error("the masternode does not send the log that was asked for")]
    Log(#[from] LogFault),
    /// It sent more blocks than one answer may have.
    #[error(
        "the masternode sent {blocks} blocks at once, and {LOG_PAGE_BLOCKS_MAX} are the most; tell the council about it"
    )]
    TooMany {
        /// How many.
        blocks: usize,
    },
}

/// Some blocks of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPart {
    /// They follow each other, from the one that was asked for. None: the log has no more by now.
    pub blocks: Vec<SignedBlock>,
    /// How many blocks the log has, as the masternode says.
    pub total: u64,
}

/// Fetches blocks of a job's log from the one with index `from` on: as many as a masternode sends at
/// once. To have the whole log, ask again behind the last one until none come; then the log is as long
/// as it was at that moment.
///
/// What comes are blocks of this job, with these indices, whose entries are those that their headers
/// name. Who signed them, and whether one follows the other, is [`quern_joblog::Replay`]'s to say, and
/// whether they are right `quern_recheck`'s.
pub async fn fetch_log(
    connection: &WsClient,
    job: JobId,
    from: u64,
) -> Result<LogPart, FetchLogError> {
    let page = connection.log(job, from).await;
    read(page.map_err(ApiFailure::from)?, job, from)
}

/// The same of the copy that a masternode keeps of the log of the member at a place of the job's group. Until
/// the job is over it ends before the first block that speaks of a task which is not settled, so fewer blocks
/// may come than `total` says.
pub async fn fetch_copied_log(
    connection: &WsClient,
    job: JobId,
    place: u8,
    from: u64,
) -> Result<LogPart, FetchLogError> {
    let page = connection.copied_log(job, place, from).await;
    read(page.map_err(ApiFailure::from)?, job, from)
}

/// The blocks of an answer, if they are those that were asked for.
fn read(page: LogPage, job: JobId, from: u64) -> Result<LogPart, FetchLogError> {
    let LogPage { blocks, total } = page;
    if blocks.len() > LOG_PAGE_BLOCKS_MAX {
        return Err(FetchLogError::TooMany {
            blocks: blocks.len(),
        });
    }
    let read = |(expected, bytes): (u64, &[u8])| {
        let block = SignedBlock::read(bytes)?;
        let header = &block.header.payload;
        match header.index {
            _ if header.job != job => Err(LogFault::OtherJob { job: header.job }),
            index if index == expected => Ok(block),
            index => Err(LogFault::Gap { expected, index }),
        }
    };
    let numbered = (from..).zip(blocks.iter().map(|blob| blob.0.as_slice()));
    let blocks = numbered.map(read).collect::<Result<_, LogFault>>()?;
    Ok(LogPart { blocks, total })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use quern_joblog::{Entry, LogBuilder};
    use quern_jobs_api::Blob;
    use quern_primitives::{GenesisHash, payload::NodeSecret};

    const JOB: JobId = JobId([1; 32]);

    fn blocks(job: JobId, count: u32) -> Vec<SignedBlock> {
        let key = NodeSecret::from_seed(&[7; 32]);
        let mut log = LogBuilder::new(GenesisHash([9; 32]), job, key);
        let block = |first| {
            let entry = Entry::Queued { first, tasks: 1 };
            log.append(entry, 5).unwrap();
            log.cut(5).unwrap()
        };
        (0..count).map(block).collect()
    }

    fn page(blocks: &[SignedBlock]) -> LogPage {
        LogPage {
            blocks: blocks.iter().map(|block| Blob(block.to_bytes())).collect(),
            total: 9,
        }
    }

    #[test]
    fn blocks_come_as_they_were_asked_for() {
        let blocks = blocks(JOB, 4);
        let part = read(page(&blocks[1..]), JOB, 1).unwrap();
        assert_eq!(part.blocks, blocks[1..]);
        assert_eq!(part.total, 9);
        assert_eq!(read(page(&[]), JOB, 7).unwrap().blocks, []);
    }

    #[test]
    fn other_blocks_than_those_asked_for_are_refused() {
        let own = blocks(JOB, 3);
        let refused = |page, from| match read(page, JOB, from).unwrap_err() {
            FetchLogError::Log(fault) => fault,
            other => panic!("{other}"),
        };
        let (expected, index) = (1, 0);
        assert_eq!(refused(page(&own), 1), LogFault::Gap { expected, index });
        let with_a_hole = [own[0].clone(), own[2].clone()];
        let (expected, index) = (1, 2);
        assert_eq!(
            refused(page(&with_a_hole), 0),
            LogFault::Gap { expected, index }
        );
        let job = JobId([2; 32]);
        assert_eq!(
            refused(page(&blocks(job, 1)), 0),
            LogFault::OtherJob { job }
        );
        let mut changed = page(&own);
        changed.blocks[1].0.push(0);
        assert_eq!(refused(changed, 0), LogFault::Trailing);
    }

    #[test]
    fn more_blocks_than_an_answer_may_have_are_not_read() {
        let mut many = page(&[]);
        many.blocks = vec![Blob(Vec::new()); LOG_PAGE_BLOCKS_MAX + 1];
        let refused = read(many, JOB, 0).unwrap_err();
        assert!(matches!(refused, FetchLogError::TooMany { blocks: 257 }));
    }
}
