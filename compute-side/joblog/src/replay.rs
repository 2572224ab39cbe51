//! Blocks in order, or what is wrong with them.

use crate::{
    block::{SignedBlock, read_entries, read_header, writer_of},
    fault::{Fork, LogFault},
    way::Ancestors,
};
use alloc::{boxed::Box, collections::VecDeque};
use quern_primitives::{
    batch::Batch,
    ids::{Digest, GenesisHash, JobId, NodeKey},
    log::{Certificate, Header, SignedHeader},
};

/// So many headers are remembered, to tell a block that comes again from a fork. What is older is in
/// the copies that members of the group keep.
pub const HEADERS_REMEMBERED: usize = 64;

/// Follows the next block of a log from its beginning, whoever says that it writes it: for who has the log
/// and not the chain. Whether these were its coordinators is not looked at.
pub fn follow(
    replay: &mut Option<Replay>,
    genesis: GenesisHash,
    job: JobId,
    block: &[u8],
) -> Result<SignedBlock, LogFault> {
    let before = replay.as_ref().map(Replay::signer);
    let signer = writer_of(block).or(before);
    let signer = signer.ok_or(LogFault::WrongSigner { index: 0 })?;
    let replay = replay.get_or_insert_with(|| Replay::new(genesis, job, signer));
    if signer == replay.signer() {
        return replay.take(block);
    }
    let mut handed_over = replay.clone();
    handed_over.hand_over(signer);
    let block = handed_over.take(block)?;
    *replay = handed_over;
    Ok(block)
}

/// A log as far as it was followed. It keeps headers and no entries, so its size does not grow.
#[derive(Clone, Debug)]
pub struct Replay {
    genesis: GenesisHash,
    job: JobId,
    signer: NodeKey,
    next_index: u64,
    next_position: u64,
    head: Digest,
    ancestors: Ancestors,
    time_ms: u64,
    /// The last headers, oldest first, each with who signed it.
    recent: VecDeque<(NodeKey, SignedHeader)>,
}

impl Replay {
    /// A log of which nothing was seen, written by who has this key.
    pub fn new(genesis: GenesisHash, job: JobId, signer: NodeKey) -> Self {
        Self {
            genesis,
            job,
            signer,
            next_index: 0,
            next_position: 0,
            head: Header::opening(&genesis, &job),
            ancestors: Ancestors::default(),
            time_ms: 0,
            recent: VecDeque::new(),
        }
    }

    /// The chain.
    pub fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Whose blocks are taken.
    pub fn signer(&self) -> NodeKey {
        self.signer
    }

    /// From the next block on another masternode writes the log.
    pub fn hand_over(&mut self, to: NodeKey) {
        self.signer = to;
    }

    /// The index that the next block must have; also the number of blocks so far.
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The position that the next entry will have; also the number of entries so far.
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    /// The hash of the last block; before the first, what that follows.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// The blocks of which the next one skips to one.
    pub fn ancestors(&self) -> &Ancestors {
        &self.ancestors
    }

    /// When the last block was made, in milliseconds since 1970; zero before the first.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// What a member signs of a batch of this job that rests on the log as it stands; `None` before the
    /// first block.
    pub fn certificate(&self, batch: &Batch) -> Option<Certificate> {
        let index = self.next_index.checked_sub(1)?;
        Some(Certificate::of(batch, index, self.head))
    }

    /// Whether the log goes as far as a certificate says, and is the same there. A copy that was cut
    /// off between two blocks is told from a whole one by this alone.
    pub fn reaches(&self, certificate: &Certificate) -> Result<(), LogFault> {
        if certificate.job != self.job {
            return Err(LogFault::OtherJob {
                job: certificate.job,
            });
        }
        let index = certificate.index;
        if index >= self.next_index {
            return Err(LogFault::Truncated);
        }
        match self.remembered(index) {
            Some((_, header)) if header.payload.hash(&self.genesis) == certificate.head => Ok(()),
            _ => Err(LogFault::Unlinked { index }),
        }
    }

    /// Takes the next block. Nothing changes if it does not follow. What costs least is checked first,
    /// and entries are not looked at before the signature holds.
    pub fn take(&mut self, bytes: &[u8]) -> Result<SignedBlock, LogFault> {
        let (header, entries) = read_header(bytes)?;
        self.check_place(&header)?;
        let payload = &header.payload;
        let index = payload.index;
        if !header.is_signed_by(&self.signer, &self.genesis) {
            return Err(LogFault::WrongSigner { index });
        }
        if payload.previous != self.head {
            return Err(LogFault::Unlinked { index });
        }
        // The first block has nothing before it but the log's opening.
        if payload.skip != self.ancestors.skip().unwrap_or(self.head) {
            return Err(LogFault::Skipped { index });
        }
        let expected = self.next_position;
        let end = payload.first.checked_add(payload.count.into());
        let (true, Some(end)) = (payload.first == expected, end) else {
            return Err(LogFault::Positions { index, expected });
        };
        if payload.time_ms < self.time_ms {
            return Err(LogFault::TimeBackwards { index });
        }
        let entries = read_entries(&header, entries)?;
        self.next_index = index.saturating_add(1);
        self.next_position = end;
        self.head = payload.hash(&self.genesis);
        self.ancestors.push(index, self.head);
        self.time_ms = payload.time_ms;
        if self.recent.len() >= HEADERS_REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((self.signer, header));
        Ok(SignedBlock { header, entries })
    }

    /// Whether it is the block for the next place, of this job and chain.
    fn check_place(&self, header: &SignedHeader) -> Result<(), LogFault> {
        let Header {
            job,
            index,
            previous,
            ..
        } = header.payload;
        if job != self.job {
            return Err(LogFault::OtherJob { job });
        }
        if index == 0 && previous != Header::opening(&self.genesis, &self.job) {
            return Err(LogFault::OtherChain);
        }
        let expected = self.next_index;
        if index > expected {
            return Err(LogFault::Gap { expected, index });
        }
        if index == expected {
            return Ok(());
        }
        match self.remembered(index) {
            Some((by, known)) if known.payload != header.payload => {
                if !header.is_signed_by(by, &self.genesis) {
                    return Err(LogFault::WrongSigner { index });
                }
                Err(LogFault::Forked(Box::new(Fork {
                    place: index,
                    first: *known,
                    second: *header,
                })))
            }
            _ => Err(LogFault::Repeated { index }),
        }
    }

    fn remembered(&self, index: u64) -> Option<&(NodeKey, SignedHeader)> {
        self.recent
            .iter()
            .find(|(_, header)| header.payload.index == index)
    }
}
