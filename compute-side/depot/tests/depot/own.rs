//! What owners have elsewhere: objects of their buckets on `s3s-fs`, and files at URLs of a server that is as poor as a
//! test wants it.

use crate::world::{World, bytes, soon};
use bytes::Bytes;
use futures::{FutureExt as _, TryStreamExt as _, future};
use http::{Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use quern_bucket_server::{Answer, Proxy, Server, Trouble, full};
use quern_depot::{Address, BucketConfig, Keys, Place, Source, SourceError};
use std::{
    fs,
    ops::Range,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

/// What a server has, and what it says of it.
#[derive(Clone)]
struct Served {
    bytes: Bytes,
    headers: Vec<(&'static str, &'static str)>,
    gives_ranges: bool,
    /// From `/from` it leads there.
    leads: String,
}

/// A server of files.
#[derive(Clone)]
struct Files {
    url: String,
    served: Arc<Mutex<Served>>,
    proxy: Proxy,
}

impl Files {
    async fn start(bytes: Bytes) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let files = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            served: Arc::new(Mutex::new(Served {
                bytes,
                headers: vec![("etag", "\"one\"")],
                gives_ranges: true,
                leads: String::new(),
            })),
            proxy: Proxy::default(),
        };
        tokio::spawn(files.clone().accept(listener));
        files
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((tcp, _)) = listener.accept().await {
            let files = self.clone();
            let answered = service_fn(move |request: Request<Incoming>| {
                let files = files.clone();
                async move {
                    let asked = |request| future::ready(files.answer(&request)).boxed();
                    files.proxy.answer(request, asked).await
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), answered));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Served)) {
        change(&mut self.served.lock().unwrap());
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let served = self.served.lock().unwrap();
        let answer = Response::builder();
        let (mut answer, body) = match (request.uri().path(), ranged(request)) {
            ("/from", _) => {
                let answer = answer.status(302).header(header::LOCATION, &served.leads);
                (answer, Bytes::new())
            }
            ("/file", Some(range)) if served.gives_ranges => {
                let all = served.bytes.len();
                match range.end <= all {
                    false => (answer.status(416), Bytes::new()),
                    true => {
                        let is = format!("bytes {}-{}/{all}", range.start, range.end - 1);
                        let answer = answer.status(206).header(header::CONTENT_RANGE, is);
                        (answer, served.bytes.slice(range))
                    }
                }
            }
            ("/file", _) => (answer, served.bytes.clone()),
            _ => (answer.status(404), Bytes::new()),
        };
        for (name, value) in &served.headers {
            answer = answer.header(*name, *value);
        }
        answer.body(full(body)).unwrap()
    }

    async fn open(&self, path: &str) -> Result<Source, SourceError> {
        let place = format!("{}{path}", self.url).parse().unwrap();
        open(place, &Server::start().await).await
    }
}

fn ranged(request: &Request<Incoming>) -> Option<Range<usize>> {
    let range = request.headers().get(header::RANGE)?.to_str().unwrap();
    let (first, last) = range
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    Some(first.parse().unwrap()..last.parse::<usize>().unwrap() + 1)
}

async fn open(place: Place, server: &Server) -> Result<Source, SourceError> {
    let BucketConfig {
        roots, patience, ..
    } = World::bucket_of(server);
    soon(Source::open(place, roots, patience)).await
}

async fn read(source: &Source, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
    let read: Vec<Bytes> = soon(source.read(range).try_collect()).await?;
    Ok(read.concat())
}

async fn all(source: &Source) -> Result<Vec<u8>, SourceError> {
    read(source, 0..source.bytes()).await
}

/// An object in a bucket of an owner's.
async fn object(bytes: &Bytes) -> (Server, Place) {
    let server = Server::start().await;
    fs::create_dir_all(server.objects().join("input")).unwrap();
    fs::write(server.objects().join("input/frames.bin"), bytes).unwrap();
    let place = place(&server, World::bucket_of(&server).keys);
    (server, place)
}

