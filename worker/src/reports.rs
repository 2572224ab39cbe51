//! Finished tasks on disk, until they are acknowledged.
//!
//! A file is a tag, the SHA-256 of the rest, and the rest: the masternode, what shows that the shard was
//! here, the signed receipt, the signed commitment if there is one, and the sealed result, in SCALE. It is written beside its place and
//! moved there, so that it is there whole or not at all; what is torn all the same does not match its
//! digest and is dropped. What is worth it is synced, so that it outlives a power cut; the rest outlives
//! the worker.

use crate::{
    core::{Finished, Restored, Sealed},
    limits::UNACKNOWLEDGED_MAX,
};
use codec::{Decode, DecodeAll, Encode};
use quern_primitives::{
    ids::{DeviceId, Digest},
    limits::RESULT_BYTES_MAX,
    log::SignedCommitment,
    receipt::SignedReceipt,
};
use quern_protocol::{ReplicaId, limits::INLINE_RESULT_BYTES_MAX};
use quern_shards::seal::sealed_bytes;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

const TAG: &[u8; 16] = b"quern/report/3\n\0";

/// Bytes of the longest file: the longest sealed result and some for the receipt.
const FILE_BYTES_MAX: u64 = sealed_bytes(RESULT_BYTES_MAX as u64) + 4_096;

/// One file's contents.
#[derive(Encode, Decode)]
pub(crate) struct Kept {
    /// Whom the report is for.
    pub(crate) masternode: DeviceId,
    /// What shows that the shard was here.
    pub(crate) shown: Digest,
    /// The device's signed statement.
    pub(crate) receipt: SignedReceipt,
    /// What the device commits itself to, if it is to.
    pub(crate) commitment: Option<SignedCommitment>,
    /// The sealed result.
    pub(crate) sealed: Vec<u8>,
}

/// Why there is no report to be had from a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    #[error("it is torn or altered")]
    Damaged,
}

/// The folder of kept reports. Clones share it.
#[derive(Clone)]
pub(crate) struct Reports {
    folder: Arc<Path>,
    /// What is in it, so that nothing is looked for that was never written.
    kept: Arc<Mutex<BTreeSet<ReplicaId>>>,
}

impl Reports {
    /// Opens the folder, which is made if it is not there, and reads what is in it.
    pub(crate) fn open(folder: PathBuf) -> io::Result<(Self, Vec<Restored>)> {
        fs::create_dir_all(&folder)?;
        let mut restored = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_none_or(|extension| extension != "report")
            {
                // Half written when the worker was killed.
                fs::remove_file(&path)?;
                continue;
            }
            match load(&path) {
                Ok(kept) if restored.len() < UNACKNOWLEDGED_MAX => restored.push(restore(kept)),
                Ok(_) => fs::remove_file(&path)?,
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a kept report is dropped");
                    fs::remove_file(&path)?;
                }
            }
        }
        let kept = restored.iter().map(Restored::id).collect();
        let reports = Self {
            folder: folder.into(),
            kept: Arc::new(Mutex::new(kept)),
        };
        Ok((reports, restored))
    }

    /// Keeps a finished task. When this returns it is with the system; if it is synced, it is on disk.
    pub(crate) fn keep(&self, id: ReplicaId, kept: Kept, is_synced: bool) -> io::Result<()> {
        let body = kept.encode();
        let path = self.path(&id);
        let unfinished = path.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(TAG)?;
        file.write_all(&Sha256::digest(&body))?;
        file.write_all(&body)?;
        if is_synced {
            file.sync_all()?;
        }
        fs::rename(&unfinished, &path)?;
        if is_synced {
            File::open(&self.folder)?.sync_all()?;
        }
        self.lock().insert(id);
        Ok(())
    }

    /// The sealed result of a kept report.
    pub(crate) fn sealed(&self, id: &ReplicaId) -> Result<Vec<u8>, LoadError> {
        load(&self.path(id)).map(|kept| kept.sealed)
    }

    /// Whether a report is kept.
    pub(crate) fn has(&self, id: &ReplicaId) -> bool {
        self.lock().contains(id)
    }

    /// Drops a report, if it is kept.
    pub(crate) fn forget(&self, id: &ReplicaId) {
        if self.lock().remove(id)
            && let Err(error) = fs::remove_file(self.path(id))
        {
            tracing::warn!(%error, "a report that is no longer needed stays on disk");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<ReplicaId>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &ReplicaId) -> PathBuf {
        let ReplicaId { job, task, replica } = id;
        self.folder
            .join(format!("{}-{task}-{replica}.report", hex::encode(job.0)))
    }
}

fn load(path: &Path) -> Result<Kept, LoadError> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    let body = bytes.strip_prefix(TAG).ok_or(LoadError::Damaged)?;
    let (digest, body) = body.split_at_checked(32).ok_or(LoadError::Damaged)?;
    if Sha256::digest(body)[..] != *digest {
        return Err(LoadError::Damaged);
    }
    Kept::decode_all(&mut &body[..]).map_err(|_| LoadError::Damaged)
}

