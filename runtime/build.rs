//! Builds the runtime's Wasm, which `WASM_BINARY` then holds.
//!
//! The builder looks for the workspace's lock file from the target folder upwards; the hint in
//! `.cargo/config.toml` lets it find the file when the target folder is elsewhere.

fn main() {
    #[cfg(feature = "std")]
    substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
