//! Three peers in ten that lie.

use crate::world::{Manner, ROUND_MS, Terms, World};

/// Runs a swarm with liars until all honest peers have merged. Tells the honest work in parts of the need.
fn swarm_with(manner: Manner, seed: u64, pieces: u32, peers: usize) -> f64 {
    let mut terms = Terms::honest(seed, pieces, peers);
    let liars = (peers * 3).div_ceil(10);
    terms.manners[..liars].fill(manner);
    terms.hop_ms = ROUND_MS / 50;
    terms.known = 24;
    let mut world = World::new(terms);
    let is_done = |world: &World| world.honest().all(|it| it.merged_at.is_some());
    let is_done = world.run(3_000 * ROUND_MS, is_done);
    let rounds = world.now as f64 / ROUND_MS as f64;
    let (new, checks) = world.work();
    println!(
        "{manner:?}, {pieces} pieces, {peers} peers, {liars} liars: {new:.3} new, {checks:.3} checks, \
         {rounds:.1} rounds, {:?}",
        world.counts
    );
    assert!(is_done, "not all have merged");
    world.assert_output_right();
    new + checks
}

#[test]
fn liars_change_nothing_of_the_output_and_cost_less_than_the_bar() {
    for manner in [Manner::MakesUp, Manner::Conspires, Manner::Accuses] {
        for seed in 0..3 {
            let work = swarm_with(manner, seed, 192, 16);
            assert!(work <= 1.6, "{manner:?}: {work}");
        }
    }
}

#[test]
fn who_lies_one_time_in_five_is_caught_where_there_are_enough_pieces_to_see_it() {
    for seed in 0..2 {
        let work = swarm_with(Manner::Seldom, seed, 1_920, 16);
        assert!(work <= 1.6, "{work}");
    }
}

#[test]
fn liars_in_a_crowd_are_caught_by_the_words_of_others() {
    for manner in [Manner::MakesUp, Manner::Conspires] {
        let work = swarm_with(manner, 7, 360, 30);
        assert!(work <= 1.6, "{manner:?}: {work}");
    }
}
