//! What is asked of others, from the question to the last byte of its answer.

use crate::{mover::Happened, part::Span};
use codec::Encode as _;
use quern_fetch::{Event, Refusal, RequestId, SpanSet, Thing};
use quern_network::{Asker, Reading, ReadingError};
use quern_primitives::ids::DeviceId;
use quern_protocol::fetch::{Head, Holdings, Question};
use std::io;
use tokio::sync::mpsc;

/// Bytes that are read before they are told of.
const TOLD_BYTES: usize = 64 * 1024;

/// A request for spans of a thing.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) peer: DeviceId,
    pub(crate) thing: Thing,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// How an answer ended before all of it came.
enum Ended {
    /// The source said why.
    Refused(Refusal),
    /// Nobody said why.
    Broke,
    /// What came is not what was asked for.
    Lied,
    /// Nobody listens any more.
    Unheard,
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Broke
    }
}

/// Asks what a source has of a thing.
pub(crate) async fn holdings(asker: Asker, peer: DeviceId, thing: Thing) -> Option<SpanSet> {
    let question = Question::Have {
        root: thing.root(),
        bytes: thing.bytes(),
    };
    let told = async {
        let mut reading = asker.ask(&peer, &question).await.ok()?;
        reading.holdings().await.ok()
    };
    match told.await? {
        Holdings::Spans(bitmap) => SpanSet::from_bitmap(&thing, &bitmap),
        Holdings::Busy { .. } | Holdings::No => None,
    }
}

/// Asks for spans, and tells what comes.
pub(crate) async fn spans(asker: Asker, request: Request, happened: mpsc::Sender<Happened>) {
    let id = request.id;
    let Err(ended) = answer(&asker, &request, &happened).await else {
        return;
    };
    let event = match ended {
        Ended::Refused(refusal) => Event::Refused {
            request: id,
            refusal,
        },
        Ended::Broke => Event::Broke { request: id },
        Ended::Lied => Event::Arrived {
            request: id,
            proof_holds: false,
        },
        Ended::Unheard => return,
    };
    // An error says that nothing is moved any more.
    let _ = happened.send(Happened::Event(event)).await;
}

async fn answer(
    asker: &Asker,
    request: &Request,
    happened: &mpsc::Sender<Happened>,
) -> Result<(), Ended> {
    let question = Question::Spans {
        root: request.thing.root(),
        first: request.first,
        count: u8::try_from(request.count).unwrap_or(u8::MAX),
    };
    let asked = asker.ask(&request.peer, &question).await;
    let mut reading = asked.map_err(|error| {
        tracing::debug!(peer = %request.peer, %error, "a source is not asked");
        Ended::Broke
    })?;
    let end = request.first.saturating_add(request.count);
    for number in request.first..end {
        let span = one(&mut reading, request, number, happened).await?;
        let sent = happened.send(Happened::Arrived {
            request: request.id,
            span,
            is_last: number.saturating_add(1) == end,
        });
        sent.await.map_err(|_| Ended::Unheard)?;
    }
    Ok(())
}

/// Reads a span and holds it to the thing's name.
async fn one(
    reading: &mut Reading,
    request: &Request,
    number: u32,
    happened: &mpsc::Sender<Happened>,
) -> Result<Span, Ended> {
    let head = reading.head().await.map_err(|error| {
        tracing::debug!(peer = %request.peer, %error, "a source's answer cannot be read");
        match error {
            ReadingError::NoMessage(_) => Ended::Lied,
            ReadingError::BrokenOff(_) | ReadingError::OtherProtocol => Ended::Broke,
        }
    })?;
    let head = head.ok_or(Ended::Broke)?;
    let head_bytes = (head.encoded_size() as u64).saturating_add(4);
    let siblings = match head {
        Head::Busy { ms } => return Err(Ended::Refused(Refusal::Busy { ms })),
        Head::No => return Err(Ended::Refused(Refusal::No)),
        Head::Span {
            span,
            bytes,
            siblings,
        } => {
            let is_meant = span == number && u64::from(bytes) == request.thing.span_bytes(number);
            if !is_meant {
                return Err(Ended::Lied);
            }
            siblings
        }
    };
    moved(request.id, head_bytes, happened).await?;
    let length = usize::try_from(request.thing.span_bytes(number)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    let (mut there, mut told) = (0, 0);
    while let Some(rest) = bytes.get_mut(there..).filter(|rest| !rest.is_empty()) {
        let read = reading.some(rest).await?;
        if read == 0 {
            return Err(Ended::Broke);
        }
        there = there.saturating_add(read);
        if there.saturating_sub(told) >= TOLD_BYTES || there == length {
            moved(request.id, there.saturating_sub(told) as u64, happened).await?;
            told = there;
        }
    }
    let span = Span { bytes, siblings };
    if !span.is_of(&request.thing, number) {
        tracing::warn!(peer = %request.peer, root = %request.thing.root(), number, "a source sent what is not the thing");
        return Err(Ended::Lied);
    }
    Ok(span)
}

async fn moved(
    request: RequestId,
    bytes: u64,
    happened: &mpsc::Sender<Happened>,
) -> Result<(), Ended> {
    let event = Event::Moved { request, bytes };
    let sent = happened.send(Happened::Event(event)).await;
    sent.map_err(|_| Ended::Unheard)
}
