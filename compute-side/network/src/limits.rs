//! The bounds of connections, with their arithmetic. Those of messages are in
//! [`quern_protocol::limits`].

use quern_protocol::limits::MESSAGE_BYTES_MAX;
use std::time::Duration;

/// Requests that a device may have unanswered at a time: one held exchange, one that overtakes it
/// with a report, and pieces of two shards, a program and a result.
pub const REQUESTS_PER_DEVICE_MAX: usize = 8;

/// Streams that a device may have open for each request it may have unanswered: the one that carries
/// it, and one that it has given up and whose end is still on its way.
pub const STREAMS_PER_REQUEST: usize = 2;

/// Streams that a peer may have open for questions about content at a time: what it has of 16 things, and four
/// questions for spans; twice as many as those, for some are given up whose end is still on its way.
pub const CONTENT_STREAMS_MAX: usize = 40;

/// How long a question about content may take to come, and to be taken.
pub const INQUIRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Streams for questions that wait to be opened, over all connections.
pub const ORDERS_MAX: usize = 256;

/// Streams of one connection: those for requests, those for content of both sides, and more than ping and identify
/// take, so that those that are being opened and closed do not count against a device.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 128;
const _: () = assert!(
    STREAMS_PER_CONNECTION_MAX as usize
        > STREAMS_PER_REQUEST * REQUESTS_PER_DEVICE_MAX + 2 * CONTENT_STREAMS_MAX
);

/// Bytes of requests and answers after which a stream carries no more requests: some thousand exchanges
/// without inline data, or four pieces. On TCP the other side may send ahead as much as a stream's
/// window allows; that doubles while the stream is read quickly, and so is at most about twice what
/// has been read of it.
pub const STREAM_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// Connections of one device: the current one and the one that is about to replace it.
pub const CONNECTIONS_PER_DEVICE_MAX: u32 = 2;

/// Addresses tried for one masternode, after names are resolved.
pub const DIALLED_ADDRESSES_MAX: usize = 16;

/// Devices kept out at the same time.
pub const BLOCKED_DEVICES_MAX: usize = 65_536;

/// Unacknowledged bytes of one QUIC stream: a message and its prefix fit.
pub const STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
const _: () = assert!(STREAM_WINDOW_BYTES as usize >= MESSAGE_BYTES_MAX + 4);

/// Unacknowledged bytes of one QUIC connection: a message for every request fits.
pub const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const _: () =
    assert!(CONNECTION_WINDOW_BYTES as usize >= REQUESTS_PER_DEVICE_MAX * MESSAGE_BYTES_MAX);

/// How long establishing a connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the other side is asked for a sign of life.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Pings over a connection of which the quickest counts: two minutes of them. A line that is busy, or
/// a machine, holds up most of them and not all.
pub const PINGS: usize = 8;

/// How long the other side may take to give it.
pub const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing at all may come over a QUIC connection before it counts as broken; where nothing is to
/// be said, [`QUIC_KEEP_ALIVE`] sees to it that something comes. Over TCP nothing is to be seen of a line
/// that is cut, but that no ping comes back twice, and that a request has no answer.
pub const QUIC_SILENCE_MAX: Duration = Duration::from_secs(10);

/// After how long without a packet one is sent over a QUIC connection.
pub const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(5);
const _: () = assert!(QUIC_KEEP_ALIVE.as_secs() < QUIC_SILENCE_MAX.as_secs());

/// When a connection without any request is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a device may be connected before the masternode lets it in: time for a hello and for a
/// look at the chain. Requests do not prolong it, as they do [`IDLE_TIMEOUT`].
pub const ADMISSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections beyond a server's limit that are let in to be told that it is full. Each is closed
/// after [`DISMISS_GRACE`].
pub const SURPLUS_MAX: u32 = 64;

/// How long a dismissed device has to read the last answer and to go by itself.
pub const DISMISS_GRACE: Duration = Duration::from_secs(1);

/// Connections that a server accepts at a time if it is not told otherwise.
pub const CONNECTIONS_MAX: u32 = 4_096;

// Meshes.

/// Bytes of messages that are read of a peer of a mesh in a second.
pub const SAID_BYTES_PER_SECOND: u64 = 64 * 1024;

/// Bytes of messages that are read of it at once: what it has, what it knows, and some more.
pub const SAID_BYTES_BURST: u64 = 1024 * 1024;

/// Messages to one peer that wait to be written.
pub const UNSAID_MAX: usize = 1_024;

/// Bytes of them.
pub const UNSAID_BYTES_MAX: usize = 1024 * 1024;

/// How long a message may take to come, from its first byte on, and to be taken.
pub const TALK_TIMEOUT: Duration = Duration::from_secs(60);

/// Streams for content that a peer of a mesh may have open at a time.
pub const MESH_CONTENT_STREAMS_MAX: usize = 8;

/// Events of a mesh that wait: while so many do nothing more is read. Each is a message at most.
pub const MESH_EVENTS_MAX: usize = 256;

/// Connections of a mesh at a time whose handshake is not over, of those that others open.
pub const MESH_PENDING_MAX: u32 = 64;

/// Connections of a mesh beyond those that it keeps: the second ones of peers, and those that are turned away.
pub const MESH_SURPLUS_MAX: u32 = 16;

/// Connections that a mesh opens at a time.
pub const DIALS_MAX: usize = 16;

/// Addresses that are looked at of those on which a peer says that it listens.
pub const TOLD_ADDRESSES_MAX: usize = 16;

/// What a server accepts at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at a time. Beyond them some more are let in to be told that there is no place,
    /// see [`SURPLUS_MAX`]. A device that waits for work has one small request open on its own; at the
    /// very most [`CONNECTION_WINDOW_BYTES`] of it are on their way and [`REQUESTS_PER_DEVICE_MAX`]
    /// messages unanswered, 24 MiB together.
    pub connections_max: u32,
    /// Connections at a time whose handshake is not over.
    pub pending_max: u32,
    /// Unanswered requests of one device at a time; one more ends its connection, as do more than
    /// [`STREAMS_PER_REQUEST`] streams for each.
    pub requests_per_device_max: usize,
    /// Events that wait for the masternode; while so many wait nothing more is read.
    pub events_max: usize,
    /// How long a device may be connected before the masternode lets it in.
    pub admission_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            pending_max: 256,
            requests_per_device_max: REQUESTS_PER_DEVICE_MAX,
            events_max: 1_024,
            admission_timeout: ADMISSION_TIMEOUT,
        }
    }
}
