//! What a bucket is asked with.

use std::{
    env, fmt,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Bytes of a key file, at most.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// What keys are called, in files and, in capitals, in the environment.
const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const SESSION: &str = "aws_session_token";

/// The keys of an account that may read, write, list and erase in the bucket. They are shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub(crate) id: Zeroizing<String>,
    pub(crate) secret: Zeroizing<String>,
    pub(crate) session: Option<Zeroizing<String>>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{} cannot be read; key_file has to name the file with the bucket's keys", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others of this machine could read it.
    #[error("{} can be read or written by others; take that from them: chmod 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// A line is none of a key file.
    #[error(
        "line {line} of {} is no key; it has {ID}, {SECRET} and, if there is one, {SESSION}, each once, on a line of its own \
         behind which stands = and the key",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// It is no text, or too long.
    #[error("{} is no text, or has more than {FILE_BYTES_MAX} bytes", path.display())]
    Text {
        /// The file.
        path: PathBuf,
    },
    /// A key is missing.
    #[error(
        "there is no {which}; name a file that has it with key_file, or set it in the environment, in capitals"
    )]
    Missing {
        /// What it is called.
        which: &'static str,
    },
    /// A key has what no key has.
    #[error("{which} is no key: it is empty, or has spaces or other than ASCII in it")]
    Malformed {
        /// What it is called.
        which: &'static str,
    },
}

impl Keys {
    /// Keys that are known.
    pub fn new(id: &str, secret: &str, session: Option<&str>) -> Result<Self, KeysError> {
        let given = |key: &str| Some(Zeroizing::new(key.to_owned()));
        Self::checked(given(id), given(secret), session.and_then(given))
    }

    /// Of a file with lines as `aws_access_key_id = …`. Empty lines, those with `#` first and those with a profile's
    /// name in brackets are passed over, so a credentials file with one profile is one.
    pub fn of_file(path: &Path) -> Result<Self, KeysError> {
        let text = read(path)?;
        let (mut id, mut secret, mut session) = (None, None, None);
        for (line, text) in (1..).zip(text.lines()) {
            let wrong = || KeysError::Line {
                path: path.to_owned(),
                line,
            };
            let text = text.trim();
            if text.is_empty() || text.starts_with(['#', '[']) {
                continue;
            }
            let (which, key) = text.split_once('=').ok_or_else(wrong)?;
            let place = match which.trim() {
                ID => &mut id,
                SECRET => &mut secret,
                SESSION => &mut session,
                _ => return Err(wrong()),
            };
            let before = place.replace(Zeroizing::new(key.trim().to_owned()));
            if before.is_some() {
                return Err(wrong());
            }
        }
        Self::checked(id, secret, session)
    }

    /// Of the environment.
    pub fn of_environment() -> Result<Self, KeysError> {
        Self::of_variables(|name| env::var(name).ok())
    }

    /// Of variables, by their names.
    pub(crate) fn of_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, KeysError> {
        let key = |which: &str| variable(&which.to_ascii_uppercase()).map(Zeroizing::new);
        Self::checked(key(ID), key(SECRET), key(SESSION))
    }

    fn checked(
        id: Option<Zeroizing<String>>,
        secret: Option<Zeroizing<String>>,
        session: Option<Zeroizing<String>>,
    ) -> Result<Self, KeysError> {
        let there = |which, key: Option<Zeroizing<String>>| {
            key.ok_or(KeysError::Missing { which })
                .and_then(|key| printable(which, key))
        };
        Ok(Self {
            id: there(ID, id)?,
            secret: there(SECRET, secret)?,
            session: session.map(|key| printable(SESSION, key)).transpose()?,
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

fn printable(which: &'static str, key: Zeroizing<String>) -> Result<Zeroizing<String>, KeysError> {
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    match is_key {
        true => Ok(key),
        false => Err(KeysError::Malformed { which }),
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    let unread = |source| KeysError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unread)?;
    let facts = file.metadata().map_err(unread)?;
    if facts.mode() & 0o077 != 0 {
        return Err(KeysError::Open {
            path: path.to_owned(),
        });
    }
    // Room for all of it, so that no copy is left behind where it grew.
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize + 1));
    let no_text = || KeysError::Text {
        path: path.to_owned(),
    };
    match file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(no_text()),
        Err(error) => Err(unread(error)),
        Ok(bytes) if bytes as u64 > FILE_BYTES_MAX => Err(no_text()),
        Ok(_) => Ok(text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    fn of(text: impl AsRef<[u8]>, mode: u32) -> Result<Keys, KeysError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Keys::of_file(&path)
    }

    const BOTH: &str =
        "[default]\n# ours\naws_access_key_id = AKIA\n\naws_secret_access_key=a/b=\n";

    #[test]
    fn keys_are_read_from_a_credentials_file() {
        let keys = of(BOTH, 0o600).unwrap();
        assert_eq!(keys, Keys::new("AKIA", "a/b=", None).unwrap());
        let with_session = format!("{BOTH}aws_session_token = t");
        let keys = of(with_session, 0o400).unwrap();
        assert_eq!(keys, Keys::new("AKIA", "a/b=", Some("t")).unwrap());
    }

    #[test]
    fn keys_that_others_can_read_are_refused() {
        for mode in [0o640, 0o604, 0o620] {
            assert!(matches!(of(BOTH, mode), Err(KeysError::Open { .. })));
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let keys = of(BOTH, 0o600).unwrap();
        assert_eq!(format!("{keys:?}"), "Keys");
    }

    #[test]
    fn what_is_no_key_file_is_refused_by_what_is_wrong_with_it() {
        let wrong = |text: &str| of(text, 0o600).unwrap_err();
        assert!(matches!(wrong(""), KeysError::Missing { which: ID }));
        assert!(matches!(
            wrong("aws_access_key_id=a"),
            KeysError::Missing { which: SECRET }
        ));
        assert!(matches!(wrong("secret"), KeysError::Line { line: 1, .. }));
        let twice = format!("{BOTH}aws_access_key_id = other");
        assert!(matches!(wrong(&twice), KeysError::Line { line: 6, .. }));
        let empty = "aws_access_key_id=\naws_secret_access_key=b";
        assert!(matches!(wrong(empty), KeysError::Malformed { which: ID }));
        let broken = "aws_access_key_id=a\naws_secret_access_key=b c";
        assert!(matches!(
            wrong(broken),
            KeysError::Malformed { which: SECRET }
        ));
        let long = "#".repeat(20_000);
        assert!(matches!(wrong(&long), KeysError::Text { .. }));
        assert!(matches!(of(b"\xff", 0o600), Err(KeysError::Text { .. })));
        let nowhere = Keys::of_file(Path::new("/nowhere/at/all"));
        assert!(matches!(nowhere, Err(KeysError::Read { .. })));
    }
}
