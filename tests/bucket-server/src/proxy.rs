//! What servers and lines do to single requests.

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;

/// What is sent.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;
/// What a request is answered with.
pub type Answer = Response<Body>;

/// A body that is all there.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that comes, and may break.
fn comes(bytes: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static) -> Body {
    StreamBody::new(bytes.map_ok(Frame::data)).boxed_unsync()
}

/// What is done to a request, or to its answer.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The connection breaks, and nothing was done.
    Broken,
    /// What was asked is done, and the connection breaks before the answer.
    AnswerLost,
    /// It is answered so, and nothing was done.
    Answered(u16, &'static str),
    /// Of the answer's bytes so many come, and then the connection breaks.
    CutAfter(usize),
    /// Of the answer's bytes so many come, as if these were all.
    EndsAfter(usize),
    /// The answer goes on for ever.
    Endless,
    /// Something happens, and then it is answered.
    Meanwhile(Arc<dyn Happens>),
    /// It says that it is there, and waits until it may be answered.
    Waits(Arc<Notify>, Arc<Notify>),
}

/// What happens meanwhile.
pub trait Happens: Fn() + Send + Sync {}
impl<T: Fn() + Send + Sync> Happens for T {}

impl std::fmt::Debug for dyn Happens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Happens")
    }
}

struct Planned {
    /// Which requests: the method, and what is in the path and query.
    method: &'static str,
    part: &'static str,
    skipped: usize,
    times: usize,
    trouble: Trouble,
}

/// Between a depot and its bucket's server.
#[derive(Clone, Default)]
pub struct Proxy {
    planned: Arc<Mutex<Vec<Planned>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Plans trouble for some requests of a method that have something in path or query: after so many, for so many.
    pub fn plan(
        &self,
        (method, part): (&'static str, &'static str),
        skipped: usize,
        times: usize,
        trouble: Trouble,
    ) {
        self.planned.lock().unwrap().push(Planned {
            method,
            part,
            skipped,
            times,
            trouble,
        });
    }

    /// Forgets what was planned.
    pub fn calm(&self) {
        self.planned.lock().unwrap().clear();
    }

    /// How many requests came of a method with something in path or query.
    pub fn count(&self, (method, part): (&str, &str)) -> usize {
        let seen = self.seen.lock().unwrap();
        let is_it = |it: &&String| it.starts_with(&format!("{method} ")) && it.contains(part);
        seen.iter().filter(is_it).count()
    }

    fn next(&self, request: &Request<Incoming>) -> Option<Trouble> {
        let asked = format!("{} {}", request.method(), request.uri());
        self.seen.lock().unwrap().push(asked.clone());
        let mut planned = self.planned.lock().unwrap();
        let it = planned
            .iter_mut()
            .find(|it| it.times > 0 && request.method() == it.method && asked.contains(it.part))?;
        if it.skipped > 0 {
            it.skipped -= 1;
            return None;
        }
        it.times -= 1;
        Some(it.trouble.clone())
    }

    /// Answers a request, in its way. An error breaks the connection.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        asked: impl FnOnce(Request<Incoming>) -> BoxFuture<'static, Answer>,
    ) -> Result<Answer, io::Error> {
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        match self.next(&request) {
            None => Ok(asked(request).await),
            Some(Trouble::Broken) => Err(broken()),
            Some(Trouble::AnswerLost) => {
                // An answer may be computed while it is sent.
                let _ = asked(request).await.into_body().collect().await;
                Err(broken())
            }
            Some(Trouble::Answered(status, text)) => {
                // What was sent is read, or whoever sends sees a broken connection first.
                let _ = request.into_body().collect().await;
                let mut answer = Response::new(full(text));
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok(answer)
            }
            Some(Trouble::CutAfter(bytes)) => {
                let (mut head, body) = asked(request).await.into_parts();
                let all = body.collect().await?.to_bytes();
                let length = HeaderValue::from(all.len());
                head.headers.insert(header::CONTENT_LENGTH, length);
                let begin = all.slice(..bytes.min(all.len()));
                Ok(Response::from_parts(head, comes(cut(begin, broken()))))
            }
            Some(Trouble::EndsAfter(bytes)) => {
                let (mut head, body) = asked(request).await.into_parts();
                head.headers.remove(header::CONTENT_LENGTH);
                let all = body.collect().await?.to_bytes();
                let begin = all.slice(..bytes.min(all.len()));
                let some = stream::iter([Ok(begin)]);
                Ok(Response::from_parts(head, comes(some)))
            }
            Some(Trouble::Endless) => {
                let some = Bytes::from_static(&[b' '; 65_536]);
                let mut answer = Response::new(comes(stream::repeat(some).map(Ok)));
                let xml = HeaderValue::from_static("application/xml");
                answer.headers_mut().insert(header::CONTENT_TYPE, xml);
                Ok(answer)
            }
            Some(Trouble::Meanwhile(happens)) => {
                happens();
                Ok(asked(request).await)
            }
            Some(Trouble::Waits(reached, go)) => {
                reached.notify_one();
                go.notified().await;
                Ok(asked(request).await)
            }
        }
    }
}

/// Bytes that all go out before the error comes: what is written and not sent yet goes with a connection that breaks, so
/// between them the server's task is left to send.
fn cut(
    bytes: Bytes,
    error: io::Error,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    const AT_A_TIME: usize = 16 * 1024;
    let pieces: Vec<_> = (0..bytes.len())
        .step_by(AT_A_TIME)
        .map(|at| Ok(bytes.slice(at..(at + AT_A_TIME).min(bytes.len()))))
        .chain([Ok(Bytes::new()), Err(error)])
        .collect();
    stream::iter(pieces).then(|piece| async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        piece
    })
}
