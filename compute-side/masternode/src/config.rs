//! The masternode's settings: a TOML file, and keys that it makes for itself at the first start.

use crate::core::SettleLimits;
use crate::vault::JOBS;
use anyhow::Context as _;
use quern_grid::{FleetSettings, Policy, Tuning, fleet};
use quern_ledger::Account;
use quern_network::{Multiaddr, ServerLimits, limits};
use quern_shards::keys::SealingSecret;
use rand::Rng as _;
use serde::Deserialize;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A settings file is no longer than this.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// What the files of all jobs may take on the disk, if the settings do not say: 64 GiB. Three quarters
/// are for uploads, 6,144 shards of 8 MiB; the rest is for results alone, 1,024 of 16 MiB.
const DISK_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Connections of devices that the settings may allow at a time: each is a file that is open.
const DEVICE_CONNECTIONS_MAX: u32 = 1_000_000;

/// A timeout that the settings may ask for at most, in hundredths of a task's expected time: a hundred
/// times as long.
const TIMEOUT_PERCENT_MAX: u32 = 10_000;

/// What the settings may ask for as the least of a timeout, in seconds: an hour, half of the time that a
/// job has unless its owner gives it more.
const LEAST_TIMEOUT_SECONDS_MAX: u32 = 3_600;

/// Tasks that are computed here at a time, if the settings do not say: one, so that all else goes on.
const REFEREE_PARALLEL: u32 = 1;

/// Memory that each of them may have, if the settings do not say, in MiB.
const REFEREE_MEMORY_MIB: u32 = 1_024;

/// How much longer than a replica may take they are waited for, if the settings do not say, in seconds.
const REFEREE_WAIT_SECONDS: u32 = 600;

/// The settings, as in `masternode.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The WebSocket of the node to follow.
    #[serde(default = "default_chain")]
    pub chain: String,
    /// Where jobs, logs and keys are kept.
    pub data_dir: PathBuf,
    /// The file that holds the operator's secret: a phrase, or `0x` and 64 hexadecimal digits.
    pub account_file: Option<PathBuf>,
    /// A development name such as `//Alice`, instead of a file. For development chains only: anyone
    /// can sign for such an account.
    pub development_account: Option<String>,
    /// Where to listen for devices: QUIC and TCP multiaddrs.
    #[serde(default = "default_listen")]
    pub listen: Vec<String>,
    /// Where to listen for owners.
    #[serde(default = "default_jobs_api")]
    pub jobs_api_listen: SocketAddr,
    /// The multiaddrs at which devices reach this masternode, if not those it listens on.
    pub public_addresses: Option<Vec<String>>,
    /// The URL at which owners reach its Jobs API, if not the address it listens on.
    pub public_jobs_api: Option<String>,
    /// How long a verdict waits for others to be settled with, in seconds.
    pub settle_wait_seconds: Option<u32>,
    /// What the jobs' files may take of the disk, in bytes: programs, manifests, shards, and results
    /// over 64 KiB. Smaller results and the logs are in the store, and come on top. It says the same as a
    /// `depot` that is a folder.
    pub disk_bytes_max: Option<u64>,
    /// Where the jobs' files are kept, if not in a folder of `data_dir` as `disk_bytes_max` says.
    pub depot: Option<quern_depot::Settings>,
    /// What pieces of data that are to be kept may take of the disk until devices keep them, in bytes. They come on top.
    #[serde(default = "default_pieces_bytes_max")]
    pub pieces_bytes_max: u64,
    /// Devices that are connected at a time, at most: from 1 to 1,000,000.
    #[serde(default = "default_device_connections_max")]
    pub device_connections_max: u32,
    /// Devices that are known at a time, also of those that are away: no fewer than may be connected.
    #[serde(default = "default_devices_max")]
    pub devices_max: u32,
    /// How tasks are given out.
    #[serde(default)]
    pub scheduling: Scheduling,
    /// C_min, what the scores of a pool's devices come to together at the least, in points. Where devices
    /// have few points less will do. It says something where there are pools.
    pub pool_capacity_min: Option<u64>,
    /// s_min, the fewest devices of a pool.
    pub pool_size_min: Option<u32>,
    /// T1, in hundredths of the time that a task is expected to take: after so long without a sign of
    /// progress its device is asked again.
    pub delayed_percent: Option<u32>,
    /// T2 in the same, more than T1: after so long another device gets the task as well.
    pub stale_percent: Option<u32>,
    /// T1 at the least, in seconds, but half of the time that a replica may be out at the most.
    pub delayed_seconds_min: Option<u32>,
    /// T2 at the least, in seconds, from 23 on and no less than T1, but two thirds of that time at the most, unless
    /// the task should not be done before.
    pub stale_seconds_min: Option<u32>,
    /// Tasks that this masternode computes itself at a time, where devices differ on them or their answer is
    /// checked: from 0 to 32. With 0 it computes none, and what devices differ on is put to the vote.
    pub referee_parallel: Option<u32>,
    /// Memory that a task may have that is computed here, in MiB. Those of jobs that allow more are not.
    pub referee_memory_mib: Option<u32>,
    /// So much longer than a replica may take a task that devices differ on waits for that, in seconds.
    pub referee_wait_seconds: Option<u32>,
    /// The core temperature above which a device gets nothing, in degrees Celsius.
    pub temperature_c_max: Option<u8>,
    /// Whether lies that are found in other masternodes' logs are disputed on the chain, with a bond from the
    /// operator's account.
    pub dispute_lies: Option<bool>,
}

