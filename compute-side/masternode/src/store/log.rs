//! Jobs' logs on disk: signed blocks by job and index, and the notes beside them.
//!
//! What is appended within a moment is closed as blocks together, one for each job, or more where one is
//! full; each is signed once, and written in the transaction that is announced. So whatever anybody is told
//! of is in a block that is on disk.

use super::{Store, StoreError};
use crate::{
    core::{Entry, Line, Note, Noted, in_order},
    receipts::{Log, Position},
};
use codec::{Decode, DecodeAll, Encode};
use quern_joblog::{
    Header, LogBuilder, LogFault, SignedBlock, SignedHeader,
    block::{BLOCK_BYTES_MAX, SIGNED_HEADER_BYTES},
    build::Cut,
    follow,
};
use quern_jobs_api::ApiError;
use quern_primitives::{Digest, GenesisHash, JobId, payload::NodeSecret, receipt::SignedReceipt};
use redb::{ReadOnlyTable, ReadableDatabase as _, ReadableTable, Table, TableDefinition};
use std::collections::BTreeMap;

/// Job name and a block's index to the block.
pub(super) const LOG: TableDefinition<[u8; 40], &[u8]> = TableDefinition::new("log/3");

/// Job name and a note's number to how many entries come before it, and the note.
pub(super) const NOTES: TableDefinition<[u8; 40], &[u8]> = TableDefinition::new("notes/1");

/// Logs of which the writer remembers where they end. Where there are more, it looks again.
const GROWING_MAX: usize = 1_024;

/// A table of blocks or notes that is being written.
pub(super) type Writing<'a> = Table<'a, [u8; 40], &'static [u8]>;

pub(super) fn key(job: JobId, number: u64) -> [u8; 40] {
    let mut key = [0; 40];
    key[..32].copy_from_slice(&job.0);
    key[32..].copy_from_slice(&number.to_be_bytes());
    key
}

/// All keys of a job from a number on.
fn keys(job: JobId, from: u64) -> std::ops::RangeInclusive<[u8; 40]> {
    key(job, from)..=key(job, u64::MAX)
}

/// The logs that are written.
pub(super) struct Growing {
    genesis: GenesisHash,
    key: NodeSecret,
    logs: BTreeMap<JobId, LogBuilder>,
}

impl Growing {
    pub(super) fn new(genesis: GenesisHash, key: NodeSecret) -> Self {
        Self {
            genesis,
            key,
            logs: BTreeMap::new(),
        }
    }

    /// Appends an entry to a job's log. It is on disk when the block is that is closed next.
    pub(super) fn append(
        &mut self,
        blocks: &mut Writing<'_>,
        (job, position): (JobId, u64),
        entry: Entry,
        time_ms: u64,
    ) -> Result<(), StoreError> {
        let log = match self.logs.entry(job) {
            std::collections::btree_map::Entry::Occupied(log) => log.into_mut(),
            std::collections::btree_map::Entry::Vacant(log) => {
                let end = match last_header(&*blocks, job)? {
                    Some(last) => {
                        let older = |index| header_at(&*blocks, job, index);
                        let key = self.key.clone();
                        LogBuilder::behind(&last.payload, self.genesis, key, older)?
                    }
                    None => LogBuilder::new(self.genesis, job, self.key.clone()),
                };
                log.insert(end)
            }
        };
        let expected = log.next_position();
        if position != expected {
            return Err(StoreError::Gap {
                job,
                expected,
                position,
            });
        }
        let appended = log.append(entry, time_ms);
        let appended = appended.map_err(|error| StoreError::TooLarge {
            job,
            bytes: error.bytes,
        })?;
        match appended.cut {
            Some(cut) => write(blocks, job, &cut),
            None => Ok(()),
        }
    }

    /// Closes the blocks that are open, and writes them.
    pub(super) fn close(
        &mut self,
        blocks: &mut Writing<'_>,
        time_ms: u64,
    ) -> Result<(), StoreError> {
        for (job, log) in &mut self.logs {
            if let Some(cut) = log.cut_bytes(time_ms) {
                write(blocks, *job, &cut)?;
            }
        }
        if self.logs.len() > GROWING_MAX {
            self.logs.clear();
        }
        Ok(())
    }
}

fn write(blocks: &mut Writing<'_>, job: JobId, cut: &Cut) -> Result<(), StoreError> {
    let place = key(job, cut.header.payload.index);
    blocks.insert(place, cut.bytes.as_slice())?;
    Ok(())
}

/// The header of the last block of a job's log.
fn last_header(
    blocks: &impl ReadableTable<[u8; 40], &'static [u8]>,
    job: JobId,
) -> Result<Option<SignedHeader>, StoreError> {
    let last = blocks.range(keys(job, 0))?.next_back().transpose()?;
    last.map(|(_, bytes)| header(bytes.value())).transpose()
}

