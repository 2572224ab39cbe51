//! Which packages are built in more than one version, and why that is borne.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use toml::Table;

use crate::{Finding, built::Built};

/// How many versions of a package are borne.
pub type Borne = BTreeMap<String, usize>;

/// Reads the families of `duplicates.toml`: each a reason, and how many versions of each package.
///
/// # Errors
///
/// If a family has no reason or no versions, or a package is listed twice.
pub fn read(table: &Table) -> Result<Borne> {
    let families = table
        .get("family")
        .and_then(|it| it.as_array())
        .context("duplicates.toml has no [[family]]")?;
    let mut borne = Borne::new();
    for family in families {
        let reason = family
            .get("reason")
            .and_then(|it| it.as_str())
            .unwrap_or_default();
        ensure!(
            !reason.trim().is_empty(),
            "a family of duplicates.toml has no reason: {family}"
        );
        let versions = family
            .get("versions")
            .and_then(|it| it.as_table())
            .with_context(|| format!("a family of duplicates.toml has no versions: {family}"))?;
        for (name, count) in versions {
            let count = count
                .as_integer()
                .and_then(|count| usize::try_from(count).ok())
                .filter(|&count| count > 1)
                .with_context(|| format!("duplicates.toml: {name} = {count} is no duplicate"))?;
            ensure!(
                borne.insert(name.clone(), count).is_none(),
                "duplicates.toml lists {name} twice"
            );
        }
    }
    Ok(borne)
}

/// What is built in several versions is listed with their number, and nothing else is.
#[must_use]
pub fn check(built: &[Built], borne: &Borne) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in built {
        versions
            .entry(&package.name)
            .or_default()
            .insert(&package.version);
    }
    let mut findings = Vec::new();
    for (name, versions) in &versions {
        let listed = borne.get(*name).copied().unwrap_or(1);
        if versions.len() > listed {
            let versions: Vec<&str> = versions.iter().copied().collect();
            findings.push(format!(
                "{name} is built in {} versions, {}, and {listed} borne; unify them, or list it in \
                 tests/house/duplicates.toml",
                versions.len(),
                versions.join(" and ")
            ));
        }
    }
    for (name, &listed) in borne {
        let found = versions.get(name.as_str()).map_or(0, BTreeSet::len);
        if found < listed {
            findings.push(format!(
                "tests/house/duplicates.toml bears {listed} versions of {name}, of which {found} \
                 remain; correct it there"
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(packages: &[(&str, &str)]) -> Vec<Built> {
        packages
            .iter()
            .map(|&(name, version)| Built {
                name: name.to_owned(),
                version: version.to_owned(),
                licence: String::new(),
                features: String::new(),
            })
            .collect()
    }

    fn borne() -> Result<Borne> {
        read(&"[[family]]\nreason = \"why\"\n[family.versions]\nrand = 2\nsyn = 2\n".parse()?)
    }

    #[test]
    fn a_new_duplicate_a_third_version_and_a_vanished_one_are_found() -> Result<()> {
        let listed = [
            ("rand", "0.8.0"),
            ("rand", "0.9.0"),
            ("syn", "1.0.0"),
            ("syn", "2.0.0"),
        ];
        assert_eq!(check(&built(&listed), &borne()?), Vec::<Finding>::new());

        let new = [&listed[..], &[("zstd", "1.0.0"), ("zstd", "2.0.0")]].concat();
        assert!(check(&built(&new), &borne()?)[0].starts_with("zstd is built in 2 versions"));

        let third = [&listed[..], &[("rand", "0.10.0")]].concat();
        assert!(check(&built(&third), &borne()?)[0].starts_with("rand is built in 3 versions"));

        assert!(
            check(&built(&listed[..3]), &borne()?)[0].contains("2 versions of syn, of which 1")
        );
        Ok(())
    }

    #[test]
    fn one_version_built_with_two_sets_of_features_is_no_duplicate() -> Result<()> {
        let mut twice = built(&[("cc", "1.0.0"), ("cc", "1.0.0")]);
        twice[1].features = "parallel".to_owned();
        assert_eq!(check(&twice, &Borne::new()), Vec::<Finding>::new());
        Ok(())
    }

    #[test]
    fn a_family_needs_a_reason_and_real_duplicates() -> Result<()> {
        assert!(read(&"[[family]]\nreason = \"\"\n[family.versions]\na = 2\n".parse()?).is_err());
        assert!(
            read(&"[[family]]\nreason = \"why\"\n[family.versions]\na = 1\n".parse()?).is_err()
        );
        Ok(())
    }
}
