//! libFuzzer with one of the targets, which the variable `QUERN_FUZZ_TARGET` names. `cargo xtask fuzz`
//! builds it with counters in our crates and starts it; built without them it repeats single inputs.

#![no_main]
#![allow(
    unsafe_code,
    unreachable_pub,
    reason = "libFuzzer has the main, and calls ours by their names"
)]

use libfuzzer_sys::{Corpus, fuzz_target};
use quern_fuzz::{Target, target};
use std::sync::OnceLock;

const VARIABLE: &str = "QUERN_FUZZ_TARGET";

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn choose() -> &'static Target {
    let named = std::env::var(VARIABLE).unwrap_or_default();
    target(&named).expect("QUERN_FUZZ_TARGET names one of the folders of tests/fuzz/corpus")
}

fuzz_target!(
    init: {
        CHOSEN.get_or_init(choose);
    },
    |bytes: &[u8]| -> Corpus {
        match CHOSEN.get_or_init(choose).run(bytes) {
            true => Corpus::Keep,
            false => Corpus::Reject,
        }
    }
);
