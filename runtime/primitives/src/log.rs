//! What is signed about a job's log. The chain decides disputes from these alone, so they are words
//! of both sides; the log itself is in `quern-joblog`.

mod acknowledgement;

pub use acknowledgement::{
    AcknowledgedRoot, Acknowledgement, Acknowledgements, SignedAcknowledgement,
};

use crate::{
    batch::Batch,
    hash::sha256,
    ids::{
        BatchSequence, DeviceId, Digest, GenesisHash, JobId, NodeKey, ReplicaIndex, RevealSalt,
        TaskIndex,
    },
    limits::REFEREES_MAX,
    payload::{NodeSigned, Signed, SignedPayload},
    receipt::Answer,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

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
    /// The hash of the block at [`Header::skipped_to`], a second ancestor that is mostly much further
    /// away; of the first block, [`Header::opening`].
    pub skip: Digest,
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
    const DOMAIN: &'static str = "quern/log-block/3";
}

impl Header {
    /// What the first block of a job's log follows: SHA-256 of `quern/log/1`, genesis and job.
    pub fn opening(genesis: &GenesisHash, job: &JobId) -> Digest {
        Digest(sha256(&[b"quern/log/1", &genesis.0, &job.0]))
    }

    /// The index of the block that a header at this index names as its `skip`; zero for the first block.
    ///
    /// An index is the sum of parts 2^k - 1, always the largest that fits (Myers, "An applicative
    /// random-access stack", 1983), and the last part is left out. So the second ancestor of the next
    /// block is the block before it, or the second ancestor's second ancestor of that.
    ///
    /// From any block to any earlier one there is a short way: to `skip` where that is not below the
    /// target, else to `previous`. By `skip` it drops at most k parts, each once but for the smallest,
    /// until the target is within the last part, of 2^k - 1 blocks. Below its last block are two parts
    /// half as long, so two headers more halve what is left: 3k - 2 in all. Below 2^32 blocks a part that
    /// is not the whole index has 2^31 - 1 at the most, and a way 91 headers; below 2^33 it has 94.
    pub fn skipped_to(index: u64) -> u64 {
        let mut rest = index;
        while rest > 0 {
            // As many ones as the rest has digits: the largest part, or one too large by half.
            let ones = u64::MAX.checked_shr(rest.leading_zeros()).unwrap_or(0);
            if ones == rest {
                break;
            }
            rest = rest.saturating_sub(ones / 2);
        }
        index.saturating_sub(rest)
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
        // No tag is nearly as long.
        let length = u8::try_from(Self::DOMAIN.len()).unwrap_or(u8::MAX);
        let tag = Self::DOMAIN.as_bytes();
        Digest(sha256(&[
            &[length],
            tag,
            &result_commitment.0,
            &salt.0,
            &device.0,
        ]))
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
    /// What was asked beside the input, as receipts have it.
    pub question: Digest,
    /// What came out.
    pub answer: Answer,
}

impl SignedPayload for RefereeReport {
    const DOMAIN: &'static str = "quern/referee-report/2";
}

/// A report and its referee's signature.
pub type SignedRefereeReport = NodeSigned<RefereeReport>;

/// A report, and whose it is.
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
pub struct RefereeStatement {
    /// The report.
    pub report: SignedRefereeReport,
    /// The network key that signed it.
    pub node: NodeKey,
}

/// What several masternodes say that came out of one task.
pub type RefereeStatements = BoundedVec<RefereeStatement, ConstU32<REFEREES_MAX>>;

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

    /// Headers from a block down to an earlier one, the upper one's counted and the lower one's not.
    fn way(from: u64, to: u64) -> usize {
        let (mut at, mut length) = (from, 0);
        while at > to {
            let skip = Header::skipped_to(at);
            at = if skip >= to { skip } else { at - 1 };
            length += 1;
        }
        length
    }

    #[test]
    fn a_second_ancestor_is_the_block_before_or_two_second_ancestors_before_that() {
        let first: Vec<_> = (0..16).map(Header::skipped_to).collect();
        assert_eq!(first, [0, 0, 1, 0, 3, 4, 3, 0, 7, 8, 7, 10, 11, 10, 7, 0]);
        for index in (1..100_000).chain(u64::MAX - 1_000..=u64::MAX) {
            let (before, skip) = (index - 1, Header::skipped_to(index));
            let further = Header::skipped_to(Header::skipped_to(before));
            assert!(skip == before || skip == further, "{index}");
        }
    }

    #[test]
    fn no_way_between_two_blocks_is_longer_than_three_headers_for_each_doubling() {
        for to in 0..=2_048 {
            for from in to..=2_048u64 {
                let doublings = (u64::BITS - from.leading_zeros()) as usize;
                assert!(way(from, to) <= 3 * doublings, "{from} to {to}");
            }
        }
        let longest = |most: u64| {
            let ways = (0..=most).flat_map(|to| (to..=most).map(move |from| way(from, to)));
            ways.max().unwrap()
        };
        assert_eq!([16, 64, 256, 1_024].map(longest), [7, 13, 19, 25]);
    }

    #[test]
    fn the_longest_way_below_two_to_the_32_has_91_headers() {
        // All parts below 2^31, the smallest twice, behind one of 2^31 - 1 of which the first block is the
        // target; and the last block of all.
        let parts: u64 = (1..=30).map(|k| (1u64 << k) - 1).sum();
        let longest = (1u64 << 31) - 1 + parts + 1;
        assert!(longest < 1 << 32);
        assert_eq!(way(longest, 1), 91);
        assert_eq!(way((1 << 32) - 1, 1), 62);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4_096))]

        #[test]
        fn no_way_in_a_log_of_less_than_two_to_the_32_blocks_is_longer(
            from in 0u64..1 << 32, part in 0u32..32, within: u64,
        ) {
            // Near the upper block, near the first, and anywhere between.
            let to = from - within % (from >> part).max(1).min(from.max(1));
            proptest::prop_assert!(way(from, to) <= 91);
            proptest::prop_assert!(way(from, from - to) <= 91);
        }
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
