//! The file that evidence is kept in. `docs/format.md` describes it.

use super::words;
use codec::{DecodeAll as _, DecodeLimit as _, Encode as _};
use quern_dispute_rules::{
    Evidence, Reply,
    evidence::LEAF_BYTES_MAX,
    sum::{STEP_VERDICTS_MAX, Step},
};
use quern_primitives::{GenesisHash, JobId, ids::BatchSequence, limits::VERDICTS_PER_BATCH_MAX};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// The version of the file that is written and read.
const VERSION: u8 = 1;

/// Bytes of such a file: all verdicts of a batch, 4,096 of 2 kB, are 17 MB as digits.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// How deep evidence may be nested; it is bounded by its types.
const DEPTH_MAX: u32 = 16;

/// Why a file is no evidence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvidenceFileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is too long.
    #[error("{} has more than {FILE_BYTES_MAX} bytes; evidence has fewer", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is no such JSON.
    #[error("{} is no file of evidence", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Another version wrote it.
    #[error(
        "the evidence has version {found}, and this program knows {VERSION}; take the program that wrote it"
    )]
    Version {
        /// Its version.
        found: u8,
    },
    /// It is of another chain.
    #[error(
        "the evidence is of the chain {found}, and the node is of {expected}; ask a node of that chain with --node"
    )]
    OtherChain {
        /// Whose it is.
        found: GenesisHash,
        /// The node's.
        expected: GenesisHash,
    },
    /// The bytes are none.
    #[error("the bytes of {what} are none; write the file again")]
    Bytes {
        /// Of what.
        what: &'static str,
    },
}

/// Evidence as it is kept in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvidenceFile {
    version: u8,
    /// The chain.
    genesis: GenesisHash,
    /// The job.
    job: JobId,
    /// The batch, if it is about one.
    batch: Option<BatchSequence>,
    /// What it says, for people; nobody else reads it.
    summary: String,
    /// The evidence's SCALE encoding, as `0x` and hexadecimal digits.
    evidence: String,
    /// Of evidence that a batch pays something else than its verdicts make: these, in the order of the
    /// batch's tree, encoded in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    verdicts: Vec<String>,
}

impl EvidenceFile {
    /// Evidence for this chain, with the verdicts' bytes if it is about their sum.
    pub(crate) fn new(
        genesis: GenesisHash,
        evidence: &Evidence,
        verdicts: impl IntoIterator<Item = Vec<u8>>,
    ) -> Self {
        let subject = evidence.subject();
        Self {
            version: VERSION,
            genesis,
            job: subject.job,
            batch: subject.batch,
            summary: words::evidence(evidence).into(),
            evidence: written(&evidence.encode()),
            verdicts: verdicts.into_iter().map(|it| written(&it)).collect(),
        }
    }

    /// Reads a file of evidence for this chain.
    pub(crate) fn read(path: &Path, genesis: GenesisHash) -> Result<Self, EvidenceFileError> {
        let bytes = bytes_of(path)?;
        let file: Self = serde_json::from_slice(&bytes).map_err(|source| {
            let path = path.to_owned();
            EvidenceFileError::Json { path, source }
        })?;
        file.check(genesis)
    }

    fn check(self, genesis: GenesisHash) -> Result<Self, EvidenceFileError> {
        if self.version != VERSION {
            return Err(EvidenceFileError::Version {
                found: self.version,
            });
        }
        if self.genesis != genesis {
            return Err(EvidenceFileError::OtherChain {
                found: self.genesis,
                expected: genesis,
            });
        }
        if self.verdicts.len() > VERDICTS_PER_BATCH_MAX as usize {
            return Err(EvidenceFileError::Bytes { what: "verdicts" });
        }
        Ok(self)
    }

    /// The evidence.
    pub(crate) fn evidence(&self) -> Result<Evidence, EvidenceFileError> {
        let none = EvidenceFileError::Bytes { what: "evidence" };
        let Some(bytes) = read(&self.evidence) else {
            return Err(none);
        };
        Evidence::decode_all_with_depth_limit(DEPTH_MAX, &mut &bytes[..]).map_err(|_| none)
    }

