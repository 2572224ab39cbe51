//! The plan against the formula as it stands, an exhaustive search, and the published examples.

use super::*;
use proptest::prelude::*;

const ANY_ACCOUNTS: u64 = u64::MAX;

fn p(value: f64) -> FailureProbability {
    FailureProbability::new(value).unwrap()
}

fn group(devices: u64, failure: f64) -> DeviceGroup {
    DeviceGroup {
        devices,
        failure: p(failure),
    }
}

fn plan(tasks: u64, groups: &[DeviceGroup]) -> Plan {
    let fleet = Fleet::of_groups(groups.iter().copied()).unwrap();
    Plan::new(tasks, fleet, ANY_ACCOUNTS).unwrap()
}

/// The formula as it stands: devices sorted from the least to the most reliable, naive products. One minus a
/// product is summed up task by task, which keeps the digits of what is small.
fn reference(tasks: usize, devices: &[f64], replicas: usize) -> f64 {
    let mut all = devices.to_vec();
    all.sort_by(f64::total_cmp);
    // Rounds over all devices, the most reliable first; then what takes part, the least first.
    let mut sorted: Vec<f64> = (0..replicas).map(|place| all[place % all.len()]).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let a = replicas / tasks;
    let mut some_failed = 0.0;
    for i in 1..=tasks {
        let runs = if i <= replicas - a * tasks { a + 1 } else { a };
        let mut fails = 1.0;
        for k in 1..=runs {
            fails *= sorted[i + (k - 1) * tasks - 1];
        }
        some_failed += fails * (1.0 - some_failed);
    }
    some_failed
}

/// Seeded numbers for the examples with deviations: SplitMix64, and Box and Muller's normal draws.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0, at most 1.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self, mean: f64, deviation: f64) -> FailureProbability {
        let radius = libm::sqrt(-2.0 * libm::log(self.uniform()));
        let angle = std::f64::consts::TAU * self.uniform();
        p((mean + deviation * radius * libm::cos(angle)).clamp(0.0, 1.0))
    }
}

/// The grid of the second and third example without its least reliable 900 devices.
const RELIABLE: [(u64, f64); 3] = [(700, 0.04), (6_800, 0.001), (1_600, 0.000_05)];

fn reliable() -> Vec<DeviceGroup> {
    RELIABLE.iter().map(|&(n, mean)| group(n, mean)).collect()
}

#[test]
fn the_first_published_example_comes_out_to_the_digit() {
    let (tasks, device, accepted) = (10_000, p(0.000_5), p(0.01));
    let plan = Plan::new(tasks, Fleet::alike(device), ANY_ACCOUNTS).unwrap();
    let replicas = plan.least_replicas(accepted).unwrap();
    assert_eq!(replicas, 19_985);
    assert_eq!(plan.factor(replicas), 1.9985);
    assert_eq!(plan.replicas(1.9985), Ok(19_985));
    assert_eq!(
        alike::least_replicas_below_two(tasks, device, accepted),
        Ok(Some(replicas))
    );
    // What r = 2 reaches, and what therefore no r below 2 does.
    let at_two = plan.failure(20_000).unwrap().get();
    assert!((at_two - 0.002_496_9).abs() < 5e-8, "{at_two}");
    assert!(plan.failure(19_999).unwrap().get() > at_two);
}

#[test]
fn the_second_published_example_comes_out_with_means_and_with_draws() {
    let mut groups = reliable();
    groups.push(group(900, 0.3));
    let by_means = plan(5_000, &groups).failure(10_000).unwrap().get();
    assert!((by_means - 0.2591).abs() < 5e-5, "{by_means}");
    for seed in 0..20 {
        let mut draws = Draws(seed);
        let mut groups = reliable();
        groups.extend((0..900).map(|_| DeviceGroup {
            devices: 1,
            failure: draws.normal(0.3, 0.134),
        }));
        let by_draws = plan(5_000, &groups).failure(10_000).unwrap().get();
        assert!((0.25..=0.265).contains(&by_draws), "{seed}: {by_draws}");
    }
}

