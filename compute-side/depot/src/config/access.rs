//! How buckets of an owner's are asked: by a settings file, and by what the tools of AWS find in the environment.
//!
//! Who has a bucket has those tools set up for it, or what takes their place, so the environment is read by their names.
//! Their own files are not: what is in them may be a role or a sign-on that has to be asked for keys first, which those
//! tools do themselves and put into the environment (`aws configure export-credentials --format env`).

use crate::{
    bucket::{Patience, Roots, RootsError},
    config::{
        Address, AddressError, BucketConfig, Keys, KeysError, REGION, REGION_BYTES_MAX, is_region,
    },
};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Variables with the address of the server, the first of which counts that is there.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// Variables with the region.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The variable with the file of certificates.
const CA_FILE: &str = "AWS_CA_BUNDLE";

/// How an owner's buckets are asked, as it is written. What is not is in the environment, or as AWS has it. Keys are
/// never written there.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The server: `https://HOST[:PORT]`. Else it is the region's of AWS.
    pub endpoint: Option<String>,
    /// The buckets' region, `us-east-1` if nothing says it.
    pub region: Option<String>,
    /// The file with the [keys](Keys).
    pub key_file: Option<PathBuf>,
    /// A file of certificates in PEM, to trust instead of those that this machine trusts.
    pub ca_file: Option<PathBuf>,
}

