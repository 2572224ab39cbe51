//! Content by its name: questions of [`quern_protocol::fetch`] and their answers; and what a masternode wishes of a device
//! that keeps pieces, by [`quern_protocol::keep`].
//!
//! Each question, and each wish, has a stream of its own, which whoever asks opens, over whatever connection there is to the other
//! peer: a masternode asks a device that connected to it, and is asked by it. What a question may get is not
//! decided here; [`Inquiry`] says who asks.
//!
//! A stream that is reset says that its question was not answered to the end. Nothing here repeats one.

mod answers;
mod behaviour;
mod streams;
mod wishes;

pub use answers::{Reading, ReadingError, Writing};
pub(crate) use behaviour::{Contents, Hearers};
pub use wishes::{WishAnswer, WishError, Wished};

use crate::identity::peer_of;
use behaviour::{Order, Wanted};
use futures::io::AsyncWriteExt as _;
use libp2p::{Stream, swarm::StreamUpgradeError};
use quern_primitives::ids::DeviceId;
use quern_protocol::fetch::{FetchDecodeError, FetchMessage as _, Question, encode};
use std::{convert::Infallible, io, sync::Arc};
use streams::Kind;
use tokio::sync::{mpsc, oneshot};

/// A peer's question, read and held to the protocol's limits.
#[derive(Debug)]
pub struct Inquiry {
    /// Who asks.
    pub peer: DeviceId,
    /// What.
    pub question: Question,
    /// Where to answer. Dropped unused, it breaks the question off.
    pub answer: Writing,
}

/// Why a question was not asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It breaks a limit of the protocol.
    #[error("the question was not sent")]
    NotSent(#[source] FetchDecodeError),
    /// There is no connection to the peer, or it ended.
    #[error("the peer is not connected")]
    Disconnected,
    /// The peer does not answer such questions.
    #[error("the peer speaks no version of this protocol")]
    OtherProtocol,
    /// The stream broke.
    #[error("the question was broken off")]
    BrokenOff(#[source] io::Error),
}

/// Asks peers over the connections of one server or client. Clones are for the same.
#[derive(Clone, Debug)]
pub struct Asker {
    orders: mpsc::Sender<Order>,
}

impl Asker {
    /// Asks a peer that is connected. Its answer is read from what this returns, as it comes.
    pub async fn ask(&self, peer: &DeviceId, question: &Question) -> Result<Reading, AskError> {
        question.check().map_err(AskError::NotSent)?;
        let stream = self.open(peer, Kind::Content, &encode(question)).await?;
        Ok(Reading::new(stream))
    }

    /// Opens a stream and writes its first message, with its length before it.
    async fn open(&self, peer: &DeviceId, kind: Kind, message: &[u8]) -> Result<Stream, AskError> {
        let (opened, stream) = oneshot::channel();
        let order = Order {
            peer: peer_of(peer),
            stream: Wanted { kind, opened },
        };
        let sent = self.orders.send(order).await;
        sent.map_err(|_| AskError::Disconnected)?;
        let stream = stream.await.map_err(|_| AskError::Disconnected)?;
        let mut stream = stream.map_err(not_opened)?;
        let framed = framed(message);
        let written = async {
            stream.write_all(&framed).await?;
            stream.flush().await
        };
        written.await.map_err(AskError::BrokenOff)?;
        Ok(stream)
    }
}

fn not_opened(error: StreamUpgradeError<Infallible>) -> AskError {
    match error {
        StreamUpgradeError::NegotiationFailed => AskError::OtherProtocol,
        StreamUpgradeError::Timeout => AskError::BrokenOff(io::ErrorKind::TimedOut.into()),
        StreamUpgradeError::Io(error) => AskError::BrokenOff(error),
        StreamUpgradeError::Apply(never) => match never {},
    }
}

/// A message with its length before it.
fn framed(message: &[u8]) -> Vec<u8> {
    // No message of these protocols has as many.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), message].concat()
}

/// A stream over which one question is asked, with what counts it as open.
#[derive(Debug)]
struct Counted {
    stream: Stream,
    /// The connection's handler counts those that live.
    _one: Arc<()>,
}
