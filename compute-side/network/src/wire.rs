//! Messages on a stream: four bytes of length, little-endian, and the message.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use quern_protocol::{DecodeError, Message, PROTOCOL, limits::MESSAGE_BYTES_MAX};
use std::io;

/// The name under which peers negotiate these messages.
pub(crate) const STREAM_PROTOCOL: StreamProtocol = StreamProtocol::new(PROTOCOL);

/// Bytes reserved for a message before any of it has come; more follow as it comes.
const FIRST_RESERVATION_BYTES: usize = 4 * 1024;

/// What a stream brought: a checked message, or why it is none.
pub(crate) type Received<M> = Result<M, DecodeError>;

/// A message that has begun to come: its length, or as much of that as is there.
#[derive(Debug)]
pub(crate) struct Begun {
    prefix: [u8; 4],
    come: usize,
}

/// Waits until a message begins, for as long as that takes. None if the other side has ended the
/// stream.
pub(crate) async fn begin<T>(io: &mut T) -> io::Result<Option<Begun>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut prefix = [0; 4];
    let come = io.read(&mut prefix).await?;
    Ok((come > 0).then_some(Begun { prefix, come }))
}

/// Reads a message that has begun. Returns it with the bytes of its frame.
pub(crate) async fn read<M, T>(io: &mut T, begun: Begun) -> io::Result<(Received<M>, usize)>
where
    M: Message,
    T: AsyncRead + Unpin + Send,
{
    let Begun { mut prefix, come } = begun;
    if let Some(rest) = prefix.get_mut(come..) {
        io.read_exact(rest).await?;
    }
    let length = u32::from_le_bytes(prefix) as usize;
    if length > MESSAGE_BYTES_MAX {
        let received = Err(DecodeError::TooLarge { bytes: length });
        return Ok((received, prefix.len()));
    }
    let mut bytes = Vec::with_capacity(length.min(FIRST_RESERVATION_BYTES));
    io.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((quern_protocol::decode(&bytes), prefix.len() + length))
}

/// Writes a message and sends it off. Returns the bytes of its frame.
pub(crate) async fn write<M, T>(io: &mut T, message: &M) -> io::Result<usize>
where
    M: Message,
    T: AsyncWrite + Unpin + Send,
{
    // Prefix and message in one buffer are one write, one frame and one encryption.
    let mut bytes = Vec::with_capacity(message.size_hint() + 4);
    bytes.extend_from_slice(&[0; 4]);
    message.encode_to(&mut bytes);
    let length = bytes.len() - 4;
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            DecodeError::TooLarge { bytes: length },
        ));
    }
    bytes[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    io.write_all(&bytes).await?;
    io.flush().await?;
    Ok(bytes.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};
    use proptest::prelude::*;
    use quern_protocol::{Exchange, Request, encode};

    fn framed(length: u32, bytes: &[u8]) -> Vec<u8> {
        [&length.to_le_bytes()[..], bytes].concat()
    }

    fn frame(bytes: &[u8]) -> Vec<u8> {
        framed(u32::try_from(bytes.len()).unwrap(), bytes)
    }

    async fn first_of(bytes: Vec<u8>) -> io::Result<(Received<Request>, usize)> {
        let mut stream = Cursor::new(bytes);
        match begin(&mut stream).await? {
            Some(begun) => read(&mut stream, begun).await,
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn read_request(bytes: Vec<u8>) -> io::Result<Received<Request>> {
        block_on(first_of(bytes)).map(|(received, _)| received)
    }

    #[test]
    fn a_message_reads_back_from_its_frame() {
        let request = Request::Exchange(Exchange {
            want: 2,
            ..Exchange::default()
        });
        let mut bytes = Cursor::new(Vec::new());
        let sent = block_on(write(&mut bytes, &request)).unwrap();
        let written = bytes.into_inner();
        let encoded = encode(&request);
        assert_eq!(written, frame(&encoded));
        let (received, came) = block_on(first_of(written)).unwrap();
        assert_eq!(received.unwrap(), request);
        assert_eq!((sent, came), (encoded.len() + 4, encoded.len() + 4));
    }

    #[test]
    fn a_stream_that_has_ended_begins_no_message() {
        let ended = block_on(begin(&mut Cursor::new(Vec::<u8>::new()))).unwrap();
        assert!(ended.is_none());
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_are_read() {
        let error = read_request(framed(u32::MAX, &[])).unwrap().unwrap_err();
        assert_eq!(
            error,
            DecodeError::TooLarge {
                bytes: u32::MAX as usize
            }
        );
    }

    #[test]
    fn a_frame_that_ends_early_is_no_message() {
        let error = read_request(framed(100, &[0; 99])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn random_frames_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read_request(bytes.clone());
            let _ = read_request(frame(&bytes));
        }
    }
}