/// The header of a block that is before the last one, and so is there.
fn header_at(
    blocks: &impl ReadableTable<[u8; 40], &'static [u8]>,
    job: JobId,
    index: u64,
) -> Result<Header, StoreError> {
    let gap = || StoreError::Log {
        job,
        fault: Box::new(LogFault::Gap {
            expected: index,
            index: index.saturating_add(1),
        }),
    };
    let bytes = blocks.get(key(job, index))?.ok_or_else(gap)?;
    header(bytes.value()).map(|header| header.payload)
}

fn header(mut bytes: &[u8]) -> Result<SignedHeader, StoreError> {
    SignedHeader::decode(&mut bytes).map_err(foreign)
}

fn foreign(source: codec::Error) -> StoreError {
    StoreError::Foreign {
        what: "job log",
        source,
    }
}

/// A note as it is written.
pub(super) fn encode_note(noted: &Noted) -> Vec<u8> {
    (noted.behind, &noted.note).encode()
}

fn decode_note(number: u64, mut bytes: &[u8]) -> Result<Noted, StoreError> {
    let (behind, note) = <(u64, Note)>::decode_all(&mut bytes).map_err(foreign)?;
    Ok(Noted {
        behind,
        number,
        note,
    })
}

/// A job's log with the notes beside it, to be read by place.
pub(crate) struct JobLog {
    job: JobId,
    genesis: GenesisHash,
    blocks: ReadOnlyTable<[u8; 40], &'static [u8]>,
    notes: ReadOnlyTable<[u8; 40], &'static [u8]>,
}

impl JobLog {
    /// How many blocks it has.
    pub(crate) fn length(&self) -> Result<u64, StoreError> {
        let last = last_header(&self.blocks, self.job)?;
        Ok(last.map_or(0, |last| last.payload.index.saturating_add(1)))
    }

    /// Blocks from an index on, in order, at most so many and so many bytes; the first one whatever its
    /// length.
    pub(crate) fn page(
        &self,
        from: u64,
        most: u64,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut bytes = 0usize;
        let mut page = Vec::new();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        for block in self.blocks.range(keys(self.job, from))?.take(most) {
            let block = block?.1.value().to_vec();
            bytes = bytes.saturating_add(block.len());
            if bytes > bytes_max && !page.is_empty() {
                break;
            }
            page.push(block);
        }
        Ok(page)
    }

    /// The entries and the notes, in order, if the blocks follow each other and are signed.
    fn lines(&self, genesis: GenesisHash) -> Result<Vec<Line>, StoreError> {
        let mut log = Vec::new();
        let mut replay = None;
        for block in self.blocks.range(keys(self.job, 0))? {
            let (_, bytes) = block?;
            let block = follow(&mut replay, genesis, self.job, bytes.value());
            log.extend(block.map_err(|fault| self.damaged(fault))?.entries);
        }
        Ok(in_order(log, self.all_notes(0)?).collect())
    }

    fn damaged(&self, fault: LogFault) -> StoreError {
        StoreError::Log {
            job: self.job,
            fault: Box::new(fault),
        }
    }

    fn all_notes(&self, from: u64) -> Result<Vec<Noted>, StoreError> {
        let notes = (from..).zip(self.notes.range(keys(self.job, from))?);
        notes
            .map(|(number, note)| decode_note(number, note?.1.value()))
            .collect()
    }

    /// How many notes there are beside it.
    pub(crate) fn count_notes(&self) -> Result<u64, StoreError> {
        let last = self.notes.range(keys(self.job, 0))?.next_back();
        let Some((last, _)) = last.transpose()? else {
            return Ok(0);
        };
        let last = last.value();
        let (_, number) = last.split_at(last.len().saturating_sub(8));
        let number = number.try_into().map_or(0, u64::from_be_bytes);
        Ok(number.saturating_add(1))
    }

    fn read_note(&self, number: u64) -> Result<Option<Noted>, StoreError> {
        let note = self.notes.get(key(self.job, number))?;
        let note = note.map(|note| decode_note(number, note.value()));
        note.transpose()
    }

    /// The place of the block that has an entry, and what its header signs; none if no block on disk has it.
    pub(crate) fn head_at(&self, position: u64) -> Result<Option<(u64, Digest)>, StoreError> {
        let Some(index) = self.block_with(position)? else {
            return Ok(None);
        };
        let Some(bytes) = self.blocks.get(key(self.job, index))? else {
            return Ok(None);
        };
        let header = header(bytes.value())?.payload;
        let behind = header.first.saturating_add(header.count.into());
        Ok((position < behind).then(|| (index, header.hash(&self.genesis))))
    }