/// How tasks are given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduling {
    /// As the simulator finds best: one queue, the slow are spared, idle devices back up the last
    /// tasks.
    #[default]
    Best,
    /// Capacity pools, the top pool merged into the next if it is small, and backups.
    MergedPools,
    /// Capacity pools as published, and nothing else.
    PublishedPools,
}

fn default_chain() -> String {
    "ws://127.0.0.1:9944".into()
}

fn default_listen() -> Vec<String> {
    vec![
        "/ip4/0.0.0.0/udp/4500/quic-v1".into(),
        "/ip4/0.0.0.0/tcp/4500".into(),
    ]
}

fn default_jobs_api() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9955))
}

fn default_pieces_bytes_max() -> u64 {
    DISK_BYTES_MAX
}

fn default_device_connections_max() -> u32 {
    limits::CONNECTIONS_MAX
}

fn default_devices_max() -> u32 {
    fleet::DEVICES_MAX as u32
}

const _: () = assert!(fleet::DEVICES_MAX <= u32::MAX as usize);

/// The keys of a masternode.
pub struct Keys {
    /// The operator's account.
    pub account: Account,
    /// The seed of the key that authenticates its connections.
    pub network_seed: Zeroizing<[u8; 32]>,
    /// The secret to which owners seal their jobs' keys.
    pub sealing: SealingSecret,
}

