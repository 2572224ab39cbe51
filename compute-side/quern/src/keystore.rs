//! The secrets of accounts, one file each, readable by their owner only.

use quern_ledger::{Account, AccountError};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Bytes of a key file: a phrase of 24 words, and some room.
const KEY_FILE_BYTES_MAX: u64 = 1_024;

/// Letters of a key's name.
const NAME_LETTERS_MAX: usize = 64;

const EXTENSION: &str = "key";

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeystoreError {
    /// A name is none.
    #[error(
        "`{name}` cannot name a key; use up to {NAME_LETTERS_MAX} letters, digits, hyphens and underscores"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// There is no such key.
    #[error(
        "there is no key `{name}`; `quern keys list` shows those there are, `quern keys new {name}` makes one"
    )]
    NoKey {
        /// Its name.
        name: String,
    },
    /// There is one of that name.
    #[error("there is a key `{name}` already, and keys are never overwritten; choose another name")]
    Exists {
        /// Its name.
        name: String,
    },
    /// Others than its owner may read it.
    #[error(
        "{path} can be read by others; `chmod 600` it, and move your money to a new account if somebody may have seen it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no key.
    #[error("{path} holds no key")]
    Secret {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: AccountError,
    },
}

/// A folder of key files.
#[derive(Clone, Debug)]
pub(crate) struct Keystore {
    folder: PathBuf,
}

impl Keystore {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The names of all keys, in alphabetical order.
    pub(crate) fn names(&self) -> Result<Vec<String>, KeystoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(at(&self.folder))?,
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let is_key = path
                    .extension()
                    .is_some_and(|extension| extension == EXTENSION);
                is_key.then(|| path.file_stem()?.to_str().map(str::to_owned))?
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// The account of a key.
    pub(crate) fn account(&self, name: &str) -> Result<Account, KeystoreError> {
        let path = self.path(name)?;
        let secret = self.secret(name)?;
        Account::from_secret(&secret).map_err(|source| KeystoreError::Secret { path, source })
    }

    /// A key's secret.
    pub(crate) fn secret(&self, name: &str) -> Result<Zeroizing<String>, KeystoreError> {
        let path = self.path(name)?;
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeystoreError::NoKey {
                    name: name.to_owned(),
                });
            }
            file => file.map_err(at(&path))?,
        };
        if file.metadata().map_err(at(&path))?.mode() & 0o077 != 0 {
            return Err(KeystoreError::Exposed { path });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(KEY_FILE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(at(&path))?;
        Ok(Zeroizing::new(text.trim().to_owned()))
    }

    /// Keeps a secret under a new name. Returns its file.
    pub(crate) fn add(&self, name: &str, secret: &str) -> Result<PathBuf, KeystoreError> {
        let path = self.path(name)?;
        Account::from_secret(secret).map_err(|source| KeystoreError::Secret {
            path: path.clone(),
            source,
        })?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(at(&self.folder))?;
        match self.write_new(&path, secret.trim().as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(KeystoreError::Exists {
                    name: name.to_owned(),
                })
            }
            written => written.map(|()| path.clone()).map_err(at(&path)),
        }
    }

    /// Writes a file beside its place, and then gives it its name: half a secret could neither be used
    /// nor overwritten. When this returns it is on disk.
    fn write_new(&self, path: &Path, secret: &[u8]) -> io::Result<()> {
        let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
        // Of another process that had this number, and was killed.
        let _ = fs::remove_file(&unfinished);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished);
        let written = file.and_then(|mut file| {
            file.write_all(secret)?;
            file.sync_all()
        });
        // Unlike a move it fails if there is a key of that name.
        let named = written.and_then(|()| fs::hard_link(&unfinished, path));
        // What is left is the same file once more, or of no use.
        let _ = fs::remove_file(&unfinished);
        named?;
        File::open(&self.folder)?.sync_all()
    }

    fn path(&self, name: &str) -> Result<PathBuf, KeystoreError> {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        match !name.is_empty() && name.len() <= NAME_LETTERS_MAX && name.chars().all(is_letter) {
            true => Ok(self.folder.join(format!("{name}.{EXTENSION}"))),
            false => Err(KeystoreError::Name {
                name: name.to_owned(),
            }),
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeystoreError + '_ {
    move |source| KeystoreError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_reads_back_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keystore::new(folder.path().join("keys"));
        assert!(keys.names().unwrap().is_empty());
        let path = keys.add("mine", "//Alice").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(keys.names().unwrap(), ["mine"]);
        let alice = Account::from_secret("//Alice").unwrap().id();
        assert_eq!(keys.account("mine").unwrap().id(), alice);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            keys.account("mine"),
            Err(KeystoreError::Exposed { .. })
        ));
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keystore::new(folder.path().to_owned());
        keys.add("mine", "//Alice").unwrap();
        assert!(matches!(
            keys.add("mine", "//Bob"),
            Err(KeystoreError::Exists { .. })
        ));
        assert_eq!(*keys.secret("mine").unwrap(), "//Alice");
    }

    #[test]
    fn names_that_leave_the_folder_and_secrets_that_are_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keystore::new(folder.path().to_owned());
        for name in ["", "../mine", "a/b", "a.b", "ä"] {
            assert!(
                matches!(keys.add(name, "//Alice"), Err(KeystoreError::Name { .. })),
                "{name}"
            );
        }
        assert!(matches!(
            keys.add("mine", "no words"),
            Err(KeystoreError::Secret { .. })
        ));
        assert!(matches!(
            keys.account("other"),
            Err(KeystoreError::NoKey { .. })
        ));
    }
}
