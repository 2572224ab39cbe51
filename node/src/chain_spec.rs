//! Which chain a node is of.
//!
//! `dev` and `local` are the runtime's genesis presets with this program's runtime. Anything else
//! is a file: raw (with the whole state of the first block, so that every node starts from the same
//! bytes whatever runtime it was built with), or plain (with a genesis patch that the runtime turns
//! into state). A plain file may leave the code out; then it is this program's runtime, too. The
//! files in `chain-spec/` are of that kind, so they stay small and never disagree with the runtime.

use quern_primitives::amount::{DECIMALS, SYMBOL};
use quern_runtime::{RuntimeGenesisConfig, Ss58Prefix, WASM_BINARY, genesis};
use sc_service::{ChainType, GenericChainSpec, Properties};
use serde_json::{Map, Value};
use sp_core::storage::{Storage, well_known_keys};
use sp_runtime::BuildStorage;
use std::path::{Path, PathBuf};

/// The largest specification that is read: a raw one of a chain exported with its state.
const SPEC_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Where a plain specification keeps its runtime's code.
pub const CODE: &str = "code";

/// A chain cannot be told from what was given.
#[derive(Debug, thiserror::Error)]
pub enum ChainSpecError {
    /// This program was built without a runtime.
    #[error("this program was built without its runtime; build it without SKIP_WASM_BUILD")]
    NoRuntime,
    /// The file cannot be read.
    #[error(
        "cannot read the chain specification {path}; the chains known by name are dev and local"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than any specification.
    #[error(
        "{path} has {bytes} bytes, more than a chain specification may have ({SPEC_BYTES_MAX})"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The file is not JSON.
    #[error("{path} is no JSON")]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// A preset is none of this runtime's.
    #[error("the preset {name} does not fit the runtime; mend runtime/src/genesis.rs")]
    UnfitPreset {
        /// The preset.
        name: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The SDK does not take it for a specification.
    #[error("not a chain specification: {reason}")]
    Invalid {
        /// What the SDK says.
        reason: String,
    },
}

/// The chain of this name, or of this file. No name means `dev`.
///
/// # Errors
///
/// If there is no such file, or it holds no specification.
pub fn load(id: &str) -> Result<GenericChainSpec, ChainSpecError> {
    match id {
        "" | genesis::DEV => development(),
        genesis::LOCAL => local(),
        path => from_file(Path::new(path)),
    }
}

/// As [`load`], with the first block's state of a preset made already: what runs on it need not
/// compile the runtime for it.
///
/// # Errors
///
/// As [`load`].
pub fn load_with_state(id: &str) -> Result<GenericChainSpec, ChainSpecError> {
    let mut spec = load(id)?;
    if let Some(state) = preset_state(id)? {
        sc_service::ChainSpec::set_storage(&mut spec, state);
    }
    Ok(spec)
}

/// The first block's state of a preset, made by the runtime as it is linked into this program; none
/// when there is no preset of this name. The runtime's Wasm makes the same, but has to be compiled
/// for it, which takes seconds at every start of a node.
///
/// # Errors
///
/// If this program was built without its runtime, or the preset does not fit it.
pub fn preset_state(name: &str) -> Result<Option<Storage>, ChainSpecError> {
    let name = if name.is_empty() { genesis::DEV } else { name };
    let Some(patch) = genesis::preset(name) else {
        return Ok(None);
    };
    let code = WASM_BINARY.ok_or(ChainSpecError::NoRuntime)?;
    let unfit = |source| ChainSpecError::UnfitPreset {
        name: name.into(),
        source,
    };
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).map_err(unfit)?;
    sc_chain_spec::json_merge(&mut config, serde_json::from_slice(&patch).map_err(unfit)?);
    let config: RuntimeGenesisConfig = serde_json::from_value(config).map_err(unfit)?;
    let mut state = config
        .build_storage()
        .map_err(|reason| ChainSpecError::Invalid { reason })?;
    state
        .top
        .insert(well_known_keys::CODE.to_vec(), code.to_vec());
    Ok(Some(state))
}

/// One validator, for development: //Alice.
fn development() -> Result<GenericChainSpec, ChainSpecError> {
    preset("Quern development", genesis::DEV, ChainType::Development)
}

/// Four validators on one machine: //Alice, //Bob, //Charlie, //Dave.
fn local() -> Result<GenericChainSpec, ChainSpecError> {
    preset("Quern local", genesis::LOCAL, ChainType::Local)
}

fn preset(
    name: &str,
    preset: &str,
    chain_type: ChainType,
) -> Result<GenericChainSpec, ChainSpecError> {
    let code = WASM_BINARY.ok_or(ChainSpecError::NoRuntime)?;
    Ok(GenericChainSpec::builder(code, None)
        .with_name(name)
        .with_id(&format!("quern_{preset}"))
        .with_protocol_id(&format!("quern-{preset}"))
        .with_chain_type(chain_type)
        .with_properties(properties())
        .with_genesis_config_preset_name(preset)
        .build())
}

/// What wallets need to know to show addresses and amounts.
fn properties() -> Properties {
    let mut properties = Map::new();
    properties.insert("ss58Format".into(), Ss58Prefix::get().into());
    properties.insert("tokenDecimals".into(), DECIMALS.into());
    properties.insert("tokenSymbol".into(), SYMBOL.into());
    properties
}

fn from_file(path: &Path) -> Result<GenericChainSpec, ChainSpecError> {
    let unreadable = |source| ChainSpecError::Unreadable {
        path: path.into(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > SPEC_BYTES_MAX {
        return Err(ChainSpecError::TooLarge {
            path: path.into(),
            bytes,
        });
    }
    let json = std::fs::read(path).map_err(unreadable)?;
    let not_json = |source| ChainSpecError::NotJson {
        path: path.into(),
        source,
    };
    let mut spec: Value = serde_json::from_slice(&json).map_err(not_json)?;
    let json = if complete(&mut spec)? {
        spec.to_string().into_bytes()
    } else {
        json
    };
    GenericChainSpec::from_json_bytes(json).map_err(|reason| ChainSpecError::Invalid { reason })
}

/// Adds this program's runtime to a plain specification without code; says whether it did.
fn complete(spec: &mut Value) -> Result<bool, ChainSpecError> {
    let Some(genesis) = spec
        .pointer_mut("/genesis/runtimeGenesis")
        .and_then(Value::as_object_mut)
    else {
        return Ok(false);
    };
    if genesis.contains_key(CODE) {
        return Ok(false);
    }
    let code = WASM_BINARY.ok_or(ChainSpecError::NoRuntime)?;
    genesis.insert(CODE.into(), sp_core::bytes::to_hex(code, false).into());
    Ok(true)
}
