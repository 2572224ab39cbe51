//! Swarms of which each peer sees a part only.

use crate::world::{ROUND_MS, Terms, World};

/// Runs a crowd to its end; tells how much of the work was in vain, and how much was checks.
fn crowd(seed: u64, pieces: u32, peers: usize, degree_max: usize, lost_one_in: u64) -> (f64, f64) {
    let mut world = World::new(Terms {
        hop_ms: ROUND_MS / 50,
        lost_one_in,
        degree_max,
        known: 24,
        ..Terms::honest(seed, pieces, peers)
    });
    let is_done = |world: &World| world.peers.iter().all(|it| it.merged_at.is_some());
    let is_done = world.run(200 * ROUND_MS, is_done);
    let merged = world
        .peers
        .iter()
        .filter(|it| it.merged_at.is_some())
        .count();
    assert!(is_done, "only {merged} of {peers} have merged");
    world.assert_output_right();
    let rounds = world.now as f64 / ROUND_MS as f64;
    let whole = world
        .peers
        .iter()
        .filter_map(|it| it.whole_at)
        .min()
        .unwrap_or(0);
    let (new, checks) = world.work();
    println!(
        "{pieces} pieces, {peers} peers, degree {degree_max}, one in {lost_one_in} lost: {:.2} % in vain, \
         {:.1} % checks, first whole after {:.2} and all merged after {rounds:.2} rounds, {} messages and \
         {} words for each piece and peer",
        (new - 1.0) * 100.0,
        checks * 100.0,
        whole as f64 / ROUND_MS as f64,
        world.counts.messages / (u64::from(pieces) * peers as u64),
        world.counts.words / (u64::from(pieces) * peers as u64),
    );
    (new - 1.0, checks)
}

#[test]
fn a_hundred_peers_that_see_eight_each_compute_hardly_anything_twice() {
    for (seed, lost_one_in) in [(1, 0), (2, 10)] {
        let (in_vain, _) = crowd(seed, 500, 100, 8, lost_one_in);
        assert!(in_vain <= 0.05, "{in_vain} was in vain");
    }
}

#[test]
#[ignore = "nightly: a thousand peers take minutes, and several gigabytes"]
fn a_thousand_peers_that_see_eight_each_compute_hardly_anything_twice() {
    let (in_vain, _) = crowd(3, 2_000, 1_000, 8, 10);
    assert!(in_vain <= 0.05, "{in_vain} was in vain");
}
