//! Reads what an owner has elsewhere, as a stream: asked for from where it broke, as long as it is the same.

use crate::{
    bucket::{Line, Patience, Roots, content_range, may_pass},
    own::{Object, Place, tries::Tries},
};
use bytes::Bytes;
use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, ETAG, LAST_MODIFIED, LOCATION},
};
use object_store::client::{HttpError, HttpResponse};
use std::{fmt, ops::Range};

/// How often an answer may lead on to another place.
const REDIRECTS_MAX: usize = 5;

/// Bytes that have to come before those that fail are asked for with new patience.
const PROGRESS_BYTES: u64 = 1024 * 1024;

/// Bytes of what tells a version, at most.
const VERSION_BYTES_MAX: usize = 1_024;

/// Why something is not read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there.
    #[error("{place} is not there; mend its name, or where its server is")]
    Missing {
        /// Where it was looked for.
        place: Place,
    },
    /// It is not given.
    #[error(
        "{place} is refused; its keys or the URL itself do not open it, or not any more. Of a bucket the keys have to be of \
         an account that may read there, the region the bucket's own, and this machine's clock right"
    )]
    Refused {
        /// Where it was looked for.
        place: Place,
    },
    /// It leads nowhere.
    #[error(
        "{place} leads on more than {REDIRECTS_MAX} times, to what is no https, or away from the bucket it was signed for; \
         name where it is itself, and of a bucket its own region and endpoint"
    )]
    Redirected {
        /// Where it was looked for.
        place: Place,
    },
    /// The server does something else than was asked.
    #[error("{place} is answered with {status}, and not with the bytes that were asked for")]
    Answer {
        /// Where it was looked for.
        place: Place,
        /// What the answer is.
        status: StatusCode,
    },
    /// The server gives no ranges.
    #[error(
        "the server of {place} gives all of it and no part, so it cannot go on where it broke; fetch the file first"
    )]
    NoRanges {
        /// Where it is.
        place: Place,
    },
    /// It could change, and nobody would see it.
    #[error(
        "the server of {place} tells neither its length nor a version, with ETag or Last-Modified; fetch the file first"
    )]
    NoVersion {
        /// Where it is.
        place: Place,
    },
    /// It is another now.
    #[error("{place} was changed while it was read; begin anew")]
    Changed {
        /// Where it is.
        place: Place,
    },
    /// More than there is was asked for.
    #[error("{place} has {bytes} bytes, and not those up to {end}")]
    Short {
        /// Where it is.
        place: Place,
        /// How many it has.
        bytes: u64,
        /// Up to which it was asked for.
        end: u64,
    },
    /// It breaks, however often it is asked for.
    #[error("{place} does not come, however often it is asked for; try again later")]
    Broken {
        /// Where it is.
        place: Place,
        /// What happened at last.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Something that an owner has elsewhere, as it was when it was opened.
#[derive(Clone, Debug)]
pub struct Source {
    asker: Asker,
    version: Version,
}

/// What tells one version from another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    bytes: u64,
    tag: Tag,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tag {
    Entity(String),
    Modified(String),
    /// Of nothing there is one version.
    Empty,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.bytes)?;
        match &self.tag {
            Tag::Entity(tag) => write!(f, "etag {tag}"),
            Tag::Modified(when) => write!(f, "last-modified {when}"),
            Tag::Empty => f.write_str("empty"),
        }
    }
}

impl Source {
    /// Looks at what is there.
    ///
    /// # Errors
    ///
    /// If it is not there, or cannot be read in parts of one version.
    pub async fn open(place: Place, roots: Roots, patience: Patience) -> Result<Self, SourceError> {
        let asker = Asker {
            place,
            line: Line::new(roots),
            patience,
        };
        let version = asker.version().await?;
        Ok(Self { asker, version })
    }

    /// The same for an object of a bucket.
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn open_object(object: &Object) -> Result<Self, SourceError> {
        let (roots, patience) = (object.bucket.roots.clone(), object.bucket.patience);
        Self::open(Place::of_object(object), roots, patience).await
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.asker.place
    }

    /// What tells this version from others at the same place, as text.
    pub fn version(&self) -> String {
        self.version.to_string()
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.version.bytes
    }

    /// Some of its bytes, all of one version.
    pub fn read(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, SourceError>> {
        if range.end > self.version.bytes {
            let short = SourceError::Short {
                place: self.asker.place.clone(),
                bytes: self.version.bytes,
                end: range.end,
            };
            return stream::once(async { Err(short) }).boxed();
        }
        read(self.asker.clone(), self.version.clone(), range).boxed()
    }

    /// Looks whether it is still the same. To be asked when all was read: a server may give old parts and new ones under
    /// one version while it is written.
    ///
    /// # Errors
    ///
    /// If it is another, or cannot be asked.
    pub async fn is_unchanged(&self) -> Result<(), SourceError> {
        match self.asker.version().await? == self.version {
            true => Ok(()),
            false => Err(SourceError::Changed {
                place: self.asker.place.clone(),
            }),
        }
    }
}

/// Asks for something, as long as there is patience.
#[derive(Clone, Debug)]
struct Asker {
    place: Place,
    line: Line,
    patience: Patience,
}

/// Why an answer is none.
enum Failed {
    /// It may be another if it is asked again.
    Again(Box<dyn std::error::Error + Send + Sync>),
    For(SourceError),
}

impl Asker {
    /// What is there.
    async fn version(&self) -> Result<Version, SourceError> {
        let mut tries = Tries::new(self.patience);
        loop {
            let failed = match self.ask("bytes=0-0", 1).await {
                Ok(answer) => return self.version_of(&answer),
                Err(failed) => failed,
            };
            after(failed, &mut tries, &self.place).await?;
        }
    }

