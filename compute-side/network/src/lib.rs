//! Peers: authenticated, admitted connections that carry the protocol.
//!
//! The only off-chain room with libp2p. Above it there are devices, requests and responses; peer
//! ids, multiplexers and streams end here.
//!
//! - [`Server`] is the masternode's side. It listens on QUIC and on TCP with Noise, and turns what
//!   devices do into [`ServerEvent`]s.
//! - [`Client`] is the device's side. It connects to exactly the masternode whose key it expects
//!   and carries several requests at a time.
//! - [`Mesh`] is a peer among equals: anybody may connect, within bounds, and say and ask what its
//!   [`Wire`] allows. [`mesh`] says who may be there and what is on the wire; the rest of this page is
//!   about devices and masternodes.
//!
//! # Who may connect
//!
//! A peer's name is its Ed25519 key, proven in the handshake; any other kind of key is refused. At
//! most one connection of a device is current: a newer one ends the older. Whether the device may
//! have work is not decided here; the masternode answers its hello and, if it may not, closes with
//! [`ReplyToken::dismiss`].
//!
//! To be connected is no claim to a place. Who has not been welcomed within
//! [`ServerLimits::admission_timeout`] is disconnected, whatever it asks meanwhile. When all places
//! are taken, who has been waiting for a welcome for longest makes room for who comes; when all who
//! have a place were let in, who comes is told [`Refusal::Full`](quern_protocol::Refusal::Full) in
//! answer to its first request.
//!
//! # What is on the wire
//!
//! Streams that the device opens. A stream carries one request at a time: four bytes of length
//! (little-endian) and the message, then the answer the same way, then the next request. Requests that
//! are on their way together have a stream each, so none waits for another's answer and none needs a
//! number. The device keeps a stream that is idle, [`limits::REQUESTS_PER_DEVICE_MAX`] at most, for as
//! long as the connection lasts, and uses the one it used last; idle streams alone do not make it last.
//! After [`limits::STREAM_BYTES_MAX`] neither end uses a stream any more.
//!
//! A stream that ends before the answer says that the request was broken off; it may have been read,
//! and nothing here repeats it. What a device sends ahead of an answer is read after the answer.
//!
//! A length over [`quern_protocol::limits::MESSAGE_BYTES_MAX`] is refused before anything is read or
//! reserved for it. From its first byte on, a request must have come and be answered within
//! [`quern_protocol::limits::REQUEST_TIMEOUT`], or its stream is closed. Messages are decoded and
//! checked in the connection's own task, so one peer's messages delay nobody else's. Beside the
//! protocol there are only libp2p's ping, which tells how far away a device is
//! ([`ReplyToken::round_trip`]), and identify.
//!
//! # Content
//!
//! What has a name is asked for over streams of its own, by a protocol of its own
//! ([`quern_protocol::fetch`]), and either side of a connection may ask: an [`Asker`] opens a stream for each
//! question, and what the other side asks comes as an [`Inquiry`]. So is what is said about pieces that a device keeps
//! for others ([`quern_protocol::keep`]): a masternode tells a wish ([`Asker::wish`]), which comes to the device as a
//! [`Wished`], if it keeps anything. Who has more streams open for it than
//! [`limits::CONTENT_STREAMS_MAX`] has the next one reset.
//!
//! # Limits
//!
//! See [`limits`] and [`ServerLimits`]. A peer that breaks one is reported as
//! [`ServerEvent::Misbehaved`] and disconnected; whether it is to be blocked for a while is for the
//! masternode to say.

mod address;
mod admission;
mod client;
mod content;
mod identity;
pub mod limits;
mod listen;
pub mod mesh;
mod server;
mod streams;
mod swarm;
mod wire;

pub use address::Prefer;
pub use client::{Client, ClientConfig, ConnectError, RequestError};
pub use content::{
    AskError, Asker, Inquiry, Reading, ReadingError, WishAnswer, WishError, Wished, Writing,
};
pub use identity::{device_of_name, device_of_seed, name_of};
pub use libp2p::{Multiaddr, multiaddr::Error as AddressError};
pub use limits::ServerLimits;
pub use mesh::{Mesh, MeshConfig, MeshEvent, MeshHandle, Wire};
pub use server::{
    Misbehaviour, ReplyToken, Server, ServerConfig, ServerEvent, ServerHandle, StartError, Stopped,
};
