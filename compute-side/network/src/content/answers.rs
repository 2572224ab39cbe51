//! Answers, as they are read and written.

use super::{Counted, framed};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::{Stream, core::upgrade::NegotiationError};
use quern_protocol::{
    fetch::{self, FetchDecodeError, FetchMessage, Head, Holdings, encode},
    limits::FETCH_MESSAGE_BYTES_MAX,
};
use std::io;

/// Why an answer cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The stream broke, or ended within something.
    #[error("the answer was broken off")]
    BrokenOff(#[from] io::Error),
    /// The peer does not answer such questions.
    #[error("the peer speaks no version of this protocol")]
    OtherProtocol,
    /// What came is no message.
    #[error("the answer is no message")]
    NoMessage(#[from] FetchDecodeError),
}

/// An answer that is being read. Dropped, it tells the peer that nothing more of it is wanted.
#[derive(Debug)]
pub struct Reading {
    stream: Stream,
}

impl Reading {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// The answer to a question what somebody has.
    pub async fn holdings(&mut self) -> Result<Holdings, ReadingError> {
        match self.message().await? {
            Some(holdings) => Ok(holdings),
            None => Err(ReadingError::BrokenOff(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// What stands before the next span, or ends the answer; none if the peer ended it without a word.
    pub async fn head(&mut self) -> Result<Option<Head>, ReadingError> {
        self.message().await
    }

    /// Some of the bytes that follow a head, as many as there are now and fit; none at the stream's end.
    pub async fn some(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into).await
    }

    async fn message<M: FetchMessage>(&mut self) -> Result<Option<M>, ReadingError> {
        match read(&mut self.stream).await {
            Ok(Some(message)) => Ok(Some(message?)),
            Ok(None) => Ok(None),
            Err(error) if is_other_protocol(&error) => Err(ReadingError::OtherProtocol),
            Err(error) => Err(error.into()),
        }
    }
}

/// A question's first bytes travel with the stream's negotiation, so it is here that its end is seen.
pub(super) fn is_other_protocol(error: &io::Error) -> bool {
    let inner = error.get_ref();
    let negotiation = inner.and_then(|inner| inner.downcast_ref::<NegotiationError>());
    matches!(negotiation, Some(NegotiationError::Failed))
}

/// Reads a message with its length before it; none if the other side ended the stream before it.
pub(super) async fn read<M, T>(stream: &mut T) -> io::Result<Option<Result<M, FetchDecodeError>>>
where
    M: FetchMessage,
    T: AsyncRead + Unpin,
{
    let mut length = [0; 4];
    let (first, rest) = length.split_at_mut(1);
    if stream.read(first).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(rest).await?;
    let bytes = u32::from_le_bytes(length) as usize;
    let mut room = [0; FETCH_MESSAGE_BYTES_MAX];
    let Some(message) = room.get_mut(..bytes) else {
        return Ok(Some(Err(FetchDecodeError::TooLarge { bytes })));
    };
    stream.read_exact(message).await?;
    Ok(Some(fetch::decode(message)))
}

/// The right to answer one question. Dropped before it is ended, it breaks the answer off.
#[derive(Debug)]
pub struct Writing {
    counted: Counted,
}

impl Writing {
    pub(super) fn new(counted: Counted) -> Self {
        Self { counted }
    }

    /// Says what there is, or that nothing is said, and ends the answer.
    pub async fn tell(mut self, holdings: &Holdings) -> io::Result<()> {
        self.message(holdings).await?;
        self.counted.stream.close().await
    }

    /// Sends a span behind its head. Returns when the stream has taken it, with the bytes that it took.
    pub async fn send(&mut self, head: &Head, bytes: &[u8]) -> io::Result<u64> {
        let framed = framed(&encode(head));
        let stream = &mut self.counted.stream;
        stream.write_all(&framed).await?;
        stream.write_all(bytes).await?;
        stream.flush().await?;
        Ok((framed.len() as u64).saturating_add(bytes.len() as u64))
    }

    /// Says why nothing more comes, and ends the answer.
    pub async fn refuse(mut self, head: &Head) -> io::Result<()> {
        self.message(head).await?;
        self.counted.stream.close().await
    }

    /// Ends the answer behind what was sent.
    pub async fn end(mut self) -> io::Result<()> {
        self.counted.stream.close().await
    }

    async fn message<M: FetchMessage>(&mut self, message: &M) -> io::Result<()> {
        let stream = &mut self.counted.stream;
        stream.write_all(&framed(&encode(message))).await?;
        stream.flush().await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};
    use proptest::prelude::*;
    use quern_primitives::ids::Digest;
    use quern_protocol::fetch::Question;

    fn read_of(bytes: Vec<u8>) -> io::Result<Option<Result<Question, FetchDecodeError>>> {
        block_on(read(&mut Cursor::new(bytes)))
    }

    fn question() -> Question {
        Question::Spans {
            root: Digest([7; 32]),
            first: 3,
            count: 2,
        }
    }

    #[test]
    fn a_message_reads_back_and_a_stream_that_has_ended_has_none() {
        let written = framed(&encode(&question()));
        assert_eq!(read_of(written).unwrap(), Some(Ok(question())));
        assert_eq!(read_of(Vec::new()).unwrap(), None);
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_are_read() {
        let read = read_of(vec![1, 2, 0, 0]).unwrap().unwrap();
        assert_eq!(read, Err(FetchDecodeError::TooLarge { bytes: 513 }));
    }

    #[test]
    fn a_message_that_ends_early_is_none() {
        let written = framed(&encode(&question()));
        for length in 1..written.len() {
            let error = read_of(written[..length].to_vec()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read_of(bytes.clone());
            let _ = read_of(framed(&bytes));
        }
    }
}
