//! The settings file, `worker.toml`.
//!
//! Every key with its default is in [`template`], which `quern-worker init` writes. Paths are
//! relative to the file's own folder. The file is read when the worker starts, and again when it
//! changes; [`Settings::revision`] says what follows from that.

mod revision;

pub use revision::Revision;

use crate::{
    availability::{self, Availability},
    limits::SETTINGS_BYTES_MAX,
};
use quern_network::{Multiaddr, Prefer};
use quern_primitives::{
    Amount,
    amount::BYTECHIP,
    ids::{DeviceId, GenesisHash},
    limits::{ADDRESSES_PER_MASTERNODE_MAX, TASK_MEMORY_BYTES_MAX},
};
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// A settings file with every key, its default and what it means.
pub fn template() -> String {
    [TEMPLATE, availability::TEMPLATE].concat()
}

/// All of it but the table `[availability]`.
const TEMPLATE: &str = r#"# Settings of a Quern worker. Paths are relative to this file's folder.

# The device's secret keys, made by `quern-worker init`.
device_key = "device.key"

# Cached programs, and results that are not acknowledged yet.
data = "data"

# Nodes of the chain to learn from which masternodes there are; the first that answers is asked.
chain = ["ws://127.0.0.1:9944"]

# Instead of asking the chain, masternodes can be named here, with the chain's genesis hash.
# genesis = "0x..."
# masternodes = [
#     { network_key = "0x...", addresses = ["/dns4/host/udp/4500/quic-v1", "/dns4/host/tcp/4500"] },
# ]

# Which transport is tried first: "quic" or "tcp".
prefer = "quic"

# When the worker is stopped: how long the running task may go on before it is given back.
stop_grace_s = 30

[limits]
# Memory one task may have, in MiB, from 1 to 4096. Tasks that may need more are not taken, nor such
# as may need more than the part of the machine's memory that `availability.memory_percent` allows.
memory_mib = 2048

# Disk for cached programs, in MiB, from 64 to 1048576.
programs_mib = 512

# Disk for pieces of others' data that are kept for pay, in MiB, up to 1073741824. With 0 nothing is kept.
pieces_mib = 0

[claims]
# What is done when work of this device that a masternode acknowledged is left out of what it settles:
# "file" shows it to the chain, "tell" only says so in the log, "off" does not look.
mode = "file"

# The key file of an account that puts up the bonds, made by `quern-worker claims account`. Without it, or
# without money on that account, "file" does as "tell".
account = "claims.key"

# What may be put up in a day, in whole ByteChips, where the chain has to ask the masternode first and the
# bond may be lost. Proofs are shown whatever this says.
bonds_bc_per_day = 10

[log]
# "text" for people, "json" for programs.
format = "text"

# "error", "warn", "info", "debug" or "trace".
level = "info"
"#;

/// Bytes of a MiB.
const MIB: u64 = 1024 * 1024;

/// The most disk for pieces of others' data: a pebibyte.
const PIECES_MIB_MAX: u64 = 1 << 30;

/// The most that bonds may be a day, in ByteChips.
const BONDS_BC_MAX: u64 = 1_000_000;

/// A worker's settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file they were read from.
    pub file: PathBuf,
    /// The file of the device's secret keys.
    pub device_key: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// Where masternodes are learnt from.
    pub source: Source,
    /// Which transport is tried first.
    pub prefer: Prefer,
    /// How long a stopping worker lets the running task go on, in milliseconds.
    pub stop_grace_ms: u64,
    /// Memory one task may have, if the owner's share of the machine's is not less.
    pub memory_bytes_max: u64,
    /// Disk for cached programs.
    pub programs_bytes_max: u64,
    /// Disk for pieces of others' data; nothing is kept where it is 0.
    pub pieces_bytes_max: u64,
    /// What is done about work that was left out.
    pub claims: Claims,
    /// How to log.
    pub log: Log,
    /// How much of the machine may be used, and when.
    pub availability: Availability,
}

