//! How long a job takes on a simulated grid, beside the fluid bound and beside simpler policies; and what
//! it costs that an account is large, and that trusted devices are heard before others are blamed.
//!
//! Most rows are of the scheduler alone, as the experiments are. One is held to the same bar with
//! masternode and workers as they ship, on grids that the defaults were not chosen by.

use crate::report::{Bar, Row, say, title};
use quern_grid::Tuning;
use quern_simulation::{
    judged,
    makespan::{
        Conditions, Contestant, Faulty, Scenario, plain_queue, run_beside_a_firm, run_under,
    },
};

pub(crate) const BOUND: &str = "makespan_1k_devices_s";
pub(crate) const REAL_CORE: &str = "makespan_1k_real_core_s";
pub(crate) const SIMPLER: &str = "makespan_vs_best_simpler_s";
pub(crate) const LIFELIKE: &str = "makespan_lifelike_s";
pub(crate) const LIFELIKE_SIMPLER: &str = "makespan_lifelike_vs_best_s";
pub(crate) const NO_FAULTS: &str = "makespan_no_faults_vs_best_s";
pub(crate) const MANY_FAULTS: &str = "makespan_20_faults_vs_best_s";
pub(crate) const FIRM: &str = "makespan_half_of_one_account_s";
pub(crate) const OPINIONS: &str = "makespan_second_opinions_s";

/// How many executions go wrong where devices differ in everything and some stall, as a share of all.
const LIFELIKE_FAULTS: f64 = 0.05;

/// What the default may take of the fluid bound at the most, with and without the rest of the masternode.
const BOUND_MAX: f64 = 1.10;

/// The devices of most rows.
const DEVICES: u32 = 1_000;

/// A whole grid of as many takes longer to simulate than the scheduler alone, so there are fewer of them. The
/// experiments by which the defaults were chosen count their seeds from 0, and have far fewer than 1,000; those
/// from 1,000 on were looked at while rules were mended.
const REAL_SEEDS: u64 = 5;
const REAL_SEEDS_FROM: u64 = 2_000;

const SEEDS: u64 = 10;
const QUICK_SEEDS: u64 = 1;

const TASKS_PER_DEVICE: u32 = 20;
const QUICK_TASKS_PER_DEVICE: u32 = 5;

/// How many executions go wrong in the first two rows and in the last, as a share of all.
const FAULTS: f64 = 0.05;

/// The same in the two after the first.
const OTHER_FAULTS: [(&str, f64); 2] = [(NO_FAULTS, 0.0), (MANY_FAULTS, 0.20)];

/// Devices of which half are of one account: with the others' there are 256, as many as make the most lanes.
const BESIDE_FIRM: u32 = 510;

/// Devices of a grid on which answers are judged, and of a thousand of them those that are trusted.
const JUDGED: u32 = 300;
const TRUSTED_PERMILLE: u32 = 10;

/// Devices that must answer each task in the last two rows.
const REPLICAS: u8 = 3;

/// The default policy, with 1,000 devices and 20 tasks each: beside the bound, and beside the best of the
/// policies that are simpler, of those rows that are wanted.
pub(crate) fn measure(quick: bool, wants: impl Fn(&str) -> bool) -> anyhow::Result<Vec<Row>> {
    title("A job on simulated devices");
    let mut rows = Vec::new();
    if wants(BOUND) || wants(SIMPLER) {
        let means = Means::over(&Conditions::default(), quick, FAULTS);
        rows.push(means.beside_bound(BOUND, BOUND_MAX));
        rows.extend(means.beside_best(SIMPLER));
    }
    if wants(REAL_CORE) {
        rows.push(with_real_core(quick)?);
    }
    if wants(LIFELIKE) || wants(LIFELIKE_SIMPLER) {
        let means = Means::over(&Conditions::LIFELIKE, quick, LIFELIKE_FAULTS);
        // What stalls takes a tenth of the devices' time by itself; the rest is for the last ones to be
        // noticed and computed again.
        rows.push(means.beside_bound(LIFELIKE, 1.30));
        rows.extend(means.beside_best(LIFELIKE_SIMPLER));
    }
    for (name, faults) in OTHER_FAULTS {
        if wants(name) {
            let means = Means::over(&Conditions::default(), quick, faults);
            rows.extend(means.beside_best(name));
        }
    }
    if wants(FIRM) {
        rows.push(beside_firm(quick));
    }
    if wants(OPINIONS) {
        rows.push(with_opinions(quick)?);
    }
    Ok(rows)
}

/// How many seeds there are, and a job for so many devices, of whose executions this share goes wrong.
fn scenario(quick: bool, devices: u32, faults: f64) -> (u64, Scenario) {
    let (seeds, tasks_per_device) = match quick {
        true => (QUICK_SEEDS, QUICK_TASKS_PER_DEVICE),
        false => (SEEDS, TASKS_PER_DEVICE),
    };
    let scenario = Scenario {
        devices,
        tasks_per_device,
        task_s: 60.0,
        faulty: Faulty { chance: faults },
    };
    (seeds, scenario)
}

