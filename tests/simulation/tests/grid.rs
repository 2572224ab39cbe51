//! Whole grids, each from one seed: whatever happens on a day, nothing happens that must not.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "grid/deaths.rs"]
mod deaths;
#[path = "grid/dishonest.rs"]
mod dishonest;
#[path = "grid/large.rs"]
mod large;
#[path = "grid/late.rs"]
mod late;
#[path = "grid/seven.rs"]
mod seven;
#[path = "grid/uneven.rs"]
mod uneven;

use quern_simulation::grid::{
    Cause, Config, Faults, HEADER, Look, Outcome, Scheduling, run, run_unseen, trace,
};
use std::path::Path;

/// Runs a grid in which nothing must happen that must not. If it does, the words say how to see it.
fn hold(config: &Config) -> Outcome {
    let outcome = run_unseen(config).unwrap();
    if let Some(violation) = &outcome.violation {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = folder.join(format!("grid-{}.trace", config.seed));
        std::fs::write(&file, trace(config).unwrap()).unwrap();
        panic!(
            "{violation}\n\nconfiguration: {config}\nwhat happened: {file}\nto see it: \
             quern-simulate grid --replay {file} --until {}",
            outcome.steps,
            file = file.display(),
        );
    }
    outcome
}

/// A grid of some devices and a few tasks, another one for each seed.
fn small(seed: u64, faults: Faults) -> Config {
    let within = |least: u64, most: u64| (least + seed % (most - least + 1)) as u32;
    Config {
        devices: within(12, 24),
        tasks: within(8, 40),
        replicas: [1, 3, 5][seed as usize % 3],
        jobs: within(1, 2),
        task_s: within(3, 30),
        seed,
        faults,
        faults_s: 120,
        ..Config::default()
    }
}

#[test]
fn a_quiet_grid_settles_every_task() {
    for seed in 0..6 {
        let config = small(seed, Faults::NONE);
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        let counts = outcome.counts;
        let quorum = u64::from(config.replicas) / 2 + 1;
        let least = u64::from(config.tasks * config.jobs) * quorum;
        assert!(counts.reports >= least, "{config}: {outcome}");
        assert_eq!((counts.lies, counts.wrong_answers, counts.lost), (0, 0, 0));
    }
}

