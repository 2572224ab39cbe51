//! What is signed about a job's log. The chain decides disputes from these alone, so they are words
//! of both sides; the log itself is in `quern-joblog`.

use crate::{
    batch::Batch,
    ids::{
        BatchSequence, DeviceId, Digest, GenesisHash, JobId, ReplicaIndex, RevealSalt, TaskIndex,
    },
    payload::{NodeSigned, Signed, SignedPayload},
    receipt::Answer,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sha2::{Digest as _, Sha256};

/// What a coordinator signs of a block of its job's log. The entries hang on it by their root, so that
/// two blocks for one place are proved by two headers, and one entry by a header and a few hashes.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Header {
    /// The job.
    pub job: JobId,
    /// The block's place in the log, counted from zero.
    pub index: u64,
    /// The hash of the block before; of the first block, [`Header::opening`].
    pub previous: Digest,
    /// The coordinator's clock, in milliseconds since 1970; never before that of the block before.
    pub time_ms: u64,
    /// The position of the first entry. Positions count entries through all blocks.
    pub first: u64,
    /// Number of entries, at least one.
    pub count: u32,
    /// Bytes of the encoded entries together.
    pub bytes: u32,
    /// Merkle root over the encoded entries, in order.
    pub entries_root: Digest,
}

impl SignedPayload for Header {
    const DOMAIN: &'static str = "quern/log-block/1";
}

impl Header {
    /// What the first block of a job's log follows: SHA-256 of `quern/log/1`, genesis and job.
    pub fn opening(genesis: &GenesisHash, job: &JobId) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(b"quern/log/1");
        hasher.update(genesis.0);
        hasher.update(job.0);
        Digest(hasher.finalize().into())
    }

    /// The block's hash, which is also what is signed of it.
    pub fn hash(&self, genesis: &GenesisHash) -> Digest {
        Digest(self.signing_digest(genesis))
    }
}

/// A block's header and its coordinator's signature.
pub type SignedHeader = NodeSigned<Header>;

/// A masternode's word that it has replayed a job's log up to a block, that all of it holds, and that a
/// batch is what follows from it. A member of the job's group signs it; if the batch is wrong, it is
/// evidence against who signed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Certificate {
    /// The job.
    pub job: JobId,
    /// The batch's place in the job.
    pub sequence: BatchSequence,
    /// The place of the last block of the log that the batch rests on.
    pub index: u64,
    /// That block's hash.
    pub head: Digest,
    /// See [`Batch::digest`]; of a job's end, see [`CertifiedEnd`](crate::batch::CertifiedEnd).
    pub batch: Digest,
}

impl Certificate {
    /// What is signed of a batch that rests on a log up to the block of this place and hash.
    pub fn of(batch: &Batch, index: u64, head: Digest) -> Self {
        Self {
            job: batch.job,
            sequence: batch.sequence,
            index,
            head,
            batch: batch.digest(),
        }
    }
}

impl SignedPayload for Certificate {
    const DOMAIN: &'static str = "quern/certificate/1";
}

/// A certificate and its masternode's signature.
pub type SignedCertificate = NodeSigned<Certificate>;

/// A coordinator's word that it has taken a device's work, and where its log says so. With it a device
/// can show that its work was left out.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Acknowledgement {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device whose work was taken.
    pub device: DeviceId,
    /// SHA-256 of the encoded signed receipt.
    pub receipt: Digest,
    /// The position in the job's log of the entry that has the receipt.
    pub position: u64,
}

impl SignedPayload for Acknowledgement {
    const DOMAIN: &'static str = "quern/acknowledgement/1";
}

/// An acknowledgement and its coordinator's signature.
pub type SignedAcknowledgement = NodeSigned<Acknowledgement>;

/// A device's word that it has computed a replica, which does not tell yet what came out, so that
/// nobody can copy it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Commitment {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device that computed it and signs.
    pub device: DeviceId,
    /// The place in the job log at which the replica was assigned.
    pub log_position: u64,
    /// See [`Commitment::to`].
    pub commitment: Digest,
}

impl SignedPayload for Commitment {
    const DOMAIN: &'static str = "quern/commitment/1";
}

impl Commitment {
    /// What commits a device to a result: SHA-256 of the length of the tag (one byte) and the tag
    /// `quern/commitment/1`, the result commitment, a salt that only the device knows, and its name.
    pub fn to(result_commitment: &Digest, salt: &RevealSalt, device: &DeviceId) -> Digest {
        let mut hasher = Sha256::new();
        // No tag is nearly as long.
        hasher.update([u8::try_from(Self::DOMAIN.len()).unwrap_or(u8::MAX)]);
        hasher.update(Self::DOMAIN.as_bytes());
        hasher.update(result_commitment.0);
        hasher.update(salt.0);
        hasher.update(device.0);
        Digest(hasher.finalize().into())
    }
}

/// A commitment and its device's signature.
pub type SignedCommitment = Signed<Commitment>;

/// A masternode's word on what a task's result is, because it has computed it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct RefereeReport {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// What came out.
    pub answer: Answer,
}

impl SignedPayload for RefereeReport {
    const DOMAIN: &'static str = "quern/referee-report/1";
}

/// A report and its referee's signature.
pub type SignedRefereeReport = NodeSigned<RefereeReport>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_opens_differently_for_each_job_and_chain() {
        let opening =
            |genesis: u8, job: u8| Header::opening(&GenesisHash([genesis; 32]), &JobId([job; 32]));
        assert_ne!(opening(1, 2), opening(2, 2));
        assert_ne!(opening(1, 2), opening(1, 3));
        assert_ne!(opening(1, 2), opening(2, 1));
    }

    #[test]
    fn a_commitment_copied_by_another_device_commits_it_to_nothing() {
        let result = Digest([1; 32]);
        let commitment = |salt: u8, device: u8| {
            Commitment::to(&result, &RevealSalt([salt; 32]), &DeviceId([device; 32]))
        };
        let own = commitment(2, 3);
        assert_ne!(own, commitment(2, 4));
        assert_ne!(own, commitment(3, 3));
        assert_eq!(own, commitment(2, 3));
    }
}
