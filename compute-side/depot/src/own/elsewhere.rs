//! How an owner names what is elsewhere.

use crate::{
    Access, AccessError, Object, ObjectName, ObjectNameError, Patience, Place, PlaceError,
    RootsError, Source, SourceError, Target, TargetError,
};
use std::{fmt, str::FromStr};

/// Something of an owner's that is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// At a URL: `https://HOST[:PORT]/PATH`.
    Url(Place),
    /// In a bucket of its own: `s3://BUCKET/KEY`.
    Object(ObjectName),
}

/// Why something names nothing that is elsewhere.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ElsewhereError {
    /// It is no URL.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It is no object.
    #[error(transparent)]
    Object(#[from] ObjectNameError),
}

/// Why something elsewhere is neither read nor written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing says how its bucket is asked.
    #[error("{object} cannot be asked for")]
    Access {
        /// What it is called.
        object: ObjectName,
        /// What is missing.
        source: AccessError,
    },
    /// It is below a prefix of its bucket that leaves no room for its key.
    #[error(transparent)]
    Object(#[from] ObjectNameError),
    /// Nobody is trusted.
    #[error("no server can be held to its name")]
    Roots(#[from] RootsError),
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It cannot be written.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl Elsewhere {
    /// Whether a text is meant as such, and not as the path of a file here: a word of letters, digits, `+`, `-` and `.`
    /// stands before `://` in it.
    pub fn is_meant(text: &str) -> bool {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        text.split_once("://")
            .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(is_part))
    }

    /// Looks at what is there, to read it.
    ///
    /// # Errors
    ///
    /// If it is not there, or cannot be asked for or read.
    pub async fn source(&self, access: &Access) -> Result<Source, OpenError> {
        Ok(match self {
            Self::Url(place) => {
                let roots = place.roots()?;
                Source::open(place.clone(), roots, Patience::default()).await?
            }
            Self::Object(name) => Source::open_object(&object(name, access)?).await?,
        })
    }

    /// What writes it. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// If nothing says how its bucket is asked.
    pub fn target(&self, access: &Access) -> Result<Target, OpenError> {
        Ok(match self {
            Self::Url(place) => {
                let roots = place.roots()?;
                Target::of_url(place.clone(), roots, Patience::default())
            }
            Self::Object(name) => Target::of_object(object(name, access)?)?,
        })
    }
}

fn object(name: &ObjectName, access: &Access) -> Result<Object, OpenError> {
    let bucket = access.bucket(&name.bucket);
    let bucket = bucket.map_err(|source| OpenError::Access {
        object: name.clone(),
        source,
    })?;
    Ok(Object::new(bucket, &name.key)?)
}

impl FromStr for Elsewhere {
    type Err = ElsewhereError;

    fn from_str(text: &str) -> Result<Self, ElsewhereError> {
        Ok(match ObjectName::is_meant(text) {
            true => Self::Object(text.parse()?),
            false => Self::Url(text.parse()?),
        })
    }
}

/// Without what may open it.
impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(place) => place.fmt(f),
            Self::Object(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_elsewhere_is_told_from_a_file_here() {
        for elsewhere in [
            "https://host/a",
            "s3://mine/a",
            "HTTPS://host/a",
            "ftp://host/a",
        ] {
            assert!(Elsewhere::is_meant(elsewhere), "{elsewhere}");
        }
        for here in [
            "a",
            "/a/b",
            "./https://host/a",
            "a b://c",
            "://a",
            "a:b",
            "é://a",
        ] {
            assert!(!Elsewhere::is_meant(here), "{here}");
        }
    }

    #[test]
    fn what_is_elsewhere_is_shown_as_it_was_named_without_what_opens_it() {
        for (text, shown) in [
            ("https://host/a?key=secret", "https://host/a"),
            ("s3://mine/a?b", "s3://mine/a?b"),
        ] {
            let named: Elsewhere = text.parse().unwrap();
            assert_eq!(named.to_string(), shown);
            assert!(!format!("{named:?}").contains("secret"));
        }
        let refused = "ftp://host/a".parse::<Elsewhere>().unwrap_err();
        assert_eq!(refused, ElsewhereError::Place(PlaceError::Form));
        let refused = "s3://mine".parse::<Elsewhere>().unwrap_err();
        assert_eq!(refused, ElsewhereError::Object(ObjectNameError::Form));
    }
}
