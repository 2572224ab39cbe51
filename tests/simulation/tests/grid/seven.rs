//! Grids of which three of ten devices mean harm, in seven ways, where all must agree, as is usual: no wrong
//! answer is accepted, and each of them is out within as many verdicts as the rules of faults need.
//!
//! That a device which is out is given nothing is held at every step of every run: it is what the audit is for.

use super::hold;
use quern_simulation::grid::{Config, Faults, Scheduling, Way};
use std::collections::BTreeMap;

/// The chance that is left, for one device, that it is not out after as many tasks as the model says.
const DOUBT: f64 = 1e-9;

/// A grid with tasks enough for each device to be found out, and to make itself a name before.
fn harmed(seed: u64, devices: u32) -> Config {
    Config {
        devices,
        tasks: devices * 16,
        replicas: 2,
        task_s: 10,
        seed,
        faults: Faults::SEVEN_WAYS,
        faults_s: 0,
        scheduling: Scheduling::Best,
        trusted: 0,
        asking: 0,
        bondless: 0,
        uneven: 0,
        ..Config::default()
    }
}

/// Of how many devices those that mean harm are drawn: each with the same chance.
fn hold_share(harm: u32, devices: u32, sigmas: f64) {
    let share = 7.0 * f64::from(Faults::SEVEN_WAYS.lying) / 1_000.0;
    let devices = f64::from(devices);
    let sigma = (devices * share * (1.0 - share)).sqrt();
    let off = (f64::from(harm) - devices * share) / sigma;
    assert!(off.abs() <= sigmas, "{harm} of {devices}: {off} sigmas off");
}

/// Runs it, counts who was put out, by their ways, and says how many mean harm.
fn put_out(config: &Config, out: &mut BTreeMap<Way, u32>) -> u32 {
    let outcome = hold(config);
    assert!(outcome.is_all_settled(), "{config}: {outcome}");
    assert_eq!(outcome.counts.wrong_answers, 0, "{config}: {outcome}");
    let harm = outcome.conduct.iter().filter(|it| it.way.is_some());
    let harm = harm.count() as u32;
    // By one grid in a million fewer or more.
    hold_share(harm, config.devices, 5.0);
    for (number, conduct) in outcome.conduct.iter().enumerate() {
        let words = || format!("{config}: d{number} {conduct:?}");
        assert_eq!(conduct.paid_for_faults, 0, "{}", words());
        let Some(way) = conduct.way else {
            // Whoever is honest is not blamed for what others do.
            assert_eq!((conduct.incorrect, conduct.failed), (0, 0), "{}", words());
            continue;
        };
        let faults = match way {
            Way::Random | Way::Lazy | Way::Selective => conduct.incorrect,
            Way::Copying | Way::TwoFaced => conduct.failed,
            Way::Late | Way::Silent => conduct.delayed,
        };
        // Every task on which there is a verdict of it counts for what it is.
        let honest = if way == Way::Selective {
            conduct.accepted
        } else {
            0
        };
        assert_eq!(faults + honest, conduct.judged(), "{}", words());
        let most = way.tasks_until_out(DOUBT).unwrap();
        match conduct.out_after {
            Some(tasks) => {
                assert!(tasks <= most, "{}", words());
                let given_max = conduct.given_before_max(most);
                assert!(conduct.given_before <= given_max, "{}", words());
                *out.entry(way).or_default() += 1;
            }
            // Nobody has heard enough of it.
            None => assert!(conduct.judged() < most, "{}", words()),
        }
    }
    harm
}

fn hold_all(configs: impl IntoIterator<Item = Config>) {
    let mut out = BTreeMap::new();
    let (mut harm, mut devices) = (0, 0);
    for config in configs {
        harm += put_out(&config, &mut out);
        devices += config.devices;
    }
    hold_share(harm, devices, 3.0);
    let missing = Way::ALL.iter().filter(|way| !out.contains_key(way));
    assert_eq!(missing.count(), 0, "not all were put out: {out:?}");
}

#[test]
fn of_three_in_ten_that_mean_harm_in_seven_ways_no_wrong_answer_is_accepted_and_all_are_out() {
    hold_all((920..923).map(|seed| harmed(seed, 120)));
}

#[test]
#[ignore = "thousands of devices take minutes; `cargo xtask test --nightly` runs them"]
fn of_thousands_of_devices_those_that_mean_harm_are_out_and_no_wrong_answer_is_accepted() {
    hold_all((930..960).map(|seed| harmed(seed, 120)));
    hold_all((960..963).map(|seed| harmed(seed, 2_000)));
}
