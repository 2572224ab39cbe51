//! What an engine is called in receipts.

use crate::{
    engine::PINNED_FEATURES,
    limits::{STACK_BYTES, TABLE_ELEMENTS_MAX},
    meter::prices,
};
use quern_primitives::device::Class;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The version of the engine underneath; a test holds it to what is linked.
const WASMTIME_VERSION: &str = "36.0.20";

/// The version of what this room adds: metering, the functions a program may call and what they
/// answer. To be raised with every change that lets a program answer otherwise or use other fuel.
const SANDBOX_VERSION: u32 = 1;

/// The version of where NaNs are made canonical, which only the portable class does. To be raised with every
/// change of that, since the instructions that do it cost fuel.
const CANONICAL_VERSION: u32 = 1;

/// Names everything about an engine of this class that decides answers and fuel: two engines of
/// one identity give the same outcome for the same program, invocation and limits. In plain text,
/// to be shown; receipts hold its [`digest`](engine_digest).
pub fn engine_identity(class: Class) -> String {
    let machine = match class {
        Class::Pinned => format!("pinned x86_64 {}", PINNED_FEATURES.join(",")),
        Class::Portable => format!("portable nan=canonical-where-seen/{CANONICAL_VERSION}"),
    };
    let prices = [
        prices::HOST_CALL_FUEL,
        prices::HOST_BYTE_FUEL,
        prices::HOST_ITEM_FUEL,
        prices::RANDOM_BYTE_FUEL,
        prices::MEMORY_PAGE_FUEL,
        prices::TABLE_ELEMENT_FUEL,
        prices::BULK_KIB_FUEL,
        prices::BULK_ELEMENTS_FUEL,
    ];
    format!(
        "quern-sandbox/{SANDBOX_VERSION} wasmtime/{WASMTIME_VERSION} {machine} relaxed-simd=deterministic \
         stack={STACK_BYTES} table={TABLE_ELEMENTS_MAX} prices={}",
        prices.map(|price| price.to_string()).join(",")
    )
}

/// SHA-256 of [`engine_identity`], as receipts hold it.
pub fn engine_digest(class: Class) -> [u8; 32] {
    static PINNED: LazyLock<[u8; 32]> = LazyLock::new(|| digest_of(Class::Pinned));
    static PORTABLE: LazyLock<[u8; 32]> = LazyLock::new(|| digest_of(Class::Portable));
    match class {
        Class::Pinned => *PINNED,
        Class::Portable => *PORTABLE,
    }
}

fn digest_of(class: Class) -> [u8; 32] {
    Sha256::digest(engine_identity(class)).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_names_the_engine_that_is_linked() {
        // Compiled code carries the version of the engine that made it, after the length of it.
        let engine = wasmtime::Engine::default();
        let compiled = engine.precompile_module(b"\0asm\x01\0\0\0").unwrap();
        let version = [
            &[u8::try_from(WASMTIME_VERSION.len()).unwrap()],
            WASMTIME_VERSION.as_bytes(),
        ]
        .concat();
        assert!(
            compiled
                .windows(version.len())
                .any(|window| window == version)
        );
    }

    #[test]
    fn classes_have_identities_of_their_own() {
        assert_ne!(engine_digest(Class::Pinned), engine_digest(Class::Portable));
        let [pinned, portable] = [Class::Pinned, Class::Portable].map(engine_identity);
        assert!(pinned.contains("avx2"));
        // What is made canonical may change without a change of the pinned class.
        assert!(portable.contains("canonical") && !pinned.contains("canonical"));
    }
}
