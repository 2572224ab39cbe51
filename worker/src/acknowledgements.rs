//! Masternodes' words that they have taken this device's work, kept until the work is paid for.
//!
//! With such a word the device can show that its work was left out of a job's log. It is kept until the batch
//! with its task is final, or the job is over: then nothing can be claimed any more.
//!
//! A file is a tag and then records of one length: the masternode's network key and the word, filled up with
//! zeros, and the beginning of the SHA-256 of both. Words are added at its end, in the order in which they came; what is cut off or
//! altered is passed over when the file is read. It is written anew, beside its place, when more than half of
//! it is not wanted any more. So it outlives the worker; a power cut may take the last words with it.

use codec::{Decode, Encode};
use quern_primitives::{
    ids::{Digest, JobId, NodeKey},
    limits::ACKNOWLEDGED_TOGETHER_MAX,
    log::SignedAcknowledgement,
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

const TAG: &[u8; 16] = b"quern/words/2\n\0\0";

/// Bytes of a masternode's key and of its word: what is acknowledged, its place, a hash for each doubling of
/// those signed together, and the signature.
const BODY_BYTES: usize = 32 + 109 + 9 + 32 * ACKNOWLEDGED_TOGETHER_MAX.ilog2() as usize + 64;

/// Bytes of a record.
const RECORD_BYTES: usize = BODY_BYTES + CHECK_BYTES;

const CHECK_BYTES: usize = 8;

/// Words that are kept: 28 MB. With more the oldest go. A word is needed until its batch is final, ten minutes after it is
/// settled with a new chain's window: so many are those of a hundred tasks a second.
pub const WORDS_MAX: usize = 65_536;

/// Records that are not wanted any more and stay in the file, at the least.
const SPENT_MIN: usize = 1_024;

/// A word that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Kept {
    /// Who gave it.
    pub masternode: NodeKey,
    /// The word.
    pub word: SignedAcknowledgement,
}

impl Kept {
    fn record(&self) -> Vec<u8> {
        let mut record = self.encode();
        record.resize(BODY_BYTES, 0);
        let check: [u8; 32] = Sha256::digest(&record).into();
        record.extend(&check[..CHECK_BYTES]);
        record
    }

    fn read(record: &[u8]) -> Option<Self> {
        let (body, check) = record.split_at_checked(BODY_BYTES)?;
        let expected: [u8; 32] = Sha256::digest(body).into();
        if expected[..CHECK_BYTES] != *check {
            return None;
        }
        let mut rest = body;
        let kept = Self::decode(&mut rest).ok()?;
        rest.iter().all(|byte| *byte == 0).then_some(kept)
    }
}

/// The words that are kept.
#[derive(Debug)]
pub struct Acknowledgements {
    path: PathBuf,
    file: File,
    /// Counts words as they come.
    next: u64,
    words: BTreeMap<u64, Kept>,
    /// The same by job.
    of_job: BTreeMap<JobId, BTreeSet<u64>>,
    /// Records in the file.
    records: usize,
}

