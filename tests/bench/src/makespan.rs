//! How long a job takes on a simulated grid, beside the fluid bound and beside simpler policies.

use crate::report::{Bar, Row, say, title};
use quern_grid::Tuning;
use quern_simulation::makespan::{Contestant, Faulty, Scenario, plain_queue, run};

pub(crate) const BOUND: &str = "makespan_1k_devices_s";
pub(crate) const SIMPLER: &str = "makespan_vs_best_simpler_s";
pub(crate) const NO_FAULTS: &str = "makespan_no_faults_vs_best_s";
pub(crate) const MANY_FAULTS: &str = "makespan_20_faults_vs_best_s";

const SEEDS: u64 = 10;
const QUICK_SEEDS: u64 = 1;

const TASKS_PER_DEVICE: u32 = 20;
const QUICK_TASKS_PER_DEVICE: u32 = 5;

/// How many executions go wrong in the first two rows, as a share of all.
const FAULTS: f64 = 0.05;

/// The same in the others.
const OTHER_FAULTS: [(&str, f64); 2] = [(NO_FAULTS, 0.0), (MANY_FAULTS, 0.20)];

/// The default policy, with 1,000 devices and 20 tasks each: beside the bound, and beside the best of the
/// policies that are simpler, of those rows that are wanted.
pub(crate) fn measure(quick: bool, wants: impl Fn(&str) -> bool) -> Vec<Row> {
    title("A job on 1,000 simulated devices");
    let mut rows = Vec::new();
    if wants(BOUND) || wants(SIMPLER) {
        let means = Means::over(quick, FAULTS);
        let reference = ("total work / total speed of the devices", means.bound_s);
        let beside_bound = Row::new(BOUND, (means.makespan_s, "s"), reference);
        rows.push(beside_bound.with_bar(Bar::RatioAtMost(1.10)));
        rows.extend(means.beside_best(SIMPLER));
    }
    for (name, faults) in OTHER_FAULTS {
        if wants(name) {
            rows.extend(Means::over(quick, faults).beside_best(name));
        }
    }
    rows
}

/// Means over some seeds, in seconds of virtual time.
struct Means {
    /// Under the default policy.
    makespan_s: f64,
    bound_s: f64,
    /// Under each of the simpler ones.
    simpler_s: [(&'static str, f64); 3],
}

impl Means {
    /// Where this share of all executions goes wrong.
    fn over(quick: bool, faults: f64) -> Self {
        let (seeds, tasks_per_device) = match quick {
            true => (QUICK_SEEDS, QUICK_TASKS_PER_DEVICE),
            false => (SEEDS, TASKS_PER_DEVICE),
        };
        let scenario = Scenario {
            devices: 1_000,
            tasks_per_device,
            task_s: 60.0,
            faulty: Faulty { chance: faults },
        };
        let simpler = [
            ("one plain queue", Contestant::Pull(plain_queue())),
            ("random", Contestant::Random),
            ("equal split", Contestant::EqualSplit),
        ];
        let mut means = Self {
            makespan_s: 0.0,
            bound_s: 0.0,
            simpler_s: simpler.map(|(name, _)| (name, 0.0)),
        };
        for seed in 0..seeds {
            let outcome = run(&scenario, &Contestant::Pull(Tuning::default()), seed);
            say(&format!(
                "{:.0} % faults, seed {seed}: {:.3} of the bound",
                100.0 * faults,
                outcome.ratio()
            ));
            means.makespan_s += outcome.makespan_s / seeds as f64;
            means.bound_s += outcome.bound_s / seeds as f64;
            for ((_, contestant), (_, mean_s)) in simpler.iter().zip(&mut means.simpler_s) {
                *mean_s += run(&scenario, contestant, seed).makespan_s / seeds as f64;
            }
        }
        means
    }

    /// The default beside the best of the simpler ones.
    fn beside_best(&self, name: &'static str) -> Option<Row> {
        let best = self
            .simpler_s
            .into_iter()
            .min_by(|a, b| a.1.total_cmp(&b.1))?;
        let row = Row::new(name, (self.makespan_s, "s"), best);
        Some(row.with_bar(Bar::RatioAtMost(1.02)))
    }
}
