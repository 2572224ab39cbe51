//! The ranking against the published description, followed to the letter.

use super::*;
use proptest::prelude::*;
use std::{cmp::Reverse, collections::BTreeSet};

fn candidate(device: u32, points: u32, sixtieths: u8) -> Candidate {
    Candidate {
        device,
        score: Score::from_millionths(points * 1_000_000),
        faults: FaultRate::from_sixtieths(sixtieths),
        is_lifted: false,
    }
}

/// The devices in the order of their ranking; ties by `id`, winners lifted by so many places.
fn ranked<K: Ord>(
    candidates: impl IntoIterator<Item = Candidate>,
    id: impl Fn(u32) -> K,
    wins: impl Fn(u32) -> bool,
    lift: u32,
) -> Vec<u32> {
    let all: Vec<Candidate> = candidates.into_iter().collect();
    // What was in the memory does not matter, nor how much more of it there is.
    let [mut memory, mut order, mut room] = [3, 2, 1].map(|more| vec![u64::MAX; all.len() + more]);
    let mut candidates = Candidates::new(&mut memory);
    for it in &all {
        let is_lifted = wins(it.device);
        candidates.push(&Candidate { is_lifted, ..*it });
    }
    candidates.rank(&mut order, &mut room, id, lift);
    order.truncate(all.len());
    order.into_iter().map(device_of).collect()
}

/// The walk as described: a list, sorted by score; for i = 1 to m the device that stands at index
/// m - i is pushed floor(i R) places towards the bottom, one at a time, never past the end; each
/// winner, in order from the top, 100 places towards the top, one at a time, never past it.
fn walk(candidates: &[Candidate], wins: impl Fn(u32) -> bool, lift: u32) -> Vec<u32> {
    let mut list = candidates.to_vec();
    list.sort_by(|a, b| b.score.cmp(&a.score).then(a.device.cmp(&b.device)));
    let m = list.len();
    for i in 1..=m {
        let mut at = m - i;
        let places = (i as u64 * u64::from(list[at].faults.sixtieths()) / 60) as usize;
        for _ in 0..places {
            if at + 1 < m {
                list.swap(at, at + 1);
                at += 1;
            }
        }
    }
    let winners: Vec<u32> = list
        .iter()
        .map(|it| it.device)
        .filter(|device| wins(*device))
        .collect();
    for winner in winners {
        let mut at = list.iter().position(|it| it.device == winner).unwrap();
        for _ in 0..lift {
            if at > 0 {
                list.swap(at, at - 1);
                at -= 1;
            }
        }
    }
    list.into_iter().map(|it| it.device).collect()
}

#[test]
fn devices_without_faults_stand_by_score_and_equal_ones_by_their_id() {
    let candidates = [
        candidate(4, 100, 0),
        candidate(2, 300, 0),
        candidate(1, 100, 0),
        candidate(3, 200, 0),
    ];
    assert_eq!(
        ranked(candidates, |device| device, |_| false, 100),
        [2, 3, 1, 4]
    );
}

#[test]
fn a_device_that_always_fails_is_pushed_by_its_rate_and_no_further_than_the_end() {
    let good = |device: u32| candidate(device, 1_000 - device, 0);
    let mut candidates: Vec<_> = (0..6).map(good).collect();
    candidates[0].faults = FaultRate::from_sixtieths(20);
    // The best of six: floor(6 / 3) places down.
    assert_eq!(
        ranked(candidates.clone(), |device| device, |_| false, 100),
        [1, 2, 0, 3, 4, 5]
    );
    candidates[0].faults = FaultRate::from_sixtieths(60);
    assert_eq!(
        ranked(candidates, |device| device, |_| false, 100),
        [1, 2, 3, 4, 5, 0]
    );
}

#[test]
fn a_winner_is_lifted_and_no_further_than_the_top() {
    let candidates: Vec<_> = (0..6)
        .map(|device| candidate(device, 6 - device, 0))
        .collect();
    assert_eq!(
        ranked(candidates.clone(), |device| device, |device| device == 4, 2),
        [0, 1, 4, 2, 3, 5]
    );
    assert_eq!(
        ranked(candidates, |device| device, |device| device == 4, 100),
        [4, 0, 1, 2, 3, 5]
    );
}

