//! Every decoder that takes bytes from a stranger, and what must hold of whatever it answers.
//!
//! A [`Target`] is a group of decoders that libFuzzer is let loose on for a while: of an input the
//! first byte chooses the decoder, and the rest is what the stranger sends. A decoder's check is an
//! oracle: it panics where something does not hold that must, such as that what is accepted has one
//! encoding, that a length which a stranger makes up is not believed, that nothing but what was signed
//! passes as signed, and that a proof for one place proves nothing at another.
//!
//! ```text
//! tests/fuzz/corpus/TARGET/*   inputs that are kept: what honest people say, and what fuzzing found
//!        │
//!        ├── cargo test ──────► every one through every oracle, once
//!        └── cargo xtask fuzz ► libFuzzer changes them for a minute, told by counters in our crates
//!                               which change leads somewhere new
//! ```
//!
//! `docs/decoders.md` says of every decoder whose bytes it takes and what limits them, and a test holds
//! it to this list. A new decoder is a [`Decoder`] here and a row there.

mod api;
mod archive;
mod chain;
pub mod corpus;
mod custody;
mod disputes;
mod events;
mod evidence;
mod fetch;
mod group;
mod honest;
mod keep;
mod light;
mod log;
mod manifest;
mod memory;
mod oracle;
mod peers;
mod program;
mod sealed;
mod swarm;
mod wire;

/// Bytes of the longest input: as long as what honest people say in a corpus, twice over.
pub const INPUT_BYTES_MAX: usize = 4_096;

/// A decoder, with what must hold of it.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// Its name in `docs/decoders.md`.
    pub name: &'static str,
    /// Decodes a stranger's bytes, and panics where something does not hold.
    pub check: fn(&[u8]),
    /// What honest people say to it.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Decoders that are fuzzed together.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Its decoders, in the order of an input's first byte.
    pub decoders: &'static [Decoder],
}

/// All targets. Two are fuzzed at a time, so each pair makes a run a minute longer.
pub const TARGETS: [Target; 15] = [
    Target {
        name: "archive",
        decoders: archive::DECODERS,
    },
    Target {
        name: "chain",
        decoders: chain::DECODERS,
    },
    Target {
        name: "custody",
        decoders: custody::DECODERS,
    },
    Target {
        name: "evidence",
        decoders: evidence::DECODERS,
    },
    Target {
        name: "fetch",
        decoders: fetch::DECODERS,
    },
    Target {
        name: "jobs-api",
        decoders: api::DECODERS,
    },
    Target {
        name: "keep",
        decoders: keep::DECODERS,
    },
    Target {
        name: "light",
        decoders: light::DECODERS,
    },
    Target {
        name: "log",
        decoders: log::DECODERS,
    },
    Target {
        name: "manifest",
        decoders: manifest::DECODERS,
    },
    Target {
        name: "program",
        decoders: program::DECODERS,
    },
    Target {
        name: "sealed",
        decoders: sealed::DECODERS,
    },
    Target {
        name: "swarm",
        decoders: peers::DECODERS,
    },
    Target {
        name: "swarm-file",
        decoders: swarm::DECODERS,
    },
    Target {
        name: "wire",
        decoders: wire::DECODERS,
    },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    const ALL: &[Target] = &TARGETS;
    ALL.iter().find(|target| target.name == name)
}

impl Target {
    /// Gives an input to the decoder that its first byte chooses. Says whether there is one.
    ///
    /// # Panics
    ///
    /// Where something does not hold that must: that is what is looked for.
    pub fn run(&self, input: &[u8]) -> bool {
        let Some((first, bytes)) = input.split_first() else {
            return false;
        };
        let chosen = self.decoders.get(usize::from(*first));
        if let Some(decoder) = chosen {
            (decoder.check)(bytes);
        }
        chosen.is_some()
    }

    /// The inputs that honest people's words make.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let decoders = (0..=u8::MAX).zip(self.decoders);
        let inputs = decoders.flat_map(|(first, decoder)| {
            let words = (decoder.seeds)();
            words
                .into_iter()
                .map(move |words| [&[first][..], &words].concat())
        });
        inputs.collect()
    }
}
