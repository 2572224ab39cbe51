//! Who depends on whom, as `cargo metadata` tells it.
//!
//! This graph is a little larger than what is built: it also follows optional dependencies that
//! are only mentioned weakly (`name?/feature`). The rules held on it are therefore a little
//! stricter than they would have to be. What is built is told by [`crate::built`].

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{PLATFORM, cargo};

/// Why one package needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is linked into it.
    Normal,
    /// Its build script needs it.
    Build,
    /// Its tests need it.
    Dev,
}

/// A package of the graph.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its folder below the workspace's, if it is a member of it.
    pub room: Option<String>,
    /// What it needs: places in [`Graph::packages`], each with every reason.
    pub needs: BTreeMap<usize, BTreeSet<Kind>>,
}

/// The workspace and everything it depends on, for [`PLATFORM`].
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Every package, in no particular order.
    pub packages: Vec<Package>,
}

impl Graph {
    /// Asks cargo.
    ///
    /// # Errors
    ///
    /// If cargo fails, or says what is not understood.
    pub fn load() -> Result<Self> {
        let text = cargo(&[
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            PLATFORM,
        ])?;
        Self::parse(&serde_json::from_str(&text)?)
    }

    fn parse(metadata: &Value) -> Result<Self> {
        let root = field(metadata, "workspace_root")?;
        let members: BTreeSet<&str> = list(metadata, "workspace_members")?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut packages = Vec::new();
        let mut places = BTreeMap::new();
        for package in list(metadata, "packages")? {
            let id = field(package, "id")?;
            let room = if members.contains(id) {
                let folder = Path::new(field(package, "manifest_path")?)
                    .parent()
                    .and_then(|folder| folder.strip_prefix(root).ok())
                    .with_context(|| format!("{id} is not inside the workspace"))?;
                Some(folder.to_string_lossy().into_owned())
            } else {
                None
            };
            places.insert(id.to_owned(), packages.len());
            packages.push(Package {
                name: field(package, "name")?.to_owned(),
                version: field(package, "version")?.to_owned(),
                room,
                needs: BTreeMap::new(),
            });
        }
        let place = |id: &str| {
            places
                .get(id)
                .copied()
                .with_context(|| format!("{id} is resolved but not described"))
        };
        for node in list(&metadata["resolve"], "nodes")? {
            let from = place(field(node, "id")?)?;
            for dependency in list(node, "deps")? {
                let to = place(field(dependency, "pkg")?)?;
                let kinds = list(dependency, "dep_kinds")?
                    .iter()
                    .map(|it| kind(&it["kind"]));
                packages[from].needs.entry(to).or_default().extend(kinds);
            }
        }
        Ok(Self { packages })
    }

    /// The members of the workspace, each with its place in [`Self::packages`] and its folder.
    pub fn members(&self) -> impl Iterator<Item = (usize, &Package, &str)> {
        self.packages
            .iter()
            .enumerate()
            .filter_map(|(place, package)| Some((place, package, package.room.as_deref()?)))
    }

    /// Everything linked into a package, each with the package that brought it; the package itself
    /// is not among it.
    #[must_use]
    pub fn linked_into(&self, package: usize) -> BTreeMap<usize, usize> {
        let mut brought_by = BTreeMap::new();
        let mut unvisited = vec![package];
        while let Some(from) = unvisited.pop() {
            for (&to, kinds) in &self.packages[from].needs {
                if kinds.contains(&Kind::Normal) && to != package && !brought_by.contains_key(&to) {
                    brought_by.insert(to, from);
                    unvisited.push(to);
                }
            }
        }
        brought_by
    }

    /// The names of the packages that depend on one of this name, whatever the version and reason.
    #[must_use]
    pub fn users_of(&self, name: &str) -> BTreeSet<&str> {
        self.packages
            .iter()
            .filter(|user| {
                user.needs
                    .keys()
                    .any(|&needed| self.packages[needed].name == name)
            })
            .map(|user| user.name.as_str())
            .collect()
    }
}

fn kind(value: &Value) -> Kind {
    match value.as_str() {
        Some("build") => Kind::Build,
        Some("dev") => Kind::Dev,
        _ => Kind::Normal,
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value[name]
        .as_str()
        .with_context(|| format!("cargo metadata has no text `{name}`"))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    value[name]
        .as_array()
        .with_context(|| format!("cargo metadata has no list `{name}`"))
}

#[cfg(test)]
impl Graph {
    /// A made-up graph: packages as `(name, room)`, dependencies as `(from, to, kind)` by name.
    pub(crate) fn made_up(packages: &[(&str, Option<&str>)], edges: &[(&str, &str, Kind)]) -> Self {
        let place = |name: &str| {
            packages
                .iter()
                .position(|it| it.0 == name)
                .unwrap_or_else(|| panic!("no {name}"))
        };
        let mut graph = Self {
            packages: packages
                .iter()
                .map(|&(name, room)| Package {
                    name: name.to_owned(),
                    version: "1.0.0".to_owned(),
                    room: room.map(str::to_owned),
                    needs: BTreeMap::new(),
                })
                .collect(),
        };
        for &(from, to, kind) in edges {
            graph.packages[place(from)]
                .needs
                .entry(place(to))
                .or_default()
                .insert(kind);
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_graph_follows_from_what_cargo_says() -> Result<()> {
        let graph = Graph::parse(&json!({
            "workspace_root": "/w",
            "workspace_members": ["a"],
            "packages": [
                { "id": "a", "name": "ours", "version": "0.1.0", "manifest_path": "/w/x/y/Cargo.toml" },
                { "id": "b", "name": "theirs", "version": "2.0.0", "manifest_path": "/r/b/Cargo.toml" },
            ],
            "resolve": { "nodes": [
                { "id": "a", "deps": [
                    { "pkg": "b", "dep_kinds": [{ "kind": null }, { "kind": "dev" }] },
                ] },
                { "id": "b", "deps": [] },
            ] },
        }))?;
        assert_eq!(graph.packages[0].room.as_deref(), Some("x/y"));
        assert_eq!(graph.packages[1].room, None);
        assert_eq!(
            graph.packages[0].needs[&1],
            BTreeSet::from([Kind::Normal, Kind::Dev])
        );
        assert_eq!(graph.users_of("theirs"), BTreeSet::from(["ours"]));
        Ok(())
    }

    #[test]
    fn what_only_tests_need_is_not_linked() {
        let graph = Graph::made_up(
            &[("a", Some("a")), ("b", None), ("c", None), ("d", None)],
            &[
                ("a", "b", Kind::Normal),
                ("b", "c", Kind::Normal),
                ("a", "d", Kind::Dev),
                ("c", "d", Kind::Build),
            ],
        );
        assert_eq!(graph.linked_into(0), BTreeMap::from([(1, 0), (2, 1)]));
    }
}