impl Acknowledgements {
    /// Reads the file, or makes it.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let kept = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => vec![],
            kept => kept?,
        };
        // What was damaged or is too much is not kept, and the file is whole again.
        let file = rewrite(&path, &[])?;
        let mut words = Self {
            path,
            file,
            next: 0,
            words: BTreeMap::new(),
            of_job: BTreeMap::new(),
            records: 0,
        };
        words.keep(kept)?;
        Ok(words)
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The jobs for whose work words are kept.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.of_job.keys().copied()
    }

    /// The words for work on a job, in the order in which they came.
    pub fn of(&self, job: &JobId) -> impl Iterator<Item = &Kept> {
        let of_job = self.of_job.get(job).into_iter().flatten();
        of_job.filter_map(|number| self.words.get(number))
    }

    /// Keeps words. When this returns they are with the system.
    pub fn keep(&mut self, words: impl IntoIterator<Item = Kept>) -> io::Result<()> {
        let mut records = Vec::new();
        for kept in words {
            records.extend(kept.record());
            self.records += 1;
            let job = kept.word.payload.job;
            self.of_job.entry(job).or_default().insert(self.next);
            self.words.insert(self.next, kept);
            self.next += 1;
            if self.words.len() > WORDS_MAX
                && let Some((number, oldest)) = self.words.pop_first()
            {
                self.unlist(oldest.word.payload.job, number);
            }
        }
        self.file.write_all(&records)?;
        self.tidy()
    }

    /// Forgets the words for these receipts of a job.
    pub fn forget_receipts(&mut self, job: &JobId, receipts: &BTreeSet<Digest>) -> io::Result<()> {
        let of_job = self.of_job.get(job).into_iter().flatten().copied();
        let is_one = |number: &u64| {
            let kept = self.words.get(number);
            kept.is_some_and(|kept| receipts.contains(&kept.word.payload.receipt))
        };
        let numbers: Vec<u64> = of_job.filter(is_one).collect();
        for number in numbers {
            self.words.remove(&number);
            self.unlist(*job, number);
        }
        self.tidy()
    }

    /// Forgets the words for work on a job.
    pub fn forget(&mut self, job: &JobId) -> io::Result<()> {
        let of_job = self.of_job.remove(job).unwrap_or_default();
        for number in of_job {
            self.words.remove(&number);
        }
        self.tidy()
    }

    fn unlist(&mut self, job: JobId, number: u64) {
        if let Some(of_job) = self.of_job.get_mut(&job) {
            of_job.remove(&number);
            if of_job.is_empty() {
                self.of_job.remove(&job);
            }
        }
    }

    /// Writes the file anew if most of it is not wanted any more.
    fn tidy(&mut self) -> io::Result<()> {
        let spent = self.records - self.words.len();
        if spent > SPENT_MIN.max(self.words.len()) {
            let records: Vec<u8> = self.words.values().flat_map(Kept::record).collect();
            self.file = rewrite(&self.path, &records)?;
            self.records = self.words.len();
        }
        Ok(())
    }
}

/// The words in a file, which stays as it is: for whoever shows that work was left out.
pub fn read(path: &Path) -> io::Result<Vec<Kept>> {
    // However long somebody made it.
    let most = TAG.len() + 4 * WORDS_MAX * RECORD_BYTES;
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most as u64)
        .read_to_end(&mut bytes)?;
    let records = bytes.strip_prefix(TAG).unwrap_or_default();
    let records = records.chunks_exact(RECORD_BYTES);
    Ok(records.filter_map(Kept::read).collect())
}

