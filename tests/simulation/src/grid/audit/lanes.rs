//! Lanes once more, from what is written of them: an account's draw is the first 8 bytes, little endian,
//! of SHA-256 over `quern/lane/1`, the job's seed and the account; its lane for a task is the finaliser
//! of SplitMix64 over the draw and the task, modulo the number of lanes; and replica k is for lane k.

use quern_primitives::ids::{AccountId, ReplicaIndex, TaskIndex};
use sha2::{Digest as _, Sha256};

/// Accounts for each lane, without which there are no lanes.
const ACCOUNTS_PER_LANE: usize = 8;

/// How many lanes there are of a job's tasks, of so many replicas, for so many accounts: the greatest
/// power of two that leaves each enough of them, up to 32, or as many as replicas if that is more. None
/// if there are too few accounts even for these.
pub(super) fn count(replicas: ReplicaIndex, accounts: usize) -> Option<ReplicaIndex> {
    let is_enough_for = |lanes: &ReplicaIndex| accounts >= ACCOUNTS_PER_LANE * usize::from(*lanes);
    let powers = [1, 2, 4, 8, 16, 32].into_iter();
    let most = powers.filter(is_enough_for).max()?;
    is_enough_for(&replicas).then_some(most.max(replicas))
}

/// Whether a replica is for an account, where a task has so many lanes.
pub(super) fn is_for(
    (seed, lanes): (&[u8; 32], ReplicaIndex),
    account: &AccountId,
    task: TaskIndex,
    replica: ReplicaIndex,
) -> bool {
    let mut hasher = Sha256::new();
    hasher.update(b"quern/lane/1");
    hasher.update(seed);
    hasher.update(AsRef::<[u8; 32]>::as_ref(account));
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    let draw = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let mut mixed = draw ^ u64::from(task).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let lanes = u64::from(lanes.max(1));
    mixed % lanes == u64::from(replica) % lanes
}
