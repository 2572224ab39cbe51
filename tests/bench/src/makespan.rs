//! How long a job takes on a simulated grid, beside the fluid bound.

use crate::report::{Bar, Row, say, title};
use quern_grid::Tuning;
use quern_simulation::makespan::{Contestant, Faulty, Scenario, plain_queue, run};

pub(crate) const NAME: &str = "makespan_1k_devices_s";
pub(crate) const SIMPLER: &str = "makespan_vs_best_simpler_s";

const SEEDS: u64 = 10;
const QUICK_SEEDS: u64 = 1;

/// The default policy, with 1,000 devices, 20 tasks each, and 5 % of executions going wrong: beside the
/// bound, and beside the best of the policies that are simpler.
pub(crate) fn measure(quick: bool) -> Vec<Row> {
    title("A job on 1,000 simulated devices");
    let scenario = Scenario {
        devices: 1_000,
        tasks_per_device: 20,
        task_s: 60.0,
        faulty: Faulty { chance: 0.05 },
    };
    let seeds = if quick { QUICK_SEEDS } else { SEEDS };
    let simpler = [
        ("one plain queue", Contestant::Pull(plain_queue())),
        ("random", Contestant::Random),
        ("equal split", Contestant::EqualSplit),
    ];
    let mut others = simpler.map(|(name, _)| (name, 0.0));
    let (mut makespan, mut bound) = (0.0, 0.0);
    for seed in 0..seeds {
        let outcome = run(&scenario, &Contestant::Pull(Tuning::default()), seed);
        say(&format!("seed {seed}: {:.3} of the bound", outcome.ratio()));
        makespan += outcome.makespan_s / seeds as f64;
        bound += outcome.bound_s / seeds as f64;
        for ((_, contestant), (_, mean)) in simpler.iter().zip(&mut others) {
            *mean += run(&scenario, contestant, seed).makespan_s / seeds as f64;
        }
    }
    let reference = "total work / total speed of the devices";
    let bound = Row::new(NAME, (makespan, "s"), (reference, bound));
    let best = others.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let beside_best =
        best.map(|best| Row::new(SIMPLER, (makespan, "s"), best).with_bar(Bar::RatioAtMost(1.02)));
    let bound = bound.with_bar(Bar::RatioAtMost(1.10));
    std::iter::once(bound).chain(beside_best).collect()
}