/// Where masternodes are learnt from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the chain: URLs of its nodes.
    Chain(Vec<String>),
    /// From the settings.
    Given {
        /// The chain.
        genesis: GenesisHash,
        /// The masternodes.
        masternodes: Vec<Masternode>,
    },
}

/// A masternode and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masternode {
    /// The key its connections are authenticated by.
    pub network_key: DeviceId,
    /// Where it is reached.
    pub addresses: Vec<Multiaddr>,
}

/// What is done about work that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// How far it goes.
    pub mode: ClaimsMode,
    /// The key file of the account that puts up bonds.
    pub account: PathBuf,
    /// What may be put up in a day where it may be lost.
    pub bonds_per_day: Amount,
}

/// How far claims go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimsMode {
    /// Nobody looks.
    Off,
    /// The owner is told.
    Tell,
    /// The chain is shown.
    #[default]
    File,
}

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// As JSON, one object a line.
    pub json: bool,
    /// The least important level that is shown.
    pub level: Level,
}

/// How important what is logged must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Only what stops the worker.
    Error,
    /// What its owner should look at, too.
    Warn,
    /// What happens, too.
    #[default]
    Info,
    /// Each task, too.
    Debug,
    /// Everything.
    Trace,
}

/// Why settings cannot be used. Every message names the key and the mend.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error(
        "cannot read the settings {path}; make them with `quern-worker init`, or name another file with --config"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than any settings are.
    #[error("{path} is larger than {SETTINGS_BYTES_MAX} bytes and cannot be a worker's settings")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A key is unknown or missing, or its value is of another kind.
    #[error("{} cannot be read; mend or remove the key", place(.path, *.line))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1, if that is known.
        line: Option<usize>,
        /// The key and what is wrong.
        source: Box<toml::de::Error>,
    },
    /// A number is not in its range.
    #[error("`{key}` is {found}; set it to between {least} and {most}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Its value.
        found: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// A text is no address.
    #[error(
        "`masternodes` holds {text:?}, which is no address; write it like /dns4/host/tcp/4500 or /ip4/192.0.2.1/udp/4500/quic-v1"
    )]
    Address {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: quern_network::AddressError,
    },
    /// A masternode without an address, or with too many.
    #[error(
        "`masternodes` has {found} addresses for {network_key}; give it 1 to {ADDRESSES_PER_MASTERNODE_MAX}"
    )]
    AddressCount {
        /// The masternode.
        network_key: DeviceId,
        /// How many there are.
        found: usize,
    },
    /// Nothing says where masternodes are.
    #[error(
        "neither `chain` nor `masternodes` is set; set `chain` to the URL of a node, such as [\"ws://127.0.0.1:9944\"]"
    )]
    NoSource,
    /// Both say where masternodes are.
    #[error("both `chain` and `masternodes` are set; remove one of them")]
    TwoSources,
    /// Masternodes are named, but not their chain.
    #[error(
        "`masternodes` is set and `genesis` is not; set it to the hash of the chain's first block"
    )]
    NoGenesis,
}

impl SettingsError {
    /// What is wrong beyond what the error itself says, in few words.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Syntax { source, .. } => Some(source.message().to_owned()),
            other => std::error::Error::source(other).map(ToString::to_string),
        }
    }
}

