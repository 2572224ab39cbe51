//! The account that puts up bonds for claims, and its key file.
//!
//! A device's own key signs no transactions, and the account that it works for has all that it earned: its
//! key does not belong on a machine that runs strangers' programs. So claims have an account of their own,
//! with no more money on it than its owner gives it. The file is what `quern keys import` takes: `0x` and 64
//! hexadecimal digits.

use crate::device::{is_exposed, write_new};
use quern_ledger::{Account, AccountError};
use quern_primitives::AccountId;
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Bytes of a key file, and some room.
const KEY_FILE_BYTES_MAX: u64 = 1_024;

/// Why the claims' account cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClaimsAccountError {
    /// Its key file cannot be read.
    #[error("cannot read the key file {path} of the claims' account")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error(
        "the key file {path} of the claims' account can be read by others; `chmod 600` it, and make a new account if somebody may have seen it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It holds no key.
    #[error("{path} holds no account's key")]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: AccountError,
    },
    /// It cannot be written.
    #[error("cannot write the key file {path} of the claims' account")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Reads the account's key; none if there is no such file.
pub fn load_account(path: &Path) -> Result<Option<Account>, ClaimsAccountError> {
    let read = |source| ClaimsAccountError::Read {
        path: path.into(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read(error)),
    };
    if is_exposed(&file).map_err(read)? {
        return Err(ClaimsAccountError::Exposed { path: path.into() });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(read)?;
    let account = Account::from_secret(&text);
    account
        .map(Some)
        .map_err(|source| ClaimsAccountError::NoKey {
            path: path.into(),
            source,
        })
}

/// The account whose key is in this file; makes one if there is no such file.
pub fn new_account(path: &Path) -> Result<AccountId, ClaimsAccountError> {
    if let Some(account) = load_account(path)? {
        return Ok(account.id());
    }
    let seed = Zeroizing::new(rand::random::<[u8; 32]>());
    let text = Zeroizing::new(format!("0x{}\n", hex::encode(*seed)));
    write_new(path, text.as_bytes()).map_err(|source| ClaimsAccountError::Write {
        path: path.into(),
        source,
    })?;
    let account = Account::from_secret(&text).map_err(|source| ClaimsAccountError::NoKey {
        path: path.into(),
        source,
    })?;
    Ok(account.id())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_made_once_and_then_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claims.key");
        assert!(load_account(&path).unwrap().is_none());
        let made = new_account(&path).unwrap();
        assert_eq!(new_account(&path).unwrap(), made);
        assert_eq!(load_account(&path).unwrap().unwrap().id(), made);
    }

    #[test]
    fn a_file_that_holds_no_key_is_said_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claims.key");
        write_new(&path, b"a shopping list").unwrap();
        assert!(matches!(
            new_account(&path),
            Err(ClaimsAccountError::NoKey { .. })
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"a shopping list");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claims.key");
        new_account(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            load_account(&path),
            Err(ClaimsAccountError::Exposed { .. })
        ));
    }
}