#[test]
fn the_third_published_example_comes_out_with_draws() {
    let mut factors: Vec<_> = (0..21).map(third_example).collect();
    factors.sort_by(f64::total_cmp);
    // The paper's 3.956822 counts the replicas beyond the first.
    assert!((4.96..=4.97).contains(&factors[10]), "{factors:?}");
    assert!(factors[0] > 4.94 && factors[20] < 4.98, "{factors:?}");
}

/// The least r of the third example for one seed. Every replica beyond the 10,000 of the grid
/// brings one more device with it, so the fleet differs from one r to the next.
fn third_example(seed: u64) -> f64 {
    let mut draws = Draws(seed);
    let mut grid = reliable();
    let mut draw = |mean, deviation| DeviceGroup {
        devices: 1,
        failure: draws.normal(mean, deviation),
    };
    grid.extend((0..900).map(|_| draw(0.3, 0.134)));
    let more: Vec<_> = (0..20_000).map(|_| draw(0.35, 0.12)).collect();
    let (mut least, mut enough) = (0, more.len());
    while least < enough {
        let middle = (least + enough) / 2;
        let groups: Vec<_> = grid.iter().chain(&more[..middle]).copied().collect();
        let failure = plan(5_000, &groups).failure(10_000 + middle as u64);
        if failure.unwrap() <= p(0.01) {
            enough = middle;
        } else {
            least = middle + 1;
        }
    }
    (10_000 + enough) as f64 / 5_000.0
}

#[test]
fn with_means_only_the_third_example_needs_a_replica_more() {
    // 900 devices of exactly 30 % share their tasks with those of 35 %, and none of them is better
    // than its mean: deviations help, as the worst are paired with the best.
    let mut groups = reliable();
    groups.extend([group(900, 0.3), group(DeviceGroup::ANY_NUMBER, 0.35)]);
    let plan = plan(5_000, &groups);
    let replicas = plan.least_replicas(p(0.01)).unwrap();
    assert_eq!(replicas, 29_337);
}

#[test]
fn a_million_tasks_on_a_billion_devices_are_planned_at_once() {
    let groups = [
        group(400_000_000, 0.02),
        group(300_000_000, 0.3),
        group(200_000_000, 0.000_1),
        group(100_000_000, 0.9),
    ];
    let plan = plan(1_000_000, &groups);
    let replicas = plan.least_replicas(p(1e-9)).unwrap();
    assert!(plan.failure(replicas).unwrap().get() <= 1e-9);
    assert!(plan.failure(replicas - 1).unwrap().get() > 1e-9);
}

#[test]
fn digits_survive_where_naive_products_lose_them() {
    // m p^2 = 1e-30, which 1 - (1 - 1e-32)^100 computes as 0.
    let plan = plan(100, &[group(200, 1e-16)]);
    let failure = plan.failure(200).unwrap().get();
    assert!((failure / 1e-30 - 1.0).abs() < 1e-13, "{failure}");
}

#[test]
fn two_of_three_that_fail_alike_decide_more_often_than_three_fail() {
    let outvoted = |tasks, device| alike::outvoted(tasks, (3, 2), p(device)).unwrap().get();
    // 3 p² (1 - p) + p³.
    assert!((outvoted(1, 0.05) - 0.007_25).abs() < 1e-15);
    assert!(plan(1, &[group(3, 0.05)]).failure(3).unwrap() < p(0.000_126));
    // 3e-18 a task, of which a plain difference from 1 loses every digit.
    let rare = outvoted(1_000_000, 1e-9);
    assert!((rare / 3e-12 - 1.0).abs() < 1e-8, "{rare}");
    assert_eq!((outvoted(10, 0.0), outvoted(10, 1.0)), (0.0, 1.0));
    assert_eq!(alike::outvoted(0, (3, 2), p(0.1)), Err(PlanError::NoTasks));
}