fn restore(kept: Kept) -> Restored {
    let Kept {
        masternode,
        shown,
        receipt,
        commitment,
        sealed,
    } = kept;
    let sealed = if sealed.len() <= INLINE_RESULT_BYTES_MAX {
        Sealed::Here(sealed)
    } else {
        Sealed::Kept {
            bytes: sealed.len() as u64,
        }
    };
    Restored {
        masternode,
        finished: Finished {
            shown,
            receipt,
            commitment,
            sealed,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{
        device::Class,
        ids::{GenesisHash, JobId, ProgramHash},
        log::Commitment,
        payload::DeviceKey,
        receipt::{Exit, Receipt},
    };

    const HOME: DeviceId = DeviceId([1; 32]);

    fn receipt(task: u32) -> SignedReceipt {
        let key = DeviceKey::from_seed(&[2; 32]);
        let receipt = Receipt {
            job: JobId([3; 32]),
            task,
            replica: 1,
            device: key.id(),
            program: ProgramHash::default(),
            input_root: Digest::default(),
            question: Digest([46; 32]),
            result_commitment: Digest::default(),
            output_root: Digest::default(),
            result_bytes: 5,
            fuel: 6,
            exit: Exit::Success,
            class: Class::Pinned,
            engine: Digest::default(),
            log_position: 7,
            salt: [90; 32].into(),
        };
        key.sign(receipt, &GenesisHash::default())
    }

    fn committed(task: u32) -> SignedCommitment {
        let receipt = receipt(task).payload;
        let commitment = Commitment {
            job: receipt.job,
            task,
            replica: receipt.replica,
            device: receipt.device,
            log_position: receipt.log_position,
            commitment: receipt.commitment(),
        };
        DeviceKey::from_seed(&[2; 32]).sign(commitment, &GenesisHash::default())
    }

    fn kept(task: u32, sealed: Vec<u8>) -> Kept {
        Kept {
            masternode: HOME,
            shown: Digest([11; 32]),
            receipt: receipt(task),
            commitment: None,
            sealed,
        }
    }

    fn id(task: u32) -> ReplicaId {
        ReplicaId {
            job: JobId([3; 32]),
            task,
            replica: 1,
        }
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Reports::open(folder.path().join("reports")).unwrap();
        let (reports, restored) = open();
        assert_eq!(restored, []);
        let large = vec![9; INLINE_RESULT_BYTES_MAX + 1];
        let commitment = committed(1);
        let small = Kept {
            commitment: Some(commitment),
            ..kept(1, vec![8; 10])
        };
        // Also what is not synced is there, if only the worker ends.
        reports.keep(id(1), small, false).unwrap();
        reports.keep(id(2), kept(2, large.clone()), true).unwrap();

        let (reports, mut restored) = open();
        restored.sort_by_key(Restored::id);
        let sealed: Vec<_> = restored
            .iter()
            .map(|report| report.finished.sealed.clone())
            .collect();
        assert_eq!(
            sealed,
            [
                Sealed::Here(vec![8; 10]),
                Sealed::Kept {
                    bytes: large.len() as u64
                }
            ]
        );
        assert_eq!(restored[0].finished.receipt, receipt(1));
        assert_eq!(restored[0].finished.commitment, Some(commitment));
        assert_eq!(restored[0].finished.shown, Digest([11; 32]));
        assert_eq!(restored[1].finished.commitment, None);
        assert_eq!(reports.sealed(&id(2)).unwrap(), large);
        assert!(reports.has(&id(1)) && !reports.has(&id(3)));

        reports.forget(&id(1));
        reports.forget(&id(3));
        assert_eq!(open().1.len(), 1);
    }

    #[test]
    fn a_torn_or_altered_report_is_noticed_and_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (reports, _) = Reports::open(folder.path().into()).unwrap();
        reports.keep(id(1), kept(1, vec![8; 100]), true).unwrap();
        let path = reports.path(&id(1));
        let whole = fs::read(&path).unwrap();
        for end in [0, 10, 16, 30, 48, whole.len() - 1] {
            fs::write(&path, &whole[..end]).unwrap();
            assert_eq!(
                Reports::open(folder.path().into()).unwrap().1,
                [],
                "cut at {end}"
            );
            assert!(!path.exists());
        }
        for place in [0, 20, 60, whole.len() - 1] {
            let mut altered = whole.clone();
            altered[place] ^= 1;
            fs::write(&path, &altered).unwrap();
            assert_eq!(
                Reports::open(folder.path().into()).unwrap().1,
                [],
                "altered at {place}"
            );
        }
        fs::write(path.with_extension("unfinished"), &whole).unwrap();
        assert_eq!(Reports::open(folder.path().into()).unwrap().1, []);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
