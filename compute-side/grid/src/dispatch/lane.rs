//! Lanes: which accounts may have which replica of a task.
//!
//! For each task, accounts are spread over lanes by a seed that is drawn after the job is committed, and
//! replica k is for the accounts of lane k. There are more lanes than replicas where accounts allow it,
//! and who is in one of the others gets nothing of the task. So nobody can choose which tasks to get
//! hold of, and accounts that act together cannot race to all replicas of one.
//!
//! There is a lane for each eight accounts, their number rounded down to a power of two: so what an
//! account may have with more lanes it may have with fewer, and accounts that come and go draw nothing
//! anew. There are 32 at the most, and no fewer than a task has replicas. Where accounts are too few for
//! that, or a task has one replica, there are none.
//!
//! Lanes are for accounts of few devices. One that has a large part of a job's devices could not keep them
//! busy with what a single lane leaves it. So it is also in one of fewer: of as many, a power of two again,
//! as leave it twice its part of the replicas, but of no fewer than replicas, for it may have one of each
//! task at the most. What it had as a smaller one it keeps. A part of the replicas that is as large as a
//! lane of all takes an account more than two bonded devices so, which in accounts of their own would have
//! had a lane each: nobody gets hold of more by making accounts large.
//!
//! Where nobody of a lane is to be had, its replicas would wait for ever. So when they were passed in vain
//! ([`vain`]) they wait for their lane alone for a second longer; then also for whom as many lanes as
//! replicas would leave them; and after some more seconds for all.
//!
//! In which lane an account is follows from the seed, for anybody ([`quern_primitives::lanes`]). How many
//! lanes there were for it is written down with what it is given: the greatest number of them in whose lane
//! it is. How many accounts were there, how many devices each had, and what was passed over in vain, is in
//! no record.

#[cfg(test)]
mod model;
pub(super) mod vain;

use crate::pools::{ACCOUNTS_COUNTED_MAX, PARTS_MAX};
use quern_primitives::{
    ids::{AccountId, ReplicaIndex, TaskIndex},
    lanes::{Draw, LANES_MAX, OPEN_TO_ALL},
    limits::REPLICAS_PER_TASK_MAX,
};

/// Accounts for each lane at the least, so that a lane is seldom without an idle device; where there
/// are fewer, all are in one.
const ACCOUNTS_PER_LANE_MIN: u32 = 8;

/// How many times its part of the devices an account may have of the replicas at the least, as long as it
/// is not one of each task: its devices may be faster than others, and at exactly its part it would find
/// less and less towards a job's end.
const TIMES_ITS_PART: u32 = 2;

/// How long after a replica was passed over in vain it is for its own lane alone, in milliseconds. Where
/// many devices are idle, one of its lane has been tried by then.
pub(super) const NARROW_MS: u64 = 1_000;

const _: () = assert!(ACCOUNTS_PER_LANE_MIN * LANES_MAX as u32 <= ACCOUNTS_COUNTED_MAX);
const _: () = assert!(REPLICAS_PER_TASK_MAX <= LANES_MAX);
const _: () = assert!(TIMES_ITS_PART * LANES_MAX as u32 <= PARTS_MAX);

/// The lanes of a job's tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    seed: [u8; 32],
    count: u8,
    /// Of so many an account is in one too: of fewer if it is large.
    own: u8,
    /// How many there are at the least, if there are any: as many as replicas.
    fewest: u8,
}

impl Lanes {
    pub(super) fn new(seed: [u8; 32], replicas: ReplicaIndex, accounts: u32) -> Self {
        let fewest = replicas.max(1);
        let most = no_more_than(LANES_MAX, accounts / ACCOUNTS_PER_LANE_MIN);
        let count = match fewest > 1 && most >= fewest {
            true => fewest.max(1 << most.ilog2()),
            false => OPEN_TO_ALL,
        };
        Self {
            seed,
            count,
            own: count,
            fewest,
        }
    }

