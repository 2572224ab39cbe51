#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    rand_core::{TryCryptoRng, TryRng},
    seal::{OpenError, Opener, SealSalt, seal},
    testing::{SeededRng, shard_context},
};
use std::convert::Infallible;

/// Gives these bytes and no more.
struct Given<'a>(&'a [u8]);

impl TryRng for Given<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("bytes are drawn, not numbers")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("bytes are drawn, not numbers")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let (given, rest) = self.0.split_at(bytes.len());
        bytes.copy_from_slice(given);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}

/// The places of every choice of so many members.
pub(super) fn choices(members: u8, count: u8) -> Vec<Vec<u8>> {
    (0u32..1 << members)
        .filter(|mask| mask.count_ones() == u32::from(count))
        .map(|mask| {
            (0..members)
                .filter(|member| mask >> member & 1 == 1)
                .collect()
        })
        .collect()
}

fn of_members<'a>(shares: &'a [KeyShare], members: &[u8]) -> Vec<(u8, &'a KeyShare)> {
    let places = members.iter();
    places
        .map(|member| (*member, &shares[usize::from(*member)]))
        .collect()
}

/// For every secret byte and every sequence of random bytes: together with the secret, what a coalition
/// of one member fewer than are needed has comes exactly once. So each of its views comes equally often
/// with every secret, and tells nothing.
fn assert_a_coalition_learns_nothing(needed: u8, members: u8) {
    let threshold = Threshold::new(needed, members).unwrap();
    let coalitions = choices(members, needed - 1);
    let views = 256usize.pow(needed.into());
    let mut seen = vec![vec![false; views]; coalitions.len()];
    for secret in 0..=255u8 {
        for sequence in 0..256u32.pow(u32::from(needed) - 1) {
            let bytes = sequence.to_le_bytes();
            let mut rng = Given(&bytes[..usize::from(needed) - 1]);
            let shares = split_bytes(&[secret], threshold, &mut rng);
            assert!(rng.0.is_empty(), "not every random byte is used");
            for (coalition, seen) in coalitions.iter().zip(&mut seen) {
                let view = coalition.iter().fold(usize::from(secret), |view, member| {
                    view << 8 | usize::from(shares[usize::from(*member)][0])
                });
                assert!(!seen[view], "{coalition:?} of {needed} has {view:x} twice");
                seen[view] = true;
            }
        }
    }
    assert!(seen.iter().flatten().all(|seen| *seen));
}

#[test]
fn one_of_two_three_or_four_members_learns_nothing_where_two_are_needed() {
    for members in 2..=4 {
        assert_a_coalition_learns_nothing(2, members);
    }
}

#[test]
fn two_of_three_or_four_members_learn_nothing_where_three_are_needed() {
    for members in 3..=4 {
        assert_a_coalition_learns_nothing(3, members);
    }
}

/// Four thousand times 256, so that the expected counts are whole.
const SPLITS: u32 = 1_024_000;

#[test]
fn shares_and_coefficients_of_a_million_splits_are_even() {
    let threshold = Threshold::new(3, 3).unwrap();
    let mut rng = SeededRng::new(7);
    let secret: [u8; 32] = std::array::from_fn(|byte| byte as u8);
    let mut counts = vec![[[0u32; 256]; 32]; 2];
    let mut bits = [[[0u32; 8]; 32]; 2];
    let sixth = (1..=255).find(|it| field::times(*it, 6) == 1).unwrap();
    for _ in 0..SPLITS {
        let shares = split_bytes(&secret, threshold, &mut rng);
        for byte in 0..32 {
            let [one, two] = [shares[0][byte], shares[1][byte]];
            counts[0][byte][usize::from(one)] += 1;
            counts[1][byte][usize::from(two)] += 1;
            // The shares are secret + a + b and secret + 2 a + 4 b.
            let (one, two) = (one ^ secret[byte], two ^ secret[byte]);
            let b = field::times(two ^ field::times(one, 2), sixth);
            for (bits, coefficient) in bits.iter_mut().zip([one ^ b, b]) {
                for (bit, count) in bits[byte].iter_mut().enumerate() {
                    *count += u32::from(coefficient >> bit & 1);
                }
            }
        }
    }
    let expected = i64::from(SPLITS) / 256;
    for (member, counts) in counts.iter().enumerate() {
        for (byte, counts) in counts.iter().enumerate() {
            let squares = counts
                .iter()
                .map(|count| (i64::from(*count) - expected).pow(2));
            let chi_square = squares.sum::<i64>() / expected;
            // 255 degrees of freedom: 4 and 5 standard deviations of 22.6 away.
            assert!(
                (160..370).contains(&chi_square),
                "{member} {byte}: {chi_square}"
            );
        }
    }
    for (byte, count) in bits.iter().flatten().flatten().enumerate() {
        // Five standard deviations of 506.
        assert!(count.abs_diff(SPLITS / 2) < 2_530, "{byte}: {count}");
    }
}

#[test]
fn as_many_members_as_are_needed_give_the_key_and_fewer_do_not() {
    let mut rng = SeededRng::new(1);
    for members in 2..=7 {
        for needed in 2..=members {
            let threshold = Threshold::new(needed, members).unwrap();
            let key = ShardKey::random(&mut rng);
            let shares = split(&key, threshold, &mut rng);
            assert_eq!(shares.len(), usize::from(members));
            for chosen in choices(members, needed) {
                let combined = combine(threshold, &of_members(&shares, &chosen));
                assert_eq!(combined.unwrap(), key, "{chosen:?} of {needed}/{members}");
            }
            for chosen in choices(members, needed - 1) {
                let shares = of_members(&shares, &chosen);
                let found = shares.len();
                let refused = combine(threshold, &shares);
                assert_eq!(refused, Err(CombineError::Count { needed, found }));
                if let Ok(lower) = Threshold::new(needed - 1, members) {
                    assert_ne!(combine(lower, &shares).unwrap(), key);
                }
            }
        }
    }
}

