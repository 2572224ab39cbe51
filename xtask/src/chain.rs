//! The chain specifications that the repository carries.

use anyhow::Result;

use crate::{cargo::run, places::Places, setup, steps::Steps};

/// Tells the node's test of the files to write them instead of comparing.
const UPDATE: &str = "UPDATE_CHAIN_SPEC";

/// Writes `chain-spec/*.json`, or compares them with what the node would write.
///
/// The node alone knows what the files look like; its test holds them current, and writes them
/// when asked.
pub(crate) fn specifications(places: &Places, steps: &mut Steps, check: bool) -> Result<()> {
    let cargo = setup::all(places, steps)?;
    let title = if check {
        "Compare chain-spec/*.json"
    } else {
        "Write chain-spec/*.json"
    };
    steps.step(title, || {
        let mut test = cargo.locked("test");
        test.args(["--workspace", "--test", "chain_spec"]);
        if !check {
            test.env(UPDATE, "1");
        }
        run(
            &mut test,
            "the node must know each chain by its name, and its runtime the preset",
        )
    })
}