/// The same by looking at every way in which the devices of a task can fail, with naive products.
fn reference_outvoted(tasks: u64, (replicas, quorum): (u8, u8), device: f64) -> f64 {
    let mut decided = 0.0;
    for failed in 0u32..1 << replicas {
        if failed.count_ones() >= quorum.into() {
            let shares = (0..replicas).map(|at| match (failed >> at) & 1 {
                1 => device,
                _ => 1.0 - device,
            });
            decided += shares.product::<f64>();
        }
    }
    1.0 - (0..tasks).map(|_| 1.0 - decided).product::<f64>()
}

#[test]
fn devices_that_never_or_always_fail_give_no_nonsense() {
    let at = |plan: &Plan, replicas| plan.failure(replicas).unwrap().get();
    let never = plan(10, &[group(20, 0.0)]);
    assert_eq!((at(&never, 10), at(&never, 20)), (0.0, 0.0));
    assert_eq!(never.least_replicas(p(1e-300)), Ok(10));
    let always = plan(10, &[group(20, 1.0)]);
    assert_eq!((at(&always, 10), at(&always, 20)), (1.0, 1.0));
    assert_eq!(always.least_replicas(FailureProbability::ALWAYS), Ok(10));
    // Each task has one of either.
    let half = plan(10, &[group(10, 1.0), group(10, 0.0)]);
    assert_eq!((at(&half, 10), at(&half, 20)), (0.0, 0.0));
    // One task too many for the devices that never fail, unless they run two.
    let short = plan(10, &[group(1, 1.0), group(9, 0.0)]);
    assert_eq!((at(&short, 10), at(&short, 11)), (1.0, 0.0));
}

#[test]
fn what_is_out_of_reach_is_said_with_what_is_in_reach() {
    let fleet = Fleet::of_groups([group(10_000, 0.5)]).unwrap();
    let plan = Plan::new(1_000, fleet, 3).unwrap();
    let reachable = plan.failure(3_000).unwrap();
    assert_eq!(plan.least_failure(), reachable);
    let error = plan.least_replicas(p(0.01)).unwrap_err();
    assert_eq!(
        error,
        LeastError::OutOfReach {
            accepted: p(0.01),
            reachable,
            most: 3
        }
    );
    assert_eq!(
        plan.least_replicas(FailureProbability::NEVER),
        Err(LeastError::Certainty)
    );
}

#[test]
fn absurd_plans_are_refused() {
    let fleet = Fleet::alike(p(0.1));
    let made = |tasks, accounts| Plan::new(tasks, fleet.clone(), accounts).map(|_| ());
    assert_eq!(made(0, 3), Err(PlanError::NoTasks));
    assert_eq!(made(1, 0), Err(PlanError::NoReplicas));
    let tasks = TASKS_MAX + 1;
    assert_eq!(made(tasks, 3), Err(PlanError::TooManyTasks { tasks }));
    assert_eq!(made(TASKS_MAX, u64::MAX), Ok(()));
    assert_eq!(Fleet::of_groups([]), Err(FleetError::NoDevices));
    assert_eq!(
        Fleet::of_groups([group(0, 0.1)]),
        Err(FleetError::NoDevices)
    );
    assert_eq!(
        Fleet::of_groups([group(u64::MAX, 0.1), group(u64::MAX, 0.2)]),
        Err(FleetError::TooManyDevices)
    );
}

#[test]
fn absurd_numbers_of_replicas_are_refused() {
    let plan = Plan::new(10, Fleet::alike(p(0.1)), 4).unwrap();
    let most = 4;
    assert_eq!(
        plan.replicas(f64::NAN),
        Err(ReplicasError::NotANumber { most })
    );
    for factor in [0.999, 0.0, -1.0, f64::NEG_INFINITY] {
        assert_eq!(
            plan.replicas(factor),
            Err(ReplicasError::BelowOne { factor, most })
        );
    }
    for factor in [4.001, 1e300, f64::INFINITY] {
        assert_eq!(
            plan.replicas(factor),
            Err(ReplicasError::AboveMost { factor, most })
        );
    }
    assert_eq!((plan.replicas(1.0), plan.replicas(4.0)), (Ok(10), Ok(40)));
    assert_eq!(plan.replicas(1.99), Ok(19));
    for replicas in [0, 9, 41, u64::MAX] {
        assert!(plan.failure(replicas).is_err());
    }
    for (tasks, replicas) in [(0, 0), (10, 9), (10, u64::MAX)] {
        assert!(alike::failure(tasks, replicas, p(0.1)).is_err());
    }
    assert_eq!(
        alike::least_replicas_below_two(0, p(0.1), p(0.1)),
        Err(PlanError::NoTasks)
    );
}

