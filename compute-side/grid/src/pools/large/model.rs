//! Large accounts by counting all devices, and how far a sample of them may be off.

use super::*;
use crate::{
    Score,
    needs::{Allowed, Profile},
    pools::PoolLimits,
    ranking::Abilities,
};
use proptest::prelude::*;
use quern_primitives::{
    device::{Class, Region},
    job::ByteLevel,
};
use std::cell::Cell;

/// A device as it is ranked: whether it meets the job's needs, and its account if it has one.
type Ranked = (bool, Option<u32>);

/// So many devices alike, one after the other.
type Stretch = (usize, Ranked);

/// Ranked devices, and a job whose pools have so many devices each, counted from the bottom.
#[derive(Clone, Debug)]
struct Case {
    devices: Vec<Ranked>,
    pool_size: u32,
    level: ByteLevel,
}

impl Case {
    /// Where in the ranking the devices stand that count: those that meet the needs, in pools from the
    /// bottom; of a low level in the lower half of the pools, of a balanced one not in the lowest of
    /// three or more.
    fn counting(&self) -> Vec<usize> {
        let all = (0..self.devices.len()).rev();
        let suitable: Vec<usize> = all.filter(|place| self.devices[*place].0).collect();
        let pools: Vec<&[usize]> = suitable.chunks(self.pool_size as usize).collect();
        let part = match self.level {
            ByteLevel::High => &pools[..],
            ByteLevel::Balanced if pools.len() >= 3 => &pools[1..],
            ByteLevel::Balanced => &pools[..],
            ByteLevel::Low => &pools[..pools.len().div_ceil(2)],
        };
        part.concat()
    }

    /// Where those of them stand that are of this account, or of any.
    fn places_of(&self, account: Option<u32>) -> Vec<usize> {
        let mut places = self.counting();
        places.retain(|place| match (self.devices[*place].1, account) {
            (Some(of), Some(account)) => of == account,
            (of, None) => of.is_some(),
            (None, Some(_)) => false,
        });
        places.sort_unstable();
        places
    }

    fn accounts(&self) -> BTreeSet<u32> {
        self.devices
            .iter()
            .filter_map(|(_, account)| *account)
            .collect()
    }

    /// What is found of it, and how many devices with an account were looked at.
    fn find(&self) -> (Target, f64) {
        let ranking = Ranking::new(self.devices.iter().map(|(is_suitable, _)| {
            Abilities {
                traits: Profile {
                    classes: vec![Class::Pinned],
                    region: match is_suitable {
                        true => Region::Europe,
                        false => Region::Americas,
                    },
                    ..Profile::default()
                }
                .pack(),
                capacity: Score::from_millionths(1_000_000),
                speed: 1,
            }
        }));
        let needs = Needs {
            regions: Allowed::only([Region::Europe]),
            ..Needs::default()
        };
        let limits = PoolLimits {
            capacity_min: 0,
            size_min: self.pool_size,
            merge_top: false,
        };
        let mut target = Target::of_level(&ranking, &needs, self.level, &limits);
        let looked_at = Cell::new(0);
        target.find_large(&ranking, &needs, |number| {
            let (_, account) = self.devices[number as usize];
            looked_at.set(looked_at.get() + u32::from(account.is_some()));
            account
        });
        (target, looked_at.get().into())
    }
}

/// How many accounts with this share of the devices would have all, rounded down; 64 at the most.
fn parts_of(share: f64) -> u32 {
    match share * 64.0 > 1.0 {
        // What is one in seven is not to be one in six point nine nine.
        true => (1.0 / share + 1e-9) as u32,
        false => 64,
    }
}

/// By counting: how many accounts of this size find room among all, 64 at the most.
fn counted(part: usize, all: usize) -> u32 {
    let has_room = |times: &usize| times * part <= all;
    (1..=64).take_while(has_room).count() as u32
}

/// How many stretches of places in a row there are.
fn stretches(places: &[usize]) -> f64 {
    let goes_on = |pair: &&[usize]| pair[0] + 1 == pair[1];
    (places.len() - places.windows(2).filter(goes_on).count()) as f64
}

/// By how much a number is off that is this one on average, when it is drawn at random without putting
/// back; by more with a chance of 2 e^-21.
fn deviation(mean: f64) -> f64 {
    (2.0 * 21.0 * mean).sqrt() + 2.0 * 21.0 / 3.0
}

/// Whether what is found of an account is that of its share, or of one that is no further off.
fn is_within(found: u32, share: f64, off: f64) -> bool {
    (parts_of(share + off)..=parts_of(share - off)).contains(&found)
}

fn account() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![
        2 => Just(None),
        12 => (0u32..6).prop_map(Some),
        1 => Just(Some(u32::MAX)),
    ]
}

/// A few stretches, of which each has this many devices at the most.
fn devices(most: usize) -> impl Strategy<Value = Vec<Stretch>> {
    let length = prop_oneof![3 => 0..=most, 1 => 0..=most / 40, 1 => 0..3usize];
    let ranked = (prop::bool::weighted(0.85), account());
    prop::collection::vec((length, ranked), 0..9)
}

