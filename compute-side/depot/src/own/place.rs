//! Where something of an owner's is.

use crate::{
    bucket::{Roots, RootsError},
    config::{Keys, is_this_machine},
    own::Object,
};
use http::{Method, Uri};
use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    client::{HttpRequest, HttpRequestBody},
};
use std::{fmt, str::FromStr, sync::Arc};
use zeroize::Zeroizing;

/// Bytes of a URL, at most.
const URL_BYTES_MAX: usize = 8 * 1024;

/// Where something is, and what it is asked with.
#[derive(Clone, PartialEq, Eq)]
pub struct Place(Arc<Way>);

#[derive(PartialEq, Eq)]
struct Way {
    uri: Uri,
    signed: Option<(Keys, String)>,
}

/// Why something is no place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlaceError {
    /// It is no URL.
    #[error("it is no URL; write it as https://HOST[:PORT]/PATH, in at most {URL_BYTES_MAX} bytes")]
    Form,
    /// It names who asks.
    #[error(
        "a URL with a name or password in it is not taken; have it signed by who gives it out instead"
    )]
    Secret,
    /// Everybody on the way could read and change what comes.
    #[error("http is taken to this machine itself alone, as 127.0.0.1 or [::1]; use https")]
    Plain,
}

impl Place {
    /// An object of an owner's bucket.
    pub fn of_object(object: &Object) -> Self {
        let (keys, region) = (object.bucket.keys.clone(), object.bucket.region.clone());
        Self::of(object.uri.clone(), Some((keys, region)))
    }

    /// All of it, with what may open it: to tell one place from another, and to be shown to nobody.
    pub fn exact(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.uri.to_string())
    }

    /// Whom to believe that they are its server: where it is this machine, nobody has to be.
    pub(crate) fn roots(&self) -> Result<Roots, RootsError> {
        match self.0.uri.scheme_str() {
            Some("http") => Roots::nobody(),
            _ => Roots::of_machine(),
        }
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.0.uri
    }

    fn of(uri: Uri, signed: Option<(Keys, String)>) -> Self {
        Self(Arc::new(Way { uri, signed }))
    }

    /// A request for some bytes, signed where it is to be.
    pub(crate) fn request(&self, range: &str) -> object_store::Result<HttpRequest> {
        let wrong = |error: http::Error| object_store::Error::Generic {
            store: "URL",
            source: error.into(),
        };
        let mut request = http::Request::builder()
            .method(Method::GET)
            .uri(self.0.uri.clone())
            .header(http::header::RANGE, range)
            .body(HttpRequestBody::empty())
            .map_err(wrong)?;
        if let Some((keys, region)) = &self.0.signed {
            let credential = AwsCredential {
                key_id: keys.id.to_string(),
                secret_key: keys.secret.to_string(),
                token: keys.session.as_ref().map(|it| it.to_string()),
            };
            AwsAuthorizer::new(&credential, "s3", region).try_authorize(&mut request, None)?;
        }
        Ok(request)
    }

    /// Where an answer leads on to. What is signed is sent nowhere else.
    pub(crate) fn redirected(&self, to: &str) -> Option<Self> {
        if self.0.signed.is_some() {
            return None;
        }
        // `//HOST/PATH` is no path.
        match to.starts_with('/') && !to.starts_with("//") {
            false => to.parse().ok(),
            true => {
                let authority = self.0.uri.authority()?;
                let scheme = self.0.uri.scheme_str()?;
                format!("{scheme}://{authority}{to}").parse().ok()
            }
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if text.len() > URL_BYTES_MAX {
            return Err(PlaceError::Form);
        }
        let uri: Uri = text.parse().map_err(|_| PlaceError::Form)?;
        let authority = uri.authority().ok_or(PlaceError::Form)?;
        if authority.as_str().contains('@') {
            return Err(PlaceError::Secret);
        }
        match uri.scheme_str() {
            Some("https") if !authority.host().is_empty() => {}
            Some("http") if is_this_machine(authority.host()) => {}
            Some("http") => return Err(PlaceError::Plain),
            _ => return Err(PlaceError::Form),
        }
        Ok(Self::of(uri, None))
    }
}

/// Without what stands behind a `?`: it may be what opens the place.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.uri.scheme_str().unwrap_or_default();
        let authority = self.0.uri.authority().map_or("", |it| it.as_str());
        write!(f, "{scheme}://{authority}{}", self.0.uri.path())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{BucketConfig, Patience};

    fn object(address: &str, key: &str) -> Place {
        let bucket = BucketConfig {
            address: address.parse().unwrap(),
            region: "r".to_owned(),
            keys: Keys::new("a", "b", None).unwrap(),
            roots: Roots::nobody().unwrap(),
            patience: Patience::default(),
        };
        Place::of_object(&Object::new(bucket, key).unwrap())
    }

    fn parsed(text: &str) -> Result<String, PlaceError> {
        text.parse().map(|place: Place| place.to_string())
    }

    #[test]
    fn a_place_is_shown_without_what_opens_it() {
        let shown = parsed("https://host:8443/a/b.bin?token=secret").unwrap();
        assert_eq!(shown, "https://host:8443/a/b.bin");
    }

    #[test]
    fn what_is_no_place_is_refused_by_what_is_wrong_with_it() {
        for (text, error) in [
            ("a file", PlaceError::Form),
            ("/a/b", PlaceError::Form),
            ("ftp://host/a", PlaceError::Form),
            ("https://a:b@host/a", PlaceError::Secret),
            ("http://host/a", PlaceError::Plain),
            ("http://localhost/a", PlaceError::Plain),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_answer_leads_on_to_places_alone_and_takes_no_signature_along() {
        let place: Place = "https://host/a".parse().unwrap();
        let to = |to| place.redirected(to).map(|it| it.to_string());
        assert_eq!(to("/b?c"), Some("https://host/b".to_owned()));
        assert_eq!(to("https://other/b"), Some("https://other/b".to_owned()));
        assert_eq!(to("http://other/b"), None);
        assert_eq!(to("//other/b"), None);
        assert_eq!(to("file:///etc/passwd"), None);
        let object = object("https://host/bucket", "key");
        assert!(object.redirected("https://other/b").is_none());
    }

    #[test]
    fn an_object_is_where_its_key_leads_whatever_is_in_that() {
        let place = object("https://host:9000/bucket", "day=1/frames 2+ä%.bin");
        let encoded = "https://host:9000/bucket/day%3D1/frames%202%2B%C3%A4%25.bin";
        assert_eq!(place.to_string(), encoded);
        assert_eq!(*place.exact(), encoded);
    }
}
