//! The chain specifications that the repository carries.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use crate::{
    cargo::{Cargo, run},
    places::Places,
    setup,
    steps::Steps,
};

/// The chains a specification is kept for; the node knows each by this name.
const CHAINS: [&str; 2] = ["dev", "local"];

/// Writes the specifications, or compares them with what the node would write.
pub(crate) fn specifications(places: &Places, steps: &mut Steps, check: bool) -> Result<()> {
    let cargo = setup::all(places, steps)?;
    node(&cargo, steps)?;
    for chain in CHAINS {
        let kept = places.root.join("chain-spec").join(format!("{chain}.json"));
        if check {
            steps.step(&format!("Compare chain-spec/{chain}.json"), || {
                let folder = places.target.join("chain-spec");
                fs::create_dir_all(&folder)
                    .with_context(|| format!("{} cannot be made", folder.display()))?;
                let generated = folder.join(format!("{chain}.json"));
                export(places, chain, &generated)?;
                ensure!(
                    read(&generated)? == read(&kept)?,
                    "chain-spec/{chain}.json is not what the node generates; run `cargo xtask \
                     chain-spec` and commit what changed"
                );
                Ok(())
            })?;
        } else {
            steps.step(&format!("Write chain-spec/{chain}.json"), || {
                export(places, chain, &kept)
            })?;
        }
    }
    Ok(())
}

fn node(cargo: &Cargo, steps: &mut Steps) -> Result<()> {
    steps.step("Build the node", || {
        run(
            cargo
                .locked("build")
                .args(["--workspace", "--bin", "quern-node"]),
            "the compiler's first error above is the one to mend",
        )
    })
}

fn export(places: &Places, chain: &str, to: &Path) -> Result<()> {
    run(
        std::process::Command::new(places.binaries().join("quern-node"))
            .args(["export-chain-spec", "--chain", chain, "--output"])
            .arg(to),
        "the node must know the chain by this name and its runtime the preset",
    )
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}