#[test]
fn nobody_is_ranked_where_nobody_is() {
    assert_eq!(
        ranked([], |device| device, |_| true, 100),
        Vec::<u32>::new()
    );
}

proptest! {
    #[test]
    fn the_ranking_is_the_one_of_the_published_walk(
        devices in prop::collection::vec((0u32..6, 0u8..=60, prop::bool::weighted(0.2)), 0..200),
        first in any::<u8>(),
        lift in prop_oneof![Just(0), Just(1), Just(100), 0u32..300],
    ) {
        // Few scores, so that there are ties; ids in no order of the slice.
        let candidates: Vec<_> = (0u32..)
            .zip(&devices)
            .map(|(n, (points, sixtieths, _))| {
                candidate((n * 7 + u32::from(first)) % 211, *points, *sixtieths)
            })
            .collect();
        let lucky: Vec<u32> = candidates
            .iter()
            .zip(&devices)
            .filter(|(_, (.., wins))| *wins)
            .map(|(it, _)| it.device)
            .collect();
        let wins = |device| lucky.contains(&device);
        let expected = walk(&candidates, wins, lift);
        prop_assert_eq!(ranked(candidates, |device| device, wins, lift), expected);
    }

    #[test]
    fn everybody_is_ranked_once(rates in prop::collection::vec(0u8..=60, 0..500)) {
        let candidates: Vec<_> = (0u32..)
            .zip(rates)
            .map(|(device, rate)| candidate(device, 1, rate))
            .collect();
        let mut order = ranked(candidates.clone(), |device| device, |device| device % 3 == 0, 100);
        order.sort_unstable();
        prop_assert!(order.into_iter().eq(0..candidates.len() as u32));
    }
}

/// The list as it is built from its lower end: the i-th device from the bottom is inserted at place
/// floor(i R) of the i - 1 below it.
fn by_insertion(candidates: &[Candidate], wins: impl Fn(u32) -> bool, lift: usize) -> Vec<u32> {
    let mut sorted = candidates.to_vec();
    sorted.sort_by_key(|it| (Reverse(it.score), it.device));
    let mut list: Vec<u32> = vec![];
    for (i, it) in (1..).zip(sorted.iter().rev()) {
        let place = i * usize::from(it.faults.sixtieths()) / 60;
        list.insert(place.min(list.len()), it.device);
    }
    for at in 0..list.len() {
        if wins(list[at]) {
            let winner = list.remove(at);
            list.insert(at.saturating_sub(lift), winner);
        }
    }
    list
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// So many that all steps are taken which are only taken with many.
    #[test]
    fn the_ranking_of_thousands_is_the_one_built_by_insertion(
        devices in prop::collection::vec(
            (0u32..40, prop_oneof![3 => Just(0u8), 2 => 1u8..4, 1 => 0u8..=60], 0u32..60),
            0..6_000,
        ),
        // All of one score; within two points of each other; over the whole range.
        apart_millionths in prop_oneof![Just(0u32), Just(1_000), Just(1_000_000)],
        lift in prop_oneof![Just(100u32), 0u32..3_000],
    ) {
        let candidates: Vec<_> = (0u32..)
            .zip(&devices)
            .map(|(n, (step, sixtieths, _))| {
                let device = n * 2_753 % 100_003;
                let step = step * 50 + device % 50;
                Candidate {
                    score: Score::from_millionths(500_000_000 + step * apart_millionths),
                    ..candidate(device, 0, *sixtieths)
                }
            })
            .collect();
        let lucky: BTreeSet<u32> = candidates
            .iter()
            .zip(&devices)
            .filter(|(_, (.., draw))| *draw == 0)
            .map(|(it, _)| it.device)
            .collect();
        let wins = |device| lucky.contains(&device);
        let expected = by_insertion(&candidates, wins, lift as usize);
        prop_assert_eq!(ranked(candidates, |device| device, wins, lift), expected);
    }
}