    /// What it says, by its bytes and not by its summary.
    pub(super) fn says(&self) -> Result<&'static str, EvidenceFileError> {
        Ok(words::evidence(&self.evidence()?))
    }

    /// The verdicts that are added up, as many a step as the chain takes.
    pub(crate) fn steps(&self) -> Result<Vec<Step>, EvidenceFileError> {
        let none = || EvidenceFileError::Bytes { what: "verdicts" };
        let step = |some: &[String]| -> Option<Step> {
            let mut step = Step::default();
            for text in some {
                let leaf = read(text).filter(|it| it.len() <= LEAF_BYTES_MAX as usize)?;
                step.try_push(leaf.try_into().ok()?).ok()?;
            }
            Some(step)
        };
        let steps = self.verdicts.chunks(STEP_VERDICTS_MAX as usize).map(step);
        steps.collect::<Option<Vec<_>>>().ok_or_else(none)
    }
}

/// Reads a reply: its bytes as hexadecimal digits.
pub(super) fn reply(path: &Path) -> Result<Reply, EvidenceFileError> {
    let none = || EvidenceFileError::Bytes { what: "the reply" };
    let text = String::from_utf8(bytes_of(path)?).map_err(|_| none())?;
    let bytes = read(text.trim()).ok_or_else(none)?;
    Reply::decode_all(&mut &bytes[..]).map_err(|_| none())
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, EvidenceFileError> {
    let unread = |source| EvidenceFileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unread)?;
    let mut bytes = Vec::new();
    let most = FILE_BYTES_MAX.saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let path = path.to_owned();
        return Err(EvidenceFileError::TooLong { path });
    }
    Ok(bytes)
}

fn written(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn read(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix("0x")?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_dispute_rules::evidence::{BatchName, Withheld};

    const HERE: GenesisHash = GenesisHash([1; 32]);

    fn batch() -> BatchName {
        BatchName {
            job: JobId([7; 32]),
            sequence: 3,
        }
    }

    fn saved(file: &EvidenceFile) -> tempfile::NamedTempFile {
        let there = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(there.path(), serde_json::to_vec(file).unwrap()).unwrap();
        there
    }

    #[test]
    fn what_is_written_is_read_again_and_says_what_it_is_about() {
        let evidence = Evidence::Withheld {
            batch: batch(),
            what: Withheld::Verdict { task: 9 },
        };
        let file = EvidenceFile::new(HERE, &evidence, []);
        let read = EvidenceFile::read(saved(&file).path(), HERE).unwrap();
        assert_eq!((read.job, read.batch), (JobId([7; 32]), Some(3)));
        assert_eq!(read.summary, "nobody shows a task's verdict");
        assert_eq!(read.evidence().unwrap(), evidence);
        assert!(read.steps().unwrap().is_empty());
    }

    #[test]
    fn verdicts_are_cut_into_steps_that_the_chain_takes() {
        let evidence = Evidence::Payouts { batch: batch() };
        let verdicts = (0..600_u32).map(|number| number.to_le_bytes().to_vec());
        let file = EvidenceFile::new(HERE, &evidence, verdicts);
        let steps = file.steps().unwrap();
        let sizes: Vec<_> = steps.iter().map(|step| step.len()).collect();
        assert_eq!(sizes, [256, 256, 88]);
        assert_eq!(steps[2][87].to_vec(), 599_u32.to_le_bytes());
        let long = EvidenceFile::new(HERE, &evidence, [vec![0; 2_049]]);
        assert!(long.steps().is_err());
    }

    #[test]
    fn what_is_of_another_chain_or_version_or_no_evidence_is_refused() {
        let evidence = Evidence::Payouts { batch: batch() };
        let file = EvidenceFile::new(HERE, &evidence, []);
        let other = GenesisHash([2; 32]);
        let refused = EvidenceFile::read(saved(&file).path(), other).unwrap_err();
        assert!(matches!(refused, EvidenceFileError::OtherChain { .. }));
        let newer = EvidenceFile {
            version: 2,
            ..file.clone()
        };
        let refused = EvidenceFile::read(saved(&newer).path(), HERE).unwrap_err();
        assert!(matches!(refused, EvidenceFileError::Version { found: 2 }));
        let longer = format!("{}00", file.evidence);
        for text in ["", "0x", "0xzz", "07", "0xff", longer.as_str()] {
            let broken = EvidenceFile {
                evidence: text.into(),
                ..file.clone()
            };
            assert!(broken.evidence().is_err(), "{text}");
        }
        let there = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(there.path(), b"{}").unwrap();
        let refused = EvidenceFile::read(there.path(), HERE).unwrap_err();
        assert!(matches!(refused, EvidenceFileError::Json { .. }));
    }
}
