//! How a bucket is asked: HTTP/1.1 by hyper, over TLS by rustls, with a limit on everything that comes back.
//!
//! `object_store` asks through what is given to it here (`HttpConnector`), for its own client is reqwest.

use crate::bucket::tls::{Dial, Roots};
use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Method, StatusCode, header::CONTENT_RANGE};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
        HttpResponse, HttpResponseBody, HttpService,
    },
};
use std::{
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// Bytes of an answer that is no thing's own bytes, at most: a list has a thousand keys of at most 1,024 bytes each, and
/// little beside them.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long an answer may take from when it is asked for until its head is there; what is sent meanwhile is 8 MiB at
/// most.
const ANSWER_WAIT: Duration = Duration::from_secs(180);

/// How long the next bytes of an answer may take.
const BYTES_WAIT: Duration = Duration::from_secs(30);

/// How long a connection that nobody uses is kept.
const IDLE_WAIT: Duration = Duration::from_secs(20);

/// Connections that nobody uses, at most.
const IDLE_MAX: usize = 16;

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("no answer came within {} seconds", ANSWER_WAIT.as_secs())]
    Silent,
    #[error("for {} seconds nothing more of the answer came", BYTES_WAIT.as_secs())]
    Stalled,
    #[error("the answer has more than {most_bytes} bytes")]
    TooLong { most_bytes: u64 },
    #[error("the answer ended {missing_bytes} bytes early")]
    CutShort { missing_bytes: u64 },
    #[error("the answer's content-range is none")]
    Range,
    #[error("the answer is {status}")]
    Status { status: StatusCode },
}

/// With what status a question for a list was answered, if that is why there is none: `object_store` says of everything
/// else itself what was refused or is not there, but not of lists.
pub(crate) fn status_of(error: &(dyn std::error::Error + 'static)) -> Option<StatusCode> {
    let mut causes = std::iter::successors(Some(error), |it| it.source());
    causes.find_map(|it| match it.downcast_ref()? {
        LineError::Status { status } => Some(*status),
        _ => None,
    })
}

/// Asks one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    client: Client<Dial, HttpRequestBody>,
}

impl Line {
    /// A line to a server whose certificate leads to one of these roots.
    pub(crate) fn new(roots: Roots) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_WAIT)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(Dial::new(roots));
        Self { client }
    }

    /// Asks, and waits for the head of the answer.
    async fn ask(&self, request: HttpRequest) -> Result<http::Response<Incoming>, HttpError> {
        let answer = tokio::time::timeout(ANSWER_WAIT, self.client.request(request));
        answer
            .await
            .map_err(|_| again(LineError::Silent))?
            .map_err(again)
    }

    /// Asks for so many bytes of something of any length. Fewer are an error where they are missing, more where they
    /// begin.
    pub(crate) async fn ask_for(
        &self,
        request: HttpRequest,
        bytes: u64,
    ) -> Result<HttpResponse, HttpError> {
        let (head, body) = self.ask(request).await?.into_parts();
        let limits = match head.status.is_success() {
            true => Limits {
                most_bytes: bytes,
                exactly: Some(bytes),
            },
            false => Limits::ANSWER,
        };
        Ok(HttpResponse::from_parts(
            head,
            HttpResponseBody::new(Bounded::new(body, limits)),
        ))
    }
}

impl HttpConnector for Line {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Line {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asked = (request.method().clone(), request.uri().clone());
        let (head, body) = self.ask(request).await?.into_parts();
        let is_list = asked.0 == Method::GET && asked.1.query().is_some();
        if is_list && head.status.is_client_error() && !may_pass(head.status) {
            let status = head.status;
            let error = LineError::Status { status };
            return Err(HttpError::new(HttpErrorKind::Decode, error));
        }
        let limits = Limits::of(&asked.0, asked.1.query(), &head)?;
        Ok(HttpResponse::from_parts(
            head,
            HttpResponseBody::new(Bounded::new(body, limits)),
        ))
    }
}

/// An error after which the same may be asked again: nothing that a depot asks does more when it is asked twice. Only
/// where that is the start of an upload, one stays behind, which `tidy` finds.
fn again(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Request, error)
}

/// Whether the same may be answered otherwise if it is asked again.
pub(crate) fn may_pass(status: StatusCode) -> bool {
    // A server that does not know a question will not learn it.
    let is_server_error = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    is_server_error || matches!(status.as_u16(), 408 | 429)
}

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    most_bytes: u64,
    /// How many there must be, where the head says so.
    exactly: Option<u64>,
}

impl Limits {
    /// Of what is no thing's own bytes.
    const ANSWER: Self = Self {
        most_bytes: ANSWER_BYTES_MAX,
        exactly: None,
    };