fn place(server: &Server, keys: Keys) -> Place {
    let url = format!("{}/input/frames.bin", server.url("http", "shards"));
    let address: Address = url.parse().unwrap();
    Place::of_object(address, keys, "us-east-1").unwrap()
}

const GET: (&str, &str) = ("GET", "");

#[tokio::test]
async fn an_object_of_ones_own_bucket_is_read_and_goes_on_where_it_broke() {
    let bytes = bytes(3_000_000);
    for trouble in [
        None,
        Some(Trouble::CutAfter(1_200_000)),
        Some(Trouble::EndsAfter(1_200_000)),
        Some(Trouble::CutAfter(0)),
        Some(Trouble::Broken),
        Some(Trouble::Answered(503, "")),
    ] {
        let (server, place) = object(&bytes).await;
        let source = open(place, &server).await.unwrap();
        assert_eq!(source.bytes(), 3_000_000);
        if let Some(trouble) = trouble.clone() {
            server.proxy.plan(GET, 0, 2, trouble);
        }
        assert!(all(&source).await.unwrap() == bytes, "{trouble:?}");
        let some = read(&source, 1_000..2_000).await.unwrap();
        assert_eq!(some, bytes[1_000..2_000]);
        assert!(read(&source, 7..7).await.unwrap().is_empty());
        source.is_unchanged().await.unwrap();
    }
}

#[tokio::test]
async fn what_never_comes_ends_and_what_goes_on_and_on_comes() {
    let bytes = bytes(3_000_000);
    let (server, place) = object(&bytes).await;
    let source = open(place, &server).await.unwrap();
    server
        .proxy
        .plan(GET, 0, usize::MAX, Trouble::CutAfter(1_000));
    let error = all(&source).await.unwrap_err();
    assert!(matches!(error, SourceError::Broken { .. }), "{error:?}");
    server.proxy.calm();
    // Thrice as many breaks as there are tries without anything new.
    server
        .proxy
        .plan(GET, 0, usize::MAX, Trouble::CutAfter(350_000));
    assert!(all(&source).await.unwrap() == bytes);
}

