//! Pure rooms do no input or output, read no clock, draw no randomness and iterate over no hash
//! map; where money is decided there is no floating point, and lints look for what wraps or panics.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    Finding,
    floors::{Row, row_of},
    graph::{Graph, Kind},
    source::{has_word, modules_for_tests, shipped_lines},
};

/// What must not be linked into a pure room, however far down: runtimes, networks, engines,
/// databases and whatever else exists to reach outside. A name stands for its family as well
/// (`libp2p` for `libp2p-core`).
const NEVER_LINKED: [&str; 21] = [
    "async-io",
    "async-std",
    "hyper",
    "jsonrpsee",
    "libp2p",
    "litep2p",
    "memmap2",
    "mio",
    "notify",
    "parity-db",
    "quinn",
    "redb",
    "reqwest",
    "rocksdb",
    "smol",
    "socket2",
    "subxt",
    "tempfile",
    "tokio",
    "walkdir",
    "wasmtime",
];

/// What a pure room does not depend on itself. Deep below, the SDK's cryptography links these
/// without using them on our behalf.
const NEVER_DIRECT: [&str; 9] = [
    "chrono",
    "clap",
    "futures",
    "getrandom",
    "rand",
    "rayon",
    "time",
    "tracing",
    "tracing-subscriber",
];

/// What the code of a pure room does not mention, and why.
const NEVER_MENTIONED: [(&str, &str); 15] = [
    ("std::fs", "input and output"),
    ("std::net", "input and output"),
    ("std::process", "input and output"),
    ("std::env", "input and output"),
    ("std::thread", "time and chance"),
    ("println", "input and output"),
    ("eprintln", "input and output"),
    ("Instant", "a clock; take a Tick"),
    ("SystemTime", "a clock; take a Tick"),
    ("OsRng", "chance; take a seed"),
    ("SysRng", "chance; take a seed"),
    ("thread_rng", "chance; take a seed"),
    ("getrandom", "chance; take a seed"),
    (
        "HashMap",
        "an order that differs from run to run; take a BTreeMap",
    ),
    (
        "HashSet",
        "an order that differs from run to run; take a BTreeSet",
    ),
];

/// Where money is decided: below `runtime`, and the judge.
const MONEY: [&str; 2] = ["runtime", "compute-side/verdict"];

/// What clippy looks for in those of them that are pure, and in the pallets.
const LINTS_OF_MONEY: [&str; 3] = [
    "clippy::arithmetic_side_effects",
    "clippy::expect_used",
    "clippy::indexing_slicing",
];

/// Pure rooms reach nothing of `NEVER_LINKED` and name nothing of `NEVER_DIRECT` in their
/// manifest.
#[must_use]
pub fn dependencies(graph: &Graph, rows: &[Row]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, package, room) in graph.members() {
        if !row_of(rows, room).is_some_and(|row| row.pure) {
            continue;
        }
        let linked = graph.linked_into(place);
        for &reached in linked.keys() {
            let name = &graph.packages[reached].name;
            if NEVER_LINKED.iter().any(|family| is_of(name, family)) {
                let mut way = vec![name.as_str()];
                let mut at = reached;
                while let Some(&by) = linked.get(&at) {
                    way.push(&graph.packages[by].name);
                    at = by;
                }
                findings.push(format!(
                    "pure `{room}` links {name} ({}); leave out the dependency or its feature",
                    way.join(" <- ")
                ));
            }
        }
        for (&needed, kinds) in &package.needs {
            let name = graph.packages[needed].name.as_str();
            if kinds.contains(&Kind::Normal) && NEVER_DIRECT.contains(&name) {
                findings.push(format!(
                    "pure `{room}` depends on {name}; take time and chance as arguments"
                ));
            }
        }
    }
    findings
}

fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The code of pure rooms mentions nothing of `NEVER_MENTIONED`, and code that decides money no
/// floating point.
///
/// # Errors
///
/// If the rooms cannot be read.
pub fn code(workspace: &Path, graph: &Graph, rows: &[Row]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (_, _, room) in graph.members() {
        let pure = row_of(rows, room).is_some_and(|row| row.pure);
        let money = MONEY.iter().any(|it| Path::new(room).starts_with(it));
        if !pure && !money {
            continue;
        }
        for file in shipped_files(&workspace.join(room).join("src"))? {
            let text = fs::read_to_string(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            let name = file
                .strip_prefix(workspace)
                .unwrap_or(&file)
                .display()
                .to_string();
            if pure {
                findings.extend(impure(&name, &text));
            }
            if money {
                findings.extend(floating(&name, &text));
            }
            let is_checked = pure || room.starts_with("runtime/pallets");
            if money && is_checked && name.ends_with("/src/lib.rs") {
                findings.extend(unchecked(&name, &text));
            }
        }
    }
    Ok(findings)
}

fn impure(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in shipped_lines(text) {
        for (word, what) in NEVER_MENTIONED {
            if has_word(line, word) {
                findings.push(format!("{file}:{number}: `{word}` in a pure room: {what}"));
            }
        }
    }
    findings
}

fn floating(file: &str, text: &str) -> Vec<Finding> {
    shipped_lines(text)
        .into_iter()
        .filter(|(_, line)| has_word(line, "f32") || has_word(line, "f64"))
        .map(|(number, _)| {
            format!("{file}:{number}: floating point where money is decided; take integers")
        })
        .collect()
}

fn unchecked(file: &str, text: &str) -> Vec<Finding> {
    let warned_of = text
        .split_once(" warn(")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(lints, _)| lints);
    LINTS_OF_MONEY
        .iter()
        .filter(|lint| !warned_of.contains(**lint))
        .map(|lint| format!("{file}: money is decided here, and `{lint}` is not warned of"))
        .collect()
}

/// The Rust files below a folder, without those of modules that only tests have.
fn shipped_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut unvisited = vec![folder.to_owned()];
    while let Some(folder) = unvisited.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                unvisited.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut only_for_tests = BTreeSet::new();
    for file in &files {
        let text = fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        for module in modules_for_tests(&text) {
            only_for_tests.insert(module_folder(file).join(module));
        }
    }
    files.retain(|file| {
        let module = file.with_extension("");
        !only_for_tests.iter().any(|it| module.starts_with(it))
    });
    Ok(files)
}

/// Where the modules that a file declares are.
fn module_folder(file: &Path) -> PathBuf {
    let is_root = ["lib", "main", "mod"]
        .iter()
        .any(|it| file.file_stem() == Some(it.as_ref()));
    if is_root {
        file.with_file_name("")
    } else {
        file.with_extension("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        vec![Row {
            floor: 0,
            rooms: vec!["pure".to_owned()],
            pure: true,
        }]
    }

    #[test]
    fn what_a_pure_room_reaches_is_found_with_the_way_there() {
        let graph = Graph::made_up(
            &[
                ("p", Some("pure")),
                ("between", None),
                ("libp2p-core", None),
            ],
            &[
                ("p", "between", Kind::Normal),
                ("between", "libp2p-core", Kind::Normal),
            ],
        );
        let findings = dependencies(&graph, &rows());
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].contains("libp2p-core <- between <- p"),
            "{findings:?}"
        );
    }

    #[test]
    fn tests_of_a_pure_room_may_use_what_they_need() {
        let graph = Graph::made_up(
            &[("p", Some("pure")), ("tempfile", None), ("rand", None)],
            &[("p", "tempfile", Kind::Dev), ("p", "rand", Kind::Dev)],
        );
        assert_eq!(dependencies(&graph, &rows()), Vec::<Finding>::new());
    }

    #[test]
    fn a_direct_dependency_on_chance_is_found() {
        let graph = Graph::made_up(
            &[("p", Some("pure")), ("rand", None)],
            &[("p", "rand", Kind::Normal)],
        );
        assert_eq!(dependencies(&graph, &rows()).len(), 1);
    }

    #[test]
    fn a_name_stands_for_its_family_but_not_for_its_namesakes() {
        assert!(is_of("wasmtime-environ", "wasmtime"));
        assert!(is_of("tokio", "tokio"));
        assert!(!is_of("smoldot", "smol"));
    }

    #[test]
    fn clocks_and_hash_maps_in_shipped_code_are_found() {
        let text = "use std::time::Instant;\nlet map = HashMap::new(); // HashSet\n\
                    #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(impure("a.rs", text).len(), 2);
        assert!(impure("a.rs", "use std::time::Duration;\n").is_empty());
    }

    #[test]
    fn floating_point_where_money_is_decided_is_found() {
        assert_eq!(floating("a.rs", "fn share(x: u128) -> f64 {\n").len(), 1);
        assert!(floating("a.rs", "// f64 would round\nfn share(x: u128) -> u128 {\n").is_empty());
    }

    #[test]
    fn lints_that_are_allowed_where_money_is_decided_are_found() {
        let lints = LINTS_OF_MONEY.join(",\n");
        let warns = format!("#![cfg_attr(\n    not(test),\n    warn({lints})\n)]");
        assert!(unchecked("a.rs", &warns).is_empty());
        let allows = format!("#[allow({lints})]\nmod pallet {{");
        assert_eq!(unchecked("a.rs", &allows).len(), LINTS_OF_MONEY.len());
    }
}
