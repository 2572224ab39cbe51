//! How a depot is set up: `[depot]` of a settings file, and keys from a file or the environment.

mod address;
mod keys;

pub(crate) use address::is_this_machine;
pub use address::{Address, AddressError};
pub use keys::{Keys, KeysError};

use crate::bucket::{Patience, Roots, RootsError};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The region that a bucket is asked in if the settings do not say; servers that have none take this one.
const REGION: &str = "us-east-1";

/// Bytes of a region's name, at most.
const REGION_BYTES_MAX: usize = 64;

/// What parts may take of this machine's disk beside a bucket, if the settings do not say: 8 GiB, 256 shards of the
/// greatest length.
const PARTS_MOST_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// `[depot]`, as it is written. Keys are never written there: they are in `key_file`, or in the environment.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Settings {
    /// `kind = "folder"`.
    Folder {
        /// What everything may take of the disk.
        most_bytes: u64,
    },
    /// `kind = "bucket"`.
    Bucket {
        /// `https://HOST[:PORT]/BUCKET[/PREFIX]`. No two depots may have the same.
        url: String,
        /// The bucket's region, `us-east-1` if it says nothing.
        region: Option<String>,
        /// The file with the [keys](Keys). Without it they are in the environment.
        key_file: Option<PathBuf>,
        /// A file of certificates in PEM, to trust instead of those that this machine trusts.
        ca_file: Option<PathBuf>,
        /// What everything may take of the bucket.
        most_bytes: u64,
        /// What may lie on this machine's disk until it is whole.
        parts_most_bytes: Option<u64>,
    },
}

/// How a depot is set up.
#[derive(Clone, Debug)]
pub enum Config {
    /// Everything is in a folder of this machine.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What everything may take of the disk.
        most_bytes: u64,
    },
    /// What is whole is in a bucket.
    Bucket {
        /// A folder of this machine, for what is not whole.
        folder: PathBuf,
        /// The bucket.
        bucket: Box<BucketConfig>,
        /// What everything may take.
        most_bytes: u64,
        /// What may be in the folder.
        parts_most_bytes: u64,
    },
}

/// A bucket, and how it is asked.
#[derive(Clone, Debug)]
pub struct BucketConfig {
    /// Where it is.
    pub address: Address,
    /// Its region.
    pub region: String,
    /// What it is asked with.
    pub keys: Keys,
    /// Whom to believe that they are its server.
    pub roots: Roots,
    /// How long a bucket that fails is asked again.
    pub patience: Patience,
}

/// Why a depot cannot be set up so.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The room.
    #[error(
        "the depot's most_bytes is {most_bytes} and its parts_most_bytes {parts_most_bytes}; give at least 1 for each, and \
         no more for parts than for everything"
    )]
    Room {
        /// What everything may take.
        most_bytes: u64,
        /// What parts may take.
        parts_most_bytes: u64,
    },
    /// The address.
    #[error("the depot's url cannot be used")]
    Address(#[from] AddressError),
    /// The region.
    #[error(
        "the depot's region {region:?} is none; it has letters, digits and -, at most {REGION_BYTES_MAX} of them"
    )]
    Region {
        /// What was said.
        region: String,
    },
    /// The keys.
    #[error("the depot has no keys for its bucket")]
    Keys(#[from] KeysError),
    /// The certificates.
    #[error("the depot has no certificates to hold its bucket's server to")]
    Roots(#[from] RootsError),
}

impl Settings {
    /// What they say, for a depot whose files are in a folder of this machine. Keys and certificates are read now.
    pub fn resolve(self, folder: &Path) -> Result<Config, ConfigError> {
        let folder = folder.to_owned();
        match self {
            Self::Folder { most_bytes } => {
                check_room(most_bytes, most_bytes)?;
                Ok(Config::Folder { folder, most_bytes })
            }
            Self::Bucket {
                url,
                region,
                key_file,
                ca_file,
                most_bytes,
                parts_most_bytes,
            } => {
                let parts_most_bytes =
                    parts_most_bytes.unwrap_or_else(|| PARTS_MOST_BYTES.min(most_bytes));
                check_room(most_bytes, parts_most_bytes)?;
                Ok(Config::Bucket {
                    folder,
                    bucket: Box::new(BucketConfig {
                        address: url.parse()?,
                        region: checked(region.unwrap_or_else(|| REGION.to_owned()))?,
                        keys: match key_file {
                            Some(path) => Keys::of_file(&path)?,
                            None => Keys::of_environment()?,
                        },
                        roots: match ca_file {
                            Some(path) => Roots::of_file(&path)?,
                            None => Roots::of_machine()?,
                        },
                        patience: Patience::default(),
                    }),
                    most_bytes,
                    parts_most_bytes,
                })
            }
        }
    }
}

fn check_room(most_bytes: u64, parts_most_bytes: u64) -> Result<(), ConfigError> {
    match 0 < parts_most_bytes && parts_most_bytes <= most_bytes {
        true => Ok(()),
        false => Err(ConfigError::Room {
            most_bytes,
            parts_most_bytes,
        }),
    }
}

fn checked(region: String) -> Result<String, ConfigError> {
    let is_region = !region.is_empty()
        && region.len() <= REGION_BYTES_MAX
        && region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match is_region {
        true => Ok(region),
        false => Err(ConfigError::Region { region }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_folder_needs_a_limit_and_nothing_else() {
        let settings = read("kind = \"folder\"\nmost_bytes = 4096").unwrap();
        let config = settings.resolve(Path::new("here")).unwrap();
        assert!(matches!(
            config,
            Config::Folder {
                most_bytes: 4096,
                ..
            }
        ));
        for wrong in [
            "kind = \"folder\"",
            "kind = \"folder\"\nmost_bytes = -1",
            "kind = \"folder\"\nmost_bytes = 4096\nurl = \"https://host/bucket\"",
            "kind = \"tape\"\nmost_bytes = 4096",
            "most_bytes = 4096",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn room_for_nothing_and_more_for_parts_than_for_everything_are_refused() {
        let bucket = "kind = \"bucket\"\nurl = \"https://host/bucket\"";
        for wrong in [
            "kind = \"folder\"\nmost_bytes = 0".to_owned(),
            format!("{bucket}\nmost_bytes = 0"),
            format!("{bucket}\nmost_bytes = 9\nparts_most_bytes = 0"),
            format!("{bucket}\nmost_bytes = 9\nparts_most_bytes = 10"),
        ] {
            let error = read(&wrong).unwrap().resolve(Path::new("here"));
            assert!(matches!(error, Err(ConfigError::Room { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_key_in_the_settings_is_refused() {
        let text =
            "kind = \"bucket\"\nurl = \"https://host/bucket\"\nmost_bytes = 1\nsecret = \"x\"";
        assert!(read(text).is_err());
    }

    #[test]
    fn a_region_that_could_change_a_request_is_refused() {
        for wrong in ["", "us east", "eu/..", "a\r\nb", &"a".repeat(65)] {
            assert!(checked(wrong.to_owned()).is_err(), "{wrong:?}");
        }
        assert!(checked("eu-central-1".to_owned()).is_ok());
    }
}