/// Writes a file with these records in the place of the one that is there, and opens it to add to it.
fn rewrite(path: &Path, records: &[u8]) -> io::Result<File> {
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(TAG)?;
    file.write_all(records)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{
        ids::{DeviceId, GenesisHash},
        log::{self, Acknowledgement},
        payload::NodeSecret,
    };

    fn job(number: u8) -> JobId {
        JobId([number; 32])
    }

    fn kept(number: u8, position: u64) -> Kept {
        let node = NodeSecret::from_seed(&[7; 32]);
        let payload = Acknowledgement {
            job: job(number),
            task: 3,
            replica: 1,
            device: DeviceId([2; 32]),
            receipt: Digest([4; 32]),
            position,
        };
        Kept {
            masternode: node.public(),
            word: SignedAcknowledgement::alone(payload, &node, &GenesisHash([9; 32])),
        }
    }

    fn positions(words: &Acknowledgements, number: u8) -> Vec<u64> {
        let job = job(number);
        let of_job = words.of(&job);
        of_job.map(|kept| kept.word.payload.position).collect()
    }

    #[test]
    fn a_record_has_always_the_same_length() {
        assert_eq!(kept(1, 0).record().len(), RECORD_BYTES);
        let node = NodeSecret::from_seed(&[7; 32]);
        let words = [kept(1, u64::MAX).word.payload; ACKNOWLEDGED_TOGETHER_MAX as usize];
        let list = &log::Acknowledgements::sign(&words, &node, &GenesisHash([9; 32]))[0];
        let each = list.signed_by(&node.public(), &GenesisHash([9; 32]));
        let deepest = Kept {
            masternode: node.public(),
            word: each.unwrap_or_default().remove(5),
        };
        assert_eq!(deepest.encode().len(), BODY_BYTES);
        assert_eq!(Kept::read(&deepest.record()), Some(deepest));
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_until_its_job_is_over() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("words");
        let mut words = Acknowledgements::open(path.clone())?;
        assert!(words.is_empty());
        words.keep([kept(1, 5), kept(2, 6)])?;
        words.keep([kept(1, 9)])?;
        let read: Vec<_> = read(&path)?
            .iter()
            .map(|kept| kept.word.payload.position)
            .collect();
        assert_eq!(read, [5, 6, 9]);
        let mut words = Acknowledgements::open(path.clone())?;
        assert_eq!(positions(&words, 1), [5, 9]);
        assert_eq!(words.of(&job(2)).next(), Some(&kept(2, 6)));
        assert_eq!(words.jobs().collect::<Vec<_>>(), [job(1), job(2)]);
        words.forget(&job(1))?;
        assert_eq!((positions(&words, 1), words.len()), (vec![], 1));
        words.keep([kept(3, 1)])?;
        assert_eq!(words.jobs().collect::<Vec<_>>(), [job(2), job(3)]);
        Ok(())
    }

    #[test]
    fn words_are_forgotten_by_their_receipts_and_read_beside_who_keeps_them() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("words");
        let other = |position, byte| {
            let mut kept = kept(1, position);
            kept.word.payload.receipt = Digest([byte; 32]);
            kept
        };
        let mut words = Acknowledgements::open(path.clone())?;
        words.keep([other(1, 1), other(2, 2), kept(2, 3)])?;
        words.forget_receipts(&job(1), &[Digest([1; 32]), Digest([4; 32])].into())?;
        assert_eq!(
            (positions(&words, 1), positions(&words, 2)),
            (vec![2], vec![3])
        );
        words.forget_receipts(&job(1), &[Digest([2; 32])].into())?;
        assert_eq!(words.jobs().collect::<Vec<_>>(), [job(2)]);
        // The file is as it was, for little of it is not wanted, and reading it changes nothing.
        assert_eq!(read(&path)?.len(), 3);
        words.keep([kept(3, 9)])?;
        assert_eq!(read(&path)?.len(), 4);
        Ok(())
    }

    #[test]
    fn what_is_torn_or_altered_is_passed_over_and_the_rest_is_there() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("words");
        let mut words = Acknowledgements::open(path.clone())?;
        words.keep((0..4).map(|position| kept(1, position)))?;
        let whole = fs::read(&path)?;
        let mut altered = whole.clone();
        altered[TAG.len() + RECORD_BYTES + 40] ^= 1;
        altered.truncate(whole.len() - 1);
        fs::write(&path, &altered)?;
        let mut words = Acknowledgements::open(path.clone())?;
        assert_eq!(positions(&words, 1), [0, 2]);
        words.keep([kept(1, 7)])?;
        assert_eq!(
            positions(&Acknowledgements::open(path.clone())?, 1),
            [0, 2, 7]
        );
        fs::write(&path, b"something else")?;
        assert!(Acknowledgements::open(path)?.is_empty());
        Ok(())
    }

    #[test]
    fn no_more_are_kept_than_the_limit_and_the_file_does_not_grow_for_ever() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("words");
        let mut words = Acknowledgements::open(path.clone())?;
        let one = kept(1, 0);
        // One word, as often as it may be kept and some more.
        words.keep(std::iter::repeat_n(one, WORDS_MAX + 3))?;
        assert_eq!(words.len(), WORDS_MAX);
        assert_eq!(words.of(&job(1)).count(), WORDS_MAX);
        words.keep(std::iter::repeat_n(kept(2, 0), WORDS_MAX))?;
        assert_eq!((words.len(), positions(&words, 1)), (WORDS_MAX, vec![]));
        let most = (2 * WORDS_MAX + SPENT_MIN) * RECORD_BYTES;
        assert!(fs::metadata(&path)?.len() as usize <= TAG.len() + most);
        words.forget(&job(2))?;
        let least = TAG.len() + SPENT_MIN * RECORD_BYTES;
        assert!(fs::metadata(&path)?.len() as usize <= least);
        Ok(())
    }
}
