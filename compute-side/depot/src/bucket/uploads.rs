//! Which uploads were begun and not ended: `ListMultipartUploads`, which `object_store` does not ask. Without it nobody
//! would ever find an upload whose first answer was lost, and whoever owns the bucket would pay for its parts.

use crate::{
    BucketConfig,
    bucket::line::{Line, may_pass, status_of},
};
use http::{Method, StatusCode};
use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    client::{HttpRequest, HttpRequestBody, HttpService as _},
};
use serde::Deserialize;

/// Uploads in one answer, at most, as S3 has it.
pub const UPLOADS_MAX: usize = 1_000;

/// Bytes of a key, at most, as S3 has it.
const KEY_BYTES_MAX: usize = 1_024;

/// Bytes of an upload's own name, at most.
const UPLOAD_ID_BYTES_MAX: usize = 1_024;

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The key that the object is to have in the bucket.
    pub key: String,
    /// What the server calls it.
    pub id: String,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uploads {
    pub(crate) uploads: Vec<Upload>,
    /// There are more.
    pub(crate) is_cut: bool,
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum UploadsError {
    /// The server does not know the question.
    #[error("the server answers {status}")]
    Status {
        /// With that.
        status: StatusCode,
    },
    /// It is no such list.
    #[error("the answer is no list of uploads")]
    Xml(#[source] quick_xml::DeError),
    /// It is too long, or something in it is.
    #[error(
        "the answer has more than {UPLOADS_MAX} uploads, or a name of more than {UPLOAD_ID_BYTES_MAX} bytes"
    )]
    TooMuch,
}

/// Why there is no list.
#[derive(Debug)]
pub(crate) enum ListError {
    Answer(UploadsError),
    Asking(Box<dyn std::error::Error + Send + Sync>),
}

/// What `ListMultipartUploads` answers, as bytes: the uploads, and whether there are more.
///
/// # Errors
///
/// If it is no such answer, or has more than a server of S3 says.
pub fn read_uploads(answer: &[u8]) -> Result<(Vec<Upload>, bool), UploadsError> {
    let listed: Listed = quick_xml::de::from_reader(answer).map_err(UploadsError::Xml)?;
    let is_too_much = listed.upload.len() > UPLOADS_MAX
        || listed
            .upload
            .iter()
            .any(|it| it.key.len() > KEY_BYTES_MAX || it.upload_id.len() > UPLOAD_ID_BYTES_MAX);
    if is_too_much {
        return Err(UploadsError::TooMuch);
    }
    let uploads = listed.upload.into_iter().map(|it| Upload {
        key: it.key,
        id: it.upload_id,
    });
    Ok((uploads.collect(), listed.is_truncated))
}

#[derive(Deserialize)]
#[serde(rename = "ListMultipartUploadsResult", rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    upload: Vec<ListedUpload>,
    #[serde(default)]
    is_truncated: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedUpload {
    key: String,
    upload_id: String,
}

/// The first uploads below the depot's prefix.
pub(crate) async fn list(line: &Line, config: &BucketConfig) -> Result<Uploads, ListError> {
    let mut wait = config.patience.first_wait;
    let mut tries_left = config.patience.retries;
    loop {
        let error = match ask(line, config).await {
            Ok(uploads) => return Ok(uploads),
            Err(error) => error,
        };
        let may_pass = match &error {
            ListError::Asking(_) => true,
            ListError::Answer(UploadsError::Status { status }) => may_pass(*status),
            ListError::Answer(_) => false,
        };
        if !may_pass || tries_left == 0 {
            return Err(error);
        }
        tries_left -= 1;
        tokio::time::sleep(wait).await;
        wait = wait.saturating_mul(2).min(config.patience.longest_wait);
    }
}

async fn ask(line: &Line, config: &BucketConfig) -> Result<Uploads, ListError> {
    let answer = match line.call(request(config)?).await {
        Ok(answer) => answer,
        Err(error) => {
            return Err(match status_of(&error) {
                Some(status) => ListError::Answer(UploadsError::Status { status }),
                None => asking(error),
            });
        }
    };
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(ListError::Answer(UploadsError::Status { status }));
    }
    let answer = answer.into_body().bytes().await.map_err(asking)?;
    let (uploads, is_cut) = read_uploads(&answer).map_err(ListError::Answer)?;
    Ok(Uploads { uploads, is_cut })
}

