//! Where things are: the workspace, the folder cargo builds in, the programs.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Where things are.
pub(crate) struct Places {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// The folder cargo builds in, wherever the machine's settings put it.
    pub(crate) target: PathBuf,
    /// Programs of the sandbox: package and binary, in the order of the manifests.
    pub(crate) sandboxed: Vec<SandboxedProgram>,
    /// The chain's pallets: the folders below `runtime/pallets`.
    pub(crate) pallets: Vec<String>,
}

/// A program that runs in the sandbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SandboxedProgram {
    pub(crate) package: String,
    pub(crate) binary: String,
}

impl Places {
    /// Asks cargo, which knows every setting that moves the target folder.
    pub(crate) fn find() -> Result<Self> {
        // As `cargo run` says it now: a target folder that serves several clones may hold an xtask
        // that another of them built.
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let output = Command::new(cargo_program())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(here)
            .output()
            .context("cargo cannot be started; install Rust with rustup and try again")?;
        ensure!(
            output.status.success(),
            "cargo cannot read the workspace; mend the manifest it names:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value =
            serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
        Self::read(&metadata)
    }

    fn read(metadata: &Value) -> Result<Self> {
        let root = PathBuf::from(text(metadata, "workspace_root")?);
        let target = PathBuf::from(text(metadata, "target_directory")?);
        let mut sandboxed = Vec::new();
        let mut pallets = Vec::new();
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let folder = Path::new(text(package, "manifest_path")?)
                .parent()
                .map(Path::to_owned);
            let Some(room) = folder
                .as_deref()
                .and_then(|folder| folder.strip_prefix(&root).ok())
            else {
                continue;
            };
            if room.starts_with("worker/programs") {
                sandboxed.extend(binaries(package)?);
            }
            if let Ok(pallet) = room.strip_prefix("runtime/pallets") {
                pallets.push(pallet.display().to_string());
            }
        }
        pallets.sort();
        Ok(Self {
            root,
            target,
            sandboxed,
            pallets,
        })
    }

    /// Where `cargo build` leaves the workspace's programs.
    pub(crate) fn binaries(&self) -> PathBuf {
        self.target.join("debug")
    }

    /// Where `cargo build --release` leaves those that people install.
    pub(crate) fn installed(&self) -> PathBuf {
        self.target.join("release")
    }

    /// Where the sandbox's programs are put. Always inside the workspace, so that a person finds
    /// them at the place the documentation names.
    pub(crate) fn programs(&self) -> PathBuf {
        self.root.join("target/programs")
    }
}

/// The cargo that started us, so that every step uses one toolchain.
pub(crate) fn cargo_program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn binaries(package: &Value) -> Result<Vec<SandboxedProgram>> {
    let name = text(package, "name")?;
    let mut found = Vec::new();
    for target in package["targets"].as_array().into_iter().flatten() {
        let kinds = target["kind"].as_array().cloned().unwrap_or_default();
        if kinds.iter().any(|kind| kind == "bin") {
            found.push(SandboxedProgram {
                package: name.to_owned(),
                binary: text(target, "name")?.to_owned(),
            });
        }
    }
    Ok(found)
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field]
        .as_str()
        .with_context(|| format!("cargo metadata has no `{field}`; is this cargo newer than the one of rust-toolchain.toml?"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_follow_from_what_cargo_says() -> Result<()> {
        let places = Places::read(&json!({
            "workspace_root": "/w",
            "target_directory": "/elsewhere",
            "packages": [
                { "name": "quern-histogram", "manifest_path": "/w/worker/programs/histogram/Cargo.toml",
                  "targets": [
                      { "kind": ["lib"], "name": "quern_histogram" },
                      { "kind": ["bin"], "name": "histogram" },
                  ] },
                { "name": "quern-roster", "manifest_path": "/w/runtime/pallets/roster/Cargo.toml",
                  "targets": [] },
                { "name": "quern-worker", "manifest_path": "/w/worker/Cargo.toml",
                  "targets": [{ "kind": ["bin"], "name": "quern-worker" }] },
            ],
        }))?;
        assert_eq!(places.binaries(), Path::new("/elsewhere/debug"));
        assert_eq!(places.installed(), Path::new("/elsewhere/release"));
        assert_eq!(places.programs(), Path::new("/w/target/programs"));
        assert_eq!(places.pallets, ["roster"]);
        assert_eq!(
            places.sandboxed,
            [SandboxedProgram {
                package: "quern-histogram".to_owned(),
                binary: "histogram".to_owned(),
            }]
        );
        Ok(())
    }
}
