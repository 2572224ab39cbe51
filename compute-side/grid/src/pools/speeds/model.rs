//! Speeds as a list that is sorted.

use super::*;
use proptest::prelude::*;

/// A speed with all but its first four binary digits made zero; if it has fewer, all but the first.
fn rounded_down(speed: u32) -> u32 {
    let kept = if speed < 8 { 1 } else { 4 };
    let digits = format!("{speed:b}");
    let first: String = digits.chars().take(kept).collect();
    let padded = format!("{first:0<width$}", width = digits.len());
    u32::from_str_radix(&padded, 2).unwrap()
}

/// The speed of whoever stands behind the fastest tenth; 0 is one that is not known.
fn behind_the_fastest(speeds: &[u32]) -> u32 {
    let mut sorted = speeds.to_vec();
    sorted.sort_unstable();
    sorted.reverse();
    sorted.get(sorted.len() / 10).copied().unwrap_or(0)
}

/// The same, to an eighth.
pub(in crate::pools) fn exceeded_by_one_in_ten(speeds: &[u32]) -> u32 {
    rounded_down(behind_the_fastest(speeds))
}

/// The speed of whoever stands behind the slowest tenth of those that are known, to an eighth.
fn exceeded_by_nine_in_ten(speeds: &[u32]) -> u32 {
    let mut sorted: Vec<u32> = speeds.to_vec();
    sorted.retain(|speed| *speed > 0);
    sorted.sort_unstable();
    rounded_down(sorted.get(sorted.len() / 10).copied().unwrap_or(0))
}

fn counted(speeds: &[u32]) -> Speeds {
    let mut counted = Speeds::default();
    speeds.iter().for_each(|speed| counted.add(*speed));
    counted
}

/// Unknown, small, usual, at an end, of any size, and on either side of where a step begins.
fn speed() -> impl Strategy<Value = u32> {
    prop_oneof![
        2 => Just(0),
        2 => 1u32..20,
        4 => 900_000u32..9_000_000,
        1 => Just(u32::MAX),
        2 => (0u32..32).prop_flat_map(|digits| 0..=u32::MAX >> digits),
        2 => (8u32..16, 0u32..29, 0u32..2)
            .prop_map(|(first, zeros, less)| (first << zeros) - less),
    ]
}

/// Any that differ, and many that are alike.
fn speeds() -> impl Strategy<Value = Vec<u32>> {
    let alike = (speed(), 0usize..60).prop_map(|(speed, count)| vec![speed; count]);
    let any = prop::collection::vec(speed(), 0..60);
    let few = prop::sample::select(vec![0usize, 1, 9, 10, 11, 19, 20, 21]);
    let as_many = few.prop_flat_map(|count| prop::collection::vec(speed(), count));
    prop::collection::vec(prop_oneof![alike, any, as_many], 0..4).prop_map(|all| all.concat())
}

#[test]
fn the_speed_of_the_slow_is_one_that_nine_in_ten_of_the_known_ones_exceed() {
    let speeds: Vec<u32> = (0..=100).map(|n| n * 100).chain([0; 50]).collect();
    let slow = counted(&speeds).exceeded_by_nine_in_ten();
    assert!((1_000..=1_150).contains(&slow), "{slow}");
    assert_eq!(counted(&[0, 1_024, 0]).exceeded_by_nine_in_ten(), 1_024);
    assert_eq!(counted(&[0, 0]).exceeded_by_nine_in_ten(), 0);
}

proptest! {
    #[test]
    fn the_fast_and_the_slow_are_those_behind_a_tenth_when_all_are_sorted(
        stays in speeds(),
        goes in speeds(),
        taken_away in speeds(),
    ) {
        let mut left = counted(&[stays.clone(), goes.clone(), taken_away.clone()].concat());
        goes.iter().for_each(|speed| left.remove(*speed));
        left.subtract(&counted(&taken_away));
        prop_assert_eq!(left.exceeded_by_one_in_ten(), exceeded_by_one_in_ten(&stays));
        prop_assert_eq!(left.exceeded_by_nine_in_ten(), exceeded_by_nine_in_ten(&stays));
        let known = stays.iter().filter(|speed| **speed > 0).count();
        let sum: u64 = stays.iter().map(|speed| u64::from(*speed)).sum();
        let [count, measured] = [left.count, left.measured].map(|it| it as usize);
        prop_assert_eq!((count, measured, left.sum), (stays.len(), known, sum));
    }

    /// What is said of it, without a word of steps.
    #[test]
    fn no_more_than_one_in_ten_are_faster_than_the_fast_by_an_eighth(speeds in speeds()) {
        let found = counted(&speeds).exceeded_by_one_in_ten();
        let exact = behind_the_fastest(&speeds);
        let is_far_above = |speed: u32| match found {
            0..8 => u64::from(speed) >= 2 * u64::from(found.max(1)),
            _ => 8 * u64::from(speed) >= 9 * u64::from(found),
        };
        prop_assert!(found <= exact && (found == exact || !is_far_above(exact)), "{found} {exact}");
        let as_fast = speeds.iter().filter(|speed| **speed >= found).count();
        prop_assert!(10 * as_fast > speeds.len() || speeds.is_empty(), "{as_fast}");
        let far_above = speeds.iter().filter(|speed| is_far_above(**speed)).count();
        prop_assert!(10 * far_above <= speeds.len(), "{far_above}");
    }
}