#[test]
fn a_curve_has_both_ends_and_every_point_once() {
    let plan = Plan::new(10, Fleet::alike(p(0.1)), 4).unwrap();
    let curve = plan.curve(10, 40, 4).unwrap();
    let at: Vec<_> = curve.iter().map(|point| point.replicas).collect();
    assert_eq!(at, [10, 20, 30, 40]);
    assert_eq!(curve[1].factor, 2.0);
    assert_eq!(curve[1].failure, plan.failure(20).unwrap());
    assert_eq!(plan.curve(10, 13, 100).unwrap().len(), 4);
    assert_eq!(plan.curve(10, 10, 2).unwrap().len(), 1);
    assert_eq!(plan.curve(10, 20, 1), Err(CurveError::Points { points: 1 }));
    assert_eq!(
        plan.curve(20, 10, 2),
        Err(CurveError::Backwards { from: 20, to: 10 })
    );
    assert!(plan.curve(9, 20, 2).is_err());
    assert!(plan.curve(10, 41, 2).is_err());
}

/// Devices' probabilities with ties and both extremes.
fn failures() -> impl Strategy<Value = Vec<f64>> {
    let one = prop_oneof![
        1 => Just(0.0),
        1 => Just(1.0),
        2 => prop::sample::select(vec![0.001, 0.05, 0.3, 0.5]),
        3 => 0.0..=1.0f64,
        1 => (-12.0..0.0f64).prop_map(|exponent| 10f64.powf(exponent)),
    ];
    prop::collection::vec(one, 1..60)
}

fn of_devices(tasks: u64, failures: &[f64]) -> Plan {
    let fleet = Fleet::of_devices(failures.iter().map(|&value| p(value))).unwrap();
    Plan::new(tasks, fleet, ANY_ACCOUNTS).unwrap()
}

/// Up to a few dozen replicas for each task, lest the exhaustive search takes all day.
fn most(plan: &Plan) -> u64 {
    plan.replicas_max().min(plan.tasks() * 12)
}

