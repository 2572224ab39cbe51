//! Wishes of [`quern_protocol::keep`] and their answers: each has a stream of its own, and both are short.

use super::{AskError, Asker, Counted, answers::is_other_protocol, framed, streams::Kind};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use quern_primitives::ids::DeviceId;
use quern_protocol::keep::{self, Answer, KeepDecodeError, KeepMessage, Wish};
use std::io;
use tokio::sync::mpsc;

/// A masternode's wish, read and held to the protocol's limits.
#[derive(Debug)]
pub struct Wished {
    /// Who asks.
    pub peer: DeviceId,
    /// What.
    pub wish: Wish,
    /// Where to answer. Dropped unused, it breaks the wish off.
    pub answer: WishAnswer,
}

/// The right to answer one wish.
#[derive(Debug)]
pub struct WishAnswer {
    counted: Counted,
}

impl WishAnswer {
    /// Answers. Returns when the stream has taken it, with the bytes that it took.
    pub async fn answer(mut self, answer: &Answer) -> io::Result<u64> {
        let framed = framed(&keep::encode(answer));
        let stream = &mut self.counted.stream;
        stream.write_all(&framed).await?;
        stream.close().await?;
        Ok(framed.len() as u64)
    }
}

/// Why a wish has no answer.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// It breaks a limit of the protocol.
    #[error("the wish was not sent")]
    NotSent(#[source] KeepDecodeError),
    /// No stream was opened for it.
    #[error("the wish could not be told")]
    NotAsked(#[source] AskError),
    /// The peer keeps nothing for others.
    #[error("the peer speaks no version of this protocol")]
    OtherProtocol,
    /// The stream broke, or ended before an answer.
    #[error("the answer was broken off")]
    BrokenOff(#[source] io::Error),
    /// What came is no answer.
    #[error("the answer is no message")]
    NoMessage(#[source] KeepDecodeError),
}

impl Asker {
    /// Tells a peer that is connected a wish, and reads its answer. How long to wait for it is the caller's to say.
    pub async fn wish(&self, peer: &DeviceId, wish: &Wish) -> Result<Answer, WishError> {
        wish.check().map_err(WishError::NotSent)?;
        let encoded = keep::encode(wish);
        let asked = self.open(peer, Kind::Keep, &encoded).await;
        let mut stream = asked.map_err(|error| match error {
            AskError::OtherProtocol => WishError::OtherProtocol,
            error => WishError::NotAsked(error),
        })?;
        match read(&mut stream).await {
            Ok(Some(answer)) => answer.map_err(WishError::NoMessage),
            Ok(None) => Err(WishError::BrokenOff(io::ErrorKind::UnexpectedEof.into())),
            Err(error) if is_other_protocol(&error) => Err(WishError::OtherProtocol),
            Err(error) => Err(WishError::BrokenOff(error)),
        }
    }
}

/// Reads a wish and hands it on.
pub(super) async fn hand_on(peer: DeviceId, mut counted: Counted, wishes: mpsc::Sender<Wished>) {
    let wish = match read(&mut counted.stream).await {
        Ok(Some(Ok(wish))) => wish,
        Ok(Some(Err(error))) => {
            tracing::debug!(%peer, %error, "a peer wishes what is no wish");
            return;
        }
        Ok(None) | Err(_) => return,
    };
    let answer = WishAnswer { counted };
    // An error says that nobody answers any more.
    let _ = wishes.send(Wished { peer, wish, answer }).await;
}

/// Reads a message with its length before it; none if the other side ended the stream before it. No more room is taken
/// than the longest message of its kind has.
async fn read<M, T>(stream: &mut T) -> io::Result<Option<Result<M, KeepDecodeError>>>
where
    M: KeepMessage,
    T: AsyncRead + Unpin,
{
    let mut length = [0; 4];
    let (first, rest) = length.split_at_mut(1);
    if stream.read(first).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(rest).await?;
    let bytes = u32::from_le_bytes(length) as usize;
    let limit = M::BYTES_MAX;
    if bytes > limit {
        return Ok(Some(Err(KeepDecodeError::TooLarge { bytes, limit })));
    }
    let mut message = vec![0; bytes];
    stream.read_exact(&mut message).await?;
    Ok(Some(keep::decode(&message)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};
    use proptest::prelude::*;

    fn read_of<M: KeepMessage>(bytes: Vec<u8>) -> io::Result<Option<Result<M, KeepDecodeError>>> {
        block_on(read(&mut Cursor::new(bytes)))
    }

    #[test]
    fn a_wish_reads_back_and_a_stream_that_has_ended_has_none() {
        let written = framed(&keep::encode(&Wish::Room));
        assert_eq!(read_of(written).unwrap(), Some(Ok(Wish::Room)));
        assert_eq!(read_of::<Wish>(Vec::new()).unwrap(), None);
    }

    #[test]
    fn a_wish_over_the_limit_is_refused_before_its_bytes_are_read() {
        let read = read_of::<Wish>(vec![1, 1, 0, 0]).unwrap().unwrap();
        let (bytes, limit) = (257, Wish::BYTES_MAX);
        assert_eq!(read, Err(KeepDecodeError::TooLarge { bytes, limit }));
    }

    #[test]
    fn an_answer_that_ends_early_is_none() {
        let written = framed(&keep::encode(&Answer::Room { bytes: 7 }));
        for length in 1..written.len() {
            let error = read_of::<Answer>(written[..length].to_vec()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_of::<Wish>(bytes.clone());
            let _ = read_of::<Answer>(framed(&bytes));
        }
    }
}
