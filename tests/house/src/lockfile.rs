//! `Cargo.lock`: every package that could be built, on whatever platform.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use toml::Table;

use crate::Finding;

/// The only place that packages of others come from, as cargo writes it.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A package of the lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from; a folder of ours, if nowhere.
    pub source: Option<String>,
    /// Whether its content is fixed by a checksum.
    pub has_checksum: bool,
    /// What it depends on, as `name` or `name version`.
    pub dependencies: Vec<String>,
}

/// Reads a lock file.
///
/// # Errors
///
/// If it is none.
pub fn read(lock: &Table) -> Result<Vec<Locked>> {
    let packages = lock
        .get("package")
        .and_then(|it| it.as_array())
        .context("Cargo.lock has no packages")?;
    packages
        .iter()
        .map(|package| {
            let text = |name: &str| {
                package
                    .get(name)
                    .and_then(|it| it.as_str())
                    .map(str::to_owned)
            };
            Ok(Locked {
                name: text("name").with_context(|| format!("a package has no name: {package}"))?,
                version: text("version")
                    .with_context(|| format!("a package has no version: {package}"))?,
                source: text("source"),
                has_checksum: package.get("checksum").is_some(),
                dependencies: package
                    .get("dependencies")
                    .and_then(|it| it.as_array())
                    .map(|list| {
                        list.iter()
                            .filter_map(|it| it.as_str().map(str::to_owned))
                            .collect()
                    })
                    .unwrap_or_default(),
            })
        })
        .collect()
}

/// Packages of others come from crates.io, with a checksum; packages without a source are members
/// of the workspace, or lie in the folder of what stands in for packages of others.
#[must_use]
pub fn sources(
    locked: &[Locked],
    members: &BTreeSet<&str>,
    stand_ins: &BTreeSet<String>,
) -> Vec<Finding> {
    locked
        .iter()
        .filter_map(|package| {
            let name = &package.name;
            match package.source.as_deref() {
                Some(SOURCE) if package.has_checksum => None,
                Some(SOURCE) => Some(format!("{name} has no checksum in Cargo.lock")),
                Some(other) => Some(format!(
                    "{name} comes from {other}; crates.io is the only source"
                )),
                None if members.contains(name.as_str()) || stand_ins.contains(name) => None,
                None => Some(format!(
                    "{name} comes from a folder that is neither a member of the workspace nor one \
                     of stand-ins/"
                )),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        [[package]]
        name = "good"
        version = "1.0.0"
        source = "registry+https://github.com/rust-lang/crates.io-index"
        checksum = "00"
        dependencies = ["other 1.0.0"]

        [[package]]
        name = "unfixed"
        version = "1.0.0"
        source = "registry+https://github.com/rust-lang/crates.io-index"

        [[package]]
        name = "forked"
        version = "1.0.0"
        source = "git+https://example.org/forked"

        [[package]]
        name = "ours"
        version = "0.1.0"

        [[package]]
        name = "stand-in"
        version = "1.0.99"

        [[package]]
        name = "copied"
        version = "0.1.0"
    "#;

    #[test]
    fn every_source_but_the_registry_the_workspace_and_the_stand_ins_is_found() -> Result<()> {
        let locked = read(&LOCK.parse()?)?;
        assert_eq!(locked[0].dependencies, ["other 1.0.0"]);
        let stand_ins = BTreeSet::from(["stand-in".to_owned()]);
        let findings = sources(&locked, &BTreeSet::from(["ours"]), &stand_ins);
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(findings[0].starts_with("unfixed"));
        assert!(findings[1].starts_with("forked"));
        assert!(findings[2].starts_with("copied"));
        Ok(())
    }
}
