//! What the repository's files look like.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::{Finding, output};

/// Above this many lines, without its tests, a Rust file has to say in `long-files.toml` why it is
/// one thing. To ask oneself begins at 400.
pub const FILE_LINES_MAX: usize = 600;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 9] = [
    "common", "core2", "helper", "helpers", "manager", "misc", "shared", "util", "utils",
];

/// Hosts that packages come from, as name and domain. A build is told where to look by the
/// machine's settings, not by the repository.
const PACKAGE_HOSTS: [(&str, &str); 8] = [
    ("static", "crates.io"),
    ("index", "crates.io"),
    ("deb", "debian.org"),
    ("security", "debian.org"),
    ("static", "rust-lang.org"),
    ("registry", "npmjs.org"),
    ("files", "pythonhosted.org"),
    ("proxy", "golang.org"),
];

/// Programs that a machine with what the README asks for need not have: Debian's minimal images
/// leave their package out.
const NOT_EVERYWHERE: [&str; 8] = [
    "free", "kill", "pgrep", "pkill", "ps", "top", "uptime", "watch",
];

/// Folders that people's homes are in.
const HOMES: [&str; 2] = ["home", "Users"];

/// The files that git tracks, from the workspace's folder.
///
/// # Errors
///
/// If git cannot be asked, for example because the workspace is no clone.
pub fn tracked_files() -> Result<Vec<String>> {
    let list = output("git", &["ls-files", "-z"])
        .context("the files to look at are those that git tracks; this needs a clone")?;
    Ok(list
        .split('\0')
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect())
}

/// No file or folder has a name that says nothing.
#[must_use]
pub fn names(files: &[String]) -> Vec<Finding> {
    let mut findings = BTreeSet::new();
    for file in files {
        for part in Path::new(file).components() {
            let name = Path::new(part.as_os_str()).file_stem().unwrap_or_default();
            if EMPTY_NAMES.iter().any(|it| name == *it) {
                findings.insert(format!(
                    "{file}: `{}` says nothing; name what is inside",
                    name.to_string_lossy()
                ));
            }
        }
    }
    findings.into_iter().collect()
}

/// No text carries the path of somebody's machine or the host of a package registry.
///
/// `machine` are folders of the machine the test runs on: where the workspace is, and the home.
#[must_use]
pub fn traces(file: &str, text: &str, machine: &[String]) -> Vec<Finding> {
    let homes = HOMES.iter().map(|home| format!("/{home}/"));
    // A root directory as somebody's home would else be `/` and found everywhere.
    let machine = machine
        .iter()
        .filter(|it| it.len() > 2)
        .map(|it| format!("{it}/"));
    let paths: Vec<String> = homes.chain(machine).collect();
    let hosts: Vec<String> = PACKAGE_HOSTS
        .iter()
        .map(|(name, domain)| format!("{name}.{domain}"))
        .collect();
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if paths.iter().any(|path| begins_path(line, path)) {
            findings.push(format!(
                "{file}:{}: a path of somebody's machine",
                index + 1
            ));
        }
        if hosts.iter().any(|host| line.contains(host.as_str())) {
            findings.push(format!(
                "{file}:{}: the host of a package registry",
                index + 1
            ));
        }
    }
    findings
}

/// No Rust file starts a program that a fresh machine lacks.
#[must_use]
pub fn starts(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for program in NOT_EVERYWHERE {
            if line.contains(&format!("Command::new(\"{program}\")")) {
                findings.push(format!(
                    "{file}:{}: not every machine has `{program}`; ask the system itself, as the \
                     crate `nix` does",
                    index + 1
                ));
            }
        }
    }
    findings
}

/// Whether an absolute path stands in a line: `/a/` in `"/a/b"`, but not in `x/a/b`.
fn begins_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(|before| {
            before.is_alphanumeric() || matches!(before, '.' | '/' | '_' | '-' | '}' | ')')
        })
    })
}

/// Reads `long-files.toml`: files and why each is one thing.
///
/// # Errors
///
/// If an entry has no reason.
pub fn read_long_files(table: &Table) -> Result<BTreeMap<String, String>> {
    table
        .iter()
        .map(|(file, reason)| {
            let reason = reason.as_str().filter(|it| !it.trim().is_empty());
            let reason =
                reason.with_context(|| format!("long-files.toml: {file} has no reason"))?;
            Ok((file.clone(), reason.to_owned()))
        })
        .collect()
}