proptest! {
    #[test]
    fn the_plan_agrees_with_the_formula_as_it_stands(
        tasks in 1u64..25,
        devices in failures(),
        share in 0.0..=1.0f64,
    ) {
        let plan = of_devices(tasks, &devices);
        let replicas = tasks + ((most(&plan) - tasks) as f64 * share) as u64;
        let found = plan.failure(replicas).unwrap().get();
        let expected = reference(tasks as usize, &devices, replicas as usize);
        let is_it = (found - expected).abs() <= 1e-11 * expected;
        prop_assert!(is_it, "{found} {expected}");
    }

    #[test]
    fn groups_and_lists_of_the_same_devices_are_the_same_fleet(devices in failures()) {
        let (half, other_half) = devices.split_at(devices.len() / 2);
        let list = Fleet::of_devices(devices.iter().map(|&value| p(value))).unwrap();
        let groups = [other_half, half].concat().into_iter().map(|value| group(1, value));
        prop_assert_eq!(&list, &Fleet::of_groups(groups).unwrap());
        prop_assert_eq!(&list, &Fleet::of_groups(list.groups()).unwrap());
        prop_assert_eq!(list.devices(), devices.len() as u64);
    }

    #[test]
    fn the_least_r_is_what_trying_every_r_finds(
        tasks in 1u64..12,
        devices in failures(),
        accounts in 1u64..8,
        accepted in prop_oneof![0.000_001..1.0f64, 0.9..=1.0f64],
    ) {
        let fleet = Fleet::of_devices(devices.iter().map(|&value| p(value))).unwrap();
        let plan = Plan::new(tasks, fleet, accounts).unwrap();
        let first = (tasks..=plan.replicas_max())
            .find(|&replicas| reference(tasks as usize, &devices, replicas as usize) <= accepted);
        match plan.least_replicas(p(accepted)) {
            Ok(replicas) => prop_assert_eq!(Some(replicas), first),
            Err(LeastError::OutOfReach { reachable, .. }) => {
                prop_assert_eq!(first, None);
                prop_assert_eq!(plan.failure(plan.replicas_max()), Ok(reachable));
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn a_replica_more_never_hurts(tasks in 1u64..12, devices in failures()) {
        let plan = of_devices(tasks, &devices);
        let at = |replicas| plan.failure(replicas).unwrap().get();
        for replicas in tasks..most(&plan) {
            prop_assert!(at(replicas + 1) <= at(replicas) * (1.0 + 1e-13));
        }
    }

    #[test]
    fn a_device_more_that_takes_part_never_hurts(
        tasks in 0u64..12,
        devices in failures(),
        one in 0.0..=1.0f64,
    ) {
        // All of them take part, each with one replica, and no task goes without.
        let tasks = 1 + tasks % devices.len() as u64;
        let more = [devices.as_slice(), &[one]].concat();
        let all = |devices: &[f64]| {
            of_devices(tasks, devices).failure(devices.len() as u64).unwrap().get()
        };
        prop_assert!(all(&more) <= all(&devices) * (1.0 + 1e-13));
    }

    #[test]
    fn the_closed_forms_agree_with_the_plan(
        tasks in 1u64..2_000,
        device in prop_oneof![Just(0.0), 0.0..0.9f64, 0.0..0.001f64],
        accepted in 0.000_1..0.999f64,
        share in 0.0..=1.0f64,
    ) {
        let plan = Plan::new(tasks, Fleet::alike(p(device)), ANY_ACCOUNTS).unwrap();
        let replicas = tasks + (tasks as f64 * 5.0 * share) as u64;
        let (found, expected) = (
            plan.failure(replicas).unwrap().get(),
            alike::failure(tasks, replicas, p(device)).unwrap().get(),
        );
        prop_assert!((found - expected).abs() <= 1e-13 * expected, "{found} {expected}");
        let below_two = Some(plan.least_replicas(p(accepted)).unwrap())
            .filter(|&replicas| replicas < 2 * tasks);
        prop_assert_eq!(
            alike::least_replicas_below_two(tasks, p(device), p(accepted)),
            Ok(below_two)
        );
    }

    #[test]
    fn those_that_fail_alike_decide_as_often_as_counting_every_case_says(
        tasks in 1u64..200,
        replicas in 1u8..10,
        share in 0.0..1.0f64,
        device in prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0f64, 0.0..0.01f64],
    ) {
        let quorum = 1 + (f64::from(replicas) * share) as u8;
        let found = alike::outvoted(tasks, (replicas, quorum), p(device)).unwrap().get();
        let expected = reference_outvoted(tasks, (replicas, quorum), device);
        prop_assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        // Where all have to fail it is what a plan counts, and else no rarer.
        let all = tasks * u64::from(replicas);
        let everywhere = alike::failure(tasks, all, p(device)).unwrap().get();
        match quorum == replicas {
            true => prop_assert!((found - everywhere).abs() <= 1e-12 * everywhere),
            false => prop_assert!(found >= everywhere * (1.0 - 1e-12)),
        }
    }

    #[test]
    fn a_number_of_replicas_survives_being_written_as_a_factor(
        tasks in 1u64..=TASKS_MAX,
        share in 0.0..=1.0f64,
    ) {
        let plan = Plan::new(tasks, Fleet::alike(p(0.1)), 64).unwrap();
        let replicas = tasks + (tasks as f64 * 63.0 * share) as u64;
        prop_assert_eq!(plan.replicas(plan.factor(replicas)), Ok(replicas));
    }
}