    /// The place of the last block on disk, and what its header signs, if the log says that its job has
    /// ended: nothing but batches follows that.
    pub(crate) fn head_behind_end(&self) -> Result<Option<(u64, Digest)>, StoreError> {
        let mut head = None;
        for block in self.blocks.range(keys(self.job, 0))?.rev() {
            let (_, bytes) = block?;
            let block = SignedBlock::read(bytes.value()).map_err(|fault| self.damaged(fault))?;
            let header = &block.header.payload;
            let head = *head.get_or_insert_with(|| (header.index, header.hash(&self.genesis)));
            let mut entries = block.entries.iter().rev();
            match entries
                .find(|entry| !matches!(entry, Entry::Batched { .. } | Entry::Opened { .. }))
            {
                Some(Entry::Ended { .. }) => return Ok(Some(head)),
                Some(_) => return Ok(None),
                None => {}
            }
        }
        Ok(None)
    }

    /// The last block that begins at this position or before it.
    fn block_with(&self, position: u64) -> Result<Option<u64>, StoreError> {
        let (mut low, mut high) = (0, self.length()?);
        // The first block that begins behind it, by halves.
        while low < high {
            let middle = low.midpoint(high);
            let first = match self.blocks.get(key(self.job, middle))? {
                Some(bytes) => header(bytes.value())?.payload.first,
                None => return Ok(None),
            };
            match first <= position {
                true => low = middle.saturating_add(1),
                false => high = middle,
            }
        }
        Ok(low.checked_sub(1))
    }

    /// The receipt that an entry holds, if one at this position does.
    pub(crate) fn receipt_at(&self, position: u64) -> Result<Option<SignedReceipt>, StoreError> {
        let Some(index) = self.block_with(position)? else {
            return Ok(None);
        };
        let Some(bytes) = self.blocks.get(key(self.job, index))? else {
            return Ok(None);
        };
        let block = SignedBlock::read(bytes.value()).map_err(|fault| self.damaged(fault))?;
        let mut entries = block.positions();
        let entry = entries.find(|(at, _)| *at == position);
        Ok(match entry {
            Some((_, Entry::Revealed { receipt, .. })) => Some(receipt.clone()),
            _ => None,
        })
    }

    fn read_block(&self, index: u32) -> Result<Option<Vec<(Position, Entry)>>, StoreError> {
        let Some(bytes) = self.blocks.get(key(self.job, index.into()))? else {
            return Ok(None);
        };
        entries_of(index, bytes.value()).map(Some)
    }

    fn read_entry(&self, at: Position) -> Result<Option<Entry>, StoreError> {
        let bytes = self.blocks.get(key(self.job, at.block.into()))?;
        let entry = bytes.map(|bytes| entry_in(bytes.value(), at)).transpose()?;
        Ok(entry.flatten())
    }
}

/// The entries of a block that was followed, each with its place.
pub(super) fn entries_of(index: u32, bytes: &[u8]) -> Result<Vec<(Position, Entry)>, StoreError> {
    let mut rest = bytes.get(SIGNED_HEADER_BYTES..).unwrap_or_default();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        // No block is nearly as long.
        let byte = u32::try_from(bytes.len() - rest.len()).unwrap_or(u32::MAX);
        let entry = Entry::decode(&mut rest).map_err(foreign)?;
        let at = Position { block: index, byte };
        entries.push((at, entry));
    }
    Ok(entries)
}

/// The entry that begins at a place of such a block.
pub(super) fn entry_in(bytes: &[u8], at: Position) -> Result<Option<Entry>, StoreError> {
    let entry = bytes.get(at.byte as usize..);
    let entry = entry.filter(|entry| !entry.is_empty());
    entry
        .map(|mut bytes| Entry::decode(&mut bytes).map_err(foreign))
        .transpose()
}

const _: () = assert!(BLOCK_BYTES_MAX < u32::MAX as usize);

impl Log for JobLog {
    fn entry(&self, at: Position) -> Result<Option<Entry>, ApiError> {
        self.read_entry(at).map_err(|_| ApiError::Storage)
    }

    fn block(&self, index: u32) -> Result<Option<Vec<(Position, Entry)>>, ApiError> {
        self.read_block(index).map_err(|_| ApiError::Storage)
    }

    fn notes(&self, from: u64) -> Result<Vec<Noted>, ApiError> {
        self.all_notes(from).map_err(|_| ApiError::Storage)
    }

    fn note(&self, number: u64) -> Result<Option<Note>, ApiError> {
        let noted = self.read_note(number).map_err(|_| ApiError::Storage)?;
        Ok(noted.map(|noted| noted.note))
    }
}

impl Store {
    /// What is kept of a job, in order.
    pub fn lines(&self, job: JobId) -> Result<Vec<Line>, StoreError> {
        self.read_log(job)?.lines(self.genesis)
    }

    /// A job's log as it is on disk now.
    pub(crate) fn read_log(&self, job: JobId) -> Result<JobLog, StoreError> {
        let read = self.database.begin_read()?;
        Ok(JobLog {
            job,
            genesis: self.genesis,
            blocks: read.open_table(LOG)?,
            notes: read.open_table(NOTES)?,
        })
    }
}
