//! What follows from a settings file that has changed while the worker runs. Pure: it compares what
//! was read with what is in force.
//!
//! The machine owner's preferences may change at will. All else is part of what was built when the
//! worker started, so that a change of it waits for the next start.

use super::{Settings, Source};
use crate::availability::Availability;

/// What a settings file that was read again changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The preferences, if they are others.
    pub availability: Option<Availability>,
    /// The keys outside of them that have other values, which wait for the next start.
    pub waiting: Vec<&'static str>,
}

impl Settings {
    /// What these settings, which are in force, become with what was read later.
    pub fn revision(&self, read: &Self) -> Revision {
        // All keys by name, so that the compiler asks what becomes of a new one.
        let Self {
            file: _,
            device_key,
            data,
            source,
            prefer,
            stop_grace_ms,
            memory_bytes_max,
            programs_bytes_max,
            pieces_bytes_max,
            claims,
            log,
            availability,
        } = self;
        let others = [
            ("device_key", *device_key != read.device_key),
            ("data", *data != read.data),
            (source.key(), *source != read.source),
            ("prefer", *prefer != read.prefer),
            ("stop_grace_s", *stop_grace_ms != read.stop_grace_ms),
            (
                "limits.memory_mib",
                *memory_bytes_max != read.memory_bytes_max,
            ),
            (
                "limits.programs_mib",
                *programs_bytes_max != read.programs_bytes_max,
            ),
            (
                "limits.pieces_mib",
                *pieces_bytes_max != read.pieces_bytes_max,
            ),
            ("claims", *claims != read.claims),
            ("log", *log != read.log),
        ];
        Revision {
            availability: (*availability != read.availability).then(|| read.availability.clone()),
            waiting: others
                .into_iter()
                .filter_map(|(key, is_other)| is_other.then_some(key))
                .collect(),
        }
    }
}

impl Source {
    /// The key that says where masternodes are.
    fn key(&self) -> &'static str {
        match self {
            Self::Chain(_) => "chain",
            Self::Given { .. } => "masternodes",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::path::Path;

    const CHAIN: &str = "chain = [\"ws://127.0.0.1:9944\"]\n";

    fn parse(text: &str) -> Settings {
        Settings::parse(text, Path::new("/etc/quern/worker.toml")).unwrap()
    }

    fn revision(text: &str) -> Revision {
        parse(CHAIN).revision(&parse(text))
    }

    #[test]
    fn a_file_that_says_the_same_in_other_words_changes_nothing() {
        let nothing = Revision {
            availability: None,
            waiting: vec![],
        };
        let text = format!("# The defaults.\n{CHAIN}[availability]\ncpu_percent = 100\n");
        assert_eq!(revision(&text), nothing);
    }

    #[test]
    fn preferences_are_taken_all_together() {
        let text = format!(
            "{CHAIN}[availability]\nhours = [\"sat-sun\"]\nnetworks = [\"ethernet\"]\n\
             data_mb_per_month = 5\ncpu_percent = 25\nmemory_percent = 50\nonly_when_idle = {{}}\n"
        );
        let expected = parse(&text).availability;
        let changed = revision(&text);
        assert_eq!(changed.waiting, [""; 0]);
        assert_eq!(changed.availability, Some(expected));
    }

    #[test]
    fn what_was_built_at_the_start_waits_for_the_next() {
        let key = "11".repeat(32);
        let named = format!(
            "genesis = \"{key}\"\nmasternodes = [{{ network_key = \"{key}\", addresses = [\"/ip4/127.0.0.1/tcp/1\"] }}]\n"
        );
        for (text, key) in [
            (format!("{CHAIN}device_key = \"other.key\""), "device_key"),
            (format!("{CHAIN}data = \"other\""), "data"),
            ("chain = [\"ws://127.0.0.1:1\"]".into(), "chain"),
            (named.clone(), "chain"),
            (format!("{CHAIN}prefer = \"tcp\""), "prefer"),
            (format!("{CHAIN}stop_grace_s = 1"), "stop_grace_s"),
            (
                format!("{CHAIN}[limits]\nmemory_mib = 1"),
                "limits.memory_mib",
            ),
            (
                format!("{CHAIN}[limits]\nprograms_mib = 64"),
                "limits.programs_mib",
            ),
            (format!("{CHAIN}[claims]\nmode = \"off\""), "claims"),
            (format!("{CHAIN}[log]\nlevel = \"debug\""), "log"),
        ] {
            let changed = revision(&text);
            assert_eq!((changed.availability, changed.waiting), (None, vec![key]));
        }
        let named = parse(&named);
        let moved = parse(CHAIN);
        assert_eq!(named.revision(&moved).waiting, ["masternodes"]);
    }
}
