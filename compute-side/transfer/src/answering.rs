//! What others are answered: a span that is read, proved and sent.

use crate::{
    Shelf, Shelved,
    mover::Happened,
    part::{Part, Span},
    trees::{ServeError, Trees},
};
use quern_fetch::{Event, QuestionId, Refusal, SpanSet, Thing};
use quern_network::Writing;
use quern_protocol::fetch::{Head, Holdings};
use std::{io, sync::Arc};
use tokio::sync::mpsc;

/// Where a span is read from.
#[derive(Clone)]
pub(crate) enum Whence {
    /// A whole thing.
    Shelf(Shelved, Arc<dyn Shelf>),
    /// One that is being fetched.
    Part(Thing, Arc<Part>),
}

/// A span that is to be sent.
pub(crate) struct Sending {
    pub(crate) question: QuestionId,
    pub(crate) span: u32,
    pub(crate) is_last: bool,
    pub(crate) whence: Whence,
}

/// Tells what is here, or that nothing is said.
pub(crate) async fn tell(answer: Writing, holdings: Holdings) {
    // An error says that nobody listens any more.
    let _ = answer.tell(&holdings).await;
}

/// The bitmap of what is here.
pub(crate) fn holdings(spans: &SpanSet) -> Holdings {
    Holdings::Spans(spans.to_bitmap())
}

/// What is said instead of holdings.
pub(crate) fn no_holdings(refusal: Refusal) -> Holdings {
    match refusal {
        Refusal::No => Holdings::No,
        Refusal::Busy { ms } => Holdings::Busy { ms },
    }
}

/// Ends an answer with a word.
pub(crate) async fn refuse(answer: Writing, refusal: Refusal) {
    let head = match refusal {
        Refusal::No => Head::No,
        Refusal::Busy { ms } => Head::Busy { ms },
    };
    let _ = answer.refuse(&head).await;
}

/// Reads a span and sends it. Tells when it is sent, or that it is not.
pub(crate) async fn send(
    mut answer: Writing,
    sending: Sending,
    trees: Trees,
    happened: mpsc::Sender<Happened>,
) {
    let Sending {
        question,
        span: number,
        is_last,
        whence,
    } = sending;
    let read = tokio::task::spawn_blocking(move || read(&whence, &trees, number)).await;
    let sent = match read {
        Ok(Some(span)) => {
            let head = Head::Span {
                span: number,
                bytes: u32::try_from(span.bytes.len()).unwrap_or(u32::MAX),
                siblings: span.siblings,
            };
            answer.send(&head, &span.bytes).await.ok()
        }
        _ => None,
    };
    let event = match sent {
        Some(bytes) if is_last => {
            // The span is taken, whether its asker hears of the end or not.
            let _ = answer.end().await;
            Happened::Event(Event::Sent { question, bytes })
        }
        Some(bytes) => Happened::Sent {
            question,
            bytes,
            answer,
        },
        // With the answer the stream is dropped, and the asker sees that it broke.
        None => Happened::Event(Event::Withdrawn { question }),
    };
    let _ = happened.send(event).await;
}

fn read(whence: &Whence, trees: &Trees, number: u32) -> Option<Span> {
    match whence {
        Whence::Part(thing, part) => {
            let span = part.read(number).ok().flatten()?;
            span.is_of(thing, number).then_some(span)
        }
        Whence::Shelf(shelved, shelf) => match trees.span(shelved, number) {
            Ok(span) => Some(span),
            Err(error) => {
                let root = shelved.thing.root();
                tracing::warn!(%root, path = %shelved.path.display(), %error, "a thing is not served");
                if is_damage(&error) {
                    shelf.is_damaged(&root);
                }
                None
            }
        },
    }
}

/// A file that has gone meanwhile is no damage.
fn is_damage(error: &ServeError) -> bool {
    match error {
        ServeError::Damaged => true,
        ServeError::Read(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