    fn of(
        asked: &Method,
        query: Option<&str>,
        head: &http::response::Parts,
    ) -> Result<Self, HttpError> {
        if asked != Method::GET || query.is_some() {
            return Ok(Self::ANSWER);
        }
        match head.status {
            StatusCode::OK => Ok(Self {
                most_bytes: crate::ITEM_BYTES_MAX,
                exactly: None,
            }),
            StatusCode::PARTIAL_CONTENT => {
                let bytes = range_bytes(head)
                    .ok_or_else(|| HttpError::new(HttpErrorKind::Decode, LineError::Range))?;
                Ok(Self {
                    most_bytes: bytes,
                    exactly: Some(bytes),
                })
            }
            _ => Ok(Self::ANSWER),
        }
    }
}

/// How many bytes of a thing an answer says that it has: `bytes FIRST-LAST/ALL`. What it is of is looked at by
/// `object_store`, which adds to these numbers without looking first.
fn range_bytes(head: &http::response::Parts) -> Option<u64> {
    let (range, all) = content_range(&head.headers)?;
    let bytes = range.end.checked_sub(range.start)?;
    (all <= crate::ITEM_BYTES_MAX).then_some(bytes)
}

/// What an answer says it has, and of how many bytes.
pub(crate) fn content_range(head: &HeaderMap) -> Option<(Range<u64>, u64)> {
    let value = head.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, all) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, all): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, all.parse().ok()?);
    // So the last is not the greatest number that there is.
    let is_range = first <= last && last < all;
    is_range.then(|| (first..last + 1, all))
}

/// An answer's body, held to its limits.
struct Bounded {
    body: Incoming,
    limits: Limits,
    come_bytes: u64,
    patience: Pin<Box<Sleep>>,
}

impl Bounded {
    fn new(body: Incoming, limits: Limits) -> Self {
        Self {
            body,
            limits,
            come_bytes: 0,
            patience: Box::pin(tokio::time::sleep(BYTES_WAIT)),
        }
    }

    fn counted(&mut self, more: u64) -> Result<(), HttpError> {
        self.come_bytes = self.come_bytes.saturating_add(more);
        let most_bytes = self.limits.most_bytes;
        match self.come_bytes > most_bytes {
            true => Err(HttpError::new(
                HttpErrorKind::Decode,
                LineError::TooLong { most_bytes },
            )),
            false => Ok(()),
        }
    }

    fn ended(&self) -> Option<HttpError> {
        let missing_bytes = self.limits.exactly?.saturating_sub(self.come_bytes);
        (missing_bytes > 0).then(|| again(LineError::CutShort { missing_bytes }))
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.patience.as_mut().reset(Instant::now() + BYTES_WAIT);
                let more = frame.data_ref().map_or(0, Bytes::remaining);
                Poll::Ready(Some(self.counted(more as u64).map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(again(error)))),
            Poll::Ready(None) => Poll::Ready(self.ended().map(Err)),
            Poll::Pending => match self.patience.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(again(LineError::Stalled)))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        // What the server says is believed no further than there is room for it.
        let mut hint = SizeHint::new();
        if self
            .body
            .size_hint()
            .exact()
            .is_some_and(|it| it <= self.limits.most_bytes)
        {
            hint = self.body.size_hint();
        }
        hint
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn head(status: StatusCode, range: Option<&str>) -> http::response::Parts {
        let mut answer = http::Response::builder().status(status);
        if let Some(range) = range {
            answer = answer.header(CONTENT_RANGE, range);
        }
        answer.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_range_has_as_many_bytes_as_it_says() {
        let answer = head(StatusCode::PARTIAL_CONTENT, Some("bytes 10-19/100"));
        let limits = Limits::of(&Method::GET, None, &answer).unwrap();
        assert_eq!(limits.exactly, Some(10));
        assert_eq!(limits.most_bytes, 10);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for range in [
            None,
            Some("bytes 0-18446744073709551615/18446744073709551615"),
            Some("bytes 0-9/9"),
            Some("bytes 9-0/10"),
            Some("bytes 0-9/*"),
            Some("bytes */10"),
            Some("bytes -1-9/10"),
            Some("items 0-9/10"),
            Some("bytes 0-9/134217729"),
        ] {
            let answer = head(StatusCode::PARTIAL_CONTENT, range);
            assert!(
                Limits::of(&Method::GET, None, &answer).is_err(),
                "{range:?}"
            );
        }
    }

    #[test]
    fn only_a_things_own_bytes_may_be_many() {
        let most = |method: &Method, query, status| {
            let limits = Limits::of(method, query, &head(status, None)).unwrap();
            limits.most_bytes
        };
        assert_eq!(
            most(&Method::GET, None, StatusCode::OK),
            crate::ITEM_BYTES_MAX
        );
        assert_eq!(
            most(&Method::GET, None, StatusCode::NOT_FOUND),
            ANSWER_BYTES_MAX
        );
        assert_eq!(
            most(&Method::GET, Some("list-type=2"), StatusCode::OK),
            ANSWER_BYTES_MAX
        );
        assert_eq!(
            most(&Method::POST, Some("uploads"), StatusCode::OK),
            ANSWER_BYTES_MAX
        );
    }
}
