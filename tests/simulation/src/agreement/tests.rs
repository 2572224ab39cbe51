use super::{surprise::Expected, *};

const TASKS: u64 = 20_000;

fn setting(policy: Policy, colluding: u32, re_executed_permille: u16) -> Setting {
    Setting {
        policy,
        colluding,
        re_executed_permille,
    }
}

fn expected(point: Point, rate: Rate) -> Expected {
    let claims = point.claims().unwrap();
    let claim = claims.iter().find(|(of, _)| *of == rate);
    match claim {
        Some((_, Claim::Is(expected))) => *expected,
        other => panic!("{point}: {other:?}"),
    }
}

/// How many ways there are to choose so many of so many.
fn choose(of: u64, many: u64) -> f64 {
    let ways = (0..many).map(|it| (of.saturating_sub(it)) as f64 / (it + 1) as f64);
    ways.product()
}

#[test]
fn every_point_is_there_once_and_has_something_to_hold() {
    let points = Point::all();
    let mut once: Vec<String> = points.iter().map(Point::to_string).collect();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), points.len());
    // Seven policies, eleven sizes, three shares; and what is looked at beside.
    assert_eq!(points.len(), 231 + 9 + 5 + 1 + 24);
    assert!(points.iter().all(|it| !it.claims().unwrap().is_empty()));
    assert!(once.iter().all(|it| it.split(',').count() == 3));
    assert_eq!(sizes().last(), Some(50));
}

#[test]
fn the_forecast_is_the_binding_formula() {
    let n = u64::from(ACCOUNTS);
    for colluding in sizes() {
        let c = u64::from(colluding);
        let all = |u: u64| choose(c, u) / choose(n, u);
        for (permille, a) in [(0, 0.0), (10, 0.01), (100, 0.1)] {
            let of = |policy, rate| {
                let point = Point::Task(setting(policy, colluding, permille));
                expected(point, rate).mean
            };
            let near = |one: f64, other: f64| assert!((one - other).abs() < 1e-12, "{one} {other}");
            near(of(Policy::Single, Rate::Wrong), all(1));
            near(of(Policy::Unanimous, Rate::Wrong), all(2));
            near(of(Policy::Careful, Rate::Wrong), all(2));
            // Two of three, or three of three.
            let two = choose(c, 2) * choose(n - c, 1) / choose(n, 3);
            near(of(Policy::Majority, Rate::Wrong), two + all(3));
            near(of(Policy::Majority, Rate::Blamed), two);
            // Who is found by comparison, and who when it is computed again.
            let one = choose(c, 1) * choose(n - c, 1) / choose(n, 2);
            near(of(Policy::Unanimous, Rate::Caught), one + a * all(2));
            near(of(Policy::Careful, Rate::Caught), a * all(2));
            near(of(Policy::Single, Rate::Caught), a * all(1));
            let extra = 1.0 + one + a * (1.0 - one);
            near(of(Policy::Unanimous, Rate::Extra), extra);
            let believed = all(1) * 0.9 + 0.1 * all(2);
            let adaptive = Policy::Adaptive { row: 10 };
            near(of(adaptive, Rate::Wrong), believed);
            if permille > 0 {
                let (wrong, stays) = (all(2), of(Policy::Unanimous, Rate::Stays));
                near(stays, wrong * (1.0 - a));
                near(of(adaptive, Rate::Stays), believed * (1.0 - a));
            }
        }
    }
}

#[test]
fn luck_follows_from_the_seed_and_the_point_alone() {
    let point = Point::Task(setting(Policy::Unanimous, 30, 100));
    let other = Point::Task(setting(Policy::Unanimous, 35, 100));
    let counts = point.run(TASKS, 1).unwrap();
    assert_eq!(point.run(TASKS, 1).unwrap(), counts);
    assert_ne!(point.run(TASKS, 2).unwrap(), counts);
    assert_ne!(other.run(TASKS, 1).unwrap(), counts);
}

#[test]
fn a_forecast_for_other_rules_is_told_apart() {
    let told = |of: Policy, by: Policy, rate| {
        let of = Point::Task(setting(of, 30, 10));
        let counts = of.run(TASKS, 1).unwrap();
        let expected = expected(Point::Task(setting(by, 30, 10)), rate);
        expected.is_within(counts.sum(rate), counts.trials)
    };
    assert!(told(Policy::Unanimous, Policy::Unanimous, Rate::Wrong));
    // Were a split voted, were three asked, were one believed.
    for other in [Policy::Voted, Policy::Majority, Policy::Single] {
        assert!(!told(other, Policy::Unanimous, Rate::Wrong), "{other}");
    }
    let bold = told(Policy::Unanimous, Policy::Careful, Rate::Caught);
    assert!(!bold, "who lies beside an honest device is found");
    let (ten, hundred) = (Policy::Adaptive { row: 10 }, Policy::Adaptive { row: 100 });
    assert!(!told(ten, hundred, Rate::Extra));
    // Devices that are drawn twice would be both theirs more often: 0.3² beside 30/100 × 29/99.
    let point = Point::Task(setting(Policy::Unanimous, 30, 0));
    let counts = point.run(20 * TASKS, 1).unwrap();
    let twice = Expected::chance(0.3 * 0.3);
    assert!(!twice.is_within(counts.wrong, counts.trials));
}

#[test]
fn in_the_default_mode_no_honest_device_is_blamed_and_one_member_wins_nothing() {
    let bold = Point::Task(setting(Policy::Unanimous, 50, 10));
    assert_eq!(bold.run(TASKS, 3).unwrap().blamed, 0);
    let alone = Point::Task(setting(Policy::Unanimous, 1, 0));
    let counts = alone.run(TASKS, 3).unwrap();
    assert_eq!(counts.wrong, 0);
    assert!(counts.caught > 0);
    // Where most are heard, the honest third is blamed.
    let majority = Point::Task(setting(Policy::Majority, 50, 10));
    assert!(majority.run(TASKS, 3).unwrap().blamed > 0);
}

#[test]
fn a_row_of_honest_answers_buys_no_advantage_at_the_most_that_a_task_may_cost() {
    // Where it is known for certain that it is believed alone, nine lies stay of ten.
    let most = brings(9.0, 100).unwrap();
    assert!(most.abs() < 1e-6, "{most}");
    for row in [10, 100, 1_000, 1_000_000] {
        let point = Point::Betrayal {
            row,
            colluding: 50,
            re_executed_permille: 100,
        };
        let stay = expected(point, Rate::Stays).mean;
        assert!(stay < 9.0);
        assert!(brings(stay, 100).unwrap() < 0.0);
    }
    // Where one in a hundred is computed again more of them stay, and a task may cost the less for it.
    assert!(brings(99.0, 10).unwrap().abs() < 1e-4);
    assert_eq!(brings(50.0, 0), None);
}
