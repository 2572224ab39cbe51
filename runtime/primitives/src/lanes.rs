//! Lanes: which replica of a task is at first for which accounts, as anybody can compute it.
//!
//! Where a task has lanes, each account is in one of them, by a draw that nobody knew when the job was
//! submitted, and replica k is for the accounts of lane k. How many lanes there are is for who gives
//! replicas out to say: it writes down in how many it gave each ([`can_be`] says which numbers there are),
//! and whoever has the job's seed can tell whether the account is in that lane ([`Draw::is_for`]).
//!
//! | what | how |
//! | --- | --- |
//! | seed | SHA-256 over `quern/lanes/1`, the hash of the block before the one in which the job's group was drawn, 32 bytes of what that block's author could not choose, and the job |
//! | draw | the first 8 bytes, little endian, of SHA-256 over `quern/lane/1`, the seed and the account |
//! | lane | the finaliser of SplitMix64 over the draw and the task, modulo the number of lanes |

use crate::{
    hash::{number, sha256},
    ids::{AccountId, Digest, JobId, ReplicaIndex, TaskIndex},
};

/// Lanes at the most. As many open replicas are looked at, on average, until there is one for a device.
pub const LANES_MAX: u8 = 32;

/// The number that says that a replica was for all.
pub const OPEN_TO_ALL: u8 = 1;

/// What a job's lanes follow from: the hash of the block before the one in which its group was drawn, and the
/// randomness that the author of that one brought.
///
/// Who makes a block can choose its hash, by the transactions and their order, but not the output of the verifiable
/// random function of its slot, which it knows before. So who makes one of the two blocks can choose nothing but to
/// make none; it takes both.
pub fn seed(before: &[u8; 32], random: &[u8; 32], job: &JobId) -> Digest {
    Digest(sha256(&[b"quern/lanes/1", before, random, &job.0]))
}

/// What an account's lanes follow from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Draw(u64);

impl Draw {
    /// The draw of an account, by the seed of a job.
    pub fn of(seed: &[u8; 32], account: &AccountId) -> Self {
        let account: &[u8; 32] = account.as_ref();
        Self(number(&[b"quern/lane/1", seed, account]))
    }

    /// Whether a replica is for the account, where its task has so many lanes. Where it has none, or one,
    /// every replica is for all.
    pub fn is_for(self, task: TaskIndex, replica: ReplicaIndex, lanes: u8) -> bool {
        let lanes = u64::from(lanes);
        let lane = self.mixed(task).checked_rem(lanes);
        lane == u64::from(replica).checked_rem(lanes)
    }

    /// Spreads the draw over tasks.
    fn mixed(self, task: TaskIndex) -> u64 {
        let mut z = self.0 ^ u64::from(task).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Whether a replica may be given in so many lanes, of a task that has so many replicas at first: it is for
/// all; or, if there are several replicas, in as many lanes as these, or in a power of two that is more, up
/// to [`LANES_MAX`].
pub fn can_be(lanes: u8, replicas: ReplicaIndex) -> bool {
    let is_power = lanes.is_power_of_two() && (replicas..=LANES_MAX).contains(&lanes);
    lanes == OPEN_TO_ALL || (replicas > 1 && (lanes == replicas || is_power))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> JobId {
        let mut job = [0; 32];
        job[0] = 1;
        JobId(job)
    }

    fn account(n: u8) -> AccountId {
        let mut bytes = [0; 32];
        bytes[0] = n;
        AccountId::new(bytes)
    }

    /// The auditors' guide computes the same by other means.
    #[test]
    fn the_seed_of_lanes_is_a_digest_of_a_block_s_hash_the_next_one_s_randomness_and_the_job() {
        let seed = seed(&[7; 32], &[8; 32], &job());
        let digits: String = seed.0.iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(
            digits,
            "867b199b9aa458c300f9014f5466aafa5fec8dad65575a83343782603afee3cd"
        );
    }

    /// The auditors' guide computes the same by other means.
    #[test]
    fn an_account_is_in_the_lanes_that_the_auditors_guide_says() {
        let draw = Draw::of(&seed(&[7; 32], &[8; 32], &job()).0, &account(2));
        for (task, lane) in (0..).zip([2, 25, 18, 0, 11, 18, 12, 31]) {
            let its = (0..32).filter(|replica| draw.is_for(task, *replica, 32));
            assert_eq!(its.collect::<Vec<_>>(), [lane], "{task}");
        }
    }

    #[test]
    fn every_replica_is_for_all_where_there_is_one_lane_or_none() {
        let draw = Draw::of(&[9; 32], &account(1));
        for lanes in [0, OPEN_TO_ALL] {
            assert!((0..100).all(|task| draw.is_for(task, 14, lanes)));
        }
    }

    #[test]
    fn what_is_for_an_account_of_more_lanes_is_for_it_of_half_as_many() {
        for task in 0..1_000 {
            let draw = Draw::of(&[9; 32], &account(task as u8));
            for (replica, lanes) in (0..15).flat_map(|it| [4, 8, 16, 32].map(|lanes| (it, lanes))) {
                let is_for = |lanes| draw.is_for(task, replica, lanes);
                assert!(!is_for(lanes) || is_for(lanes / 2), "{replica} {lanes}");
            }
        }
    }

    #[test]
    fn lanes_are_as_many_as_replicas_or_a_power_of_two_above() {
        for (replicas, can) in [
            (0, vec![1]),
            (1, vec![1]),
            (2, vec![1, 2, 4, 8, 16, 32]),
            (3, vec![1, 3, 4, 8, 16, 32]),
            (5, vec![1, 5, 8, 16, 32]),
            (9, vec![1, 9, 16, 32]),
            (15, vec![1, 15, 16, 32]),
        ] {
            let all = (0..=u8::MAX).filter(|lanes| can_be(*lanes, replicas));
            assert_eq!(all.collect::<Vec<_>>(), can, "{replicas}");
        }
    }
}