    /// The same for an account of such a size that so many of it would have all devices.
    pub(super) fn of(&self, parts: u32) -> Self {
        let most = no_more_than(self.count, parts / TIMES_ITS_PART).max(1);
        let own = match self.count {
            OPEN_TO_ALL => OPEN_TO_ALL,
            _ => self.fewest.max(1 << most.ilog2()),
        };
        Self { own, ..*self }
    }

    /// How many there are; none if every replica is for all.
    pub(super) fn count(&self) -> Option<u8> {
        Some(self.count).filter(|count| *count > OPEN_TO_ALL)
    }

    /// What an account's lanes follow from.
    pub(super) fn draw(&self, account: &AccountId) -> Draw {
        match self.count {
            OPEN_TO_ALL => Draw::default(),
            _ => Draw::of(&self.seed, account),
        }
    }

    /// Whether an account with this draw may have a replica. With `is_wide` it may also have what as many
    /// lanes as replicas would leave it.
    pub(super) fn admit(
        &self,
        draw: Draw,
        task: TaskIndex,
        replica: ReplicaIndex,
        is_wide: bool,
    ) -> bool {
        let is_in = |lanes: u8| draw.is_for(task, replica, lanes);
        is_in(self.count) || is_in(self.own) || (is_wide && is_in(self.fewest))
    }

    /// The greatest number of lanes in whose lane an account with this draw has a replica: of all, of its
    /// own, or of the fewest; or that it was for all.
    pub(super) fn given_in(&self, draw: Draw, task: TaskIndex, replica: ReplicaIndex) -> u8 {
        let mut lanes = match self.count {
            OPEN_TO_ALL => [OPEN_TO_ALL; 3],
            _ => [self.count, self.own, self.fewest],
        }
        .into_iter();
        let is_its = lanes.find(|lanes| draw.is_for(task, replica, *lanes));
        is_its.unwrap_or(OPEN_TO_ALL)
    }
}

