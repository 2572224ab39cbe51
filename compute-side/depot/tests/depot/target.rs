//! What owners have written elsewhere: objects of their buckets on `s3s-fs`, and URLs that take a file.

use crate::world::{World, bytes, soon};
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use quern_bucket_server::{Answer, Proxy, Server, Trouble, full};
use quern_depot::{
    Address, BucketConfig, Object, PART_BYTES, PUT_BYTES_MAX, Place, Target, TargetError,
};
use std::{
    fs::{self, File},
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::net::TcpListener;

const KEY: &str = "results/of day=1.bin";
const ALWAYS: usize = usize::MAX;
const BEGIN: (&str, &str) = ("POST", "?uploads");
const PUT_PART: (&str, &str) = ("PUT", "partNumber=");
const COMPLETE: (&str, &str) = ("POST", "uploadId=");
const PUT: (&str, &str) = ("PUT", "");

/// A file to be written, and a bucket to write it to.
struct Owner {
    folder: TempDir,
    server: Server,
}

impl Owner {
    async fn with(bytes: &Bytes) -> Self {
        let owner = Self {
            folder: tempfile::tempdir().unwrap(),
            server: Server::start().await,
        };
        fs::write(owner.file(), bytes).unwrap();
        owner
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    fn target(&self) -> Target {
        self.target_with(|_| {})
    }

    fn target_with(&self, change: impl FnOnce(&mut BucketConfig)) -> Target {
        let mut bucket = World::bucket_of(&self.server);
        change(&mut bucket);
        Target::of_object(Object::new(bucket, KEY).unwrap()).unwrap()
    }

    async fn put(&self) -> Result<u64, TargetError> {
        soon(self.target().put(&self.file(), |_, _| {})).await
    }

    /// What the bucket has.
    fn object(&self) -> Option<Vec<u8>> {
        fs::read(self.server.objects().join(KEY)).ok()
    }

    /// That nothing of an upload is left, whether or not it came to its end.
    fn has_no_upload(&self) {
        assert_eq!(self.server.uploads.count(), 0, "an upload was not ended");
    }
}

fn long() -> Bytes {
    bytes(2 * PART_BYTES + 1_000)
}

#[tokio::test]
async fn a_file_becomes_an_object_and_takes_the_place_of_the_one_before() {
    for bytes in [long(), bytes(1_000), Bytes::new()] {
        let owner = Owner::with(&bytes).await;
        let path = owner.server.objects().join(KEY);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "before").unwrap();
        let target = owner.target();
        soon(target.check()).await.unwrap();
        assert_eq!(owner.object().unwrap(), b"before", "asking changes nothing");
        owner.has_no_upload();
        let mut told = Vec::new();
        let file = owner.file();
        let put = target.put(&file, |sent, all| told.push((sent, all)));
        assert_eq!(soon(put).await.unwrap(), bytes.len() as u64);
        assert!(owner.object().unwrap() == bytes);
        assert!(told.is_sorted());
        let all = bytes.len() as u64;
        assert_eq!(told.last(), Some(&(all, all)));
        owner.has_no_upload();
    }
}

#[tokio::test]
async fn a_bucket_that_fails_a_few_times_takes_it_and_one_that_goes_on_has_nothing() {
    for (asked, trouble) in [
        (BEGIN, Trouble::Broken),
        (PUT_PART, Trouble::Broken),
        (PUT_PART, Trouble::Answered(503, "")),
        (COMPLETE, Trouble::Answered(500, "")),
    ] {
        let owner = Owner::with(&long()).await;
        owner.server.proxy.plan(asked, 0, 2, trouble.clone());
        owner.put().await.unwrap();
        assert!(owner.object().unwrap() == long(), "{trouble:?}");
        fs::remove_file(owner.server.objects().join(KEY)).unwrap();
        owner.server.proxy.plan(asked, 0, ALWAYS, trouble.clone());
        let error = owner.put().await.unwrap_err();
        assert!(matches!(error, TargetError::Failed { .. }), "{error:?}");
        assert_eq!(owner.object(), None, "{trouble:?}");
        owner.has_no_upload();
        owner.server.proxy.calm();
        owner.put().await.unwrap();
        assert!(owner.object().unwrap() == long());
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_failure_and_one_that_lies_is() {
    let owner = Owner::with(&long()).await;
    owner.server.proxy.plan(COMPLETE, 0, 1, Trouble::AnswerLost);
    owner.put().await.unwrap();
    assert!(owner.object().unwrap() == long());
    fs::write(owner.file(), bytes(2 * PART_BYTES + 7)).unwrap();
    let done = "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";
    owner
        .server
        .proxy
        .plan(COMPLETE, 0, 1, Trouble::Answered(200, done));
    let error = owner.put().await.unwrap_err();
    assert!(matches!(error, TargetError::Other { .. }), "{error:?}");
    assert!(
        owner.object().unwrap() == long(),
        "what was there before stays"
    );
    owner.has_no_upload();
}

#[tokio::test]
async fn a_file_that_changes_while_it_goes_is_no_object() {
    let owner = Owner::with(&long()).await;
    let file = owner.file();
    let changes = move || {
        let mut changed = long().to_vec();
        changed[PART_BYTES + 1] ^= 1;
        fs::write(&file, changed).unwrap();
    };
    owner
        .server
        .proxy
        .plan(BEGIN, 0, 1, Trouble::Meanwhile(Arc::new(changes)));
    let error = owner.put().await.unwrap_err();
    assert!(matches!(error, TargetError::Changed { .. }), "{error:?}");
    assert_eq!(owner.object(), None);
    owner.has_no_upload();
    let nowhere = owner.folder.path().join("nowhere");
    let error = soon(owner.target().put(&nowhere, |_, _| {})).await;
    assert!(matches!(error, Err(TargetError::Disk(_))), "{error:?}");
}

#[tokio::test]
async fn wrong_keys_and_a_bucket_that_is_not_there_are_told_before_anything_is_written() {
    let owner = Owner::with(&long()).await;
    let wrong = owner.target_with(|bucket| bucket.keys = crate::world::wrong_keys());
    let nowhere: Address = owner.server.url("http", "nowhere").parse().unwrap();
    let nowhere = owner.target_with(|bucket| bucket.address = nowhere);
    for asked in [
        soon(wrong.check()).await.map(|()| 0),
        soon(wrong.put(&owner.file(), |_, _| {})).await,
    ] {
        assert!(
            matches!(asked, Err(TargetError::Refused { .. })),
            "{asked:?}"
        );
    }
    for asked in [
        soon(nowhere.check()).await.map(|()| 0),
        soon(nowhere.put(&owner.file(), |_, _| {})).await,
    ] {
        assert!(
            matches!(asked, Err(TargetError::Nowhere { .. })),
            "{asked:?}"
        );
    }
    let gone: Address = "http://127.0.0.1:1/mine".parse().unwrap();
    let gone = owner.target_with(|bucket| bucket.address = gone);
    let asked = soon(gone.check()).await;
    assert!(
        matches!(asked, Err(TargetError::Failed { .. })),
        "{asked:?}"
    );
    assert_eq!(owner.object(), None);
}

/// A server that takes files at URLs.
#[derive(Clone)]
struct Taking {
    url: String,
    taken: Arc<Mutex<Option<Bytes>>>,
    proxy: Proxy,
}

impl Taking {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let taking = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            taken: Arc::default(),
            proxy: Proxy::default(),
        };
        tokio::spawn(taking.clone().accept(listener));
        taking
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((tcp, _)) = listener.accept().await {
            let taking = self.clone();
            let answered = service_fn(move |request: Request<Incoming>| {
                let taking = taking.clone();
                async move {
                    let proxy = taking.proxy.clone();
                    let asked = |request| taking.answer(request).boxed();
                    proxy.answer(request, asked).await
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), answered));
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Answer {
        let answer = |status: StatusCode| {
            let to = (header::LOCATION, "https://example.org/elsewhere");
            let answer = Response::builder().status(status).header(to.0, to.1);
            answer.body(full(Bytes::new())).unwrap()
        };
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length: u64 = length.unwrap().to_str().unwrap().parse().unwrap();
        match request.uri().to_string().as_str() {
            "/taken?signed" => {}
            path => return answer(path.trim_matches('/').parse().unwrap()),
        }
        // A body that breaks off is none.
        let Ok(body) = request.into_body().collect().await else {
            return answer(StatusCode::BAD_REQUEST);
        };
        let body = body.to_bytes();
        assert_eq!(body.len() as u64, length);
        *self.taken.lock().unwrap() = Some(body);
        answer(StatusCode::CREATED)
    }

    fn target(&self, path: &str, owner: &Owner) -> Target {
        let place: Place = format!("{}{path}", self.url).parse().unwrap();
        let BucketConfig {
            roots, patience, ..
        } = World::bucket_of(&owner.server);
        Target::of_url(place, roots, patience)
    }

    fn taken(&self) -> Option<Bytes> {
        self.taken.lock().unwrap().take()
    }
}

#[tokio::test]
async fn a_file_goes_to_a_url_that_takes_it_whole() {
    let taking = Taking::start().await;
    for bytes in [bytes(3_000_000), bytes(1), Bytes::new()] {
        let owner = Owner::with(&bytes).await;
        let file = owner.file();
        let target = taking.target("/taken?signed", &owner);
        soon(target.check()).await.unwrap();
        for trouble in [
            None,
            Some(Trouble::Broken),
            Some(Trouble::AnswerLost),
            Some(Trouble::Answered(503, "")),
        ] {
            if let Some(trouble) = trouble.clone() {
                taking.proxy.plan(PUT, 0, 2, trouble);
            }
            let mut last = None;
            let put = target.put(&file, |sent, all| last = Some((sent, all)));
            let all = bytes.len() as u64;
            assert_eq!(soon(put).await.unwrap(), all, "{trouble:?}");
            assert_eq!(last, Some((all, all)));
            assert!(taking.taken().unwrap() == bytes);
        }
    }
}

#[tokio::test]
async fn a_url_that_takes_nothing_says_why() {
    let taking = Taking::start().await;
    let owner = Owner::with(&bytes(10)).await;
    type IsIt = fn(&TargetError) -> bool;
    let answers: [(&str, IsIt); 7] = [
        ("/404", |it| matches!(it, TargetError::Nowhere { .. })),
        ("/403", |it| matches!(it, TargetError::Refused { .. })),
        ("/307", |it| matches!(it, TargetError::Redirected { .. })),
        ("/405", |it| matches!(it, TargetError::Answer { .. })),
        ("/202", |it| matches!(it, TargetError::Answer { .. })),
        ("/501", |it| matches!(it, TargetError::Answer { .. })),
        ("/503", |it| matches!(it, TargetError::Failed { .. })),
    ];
    for (path, is_it) in answers {
        let target = taking.target(path, &owner);
        let error = soon(target.put(&owner.file(), |_, _| {}))
            .await
            .unwrap_err();
        assert!(is_it(&error), "{path}: {error:?}");
        assert!(!error.to_string().contains('?'), "{error}");
    }
    let long = File::create(owner.file()).unwrap();
    long.set_len(PUT_BYTES_MAX + 1).unwrap();
    let target = taking.target("/taken?signed", &owner);
    let error = soon(target.put(&owner.file(), |_, _| {}))
        .await
        .unwrap_err();
    assert!(matches!(error, TargetError::TooLong { .. }), "{error:?}");
    assert_eq!(taking.taken(), None);
}
