//! Lanes as the documentation of their module has them, for anybody who checks an assignment.

use super::*;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// A 64-bit number as whole numbers without a limit have it.
fn wrapped(number: u128) -> u128 {
    number % (1 << 64)
}

/// How many lanes there are.
fn lanes_of(replicas: u128, accounts: u128) -> u128 {
    if !(2..=32).contains(&replicas) || accounts < 8 * replicas {
        return 1;
    }
    let powers = [1, 2, 4, 8, 16, 32].into_iter();
    let enough = powers.filter(|lanes| accounts >= 8 * lanes);
    enough.fold(replicas, u128::max)
}

/// How many there are for an account of which so many of its size would have all devices: the greatest
/// power of two that leaves it twice its part, or as many as replicas.
fn lanes_of_its_own(lanes: u128, replicas: u128, parts: u128) -> u128 {
    if lanes == 1 {
        return 1;
    }
    let powers = [1, 2, 4, 8, 16, 32].into_iter();
    let fitting = powers.filter(|own| *own <= lanes && 2 * own <= parts);
    fitting.fold(replicas, u128::max)
}

/// The lane of an account for a task.
fn lane(seed: &[u8; 32], account: &[u8; 32], task: TaskIndex, lanes: u128) -> u128 {
    let text = [b"quern/lane/1".as_slice(), seed, account].concat();
    let digest: [u8; 32] = Sha256::digest(text).into();
    let first = digest.iter().take(8).rev();
    let draw = first.fold(0, |draw: u128, byte| draw * 256 + u128::from(*byte));
    // The finaliser of SplitMix64, over the draw and so many of its steps.
    let mut z = draw ^ wrapped(u128::from(task) * 0x9e37_79b9_7f4a_7c15);
    z = wrapped((z ^ (z >> 30)) * 0xbf58_476d_1ce4_e5b9);
    z = wrapped((z ^ (z >> 27)) * 0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % lanes
}

proptest! {
    #[test]
    fn an_account_may_have_the_replicas_of_its_lane_and_where_accounts_are_few_all(
        seed in prop_oneof![4 => any::<[u8; 32]>(), 1 => Just([0; 32]), 1 => Just([u8::MAX; 32])],
        id in prop_oneof![4 => any::<[u8; 32]>(), 1 => Just([0; 32]), 1 => Just([u8::MAX; 32])],
        task in prop_oneof![
            2 => 0..20 as TaskIndex,
            2 => any::<TaskIndex>(),
            1 => Just(TaskIndex::MAX),
        ],
        replicas in prop_oneof![6 => 1u8..=15, 1 => any::<u8>(), 1 => Just(0), 1 => Just(u8::MAX)],
        accounts in prop_oneof![
            2 => 0u32..40,
            2 => 0u32..3_000,
            1 => Just(u32::MAX),
        ],
        short in 0u32..3,
        parts in prop_oneof![4 => 0u32..=64, 1 => Just(u32::MAX)],
    ) {
        let fewest = u32::from(replicas.max(1));
        // Also exactly as many as lanes need, and one or two less.
        for accounts in [accounts, 8 * fewest - short] {
            let lanes = Lanes::new(seed, replicas, accounts);
            let draw = lanes.draw(&AccountId::new(id));
            let count = lanes_of(fewest.into(), accounts.into());
            let large = lanes.of(parts);
            let own = lanes_of_its_own(count, fewest.into(), parts.into());
            for replica in 0..=ReplicaIndex::MAX {
                let is_in = |count| u128::from(replica) % count == lane(&seed, &id, task, count);
                let narrow = is_in(count);
                let wide = narrow || is_in(fewest.into());
                prop_assert_eq!(lanes.admit(draw, task, replica, false), narrow, "{}", replica);
                prop_assert_eq!(lanes.admit(draw, task, replica, true), wide, "{}", replica);
                let [narrow, wide] = [narrow, wide].map(|is_in_any| is_in_any || is_in(own));
                prop_assert_eq!(large.admit(draw, task, replica, false), narrow, "{}", replica);
                prop_assert_eq!(large.admit(draw, task, replica, true), wide, "{}", replica);
                let all = [count, own, u128::from(fewest)];
                let its = all.into_iter().filter(|it| *it <= count && is_in(*it)).max();
                let given_in = large.given_in(draw, task, replica);
                prop_assert_eq!(u128::from(given_in), its.unwrap_or(1), "{}", replica);
            }
        }
    }
}
