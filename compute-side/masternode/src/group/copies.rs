//! Logs of jobs as they are on this masternode's disk, read block by block.

use crate::store::{Store, StoreError};
use quern_joblog::SignedBlock;
use quern_jobs_api::LOG_PAGE_BYTES_MAX;
use quern_primitives::{Digest, GenesisHash, JobId};

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
    read_from(store, job, writer, 0, take).map(drop)
}

/// The same from a block on. Gives which one comes behind the last that was read.
pub(super) fn read_from(
    store: &Store,
    job: JobId,
    writer: Writer,
    first: u64,
    mut take: impl FnMut(&SignedBlock) -> bool,
) -> Result<u64, StoreError> {
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
    let mut next = first;
    loop {
        let blocks = page(next)?;
        if blocks.is_empty() {
            return Ok(next);
        }
        for bytes in blocks {
            next = next.saturating_add(1);
            if let Ok(block) = SignedBlock::read(&bytes)
                && !take(&block)
            {
                return Ok(next);
            }
        }
    }
}

/// Whose log, of those of a group of so many, has the block at this place with this hash.
pub(super) fn writer_of_head(
    store: &Store,
    genesis: &GenesisHash,
    (job, members): (JobId, u8),
    (index, head): (u64, Digest),
) -> Result<Option<Writer>, StoreError> {
    let writers = (0..members).map(Writer::Member);
    for writer in [Writer::Own].into_iter().chain(writers) {
        let mut is_it = false;
        read_from(store, job, writer, index, |block| {
            let header = &block.header.payload;
            is_it = header.index == index && header.hash(genesis) == head;
            false
        })?;
        if is_it {
            return Ok(Some(writer));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_joblog::{Entry, LogBuilder};
    use quern_primitives::payload::NodeSecret;

    const HERE: GenesisHash = GenesisHash([1; 32]);
    const JOB: JobId = JobId([2; 32]);

    /// Two blocks that a masternode writes, and what the second one is named by.
    fn log(by: u8) -> (Vec<Vec<u8>>, (u64, Digest)) {
        let mut log = LogBuilder::new(HERE, JOB, NodeSecret::from_seed(&[by; 32]));
        let mut blocks = Vec::new();
        for first in [u32::from(by), 1] {
            log.append(Entry::Queued { first, tasks: 1 }, 1).unwrap();
            blocks.push(log.cut(1).unwrap());
        }
        let head = blocks[1].header.payload.hash(&HERE);
        (
            blocks.iter().map(SignedBlock::to_bytes).collect(),
            (1, head),
        )
    }

    #[test]
    fn the_log_that_a_batch_rests_on_is_found_among_the_copies_by_its_last_block() {
        let folder = tempfile::tempdir().unwrap();
        let own = NodeSecret::from_seed(&[9; 32]);
        let store = Store::open(folder.path(), HERE, own, |_| {}, |_| {}).unwrap();
        let ((first, first_head), (second, second_head)) = (log(3), log(4));
        store.follow((JOB, 0), 0, &first).unwrap();
        store.follow((JOB, 2), 0, &second).unwrap();
        let found = |head| writer_of_head(&store, &HERE, (JOB, 3), head).unwrap();
        assert_eq!(found(first_head), Some(Writer::Member(0)));
        assert_eq!(found(second_head), Some(Writer::Member(2)));
        assert_eq!(found((0, second_head.1)), None, "it is another block");
        assert_eq!(found(log(5).1), None, "nobody wrote it");
    }
}