fn place(path: &Path, line: Option<usize>) -> String {
    let path = path.display();
    match line {
        Some(line) => format!("line {line} of the settings {path}"),
        None => format!("the settings {path}"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    #[serde(default = "default_device_key")]
    device_key: PathBuf,
    #[serde(default = "default_data")]
    data: PathBuf,
    #[serde(default)]
    chain: Vec<String>,
    genesis: Option<GenesisHash>,
    #[serde(default)]
    masternodes: Vec<MasternodeEntry>,
    #[serde(default)]
    prefer: PreferEntry,
    #[serde(default = "default_stop_grace_s")]
    stop_grace_s: u64,
    #[serde(default)]
    limits: LimitsEntry,
    #[serde(default)]
    claims: ClaimsEntry,
    #[serde(default)]
    log: LogEntry,
    #[serde(default)]
    availability: Availability,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MasternodeEntry {
    network_key: DeviceId,
    addresses: Vec<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PreferEntry {
    #[default]
    Quic,
    Tcp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsEntry {
    memory_mib: u64,
    programs_mib: u64,
    pieces_mib: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ClaimsEntry {
    mode: ClaimsMode,
    account: PathBuf,
    bonds_bc_per_day: u64,
}

impl Default for ClaimsEntry {
    fn default() -> Self {
        Self {
            mode: ClaimsMode::File,
            account: "claims.key".into(),
            bonds_bc_per_day: 10,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogEntry {
    format: Format,
    level: Level,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Text,
    Json,
}

impl Default for LimitsEntry {
    fn default() -> Self {
        Self {
            memory_mib: 2_048,
            programs_mib: 512,
            pieces_mib: 0,
        }
    }
}

fn default_device_key() -> PathBuf {
    "device.key".into()
}

fn default_data() -> PathBuf {
    "data".into()
}

fn default_stop_grace_s() -> u64 {
    30
}

impl Settings {
    /// Reads and checks a settings file.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        Self::parse(&read(path)?, path)
    }

    /// Checks the text of a settings file; its path is what paths in it are relative to.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let file: Entries = toml::from_str(text).map_err(|source| SettingsError::Syntax {
            path: path.into(),
            line: source.span().map(|span| line_at(text, span.start)),
            source: Box::new(source),
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let most_memory_mib = TASK_MEMORY_BYTES_MAX / MIB;
        let LimitsEntry {
            memory_mib,
            programs_mib,
            pieces_mib,
        } = file.limits;
        within("limits.memory_mib", memory_mib, 1, most_memory_mib)?;
        within("limits.programs_mib", programs_mib, 64, 1024 * 1024)?;
        within("limits.pieces_mib", pieces_mib, 0, PIECES_MIB_MAX)?;
        within("stop_grace_s", file.stop_grace_s, 0, 24 * 3_600)?;
        let bonds_bc = file.claims.bonds_bc_per_day;
        within("claims.bonds_bc_per_day", bonds_bc, 0, BONDS_BC_MAX)?;
        Ok(Self {
            file: path.into(),
            device_key: folder.join(file.device_key),
            data: folder.join(file.data),
            source: source(file.chain, file.genesis, file.masternodes)?,
            prefer: match file.prefer {
                PreferEntry::Quic => Prefer::Quic,
                PreferEntry::Tcp => Prefer::Tcp,
            },
            stop_grace_ms: file.stop_grace_s * 1_000,
            memory_bytes_max: memory_mib * MIB,
            programs_bytes_max: programs_mib * MIB,
            pieces_bytes_max: pieces_mib * MIB,
            claims: Claims {
                mode: file.claims.mode,
                account: folder.join(file.claims.account),
                bonds_per_day: Amount::from(bonds_bc) * BYTECHIP,
            },
            log: Log {
                json: file.log.format == Format::Json,
                level: file.log.level,
            },
            availability: file.availability,
        })
    }

    /// Memory that one task may have on a machine with so much, in bytes. One task runs at a time,
    /// so the owner's share of the memory is all its own.
    pub fn task_memory_bytes(&self, ram_mib: Option<u64>) -> u64 {
        let share = ram_mib.map_or(u64::MAX, |mib| {
            self.availability.memory_max(mib.saturating_mul(MIB))
        });
        self.memory_bytes_max.min(share)
    }
}

/// The text of a settings file.
pub(crate) fn read(path: &Path) -> Result<String, SettingsError> {
    let read = |source| SettingsError::Read {
        path: path.into(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(read)?;
    file.take(SETTINGS_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(read)?;
    if text.len() as u64 > SETTINGS_BYTES_MAX {
        return Err(SettingsError::TooLarge { path: path.into() });
    }
    Ok(text)
}

/// The number of the line, from 1, that a byte of a text is on.
fn line_at(text: &str, byte: usize) -> usize {
    let before = text.get(..byte).unwrap_or(text);
    1 + before.matches('\n').count()
}

fn within(key: &'static str, found: u64, least: u64, most: u64) -> Result<(), SettingsError> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(SettingsError::OutOfRange {
            key,
            found,
            least,
            most,
        })
    }
}

fn source(
    chain: Vec<String>,
    genesis: Option<GenesisHash>,
    masternodes: Vec<MasternodeEntry>,
) -> Result<Source, SettingsError> {
    match (chain.is_empty(), masternodes.is_empty()) {
        (true, true) => Err(SettingsError::NoSource),
        (false, false) => Err(SettingsError::TwoSources),
        (false, true) => Ok(Source::Chain(chain)),
        (true, false) => {
            let genesis = genesis.ok_or(SettingsError::NoGenesis)?;
            let masternodes = masternodes
                .into_iter()
                .map(masternode)
                .collect::<Result<_, _>>()?;
            Ok(Source::Given {
                genesis,
                masternodes,
            })
        }
    }
}

fn masternode(entry: MasternodeEntry) -> Result<Masternode, SettingsError> {
    let MasternodeEntry {
        network_key,
        addresses,
    } = entry;
    let found = addresses.len();
    if found == 0 || found > ADDRESSES_PER_MASTERNODE_MAX as usize {
        return Err(SettingsError::AddressCount { network_key, found });
    }
    let addresses = addresses
        .into_iter()
        .map(|text| {
            text.parse()
                .map_err(|source| SettingsError::Address { text, source })
        })
        .collect::<Result<_, _>>()?;
    Ok(Masternode {
        network_key,
        addresses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/etc/quern/worker.toml";
    const CHAIN: &str = "chain = [\"ws://127.0.0.1:9944\"]\n";

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse(text, Path::new(PATH))
    }

    fn refusal(text: &str) -> String {
        let error = parse(text).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    }

    #[test]
    fn the_template_holds_the_defaults() {
        assert_eq!(parse(&template()).unwrap(), parse(CHAIN).unwrap());
    }

    #[test]
    fn preferences_are_read_with_the_settings() {
        let text = format!("{CHAIN}[availability]\nbattery_percent_min = 25\n");
        let availability = parse(&text).unwrap().availability;
        assert_eq!(availability.battery_permille_min, 250);
        let told = refusal(&format!("{CHAIN}[availability]\ncpu_percent = 0"));
        assert!(told.contains("`availability.cpu_percent`"), "{told}");
    }

    #[test]
    fn a_task_has_no_more_memory_than_the_owners_share() {
        let settings = |limits: &str| parse(&format!("{CHAIN}{limits}")).unwrap();
        let default = settings("");
        assert_eq!(default.task_memory_bytes(Some(1_024)), 1_024 * MIB);
        assert_eq!(default.task_memory_bytes(Some(65_536)), 2_048 * MIB);
        assert_eq!(default.task_memory_bytes(None), 2_048 * MIB);
        let quarter = settings("[availability]\nmemory_percent = 25");
        assert_eq!(quarter.task_memory_bytes(Some(4_096)), 1_024 * MIB);
        let small = settings("[limits]\nmemory_mib = 512\n[availability]\nmemory_percent = 25");
        assert_eq!(small.task_memory_bytes(Some(4_096)), 512 * MIB);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let settings = parse(&format!("device_key = \"/keys/a\"\ndata = \"d\"\n{CHAIN}")).unwrap();
        assert_eq!(settings.device_key, Path::new("/keys/a"));
        assert_eq!(settings.data, Path::new("/etc/quern/d"));
    }

    #[test]
    fn masternodes_can_be_named() {
        let key = "11".repeat(32);
        let text = format!(
            "genesis = \"0x{key}\"\nmasternodes = [{{ network_key = \"{key}\", addresses = [\"/ip4/127.0.0.1/tcp/1\"] }}]"
        );
        let Source::Given {
            genesis,
            masternodes,
        } = parse(&text).unwrap().source
        else {
            panic!("the masternodes were given")
        };
        assert_eq!(genesis, GenesisHash([0x11; 32]));
        assert_eq!(masternodes[0].network_key, DeviceId([0x11; 32]));
        assert_eq!(
            masternodes[0].addresses,
            ["/ip4/127.0.0.1/tcp/1".parse().unwrap()]
        );
    }

    #[test]
    fn every_error_names_the_key_and_the_mend() {
        let key = "11".repeat(32);
        let with = |addresses: &str| {
            format!(
                "genesis = \"{key}\"\nmasternodes = [{{ network_key = \"{key}\", addresses = {addresses} }}]"
            )
        };
        for (text, key, mend) in [
            ("", "`chain`", "set `chain`"),
            (&format!("{CHAIN}colour = 1"), "colour", "remove the key"),
            (&format!("{CHAIN}prefer = \"pigeon\""), "pigeon", "tcp"),
            (
                &format!("{CHAIN}[limits]\nmemory_mib = 8192"),
                "limits.memory_mib",
                "4096",
            ),
            (
                &format!("{CHAIN}[limits]\nprograms_mib = 1"),
                "limits.programs_mib",
                "64",
            ),
            (
                &format!("{CHAIN}stop_grace_s = 1000000"),
                "stop_grace_s",
                "86400",
            ),
            (&format!("{CHAIN}[log]\nlevel = \"loud\""), "loud", "debug"),
            (&with("[]"), "`masternodes`", "give it 1 to 8"),
            (
                &format!("{CHAIN}[claims]\nbonds_bc_per_day = 10000000"),
                "claims.bonds_bc_per_day",
                "1000000",
            ),
            (&format!("{CHAIN}[claims]\nmode = \"sue\""), "sue", "tell"),
            (&with("[\"host:1\"]"), "host:1", "/dns4/host/tcp/4500"),
            (
                &format!("{CHAIN}{}", with("[\"/ip4/1.1.1.1/tcp/1\"]")),
                "`chain`",
                "remove one",
            ),
            (
                &with("[\"/ip4/1.1.1.1/tcp/1\"]").replacen("genesis", "#", 1),
                "`genesis`",
                "set it",
            ),
        ] {
            let told = refusal(text);
            assert!(told.contains(key) && told.contains(mend), "{text}\n{told}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (text, line) in [
            ("[availability]\ncpu_percent = \"much\"", 3),
            ("[availability]\n\ncpu_percent = = 25\n", 4),
            ("colour = 1", 2),
        ] {
            let error = parse(&format!("{CHAIN}{text}")).unwrap_err();
            let told = error.to_string();
            assert!(told.starts_with(&format!("line {line} of ")), "{told}");
            assert!(error.detail().is_some(), "{told}");
        }
    }

    #[test]
    fn claims_are_filed_with_an_account_beside_the_settings_unless_they_say_otherwise() {
        let claims = |text: &str| parse(&format!("{CHAIN}{text}")).unwrap().claims;
        let default = claims("");
        assert_eq!(default.mode, ClaimsMode::File);
        assert_eq!(default.account, Path::new("/etc/quern/claims.key"));
        assert_eq!(default.bonds_per_day, 10 * BYTECHIP);
        let changed = claims("[claims]\nmode = \"tell\"\nbonds_bc_per_day = 0");
        assert_eq!((changed.mode, changed.bonds_per_day), (ClaimsMode::Tell, 0));
    }

    #[test]
    fn a_missing_file_is_said_with_how_to_make_one() {
        let error = Settings::load(Path::new("/nowhere/worker.toml")).unwrap_err();
        assert!(error.to_string().contains("quern-worker init"), "{error}");
    }

    #[test]
    fn a_file_of_any_size_is_not_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        std::fs::write(&path, "#".repeat(100_000)).unwrap();
        assert!(matches!(
            Settings::load(&path),
            Err(SettingsError::TooLarge { .. })
        ));
    }
}