#[test]
fn more_shares_than_a_lower_threshold_asks_for_are_refused_and_so_are_strangers() {
    let threshold = Threshold::new(2, 3).unwrap();
    let shares = split(
        &ShardKey::from_bytes([5; 32]),
        threshold,
        &mut SeededRng::new(2),
    );
    let refused = |members: &[u8]| {
        let shares: Vec<_> = members.iter().map(|member| (*member, &shares[0])).collect();
        combine(threshold, &shares).unwrap_err()
    };
    let too_many = CombineError::Count {
        needed: 2,
        found: 3,
    };
    assert_eq!(refused(&[0, 1, 2]), too_many);
    assert_eq!(refused(&[1, 1]), CombineError::Twice { member: 1 });
    for member in [3, 255] {
        let no_such = CombineError::NoSuchMember { member, members: 3 };
        assert_eq!(refused(&[0, member]), no_such);
    }
}

/// A sealed shard, and whether a key is the one it was sealed with.
fn opens(key: &ShardKey, sealed: &[u8]) -> bool {
    match Opener::new(sealed, key, &shard_context(5)) {
        Ok(_) => true,
        Err(OpenError::OtherKey) => false,
        Err(error) => panic!("{error}"),
    }
}

fn sealed_with(key: &ShardKey) -> Vec<u8> {
    let sealed = seal(key, SealSalt([6; 16]), &shard_context(5), b"hello");
    sealed.unwrap().bytes
}

#[test]
fn a_changed_byte_of_a_share_is_caught_by_the_commitment_in_the_shards_header() {
    let mut rng = SeededRng::new(3);
    let threshold = Threshold::new(3, 5).unwrap();
    let key = ShardKey::random(&mut rng);
    let (sealed, shares) = (sealed_with(&key), split(&key, threshold, &mut rng));
    for chosen in choices(5, 3) {
        let shares = of_members(&shares, &chosen);
        assert!(opens(&combine(threshold, &shares).unwrap(), &sealed));
        for which in 0..3 {
            for byte in 0..32 {
                let mut altered = *shares[which].1.expose();
                altered[byte] ^= 1 << (byte % 8);
                let altered = KeyShare::from_bytes(altered);
                let mut shares = shares.clone();
                shares[which].1 = &altered;
                assert!(!opens(&combine(threshold, &shares).unwrap(), &sealed));
            }
        }
    }
}

#[test]
fn members_fewer_than_are_needed_build_no_key_of_all_they_have() {
    let mut rng = SeededRng::new(4);
    let threshold = Threshold::new(3, 5).unwrap();
    let key = ShardKey::random(&mut rng);
    let (sealed, split) = (
        sealed_with(&key),
        SplitKeys::new([&key], threshold, &mut rng),
    );
    let job = shard_context(5).job;
    let packages = [1, 4].map(|member| {
        let token = OwnerToken::from_bytes([member; 32]);
        let seed = TrustSeed::from_bytes([9; 32]);
        split.package(member, job, token, seed).unwrap()
    });
    // Every 32 bytes of what they have, as a key and as the share of any member.
    let encoded: Vec<_> = packages.iter().map(SharePackage::encode).collect();
    let words: Vec<KeyShare> = encoded
        .iter()
        .flat_map(|bytes| bytes.windows(32))
        .map(|word| KeyShare::from_bytes(word.try_into().unwrap()))
        .collect();
    for word in &words {
        assert!(!opens(&ShardKey::from_bytes(*word.expose()), &sealed));
    }
    let [one, other] = [&packages[0].shares[0], &packages[1].shares[0]];
    let two = Threshold::new(2, 5).unwrap();
    for chosen in choices(5, 2) {
        let shares = [(chosen[0], one), (chosen[1], other)];
        assert!(!opens(&combine(two, &shares).unwrap(), &sealed));
    }
    for word in words.iter().step_by(7) {
        for third in [0, 2, 3] {
            let shares = [(1, one), (4, other), (third, word)];
            assert!(!opens(&combine(threshold, &shares).unwrap(), &sealed));
        }
    }
}

#[test]
fn thresholds_that_let_one_member_read_or_ask_for_more_than_there_are_do_not_exist() {
    let (min, max) = (2, 7);
    for found in [0, 1, 8, 255] {
        let error = ThresholdError::Members { found, min, max };
        assert_eq!(Threshold::new(2, found), Err(error));
    }
    for (found, members) in [(0, 3), (1, 3), (4, 3), (255, 7)] {
        let error = ThresholdError::Needed {
            found,
            min,
            members,
        };
        assert_eq!(Threshold::new(found, members), Err(error));
    }
    let usual = [(2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)];
    for (members, needed) in usual {
        assert_eq!(Threshold::usual(members), Threshold::new(needed, members));
    }
}

#[test]
fn shares_do_not_print() {
    let share = KeyShare::from_bytes([1; 32]);
    assert_eq!(format!("{share:?}"), "KeyShare(not shown)");
}
