//! How jobs ended here, and when.

use super::{JOBS, Store, StoreError, decode_record, unreadable};
use codec::Encode as _;
use quern_jobs_api::JobStatus;
use quern_primitives::{BlockNumber, JobId};
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};

/// Job name to what its owner is told of it since nothing of it is done here any more: the chain closed it, or
/// another masternode goes on with it.
pub(super) const CLOSED: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("closed/1");
/// Job name to the first block at which it was known to be closed.
pub(super) const ENDS: TableDefinition<[u8; 32], u32> = TableDefinition::new("ends/1");

impl Store {
    /// Remembers how a job ended here, and forgets its key if the chain closed it; on disk when this returns.
    /// Where another masternode goes on with it, this one still checks what it certifies.
    pub(crate) fn close_job(&self, job: JobId, status: &JobStatus) -> Result<(), StoreError> {
        self.reported(self.write_end(job, status))
    }

    fn write_end(&self, job: JobId, status: &JobStatus) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        {
            let mut jobs = write.open_table(JOBS)?;
            let known = jobs.get(job.0)?.map(|bytes| decode_record(bytes.value()));
            if let Some(record) = known.transpose()? {
                let mut record = record;
                record.keep_key_while_open();
                jobs.insert(job.0, record.encode().as_slice())?;
            }
            let status = serde_json::to_vec(status).map_err(unreadable)?;
            write.open_table(CLOSED)?.insert(job.0, status.as_slice())?;
        }
        write.commit()?;
        Ok(())
    }

    /// How a job ended here, if it did: the chain closed it, or another masternode goes on with it.
    pub(crate) fn closed(&self, job: JobId) -> Result<Option<JobStatus>, StoreError> {
        let table = self.database.begin_read()?.open_table(CLOSED)?;
        let status = table.get(job.0)?;
        status
            .map(|bytes| serde_json::from_slice(bytes.value()).map_err(unreadable))
            .transpose()
    }

    /// The first block at which a closed job was known to be closed: this one, if none is remembered,
    /// and then it is on disk when this returns.
    pub(crate) fn closed_at(
        &self,
        job: JobId,
        block: BlockNumber,
    ) -> Result<BlockNumber, StoreError> {
        let table = self.database.begin_read()?.open_table(ENDS)?;
        if let Some(known) = table.get(job.0)? {
            return Ok(known.value());
        }
        self.reported(self.write_closed_at(job, block))?;
        Ok(block)
    }

    fn write_closed_at(&self, job: JobId, block: BlockNumber) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        write.open_table(ENDS)?.insert(job.0, block)?;
        write.commit()?;
        Ok(())
    }
}
