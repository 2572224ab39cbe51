//! The house rules, asked of the real workspace. Each test names the rule it holds.

#![allow(clippy::panic, reason = "a test says what is wrong by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use anyhow::{Context, Result};
use quern_house::{
    Finding, advisories,
    built::{self, Built},
    deny, duplicates,
    floors::{self, Row},
    graph::{Graph, Kind},
    hygiene, licences,
    lockfile::{self, Locked},
    promises, purity, read, read_toml,
    source::without_tests,
    workspace,
};

/// What the tests share is asked for once: cargo takes about a second for each answer.
static GRAPH: LazyLock<Result<Graph>> = LazyLock::new(Graph::load);
static FOR_PROGRAMS: LazyLock<Result<Vec<Built>>> = LazyLock::new(built::for_programs);
static FOR_TESTS: LazyLock<Result<Vec<Built>>> = LazyLock::new(built::for_tests);

fn shared<T>(answer: &'static LazyLock<Result<T>>) -> Result<&'static T> {
    LazyLock::force(answer)
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error:#}"))
}

fn rows() -> Result<Vec<Row>> {
    floors::read_table(&read("ARCHITECTURE.md")?)
}

fn locked() -> Result<Vec<Locked>> {
    lockfile::read(&read_toml("Cargo.lock")?)
}

#[track_caller]
fn none(rule: &str, findings: &[Finding]) {
    assert!(
        findings.is_empty(),
        "{rule}:\n- {}\n",
        findings.join("\n- ")
    );
}

#[test]
fn every_room_is_on_a_floor_and_arrows_point_down_only() -> Result<()> {
    none("floors", &floors::check(shared(&GRAPH)?, &rows()?));
    Ok(())
}

#[test]
fn pure_rooms_link_nothing_that_reaches_outside() -> Result<()> {
    none(
        "pure rooms",
        &purity::dependencies(shared(&GRAPH)?, &rows()?),
    );
    Ok(())
}

#[test]
fn pure_rooms_know_neither_clock_nor_chance_and_money_no_floating_point() -> Result<()> {
    let findings = purity::code(&workspace(), shared(&GRAPH)?, &rows()?)?;
    none("pure rooms and money", &findings);
    Ok(())
}

#[test]
fn some_packages_have_sole_users() -> Result<()> {
    let bans = deny::bans(&read_toml("deny.toml")?)?;
    for room in ["wasmtime", "libp2p", "subxt"] {
        assert!(
            bans.iter().any(|ban| ban.name == room),
            "deny.toml must say who uses {room}"
        );
    }
    none("sole users", &deny::check(shared(&GRAPH)?, &bans));
    Ok(())
}

#[test]
fn every_licence_is_one_we_accept() -> Result<()> {
    let accepted = deny::licences(&read_toml("deny.toml")?)?;
    let built = shared(&FOR_TESTS)?;
    assert!(
        built.len() > 100,
        "cargo tree told of {} packages only",
        built.len()
    );
    none("licences", &licences::check(built, &accepted));
    Ok(())
}

#[test]
fn packages_come_from_crates_io_or_from_the_workspace() -> Result<()> {
    let members: BTreeSet<&str> = shared(&GRAPH)?
        .members()
        .map(|(_, package, _)| package.name.as_str())
        .collect();
    let mut stand_ins = BTreeSet::new();
    for folder in std::fs::read_dir(workspace().join("stand-ins"))? {
        stand_ins.insert(folder?.file_name().to_string_lossy().into_owned());
    }
    none(
        "sources",
        &lockfile::sources(&locked()?, &members, &stand_ins),
    );
    Ok(())
}

#[test]
fn no_package_is_built_in_two_versions_without_a_reason() -> Result<()> {
    let borne = duplicates::read(&read_toml("tests/house/duplicates.toml")?)?;
    none(
        "duplicate versions",
        &duplicates::check(shared(&FOR_TESTS)?, &borne),
    );
    Ok(())
}

#[test]
fn nothing_is_built_twice_for_programs_and_tests() -> Result<()> {
    none(
        "double builds",
        &built::built_twice(shared(&FOR_PROGRAMS)?, shared(&FOR_TESTS)?),
    );
    Ok(())
}

#[test]
fn versions_with_a_known_flaw_are_not_in_the_lock_file() -> Result<()> {
    let advisories = advisories::read(&read_toml("tests/house/advisories.toml")?)?;
    none("advisories", &advisories::check(&locked()?, &advisories)?);
    Ok(())
}

#[test]
fn packages_for_tests_are_in_no_program() -> Result<()> {
    let advisories = advisories::read(&read_toml("tests/house/advisories.toml")?)?;
    let graph = shared(&GRAPH)?;
    let mut findings = Vec::new();
    for only in &advisories.only_for_tests {
        for user in &graph.packages {
            let uses = user.needs.iter().any(|(&needed, kinds)| {
                graph.packages[needed].name == only.package
                    && kinds.iter().any(|&kind| kind != Kind::Dev)
            });
            if uses {
                findings.push(format!(
                    "{} needs {}: {}",
                    user.name, only.package, only.reason
                ));
            }
        }
    }
    none("packages for tests", &findings);
    Ok(())
}

#[test]
fn files_and_folders_have_names_that_say_something() -> Result<()> {
    none("names", &hygiene::names(&hygiene::tracked_files()?));
    Ok(())
}

#[test]
fn texts_carry_no_trace_of_a_machine_or_a_registry() -> Result<()> {
    let mut machine = vec![workspace().canonicalize()?.display().to_string()];
    machine.extend(std::env::var("HOME").ok());
    let mut findings = Vec::new();
    for file in hygiene::tracked_files()? {
        // What is no text carries no readable trace; a file just removed carries nothing.
        if let Ok(text) = read(&file) {
            findings.extend(hygiene::traces(&file, &text, &machine));
        }
    }
    none("traces", &findings);
    Ok(())
}

#[test]
fn no_program_is_started_that_a_fresh_machine_lacks() -> Result<()> {
    let mut findings = Vec::new();
    for file in hygiene::tracked_files()? {
        if file.ends_with(".rs") {
            // A file just removed starts nothing.
            findings.extend(hygiene::starts(&file, &read(&file).unwrap_or_default()));
        }
    }
    none("programs that are started", &findings);
    Ok(())
}

#[test]
fn rust_files_are_short_or_say_why_not() -> Result<()> {
    let excused = hygiene::read_long_files(&read_toml("tests/house/long-files.toml")?)?;
    let lines: BTreeMap<String, usize> = hygiene::tracked_files()?
        .into_iter()
        .filter(|file| file.ends_with(".rs"))
        .filter_map(|file| Some((file.clone(), without_tests(&read(&file).ok()?).len())))
        .collect();
    assert!(!lines.is_empty(), "git tracks no Rust file");
    none("long files", &hygiene::lengths(&lines, &excused));
    Ok(())
}

#[test]
fn what_is_said_to_be_defended_is_shown_by_tests_that_exist() -> Result<()> {
    let mut tests = BTreeSet::new();
    for file in hygiene::tracked_files()? {
        if file.ends_with(".rs") {
            // A file just removed has no tests.
            let text = read(&file).unwrap_or_default();
            tests.extend(promises::tests(&text).into_iter().map(str::to_owned));
        }
    }
    let page = "docs/security.md";
    let promises = promises::read(&read(page)?);
    assert!(promises.len() > 20, "{page} has its tables no more");
    none("promises", &promises::check(page, &promises, &tests));
    Ok(())
}

#[test]
fn manifests_describe_and_take_licence_and_lints_from_the_workspace() -> Result<()> {
    let mut findings = Vec::new();
    for (_, _, room) in shared(&GRAPH)?.members() {
        let file = format!("{room}/Cargo.toml");
        let manifest = read_toml(&file).with_context(|| file.clone())?;
        findings.extend(hygiene::manifest(&file, &manifest));
    }
    none("manifests", &findings);
    Ok(())
}