fn case(stretches: impl Strategy<Value = Vec<Stretch>>) -> impl Strategy<Value = Case> {
    let pool_size = prop_oneof![4 => Just(u32::MAX), 1 => 1u32..9, 3 => 100u32..9_000];
    let level = prop::sample::select(vec![ByteLevel::High, ByteLevel::Balanced, ByteLevel::Low]);
    (stretches, pool_size, level).prop_map(|(stretches, pool_size, level)| Case {
        devices: stretches
            .into_iter()
            .flat_map(|(length, ranked)| vec![ranked; length])
            .collect(),
        pool_size,
        level,
    })
}

/// The same in an order that has nothing to do with accounts.
fn shuffled(case: impl Strategy<Value = Case>) -> impl Strategy<Value = Case> {
    (case, any::<[u8; 32]>()).prop_map(|(mut case, seed)| {
        use prop::test_runner::{RngAlgorithm, TestRng};
        let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        case.devices.sort_by_cached_key(|_| random.next_u64());
        case
    })
}

/// Sizes at which something changes, and others: all of one account, of two, of about sixty-four of one
/// size, or each of its own.
fn even() -> impl Strategy<Value = Vec<Stretch>> {
    let sizes = prop_oneof![
        3 => prop::sample::select(vec![0usize, 1, 63, 64, 65, 128, 2_047, 2_048, 4_095]),
        1 => 0usize..4_096,
    ];
    let accounts = prop::sample::select(vec![1usize, 2, 63, 64, 65, usize::MAX]);
    (sizes, accounts).prop_map(|(size, accounts)| {
        let of = |device: usize| (1, (true, Some((device % accounts) as u32)));
        (0..size).map(of).collect()
    })
}

/// Why an account is not to choose where it is ranked: of four places in a row one is looked at.
#[test]
fn an_account_on_just_the_places_that_are_looked_at_seems_to_have_all() {
    let of = |place: u32| (true, Some(if place.is_multiple_of(4) { 0 } else { place }));
    let case = Case {
        devices: (0..8_192).map(of).collect(),
        pool_size: u32::MAX,
        level: ByteLevel::High,
    };
    let (found, looked_at) = case.find();
    let all = case.places_of(None).len();
    assert_eq!(counted(case.places_of(Some(0)).len(), all), 4);
    assert_eq!((found.parts_of(0), looked_at), (1, 2_048.0));
}

proptest! {
    #[test]
    fn where_fewer_than_4096_devices_are_suitable_large_accounts_are_those_of_a_full_count(
        case in prop_oneof![case(devices(500)), shuffled(case(devices(500))), case(even())],
    ) {
        let (found, _) = case.find();
        prop_assert!(case.counting().len() < 4_096);
        let all = case.places_of(None).len();
        let mut large = vec![];
        for account in case.accounts() {
            let parts = counted(case.places_of(Some(account)).len(), all);
            prop_assert_eq!(found.parts_of(account), parts, "{}", account);
            large.extend((parts < 64).then_some(account));
        }
        prop_assert_eq!(found.large().collect::<Vec<_>>(), large);
    }

    #[test]
    fn a_sampled_share_is_off_by_less_than_a_device_for_each_stretch_of_the_ranking(
        case in prop_oneof![
            4 => case(devices(30_000)),
            1 => case(devices(200_000)),
            1 => case(devices(900)),
        ],
    ) {
        let (found, looked_at) = case.find();
        let step = (case.counting().len() / 2_048).max(1) as f64;
        let all = case.places_of(None);
        let (count, stretches_of_all) = (all.len() as f64, stretches(&all));
        prop_assert!((looked_at - count / step).abs() <= stretches_of_all, "{looked_at}");
        for account in case.accounts() {
            let own = case.places_of(Some(account));
            let share = own.len() as f64 / count.max(1.0);
            let off = (stretches(&own) + share * stretches_of_all) / looked_at.max(1.0);
            let parts = found.parts_of(account);
            prop_assert!(is_within(parts, share, off), "{account}: {parts} {share} {off}");
        }
    }

    #[test]
    fn of_accounts_that_stand_in_no_order_a_sampled_share_is_off_as_one_drawn_at_random(
        case in shuffled(case(devices(12_000))),
    ) {
        let (found, looked_at) = case.find();
        let step = (case.counting().len() / 2_048).max(1) as f64;
        let count = case.places_of(None).len() as f64;
        let expected = count / step;
        prop_assert!((looked_at - expected).abs() <= 1.0 + deviation(expected), "{looked_at}");
        for account in case.accounts() {
            let share = case.places_of(Some(account)).len() as f64 / count.max(1.0);
            let off = match looked_at {
                0.0 => 1.0,
                _ => deviation(share * looked_at) / looked_at,
            };
            let parts = found.parts_of(account);
            prop_assert!(is_within(parts, share, off), "{account}: {parts} {share} {off}");
        }
    }
}