fn request(config: &BucketConfig) -> Result<HttpRequest, ListError> {
    let address = &config.address;
    let mut url = format!("{}/{}?uploads=", address.endpoint, address.bucket);
    if let Some(prefix) = &address.prefix {
        // Nothing else in a prefix has a meaning of its own there.
        url.push_str(&format!("&prefix={}%2F", prefix.replace('/', "%2F")));
    }
    let mut request = http::Request::builder()
        .method(Method::GET)
        .uri(url)
        .body(HttpRequestBody::empty())
        .map_err(asking)?;
    let credential = AwsCredential {
        key_id: config.keys.id.to_string(),
        secret_key: config.keys.secret.to_string(),
        token: config.keys.session.as_ref().map(|it| it.to_string()),
    };
    AwsAuthorizer::new(&credential, "s3", &config.region)
        .try_authorize(&mut request, None)
        .map_err(asking)?;
    Ok(request)
}

fn asking(error: impl std::error::Error + Send + Sync + 'static) -> ListError {
    ListError::Asking(Box::new(error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the documentation of S3 shows it, shortened.
    const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>bucket</Bucket>
  <KeyMarker/>
  <NextKeyMarker>my-movie.m2ts</NextKeyMarker>
  <MaxUploads>2</MaxUploads>
  <IsTruncated>true</IsTruncated>
  <Upload>
    <Key>my-divisor</Key>
    <UploadId>XMgbGlrZSBlbHZpbmcncyBub3QgaGF2aW5nIG11Y2ggbHVjaw</UploadId>
    <Initiator><ID>arn:aws:iam::1:user/a</ID><DisplayName>a</DisplayName></Initiator>
    <StorageClass>STANDARD</StorageClass>
    <Initiated>2010-11-10T20:48:33.000Z</Initiated>
  </Upload>
  <CommonPrefixes><Prefix>x/</Prefix></CommonPrefixes>
  <Upload><Key>a&amp;b</Key><UploadId>2</UploadId></Upload>
</ListMultipartUploadsResult>"#;

    #[test]
    fn an_answer_names_uploads_and_says_whether_there_are_more() {
        let (uploads, is_cut) = read_uploads(ANSWER.as_bytes()).unwrap();
        let keys: Vec<&str> = uploads.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys, ["my-divisor", "a&b"]);
        assert!(is_cut);
        let none = "<ListMultipartUploadsResult></ListMultipartUploadsResult>";
        assert_eq!(read_uploads(none.as_bytes()).unwrap(), (vec![], false));
    }

    #[test]
    fn an_answer_with_more_than_s3_says_is_refused() {
        let upload = |key: &str| format!("<Upload><Key>{key}</Key><UploadId>1</UploadId></Upload>");
        let all = |uploads: String| {
            format!("<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>")
        };
        let most = all(upload("k").repeat(UPLOADS_MAX));
        assert_eq!(read_uploads(most.as_bytes()).unwrap().0.len(), UPLOADS_MAX);
        for much in [
            upload("k").repeat(UPLOADS_MAX + 1),
            upload(&"k".repeat(1_025)),
        ] {
            let refused = read_uploads(all(much).as_bytes());
            assert!(matches!(refused, Err(UploadsError::TooMuch)));
        }
    }

    proptest! {
        #[test]
        fn an_answer_of_any_bytes_is_a_list_or_refused(answer: Vec<u8>) {
            let _ = read_uploads(&answer);
        }

        #[test]
        fn an_answer_that_was_changed_somewhere_is_a_list_or_refused(
            at in 0..ANSWER.len(),
            cut in 0..64_usize,
            with in proptest::collection::vec(any::<u8>(), 0..16),
        ) {
            let mut answer = ANSWER.as_bytes().to_vec();
            let end = (at + cut).min(answer.len());
            answer.splice(at..end, with);
            if let Ok((uploads, _)) = read_uploads(&answer) {
                prop_assert!(uploads.len() <= UPLOADS_MAX);
            }
        }
    }
}
