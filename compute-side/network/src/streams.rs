//! Streams that carry one request after the other, each with its answer before the next.
//!
//! The device opens them and keeps those that are idle; the masternode answers. What would have to be
//! done for a stream of its own for each request, to agree on the protocol, to set a timer for that,
//! to close, is done once for thousands of them. A request that fails takes its stream with it: who
//! sent the request knows whether it is to be repeated, and nothing in here repeats one.
//!
//! Both ends count what a stream has carried, and leave it after the same answer, see
//! [`STREAM_BYTES_MAX`].

pub(crate) mod device;
pub(crate) mod masternode;

#[cfg(test)]
mod stalled;
#[cfg(test)]
mod tests;

use crate::{
    limits::STREAM_BYTES_MAX,
    wire::{self, Begun, Received},
};
use futures::{AsyncRead, AsyncWrite};
use quern_protocol::Message;
use std::io;

/// A stream and the bytes of requests and answers that it has carried.
#[derive(Debug)]
struct Line<T> {
    stream: T,
    carried: usize,
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line<T> {
    fn new(stream: T) -> Self {
        Self { stream, carried: 0 }
    }

    async fn write<M: Message>(&mut self, message: &M) -> io::Result<()> {
        let bytes = wire::write(&mut self.stream, message).await?;
        self.carried = self.carried.saturating_add(bytes);
        Ok(())
    }

    /// Waits until the other side begins a message, see [`wire::begin`].
    async fn begin(&mut self) -> io::Result<Option<Begun>> {
        wire::begin(&mut self.stream).await
    }

    async fn read<M: Message>(&mut self, begun: Begun) -> io::Result<Received<M>> {
        let (received, bytes) = wire::read(&mut self.stream, begun).await?;
        self.carried = self.carried.saturating_add(bytes);
        Ok(received)
    }

    /// Whether another request may follow the last answer.
    fn goes_on(&self) -> bool {
        self.carried < STREAM_BYTES_MAX
    }
}
