//! Copies of logs that other masternodes write, and what was certified of them.
//!
//! They are apart from the logs of this masternode: nothing of them is ever taken for its own word. A copy
//! is of one turn of a job's group, because each coordinator writes a log of its own.

use super::{
    Store, StoreError,
    log::{entries_of, entry_in},
};
use crate::{
    core::{Entry, Note, Noted},
    receipts::{Log, Position},
};
use codec::{Decode, DecodeAll, Encode};
use quern_jobs_api::ApiError;
use quern_primitives::{JobId, TaskIndex, ids::BatchSequence, job::Job, log::SignedCertificate};
use quern_recheck::Asking;
use redb::{
    ReadOnlyTable, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction,
};
use std::collections::BTreeSet;

/// Job, place of who writes it in the job's group, and a block's index to the block.
const BLOCKS: TableDefinition<[u8; 41], &[u8]> = TableDefinition::new("followed/2");

/// Job and place to what was settled before that log began.
const BASES: TableDefinition<[u8; 33], &[u8]> = TableDefinition::new("bases/1");

/// Job, place and a batch's number to what this masternode signed for it, or for the job's end in its place.
const CERTIFIED: TableDefinition<[u8; 37], &[u8]> = TableDefinition::new("certified/1");

/// Job, place of who writes the log, and a task to what this masternode saw of a referee being asked about it.
const ASKINGS: TableDefinition<[u8; 37], &[u8]> = TableDefinition::new("askings/1");

/// In the place of a place: of this masternode's own log.
pub(crate) const OWN: u8 = u8::MAX;

/// What was settled before a log began, by those who coordinated the job before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Base {
    /// The number of the first batch that the log can have.
    pub(crate) first: BatchSequence,
    /// The tasks that batches before it have.
    pub(crate) settled: BTreeSet<TaskIndex>,
}

fn block_key(job: JobId, place: u8, index: u64) -> [u8; 41] {
    let mut key = [0; 41];
    key[..32].copy_from_slice(&job.0);
    key[32] = place;
    key[33..].copy_from_slice(&index.to_be_bytes());
    key
}

fn base_key(job: JobId, place: u8) -> [u8; 33] {
    let mut key = [0; 33];
    key[..32].copy_from_slice(&job.0);
    key[32] = place;
    key
}

