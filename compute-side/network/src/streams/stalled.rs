//! A stream for tests, on which something comes and then nothing more.
#![allow(clippy::unwrap_used)]

use futures::{AsyncRead, AsyncWrite};
use quern_protocol::{Message, encode};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// A stream on which these bytes come and no more, without an end. What is written is lost.
pub(super) struct Stalled(pub(super) Vec<u8>);

impl AsyncRead for Stalled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = buffer.len().min(self.0.len());
        if count == 0 {
            return Poll::Pending;
        }
        for (to, from) in buffer.iter_mut().zip(self.0.drain(..count)) {
            *to = from;
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Stalled {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A message as it comes over a stream.
pub(super) fn framed(message: &impl Message) -> Vec<u8> {
    let body = encode(message);
    [&u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body].concat()
}
