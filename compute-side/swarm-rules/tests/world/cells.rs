//! The published experiment: pieces that take a fixed time, finished when one peer has all of them.

use crate::{
    model,
    world::{ROUND_MS, Terms, World},
};

struct Cell {
    rounds: f64,
    merged: f64,
    in_vain: f64,
    checks: f64,
}

fn cell(pieces: u32, peers: usize, are_trusted: bool) -> Cell {
    let runs = (0..5).map(|seed| {
        let mut terms = Terms::honest(
            seed * 1_000 + u64::from(pieces) + peers as u64,
            pieces,
            peers,
        );
        terms.are_trusted = are_trusted;
        let mut world = World::new(terms);
        let has_one_all = |world: &World| world.peers.iter().any(|it| it.whole_at.is_some());
        assert!(
            world.run(200 * ROUND_MS, has_one_all),
            "nobody has all pieces"
        );
        let rounds = world.now as f64 / ROUND_MS as f64;
        let all_merged = |world: &World| world.peers.iter().all(|it| it.merged_at.is_some());
        assert!(world.run(400 * ROUND_MS, all_merged), "not all have merged");
        let merged = world.now as f64 / ROUND_MS as f64;
        world.assert_output_right();
        assert_eq!(world.counts.discarded + world.counts.honest_dropped, 0);
        let (new, checks) = world.work();
        Cell {
            rounds,
            merged,
            in_vain: new - 1.0,
            checks,
        }
    });
    let runs: Vec<Cell> = runs.collect();
    let mean = |of: fn(&Cell) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
    Cell {
        rounds: mean(|it| it.rounds),
        merged: mean(|it| it.merged),
        in_vain: mean(|it| it.in_vain),
        checks: mean(|it| it.checks),
    }
}

fn all_cells(are_trusted: bool) {
    let mut missed = vec![];
    println!(
        "| pieces | peers | rounds | of the model | of the bound | all merged | in vain | checks |"
    );
    for pieces in [64, 128, 192] {
        for peers in [4, 8, 12, 16] {
            let cell = cell(pieces, peers, are_trusted);
            let of_model = cell.rounds / model::rounds(pieces as usize, peers);
            let of_bound = cell.rounds / f64::from(pieces.div_ceil(peers as u32));
            println!(
                "| {pieces} | {peers} | {:.2} | {of_model:.3} | {of_bound:.3} | {:.2} | {:.1} % | {:.1} % |",
                cell.rounds,
                cell.merged,
                cell.in_vain * 100.0,
                cell.checks * 100.0,
            );
            let bar = if peers <= 8 { 1.15 } else { 1.35 };
            if of_model >= 1.0 || of_bound > bar {
                missed.push((pieces, peers));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn strangers_have_all_pieces_sooner_than_the_model() {
    all_cells(false);
}

#[test]
fn peers_of_one_owner_have_all_pieces_sooner_than_the_model() {
    all_cells(true);
}
