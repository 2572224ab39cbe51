//! Logs of jobs as they are on this masternode's disk, read block by block.

use crate::store::{Store, StoreError};
use quern_joblog::SignedBlock;
use quern_jobs_api::LOG_PAGE_BYTES_MAX;
use quern_primitives::JobId;

/// Blocks that are read at a time.
const BLOCKS_AT_ONCE: usize = 64;

/// Whose log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// This masternode.
    Own,
    /// The member with this place in the job's group, whose log is followed here.
    Member(u8),
}

/// Gives some blocks of a log, from one on.
type Page = dyn Fn(u64) -> Result<Vec<Vec<u8>>, StoreError>;

/// Reads a log from its beginning to its end, or until a block is told of with `false`. A block that cannot be
/// read says nothing.
pub(super) fn read(
    store: &Store,
    job: JobId,
    writer: Writer,
    take: impl FnMut(&SignedBlock) -> bool,
) -> Result<(), StoreError> {
    read_from(store, job, writer, 0, take)
}

/// The same from the block with this index on.
pub(super) fn read_from(
    store: &Store,
    job: JobId,
    writer: Writer,
    from: u64,
    mut take: impl FnMut(&SignedBlock) -> bool,
) -> Result<(), StoreError> {
    let page: Box<Page> = match writer {
        Writer::Own => {
            let log = store.read_log(job)?;
            Box::new(move |next| log.page(next, BLOCKS_AT_ONCE as u64, LOG_PAGE_BYTES_MAX))
        }
        Writer::Member(place) => {
            let copy = store.followed(job, place)?;
            Box::new(move |next| copy.page(next, BLOCKS_AT_ONCE, LOG_PAGE_BYTES_MAX))
        }
    };
    let mut next = from;
    loop {
        let blocks = page(next)?;
        if blocks.is_empty() {
            return Ok(());
        }
        for bytes in blocks {
            next = next.saturating_add(1);
            if let Ok(block) = SignedBlock::read(&bytes)
                && !take(&block)
            {
                return Ok(());
            }
        }
    }
}