/// Why buckets cannot be asked so.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The server's address.
    #[error(
        "the endpoint {endpoint:?} is none; write it as https://HOST[:PORT], as `endpoint` of the bucket settings or as \
         AWS_ENDPOINT_URL"
    )]
    Endpoint {
        /// What was said.
        endpoint: String,
        /// What is wrong with it.
        source: AddressError,
    },
    /// The region.
    #[error(
        "the region {region:?} is none; it has letters, digits and -, at most {REGION_BYTES_MAX} of them"
    )]
    Region {
        /// What was said.
        region: String,
    },
    /// The keys.
    #[error("there are no keys for your buckets")]
    Keys(#[from] KeysError),
    /// The certificates.
    #[error("there are no certificates to hold your buckets' server to")]
    Roots(#[from] RootsError),
}

impl Access {
    /// With its files below a folder, where they are not named from the root.
    pub fn within(self, folder: &Path) -> Self {
        let within = |file: PathBuf| folder.join(file);
        Self {
            key_file: self.key_file.map(within),
            ca_file: self.ca_file.map(within),
            ..self
        }
    }

    /// How a bucket is asked. Keys and certificates are read now.
    ///
    /// # Errors
    ///
    /// If something of it is missing or cannot be used.
    pub fn bucket(&self, bucket: &str) -> Result<BucketConfig, AccessError> {
        self.bucket_with(bucket, |name| std::env::var(name).ok())
    }

    fn bucket_with(
        &self,
        bucket: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<BucketConfig, AccessError> {
        // One that is empty is none, as with the tools of AWS.
        let variable = |name: &str| variable(name).filter(|it| !it.is_empty());
        let first = |names: [&str; 2]| names.into_iter().find_map(variable);
        let region = self.region.clone().or_else(|| first(REGIONS));
        let region = region.unwrap_or_else(|| REGION.to_owned());
        if !is_region(&region) {
            return Err(AccessError::Region { region });
        }
        let endpoint = self.endpoint.clone().or_else(|| first(ENDPOINTS));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let ca_file = self.ca_file.clone();
        let address = address(endpoint, bucket)?;
        Ok(BucketConfig {
            keys: match &self.key_file {
                Some(path) => Keys::of_file(path)?,
                None => Keys::of_variables(variable)?,
            },
            roots: match ca_file.or_else(|| variable(CA_FILE).map(PathBuf::from)) {
                Some(path) => Roots::of_file(&path)?,
                None if address.is_plain => Roots::nobody()?,
                None => Roots::of_machine()?,
            },
            address,
            region,
            patience: Patience::default(),
        })
    }
}

/// A bucket of a server, of which nothing else than host and port is said.
fn address(endpoint: String, bucket: &str) -> Result<Address, AccessError> {
    let wrong = |source| AccessError::Endpoint {
        endpoint: endpoint.clone(),
        source,
    };
    let server = endpoint.strip_suffix('/').unwrap_or(&endpoint);
    let address: Address = format!("{server}/{bucket}").parse().map_err(wrong)?;
    match address.bucket == bucket && address.prefix.is_none() {
        true => Ok(address),
        false => Err(wrong(AddressError::Form)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, fs};

    /// Who is asked does not matter, but certificates have to be there.
    fn roots(folder: &Path) -> PathBuf {
        let nobody = rcgen::generate_simple_self_signed(["nobody".to_owned()]).unwrap();
        let path = folder.join("ca.pem");
        fs::write(&path, nobody.cert.pem()).unwrap();
        path
    }

    fn with(access: &Access, variables: &[(&str, &str)]) -> Result<BucketConfig, AccessError> {
        let folder = tempfile::tempdir().unwrap();
        let ca_file = roots(folder.path()).display().to_string();
        let mut all: BTreeMap<_, _> = [
            ("AWS_CA_BUNDLE", &*ca_file),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ]
        .into();
        all.extend(variables.iter().copied());
        access.bucket_with("mine", |name| all.get(name).map(|it| (*it).to_owned()))
    }

    #[test]
    fn the_environment_says_what_the_tools_of_aws_find_there() {
        let bucket = with(&Access::default(), &[]).unwrap();
        assert_eq!(
            bucket.address.to_string(),
            "https://s3.us-east-1.amazonaws.com/mine"
        );
        assert_eq!(bucket.keys, Keys::new("AKIA", "secret", None).unwrap());
        let variables = [
            ("AWS_DEFAULT_REGION", "eu-north-1"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", "https://other"),
            ("AWS_ENDPOINT_URL_S3", ""),
            ("AWS_SESSION_TOKEN", "t"),
        ];
        let bucket = with(&Access::default(), &variables).unwrap();
        assert_eq!(bucket.region, "eu-central-1");
        assert_eq!(bucket.address.to_string(), "https://other/mine");
        assert_eq!(bucket.keys, Keys::new("AKIA", "secret", Some("t")).unwrap());
    }

    #[test]
    fn what_the_settings_say_the_environment_does_not() {
        let text = "endpoint = \"http://127.0.0.1:9000/\"\nregion = \"here\"";
        let access: Access = toml::from_str(text).unwrap();
        let variables = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", "https://other"),
        ];
        let bucket = with(&access, &variables).unwrap();
        assert_eq!(bucket.address.to_string(), "http://127.0.0.1:9000/mine");
        assert_eq!(bucket.region, "here");
        let files: Access = toml::from_str("key_file = \"keys\"\nca_file = \"/ca.pem\"").unwrap();
        let files = files.within(Path::new("folder"));
        assert_eq!(files.key_file, Some("folder/keys".into()));
        assert_eq!(files.ca_file, Some("/ca.pem".into()));
        assert!(toml::from_str::<Access>("secret = \"x\"").is_err());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let endpoint = |endpoint: &str| Access {
            endpoint: Some(endpoint.to_owned()),
            ..Access::default()
        };
        for (wrong, error) in [
            ("http://10.0.0.1:9000", AddressError::Plain),
            ("https://a:b@host", AddressError::Secret),
            ("https://host/path", AddressError::Form),
            ("host", AddressError::Form),
        ] {
            let refused = with(&endpoint(wrong), &[]);
            let is_it = matches!(
                &refused,
                Err(AccessError::Endpoint { source, .. }) if *source == error
            );
            assert!(is_it, "{wrong}: {refused:?}");
        }
        let region = with(&Access::default(), &[("AWS_REGION", "eu central")]);
        assert!(matches!(region, Err(AccessError::Region { .. })));
        let keys = with(&Access::default(), &[("AWS_SECRET_ACCESS_KEY", "")]);
        assert!(matches!(keys, Err(AccessError::Keys(_))));
        let roots = with(&Access::default(), &[("AWS_CA_BUNDLE", "/nowhere/at/all")]);
        assert!(matches!(roots, Err(AccessError::Roots(_))));
    }
}
