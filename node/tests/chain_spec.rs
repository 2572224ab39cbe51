//! The chain specifications: those of the repository, and what is none.
#![allow(clippy::unwrap_used, missing_docs)]

use quern_node::chain_spec::{CODE, ChainSpecError, load, preset_state};
use quern_runtime::genesis;
use sc_service::{ChainSpec, GenericChainSpec};
use serde_json::Value;
use sp_runtime::BuildStorage;
use std::path::{Path, PathBuf};

/// Writes the files instead of comparing them, when set.
const UPDATE: &str = "UPDATE_CHAIN_SPEC";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../chain-spec")
        .join(format!("{name}.json"))
}

/// The specification as it is kept in the repository: plain, without the code.
fn without_code(spec: &GenericChainSpec) -> String {
    let mut json: Value = serde_json::from_str(&spec.as_json(false).unwrap()).unwrap();
    let genesis = json.pointer_mut("/genesis/runtimeGenesis").unwrap();
    genesis.as_object_mut().unwrap().remove(CODE).unwrap();
    serde_json::to_string_pretty(&json).unwrap() + "\n"
}

#[test]
fn the_files_in_the_repository_are_current() {
    for name in genesis::PRESETS {
        let generated = without_code(&load(name).unwrap());
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(file(name), generated).unwrap();
            continue;
        }
        let kept = std::fs::read_to_string(file(name)).unwrap();
        assert!(
            kept == generated,
            "chain-spec/{name}.json is not what the runtime's preset says; write it anew with \
             `{UPDATE}=1 cargo test -p quern-node --test chain_spec`"
        );
    }
}

#[test]
fn a_file_without_code_starts_the_same_chain_as_its_preset() {
    let preset = load(genesis::DEV).unwrap();
    let kept = load(file(genesis::DEV).to_str().unwrap()).unwrap();
    assert_eq!(kept.id(), preset.id());
    assert_eq!(kept.chain_type(), preset.chain_type());
    let linked = preset_state(genesis::DEV).unwrap().unwrap();
    assert_eq!(kept.build_storage().unwrap().top, linked.top);
}

#[test]
fn the_linked_runtime_makes_the_same_first_block_as_its_wasm() {
    let linked = preset_state(genesis::LOCAL).unwrap().unwrap();
    let wasm = load(genesis::LOCAL).unwrap().build_storage().unwrap();
    assert_eq!(linked.top, wasm.top);
    assert!(linked.children_default.is_empty() && wasm.children_default.is_empty());
}

#[test]
fn what_is_no_specification_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.json");
    let refusal = || load(path.to_str().unwrap()).err().unwrap();
    assert!(matches!(refusal(), ChainSpecError::Unreadable { .. }));
    std::fs::write(&path, "name: quern").unwrap();
    assert!(matches!(refusal(), ChainSpecError::NotJson { .. }));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(refusal(), ChainSpecError::Invalid { .. }));
}
