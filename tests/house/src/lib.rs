//! Holds the house rules: floors, pure rooms, licences, sources, duplicate versions.
//!
//! Each rule is a function from what cargo or git says to a list of [`Finding`]s; `tests/house.rs`
//! asks the real workspace and wants every list empty, the unit tests beside each rule show on
//! made-up workspaces that it bites. The rules' data live where people look for them:
//!
//! | rule | data |
//! | --- | --- |
//! | floors, pure rooms | the floor table of `ARCHITECTURE.md` |
//! | licences, sole users of a crate | `deny.toml`, which cargo-deny reads as well |
//! | duplicate versions | `tests/house/duplicates.toml` |
//! | versions with a known flaw | `tests/house/advisories.toml` |
//! | long files | `tests/house/long-files.toml` |
//! | what is defended, and the tests that show it | the tables of `docs/security.md` |

pub mod advisories;
pub mod built;
pub mod deny;
pub mod duplicates;
pub mod floors;
pub mod graph;
pub mod hygiene;
pub mod licences;
pub mod lockfile;
pub mod promises;
pub mod purity;
pub mod source;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One breach of a rule: what is wrong where, and what to do.
pub type Finding = String;

/// The platform the rules are held for: the one the project is built and tested on. Naming it
/// makes the answer the same on every machine.
pub const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// The workspace's folder.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads a file of the workspace.
///
/// # Errors
///
/// If there is no such file, or it is not text.
pub fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(workspace().join(file))
        .with_context(|| format!("{file} cannot be read"))
}

/// Reads a TOML file of the workspace.
///
/// # Errors
///
/// If there is no such file, or it is not TOML.
pub fn read_toml(file: &str) -> Result<toml::Table> {
    read(file)?
        .parse()
        .with_context(|| format!("{file} is not TOML"))
}

/// Runs cargo in the workspace and returns what it prints.
///
/// The network is used only where a crate of the lock file was never fetched.
fn cargo(arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    output(&cargo, arguments)
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let spoken = format!("{program} {}", arguments.join(" "));
    let output = std::process::Command::new(program)
        .args(arguments)
        .current_dir(workspace())
        .output()
        .with_context(|| format!("`{spoken}` cannot be started"))?;
    anyhow::ensure!(
        output.status.success(),
        "`{spoken}` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).with_context(|| format!("`{spoken}` printed no text"))
}
