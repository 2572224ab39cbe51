//! Counts the bytes that go over connections, both ways.
//!
//! What is counted is messages as they are encoded. What transports add to them (encryption, headers,
//! what is sent again) is not to be seen from here; it is a few hundredths of a shard, and more than
//! the message itself where a message is short.

use codec::Encode;
use quern_network::{Client, RequestError};
use quern_protocol::{Request, Response};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A count of bytes. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<AtomicU64>);

impl Traffic {
    /// Asks over a connection, and counts the question and its answer.
    pub(crate) async fn request(
        &self,
        client: &Client,
        request: Request,
    ) -> Result<Response, RequestError> {
        self.add(&request);
        let answer = client.request(request).await?;
        self.add(&answer);
        Ok(answer)
    }

    /// Where others count what they move.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0)
    }

    /// What was counted since this was last asked.
    pub(crate) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn add(&self, message: &impl Encode) {
        self.0
            .fetch_add(message.encoded_size() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_protocol::{Mark, Piece, limits::MARK_BYTES};

    #[test]
    fn messages_are_counted_as_they_are_encoded_and_once() {
        let traffic = Traffic::default();
        let piece = Response::Piece(Piece {
            total_bytes: 1 << 20,
            bytes: vec![7; 1_000],
            mark: Mark([7; MARK_BYTES]),
        });
        traffic.clone().add(&piece);
        assert_eq!(traffic.take(), piece.encode().len() as u64);
        assert_eq!(traffic.take(), 0);
    }
}
