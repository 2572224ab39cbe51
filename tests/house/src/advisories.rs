//! Versions with a known flaw are not in the lock file.
//!
//! The advisory database cannot be had offline; `advisories.toml` lists what concerned this tree
//! when it was last looked at.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};

use crate::{Finding, lockfile::Locked};

/// A version as far as it is compared.
type Version = (u64, u64, u64);

/// A flaw, and where it is mended.
#[derive(Debug, Clone)]
pub struct Advisory {
    package: String,
    /// The first version without the flaw, one for each line that is kept up. A line is what
    /// semantic versioning calls compatible: versions equal in their first part that is not zero.
    fixed: Vec<Version>,
    reason: String,
}

/// A flawed version that is borne.
#[derive(Debug, Clone)]
pub struct Accepted {
    package: String,
    version: String,
    /// The only packages that may bring it, as `name version`.
    through: BTreeSet<String>,
}

/// A package that may serve tests only.
#[derive(Debug, Clone)]
pub struct OnlyForTests {
    /// The package.
    pub package: String,
    /// Why.
    pub reason: String,
}

/// What `advisories.toml` says.
#[derive(Debug, Clone, Default)]
pub struct Advisories {
    advisories: Vec<Advisory>,
    accepted: Vec<Accepted>,
    /// Packages that no program may link.
    pub only_for_tests: Vec<OnlyForTests>,
}

/// Reads `advisories.toml`.
///
/// # Errors
///
/// If an entry lacks a field or a reason, or a version is none.
pub fn read(table: &Table) -> Result<Advisories> {
    let mut read = Advisories::default();
    for entry in entries(table, "advisory") {
        read.advisories.push(Advisory {
            package: text(entry, "package")?,
            fixed: texts(entry, "fixed")?
                .iter()
                .map(|it| version(it))
                .collect::<Result<_>>()?,
            reason: text(entry, "reason")?,
        });
    }
    for entry in entries(table, "accepted") {
        let _ = text(entry, "reason")?;
        read.accepted.push(Accepted {
            package: text(entry, "package")?,
            version: text(entry, "version")?,
            through: texts(entry, "through")?.into_iter().collect(),
        });
    }
    for entry in entries(table, "only_for_tests") {
        read.only_for_tests.push(OnlyForTests {
            package: text(entry, "package")?,
            reason: text(entry, "reason")?,
        });
    }
    ensure!(
        !read.advisories.is_empty(),
        "advisories.toml has no [[advisory]]"
    );
    Ok(read)
}

/// No version of the lock file is older than the mended one of its line, or of a line that is not
/// kept up, unless it is accepted; and everything accepted is still there, and still brought by
/// whom it was accepted from.
///
/// # Errors
///
/// If a version of the lock file is none.
pub fn check(locked: &[Locked], advisories: &Advisories) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for advisory in &advisories.advisories {
        for package in locked.iter().filter(|it| it.name == advisory.package) {
            let found = version(&package.version)?;
            let newest = advisory.fixed.iter().max();
            let is_mended = advisory
                .fixed
                .iter()
                .any(|&it| line(it) == line(found) && found >= it)
                || newest.is_some_and(|&newest| found >= newest);
            let is_accepted = advisories
                .accepted
                .iter()
                .any(|it| it.package == package.name && it.version == package.version);
            if !is_mended && !is_accepted {
                findings.push(format!(
                    "{} {} has a known flaw: {}",
                    package.name, package.version, advisory.reason
                ));
            }
        }
    }
    for accepted in &advisories.accepted {
        let bringers = bringers(locked, &accepted.package, &accepted.version);
        if bringers != accepted.through {
            findings.push(format!(
                "{} {} is accepted through {:?}, but is brought by {bringers:?}; look again at \
                 tests/house/advisories.toml",
                accepted.package, accepted.version, accepted.through
            ));
        }
    }
    Ok(findings)
}

