//! Lanes as the documentation of their module has them, for anybody who checks an assignment.

use super::*;
use proptest::prelude::*;

/// A 64-bit number as whole numbers without a limit have it.
fn wrapped(number: u128) -> u128 {
    number % (1 << 64)
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
    ) {
        let count = u32::from(replicas.max(1));
        // Also exactly as many as lanes need, and one or two less.
        for accounts in [accounts, 8 * count - short] {
            let lanes = Lanes::new(seed, replicas, accounts);
            let draw = lanes.draw(&AccountId::new(id));
            let is_for_all = accounts < 8 * count;
            let own = lane(&seed, &id, task, count.into());
            let admitted = |replica: &ReplicaIndex| lanes.admit(draw, task, *replica);
            for replica in 0..=ReplicaIndex::MAX {
                let is_own = u128::from(replica) % u128::from(count) == own;
                prop_assert_eq!(admitted(&replica), is_for_all || is_own, "{}", replica);
            }
            let of_the_first = (0..replicas.max(1)).filter(admitted).count();
            prop_assert_eq!(of_the_first, if is_for_all { count as usize } else { 1 });
        }
    }
}
