//! A device's two secrets and the file they are in.
//!
//! The file is text, readable by its owner only:
//!
//! ```text
//! # The secret keys of a Quern device. Whoever has this file can act as the device.
//! signing = "64 hexadecimal digits: the Ed25519 seed of the device's name"
//! sealing = "64 hexadecimal digits: the X25519 secret to which data keys are sealed"
//! ```
//!
//! The two are independent of each other.

use crate::limits::SETTINGS_BYTES_MAX;
use quern_primitives::{
    device::Possession,
    ids::{AccountId, DeviceId, GenesisHash, SealingKey, parse_hex32},
    payload::{DeviceKey, DeviceSignature},
};
use quern_shards::keys::SealingSecret;
use serde::Deserialize;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What a device signs with, and what its data keys are sealed to.
#[derive(Clone)]
pub struct DeviceSecrets {
    signing_seed: Zeroizing<[u8; 32]>,
    sealing: SealingSecret,
}

/// Why a device's key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the device's key file {path}; make one with `quern-worker init`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error(
        "the device's key file {path} can be read by others; `chmod 600` it, and register a new device if somebody may have seen it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It is no key file.
    #[error(
        "{path} is no key file of a device: it needs `signing` and `sealing`, each with 64 hexadecimal digits"
    )]
    NoKeys {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write the device's key file {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is one already, and it is never overwritten.
    #[error(
        "{path} exists already; a device's keys are never overwritten, move the file away first if they are not needed"
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    signing: String,
    sealing: String,
}

impl DeviceSecrets {
    /// New secrets, from the system's random numbers.
    pub fn random() -> Self {
        Self::from_bytes(rand::random(), &Zeroizing::new(rand::random()))
    }

    /// The secrets with these bytes: the Ed25519 seed and the X25519 secret.
    pub fn from_bytes(signing_seed: [u8; 32], sealing: &[u8; 32]) -> Self {
        Self {
            signing_seed: Zeroizing::new(signing_seed),
            sealing: SealingSecret::from_bytes(sealing),
        }
    }

    /// Reads the secrets from their file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let read = |source| KeyFileError::Read {
            path: path.into(),
            source,
        };
        let no_keys = || KeyFileError::NoKeys { path: path.into() };
        let file = File::open(path).map_err(read)?;
        if is_exposed(&file).map_err(read)? {
            return Err(KeyFileError::Exposed { path: path.into() });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(SETTINGS_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(read)?;
        let keys: KeyFile = toml::from_str(&text).map_err(|_| no_keys())?;
        let signing = parse_hex32(&keys.signing).map_err(|_| no_keys())?;
        let sealing = Zeroizing::new(parse_hex32(&keys.sealing).map_err(|_| no_keys())?);
        Ok(Self::from_bytes(signing, &sealing))
    }

    /// Writes the secrets to a new file that only its owner may read. It is there whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), KeyFileError> {
        let text = Zeroizing::new(format!(
            "# The secret keys of a Quern device. Whoever has this file can act as the device.\n\
             signing = \"{}\"\nsealing = \"{}\"\n",
            hex::encode(*self.signing_seed),
            hex::encode(*self.sealing.to_bytes()),
        ));
        write_new(path, text.as_bytes()).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.into() },
            _ => KeyFileError::Write {
                path: path.into(),
                source,
            },
        })
    }

    /// The device's name.
    pub fn id(&self) -> DeviceId {
        self.signing_key().id()
    }

    /// The key that signs receipts.
    pub fn signing_key(&self) -> DeviceKey {
        DeviceKey::from_seed(&self.signing_seed)
    }

    /// The seed of the signing key, which also authenticates connections.
    pub fn signing_seed(&self) -> [u8; 32] {
        *self.signing_seed
    }

    /// The secret to which data keys are sealed.
    pub fn sealing_secret(&self) -> &SealingSecret {
        &self.sealing
    }

    /// The public half of it, which is registered on the chain.
    pub fn sealing_key(&self) -> SealingKey {
        self.sealing.public()
    }

    /// What shows the chain that this device's holder wants the account to own it.
    pub fn possession(&self, account: AccountId, genesis: &GenesisHash) -> DeviceSignature {
        let possession = Possession {
            account,
            device: self.id(),
            sealing_key: self.sealing_key(),
        };
        self.signing_key().sign(possession, genesis).signature
    }
}

impl std::fmt::Debug for DeviceSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceSecrets({}, not shown)", self.id())
    }
}

/// Writes a file that only its owner may read, beside its place, and then gives it its name: half a key
/// could neither be used nor overwritten. When this returns it is on disk.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    // Of another process that had this number, and was killed.
    let _ = fs::remove_file(&unfinished);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    // Unlike a move it fails if there is a file of that name.
    let named = written.and_then(|()| fs::hard_link(&unfinished, path));
    // What is left is the same file once more, or of no use.
    let _ = fs::remove_file(&unfinished);
    named?;
    #[cfg(unix)]
    if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(unix)]
pub(crate) fn is_exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(crate) fn is_exposed(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_read_back_as_written_and_do_not_print() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let secrets = DeviceSecrets::random();
        secrets.save(&path).unwrap();
        let read = DeviceSecrets::load(&path).unwrap();
        assert_eq!(
            (read.id(), read.sealing_key()),
            (secrets.id(), secrets.sealing_key())
        );
        let printed = format!("{secrets:?}");
        assert!(
            !printed.contains(&hex::encode(secrets.signing_seed())),
            "{printed}"
        );
    }

    #[test]
    fn keys_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        DeviceSecrets::random().save(&path).unwrap();
        let before = fs::read(&path).unwrap();
        let refused = DeviceSecrets::random().save(&path);
        assert!(matches!(refused, Err(KeyFileError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), before);
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "nothing else is left");
    }

    #[test]
    fn what_was_left_half_written_is_in_nobody_s_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let left = path.with_extension(format!("{}.unfinished", std::process::id()));
        fs::write(&left, "# The secret keys of a Quern dev").unwrap();
        let secrets = DeviceSecrets::random();
        secrets.save(&path).unwrap();
        assert_eq!(DeviceSecrets::load(&path).unwrap().id(), secrets.id());
        assert!(!left.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        DeviceSecrets::random().save(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = DeviceSecrets::load(&path);
        assert!(matches!(refused, Err(KeyFileError::Exposed { .. })));
    }

    #[test]
    fn what_is_no_key_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(matches!(
            DeviceSecrets::load(&missing),
            Err(KeyFileError::Read { .. })
        ));
        for text in [
            "",
            "signing = \"00\"\nsealing = \"00\"",
            "\u{0}",
            "signing = 5",
        ] {
            let path = folder.path().join("device.key");
            let _ = fs::remove_file(&path);
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options
                .open(&path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            let refused = DeviceSecrets::load(&path);
            assert!(
                matches!(refused, Err(KeyFileError::NoKeys { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_possession_holds_for_its_account_only() {
        let genesis = GenesisHash([1; 32]);
        let secrets = DeviceSecrets::random();
        let (account, other) = (AccountId::new([2; 32]), AccountId::new([3; 32]));
        let signature = secrets.possession(account.clone(), &genesis);
        let holds = |account| {
            let payload = Possession {
                account,
                device: secrets.id(),
                sealing_key: secrets.sealing_key(),
            };
            quern_primitives::payload::Signed { payload, signature }
                .is_signed_by(&secrets.id(), &genesis)
        };
        assert!(holds(account) && !holds(other));
    }
}
