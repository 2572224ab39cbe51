//! Inputs at URLs of a server in the test's own process.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Input,
    prepare::prepare,
    testing::{GENESIS, draft},
};
use quern_depot::{Patience, Roots};
use quern_primitives::AccountId;
use quern_shards::cut::Split;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex},
    thread,
};
use tempfile::TempDir;

/// What a server has.
#[derive(Clone, Debug, Default)]
struct Served {
    bytes: Vec<u8>,
    tag: String,
    /// Of each answer no more than so many bytes come.
    cut: Option<usize>,
    /// From which bytes on it was asked.
    asked: Vec<usize>,
    /// When it was asked so often it has something else.
    changes_after: Option<usize>,
}

/// A server of one file, which gives ranges.
#[derive(Clone)]
struct Server {
    url: String,
    served: Arc<Mutex<Served>>,
}

impl Server {
    fn start(bytes: &[u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = Self {
            url: format!("http://{}/input?signed", listener.local_addr().unwrap()),
            served: Arc::new(Mutex::new(Served {
                bytes: bytes.to_vec(),
                tag: "one".to_owned(),
                ..Served::default()
            })),
        };
        let serving = server.clone();
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let server = serving.clone();
                // Whoever asks may go before it is answered.
                thread::spawn(move || server.answer(&tcp.unwrap()));
            }
        });
        server
    }

    fn change<T>(&self, change: impl FnOnce(&mut Served) -> T) -> T {
        change(&mut self.served.lock().unwrap())
    }

    /// Answers one request, and closes the connection.
    fn answer(&self, mut tcp: &TcpStream) -> Option<()> {
        let mut range = None;
        for line in BufReader::new(tcp).lines() {
            let line = line.ok()?.to_ascii_lowercase();
            if let Some(asked) = line.strip_prefix("range: bytes=") {
                let (first, last) = asked.split_once('-')?;
                range = Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?));
            }
            if line.is_empty() {
                break;
            }
        }
        let (first, last) = range?;
        let (head, body) = self.change(|served| {
            served.asked.push(first);
            if served
                .changes_after
                .is_some_and(|it| served.asked.len() > it)
            {
                served.tag = "two".to_owned();
            }
            let body = served.bytes.get(first..=last).unwrap_or_default().to_vec();
            let all = served.bytes.len();
            let head = match body.is_empty() {
                true => "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0".to_owned(),
                false => format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n\
                     Content-Range: bytes {first}-{last}/{all}\r\nETag: \"{}\"",
                    body.len(),
                    served.tag
                ),
            };
            let come = served.cut.unwrap_or(usize::MAX).min(body.len());
            (head, body[..come].to_vec())
        });
        tcp.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())
            .ok()?;
        tcp.write_all(&body).ok()
    }

    async fn open(&self) -> Source {
        let patience = Patience {
            retries: 1,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(1),
            until: Duration::from_secs(60),
        };
        let place = self.url.parse().unwrap();
        Source::open(place, Roots::nobody().unwrap(), patience)
            .await
            .unwrap()
    }

    /// From which bytes on it was asked since the last time.
    fn asked(&self) -> Vec<usize> {
        self.change(|served| std::mem::take(&mut served.asked))
    }
}

/// Numbers, a line each.
fn lines() -> Vec<u8> {
    let lines: Vec<_> = (0..30_000).map(|number| format!("{number}\n")).collect();
    lines.concat().into_bytes()
}

async fn fetch(inputs: &TempDir, server: &Server) -> Result<FetchedInput, FetchInputError> {
    let source = server.open().await;
    fetch_input(&inputs.path().join("inputs"), &source, 1 << 30, |_, _| {}).await
}

