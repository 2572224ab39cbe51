//! Messages on a stream: four bytes of length, little-endian, and the message.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};
use quern_protocol::{
    DecodeError, Message, PROTOCOL, Request, Response, limits::MESSAGE_BYTES_MAX,
};
use std::io;
use tokio::sync::oneshot;

/// The name under which peers negotiate these messages.
pub(crate) const STREAM_PROTOCOL: StreamProtocol = StreamProtocol::new(PROTOCOL);

/// Bytes reserved for a message before any of it has come; more follow as it comes.
const FIRST_RESERVATION_BYTES: usize = 4 * 1024;

/// What a stream brought: a checked message, or why it is none.
pub(crate) type Received<M> = Result<M, DecodeError>;

/// An answer on its way.
#[derive(Debug)]
pub(crate) enum Answer {
    /// On the side that answers: it will be there. The stream's own task waits for it, so that the
    /// answer goes from the masternode straight to the connection.
    Awaited(oneshot::Receiver<Response>),
    /// On the side that asked.
    Received(Received<Response>),
}

/// Reads and writes messages.
#[derive(Clone, Copy, Default)]
pub(crate) struct Frames;

async fn read<M: Message, T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Received<M>> {
    let mut prefix = [0; 4];
    io.read_exact(&mut prefix).await?;
    let length = u32::from_le_bytes(prefix) as usize;
    if length > MESSAGE_BYTES_MAX {
        return Ok(Err(DecodeError::TooLarge { bytes: length }));
    }
    let mut bytes = Vec::with_capacity(length.min(FIRST_RESERVATION_BYTES));
    io.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(quern_protocol::decode(&bytes))
}

async fn write<M: Message, T: AsyncWrite + Unpin + Send>(
    io: &mut T,
    message: &M,
) -> io::Result<()> {
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
    io.write_all(&bytes).await
}

impl request_response::Codec for Frames {
    type Protocol = StreamProtocol;
    type Request = Received<Request>;
    type Response = Answer;

    async fn read_request<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
    ) -> io::Result<Self::Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await.map(Answer::Received)
    }

    async fn write_request<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        request: Self::Request,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match request {
            Ok(request) => write(io, &request).await,
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidInput, error)),
        }
    }

    async fn write_response<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        response: Self::Response,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let response = match response {
            Answer::Awaited(response) => response
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?,
            Answer::Received(response) => {
                response.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?
            }
        };
        write(io, &response).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};
    use proptest::prelude::*;
    use quern_protocol::{Exchange, encode};

    fn framed(length: u32, bytes: &[u8]) -> Vec<u8> {
        [&length.to_le_bytes()[..], bytes].concat()
    }

    fn frame(bytes: &[u8]) -> Vec<u8> {
        framed(u32::try_from(bytes.len()).unwrap(), bytes)
    }

    fn read_request(bytes: Vec<u8>) -> io::Result<Received<Request>> {
        block_on(read(&mut Cursor::new(bytes)))
    }

    #[test]
    fn a_message_reads_back_from_its_frame() {
        let request = Request::Exchange(Exchange {
            want: 2,
            ..Exchange::default()
        });
        let mut bytes = Cursor::new(Vec::new());
        block_on(write(&mut bytes, &request)).unwrap();
        let written = bytes.into_inner();
        let encoded = encode(&request);
        assert_eq!(written, frame(&encoded));
        assert_eq!(read_request(written).unwrap().unwrap(), request);
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
