//! A job's manifest: what travels beside the chain so that the job can be run and its result put
//! together. Its digest is on the chain, in the submission.
//!
//! It is sealed under the job's key, because arguments may be as private as the input. The
//! coordinator holds that key by delegation and reads it; devices get from it what their task
//! needs, and no more.

// What the codec derives for an enum casts the variant's number.
#![allow(clippy::cast_possible_truncation)]

mod validated;

pub use validated::{ManifestError, ValidatedManifest};

use crate::{
    chunks,
    context::Subject,
    keys::{JobKey, WrappedKey},
    seal::{
        Expected, ExpectedLength, OpenError, SealError, SealSalt, open_subject, seal_subject,
        sealed_bytes,
    },
};
use codec::{Decode, DecodeWithMemLimit, DecodeWithMemTracking, Encode};
use quern_primitives::{Digest, GenesisHash, JobId, ProgramHash, job::Submission};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Bytes of an encoded manifest before it is sealed: 65,536 shards of 96 bytes make 6 MiB, the rest
/// is for arguments.
pub const MANIFEST_BYTES_MAX: u64 = 31 * 1024 * 1024;

/// Bytes of a sealed manifest.
pub const SEALED_MANIFEST_BYTES_MAX: u64 = sealed_bytes(MANIFEST_BYTES_MAX);

/// Bytes of the name of an application that assembles the result.
pub const APPLICATION_NAME_BYTES_MAX: usize = 64;

/// Memory that decoding a manifest may take: three times the largest manifest, because short
/// arguments take more room decoded than encoded.
const DECODING_BYTES_MAX: usize = 96 * 1024 * 1024;

const VERSION: u8 = 1;

/// What a job's manifest says.
#[derive(Clone, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Manifest {
    /// The manifest's version, 1.
    version: u8,
    /// The job.
    pub job: JobId,
    /// The program that every task runs.
    pub program: ProgramHash,
    /// What every task's program is given first.
    pub arguments: Vec<Vec<u8>>,
    /// What each task's program is given after that, in task order; empty if there is nothing.
    pub task_arguments: Vec<Vec<Vec<u8>>>,
    /// The shards, in task order.
    pub shards: Vec<ShardEntry>,
    /// How the results become one.
    pub assembly: Assembly,
}

/// What a manifest says of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct ShardEntry {
    /// Its plaintext's length. The sealed length follows, see [`ShardEntry::sealed_bytes`].
    pub plaintext_bytes: u32,
    /// The root over the chunks of the sealed shard.
    pub chunk_root: Digest,
    /// Its key, under the job's.
    pub key: WrappedKey,
}

impl ShardEntry {
    /// The sealed shard's length.
    pub fn sealed_bytes(&self) -> u64 {
        sealed_bytes(self.plaintext_bytes.into())
    }
}

/// How results become one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Assembly {
    /// One behind the other, in task order.
    Concatenate,
    /// As the named application's assembler does it: lower-case letters, digits and hyphens, at
    /// most [`APPLICATION_NAME_BYTES_MAX`].
    Application(String),
}

/// A manifest as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedManifest {
    /// The sealed bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256, which the submission names.
    pub digest: Digest,
}