#[tokio::test]
async fn what_is_not_there_not_given_or_asked_for_beyond_its_end_is_told_apart() {
    let (server, there) = object(&bytes(10)).await;
    let wrong = place(&server, crate::world::wrong_keys());
    let error = open(wrong, &server).await.unwrap_err();
    assert!(matches!(error, SourceError::Refused { .. }), "{error:?}");
    let source = open(there.clone(), &server).await.unwrap();
    let error = read(&source, 5..11).await.unwrap_err();
    assert!(matches!(
        error,
        SourceError::Short {
            bytes: 10,
            end: 11,
            ..
        }
    ));
    fs::remove_file(server.objects().join("input/frames.bin")).unwrap();
    let error = open(there, &server).await.unwrap_err();
    assert!(matches!(error, SourceError::Missing { .. }), "{error:?}");
    let error = source.is_unchanged().await.unwrap_err();
    assert!(matches!(error, SourceError::Missing { .. }), "{error:?}");

    let files = Files::start(bytes(10)).await;
    type IsIt = fn(&SourceError) -> bool;
    let answers: [(u16, IsIt); 5] = [
        (410, |it| matches!(it, SourceError::Missing { .. })),
        (401, |it| matches!(it, SourceError::Refused { .. })),
        (400, |it| {
            matches!(
                it,
                SourceError::Answer {
                    status: StatusCode::BAD_REQUEST,
                    ..
                }
            )
        }),
        (503, |it| matches!(it, SourceError::Broken { .. })),
        (429, |it| matches!(it, SourceError::Broken { .. })),
    ];
    for (status, is_it) in answers {
        files
            .proxy
            .plan(GET, 0, usize::MAX, Trouble::Answered(status, ""));
        let error = files.open("/file").await.unwrap_err();
        assert!(is_it(&error), "{error:?}");
        files.proxy.calm();
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_noticed() {
    let old = bytes(500_000);
    let versions: [fn(&mut Served); 3] = [
        |served| served.headers = vec![("etag", "\"two\"")],
        |served| served.headers = vec![],
        |served| served.bytes = served.bytes.slice(1..),
    ];
    for change in versions {
        let files = Files::start(old.clone()).await;
        let source = files.open("/file").await.unwrap();
        files.proxy.plan(GET, 0, 1, Trouble::CutAfter(100_000));
        let changed = {
            let files = files.clone();
            move || files.change(change)
        };
        files
            .proxy
            .plan(GET, 0, 1, Trouble::Meanwhile(Arc::new(changed)));
        let error = all(&source).await.unwrap_err();
        let is_noticed = matches!(
            error,
            SourceError::Changed { .. } | SourceError::NoVersion { .. }
        );
        assert!(is_noticed, "{error:?}");
        assert!(source.is_unchanged().await.is_err());
    }
}

#[tokio::test]
async fn a_server_that_gives_all_or_nothing_is_read_unless_it_breaks() {
    let bytes = bytes(500_000);
    let files = Files::start(bytes.clone()).await;
    files.change(|served| served.gives_ranges = false);
    let source = files.open("/file").await.unwrap();
    assert!(all(&source).await.unwrap() == bytes);
    source.is_unchanged().await.unwrap();
    let error = read(&source, 1..2).await.unwrap_err();
    assert!(matches!(error, SourceError::NoRanges { .. }), "{error:?}");
    files.proxy.plan(GET, 0, 1, Trouble::CutAfter(100_000));
    let error = all(&source).await.unwrap_err();
    assert!(matches!(error, SourceError::NoRanges { .. }), "{error:?}");
}

#[tokio::test]
async fn what_could_change_without_a_sign_is_refused() {
    let files = Files::start(bytes(10)).await;
    for headers in [vec![], vec![("etag", "W/\"weak\"")], vec![("etag", "")]] {
        files.change(|served| served.headers = headers);
        let error = files.open("/file").await.unwrap_err();
        assert!(matches!(error, SourceError::NoVersion { .. }));
    }
    let when = ("last-modified", "Wed, 21 Oct 2026 07:28:00 GMT");
    files.change(|served| served.headers = vec![when]);
    let source = files.open("/file").await.unwrap();
    assert_eq!(all(&source).await.unwrap(), bytes(10));
    files.change(|served| served.bytes = Bytes::new());
    let source = files.open("/file").await.unwrap();
    assert_eq!(source.bytes(), 0, "what is empty has one version");
    assert!(all(&source).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_leads_on_a_few_times_and_never_to_where_all_can_read() {
    let files = Files::start(bytes(10)).await;
    for leads in ["/file".to_owned(), format!("{}/file", files.url)] {
        files.change(|served| served.leads = leads);
        let source = files.open("/from").await.unwrap();
        assert_eq!(all(&source).await.unwrap(), bytes(10));
    }
    for leads in [
        "/from",
        "http://example.org/file",
        "file:///etc/hostname",
        "",
    ] {
        files.change(|served| served.leads = leads.to_owned());
        let error = files.open("/from").await.unwrap_err();
        assert!(matches!(error, SourceError::Redirected { .. }), "{leads}");
    }
}

#[tokio::test]
async fn other_bytes_than_were_asked_for_are_refused() {
    let files = Files::start(bytes(100)).await;
    let source = files.open("/file").await.unwrap();
    files
        .proxy
        .plan(GET, 0, usize::MAX, Trouble::Answered(206, "0123456789"));
    let error = read(&source, 10..20).await.unwrap_err();
    assert!(matches!(error, SourceError::NoVersion { .. }), "{error:?}");
    files.proxy.calm();
    files.change(|served| served.headers.push(("content-range", "bytes 0-9/100")));
    files.change(|served| served.gives_ranges = false);
    let error = read(&source, 10..20).await.unwrap_err();
    assert!(matches!(error, SourceError::NoRanges { .. }), "{error:?}");
}
