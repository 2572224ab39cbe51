//! What is really built, as `cargo tree` tells it: with the features that the build resolves.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use crate::{Finding, PLATFORM, cargo};

/// A package as it is built, once for every set of features it is built with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Built {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence's SPDX expression; empty if its manifest has none.
    pub licence: String,
    /// Its features, by commas.
    pub features: String,
}

/// What the programs and their build scripts need.
///
/// # Errors
///
/// If cargo fails, or says what is not understood.
pub fn for_programs() -> Result<Vec<Built>> {
    tree("normal,build")
}

/// What programs, build scripts and tests need.
///
/// # Errors
///
/// If cargo fails, or says what is not understood.
pub fn for_tests() -> Result<Vec<Built>> {
    tree("normal,build,dev")
}

fn tree(edges: &str) -> Result<Vec<Built>> {
    let text = cargo(&[
        "tree",
        "--workspace",
        "--locked",
        "--target",
        PLATFORM,
        "--edges",
        edges,
        "--prefix",
        "none",
        "--format",
        "{p}|{l}|{f}",
    ])?;
    parse(&text)
}

/// Lines as `name v1.2.3 (more)|licence|features (*)`; the star marks a repetition.
fn parse(text: &str) -> Result<Vec<Built>> {
    let mut packages = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut parts = line.trim_end_matches(" (*)").split('|');
        let mut package = parts.next().unwrap_or_default().split_whitespace();
        let not_understood = || format!("cargo tree printed `{line}`, which is not understood");
        packages.insert(Built {
            name: package.next().with_context(not_understood)?.to_owned(),
            version: package
                .next()
                .and_then(|version| version.strip_prefix('v'))
                .with_context(not_understood)?
                .to_owned(),
            licence: parts.next().with_context(not_understood)?.to_owned(),
            features: parts.next().with_context(not_understood)?.trim().to_owned(),
        });
    }
    Ok(packages.into_iter().collect())
}

/// Tests turn on no feature of a package that the programs build without it.
///
/// Else `cargo test` would build that package and everything above it a second time, which for the
/// roots of this tree means a quarter of an hour.
#[must_use]
pub fn built_twice(for_programs: &[Built], for_tests: &[Built]) -> Vec<Finding> {
    let programs: BTreeSet<&Built> = for_programs.iter().collect();
    let names: BTreeSet<(&str, &str)> = for_programs
        .iter()
        .map(|it| (it.name.as_str(), it.version.as_str()))
        .collect();
    for_tests
        .iter()
        .filter(|it| names.contains(&(&it.name, &it.version)) && !programs.contains(it))
        .map(|it| {
            format!(
                "{} {} is built again for the tests, with `{}`; give the workspace's dependency \
                 the features that the dev-dependency turns on",
                it.name, it.version, it.features
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_tree_are_understood() -> Result<()> {
        let text = "ours v0.1.0 (/w/ours)|Apache-2.0|\n\
                    \n\
                    derive v1.2.0 (proc-macro)|MIT OR Apache-2.0|default,std (*)\n\
                    bare v1.2.0||\n";
        let built = parse(text)?;
        assert_eq!(built.len(), 3);
        assert_eq!(built[1].name, "derive");
        assert_eq!(built[1].features, "default,std");
        assert_eq!(built[0].licence, "");
        assert!(parse("what is this").is_err());
        Ok(())
    }

    #[test]
    fn a_feature_that_only_tests_turn_on_is_found() -> Result<()> {
        let programs = parse("a v1.0.0|MIT|std\n")?;
        let same = parse("a v1.0.0|MIT|std\nproptest v1.0.0|MIT|std\n")?;
        assert_eq!(built_twice(&programs, &same), Vec::<Finding>::new());
        let more = parse("a v1.0.0|MIT|serde,std\n")?;
        assert_eq!(built_twice(&programs, &more).len(), 1);
        Ok(())
    }
}
