//! Lanes once more, from what is written of them: an account's draw is the first 8 bytes, little endian,
//! of SHA-256 over `quern/lane/1`, the job's seed and the account; its lane for a task is the finaliser
//! of SplitMix64 over the draw and the task, modulo the number of lanes; and replica k is for lane k. An
//! account with a large part of the devices is also in one of fewer.

use super::{Audit, Books, Work};
use quern_grid::Tuning;
use quern_masternode::core::Tick;
use quern_primitives::ids::{AccountId, ReplicaIndex, TaskIndex};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

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

/// The numbers of lanes, in one of which each an account may be that has no more than so many of a job's
/// devices, of which there are no fewer than that. Of powers of two it is in one of the greatest that
/// leaves it twice its part; or of as many as replicas, where that is more.
pub(super) fn counts_for(
    (replicas, lanes): (ReplicaIndex, ReplicaIndex),
    (own, all): (usize, usize),
) -> BTreeSet<ReplicaIndex> {
    let leaves_enough = |count: &ReplicaIndex| 2 * own * usize::from(*count) <= all;
    let powers = [1, 2, 4, 8, 16, 32].into_iter();
    let most = powers.clone().filter(leaves_enough).max();
    let least = most.unwrap_or(1).max(replicas);
    let between = powers.filter(|count| (least..=lanes).contains(count));
    between.chain([least.min(lanes), lanes]).collect()
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

impl Audit {
    /// Whether a replica that is open again since then, of which there are so many lanes at the least, is
    /// sure to be for its own alone, however long ago that is. Others get it only where nobody takes
    /// anything of the job for long, or where as many accounts as there are lanes find nothing of it. Who
    /// has a replica in its lane that nobody ever had finds that; and what is there for it was there
    /// before, if the last shard came long before.
    pub(super) fn keeps_lanes(
        &self,
        (work, books): (&Work, &Books),
        since: Tick,
        lanes: ReplicaIndex,
    ) -> bool {
        let lane_ms = Tuning::default().lane_ms;
        let stored = self.last_stored.get(&work.id).copied().unwrap_or_default();
        let is_whole = stored.plus_ms(2 * lane_ms) <= since;
        let goes_on =
            |(first, last): &(Tick, Tick)| *first <= since && self.now.since(*last) < lane_ms;
        if self.has_pools || !is_whole || !books.given.as_ref().is_some_and(goes_on) {
            return false;
        }
        let replicas = work.submission.agreement.replicas();
        let accounts = self.devices.values().map(|facts| &facts.account);
        let accounts: BTreeSet<&AccountId> = accounts.collect();
        let lanes_max = count(replicas, accounts.len()).unwrap_or(lanes);
        let (seed, awaited) = (work.lane_seed(), self.awaited.get(&work.id));
        let is_open = |task: &TaskIndex| {
            let is_there = awaited.is_none_or(|awaited| !awaited.contains(task));
            is_there && !books.ended.contains_key(task) && !books.doubted.contains_key(task)
        };
        let tasks: Vec<TaskIndex> = (0..work.submission.tasks).filter(is_open).collect();
        let finds_its_own = |account: &AccountId| {
            let is_own = |task: &TaskIndex| {
                let is_its = |replica: ReplicaIndex| {
                    let is_in = |lanes| is_for((&seed, lanes), account, *task, replica);
                    books.nobody_had(*task, replica) && is_in(lanes) && is_in(lanes_max)
                };
                let touched = books.accounts(*task).any(|(_, of)| of == account);
                let lost = books.lost.contains(&(*task, account.clone()));
                !touched && !lost && (0..replicas).any(is_its)
            };
            tasks.iter().any(is_own)
        };
        let idle = accounts.into_iter();
        let idle = idle.filter(|&account| !finds_its_own(account));
        idle.count() < usize::from(lanes)
    }
}