/// The default policy within the masternode's core, with workers as they ship, to the last settlement.
fn with_real_core(quick: bool) -> anyhow::Result<Row> {
    let (_, scenario) = scenario(quick, DEVICES, FAULTS);
    let seeds = if quick { QUICK_SEEDS } else { REAL_SEEDS };
    let (mut makespan_s, mut bound_s) = (0.0, 0.0);
    let mut ratios = Vec::new();
    for seed in (REAL_SEEDS_FROM..).take(seeds as usize) {
        let outcome = judged::run_failing(&scenario, seed)?;
        say(&format!(
            "masternode and workers as they ship, seed {seed}: {:.3} of the bound and {:.3} executions a \
             task",
            outcome.ratio(),
            outcome.executions_per_task
        ));
        makespan_s += outcome.makespan_s / seeds as f64;
        bound_s += outcome.bound_s / seeds as f64;
        ratios.push(outcome.ratio());
    }
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    say(&format!(
        "masternode and workers as they ship, {seeds} seeds: {:.3} of the bound, from {least:.3} to \
         {most:.3}, with a standard deviation of {:.3}",
        makespan_s / bound_s,
        deviation(&ratios)
    ));
    let reference = ("total work / total speed of the devices", bound_s);
    let row = Row::new(REAL_CORE, (makespan_s, "s"), reference);
    Ok(row.with_bar(Bar::RatioAtMost(BOUND_MAX)))
}

/// The standard deviation of what these are a sample of; none is seen in a single one.
fn deviation(sample: &[f64]) -> f64 {
    let others = sample.len().saturating_sub(1).max(1) as f64;
    let mean = sample.iter().sum::<f64>() / sample.len().max(1) as f64;
    let squares = sample.iter().map(|value| (value - mean) * (value - mean));
    (squares.sum::<f64>() / others).sqrt()
}

/// Three devices must answer each task, and half of all are of one account.
fn beside_firm(quick: bool) -> Row {
    let (seeds, scenario) = scenario(quick, BESIDE_FIRM, 0.0);
    let conditions = Conditions {
        more_replicas: REPLICAS - 1,
        ..Conditions::default()
    };
    let default = Contestant::Pull(Tuning::default());
    let (mut beside_s, mut without_s) = (0.0, 0.0);
    for seed in 0..seeds {
        let of = |firm| run_beside_a_firm(firm, &conditions, &scenario, &default, seed);
        let (beside, without) = (of(BESIDE_FIRM / 2), of(0));
        say(&format!(
            "half of one account, seed {seed}: {:.3} of the bound, and {:.3} where nobody is",
            beside.ratio(),
            without.ratio()
        ));
        beside_s += beside.makespan_s / seeds as f64;
        without_s += without.makespan_s / seeds as f64;
    }
    let reference = (
        "the same where each device is of an account of its own",
        without_s,
    );
    // An account has one replica of a task at the most, so the other half computes two thirds, which is
    // four thirds of its share; an eighth is for luck and for the end.
    Row::new(FIRM, (beside_s, "s"), reference).with_bar(Bar::RatioAtMost(1.5))
}

/// Answers are judged, some of them wrong, and a trusted device is heard before anybody is blamed.
fn with_opinions(quick: bool) -> anyhow::Result<Row> {
    let (seeds, scenario) = scenario(quick, JUDGED, FAULTS);
    let (mut heard_s, mut unheard_s) = (0.0, 0.0);
    for seed in 0..seeds {
        let heard = judged::run(&scenario, REPLICAS, TRUSTED_PERMILLE, seed)?;
        let unheard = judged::run(&scenario, REPLICAS, 0, seed)?;
        say(&format!(
            "second opinions, seed {seed}: {:.3} of the bound and {:.3} executions a task, {:.3} and \
             {:.3} where nobody is trusted",
            heard.ratio(),
            heard.executions_per_task,
            unheard.ratio(),
            unheard.executions_per_task
        ));
        heard_s += heard.makespan_s / seeds as f64;
        unheard_s += unheard.makespan_s / seeds as f64;
    }
    let reference = ("the same where no device is trusted", unheard_s);
    Ok(Row::new(OPINIONS, (heard_s, "s"), reference))
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
    /// Where this is the matter, and this share of all executions goes wrong.
    fn over(conditions: &Conditions, quick: bool, faults: f64) -> Self {
        let (seeds, scenario) = scenario(quick, DEVICES, faults);
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
            let default = Contestant::Pull(Tuning::default());
            let outcome = run_under(conditions, &scenario, &default, seed);
            say(&format!(
                "{:.0} % faults, seed {seed}: {:.3} of the bound",
                100.0 * faults,
                outcome.ratio()
            ));
            means.makespan_s += outcome.makespan_s / seeds as f64;
            means.bound_s += outcome.bound_s / seeds as f64;
            for ((_, contestant), (_, mean_s)) in simpler.iter().zip(&mut means.simpler_s) {
                let outcome = run_under(conditions, &scenario, contestant, seed);
                *mean_s += outcome.makespan_s / seeds as f64;
            }
        }
        means
    }

    /// The default beside the bound, of which it may take so much at the most.
    fn beside_bound(&self, name: &'static str, most: f64) -> Row {
        let reference = ("total work / total speed of the devices", self.bound_s);
        let row = Row::new(name, (self.makespan_s, "s"), reference);
        row.with_bar(Bar::RatioAtMost(most))
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
