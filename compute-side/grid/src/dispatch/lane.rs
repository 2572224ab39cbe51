//! Lanes: which accounts may have which replica of a task.
//!
//! For each task, accounts are spread over as many lanes as it has replicas, by a seed that is drawn
//! after the job is committed; a replica is for the accounts of its lane. So nobody can choose which
//! tasks to get hold of, and accounts that act together cannot race to all replicas of one: those in
//! one lane can have one of them.
//!
//! Whoever knows the seed can compute which lane an account is in: its draw is the first 8 bytes, little
//! endian, of SHA-256 over `quern/lane/1`, the seed and the account; its lane for a task is [`mix`] of
//! the draw and the task, modulo the number of lanes. Whether an assignment kept to it cannot be found
//! out afterwards: where few accounts are there is one lane, and what nobody of its lane takes is for all
//! after a while, and of neither there is a record.

#[cfg(test)]
mod model;

use crate::pools::ACCOUNTS_COUNTED_MAX;
use quern_primitives::{
    ids::{AccountId, ReplicaIndex, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
};
use sha2::{Digest as _, Sha256};

/// Accounts for each lane at the least, so that a lane is seldom without an idle device; where there
/// are fewer, all are in one.
const ACCOUNTS_PER_LANE_MIN: u32 = 8;

const _: () = assert!(ACCOUNTS_PER_LANE_MIN * REPLICAS_PER_TASK_MAX as u32 <= ACCOUNTS_COUNTED_MAX);

/// The lanes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    seed: [u8; 32],
    count: u8,
}

impl Lanes {
    pub(super) fn new(seed: [u8; 32], replicas: ReplicaIndex, accounts: u32) -> Self {
        let count = replicas.max(1);
        let enough = accounts >= ACCOUNTS_PER_LANE_MIN.saturating_mul(count.into());
        Self {
            seed,
            count: if enough { count } else { 1 },
        }
    }

    /// What an account's lanes follow from.
    pub(super) fn draw(&self, account: &AccountId) -> u64 {
        if self.count == 1 {
            return 0;
        }
        let mut hasher = Sha256::new();
        hasher.update(b"quern/lane/1");
        hasher.update(self.seed);
        hasher.update(AsRef::<[u8; 32]>::as_ref(account));
        let digest: [u8; 32] = hasher.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_le_bytes(first)
    }

    /// Whether an account with this draw may have a replica.
    pub(super) fn admit(&self, draw: u64, task: TaskIndex, replica: ReplicaIndex) -> bool {
        let lanes = u64::from(self.count);
        lanes == 1 || mix(draw, task) % lanes == u64::from(replica) % lanes
    }
}

/// Spreads a draw over tasks: the finaliser of SplitMix64.
fn mix(draw: u64, task: TaskIndex) -> u64 {
    let mut z = draw ^ u64::from(task).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u16) -> AccountId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_le_bytes());
        AccountId::new(bytes)
    }

    #[test]
    fn an_account_is_in_one_lane_of_each_task_and_in_all_of_them_over_many() {
        let lanes = Lanes::new([9; 32], 3, 1_000);
        let mut seen = [0; 3];
        for task in 0..3_000 {
            let draw = lanes.draw(&account(task as u16));
            let open: Vec<u8> = (0..3)
                .filter(|replica| lanes.admit(draw, task, *replica))
                .collect();
            assert_eq!(open.len(), 1);
            seen[usize::from(open[0])] += 1;
        }
        // A thousand each are expected, with a standard deviation of 26.
        assert!(
            seen.iter().all(|count| (880..1_120).contains(count)),
            "{seen:?}"
        );
    }

    #[test]
    fn where_there_are_few_accounts_every_replica_is_for_all_of_them() {
        let lanes = Lanes::new([9; 32], 3, 23);
        let draw = lanes.draw(&account(1));
        assert!((0..100).all(|task| lanes.admit(draw, task, 2)));
    }

    #[test]
    fn another_seed_spreads_otherwise() {
        let pattern = |seed| -> Vec<bool> {
            let lanes = Lanes::new([seed; 32], 3, 100);
            let draw = lanes.draw(&account(1));
            (0..64).map(|task| lanes.admit(draw, task, 0)).collect()
        };
        assert_ne!(pattern(1), pattern(2));
    }
}
