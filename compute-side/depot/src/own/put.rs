//! A file that goes to a URL, in one request.

use crate::{
    Content, DiskError, Place, TargetError,
    bucket::{Dial, Patience, Pieces, Roots, may_pass},
    own::tries::Tries,
};
use bytes::Bytes;
use futures::stream;
use http::{Method, StatusCode, header::CONTENT_LENGTH};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Bytes that are sent at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// How long nothing may be taken of what is sent, nor an answer come.
const SILENCE: Duration = Duration::from_secs(180);

/// How often it is told how much has gone.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What a body may fail with.
type Cause = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Cause>;

/// A file and where it is to go.
pub(super) struct Put<'a> {
    pub(super) place: &'a Place,
    pub(super) roots: Roots,
    pub(super) patience: Patience,
    pub(super) file: &'a Path,
    pub(super) content: &'a Content,
}

/// Nothing more was taken, and nothing was answered.
#[derive(Debug, thiserror::Error)]
#[error("for {} seconds nothing more was taken, and no answer came", SILENCE.as_secs())]
struct Silent;

/// The file is another one.
#[derive(Debug, thiserror::Error)]
#[error("the file changed")]
struct Changed;

/// The server may answer otherwise if it is asked again.
#[derive(Debug, thiserror::Error)]
#[error("the answer is {0}")]
struct Answered(StatusCode);

/// How far a request is, and what went wrong with the file.
#[derive(Default)]
struct Going {
    sent: AtomicU64,
    is_changed: AtomicBool,
}

/// Why it did not go.
enum Failed {
    /// It may go if it is tried again.
    Again(Cause),
    For(TargetError),
}

/// Sends a file, as often as there is patience for.
pub(super) async fn put(
    put: Put<'_>,
    sent: &mut (dyn FnMut(u64) + Send),
) -> Result<(), TargetError> {
    let client = Client::builder(TokioExecutor::new()).build(Dial::new(put.roots.clone()));
    let mut tries = Tries::new(put.patience);
    loop {
        match put.once(&client, sent).await {
            Ok(()) => return Ok(()),
            Err(Failed::For(error)) => return Err(error),
            Err(Failed::Again(_)) if tries.next().await => {}
            Err(Failed::Again(source)) => {
                return Err(TargetError::Failed {
                    place: put.place.clone(),
                    source,
                });
            }
        }
    }
}

impl Put<'_> {
    async fn once(
        &self,
        client: &Client<Dial, Body>,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), Failed> {
        let going = Arc::new(Going::default());
        let opened = Pieces::open(self.file, PIECE_BYTES).await;
        let body = body(opened.map_err(of_disk)?, *self.content, Arc::clone(&going));
        let request = http::Request::builder()
            .method(Method::PUT)
            .uri(self.place.uri().clone())
            .header(CONTENT_LENGTH, self.content.bytes)
            .body(body)
            .map_err(|error| Failed::Again(error.into()))?;
        let mut asked = pin!(client.request(request));
        let (mut before, mut silence) = (0, Duration::ZERO);
        let answer = loop {
            let answered = tokio::time::timeout(TELL_EVERY, &mut asked).await;
            let now = going.sent.load(Ordering::Relaxed);
            sent(now);
            silence = match now > before {
                true => Duration::ZERO,
                false => silence + TELL_EVERY,
            };
            before = now;
            match answered {
                Ok(answer) => break answer,
                Err(_) if silence < SILENCE => {}
                Err(_) => return Err(Failed::Again(Silent.into())),
            }
        };
        if going.is_changed.load(Ordering::Relaxed) {
            return Err(Failed::For(TargetError::Changed {
                place: self.place.clone(),
                path: self.file.to_owned(),
            }));
        }
        // What else is in the answer is of no use, and not read.
        let answer = answer.map_err(|error| Failed::Again(error.into()))?;
        self.judged(answer.status())
    }

    fn judged(&self, status: StatusCode) -> Result<(), Failed> {
        let place = self.place.clone();
        Err(match status {
            StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => return Ok(()),
            StatusCode::NOT_FOUND | StatusCode::GONE => Failed::For(TargetError::Nowhere { place }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failed::For(TargetError::Refused { place })
            }
            _ if status.is_redirection() => Failed::For(TargetError::Redirected { place }),
            _ if may_pass(status) => Failed::Again(Answered(status).into()),
            _ => Failed::For(TargetError::Answer { place, status }),
        })
    }
}

fn of_disk(error: DiskError) -> Failed {
    Failed::For(error.into())
}

/// The file's bytes. The last of them go out only if all of them are what they have to be: without them no server has
/// what it was told to have.
fn body(pieces: Pieces, content: Content, going: Arc<Going>) -> Body {
    let read = stream::try_unfold(Some((pieces, 0_u64)), move |reading| {
        let going = Arc::clone(&going);
        async move {
            let Some((mut pieces, sent)) = reading else {
                return Ok::<_, Cause>(None);
            };
            let piece = pieces.next().await?;
            let sent = sent.saturating_add(piece.len() as u64);
            let next = match sent < content.bytes {
                true => (!piece.is_empty()).then_some(Some((pieces, sent))),
                false => (pieces.finish() == content).then_some(None),
            };
            let Some(next) = next else {
                going.is_changed.store(true, Ordering::Relaxed);
                return Err(Changed.into());
            };
            going.sent.store(sent, Ordering::Relaxed);
            Ok(Some((Frame::data(piece), next)))
        }
    });
    StreamBody::new(read).boxed_unsync()
}
