//! An object of an owner's bucket.

use crate::{BucketConfig, config::is_bucket};
use http::Uri;
use std::{fmt, str::FromStr};

/// Bytes of a key, at most, as S3 has it.
const KEY_BYTES_MAX: usize = 1_024;

/// How objects are named, as the tools of AWS have it.
const SCHEME: &str = "s3://";

/// What an object is called: `s3://BUCKET/KEY`. On which server the bucket is, it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

/// Why something is no name of an object.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ObjectNameError {
    /// It is not of that form.
    #[error("write an object of a bucket as s3://BUCKET/KEY")]
    Form,
    /// The bucket's name.
    #[error(
        "a bucket's name has 3 to 63 of a to z, 0 to 9, - and ., and begins and ends with neither - nor ."
    )]
    Bucket,
    /// The key.
    #[error(
        "a key has at most {KEY_BYTES_MAX} bytes, none of them a control character, and between its / neither nothing nor . nor .."
    )]
    Key,
}

impl ObjectName {
    /// Whether a text is meant as such.
    pub(crate) fn is_meant(text: &str) -> bool {
        let scheme = text.get(..SCHEME.len());
        scheme.is_some_and(|it| it.eq_ignore_ascii_case(SCHEME))
    }
}

impl FromStr for ObjectName {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, ObjectNameError> {
        let name = match Self::is_meant(text) {
            true => text.get(SCHEME.len()..),
            false => None,
        };
        let name = name.and_then(|it| it.split_once('/'));
        let (bucket, key) = name.ok_or(ObjectNameError::Form)?;
        if !is_bucket(bucket) {
            return Err(ObjectNameError::Bucket);
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: checked(key)?.to_owned(),
        })
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

/// An object, and how its bucket is asked.
#[derive(Clone, Debug)]
pub struct Object {
    pub(crate) bucket: BucketConfig,
    pub(crate) key: String,
    pub(crate) uri: Uri,
}

impl Object {
    /// The object with that key, below the prefix of the bucket's address if that has one.
    ///
    /// # Errors
    ///
    /// If no object has such a key.
    pub fn new(bucket: BucketConfig, key: &str) -> Result<Self, ObjectNameError> {
        let key = bucket.address.key(checked(key)?);
        let address = &bucket.address;
        let url = format!(
            "{}/{}/{}",
            address.endpoint,
            address.bucket,
            encoded(checked(&key)?)
        );
        Ok(Self {
            uri: url.parse().map_err(|_| ObjectNameError::Key)?,
            bucket,
            key,
        })
    }
}

/// A key in a URL: everything but letters, digits and `-._~/` is `%` and two digits, as S3 has it signed.
fn encoded(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn checked(key: &str) -> Result<&str, ObjectNameError> {
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_key = key.len() <= KEY_BYTES_MAX
        && key.split('/').all(is_part)
        && !key.chars().any(char::is_control);
    match is_key {
        true => Ok(key),
        false => Err(ObjectNameError::Key),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<ObjectName, ObjectNameError> {
        text.parse()
    }

    #[test]
    fn an_object_is_named_as_the_tools_of_aws_name_it() {
        let name = parsed("s3://mine/day=1/frames 2.bin").unwrap();
        assert_eq!((&*name.bucket, &*name.key), ("mine", "day=1/frames 2.bin"));
        assert_eq!(name.to_string(), "s3://mine/day=1/frames 2.bin");
        assert_eq!(parsed("S3://mine/k").unwrap().to_string(), "s3://mine/k");
    }

    #[test]
    fn what_names_no_object_is_refused_by_what_is_wrong_with_it() {
        let long = format!("s3://mine/{}", "k".repeat(1_025));
        for (text, error) in [
            ("mine/k", ObjectNameError::Form),
            ("s3:/mine/k", ObjectNameError::Form),
            ("s3://mine", ObjectNameError::Form),
            ("s3://Mine/k", ObjectNameError::Bucket),
            ("s3://user:password@host/k", ObjectNameError::Bucket),
            ("s3://mine/", ObjectNameError::Key),
            ("s3://mine//k", ObjectNameError::Key),
            ("s3://mine/a/", ObjectNameError::Key),
            ("s3://mine/a/../b", ObjectNameError::Key),
            ("s3://mine/a\nb", ObjectNameError::Key),
            (&long, ObjectNameError::Key),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }
}