/// Rust files are short, or say why not; and none says so without need.
///
/// `lines` are the tracked Rust files with their numbers of lines, tests left out.
#[must_use]
pub fn lengths(
    lines: &BTreeMap<String, usize>,
    excused: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, &count) in lines {
        if count > FILE_LINES_MAX && !excused.contains_key(file) {
            findings.push(format!(
                "{file} has {count} lines, more than {FILE_LINES_MAX}; is it two things? If not, \
                 say why in tests/house/long-files.toml"
            ));
        }
    }
    for file in excused.keys() {
        if lines.get(file).is_none_or(|&count| count <= FILE_LINES_MAX) {
            findings.push(format!(
                "tests/house/long-files.toml lists {file} without need"
            ));
        }
    }
    findings
}

/// A member's manifest says what it is and takes licence and lints from the workspace.
#[must_use]
pub fn manifest(file: &str, manifest: &Table) -> Vec<Finding> {
    let package = manifest.get("package");
    let of_workspace = |value: Option<&Value>| {
        value
            .and_then(|it| it.get("workspace"))
            .and_then(Value::as_bool)
            == Some(true)
    };
    let mut findings = Vec::new();
    let description = package
        .and_then(|it| it.get("description"))
        .and_then(Value::as_str);
    if description.is_none_or(|it| it.trim().is_empty()) {
        findings.push(format!(
            "{file}: no description; say in one sentence what it is for"
        ));
    }
    if !of_workspace(package.and_then(|it| it.get("license"))) {
        findings.push(format!("{file}: no `license.workspace = true`"));
    }
    if !of_workspace(manifest.get("lints")) {
        findings.push(format!("{file}: no `[lints]` with `workspace = true`"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found_wherever_they_stand() {
        let files = [
            "a/utils.rs",
            "a/common/mod.rs",
            "manager/Cargo.toml",
            "a/judge.rs",
        ]
        .map(str::to_owned);
        assert_eq!(names(&files).len(), 3);
    }

    #[test]
    fn paths_of_a_machine_are_found_and_paths_below_others_are_not() {
        let machine = ["/srv/clone".to_owned(), "/".to_owned()];
        let home = format!("see \"/{}/anna/x\"", HOMES[0]);
        assert_eq!(traces("a", &home, &machine).len(), 1);
        assert_eq!(traces("a", "in /srv/clone/target", &machine).len(), 1);
        assert!(traces("a", &format!("docs/{}/index.html", HOMES[0]), &machine).is_empty());
        assert!(traces("a", "$ROOT/srv/clone is fine, and so is /etc", &machine).is_empty());
    }

    #[test]
    fn hosts_of_registries_are_found_and_their_products_are_not() {
        let host = format!("{}.{}", PACKAGE_HOSTS[0].0, PACKAGE_HOSTS[0].1);
        assert_eq!(traces("a", &host, &[]).len(), 1);
        assert!(traces("a", "from crates.io and Debian", &[]).is_empty());
    }

    #[test]
    fn programs_of_a_package_that_is_not_everywhere_are_not_started() {
        let start = |program: &str| format!("    let told = Command::new(\"{program}\")");
        assert_eq!(starts("a", &start(NOT_EVERYWHERE[1])).len(), 1);
        assert!(starts("a", &start("sh")).is_empty());
    }

    #[test]
    fn long_files_need_a_reason_and_short_ones_none() {
        let lines = BTreeMap::from([
            ("long.rs".to_owned(), FILE_LINES_MAX + 1),
            ("short.rs".to_owned(), FILE_LINES_MAX),
        ]);
        assert_eq!(lengths(&lines, &BTreeMap::new()).len(), 1);
        let excused = |file: &str| BTreeMap::from([(file.to_owned(), "why".to_owned())]);
        assert!(lengths(&lines, &excused("long.rs")).is_empty());
        assert_eq!(lengths(&lines, &excused("short.rs")).len(), 2);
    }

    #[test]
    fn a_manifest_takes_licence_and_lints_from_the_workspace() -> Result<()> {
        let good =
            "package = { description = \"x\", license.workspace = true }\nlints.workspace = true";
        assert!(manifest("a", &good.parse()?).is_empty());
        let bad = "package = { license = \"MIT\" }\nlints.workspace = false";
        assert_eq!(manifest("a", &bad.parse()?).len(), 3);
        Ok(())
    }
}
