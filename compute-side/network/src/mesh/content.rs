//! Questions for content and their answers, each on a stream of its own.

use super::{Wire, behaviour::Counted, frame};
use crate::limits::INQUIRY_TIMEOUT;
use futures::{AsyncRead, AsyncWriteExt as _};
use libp2p::{Stream, core::upgrade::NegotiationError, swarm::StreamUpgradeError};
use std::{convert::Infallible, io};
use tokio::time::timeout;

/// Why content does not come.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// There is no link with the peer, or it ended.
    #[error("the peer is not connected")]
    Disconnected,
    /// The peer answers no such questions.
    #[error("the peer speaks no version of this protocol")]
    OtherProtocol,
    /// A part of the answer is longer than one may be.
    #[error("a part of the answer has {bytes} bytes, and at most {limit} are allowed")]
    Long {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The stream broke.
    #[error("the answer was broken off")]
    BrokenOff(#[from] io::Error),
}

impl From<StreamUpgradeError<Infallible>> for ContentError {
    fn from(error: StreamUpgradeError<Infallible>) -> Self {
        match error {
            StreamUpgradeError::NegotiationFailed => Self::OtherProtocol,
            StreamUpgradeError::Timeout => Self::BrokenOff(io::ErrorKind::TimedOut.into()),
            StreamUpgradeError::Io(error) => Self::BrokenOff(error),
            StreamUpgradeError::Apply(never) => match never {},
        }
    }
}

/// An answer that is being read. Dropped, it tells the peer that nothing more of it is wanted.
#[derive(Debug)]
pub struct Reply {
    stream: Stream,
    part_bytes_max: usize,
}

impl Reply {
    pub(super) async fn begin(
        mut stream: Stream,
        question: &[u8],
        wire: Wire,
    ) -> Result<Self, ContentError> {
        frame::write(&mut stream, question).await?;
        stream.flush().await?;
        Ok(Self {
            stream,
            part_bytes_max: wire.answer_bytes_max,
        })
    }

    /// The next part of it; none if the peer has ended it.
    ///
    /// # Errors
    ///
    /// If it was broken off, or the part is too long.
    pub async fn part(&mut self) -> Result<Option<Vec<u8>>, ContentError> {
        let part = read(&mut self.stream, self.part_bytes_max).await;
        part.map_err(|error| match error {
            // The question travels with the stream's negotiation, so it is here that its end is seen.
            ContentError::BrokenOff(error) if is_other_protocol(&error) => {
                ContentError::OtherProtocol
            }
            error => error,
        })
    }
}

/// The right to answer one question. Dropped before it is ended, it breaks the answer off.
#[derive(Debug)]
pub struct Answer {
    counted: Counted,
}

impl Answer {
    /// Sends the next part. Returns when the stream has taken it.
    ///
    /// # Errors
    ///
    /// If the stream broke.
    pub async fn part(&mut self, part: &[u8]) -> io::Result<()> {
        frame::write(&mut self.counted.stream, part).await
    }

    /// Ends the answer behind what was sent.
    ///
    /// # Errors
    ///
    /// If the stream broke.
    pub async fn end(mut self) -> io::Result<()> {
        self.counted.stream.close().await
    }
}

/// Reads what a peer asks on a stream that it opened; none if that is no question, or does not come in time.
pub(super) async fn question(mut counted: Counted, wire: Wire) -> Option<(Vec<u8>, Answer)> {
    let question = read(&mut counted.stream, wire.question_bytes_max);
    let question = timeout(INQUIRY_TIMEOUT, question).await.ok()?;
    let question = question.ok()??;
    Some((question, Answer { counted }))
}

async fn read<T>(io: &mut T, bytes_max: usize) -> Result<Option<Vec<u8>>, ContentError>
where
    T: AsyncRead + Unpin,
{
    let Some(bytes) = frame::read_length(io).await? else {
        return Ok(None);
    };
    if bytes > bytes_max {
        let limit = bytes_max;
        return Err(ContentError::Long { bytes, limit });
    }
    let mut part = Vec::new();
    frame::read_bytes(io, bytes, &mut part).await?;
    Ok(Some(part))
}

fn is_other_protocol(error: &io::Error) -> bool {
    let inner = error.get_ref();
    let negotiation = inner.and_then(|inner| inner.downcast_ref::<NegotiationError>());
    matches!(negotiation, Some(NegotiationError::Failed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};

    #[test]
    fn a_part_that_is_too_long_is_refused_before_its_bytes_are_read() {
        let of = |bytes: &[u8]| block_on(read(&mut Cursor::new(bytes.to_vec()), 8));
        assert_eq!(of(&[2, 0, 0, 0, 7, 8]).unwrap(), Some(vec![7, 8]));
        assert_eq!(of(&[]).unwrap(), None);
        let long = of(&[9, 0, 0, 0]).unwrap_err();
        assert!(matches!(long, ContentError::Long { bytes: 9, limit: 8 }));
        assert!(matches!(of(&[9, 0]), Err(ContentError::BrokenOff(_))));
        assert!(matches!(
            of(&[2, 0, 0, 0, 7]),
            Err(ContentError::BrokenOff(_))
        ));
    }
}