#[test]
fn every_scheduling_settles_every_task_of_jobs_that_ask_for_devices() {
    use Scheduling::{Best, MergedPools, PublishedPools};
    let mut asked = 0;
    for (seed, scheduling) in (300..).zip([Best, PublishedPools, MergedPools].repeat(3)) {
        let config = Config {
            devices: 40,
            replicas: [1, 3][seed as usize % 2],
            jobs: 3,
            scheduling,
            trusted: 400,
            asking: 1_000,
            ..small(seed, Faults::NONE)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        let whole = trace(&config).unwrap();
        assert!(
            whole.contains(&format!("starts, scheduling {scheduling}")),
            "{config}"
        );
        asked += whole.lines().filter(|line| line.ends_with(" only")).count();
    }
    // Nearly every wish can be met on such grids.
    assert!(asked > 9, "{asked}");
}

#[test]
fn unsound_jobs_end_for_what_they_are_and_the_others_are_settled() {
    let mut unsound = 0;
    for seed in 800..812 {
        let faults = Faults {
            unsound: 500,
            ..Faults::NONE
        };
        let config = Config {
            devices: 30,
            jobs: 4,
            ..small(seed, faults)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_explained(), "{config}: {outcome}");
        let whole = trace(&config).unwrap();
        let flaws = [", whose ", ", for which there are too few accounts"];
        let is_flawed = |line: &&str| flaws.iter().any(|flaw| line.contains(flaw));
        let submitted = whole.lines().filter(|line| line.contains(" is submitted"));
        let flawed = submitted.filter(is_flawed).count();
        let causes = outcome.causes.iter();
        let settled = causes.filter(|cause| **cause == Cause::Settled).count();
        assert_eq!(
            settled + flawed,
            config.jobs as usize,
            "{config}: {outcome}"
        );
        unsound += flawed;
    }
    assert!(unsound > 12, "{unsound}");
}

#[test]
fn unsound_jobs_on_a_hostile_day_keep_nobody_from_work_without_a_ground() {
    for seed in 820..826 {
        let faults = Faults {
            unsound: 500,
            ..Faults::HOSTILE
        };
        let config = Config {
            jobs: 3,
            ..small(seed, faults)
        };
        hold(&config);
    }
}

#[test]
fn jobs_for_trusted_devices_are_given_to_no_others() {
    let wishes = (0..24).map(|seed| {
        let config = Config {
            devices: 30,
            replicas: 1,
            jobs: 1,
            trusted: 300,
            asking: 1_000,
            ..small(seed, Faults::MILD)
        };
        let outcome = hold(&config);
        let whole = trace(&config).unwrap();
        u32::from(whole.contains(", trusted devices only") && outcome.counts.given > 0)
    });
    assert!(wishes.sum::<u32>() > 0);
}

#[test]
fn where_a_day_begins_its_lottery_is_drawn_and_drawn_again_after_a_death() {
    let (mut winners, mut again) = (0, 0);
    for seed in 400..416 {
        let config = Config {
            devices: 60,
            tasks: 60,
            ..small(seed, Faults::ROUGH)
        };
        winners += hold(&config).counts.winners;
        let whole = trace(&config).unwrap();
        let draws: Vec<&str> = whole
            .lines()
            .filter_map(|line| line.split_once(" lottery: "))
            .map(|(_, winners)| winners)
            .collect();
        // A day has one draw, however often the masternode is told of it.
        assert!(draws.windows(2).all(|pair| pair[0] == pair[1]), "{draws:?}");
        again += u32::from(draws.len() > 1);
    }
    assert!(winners > 0 && again > 0, "{winners} {again}");
}

#[test]
fn one_seed_gives_one_trace_byte_for_byte() {
    let aimed = Faults {
        aimed: 900,
        ..Faults::HOSTILE
    };
    for faults in [Faults::NONE, Faults::HOSTILE, aimed] {
        let config = small(4, faults);
        let first = trace(&config).unwrap();
        assert!(first.starts_with(HEADER) && first.lines().count() > 300);
        assert_eq!(first, trace(&config).unwrap());
        let other = Config { seed: 5, ..config };
        assert_ne!(first, trace(&other).unwrap());
    }
}

#[test]
fn a_run_is_the_same_whoever_looks_on_and_stops_where_it_is_told_to() {
    let config = small(7, Faults::ROUGH);
    let whole = trace(&config).unwrap();
    let mut lines = Vec::new();
    let look = Look {
        line: &mut |line: &str| lines.push(line.to_owned()),
        until: Some(200),
        changes: false,
    };
    let outcome = run(&config, look).unwrap();
    assert!(outcome.steps >= 200 && outcome.violation.is_none());
    let beginning: Vec<&str> = whole.lines().skip(1).take(lines.len()).collect();
    assert_eq!(lines, beginning);
    let last = lines.iter().rfind(|line| !line.starts_with(' ')).unwrap();
    assert!(last.starts_with("200 "), "{last}");

    let mut changes = 0;
    let look = Look {
        line: &mut |line: &str| changes += u32::from(line.starts_with("  = ")),
        until: None,
        changes: true,
    };
    let seen = run(&config, look).unwrap();
    assert!(changes > 100, "{changes}");
    assert_eq!(seen, run_unseen(&config).unwrap());
}

#[test]
fn on_a_good_day_every_task_is_settled() {
    for seed in 0..12 {
        let config = Config {
            devices: 30,
            scheduling: [Scheduling::Best, Scheduling::MergedPools][seed as usize % 2],
            ..small(seed, Faults::MILD)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
    }
}

#[test]
fn on_a_bad_day_nothing_happens_that_must_not() {
    let mut crashes = 0;
    for seed in 100..116 {
        crashes += hold(&small(seed, Faults::ROUGH)).counts.crashes;
    }
    assert!(crashes > 0);
}

#[test]
fn on_a_day_on_which_everything_happens_nothing_happens_that_must_not() {
    let mut counts = Vec::new();
    for seed in 200..216 {
        counts.push(hold(&small(seed, Faults::HOSTILE)).counts);
    }
    // The day is worth its name.
    assert!(counts.iter().any(|it| it.crashes > 1 && it.lost > 0));
    assert!(counts.iter().any(|it| it.unfit > 0 && it.jumps > 0));
    assert!(counts.iter().any(|it| it.identities > 0));
    assert!(counts.iter().any(|it| it.partitions > 0));
    assert!(counts.iter().any(|it| it.transactions_lost > 0));
    assert!(counts.iter().any(|it| it.withheld > 0 && it.doubled > 0));
    assert!(counts.iter().any(|it| it.halted > 0 && it.backed_up > 0));
    assert!(counts.iter().any(|it| it.asked_again > 0));
}

#[test]
fn wrong_answers_that_nobody_else_gives_are_never_believed() {
    let lying = Faults {
        lying: 300,
        ..Faults::NONE
    };
    let erring = Faults {
        erring: 150,
        ..Faults::NONE
    };
    for faults in [lying, erring] {
        let mut lies = 0;
        for seed in 0..6 {
            let config = Config {
                devices: 24,
                replicas: 3,
                asking: 0,
                ..small(seed, faults)
            };
            let outcome = hold(&config);
            lies += outcome.counts.lies;
            assert_eq!(outcome.counts.wrong_answers, 0, "{config}");
        }
        assert!(lies > 0, "nobody answered wrongly: {faults}");
    }
}

#[test]
fn machines_that_change_their_identity_every_minute_hold_up_no_honest_job_and_earn_nothing() {
    let faults = Faults {
        shifting: 200,
        ..Faults::NONE
    };
    let (mut identities, mut strangers) = (0, 0);
    for seed in 500..506 {
        let config = Config {
            devices: 24,
            tasks: 120,
            replicas: 3,
            jobs: 1,
            task_s: 20,
            asking: 0,
            faults_s: 600,
            ..small(seed, faults)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        assert_eq!(outcome.counts.wrong_answers, 0, "{config}");
        identities += outcome.counts.identities;
        strangers += outcome.counts.strangers;
    }
    // More than the bonds that their accounts can pay.
    assert!(identities > 0 && strangers > 0, "{identities} {strangers}");
}

#[test]
fn devices_that_open_no_input_end_jobs_at_the_worst_for_a_cause_that_has_a_name() {
    let faults = Faults {
        refusing: 150,
        ..Faults::NONE
    };
    let (mut refused, mut settled) = (0, 0);
    for seed in 560..568 {
        let config = Config {
            devices: 30,
            replicas: 3,
            asking: 0,
            ..small(seed, faults)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_explained(), "{config}: {outcome}");
        assert_eq!(outcome.counts.wrong_answers, 0, "{config}");
        refused += outcome.counts.refused;
        settled += u32::from(outcome.is_all_settled());
    }
    assert!(refused > 0 && settled > 0, "{refused} {settled}");
}

#[test]
fn shards_that_come_late_and_in_any_order_are_computed_though_the_masternode_dies_meanwhile() {
    let faults = Faults {
        loss: 20,
        duplicate: 20,
        crash: 2_000,
        ..Faults::NONE
    };
    let (mut late, mut died) = (0, 0);
    for seed in 570..582 {
        let config = Config {
            devices: 24,
            ..small(seed, faults)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        let whole = trace(&config).unwrap();
        let steps: Vec<&str> = whole
            .lines()
            .filter(|line| !line.starts_with(' '))
            .collect();
        let given = whole.lines().position(|line| line.contains(" take j"));
        let after = whole.lines().skip(given.unwrap());
        late += after.filter(|line| line.contains(" shards of j")).count();
        // What is on disk when the masternode dies is there when it starts again.
        let dies = |pair: &&[&str]| {
            pair[0].ends_with(" are on disk") && pair[1].ends_with(" the masternode dies")
        };
        died += steps.windows(2).filter(dies).count();
    }
    assert!(late > 0 && died > 0, "{late} {died}");
}

#[test]
fn tasks_that_need_much_memory_are_computed_where_there_is_enough() {
    let large = (590..606).map(|seed| {
        let config = Config {
            devices: 40,
            replicas: 1,
            asking: 1_000,
            ..small(seed, Faults::NONE)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        let whole = trace(&config).unwrap();
        whole.matches(" 1024 MiB a task").count()
    });
    assert!(large.sum::<usize>() > 0);
}

#[test]
fn whoever_waits_is_told_why() {
    let explained = |faults, seed| hold(&small(seed, faults)).counts.explained;
    for (name, faults) in Faults::NAMED {
        let times = (610..614).map(|seed| explained(faults, seed));
        assert!(times.sum::<u64>() > 0, "{name}");
    }
}

#[test]
fn clocks_that_jump_are_borne() {
    let faults = Faults {
        jump: 1_000,
        leap: 500,
        ..Faults::NONE
    };
    let jumps = (510..516).map(|seed| hold(&small(seed, faults)).counts.jumps);
    assert!(jumps.sum::<u64>() > 0);
}

#[test]
fn batteries_and_heat_come_and_go_and_every_task_is_settled() {
    let faults = Faults {
        battery: 1_000,
        heat: 1_000,
        ..Faults::NONE
    };
    for seed in 520..526 {
        let config = Config {
            tasks: 40,
            task_s: 20,
            ..small(seed, faults)
        };
        let outcome = hold(&config);
        assert!(outcome.is_all_settled(), "{config}: {outcome}");
        assert!(outcome.counts.unfit > 0, "{config}");
    }
}

#[test]
fn a_violation_is_told_with_the_seed_and_the_file_and_the_step_that_show_it_again() {
    let config = Config {
        audited_in_hand: Some(1),
        ..small(530, Faults::NONE)
    };
    let told = std::panic::catch_unwind(|| hold(&config)).unwrap_err();
    let told = told.downcast_ref::<String>().unwrap();
    let violation = run_unseen(&config).unwrap().violation.unwrap();
    for words in [
        violation.to_string(),
        format!("configuration: {config}"),
        "--seed 530".to_owned(),
    ] {
        assert!(told.contains(&words), "{words}: {told}");
    }
    let (file, step) = told
        .rsplit_once("--replay ")
        .and_then(|(_, rest)| rest.split_once(" --until "))
        .unwrap();
    let step: u64 = step.parse().unwrap();
    let written = std::fs::read_to_string(file).unwrap();
    assert_eq!(written, trace(&config).unwrap());
    // The file alone says which run it is, and the run ends as it did at the same step.
    let header = written
        .lines()
        .next()
        .and_then(|it| it.strip_prefix(HEADER));
    let config: Config = header.unwrap().parse().unwrap();
    let mut last = String::new();
    let look = Look {
        line: &mut |line: &str| last = line.to_owned(),
        until: Some(step),
        changes: false,
    };
    let again = run(&config, look).unwrap();
    assert_eq!((again.steps, again.violation), (step, Some(violation)));
    assert_eq!(written.lines().last(), Some(&*last));
}

#[test]
fn where_most_devices_collude_they_are_believed_and_by_nobody_else_s_fault() {
    let faults = Faults {
        colluding: 900,
        ..Faults::NONE
    };
    let wrong = (0..3).map(|seed| {
        let config = Config {
            replicas: 3,
            trusted: 0,
            asking: 0,
            ..small(seed, faults)
        };
        hold(&config).counts.wrong_answers
    });
    assert!(wrong.sum::<u64>() > 0);
}

#[test]
fn where_two_must_agree_liars_who_have_agreed_on_nothing_never_win() {
    let mut refereed = 0;
    for seed in 900..906 {
        let faults = Faults {
            lying: 300,
            ..Faults::NONE
        };
        let config = Config {
            replicas: 2,
            trusted: 0,
            asking: 0,
            ..small(seed, faults)
        };
        let outcome = hold(&config);
        assert_eq!(outcome.counts.wrong_answers, 0, "{config}: {outcome}");
        let whole = trace(&config).unwrap();
        refereed += whole.lines().filter(|it| it.contains(" refereed ")).count();
    }
    assert!(refereed > 6, "{refereed}");
}

#[test]
fn transfers_are_measured_both_ways() {
    let config = Config {
        tasks: 40,
        ..small(540, Faults::NONE)
    };
    hold(&config);
    let whole = trace(&config).unwrap();
    let measured = |way: &str| {
        let is_measured = |line: &&str| line.contains(" measured d") && line.contains(way);
        whole.lines().filter(is_measured).count()
    };
    // Every input is fetched, and every seventh result is delivered in pieces.
    let (down, up) = (measured(": Down "), measured(": Up "));
    assert!(up > 0 && down > 2 * up, "{down} {up}");
}

#[test]
fn a_job_that_nobody_can_finish_ends_for_want_of_accounts() {
    // Three accounts at the most, and each says something else.
    let faults = Faults {
        lying: 1_000,
        ..Faults::NONE
    };
    let config = Config {
        devices: 3,
        tasks: 4,
        replicas: 3,
        jobs: 1,
        trusted: 0,
        asking: 0,
        ..small(541, faults)
    };
    let outcome = hold(&config);
    let few = |cause: &Cause| matches!(cause, Cause::FewAccounts { accounts } if *accounts < 15);
    assert!(outcome.causes.iter().all(few), "{:?}", outcome.causes);
    assert!(outcome.is_all_explained() && !outcome.is_all_settled());
}

#[test]
fn devices_that_are_killed_among_what_they_do_have_kept_what_they_owe() {
    let faults = Faults {
        churn: 3_000,
        ..Faults::NONE
    };
    let mut killed = 0;
    for seed in 560..572 {
        let outcome = hold(&small(seed, faults));
        assert!(outcome.is_all_explained(), "{outcome}");
        killed += outcome.counts.killed;
    }
    assert!(killed > 100, "{killed}");
}

#[test]
#[ignore = "thousands of grids take some minutes; `cargo xtask test --nightly` runs them"]
fn thousands_of_days_nothing_happens_that_must_not() {
    for (number, (_, faults)) in (0u64..).zip(Faults::NAMED) {
        for seed in 0..1_000 {
            hold(&small(number * 100_000 + seed, faults));
        }
    }
}
