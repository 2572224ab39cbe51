//! What `deny.toml` says, as far as the rules here hold it. Cargo-deny, where it is installed,
//! reads the same file.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::{Finding, graph::Graph};

/// The terms that packages may come under.
#[derive(Debug, Clone, Default)]
pub struct Licences {
    /// Allowed to every package.
    pub allowed: BTreeSet<String>,
    /// Allowed besides to one package, by its name.
    pub exceptions: BTreeMap<String, BTreeSet<String>>,
}

/// A package that is banned but for some users.
#[derive(Debug, Clone)]
pub struct Ban {
    /// The package.
    pub name: String,
    /// Who alone may depend on it; nobody, if empty.
    pub users: BTreeSet<String>,
    /// Why.
    pub reason: String,
}

/// Reads `[licenses]`.
///
/// # Errors
///
/// If it is not as cargo-deny wants it.
pub fn licences(deny: &Table) -> Result<Licences> {
    let section = deny
        .get("licenses")
        .context("deny.toml has no [licenses]")?;
    let mut exceptions = BTreeMap::new();
    for exception in array(section, "exceptions")? {
        exceptions.insert(text(exception, "crate")?, texts(exception, "allow")?);
    }
    Ok(Licences {
        allowed: texts(section, "allow")?,
        exceptions,
    })
}

/// Reads `deny` of `[bans]`.
///
/// # Errors
///
/// If it is not as cargo-deny wants it, or a ban has no reason.
pub fn bans(deny: &Table) -> Result<Vec<Ban>> {
    let section = deny.get("bans").context("deny.toml has no [bans]")?;
    array(section, "deny")?
        .iter()
        .map(|ban| {
            let users = if ban.get("wrappers").is_some() {
                texts(ban, "wrappers")?
            } else {
                BTreeSet::new()
            };
            Ok(Ban {
                name: text(ban, "crate")?,
                users,
                reason: text(ban, "reason")?,
            })
        })
        .collect()
}

/// Only the named users depend on a banned package, and every named user does.
#[must_use]
pub fn check(graph: &Graph, bans: &[Ban]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ban in bans {
        let users = graph.users_of(&ban.name);
        for user in &users {
            if !ban.users.contains(*user) {
                findings.push(format!("{user} depends on {}: {}", ban.name, ban.reason));
            }
        }
        for user in ban.users.iter().filter(|it| !users.contains(it.as_str())) {
            findings.push(format!(
                "deny.toml lets {user} use {}, which it does not; remove it there",
                ban.name
            ));
        }
    }
    findings
}

fn array<'a>(section: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    section
        .get(name)
        .and_then(Value::as_array)
        .with_context(|| format!("deny.toml has no list `{name}` where one is needed"))
}

fn texts(section: &Value, name: &str) -> Result<BTreeSet<String>> {
    array(section, name)?
        .iter()
        .map(|it| {
            it.as_str()
                .map(str::to_owned)
                .with_context(|| format!("`{name}` of deny.toml holds something that is no text"))
        })
        .collect()
}

fn text(section: &Value, name: &str) -> Result<String> {
    section
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("an entry of deny.toml has no `{name}`: {section}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Kind;

    #[test]
    fn only_the_named_user_may_depend_on_a_banned_package() -> Result<()> {
        let deny = r#"
            [bans]
            deny = [{ crate = "wasmtime", wrappers = ["sandbox", "retired"], reason = "one room" }]
        "#
        .parse()?;
        let graph = Graph::made_up(
            &[
                ("sandbox", Some("s")),
                ("worker", Some("w")),
                ("retired", Some("r")),
                ("wasmtime", None),
            ],
            &[
                ("sandbox", "wasmtime", Kind::Normal),
                ("worker", "wasmtime", Kind::Dev),
            ],
        );
        let findings = check(&graph, &bans(&deny)?);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].starts_with("worker depends on wasmtime: one room"));
        assert!(findings[1].contains("retired"));
        Ok(())
    }

    #[test]
    fn a_ban_without_a_reason_is_refused() -> Result<()> {
        assert!(bans(&"[bans]\ndeny = [{ crate = \"x\" }]".parse()?).is_err());
        Ok(())
    }
}