fn files(inputs: &TempDir) -> Vec<PathBuf> {
    let files = fs::read_dir(inputs.path().join("inputs")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[tokio::test]
async fn an_input_at_a_url_makes_the_same_shards_as_the_file() {
    let (inputs, jobs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(&lines());
    let source = server.open().await;
    let (mut told, all) = (vec![], lines().len() as u64);
    let hear = |done, total| told.push((done, total));
    let fetched = fetch_input(&inputs.path().join("inputs"), &source, all, hear).await;
    let fetched = fetched.unwrap();
    assert_eq!((told[0], told[told.len() - 1]), ((0, all), (all, all)));
    assert_eq!(fs::read(fetched.path()).unwrap(), lines());
    let mode = fs::metadata(fetched.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    let input = Input::File {
        path: fetched.path(),
        split: Split::Lines,
        shard_bytes: 20_000,
    };
    let owner = AccountId::new([1; 32]);
    let folder = prepare(jobs.path(), GENESIS, &owner, &draft(input), |_, _| {}).unwrap();
    assert_eq!(folder.submission().unwrap().input_bytes, all);
    fetched.remove().unwrap();
    let left = files(&inputs);
    assert!(
        left.iter().all(|file| file.extension().unwrap() == "lock"),
        "{left:?}"
    );
}

#[tokio::test]
async fn what_broke_off_goes_on_where_it_broke_and_what_is_here_is_not_fetched_again() {
    let inputs = tempfile::tempdir().unwrap();
    let server = Server::start(&lines());
    server.change(|served| served.cut = Some(50_000));
    let broken = fetch(&inputs, &server).await.unwrap_err();
    let is_broken = matches!(broken, FetchInputError::Source(SourceError::Broken { .. }));
    assert!(is_broken, "{broken:?}");
    assert_eq!(server.asked(), [0, 0, 50_000]);
    server.change(|served| served.cut = None);
    let fetched = fetch(&inputs, &server).await.unwrap();
    assert_eq!(
        server.asked(),
        [0, 100_000, 0],
        "the rest, and whether it is the same"
    );
    assert_eq!(fs::read(fetched.path()).unwrap(), lines());
    drop(fetched);
    let fetched = fetch(&inputs, &server).await.unwrap();
    assert_eq!(server.asked(), [0], "only whether it is the same");
    assert_eq!(fs::read(fetched.path()).unwrap(), lines());
}

#[tokio::test]
async fn another_version_is_fetched_from_its_beginning() {
    let inputs = tempfile::tempdir().unwrap();
    let server = Server::start(&lines());
    server.change(|served| served.cut = Some(50_000));
    fetch(&inputs, &server).await.unwrap_err();
    let other: Vec<u8> = lines().iter().rev().copied().collect();
    server.change(|served| {
        served.cut = None;
        served.bytes.clone_from(&other);
        served.tag = "two".to_owned();
    });
    let fetched = fetch(&inputs, &server).await.unwrap();
    assert_eq!(fs::read(fetched.path()).unwrap(), other);
    drop(fetched);
    server.change(|served| {
        served.bytes = lines();
        served.tag = "three".to_owned();
    });
    let fetched = fetch(&inputs, &server).await.unwrap();
    assert_eq!(fs::read(fetched.path()).unwrap(), lines());
}

#[tokio::test]
async fn an_input_that_changes_while_it_comes_is_none() {
    let inputs = tempfile::tempdir().unwrap();
    let server = Server::start(&lines());
    // It is opened, read, and looked at once more.
    for changes_after in [1, 2] {
        server.change(|served| {
            served.tag = "one".to_owned();
            served.asked.clear();
            served.changes_after = Some(changes_after);
        });
        let changed = fetch(&inputs, &server).await.unwrap_err();
        let is_changed = matches!(
            changed,
            FetchInputError::Source(SourceError::Changed { .. })
        );
        assert!(is_changed, "{changed:?}");
        assert!(!changed.to_string().contains("signed"), "{changed}");
        let left = files(&inputs);
        assert!(
            left.iter().all(|file| file.extension().unwrap() == "lock"),
            "{left:?}"
        );
    }
}

#[tokio::test]
async fn an_input_that_is_too_long_is_refused_before_any_of_it_comes() {
    let inputs = tempfile::tempdir().unwrap();
    let server = Server::start(&lines());
    let source = server.open().await;
    let most = lines().len() as u64 - 1;
    let refused = fetch_input(inputs.path(), &source, most, |_, _| {}).await;
    assert!(
        matches!(refused, Err(FetchInputError::TooLong { .. })),
        "{refused:?}"
    );
    assert_eq!(server.asked(), [0], "it was opened");
    assert_eq!(fs::read_dir(inputs.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn two_programs_do_not_fetch_the_same_at_once() {
    let inputs = tempfile::tempdir().unwrap();
    let server = Server::start(&lines());
    let first = fetch(&inputs, &server).await.unwrap();
    let busy = fetch(&inputs, &server).await;
    assert!(
        matches!(busy, Err(FetchInputError::Busy { .. })),
        "{busy:?}"
    );
    drop(first);
    fetch(&inputs, &server).await.unwrap();
}

#[tokio::test]
async fn what_nobody_needed_for_a_day_goes_when_another_input_comes() {
    let inputs = tempfile::tempdir().unwrap();
    let (old, new) = (Server::start(&lines()), Server::start(b"other"));
    let used = fetch(&inputs, &old).await.unwrap();
    let path = used.path();
    for file in files(&inputs) {
        let file = OpenOptions::new().write(true).open(file).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    drop(fetch(&inputs, &new).await.unwrap());
    assert!(path.is_file(), "it is in use");
    drop(used);
    fetch(&inputs, &new).await.unwrap();
    assert!(!path.exists());
    assert_eq!(
        files(&inputs).len(),
        3,
        "the new one, its version and its lock"
    );
}