impl Config {
    /// Reads a settings file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let length = fs::metadata(path)
            .with_context(|| format!("cannot read the settings file {shown}"))?
            .len();
        anyhow::ensure!(
            length <= CONFIG_BYTES_MAX,
            "{shown} has {length} bytes; settings have at most {CONFIG_BYTES_MAX}"
        );
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the settings file {shown}"))?;
        let config: Self = toml::from_str(&text)
            .with_context(|| format!("{shown} is not a settings file of a masternode"))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        let (connected, known) = (self.device_connections_max, self.devices_max);
        anyhow::ensure!(
            (1..=DEVICE_CONNECTIONS_MAX).contains(&connected),
            "device_connections_max is {connected}; give a number from 1 to {DEVICE_CONNECTIONS_MAX}"
        );
        let most = default_devices_max();
        anyhow::ensure!(
            (connected..=most).contains(&known),
            "devices_max is {known}; give a number from {connected}, which is device_connections_max, to {most}"
        );
        anyhow::ensure!(
            self.depot.is_none() || self.disk_bytes_max.is_none(),
            "both disk_bytes_max and [depot] say where the jobs' files are; give most_bytes in [depot], and not disk_bytes_max"
        );
        self.check_referee()?;
        self.check_tuning()
    }

    /// Checks what was set of tasks that are computed here.
    fn check_referee(&self) -> anyhow::Result<()> {
        let parallel = self.referee_parallel();
        let most = quern_sandbox::RUNS_MAX;
        anyhow::ensure!(
            parallel <= most,
            "referee_parallel is {parallel}; give a number from 0 to {most}"
        );
        Ok(())
    }

    /// Checks what was set of how tasks are dealt and watched, beside what was not.
    fn check_tuning(&self) -> anyhow::Result<()> {
        let Tuning {
            pool_capacity_min,
            pool_size_min,
            delayed_percent,
            stale_percent,
            delayed_ms_min,
            stale_ms_min,
            ..
        } = self.tuning();
        anyhow::ensure!(
            pool_capacity_min > 0 && pool_size_min > 0,
            "pool_capacity_min is {pool_capacity_min} and pool_size_min {pool_size_min}; give at least 1 for each"
        );
        anyhow::ensure!(
            0 < delayed_percent
                && delayed_percent < stale_percent
                && stale_percent <= TIMEOUT_PERCENT_MAX,
            "delayed_percent is {delayed_percent} and stale_percent {stale_percent}; give numbers from 1 to {TIMEOUT_PERCENT_MAX}, the first less than the second"
        );
        let (delayed, stale) = (delayed_ms_min / 1_000, stale_ms_min / 1_000);
        let most = u64::from(LEAST_TIMEOUT_SECONDS_MAX);
        anyhow::ensure!(
            0 < delayed && delayed <= stale && stale <= most,
            "delayed_seconds_min is {delayed} and stale_seconds_min {stale}; give numbers from 1 to {most}, the first no more than the second"
        );
        let found = quern_protocol::limits::SILENCE_FOUND.as_secs();
        anyhow::ensure!(
            found <= stale,
            "stale_seconds_min is {stale}; give at least {found}: a device that falls silent as soon as it has a task is found to be after so long, and where another has done the task before, it is not blamed"
        );
        Ok(())
    }

    /// The addresses to listen on.
    pub fn listen(&self) -> anyhow::Result<Vec<Multiaddr>> {
        self.listen
            .iter()
            .map(|address| {
                address.parse().with_context(|| {
                    format!("listen: {address} is no address; one looks like /ip4/0.0.0.0/tcp/4500")
                })
            })
            .collect()
    }

    /// The depot that the jobs' files are in. A bucket's keys and certificates are read now.
    pub(crate) fn depot(&self) -> Result<quern_depot::Config, quern_depot::ConfigError> {
        let settings = match &self.depot {
            Some(settings) => settings.clone(),
            None => quern_depot::Settings::Folder {
                most_bytes: self.disk_bytes_max.unwrap_or(DISK_BYTES_MAX),
            },
        };
        settings.resolve(&self.data_dir.join(JOBS))
    }

    /// When and how large batches are.
    pub fn settle(&self) -> SettleLimits {
        let usual = SettleLimits::default();
        SettleLimits {
            wait_ms: self
                .settle_wait_seconds
                .map_or(usual.wait_ms, |seconds| u64::from(seconds) * 1_000),
            ..usual
        }
    }

    /// How tasks are dealt and watched.
    pub fn tuning(&self) -> Tuning {
        let usual = match self.scheduling {
            Scheduling::Best => Tuning::default(),
            Scheduling::MergedPools => Tuning {
                policy: Policy::MergedPools,
                ..Tuning::default()
            },
            Scheduling::PublishedPools => Tuning::published(),
        };
        let ms = |seconds: Option<u32>, usual: u64| {
            seconds.map_or(usual, |seconds| u64::from(seconds) * 1_000)
        };
        Tuning {
            pool_capacity_min: self.pool_capacity_min.unwrap_or(usual.pool_capacity_min),
            pool_size_min: self.pool_size_min.unwrap_or(usual.pool_size_min),
            delayed_percent: self.delayed_percent.unwrap_or(usual.delayed_percent),
            stale_percent: self.stale_percent.unwrap_or(usual.stale_percent),
            delayed_ms_min: ms(self.delayed_seconds_min, usual.delayed_ms_min),
            stale_ms_min: ms(self.stale_seconds_min, usual.stale_ms_min),
            ..usual
        }
    }

    /// How many tasks are computed here at a time.
    pub fn referee_parallel(&self) -> u32 {
        self.referee_parallel.unwrap_or(REFEREE_PARALLEL)
    }

    /// Memory that each of them may have, in MiB.
    pub fn referee_memory_mib(&self) -> u64 {
        self.referee_memory_mib.unwrap_or(REFEREE_MEMORY_MIB).into()
    }

    /// How much longer than a replica may take they are waited for, in milliseconds.
    pub fn referee_wait_ms(&self) -> u64 {
        let seconds = self.referee_wait_seconds.unwrap_or(REFEREE_WAIT_SECONDS);
        u64::from(seconds) * 1_000
    }

    /// Whether settled tasks are drawn to be computed again: not where nothing is computed here.
    pub fn re_executes(&self) -> bool {
        self.referee_parallel() > 0
    }

    /// How devices are scored, and when they are too hot.
    pub fn fleet(&self) -> FleetSettings {
        let usual = FleetSettings::default();
        FleetSettings {
            temperature_decicelsius_max: self
                .temperature_c_max
                .map_or(usual.temperature_decicelsius_max, |celsius| {
                    i16::from(celsius) * 10
                }),
            devices_max: self.devices_max as usize,
            ..usual
        }
    }

    /// Whether lies of other masternodes are disputed.
    pub fn disputes_lies(&self) -> bool {
        self.dispute_lies.unwrap_or(true)
    }

    /// What the network accepts at most.
    pub fn server_limits(&self) -> ServerLimits {
        ServerLimits {
            connections_max: self.device_connections_max,
            ..ServerLimits::default()
        }
    }

    /// The keys; those that are not there yet are made.
    pub fn keys(&self) -> anyhow::Result<Keys> {
        let secret = match (&self.account_file, &self.development_account) {
            (Some(file), None) => account_secret(file)?,
            (None, Some(name)) => {
                anyhow::ensure!(
                    name.starts_with("//"),
                    "development_account: expected a name such as //Alice"
                );
                Zeroizing::new(name.clone())
            }
            _ => anyhow::bail!("give one of account_file and development_account"),
        };
        fs::create_dir_all(&self.data_dir).with_context(|| {
            format!("cannot make the data directory {}", self.data_dir.display())
        })?;
        let sealing = secret_file(&self.data_dir.join("sealing.key"))?;
        Ok(Keys {
            account: Account::from_secret(&secret)?,
            network_seed: secret_file(&self.data_dir.join("network.key"))?,
            sealing: SealingSecret::from_bytes(&sealing),
        })
    }
}

