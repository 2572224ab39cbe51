//! Stands in for the crate of this name, which compiles all of binaryen: a quarter of an hour of C++,
//! for what the builder of the runtime's Wasm wants done with it here: to lower sign extensions, which
//! compilers for the target `wasm32v1-none` do not make. So the module is copied as it is, after a
//! check that a machine of the first WebAssembly can run it.
//!
//! Only what that builder calls is here, under the names it calls it by.

use std::{
    fs, io,
    path::{Path, PathBuf},
};
use wasmparser::{BinaryReaderError, Validator, WasmFeatures};

/// A module that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum OptimizationError {
    /// It cannot be read.
    #[error("the module {} cannot be read", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("the module {} cannot be written; is the disk full?", path.display())]
    Write {
        /// Where it should go.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It needs more than the first WebAssembly has.
    #[error(
        "the module {} needs more than the first WebAssembly has; build it for wasm32v1-none",
        path.display()
    )]
    Features {
        /// The module.
        path: PathBuf,
        /// What it needs.
        source: BinaryReaderError,
    },
}

/// What binaryen would be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// To put older instructions in the place of sign extensions. There are none.
    SignextLowering,
    /// To leave out what debuggers read. It is built without.
    StripDwarf,
}

/// How a module is to be optimised: not at all.
#[derive(Clone, Debug, Default)]
pub struct OptimizationOptions(());

impl OptimizationOptions {
    /// Not at all.
    pub fn new_opt_level_0() -> Self {
        Self::default()
    }

    /// Only what the first WebAssembly has. It is always checked.
    pub fn mvp_features_only(&mut self) -> &mut Self {
        self
    }

    /// Names of functions are kept. They always are.
    pub fn debug_info(&mut self, _: bool) -> &mut Self {
        self
    }

    /// One more thing to do; see [`Pass`] for why nothing is to be done.
    pub fn add_pass(&mut self, _: Pass) -> &mut Self {
        self
    }

    /// Checks a module and copies it.
    pub fn run(
        &self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Result<(), OptimizationError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let module = fs::read(from).map_err(|source| OptimizationError::Read {
            path: from.into(),
            source,
        })?;
        let first = WasmFeatures::WASM1;
        Validator::new_with_features(first)
            .validate_all(&module)
            .map_err(|source| OptimizationError::Features {
                path: from.into(),
                source,
            })?;
        if from == to {
            return Ok(());
        }
        fs::write(to, module).map_err(|source| OptimizationError::Write {
            path: to.into(),
            source,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A module with one function of this code, from a number to a number.
    fn module(code: &[u8]) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0\x01\x06\x01\x60\x01\x7f\x01\x7f\x03\x02\x01\0".to_vec();
        let body = code.len() as u8 + 2;
        module.extend([10, body + 2, 1, body, 0]);
        module.extend(code);
        module.push(0x0b);
        module
    }

    fn run(module: &[u8]) -> Result<Vec<u8>, OptimizationError> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, module).unwrap();
        OptimizationOptions::new_opt_level_0()
            .add_pass(Pass::SignextLowering)
            .run(&from, &to)?;
        Ok(fs::read(to).unwrap())
    }

    #[test]
    fn a_module_of_the_first_webassembly_is_copied_as_it_is() {
        // local.get 0
        let module = module(&[0x20, 0]);
        assert_eq!(run(&module).unwrap(), module);
    }

    #[test]
    fn a_module_that_extends_signs_is_refused() {
        // local.get 0, i32.extend8_s
        let refused = run(&module(&[0x20, 0, 0xc0])).unwrap_err();
        assert!(
            matches!(refused, OptimizationError::Features { .. }),
            "{refused}"
        );
    }
}
