//! Where a bucket is.

use http::Uri;
use std::{fmt, net::IpAddr, str::FromStr};

/// Bytes of an address, at most.
const ADDRESS_BYTES_MAX: usize = 1_024;

/// Bytes of a prefix, at most. With the longest name it is far from the 1,024 bytes that a key may have.
const PREFIX_BYTES_MAX: usize = 256;

/// Where a bucket is: server, bucket, and the prefix that all keys of the depot have in it.
///
/// The bucket is always in the path and never a part of the host's name, which every server that speaks S3
/// understands, and which one certificate is enough for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    pub(crate) prefix: Option<String>,
    pub(crate) is_plain: bool,
}

/// Why something is no address of a bucket.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// It is not of that form.
    #[error(
        "write it as https://HOST[:PORT]/BUCKET[/PREFIX], in at most {ADDRESS_BYTES_MAX} bytes"
    )]
    Form,
    /// It names who asks.
    #[error("it has a name or password in it; keys belong into key_file or the environment")]
    Secret,
    /// Everybody on the way could read and change what is said.
    #[error(
        "http is taken to this machine itself alone, as 127.0.0.1 or [::1]; use https, or a proxy here that does"
    )]
    Plain,
    /// The bucket's name.
    #[error(
        "a bucket's name has 3 to 63 of a to z, 0 to 9, - and ., and begins and ends with neither - nor ."
    )]
    Bucket,
    /// The prefix.
    #[error(
        "a prefix has parts of letters, digits, -, _ and . between single /, and at most {PREFIX_BYTES_MAX} bytes"
    )]
    Prefix,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError::Form);
        }
        let uri: Uri = text.parse().map_err(|_| AddressError::Form)?;
        let (scheme, authority) = uri
            .scheme_str()
            .zip(uri.authority())
            .ok_or(AddressError::Form)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::Secret);
        }
        // What stands behind a # is no part of what was parsed.
        if uri.query().is_some() || text.contains('#') || authority.host().is_empty() {
            return Err(AddressError::Form);
        }
        let is_plain = match scheme {
            "https" => false,
            "http" if is_this_machine(authority.host()) => true,
            "http" => return Err(AddressError::Plain),
            _ => return Err(AddressError::Form),
        };
        let path = uri.path().trim_start_matches('/').trim_end_matches('/');
        let (bucket, prefix) = match path.split_once('/') {
            Some((bucket, prefix)) => (bucket, Some(prefix)),
            None => (path, None),
        };
        if !is_bucket(bucket) {
            return Err(AddressError::Bucket);
        }
        if !prefix.is_none_or(is_prefix) {
            return Err(AddressError::Prefix);
        }
        Ok(Self {
            endpoint: format!("{scheme}://{authority}"),
            bucket: bucket.to_owned(),
            prefix: prefix.map(str::to_owned),
            is_plain,
        })
    }
}

impl Address {
    /// The key of something in the bucket.
    pub(crate) fn key(&self, of: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}/{of}"),
            None => of.to_owned(),
        }
    }

    /// What something with that key in the bucket is called; none if it is not below the prefix.
    pub(crate) fn below<'a>(&self, key: &'a str) -> Option<&'a str> {
        match &self.prefix {
            Some(prefix) => key.strip_prefix(prefix.as_str())?.strip_prefix('/'),
            None => Some(key),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.endpoint, self.bucket)?;
        match &self.prefix {
            Some(prefix) => write!(f, "/{prefix}"),
            None => Ok(()),
        }
    }
}

/// Whether a host is this machine itself, whatever its names lead to.
pub(crate) fn is_this_machine(host: &str) -> bool {
    // A name, even `localhost`, may lead anywhere.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// Whether a bucket may be called so.
pub(crate) fn is_bucket(bucket: &str) -> bool {
    let is_end = |byte: Option<u8>| byte.is_some_and(|it| it.is_ascii_alphanumeric());
    (3..=63).contains(&bucket.len())
        && bucket
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'.')
        && is_end(bucket.bytes().next())
        && is_end(bucket.bytes().last())
        && !bucket.contains("..")
}

fn is_prefix(prefix: &str) -> bool {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'))
    };
    prefix.len() <= PREFIX_BYTES_MAX && prefix.split('/').all(is_part)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Address, AddressError> {
        text.parse()
    }

    #[test]
    fn an_address_names_server_bucket_and_prefix() {
        let address = parsed("https://s3.example.org:9000/shards/grid/one/").unwrap();
        assert_eq!(address.endpoint, "https://s3.example.org:9000");
        assert_eq!(address.bucket, "shards");
        assert_eq!(address.key("a/manifest"), "grid/one/a/manifest");
        assert_eq!(address.below("grid/one/a/manifest"), Some("a/manifest"));
        assert_eq!(address.below("grid/oneself/a"), None);
        assert_eq!(
            address.to_string(),
            "https://s3.example.org:9000/shards/grid/one"
        );
        let bare = parsed("https://s3.example.org/shards").unwrap();
        assert_eq!(bare.key("a/manifest"), "a/manifest");
        assert_eq!(bare.below("a/manifest"), Some("a/manifest"));
    }

    #[test]
    fn http_leads_to_this_machine_alone() {
        for here in ["http://127.0.0.1:9000/abc", "http://[::1]:9000/abc"] {
            assert!(parsed(here).unwrap().is_plain);
        }
        for elsewhere in [
            "http://s3.example.org/abc",
            "http://localhost/abc",
            "http://10.0.0.1/abc",
            "http://127.0.0.1.example.org/abc",
        ] {
            assert_eq!(parsed(elsewhere), Err(AddressError::Plain), "{elsewhere}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_what_is_wrong_with_it() {
        for (text, error) in [
            ("", AddressError::Form),
            ("bucket", AddressError::Form),
            ("ftp://host/abc", AddressError::Form),
            ("https:///abc", AddressError::Form),
            ("https://host/abc?x", AddressError::Form),
            ("https://host/abc#x", AddressError::Form),
            ("https://key:secret@host/abc", AddressError::Secret),
            ("https://host", AddressError::Bucket),
            ("https://host/ab", AddressError::Bucket),
            ("https://host/ABC", AddressError::Bucket),
            ("https://host/a..b", AddressError::Bucket),
            ("https://host/-abc", AddressError::Bucket),
            ("https://host/abc//x", AddressError::Prefix),
            ("https://host/abc/../x", AddressError::Prefix),
            ("https://host/abc/a%2fb", AddressError::Prefix),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }
}