/// The operator's secret, from a file that nobody else may read.
fn account_secret(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let shown = path.display();
    let unread = || format!("cannot read the account file {shown}");
    let file = fs::File::open(path).with_context(unread)?;
    anyhow::ensure!(
        file.metadata().with_context(unread)?.mode() & 0o077 == 0,
        "the account file {shown} can be read by others; `chmod 600` it, and move your money to a new account if somebody may have seen it"
    );
    let mut secret = Zeroizing::new(String::new());
    file.take(CONFIG_BYTES_MAX)
        .read_to_string(&mut secret)
        .with_context(unread)?;
    Ok(secret)
}

/// 32 secret bytes in a file that only its owner reads, made at random if it is not there.
fn secret_file(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let shown = path.display();
    if !path.exists() {
        let mut secret = Zeroizing::new([0; 32]);
        rand::rng().fill_bytes(&mut secret[..]);
        let part = path.with_extension("part");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .with_context(|| format!("cannot make the key file {shown}"))?;
        file.write_all(hex::encode(&secret[..]).as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        // The chain is told of the key: one that a power cut takes back could open nothing any more.
        if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            fs::File::open(folder)?.sync_all()?;
        }
    }
    let text = Zeroizing::new(
        fs::read_to_string(path).with_context(|| format!("cannot read the key file {shown}"))?,
    );
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut secret[..]).with_context(|| {
        format!(
            "{shown} is damaged: it should hold 64 hexadecimal digits; restore it from a backup"
        )
    })?;
    Ok(secret)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("masternode.toml");
        fs::write(&file, text)?;
        Config::read(&file)
    }

    fn refusal<T>(result: anyhow::Result<T>) -> String {
        format!("{:#}", result.err().unwrap())
    }

    #[test]
    fn a_data_directory_is_enough_and_the_rest_has_defaults() {
        let config = read("data_dir = '/tmp/x'").unwrap();
        assert_eq!(config.chain, "ws://127.0.0.1:9944");
        assert_eq!(config.listen().unwrap().len(), 2);
        assert_eq!(config.settle(), SettleLimits::default());
        assert_eq!(in_folder(&config), DISK_BYTES_MAX);
        assert_eq!(config.pieces_bytes_max, DISK_BYTES_MAX);
    }

    /// What the jobs' files may take of the masternode's own folder.
    fn in_folder(config: &Config) -> u64 {
        match config.depot().unwrap() {
            quern_depot::Config::Folder { folder, most_bytes } => {
                assert_eq!(folder, Path::new("/tmp/x/jobs"));
                most_bytes
            }
            quern_depot::Config::Bucket { .. } => 0,
        }
    }

    #[test]
    fn the_room_on_the_disk_is_as_large_as_the_operator_says() {
        let config = read("data_dir = '/tmp/x'\ndisk_bytes_max = 1_000_000_000").unwrap();
        assert_eq!(in_folder(&config), 1_000_000_000);
        let depot = "data_dir = '/tmp/x'\n[depot]\nkind = 'folder'\nmost_bytes = 4_096";
        assert_eq!(in_folder(&read(depot).unwrap()), 4_096);
        let error = refusal(read("data_dir = '/tmp/x'\ndisk_bytes_max = -1"));
        assert!(error.contains("disk_bytes_max"), "{error}");
    }

    #[test]
    fn the_jobs_files_may_be_in_a_bucket_and_what_is_wrong_with_it_is_said() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("bucket.keys");
        let text = "aws_access_key_id = A\naws_secret_access_key = s";
        fs::write(&keys, text).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
        let depot = |text: &str| {
            read(&format!(
                "data_dir = '/tmp/x'\n[depot]\nkind = 'bucket'\nmost_bytes = 1_000\nkey_file = {keys:?}\n{text}"
            ))
        };
        for (text, said) in [
            ("", "url"),
            ("url = 'https://host/bucket'\nsecret = 's'", "secret"),
            ("url = 'https://host/bucket'\nmost_bytes = 1", "most_bytes"),
            ("url = 'https://host/bucket'\nkind = 'folder'", "kind"),
        ] {
            let error = refusal(depot(text));
            assert!(error.contains(said), "{error}");
        }
        for (text, said) in [
            ("url = 'http://host/bucket'", "use https"),
            ("url = 'https://k:s@host/bucket'", "key_file"),
            ("url = 'https://host/bucket'\nregion = 'a b'", "\"a b\""),
            (
                "url = 'https://host/bucket'\nparts_most_bytes = 1_001",
                "no more for parts",
            ),
            (
                "url = 'https://host/bucket'\nca_file = '/nowhere'",
                "/nowhere",
            ),
        ] {
            let error = depot(text).unwrap().depot().unwrap_err();
            let error = format!("{:#}", anyhow::Error::from(error));
            assert!(error.contains(said), "{error}");
        }
        let both =
            "data_dir = '/tmp/x'\ndisk_bytes_max = 1\n[depot]\nkind = 'folder'\nmost_bytes = 1";
        let error = refusal(read(both));
        assert!(error.contains("both disk_bytes_max and [depot]"), "{error}");
    }

    #[test]
    fn what_the_operators_guide_shows_of_a_bucket_are_settings() {
        let guide = include_str!("../../../docs/operator.md");
        let blocks = guide.split("```toml\n").skip(1);
        let blocks = blocks.filter_map(|rest| rest.split("```").next());
        let depots: Vec<_> = blocks.filter(|it| it.starts_with("[depot]")).collect();
        assert_eq!(depots.len(), 1);
        for depot in depots {
            let config = read(&format!("data_dir = '/tmp/x'\n{depot}")).unwrap();
            let is_bucket = matches!(config.depot, Some(quern_depot::Settings::Bucket { .. }));
            assert!(is_bucket);
        }
    }

    #[test]
    fn how_many_devices_may_come_is_the_operators_to_say() {
        let read = |text: &str| read(&format!("data_dir = '/tmp/x'\n{text}"));
        let most = |text: &str| {
            let config = read(text).unwrap();
            let connections_max = config.server_limits().connections_max;
            (connections_max, config.fleet().devices_max)
        };
        assert_eq!(most(""), (4_096, fleet::DEVICES_MAX));
        let both = "device_connections_max = 20_000\ndevices_max = 50_000";
        assert_eq!(most(both), (20_000, 50_000));
        for (text, key) in [
            ("device_connections_max = 0", "device_connections_max is 0"),
            ("device_connections_max = 1_000_001", "from 1 to 1000000"),
            ("devices_max = 4_095", "from 4096, which is"),
            ("devices_max = 4_194_305", "to 4194304"),
        ] {
            let error = refusal(read(text));
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn the_published_design_can_be_chosen() {
        let tuning = |text: &str| {
            let config = read(&format!("data_dir = '/tmp/x'\n{text}")).unwrap();
            config.tuning()
        };
        assert_eq!(tuning(""), Tuning::default());
        assert_eq!(
            tuning("scheduling = 'published-pools'"),
            Tuning::published()
        );
        let merged = tuning("scheduling = 'merged-pools'");
        assert_eq!(
            (merged.policy, merged.backs_up),
            (Policy::MergedPools, true)
        );
    }

    #[test]
    fn what_the_experiment_finds_on_a_grid_can_be_set_on_it() {
        let read = |text: &str| read(&format!("data_dir = '/tmp/x'\n{text}"));
        let text = "scheduling = 'merged-pools'\npool_capacity_min = 20_000\npool_size_min = 16\n\
            delayed_percent = 175\nstale_percent = 275\ndelayed_seconds_min = 11\n\
            stale_seconds_min = 33";
        let tuning = read(text).unwrap().tuning();
        let expected = Tuning {
            policy: Policy::MergedPools,
            pool_capacity_min: 20_000,
            pool_size_min: 16,
            delayed_percent: 175,
            stale_percent: 275,
            delayed_ms_min: 11_000,
            stale_ms_min: 33_000,
            ..Tuning::default()
        };
        assert_eq!(tuning, expected);
        // What is set alone is checked beside what is not.
        let usual = Tuning::default();
        let crossing = format!("delayed_percent = {}", usual.stale_percent);
        let slow = format!("delayed_seconds_min = {}", usual.stale_ms_min / 1_000 + 1);
        for (text, parts) in [
            (
                "pool_capacity_min = 0",
                ["pool_capacity_min is 0", "at least 1"],
            ),
            ("pool_size_min = 0", ["pool_size_min 0", "at least 1"]),
            ("delayed_percent = 0", ["delayed_percent is 0", "from 1"]),
            (
                crossing.as_str(),
                ["delayed_percent is", "less than the second"],
            ),
            (
                "stale_percent = 10_001",
                ["stale_percent 10001", "to 10000"],
            ),
            (
                "delayed_seconds_min = 0",
                ["delayed_seconds_min is 0", "from 1"],
            ),
            (
                slow.as_str(),
                ["delayed_seconds_min is", "no more than the second"],
            ),
            (
                "stale_seconds_min = 22",
                ["stale_seconds_min is 22", "at least 23"],
            ),
            (
                "stale_seconds_min = 3_601",
                ["stale_seconds_min 3601", "to 3600"],
            ),
            ("stale_percent = -1", ["stale_percent", "u32"]),
        ] {
            let error = refusal(read(text));
            assert!(
                parts.iter().all(|part| error.contains(part)),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn the_operators_guide_tells_the_defaults_as_they_are() {
        let guide = include_str!("../../../docs/operator.md");
        let usual = Tuning::default();
        for (key, value) in [
            ("pool_size_min", u64::from(usual.pool_size_min)),
            ("pool_capacity_min", usual.pool_capacity_min),
            ("delayed_percent", u64::from(usual.delayed_percent)),
            ("stale_percent", u64::from(usual.stale_percent)),
            ("delayed_seconds_min", usual.delayed_ms_min / 1_000),
            ("stale_seconds_min", usual.stale_ms_min / 1_000),
        ] {
            let told = match value {
                0..1_000 => value.to_string(),
                _ => format!("{},{:03}", value / 1_000, value % 1_000),
            };
            let row = format!("| `{key}` | {told} | ");
            assert!(guide.contains(&row), "{row}");
        }
    }

    #[test]
    fn what_the_masternode_computes_itself_is_the_operators_to_say() {
        let read = |text: &str| read(&format!("data_dir = '/tmp/x'\n{text}"));
        let told = |text: &str| {
            let config = read(text).unwrap();
            (config.referee_parallel(), config.referee_wait_ms())
        };
        assert_eq!(told(""), (1, 600_000));
        let set = "referee_parallel = 4\nreferee_wait_seconds = 30";
        assert_eq!(told(set), (4, 30_000));
        let drawn = |text: &str| read(text).unwrap().re_executes();
        let off = "referee_parallel = 0";
        assert_eq!([drawn(""), drawn(set), drawn(off)], [true, true, false]);
        let memory = |text: &str| read(text).unwrap().referee_memory_mib();
        assert_eq!(
            [memory(""), memory("referee_memory_mib = 512")],
            [1_024, 512]
        );
        for (text, key) in [
            ("referee_parallel = 33", "from 0 to 32"),
            // What is computed again, the council says.
            ("re_execution_permille = 10", "re_execution_permille"),
            ("referee_wait_seconds = -1", "referee_wait_seconds"),
        ] {
            let error = refusal(read(text));
            assert!(error.contains(key), "{error}");
        }
        let guide = include_str!("../../../docs/operator.md");
        for row in [
            "| `referee_parallel` | 1 | ",
            "| `referee_memory_mib` | 1,024 | ",
            "| `referee_wait_seconds` | 600 | ",
        ] {
            assert!(guide.contains(row), "{row}");
        }
    }

    #[test]
    fn how_hot_a_device_may_be_is_the_operators_to_say() {
        let limit = |text: &str| {
            let config = read(&format!("data_dir = '/tmp/x'\n{text}")).unwrap();
            config.fleet().temperature_decicelsius_max
        };
        assert_eq!((limit(""), limit("temperature_c_max = 49")), (900, 490));
        let error = refusal(read("data_dir = '/tmp/x'\ntemperature_c_max = 300"));
        assert!(error.contains("temperature_c_max"), "{error}");
    }

    #[test]
    fn lies_of_others_are_disputed_unless_the_operator_says_otherwise() {
        let read = |text: &str| read(&format!("data_dir = '/tmp/x'\n{text}")).unwrap();
        let told = ["", "dispute_lies = true", "dispute_lies = false"];
        let told = told.map(|text| read(text).disputes_lies());
        assert_eq!(told, [true, true, false]);
    }

    #[test]
    fn errors_name_the_key() {
        for (text, key) in [
            ("", "data_dir"),
            ("data_dir = '/tmp/x'\nlisten_on = []", "listen_on"),
            (
                "data_dir = '/tmp/x'\njobs_api_listen = 'here'",
                "jobs_api_listen",
            ),
            (
                "data_dir = '/tmp/x'\nsettle_wait_seconds = -1",
                "settle_wait_seconds",
            ),
        ] {
            let error = refusal(read(text));
            assert!(error.contains(key), "{error}");
        }
        let config = read("data_dir = '/tmp/x'\nlisten = ['4500']").unwrap();
        assert!(refusal(config.listen()).contains("listen: 4500"));
    }

    #[test]
    fn exactly_one_account_must_be_named() {
        let both = "data_dir = '/tmp/x'\naccount_file = 'a'\ndevelopment_account = '//Alice'";
        for text in ["data_dir = '/tmp/x'", both] {
            let error = refusal(read(text).unwrap().keys());
            assert!(
                error.contains("account_file and development_account"),
                "{error}"
            );
        }
        let named = read("data_dir = '/tmp/x'\ndevelopment_account = 'Alice'").unwrap();
        assert!(refusal(named.keys()).contains("development_account"));
    }

    #[test]
    fn keys_are_made_once_for_their_owner_alone_and_damage_is_said() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut config = read("data_dir = '/tmp/x'\ndevelopment_account = '//Alice'").unwrap();
        config.data_dir = folder.path().join("data");
        let first = config.keys().unwrap().network_seed;
        assert_eq!(config.keys().unwrap().network_seed, first);
        let file = config.data_dir.join("network.key");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&file, "0123").unwrap();
        assert!(refusal(config.keys()).contains("network.key is damaged"));
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("operator.key");
        fs::write(&file, "//Alice\n").unwrap();
        let mut config = read("data_dir = '/tmp/x'").unwrap();
        config.data_dir = folder.path().join("data");
        config.account_file = Some(file.clone());
        let set = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        set(0o640);
        assert!(refusal(config.keys()).contains("`chmod 600`"));
        set(0o600);
        let alice = Account::from_secret("//Alice").unwrap().id();
        assert_eq!(config.keys().unwrap().account.id(), alice);
        config.account_file = Some(folder.path().join("none.key"));
        assert!(refusal(config.keys()).contains("cannot read the account file"));
    }

    #[test]
    fn a_settings_file_over_its_limit_is_not_read() {
        let text = " ".repeat(CONFIG_BYTES_MAX as usize + 1);
        assert!(refusal(read(&text)).contains("at most"));
    }
}