/// Who depends on a version. The lock file names a dependency's version only where there are
/// several.
fn bringers(locked: &[Locked], name: &str, version: &str) -> BTreeSet<String> {
    if !locked
        .iter()
        .any(|it| it.name == name && it.version == version)
    {
        return BTreeSet::new();
    }
    let exact = format!("{name} {version}");
    locked
        .iter()
        .filter(|it| it.dependencies.iter().any(|it| it == name || *it == exact))
        .map(|it| format!("{} {}", it.name, it.version))
        .collect()
}

fn version(text: &str) -> Result<Version> {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let mut parts = numbers.split('.').map(str::parse);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Ok((major, minor, patch)),
        _ => anyhow::bail!("`{text}` is no version"),
    }
}

fn line((major, minor, patch): Version) -> Version {
    match (major, minor) {
        (0, 0) => (0, 0, patch),
        (0, _) => (0, minor, 0),
        _ => (major, 0, 0),
    }
}

fn entries<'a>(table: &'a Table, name: &str) -> impl Iterator<Item = &'a Value> {
    table
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text(entry: &Value, name: &str) -> Result<String> {
    entry
        .get(name)
        .and_then(Value::as_str)
        .filter(|it| !it.trim().is_empty())
        .map(str::to_owned)
        .with_context(|| format!("an entry of advisories.toml has no `{name}`: {entry}"))
}

fn texts(entry: &Value, name: &str) -> Result<Vec<String>> {
    let list = entry
        .get(name)
        .and_then(Value::as_array)
        .with_context(|| format!("an entry of advisories.toml has no list `{name}`: {entry}"))?;
    Ok(list
        .iter()
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADVISORIES: &str = r#"
        [[advisory]]
        package = "engine"
        fixed = ["36.0.19", "48.0.8"]
        reason = "escape"

        [[advisory]]
        package = "mux"
        fixed = ["0.13.10"]
        reason = "panic"

        [[accepted]]
        package = "mux"
        version = "0.12.1"
        through = ["transport 0.46.0"]
        reason = "never started"
    "#;

    fn locked(packages: &[(&str, &str, &[&str])]) -> Vec<Locked> {
        packages
            .iter()
            .map(|&(name, version, dependencies)| Locked {
                name: name.to_owned(),
                version: version.to_owned(),
                source: None,
                has_checksum: true,
                dependencies: dependencies.iter().map(|&it| it.to_owned()).collect(),
            })
            .collect()
    }

    fn findings(packages: &[(&str, &str, &[&str])]) -> Result<Vec<Finding>> {
        let mut with_accepted = locked(&[
            ("mux", "0.12.1", &[]),
            ("transport", "0.46.0", &["mux 0.12.1"]),
        ]);
        with_accepted.extend(locked(packages));
        check(&with_accepted, &read(&ADVISORIES.parse()?)?)
    }

    #[test]
    fn each_line_is_held_to_its_own_mended_version() -> Result<()> {
        for good in ["36.0.19", "36.1.0", "48.0.8", "50.0.1"] {
            assert_eq!(
                findings(&[("engine", good, &[])])?,
                Vec::<Finding>::new(),
                "{good}"
            );
        }
        for bad in ["36.0.18", "47.9.9", "48.0.7", "1.0.0"] {
            assert_eq!(findings(&[("engine", bad, &[])])?.len(), 1, "{bad}");
        }
        assert!(findings(&[("mux", "0.13.9", &[])])?[0].starts_with("mux 0.13.9"));
        assert!(findings(&[("mux", "0.14.1", &[])])?.is_empty());
        Ok(())
    }

    #[test]
    fn what_is_accepted_is_accepted_from_whom_it_was_and_no_longer_than_needed() -> Result<()> {
        assert_eq!(findings(&[("another", "1.0.0", &["mux 0.12.1"])])?.len(), 1);
        let gone = check(
            &locked(&[("mux", "0.13.10", &[])]),
            &read(&ADVISORIES.parse()?)?,
        )?;
        assert_eq!(gone.len(), 1);
        Ok(())
    }

    #[test]
    fn an_entry_without_a_reason_is_refused() -> Result<()> {
        let silent = "[[advisory]]\npackage = \"a\"\nfixed = [\"1.0.0\"]\nreason = \"\"\n";
        assert!(read(&silent.parse()?).is_err());
        Ok(())
    }
}