/// Why a sealed manifest was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenManifestError {
    /// It is longer than any manifest.
    #[error("the manifest has {found} bytes where {max} are allowed; refuse it")]
    TooLong {
        /// Sealed bytes.
        found: u64,
        /// Sealed bytes allowed.
        max: u64,
    },
    /// It is not the one submitted.
    #[error(
        "the manifest has the digest {found}, the job was submitted with {expected}; fetch it anew"
    )]
    OtherDigest {
        /// The digest in the submission.
        expected: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// The job's key is not the one submitted.
    #[error("the key is not the one the job was submitted with; delegate the right one")]
    OtherKey,
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What was sealed is no manifest.
    #[error("the manifest does not decode; the owner must submit the job anew")]
    Encoding {
        /// What the decoder said.
        #[source]
        source: codec::Error,
    },
    /// There are bytes behind the manifest.
    #[error("{count} bytes follow the manifest; the owner must submit the job anew")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// It contradicts the submission or a limit.
    #[error(transparent)]
    Invalid(#[from] ManifestError),
}

impl Manifest {
    /// A manifest without arguments whose results are put one behind the other.
    pub fn new(job: JobId, program: ProgramHash, shards: Vec<ShardEntry>) -> Self {
        Self {
            version: VERSION,
            job,
            program,
            arguments: Vec::new(),
            task_arguments: Vec::new(),
            shards,
            assembly: Assembly::Concatenate,
        }
    }

    /// The root over the shards' chunk roots, for the submission.
    pub fn shards_root(&self) -> Digest {
        chunks::shards_root(self.shards.iter().map(|shard| &shard.chunk_root))
    }

    /// Plaintext bytes of all shards together, for the submission.
    pub fn input_bytes(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| u64::from(shard.plaintext_bytes))
            .sum()
    }

    /// Seals the manifest under its job's key.
    pub fn seal(
        &self,
        genesis: GenesisHash,
        key: &JobKey,
        salt: SealSalt,
    ) -> Result<SealedManifest, SealError> {
        let subject = Subject::manifest(genesis, self.job, self.program);
        let secret = key.manifest_key(&self.job);
        let bytes = seal_subject(&secret, salt, subject, &self.encode())?.bytes;
        let digest = Digest(Sha256::digest(&bytes).into());
        Ok(SealedManifest { bytes, digest })
    }
}

/// Arguments may be private, so they do not print.
impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("job", &self.job)
            .field("program", &self.program)
            .field("shards", &self.shards.len())
            .field("assembly", &self.assembly)
            .finish_non_exhaustive()
    }
}

/// Opens the manifest of a submitted job and checks it against the submission.
pub fn open(
    genesis: GenesisHash,
    job: JobId,
    submission: &Submission,
    key: &JobKey,
    sealed: &[u8],
) -> Result<ValidatedManifest, OpenManifestError> {
    check_digest(submission, sealed)?;
    if !key.is_committed(&job, &submission.key_commitment) {
        return Err(OpenManifestError::OtherKey);
    }
    let subject = Subject::manifest(genesis, job, submission.program);
    let expected = Expected {
        subject,
        length: ExpectedLength::AnyOfItsKind,
    };
    let encoded = open_subject(&key.manifest_key(&job), &expected, sealed)?;
    let manifest = decode(&encoded)?;
    Ok(ValidatedManifest::check(
        manifest, genesis, job, submission,
    )?)
}

/// Checks, without any key, that sealed bytes are the manifest of a submission.
pub fn check_digest(submission: &Submission, sealed: &[u8]) -> Result<(), OpenManifestError> {
    let (found, max) = (sealed.len() as u64, SEALED_MANIFEST_BYTES_MAX);
    if found > max {
        return Err(OpenManifestError::TooLong { found, max });
    }
    let found = Digest(Sha256::digest(sealed).into());
    if found != submission.manifest {
        return Err(OpenManifestError::OtherDigest {
            expected: submission.manifest,
            found,
        });
    }
    Ok(())
}

/// Decodes what was sealed as a manifest. Whoever has the job's key may have sealed anything, so this
/// is a stranger's word like what is not sealed; it takes no more than 96 MiB.
pub fn decode(mut encoded: &[u8]) -> Result<Manifest, OpenManifestError> {
    // The version stands first, so that a later shape is named for what it is.
    if let Some(&found) = encoded.first().filter(|version| **version != VERSION) {
        return Err(ManifestError::UnknownVersion { found }.into());
    }
    let manifest = Manifest::decode_with_mem_limit(&mut encoded, DECODING_BYTES_MAX)
        .map_err(|source| OpenManifestError::Encoding { source })?;
    if encoded.is_empty() {
        Ok(manifest)
    } else {
        Err(OpenManifestError::TrailingBytes {
            count: encoded.len(),
        })
    }
}

#[cfg(test)]
mod tests;