    fn version_of(&self, answer: &HttpResponse) -> Result<Version, SourceError> {
        let (bytes, tag) = match answer.status() {
            StatusCode::PARTIAL_CONTENT => {
                let all = content_range(answer.headers()).map(|(_, all)| all);
                (all, tag(answer.headers()))
            }
            // What is empty has no first byte.
            StatusCode::RANGE_NOT_SATISFIABLE => (Some(0), Some(Tag::Empty)),
            _ => (length(answer.headers()), tag(answer.headers())),
        };
        match (bytes, tag) {
            (Some(0), _) => Ok(Version {
                bytes: 0,
                tag: Tag::Empty,
            }),
            (Some(bytes), Some(tag)) => Ok(Version { bytes, tag }),
            _ => Err(SourceError::NoVersion {
                place: self.place.clone(),
            }),
        }
    }

    /// Asks once, wherever it leads.
    async fn ask(&self, range: &str, bytes: u64) -> Result<HttpResponse, Failed> {
        let mut place = self.place.clone();
        for _ in 0..=REDIRECTS_MAX {
            let request = place
                .request(range)
                .map_err(|it| Failed::Again(it.into()))?;
            let answered = self.line.ask_for(request, bytes).await;
            let answer = answered.map_err(|it| Failed::Again(it.into()))?;
            if !answer.status().is_redirection() {
                return self.judged(answer);
            }
            let to = answer.headers().get(LOCATION);
            let to = to.and_then(|to| place.redirected(to.to_str().ok()?));
            place = to.ok_or_else(|| self.redirected())?;
        }
        Err(self.redirected())
    }

    fn redirected(&self) -> Failed {
        Failed::For(SourceError::Redirected {
            place: self.place.clone(),
        })
    }

    fn judged(&self, answer: HttpResponse) -> Result<HttpResponse, Failed> {
        let (place, status) = (self.place.clone(), answer.status());
        Err(match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                return Ok(answer);
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => Failed::For(SourceError::Missing { place }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failed::For(SourceError::Refused { place })
            }
            _ if may_pass(status) => Failed::Again(SourceError::Answer { place, status }.into()),
            _ => Failed::For(SourceError::Answer { place, status }),
        })
    }

    /// Asks for the rest of what is wanted.
    async fn rest(&self, version: &Version, range: &Range<u64>) -> Result<HttpResponse, Failed> {
        let last = range.end.saturating_sub(1);
        let bytes = range.end.saturating_sub(range.start);
        let answer = self
            .ask(&format!("bytes={}-{last}", range.start), bytes)
            .await?;
        let place = self.place.clone();
        if self.version_of(&answer).map_err(Failed::For)? != *version {
            return Err(Failed::For(SourceError::Changed { place }));
        }
        match answer.status() {
            StatusCode::PARTIAL_CONTENT
                if content_range(answer.headers()).is_some_and(|(it, _)| it == *range) =>
            {
                Ok(answer)
            }
            StatusCode::OK if *range == (0..version.bytes) => Ok(answer),
            StatusCode::OK => Err(Failed::For(SourceError::NoRanges { place })),
            status => Err(Failed::For(SourceError::Answer { place, status })),
        }
    }
}

/// Waits before something is asked for again, or says why it is not.
async fn after(failed: Failed, tries: &mut Tries, place: &Place) -> Result<(), SourceError> {
    match failed {
        Failed::For(error) => Err(error),
        Failed::Again(_) if tries.next().await => Ok(()),
        Failed::Again(source) => Err(SourceError::Broken {
            place: place.clone(),
            source,
        }),
    }
}

/// What is being read.
struct Reading {
    asker: Asker,
    version: Version,
    range: Range<u64>,
    body: Option<BoxStream<'static, Result<Bytes, HttpError>>>,
    tries: Tries,
    fresh_at: u64,
}

fn read(
    asker: Asker,
    version: Version,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, SourceError>> + Send + 'static {
    let reading = Reading {
        tries: Tries::new(asker.patience),
        fresh_at: range.start.saturating_add(PROGRESS_BYTES),
        asker,
        version,
        range,
        body: None,
    };
    stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|bytes| (bytes, reading)))
    })
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        while self.range.start < self.range.end {
            let failed = match &mut self.body {
                None => match self.asker.rest(&self.version, &self.range).await {
                    Ok(answer) => {
                        self.body = Some(answer.into_body().bytes_stream());
                        continue;
                    }
                    Err(failed) => failed,
                },
                Some(body) => match body.next().await {
                    Some(Ok(bytes)) => {
                        self.came(bytes.len() as u64);
                        return Ok(Some(bytes));
                    }
                    Some(Err(error)) => Failed::Again(error.into()),
                    // A body that is too short ends with an error.
                    None => Failed::Again(
                        std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into(),
                    ),
                },
            };
            self.body = None;
            after(failed, &mut self.tries, &self.asker.place).await?;
        }
        Ok(None)
    }

    fn came(&mut self, bytes: u64) {
        // No more than was asked for: the line holds to that.
        self.range.start = self.range.start.saturating_add(bytes).min(self.range.end);
        if self.range.start >= self.fresh_at {
            self.fresh_at = self.range.start.saturating_add(PROGRESS_BYTES);
            self.tries = Tries::new(self.asker.patience);
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A weak tag says that two versions mean the same, and not that their bytes are.
fn tag(headers: &HeaderMap) -> Option<Tag> {
    let text = |name| {
        let value = headers.get(name)?.to_str().ok()?;
        (!value.is_empty() && value.len() <= VERSION_BYTES_MAX).then(|| value.to_owned())
    };
    text(ETAG)
        .filter(|it| !it.starts_with("W/"))
        .map(Tag::Entity)
        .or_else(|| text(LAST_MODIFIED).map(Tag::Modified))
}