/// The lesser of a number of lanes and one that may be larger than any.
fn no_more_than(lanes: u8, number: u32) -> u8 {
    u8::try_from(number).map_or(lanes, |number| number.min(lanes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u16) -> AccountId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_le_bytes());
        AccountId::new(bytes)
    }

    /// The replicas of the first three that an account may have.
    fn open(lanes: &Lanes, account: &AccountId, task: TaskIndex, is_wide: bool) -> Vec<u8> {
        let draw = lanes.draw(account);
        let admits = |replica: &u8| lanes.admit(draw, task, *replica, is_wide);
        (0..3).filter(admits).collect()
    }

    #[test]
    fn an_account_is_in_one_lane_of_each_task_and_in_all_of_them_over_many() {
        // Accounts, and the lanes that they make.
        for (accounts, count) in [(24, 3), (31, 3), (32, 4), (127, 8), (255, 16), (9_999, 32)] {
            let lanes = Lanes::new([9; 32], 3, accounts);
            let mut seen = [0.0; 3];
            for task in 0..30_000 {
                let open = open(&lanes, &account(task as u16), task, false);
                assert!(open.len() <= 1);
                open.iter().for_each(|it| seen[usize::from(*it)] += 1.0);
            }
            // Each task is one trial: five standard deviations from the mean.
            let chance = 1.0 / f64::from(count);
            let (mean, deviation) = (3e4 * chance, (3e4 * chance * (1.0 - chance)).sqrt());
            let is_even = |count: &f64| (count - mean).abs() < 5.0 * deviation;
            assert!(seen.iter().all(is_even), "{accounts}: {seen:?}");
        }
    }

    #[test]
    fn who_has_waited_in_vain_may_have_one_replica_of_each_task_at_the_least() {
        let lanes = Lanes::new([9; 32], 3, 1_000);
        for task in 0..1_000 {
            let account = account(task as u16);
            let (narrow, wide) = (
                open(&lanes, &account, task, false),
                open(&lanes, &account, task, true),
            );
            assert!((1..=2).contains(&wide.len()));
            assert!(narrow.iter().all(|replica| wide.contains(replica)));
        }
    }

    #[test]
    fn what_an_account_may_have_with_more_lanes_it_may_have_with_fewer() {
        for (fewer, more) in [(32, 64), (64, 128), (128, 256), (32, 10_000)] {
            let [fewer, more] = [fewer, more].map(|accounts| Lanes::new([9; 32], 3, accounts));
            for task in 0..1_000 {
                let account = account(task as u16);
                let fewer = open(&fewer, &account, task, false);
                let more = open(&more, &account, task, false);
                assert!(more.iter().all(|replica| fewer.contains(replica)));
            }
        }
    }

    #[test]
    fn a_large_account_has_fewer_lanes_that_leave_it_all_that_a_small_one_has() {
        // Replicas, accounts, how many as large would have all devices, and how many lanes there are for it.
        for (replicas, accounts, parts, own) in [
            (3, 256, 64, 32),
            (3, 256, 63, 16),
            (3, 256, 32, 16),
            (3, 256, 31, 8),
            (3, 256, 15, 4),
            (3, 256, 8, 4),
            // It has a replica of every task.
            (3, 256, 7, 3),
            (3, 256, 1, 3),
            (3, 256, 0, 3),
            (2, 256, 3, 2),
            (15, 256, 31, 15),
            // Where there are as many lanes as replicas nothing is left to be had, and where there are none.
            (15, 120, 1, 15),
            (3, 24, 5, 3),
            (3, 23, 1, 1),
            (1, 256, 1, 1),
        ] {
            let all = Lanes::new([9; 32], replicas, accounts);
            let lanes = all.of(parts);
            assert_eq!(lanes.own, own, "{replicas} {accounts} {parts}");
            assert_eq!(lanes.count(), all.count());
            for task in 0..1_000 {
                let account = account(task as u16);
                let (small, large) = (
                    open(&all, &account, task, false),
                    open(&lanes, &account, task, false),
                );
                assert!(small.iter().all(|replica| large.contains(replica)));
                let has_one_of_each = own == replicas && replicas <= 3;
                assert!(!has_one_of_each || !large.is_empty());
            }
        }
    }

    #[test]
    fn where_there_are_few_accounts_or_one_replica_every_replica_is_for_all() {
        for lanes in [
            Lanes::new([9; 32], 3, 23),
            Lanes::new([9; 32], 1, 1_000),
            Lanes::new([9; 32], 0, 1_000),
        ] {
            let draw = lanes.draw(&account(1));
            assert!((0..100).all(|task| lanes.admit(draw, task, 2, false)));
        }
    }

    #[test]
    fn what_is_given_is_given_in_the_most_lanes_that_leave_it_to_the_account() {
        let all = Lanes::new([9; 32], 3, 256);
        let lanes = all.of(8);
        assert_eq!((lanes.count, lanes.own, lanes.fewest), (32, 4, 3));
        let mut seen = std::collections::BTreeSet::new();
        for task in 0..1_000 {
            let draw = lanes.draw(&account(task as u16));
            for replica in 0..3 {
                let given_in = lanes.given_in(draw, task, replica);
                assert!(quern_primitives::lanes::can_be(given_in, 3));
                assert!(draw.is_for(task, replica, given_in));
                let [narrow, wide] =
                    [false, true].map(|is_wide| lanes.admit(draw, task, replica, is_wide));
                assert_eq!(given_in > 3, narrow, "{given_in}");
                assert_eq!(given_in > OPEN_TO_ALL, wide, "{given_in}");
                seen.insert(given_in);
            }
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 3, 4, 32]);
    }

    #[test]
    fn where_there_are_no_lanes_all_is_given_to_all() {
        for (replicas, accounts) in [(3, 23), (1, 1_000), (15, 119), (255, 10_000)] {
            let lanes = Lanes::new([9; 32], replicas, accounts).of(2);
            let draw = lanes.draw(&account(1));
            assert!((0..100).all(|task| lanes.given_in(draw, task, 2) == OPEN_TO_ALL));
        }
    }

    #[test]
    fn another_seed_spreads_otherwise() {
        let pattern = |seed| -> Vec<bool> {
            let lanes = Lanes::new([seed; 32], 3, 100);
            let draw = lanes.draw(&account(1));
            (0..64)
                .map(|task| lanes.admit(draw, task, 0, false))
                .collect()
        };
        assert_ne!(pattern(1), pattern(2));
    }
}