/// Of a batch, or of a task.
fn batch_key(job: JobId, place: u8, number: u32) -> [u8; 37] {
    let mut key = [0; 37];
    key[..32].copy_from_slice(&job.0);
    key[32] = place;
    key[33..].copy_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn prepare(write: &WriteTransaction) -> Result<(), StoreError> {
    write.open_table(BLOCKS)?;
    write.open_table(BASES)?;
    write.open_table(CERTIFIED)?;
    write.open_table(ASKINGS)?;
    Ok(())
}

/// Forgets all of a job.
pub(super) fn erase(write: &WriteTransaction, job: JobId) -> Result<(), StoreError> {
    let blocks = block_key(job, 0, 0)..=block_key(job, u8::MAX, u64::MAX);
    write.open_table(BLOCKS)?.retain_in(blocks, |_, _| false)?;
    let bases = base_key(job, 0)..=base_key(job, u8::MAX);
    write.open_table(BASES)?.retain_in(bases, |_, _| false)?;
    let batches = batch_key(job, 0, 0)..=batch_key(job, u8::MAX, BatchSequence::MAX);
    write
        .open_table(CERTIFIED)?
        .retain_in(batches, |_, _| false)?;
    let askings = batch_key(job, 0, 0)..=batch_key(job, u8::MAX, TaskIndex::MAX);
    write
        .open_table(ASKINGS)?
        .retain_in(askings, |_, _| false)?;
    Ok(())
}

/// A copy of a log, as it was on disk at one moment.
pub(crate) struct Copied {
    job: JobId,
    place: u8,
    blocks: ReadOnlyTable<[u8; 41], &'static [u8]>,
}

impl Copied {
    /// Blocks from an index on, in order, at most so many and so many bytes; the first one whatever its
    /// length.
    pub(crate) fn page(
        &self,
        from: u64,
        most: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let (mut bytes, mut page) = (0usize, Vec::new());
        let keys =
            block_key(self.job, self.place, from)..=block_key(self.job, self.place, u64::MAX);
        for block in self.blocks.range(keys)?.take(most) {
            let block = block?.1.value().to_vec();
            bytes = bytes.saturating_add(block.len());
            if bytes > bytes_max && !page.is_empty() {
                break;
            }
            page.push(block);
        }
        Ok(page)
    }

    /// How many blocks it has.
    pub(crate) fn length(&self) -> Result<u64, StoreError> {
        let keys = block_key(self.job, self.place, 0)..=block_key(self.job, self.place, u64::MAX);
        let Some(last) = self.blocks.range(keys)?.next_back() else {
            return Ok(0);
        };
        let (key, _) = last?;
        let key = key.value();
        let index = key.last_chunk::<8>().copied().unwrap_or_default();
        Ok(u64::from_be_bytes(index).saturating_add(1))
    }
}

impl Copied {
    fn read_block(&self, index: u32) -> Result<Option<Vec<(Position, Entry)>>, StoreError> {
        let bytes = self
            .blocks
            .get(block_key(self.job, self.place, index.into()))?;
        bytes
            .map(|bytes| entries_of(index, bytes.value()))
            .transpose()
    }

    fn read_entry(&self, at: Position) -> Result<Option<Entry>, StoreError> {
        let key = block_key(self.job, self.place, at.block.into());
        let bytes = self.blocks.get(key)?;
        let entry = bytes.map(|bytes| entry_in(bytes.value(), at)).transpose()?;
        Ok(entry.flatten())
    }
}

impl Log for Copied {
    fn entry(&self, at: Position) -> Result<Option<Entry>, ApiError> {
        self.read_entry(at).map_err(|_| ApiError::Storage)
    }

    fn block(&self, index: u32) -> Result<Option<Vec<(Position, Entry)>>, ApiError> {
        self.read_block(index).map_err(|_| ApiError::Storage)
    }

    /// They are its writer's, and nobody else has them.
    fn notes(&self, _: u64) -> Result<Vec<Noted>, ApiError> {
        Ok(Vec::new())
    }

    fn note(&self, _: u64) -> Result<Option<Note>, ApiError> {
        Ok(None)
    }
}

impl Store {
    /// Takes over what the chain says of a job that another masternode coordinates and that is over, and
    /// forgets its key; on disk when this returns.
    pub(crate) fn forget_key(&self, id: JobId, job: &Job) -> Result<(), StoreError> {
        self.reported(self.change_job(id, None, |record| {
            record.job = job.clone();
            record.delegated_key = None;
        }))
    }

    /// Keeps blocks of a log that another masternode writes, the first at this index; on disk when this
    /// returns.
    pub(crate) fn follow(
        &self,
        (job, place): (JobId, u8),
        first: u64,
        blocks: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        let written = || -> Result<(), StoreError> {
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(BLOCKS)?;
                for (index, block) in (first..).zip(blocks) {
                    table.insert(block_key(job, place, index), block.as_slice())?;
                }
            }
            write.commit()?;
            Ok(())
        };
        self.reported(written())
    }

    /// The copy of a log that another masternode writes, as it is on disk now.
    pub(crate) fn followed(&self, job: JobId, place: u8) -> Result<Copied, StoreError> {
        let blocks = self.database.begin_read()?.open_table(BLOCKS)?;
        Ok(Copied { job, place, blocks })
    }

    /// What was settled before a log began, if it was looked up.
    pub(crate) fn base(&self, job: JobId, place: u8) -> Result<Option<Base>, StoreError> {
        let table = self.database.begin_read()?.open_table(BASES)?;
        let base = table.get(base_key(job, place))?;
        base.map(|bytes| {
            let mut bytes = bytes.value();
            let base = Base::decode_all(&mut bytes).map_err(|source| StoreError::Foreign {
                what: "base of a log",
                source,
            })?;
            Ok(base)
        })
        .transpose()
    }

    /// Remembers what was settled before a log began, unless that is known; on disk when this returns.
    pub(crate) fn remember_base(
        &self,
        (job, place): (JobId, u8),
        base: &Base,
    ) -> Result<(), StoreError> {
        let written = || -> Result<(), StoreError> {
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(BASES)?;
                let key = base_key(job, place);
                let is_known = table.get(key)?.is_some();
                if !is_known {
                    table.insert(key, base.encode().as_slice())?;
                }
            }
            write.commit()?;
            Ok(())
        };
        self.reported(written())
    }

    /// What this masternode saw of a referee being asked about a task, by who writes the log at this place.
    pub(crate) fn asking(
        &self,
        job: JobId,
        place: u8,
        task: TaskIndex,
    ) -> Result<Option<Asking>, StoreError> {
        let table = self.database.begin_read()?.open_table(ASKINGS)?;
        let seen = table.get(batch_key(job, place, task))?;
        seen.map(|bytes| {
            let mut bytes = bytes.value();
            Asking::decode_all(&mut bytes).map_err(|source| StoreError::Foreign {
                what: "what was seen of a referee",
                source,
            })
        })
        .transpose()
    }

    /// Remembers it, unless more is known; on disk when this returns. The word that was given stays, and that
    /// it was asked stays beside all but that.
    pub(crate) fn remember_asking(
        &self,
        (job, place): (JobId, u8),
        task: TaskIndex,
        seen: Asking,
    ) -> Result<(), StoreError> {
        let is_known = match self.asking(job, place, task)? {
            None => false,
            Some(Asking::Told(_)) => true,
            Some(_) => !matches!(seen, Asking::Told(_)),
        };
        if is_known {
            return Ok(());
        }
        let written = || -> Result<(), StoreError> {
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(ASKINGS)?;
                table.insert(batch_key(job, place, task), seen.encode().as_slice())?;
            }
            write.commit()?;
            Ok(())
        };
        self.reported(written())
    }

    /// Remembers that a batch, or a job's end, is certified, before anybody is given the certificate. If one
    /// of this number was certified of the same log before, that one comes back and nothing is written: no two are ever
    /// given out.
    pub(crate) fn certify_once(
        &self,
        place: u8,
        certificate: &SignedCertificate,
    ) -> Result<SignedCertificate, StoreError> {
        let written = || -> Result<SignedCertificate, StoreError> {
            let key = batch_key(certificate.payload.job, place, certificate.payload.sequence);
            let write = self.database.begin_write()?;
            let known = {
                let mut table = write.open_table(CERTIFIED)?;
                let known = table.get(key)?.map(|bytes| bytes.value().to_vec());
                if known.is_none() {
                    table.insert(key, certificate.encode().as_slice())?;
                }
                known
            };
            write.commit()?;
            match known {
                None => Ok(*certificate),
                Some(bytes) => {
                    let known = SignedCertificate::decode_all(&mut bytes.as_slice());
                    known.map_err(|source| StoreError::Foreign {
                        what: "certificate",
                        source,
                    })
                }
            }
        };
        self.reported(written())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{
        Digest, GenesisHash,
        batch::CertifiedEnd,
        job::Failure,
        log::Certificate,
        payload::NodeSecret,
        receipt::{Answer, Exit},
    };

    const HERE: GenesisHash = GenesisHash([1; 32]);
    const JOB: JobId = JobId([2; 32]);
    const OTHER: JobId = JobId([3; 32]);

    fn node() -> NodeSecret {
        NodeSecret::from_seed(&[4; 32])
    }

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(folder.path(), HERE, node(), |_| {}, |_| {}).unwrap()
    }

    fn certificate(batch: u8) -> SignedCertificate {
        let payload = Certificate {
            job: JOB,
            sequence: 5,
            index: 6,
            head: Digest([7; 32]),
            batch: Digest([batch; 32]),
        };
        node().sign(payload, &HERE)
    }

    #[test]
    fn of_one_batch_one_certificate_is_ever_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        assert_eq!(
            store.certify_once(0, &certificate(8)).unwrap(),
            certificate(8)
        );
        assert_eq!(
            store.certify_once(0, &certificate(9)).unwrap(),
            certificate(8)
        );
        drop(store);
    }

    #[test]
    fn of_a_batch_and_the_end_under_one_number_only_the_first_is_ever_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let (writer, closed) = std::sync::mpsc::sync_channel::<()>(1);
            let holds = move |_| drop(writer.clone());
            let store = Store::open(folder.path(), HERE, node(), holds, |_| {}).unwrap();
            (store, closed)
        };
        let end = |number: u32| {
            let end = CertifiedEnd {
                job: JOB,
                task: 3,
                why: Failure::Undecided,
                index: 6,
                head: Digest([7; 32]),
                certificates: Default::default(),
            };
            node().sign(end.certificate(number), &HERE)
        };
        let (store, closed) = open();
        let given = |store: &Store, it: &SignedCertificate| store.certify_once(0, it).unwrap();
        assert_eq!(given(&store, &certificate(8)), certificate(8));
        assert_eq!(given(&store, &end(5)), certificate(8));
        assert_eq!(given(&store, &end(6)), end(6));
        drop(store);
        // The file is let go of when its writer has ended.
        assert!(closed.recv().is_err());
        let (store, _closed) = open();
        assert_eq!(given(&store, &end(5)), certificate(8));
        let mut batch = certificate(9).payload;
        batch.sequence = 6;
        assert_eq!(given(&store, &node().sign(batch, &HERE)), end(6));
    }

    #[test]
    fn who_goes_on_with_a_job_may_have_another_batch_of_that_number_certified() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        store.certify_once(0, &certificate(8)).unwrap();
        assert_eq!(
            store.certify_once(1, &certificate(9)).unwrap(),
            certificate(9)
        );
    }

    #[test]
    fn a_copy_of_a_log_is_apart_from_those_of_other_jobs_and_turns_and_goes_with_its_job() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let block = |byte: u8| vec![byte; 3];
        store.follow((JOB, 0), 0, &[block(1), block(2)]).unwrap();
        store.follow((JOB, 1), 0, &[block(3)]).unwrap();
        store.follow((OTHER, 0), 0, &[block(4)]).unwrap();
        store.follow((JOB, 0), 2, &[block(5)]).unwrap();
        let read = |job, place, from, most, bytes| {
            let copied = store.followed(job, place).unwrap();
            copied.page(from, most, bytes).unwrap()
        };
        assert_eq!(read(JOB, 0, 0, 9, 99), [block(1), block(2), block(5)]);
        assert_eq!(read(JOB, 0, 1, 1, 99), [block(2)]);
        assert_eq!(read(JOB, 0, 0, 9, 1), [block(1)], "one block at least");
        assert_eq!(read(JOB, 1, 0, 9, 99), [block(3)]);
        let length = |place| store.followed(JOB, place).unwrap().length().unwrap();
        assert_eq!([0, 1, 2].map(length), [3, 1, 0]);
        assert!(
            store.lines(JOB).unwrap().is_empty(),
            "it is not its own log"
        );
        store.erase(JOB).unwrap();
        assert!(read(JOB, 0, 0, 9, 99).is_empty());
        assert!(read(JOB, 1, 0, 9, 99).is_empty());
        assert_eq!(read(OTHER, 0, 0, 9, 99), [block(4)]);
    }

    #[test]
    fn what_was_seen_of_a_referee_is_kept_with_the_log_and_a_word_that_was_given_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let told = Asking::Told(Answer {
            result_commitment: Digest([9; 32]),
            result_bytes: 3,
            fuel: 4,
            exit: Exit::Success,
        });
        let note = |seen| store.remember_asking((JOB, 1), 7, seen).unwrap();
        let seen = |place, task| store.asking(JOB, place, task).unwrap();
        assert_eq!(seen(1, 7), None);
        note(Asking::Asked);
        note(Asking::Closing);
        assert_eq!(seen(1, 7), Some(Asking::Asked));
        note(told);
        note(Asking::Asked);
        assert_eq!(seen(1, 7), Some(told));
        assert_eq!((seen(0, 7), seen(1, 8)), (None, None));
        store.erase(JOB).unwrap();
        assert_eq!(seen(1, 7), None);
    }

    #[test]
    fn what_was_settled_before_a_log_began_is_looked_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        assert_eq!(store.base(JOB, OWN).unwrap(), None);
        let base = |first: u32| Base {
            first,
            settled: (0..first).collect(),
        };
        store.remember_base((JOB, OWN), &base(3)).unwrap();
        store.remember_base((JOB, OWN), &base(4)).unwrap();
        assert_eq!(store.base(JOB, OWN).unwrap(), Some(base(3)));
        store.erase(JOB).unwrap();
        assert_eq!(store.base(JOB, OWN).unwrap(), None);
    }
}
