//! Peers that are killed at random and come back with what is on their disks.

use crate::world::{ROUND_MS, Terms, World};

#[test]
fn half_of_the_peers_killed_every_round_lose_nothing_that_was_announced() {
    for seed in 0..3 {
        let peers = 16;
        let mut world = World::new(Terms::honest(seed, 192, peers));
        let is_done = |world: &World| world.peers.iter().any(|it| it.merged_at.is_some());
        let mut down: Vec<usize> = vec![];
        let mut round = 1;
        while !world.run(round * ROUND_MS, is_done) {
            round += 1;
            assert!(round < 200, "it does not come to an end");
            let mut up: Vec<usize> = (0..peers).filter(|at| world.is_up(*at)).collect();
            let back = std::mem::take(&mut down);
            for _ in 0..up.len() / 2 {
                let at = world.below(up.len() as u64) as usize;
                let killed = up.swap_remove(at);
                world.kill(killed);
                down.push(killed);
            }
            back.into_iter().for_each(|at| world.revive(at));
        }
        world.assert_output_right();
        let counts = world.counts;
        let (new, checks) = world.work();
        println!("seed {seed}: {round} rounds, {new:.2} new, {checks:.2} checks, {counts:?}");
        assert_eq!(counts.begun_again, 0);
        assert_eq!(counts.honest_dropped + counts.discarded, 0);
    }
}
